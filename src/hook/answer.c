/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answer.c - what is answered and judged while the follower's thread waits for somebody.
 *
 * That thread brings agents into processes, where programs run at once: they may meet what a
 * dead process held, or what is held by a program that waits for an answer. So what takes
 * nobody's being held is answered on a thread of its own; and so is said who has died.
 */
#include "hook/follow_impl.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/base.h"
#include "helper/task.h"
#include "helper/vm.h"
#include "hook/asker.h"
#include "hook/spaces.h"
#include "hook/trace.h"
#include "map/memory.h"
#include "map/owner.h"

/* --- questions --- */

static int64_t serve_space(struct follower *follower, struct mail_message *message, uint64_t asker)
{
	(void)asker;
	return spaces_read(follower->spaces, (pid_t)message->pid, message->arg[0], message->arg[1],
			   message->arg[2] != 0);
}

/* A process that begins abroad is known from now on by its pid here. */
static int64_t serve_name(struct follower *follower, struct mail_message *message, uint64_t asker)
{
	if (message->arg[0])
		owner_rename(memory_owners(follower->memory), asker, message->pid);
	message->arg[0] = message->pid;
	message->arg[1] = message->tid;
	message->arg[2] = trace_status((pid_t)message->pid, "PPid:");
	return 0;
}

static int64_t serve_kin(struct follower *follower, struct mail_message *message, uint64_t asker)
{
	struct task_kin kin[TASK_FOREBEARS];
	uint32_t room = (uint32_t)MIN(message->arg[1], (uint64_t)TASK_FOREBEARS), count;
	int64_t of = (int64_t)message->arg[2];
	int error;

	(void)follower;
	(void)asker;
	if (of == TASK_KIN_FOREBEARS)
		count = task_kin_read(message->pid, kin, room);
	else if (of == TASK_KIN_SELF)
		count = task_kin_of(message->pid, kin);
	else
		count = task_kin_of((uint32_t)asker_knows((pid_t)message->pid, (uint32_t)of), kin);
	count = MIN(count, room);
	error = count ? trace_write((pid_t)message->pid, message->arg[0], kin, count * sizeof(*kin)) : 0;
	return error < 0 ? error : (int64_t)count;
}

static int64_t serve_id(struct follower *follower, struct mail_message *message, uint64_t asker)
{
	uint32_t id = (uint32_t)message->arg[0];
	pid_t pid = (pid_t)message->pid, knew = asker_knew(pid, id), found;

	(void)follower;
	(void)asker;
	if (knew && kill(knew, 0) < 0 && errno == ESRCH)
		return knew; /* its end is what is asked about */
	found = asker_knows(pid, id);
	return found ? found : knew;
}

/* Of a process that cannot read it itself. */
static int64_t serve_maps(struct follower *follower, struct mail_message *message, uint64_t asker)
{
	struct text text = { 0 };
	int error = trace_maps((pid_t)message->pid, &text);
	int64_t size;

	(void)follower;
	(void)asker;
	if (error == 0 && text.count > message->arg[1])
		error = -E2BIG;
	if (error == 0)
		error = trace_write((pid_t)message->pid, message->arg[0], text.items, text.count);
	size = (int64_t)text.count;
	vec_done(&text);
	return error < 0 ? error : size;
}

static int64_t serve_gone(struct follower *follower, struct mail_message *message, uint64_t asker)
{
	(void)follower;
	(void)asker;
	return message->arg[0] > 0 && kill((pid_t)message->arg[0], 0) < 0 && errno == ESRCH;
}

static serve_fn *const serve[MAIL_KINDS] = {
	[MAIL_SPACE] = serve_space,
	[MAIL_NAME] = serve_name,
	[MAIL_KIN] = serve_kin,
	[MAIL_ID] = serve_id,
	[MAIL_MAPS] = serve_maps,
	[MAIL_GONE] = serve_gone,
};

/* Whoever is not found in its memory has not asked: nobody else is stopped in its place. */
static int64_t serve_question(struct follower *follower, serve_fn *const *table,
			      struct mail_message *message, uint64_t asker)
{
	bool known = !message->abroad;
	uint32_t pid = message->pid;

	if (message->kind >= MAIL_KINDS || !table[message->kind])
		return -ENOSYS;
	if (asker_find(message))
		return table[message->kind](follower, message, asker);
	if (message->kind != MAIL_WILL_EXEC)
		return -EPERM;
	if (known && !follow_is_over((pid_t)pid))
		follow_refuse(process_find(follower->targets, pid), WHYNOT_DENIED, -EPERM);
	return MAIL_NOT_FOLLOWED;
}

void follow_serve(struct follower *follower, serve_fn *const *table, uint32_t kinds)
{
	struct mail_slot *slot;

	for (uint32_t at = 0; (slot = mail_next(&follower->targets->mail, &at, kinds)); at++) {
		struct mail_message message = slot->message;
		uint64_t asker = __atomic_load_n(&slot->owner, __ATOMIC_ACQUIRE);
		int64_t answer = serve_question(follower, table, &message, asker);

		memcpy(slot->message.arg, message.arg, sizeof(message.arg));
		mail_answer(slot, answer);
	}
}

static void *answers_main(void *arg)
{
	struct follower *follower = arg;
	struct mail *mail = &follower->targets->mail;

	prctl(PR_SET_NAME, "skep-answer");
	prctl(PR_SET_TIMERSLACK, 1);
	while (!__atomic_load_n(&follower->stop, __ATOMIC_ACQUIRE)) {
		uint32_t bell = __atomic_load_n(&mail->bell, __ATOMIC_ACQUIRE);

		follow_serve(follower, serve, ANSWERED);
		mail_wait(mail, bell, 1000000000);
	}
	return NULL;
}

/* --- who lives --- */

/* Who is at home sees to itself, but for the records of tasks. */
static void *judge_main(void *arg)
{
	struct follower *follower = arg;
	struct owner_table *owners = memory_owners(follower->memory);

	prctl(PR_SET_NAME, "skep-judge");
	while (!__atomic_load_n(&follower->stop, __ATOMIC_ACQUIRE)) {
		owner_await_call(owners, 100000000);
		owner_answer(owners, asker_is_gone, NULL);
		task_table_tidy(follower->targets->world->tasks);
	}
	return NULL;
}

/* --- begin and end --- */

int answers_begin(struct follower *follower)
{
	int error = pthread_create(&follower->answers, NULL, answers_main, follower);

	if (error != 0)
		return -error;
	error = pthread_create(&follower->judge, NULL, judge_main, follower);
	if (error == 0)
		return 0;
	__atomic_store_n(&follower->stop, 1, __ATOMIC_RELEASE);
	mail_ring(&follower->targets->mail);
	pthread_join(follower->answers, NULL);
	return -error;
}

void answers_end(struct follower *follower)
{
	struct owner_table *owners = memory_owners(follower->memory);

	__atomic_store_n(&follower->stop, 1, __ATOMIC_RELEASE);
	mail_ring(&follower->targets->mail);
	owner_call(owners);
	pthread_join(follower->answers, NULL);
	pthread_join(follower->judge, NULL);
	owner_answer(owners, asker_is_gone, NULL); /* nobody else will */
}
