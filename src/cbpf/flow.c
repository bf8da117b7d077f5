/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow.c - what is known before each instruction of a filter, for its conversion: how
 * many bytes of the packet were found there, and how large A, X and memory can be.
 *
 * Jumps only go forward: one walk suffices.
 */
#include "cbpf/convert.h"

static void merge(struct cbpf_fact *into, const struct cbpf_fact *from)
{
	if (!into->reached) {
		*into = *from;
		return;
	}
	into->known = MIN(into->known, from->known);
	into->a = MAX(into->a, from->a);
	into->x = MAX(into->x, from->x);
	for (unsigned i = 0; i < CBPF_MEMORY; i++)
		into->m[i] = MAX(into->m[i], from->m[i]);
}

static uint32_t width_max(unsigned width)
{
	return width == 4 ? UINT32_MAX : (1u << 8 * width) - 1;
}

/* Only what the verifier concludes as well: it has to agree with the checks left out. */
static uint32_t alu_max(const struct cbpf_row *row, uint32_t a, uint32_t right)
{
	bool constant = row->reg == CBPF_K;

	switch (row->op) {
	case ALU_ADD:
		return a <= UINT32_MAX - right ? a + right : UINT32_MAX;
	case ALU_AND:
		return MIN(a, right);
	case ALU_RSH:
		return constant ? a >> (right & 31) : UINT32_MAX;
	case ALU_LSH:
		return constant && a <= UINT32_MAX >> (right & 31) ? a << (right & 31) : UINT32_MAX;
	default:
		return UINT32_MAX;
	}
}

static void load_packet(struct cbpf_fact *fact, const struct cbpf_row *row,
			const struct skep_cbpf_insn *insn)
{
	if (row->kind == CBPF_MSH)
		fact->x = 60;
	else
		fact->a = cbpf_ancillary(insn) ? UINT32_MAX : width_max(row->width);
	if (row->kind != CBPF_IND && insn->k <= CBPF_DIRECT_MAX - row->width)
		fact->known = MAX(fact->known, insn->k + row->width);
}

static void transfer(struct cbpf_fact *fact, const struct cbpf_row *row,
		     const struct skep_cbpf_insn *insn)
{
	uint32_t *reg = row->reg == CBPF_X ? &fact->x : &fact->a;

	switch ((enum cbpf_kind)row->kind) {
	case CBPF_ABS: case CBPF_IND: case CBPF_MSH:
		load_packet(fact, row, insn);
		break;
	case CBPF_LEN:
		*reg = UINT32_MAX;
		break;
	case CBPF_IMM:
		*reg = insn->k;
		break;
	case CBPF_MEM:
		*reg = fact->m[insn->k];
		break;
	case CBPF_STORE:
		fact->m[insn->k] = *reg;
		break;
	case CBPF_ALU:
		fact->a = alu_max(row, fact->a, row->reg == CBPF_X ? fact->x : insn->k);
		break;
	case CBPF_NEG:
		fact->a = UINT32_MAX;
		break;
	case CBPF_TAX:
		fact->x = fact->a;
		break;
	case CBPF_TXA:
		fact->a = fact->x;
		break;
	case CBPF_JUMP:
		if (row->reg == CBPF_SET_BYTES)
			fact->a = UINT32_MAX;
		break;
	case CBPF_GOTO: case CBPF_RETURN:
		break;
	}
}

struct cbpf_fact *cbpf_flow(const struct skep_cbpf_insn *insns, size_t count)
{
	struct cbpf_fact *facts = calloc(count + 1, sizeof(*facts));

	if (!facts)
		return NULL;
	facts[0].reached = true;
	for (size_t pc = 0; pc < count; pc++) {
		const struct cbpf_row *row = cbpf_row_or_set(insns[pc].code);
		struct cbpf_fact after = facts[pc];

		if (!after.reached || row->kind == CBPF_RETURN)
			continue;
		transfer(&after, row, &insns[pc]);
		if (row->kind == CBPF_GOTO) {
			merge(&facts[cbpf_goto_target(&insns[pc], pc)], &after);
		} else if (row->kind == CBPF_JUMP) {
			merge(&facts[cbpf_true_target(&insns[pc], pc)], &after);
			merge(&facts[cbpf_false_target(&insns[pc], pc)], &after);
		} else {
			merge(&facts[pc + 1], &after);
		}
	}
	return facts;
}
