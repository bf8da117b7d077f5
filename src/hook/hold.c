/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold.c - see hold.h.
 *
 * A thread that sleeps in the kernel where no signal wakes it (a disk, a frozen control
 * group, a parent of vfork) stops only when that is over, so that whoever cannot wait so long
 * must be able to go away and come back.
 *
 * A thread is held only when no fault of its own is about to come (a dispatched call is one): the
 * agent is what answers it, and may be gone, or in another state, by then.
 */
#include "hook/hold.h"

#include <dirent.h>
#include <errno.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "hook/interrupted.h"
#include "hook/trace.h"
#include "map/owner.h"

enum { LOOK_NS = 50000, SETTLE_MS = 100 };

/* The next look at a thread that is being stopped. 0: it is; 1: not yet. */
static int hold_look(pid_t tid)
{
	struct trace_event event;
	int error = trace_wait(tid, false, &event);

	if (error < 0)
		return error;
	if (event.stop == TRACE_NONE)
		return 1;
	if (event.stop == TRACE_GONE)
		return -ESRCH;
	if (event.stop != TRACE_SIGNAL && !trace_has_fault(tid))
		return interrupted_repair(tid);
	/* A stop takes back what was asked for so far. */
	error = event.stop == TRACE_SIGNAL ? trace_interrupt(tid) : 0;
	if (error == 0) /* it has its handler's frame then */
		error = trace_continue(tid, event.stop == TRACE_SIGNAL ? event.signal : 0);
	return error < 0 ? error : 1;
}

int hold_one(pid_t tid, uint64_t ns)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	uint64_t began = owner_clock();
	int state = trace_seize(tid);

	if (state == 0)
		state = trace_interrupt(tid);
	if (state < 0)
		return state;
	while ((state = hold_look(tid)) > 0) {
		if (owner_clock() - began > ns)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	if (state < 0)
		trace_detach(tid, 0);
	return state;
}

bool hold_late(pid_t tid)
{
	int state = hold_look(tid);

	if (state == 0)
		trace_detach(tid, 0);
	return state <= 0;
}

static bool hold_has(const struct hold *hold, pid_t tid)
{
	for (size_t i = 0; i < hold->tids.count; i++)
		if (hold->tids.items[i] == tid)
			return true;
	for (size_t i = 0; i < hold->asked.count; i++)
		if (hold->asked.items[i] == tid)
			return true;
	return false;
}

/* Seizes a thread and asks it to stop. */
static int hold_ask(struct hold *hold, pid_t tid)
{
	pid_t *place = vec_push(&hold->asked);
	int error = place ? trace_seize(tid) : -ENOMEM;

	if (error < 0) {
		hold->asked.count -= place != NULL;
		return error;
	}
	*place = tid;
	return trace_interrupt(tid);
}

/* Those of the process that were not asked yet. 1: there were some. */
static int hold_ask_others(struct hold *hold, pid_t pid)
{
	char path[40];
	struct dirent *entry;
	int error = 0, found = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (error == 0 && (entry = readdir(dir))) {
		pid_t tid = (pid_t)atoi(entry->d_name);

		if (tid <= 0 || hold_has(hold, tid))
			continue;
		found = 1;
		error = hold_ask(hold, tid);
		if (error == -ESRCH && tid != pid)
			error = 0; /* it ended meanwhile */
	}
	closedir(dir);
	return error < 0 ? error : found;
}

/* Who has stopped since, or ended. */
static int hold_collect(struct hold *hold)
{
	size_t kept = 0;
	int error = 0;

	for (size_t i = 0; i < hold->asked.count; i++) {
		pid_t tid = hold->asked.items[i], *place;
		int state = error == 0 ? hold_look(tid) : 1;

		if (state == -ESRCH)
			continue;
		place = state == 0 ? vec_push(&hold->tids) : NULL;
		if (place)
			*place = tid;
		else
			hold->asked.items[kept++] = tid;
		if (state <= 0 && !place)
			error = state < 0 ? state : -ENOMEM;
	}
	hold->asked.count = kept;
	return error;
}

/* A look that finds no thread that is not held ends it: new ones come from running ones. */
int hold_step(struct hold *hold, pid_t pid)
{
	int found = hold_ask_others(hold, pid);
	int error = hold_collect(hold);

	if (found < 0 || error < 0)
		return found < 0 ? found : error;
	if (hold->tids.count + hold->asked.count == 0)
		return -ESRCH;
	return found || hold->asked.count;
}

int hold_all(struct hold *hold, pid_t pid)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };
	int state;

	while ((state = hold_step(hold, pid)) > 0)
		if (hold->asked.count)
			nanosleep(&pause, NULL);
	return state;
}

/*
 * A thread that was killed while it was held is to be collected by us, or its process would never
 * be gone. The first of a process ends last: that is its parent's business.
 */
void hold_let_go(struct hold *hold)
{
	struct trace_event event;
	size_t dying = 0;

	for (size_t i = 0; i < hold->tids.count; i++)
		if (trace_detach(hold->tids.items[i], 0) == -ESRCH)
			hold->tids.items[dying++] = hold->tids.items[i];
	for (size_t i = 0; i < dying; i++)
		if (trace_wait(hold->tids.items[i], !trace_is_first(hold->tids.items[i]), &event) == 0 &&
		    event.stop == TRACE_SIGNAL)
			trace_detach(hold->tids.items[i], event.signal);
	trace_settle_for(SETTLE_MS);
	vec_done(&hold->tids);
}

/* Who was asked to stop, and has not, has to do so before it can be let go of. */
static void hold_give_up(struct hold *hold)
{
	const struct timespec pause = { .tv_nsec = LOOK_NS };

	while (hold->asked.count) {
		size_t last = hold->asked.count - 1;

		if (hold_late(hold->asked.items[last]))
			hold->asked.count = last;
		else
			nanosleep(&pause, NULL);
	}
}

void hold_release(struct hold *hold)
{
	hold_let_go(hold);
	hold_give_up(hold);
	trace_settle_for(SETTLE_MS);
	vec_done(&hold->asked);
}

/* The kernel answers for processes of this user; those of others share no memory with ours. */
int hold_shares(pid_t pid)
{
	DIR *dir = opendir("/proc");
	int shares = dir ? 0 : -errno;
	struct dirent *entry;

	while (dir && shares == 0 && (entry = readdir(dir))) {
		pid_t other = (pid_t)atoi(entry->d_name);

		if (other <= 0 || other == pid)
			continue;
		errno = 0;
		if (syscall(SYS_kcmp, pid, other, KCMP_VM, 0, 0) == 0)
			shares = 1;
		else if (errno != 0 && errno != ESRCH && errno != EPERM && errno != EACCES)
			shares = -errno;
	}
	if (dir)
		closedir(dir);
	return shares;
}
