/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reach.c - see reach.h.
 *
 * The follower answers its targets' questions meanwhile, so an attempt is short: a thread that
 * does not stop is left, a target whose own threads change its code just now is tried again.
 */
#include "hook/reach.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "helper/vm.h"
#include "hook/hold.h"
#include "hook/inject.h"
#include "hook/settle.h"
#include "hook/trace.h"
#include "map/owner.h"

enum {
	STOP_NS = 10000000,
	FIRST_NS = 1000000,
	LAST_NS = 1000000000,
	THREADS_TRIED = 3,
	SETTLES_TRIED = 3,     /* then a trap is better than nothing, */
	SETTLES_OFTEN = 16,    /* and then it stays for some time */
};

/* All threads are stopped for some milliseconds, in vain so far. */
#define SELDOM_NS (UINT64_C(64) << 30)

static const struct board *board_of(const struct targets *targets)
{
	return __atomic_load_n(&targets->world->board, __ATOMIC_ACQUIRE);
}

static bool knows_files(const struct process *process, const struct board *board)
{
	return __atomic_load_n(&process->files_seen, __ATOMIC_ACQUIRE) >=
	       __atomic_load_n(&board->files_changed, __ATOMIC_ACQUIRE);
}

/* That there are no samples any more, each thread finds at its next. */
static bool knows_samples(const struct process *process, const struct board *board)
{
	uint64_t ns = __atomic_load_n(&board->sample_ns, __ATOMIC_ACQUIRE);

	return ns == 0 || __atomic_load_n(&process->sample_seen, __ATOMIC_ACQUIRE) == ns;
}

bool process_is_behind(const struct process *process, const struct targets *targets)
{
	const struct board *board = board_of(targets);

	return board && __atomic_load_n(&process->state, __ATOMIC_ACQUIRE) == PROCESS_FOLLOWED &&
	       !(knows_files(process, board) && knows_samples(process, board) &&
		 __atomic_load_n(&process->waiting, __ATOMIC_RELAXED) == 0);
}

/* Traps are jumps enough for a while. Not for a process in another's memory, whose agent keeps
 * only the other's record. */
static bool is_unsettled(const struct reach *reach, const struct process *process, uint32_t i)
{
	bool may = reach->process[i].settles < SETTLES_OFTEN ||
		   owner_clock() >= reach->process[i].next;

	return __atomic_load_n(&process->state, __ATOMIC_ACQUIRE) == PROCESS_FOLLOWED &&
	       !process->host &&
	       (__atomic_load_n(&process->waiting, __ATOMIC_RELAXED) ||
		(__atomic_load_n(&process->trapped, __ATOMIC_RELAXED) && may));
}

static bool is_due(const struct reach *reach, const struct targets *targets, uint32_t i)
{
	return process_is_behind(&targets->process[i], targets) ||
	       is_unsettled(reach, &targets->process[i], i);
}

bool reach_is_due(const struct reach *reach, const struct targets *targets)
{
	for TARGETS_LIVE(targets, i)
		if (is_due(reach, targets, i))
			return true;
	return false;
}

/* Where no signal wakes it, a thread would only be waited for in vain. */
static bool may_stop(pid_t pid, pid_t tid)
{
	char path[64], text[512], *after;
	bool may = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	after = fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;
	if (after)
		may = after[1] == ' ' && !strchr("DZXt", after[2]);
	fclose(file);
	return may;
}

static int try_thread(struct reach *reach, const struct injector *injector, pid_t tid,
		      const struct inject *what)
{
	int error = hold_one(tid, STOP_NS);
	pid_t *late;

	if (error == -ETIMEDOUT) {
		late = vec_push(&reach->late);
		if (late)
			*late = tid;
		return error;
	}
	if (error < 0)
		return error;
	error = inject_look(injector, tid, what);
	trace_detach(tid, 0);
	return error;
}

/* One thread does for the code; timers are each thread's own. */
static int try_process(struct reach *reach, const struct injector *injector, pid_t pid, bool every,
		       bool at_once)
{
	const struct inject what = { .pid = pid, .at_once = at_once };
	int tried = 0, result = -ESRCH;
	struct dirent *entry;
	char path[40];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return -ESRCH;
	while ((entry = readdir(dir)) && (every || (result < 0 && tried < THREADS_TRIED))) {
		pid_t tid = (pid_t)atoi(entry->d_name);
		int error;

		if (tid <= 0)
			continue;
		error = may_stop(pid, tid) ? try_thread(reach, injector, tid, &what) : -EBUSY;
		tried += error != -EBUSY;
		if (!every || tried == 1 || error < 0)
			result = error;
	}
	closedir(dir);
	return result;
}

static bool may_all_stop(pid_t pid)
{
	struct dirent *entry;
	char path[40];
	bool may = true;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && may && (entry = readdir(dir)))
		may = atoi(entry->d_name) <= 0 || may_stop(pid, (pid_t)atoi(entry->d_name));
	if (dir)
		closedir(dir);
	return dir && may;
}

static void settle_begin(struct reach *reach, const struct process *process, uint32_t i)
{
	if (reach->settle.pid || !may_all_stop((pid_t)process->pid))
		return;
	reach->settle.pid = (pid_t)process->pid;
	reach->settle.began = owner_clock();
	reach->settled = i;
}

/* It has ended; threads that were to stop for it, and have not, are late. */
static void settle_over(struct reach *reach)
{
	struct hold *hold = &reach->settle.hold;

	for (size_t i = 0; i < hold->asked.count; i++) {
		pid_t *late = vec_push(&reach->late);

		if (late)
			*late = hold->asked.items[i];
	}
	vec_done(&hold->asked);
}

/* What cannot be settled soon is done with traps, which become jumps when they can. */
static void settle(struct reach *reach, struct targets *targets, const struct injector *injector)
{
	struct process *process = &targets->process[reach->settled];
	pid_t pid = reach->settle.pid;
	int state = pid ? settle_step(&reach->settle, reach->memory, injector) : 1;
	uint32_t *settles = &reach->process[reach->settled].settles;

	if (state <= 0) {
		settle_over(reach);
		++*settles;
	}
	if (state < 0 && *settles >= SETTLES_TRIED && process->pid == (uint32_t)pid &&
	    __atomic_load_n(&process->waiting, __ATOMIC_RELAXED))
		try_process(reach, injector, pid, false, true);
}

static void reach_one(struct reach *reach, struct targets *targets, const struct injector *injector,
		      uint32_t i)
{
	struct process *process = &targets->process[i];
	const struct board *board = board_of(targets);
	uint64_t changed = __atomic_load_n(&board->files_changed, __ATOMIC_ACQUIRE);
	uint64_t ns = __atomic_load_n(&board->sample_ns, __ATOMIC_ACQUIRE), now = owner_clock(), last;
	bool every = !knows_samples(process, board);
	int error = 0;

	if (reach->process[i].changed != changed) {
		reach->process[i].changed = changed;
		reach->process[i].tries = reach->process[i].settles = 0;
		reach->process[i].next = 0;
	}
	if (reach->process[i].next > now)
		return;
	if (every || !knows_files(process, board))
		error = try_process(reach, injector, (pid_t)process->pid, every, false);
	if (error == 0) {
		/* Who lives in another's memory has no record that the agent there knows. */
		__atomic_store_n(&process->files_seen, changed, __ATOMIC_RELEASE);
		__atomic_store_n(&process->sample_seen, ns, __ATOMIC_RELEASE);
	}
	if (error == 0 && is_unsettled(reach, process, i))
		settle_begin(reach, process, i);
	process->unreached = error;
	last = reach->process[i].settles < SETTLES_OFTEN ? LAST_NS : SELDOM_NS;
	reach->process[i].next = now + MIN((uint64_t)FIRST_NS << MIN(reach->process[i].tries, 16u), last);
	reach->process[i].tries++;
}

void reach_round(struct reach *reach, struct targets *targets, const struct injector *injector,
		 bool (*busy)(void *arg, pid_t pid), void *arg)
{
	for (size_t i = 0; i < reach->late.count;) {
		if (hold_late(reach->late.items[i]))
			reach->late.items[i] = reach->late.items[--reach->late.count];
		else
			i++;
	}
	settle(reach, targets, injector);
	for TARGETS_LIVE(targets, i)
		if (!reach->settle.pid && is_due(reach, targets, i) &&
		    !busy(arg, (pid_t)targets->process[i].pid))
			reach_one(reach, targets, injector, i);
}

void reach_let_go(struct reach *reach, pid_t pid, pid_t tid)
{
	const struct timespec pause = { .tv_nsec = 50000 };

	if (reach->settle.pid == pid) {
		settle_end(&reach->settle);
		settle_over(reach);
	}
	for (size_t i = 0; i < reach->late.count;) {
		if (reach->late.items[i] != tid) {
			i++;
		} else if (hold_late(tid)) {
			reach->late.items[i] = reach->late.items[--reach->late.count];
		} else {
			nanosleep(&pause, NULL);
		}
	}
}

/* The thread that held any has ended, with which the kernel let go of them. */
void reach_done(struct reach *reach)
{
	vec_done(&reach->settle.hold.tids);
	vec_done(&reach->settle.hold.asked);
	vec_done(&reach->late);
}
