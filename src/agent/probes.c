/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probes.c - see probes.h. [runtime, in the agent's image only]
 *
 * One lock over all that is patched. It names its holder, since a vfork child that was killed
 * with it leaves it to nobody; and it is held over a fork, so that the child's copy is whole.
 */
#include "agent/probes.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "agent/agent.h"
#include "agent/gate.h"
#include "agent/held.h"
#include "agent/maps.h"
#include "agent/hooks.h"
#include "agent/patch.h"
#include "agent/places.h"
#include "base/base.h"
#include "helper/unwind.h"
#include "hook/agent.h"
#include "hook/targets.h"
#include "map/memory.h"
#include "map/sys.h"

enum { PATIENCE = 1000 };

static uint32_t lock; /* thread id of the holder */
static bool started;
static uint64_t frames[64]; /* of handlers, that lead into a stub: their stack pointers there */
static bool framed;   /* and there were more: stubs stay */

static void probes_lock(void)
{
	uint32_t self = (uint32_t)sys_call0(SYS_gettid), holder = 0;

	for (int tries = 1; !__atomic_compare_exchange_n(&lock, &holder, self, false,
							__ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
	     tries++) {
		if (tries % PATIENCE == 0 && sys_call2(SYS_tkill, holder, 0) == -ESRCH &&
		    __atomic_compare_exchange_n(&lock, &holder, self, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return;
		sys_yield();
		holder = 0;
	}
}

static void probes_unlock(void)
{
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

void probes_fork(bool held)
{
	if (held)
		probes_lock();
	else
		probes_unlock(); /* in the child the holder's id was its parent's */
}

/* --- what places.c asks --- */

static int ask_scan(const struct file_id *id, int fd)
{
	struct task_facts facts;

	hooks_ids(&facts);
	return (int)agent_ask(MAIL_SCAN_FILE, &facts, id->device, id->inode, (uint64_t)fd);
}

static bool supervisor_waits(void)
{
	return agent_self.process &&
	       mail_served(&agent_self.targets->mail, memory_owners(agent_self.memory));
}

static struct task_facts *facts(struct probe_thread *thread)
{
	return hooks_facts(container_of(thread, struct target_thread, probe));
}

static uint64_t real_return(uint64_t slot, uint64_t address)
{
	const struct target_thread *thread;

	if (address == (uintptr_t)gate_return)
		return signal_restorer;
	thread = thread_here();
	return thread ? probe_real_return(&thread->probe, slot, address) : address;
}

static struct places_opts opts = { .facts = facts };

/* --- start --- */

/* A thread in no slot, or one that a patched place shows us first. */
static struct target_thread *find_thread(void)
{
	struct target_thread *thread = thread_here();

	return thread || gate_adopt() < 0 ? thread : thread_here();
}

static int start_held(enum patch_mode mode)
{
	int error;

	patch_occupied = held_blocks;
	if (mode == PATCH_HELD)
		held_begin();
	error = places_start(&opts, mode);
	held_move();
	if (mode == PATCH_HELD)
		held_end();
	return error;
}

int probes_start(struct board *board, enum patch_mode mode)
{
	int error;

	probe_slots = thread_slots;
	probe_self = find_thread;
	unwind_return = real_return;
	probe_poll = gate_poll;
	opts.board = board;
	opts.gate = (uintptr_t)gate_entry;
	opts.ways = (uintptr_t)&gate_ways;
	opts.unknown = gate_distrust;
	/* The supervisor has scanned what is mapped now, and waits for us. */
	opts.scan = NULL;
	opts.waits = NULL;
	error = mode == PATCH_ALONE ? places_start(&opts, mode) : start_held(mode);
	opts.scan = ask_scan;
	opts.waits = supervisor_waits;
	started = error == 0;
	return error;
}

/* Other threads may be stopped in the middle of patched code, and with the lock held. */
void probes_stop(void)
{
	if (started && __atomic_load_n(&lock, __ATOMIC_ACQUIRE) == 0)
		started = places_stop(PATCH_LIVE) < 0;
}

void probes_done(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(frames); i++)
		framed |= frames[i] != 0;
	patch_free(framed);
}

static void look(enum patch_mode mode)
{
	places_update(mode);
	agent_looked(places_waiting, patch_unfinished(), places_unlike);
}

static void update(void)
{
	if (started && places_stale())
		look(PATCH_LIVE);
}

void probes_update(void)
{
	probes_lock();
	update();
	probes_unlock();
}

static bool probes_try_lock(void)
{
	uint32_t self = (uint32_t)sys_call0(SYS_gettid), nobody = 0;

	return __atomic_compare_exchange_n(&lock, &nobody, self, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

bool probes_try_update(bool at_once)
{
	if (!probes_try_lock())
		return false;
	opts.waits = at_once ? NULL : supervisor_waits;
	if (at_once && started)
		look(PATCH_LIVE);
	else
		update();
	opts.waits = supervisor_waits;
	probes_unlock();
	return true;
}

int probes_try_settle(struct agent_held *threads, uint64_t count)
{
	int error;

	if (!probes_try_lock())
		return -EAGAIN;
	error = started ? held_begin_at(threads, count) : -EAGAIN;
	if (error == 0) {
		patch_occupied = held_blocks;
		places_update(PATCH_HELD);
		agent_looked(places_waiting, patch_finish(), places_unlike);
		held_move();
	}
	held_end();
	probes_unlock();
	return error;
}

/* --- what the gate tells --- */

/* What is shared is not patched: the file would be, too. */
static void map_code(const struct target_regs *regs, uint64_t start)
{
	if (regs->r10 & (MAP_ANONYMOUS | MAP_SHARED) || regs->dx & PROT_WRITE)
		places_unknown();
	if (regs->r10 & (MAP_ANONYMOUS | MAP_SHARED))
		places_unmapped(start, regs->si);
	else
		places_mapped(start, regs->si, regs->r9, (int)regs->r8, PATCH_ALONE);
}

/* Calls that make memory executable otherwise than by mapping a file. */
static bool makes_code(const struct target_regs *regs)
{
	enum { READ_IMPLIES_EXEC = 0x0400000 };

	switch (regs->orig_ax) {
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		return regs->dx & PROT_EXEC;
	case SYS_shmat:
		return regs->dx & SHM_EXEC;
	case SYS_personality:
		return regs->di != UINT32_MAX && regs->di & READ_IMPLIES_EXEC;
	default:
		return false;
	}
}

void probes_mapped(struct target_thread *thread, struct target_regs *regs, int64_t result)
{
	(void)thread;
	if (!started || (result < 0 && result >= -4095))
		return;
	probes_lock();
	if (makes_code(regs))
		places_unknown();
	switch (regs->orig_ax) {
	case SYS_mmap:
		if (regs->dx & PROT_EXEC)
			map_code(regs, (uint64_t)result);
		else
			places_unmapped((uint64_t)result, regs->si);
		break;
	case SYS_munmap:
	case SYS_mremap:
		places_unmapped(regs->di, regs->si);
		break;
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		if (places_protected(regs->di, regs->si, (int)regs->dx) && !places_stale())
			agent_looked(places_waiting, patch_unfinished(), places_unlike);
		break;
	}
	places_settle();
	probes_unlock();
}

/* The instruction pointer is behind the trap. */
bool probes_trap(struct target_thread *thread, struct signal_context *context)
{
	uint64_t to = patch_trap(context->ip - 1);

	(void)thread;
	if (to)
		context->ip = to;
	return to != 0;
}

void probes_unpatched(struct target_regs *regs)
{
	if (!patch_is_stub(regs->ip))
		return;
	probe_settle(&regs->ip, &regs->sp);
	regs->ip = patch_moved(regs->ip, false);
}

uint64_t probes_call(uint64_t address)
{
	return patch_call(address);
}

/* The frame outlives us, perhaps: it leads into code of ours only where that cannot be helped. */
void probes_framed(struct target_thread *thread, struct signal_context *context)
{
	(void)thread;
	if (!patch_is_stub(context->ip))
		return;
	probe_settle(&context->ip, &context->sp);
	context->ip = patch_shown(context->ip);
	if (!patch_is_stub(context->ip))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		uint64_t nobody = 0;

		if (__atomic_compare_exchange_n(&frames[i], &nobody, context->sp, false,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return;
	}
	framed = true;
}

void probes_unframed(struct target_thread *thread, const struct signal_context *context)
{
	(void)thread;
	if (!patch_is_stub(context->ip))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		uint64_t sp = context->sp;

		if (__atomic_compare_exchange_n(&frames[i], &sp, 0, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return;
	}
}

/* --- handlers that are under way --- */

enum { STACKS_MAX = 8 };

/* Stacks on which handlers' frames may be, from these addresses on. */
struct stacks {
	uint64_t from[STACKS_MAX];
	uint32_t count, at;
};

/* Their handlers would return to us (gate_return). */
static void give_back(void *arg, const struct maps_line *line)
{
	struct stacks *stacks = arg;
	uint64_t at = stacks->from[stacks->at] & ~(uint64_t)7;

	if (at < line->start || at >= line->end || !(line->prot & PROT_WRITE))
		return;
	for (; at < line->end; at += 8) {
		struct signal_frame *frame = (struct signal_frame *)(uintptr_t)at;
		uint64_t sp;

		if (frame->restorer != (uintptr_t)gate_return)
			continue;
		frame->restorer = signal_restorer;
		sp = frame->context.sp;
		if ((sp < line->start || sp >= line->end) && stacks->count < STACKS_MAX)
			stacks->from[stacks->count++] = sp;
	}
}

static void give_back_returns(uint64_t sp)
{
	struct stacks stacks = { .from = { sp }, .count = 1 };

	/* Those of a process that ran already return by themselves. */
	for (; agent_self.why != AGENT_ATTACHED && stacks.at < stacks.count; stacks.at++)
		maps_each(give_back, &stacks);
}

/*
 * The thread is about to leave the agent for good. False: it is where our code is, or code is
 * patched yet, and it is to be asked again. Calls that it is in return to where they came from.
 */
bool probes_leave(struct target_thread *thread, struct signal_context *context)
{
	if (started || probe_is_trampoline(context->ip))
		return false;
	if (patch_is_stub(context->ip)) {
		probe_settle(&context->ip, &context->sp);
		context->ip = patch_moved(context->ip, false);
		if (patch_is_stub(context->ip))
			return false;
	}
	probe_calls_disarm(&thread->probe);
	probe_calls_forget(&thread->probe);
	give_back_returns(context->sp);
	return true;
}
