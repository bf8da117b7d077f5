/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lpm_nodes.c - see lpm_trie.h. [runtime]
 *
 * A node is free, fresh (never used, at the end of the last chunk), linked, or retired:
 * unlinked, and waiting for those who may read it. Which it is stands in lists that a dying
 * writer may leave in any state, so they are made anew from the one thing that is always
 * whole, the trie itself.
 */
#include "map/lpm_trie.h"

#include "base/base.h"
#include "map/memory.h"
#include "map/owner.h"

enum {
	CHUNK_HEAD = 64, CHUNK_MIN = 4096, CHUNK_DOUBLINGS = 8, /* up to 1 MiB */
};

/* --- chunks --- */

/* Nodes of the n-th chunk. */
static uint32_t chunk_nodes(const struct trie *trie, uint32_t n)
{
	uint32_t bytes = (uint32_t)CHUNK_MIN << MIN(n, CHUNK_DOUBLINGS);

	return MAX((bytes - CHUNK_HEAD) / trie->stride, 1);
}

static size_t chunk_size(const struct trie *trie, uint32_t n)
{
	return CHUNK_HEAD + (size_t)chunk_nodes(trie, n) * trie->stride;
}

/* The reference to the i-th node of a chunk. */
static uint32_t trie_ref(const struct trie *trie, const struct trie_chunk *chunk, uint32_t i)
{
	const char *node = (const char *)chunk + CHUNK_HEAD + (size_t)i * trie->stride;

	return (uint32_t)((size_t)(node - trie->base) >> 4);
}

void trie_free_nodes(struct trie *trie)
{
	for (struct trie_chunk *chunk = trie->first, *next; chunk; chunk = next) {
		next = chunk->next;
		memory_release(trie->memory, chunk, 0);
	}
}

/* --- lists --- */

void trie_retire(struct trie *trie, uint32_t ref)
{
	struct trie_node *node = trie_at(trie, ref);

	node->link = 0;
	node->epoch = memory_epoch_next(trie->memory);
	if (trie->retired_last != 0)
		trie_at(trie, trie->retired_last)->link = ref;
	else
		trie->retired = ref;
	trie->retired_last = ref;
}

/* Those that the walk has not met are unlinked; the last chunk's end is as it ever was. */
static void trie_recover_chunks(struct trie *trie)
{
	struct trie_chunk *last = trie->last;

	trie->chunks = trie->made = 0;
	for (struct trie_chunk *chunk = trie->first; chunk; chunk = chunk->next) {
		uint32_t nodes = chunk_nodes(trie, trie->chunks++), used = nodes;

		if (!chunk->next) {
			trie->fresh = used = chunk == last ? trie->fresh : 0;
			trie->last = chunk;
		}
		trie->made += nodes;
		for (uint32_t i = 0; i < used; i++)
			if (trie_at(trie, trie_ref(trie, chunk, i))->mark != trie->walk)
				trie_retire(trie, trie_ref(trie, chunk, i));
	}
}

/* A dead writer may have left anything but the trie itself in disorder. */
static void trie_recover(struct trie *trie)
{
	uint32_t walk = ++trie->walk, entries = 0, at = trie->root, up = 0;

	trie->free = trie->retired = trie->retired_last = 0;
	/* Down and up again without a stack: link leads back to the parent. */
	while (at != 0) {
		struct trie_node *node = trie_at(trie, at);
		uint32_t next;

		if (node->mark != walk) {
			node->mark = walk;
			node->link = up;
			entries += !node->joins;
		}
		next = node->child[0];
		if (next == 0 || trie_at(trie, next)->mark == walk)
			next = node->child[1];
		if (next != 0 && trie_at(trie, next)->mark != walk) {
			up = at;
			at = next;
		} else {
			at = node->link;
			up = at ? trie_at(trie, at)->link : 0;
		}
	}
	trie_recover_chunks(trie);
	trie->entries = entries;
}

/* A chunk is linked by the store that ends its making. */
static bool trie_grow(struct trie *trie)
{
	struct trie_chunk **slot = trie->last ? &trie->last->next : &trie->first, *chunk;
	uint32_t nodes = chunk_nodes(trie, trie->chunks);

	if (trie->made >= trie->nodes)
		return false;
	chunk = memory_alloc_into(trie->memory, chunk_size(trie, trie->chunks), 64, (void **)slot);
	if (!chunk)
		return false;
	if (((size_t)((char *)chunk - trie->base) + chunk_size(trie, trie->chunks)) >> 4 > UINT32_MAX) {
		__atomic_store_n(slot, NULL, __ATOMIC_RELEASE);
		memory_release(trie->memory, chunk, 0);
		return false;
	}
	trie->last = chunk;
	trie->chunks++;
	trie->made += nodes;
	trie->fresh = 0;
	return true;
}

uint32_t trie_take(struct trie *trie)
{
	uint32_t ref = trie->free;

	if (ref != 0) {
		trie->free = trie_at(trie, ref)->link;
	} else if (trie->retired != 0 &&
		   memory_epoch_passed(trie->memory, trie_at(trie, trie->retired)->epoch)) {
		ref = trie->retired;
		trie->retired = trie_at(trie, ref)->link;
		if (trie->retired == 0)
			trie->retired_last = 0;
	} else if ((trie->last && trie->fresh < chunk_nodes(trie, trie->chunks - 1)) ||
		   trie_grow(trie)) {
		/* Nobody met it yet: mark is older than any walk. */
		ref = trie_ref(trie, trie->last, trie->fresh);
		trie_store(&trie->fresh, trie->fresh + 1);
	}
	return ref;
}

void trie_put(struct trie *trie, uint32_t ref)
{
	if (ref == 0)
		return;
	trie_at(trie, ref)->link = trie->free;
	trie->free = ref;
}

bool trie_lock(struct trie *trie)
{
	int taken = owner_lock(trie->owners, &trie->lock, owner_self(trie->owners));

	if (taken > 0)
		trie_recover(trie);
	return taken >= 0;
}
