/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_unwind.c - callers found through code that keeps no frame pointers, as the C
 * library's own unwinder finds them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <alloca.h>
#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "base/fault.h"
#include "hook/unwind.h"

enum { DEPTH = 64, MODULES = 32 };

static struct unwind_modules *modules;

static struct {
	uint64_t ours[DEPTH];
	void *theirs[DEPTH];
	uint32_t our_count;
	int their_count;
} seen;

/* Every executable mapping of this process, with a table of its file's. */
static void add_module(uint64_t start, uint64_t end, uint64_t offset, const char *path)
{
	struct skep_diag *diag = skep_diag_new();
	struct binary *binary = binary_open(path, NULL, diag);
	int64_t address = binary ? binary_from_offset(binary, offset) : -1;

	if (binary && address >= 0 && modules->count < MODULES)
		modules->at[modules->count++] = (struct unwind_module){
			.start = start, .end = end, .bias = start - (uint64_t)address,
			.table = unwind_build(binary),
		};
	binary_free(binary);
	skep_diag_free(diag);
}

static int setup(void **state)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], path[256], permissions[8];
	unsigned long start, end, offset;

	(void)state;
	modules = calloc(1, sizeof(*modules) + MODULES * sizeof(modules->at[0]));
	assert_non_null(modules);
	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %255s", &start, &end, permissions, &offset,
			   path) == 5 && permissions[2] == 'x' && path[0] == '/')
			add_module(start, end, offset, path);
	if (maps)
		fclose(maps);
	unwind_modules = modules;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unwind_modules = NULL;
	for (uint32_t i = 0; i < modules->count; i++)
		free((void *)(uintptr_t)modules->at[i].table);
	free(modules);
	return 0;
}

/* Both walks from one place. */
static __attribute__((noinline)) void look(void)
{
	uint64_t regs[21] = { 0 };
	ucontext_t here;

	seen.their_count = backtrace(seen.theirs, DEPTH);
	getcontext(&here);
	regs[4] = (uint64_t)here.uc_mcontext.gregs[REG_RBP];
	regs[16] = (uint64_t)here.uc_mcontext.gregs[REG_RIP];
	regs[19] = (uint64_t)here.uc_mcontext.gregs[REG_RSP];
	seen.our_count = unwind_walk(regs, seen.ours, DEPTH);
}

/* All callers of look() are the same; at least wanted of them. */
static void assert_same(uint32_t wanted)
{
	assert_in_range(seen.our_count, wanted, DEPTH);
	assert_int_equal(seen.our_count, seen.their_count);
	for (uint32_t i = 1; i < seen.our_count; i++)
		if (seen.ours[i] != (uint64_t)(uintptr_t)seen.theirs[i])
			fail_msg("frame %u: %#lx, not %p", i, (unsigned long)seen.ours[i],
				 seen.theirs[i]);
}

#ifdef __clang__ /* it leaves frame pointers out as the whole build does */
#define WITHOUT_FRAME_POINTER __attribute__((noinline))
#else
#define WITHOUT_FRAME_POINTER __attribute__((noinline, optimize("omit-frame-pointer")))
#endif

static WITHOUT_FRAME_POINTER int deep(int n)
{
	char text[32];
	int sum = 0;

	snprintf(text, sizeof(text), "%d", n);
	if (n == 0)
		look();
	else
		sum = deep(n - 1);
	return sum + text[0];
}

static void unwind__finds_callers_without_frame_pointers(void **state)
{
	(void)state;
	deep(20);
	assert_same(22);
}

static int compare(const void *a, const void *b)
{
	if (!seen.our_count)
		look();
	return *(const char *)a - *(const char *)b;
}

static void unwind__goes_through_a_library(void **state)
{
	char letters[] = "sorting";

	(void)state;
	seen.our_count = 0;
	qsort(letters, sizeof(letters) - 1, 1, compare);
	assert_same(4);
}

static __attribute__((noinline)) int sized(size_t size)
{
	char *room = alloca(size);

	memset(room, 1, size);
	return deep(3) + room[size / 2];
}

static __attribute__((noinline)) int aligned(int n)
{
	_Alignas(64) char room[64];

	memset(room, n, sizeof(room));
	return sized(100) + room[n];
}

static void unwind__follows_frames_of_variable_and_of_aligned_size(void **state)
{
	(void)state;
	aligned(3);
	assert_same(8);
}

static void on_signal(int number)
{
	(void)number;
	deep(2);
}

static void unwind__goes_through_a_signals_frame(void **state)
{
	(void)state;
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	assert_same(7);
}

static void unwind__a_damaged_stack_ends_the_walk(void **state)
{
	uint64_t regs[21] = { 0 }, ips[DEPTH];

	(void)state;
	assert_int_equal(fault_init(), 0); /* not in setup: each test gets handlers of cmocka's */
	regs[16] = (uint64_t)(uintptr_t)deep + 8;
	regs[19] = 8; /* nothing is mapped there */
	regs[4] = 16;
	assert_int_equal(unwind_walk(regs, ips, DEPTH), 1);
	assert_int_equal(unwind_walk(regs, ips, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unwind__finds_callers_without_frame_pointers),
		cmocka_unit_test(unwind__goes_through_a_library),
		cmocka_unit_test(unwind__follows_frames_of_variable_and_of_aligned_size),
		cmocka_unit_test(unwind__goes_through_a_signals_frame),
		cmocka_unit_test(unwind__a_damaged_stack_ends_the_walk),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
