/* SPDX-License-Identifier: BSD-2-Clause */
/* The conformance group of at least one instruction of every family. */
#include "isa_test.h"

static const struct {
	struct skep_insn insn;
	unsigned groups;
} cases[] = {
	{ { .code = 0x04 }, SKEP_GROUP_BASE32 },
	{ { .code = 0x07 }, SKEP_GROUP_BASE64 },
	{ { .code = 0x24 }, SKEP_GROUP_DIVMUL32 },
	{ { .code = 0x3f, .off = 1 }, SKEP_GROUP_DIVMUL64 },
	{ { .code = 0xd4, .imm = 32 }, SKEP_GROUP_BASE32 },
	{ { .code = 0xd7, .imm = 64 }, SKEP_GROUP_BASE64 },
	{ { .code = 0x61 }, SKEP_GROUP_BASE32 },
	{ { .code = 0x79 }, SKEP_GROUP_BASE64 },
	{ { .code = 0x7a }, SKEP_GROUP_BASE64 },
	{ { .code = 0x16 }, SKEP_GROUP_BASE32 },
	{ { .code = 0x15 }, SKEP_GROUP_BASE64 },
	{ { .code = 0x05 }, SKEP_GROUP_BASE32 },
	{ { .code = 0x85 }, SKEP_GROUP_BASE32 },
	{ { .code = 0x95 }, SKEP_GROUP_BASE32 },
	{ { .code = 0xc3 }, SKEP_GROUP_ATOMIC32 },
	{ { .code = 0xdb, .imm = 0xf1 }, SKEP_GROUP_ATOMIC64 },
	{ { .code = 0xdb, .imm = 0x100 }, 0 },
	{ { .code = 0x28 }, SKEP_GROUP_PACKET },
	{ { .code = 0x18 }, SKEP_GROUP_BASE64 },
	{ { .code = 0xe5 }, 0 },
	{ { .code = 0xff }, 0 },
};

static void groups__are_those_of_rfc_9669(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(skep_insn_groups(cases[i].insn), cases[i].groups);
}

static void groups__have_names(void **state)
{
	(void)state;
	assert_string_equal(skep_group_name(SKEP_GROUP_BASE32), "base32");
	assert_string_equal(skep_group_name(SKEP_GROUP_DIVMUL64), "divmul64");
	assert_string_equal(skep_group_name(SKEP_GROUP_PACKET), "packet");
	assert_null(skep_group_name((enum skep_group)0x300));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(groups__are_those_of_rfc_9669),
		test(groups__have_names),
	};

	return run_group(tests);
}
