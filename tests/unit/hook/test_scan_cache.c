/* SPDX-License-Identifier: BSD-2-Clause */
/* What is kept of scanned files: found again whole, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hook/scan_cache.h"

static char home[] = "/tmp/skep-cache-XXXXXX";
static struct patch patches[3];
static struct patch_unwind unwinds[2];
static struct patch_file file = {
	.id = { 1, 2, 3, 4 }, .syscalls = patches, .unwinds = unwinds,
	.syscall_count = 3, .unwind_count = 2, .call_count = 5, .is_go = 1,
};

/* The only kept file's path. */
static void kept_path(char path[400])
{
	char folder[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/skep", home);
	dir = opendir(folder);
	assert_non_null(dir);
	path[0] = '\0';
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.') {
			assert_string_equal(path, "");
			snprintf(path, 400, "%s/%s", folder, entry->d_name);
		}
	closedir(dir);
	assert_string_not_equal(path, "");
}

static bool is_kept(const struct file_id *id)
{
	struct kept_file kept;
	bool found = scan_cache_read(id, &kept);

	if (found) {
		assert_int_equal(kept.file.syscall_count, 3);
		assert_int_equal(kept.file.unwind_count, 2);
		assert_int_equal(kept.file.call_count, 5);
		assert_int_equal(kept.file.is_go, 1);
		assert_memory_equal(&kept.file.id, id, sizeof(*id));
		assert_memory_equal(kept.file.syscalls, patches, sizeof(patches));
		assert_memory_equal(kept.file.unwinds, unwinds, sizeof(unwinds));
	}
	free(kept.bytes);
	return found;
}

static int setup(void **state)
{
	(void)state;
	memset(patches, 0x11, sizeof(patches));
	memset(unwinds, 0x22, sizeof(unwinds));
	if (!mkdtemp(home))
		return -1;
	setenv("XDG_CACHE_HOME", home, 1);
	scan_cache_write(&file);
	return 0;
}

static int teardown(void **state)
{
	char path[400], folder[64];

	(void)state;
	kept_path(path);
	unlink(path);
	snprintf(folder, sizeof(folder), "%s/skep", home);
	rmdir(folder);
	return rmdir(home);
}

static void cache__what_was_kept_is_found_again(void **state)
{
	(void)state;
	assert_true(is_kept(&file.id));
}

static void cache__a_file_that_changed_is_another(void **state)
{
	struct file_id id = file.id;

	(void)state;
	id.changed_ns++;
	assert_false(is_kept(&id));
}

static void cache__no_damaged_byte_goes_unseen(void **state)
{
	uint8_t byte;
	char path[400];
	struct stat st;
	int fd;

	(void)state;
	kept_path(path);
	fd = open(path, O_RDWR);
	assert_int_equal(fstat(fd, &st), 0);
	for (off_t at = 0; at < st.st_size; at++) {
		assert_int_equal(pread(fd, &byte, 1, at), 1);
		byte ^= 0x40;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
		assert_false(is_kept(&file.id));
		byte ^= 0x40;
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	close(fd);
	assert_true(is_kept(&file.id));
}

static void cache__half_a_file_is_none(void **state)
{
	char path[400];
	struct stat st;

	(void)state;
	kept_path(path);
	assert_int_equal(stat(path, &st), 0);
	for (off_t size = 0; size < st.st_size; size += 7) {
		assert_int_equal(truncate(path, size), 0);
		assert_false(is_kept(&file.id));
	}
	scan_cache_write(&file);
	assert_true(is_kept(&file.id));
}

static void cache__what_others_may_write_is_not_trusted(void **state)
{
	char path[400], folder[64];

	(void)state;
	kept_path(path);
	assert_int_equal(chmod(path, 0620), 0);
	assert_false(is_kept(&file.id));
	assert_int_equal(chmod(path, 0600), 0);
	snprintf(folder, sizeof(folder), "%s/skep", home);
	assert_int_equal(chmod(folder, 0777), 0);
	assert_false(is_kept(&file.id));
	assert_int_equal(chmod(folder, 0700), 0);
	assert_true(is_kept(&file.id));
}

/* The folder is looked at now and then only. */
static void write_many(void)
{
	struct patch_file other = file;

	for (int i = 1; i <= 100; i++) {
		other.id.inode = file.id.inode + i;
		scan_cache_write(&other);
	}
}

static void each_kept(void (*fn)(const char *path))
{
	char folder[300], path[600];
	struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/skep", home);
	dir = opendir(folder);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (strncmp(entry->d_name, "scan-", 5) == 0)
			fn(path);
	}
	closedir(dir);
}

static int kept_count;

static void count_kept(const char *path)
{
	(void)path;
	kept_count++;
}

static void remove_kept(const char *path)
{
	assert_int_equal(unlink(path), 0);
}

static void cache__what_nobody_used_for_long_is_removed(void **state)
{
	struct timespec old[2] = { { .tv_sec = time(NULL) - 40 * 24 * 3600 } };
	char path[400];

	(void)state;
	old[1] = old[0];
	kept_path(path);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	write_many();
	assert_false(is_kept(&file.id));
	each_kept(remove_kept);
	scan_cache_write(&file);
}

static void cache__no_more_than_so_many_are_kept(void **state)
{
	struct timespec old[2] = { { .tv_sec = time(NULL) - 3600 } };
	char path[400];

	(void)state;
	old[1] = old[0];
	for (int i = 0; i < 2500; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/skep/scan-%d", home, i);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		assert_true(fd >= 0);
		assert_int_equal(futimens(fd, old), 0);
		close(fd);
	}
	write_many();
	kept_count = 0;
	each_kept(count_kept);
	assert_in_range(kept_count, 1000, 2100);
	assert_true(is_kept(&file.id)); /* those used last */
	each_kept(remove_kept);
	scan_cache_write(&file);
}

static void cache__nowhere_to_keep_it_is_no_error(void **state)
{
	(void)state;
	setenv("XDG_CACHE_HOME", "/proc/no/such/folder", 1);
	scan_cache_write(&file);
	assert_false(is_kept(&file.id));
	unsetenv("XDG_CACHE_HOME");
	unsetenv("HOME");
	scan_cache_write(&file);
	assert_false(is_kept(&file.id));
	setenv("XDG_CACHE_HOME", home, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cache__what_was_kept_is_found_again),
		cmocka_unit_test(cache__a_file_that_changed_is_another),
		cmocka_unit_test(cache__no_damaged_byte_goes_unseen),
		cmocka_unit_test(cache__half_a_file_is_none),
		cmocka_unit_test(cache__what_others_may_write_is_not_trusted),
		cmocka_unit_test(cache__what_nobody_used_for_long_is_removed),
		cmocka_unit_test(cache__no_more_than_so_many_are_kept),
		cmocka_unit_test(cache__nowhere_to_keep_it_is_no_error),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
