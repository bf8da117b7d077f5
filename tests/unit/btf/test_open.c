/* SPDX-License-Identifier: BSD-2-Clause */
/* test_open.c - opening BTF: good bytes in either byte order, and every kind of bad ones. */
#include "build.h"

#include <unistd.h>

#include "btf/impl.h"

static void sample(struct build *b)
{
	uint32_t u32, ch, arr, s;

	build_init(b);
	u32 = build_int(b, "unsigned int", 4, 0);            /* 1 */
	ch = build_int(b, "char", 1, BTF_INT_SIGNED);        /* 2 */
	arr = build_array(b, ch, u32, 16);                   /* 3 */
	s = build_struct(b, "task", 29, { "pid", u32, 0, 0 }, { "comm", arr, 32, 0 },
			 { "flags", u32, 160, 3 }, { "state", u32, 163, 5 },
			 { "next", 6, 168, 0 });             /* 4, packed */
	build_ref(b, "task_t", BTF_TYPEDEF, s);              /* 5 */
	build_ref(b, NULL, BTF_PTR, 5);                      /* 6 */
	build_enum(b, "colour", BTF_ENUM, false, 4, { "RED", 0 }, { "BLUE", 7 }); /* 7 */
	build_enum(b, "wide", BTF_ENUM64, true, 8, { "MINUS", -1 }, { "HUGE", 1ll << 40 }); /* 8 */
	build_proto(b, u32, 6, 7);                           /* 9 */
	build_type(b, "run", BTF_FUNC, false, 1, 9);         /* 10 */
	build_type(b, "kfunc", BTF_DECL_TAG, false, 0, 10);  /* 11 */
	build_word(b, UINT32_MAX);
	build_type(b, "arg:first", BTF_DECL_TAG, false, 0, 10); /* 12 */
	build_word(b, 0);
	build_ref(b, NULL, BTF_CONST, 1);                    /* 13 */
	build_type(b, "later", BTF_FWD, true, 0, 0);         /* 14 */
	build_type(b, "double", BTF_FLOAT, false, 0, 8);     /* 15 */
}

static void swap_words(unsigned char *p, size_t count)
{
	for (size_t i = 0; i < count; i++, p += 4) {
		unsigned char t[4] = { p[3], p[2], p[1], p[0] };

		memcpy(p, t, 4);
	}
}

static void check_sample(const struct skep_btf *btf)
{
	assert_int_equal(skep_btf_count(btf), 15);
	assert_int_equal(skep_btf_find(btf, "task", BTF_STRUCT), 4);
	assert_int_equal(skep_btf_find(btf, "task", BTF_UNION), 0);
	assert_int_equal(skep_btf_find(btf, "colour", 0), 7);
	assert_int_equal(skep_btf_find(btf, "none", 0), 0);
	assert_int_equal(skep_btf_size(btf, 4), 29);
	assert_int_equal(skep_btf_size(btf, 3), 16);
	assert_int_equal(skep_btf_size(btf, 6), 8);
	assert_int_equal(skep_btf_size(btf, 9), -ENOENT);
	assert_int_equal(btf_align(btf, 4), 1); /* next lies at 21: packed */
	assert_int_equal(btf_align(btf, 13), 4);
	assert_int_equal(btf_member_bit_off(btf_type(btf, 4), 3), 163);
	assert_int_equal(btf_member_bit_size(btf_type(btf, 4), 3), 5);
	assert_true(btf_enum_value(btf_type(btf, 8), 0) == UINT64_MAX);
	assert_true(btf_enum_value(btf_type(btf, 8), 1) == 1ull << 40);
	assert_string_equal(btf_decl_tag(btf, 10, -1, "kfunc"), "");
	assert_string_equal(btf_decl_tag(btf, 10, 0, "arg:"), "first");
	assert_null(btf_decl_tag(btf, 10, 1, "arg:"));
	assert_null(btf_decl_tag(btf, 9, -1, ""));
}

static void open__gives_every_type(void **state)
{
	struct build b;
	struct skep_btf *btf;

	(void)state;
	sample(&b);
	btf = build_open(&b);
	check_sample(btf);
	skep_btf_unref(btf);
}

static void open__reads_the_other_byte_order(void **state)
{
	unsigned char bytes[8192];
	struct build b;
	struct skep_btf *btf;
	size_t size;

	(void)state;
	sample(&b);
	size = build_bytes(&b, bytes, sizeof(bytes));
	bytes[0] = 0xeb;
	bytes[1] = 0x9f;
	swap_words(bytes + 4, 5 + b.len);
	btf = skep_btf_open(bytes, size, NULL, "other", NULL);
	assert_non_null(btf);
	check_sample(btf);
	skep_btf_unref(btf);
}

static void open__accepts_a_longer_header_with_a_layout_section(void **state)
{
	static const uint32_t magic[] = { 0x0001eb9f, 32 };
	unsigned char bytes[8192], old[8192];
	uint32_t words[8];
	struct build b;
	struct skep_btf *btf;
	size_t size;

	(void)state;
	sample(&b);
	size = build_bytes(&b, old, sizeof(old));
	memcpy(words, old, 24);
	memcpy(words, magic, 8);
	words[6] = words[4] + ((words[5] + 3) & ~3u); /* layout after the strings */
	words[7] = 80;
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, words, 32);
	memcpy(bytes + 32, old + 24, size - 24);
	btf = skep_btf_open(bytes, 32 + words[6] + 80, NULL, "new", NULL);
	assert_non_null(btf);
	check_sample(btf);
	skep_btf_unref(btf);
	assert_null(skep_btf_open(bytes, 32 + words[6] + 79, NULL, "short", NULL));
}

static void open__continues_a_base(void **state)
{
	struct build b, s;
	struct skep_btf *base, *split;

	(void)state;
	sample(&b);
	base = build_open(&b);
	build_init(&s);
	s.str_len = 0;
	s.str_base = b.str_len;
	s.count = b.count;
	build_struct(&s, "mod", 36, { "task", 4, 0, 0 }, { "n", 1, 32 * 8, 0 }); /* 16 */
	build_ref(&s, NULL, BTF_PTR, 16);                                        /* 17 */
	split = build_try(&s, base, NULL);
	assert_non_null(split);
	assert_int_equal(skep_btf_count(split), 17);
	assert_int_equal(skep_btf_find(split, "mod", 0), 16);
	assert_int_equal(skep_btf_find(split, "task", 0), 4);
	assert_string_equal(skep_btf_type_name(split, 4), "task");
	assert_int_equal(skep_btf_size(split, 16), 36);
	assert_string_equal(btf_decl_tag(split, 10, 0, "arg:"), "first");
	skep_btf_unref(base); /* split holds it */
	assert_string_equal(skep_btf_type_name(split, 5), "task_t");
	skep_btf_unref(split);
}

/* Opens what build made and expects a refusal that says this. */
static void refused(const struct build *b, const char *message)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_btf *btf = build_try(b, NULL, diag);

	assert_null(btf);
	assert_int_equal(skep_diag_count(diag), 1);
	assert_int_equal(skep_diag_get(diag, 0)->code, SKEP_BTF_BAD);
	if (!strstr(skep_diag_get(diag, 0)->message, message))
		fail_msg("'%s' does not say '%s'", skep_diag_get(diag, 0)->message, message);
	skep_diag_free(diag);
}

static void open__refuses_cycles(void **state)
{
	struct build b;

	(void)state;
	build_init(&b);
	build_struct(&b, "a", 8, { "b", 2, 0, 0 });
	build_struct(&b, "b", 8, { "a", 1, 0, 0 });
	refused(&b, "Loop detected");

	build_init(&b);
	build_ref(&b, NULL, BTF_CONST, 1);
	refused(&b, "Loop detected");

	build_init(&b);
	build_ref(&b, "t", BTF_TYPEDEF, 2);
	build_ref(&b, NULL, BTF_PTR, 1);
	refused(&b, "Loop detected");

	build_init(&b);
	build_array(&b, 1, 1, 1);
	refused(&b, "Loop detected");
}

static void open__accepts_a_record_that_points_to_itself(void **state)
{
	struct build b;
	struct skep_btf *btf;

	(void)state;
	build_init(&b);
	build_struct(&b, "list", 8, { "next", 2, 0, 0 });
	build_ref(&b, NULL, BTF_PTR, 1);
	btf = build_open(&b);
	assert_int_equal(skep_btf_size(btf, 1), 8);
	skep_btf_unref(btf);
}

static void open__refuses_nesting_without_end(void **state)
{
	struct build b;

	(void)state;
	build_init(&b);
	for (uint32_t i = 0; i < 400; i++)
		build_ref(&b, NULL, BTF_CONST, i + 2);
	build_int(&b, "int", 4, BTF_INT_SIGNED);
	refused(&b, "Exceeded max resolving depth");

	build_init(&b);
	build_int(&b, "int", 4, BTF_INT_SIGNED);
	for (uint32_t i = 0; i < 400; i++)
		build_ref(&b, NULL, BTF_PTR, i + 1);
	refused(&b, "Exceeded max resolving depth");
}

static void open__refuses_what_cannot_be(void **state)
{
	struct build b;

	(void)state;
	build_init(&b);
	build_ref(&b, NULL, BTF_PTR, 2);
	refused(&b, "[1] PTR (anon): Invalid type_id");

	build_init(&b);
	build_int(&b, "int", 4, 0);
	build_array(&b, 1, 1, 0x40000001);
	refused(&b, "Array size overflows u32");

	build_init(&b);
	build_int(&b, "int", 4, 0);
	build_struct(&b, "s", 4, { "x", 1, 8, 0 });
	refused(&b, "Member exceeds struct_size");

	build_init(&b);
	build_int(&b, "int", 4, 0);
	build_struct(&b, "s", 4, { "x", 1, 30, 3 });
	refused(&b, "Member exceeds struct_size");

	build_init(&b);
	build_type(&b, "f", BTF_FUNC, false, 0, 0);
	refused(&b, "Invalid type_id");

	build_init(&b);
	build_type(&b, "x", 20, false, 0, 0);
	refused(&b, "[1] Invalid kind:20");

	build_init(&b);
	build_type(&b, "s", BTF_STRUCT, false, 5, 4);
	refused(&b, "meta_needed:72");

	build_init(&b);
	build_type(&b, "int", BTF_INT, false, 0, 4);
	build_word(&b, 33);
	refused(&b, "nr_bits exceeds type_size");

	build_init(&b);
	build_int(&b, "int", 4, 0);
	build_type(&b, "tag", BTF_DECL_TAG, false, 0, 1);
	build_word(&b, UINT32_MAX);
	refused(&b, "Invalid type");

	build_init(&b);
	build_type(&b, NULL, BTF_FWD, false, 0, 0);
	refused(&b, "Invalid name");

	build_init(&b);
	build_int(&b, "int", 4, 0);
	b.words[0] = 1000;
	refused(&b, "Invalid name_offset");

	build_init(&b);
	build_type(&b, "fn", BTF_FUNC_PROTO, false, 0, 0);
	build_struct(&b, "s", 8, { "f", 1, 0, 0 });
	refused(&b, "Invalid member");
}

static void open__refuses_bad_headers(void **state)
{
	unsigned char good[8192], bytes[8192];
	struct build b;
	size_t size;
	static const struct { uint32_t at, word; } cases[] = {
		{ 0, 0x0001eb9e }, { 0, 0x0002eb9f }, { 0, 0x0101eb9f }, { 4, 20 }, { 4, 100000 },
		{ 4, UINT32_MAX }, { 8, 2 }, { 8, 1u << 31 }, { 12, UINT32_MAX & ~3u },
		{ 16, 0 }, { 16, UINT32_MAX }, { 20, UINT32_MAX }, { 20, 0 },
	};

	(void)state;
	sample(&b);
	size = build_bytes(&b, good, sizeof(good));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		memcpy(bytes, good, size);
		memcpy(bytes + cases[i].at, &cases[i].word, 4);
		if (skep_btf_open(bytes, size, NULL, "bad", NULL))
			fail_msg("case %zu was accepted", i);
	}
	for (size_t cut = 0; cut < size; cut++)
		assert_null(skep_btf_open(good, cut, NULL, "cut", NULL));
}

/* Whatever is accepted can be walked. Run under a sanitizer this finds more. */
static void walk(const struct skep_btf *btf)
{
	char text[256];

	for (uint32_t id = 0; id <= skep_btf_count(btf) + 1; id++) {
		const struct btf_type *t = btf_type(btf, id);
		bool is_signed;
		uint32_t bits;

		btf_type_text(btf, id, text, sizeof(text));
		skep_btf_size(btf, id);
		btf_align(btf, id);
		btf_is_int(btf, id, &is_signed, &bits);
		btf_decl_tag(btf, id, -1, "");
		for (uint32_t i = 0; i < btf_ref_count(t); i++)
			btf_skip_mods_and_typedefs(btf, btf_ref(t, i));
		if (*btf_name(btf, t))
			assert_true(skep_btf_find(btf, btf_name(btf, t), btf_kind(t)) <= id);
	}
}

static void open__survives_damage(void **state)
{
	unsigned char good[8192], bytes[8192];
	struct build b;
	size_t size;
	uint32_t seed = 1, accepted = 0;

	(void)state;
	sample(&b);
	size = build_bytes(&b, good, sizeof(good));
	for (int i = 0; i < 50000; i++) {
		struct skep_btf *btf;

		memcpy(bytes, good, size);
		for (int n = 0; n < 1 + i % 4; n++) {
			seed = seed * 1664525 + 1013904223;
			bytes[(seed >> 8) % size] = (unsigned char)(i % 3 ? 1u << (seed >> 29) : seed);
		}
		btf = skep_btf_open(bytes, size, NULL, "damaged", NULL);
		if (btf) {
			accepted++;
			walk(btf);
		}
		skep_btf_unref(btf);
	}
	assert_in_range(accepted, 1000, 49000);
}

static void open__reads_the_running_kernel(void **state)
{
	struct skep_btf *btf;

	(void)state;
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0) {
		print_message("skipped: this kernel does not show its types\n");
		skip();
	}
	btf = skep_btf_open_kernel(NULL);
	assert_non_null(btf);
	assert_true(skep_btf_find(btf, "task_struct", BTF_STRUCT));
	assert_true(skep_btf_size(btf, skep_btf_find(btf, "task_struct", 0)) > 1000);
	skep_btf_unref(btf);
}

/* The kernel's types, looked at only where one asks, and checked like anyone's. */
static void open__trusted_types_have_the_same_alignments(void **state)
{
	struct skep_btf *checked, *trusted;

	(void)state;
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0) {
		print_message("skipped: this kernel does not show its types\n");
		skip();
	}
	checked = skep_btf_open_file("/sys/kernel/btf/vmlinux", NULL, NULL);
	trusted = skep_btf_open_kernel(NULL);
	assert_non_null(checked);
	assert_non_null(trusted);
	assert_int_equal(skep_btf_count(checked), skep_btf_count(trusted));
	for (uint32_t id = 0; id <= skep_btf_count(checked) + 1; id++)
		if (btf_align(checked, id) != btf_align(trusted, id))
			fail_msg("type %u: %u, not %u", id, btf_align(trusted, id),
				 btf_align(checked, id));
	skep_btf_unref(trusted);
	skep_btf_unref(checked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open__gives_every_type),
		cmocka_unit_test(open__reads_the_other_byte_order),
		cmocka_unit_test(open__accepts_a_longer_header_with_a_layout_section),
		cmocka_unit_test(open__continues_a_base),
		cmocka_unit_test(open__refuses_cycles),
		cmocka_unit_test(open__accepts_a_record_that_points_to_itself),
		cmocka_unit_test(open__refuses_nesting_without_end),
		cmocka_unit_test(open__refuses_what_cannot_be),
		cmocka_unit_test(open__refuses_bad_headers),
		cmocka_unit_test(open__survives_damage),
		cmocka_unit_test(open__reads_the_running_kernel),
		cmocka_unit_test(open__trusted_types_have_the_same_alignments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
