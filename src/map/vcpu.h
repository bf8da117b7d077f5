/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vcpu.h - virtual CPUs: what makes per-CPU data exclusive in user space.
 *
 * A thread takes a virtual CPU before it runs a program and gives it back
 * after. Taking is one compare-and-swap on the owner word, tried first on the
 * CPU the thread is on, then on the others. The owner word names process and
 * thread, so that a virtual CPU whose owner died is taken over.
 *
 * Threads: any. Async-signal-safe.
 */
#ifndef MAP_VCPU_H
#define MAP_VCPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory;

struct vcpu {
	uint64_t owner;          /* 0: free */
	uint32_t id;
	uint32_t nested;         /* depth of programs run by the owner */
	uint64_t epoch;          /* 0: outside programs; see memory_retire() */
	uint64_t missed;         /* events that found this CPU inside a program */
	uint8_t *scratch;        /* VCPU_SCRATCH bytes for the owner */
	uint64_t random[4];      /* state of get_prandom_u32 */
	/* private to the vcpu implementation past here */
	uint64_t reserved[8];
} __attribute__((aligned(64)));

#define VCPU_SCRATCH (64 * 1024) /* program stacks and helper buffers */

struct vcpu_set; /* in the arena */

/* count: 0 for twice the possible CPUs. NULL when the arena is full. */
struct vcpu_set *vcpu_set_new(struct memory *memory, unsigned count);
unsigned vcpu_count(const struct vcpu_set *set);
struct vcpu *vcpu_at(struct vcpu_set *set, unsigned id);

/*
 * NULL: none is free, or this thread is already inside a program (which is
 * counted as missed). The caller gives it back on the same thread.
 */
struct vcpu *vcpu_take(struct vcpu_set *set);
void vcpu_give(struct vcpu *cpu);

#endif
