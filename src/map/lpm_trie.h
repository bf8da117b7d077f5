/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lpm_trie.h - the nodes of a trie of prefixes. [runtime]
 *
 * Nodes lie in chunks, which come as they are needed: a trie for many entries takes
 * no more room than those it has.
 *
 *   trie ▸ chunk ▸ chunk ▸ ...       chunk: | next | node | node | ...
 *
 * Threads: any for reading; writers hold the trie's lock.
 */
#ifndef MAP_LPM_TRIE_H
#define MAP_LPM_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory;
struct owner_table;

struct trie_node {
	uint32_t child[2]; /* references: distance from trie->base in 16 bytes; 0: none */
	uint32_t prefix;   /* bits */
	uint32_t joins;    /* no value here */
	uint32_t link;     /* on the free or retired list */
	uint32_t mark;     /* the last walk that met it */
	uint64_t epoch;    /* retired in */
	uint8_t bytes[];   /* data, padded to 8; value */
};

/* The n-th has so many bytes that its number alone says how many nodes. */
struct trie_chunk {
	struct trie_chunk *next;
};

struct trie {
	uint64_t lock;     /* an owner word */
	uint32_t root;
	uint32_t entries;
	uint32_t free;     /* list of nodes to use */
	uint32_t retired, retired_last; /* queue, oldest first */
	uint32_t fresh;    /* nodes ever used of the last chunk */
	uint32_t nodes;    /* there may be */
	uint32_t made;     /* in all chunks */
	uint32_t chunks;
	uint32_t walk;     /* number of the last walk */
	uint32_t data;     /* bytes of a key's data */
	uint32_t value_off, stride;
	struct memory *memory;
	struct owner_table *owners;
	struct trie_chunk *first, *last;
	char *base;        /* of the arena, of which references name the first 64 GiB */
};

static inline struct trie_node *trie_at(const struct trie *trie, uint32_t ref)
{
	return (struct trie_node *)(void *)(trie->base + ((size_t)ref << 4));
}

static inline uint32_t trie_load(const uint32_t *ref)
{
	return __atomic_load_n(ref, __ATOMIC_ACQUIRE);
}

static inline void trie_store(uint32_t *ref, uint32_t value)
{
	__atomic_store_n(ref, value, __ATOMIC_RELEASE);
}

/* --- the lock is held --- */

/* False: somebody keeps it. Who takes it over from a dead writer sees to the nodes. */
bool trie_lock(struct trie *trie);
/* The reference to a node that nobody reads; 0: there is none. */
uint32_t trie_take(struct trie *trie);
/* Gives one back that nobody has seen; 0 is accepted. */
void trie_put(struct trie *trie, uint32_t ref);
/* Gives one back that has been unlinked: it is used again when no program can read it. */
void trie_retire(struct trie *trie, uint32_t ref);

/* All of them, with the trie. */
void trie_free_nodes(struct trie *trie);

#endif
