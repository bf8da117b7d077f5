/* SPDX-License-Identifier: BSD-2-Clause */
/* Where control goes from an instruction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <skep/insn.h>

static void flow__is_that_of_each_kind_of_instruction(void **state)
{
	static const char text[] =
		"r0 = 0\n"             /* 0 */
		"if r1 > 4 goto +3\n"  /* 1: to 2 and 5 */
		"r2 = 0x1122334455667788 ll\n" /* 2, 3: to 4 */
		"goto -4\n"            /* 4: to 1 */
		"call pc+1\n"          /* 5: to 6, calls 7 */
		"exit\n"               /* 6 */
		"exit\n";              /* 7 */
	static const struct { size_t at; unsigned count; size_t next[2]; int64_t callee; bool jumps; }
	want[] = {
		{ 0, 1, { 1 }, -1, false }, { 1, 2, { 2, 5 }, -1, true },
		{ 2, 1, { 4 }, -1, false }, { 4, 1, { 1 }, -1, true },
		{ 5, 1, { 6 }, 7, false }, { 6, 0, { 0 }, -1, true }, { 99, 0, { 0 }, -1, false },
	};
	struct skep_insn *insns = NULL;
	struct skep_flow flow;
	size_t count = 0;

	(void)state;
	assert_int_equal(skep_assemble(text, strlen(text), "text", &insns, &count, NULL), 0);
	assert_int_equal(count, 8);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		skep_insn_flow(insns, count, want[i].at, &flow);
		assert_int_equal(flow.count, want[i].count);
		for (unsigned n = 0; n < flow.count; n++)
			assert_int_equal(flow.next[n], want[i].next[n]);
		assert_int_equal(flow.callee, want[i].callee);
		assert_int_equal(flow.jumps, want[i].jumps);
	}
	free(insns);
}

static void flow__never_leaves_the_program(void **state)
{
	static const struct skep_insn wild[] = { { .code = 0x05, .off = 30000 },
						 { .code = 0x1d, .off = -30000 },
						 { .code = 0x85, .src = 1, .imm = 0x7fffffff } };
	struct skep_flow flow;

	(void)state;
	skep_insn_flow(wild, 3, 0, &flow);
	assert_int_equal(flow.count, 0);
	skep_insn_flow(wild, 3, 1, &flow);
	assert_int_equal(flow.count, 1);
	assert_int_equal(flow.next[0], 2);
	skep_insn_flow(wild, 3, 2, &flow);
	assert_int_equal(flow.count, 0);
	assert_int_equal(flow.callee, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flow__is_that_of_each_kind_of_instruction),
		cmocka_unit_test(flow__never_leaves_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
