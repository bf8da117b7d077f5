/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gate_test.h - the gate started in the test itself, counting system calls.
 *
 * The test is the application: what libc calls in it goes through the gate.
 */
#ifndef GATE_TEST_H
#define GATE_TEST_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/gate.h"

extern const char __start_skep_agent_text[], __stop_skep_agent_text[];

/* In shared memory: children count too. */
struct counts {
	uint64_t wanted[GATE_CALLS / 64];
	uint32_t entered[GATE_CALLS], left[GATE_CALLS];
	int64_t result[GATE_CALLS];
	struct target_regs regs[GATE_CALLS]; /* at the latest entry */
	uint32_t children[4], forked[4], execs, execs_failed, leaving, leaving_whole, asides;
	int32_t status, aside, child, signals[65];
	uint32_t mapped;
	uint32_t refuse;           /* a number that enter() refuses */
	uint32_t wants_all, odd;
	char *probe;               /* read in enter(), bad or not */
	int probe_result;
};

static struct counts *counts;
static struct gate_ops test_ops;

/* Hooks run in the middle of the application: as in the agent, no vector registers. */
#pragma GCC push_options
#pragma GCC target("general-regs-only")

static uint64_t slot_of(const struct target_regs *regs)
{
	return regs->orig_ax < GATE_CALLS ? regs->orig_ax : GATE_CALLS - 1;
}

extern int fault_copy(void *dst, const void *src, size_t size);

static bool count_enter(struct target_thread *thread, struct target_regs *regs)
{
	uint64_t nr = slot_of(regs);
	char byte;

	(void)thread;
	if (counts->probe)
		counts->probe_result = fault_copy(&byte, counts->probe, 1);
	counts->regs[nr] = *regs;
	__atomic_add_fetch(&counts->entered[nr], 1, __ATOMIC_RELAXED);
	if (counts->refuse && nr == counts->refuse) {
		regs->ax = (uint64_t)-EXDEV;
		return false;
	}
	return true;
}

static void count_exit(struct target_thread *thread, struct target_regs *regs, int64_t result)
{
	(void)thread;
	counts->result[slot_of(regs)] = result;
	__atomic_add_fetch(&counts->left[slot_of(regs)], 1, __ATOMIC_RELAXED);
}

static void count_exec(struct target_thread *thread, struct target_regs *regs, int64_t result)
{
	(void)thread, (void)regs;
	__atomic_add_fetch(result == 0 ? &counts->execs : &counts->execs_failed, 1, __ATOMIC_RELAXED);
}

static void count_forked(struct target_thread *thread, struct target_regs *regs, int32_t child,
			 enum gate_child how)
{
	(void)thread, (void)regs;
	counts->child = child;
	__atomic_add_fetch(&counts->forked[how], 1, __ATOMIC_RELAXED);
}

static void count_child(struct target_thread *thread, enum gate_child how)
{
	(void)thread;
	__atomic_add_fetch(&counts->children[how], 1, __ATOMIC_RELAXED);
}

static void count_leaving(struct target_thread *thread, struct target_regs *regs, int32_t status,
			  bool whole)
{
	(void)thread, (void)regs;
	counts->status = status;
	__atomic_add_fetch(whole ? &counts->leaving_whole : &counts->leaving, 1, __ATOMIC_RELAXED);
}

static void count_mapped(struct target_thread *thread, struct target_regs *regs, int64_t result)
{
	(void)thread, (void)regs, (void)result;
	__atomic_add_fetch(&counts->mapped, 1, __ATOMIC_RELAXED);
}

static void count_signal(struct target_thread *thread, int sig, const siginfo_t *info)
{
	(void)thread, (void)info;
	__atomic_add_fetch((uint32_t *)&counts->signals[sig], 1, __ATOMIC_RELAXED);
}

static void count_aside(struct target_thread *thread, enum gate_aside why)
{
	(void)thread;
	counts->aside = why;
	__atomic_add_fetch(&counts->asides, 1, __ATOMIC_RELAXED);
}

#pragma GCC pop_options

static void counts_init(void)
{
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(counts != MAP_FAILED);
	test_ops = (struct gate_ops){
		.text = __start_skep_agent_text,
		.text_size = __stop_skep_agent_text - __start_skep_agent_text,
		.wanted = counts->wanted, .wants_all = &counts->wants_all,
		.enter = count_enter, .exit = count_exit, .exec = count_exec, .forked = count_forked,
		.child = count_child, .leaving = count_leaving, .mapped = count_mapped,
		.signal = count_signal, .aside = count_aside,
	};
}

static int gate_setup(void **state)
{
	(void)state;
	counts_init();
	return gate_start(&test_ops);
}

static void want(long nr)
{
	counts->wanted[nr / 64] |= 1ull << nr % 64;
	counts->entered[nr] = counts->left[nr] = 0;
	counts->result[nr] = -99999;
}

static void want_nothing(void)
{
	memset(counts->wanted, 0, sizeof(counts->wanted));
}

#define assert_counted(nr, times, value)                                   \
	do {                                                               \
		assert_int_equal(counts->entered[nr], (times));            \
		assert_int_equal(counts->left[nr], (times));               \
		assert_int_equal(counts->result[nr], (int64_t)(value));    \
	} while (0)

#endif
