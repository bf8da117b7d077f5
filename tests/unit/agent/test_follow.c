/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands started with the agent in them. */
#include "follow_test.h"

#include <sched.h>

static struct process *record_of(pid_t pid)
{
	for (uint32_t i = 0; i < targets->used; i++)
		if (targets->process[i].pid == (uint32_t)pid)
			return &targets->process[i];
	fail_msg("no record of %d", (int)pid);
	return NULL;
}

static void assert_followed(pid_t pid)
{
	struct process *process = record_of(pid);

	if (process->state == PROCESS_NOT_FOLLOWED)
		fail_msg("%s: %s (%s)", process->comm, process_whynot_text(process->whynot),
			 strerror(-process->error));
	assert_int_equal(process->execs, 1);
}

static void follow__a_command_has_the_agent_and_its_own_result(void **state)
{
	pid_t pid = spawn("sh", "-c", "exit 7");

	(void)state;
	assert_true(pid > 0);
	assert_int_equal(WEXITSTATUS(finish(pid)), 7);
	assert_followed(pid);
	assert_string_equal(record_of(pid)->comm, "sh");
}

static void follow__a_command_that_is_not_there_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(spawn("/nonexistent/command"), -ENOENT);
}

static void assert_unharmed(const char *name)
{
	pid_t pid = spawn(target(name), "a", "b");
	int status;

	assert_true(pid > 0);
	status = finish(pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 43)
		fail_msg("%s: status 0x%x", name, (unsigned)status);
	assert_followed(pid);
}

static void follow__a_dynamic_program_is_unharmed(void **state)
{
	(void)state;
	assert_unharmed("dynamic");
}

static void follow__a_static_program_is_unharmed(void **state)
{
	(void)state;
	assert_unharmed("static");
	assert_unharmed("pie");
}

static void follow__a_musl_program_is_unharmed(void **state)
{
	(void)state;
	assert_unharmed("musl");
}

static void follow__a_go_program_is_unharmed(void **state)
{
	(void)state;
	assert_unharmed("go");
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t time_of(const char *path, bool followed)
{
	uint64_t start = now();
	pid_t pid = followed ? spawn(path) : fork();

	if (pid == 0) {
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	finish(pid);
	return now() - start;
}

/* Of many, the fastest of each: what else runs on this machine is not the question. */
static void follow__starting_costs_at_most_three_milliseconds(void **state)
{
	const char *path = target("dynamic");
	uint64_t plain = UINT64_MAX, with = UINT64_MAX, t;

	(void)state;
	for (int i = 0; i < 40 || (i < 2000 && with - plain >= 3000000); i++) {
		t = time_of(path, false);
		plain = t < plain ? t : plain;
		t = time_of(path, true);
		with = t < with ? t : with;
	}
	print_message("start: %llu us, with the agent %llu us\n", (unsigned long long)plain / 1000,
		      (unsigned long long)with / 1000);
	assert_true(with - plain < 3000000);
}

static unsigned records_of(pid_t parent)
{
	unsigned count = 0;

	for (uint32_t i = 0; i < targets->used; i++)
		count += targets->process[i].ppid == (uint32_t)parent;
	return count;
}

static void follow__failed_steps_of_a_search_are_one_process(void **state)
{
	pid_t pid = spawn(target("search"), "/nonexistent/a", "/nonexistent/b", "/nonexistent/c");

	(void)state;
	assert_true(pid > 0);
	assert_int_equal(finish(pid), 0);
	assert_followed(pid);
	assert_int_equal(records_of(pid), 1);
}

/* As gdb does: the child of a vfork has itself traced before it becomes the program. */
static void follow__a_debugger_starts_its_program(void **state)
{
	pid_t pid = spawn(target("search"), "traced");

	(void)state;
	assert_true(pid > 0);
	assert_int_equal(finish(pid), 0);
	assert_followed(pid);
	for (uint32_t i = 0; i < targets->used; i++)
		if (targets->process[i].ppid == (uint32_t)pid)
			assert_int_equal(targets->process[i].whynot, WHYNOT_TRACED);
	assert_int_equal(records_of(pid), 1);
}

/* By an allow list, a tight one, the strict mode, one for all threads, one before an exec. */
static void follow__programs_that_filter_their_calls_are_unharmed(void **state)
{
	static const char *const how[] = { "lists", "tight", "strict", "threads", "exec" };

	(void)state;
	for (size_t i = 0; i < sizeof(how) / sizeof(*how); i++) {
		pid_t pid = spawn(target("filtered"), how[i]);
		int status;

		assert_true(pid > 0);
		status = finish(pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 7)
			fail_msg("%s: status 0x%x", how[i], (unsigned)status);
	}
}

static void follow__a_killed_process_is_seen_to_have_ended(void **state)
{
	pid_t pid = spawn("sh", "-c", "kill -9 $$");

	(void)state;
	assert_true(pid > 0);
	assert_int_equal(WTERMSIG(finish(pid)), SIGKILL);
	targets_sweep(targets);
	assert_int_equal(record_of(pid)->state, PROCESS_LEFT);
}

static void follow__a_program_that_gains_privilege_is_left_alone(void **state)
{
	const char *file = access("/bin/su", X_OK) == 0 ? "/bin/su" : "/usr/bin/passwd";
	pid_t pid;

	(void)state;
	/* Root gains nothing (see test_gain), nor does who may gain nothing. */
	if (access(file, X_OK) < 0 || geteuid() == 0 ||
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		skip();
	pid = spawn(file, "--help");
	assert_true(pid > 0);
	finish(pid);
	assert_int_equal(record_of(pid)->whynot, WHYNOT_PRIVILEGE);
}

/* --- a process that runs already --- */

/* Lines of its maps: heaps grow by themselves, other lines do not come or go. */
static unsigned mappings_of(pid_t pid)
{
	char path[64], line[512];
	unsigned count = 0;
	FILE *file;

	sprintf(path, "/proc/%d/maps", (int)pid);
	file = fopen(path, "r");
	while (fgets(line, sizeof(line), file))
		count++;
	fclose(file);
	return count;
}

static void follow__attach_detach_and_attach_again_leave_threads_going(void **state)
{
	struct running running = running_start();
	unsigned before;

	(void)state;
	running_check(&running);
	before = mappings_of(running.pid);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(follower_attach(follower, running.pid), 0);
		assert_true(has_agent(running.pid));
		assert_int_equal(record_of(running.pid)->state, PROCESS_FOLLOWED);
		running_check(&running);
		assert_int_equal(follower_attach(follower, running.pid), -EALREADY);
		assert_int_equal(follower_detach(follower, running.pid), 0);
		assert_false(has_agent(running.pid));
		assert_int_equal(mappings_of(running.pid), before);
		assert_int_equal(record_of(running.pid)->state, PROCESS_DETACHED);
		running_check(&running);
		assert_int_equal(follower_detach(follower, running.pid), -ESRCH);
	}
	running_end(&running);
}

static void caught_by(pid_t pid, char caught[64])
{
	char path[64], line[256];
	FILE *file;

	sprintf(path, "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "SigCgt:", 7) == 0)
			sprintf(caught, "%.60s", line + 7);
	fclose(file);
}

/* Where programs wait for ends, the agent handles what the application does not. */
static void follow__who_was_let_go_ends_by_signals_as_before(void **state)
{
	static const struct board_list nobody;
	char before[64] = "", after[64] = "";
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		execlp("sleep", "sleep", "1000", (char *)NULL);
		_exit(127);
	}
	running_now = pid;
	do
		caught_by(pid, before); /* ours until it has begun */
	while (follower_attach(follower, pid) == -EEXIST);
	assert_int_equal(follower_detach(follower, pid), 0);
	caught_by(pid, before);
	world->board->event[EVENT_EXIT] = &nobody;
	assert_int_equal(follower_attach(follower, pid), 0);
	caught_by(pid, after);
	assert_string_not_equal(after, before);
	assert_int_equal(follower_detach(follower, pid), 0);
	caught_by(pid, after);
	assert_string_equal(after, before);
	world->board->event[EVENT_EXIT] = NULL;
	kill(pid, SIGTERM);
	running_now = 0;
	status = finish(pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
}

static int peer(void *arg)
{
	(void)arg;
	while (getppid() != 1)
		continue;
	return 0;
}

/* Not a thread: nobody holds it while its memory changes. */
static void share_memory(int flags, int out)
{
	static char stack[65536] __attribute__((aligned(16)));
	pid_t pid;

	pid = clone(peer, stack + sizeof(stack), CLONE_VM | flags | SIGCHLD, NULL);
	if (pid < 0 || write(out, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	for (;;)
		pause();
}

static void follow__who_shares_memory_with_another_process_is_left_alone(void **state)
{
	static const int flags[] = { 0, CLONE_SIGHAND | CLONE_FS | CLONE_FILES };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		pid_t pids[2];
		int out[2];

		assert_int_equal(pipe(out), 0);
		pids[0] = fork();
		if (pids[0] == 0)
			share_memory(flags[i], out[1]);
		running_now = pids[0];
		assert_int_equal(read(out[0], &pids[1], sizeof(pids[1])), sizeof(pids[1]));
		for (size_t k = 0; k < 2; k++) {
			assert_int_equal(follower_attach(follower, pids[k]), -EBUSY);
			assert_int_equal(record_of(pids[k])->state, PROCESS_NOT_FOLLOWED);
			assert_int_equal(record_of(pids[k])->whynot, WHYNOT_SHARED);
		}
		kill(pids[1], SIGKILL);
		kill(pids[0], SIGKILL);
		running_now = 0;
		finish(pids[0]);
		close(out[0]);
		close(out[1]);
	}
}

static void stop_and_continue(pid_t pid)
{
	siginfo_t info;

	kill(pid, SIGSTOP);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
	kill(pid, SIGCONT);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WCONTINUED), 0);
}

/* Their handlers run on the agent's stacks until the very end. */
static void follow__signals_come_all_the_time(void **state)
{
	static const char *const how[] = { NULL, "alternate" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct running running = running_start_as("alarms", how[i]);

		for (int k = 0; k < 5; k++) {
			assert_int_equal(follower_attach(follower, running.pid), 0);
			running_check(&running);
			assert_int_equal(follower_detach(follower, running.pid), 0);
			assert_false(has_agent(running.pid));
			running_check(&running);
		}
		running_end(&running);
	}
}

static void follow__calls_that_wait_go_on_waiting(void **state)
{
	struct running running = running_start_as("waits", NULL);

	(void)state;
	running_check(&running);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(follower_attach(follower, running.pid), 0);
		running_check(&running);
		assert_int_equal(follower_detach(follower, running.pid), 0);
		running_check(&running);
	}
	running_end(&running);
}

/* Then they are in the call that goes on with the rest of another. */
static void follow__calls_that_were_stopped_before_go_on_waiting(void **state)
{
	struct running running = running_start_as("waits", "stopped");

	(void)state;
	stop_and_continue(running.pid);
	assert_int_equal(follower_attach(follower, running.pid), 0);
	running_check(&running);
	running_end(&running);
}

/* Waits until the process has looked (or has been found not to be able to). */
static void wait_until_behind(pid_t pid, bool behind, int unreached)
{
	const struct process *process = record_of(pid);

	for (int i = 0; i < 3000; i++) {
		if (process_is_behind(process, targets) == behind &&
		    __atomic_load_n(&process->unreached, __ATOMIC_RELAXED) == unreached)
			return;
		usleep(10000);
	}
	fail_msg("%d is %sbehind: %s", (int)pid, process_is_behind(process, targets) ? "" : "not ",
		 strerror(-process->unreached));
}

static bool catches(pid_t pid, int sig)
{
	char path[40], line[128];
	unsigned long long caught = 0;
	FILE *file;

	sprintf(path, "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "SigCgt: %llx", &caught) == 1)
			break;
	fclose(file);
	return caught >> (sig - 1) & 1;
}

static void change_board(void)
{
	__atomic_fetch_add(&world->board->files_changed, 1, __ATOMIC_RELEASE);
	mail_ring(&targets->mail);
}

static void follow__who_only_waits_looks_at_what_is_attached_and_waits_on(void **state)
{
	struct running running = running_start_as("waits", NULL);

	(void)state;
	assert_int_equal(follower_attach(follower, running.pid), 0);
	for (int i = 0; i < 5; i++) {
		change_board();
		wait_until_behind(running.pid, false, 0);
		assert_true(catches(running.pid, SIGTRAP)); /* patches need it */
	}
	running_check(&running);
	assert_int_equal(follower_detach(follower, running.pid), 0);
	running_check(&running);
	running_end(&running);
}

/* Seizes every thread, says so and stays until it is killed. */
static _Noreturn void trace_all(pid_t pid, int told)
{
	char path[40];
	struct dirent *entry;
	DIR *dir;

	sprintf(path, "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			ptrace(PTRACE_SEIZE, atoi(entry->d_name), 0, 0);
	if (write(told, "x", 1) == 1)
		for (;;)
			pause();
	_exit(1);
}

static void follow__who_cannot_be_reached_is_known_and_reached_when_it_can_be(void **state)
{
	struct running running = running_start_as("waits", NULL);
	pid_t tracer;
	char byte;
	int told[2];

	(void)state;
	assert_int_equal(follower_attach(follower, running.pid), 0);
	assert_int_equal(pipe(told), 0);
	tracer = fork();
	if (tracer == 0)
		trace_all(running.pid, told[1]);
	assert_int_equal(read(told[0], &byte, 1), 1);
	change_board();
	wait_until_behind(running.pid, true, -EPERM);
	kill(tracer, SIGKILL);
	finish(tracer);
	wait_until_behind(running.pid, false, 0);
	close(told[0]);
	close(told[1]);
	running_check(&running);
	assert_int_equal(follower_detach(follower, running.pid), 0);
	running_end(&running);
}

/* A supervisor of its own, which is killed when it has told through the pipe that it began. */
static void supervise_and_die(pid_t target, const char *command, int told)
{
	pid_t pid = 0;

	follower = NULL;
	setup(NULL);
	if (target && follower_attach(follower, target) != 0)
		_exit(1);
	if (command)
		pid = spawn("sh", "-c", command);
	if (write(told, &pid, sizeof(pid)) != sizeof(pid))
		_exit(2);
	kill(getpid(), SIGKILL);
}

static pid_t supervised(pid_t target, const char *command)
{
	int told[2];
	pid_t pid, started = -1;

	assert_int_equal(pipe(told), 0);
	pid = fork();
	if (pid == 0)
		supervise_and_die(target, command, told[1]);
	close(told[1]);
	assert_int_equal(read(told[0], &started, sizeof(started)), sizeof(started));
	close(told[0]);
	assert_int_equal(finish(pid), SIGKILL);
	return started;
}

static void follow__a_process_outlives_its_killed_supervisor(void **state)
{
	struct running running = running_start();

	(void)state;
	running_check(&running);
	supervised(running.pid, NULL);
	assert_true(has_agent(running.pid));
	running_check(&running);
	running_check(&running);
	running_end(&running);
}

/* One supervisor after the other dies with its agent in the process. */
static void follow__what_a_killed_supervisor_left_makes_room(void **state)
{
	struct running running = running_start();
	unsigned before;

	(void)state;
	running_check(&running);
	before = mappings_of(running.pid);
	for (int i = 0; i < 2; i++) {
		supervised(running.pid, NULL);
		assert_true(has_agent(running.pid));
		running_check(&running);
		assert_int_equal(follower_attach(follower, running.pid), 0);
		running_check(&running);
		assert_int_equal(record_of(running.pid)->state, PROCESS_FOLLOWED);
		assert_int_equal(follower_detach(follower, running.pid), 0);
		assert_false(has_agent(running.pid));
		assert_int_equal(mappings_of(running.pid), before);
		running_check(&running);
	}
	running_end(&running);
}

/* Two machines at once would fight over its system calls. */
static void follow__a_process_of_another_live_supervisor_is_left_to_it(void **state)
{
	struct running running = running_start();
	pid_t other, pid = 0;
	int told[2];

	(void)state;
	running_check(&running);
	assert_int_equal(pipe(told), 0);
	other = fork();
	if (other == 0) {
		follower = NULL;
		setup(NULL);
		if (follower_attach(follower, running.pid) != 0)
			_exit(1);
		if (write(told[1], &pid, sizeof(pid)) != sizeof(pid))
			_exit(2);
		for (;;)
			pause();
	}
	assert_int_equal(read(told[0], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(follower_attach(follower, running.pid), -EBUSY);
	assert_int_equal(record_of(running.pid)->whynot, WHYNOT_OTHER);
	assert_true(has_agent(running.pid));
	running_check(&running);
	kill(other, SIGKILL);
	finish(other);
	assert_int_equal(follower_attach(follower, running.pid), 0);
	running_check(&running);
	close(told[0]);
	close(told[1]);
	running_end(&running);
}

/* It starts, waits for and becomes other programs with nobody there to follow them. */
static void follow__a_command_goes_on_without_its_supervisor(void **state)
{
	char path[] = "/tmp/skep-test-follow-XXXXXX", command[256], text[32] = "";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	snprintf(command, sizeof(command), "sleep 0.2; /bin/true && (exit 3); "
		 "exec sh -c 'echo last >%s'", path);
	supervised(0, command);
	for (int i = 0; i < 1000 && pread(fd, text, sizeof(text) - 1, 0) < 5; i++)
		usleep(10000);
	assert_string_equal(text, "last\n");
	close(fd);
	unlink(path);
}

/* As one in another pid namespace might, whose number is another's here. */
static void follow__nobody_is_stopped_for_what_another_asks(void **state)
{
	struct running running = running_start();
	struct mail_message ask = {
		.kind = MAIL_WILL_EXEC, .pid = (uint32_t)running.pid, .tid = (uint32_t)running.pid,
		.arg = { (uint64_t)AT_FDCWD, (uintptr_t)"/bin/true", 59 },
	};

	(void)state;
	assert_int_equal(mail_ask(&targets->mail, memory_owners(memory), &ask), MAIL_NOT_FOLLOWED);
	running_check(&running);
	/* Nobody holds it: it can be attached to. */
	assert_int_equal(follower_attach(follower, running.pid), 0);
	assert_int_equal(follower_detach(follower, running.pid), 0);
	running_end(&running);
}

static void follow__attaching_to_nobody_is_an_error(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	finish(pid);
	assert_int_equal(follower_attach(follower, pid), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follow__a_command_has_the_agent_and_its_own_result),
		cmocka_unit_test(follow__a_command_that_is_not_there_is_an_error),
		cmocka_unit_test(follow__a_dynamic_program_is_unharmed),
		cmocka_unit_test(follow__a_static_program_is_unharmed),
		cmocka_unit_test(follow__a_musl_program_is_unharmed),
		cmocka_unit_test(follow__a_go_program_is_unharmed),
		cmocka_unit_test(follow__starting_costs_at_most_three_milliseconds),
		cmocka_unit_test(follow__failed_steps_of_a_search_are_one_process),
		cmocka_unit_test(follow__a_debugger_starts_its_program),
		cmocka_unit_test(follow__programs_that_filter_their_calls_are_unharmed),
		cmocka_unit_test(follow__a_killed_process_is_seen_to_have_ended),
		cmocka_unit_test(follow__a_program_that_gains_privilege_is_left_alone),
		cmocka_unit_test_teardown(follow__who_shares_memory_with_another_process_is_left_alone, running_teardown),
		cmocka_unit_test_teardown(follow__who_was_let_go_ends_by_signals_as_before, running_teardown),
		cmocka_unit_test_teardown(follow__attach_detach_and_attach_again_leave_threads_going,
					  running_teardown),
		cmocka_unit_test_teardown(follow__signals_come_all_the_time, running_teardown),
		cmocka_unit_test_teardown(follow__calls_that_wait_go_on_waiting, running_teardown),
		cmocka_unit_test_teardown(follow__calls_that_were_stopped_before_go_on_waiting,
					  running_teardown),
		cmocka_unit_test_teardown(follow__who_only_waits_looks_at_what_is_attached_and_waits_on,
					  running_teardown),
		cmocka_unit_test_teardown(follow__who_cannot_be_reached_is_known_and_reached_when_it_can_be,
					  running_teardown),
		cmocka_unit_test_teardown(follow__a_process_outlives_its_killed_supervisor,
					  running_teardown),
		cmocka_unit_test_teardown(follow__what_a_killed_supervisor_left_makes_room,
					  running_teardown),
		cmocka_unit_test_teardown(follow__a_process_of_another_live_supervisor_is_left_to_it,
					  running_teardown),
		cmocka_unit_test(follow__a_command_goes_on_without_its_supervisor),
		cmocka_unit_test_teardown(follow__nobody_is_stopped_for_what_another_asks,
					  running_teardown),
		cmocka_unit_test(follow__attaching_to_nobody_is_an_error),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
