/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lru.c - choosing what an LRU hash forgets. [runtime]
 *
 * A clock: the hand goes round the elements and takes the first that nobody
 * looked up since its last visits. Each lookup gives an element another round,
 * LRU_ROUNDS at most. A new element is behind the hand, so everything else is
 * visited before it. With
 * BPF_F_NO_COMMON_LRU each virtual CPU has a hand and elements of its own.
 */
#include "map/hash.h"

#include <errno.h>

/* Takes the element out of its bucket if it is live and nobody changes that
 * bucket just now. */
static bool lru_take(struct hash *hash, struct hash_elem *elem, uint64_t self, uint32_t held)
{
	uint32_t bucket = __atomic_load_n(&elem->hash, __ATOMIC_ACQUIRE) & hash->mask, *link;
	bool taken = false;

	if (bucket != held && !owner_trylock(&hash->buckets[bucket].lock, self))
		return false;
	link = hash_tag(elem) == HASH_LIVE ? hash_link_to(hash, elem, bucket) : NULL;
	if (link) {
		hash_set_tag(elem, self);
		__atomic_store_n(link, elem->next, __ATOMIC_RELEASE);
		hash_changed(&hash->buckets[bucket]);
		taken = true;
	}
	if (bucket != held)
		owner_unlock(&hash->buckets[bucket].lock);
	return taken;
}

/* The hand goes over elements [start, end). */
static struct hash_elem *lru_sweep(struct hash *hash, uint32_t *hand, uint32_t start,
				   uint32_t end, uint64_t self, uint32_t held)
{
	/* After those rounds no mark is left, and one more may meet locked buckets. */
	for (uint64_t i = 0; i < (LRU_ROUNDS + 2ull) * (end - start); i++) {
		uint32_t turn = __atomic_fetch_add(hand, 1, __ATOMIC_RELAXED);
		struct hash_elem *elem = hash_index(hash, start + turn % (end - start));
		uint64_t *used = (uint64_t *)(void *)elem->data;
		uint64_t rounds = __atomic_load_n(used, __ATOMIC_RELAXED);

		if (hash_tag(elem) != HASH_LIVE)
			continue;
		if (rounds != 0)
			__atomic_store_n(used, rounds - 1, __ATOMIC_RELAXED);
		else if (lru_take(hash, elem, self, held))
			return elem;
	}
	return NULL;
}

struct hash_elem *lru_evict(struct hash *hash, uint64_t self, unsigned cpu, uint32_t held)
{
	struct hash_list *list = &hash->list[cpu];
	struct hash_elem *elem = NULL;

	/* A CPU's own elements may all be spares by now, and others its own. */
	if (hash->own_lists)
		elem = lru_sweep(hash, &list->hand, list->start, list->end, self, held);
	return elem ? elem : lru_sweep(hash, &hash->hand, 0, hash->total, self, held);
}
