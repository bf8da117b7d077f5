/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * origin.c - from a value back to where it came from.
 *
 * A place holds what the newest change before a moment put there, and the
 * instruction before that change put it: a move leads on to its source, a load
 * from the stack to the slot, a parameter to the caller's register. What an
 * instruction changed without naming it (a call that ends a pointer's life)
 * shows too, because changes are found by comparing states.
 */
#include "verify/explain.h"

struct walk {
	const struct env *env;
	const struct path *path;
	struct chain *chain;
	uint32_t moment, place;      /* the value looked for: there, before that moment */
};

static const struct insn *insn_at(const struct walk *w, uint32_t moment)
{
	return &w->env->insns[w->path->moments.items[moment].insn];
}

static const struct reg *reg_at(const struct walk *w, uint32_t moment, uint32_t place)
{
	static const struct reg nothing;
	const struct change *change = path_value(w->path, moment, place);

	return change ? &change->reg : &nothing;
}

static void add_link(struct walk *w, uint32_t moment, enum link_how how)
{
	if (w->chain->count < CHAIN_MAX)
		w->chain->link[w->chain->count++] =
			(struct link){ moment, w->place, (uint8_t)how };
}

/* Go on with another place, before the writer's moment. */
static bool go_on(struct walk *w, uint32_t moment, uint32_t place, enum link_how how)
{
	add_link(w, moment, how);
	w->moment = moment;
	w->place = place;
	return true;
}

static bool stop(struct walk *w, uint32_t moment, enum link_how how)
{
	add_link(w, moment, how);
	return false;
}

/* Of two operands the one that says more about the result: a pointer, or what is not constant. */
static unsigned leading_operand(const struct walk *w, const struct insn *insn, uint32_t moment)
{
	uint32_t frame = place_frame(w->place);
	const struct reg *d = reg_at(w, moment, place_reg(frame, insn->dst));
	const struct reg *s = reg_at(w, moment, place_reg(frame, insn->src));

	if (reg_is_pointer(d))
		return insn->dst;
	if (reg_is_pointer(s) || reg_is_const(d))
		return insn->src;
	return insn->dst;
}

static bool back_alu(struct walk *w, const struct insn *insn, uint32_t moment)
{
	uint32_t frame = place_frame(w->place);

	if (insn->op == ALU_MOV && insn->source_is_imm)
		return stop(w, moment, LINK_CONSTANT);
	if (insn->op == ALU_MOV)
		return go_on(w, moment, place_reg(frame, insn->src),
			     insn->width == 8 && !insn->sign_extend ? LINK_COPIED : LINK_COMPUTED);
	if (insn->source_is_imm)
		return go_on(w, moment, w->place, LINK_COMPUTED);
	/* x - x and x ^ x depend on nothing. */
	if (insn->src == insn->dst && (insn->op == ALU_SUB || insn->op == ALU_XOR))
		return stop(w, moment, LINK_CONSTANT);
	return go_on(w, moment, place_reg(frame, leading_operand(w, insn, moment)),
		     LINK_COMPUTED);
}

static bool back_load(struct walk *w, const struct insn *insn, uint32_t moment)
{
	uint32_t frame = place_frame(w->place);
	const struct reg *from = reg_at(w, moment, place_reg(frame, insn->src));
	int64_t off = from->off + (int64_t)from->var.bits.value + insn->off;

	if (from->type != REG_STACK || !scalar_is_const(from->var) || off >= 0 ||
	    off < -INSN_STACK_SIZE)
		return stop(w, moment, LINK_LOADED);
	return go_on(w, moment, place_slot(from->frameno, (unsigned)slot_of((int32_t)off)),
		     LINK_COPIED);
}

static bool back_store(struct walk *w, const struct insn *insn, uint32_t moment)
{
	uint32_t depth = w->path->moments.items[moment].depth;

	if (insn->source_is_imm)
		return stop(w, moment, LINK_CONSTANT);
	return go_on(w, moment, place_reg(depth, insn->src), LINK_COPIED);
}

/* A call: of the program's own functions (parameters), or of others. */
static bool back_call(struct walk *w, const struct insn *insn, uint32_t moment)
{
	uint32_t depth = w->path->moments.items[moment].depth;
	uint32_t frame = place_frame(w->place), regno = w->place % FRAME_PLACES;

	if (frame > depth) {
		bool passed = insn->op == CALL_LOCAL && regno >= 1 && regno <= 5;

		return passed ? go_on(w, moment, place_reg(depth, regno), LINK_COPIED)
			      : stop(w, moment, LINK_ARGUMENT);
	}
	if (frame == depth && regno == 0)
		return stop(w, moment, LINK_RETURNED);
	return go_on(w, moment, w->place, LINK_LOST);
}

/* Back into the function that returned. */
static bool back_exit(struct walk *w, uint32_t moment)
{
	uint32_t depth = w->path->moments.items[moment].depth;

	if (depth && w->place == place_reg(depth - 1, 0))
		return go_on(w, moment, place_reg(depth, 0), LINK_COPIED);
	return go_on(w, moment, w->place, LINK_LOST);
}

static bool writes_place(const struct walk *w, const struct insn *insn, uint32_t moment)
{
	return w->place == place_reg(w->path->moments.items[moment].depth, insn->dst);
}

/* The place's value before w->moment was put there by the instruction of moment - 1. */
static bool back(struct walk *w, uint32_t moment)
{
	const struct insn *insn = insn_at(w, moment);

	switch ((enum insn_kind)insn->kind) {
	case INSN_ALU:
		return writes_place(w, insn, moment) ? back_alu(w, insn, moment)
						     : go_on(w, moment, w->place, LINK_CHECKED);
	case INSN_CAST:
		return go_on(w, moment,
			     place_reg(w->path->moments.items[moment].depth, insn->src),
			     LINK_COMPUTED);
	case INSN_IMM64:
		return stop(w, moment, LINK_CONSTANT);
	case INSN_LOAD:
		return writes_place(w, insn, moment) ? back_load(w, insn, moment)
						     : go_on(w, moment, w->place, LINK_LOST);
	case INSN_STORE:
		return place_is_slot(w->place) ? back_store(w, insn, moment)
					       : go_on(w, moment, w->place, LINK_LOST);
	case INSN_ATOMIC:
	case INSN_LOAD_PACKET:
	case INSN_LOAD_ARG:
		return stop(w, moment, LINK_LOADED);
	case INSN_JUMP:
		return go_on(w, moment, w->place, LINK_CHECKED);
	case INSN_CALL:
		return back_call(w, insn, moment);
	case INSN_EXIT:
		return back_exit(w, moment);
	case INSN_STORE_ARG:
	case INSN_GOTO:
	case INSN_GOTO_REG:
	case INSN_MAY_GOTO:
		return go_on(w, moment, w->place, LINK_LOST);
	case INSN_PAD:
	case INSN_INVALID:
		return stop(w, moment, LINK_UNKNOWN);
	case INSN_KIND_COUNT:
		break;
	}
	__builtin_unreachable();
}

void chain_find(const struct env *env, const struct path *path, uint32_t moment, uint32_t place,
		struct chain *chain)
{
	struct walk w = { env, path, chain, moment, place };
	bool more = true;

	chain->count = 0;
	while (more && chain->count < CHAIN_MAX) {
		const struct change *change = path_value(path, w.moment, w.place);

		if (!change)
			more = stop(&w, w.moment, LINK_UNKNOWN);
		else if (!change->moment)
			more = stop(&w, 0, LINK_ARGUMENT);
		else if (path->moments.items[change->moment].gap)
			more = stop(&w, change->moment, LINK_UNKNOWN);
		else
			more = back(&w, change->moment - 1);
	}
}
