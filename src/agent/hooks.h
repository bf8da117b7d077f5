/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks.h - from what the gate sees to what the board has attached. [runtime]
 *
 * Threads: hooks_start() and hooks_stop() once; the others each for itself.
 */
#ifndef AGENT_HOOKS_H
#define AGENT_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

struct target_thread;
struct task_facts;

/* agent_self is set. Arms the calling thread. alone: there is no other, and it has yet to
 * begin. 0 or a negative errno. */
int hooks_start(bool alone);
/* Then, when the code is as the program's file has it: the caller was brought in by code over a
 * page of it. Not alone: all threads have been noted (held.h) and are stopped, also those of other processes
 * in this memory, unless shared. */
int hooks_patch(bool shared);
/* What programs may ask of a thread. */
struct task_facts *hooks_facts(struct target_thread *thread);
/* The calling thread's ids, to ask with. */
void hooks_ids(struct task_facts *facts);
/* The calling thread's ids at the machine's home. */
void hooks_named(uint32_t tid, uint32_t pid);
/* Code is put back and every thread is asked to leave the agent. How many have not yet. */
uint32_t hooks_dismiss(void);
/* They all have. */
int hooks_stop(void);
/* The calling thread's program has just replaced another, or a child of the supervisor,
 * by a system call of that number. old_tid: of the thread that made it. */
void hooks_began(uint32_t nr, int32_t old_tid, uint64_t ip, uint64_t sp);

#endif
