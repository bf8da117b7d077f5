/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gate.h - where an application's system calls pass. [runtime]
 *
 * A call comes to the gate from a patched site, by a jump, or from Syscall User
 * Dispatch, by SIGSYS; gate.S has the contract. Calls that nobody wants are made
 * at once. For the others the thread goes to its agent stack, enter() is called,
 * the call is made, exit() is called, and the application goes on.
 *
 * Dispatch makes the kernel slower at every call, so threads are dispatched only while it is
 * of use (gate_ways): while programs wait for calls that code makes which cannot be patched, or
 * the process has code that was not. A thread settles that for itself, at a call that comes by
 * here. Meanwhile a patched site makes calls that nobody waits for by itself (hook/gated.def has
 * those that it may not), calls without a patch are traps, and signal handlers return to
 * gate_return, where nothing can be executed.
 *
 * What the agent calls the kernel for, beyond the application's own calls:
 *   each thread      sigaltstack
 *   each settling    prctl(PR_SET_SYSCALL_USER_DISPATCH)
 *   each child       gettid, getpid
 *   each new thread  mmap of its record, mprotect of its guard (reused ones: none)
 *   a thread's end   rt_sigprocmask
 *   each sampled one timer_create, timer_settime, timer_delete
 *   each signal      rt_sigreturn; of SIGNALS_OURS, and of those that end the process where its
 *                    end is to be told (wants_end()), also gettid, rt_tgsigqueueinfo
 *   exec             rt_sigprocmask, rt_sigaction, where SIGNALS_OURS are blocked or ignored
 * A call that is dispatched or a trap costs one rt_sigreturn; a call from a patched site none.
 * Where the application filters its system calls, ours are made only as it allows (filter.h).
 *
 * Threads: gate_start() and gate_stop() once; the rest each for itself.
 */
#ifndef AGENT_GATE_H
#define AGENT_GATE_H

#include "agent/thread.h"

enum gate_child {
	GATE_CHILD_THREAD,       /* a further thread */
	GATE_CHILD_FORK,         /* a process with a copy of the memory */
	GATE_CHILD_VFORK,        /* a process in this memory, whose parent sleeps */
	GATE_CHILD_SHARED,       /* a process or thread in this memory, with the same fs base */
};

enum gate_fork {
	GATE_FORK_BEGINS,
	GATE_FORK_OVER,
	GATE_FORK_FAILED,        /* over, and there is no child */
};

/* Why a thread is not followed any more. */
enum gate_aside {
	GATE_ASIDE_DISPATCH,     /* it uses Syscall User Dispatch itself */
	GATE_ASIDE_REFUSED,      /* the kernel refused to arm it (a filter, likely) */
	GATE_ASIDE_MEMORY,       /* no memory for its record */
	GATE_ASIDE_TRACED,       /* it has itself traced by another */
	GATE_ASIDE_TIMER,        /* followed, but not sampled: the kernel gives no timer */
};

/* The rows that may be NULL are not called. All run on the agent's stack, with the
 * application's registers in thread->regs. */
struct gate_ops {
	const void *text;        /* instructions from here may always call the kernel: */
	uint64_t text_size;      /* the agent's own */
	const uint64_t *wanted;  /* GATE_CALLS bits: enter() and exit() are for these */
	const uint32_t *wants_all; /* or NULL: nonzero: and for numbers past them */
	/* Or NULL: all calls come by the gate. The same as wanted, for patched sites, and whether
	 * calls are dispatched. */
	const struct board_ways *ways;
	const uint64_t *sample_ns; /* or NULL: a thread's CPU time from sample to sample; 0: none */
	/* false: the call is not made; its result is in regs->ax. It may clear thread->hooked:
	 * exit() is not called then. */
	bool (*enter)(struct target_thread *thread, struct target_regs *regs);
	void (*exit)(struct target_thread *thread, struct target_regs *regs, int64_t result);
	/* Before an exec with result 0, and after one that failed with its error. */
	void (*exec)(struct target_thread *thread, struct target_regs *regs, int64_t result);
	/* In the parent, once the child is (for vfork: was) there. */
	void (*forked)(struct target_thread *thread, struct target_regs *regs, int32_t child,
		       enum gate_child how);
	/* Around a fork; after it there and in the child. */
	void (*fork)(enum gate_fork what);
	/* In the child, before it goes on. */
	void (*child)(struct target_thread *thread, enum gate_child how);
	/* The thread ends by exit() (whole: by exit_group) with this status. */
	void (*leaving)(struct target_thread *thread, struct target_regs *regs, int32_t status,
			bool whole);
	/* After mmap, mprotect, munmap, mremap and what else may make memory executable. */
	void (*mapped)(struct target_thread *thread, struct target_regs *regs, int64_t result);
	/* A trap instruction: true when it was ours and context says how to go on. */
	bool (*trap)(struct target_thread *thread, struct signal_context *context);
	/* Or NULL: where the system call returns to that a trap at this address is for; 0: none. */
	uint64_t (*call)(uint64_t address);
	/* A signal's frame is made of this context, which is the application's. */
	void (*framed)(struct target_thread *thread, struct signal_context *context);
	/* ... and this one is returned to. May be told twice. */
	void (*unframed)(struct target_thread *thread, const struct signal_context *context);
	/* The thread leaves the agent for good; context says where to. False: not here, it is
	 * to be told again. */
	bool (*left)(struct target_thread *thread, struct signal_context *context);
	/* Or NULL: a signal has come here. Where that is on the way back from what a supervisor
	 * had the thread run, context becomes what it goes back to. */
	void (*back)(struct signal_context *context);
	/* The application gets this signal now. */
	void (*signal)(struct target_thread *thread, int sig, const siginfo_t *info);
	/* Or NULL. Whether the end of the process by a signal is to be told: asked when it begins,
	 * and when it changes what it does about one. */
	bool (*wants_end)(void);
	/* It ends by this signal, at once. regs are a copy. */
	void (*ending)(struct target_thread *thread, int sig, const siginfo_t *info,
		       struct target_regs *regs);
	/* The thread has used that much CPU time; regs are a copy. missed: samples before this
	 * one that could not be taken. A thread learns of another sample_ns with its next
	 * sample, or its next call that is looked at. */
	void (*sample)(struct target_thread *thread, struct target_regs *regs, uint32_t missed);
	void (*aside)(struct target_thread *thread, enum gate_aside why);
	/* The application is about to filter its system calls: what is to be known by the
	 * kernel's word should be by now. */
	void (*filtering)(struct target_thread *thread);
};

/* Starts in the calling thread; others call gate_adopt(). 0 or a negative errno; ops
 * must stay. */
int gate_start(const struct gate_ops *ops);
/* -EALREADY: it is known, and has settled now whether it is dispatched. */
int gate_adopt(void);
/*
 * The calling thread was stopped where its kernel was about to begin a system call again,
 * with these registers. Returns where in the gate it is to go on, as if it had come there by
 * the gate, so that the kernel resumes the call with what is left of its time; 0: it is to go
 * on where it was.
 */
uint64_t gate_resume(const struct target_regs *regs);
/* Whether they say that the kernel is about to make the call behind ip again. */
bool gate_is_restart(const struct target_regs *regs);
/* The calling thread was stopped at ip: unless it is in the agent, it gets the timer that
 * gate_ops->sample_ns asks for now, and is dispatched or not as gate_ops->ways says. */
void gate_look(uint64_t ip);
/* There is code in the process whose calls are not patched: all go by the gate from now on, and
 * threads are dispatched. For good. */
void gate_distrust(void);
/* All threads: no dispatch, the application's own handlers. Others are told by a
 * signal; returns when they have gone, or -ETIMEDOUT. */
int gate_stop(void);
/* All threads are told to leave, those who have not been yet. How many are still there. */
uint32_t gate_dismiss(void);

/* --- between gate.c, signal.c and gate.S --- */

/* Whether the call, about to be made, is made though signals wait: programs have seen it begin,
 * and it does not wait for anything. */
bool gate_finishes(struct target_thread *thread);

/* Numbers that gate.S knows. */
/* Set in every flags word; not set in r11 as the gate leaves it. */
#define GATE_FLAG 2ull

#define GATE_NEXT_CALL 0
#define GATE_NEXT_LEAVE 1
#define GATE_NEXT_CLONE 2
#define GATE_NEXT_EXIT 3

enum gate_next {
	GATE_CALL = GATE_NEXT_CALL,   /* make thread->call */
	GATE_LEAVE = GATE_NEXT_LEAVE, /* regs->ax is the result */
	GATE_CLONE = GATE_NEXT_CLONE, /* make thread->call, which returns twice */
	GATE_EXIT = GATE_NEXT_EXIT,   /* make thread->call, after which the record is free */
};

extern const struct gate_ops *gate_ops;
extern const uint64_t *gate_wanted;
extern uint64_t gate_special[GATE_CALLS / 64];
extern const struct board_ways *gate_ways;

enum gate_next gate_before(struct target_thread *thread, uint64_t flags);
enum gate_next gate_after(struct target_thread *thread, int64_t result);
enum gate_next gate_call_clone(struct target_thread *thread);
/* The parent's side is over, with or without a child. */
void gate_clone_over(struct target_thread *thread, bool born);
/* The call is not made: that is its result. */
static inline enum gate_next gate_leave_with(struct target_thread *thread, int64_t result)
{
	thread->regs.ax = (uint64_t)result;
	return GATE_LEAVE;
}

/* A call that is not made after all, as a signal came first. */
void gate_undo(struct target_thread *thread);
void gate_cloned(struct target_thread *thread, int64_t result);
void gate_child(struct target_thread *thread);
void gate_aside(struct target_thread *thread, enum gate_aside why);
/* Whether the calling thread is dispatched, as gate_ways say: of a thread that is not yet, and
 * of one that may be or not. A thread that filters do not let is aside. */
void dispatch_begin(struct target_thread *thread);
void dispatch_change(struct target_thread *thread);
/* Not any more. 0 or a negative errno. */
int dispatch_end(struct target_thread *thread);
/* SIGSYS: a dispatched call. False: not ours. */
/* limit.c: the limit on address space is the application's; so much, which map_rest() has mapped if it
 * was not, is no part of it. */
void limit_start(uint64_t mapped, void (*map_rest)(void));
void limit_stop(void);
enum gate_next limit_call(struct target_thread *thread);

/* A 32-bit call of 64-bit code: it is made there and then. */
bool dispatch_is_int80(const siginfo_t *info);
void dispatch_int80(struct signal_context *context);
bool dispatch_arrived(struct target_thread *thread, const siginfo_t *info,
		      struct signal_context *context);

static inline void dispatch_settle(struct target_thread *thread)
{
	if (__atomic_load_n(&gate_ways->dispatched, __ATOMIC_RELAXED) != thread->settled)
		dispatch_change(thread);
}

/*
 * Another SIGSYS, when one was pending as a call was dispatched: the kernel sends the
 * dispatched one only if none is. True: there was such a call, and it is made now.
 */
bool dispatch_lost(const struct target_thread *thread, struct signal_context *context);

/* Labels of gate.S; see there. */
extern const char gate_entry[], gate_shifted[], gate_found[], gate_kept[], gate_slow[], gate_lost[], gate_odd[];
extern const char gate_plain_window[], gate_plain_syscall[], gate_plain_after[];
extern const char gate_plain_lost[], gate_plain_found[], gate_plain_leave[], gate_plain_end[];
extern const char gate_call_window[], gate_call_syscall[], gate_call_after[];
extern const char gate_call_found[], gate_leave[], gate_leave_end[], gate_quick[], gate_quick_end[];
extern const char gate_clone_window[], gate_clone_syscall[], gate_clone_after[], gate_clone_end[];
extern const char gate_poll[], gate_poll_lost[], gate_poll_found[], gate_poll_end[];
extern const char gate_send[], gate_sent[], gate_send_end[];
extern const char gate_again[], gate_again_loaded[], gate_again_plain[], gate_again_plain_after[];
extern const char gate_again_call[], gate_again_call_after[];
extern const char gate_signal[], gate_restorer[], gate_text_end[], gate_return[], gate_return_call[];

/* Is an address from one label on, up to another with it, or without? */
static inline bool gate_between(uint64_t ip, const char *from, const char *to)
{
	return ip >= (uint64_t)(uintptr_t)from && ip <= (uint64_t)(uintptr_t)to;
}

static inline bool gate_until(uint64_t ip, const char *from, const char *to)
{
	return ip >= (uint64_t)(uintptr_t)from && ip < (uint64_t)(uintptr_t)to;
}

#endif
