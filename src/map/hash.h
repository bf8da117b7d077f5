/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash.h - what the hash types share: buckets, elements, lists of free ones. [runtime]
 *
 * Elements lie in one array and name each other by reference: the distance from
 * the array's start in units of 16 bytes, never 0. A chain ends in HASH_END |
 * its bucket, so that a reader whose element was moved to another chain under
 * it notices and starts again. An element's tag says where it belongs:
 *
 *   0             never used: at or past its list's fresh
 *   HASH_FREE     on a free list
 *   HASH_LIVE     reachable from its bucket
 *   HASH_SPARE    a list's spare: what the next replacement is written to
 *   HASH_ORPHAN   free, but found no list to go to; hash_reclaim() sees to it
 *   owner word    in that owner's hands. Once the owner is dead: live if
 *                 reachable from its bucket, and free if not
 *
 * The tag is changed before an element leaves a place and after it has come to
 * one, so whatever instant an owner dies at, its tag tells. hash_reclaim()
 * finds such elements when free ones run out.
 */
#ifndef MAP_HASH_H
#define MAP_HASH_H

#include "map/key.h"
#include "map/map.h"
#include "map/owner.h"

enum { HASH_FREE = 1, HASH_LIVE = 2, HASH_SPARE = 3, HASH_ORPHAN = 4 };

#define HASH_END 0x80000000u

struct hash_elem {
	uint32_t next;  /* in the bucket; kept when the element is freed, for readers on it */
	uint32_t hash;  /* HASH_FREE: the next free element, or 0 */
	uint64_t tag;
	uint8_t data[]; /* [LRU: used, 8 bytes] key, value or pointer to CPU 0's */
};

struct hash_bucket {
	uint32_t head;    /* 0: nothing yet */
	uint32_t changes; /* elements taken out of the chain; see hash_changed() */
	uint64_t lock; /* an owner word: who changes the chain */
};

/* One for each virtual CPU, which uses it first; any other may take from it. */
struct hash_list {
	uint64_t lock;
	uint32_t head;
	uint32_t spare;
	uint32_t fresh, end; /* indices of its elements never used so far */
	uint32_t start;
	uint32_t hand;       /* LRU: where eviction goes on */
	uint64_t unused[4];
};

struct hash {
	char *elems;         /* reference 0; the first element is at reference 1 */
	struct hash_bucket *buckets;
	uint32_t mask;
	uint32_t units;      /* of 16 bytes in an element */
	uint32_t key_off, value_off; /* in struct hash_elem */
	struct key_seed seed;
	char *values;        /* per-CPU: CPU 0's values; the others' follow, area apart */
	uint64_t area;
	uint32_t total;      /* elements, spares included */
	uint32_t cpus;
	struct owner_table *owners;
	bool lru, own_lists; /* BPF_F_NO_COMMON_LRU: a CPU keeps to its own list */
	uint32_t hand;       /* LRU: where eviction goes on */
	uint64_t orphans;    /* elements ever made orphans */
	uint64_t reclaimed;  /* owners' deaths and orphans that hash_reclaim() saw to */
	uint64_t reclaim;    /* lock of hash_reclaim() */
	struct hash_list list[] __attribute__((aligned(64)));
};

static inline struct hash_elem *hash_at(const struct hash *hash, uint32_t ref)
{
	return (struct hash_elem *)(hash->elems + ((size_t)ref << 4));
}

static inline uint32_t hash_ref(const struct hash *hash, const struct hash_elem *elem)
{
	return (uint32_t)(((const char *)elem - hash->elems) >> 4);
}

static inline struct hash_elem *hash_index(const struct hash *hash, uint32_t index)
{
	return hash_at(hash, 1 + index * hash->units);
}

static inline void *hash_elem_key(const struct hash *hash, struct hash_elem *elem)
{
	return (char *)elem + hash->key_off;
}

static inline uint64_t hash_tag(const struct hash_elem *elem)
{
	return __atomic_load_n(&elem->tag, __ATOMIC_ACQUIRE);
}

static inline void hash_set_tag(struct hash_elem *elem, uint64_t tag)
{
	__atomic_store_n(&elem->tag, tag, __ATOMIC_RELEASE);
}

/*
 * The bucket's holder took an element out of the chain. Said before the element
 * is used again: it may come to another place in the same chain, and a reader
 * standing on it would then miss elements between. Such a reader sees the count
 * changed and starts again.
 */
static inline void hash_changed(struct hash_bucket *bucket)
{
	__atomic_store_n(&bucket->changes, bucket->changes + 1, __ATOMIC_RELEASE);
}

/* --- hash_pool.c --- */

/* Lays out elements and lists. -ENOMEM, -E2BIG. */
int hash_pool_init(struct map *map, bool lru);
void hash_pool_done(struct map *map);
/* An element in self's hands; NULL: all are in use. */
struct hash_elem *hash_pool_take(struct hash *hash, uint64_t self, unsigned cpu);
/*
 * For a replacement: a spare in self's hands. *list is NULL, or a list that stays
 * locked until hash_pool_swap() makes the element that was replaced its spare.
 */
struct hash_elem *hash_pool_take_spare(struct hash *hash, uint64_t self, unsigned cpu,
				       struct hash_list **list);
void hash_pool_swap(struct hash *hash, struct hash_list *list, struct hash_elem *old);
/* Gives back what is in self's hands and unreachable. */
void hash_pool_put(struct hash *hash, struct hash_elem *elem, uint64_t self, unsigned cpu);
/* Puts right what dead owners had in their hands, if any died since last time. */
void hash_reclaim(struct hash *hash, uint32_t key_size, uint64_t self, unsigned cpu);

/* --- hash.c --- */

/* The word that points to elem in its bucket's chain; NULL if unreachable.
 * The caller holds the bucket's lock. */
uint32_t *hash_link_to(struct hash *hash, struct hash_elem *elem, uint32_t bucket);
int hash_check(const struct map_spec *spec, struct skep_diag *diag);
/* Operations of a plain hash, for other types that are one. */
int hash_init(struct map *map, const struct map_spec *spec);
void *hash_lookup(struct map *map, const void *key, struct vcpu *cpu);
int64_t hash_update(struct map *map, const void *key, const void *value, uint64_t flags,
		    struct vcpu *cpu);
int64_t hash_remove(struct map *map, const void *key, struct vcpu *cpu);
int hash_next_key(struct map *map, const void *key, void *next);

/* --- lru.c --- */

enum { LRU_ROUNDS = 3 }; /* what `used` counts up to */

/* Takes the least recently used element, more or less, out of its bucket. The
 * caller holds the lock of the bucket held. NULL: none could be had. */
struct hash_elem *lru_evict(struct hash *hash, uint64_t self, unsigned cpu, uint32_t held);

#endif
