/* SPDX-License-Identifier: BSD-2-Clause */
/* fact.c - keeping, joining and using facts. Whatever is dropped only makes them weaker. */
#include "cbpf/fact.h"

enum { DEPTH = 10, FACTS_MAX = 512 };

/* --- the list --- */

void facts_init(struct facts *facts)
{
	*facts = (struct facts){ .most = UINT64_MAX };
}

void facts_done(struct facts *facts)
{
	vec_done(&facts->all);
}

void facts_copy(struct facts *to, const struct facts *from)
{
	struct fact *items = to->all.items;
	size_t size = to->all.size;

	if (size < from->all.count) {
		size = from->all.count + 8;
		items = realloc(items, size * sizeof(*items));
		if (!items) {
			to->failed = true;
			return;
		}
	}
	*to = *from;
	to->all.items = items;
	to->all.size = size;
	if (from->all.count)
		memcpy(items, from->all.items, from->all.count * sizeof(*items));
}

/* Where it is, or would be. */
static size_t position(const struct facts *facts, uint32_t id)
{
	size_t low = 0, high = facts->all.count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (facts->all.items[middle].value < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct domain *stored(const struct facts *facts, uint32_t id)
{
	size_t at = position(facts, id);

	return at < facts->all.count && facts->all.items[at].value == id ?
		       &facts->all.items[at].domain : NULL;
}

/* It is in this domain too; false: it cannot be. */
static bool narrow(struct facts *facts, uint32_t id, struct domain domain)
{
	size_t at = position(facts, id);
	struct fact *items = facts->all.items;

	domain = domain_settle(domain);
	if (at < facts->all.count && items[at].value == id) {
		items[at].domain = domain_both(&items[at].domain, &domain);
		return !domain_impossible(&items[at].domain);
	}
	if (domain_impossible(&domain))
		return false;
	if (facts->all.count >= FACTS_MAX || domain_says_nothing(&domain))
		return true;
	if (!vec_push(&facts->all)) {
		facts->failed = true;
		return true;
	}
	items = facts->all.items;
	memmove(items + at + 1, items + at, (facts->all.count - 1 - at) * sizeof(*items));
	items[at] = (struct fact){ id, domain };
	return true;
}

void facts_meet(struct facts *into, const struct facts *other, const struct values *values)
{
	size_t kept = 0;

	if (!into->reached) {
		facts_copy(into, other);
		return;
	}
	into->least = MIN(into->least, other->least);
	into->most = MAX(into->most, other->most);
	into->failed |= other->failed;
	for (size_t i = 0; i < into->all.count; i++) {
		struct fact fact = into->all.items[i];
		struct domain d = facts_domain(other, values, fact.value);
		int decided = d.min == 0 && d.max == 1 ? facts_decide(other, values, fact.value) : -1;

		if (decided >= 0)
			d = domain_exactly((uint32_t)decided);
		fact.domain = domain_either(&fact.domain, &d);
		if (!domain_says_nothing(&fact.domain))
			into->all.items[kept++] = fact;
	}
	into->all.count = kept;
}

bool facts_imply(const struct facts *a, const struct facts *b, const struct values *values)
{
	if (a->least < b->least || a->most > b->most)
		return false;
	for (size_t i = 0; i < b->all.count; i++) {
		struct domain d = facts_domain(a, values, b->all.items[i].value);

		if (!domain_within(&d, &b->all.items[i].domain))
			return false;
	}
	return true;
}

/* --- asking --- */

static struct domain domain_of(const struct facts *facts, const struct values *values, uint32_t id,
			       int depth);

/* Bits that other loads of the same bytes tell. */
static void overlap(const struct facts *facts, const struct values *values, const struct value *v,
		    struct domain *d)
{
	for (size_t i = 0; i < facts->all.count; i++) {
		const struct fact *fact = &facts->all.items[i];
		const struct value *o = value_get(values, fact->value);
		int32_t from;

		if (o->kind != VALUE_LOAD || o->left != v->left || o == v)
			continue;
		from = (int32_t)(o->k - v->k); /* o's first byte, counted from v's */
		if (from <= -(int32_t)o->width || from >= (int32_t)v->width)
			continue;
		for (int32_t b = MAX(from, 0); b < MIN(from + o->width, (int32_t)v->width); b++) {
			unsigned here = 8 * (unsigned)(v->width - 1 - b);
			unsigned there = 8 * (unsigned)(o->width - 1 - (b - from));
			uint32_t known = fact->domain.known >> there & 0xff;

			/* what is known twice is the same, or this place is never reached */
			known &= ~(d->known >> here) & 0xff;
			d->known |= known << here;
			d->bits |= (fact->domain.bits >> there & known) << here;
		}
	}
}

static struct domain computed(const struct facts *facts, const struct values *values,
			      const struct value *v, int depth)
{
	struct domain l, r, d;

	switch ((enum value_kind)v->kind) {
	case VALUE_CONST:
		return domain_exactly(v->k);
	case VALUE_LOAD:
		d = v->width < 4 ? domain_below((1u << 8 * v->width) - 1) : domain_anything;
		overlap(facts, values, v, &d);
		return domain_settle(d);
	case VALUE_ALU:
		if (depth == 0)
			return domain_anything;
		l = domain_of(facts, values, v->left, depth - 1);
		r = domain_of(facts, values, v->right, depth - 1);
		return domain_alu((enum alu)v->op, &l, &r);
	case VALUE_META:
		if (v->k == CBPF_AD_PROTOCOL || v->k == CBPF_AD_VLAN_TCI || v->k == CBPF_AD_VLAN_TPID ||
		    v->k == CBPF_AD_QUEUE)
			return domain_below(UINT16_MAX);
		return v->k == CBPF_AD_VLAN_AVAIL ? domain_below(1) : v->k == CBPF_AD_PKTTYPE ? domain_below(7) : domain_anything;
	case VALUE_TEST: case VALUE_CHECK: case VALUE_NONZERO: case VALUE_MEMBER:
		return domain_below(1);
	case VALUE_WORD: case VALUE_LEN: case VALUE_VARIABLE:
		break;
	}
	return domain_anything;
}

static struct domain domain_of(const struct facts *facts, const struct values *values, uint32_t id,
			       int depth)
{
	const struct domain *known = stored(facts, id);
	struct domain d = computed(facts, values, value_get(values, id), depth);
	struct domain more;

	if (!known)
		return d;
	more = domain_both(&d, known);
	return domain_impossible(&more) ? *known : more;
}

struct domain facts_domain(const struct facts *facts, const struct values *values, uint32_t id)
{
	return domain_of(facts, values, id, DEPTH);
}

static int decide_test(const struct facts *facts, const struct values *values,
		       const struct value *v)
{
	struct domain l = facts_domain(facts, values, v->left);
	struct domain r = facts_domain(facts, values, v->right);

	switch ((enum cond)v->op) {
	case COND_EQ:
		if (l.min == l.max && r.min == r.max)
			return l.min == r.min;
		if (l.max < r.min || r.max < l.min || l.known & r.known & (l.bits ^ r.bits) ||
		    (r.min == r.max && !domain_contains(&l, r.min)) || (l.min == l.max && !domain_contains(&r, l.min)))
			return 0;
		return -1;
	case COND_GT:
		return l.min > r.max ? 1 : l.max <= r.min ? 0 : -1;
	case COND_SET:
		if (l.bits & r.bits)
			return 1;
		return (l.bits | ~l.known) & (r.bits | ~r.known) ? -1 : 0;
	case COND_GE: case COND_NE: case COND_SGT: case COND_SGE: case COND_LT: case COND_LE:
	case COND_SLT: case COND_SLE: case COND_COUNT:
		break;
	}
	return -1;
}

/* A check of the same base that reaches as far, or less far in vain. */
static int decide_check(const struct facts *facts, const struct values *values,
			const struct value *v)
{
	uint64_t end = (uint64_t)v->k + v->width;
	uint32_t max;

	if (v->left == 0 && (int32_t)v->k >= 0)
		return end <= facts->least ? 1 : end > facts->most ? 0 : -1;
	if (v->left == 0)
		return -1;
	max = facts_domain(facts, values, v->left).max;
	if (max > INT32_MAX || (uint64_t)max + end > INT32_MAX)
		return -1;
	if (max + end <= facts->least)
		return 1;
	if (facts_domain(facts, values, v->left).min + end > facts->most)
		return 0;
	for (size_t i = 0; i < facts->all.count; i++) {
		const struct fact *fact = &facts->all.items[i];
		const struct value *o = value_get(values, fact->value);
		uint64_t far = (uint64_t)o->k + o->width;

		if (o->kind != VALUE_CHECK || o->left != v->left || max + far > INT32_MAX)
			continue;
		if (fact->domain.min == 1 && far >= end)
			return 1;
		if (fact->domain.max == 0 && far <= end)
			return 0;
	}
	return -1;
}

int facts_decide(const struct facts *facts, const struct values *values, uint32_t id)
{
	const struct value *v = value_get(values, id);
	const struct domain *d = stored(facts, id);

	if (d && d->min == d->max)
		return (int)d->min;
	switch ((enum value_kind)v->kind) {
	case VALUE_CONST:
		return v->k != 0;
	case VALUE_CHECK:
		return decide_check(facts, values, v);
	case VALUE_NONZERO: {
		struct domain l = facts_domain(facts, values, v->left);

		return !domain_contains(&l, 0) ? 1 : l.max == 0 ? 0 : -1;
	}
	case VALUE_TEST:
		return decide_test(facts, values, v);
	case VALUE_MEMBER: {
		struct domain l = facts_domain(facts, values, v->left);

		return values->sets && v->width != 16 && l.min == l.max ? value_member_has(values, v, NULL, l.min) : -1;
	}
	case VALUE_LOAD: case VALUE_WORD: case VALUE_LEN: case VALUE_META: case VALUE_ALU:
	case VALUE_VARIABLE:
		break;
	}
	return -1;
}

/* What a later fact made impossible of an earlier one is not seen when it is told, but here. */
bool facts_possible(const struct facts *facts, const struct values *values)
{
	for (size_t i = 0; i < facts->all.count; i++) {
		const struct fact *fact = &facts->all.items[i];
		const struct value *v = value_get(values, fact->value);
		struct domain d = computed(facts, values, v, DEPTH);
		int is = v->kind == VALUE_TEST ? decide_test(facts, values, v) : -1;

		d = domain_both(&d, &fact->domain);
		if (domain_impossible(&d) || (is >= 0 && !domain_contains(&fact->domain, (uint32_t)is)))
			return false;
	}
	return facts->least <= facts->most;
}

/* --- telling --- */

static struct domain before_shift(const struct domain *d, enum alu op, uint32_t by)
{
	struct domain l = domain_anything;

	if (op == ALU_LSH) {
		l.known = d->known >> by;
		l.bits = d->bits >> by;
		return l;
	}
	l.known = d->known << by;
	l.bits = d->bits << by & l.known;
	l.min = d->min << by; /* min < 2^(32 - by): the shifted value is */
	l.max = d->max << by | ~(UINT32_MAX << by);
	return l;
}

/* id is in this domain: so what it is computed from is, too. */
static bool tell(struct facts *facts, const struct values *values, uint32_t id, struct domain domain,
		 int depth)
{
	const struct value v = *value_get(values, id);
	struct domain l = domain_anything;
	uint32_t k;

	domain = domain_settle(domain);
	if (v.kind == VALUE_CONST)
		return domain_contains(&domain, v.k) && !domain_impossible(&domain);
	if (!narrow(facts, id, domain))
		return false;
	if (depth == 0 || v.kind != VALUE_ALU || !value_is_const(values, v.right, &k))
		return true;
	switch (v.op) {
	case ALU_AND:
		l.known = domain.known & k;
		l.bits = domain.bits & k;
		l.min = domain.min;
		break;
	case ALU_OR:
		l.known = domain.known & ~k;
		l.bits = domain.bits & ~k;
		l.max = domain.max;
		break;
	case ALU_XOR:
		l.known = domain.known;
		l.bits = (domain.bits ^ k) & domain.known;
		break;
	case ALU_ADD:
		if (domain.min < k && domain.max >= k)
			return true; /* two ranges: one of them wrapped */
		l.min = domain.min - k;
		l.max = domain.max - k;
		break;
	case ALU_RSH:
		if ((uint64_t)domain.max << (k & 31) > UINT32_MAX)
			return true;
		l = before_shift(&domain, ALU_RSH, k & 31);
		break;
	case ALU_LSH:
		l = before_shift(&domain, ALU_LSH, k & 31);
		break;
	default:
		return true;
	}
	return tell(facts, values, v.left, l, depth - 1);
}

static bool assume_test(struct facts *facts, const struct values *values, const struct value *v,
			bool yes)
{
	struct domain d = domain_anything;
	uint32_t k;

	if (!value_is_const(values, v->right, &k))
		return true;
	switch (v->op) {
	case COND_EQ:
		if (yes)
			d = domain_exactly(k);
		else
			domain_exclude(&d, k);
		break;
	case COND_GT:
		if (yes)
			d.min = k + 1;
		else
			d.max = k;
		break;
	case COND_SET:
		if (yes && (k & (k - 1)) == 0)
			d.known = d.bits = k;
		else if (yes)
			d.min = k & (0 - k); /* at least the lowest of them */
		else
			d.known = k;
		break;
	default:
		return true;
	}
	return tell(facts, values, v->left, d, DEPTH);
}

/* Bytes at a computed place: where that is near, the packet reaches as far. */
static void assume_reach(struct facts *facts, const struct values *values, const struct value *v)
{
	struct domain base = facts_domain(facts, values, v->left);
	uint64_t end = (uint64_t)v->k + v->width;

	if (v->left && base.max + end <= INT32_MAX)
		facts->least = MAX(facts->least, base.min + end);
}

bool facts_assume(struct facts *facts, const struct values *values, uint32_t id, bool yes)
{
	const struct value v = *value_get(values, id);
	int is = facts_decide(facts, values, id);
	struct domain d = domain_anything;

	if (is >= 0)
		return is == yes;
	if (v.kind == VALUE_CHECK && v.left == 0 && (int32_t)v.k >= 0) {
		if (yes)
			facts->least = MAX(facts->least, (uint64_t)v.k + v.width);
		else
			facts->most = MIN(facts->most, (uint64_t)v.k + v.width - 1);
		return facts->least <= facts->most;
	}
	if (!narrow(facts, id, domain_exactly(yes)))
		return false;
	if (v.kind == VALUE_CHECK && yes)
		assume_reach(facts, values, &v);
	if (v.kind == VALUE_NONZERO) {
		if (yes)
			domain_exclude(&d, 0);
		else
			d = domain_exactly(0);
		return tell(facts, values, v.left, d, DEPTH);
	}
	return v.kind != VALUE_TEST || assume_test(facts, values, &v, yes);
}
