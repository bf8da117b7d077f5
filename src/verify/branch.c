/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * branch.c - conditional jumps: which way, and what each way teaches.
 *
 * A condition that is decided by what is known continues one way only.
 * Otherwise the taken side becomes a pending state and the current one falls
 * through, each with what must be true there:
 *
 *   numbers           narrower bounds (scalar_cond.c), also for registers and
 *                     slots known to hold the same number (linked by id)
 *   pointer == 0      every copy of a nullable pointer is NULL, or is not
 *   packet > end      how many bytes after the packet pointer can be read
 */
#include "verify/passes.h"

/* --- deciding --- */

/* Pointers that are never NULL once they lost the "or null". */
static bool never_null(const struct reg *reg)
{
	if (reg_maybe_null(reg))
		return false;
	switch ((enum reg_type)reg->type) {
	case REG_SOCKET:
	case REG_TCP_SOCK:
	case REG_SOCK_COMMON:
	case REG_MAP_VALUE:
	case REG_MAP_KEY:
	case REG_MAP:
		return true;
	case REG_MEM:
		return !(reg->flags & REG_UNTRUSTED);
	case REG_BTF:
		return reg->ref_id ||
		       ((reg->flags & (REG_TRUSTED | REG_ALLOC)) && !(reg->flags & REG_UNTRUSTED));
	case REG_NOT_INIT:
	case REG_SCALAR:
	case REG_CTX:
	case REG_STACK:
	case REG_PACKET_META:
	case REG_PACKET:
	case REG_PACKET_END:
	case REG_FLOW_KEYS:
	case REG_TP_BUFFER:
	case REG_XDP_SOCK:
	case REG_BUF:
	case REG_FUNC:
	case REG_DYNPTR:
	case REG_ARENA:
	case REG_INSN:
		return false;
	case REG_TYPE_COUNT:
		break;
	}
	__builtin_unreachable();
}

/* packet op packet_end, for a pointer known to be at or beyond the end. */
static int decide_packet(enum cond op, const struct reg *packet)
{
	if (packet->range == RANGE_BEYOND_END && (op == COND_GT || op == COND_LE))
		return op == COND_GT;
	if ((packet->range == RANGE_BEYOND_END || packet->range == RANGE_AT_END) &&
	    (op == COND_GE || op == COND_LT))
		return op == COND_GE;
	return -1;
}

static int decide_pointer(enum cond op, const struct reg *pointer, const struct reg *other)
{
	if (!reg_is_zero(other) || !never_null(pointer))
		return -1;
	return op == COND_EQ ? 0 : op == COND_NE ? 1 : -1;
}

/* A number compared with itself. */
static int decide_same(enum cond op, struct scalar number, unsigned width)
{
	switch (op) {
	case COND_EQ: case COND_GE: case COND_LE: case COND_SGE: case COND_SLE:
		return 1;
	case COND_NE: case COND_GT: case COND_LT: case COND_SGT: case COND_SLT:
		return 0;
	case COND_SET:
		return scalar_cond(op, number, number, width);
	case COND_COUNT:
		break;
	}
	__builtin_unreachable();
}

/* Could the verifier of that release decide a comparison of such numbers? */
static bool compares(struct env *env, enum cond op, struct scalar d, struct scalar s)
{
	if (scalar_is_const(d) && scalar_is_const(s))
		return true;
	if (!scalar_is_const(d) && !scalar_is_const(s))
		return env_can(env, ABILITY_RANGE_COMPARE);
	return (op != COND_EQ && op != COND_NE) || env_can(env, ABILITY_EQUAL_RANGE);
}

/* 1: always taken, 0: never, -1: unknown. */
static int decide(struct env *env, enum cond op, const struct reg *d, const struct reg *s,
		  unsigned width)
{
	if (d->type == REG_SCALAR && s->type == REG_SCALAR && !compares(env, op, d->var, s->var))
		return -1;
	if (d == s && d->type == REG_SCALAR)
		return decide_same(op, d->var, width);
	if (d->type == REG_SCALAR && s->type == REG_SCALAR)
		return scalar_cond(op, d->var, s->var, width);
	if (width != 8)
		return -1;
	if (reg_is_packet(d) && s->type == REG_PACKET_END)
		return decide_packet(op, d);
	if (d->type == REG_PACKET_END && reg_is_packet(s))
		return decide_packet(cond_mirror(op), s);
	if (s->type == REG_SCALAR)
		return decide_pointer(op, d, s);
	if (d->type == REG_SCALAR)
		return decide_pointer(cond_mirror(op), s, d);
	return -1;
}

/* --- numbers --- */

/* Registers and slots of the running frame that hold the same number, give or take a constant. */
struct linked {
	uint16_t regs;
	uint64_t slots;
};

static void collect_linked(const struct env *env, struct state *state, const struct reg *number, struct linked *linked)
{
	struct frame *frame = state_frame(state);

	if (number->type != REG_SCALAR || !number->id || !env_can(env, ABILITY_LINKED))
		return;
	for (unsigned i = 0; i < REG_FP; i++)
		if (frame->reg[i].type == REG_SCALAR && frame->reg[i].id == number->id)
			linked->regs |= (uint16_t)(1u << i);
	for (uint32_t i = 0; i < frame->slots; i++)
		if (slot_is_spill(&frame->slot[i]) && frame->slot[i].reg.type == REG_SCALAR &&
		    frame->slot[i].reg.id == number->id)
			linked->slots |= UINT64_C(1) << i;
}

/* Going backwards, what became of one of them matters to all (precise.c). */
static void record_linked(struct env *env, const struct linked *linked)
{
	struct state *state = env->cur;
	struct step *step;

	if (!state->step_count ||
	    __builtin_popcount(linked->regs) + __builtin_popcountll(linked->slots) < 2)
		return;
	step = &state->step[state->step_count - 1];
	step->linked |= linked->regs;
	step->linked_slots |= linked->slots;
}

/* What is now known of one number, carried over to a linked one. */
static void learn_from(struct reg *reg, const struct reg *known)
{
	int32_t delta = (reg->link_add ? reg->link_off : 0) -
			(known->link_add ? known->link_off : 0);

	if (reg == known || reg->type != REG_SCALAR || reg->id != known->id)
		return;
	reg->var = known->var;
	if (delta)
		reg->var = scalar_add(known->var, scalar_const((uint64_t)(int64_t)delta), 8, 8);
}

static void share_number(struct state *state, const struct reg *known,
			 const struct linked *linked)
{
	struct frame *frame = state_frame(state);
	struct reg copy = *known;

	if (known->type != REG_SCALAR || !known->id)
		return;
	for (unsigned i = 0; i < REG_FP; i++)
		if (linked->regs >> i & 1 && &frame->reg[i] != known)
			learn_from(&frame->reg[i], &copy);
	for (uint32_t i = 0; i < frame->slots; i++)
		if (linked->slots >> i & 1)
			learn_from(&frame->slot[i].reg, &copy);
}

/* Both sides of a comparison of numbers. */
struct outcome {
	struct scalar d[2], s[2]; /* [0]: not taken, [1]: taken */
};

/* Did the verifier of that release learn from such a comparison? */
static bool learns(const struct env *env, const struct insn *insn, const struct reg *d,
		   const struct reg *s, int taken)
{
	bool unequal = insn->op == (taken ? COND_NE : COND_EQ);

	if (!env->kernel)
		return true;
	if (unequal && !env_can(env, ABILITY_NOT_EQUAL))
		return false;
	if (!env_can(env, ABILITY_RANGE_COMPARE) && !scalar_is_const(d->var) &&
	    !scalar_is_const(s->var))
		return false;
	return insn->width == 8 || env_can(env, ABILITY_BOUNDS32) ||
	       (d->var.umax <= INT32_MAX && s->var.umax <= INT32_MAX);
}

static bool impossible(const struct outcome *out, int taken)
{
	return scalar_is_empty(out->d[taken]) || scalar_is_empty(out->s[taken]);
}

static void work_out(struct env *env, struct outcome *out, const struct insn *insn,
		     const struct reg *d, const struct reg *s)
{
	enum cond op = (enum cond)insn->op;

	for (int taken = 0; taken < 2; taken++) {
		out->d[taken] = d->var;
		out->s[taken] = s->var;
		if (learns(env, insn, d, s, taken))
			scalar_assume(op, !taken, &out->d[taken], &out->s[taken], insn->width);
		/* That release would not have seen that it cannot be, and goes on. */
		if (env->kernel && impossible(out, taken) && !compares(env, op, d->var, s->var)) {
			out->d[taken] = d->var;
			out->s[taken] = s->var;
		}
	}
}

static void apply_outcome(struct state *state, const struct insn *insn,
			  const struct outcome *out, int taken, const struct linked *linked)
{
	struct reg *regs = state_regs(state);

	if (!insn->source_is_imm) {
		regs[insn->src].var = out->s[taken];
		share_number(state, &regs[insn->src], linked);
	}
	regs[insn->dst].var = out->d[taken];
	share_number(state, &regs[insn->dst], linked);
}

/* --- NULL --- */

/* What a pointer that is not NULL turns out to be. */
static void become_pointer(struct reg *reg)
{
	const struct map_spec *map = reg->map;

	reg->flags &= ~(uint32_t)REG_MAYBE_NULL;
	if (reg->type != REG_MAP_VALUE)
		return;
	if (map->inner) {
		reg->type = REG_MAP;
		reg->map = map->inner;
		reg->map_index = UINT32_MAX;
		reg->map_uid = reg->id;
	} else if (map->type == BPF_MAP_TYPE_XSKMAP) {
		reg->type = REG_XDP_SOCK;
	} else if (map->type == BPF_MAP_TYPE_SOCKMAP || map->type == BPF_MAP_TYPE_SOCKHASH) {
		reg->type = REG_SOCKET;
	}
}

/* What it turns out to be keeps its id: copies of it stay known as such, and locks are told apart. */
static void settle_null(struct env *env, struct reg *reg, bool is_null)
{
	if (is_null) {
		bool precise = reg->precise;

		reg_set_const(env, reg, 0);
		reg->precise |= precise;
		return;
	}
	become_pointer(reg);
}

struct null_fact {
	uint32_t id;
	bool is_null;
};

static void settle_copy(struct env *env, struct reg *reg, void *arg)
{
	const struct null_fact *fact = arg;

	if (reg_is_pointer(reg) && reg_maybe_null(reg) && reg->id == fact->id)
		settle_null(env, reg, fact->is_null);
}

/* A reference that was not obtained need not be given back. */
static void forget_reference(struct state *state, uint32_t id)
{
	const struct ref *ref = find_reference(state, id);

	if (ref)
		remove_reference(state, (uint32_t)(ref - state->ref));
}

void mark_null(struct env *env, struct state *state, uint32_t id, bool is_null)
{
	struct null_fact fact = { id, is_null };

	if (is_null)
		forget_reference(state, id);
	state_each_reg(env, state, settle_copy, &fact);
}

static void learn_null(struct env *env, struct state *state, unsigned regno, bool is_null)
{
	struct reg *reg = &state_regs(state)[regno];

	if (reg->id)
		mark_null(env, state, reg->id, is_null);
	else
		settle_null(env, reg, is_null);
}

/* Equal to a pointer that is not NULL: not NULL either. */
static void learn_equal_pointers(struct env *env, const struct insn *insn, struct state *equal)
{
	struct reg *regs = state_regs(equal);
	struct reg *d = &regs[insn->dst], *s = &regs[insn->src];

	if (!reg_is_pointer(d) || !reg_is_pointer(s) || reg_maybe_null(d) == reg_maybe_null(s) ||
	    d->type == REG_BTF || s->type == REG_BTF || !env_can(env, ABILITY_EQUAL_POINTERS))
		return;
	learn_null(env, equal, reg_maybe_null(d) ? insn->dst : insn->src, false);
}

/* --- packets --- */

struct packet_fact {
	const struct reg *packet;
	uint32_t range;
};

static void widen_range(struct env *env, struct reg *reg, void *arg)
{
	const struct packet_fact *fact = arg;

	(void)env;
	if (reg->type == fact->packet->type && reg->id == fact->packet->id)
		reg->range = MAX(packet_range(reg), fact->range);
}

/*
 * In state, everything before packet (and, when below, the byte at it) is
 * inside the packet: every pointer with the same variable part gains range.
 */
static void learn_range(struct env *env, struct state *state, const struct reg *packet,
			bool below)
{
	struct reg copy = *packet;
	struct packet_fact fact = { &copy, 0 };
	int64_t range = (int64_t)copy.off + (below ? 1 : 0);

	/* Before the packet, or so far that sums might wrap. */
	if (range <= 0 || reg_distance(&copy).umax > PACKET_OFF_MAX)
		return;
	fact.range = (uint32_t)range;
	state_each_reg(env, state, widen_range, &fact);
}

static void learn_beyond(struct state *state, unsigned regno, bool beyond)
{
	struct reg *reg = &state_regs(state)[regno];

	if (reg->type == REG_PACKET)
		reg->range = beyond ? RANGE_BEYOND_END : RANGE_AT_END;
}

/* The start of the packet bounds the metadata before it. */
static bool is_packet_start(const struct reg *reg)
{
	return reg->type == REG_PACKET && !reg->off && !reg->id && scalar_is(reg->var, 0);
}

static bool bounds_packet(const struct reg *packet, const struct reg *end)
{
	return (packet->type == REG_PACKET && end->type == REG_PACKET_END) ||
	       (packet->type == REG_PACKET_META && is_packet_start(end));
}

/*
 * "packet op end", with the states where it holds and where it does not.
 * Comparisons for equality teach nothing here.
 */
static bool learn_packet(struct env *env, enum cond op, unsigned regno, struct state *holds,
			 struct state *fails)
{
	struct reg packet = state_regs(holds)[regno];

	switch (op) {
	case COND_GT:
		learn_range(env, fails, &packet, false);
		learn_beyond(holds, regno, true);
		return true;
	case COND_LT:
		learn_range(env, holds, &packet, true);
		learn_beyond(fails, regno, false);
		return true;
	case COND_GE:
		learn_range(env, fails, &packet, true);
		learn_beyond(holds, regno, false);
		return true;
	case COND_LE:
		learn_range(env, holds, &packet, false);
		learn_beyond(fails, regno, true);
		return true;
	case COND_EQ:
	case COND_NE:
	case COND_SET:
	case COND_SGT:
	case COND_SGE:
	case COND_SLT:
	case COND_SLE:
		return false;
	case COND_COUNT:
		break;
	}
	__builtin_unreachable();
}

static bool match_packet(struct env *env, const struct insn *insn, struct state *fall,
			 struct state *taken)
{
	const struct reg *regs = state_regs(fall);

	if (insn->source_is_imm || insn->width != 8)
		return false;
	if (bounds_packet(&regs[insn->dst], &regs[insn->src]))
		return learn_packet(env, (enum cond)insn->op, insn->dst, taken, fall);
	if (bounds_packet(&regs[insn->src], &regs[insn->dst]))
		return learn_packet(env, cond_mirror((enum cond)insn->op), insn->src, taken,
				    fall);
	return false;
}

/* --- the jump --- */

static int check_operands(struct env *env, const struct insn *insn)
{
	const struct reg *regs = state_regs(env->cur);
	int error = check_reg_read(env, insn->dst);

	if (error < 0 || insn->source_is_imm)
		return error;
	error = check_reg_read(env, insn->src);
	if (error < 0)
		return error;
	if (!may_leak(env, &regs[insn->src]) &&
	    !((reg_is_packet(&regs[insn->dst]) || regs[insn->dst].type == REG_PACKET_END) &&
	      (reg_is_packet(&regs[insn->src]) || regs[insn->src].type == REG_PACKET_END)))
		return reject_as(env, SKEP_VERIFY_ARITH, -EACCES,
				 "R%d pointer comparison prohibited", insn->src);
	return 0;
}

/* A decided branch depends on the exact numbers that decided it. */
static int mark_deciders(struct env *env, const struct insn *insn)
{
	int error = mark_precise(env, insn->dst);

	return error < 0 || insn->source_is_imm ? error : mark_precise(env, insn->src);
}

static void note_null_test(struct env *env, uint32_t pc, const struct reg *pointer)
{
	if (reg_maybe_null(pointer))
		env->info[pc].maybe_null = true;
	else
		env->info[pc].never_null = true;
}

/* Is the pointer compared with 0, written so or known to be? */
static bool tests_null(struct env *env, const struct insn *insn)
{
	if (insn->source_is_imm)
		return insn->imm == 0;
	return reg_is_zero(&state_regs(env->cur)[insn->src]) && env_can(env, ABILITY_NULL_REGISTER);
}

/* What pointers learn; numbers are done. */
static int learn_pointers(struct env *env, const struct insn *insn, struct state *taken)
{
	struct state *fall = env->cur;
	const struct reg *d = &state_regs(fall)[insn->dst];
	bool equality = insn->width == 8 && (insn->op == COND_EQ || insn->op == COND_NE);

	if (equality && !insn->source_is_imm)
		learn_equal_pointers(env, insn, insn->op == COND_EQ ? taken : fall);
	if (equality && reg_is_pointer(d) && reg_maybe_null(d) && tests_null(env, insn)) {
		note_null_test(env, env->pc, d);
		learn_null(env, fall, insn->dst, insn->op == COND_NE);
		learn_null(env, taken, insn->dst, insn->op == COND_EQ);
		return insn->source_is_imm ? 0 : mark_precise(env, insn->src);
	}
	if (!match_packet(env, insn, fall, taken) && !may_leak(env, d))
		return reject_as(env, SKEP_VERIFY_ARITH, -EACCES,
				 "R%d pointer comparison prohibited", insn->dst);
	return 0;
}

static int follow_both(struct env *env, uint32_t pc, const struct outcome *out, bool numbers)
{
	const struct insn *insn = &env->insns[pc];
	const struct reg *regs = state_regs(env->cur);
	struct linked linked = { 0, 0 };
	struct state *taken;

	if (numbers) {
		if (!insn->source_is_imm)
			collect_linked(env, env->cur, &regs[insn->src], &linked);
		collect_linked(env, env->cur, &regs[insn->dst], &linked);
		record_linked(env, &linked);
		env->fresh_regs |= linked.regs;
		env->fresh_slots |= linked.slots;
	}
	taken = push_state(env, (uint32_t)insn_target(insn, pc), pc, false);
	if (!taken)
		return env->rejected ? -E2BIG : -ENOMEM;
	if (numbers) {
		apply_outcome(env->cur, insn, out, 0, &linked);
		apply_outcome(taken, insn, out, 1, &linked);
		return 0;
	}
	return learn_pointers(env, insn, taken);
}

int check_jump(struct env *env, uint32_t pc, uint32_t *next)
{
	const struct insn *insn = &env->insns[pc];
	struct reg constant, *d = &state_regs(env->cur)[insn->dst];
	struct reg *s = insn->source_is_imm ? &constant : &state_regs(env->cur)[insn->src];
	struct outcome out;
	int error = check_operands(env, insn), decided;
	bool numbers;

	if (error < 0)
		return error;
	reg_set_const(env, &constant, (uint64_t)insn->imm);
	numbers = d->type == REG_SCALAR && s->type == REG_SCALAR;
	decided = decide(env, (enum cond)insn->op, d, s, insn->width);
	if (decided < 0 && numbers) {
		work_out(env, &out, insn, d, s);
		decided = impossible(&out, 1) ? 0 : impossible(&out, 0) ? 1 : -1;
	}
	*next = decided == 1 ? (uint32_t)insn_target(insn, pc) : pc + 1;
	if (decided >= 0) {
		if (reg_is_pointer(d) && insn->source_is_imm)
			note_null_test(env, pc, d);
		error = mark_deciders(env, insn);
		return error < 0 ? error :
		       explore_mispredicted(env, insn, decided ? pc + 1 :
						       (uint32_t)insn_target(insn, pc));
	}
	return follow_both(env, pc, &out, numbers);
}

/* --- loops with a budget --- */

/* The newest checkpoint on this path at the same instruction in the same calls. */
struct state *previous_entry(struct env *env, uint32_t insn)
{
	struct state *state = env->cur->parent;

	/* The checkpoint made on the way into this instruction is this round's, not the last's. */
	if (state && env->pc == insn && env->cur->first_insn == insn && env->cur->step_count == 1)
		state = state->parent;
	for (; state; state = state->parent) {
		bool same = state->insn == insn && state->depth == env->cur->depth;

		for (uint32_t f = 0; same && f <= state->depth; f++)
			same = state->frame[f]->callsite == env->cur->frame[f]->callsite &&
			       state->frame[f]->uid == env->cur->frame[f]->uid;
		if (same)
			return state;
	}
	return NULL;
}

static void widen_number(struct env *env, const struct reg *old, struct reg *cur)
{
	if (old->type == REG_SCALAR && cur->type == REG_SCALAR && !old->precise &&
	    !cur->precise && !(scalar_equal(old->var, cur->var) && old->id == cur->id))
		reg_set_unknown(env, cur);
}

/* Numbers that change from round to round and that nobody looked at become unknown. */
void widen_numbers(struct env *env, const struct state *old, struct state *cur)
{
	for (uint32_t f = 0; f <= cur->depth && f <= old->depth; f++) {
		const struct frame *a = old->frame[f];
		struct frame *b = cur->frame[f];

		for (int i = 0; i < REG_COUNT; i++)
			widen_number(env, &a->reg[i], &b->reg[i]);
		for (uint32_t i = 0; i < a->slots && i < b->slots; i++)
			if (slot_is_spill(&a->slot[i]) && slot_is_spill(&b->slot[i]))
				widen_number(env, &a->slot[i].reg, &b->slot[i].reg);
	}
}

int check_may_goto(struct env *env, uint32_t pc, uint32_t *next)
{
	struct state *previous = previous_entry(env, pc);
	struct state *inside = push_state(env, pc + 1, pc, false);

	if (!inside)
		return env->rejected ? -E2BIG : -ENOMEM;
	inside->may_goto_depth++;
	if (previous)
		widen_numbers(env, previous, inside);
	*next = (uint32_t)insn_target(&env->insns[pc], pc);
	return 0;
}
