/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86_branch.c - jumps for x86-64.
 *
 * The program is compiled over and over until no offset changes. At first all
 * jumps are long; a jump that was near in the last pass is short in the next,
 * and as code only shrinks it stays near.
 */
#include "jit/x86.h"

/* The condition code after cmp; SET is tested with test. */
static enum x86_cc cc_of(enum cond op)
{
	switch (op) {
	case COND_EQ:
		return CC_E;
	case COND_NE:
	case COND_SET:
		return CC_NE;
	case COND_GT:
		return CC_A;
	case COND_GE:
		return CC_AE;
	case COND_LT:
		return CC_B;
	case COND_LE:
		return CC_BE;
	case COND_SGT:
		return CC_G;
	case COND_SGE:
		return CC_GE;
	case COND_SLT:
		return CC_L;
	case COND_SLE:
		return CC_LE;
	case COND_COUNT:
		break;
	}
	__builtin_unreachable();
}

/* Where a slot is, as far as this pass knows. */
static int64_t where(const struct x86 *x, int64_t slot)
{
	return slot <= x->pc ? x->at[slot] : x->before[slot];
}

/* Is it near by the last pass's offsets? Forward distances can only shrink. */
static bool is_short(struct x86 *x, int64_t slot)
{
	int64_t from = x->before[x->pc], to = x->before[slot];

	if (x->shrink && to - from > -100 && to - from < 120)
		x->slots[x->pc] |= SLOT_SHORT;
	return x->slots[x->pc] & SLOT_SHORT;
}

/* jcc, or jmp where cc is -1, to a slot. */
static void jump_to(struct x86 *x, int cc, int64_t slot)
{
	struct emitter *e = &x->e;

	if (is_short(x, slot)) {
		emit8(e, cc < 0 ? 0xeb : 0x70u + (unsigned)cc);
		emit8(e, (uint8_t)(where(x, slot) - (int64_t)(e->size + 1)));
		return;
	}
	if (cc < 0) {
		emit8(e, 0xe9);
	} else {
		emit8(e, 0x0f);
		emit8(e, 0x80u + (unsigned)cc);
	}
	emit32(e, where(x, slot) - (int64_t)(e->size + 4));
}

static void compare_imm(struct x86 *x, const struct insn *insn)
{
	bool wide = insn->width == 8;
	unsigned dst = x86_dst(insn);

	if (insn->op == COND_SET) {
		/* A positive mask has no upper half to test. */
		emit_rr(&x->e, wide && insn->imm < 0, 0xf7, 0, dst);
		emit32(&x->e, insn->imm);
	} else if (insn->imm == 0) {
		emit_rr(&x->e, wide, 0x85, dst, dst);
	} else {
		emit_alu_imm(&x->e, wide, 7, dst, (int32_t)insn->imm);
	}
}

void x86_jump(struct x86 *x, const struct insn *insn)
{
	if (insn->off == 0)
		return;
	if (insn->source_is_imm)
		compare_imm(x, insn);
	else
		emit_rr(&x->e, insn->width == 8, insn->op == COND_SET ? 0x85 : 0x39, x86_src(insn),
			x86_dst(insn));
	jump_to(x, cc_of(insn->op), insn_target(insn, x->pc));
}

void x86_goto(struct x86 *x, const struct insn *insn)
{
	if (insn->off != 0)
		jump_to(x, -1, insn_target(insn, x->pc));
}

/* The frame's counter lies on top of the machine stack. */
void x86_may_goto(struct x86 *x, const struct insn *insn)
{
	emit_rm(&x->e, true, 0xff, 1, RSP, 0); /* dec */
	jump_to(x, CC_S, insn_target(insn, x->pc));
}

void x86_trap(struct x86 *x)
{
	size_t start;

	emit_mov_imm(&x->e, R11, 0);
	start = x->e.size;
	emit_rm(&x->e, true, 0x8b, R11, R11, 0);
	x86_note_fault(x, start, JIT_FAULT_ENDS);
}

/* Through a table of offsets behind the code, one for each slot. */
void x86_goto_reg(struct x86 *x, const struct insn *insn)
{
	struct emitter *e = &x->e;
	unsigned dst = x86_dst(insn);
	size_t inside;

	emit_alu_imm(e, true, 7, dst, (int32_t)x->in->len);
	inside = emit_skip(e, CC_B);
	x86_trap(x);
	emit_here(e, inside);
	emit_rip(e, true, 0x8d, R11, x->table);
	emit_mov(e, true, R10, dst);
	emit_shift_imm(e, true, 4, R10, 2);
	emit_rr(e, true, 0x01, R11, R10);
	emit_rm(e, true, 0x63, R10, R10, 0);
	emit_rr(e, true, 0x01, R10, R11);
	emit_rr(e, false, 0xff, 4, R11); /* jmp r11 */
}
