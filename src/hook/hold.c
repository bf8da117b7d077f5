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

enum { LOOK_NS = 50000 };

/* The next look at a thread that is being stopped. 0: it is; 1: not yet. */
static int hold_look(pid_t tid, bool wait)
{
	struct trace_event event;
	int error = trace_wait(tid, wait, &event);

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

	if (state < 0)
		return state;
	state = trace_interrupt(tid);
	if (state < 0)
		return state;
	while ((state = hold_look(tid, false)) > 0) {
		if (owner_clock() - began > ns)
			return -ETIMEDOUT;
		nanosleep(&pause, NULL);
	}
	return state;
}

bool hold_late(pid_t tid)
{
	int state = hold_look(tid, false);

	if (state == 0)
		trace_detach(tid, 0);
	return state <= 0;
}

static bool hold_has(const struct hold *hold, pid_t tid)
{
	for (size_t i = 0; i < hold->tids.count; i++)
		if (hold->tids.items[i] == tid)
			return true;
	return false;
}

static int hold_thread(struct hold *hold, pid_t tid)
{
	pid_t *place = vec_push(&hold->tids);
	int state = place ? trace_seize(tid) : -ENOMEM;

	if (state < 0) {
		hold->tids.count -= place != NULL;
		return state;
	}
	*place = tid;
	state = trace_interrupt(tid);
	if (state == 0)
		while ((state = hold_look(tid, true)) > 0)
			continue;
	if (state == -ESRCH)
		hold->tids.count--;
	return state;
}

void hold_release(struct hold *hold)
{
	for (size_t i = 0; i < hold->tids.count; i++)
		trace_detach(hold->tids.items[i], 0);
	vec_done(&hold->tids);
}

/* Until a look finds no thread that is not held: new ones come from running ones. */
int hold_all(struct hold *hold, pid_t pid)
{
	char path[40];
	bool again = true;
	int error = hold_thread(hold, pid);

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	while (error == 0 && again) {
		DIR *dir = opendir(path);
		struct dirent *entry;

		again = false;
		if (!dir)
			return -errno;
		while (error == 0 && (entry = readdir(dir))) {
			pid_t tid = (pid_t)atoi(entry->d_name);

			if (tid <= 0 || hold_has(hold, tid))
				continue;
			again = true;
			error = hold_thread(hold, tid);
			if (error == -ESRCH)
				error = 0; /* it ended meanwhile */
		}
		closedir(dir);
	}
	return error;
}

/* The kernel answers for processes of this user; those of others share no memory with ours. */
bool hold_is_shared(pid_t pid)
{
	DIR *dir = opendir("/proc");
	bool shared = !dir;
	struct dirent *entry;

	while (dir && !shared && (entry = readdir(dir))) {
		pid_t other = (pid_t)atoi(entry->d_name);

		if (other <= 0 || other == pid)
			continue;
		errno = 0;
		shared = syscall(SYS_kcmp, pid, other, KCMP_VM, 0, 0) == 0 ||
			 (errno != 0 && errno != ESRCH && errno != EPERM && errno != EACCES);
	}
	if (dir)
		closedir(dir);
	return shared;
}
