/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86_alu.c - arithmetic for x86-64.
 *
 * No switch here has a default case: a new row in alu.def must not compile
 * until it is handled. x86's 32-bit operations clear the upper half of their
 * destination, which is what BPF asks for; only what computes nothing needs an
 * extra move for it.
 */
#include "jit/x86.h"

/* How an operation is encoded where x86 has it in the form "op rm, reg". */
struct alu_form {
	uint8_t reg;             /* opcode; 0: there is none */
	uint8_t digit;           /* of the form with an immediate, or of the shift */
	uint8_t pp;              /* of the BMI2 shift; 0: not a shift */
};

static struct alu_form alu_form(enum alu op)
{
	switch (op) {
	case ALU_ADD:
		return (struct alu_form){ .reg = 0x01, .digit = 0 };
	case ALU_OR:
		return (struct alu_form){ .reg = 0x09, .digit = 1 };
	case ALU_AND:
		return (struct alu_form){ .reg = 0x21, .digit = 4 };
	case ALU_SUB:
		return (struct alu_form){ .reg = 0x29, .digit = 5 };
	case ALU_XOR:
		return (struct alu_form){ .reg = 0x31, .digit = 6 };
	case ALU_LSH:
		return (struct alu_form){ .digit = 4, .pp = 1 };
	case ALU_RSH:
		return (struct alu_form){ .digit = 5, .pp = 3 };
	case ALU_ARSH:
		return (struct alu_form){ .digit = 7, .pp = 2 };
	case ALU_MUL: case ALU_DIV: case ALU_NEG: case ALU_MOD: case ALU_MOV: case ALU_SDIV:
	case ALU_SMOD: case ALU_TO_LE: case ALU_TO_BE: case ALU_BSWAP:
		return (struct alu_form){ 0 };
	case ALU_COUNT:
		break;
	}
	__builtin_unreachable();
}

static bool wide(const struct insn *insn)
{
	return insn->width == 8;
}

static void basic(struct x86 *x, const struct insn *insn)
{
	struct alu_form form = alu_form(insn->op);

	if (insn->source_is_imm)
		emit_alu_imm(&x->e, wide(insn), form.digit, x86_dst(insn), (int32_t)insn->imm);
	else
		emit_rr(&x->e, wide(insn), form.reg, x86_src(insn), x86_dst(insn));
}

/* --- moves, and what can be folded into them --- */

static bool is_alu64(const struct insn *insn, enum alu op, unsigned dst)
{
	return insn && insn->kind == INSN_ALU && insn->op == op && insn->width == 8 &&
	       insn->dst == dst;
}

/* "a = b; a += c" is one lea. */
static bool move_and_add(struct x86 *x, const struct insn *insn)
{
	const struct insn *next = x86_next(x);

	if (!wide(insn) || insn->source_is_imm || insn->dst == insn->src ||
	    !is_alu64(next, ALU_ADD, insn->dst))
		return false;
	if (next->source_is_imm)
		emit_rm(&x->e, true, 0x8d, x86_dst(insn), x86_src(insn), (int32_t)next->imm);
	else if (next->src != insn->dst)
		emit_lea_index(&x->e, true, x86_dst(insn), x86_src(insn), x86_src(next));
	else
		return false;
	return true;
}

static unsigned move(struct x86 *x, const struct insn *insn)
{
	static const uint32_t extend[] = { [1] = 0x0fbe | OP_BYTE, [2] = 0x0fbf, [4] = 0x63 };
	unsigned dst = x86_dst(insn);

	if (insn->source_is_imm) {
		emit_mov_imm(&x->e, dst, wide(insn) ? (uint64_t)insn->imm : (uint32_t)insn->imm);
	} else if (insn->sign_extend && insn->from < insn->width) {
		emit_rr(&x->e, wide(insn), extend[insn->from], dst, x86_src(insn));
	} else if (move_and_add(x, insn)) {
		return 2;
	} else if (!wide(insn) || insn->dst != insn->src) {
		emit_mov(&x->e, wide(insn), dst, x86_src(insn));
	}
	return 1;
}

/* --- shifts --- */

/* Without BMI2 the count must be in cl. */
static void shift_cl(struct x86 *x, const struct insn *insn, unsigned digit)
{
	struct emitter *e = &x->e;
	unsigned dst = x86_dst(insn), src = x86_src(insn);

	if (src == RCX && dst != RCX) {
		emit_rr(e, wide(insn), 0xd3, digit, dst);
		return;
	}
	emit_mov(e, true, R11, RCX);
	if (dst == RCX) {
		emit_mov(e, false, RCX, src);
		emit_rr(e, wide(insn), 0xd3, digit, R11);
		emit_mov(e, true, RCX, R11);
	} else {
		emit_mov(e, false, RCX, src);
		emit_rr(e, wide(insn), 0xd3, digit, dst);
		emit_mov(e, true, RCX, R11);
	}
}

/* "a <<= 32; a >>= 32" (or s>>=) is how old compilers extend 32 bits. */
static bool extend_pair(struct x86 *x, const struct insn *insn)
{
	const struct insn *next = x86_next(x);
	unsigned dst = x86_dst(insn);

	if (insn->op != ALU_LSH || !wide(insn) || insn->imm != 32)
		return false;
	if (is_alu64(next, ALU_RSH, insn->dst) && next->source_is_imm && next->imm == 32)
		emit_mov(&x->e, false, dst, dst);
	else if (is_alu64(next, ALU_ARSH, insn->dst) && next->source_is_imm && next->imm == 32)
		emit_rr(&x->e, true, 0x63, dst, dst);
	else
		return false;
	return true;
}

static unsigned shift(struct x86 *x, const struct insn *insn)
{
	struct alu_form form = alu_form(insn->op);
	unsigned dst = x86_dst(insn), count = (unsigned)insn->imm & (wide(insn) ? 63 : 31);

	if (!insn->source_is_imm) {
		if (x->in->cpu_features & JIT_BMI2)
			emit_shift_bmi2(&x->e, wide(insn), form.pp, dst, dst, x86_src(insn));
		else
			shift_cl(x, insn, form.digit);
		return 1;
	}
	if (extend_pair(x, insn))
		return 2;
	if (count)
		emit_shift_imm(&x->e, wide(insn), form.digit, dst, count);
	else if (!wide(insn))
		emit_mov(&x->e, false, dst, dst);
	return 1;
}

/* --- the rest --- */

static void multiply(struct x86 *x, const struct insn *insn)
{
	unsigned dst = x86_dst(insn);
	uint64_t imm = wide(insn) ? (uint64_t)insn->imm : (uint32_t)insn->imm;

	if (!insn->source_is_imm) {
		emit_rr(&x->e, wide(insn), 0x0faf, dst, x86_src(insn));
	} else if (imm > 1 && (imm & (imm - 1)) == 0) {
		emit_shift_imm(&x->e, wide(insn), 4, dst, (unsigned)__builtin_ctzll(imm));
	} else {
		emit_rr(&x->e, wide(insn), 0x69, dst, dst);
		emit32(&x->e, insn->imm);
	}
}

/* The low bytes of dst, swapped or not; the rest becomes zero. */
static void swap_bytes(struct x86 *x, const struct insn *insn, bool swapped)
{
	struct emitter *e = &x->e;
	unsigned dst = x86_dst(insn);

	if (insn->from == 2) {
		if (swapped) {
			emit_rr(e, false, OP_66 | 0xc1, 0, dst); /* rol 8 */
			emit8(e, 8);
		}
		emit_rr(e, false, 0x0fb7, dst, dst);
	} else if (swapped) {
		emit_bswap(e, insn->from == 8, dst);
	} else if (insn->from == 4) {
		emit_mov(e, false, dst, dst);
	}
}

unsigned x86_alu(struct x86 *x, const struct insn *insn)
{
	switch ((enum alu)insn->op) {
	case ALU_ADD:
	case ALU_SUB:
	case ALU_OR:
	case ALU_AND:
	case ALU_XOR:
		basic(x, insn);
		return 1;
	case ALU_LSH:
	case ALU_RSH:
	case ALU_ARSH:
		return shift(x, insn);
	case ALU_MUL:
		multiply(x, insn);
		return 1;
	case ALU_DIV:
	case ALU_MOD:
	case ALU_SDIV:
	case ALU_SMOD:
		x86_divide(x, insn);
		return 1;
	case ALU_NEG:
		emit_rr(&x->e, wide(insn), 0xf7, 3, x86_dst(insn));
		return 1;
	case ALU_MOV:
		return move(x, insn);
	case ALU_TO_LE:
		swap_bytes(x, insn, false);
		return 1;
	case ALU_TO_BE:
	case ALU_BSWAP:
		swap_bytes(x, insn, true);
		return 1;
	case ALU_COUNT:
		break;
	}
	__builtin_unreachable();
}
