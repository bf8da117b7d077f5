/* SPDX-License-Identifier: BSD-2-Clause */
/* test_print.c - types as C and as raw lines; a compiler judges the C. */
#include "build.h"

#include <unistd.h>

static char *printed(const struct skep_btf *btf, uint32_t id)
{
	struct skep_text out = { 0 };

	skep_btf_print_type(btf, id, &out);
	assert_false(out.failed);
	return out.data;
}

static void expect_type(const struct skep_btf *btf, uint32_t id, const char *want)
{
	char *text = printed(btf, id);

	assert_string_equal(text, want);
	free(text);
}

static void print__declarators_grow_around_the_name(void **state)
{
	struct build b;
	struct skep_btf *btf;
	char text[64];

	(void)state;
	build_init(&b);
	build_int(&b, "int", 4, 1);                 /* 1 */
	build_int(&b, "char", 1, 1);                /* 2 */
	build_ref(&b, NULL, BTF_CONST, 2);          /* 3 */
	build_ref(&b, NULL, BTF_PTR, 3);            /* 4: const char * */
	build_ref(&b, NULL, BTF_CONST, 4);          /* 5: const char * const */
	build_proto(&b, 4, 1, 5);                   /* 6: const char *(int, const char * const) */
	build_ref(&b, NULL, BTF_PTR, 6);            /* 7 */
	build_array(&b, 7, 1, 3);                   /* 8: array of 3 of those */
	build_ref(&b, NULL, BTF_PTR, 8);            /* 9: pointer to the array */
	build_ref(&b, "table_t", BTF_TYPEDEF, 9);   /* 10 */
	build_array(&b, 2, 1, 4);                   /* 11 */
	build_array(&b, 11, 1, 5);                  /* 12: char [5][4] */
	build_ref(&b, "grid_t", BTF_TYPEDEF, 12);   /* 13 */
	build_ref(&b, "user", BTF_TYPE_TAG, 1);     /* 14 */
	build_ref(&b, NULL, BTF_PTR, 14);           /* 15 */
	build_ref(&b, "tagged_t", BTF_TYPEDEF, 15); /* 16 */
	build_proto(&b, 0, 0, 0);                   /* 17: void (void) */
	build_type(&b, "fn", BTF_FUNC, false, 1, 17); /* 18 */
	build_ref(&b, NULL, BTF_CONST, 11);         /* 19: const of an array */
	build_ref(&b, "text_t", BTF_TYPEDEF, 19);   /* 20 */
	btf = build_open(&b);
	expect_type(btf, 10, "typedef const char * (*(*table_t)[3])(int a, const char * const b);\n");
	expect_type(btf, 13, "typedef char grid_t[5][4];\n");
	expect_type(btf, 16, "typedef __attribute__((btf_type_tag(\"user\"))) int *tagged_t;\n");
	expect_type(btf, 18, "void fn(void);\n");
	expect_type(btf, 20, "typedef const char text_t[4];\n");
	assert_int_equal(btf_type_text(btf, 5, text, sizeof(text)), strlen("const char * const"));
	assert_string_equal(text, "const char * const");
	assert_int_equal(btf_type_text(btf, 9, text, 8), strlen("const char * (*(*)[3])(int a, "
								 "const char * const b)"));
	assert_string_equal(text, "const c");
	skep_btf_unref(btf);
}

static void print__gaps_are_filled_and_misfits_packed(void **state)
{
	struct build b;
	struct skep_btf *btf;

	(void)state;
	build_init(&b);
	build_int(&b, "int", 4, 1);
	build_int(&b, "char", 1, 1);
	build_int(&b, "long", 8, 1);
	build_struct(&b, "gap", 24, { "a", 1, 0, 0 }, { "b", 1, 96, 0 });          /* 4 */
	build_struct(&b, "tight", 5, { "c", 2, 0, 0 }, { "i", 1, 8, 0 });          /* 5 */
	build_struct(&b, "bits", 8, { "x", 1, 0, 3 }, { "y", 1, 8, 5 }, { "z", 1, 32, 32 }); /* 6 */
	build_union(&b, "wide", 16, { "i", 1, 0, 0 }, { "", 8, 0, 0 });            /* 7 */
	build_struct(&b, NULL, 2, { "p", 2, 0, 0 }, { "q", 2, 8, 0 });             /* 8 */
	build_enum(&b, "small", BTF_ENUM, false, 1, { "A", 0 });                   /* 9 */
	build_enum(&b, "big", BTF_ENUM64, true, 8, { "B", -1 });                   /* 10 */
	build_struct(&b, "none", 0, { NULL, UINT32_MAX, 0, 0 });                   /* 11 */
	build_struct(&b, "hole", 16777216, { "a", 2, 0, 0 }, { "b", 1, 134217600, 0 }); /* 12 */
	btf = build_open(&b);
	expect_type(btf, 4, "struct gap {\n\tint a;\n\tint: 32;\n\tint: 32;\n\tint b;\n\tlong: 64;\n};\n");
	expect_type(btf, 5, "struct tight {\n\tchar c;\n\tint i;\n} __attribute__((packed));\n");
	expect_type(btf, 6, "struct bits {\n\tint x: 3;\n\tchar: 5;\n\tint y: 5;\n\tint z: 32;\n};\n");
	expect_type(btf, 7, "union wide {\n\tint i;\n\tstruct {\n\t\tchar p;\n\t\tchar q;\n\t};\n"
			    "\tunsigned char __size[16];\n};\n");
	expect_type(btf, 9, "enum small {\n\tA = 0,\n} __attribute__((mode(byte)));\n");
	expect_type(btf, 10, "enum big {\n\tB = -1LL,\n} __attribute__((mode(word)));\n");
	expect_type(btf, 11, "struct none {};\n");
	expect_type(btf, 12, "struct hole {\n\tchar a;\n\tunsigned char __pad1[16777199];\n"
			     "\tint b;\n\tlong: 64;\n};\n");
	skep_btf_unref(btf);
}

static void print__raw_lines_are_bpftools(void **state)
{
	struct build b;
	struct skep_btf *btf;
	struct skep_text out = { 0 };

	(void)state;
	build_init(&b);
	build_int(&b, "int", 4, 1);
	build_struct(&b, "s", 8, { "a", 1, 0, 0 }, { "b", 1, 32, 7 });
	build_enum(&b, NULL, BTF_ENUM64, true, 8, { "M", -2 });
	build_type(&b, "f", BTF_FWD, true, 0, 0);
	btf = build_open(&b);
	for (uint32_t id = 1; id <= 4; id++)
		skep_btf_print_raw(btf, id, &out);
	assert_string_equal(out.data,
		"[1] INT 'int' size=4 bits_offset=0 nr_bits=32 encoding=SIGNED\n"
		"[2] STRUCT 's' size=8 vlen=2\n"
		"\t'a' type_id=1 bits_offset=0\n"
		"\t'b' type_id=1 bits_offset=32 bitfield_size=7\n"
		"[3] ENUM64 '(anon)' encoding=SIGNED size=8 vlen=1\n"
		"\t'M' val=-2LL\n"
		"[4] FWD 'f' fwd_kind=union\n");
	text_done(&out);
	skep_btf_unref(btf);
}

/* --- whole headers, compiled --- */

static bool is_ident(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
		     strlen(s);
}

static bool only_one(const struct skep_btf *btf, uint32_t id)
{
	const char *name = skep_btf_type_name(btf, id);
	unsigned kind = btf_kind(btf_type(btf, id));

	return is_ident(name) && skep_btf_find(btf, name, kind) == id &&
	       !btf_find_from(btf, name, kind, id + 1) &&
	       !skep_btf_find(btf, name, kind == BTF_STRUCT ? BTF_UNION : BTF_STRUCT) &&
	       !skep_btf_find(btf, name, BTF_ENUM);
}

/* Claims about every record whose name is its own; returns how many. */
static uint32_t write_claims(const struct skep_btf *btf, FILE *file)
{
	uint32_t claims = 0;

	for (uint32_t id = 1; id <= skep_btf_count(btf); id++) {
		const struct btf_type *t = btf_type(btf, id);
		const struct btf_member *m = btf_data(t);
		const char *word = btf_kind(t) == BTF_STRUCT ? "struct" : "union";

		if ((btf_kind(t) != BTF_STRUCT && btf_kind(t) != BTF_UNION) || !only_one(btf, id))
			continue;
		fprintf(file, "_Static_assert(sizeof(%s %s) == %u, \"%u\");\n", word,
			btf_name(btf, t), t->size, id);
		claims++;
		for (uint32_t i = 0; i < btf_vlen(t); i++) {
			const char *name = btf_str(btf, m[i].name_off);

			if (!is_ident(name) || btf_member_bit_size(t, i))
				continue;
			fprintf(file, "_Static_assert(__builtin_offsetof(%s %s, %s) == %u, \"\");\n",
				word, btf_name(btf, t), name, btf_member_bit_off(t, i) / 8);
			claims++;
		}
	}
	return claims;
}

/* Prints the header, and lets this compiler check it; returns the claims made. */
static uint32_t compile(const struct skep_btf *btf, const char *compiler)
{
	char path[] = "/tmp/print-btf-XXXXXX", command[256];
	struct skep_text out = { 0 };
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");
	uint32_t claims;

	assert_non_null(file);
	assert_int_equal(skep_btf_print_c(btf, &out, NULL), 0);
	fwrite(out.data, 1, out.len, file);
	text_done(&out);
	claims = write_claims(btf, file);
	assert_int_equal(fclose(file), 0);
	snprintf(command, sizeof(command), "%s -std=gnu11 -w -fsyntax-only -x c %s", compiler, path);
	if (system(command) != 0)
		fail_msg("%s refuses %s", compiler, path);
	unlink(path);
	return claims;
}

static bool have(const char *compiler)
{
	char command[128];

	snprintf(command, sizeof(command), "command -v %s >/dev/null", compiler);
	return system(command) == 0;
}

static void print__a_header_of_awkward_types_compiles(void **state)
{
	struct build b;
	struct skep_btf *btf;

	(void)state;
	build_init(&b);
	build_int(&b, "int", 4, 1);
	build_int(&b, "u8", 1, 0);                                          /* 2: Rust's */
	build_struct(&b, "a", 16, { "b", 4, 0, 0 }, { "next", 5, 64, 0 });  /* 3: needs b first */
	build_struct(&b, "b", 8, { "x", 1, 0, 0 }, { "y", 2, 32, 0 });      /* 4 */
	build_ref(&b, NULL, BTF_PTR, 3);                                    /* 5 */
	build_struct(&b, "b", 12, { "other", 1, 64, 0 });                   /* 6: another b */
	build_struct(&b, "Option<u8>", 2, { "type", 2, 0, 0 }, { "int", 2, 8, 0 }); /* 7 */
	build_enum(&b, NULL, BTF_ENUM, false, 4, { "SAME", 1 });            /* 8 */
	build_enum(&b, "again", BTF_ENUM, false, 4, { "SAME", 2 });         /* 9 */
	build_ref(&b, "SAME", BTF_TYPEDEF, 1);                              /* 10 */
	build_ref(&b, "fn_t", BTF_TYPEDEF, 12);                             /* 11 */
	build_ref(&b, NULL, BTF_PTR, 13);                                   /* 12 */
	build_proto(&b, 5, 14, 1);                                          /* 13 */
	build_ref(&b, NULL, BTF_PTR, 15);                                   /* 14 */
	build_struct(&b, "late", 40, { "fn", 11, 0, 0 }, { "v", 16, 64, 0 }, { "f", 17, 192, 0 },
		     { "s", 18, 256, 0 });                                  /* 15 */
	build_ref(&b, "void_fn_user", BTF_TYPEDEF, 6);                      /* 16: 12 bytes at 8 */
	build_type(&b, "double", BTF_FLOAT, false, 0, 8);                   /* 17 */
	build_ref(&b, NULL, BTF_PTR, 19);                                   /* 18 */
	build_type(&b, "unknown", BTF_FWD, false, 0, 0);                    /* 19 */
	btf = build_open(&b);
	if (have("gcc"))
		assert_true(compile(btf, "gcc") >= 7);
	if (have("clang"))
		assert_true(compile(btf, "clang -target bpf") >= 7);
	skep_btf_unref(btf);
}

static void print__the_running_kernels_header_compiles(void **state)
{
	struct skep_btf *btf = access("/sys/kernel/btf/vmlinux", R_OK) ? NULL :
			       skep_btf_open_kernel(NULL);

	(void)state;
	if (!btf) {
		print_message("skipped: this kernel does not show its types\n");
		skip();
	}
	if (have("gcc"))
		assert_true(compile(btf, "gcc") > 10000);
	if (have("clang"))
		assert_true(compile(btf, "clang") > 10000);
	skep_btf_unref(btf);
}

static void print__anonymous_records_that_point_to_themselves_end(void **state)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_text out = { 0 };
	struct build b;
	struct skep_btf *btf;
	char *text;

	(void)state;
	build_init(&b);
	build_struct(&b, NULL, 8, { "self", 2, 0, 0 });
	build_ref(&b, NULL, BTF_PTR, 1);
	build_ref(&b, "t", BTF_TYPEDEF, 1);
	btf = build_open(&b);
	assert_int_equal(skep_btf_print_c(btf, &out, diag), -E2BIG);
	assert_int_equal(skep_diag_get(diag, 0)->code, SKEP_BTF_DEEP);
	assert_null(out.data);
	text = printed(btf, 3);
	assert_true(strlen(text) < 100000);
	free(text);
	skep_btf_unref(btf);
	skep_diag_free(diag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(print__declarators_grow_around_the_name),
		cmocka_unit_test(print__gaps_are_filled_and_misfits_packed),
		cmocka_unit_test(print__raw_lines_are_bpftools),
		cmocka_unit_test(print__a_header_of_awkward_types_compiles),
		cmocka_unit_test(print__the_running_kernels_header_compiles),
		cmocka_unit_test(print__anonymous_records_that_point_to_themselves_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
