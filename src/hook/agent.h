/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent.h - what the supervisor and the agent inside a target agree on.
 *
 * The agent is one position-independent image without dependencies, made of
 * the runtime folders (src/agent/meson.build). It lies below the machine's
 * arena, at the same address in every target:
 *
 *   arena's base - AGENT_SPAN                                    arena's base
 *   | struct agent_table, text, constants (R-X) | data (RW-) | unused | arena ...
 *
 * The supervisor calls the entries of its table on the agent's own stack, with
 * the thread stopped and its registers saved.
 */
#ifndef HOOK_AGENT_H
#define HOOK_AGENT_H

#include <stdint.h>

#define AGENT_SPAN (16ull << 20)
#define AGENT_MAGIC 0x37304147454b53ull /* "SKEGA07" */

/* The first bytes of the image; the entries are offsets from its start. */
struct agent_table {
	uint64_t magic;
	uint32_t start;   /* int64_t (struct agent_start *, int64_t): once per process; with the
			   * descriptor of the arena's file, to be closed; -1: it has a path */
	uint32_t thread;  /* int64_t (struct agent_start *): in each thread at attach; where it goes
			   * on, or 0: where it was */
	uint32_t leave;   /* int64_t (struct agent_start *): in every thread between stop's two calls */
	uint32_t stop;    /* int64_t (struct agent_start *): in one thread, with all stopped; 0: the
			   * image may be unmapped; -EAGAIN: once threads have run on */
	uint32_t patch;   /* int64_t (struct agent_start *): once after those, in one; 0 or an errno */
	uint32_t look;    /* int64_t (struct agent_start *): in any thread; 0, or -EAGAIN: not just now */
	uint32_t settle;  /* int64_t (struct agent_start *): in one, with all stopped; 0, or -EAGAIN */
	uint32_t stack;   /* end of the stack these run on; it grows down into data */
	uint32_t note;    /* where a struct agent_start may be written; in data */
	uint32_t text;    /* bytes from the start that are R-X; the rest is RW- */
	uint32_t size;    /* all of it, with the zeroed data that the file has no bytes for */
	uint32_t call;    /* code: calls what rax is the address of, and stops at an int3 */
};

/* How a process came to have the agent. */
enum agent_why {
	AGENT_SPAWNED,    /* the command of skep run */
	AGENT_EXEC,       /* a process with the agent replaced its image */
	AGENT_ATTACHED,   /* it ran already */
};

enum { AGENT_AUXV = 24, AGENT_PATH = 256 };

/* A thread that is stopped, with no fault of its own to come (hold.c). */
struct agent_held {
	uint64_t ip, sp, ax, bx, cx, fs_base;
};

/* What it is told. Written by the supervisor into the image's data. */
struct agent_start {
	uint64_t arena;          /* its address */
	uint64_t arena_size;     /* and length */
	uint32_t pid, tid;       /* as the supervisor sees them */
	uint32_t why;            /* enum agent_why */
	uint32_t process;        /* index of its record (targets.h) */
	uint64_t targets;        /* the address of their struct targets in the arena */
	uint64_t ip, sp, flags;  /* of the thread, as it goes on */
	uint64_t ax, orig_ax;    /* thread: the same; a call that is to be begun again? */
	uint64_t arg[6];         /* thread: of that call */
	uint32_t exec_nr;        /* AGENT_SPAWNED, AGENT_EXEC: number of the system call */
	int32_t exec_tid;        /* and the thread that made it */
	uint64_t inside;         /* stop: threads that are in the agent's text */
	uint64_t shared;         /* patch: another process, not held, executes this memory */
	uint64_t at_once;        /* look: not even what would wait for all threads waits */
	uint64_t threads, thread_count; /* settle: struct agent_held of all, in the arena */
	uint64_t last;           /* stop: all have been through leave; else it is only asked */
	uint64_t orphan;         /* stop: only if nobody serves its machine's targets; else -EBUSY */
	uint64_t sockets;        /* the filters of system calls that it has, if any, allow sockets */
	uint64_t users;          /* the number of the supervisor's user namespace; 0: not known */
	int64_t clocks[2];       /* offsets of the supervisor's time namespace, monotonic and boot */
	uint64_t space;          /* where the process is, started, and the top of its stack, as the */
	uint64_t began, image;   /* supervisor sees them; 0: as it finds (map/owner.h) */
	uint64_t auxv[AGENT_AUXV][2]; /* the process's own, ended by AT_NULL */
	char arena_path[AGENT_PATH];  /* to open the arena's file by */
};

#endif
