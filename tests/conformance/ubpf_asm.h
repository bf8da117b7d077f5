/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ubpf_asm.h - the assembler notation of uBPF's test files: "mov %r0, 1",
 * "ldxb %r1, [%r2+3]", "jeq %r1, 5, label", "lock fetch add [%r10-8], %r1".
 */
#ifndef UBPF_ASM_H
#define UBPF_ASM_H

#include <stddef.h>
#include <skep/insn.h>

/* At most limit slots; returns how many, or -1 with *error a line to print. */
int ubpf_assemble(const char *text, struct skep_insn *insns, size_t limit, char *error,
		  size_t error_size);

#endif
