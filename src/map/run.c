/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.c - runs of units: claim, publish, free, and repair after the dead. [runtime]
 *
 * Every state a process can die in is written in the words themselves:
 *
 *   CLAIM, first not USED    claimed or being undone: its owner's death frees it
 *   PENDING                  its owner's death frees it, unless *dest points to it
 *   FREEING                  its owner's death leaves the freeing to the next
 */
#include "map/run.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fault.h"

#define POPULATE_WRITE 23 /* MADV_POPULATE_WRITE, which older headers lack */

enum { MUCH = 64 << 20 }; /* so many bytes at once are asked for with care */

static uint64_t word_load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static bool word_swap(uint64_t *word, uint64_t seen, uint64_t next)
{
	return __atomic_compare_exchange_n(word, &seen, next, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/* The first word must be FREEING and ours. */
static void run_free(struct runs *runs, uint32_t first, uint32_t n)
{
	char *start = runs->base + (size_t)first * runs->unit;
	enum run_kind kind = RUN_DIRTY;

	if (runs->give_back &&
	    sys_call3(SYS_madvise, start, (size_t)n * runs->unit, MADV_REMOVE) == 0)
		kind = RUN_FREE;
	for (uint32_t i = 1; i < n; i++)
		__atomic_store_n(&runs->word[first + i], kind, __ATOMIC_RELEASE);
	__atomic_store_n(&runs->word[first], kind, __ATOMIC_RELEASE);
}

/* Puts right what the owner of this word left half-done, if it is dead. */
static void run_repair(struct runs *runs, uint32_t i, uint64_t seen)
{
	uint64_t token = owner_token(runs->owners);
	uint32_t n = RUN_NUMBER(seen);
	void **dest;

	if (RUN_KIND(seen) < RUN_CLAIM || RUN_KIND(seen) > RUN_FREEING ||
	    RUN_KIND(seen) == RUN_USED || !owner_dead(runs->owners, OWNER_TOKEN(seen)))
		return;
	if (RUN_KIND(seen) == RUN_CLAIM) {
		uint64_t first = n <= i ? word_load(&runs->word[i - n]) : 0;

		/* A split unit's number is its user's: it is no run of that many. */
		if (n != 0 && RUN_KIND(first) >= RUN_PENDING && RUN_KIND(first) != RUN_SPLIT &&
		    RUN_NUMBER(first) > n)
			return; /* part of a run that is well, or repaired from its first */
		word_swap(&runs->word[i], seen, RUN_DIRTY);
		return;
	}
	dest = runs->dest[i];
	if (RUN_KIND(seen) == RUN_PENDING && dest &&
	    __atomic_load_n(dest, __ATOMIC_ACQUIRE) == runs->base + (size_t)i * runs->unit)
		word_swap(&runs->word[i], seen, RUN_WORD(RUN_USED, n, 0));
	else if (word_swap(&runs->word[i], seen, RUN_WORD(RUN_FREEING, n, token)))
		run_free(runs, i, n);
}

/* What the system could still give, in bytes; all, where it does not say. */
static size_t memory_available(void)
{
	static const char label[] = "MemAvailable:";
	char text[256] = "";
	size_t kib = 0;
	int64_t fd = sys_call4(SYS_openat, AT_FDCWD, (uintptr_t)"/proc/meminfo",
			       O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return SIZE_MAX;
	sys_call3(SYS_read, fd, (uintptr_t)text, sizeof(text) - 1);
	sys_call1(SYS_close, fd);
	for (const char *at = text; *at; at++) {
		if (strncmp(at, label, sizeof(label) - 1) != 0)
			continue;
		for (at += sizeof(label) - 1; *at == ' ' || (*at >= '0' && *at <= '9'); at++)
			kib = *at == ' ' ? kib : kib * 10 + (size_t)(*at - '0');
		return kib * 1024;
	}
	return SIZE_MAX;
}

/* -EBADF: this process has no descriptor of the file; targets never do. */
static int64_t run_allocate(const struct runs *runs, const char *start, size_t size)
{
#ifdef SKEP_AGENT
	(void)runs, (void)start, (void)size;
	return -EBADF;
#else
	uint64_t at = runs->offset + (uint64_t)(start - runs->base);

	return runs->fd < 0 ? -EBADF : sys_call4(SYS_fallocate, runs->fd, FALLOC_FL_KEEP_SIZE, at, size);
#endif
}

/*
 * Has the file system give the memory of claimed units now, so that it never
 * fails a touch later. It needs no descriptor. Where the kernel does not know
 * how (before 5.14), each page is written to under guard; the units are nobody
 * else's, and what is in them does not matter yet. With a descriptor the pages are
 * not touched before they are used, which takes half the time. What the file system would give
 * but the system has not is refused here: others would be killed for it.
 */
static bool run_reserve(const struct runs *runs, uint32_t first, uint32_t n)
{
	char *start = runs->base + (size_t)first * runs->unit;
	size_t size = (size_t)n * runs->unit;
	int64_t error;
	char zero = 0;

	if (size >= MUCH && size > memory_available())
		return false;
	error = run_allocate(runs, start, size);
	if (error == 0 || error == -ENOSPC)
		return error == 0;
	error = sys_call3(SYS_madvise, start, size, POPULATE_WRITE);
	if (error != -EINVAL)
		return error == 0;
	for (size_t i = 0; i < size; i += 4096)
		if (fault_copy(start + i, &zero, 1) < 0)
			return false;
	return true;
}

static void run_unclaim(struct runs *runs, uint32_t first, uint32_t n)
{
	while (n-- > 0)
		__atomic_store_n(&runs->word[first + n], RUN_DIRTY, __ATOMIC_RELEASE);
}

/* Claims units [first, first + n), or none. *dirty: some must be zeroed. On
 * failure *stop is the unit in the way. */
static bool run_claim(struct runs *runs, uint32_t first, uint32_t n, uint32_t *stop, bool *dirty)
{
	uint64_t token = owner_token(runs->owners);

	*dirty = false;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t *word = &runs->word[first + i], seen = word_load(word);

		if (RUN_KIND(seen) > RUN_DIRTY) {
			run_repair(runs, first + i, seen);
			seen = word_load(word);
		}
		if (RUN_KIND(seen) <= RUN_DIRTY &&
		    word_swap(word, seen, RUN_WORD(RUN_CLAIM, i, token))) {
			*dirty |= RUN_KIND(seen) == RUN_DIRTY;
			continue;
		}
		*stop = first + i;
		run_unclaim(runs, first, i);
		return false;
	}
	return true;
}

/* The first unit of a claimed run of n; count when there is none. */
static uint32_t run_find(struct runs *runs, uint32_t n)
{
	uint32_t first = 0, stop = 0;
	bool dirty;

	while (n <= runs->count && first <= runs->count - n) {
		uint64_t seen = word_load(&runs->word[first]);

		if (RUN_KIND(seen) == RUN_USED) {
			first += RUN_NUMBER(seen);
			continue;
		}
		if (RUN_KIND(seen) == RUN_SPLIT) {
			first++;
			continue;
		}
		if (run_claim(runs, first, n, &stop, &dirty)) {
			if (runs->backed && !run_reserve(runs, first, n)) {
				if (runs->give_back) /* what it did give of them */
					sys_call3(SYS_madvise, runs->base + (size_t)first * runs->unit,
						  (size_t)n * runs->unit, MADV_REMOVE);
				run_unclaim(runs, first, n);
				return runs->count;
			}
			if (dirty)
				memset(runs->base + (size_t)first * runs->unit, 0,
				       (size_t)n * runs->unit);
			return first;
		}
		seen = word_load(&runs->word[stop]);
		first = stop + (RUN_KIND(seen) == RUN_USED ? RUN_NUMBER(seen) : 1);
	}
	return runs->count;
}

void *run_alloc(struct runs *runs, uint32_t n, void **dest)
{
	uint64_t token = owner_token(runs->owners);
	uint32_t first = run_find(runs, n);
	char *start = runs->base + (size_t)first * runs->unit;

	if (first >= runs->count)
		return NULL;
	if (dest) {
		__atomic_store_n(&runs->dest[first], dest, __ATOMIC_RELEASE);
		__atomic_store_n(&runs->word[first], RUN_WORD(RUN_PENDING, n, token),
				 __ATOMIC_RELEASE);
		__atomic_store_n(dest, start, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&runs->word[first], RUN_WORD(RUN_USED, n, 0), __ATOMIC_RELEASE);
	return start;
}

char *run_alloc_split(struct runs *runs, uint32_t number, void (*setup)(void *unit))
{
	uint32_t first = run_find(runs, 1);
	char *start = runs->base + (size_t)first * runs->unit;

	if (first >= runs->count)
		return NULL;
	setup(start);
	__atomic_store_n(&runs->word[first], RUN_WORD(RUN_SPLIT, number, 0), __ATOMIC_RELEASE);
	return start;
}

void run_release(struct runs *runs, uint32_t first)
{
	uint64_t seen = word_load(&runs->word[first]);
	uint32_t n = RUN_NUMBER(seen);

	if (RUN_KIND(seen) == RUN_USED &&
	    word_swap(&runs->word[first], seen,
		      RUN_WORD(RUN_FREEING, n, owner_token(runs->owners))))
		run_free(runs, first, n);
}

uint32_t run_used(const struct runs *runs)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < runs->count; i++) {
		uint64_t seen = word_load(&runs->word[i]);

		if (RUN_KIND(seen) == RUN_USED || RUN_KIND(seen) == RUN_SPLIT) {
			uint32_t n = RUN_KIND(seen) == RUN_USED ? RUN_NUMBER(seen) : 1;

			used += n;
			i += n - 1;
		} else if (RUN_KIND(seen) > RUN_DIRTY) {
			used++;
		}
	}
	return used;
}
