/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live_stack.c - what of the stack a path from here may still read.
 *
 * For each view of a function (live_stack.h) the smallest sets such that
 *
 *     live before = read here | (live after any successor - replaced here)
 *
 * A function that waits for a call to return may read, after it, what its own
 * sets say there: what is live in a stack is the union over the frames from
 * its owner's to the running one.
 *
 * Where states are compared, what is dead is forgotten first, so that it makes
 * no difference. Should the sets ever be wrong, a read of what was forgotten is
 * refused: it costs a program, not safety.
 */
#include "verify/live_stack.h"

enum {
	VIEWS_INSNS_MAX = 1 << 22, /* instructions in all views; beyond, everything is live */
};

/* --- backwards --- */

struct rows {
	struct halves *reads[FRAMES_MAX], *replaces[FRAMES_MAX];
};

static int add_rows(struct env *env, const struct stack_view *view, struct rows *rows, unsigned i)
{
	rows->reads[i] = env_alloc(env, view->len * sizeof(struct halves));
	rows->replaces[i] = env_alloc(env, view->len * sizeof(struct halves));
	return rows->reads[i] && rows->replaces[i] ? 0 : -ENOMEM;
}

static int note_effect(struct env *env, struct stack_view *view, uint32_t pc,
		       const struct place *regs, void *arg)
{
	struct rows *rows = arg;
	struct stack_effect effect;

	stack_effect(env, view, pc, regs, &effect);
	for (unsigned i = 0; effect.touched >> i; i++) {
		if (!(effect.touched >> i & 1))
			continue;
		if (!rows->reads[i] && add_rows(env, view, rows, i) < 0)
			return -ENOMEM;
		rows->reads[i][pc - view->start] = effect.reads[i];
		rows->replaces[i][pc - view->start] = effect.replaces[i];
	}
	return 0;
}

static struct halves live_after(const struct env *env, const struct stack_view *view,
				const struct halves *live, uint32_t pc)
{
	struct halves after = HALVES_NONE;
	uint32_t own[2];
	unsigned count;
	const uint32_t *next = insn_successors(env, pc, own, &count);

	for (unsigned i = 0; i < count; i++)
		if (next[i] >= view->start && next[i] - view->start < view->len)
			after = halves_or(after, live[next[i] - view->start]);
	return after;
}

static void solve(const struct env *env, const struct stack_view *view, struct halves *live,
		  const struct halves *reads, const struct halves *replaces)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (uint32_t i = view->len; i-- > 0;) {
			struct halves after = live_after(env, view, live, view->start + i);

			after = halves_or(reads[i], halves_without(after, replaces[i]));
			changed |= !halves_equal(after, live[i]);
			live[i] = after;
		}
	}
}

static void free_rows(struct env *env, struct rows *rows)
{
	for (unsigned i = 0; i < FRAMES_MAX; i++) {
		env_free(env, rows->reads[i]);
		env_free(env, rows->replaces[i]);
	}
}

static int work_out(struct env *env, struct stack_view *view)
{
	struct rows rows = { 0 };
	int error = follow_places(env, view, note_effect, &rows);

	for (unsigned i = 0; i < FRAMES_MAX && !error; i++) {
		if (!rows.reads[i])
			continue;
		view->live[i] = env_alloc(env, view->len * sizeof(struct halves));
		if (!view->live[i])
			error = -ENOMEM;
		else
			solve(env, view, view->live[i], rows.reads[i], rows.replaces[i]);
	}
	free_rows(env, &rows);
	return error;
}

/* --- views --- */

static bool points_to_stacks(const struct place arg[6])
{
	for (int i = 1; i <= 5; i++)
		if (arg[i].stacks)
			return true;
	return false;
}

/* Known numbers count, too: they may say how much is read of what another points to. */
static bool same_arguments(const struct place a[6], const struct place b[6])
{
	for (int i = 1; i <= 5; i++)
		if (!same_place(a[i], b[i]))
			return false;
	return true;
}

static unsigned calls_above(const struct stack_view *view)
{
	unsigned n = 0;

	for (; view; view = view->caller)
		n++;
	return n;
}

/*
 * A view of its own, or one made before. Where no argument points into a stack
 * the caller makes no difference. *view stays NULL when it is too much.
 */
static int find_view(struct env *env, struct stack_view *caller, uint32_t s,
		     const struct place arg[6], struct stack_view **found)
{
	static const struct place nowhere[6];
	struct subprog *subprog = &env->subprog[s];
	struct stack_view *view;
	int error;

	if (!points_to_stacks(arg)) {
		caller = NULL;
		arg = nowhere;
	}
	for (view = subprog->views; view; view = view->next)
		if (view->caller == caller && same_arguments(view->arg, arg)) {
			*found = view->broken ? NULL : view;
			return 0;
		}
	env->view_insns += subprog->end - subprog->start;
	if (env->view_insns > VIEWS_INSNS_MAX || calls_above(caller) >= FRAMES_MAX)
		return 0;
	view = env_alloc(env, sizeof(*view));
	if (!view)
		return -ENOMEM;
	view->caller = caller;
	view->subprog = s;
	view->start = subprog->start;
	view->len = subprog->end - subprog->start;
	memcpy(view->arg, arg, sizeof(view->arg));
	view->broken = true; /* until it is done: a function that calls itself finds it so */
	view->next = subprog->views;
	subprog->views = view;
	error = work_out(env, view);
	view->broken = error < 0;
	*found = error < 0 ? NULL : view;
	return error == -ENOMEM ? error : 0;
}

struct stack_view *stack_view_of(struct env *env, struct stack_view *caller, uint32_t callsite,
				 uint32_t subprog, const struct place arg[6])
{
	struct stack_view *view = NULL;
	struct callee_view *grown;

	if (find_view(env, caller, subprog, arg, &view) < 0)
		return NULL;
	if (caller->callee_count == caller->callee_size) {
		uint32_t size = caller->callee_size ? caller->callee_size * 2 : 4;

		grown = env_alloc(env, size * sizeof(*grown));
		if (!grown)
			return view;
		if (caller->callee_count)
			memcpy(grown, caller->callee, caller->callee_count * sizeof(*grown));
		env_free(env, caller->callee);
		caller->callee = grown;
		caller->callee_size = size;
	}
	caller->callee[caller->callee_count++] = (struct callee_view){ callsite, view };
	return view;
}

/* --- what exploration asks --- */

struct stack_view *root_view(struct env *env, uint32_t subprog)
{
	static const struct place nowhere[6];
	struct stack_view *view = NULL;

	return find_view(env, NULL, subprog, nowhere, &view) < 0 ? NULL : view;
}

struct stack_view *callee_view(const struct stack_view *caller, uint32_t callsite,
			       uint32_t subprog)
{
	uint32_t low = 0, high = caller ? caller->callee_count : 0;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (caller->callee[middle].callsite < callsite)
			low = middle + 1;
		else
			high = middle;
	}
	for (; caller && low < caller->callee_count && caller->callee[low].callsite == callsite;
	     low++) {
		struct stack_view *view = caller->callee[low].view;

		if (view && view->subprog == subprog)
			return view;
	}
	return NULL;
}

/* Where a frame goes on: after the call for those that wait, at it when it calls back. */
static uint32_t goes_on_at(const struct state *state, uint32_t frameno, uint32_t pc)
{
	const struct frame *callee;

	if (frameno == state->depth)
		return pc;
	callee = state->frame[frameno + 1];
	return (uint32_t)callee->callsite + !callee->in_callback;
}

struct halves live_halves(const struct state *state, uint32_t frameno, uint32_t pc)
{
	struct halves live = HALVES_NONE;

	for (uint32_t f = frameno; f <= state->depth; f++) {
		const struct stack_view *view = state->frame[f]->view;
		uint32_t at = goes_on_at(state, f, pc);

		if (!view || at < view->start || at - view->start >= view->len)
			return HALVES_ALL;
		if (view->live[f - frameno])
			live = halves_or(live, view->live[f - frameno][at - view->start]);
	}
	return live;
}

/* Objects stay: writing where they are is not free. So do eight bytes of which half is read. */
static void forget_halves(struct slot *slot, unsigned live)
{
	bool whole = slot->byte[SLOT_SIZE - 1] == SLOT_SPILL;

	if (slot->byte[0] == SLOT_DYNPTR || slot->byte[0] == SLOT_ITER ||
	    slot->byte[0] == SLOT_IRQ_FLAG || (live && whole))
		return;
	if (!(live & LOWER_HALF)) {
		memset(slot->byte, SLOT_POISON, SLOT_SIZE / 2);
		reg_set_not_init(&slot->reg);
	}
	if (!(live & UPPER_HALF))
		memset(slot->byte + SLOT_SIZE / 2, SLOT_POISON, SLOT_SIZE / 2);
}

static bool slot_is_empty(const struct slot *slot)
{
	for (int i = 0; i < SLOT_SIZE; i++)
		if (slot->byte[i] != SLOT_INVALID && slot->byte[i] != SLOT_POISON)
			return false;
	return true;
}

static void forget_slots(struct frame *frame, struct halves live)
{
	if (halves_equal(live, HALVES_ALL))
		return;
	for (uint32_t i = 0; i < frame->slots; i++) {
		unsigned half = halves_of_slot(live, i);

		if (half != (UPPER_HALF | LOWER_HALF))
			forget_halves(&frame->slot[i], half);
	}
	while (frame->slots && !halves_of_slot(live, frame->slots - 1) &&
	       slot_is_empty(&frame->slot[frame->slots - 1]))
		frame->slots--;
}

void forget_dead(struct env *env)
{
	struct state *cur = env->cur;

	for (uint32_t f = 0; f <= cur->depth; f++) {
		struct frame *frame = cur->frame[f];
		uint32_t at = f == cur->depth ? env->pc : (uint32_t)cur->frame[f + 1]->callsite;
		uint16_t dead = (uint16_t)~env->info[at].live;

		for (unsigned i = 0; i < REG_FP; i++)
			if (dead >> i & 1 && frame->reg[i].type != REG_NOT_INIT)
				reg_set_not_init(&frame->reg[i]);
		forget_slots(frame, live_halves(cur, f, env->pc));
	}
}
