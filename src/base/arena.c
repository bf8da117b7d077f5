/* SPDX-License-Identifier: BSD-2-Clause */
/* arena.c - memory of one phase: handed out in order, freed at once. */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

/*
 *   | next | size | bytes ... |
 * The newest block is first in the list; requests are cut from its front. Blocks grow with
 * what the arena holds, so that large arenas are made of few, and of huge pages.
 */
struct arena_block {
	struct arena_block *next;
	size_t size, used;
	_Alignas(16) unsigned char bytes[];
};

enum { ARENA_BLOCK = 64 * 1024, ARENA_BLOCK_MAX = 8 << 20, HUGE_PAGE = 2 << 20 };

/* Its inner pages may be huge: fewer faults. Where the system will not, nothing is lost. */
static void advise_huge(void *start, size_t size)
{
	uintptr_t first = ((uintptr_t)start + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
	uintptr_t end = ((uintptr_t)start + size) & ~(uintptr_t)(HUGE_PAGE - 1);

	if (first < end)
		madvise((void *)first, end - first, MADV_HUGEPAGE);
}

static struct arena_block *arena_grow(struct arena *arena, size_t size)
{
	size_t share = MIN(arena->used / 4, (size_t)ARENA_BLOCK_MAX);
	size_t room = MAX(size, MAX(share, (size_t)ARENA_BLOCK));
	struct arena_block *block;

	if (room > SIZE_MAX - sizeof(*block))
		return NULL;
	block = malloc(sizeof(*block) + room);
	if (!block)
		return NULL;
	if (room >= HUGE_PAGE)
		advise_huge(block, sizeof(*block) + room);
	block->size = room;
	block->used = 0;
	block->next = arena->blocks;
	arena->blocks = block;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->blocks;
	void *ptr;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + 15) & ~(size_t)15;
	if (arena->limit && size > arena->limit - MIN(arena->used, arena->limit))
		return NULL;
	if (!block || block->size - block->used < size)
		block = arena_grow(arena, size);
	if (!block)
		return NULL;
	ptr = block->bytes + block->used;
	block->used += size;
	arena->used += size;
	return memset(ptr, 0, size);
}

char *arena_strdup(struct arena *arena, const char *string)
{
	size_t size = strlen(string) + 1;
	char *copy = arena_alloc(arena, size);

	return copy ? memcpy(copy, string, size) : NULL;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		return NULL;
	text = arena_alloc(arena, (size_t)len + 1);
	if (!text)
		return NULL;
	va_start(args, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, args);
	va_end(args);
	return text;
}

void arena_done(struct arena *arena)
{
	struct arena_block *block = arena->blocks;

	while (block) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
	*arena = (struct arena){ .limit = arena->limit };
}
