/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_alloc.c - every allocation fails once: opening, printing and relocating
 * must then fail cleanly and leave nothing behind.
 */
#include "../failing_heap.h"
#include "build.h"

#include <errno.h>
#include <skep/insn.h>

static unsigned char bytes[8192];
static size_t size;

static int setup(void **state)
{
	struct build b;

	(void)state;
	build_init(&b);
	build_int(&b, "int", 4, 1);                                         /* 1 */
	build_int(&b, "char", 1, 1);                                        /* 2 */
	build_array(&b, 2, 1, 16);                                          /* 3 */
	build_struct(&b, "s", 24, { "a", 1, 0, 0 }, { "name", 3, 32, 0 }, { "", 5, 160, 0 }); /* 4 */
	build_union(&b, NULL, 4, { "x", 1, 0, 0 }, { "y", 2, 0, 0 });       /* 5 */
	build_struct(&b, "s", 4, { "other", 1, 0, 0 });                     /* 6 */
	build_enum(&b, "e", BTF_ENUM, false, 4, { "A", 1 }, { "B", 2 });    /* 7 */
	build_proto(&b, 1, 9, 1);                                           /* 8 */
	build_ref(&b, NULL, BTF_PTR, 4);                                    /* 9 */
	build_ref(&b, NULL, BTF_PTR, 8);                                    /* 10 */
	build_ref(&b, "fn_t", BTF_TYPEDEF, 10);                             /* 11 */
	build_type(&b, "f", BTF_FUNC, false, 1, 8);                         /* 12 */
	build_type(&b, "bpf_kfunc", BTF_DECL_TAG, false, 0, 12);            /* 13 */
	build_word(&b, UINT32_MAX);
	build_ref(&b, "0:1", BTF_TYPEDEF, 1);   /* 14: its name serves as an access path */
	size = build_bytes(&b, bytes, sizeof(bytes));
	return 0;
}

/* What is tried with an opened BTF; false when it says that it failed. */
typedef bool attempt_fn(const struct skep_btf *btf);

static bool open_only(const struct skep_btf *btf)
{
	(void)btf;
	return true;
}

static bool print_header(const struct skep_btf *btf)
{
	struct skep_text out = { 0 };
	int error = skep_btf_print_c(btf, &out, NULL);

	assert_true(error == 0 || error == -ENOMEM);
	assert_true(error == 0 || out.len == 0);
	text_done(&out);
	return error == 0;
}

static bool print_types(const struct skep_btf *btf)
{
	struct skep_text out = { 0 };
	bool good;

	for (uint32_t id = 1; id <= skep_btf_count(btf); id++) {
		skep_btf_print_type(btf, id, &out);
		skep_btf_print_raw(btf, id, &out);
	}
	good = !out.failed;
	text_done(&out);
	return good;
}

static bool print_value(const struct skep_btf *btf)
{
	static const char value[24] = "abcdefgh";
	struct skep_text out = { 0 };
	bool good;

	skep_btf_print_value(btf, 4, value, sizeof(value), SKEP_VALUE_JSON, &out);
	skep_btf_print_value(btf, 4, value, sizeof(value), 0, &out);
	good = !out.failed;
	text_done(&out);
	return good;
}

static bool relocate(const struct skep_btf *btf)
{
	struct core_target *target = core_target_new(btf);
	struct btf_core_relo relo = { 0, 4, btf_type(btf, 14)->name_off, 0 };
	struct skep_insn insn = { .code = 0xb7, .imm = 4 };
	char why[64];
	int error = -ENOMEM;

	if (target)
		error = core_relocate(target, btf, &relo, &insn, 1, 0, why, sizeof(why), NULL);
	assert_true(error == 0 || error == -ENOMEM);
	core_target_free(target);
	return error == 0;
}

/* Fails the first allocation, the second ... until a round needs no more. */
static void try_all(attempt_fn *attempt)
{
	long failures = 0;

	for (long n = 1;; n++) {
		struct skep_btf *btf;
		bool good;

		heap.count = heap.live = 0;
		heap.fail_at = n;
		btf = skep_btf_open(bytes, size, NULL, "alloc", NULL);
		good = btf && attempt(btf);
		heap.fail_at = 0;
		skep_btf_unref(btf);
		assert_int_equal(heap.live, 0);
		if (heap.count < n) {
			assert_true(good);
			break;
		}
		assert_false(good); /* nothing may be lost in silence */
		failures++;
		assert_in_range(n, 1, 100000);
	}
	assert_true(failures > 3);
}

static void alloc__opening_fails_cleanly(void **state)
{
	(void)state;
	try_all(open_only);
}

static void alloc__printing_fails_cleanly(void **state)
{
	(void)state;
	try_all(print_header);
	try_all(print_types);
	try_all(print_value);
}

static void alloc__relocating_fails_cleanly(void **state)
{
	(void)state;
	try_all(relocate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alloc__opening_fails_cleanly),
		cmocka_unit_test(alloc__printing_fails_cleanly),
		cmocka_unit_test(alloc__relocating_fails_cleanly),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
