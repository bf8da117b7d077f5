/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample.h - threads are interrupted by the CPU time they use. [runtime]
 *
 * Each thread has a timer on its own CPU clock, which sends it the agent's signal. The
 * sample has the registers of the application's own code: for time spent in a system
 * call or in the agent, those that the call was made with.
 *
 * Threads: each for itself.
 */
#ifndef AGENT_SAMPLE_H
#define AGENT_SAMPLE_H

#include "agent/gate.h"
#include "agent/thread.h"

/* Makes the calling thread's timer what gate_ops->sample_ns says. */
void sample_adjust(struct target_thread *thread);
static inline void sample_look(struct target_thread *thread)
{
	const uint64_t *wanted = gate_ops->sample_ns;

	if ((wanted ? __atomic_load_n(wanted, __ATOMIC_RELAXED) : 0) != thread->sample_ns)
		sample_adjust(thread);
}
/* No timer, and no signal of it on its way. */
void sample_end(struct target_thread *thread);
/* In a child of fork, which has no timers. */
void sample_forget(struct target_thread *thread);

/* The application is about to install a filter that may be in the way: if it refuses what
 * samples take, no thread has a timer any more. */
void sample_filtered(void);

bool sample_is(int sig, const siginfo_t *info);
/* Such a signal has come; context may be changed to repeat a call. True: it says what a
 * call returned that is to wait on (gate_again). */
bool sample_arrived(struct target_thread *thread, const siginfo_t *info,
		    struct signal_context *context);
/* Takes the sample that came while the agent ran, with these registers ... */
void sample_take_due(struct target_thread *thread, const struct target_regs *regs);
/* ... or with those of context, if that is the application's. */
void sample_take_due_at(struct target_thread *thread, const struct signal_context *context);

#endif
