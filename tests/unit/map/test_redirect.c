/* SPDX-License-Identifier: BSD-2-Clause */
/* test_redirect.c - maps of devices, CPUs and AF_XDP sockets, beyond what Linux can be asked. */
#include "world.h"

#include <errno.h>

#include "base/base.h"
#include "isa/abi.h"

static void devices__any_number_but_0_is_a_port(void **state)
{
	static const uint32_t types[] = { BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_DEVMAP_HASH };
	struct world world = world_new(2);

	(void)state;
	for (int t = 0; t < 2; t++) {
		struct map *map = world_map(&world, types[t], 4, 8, 4, 0);
		uint32_t key = 3, in[2] = { 1234567, 0 }, out[2] = { 9, 9 };
		const uint32_t *value;

		assert_null(map_type(types[t])->lookup(map, &key, NULL));
		assert_int_equal(map_user_update(map, &key, in, 0), 0);
		assert_int_equal(map_user_lookup(map, &key, out, 0), 0);
		assert_memory_equal(out, in, sizeof(in));
		value = map_type(types[t])->lookup(map, &key, NULL);
		assert_non_null(value);
		assert_int_equal(*value, 1234567);
		assert_int_equal(map_user_remove(map, &key), 0);
		assert_int_equal(map_user_lookup(map, &key, out, 0), -ENOENT);
		assert_null(map_type(types[t])->lookup(map, &key, NULL));
	}
	world_free(&world);
}

static void devices__no_number_is_a_program(void **state)
{
	static const uint32_t types[] = { BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_DEVMAP_HASH };
	struct world world = world_new(2);

	(void)state;
	for (int t = 0; t < 2; t++) {
		struct map *map = world_map(&world, types[t], 4, 8, 4, 0);
		uint32_t key = 3, in[2] = { 1, 5 }, out[2] = { 9, 9 };

		assert_int_equal(map_user_update(map, &key, in, 0), -EINVAL);
		assert_int_equal(map_user_lookup(map, &key, out, 0), -ENOENT);
		in[1] = UINT32_MAX; /* -1: none */
		assert_int_equal(map_user_update(map, &key, in, 0), 0);
		assert_int_equal(map_user_lookup(map, &key, out, 0), 0);
		assert_int_equal(out[1], 0);
	}
	world_free(&world);
}

static void devices__programs_only_read_them(void **state)
{
	struct world world = world_new(2);

	(void)state;
	assert_int_equal(world_map(&world, BPF_MAP_TYPE_DEVMAP, 4, 4, 4, 0)->flags,
			 BPF_F_RDONLY_PROG);
	assert_int_equal(world_map(&world, BPF_MAP_TYPE_CPUMAP, 4, 4, 4, 0)->flags, 0);
	world_free(&world);
}

static void cpus__are_those_of_the_machine(void **state)
{
	struct world world = world_new(3);
	struct map *map = world_map(&world, BPF_MAP_TYPE_CPUMAP, 4, 4, 8, 0);
	uint32_t size = 64, last = 2, past = 3, out = 0;

	(void)state;
	assert_int_equal(map_user_update(map, &last, &size, 0), 0);
	assert_int_equal(map_user_update(map, &past, &size, 0), -ENODEV);
	size = 16385;
	assert_int_equal(map_user_update(map, &last, &size, 0), -EOVERFLOW);
	assert_int_equal(map_user_lookup(map, &last, &out, 0), 0);
	assert_int_equal(out, 64);
	size = 0;
	assert_int_equal(map_user_update(map, &last, &size, 0), 0);
	assert_int_equal(map_user_lookup(map, &last, &out, 0), -ENOENT);
	world_free(&world);
}

static void sockets__there_are_none(void **state)
{
	struct world world = world_new(2);
	struct map *map = world_map(&world, BPF_MAP_TYPE_XSKMAP, 4, 4, 8, 0);
	uint32_t key = 0, value = 3;

	(void)state;
	assert_int_equal(map_user_update(map, &key, &value, 0), -EBADF);
	assert_null(map_type(BPF_MAP_TYPE_XSKMAP)->lookup(map, &key, NULL));
	world_free(&world);
}

static void maps__that_linux_would_not_make_are_refused_with_a_reason(void **state)
{
	static const struct {
		struct map_spec spec;
		int error;
	} cases[] = {
		{ { .type = BPF_MAP_TYPE_DEVMAP, .key_size = 4, .value_size = 12, .max_entries = 1 },
		  -EINVAL },
		{ { .type = BPF_MAP_TYPE_DEVMAP, .key_size = 8, .value_size = 4, .max_entries = 1 },
		  -EINVAL },
		{ { .type = BPF_MAP_TYPE_XSKMAP, .key_size = 4, .value_size = 8, .max_entries = 1 },
		  -EINVAL },
		{ { .type = BPF_MAP_TYPE_CPUMAP, .key_size = 4, .value_size = 4, .max_entries = 9000 },
		  -E2BIG },
		{ { .type = BPF_MAP_TYPE_DEVMAP_HASH, .key_size = 4, .value_size = 4,
		    .max_entries = 0x80000001u }, -EINVAL },
		{ { .type = BPF_MAP_TYPE_CPUMAP, .key_size = 4, .value_size = 4, .max_entries = 1,
		    .flags = BPF_F_RDONLY }, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct skep_diag *diag = skep_diag_new();

		assert_int_equal(map_check(&cases[i].spec, diag), cases[i].error);
		assert_int_equal(skep_diag_count(diag), 1);
		skep_diag_free(diag);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices__any_number_but_0_is_a_port),
		cmocka_unit_test(devices__no_number_is_a_program),
		cmocka_unit_test(devices__programs_only_read_them),
		cmocka_unit_test(cpus__are_those_of_the_machine),
		cmocka_unit_test(sockets__there_are_none),
		cmocka_unit_test(maps__that_linux_would_not_make_are_refused_with_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
