/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread.h - what the agent keeps of each thread of its process. [runtime]
 *
 * A thread finds its record by its fs base: an open-addressed table of
 * (key, record), read without a lock, by gate.S too. The ABI's word at fs:0 is
 * not asked: not every runtime keeps it. Two threads of one memory may have the
 * same fs base (clone without CLONE_SETTLS); those are taken out of the table
 * and found by their thread id. A vfork child runs on its parent's record while
 * the parent sleeps; what the parent needs again lies in `saved`.
 *
 *   record's mapping, THREAD_SPAN bytes:
 *   | guard page | agent stack, also the kernel's alternate stack ... | record |
 *
 * Threads: a record is used by its thread alone; the table by any.
 */
#ifndef AGENT_THREAD_H
#define AGENT_THREAD_H

/* Offsets that gate.S uses; thread.c asserts them. */
#define THREAD_R15 0
#define THREAD_R14 8
#define THREAD_R13 16
#define THREAD_R12 24
#define THREAD_BP 32
#define THREAD_BX 40
#define THREAD_R10 56
#define THREAD_R9 64
#define THREAD_R8 72
#define THREAD_AX 80
#define THREAD_DX 96
#define THREAD_SI 104
#define THREAD_DI 112
#define THREAD_NR 120
#define THREAD_IP 128
#define THREAD_FLAGS 144
#define THREAD_SP 152
#define THREAD_STATUS 168
#define THREAD_PENDING 170
#define THREAD_STATE 172
#define THREAD_STACK 176
#define THREAD_CALL 184
#define THREAD_CHILD 240
#define THREAD_SEND 248
#define THREAD_RESUMED 280
#define THREAD_PROBE 288
#define THREAD_QUICK 171
#define THREAD_SETTLED 329
#define THREAD_HEEDS 330

/* Bytes at the end of the agent's stack where trampoline.S lays out the registers of a hit. */
#define PROBE_REGS_SIZE 176

/* How gate.S leaves its handler: enum signal_way. */
#define SIGNAL_WAY_RESUME 2

/* The table's slots, and how a key (fs base << 16 | THREAD_KEY) is hashed to one. */
#define THREAD_SLOT_BITS 13
#define THREAD_SLOTS (1 << THREAD_SLOT_BITS)
#define THREAD_PROBES 64
#define THREAD_KEY 0x8000
#define THREAD_HASH -0x61c8864f

/* Of struct board_ways. */
#define WAYS_DISPATCHED 256

/* System call numbers below this have a bit of their own. */
#define GATE_CALLS 512

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/probe.h"
#include "agent/signal.h"
#include "hook/board.h"

enum { THREAD_FREE, THREAD_USED };
/* Where a thread's ids are from: only a process in another's memory differs from that. */
enum thread_space { THREAD_OF_PROCESS, THREAD_AT_HOME, THREAD_ABROAD };
/* The kernel's frame is in deferred_frame; signals are in `kept`. */
enum { PENDING_DEFERRED = 1, PENDING_KEPT = 2, PENDING_ALL = 3 };
enum { THREAD_SPAN = 256 << 10, THREAD_VFORKS = 4 };

/* A system call as it is to be made, when that differs from what regs say. */
struct target_call {
	uint64_t nr, arg[6];
};

/* What a parent's own call looked like before its vfork child took the record. */
struct thread_saved {
	struct target_regs regs;
	uint64_t blocked;
	struct signal_stack altstack;
	struct signal_actions *actions;
	uint32_t tid, pid;
	uint16_t status;
	bool hooked, aside, dispatched;
	uint8_t settled, space;
	struct signal_actions child; /* the child's: it may change them unseen */
};

struct target_thread {
	struct target_regs regs; /* the application's, at its latest call here */
	uint16_t status;         /* its arithmetic flags: ah as lahf has it, al the overflow */
	uint8_t pending;         /* PENDING_*: signals wait for the agent to be left */
	bool quick;              /* nothing is to be done after this call, which is as regs say */
	uint32_t state;          /* THREAD_* */
	void *stack;             /* end of the agent's stack */
	struct target_call call;
	struct target_thread *child; /* the record of the thread that is being made */
	uint64_t send[4];        /* rt_tgsigqueueinfo's arguments */
	const struct signal_context *resumed; /* of a call that waits on; see gate_again */
	struct probe_thread probe; /* its calls whose return is watched */
	struct target_thread *next;  /* in the list of all records; never changes */
	uint64_t key;            /* in the table; 0: found by tid */
	uint32_t tid, pid;
	uint8_t selector;        /* Syscall User Dispatch looks here */
	uint8_t settled;         /* whether it is to be dispatched, as last looked at */
	uint8_t heeds;           /* PENDING_* for which a call is put off; 0: it is one that finishes */
	bool dispatched;         /* whether it is */
	uint32_t clone_kind;     /* enum clone_kind, while one is made */
	uint32_t vforks;         /* how deep in saved */
	bool hooked;             /* exit() is to be called for this call */
	bool entered;            /* enter() was called */
	bool waiting;            /* in a call with a signal mask of its own: wait_mask */
	bool unseen;             /* nothing is told of it: its id is not known, or it has been told dead */
	bool doomed;             /* another makes an exec, which is to end it */
	bool told;               /* its end has been, or is being (ending.h) */
	bool inside;             /* a call whose result is to be told; taken by who tells it */
	bool aside;              /* the application dispatches its system calls itself */
	bool exec_mask;          /* really blocked for an exec */
	bool restarting;         /* the call is to be made again once `send` is sent */
	bool stopping;           /* the order to leave waits for it */
	bool dismissed;          /* it has been given the order to leave */
	bool vfork_sighand;      /* the vfork child shares its parent's actions */
	/* samples (sample.h) */
	bool sample_due;         /* one came while the agent ran: taken when it is left */
	bool sampling;           /* one is being taken */
	int32_t sample_timer;    /* the kernel's number; -1: none */
	uint32_t sample_missed;  /* not told of yet */
	uint64_t sample_ns;      /* what the timer is set to; 0: none */
	int64_t (*after)(struct target_thread *, int64_t); /* looks at this call's result */
	const struct target_thread *maker; /* the parent: born is for it to set ... */
	uint32_t born;           /* ... to the id that the thread will find it has; 0: not yet */
	uint32_t left;           /* id of the thread that has left, and may have this stack still */
	uint64_t held_ip, held_again, held_sp; /* of a thread that was attached to (held.h) */
	void *user;              /* the hooks' own */
	uint8_t space;           /* enum thread_space */
	struct task_facts facts; /* what programs ask of the thread */
	uint64_t stack_size;     /* bytes below stack */
	/* signals */
	uint64_t blocked;        /* of SIGNALS_OURS: those the application thinks blocked */
	uint64_t wait_mask;
	uint64_t mask_set, mask_old; /* what the kernel is given in place of theirs */
	uint64_t mask_pair[2];
	struct signal_stack altstack; /* the application's */
	struct signal_actions *actions; /* its process's, or those of a vfork child */
	uint64_t kept;           /* of SIGNALS_OURS: sent while blocked, or twice */
	siginfo_t kept_info[5], send_info; /* by kept_signals */
	int deferred;            /* number of the signal in deferred_frame */
	struct signal_frame deferred_frame;
	struct thread_saved saved[THREAD_VFORKS];
	struct signal_actions own_actions;
	uint8_t deferred_fp[SIGNAL_FP_MAX] __attribute__((aligned(64)));
};

struct thread_slot {
	uint64_t key;
	struct target_thread *thread;
};

/* The last slot stays empty: gate.S probes up to it. */
extern struct thread_slot thread_slots[THREAD_SLOTS + THREAD_PROBES + 1];
extern struct target_thread *thread_list;

static inline uint64_t thread_fs_base(void)
{
	uint64_t base;

	__asm__ volatile("rdfsbase %0" : "=r"(base));
	return base;
}

/* What a slot has for an fs base, and the first place to look for it. */
static inline uint64_t thread_key(uint64_t fs_base)
{
	return fs_base << 16 | THREAD_KEY;
}

static inline uint64_t thread_hash(uint64_t fs_base)
{
	return ((fs_base << 16) * (uint64_t)(int64_t)(THREAD_HASH)) >> (64 - THREAD_SLOT_BITS);
}

/* The calling thread's record, or NULL. */
struct target_thread *thread_here(void);
/* The record that the calling thread has left by; NULL: none. */
struct target_thread *thread_left(void);
/* A fresh or a used record, in no table yet; NULL when there is no memory. */
struct target_thread *thread_new(void);
/* Gives the record back. Not for the thread that runs on its stack. */
void thread_free(struct target_thread *thread);
/* Makes it findable by an fs base (and no other); false: the table is full around
 * that place, and the thread is found by its id. */
bool thread_bind(struct target_thread *thread, uint64_t fs_base);
void thread_unbind(struct target_thread *thread);
/* In a child made by fork: forget all threads but this one. */
void thread_forked(struct target_thread *self);
/* Held over fork, so that the child's copies are whole. */
void thread_lock(void);
void thread_unlock(void);
/* Gives the memory of all records back; none is in use. */
void thread_unmap_all(void);
/* Records in use. */
uint32_t thread_count(void);
static inline bool thread_on_stack(const struct target_thread *thread, uint64_t sp)
{
	uint64_t top = (uint64_t)(uintptr_t)thread->stack;

	return sp <= top && top - sp < THREAD_SPAN;
}

#endif
#endif
