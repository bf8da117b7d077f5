/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * target.c - a machine's targets, as the library's users have them.
 *
 * The records are in the arena, where whoever joins the machine finds them; the
 * follower is this process's, made when it first starts or attaches something.
 */
#include <skep/target.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hook/attach.h"
#include "hook/files.h"
#include "hook/follow.h"
#include "hook/spaces.h"
#include "hook/targets.h"
#include "hook/trace.h"
#include "machine/machine.h"
#include "map/memory.h"
#include "map/owner.h"

static void targets_done(struct skep_machine *machine)
{
	follower_free(machine->follower);
	machine->follower = NULL;
}

/* Records are made once for a machine; another process may be making them too. */
static struct targets *machine_targets(struct skep_machine *machine)
{
	struct vm_world *world = machine->world;
	struct targets *none = NULL, *made = world->targets;

	if (made)
		return made;
	made = machine_board(machine) ? targets_new(machine->memory, world) : NULL;
	if (!made)
		return NULL;
	if (__atomic_compare_exchange_n(&world->targets, &none, made, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return made;
	memory_release(machine->memory, made, sizeof(*made));
	return none;
}

static int scan_files(void *arg, pid_t tid, int fd)
{
	struct skep_machine *machine = arg;
	int error = 0;

	pthread_mutex_lock(&machine->lock);
	if (fd < 0)
		files_scan_process(machine, tid);
	else
		error = files_scan_open(machine, tid, fd);
	pthread_mutex_unlock(&machine->lock);
	return error;
}

/* Targets are looked for by pid. */
static bool proc_is_ours(void)
{
	char link[16] = "";

	return readlink("/proc/self", link, sizeof(link) - 1) > 0 && atoi(link) == getpid();
}

static int machine_follow(struct skep_machine *machine, struct skep_diag *diag)
{
	struct targets *targets;
	int error = 0;

	if (machine->arena < 0)
		return skep_fail(diag, SKEP_TARGET_PRIVATE, NULL,
				 "this machine's memory is private to its process");
	if (!proc_is_ours())
		return skep_fail(diag, SKEP_TARGET_PROC, NULL,
				 "what is in /proc does not tell of process %d, which asks",
				 (int)getpid());
	pthread_mutex_lock(&machine->lock);
	targets = machine_targets(machine);
	if (!machine->follower && targets) {
		machine->targets_done = targets_done;
		machine->follower = follower_new(machine->memory, targets, machine->arena, &error);
		if (machine->follower)
			follower_scans(machine->follower, scan_files, machine);
	}
	pthread_mutex_unlock(&machine->lock);
	if (!targets)
		return skep_fail(diag, SKEP_OOM, NULL, "records of targets");
	if (error == -EBUSY)
		return skep_fail(diag, SKEP_TARGET_SERVED, NULL,
				 "process %u follows the targets of this machine",
				 targets->supervisor);
	if (error < 0)
		return skep_fail(diag, SKEP_OOM, NULL, "following targets: %s", strerror(-error));
	return 0;
}

int skep_target_spawn(struct skep_machine *machine, const char *const argv[], int32_t *pid,
		      struct skep_diag *diag)
{
	int error = machine_follow(machine, diag);

	if (error < 0)
		return error;
	error = follower_spawn(machine->follower, (char *const *)(uintptr_t)argv);
	if (error < 0) {
		skep_report(diag, SKEP_TARGET_COMMAND, NULL, "%s: %s", argv[0], strerror(-error));
		return error;
	}
	*pid = error;
	return 0;
}

/* What has this id and cannot have an agent, as programs of users that live can. */
static int check_process(int32_t pid, struct skep_diag *diag)
{
	enum { KERNEL_THREAD = 0x200000 }; /* Linux's PF_KTHREAD */
	uint32_t group = trace_status(pid, "Tgid:");
	struct trace_life life;

	if (group && group != (uint32_t)pid)
		return skep_fail(diag, SKEP_TARGET_NONE, NULL, "%d is a thread of process %u", pid,
				 group);
	if (trace_life(pid, &life) < 0)
		return 0;
	if (life.flags & KERNEL_THREAD)
		return skep_fail(diag, SKEP_TARGET_ATTACH, NULL,
				 "process %d (%s) is the kernel's own", pid, life.comm);
	if (life.state == 'Z' || life.state == 'X')
		return skep_fail(diag, SKEP_TARGET_NONE, NULL, "process %d (%s) has ended", pid,
				 life.comm);
	return 0;
}

int skep_target_attach(struct skep_machine *machine, int32_t pid, struct skep_diag *diag)
{
	struct process *process;
	int error = machine_follow(machine, diag);

	if (error == 0)
		error = check_process(pid, diag);
	if (error < 0)
		return error;
	error = pid > 0 ? follower_attach(machine->follower, pid) : -ESRCH;
	if (error == 0)
		return 0;
	if (error == -ESRCH)
		return skep_fail(diag, SKEP_TARGET_NONE, NULL, "there is no process %d", pid);
	process = process_find(follower_targets(machine->follower), (uint32_t)pid);
	if (error == -EALREADY || !process)
		skep_report(diag, SKEP_TARGET_ATTACH, NULL, "process %d %s", pid,
			    error == -EALREADY ? "is a target already"
					       : "has no room in the list of targets");
	else
		skep_report(diag, SKEP_TARGET_ATTACH, NULL, "process %d (%s): %s (%s)", pid,
			    process->comm, process_whynot_text(process->whynot), strerror(-error));
	return error;
}

int skep_target_detach(struct skep_machine *machine, int32_t pid, struct skep_diag *diag)
{
	int error = machine_follow(machine, diag);

	if (error < 0)
		return error;
	error = follower_detach(machine->follower, pid);
	if (error == -ESRCH)
		return skep_fail(diag, SKEP_TARGET_NONE, NULL, "process %d is no target", pid);
	if (error < 0)
		skep_report(diag, SKEP_TARGET_ATTACH, NULL, "process %d: the agent stays: %s", pid,
			    strerror(-error));
	return error;
}

/* How many there are still. */
static int detach_each(struct follower *follower)
{
	struct targets *targets = follower_targets(follower);
	int left = 0;

	targets_sweep(targets);
	for TARGETS_LIVE(targets, i) {
		struct process *process = &targets->process[i];

		if (__atomic_load_n(&process->state, __ATOMIC_ACQUIRE) != PROCESS_FOLLOWED)
			continue;
		left += follower_detach(follower, (pid_t)process->pid) < 0 &&
			__atomic_load_n(&process->state, __ATOMIC_ACQUIRE) == PROCESS_FOLLOWED &&
			kill((pid_t)process->pid, 0) == 0;
	}
	return left;
}

int skep_target_detach_all(struct skep_machine *machine, uint32_t timeout_ms,
			   struct skep_diag *diag)
{
	const uint64_t birth_ns = 100000000;
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint64_t end = owner_clock() + timeout_ms * UINT64_C(1000000);
	struct targets *targets = machine->world->targets;
	int error, left;
	uint32_t seen;

	if (!targets)
		return 0;
	error = machine_follow(machine, diag);
	if (error < 0)
		return error;
	for (;;) {
		seen = __atomic_load_n(&targets->serial, __ATOMIC_ACQUIRE);
		targets_births_wait(targets, birth_ns);
		left = detach_each(machine->follower);
		if (left == 0 && !targets_are_born(targets, seen))
			return 0;
		if (owner_clock() >= end)
			return left;
		nanosleep(&pause, NULL);
	}
}

static int count_behind(const struct targets *targets)
{
	int count = 0;

	for TARGETS_LIVE(targets, i)
		count += process_is_behind(&targets->process[i], targets);
	return count;
}

int skep_target_reach(struct skep_machine *machine, uint32_t timeout_ms, struct skep_diag *diag)
{
	const struct timespec pause = { .tv_nsec = 200000 };
	struct targets *targets = machine->world->targets;
	uint64_t end = owner_clock() + timeout_ms * UINT64_C(1000000);
	int error, behind;

	if (!targets)
		return 0;
	targets_sweep(targets);
	if (count_behind(targets) == 0)
		return 0;
	/* Whoever follows them does it; nobody: this process follows them now. */
	error = machine_follow(machine, diag);
	if (error == -EBUSY)
		skep_diag_clear(diag);
	else if (error < 0)
		return error;
	mail_ring(&targets->mail);
	while ((behind = count_behind(targets)) > 0 && owner_clock() < end) {
		nanosleep(&pause, NULL);
		targets_sweep(targets);
	}
	return behind;
}

int skep_target_stacks(struct skep_machine *machine, struct skep_stacks *stacks)
{
	return machine->follower ? spaces_tell(follower_spaces(machine->follower), stacks) : 0;
}

/* --- the list --- */

/* That it was not followed counts for more than that it has ended since. */
static enum skep_target_state state_of(const struct process *process, uint32_t state)
{
	if (state == PROCESS_LEFT && process->whynot != WHYNOT_NONE)
		return SKEP_TARGET_NOT_FOLLOWED;
	switch ((enum process_state)state) {
	case PROCESS_FREE:
	case PROCESS_CLAIMED:
	case PROCESS_FOLLOWED:
		break;
	case PROCESS_NOT_FOLLOWED:
		return SKEP_TARGET_NOT_FOLLOWED;
	case PROCESS_DETACHED:
		return SKEP_TARGET_DETACHED;
	case PROCESS_LEFT:
		return SKEP_TARGET_ENDED;
	}
	return SKEP_TARGET_FOLLOWED;
}

/* Nobody has tried, or not found the time. */
static int32_t unreached_of(const struct process *process)
{
	return process->unreached ? -process->unreached : EAGAIN;
}

static struct skep_target_info info_of(const struct targets *targets, const struct process *process,
				       uint32_t state)
{
	struct skep_target_info info = {
		.pid = (int32_t)process->pid, .parent = (int32_t)process->ppid,
		.state = state_of(process, state), .reason = process_whynot_text(process->whynot),
		.error = -process->error, .tracer = (int32_t)process->tracer,
		.execs = process->execs, .start_ns = process->start_ns, .end_ns = process->end_ns,
		.missed = process->missed, .unsampled = process->unsampled,
		.unlike = process->unlike,
		.unreached = process_is_behind(process, targets) ? unreached_of(process) : 0,
	};

	_Static_assert(sizeof(info.exe) == sizeof(process->exe), "copied whole");
	memcpy(info.comm, process->comm, sizeof(info.comm) - 1);
	memcpy(info.exe, process->exe, sizeof(info.exe) - 1);
	return info;
}

struct place_in_list {
	uint32_t serial, index;
};

static int by_serial(const void *a, const void *b)
{
	const struct place_in_list *x = a, *y = b;

	return x->serial < y->serial ? -1 : x->serial > y->serial;
}

/* The records there are, in the order of claiming: they are used again in another. */
static size_t list_in_order(const struct targets *targets, struct place_in_list *list)
{
	size_t count = 0;

	for (uint32_t i = 0; i < MIN(targets->used, PROCESSES); i++) {
		const struct process *process = &targets->process[i];
		uint32_t state = __atomic_load_n(&process->state, __ATOMIC_ACQUIRE);

		if (state != PROCESS_FREE && state != PROCESS_CLAIMED)
			list[count++] = (struct place_in_list){ process->serial, i };
	}
	qsort(list, count, sizeof(*list), by_serial);
	return count;
}

size_t skep_target_list(struct skep_machine *machine, struct skep_target_info *out,
			size_t count)
{
	struct targets *targets = machine->world->targets;
	struct place_in_list *list;
	size_t found;

	if (!targets)
		return 0;
	list = malloc(PROCESSES * sizeof(*list));
	if (!list)
		return 0;
	targets_sweep(targets);
	found = list_in_order(targets, list);
	for (size_t i = 0; i < found && i < count; i++) {
		const struct process *process = &targets->process[list[i].index];

		out[i] = info_of(targets, process, __atomic_load_n(&process->state, __ATOMIC_ACQUIRE));
	}
	free(list);
	return found;
}

void skep_target_lost(struct skep_machine *machine, struct skep_target_lost *lost)
{
	const struct targets *targets = machine->world->targets;

	*lost = (struct skep_target_lost){ 0 };
	if (!targets)
		return;
	lost->ended = __atomic_load_n(&targets->reused, __ATOMIC_RELAXED);
	lost->alive = __atomic_load_n(&targets->unrecorded, __ATOMIC_RELAXED);
}
