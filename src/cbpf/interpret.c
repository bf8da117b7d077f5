/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpret.c - what every instruction of a filter does: the reference.
 *
 * A load outside the packet, and a division by zero, end the filter with 0.
 */
#include "cbpf/cbpf.h"

#include "base/base.h"
#include "cbpf/set.h"

struct filter_state {
	uint32_t a, x, m[CBPF_MEMORY];
	size_t pc;
	bool ended;
	uint32_t result;
};

static void end_with(struct filter_state *s, uint32_t result)
{
	s->ended = true;
	s->result = result;
}

static uint32_t right_operand(const struct filter_state *s, const struct cbpf_row *row, uint32_t k)
{
	return row->reg == CBPF_X ? s->x : row->reg == CBPF_A ? s->a : k;
}

static void set_register(struct filter_state *s, const struct cbpf_row *row, uint32_t value)
{
	if (row->reg == CBPF_X)
		s->x = value;
	else
		s->a = value;
}

/* --- loads --- */

int32_t cbpf_offset(const struct skep_cbpf_packet *packet, uint32_t offset)
{
	if ((int32_t)offset >= 0)
		return (int32_t)offset;
	if (offset >= CBPF_NETWORK)
		return (int32_t)(offset - CBPF_NETWORK + (uint32_t)packet->network);
	if (offset >= CBPF_LINK && packet->has_link)
		return (int32_t)(offset - CBPF_LINK + (uint32_t)packet->link);
	return INT32_MIN;
}

const uint8_t *cbpf_bytes(const struct skep_cbpf_packet *packet, uint32_t offset, uint32_t width)
{
	int64_t at = cbpf_offset(packet, offset);

	if (at < -(int64_t)packet->headroom || at + width > packet->size)
		return NULL;
	return (const uint8_t *)packet->data + at;
}

static uint32_t big_endian(const uint8_t *bytes, unsigned width)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < width; i++)
		value = value << 8 | bytes[i];
	return value;
}

static void load_packet(struct filter_state *s, const struct cbpf_row *row, uint32_t offset,
			const struct skep_cbpf_packet *packet)
{
	const uint8_t *bytes = cbpf_bytes(packet, offset, row->width);

	if (!bytes)
		end_with(s, 0);
	else if (row->kind == CBPF_MSH)
		s->x = 4 * (bytes[0] & 0xfu);
	else
		s->a = big_endian(bytes, row->width);
}

static void load_absolute(struct filter_state *s, const struct cbpf_row *row,
			  const struct skep_cbpf_insn *insn, const struct skep_cbpf_packet *packet)
{
	const struct cbpf_ancillary_row *ancillary = cbpf_ancillary(insn);

	if (!ancillary)
		load_packet(s, row, insn->k, packet);
	else if (!cbpf_load_ancillary(packet, ancillary->number, &s->a, s->x))
		end_with(s, s->a);
}

/* --- everything --- */

static void compute(struct filter_state *s, const struct cbpf_row *row, uint32_t k)
{
	uint32_t right = right_operand(s, row, k);

	if ((row->op == ALU_DIV || row->op == ALU_MOD) && right == 0)
		end_with(s, 0);
	else
		s->a = cbpf_alu(row, s->a, right);
}

/* What does not look at the packet. */
static void step(struct filter_state *s, const struct cbpf_row *row,
		 const struct skep_cbpf_insn *insn)
{
	switch ((enum cbpf_kind)row->kind) {
	case CBPF_IMM:
		set_register(s, row, insn->k);
		break;
	case CBPF_MEM:
		set_register(s, row, s->m[insn->k % CBPF_MEMORY]);
		break;
	case CBPF_STORE:
		s->m[insn->k % CBPF_MEMORY] = right_operand(s, row, 0);
		break;
	case CBPF_ALU:
		compute(s, row, insn->k);
		break;
	case CBPF_NEG:
		s->a = 0 - s->a;
		break;
	case CBPF_GOTO:
		s->pc += insn->k;
		break;
	case CBPF_JUMP:
		s->pc += cbpf_holds(row, s->a, right_operand(s, row, insn->k)) ? insn->jt : insn->jf;
		break;
	case CBPF_RETURN:
		end_with(s, right_operand(s, row, insn->k));
		break;
	case CBPF_TAX:
		s->x = s->a;
		break;
	case CBPF_TXA:
		s->a = s->x;
		break;
	case CBPF_ABS: case CBPF_IND: case CBPF_MSH: case CBPF_LEN:
		break;
	}
}

/* The jump by a lookup in a set. */
static void look_up(struct filter_state *s, const struct cbpf_row *row, const struct skep_cbpf_insn *insn,
		    const struct cbpf_sets *sets, const struct skep_cbpf_packet *packet)
{
	bool whole = row->reg == CBPF_SET_BYTES;
	const struct cbpf_set *set = &sets->all.items[whole ? insn->k >> 16 : insn->k];
	const uint8_t *bytes = whole ? cbpf_bytes(packet, insn->k & UINT16_MAX, 16) : NULL;
	uint8_t number[4] = { (uint8_t)(s->a >> 24), (uint8_t)(s->a >> 16), (uint8_t)(s->a >> 8),
			      (uint8_t)s->a };

	if (whole && !bytes)
		end_with(s, 0);
	else
		s->pc += set_find(sets, set, whole ? bytes : number + 4 - set->width) ? insn->jt : insn->jf;
}

uint32_t cbpf_run(const struct cbpf_code *code, const struct skep_cbpf_packet *packet)
{
	struct filter_state s = { 0 };

	while (!s.ended && s.pc < code->count) {
		const struct skep_cbpf_insn *insn = &code->insns[s.pc++];
		const struct cbpf_row *row = code->sets ? cbpf_row_or_set(insn->code) : cbpf_row(insn->code);

		if (!row)
			return 0;
		if (row->reg >= CBPF_SET)
			look_up(&s, row, insn, code->sets, packet);
		else if (row->kind == CBPF_ABS)
			load_absolute(&s, row, insn, packet);
		else if (row->kind == CBPF_IND)
			load_packet(&s, row, s.x + insn->k, packet);
		else if (row->kind == CBPF_MSH)
			load_packet(&s, row, insn->k, packet);
		else if (row->kind == CBPF_LEN)
			set_register(&s, row, packet->len ? packet->len : packet->size);
		else
			step(&s, row, insn);
	}
	return s.ended ? s.result : 0;
}

uint32_t skep_cbpf_run(const struct skep_cbpf_insn *insns, size_t count,
		       const struct skep_cbpf_packet *packet)
{
	return cbpf_run(&(struct cbpf_code){ insns, count, NULL }, packet);
}

uint32_t skep_cbpf_run_call(const struct skep_cbpf_insn *insns, size_t count,
			    const struct skep_cbpf_call *call)
{
	struct filter_state s = { 0 };

	_Static_assert(sizeof(*call) == SECCOMP_DATA_SIZE, "struct seccomp_data");
	while (!s.ended && s.pc < count) {
		const struct skep_cbpf_insn *insn = &insns[s.pc++];
		const struct cbpf_row *row = cbpf_row(insn->code);

		if (!row || !row->seccomp)
			return 0;
		if (row->kind == CBPF_ABS && insn->k <= SECCOMP_DATA_SIZE - 4)
			memcpy(&s.a, (const uint8_t *)call + insn->k, 4);
		else if (row->kind == CBPF_LEN)
			set_register(&s, row, SECCOMP_DATA_SIZE);
		else
			step(&s, row, insn);
	}
	return s.ended ? s.result : 0;
}
