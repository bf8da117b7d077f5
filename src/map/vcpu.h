/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vcpu.h - virtual CPUs: what makes per-CPU data exclusive in user space.
 *
 * A thread takes a virtual CPU before it runs a program and gives it back
 * after. Taking is one compare-and-swap on the owner word, tried first on the
 * CPU the thread is on, then on the others. The owner word names process and
 * thread, so that a virtual CPU whose owner died is taken over. A thread whose
 * program was left by longjmp() gets a virtual CPU again once it runs above
 * the frame that took the old one, which is then given back.
 *
 * Threads: any. Async-signal-safe.
 */
#ifndef MAP_VCPU_H
#define MAP_VCPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory;
struct vcpu_set;

struct vcpu {
	uint64_t owner;          /* an owner word (owner.h); 0: free */
	uint32_t id;
	uint32_t nested;         /* depth of programs run by the owner */
	uint64_t epoch;          /* when taken; 0: free or being taken; see memory_retire() */
	uint64_t missed;         /* events that found this CPU inside a program */
	uint8_t *scratch;        /* VCPU_SCRATCH bytes for the owner */
	uint64_t random[4];      /* state of get_prandom_u32 */
	uint64_t takes;          /* times taken: with id, names one use */
	/* private to the vcpu implementation past here */
	struct vcpu_set *set;
	uint64_t thread;         /* key of the thread that holds it */
	uintptr_t frame;         /* the stack frame it was taken in */
	uint64_t reserved[3];
} __attribute__((aligned(64)));

#define VCPU_SCRATCH (64 * 1024) /* program stacks and helper buffers */

/* count: 0 for twice the possible CPUs. NULL when the arena is full. */
struct vcpu_set *vcpu_set_new(struct memory *memory, unsigned count);
unsigned vcpu_count(const struct vcpu_set *set);
/* Is this a set of that arena, as far as a reader of it has to trust it? */
bool vcpu_set_sound(const struct vcpu_set *set, struct memory *memory);
struct vcpu *vcpu_at(struct vcpu_set *set, unsigned id);

/*
 * NULL: none is free, or this thread is already inside a program (which is
 * counted as missed). The caller gives it back on the same thread.
 */
struct vcpu *vcpu_take(struct vcpu_set *set);
void vcpu_give(struct vcpu *cpu);

/*
 * For events that must not be lost: waits up to a second while none is free.
 * NULL: *inside tells that this thread is inside a program (counted as missed),
 * else none became free (counted too).
 */
struct vcpu *vcpu_take_waiting(struct vcpu_set *set, bool *inside);
/* The same for who knows the calling thread's pointer (owner.h). */
struct vcpu *vcpu_take_waiting_at(struct vcpu_set *set, uint64_t pointer, bool *inside);

/*
 * For user space's own operations: the one this thread holds, or one taken for
 * it (*taken), waiting while there is none. NULL after a second.
 */
struct vcpu *vcpu_borrow(struct vcpu_set *set, bool *taken);
static inline void vcpu_return(struct vcpu *cpu, bool taken)
{
	if (taken)
		vcpu_give(cpu);
}

/* The CPU the calling thread is on; a hint, old when it returns. */
unsigned vcpu_current(const struct vcpu_set *set);
/* Whether the use of a virtual CPU that takes counted is over: given back, taken
 * again, or its process dead. deep: may make system calls to find out. */
bool vcpu_use_over(struct vcpu_set *set, unsigned id, uint64_t takes, bool deep);
/* The lowest epoch a program may have started in; ~0 when none runs. */
uint64_t vcpu_epoch_min(struct vcpu_set *set);
/* Events that found no virtual CPU free. */
uint64_t vcpu_missed(const struct vcpu_set *set);

#endif
