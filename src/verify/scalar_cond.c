/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scalar_cond.c - deciding comparisons, and learning from them.
 *
 * Of a comparison whose outcome is not known, each side of the branch learns
 * what must hold there. Only four facts exist for ranges: equal, not equal,
 * less, less or equal; everything else is one of them with the operands
 * exchanged (the COND rows' mirror) or negated (their inverse).
 */
#include "verify/scalar.h"

#include "base/base.h"

/* The view of a number that a comparison of this width looks at. */
struct view_of {
	struct tnum bits;
	int64_t smin, smax;
	uint64_t umin, umax;
};

static struct view_of view_scalar(struct scalar a, unsigned width)
{
	if (width == 4)
		return (struct view_of){ tnum_low32(a.bits), a.smin32, a.smax32, a.umin32,
					 a.umax32 };
	return (struct view_of){ a.bits, a.smin, a.smax, a.umin, a.umax };
}

static struct scalar view_apply(struct scalar a, struct view_of v, unsigned width)
{
	if (width == 4) {
		a.bits = tnum_with_low32(a.bits, v.bits);
		a.smin32 = (int32_t)v.smin;
		a.smax32 = (int32_t)v.smax;
		a.umin32 = (uint32_t)v.umin;
		a.umax32 = (uint32_t)v.umax;
	} else {
		a.bits = v.bits;
		a.smin = v.smin;
		a.smax = v.smax;
		a.umin = v.umin;
		a.umax = v.umax;
	}
	return scalar_sync(a);
}

/* --- deciding --- */

static bool view_is_const(struct view_of v)
{
	return tnum_is_const(v.bits);
}

static int decide_equal(struct view_of d, struct view_of s)
{
	if (view_is_const(d) && view_is_const(s))
		return d.bits.value == s.bits.value;
	if (!tnum_overlap(d.bits, s.bits) || d.umin > s.umax || d.umax < s.umin ||
	    d.smin > s.smax || d.smax < s.smin)
		return 0;
	return -1;
}

static int decide_not(int decided)
{
	return decided < 0 ? -1 : !decided;
}

/* d & s != 0 */
static int decide_set(struct view_of d, struct view_of s)
{
	if (!view_is_const(s)) {
		struct view_of other = d;

		if (!view_is_const(d))
			return -1;
		d = s;
		s = other;
	}
	if (d.bits.value & s.bits.value)
		return 1;
	return (d.bits.value | d.bits.mask) & s.bits.value ? -1 : 0;
}

static int decide_less(struct view_of d, struct view_of s)
{
	return d.umax < s.umin ? 1 : d.umin >= s.umax ? 0 : -1;
}

static int decide_less_signed(struct view_of d, struct view_of s)
{
	return d.smax < s.smin ? 1 : d.smin >= s.smax ? 0 : -1;
}

static int decide(enum cond op, struct view_of d, struct view_of s)
{
	switch (op) {
	case COND_EQ:
		return decide_equal(d, s);
	case COND_NE:
		return decide_not(decide_equal(d, s));
	case COND_SET:
		return decide_set(d, s);
	case COND_LT:
		return decide_less(d, s);
	case COND_GE:
		return decide_not(decide_less(d, s));
	case COND_GT:
		return decide_less(s, d);
	case COND_LE:
		return decide_not(decide_less(s, d));
	case COND_SLT:
		return decide_less_signed(d, s);
	case COND_SGE:
		return decide_not(decide_less_signed(d, s));
	case COND_SGT:
		return decide_less_signed(s, d);
	case COND_SLE:
		return decide_not(decide_less_signed(s, d));
	case COND_COUNT:
		break;
	}
	__builtin_unreachable();
}

int scalar_cond(enum cond op, struct scalar d, struct scalar s, unsigned width)
{
	return decide(op, view_scalar(d, width), view_scalar(s, width));
}

/* --- learning --- */

static void learn_equal(struct view_of *d, struct view_of *s)
{
	struct view_of both = { .smin = MAX(d->smin, s->smin), .smax = MIN(d->smax, s->smax),
				.umin = MAX(d->umin, s->umin), .umax = MIN(d->umax, s->umax) };

	both.bits = tnum_overlap(d->bits, s->bits) ? tnum_intersect(d->bits, s->bits) : d->bits;
	*d = *s = both;
}

/* A number other than the end of a range takes that end away. */
static void learn_not_value(struct view_of *d, struct view_of s)
{
	if (!view_is_const(s))
		return;
	if (d->umin == s.umin && d->umin < d->umax)
		d->umin++;
	if (d->umax == s.umax && d->umin < d->umax)
		d->umax--;
	if (d->smin == s.smin && d->smin < d->smax)
		d->smin++;
	if (d->smax == s.smax && d->smin < d->smax)
		d->smax--;
}

static void learn_not_equal(struct view_of *d, struct view_of *s)
{
	struct view_of before = *d;

	learn_not_value(d, *s);
	learn_not_value(s, before);
}

static void learn_bits(struct view_of *d, struct view_of s, bool set)
{
	uint64_t value = s.bits.value;

	if (!view_is_const(s))
		return;
	if (!set) { /* all of them are 0 */
		d->bits.value &= ~value;
		d->bits.mask &= ~value;
	} else if (value && !(value & (value - 1))) { /* the one bit is 1 */
		d->bits.value |= value;
		d->bits.mask &= ~value;
	}
}

static void learn_set(struct view_of *d, struct view_of *s, bool set)
{
	struct view_of before = *d;

	learn_bits(d, *s, set);
	learn_bits(s, before, set);
}

/* d < s, or d <= s. Nothing is below 0: then the branch is never taken. */
static void learn_less(struct view_of *d, struct view_of *s, bool or_equal)
{
	uint64_t step = or_equal ? 0 : 1;
	uint64_t most = s->umax, least = d->umin;

	if (most >= step)
		d->umax = MIN(d->umax, most - step);
	if (least <= UINT64_MAX - step)
		s->umin = MAX(s->umin, least + step);
}

static void learn_less_signed(struct view_of *d, struct view_of *s, bool or_equal)
{
	int64_t step = or_equal ? 0 : 1;
	int64_t most = s->smax, least = d->smin;

	if (most >= INT64_MIN + step)
		d->smax = MIN(d->smax, most - step);
	if (least <= INT64_MAX - step)
		s->smin = MAX(s->smin, least + step);
}

static void learn(enum cond op, struct view_of *d, struct view_of *s)
{
	switch (op) {
	case COND_EQ:
		learn_equal(d, s);
		return;
	case COND_NE:
		learn_not_equal(d, s);
		return;
	case COND_SET:
		learn_set(d, s, true);
		return;
	case COND_LT:
	case COND_LE:
		learn_less(d, s, op == COND_LE);
		return;
	case COND_GT:
	case COND_GE:
		learn_less(s, d, op == COND_GE);
		return;
	case COND_SLT:
	case COND_SLE:
		learn_less_signed(d, s, op == COND_SLE);
		return;
	case COND_SGT:
	case COND_SGE:
		learn_less_signed(s, d, op == COND_SGE);
		return;
	case COND_COUNT:
		break;
	}
	__builtin_unreachable();
}

void scalar_assume(enum cond op, bool negate, struct scalar *d, struct scalar *s, unsigned width)
{
	struct view_of vd = view_scalar(*d, width), vs = view_scalar(*s, width);
	enum cond inverse;

	if (!negate)
		learn(op, &vd, &vs);
	else if (cond_inverse(op, &inverse))
		learn(inverse, &vd, &vs);
	else
		learn_set(&vd, &vs, false);
	*d = view_apply(*d, vd, width);
	*s = view_apply(*s, vs, width);
}
