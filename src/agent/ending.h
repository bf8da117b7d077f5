/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ending.h - who tells of the end of which thread. [runtime]
 *
 * A thread that ends tells of it itself. One that ends its process, by exit_group() or a signal,
 * tells of the others too, whom the kernel then ends without their code being asked: each once,
 * whichever way it goes first. Of a thread that has been told of nothing is told any more.
 *
 * Threads: any.
 */
#ifndef AGENT_ENDING_H
#define AGENT_ENDING_H

#include "agent/thread.h"

/* Another, as it was when it was taken. */
struct ending_other {
	struct target_thread *thread; /* it may end meanwhile: not to be looked into */
	struct target_regs regs;
	struct task_facts facts;
	uint32_t tid;            /* as the process has it */
	bool inside;             /* a call whose result has yet to be told */
};

/* The calling thread ends, or (whole) its process does. False: another tells of it, who ends the
 * process and is given the time to. live: the threads of the process that are left. */
bool ending_begins(struct target_thread *thread, bool whole, int32_t *live);
/* The calling thread ends its process: another thread that has not been told of. False: none is left, and live stays. */
bool ending_take(const struct target_thread *self, struct ending_other *other, int32_t *live);
/* The calling thread is about to make an exec. False: so is another, which does not come to an
 * end with it in time. */
bool ending_execs(const struct target_thread *self);
/* Then: the others that live, one after the other, which tell of no end of their own until they
 * are spared. False: none is left. */
bool ending_doom(const struct target_thread *self, struct ending_other *other);
/* Those who began to tell before are waited for. */
void ending_settle(void);
/* It has failed. False: it was not said that there is one. */
bool ending_spare(const struct target_thread *self);
/* The calling thread has told of its end. whole: those who are at it still are waited for, as they
 * end with the process. */
void ending_done(bool whole);
/* In the child of a fork. */
void ending_forked(struct target_thread *self);

/* Whether the calling thread may tell of the result of the call that it is in. */
static inline bool ending_is_inside(struct target_thread *thread)
{
	bool inside = thread->inside;

	/* Who is alone is not told of by others; records are never given back. */
	if (thread_list && thread_list->next)
		return __atomic_exchange_n(&thread->inside, false, __ATOMIC_ACQ_REL);
	thread->inside = false;
	return inside;
}

#endif
