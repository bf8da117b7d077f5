/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * graph.h - a filter as a graph of decisions about the packet.
 *
 *          checks: bytes that must be there, divisors that must not be 0; else: return 0
 *          test
 *         /    \
 *      block  block ... and at the leaves: return a value
 *
 * Registers and scratch memory are gone: what they held at a test is written into the test
 * as an expression (value.h). Where ways meet with different contents that are still wanted,
 * what follows is there once for each.
 *
 * Threads: confined.
 */
#ifndef CBPF_GRAPH_H
#define CBPF_GRAPH_H

#include "cbpf/fact.h"
#include "cbpf/value.h"

enum block_end { END_RETURN, END_GOTO, END_TEST };

struct block {
	VEC(uint32_t) checks;    /* values that must be true, or the filter returns 0 */
	enum block_end end;
	uint32_t value;          /* RETURN: what; TEST: which */
	uint32_t next[2];        /* GOTO: [0]; TEST: [1] if true, [0] if false; always a later block
				    in graph_order() */
};

/*
 * What stands in for a set in a filter: by instruction, of the jumps 'A == k' that do. An address
 * of 16 bytes is compared in four words: the first jump's is the set's, then come three that
 * belong to it.
 */
struct stand_in {
	uint8_t set;             /* 1 + its number; 0: none */
	uint8_t word;            /* 0 to 3 of an address of 16 bytes; STAND_IN_WHOLE: all there is */
};

enum { STAND_IN_WHOLE = 4 };

/*
 * When control leaves this block, the variable holds the value. Only for graphs that are about to be
 * generated: no other pass knows of it. A variable has a word of memory, counted from the last.
 */
struct assignment { uint32_t block, variable, value; };

struct graph {
	struct values values;
	VEC(struct assignment) assignments;
	const struct stand_in *stand_ins; /* borrowed while it is built; NULL: none */
	VEC(struct block) blocks;
	uint32_t root;
	enum skep_cbpf_use use;
	bool failed;             /* out of memory */
};

/*
 * The graph of a filter that skep_cbpf_check() accepted. EOPNOTSUPP: it loads what differs each
 * time (random numbers), or ends with what A holds (without a device), or would
 * become many times as large.
 */
int graph_build(struct graph *graph, const struct skep_cbpf_insn *insns, size_t count,
		enum skep_cbpf_use use);
/* With sets in it. EOPNOTSUPP, too: a stand-in is not compared as addresses and ports are. */
int graph_build_sets(struct graph *graph, const struct skep_cbpf_insn *insns, size_t count,
		     const struct stand_in *stand_ins);
/* Adds another filter's to the same values; *root is its first block. */
int graph_add(struct graph *graph, const struct skep_cbpf_insn *insns, size_t count,
	      uint32_t *root);
void graph_init(struct graph *graph, enum skep_cbpf_use use);
void graph_done(struct graph *graph);
uint32_t graph_block(struct graph *graph); /* a new one */
static inline struct block *graph_at(const struct graph *graph, uint32_t id)
{
	return &graph->blocks.items[id];
}
/* How many blocks may follow. */
static inline unsigned block_nexts(const struct block *block)
{
	return block->end == END_RETURN ? 0 : block->end == END_GOTO ? 1 : 2;
}

/* The blocks that can be reached, each before all that follow it. To be freed; NULL: no memory. */
uint32_t *graph_order(const struct graph *graph, size_t *count);
/* Tests decided, ways shortened, equal blocks made one, until nothing changes. */
int graph_optimise(struct graph *graph);
/* Many tests of one value against numbers become a search. */
int graph_search(struct graph *graph);
struct cbpf_sets;
/*
 * Rows of lookups in one set that lead to the same places, as a host's in IP and ARP, become one:
 * before it, variables get what each looks up.
 */
int graph_share_lookups(struct graph *graph);
/*
 * The lookups in sets become searches (set_search.c): trees at whose leaves so many numbers are
 * tested one after the other; 1: the fastest; more: less instructions. bytes: only lookups of
 * 16 bytes at a computed place, which there is no instruction for.
 */
int graph_lower_sets(struct graph *graph, const struct cbpf_sets *sets, size_t leaf, bool bytes);
/*
 * Instructions for it. EOPNOTSUPP: expressions too large for the scratch memory.
 * E2BIG: more than limit.
 */
int graph_generate(struct graph *graph, size_t limit, struct skep_cbpf_insn **insns,
		   size_t *count);

#endif
