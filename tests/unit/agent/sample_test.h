/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of samples share: where they are kept, and something that takes time. */
#ifndef TEST_SAMPLE_H
#define TEST_SAMPLE_H

#include "gate_test.h"

#include <fcntl.h>
#include <time.h>

/* All CPU clocks are looked at 100 times a second at least: no period is below that. */
enum { SAMPLES = 1 << 16, MS = 1000000, PERIOD = 10 * MS };

struct seen {
	uint64_t ip, sp, nr;
	uint32_t tid, pid;
};

/* In shared memory: children are sampled too. */
static struct {
	uint64_t period;
	uint32_t count, missed;
	struct seen at[SAMPLES];
} *samples;

#pragma GCC push_options
#pragma GCC target("general-regs-only")
static void keep_sample(struct target_thread *thread, struct target_regs *regs, uint32_t missed)
{
	uint32_t at = __atomic_fetch_add(&samples->count, 1, __ATOMIC_RELAXED) % SAMPLES;

	__atomic_fetch_add(&samples->missed, missed, __ATOMIC_RELAXED);
	samples->at[at] = (struct seen){ regs->ip, regs->sp, regs->orig_ax, thread->tid,
					 thread->pid };
}
#pragma GCC pop_options

static int setup(void **state)
{
	(void)state;
	samples = mmap(NULL, sizeof(*samples), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	counts_init();
	test_ops.sample = keep_sample;
	test_ops.sample_ns = &samples->period;
	return gate_start(&test_ops);
}

/* The calling thread learns of it with its next call that is looked at. */
static void sample_every(uint64_t ns)
{
	samples->period = ns;
	want(SYS_getppid);
	syscall(SYS_getppid);
	want_nothing();
	samples->count = samples->missed = 0;
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000 * MS + (uint64_t)now.tv_nsec;
}

static uint32_t timers_of_process(void)
{
	char text[4096], *at = text;
	int fd = open("/proc/self/timers", O_RDONLY);
	ssize_t size = read(fd, text, sizeof(text) - 1);
	uint32_t count = 0;

	close(fd);
	text[size > 0 ? size : 0] = '\0';
	for (; (at = strstr(at, "notify: ")); at++)
		count++;
	return count;
}

static bool can_count_timers(void)
{
	return access("/proc/self/timers", R_OK) == 0;
}

/* --- functions that need time, each in a section of its own --- */

#define HOT(name) __attribute__((noinline, noclone, section("hot_" #name)))
#define IN(name, ip) ((ip) >= (uintptr_t)__start_hot_##name && (ip) < (uintptr_t)__stop_hot_##name)
extern const char __start_hot_often[], __stop_hot_often[], __start_hot_rare[], __stop_hot_rare[];

#define BODY                                                        \
	do {                                                        \
		for (uint64_t i = 0; i < rounds; i++)               \
			__asm__ volatile("imul %0, %0" : "+r"(x));  \
	} while (0)

HOT(often) static uint64_t often(uint64_t rounds, uint64_t x)
{
	BODY;
	return x;
}

HOT(rare) static uint64_t rare(uint64_t rounds, uint64_t x)
{
	BODY;
	return x;
}

static void three_to_one(uint64_t ns)
{
	uint64_t start = cpu_ns();

	while (cpu_ns() - start < ns) {
		often(3000000, 3);
		rare(1000000, 3);
	}
}

#endif
