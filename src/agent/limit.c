/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limit.c - the limit on address space (RLIMIT_AS), of which the machine's memory is no part.
 * [runtime]
 *
 * The arena is mapped whole, and other addresses are kept for later, so that a process which limits
 * itself to less could map nothing more. So what it asks for is raised by the agent's share, and
 * what it is told lowered. The low bits of a limit say whether the share is in it: the kernel counts
 * pages and does not look at them, and they go with the limit to children and the programs that
 * these execute.
 */
#include <errno.h>
#include <sys/resource.h>

#include "agent/gate.h"
#include "base/fault.h"
#include "map/sys.h"

enum { MARK = 0x155, MARK_BITS = 0x3ff, CODE_AND_STACKS = 96 << 20 };

struct limit {
	uint64_t soft, hard;
};

static uint64_t share; /* 0: nothing is changed */
static void (*reserve)(void);

static bool is_raised(uint64_t value)
{
	return value != (uint64_t)RLIM_INFINITY && (value & MARK_BITS) == MARK && value >= share;
}

static uint64_t lowered(uint64_t value)
{
	return is_raised(value) ? value - share - MARK : value;
}

static uint64_t raised(uint64_t value)
{
	return value < (uint64_t)RLIM_INFINITY - share - MARK ? value + share + MARK : value;
}

static bool read_limit(struct limit *limit)
{
	return sys_make(SYS_prlimit64, 0, RLIMIT_AS, 0, (uintptr_t)limit, 0, 0) == 0;
}

void limit_start(uint64_t mapped, void (*map_rest)(void))
{
	struct limit now;

	share = mapped + CODE_AND_STACKS;
	reserve = map_rest;
	/* What is counted as ours is to be ours, not the application's. */
	if (read_limit(&now) && is_raised(now.soft))
		reserve();
}

/*
 * Whether a limit can be raised: a process that was limited before it had the agent may not raise its
 * hard limit, and one that is no multiple of a kilobyte would not be known again.
 */
static bool can_raise(const struct limit *now, const struct limit *set)
{
	return (now->hard == (uint64_t)RLIM_INFINITY || is_raised(now->hard)) &&
	       (set->soft == (uint64_t)RLIM_INFINITY || !(set->soft & MARK_BITS)) &&
	       (set->hard == (uint64_t)RLIM_INFINITY || !(set->hard & MARK_BITS));
}

static int64_t change(uint64_t set_at, uint64_t old_at)
{
	struct limit set, now, old;
	int64_t result;

	if (set_at && fault_copy(&set, (const void *)(uintptr_t)set_at, sizeof(set)) < 0)
		return -EFAULT;
	if (!read_limit(&now))
		return -EPERM;
	if (set_at && can_raise(&now, &set) && set.soft <= set.hard) {
		if (set.soft != (uint64_t)RLIM_INFINITY)
			reserve();
		set = (struct limit){ raised(set.soft), raised(set.hard) };
	}
	result = sys_make(SYS_prlimit64, 0, RLIMIT_AS, set_at ? (uintptr_t)&set : 0,
			  (uintptr_t)&old, 0, 0);
	if (result < 0 || !old_at)
		return result;
	old = (struct limit){ lowered(old.soft), lowered(old.hard) };
	return fault_copy((void *)(uintptr_t)old_at, &old, sizeof(old));
}

/* What the kernel is to answer itself: of others, other limits, or where a filter may forbid it. */
static bool is_ours(uint64_t pid, uint64_t resource)
{
	return share && (uint32_t)resource == RLIMIT_AS && !sys_filtered &&
	       ((uint32_t)pid == 0 || (int32_t)pid == sys_call0(SYS_getpid));
}

enum gate_next limit_call(struct target_thread *thread)
{
	const struct target_regs *regs = &thread->regs;
	bool both = regs->orig_ax == SYS_prlimit64;

	if (!is_ours(both ? regs->di : 0, both ? regs->si : regs->di))
		return GATE_CALL;
	if (both)
		return gate_leave_with(thread, change(regs->dx, regs->r10));
	if (!regs->si)
		return GATE_CALL;
	return gate_leave_with(thread, regs->orig_ax == SYS_setrlimit ? change(regs->si, 0)
								       : change(0, regs->si));
}

void limit_stop(void)
{
	struct limit now;

	if (share && read_limit(&now) && (is_raised(now.soft) || is_raised(now.hard))) {
		now = (struct limit){ lowered(now.soft), lowered(now.hard) };
		sys_call(SYS_prlimit64, 0, RLIMIT_AS, (uintptr_t)&now, 0, 0, 0);
	}
	share = 0;
}
