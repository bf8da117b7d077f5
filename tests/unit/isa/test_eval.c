/* SPDX-License-Identifier: BSD-2-Clause */
/* Corner values of RFC 9669's arithmetic, and the algebra of conditions. */
#include "isa_test.h"

#define MIN64 ((uint64_t)1 << 63)
#define MIN32 0x80000000u

static const struct {
	enum alu op;
	unsigned width, from;
	uint64_t d, s, result;
} cases[] = {
	{ ALU_ADD, 4, 4, 0xffffffffffffffff, 1, 0 },
	{ ALU_ADD, 8, 8, 0xffffffffffffffff, 1, 0 },
	{ ALU_SUB, 4, 4, 0, 1, 0xffffffff },
	{ ALU_MUL, 4, 4, 0x10001, 0x10001, 0x20001 },
	{ ALU_DIV, 8, 8, 7, 0, 0 },
	{ ALU_DIV, 4, 4, 0xfffffffe, 2, 0x7fffffff },
	{ ALU_MOD, 8, 8, 7, 0, 7 },
	{ ALU_MOD, 4, 4, 0xffffffff00000007, 0, 7 },
	{ ALU_SDIV, 8, 8, MIN64, (uint64_t)-1, MIN64 },
	{ ALU_SDIV, 4, 4, MIN32, 0xffffffff, MIN32 },
	{ ALU_SDIV, 8, 8, (uint64_t)-7, 2, (uint64_t)-3 },
	{ ALU_SDIV, 4, 4, (uint32_t)-7, 0, 0 },
	{ ALU_SMOD, 8, 8, MIN64, (uint64_t)-1, 0 },
	{ ALU_SMOD, 4, 4, MIN32, 0xffffffff, 0 },
	{ ALU_SMOD, 8, 8, (uint64_t)-7, 2, (uint64_t)-1 },
	{ ALU_SMOD, 8, 8, 7, (uint64_t)-2, 1 },
	{ ALU_SMOD, 4, 4, (uint32_t)-7, 0, (uint32_t)-7 },
	{ ALU_NEG, 4, 4, 1, 0, 0xffffffff },
	{ ALU_NEG, 8, 8, MIN64, 0, MIN64 },
	{ ALU_LSH, 8, 8, 1, 65, 2 },
	{ ALU_LSH, 4, 4, 1, 33, 2 },
	{ ALU_RSH, 4, 4, 0xffffffff80000000, 31, 1 },
	{ ALU_ARSH, 4, 4, 0x80000000, 31, 0xffffffff },
	{ ALU_ARSH, 8, 8, MIN64, 127, (uint64_t)-1 },
	{ ALU_MOV, 8, 1, 0, 0x80, (uint64_t)-128 },
	{ ALU_MOV, 8, 2, 0, 0x18000, (uint64_t)-32768 },
	{ ALU_MOV, 8, 4, 0, 0xffffffff, (uint64_t)-1 },
	{ ALU_MOV, 4, 1, 0, 0x80, 0xffffff80 },
	{ ALU_MOV, 4, 4, 0, 0x1ffffffff, 0xffffffff },
	{ ALU_BSWAP, 8, 2, 0x1122334455667788, 0, 0x8877 },
	{ ALU_BSWAP, 8, 4, 0x1122334455667788, 0, 0x88776655 },
	{ ALU_BSWAP, 8, 8, 0x1122334455667788, 0, 0x8877665544332211 },
	{ ALU_TO_LE, 8, 2, 0x1122334455667788, 0, 0x7788 },
	{ ALU_TO_BE, 8, 4, 0x1122334455667788, 0, 0x88776655 },
	{ ALU_TO_BE, 8, 8, 0x1122334455667788, 0, 0x8877665544332211 },
};

static void alu__corner_values_are_as_rfc_9669_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t got = alu_eval(cases[i].op, cases[i].width, cases[i].from, cases[i].d,
					cases[i].s);

		if (got != cases[i].result)
			fail_msg("case %zu (%s): %#llx, not %#llx", i, alu_token(cases[i].op),
				 (unsigned long long)got, (unsigned long long)cases[i].result);
	}
}

static const uint64_t samples[] = { 0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
				    0x7fffffffffffffff, MIN64, (uint64_t)-1, (uint64_t)-2 };

static void cond__inverse_and_mirror_agree_with_eval(void **state)
{
	(void)state;
	for (int op = 0; op < COND_COUNT; op++) {
		for (size_t i = 0; i < ARRAY_SIZE(samples) * ARRAY_SIZE(samples); i++) {
			uint64_t d = samples[i % ARRAY_SIZE(samples)];
			uint64_t s = samples[i / ARRAY_SIZE(samples)];

			for (unsigned width = 4; width <= 8; width += 4) {
				bool holds = cond_eval((enum cond)op, width, d, s);
				enum cond inverse;

				assert_int_equal(holds,
						 cond_eval(cond_mirror((enum cond)op), width, s, d));
				if (cond_inverse((enum cond)op, &inverse))
					assert_int_equal(holds, !cond_eval(inverse, width, d, s));
				else
					assert_int_equal(op, COND_SET);
			}
		}
	}
}

static void cond__widths_and_signs_matter(void **state)
{
	(void)state;
	assert_true(cond_eval(COND_EQ, 4, 0x100000001, 1));
	assert_false(cond_eval(COND_EQ, 8, 0x100000001, 1));
	assert_true(cond_eval(COND_SLT, 4, 0xffffffff, 0));
	assert_false(cond_eval(COND_SLT, 8, 0xffffffff, 0));
	assert_true(cond_eval(COND_GT, 4, 0xffffffff, 0));
	assert_false(cond_eval(COND_SET, 4, MIN64, MIN64));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(alu__corner_values_are_as_rfc_9669_says),
		test(cond__inverse_and_mirror_agree_with_eval),
		test(cond__widths_and_signs_matter),
	};

	return run_group(tests);
}
