/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held.h - where the threads of a process go on that are all stopped while its code is
 * changed. [runtime, in the agent's image only]
 *
 * A jump over several instructions may be written while no thread is to go on between them. One
 * that was stopped there is moved to the copies in the stub. But it may be in a signal's handler,
 * and have been there before: the kernel has written that address on its stack. What calls have
 * left on stacks is the end of a call, which no window has inside. So a word on a stack that
 * looks like an address inside a window forbids it, whatever it is.
 *
 * A process that has just been given the agent is known by what each thread noted; one that has
 * it (held_begin_at) by what the supervisor read, and its threads may be in the agent too.
 *
 * Threads: caller locks; all others are stopped.
 */
#ifndef AGENT_HELD_H
#define AGENT_HELD_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/thread.h"

struct agent_held;

/* The calling thread is stopped with this stack pointer, and goes on at ip; or at another
 * address, when the call behind which it is is made again (0: it is not). */
void held_note(struct target_thread *thread, uint64_t ip, uint64_t again, uint64_t sp);
/* Looks at all stacks. What cannot be known is taken for everywhere. */
void held_begin(void);
/* -EAGAIN: a thread is in the middle of something of ours. held_end() is to be called all the same. */
int held_begin_at(struct agent_held *threads, uint64_t count);
/* Whether a thread may go on inside a patch's jump, and cannot be moved. Between those two. */
bool held_blocks(const struct patch *patch, uint64_t address);
/* Whoever was to go on inside a jump that is there now goes on in its stub. */
void held_move(void);
void held_end(void);

#endif
