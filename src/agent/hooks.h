/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks.h - from what the gate sees to what the board has attached. [runtime]
 *
 * Threads: hooks_start() and hooks_stop() once; the others each for itself.
 */
#ifndef AGENT_HOOKS_H
#define AGENT_HOOKS_H

#include <stdint.h>

/* agent_self is set. Arms the calling thread. 0 or a negative errno. */
int hooks_start(void);
/* Every thread is asked to leave the agent. How many have not yet. */
uint32_t hooks_dismiss(void);
/* They all have. */
int hooks_stop(void);
/* The calling thread's program has just replaced another, or a child of the supervisor,
 * by a system call of that number. old_tid: of the thread that made it. */
void hooks_began(uint32_t nr, int32_t old_tid, uint64_t ip, uint64_t sp);

#endif
