/* SPDX-License-Identifier: BSD-2-Clause */
/* test_maps.c - map definitions and global data. */
#include "fixture.h"

static void maps__a_typed_definition_is_read_in_full(void **state)
{
	struct skep_object *object = fixture_open(FIXTURE("maps"));
	struct skep_map_info info;

	(void)state;
	skep_object_map_info(map_named(object, "typed"), &info);
	assert_int_equal(info.type, BPF_MAP_TYPE_HASH);
	assert_string_equal(info.type_name, "hash");
	assert_int_equal(info.key_size, 8);
	assert_int_equal(info.value_size, 24);
	assert_int_equal(info.max_entries, 64);
	assert_int_equal(info.flags, BPF_F_NO_PREALLOC);
	assert_string_equal(skep_btf_type_name(info.btf, info.key_type), "key");
	assert_string_equal(skep_btf_type_name(info.btf, info.value_type), "value");
	assert_false(info.internal);
	assert_int_equal(map_named(object, "typed")->spec.pinning, 1);
	skep_object_map_info(map_named(object, "bloom"), &info);
	assert_int_equal(info.extra, 3);
	assert_int_equal(info.value_size, 8);
	skep_object_free(object);
}

static void maps__ring_buffers_are_whole_pages_in_a_power_of_two(void **state)
{
	struct skep_object *object = fixture_open(FIXTURE("maps"));
	struct skep_object_map *ring = map_named(object, "ring");
	struct skep_map_info info;

	(void)state;
	skep_object_map_info(ring, &info);
	assert_int_equal(info.max_entries, 8192);
	assert_int_equal(skep_object_map_set_max_entries(ring, 70000), 0);
	skep_object_map_info(ring, &info);
	assert_int_equal(info.max_entries, 131072);
	skep_object_free(object);
}

static void maps__initial_values_name_maps_and_programs(void **state)
{
	struct skep_object *object = fixture_open(FIXTURE("maps"));
	struct skep_object_map *outer = map_named(object, "outer");
	struct skep_object_map *jumps = map_named(object, "jumps");

	(void)state;
	assert_non_null(outer->spec.inner);
	assert_int_equal(outer->spec.inner->type, BPF_MAP_TYPE_ARRAY);
	assert_int_equal(outer->spec.inner->value_size, 8);
	assert_int_equal(outer->spec.value_size, 4);
	assert_int_equal(outer->initial.count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct map_initial *initial = &outer->initial.items[i];
		const char *name = object->maps.items[initial->target]->name;

		assert_string_equal(name, initial->index == 0 ? "inner_b" : "inner_a");
		assert_true(initial->index == 0 || initial->index == 2);
	}
	assert_true(jumps->values_progs);
	assert_int_equal(jumps->initial.count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct map_initial *initial = &jumps->initial.items[i];
		const char *name = skep_object_prog_name(&object->progs[initial->target]);

		assert_string_equal(name, initial->index == 1 ? "second" : "first");
	}
	skep_object_free(object);
}

static void maps__references_are_indices_into_the_objects_list(void **state)
{
	struct skep_object *object = fixture_open(FIXTURE("maps"));
	const struct skep_insn *insns;
	bool found = false;
	size_t count;

	(void)state;
	assert_int_equal(skep_object_prog_insns(prog_named(object, "first"), &insns, &count, NULL),
			 0);
	for (size_t i = 0; i < count; i++)
		if (insns[i].code == 0x18 && insns[i].src == 5) {
			assert_ptr_equal(object->maps.items[insns[i].imm],
					 map_named(object, "typed"));
			found = true;
		}
	assert_true(found);
	skep_object_free(object);
}

static void maps__global_data_is_named_and_filled_like_libbpfs(void **state)
{
	static const struct { const char *section, *name; uint32_t flags; } expected[] = {
		{ ".data", "globals.data", BPF_F_MMAPABLE },
		{ ".rodata", "globals.rodata", BPF_F_MMAPABLE | BPF_F_RDONLY_PROG },
		{ ".data.custom_section", ".data.custom_section", BPF_F_MMAPABLE },
		{ ".rodata.hello", ".rodata.hello", BPF_F_MMAPABLE | BPF_F_RDONLY_PROG },
		{ ".bss", "globals.bss", BPF_F_MMAPABLE },
	};
	struct skep_object *object = fixture_open(FIXTURE("globals"));
	uint32_t word;
	size_t size;

	(void)state;
	assert_int_equal(skep_object_map_count(object), ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		struct skep_object_map *map = map_named(object, expected[i].section);
		struct skep_map_info info;

		skep_object_map_info(map, &info);
		assert_string_equal(info.name, expected[i].name);
		assert_true(strlen(map->spec.name) < 16);
		assert_int_equal(info.flags, expected[i].flags);
		assert_int_equal(info.type, BPF_MAP_TYPE_ARRAY);
		assert_int_equal(info.max_entries, 1);
		assert_true(info.internal);
	}
	memcpy(&word, skep_object_map_data(map_named(object, ".rodata"), &size), 4);
	assert_int_equal(word, 100);
	assert_int_equal(size, 4);
	assert_string_equal(skep_object_map_data(map_named(object, ".rodata.hello"), &size),
			    "hello");
	assert_int_equal(*(uint64_t *)skep_object_map_data(map_named(object, ".bss"), &size), 0);
	assert_int_equal(skep_object_map_set_max_entries(map_named(object, ".bss"), 2), -EINVAL);
	skep_object_free(object);
}

static void maps__sections_in_btf_get_their_sizes_and_offsets(void **state)
{
	struct skep_object *object = fixture_open(FIXTURE("globals"));
	const struct skep_btf *btf = skep_object_btf(object);
	uint32_t id = skep_btf_find(btf, ".data", BTF_DATASEC);
	const struct btf_type *t = btf_type(btf, id);
	const struct btf_secinfo *vars = btf_data(t);

	(void)state;
	assert_int_equal(t->size, 16);
	assert_int_equal(btf_vlen(t), 2);
	assert_true(vars[0].offset < vars[1].offset);
	assert_int_equal(map_named(object, ".data")->spec.value_type, id);
	skep_object_free(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps__a_typed_definition_is_read_in_full),
		cmocka_unit_test(maps__ring_buffers_are_whole_pages_in_a_power_of_two),
		cmocka_unit_test(maps__initial_values_name_maps_and_programs),
		cmocka_unit_test(maps__references_are_indices_into_the_objects_list),
		cmocka_unit_test(maps__global_data_is_named_and_filled_like_libbpfs),
		cmocka_unit_test(maps__sections_in_btf_get_their_sizes_and_offsets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
