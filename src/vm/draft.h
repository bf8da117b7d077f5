/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * draft.h - a struct code while it is being put together. Control plane.
 *
 * Verified programs (code.c) and bare ones (bare.c) differ in where their
 * instructions come from and what they may call; the rest is common: calls get
 * slots, instructions get handlers, the compiler runs, and all of it goes into
 * one piece of memory, whose size is known before it is allocated.
 */
#ifndef VM_DRAFT_H
#define VM_DRAFT_H

#include "base/base.h"
#include "vm/run.h"

struct draft {
	struct insn *insns;              /* owned */
	uint32_t len;
	const struct verified_subprog *subprogs; /* borrowed */
	uint32_t subprog_count;
	const struct insn_fact *facts;   /* borrowed; or NULL */
	VEC(struct code_slot) slots;     /* owned */
	VEC(struct jit_array) arrays;    /* owned */
	bool callbacks;                  /* the address of a subprogram is taken */
	uint16_t *handlers;              /* owned; from draft_finish() */
	struct jit_result native;        /* owned; size 0: none */
};

/* A copy of the instructions; the runtime's own slots are there. -ENOMEM. */
int draft_init(struct draft *draft, const struct insn *insns, uint32_t len,
	       const struct verified_subprog *subprogs, uint32_t subprog_count);
void draft_done(struct draft *draft);
/* The slot of a call, made where it is new. -ENOMEM. */
int draft_slot(struct draft *draft, uint32_t kind, uint32_t id);
/*
 * Points local calls to their subprograms, gives every instruction its handler
 * and compiles. That compiling fails is no error unless memory ran out.
 */
int draft_finish(struct draft *draft, bool compile);
size_t draft_size(const struct draft *draft);
/* Into draft_size() zeroed bytes, aligned to 16. */
struct code *draft_fill(const struct draft *draft, void *memory);
/* What code->stamp has to be; anew when its program type was set. */
uint64_t draft_stamp(const struct code *code);

#endif
