/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86_emit.c - see x86_emit.h.
 *
 *   [66] [f0] [REX: 0100 W R X B] opcode [modrm: mod reg rm] [sib] [disp] [imm]
 *
 * R, X and B are the fourth bits of reg, index and base. Memory modrm has two
 * special cases: base 4 (rsp, r12) needs a sib byte, base 5 (rbp, r13) a
 * displacement.
 */
#include "jit/x86_emit.h"

#include <stdlib.h>

void emit_bytes(struct emitter *e, uint64_t value, unsigned count)
{
	if (e->size + count > e->capacity) {
		size_t capacity = e->capacity ? 2 * e->capacity : 4096;
		uint8_t *bytes = e->failed ? NULL : realloc(e->bytes, capacity);

		if (!bytes) {
			e->failed = true;
			e->size = 0;
			return;
		}
		e->bytes = bytes;
		e->capacity = capacity;
	}
	for (unsigned i = 0; i < count; i++)
		e->bytes[e->size++] = (uint8_t)(value >> 8 * i);
}

void emit_done(struct emitter *e)
{
	free(e->bytes);
	*e = (struct emitter){ 0 };
}

static bool fits8(int64_t value)
{
	return value >= INT8_MIN && value <= INT8_MAX;
}

/* Prefixes and opcode. */
static void emit_op(struct emitter *e, bool wide, uint32_t op, unsigned reg, unsigned index,
		    unsigned base, bool byte_rm)
{
	unsigned rex = (wide ? 8u : 0) | (reg >> 3) << 2 | (index >> 3) << 1 | base >> 3;
	bool byte_reg = (op & OP_BYTE) && reg >= RSP;

	if (op & OP_66)
		emit8(e, 0x66);
	if (op & OP_LOCK)
		emit8(e, 0xf0);
	if (rex || byte_reg || (byte_rm && base >= RSP))
		emit8(e, 0x40 | rex);
	op &= 0xffffff;
	if (op > 0xffff)
		emit8(e, op >> 16);
	if (op > 0xff)
		emit8(e, op >> 8 & 0xff);
	emit8(e, op & 0xff);
}

static void emit_modrm(struct emitter *e, unsigned mod, unsigned reg, unsigned rm)
{
	emit8(e, mod << 6 | (reg & 7) << 3 | (rm & 7));
}

void emit_rr(struct emitter *e, bool wide, uint32_t op, unsigned reg, unsigned rm)
{
	emit_op(e, wide, op, reg, 0, rm, op & OP_BYTE);
	emit_modrm(e, 3, reg, rm);
}

void emit_rm(struct emitter *e, bool wide, uint32_t op, unsigned reg, unsigned base, int32_t disp)
{
	unsigned mod = disp == 0 && (base & 7) != RBP ? 0 : fits8(disp) ? 1 : 2;

	emit_op(e, wide, op, reg, 0, base, false);
	emit_modrm(e, mod, reg, base);
	if ((base & 7) == RSP)
		emit8(e, 0x24);
	if (mod == 1)
		emit8(e, (uint8_t)disp);
	else if (mod == 2)
		emit32(e, disp);
}

void emit_lea_index(struct emitter *e, bool wide, unsigned reg, unsigned base, unsigned index)
{
	bool disp = (base & 7) == RBP;

	emit_op(e, wide, 0x8d, reg, index, base, false);
	emit_modrm(e, disp ? 1 : 0, reg, RSP);
	emit8(e, (index & 7) << 3 | (base & 7));
	if (disp)
		emit8(e, 0);
}

void emit_rip(struct emitter *e, bool wide, uint32_t op, unsigned reg, int64_t target)
{
	emit_op(e, wide, op, reg, 0, 0, false);
	emit_modrm(e, 0, reg, RBP);
	emit32(e, target - (int64_t)(e->size + 4));
}

void emit_alu_imm(struct emitter *e, bool wide, unsigned digit, unsigned rm, int32_t imm)
{
	emit_op(e, wide, fits8(imm) ? 0x83 : 0x81, 0, 0, rm, false);
	emit_modrm(e, 3, digit, rm);
	if (fits8(imm))
		emit8(e, (uint8_t)imm);
	else
		emit32(e, imm);
}

void emit_mov(struct emitter *e, bool wide, unsigned to, unsigned from)
{
	emit_rr(e, wide, 0x89, from, to);
}

void emit_mov_imm(struct emitter *e, unsigned to, uint64_t value)
{
	if (value == 0) {
		emit_rr(e, false, 0x31, to, to);
	} else if (value <= UINT32_MAX) {
		emit_op(e, false, 0xb8 + (to & 7), 0, 0, to, false);
		emit32(e, (int64_t)value);
	} else if ((int64_t)value >= INT32_MIN && (int64_t)value < 0) {
		emit_op(e, true, 0xc7, 0, 0, to, false);
		emit_modrm(e, 3, 0, to);
		emit32(e, (int64_t)value);
	} else {
		emit_op(e, true, 0xb8 + (to & 7), 0, 0, to, false);
		emit_bytes(e, value, 8);
	}
}

void emit_shift_imm(struct emitter *e, bool wide, unsigned digit, unsigned rm, unsigned count)
{
	emit_op(e, wide, 0xc1, 0, 0, rm, false);
	emit_modrm(e, 3, digit, rm);
	emit8(e, count);
}

/* A three-byte VEX prefix for the map 0f38, then opcode and modrm. */
static void emit_vex(struct emitter *e, bool wide, unsigned pp, unsigned op, unsigned reg,
		     unsigned extra, unsigned rm)
{
	emit8(e, 0xc4);
	emit8(e, (reg < 8 ? 0x80u : 0) | 0x40 | (rm < 8 ? 0x20u : 0) | 2);
	emit8(e, (wide ? 0x80u : 0) | (~extra & 15) << 3 | pp);
	emit8(e, op);
	emit_modrm(e, 3, reg, rm);
}

void emit_shift_bmi2(struct emitter *e, bool wide, unsigned pp, unsigned to, unsigned from,
		     unsigned count)
{
	emit_vex(e, wide, pp, 0xf7, to, count, from);
}

void emit_mulx(struct emitter *e, unsigned high, unsigned low, unsigned rm)
{
	emit_vex(e, true, 3, 0xf6, high, low, rm);
}

void emit_bswap(struct emitter *e, bool wide, unsigned reg)
{
	emit_op(e, wide, 0x0fc8 + (reg & 7), 0, 0, reg, false);
}

void emit_push(struct emitter *e, unsigned reg)
{
	emit_op(e, false, 0x50 + (reg & 7), 0, 0, reg, false);
}

void emit_pop(struct emitter *e, unsigned reg)
{
	emit_op(e, false, 0x58 + (reg & 7), 0, 0, reg, false);
}

size_t emit_skip(struct emitter *e, int cc)
{
	emit8(e, cc < 0 ? 0xeb : 0x70u + (unsigned)cc);
	emit8(e, 0);
	return e->size;
}

void emit_here(struct emitter *e, size_t skip)
{
	if (!e->failed)
		e->bytes[skip - 1] = (uint8_t)(e->size - skip);
}
