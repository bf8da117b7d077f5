/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ext.c - .BTF.ext: lists of records of any size, and everything wrong with them. */
#include "build.h"

#include <errno.h>

static struct skep_btf *btf;

static int setup(void **state)
{
	struct build b;

	(void)state;
	build_init(&b);
	build_int(&b, "xdp", 4, 0); /* "xdp" is at 1 in the strings */
	btf = build_open(&b);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	skep_btf_unref(btf);
	return 0;
}

/* Header of 32 bytes, then the words of all lists. */
static size_t make(uint32_t *out, const uint32_t *words, size_t count, uint32_t funcs,
		   uint32_t lines, uint32_t relos)
{
	uint32_t header[8] = { 0x0001eb9f, 32, 0, funcs, funcs, lines, funcs + lines, relos };

	memcpy(out, header, sizeof(header));
	memcpy(out + 8, words, count * 4);
	return sizeof(header) + count * 4;
}

static const uint32_t good[] = {
	8, 1, 2, 0, 7, 40, 8,                  /* functions: xdp, two records */
	20, 1, 1, 16, 2, 3, 4, 99,             /* lines: records with a field more */
	16, 1, 1, 24, 5, 6, 2,                 /* relocations */
};

static void check_good(const struct btf_ext *ext)
{
	const struct btf_ext_func *funcs = ext->funcs[0].records;
	const struct btf_ext_line *lines = ext->lines[0].records;
	const struct btf_core_relo *relos = ext->relos[0].records;

	assert_int_equal(ext->func_count, 1);
	assert_int_equal(ext->line_count, 1);
	assert_int_equal(ext->relo_count, 1);
	assert_string_equal(ext->funcs[0].section, "xdp");
	assert_int_equal(ext->funcs[0].count, 2);
	assert_int_equal(funcs[1].insn_off, 40);
	assert_int_equal(funcs[1].type_id, 8);
	assert_int_equal(lines[0].insn_off, 16);
	assert_int_equal(lines[0].line_col, 4);
	assert_int_equal(relos[0].type_id, 5);
	assert_int_equal(relos[0].kind, 2);
}

static void ext__gives_records_of_any_size(void **state)
{
	uint32_t bytes[64];
	size_t size = make(bytes, good, ARRAY_SIZE(good), 28, 32, 28);
	struct btf_ext ext;

	(void)state;
	assert_int_equal(btf_ext_open(btf, bytes, size, &ext, NULL), 0);
	check_good(&ext);
	btf_ext_done(&ext);
}

static void ext__reads_the_other_byte_order(void **state)
{
	uint32_t bytes[64];
	size_t size = make(bytes, good, ARRAY_SIZE(good), 28, 32, 28);
	struct btf_ext ext;

	(void)state;
	for (size_t i = 1; i < size / 4; i++)
		bytes[i] = __builtin_bswap32(bytes[i]);
	memcpy(bytes, "\xeb\x9f\1\0", 4);
	assert_int_equal(btf_ext_open(btf, bytes, size, &ext, NULL), 0);
	check_good(&ext);
	btf_ext_done(&ext);
}

static void ext__knows_headers_without_relocations(void **state)
{
	static const uint32_t old[] = { 0x0001eb9f, 24, 0, 20, 20, 0, 8, 1, 1, 8, 9 };
	struct btf_ext ext;

	(void)state;
	assert_int_equal(btf_ext_open(btf, old, sizeof(old), &ext, NULL), 0);
	assert_int_equal(ext.func_count, 1);
	assert_int_equal(ext.relo_count, 0);
	btf_ext_done(&ext);
}

static void ext__refuses_damage_and_leaves_its_output_alone(void **state)
{
	static const struct { size_t word; uint32_t value; } cases[] = {
		{ 0, 0x0001eb9e }, { 0, 0x0002eb9f }, { 1, 20 }, { 1, 1000 }, { 3, 1u << 31 },
		{ 3, 27 }, { 5, 2 }, { 6, UINT32_MAX - 3 }, { 8, 4 }, { 8, 9 }, { 8, UINT32_MAX },
		{ 10, 0 }, { 10, 3 }, { 10, UINT32_MAX }, { 17, UINT32_MAX / 8 },
	};
	uint32_t bytes[64];
	struct btf_ext ext;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t size = make(bytes, good, ARRAY_SIZE(good), 28, 32, 28);
		struct skep_diag *diag = skep_diag_new();

		memset(&ext, 0x5a, sizeof(ext));
		bytes[cases[i].word] = cases[i].value;
		if (btf_ext_open(btf, bytes, size, &ext, diag) != -EINVAL)
			fail_msg("case %zu was accepted", i);
		assert_int_equal(skep_diag_get(diag, 0)->code, SKEP_BTF_EXT_BAD);
		assert_int_equal(((unsigned char *)&ext)[0], 0x5a);
		skep_diag_free(diag);
	}
	for (size_t cut = 0; cut < 32 + sizeof(good); cut++) {
		make(bytes, good, ARRAY_SIZE(good), 28, 32, 28);
		assert_int_equal(btf_ext_open(btf, bytes, cut, &ext, NULL), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ext__gives_records_of_any_size),
		cmocka_unit_test(ext__reads_the_other_byte_order),
		cmocka_unit_test(ext__knows_headers_without_relocations),
		cmocka_unit_test(ext__refuses_damage_and_leaves_its_output_alone),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
