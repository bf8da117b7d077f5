/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash_pool.c - the elements of a hash map that are not in its buckets. [runtime]
 *
 * Each list's lock guards its free chain, its spare and its fresh index, and is
 * held for a few instructions, never while waiting. There are max_entries
 * elements and one spare a list: a replacement is written to a spare, and the
 * element it replaces becomes the spare, so replacing works in a full map.
 */
#include "map/hash.h"

#include <errno.h>

/* --- laying out --- */

static void hash_pool_lay_out(struct hash *hash, uint32_t spares, uint32_t max_entries)
{
	uint32_t at = spares;

	for (uint32_t i = 0; i < hash->cpus; i++) {
		struct hash_list *list = &hash->list[i];
		uint64_t share = ((uint64_t)max_entries * (i + 1)) / hash->cpus;

		list->start = list->fresh = at;
		list->end = at = spares + (uint32_t)share;
		if (spares == 0)
			continue;
		hash_set_tag(hash_index(hash, i), HASH_SPARE);
		list->spare = hash_ref(hash, hash_index(hash, i));
	}
}

int hash_pool_init(struct map *map, bool lru)
{
	bool per_cpu = map_type(map->type_id)->per_cpu;
	uint32_t spares = per_cpu ? 0 : map->cpus, buckets = 1;
	size_t size = sizeof(struct hash) + map->cpus * sizeof(struct hash_list);
	struct hash *hash = memory_alloc(map->memory, size, 64);
	uint64_t value = per_cpu ? 8 : map->value_stride, units;

	map->impl = hash;
	if (!hash)
		return -ENOMEM;
	hash->owners = memory_owners(map->memory);
	hash->lru = lru;
	hash->own_lists = map->flags & BPF_F_NO_COMMON_LRU;
	if (hash->own_lists) /* each CPU the same number, and at least one */
		map->max_entries = (map->max_entries + map->cpus - 1) / map->cpus * map->cpus;
	while (buckets < map->max_entries && buckets < 1u << 30)
		buckets <<= 1;
	hash->mask = buckets - 1;
	hash->cpus = map->cpus;
	hash->key_off = (uint32_t)sizeof(struct hash_elem) + (lru ? 8 : 0);
	hash->value_off = hash->key_off + ((map->key_size + 7) & ~7u);
	hash->total = map->max_entries + spares;
	units = (hash->value_off + value + 15) / 16;
	hash->units = (uint32_t)units;
	if (hash->total < spares || 1 + units * hash->total >= HASH_END)
		return -ENOMEM; /* more than references can name */
	hash->buckets = memory_alloc(map->memory, (size_t)buckets * sizeof(*hash->buckets), 64);
	hash->elems = memory_alloc(map->memory, 16 * (1 + units * hash->total), 64);
	if (!hash->buckets || !hash->elems)
		return -ENOMEM;
	if (per_cpu) {
		hash->area = ((uint64_t)hash->total * map->value_stride + 4095) & ~4095ull;
		hash->values = memory_alloc(map->memory, hash->area * map->cpus, 4096);
		if (!hash->values)
			return -ENOMEM;
	}
	hash_pool_lay_out(hash, spares, map->max_entries);
	return 0;
}

void hash_pool_done(struct map *map)
{
	struct hash *hash = map->impl;

	if (!hash)
		return;
	memory_release(map->memory, hash->values, 0);
	memory_release(map->memory, hash->elems, 0);
	memory_release(map->memory, hash->buckets, 0);
	memory_release(map->memory, hash, 0);
	map->impl = NULL;
}

/* --- locking a list --- */

/* Finishes what a dead holder began: no place of a list may name an element
 * that is in someone's hands. */
static void list_settle(struct hash *hash, struct hash_list *list)
{
	while (list->head != 0 && hash_tag(hash_at(hash, list->head)) != HASH_FREE)
		__atomic_store_n(&list->head, hash_at(hash, list->head)->hash, __ATOMIC_RELEASE);
	while (list->fresh < list->end && hash_tag(hash_index(hash, list->fresh)) != 0)
		__atomic_store_n(&list->fresh, list->fresh + 1, __ATOMIC_RELEASE);
	if (list->spare != 0 && hash_tag(hash_at(hash, list->spare)) != HASH_SPARE)
		__atomic_store_n(&list->spare, 0, __ATOMIC_RELEASE);
}

/* False: held by ourselves, which means that a signal interrupted us there, or
 * by someone stopped. */
static bool list_lock(struct hash *hash, struct hash_list *list, uint64_t self)
{
	int taken = owner_lock(hash->owners, &list->lock, self);

	if (taken > 0)
		list_settle(hash, list);
	return taken >= 0;
}

static struct hash_list *list_near(struct hash *hash, unsigned cpu, uint32_t i)
{
	return &hash->list[cpu + i < hash->cpus ? cpu + i : cpu + i - hash->cpus];
}

/* --- taking --- */

static struct hash_elem *list_pop(struct hash *hash, struct hash_list *list, uint64_t self)
{
	struct hash_elem *elem = NULL;

	if (list->head != 0) {
		elem = hash_at(hash, list->head);
		hash_set_tag(elem, self);
		__atomic_store_n(&list->head, elem->hash, __ATOMIC_RELEASE);
	} else if (list->fresh < list->end) {
		elem = hash_index(hash, list->fresh);
		hash_set_tag(elem, self);
		__atomic_store_n(&list->fresh, list->fresh + 1, __ATOMIC_RELEASE);
	}
	return elem;
}

static bool list_has(const struct hash_list *list)
{
	return __atomic_load_n(&list->head, __ATOMIC_RELAXED) != 0 ||
	       __atomic_load_n(&list->fresh, __ATOMIC_RELAXED) < list->end;
}

struct hash_elem *hash_pool_take(struct hash *hash, uint64_t self, unsigned cpu)
{
	uint32_t lists = hash->own_lists ? 1 : hash->cpus;

	for (uint32_t i = 0; i < lists; i++) {
		struct hash_list *list = list_near(hash, cpu, i);
		struct hash_elem *elem;

		if (!list_has(list) || !list_lock(hash, list, self))
			continue;
		elem = list_pop(hash, list, self);
		owner_unlock(&list->lock);
		if (elem)
			return elem;
	}
	return NULL;
}

struct hash_elem *hash_pool_take_spare(struct hash *hash, uint64_t self, unsigned cpu,
				       struct hash_list **locked)
{
	for (uint32_t i = 0; i < hash->cpus; i++) {
		struct hash_list *list = list_near(hash, cpu, i);

		if (__atomic_load_n(&list->spare, __ATOMIC_RELAXED) == 0 ||
		    !list_lock(hash, list, self))
			continue;
		if (list->spare != 0) {
			struct hash_elem *elem = hash_at(hash, list->spare);

			hash_set_tag(elem, self);
			*locked = list;
			return elem;
		}
		owner_unlock(&list->lock);
	}
	*locked = NULL;
	return hash_pool_take(hash, self, cpu);
}

/* Dying before this leaves a spare that is not tagged as one: list_settle(). */
void hash_pool_swap(struct hash *hash, struct hash_list *list, struct hash_elem *old)
{
	__atomic_store_n(&list->spare, hash_ref(hash, old), __ATOMIC_RELEASE);
	hash_set_tag(old, HASH_SPARE);
	owner_unlock(&list->lock);
}

/* --- giving back: first the place, then the tag --- */

static void list_push(struct hash *hash, struct hash_list *list, struct hash_elem *elem)
{
	__atomic_store_n(&elem->hash, list->head, __ATOMIC_RELEASE);
	__atomic_store_n(&list->head, hash_ref(hash, elem), __ATOMIC_RELEASE);
	hash_set_tag(elem, HASH_FREE);
}

static bool list_fill_spare(struct hash *hash, struct hash_list *list, struct hash_elem *elem)
{
	if (list->spare != 0)
		return false;
	__atomic_store_n(&list->spare, hash_ref(hash, elem), __ATOMIC_RELEASE);
	hash_set_tag(elem, HASH_SPARE);
	return true;
}

/* Which list an element must go back to: with own lists, the one it is from. */
static unsigned hash_home(const struct hash *hash, struct hash_elem *elem, unsigned cpu)
{
	uint32_t index = (hash_ref(hash, elem) - 1) / hash->units;

	if (!hash->own_lists)
		return cpu;
	for (uint32_t i = 0; i < hash->cpus; i++)
		if (index >= hash->list[i].start && index < hash->list[i].end)
			return i;
	return cpu; /* a spare's first place */
}

void hash_pool_put(struct hash *hash, struct hash_elem *elem, uint64_t self, unsigned cpu)
{
	unsigned home = hash_home(hash, elem, cpu);

	/* A missing spare comes first: without it, replacing in a full map fails. */
	for (uint32_t i = 0; !hash->values && i < hash->cpus; i++) {
		struct hash_list *list = list_near(hash, home, i);
		bool filled;

		if (__atomic_load_n(&list->spare, __ATOMIC_RELAXED) != 0 ||
		    !list_lock(hash, list, self))
			continue;
		filled = list_fill_spare(hash, list, elem);
		owner_unlock(&list->lock);
		if (filled)
			return;
	}
	for (uint32_t i = 0; i < hash->cpus; i++) {
		struct hash_list *list = list_near(hash, home, i);

		if (!list_lock(hash, list, self))
			continue;
		list_push(hash, list, elem);
		owner_unlock(&list->lock);
		return;
	}
	hash_set_tag(elem, HASH_ORPHAN);
	__atomic_fetch_add(&hash->orphans, 1, __ATOMIC_ACQ_REL);
}

/* --- after the dead --- */

static bool tag_is_lost(struct hash *hash, uint64_t tag)
{
	return tag == HASH_ORPHAN || (tag > HASH_ORPHAN && owner_dead(hash->owners, tag));
}

/* Takes over the lists that dead owners died in, so that none of them names an
 * element that is about to go to another. */
static void hash_settle_lists(struct hash *hash, uint64_t self)
{
	for (uint32_t i = 0; i < hash->cpus; i++) {
		struct hash_list *list = &hash->list[i];
		uint64_t holder = __atomic_load_n(&list->lock, __ATOMIC_ACQUIRE);

		if (owner_dead(hash->owners, holder) && list_lock(hash, list, self))
			owner_unlock(&list->lock);
	}
}

/* One lost element. False: its bucket is being changed, so not now. */
static bool hash_reclaim_one(struct hash *hash, struct hash_elem *elem, uint64_t lost,
			     uint32_t key_size, uint64_t self, unsigned cpu)
{
	uint32_t bucket = key_hash(hash_elem_key(hash, elem), key_size, &hash->seed) & hash->mask;
	uint64_t *lock = &hash->buckets[bucket].lock;
	uint64_t seen = __atomic_load_n(lock, __ATOMIC_RELAXED);
	bool held = seen == self, ours = false;

	if (!held && !owner_trylock(lock, self) &&
	    !(owner_dead(hash->owners, seen) &&
	      __atomic_compare_exchange_n(lock, &seen, self, false, __ATOMIC_ACQUIRE,
					  __ATOMIC_RELAXED)))
		return false;
	if (hash_tag(elem) == lost) {
		ours = !hash_link_to(hash, elem, bucket);
		if (ours) {
			hash_settle_lists(hash, self);
			hash_changed(&hash->buckets[bucket]); /* its owner may not have */
		}
		hash_set_tag(elem, ours ? self : HASH_LIVE);
	}
	if (!held)
		owner_unlock(lock);
	if (ours)
		hash_pool_put(hash, elem, self, cpu);
	return true;
}

void hash_reclaim(struct hash *hash, uint32_t key_size, uint64_t self, unsigned cpu)
{
	uint64_t lost = owner_reap(hash->owners) +
			__atomic_load_n(&hash->orphans, __ATOMIC_ACQUIRE);
	bool all = true;

	if (lost == __atomic_load_n(&hash->reclaimed, __ATOMIC_ACQUIRE) ||
	    owner_lock(hash->owners, &hash->reclaim, self) < 0)
		return;
	for (uint32_t i = 0; i < hash->total; i++) {
		struct hash_elem *elem = hash_index(hash, i);
		uint64_t tag = hash_tag(elem);

		if (tag > HASH_SPARE && tag_is_lost(hash, tag))
			all &= hash_reclaim_one(hash, elem, tag, key_size, self, cpu);
	}
	if (all)
		__atomic_store_n(&hash->reclaimed, lost, __ATOMIC_RELEASE);
	owner_unlock(&hash->reclaim);
}
