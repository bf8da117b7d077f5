/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads and processes made behind the gate are followed, each on its own record. */
#include "gate_test.h"

#include <asm/prctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

extern char **environ;

static void *calls_of_a_thread(void *arg)
{
	long times = (long)arg;

	for (long i = 0; i < times; i++)
		syscall(SYS_getppid);
	return (void *)(syscall(SYS_gettid) + 0);
}

static void gate__calls_of_threads_are_counted(void **state)
{
	pthread_t thread[4];
	void *tid;

	(void)state;
	want(SYS_getppid);
	counts->children[GATE_CHILD_THREAD] = counts->forked[GATE_CHILD_THREAD] = 0;
	counts->leaving = 0;
	for (long i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, calls_of_a_thread, (void *)100), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(thread[i], &tid);
		assert_true((long)tid > getpid());
	}
	assert_counted(SYS_getppid, 400, getppid());
	assert_int_equal(counts->children[GATE_CHILD_THREAD], 4);
	assert_int_equal(counts->forked[GATE_CHILD_THREAD], 4);
	assert_int_equal(counts->leaving, 4);
	want_nothing();
}

static uint32_t records(void)
{
	uint32_t count = 0;

	for (struct target_thread *thread = thread_list; thread; thread = thread->next)
		count++;
	return count;
}

static void gate__a_thousand_threads_leave_nothing_behind(void **state)
{
	uint32_t before = 0;

	(void)state;
	for (int round = 0; round < 250; round++) {
		pthread_t thread[4];

		for (int i = 0; i < 4; i++)
			assert_int_equal(pthread_create(&thread[i], NULL, calls_of_a_thread, (void *)1), 0);
		for (int i = 0; i < 4; i++)
			pthread_join(thread[i], NULL);
		if (round == 20)
			before = records();
	}
	/* A thread that is joined may still be on its way out when the next starts. */
	assert_true(records() <= before + 4);
	for (int i = 0; i < 100 && thread_count() > 1; i++)
		usleep(1000);
	assert_int_equal(thread_count(), 1);
}

static void expect_status(pid_t pid, int status)
{
	int got;

	assert_int_equal(waitpid(pid, &got, 0), pid);
	assert_int_equal(got, status << 8);
}

static void gate__a_forked_child_is_seen_and_knows_its_own_pid(void **state)
{
	pid_t pid;

	(void)state;
	want(SYS_getuid);
	counts->children[GATE_CHILD_FORK] = 0;
	counts->leaving_whole = 0;
	pid = fork();
	if (pid == 0) {
		struct target_thread *self = thread_here();
		int good = self && self->pid == (uint32_t)getpid() && self->tid == (uint32_t)gettid();

		syscall(SYS_getuid);
		_exit(good && thread_count() == 1 ? 7 : 1);
	}
	assert_int_equal(counts->child, pid);
	expect_status(pid, 7);
	assert_counted(SYS_getuid, 1, getuid());
	assert_int_equal(counts->children[GATE_CHILD_FORK], 1);
	assert_int_equal(counts->leaving_whole, 1);
	assert_int_equal(counts->status, 7);
	assert_int_equal(thread_here()->pid, getpid());
	want_nothing();
}

static void gate__fork_reports_its_result_in_parent_and_child(void **state)
{
	pid_t pid;

	(void)state;
	want(SYS_clone);
	want(SYS_getgid);
	pid = fork();
	if (pid == 0) {
		pid_t grandchild = fork();

		syscall(SYS_getgid);
		if (grandchild == 0)
			_exit(0);
		waitpid(grandchild, NULL, 0);
		_exit(0);
	}
	expect_status(pid, 0);
	assert_int_equal(counts->entered[SYS_clone], 2);
	assert_int_equal(counts->left[SYS_clone], 4); /* each of them returns twice */
	assert_int_equal(counts->entered[SYS_getgid], 2);
	want_nothing();
}

static void *forks(void *arg)
{
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			syscall(SYS_getuid);
			_exit(3);
		}
		expect_status(pid, 3);
	}
	return arg;
}

static void gate__threads_fork_at_the_same_time(void **state)
{
	pthread_t thread[3];

	(void)state;
	want(SYS_getuid);
	for (int i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, forks, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(counts->entered[SYS_getuid], 30);
	want_nothing();
}

/* vfork returns twice on one stack; libc's function takes care of its return address. */
static void gate__a_vfork_child_runs_on_its_parents_record(void **state)
{
	volatile int seen_tid = 0;
	uint64_t key = thread_here()->key;
	pid_t pid;

	(void)state;
	want(SYS_getuid);
	want(SYS_vfork);
	counts->children[GATE_CHILD_VFORK] = counts->execs = counts->execs_failed = 0;
	pid = vfork();
	if (pid == 0) {
		seen_tid = (int)thread_here()->tid;
		syscall(SYS_getuid);
		execl("/nonexistent/program", "program", NULL);
		_exit(errno == ENOENT ? 5 : 6);
	}
	assert_int_equal(seen_tid, pid);
	expect_status(pid, 5);
	assert_int_equal(thread_here()->tid, getpid());
	assert_int_equal(thread_here()->key, key);
	assert_int_equal(thread_here()->vforks, 0);
	assert_int_equal(counts->execs, 1);
	assert_int_equal(counts->execs_failed, 1);
	assert_int_equal(counts->children[GATE_CHILD_VFORK], 1);
	assert_int_equal(counts->entered[SYS_vfork], 1);
	assert_int_equal(counts->left[SYS_vfork], 2);
	assert_int_equal(counts->result[SYS_vfork], pid);
	syscall(SYS_getuid);
	assert_int_equal(counts->entered[SYS_getuid], 2);
	want_nothing();
}

static void gate__vfork_and_exec_run_the_program(void **state)
{
	pid_t pid;

	(void)state;
	counts->execs = counts->execs_failed = 0;
	pid = vfork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", "exit 9", NULL);
		_exit(1);
	}
	expect_status(pid, 9);
	assert_int_equal(counts->execs, 1);
	assert_int_equal(counts->execs_failed, 0);
}

static int inner_vfork(void)
{
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		syscall(SYS_getuid);
		_exit(4);
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void gate__vforks_nest(void **state)
{
	volatile int inner = 0;
	pid_t pid;

	(void)state;
	want(SYS_getuid);
	pid = vfork();
	if (pid == 0) {
		inner = inner_vfork();
		_exit(inner);
	}
	expect_status(pid, 4);
	assert_counted(SYS_getuid, 1, getuid());
	want_nothing();
}

static void nothing(int sig)
{
	(void)sig;
}

static void gate__posix_spawn_leaves_its_parents_handlers_alone(void **state)
{
	char sh[] = "sh", flag[] = "-c", script[] = "kill -USR1 $$; exit 3";
	char *argv[] = { sh, flag, script, NULL };
	struct sigaction action = { .sa_handler = nothing }, old;
	posix_spawnattr_t attr;
	sigset_t set;
	pid_t pid;
	int status;

	(void)state;
	sigaction(SIGUSR1, &action, NULL);
	posix_spawnattr_init(&attr);
	sigemptyset(&set);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, &set);
	assert_int_equal(posix_spawn(&pid, "/bin/sh", NULL, &attr, argv, environ), 0);
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1); /* by default again */
	sigaction(SIGUSR1, NULL, &old);
	assert_ptr_equal(old.sa_handler, nothing);
	assert_int_equal(raise(SIGUSR1), 0); /* and handled here */
	assert_int_equal(posix_spawn(&pid, "/nonexistent", NULL, NULL, argv, environ), ENOENT);
	signal(SIGUSR1, SIG_DFL);
	posix_spawnattr_destroy(&attr);
}

static void gate__a_clone_that_fails_leaves_nothing(void **state)
{
	uint32_t before = thread_count();

	(void)state;
	assert_int_equal(syscall(SYS_clone, CLONE_THREAD | CLONE_SETTLS | CLONE_VM, 0, 0, 0, 4096), -1);
	assert_int_equal(errno, EINVAL); /* no CLONE_SIGHAND */
	assert_int_equal(syscall(SYS_clone3, 8, 1), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(syscall(SYS_clone, CLONE_VFORK | CLONE_VM | CLONE_THREAD, 0, 0, 0, 0), -1);
	assert_int_equal(thread_count(), before);
	assert_int_equal(thread_here()->vforks, 0);
	assert_int_equal(syscall(SYS_getpid), getpid());
}

static int shares_everything(void *arg)
{
	int *done = arg;

	for (int i = 0; i < 50; i++)
		syscall(SYS_getuid);
	*done = (int)syscall(SYS_getpid);
	return 0;
}

/* Two threads with one fs base run at the same time. */
static void gate__a_child_with_its_parents_thread_pointer_is_told_apart(void **state)
{
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int done = 0, status;
	pid_t pid;

	(void)state;
	want(SYS_getuid);
	pid = clone(shares_everything, stack + 65536, CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, &done);
	assert_true(pid > 0);
	for (int i = 0; i < 50; i++)
		syscall(SYS_getuid);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(done, pid);
	assert_int_equal(counts->entered[SYS_getuid], 100);
	assert_int_equal(counts->left[SYS_getuid], 100);
	assert_int_equal(syscall(SYS_gettid), getpid());
	munmap(stack, 65536);
	want_nothing();
}

/* As static programs do when they start: first fs base 0, then their own. */
static void gate__a_thread_that_changes_its_fs_base_is_found_again(void **state)
{
	uint64_t own = thread_fs_base(), other[64] = { 0 };
	long results[4];

	(void)state;
	want(SYS_getuid);
	__asm__ volatile("mov %[set], %%edi\n mov %[other], %%rsi\n mov $158, %%eax\n syscall\n"
			 "mov $102, %%eax\n syscall\n mov %%rax, %%r12\n"
			 "xor %%esi, %%esi\n wrfsbase %%rsi\n"
			 "mov $102, %%eax\n syscall\n mov %%rax, %%r13\n"
			 "wrfsbase %[own]\n"
			 "mov $102, %%eax\n syscall\n mov %%rax, %%r14\n"
			 "mov %[set], %%edi\n mov %[own], %%rsi\n mov $158, %%eax\n syscall\n"
			 "mov %%r12, 0(%[results])\n mov %%r13, 8(%[results])\n"
			 "mov %%r14, 16(%[results])\n mov %%rax, 24(%[results])\n"
			 :
			 : [set] "i"(ARCH_SET_FS), [other] "r"(&other[32]), [own] "r"(own),
			   [results] "r"(results)
			 : "rax", "rcx", "rdx", "rsi", "rdi", "r11", "r12", "r13", "r14", "memory");
	assert_int_equal(counts->entered[SYS_getuid], 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(results[i], getuid());
	assert_int_equal(results[3], 0);
	assert_int_equal(thread_here()->tid, getpid());
	assert_int_equal(thread_count(), 1);
	want_nothing();
}

static void gate__the_gs_base_is_the_applications(void **state)
{
	uint64_t value = 0;

	(void)state;
	assert_int_equal(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x123456000), 0);
	assert_int_equal(syscall(SYS_arch_prctl, ARCH_GET_GS, &value), 0);
	assert_int_equal(value, 0x123456000);
	__asm__ volatile("rdgsbase %0" : "=r"(value));
	assert_int_equal(value, 0x123456000);
	syscall(SYS_arch_prctl, ARCH_SET_GS, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gate__calls_of_threads_are_counted),
		cmocka_unit_test(gate__a_thousand_threads_leave_nothing_behind),
		cmocka_unit_test(gate__a_forked_child_is_seen_and_knows_its_own_pid),
		cmocka_unit_test(gate__fork_reports_its_result_in_parent_and_child),
		cmocka_unit_test(gate__threads_fork_at_the_same_time),
		cmocka_unit_test(gate__a_vfork_child_runs_on_its_parents_record),
		cmocka_unit_test(gate__vfork_and_exec_run_the_program),
		cmocka_unit_test(gate__vforks_nest),
		cmocka_unit_test(gate__posix_spawn_leaves_its_parents_handlers_alone),
		cmocka_unit_test(gate__a_clone_that_fails_leaves_nothing),
		cmocka_unit_test(gate__a_child_with_its_parents_thread_pointer_is_told_apart),
		cmocka_unit_test(gate__a_thread_that_changes_its_fs_base_is_found_again),
		cmocka_unit_test(gate__the_gs_base_is_the_applications),
	};

	return cmocka_run_group_tests(tests, gate_setup, NULL);
}
