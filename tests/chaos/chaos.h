/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chaos.h - processes that hammer maps, and are killed and stopped at random.
 *
 * Half of the workers are forks, half are programs of their own that join the
 * arena.
 * Workers write down what they are about to do and what they have done in
 * memory of their own, so that after any death the parent knows what the map
 * must hold: of the one operation in flight, either outcome.
 */
#ifndef TEST_CHAOS_H
#define TEST_CHAOS_H

#include <stdbool.h>
#include <stdint.h>

#include "map/map.h"

enum { WORKERS = 8, KEYS = 64, CPUS = 6, GAPS = 4096 };

struct worker {
	uint64_t random;
	uint32_t key_in_flight;      /* 1 + key; 0: none */
	uint32_t was[KEYS], will[KEYS]; /* versions of a key's value; 0: absent */
	uint32_t gap[GAPS]; /* numbers in flight when their sender was killed: more than can wait */
	uint64_t begun, done;        /* of numbered operations */
	uint64_t seen;               /* parent: the last number that came out */
	char wrong[120];             /* what a worker found wrong */
};

struct chaos {
	struct memory *memory;
	struct vcpu_set *vcpus;
	struct map *map;
	uint32_t type;               /* index in chaos_types: workers have their own text */
	bool alone;                  /* nobody else allocates in the arena */
	uint64_t kills;
	void *extra;
	struct worker worker[WORKERS];
};

struct chaos_type {
	const char *name;
	struct map_spec spec;
	size_t keeps; /* bytes of the arena that it may come to need, beyond the usual */
	void (*setup)(struct chaos *chaos);
	/* One operation of worker w, over and over until killed. */
	void (*work)(struct chaos *chaos, unsigned w);
	/* A new worker, after w was killed: settle what was in flight. */
	void (*recover)(struct chaos *chaos, unsigned w);
	/* The parent, between kills. */
	void (*tend)(struct chaos *chaos);
	/* All workers are dead. */
	void (*check)(struct chaos *chaos);
};

extern const struct chaos_type chaos_types[]; /* ends with name NULL */

static inline const struct chaos_type *chaos_type(const struct chaos *chaos)
{
	return &chaos_types[chaos->type];
}

uint32_t chaos_random(struct worker *worker, uint32_t below);
/* Ends the test, saying so; in a worker, leaves the message to the parent. */
void chaos_fail(struct chaos *chaos, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define chaos_expect(chaos, condition) \
	((condition) ? (void)0 : chaos_fail((chaos), "%s:%d: %s", __FILE__, __LINE__, #condition))
struct vcpu *chaos_vcpu(struct chaos *chaos);

#endif
