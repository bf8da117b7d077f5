/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that are scanned in the background: each once, and none after the end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "hook/files.h"
#include "hook/scan_later.h"

static char mine[] = "mine";
static uint32_t done;
static struct file_id seen;

static void on_done(void *arg, struct binary *binary, struct scan *scan, const struct file_id *id)
{
	const struct scan_site *sites;

	assert_string_equal(arg, "mine");
	assert_non_null(binary);
	scan_syscalls(scan, &sites);
	seen = *id;
	__atomic_fetch_add(&done, 1, __ATOMIC_RELEASE);
}

static struct file_id id_of(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct file_id id;

	assert_int_equal(file_identify(fd, &id), 0);
	close(fd);
	return id;
}

static void wait_until_done(struct scan_later *later)
{
	for (int i = 0; i < 6000 && scan_later_left(later); i++)
		usleep(10000);
	assert_int_equal(scan_later_left(later), 0);
}

static void later__a_file_is_scanned_once(void **state)
{
	struct scan_later *later = scan_later_new(on_done, mine);
	struct file_id id = id_of("/proc/self/exe");

	(void)state;
	done = 0;
	for (int i = 0; i < 3; i++)
		scan_later_add(later, "/proc/self/exe", &id);
	wait_until_done(later);
	scan_later_add(later, "/proc/self/exe", &id);
	assert_int_equal(scan_later_left(later), 0);
	assert_int_equal(__atomic_load_n(&done, __ATOMIC_ACQUIRE), 1);
	assert_memory_equal(&seen, &id, sizeof(id));
	scan_later_free(later);
}

static void later__what_is_no_program_is_passed_over(void **state)
{
	struct scan_later *later = scan_later_new(on_done, mine);
	struct file_id none = id_of("/etc/passwd"), id = id_of("/proc/self/exe");

	(void)state;
	done = 0;
	scan_later_add(later, "/nonexistent", &none);
	scan_later_add(later, "/etc/passwd", &none);
	scan_later_add(later, "/proc/self/exe", &id);
	wait_until_done(later);
	assert_int_equal(__atomic_load_n(&done, __ATOMIC_ACQUIRE), 1);
	scan_later_free(later);
}

/* Whatever it is at just then. */
static void later__nothing_comes_after_the_end(void **state)
{
	struct file_id id = id_of("/proc/self/exe");

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct scan_later *later = scan_later_new(on_done, mine);
		uint32_t before;

		scan_later_add(later, "/proc/self/exe", &id);
		usleep((unsigned)i * 1000);
		scan_later_free(later);
		before = __atomic_load_n(&done, __ATOMIC_ACQUIRE);
		usleep(2000);
		assert_int_equal(__atomic_load_n(&done, __ATOMIC_ACQUIRE), before);
	}
	scan_later_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(later__a_file_is_scanned_once),
		cmocka_unit_test(later__what_is_no_program_is_passed_over),
		cmocka_unit_test(later__nothing_comes_after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
