/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * board.h - what is attached to what, and what happens there. [runtime]
 *
 * The board lies in the machine's arena. The control plane writes it (attach.c);
 * every target reads it without a lock. What is attached to one place is a list
 * that is replaced as a whole and retired, so that who holds a virtual CPU may
 * walk the list it found.
 *
 * A target calls an entry point at each event, in the thread it happens to and
 * on a stack that has room for programs' helpers (16 KiB do; hook_exec() needs
 * 8 KiB more). The entry point takes a virtual CPU, makes each program's context
 * as Linux lays it out, and runs it. An event in a thread that is inside a
 * program already is missed and counted, as on Linux.
 *
 * Threads: any. Async-signal-safe.
 */
#ifndef HOOK_BOARD_H
#define HOOK_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "helper/task.h"

struct code;
struct patch_files;
struct memory;
struct vm_world;

/* struct pt_regs of x86-64. */
struct target_regs {
	uint64_t r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	uint64_t orig_ax;        /* number of the system call */
	uint64_t ip, cs, flags, sp, ss;
};
_Static_assert(sizeof(struct target_regs) == 168, "the layout that programs know");

/* --- the board --- */

/* What a program's context is (context.c has a row for each). */
enum board_form {
	FORM_RECORD,             /* a tracepoint's record */
	FORM_RAW,                /* a tracepoint's arguments */
	FORM_FUNCTION,           /* a system call function's argument, and its result */
	FORM_KPROBE,             /* the registers when that function is entered or left */
	FORM_REGS,               /* the target's own registers */
	FORM_COUNT,
};

/* A program attached to a place. */
struct board_link {
	const struct code *code; /* NULL: detached when there was no memory for a shorter list */
	uint64_t cookie;         /* bpf_get_attach_cookie */
	uint64_t owner;          /* word of who attached it, whose death takes it off */
	uint32_t id;             /* of the link */
	uint32_t form;           /* enum board_form */
	bool modifies;           /* fmod_ret: what it returns counts */
};

struct board_list {
	uint32_t count;
	struct board_link links[];
};

/* Places that belong to a system call, in the order they are passed. */
enum board_stage { CALL_TRACE_ENTER, CALL_ENTER, CALL_EXIT, CALL_TRACE_EXIT, CALL_STAGES };

/* Places that all calls and all processes share. */
enum board_event {
	EVENT_SYS_ENTER, EVENT_SYS_EXIT, EVENT_EXEC, EVENT_FORK, EVENT_EXIT, EVENT_SIGNAL,
	EVENT_SAMPLE, EVENT_COUNT,
};

#define BOARD_CALLS 512u

/*
 * How a system call goes at a patched site, which has one register to look it up with: by the
 * lowest byte of its number. 0: at once; else to the gate, which knows better.
 */
struct board_ways {
	uint8_t way[256];
	uint8_t dispatched;      /* calls from elsewhere are to be caught too (agent/gate.h) */
};

struct board {
	struct vm_world *world;
	uint64_t lock;           /* owner word of the process that changes it (attach.c) */
	bool interpreted;
	struct board_ways ways;
	/* Wanted numbers. Written after lists are added and before they are taken
	 * away; whoever finds no list there does nothing. */
	uint64_t wanted[BOARD_CALLS / 64];
	uint32_t wants_all;      /* numbers past the end too */
	uint32_t links;          /* attached, of any kind: user probes too */
	uint32_t next_link;      /* an id */
	const struct board_list *event[EVENT_COUNT];
	uint64_t sample_ns;      /* each thread is sampled after so much CPU time; 0: none is */
	struct patch_files *files; /* how code is patched (probe.h); NULL: none is */
	uint64_t files_changed;  /* goes up when that is to be looked at again */
	const struct board_list *call[BOARD_CALLS][CALL_STAGES]; /* one call's lie together */
	uint64_t missed_inside;  /* events in a thread that was inside a program */
	uint64_t missed_busy;    /* events that found no virtual CPU for a second */
	uint64_t missed_returns; /* of calls too deep for them to be watched */
	uint64_t missed_samples; /* CPU time that was not told of in time, in samples */
	uint64_t faults;         /* programs ended by a bad memory access */
};

/* Whether programs wait for it, at this moment. */
static inline bool board_has(const struct board *board, enum board_event event)
{
	return __atomic_load_n(&board->event[event], __ATOMIC_RELAXED) != NULL;
}

/* Does anything wait for this call? Cheap; board may be NULL. */
static inline bool board_wants(const struct board *board, uint32_t nr)
{
	if (!board)
		return false;
	if (nr >= BOARD_CALLS)
		return __atomic_load_n(&board->wants_all, __ATOMIC_RELAXED) != 0;
	return __atomic_load_n(&board->wanted[nr / 64], __ATOMIC_RELAXED) >> nr % 64 & 1;
}

/* Does anything wait for the end of processes, signals, or calls to be left? Not cheap. */
bool board_wants_ends(const struct board *board);

/* Does the call change what task.h keeps of a thread? */
extern const bool board_changers[BOARD_CALLS];
static inline bool board_changes_task(uint32_t nr)
{
	return nr < BOARD_CALLS && board_changers[nr];
}

/* What is attached to a call, by stage. */
extern const struct board_list *const board_no_lists[CALL_STAGES];
static inline const struct board_list *const *board_lists(const struct board *board, uint64_t nr)
{
	return nr < BOARD_CALLS ? board->call[nr] : board_no_lists;
}

/*
 * Where the function of a system call is, for programs that tell functions apart by that: where the
 * kernel's modules would be, and nothing is.
 */
static inline uint64_t board_function(uint64_t nr)
{
	return 0xffffffffc0000000 + (nr << 4);
}

/* --- entry points --- */

/*
 * facts: what is known of the calling thread (task.h); its owner has set tid and
 * pid. NULL: the kernel is asked.
 *
 * regs are the caller's as the call is made: orig_ax the number, arguments in
 * their registers, ip behind the instruction. They stay where they are until
 * hook_sys_exit(), which is given the result.
 *
 * hook_sys_enter() returns false where a program decided the result in place of
 * the call (bpf_override_return, fmod_ret): the call must not be made, and its
 * result is regs->ax, which hook_sys_exit() is given as usual.
 */
bool hook_sys_enter(struct board *board, struct task_facts *facts, struct target_regs *regs);
void hook_sys_exit(struct board *board, struct task_facts *facts, struct target_regs *regs,
		   int64_t result);
/* Else it need not be called. */
static inline bool hook_wants_exit(const struct board *board, uint64_t nr)
{
	const struct board_list *const *lists = board_lists(board, nr);

	return __atomic_load_n(&board->event[EVENT_SYS_EXIT], __ATOMIC_RELAXED) ||
	       __atomic_load_n(&lists[CALL_EXIT], __ATOMIC_RELAXED) ||
	       __atomic_load_n(&lists[CALL_TRACE_EXIT], __ATOMIC_RELAXED) ||
	       __atomic_load_n(&board->event[EVENT_SIGNAL], __ATOMIC_RELAXED) ||
	       board_changes_task((uint32_t)nr);
}

/* In the new program's only thread, before its first instruction. filename: what
 * execve was given (AT_EXECFN); old_tid: the thread id that called it. */
void hook_exec(struct board *board, struct task_facts *facts, struct target_regs *regs,
	       const char *filename, int32_t old_tid);
/* In the parent; child: the id of the new thread or process as the parent sees it. */
void hook_fork(struct board *board, struct task_facts *facts, struct target_regs *regs,
	       int32_t child, bool thread);
/* Before the thread's last system call. */
void hook_exit(struct board *board, struct task_facts *facts, struct target_regs *regs,
	       const struct task_end *end);

/* After hook_exit() of a process: its parent gets SIGCHLD. how: CLD_EXITED ... */
void hook_child(struct board *board, struct task_facts *facts, struct target_regs *regs,
		int32_t parent, int32_t how);

struct hook_signal {
	int32_t sig, error, code; /* si_signo, si_errno, si_code */
	int32_t pid;              /* who gets it: a process, or a thread */
	bool group;               /* the whole process does */
	int32_t result;           /* 0: delivered; else why not: enum of the kernel's tracepoint */
};
/* Signals sent by system calls are told by hook_sys_exit(); this is for those that
 * the kernel sends the thread itself: SIGSEGV, SIGFPE, SIGPIPE ... */
void hook_signal(struct board *board, struct task_facts *facts, struct target_regs *regs,
		 const struct hook_signal *signal);

/* The thread has run for period_ns since the last; regs are those of its own code. */
void hook_sample(struct board *board, struct task_facts *facts, struct target_regs *regs,
		 uint64_t period_ns);

/*
 * A user probe is hit: run every program of list on regs, which they may write.
 * Returns the last program's result (sessions look at it).
 */
uint64_t hook_list(struct board *board, struct task_facts *facts,
		   const struct board_list *const *list, struct target_regs *regs,
		   uint64_t func_ip);

/*
 * Programs that are called at both ends of a function: at its return, those whose result
 * at the start was 0. The links chosen are kept in between by the caller.
 */
enum { HOOK_SESSIONS = 8 };

struct hook_session {
	uint32_t links[HOOK_SESSIONS]; /* their ids + 1; 0: none */
};

/* Whether any is to be called at the return. */
bool hook_session_enter(struct board *board, struct task_facts *facts,
			const struct board_list *const *list, struct target_regs *regs,
			uint64_t func_ip, struct hook_session *session);
void hook_session_leave(struct board *board, struct task_facts *facts,
			const struct board_list *const *list, struct target_regs *regs,
			uint64_t func_ip, const struct hook_session *session);

#endif
