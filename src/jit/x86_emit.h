/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86_emit.h - x86-64 machine code, one function per instruction form.
 *
 * An opcode is its bytes as a number (0x0fb6 is 0f b6), with flags for what
 * stands before it. wide chooses 64 bits over 32. Operands are in Intel's
 * order of encoding: reg is the field, rm (a register, or base + disp) the
 * other.
 */
#ifndef JIT_X86_EMIT_H
#define JIT_X86_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum x86_reg {
	RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15,
};

enum x86_prefix {
	OP_66 = 1 << 24,         /* 16-bit operands */
	OP_LOCK = 1 << 25,
	OP_BYTE = 1 << 26,       /* reg is a byte register: sil, dil need a prefix */
};

/* The condition codes of jcc and setcc. */
enum x86_cc {
	CC_B = 2, CC_AE = 3, CC_E = 4, CC_NE = 5, CC_BE = 6, CC_A = 7, CC_S = 8, CC_NS = 9,
	CC_L = 12, CC_GE = 13, CC_LE = 14, CC_G = 15,
};

struct emitter {
	uint8_t *bytes;          /* owned */
	size_t size, capacity;
	bool failed;             /* out of memory; what follows was dropped */
};

void emit_bytes(struct emitter *e, uint64_t value, unsigned count);
static inline void emit8(struct emitter *e, unsigned value) { emit_bytes(e, value, 1); }
static inline void emit32(struct emitter *e, int64_t value) { emit_bytes(e, (uint32_t)value, 4); }
void emit_done(struct emitter *e);

/* op rm, reg between registers. */
void emit_rr(struct emitter *e, bool wide, uint32_t op, unsigned reg, unsigned rm);
/* op with memory at base + disp. */
void emit_rm(struct emitter *e, bool wide, uint32_t op, unsigned reg, unsigned base, int32_t disp);
/* lea reg, [base + index] */
void emit_lea_index(struct emitter *e, bool wide, unsigned reg, unsigned base, unsigned index);
/* op with memory at a distance from the byte after the instruction. */
void emit_rip(struct emitter *e, bool wide, uint32_t op, unsigned reg, int64_t target);
/* add, or, and, sub, xor, cmp (0, 1, 4, 5, 6, 7) with an immediate. */
void emit_alu_imm(struct emitter *e, bool wide, unsigned digit, unsigned rm, int32_t imm);
void emit_mov(struct emitter *e, bool wide, unsigned to, unsigned from);
void emit_mov_imm(struct emitter *e, unsigned to, uint64_t value);
/* shl, shr, sar (4, 5, 7) by a number. */
void emit_shift_imm(struct emitter *e, bool wide, unsigned digit, unsigned rm, unsigned count);
/* BMI2's shifts of a register by a register: pp 1 shlx, 3 shrx, 2 sarx. */
void emit_shift_bmi2(struct emitter *e, bool wide, unsigned pp, unsigned to, unsigned from,
		     unsigned count);
/* mulx high, low, rm: rdx * rm. */
void emit_mulx(struct emitter *e, unsigned high, unsigned low, unsigned rm);
void emit_bswap(struct emitter *e, bool wide, unsigned reg);
void emit_push(struct emitter *e, unsigned reg);
void emit_pop(struct emitter *e, unsigned reg);

/* A short forward jump inside one BPF instruction; patched by emit_here(). */
size_t emit_skip(struct emitter *e, int cc); /* cc -1: always */
void emit_here(struct emitter *e, size_t skip);

#endif
