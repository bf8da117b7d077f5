/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent.h - what the agent knows of the process it is in. [runtime]
 *
 * Threads: written at start, and by a forked child before anything else runs in it.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>
#include <stdint.h>

struct memory;
struct process;
struct targets;

struct agent {
	struct memory *memory;    /* the arena */
	struct targets *targets;  /* in it */
	struct process *process;  /* this process's record; NULL: there was no room */
	uint32_t pid;             /* as the kernel numbers it here */
	uint32_t why;             /* enum agent_why */
};

extern struct agent agent_self;

/* In the child of a fork that has memory of its own. */
void agent_forked(uint32_t pid, uint32_t ppid);
/* In a child that lives in its parent's memory: it gets a record, and nothing here
 * changes. */
void agent_lodger(uint32_t pid, uint32_t ppid);
/* The process has looked at its code, as places_seen says ... */
void agent_looked(void);
/* ... or has just begun, by what the board says. */
void agent_knows(struct process *process);
/* That process ends now. */
void agent_left(uint32_t pid);
/*
 * A thread is about to make an execve or execveat: asks the supervisor to be there
 * after it. True: it holds the thread. agent_exec_failed() must be called where the
 * call returns. nr: the call's number. pid, tid: the caller's, which vfork's child shares with nobody.
 */
bool agent_will_exec(uint32_t pid, uint32_t tid, int dirfd, const char *path, uint32_t nr);
/* ... or it replaces its program unseen, as its filters do not let the agent in there;
 * failed: it has not, after all. */
void agent_filtered(uint32_t pid, bool failed);
void agent_exec_failed(uint32_t pid, uint32_t tid);

#endif
