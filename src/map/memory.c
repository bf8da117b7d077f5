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
#include <sys/mman.h>

#include "base/base.h"
#include "map/map.h"
#include "map/run.h"
#include "map/vcpu.h"

enum {
	PAGE = 4096,
	BLOCK = 2 << 20,
	BLOCK_PAGES = BLOCK / PAGE,
	CELL_MIN_SHIFT = 5, /* 32 bytes; 128 in a page */
	CLASSES = 7,        /* 32 to 2048 */
	HINTS = 8,
	RETIRED = 254,      /* in a batch, which fills two pages */
};

#define MEMORY_MAGIC 0x31304d50454b53ull /* "SKEPM01" */

struct slab {
	uint64_t live[2];  /* cells handed out; written under the page's lock */
	uint64_t freed[2]; /* cells given back since; any thread sets bits */
	uint64_t pending;  /* 1 + the cell being handed out; 0: none */
	void **dest;       /* where that is to be published; or NULL */
};

struct split {
	uint64_t word[BLOCK_PAGES];
	void **dest[BLOCK_PAGES];
	struct slab slab[BLOCK_PAGES];
};

struct retired {
	uint64_t owner; /* 0: free; RETIRED_READY; else who is filling it in */
	void *ptr;
	size_t size;    /* RETIRED_MAP: ptr is a struct map */
	uint64_t epoch;
};

#define RETIRED_READY 1
#define RETIRED_MAP SIZE_MAX

struct retired_batch {
	struct retired_batch *next; /* set before the batch is published; never freed */
	struct retired at[RETIRED];
};

struct memory {
	uint64_t magic;
	char *base;
	size_t size;
	size_t blocks_offset;
	uint32_t blocks;
	struct vcpu_set *vcpus;
	struct retired_batch *retired;
	uint64_t slab_hint[CLASSES][HINTS]; /* block << 16 | page, or 0 */
	uint64_t epoch __attribute__((aligned(64)));
	uint64_t quiet[7]; /* keeps the epoch's cache line to itself */
	struct owner_table owners;
	uint64_t words[]; /* one a block, then one destination a block */
};

static struct runs memory_blocks(const struct memory *memory)
{
	struct memory *m = (struct memory *)(uintptr_t)memory;

	return (struct runs){
		.owners = &m->owners, .word = m->words, .dest = (void ***)(m->words + m->blocks),
		.base = m->base + m->blocks_offset, .count = m->blocks, .unit = BLOCK,
		.give_back = true,
	};
}

static struct runs memory_pages(struct memory *memory, struct split *split)
{
	return (struct runs){
		.owners = &memory->owners, .word = split->word, .dest = split->dest,
		.base = (char *)split, .count = BLOCK_PAGES, .unit = PAGE,
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

/* Where arenas may lie: far from where programs, libraries and stacks do. */
static char *memory_slot(uint32_t slot)
{
	return (char *)(0x100000000000ull + ((uint64_t)slot << 40));
}

static size_t memory_header_size(uint32_t blocks)
{
	size_t size = sizeof(struct memory) + (size_t)blocks * 16;

	return (size + BLOCK - 1) / BLOCK * BLOCK;
}

static void *memory_map(uint32_t slot, size_t size)
{
	void *base = mmap(memory_slot(slot), size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (base != MAP_FAILED && base != memory_slot(slot)) {
		munmap(base, size); /* a kernel that does not know MAP_FIXED_NOREPLACE */
		errno = EEXIST;
		return MAP_FAILED;
	}
	return base;
}

/* Arenas of this process by slot; a slot's address alone says nothing of who
 * else in the process uses it. */
static uint32_t slots_used;

static struct memory *memory_map_anywhere(size_t *size, uint32_t *slot)
{
	for (; *size >= 16 * (size_t)BLOCK; *size = *size / 2 / BLOCK * BLOCK) {
		for (uint32_t i = 0; i < OWNER_ARENAS; i++) {
			void *base;

			if (__atomic_fetch_or(&slots_used, 1u << i, __ATOMIC_ACQ_REL) & 1u << i)
				continue;
			base = memory_map(i, *size);
			if (base != MAP_FAILED) {
				*slot = i;
				return base;
			}
			__atomic_fetch_and(&slots_used, ~(1u << i), __ATOMIC_ACQ_REL);
			if (errno == ENOMEM)
				break; /* too large, wherever it is */
		}
	}
	errno = ENOMEM;
	return NULL;
}

struct memory *memory_new(size_t size)
{
	struct memory *memory;
	uint32_t slot = 0;
	int error = owner_process_init();

	if (error < 0) {
		errno = -error;
		return NULL;
	}
	if (size == 0)
		size = (size_t)64 << 30;
	size = MAX((size + BLOCK - 1) / BLOCK * BLOCK, 16 * (size_t)BLOCK);
	memory = memory_map_anywhere(&size, &slot);
	if (!memory)
		return NULL;
	memory->base = (char *)memory;
	memory->size = size;
	memory->blocks = (uint32_t)(size / BLOCK);
	memory->blocks_offset = memory_header_size(memory->blocks);
	memory->blocks -= (uint32_t)(memory->blocks_offset / BLOCK);
	memory->epoch = 1;
	memory->owners.arena = slot;
	__atomic_store_n(&owner_process->token[slot], 0, __ATOMIC_RELEASE);
	owner_join(&memory->owners);
	__atomic_store_n(&memory->magic, MEMORY_MAGIC, __ATOMIC_RELEASE);
	return memory;
}

void memory_free(struct memory *memory)
{
	uint32_t slot;

	if (!memory)
		return;
	slot = memory->owners.arena;
	for (uint32_t i = 0; i < OWNER_THREADS; i++) {
		struct owner_thread *thread = &owner_process->thread[i];

		if ((thread->key & (OWNER_ARENAS - 1)) == slot)
			thread->held = NULL;
	}
	munmap(memory->base, memory->size);
	__atomic_store_n(&owner_process->token[slot], 0, __ATOMIC_RELEASE);
	__atomic_fetch_and(&slots_used, ~(1u << slot), __ATOMIC_ACQ_REL);
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
