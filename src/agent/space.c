/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * space.c - see space.h.
 *
 * Two lists take turns: walks read the one while the supervisor writes the other, which
 * nobody has read since the last walk that was under way at the last turn ended. Who finds
 * another thread asking walks with what is known; where nothing is, the answer is waited for.
 */
#include "agent/space.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <time.h>

#include "agent/agent.h"
#include "agent/hooks.h"
#include "helper/task.h"
#include "helper/unwind.h"
#include "hook/targets.h"
#include "map/memory.h"
#include "map/sys.h"

enum { ROOM = 120, PATIENCE = 1000, WAIT_NS = 100000 };

static struct space_list {
	struct unwind_modules *modules;
	uint32_t room;
} lists[2];

static uint32_t current;     /* of the lists: the one that is read */
static uint32_t stale = 1, asking;
static bool fresh = true;    /* no answer yet in this program, or process */

static size_t list_size(uint32_t room)
{
	return sizeof(struct unwind_modules) + room * sizeof(struct unwind_module);
}

static bool list_grow(struct space_list *list, uint32_t room)
{
	void *memory;

	if (list->room >= room)
		return true;
	if (list->modules)
		munmap(list->modules, list_size(list->room));
	list->modules = NULL;
	list->room = 0;
	memory = mmap(NULL, list_size(room), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (memory == MAP_FAILED)
		return false;
	list->modules = memory;
	list->room = room;
	return true;
}

static int64_t ask(const struct space_list *list)
{
	struct task_facts facts;

	hooks_ids(&facts);
	return agent_ask(MAIL_SPACE, &facts, (uintptr_t)list->modules->at, list->room, fresh);
}

/* Walks that began before the last turn have ended. */
static bool nobody_reads(void)
{
	for (int i = 0; i < PATIENCE; i++) {
		if (__atomic_load_n(&unwind_walkers, __ATOMIC_SEQ_CST) == 0)
			return true;
		sys_yield();
	}
	return false;
}

static void update(void)
{
	struct space_list *list = &lists[1 - current];
	int64_t count = ROOM;

	do
		count = list_grow(list, (uint32_t)count + ROOM / 2) ? ask(list) : -ENOMEM;
	while (count > (int64_t)list->room);
	if (count < 0)
		return;
	list->modules->count = (uint32_t)count;
	__atomic_store_n(&unwind_modules, list->modules, __ATOMIC_SEQ_CST);
	current = 1 - current;
	fresh = false;
}

static void wait_for_answer(void)
{
	const struct timespec pause = { 0, WAIT_NS };

	for (int i = 0; i < PATIENCE && !__atomic_load_n(&unwind_modules, __ATOMIC_ACQUIRE) &&
			__atomic_load_n(&asking, __ATOMIC_ACQUIRE); i++)
		sys_call2(SYS_nanosleep, &pause, NULL);
}

/* A vfork child has this memory, and nothing of its own to show. */
static void space_look(void)
{
	if (!__atomic_load_n(&stale, __ATOMIC_ACQUIRE)) {
		wait_for_answer();
		return;
	}
	if ((uint32_t)sys_call0(SYS_getpid) != agent_self.pid)
		return;
	if (__atomic_exchange_n(&asking, 1, __ATOMIC_ACQUIRE)) {
		wait_for_answer();
		return;
	}
	if (nobody_reads()) {
		__atomic_store_n(&stale, 0, __ATOMIC_RELEASE);
		update();
	}
	__atomic_store_n(&asking, 0, __ATOMIC_RELEASE);
}

void space_start(void)
{
	unwind_look = space_look;
}

void space_stop(void)
{
	unwind_look = NULL;
	unwind_modules = NULL;
	for (int i = 0; i < 2; i++) {
		if (lists[i].modules)
			munmap(lists[i].modules, list_size(lists[i].room));
		lists[i] = (struct space_list){ 0 };
	}
}

void space_changed(void)
{
	__atomic_store_n(&stale, 1, __ATOMIC_RELEASE);
}

void space_forked(void)
{
	unwind_walkers = asking = 0;
	unwind_modules = NULL; /* those are its parent's, who alone is known to have them */
	stale = 1;
	fresh = true;
}
