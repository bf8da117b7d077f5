/* SPDX-License-Identifier: BSD-2-Clause */
/* test_parts.c - the current task's files, memory, directories and namespaces, as programs see them. */
#include "../object/fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <skep/machine.h>

#include "btf/btf.h"
#include "machine/machine.h"
#include "bench.h"
#include "faults.h"

struct seen {
	uint64_t ino, size, pos, arg_start, arg_end, start;
	uint32_t mode, dev, flags, max_fds, mnt_ns, pid_ns, closed, parent_mm;
	char name[32], parent[32], pwd[32], exe[32];
};

static const enum skep_engine engines[] = { SKEP_ENGINE_INTERPRETER, SKEP_ENGINE_JIT };

static struct bench bench_new(enum skep_engine engine)
{
	struct skep_machine_opts opts = { .engine = engine, .cpus = 4 };
	struct bench b = { .object = fixture_open(FIXTURE("parts")), .diag = skep_diag_new() };

	b.machine = skep_machine_new(&opts, b.diag);
	assert_non_null(b.machine);
	keep_fault_handler();
	if (skep_machine_load(b.machine, b.object, NULL, b.diag) < 0)
		fail_msg("%s", skep_diag_text(b.diag, 0));
	return b;
}

static int64_t run(struct bench *b, const char *name, struct seen *seen)
{
	struct skep_prog *prog = skep_machine_prog(b->machine, prog_named(b->object, name));
	uint64_t ctx[1] = { 0 }, retval;

	if (skep_prog_run(prog, ctx, sizeof(ctx), &retval, b->diag) < 0)
		fail_msg("%s", skep_diag_text(b->diag, 0));
	variable(b, "seen", seen, sizeof(*seen), false);
	return (int64_t)retval;
}

static void look_at(struct bench *b, int fd, struct seen *seen)
{
	variable(b, "fd", &fd, sizeof(fd), true);
	run(b, "probed", seen);
}

static void base_of(const char *link, char *name, size_t size)
{
	char path[4096];
	ssize_t len = readlink(link, path, sizeof(path) - 1);

	assert_true(len > 0);
	path[len] = '\0';
	snprintf(name, size, "%s", strrchr(path, '/') + 1);
}

static void parts__files_are_those_of_the_process(void **state)
{
	char dir[] = "/tmp/skep-parts-XXXXXX", path[64], name[256];
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a-file", dir);
	fd = open(path, O_CREAT | O_RDWR | O_APPEND, 0640);
	assert_int_equal(write(fd, "12345", 5), 5);
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		struct bench b = bench_new(engines[e]);
		struct seen seen;

		look_at(&b, fd, &seen);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(seen.ino, st.st_ino);
		assert_int_equal(seen.size, 5);
		assert_int_equal(seen.pos, 5);
		assert_int_equal(seen.mode, st.st_mode);
		assert_int_equal(seen.dev, major(st.st_dev) << 20 | minor(st.st_dev));
		assert_int_equal(seen.flags & (O_APPEND | O_ACCMODE), O_APPEND | O_RDWR);
		assert_string_equal(seen.name, "a-file");
		assert_string_equal(seen.parent, strrchr(dir, '/') + 1);
		assert_true(seen.max_fds > (uint32_t)fd);
		assert_int_equal(seen.closed, 1);
		base_of("/proc/self/exe", name, sizeof(name));
		assert_string_equal(seen.exe, name);
		bench_free(&b);
	}
	unlink(path);
	rmdir(dir);
	close(fd);
}

static void parts__each_event_sees_them_anew(void **state)
{
	struct bench b = bench_new(SKEP_ENGINE_AUTO);
	int pipes[2], fd = open("/dev/null", O_RDONLY);
	struct seen seen;

	(void)state;
	look_at(&b, fd, &seen);
	assert_string_equal(seen.name, "null");
	assert_string_equal(seen.parent, "dev");
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(dup2(pipes[0], fd), fd);
	look_at(&b, fd, &seen);
	assert_string_equal(seen.name, "");
	assert_int_equal(seen.mode & S_IFMT, S_IFIFO);
	close(fd);
	look_at(&b, fd, &seen);
	assert_int_equal(seen.mode, 0);
	close(pipes[0]);
	close(pipes[1]);
	bench_free(&b);
}

static void parts__what_has_no_path_has_linux_names(void **state)
{
	struct bench b = bench_new(SKEP_ENGINE_AUTO);
	int fd = memfd_create("a-memory", 0), gone;
	char path[] = "/tmp/skep-gone-XXXXXX";
	struct seen seen;

	(void)state;
	look_at(&b, fd, &seen);
	assert_true(strstr(seen.name, "memfd:a-memory") == seen.name);
	close(fd);
	gone = mkstemp(path);
	unlink(path);
	look_at(&b, gone, &seen);
	assert_string_equal(seen.name, strrchr(path, '/') + 1);
	close(gone);
	look_at(&b, open("/", O_RDONLY | O_DIRECTORY), &seen);
	assert_string_equal(seen.name, "/");
	assert_string_equal(seen.parent, "/");
	bench_free(&b);
}

static void parts__memory_namespaces_and_start_are_what_proc_says(void **state)
{
	char text[4096], name[256];
	struct stat mnt, pid;
	FILE *stat_file = fopen("/proc/self/stat", "r");
	unsigned long long start = 0, arg_start = 0, arg_end = 0;
	unsigned field = 2;

	(void)state;
	text[fread(text, 1, sizeof(text) - 1, stat_file)] = '\0';
	fclose(stat_file);
	for (char *at = strtok(strrchr(text, ')') + 1, " "); at; at = strtok(NULL, " ")) {
		field++;
		if (field == 22)
			start = strtoull(at, NULL, 10);
		if (field == 48)
			arg_start = strtoull(at, NULL, 10);
		if (field == 49)
			arg_end = strtoull(at, NULL, 10);
	}
	stat("/proc/self/ns/mnt", &mnt);
	stat("/proc/self/ns/pid_for_children", &pid);
	base_of("/proc/self/cwd", name, sizeof(name));
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		struct bench b = bench_new(engines[e]);
		struct seen seen;

		run(&b, "direct", &seen);
		assert_true(arg_start && arg_end > arg_start);
		assert_int_equal(seen.arg_start, arg_start);
		assert_int_equal(seen.arg_end, arg_end);
		assert_int_equal(seen.start, start * 10000000);
		assert_int_equal(seen.mnt_ns, mnt.st_ino);
		assert_int_equal(seen.pid_ns, pid.st_ino);
		assert_int_equal(seen.parent_mm, 0);
		assert_string_equal(seen.pwd, name);
		assert_int_equal(run(&b, "exists", &seen), 1);
		bench_free(&b);
	}
}

static void parts__a_fork_sees_its_own(void **state)
{
	struct bench b = bench_new(SKEP_ENGINE_AUTO);
	int fd = open("/dev/null", O_RDONLY), status;
	struct seen seen;
	pid_t child;

	(void)state;
	look_at(&b, fd, &seen);
	assert_string_equal(seen.name, "null");
	child = fork();
	if (child == 0) {
		int other = open("/dev/zero", O_RDONLY);

		dup2(other, fd);
		look_at(&b, fd, &seen);
		_exit(strcmp(seen.name, "zero") != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	look_at(&b, fd, &seen);
	assert_string_equal(seen.name, "null");
	close(fd);
	bench_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts__files_are_those_of_the_process),
		cmocka_unit_test(parts__each_event_sees_them_anew),
		cmocka_unit_test(parts__what_has_no_path_has_linux_names),
		cmocka_unit_test(parts__memory_namespaces_and_start_are_what_proc_says),
		cmocka_unit_test(parts__a_fork_sees_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
