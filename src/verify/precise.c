/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * precise.c - whose exact value mattered?
 *
 * Two states are alike when they differ only in numbers that nobody looks at
 * closely; that is what makes loops and joins converge. A number is looked at
 * closely when it becomes an offset, a size or a decision. Then everything it
 * was computed from must be remembered as precise in the states kept so far,
 * and the way to find that is back along the path: a set of registers and
 * stack slots per frame is carried backwards over each executed instruction,
 * which replaces what the instruction wrote by what it read.
 *
 *     r1 = *(u64 *)(r10 -8)   wanted: fp-8           ^
 *     r2 = r1                 wanted: r1             | backwards
 *     r3 += r2                wanted: r2             |
 *
 * At each checkpoint on the way (a parent state), what is wanted and is a
 * number there is marked; what was marked already needs no further search.
 * Where the way cannot be followed, every number is marked: slow, never wrong.
 */
#include "verify/passes.h"

#include <stdio.h>

/* What is wanted, per frame of the call chain. */
struct wanted {
	uint32_t frame;              /* the frame the walk is in */
	uint16_t regs[FRAMES_MAX];
	uint64_t slots[FRAMES_MAX];
	uint16_t args[FRAMES_MAX];   /* stack arguments: ARG_IN, ARG_OUT */
};

/* Bits of wanted.args. */
#define ARG_IN(arg) ((uint16_t)(1u << (arg)))
#define ARG_OUT(arg) ((uint16_t)(0x100u << (arg)))
enum { ARGS_IN = 0xff, ARGS_OUT = 0xff00, ARG_OUT_SHIFT = 8 };

enum { LOST = 1 }; /* the walk cannot go on */

enum {
	REGS_ARGS = 0x3e,            /* r1..r5 */
	REGS_KEPT = 0x3c0,           /* r6..r9 */
};

static bool wanted_reg(const struct wanted *w, unsigned reg)
{
	return w->regs[w->frame] >> reg & 1;
}

static void want_reg(struct wanted *w, unsigned reg)
{
	if (reg != REG_FP)
		w->regs[w->frame] |= (uint16_t)(1u << reg);
}

static void drop_reg(struct wanted *w, unsigned reg)
{
	w->regs[w->frame] &= (uint16_t)~(1u << reg);
}

static bool wanted_nothing(const struct wanted *w)
{
	for (uint32_t i = 0; i <= w->frame; i++)
		if (w->regs[i] || w->slots[i] || w->args[i])
			return false;
	return true;
}

/* --- the log --- */

static void regs_text(uint16_t regs, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < REG_COUNT; i++)
		if (regs >> i & 1)
			len += (size_t)snprintf(text + len, size - len, "%sr%u", len ? "," : "", i);
}

static void slots_text(uint64_t slots, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < STACK_SLOTS; i++)
		if (slots >> i & 1 && len < size)
			len += (size_t)snprintf(text + len, size - len, "%s-%u", len ? "," : "",
						(i + 1) * SLOT_SIZE);
}

static void trace_wanted(struct env *env, const struct wanted *w, uint32_t frame,
			 const char *prefix)
{
	char regs[64], slots[512];

	regs_text(w->regs[frame], regs, sizeof(regs));
	slots_text(w->slots[frame], slots, sizeof(slots));
	trace(env, 2, "mark_precise: frame%u: %sregs=%s stack=%s", frame, prefix, regs, slots);
}

static void trace_step(struct env *env, const struct wanted *w, uint32_t insn)
{
	if (!(env->log_level & 2))
		return;
	trace_wanted(env, w, w->frame, "");
	trace(env, 2, " before %u: ", insn);
	trace_text(env, insn);
}

static void trace_parent(struct env *env, const struct wanted *w, const struct state *parent,
			 uint32_t frame)
{
	if (!(env->log_level & 2))
		return;
	trace_wanted(env, w, frame, "parent state ");
	trace(env, 2, ": ");
	trace_state(env, 2, parent, frame, true);
	trace(env, 2, "\n");
}

/* --- one instruction backwards --- */

/* Registers found equal to each other at a branch share what became of one. */
static void share_linked(struct wanted *w, const struct step *step)
{
	if (!step || (!step->linked && !step->linked_slots))
		return;
	if ((w->regs[w->frame] & step->linked) || (w->slots[w->frame] & step->linked_slots)) {
		w->regs[w->frame] |= step->linked;
		w->slots[w->frame] |= step->linked_slots;
	}
}

static void back_alu(struct wanted *w, const struct insn *insn)
{
	if (!wanted_reg(w, insn->dst))
		return;
	if (insn->op == ALU_MOV)
		drop_reg(w, insn->dst);
	if (!insn->source_is_imm && insn->op != ALU_NEG)
		want_reg(w, insn->src);
}

static void back_load(struct wanted *w, const struct insn *insn, const struct step *step)
{
	if (!wanted_reg(w, insn->dst))
		return;
	drop_reg(w, insn->dst);
	/* From elsewhere it came as an unknown number, which is the same on every path. */
	if (step && step->stack_access)
		w->slots[step->stack_access - 1] |= UINT64_C(1) << step->slot;
}

static bool back_overwrites(struct wanted *w, const struct step *step)
{
	uint64_t bit, *slots;

	if (!step || !step->stack_access)
		return false;
	bit = UINT64_C(1) << step->slot;
	slots = &w->slots[step->stack_access - 1];
	if (!(*slots & bit))
		return false;
	*slots &= ~bit;
	return true;
}

static int back_store(struct wanted *w, const struct insn *insn, const struct step *step)
{
	/* A number used as an address: pointer subtraction came before. */
	if (wanted_reg(w, insn->dst))
		return LOST;
	if (back_overwrites(w, step) && !insn->source_is_imm)
		want_reg(w, insn->src);
	return 0;
}

static void back_load_arg(struct wanted *w, const struct insn *insn)
{
	if (!wanted_reg(w, insn->dst))
		return;
	drop_reg(w, insn->dst);
	w->args[w->frame] |= ARG_IN(insn->arg);
}

static void back_store_arg(struct wanted *w, const struct insn *insn)
{
	if (!(w->args[w->frame] & ARG_OUT(insn->arg)))
		return;
	w->args[w->frame] &= (uint16_t)~ARG_OUT(insn->arg);
	if (!insn->source_is_imm)
		want_reg(w, insn->src);
}

/* The register an atomic operation fetches into; -1: none. */
static int fetched_reg(const struct insn *insn)
{
	if (insn->op == ATOMIC_CMPXCHG)
		return 0;
	return insn->op >= ATOMIC_FETCH_ADD && insn->op <= ATOMIC_XCHG ? insn->src : -1;
}

/* What it leaves in memory is unknown; what it fetches is what a slot held. */
static int back_atomic(struct wanted *w, const struct insn *insn, const struct step *step)
{
	int fetched = fetched_reg(insn);
	bool wanted;

	if (insn->op == ATOMIC_LOAD_ACQ) {
		back_load(w, insn, step);
		return 0;
	}
	if (insn->op == ATOMIC_STORE_REL)
		return back_store(w, insn, step);
	wanted = fetched >= 0 && wanted_reg(w, (unsigned)fetched);
	if (wanted)
		drop_reg(w, (unsigned)fetched);
	if (wanted_reg(w, insn->dst))
		return LOST;
	back_overwrites(w, step);
	if (wanted && step && step->stack_access)
		w->slots[step->stack_access - 1] |= UINT64_C(1) << step->slot;
	return 0;
}

static void back_jump(struct wanted *w, const struct insn *insn)
{
	if (insn->source_is_imm)
		return;
	if (wanted_reg(w, insn->dst) || wanted_reg(w, insn->src)) {
		want_reg(w, insn->dst);
		want_reg(w, insn->src);
	}
}

/* From a subprogram's first instruction back to its call: arguments only. */
static int back_into_caller(struct wanted *w, bool callback)
{
	uint16_t args = w->regs[w->frame] & REGS_ARGS, more = w->args[w->frame];

	if (!w->frame || (w->regs[w->frame] & ~REGS_ARGS) || w->slots[w->frame] ||
	    (more & ARGS_OUT) || (w->args[w->frame - 1] & ARGS_OUT) || (callback && more))
		return LOST;
	w->regs[w->frame] = 0;
	w->args[w->frame] = 0;
	w->frame--;
	if (!callback) /* a callback's arguments come from the helper */
		w->regs[w->frame] |= args;
	w->args[w->frame] |= (uint16_t)(more << ARG_OUT_SHIFT);
	return 0;
}

/* From a caller back to where a function ended early: its result was any number. */
static int back_early_return(struct wanted *w)
{
	if ((w->regs[w->frame] & REGS_ARGS) || w->frame + 1 >= FRAMES_MAX ||
	    (w->args[w->frame] & ARGS_OUT))
		return LOST;
	drop_reg(w, 0);
	w->frame++;
	w->regs[w->frame] = 0;
	w->slots[w->frame] = 0;
	w->args[w->frame] = 0;
	return 0;
}

static int back_call(struct env *env, struct wanted *w, uint32_t pc, int64_t later)
{
	const struct insn *insn = &env->insns[pc];
	bool entered = later >= 0 && later != (int64_t)pc + 1;

	if (entered && insn_ends_early(insn))
		return back_early_return(w);
	if (insn->op == CALL_LOCAL) {
		int subprog = subprog_at(env, (uint32_t)insn_target(insn, pc));

		if (subprog < 0)
			return LOST;
		/* A global function is checked by itself: its result is just a number. */
		if (!env->subprog[subprog].is_global && entered)
			return back_into_caller(w, false);
		if (!env->subprog[subprog].is_global)
			return LOST;
	} else if (entered && env->info[pc].calls_callback) {
		return back_into_caller(w, true);
	}
	drop_reg(w, 0);
	return w->regs[w->frame] & REGS_ARGS || w->args[w->frame] & ARGS_OUT ? LOST : 0;
}

/* From the instruction after a call back into what was called. */
static int back_exit(struct env *env, struct wanted *w, int64_t later)
{
	bool result;

	/* After a callback the helper itself comes next; its arguments are set again. */
	if (later >= 0 && env->info[later].calls_callback)
		w->regs[w->frame] &= (uint16_t)~REGS_ARGS;
	if ((w->regs[w->frame] & REGS_ARGS) || w->frame + 1 >= FRAMES_MAX ||
	    (w->args[w->frame] & ARGS_OUT))
		return LOST;
	result = later >= 1 && env->insns[later - 1].kind == INSN_CALL &&
		 env->insns[later - 1].op == CALL_LOCAL && wanted_reg(w, 0);
	drop_reg(w, 0);
	w->frame++;
	w->regs[w->frame] = result ? 1 : 0;
	w->slots[w->frame] = 0;
	w->args[w->frame] = 0;
	return 0;
}

static int back_insn(struct env *env, struct wanted *w, uint32_t pc, int64_t later,
		     const struct step *step)
{
	const struct insn *insn = &env->insns[pc];

	switch ((enum insn_kind)insn->kind) {
	case INSN_ALU:
		back_alu(w, insn);
		return 0;
	case INSN_CAST:
		if (wanted_reg(w, insn->dst)) {
			drop_reg(w, insn->dst);
			want_reg(w, insn->src);
		}
		return 0;
	case INSN_IMM64:
		drop_reg(w, insn->dst);
		return 0;
	case INSN_LOAD:
		back_load(w, insn, step);
		return 0;
	case INSN_LOAD_ARG:
		back_load_arg(w, insn);
		return 0;
	case INSN_STORE:
		return back_store(w, insn, step);
	case INSN_STORE_ARG:
		back_store_arg(w, insn);
		return 0;
	case INSN_ATOMIC:
		return back_atomic(w, insn, step);
	case INSN_LOAD_PACKET:
		if (later >= 0 && later != (int64_t)pc + 1)
			return back_early_return(w);
		return wanted_reg(w, 0) ? LOST : 0;
	case INSN_JUMP:
		back_jump(w, insn);
		return 0;
	case INSN_CALL:
		return back_call(env, w, pc, later);
	case INSN_EXIT:
		return back_exit(env, w, later);
	case INSN_GOTO:
	case INSN_GOTO_REG:
	case INSN_MAY_GOTO:
	case INSN_PAD:
	case INSN_INVALID:
		return 0;
	case INSN_KIND_COUNT:
		break;
	}
	__builtin_unreachable();
}

/* --- what an instruction can matter to --- */

enum {
	TOUCH_STORE = 1 << 14,   /* the stack slot its record names */
	TOUCH_ALWAYS = 1 << 15,
};

/* Registers that, when wanted, make going back over it do something; and TOUCH_*. */
static uint16_t touched(const struct insn *insn)
{
	uint16_t dst = (uint16_t)(1u << insn->dst);

	if (insn->dst > REG_FP || insn->src > REG_FP)
		return TOUCH_ALWAYS;
	switch ((enum insn_kind)insn->kind) {
	case INSN_ALU:
	case INSN_CAST:
	case INSN_IMM64:
	case INSN_LOAD:
	case INSN_LOAD_ARG:
		return dst;
	case INSN_STORE:
		return (uint16_t)(dst | TOUCH_STORE);
	case INSN_JUMP:
		return insn->source_is_imm ? 0 : (uint16_t)(dst | 1u << insn->src);
	case INSN_STORE_ARG:
	case INSN_ATOMIC:
	case INSN_LOAD_PACKET:
	case INSN_CALL:
	case INSN_EXIT:
		return TOUCH_ALWAYS;
	case INSN_GOTO:
	case INSN_GOTO_REG:
	case INSN_MAY_GOTO:
	case INSN_PAD:
	case INSN_INVALID:
		return 0;
	case INSN_KIND_COUNT:
		break;
	}
	__builtin_unreachable();
}

void note_touched(struct env *env)
{
	for (uint32_t i = 0; i < env->len; i++)
		env->info[i].touched = touched(&env->insns[i]);
}

/* Most instructions have nothing to do with what is wanted: one look tells. */
static bool passes_by(const struct env *env, const struct wanted *w, const struct step *step)
{
	uint16_t touch = env->info[step->insn].touched;

	if ((touch & (w->regs[w->frame] | TOUCH_ALWAYS)) || step->linked || step->linked_slots)
		return false;
	return !(touch & TOUCH_STORE) || !step->stack_access ||
	       !(w->slots[step->stack_access - 1] >> step->slot & 1);
}

/* --- a stretch of the path --- */

/*
 * Walks the stretch of state backwards over its newest `left` records; *later
 * is what ran after them; -1: the instruction at pc. Every executed instruction has a record.
 */
static int back_stretch(struct env *env, struct wanted *w, const struct state *state,
			uint32_t left, int64_t *later)
{
	bool newest = *later < 0, tracing = env->log_level & 2;
	long long last = -1;

	if (newest)
		last = env->pc;
	else if (left)
		last = state->step[left - 1].insn;
	trace(env, 2, "mark_precise: frame%u: last_idx %lld first_idx %u subseq_idx %lld \n",
	      w->frame, last, state->first_insn, (long long)*later);
	if (newest)
		*later = env->pc;
	while (left) {
		const struct step *step = &state->step[--left];

		if (!tracing && passes_by(env, w, step)) {
			*later = step->insn;
			continue;
		}
		trace_step(env, w, step->insn);
		share_linked(w, step);
		if (back_insn(env, w, step->insn, *later, step))
			return LOST;
		share_linked(w, step);
		*later = step->insn;
		if (wanted_nothing(w))
			return 0;
	}
	return 0;
}

/* --- marks --- */

/* Marks a number; false when there is nothing more to want of it. */
static bool mark_number(struct reg *reg, bool *changed)
{
	if (reg->type != REG_SCALAR || reg->precise)
		return false;
	reg->precise = *changed = true;
	return true;
}

static void mark_args(struct wanted *w, struct frame *frame, uint32_t frameno, bool *changed)
{
	uint16_t *wanted = &w->args[frameno];
	struct stack_args *args = frame->args;

	for (unsigned i = 0; i < INSN_STACK_ARGS_MAX; i++) {
		if (*wanted & ARG_IN(i) && (!args || !mark_number(&args->in[i], changed)))
			*wanted &= (uint16_t)~ARG_IN(i);
		if (*wanted & ARG_OUT(i) && (!args || !mark_number(&args->out[i], changed)))
			*wanted &= (uint16_t)~ARG_OUT(i);
	}
}

/* Marks what is wanted of one frame; keeps as wanted what was not marked before. */
static void mark_frame(struct wanted *w, struct state *state, uint32_t frameno, bool *changed)
{
	struct frame *frame = state->frame[frameno];

	for (unsigned i = 0; i < REG_COUNT; i++)
		if (w->regs[frameno] >> i & 1 && !mark_number(&frame->reg[i], changed))
			w->regs[frameno] &= (uint16_t)~(1u << i);
	for (uint32_t i = 0; i < STACK_SLOTS; i++) {
		struct slot *slot = i < frame->slots ? &frame->slot[i] : NULL;

		if (w->slots[frameno] >> i & 1 &&
		    (!slot || !slot_is_spill(slot) || !mark_number(&slot->reg, changed)))
			w->slots[frameno] &= ~(UINT64_C(1) << i);
	}
	mark_args(w, frame, frameno, changed);
}

void mark_all_precise(struct state *state)
{
	bool changed;

	for (; state && !state->all_precise; state = state->parent) {
		state->all_precise = true;
		for (uint32_t f = 0; f <= state->depth; f++) {
			struct frame *frame = state->frame[f];

			for (unsigned i = 0; i < REG_FP; i++)
				if (frame->reg[i].type == REG_SCALAR)
					frame->reg[i].precise = true;
			for (uint32_t i = 0; i < frame->slots; i++)
				if (slot_is_spill(&frame->slot[i]) &&
				    frame->slot[i].reg.type == REG_SCALAR)
					frame->slot[i].reg.precise = true;
			for (uint32_t i = 0; frame->args && i < INSN_STACK_ARGS_MAX; i++) {
				mark_number(&frame->args->in[i], &changed);
				mark_number(&frame->args->out[i], &changed);
			}
		}
	}
}

/*
 * Walks back through state's newest `left` records and then its parents' until
 * nothing is wanted.
 */
static void walk_back(struct env *env, struct wanted *w, struct state *state, uint32_t left,
		      bool *changed)
{
	struct state *start = state;
	int64_t later = -1;

	while (!wanted_nothing(w)) {
		if (back_stretch(env, w, state, left, &later) == LOST)
			break;
		state = state->parent;
		if (!state || wanted_nothing(w))
			return;
		if (w->frame > state->depth)
			break;
		for (uint32_t f = 0; f <= w->frame; f++) {
			mark_frame(w, state, f, changed);
			trace_parent(env, w, state, f);
		}
		left = state->step_count;
	}
	if (!wanted_nothing(w)) {
		mark_all_precise(start->parent);
		*changed = true;
	}
}

/* From the instruction being checked, whose own record is the newest. */
static int mark_wanted(struct env *env, struct wanted *w)
{
	uint32_t count = env->cur->step_count;
	bool changed = false;

	walk_back(env, w, env->cur, count ? count - 1 : 0, &changed);
	return 0;
}

int mark_precise(struct env *env, int regno)
{
	return mark_precise_regs(env, (uint16_t)(1u << regno));
}

int mark_precise_regs(struct env *env, uint16_t regs)
{
	struct wanted w = { .frame = env->cur->depth };

	if (!env->cap_bpf) /* every number is precise from the start */
		return 0;
	for (unsigned i = 0; i < REG_FP; i++)
		if (regs >> i & 1 && state_regs(env->cur)[i].type == REG_SCALAR)
			want_reg(&w, i);
	return mark_wanted(env, &w);
}

int mark_precise_slot(struct env *env, uint32_t frameno, uint32_t slot)
{
	struct wanted w = { .frame = env->cur->depth };

	if (!env->cap_bpf)
		return 0;
	w.slots[frameno] = UINT64_C(1) << slot;
	return mark_wanted(env, &w);
}

static bool is_precise(const struct reg *reg)
{
	return reg->type == REG_SCALAR && reg->precise;
}

/* What of old is marked becomes wanted in the current state, which it covers. */
static void want_marked(struct wanted *w, const struct state *old)
{
	for (uint32_t f = 0; f <= old->depth; f++) {
		const struct frame *frame = old->frame[f];

		for (unsigned i = 0; i < REG_FP; i++)
			if (frame->reg[i].type == REG_SCALAR && frame->reg[i].precise)
				w->regs[f] |= (uint16_t)(1u << i);
		for (uint32_t i = 0; i < frame->slots; i++)
			if (slot_is_spill(&frame->slot[i]) &&
			    frame->slot[i].reg.type == REG_SCALAR && frame->slot[i].reg.precise)
				w->slots[f] |= UINT64_C(1) << i;
		for (uint32_t i = 0; frame->args && i < INSN_STACK_ARGS_MAX; i++) {
			if (is_precise(&frame->args->in[i]))
				w->args[f] |= ARG_IN(i);
			if (is_precise(&frame->args->out[i]))
				w->args[f] |= ARG_OUT(i);
		}
	}
}

int propagate_precision(struct env *env, const struct state *old, struct state *cur,
			bool *changed)
{
	struct wanted w = { .frame = cur->depth };

	if (!env->cap_bpf)
		return 0;
	want_marked(&w, old);
	walk_back(env, &w, cur, cur->step_count, changed);
	return 0;
}
