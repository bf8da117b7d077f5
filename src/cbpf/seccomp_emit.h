/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_emit.h (internal) - a filter that is made from its end.
 *
 * What is jumped to stands before what jumps, so that a label is the count of instructions behind it,
 * and one too far away for a jump of 255 is repeated (a return) or reached over a goto.
 */
#ifndef CBPF_SECCOMP_EMIT_H
#define CBPF_SECCOMP_EMIT_H

#include <linux/filter.h>

#include "base/base.h"
#include "cbpf/seccomp.h"

#define NOWHERE UINT32_MAX   /* the label of what has not been emitted */

/*
 * A step of a decision, each different one once: a return, or a test of a half of an argument and
 * the steps behind it, which are older.
 */
struct step {
	bool test;
	uint16_t op;
	uint32_t offset, mask, value; /* (word at offset & mask) op value; value: what is returned */
	uint32_t yes, no;
	uint32_t label, body;         /* where it begins, with the load and without; or NOWHERE */
	uint32_t chain;               /* the next one with its hash */
};

/* Calls from low up to the next span's. */
struct span {
	uint32_t low, action;            /* action: when no rule matches */
	const struct seccomp_rule *rules;
	size_t count;
	uint32_t label;
};

struct gen {
	struct skep_cbpf_insn *insns; /* the last one first */
	uint32_t count, size;
	bool failed;
	VEC(struct seccomp_rule) rules;  /* sorted: each machine's stand together */
	VEC(struct span) spans;          /* of the machine at hand */
	VEC(struct step) steps;          /* of decisions of all machines */
	uint32_t hashed[256];            /* the newest step with a hash; NOWHERE: none */
};

/* Each returns a label; 0 with failed set: no memory, or far too many. */
uint32_t emit_return(struct gen *gen, uint32_t action);
/* To yes if the number loaded op k, else to no. */
uint32_t emit_jump(struct gen *gen, uint16_t op, uint32_t k, uint32_t yes, uint32_t no);
/* A load or mask, which runs on into next. */
uint32_t emit_before(struct gen *gen, uint16_t code, uint32_t k, uint32_t next);
uint32_t emit_load(struct gen *gen, uint32_t offset, uint32_t next);

/* The first step of what is to be done to a span's calls; nothing is emitted yet. */
uint32_t add_decision(struct gen *gen, const struct span *span);
/* What is not there yet of it. Its label. */
uint32_t emit_decision(struct gen *gen, uint32_t step);

#endif
