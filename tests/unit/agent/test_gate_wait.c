/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals that end a wait, come in storms, are pending, or come while the agent runs. */
#include "signal_test.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <time.h>

/* --- calls that wait --- */

static void in_a_moment(int sig_of_timer)
{
	struct itimerval timer = { .it_value = { 0, 30000 } };

	(void)sig_of_timer;
	setitimer(ITIMER_REAL, &timer, NULL);
}

static int pipe_fd[2];

static long read_pipe(void) { char c; return read(pipe_fd[0], &c, 1); }
static long do_pause(void) { return pause(); }
static long do_poll(void) { struct pollfd p = { pipe_fd[0], POLLIN, 0 }; return poll(&p, 1, 5000); }
static long do_sleep(void) { struct timespec t = { 5, 0 }; return syscall(SYS_nanosleep, &t, NULL); }
static long do_ppoll(void)
{
	struct timespec t = { 5, 0 };
	sigset_t mask = set_of(SIGUSR2, SIGSYS);

	return ppoll(NULL, 0, &t, &mask);
}
static long do_pselect(void)
{
	struct timespec t = { 5, 0 };
	sigset_t mask = set_of(SIGUSR2, SIGSEGV);

	return pselect(0, NULL, NULL, NULL, &t, &mask);
}
static long do_suspend(void) { sigset_t mask = set_of(SIGUSR2, SIGSYS); return sigsuspend(&mask); }
static long do_epoll(void)
{
	struct epoll_event event;
	sigset_t mask = set_of(SIGUSR2, SIGBUS);
	int fd = epoll_create1(0);
	long result = epoll_pwait(fd, &event, 1, 5000, &mask);
	int error = errno;

	close(fd);
	errno = error;
	return result;
}
static long do_futex(void) { int word = 0; return syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL); }

static void signal__a_call_that_waits_ends_with_eintr(void **state)
{
	static long (*const calls[])(void) = { read_pipe, do_pause, do_poll, do_sleep, do_ppoll,
					       do_pselect, do_suspend, do_epoll, do_futex };
	sigset_t alarm = set_of(SIGALRM, 0), old;

	(void)state;
	assert_int_equal(pipe(pipe_fd), 0);
	for (int wanted = 0; wanted < 2; wanted++)
		for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
			bool masked = i >= 4 && i <= 7;

			install(SIGALRM, 0, NULL);
			if (masked) /* let in by the call's own mask only */
				pthread_sigmask(SIG_BLOCK, &alarm, &old);
			if (wanted)
				memset(counts->wanted, 0xff, sizeof(counts->wanted));
			in_a_moment(0);
			errno = 0;
			if (calls[i]() != -1 || errno != EINTR || handled != 1)
				fail_msg("call %zu: errno %d, handled %d", i, errno, handled);
			want_nothing();
			assert_int_equal(sigismember(&handled_mask, SIGUSR2), masked);
			if (masked) {
				sigset_t now;

				pthread_sigmask(SIG_SETMASK, &old, &now);
				assert_true(sigismember(&now, SIGALRM));
				assert_false(sigismember(&now, SIGUSR2));
			}
		}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	signal(SIGALRM, SIG_DFL);
}

static void writes_to_the_pipe(int sig)
{
	(void)sig;
	handled++;
	assert_int_equal(write(pipe_fd[1], "x", 1), 1);
}

static void signal__sa_restart_restarts(void **state)
{
	struct sigaction action = { .sa_handler = writes_to_the_pipe, .sa_flags = SA_RESTART };

	(void)state;
	assert_int_equal(pipe(pipe_fd), 0);
	sigaction(SIGALRM, &action, NULL);
	for (int wanted = 0; wanted < 2; wanted++) {
		handled = 0;
		if (wanted)
			want(SYS_read);
		in_a_moment(0);
		assert_int_equal(read_pipe(), 1);
		assert_int_equal(handled, 1);
	}
	assert_int_equal(counts->entered[SYS_read], 2); /* as Linux counts it: twice entered */
	assert_int_equal(counts->left[SYS_read], 2);
	assert_int_equal(counts->result[SYS_read], 1);
	want_nothing();
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	signal(SIGALRM, SIG_DFL);
}

static volatile uint32_t hook_spins;

#pragma GCC push_options
#pragma GCC target("general-regs-only")
static bool slow_enter(struct target_thread *thread, struct target_regs *regs)
{
	int before = handled;

	for (hook_spins = 0; hook_spins < 300000; hook_spins++)
		if (handled != before)
			counts->odd++; /* an application's handler ran in the middle of us */
	(void)thread, (void)regs;
	return true;
}
#pragma GCC pop_options

static void signal__one_that_comes_while_the_agent_runs_waits_for_its_end(void **state)
{
	struct itimerval timer = { .it_value = { 0, 50 } };
	long uid = getuid();

	(void)state;
	counts->odd = 0;
	install(SIGALRM, 0, NULL);
	want(SYS_getuid);
	test_ops.enter = slow_enter;
	for (int i = 0; i < 100; i++) {
		sigset_t now;

		handled = 0;
		setitimer(ITIMER_REAL, &timer, NULL);
		assert_int_equal(syscall(SYS_getuid), uid);
		assert_int_equal(handled, 1);
		pthread_sigmask(SIG_BLOCK, NULL, &now);
		assert_false(sigismember(&now, SIGALRM) || sigismember(&now, SIGTERM));
	}
	test_ops.enter = count_enter;
	assert_int_equal(counts->odd, 0);
	assert_false(gate_entry <= (const char *)handled_context && (const char *)handled_context < gate_text_end);
	want_nothing();
	signal(SIGALRM, SIG_DFL);
}

/* One that waits would be interrupted, and begun again; no other is, whatever comes. */
static void signal__a_call_that_does_not_wait_is_seen_once_though_signals_come(void **state)
{
	struct itimerval timer = { { 0, 60 }, { 0, 60 } }, none = { { 0, 0 }, { 0, 0 } };
	time_t end = time(NULL) + 2;
	uint32_t calls = 0;

	(void)state;
	handled = 0;
	install(SIGALRM, 0, NULL);
	want(SYS_getpriority);
	counts->wanted[SYS_openat / 64] |= 1ull << SYS_openat % 64;
	counts->entered[SYS_openat] = counts->left[SYS_openat] = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
	for (; time(NULL) < end; calls++) {
		int file = open("/proc/self/exe", O_RDONLY);

		if (file < 0 || syscall(SYS_getpriority, 0x5eed, 0) != -1 || errno != EINVAL)
			fail_msg("after %u calls", calls);
		close(file);
	}
	setitimer(ITIMER_REAL, &none, NULL);
	assert_true(handled > 10);
	assert_int_equal(counts->entered[SYS_getpriority], calls);
	assert_int_equal(counts->left[SYS_getpriority], calls);
	assert_int_equal(counts->entered[SYS_openat], calls);
	assert_int_equal(counts->left[SYS_openat], calls);
	want_nothing();
	signal(SIGALRM, SIG_DFL);
}

/* A storm: at every instruction of the gate, sooner or later. */
static void signal__a_storm_of_signals_changes_no_result(void **state)
{
	struct itimerval timer = { { 0, 100 }, { 0, 100 } }, none = { { 0, 0 }, { 0, 0 } };
	sigset_t empty = set_of(0, 0), old;
	time_t end = time(NULL) + 4;
	uint64_t calls = 0;

	(void)state;
	install(SIGALRM, SA_RESTART, NULL);
	install(SIGPROF, SA_RESTART, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	setitimer(ITIMER_PROF, &timer, NULL);
	while (time(NULL) < end) {
		want_nothing();
		if (calls & 64) {
			counts->wanted[SYS_getppid / 64] |= 1ull << SYS_getppid % 64;
			counts->wanted[SYS_rt_sigprocmask / 64] |= 1ull << SYS_rt_sigprocmask % 64;
			counts->wanted[SYS_rt_sigreturn / 64] |= 1ull << SYS_rt_sigreturn % 64;
		}
		if (syscall(SYS_getppid) != getppid() || syscall(SYS_lseek, -1, 0, 0) != -1 || errno != EBADF)
			fail();
		if (pthread_sigmask(SIG_SETMASK, &empty, &old) != 0 || *(uint64_t *)&old != 0)
			fail_msg("mask %lx after %lu calls", *(uint64_t *)&old, calls);
		calls++;
	}
	setitimer(ITIMER_REAL, &none, NULL);
	setitimer(ITIMER_PROF, &none, NULL);
	assert_true(handled > 100);
	assert_int_equal(thread_here()->pending, 0);
	want_nothing();
	signal(SIGALRM, SIG_DFL);
	signal(SIGPROF, SIG_DFL);
}

static void signal__blocked_ones_of_ours_wait_and_are_pending(void **state)
{
	sigset_t set = set_of(SIGSEGV, SIGSYS), old, pending;

	(void)state;
	install(SIGSEGV, 0, NULL);
	install(SIGSYS, 0, NULL);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	kill(getpid(), SIGSEGV);
	raise(SIGSYS);
	raise(SIGSYS);
	assert_int_equal(handled, 0);
	sigpending(&pending);
	assert_true(sigismember(&pending, SIGSEGV) && sigismember(&pending, SIGSYS));
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	assert_int_equal(handled, 2);
	sigpending(&pending);
	assert_false(sigismember(&pending, SIGSEGV) || sigismember(&pending, SIGSYS));
	signal(SIGSEGV, SIG_DFL);
	signal(SIGSYS, SIG_DFL);
}

static void *sends_sys(void *arg)
{
	for (int i = 0; i < 20000; i++)
		syscall(SYS_tgkill, getpid(), (pid_t)(intptr_t)arg, SIGSYS);
	return (void *)20000;
}

/* The kernel drops the dispatch's own SIGSYS where another is pending. */
static void signal__behind_a_syscall_instruction_the_gate_knows_whether_it_made_the_call(void **state)
{
	static const unsigned char code[] = { 0x0f, 0x05, 0x90, 0x90, 0xcc };
	uint64_t behind = (uintptr_t)code + 2;
	struct signal_context context = { .ip = behind, .cx = behind, .r11 = 0x246, .ax = SYS_getuid };
	struct target_thread *self = thread_here();

	(void)state;
	assert_true(dispatch_lost(self, &context));
	assert_int_equal(context.ip, (uintptr_t)gate_entry);
	assert_int_equal(context.cx, behind);
	context = (struct signal_context){ .ip = behind, .cx = behind, .r11 = 0x244 };
	assert_false(dispatch_lost(self, &context)); /* as the gate leaves it */
	context = (struct signal_context){ .ip = behind, .cx = behind + 1, .r11 = 0x246 };
	assert_false(dispatch_lost(self, &context));
	context = (struct signal_context){ .ip = behind + 2, .cx = behind + 2, .r11 = 0x246 };
	assert_false(dispatch_lost(self, &context));
	context = (struct signal_context){ .ip = 4096, .cx = 4096, .r11 = 0x246 };
	assert_false(dispatch_lost(self, &context));
}

static void signal__a_sigsys_sent_by_others_costs_no_call(void **state)
{
	struct sigaction action = { .sa_handler = nothing_done };
	pthread_t thread;
	void *result;

	(void)state;
	handled = 0;
	sigaction(SIGSYS, &action, NULL);
	pthread_create(&thread, NULL, sends_sys, (void *)(intptr_t)gettid());
	for (int i = 0; i < 100000 || handled == 0; i++)
		if (syscall(SYS_lseek, -1, 0, 0) != -1 || errno != EBADF)
			fail_msg("after %d calls and %d signals", i, handled);
	pthread_join(thread, &result);
	assert_true(handled > 10);
	signal(SIGSYS, SIG_DFL);
}

static void signal__signalfd_reads_what_is_blocked(void **state)
{
	sigset_t set = set_of(SIGUSR1, SIGRTMIN), old;
	struct signalfd_siginfo info;
	int fd = signalfd(-1, &set, SFD_CLOEXEC);

	(void)state;
	pthread_sigmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR1);
	assert_int_equal(read(fd, &info, sizeof(info)), sizeof(info));
	assert_int_equal(info.ssi_signo, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signal__a_call_that_waits_ends_with_eintr),
		cmocka_unit_test(signal__sa_restart_restarts),
		cmocka_unit_test(signal__one_that_comes_while_the_agent_runs_waits_for_its_end),
		cmocka_unit_test(signal__a_call_that_does_not_wait_is_seen_once_though_signals_come),
		cmocka_unit_test(signal__a_storm_of_signals_changes_no_result),
		cmocka_unit_test(signal__blocked_ones_of_ours_wait_and_are_pending),
		cmocka_unit_test(signal__behind_a_syscall_instruction_the_gate_knows_whether_it_made_the_call),
		cmocka_unit_test(signal__a_sigsys_sent_by_others_costs_no_call),
		cmocka_unit_test(signal__signalfd_reads_what_is_blocked),
	};

	return cmocka_run_group_tests(tests, gate_setup, NULL);
}
