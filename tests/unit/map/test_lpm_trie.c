/* SPDX-License-Identifier: BSD-2-Clause */
/* test_lpm_trie.c - longest prefix match against a list searched from end to end. */
#include "world.h"

#include <errno.h>
#include <stdlib.h>

struct entry {
	uint32_t bits;
	uint8_t data[16];
	uint32_t value;
	bool present;
};

enum { ENTRIES = 300 };

static bool covers(const struct entry *entry, uint32_t bits, const uint8_t *data)
{
	if (entry->bits > bits)
		return false;
	for (uint32_t i = 0; i < entry->bits; i++)
		if ((entry->data[i / 8] ^ data[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static bool same(const struct entry *a, const struct entry *b)
{
	return a->bits == b->bits && covers(a, b->bits, b->data);
}

/* Random prefixes that share beginnings, each once. */
static void make_entries(struct entry *entries, uint32_t bytes)
{
	for (uint32_t i = 0; i < ENTRIES;) {
		struct entry *e = &entries[i];
		bool known = false;

		memset(e, 0, sizeof(*e));
		if (i > 0)
			memcpy(e->data, entries[random() % i].data, bytes);
		e->bits = (uint32_t)random() % (bytes * 8 + 1);
		e->data[random() % bytes] = (uint8_t)random();
		for (uint32_t j = 0; j < i; j++)
			known |= same(&entries[j], e);
		i += !known;
	}
}

static void check_lookup(struct map *map, const struct entry *entries, const uint8_t *key,
			 uint32_t bits)
{
	const struct entry *best = NULL;
	uint32_t value = 0;
	int error = map_user_lookup(map, key, &value, 0);

	for (uint32_t i = 0; i < ENTRIES; i++)
		if (entries[i].present && covers(&entries[i], bits, key + 4) &&
		    (!best || entries[i].bits > best->bits))
			best = &entries[i];
	assert_int_equal(error, best ? 0 : -ENOENT);
	if (best)
		assert_int_equal(value, best->value);
}

static void lpm__finds_the_longest_of_all_that_match(void **state)
{
	static const uint32_t sizes[] = { 1, 3, 4, 8, 11, 16 };
	struct world world = world_new(2);
	static struct entry entries[ENTRIES];

	(void)state;
	srandom(3);
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		uint32_t bytes = sizes[s];
		struct map *map = world_map(&world, BPF_MAP_TYPE_LPM_TRIE, 4 + bytes, 4, ENTRIES,
					    BPF_F_NO_PREALLOC);

		make_entries(entries, bytes);
		for (int step = 0; step < 6000; step++) {
			struct entry *e = &entries[random() % ENTRIES];
			uint8_t key[20];

			memcpy(key, &e->bits, 4);
			memcpy(key + 4, e->data, bytes);
			if (random() % 2) {
				e->value = (uint32_t)step;
				assert_int_equal(map_user_update(map, key, &e->value, 0), 0);
				e->present = true;
			} else {
				assert_int_equal(map_user_remove(map, key),
						 e->present ? 0 : -ENOENT);
				e->present = false;
			}
			e = &entries[random() % ENTRIES];
			uint32_t bits = (uint32_t)random() % (bytes * 8 + 1);

			memcpy(key, &bits, 4);
			memcpy(key + 4, e->data, bytes);
			key[4 + random() % bytes] ^= (uint8_t)(1u << random() % 8);
			check_lookup(map, entries, key, bits);
		}
		map_free(map);
	}
	world_free(&world);
}

static void lpm__a_full_trie_says_enospc(void **state)
{
	struct world world = world_new(2);
	struct map *map = world_map(&world, BPF_MAP_TYPE_LPM_TRIE, 8, 4, 3, BPF_F_NO_PREALLOC);

	(void)state;
	for (int round = 0; round < 1000; round++) {
		uint32_t key[2] = { 32, 0 };

		for (key[1] = 0; key[1] < 3; key[1]++)
			assert_int_equal(map_user_update(map, key, key, BPF_NOEXIST), 0);
		assert_int_equal(map_user_update(map, key, key, BPF_ANY), -ENOSPC);
		key[1] = 2;
		assert_int_equal(map_user_update(map, key, key, BPF_EXIST), 0);
		assert_int_equal(map_user_update(map, key, key, BPF_NOEXIST), -EEXIST);
		for (key[1] = 0; key[1] < 3; key[1]++)
			assert_int_equal(map_user_remove(map, key), 0);
		assert_int_equal(map_user_update(map, key, key, BPF_EXIST), -ENOENT);
		key[0] = 33;
		assert_int_equal(map_user_update(map, key, key, BPF_ANY), -EINVAL);
		assert_int_equal(map_user_remove(map, key), -EINVAL);
	}
	world_free(&world);
}

/* Its nodes come as they are needed, and all go with it. */
static void lpm__takes_room_for_what_it_has(void **state)
{
	enum { MANY = 20000000, SOME = 30000 };
	struct world world = world_new(2);
	size_t before = memory_used(world.memory), empty, full;
	struct map *map = world_map(&world, BPF_MAP_TYPE_LPM_TRIE, 8, 4, MANY, BPF_F_NO_PREALLOC);
	uint32_t key[2] = { 32 }, value;

	(void)state;
	empty = memory_used(world.memory) - before;
	assert_true(empty < 1 << 16);
	for (int round = 0; round < 2; round++) {
		for (key[1] = 0; key[1] < SOME; key[1]++)
			assert_int_equal(map_user_update(map, key, &key[1], BPF_NOEXIST), 0);
		for (key[1] = 0; key[1] < SOME; key[1] += 7) {
			assert_int_equal(map_user_lookup(map, key, &value, 0), 0);
			assert_int_equal(value, key[1]);
		}
		for (key[1] = 0; key[1] < SOME; key[1]++)
			assert_int_equal(map_user_remove(map, key), 0);
	}
	full = memory_used(world.memory) - before;
	assert_true(full > 2 * SOME * 64 && full < 2 * (2 * SOME * 64) + (2 << 20));
	map_free(map);
	world_free(&world);
}

/* A value may be larger than a chunk of small ones. */
static void lpm__values_may_be_large(void **state)
{
	enum { SIZE = 3 << 20 };
	struct world world = world_new(2);
	struct map *map = world_map(&world, BPF_MAP_TYPE_LPM_TRIE, 8, SIZE, 4, BPF_F_NO_PREALLOC);
	uint32_t key[2] = { 32 };
	uint8_t *value = malloc(SIZE);

	(void)state;
	for (key[1] = 0; key[1] < 4; key[1]++) {
		memset(value, (int)key[1] + 1, SIZE);
		assert_int_equal(map_user_update(map, key, value, BPF_ANY), 0);
	}
	for (key[1] = 0; key[1] < 4; key[1]++) {
		assert_int_equal(map_user_lookup(map, key, value, 0), 0);
		assert_int_equal(value[0], key[1] + 1);
		assert_int_equal(value[SIZE - 1], key[1] + 1);
	}
	free(value);
	map_free(map);
	world_free(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lpm__finds_the_longest_of_all_that_match),
		cmocka_unit_test(lpm__a_full_trie_says_enospc),
		cmocka_unit_test(lpm__takes_room_for_what_it_has),
		cmocka_unit_test(lpm__values_may_be_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
