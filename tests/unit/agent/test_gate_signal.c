/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals: what the application sets it has, and its handlers find what they would find. */
#include "signal_test.h"

#include "map/sys.h"

#include <sys/prctl.h>
#include <sys/resource.h>

static volatile int *volatile bad_address = (int *)0x1238;

/* --- what is set is read back --- */

static void signal__actions_are_read_back_as_they_were_set(void **state)
{
	const int signals[] = { SIGUSR1, SIGSYS, SIGSEGV, SIGBUS, SIGTRAP, SIGRTMIN + 3,
			       SIGRTMAX };

	(void)state;
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		sigset_t mask = set_of(SIGUSR2, SIGSYS);
		struct sigaction old;

		install(signals[i], SA_RESTART | SA_NODEFER | SA_ONSTACK | SA_RESETHAND, &mask);
		assert_int_equal(sigaction(signals[i], NULL, &old), 0);
		assert_ptr_equal(old.sa_sigaction, on_signal);
		assert_int_equal((uint32_t)old.sa_flags,
				 (uint32_t)(SA_SIGINFO | SA_RESTART | SA_NODEFER | SA_ONSTACK | SA_RESETHAND) |
				 (uint32_t)(old.sa_flags & 0x04000000));
		assert_memory_equal(&old.sa_mask, &mask, 8);
		assert_ptr_equal(signal(signals[i], SIG_IGN), on_signal);
		assert_ptr_equal(signal(signals[i], SIG_DFL), SIG_IGN);
		assert_ptr_equal(signal(signals[i], SIG_DFL), SIG_DFL);
	}
	assert_int_equal(sigaction(SIGKILL, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(syscall(SYS_rt_sigaction, SIGUSR1, 8, NULL, 8), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), -1);
	assert_int_equal(errno, EINVAL);
}

static void signal__the_mask_is_what_was_set_though_dispatch_goes_on(void **state)
{
	sigset_t all, old, now;
	uint64_t word = ~0ull, back = 0;

	(void)state;
	sigfillset(&all);
	want(SYS_getuid);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &all, &old), 0);
	syscall(SYS_getuid);
	syscall(SYS_getuid);
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	assert_counted(SYS_getuid, 2, getuid());
	assert_true(sigismember(&now, SIGSYS) && sigismember(&now, SIGSEGV) && sigismember(&now, SIGTRAP));
	assert_true(sigismember(&now, SIGUSR1));
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	assert_memory_equal(&now, &old, 8);
	/* One place for both, and what the kernel says to nonsense. */
	assert_int_equal(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &word, &word, 8), 0);
	assert_int_equal(word, *(uint64_t *)&old);
	assert_int_equal(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, &back, 8), 0);
	assert_int_equal(back, ~0ull & ~(SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP)));
	assert_int_equal(syscall(SYS_rt_sigprocmask, 77, &word, NULL, 8), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 8, NULL, 8), -1);
	assert_int_equal(errno, EFAULT);
	want_nothing();
}

/* --- handlers --- */

static int handled_too;

static void on_another(int sig)
{
	(void)sig;
	handled_too++;
}

#pragma GCC push_options
#pragma GCC target("general-regs-only")
/* Another signal, while the call that leaves the handler is on its way. */
static void exit_meets_signal(struct target_thread *thread, struct target_regs *regs, int64_t result)
{
	count_exit(thread, regs, result);
	if (regs->orig_ax != SYS_rt_sigreturn || counts->left[SYS_rt_sigreturn] != 1)
		return;
	thread->selector = 0; /* not dispatched, as if it were the agent's code */
	sys_make(SYS_tgkill, thread->pid, thread->tid, SIGUSR2, 0, 0, 0);
	thread->selector = 1;
}
#pragma GCC pop_options

static void signal__a_return_that_a_signal_meets_leaves_stack_and_mask(void **state)
{
	const stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	const stack_t none = { .ss_flags = SS_DISABLE };
	sigset_t ours = set_of(SIGTRAP, 0), before, now;
	stack_t after;

	(void)state;
	assert_int_equal(sigaltstack(&stack, NULL), 0);
	pthread_sigmask(SIG_BLOCK, &ours, &before);
	install(SIGUSR1, 0, NULL);
	signal(SIGUSR2, on_another);
	handled_too = 0;
	want(SYS_rt_sigreturn);
	test_ops.exit = exit_meets_signal;
	raise(SIGUSR1);
	test_ops.exit = count_exit;
	want_nothing();
	assert_int_equal(handled, 1);
	assert_int_equal(handled_too, 1);
	assert_int_equal(sigaltstack(&none, &after), 0);
	assert_ptr_equal(after.ss_sp, alternate);
	assert_int_equal(after.ss_size, sizeof(alternate));
	pthread_sigmask(SIG_SETMASK, &before, &now);
	assert_true(sigismember(&now, SIGTRAP));
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
}

static void signal__a_handler_gets_information_context_and_mask(void **state)
{
	sigset_t mask = set_of(SIGUSR2, SIGSEGV), blocked = set_of(SIGHUP, 0), old;
	union sigval value = { .sival_int = 4711 };

	(void)state;
	install(SIGUSR1, 0, &mask);
	pthread_sigmask(SIG_SETMASK, &blocked, &old);
	assert_int_equal(sigqueue(getpid(), SIGUSR1, value), 0);
	assert_int_equal(handled, 1);
	assert_int_equal(handled_info.si_signo, SIGUSR1);
	assert_int_equal(handled_info.si_code, SI_QUEUE);
	assert_int_equal(handled_info.si_pid, getpid());
	assert_int_equal(handled_info.si_value.sival_int, 4711);
	assert_true(sigismember(&handled_mask, SIGUSR1) && sigismember(&handled_mask, SIGUSR2));
	assert_true(sigismember(&handled_mask, SIGHUP) && sigismember(&handled_mask, SIGSEGV));
	assert_false(sigismember(&handled_mask, SIGTERM) || sigismember(&handled_mask, SIGSYS));
	pthread_sigmask(SIG_SETMASK, &old, &mask);
	assert_memory_equal(&mask, &blocked, 8);
	signal(SIGUSR1, SIG_DFL);
}

/* A thread is about to send itself a signal that the agent kept when another one comes. */
static void signal__one_that_was_kept_outlives_one_that_comes_first(void **state)
{
	static struct target_thread thread;
	struct signal_context context = { .ip = (uint64_t)(uintptr_t)gate_send };
	uint64_t mask = 0;

	(void)state;
	thread.send[2] = SIGRTMAX;
	thread.send_info.si_code = SI_USER;
	assert_true(signal_convert(&thread, &context, &mask));
	assert_int_equal(thread.kept, SIGNAL_BIT(SIGRTMAX));
	thread.kept = 0;
	thread.send_info.si_code = SI_QUEUE;
	thread.send_info.si_value.sival_ptr = &gate_ops;
	context.ip = (uint64_t)(uintptr_t)gate_sent - 2;
	assert_true(signal_convert(&thread, &context, &mask));
	assert_true(thread.stopping);
	thread.stopping = false;
	context.ip = (uint64_t)(uintptr_t)gate_sent;
	assert_true(signal_convert(&thread, &context, &mask));
	assert_false(thread.stopping);
	assert_int_equal(thread.kept, 0);
}

/* Its number is not known before the kernel has told it. */
static void signal__a_thread_that_is_just_made_known_is_told_to_leave_later(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct target_thread *thread = thread_new();
		bool early;

		gate_dismiss();
		early = thread->dismissed;
		thread->pid = (uint32_t)getpid();
		thread->tid = (uint32_t)gettid();
		gate_dismiss();
		_exit(!early && thread->dismissed ? 7 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void signal__sa_nodefer_and_sa_resethand(void **state)
{
	struct sigaction old;

	(void)state;
	install(SIGUSR1, SA_NODEFER | SA_RESETHAND, NULL);
	raise(SIGUSR1);
	assert_int_equal(handled, 1);
	assert_false(sigismember(&handled_mask, SIGUSR1));
	sigaction(SIGUSR1, NULL, &old);
	assert_ptr_equal(old.sa_handler, SIG_DFL);
	assert_true(old.sa_flags & SA_RESETHAND);
}

static void signal__alternate_stacks(void **state)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) }, old;

	(void)state;
	assert_int_equal(sigaltstack(NULL, &old), 0);
	assert_int_equal(old.ss_flags, SS_DISABLE);
	assert_int_equal(sigaltstack(&stack, NULL), 0);
	assert_int_equal(sigaltstack(NULL, &old), 0);
	assert_ptr_equal(old.ss_sp, alternate);
	assert_int_equal(old.ss_size, sizeof(alternate));
	assert_int_equal(old.ss_flags, 0);
	install(SIGUSR1, SA_ONSTACK, NULL);
	raise(SIGUSR1);
	assert_true(on_alternate(handled_sp));
	assert_true(on_alternate((uintptr_t)handled_context));
	install(SIGUSR1, 0, NULL);
	raise(SIGUSR1);
	assert_false(on_alternate(handled_sp));
	stack.ss_size = 100;
	assert_int_equal(sigaltstack(&stack, NULL), -1);
	assert_int_equal(errno, ENOMEM);
	stack.ss_flags = 64;
	assert_int_equal(sigaltstack(&stack, NULL), -1);
	assert_int_equal(errno, EINVAL);
	stack.ss_flags = SS_DISABLE;
	assert_int_equal(sigaltstack(&stack, NULL), 0);
	sigaltstack(NULL, &old);
	assert_int_equal(old.ss_flags, SS_DISABLE);
	assert_int_equal(old.ss_size, 0);
	signal(SIGUSR1, SIG_DFL);
}

static stack_t stack_inside;
static int stack_errno;

static void looks_at_its_stack(int sig)
{
	stack_t disable = { .ss_flags = SS_DISABLE };

	(void)sig;
	sigaltstack(NULL, &stack_inside);
	stack_errno = sigaltstack(&disable, NULL) < 0 ? errno : 0;
}

static void signal__on_the_alternate_stack_it_cannot_be_changed(void **state)
{
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) };
	struct sigaction action = { .sa_handler = looks_at_its_stack, .sa_flags = SA_ONSTACK };

	(void)state;
	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	assert_int_equal(stack_inside.ss_flags, SS_ONSTACK);
	assert_int_equal(stack_errno, EPERM);
	stack.ss_flags = (int)(1u << 31); /* SS_AUTODISARM */
	sigaltstack(&stack, NULL);
	raise(SIGUSR1);
	assert_int_equal(stack_inside.ss_flags & SS_DISABLE, SS_DISABLE);
	assert_int_equal(stack_errno, 0);
	sigaltstack(NULL, &stack);
	assert_int_equal((unsigned)stack.ss_flags, 1u << 31); /* armed again behind the handler */
	assert_int_equal(stack.ss_size, sizeof(alternate));
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
	signal(SIGUSR1, SIG_DFL);
}

static void changes_the_registers(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig, (void)info;
	uc->uc_mcontext.gregs[REG_R12] = 0x77;
	uc->uc_mcontext.gregs[REG_RIP] += 2; /* over ud2 */
}

static void signal__a_handler_may_change_the_context_and_vector_state_survives(void **state)
{
	struct sigaction action = { .sa_sigaction = changes_the_registers, .sa_flags = SA_SIGINFO };
	uint64_t r12 = 0, low = 0x1234567, back;

	(void)state;
	sigaction(SIGILL, &action, NULL);
	__asm__ volatile("movq %2, %%xmm9\n"
			 "xor %%r12d, %%r12d\n"
			 "ud2\n"
			 "mov %%r12, %0\n"
			 "movq %%xmm9, %1\n"
			 : "=r"(r12), "=r"(back) : "r"(low) : "r12", "xmm9");
	assert_int_equal(r12, 0x77);
	assert_int_equal(back, low);
	signal(SIGILL, SIG_DFL);
}

static sigjmp_buf jump;

static void jumps(int sig)
{
	siglongjmp(jump, sig);
}

static void signal__handlers_may_jump_out_for_ever(void **state)
{
	struct sigaction action = { .sa_handler = jumps };
	volatile int i;

	(void)state;
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	want(SYS_getuid);
	for (i = 0; i < 3000; i++) {
		if (sigsetjmp(jump, 1) == 0) {
			if (i & 1)
				raise(SIGUSR1);
			else
				*bad_address = 1;
			fail();
		}
		syscall(SYS_getuid);
	}
	assert_counted(SYS_getuid, 3000, getuid());
	want_nothing();
	signal(SIGSEGV, SIG_DFL);
	signal(SIGUSR1, SIG_DFL);
}

static void nests(int sig)
{
	handled++;
	if (sig == SIGUSR1)
		raise(SIGUSR2);
	handled_nested += sig == SIGUSR2;
	syscall(SYS_getuid);
}

static void signal__handlers_nest_and_call(void **state)
{
	(void)state;
	handled = handled_nested = 0;
	signal(SIGUSR1, nests);
	signal(SIGUSR2, nests);
	want(SYS_getuid);
	for (int i = 0; i < 100; i++)
		raise(SIGUSR1);
	assert_int_equal(handled, 200);
	assert_int_equal(handled_nested, 100);
	assert_int_equal(counts->entered[SYS_getuid], 200);
	want_nothing();
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
}

/* --- faults of the application --- */

static void signal__a_fault_reaches_its_handler_with_its_address(void **state)
{
	(void)state;
	install(SIGSEGV, SA_RESETHAND, NULL);
	if (sigsetjmp(jump, 1) == 0) {
		struct sigaction action = { .sa_handler = jumps };

		sigaction(SIGSEGV, &action, NULL);
		*bad_address = 1;
	}
	install(SIGTRAP, 0, NULL);
	__asm__ volatile("int3");
	assert_int_equal(handled, 1);
	assert_int_equal(handled_info.si_code, SI_KERNEL);
	assert_int_equal(kill(getpid(), SIGTRAP), 0);
	assert_int_equal(handled, 2);
	assert_int_equal(handled_info.si_code, SI_USER);
	signal(SIGTRAP, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
}

static void die_by_fault(void) { *bad_address = 1; }
static void die_by_trap(void) { __asm__ volatile("int3"); }
static void die_by_raise_sys(void) { raise(SIGSYS); }
static void die_by_kill_segv(void) { kill(getpid(), SIGSEGV); }
static void die_by_abort(void) { abort(); }
static void die_by_usr1(void) { raise(SIGUSR1); }

static void die_by_blocked_fault(void)
{
	sigset_t set = set_of(SIGSEGV, 0);

	signal(SIGSEGV, jumps);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	*bad_address = 1;
}

static void die_by_ignored_fault(void)
{
	signal(SIGSEGV, SIG_IGN);
	raise(SIGSEGV); /* ignored */
	*bad_address = 1;
}

static void die_by_no_stack(void)
{
	install(SIGUSR1, 0, NULL);
	__asm__ volatile("mov $4096, %%rsp\n mov $39, %%eax\n syscall\n mov %%eax, %%edi\n"
			 "mov $10, %%esi\n mov $62, %%eax\n syscall\n" ::: "memory");
}

static void signal__what_nobody_handles_kills_with_its_own_status(void **state)
{
	static const struct { void (*die)(void); int sig; } deaths[] = {
		{ die_by_fault, SIGSEGV }, { die_by_trap, SIGTRAP }, { die_by_raise_sys, SIGSYS },
		{ die_by_kill_segv, SIGSEGV }, { die_by_abort, SIGABRT }, { die_by_usr1, SIGUSR1 },
		{ die_by_blocked_fault, SIGSEGV }, { die_by_ignored_fault, SIGSEGV },
		{ die_by_no_stack, SIGSEGV },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(deaths) / sizeof(*deaths); i++) {
		int status = 0;
		pid_t pid = fork();

		if (pid == 0) {
			setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
			for (int sig = 1; sig < NSIG; sig++)
				signal(sig, SIG_DFL); /* cmocka handles some */
			deaths[i].die();
			_exit(1);
		}
		waitpid(pid, &status, 0);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != deaths[i].sig)
			fail_msg("death %zu: status %#x", i, status);
	}
}

/* --- exec --- */

static void signal__masks_and_ignored_signals_go_through_exec(void **state)
{
	int fds[2], status;
	char text[4096] = "";
	ssize_t size, at = 0;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		sigset_t set = set_of(SIGSYS, SIGHUP);

		sigprocmask(SIG_SETMASK, &set, NULL);
		for (int sig = 1; sig < NSIG; sig++)
			signal(sig, SIG_DFL); /* whoever runs this may ignore some */
		signal(SIGTRAP, SIG_IGN);
		signal(SIGUSR1, SIG_IGN);
		execl("/nonexistent", "x", NULL);
		syscall(SYS_getuid); /* dispatch works again after the exec that failed */
		dup2(fds[1], 1);
		execl("/bin/cat", "cat", "/proc/self/status", NULL);
		_exit(1);
	}
	close(fds[1]);
	while ((size = read(fds[0], text + at, sizeof(text) - 1 - (size_t)at)) > 0)
		at += size;
	close(fds[0]);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_non_null(strstr(text, "SigBlk:\t0000000040000001"));
	assert_non_null(strstr(text, "SigIgn:\t0000000000000210"));
	assert_non_null(strstr(text, "SigCgt:\t0000000000000000"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signal__actions_are_read_back_as_they_were_set),
		cmocka_unit_test(signal__the_mask_is_what_was_set_though_dispatch_goes_on),
		cmocka_unit_test(signal__a_handler_gets_information_context_and_mask),
		cmocka_unit_test(signal__a_return_that_a_signal_meets_leaves_stack_and_mask),
		cmocka_unit_test(signal__one_that_was_kept_outlives_one_that_comes_first),
		cmocka_unit_test(signal__a_thread_that_is_just_made_known_is_told_to_leave_later),
		cmocka_unit_test(signal__sa_nodefer_and_sa_resethand),
		cmocka_unit_test(signal__alternate_stacks),
		cmocka_unit_test(signal__on_the_alternate_stack_it_cannot_be_changed),
		cmocka_unit_test(signal__a_handler_may_change_the_context_and_vector_state_survives),
		cmocka_unit_test(signal__handlers_may_jump_out_for_ever),
		cmocka_unit_test(signal__handlers_nest_and_call),
		cmocka_unit_test(signal__a_fault_reaches_its_handler_with_its_address),
		cmocka_unit_test(signal__what_nobody_handles_kills_with_its_own_status),
		cmocka_unit_test(signal__masks_and_ignored_signals_go_through_exec),
	};

	return cmocka_run_group_tests(tests, gate_setup, NULL);
}
