/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tnum.c - arithmetic on numbers of which some bits are unknown.
 *
 * The idea behind addition and subtraction: the carry into a bit is smallest
 * when every unknown bit is 0 and largest when every unknown bit is 1, and it
 * is monotone in between. So a carry that is the same in both extremes is
 * known, and a result bit is known when its operands and its carry are.
 */
#include "verify/tnum.h"

/* Known bits of value, with the bits of mask unknown. */
static struct tnum tnum_of(uint64_t value, uint64_t mask)
{
	return (struct tnum){ value & ~mask, mask };
}

struct tnum tnum_range(uint64_t min, uint64_t max)
{
	uint64_t differ = min ^ max;
	unsigned bits = differ ? 64 - (unsigned)__builtin_clzll(differ) : 0;

	/* Above the highest bit in which they differ, all in between agree. */
	return tnum_of(min, bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1);
}

struct tnum tnum_add(struct tnum a, struct tnum b)
{
	uint64_t a_max = a.value | a.mask, b_max = b.value | b.mask;
	uint64_t low = a.value + b.value, high = a_max + b_max;
	uint64_t carry_low = low ^ a.value ^ b.value;
	uint64_t carry_high = high ^ a_max ^ b_max;

	return tnum_of(low, a.mask | b.mask | (carry_low ^ carry_high));
}

struct tnum tnum_sub(struct tnum a, struct tnum b)
{
	uint64_t a_max = a.value | a.mask, b_max = b.value | b.mask;
	uint64_t low = a.value - b_max, high = a_max - b.value;
	uint64_t borrow_low = low ^ a.value ^ b_max;
	uint64_t borrow_high = high ^ a_max ^ b.value;

	return tnum_of(low, a.mask | b.mask | (borrow_low ^ borrow_high));
}

struct tnum tnum_neg(struct tnum a)
{
	return tnum_sub(tnum_const(0), a);
}

/* Long multiplication; a bit of a that is unknown contributes a row or nothing. */
struct tnum tnum_mul(struct tnum a, struct tnum b)
{
	struct tnum sum = tnum_const(0);

	for (unsigned i = 0; i < 64 && (a.value | a.mask) >> i; i++) {
		struct tnum with = tnum_add(sum, tnum_lsh(b, i));

		if (a.value >> i & 1)
			sum = with;
		else if (a.mask >> i & 1)
			sum = tnum_union(sum, with);
	}
	return sum;
}

struct tnum tnum_and(struct tnum a, struct tnum b)
{
	uint64_t may = (a.value | a.mask) & (b.value | b.mask);

	return tnum_of(a.value & b.value, may & ~(a.value & b.value));
}

struct tnum tnum_or(struct tnum a, struct tnum b)
{
	uint64_t must = a.value | b.value;

	return tnum_of(must, (a.mask | b.mask) & ~must);
}

struct tnum tnum_xor(struct tnum a, struct tnum b)
{
	return tnum_of(a.value ^ b.value, a.mask | b.mask);
}

struct tnum tnum_lsh(struct tnum a, unsigned shift)
{
	return (struct tnum){ a.value << shift, a.mask << shift };
}

struct tnum tnum_rsh(struct tnum a, unsigned shift)
{
	return (struct tnum){ a.value >> shift, a.mask >> shift };
}

/* An unknown sign bit is copied as unknown, a known one as itself. */
struct tnum tnum_arsh(struct tnum a, unsigned shift, unsigned bits)
{
	if (bits == 32)
		return (struct tnum){ (uint32_t)((int32_t)a.value >> shift),
				      (uint32_t)((int32_t)a.mask >> shift) };
	return (struct tnum){ (uint64_t)((int64_t)a.value >> shift),
			      (uint64_t)((int64_t)a.mask >> shift) };
}

struct tnum tnum_intersect(struct tnum a, struct tnum b)
{
	return tnum_of(a.value | b.value, a.mask & b.mask);
}

struct tnum tnum_union(struct tnum a, struct tnum b)
{
	return tnum_of(a.value, a.mask | b.mask | (a.value ^ b.value));
}

bool tnum_overlap(struct tnum a, struct tnum b)
{
	uint64_t known = ~a.mask & ~b.mask;

	return (a.value & known) == (b.value & known);
}

bool tnum_in(struct tnum outer, struct tnum inner)
{
	return !(inner.mask & ~outer.mask) && (inner.value & ~outer.mask) == outer.value;
}

bool tnum_is_aligned(struct tnum a, uint64_t size)
{
	return !size || !((a.value | a.mask) & (size - 1));
}

/*
 * Down to the highest known bit that x has otherwise, what is found is x itself. If
 * that bit must be 1 there, the rest may be as small as can be. If it must be 0, what
 * is above counts up by one; known bits pass the carry on as if they were 1.
 */
bool tnum_from(struct tnum a, uint64_t x, uint64_t *least)
{
	uint64_t differ = (x & ~a.mask) ^ a.value, bit, above;

	if (x > (a.value | a.mask))
		return false;
	*least = x;
	if (!differ)
		return true;
	bit = UINT64_C(1) << (63 - __builtin_clzll(differ));
	above = ~(bit | (bit - 1));
	if (!(a.value & bit))
		x = ((x | ~a.mask) & above) + (bit << 1);
	*least = (x & above & a.mask) | a.value;
	return true;
}

struct tnum tnum_cast(struct tnum a, unsigned bytes)
{
	uint64_t keep = bytes >= 8 ? UINT64_MAX : (UINT64_C(1) << bytes * 8) - 1;

	return (struct tnum){ a.value & keep, a.mask & keep };
}

struct tnum tnum_low32(struct tnum a)
{
	return tnum_cast(a, 4);
}

struct tnum tnum_clear_low32(struct tnum a)
{
	return tnum_lsh(tnum_rsh(a, 32), 32);
}

struct tnum tnum_with_low32(struct tnum a, struct tnum b)
{
	return tnum_or(tnum_clear_low32(a), tnum_low32(b));
}

struct tnum tnum_bswap(struct tnum a, unsigned bytes)
{
	unsigned shift = 64 - bytes * 8;

	return (struct tnum){ __builtin_bswap64(a.value << shift) &
				      tnum_cast(TNUM_UNKNOWN, bytes).mask,
			      __builtin_bswap64(a.mask << shift) &
				      tnum_cast(TNUM_UNKNOWN, bytes).mask };
}
