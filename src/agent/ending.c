/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ending.c - see ending.h. [runtime, in the agent's image only]
 *
 * Claims are made under the lock of the table of threads, which is held over fork.
 */
#include "agent/ending.h"

#include <time.h>

#include "map/sys.h"

enum { PATIENCE_MS = 1000 };

static uint32_t ender;   /* the thread that ends the process; 0: none yet */
static bool over;        /* and has told of all: what begins still, began too late */
static uint32_t execer;  /* the thread that makes an exec; 0: none does */
static uint32_t telling; /* threads that are at it, of their own end */

/* Which thread has the record; 0: it is being made. A vfork child runs on its parent's. */
static uint32_t tid_of(const struct target_thread *thread)
{
	if (thread->vforks > 0)
		return thread->saved[0].tid;
	return thread->tid ? thread->tid : __atomic_load_n(&thread->born, __ATOMIC_RELAXED);
}

static bool is_live(const struct target_thread *thread, uint32_t pid)
{
	uint32_t of = thread->vforks > 0 ? thread->saved[0].pid : thread->pid;

	return __atomic_load_n(&thread->state, __ATOMIC_ACQUIRE) == THREAD_USED && !thread->told &&
	       of == pid;
}

/* known: without those that are being made. */
static int32_t count_live(uint32_t pid, bool known)
{
	int32_t count = 0;

	for (struct target_thread *thread = thread_list; thread; thread = thread->next)
		count += is_live(thread, pid) && (!known || tid_of(thread) != 0);
	return count;
}

/* Not for ever: what is waited for may be stopped. */
static void await(const uint32_t *word, uint32_t value)
{
	const struct timespec moment = { 0, 1000000 };

	for (int i = 0; i < PATIENCE_MS && __atomic_load_n(word, __ATOMIC_ACQUIRE) != value; i++)
		sys_call2(SYS_nanosleep, &moment, NULL);
}

/* Takes the lock when the thread is not doomed. It is mostly waited for in vain: it ends by that. */
static void lock_spared(const struct target_thread *thread)
{
	const struct timespec moment = { 0, 1000000 };

	thread_lock();
	for (int i = 0; i < PATIENCE_MS && thread->doomed; i++) {
		thread_unlock();
		sys_call2(SYS_nanosleep, &moment, NULL);
		thread_lock();
	}
}

bool ending_begins(struct target_thread *thread, bool whole, int32_t *live)
{
	bool first;

	lock_spared(thread);
	first = !thread->told && !(ender && (whole || over));
	if (first) {
		thread->told = true;
		__atomic_add_fetch(&telling, 1, __ATOMIC_RELAXED);
		if (whole)
			ender = thread->tid;
		*live = count_live(thread->pid, whole);
		over = whole && *live == 0;
	}
	thread_unlock();
	if (whole && !first && __atomic_load_n(&ender, __ATOMIC_RELAXED) != thread->tid)
		await(&ender, 0);
	return first;
}

void ending_done(bool whole)
{
	__atomic_sub_fetch(&telling, 1, __ATOMIC_ACQ_REL);
	if (whole)
		await(&telling, 0);
}

static void copy(struct ending_other *other, struct target_thread *thread)
{
	*other = (struct ending_other){
		.thread = thread, .facts = thread->facts, .tid = tid_of(thread),
		.regs = thread->vforks > 0 ? thread->saved[0].regs : thread->regs,
		.inside = thread->inside && thread->vforks == 0,
	};
}

bool ending_take(const struct target_thread *self, struct ending_other *other, int32_t *live)
{
	struct target_thread *thread;

	thread_lock();
	for (thread = thread_list; thread; thread = thread->next)
		if (is_live(thread, self->pid) && tid_of(thread) != 0)
			break;
	if (thread) {
		thread->told = thread->unseen = true;
		copy(other, thread);
		other->inside &= __atomic_exchange_n(&thread->inside, false, __ATOMIC_ACQ_REL);
		*live = count_live(self->pid, true);
		over = *live == 0;
	}
	thread_unlock();
	return thread != NULL;
}

bool ending_doom(const struct target_thread *self, struct ending_other *other)
{
	struct target_thread *thread;

	thread_lock();
	for (thread = thread_list; thread; thread = thread->next)
		if (thread != self && !thread->doomed && is_live(thread, self->pid) && tid_of(thread) != 0)
			break;
	if (thread) {
		__atomic_store_n(&thread->doomed, true, __ATOMIC_RELAXED);
		copy(other, thread);
	}
	thread_unlock();
	return thread != NULL;
}

void ending_settle(void)
{
	await(&telling, 0);
}

bool ending_execs(const struct target_thread *self)
{
	const struct timespec moment = { 0, 1000000 };
	uint32_t nobody = 0;

	for (int i = 0; i < PATIENCE_MS; i++, nobody = 0) {
		if (__atomic_compare_exchange_n(&execer, &nobody, self->tid, false,
						__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return true;
		sys_call2(SYS_nanosleep, &moment, NULL);
	}
	return false;
}

bool ending_spare(const struct target_thread *self)
{
	if (__atomic_load_n(&execer, __ATOMIC_RELAXED) != self->tid)
		return false;
	for (struct target_thread *thread = thread_list; thread; thread = thread->next)
		__atomic_store_n(&thread->doomed, false, __ATOMIC_RELEASE);
	__atomic_store_n(&execer, 0, __ATOMIC_RELEASE);
	return true;
}

void ending_forked(struct target_thread *self)
{
	ender = execer = telling = 0;
	over = false;
	self->told = self->doomed = false;
}
