/* SPDX-License-Identifier: BSD-2-Clause */
/* Questions to the supervisor: none is lost, whoever dies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hook/mail.h"
#include "map/memory.h"
#include "map/owner.h"

static struct memory *memory;
static struct mail *mail;

static int setup(void **state)
{
	(void)state;
	memory = memory_new(1 << 26);
	mail = memory ? memory_alloc(memory, sizeof(*mail), 64) : NULL;
	return mail && mail_open(mail, memory_owners(memory)) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	mail_close(mail);
	memory_free(memory);
	return 0;
}

/* A process that asks once, and ends with the answer. */
static pid_t asker(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct mail_message ask = { .kind = MAIL_SCAN_FILE,
						  .pid = (uint32_t)getpid(),
						  .tid = (uint32_t)getpid() };

		_exit((int)mail_ask(mail, memory_owners(memory), &ask));
	}
	return pid;
}

static struct mail_slot *next_question(void)
{
	struct mail_slot *slot = NULL;

	for (int i = 0; i < 1000 && !slot; i++) {
		uint32_t bell = __atomic_load_n(&mail->bell, __ATOMIC_ACQUIRE), at = 0;

		slot = mail_next(mail, &at, MAIL_ANY);
		if (!slot)
			mail_wait(mail, bell, 10000000);
	}
	assert_non_null(slot);
	return slot;
}

static int end_of(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void mail__a_question_is_answered(void **state)
{
	pid_t pid = asker();

	(void)state;
	mail_answer(next_question(), 7);
	assert_int_equal(end_of(pid), 7 << 8);
}

/* The sweep may have had the one who had the slot before in mind. */
static void mail__who_loses_the_slot_asks_again(void **state)
{
	pid_t pid = asker();
	struct mail_slot *slot = next_question();

	(void)state;
	__atomic_store_n(&slot->state, MAIL_EMPTY, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->owner, 0, __ATOMIC_RELEASE);
	mail_answer(slot, 1); /* too late for it */
	mail_answer(next_question(), 7);
	assert_int_equal(end_of(pid), 7 << 8);
}

static void mail__slots_of_the_dead_are_swept_and_no_others(void **state)
{
	pid_t dead = asker();
	struct mail_slot *first = next_question(), *second;
	pid_t alive;

	(void)state;
	kill(dead, SIGKILL);
	end_of(dead);
	alive = asker();
	second = next_question();
	/* Whoever answers it has it until then: it is nobody else's slot. */
	mail_sweep(mail, memory_owners(memory));
	assert_int_not_equal(first->owner, 0);
	assert_int_equal(first->state, MAIL_SERVING);
	mail_answer(first, 3);
	mail_sweep(mail, memory_owners(memory));
	assert_int_equal(first->owner, 0);
	assert_int_equal(first->state, MAIL_EMPTY);
	assert_int_not_equal(second->owner, 0);
	mail_answer(second, 9);
	assert_int_equal(end_of(alive), 9 << 8);
}

/* What it was at is answered for it, so that the slot is not lost. */
static void mail__who_died_serving_leaves_nothing_that_is_served(void **state)
{
	struct mail *other = memory_alloc(memory, sizeof(*other), 64);
	pid_t pid;

	(void)state;
	assert_non_null(other);
	memset(other, 0, sizeof(*other));
	pid = fork();
	if (pid == 0) {
		mail_open(other, memory_owners(memory));
		other->slot[3].owner = owner_self(memory_owners(memory));
		other->slot[3].state = MAIL_SERVING;
		_exit(0);
	}
	end_of(pid);
	assert_int_equal(other->slot[3].state, MAIL_SERVING);
	assert_int_equal(mail_open(other, memory_owners(memory)), 0);
	assert_int_equal(other->slot[3].state, MAIL_ANSWERED);
	assert_int_equal(other->slot[3].answer, -ESRCH);
	mail_sweep(other, memory_owners(memory));
	assert_int_equal(other->slot[3].owner, 0);
	mail_close(other);
}

static void mail__a_server_is_dead_when_its_thread_is_wherever_that_was(void **state)
{
	static struct mail_life life;
	struct mail *other = memory_alloc(memory, sizeof(*other), 64);
	int ready[2];
	char byte;
	pid_t pid;

	(void)state;
	assert_non_null(other);
	memset(other, 0, sizeof(*other));
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		mail_live(other, &life);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	/* As an asker sees it to whom the server's pid says nothing: it is taken for alive. */
	other->server = owner_self(memory_owners(memory));
	assert_true(mail_served(other, memory_owners(memory)));
	kill(pid, SIGKILL);
	end_of(pid);
	assert_false(mail_served(other, memory_owners(memory)));
	assert_int_equal(mail_open(other, memory_owners(memory)), 0);
	mail_close(other);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail__a_question_is_answered),
		cmocka_unit_test(mail__who_loses_the_slot_asks_again),
		cmocka_unit_test(mail__a_server_is_dead_when_its_thread_is_wherever_that_was),
		cmocka_unit_test(mail__who_died_serving_leaves_nothing_that_is_served),
		cmocka_unit_test(mail__slots_of_the_dead_are_swept_and_no_others),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
