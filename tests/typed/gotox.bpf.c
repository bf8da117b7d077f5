/* SPDX-License-Identifier: BSD-2-Clause */
/* Jump tables, as compilers lay them out in .jumptables. */
#include "typed.h"

LICENSE;

/* 0x0d is gotox r0, for compilers that do not know it. */
#define TABLE(entries, size)                                                                  \
	".pushsection .jumptables,\"\",@progbits; jt_%=: " entries                            \
	".size jt_%=, " size "; .global jt_%=; .popsection;"
#define BOTH ".quad first_%= - socket; .quad second_%= - socket;"
#define WAYS "first_%=: r0 = 1; exit; second_%=: r0 = 2; exit;"
#define PROGRAM(name, table, body, ...)                                                       \
	__VA_ARGS__ SEC("socket") __naked int name(void)                                      \
	{                                                                                     \
		__asm__ volatile(table "r1 = *(u32 *)(r1 + 0); r1 &= 1; r1 <<= 3;"             \
				 "r0 = jt_%= ll;" body ::: "memory");                         \
	}

PROGRAM(table__first_in_the_section, TABLE(BOTH, "16"),
	"r0 += r1; r0 = *(u64 *)(r0 + 0); .8byte 0x0d;" WAYS, ACCEPTED LOGS("(0d) gotox r0"))
PROGRAM(table__of_a_program_further_on, TABLE(BOTH, "16"),
	"r0 += r1; r0 = *(u64 *)(r0 + 0); .8byte 0x0d;" WAYS, ACCEPTED LOGS("gotox r0"))
PROGRAM(table__each_entry_is_a_way, TABLE(BOTH, "16"),
	"r0 += r1; r0 = *(u64 *)(r0 + 0); .8byte 0x0d;"
	"first_%=: r0 = 1; exit; second_%=: r0 = r6; exit;", REJECTED("R6 !read_ok"))
PROGRAM(table__has_an_end, TABLE(BOTH, "16"),
	"r0 += r1; r0 = *(u64 *)(r0 + 16); .8byte 0x0d;" WAYS,
	REJECTED("R0 min value is outside of the allowed memory range"))
PROGRAM(table__is_not_written, TABLE(BOTH, "16"),
	"*(u64 *)(r0 + 0) = r1; r0 = *(u64 *)(r0 + 0); .8byte 0x0d;" WAYS,
	REJECTED("write into map forbidden, value_size=16 off=0 size=8"))
PROGRAM(table__read_by_halves, TABLE(BOTH, "16"),
	"r0 = *(u32 *)(r0 + 0); .8byte 0x0d;" WAYS,
	REJECTED("Invalid read of 4 bytes from insn_array"))
PROGRAM(table__its_address_is_no_instruction, TABLE(BOTH, "16"), ".8byte 0x0d;" WAYS,
	REJECTED("R0 has type map_value, expected PTR_TO_INSN"))
