/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signal.c - signals on their way to the application's handlers. [runtime]
 *
 * Read signal.h first. What the interrupted code was decides:
 *
 *   the application      deliver: build its frame, go on in its handler
 *   the gate, around     first make the context what the application's would be, with
 *   the call itself      the call restarted or done (signal_convert)
 *   anything else ours   defer: keep the frame, go on with everything blocked
 *
 * signal_install.c has which handlers there are, signal_gate.c makes a context in the gate the
 * application's, signal_frame.c builds frames, and signal_calls.c has the system calls by which the
 * application speaks of signals.
 */
#include "agent/signal.h"

#include <errno.h>
#include <linux/futex.h>

#include "agent/gate.h"
#include "agent/sample.h"
#include "base/base.h"
#include "base/fault.h"
#include "map/sys.h"

static bool leaving; /* threads have been told to */

/* --- the end of a process by a signal --- */

/* Sends the signal again, to be had when the context that is returned to unblocks it. */
static void send_again(const struct target_thread *thread, int sig, const siginfo_t *info)
{
	uint64_t pid = thread ? thread->pid : (uint64_t)sys_call0(SYS_getpid);
	uint64_t tid = thread ? thread->tid : (uint64_t)sys_call0(SYS_gettid);

	/* A filter that refuses it has its say: there is no other way. */
	sys_make(SYS_rt_tgsigqueueinfo, pid, tid, (uint64_t)sig, (uintptr_t)info, 0, 0);
}

/*
 * Nobody handles it. A fault happens again when its instruction is repeated, with
 * the registers, the address and the core that there would have been; the
 * others are sent again.
 */
static void die(const struct target_thread *thread, int sig, const siginfo_t *info, bool repeats)
{
	static const struct kernel_sigaction by_default;

	signal_kernel_action(sig, &by_default, NULL);
	if (repeats)
		return;
	signal_kernel_mask(SIG_BLOCK, SIGNAL_BIT(sig), NULL);
	send_again(thread, sig, info);
}

static bool is_synchronous(int sig, const siginfo_t *info)
{
	return (SIGNALS_OURS & SIGNAL_BIT(sig)) && info->si_code > 0;
}

static bool is_repeated(int sig, const siginfo_t *info)
{
	return (sig == SIGSEGV || sig == SIGBUS) && is_synchronous(sig, info);
}

/* --- delivery --- */

/* The action now, which SA_RESETHAND takes away by that. */
static struct kernel_sigaction take_action(const struct target_thread *thread, int sig)
{
	struct signal_actions *actions = thread ? thread->actions : &signal_of_process;
	struct kernel_sigaction action;

	signal_lock(actions);
	action = actions->app[sig];
	if (signal_is_handler(&action) && (action.flags & SA_RESETHAND)) {
		actions->app[sig].handler = 0;
		signal_install(sig, &actions->app[sig]);
	}
	signal_unlock(actions);
	return action;
}

static const int kept_signals[] = { SIGSYS, SIGSEGV, SIGBUS, SIGTRAP, SIGNAL_AGENT };
enum { KEPT_SIGNALS = sizeof(kept_signals) / sizeof(*kept_signals) };

static bool is_stop(int sig, const siginfo_t *info)
{
	return sig == SIGNAL_AGENT && info->si_code == SI_QUEUE && info->si_value.sival_ptr == &gate_ops;
}

void signal_keep(struct target_thread *thread, int sig, const siginfo_t *info)
{
	int at = 0;

	if (is_stop(sig, info)) {
		thread->stopping = true;
		return;
	}
	while (kept_signals[at] != sig)
		at++;
	if (!(thread->kept & SIGNAL_BIT(sig)))
		thread->kept_info[at] = *info;
	thread->kept |= SIGNAL_BIT(sig);
}

/* Takes one of those kept that may be delivered by now; 0: there is none. */
static int take_kept(struct target_thread *thread, siginfo_t *info)
{
	if (thread->stopping) {
		thread->stopping = false;
		*info = (siginfo_t){ .si_code = SI_QUEUE };
		info->si_value.sival_ptr = &gate_ops;
		return SIGNAL_AGENT;
	}
	for (int i = 0; i < KEPT_SIGNALS; i++) {
		if (!(thread->kept & ~thread->blocked & SIGNAL_BIT(kept_signals[i])))
			continue;
		thread->kept &= ~SIGNAL_BIT(kept_signals[i]);
		*info = thread->kept_info[i];
		return kept_signals[i];
	}
	return 0;
}

/* Some have been unblocked: they come when the agent is left. */
void signal_send_kept(struct target_thread *thread)
{
	if (thread->kept & ~thread->blocked)
		thread->pending |= PENDING_KEPT;
}

/* What was kept because it is blocked waits in the kernel from now on. */
static void send_blocked(struct target_thread *thread)
{
	for (int i = 0; i < KEPT_SIGNALS; i++) {
		if (!(thread->kept & thread->blocked & SIGNAL_BIT(kept_signals[i])))
			continue;
		signal_kernel_mask(SIG_BLOCK, SIGNAL_BIT(kept_signals[i]), NULL);
		send_again(thread, kept_signals[i], &thread->kept_info[i]);
	}
}

/* Detaching: from here on the thread is as it was before us. */
static void leave_agent(struct target_thread *thread, struct signal_context *context)
{
	if (gate_ops->left && !gate_ops->left(thread, context)) {
		thread->dismissed = false; /* to be told again */
		return;
	}
	sample_end(thread);
	dispatch_end(thread);
	send_blocked(thread);
	context->mask |= thread->blocked;
	/* It keeps our stack until all are out, and nobody's signals are ours any more. */
	signal_stack_ours(thread, &context->stack);
	__atomic_store_n(&thread->left, thread->tid, __ATOMIC_RELEASE);
	thread_free(thread);
}

bool signal_stop_thread(struct target_thread *thread)
{
	siginfo_t info = { .si_code = SI_QUEUE };
	int64_t error;

	info.si_value.sival_ptr = &gate_ops;
	__atomic_store_n(&leaving, true, __ATOMIC_RELEASE);
	if (thread->tid == 0)
		return false;
	error = sys_call4(SYS_rt_tgsigqueueinfo, thread->pid, thread->tid, SIGNAL_AGENT, &info);
	if (error == -ESRCH) {
		sample_end(thread);
		thread_free(thread);
	}
	return error == 0 || error == -ESRCH;
}

static void deliver(struct target_thread *thread, int sig, siginfo_t *info,
		    struct signal_context *context, uint64_t mask);

/* Nobody handles it, or nobody may. */
static void end_by(struct target_thread *thread, int sig, const siginfo_t *info,
		   const struct signal_context *context, const struct kernel_sigaction *action)
{
	bool forced = is_synchronous(sig, info), ours = SIGNALS_OURS & SIGNAL_BIT(sig);
	struct target_regs regs = { .orig_ax = UINT64_MAX };

	if (!forced && action->handler != (uint64_t)(uintptr_t)SIG_DFL)
		return;
	if (!ours && !signal_is_told(sig, action)) {
		send_again(thread, sig, info); /* it was changed just now */
		return;
	}
	if (gate_ops->ending && signal_is_fatal(sig)) {
		if (context->ip == thread->regs.ip)
			regs.orig_ax = thread->regs.orig_ax;
		signal_registers(context, &regs);
		gate_ops->ending(thread, sig, info, &regs);
	}
	die(thread, sig, info, is_repeated(sig, info));
}

/* As the kernel: no room for a frame is a SIGSEGV, which may have a stack of its own. */
static void frame_failed(struct target_thread *thread, int sig, const siginfo_t *info,
			 struct signal_context *context, uint64_t mask)
{
	siginfo_t fault = { .si_signo = SIGSEGV, .si_code = SI_KERNEL };

	if (sig == SIGSEGV)
		die(thread, sig, info, false);
	else
		deliver(thread, SIGSEGV, &fault, context, mask);
}

/* context is the application's. mask: what is blocked at this moment. */
static void deliver(struct target_thread *thread, int sig, siginfo_t *info,
		    struct signal_context *context, uint64_t mask)
{
	bool forced = is_synchronous(sig, info);
	struct kernel_sigaction action;

	if (is_stop(sig, info)) {
		leave_agent(thread, context);
		return;
	}
	if (!forced && (thread->blocked & SIGNAL_BIT(sig))) {
		signal_keep(thread, sig, info);
		return;
	}
	action = take_action(thread, sig);
	if (!signal_is_handler(&action) || (forced && (thread->blocked & SIGNAL_BIT(sig)))) {
		end_by(thread, sig, info, context, &action);
		return;
	}
	if (gate_ops->signal)
		gate_ops->signal(thread, sig, info);
	if (gate_ops->framed)
		gate_ops->framed(thread, context);
	if (!signal_enter(thread, sig, &action, info, context, mask))
		frame_failed(thread, sig, info, context, mask);
}

/* --- signals in the agent --- */

static void defer(struct target_thread *thread, int sig, const siginfo_t *info,
		  struct signal_context *context)
{
	uint64_t size = signal_fp_size(context);

	if (SIGNALS_OURS & SIGNAL_BIT(sig)) { /* never blocked: it may be the second to wait */
		signal_keep(thread, sig, info);
		thread->pending |= PENDING_KEPT;
		return;
	}
	if (size > SIGNAL_FP_MAX)
		size = 0;
	thread->deferred = sig;
	thread->deferred_frame.info = *info;
	thread->deferred_frame.context = *context;
	fault_copy(thread->deferred_fp, (const void *)(uintptr_t)context->fpstate, size);
	if (size)
		thread->deferred_frame.context.fpstate = (uint64_t)(uintptr_t)thread->deferred_fp;
	thread->pending |= PENDING_DEFERRED;
	context->mask = SIGNALS_ALL;
}

/* Those kept follow when the context is returned to, which unblocks them. */
static void follow_kept(struct target_thread *thread)
{
	siginfo_t info;
	int sig;

	while ((sig = take_kept(thread, &info)) != 0) {
		signal_kernel_mask(SIG_BLOCK, SIGNAL_BIT(sig), NULL);
		send_again(thread, sig, &info);
	}
}

/* There is no frame to return by. What is kept is sent by gate.S. */
static struct signal_context *send_later(struct target_thread *thread, bool restart)
{
	int sig = take_kept(thread, &thread->send_info);

	thread->restarting = restart;
	if (restart)
		signal_restart(thread, NULL);
	thread->send[0] = thread->pid;
	thread->send[1] = thread->tid;
	thread->send[2] = (uint64_t)sig; /* 0: sent in vain */
	thread->send[3] = (uint64_t)(uintptr_t)&thread->send_info;
	if (thread->kept & ~thread->blocked || thread->stopping)
		__atomic_or_fetch(&thread->pending, PENDING_KEPT, __ATOMIC_RELAXED); /* after this one */
	return NULL;
}

struct signal_context *signal_deferred(struct target_thread *thread, bool restart)
{
	struct signal_context *context = &thread->deferred_frame.context;
	uint8_t pending = __atomic_exchange_n(&thread->pending, 0, __ATOMIC_RELAXED); /* others come */

	if (!(pending & PENDING_DEFERRED))
		return send_later(thread, restart);
	if (restart) {
		signal_restart(thread, context);
	} else {
		signal_finish(thread, context);
	}
	deliver(thread, thread->deferred, &thread->deferred_frame.info, context, context->mask);
	follow_kept(thread);
	return context;
}

/* A thread that the gate does not know came by a patched site. */
static struct target_thread *thread_found(const struct signal_context *context)
{
	struct target_thread *thread = thread_here();

	if (thread)
		return thread;
	if (gate_between(context->ip, gate_clone_after, gate_clone_end) && context->r12 != 0)
		return (struct target_thread *)(uintptr_t)context->r12;
	return gate_adopt() == 0 ? thread_here() : NULL;
}

/* These only wait, so that they may be made again. */
static bool is_wait(uint64_t nr)
{
	static const uint16_t waits[] = {
		SYS_pause, SYS_nanosleep, SYS_clock_nanosleep, SYS_poll, SYS_select, SYS_futex,
		SYS_rt_sigtimedwait, SYS_epoll_wait,
	};

	for (size_t i = 0; i < ARRAY_SIZE(waits); i++)
		if (waits[i] == nr)
			return true;
	return false;
}

/*
 * The application knows of no signal: a call that was to wait on is made as a whole, as is one
 * that the signal has ended, whose supervisor would have let it wait on were it alive.
 */
static void begin_again(const struct target_thread *thread, struct signal_context *context)
{
	bool ended = (context->ip == (uint64_t)(uintptr_t)gate_plain_after ||
		      context->ip == (uint64_t)(uintptr_t)gate_call_after) &&
		     is_wait(thread->regs.orig_ax);

	if (!(signal_resumed(thread, context) || ended) || (int64_t)context->ax != -EINTR)
		return;
	if (context->ip == (uint64_t)(uintptr_t)gate_plain_after)
		context->ip = (uint64_t)(uintptr_t)gate_plain_window;
	else
		context->ip = (uint64_t)(uintptr_t)gate_call_window;
}

/* The instruction of an application's call: the gate's, or in a patched site's stub. */
static bool is_call(uint64_t ip)
{
	unsigned char code[2];

	if (ip - (uint64_t)(uintptr_t)gate_ops->text < gate_ops->text_size)
		return ip == (uint64_t)(uintptr_t)gate_plain_syscall ||
		       ip == (uint64_t)(uintptr_t)gate_call_syscall;
	return fault_copy(code, (const void *)(uintptr_t)ip, sizeof(code)) == 0 &&
	       code[0] == 0x0f && code[1] == 0x05;
}

/*
 * The kernel has begun a call again, for the sake of our own use of the signal, that the
 * application's handler ends. Behind a syscall instruction rcx is its end; nowhere else. Of
 * the calls that are begun again whatever the handler says, those that lock are met with.
 */
static void end_restarted(const struct target_thread *thread, struct signal_context *context)
{
	const struct kernel_sigaction *action = &thread->actions->app[SIGNAL_AGENT];
	uint64_t operation = context->si & FUTEX_CMD_MASK;
	bool locks = context->ax == SYS_futex && operation != FUTEX_WAIT &&
		     operation != FUTEX_WAIT_BITSET;

	if (!signal_is_handler(action) || (action->flags & SA_RESTART) ||
	    (thread->blocked & SIGNAL_BIT(SIGNAL_AGENT)) || context->cx != context->ip + 2 ||
	    locks || !is_call(context->ip))
		return;
	context->ip += 2;
	context->ax = (uint64_t)-EINTR;
}

/* What is no dispatched call. */
static void arrived(struct target_thread *thread, int sig, siginfo_t *info,
		    struct signal_context *context)
{
	uint64_t mask = context->mask;
	bool inside = gate_until(context->ip, gate_entry, gate_text_end) || thread_on_stack(thread, context->sp);
	if (is_repeated(sig, info) &&
	    (signal_found_again(thread, context) ||
	     fault_take(context, (uint64_t)(uintptr_t)info->si_addr)))
		return;
	if (sig == SIGTRAP && gate_ops->trap && info->si_code > 0 &&
	    gate_ops->trap(thread, context))
		return;
	if (sig == SIGSYS && dispatch_lost(thread, context)) {
		signal_keep(thread, sig, info);
		thread->pending |= PENDING_KEPT;
		return;
	}
	if (is_stop(sig, info))
		begin_again(thread, context);
	else if (sig == SIGNAL_AGENT)
		end_restarted(thread, context);
	if (inside && !signal_convert(thread, context, &mask)) {
		if (is_synchronous(sig, info))
			die(thread, sig, info, true);
		else
			defer(thread, sig, info, context);
		return;
	}
	if (sig == SIGSYS && inside && info->si_code > 0) /* a filter's, of a call that we made */
		info->si_call_addr = (void *)(uintptr_t)context->ip;
	deliver(thread, sig, info, context, mask);
	follow_kept(thread);
}

/* A trap in place of a system call does what dispatch would do. */
static bool trap_arrived(const siginfo_t *info, struct signal_context *context)
{
	uint64_t next = gate_ops->call && info->si_code > 0 ? gate_ops->call(context->ip - 1) : 0;

	if (!next)
		return false;
	context->cx = next;
	context->ip = (uint64_t)(uintptr_t)gate_entry;
	return true;
}

/* For a thread that has left already, while others have not: what the kernel would have done. */
static void deliver_natively(int sig, siginfo_t *info, struct signal_context *context)
{
	struct kernel_sigaction action;

	if (is_stop(sig, info) || sample_is(sig, info))
		return;
	if (sig == SIGTRAP && info->si_code > 0 && gate_ops->trap && gate_ops->trap(NULL, context))
		return;
	action = take_action(NULL, sig);
	if (action.handler == (uint64_t)(uintptr_t)SIG_DFL)
		die(NULL, sig, info, is_repeated(sig, info));
	if (!signal_is_handler(&action))
		return;
	signal_enter_natively(sig, &action, context);
}

/* Whether that is so: the kernel has put its frame on a stack of the application's. */
static bool has_left(const struct signal_context *context)
{
	const struct target_thread *left;

	if (!__atomic_load_n(&leaving, __ATOMIC_ACQUIRE) || thread_here())
		return false;
	left = thread_left();
	return !left || !thread_on_stack(left, (uintptr_t)context);
}

enum signal_way signal_arrived(int sig, siginfo_t *info, struct signal_context *context)
{
	struct target_thread *thread;

	if (gate_ops->back)
		gate_ops->back(context);
	if (has_left(context)) {
		deliver_natively(sig, info, context);
		return SIGNAL_RETURN;
	}
	thread = thread_found(context);
	if (!thread && sample_is(sig, info))
		return SIGNAL_RETURN;
	if (!thread) {
		die(NULL, sig, info, false);
		return SIGNAL_RETURN;
	}
	if (sample_is(sig, info))
		return sample_arrived(thread, info, context) ? SIGNAL_RESUME : SIGNAL_RETURN;
	sample_take_due_at(thread, context);
	if (sig == SIGSYS && dispatch_is_int80(info)) {
		dispatch_int80(context);
		return SIGNAL_RETURN;
	}
	if ((sig == SIGSYS && dispatch_arrived(thread, info, context)) ||
	    (sig == SIGTRAP && trap_arrived(info, context)))
		return signal_is_direct ? SIGNAL_LOAD : SIGNAL_RETURN;
	arrived(thread, sig, info, context);
	return SIGNAL_RETURN;
}
