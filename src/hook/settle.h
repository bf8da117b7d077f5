/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * settle.h - jumps over several instructions, put into a process that runs.
 *
 * A target patches by itself what it can while its threads run. Where a jump takes more than one
 * instruction, a thread may be between them, so those places wait (struct process, waiting) until
 * all threads are held. A thread between them then goes on in the copies.
 *
 * On a busy machine it takes a while until the last thread runs, and stops. Whoever waits for that
 * may do other things between the steps.
 *
 * Threads: confined.
 */
#ifndef HOOK_SETTLE_H
#define HOOK_SETTLE_H

#include "hook/hold.h"
#include "hook/inject.h"

struct memory;

struct settle {
	struct hold hold;
	pid_t pid;               /* 0: none is being settled */
	uint64_t began;
};

/*
 * One step. 1: again; 0: done; -EAGAIN: a thread is where it cannot be known; -EBUSY: another
 * process shares the memory; -ETIMEDOUT: a thread does not stop. After all but 1 it has ended, as of
 * settle_end().
 */
int settle_step(struct settle *settle, struct memory *memory, const struct injector *injector);
/* Lets go of whom it holds. Who was asked to stop, and has not yet, stays in hold.asked, for
 * hold_late(): it may wait for somebody whom the caller has yet to answer. */
void settle_end(struct settle *settle);

#endif
