/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86_divide.c - division and remainder for x86-64.
 *
 * The machine's division works in rdx:rax (r3 and r0 here) and traps on zero
 * and on the one quotient that does not fit, where BPF defines results: those
 * are tested for first. Dividing by a constant needs no test, and no division
 * where it is unsigned:
 *
 *   32 bits   x / d = high half of x * ceil(2^64 / d), exact for every x, d
 *   64 bits   a shift where d is a power of two
 */
#include "jit/x86.h"

struct division {
	unsigned dst, by;        /* machine registers */
	bool wide, is_signed, remainder;
};

static bool is_remainder(enum alu op)
{
	return op == ALU_MOD || op == ALU_SMOD;
}

static bool is_signed(enum alu op)
{
	return op == ALU_SDIV || op == ALU_SMOD;
}

/* dst = dst / by or dst % by, where that does not trap. */
static void divide_plain(struct emitter *e, const struct division *d)
{
	unsigned result = d->remainder ? RDX : RAX;

	if (d->dst != RAX) {
		emit_mov(e, true, R10, RAX);
		emit_mov(e, d->wide, RAX, d->dst);
	}
	if (d->dst != RDX)
		emit_mov(e, true, R11, RDX);
	if (d->is_signed) {
		if (d->wide)
			emit8(e, 0x48);
		emit8(e, 0x99); /* cdq, cqo: the sign of rax through rdx */
		emit_rr(e, d->wide, 0xf7, 7, d->by);
	} else {
		emit_rr(e, false, 0x31, RDX, RDX);
		emit_rr(e, d->wide, 0xf7, 6, d->by);
	}
	if (d->dst != result)
		emit_mov(e, d->wide, d->dst, result);
	if (d->dst != RAX)
		emit_mov(e, true, RAX, R10);
	if (d->dst != RDX)
		emit_mov(e, true, RDX, R11);
}

static void by_zero(struct emitter *e, const struct division *d)
{
	if (!d->remainder)
		emit_rr(e, false, 0x31, d->dst, d->dst);
	else if (!d->wide)
		emit_mov(e, false, d->dst, d->dst);
}

static void by_minus_one(struct emitter *e, const struct division *d)
{
	if (d->remainder)
		emit_rr(e, false, 0x31, d->dst, d->dst);
	else
		emit_rr(e, d->wide, 0xf7, 3, d->dst);
}

static void divide_by_register(struct emitter *e, const struct division *d)
{
	size_t zero, minus_one = 0, done, done_zero;

	emit_rr(e, d->wide, 0x85, d->by, d->by);
	zero = emit_skip(e, CC_E);
	if (d->is_signed) {
		emit_alu_imm(e, d->wide, 7, d->by, -1);
		minus_one = emit_skip(e, CC_E);
	}
	divide_plain(e, d);
	done = emit_skip(e, -1);
	emit_here(e, zero);
	by_zero(e, d);
	if (d->is_signed) {
		done_zero = emit_skip(e, -1);
		emit_here(e, minus_one);
		by_minus_one(e, d);
		emit_here(e, done_zero);
	}
	emit_here(e, done);
}

/* Unsigned, 32 bits, by a constant that is no power of two; with mulx. */
static void divide_by_multiplying(struct emitter *e, unsigned dst, uint32_t by, bool remainder)
{
	uint64_t reciprocal = UINT64_MAX / by + 1;

	emit_mov(e, true, R11, RDX);
	emit_mov(e, false, RDX, dst);
	emit_mov_imm(e, R9, reciprocal);
	emit_mulx(e, R10, R9, R9);
	if (remainder) {
		emit_rr(e, false, 0x69, R10, R10);
		emit32(e, by);
		emit_rr(e, false, 0x29, R10, RDX); /* edx -= quotient * by */
		emit_mov(e, false, R10, RDX);
	}
	emit_mov(e, true, RDX, R11);
	emit_mov(e, false, dst, R10);
}

/* True: it was done without dividing. */
static bool divide_by_constant(struct x86 *x, const struct division *d, int64_t imm)
{
	uint64_t by = d->wide ? (uint64_t)imm : (uint32_t)imm;
	struct emitter *e = &x->e;

	if (by == 0) {
		by_zero(e, d);
	} else if (d->is_signed) {
		if (imm != -1)
			return false;
		by_minus_one(e, d);
	} else if ((by & (by - 1)) == 0) {
		if (!d->remainder && by > 1)
			emit_shift_imm(e, d->wide, 5, d->dst, (unsigned)__builtin_ctzll(by));
		else if (d->remainder && by - 1 <= INT32_MAX)
			emit_alu_imm(e, false, 4, d->dst, (int32_t)(by - 1));
		else if (d->remainder)
			return false;
		else if (!d->wide)
			emit_mov(e, false, d->dst, d->dst);
	} else if (!d->wide && (x->in->cpu_features & JIT_BMI2)) {
		divide_by_multiplying(e, d->dst, (uint32_t)by, d->remainder);
	} else {
		return false;
	}
	return true;
}

void x86_divide(struct x86 *x, const struct insn *insn)
{
	struct division d = {
		.dst = x86_dst(insn),
		.by = R9,
		.wide = insn->width == 8,
		.is_signed = is_signed(insn->op),
		.remainder = is_remainder(insn->op),
	};

	if (insn->source_is_imm) {
		if (divide_by_constant(x, &d, insn->imm))
			return;
		emit_mov_imm(&x->e, R9, d.wide ? (uint64_t)insn->imm : (uint32_t)insn->imm);
		divide_plain(&x->e, &d);
		return;
	}
	d.by = x86_src(insn);
	if (d.by == RAX || d.by == RDX) {
		emit_mov(&x->e, true, R9, d.by);
		d.by = R9;
	}
	divide_by_register(&x->e, &d);
}
