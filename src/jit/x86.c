/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86.c - compiling a program for x86-64, pass by pass.
 *
 * Every pass emits the whole program; the next uses the offsets it found. The
 * pass that finds the same offsets as the one before is right, and is the
 * result. After SHRINK_PASSES no jump becomes short any more, so that it ends.
 */
#include "jit/x86.h"

#include <errno.h>

enum {
	SHRINK_PASSES = 5,
	PASSES = 40,
	SIZE_LIMIT = 48 * 1024 * 1024,
};

const uint8_t x86_reg_of[11] = { RAX, RDI, RSI, RDX, RCX, R8, RBX, R13, R14, R15, RBP };

uint32_t x86_cpu_features(void)
{
	return __builtin_cpu_supports("bmi2") ? JIT_BMI2 : 0;
}

/* --- looking ahead --- */

static bool goes_to_target(const struct insn *insn)
{
	return insn->kind == INSN_JUMP || insn->kind == INSN_GOTO || insn->kind == INSN_MAY_GOTO;
}

static void find_targets(struct x86 *x)
{
	for (uint32_t pc = 0; pc < x->in->len; pc++) {
		const struct insn *insn = &x->in->insns[pc];

		if (goes_to_target(insn))
			x->slots[insn_target(insn, pc)] |= SLOT_TARGET;
		if (insn->kind == INSN_GOTO_REG)
			x->any_target = true;
	}
	for (uint32_t i = 0; i < x->in->subprog_count; i++)
		x->slots[x->in->subprogs[i].start] |= SLOT_TARGET;
}

const struct insn *x86_next(const struct x86 *x)
{
	uint32_t next = x->pc + 1;

	if (next >= x->in->len || x->any_target || (x->slots[next] & SLOT_TARGET))
		return NULL;
	return &x->in->insns[next];
}

/* Registers 6..9 that an instruction writes, as bits 0..3. */
static uint8_t writes_saved(const struct insn *insn)
{
	unsigned reg;

	switch ((enum insn_kind)insn->kind) {
	case INSN_ALU: case INSN_IMM64: case INSN_LOAD: case INSN_CAST:
		reg = insn->dst;
		break;
	case INSN_ATOMIC:
		reg = insn->op == ATOMIC_LOAD_ACQ ? insn->dst : insn->src;
		break;
	case INSN_INVALID: case INSN_PAD: case INSN_STORE: case INSN_LOAD_PACKET: case INSN_JUMP:
	case INSN_GOTO: case INSN_GOTO_REG: case INSN_MAY_GOTO: case INSN_CALL: case INSN_EXIT:
	case INSN_LOAD_ARG: case INSN_STORE_ARG: case INSN_KIND_COUNT:
	default:
		return 0;
	}
	return reg >= 6 && reg <= 9 ? (uint8_t)(1u << (reg - 6)) : 0;
}

static void scan_subprog(struct x86 *x)
{
	x->saved = 0;
	x->has_calls = x->has_may_goto = false;
	for (uint32_t pc = x->subprog->start; pc < x->subprog->end; pc++) {
		const struct insn *insn = &x->in->insns[pc];

		x->saved |= writes_saved(insn);
		x->has_calls |= insn->kind == INSN_CALL || insn->kind == INSN_LOAD_PACKET;
		x->has_may_goto |= insn->kind == INSN_MAY_GOTO;
	}
}

void x86_note_fault(struct x86 *x, size_t start, unsigned zero_reg)
{
	struct jit_fault *fault = vec_push(&x->faults);

	if (!fault) {
		x->e.failed = true;
		return;
	}
	*fault = (struct jit_fault){ .start = (uint32_t)start, .end = (uint32_t)x->e.size,
				     .insn = x->pc, .zero_reg = (uint8_t)zero_reg };
}

/* --- one pass --- */

/* Returns the slots used. */
static unsigned compile_insn(struct x86 *x, const struct insn *insn)
{
	switch ((enum insn_kind)insn->kind) {
	case INSN_ALU:
		return x86_alu(x, insn);
	case INSN_IMM64:
		emit_mov_imm(&x->e, x86_dst(insn), (uint64_t)insn->imm);
		return 2;
	case INSN_LOAD:
		x86_load(x, insn);
		return 1;
	case INSN_STORE:
		x86_store(x, insn);
		return 1;
	case INSN_ATOMIC:
		x86_atomic(x, insn);
		return 1;
	case INSN_LOAD_PACKET:
		x86_load_packet(x, insn);
		return 1;
	case INSN_JUMP:
		x86_jump(x, insn);
		return 1;
	case INSN_GOTO:
		x86_goto(x, insn);
		return 1;
	case INSN_GOTO_REG:
		x86_goto_reg(x, insn);
		return 1;
	case INSN_MAY_GOTO:
		x86_may_goto(x, insn);
		return 1;
	case INSN_CALL:
		x86_call(x, insn);
		return 1;
	case INSN_EXIT:
		x86_epilogue(x);
		return 1;
	case INSN_CAST:
		/* Programs and user space share one address space. */
		if (insn->dst != insn->src)
			emit_mov(&x->e, true, x86_dst(insn), x86_src(insn));
		return 1;
	case INSN_LOAD_ARG:
	case INSN_STORE_ARG: /* what is verified has stores and loads in their place */
	case INSN_INVALID:
	case INSN_PAD:
		x86_trap(x);
		return 1;
	case INSN_KIND_COUNT:
		break;
	}
	__builtin_unreachable();
}

static void compile_subprog(struct x86 *x, uint32_t index)
{
	uint32_t pc, used;

	x->subprog = &x->in->subprogs[index];
	scan_subprog(x);
	x->entry[index] = (uint32_t)x->e.size;
	x->pc = x->subprog->start;
	x86_prologue(x);
	for (pc = x->subprog->start; pc < x->subprog->end; pc += used) {
		x->pc = pc;
		x->at[pc] = (uint32_t)x->e.size;
		used = compile_insn(x, &x->in->insns[pc]);
		/* Slots that were compiled together are in one place. */
		for (uint32_t i = 1; i < used; i++)
			x->at[pc + i] = x->at[pc];
	}
}

/* Offsets of every slot from the table's own start; a second slot traps. */
static void emit_table(struct x86 *x)
{
	int64_t trap = (int64_t)x->e.size;

	if (!x->any_target)
		return;
	x86_trap(x);
	x->table = (int64_t)x->e.size;
	for (uint32_t pc = 0; pc < x->in->len; pc++)
		emit32(&x->e, (x->in->insns[pc].kind == INSN_PAD ? trap : x->at[pc]) - x->table);
}

static void compile_pass(struct x86 *x)
{
	x->e.size = 0;
	x->faults.count = 0;
	x->pc = 0;
	x86_enter(x);
	for (uint32_t i = 0; i < x->in->subprog_count; i++)
		compile_subprog(x, i);
	emit_table(x);
}

static int compile(struct x86 *x)
{
	uint32_t slots = x->in->len;

	find_targets(x);
	for (int pass = 0; pass < PASSES; pass++) {
		uint32_t *swap = x->before;
		size_t size = x->e.size;

		x->before = x->at;
		x->at = swap;
		x->shrink = pass > 0 && pass <= SHRINK_PASSES;
		compile_pass(x);
		if (x->e.failed)
			return -ENOMEM;
		if (x->e.size > SIZE_LIMIT)
			return -E2BIG;
		if (pass > 0 && x->e.size == size &&
		    memcmp(x->at, x->before, slots * sizeof(*x->at)) == 0)
			return 0;
	}
	return -E2BIG;
}

int x86_compile(const struct jit_input *input, struct jit_result *result)
{
	struct x86 x = { .in = input };
	int error = -ENOMEM;

	*result = (struct jit_result){ 0 };
	x.at = calloc(input->len, sizeof(*x.at));
	x.before = calloc(input->len, sizeof(*x.before));
	x.slots = calloc(input->len, sizeof(*x.slots));
	x.entry = calloc(input->subprog_count, sizeof(*x.entry));
	if (x.at && x.before && x.slots && x.entry)
		error = compile(&x);
	if (error == 0) {
		*result = (struct jit_result){
			.bytes = x.e.bytes, .size = x.e.size, .subprog_entry = x.entry, .insn_at = x.at,
			.faults = x.faults.items, .fault_count = x.faults.count,
			.enter = x.enter, .fault = x.fault,
		};
	} else {
		emit_done(&x.e);
		vec_done(&x.faults);
		free(x.entry);
		free(x.at);
	}
	free(x.before);
	free(x.slots);
	return error;
}
