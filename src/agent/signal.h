/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signal.h - the application's signals, with the agent in between. [runtime]
 *
 * Every handler of the application is ours as the kernel sees it: it runs on the
 * agent's stack with all signals blocked, moves the kernel's frame to where the
 * application's handler would have found it, and enters that handler by
 * rt_sigreturn, which sets registers and mask at one stroke. So the handler
 * finds the frame, registers and masks that it would have found without us, may
 * change or leave them as it likes, and nothing of ours stays behind.
 *
 * A signal that comes while the agent itself runs is kept, with the kernel's
 * frame, and delivered when the agent is left. SIGSYS, SIGSEGV, SIGBUS, SIGTRAP and
 * the last real-time signal (SIGNALS_OURS) are always ours and never blocked; what
 * the application thinks of them is a table of actions and a word of blocked bits.
 * What it cannot have: one of them by sigwait or signalfd, and more than one of each
 * waiting.
 *
 * Threads: any; each for itself.
 */
#ifndef AGENT_SIGNAL_H
#define AGENT_SIGNAL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/libc.h"

/* The agent's own messages to its threads; it queues, and does not merge with faults. */
#define SIGNAL_AGENT 64
#define SIGNAL_BIT(n) (1ull << ((n) - 1))
#define SIGNALS_OURS                                                                            \
	(SIGNAL_BIT(SIGSYS) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGTRAP) |    \
	 SIGNAL_BIT(SIGNAL_AGENT))

enum { SIGNAL_LAST = 64, SIGNAL_FP_MAX = 12 << 10 };

/* stack_t */
struct signal_stack {
	uint64_t sp;
	int32_t flags, reserved;
	uint64_t size;
};

/* The kernel's ucontext of x86-64. */
struct signal_context {
	uint64_t uc_flags, uc_link;
	struct signal_stack stack;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2;
	uint64_t fpstate;
	uint64_t reserved[8];
	uint64_t mask;
};

/* What it pushes for a signal, below the extended state. */
struct signal_frame {
	uint64_t restorer;
	struct signal_context context;
	siginfo_t info;
};

/* What a process thinks it has installed. */
struct signal_actions {
	uint32_t lock;
	struct kernel_sigaction app[SIGNAL_LAST + 1];
};

struct target_regs;
struct target_thread;
enum gate_next;

/* The process: takes all handlers over, or gives them back. */
void signal_start(void);
void signal_stop(void);
/* The calling thread: its mask and alternate stack. */
/* 0, or -EBUSY: it runs on its alternate stack just now. */
int signal_thread_start(struct target_thread *thread);
void signal_thread_stop(struct target_thread *thread);
/*
 * For one that has left by a signal, whose record this is: it gets its alternate stack back, when
 * no handler of ours may come to run on it any more. (Nor do newer kernels let a handler that
 * runs on such a stack give it back as it returns.)
 */
void signal_thread_left(struct target_thread *thread);
/* Makes another thread leave the agent for good, by a signal. False: it is to be asked again. */
bool signal_stop_thread(struct target_thread *thread);
/* Dispatched calls do without rt_sigreturn. */
void signal_go_directly(bool so);
/* In a child: what it has of its parent's. */
void signal_child(struct target_thread *thread);

/* gate.S: the kernel's frame is below context; how to go on with what context says. */
enum signal_way {
	SIGNAL_RETURN = 0,       /* by rt_sigreturn */
	SIGNAL_LOAD = 1,         /* by loading the registers, as nothing was blocked */
	SIGNAL_RESUME = 2,       /* with the call that it interrupted (gate_again) */
};
enum signal_way signal_arrived(int sig, siginfo_t *info, struct signal_context *context);
/* A call that was about to wait on is interrupted after all, or has returned from it:
 * context is made what it is right behind a call. False: it is something else. */
bool signal_resumed(const struct target_thread *thread, struct signal_context *context);
/* gate.S: the agent is being left with a signal pending; to be given to rt_sigreturn.
 * restart: before the call was made; else it is done. */
struct signal_context *signal_deferred(struct target_thread *thread, bool restart);
/* Before and after a call to execve: what the new program inherits. */
void signal_exec(struct target_thread *thread);
void signal_exec_failed(struct target_thread *thread);
void signal_lock(struct signal_actions *actions);
void signal_unlock(struct signal_actions *actions);
void signal_actions_copy(struct signal_actions *to, struct signal_actions *from);

/* --- between signal.c, signal_install.c, signal_gate.c, signal_frame.c and signal_calls.c --- */

#define SIGNALS_ALL (~0ull & ~SIGNALS_OURS)
#define SIGNALS_UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))

/* What the application has installed, of which threads' actions may be copies. */
extern struct signal_actions signal_of_process;
/* As of signal_go_directly(). */
extern bool signal_is_direct;
/* Neither SIG_DFL nor SIG_IGN. */
bool signal_is_handler(const struct kernel_sigaction *action);
/* Nothing but an end comes of it where nobody handles it. */
bool signal_is_fatal(int sig);
/* Whether it has a handler of ours where the application has none. */
bool signal_is_told(int sig, const struct kernel_sigaction *app);
/* The system calls. */
int64_t signal_kernel_action(int sig, const struct kernel_sigaction *set,
			     struct kernel_sigaction *old);
int64_t signal_kernel_mask(int how, uint64_t set, uint64_t *old);

/* All of a context's registers; which call they are of stays. */
void signal_registers(const struct signal_context *context, struct target_regs *regs);
/* Bytes of the extended state that context refers to. */
uint64_t signal_fp_size(const struct signal_context *context);
/* Makes context, which is the application's, its handler's first instruction. mask: what is
 * blocked at this moment. False: there is no room for a frame. */
bool signal_enter(struct target_thread *thread, int sig, const struct kernel_sigaction *action,
		  const siginfo_t *info, struct signal_context *context, uint64_t mask);
/*
 * The same in place: the kernel's frame of context is where the application's would be. The thread
 * goes to the handler, by a frame below.
 */
_Noreturn void signal_enter_natively(int sig, const struct kernel_sigaction *action,
				     struct signal_context *context);
/*
 * Makes context the application's, if the gate was interrupted where that can be done. mask:
 * what is blocked at this moment.
 */
bool signal_convert(struct target_thread *thread, struct signal_context *context, uint64_t *mask);
/* Makes it what is behind a call that is done, with the record's registers; or before one that
 * is to be made again (NULL: only undoes what was done for it). */
void signal_finish(struct target_thread *thread, struct signal_context *context);
void signal_restart(struct target_thread *thread, struct signal_context *context);
/* The thread was in the gate and in no slot: gives it its record. Or a handler returns. */
bool signal_found_again(struct target_thread *thread, struct signal_context *context);

/* Has the kernel have what the application installs, or ours in its place. */
int64_t signal_install(int sig, const struct kernel_sigaction *app);
bool signal_on_stack(const struct signal_stack *stack, uint64_t sp);
void signal_stack_ours(const struct target_thread *thread, struct signal_stack *ours);
void signal_send_kept(struct target_thread *thread);
/* One of SIGNALS_OURS that cannot be delivered now: it follows when the agent is left. */
void signal_keep(struct target_thread *thread, int sig, const siginfo_t *info);

/* By which the application's handlers return. */
extern uint64_t signal_restorer;
/* What lies behind the call that is there; 0: it is not written as restorers are known to be. */
uint64_t signal_returns_to(void);

/* Calls the agent makes, or changes, in the application's place. */
enum gate_next signal_call_sigaction(struct target_thread *thread);
enum gate_next signal_call_sigprocmask(struct target_thread *thread);
enum gate_next signal_call_sigaltstack(struct target_thread *thread);
enum gate_next signal_call_sigreturn(struct target_thread *thread);
enum gate_next signal_call_sigpending(struct target_thread *thread);
enum gate_next signal_call_wait(struct target_thread *thread);
/* Whether a call for which that is has a mask of its own. */
bool signal_wait_has_mask(const struct target_regs *regs);

#endif
