/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jit.h - compile a decoded program to native, position-independent code.
 *
 * Compiling is control plane (it may use libc); the code it makes is runtime.
 * Calls out of it go through a vector of addresses that each process fills,
 * whose base is in a register at entry; nothing in the bytes depends on where
 * this process has its text.
 */
#ifndef JIT_JIT_H
#define JIT_JIT_H

#include <stddef.h>
#include <stdint.h>
#include "isa/insn.h"
#include "verify/verify.h"

/* A load that may fault and then yields 0, or any access, for diagnostics. */
struct jit_fault {
	uint32_t start, end;      /* byte offsets of the access's machine code */
	uint32_t insn;            /* slot */
	uint8_t zero_reg;         /* machine register to clear; 0xff: the fault ends the program */
};

struct jit_result {
	uint8_t *bytes;           /* owned: free() */
	size_t size;
	uint32_t *subprog_entry;  /* owned: byte offset per subprogram */
	struct jit_fault *faults; /* owned, sorted */
	size_t fault_count;
	uint32_t entry;           /* C-callable entry of subprogram 0 */
};

/* What the engine offers generated code; the vector's layout is the engine's. */
struct jit_input {
	const struct insn *insns;
	uint32_t len;
	const struct verified_subprog *subprogs;
	uint32_t subprog_count;
	const struct insn_fact *facts; /* or NULL */
	uint32_t cpu_features;
};

/* 0, -ENOMEM, -EOPNOTSUPP (this machine has no back end), -E2BIG. */
int jit_compile(const struct jit_input *input, struct jit_result *result);
void jit_result_done(struct jit_result *result);

#endif
