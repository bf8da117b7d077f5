/* SPDX-License-Identifier: BSD-2-Clause */
/* What bytecode without a verifier may do: nothing that harms its host. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <skep/skep.h>

#include "../../differential/generate.c"
#include "base/base.h"

static struct skep_insn op(uint8_t code, unsigned dst, unsigned src, int off, int64_t imm)
{
	return (struct skep_insn){ code, dst & 15, src & 15, (int16_t)off, (int32_t)imm };
}

#define EXIT op(0x95, 0, 0, 0, 0)

static int run_in(size_t size, const struct skep_insn *insns, size_t count, uint64_t budget)
{
	uint8_t memory[GENERATE_PACKET] = { 0 };
	uint64_t r0 = 0;

	return skep_run_bare(insns, count, memory, size, SKEP_BARE_INTERPRET, budget, &r0, NULL);
}

static int run(const struct skep_insn *insns, size_t count, uint64_t budget)
{
	return run_in(32, insns, count, budget);
}

#define RUN(...) \
	run((struct skep_insn[]){ __VA_ARGS__ }, \
	    ARRAY_SIZE(((struct skep_insn[]){ __VA_ARGS__ })), 1000)

static void bare__malformed_bytecode_is_refused(void **state)
{
	(void)state;
	assert_int_equal(run(NULL, 0, 0), -EINVAL);
	assert_int_equal(RUN(op(0xff, 0, 0, 0, 0), EXIT), -EINVAL);              /* no such code */
	assert_int_equal(RUN(op(0xb7, 0, 0, 0, 1)), -EINVAL);                    /* no end */
	assert_int_equal(RUN(op(0x18, 0, 0, 0, 1)), -EINVAL);                    /* half a load */
	assert_int_equal(RUN(op(0x05, 0, 0, 1, 0), EXIT), -EINVAL);              /* out forwards */
	assert_int_equal(RUN(op(0x05, 0, 0, -2, 0), EXIT), -EINVAL);             /* out backwards */
	assert_int_equal(RUN(op(0x05, 0, 0, 1, 0), op(0x18, 0, 0, 0, 1), op(0, 0, 0, 0, 0), EXIT),
			 -EINVAL);                                               /* into a load */
	assert_int_equal(RUN(op(0xb7, 10, 0, 0, 1), EXIT), -EINVAL);             /* r10 */
	assert_int_equal(RUN(op(0x85, 0, 1, 0, -1), EXIT), -EINVAL);             /* recursion */
	assert_int_equal(RUN(op(0x85, 0, 1, 0, 100), EXIT), -EINVAL);            /* call of nothing */
	assert_int_equal(RUN(op(0x85, 0, 1, 0, 1), EXIT, op(0x05, 0, 0, -2, 0)), -EINVAL);
	assert_int_equal(RUN(op(0x85, 0, 0, 0, 1), EXIT), -EOPNOTSUPP);          /* a map helper */
}

static void bare__calls_nest_eight_deep_and_no_deeper(void **state)
{
	struct skep_insn insns[32];

	(void)state;
	for (unsigned depth = 1; depth <= 10; depth++) {
		size_t n = 0;

		for (unsigned i = 1; i < depth; i++) {
			insns[n++] = op(0x85, 0, 1, 0, 1);
			insns[n++] = EXIT;
		}
		insns[n++] = op(0xb7, 0, 0, 0, 1);
		insns[n++] = EXIT;
		assert_int_equal(run(insns, n, 0), depth <= 8 ? 0 : -EINVAL);
	}
}

static void bare__the_interpreter_confines_access_and_time(void **state)
{
	(void)state;
	assert_int_equal(RUN(op(0x79, 0, 1, 24, 0), EXIT), 0);
	assert_int_equal(RUN(op(0x79, 0, 1, 25, 0), EXIT), -EFAULT);
	assert_int_equal(RUN(op(0x71, 0, 1, -1, 0), EXIT), -EFAULT);
	assert_int_equal(RUN(op(0x7b, 10, 1, 0, 0), EXIT), -EFAULT);
	assert_int_equal(RUN(op(0x7b, 10, 1, -8, 0), op(0xb7, 0, 0, 0, 0), EXIT), 0);
	assert_int_equal(RUN(op(0xdb, 1, 1, 28, 0), EXIT), -EFAULT);
	assert_int_equal(RUN(op(0x05, 0, 0, -1, 0)), -ELOOP);
	assert_int_equal(RUN(op(0xb7, 2, 0, 0, 99), op(0x8d, 2, 0, 0, 0), EXIT), -EINVAL);
}

/* Programs with some bytes changed: refused, stopped or run, never worse. */
static void bare__any_bytes_get_an_answer(void **state)
{
	static struct generated program;
	uint64_t numbers = 1;
	unsigned ran = 0, stopped = 0, refused = 0;

	(void)state;
	for (unsigned n = 0; n < 6000; n++) {
		uint8_t *bytes = (uint8_t *)program.insns;
		int error;

		generate(&program, n / 4 + 1, GENERATE_BARE, GENERATE_CALLS);
		for (unsigned i = n % 4 + 1; i > 0; i--) {
			uint64_t next = generate_next(&numbers);

			bytes[(next >> 8) % (program.count * 8)] = (uint8_t)next;
		}
		error = run_in(GENERATE_PACKET, program.insns, program.count, 5000);
		ran += error == 0;
		stopped += error == -EFAULT || error == -ELOOP;
		refused += error == -EINVAL || error == -EOPNOTSUPP;
	}
	assert_int_equal(ran + stopped + refused, 6000);
	assert_true(ran > 100 && stopped > 100 && refused > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bare__malformed_bytecode_is_refused),
		cmocka_unit_test(bare__calls_nest_eight_deep_and_no_deeper),
		cmocka_unit_test(bare__the_interpreter_confines_access_and_time),
		cmocka_unit_test(bare__any_bytes_get_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
