/* SPDX-License-Identifier: BSD-2-Clause */
/* test_hash.c - hash tables against what they should hold. */
#include "world.h"

#include <errno.h>
#include <stdlib.h>

#include "base/base.h"

static const uint32_t types[] = { BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_PERCPU_HASH,
				  BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH };

static void hash__update_flags_have_linux_errnos(void **state)
{
	struct world world = world_new(2);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct map *map = world_map(&world, types[i], 4, 8, 4, 0);
		uint64_t value[2] = { 7, 8 };
		uint32_t key = 5;

		assert_int_equal(map_user_lookup(map, &key, value, 0), -ENOENT);
		assert_int_equal(map_user_remove(map, &key), -ENOENT);
		assert_int_equal(map_user_update(map, &key, value, BPF_EXIST), -ENOENT);
		assert_int_equal(map_user_update(map, &key, value, BPF_NOEXIST), 0);
		assert_int_equal(map_user_update(map, &key, value, BPF_NOEXIST), -EEXIST);
		assert_int_equal(map_user_update(map, &key, value, BPF_EXIST), 0);
		assert_int_equal(map_user_update(map, &key, value, BPF_ANY), 0);
		assert_int_equal(map_user_update(map, &key, value, 3), -EINVAL);
		assert_int_equal(map_user_update(map, &key, value, BPF_F_LOCK), -EINVAL);
		assert_int_equal(map_user_lookup(map, &key, value, 1), -EINVAL);
		assert_int_equal(map_user_remove(map, &key), 0);
		assert_int_equal(map_user_remove(map, &key), -ENOENT);
		map_free(map);
	}
	world_free(&world);
}

static void hash__a_full_map_says_e2big_and_still_replaces(void **state)
{
	struct world world = world_new(3);

	(void)state;
	for (uint32_t max = 1; max < 40; max++) {
		struct map *map = world_map(&world, BPF_MAP_TYPE_HASH, 4, 4, max, 0);

		for (int round = 0; round < 3; round++) {
			for (uint32_t key = 0; key < max; key++)
				assert_int_equal(map_user_update(map, &key, &key, BPF_ANY), 0);
			assert_int_equal(map_user_update(map, &max, &max, BPF_ANY), -E2BIG);
			for (uint32_t key = 0; key < max; key++) {
				uint32_t value = key + 1000;

				assert_int_equal(map_user_update(map, &key, &value, BPF_EXIST), 0);
				assert_int_equal(map_user_lookup(map, &key, &value, 0), 0);
				assert_int_equal(value, key + 1000);
			}
			for (uint32_t key = 0; key < max; key++)
				assert_int_equal(map_user_remove(map, &key), 0);
		}
		map_free(map);
	}
	world_free(&world);
}

/* The same random operations on the map and on an array of what it should hold. */
static void hash__behaves_like_a_model(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 4, 5, 8, 12, 16, 17, 40 };
	struct world world = world_new(2);

	(void)state;
	srandom(1);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct map *map = world_map(&world, BPF_MAP_TYPE_HASH, sizes[i], 12, 100, 0);
		uint8_t present[200] = { 0 }, model[200];
		uint32_t count = 0, seen = 0;
		uint8_t key[40] = { 0 }, value[12];

		for (int op = 0; op < 20000; op++) {
			uint8_t k = (uint8_t)(random() % 200);

			memset(key, 0, sizeof(key));
			key[0] = k;
			key[sizes[i] - 1] = k;
			memset(value, op & 0xff, sizeof(value));
			switch (random() % 3) {
			case 0: {
				int want = present[k] || count < 100 ? 0 : -E2BIG;

				assert_int_equal(map_user_update(map, key, value, 0), want);
				if (want == 0) {
					count += !present[k];
					present[k] = 1;
					model[k] = value[0];
				}
				break;
			}
			case 1:
				assert_int_equal(map_user_remove(map, key),
						 present[k] ? 0 : -ENOENT);
				count -= present[k];
				present[k] = 0;
				break;
			default:
				assert_int_equal(map_user_lookup(map, key, value, 0),
						 present[k] ? 0 : -ENOENT);
				if (present[k])
					assert_int_equal(value[11], model[k]);
			}
		}
		for (int error = map_user_next_key(map, NULL, key); error == 0;
		     error = map_user_next_key(map, key, key)) {
			assert_true(present[key[0]]);
			seen++;
		}
		assert_int_equal(seen, count);
		map_free(map);
	}
	world_free(&world);
}

static void hash__each_cpu_has_its_own_value(void **state)
{
	struct world world = world_new(4);
	struct map *map = world_map(&world, BPF_MAP_TYPE_PERCPU_HASH, 4, 6, 10, 0);
	const struct map_type *type = map_type(map->type_id);
	struct vcpu *cpu = vcpu_take(world.vcpus);
	uint64_t all[4];
	uint32_t key = 1;
	char six[6] = "abcde";

	(void)state;
	assert_int_equal(type->update(map, &key, six, 0, cpu), 0);
	assert_int_equal(map_user_lookup(map, &key, all, 0), 0);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(all[i] != 0, i == cpu->id);
	assert_memory_equal(type->lookup(map, &key, cpu), six, 6);
	for (uint32_t i = 0; i < 4; i++)
		all[i] = i + 1;
	assert_int_equal(map_user_update(map, &key, all, BPF_EXIST), 0);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(*(char *)type->lookup_percpu(map, &key, i), i + 1);
	assert_null(type->lookup_percpu(map, &key, 4));
	all[0] = 99;
	assert_int_equal(map_user_update(map, &key, all, BPF_F_CPU | 2ull << 32), 0);
	assert_int_equal(*(char *)type->lookup_percpu(map, &key, 2), 99);
	assert_int_equal(*(char *)type->lookup_percpu(map, &key, 1), 2);
	assert_int_equal(map_user_update(map, &key, all, BPF_F_CPU | 4ull << 32), -ERANGE);
	vcpu_give(cpu);
	world_free(&world);
}

static int64_t remove_each(void *arg, struct map *map, const void *key, void *value)
{
	(void)arg, (void)value;
	return map_user_remove(map, key);
}

static void hash__a_walk_may_delete_what_it_meets(void **state)
{
	struct world world = world_new(2);
	struct map *map = world_map(&world, BPF_MAP_TYPE_HASH, 4, 4, 50, 0);

	(void)state;
	for (uint32_t key = 0; key < 50; key++)
		map_user_update(map, &key, &key, 0);
	assert_int_equal(map_type(map->type_id)->each(map, remove_each, NULL, NULL), 50);
	assert_int_equal(map_user_next_key(map, NULL, &(uint32_t){ 0 }), -ENOENT);
	world_free(&world);
}

static void lru__a_full_map_forgets_what_was_not_used(void **state)
{
	static const uint32_t flags[] = { 0, BPF_F_NO_COMMON_LRU };
	struct world world = world_new(1);

	(void)state;
	for (int t = 2; t < 4; t++)
		for (size_t f = 0; f < ARRAY_SIZE(flags); f++) {
			struct map *map = world_map(&world, types[t], 4, 8, 64, flags[f]);
			const struct map_type *type = map_type(map->type_id);
			struct vcpu *cpu = vcpu_take(world.vcpus);
			uint64_t value = 0;
			uint32_t hot = 0, present = 0;

			for (uint32_t key = 0; key < 5000; key++) {
				assert_int_equal(type->update(map, &key, &value, 0, cpu), 0);
				assert_non_null(type->lookup(map, &hot, cpu));
				assert_non_null(type->lookup(map, &key, cpu));
			}
			for (uint32_t key = 0; key < 5000; key++)
				present += type->lookup(map, &key, cpu) != NULL;
			assert_int_equal(present, 64);
			vcpu_give(cpu);
			map_free(map);
		}
	world_free(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash__update_flags_have_linux_errnos),
		cmocka_unit_test(hash__a_full_map_says_e2big_and_still_replaces),
		cmocka_unit_test(hash__behaves_like_a_model),
		cmocka_unit_test(hash__each_cpu_has_its_own_value),
		cmocka_unit_test(hash__a_walk_may_delete_what_it_meets),
		cmocka_unit_test(lru__a_full_map_forgets_what_was_not_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
