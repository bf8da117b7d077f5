/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held.h - where the threads of a process go on that are all stopped while its code is
 * changed. [runtime, in the agent's image only]
 *
 * Code of several instructions may be replaced while no thread is between them. That is where
 * a thread was stopped, and where it was before a signal's handler: the kernel has written that
 * address on its stack. What calls have left there is the end of a call, which no window has
 * inside. So a word on a stack that looks like an address inside a window forbids it, whatever
 * it is.
 *
 * Threads: caller locks; all others are stopped.
 */
#ifndef AGENT_HELD_H
#define AGENT_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/thread.h"

/* The calling thread is stopped with this stack pointer, and goes on at ip; or at another
 * address, when the call behind which it is is made again (0: it is not). */
void held_note(struct target_thread *thread, uint64_t ip, uint64_t again, uint64_t sp);
/* Looks at all stacks. What cannot be known is taken for everywhere. */
void held_begin(void);
/* Whether a thread may go on at an address of [from, to). Between those two. */
bool held_in(uint64_t from, uint64_t to);
void held_end(void);

#endif
