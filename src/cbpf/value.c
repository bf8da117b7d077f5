/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * value.c - making expressions: what is known is computed at once, and what can be written in
 * several ways is written in one, so that equal things meet.
 */
#include "cbpf/value.h"

#include "cbpf/set.h"

void values_init(struct values *values)
{
	*values = (struct values){ 0 };
	if (!vec_push(&values->all)) /* number 0 */
		values->failed = true;
}

void values_done(struct values *values)
{
	vec_done(&values->all);
	free(values->table);
	*values = (struct values){ 0 };
}

static uint64_t value_hash(const struct value *v)
{
	uint64_t h = v->kind | (uint64_t)v->op << 8 | (uint64_t)v->width << 16 |
		     (uint64_t)v->k << 32;

	h = (h ^ ((uint64_t)v->left << 32 | v->right)) * 0x9e3779b97f4a7c15u;
	h ^= h >> 29;
	h = (h + v->left) * 0xbf58476d1ce4e5b9u;
	return h ^ h >> 32;
}

static bool value_same(const struct value *a, const struct value *b)
{
	return a->kind == b->kind && a->op == b->op && a->width == b->width &&
	       a->left == b->left && a->right == b->right && a->k == b->k;
}

static bool table_grow(struct values *values)
{
	size_t size = values->table_size ? values->table_size * 2 : 1024;
	uint32_t *table = calloc(size, sizeof(*table));

	if (!table)
		return false;
	for (uint32_t id = 1; id < values->all.count; id++) {
		size_t at = value_hash(value_get(values, id)) & (size - 1);

		while (table[at])
			at = (at + 1) & (size - 1);
		table[at] = id;
	}
	free(values->table);
	values->table = table;
	values->table_size = size;
	return true;
}

/* The number of v, which may be new. */
static uint32_t intern(struct values *values, struct value v)
{
	struct value *room;
	size_t at;

	if (values->failed)
		return 0;
	if (values->all.count * 2 >= values->table_size && !table_grow(values)) {
		values->failed = true;
		return 0;
	}
	at = value_hash(&v) & (values->table_size - 1);
	while (values->table[at]) {
		if (value_same(value_get(values, values->table[at]), &v))
			return values->table[at];
		at = (at + 1) & (values->table_size - 1);
	}
	room = vec_push(&values->all);
	if (!room) {
		values->failed = true;
		return 0;
	}
	*room = v;
	values->table[at] = (uint32_t)values->all.count - 1;
	return values->table[at];
}

bool value_is_const(const struct values *values, uint32_t id, uint32_t *k)
{
	const struct value *v = value_get(values, id);

	if (id == 0 || v->kind != VALUE_CONST)
		return false;
	*k = v->k;
	return true;
}

uint32_t value_const(struct values *values, uint32_t k)
{
	return intern(values, (struct value){ .kind = VALUE_CONST, .k = k });
}

uint32_t value_plain(struct values *values, enum value_kind kind, uint32_t k)
{
	return intern(values, (struct value){ .kind = (uint8_t)kind, .k = k });
}

uint32_t value_meta(struct values *values, uint32_t number, uint32_t a, uint32_t x)
{
	return intern(values, (struct value){ .kind = VALUE_META, .k = number, .left = a, .right = x });
}

uint32_t value_load(struct values *values, uint8_t width, uint32_t base, uint32_t k)
{
	const struct value *b = value_get(values, base);
	uint32_t more;

	if (base && b->kind == VALUE_ALU && b->op == ALU_ADD &&
	    value_is_const(values, b->right, &more)) {
		base = b->left;
		k += more;
	}
	/* As an absolute load a large offset could be one of metadata. */
	if (base && value_is_const(values, base, &more)) {
		if ((int32_t)(more + k) >= 0) {
			base = 0;
			k += more;
		} else {
			base = value_const(values, more + k);
			k = 0;
		}
	}
	return intern(values, (struct value){ .kind = VALUE_LOAD, .width = width, .left = base, .k = k });
}

uint32_t value_check(struct values *values, uint32_t load)
{
	struct value v = *value_get(values, load);

	v.kind = VALUE_CHECK;
	return intern(values, v);
}

uint32_t value_nonzero(struct values *values, uint32_t of)
{
	uint32_t k;

	if (value_is_const(values, of, &k))
		return value_const(values, k != 0);
	return intern(values, (struct value){ .kind = VALUE_NONZERO, .left = of });
}

uint32_t value_member(struct values *values, unsigned set, uint32_t of)
{
	return intern(values, (struct value){ .kind = VALUE_MEMBER, .op = (uint8_t)set, .left = of });
}

uint32_t value_member16(struct values *values, unsigned set, uint32_t base, uint32_t k)
{
	return intern(values, (struct value){ .kind = VALUE_MEMBER, .op = (uint8_t)set, .width = 16,
					      .left = base, .k = k });
}

/* --- arithmetic --- */

static bool commutes(enum alu op)
{
	return op == ALU_ADD || op == ALU_MUL || op == ALU_AND || op == ALU_OR || op == ALU_XOR;
}

static bool power_of_two(uint32_t k)
{
	return k != 0 && (k & (k - 1)) == 0;
}

/* Bits that can be set. */
static uint32_t possible(const struct values *values, uint32_t id)
{
	const struct value *v = value_get(values, id);
	uint32_t k;

	if (v->kind == VALUE_CONST)
		return v->k;
	if (v->kind == VALUE_LOAD && v->width < 4)
		return (1u << 8 * v->width) - 1;
	if (v->kind == VALUE_ALU && value_is_const(values, v->right, &k)) {
		if (v->op == ALU_AND)
			return k & possible(values, v->left);
		if (v->op == ALU_LSH)
			return possible(values, v->left) << (k & 31);
		if (v->op == ALU_RSH)
			return possible(values, v->left) >> (k & 31);
	}
	return UINT32_MAX;
}

/* Operations that leave left as it is, or forget it. */
static bool alu_trivial(struct values *values, enum alu op, uint32_t left, uint32_t k, uint32_t *id)
{
	bool same = (k == 0 && (op == ALU_ADD || op == ALU_OR || op == ALU_XOR || op == ALU_LSH ||
				op == ALU_RSH)) ||
		    (k == 1 && (op == ALU_MUL || op == ALU_DIV)) ||
		    (op == ALU_AND && (possible(values, left) & ~k) == 0);

	if (same)
		*id = left;
	else if ((k == 0 && (op == ALU_MUL || op == ALU_AND)) || (k == 1 && op == ALU_MOD))
		*id = value_const(values, 0);
	else
		return false;
	return true;
}

/* left op k */
static uint32_t alu_const(struct values *values, enum alu op, uint32_t left, uint32_t k)
{
	const struct value l = *value_get(values, left);
	uint32_t inner, id;

	if (op == ALU_SUB)
		return value_alu(values, ALU_ADD, left, value_const(values, 0 - k));
	if (alu_trivial(values, op, left, k, &id))
		return id;
	if (power_of_two(k)) {
		uint32_t log = value_const(values, (uint32_t)__builtin_ctz(k));

		if (op == ALU_MUL)
			return value_alu(values, ALU_LSH, left, log);
		if (op == ALU_DIV)
			return value_alu(values, ALU_RSH, left, log);
		if (op == ALU_MOD)
			return value_alu(values, ALU_AND, left, value_const(values, k - 1));
	}
	if (l.kind == VALUE_ALU && l.op == op && value_is_const(values, l.right, &inner) &&
	    (op == ALU_ADD || op == ALU_AND || op == ALU_OR || op == ALU_XOR)) {
		inner = (uint32_t)alu_eval(op, 4, 4, inner, k);
		return value_alu(values, op, l.left, value_const(values, inner));
	}
	return intern(values, (struct value){ .kind = VALUE_ALU, .op = (uint8_t)op, .left = left,
					      .right = value_const(values, k) });
}

uint32_t value_alu(struct values *values, enum alu op, uint32_t left, uint32_t right)
{
	uint32_t l, r;
	bool left_known, right_known;

	if (values->failed)
		return 0;
	left_known = value_is_const(values, left, &l);
	right_known = value_is_const(values, right, &r);
	if (left_known && right_known && (r != 0 || (op != ALU_DIV && op != ALU_MOD)))
		return value_const(values, (uint32_t)alu_eval(op, 4, 4, l, r));
	if (right_known)
		return alu_const(values, op, left, r);
	if (left_known && commutes(op))
		return alu_const(values, op, right, l);
	if (left == right && (op == ALU_SUB || op == ALU_XOR))
		return value_const(values, 0);
	if (left == right && (op == ALU_AND || op == ALU_OR))
		return left;
	if (commutes(op) && left > right) {
		uint32_t other = left;

		left = right;
		right = other;
	}
	return intern(values, (struct value){ .kind = VALUE_ALU, .op = (uint8_t)op, .left = left,
					      .right = right });
}

/* --- tests --- */

static struct test known(struct values *values, bool yes)
{
	return (struct test){ value_const(values, yes), false };
}

static struct test not(struct test test)
{
	test.inverted = !test.inverted;
	return test;
}

static struct test plain_test(struct values *values, enum cond op, uint32_t left, uint32_t right)
{
	return (struct test){ intern(values, (struct value){ .kind = VALUE_TEST, .op = (uint8_t)op,
							     .left = left, .right = right }), false };
}

/* left == k: undone, step by step, on both sides. */
static struct test equals_const(struct values *values, uint32_t left, uint32_t k)
{
	const struct value l = *value_get(values, left);
	uint32_t inner;

	if (k & ~possible(values, left))
		return known(values, false);
	if (l.kind == VALUE_ALU && value_is_const(values, l.right, &inner)) {
		if (l.op == ALU_ADD)
			return equals_const(values, l.left, k - inner);
		if (l.op == ALU_XOR)
			return equals_const(values, l.left, k ^ inner);
		if (l.op == ALU_AND && k == 0)
			return not(value_test(values, COND_SET, l.left, l.right));
		if (l.op == ALU_AND && k == inner && power_of_two(k))
			return value_test(values, COND_SET, l.left, l.right);
		if (l.op == ALU_LSH)
			return value_test(values, COND_EQ,
					  value_alu(values, ALU_AND, l.left,
						    value_const(values, UINT32_MAX >> (inner & 31))),
					  value_const(values, k >> (inner & 31)));
	}
	if (l.kind == VALUE_ALU && (l.op == ALU_SUB || l.op == ALU_XOR) && k == 0)
		return value_test(values, COND_EQ, l.left, l.right);
	return plain_test(values, COND_EQ, left, value_const(values, k));
}

static struct test test_const(struct values *values, enum cond op, uint32_t left, uint32_t k)
{
	const struct value l = *value_get(values, left);
	uint32_t can = possible(values, left), inner;

	if (op == COND_GE)
		return k == 0 ? known(values, true) : test_const(values, COND_GT, left, k - 1);
	if (op == COND_GT && k == 0)
		return not(equals_const(values, left, 0));
	if (op == COND_GT)
		return k >= can ? known(values, false) :
				  plain_test(values, op, left, value_const(values, k));
	if (op == COND_EQ)
		return equals_const(values, left, k);
	k &= can;
	if (k == 0)
		return known(values, false);
	if (k == can)
		return not(plain_test(values, COND_EQ, left, value_const(values, 0)));
	if (l.kind == VALUE_ALU && l.op == ALU_AND && value_is_const(values, l.right, &inner))
		return value_test(values, COND_SET, l.left, value_const(values, k & inner));
	return plain_test(values, COND_SET, left, value_const(values, k));
}

struct test value_test(struct values *values, enum cond op, uint32_t left, uint32_t right)
{
	uint32_t l, r;
	bool left_known, right_known;

	if (values->failed)
		return (struct test){ 0, false };
	left_known = value_is_const(values, left, &l);
	right_known = value_is_const(values, right, &r);
	if (left_known && right_known)
		return known(values, cond_eval(op, 4, l, r));
	if (left == right)
		return op == COND_SET ? not(test_const(values, COND_EQ, left, 0)) :
					known(values, op != COND_GT);
	if (right_known)
		return test_const(values, op, left, r);
	if (left_known && op == COND_GT)
		return not(test_const(values, COND_GE, right, l));
	if (left_known && op == COND_GE)
		return not(test_const(values, COND_GT, right, l));
	if (left_known)
		return test_const(values, op, right, l);
	if (op == COND_GE)
		return not(value_test(values, COND_GT, right, left));
	if ((op == COND_EQ || op == COND_SET) && left > right)
		return plain_test(values, op, right, left);
	return plain_test(values, op, left, right);
}

/* --- for one packet --- */

static bool eval_load(const struct values *values, const struct value *v,
		      const struct skep_cbpf_packet *packet, uint32_t *result)
{
	uint32_t base = 0;
	const uint8_t *bytes;

	if (v->left && !value_eval(values, v->left, packet, &base))
		return false;
	bytes = cbpf_bytes(packet, base + v->k, v->width);
	if (v->kind == VALUE_CHECK) {
		*result = bytes != NULL;
		return true;
	}
	if (!bytes)
		return false;
	*result = 0;
	for (unsigned i = 0; i < v->width; i++)
		*result = *result << 8 | bytes[i];
	return true;
}

static bool eval_meta(const struct values *values, const struct value *v,
		      const struct skep_cbpf_packet *packet, uint32_t *result)
{
	uint32_t x = 0;

	*result = 0;
	if (v->left && !value_eval(values, v->left, packet, result))
		return false;
	if (v->right && !value_eval(values, v->right, packet, &x))
		return false;
	return cbpf_load_ancillary(packet, (uint8_t)v->k, result, x);
}

bool value_member_has(const struct values *values, const struct value *member, const uint8_t *bytes,
		      uint32_t k)
{
	struct set_number n = { 0, k };

	for (unsigned i = 0; i < 16 && bytes; i++) {
		n.high = n.high << 8 | n.low >> 56;
		n.low = (i ? n.low << 8 : 0) | bytes[i];
	}
	return set_has(&values->sets->all.items[member->op], n);
}

static bool eval_member(const struct values *values, const struct value *v,
			const struct skep_cbpf_packet *packet, uint32_t *result)
{
	const uint8_t *bytes = NULL;
	uint32_t left = 0;

	if (!values->sets || (v->left && !value_eval(values, v->left, packet, &left)))
		return false;
	if (v->width == 16) {
		bytes = cbpf_bytes(packet, left + v->k, 16);
		if (!bytes)
			return false;
	}
	*result = value_member_has(values, v, bytes, left);
	return true;
}

bool value_eval(const struct values *values, uint32_t id, const struct skep_cbpf_packet *packet,
		uint32_t *result)
{
	const struct value *v = value_get(values, id);
	uint32_t l = 0, r = 0;

	switch ((enum value_kind)v->kind) {
	case VALUE_CONST:
		*result = v->k;
		return true;
	case VALUE_LOAD: case VALUE_CHECK:
		return eval_load(values, v, packet, result);
	case VALUE_WORD: case VALUE_VARIABLE:
		return false;
	case VALUE_MEMBER:
		return eval_member(values, v, packet, result);
	case VALUE_LEN:
		*result = packet->len ? packet->len : packet->size;
		return true;
	case VALUE_META:
		return eval_meta(values, v, packet, result);
	case VALUE_NONZERO:
		if (!value_eval(values, v->left, packet, &l))
			return false;
		*result = l != 0;
		return true;
	case VALUE_ALU: case VALUE_TEST:
		break;
	}
	if (!value_eval(values, v->left, packet, &l) || !value_eval(values, v->right, packet, &r))
		return false;
	if (v->kind == VALUE_TEST)
		*result = cond_eval((enum cond)v->op, 4, l, r);
	else if (r == 0 && (v->op == ALU_DIV || v->op == ALU_MOD))
		return false;
	else
		*result = (uint32_t)alu_eval((enum alu)v->op, 4, 4, l, r);
	return true;
}
