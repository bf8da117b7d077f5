/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hash.c - hash tables: plain, per-CPU, and the chains of the LRU ones. [runtime]
 *
 * Readers walk a bucket's chain without a lock. Writers of a bucket exclude each
 * other by its owner word. Each change is one store to the chain: a new element
 * becomes the head, a replacement takes the old one's place, a deleted one is
 * passed over; so a chain is right whenever its writer dies.
 *
 * Elements are used again at once, as in Linux, with BPF_F_NO_PREALLOC too:
 * memory of elements never used is not touched and so not there, which is what
 * that flag is for.
 */
#include "map/hash.h"

#include <errno.h>

#include "map/special.h"

/* --- walking --- */

static inline struct hash_elem *hash_find_sized(const struct hash *hash, const void *key,
						uint32_t size, uint32_t h)
{
	const struct hash_bucket *bucket = &hash->buckets[h & hash->mask];
	uint32_t key_off = hash->key_off, ref, changes;

	for (;;) {
		changes = __atomic_load_n(&bucket->changes, __ATOMIC_ACQUIRE);
		ref = __atomic_load_n(&bucket->head, __ATOMIC_ACQUIRE);
		while (ref != 0 && !(ref & HASH_END)) {
			struct hash_elem *elem = hash_at(hash, ref);

			if (elem->hash == h && key_equal((char *)elem + key_off, key, size))
				return elem;
			ref = __atomic_load_n(&elem->next, __ATOMIC_ACQUIRE);
		}
		/* The end of another chain, or of one that changed under us, proves nothing. */
		if (__builtin_expect((ref == 0 || ref == (HASH_END | (h & hash->mask))) &&
				     changes == __atomic_load_n(&bucket->changes, __ATOMIC_ACQUIRE), 1))
			return NULL;
	}
}

static inline struct hash_elem *hash_find(const struct map *map, const void *key)
{
	const struct hash *hash = map->impl;
	uint32_t size = map->key_size;

	switch (size) {
	case 4:
		return hash_find_sized(hash, key, 4, key_hash(key, 4, &hash->seed));
	case 8:
		return hash_find_sized(hash, key, 8, key_hash(key, 8, &hash->seed));
	case 16:
		return hash_find_sized(hash, key, 16, key_hash(key, 16, &hash->seed));
	default:
		return hash_find_sized(hash, key, size, key_hash(key, size, &hash->seed));
	}
}

/* The word that points to the key's element, whose bucket's lock we hold. */
static uint32_t *hash_link(struct hash *hash, const void *key, uint32_t size, uint32_t h)
{
	uint32_t *link = &hash->buckets[h & hash->mask].head;

	while (*link != 0 && !(*link & HASH_END)) {
		struct hash_elem *elem = hash_at(hash, *link);

		if (elem->hash == h && key_equal(hash_elem_key(hash, elem), key, size))
			return link;
		link = &elem->next;
	}
	return NULL;
}

uint32_t *hash_link_to(struct hash *hash, struct hash_elem *elem, uint32_t bucket)
{
	uint32_t *link = &hash->buckets[bucket].head, ref = hash_ref(hash, elem);

	while (*link != 0 && !(*link & HASH_END)) {
		if (*link == ref)
			return link;
		link = &hash_at(hash, *link)->next;
	}
	return NULL;
}

static uint64_t hash_self(const struct hash *hash, const struct vcpu *cpu)
{
	return cpu ? cpu->owner : owner_self(hash->owners);
}

static unsigned hash_cpu(const struct map *map, const struct vcpu *cpu)
{
	return cpu ? cpu->id : vcpu_current(map->vcpus);
}

static void *hash_value(const struct hash *hash, struct hash_elem *elem)
{
	return (char *)elem + hash->value_off;
}

/* Per-CPU: CPU 0's value. */
static char *hash_value_of(const struct hash *hash, struct hash_elem *elem, uint32_t cpu)
{
	char *first;

	memcpy(&first, (char *)elem + hash->value_off, sizeof(first));
	return first + cpu * hash->area;
}

/* --- creation --- */

int hash_check(const struct map_spec *spec, struct skep_diag *diag)
{
	const struct map_type *type = map_type(spec->type);
	bool lru = type->id == BPF_MAP_TYPE_LRU_HASH || type->id == BPF_MAP_TYPE_LRU_PERCPU_HASH;
	/* Linux allocates an element, with its own header, in one piece. */
	const uint64_t piece = (4u << 20) - 48;

	if (lru && (spec->flags & BPF_F_NO_PREALLOC)) {
		skep_report(diag, SKEP_MAP_ATTR, NULL, "map '%s': %s takes no BPF_F_NO_PREALLOC",
			    spec->name, type->name);
		return -ENOTSUPP;
	}
	if (!lru && (spec->flags & BPF_F_NO_COMMON_LRU))
		return skep_fail(diag, SKEP_MAP_ATTR, NULL,
				 "map '%s': BPF_F_NO_COMMON_LRU is for LRU maps", spec->name);
	if ((spec->flags & BPF_F_NO_COMMON_LRU) && (spec->flags & BPF_F_NUMA_NODE))
		return skep_fail(diag, SKEP_MAP_ATTR, NULL,
				 "map '%s': BPF_F_NO_COMMON_LRU takes no NUMA node", spec->name);
	if (spec->max_entries == 0 || spec->key_size == 0 || spec->value_size == 0)
		return skep_fail(diag, SKEP_MAP_ATTR, NULL,
				 "map '%s': max_entries, key_size and value_size must not be 0",
				 spec->name);
	if ((uint64_t)spec->key_size + spec->value_size >= piece)
		return skep_fail(diag, SKEP_MAP_SIZE, NULL, "map '%s': key and value take %llu bytes",
				 spec->name, (unsigned long long)spec->key_size + spec->value_size);
	if (type->per_cpu && spec->value_size > MAP_PER_CPU_VALUE_MAX)
		return skep_fail(diag, SKEP_MAP_SIZE, NULL,
				 "map '%s': a per-CPU value is at most 32 KiB", spec->name);
	if (spec->max_entries > 1u << 31)
		return skep_fail(diag, SKEP_MAP_SIZE, NULL, "map '%s': too many entries", spec->name);
	return 0;
}

static void hash_seed(struct hash *hash, uint32_t flags)
{
	uint64_t random[2] = { 0, 0 };

	if (!(flags & BPF_F_ZERO_SEED))
		sys_call3(SYS_getrandom, random, sizeof(random), 0);
	hash->seed.add = random[0] ^ 0x2d358dccaa6c78a5ull;
	hash->seed.multiply = (random[1] ^ 0x8bb84b93962eacc9ull) | 1;
}

int hash_init(struct map *map, const struct map_spec *spec)
{
	bool lru = spec->type == BPF_MAP_TYPE_LRU_HASH ||
		   spec->type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
	int error = hash_pool_init(map, lru);

	if (error < 0)
		return error;
	hash_seed(map->impl, spec->flags);
	return 0;
}

/* --- reading --- */

void *hash_lookup(struct map *map, const void *key, struct vcpu *cpu)
{
	struct hash_elem *elem = hash_find(map, key);

	(void)cpu;
	return elem ? hash_value(map->impl, elem) : NULL;
}

static void *hash_percpu_lookup(struct map *map, const void *key, struct vcpu *cpu)
{
	struct hash_elem *elem = hash_find(map, key);

	return elem ? hash_value_of(map->impl, elem, cpu ? cpu->id : 0) : NULL;
}

static void *hash_lookup_percpu(struct map *map, const void *key, uint32_t cpu)
{
	struct hash_elem *elem = cpu < map->cpus ? hash_find(map, key) : NULL;

	return elem ? hash_value_of(map->impl, elem, cpu) : NULL;
}

/* User space's lookups do not count as use: they would keep what it lists alive. */
static inline void lru_touch(struct hash_elem *elem)
{
	uint64_t *used = (uint64_t *)(void *)elem->data;
	uint64_t rounds = __atomic_load_n(used, __ATOMIC_RELAXED);

	if (rounds < LRU_ROUNDS)
		__atomic_store_n(used, rounds + 1, __ATOMIC_RELAXED);
}

static void *lru_lookup(struct map *map, const void *key, struct vcpu *cpu)
{
	struct hash_elem *elem = hash_find(map, key);

	if (!elem)
		return NULL;
	if (cpu)
		lru_touch(elem);
	return hash_value(map->impl, elem);
}

static void *lru_percpu_lookup(struct map *map, const void *key, struct vcpu *cpu)
{
	struct hash_elem *elem = hash_find(map, key);

	if (!elem)
		return NULL;
	if (cpu)
		lru_touch(elem);
	return hash_value_of(map->impl, elem, cpu ? cpu->id : 0);
}

/* --- writing --- */

/* A new element in our hands; the bucket is locked. */
static struct hash_elem *hash_take(struct map *map, uint64_t self, unsigned cpu, uint32_t bucket)
{
	struct hash *hash = map->impl;
	struct hash_elem *elem = hash_pool_take(hash, self, cpu);

	if (!elem) {
		hash_reclaim(hash, map->key_size, self, cpu);
		elem = hash_pool_take(hash, self, cpu);
	}
	if (!elem && hash->lru)
		elem = lru_evict(hash, self, cpu, bucket);
	return elem;
}

/* Every CPU's value: value on this CPU and zero on the others, or user space's. */
static void hash_fill_percpu(struct map *map, struct hash_elem *elem, const void *value,
			     const struct vcpu *cpu)
{
	struct hash *hash = map->impl;
	uint32_t index = (hash_ref(hash, elem) - 1) / hash->units;
	char *first = hash->values + (uint64_t)index * map->value_stride;

	memcpy((char *)elem + hash->value_off, &first, sizeof(first));
	for (uint32_t i = 0; i < map->cpus; i++) {
		char *at = first + i * hash->area;

		memset(at, 0, map->value_stride);
		if (cpu && cpu->id == i)
			memcpy(at, value, map->value_size);
	}
}

static int64_t hash_insert(struct map *map, const void *key, const void *value, uint32_t h,
			   uint64_t self, struct vcpu *cpu)
{
	struct hash *hash = map->impl;
	struct hash_bucket *bucket = &hash->buckets[h & hash->mask];
	struct hash_elem *elem = hash_take(map, self, hash_cpu(map, cpu), h & hash->mask);

	if (!elem)
		return hash->lru ? -ENOMEM : -E2BIG;
	key_copy(hash_elem_key(hash, elem), key, map->key_size);
	if (hash->values)
		hash_fill_percpu(map, elem, value, cpu);
	else
		special_fill(map, hash_value(hash, elem), value);
	if (hash->lru)
		memset(elem->data, 0, sizeof(uint64_t));
	__atomic_store_n(&elem->next, bucket->head ? bucket->head : HASH_END | (h & hash->mask),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&elem->hash, h, __ATOMIC_RELEASE);
	__atomic_store_n(&bucket->head, hash_ref(hash, elem), __ATOMIC_RELEASE);
	hash_set_tag(elem, HASH_LIVE);
	return 0;
}

/* Puts a new element in the place of the one link points to. */
static int64_t hash_replace(struct map *map, uint32_t *link, const void *value, uint32_t h,
			    uint64_t self, unsigned cpu)
{
	struct hash *hash = map->impl;
	struct hash_elem *old = hash_at(hash, *link);
	struct hash_list *list;
	struct hash_elem *elem = hash_pool_take_spare(hash, self, cpu, &list);

	if (!elem) {
		hash_reclaim(hash, map->key_size, self, cpu);
		elem = hash_pool_take_spare(hash, self, cpu, &list);
	}
	if (!elem)
		return -EBUSY; /* every spare is in the hands of some other thread */
	key_copy(hash_elem_key(hash, elem), hash_elem_key(hash, old), map->key_size);
	special_fill(map, hash_value(hash, elem), value);
	if (hash->lru)
		memcpy(elem->data, old->data, sizeof(uint64_t));
	__atomic_store_n(&elem->next, old->next, __ATOMIC_RELAXED);
	__atomic_store_n(&elem->hash, h, __ATOMIC_RELEASE);
	hash_set_tag(old, self);
	__atomic_store_n(link, hash_ref(hash, elem), __ATOMIC_RELEASE);
	hash_set_tag(elem, HASH_LIVE);
	hash_changed(&hash->buckets[h & hash->mask]);
	if (list)
		hash_pool_swap(hash, list, old);
	else
		hash_pool_put(hash, old, self, cpu);
	return 0;
}

/* The element exists: a per-CPU value, or one under its spin lock, is written
 * where it is; others are replaced. */
static int64_t hash_change(struct map *map, uint32_t *link, const void *value, uint64_t flags,
			   uint32_t h, uint64_t self, struct vcpu *cpu)
{
	struct hash *hash = map->impl;
	struct hash_elem *old = hash_at(hash, *link);

	if (hash->values) {
		if (cpu)
			memcpy(hash_value_of(hash, old, cpu->id), value, map->value_size);
		return 0;
	}
	if (flags & BPF_F_LOCK)
		return special_write_locked(map, hash_value(hash, old), value, cpu);
	return hash_replace(map, link, value, h, self, hash_cpu(map, cpu));
}

int64_t hash_update(struct map *map, const void *key, const void *value, uint64_t flags,
		    struct vcpu *cpu)
{
	struct hash *hash = map->impl;
	uint32_t h = key_hash(key, map->key_size, &hash->seed), *link;
	uint64_t self = hash_self(hash, cpu), how = flags & ~(uint64_t)BPF_F_LOCK;
	struct hash_bucket *bucket = &hash->buckets[h & hash->mask];
	int64_t result;

	if (how > BPF_EXIST || ((flags & BPF_F_LOCK) && !special_has_lock(map)))
		return -EINVAL;
	if (owner_lock(hash->owners, &bucket->lock, self) < 0)
		return -EBUSY;
	link = hash_link(hash, key, map->key_size, h);
	if (link && how == BPF_NOEXIST)
		result = -EEXIST;
	else if (!link && how == BPF_EXIST)
		result = -ENOENT;
	else if (link)
		result = hash_change(map, link, value, flags, h, self, cpu);
	else
		result = hash_insert(map, key, value, h, self, cpu);
	owner_unlock(&bucket->lock);
	return result;
}

int64_t hash_remove(struct map *map, const void *key, struct vcpu *cpu)
{
	struct hash *hash = map->impl;
	uint32_t h = key_hash(key, map->key_size, &hash->seed), *link;
	uint64_t self = hash_self(hash, cpu);
	struct hash_bucket *bucket = &hash->buckets[h & hash->mask];
	struct hash_elem *elem = NULL;

	if (owner_lock(hash->owners, &bucket->lock, self) < 0)
		return -EBUSY;
	link = hash_link(hash, key, map->key_size, h);
	if (link) {
		elem = hash_at(hash, *link);
		hash_set_tag(elem, self);
		__atomic_store_n(link, elem->next, __ATOMIC_RELEASE);
		hash_changed(bucket);
	}
	owner_unlock(&bucket->lock);
	if (!elem)
		return -ENOENT;
	hash_pool_put(hash, elem, self, hash_cpu(map, cpu));
	return 0;
}

/* --- user space: all CPUs' values at once --- */

static int hash_percpu_write(struct map *map, const void *key, const void *value, uint64_t flags)
{
	struct hash_elem *elem = hash_find(map, key);
	uint32_t cpu = (uint32_t)(flags >> 32);

	if (!elem)
		return -ENOENT; /* deleted since */
	for (uint32_t i = 0; i < map->cpus; i++) {
		const char *from = value;

		if ((flags & BPF_F_CPU) && i != cpu)
			continue;
		if (!(flags & (BPF_F_CPU | BPF_F_ALL_CPUS)))
			from += (size_t)i * map->value_stride;
		/* As Linux, with the padding, which a lookup gives back. */
		memcpy(hash_value_of(map->impl, elem, i), from,
		       flags & (BPF_F_CPU | BPF_F_ALL_CPUS) ? map->value_size : map->value_stride);
	}
	return 0;
}

static int hash_user_update_percpu(struct map *map, const void *key, const void *value,
				   uint64_t flags)
{
	uint64_t how = flags & 3;
	int64_t error;

	/* The element first, with zeroes if it is new; then the values. */
	do {
		error = hash_update(map, key, value, how, NULL);
		if (error < 0)
			return (int)error;
		error = hash_percpu_write(map, key, value, flags);
	} while (error == -ENOENT && how == BPF_ANY);
	return (int)error;
}

/* --- walking all --- */

/* The first element at or after a bucket. */
static struct hash_elem *hash_first(const struct hash *hash, uint64_t bucket)
{
	for (; bucket <= hash->mask; bucket++) {
		uint32_t ref = __atomic_load_n(&hash->buckets[bucket].head, __ATOMIC_ACQUIRE);

		if (ref != 0 && !(ref & HASH_END))
			return hash_at(hash, ref);
	}
	return NULL;
}

static struct hash_elem *hash_after(const struct hash *hash, const struct hash_elem *elem,
				    uint32_t h)
{
	uint32_t ref = __atomic_load_n(&elem->next, __ATOMIC_ACQUIRE);

	if (ref != 0 && !(ref & HASH_END))
		return hash_at(hash, ref);
	return hash_first(hash, (uint64_t)(h & hash->mask) + 1);
}

int hash_next_key(struct map *map, const void *key, void *next)
{
	const struct hash *hash = map->impl;
	struct hash_elem *elem = key ? hash_find(map, key) : NULL;

	if (elem)
		elem = hash_after(hash, elem, key_hash(key, map->key_size, &hash->seed));
	else
		elem = hash_first(hash, 0);
	if (!elem)
		return -ENOENT;
	memcpy(next, hash_elem_key(hash, elem), map->key_size);
	return 0;
}

static int64_t hash_each(struct map *map, map_each_fn *fn, void *arg, struct vcpu *cpu)
{
	struct hash *hash = map->impl;
	int64_t calls = 0;

	for (uint64_t bucket = 0; bucket <= hash->mask; bucket++) {
		uint32_t ref = __atomic_load_n(&hash->buckets[bucket].head, __ATOMIC_ACQUIRE);

		while (ref != 0 && !(ref & HASH_END)) {
			struct hash_elem *elem = hash_at(hash, ref);
			void *value = hash->values
					      ? (void *)hash_value_of(hash, elem, cpu ? cpu->id : 0)
					      : hash_value(hash, elem);

			/* fn may delete the element, which then moves to another chain. */
			ref = __atomic_load_n(&elem->next, __ATOMIC_ACQUIRE);
			calls++;
			if (fn(arg, map, hash_elem_key(hash, elem), value) != 0)
				return calls;
		}
	}
	return calls;
}

#define HASH_FLAGS (BPF_F_NO_PREALLOC | BPF_F_NO_COMMON_LRU | BPF_F_NUMA_NODE | MAP_ACCESS_FLAGS | \
		    BPF_F_ZERO_SEED)

const struct map_type map_hash = {
	.id = BPF_MAP_TYPE_HASH,
	.name = "hash",
	.doc = "Values under keys of any bytes.",
	.flags = HASH_FLAGS,
	.takes = true,
	.check = hash_check,
	.init = hash_init,
	.done = hash_pool_done,
	.lookup = hash_lookup,
	.update = hash_update,
	.remove = hash_remove,
	.each = hash_each,
	.next_key = hash_next_key,
};

const struct map_type map_percpu_hash = {
	.id = BPF_MAP_TYPE_PERCPU_HASH,
	.name = "percpu_hash",
	.doc = "Values under keys of any bytes, one for each virtual CPU.",
	.flags = HASH_FLAGS,
	.per_cpu = true,
	.takes = true,
	.check = hash_check,
	.init = hash_init,
	.done = hash_pool_done,
	.lookup = hash_percpu_lookup,
	.lookup_percpu = hash_lookup_percpu,
	.update = hash_update,
	.remove = hash_remove,
	.each = hash_each,
	.user_update = hash_user_update_percpu,
	.next_key = hash_next_key,
};

const struct map_type map_lru_hash = {
	.id = BPF_MAP_TYPE_LRU_HASH,
	.needs = NEEDS_BPF,
	.name = "lru_hash",
	.doc = "A hash that makes room by forgetting what was not used for long.",
	.flags = HASH_FLAGS,
	.takes = true,
	.check = hash_check,
	.init = hash_init,
	.done = hash_pool_done,
	.lookup = lru_lookup,
	.update = hash_update,
	.remove = hash_remove,
	.each = hash_each,
	.next_key = hash_next_key,
};

const struct map_type map_lru_percpu_hash = {
	.id = BPF_MAP_TYPE_LRU_PERCPU_HASH,
	.needs = NEEDS_BPF,
	.name = "lru_percpu_hash",
	.doc = "An LRU hash with a value for each virtual CPU.",
	.flags = HASH_FLAGS,
	.per_cpu = true,
	.takes = true,
	.check = hash_check,
	.init = hash_init,
	.done = hash_pool_done,
	.lookup = lru_percpu_lookup,
	.lookup_percpu = hash_lookup_percpu,
	.update = hash_update,
	.remove = hash_remove,
	.each = hash_each,
	.user_update = hash_user_update_percpu,
	.next_key = hash_next_key,
};
