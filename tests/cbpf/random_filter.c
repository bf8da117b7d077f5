/* SPDX-License-Identifier: BSD-2-Clause */
/* random_filter.c - see random_filter.h. */
#include "random_filter.h"

#include "base/base.h"

uint32_t random_next(struct random *random)
{
	random->state += 0x9e3779b97f4a7c15;

	uint64_t z = random->state;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)(z ^ z >> 31);
}

struct maker {
	struct filter *filter;
	struct random *random;
	enum skep_cbpf_use use;
	uint32_t size, ancillary;
	size_t length;           /* instructions before the folding ones */
	uint16_t set;            /* words of memory that are set on every way */
};

static void add(struct maker *m, enum cbpf_id id, uint8_t jt, uint8_t jf, uint32_t k)
{
	m->filter->insns[m->filter->count++] =
		(struct skep_cbpf_insn){ cbpf_rows[id].code, jt, jf, k };
}

/* Numbers that filters have: small, large, powers, and around what matters. */
static uint32_t number(struct maker *m)
{
	static const uint32_t edges[] = { 0, 1, 2, 31, 32, 0x7f, 0xff, 0x800, 0x7fff, 0x8000, 0xffff,
					  0x86dd, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff };

	switch (random_below(m->random, 4)) {
	case 0:
		return edges[random_below(m->random, ARRAY_SIZE(edges))];
	case 1:
		return random_next(m->random);
	case 2:
		return 1u << random_below(m->random, 32);
	default:
		return random_below(m->random, 256);
	}
}

/* Mostly inside the packet, at times at or beyond its end, or from a header. */
static uint32_t offset(struct maker *m)
{
	switch (random_below(m->random, 24)) {
	case 0:
		return m->size - random_below(m->random, 6);
	case 1:
		return m->size + random_below(m->random, 6);
	case 2:
		return CBPF_NETWORK + random_below(m->random, m->size);
	case 3:
		return CBPF_LINK + random_below(m->random, m->size);
	case 4:
		return random_below(m->random, 8) ? random_below(m->random, 64) : number(m);
	default:
		return random_below(m->random, m->size);
	}
}

static bool add_ancillary(struct maker *m, enum cbpf_id id)
{
	uint32_t number = random_below(m->random, CBPF_ANCILLARY_COUNT);

	if (!(m->ancillary >> number & 1))
		return false;
	add(m, id, 0, 0, CBPF_ANCILLARY + 4 * number);
	return true;
}

static void add_load(struct maker *m, enum cbpf_id id)
{
	uint32_t k = offset(m);

	if (m->use == SKEP_CBPF_SECCOMP) {
		add(m, id, 0, 0, 4 * random_below(m->random, 16));
		return;
	}
	if (random_below(m->random, 5) == 0 && add_ancillary(m, id))
		return;
	/* What is neither metadata nor an offset is refused. */
	add(m, id, 0, 0, k >= CBPF_ANCILLARY ? random_below(m->random, m->size) : k);
}

/* X is anything by then; most loads want an index that is small. */
static void add_indexed(struct maker *m, enum cbpf_id id)
{
	switch (random_below(m->random, 4)) {
	case 0:
		add(m, CBPF_ID_LDX_IMM, 0, 0, random_below(m->random, m->size));
		break;
	case 1:
		add(m, CBPF_ID_LDX_MSH, 0, 0, random_below(m->random, m->size));
		break;
	case 2:
		add(m, CBPF_ID_AND_K, 0, 0, 0x3f);
		add(m, CBPF_ID_TAX, 0, 0, 0);
		break;
	default:
		break;
	}
	add(m, id, 0, 0, random_below(m->random, 4) ? random_below(m->random, m->size / 2 + 1)
						      : random_below(m->random, 2) ? offset(m) : number(m));
}

static void add_alu(struct maker *m, enum cbpf_id id)
{
	const struct cbpf_row *row = &cbpf_rows[id];
	uint32_t k = number(m);

	if (row->reg == CBPF_K && (row->op == ALU_LSH || row->op == ALU_RSH))
		k %= 32;
	if (row->reg == CBPF_K && (row->op == ALU_DIV || row->op == ALU_MOD) && k == 0)
		k = 3;
	add(m, id, 0, 0, row->reg == CBPF_K ? k : 0);
}

/* To instructions before the folding ones, or to the first of these. */
static void add_jump(struct maker *m, enum cbpf_id id)
{
	uint32_t left = (uint32_t)(m->length - m->filter->count - 1);
	uint8_t jt = (uint8_t)random_below(m->random, MIN(left, 12) + 1);
	uint8_t jf = (uint8_t)random_below(m->random, MIN(left, 12) + 1);

	if (random_below(m->random, 2))
		*(random_below(m->random, 2) ? &jt : &jf) = 0;
	if (cbpf_rows[id].kind == CBPF_GOTO)
		add(m, id, 0, 0, random_below(m->random, MIN(left, 12) + 1));
	else
		add(m, id, jt, jf, number(m));
}

/* Jumps over a store would leave memory unset for what follows: those before it count. */
static void add_memory(struct maker *m, enum cbpf_id id)
{
	uint32_t k = random_below(m->random, CBPF_MEMORY);

	if (cbpf_rows[id].kind == CBPF_STORE || m->set >> k & 1)
		add(m, id, 0, 0, k);
}

static void add_any(struct maker *m)
{
	enum cbpf_id id = (enum cbpf_id)random_below(m->random, CBPF_ID_COUNT);
	const struct cbpf_row *row = &cbpf_rows[id];

	if (m->use == SKEP_CBPF_SECCOMP && !row->seccomp)
		return;
	switch ((enum cbpf_kind)row->kind) {
	case CBPF_ABS:
		add_load(m, id);
		break;
	case CBPF_IND:
		add_indexed(m, id);
		break;
	case CBPF_MSH:
		add(m, id, 0, 0, offset(m));
		break;
	case CBPF_MEM:
	case CBPF_STORE:
		add_memory(m, id);
		break;
	case CBPF_ALU:
		add_alu(m, id);
		break;
	case CBPF_GOTO:
	case CBPF_JUMP:
		add_jump(m, id);
		break;
	case CBPF_RETURN:
		if (random_below(m->random, 4) == 0)
			add(m, CBPF_ID_RET_K, 0, 0, random_below(m->random, m->size + 2));
		break;
	case CBPF_IMM:
		add(m, id, 0, 0, number(m));
		break;
	case CBPF_LEN: case CBPF_NEG: case CBPF_TAX: case CBPF_TXA:
		add(m, id, 0, 0, 0);
		break;
	}
}

/* A and X become one number that a packet can be cut to, or a seccomp action carry. */
static void add_fold(struct maker *m)
{
	add(m, CBPF_ID_MUL_K, 0, 0, 0x9e3779b1);
	add(m, CBPF_ID_XOR_X, 0, 0, 0);
	add(m, CBPF_ID_TAX, 0, 0, 0);
	add(m, CBPF_ID_RSH_K, 0, 0, 15);
	add(m, CBPF_ID_XOR_X, 0, 0, 0);
	if (m->use == SKEP_CBPF_SECCOMP) {
		add(m, CBPF_ID_AND_K, 0, 0, 0xfff);
		add(m, CBPF_ID_OR_K, 0, 0, 0x00050000);
	} else {
		add(m, CBPF_ID_MOD_K, 0, 0, m->size);
	}
	add(m, CBPF_ID_RET_A, 0, 0, 0);
}

void filter_make(struct filter *filter, struct random *random, enum skep_cbpf_use use,
		 uint32_t size, uint32_t ancillary)
{
	struct maker m = { .filter = filter, .random = random, .use = use, .size = size,
			   .ancillary = ancillary };
	uint32_t words;

	filter->count = 0;
	m.length = 2 + random_below(random, FILTER_MAX - 24);
	words = random_below(random, 4);
	for (uint32_t i = 0; i < words && filter->count < m.length; i++) {
		uint32_t k = random_below(random, CBPF_MEMORY);

		add(&m, random_below(random, 2) ? CBPF_ID_ST : CBPF_ID_STX, 0, 0, k);
		m.set |= (uint16_t)(1u << k);
		if (random_below(random, 2))
			add(&m, CBPF_ID_LD_IMM, 0, 0, number(&m));
	}
	/* Anything adds three at most. */
	while (filter->count + 3 < m.length)
		add_any(&m);
	while (filter->count < m.length)
		add(&m, CBPF_ID_NEG, 0, 0, 0);
	add_fold(&m);
}

/* --- mutants --- */

static void mutate_once(struct filter *filter, struct random *random, enum skep_cbpf_use use)
{
	struct skep_cbpf_insn *insn = &filter->insns[random_below(random, (uint32_t)filter->count)];
	struct maker m = { .filter = filter, .random = random, .use = use, .size = 64 };

	switch (random_below(random, 12)) {
	case 0: /* any row */
		insn->code = cbpf_rows[random_below(random, CBPF_ID_COUNT)].code;
		break;
	case 1:
		insn->code ^= (uint16_t)(1u << random_below(random, 9));
		break;
	case 2:
	case 3:
		insn->k = number(&m);
		break;
	case 4:
		insn->k = CBPF_ANCILLARY + random_below(random, 72);
		break;
	case 5:
		insn->jt = (uint8_t)random_below(random, (uint32_t)filter->count + 8);
		break;
	case 6:
		insn->jf = (uint8_t)random_below(random, (uint32_t)filter->count + 8);
		break;
	case 7: /* memory that may not be set, or not exist */
		insn->code = cbpf_rows[random_below(random, 2) ? CBPF_ID_LD_MEM : CBPF_ID_STX].code;
		insn->k = random_below(random, CBPF_MEMORY + 2);
		break;
	case 8: /* cut the end off */
		filter->count = 1 + random_below(random, (uint32_t)filter->count);
		break;
	case 9:
		*insn = filter->insns[random_below(random, (uint32_t)filter->count)];
		break;
	case 10:
		insn->code = cbpf_rows[random_below(random, 2) ? CBPF_ID_LSH_K : CBPF_ID_DIV_K].code;
		insn->k = random_below(random, 36);
		break;
	default:
		insn->code = cbpf_rows[CBPF_ID_JA].code;
		insn->k = random_below(random, (uint32_t)filter->count + 2);
		break;
	}
}

void filter_mutate(struct filter *filter, struct random *random, enum skep_cbpf_use use)
{
	for (uint32_t n = 1 + random_below(random, 2); n > 0; n--)
		mutate_once(filter, random, use);
}

/* --- packets --- */

void packet_make(uint8_t *packet, uint32_t size, struct random *random)
{
	static const uint8_t ip[] = { 0x45, 0, 0, 60, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
				      0, 80, 0x30, 0x39 };

	for (uint32_t i = 0; i < size; i++)
		packet[i] = (uint8_t)(random_below(random, 2) ? random_next(random)
							       : random_below(random, 8));
	if (size >= 14 + sizeof(ip) && random_below(random, 2)) {
		packet[12] = 8;
		packet[13] = 0;
		memcpy(packet + 14, ip, sizeof(ip));
		packet[23] = (uint8_t)(random_below(random, 2) ? 17 : 6);
	}
}
