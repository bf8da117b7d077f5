/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mail.c - questions in shared memory, and two words to wait on. [runtime]
 */
#include "hook/mail.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "map/owner.h"
#include "map/sys.h"

#define PATIENCE 20000000u /* ns between looks at whether the server lives */

static void word_wait(uint32_t *word, uint32_t seen, uint64_t ns)
{
	struct timespec time = { .tv_sec = (time_t)(ns / 1000000000u),
				 .tv_nsec = (long)(ns % 1000000000u) };

	sys_call4(SYS_futex, word, FUTEX_WAIT, seen, &time);
}

static void word_wake(uint32_t *word)
{
	sys_call3(SYS_futex, word, FUTEX_WAKE, 1);
}

static struct mail_slot *slot_claim(struct mail *mail, uint64_t self)
{
	for (uint32_t i = 0; i < MAIL_SLOTS; i++) {
		struct mail_slot *slot = &mail->slot[(self + i) % MAIL_SLOTS];
		uint64_t none = 0;

		if (__atomic_load_n(&slot->owner, __ATOMIC_RELAXED) == 0 &&
		    __atomic_compare_exchange_n(&slot->owner, &none, self, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return slot;
	}
	return NULL;
}

bool mail_served(struct mail *mail, struct owner_table *owners)
{
	uint64_t server = __atomic_load_n(&mail->server, __ATOMIC_ACQUIRE);
	uint32_t life = __atomic_load_n(&mail->life, __ATOMIC_ACQUIRE);

	if (server == 0 || life)
		return server != 0 && !(life & FUTEX_OWNER_DIED);
	return !owner_dead(owners, server);
}

static void slot_free(struct mail *mail, struct mail_slot *slot)
{
	__atomic_store_n(&slot->state, MAIL_EMPTY, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->owner, 0, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&mail->waiting, __ATOMIC_SEQ_CST))
		return;
	__atomic_fetch_add(&mail->room, 1, __ATOMIC_ACQ_REL);
	word_wake(&mail->room);
}

/* Thousands may have something to ask at once: they sleep meanwhile. */
static struct mail_slot *slot_wait(struct mail *mail, uint64_t self)
{
	struct mail_slot *slot;
	uint32_t room;

	__atomic_fetch_add(&mail->waiting, 1, __ATOMIC_SEQ_CST);
	room = __atomic_load_n(&mail->room, __ATOMIC_SEQ_CST);
	slot = slot_claim(mail, self);
	if (!slot)
		word_wait(&mail->room, room, 10 * PATIENCE);
	__atomic_fetch_sub(&mail->waiting, 1, __ATOMIC_SEQ_CST);
	return slot;
}

void mail_ring(struct mail *mail)
{
	__atomic_fetch_add(&mail->bell, 1, __ATOMIC_ACQ_REL);
	sys_call3(SYS_futex, &mail->bell, FUTEX_WAKE, INT32_MAX); /* whoever it is for */
}

/* NULL: nobody answers. */
static struct mail_slot *slot_ask(struct mail *mail, struct owner_table *owners, uint64_t self,
				  const struct mail_message *ask)
{
	struct mail_slot *slot;

	do {
		if (!mail_served(mail, owners))
			return NULL;
		slot = slot_claim(mail, self);
		if (!slot)
			slot = slot_wait(mail, self);
	} while (!slot);
	slot->message = *ask;
	__atomic_store_n(&slot->state, MAIL_ASKED, __ATOMIC_RELEASE);
	mail_ring(mail);
	return slot;
}

/* The sweep took it for that of the one who had it before, and freed it. */
static bool slot_lost(const struct mail_slot *slot, uint64_t self)
{
	return __atomic_load_n(&slot->owner, __ATOMIC_ACQUIRE) != self ||
	       __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) == MAIL_EMPTY;
}

int64_t mail_ask(struct mail *mail, struct owner_table *owners, struct mail_message *question)
{
	struct mail_message own = *question, *volatile ask = &own; /* the server reads it here */
	uint64_t self = owner_self(owners);
	struct mail_slot *slot;
	int64_t answer = -ESRCH;
	uint32_t state;

	own.self = (uint64_t)(uintptr_t)&own;
	own.number = __atomic_add_fetch(&mail->numbers, 1, __ATOMIC_RELAXED);
	slot = slot_ask(mail, owners, self, ask);
	if (!slot)
		return -ESRCH;
	while ((state = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE)) != MAIL_ANSWERED ||
	       slot_lost(slot, self)) {
		if (slot_lost(slot, self)) {
			slot = slot_ask(mail, owners, self, ask);
			if (!slot)
				return -ESRCH;
			continue;
		}
		word_wait(&slot->state, state, PATIENCE);
		if (!mail_served(mail, owners))
			break;
	}
	if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) == MAIL_ANSWERED) {
		answer = slot->answer;
		memcpy(question->arg, slot->message.arg, sizeof(question->arg));
	}
	slot_free(mail, slot);
	return answer;
}

/* --- the server --- */

int mail_open(struct mail *mail, struct owner_table *owners)
{
	uint64_t self = owner_self(owners), seen = __atomic_load_n(&mail->server, __ATOMIC_ACQUIRE);
	uint32_t life = __atomic_load_n(&mail->life, __ATOMIC_ACQUIRE);

	if (mail_served(mail, owners))
		return -EBUSY;
	/* Only that of who died: another's who opens it at the same time stays. */
	__atomic_compare_exchange_n(&mail->life, &life, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
	if (!__atomic_compare_exchange_n(&mail->server, &seen, self, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		return -EBUSY;
	for (uint32_t i = 0; i < MAIL_SLOTS; i++)
		if (__atomic_load_n(&mail->slot[i].state, __ATOMIC_ACQUIRE) == MAIL_SERVING)
			mail_answer(&mail->slot[i], -ESRCH); /* who was at it is dead */
	return 0;
}

/* A list of one. The kernel looks for the word at a distance from the link. */
void mail_live(struct mail *mail, struct mail_life *life)
{
	life->list = (uintptr_t)&mail->robust;
	life->offset = (int64_t)offsetof(struct mail, life) - (int64_t)offsetof(struct mail, robust);
	life->pending = 0;
	mail->robust = (uintptr_t)life;
	if (sys_call2(SYS_set_robust_list, life, sizeof(*life)) == 0)
		__atomic_store_n(&mail->life, (uint32_t)sys_call0(SYS_gettid), __ATOMIC_RELEASE);
}

void mail_close(struct mail *mail)
{
	__atomic_store_n(&mail->server, 0, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < MAIL_SLOTS; i++)
		word_wake(&mail->slot[i].state);
}

struct mail_slot *mail_next(struct mail *mail, uint32_t *at, uint32_t kinds)
{
	for (; *at < MAIL_SLOTS; ++*at) {
		struct mail_slot *slot = &mail->slot[*at];
		uint32_t asked = MAIL_ASKED;

		if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != MAIL_ASKED ||
		    !(MAIL_BIT(slot->message.kind) & kinds) ||
		    !__atomic_compare_exchange_n(&slot->state, &asked, MAIL_SERVING, false,
						 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		if (MAIL_BIT(slot->message.kind) & kinds)
			return slot;
		/* It is another's by now, who asks something else. */
		__atomic_store_n(&slot->state, MAIL_ASKED, __ATOMIC_RELEASE);
		mail_ring(mail);
	}
	return NULL;
}

void mail_answer(struct mail_slot *slot, int64_t answer)
{
	uint32_t serving = MAIL_SERVING;

	slot->answer = answer;
	__atomic_compare_exchange_n(&slot->state, &serving, MAIL_ANSWERED, false, __ATOMIC_RELEASE,
				    __ATOMIC_RELAXED);
	word_wake(&slot->state);
}

void mail_wait(struct mail *mail, uint32_t seen, uint64_t ns)
{
	word_wait(&mail->bell, seen, ns);
}

#define SWEPT 1u /* in place of an owner: no token is so small */

/* A thread may die where its process lives on: vfork's child, for one. */
static bool asker_gone(const struct mail_slot *slot, struct owner_table *owners, uint64_t owner)
{
	uint32_t state = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);

	if (owner_dead(owners, owner))
		return true;
	return state != MAIL_EMPTY && !slot->message.abroad &&
	       sys_call3(SYS_tgkill, slot->message.pid, slot->message.tid, 0) == -ESRCH;
}

/* Not while it is being answered: the answer would be another's who has it then. */
static void slot_sweep(struct mail_slot *slot, struct owner_table *owners)
{
	uint64_t owner = __atomic_load_n(&slot->owner, __ATOMIC_ACQUIRE), seen = owner;
	uint32_t state;

	/* It may be another's by now. */
	if (owner == 0 || !asker_gone(slot, owners, owner) ||
	    !__atomic_compare_exchange_n(&slot->owner, &seen, SWEPT, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		return;
	state = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);
	if (state != MAIL_SERVING &&
	    __atomic_compare_exchange_n(&slot->state, &state, MAIL_EMPTY, false, __ATOMIC_ACQ_REL,
					__ATOMIC_RELAXED))
		owner = 0;
	__atomic_store_n(&slot->owner, owner, __ATOMIC_RELEASE);
}

void mail_sweep(struct mail *mail, struct owner_table *owners)
{
	for (uint32_t i = 0; i < MAIL_SLOTS; i++)
		slot_sweep(&mail->slot[i], owners);
}
