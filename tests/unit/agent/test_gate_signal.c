/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals: what the application sets it has, and its handlers find what they would find. */
#include "gate_test.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

static volatile sig_atomic_t handled, handled_sig, handled_nested;
static siginfo_t handled_info;
static sigset_t handled_mask;     /* in the handler */
static ucontext_t *volatile handled_context;
static uintptr_t handled_sp;

static volatile int *volatile bad_address = (int *)0x1238;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	handled++;
	handled_sig = sig;
	handled_info = *info;
	handled_context = context;
	handled_sp = (uintptr_t)__builtin_frame_address(0);
	pthread_sigmask(SIG_BLOCK, NULL, &handled_mask);
}

static void install(int sig, int flags, const sigset_t *mask)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags };

	if (mask)
		action.sa_mask = *mask;
	handled = 0;
	assert_int_equal(sigaction(sig, &action, NULL), 0);
}

static sigset_t set_of(int a, int b)
{
	sigset_t set;

	sigemptyset(&set);
	if (a)
		sigaddset(&set, a);
	if (b)
		sigaddset(&set, b);
	return set;
}

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

static char alternate[65536] __attribute__((aligned(16)));

static bool on_alternate(uintptr_t sp)
{
	return sp >= (uintptr_t)alternate && sp < (uintptr_t)alternate + sizeof(alternate);
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

static void nothing_done(int sig)
{
	(void)sig;
	handled++;
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
	assert_true(handled > 1000);
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

/* --- filters and cancellation --- */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signal__actions_are_read_back_as_they_were_set),
		cmocka_unit_test(signal__the_mask_is_what_was_set_though_dispatch_goes_on),
		cmocka_unit_test(signal__a_handler_gets_information_context_and_mask),
		cmocka_unit_test(signal__sa_nodefer_and_sa_resethand),
		cmocka_unit_test(signal__alternate_stacks),
		cmocka_unit_test(signal__on_the_alternate_stack_it_cannot_be_changed),
		cmocka_unit_test(signal__a_handler_may_change_the_context_and_vector_state_survives),
		cmocka_unit_test(signal__handlers_may_jump_out_for_ever),
		cmocka_unit_test(signal__handlers_nest_and_call),
		cmocka_unit_test(signal__a_fault_reaches_its_handler_with_its_address),
		cmocka_unit_test(signal__what_nobody_handles_kills_with_its_own_status),
		cmocka_unit_test(signal__a_call_that_waits_ends_with_eintr),
		cmocka_unit_test(signal__sa_restart_restarts),
		cmocka_unit_test(signal__one_that_comes_while_the_agent_runs_waits_for_its_end),
		cmocka_unit_test(signal__a_storm_of_signals_changes_no_result),
		cmocka_unit_test(signal__blocked_ones_of_ours_wait_and_are_pending),
		cmocka_unit_test(signal__behind_a_syscall_instruction_the_gate_knows_whether_it_made_the_call),
		cmocka_unit_test(signal__a_sigsys_sent_by_others_costs_no_call),
		cmocka_unit_test(signal__signalfd_reads_what_is_blocked),
		cmocka_unit_test(signal__masks_and_ignored_signals_go_through_exec),
		cmocka_unit_test(signal__a_filter_that_kills_meets_no_call_of_ours),
		cmocka_unit_test(signal__a_sandbox_without_sigreturn_is_no_obstacle),
		cmocka_unit_test(signal__threads_are_cancelled_in_a_call_and_anywhere),
		cmocka_unit_test(signal__an_application_that_dispatches_itself_is_left_alone),
		cmocka_unit_test(signal__stopping_gives_everything_back),
	};

	return cmocka_run_group_tests(tests, gate_setup, NULL);
}
