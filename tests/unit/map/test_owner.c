/* SPDX-License-Identifier: BSD-2-Clause */
/* Who lives: participants of other namespaces are taken for neither dead nor immortal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "map/memory.h"
#include "map/owner.h"

struct shared {
	uint64_t lock, word;
	uint32_t ready;
};

static struct memory *memory;
static struct owner_table *owners;
static struct shared *shared;

static int setup(void **state)
{
	(void)state;
	memory = memory_new(1 << 26);
	shared = memory ? memory_alloc(memory, sizeof(*shared), 64) : NULL;
	if (!shared)
		return -1;
	*shared = (struct shared){ 0 };
	owners = memory_owners(memory);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	memory_free(memory);
	return 0;
}

/* Takes the lock and keeps it. */
static _Noreturn void hold_lock(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	shared->word = owner_self(owners);
	owner_lock(owners, &shared->lock, shared->word);
	__atomic_store_n(&shared->ready, 1, __ATOMIC_RELEASE);
	for (;;)
		pause();
}

/* The first process of a pid namespace, which holds the lock; its pid here is in *pid. False: this
 * is not permitted. */
static bool holder_abroad(pid_t *outer, pid_t *pid)
{
	int told[2];
	pid_t child = 0;

	assert_int_equal(pipe(told), 0);
	*outer = fork();
	if (*outer == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0)
			child = fork();
		if (child == 0 && getpid() == 1)
			hold_lock();
		if (write(told[1], &child, sizeof(child)) != sizeof(child))
			_exit(1);
		waitpid(child, NULL, 0);
		_exit(0);
	}
	assert_int_equal(read(told[0], pid, sizeof(*pid)), sizeof(*pid));
	close(told[0]);
	close(told[1]);
	if (*pid <= 0) {
		waitpid(*outer, NULL, 0);
		return false;
	}
	while (!__atomic_load_n(&shared->ready, __ATOMIC_ACQUIRE))
		usleep(1000);
	return true;
}

static void end_holder(pid_t outer, pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(outer, NULL, 0), outer);
}

static bool is_gone(void *arg, uint64_t space, uint32_t pid)
{
	*(uint32_t *)arg = pid;
	return space != owner_space() && pid == 1;
}

static void owner__who_is_abroad_is_not_judged_by_a_pid_of_here(void **state)
{
	pid_t outer, pid;

	(void)state;
	if (!holder_abroad(&outer, &pid))
		skip();
	/* Process 1 lives here and started at another time. */
	assert_true(owner_pid_is_abroad(owners, shared->word));
	assert_false(owner_dead(owners, shared->word));
	assert_int_equal(owners->called, 1);
	assert_int_equal(owner_lock(owners, &shared->lock, owner_self(owners)), -EBUSY);
	end_holder(outer, pid);
	/* Nobody has said who that was. */
	assert_false(owner_dead(owners, shared->word));
}

static void owner__who_got_a_name_at_home_lives_and_dies_by_it(void **state)
{
	pid_t outer, pid;

	(void)state;
	if (!holder_abroad(&outer, &pid))
		skip();
	owner_rename(owners, OWNER_TOKEN(shared->word), (uint32_t)pid);
	assert_false(owner_pid_is_abroad(owners, shared->word));
	assert_int_equal(owner_pid(owners, shared->word), pid);
	assert_false(owner_dead(owners, shared->word));
	assert_int_equal(owners->called, 0);
	end_holder(outer, pid);
	assert_int_equal(owner_lock(owners, &shared->lock, owner_self(owners)), 1);
	assert_true(owner_dead(owners, shared->word));
}

/* As agents are, who say so: any participant else may be of a space that is not seen from here. */
static void owner__of_targets_abroad_without_a_name_those_are_buried_that_are_nowhere(void **state)
{
	struct participant *at;
	uint32_t asked = 0;
	pid_t outer, pid;

	(void)state;
	if (!holder_abroad(&outer, &pid))
		skip();
	at = &owners->at[shared->word >> 24 & 0xffff];
	owner_answer(owners, is_gone, &asked);
	assert_int_equal(asked, 0);
	at->word |= OWNER_TARGET;
	owner_answer(owners, is_gone, &asked);
	assert_int_equal(asked, 1);
	assert_true(owner_dead(owners, shared->word));
	end_holder(outer, pid);
}

static void owner__another_home_leaves_nobody_to_a_pid_of_there(void **state)
{
	uint64_t before = owners->home;

	(void)state;
	shared->word = owner_self(owners);
	assert_int_equal(before, owner_space());
	owners->home = before + 1; /* as if somebody elsewhere had made this arena */
	assert_true(owner_is_abroad(owners));
	owner_make_home(owners);
	assert_int_equal(owners->home, before);
	assert_false(owner_is_abroad(owners));
	/* Whoever was at home there is abroad here. */
	assert_true(owner_pid_is_abroad(owners, shared->word));
	assert_int_equal(owners->at[shared->word >> 24 & 0xffff].space, before + 1);
}

/* --- how many --- */

/* Joins, says so, and lives until it is told. */
static _Noreturn void take_part(int begun, int end)
{
	char byte = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	owner_self(owners);
	if (write(begun, &byte, 1) != 1 || read(end, &byte, 1) < 0)
		_exit(1);
	_exit(0);
}

static void owner__thousands_take_part_at_once(void **state)
{
	enum { MANY = 3000 };
	int begun[2], end[2], failed = 0, status;
	char byte;

	(void)state;
	assert_int_equal(pipe(begun), 0);
	assert_int_equal(pipe(end), 0);
	for (int i = 0; i < MANY; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			close(end[1]);
			take_part(begun[1], end[0]);
		}
		failed += pid < 0;
	}
	for (int i = 0; i < MANY - failed; i++)
		assert_int_equal(read(begun[0], &byte, 1), 1);
	assert_true(owners->used > (uint32_t)(MANY - failed));
	close(end[1]);
	for (int i = 0; i < MANY - failed; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	close(end[0]);
	close(begun[0]);
	close(begun[1]);
	if (failed) {
		print_message("this user may not have %d processes\n", MANY);
		skip();
	}
}

static void owner__the_table_grows_with_those_that_live(void **state)
{
	int begun[2], end[2], status;

	(void)state;
	assert_int_equal(pipe(begun), 0);
	assert_int_equal(pipe(end), 0);
	close(end[1]);
	for (int i = 0; i < 1000; i++) {
		pid_t pid = fork();

		if (pid == 0)
			take_part(begun[1], end[0]);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	assert_true(owners->used < 10);
	close(end[0]);
	close(begun[0]);
	close(begun[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(owner__who_is_abroad_is_not_judged_by_a_pid_of_here,
						setup, teardown),
		cmocka_unit_test_setup_teardown(owner__who_got_a_name_at_home_lives_and_dies_by_it,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			owner__of_targets_abroad_without_a_name_those_are_buried_that_are_nowhere, setup,
			teardown),
		cmocka_unit_test_setup_teardown(owner__thousands_take_part_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(owner__the_table_grows_with_those_that_live, setup,
						teardown),
		cmocka_unit_test_setup_teardown(owner__another_home_leaves_nobody_to_a_pid_of_there,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
