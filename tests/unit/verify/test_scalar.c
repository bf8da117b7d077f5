/* SPDX-License-Identifier: BSD-2-Clause */
/* Whatever a program can compute, the verifier must have expected. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/base.h"
#include "verify/scalar.h"

static uint64_t seed = 88172645463325252u;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Numbers near where things change: powers of two and the ends of the types. */
static uint64_t interesting(void)
{
	uint64_t x = random64() % 4 ? UINT64_C(1) << random64() % 64 : 0;

	switch (random64() % 4) {
	case 0:
		return random64() >> random64() % 64;
	case 1:
		return -x + random64() % 3 - 1;
	case 2:
		return (random64() << 32) | (uint32_t)(x + random64() % 3 - 1);
	default:
		return x + random64() % 3 - 1;
	}
}

/* Something that x is a member of, narrowed at random views. */
static struct scalar around(uint64_t x)
{
	struct scalar a = scalar_unknown();
	uint64_t y = interesting(), z = interesting(), mask = random64() & random64();

	if (random64() % 8 == 0)
		return scalar_const(x);
	if (random64() % 2) {
		a.umin = MIN(x, y);
		a.umax = MAX(x, z);
	}
	if (random64() % 2) {
		a.smin = MIN((int64_t)x, (int64_t)z);
		a.smax = MAX((int64_t)x, (int64_t)y);
	}
	y = interesting();
	z = interesting();
	if (random64() % 2) {
		a.umin32 = MIN((uint32_t)x, (uint32_t)y);
		a.umax32 = MAX((uint32_t)x, (uint32_t)z);
	}
	if (random64() % 2) {
		a.smin32 = MIN((int32_t)x, (int32_t)z);
		a.smax32 = MAX((int32_t)x, (int32_t)y);
	}
	if (random64() % 2)
		a.bits = (struct tnum){ x & ~mask, mask };
	return random64() % 4 ? scalar_sync(a) : a;
}

static void scalar__sync_loses_no_member(void **state)
{
	(void)state;
	for (int n = 0; n < 300000; n++) {
		uint64_t x = interesting();
		struct scalar a = around(x);

		assert_true(scalar_has(a, x));
		assert_true(scalar_has(scalar_sync(a), x));
		assert_true(tnum_in(a.bits, scalar_sync(a).bits));
	}
}

/* -20 to 40 without 0 is two arcs of the circle: Linux keeps the whole. */
static void scalar__ranges_are_one_arc(void **state)
{
	struct scalar a = scalar_srange(-20, 40), b;

	(void)state;
	a.umin = 1;
	b = scalar_sync(a);
	assert_true(scalar_has(b, 0));
	assert_int_equal(b.smin, -20);
	assert_int_equal(b.smax, 40);
	assert_true(b.umin == 0 && b.umax == UINT64_MAX);
	a = scalar_srange(0, 40);
	a.umin = 1;
	assert_int_equal(scalar_sync(a).smin, 1);
	/* Across the sign boundary it is the unsigned range that is one arc. */
	a = scalar_urange(INT64_MAX - 5, (uint64_t)INT64_MAX + 5);
	b = scalar_sync(a);
	assert_true(b.umin == INT64_MAX - 5 && b.umax == (uint64_t)INT64_MAX + 5);
	assert_true(b.smin == INT64_MIN && b.smax == INT64_MAX);
}

static void check_row(enum alu op, unsigned width, unsigned from)
{
	for (int n = 0; n < 30000; n++) {
		uint64_t x = interesting(), y = random64() % 3 ? interesting() : random64() % 70;
		struct scalar a = around(x), b = random64() % 2 ? scalar_const(y) : around(y);
		struct scalar c = scalar_alu(op, a, b, width, from);
		uint64_t z = alu_eval(op, width, from, x, y);

		if (!scalar_has(c, z))
			fail_msg("alu row %d, width %u from %u: %#llx, %#llx gives %#llx", op, width,
				 from, (unsigned long long)x, (unsigned long long)y,
				 (unsigned long long)z);
		assert_false(scalar_is_empty(c));
	}
}

static void scalar__every_alu_row_is_sound(void **state)
{
	(void)state;
	for (int op = 0; op < ALU_COUNT; op++) {
		if (op == ALU_TO_LE || op == ALU_TO_BE || op == ALU_BSWAP) {
			for (unsigned from = 2; from <= 8; from *= 2)
				check_row((enum alu)op, op == ALU_BSWAP ? 8 : 4, from);
			continue;
		}
		for (unsigned width = 4; width <= 8; width *= 2) {
			check_row((enum alu)op, width, width);
			for (unsigned from = 1; op == ALU_MOV && from < width; from *= 2)
				check_row(ALU_MOV, width, from);
		}
	}
}

static void scalar__a_decided_condition_is_right(void **state)
{
	(void)state;
	for (int n = 0; n < 1000000; n++) {
		enum cond op = (enum cond)(random64() % COND_COUNT);
		unsigned width = random64() % 2 ? 4 : 8;
		uint64_t x = interesting(), y = random64() % 4 ? interesting() : x;
		struct scalar a = around(x), b = around(y);
		int decided = scalar_cond(op, a, b, width);

		if (decided >= 0)
			assert_int_equal(decided, cond_eval(op, width, x, y));
	}
}

static void scalar__an_assumption_keeps_what_satisfies_it(void **state)
{
	(void)state;
	for (int n = 0; n < 1000000; n++) {
		enum cond op = (enum cond)(random64() % COND_COUNT);
		unsigned width = random64() % 2 ? 4 : 8;
		uint64_t x = interesting(), y = random64() % 4 ? interesting() : x;
		struct scalar a = around(x), b = around(y);
		bool holds = cond_eval(op, width, x, y);

		scalar_assume(op, !holds, &a, &b, width);
		assert_true(scalar_has(a, x));
		assert_true(scalar_has(b, y));
	}
}

static void scalar__bounds_are_learned(void **state)
{
	struct scalar a = scalar_unknown(), b = scalar_const(10);

	(void)state;
	scalar_assume(COND_LT, false, &a, &b, 8);
	assert_int_equal(a.umax, 9);
	assert_int_equal(a.smin, 0);
	assert_int_equal(a.bits.mask, 15);
	assert_int_equal(scalar_cond(COND_SLE, a, scalar_const(9), 8), 1);
	assert_int_equal(scalar_cond(COND_EQ, a, scalar_const(10), 8), 0);
	b = scalar_const(4);
	scalar_assume(COND_SET, true, &a, &b, 8);
	assert_int_equal(a.bits.mask, 11);
	a = scalar_sub(scalar_const(10), scalar_urange(3, 5), 8, 8);
	assert_int_equal(a.umin, 5);
	assert_int_equal(a.umax, 7);
}

/* r & mask, not less than min and not more than max */
static struct scalar masked(uint64_t mask, uint64_t min, uint64_t max)
{
	struct scalar a = scalar_and(scalar_unknown(), scalar_const(mask), 8, 8);
	struct scalar least = scalar_const(min), most = scalar_const(max);

	scalar_assume(COND_GE, false, &a, &least, 8);
	scalar_assume(COND_LE, false, &a, &most, 8);
	return a;
}

static void scalar__the_only_number_of_bits_and_range_is_known(void **state)
{
	(void)state;
	assert_true(scalar_is(masked(0x80, 0x36, UINT64_MAX), 0x80));
	assert_true(scalar_is(masked(0x70, 0x15, 0x2c), 0x20));
	assert_true(scalar_is(masked(0x70, 0, 0xf), 0));
	assert_true(scalar_is(masked(UINT64_C(1) << 63, 1, UINT64_MAX), UINT64_C(1) << 63));
	assert_false(scalar_is_const(masked(0x71, 0x15, 0x21)));
	assert_int_equal(masked(0x71, 0x15, 0x21).umin, 0x15);
	/* None at all: the path cannot be. */
	assert_true(scalar_is_empty(masked(0xff00, 0x17, 0x21)));
	assert_true(scalar_is_empty(masked(0x71, 0x23, 0x2c)));
}

static void scalar__half_a_number_may_be_known(void **state)
{
	struct scalar a = scalar_with_low32(scalar_unknown(), UINT32_MAX);

	(void)state;
	assert_int_equal(a.smin32, -1);
	assert_int_equal(a.umin, UINT32_MAX);
	assert_int_equal(a.bits.mask, UINT64_MAX << 32);
	assert_true(scalar_is(scalar_with_low32(scalar_const(7), 5), 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scalar__sync_loses_no_member),
		cmocka_unit_test(scalar__ranges_are_one_arc),
		cmocka_unit_test(scalar__every_alu_row_is_sound),
		cmocka_unit_test(scalar__a_decided_condition_is_right),
		cmocka_unit_test(scalar__an_assumption_keeps_what_satisfies_it),
		cmocka_unit_test(scalar__bounds_are_learned),
		cmocka_unit_test(scalar__the_only_number_of_bits_and_range_is_known),
		cmocka_unit_test(scalar__half_a_number_may_be_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
