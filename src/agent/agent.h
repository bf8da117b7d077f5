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

#include "hook/mail.h"

struct memory;
struct process;
struct targets;
struct task_facts;
struct task_outside;

struct agent {
	struct memory *memory;    /* the arena */
	struct targets *targets;  /* in it */
	struct process *process;  /* this process's record; NULL: there was no room */
	uint32_t pid;             /* as the kernel numbers it here ... */
	uint32_t home_pid;        /* ... and at the machine's home (map/owner.h); 0: not known */
	bool abroad;              /* which is elsewhere */
	int64_t clocks[2];        /* offsets of time namespaces at home: monotonic, boot */
	bool sockets;             /* filters that it had before the agent allow them */
	uint32_t why;             /* enum agent_why */
};

extern struct agent agent_self;

struct signal_context;
/* main.c: as of struct gate_ops. */
void agent_back_to(struct signal_context *context);
extern const struct task_outside agent_outside;

/* A fork is about to be made; there it ends in the child, or in vain. */
void agent_forks(void);
void agent_fork_failed(void);
/* Looks at what its clocks say, which may be another time than at home. */
void agent_look_at_clocks(void);
/* In the child of a fork that has memory of its own. ppid: as the child sees it. */
void agent_forked(struct task_facts *facts, uint32_t ppid);
/* In a child that lives in its parent's memory: it gets a record, and nothing here
 * changes. */
void agent_lodger(struct task_facts *facts, uint32_t ppid);
/* Asks what a thread abroad is called at home, unless that is known. */
void agent_name(struct task_facts *facts);
/* The id at home of a thread or process that the asker's space has by this one; 0: not known. */
uint32_t agent_home_id(struct task_facts *facts, uint32_t id);
int64_t agent_ask(enum mail_kind kind, struct task_facts *facts, uint64_t a, uint64_t b, uint64_t c);
/* The process has looked at its code, as places_seen says, and places are left (targets.h) ... */
void agent_looked(uint32_t waiting, uint32_t trapped, uint32_t unlike);
/* ... or has just begun, by what the board says. */
void agent_knows(struct process *process);
/* The thread's process ends now. */
void agent_left(const struct task_facts *facts);
/* Its record; NULL: none. */
struct process *agent_process(const struct task_facts *facts);
/*
 * A thread is about to make an execve or execveat: asks the supervisor to be there
 * after it. True: it holds the thread. agent_exec_failed() must be called where the
 * call returns. nr: the call's number, and MAIL_SOCKETS.
 */
bool agent_will_exec(struct task_facts *facts, int dirfd, const char *path, uint64_t nr);
/* ... or it replaces its program unseen, as its filters do not let the agent in there;
 * failed: it has not, after all. */
void agent_filtered(const struct task_facts *facts, bool failed);
void agent_exec_failed(struct task_facts *facts);

#endif
