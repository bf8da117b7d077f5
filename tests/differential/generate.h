/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generate.h - random programs that every verifier accepts.
 *
 * What a program computes depends only on its input packet (or memory): so the
 * interpreter, the compilers and the running kernel must agree on its result
 * and on what it left in the packet. The same seed gives the same program.
 */
#ifndef GENERATE_H
#define GENERATE_H

#include <stddef.h>
#include <stdint.h>
#include <skep/insn.h>

enum generate_target {
	GENERATE_BARE,           /* r1: memory of GENERATE_PACKET bytes */
	GENERATE_XDP,
	GENERATE_TC,
};

enum generate_flags {
	GENERATE_CALLS = 1 << 0,   /* subprograms */
	GENERATE_MAPS = 1 << 1,    /* lookups in map 0: an array of GENERATE_ENTRIES u64 pairs */
	GENERATE_HELPERS = 1 << 2, /* helpers whose result depends on their arguments only */
};

enum {
	GENERATE_MAX = 4096,     /* slots */
	GENERATE_PACKET = 128,   /* bytes of packet a program may touch */
	GENERATE_ENTRIES = 8,
	GENERATE_VALUE = 16,     /* bytes of a value of map 0 */
};

struct generated {
	struct skep_insn insns[GENERATE_MAX];
	size_t count;
};

void generate(struct generated *out, uint64_t seed, enum generate_target target, unsigned flags);
/* The input for a seed: size bytes. */
void generate_input(uint8_t *bytes, size_t size, uint64_t seed);
/* A plain generator, for tests that need more numbers. */
uint64_t generate_next(uint64_t *state);

#endif
