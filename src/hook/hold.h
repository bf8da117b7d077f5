/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold.h - threads of a process, stopped for a moment.
 *
 * Threads: confined; who holds a thread lets go of it.
 */
#ifndef HOOK_HOLD_H
#define HOOK_HOLD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/base.h"

struct hold {
	VEC(pid_t) tids;         /* seized and stopped */
	VEC(pid_t) asked;        /* seized, and asked to stop */
};

/* Every thread of a process, however long that takes. On failure some may be held. */
int hold_all(struct hold *hold, pid_t pid);
/* The same without waiting. 0: all are held; 1: again, a little later. */
int hold_step(struct hold *hold, pid_t pid);
/* Lets go of those that have stopped. The others stay in `asked`, each for hold_late(). */
void hold_let_go(struct hold *hold);
/* Lets go of all; waits for those that were asked to stop to do it. */
void hold_release(struct hold *hold);

/* 1: another process has the same memory; 0: none; a negative errno: the kernel does not tell. */
int hold_shares(pid_t pid);

/*
 * One thread, by itself, within so long. -ETIMEDOUT: it will stop some time and is to be let
 * go of then, by hold_late().
 */
int hold_one(pid_t tid, uint64_t ns);
/* Whether a thread that was asked to stop, and did not in time, has done so, or ended, and is let
 * go of. */
bool hold_late(pid_t tid);

#endif
