/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scalar.c - what operations do to the little we know of their operands.
 *
 * Bits and ranges are computed apart and then tightened by each other. The
 * ranges of an operation are worked out once for both widths, on struct range:
 * numbers of `bits` bits held in 64. A 64-bit operation whose low half depends
 * only on the operands' low halves also gets its 32-bit range that way.
 *
 * How precise each transformer is follows Linux 7.3, because programs are
 * written against it: a tighter one would accept what Linux refuses.
 */
#include "verify/scalar.h"

#include "base/base.h"

struct range {
	int64_t smin, smax;
	uint64_t umin, umax;
};

static struct range range_full(unsigned bits)
{
	if (bits == 32)
		return (struct range){ INT32_MIN, INT32_MAX, 0, UINT32_MAX };
	return (struct range){ INT64_MIN, INT64_MAX, 0, UINT64_MAX };
}

static struct range range_of(struct scalar a, unsigned bits)
{
	if (bits == 32)
		return (struct range){ a.smin32, a.smax32, a.umin32, a.umax32 };
	return (struct range){ a.smin, a.smax, a.umin, a.umax };
}

static struct scalar scalar_make(struct tnum bits, struct range r64, struct range r32)
{
	return (struct scalar){ .bits = bits, .smin = r64.smin, .smax = r64.smax,
				.umin = r64.umin, .umax = r64.umax,
				.smin32 = (int32_t)r32.smin, .smax32 = (int32_t)r32.smax,
				.umin32 = (uint32_t)r32.umin, .umax32 = (uint32_t)r32.umax };
}

struct scalar scalar_unknown(void)
{
	return scalar_make(TNUM_UNKNOWN, range_full(64), range_full(32));
}

struct scalar scalar_const(uint64_t value)
{
	uint32_t low = (uint32_t)value;

	return (struct scalar){ tnum_const(value), (int64_t)value, (int64_t)value, value, value,
				(int32_t)low, (int32_t)low, low, low };
}

struct scalar scalar_of_bytes(unsigned bytes)
{
	return scalar_zero_extend(scalar_unknown(), bytes);
}

struct scalar scalar_srange(int64_t min, int64_t max)
{
	struct scalar a = scalar_unknown();

	a.smin = min;
	a.smax = max;
	return scalar_sync(a);
}

struct scalar scalar_urange(uint64_t min, uint64_t max)
{
	struct scalar a = scalar_unknown();

	a.umin = min;
	a.umax = max;
	return scalar_sync(a);
}

bool scalar_has(struct scalar a, uint64_t x)
{
	int32_t s32 = (int32_t)(uint32_t)x;
	uint32_t u32 = (uint32_t)x;

	return tnum_has(a.bits, x) && a.smin <= (int64_t)x && (int64_t)x <= a.smax &&
	       a.umin <= x && x <= a.umax && a.smin32 <= s32 && s32 <= a.smax32 &&
	       a.umin32 <= u32 && u32 <= a.umax32;
}

bool scalar_equal(struct scalar a, struct scalar b)
{
	return scalar_in(a, b) && scalar_in(b, a);
}

bool scalar_is_unknown(struct scalar a)
{
	return scalar_in(a, scalar_unknown());
}

bool scalar_in(struct scalar outer, struct scalar inner)
{
	return tnum_in(outer.bits, inner.bits) && outer.smin <= inner.smin &&
	       outer.smax >= inner.smax && outer.umin <= inner.umin &&
	       outer.umax >= inner.umax && outer.smin32 <= inner.smin32 &&
	       outer.smax32 >= inner.smax32 && outer.umin32 <= inner.umin32 &&
	       outer.umax32 >= inner.umax32;
}

bool scalar_is_empty(struct scalar a)
{
	return a.smin > a.smax || a.umin > a.umax || a.smin32 > a.smax32 ||
	       a.umin32 > a.umax32 || (a.bits.value & a.bits.mask);
}

/* --- views tighten each other --- */

static void range_clip(struct range *r, struct range by)
{
	r->smin = MAX(r->smin, by.smin);
	r->smax = MIN(r->smax, by.smax);
	r->umin = MAX(r->umin, by.umin);
	r->umax = MIN(r->umax, by.umax);
}

/* The range of a number of known and unknown bits. */
static struct range range_of_bits(struct tnum t, unsigned bits)
{
	uint64_t sign = UINT64_C(1) << (bits - 1);
	uint64_t low = t.value | (t.mask & sign), high = t.value | (t.mask & ~sign);

	if (bits == 32)
		return (struct range){ (int32_t)(uint32_t)low, (int32_t)(uint32_t)high,
				       t.value, t.value | t.mask };
	return (struct range){ (int64_t)low, (int64_t)high, t.value, t.value | t.mask };
}

static int64_t as_signed(uint64_t x, unsigned bits)
{
	return bits == 32 ? (int32_t)(uint32_t)x : (int64_t)x;
}

static uint64_t as_unsigned(int64_t x, unsigned bits)
{
	return bits == 32 ? (uint32_t)x : (uint64_t)x;
}

/*
 * Signed and unsigned order agree on each side of the sign boundary. A range
 * that stays on one side carries over; one that crosses it is two pieces, and
 * where the other view has room for only one of them, that one remains.
 */
static void range_cross(struct range *r, unsigned bits)
{
	int64_t first = as_signed(r->umin, bits), last = as_signed(r->umax, bits);

	if (first <= last) {
		r->smin = MAX(r->smin, first);
		r->smax = MIN(r->smax, last);
	} else if (r->smin > last) { /* only the non-negative piece [umin, max] */
		r->smin = MAX(r->smin, first);
	} else if (r->smax < first) { /* only the negative piece [min, umax] */
		r->smax = MIN(r->smax, last);
	}
	if (r->smin >= 0 || r->smax < 0) {
		r->umin = MAX(r->umin, as_unsigned(r->smin, bits));
		r->umax = MIN(r->umax, as_unsigned(r->smax, bits));
	}
}

/* The low half of a 64-bit range whose upper half does not change. */
static void range_narrow(struct range *r32, struct range r64)
{
	if (r64.umin >> 32 == r64.umax >> 32)
		range_clip(r32, (struct range){ INT32_MIN, INT32_MAX, (uint32_t)r64.umin,
						(uint32_t)r64.umax });
	if (r64.smin >> 32 == r64.smax >> 32)
		range_clip(r32, (struct range){ INT32_MIN, INT32_MAX, (uint32_t)r64.smin,
						(uint32_t)r64.smax });
	if (r64.umin >> 32 == r64.umax >> 32 &&
	    (int32_t)(uint32_t)r64.umin <= (int32_t)(uint32_t)r64.umax)
		range_clip(r32, (struct range){ (int32_t)(uint32_t)r64.umin,
						(int32_t)(uint32_t)r64.umax, 0, UINT32_MAX });
	/* From -1 to 0 the upper half changes, but the low half runs on. */
	if (r64.smin >= INT32_MIN && r64.smax <= INT32_MAX)
		range_clip(r32, (struct range){ r64.smin, r64.smax, 0, UINT32_MAX });
}

/* A bound's upper half with the low half's bound is again a bound. */
static void range_widen(struct range *r64, struct range r32)
{
	uint64_t high = UINT64_C(0xffffffff) << 32;

	r64->umin = MAX(r64->umin, (r64->umin & high) | r32.umin);
	r64->umax = MIN(r64->umax, (r64->umax & high) | r32.umax);
	r64->smin = MAX(r64->smin, (int64_t)(((uint64_t)r64->smin & high) | r32.umin));
	r64->smax = MIN(r64->smax, (int64_t)(((uint64_t)r64->smax & high) | r32.umax));
	/* A number that fits 32 signed bits is its low half. */
	if (r64->smin >= INT32_MIN && r64->smax <= INT32_MAX) {
		r64->smin = MAX(r64->smin, r32.smin);
		r64->smax = MIN(r64->smax, r32.smax);
	}
}

static bool range_same(struct range a, struct range b)
{
	return a.smin == b.smin && a.smax == b.smax && a.umin == b.umin && a.umax == b.umax;
}

static bool range_sane(struct range r)
{
	return r.smin <= r.smax && r.umin <= r.umax;
}

/*
 * As Linux does since 7.3, keep what is one arc of the circle of numbers. Signed
 * and unsigned bounds that both cut through the middle of the other leave two
 * arcs, one on each side of zero: the smaller of the gaps between them is given
 * up ("-20 to 40 but not 0" is -20 to 40).
 */
static void range_arc(struct range *r, unsigned bits)
{
	uint64_t top = bits == 32 ? UINT32_MAX : UINT64_MAX, sign = top / 2 + 1;
	uint64_t low_end, high_start, across_sign, across_zero;

	if (r->smin >= 0 || r->smax < 0 || r->umax < sign || r->umin >= sign)
		return;
	low_end = MIN((uint64_t)r->smax, r->umax);
	high_start = MAX(as_unsigned(r->smin, bits), r->umin);
	if (low_end < r->umin || high_start > r->umax) /* one of them is empty: range_cross() */
		return;
	across_sign = high_start - low_end - 1;
	across_zero = top - r->umax + r->umin;
	if (across_sign > across_zero) {
		r->umin = 0;
		r->umax = top;
	} else {
		r->smin = as_signed(sign, bits);
		r->smax = (int64_t)(sign - 1);
	}
}

static struct tnum tighten_bits(struct tnum bits, struct range r64, struct range r32)
{
	struct tnum by64 = tnum_range(r64.umin, r64.umax);
	struct tnum by32 = tnum_range(r32.umin, r32.umax);

	bits = tnum_intersect(bits, by64);
	return tnum_with_low32(bits, tnum_intersect(tnum_low32(bits), by32));
}

/*
 * What bits and range have in common may be no number: the path cannot be. Linux notices,
 * unless it is left with known bits that are not all 0, and then goes on with those.
 */
static bool goes_on(uint64_t known, struct range r64)
{
	return known && (known < r64.umin || known > r64.umax);
}

/*
 * Bits and range may have one number in common though neither is constant: of r & 0x80
 * not less than 54, 0x80. The largest the bits allow is taken for it, as Linux does, if
 * none that they allow is nearer to the range, though then there is none in it.
 */
static bool only_number(struct tnum bits, struct range r64, uint64_t *number)
{
	uint64_t next;

	if (!tnum_from(bits, r64.umin, number))
		return false;
	if (*number == (bits.value | bits.mask))
		return true;
	return *number <= r64.umax &&
	       (!tnum_from(bits, *number + 1, &next) || next > r64.umax);
}

struct scalar scalar_forget_halves(struct scalar a)
{
	struct scalar unknown = scalar_unknown();

	a.smin32 = unknown.smin32;
	a.smax32 = unknown.smax32;
	a.umin32 = unknown.umin32;
	a.umax32 = unknown.umax32;
	return scalar_sync(a);
}

struct scalar scalar_sync(struct scalar a)
{
	struct range r64 = range_of(a, 64), r32 = range_of(a, 32), before64, before32;
	struct tnum bits = a.bits;
	uint64_t number;

	if (!bits.mask && scalar_has(a, bits.value))
		return scalar_const(bits.value);
	range_clip(&r64, range_of_bits(bits, 64));
	range_clip(&r32, range_of_bits(tnum_low32(bits), 32));
	if (range_sane(r64) && range_sane(r32)) {
		range_arc(&r64, 64);
		range_arc(&r32, 32);
	}
	for (int round = 0; round < 3; round++) {
		before64 = r64;
		before32 = r32;
		range_cross(&r32, 32);
		range_narrow(&r32, r64);
		range_cross(&r64, 64);
		range_widen(&r64, r32);
		range_cross(&r64, 64);
		if (range_same(r64, before64) && range_same(r32, before32))
			break; /* and so it would be in the next round */
	}
	if (range_sane(r64) && range_sane(r32)) {
		range_arc(&r64, 64);
		range_arc(&r32, 32);
		if (only_number(bits, r64, &number))
			return scalar_const(number);
		bits = tighten_bits(bits, r64, r32);
		if (tnum_is_const(bits) && goes_on(bits.value, r64))
			return scalar_const(bits.value);
		range_clip(&r64, range_of_bits(bits, 64));
		range_clip(&r32, range_of_bits(tnum_low32(bits), 32));
		range_arc(&r64, 64);
		range_arc(&r32, 32);
	}
	return scalar_make(bits, r64, r32);
}

struct scalar scalar_with_low32(struct scalar a, uint32_t low)
{
	a.bits = tnum_with_low32(a.bits, tnum_const(low));
	a.umin32 = a.umax32 = low;
	a.smin32 = a.smax32 = (int32_t)low;
	return scalar_sync(a);
}

/* --- extension --- */

struct scalar scalar_zero_extend(struct scalar a, unsigned bytes)
{
	struct range r = range_full(64), low = range_of(a, 32);
	uint64_t keep = tnum_cast(TNUM_UNKNOWN, bytes).mask;

	if (bytes >= 8)
		return a;
	if (bytes == 4) {
		r.umin = low.umin;
		r.umax = low.umax;
	} else if ((a.umin & ~keep) == (a.umax & ~keep)) {
		r.umin = a.umin & keep;
		r.umax = a.umax & keep;
	} else {
		r.umax = keep;
	}
	r.smin = (int64_t)r.umin;
	r.smax = (int64_t)r.umax;
	if (bytes < 4)
		low = range_full(32);
	return scalar_sync(scalar_make(tnum_cast(a.bits, bytes), r, low));
}

struct scalar scalar_sign_extend(struct scalar a, unsigned bytes, unsigned width)
{
	unsigned shift = 64 - bytes * 8;
	int64_t min = (int64_t)((uint64_t)a.smin << shift) >> shift;
	int64_t max = (int64_t)((uint64_t)a.smax << shift) >> shift;
	struct scalar result = scalar_unknown();

	if (bytes >= width)
		return scalar_zero_extend(a, width);
	if (bytes == 4) {
		min = a.smin32;
		max = a.smax32;
	} else if (a.smin >> (bytes * 8) != a.smax >> (bytes * 8) || min > max) {
		min = INT64_MIN >> shift;
		max = INT64_MAX >> shift;
	}
	result.bits = tnum_arsh(tnum_lsh(a.bits, shift), shift, 64);
	result.smin = min;
	result.smax = max;
	return scalar_zero_extend(scalar_sync(result), width);
}

/* --- operations --- */

/* Of the low half alone, as a 32-bit operation leaves it: the upper half is 0. */
static struct scalar finish32(struct tnum bits, struct range r32)
{
	return scalar_zero_extend(scalar_make(tnum_low32(bits), range_full(64), r32), 4);
}

static struct scalar finish(unsigned width, struct tnum bits, struct range r64, struct range r32)
{
	if (width == 4)
		return finish32(bits, r32);
	return scalar_sync(scalar_make(bits, r64, r32));
}

static struct scalar unknown_result(unsigned width)
{
	return scalar_of_bytes(width);
}

/* x + y in `bits` bits; true when it does not fit. */
static bool sadd(int64_t x, int64_t y, int64_t *sum, unsigned bits)
{
	return __builtin_add_overflow(x, y, sum) || (bits == 32 && *sum != (int32_t)*sum);
}

static bool ssub(int64_t x, int64_t y, int64_t *difference, unsigned bits)
{
	return __builtin_sub_overflow(x, y, difference) ||
	       (bits == 32 && *difference != (int32_t)*difference);
}

static bool smul(int64_t x, int64_t y, int64_t *product, unsigned bits)
{
	return __builtin_mul_overflow(x, y, product) ||
	       (bits == 32 && *product != (int32_t)*product);
}

static uint64_t wrap(uint64_t x, unsigned bits)
{
	return bits == 32 ? (uint32_t)x : x;
}

static struct range range_add(struct range d, struct range s, unsigned bits)
{
	struct range r = range_full(bits);
	int64_t smin, smax;
	uint64_t umin = wrap(d.umin + s.umin, bits), umax = wrap(d.umax + s.umax, bits);

	if (!sadd(d.smin, s.smin, &smin, bits) && !sadd(d.smax, s.smax, &smax, bits)) {
		r.smin = smin;
		r.smax = smax;
	}
	if ((umin < d.umin) == (umax < d.umax)) { /* both wrap, or neither */
		r.umin = umin;
		r.umax = umax;
	}
	return r;
}

static struct range range_sub(struct range d, struct range s, unsigned bits)
{
	struct range r = range_full(bits);
	int64_t smin, smax;

	if (!ssub(d.smin, s.smax, &smin, bits) && !ssub(d.smax, s.smin, &smax, bits)) {
		r.smin = smin;
		r.smax = smax;
	}
	if ((d.umin < s.umax) == (d.umax < s.umin)) {
		r.umin = wrap(d.umin - s.umax, bits);
		r.umax = wrap(d.umax - s.umin, bits);
	}
	return r;
}

static struct range range_mul(struct range d, struct range s, unsigned bits)
{
	struct range r = range_full(bits);
	int64_t p[4];
	uint64_t umax;

	if (!smul(d.smin, s.smin, &p[0], bits) && !smul(d.smin, s.smax, &p[1], bits) &&
	    !smul(d.smax, s.smin, &p[2], bits) && !smul(d.smax, s.smax, &p[3], bits)) {
		r.smin = MIN(MIN(p[0], p[1]), MIN(p[2], p[3]));
		r.smax = MAX(MAX(p[0], p[1]), MAX(p[2], p[3]));
	}
	if (!__builtin_mul_overflow(d.umax, s.umax, &umax) && umax == wrap(umax, bits)) {
		r.umin = d.umin * s.umin;
		r.umax = umax;
	}
	return r;
}

typedef struct range range_op(struct range d, struct range s, unsigned bits);

static struct scalar fold_ranges(range_op *op, struct tnum bits, struct scalar d,
				 struct scalar s, unsigned width)
{
	return finish(width, bits, op(range_of(d, 64), range_of(s, 64), 64),
		      op(range_of(d, 32), range_of(s, 32), 32));
}

struct scalar scalar_add(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	(void)from;
	return fold_ranges(range_add, tnum_add(d.bits, s.bits), d, s, width);
}

struct scalar scalar_sub(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	(void)from;
	return fold_ranges(range_sub, tnum_sub(d.bits, s.bits), d, s, width);
}

struct scalar scalar_neg(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	(void)s;
	return scalar_sub(scalar_const(0), d, width, from);
}

struct scalar scalar_mul(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	(void)from;
	return fold_ranges(range_mul, tnum_mul(d.bits, s.bits), d, s, width);
}

/* Bitwise results are bounded as unsigned numbers; the signed range follows. */

struct scalar scalar_and(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	struct range r64 = range_full(64), r32 = range_full(32);

	(void)from;
	r64.umax = MIN(d.umax, s.umax);
	r32.umax = MIN(d.umax32, s.umax32);
	return finish(width, tnum_and(d.bits, s.bits), r64, r32);
}

struct scalar scalar_or(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	struct range r64 = range_full(64), r32 = range_full(32);

	(void)from;
	r64.umin = MAX(d.umin, s.umin);
	r32.umin = MAX(d.umin32, s.umin32);
	return finish(width, tnum_or(d.bits, s.bits), r64, r32);
}

struct scalar scalar_xor(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	(void)from;
	return finish(width, tnum_xor(d.bits, s.bits), range_full(64), range_full(32));
}

/*
 * Shifts are followed only by a known, sensible distance, and divisions by a known
 * divisor. Otherwise Linux forgets the whole register, though a 32-bit operation
 * leaves the upper half zero; programs that depend on that half are refused there.
 */
static bool shift_known(struct scalar s, unsigned width, unsigned *shift)
{
	if (width == 4) {
		*shift = s.umin32;
		return s.umin32 == s.umax32 && s.umax < 32; /* the whole of it, as on Linux */
	}
	*shift = (unsigned)s.umin;
	return s.umin == s.umax && s.umin < 64;
}

static struct range range_lsh(struct range d, unsigned shift, unsigned bits)
{
	struct range r = range_full(bits);

	if (shift < bits && d.umax <= wrap(UINT64_MAX, bits) >> shift) {
		r.umin = d.umin << shift;
		r.umax = d.umax << shift;
	}
	return r;
}

struct scalar scalar_lsh(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	struct range r64;
	unsigned shift;

	(void)from;
	if (!shift_known(s, width, &shift))
		return scalar_unknown();
	r64 = range_lsh(range_of(d, 64), shift, 64);
	if (shift == 32) { /* what compilers do to sign-extend: the low half, moved up */
		r64.smin = (int64_t)((uint64_t)(int64_t)d.smin32 << 32);
		r64.smax = (int64_t)((uint64_t)(int64_t)d.smax32 << 32);
	}
	return finish(width, tnum_lsh(d.bits, shift), r64,
		      range_lsh(range_of(d, 32), shift, 32));
}

struct scalar scalar_rsh(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	struct range r64 = range_full(64), r32 = range_full(32);
	unsigned shift;

	(void)from;
	if (!shift_known(s, width, &shift))
		return scalar_unknown();
	if (width == 4) {
		r32.umin = d.umin32 >> shift;
		r32.umax = d.umax32 >> shift;
		return finish32(tnum_rsh(tnum_low32(d.bits), shift), r32);
	}
	r64.umin = d.umin >> shift;
	r64.umax = d.umax >> shift;
	return finish(width, tnum_rsh(d.bits, shift), r64, r32);
}

struct scalar scalar_arsh(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	struct range r64 = range_full(64), r32 = range_full(32);
	unsigned shift;

	(void)from;
	if (!shift_known(s, width, &shift))
		return scalar_unknown();
	if (width == 4) {
		r32.smin = d.smin32 >> shift;
		r32.smax = d.smax32 >> shift;
		return finish32(tnum_arsh(tnum_low32(d.bits), shift, 32), r32);
	}
	r64.smin = d.smin >> shift;
	r64.smax = d.smax >> shift;
	return finish(width, tnum_arsh(d.bits, shift, 64), r64, r32);
}

/* --- division --- */

static struct scalar finish_division(struct range r, unsigned width)
{
	if (width == 4)
		return finish32(TNUM_UNKNOWN, r);
	return finish(width, TNUM_UNKNOWN, r, range_full(32));
}

/* The divisor, where it is known; signed in *divisor for both widths. */
static bool divisor_known(struct scalar s, unsigned width, struct range *divisor)
{
	*divisor = range_of(scalar_sync(s), width * 8);
	return divisor->umin == divisor->umax;
}

struct scalar scalar_div(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	struct range r = range_full(width * 8), by, n = range_of(d, width * 8);

	(void)from;
	if (!divisor_known(s, width, &by))
		return scalar_unknown();
	if (!by.umin)
		return scalar_const(0);
	r.umin = n.umin / by.umin;
	r.umax = n.umax / by.umin;
	return finish_division(r, width);
}

struct scalar scalar_mod(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	struct range r = range_full(width * 8), by, n = range_of(d, width * 8);

	(void)from;
	if (!divisor_known(s, width, &by))
		return scalar_unknown();
	if (!by.umin || n.umax < by.umin) /* unchanged */
		return scalar_zero_extend(d, width);
	r.umax = by.umin - 1;
	return finish_division(r, width);
}

struct scalar scalar_sdiv(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	unsigned bits = width * 8;
	struct range r = range_full(bits), by, n = range_of(d, bits);

	(void)from;
	if (!divisor_known(s, width, &by))
		return scalar_unknown();
	if (by.smin == 0)
		return scalar_const(0);
	if (by.smin == -1 && n.smin == range_full(bits).smin) /* the one that overflows */
		return unknown_result(width);
	r.smin = MIN(n.smin / by.smin, n.smax / by.smin);
	r.smax = MAX(n.smin / by.smin, n.smax / by.smin);
	return finish_division(r, width);
}

struct scalar scalar_smod(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	struct range r, by, n = range_of(d, width * 8);
	int64_t most;

	(void)from;
	if (!divisor_known(s, width, &by))
		return scalar_unknown();
	if (by.smin == range_full(width * 8).smin)
		return unknown_result(width);
	if (by.smin == 0)
		return scalar_zero_extend(d, width);
	/* The remainder has the dividend's sign and is smaller than the divisor. */
	most = (by.smin < 0 ? -by.smin : by.smin) - 1;
	if (n.smin >= -most && n.smax <= most)
		return scalar_zero_extend(d, width);
	r = range_full(width * 8);
	r.smin = n.smin >= 0 ? 0 : MAX(-most, n.smin);
	r.smax = n.smax <= 0 ? 0 : MIN(most, n.smax);
	return finish_division(r, width);
}

/* --- moves and byte order --- */

struct scalar scalar_mov(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	(void)d;
	if (from < width)
		return scalar_sign_extend(s, from, width);
	return scalar_zero_extend(s, width);
}

struct scalar scalar_bswap(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	struct scalar a = scalar_unknown();

	(void)s, (void)width;
	a.bits = tnum_bswap(d.bits, from);
	return scalar_sync(a);
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE_ORDER scalar_to_le
#define SWAPPED_ORDER scalar_to_be
#else
#define NATIVE_ORDER scalar_to_be
#define SWAPPED_ORDER scalar_to_le
#endif

struct scalar NATIVE_ORDER(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	(void)s, (void)width;
	return scalar_zero_extend(d, from);
}

struct scalar SWAPPED_ORDER(struct scalar d, struct scalar s, unsigned width, unsigned from)
{
	return scalar_bswap(d, s, width, from);
}

/* Of known numbers these know the result; the other rows are no more precise than Linux. */
static bool folds_exactly(enum alu op)
{
	return op == ALU_ADD || op == ALU_SUB || op == ALU_MUL || op == ALU_AND || op == ALU_OR ||
	       op == ALU_XOR;
}

struct scalar scalar_alu(enum alu op, struct scalar d, struct scalar s, unsigned width,
			 unsigned from)
{
	if (scalar_is_const(d) && scalar_is_const(s) && folds_exactly(op) && !scalar_is_empty(d) &&
	    !scalar_is_empty(s))
		return scalar_const(alu_eval(op, width, from, d.bits.value, s.bits.value));
	switch (op) {
#define ALU(name, token, code, expr, fold) \
	case ALU_##name:                   \
		return fold(d, s, width, from);
#include "isa/alu.def"
	case ALU_COUNT:
		break;
	}
	__builtin_unreachable();
}
