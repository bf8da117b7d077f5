/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domain.c - what a number can be: a range, bits that are known, a few numbers that it is not; each
 * tells of the others (domain_settle()). Whatever is dropped only makes it weaker.
 */
#include "cbpf/domain.h"

const struct domain domain_anything = { .max = UINT32_MAX };

struct domain domain_exactly(uint32_t k)
{
	return (struct domain){ .min = k, .max = k, .known = UINT32_MAX, .bits = k };
}

struct domain domain_below(uint32_t max)
{
	struct domain d = { .max = max };

	d.known = max == 0 ? UINT32_MAX : max == UINT32_MAX || max >> 31 ? 0 :
		  ~((2u << (31 - __builtin_clz(max))) - 1);
	return d;
}

bool domain_impossible(const struct domain *d)
{
	return d->min > d->max || d->bits & ~d->known;
}

bool domain_contains(const struct domain *d, uint32_t k)
{
	if (k < d->min || k > d->max || (k & d->known) != d->bits)
		return false;
	for (unsigned i = 0; i < d->nots; i++) {
		if (d->is_not[i] == k)
			return false;
	}
	return true;
}

void domain_exclude(struct domain *d, uint32_t k)
{
	if (!domain_contains(d, k))
		return;
	if (d->nots < NOT_MAX)
		d->is_not[d->nots++] = k;
}

/* The lowest number from x on that has these bits where known is 1; false: there is none. */
static bool next_with_bits(uint32_t *x, uint32_t known, uint32_t bits)
{
	uint32_t y = (*x & ~known) | bits, above, room;

	if (y == *x)
		return true;
	above = UINT32_MAX << (31 - __builtin_clz(y ^ *x)); /* from the first bit that differs on */
	if (y < *x) { /* a free bit above must rise */
		room = ~known & ~y & above << 1;
		if (room == 0)
			return false;
		room &= 0 - room;
		y |= room;
		above = 0 - room;
	}
	*x = (y & above) | (bits & ~above);
	return true;
}

/* Ranges and bits tell of each other. An impossible one has min > max. */
struct domain domain_settle(struct domain d)
{
	static const struct domain none = { .min = 1, .max = 0 };
	struct domain s = d;
	uint32_t high, mirrored = ~d.max;

	if (d.min > d.max || d.bits & ~d.known || !next_with_bits(&s.min, d.known, d.bits) ||
	    !next_with_bits(&mirrored, d.known, ~d.bits & d.known))
		return none;
	s.max = ~mirrored;
	s.nots = 0;
	for (unsigned i = 0; i < d.nots; i++) {
		if (s.min >= s.max || (d.is_not[i] != s.min && d.is_not[i] != s.max))
			continue;
		if (d.is_not[i] == s.min)
			s.min++;
		else
			s.max--;
		mirrored = ~s.max;
		if (!next_with_bits(&s.min, d.known, d.bits) ||
		    !next_with_bits(&mirrored, d.known, ~d.bits & d.known))
			return none;
		s.max = ~mirrored;
		i = (unsigned)-1;
	}
	for (unsigned i = 0; i < d.nots; i++) {
		if (d.is_not[i] == s.min && s.min == s.max)
			s.min = 1, s.max = 0;
	}
	if (s.min > s.max)
		return none;
	if (s.min == s.max) {
		if ((s.min & d.known) != d.bits)
			return none;
		return domain_exactly(s.min);
	}
	/* the bits above the highest in which the ends differ */
	high = ~((2u << (31 - __builtin_clz(s.min ^ s.max))) - 1);
	if (__builtin_clz(s.min ^ s.max) == 0)
		high = 0;
	if ((s.min & high & d.known) != (d.bits & high))
		return none;
	s.known |= high;
	s.bits |= s.min & high;
	for (unsigned i = 0; i < d.nots; i++)
		domain_exclude(&s, d.is_not[i]);
	return s;
}

struct domain domain_both(const struct domain *a, const struct domain *b)
{
	struct domain d = *a;

	if (a->known & b->known & (a->bits ^ b->bits))
		return (struct domain){ .min = 1, .max = 0 };
	d.min = MAX(a->min, b->min);
	d.max = MIN(a->max, b->max);
	d.known |= b->known;
	d.bits |= b->bits;
	for (unsigned i = 0; i < b->nots; i++)
		domain_exclude(&d, b->is_not[i]);
	return domain_settle(d);
}

struct domain domain_either(const struct domain *a, const struct domain *b)
{
	struct domain d = { MIN(a->min, b->min), MAX(a->max, b->max),
			    a->known & b->known & ~(a->bits ^ b->bits), 0, 0, { 0 } };

	d.bits = a->bits & d.known;
	for (unsigned i = 0; i < a->nots; i++) {
		if (!domain_contains(b, a->is_not[i]))
			domain_exclude(&d, a->is_not[i]);
	}
	for (unsigned i = 0; i < b->nots; i++) {
		if (!domain_contains(a, b->is_not[i]))
			domain_exclude(&d, b->is_not[i]);
	}
	return d;
}

bool domain_says_nothing(const struct domain *d)
{
	return d->min == 0 && d->max == UINT32_MAX && d->known == 0 && d->nots == 0;
}

bool domain_within(const struct domain *a, const struct domain *b)
{
	if (a->min < b->min || a->max > b->max || b->known & ~a->known ||
	    (a->bits & b->known) != b->bits)
		return false;
	for (unsigned i = 0; i < b->nots; i++) {
		if (domain_contains(a, b->is_not[i]))
			return false;
	}
	return true;
}

/* --- the domain of an operation --- */

static struct domain shifted(const struct domain *l, enum alu op, uint32_t by)
{
	struct domain d = domain_anything;

	if (op == ALU_RSH) {
		d.min = l->min >> by;
		d.max = l->max >> by;
		d.known = l->known >> by | ~(UINT32_MAX >> by);
		d.bits = l->bits >> by;
	} else {
		d.known = l->known << by | ~(UINT32_MAX << by);
		d.bits = l->bits << by;
		if (l->max <= UINT32_MAX >> by) {
			d.min = l->min << by;
			d.max = l->max << by;
		}
	}
	return domain_settle(d);
}

struct domain domain_alu(enum alu op, const struct domain *l, const struct domain *r)
{
	uint32_t ones, zeros;
	struct domain d = domain_anything;

	if (l->min == l->max && r->min == r->max && !(r->min == 0 && (op == ALU_DIV || op == ALU_MOD)))
		return domain_exactly((uint32_t)alu_eval(op, 4, 4, l->min, r->min));
	if (op == ALU_AND || op == ALU_OR) {
		ones = op == ALU_AND ? l->bits & r->bits : l->bits | r->bits;
		zeros = op == ALU_AND ? (l->known & ~l->bits) | (r->known & ~r->bits) :
					l->known & ~l->bits & r->known & ~r->bits;
		d.known = ones | zeros;
		d.bits = ones;
		if (op == ALU_AND)
			d.max = MIN(l->max, r->max);
		else
			d.min = MAX(l->min, r->min);
		return domain_settle(d);
	}
	if (op == ALU_XOR) {
		d.known = l->known & r->known;
		d.bits = (l->bits ^ r->bits) & d.known;
		return domain_settle(d);
	}
	if ((op == ALU_LSH || op == ALU_RSH) && r->min == r->max)
		return shifted(l, op, r->min & 31);
	if (op == ALU_ADD && (uint64_t)l->max + r->max <= UINT32_MAX) {
		d.min = l->min + r->min;
		d.max = l->max + r->max;
	} else if (op == ALU_SUB && l->min >= r->max) {
		d.min = l->min - r->max;
		d.max = l->max - r->min;
	} else if (op == ALU_MUL && (uint64_t)l->max * r->max <= UINT32_MAX) {
		d.min = l->min * r->min;
		d.max = l->max * r->max;
	} else if (op == ALU_DIV && r->min > 0) {
		d.min = l->min / r->max;
		d.max = l->max / r->min;
	} else if (op == ALU_MOD && r->min > 0) {
		d.max = MIN(r->max - 1, l->max);
	} else if (op == ALU_RSH) {
		d.max = l->max;
	}
	return domain_settle(d);
}
