/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86_call.c - calls, entry and exit for x86-64.
 *
 * Machine stack of a subprogram, downwards (16-byte aligned where it calls):
 *
 *   | return address | saved r6..r9 it writes | padding | arguments | may_goto counter |
 *
 * The arguments are those of the helper being called. They are in the frame of
 * the caller because a callback may call helpers while it runs.
 */
#include "jit/x86.h"

#define FRAME_OFF(member) ((int32_t)offsetof(struct jit_frame, member))

static const uint8_t saved_order[] = { 6, 7, 8, 9 };

/* Of the arguments, from rsp. */
static uint32_t args_off(const struct x86 *x)
{
	return x->has_may_goto ? 8 : 0;
}

static void call_slot(struct x86 *x, uint32_t slot)
{
	emit_rip(&x->e, false, 0xff, 2, -8 * ((int64_t)slot + 1));
}

/* --- entry from C, and exit --- */

/*
 * enter(rdi: frame, rsi: target, rdx: args, rcx: fp). The machine stack at the
 * innermost enter is kept in the frame, for the way out of a fault: from
 * wherever it happened, that unwinds to here.
 */
void x86_enter(struct x86 *x)
{
	static const uint8_t kept[] = { RBP, RBX, R12, R13, R14, R15 };
	static const uint8_t args[] = { RDI, RSI, RDX, RCX, R8 };
	static const uint8_t cleared[] = { RBX, R13, R14, R15 };
	struct emitter *e = &x->e;
	int32_t exit_sp = FRAME_OFF(exit_sp);
	size_t leave;

	x->enter = (uint32_t)e->size;
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		emit_push(e, kept[i]);
	emit_mov(e, true, X86_FRAME, RDI);
	emit_rm(e, false, 0xff, 6, X86_FRAME, exit_sp); /* push: an enter inside another */
	emit_rm(e, true, 0x89, RSP, X86_FRAME, exit_sp);
	emit_mov(e, true, RBP, RCX);
	emit_mov(e, true, R11, RSI);
	emit_mov(e, true, R10, RDX);
	for (size_t i = 0; i < ARRAY_SIZE(args); i++)
		emit_rm(e, true, 0x8b, args[i], R10, (int32_t)(8 * i));
	for (size_t i = 0; i < ARRAY_SIZE(cleared); i++)
		emit_mov_imm(e, cleared[i], 0);
	emit_mov_imm(e, RAX, 0);
	emit_rr(e, false, 0xff, 2, R11); /* call r11 */
	leave = e->size;
	emit_rm(e, false, 0x8f, 0, X86_FRAME, exit_sp); /* pop */
	for (size_t i = ARRAY_SIZE(kept); i-- > 0;)
		emit_pop(e, kept[i]);
	emit8(e, 0xc3);

	x->fault = (uint32_t)e->size;
	emit_rm(e, true, 0x8b, RSP, X86_FRAME, exit_sp);
	emit_mov_imm(e, RAX, 0);
	emit8(e, 0xeb);
	emit8(e, (uint8_t)(leave - (e->size + 1)));
}

void x86_prologue(struct x86 *x)
{
	struct emitter *e = &x->e;
	uint32_t used = 8;

	for (size_t i = 0; i < ARRAY_SIZE(saved_order); i++) {
		if (!(x->saved & 1u << (saved_order[i] - 6)))
			continue;
		emit_push(e, x86_reg_of[saved_order[i]]);
		used += 8;
	}
	x->frame_bytes = args_off(x) + (x->has_calls ? 5 * 8 : 0);
	if (x->has_calls)
		x->frame_bytes += (used + x->frame_bytes) % 16;
	if (x->frame_bytes)
		emit_alu_imm(e, true, 5, RSP, (int32_t)x->frame_bytes);
	if (x->has_may_goto) {
		emit_rm(e, true, 0xc7, 0, RSP, 0);
		emit32(e, JIT_MAY_GOTO_BUDGET);
	}
}

/* Undoes the prologue, all but the return. */
static void leave_frame(struct x86 *x)
{
	if (x->frame_bytes)
		emit_alu_imm(&x->e, true, 0, RSP, (int32_t)x->frame_bytes);
	for (size_t i = ARRAY_SIZE(saved_order); i-- > 0;)
		if (x->saved & 1u << (saved_order[i] - 6))
			emit_pop(&x->e, x86_reg_of[saved_order[i]]);
}

void x86_epilogue(struct x86 *x)
{
	leave_frame(x);
	emit8(&x->e, 0xc3);
}

/* --- calls --- */

static void spill_args(struct x86 *x)
{
	for (unsigned i = 0; i < 5; i++)
		emit_rm(&x->e, true, 0x89, x86_reg_of[1 + i], RSP, (int32_t)(args_off(x) + 8 * i));
}

/* What a callback needs to know of its caller. */
static void note_caller(struct x86 *x)
{
	struct emitter *e = &x->e;

	if (!x->in->callbacks)
		return;
	emit_rm(e, true, 0x8d, R11, RBP, -(int32_t)x->subprog->stack);
	emit_rm(e, true, 0x89, R11, X86_FRAME, FRAME_OFF(callee_fp));
	emit_rip(e, true, 0x8b, R11, -8 * ((int64_t)JIT_SLOT_SELF + 1));
	emit_rm(e, true, 0x89, R11, X86_FRAME, FRAME_OFF(self));
}

/* Did what was called end the program? */
static void leave_if_stopped(struct x86 *x)
{
	struct emitter *e = &x->e;

	emit_rm(e, false, 0x80, 7, X86_FRAME, FRAME_OFF(stopped)); /* cmpb */
	emit8(e, 0);
	emit8(e, 0x0f);
	emit8(e, 0x80 + CC_NE);
	emit32(e, (int64_t)x->fault - (int64_t)(e->size + 4));
}

static void call_helper(struct x86 *x, const struct insn *insn)
{
	struct emitter *e = &x->e;

	spill_args(x);
	note_caller(x);
	emit_rm(e, true, 0x8b, RDI, X86_FRAME, FRAME_OFF(vm));
	emit_rm(e, true, 0x8d, RSI, RSP, (int32_t)args_off(x));
	call_slot(x, (uint32_t)insn->off);
	if (x->in->callbacks)
		leave_if_stopped(x);
}

/* fn(map, key, cpu): r1 and r2 are where C wants them. */
static void call_map_lookup(struct x86 *x, const struct insn *insn)
{
	emit_rm(&x->e, true, 0x8b, RDX, X86_FRAME, FRAME_OFF(cpu));
	call_slot(x, (uint32_t)insn->off);
}

/* values + stride * key where key < count, else NULL. */
static void array_lookup(struct x86 *x, const struct insn *insn)
{
	struct emitter *e = &x->e;
	const struct jit_array *array = &x->in->arrays[insn->imm];
	size_t inside, done;

	emit_rm(e, false, 0x8b, RAX, RSI, 0);
	emit_alu_imm(e, false, 7, RAX, (int32_t)array->count);
	inside = emit_skip(e, CC_B);
	emit_mov_imm(e, RAX, 0);
	done = emit_skip(e, -1);
	emit_here(e, inside);
	if ((array->stride & (array->stride - 1)) == 0) {
		emit_shift_imm(e, true, 4, RAX, (unsigned)__builtin_ctz(array->stride));
	} else {
		emit_rr(e, true, 0x69, RAX, RAX);
		emit32(e, array->stride);
	}
	emit_mov_imm(e, R11, (uint64_t)(uintptr_t)array->values);
	emit_rr(e, true, 0x01, R11, RAX);
	emit_here(e, done);
}

/*
 * On success the answer takes this subprogram's place: its frame is left and
 * the machine stack does not grow. C in place of a program finds its arguments
 * where jit_tail_fn wants them.
 */
static void tail_call(struct x86 *x)
{
	struct emitter *e = &x->e;
	size_t failed;

	emit_rm(e, true, 0x89, RDI, X86_FRAME, FRAME_OFF(tail_ctx));
	emit_mov(e, true, RDI, X86_FRAME);
	call_slot(x, JIT_SLOT_TAIL_CALL);
	emit_rr(e, true, 0x85, RAX, RAX);
	failed = emit_skip(e, CC_E);
	emit_rm(e, true, 0x8b, RDI, X86_FRAME, FRAME_OFF(tail_ctx));
	emit_mov(e, true, RSI, X86_FRAME);
	emit_mov(e, true, RDX, RBP);
	leave_frame(x);
	emit_rr(e, false, 0xff, 4, RAX); /* jmp rax */
	emit_here(e, failed);
	emit_mov_imm(e, RAX, (uint64_t)JIT_TAIL_CALL_FAILED);
}

/* The callee's stack lies below ours. */
static void call_local(struct x86 *x, const struct insn *insn)
{
	struct emitter *e = &x->e;
	int32_t stack = (int32_t)x->subprog->stack;

	if (stack)
		emit_alu_imm(e, true, 5, RBP, stack);
	emit8(e, 0xe8);
	emit32(e, (int64_t)x->entry[insn->imm] - (int64_t)(e->size + 4));
	if (stack)
		emit_alu_imm(e, true, 0, RBP, stack);
}

/* call(frame, args, id) */
static void call_register(struct x86 *x, const struct insn *insn)
{
	struct emitter *e = &x->e;

	spill_args(x);
	emit_mov(e, true, RDX, x86_dst(insn));
	emit_mov(e, true, RDI, X86_FRAME);
	emit_rm(e, true, 0x8d, RSI, RSP, (int32_t)args_off(x));
	call_slot(x, JIT_SLOT_CALL_REGISTER);
	leave_if_stopped(x);
}

static void call_by_table(struct x86 *x, const struct insn *insn)
{
	switch ((enum jit_call)insn->src) {
	case JIT_CALL_HELPER:
		call_helper(x, insn);
		return;
	case JIT_CALL_TAIL:
		tail_call(x);
		return;
	case JIT_CALL_MAP_LOOKUP:
		call_map_lookup(x, insn);
		return;
	case JIT_CALL_ARRAY_LOOKUP:
		array_lookup(x, insn);
		return;
	}
	__builtin_unreachable();
}

void x86_call(struct x86 *x, const struct insn *insn)
{
	switch ((enum call)insn->op) {
	case CALL_HELPER:
		call_by_table(x, insn);
		return;
	case CALL_LOCAL:
		call_local(x, insn);
		return;
	case CALL_REGISTER:
		call_register(x, insn);
		return;
	case CALL_KFUNC:
	case CALL_HELPER_BTF:
		x86_trap(x); /* the engine refuses them before */
		return;
	}
	__builtin_unreachable();
}

/* Outside the packet the subprogram ends with 0. */
void x86_load_packet(struct x86 *x, const struct insn *insn)
{
	struct emitter *e = &x->e;
	size_t found;

	if (insn->indirect)
		emit_rm(e, false, 0x8d, RSI, x86_src(insn), (int32_t)insn->imm);
	else
		emit_mov_imm(e, RSI, (uint32_t)insn->imm);
	emit_mov(e, true, RDI, X86_FRAME);
	emit_mov_imm(e, RDX, insn->width);
	call_slot(x, JIT_SLOT_PACKET);
	emit_rr(e, true, 0x85, RAX, RAX);
	found = emit_skip(e, CC_NS);
	emit_mov_imm(e, RAX, 0);
	x86_epilogue(x);
	emit_here(e, found);
}
