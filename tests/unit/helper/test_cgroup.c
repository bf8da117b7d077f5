/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cgroup.c - the current task's cgroup, and cgroup arrays.
 *
 * In the root of the unified hierarchy for whoever runs the tests; in a cgroup of its own
 * when it may make one.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/base.h"
#include "helper/list.h"
#include "map/map.h"

static struct memory *memory;
static struct vcpu_set *vcpus;
static struct vm vm;
static struct map *map;
static const char *mounted; /* NULL: there is no unified hierarchy here */

#define CALL(name, ...) helper_##name.call(&vm, (const uint64_t[5]){ __VA_ARGS__ })
#define UNDER(index) (int64_t)CALL(current_task_under_cgroup, (uintptr_t)map, (index))

static int setup(void **state)
{
	static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	struct map_spec spec = { .name = "cgroups", .type = BPF_MAP_TYPE_CGROUP_ARRAY,
				 .key_size = 4, .value_size = 4, .max_entries = 2 };
	struct statfs system;
	int error = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mounts) && !mounted; i++)
		if (statfs(mounts[i], &system) == 0 && system.f_type == 0x63677270)
			mounted = mounts[i];
	memory = memory_new(0);
	vcpus = memory ? vcpu_set_new(memory, 0) : NULL;
	map = vcpus ? map_new(&spec, memory, vcpus, &error) : NULL;
	return map ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	map_free(map);
	memory_free(memory);
	return 0;
}

static int put(uint32_t index, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = map_user_update(map, &index, &fd, BPF_ANY);

	close(fd);
	return error;
}

static void cgroup_array__takes_directories_of_cgroups_only(void **state)
{
	uint32_t key = 0, value = 9999;

	(void)state;
	assert_int_equal(map_user_update(map, &key, &value, BPF_ANY), -EBADF);
	assert_int_equal(put(0, "/"), -EBADF);
	assert_int_equal(put(0, "/proc/self/cgroup"), -EBADF);
	assert_int_equal(put(2, "/"), -E2BIG);
	assert_int_equal(map_user_update(map, &key, &value, BPF_NOEXIST), -EINVAL);
	assert_int_equal(map_user_lookup(map, &key, &value, 0), -ENOTSUPP);
	assert_int_equal(map_user_remove(map, &key), -ENOENT);
	key = 2;
	assert_int_equal(map_user_remove(map, &key), -E2BIG);
	if (!mounted) {
		print_message("not looked at: no unified hierarchy of cgroups is mounted\n");
		return;
	}
	assert_int_equal(put(0, mounted), 0);
	key = 0;
	assert_int_equal(map_user_lookup(map, &key, &value, 0), -ENOTSUPP);
	assert_int_equal(map_user_remove(map, &key), 0);
	assert_int_equal(map_user_remove(map, &key), -ENOENT);
}

static void cgroup__every_task_is_under_the_root(void **state)
{
	uint32_t key = 0;

	(void)state;
	assert_int_equal(UNDER(2), -E2BIG);
	assert_int_equal(UNDER(0), -EAGAIN);
	if (!mounted)
		return;
	assert_int_equal(put(0, mounted), 0);
	assert_int_equal(UNDER(0), 1);
	assert_int_equal(map_user_remove(map, &key), 0);
}

static void write_to(const char *dir, const char *file, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(2);
	close(fd);
}

/* In a process of its own, in the inner of two cgroups: what is wrong. */
static int in_a_cgroup(const char *outer, const char *inner, const char *other)
{
	struct stat ids[3];
	int level = 0;

	write_to(inner, "cgroup.procs", "0");
	stat(mounted, &ids[0]);
	stat(outer, &ids[1]);
	stat(inner, &ids[2]);
	if (CALL(get_current_cgroup_id, 0) != ids[2].st_ino)
		return 3;
	/* The root of a container's own hierarchy may have others above it. */
	while (CALL(get_current_ancestor_cgroup_id, level) != ids[1].st_ino)
		if (++level > 20)
			return 4;
	if (CALL(get_current_ancestor_cgroup_id, level - 1) != ids[0].st_ino ||
	    CALL(get_current_ancestor_cgroup_id, level + 1) != ids[2].st_ino ||
	    CALL(get_current_ancestor_cgroup_id, level + 2) != 0 ||
	    CALL(get_current_ancestor_cgroup_id, (uint64_t)-1) != 0)
		return 5;
	if (put(0, other) || UNDER(0) != 0)
		return 6;
	if (put(0, inner) || put(1, outer) || UNDER(0) != 1 || UNDER(1) != 1)
		return 7;
	return 0;
}

static void cgroup__a_task_is_under_its_own_and_those_above(void **state)
{
	char outer[128], inner[160], other[160];
	int status = 0;
	pid_t pid;

	(void)state;
	snprintf(outer, sizeof(outer), "%s/skep-test-%d", mounted ? mounted : "/sys/fs/cgroup", getpid());
	snprintf(inner, sizeof(inner), "%s/inner", outer);
	snprintf(other, sizeof(other), "%s/other", outer);
	if (!mounted || mkdir(outer, 0755) < 0) {
		print_message("skipped: a cgroup cannot be made here\n");
		skip();
	}
	mkdir(inner, 0755);
	mkdir(other, 0755);
	pid = fork();
	if (pid == 0)
		_exit(in_a_cgroup(outer, inner, other));
	waitpid(pid, &status, 0);
	rmdir(inner);
	rmdir(other);
	rmdir(outer);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2) {
		print_message("skipped: processes cannot be moved into a cgroup here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cgroup_array__takes_directories_of_cgroups_only),
		cmocka_unit_test(cgroup__every_task_is_under_the_root),
		cmocka_unit_test(cgroup__a_task_is_under_its_own_and_those_above),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
