/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - a thread of another process, held by ptrace for a moment.
 *
 * All calls for one thread come from the thread that seized it; the kernel asks
 * for that. A held thread that its process's death takes away makes every call
 * fail with -ESRCH.
 *
 * Threads: confined.
 */
#ifndef HOOK_TRACE_H
#define HOOK_TRACE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "hook/agent.h"

#define SIGNAL_BIT(n) (1ull << ((n) - 1))

/* What a thread's stop was for. */
enum trace_stop {
	TRACE_NONE,       /* not stopped yet */
	TRACE_EXEC,       /* at the end of an execve that worked */
	TRACE_INTERRUPT,  /* asked for, or its process is being stopped */
	TRACE_SIGNAL,     /* about to get the signal */
	TRACE_GONE,       /* exited, or killed; status is its wait status */
};

struct trace_event {
	enum trace_stop stop;
	int signal;       /* TRACE_SIGNAL; TRACE_INTERRUPT: what its process is stopped by */
	int status;
};

/* Begins; the thread runs on. -EPERM: not ours, or traced already. */
int trace_seize(pid_t tid);
int trace_interrupt(pid_t tid);
/*
 * Ends, with the signal it was stopped for, or 0. A thread that is not stopped (-ESRCH) has been
 * killed, and is not over for its parent until its tracer has seen its end: trace_settle().
 */
int trace_detach(pid_t tid, int signal);
/* Looks at those of the calling thread, now or for so long; whether there are none left. */
bool trace_settle(void);
void trace_settle_for(uint32_t ms);
/* Lets it run to its next stop. */
int trace_continue(pid_t tid, int signal);
/* Leaves it stopped with its process, until that is continued. */
int trace_listen(pid_t tid);
/* Whether it is the first thread of its process, or gone. */
bool trace_is_first(pid_t tid);
/* The next stop; without wait TRACE_NONE when there is none. Never collects the
 * exit status of a child of this process: that is its parent's business. */
int trace_wait(pid_t tid, bool wait, struct trace_event *event);
/* Whether the stopped thread has a fault of its own to come, which its next step must be. */
bool trace_has_fault(pid_t tid);

/* The general registers. -ENOEXEC: they are those of 32-bit code. */
int trace_regs_read(pid_t tid, struct user_regs_struct *regs);
int trace_regs_write(pid_t tid, const struct user_regs_struct *regs);
/* Memory, also where the thread itself may not write: then it becomes private. */
int trace_read(pid_t tid, uint64_t at, void *bytes, size_t size);
int trace_write(pid_t tid, uint64_t at, const void *bytes, size_t size);
/* A number of a line of /proc/PID/status; 0: it is not told. */
uint32_t trace_status(pid_t tid, const char *field);

struct trace_life {
	char comm[16];
	char state;     /* as ps shows it: 'R', 'S', 'Z' ... */
	uint32_t flags; /* the kernel's PF_* */
};

/* Of /proc/PID/stat. -ESRCH. */
int trace_life(pid_t tid, struct trace_life *life);

struct text {
	char *items;
	size_t count, size;
};

/* The text of /proc/PID/maps as the process itself would read it, with a NUL; to be given back by
 * vec_done(). */
int trace_maps(pid_t pid, struct text *text);
/* A string up to its NUL; needs no stop. -EFAULT, -ENAMETOOLONG. */
int trace_read_string(pid_t pid, uint64_t at, char *text, size_t size);

/* What a stopped thread runs in the meantime, with every signal held back but those of free, a mask. */
struct trace_run {
	uint64_t free;
	uint64_t mask;            /* its own */
	int tgid;
	int mark;                 /* the signal of back.mark */
	uint64_t again;           /* what came meanwhile and is to come again */
	siginfo_t info[65];       /* of those */
	struct agent_back back;
};

/* Says what it does, as it is to go back to that. Nothing is changed yet. */
int trace_run_begin(pid_t tid, uint64_t free, const struct user_regs_struct *saved,
		    struct trace_run *run);
/*
 * Makes the thread run code at regs->rip, which ends as of struct agent_back, until end or other;
 * *regs is what it had then. What the code does to the mask of those in free stays done. Its registers
 * are for the caller to put back, or it does so itself. -EFAULT: it faulted on the way.
 */
int trace_run(pid_t tid, struct trace_run *run, struct user_regs_struct *regs, uint64_t end,
	      uint64_t other);

/* Called before each thing that is done to a thread, by tests: NULL. */
extern void (*trace_on_step)(long request);

#endif
