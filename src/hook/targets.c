/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * targets.c - records of processes. [runtime]
 */
#include "hook/targets.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "helper/task_proc.h"
#include "helper/vm.h"
#include "map/memory.h"
#include "map/owner.h"
#include "map/sys.h"

static const char *const whynot_text[WHYNOT_COUNT] = {
	[WHYNOT_NONE] = "it is followed",
	[WHYNOT_PRIVILEGE] = "its program gains privilege",
	[WHYNOT_TRACED] = "another process traces it",
	[WHYNOT_32BIT] = "it is a 32-bit program",
	[WHYNOT_DENIED] = "the kernel does not permit it",
	[WHYNOT_ARENA] = "it cannot open the machine's memory",
	[WHYNOT_PLACE] = "the agent's addresses are in use there",
	[WHYNOT_CPU] = "its processor does not tell threads apart",
	[WHYNOT_FILTER] = "its filter of system calls refuses what the agent needs",
	[WHYNOT_UNSERVED] = "nobody was there to follow it",
	[WHYNOT_OTHER] = "another machine follows it",
	[WHYNOT_SHARED] = "it shares its memory with another process",
	[WHYNOT_ROOM] = "there is no room for the agent within its limits (ulimit -v)",
	[WHYNOT_FILES] = "it has as many files open as it may (ulimit -n)",
	[WHYNOT_ERROR] = "the agent could not start",
};

const char *process_whynot_text(enum process_whynot whynot)
{
	return whynot_text[whynot < WHYNOT_COUNT ? whynot : WHYNOT_ERROR];
}

struct targets *targets_new(struct memory *memory, struct vm_world *world)
{
	struct targets *targets = memory_alloc(memory, sizeof(*targets), 64);

	if (targets)
		targets->world = world;
	return targets;
}

static bool process_take(struct process *process, uint32_t state)
{
	return __atomic_load_n(&process->state, __ATOMIC_RELAXED) == state &&
	       __atomic_compare_exchange_n(&process->state, &state, PROCESS_CLAIMED, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static uint32_t targets_used(const struct targets *targets)
{
	uint32_t used = __atomic_load_n(&targets->used, __ATOMIC_ACQUIRE);

	return used < PROCESSES ? used : PROCESSES;
}

uint32_t targets_live(const struct targets *targets, uint32_t from)
{
	uint32_t used = targets_used(targets);

	for (uint32_t i = from; i < used; i++) {
		uint32_t key = __atomic_load_n(&targets->key[i], __ATOMIC_ACQUIRE);

		if (key != 0 && !(key & PROCESS_KEY_LEFT))
			return i;
	}
	return PROCESSES;
}

/* That of a process that left, about the longest ago: records are gone through in turn. */
static struct process *process_again(struct targets *targets)
{
	for (uint32_t i = 0; i < PROCESSES; i++) {
		uint32_t at = __atomic_fetch_add(&targets->hand, 1, __ATOMIC_RELAXED) % PROCESSES;
		uint32_t key = __atomic_load_n(&targets->key[at], __ATOMIC_ACQUIRE);

		if ((key & PROCESS_KEY_LEFT) && process_take(&targets->process[at], PROCESS_LEFT)) {
			__atomic_fetch_add(&targets->reused, 1, __ATOMIC_RELAXED);
			return &targets->process[at];
		}
	}
	return NULL;
}

/* A record never used; or one to use again. */
static struct process *process_any(struct targets *targets)
{
	uint32_t used = __atomic_load_n(&targets->used, __ATOMIC_RELAXED);

	while (used < PROCESSES)
		if (__atomic_compare_exchange_n(&targets->used, &used, used + 1, false,
						__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			return &targets->process[used];
	return process_again(targets);
}

void process_spare(struct targets *targets, struct process *process)
{
	struct doomed *doomed = process->doomed;
	struct memory *memory;

	if (!doomed)
		return;
	process->doomed = NULL;
	memory = targets->world->memory;
	if (!memory_contains(memory, doomed, sizeof(*doomed), 8) || doomed->count > DOOMED)
		return;
	memory_release(memory, doomed, sizeof(*doomed) + doomed->count * sizeof(doomed->thread[0]));
}

struct process *process_claim(struct targets *targets, uint32_t pid, uint32_t ppid)
{
	struct process *process = process_any(targets);

	if (!process) {
		__atomic_fetch_add(&targets->unrecorded, 1, __ATOMIC_RELAXED);
		return NULL;
	}
	process_spare(targets, process);
	*process = (struct process){
		.state = PROCESS_CLAIMED, .index = process_index(targets, process), .pid = pid,
		.ppid = ppid, .start_ns = owner_clock(),
		.serial = __atomic_fetch_add(&targets->serial, 1, __ATOMIC_RELAXED),
	};
	__atomic_store_n(&targets->key[process->index], pid, __ATOMIC_RELEASE);
	return process;
}

struct process *process_find(struct targets *targets, uint32_t pid)
{
	uint32_t used = targets_used(targets);

	for (uint32_t i = 0; i < used; i++) {
		struct process *process = &targets->process[i];
		uint32_t state;

		if (__atomic_load_n(&targets->key[i], __ATOMIC_ACQUIRE) != pid)
			continue;
		state = __atomic_load_n(&process->state, __ATOMIC_ACQUIRE);
		if (process->pid == pid && state != PROCESS_FREE && state != PROCESS_LEFT)
			return process;
	}
	return NULL;
}

bool process_was(const struct targets *targets, uint32_t pid)
{
	uint32_t used = targets_used(targets);

	for (uint32_t i = 0; i < used; i++)
		if (pid && (__atomic_load_n(&targets->key[i], __ATOMIC_ACQUIRE) & ~PROCESS_KEY_LEFT) == pid)
			return true;
	return false;
}

void process_set_state(struct process *process, enum process_state state)
{
	__atomic_store_n(&process->state, state, __ATOMIC_RELEASE);
}

/* The key last: it leads to records that may be used again. */
void process_leave(struct process *process)
{
	struct process *first = process - process->index;
	struct targets *targets = (struct targets *)(void *)((char *)first -
							     offsetof(struct targets, process));

	process->end_ns = owner_clock();
	process_set_state(process, PROCESS_LEFT);
	__atomic_fetch_or(&targets->key[process->index], PROCESS_KEY_LEFT,
			  __ATOMIC_RELEASE);
}

void targets_birth_begins(struct targets *targets)
{
	__atomic_fetch_add(&targets->births, 1, __ATOMIC_ACQ_REL);
}

/* Not below zero: somebody may have stopped to wait for it. */
void targets_birth_ends(struct targets *targets)
{
	uint32_t births = __atomic_load_n(&targets->births, __ATOMIC_ACQUIRE);

	while (births > 0 &&
	       !__atomic_compare_exchange_n(&targets->births, &births, births - 1, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		continue;
}

void targets_births_wait(struct targets *targets, uint64_t ns)
{
	const struct timespec pause = { .tv_nsec = 100000 };
	uint64_t begin = owner_clock();

	while (__atomic_load_n(&targets->births, __ATOMIC_ACQUIRE) > 0) {
		if (owner_clock() - begin > ns) {
			__atomic_store_n(&targets->births, 0, __ATOMIC_RELEASE);
			return;
		}
		sys_call2(SYS_nanosleep, &pause, NULL);
	}
}

bool targets_are_born(const struct targets *targets, uint32_t serial)
{
	return __atomic_load_n(&targets->births, __ATOMIC_ACQUIRE) > 0 ||
	       __atomic_load_n(&targets->serial, __ATOMIC_ACQUIRE) != serial;
}

void targets_sweep(struct targets *targets)
{
	for TARGETS_LIVE(targets, i) {
		struct process *process = &targets->process[i];
		uint32_t state = __atomic_load_n(&process->state, __ATOMIC_ACQUIRE);

		if (state >= PROCESS_FOLLOWED && state < PROCESS_LEFT &&
		    sys_call2(SYS_kill, process->pid, 0) == -ESRCH)
			process_leave(process);
	}
}

void process_refuse(struct process *process, enum process_whynot whynot, int error)
{
	process->whynot = whynot;
	process->error = error;
	process_set_state(process, PROCESS_NOT_FOLLOWED);
}

/* --- what the kernel says --- */

/* "/proc/PID/NAME"; pid 0: "/proc/self/NAME" */
static void proc_path(char *path, uint32_t pid, const char *name)
{
	static const char own[] = "/proc/self";
	size_t at = sizeof(own) - 1;

	memcpy(path, own, sizeof(own));
	if (pid)
		at = 6 + task_decimal(path + 6, pid);
	path[at++] = '/';
	memcpy(path + at, name, strlen(name) + 1);
}

void process_describe(struct process *process, bool self)
{
	uint32_t pid = self ? 0 : process->pid;
	char path[64], link[1024];
	int64_t fd, size;

	proc_path(path, pid, "comm");
	process->exe[0] = '\0';
	memset(process->comm, 0, sizeof(process->comm));
	fd = sys_call4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd >= 0) {
		size = sys_call3(SYS_read, fd, process->comm, sizeof(process->comm));
		sys_call1(SYS_close, fd);
		if (size > 0)
			process->comm[size - 1] = '\0'; /* where the newline was */
	}
	proc_path(path, pid, "exe");
	size = sys_call4(SYS_readlinkat, AT_FDCWD, path, link, sizeof(link) - 1);
	if (size <= 0)
		return;
	link[size] = '\0';
	if ((size_t)size < sizeof(process->exe))
		memcpy(process->exe, link, (size_t)size + 1);
	else
		memcpy(process->exe, link + size + 1 - sizeof(process->exe), sizeof(process->exe));
}
