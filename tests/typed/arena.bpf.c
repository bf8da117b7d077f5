/* SPDX-License-Identifier: BSD-2-Clause */
/* Arenas: the cast that makes a pointer, what may be done with it, one arena a program. */
#include "typed.h"

LICENSE;

struct {
	__uint(type, ARENA);
	__uint(map_flags, 1024);
	__uint(max_entries, 10);
} arena SEC(".maps"), other SEC(".maps");

extern void *bpf_arena_alloc_pages(void *map, void *addr, u32 pages, int node, u64 flags) __ksym;


/* 0x1000111bf is r1 = addr_space_cast(r1, 0, 1), for compilers that do not know it. */
#define WITH_POINTER(name, body, ...)                                                         \
	__VA_ARGS__ SEC("syscall") __naked int name(void)                                     \
	{                                                                                     \
		__asm__ volatile("r9 = %[a] ll; r1 = 0; r8 = 1; .8byte 0x1000111bf;" body              \
				 "r0 = 0; exit;" ::[a] "i"(&arena) : "memory");               \
	}
#define NOT_POINTER "invalid mem access 'scalar'"

WITH_POINTER(access__anywhere, "r2 = *(u64 *)(r1 + 32000); *(u64 *)(r1 - 8) = r2;", ACCEPTED
	     LOGS("R1=arena"))
WITH_POINTER(access__unaligned_and_atomic,
	     "r2 = 1; lock *(u64 *)(r1 + 0) += r2; *(u32 *)(r1 + 1) = r2;", ACCEPTED)
WITH_POINTER(arithmetic__of_any_kind, "r1 *= 3; r1 &= 7; r1 <<= 4; r1 /= 8; r1 ^= 5; w1 += 8;"
	     "*(u8 *)(r1 + 0) = r8;", ACCEPTED)
WITH_POINTER(arithmetic__with_a_number_first, "r2 = 5; r2 += r1; *(u8 *)(r2 + 0) = r8;", ACCEPTED)
WITH_POINTER(arithmetic__far, "r1 += 0x7fffffff; r1 += 0x7fffffff; *(u64 *)(r1 + 0) = r1;",
	     ACCEPTED)
WITH_POINTER(arithmetic__by_zero, "r1 /= 0;", REJECTED("div by zero"))
WITH_POINTER(negation__makes_a_number, "r1 = -r1; *(u8 *)(r1 + 0) = r8;", REJECTED(NOT_POINTER))
WITH_POINTER(half_a_pointer__is_a_number, "w1 = w1; *(u8 *)(r1 + 0) = r8;", REJECTED(NOT_POINTER))
WITH_POINTER(cast_to_the_process__makes_a_number, ".8byte 0x10000000111bf; *(u8 *)(r1 + 0) = r8;",
	     REJECTED(NOT_POINTER))
WITH_POINTER(spill__keeps_it, "*(u64 *)(r10 - 8) = r1; r3 = *(u64 *)(r10 - 8);"
	     "*(u8 *)(r3 + 0) = r8;", ACCEPTED)
WITH_POINTER(comparison__with_anything, "if r1 == 0 goto 1f; if r1 > 7 goto 1f;"
	     "*(u8 *)(r1 + 0) = r8; 1:", ACCEPTED)
WITH_POINTER(helper__takes_no_arena_memory, "r2 = r1; r1 = r9; call 1;",
	     REJECTED("R2 type=arena expected=fp"))
WITH_POINTER(another_arena, "r2 = *(u32 *)(r9 + 0); r3 = other ll;",
	     REJECTED("Only one arena per program"))
WITH_POINTER(allocated__is_a_number_until_cast,
	     "r1 = r9; r2 = 0; r3 = 1; r4 = -1; r5 = 0; call bpf_arena_alloc_pages;"
	     "*(u8 *)(r0 + 0) = r8;", REJECTED(NOT_POINTER))

ACCEPTED SEC("tc") __naked int allocation__in_any_program(void)
{
	__asm__ volatile("r1 = %[a] ll; r2 = 0; r3 = 1; r4 = -1; r5 = 0;"
			 "call bpf_arena_alloc_pages; r1 = r0; r8 = 1; .8byte 0x1000111bf;"
			 "*(u8 *)(r1 + 0) = r8; r0 = 0; exit;" ::[a] "i"(&arena) : "memory");
}

REJECTED("can only be used in a program that has an associated arena")
SEC("syscall") __naked int cast__without_an_arena(void)
{
	__asm__ volatile("r1 = 0; .8byte 0x1000111bf; r0 = 0; exit;");
}

REJECTED("R1 is fp expected STRUCT bpf_map or map_ptr")
SEC("syscall") __naked int allocation__of_what_is_no_map(void)
{
	__asm__ volatile("r1 = r10; r2 = 0; r3 = 1; r4 = -1; r5 = 0;"
			 "call bpf_arena_alloc_pages; r0 = 0; exit;");
}

int use(void *p) { return bpf_arena_alloc_pages(p, 0, 0, 0, 0) != 0; }
