/* SPDX-License-Identifier: BSD-2-Clause */
/* test_link.c - programs put together from functions, externs and CO-RE. */
#include "fixture.h"

/* Links a program and checks that every local call goes to a function's start. */
static struct linked *linked(struct skep_object *object, const char *name)
{
	struct skep_object_prog *prog = prog_named(object, name);
	struct linked *l = &prog->linked;

	assert_int_equal(object_link(prog, NULL), 0);
	for (uint32_t i = 0; i < l->len; i++) {
		const struct skep_insn *insn = &l->insns[i];
		bool found = false;

		if (!(insn->code == 0x85 && insn->src == 1) &&
		    !(insn->code == 0x18 && insn->src == 4))
			continue;
		for (size_t n = 0; n < l->placed_count; n++)
			found |= l->placed[n].at == i + 1 + (uint32_t)insn->imm;
		assert_true(found);
	}
	return l;
}

static void assert_functions(struct skep_object *object, const char *name, const char *expected)
{
	struct linked *l = linked(object, name);
	char text[256] = "";

	for (size_t i = 0; i < l->placed_count; i++) {
		if (i)
			strcat(text, " ");
		strcat(text, skep_object_prog_subprog_at(prog_named(object, name),
							 l->placed[i].at));
	}
	assert_string_equal(text, expected);
}

static void link__functions_are_appended_once_in_the_order_they_are_met(void **state)
{
	struct skep_object *object = fixture_open(FIXTURE("subprogs"));

	(void)state;
	assert_functions(object, "one", "one leaf");
	assert_functions(object, "two", "two shared middle leaf concealed");
	assert_functions(object, "three", "three far_away shared middle leaf");
	assert_functions(object, "four", "four add_one");
	assert_functions(object, "five", "five");
	skep_object_free(object);
}

static void link__records_move_with_their_functions(void **state)
{
	struct skep_object *object = fixture_open(FIXTURE("subprogs"));
	struct linked *l = linked(object, "two");
	struct skep_object_prog *prog = prog_named(object, "two");
	struct skep_where where;

	(void)state;
	assert_int_equal(l->func_count, l->placed_count);
	for (uint32_t i = 0; i < l->func_count; i++) {
		const char *name = skep_object_prog_subprog_at(prog, l->funcs[i].insn);

		assert_int_equal(l->funcs[i].insn, l->placed[i].at);
		assert_string_equal(skep_btf_type_name(object->btf, l->funcs[i].type), name);
	}
	for (uint32_t i = 1; i < l->line_count; i++)
		assert_true(l->lines[i - 1].insn < l->lines[i].insn);
	assert_true(skep_object_prog_source(prog, l->placed[3].at + 1, &where));
	assert_non_null(strstr(where.text, "x * 3"));
	assert_non_null(strstr(where.file, "subprogs.bpf.c"));
	assert_false(skep_object_prog_source(prog, l->len, &where));
	assert_null(skep_object_prog_subprog_at(prog, 1));
	skep_object_free(object);
}

static void link__hidden_functions_are_static_to_the_verifier(void **state)
{
	struct skep_object *object = fixture_open(FIXTURE("subprogs"));
	const struct skep_btf *btf = object->btf;

	(void)state;
	assert_int_equal(btf_vlen(btf_type(btf, skep_btf_find(btf, "concealed", BTF_FUNC))), 0);
	assert_int_equal(btf_vlen(btf_type(btf, skep_btf_find(btf, "shared", BTF_FUNC))), 1);
	skep_object_free(object);
}

static void link__a_question_mark_means_not_loaded_by_itself(void **state)
{
	struct skep_object *object = fixture_open(FIXTURE("subprogs"));

	(void)state;
	assert_false(skep_object_prog_autoload(prog_named(object, "five")));
	assert_true(skep_object_prog_autoload(prog_named(object, "four")));
	assert_string_equal(skep_object_prog_section(prog_named(object, "five")), "raw_tp/five");
	assert_string_equal(skep_object_prog_target(prog_named(object, "five")), "five");
	skep_object_free(object);
}

static void link__global_data_is_a_map_and_an_offset(void **state)
{
	struct skep_object *object = fixture_open(FIXTURE("globals"));
	struct linked *l = linked(object, "count");
	unsigned seen = 0;

	(void)state;
	for (uint32_t i = 0; i < l->len; i++) {
		const struct skep_insn *insn = &l->insns[i];
		const struct skep_object_map *map;

		if (insn->code != 0x18)
			continue;
		assert_int_equal(insn->src, IMM64_MAP_INDEX_VALUE);
		map = object->maps.items[insn->imm];
		assert_true((uint32_t)insn[1].imm < map->spec.value_size);
		seen |= 1u << insn->imm;
		i++;
	}
	assert_true(__builtin_popcount(seen) >= 3);
	skep_object_free(object);
}

/* --- externs --- */

static void link__settings_are_found_or_zero_if_weak(void **state)
{
	struct skep_object *object = fixture_open(FIXTURE("externs"));
	struct skep_diag *diag = skep_diag_new();
	const struct skep_insn *insns;
	const uint8_t *data;
	uint32_t version;
	size_t count, size;

	(void)state;
	linked(object, "settings");
	data = skep_object_map_data(map_named(object, ".kconfig"), &size);
	for (size_t i = 0; i < object->externs.count; i++) {
		const struct object_extern *ext = &object->externs.items[i];

		if (strcmp(ext->name, "LINUX_KERNEL_VERSION") == 0) {
			memcpy(&version, data + ext->offset, 4);
			assert_true(version >> 16 >= 3);
		}
		if (strcmp(ext->name, "CONFIG_NO_SUCH_SETTING_NUMBER") == 0)
			assert_int_equal(*(const uint64_t *)(data + ext->offset), 0);
	}
	assert_int_equal(skep_object_prog_insns(prog_named(object, "strong"), &insns, &count, diag),
			 -ESRCH);
	assert_reported(diag, SKEP_OBJECT_EXTERN);
	skep_diag_free(diag);
	skep_object_free(object);
}

static void link__kernel_symbols_become_type_ids(void **state)
{
	struct skep_btf *kernel = fixture_btf(FIXTURE("kernel"));
	struct skep_object *object = fixture_open(FIXTURE("externs"));
	struct skep_diag *diag = skep_diag_new();
	const struct skep_insn *insns;
	unsigned seen = 0;
	size_t count;

	(void)state;
	skep_object_set_kernel_btf(object, kernel);
	assert_int_equal(skep_object_prog_insns(prog_named(object, "symbols"), &insns, &count,
						diag), 0);
	for (size_t i = 0; i < count; i++) {
		if (insns[i].code == 0x18 && insns[i].src == IMM64_BTF_ID) {
			assert_int_equal(insns[i].imm,
					 skep_btf_find(kernel, "known_variable", BTF_VAR));
			seen |= 1;
		} else if (insns[i].code == 0x18) {
			assert_int_equal(insns[i].src, 0); /* weak and unknown */
			assert_int_equal(insns[i].imm, 0);
			seen |= 2;
		} else if (insns[i].code == 0x85) {
			assert_int_equal(insns[i].src, 2);
			assert_int_equal(insns[i].imm,
					 skep_btf_find(kernel, "known_function", BTF_FUNC));
			seen |= 4;
		}
	}
	assert_int_equal(seen, 7);
	assert_int_equal(skep_object_prog_insns(prog_named(object, "missing"), &insns, &count,
						diag), -ESRCH);
	assert_reported(diag, SKEP_OBJECT_EXTERN);
	assert_non_null(strstr(skep_diag_get(diag, 0)->message,
			       "extern (func ksym) 'missing_function': not found"));
	/* A weak function that is not there: a call that must not be reached. */
	assert_int_equal(object_link(prog_named(object, "maybe"), NULL), 0);
	assert_int_equal(prog_named(object, "maybe")->linked.poisons.count, 1);
	skep_diag_free(diag);
	skep_object_free(object);
	skep_btf_unref(kernel);
}

/* --- CO-RE and attach targets --- */

static void link__field_accesses_follow_the_kernels_layout(void **state)
{
	struct skep_btf *kernel = fixture_btf(FIXTURE("kernel"));
	struct skep_object *object = fixture_open(FIXTURE("core"));
	struct linked *l;
	bool moved = false;

	(void)state;
	skep_object_set_kernel_btf(object, kernel);
	l = linked(object, "moved");
	for (uint32_t i = 0; i < l->len; i++)
		moved |= (l->insns[i].code & 7) == 1 && l->insns[i].off == 16;
	assert_true(moved);
	assert_int_equal(l->poisons.count, 0);
	l = linked(object, "broken");
	assert_int_equal(l->poisons.count, 1);
	assert_int_equal(l->insns[l->poisons.items[0].insn].imm, CORE_POISON_HELPER);
	assert_non_null(strstr(l->poisons.items[0].why, "gone"));
	skep_object_free(object);
	skep_btf_unref(kernel);
}

static void link__other_types_relocate_anew(void **state)
{
	struct skep_btf *kernel = fixture_btf(FIXTURE("kernel"));
	struct skep_object *object = fixture_open(FIXTURE("core"));

	(void)state;
	skep_object_set_kernel_btf(object, kernel);
	assert_int_equal(linked(object, "broken")->poisons.count, 1);
	skep_object_set_kernel_btf(object, skep_object_btf(object)); /* has the field */
	assert_int_equal(linked(object, "broken")->poisons.count, 0);
	/* NULL: the running kernel's again, which has nothing of the kind. */
	skep_object_set_kernel_btf(object, NULL);
	assert_int_equal(linked(object, "broken")->poisons.count, 1);
	skep_object_set_kernel_btf(object, NULL);
	assert_int_equal(linked(object, "broken")->poisons.count, 1);
	skep_object_free(object);
	skep_btf_unref(kernel);
}

static struct prog_spec spec_of(struct skep_object *object, const char *name)
{
	struct prog_spec spec = { 0 };

	assert_int_equal(object_prog_spec(prog_named(object, name), NULL, &spec, NULL), 0);
	return spec;
}

static void target__is_found_in_the_kernels_types(void **state)
{
	struct skep_btf *kernel = fixture_btf(FIXTURE("kernel"));
	struct skep_object *object = fixture_open(FIXTURE("core"));
	struct prog_spec spec;

	(void)state;
	skep_object_set_kernel_btf(object, kernel);
	spec = spec_of(object, "moved");
	assert_int_equal(spec.attach_btf_id, skep_btf_find(kernel, "btf_trace_thing", BTF_TYPEDEF));
	assert_string_equal(spec.attach_name, "thing");
	assert_int_equal(spec.attach, BPF_TRACE_RAW_TP);
	spec = spec_of(object, "sleepy");
	assert_int_equal(spec.attach_btf_id, skep_btf_find(kernel, "bpf_lsm_thing_open", BTF_FUNC));
	assert_int_equal(spec.flags, BPF_F_SLEEPABLE);
	assert_string_equal(spec.license, "GPL");
	spec = spec_of(object, "ops_open");
	assert_int_equal(spec.attach_btf_id, skep_btf_find(kernel, "ops", BTF_STRUCT));
	assert_int_equal(spec.attach, 1); /* the second member there, the first here */
	assert_string_equal(spec.attach_name, "open");
	assert_int_equal(map_named(object, "my_ops")->spec.struct_ops_type,
			 skep_btf_find(kernel, "bpf_struct_ops_ops", BTF_STRUCT));
	skep_object_free(object);
	skep_btf_unref(kernel);
}

static void target__that_is_missing_is_named(void **state)
{
	static const struct { const char *prog, *words; enum skep_code code; } cases[] = {
		{ "lost", "no_such_function", SKEP_OBJECT_ATTACH },
		{ "nowhere", "no BTF-based attach target is specified", SKEP_OBJECT_ATTACH },
		{ "unreferenced", "isn't referenced anywhere", SKEP_OBJECT_STRUCT_OPS },
		{ "odd", "missing BPF prog type, check ELF section name 'no_such_type'",
		  SKEP_OBJECT_SECTION },
	};
	struct skep_btf *kernel = fixture_btf(FIXTURE("kernel"));
	struct skep_object *object = fixture_open(FIXTURE("core"));

	(void)state;
	skep_object_set_kernel_btf(object, kernel);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct skep_diag *diag = skep_diag_new();
		struct prog_spec spec;

		assert_true(object_prog_spec(prog_named(object, cases[i].prog), NULL, &spec, diag) <
			    0);
		assert_reported(diag, cases[i].code);
		assert_non_null(strstr(skep_diag_get(diag, 0)->message, cases[i].words));
		skep_diag_free(diag);
	}
	skep_object_free(object);
	skep_btf_unref(kernel);
}

/* Relocations, externs and helpers that return kernel objects name types; plain probes do not. */
static void link__the_kernels_types_are_read_where_something_names_them(void **state)
{
	static const struct { const char *path; bool names; } rows[] = {
		{ FIXTURE("globals"), false }, { FIXTURE("tasks"), true },
		{ FIXTURE("core"), true },     { FIXTURE("kernel"), false },
		{ FIXTURE("externs"), true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct skep_object *object = fixture_open(rows[i].path);

		if (object_names_kernel_types(object) != rows[i].names)
			fail_msg("%s", rows[i].path);
		skep_object_free(object);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link__the_kernels_types_are_read_where_something_names_them),
		cmocka_unit_test(link__functions_are_appended_once_in_the_order_they_are_met),
		cmocka_unit_test(link__records_move_with_their_functions),
		cmocka_unit_test(link__hidden_functions_are_static_to_the_verifier),
		cmocka_unit_test(link__a_question_mark_means_not_loaded_by_itself),
		cmocka_unit_test(link__global_data_is_a_map_and_an_offset),
		cmocka_unit_test(link__settings_are_found_or_zero_if_weak),
		cmocka_unit_test(link__kernel_symbols_become_type_ids),
		cmocka_unit_test(link__field_accesses_follow_the_kernels_layout),
		cmocka_unit_test(link__other_types_relocate_anew),
		cmocka_unit_test(target__is_found_in_the_kernels_types),
		cmocka_unit_test(target__that_is_missing_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
