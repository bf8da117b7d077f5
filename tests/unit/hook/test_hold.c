/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads of another process, held for a moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hook/hold.h"
#include "hook/settle.h"
#include "hook/trace.h"
#include "map/owner.h"

enum { LONG_NS = 2000000000 };

static pid_t child;

static int end_child(void **state)
{
	(void)state;
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	child = 0;
	return 0;
}

static void start(void (*run)(int told))
{
	int told[2];
	char byte;

	assert_int_equal(pipe(told), 0);
	child = fork();
	if (child == 0) {
		run(told[1]);
		_exit(0);
	}
	close(told[1]);
	assert_int_equal(read(told[0], &byte, 1), 1);
	close(told[0]);
}

static void on_signal(int sig)
{
	(void)sig;
}

/* Each of its calls is a fault, by its own filter. */
static void run_faults(int told)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { .len = 4, .filter = code };

	signal(SIGSYS, on_signal);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0 || write(told, "x", 1) != 1)
		_exit(1);
	for (;;)
		syscall(SYS_getppid);
}

static void run_waits(int told)
{
	signal(SIGUSR1, on_signal);
	if (write(told, "x", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static int go_on[2];

/* Until it is told otherwise it sleeps where nothing wakes it. */
static void run_vforks(int told)
{
	char byte;

	close(go_on[1]);
	if (vfork() == 0) {
		if (write(told, "x", 1) != 1 || read(go_on[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	for (;;)
		pause();
}

static void hold__who_is_held_has_no_fault_to_come(void **state)
{
	(void)state;
	start(run_faults);
	for (int i = 0; i < 2000; i++) {
		assert_int_equal(hold_one(child, LONG_NS), 0);
		assert_false(trace_has_fault(child));
		assert_int_equal(trace_detach(child, 0), 0);
	}
}

/* A stop for a signal is not the one that was asked for, and takes that back. */
static void hold__a_signal_does_not_keep_a_thread_from_being_held(void **state)
{
	(void)state;
	start(run_waits);
	for (int i = 0; i < 4000; i++) {
		kill(child, SIGUSR1);
		assert_int_equal(hold_one(child, LONG_NS), 0);
		assert_int_equal(trace_detach(child, 0), 0);
	}
}

/* It may sleep for a child whose question nobody would answer meanwhile. */
static void settle__gives_up_on_who_does_not_stop_without_waiting_for_it(void **state)
{
	struct settle settle = { .began = owner_clock() };
	int result;

	(void)state;
	assert_int_equal(pipe(go_on), 0);
	start(run_vforks);
	settle.pid = child;
	while ((result = settle_step(&settle, NULL, NULL)) > 0)
		usleep(1000);
	assert_int_equal(result, -ETIMEDOUT);
	assert_int_equal(settle.pid, 0);
	assert_int_equal(settle.hold.tids.count, 0);
	assert_int_equal(settle.hold.asked.count, 1);
	assert_int_equal(settle.hold.asked.items[0], child);
	assert_false(hold_late(child));
	close(go_on[1]);
	while (!hold_late(child))
		usleep(1000);
	close(go_on[0]);
	vec_done(&settle.hold.asked);
	assert_int_equal(trace_status(child, "TracerPid:"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(hold__who_is_held_has_no_fault_to_come, end_child),
		cmocka_unit_test_teardown(hold__a_signal_does_not_keep_a_thread_from_being_held, end_child),
		cmocka_unit_test_teardown(settle__gives_up_on_who_does_not_stop_without_waiting_for_it, end_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
