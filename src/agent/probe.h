/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe.h - user probes in this process: what a patched place calls. [runtime]
 *
 * The stub of a probe calls probe_entry (trampoline.S) with its record. That saves the thread's
 * registers as Linux lays them out, on the stack the agent has for the thread, and calls the
 * record's function, which may read and change them. Nothing is searched for, so a hit costs
 * the same however many probes there are.
 *
 * A return probe replaces the return address of the call and keeps the real one, with the slot
 * it was in, in the thread's list. Slots are compared exactly: what longjmp() left behind is
 * never mistaken for a frame that lives, and frames on several stacks may be mixed.
 *
 * Unwinders of exceptions read return addresses. The functions that begin an unwind get a
 * probe that gives the thread its real ones back, and their return instructions one that arms
 * the frames again that live on.
 *
 * Threads: a thread works on its own list; records are immutable once they are committed.
 */
#ifndef AGENT_PROBE_H
#define AGENT_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include "agent/patch.h"

struct target_regs;

/* A call whose return address has been replaced. */
struct probe_call {
	uint64_t slot;              /* where the return address is */
	uint64_t real;              /* what it was */
	struct probe_record *record;
	uint64_t data[4];           /* of whoever runs the programs */
	bool armed;                 /* the slot has our address in it */
};

struct probe_calls {
	uint32_t count, max;
	struct probe_call calls[];  /* as they were made: the last is the innermost */
};

/* What a probe keeps of a thread, in its record (thread.h). */
struct probe_thread {
	struct probe_calls *calls;  /* NULL: none yet */
	uint64_t missed;            /* return probes that found no memory */
};

/* What is called when a place is hit, on the agent's stack. */
typedef void probe_enter_fn(struct probe_thread *thread, struct probe_record *record,
			    struct target_regs *regs);
/* When a call returns; regs has the real return address in ip. */
typedef void probe_leave_fn(struct probe_thread *thread, struct probe_call *call,
			    struct target_regs *regs);

struct probe_record {
	uint64_t address;           /* of the place */
	uint64_t skipped;           /* bytes below its stack pointer that may be in use */
	probe_enter_fn *enter;
	probe_leave_fn *leave;      /* for calls that probe_call_watch() was called for */
	void *arg;                  /* of whoever made the record */
	struct patch_site *site;    /* NULL: not patched */
};

/*
 * How the trampoline finds the calling thread's record: in a table as thread.h has it, else by
 * calling probe_self (NULL: not known, the hit is missed). probe_poll is called on the
 * application's stack when signals wait in the record. Set before anything is hit.
 */
struct target_thread;
struct thread_slot;
extern struct thread_slot *probe_slots;
extern struct target_thread *(*probe_self)(void);
extern const char *probe_poll;

/* Adds a place to a batch. The record must stay where it is. red_zone: the code may use 128
 * bytes below its stack pointer. */
int probe_add(struct patch_batch *batch, const struct patch *patch, uint64_t address,
	      struct probe_record *record, bool red_zone);
/* A thread is in what a stub does before the copies of instructions: as if it had not begun,
 * or had ended. */
void probe_settle(uint64_t *ip, uint64_t *sp);
/* Whether an address is in the code between a stub and C. */
bool probe_is_trampoline(uint64_t address);

/* In enter, at the first instruction of a function: leave is to be called when it returns. */
struct probe_call *probe_call_watch(struct probe_thread *thread, struct probe_record *record,
				    struct target_regs *regs);
/* What an address that has been read from a slot of the stack was before a probe replaced it;
 * 0: not known any more. */
uint64_t probe_real_return(const struct probe_thread *thread, uint64_t slot, uint64_t address);
/* Puts the thread's real return addresses back. */
void probe_calls_disarm(struct probe_thread *thread);
/* Replaces them again where the frame lives on: its slot is at or above sp. */
void probe_calls_arm(struct probe_thread *thread, uint64_t sp);
void probe_calls_free(struct probe_thread *thread);
/* Another thread has the record now. */
static inline void probe_calls_forget(struct probe_thread *thread)
{
	if (thread->calls)
		thread->calls->count = 0;
}

/* Enter functions for the functions that begin an unwind and for their return instructions. */
probe_enter_fn probe_unwind_begins, probe_unwind_ends;

#endif
