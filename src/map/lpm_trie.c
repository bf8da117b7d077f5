/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lpm_trie.c - values under prefixes of bits; the longest that matches wins. [runtime]
 *
 * A binary trie without chains: a node stands for a prefix and has a child for
 * either next bit. A node that only joins two others has no value.
 *
 *             10/8              key:  | u32 prefix length | data, first bit first |
 *            /    \
 *      (10.0/15)   10.128/9     (10.0/15) only joins
 *       /     \
 *   10.0/16  10.1/16
 *
 * Every change is one store: of the reference to a new node with its children
 * in place, of the reference that passes a node over, or of the flag that a
 * node's value is gone. Writers hold one lock; readers none. A node that was
 * unlinked is used again when no program can be reading it. Who takes the lock
 * over from a dead writer walks the trie and takes every node it does not meet
 * for unlinked (lpm_nodes.c).
 */
#include "map/lpm_trie.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "map/map.h"
#include "map/owner.h"

enum { TRIE_DATA_MAX = 256, TRIE_SPARE_BYTES = 64 << 20, TRIE_SPARE_MIN = 4096 };

/* --- creation --- */

static int trie_check(const struct map_spec *spec, struct skep_diag *diag)
{
	const uint32_t value_max = (4u << 20) - TRIE_DATA_MAX - 40;

	if (!(spec->flags & BPF_F_NO_PREALLOC))
		return skep_fail(diag, SKEP_MAP_ATTR, NULL,
				 "map '%s': an lpm_trie needs the flag BPF_F_NO_PREALLOC", spec->name);
	if (spec->max_entries == 0 || spec->key_size < 5 || spec->key_size > 4 + TRIE_DATA_MAX ||
	    spec->value_size == 0 || spec->value_size > value_max)
		return skep_fail(diag, SKEP_MAP_ATTR, NULL,
				 "map '%s': key_size must be 5 to 260, value_size 1 to %u, "
				 "max_entries not 0",
				 spec->name, value_max);
	return 0;
}

static int trie_init(struct map *map, const struct map_spec *spec)
{
	struct trie *trie = memory_alloc(map->memory, sizeof(*trie), 64);
	uint64_t nodes;

	map->impl = trie;
	if (!trie)
		return -ENOMEM;
	trie->data = spec->key_size - 4;
	trie->value_off = (uint32_t)sizeof(struct trie_node) + ((trie->data + 7) & ~7u);
	trie->stride = trie->value_off + map->value_stride;
	trie->stride = (trie->stride + 15) & ~15u;
	if (trie->stride > 32 && trie->stride < 64)
		trie->stride = 64; /* a cache line of its own */
	trie->memory = map->memory;
	trie->owners = memory_owners(map->memory);
	/* n prefixes need n-1 joints at most; the rest is for nodes still being read. */
	nodes = 2ull * spec->max_entries + MAX(TRIE_SPARE_BYTES / trie->stride, TRIE_SPARE_MIN);
	if ((nodes + 1) * (trie->stride / 16) > UINT32_MAX)
		return -ENOMEM; /* more than references can name */
	trie->nodes = (uint32_t)nodes;
	trie->base = (char *)map->memory;
	return 0;
}

static void trie_done(struct map *map)
{
	struct trie *trie = map->impl;

	if (!trie)
		return;
	trie_free_nodes(trie);
	memory_release(map->memory, trie, 0);
	map->impl = NULL;
}

/* --- prefixes --- */

struct prefix {
	uint32_t bits;
	const uint8_t *data;
};

static inline struct prefix prefix_of_key(const void *key)
{
	struct prefix prefix;

	memcpy(&prefix.bits, key, sizeof(prefix.bits));
	prefix.data = (const uint8_t *)key + 4;
	return prefix;
}

static inline struct prefix prefix_of_node(const struct trie_node *node)
{
	return (struct prefix){ node->prefix, node->bytes };
}

static inline uint32_t prefix_bit(const uint8_t *data, uint32_t bit)
{
	return data[bit / 8] >> (7 - bit % 8) & 1;
}

/* How many leading bits two prefixes share, at most the shorter one's length. */
static inline uint32_t prefix_common(struct prefix a, struct prefix b, uint32_t bytes)
{
	uint32_t limit = MIN(a.bits, b.bits), at = 0;

	for (; at + 8 <= bytes && at * 8 < limit; at += 8) {
		uint64_t x, y;

		memcpy(&x, a.data + at, 8);
		memcpy(&y, b.data + at, 8);
		x = __builtin_bswap64(x ^ y);
		if (x != 0)
			return MIN(limit, at * 8 + (uint32_t)__builtin_clzll(x));
	}
	if (at + 4 <= bytes && at * 8 < limit) {
		uint32_t x, y;

		memcpy(&x, a.data + at, 4);
		memcpy(&y, b.data + at, 4);
		x = __builtin_bswap32(x ^ y);
		if (x != 0)
			return MIN(limit, at * 8 + (uint32_t)__builtin_clz(x));
		at += 4;
	}
	for (; at < bytes && at * 8 < limit; at++) {
		uint32_t x = a.data[at] ^ b.data[at];

		if (x != 0)
			return MIN(limit, at * 8 + (uint32_t)__builtin_clz(x) - 24);
	}
	return limit;
}

/* --- reading --- */

/* Whether the node's prefix is one of want's. */
static inline bool trie_matches(const struct trie_node *node, struct prefix want, uint32_t bytes)
{
	return node->prefix <= want.bits &&
	       prefix_common(prefix_of_node(node), want, bytes) == node->prefix;
}

/* bytes is a constant for the sizes of addresses that are not 4. */
static inline struct trie_node *trie_find_sized(const struct trie *trie, const void *key,
						uint32_t bytes)
{
	struct prefix want = prefix_of_key(key);
	struct trie_node *found = NULL;
	uint32_t full = bytes * 8;

	if (want.bits > full)
		return NULL;
	for (uint32_t ref = trie_load(&trie->root); ref != 0;) {
		struct trie_node *node = trie_at(trie, ref);
		uint32_t prefix = node->prefix;

		if (!trie_matches(node, want, bytes))
			break;
		if (!__atomic_load_n(&node->joins, __ATOMIC_ACQUIRE))
			found = node;
		if (prefix == full)
			break;
		ref = trie_load(&node->child[prefix_bit(want.data, prefix)]);
	}
	return found;
}

/* The same with the data in a register: what is next depends on few loads. */
static inline struct trie_node *trie_find_word(const struct trie *trie, const void *key)
{
	struct trie_node *found = NULL;
	uint32_t bits, word;

	memcpy(&bits, key, 4);
	memcpy(&word, (const char *)key + 4, 4);
	word = __builtin_bswap32(word);
	if (bits > 32)
		return NULL;
	for (uint32_t ref = trie_load(&trie->root); ref != 0;) {
		struct trie_node *node = trie_at(trie, ref);
		uint32_t prefix = node->prefix, other;
		/* The bit after the prefix; past the last, whatever: leaves have no child. */
		uint32_t next = (uint32_t)(((uint64_t)word << prefix) >> 31 & 1);

		memcpy(&other, node->bytes, 4);
		other = __builtin_bswap32(other) ^ word;
		if (prefix > bits || (uint64_t)other >> (32 - prefix) != 0)
			break;
		if (!__atomic_load_n(&node->joins, __ATOMIC_ACQUIRE))
			found = node;
		ref = trie_load(&node->child[next]);
	}
	return found;
}

static struct trie_node *trie_find(const struct trie *trie, const void *key)
{
	switch (trie->data) {
	case 4:
		return trie_find_word(trie, key);
	case 16:
		return trie_find_sized(trie, key, 16);
	default:
		return trie_find_sized(trie, key, trie->data);
	}
}

static void *trie_lookup(struct map *map, const void *key, struct vcpu *cpu)
{
	const struct trie *trie = map->impl;
	struct trie_node *node = trie_find(trie, key);

	(void)cpu;
	return node ? (char *)node + trie->value_off : NULL;
}

/* User space reads inside a virtual CPU's epoch, as programs do. */
static int trie_user_lookup(struct map *map, const void *key, void *value, uint64_t flags)
{
	bool taken;
	struct vcpu *cpu = vcpu_borrow(map->vcpus, &taken);
	const void *at;

	(void)flags;
	if (!cpu)
		return -EBUSY;
	at = trie_lookup(map, key, cpu);
	if (at)
		memcpy(value, at, map->value_size);
	vcpu_return(cpu, taken);
	return at ? 0 : -ENOENT;
}

/* --- writing; the lock is held --- */

/* Where a prefix belongs: the reference to the first node that is not a shorter
 * prefix of it, and how many bits that node shares with it. */
static uint32_t *trie_place(struct trie *trie, struct prefix want, uint32_t *common)
{
	uint32_t *slot = &trie->root;

	*common = 0;
	while (*slot != 0) {
		struct trie_node *node = trie_at(trie, *slot);

		*common = prefix_common(prefix_of_node(node), want, trie->data);
		if (*common != node->prefix || node->prefix == want.bits)
			break;
		slot = &node->child[prefix_bit(want.data, node->prefix)];
	}
	return slot;
}

static uint32_t trie_new(struct map *map, struct prefix prefix, const void *value)
{
	struct trie *trie = map->impl;
	uint32_t ref = trie_take(trie);
	struct trie_node *node;

	if (ref == 0)
		return 0;
	node = trie_at(trie, ref);
	node->child[0] = node->child[1] = 0;
	node->prefix = prefix.bits;
	node->joins = value == NULL;
	memcpy(node->bytes, prefix.data, trie->data);
	if (value)
		memcpy((char *)node + trie->value_off, value, map->value_size);
	return ref;
}

/* A new node above the one in slot, with which it shares common bits. */
static int trie_insert_above(struct map *map, uint32_t *slot, uint32_t ref, struct prefix want,
			     uint32_t common)
{
	struct trie *trie = map->impl;
	struct trie_node *old = trie_at(trie, *slot), *node = trie_at(trie, ref);
	uint32_t joint;

	if (common == want.bits) {
		node->child[prefix_bit(old->bytes, common)] = *slot;
		trie_store(slot, ref);
		return 0;
	}
	joint = trie_new(map, (struct prefix){ common, want.data }, NULL);
	if (joint == 0)
		return -ENOMEM;
	trie_at(trie, joint)->child[prefix_bit(want.data, common)] = ref;
	trie_at(trie, joint)->child[prefix_bit(old->bytes, common)] = *slot;
	trie_store(slot, joint);
	return 0;
}

static int trie_write(struct map *map, struct prefix want, const void *value, uint64_t flags)
{
	struct trie *trie = map->impl;
	uint32_t common, *slot = trie_place(trie, want, &common), ref;
	struct trie_node *old = *slot ? trie_at(trie, *slot) : NULL;
	bool same = old && common == want.bits && old->prefix == want.bits;
	bool there = same && !old->joins;
	int error = 0;

	if (there && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!there && flags == BPF_EXIST)
		return -ENOENT;
	if (!there && trie->entries >= map->max_entries)
		return -ENOSPC;
	ref = trie_new(map, want, value);
	if (ref == 0)
		return -ENOMEM;
	if (same) {
		uint32_t replaced = *slot;

		memcpy(trie_at(trie, ref)->child, old->child, sizeof(old->child));
		trie_store(slot, ref);
		trie_retire(trie, replaced);
	} else if (old) {
		error = trie_insert_above(map, slot, ref, want, common);
	} else {
		trie_store(slot, ref);
	}
	if (error < 0)
		trie_put(trie, ref);
	else if (!there)
		trie->entries++;
	return error;
}

static int64_t trie_update(struct map *map, const void *key, const void *value, uint64_t flags,
			   struct vcpu *cpu)
{
	struct trie *trie = map->impl;
	struct prefix want = prefix_of_key(key);
	int error;

	(void)cpu;
	if (flags > BPF_EXIST || want.bits > trie->data * 8)
		return -EINVAL;
	if (!trie_lock(trie))
		return -EBUSY;
	error = trie_write(map, want, value, flags);
	owner_unlock(&trie->lock);
	return error;
}

/* Takes the value of the node in *slot away; above is the reference to its
 * parent, or NULL. */
static void trie_unlink(struct trie *trie, uint32_t *slot, uint32_t *above)
{
	uint32_t ref = *slot, joint = above ? *above : 0;
	struct trie_node *node = trie_at(trie, ref), *parent = joint ? trie_at(trie, joint) : NULL;

	if (node->child[0] != 0 && node->child[1] != 0) {
		trie_store(&node->joins, 1);
		return;
	}
	if (node->child[0] == 0 && node->child[1] == 0 && parent && parent->joins) {
		/* The joint has one child left, which takes its place. */
		trie_store(above, parent->child[slot == &parent->child[0]]);
		trie_retire(trie, joint);
	} else {
		trie_store(slot, node->child[0] ? node->child[0] : node->child[1]);
	}
	trie_retire(trie, ref);
}

static int trie_erase(struct map *map, struct prefix want)
{
	struct trie *trie = map->impl;
	uint32_t *slot = &trie->root, *above = NULL, common;

	while (*slot != 0) {
		struct trie_node *node = trie_at(trie, *slot);

		common = prefix_common(prefix_of_node(node), want, trie->data);
		if (common != node->prefix || node->prefix == want.bits)
			break;
		above = slot;
		slot = &node->child[prefix_bit(want.data, node->prefix)];
	}
	if (*slot == 0 || common != want.bits || trie_at(trie, *slot)->prefix != want.bits ||
	    trie_at(trie, *slot)->joins)
		return -ENOENT;
	trie_unlink(trie, slot, above);
	trie->entries--;
	return 0;
}

static int64_t trie_remove(struct map *map, const void *key, struct vcpu *cpu)
{
	struct trie *trie = map->impl;
	struct prefix want = prefix_of_key(key);
	int error;

	(void)cpu;
	if (want.bits > trie->data * 8)
		return -EINVAL;
	if (!trie_lock(trie))
		return -EBUSY;
	error = trie_erase(map, want);
	owner_unlock(&trie->lock);
	return error;
}

/* --- in order: below before above, 0 before 1 --- */

static struct trie_node *trie_leftmost(const struct trie *trie, uint32_t ref)
{
	struct trie_node *found = NULL;

	while (ref != 0) {
		struct trie_node *node = trie_at(trie, ref);

		if (!trie_load(&node->joins))
			found = node;
		ref = trie_load(&node->child[0]);
		if (ref == 0)
			ref = trie_load(&node->child[1]);
	}
	return found;
}

/* What follows the key's node; the first of all if the key is not there. */
static struct trie_node *trie_after(const struct trie *trie, const void *key)
{
	struct prefix want = prefix_of_key(key);
	struct trie_node *next = NULL, *node = NULL;

	for (uint32_t ref = trie_load(&trie->root); ref != 0 && want.bits <= trie->data * 8;) {
		uint32_t right;

		node = trie_at(trie, ref);
		if (prefix_common(prefix_of_node(node), want, trie->data) < node->prefix)
			break;
		if (node->prefix == want.bits) {
			if (trie_load(&node->joins))
				break;
			return next;
		}
		right = trie_load(&node->child[1]);
		if (prefix_bit(want.data, node->prefix) == 0 && right != 0)
			next = trie_leftmost(trie, right);
		else if (!trie_load(&node->joins))
			next = node;
		ref = trie_load(&node->child[prefix_bit(want.data, node->prefix)]);
	}
	return trie_leftmost(trie, trie_load(&trie->root));
}

static int trie_next_key(struct map *map, const void *key, void *next)
{
	const struct trie *trie = map->impl;
	bool taken;
	struct vcpu *cpu = vcpu_borrow(map->vcpus, &taken);
	struct trie_node *node;

	if (!cpu)
		return -EBUSY;
	node = key ? trie_after(trie, key) : trie_leftmost(trie, trie_load(&trie->root));
	if (node) {
		memcpy(next, &node->prefix, 4);
		memcpy((char *)next + 4, node->bytes, trie->data);
	}
	vcpu_return(cpu, taken);
	return node ? 0 : -ENOENT;
}

const struct map_type map_lpm_trie = {
	.id = BPF_MAP_TYPE_LPM_TRIE,
	.needs = NEEDS_BPF,
	.name = "lpm_trie",
	.doc = "Values under prefixes; a lookup finds the longest that matches.",
	.flags = BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | MAP_ACCESS_FLAGS,
	.check = trie_check,
	.init = trie_init,
	.done = trie_done,
	.lookup = trie_lookup,
	.update = trie_update,
	.remove = trie_remove,
	.user_lookup = trie_user_lookup,
	.next_key = trie_next_key,
};
