/* SPDX-License-Identifier: BSD-2-Clause */
/* test_tables.c - tables of files stay while somebody walks by them, and no longer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/unwind.h"
#include "hook/files.h"
#include "hook/tables.h"
#include "hook/targets.h"
#include "map/memory.h"

struct bench {
	struct memory *memory;
	struct targets *targets;
	struct tables *tables;
	size_t base;             /* bytes in use before there is any table */
	pid_t child;
};

static void child_new(struct bench *b)
{
	b->child = fork();
	if (b->child == 0)
		for (;;)
			pause();
	assert_true(b->child > 0);
}

static void child_kill(struct bench *b)
{
	kill(b->child, SIGKILL);
	assert_int_equal(waitpid(b->child, NULL, 0), b->child);
}

static struct bench bench_new(void)
{
	struct bench b = { .memory = memory_new(64 << 20) };

	assert_non_null(b.memory);
	b.targets = targets_new(b.memory, NULL);
	assert_non_null(b.targets);
	b.tables = tables_new(b.memory, b.targets);
	assert_non_null(b.tables);
	b.base = memory_used(b.memory);
	child_new(&b);
	return b;
}

static void bench_free(struct bench *b)
{
	tables_free(b->tables);
	memory_free(b->memory);
}

/* As many files as are wanted, all with this program's text. */
static struct unwind_file *file_number(struct bench *b, uint64_t number)
{
	struct file_id id;
	struct unwind_file *file;

	memset(&id, 0, sizeof(id));
	id.inode = number;
	file = tables_file(b->tables, "/proc/self/exe", &id);
	assert_non_null(file);
	return file;
}

static bool is_there(const struct bench *b, uint64_t number)
{
	for (const struct unwind_file *file = b->targets->unwind_files; file; file = file->next)
		if (file->id.inode == number)
			return true;
	return false;
}

static void give(struct bench *b, pid_t pid, uint64_t number)
{
	struct unwind_file *files[2] = { NULL };

	tables_begin(b->tables);
	files[1] = file_number(b, number);
	assert_int_equal(tables_give(b->tables, pid, files, 2), 0);
}

static void collect_all(struct bench *b)
{
	tables_begin(b->tables); /* nothing is being looked up */
	tables_collect(b->tables, 0);
}

static void tables__end_with_the_last_that_has_the_file(void **state)
{
	struct bench b = bench_new();
	pid_t first = b.child;

	(void)state;
	give(&b, first, 1);
	child_new(&b);
	give(&b, b.child, 1);
	give(&b, b.child, 2);
	assert_non_null(b.targets->unwind_files->table);
	collect_all(&b);
	assert_true(is_there(&b, 1) && is_there(&b, 2));
	child_kill(&b);
	collect_all(&b);
	assert_true(is_there(&b, 1) && !is_there(&b, 2));
	b.child = first;
	child_kill(&b);
	collect_all(&b);
	assert_null(b.targets->unwind_files);
	bench_free(&b);
}

/* The first round takes what the allocator keeps for more of the same sizes. */
static void tables__leave_nothing_behind(void **state)
{
	struct bench b = bench_new();
	size_t used = 0;

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (uint64_t i = 1; i <= 50; i++)
			give(&b, b.child, i);
		child_kill(&b);
		collect_all(&b);
		assert_null(b.targets->unwind_files);
		if (round > 0)
			assert_int_equal(memory_used(b.memory), used);
		used = memory_used(b.memory);
		child_new(&b);
	}
	child_kill(&b);
	bench_free(&b);
}

/* A walk may be under way by the list that a process has just turned from. */
static void tables__of_the_list_before_stay_until_the_next(void **state)
{
	struct bench b = bench_new();

	(void)state;
	give(&b, b.child, 1);
	give(&b, b.child, 2);
	collect_all(&b);
	assert_true(is_there(&b, 1) && is_there(&b, 2));
	give(&b, b.child, 3);
	collect_all(&b);
	assert_true(!is_there(&b, 1) && is_there(&b, 2) && is_there(&b, 3));
	tables_take_back(b.tables, b.child);
	collect_all(&b);
	assert_null(b.targets->unwind_files);
	child_kill(&b);
	bench_free(&b);
}

static void tables__that_are_being_looked_up_stay(void **state)
{
	struct bench b = bench_new();

	(void)state;
	tables_begin(b.tables);
	file_number(&b, 1);
	tables_collect(b.tables, 0);
	assert_true(is_there(&b, 1));
	collect_all(&b);
	assert_false(is_there(&b, 1));
	child_kill(&b);
	bench_free(&b);
}

/* A vfork child that goes on when its parent is dead walks by its parent's lists. */
static void tables__are_held_by_who_shares_the_memory(void **state)
{
	struct bench b = bench_new();
	pid_t host = b.child;
	struct process *process;

	(void)state;
	give(&b, host, 1);
	child_new(&b);
	process = process_claim(b.targets, (uint32_t)b.child, (uint32_t)host);
	process->host = (uint32_t)host;
	process_set_state(process, PROCESS_FOLLOWED);
	kill(host, SIGKILL);
	assert_int_equal(waitpid(host, NULL, 0), host);
	collect_all(&b);
	assert_true(is_there(&b, 1));
	child_kill(&b);
	collect_all(&b);
	assert_false(is_there(&b, 1));
	bench_free(&b);
}

/* Nobody knows what a killed supervisor gave to those that still live. */
static void tables__of_a_dead_supervisor_stay_for_its_targets(void **state)
{
	struct bench b = bench_new();
	struct process *process = process_claim(b.targets, (uint32_t)b.child, 1);

	(void)state;
	process_set_state(process, PROCESS_FOLLOWED);
	give(&b, b.child, 1);
	tables_free(b.tables);
	b.tables = tables_new(b.memory, b.targets);
	collect_all(&b);
	assert_true(is_there(&b, 1));
	give(&b, getpid(), 2);
	tables_take_back(b.tables, getpid());
	collect_all(&b);
	assert_true(is_there(&b, 1) && !is_there(&b, 2));
	child_kill(&b);
	collect_all(&b);
	assert_null(b.targets->unwind_files);
	bench_free(&b);
}

/* As in an arena's file that somebody wrote to. */
static void tables__that_are_damaged_are_made_again(void **state)
{
	(void)state;
	for (int damage = 0; damage < 4; damage++) {
		struct bench b = bench_new();
		struct unwind_file *file;

		give(&b, b.child, 1);
		give(&b, b.child, 2);
		file = b.targets->unwind_files;
		if (damage == 0)
			file->next->next = file; /* round and round */
		else if (damage == 1)
			file->next = (void *)8;
		else if (damage == 2)
			file->table = (void *)-16;
		else
			((struct unwind_table *)(uintptr_t)file->table)->count = UINT32_MAX;
		tables_free(b.tables);
		b.tables = tables_new(b.memory, b.targets);
		give(&b, b.child, 3);
		assert_true(is_there(&b, 3) && !is_there(&b, 1) && !is_there(&b, 2));
		child_kill(&b);
		bench_free(&b);
	}
}

/* Short processes of different programs, one after the other. */
static void tables__of_thousands_of_files_do_not_pile_up(void **state)
{
	enum { FILES = 3000 };
	struct bench b = bench_new();
	pid_t gone = b.child;
	size_t most = 0;

	(void)state;
	child_kill(&b);
	for (uint64_t i = 1; i <= FILES; i++) {
		size_t used;

		give(&b, gone, i);
		used = memory_used(b.memory) - b.base;
		most = used > most ? used : most;
	}
	print_message("at most %zu KB for %d files\n", most >> 10, FILES);
	assert_true(is_there(&b, FILES)); /* the next process of a program finds its table */
	assert_true(most < TABLES_IDLE + (3 << 20));
	assert_false(is_there(&b, 1));
	bench_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables__end_with_the_last_that_has_the_file),
		cmocka_unit_test(tables__leave_nothing_behind),
		cmocka_unit_test(tables__of_the_list_before_stay_until_the_next),
		cmocka_unit_test(tables__that_are_being_looked_up_stay),
		cmocka_unit_test(tables__are_held_by_who_shares_the_memory),
		cmocka_unit_test(tables__of_a_dead_supervisor_stay_for_its_targets),
		cmocka_unit_test(tables__that_are_damaged_are_made_again),
		cmocka_unit_test(tables__of_thousands_of_files_do_not_pile_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
