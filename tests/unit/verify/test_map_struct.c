/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a map itself: at the kernel's offsets for the program, at ours for the engines.
 * And naming what is no variable of the kernel. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <skep/skep.h>

#include "base/base.h"
#include "map/map.h"
#include "verify/verify.h"
#include "vm/vm.h"

/*
 * u32 [1], u64 [2],
 * struct bpf_map [3] { u64 ops; u32 max_entries; u32 key_size; u64 map_extra; },
 * struct bpf_array [4] { struct bpf_map map; u32 index_mask; }
 */
static const struct skep_btf *kernel_types(void)
{
	static const char names[] = "\0u32\0u64\0bpf_map\0ops\0max_entries\0key_size\0map_extra\0"
				    "bpf_array\0map\0index_mask";
	enum { U32 = 1, U64 = 5, BPF_MAP = 9, OPS = 17, MAX_ENTRIES = 21, KEY_SIZE = 33,
	       MAP_EXTRA = 42, BPF_ARRAY = 52, MAP = 62, INDEX_MASK = 66 };
	static const uint32_t types[] = {
		U32, 1u << 24, 4, 32,
		U64, 1u << 24, 8, 64,
		BPF_MAP, 4u << 24 | 4, 24,
		OPS, 2, 0, MAX_ENTRIES, 1, 64, KEY_SIZE, 1, 96, MAP_EXTRA, 2, 128,
		BPF_ARRAY, 4u << 24 | 2, 32, MAP, 3, 0, INDEX_MASK, 1, 192,
	};
	static uint8_t image[24 + sizeof(types) + sizeof(names)];
	const uint32_t header[6] = { 0x1eb9f, 24, 0, sizeof(types), sizeof(types), sizeof(names) };
	const struct skep_btf *btf;

	memcpy(image, header, sizeof(header));
	memcpy(image + sizeof(header), types, sizeof(types));
	memcpy(image + sizeof(header) + sizeof(types), names, sizeof(names));
	btf = skep_btf_open(image, sizeof(image), NULL, "kernel", NULL);
	assert_non_null(btf);
	return btf;
}

struct judged {
	struct skep_insn *insns;
	const struct map_spec *maps[1];
	struct prog_spec spec;
	struct verified verified;
};

static const struct map_spec array = { .name = "array", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
				       .value_size = 8, .max_entries = 77 };

/* The program's load is its instruction 2. */
static void judge(struct judged *judged, uint32_t offset, unsigned width)
{
	const struct skep_insn insns[] = {
		{ .code = 0x18, .dst = 1, .src = 5 }, { 0 },
		{ .code = width == 8 ? 0x79 : width == 4 ? 0x61 : 0x69, .dst = 0, .src = 1,
		  .off = (int16_t)offset },
		{ .code = 0x95 },
	};
	struct skep_verify_result result = { 0 };
	struct skep_verify_opts opts = { 0 };

	*judged = (struct judged){ .maps = { &array } };
	judged->insns = malloc(sizeof(insns));
	assert_non_null(judged->insns);
	memcpy(judged->insns, insns, sizeof(insns));
	judged->spec = (struct prog_spec){
		.name = "reader", .section = "", .object = "", .license = "GPL",
		.type = prog_type_by_name("socket_filter"), .insns = judged->insns, .len = 4,
		.maps = judged->maps, .map_count = 1, .kernel_btf = kernel_types(),
	};
	assert_int_equal(verify(&judged->spec, &opts, &result, &judged->verified, NULL), 0);
	assert_int_equal(result.error, 0);
	skep_verify_result_done(&result);
}

static void judged_done(struct judged *judged)
{
	verified_done(&judged->verified);
	free(judged->insns);
}

static void map_struct__a_field_that_maps_here_have_is_read_where_it_is(void **state)
{
	struct judged judged;

	(void)state;
	judge(&judged, 8, 4);
	assert_false(judged.verified.facts[2].foreign_map);
	assert_int_equal(judged.verified.insns[2].off, offsetof(struct map, max_entries));
	judged_done(&judged);
	judge(&judged, 14, 2); /* half of the key's size */
	assert_false(judged.verified.facts[2].foreign_map);
	assert_int_equal(judged.verified.insns[2].off, offsetof(struct map, key_size) + 2);
	judged_done(&judged);
}

static void map_struct__a_program_that_reads_one_runs_with_its_value(void **state)
{
	struct vm_world world = { .memory = memory_new(0) };
	struct judged judged;
	struct code *code;
	struct map *maps[1];
	int error;

	(void)state;
	assert_int_equal(engine_init(), 0);
	world.vcpus = vcpu_set_new(world.memory, 1);
	maps[0] = map_new(&array, world.memory, world.vcpus, &error);
	assert_non_null(maps[0]);
	judge(&judged, 8, 4);
	code = code_new(&judged.verified, &judged.spec, maps, &world, true, &error, NULL);
	assert_non_null(code);
	for (int interpreted = 0; interpreted < 2; interpreted++) {
		struct vm vm = { .world = &world, .cpu = vcpu_take(world.vcpus) };

		assert_int_equal(vm_run(&vm, code, interpreted), 77);
		vcpu_give(vm.cpu);
	}
	code_free(code, &world);
	judged_done(&judged);
}

static void map_struct__what_only_the_kernel_has_is_refused_by_the_engines(void **state)
{
	static const uint32_t offsets[] = { 0, 24 }; /* ops, and past struct bpf_map */
	struct vm_world world = { .memory = memory_new(0) };
	struct map *maps[1];
	int error;

	(void)state;
	world.vcpus = vcpu_set_new(world.memory, 1);
	maps[0] = map_new(&array, world.memory, world.vcpus, &error);
	for (unsigned i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct skep_diag *diag = skep_diag_new();
		struct judged judged;

		judge(&judged, offsets[i], i == 0 ? 8 : 4);
		assert_true(judged.verified.facts[2].foreign_map);
		assert_null(code_new(&judged.verified, &judged.spec, maps, &world, true, &error,
				     diag));
		assert_int_equal(error, -EOPNOTSUPP);
		assert_int_equal(skep_diag_get(diag, 0)->code, SKEP_ENGINE_ADDRESS);
		judged_done(&judged);
		skep_diag_free(diag);
	}
}

static void variable__what_is_none_is_refused_even_where_no_path_leads(void **state)
{
	struct skep_insn insns[] = {
		{ .code = 0xb7 }, { .code = 0x15, .off = 2 },
		{ .code = 0x18, .dst = 1, .src = 3, .imm = 4 }, { 0 }, { .code = 0x95 },
	};
	struct prog_spec spec = {
		.name = "dead", .section = "", .object = "", .license = "GPL", .insns = insns,
		.type = prog_type_by_name("socket_filter"), .len = ARRAY_SIZE(insns),
		.kernel_btf = kernel_types(),
	};
	struct skep_verify_opts opts = { 0 };
	struct skep_verify_result result = { 0 };

	(void)state;
	assert_int_equal(verify(&spec, &opts, &result, NULL, NULL), 0);
	assert_int_equal(result.error, -EINVAL);
	assert_string_equal(result.message,
			    "pseudo btf_id 4 in ldimm64 isn't KIND_VAR or KIND_FUNC");
	skep_verify_result_done(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map_struct__a_field_that_maps_here_have_is_read_where_it_is),
		cmocka_unit_test(map_struct__a_program_that_reads_one_runs_with_its_value),
		cmocka_unit_test(map_struct__what_only_the_kernel_has_is_refused_by_the_engines),
		cmocka_unit_test(variable__what_is_none_is_refused_even_where_no_path_leads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
