/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * witness.h - a packet that goes a given way: for each of some values that are true or false,
 * it is what it is wanted to be. Private to src/cbpf.
 */
#ifndef CBPF_WITNESS_H
#define CBPF_WITNESS_H

#include "cbpf/fact.h"

struct wish { uint32_t value; bool yes; };

enum { WITNESS_MAX = 4096 };

struct witness {
	uint8_t bytes[WITNESS_MAX];
	struct skep_cbpf_packet packet; /* data is bytes */
};

/*
 * Looks for it, and returns true as soon as accept does for a packet on the way there;
 * facts: what the wishes tell. False: none was found, which proves nothing.
 */
bool witness_find(const struct values *values, const struct wish *wishes, size_t count,
		  const struct facts *facts, bool (*accept)(void *arg, const struct witness *witness),
		  void *arg, struct witness *witness);

#endif
