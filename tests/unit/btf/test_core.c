/* SPDX-License-Identifier: BSD-2-Clause */
/* test_core.c - CO-RE: every kind of relocation, every kind of instruction, every failure. */
#include "build.h"

#include <skep/insn.h>
#include "btf/core.h"

enum { LDX_B = 0x71, LDX_H = 0x69, LDX_W = 0x61, LDX_DW = 0x79, ST_W = 0x62, STX_DW = 0x7b,
       MOV_IMM = 0xb7, MOV_REG = 0xbf, LD_IMM64 = 0x18, CALL = 0x85 };

/* The program's view and the kernel's; members moved, resized, nested. */
struct fixture {
	struct skep_btf *local, *kernel;
	struct core_target *target;
	struct skep_diag *diag;
	char access[16];
};

enum { /* ids of the local types */
	L_INT = 1, L_UINT, L_LONG, L_CHAR, L_COMM, L_TASK, L_PTR, L_COLOUR, L_GONE, L_BITS,
	L_WIDE, L_FLEX, L_FLEXARR, L_TASK_OLD, L_TASK_T, L_FN, L_FNPTR, L_MATCH, L_MATCH2,
};

static struct skep_btf *make_local(void)
{
	struct build b;

	build_init(&b);
	build_int(&b, "int", 4, 1);
	build_int(&b, "unsigned int", 4, 0);
	build_int(&b, "long", 8, 1);
	build_int(&b, "char", 1, 1);
	build_array(&b, L_CHAR, L_UINT, 16);
	build_struct(&b, "task", 48, { "pid", L_INT, 0, 0 }, { "flags", L_UINT, 32, 0 },
		     { "next", L_PTR, 64, 0 }, { "comm", L_COMM, 128, 0 },
		     { "lost", L_LONG, 256, 0 }, { "u", L_UINT, 320, 0 }, { "i", L_INT, 352, 0 });
	build_ref(&b, NULL, BTF_PTR, L_TASK);
	build_enum(&b, "colour", BTF_ENUM, false, 4, { "RED", 0 }, { "BLUE", 7 }, { "PINK", 9 },
		   { "DARK", -1 });
	build_struct(&b, "gone", 4, { "x", L_INT, 0, 0 });
	build_struct(&b, "bits", 8, { "a", L_UINT, 0, 3 }, { "b", L_INT, 3, 5 },
		     { "plain", L_UINT, 32, 0 });
	build_enum(&b, "wide___mine", BTF_ENUM64, false, 8, { "BIG", 1ll << 33 });
	build_struct(&b, "flex", 4, { "n", L_UINT, 0, 0 }, { "data", L_FLEXARR, 32, 0 });
	build_array(&b, L_UINT, L_UINT, 0);
	build_struct(&b, "task___old", 4, { "pid", L_INT, 0, 0 });
	build_ref(&b, "task_t", BTF_TYPEDEF, L_TASK);
	build_proto(&b, L_INT, L_PTR, L_INT);
	build_ref(&b, "fn_t", BTF_TYPEDEF, L_FN);
	build_struct(&b, "match", 8, { "x", L_INT, 0, 0 });
	build_struct(&b, "match___2", 8, { "x", L_UINT, 0, 0 });
	/* 20: two kernels' candidates disagree about twin */
	build_struct(&b, "twin", 8, { "x", L_INT, 0, 0 }, { "same", L_INT, 32, 0 });
	return build_open(&b);
}

enum {
	K_INT = 1, K_UINT, K_LONG, K_CHAR, K_COMM, K_TASK, K_PTR, K_COLOUR, K_BITS, K_WIDE, K_FLEX,
	K_FLEXARR, K_ULONG, K_ANON, K_TASK_T, K_FN, K_FN_T, K_MATCH, K_TWIN1, K_TWIN2,
};

static struct skep_btf *make_kernel(void)
{
	struct build b;

	build_init(&b);
	build_int(&b, "int", 4, 1);
	build_int(&b, "unsigned int", 4, 0);
	build_int(&b, "long int", 8, 1);
	build_int(&b, "char", 1, 1);
	build_array(&b, K_CHAR, K_UINT, 32);
	build_struct(&b, "task", 104, { "next", K_PTR, 0, 0 }, { "", K_ANON, 64, 0 },
		     { "flags", K_UINT, 128, 0 }, { "comm", K_COMM, 256, 0 },
		     { "u", K_ULONG, 640, 0 }, { "i", K_LONG, 704, 0 });
	build_ref(&b, NULL, BTF_PTR, K_TASK);
	build_enum(&b, "colour", BTF_ENUM, true, 4, { "DARK", -5 }, { "BLUE___x", 70 }, { "RED", 3 });
	build_struct(&b, "bits", 16, { "plain", K_UINT, 0, 0 }, { "a", K_UINT, 70, 9 },
		     { "b", K_INT, 96, 5 });
	build_enum(&b, "wide", BTF_ENUM64, false, 8, { "BIG", 1ll << 40 });
	build_struct(&b, "flex", 8, { "n", K_UINT, 0, 0 }, { "pad", K_UINT, 32, 0 },
		     { "data", K_FLEXARR, 64, 0 });
	build_array(&b, K_UINT, K_UINT, 0);
	build_int(&b, "long unsigned int", 8, 0);
	build_struct(&b, "", 8, { "tgid", K_INT, 0, 0 }, { "pid", K_INT, 32, 0 });
	build_ref(&b, "task_t", BTF_TYPEDEF, K_TASK);
	build_proto(&b, K_INT, K_PTR, K_INT);
	build_ref(&b, "fn_t", BTF_TYPEDEF, K_FN);
	build_struct(&b, "match", 8, { "y", K_INT, 0, 0 }, { "x", K_INT, 32, 0 });
	build_struct(&b, "twin", 8, { "x", K_INT, 0, 0 }, { "same", K_INT, 32, 0 });
	build_struct(&b, "twin___other", 8, { "x", K_INT, 32, 0 }, { "same", K_INT, 32, 0 });
	return build_open(&b);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->local = make_local();
	f->kernel = make_kernel();
	f->target = core_target_new(f->kernel);
	f->diag = skep_diag_new();
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	core_target_free(f->target);
	skep_btf_unref(f->local);
	skep_btf_unref(f->kernel);
	skep_diag_free(f->diag);
	free(f);
	return 0;
}

/*
 * The access string is looked for in the local strings; tests use paths that
 * a fresh BTF can hold, so the fixture keeps a split one with all of them.
 */
static uint32_t path_off(struct fixture *f, const char *path)
{
	static const char *const paths[] = { "0", "0:0", "0:1", "0:2", "0:3", "0:4", "0:5", "0:6",
		"0:3:2", "0:3:16", "0:1:9", "1", "2", "3", "1:0", "0:9", "", "0:", "x", "0:-1",
		"0:0:0", "7", "99999999999" };
	struct skep_btf *split;
	struct build b;
	uint32_t off = 0;

	build_init(&b);
	b.str_len = 0;
	b.str_base = f->local->start_str + f->local->str_len;
	b.count = skep_btf_count(f->local);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		uint32_t at = build_str(&b, paths[i]);

		if (strcmp(paths[i], path) == 0)
			off = at;
	}
	if (!f->local->base) {
		split = build_try(&b, f->local, NULL);
		assert_non_null(split);
		skep_btf_unref(f->local);
		f->local = split;
	} else {
		off = off ? off - b.str_base + f->local->start_str : 0;
	}
	return off;
}

struct done {
	int error;
	struct skep_insn insn[2];
	char why[160];
};

static struct done relocate(struct fixture *f, uint32_t kind, uint32_t type, const char *path,
			    struct skep_insn first, int32_t second_imm)
{
	struct btf_core_relo relo = { .type_id = type, .kind = kind };
	struct done done = { .insn = { first, { .imm = second_imm } } };

	skep_diag_clear(f->diag);
	relo.access_str_off = path_off(f, path);
	done.error = core_relocate(f->target, f->local, &relo, done.insn, 2, 0, done.why,
				   sizeof(done.why), f->diag);
	return done;
}

#define IMM(value) ((struct skep_insn){ .code = MOV_IMM, .imm = (value) })
#define MEM(op, displacement) ((struct skep_insn){ .code = (op), .off = (displacement) })

static void expect_imm(struct fixture *f, uint32_t kind, uint32_t type, const char *path,
		       int32_t before, int32_t after)
{
	struct done done = relocate(f, kind, type, path, IMM(before), 0);

	assert_int_equal(done.error, 0);
	assert_string_equal(done.why, "");
	assert_int_equal(done.insn[0].code, MOV_IMM);
	assert_int_equal(done.insn[0].imm, after);
}

static void expect_poison(struct done done, const char *why)
{
	assert_int_equal(done.error, 0);
	assert_int_equal(done.insn[0].code, CALL);
	assert_int_equal(done.insn[0].imm, CORE_POISON_HELPER);
	assert_string_equal(done.why, why);
}

static void core__byte_offset_finds_a_field_in_an_anonymous_member(void **state)
{
	struct done done = relocate(*state, CORE_FIELD_BYTE_OFFSET, L_TASK, "0:0", MEM(LDX_W, 0), 0);

	assert_int_equal(done.error, 0);
	assert_int_equal(done.insn[0].code, LDX_W);
	assert_int_equal(done.insn[0].off, 12);
	expect_imm(*state, CORE_FIELD_BYTE_OFFSET, L_TASK, "0:0", 0, 12);
}

static void core__byte_offset_moves_elements_and_whole_records(void **state)
{
	expect_imm(*state, CORE_FIELD_BYTE_OFFSET, L_TASK, "0:3:2", 18, 34);
	expect_imm(*state, CORE_FIELD_BYTE_OFFSET, L_TASK, "1:0", 48, 104 + 12);
	expect_imm(*state, CORE_FIELD_BYTE_OFFSET, L_TASK, "2", 96, 208);
	expect_imm(*state, CORE_FIELD_BYTE_OFFSET, L_FLEX, "0:1:9", 40, 44);
}

static void core__a_flavour_stands_for_its_type(void **state)
{
	expect_imm(*state, CORE_FIELD_BYTE_OFFSET, L_TASK_OLD, "0:0", 0, 12);
	expect_imm(*state, CORE_TYPE_EXISTS, L_TASK_OLD, "0", 1, 1);
}

static void core__byte_size_is_the_kernels(void **state)
{
	expect_imm(*state, CORE_FIELD_BYTE_SIZE, L_TASK, "0:3", 16, 32);
	expect_imm(*state, CORE_FIELD_BYTE_SIZE, L_TASK, "0:5", 4, 8);
	expect_imm(*state, CORE_FIELD_BYTE_SIZE, L_TASK, "0:3:2", 1, 1);
}

static void core__exists_answers_instead_of_poisoning(void **state)
{
	expect_imm(*state, CORE_FIELD_EXISTS, L_TASK, "0:0", 1, 1);
	expect_imm(*state, CORE_FIELD_EXISTS, L_TASK, "0:4", 1, 0);
	expect_imm(*state, CORE_FIELD_EXISTS, L_GONE, "0:0", 1, 0);
	expect_imm(*state, CORE_TYPE_EXISTS, L_TASK, "0", 1, 1);
	expect_imm(*state, CORE_TYPE_EXISTS, L_GONE, "0", 1, 0);
	expect_imm(*state, CORE_ENUMVAL_EXISTS, L_COLOUR, "1", 1, 1);
	expect_imm(*state, CORE_ENUMVAL_EXISTS, L_COLOUR, "2", 1, 0);
}

static void core__signed_and_shifts_follow_the_kernels_bit_field(void **state)
{
	/* a: bits 70..78 of the kernel's, in the 4 bytes at 8 */
	expect_imm(*state, CORE_FIELD_SIGNED, L_BITS, "0:0", 0, 0);
	expect_imm(*state, CORE_FIELD_SIGNED, L_BITS, "0:1", 1, 1);
	expect_imm(*state, CORE_FIELD_BYTE_OFFSET, L_BITS, "0:0", 0, 8);
	expect_imm(*state, CORE_FIELD_BYTE_SIZE, L_BITS, "0:0", 4, 4);
	expect_imm(*state, CORE_FIELD_LSHIFT_U64, L_BITS, "0:0", 61, 64 - (70 + 9 - 64));
	expect_imm(*state, CORE_FIELD_RSHIFT_U64, L_BITS, "0:0", 61, 64 - 9);
	/* a compiler may have chosen another unit: the old value does not bind */
	expect_imm(*state, CORE_FIELD_BYTE_SIZE, L_BITS, "0:0", 1, 4);
}

static void core__a_plain_field_may_have_become_a_bit_field(void **state)
{
	expect_imm(*state, CORE_FIELD_LSHIFT_U64, L_BITS, "0:2", 32, 32);
	expect_imm(*state, CORE_FIELD_RSHIFT_U64, L_BITS, "0:2", 32, 32);
}

static void core__type_ids_and_sizes(void **state)
{
	struct done done;

	expect_imm(*state, CORE_TYPE_ID_LOCAL, L_TASK, "0", 999, L_TASK);
	expect_imm(*state, CORE_TYPE_ID_TARGET, L_TASK, "0", L_TASK, K_TASK);
	expect_imm(*state, CORE_TYPE_ID_TARGET, L_GONE, "0", L_GONE, 0);
	expect_imm(*state, CORE_TYPE_SIZE, L_TASK, "0", 48, 104);
	expect_imm(*state, CORE_TYPE_SIZE, L_TASK_T, "0", 48, 104);
	expect_imm(*state, CORE_TYPE_SIZE, L_GONE, "0", 4, 0);
	done = relocate(*state, CORE_TYPE_ID_TARGET, L_TASK, "0",
			(struct skep_insn){ .code = LD_IMM64, .imm = L_TASK }, 0);
	assert_int_equal(done.error, 0);
	assert_int_equal(done.insn[0].imm, K_TASK);
	assert_int_equal(done.insn[1].imm, 0);
}

static void core__function_types_exist_when_their_parameters_agree(void **state)
{
	expect_imm(*state, CORE_TYPE_EXISTS, L_FNPTR, "0", 1, 1);
}

static void core__type_matches_compares_members(void **state)
{
	expect_imm(*state, CORE_TYPE_MATCHES, L_MATCH, "0", 1, 1);
	expect_imm(*state, CORE_TYPE_MATCHES, L_MATCH2, "0", 1, 0); /* unsigned there */
	expect_imm(*state, CORE_TYPE_MATCHES, L_TASK, "0", 1, 0);   /* lost is lost */
	expect_imm(*state, CORE_TYPE_MATCHES, L_GONE, "0", 1, 0);
	expect_imm(*state, CORE_TYPE_MATCHES, L_WIDE, "0", 1, 1);
	expect_imm(*state, CORE_TYPE_MATCHES, L_COLOUR, "0", 1, 0); /* PINK is not there */
}

static void core__enum_values_are_64_bits(void **state)
{
	struct done done;

	done = relocate(*state, CORE_ENUMVAL_VALUE, L_WIDE, "0",
			(struct skep_insn){ .code = LD_IMM64, .imm = 0 }, 2);
	assert_int_equal(done.error, 0);
	assert_int_equal(done.insn[0].imm, 0);
	assert_int_equal(done.insn[1].imm, 256);
	done = relocate(*state, CORE_ENUMVAL_VALUE, L_COLOUR, "1",
			(struct skep_insn){ .code = LD_IMM64, .imm = 7 }, 0);
	assert_int_equal(done.insn[0].imm, 70);
	/* DARK is -1 in an enum whose sign the producer did not record. */
	done = relocate(*state, CORE_ENUMVAL_VALUE, L_COLOUR, "3",
			(struct skep_insn){ .code = LD_IMM64, .imm = -1 }, -1);
	assert_int_equal(done.error, 0);
	assert_int_equal(done.insn[0].imm, -5);
	assert_int_equal(done.insn[1].imm, -1);
}

static void core__loads_of_pointers_and_unsigned_numbers_adapt(void **state)
{
	struct done done = relocate(*state, CORE_FIELD_BYTE_OFFSET, L_TASK, "0:5", MEM(LDX_W, 40), 0);

	assert_int_equal(done.error, 0);
	assert_int_equal(done.insn[0].code, LDX_DW);
	assert_int_equal(done.insn[0].off, 80);
	done = relocate(*state, CORE_FIELD_BYTE_OFFSET, L_TASK, "0:5", MEM(ST_W, 40), 0);
	assert_int_equal(done.insn[0].code, 0x7a);
	done = relocate(*state, CORE_FIELD_BYTE_OFFSET, L_TASK, "0:2", MEM(STX_DW, 8), 0);
	assert_int_equal(done.insn[0].code, STX_DW);
	assert_int_equal(done.insn[0].off, 0);
}

static void core__a_signed_load_of_another_size_is_poisoned(void **state)
{
	struct fixture *f = *state;
	struct done done = relocate(f, CORE_FIELD_BYTE_OFFSET, L_TASK, "0:6", MEM(LDX_W, 44), 0);

	expect_poison(done, "field i is 4 bytes in the program and 8 in the kernel, and only pointers "
			    "and unsigned integers adapt");
	/* adding the offset is fine: no memory is read yet */
	expect_imm(f, CORE_FIELD_BYTE_OFFSET, L_TASK, "0:6", 44, 88);
}

static void core__what_is_missing_is_poisoned_and_named(void **state)
{
	struct fixture *f = *state;
	struct done done;

	expect_poison(relocate(f, CORE_FIELD_BYTE_OFFSET, L_TASK, "0:4", MEM(LDX_DW, 32), 0),
		      "struct task has no field lost");
	expect_poison(relocate(f, CORE_FIELD_BYTE_OFFSET, L_GONE, "0:0", MEM(LDX_W, 0), 0),
		      "the kernel has no type struct gone");
	done = relocate(f, CORE_ENUMVAL_VALUE, L_COLOUR, "2",
			(struct skep_insn){ .code = LD_IMM64, .imm = 9 }, 0);
	expect_poison(done, "enum colour has no value PINK");
	assert_int_equal(done.insn[1].code, CALL);
	assert_int_equal(done.insn[1].imm, CORE_POISON_HELPER);
}

static void expect_error(struct fixture *f, struct done done, enum skep_code code,
			 const char *message)
{
	assert_int_equal(done.error, -EINVAL);
	assert_int_equal(skep_diag_count(f->diag), 1);
	assert_int_equal(skep_diag_get(f->diag, 0)->code, code);
	if (!strstr(skep_diag_get(f->diag, 0)->message, message))
		fail_msg("'%s' does not say '%s'", skep_diag_get(f->diag, 0)->message, message);
}

static void core__candidates_must_agree(void **state)
{
	struct fixture *f = *state;

	expect_error(f, relocate(f, CORE_FIELD_BYTE_OFFSET, 20, "0:0", MEM(LDX_W, 0), 0),
		     SKEP_CORE_AMBIGUOUS, "ambiguity");
	expect_imm(f, CORE_FIELD_BYTE_OFFSET, 20, "0:1", 4, 4);
	expect_error(f, relocate(f, CORE_TYPE_ID_TARGET, 20, "0", IMM(20), 0), SKEP_CORE_AMBIGUOUS,
		     "relocation decision ambiguity");
}

static void core__damaged_relocations_are_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const paths[] = { "", "0:", "x", "0:-1", "99999999999", "0:9", "0:0:0",
					     "0:3:16" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		expect_error(f, relocate(f, CORE_FIELD_BYTE_OFFSET, L_TASK, paths[i], IMM(0), 0),
			     SKEP_CORE_BAD, "its ");
	expect_error(f, relocate(f, 13, L_TASK, "0", IMM(0), 0), SKEP_CORE_BAD, "kind");
	expect_error(f, relocate(f, CORE_TYPE_SIZE, L_TASK, "0:0", IMM(0), 0), SKEP_CORE_BAD,
		     "access string");
	expect_error(f, relocate(f, CORE_ENUMVAL_VALUE, L_COLOUR, "7", IMM(0), 0), SKEP_CORE_BAD,
		     "enumerator");
	expect_error(f, relocate(f, CORE_ENUMVAL_VALUE, L_TASK, "0", IMM(0), 0), SKEP_CORE_BAD,
		     "enumerator");
	expect_error(f, relocate(f, CORE_FIELD_BYTE_OFFSET, 1000, "0:0", IMM(0), 0), SKEP_CORE_BAD,
		     "does not exist");
	expect_error(f, relocate(f, CORE_FIELD_SIGNED, L_TASK, "0:3:2", IMM(0), 0), SKEP_CORE_BAD,
		     "array element");
}

static void core__instructions_that_hold_something_else_are_refused(void **state)
{
	struct fixture *f = *state;

	expect_error(f, relocate(f, CORE_FIELD_BYTE_OFFSET, L_TASK, "0:0", IMM(5), 0),
		     SKEP_CORE_BAD, "another value");
	expect_error(f, relocate(f, CORE_FIELD_BYTE_OFFSET, L_TASK, "0:0", MEM(LDX_W, 4), 0),
		     SKEP_CORE_BAD, "another offset");
	expect_error(f, relocate(f, CORE_FIELD_BYTE_OFFSET, L_TASK, "0:0", MEM(CALL, 0), 0),
		     SKEP_CORE_BAD, "class");
	expect_error(f, relocate(f, CORE_FIELD_BYTE_OFFSET, L_TASK, "0:0", MEM(MOV_REG, 0), 0),
		     SKEP_CORE_BAD, "no immediate");
	expect_error(f, relocate(f, CORE_FIELD_BYTE_OFFSET, L_TASK, "0:5", MEM(LDX_B, 40), 0),
		     SKEP_CORE_BAD, "field's size");
	expect_error(f, relocate(f, CORE_ENUMVAL_VALUE, L_COLOUR, "1",
				 (struct skep_insn){ .code = LD_IMM64, .imm = 8 }, 0),
		     SKEP_CORE_BAD, "another value");
}

static void core__a_memory_access_may_hold_any_kind(void **state)
{
	struct done done = relocate(*state, CORE_TYPE_SIZE, L_TASK, "0", MEM(LDX_W, 48), 0);

	assert_int_equal(done.error, 0);
	assert_int_equal(done.insn[0].off, 104);
}

static void core__flavours_end_names(void **state)
{
	(void)state;
	assert_int_equal(btf_essential_len("task"), 4);
	assert_int_equal(btf_essential_len("task___v2"), 4);
	assert_int_equal(btf_essential_len("task____v2"), strlen("task____v2"));
	assert_int_equal(btf_essential_len("___task"), 7);
	assert_int_equal(btf_essential_len("a___b___c"), 5);
	assert_int_equal(btf_essential_len(""), 0);
	assert_true(core_same_name("task___v2", "task"));
	assert_false(core_same_name("task2", "task"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(core__byte_offset_finds_a_field_in_an_anonymous_member),
		TEST(core__byte_offset_moves_elements_and_whole_records),
		TEST(core__a_flavour_stands_for_its_type),
		TEST(core__byte_size_is_the_kernels),
		TEST(core__exists_answers_instead_of_poisoning),
		TEST(core__signed_and_shifts_follow_the_kernels_bit_field),
		TEST(core__a_plain_field_may_have_become_a_bit_field),
		TEST(core__type_ids_and_sizes),
		TEST(core__function_types_exist_when_their_parameters_agree),
		TEST(core__type_matches_compares_members),
		TEST(core__enum_values_are_64_bits),
		TEST(core__loads_of_pointers_and_unsigned_numbers_adapt),
		TEST(core__a_signed_load_of_another_size_is_poisoned),
		TEST(core__what_is_missing_is_poisoned_and_named),
		TEST(core__candidates_must_agree),
		TEST(core__damaged_relocations_are_refused),
		TEST(core__instructions_that_hold_something_else_are_refused),
		TEST(core__a_memory_access_may_hold_any_kind),
		TEST(core__flavours_end_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
