/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held.c - see held.h. [runtime, in the agent's image only]
 *
 * Words of the stacks that are addresses of executable memory are collected once, in order, so
 * that each window is a short search.
 */
#include "agent/held.h"

#include <sys/mman.h>

#include "agent/gate.h"
#include "agent/maps.h"
#include "base/base.h"
#include "base/fault.h"
#include "map/sys.h"

enum {
	WORDS_MAX = 1 << 20,
	CODES_MAX = 4096,
	STACK_MAX = 16 << 20,  /* more of a stack than that is not looked at */
	RED_ZONE = 128,
};

static struct {
	bool everywhere;         /* nothing is known */
	uint64_t *words;
	uint32_t count;
	struct { uint64_t start, end; } *codes; /* executable memory, by address */
	uint32_t code_count;
} held;

void held_note(struct target_thread *thread, uint64_t ip, uint64_t again, uint64_t sp)
{
	thread->held_ip = ip;
	thread->held_again = again;
	thread->held_sp = sp;
}

static bool is_code(uint64_t word)
{
	uint32_t low = 0, high = held.code_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (held.codes[middle].end <= word)
			low = middle + 1;
		else
			high = middle;
	}
	return low < held.code_count && word >= held.codes[low].start;
}

static void add(uint64_t word)
{
	if (held.count == WORDS_MAX)
		held.everywhere = true;
	else if (is_code(word))
		held.words[held.count++] = word;
}

/* --- what is mapped --- */

static void add_code(void *arg, const struct maps_line *line)
{
	uint32_t *last = &held.code_count;

	(void)arg;
	if (!(line->prot & PROT_EXEC))
		return;
	if (*last == CODES_MAX)
		held.everywhere = true;
	else
		held.codes[(*last)++] = (typeof(*held.codes)){ line->start, line->end };
}

/* The stacks of threads that lie in a mapping. */
static void add_stacks(void *arg, const struct maps_line *line)
{
	uint32_t *found = arg;

	for (struct target_thread *thread = thread_list; thread; thread = thread->next) {
		uint64_t at = thread->held_sp - RED_ZONE;

		if (thread->state != THREAD_USED || at < line->start || at >= line->end)
			continue;
		++*found;
		if (!(line->prot & PROT_READ) || line->end - at > STACK_MAX)
			held.everywhere = true;
		for (at &= ~(uint64_t)7; at < line->end && !held.everywhere; at += 8)
			add(*(const uint64_t *)(uintptr_t)at);
	}
}

static void add_threads(void)
{
	uint32_t count = 0, found = 0;

	for (struct target_thread *thread = thread_list; thread; thread = thread->next) {
		if (thread->state != THREAD_USED)
			continue;
		count++;
		add(thread->held_ip);
		if (thread->held_again)
			add(thread->held_again);
		/* Below this stack there is another, whose top is where nobody knows. */
		if (signal_on_stack(&thread->altstack, thread->held_sp))
			held.everywhere = true;
	}
	if (maps_each(add_stacks, &found) < 0 || found != count)
		held.everywhere = true;
}

/* Shell sort: the words are mostly few. */
static void sort(void)
{
	for (uint32_t gap = held.count / 2; gap; gap /= 2)
		for (uint32_t i = gap; i < held.count; i++) {
			uint64_t word = held.words[i];
			uint32_t at = i;

			for (; at >= gap && held.words[at - gap] > word; at -= gap)
				held.words[at] = held.words[at - gap];
			held.words[at] = word;
		}
}

static void *take(size_t size)
{
	int64_t got = sys_call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, (uint64_t)-1, 0);

	return got > 0 ? (void *)(uintptr_t)got : NULL;
}

void held_begin(void)
{
	held.everywhere = false;
	held.count = held.code_count = 0;
	held.words = take(WORDS_MAX * sizeof(*held.words));
	held.codes = take(CODES_MAX * sizeof(*held.codes));
	if (!held.words || !held.codes || maps_each(add_code, NULL) < 0)
		held.everywhere = true;
	if (!held.everywhere)
		add_threads();
	if (!held.everywhere)
		sort();
}

bool held_in(uint64_t from, uint64_t to)
{
	uint32_t low = 0, high = held.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (held.words[middle] < from)
			low = middle + 1;
		else
			high = middle;
	}
	return held.everywhere || (low < held.count && held.words[low] < to);
}

void held_end(void)
{
	if (held.words)
		sys_call2(SYS_munmap, (uintptr_t)held.words, WORDS_MAX * sizeof(*held.words));
	if (held.codes)
		sys_call2(SYS_munmap, (uintptr_t)held.codes, CODES_MAX * sizeof(*held.codes));
	held.words = NULL;
	held.codes = NULL;
}
