/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread.c - the records of threads, and how they are found. [runtime]
 *
 * Records stay mapped until the agent leaves: a list of all that there ever were,
 * of which the free ones are claimed by one compare-and-swap of their state. The table has
 * linear probing; a slot whose thread has gone holds THREAD_GONE, so that who
 * probes past it goes on.
 */
#include "agent/thread.h"

#include <sys/mman.h>

#include "map/sys.h"

enum { THREAD_GONE = 1, THREAD_GUARD = 4096 };

/* Linux's, of all 64-bit programs. */
enum { SELECTOR_CODE = 0x33, SELECTOR_DATA = 0x2b };

#define AT(field, offset) \
	_Static_assert(offsetof(struct target_thread, field) == (offset), "gate.S: " #field)
AT(regs.r15, THREAD_R15);
AT(regs.r14, THREAD_R14);
AT(regs.r13, THREAD_R13);
AT(regs.r12, THREAD_R12);
AT(regs.bp, THREAD_BP);
AT(regs.bx, THREAD_BX);
AT(regs.r10, THREAD_R10);
AT(regs.r9, THREAD_R9);
AT(regs.r8, THREAD_R8);
AT(regs.ax, THREAD_AX);
AT(regs.dx, THREAD_DX);
AT(regs.si, THREAD_SI);
AT(regs.di, THREAD_DI);
AT(regs.orig_ax, THREAD_NR);
AT(regs.ip, THREAD_IP);
AT(regs.flags, THREAD_FLAGS);
AT(regs.sp, THREAD_SP);
AT(status, THREAD_STATUS);
AT(pending, THREAD_PENDING);
AT(quick, THREAD_QUICK);
AT(settled, THREAD_SETTLED);
AT(heeds, THREAD_HEEDS);
_Static_assert(sizeof(struct target_regs) <= PROBE_REGS_SIZE && PROBE_REGS_SIZE % 16 == 0, "trampoline.S");
_Static_assert(offsetof(struct board_ways, dispatched) == WAYS_DISPATCHED, "gate.S");
AT(state, THREAD_STATE);
AT(stack, THREAD_STACK);
AT(call, THREAD_CALL);
AT(child, THREAD_CHILD);
AT(send, THREAD_SEND);
AT(resumed, THREAD_RESUMED);
AT(probe, THREAD_PROBE);
_Static_assert(sizeof(struct thread_slot) == 16, "gate.S counts on it");
_Static_assert(SIGNAL_RESUME == SIGNAL_WAY_RESUME, "what gate.S compares with");
_Static_assert(sizeof(struct target_thread) < THREAD_SPAN / 4, "most is for the stack");

struct thread_slot thread_slots[THREAD_SLOTS + THREAD_PROBES + 1];
struct target_thread *thread_list;
static uint32_t table_lock; /* over slots' keys being claimed; never held while a call blocks */

void thread_lock(void)
{
	while (__atomic_exchange_n(&table_lock, 1, __ATOMIC_ACQUIRE))
		sys_yield();
}

void thread_unlock(void)
{
	__atomic_store_n(&table_lock, 0, __ATOMIC_RELEASE);
}

static struct target_thread *thread_by_tid(uint32_t tid)
{
	struct target_thread *thread = __atomic_load_n(&thread_list, __ATOMIC_ACQUIRE);

	for (; thread; thread = thread->next)
		if (__atomic_load_n(&thread->state, __ATOMIC_ACQUIRE) == THREAD_USED &&
		    thread->tid == tid)
			return thread;
	return NULL;
}

struct target_thread *thread_here(void)
{
	uint64_t base = thread_fs_base(), key = thread_key(base);
	struct thread_slot *slot = &thread_slots[thread_hash(base)];

	for (int i = 0; i < THREAD_PROBES; i++, slot++) {
		uint64_t seen = __atomic_load_n(&slot->key, __ATOMIC_ACQUIRE);

		if (seen == key)
			return slot->thread;
		if (seen == 0)
			break;
	}
	return thread_by_tid((uint32_t)sys_call0(SYS_gettid));
}

static struct target_thread *thread_map(void)
{
	int64_t at = sys_call(SYS_mmap, 0, THREAD_SPAN, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, (uint64_t)-1, 0);
	struct target_thread *thread, *first;
	uint64_t place;

	if (at < 0)
		return NULL;
	sys_call3(SYS_mprotect, at, THREAD_GUARD, PROT_NONE);
	place = ((uint64_t)at + THREAD_SPAN - sizeof(*thread)) & ~(uint64_t)63;
	thread = (struct target_thread *)(uintptr_t)place;
	thread->stack = thread;
	thread->stack_size = place - (uint64_t)at - THREAD_GUARD;
	thread->state = THREAD_USED;
	first = __atomic_load_n(&thread_list, __ATOMIC_RELAXED);
	do
		thread->next = first;
	while (!__atomic_compare_exchange_n(&thread_list, &first, thread, false, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED));
	return thread;
}

struct target_thread *thread_left(void)
{
	struct target_thread *thread = __atomic_load_n(&thread_list, __ATOMIC_ACQUIRE);
	uint32_t tid = 0, left;

	for (; thread; thread = thread->next) {
		left = __atomic_load_n(&thread->left, __ATOMIC_ACQUIRE);
		if (left && !tid)
			tid = (uint32_t)sys_call0(SYS_gettid);
		if (left && left == tid)
			break;
	}
	return thread;
}

/* One that another thread has left by is kept: signals may come on its stack. */
static struct target_thread *thread_take(struct target_thread *left)
{
	struct target_thread *thread = left ? left : __atomic_load_n(&thread_list, __ATOMIC_ACQUIRE);

	for (; thread; thread = left ? NULL : thread->next) {
		uint32_t expected = THREAD_FREE;

		if (thread != left && __atomic_load_n(&thread->left, __ATOMIC_ACQUIRE) != 0)
			continue;
		if (__atomic_compare_exchange_n(&thread->state, &expected, THREAD_USED, false,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			break;
	}
	return thread;
}

struct target_thread *thread_new(void)
{
	struct target_thread *left = thread_left();
	struct target_thread *thread = thread_take(left);
	struct signal_stack before = { .flags = SS_DISABLE };

	if (thread && thread == left)
		before = thread->altstack;
	if (!thread)
		thread = thread_map();
	if (!thread)
		return NULL;
	thread_unbind(thread);
	thread->tid = thread->pid = 0;
	thread->regs.cs = SELECTOR_CODE;
	thread->regs.ss = SELECTOR_DATA;
	thread->pending = 0;
	thread->selector = thread->settled = 0;
	thread->dispatched = false;
	thread->vforks = 0;
	thread->doomed = thread->told = thread->inside = false;
	thread->maker = NULL;
	thread->born = 0;
	thread->hooked = thread->unseen = thread->aside = thread->waiting = thread->exec_mask = false;
	thread->restarting = thread->stopping = thread->dismissed = false;
	thread->sample_due = thread->sampling = false;
	thread->sample_timer = -1;
	thread->sample_missed = 0;
	thread->sample_ns = 0;
	thread->after = NULL;
	thread->child = NULL;
	thread->blocked = thread->kept = 0;
	thread->altstack = before;
	thread->user = NULL;
	probe_calls_forget(&thread->probe);
	thread->space = THREAD_OF_PROCESS;
	thread->facts = (struct task_facts){ 0 };
	return thread;
}

void thread_free(struct target_thread *thread)
{
	if (!thread)
		return;
	thread_unbind(thread);
	thread->tid = 0;
	__atomic_store_n(&thread->state, THREAD_FREE, __ATOMIC_RELEASE);
}

void thread_unbind(struct target_thread *thread)
{
	uint64_t key = thread->key;
	struct thread_slot *slot = &thread_slots[thread_hash(key >> 16)];

	if (key == 0)
		return;
	thread->key = 0;
	thread_lock();
	for (int i = 0; i < THREAD_PROBES; i++, slot++)
		if (slot->key == key && slot->thread == thread)
			break;
	if (slot->key == key && slot->thread == thread) {
		__atomic_store_n(&slot->key, THREAD_GONE, __ATOMIC_RELEASE);
		/* What ends a run of used slots need not be probed past. */
		for (; slot >= thread_slots && slot->key == THREAD_GONE && slot[1].key == 0; slot--)
			__atomic_store_n(&slot->key, 0, __ATOMIC_RELEASE);
	}
	thread_unlock();
}

bool thread_bind(struct target_thread *thread, uint64_t fs_base)
{
	struct thread_slot *slot = &thread_slots[thread_hash(fs_base)];
	bool found = false;

	thread_unbind(thread);
	thread_lock();
	for (int i = 0; i < THREAD_PROBES && !found; i++, slot++) {
		if (slot->key > THREAD_GONE)
			continue;
		slot->thread = thread;
		thread->key = thread_key(fs_base);
		__atomic_store_n(&slot->key, thread->key, __ATOMIC_RELEASE);
		found = true;
	}
	thread_unlock();
	return found;
}

void thread_forked(struct target_thread *self)
{
	for (struct target_thread *thread = thread_list; thread; thread = thread->next)
		if (thread != self && thread->state == THREAD_USED)
			thread_free(thread);
}

void thread_unmap_all(void)
{
	struct target_thread *thread = thread_list;

	thread_list = NULL;
	while (thread) {
		struct target_thread *next = thread->next;
		uint64_t low = (uint64_t)(uintptr_t)thread->stack - thread->stack_size - THREAD_GUARD;

		sys_call2(SYS_munmap, low, THREAD_SPAN);
		thread = next;
	}
}

uint32_t thread_count(void)
{
	uint32_t count = 0;

	for (struct target_thread *thread = thread_list; thread; thread = thread->next)
		count += __atomic_load_n(&thread->state, __ATOMIC_RELAXED) == THREAD_USED;
	return count;
}
