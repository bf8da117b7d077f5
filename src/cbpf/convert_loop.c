/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * convert_loop.c - a filter as a loop over packets. See cbpf_convert_loop(): no verifier knows its
 * arguments, its body is what has been verified for one packet.
 */
#include "cbpf/converter.h"

#include <errno.h>

/* It may use A, X, the packet and one word of memory: all other registers are the loop's. */
static bool fits_loop(struct converter *c)
{
	int64_t word = -1;

	if (converter_calls(c))
		return false;
	for (size_t pc = 0; pc < c->count; pc++) {
		const struct skep_cbpf_insn *insn = &c->insns[pc];
		const struct cbpf_row *row = cbpf_row_or_set(insn->code);

		if (!c->facts[pc].reached)
			continue;
		if (cbpf_ancillary(insn))
			return false;
		if (row->kind != CBPF_STORE)
			continue;
		if (word >= 0 && word != insn->k)
			return false;
		word = insn->k;
		c->home[word] = WORD;
	}
	return true;
}

static int convert_loop(struct converter *c)
{
	struct ebpf *e = &c->e;
	uint32_t again, skip;
	int error;

	if (!fits_loop(c))
		return -EOPNOTSUPP;
	c->plan = &plan_leaf;
	c->loop = true;
	ebpf_labels(e, c->count);
	c->drop = ebpf_labels(e, 4);
	c->next = c->drop + 1;
	again = c->drop + 2;
	skip = c->drop + 3;
	ebpf_mov(e, 8, PACKETS, 1);
	ebpf_mov(e, 8, RESULTS, 2);
	ebpf_mov(e, 8, LEFT, 3);
	if (!c->sets)
		ebpf_mov_imm(e, 4, PASSED, 0);
	ebpf_label(e, again);
	ebpf_load(e, 8, c->plan->data, PACKETS, offsetof(struct skep_cbpf_packet, data));
	ebpf_load(e, 4, c->plan->end, PACKETS, offsetof(struct skep_cbpf_packet, size));
	ebpf_alu(e, ALU_ADD, 8, c->plan->end, c->plan->data);
	ebpf_mov_imm(e, 4, A, 0);
	ebpf_mov_imm(e, 4, c->plan->x, 0);
	error = convert_body(c);
	ebpf_label(e, c->next);
	ebpf_store(e, 4, RESULTS, 0, A);
	if (!c->sets) {
		ebpf_if_imm(e, COND_EQ, 4, A, 0, skip);
		ebpf_alu_imm(e, ALU_ADD, 8, PASSED, 1);
		ebpf_label(e, skip);
	}
	ebpf_alu_imm(e, ALU_ADD, 8, PACKETS, sizeof(struct skep_cbpf_packet));
	ebpf_alu_imm(e, ALU_ADD, 8, RESULTS, sizeof(uint32_t));
	ebpf_alu_imm(e, ALU_SUB, 8, LEFT, 1);
	ebpf_if_imm(e, COND_NE, 8, LEFT, 0, again);
	if (c->sets) /* their lookups need its register */
		ebpf_mov_imm(e, 4, A, 0);
	else
		ebpf_mov(e, 8, A, PASSED);
	ebpf_exit(e);
	return error;
}

int cbpf_convert_loop(const struct cbpf_code *code, struct cbpf_program *program)
{
	struct cbpf_fact *facts = cbpf_flow(code->insns, code->count);
	struct converter c = { .insns = code->insns, .count = code->count, .sets = code->sets,
			       .target = CBPF_TO_NATIVE, .name = "loop",
			       .kind = &converter_kinds[CBPF_TO_NATIVE], .facts = facts };
	int error = facts ? convert_loop(&c) : -ENOMEM;

	if (c.e.failed)
		error = -ENOMEM;
	if (error == 0 && !ebpf_resolve(&c.e))
		error = -EOPNOTSUPP;
	if (error == 0) {
		*program = (struct cbpf_program){ .insns = c.e.out.items, .count = c.e.out.count,
						  .data = c.e.data.items, .data_count = c.e.data.count };
		memset(&c.e.out, 0, sizeof(c.e.out));
		memset(&c.e.data, 0, sizeof(c.e.data));
	}
	ebpf_done(&c.e);
	free(facts);
	return error;
}
