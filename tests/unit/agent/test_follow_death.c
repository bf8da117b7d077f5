/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Supervisors that are killed in the middle of what they do to a process, which goes on. (Some calls
 * that wait end with EINTR when a thread is stopped, and only who stopped it can mend that.)
 */
#include "follow_test.h"

#include "hook/trace.h"

enum { ENOUGH = 2000 };

static long steps_left;
static bool counting;

/* Killed before a step is taken. */
static void die_at_step(long request)
{
	counting |= request == PTRACE_GETREGSET;
	if (counting && __atomic_sub_fetch(&steps_left, 1, __ATOMIC_RELAXED) == 0)
		kill(getpid(), SIGKILL);
}

/* A supervisor of its own. at_code: the first step is one of an injection. True: it died there. */
static bool dies_at(long step, bool at_code, int (*supervise)(void *arg), void *arg)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		follower = NULL;
		setup(NULL);
		steps_left = step;
		counting = !at_code;
		trace_on_step = die_at_step;
		_exit(supervise(arg));
	}
	status = finish(pid);
	if (WIFEXITED(status))
		assert_int_equal(WEXITSTATUS(status), 0);
	return !WIFEXITED(status);
}

/* --- a process that runs already --- */

static int attach_and_detach(void *arg)
{
	const struct running *running = arg;

	return follower_attach(follower, running->pid) != 0 ||
	       follower_detach(follower, running->pid) != 0;
}

static void assert_whole(struct running *running)
{
	running_check(running);
	assert_int_equal(follower_attach(follower, running->pid), 0);
	assert_int_equal(follower_detach(follower, running->pid), 0);
	assert_false(has_agent(running->pid));
	running_check(running);
}

/* stride: what is done to a thread comes again and again, after numbers of steps that it does not
 * divide. */
static void die_at_steps(const char *name, const char *argument, long stride)
{
	struct running running = running_start_as(name, argument);
	long step = 1;

	running_check(&running);
	for (; step < ENOUGH && dies_at(step, false, attach_and_detach, &running); step += stride) {
		assert_whole(&running);
	}
	assert_in_range(step, 50, ENOUGH - 1);
	assert_whole(&running);
	running_end(&running);
}

static void death__at_any_step_of_attaching_and_detaching_harms_nobody(void **state)
{
	(void)state;
	die_at_steps("threads", NULL, 7);
}

static void death__signals_come_all_the_time(void **state)
{
	(void)state;
	die_at_steps("alarms", "alternate", 5);
}

/* While the process itself is at it. */
static void death__at_any_time_harms_nobody(void **state)
{
	struct running running = running_start_as("threads", NULL);

	(void)state;
	for (int i = 0; i < 30; i++) {
		int told[2];
		char byte;
		pid_t pid;

		assert_int_equal(pipe(told), 0);
		pid = fork();
		if (pid == 0) {
			follower = NULL;
			setup(NULL);
			if (write(told[1], "x", 1) != 1)
				_exit(2);
			while (attach_and_detach(&running) == 0)
				continue;
			_exit(1);
		}
		assert_int_equal(read(told[0], &byte, 1), 1);
		usleep((useconds_t)i * 193);
		kill(pid, SIGKILL);
		assert_true(WIFSIGNALED(finish(pid)));
		close(told[0]);
		close(told[1]);
		assert_whole(&running);
	}
	running_end(&running);
}

/* --- commands --- */

static int run_command(void *arg)
{
	pid_t pid = spawn("sh", "-c", arg);
	siginfo_t info;

	/* Its stops, which such a wait is told of too, are for the follower. */
	do {
		usleep(1000);
		info = (siginfo_t){ 0 };
		if (pid <= 0 || waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
			return 1;
	} while (info.si_pid == 0 || info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED);
	return info.si_code != CLD_EXITED || info.si_status != 0;
}

static void death__at_any_step_of_following_a_command_harms_nobody(void **state)
{
	char path[] = "/tmp/skep-test-death-XXXXXX", command[256];
	int fd = mkstemp(path);
	bool died = true;
	long step = 1;

	(void)state;
	assert_true(fd >= 0);
	snprintf(command, sizeof(command), "/bin/true && (exit 3); exec sh -c 'echo last >>%s'", path);
	for (; died && step < ENOUGH; step++) {
		char text[16] = "";

		assert_int_equal(ftruncate(fd, 0), 0);
		died = dies_at(step, true, run_command, command);
		for (int i = 0; i < 2000 && pread(fd, text, sizeof(text) - 1, 0) < 5; i++)
			usleep(5000);
		if (strcmp(text, "last\n") != 0)
			fail_msg("killed before step %ld: '%s'", step, text);
	}
	assert_in_range(step, 40, ENOUGH - 1);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(death__at_any_step_of_attaching_and_detaching_harms_nobody,
					  running_teardown),
		cmocka_unit_test_teardown(death__signals_come_all_the_time, running_teardown),
		cmocka_unit_test_teardown(death__at_any_time_harms_nobody, running_teardown),
		cmocka_unit_test(death__at_any_step_of_following_a_command_harms_nobody),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
