/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of processes: many, found again, and used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "hook/targets.h"
#include "map/memory.h"

static struct memory *memory;
static struct targets *targets;

static int setup(void **state)
{
	(void)state;
	memory = memory_new(1 << 28);
	targets = memory ? targets_new(memory, NULL) : NULL;
	return targets ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	memory_free(memory);
	return 0;
}

static struct process *claim(uint32_t pid)
{
	struct process *process = process_claim(targets, pid, 1);

	assert_non_null(process);
	assert_int_equal(process->pid, pid);
	process_set_state(process, PROCESS_FOLLOWED);
	return process;
}

static void targets__thousands_may_live_at_once(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < PROCESSES; i++)
		claim(1000000 + i);
	assert_null(process_claim(targets, 5, 1));
	assert_int_equal(targets->unrecorded, 1);
	for (uint32_t i = 0; i < PROCESSES; i += 1111)
		assert_int_equal(process_find(targets, 1000000 + i)->pid, 1000000 + i);
	assert_null(process_find(targets, 5));
	process_leave(process_find(targets, 1000777));
	assert_null(process_find(targets, 1000777));
	assert_true(process_was(targets, 1000777));
	claim(5);
	assert_false(process_was(targets, 1000777));
	assert_int_equal(targets->reused, 1);
}

static void targets__records_of_who_left_are_used_again_in_turn(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < PROCESSES; i++)
		process_leave(claim(1000000 + i));
	for (uint32_t i = 0; i < 2 * PROCESSES; i++) {
		claim(2000000 + i);
		assert_false(process_was(targets, 1000000 + i));
		assert_true(i < 1 || process_was(targets, 2000000 + i - 1));
		assert_true(i + 1 >= PROCESSES || process_was(targets, 1000000 + i + 1));
		process_leave(process_find(targets, 2000000 + i));
	}
	assert_int_equal(targets->reused, 2 * PROCESSES);
}

static void targets__those_that_live_are_gone_through(void **state)
{
	uint32_t seen = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		struct process *process = claim(1000000 + i);

		if (i % 100 != 7)
			process_leave(process);
	}
	for TARGETS_LIVE(targets, i) {
		assert_int_equal(targets->process[i].pid % 100, 7);
		seen++;
	}
	assert_int_equal(seen, 10);
}

static void targets__who_ended_without_a_word_is_swept(void **state)
{
	(void)state;
	claim((uint32_t)getpid());
	claim(0x3ffffffe); /* past all that Linux gives */
	targets_sweep(targets);
	assert_non_null(process_find(targets, (uint32_t)getpid()));
	assert_null(process_find(targets, 0x3ffffffe));
	assert_true(process_was(targets, 0x3ffffffe));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(targets__thousands_may_live_at_once),
		TEST(targets__records_of_who_left_are_used_again_in_turn),
		TEST(targets__those_that_live_are_gone_through),
		TEST(targets__who_ended_without_a_word_is_swept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
