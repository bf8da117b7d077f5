/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.c - the arena: blocks, pages, cells, and memory waiting for readers. [runtime]
 *
 *   arena:  | struct memory, words | block | block | ...
 *   block that is split:  | struct split | page | page | ...
 *   page that is a slab:  | cell | cell | ...     bits in the split's struct slab
 *
 * Blocks and pages are runs (run.h). A slab page is locked by the token in its
 * page's word while a cell is taken; a locked page is passed by, never waited
 * for. Freeing a cell sets a bit and needs no lock.
 */
#include "map/memory.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "map/map.h"
#include "map/memory_impl.h"
#include "map/run.h"
#include "map/vcpu.h"

static int lent[OWNER_ARENAS]; /* descriptors of arenas' files in this process, plus 1; 0: none */

void memory_lend(const struct memory *memory, int fd)
{
	__atomic_store_n(&lent[memory->owners.arena % OWNER_ARENAS], fd + 1, __ATOMIC_RELEASE);
}

static struct runs memory_blocks(const struct memory *memory)
{
	struct memory *m = (struct memory *)(uintptr_t)memory;

	return (struct runs){
		.owners = &m->owners, .word = m->words, .dest = (void ***)(m->words + m->blocks),
		.base = m->base + m->blocks_offset, .count = m->blocks, .unit = BLOCK,
		.give_back = true, .backed = m->backed, .offset = m->blocks_offset,
		.fd = __atomic_load_n(&lent[m->owners.arena % OWNER_ARENAS], __ATOMIC_ACQUIRE) - 1,
	};
}

static struct runs memory_pages(struct memory *memory, struct split *split)
{
	return (struct runs){
		.owners = &memory->owners, .word = split->word, .dest = split->dest,
		.base = (char *)split, .count = BLOCK_PAGES, .unit = PAGE, .fd = -1,
	};
}

static struct split *memory_split(struct memory *memory, uint32_t block)
{
	if (RUN_KIND(__atomic_load_n(&memory->words[block], __ATOMIC_ACQUIRE)) != RUN_SPLIT)
		return NULL;
	return (struct split *)(memory->base + memory->blocks_offset + (size_t)block * BLOCK);
}

static void split_setup(void *unit)
{
	struct split *split = unit;
	uint32_t pages = (sizeof(*split) + PAGE - 1) / PAGE;

	split->word[0] = RUN_WORD(RUN_USED, pages, 0);
	for (uint32_t i = 1; i < pages; i++)
		split->word[i] = RUN_WORD(RUN_CLAIM, i, 0);
}

/* --- the arena itself --- */

int memory_enter(struct memory *memory)
{
	int error = owner_process_init();

	if (error < 0)
		return error;
	__atomic_store_n(&owner_process->token[memory->owners.arena], 0, __ATOMIC_RELEASE);
	owner_join(&memory->owners);
	return 0;
}

void **memory_root(struct memory *memory)
{
	return &memory->root;
}

bool memory_contains(const struct memory *memory, const void *ptr, size_t size, size_t align)
{
	uint64_t offset = (uint64_t)((uintptr_t)ptr - (uintptr_t)memory->base);

	return (uintptr_t)ptr % align == 0 && offset >= memory->blocks_offset &&
	       offset <= memory->size && size <= memory->size - offset;
}

size_t memory_size(const struct memory *memory)
{
	return memory->size;
}

struct owner_table *memory_owners(struct memory *memory)
{
	return &memory->owners;
}

/* --- pages --- */

static void *pages_alloc(struct memory *memory, uint32_t n, void **dest)
{
	struct runs blocks = memory_blocks(memory);

	for (;;) {
		for (uint32_t i = 0; i < memory->blocks; i++) {
			struct split *split = memory_split(memory, i);
			void *start;

			if (!split)
				continue;
			struct runs pages = memory_pages(memory, split);
			start = run_alloc(&pages, n, dest);
			if (start)
				return start;
		}
		if (!run_alloc_split(&blocks, 0, split_setup))
			return NULL;
	}
}

/* --- cells --- */

static void *slab_cell(struct split *split, uint32_t page, uint32_t shift, uint32_t cell)
{
	return (char *)split + (size_t)page * PAGE + ((size_t)cell << shift);
}

/* Locked: the freed cells become free, what a dead owner was handing out too. */
static void slab_settle(struct split *split, uint32_t page, uint32_t shift)
{
	struct slab *slab = &split->slab[page];
	uint64_t pending = slab->pending;

	for (int i = 0; i < 2; i++) {
		uint64_t freed = __atomic_load_n(&slab->freed[i], __ATOMIC_ACQUIRE);

		if (freed == 0)
			continue;
		__atomic_store_n(&slab->live[i], slab->live[i] & ~freed, __ATOMIC_RELEASE);
		__atomic_fetch_and(&slab->freed[i], ~freed, __ATOMIC_ACQ_REL);
	}
	if (pending != 0) {
		uint32_t cell = (uint32_t)pending - 1;
		void **dest = slab->dest;

		if (!dest || __atomic_load_n(dest, __ATOMIC_ACQUIRE) !=
				     slab_cell(split, page, shift, cell))
			slab->live[cell / 64] &= ~(1ull << cell % 64);
		__atomic_store_n(&slab->pending, 0, __ATOMIC_RELEASE);
	}
}

/* Locked: the first free cell, handed out; or NULL. */
static void *slab_take(struct split *split, uint32_t page, uint32_t shift, void **dest)
{
	struct slab *slab = &split->slab[page];
	uint32_t cells = (uint32_t)PAGE >> shift;

	slab_settle(split, page, shift);
	for (uint32_t cell = 0; cell < cells;) {
		uint64_t free_cells = ~slab->live[cell / 64] >> cell % 64;
		void *start;

		if (free_cells == 0) {
			cell += 64 - cell % 64;
			continue;
		}
		cell += (uint32_t)__builtin_ctzll(free_cells);
		if (cell >= cells)
			break;
		start = slab_cell(split, page, shift, cell);
		slab->dest = dest;
		__atomic_store_n(&slab->pending, cell + 1, __ATOMIC_RELEASE);
		__atomic_store_n(&slab->live[cell / 64], slab->live[cell / 64] | 1ull << cell % 64,
				 __ATOMIC_RELEASE);
		memset(start, 0, (size_t)1 << shift);
		if (dest)
			__atomic_store_n(dest, start, __ATOMIC_RELEASE);
		__atomic_store_n(&slab->pending, 0, __ATOMIC_RELEASE);
		return start;
	}
	return NULL;
}

/* A cell from this page, if it is a slab of the class with a free cell and is
 * not locked by someone alive. */
static void *slab_try(struct memory *memory, struct split *split, uint32_t page, uint32_t shift,
		      void **dest)
{
	uint64_t *word = &split->word[page], seen = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	uint64_t token = owner_token(&memory->owners), open = RUN_WORD(RUN_SPLIT, shift, 0);
	void *cell;

	if (RUN_KIND(seen) != RUN_SPLIT || RUN_NUMBER(seen) != shift)
		return NULL;
	if (OWNER_TOKEN(seen) != 0 && !owner_dead(&memory->owners, OWNER_TOKEN(seen)))
		return NULL;
	if (!__atomic_compare_exchange_n(word, &seen, open | token, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return NULL;
	cell = slab_take(split, page, shift, dest);
	__atomic_store_n(word, open, __ATOMIC_RELEASE);
	return cell;
}

static void slab_setup(void *unit)
{
	(void)unit; /* a free page has no cells handed out */
}

static void *slab_search(struct memory *memory, uint32_t shift, void **dest, uint64_t *hint)
{
	for (uint32_t i = 0; i < memory->blocks; i++) {
		struct split *split = memory_split(memory, i);

		for (uint32_t page = 1; split && page < BLOCK_PAGES; page++) {
			void *cell = slab_try(memory, split, page, shift, dest);

			if (cell) {
				__atomic_store_n(hint, (uint64_t)i << 16 | page, __ATOMIC_RELAXED);
				return cell;
			}
		}
	}
	return NULL;
}

/* Makes one more page a slab of the class. */
static bool slab_grow(struct memory *memory, uint32_t shift)
{
	struct runs blocks = memory_blocks(memory);

	for (uint32_t i = 0; i < memory->blocks; i++) {
		struct split *split = memory_split(memory, i);

		if (!split)
			continue;
		struct runs pages = memory_pages(memory, split);
		if (run_alloc_split(&pages, shift, slab_setup))
			return true;
	}
	return run_alloc_split(&blocks, 0, split_setup) != NULL;
}

static void *cell_alloc(struct memory *memory, uint32_t shift, void **dest)
{
	uint64_t thread = owner_self(&memory->owners) & (OWNER_THREADS - 1);
	uint64_t *hint = &memory->slab_hint[shift - CELL_MIN_SHIFT][thread % HINTS];
	uint64_t near = __atomic_load_n(hint, __ATOMIC_RELAXED);
	void *cell = NULL;

	if (near != 0)
		cell = slab_try(memory, memory_split(memory, (uint32_t)(near >> 16)),
				near & 0xffff, shift, dest);
	while (!cell) {
		cell = slab_search(memory, shift, dest, hint);
		if (!cell && !slab_grow(memory, shift))
			return NULL;
	}
	return cell;
}

/* --- requests --- */

void *memory_alloc_into(struct memory *memory, size_t size, size_t align, void **dest)
{
	uint32_t shift = CELL_MIN_SHIFT;

	if (size == 0)
		size = 1;
	if (align > PAGE || size > memory->size)
		return NULL;
	if (size > PAGE / 2 || align > PAGE / 2) {
		struct runs blocks = memory_blocks(memory);

		if (size <= BLOCK / 2)
			return pages_alloc(memory, (uint32_t)((size + PAGE - 1) / PAGE), dest);
		return run_alloc(&blocks, (uint32_t)((size + BLOCK - 1) / BLOCK), dest);
	}
	while ((size_t)1 << shift < MAX(size, align))
		shift++;
	return cell_alloc(memory, shift, dest);
}

void *memory_alloc(struct memory *memory, size_t size, size_t align)
{
	return memory_alloc_into(memory, size, align, NULL);
}

void memory_release(struct memory *memory, void *ptr, size_t size)
{
	size_t offset = (size_t)((char *)ptr - memory->base) - memory->blocks_offset;
	uint32_t block = (uint32_t)(offset / BLOCK), page = (uint32_t)(offset % BLOCK / PAGE);
	struct runs blocks = memory_blocks(memory);
	struct split *split;
	uint64_t seen;

	(void)size;
	if (!ptr || (char *)ptr < memory->base + memory->blocks_offset || block >= memory->blocks)
		return;
	split = memory_split(memory, block);
	if (!split) {
		run_release(&blocks, block);
		return;
	}
	seen = __atomic_load_n(&split->word[page], __ATOMIC_ACQUIRE);
	if (RUN_KIND(seen) == RUN_SPLIT) {
		uint32_t cell = (uint32_t)(offset % PAGE >> RUN_NUMBER(seen));

		__atomic_fetch_or(&split->slab[page].freed[cell / 64], 1ull << cell % 64,
				  __ATOMIC_ACQ_REL);
	} else {
		struct runs pages = memory_pages(memory, split);

		run_release(&pages, page);
	}
}

static size_t split_used(struct memory *memory, struct split *split)
{
	struct runs pages = memory_pages(memory, split);
	size_t used = (size_t)run_used(&pages) * PAGE;

	for (uint32_t i = 0; i < BLOCK_PAGES; i++) {
		const struct slab *slab = &split->slab[i];
		uint64_t word = split->word[i];
		int cells = 0;

		if (RUN_KIND(word) != RUN_SPLIT)
			continue;
		for (int j = 0; j < 2; j++)
			cells += __builtin_popcountll(slab->live[j] & ~slab->freed[j]);
		used = used - PAGE + ((size_t)cells << RUN_NUMBER(word));
	}
	return used - (sizeof(*split) + PAGE - 1) / PAGE * PAGE;
}

/* Bytes handed out; the arena's own bookkeeping not counted. */
size_t memory_used(const struct memory *memory)
{
	struct memory *m = (struct memory *)(uintptr_t)memory;
	struct runs blocks = memory_blocks(memory);
	size_t used = (size_t)run_used(&blocks) * BLOCK;

	for (uint32_t i = 0; i < memory->blocks; i++) {
		struct split *split = memory_split(m, i);

		if (split)
			used = used - BLOCK + split_used(m, split);
	}
	return used;
}

/* --- memory that programs may still be reading --- */

void memory_set_vcpus(struct memory *memory, struct vcpu_set *vcpus)
{
	memory->vcpus = vcpus;
}

struct vcpu_set *memory_vcpus(const struct memory *memory)
{
	return memory->vcpus;
}

size_t memory_waiting(const struct memory *memory)
{
	const struct retired_batch *batch = __atomic_load_n(&memory->retired, __ATOMIC_ACQUIRE);
	size_t waiting = 0;

	for (; batch; batch = batch->next) {
		for (uint32_t i = 0; i < RETIRED; i++) {
			size_t size = __atomic_load_n(&batch->at[i].size, __ATOMIC_RELAXED);

			if (__atomic_load_n(&batch->at[i].ptr, __ATOMIC_ACQUIRE))
				waiting += size == RETIRED_MAP ? sizeof(struct map) : size;
		}
	}
	return waiting;
}

uint64_t memory_epoch(const struct memory *memory)
{
	return __atomic_load_n(&memory->epoch, __ATOMIC_RELAXED);
}

uint64_t memory_epoch_next(struct memory *memory)
{
	return __atomic_fetch_add(&memory->epoch, 1, __ATOMIC_SEQ_CST);
}

bool memory_epoch_passed(struct memory *memory, uint64_t epoch)
{
	return !memory->vcpus || vcpu_epoch_min(memory->vcpus) > epoch;
}

/* The record, claimed for us; NULL when the batch has none. */
static struct retired *retired_claim(struct memory *memory, struct retired_batch *batch)
{
	uint64_t self = owner_self(&memory->owners);

	for (uint32_t i = 0; i < RETIRED; i++) {
		struct retired *at = &batch->at[i];
		uint64_t seen = __atomic_load_n(&at->owner, __ATOMIC_RELAXED);

		if (seen == 0 && __atomic_compare_exchange_n(&at->owner, &seen, self, false,
							     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return at;
	}
	return NULL;
}

static struct retired *retired_new(struct memory *memory)
{
	struct retired_batch *batch, *head;

	for (;;) {
		struct retired *at;

		head = __atomic_load_n(&memory->retired, __ATOMIC_ACQUIRE);
		for (batch = head; batch; batch = batch->next) {
			at = retired_claim(memory, batch);
			if (at)
				return at;
		}
		batch = memory_alloc(memory, sizeof(*batch), PAGE);
		if (!batch)
			return NULL;
		batch->next = head;
		if (!__atomic_compare_exchange_n(&memory->retired, &head, batch, false,
						 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			memory_release(memory, batch, sizeof(*batch));
	}
}

static void retired_collect(struct memory *memory, struct retired *at, uint64_t passed)
{
	uint64_t seen = __atomic_load_n(&at->owner, __ATOMIC_ACQUIRE);
	size_t size;
	void *ptr;

	if (seen == 0 || (seen != RETIRED_READY && !owner_dead(&memory->owners, seen)))
		return;
	/* A record that its owner died over holds an address or nothing yet. */
	if (!__atomic_compare_exchange_n(&at->owner, &seen, owner_self(&memory->owners), false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return;
	ptr = at->ptr;
	size = at->size;
	if (ptr && (at->epoch == 0 || at->epoch >= passed)) {
		if (at->epoch == 0)
			at->epoch = memory_epoch_next(memory);
		__atomic_store_n(&at->owner, RETIRED_READY, __ATOMIC_RELEASE);
		return;
	}
	/* Forgotten before it is freed: dying here loses it, freeing it twice would be worse. */
	__atomic_store_n(&at->ptr, NULL, __ATOMIC_RELEASE);
	at->epoch = 0;
	__atomic_store_n(&at->owner, 0, __ATOMIC_RELEASE);
	if (size == RETIRED_MAP)
		map_free(ptr);
	else
		memory_release(memory, ptr, size);
}

void memory_collect(struct memory *memory)
{
	uint64_t passed = memory->vcpus ? vcpu_epoch_min(memory->vcpus) : ~0ull;
	struct retired_batch *batch = __atomic_load_n(&memory->retired, __ATOMIC_ACQUIRE);

	for (; batch; batch = batch->next)
		for (uint32_t i = 0; i < RETIRED; i++)
			retired_collect(memory, &batch->at[i], passed);
}

void memory_retire_map(struct memory *memory, struct map *map)
{
	memory_retire(memory, map, RETIRED_MAP);
}

void memory_retire(struct memory *memory, void *ptr, size_t size)
{
	struct retired *at;

	if (!ptr)
		return;
	memory_collect(memory);
	at = retired_new(memory);
	while (!at) { /* the arena is full: only waiting for readers can help */
		sys_yield();
		memory_collect(memory);
		at = retired_new(memory);
	}
	at->size = size;
	__atomic_store_n(&at->ptr, ptr, __ATOMIC_RELEASE);
	__atomic_store_n(&at->epoch, memory_epoch_next(memory), __ATOMIC_RELEASE);
	__atomic_store_n(&at->owner, RETIRED_READY, __ATOMIC_RELEASE);
}
