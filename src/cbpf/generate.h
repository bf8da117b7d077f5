/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generate.h - from the graph to instructions: what each block computes (generate.c), and where
 * it stands (layout.c). Private to src/cbpf.
 */
#ifndef CBPF_GENERATE_H
#define CBPF_GENERATE_H

#include "cbpf/graph.h"

/* What the registers hold: values; 0: nobody knows. */
struct registers { uint32_t a, x, m[CBPF_MEMORY]; };

/* A block's instructions, without its end; what that compares with. */
struct body {
	VEC(struct skep_cbpf_insn) insns;
	struct skep_cbpf_insn end; /* the jump or return, its targets still open */
	struct registers after;
	bool reached;            /* after is what the blocks before leave, until it is its own */
};

/* order: the blocks, as by graph_order(). Errors as graph_generate(). */
int layout(const struct graph *graph, const struct body *bodies, const uint32_t *order,
	   size_t blocks, size_t limit, struct skep_cbpf_insn **insns, size_t *count);

#endif
