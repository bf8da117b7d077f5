/* SPDX-License-Identifier: BSD-2-Clause */
/* Every operation is checked on all tristate numbers of a few bits, and at random on wide ones. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "verify/tnum.h"

static uint64_t seed = 88172645463325252u;

static uint64_t random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static struct tnum random_tnum(void)
{
	uint64_t mask = random64() & random64();

	return (struct tnum){ random64() & ~mask, mask };
}

static uint64_t member(struct tnum a)
{
	return a.value | (random64() & a.mask);
}

struct binary {
	struct tnum (*op)(struct tnum a, struct tnum b);
	uint64_t (*eval)(uint64_t a, uint64_t b);
};

static uint64_t add(uint64_t a, uint64_t b) { return a + b; }
static uint64_t sub(uint64_t a, uint64_t b) { return a - b; }
static uint64_t mul(uint64_t a, uint64_t b) { return a * b; }
static uint64_t and(uint64_t a, uint64_t b) { return a & b; }
static uint64_t or(uint64_t a, uint64_t b) { return a | b; }
static uint64_t xor(uint64_t a, uint64_t b) { return a ^ b; }

static const struct binary binaries[] = {
	{ tnum_add, add }, { tnum_sub, sub }, { tnum_mul, mul },
	{ tnum_and, and }, { tnum_or, or },   { tnum_xor, xor },
};

static void tnum__binary_operations_have_every_result(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(binaries) / sizeof(binaries[0]); i++) {
		for (int n = 0; n < 20000; n++) {
			struct tnum a = random_tnum(), b = random_tnum();
			struct tnum c = binaries[i].op(a, b);

			assert_int_equal(c.value & c.mask, 0);
			assert_true(tnum_has(c, binaries[i].eval(member(a), member(b))));
		}
	}
}

/* On 4 bits, add, sub, and, or, xor are the best possible. */
static void tnum__small_results_are_exact(void **state)
{
	enum { BITS = 4, ALL = 1 << BITS };

	(void)state;
	for (uint64_t am = 0; am < ALL; am++)
	for (uint64_t av = 0; av < ALL; av++)
	for (uint64_t bm = 0; bm < ALL; bm++)
	for (uint64_t bv = 0; bv < ALL; bv++) {
		struct tnum a = { av, am }, b = { bv, bm };

		if ((av & am) || (bv & bm))
			continue;
		for (size_t i = 0; i < 6; i++) {
			uint64_t ones = UINT64_MAX, any = 0;
			struct tnum c = binaries[i].op(a, b);

			for (uint64_t x = 0; x < ALL; x++)
				for (uint64_t y = 0; y < ALL; y++)
					if (tnum_has(a, x) && tnum_has(b, y)) {
						uint64_t z = binaries[i].eval(x, y);

						assert_true(tnum_has(c, z));
						ones &= z;
						any |= z;
					}
			if (i != 2) {
				assert_int_equal(c.value, ones);
				assert_int_equal(c.mask, any & ~ones);
			}
		}
	}
}

static void tnum__shifts_and_casts_have_every_result(void **state)
{
	(void)state;
	for (int n = 0; n < 100000; n++) {
		struct tnum a = random_tnum();
		uint64_t x = member(a);
		unsigned shift = (unsigned)random64() % 64, bytes = 1u << random64() % 4;

		assert_true(tnum_has(tnum_lsh(a, shift), x << shift));
		assert_true(tnum_has(tnum_rsh(a, shift), x >> shift));
		assert_true(tnum_has(tnum_arsh(a, shift, 64), (uint64_t)((int64_t)x >> shift)));
		assert_true(tnum_has(tnum_arsh(tnum_low32(a), shift % 32, 32),
				     (uint32_t)((int32_t)x >> shift % 32)));
		assert_true(tnum_has(tnum_cast(a, bytes),
				     bytes == 8 ? x : x & ((1ull << bytes * 8) - 1)));
		assert_true(tnum_has(tnum_with_low32(a, tnum_const(5)), (x >> 32 << 32) | 5));
		assert_true(tnum_has(tnum_bswap(a, 8), __builtin_bswap64(x)));
		assert_true(tnum_has(tnum_bswap(a, 4), __builtin_bswap32((uint32_t)x)));
		assert_true(tnum_has(tnum_bswap(a, 2), __builtin_bswap16((uint16_t)x)));
		assert_true(tnum_has(tnum_neg(a), -x));
	}
}

static void tnum__a_range_is_inside_its_tnum(void **state)
{
	(void)state;
	assert_true(tnum_is_const(tnum_range(7, 7)));
	assert_int_equal(tnum_range(4, 7).mask, 3);
	assert_true(tnum_is_unknown(tnum_range(0, UINT64_MAX)));
	for (int n = 0; n < 100000; n++) {
		uint64_t a = random64() >> random64() % 64, b = random64() >> random64() % 64;
		uint64_t min = a < b ? a : b, max = a < b ? b : a;
		uint64_t x = max - min == UINT64_MAX ? random64()
						     : min + random64() % (max - min + 1);

		assert_true(tnum_has(tnum_range(min, max), x));
	}
}

static void tnum__set_operations_agree_with_membership(void **state)
{
	(void)state;
	for (int n = 0; n < 100000; n++) {
		struct tnum a = random_tnum(), b = random_tnum();
		uint64_t x = member(a);

		assert_true(tnum_has(tnum_union(a, b), x));
		assert_true(tnum_in(tnum_union(a, b), a));
		if (tnum_has(b, x)) {
			assert_true(tnum_overlap(a, b));
			assert_true(tnum_has(tnum_intersect(a, b), x));
		}
		if (tnum_in(b, a))
			assert_true(tnum_has(b, x));
	}
	assert_false(tnum_overlap(tnum_const(1), tnum_const(2)));
	assert_true(tnum_is_aligned((struct tnum){ 8, 16 }, 8));
	assert_false(tnum_is_aligned((struct tnum){ 8, 4 }, 8));
}

static void tnum__the_least_number_from_one_on(void **state)
{
	uint64_t least;

	(void)state;
	assert_true(tnum_from((struct tnum){ 1, 0x70 }, 0x15, &least));
	assert_int_equal(least, 0x21);
	assert_true(tnum_from((struct tnum){ 0x20, 0x44 }, 0, &least));
	assert_int_equal(least, 0x20);
	assert_false(tnum_from((struct tnum){ 0, 0x70 }, 0x71, &least));
	assert_true(tnum_from(TNUM_UNKNOWN, UINT64_MAX, &least));
	assert_int_equal(least, UINT64_MAX);
	/* All there are of few bits, from the top down. */
	for (uint64_t mask = 0; mask < 64; mask++)
		for (uint64_t value = 0; value < 64; value++) {
			struct tnum a = { value & ~mask, mask };
			uint64_t known = UINT64_MAX;

			for (uint64_t x = 80; x-- > 0;) {
				known = tnum_has(a, x) ? x : known;
				assert_int_equal(tnum_from(a, x, &least), known != UINT64_MAX);
				if (known != UINT64_MAX)
					assert_int_equal(least, known);
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tnum__binary_operations_have_every_result),
		cmocka_unit_test(tnum__small_results_are_exact),
		cmocka_unit_test(tnum__shifts_and_casts_have_every_result),
		cmocka_unit_test(tnum__a_range_is_inside_its_tnum),
		cmocka_unit_test(tnum__set_operations_agree_with_membership),
		cmocka_unit_test(tnum__the_least_number_from_one_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
