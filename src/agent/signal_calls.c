/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signal_calls.c - the system calls by which an application speaks of its
 * signals. [runtime]
 *
 * What it set it reads back; what the kernel is told leaves out SIGNALS_OURS.
 * These run in the agent, so that a signal they let through waits until the
 * agent is left: behind the call, as it would.
 */
#include <errno.h>
#include <stddef.h>

#include "agent/gate.h"
#include "agent/signal.h"
#include "base/fault.h"
#include "map/sys.h"


/* The flags that Linux knows; others are cleared. */
#define ACTION_FLAGS                                                                            \
	((uint64_t)(uint32_t)(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | \
			      SA_NODEFER | SA_RESETHAND | 0x800 /* SA_EXPOSE_TAGBITS */ |        \
			      KERNEL_SA_RESTORER))

static bool get(void *to, uint64_t from, size_t size)
{
	return fault_copy(to, (const void *)(uintptr_t)from, size) == 0;
}

static bool put(uint64_t to, const void *from, size_t size)
{
	return fault_copy((void *)(uintptr_t)to, from, size) == 0;
}

enum gate_next signal_call_sigaction(struct target_thread *thread)
{
	struct target_regs *regs = &thread->regs;
	struct signal_actions *actions = thread->actions;
	struct kernel_sigaction set, old;
	int sig = (int)regs->di;
	int64_t result = 0;

	if (regs->r10 != 8 || sig < 1 || sig > SIGNAL_LAST || (regs->si && sig == SIGKILL) ||
	    (regs->si && sig == SIGSTOP))
		return GATE_CALL; /* an error, which the kernel names */
	if (regs->si && !get(&set, regs->si, sizeof(set)))
		return gate_leave_with(thread, -EFAULT);
	signal_lock(actions);
	old = actions->app[sig];
	if (regs->si) {
		set.flags &= ACTION_FLAGS;
		set.mask &= ~SIGNALS_UNBLOCKABLE;
		result = signal_install(sig, &set);
		if (result == 0)
			actions->app[sig] = set;
	}
	signal_unlock(actions);
	if (result == 0 && regs->si && set.handler == (uint64_t)(uintptr_t)SIG_IGN)
		thread->kept &= ~SIGNAL_BIT(sig);
	if (result == 0 && regs->dx && !put(regs->dx, &old, sizeof(old)))
		result = -EFAULT;
	return gate_leave_with(thread, result);
}

/* The kernel has set its mask; a signal that this let through is at our heels. */
static int64_t sigprocmask_done(struct target_thread *thread, int64_t result)
{
	struct target_regs *regs = &thread->regs;
	uint64_t old = thread->mask_old | thread->blocked, set;

	if (result < 0)
		return result;
	if (regs->si && get(&set, regs->si, sizeof(set))) {
		set &= SIGNALS_OURS;
		if ((int)regs->di == SIG_BLOCK)
			thread->blocked |= set;
		else if ((int)regs->di == SIG_UNBLOCK)
			thread->blocked &= ~set;
		else
			thread->blocked = set;
	}
	if (thread->kept & ~thread->blocked)
		signal_send_kept(thread);
	if (regs->dx && !put(regs->dx, &old, sizeof(old)))
		result = -EFAULT;
	return result;
}

enum gate_next signal_call_sigprocmask(struct target_thread *thread)
{
	struct target_regs *regs = &thread->regs;

	if (regs->r10 != 8)
		return GATE_CALL;
	if (regs->si && !get(&thread->mask_set, regs->si, 8))
		return gate_leave_with(thread, -EFAULT);
	thread->mask_set &= ~SIGNALS_OURS;
	if (regs->si)
		thread->call.arg[1] = (uint64_t)(uintptr_t)&thread->mask_set;
	thread->call.arg[2] = (uint64_t)(uintptr_t)&thread->mask_old;
	thread->after = sigprocmask_done;
	return GATE_CALL;
}

static int64_t sigpending_done(struct target_thread *thread, int64_t result)
{
	uint64_t set;

	if (result == 0 && get(&set, thread->regs.di, sizeof(set))) {
		set |= thread->kept & thread->blocked;
		put(thread->regs.di, &set, sizeof(set));
	}
	return result;
}

enum gate_next signal_call_sigpending(struct target_thread *thread)
{
	if (thread->regs.si == 8)
		thread->after = sigpending_done;
	return GATE_CALL;
}

/* --- the alternate stack --- */

static int64_t stack_set(struct target_thread *thread, const struct signal_stack *set, uint64_t sp)
{
	struct signal_stack *stack = &thread->altstack;
	int32_t mode = set->flags & ~INT32_MIN;

	if (signal_on_stack(stack, sp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == SS_DISABLE)
		*stack = (struct signal_stack){ .flags = set->flags };
	else if (set->size < 2048) /* what x86's MINSIGSTKSZ always was */
		return -ENOMEM;
	else
		*stack = (struct signal_stack){ .sp = set->sp, .flags = set->flags,
						.size = set->size };
	return 0;
}

enum gate_next signal_call_sigaltstack(struct target_thread *thread)
{
	struct target_regs *regs = &thread->regs;
	struct signal_stack set, old = thread->altstack;
	int64_t result = 0;

	old.flags &= INT32_MIN; /* SS_AUTODISARM */
	if (old.size == 0)
		old.flags |= SS_DISABLE;
	else if (signal_on_stack(&thread->altstack, regs->sp))
		old.flags |= SS_ONSTACK;
	if (regs->di && !get(&set, regs->di, sizeof(set)))
		return gate_leave_with(thread, -EFAULT);
	if (regs->di)
		result = stack_set(thread, &set, regs->sp);
	if (result == 0 && regs->si && !put(regs->si, &old, sizeof(old)))
		result = -EFAULT;
	return gate_leave_with(thread, result);
}

/* --- leaving a handler --- */

/*
 * The frame's mask and stack become what the application thinks it has; the kernel,
 * which reads the frame again, is given what is really so. A call that a signal had begun again
 * finds its own work there: what the application thinks is known already.
 */
enum gate_next signal_call_sigreturn(struct target_thread *thread)
{
	struct target_regs *regs = &thread->regs;
	uint64_t at = regs->sp;
	struct signal_context context;
	struct signal_stack ours;
	struct target_regs restored;

	if (!get(&context, at, sizeof(context)))
		return GATE_CALL; /* the kernel kills it for that */
	signal_stack_ours(thread, &ours);
	if (context.stack.sp != ours.sp) {
		if (gate_ops->unframed)
			gate_ops->unframed(thread, &context);
		thread->blocked = context.mask & SIGNALS_OURS;
		stack_set(thread, &context.stack, context.sp);
	}
	if (context.mask & SIGNALS_OURS) {
		context.mask &= ~SIGNALS_OURS;
		put(at + offsetof(struct signal_context, mask), &context.mask, 8);
	}
	put(at + offsetof(struct signal_context, stack), &ours, sizeof(ours));
	if (thread->kept & ~thread->blocked)
		signal_send_kept(thread);
	if (thread->hooked && gate_ops->exit && !thread->pending) {
		restored.orig_ax = regs->orig_ax;
		signal_registers(&context, &restored);
		gate_ops->exit(thread, &restored, (int64_t)context.ax);
		thread->hooked = false;
	}
	return GATE_CALL;
}

/* --- calls that wait under a mask of their own --- */

struct wait_call {
	uint16_t nr;
	uint8_t mask;  /* the argument that is the mask's address */
	bool pair;     /* ... or that of a pair of that address and the size */
};

static const struct wait_call wait_calls[] = {
	{ SYS_rt_sigsuspend, 0, false }, { SYS_ppoll, 3, false },
	{ SYS_pselect6, 5, true },       { SYS_epoll_pwait, 4, false },
	{ SYS_epoll_pwait2, 4, false },  { SYS_io_pgetevents, 5, true },
};

static const struct wait_call *wait_call(uint64_t nr)
{
	for (size_t i = 0; i < sizeof(wait_calls) / sizeof(*wait_calls); i++)
		if (wait_calls[i].nr == nr)
			return &wait_calls[i];
	__builtin_unreachable();
}

bool signal_wait_has_mask(const struct target_regs *regs)
{
	const uint64_t args[] = { regs->di, regs->si, regs->dx, regs->r10, regs->r8, regs->r9 };
	const struct wait_call *call = wait_call(regs->orig_ax);
	uint64_t pair[2] = { args[call->mask], 8 };

	return pair[0] != 0 && (!call->pair || !get(pair, pair[0], sizeof(pair)) || pair[0] != 0);
}

enum gate_next signal_call_wait(struct target_thread *thread)
{
	const struct wait_call *call = wait_call(thread->regs.orig_ax);
	uint64_t *arg = &thread->call.arg[call->mask];
	uint64_t mask, pair[2] = { *arg, 8 };

	if (*arg == 0 || (call->pair && !get(pair, *arg, sizeof(pair))) || pair[0] == 0 ||
	    pair[1] != 8 || !get(&mask, pair[0], sizeof(mask)))
		return GATE_CALL;
	thread->waiting = true;
	thread->wait_mask = mask;
	if (!(mask & SIGNALS_OURS))
		return GATE_CALL;
	thread->mask_set = mask & ~SIGNALS_OURS;
	thread->mask_pair[0] = (uint64_t)(uintptr_t)&thread->mask_set;
	thread->mask_pair[1] = 8;
	*arg = call->pair ? (uint64_t)(uintptr_t)thread->mask_pair : thread->mask_pair[0];
	return GATE_CALL;
}
