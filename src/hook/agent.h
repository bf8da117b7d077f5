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
 * The supervisor calls the entries of its table on the agent's own stack, in a thread that was
 * stopped and that goes back by itself.
 */
#ifndef HOOK_AGENT_H
#define HOOK_AGENT_H

#include <stddef.h>
#include <stdint.h>

#define AGENT_SPAN (16ull << 20)
#define AGENT_MAGIC 0x38304147454b53ull /* "SKEGA08" */

/*
 * How a thread gets back to what it did, by itself: what the supervisor has it run ends with
 * AGENT_BACK, which needs nobody. A signal that nobody handles waits for the first of its calls, and
 * the thread stops for that as long as it is traced: then the supervisor looks at the result, and
 * puts everything back itself. Were the supervisor killed meanwhile, the signal does nothing, and the
 * thread goes on.
 */
struct agent_back {
	uint64_t held;    /* blocked meanwhile */
	uint64_t mark;    /* of these, the one at whose coming the result is there */
	uint64_t unblock, block; /* in the end */
	uint64_t r15, r14, r13, r12, bp, r11, r10, r9, r8, ax, cx, dx, si, di, bx, sp, ip;
	uint64_t status;  /* the arithmetic flags: ah as lahf has it, al the overflow */
	uint64_t down;    /* the direction flag */
};

_Static_assert(offsetof(struct agent_back, r15) == 32 && offsetof(struct agent_back, ax) == 104 &&
	       offsetof(struct agent_back, sp) == 152 && offsetof(struct agent_back, ip) == 160 &&
	       offsetof(struct agent_back, down) == 176, "the code below knows where things are");

/* Both want the address of a struct agent_back in rbx, and keep it. The first changes rcx, rdx, rsi, r8
 * to r13 as well; the second takes the result in rax, to be found in r12 at its label. */
#define AGENT_BLOCK                                                                           \
	"	mov %rax, %r12\n"                                                              \
	"	mov %rdi, %r13\n"                                                              \
	"	mov $14, %eax\n" /* rt_sigprocmask(SIG_BLOCK, &held, NULL, 8) */               \
	"	xor %edi, %edi\n"                                                              \
	"	mov %rbx, %rsi\n"                                                              \
	"	xor %edx, %edx\n"                                                              \
	"	mov $8, %r10d\n"                                                               \
	"	syscall\n"                                                                     \
	"	mov %r12, %rax\n"                                                              \
	"	mov %r13, %rdi\n"
#define AGENT_MARK(label)                                                                     \
	"	mov 152(%rbx), %rsp\n" /* signals are to come on the thread's own stacks */    \
	"	mov %rax, %r12\n"                                                              \
	"	mov $14, %eax\n" /* rt_sigprocmask(SIG_UNBLOCK, &mark, NULL, 8) */             \
	"	mov $1, %edi\n"                                                                \
	"	lea 8(%rbx), %rsi\n"                                                           \
	"	xor %edx, %edx\n"                                                              \
	"	mov $8, %r10d\n"                                                               \
	"	syscall\n"                                                                     \
	label ":\n"
/* back: the same address, as an operand of jmp. */
#define AGENT_BACK(back)                                                                      \
	"	mov $14, %eax\n" /* SIG_UNBLOCK, &unblock */                                   \
	"	mov $1, %edi\n"                                                                \
	"	lea 16(%rbx), %rsi\n"                                                          \
	"	xor %edx, %edx\n"                                                              \
	"	mov $8, %r10d\n"                                                               \
	"	syscall\n"                                                                     \
	"	mov $14, %eax\n" /* SIG_BLOCK, &block */                                       \
	"	xor %edi, %edi\n"                                                              \
	"	lea 24(%rbx), %rsi\n"                                                          \
	"	syscall\n"                                                                     \
	"	mov 32(%rbx), %r15\n"                                                          \
	"	mov 40(%rbx), %r14\n"                                                          \
	"	mov 48(%rbx), %r13\n"                                                          \
	"	mov 56(%rbx), %r12\n"                                                          \
	"	mov 64(%rbx), %rbp\n"                                                          \
	"	mov 72(%rbx), %r11\n"                                                          \
	"	mov 80(%rbx), %r10\n"                                                          \
	"	mov 88(%rbx), %r9\n"                                                           \
	"	mov 96(%rbx), %r8\n"                                                           \
	"	mov 112(%rbx), %rcx\n"                                                         \
	"	mov 120(%rbx), %rdx\n"                                                         \
	"	mov 128(%rbx), %rsi\n"                                                         \
	"	mov 136(%rbx), %rdi\n"                                                         \
	"	cld\n"                                                                         \
	"	cmpq $0, 176(%rbx)\n"                                                          \
	"	je 99f\n"                                                                      \
	"	std\n"                                                                         \
	"99:	movzwl 168(%rbx), %eax\n"                                                      \
	"	add $127, %al\n"                                                               \
	"	sahf\n"                                                                        \
	"	mov 104(%rbx), %rax\n"                                                         \
	"	mov 144(%rbx), %rbx\n"                                                         \
	"	jmp *160 + " back "(%rip)\n"

/* The first bytes of the image; the entries are offsets from its start. */
struct agent_table {
	uint64_t magic;
	uint32_t start;   /* int64_t (struct agent_start *, int64_t): once per process; with the
			   * descriptor of the arena's file, to be closed; -1: it has a path */
	uint32_t thread;  /* int64_t (struct agent_start *): in each other thread at attach; where it
			   * goes on, or 0: where it was; start says the same */
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
	uint32_t call;    /* code: calls what rax is the address of, with rdi, and goes back by the
			   * note's beginning, whose address is in rbx; on the stack in r15 ... */
	uint32_t back;    /* ... with the result in rax ... */
	uint32_t called;  /* ... which is there at this place */
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
	struct agent_back back;  /* of whom `call` runs in */
	uint64_t arena;          /* its address */
	uint64_t arena_size;     /* and length */
	uint32_t pid, tid;       /* as the supervisor sees them */
	uint32_t why;            /* enum agent_why */
	uint32_t process;        /* index of its record (targets.h) */
	uint64_t targets;        /* the address of their struct targets in the arena */
	uint64_t ip, sp, flags;  /* of the thread, as it goes on */
	uint64_t ax, orig_ax;    /* the same; a call that is to be begun again? */
	uint64_t arg[6];         /* of that call */
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
