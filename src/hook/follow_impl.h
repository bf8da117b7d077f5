/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * follow_impl.h - what the files of the follower share: follow.c starts commands and is there
 * at every exec, follow_running.c comes to processes that run already.
 *
 * Threads: as each member says.
 */
#ifndef HOOK_FOLLOW_IMPL_H
#define HOOK_FOLLOW_IMPL_H

#include <pthread.h>

#include "hook/follow.h"
#include "hook/inject.h"
#include "hook/reach.h"
#include "hook/targets.h"

/* No more are taken in while half of them are at it, so that one look at the mail never finds more
 * than there is room for. */
enum { WATCHED = 2 * MAIL_SLOTS };

/* A thread that is about to replace its program. */
struct watch {
	pid_t tid, pid;          /* tid 0: free */
	struct process *process; /* may be NULL: there was no record left */
	uint32_t nr;             /* of the system call */
	bool sockets;            /* as of struct inject */
	uint64_t since;
};

struct follower {
	struct memory *memory;
	struct targets *targets;
	struct injector injector;
	struct spaces *spaces;
	uint64_t device, inode;  /* of the arena's file */
	uint64_t began;          /* whom records before that are of, others followed */
	pthread_t thread, answers, judge;
	bool started;
	uint32_t stop;           /* atomic */
	struct watch watch[WATCHED]; /* the thread's own */
	unsigned watched;
	struct reach reach;      /* the same */
	pthread_mutex_t holding; /* a thread that attaches or detaches has it */
	uint64_t swept;
	struct mail_life life;   /* of the thread */
	follower_scan_fn *scan;  /* NULL: nobody reads files */
	void *scan_arg;
};

/* Its record, an old one or a new; NULL when all records are those of live targets. */
struct process *follow_record(struct follower *follower, pid_t pid);
/* It is not followed, and why; NULL is accepted. */
void follow_refuse(struct process *process, enum process_whynot whynot, int error);
/* The same where a thread could not be seized. */
void follow_refuse_seize(struct process *process, pid_t tid, int error);
/* Whether another thread of ours traces that one. */
bool follow_holds(pid_t tid);
/* It has ended, or is about to: it has no memory any more. */
bool follow_is_over(pid_t pid);
/* The agent into a process whose first thread is held. */
int follow_bring_in(struct follower *follower, struct process *process, struct inject what);

/* --- questions --- */

/* asker: the owner word of who asks, whose pid and tid in the message are those here. */
typedef int64_t serve_fn(struct follower *follower, struct mail_message *message, uint64_t asker);

/* Those that answer.c has a thread for. */
#define ANSWERED (MAIL_BIT(MAIL_SPACE) | MAIL_BIT(MAIL_NAME) | MAIL_BIT(MAIL_KIN) | \
		  MAIL_BIT(MAIL_ID) | MAIL_BIT(MAIL_MAPS) | MAIL_BIT(MAIL_GONE))

/* Answers what has been asked of these kinds, by the table's rows. */
void follow_serve(struct follower *follower, serve_fn *const *table, uint32_t kinds);

/* The threads of answer.c. 0 or a negative errno; and their end, which stops all. */
int answers_begin(struct follower *follower);
void answers_end(struct follower *follower);

#endif
