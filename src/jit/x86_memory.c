/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86_memory.c - loads, stores and atomics for x86-64.
 *
 * A load is one machine instruction, so that one which may fault can be
 * skipped as a whole. Loads and stores of x86 are already acquire and release.
 */
#include "jit/x86.h"

void x86_load(struct x86 *x, const struct insn *insn)
{
	static const uint32_t zero[] = { [1] = 0x0fb6, [2] = 0x0fb7, [4] = 0x8b, [8] = 0x8b };
	static const uint32_t sign[] = { [1] = 0x0fbe, [2] = 0x0fbf, [4] = 0x63, [8] = 0x8b };
	size_t start = x->e.size;
	bool extends = insn->sign_extend;

	emit_rm(&x->e, extends || insn->width == 8, (extends ? sign : zero)[insn->width],
		x86_dst(insn), x86_src(insn), insn->off);
	x86_note_fault(x, start, insn->fault_zero ? x86_dst(insn) : JIT_FAULT_ENDS);
}

static void store_imm(struct x86 *x, const struct insn *insn)
{
	struct emitter *e = &x->e;

	switch (insn->width) {
	case 1:
		emit_rm(e, false, 0xc6, 0, x86_dst(insn), insn->off);
		emit8(e, (uint8_t)insn->imm);
		break;
	case 2:
		emit_rm(e, false, OP_66 | 0xc7, 0, x86_dst(insn), insn->off);
		emit_bytes(e, (uint16_t)insn->imm, 2);
		break;
	default:
		emit_rm(e, insn->width == 8, 0xc7, 0, x86_dst(insn), insn->off);
		emit32(e, insn->imm);
		break;
	}
}

static void store_reg(struct x86 *x, const struct insn *insn)
{
	static const uint32_t op[] = { [1] = 0x88 | OP_BYTE, [2] = OP_66 | 0x89, [4] = 0x89, [8] = 0x89 };

	emit_rm(&x->e, insn->width == 8, op[insn->width], x86_src(insn), x86_dst(insn), insn->off);
}

void x86_store(struct x86 *x, const struct insn *insn)
{
	size_t start = x->e.size;

	if (insn->source_is_imm)
		store_imm(x, insn);
	else
		store_reg(x, insn);
	x86_note_fault(x, start, JIT_FAULT_ENDS);
}

/* --- atomics --- */

/*
 * Bitwise operations that return the old value: x86 has none, so
 *
 *	rax = *p;  do r10 = rax op src; while (!cmpxchg(p, rax, r10));  src = rax
 *
 * with r0's value in r11 meanwhile; where it is base or source, r11 or r9
 * stands for it.
 */
static void fetch_loop(struct x86 *x, const struct insn *insn, uint32_t op)
{
	struct emitter *e = &x->e;
	bool wide = insn->width == 8;
	unsigned base = x86_dst(insn), src = x86_src(insn), value = src == RAX ? R11 : src;
	size_t again;

	emit_mov(e, true, R11, RAX);
	if (base == RAX) {
		emit_mov(e, true, R9, RAX);
		base = R9;
	}
	emit_rm(e, wide, 0x8b, RAX, base, insn->off);
	again = e->size;
	emit_mov(e, wide, R10, RAX);
	emit_rr(e, wide, op, value, R10);
	emit_rm(e, wide, OP_LOCK | 0x0fb1, R10, base, insn->off);
	emit8(e, 0x70 + CC_NE);
	emit8(e, (uint8_t)(again - (e->size + 1)));
	if (src == RAX)
		return; /* the old value belongs there; the load zero-extended it */
	emit_mov(e, wide, src, RAX);
	emit_mov(e, true, RAX, R11);
}

/* Narrow loads zero-extend, as BPF wants. */
static void load_acquire(struct x86 *x, const struct insn *insn)
{
	struct insn load = *insn;

	load.sign_extend = false;
	load.fault_zero = false;
	x86_load(x, &load);
}

static void store_release(struct x86 *x, const struct insn *insn)
{
	struct insn store = *insn;

	store.source_is_imm = false;
	x86_store(x, &store);
}

static void exchange(struct x86 *x, const struct insn *insn, uint32_t op, bool zero_extend,
		     unsigned result)
{
	bool wide = insn->width == 8;

	emit_rm(&x->e, wide, op, x86_src(insn), x86_dst(insn), insn->off);
	if (zero_extend && !wide)
		emit_mov(&x->e, false, result, result);
}

void x86_atomic(struct x86 *x, const struct insn *insn)
{
	size_t start = x->e.size;

	switch ((enum atomic)insn->op) {
	case ATOMIC_ADD:
		exchange(x, insn, OP_LOCK | 0x01, false, 0);
		break;
	case ATOMIC_OR:
		exchange(x, insn, OP_LOCK | 0x09, false, 0);
		break;
	case ATOMIC_AND:
		exchange(x, insn, OP_LOCK | 0x21, false, 0);
		break;
	case ATOMIC_XOR:
		exchange(x, insn, OP_LOCK | 0x31, false, 0);
		break;
	case ATOMIC_FETCH_ADD:
		exchange(x, insn, OP_LOCK | 0x0fc1, true, x86_src(insn));
		break;
	case ATOMIC_XCHG:
		exchange(x, insn, 0x87, true, x86_src(insn));
		break;
	case ATOMIC_CMPXCHG:
		/* Where it succeeds, x86 leaves the upper half of rax alone. */
		exchange(x, insn, OP_LOCK | 0x0fb1, true, RAX);
		break;
	case ATOMIC_FETCH_OR:
		fetch_loop(x, insn, 0x09);
		break;
	case ATOMIC_FETCH_AND:
		fetch_loop(x, insn, 0x21);
		break;
	case ATOMIC_FETCH_XOR:
		fetch_loop(x, insn, 0x31);
		break;
	case ATOMIC_LOAD_ACQ:
		load_acquire(x, insn);
		return;
	case ATOMIC_STORE_REL:
		store_release(x, insn);
		return;
	case ATOMIC_COUNT:
		break;
	}
	x86_note_fault(x, start, JIT_FAULT_ENDS);
}
