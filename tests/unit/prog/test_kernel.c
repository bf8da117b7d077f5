/* SPDX-License-Identifier: BSD-2-Clause */
/* test_kernel.c - since which release a thing exists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "helper/helper.h"
#include "isa/abi.h"
#include "prog/kernel.h"
#include "prog/prog.h"

static void kernel__every_helper_has_a_first_release(void **state)
{
	(void)state;
	for (uint32_t id = 1; id < HELPER_ID_MAX; id++) {
		if (!helper_by_id(id))
			continue;
		if (!helper_since(id))
			fail_msg("helper %u has none", id);
	}
	assert_int_equal(helper_since(HELPER_ID_MAX + 100), 0);
}

static void kernel__every_program_and_map_type_has_a_first_release(void **state)
{
	(void)state;
	for (uint32_t id = 1; prog_type(id); id++)
		assert_true(prog_type_since(id) >= KERNEL(3, 18));
	for (uint32_t id = 1; map_type(id); id++)
		assert_true(map_type_since(id) >= KERNEL(3, 18));
}

static void kernel__rows_name_what_exists(void **state)
{
	(void)state;
#define HELPER(text, major, minor)                                  \
	assert_non_null(helper_by_id(BPF_FUNC_##text));             \
	assert_string_equal(helper_by_id(BPF_FUNC_##text)->name, #text);
#include "prog/kernel.def"
#define PROG(name, major, minor) assert_non_null(prog_type(BPF_PROG_TYPE_##name));
#include "prog/kernel.def"
#define MAP(name, major, minor) assert_non_null(map_type(BPF_MAP_TYPE_##name));
#include "prog/kernel.def"
}

/* The rows about contexts must match what the verifier calls the fields. */
static void kernel__context_fields_exist(void **state)
{
	static const char *const contexts[] = { "__sk_buff", "xdp_md", "bpf_sock_ops", "sk_msg_md",
						"sk_reuseport_md", "bpf_sk_lookup", "bpf_sock" };
	size_t found = 0, rows = 0;

	(void)state;
#define CTX(context, field, major, minor) rows++;
#include "prog/kernel.def"
	for (uint32_t id = 1; prog_type(id); id++) {
		const struct ctx_layout *ctx = prog_type(id)->ctx;

		for (const struct ctx_field *f = ctx->fields; f && f->size; f++) {
			if (!ctx_field_since(ctx->name, f->name))
				continue;
			for (size_t i = 0; i < sizeof(contexts) / sizeof(*contexts); i++)
				found += strcmp(contexts[i], ctx->name) == 0;
		}
	}
	assert_true(found >= rows);
}

static void kernel__instructions_fall_into_their_groups(void **state)
{
	const char *words = NULL;
	struct insn insn = { .kind = INSN_ALU, .op = ALU_ADD, .width = 8 };

	(void)state;
	assert_int_equal(insn_since(&insn, &words), 0);
	insn.op = ALU_SDIV;
	assert_int_equal(insn_since(&insn, &words), KERNEL(6, 6));
	insn = (struct insn){ .kind = INSN_JUMP, .op = COND_EQ, .width = 4 };
	assert_int_equal(insn_since(&insn, &words), KERNEL(5, 1));
	insn = (struct insn){ .kind = INSN_ATOMIC, .op = ATOMIC_ADD, .width = 8 };
	assert_int_equal(insn_since(&insn, &words), 0);
	insn.op = ATOMIC_CMPXCHG;
	assert_int_equal(insn_since(&insn, &words), KERNEL(5, 12));
	insn = (struct insn){ .kind = INSN_GOTO, .off = 40000 };
	assert_int_equal(insn_since(&insn, &words), KERNEL(6, 6));
	assert_non_null(words);
}

static void kernel__abilities_grow_with_the_release(void **state)
{
	(void)state;
	assert_false(kernel_can(KERNEL(5, 2), ABILITY_LOOPS));
	assert_true(kernel_can(KERNEL(5, 3), ABILITY_LOOPS));
	assert_true(kernel_can(0, ABILITY_LOOPS));
	assert_true(ABILITY_COUNT <= 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel__every_helper_has_a_first_release),
		cmocka_unit_test(kernel__every_program_and_map_type_has_a_first_release),
		cmocka_unit_test(kernel__rows_name_what_exists),
		cmocka_unit_test(kernel__context_fields_exist),
		cmocka_unit_test(kernel__instructions_fall_into_their_groups),
		cmocka_unit_test(kernel__abilities_grow_with_the_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
