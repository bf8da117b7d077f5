/* SPDX-License-Identifier: BSD-2-Clause */
/* random_filter.h - random classic filters, mutants of them, packets and calls. */
#ifndef RANDOM_FILTER_H
#define RANDOM_FILTER_H

#include "cbpf/cbpf.h"

#define FILTER_MAX 96

struct filter {
	struct skep_cbpf_insn insns[FILTER_MAX];
	size_t count;
};

struct random { uint64_t state; };

uint32_t random_next(struct random *random);
static inline uint32_t random_below(struct random *random, uint32_t limit)
{
	return limit ? random_next(random) % limit : 0;
}

/*
 * A filter that Linux attaches, for packets of about this size. Where it returns, what
 * it computed is folded into 0 to size - 1. Metadata loads are chosen from those of
 * the bits in ancillary (1 << number / 4).
 */
void filter_make(struct filter *filter, struct random *random, enum skep_cbpf_use use,
		 uint32_t size, uint32_t ancillary);
/* Changes a field or two of it, or what it is made of: half of what comes out is refused. */
void filter_mutate(struct filter *filter, struct random *random, enum skep_cbpf_use use);

/* Bytes that resemble the packets of the net, of size bytes. */
void packet_make(uint8_t *packet, uint32_t size, struct random *random);

#endif
