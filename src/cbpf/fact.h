/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fact.h - what is known at a place of a filter, because of the tests on every way there.
 *
 * Of a value: its range, some of its bits, a few numbers that it is not. Of the packet: how many
 * bytes it has at least (a load found them) and at most (a load did not).
 */
#ifndef CBPF_FACT_H
#define CBPF_FACT_H

#include "cbpf/domain.h"
#include "cbpf/value.h"

struct fact { uint32_t value; struct domain domain; };

struct facts {
	bool reached;            /* false: nothing gets here */
	bool failed;             /* out of memory */
	uint64_t least, most;    /* bytes of the packet */
	VEC(struct fact) all;    /* by value */
};

void facts_init(struct facts *facts);
void facts_done(struct facts *facts);
void facts_copy(struct facts *to, const struct facts *from);
/* What holds on both ways; into that is not reached yet becomes a copy. */
void facts_meet(struct facts *into, const struct facts *other, const struct values *values);
/* Does a know all that b knows? */
bool facts_imply(const struct facts *a, const struct facts *b, const struct values *values);

/* False: no packet has all of them. True says nothing. */
bool facts_possible(const struct facts *facts, const struct values *values);
struct domain facts_domain(const struct facts *facts, const struct values *values, uint32_t id);
/* Of a value that is true or false: 1, 0; -1: it may be either. */
int facts_decide(const struct facts *facts, const struct values *values, uint32_t id);
/* It is true, or false. Returns false: that cannot be. */
bool facts_assume(struct facts *facts, const struct values *values, uint32_t id, bool yes);

#endif
