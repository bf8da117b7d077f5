/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interrupted.h - system calls that a thread was in when it was held, which must not know.
 *
 * Threads: confined.
 */
#ifndef HOOK_INTERRUPTED_H
#define HOOK_INTERRUPTED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

/* Results of interrupted calls that programs never see. */
enum {
	INTERRUPTED_SYS = 512, INTERRUPTED_NOINTR, INTERRUPTED_NOHAND,
	INTERRUPTED_BLOCK = 516,
};

/* Whether the kernel is about to begin the call again. */
bool interrupted_is(const struct user_regs_struct *regs);
/*
 * A thread has just been held. Some calls fail with EINTR for that alone: they are to be
 * begun again too. What a signal ended stays ended.
 */
int interrupted_repair(pid_t tid);
/*
 * A call with a timeout goes on with what is left of it by another call, which is none that
 * may be dispatched or interrupted by the agent's signals: it is begun again as a whole.
 */
void interrupted_begin_again(struct user_regs_struct *regs);
/* It goes on where the agent says, above 0, or where it was, beginning its call again. */
void interrupted_go_on(struct user_regs_struct *regs, int64_t to);
/* Begins it again, of a held thread that is about to run on. */
int interrupted_let_go(pid_t tid);

#endif
