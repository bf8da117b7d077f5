/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access.h - memory accesses of the interpreter that survive a fault. [runtime]
 *
 * Each is one machine instruction whose address stands in a table beside the
 * place to go on at; interpret_on_fault() finds it there. So an access costs
 * what it would in C, and says false where it faulted.
 */
#ifndef VM_ACCESS_H
#define VM_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

/* Both relative to their own place, so that the table needs no relocation. */
struct access_entry {
	int32_t at;              /* the instruction that may fault */
	int32_t failed;          /* where it goes on then */
};

#ifdef __x86_64__

#define ACCESS_ENTRY                                       \
	".pushsection skep_access, \"a\", @progbits\n"     \
	"	.balign 4\n"                               \
	"	.long 1b - .\n"                            \
	"	.long %l[failed] - .\n"                    \
	".popsection\n"

#define ACCESS_LOAD(name, type, text)                                                \
	static inline bool access_##name(const void *from, uint64_t *value)          \
	{                                                                            \
		uint64_t v;                                                          \
                                                                                     \
		__asm__ goto("1:	" text "\n" ACCESS_ENTRY                      \
			     : "=r"(v)                                               \
			     : "m"(*(const type *)from)                              \
			     : "memory"                                              \
			     : failed);                                              \
		*value = v;                                                          \
		return true;                                                         \
failed:                                                                              \
		return false;                                                        \
	}

#define ACCESS_STORE(name, type, text)                                               \
	static inline bool access_##name(void *to, uint64_t value)                   \
	{                                                                            \
		__asm__ goto("1:	" text "\n" ACCESS_ENTRY                      \
			     :                                                       \
			     : "r"(value), "m"(*(type *)to)                          \
			     : "memory"                                              \
			     : failed);                                              \
		return true;                                                         \
failed:                                                                              \
		return false;                                                        \
	}

ACCESS_LOAD(load1, uint8_t, "movzbl %1, %k0")
ACCESS_LOAD(load2, uint16_t, "movzwl %1, %k0")
ACCESS_LOAD(load4, uint32_t, "movl %1, %k0")
ACCESS_LOAD(load8, uint64_t, "movq %1, %0")
ACCESS_STORE(store1, uint8_t, "movb %b0, %1")
ACCESS_STORE(store2, uint16_t, "movw %w0, %1")
ACCESS_STORE(store4, uint32_t, "movl %k0, %1")
ACCESS_STORE(store8, uint64_t, "movq %0, %1")
/* Can it be written? Changes nothing, atomically. */
ACCESS_STORE(probe, uint8_t, "lock orb $0, %1")

#else
#error "access.h: write the accesses for this machine"
#endif

#endif
