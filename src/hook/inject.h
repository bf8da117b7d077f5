/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inject.h - bringing the agent into a process, and taking it out again.
 *
 * The caller has seized and stopped the thread (trace.h). Whatever the result,
 * the thread's registers and the bytes of its program are as they were. That is so as well, a little
 * later, if the caller dies.
 *
 * Threads: confined.
 */
#ifndef HOOK_INJECT_H
#define HOOK_INJECT_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "hook/image.h"

/* What a supervisor needs to have agents started. */
struct injector {
	struct image image;
	int image_file;           /* owned descriptor; targets open it as /proc/PID/fd/N, or are sent it */
	int arena_file;           /* borrowed; the same */
	uint64_t image_device, image_inode;
	uint64_t arena, arena_size;
	uint64_t targets;         /* the address of their struct targets there */
	char arena_path[AGENT_PATH];
	char image_path[40];
	pthread_mutex_t starting; /* who has it writes into the image's file what an agent is told */
};

/* arena: the descriptor of the arena's file, borrowed. 0 or a negative errno. */
int injector_init(struct injector *injector, void *arena, uint64_t size, int arena_file);
void injector_done(struct injector *injector);

/* An agent that a process has, of whatever machine. */
struct agent_at {
	uint64_t base;
	struct agent_table table;
	uint64_t device, inode;   /* of the file that its arena is; 0, 0: not mapped */
};

struct inject {
	enum agent_why why;
	uint32_t process;         /* index of the record of the process */
	pid_t pid;
	uint32_t exec_nr;         /* at an exec: the system call's number */
	pid_t exec_tid;           /* and who made it */
	bool sockets;             /* its filters of system calls, if any, let it use sockets */
	bool orphan;              /* inject_stop: only if the agent's supervisor is dead */
	bool at_once;             /* inject_look: nothing waits for inject_settle */
	struct agent_held *threads; /* inject_settle: all of the process, in the arena */
	size_t thread_count;
};

/*
 * Maps the image into the thread's process and calls its start. Negative: what
 * the agent, or a system call on the way, said; then nothing of it is left there.
 * -ENOEXEC: a 32-bit program. -ESRCH: the process is gone.
 */
int inject_start(struct injector *injector, pid_t tid, const struct inject *what);
/* In each other thread of a process that has just been given it. */
int inject_thread(const struct injector *injector, pid_t tid, const struct inject *what);
/* In one, when all have it and are held: their code is patched. shared: others that are not
 * held execute it too. */
int inject_patch(const struct injector *injector, pid_t tid, const struct inject *what,
		 bool shared);
/* In one thread: the agent looks at what has been attached. -EAGAIN: not just now. */
int inject_look(const struct injector *injector, pid_t tid, const struct inject *what);
/* In one, when all are held: what waited for that is patched. Threads are to go on where their
 * entries say then. -EAGAIN: not just now. */
int inject_settle(const struct injector *injector, pid_t tid, const struct inject *what);
/* The agent that a process has. 1, 0 (it has none of this version) or a negative errno. */
int inject_find(pid_t pid, struct agent_at *at);
/*
 * Stops an agent. tids: all threads of the process, held. Threads leave it by
 * themselves, so the first answer is -EAGAIN: again, after they have run a little.
 * -EBUSY: its supervisor lives (if what->orphan).
 */
int inject_stop(const struct injector *injector, const struct agent_at *at, const pid_t *tids,
		size_t count, const struct inject *what);

#endif
