/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * follow_running.c - attaching to processes that run already, and letting go of any.
 *
 * All threads of the process are held meanwhile: one that ran on could make others, or be in the
 * middle of code that changes.
 */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "hook/follow_impl.h"
#include "hook/hold.h"
#include "hook/interrupted.h"
#include "hook/sandbox.h"
#include "map/owner.h"

#define DETACH_NS UINT64_C(15000000000) /* a busy machine may keep a thread from its end for long */

/* All threads are held, told to leave, and let go, until none is in the agent. */
static int take_out(struct follower *follower, const struct agent_at *at,
		    const struct inject *what)
{
	const struct timespec pause = { .tv_nsec = 500000 };
	uint64_t begin = owner_clock();
	int error;

	do {
		struct hold hold = { 0 };

		error = hold_all(&hold, what->pid);
		if (error == 0)
			error = inject_stop(&follower->injector, at, hold.tids.items,
					    hold.tids.count, what);
		for (size_t i = 0; i < hold.tids.count; i++)
			interrupted_let_go(hold.tids.items[i]);
		hold_release(&hold);
		if (error == -EAGAIN)
			nanosleep(&pause, NULL);
	} while (error == -EAGAIN && owner_clock() - begin < DETACH_NS);
	return error == -EAGAIN ? -ETIMEDOUT : error;
}

/*
 * Over an exec the agent is not there either, but our other thread holds the process, to bring
 * it in again, and lets go only then: so a second look decides.
 */
static bool is_without_agent(pid_t pid)
{
	struct agent_at at;

	return inject_find(pid, &at) <= 0 && !follow_holds(pid) && inject_find(pid, &at) <= 0;
}

/* -EAGAIN: it replaces its program; -ESRCH: it ended, or runs without the agent. */
static int back_out(struct follower *follower, const struct inject *what)
{
	struct agent_at at;
	int error = -EAGAIN;

	if (inject_find(what->pid, &at) > 0)
		error = take_out(follower, &at, what);
	/* One that was told to leave may have gone by an exec. */
	if (error < 0 && is_without_agent(what->pid))
		return -ESRCH;
	return error == -EPERM && follow_holds(what->pid) ? -EAGAIN : error;
}

/*
 * What is there of a supervisor before us. 0: nothing any more, the way is free; 1: an agent
 * of this machine, which asks us from now on; -EALREADY: one that asked us all the time.
 */
static int take_over(struct follower *follower, pid_t pid)
{
	struct process *process = process_find(follower->targets, (uint32_t)pid);
	struct inject what = { .pid = pid, .orphan = true };
	struct agent_at at;
	bool ours;
	int error;

	if (inject_find(pid, &at) <= 0) {
		if (process && process->state == PROCESS_FOLLOWED)
			process_leave(process); /* its number is another's by now */
		return 0;
	}
	ours = at.device == follower->device && at.inode == follower->inode;
	if (ours && process && process->state == PROCESS_FOLLOWED)
		return process->start_ns < follower->began ? 1 : -EALREADY;
	what.orphan = !ours;
	error = take_out(follower, &at, &what);
	if (error < 0 && error != -ESRCH)
		follow_refuse(follow_record(follower, pid), error == -EBUSY ? WHYNOT_OTHER : WHYNOT_ERROR,
		       error);
	return error;
}

/*
 * Whether what would be done to the process is done to it alone, all of it being held. What else runs
 * in its memory would run code that changes, and the agent's without a thread's record. That is
 * no vfork: who waits for one is not held before it is over.
 */
static int check(struct process *process, const struct hold *hold, int shares)
{
	if (shares > 0) {
		follow_refuse(process, WHYNOT_SHARED, -EBUSY);
		return -EBUSY;
	}
	for (size_t i = 0; i < hold->tids.count; i++)
		if (!sandbox_allows(hold->tids.items[i])) {
			follow_refuse(process, WHYNOT_FILTER, -EACCES);
			return -EACCES;
		}
	return 0;
}

static int attach(struct follower *follower, pid_t pid)
{
	struct inject what = { .why = AGENT_ATTACHED, .pid = pid };
	struct hold hold = { 0 };
	struct process *process;
	int error, shares = 0;

	if (kill(pid, 0) < 0 && errno == ESRCH)
		return -ESRCH;
	error = take_over(follower, pid);
	if (error != 0)
		return error < 0 ? error : 0;
	process = follow_record(follower, pid);
	error = hold_all(&hold, pid);
	if (error < 0 && error != -ESRCH)
		follow_refuse_seize(process, pid, error);
	if (error == 0) {
		shares = hold_shares(pid);
		error = check(process, &hold, shares);
	}
	if (error == 0)
		error = follow_bring_in(follower, process, what);
	if (error == 0) {
		what.process = process_index(follower->targets, process);
		for (size_t i = 0; i < hold.tids.count && error == 0; i++)
			if (hold.tids.items[i] != pid)
				error = inject_thread(&follower->injector, hold.tids.items[i], &what);
		if (error == 0)
			error = inject_patch(&follower->injector, pid, &what, shares != 0);
		if (error < 0) {
			hold_release(&hold);
			back_out(follower, &what);
			follow_refuse(process, WHYNOT_ERROR, error);
		}
	}
	hold_release(&hold);
	return error;
}

int follower_attach(struct follower *follower, pid_t pid)
{
	int error;

	pthread_mutex_lock(&follower->holding);
	error = attach(follower, pid);
	pthread_mutex_unlock(&follower->holding);
	return error;
}

int follower_detach(struct follower *follower, pid_t pid)
{
	struct process *process = process_find(follower->targets, (uint32_t)pid);
	const struct timespec pause = { .tv_nsec = 500000 };
	struct inject what = { .pid = pid };
	uint64_t begin = owner_clock();
	int error;

	if (!process || process->state != PROCESS_FOLLOWED)
		return -ESRCH;
	what.process = process_index(follower->targets, process);
	pthread_mutex_lock(&follower->holding);
	while ((error = back_out(follower, &what)) == -EAGAIN && owner_clock() - begin < DETACH_NS)
		nanosleep(&pause, NULL);
	pthread_mutex_unlock(&follower->holding);
	if (error != -ESRCH || kill(pid, 0) < 0)
		return error;
	process_set_state(process, PROCESS_DETACHED);
	return 0;
}
