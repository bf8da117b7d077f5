/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * witness.c - finding a packet: it starts with what is known of each load, then every wish that is not
 * fulfilled is worked backwards through its expression to a load, whose bytes are set.
 * That may undo another wish; so again, with other numbers.
 */
#include "cbpf/witness.h"

#include "cbpf/set.h"

enum { ROUNDS = 200, DEPTH = 24 };

struct search {
	const struct values *values;
	struct witness *witness;
	uint64_t most;           /* bytes the packet may have */
	uint64_t seed;
	const struct wish *wishes;
	size_t count;
};

static uint32_t number(struct search *s)
{
	s->seed ^= s->seed << 13;
	s->seed ^= s->seed >> 7;
	s->seed ^= s->seed << 17;
	return (uint32_t)(s->seed >> 16);
}

/* Makes the packet so long, if it may be. */
static bool reach(struct search *s, uint64_t end)
{
	struct skep_cbpf_packet *packet = &s->witness->packet;

	if (end > s->most || end > WITNESS_MAX)
		return false;
	if (end > packet->size)
		packet->size = (uint32_t)end;
	return true;
}

static void force_load(struct search *s, const struct value *v, uint32_t want)
{
	uint32_t base = 0;
	uint64_t at;

	if (v->left && !value_eval(s->values, v->left, &s->witness->packet, &base))
		return;
	at = (uint32_t)(base + v->k);
	if (!reach(s, at + v->width))
		return;
	for (unsigned i = 0; i < v->width; i++)
		s->witness->bytes[at + i] = (uint8_t)(want >> 8 * (v->width - 1 - i));
}

static void force_meta(struct search *s, const struct value *v, uint32_t want)
{
	struct skep_cbpf_packet *packet = &s->witness->packet;

	switch (v->k) {
	case CBPF_AD_PROTOCOL:
		packet->protocol = (uint16_t)want;
		break;
	case CBPF_AD_PKTTYPE:
		packet->type = want & 7;
		break;
	case CBPF_AD_MARK:
		packet->mark = want;
		break;
	case CBPF_AD_QUEUE:
		packet->queue = (uint16_t)want;
		break;
	case CBPF_AD_RXHASH:
		packet->hash = want;
		break;
	case CBPF_AD_CPU:
		packet->cpu = want;
		break;
	case CBPF_AD_VLAN_TCI:
		packet->vlan_tci = (uint16_t)want;
		break;
	case CBPF_AD_VLAN_AVAIL:
		packet->vlan_present = want & 1;
		break;
	case CBPF_AD_VLAN_TPID:
		packet->vlan_tpid = (uint16_t)want;
		break;
	}
}

static void force(struct search *s, uint32_t id, uint32_t want, int depth);

static void force_alu(struct search *s, const struct value *v, uint32_t want, int depth)
{
	uint32_t l = 0, r = 0;

	if (!value_eval(s->values, v->right, &s->witness->packet, &r) && depth > 1)
		force(s, v->right, number(s) & 0xff, depth - 1);
	value_eval(s->values, v->left, &s->witness->packet, &l);
	switch (v->op) {
	case ALU_AND:
		want = (l & ~r) | (want & r);
		break;
	case ALU_OR:
		want = (want & ~r) | (l & r);
		break;
	case ALU_XOR:
		want ^= r;
		break;
	case ALU_ADD:
		want -= r;
		break;
	case ALU_SUB:
		want += r;
		break;
	case ALU_LSH:
		want = want >> (r & 31) | (l & ~(UINT32_MAX >> (r & 31)));
		break;
	case ALU_RSH:
		want = want << (r & 31) | (l & ~(UINT32_MAX << (r & 31)));
		break;
	case ALU_MUL:
		want = r ? want / r : 0;
		break;
	case ALU_DIV:
		want *= r;
		break;
	case ALU_MOD:
		want = r && want < r ? l - l % r + want : want;
		break;
	}
	force(s, v->left, want, depth - 1);
}

static void force(struct search *s, uint32_t id, uint32_t want, int depth)
{
	const struct value *v = value_get(s->values, id);

	if (depth == 0)
		return;
	switch ((enum value_kind)v->kind) {
	case VALUE_LOAD:
		force_load(s, v, want);
		break;
	case VALUE_LEN:
		s->witness->packet.len = MAX(want, s->witness->packet.size);
		break;
	case VALUE_META:
		force_meta(s, v, want);
		break;
	case VALUE_ALU:
		force_alu(s, v, want, depth);
		break;
	case VALUE_CONST: case VALUE_WORD: case VALUE_TEST: case VALUE_CHECK: case VALUE_NONZERO:
	case VALUE_MEMBER: case VALUE_VARIABLE:
		break;
	}
}

/* What the left of a test should be. */
static uint32_t wanted_left(struct search *s, enum cond op, uint32_t l, uint32_t r, bool yes)
{
	uint32_t any = number(s);

	switch ((int)op) {
	case COND_EQ:
		return yes ? r : any & 1 ? r ^ 1 : any;
	case COND_GT:
		if (yes)
			return r == UINT32_MAX ? r : any & 1 ? r + 1 : r + 1 + any % (UINT32_MAX - r);
		return any & 1 ? r : r == UINT32_MAX ? any : any % (r + 1);
	default:
		if (!yes)
			return l & ~r;
		return any & 1 ? l | r : l | (r & (0 - r));
	}
}

/* Is this no member of any set that it shall not be in, by another wish about the same place? */
static bool is_wanted(const struct search *s, const struct value *v, struct set_number n)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct value *o = value_get(s->values, s->wishes[i].value);

		if (o->kind == VALUE_MEMBER && o->left == v->left && o->k == v->k && o->width == v->width &&
		    set_has(&s->values->sets->all.items[o->op], n) != s->wishes[i].yes)
			return false;
	}
	return true;
}

/* What is looked up becomes a member, from anywhere in the set on, or a number like any other. */
static void grant_member(struct search *s, const struct value *v, bool yes)
{
	const struct cbpf_set *set = s->values->sets ? &s->values->sets->all.items[v->op] : NULL;
	struct set_number n = { (uint64_t)number(s) << 32 | number(s), number(s) };

	for (size_t i = 0, from = number(s); yes && set && i < set->members.count; i++) {
		n = set->members.items[(from + i) % set->members.count].first;
		if (is_wanted(s, v, n))
			break;
	}
	if (v->width != 16)
		force(s, v->left, (uint32_t)n.low, DEPTH);
	for (unsigned i = 0; i < 4 && v->width == 16; i++) {
		struct value word = { .kind = VALUE_LOAD, .width = 4, .left = v->left, .k = v->k + 4 * i };
		uint64_t half = i < 2 ? n.high : n.low;

		force_load(s, &word, (uint32_t)(i % 2 ? half : half >> 32));
	}
}

static void grant(struct search *s, const struct wish *wish)
{
	const struct value *v = value_get(s->values, wish->value);
	struct skep_cbpf_packet *packet = &s->witness->packet;
	uint32_t l = 0, r = 0, base = 0;

	if (v->kind == VALUE_CHECK) {
		if (v->left)
			value_eval(s->values, v->left, packet, &base);
		if (wish->yes)
			reach(s, (uint64_t)(uint32_t)(base + v->k) + v->width);
		else if (v->left)
			force(s, v->left, number(s) & 1 ? packet->size : UINT32_MAX, DEPTH);
	} else if (v->kind == VALUE_MEMBER) {
		grant_member(s, v, wish->yes);
	} else if (v->kind == VALUE_NONZERO) {
		force(s, v->left, wish->yes ? 1 + number(s) % 15 : 0, DEPTH);
	} else if (v->kind == VALUE_TEST) {
		value_eval(s->values, v->left, packet, &l);
		value_eval(s->values, v->right, packet, &r);
		if (value_is(s->values, v->right, VALUE_CONST) || number(s) % 4)
			force(s, v->left, wanted_left(s, (enum cond)v->op, l, r, wish->yes), DEPTH);
		else
			force(s, v->right, v->op == COND_EQ && wish->yes ? l : number(s), DEPTH);
	}
}

static uint32_t some_of(const struct domain *d)
{
	uint32_t k = d->min;

	if ((k & d->known) != d->bits)
		k = (k & ~d->known) | d->bits;
	for (unsigned i = 0; i < d->nots; i++) {
		if (d->is_not[i] == k && k < d->max) {
			k = (k + 1) & ~d->known;
			k |= d->bits;
			i = (unsigned)-1;
			if (k >= d->max)
				break;
		}
	}
	return k;
}

static void start(struct search *s, const struct facts *facts)
{
	struct witness *w = s->witness;

	memset(w, 0, sizeof(*w));
	w->packet.data = w->bytes;
	w->packet.size = (uint32_t)MIN(facts->least, WITNESS_MAX);
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < facts->all.count; i++) {
			const struct fact *fact = &facts->all.items[i];

			force(s, fact->value, some_of(&fact->domain), DEPTH);
		}
	}
}

bool witness_find(const struct values *values, const struct wish *wishes, size_t count,
		  const struct facts *facts, bool (*accept)(void *arg, const struct witness *witness),
		  void *arg, struct witness *witness)
{
	struct search s = { .values = values, .witness = witness, .most = facts->most,
			    .seed = 0x9e3779b97f4a7c15u, .wishes = wishes, .count = count };

	start(&s, facts);
	for (int round = 0; round < ROUNDS; round++) {
		bool all = true;

		for (size_t i = 0; i < count; i++) {
			uint32_t is;

			if (value_eval(values, wishes[i].value, &witness->packet, &is) &&
			    is == wishes[i].yes)
				continue;
			all = false;
			grant(&s, &wishes[i]);
		}
		if (witness->packet.len && witness->packet.len < witness->packet.size)
			witness->packet.len = witness->packet.size;
		if (accept(arg, witness))
			return true;
		if (all)
			break; /* this way, and accept does not want it */
	}
	return false;
}
