/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_named.c - machines that processes which are no forks join by name.
 *
 * Run with arguments this program is one of those processes: see visitor().
 */
#include "../object/fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <skep/machine.h>

#include "machine/machine.h"
#include "map/memory_impl.h"

static char *program;
static char home[64]; /* what $XDG_RUNTIME_DIR is in these tests */

struct named {
	struct skep_machine *machine;
	struct skep_object *object;
	struct skep_diag *diag;
};

static struct skep_machine *create(const char *name, struct skep_diag *diag)
{
	struct skep_machine_opts opts = { .name = name, .cpus = 4, .memory = 256 << 20 };

	return skep_machine_new(&opts, diag);
}

static void leave_out_unspec(struct skep_object *object)
{
	for (size_t i = 0; i < skep_object_prog_count(object); i++) {
		struct skep_object_prog *prog = skep_object_prog_at(object, i);

		if (strcmp(skep_object_prog_type(prog), "unspec") == 0)
			skep_object_prog_set_autoload(prog, false);
	}
}

static struct named named_new(const char *name)
{
	struct named n = { .object = fixture_open(FIXTURE("machine")), .diag = skep_diag_new() };

	leave_out_unspec(n.object);
	n.machine = create(name, n.diag);
	if (!n.machine || skep_machine_load(n.machine, n.object, NULL, n.diag) < 0)
		fail_msg("%s", skep_diag_text(n.diag, 0));
	return n;
}

static void named_free(struct named *n, const char *name)
{
	skep_machine_free(n->machine);
	skep_object_free(n->object);
	if (name)
		assert_int_equal(skep_machine_remove(name, false, n->diag), 0);
	skep_diag_free(n->diag);
}

static struct skep_map *map_called(struct skep_machine *machine, const char *name)
{
	size_t len = strlen(name);

	/* Sections' maps have the object's name in front. */
	for (size_t i = 0; i < skep_machine_map_count(machine); i++) {
		struct skep_map_info info;

		skep_map_info(skep_machine_map_at(machine, i), &info);
		if (strlen(info.name) >= len &&
		    strcmp(info.name + strlen(info.name) - len, name) == 0)
			return skep_machine_map_at(machine, i);
	}
	return NULL;
}

static struct skep_prog *prog_called(struct skep_machine *machine, const char *name)
{
	for (size_t i = 0; i < skep_machine_prog_count(machine); i++) {
		struct skep_prog_info info;

		skep_prog_info(skep_machine_prog_at(machine, i), &info);
		if (strcmp(info.name, name) == 0)
			return skep_machine_prog_at(machine, i);
	}
	return NULL;
}

static int tally(struct skep_machine *machine, uint64_t key)
{
	uint64_t ctx[2] = { key, 0 }, retval = 0;
	struct skep_prog *prog = prog_called(machine, "tally");

	return prog && skep_prog_run(prog, ctx, sizeof(ctx), &retval, NULL) == 0 ? (int)retval : -1;
}

/* Opening fails with this code as the last item. */
static void refused(const char *name, enum skep_code code)
{
	struct skep_diag *diag = skep_diag_new();

	assert_null(skep_machine_open(name, NULL, diag));
	assert_true(skep_diag_count(diag) > 0);
	assert_int_equal(skep_diag_get(diag, skep_diag_count(diag) - 1)->code, code);
	skep_diag_free(diag);
}

/* --- the other process --- */

static int visit_forever(struct skep_machine *machine, const char *path)
{
	for (;;) {
		struct skep_object *object = skep_object_open_file(path, NULL);

		leave_out_unspec(object);
		if (skep_machine_load(machine, object, NULL, NULL) < 0)
			return 104;
		skep_object_free(object);
	}
}

/* HOW NAME [OBJECT]: what the tests below ask for. */
static int visitor(char **argv)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_machine *machine = skep_machine_open(argv[2], NULL, diag);
	int result = 0;

	if (!machine) {
		fprintf(stderr, "%s\n", skep_diag_text(diag, 0));
		return 100;
	}
	if (strcmp(argv[1], "tally") == 0)
		result = tally(machine, 7);
	else if (strcmp(argv[1], "load") == 0)
		return visit_forever(machine, argv[3]);
	else if (strcmp(argv[1], "lock") == 0 && machine_lock(machine, NULL) == 0)
		raise(SIGKILL);
	else if (strcmp(argv[1], "stop") == 0 && machine_lock(machine, NULL) == 0)
		raise(SIGSTOP);
	else if (strcmp(argv[1], "stay") == 0)
		raise(SIGSTOP);
	skep_machine_free(machine);
	skep_diag_free(diag);
	return result;
}

static pid_t visit(const char *how, const char *name)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(program, program, how, name, FIXTURE("machine"), NULL);
		_exit(127);
	}
	return pid;
}

static int wait_for(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void wait_stopped(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
}

/* --- what is shared --- */

static void named__another_program_runs_what_it_finds(void **state)
{
	struct named n = named_new("one");
	uint64_t count = 0;
	uint32_t key = 7;

	(void)state;
	assert_int_equal(tally(n.machine, 7), 1);
	assert_int_equal(WEXITSTATUS(wait_for(visit("tally", "one"))), 2);
	assert_int_equal(tally(n.machine, 7), 3);
	assert_int_equal(skep_map_lookup(map_called(n.machine, "counts"), &key, &count), 0);
	assert_int_equal(count, 3);
	named_free(&n, "one");
}

static void named__it_stays_when_all_have_left(void **state)
{
	struct named n = named_new("one");
	struct skep_map_info info;
	struct skep_text text = { 0 };
	uint64_t value = 0;
	uint32_t key = 7;

	(void)state;
	assert_int_equal(tally(n.machine, 7), 1);
	skep_machine_free(n.machine);
	n.machine = skep_machine_open("one", NULL, n.diag);
	assert_non_null(n.machine);
	assert_int_equal(tally(n.machine, 7), 2);
	skep_map_info(map_called(n.machine, "counts"), &info);
	assert_non_null(info.btf);
	assert_int_equal(skep_map_lookup(map_called(n.machine, "counts"), &key, &value), 0);
	assert_true(skep_btf_print_value(info.btf, info.value_type, &value, 8, 0, &text) > 0);
	assert_string_equal(text.data, "(u64)2");
	free(text.data);
	/* What is frozen, stays so; tail calls reach what they did. */
	assert_int_equal(skep_map_update(map_called(n.machine, ".rodata"), &(uint32_t){ 0 }, &key, 0),
			 -EPERM);
	{
		uint64_t ctx[2] = { 1, 5 }, retval = 0;

		assert_int_equal(skep_prog_run(prog_called(n.machine, "jump"), ctx, sizeof(ctx),
					       &retval, n.diag), 0);
		assert_int_equal(retval, 15);
	}
	named_free(&n, "one");
}

static void named__both_see_what_the_other_loads(void **state)
{
	struct named n = named_new("one");
	struct skep_machine *before = n.machine;
	size_t maps = skep_machine_map_count(before), progs = skep_machine_prog_count(before);
	pid_t pid = fork();

	(void)state;
	if (pid == 0) { /* a fork that leaves and comes back by name */
		struct skep_object *object = fixture_open(FIXTURE("machine"));
		struct skep_machine *again;

		skep_machine_free(n.machine);
		again = skep_machine_open("one", NULL, NULL);
		leave_out_unspec(object);
		_exit(!again || skep_machine_load(again, object, NULL, NULL) < 0);
	}
	assert_int_equal(wait_for(pid), 0);
	assert_int_equal(skep_machine_map_count(before), maps);
	assert_int_equal(skep_machine_refresh(before, n.diag), 0);
	assert_int_equal(skep_machine_map_count(before), 2 * maps);
	assert_int_equal(skep_machine_prog_count(before), 2 * progs);
	for (size_t i = 0; i < 2 * maps; i++) {
		struct skep_map_info info;

		skep_map_info(skep_machine_map_at(before, i), &info);
		assert_int_equal(info.id, i + 1);
	}
	named_free(&n, "one");
}

static void named__two_machines_share_nothing(void **state)
{
	struct named a = named_new("a"), b = named_new("b");

	(void)state;
	assert_int_equal(tally(a.machine, 7), 1);
	assert_int_equal(tally(b.machine, 7), 1);
	assert_int_equal(WEXITSTATUS(wait_for(visit("tally", "a"))), 2);
	assert_int_equal(tally(b.machine, 7), 2);
	named_free(&a, "a");
	named_free(&b, "b");
}

/* --- the dead and the stopped --- */

static void named__a_dead_holder_keeps_no_lock(void **state)
{
	struct named n = named_new("one");

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_true(WIFSIGNALED(wait_for(visit("lock", "one"))));
		assert_int_equal(machine_lock(n.machine, n.diag), 0);
		machine_unlock(n.machine);
	}
	named_free(&n, "one");
}

static void named__a_stopped_holder_is_named(void **state)
{
	struct named n = named_new("one");
	struct skep_participant others[4];
	struct skep_machine_info info;
	pid_t pid = visit("stop", "one");
	char expected[32];
	bool found = false;

	(void)state;
	wait_stopped(pid);
	assert_int_equal(skep_machine_refresh(n.machine, n.diag), -EBUSY);
	snprintf(expected, sizeof(expected), "process %d", (int)pid);
	assert_non_null(strstr(skep_diag_get(n.diag, 0)->message, expected));
	skep_machine_info(n.machine, &info);
	assert_int_equal(info.lock_pid, pid);
	assert_int_equal(skep_machine_participants(n.machine, others, 4), 2);
	for (int i = 0; i < 2; i++)
		found |= others[i].pid == (uint32_t)pid && others[i].holds_lock;
	assert_true(found);
	kill(pid, SIGKILL);
	wait_for(pid);
	assert_int_equal(skep_machine_refresh(n.machine, n.diag), 0);
	named_free(&n, "one");
}

/* Whatever a loader dies in the middle of, the next load finds the directory well
 * and what the dead one had in its hands is used again. */
static void named__a_killed_loader_loses_little(void **state)
{
	struct named n = named_new("one");

	(void)state;
	srand(1);
	for (int i = 0; i < 25; i++) {
		pid_t pid = visit("load", "one");
		struct timespec delay = { 0, 8000000 + rand() % 30000000 };
		struct skep_object *object;

		nanosleep(&delay, NULL);
		kill(pid, SIGKILL);
		assert_true(WIFSIGNALED(wait_for(pid)));
		if (skep_machine_refresh(n.machine, n.diag) < 0)
			fail_msg("%s", skep_diag_text(n.diag, 0));
		object = fixture_open(FIXTURE("machine"));
		leave_out_unspec(object);
		if (skep_machine_load(n.machine, object, NULL, n.diag) < 0)
			fail_msg("%s", skep_diag_text(n.diag, 0));
		skep_object_free(object);
	}
	assert_int_equal(tally(n.machine, 9), 1);
	named_free(&n, "one");
}

/* --- names and places --- */

static void place__names_are_checked(void **state)
{
	static const char *const bad[] = { "", ".", "..", ".hidden", "a/b", "/abs", "-x", "a b", "a\n",
		"x123456789012345678901234567890123456789012345678901234567890123456789" };
	struct skep_diag *diag = skep_diag_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		refused(bad[i], SKEP_MACHINE_NAME);
		assert_null(create(bad[i], diag));
		assert_int_equal(skep_machine_remove(bad[i], false, diag), -EINVAL);
	}
	refused("none", SKEP_MACHINE_NONE);
	assert_int_equal(skep_machine_remove("none", false, diag), -ENOENT);
	skep_diag_free(diag);
}

static void place__a_name_is_given_once(void **state)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_machine *machine = create("Some-name_1.2", diag);

	(void)state;
	assert_non_null(machine);
	assert_null(create("Some-name_1.2", diag));
	assert_int_equal(skep_diag_get(diag, 0)->code, SKEP_MACHINE_EXISTS);
	skep_machine_free(machine);
	assert_int_equal(skep_machine_remove("Some-name_1.2", false, diag), 0);
	skep_diag_free(diag);
}

static void place__what_is_in_use_is_not_removed(void **state)
{
	struct named n = named_new("one");
	pid_t pid = visit("stay", "one");

	(void)state;
	wait_stopped(pid);
	skep_machine_free(n.machine);
	n.machine = NULL;
	assert_int_equal(skep_machine_remove("one", false, n.diag), -EBUSY);
	kill(pid, SIGKILL);
	wait_for(pid);
	named_free(&n, "one");
}

static int count_names(void *arg, const char *name)
{
	char *all = arg;

	strcat(all, name);
	strcat(all, " ");
	return 0;
}

static void place__names_are_listed_in_order(void **state)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_machine *b = create("b", diag), *a = create("a", diag);
	char all[64] = "";

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(skep_machine_list(count_names, all, diag), 0);
	assert_string_equal(all, "a b ");
	skep_machine_free(a);
	skep_machine_free(b);
	assert_int_equal(skep_machine_remove("a", false, diag), 0);
	assert_int_equal(skep_machine_remove("b", true, diag), 0);
	all[0] = '\0';
	assert_int_equal(skep_machine_list(count_names, all, diag), 0);
	assert_string_equal(all, "");
	skep_diag_free(diag);
}

static char *path_of(const char *rest)
{
	static char path[160];

	snprintf(path, sizeof(path), "%s/skep/%s", home, rest);
	return path;
}

static void place__what_others_may_write_is_refused(void **state)
{
	struct named n = named_new("one");
	char moved[160];

	(void)state;
	skep_machine_free(n.machine);
	n.machine = NULL;
	chmod(path_of(""), 0750);
	refused("one", SKEP_MACHINE_PLACE);
	chmod(path_of(""), 0700);
	chmod(path_of("one"), 0770);
	refused("one", SKEP_MACHINE_PLACE);
	chmod(path_of("one"), 0700);
	chmod(path_of("one/arena"), 0644);
	refused("one", SKEP_MACHINE_DAMAGED);
	chmod(path_of("one/arena"), 0600);
	if (geteuid() == 0) {
		assert_int_equal(chown(path_of("one"), 12345, 12345), 0);
		refused("one", SKEP_MACHINE_PLACE);
		assert_int_equal(chown(path_of("one"), 0, 0), 0);
	}
	/* No link is followed, on no step. */
	snprintf(moved, sizeof(moved), "%s", path_of("two"));
	assert_int_equal(rename(path_of("one"), moved), 0);
	assert_int_equal(symlink("two", path_of("one")), 0);
	refused("one", SKEP_MACHINE_PLACE);
	assert_int_equal(unlink(path_of("one")), 0);
	snprintf(moved, sizeof(moved), "%s", path_of("two/real"));
	assert_int_equal(rename(path_of("two/arena"), moved), 0);
	assert_int_equal(symlink("real", path_of("two/arena")), 0);
	refused("two", SKEP_MACHINE_DAMAGED);
	named_free(&n, "two");
}

static void place__the_runtime_directory_is_used_or_shared_memory(void **state)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_machine_info info;
	struct skep_machine *machine;
	char expected[64];

	(void)state;
	setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
	snprintf(expected, sizeof(expected), "/dev/shm/skep-%u/test-%d", (unsigned)geteuid(),
		 (int)getpid());
	machine = create(strrchr(expected, '/') + 1, diag);
	setenv("XDG_RUNTIME_DIR", home, 1);
	if (!machine) { /* no /dev/shm here, or one that is not ours */
		print_message("%s\n", skep_diag_text(diag, 0));
		skip();
	}
	skep_machine_info(machine, &info);
	assert_string_equal(info.path, expected);
	skep_machine_free(machine);
	setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
	assert_int_equal(skep_machine_remove(strrchr(expected, '/') + 1, false, diag), 0);
	setenv("XDG_RUNTIME_DIR", home, 1);
	*strrchr(expected, '/') = '\0';
	rmdir(expected); /* where nobody else has one */
	skep_diag_free(diag);
}

/* --- other versions and damage --- */

/* Changes the head of an arena's file, with a good checksum. */
static void change_head(const char *path, uint32_t layout, uint64_t boot)
{
	struct memory head;
	int fd = open(path, O_RDWR);

	assert_int_equal(pread(fd, &head, sizeof(head), 0), (ssize_t)sizeof(head));
	head.layout ^= layout;
	head.boot ^= boot;
	head.checksum = hash_bytes(&head, offsetof(struct memory, checksum), MEMORY_MAGIC);
	assert_int_equal(pwrite(fd, &head, offsetof(struct memory, root), 0),
			 (ssize_t)offsetof(struct memory, root));
	close(fd);
}

static void stale__another_version_or_boot_is_refused_and_removable(void **state)
{
	struct named n = named_new("one");

	(void)state;
	skep_machine_free(n.machine);
	n.machine = NULL;
	change_head(path_of("one/arena"), 1, 0);
	refused("one", SKEP_MACHINE_STALE);
	change_head(path_of("one/arena"), 1, 2);
	refused("one", SKEP_MACHINE_STALE);
	named_free(&n, "one");
}

static void write_at(const char *path, off_t at, const void *bytes, size_t size)
{
	int fd = open(path, O_RDWR);

	assert_int_equal(pwrite(fd, bytes, size, at), (ssize_t)size);
	close(fd);
}

static void damaged__every_byte_of_the_directory_is_believed_only_if_right(void **state)
{
	struct named n = named_new("one");
	char *base = (char *)n.machine->memory, *bytes = (char *)n.machine->directory;
	char *entry = (char *)n.machine->maps.items[1]->entry;
	off_t at = bytes - base, entry_at = entry - base;
	char copy[sizeof(struct entry)], changed;

	(void)state;
	memcpy(copy, bytes, sizeof(struct directory));
	skep_machine_free(n.machine);
	n.machine = NULL;
	for (size_t i = 0; i < offsetof(struct directory, lock); i += 3) {
		struct skep_diag *diag = skep_diag_new();

		changed = (char)~copy[i];
		write_at(path_of("one/arena"), at + (off_t)i, &changed, 1);
		assert_null(skep_machine_open("one", NULL, diag));
		assert_int_equal(skep_diag_count(diag), 1);
		skep_diag_free(diag);
		write_at(path_of("one/arena"), at + (off_t)i, &copy[i], 1);
	}
	n.machine = skep_machine_open("one", NULL, n.diag);
	assert_non_null(n.machine);
	memcpy(copy, entry, sizeof(copy));
	skep_machine_free(n.machine);
	n.machine = NULL;
	for (size_t i = offsetof(struct entry, checksum); i < sizeof(struct entry); i += 5) {
		changed = (char)~copy[i];
		write_at(path_of("one/arena"), entry_at + (off_t)i, &changed, 1);
		refused("one", SKEP_MACHINE_DAMAGED);
		write_at(path_of("one/arena"), entry_at + (off_t)i, &copy[i], 1);
	}
	named_free(&n, "one");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(named__another_program_runs_what_it_finds),
		cmocka_unit_test(named__it_stays_when_all_have_left),
		cmocka_unit_test(named__both_see_what_the_other_loads),
		cmocka_unit_test(named__two_machines_share_nothing),
		cmocka_unit_test(named__a_dead_holder_keeps_no_lock),
		cmocka_unit_test(named__a_stopped_holder_is_named),
		cmocka_unit_test(named__a_killed_loader_loses_little),
		cmocka_unit_test(place__names_are_checked),
		cmocka_unit_test(place__a_name_is_given_once),
		cmocka_unit_test(place__what_is_in_use_is_not_removed),
		cmocka_unit_test(place__names_are_listed_in_order),
		cmocka_unit_test(place__what_others_may_write_is_refused),
		cmocka_unit_test(place__the_runtime_directory_is_used_or_shared_memory),
		cmocka_unit_test(stale__another_version_or_boot_is_refused_and_removable),
		cmocka_unit_test(damaged__every_byte_of_the_directory_is_believed_only_if_right),
	};
	int failed;

	program = argv[0];
	if (argc > 2)
		return visitor(argv);
	strcpy(home, "/dev/shm/skep-home-XXXXXX");
	if (!mkdtemp(home)) {
		strcpy(home, "/tmp/skep-home-XXXXXX");
		if (!mkdtemp(home))
			return 1;
	}
	setenv("XDG_RUNTIME_DIR", home, 1);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(path_of(""));
	rmdir(home);
	return failed;
}
