/* SPDX-License-Identifier: BSD-2-Clause */
/* flow.c - where control may go from an instruction. */
#include "isa/insn.h"

static void add_next(struct skep_flow *flow, int64_t to, size_t count)
{
	if (to >= 0 && (uint64_t)to < count)
		flow->next[flow->count++] = (size_t)to;
}

static int64_t inside(int64_t to, size_t count)
{
	return to >= 0 && (uint64_t)to < count ? to : -1;
}

void skep_insn_flow(const struct skep_insn *insns, size_t count, size_t index,
		    struct skep_flow *flow)
{
	int64_t pc = (int64_t)index;
	struct insn insn;

	*flow = (struct skep_flow){ .callee = -1 };
	if (index >= count)
		return;
	insn = insn_decode(insns, count, index, NULL);
	switch ((enum insn_kind)insn.kind) {
	case INSN_JUMP:
	case INSN_MAY_GOTO:
		flow->jumps = true;
		add_next(flow, pc + 1, count);
		if (insn.off != 0)
			add_next(flow, insn_target(&insn, pc), count);
		return;
	case INSN_GOTO:
		flow->jumps = true;
		add_next(flow, insn_target(&insn, pc), count);
		return;
	case INSN_INVALID:
	case INSN_GOTO_REG:
	case INSN_EXIT:
		flow->jumps = true;
		return;
	case INSN_IMM64:
		if (insn.op == IMM64_FUNC)
			flow->callee = inside(pc + 1 + (int32_t)insn.imm, count);
		add_next(flow, pc + 2, count);
		return;
	case INSN_CALL:
		if (insn.op == CALL_LOCAL)
			flow->callee = inside(insn_target(&insn, pc), count);
		add_next(flow, pc + 1, count);
		return;
	case INSN_PAD:
	case INSN_ALU:
	case INSN_LOAD:
	case INSN_STORE:
	case INSN_ATOMIC:
	case INSN_LOAD_PACKET:
	case INSN_LOAD_ARG:
	case INSN_STORE_ARG:
	case INSN_CAST:
	case INSN_KIND_COUNT:
		add_next(flow, pc + 1, count);
		return;
	}
}
