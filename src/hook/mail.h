/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mail.h - what agents ask of their supervisor. [runtime]
 *
 * A slot of the arena holds one question. It is claimed by an owner word, so
 * that the slot of an asker who was killed is free again, and the answer is
 * waited for while the server lives; a server that died is an answer too. Askers may be in
 * pid namespaces where the server has no pid, so it is the kernel that says so: it marks the
 * word of a robust futex when the thread that it names ends, however that comes about.
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
	MAIL_NAME,        /* arg: whether the asker is a whole process; they become its home's names
			   * for it: pid, tid and its parent's pid */
	MAIL_KIN,         /* arg: where struct task_kin go, how many, of whom (as of struct
			   * task_outside, helper/task.h); how many there are */
	MAIL_ID,          /* arg: an id in the asker's space: whose it is, or was last, at home; 0: nobody's
			   * that is known */
	MAIL_MAPS,        /* arg: where the text of /proc/PID/maps goes, how much does: its length */
	MAIL_GONE,        /* arg: id of a thread at home: whether there is none such */
	MAIL_KINDS,
};

/* In MAIL_WILL_EXEC's number of the call: sockets may be used in the process, as far as is known. */
#define MAIL_SOCKETS 0x10000ull

/* Answers of MAIL_WILL_EXEC. Otherwise: 0 or a negative errno. */
enum { MAIL_NOT_FOLLOWED, MAIL_SEIZED };

struct mail_message {
	uint32_t kind;       /* enum mail_kind */
	uint32_t pid, tid;   /* of who asks */
	uint32_t abroad;     /* they are those of its own space, not of the machine's home */
	uint32_t reserved;
	uint64_t arg[3];     /* the server may change them; the asker is shown what they are then */
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
	uint32_t room;       /* goes up as slots become free, while anybody waits for one */
	uint64_t numbers;    /* of questions so far */
	uint64_t server;     /* owner word of who answers; 0: nobody does */
	uint64_t robust;     /* the kernel's link, in the list of the thread that serves */
	uint32_t life;       /* that thread's id, or FUTEX_OWNER_DIED; 0: not said */
	uint32_t waiting;    /* for a slot; who dies of those stays counted */
	struct mail_slot slot[MAIL_SLOTS];
};

/* Asks and waits. -ESRCH: nobody answers (any more). */
int64_t mail_ask(struct mail *mail, struct owner_table *owners, struct mail_message *question);

/* Whether somebody alive answers. */
bool mail_served(struct mail *mail, struct owner_table *owners);

/* --- the server --- */

/* Who calls answers from now on. -EBUSY: somebody alive does already. */
int mail_open(struct mail *mail, struct owner_table *owners);
/* What the kernel is told to look at when a thread ends. */
struct mail_life {
	uint64_t list;
	int64_t offset;
	uint64_t pending;
};

/*
 * The calling thread's end is the server's. *life must stay until then; the thread has no
 * other robust futexes.
 */
void mail_live(struct mail *mail, struct mail_life *life);
/* Nobody answers any more; whoever waits learns it. */
void mail_close(struct mail *mail);
/* The next question of these kinds, to be answered; NULL: none. *at goes on after the last. */
#define MAIL_BIT(kind) (UINT32_C(1) << ((kind) < 31u ? (kind) : 31u))
#define MAIL_ANY UINT32_MAX
struct mail_slot *mail_next(struct mail *mail, uint32_t *at, uint32_t kinds);
void mail_answer(struct mail_slot *slot, int64_t answer);
/* Several threads may wait. Waits until the bell is no longer as seen, at most for so long. */
void mail_wait(struct mail *mail, uint32_t seen, uint64_t ns);
/* Ends the wait. */
void mail_ring(struct mail *mail);
/* Frees the slots of askers that died, but for those that are being answered. */
void mail_sweep(struct mail *mail, struct owner_table *owners);

#endif
