/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * preload.c - the gate in any dynamically linked program, by LD_PRELOAD.
 *
 * Every system call is wanted and counted in the file GATE_COUNTS names, which all
 * processes share: two 64-bit words for each number, entries and exits, then the
 * programs started and the samples. GATE_SAMPLE: nanoseconds of CPU time from one to the
 * next.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/gate.h"

extern const char __start_skep_agent_text[], __stop_skep_agent_text[];

static uint64_t *counts;
static uint64_t wanted[GATE_CALLS / 64];

/* Hooks run in the middle of the application: no vector registers. */
#pragma GCC push_options
#pragma GCC target("general-regs-only")
static bool count_enter(struct target_thread *thread, struct target_regs *regs)
{
	(void)thread;
	if (regs->orig_ax < GATE_CALLS)
		__atomic_add_fetch(&counts[2 * regs->orig_ax], 1, __ATOMIC_RELAXED);
	return true;
}

static void count_exit(struct target_thread *thread, struct target_regs *regs, int64_t result)
{
	(void)thread, (void)result;
	if (regs->orig_ax < GATE_CALLS)
		__atomic_add_fetch(&counts[2 * regs->orig_ax + 1], 1, __ATOMIC_RELAXED);
}
static void count_sample(struct target_thread *thread, struct target_regs *regs, uint32_t missed)
{
	(void)thread, (void)regs, (void)missed;
	__atomic_add_fetch(&counts[2 * GATE_CALLS + 1], 1, __ATOMIC_RELAXED);
}
#pragma GCC pop_options

static uint64_t sample_ns;
static struct gate_ops ops = {
	.wanted = wanted, .enter = count_enter, .exit = count_exit, .sample = count_sample,
	.sample_ns = &sample_ns,
};

__attribute__((constructor)) static void start(void)
{
	const char *name = getenv("GATE_COUNTS");
	int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0)
		abort();
	counts = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (counts == MAP_FAILED)
		abort();
	if (!getenv("GATE_UNWANTED"))
		memset(wanted, 0xff, sizeof(wanted));
	if (getenv("GATE_SAMPLE"))
		sample_ns = strtoull(getenv("GATE_SAMPLE"), NULL, 10);
	ops.text = __start_skep_agent_text;
	ops.text_size = (uint64_t)(__stop_skep_agent_text - __start_skep_agent_text);
	if (gate_start(&ops) < 0)
		abort();
	__atomic_add_fetch(&counts[2 * GATE_CALLS], 1, __ATOMIC_RELAXED);
}
