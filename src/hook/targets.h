/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * targets.h - the processes of a machine's targets, as all of them know it. [runtime]
 *
 * struct targets lies in the arena. A record is claimed by its state and filled
 * in by whoever makes the process a target: the supervisor at a spawn, an exec
 * or an attach, the agent in the child of a fork. Records stay after the process
 * is gone, for the tree that is printed at the end; when all are in use those
 * of processes that left are used again, in turn.
 *
 * Whose a record is stands beside the others' in a list of keys too: of many thousands
 * few live, and to look for one is to go through those.
 *
 * Threads: any.
 */
#ifndef HOOK_TARGETS_H
#define HOOK_TARGETS_H

#include <stdbool.h>
#include <stdint.h>

#include "hook/mail.h"
#include "hook/probe.h"

struct vm_world;
struct memory;
struct unwind_table;

enum process_state {
	PROCESS_FREE,
	PROCESS_CLAIMED,      /* being filled in */
	PROCESS_FOLLOWED,
	PROCESS_NOT_FOLLOWED, /* it goes on without us; whynot says why */
	PROCESS_DETACHED,     /* it goes on without us, as was asked */
	PROCESS_LEFT,         /* it has ended */
};

/* Why a process is not followed (targets.c has the words). */
enum process_whynot {
	WHYNOT_NONE,
	WHYNOT_PRIVILEGE,     /* the program it runs gains privilege */
	WHYNOT_TRACED,        /* somebody else traces it */
	WHYNOT_32BIT,
	WHYNOT_DENIED,        /* the kernel does not let us */
	WHYNOT_ARENA,         /* the kernel gives it neither the path nor the descriptor of the arena */
	WHYNOT_PLACE,         /* the agent's addresses are in use there */
	WHYNOT_CPU,           /* no rdfsbase */
	WHYNOT_FILTER,        /* its filter of system calls refuses what the agent needs */
	WHYNOT_UNSERVED,      /* no supervisor was there when it replaced its program */
	WHYNOT_OTHER,         /* another machine's supervisor follows it */
	WHYNOT_SHARED,        /* another process runs in its memory */
	WHYNOT_ROOM,          /* its limits leave none */
	WHYNOT_FILES,         /* it may open no file */
	WHYNOT_ERROR,         /* anything else: error says what */
	WHYNOT_COUNT,
};

struct process {
	uint32_t state;       /* enum process_state */
	uint32_t index;       /* of this record among the others */
	uint32_t whynot;      /* enum process_whynot */
	int32_t error;        /* negative errno that goes with it */
	uint32_t pid, ppid;   /* at the machine's home (map/owner.h) */
	uint32_t execs;       /* images it has run with the agent */
	uint32_t serial;      /* order of claiming, over all records */
	uint32_t tracer;      /* WHYNOT_TRACED: by whom */
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC; end 0: alive */
	uint32_t unsampled;   /* threads that got no timer for samples */
	uint32_t asides;      /* bits: why threads of it dropped out (agent/gate.h) */
	int32_t unreached;    /* why it does not know yet what was attached; 0, or a negative errno */
	uint32_t host;        /* the process whose memory it shares; 0: none */
	uint64_t missed;      /* events its agent could not pass on */
	uint64_t files_seen, sample_seen; /* the board's, at its latest look */
	uint32_t waiting;     /* places that are patched once all its threads are held (settle.h) */
	uint32_t trapped;     /* traps that could be jumps then */
	uint32_t unlike;      /* places that are not patched, as the code is not the file's */
	struct doomed *doomed; /* in the arena, while a thread of it makes an exec; or NULL */
	char comm[16];
	char exe[128];        /* the end of it, if it is longer */
};

enum { PROCESSES = 16384, UNWIND_LOADS = 8 };

#define PROCESS_KEY_LEFT 0x80000000u

struct unwind_load {
	uint64_t address, offset, size;
};

/* How stacks are walked in a file's code; the supervisor's (hook/tables.h). */
struct unwind_file {
	struct unwind_file *next;
	struct file_id id;
	const struct unwind_table *table; /* NULL: by frame pointers */
	uint64_t made_ns, used_ns;
	bool held;            /* as was found out last */
	uint32_t loads;
	struct unwind_load load[UNWIND_LOADS];
};

struct targets {
	struct mail mail;
	struct vm_world *world; /* of the machine; its board says what is attached */
	uint32_t serial;      /* records claimed so far */
	uint32_t used;        /* records ever in use */
	uint32_t reused;      /* records lost to reuse */
	uint32_t unrecorded;  /* processes that found all records to be those of live ones */
	uint32_t supervisor;  /* pid of who serves the mail */
	uint32_t births;      /* forks begun whose child has no record yet */
	struct unwind_file *unwind_files; /* made when first met */
	uint32_t hand;        /* where the next search for a record to use again begins */
	uint32_t key[PROCESSES]; /* pid; with PROCESS_KEY_LEFT: that has left; 0: none yet */
	struct process process[PROCESSES];
};

/* In the arena, for a machine whose board has been made; NULL when that is full. */
struct targets *targets_new(struct memory *memory, struct vm_world *world);

/* The threads that an exec ends: nobody can ask of them when it is known that it has. */
struct doomed {
	uint32_t count;
	struct doomed_thread {
		struct task_facts facts;
		struct target_regs regs;
		bool interrupted; /* in a call that waits */
	} thread[];
};

enum { DOOMED = 4096 }; /* further ones are not told of */

/* None are, any more; or not after all. */
void process_spare(struct targets *targets, struct process *process);

/* A record for a process, claimed; NULL when all are those of live targets. */
struct process *process_claim(struct targets *targets, uint32_t pid, uint32_t ppid);
/* The record of a process that is alive; NULL: none. */
struct process *process_find(struct targets *targets, uint32_t pid);
static inline uint32_t process_index(const struct targets *targets, const struct process *process)
{
	return (uint32_t)(process - targets->process);
}
/* The first record from `from` on whose process has not left; PROCESSES: none. */
uint32_t targets_live(const struct targets *targets, uint32_t from);
#define TARGETS_LIVE(targets, i) \
	(uint32_t i = targets_live((targets), 0); i < PROCESSES; i = targets_live((targets), i + 1))
void process_set_state(struct process *process, enum process_state state);
/* Whether it does not know yet all that the board says (reach.c). */
bool process_is_behind(const struct process *process, const struct targets *targets);
/* Whether there is a record of such a process, be it of one that has left. */
bool process_was(const struct targets *targets, uint32_t pid);
/* Its process has ended, or replaces its program without us. */
void process_leave(struct process *process);
/* A child of fork makes its record itself, some time after it was born. A child that is killed
 * before that is waited for in vain, once. */
void targets_birth_begins(struct targets *targets);
void targets_birth_ends(struct targets *targets);
/* Waits until those born have records. */
void targets_births_wait(struct targets *targets, uint64_t ns);
/* Whether there is one that had no record when `serial` was what it was, or is still to get it. */
bool targets_are_born(const struct targets *targets, uint32_t serial);
/* Finds those that ended without a word. */
void targets_sweep(struct targets *targets);
void process_refuse(struct process *process, enum process_whynot whynot, int error);
/* Reads comm and exe from what the kernel says; they are empty where it does not. self: it is
 * the calling process. */
void process_describe(struct process *process, bool self);
/* A sentence without its full stop. */
const char *process_whynot_text(enum process_whynot whynot);

#endif
