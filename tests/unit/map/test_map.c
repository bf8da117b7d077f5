/* SPDX-License-Identifier: BSD-2-Clause */
/* test_map.c - the registry, and what all types have in common. */
#include "world.h"

#include <errno.h>

#include "base/base.h"

static void map__every_number_has_a_row(void **state)
{
	(void)state;
	for (uint32_t id = 0; id < __MAX_BPF_MAP_TYPE; id++) {
		const struct map_type *type = map_type(id);

		assert_non_null(type);
		assert_int_equal(type->id, id);
		assert_non_null(type->name);
		assert_non_null(type->doc);
		assert_non_null(type->check);
		assert_ptr_equal(map_type_by_name(type->name), type);
	}
	assert_null(map_type(__MAX_BPF_MAP_TYPE));
	assert_null(map_type(UINT32_MAX));
	assert_null(map_type_by_name("no such type"));
}

static void map__creation_has_linux_errnos(void **state)
{
	static const struct { uint32_t type, key, value, max, flags; int error; } rows[] = {
		{ BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0, 0 },
		{ BPF_MAP_TYPE_ARRAY, 8, 8, 1, 0, -EINVAL },
		{ BPF_MAP_TYPE_ARRAY, 4, 0, 1, 0, -EINVAL },
		{ BPF_MAP_TYPE_ARRAY, 4, 8, 0, 0, -EINVAL },
		{ BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_NO_PREALLOC, -EINVAL },
		{ BPF_MAP_TYPE_ARRAY, 4, 0x80000000u, 1, 0, -E2BIG },
		{ BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG, -EINVAL },
		{ BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_RDONLY | BPF_F_WRONLY, -EINVAL },
		{ BPF_MAP_TYPE_PERCPU_ARRAY, 4, 32768, 1, 0, 0 },
		{ BPF_MAP_TYPE_PERCPU_ARRAY, 4, 32769, 1, 0, -E2BIG },
		{ BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 1, BPF_F_MMAPABLE, -EINVAL },
		{ BPF_MAP_TYPE_HASH, 1, 1, 1, 0, 0 },
		{ BPF_MAP_TYPE_HASH, 0, 8, 1, 0, -EINVAL },
		{ BPF_MAP_TYPE_HASH, 8, 8, 0, 0, -EINVAL },
		{ BPF_MAP_TYPE_HASH, 8, 8, 1, BPF_F_NO_COMMON_LRU, -EINVAL },
		{ BPF_MAP_TYPE_HASH, 8, 4u << 20, 1, 0, -E2BIG },
		{ BPF_MAP_TYPE_LRU_HASH, 8, 8, 1, BPF_F_NO_COMMON_LRU, 0 },
		{ BPF_MAP_TYPE_LRU_HASH, 8, 8, 1, BPF_F_NO_PREALLOC, -ENOTSUPP },
		{ BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1, 0, 0 },
		{ BPF_MAP_TYPE_PROG_ARRAY, 4, 8, 1, 0, -EINVAL },
		{ BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 1, BPF_F_RDONLY_PROG, -EINVAL },
		{ BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0, 0 },
		{ BPF_MAP_TYPE_RINGBUF, 4, 0, 4096, 0, -EINVAL },
		{ BPF_MAP_TYPE_RINGBUF, 0, 0, 12288, 0, -EINVAL },
		{ BPF_MAP_TYPE_RINGBUF, 0, 0, 2048, 0, -EINVAL },
		{ BPF_MAP_TYPE_SOCKHASH, 513, 4, 1, 0, -E2BIG },
		{ BPF_MAP_TYPE_TASK_STORAGE, 4, 8, 0, 0, -EINVAL },
		{ BPF_MAP_TYPE_UNSPEC, 4, 8, 1, 0, -EINVAL },
		{ __MAX_BPF_MAP_TYPE, 4, 8, 1, 0, -EINVAL },
	};
	struct skep_diag *diag = skep_diag_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct map_spec spec = { .name = "m", .type = rows[i].type,
					 .key_size = rows[i].key, .value_size = rows[i].value,
					 .max_entries = rows[i].max, .flags = rows[i].flags };

		skep_diag_clear(diag);
		if (map_check(&spec, diag) != rows[i].error)
			fail_msg("row %zu: %d", i, map_check(&spec, diag));
		assert_int_equal(skep_diag_count(diag), rows[i].error ? 1 : 0);
	}
	skep_diag_free(diag);
}

static void map__a_failed_creation_gives_everything_back(void **state)
{
	struct world world = world_new(4);
	struct map_spec spec = { .name = "big", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
				 .value_size = 1 << 30, .max_entries = 1 << 30 };
	size_t before = memory_used(world.memory);
	int error = 0;

	(void)state;
	assert_null(map_new(&spec, world.memory, world.vcpus, &error));
	assert_int_equal(error, -ENOMEM);
	spec.type = BPF_MAP_TYPE_PERCPU_HASH;
	spec.value_size = 32768;
	spec.max_entries = 1 << 24;
	assert_null(map_new(&spec, world.memory, world.vcpus, &error));
	assert_int_equal(error, -ENOMEM);
	assert_int_equal(memory_used(world.memory), before);
	world_free(&world);
}

static void map__freeing_gives_everything_back(void **state)
{
	struct world world = world_new(4);
	size_t before = memory_used(world.memory);

	(void)state;
	for (uint32_t id = 0; id < __MAX_BPF_MAP_TYPE; id++) {
		uint32_t max = id == BPF_MAP_TYPE_RINGBUF ? 4096 : 10;
		struct map_spec spec = { .name = "m", .type = id, .max_entries = max,
					 .key_size = 4, .value_size = 4 };
		int error = 0;
		struct map *map;

		if (id == BPF_MAP_TYPE_RINGBUF)
			spec.key_size = spec.value_size = 0;
		map = map_new(&spec, world.memory, world.vcpus, &error);
		if (map)
			map_free(map);
		assert_int_equal(memory_used(world.memory), before);
	}
	world_free(&world);
}

static void map__a_frozen_map_is_not_written_by_user_space(void **state)
{
	struct world world = world_new(2);
	struct map *map = world_map(&world, BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0);
	uint32_t key = 0, value = 1;

	(void)state;
	assert_int_equal(map_user_update(map, &key, &value, 0), 0);
	map->frozen = 1;
	assert_int_equal(map_user_update(map, &key, &value, 0), -EPERM);
	assert_int_equal(map_user_remove(map, &key), -EPERM);
	assert_int_equal(map_user_lookup(map, &key, &value, 0), 0);
	world_free(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map__every_number_has_a_row),
		cmocka_unit_test(map__creation_has_linux_errnos),
		cmocka_unit_test(map__a_failed_creation_gives_everything_back),
		cmocka_unit_test(map__freeing_gives_everything_back),
		cmocka_unit_test(map__a_frozen_map_is_not_written_by_user_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
