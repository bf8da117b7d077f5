/* SPDX-License-Identifier: BSD-2-Clause */
/* seccomp_ways.h (internal) - every way that calls may take through one or two seccomp filters. */
#ifndef CBPF_SECCOMP_WAYS_H
#define CBPF_SECCOMP_WAYS_H

#include <skep/seccomp.h>
#include "base/base.h"

#define SECCOMP_WORDS 16u /* of 32 bits in struct seccomp_data */

enum ask_kind { ASK_EQUAL, ASK_ABOVE, ASK_NOT_BELOW, ASK_ANY_BIT };

/* (word & mask) kind k came out as holds says. */
struct ask {
	uint8_t word, kind;
	bool holds;
	uint32_t mask, k;
};

typedef VEC(struct ask) ask_vec;

/* One way: what was asked on it, and what each filter returned. Not 0: stop, and return it. */
typedef int way_fn(void *arg, const ask_vec *asks, const uint32_t *results);

struct ways {
	struct { const struct skep_cbpf_insn *insns; size_t count; } filters[2];
	unsigned filter_count;
	way_fn *end;
	void *arg;
	bool inexact;            /* something was not followed: a way may be none */
};

/* Ends with what end returned, 0, -E2BIG or -ENOMEM. */
int ways_walk(struct ways *ways, const struct skep_seccomp_calls *calls);
/*
 * A value of the word for which all that was asked of it holds. False: there is none. After many
 * steps, true with a value that may not be one.
 */
bool asks_solve(const ask_vec *asks, unsigned word, uint32_t *value);

#endif
