/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs made to be slow: the budget ends them, in little time and memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "verify/verify.h"

enum {
	SECONDS_MAX = 120,       /* of a machine that does much else */
	MEMORY_MAX = 1 << 30,
	INSNS_MAX = 20000,
	RANDOM = 7,              /* get_prandom_u32 */
};

static struct skep_insn program[INSNS_MAX];
static size_t length;

static void add(uint8_t code, unsigned dst, unsigned src, int16_t off, int32_t imm)
{
	assert_true(length < INSNS_MAX);
	program[length++] = (struct skep_insn){ .code = code, .dst = dst & 15, .src = src & 15,
						.off = off, .imm = imm };
}

static struct skep_verify_result judge(void)
{
	struct prog_spec spec = {
		.name = "hostile", .section = "", .object = "",
		.type = prog_type_by_name("socket_filter"), .insns = program,
		.len = (uint32_t)length, .license = "GPL",
	};
	struct skep_verify_result result;

	assert_int_equal(verify(&spec, NULL, &result, NULL, NULL), 0);
	assert_true(result.time_us < (uint64_t)SECONDS_MAX * 1000000);
	assert_true(result.memory < MEMORY_MAX);
	skep_verify_result_done(&result);
	return result;
}

/* if (random) *(u64 *)(r10 + off) = value, an instruction longer than it looks */
static void add_choice(int16_t off, int32_t value)
{
	add(0x85, 0, 0, 0, RANDOM);
	add(0x15, 0, 0, 1, 0);
	add(0x7a, 10, 0, off, value);
}

/* Uses each slot as a number that matters, so that no two states are alike. */
static void add_uses(unsigned slots)
{
	for (unsigned i = 1; i <= slots; i++) {
		add(0x79, 1, 10, (int16_t)(-8 * (int)i), 0); /* r1 = slot */
		add(0xbf, 2, 10, 0, 0);
		add(0x0f, 2, 1, 0, 0);                       /* r2 = r10 + r1 */
		add(0x71, 3, 2, -8, 0);
	}
	add(0xb7, 0, 0, 0, 0);
	add(0x95, 0, 0, 0, 0);
}

static void stack__sixty_choices_that_all_matter(void **state)
{
	struct skep_verify_result result;

	(void)state;
	length = 0;
	for (int i = 1; i <= 60; i++)
		add(0x7a, 10, 0, (int16_t)(-8 * i), 0);
	for (int i = 1; i <= 60; i++)
		add_choice((int16_t)(-8 * i), -1);
	add_uses(60);
	result = judge();
	assert_int_equal(result.error, -E2BIG);
}

static void branches__thousands_wait_with_a_full_stack(void **state)
{
	struct skep_verify_result result;

	(void)state;
	length = 0;
	for (int i = 1; i <= 60; i++)
		add(0x7a, 10, 0, (int16_t)(-8 * i), 0);
	for (int i = 0; i < 6000; i++)
		add_choice((int16_t)(-8 * (i % 60 + 1)), -(i % 7));
	add_uses(60);
	result = judge();
	assert_true(result.error == -E2BIG || result.error == -EACCES || result.error == 0);
	assert_true(result.processed <= 1000001);
}

static void loop__that_counts_too_far(void **state)
{
	struct skep_verify_result result;

	(void)state;
	length = 0;
	add(0xb7, 0, 0, 0, 0);
	add(0x07, 0, 0, 0, 1);
	add(0xa5, 0, 0, -2, 100000000);
	add(0x95, 0, 0, 0, 0);
	result = judge();
	assert_int_equal(result.error, -E2BIG);
}

/* Each function calls the next twice: two hundred and fifty-six ways to the last. */
static void calls__as_deep_as_allowed(void **state)
{
	struct skep_verify_result result;
	enum { DEPTH = 7, BODY = 8 };

	(void)state;
	length = 0;
	for (int f = 0; f < DEPTH; f++) {
		add(0x7a, 10, 0, -8, f);
		add(0xbf, 1, 10, 0, 0);
		add(0x07, 1, 0, 0, -8);
		add(0x85, 0, 1, 0, 4); /* to the next function: 8 instructions a body */
		add(0xbf, 1, 10, 0, 0);
		add(0x07, 1, 0, 0, -8);
		add(0x85, 0, 1, 0, 1);
		add(0x95, 0, 0, 0, 0);
	}
	add(0x85, 0, 0, 0, RANDOM);
	add(0x95, 0, 0, 0, 0);
	result = judge();
	assert_int_equal(result.error, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stack__sixty_choices_that_all_matter),
		cmocka_unit_test(branches__thousands_wait_with_a_full_stack),
		cmocka_unit_test(loop__that_counts_too_far),
		cmocka_unit_test(calls__as_deep_as_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
