/* SPDX-License-Identifier: BSD-2-Clause */
/* When threads of targets are dispatched: while programs wait for calls of code that cannot be patched,
 * or code is unknown. */
#include "../object/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <skep/link.h>
#include <skep/target.h>

/* Not in every libc's headers: tells how a thread's calls are dispatched (since Linux 6.4). */
#define PTRACE_GET_DISPATCH 0x4211

struct dispatch {
	uint64_t mode, selector, offset, length;
};

static struct skep_object *object;
static struct skep_machine *machine;
static struct skep_diag *diag;
static int to[2], from[2];

static int set_up(void **state)
{
	struct skep_machine_opts opts = { .shared = true, .cpus = 4 };

	(void)state;
	diag = skep_diag_new();
	object = fixture_open(FIXTURE("attach"));
	machine = skep_machine_new(&opts, diag);
	if (!machine || skep_machine_load(machine, object, NULL, diag) < 0)
		fail_msg("%s", skep_diag_text(diag, 0));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	skep_machine_free(machine);
	skep_object_free(object);
	skep_diag_free(diag);
	return 0;
}

static struct skep_link *attach(const char *name)
{
	struct skep_link *link = skep_link_attach(machine, prog_named(object, name), NULL, diag);

	if (!link)
		fail_msg("%s: %s", name, skep_diag_text(diag, 0));
	return link;
}

/* Of a thread that sleeps or will do so soon; which is then as it was. */
static bool is_dispatched(pid_t pid)
{
	struct dispatch now = { 0 };
	long error;

	assert_int_equal(ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, pid, 0, 0), 0);
	assert_int_equal(waitpid(pid, NULL, __WALL), pid);
	error = ptrace(PTRACE_GET_DISPATCH, pid, sizeof(now), &now) < 0 ? errno : 0;
	assert_int_equal(ptrace(PTRACE_DETACH, pid, 0, 0), 0);
	if (error) {
		print_message("this kernel does not tell whether calls are dispatched\n");
		skip();
	}
	return now.mode != 0;
}

/* A shell that has one end of each of two pipes as 8 and 9. */
static pid_t start(const char *const *argv)
{
	int32_t pid;

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	assert_int_equal(dup2(to[0], 8), 8);
	assert_int_equal(dup2(from[1], 9), 9);
	if (skep_target_spawn(machine, argv, &pid, diag) < 0)
		fail_msg("%s", skep_diag_text(diag, 0));
	close(8);
	close(9);
	close(to[0]);
	close(from[1]);
	return pid;
}

/* cat between them. */
static pid_t start_echo(void)
{
	static const char *const argv[] = { "sh", "-c", "exec cat <&8 >&9 8<&- 9>&-", NULL };

	return start(argv);
}

/* It has made a read and a write since. */
static void echo(void)
{
	char line[8];

	assert_int_equal(write(to[1], "line\n", 5), 5);
	assert_int_equal(read(from[0], line, sizeof(line)), 5);
	assert_memory_equal(line, "line\n", 5);
}

static void end_echo(pid_t pid)
{
	int status;

	close(to[1]);
	close(from[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void thread__is_dispatched_while_a_program_waits_for_all_calls(void **state)
{
	pid_t pid = start_echo();
	struct skep_link *link;

	(void)state;
	for (int i = 0; i < 3; i++) {
		echo();
		assert_false(is_dispatched(pid));
		link = attach("raw_enter");
		echo();
		assert_true(is_dispatched(pid));
		skep_link_detach(link);
		echo();
		assert_false(is_dispatched(pid));
	}
	end_echo(pid);
}

static void thread__is_not_dispatched_for_calls_that_are_all_patched(void **state)
{
	struct skep_link *links[] = { attach("tp_enter"), attach("raw_exec"), attach("raw_fork") };
	pid_t pid = start_echo();

	(void)state;
	echo();
	assert_false(is_dispatched(pid));
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		skep_link_detach(links[i]);
	end_echo(pid);
}

static void thread__is_dispatched_from_its_start_if_a_program_waits(void **state)
{
	struct skep_link *link = attach("raw_exit");
	pid_t pid = start_echo();

	(void)state;
	echo();
	assert_true(is_dispatched(pid));
	skep_link_detach(link);
	echo();
	assert_false(is_dispatched(pid));
	end_echo(pid);
}

/* It may be in a handler, which would return unseen. */
static void thread__of_a_process_that_ran_before_is_dispatched_always(void **state)
{
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		execlp("cat", "cat", (char *)NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	echo();
	if (skep_target_attach(machine, pid, diag) < 0)
		fail_msg("%s", skep_diag_text(diag, 0));
	echo();
	assert_true(is_dispatched(pid));
	end_echo(pid);
}

/* --- nothing is lost meanwhile --- */

/* The program of that name beside this one; skips the test where it was not built. */
static const char *target(const char *name)
{
	static char path[4096];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 64);

	assert_true(size > 0);
	path[size] = '\0';
	sprintf(strrchr(path, '/') + 1, "agent/target_%s", name);
	if (access(path, X_OK) < 0) {
		print_message("no compiler made %s\n", path);
		skip();
	}
	return path;
}

static unsigned targets_now(void)
{
	struct skep_target_info info[64];

	return (unsigned)skep_target_list(machine, info, 64);
}

/* Its stops are the follower's, who waits for them in this process. */
static int finish(pid_t pid)
{
	siginfo_t info = { 0 };
	int status;

	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 &&
	       (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED))
		usleep(1000);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int run(const char *const *argv)
{
	int32_t pid;

	if (skep_target_spawn(machine, argv, &pid, diag) < 0)
		fail_msg("%s", skep_diag_text(diag, 0));
	return finish(pid);
}

static void children__and_what_they_execute_are_followed_undispatched(void **state)
{
	static const char *const argv[] = { "sh", "-c", "(true; :); /bin/true & wait; exec env true",
					    NULL };
	struct skep_target_info info[64];
	unsigned before = targets_now(), all, executed = 0;

	(void)state;
	assert_int_equal(run(argv), 0);
	all = (unsigned)skep_target_list(machine, info, 64);
	assert_int_equal(all - before, 3);
	for (unsigned i = before; i < all; i++) {
		if (info[i].state != SKEP_TARGET_ENDED)
			fail_msg("%s: %s", info[i].comm, info[i].reason);
		executed += info[i].execs;
	}
	assert_int_equal(executed, 4); /* sh, env, true; true */
}

static void signals__are_as_without_us_undispatched(void **state)
{
	const char *const argv[] = { target("signals"), NULL };
	unsigned before = targets_now();
	int status = run(argv);

	(void)state;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 40)
		fail_msg("status 0x%x", (unsigned)status);
	assert_int_equal(targets_now() - before, 5); /* with two children of fork, and two programs */
}

static void signals__are_as_without_us_dispatched(void **state)
{
	const char *const argv[] = { target("signals"), NULL };
	struct skep_link *link = attach("raw_enter");
	int status = run(argv);

	(void)state;
	skep_link_detach(link);
	assert_int_equal(status, 40 << 8);
}

static void code__that_a_process_makes_has_it_dispatched(void **state)
{
	const char *const argv[] = { "sh", "-c", "exec \"$0\" code <&8 8<&- 2>&9", target("signals"), NULL };
	char words[8];
	pid_t pid;

	(void)state;
	pid = start(argv);
	assert_int_equal(read(from[0], words, 5), 5);
	assert_memory_equal(words, "code\n", 5);
	assert_true(is_dispatched(pid));
	close(to[1]);
	assert_int_equal(finish(pid), 40 << 8);
	close(from[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thread__is_dispatched_while_a_program_waits_for_all_calls),
		cmocka_unit_test(thread__is_not_dispatched_for_calls_that_are_all_patched),
		cmocka_unit_test(thread__is_dispatched_from_its_start_if_a_program_waits),
		cmocka_unit_test(thread__of_a_process_that_ran_before_is_dispatched_always),
		cmocka_unit_test(children__and_what_they_execute_are_followed_undispatched),
		cmocka_unit_test(signals__are_as_without_us_undispatched),
		cmocka_unit_test(signals__are_as_without_us_dispatched),
		cmocka_unit_test(code__that_a_process_makes_has_it_dispatched),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
