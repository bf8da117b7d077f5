/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mail.h - what agents ask of their supervisor. [runtime]
 *
 * A slot of the arena holds one question. It is claimed by an owner word, so
 * that the slot of an asker who was killed is free again, and the answer is
 * waited for while the server lives; a server that died is an answer too.
 *
 *   asker   owner: 0 -> self; fill in; state ASKED; ring      ... ANSWERED: read; owner 0
 *   server                     woken by the bell; SERVING ... answer; state ANSWERED
 *
 * Threads: any.
 */
#ifndef HOOK_MAIL_H
#define HOOK_MAIL_H

#include <stdbool.h>
#include <stdint.h>

struct owner_table;

enum mail_kind {
	MAIL_WILL_EXEC,   /* arg: dirfd, address of the path, number of the call */
	MAIL_EXEC_FAILED, /* after an answer of MAIL_SEIZED */
	MAIL_SCAN_FILE,   /* arg: device, inode, descriptor */
	MAIL_SPACE,       /* arg: where modules go, how many do, whether it never asked so far */
	MAIL_KINDS,
};

/* Answers of MAIL_WILL_EXEC. Otherwise: 0 or a negative errno. */
enum { MAIL_NOT_FOLLOWED, MAIL_SEIZED };

struct mail_message {
	uint32_t kind;       /* enum mail_kind */
	uint32_t pid, tid;   /* of who asks */
	uint64_t arg[3];
	uint64_t self, number; /* mail_ask()'s: where it lies in the asker, and one of its own */
};

enum mail_state { MAIL_EMPTY, MAIL_ASKED, MAIL_SERVING, MAIL_ANSWERED };

struct mail_slot {
	uint64_t owner;      /* an owner word; 0: free */
	uint32_t state;      /* enum mail_state; both sides wait on it */
	uint32_t reserved;
	struct mail_message message;
	int64_t answer;
};

enum { MAIL_SLOTS = 256 };

struct mail {
	uint32_t bell;       /* goes up with each question; the server waits on it */
	uint32_t reserved;
	uint64_t numbers;    /* of questions so far */
	uint64_t server;     /* owner word of who answers; 0: nobody does */
	struct mail_slot slot[MAIL_SLOTS];
};

/* Asks and waits. -ESRCH: nobody answers (any more). */
int64_t mail_ask(struct mail *mail, struct owner_table *owners,
		 const struct mail_message *question);

/* Whether somebody alive answers. */
bool mail_served(struct mail *mail, struct owner_table *owners);

/* --- the server --- */

/* Who calls answers from now on. -EBUSY: somebody alive does already. */
int mail_open(struct mail *mail, struct owner_table *owners);
/* Nobody answers any more; whoever waits learns it. */
void mail_close(struct mail *mail);
/* The next question, to be answered; NULL: none. *at goes on after the last. */
struct mail_slot *mail_next(struct mail *mail, uint32_t *at);
void mail_answer(struct mail_slot *slot, int64_t answer);
/* Waits until the bell is no longer as seen, at most for so long. */
void mail_wait(struct mail *mail, uint32_t seen, uint64_t ns);
/* Ends the wait. */
void mail_ring(struct mail *mail);
/* Frees the slots of askers that died. */
void mail_sweep(struct mail *mail, struct owner_table *owners);

#endif
