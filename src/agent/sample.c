/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample.c - where CPU time goes. [runtime]
 *
 * The kernel looks at a thread's CPU clock at its ticks and sends what is due as the
 * thread leaves the kernel, so that the timer itself interrupts no call. A call may have been
 * woken for something else that nobody handles, though (a signal that another thread
 * took, a stop), which without our handler begins again unseen: the kernel repeats it
 * where SA_RESTART does, and we do where the same arguments mean the same. Of calls that
 * wait for so long from their beginning the kernel has kept the end: they wait on
 * (gate_again). What then still returns EINTR does so after every stop, without us too.
 *
 * Time the kernel could not tell us in time, and samples that meet a sample being
 * taken, are counted as missed.
 */
#include "agent/sample.h"

#include <errno.h>
#include <linux/futex.h>
#include <time.h>

#include "agent/filter.h"
#include "agent/gate.h"
#include "map/sys.h"

enum { NOTIFY_THREAD = 4, NO_TIMER = -1, CLOCK_OF_THREAD = 3, SECOND = 1000000000 };

/* The kernel's struct sigevent. */
struct timer_event {
	const void *value;
	int32_t sig, notify, tid;
	int32_t reserved[11];
};
_Static_assert(sizeof(struct timer_event) == 64, "as the kernel has it");

static bool forbidden;           /* by the application's filters, for good */
static const char sample_mark; /* its address tells our timers from the application's */

/* --- timers --- */

static int64_t timer_start(struct target_thread *thread, uint64_t ns)
{
	const struct timespec period = { (time_t)(ns / SECOND), (long)(ns % SECOND) };
	const struct itimerspec both = { period, period };
	const struct timer_event event = {
		.value = &sample_mark, .sig = SIGNAL_AGENT, .notify = NOTIFY_THREAD,
		.tid = (int32_t)thread->tid,
	};
	int64_t error = 0;

	if (__atomic_load_n(&forbidden, __ATOMIC_RELAXED))
		return -EPERM;
	if (thread->sample_timer == NO_TIMER)
		error = sys_call3(SYS_timer_create, CLOCK_OF_THREAD, &event, &thread->sample_timer);
	if (error < 0) {
		thread->sample_timer = NO_TIMER;
		return error;
	}
	return sys_call4(SYS_timer_settime, thread->sample_timer, 0, &both, NULL);
}

void sample_end(struct target_thread *thread)
{
	if (thread->sample_timer != NO_TIMER)
		sys_call1(SYS_timer_delete, thread->sample_timer);
	sample_forget(thread);
}

void sample_forget(struct target_thread *thread)
{
	thread->sample_timer = NO_TIMER;
	thread->sample_ns = 0;
	thread->sample_due = thread->sampling = false;
}

/* A vfork child is on its parent's record, and has no CPU time worth a timer. */
void sample_adjust(struct target_thread *thread)
{
	uint64_t ns = gate_ops->sample_ns ? __atomic_load_n(gate_ops->sample_ns, __ATOMIC_RELAXED)
					  : 0;

	if (ns == thread->sample_ns || thread->vforks > 0)
		return;
	if (ns == 0) {
		sample_end(thread);
		return;
	}
	thread->sample_ns = ns; /* it is not tried again and again */
	if (timer_start(thread, ns) < 0 && gate_ops->aside)
		gate_ops->aside(thread, GATE_ASIDE_TIMER);
}

void sample_filtered(void)
{
	static const uint64_t any[6];

	if (filter_allows(SYS_timer_create, any) && filter_allows(SYS_timer_settime, any) &&
	    filter_allows(SYS_timer_delete, any) && filter_allows(SYS_rt_sigreturn, any))
		return;
	__atomic_store_n(&forbidden, true, __ATOMIC_RELAXED);
	for (struct target_thread *thread = thread_list; thread; thread = thread->next) {
		int32_t timer = __atomic_exchange_n(&thread->sample_timer, NO_TIMER, __ATOMIC_RELAXED);

		if (timer == NO_TIMER)
			continue;
		sys_make(SYS_timer_delete, (uint64_t)timer, 0, 0, 0, 0, 0);
		if (gate_ops->aside)
			gate_ops->aside(thread, GATE_ASIDE_TIMER);
	}
}

/* --- registers --- */

static struct target_regs regs_of(const struct signal_context *context)
{
	return (struct target_regs){
		.r15 = context->r15, .r14 = context->r14, .r13 = context->r13,
		.r12 = context->r12, .bp = context->bp, .bx = context->bx, .r11 = context->r11,
		.r10 = context->r10, .r9 = context->r9, .r8 = context->r8, .ax = context->ax,
		.cx = context->cx, .dx = context->dx, .si = context->si, .di = context->di,
		.orig_ax = UINT64_MAX, .ip = context->ip, .cs = context->cs,
		.flags = context->flags, .sp = context->sp, .ss = context->ss,
	};
}

/* The application's, seen from a point of the gate; false: not from here. */
static bool regs_in_gate(const struct target_thread *thread, const struct signal_context *context,
			 struct target_regs *regs)
{
	uint64_t ip = context->ip;

	if (gate_between(ip, gate_call_window, gate_call_found) ||
	    gate_between(ip, gate_clone_window, gate_clone_after) ||
	    gate_between(ip, gate_leave, gate_leave_end) || gate_between(ip, gate_quick, gate_quick_end)) {
		*regs = thread->regs;
		return true;
	}
	*regs = regs_of(context);
	if (gate_until(ip, gate_entry, gate_kept)) { /* where to go on is in rcx */
		regs->ip = gate_until(ip, gate_entry, gate_shifted) ? context->cx : context->cx >> 16;
		if (ip == (uint64_t)(uintptr_t)gate_entry)
			regs->orig_ax = context->ax;
		return true;
	}
	if (!gate_between(ip, gate_kept, gate_plain_end))
		return false;
	regs->ip = regs->cx = thread->regs.ip;
	regs->flags = regs->r11 = thread->regs.flags;
	regs->orig_ax = thread->regs.orig_ax;
	return true;
}

static bool application_regs(const struct target_thread *thread,
			     const struct signal_context *context, struct target_regs *regs)
{
	if (context->ip >= (uint64_t)(uintptr_t)gate_entry &&
	    context->ip < (uint64_t)(uintptr_t)gate_text_end)
		return regs_in_gate(thread, context, regs);
	if (thread_on_stack(thread, context->sp))
		return false;
	*regs = regs_of(context);
	return true;
}

/* --- samples --- */

/* The registers are the hooks' to change: it is a copy. */
static void take(struct target_thread *thread, struct target_regs regs)
{
	uint32_t missed = thread->sample_missed;

	thread->sample_missed = 0;
	thread->sampling = true;
	if (gate_ops->sample)
		gate_ops->sample(thread, &regs, missed);
	thread->sampling = false;
}

void sample_take_due(struct target_thread *thread, const struct target_regs *regs)
{
	if (!thread->sample_due || thread->sampling)
		return;
	thread->sample_due = false;
	take(thread, *regs);
}

void sample_take_due_at(struct target_thread *thread, const struct signal_context *context)
{
	struct target_regs regs;

	if (thread->sample_due && !thread->sampling && application_regs(thread, context, &regs))
		sample_take_due(thread, &regs);
}

bool sample_is(int sig, const siginfo_t *info)
{
	return sig == SIGNAL_AGENT && info->si_code == SI_TIMER &&
	       info->si_value.sival_ptr == &sample_mark;
}

/* Calls that the kernel itself would begin again with the arguments they had. */
static bool repeats_exactly(uint64_t nr, const uint64_t arg[6])
{
	uint64_t operation = arg[1] & FUTEX_CMD_MASK;

	switch (nr) {
	case SYS_pause: case SYS_rt_sigsuspend: case SYS_select: case SYS_pselect6:
	case SYS_ppoll: case SYS_msgrcv: case SYS_msgsnd: case SYS_io_pgetevents:
		return true;
	case SYS_clock_nanosleep:
		return arg[1] & TIMER_ABSTIME;
	case SYS_futex:
		return operation != FUTEX_WAIT || arg[3] == 0;
	default:
		return false;
	}
}

/* Calls of which it has kept when they are to end. */
static bool waits_on(uint64_t nr, const uint64_t arg[6])
{
	switch (nr) {
	case SYS_nanosleep: case SYS_poll:
		return true;
	case SYS_clock_nanosleep: case SYS_futex:
		return !repeats_exactly(nr, arg);
	default:
		return false;
	}
}

/* What alone the call would be begun again by. */
static bool may_resume(const struct signal_context *context)
{
	const uint64_t mask[6] = { SIG_SETMASK, (uint64_t)(uintptr_t)&context->mask, 0, 8 };
	static const uint64_t none[6];

	return filter_allows(SYS_rt_sigprocmask, mask) && filter_allows(SYS_restart_syscall, none);
}

static void repeat_call(struct target_thread *thread, struct signal_context *context)
{
	bool plain = context->ip == (uint64_t)(uintptr_t)gate_plain_after;

	context->ip = (uint64_t)(uintptr_t)(plain ? gate_plain_window : gate_call_window);
	context->ax = thread->regs.orig_ax;
	context->r11 = (uint64_t)(uintptr_t)thread;
}

/* Was a call interrupted that belongs to such? */
static bool was_in(const struct target_thread *thread, const struct signal_context *context,
		   bool (*calls)(uint64_t, const uint64_t[6]))
{
	const uint64_t arg[6] = { context->di, context->si, context->dx, context->r10,
				  context->r8, context->r9 };

	return (context->ip == (uint64_t)(uintptr_t)gate_plain_after ||
		context->ip == (uint64_t)(uintptr_t)gate_call_after) &&
	       (int64_t)context->ax == -EINTR && calls(thread->regs.orig_ax, arg);
}

/*
 * No program runs before a call waits on: the end of any other handler, of a fault too,
 * would make the kernel forget the call.
 */
static bool resume_call(struct target_thread *thread, struct signal_context *context)
{
	if (!gate_until(context->ip, gate_again, gate_again_loaded)) {
		signal_resumed(thread, context);
		if (!was_in(thread, context, waits_on) || !may_resume(context))
			return false;
		thread->resumed = context;
	} /* else it is the second one, and the first is still there */
	context->r11 = (uint64_t)(uintptr_t)thread;
	return true;
}

bool sample_arrived(struct target_thread *thread, const siginfo_t *info,
		    struct signal_context *context)
{
	struct target_regs regs;

	sample_adjust(thread);
	thread->sample_missed += (uint32_t)info->si_overrun;
	if (resume_call(thread, context)) {
		thread->sample_missed++;
		return true;
	}
	if (thread->sample_ns != 0) {
		/* Of two, the one that can be taken. */
		thread->sample_missed += thread->sampling || thread->sample_due;
		thread->sample_due = false;
		if (!thread->sampling && application_regs(thread, context, &regs))
			take(thread, regs);
		else
			thread->sample_due = !thread->sampling;
	}
	if (was_in(thread, context, repeats_exactly))
		repeat_call(thread, context);
	return false;
}
