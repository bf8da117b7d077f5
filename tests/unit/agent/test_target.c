/* SPDX-License-Identifier: BSD-2-Clause */
/* Targets by the public interface. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skep/target.h>

static struct skep_machine *machine_shared(struct skep_diag *diag)
{
	struct skep_machine_opts opts = { .shared = true, .cpus = 4 };
	struct skep_machine *machine = skep_machine_new(&opts, diag);

	assert_non_null(machine);
	return machine;
}

static const char *id_of(struct skep_diag *diag)
{
	return skep_code_id(skep_diag_get(diag, 0)->code);
}

static void target__commands_are_listed_in_the_order_they_came(void **state)
{
	static const char *const first[] = { "true", NULL }, *const second[] = { "false", NULL };
	struct skep_diag *diag = skep_diag_new();
	struct skep_machine *machine = machine_shared(diag);
	struct skep_target_info info[4];
	int32_t pid[2];
	int status;

	(void)state;
	assert_int_equal(skep_target_list(machine, info, 4), 0);
	assert_int_equal(skep_target_spawn(machine, first, &pid[0], diag), 0);
	assert_int_equal(waitpid(pid[0], &status, 0), pid[0]);
	assert_int_equal(skep_target_spawn(machine, second, &pid[1], diag), 0);
	assert_int_equal(waitpid(pid[1], &status, 0), pid[1]);
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_int_equal(skep_target_list(machine, info, 4), 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(info[i].pid, pid[i]);
		assert_int_equal(info[i].parent, getpid());
		assert_int_equal(info[i].execs, 1);
	}
	assert_string_equal(info[0].comm, "true");
	assert_non_null(strstr(info[1].exe, "/false"));
	skep_machine_free(machine);
	skep_diag_free(diag);
}

static void target__a_private_machine_takes_none(void **state)
{
	static const char *const argv[] = { "true", NULL };
	struct skep_diag *diag = skep_diag_new();
	struct skep_machine *machine = skep_machine_new(NULL, diag);
	int32_t pid;

	(void)state;
	assert_int_equal(skep_target_spawn(machine, argv, &pid, diag), -EINVAL);
	assert_string_equal(id_of(diag), "H030");
	skep_machine_free(machine);
	skep_diag_free(diag);
}

static void target__a_command_that_does_not_exist_is_named(void **state)
{
	static const char *const argv[] = { "no-such-command", NULL };
	struct skep_diag *diag = skep_diag_new();
	struct skep_machine *machine = machine_shared(diag);
	int32_t pid;

	(void)state;
	setenv("PATH", "/usr/bin:/bin", 1); /* no folder in it that may not be looked into */
	assert_int_equal(skep_target_spawn(machine, argv, &pid, diag), -ENOENT);
	assert_string_equal(id_of(diag), "H032");
	assert_non_null(strstr(skep_diag_text(diag, 0), "no-such-command"));
	skep_machine_free(machine);
	skep_diag_free(diag);
}

static void target__attaching_where_it_cannot_be_done_says_why(void **state)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_machine *machine = machine_shared(diag);
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		for (;;)
			pause();
	assert_int_equal(skep_target_attach(machine, pid, diag), -EEXIST);
	assert_string_equal(id_of(diag), "H034"); /* a fork has this machine's memory already */
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	skep_diag_clear(diag);
	assert_int_equal(skep_target_attach(machine, pid, diag), -ESRCH);
	assert_string_equal(id_of(diag), "H033");
	skep_diag_clear(diag);
	assert_int_equal(skep_target_detach(machine, 1, diag), -ESRCH);
	assert_string_equal(id_of(diag), "H033");
	skep_machine_free(machine);
	skep_diag_free(diag);
}

static void target__a_machine_has_one_follower(void **state)
{
	static const char *const argv[] = { "true", NULL };
	struct skep_machine_opts opts = { .name = "test-follower", .cpus = 4 };
	struct skep_diag *diag = skep_diag_new();
	struct skep_machine *machine;
	int32_t pid;
	pid_t other;
	int status;

	(void)state;
	skep_machine_remove("test-follower", true, diag);
	skep_diag_clear(diag);
	machine = skep_machine_new(&opts, diag);
	assert_non_null(machine);
	assert_int_equal(skep_target_spawn(machine, argv, &pid, diag), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	other = fork();
	if (other == 0) {
		execl("/proc/self/exe", "second", (char *)NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(other, &status, 0), other);
	assert_int_equal(status, 0);
	skep_machine_free(machine);
	skep_machine_remove("test-follower", true, diag);
	skep_diag_free(diag);
}

/* This program once more, while the first follows the machine's targets. */
static int second(void)
{
	static const char *const argv[] = { "true", NULL };
	struct skep_diag *diag = skep_diag_new();
	struct skep_machine *machine = skep_machine_open("test-follower", NULL, diag);
	struct skep_target_info info;
	int32_t pid;

	if (!machine || skep_target_spawn(machine, argv, &pid, diag) != -EBUSY)
		return 2;
	if (strcmp(id_of(diag), "H031") != 0)
		return 3;
	return skep_target_list(machine, &info, 1) == 1 ? 0 : 4;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(target__commands_are_listed_in_the_order_they_came),
		cmocka_unit_test(target__a_private_machine_takes_none),
		cmocka_unit_test(target__a_command_that_does_not_exist_is_named),
		cmocka_unit_test(target__attaching_where_it_cannot_be_done_says_why),
		cmocka_unit_test(target__a_machine_has_one_follower),
	};

	if (argc == 1 && strcmp(argv[0], "second") == 0)
		return second();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
