/* SPDX-License-Identifier: BSD-2-Clause */
/* mutate.c - changing programs a little: mutants, and the steps of the reducer. */
#include <string.h>

#include "program.h"

static bool is_jump(struct skep_insn insn)
{
	unsigned class = insn.code & 7, op = insn.code >> 4;

	return (class == 5 || class == 6) && op != 8 && op != 9;
}

/* Distance in off, in imm, or none. */
static bool by_imm(struct skep_insn insn)
{
	return insn.code == 0x06 || (insn.code == 0x85 && insn.src == 1) ||
	       (insn.code == 0x18 && insn.src == 4);
}

static int64_t destination(const struct random_program *p, uint32_t at)
{
	struct skep_insn insn = p->insns[at];

	if (by_imm(insn))
		return (int64_t)at + 1 + insn.imm;
	return is_jump(insn) ? (int64_t)at + 1 + insn.off : -1;
}

static uint32_t moved(int64_t place, uint32_t at, int64_t by)
{
	return (uint32_t)(place > at ? place + by : place);
}

/* Slots after at move by so many (negative: the slots [at, at - by) are gone). */
static void shift(struct random_program *p, uint32_t at, int64_t by)
{
	static int64_t to[RANDOM_SLOTS];
	uint32_t gone = by < 0 ? (uint32_t)-by : 0, count = 0;

	for (uint32_t i = 0; i < p->len; i++)
		to[i] = destination(p, i);
	for (uint32_t i = 0; i < p->len; i++) {
		uint32_t here;
		int64_t there = to[i];

		if (i >= at && i < at + gone)
			continue;
		if (there >= 0) {
			if (gone && there > at && there < (int64_t)at + gone)
				there = at + gone;
			here = gone ? (i >= at + gone ? i - gone : i) : moved(i, at, by);
			there = gone ? (there >= (int64_t)at + gone ? there - gone : there)
				     : moved(there, at, by);
			if (by_imm(p->insns[i]))
				p->insns[i].imm = (int32_t)(there - here - 1);
			else
				p->insns[i].off = (int16_t)(there - here - 1);
		}
	}
	for (uint32_t f = 0; f < p->func_count; f++) {
		uint32_t start = p->funcs[f].insn;

		if (gone && start > at)
			start = start >= at + gone ? start - gone : at;
		else if (!gone)
			start = moved(start, at, by);
		if (count && p->funcs[count - 1].insn == start)
			count--; /* nothing is left of it */
		p->funcs[count] = p->funcs[f];
		p->funcs[count++].insn = start;
	}
	p->func_count = count;
	if (gone)
		memmove(&p->insns[at], &p->insns[at + gone],
			(p->len - at - gone) * sizeof(p->insns[0]));
	else
		memmove(&p->insns[at + 1 + by], &p->insns[at + 1],
			(p->len - at - 1) * sizeof(p->insns[0]));
	p->len = (uint32_t)((int64_t)p->len + by);
	while (p->func_count > 1 && p->funcs[p->func_count - 1].insn >= p->len)
		p->func_count--;
}

bool random_drop(struct random_program *p, uint32_t at, uint32_t count)
{
	if (at >= p->len || count >= p->len || at + count > p->len)
		return false;
	if (at && p->insns[at - 1].code == 0x18)
		return false;
	if (p->insns[at + count - 1].code == 0x18)
		return false;
	shift(p, at, -(int64_t)count);
	return true;
}

/*
 * The instruction at the start of what it is spelled out as: a move or load without a
 * sign, and two shifts. 0: it is no sign extension.
 */
static unsigned spell_out(struct skep_insn insn, struct skep_insn out[3])
{
	bool load = insn.code == 0x91 || insn.code == 0x89 || insn.code == 0x81;
	bool move = (insn.code == 0xbf || insn.code == 0xbc) && insn.off;
	bool half = insn.code == 0xbc;
	int bits = load ? insn.code == 0x91 ? 8 : insn.code == 0x89 ? 16 : 32 : insn.off;
	int32_t distance = (half ? 32 : 64) - bits;

	if (!load && !move)
		return 0;
	out[0] = insn;
	if (load)
		out[0].code -= 0x20;
	else
		out[0].off = 0;
	out[1] = (struct skep_insn){ .code = half ? 0x64 : 0x67, .dst = insn.dst, .imm = distance };
	out[2] = (struct skep_insn){ .code = half ? 0xc4 : 0xc7, .dst = insn.dst, .imm = distance };
	return 3;
}

unsigned random_spell_out(struct random_program *p)
{
	unsigned changed = 0;

	for (uint32_t i = 0; i < p->len; i++) {
		struct skep_insn out[3];

		if (p->insns[i].code == 0x18) {
			i++;
			continue;
		}
		if (p->len + 2 > RANDOM_SLOTS || !spell_out(p->insns[i], out))
			continue;
		shift(p, i, 2);
		memcpy(&p->insns[i], out, sizeof(out));
		i += 2;
		changed++;
	}
	return changed;
}

static void change_code(struct skep_insn *insn, struct dice *dice)
{
	switch (below(dice, 4)) {
	case 0: /* another operation of the class */
		insn->code = (uint8_t)((insn->code & 0x0f) | below(dice, 16) << 4);
		break;
	case 1: /* 32 bits for 64, loads for stores ... */
		insn->code ^= (uint8_t)(1u << below(dice, 3));
		break;
	case 2: /* another size or source */
		insn->code ^= (uint8_t)(8u << below(dice, 2));
		break;
	default:
		insn->code = (uint8_t)roll(dice);
		break;
	}
}

static void change_number(struct skep_insn *insn, struct dice *dice)
{
	switch (below(dice, 4)) {
	case 0:
		insn->imm = (int32_t)edge_number(dice);
		break;
	case 1:
		insn->imm += chance(dice, 50) ? 1 : -1;
		break;
	case 2:
		insn->imm = insn->imm * 2 + (int32_t)below(dice, 2);
		break;
	default:
		insn->imm ^= 1 << below(dice, 32);
		break;
	}
}

static void change_offset(struct skep_insn *insn, struct dice *dice)
{
	switch (below(dice, 3)) {
	case 0:
		insn->off = (int16_t)(insn->off + (chance(dice, 50) ? 1 : -1));
		break;
	case 1:
		insn->off = (int16_t)(insn->off + 8 - 16 * (int)below(dice, 2));
		break;
	default:
		insn->off = (int16_t)edge_number(dice);
		break;
	}
}

static void swap_with_next(struct random_program *p, uint32_t at)
{
	struct skep_insn first = p->insns[at];

	if (at + 1 >= p->len || first.code == 0x18 || p->insns[at + 1].code == 0x18)
		return;
	p->insns[at] = p->insns[at + 1];
	p->insns[at + 1] = first;
}

static void change(struct random_program *p, struct dice *dice)
{
	uint32_t at = below(dice, p->len);
	struct skep_insn *insn = &p->insns[at];

	if (at && p->insns[at - 1].code == 0x18)
		return;
	switch (below(dice, 9)) {
	case 0:
		change_code(insn, dice);
		break;
	case 1:
		insn->dst = below(dice, 11) & 15;
		break;
	case 2:
		insn->src = below(dice, 11) & 15;
		break;
	case 3: case 4:
		change_number(insn, dice);
		break;
	case 5:
		change_offset(insn, dice);
		break;
	case 6:
		if (insn->code != 0x18)
			random_drop(p, at, 1);
		break;
	case 7:
		if (insn->code != 0x18 && p->len < RANDOM_SLOTS - 2) {
			shift(p, at, 1);
			p->insns[at + 1] = p->insns[at];
		}
		break;
	default:
		swap_with_next(p, at);
		break;
	}
}

void random_mutate(struct random_program *program, struct dice *dice)
{
	for (uint32_t n = 1 + (chance(dice, 40) ? below(dice, 4) : 0); n; n--)
		change(program, dice);
}
