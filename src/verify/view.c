/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * view.c - the verifier's observers outside the library: visits (see
 * <skep/observe.h>) made from what observe.h tells, and states to look at.
 *
 * A state's mark is the number of the visit it was at last. A copy of it, the
 * other side of a branch say, keeps the mark, and so knows where it came from.
 */
#include "verify/observe.h"

#include <stdio.h>

/* --- visits --- */

static void show(struct view_of *view, struct env *env, struct skep_visit visit)
{
	const struct skep_observer *to = view->observer;

	visit.number = env->processed;
	visit.from = env->cur->mark;
	visit.insn = env->pc;
	visit.live = env->info[env->pc].live;
	visit.kept = view->kept;
	view->kept = false;
	env->cur->mark = env->processed;
	if (to->visit(to->arg, &visit, (const struct skep_state *)env->cur))
		env->stopped = true;
}

static void view_step(void *arg, struct env *env)
{
	show(arg, env, (struct skep_visit){ 0 });
}

/* It is told before the step, which has the same number. */
static void view_keep(void *arg, struct env *env, struct state *kept)
{
	struct view_of *view = arg;

	kept->mark = env->processed;
	view->kept = true;
}

static void view_prune(void *arg, struct env *env, const struct state *old, bool whole)
{
	show(arg, env, (struct skep_visit){ .covered_by = old->mark, .covered_whole = whole });
}

void view_init(struct view_of *view, const struct skep_observer *observer)
{
	*view = (struct view_of){
		.observer = observer,
		.hooks = { .arg = view, .step = view_step, .keep = view_keep,
			   .prune = view_prune },
	};
}

/* --- looking at a state --- */

static const struct state *inside(const struct skep_state *state)
{
	return (const struct state *)state;
}

unsigned skep_state_frames(const struct skep_state *state)
{
	return inside(state)->depth + 1;
}

void skep_state_frame(const struct skep_state *state, unsigned index, struct skep_frame *out)
{
	const struct frame *frame = inside(state)->frame[index];

	*out = (struct skep_frame){
		.name = frame->name ? frame->name : "",
		.start = frame->start,
		.call = frame->callsite,
		.callback = frame->in_callback || frame->in_async,
		.slots = frame->slots,
	};
}

static void fill_reg(struct skep_reg *out, const struct reg *reg)
{
	const struct scalar *v = &reg->var;

	*out = (struct skep_reg){
		.pointer = reg_is_pointer(reg),
		.precise = reg->precise,
		.id = reg->id,
		.reference = reg->ref_id,
		.offset = reg->off,
		.range = { v->bits.value, v->bits.mask, v->umin, v->umax, v->smin, v->smax },
	};
	snprintf(out->type, sizeof(out->type), "%s", reg_type_text(reg));
}

bool skep_state_reg(const struct skep_state *state, unsigned frame, unsigned regno,
		    struct skep_reg *out)
{
	const struct reg *reg = &inside(state)->frame[frame]->reg[regno];

	if (reg->type == REG_NOT_INIT)
		return false;
	fill_reg(out, reg);
	return true;
}

static size_t copy_text(struct skep_text *from, char *text, size_t size)
{
	size_t len = from->len;

	if (size)
		snprintf(text, size, "%s", from->data ? from->data : "");
	text_done(from);
	return len;
}

size_t skep_state_reg_text(const struct skep_state *state, unsigned frame, unsigned regno,
			   char *text, size_t size)
{
	const struct reg *reg = &inside(state)->frame[frame]->reg[regno];
	struct skep_text out = { 0 };

	if (reg->type != REG_NOT_INIT)
		reg_write(&out, reg, frame);
	return copy_text(&out, text, size);
}

bool skep_state_slot(const struct skep_state *state, unsigned frame, unsigned index,
		     struct skep_slot *out)
{
	const struct slot *slot = &inside(state)->frame[frame]->slot[index];

	*out = (struct skep_slot){ 0 };
	if (!slot_bytes(slot, out->bytes))
		return false;
	out->is_reg = slot_is_spill(slot);
	if (out->is_reg)
		fill_reg(&out->reg, &slot->reg);
	return true;
}

size_t skep_state_slot_text(const struct skep_state *state, unsigned frame, unsigned index,
			    char *text, size_t size)
{
	struct skep_text out = { 0 };

	slot_write(&out, &inside(state)->frame[frame]->slot[index], frame);
	return copy_text(&out, text, size);
}

/* --- what is held --- */

static const char *const ref_names[] = {
	[REF_PTR] = "reference",
	[REF_LOCK] = "spin lock",
	[REF_RES_LOCK] = "resilient spin lock",
	[REF_RES_LOCK_IRQ] = "resilient spin lock, interrupts off",
	[REF_IRQ] = "interrupts off",
};

/* Sections have no reference of their own: their names follow the references. */
static unsigned sections(const struct state *state, const char *names[2])
{
	unsigned count = 0;

	if (state->active_rcu)
		names[count++] = "RCU read section";
	if (state->active_preempt)
		names[count++] = "preemption off";
	return count;
}

unsigned skep_state_holds(const struct skep_state *state)
{
	const char *names[2];

	return inside(state)->ref_count + sections(inside(state), names);
}

void skep_state_hold(const struct skep_state *state, unsigned index, struct skep_hold *hold)
{
	const struct state *of = inside(state);
	const char *names[2] = { "", "" };

	if (index >= of->ref_count) {
		sections(of, names);
		*hold = (struct skep_hold){ .what = names[(index - of->ref_count) % 2],
					    .insn = -1 };
		return;
	}
	*hold = (struct skep_hold){
		.what = of->ref[index].kind < ARRAY_SIZE(ref_names)
				? ref_names[of->ref[index].kind] : "reference",
		.id = of->ref[index].id,
		.insn = of->ref[index].insn,
	};
}
