/* SPDX-License-Identifier: BSD-2-Clause */
/* Applications with filters or a dispatch of their own, cancelled threads, and the end of the gate. */
#include "signal_test.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

/* --- filters and cancellation --- */

static int pipe_fd[2];

static void traps(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	handled++;
	handled_sig = sig;
	handled_info = *info;
	uc->uc_mcontext.gregs[REG_RAX] = 1000 + info->si_syscall;
}

static void in_a_sandbox(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getuid, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };
	struct sigaction action = { .sa_sigaction = traps, .sa_flags = SA_SIGINFO };

	sigaction(SIGSYS, &action, NULL);
	want(SYS_getuid);
	want(SYS_getppid);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(2);
	if (syscall(SYS_getuid) < 0)
		_exit(3);
	if (syscall(SYS_getppid) != 1000 + SYS_getppid || handled_info.si_code != 1)
		_exit(4);
	if (counts->entered[SYS_getuid] != 1)
		_exit(5);
	_exit(syscall(SYS_getuid) >= 0 ? 42 : 6);
}

static void signal__a_filter_that_kills_meets_no_call_of_ours(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		in_a_sandbox();
	waitpid(pid, &status, 0);
	want_nothing();
	assert_int_equal(status, 42 << 8);
}

/* Only two calls are allowed; a child of the allowed clone gets no call of ours either. */
static void in_a_strict_sandbox(bool children)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getuid, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, children ? SYS_fork : SYS_getuid, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };
	int status = 42;

	want(SYS_getuid);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	/* One that the kernel refuses does not count. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 1u << 31, &program) != -1)
		_exit(2);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		_exit(3);
	for (int i = 0; i < 10; i++)
		if (syscall(SYS_getuid) < 0)
			_exit(4);
	if (counts->entered[SYS_getuid] != 10)
		_exit(5);
	if (children && syscall(SYS_fork) == 0)
		_exit(syscall(SYS_getuid) < 0);
	_exit(status);
}

static void signal__a_sandbox_without_sigreturn_is_no_obstacle(void **state)
{
	(void)state;
	for (int children = 0; children < 2; children++) {
		int status;
		pid_t pid = fork();

		if (pid == 0)
			in_a_strict_sandbox(children);
		waitpid(pid, &status, 0);
		want_nothing();
		assert_int_equal(status, 42 << 8);
	}
}

static volatile int cleaned;

static void clean(void *arg)
{
	(void)arg;
	cleaned++;
}

static void *waits_for_ever(void *arg)
{
	char c;

	pthread_cleanup_push(clean, NULL);
	if (arg)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;)
		if (arg)
			__asm__ volatile("pause");
		else
			read(pipe_fd[0], &c, 1);
	pthread_cleanup_pop(0);
	return NULL;
}

static void signal__threads_are_cancelled_in_a_call_and_anywhere(void **state)
{
	(void)state;
	assert_int_equal(pipe(pipe_fd), 0);
	for (long type = 0; type < 2; type++) {
		pthread_t thread;
		void *result;

		cleaned = 0;
		pthread_create(&thread, NULL, waits_for_ever, (void *)type);
		usleep(20000);
		assert_int_equal(pthread_cancel(thread), 0);
		assert_int_equal(pthread_join(thread, &result), 0);
		assert_ptr_equal(result, PTHREAD_CANCELED);
		assert_int_equal(cleaned, 1);
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* --- others' dispatch, and the end --- */

static void uses_dispatch_itself(void)
{
	static volatile char selector = 0;
	struct sigaction action = { .sa_sigaction = traps, .sa_flags = SA_SIGINFO };

	sigaction(SIGSYS, &action, NULL);
	if (syscall(SYS_prctl, 59, 1, 0, 0, &selector) != 0)
		_exit(2);
	selector = 1;
	/* its own handler's return is dispatched too, unless it turns that off */
	_exit(counts->asides == 1 && counts->aside == GATE_ASIDE_DISPATCH ? 42 : 3);
}

static void traps_and_allows(int sig, siginfo_t *info, void *context)
{
	traps(sig, info, context);
}

static void signal__an_application_that_dispatches_itself_is_left_alone(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	counts->asides = 0;
	pid = fork();
	if (pid == 0) {
		static volatile char selector = 0;
		struct sigaction action = { .sa_sigaction = traps_and_allows, .sa_flags = SA_SIGINFO };
		long got;

		sigaction(SIGSYS, &action, NULL);
		handled = 0;
		if (syscall(SYS_prctl, 59, 1, 0, 0, &selector) != 0)
			_exit(2);
		got = syscall(SYS_getuid); /* allowed: plain */
		if (got != getuid() || counts->asides != 1 || counts->aside != GATE_ASIDE_DISPATCH)
			_exit(3);
		if (syscall(SYS_prctl, 59, 0, 0, 0, 0) != 0)
			_exit(4);
		_exit(42);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 42 << 8);
	(void)uses_dispatch_itself;
}

static volatile int stop_now;

static void *calls_until_told(void *arg)
{
	while (!stop_now)
		syscall(SYS_getuid);
	return arg;
}

static void *sleeps_until_told(void *arg)
{
	char c;

	return read(pipe_fd[0], &c, 1) == 1 ? arg : NULL;
}

static void signal__stopping_gives_everything_back(void **state)
{
	pthread_t busy, asleep;
	struct sigaction old;
	void (*system_handler)(int) = signal(SIGSYS, SIG_DFL);
	uint32_t counted;
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof(alternate) }, now;
	sigset_t set = set_of(SIGSYS, SIGHUP), mask;
	void *result;

	(void)state;
	signal(SIGSYS, system_handler);
	assert_int_equal(pipe(pipe_fd), 0);
	sigaltstack(&stack, NULL);
	install(SIGUSR1, SA_ONSTACK, NULL);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	pthread_create(&busy, NULL, calls_until_told, NULL);
	pthread_create(&asleep, NULL, sleeps_until_told, (void *)1);
	usleep(20000);
	want(SYS_getuid);
	assert_int_equal(gate_stop(), 0);
	counted = counts->entered[SYS_getuid];
	usleep(10000);
	syscall(SYS_getuid);
	assert_int_equal(counts->entered[SYS_getuid], counted);
	assert_int_equal(thread_count(), 0);
	sigaction(SIGUSR1, NULL, &old);
	assert_ptr_equal(old.sa_sigaction, on_signal);
	sigaction(SIGSYS, NULL, &old);
	assert_ptr_equal(old.sa_handler, system_handler);
	sigaltstack(NULL, &now);
	assert_ptr_equal(now.ss_sp, alternate);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	assert_memory_equal(&mask, &set, 8);
	raise(SIGUSR1);
	assert_true(on_alternate(handled_sp));
	stop_now = 1;
	assert_int_equal(write(pipe_fd[1], "x", 1), 1);
	pthread_join(busy, &result);
	pthread_join(asleep, &result);
	assert_ptr_equal(result, (void *)1);
	assert_int_equal(gate_stop(), -EALREADY);
	/* And again. */
	assert_int_equal(gate_start(&test_ops), 0);
	want(SYS_getuid);
	syscall(SYS_getuid);
	assert_counted(SYS_getuid, 1, getuid());
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	assert_memory_equal(&mask, &set, 8);
	want_nothing();
	sigemptyset(&set);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
}

#pragma GCC push_options
#pragma GCC target("general-regs-only")
static bool yes(void)
{
	return true;
}
#pragma GCC pop_options

/* What has no handler has one of ours while the end of the process is to be told. */
static void signal__stopping_leaves_no_handler_of_ours(void **state)
{
	struct sigaction old;

	(void)state;
	assert_int_equal(gate_stop(), 0);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_IGN);
	test_ops.wants_end = yes;
	assert_int_equal(gate_start(&test_ops), 0);
	assert_int_equal(gate_stop(), 0);
	test_ops.wants_end = NULL;
	for (int sig = 1; sig < NSIG; sig++) {
		if (sigaction(sig, NULL, &old) < 0)
			continue;
		if ((const char *)old.sa_handler == gate_signal)
			fail_msg("signal %d has a handler of ours", sig);
	}
	sigaction(SIGTERM, NULL, &old);
	assert_ptr_equal(old.sa_handler, SIG_DFL);
	sigaction(SIGHUP, NULL, &old);
	assert_ptr_equal(old.sa_handler, SIG_IGN);
	signal(SIGHUP, SIG_DFL);
	assert_int_equal(gate_start(&test_ops), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signal__a_filter_that_kills_meets_no_call_of_ours),
		cmocka_unit_test(signal__a_sandbox_without_sigreturn_is_no_obstacle),
		cmocka_unit_test(signal__threads_are_cancelled_in_a_call_and_anywhere),
		cmocka_unit_test(signal__an_application_that_dispatches_itself_is_left_alone),
		cmocka_unit_test(signal__stopping_gives_everything_back),
		cmocka_unit_test(signal__stopping_leaves_no_handler_of_ours),
	};

	return cmocka_run_group_tests(tests, gate_setup, NULL);
}
