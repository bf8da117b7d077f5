/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * places.c - where registers may point into the stack, before running anything.
 *
 * A pointer to a stack starts as r10 or as an argument, and gets elsewhere by
 * being moved, added to, or spilled and filled. One forward pass over the
 * function, repeated until nothing changes, finds for each register at the
 * start of each block the stacks it may point into and, where all ways there
 * agree, the offset. Spilled pointers are kept per slot for the whole function.
 *
 * Everything errs to one side: a register may be said to point where it never
 * does, but not the other way round.
 */
#include "verify/live_stack.h"

enum {
	NO_BLOCK = UINT32_MAX,
	PASSES_MAX = 64,         /* more is a program made to be slow */
	OFF_MAX = 1 << 20,       /* offsets beyond are of no use */
};

struct block {
	struct place reg[REG_COUNT];
	bool reached;
};

struct walk {
	struct stack_view *view;
	uint32_t *block_at;      /* per instruction of the function: its block, or NO_BLOCK */
	struct block *block;
	bool again;
};

static const struct place nothing = { .kind = PLACE_ANY };

static const struct place frame_pointer = { .stacks = 1, .kind = PLACE_KNOWN, .sure = true };

static struct place number(int64_t value)
{
	if (value < -OFF_MAX || value > OFF_MAX)
		return nothing;
	return (struct place){ .kind = PLACE_KNOWN, .off = { (int32_t)value } };
}

/* The offsets of both; false: too many. */
static bool join_offsets(struct place *both, struct place a, struct place b)
{
	unsigned i = 0, k = 0, n = 0;

	while (i <= a.more || k <= b.more) {
		int32_t next = k > b.more || (i <= a.more && a.off[i] < b.off[k]) ? a.off[i]
										   : b.off[k];

		if (n == PLACE_OFFSETS)
			return false;
		both->off[n++] = next;
		i += i <= a.more && a.off[i] == next;
		k += k <= b.more && b.off[k] == next;
	}
	both->more = (uint8_t)(n - 1);
	return true;
}

struct place join_places(struct place a, struct place b)
{
	struct place both = { .stacks = a.stacks | b.stacks };

	if (same_place(a, b))
		return a;
	if (!both.stacks)
		return nothing;
	if (!a.stacks || !b.stacks) { /* a pointer, or something that is none */
		both = a.stacks ? a : b;
		both.sure = false;
		return both;
	}
	if (a.kind == PLACE_KNOWN && b.kind == PLACE_KNOWN && join_offsets(&both, a, b)) {
		both.kind = PLACE_KNOWN;
		both.sure = a.sure && b.sure;
		return both;
	}
	return (struct place){ .stacks = a.stacks | b.stacks };
}

/* --- one instruction --- */

static struct place moved(struct place pointer, int64_t by)
{
	for (unsigned i = 0; pointer.kind == PLACE_KNOWN && i <= pointer.more; i++) {
		int64_t off = pointer.off[i] + by;

		if (off < -OFF_MAX || off > OFF_MAX)
			return (struct place){ .stacks = pointer.stacks };
		pointer.off[i] = (int32_t)off;
	}
	return pointer;
}

static struct place somewhere(uint16_t stacks)
{
	return (struct place){ .stacks = stacks };
}

static struct place add(struct place a, struct place b)
{
	if (a.stacks && !b.stacks && b.kind == PLACE_KNOWN)
		return moved(a, b.off[0]);
	if (b.stacks && !a.stacks && a.kind == PLACE_KNOWN)
		return moved(b, a.off[0]);
	if (!a.stacks && !b.stacks && a.kind == PLACE_KNOWN && b.kind == PLACE_KNOWN)
		return number((int64_t)a.off[0] + b.off[0]);
	return somewhere(a.stacks | b.stacks);
}

static struct place after_alu(const struct insn *insn, const struct place *regs)
{
	struct place src = insn->source_is_imm
		? number(insn->width == 8 ? insn->imm : (int64_t)(uint32_t)insn->imm)
		: regs[insn->src];
	struct place dst = regs[insn->dst];

	if (insn->op == ALU_MOV) {
		if (insn->source_is_imm || (insn->width == 8 && !insn->sign_extend))
			return src;
		/* Part of a pointer is a number; a small number stays itself. */
		return !src.stacks && src.kind == PLACE_KNOWN && src.off[0] >= 0 && insn->from == 4
			       ? src : nothing;
	}
	if (insn->width == 8 && insn->op == ALU_ADD)
		return add(dst, src);
	if (insn->width != 8)
		return nothing;
	return somewhere(insn->op == ALU_NEG ? dst.stacks : dst.stacks | src.stacks);
}

/* What may have been spilled where the pointer points. */
static struct place filled(const struct stack_view *view, struct place pointer, int32_t off)
{
	struct place value = nothing;

	for (unsigned i = 0; view && i < FRAMES_MAX; i++, view = view->caller) {
		if (!(pointer.stacks >> i & 1))
			continue;
		for (int32_t s = 0; s < STACK_SLOTS; s++) {
			struct place spilled = view->spilled[s];
			int64_t at = -(s + 1) * SLOT_SIZE;

			if (!spilled.stacks || !place_may_be_at(&pointer, at - off))
				continue;
			spilled.stacks = (uint16_t)(spilled.stacks << i);
			value = value.stacks ? join_places(value, spilled) : spilled;
		}
	}
	value.sure = false; /* or a number that was there before */
	return value;
}

/* Only its own stack can be given pointers to stacks. */
static void spill(struct walk *walk, struct place pointer, int32_t off, struct place value)
{
	struct stack_view *view = walk->view;

	if (!(pointer.stacks & 1) || !value.stacks)
		return;
	for (int32_t s = 0; s < STACK_SLOTS; s++) {
		int64_t at = -(s + 1) * SLOT_SIZE;
		struct place joined;

		if (!place_may_be_at(&pointer, at - off))
			continue;
		joined = view->spilled[s].stacks ? join_places(view->spilled[s], value) : value;
		joined.sure = false;
		if (same_place(joined, view->spilled[s]))
			continue;
		view->spilled[s] = joined;
		walk->again = true;
	}
}

static void after_atomic(struct walk *walk, const struct insn *insn, struct place *regs)
{
	struct place old = insn->op == ATOMIC_LOAD_ACQ
		? filled(walk->view, regs[insn->src], insn->off)
		: filled(walk->view, regs[insn->dst], insn->off);

	if (insn->op == ATOMIC_LOAD_ACQ) {
		regs[insn->dst] = old;
		return;
	}
	spill(walk, regs[insn->dst], insn->off, regs[insn->src]);
	if (insn->op == ATOMIC_CMPXCHG)
		regs[0] = old;
	else if (insn->op >= ATOMIC_FETCH_ADD && insn->op <= ATOMIC_XCHG)
		regs[insn->src] = old;
}

static struct place after_imm64(const struct env *env, const struct insn *insn, uint32_t pc)
{
	int64_t callee;

	switch (insn->op) {
	case IMM64_VALUE:
		return number(insn->imm);
	case IMM64_FUNC:
		callee = insn_callee(env, pc);
		callee = callee < 0 ? -1 : subprog_at(env, (uint32_t)callee);
		return callee < 0 ? nothing
				  : (struct place){ .kind = PLACE_SUBPROG, .off = { (int32_t)callee } };
	case IMM64_MAP_INDEX:
	case IMM64_MAP_FD:
		return (struct place){ .kind = PLACE_MAP, .off = { (int32_t)(uint32_t)insn->imm } };
	default:
		return nothing;
	}
}

static void after_insn(struct env *env, struct walk *walk, uint32_t pc, struct place *regs)
{
	const struct insn *insn = &env->insns[pc];

	switch ((enum insn_kind)insn->kind) {
	case INSN_ALU:
		regs[insn->dst] = after_alu(insn, regs);
		break;
	case INSN_IMM64:
		regs[insn->dst] = after_imm64(env, insn, pc);
		break;
	case INSN_CAST:
		regs[insn->dst] = regs[insn->src];
		break;
	case INSN_LOAD:
		regs[insn->dst] = filled(walk->view, regs[insn->src], insn->off);
		break;
	case INSN_STORE:
		if (!insn->source_is_imm)
			spill(walk, regs[insn->dst], insn->off, regs[insn->src]);
		break;
	case INSN_ATOMIC:
		after_atomic(walk, insn, regs);
		break;
	case INSN_CALL: /* nothing returns a pointer to a stack */
	case INSN_LOAD_PACKET:
		for (int i = 0; i <= 5; i++)
			regs[i] = nothing;
		break;
	case INSN_JUMP: case INSN_GOTO: case INSN_GOTO_REG: case INSN_MAY_GOTO:
	case INSN_EXIT: case INSN_PAD: case INSN_INVALID: case INSN_LOAD_ARG: case INSN_STORE_ARG:
		break; /* too_hard() leaves no argument that matters */
	case INSN_KIND_COUNT:
		break;
	}
	regs[REG_FP] = frame_pointer;
}

/* --- the function --- */

static void enter_block(struct walk *walk, uint32_t pc, const struct place *regs, bool back)
{
	uint32_t at = walk->block_at[pc - walk->view->start];
	struct block *block;

	if (at == NO_BLOCK)
		return;
	block = &walk->block[at];
	if (!block->reached) {
		memcpy(block->reg, regs, sizeof(block->reg));
		block->reached = true;
		walk->again |= back;
		return;
	}
	for (int i = 0; i < REG_COUNT; i++) {
		struct place joined = join_places(block->reg[i], regs[i]);

		if (same_place(joined, block->reg[i]))
			continue;
		block->reg[i] = joined;
		walk->again |= back;
	}
}

static bool in_view(const struct stack_view *view, uint32_t pc)
{
	return pc >= view->start && pc < view->start + view->len;
}

/* One pass from the first instruction to the last. */
static int pass(struct env *env, struct walk *walk, place_seen_fn *seen, void *arg)
{
	struct place regs[REG_COUNT];
	bool running = false;

	for (uint32_t pc = walk->view->start; in_view(walk->view, pc); pc++) {
		uint32_t at = walk->block_at[pc - walk->view->start], own[2];
		const uint32_t *next;
		unsigned count;
		int error;

		if (at != NO_BLOCK) {
			if (running)
				enter_block(walk, pc, regs, false);
			running = walk->block[at].reached;
			memcpy(regs, walk->block[at].reg, sizeof(regs));
		}
		if (!running || env->insns[pc].kind == INSN_PAD)
			continue;
		error = seen ? seen(env, walk->view, pc, regs, arg) : 0;
		if (error < 0)
			return error;
		after_insn(env, walk, pc, regs);
		next = insn_successors(env, pc, own, &count);
		running = count && (next[0] == pc + 1 || env->insns[pc].kind == INSN_IMM64);
		for (unsigned i = 0; i < count; i++)
			if (in_view(walk->view, next[i]))
				enter_block(walk, next[i], regs, next[i] <= pc);
	}
	return 0;
}

/* Where more than one way may lead, or one that does not come from just before. */
static uint32_t find_blocks(struct env *env, const struct stack_view *view, uint32_t *block_at)
{
	uint32_t blocks = 0, own[2];

	for (uint32_t i = 0; i < view->len; i++)
		block_at[i] = NO_BLOCK;
	block_at[0] = 0;
	for (uint32_t pc = view->start; in_view(view, pc); pc++) {
		const struct insn *insn = &env->insns[pc];
		unsigned count;
		const uint32_t *next = insn_successors(env, pc, own, &count);

		if (count == 1 && insn->kind != INSN_GOTO && insn->kind != INSN_GOTO_REG)
			continue;
		for (unsigned i = 0; i < count; i++)
			if (in_view(view, next[i]))
				block_at[next[i] - view->start] = 0;
		if (in_view(view, pc + 1))
			block_at[pc + 1 - view->start] = 0;
	}
	for (uint32_t i = 0; i < view->len; i++)
		if (block_at[i] != NO_BLOCK)
			block_at[i] = blocks++;
	return blocks;
}

/* Pointers come and go by ways that are not followed here: stack arguments. */
static bool too_hard(const struct env *env, const struct stack_view *view)
{
	for (uint32_t pc = view->start; in_view(view, pc); pc++)
		if (env->insns[pc].kind == INSN_LOAD_ARG ||
		    (env->insns[pc].kind == INSN_STORE_ARG && !env->insns[pc].source_is_imm))
			return true;
	return false;
}

static int follow(struct env *env, struct walk *walk, place_seen_fn *seen, void *arg)
{
	struct place entry[REG_COUNT] = { 0 };
	unsigned passes = 0;
	int error = 0;

	memcpy(entry, walk->view->arg, sizeof(walk->view->arg));
	entry[REG_FP] = frame_pointer;
	enter_block(walk, walk->view->start, entry, false);
	do {
		if (passes++ == PASSES_MAX)
			return -E2BIG;
		walk->again = false;
		error = pass(env, walk, NULL, NULL);
	} while (!error && walk->again);
	return error < 0 ? error : pass(env, walk, seen, arg);
}

int follow_places(struct env *env, struct stack_view *view, place_seen_fn *seen, void *arg)
{
	struct walk walk = { .view = view };
	int error = -ENOMEM;

	if (too_hard(env, view))
		return -E2BIG;
	walk.block_at = env_alloc(env, view->len * sizeof(*walk.block_at));
	if (walk.block_at) {
		walk.block = env_alloc(env, (find_blocks(env, view, walk.block_at) + 1) *
						    sizeof(*walk.block));
		if (walk.block)
			error = follow(env, &walk, seen, arg);
	}
	env_free(env, walk.block);
	env_free(env, walk.block_at);
	return error;
}
