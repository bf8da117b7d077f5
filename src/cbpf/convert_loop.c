/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * convert_loop.c - a filter as a loop over packets. See cbpf_convert_loop(): no verifier knows its
 * arguments, its body is what has been verified for one packet.
 */
#include "cbpf/converter.h"

#include <errno.h>

enum { TAILS_MAX = 6 }; /* copies of what follows a packet: a jump costs as much */

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

void convert_next_packet(struct converter *c)
{
	struct ebpf *e = &c->e;

	ebpf_store(e, 4, RESULTS, 0, A);
	ebpf_alu_imm(e, ALU_ADD, 8, PACKETS, sizeof(struct skep_cbpf_packet));
	ebpf_alu_imm(e, ALU_ADD, 8, RESULTS, sizeof(uint32_t));
	ebpf_if(e, COND_NE, 8, PACKETS, END, c->again);
	ebpf_goto(e, c->done);
}

void convert_result(struct converter *c, uint32_t k)
{
	if (c->tails++ >= TAILS_MAX) {
		ebpf_goto(&c->e, k ? c->passed : c->dropped);
		return;
	}
	if (k && !c->sets)
		ebpf_alu_imm(&c->e, ALU_ADD, 8, PASSED, 1);
	convert_next_packet(c);
}

/*
 *   again:   the packet, its size, the filter; the first places where it returns go on by themselves
 *   drop:    A = 0; next packet
 *   next:    A == 0? to dropped
 *   passed:  count
 *   dropped: next packet
 */
static int convert_loop(struct converter *c)
{
	struct ebpf *e = &c->e;
	int error;

	if (!fits_loop(c))
		return -EOPNOTSUPP;
	c->plan = &plan_leaf;
	c->loop = true;
	ebpf_labels(e, c->count);
	c->drop = ebpf_labels(e, 6);
	c->next = c->drop + 1;
	c->passed = c->drop + 2;
	c->dropped = c->drop + 3;
	c->again = c->drop + 4;
	c->done = c->drop + 5;
	ebpf_mov(e, 8, PACKETS, 1);
	ebpf_mov(e, 8, RESULTS, 2);
	ebpf_mov(e, 8, END, 3);
	ebpf_alu_imm(e, ALU_MUL, 8, END, sizeof(struct skep_cbpf_packet));
	ebpf_alu(e, ALU_ADD, 8, END, PACKETS);
	if (!c->sets) /* their lookups need its register */
		ebpf_mov_imm(e, 4, PASSED, 0);
	ebpf_label(e, c->again);
	ebpf_load(e, 8, c->plan->data, PACKETS, offsetof(struct skep_cbpf_packet, data));
	ebpf_load(e, 4, c->plan->end, PACKETS, offsetof(struct skep_cbpf_packet, size));
	if (c->facts[0].live_a)
		ebpf_mov_imm(e, 4, A, 0);
	if (c->facts[0].live_x)
		ebpf_mov_imm(e, 4, c->plan->x, 0);
	error = convert_body(c);
	ebpf_label(e, c->next);
	ebpf_if_imm(e, COND_EQ, 4, A, 0, c->dropped);
	ebpf_label(e, c->passed);
	if (!c->sets)
		ebpf_alu_imm(e, ALU_ADD, 8, PASSED, 1);
	ebpf_label(e, c->dropped);
	convert_next_packet(c);
	ebpf_label(e, c->done);
	if (c->sets)
		ebpf_mov_imm(e, 4, A, 0);
	else
		ebpf_mov(e, 8, A, PASSED);
	ebpf_exit(e);
	return error;
}

int cbpf_convert_loop(const struct cbpf_code *code, struct cbpf_program *program)
{
	struct cbpf_fact *facts = cbpf_flow(code->insns, code->count, true);
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
