/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bloom_filter.c - whether a value was perhaps added. [runtime]
 *
 * Each value sets a few bits of a field that is a power of two wide; a value all
 * of whose bits are set was perhaps added, any other was not.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "map/map.h"
#include "map/sys.h"

struct bloom {
	uint64_t *bits;
	uint64_t seed;
	uint32_t mask;   /* of a bit's number */
	uint32_t hashes;
};

static int bloom_check(const struct map_spec *spec, struct skep_diag *diag)
{
	if (spec->value_size > 4u << 20)
		return skep_fail(diag, SKEP_MAP_SIZE, NULL, "map '%s': a value of %u bytes",
				 spec->name, spec->value_size);
	if (spec->key_size != 0 || spec->value_size == 0 || spec->max_entries == 0 ||
	    (spec->extra & ~15ull))
		return skep_fail(diag, SKEP_MAP_ATTR, NULL,
				 "map '%s': key_size must be 0, value_size and max_entries not, "
				 "map_extra at most 15",
				 spec->name);
	return 0;
}

static int bloom_init(struct map *map, const struct map_spec *spec)
{
	struct bloom *bloom = memory_alloc(map->memory, sizeof(*bloom), 64);
	uint64_t want, bits = 64;

	map->impl = bloom;
	if (!bloom)
		return -ENOMEM;
	bloom->hashes = spec->extra ? (uint32_t)spec->extra : 5;
	/* hashes / ln 2, in integers: few false answers at max_entries values. */
	want = (uint64_t)spec->max_entries * bloom->hashes / 5 * 7;
	while (bits < want && bits < 1ull << 32)
		bits <<= 1;
	bloom->mask = (uint32_t)(bits - 1);
	bloom->bits = memory_alloc(map->memory, bits / 8, 64);
	if (!(spec->flags & BPF_F_ZERO_SEED))
		sys_call3(SYS_getrandom, &bloom->seed, sizeof(bloom->seed), 0);
	return bloom->bits ? 0 : -ENOMEM;
}

static void bloom_done(struct map *map)
{
	struct bloom *bloom = map->impl;

	if (!bloom)
		return;
	memory_release(map->memory, bloom->bits, 0);
	memory_release(map->memory, bloom, 0);
	map->impl = NULL;
}

static uint32_t bloom_bit(const struct map *map, const void *value, uint32_t i)
{
	const struct bloom *bloom = map->impl;

	return (uint32_t)hash_bytes(value, map->value_size, bloom->seed + i) & bloom->mask;
}

static int64_t bloom_push(struct map *map, const void *value, uint64_t flags)
{
	struct bloom *bloom = map->impl;

	if (flags != BPF_ANY)
		return -EINVAL;
	for (uint32_t i = 0; i < bloom->hashes; i++) {
		uint32_t bit = bloom_bit(map, value, i);

		__atomic_fetch_or(&bloom->bits[bit / 64], 1ull << bit % 64, __ATOMIC_RELAXED);
	}
	return 0;
}

static int64_t bloom_peek(struct map *map, void *value)
{
	struct bloom *bloom = map->impl;

	for (uint32_t i = 0; i < bloom->hashes; i++) {
		uint32_t bit = bloom_bit(map, value, i);

		if (!(__atomic_load_n(&bloom->bits[bit / 64], __ATOMIC_RELAXED) >> bit % 64 & 1))
			return -ENOENT;
	}
	return 0;
}

/* User space passes the value to look for in value. */
static int bloom_user_lookup(struct map *map, const void *key, void *value, uint64_t flags)
{
	(void)flags;
	return key ? -EINVAL : (int)bloom_peek(map, value);
}

static int bloom_user_update(struct map *map, const void *key, const void *value, uint64_t flags)
{
	return key ? -EINVAL : (int)bloom_push(map, value, flags);
}

static int bloom_user_remove(struct map *map, const void *key)
{
	(void)map, (void)key;
	return -EOPNOTSUPP;
}

static int bloom_next_key(struct map *map, const void *key, void *next)
{
	(void)map, (void)key, (void)next;
	return -EOPNOTSUPP;
}

const struct map_type map_bloom_filter = {
	.id = BPF_MAP_TYPE_BLOOM_FILTER,
	.needs = NEEDS_BPF,
	.name = "bloom_filter",
	.doc = "Whether a value was perhaps added.",
	.flags = BPF_F_NUMA_NODE | BPF_F_ZERO_SEED | MAP_ACCESS_FLAGS,
	.size_first = true,
	.check = bloom_check,
	.init = bloom_init,
	.done = bloom_done,
	.push = bloom_push,
	.peek = bloom_peek,
	.user_lookup = bloom_user_lookup,
	.user_update = bloom_user_update,
	.user_remove = bloom_user_remove,
	.next_key = bloom_next_key,
};
