/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signal_install.c - which handlers, masks and stacks the kernel has, and which the application
 * thinks it has. [runtime]
 *
 * Handlers of the application's are replaced by the agent's; where its end is to be told, what it does
 * not handle gets one too.
 */
#include "agent/signal.h"

#include <errno.h>

#include "agent/gate.h"
#include "map/sys.h"

struct signal_actions signal_of_process;
bool signal_is_direct;

void signal_lock(struct signal_actions *actions)
{
	while (__atomic_exchange_n(&actions->lock, 1, __ATOMIC_ACQUIRE))
		sys_yield();
}

void signal_unlock(struct signal_actions *actions)
{
	__atomic_store_n(&actions->lock, 0, __ATOMIC_RELEASE);
}

void signal_actions_copy(struct signal_actions *to, struct signal_actions *from)
{
	signal_lock(from);
	for (int sig = 1; sig <= SIGNAL_LAST; sig++)
		to->app[sig] = from->app[sig];
	signal_unlock(from);
	to->lock = 0;
}

bool signal_is_handler(const struct kernel_sigaction *action)
{
	return action->handler > 1; /* neither SIG_DFL nor SIG_IGN */
}

/* Mostly for the application, so no filter of its is asked: it would be anyway. */
int64_t signal_kernel_action(int sig, const struct kernel_sigaction *set,
			     struct kernel_sigaction *old)
{
	return sys_make(SYS_rt_sigaction, (uint64_t)sig, (uintptr_t)set, (uintptr_t)old, 8, 0, 0);
}

int64_t signal_kernel_mask(int how, uint64_t set, uint64_t *old)
{
	return sys_make(SYS_rt_sigprocmask, (uint64_t)how, (uintptr_t)&set, (uintptr_t)old, 8, 0, 0);
}

/* Nothing but an end comes of it where nobody handles it. */
bool signal_is_fatal(int sig)
{
	const uint64_t others = SIGNAL_BIT(SIGCHLD) | SIGNAL_BIT(SIGCONT) | SIGNAL_BIT(SIGSTOP) |
				SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGTTIN) | SIGNAL_BIT(SIGTTOU) |
				SIGNAL_BIT(SIGURG) | SIGNAL_BIT(SIGWINCH);

	return !(others & SIGNAL_BIT(sig));
}

/* Then it has a handler of ours where the application has none. */
bool signal_is_told(int sig, const struct kernel_sigaction *app)
{
	return app->handler == (uint64_t)(uintptr_t)SIG_DFL && signal_is_fatal(sig) &&
	       gate_ops->wants_end && gate_ops->wants_end();
}

int64_t signal_install(int sig, const struct kernel_sigaction *app)
{
	const uint64_t kept = SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT;
	struct kernel_sigaction ours = {
		.handler = (uint64_t)(uintptr_t)gate_signal,
		.flags = SA_SIGINFO | SA_ONSTACK | KERNEL_SA_RESTORER | (app->flags & kept),
		.restorer = (uint64_t)(uintptr_t)gate_restorer,
		.mask = (sig == SIGSYS || sig == SIGTRAP) && signal_is_direct ? 0 : SIGNALS_ALL,
	};

	if (sig == SIGNAL_AGENT) /* a call that its handler lets wait on is not to meet another */
		ours.mask |= SIGNAL_BIT(sig);
	else if (SIGNALS_OURS & SIGNAL_BIT(sig))
		ours.flags |= SA_NODEFER;
	else if (!signal_is_handler(app) && !signal_is_told(sig, app))
		return signal_kernel_action(sig, app, NULL);
	if (sig == SIGNAL_AGENT) /* calls are not to know of ours; see end_restarted() */
		ours.flags |= SA_RESTART;
	return signal_kernel_action(sig, &ours, NULL);
}

/*
 * A filter may forbid rt_sigreturn. Dispatched calls and traps for calls then go to the gate without the
 * kernel, so that it must not have blocked anything on the way in. (An application that
 * forbids it has no handlers that return.)
 */
void signal_go_directly(bool so)
{
	if (so == signal_is_direct)
		return;
	signal_is_direct = so;
	signal_install(SIGSYS, &signal_of_process.app[SIGSYS]);
	signal_install(SIGTRAP, &signal_of_process.app[SIGTRAP]);
}

/* --- a process, a thread, a child, an exec --- */

void signal_start(void)
{
	for (int sig = 1; sig <= SIGNAL_LAST; sig++) {
		struct kernel_sigaction *action = &signal_of_process.app[sig];

		if ((SIGNALS_UNBLOCKABLE & SIGNAL_BIT(sig)) || signal_kernel_action(sig, NULL, action) < 0)
			continue;
		if (signal_is_handler(action) || (SIGNALS_OURS & SIGNAL_BIT(sig)) || signal_is_told(sig, action))
			signal_install(sig, action);
	}
}

/* Ours is there for what nobody handles too. */
static bool is_ours(int sig)
{
	struct kernel_sigaction now;

	return signal_kernel_action(sig, NULL, &now) == 0 &&
	       now.handler == (uint64_t)(uintptr_t)gate_signal;
}

/* Only where ours is: who sets what is there already loses what waits, if that is ignored, and
 * that may be what the supervisor waits for (hook/trace.c). */
void signal_stop(void)
{
	for (int sig = 1; sig <= SIGNAL_LAST; sig++)
		if (signal_is_handler(&signal_of_process.app[sig]) || (SIGNALS_OURS & SIGNAL_BIT(sig)) ||
		    (signal_is_fatal(sig) && is_ours(sig)))
			signal_kernel_action(sig, &signal_of_process.app[sig], NULL);
}

void signal_stack_ours(const struct target_thread *thread, struct signal_stack *ours)
{
	*ours = (struct signal_stack){
		.sp = (uint64_t)(uintptr_t)thread->stack - thread->stack_size,
		.size = thread->stack_size,
	};
}

/* Whether the calling thread has left by this record, whose stack the kernel still has for it. */
static bool is_left_on(const struct target_thread *thread, const struct signal_stack *ours)
{
	struct signal_stack now = { 0 };

	return thread->left != 0 && sys_call2(SYS_sigaltstack, NULL, &now) == 0 && now.sp == ours->sp;
}

void signal_thread_left(struct target_thread *thread)
{
	struct signal_stack ours;

	signal_stack_ours(thread, &ours);
	if (is_left_on(thread, &ours) && sys_call2(SYS_sigaltstack, &thread->altstack, NULL) < 0)
		return;
	thread->left = 0;
}

int signal_thread_start(struct target_thread *thread)
{
	struct signal_stack ours;
	uint64_t old = 0;

	signal_stack_ours(thread, &ours);
	thread->actions = &signal_of_process;
	if (!is_left_on(thread, &ours) && sys_call2(SYS_sigaltstack, &ours, &thread->altstack) < 0)
		return -EBUSY;
	thread->left = 0;
	signal_kernel_mask(SIG_UNBLOCK, SIGNALS_OURS, &old);
	thread->blocked = old & SIGNALS_OURS;
	return 0;
}

void signal_thread_stop(struct target_thread *thread)
{
	sys_call2(SYS_sigaltstack, &thread->altstack, NULL);
	signal_kernel_mask(SIG_BLOCK, thread->blocked, NULL);
}

void signal_child(struct target_thread *thread)
{
	struct signal_stack ours;

	if (thread->clone_kind == GATE_CHILD_FORK || thread->clone_kind == GATE_CHILD_VFORK)
		return; /* it has its parent's, at the same address */
	signal_stack_ours(thread, &ours);
	sys_call2(SYS_sigaltstack, &ours, NULL);
}

/* Masks and ignored signals outlive an exec. */
static uint64_t ignored_of_ours(const struct target_thread *thread)
{
	uint64_t ignored = 0;

	for (int sig = 1; sig <= SIGNAL_LAST; sig++)
		if ((SIGNALS_OURS & SIGNAL_BIT(sig)) &&
		    thread->actions->app[sig].handler == (uint64_t)(uintptr_t)SIG_IGN)
			ignored |= SIGNAL_BIT(sig);
	return ignored;
}

void signal_exec(struct target_thread *thread)
{
	uint64_t ignored = ignored_of_ours(thread);

	thread->exec_mask = thread->blocked || ignored;
	if (thread->blocked)
		signal_kernel_mask(SIG_BLOCK, thread->blocked, NULL);
	for (int sig = 1; sig <= SIGNAL_LAST; sig++)
		if (ignored & SIGNAL_BIT(sig))
			signal_kernel_action(sig, &thread->actions->app[sig], NULL);
}

void signal_exec_failed(struct target_thread *thread)
{
	thread->exec_mask = false;
	for (int sig = 1; sig <= SIGNAL_LAST; sig++)
		if (ignored_of_ours(thread) & SIGNAL_BIT(sig))
			signal_install(sig, &thread->actions->app[sig]);
	if (thread->blocked)
		signal_kernel_mask(SIG_UNBLOCK, thread->blocked, NULL);
}
