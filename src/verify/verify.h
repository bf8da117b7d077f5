/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify.h - is this program safe to run?
 *
 * verify() explores the program's paths symbolically (see state.h) and either
 * rejects it with Linux's words or hands the engines the program as decoded
 * instructions with what it learned about each.
 *
 * Threads: confined. Memory: a phase arena freed before it returns.
 */
#ifndef VERIFY_VERIFY_H
#define VERIFY_VERIFY_H

#include <skep/verify.h>
#include "isa/insn.h"
#include "prog/prog.h"

/* What was proved about one instruction on every path that reaches it. */
struct insn_fact {
	bool reached;            /* false: dead code */
	bool constant_map;       /* calls: argument 1 is always maps[map] */
	bool constant_key;       /* map calls: the key is always the number key */
	bool nonnull;            /* the pointer tested here is never NULL */
	bool upper_zero;         /* ALU and LOAD: the upper half of dst is not needed or zero */
	bool foreign_map;        /* LOAD: of what only the kernel's structure of a map has */
	uint32_t map;
	uint64_t key;
	const char *ctx_field;   /* the context field it accesses; or NULL */
};

struct verified_subprog {
	uint32_t start, end;     /* slots [start, end) */
	uint32_t stack;          /* bytes used, multiple of 8 */
	bool tail_calls;         /* it, or what it calls, makes tail calls */
	bool callback;           /* its address is taken */
	struct func_proof proof; /* for programs that attach to it */
};

/* Owned by the caller once verify() succeeded; verified_done() frees it. */
struct verified {
	struct insn *insns;      /* len entries: context accesses rewritten to the native
	                          * context, fault_zero set; dead code is INSN_GOTO -1 loops */
	uint32_t len;
	struct insn_fact *facts; /* len entries */
	struct verified_subprog *subprogs;
	uint32_t subprog_count;
	uint32_t stack_depth;    /* of the deepest call chain, bytes */
	uint32_t ctx_end;        /* bytes of its context that it may look at; 0: none */
	uint32_t buffer_end;     /* and of the buffer that a tracepoint lets it write */
};

/*
 * Returns 0 when the program was judged: result->error is the verdict and, if
 * it is 0, *out is filled (out may be NULL). A rejection also appends an item
 * to diag. Otherwise a negative errno (ENOMEM ...).
 */
int verify(const struct prog_spec *spec, const struct skep_verify_opts *opts,
	   struct skep_verify_result *result, struct verified *out, struct skep_diag *diag);
void verified_done(struct verified *verified);

#endif
