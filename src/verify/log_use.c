/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_use.c - level 2 of the log, before exploration: what of the stacks each
 * instruction uses and defines.
 *
 * What an instruction does with given pointers is stack_use.c's; here it is
 * asked about the pointers that log_stack.c tells of. A call of a function of
 * the program uses what that may read of its callers' stacks.
 */
#include "verify/log_stack.h"

enum { COLUMN = 40, COLUMN_STEP = 8, RUN = 3, HALF = 4 };

enum { FN_for_each_map_elem = 164, FN_find_vma = 180, FN_loop = 181, FN_user_ringbuf_drain = 209 };

/* Which register of the callback gets the call's context. */
static const struct { int32_t helper; int reg; } contexts[] = {
	{ FN_for_each_map_elem, 4 }, { FN_find_vma, 3 }, { FN_loop, 2 },
	{ FN_user_ringbuf_drain, 2 },
};

int callback_context(const struct insn *insn)
{
	if (insn->kind != INSN_CALL || insn->op != CALL_HELPER)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(contexts); i++)
		if (contexts[i].helper == insn->imm)
			return contexts[i].reg;
	return 0;
}

/* --- what each instruction does --- */

static struct place place_of(struct track track, struct place otherwise)
{
	struct place place = { .kind = PLACE_ANY };

	if (track.frame == TRACK_NONE)
		return otherwise;
	place.stacks = track_frames(track);
	if (track.frame < 0 || !track.count)
		return place;
	place.kind = PLACE_KNOWN;
	place.more = (uint8_t)(track.count - 1);
	place.sure = true;
	for (unsigned i = 0; i < track.count; i++)
		place.off[i] = track.off[i];
	return place;
}

/* Numbers, maps and functions are as found for exploration; stacks as looked at here. */
static int note_effect(struct env *env, struct stack_view *view, uint32_t pc,
		       const struct place *known, void *arg)
{
	struct look *look = arg;
	uint32_t at = pc - look->start;
	struct place regs[REG_COUNT];
	struct stack_effect effect;

	(void)view;
	if (!look->row[at].seen)
		return 0;
	for (int i = 2; callback_context(&env->insns[pc]) && i <= 3; i++)
		if (known[i].kind == PLACE_SUBPROG && !known[i].stacks)
			look->calls_back[at] = 1 + (uint32_t)known[i].off[0];
	for (unsigned i = 0; i < REG_COUNT; i++) {
		struct place otherwise = known[i].stacks ? (struct place){ .kind = PLACE_ANY }
							 : known[i];

		regs[i] = place_of(look->row[at].reg[i], otherwise);
	}
	stack_effect(env, NULL, pc, regs, &effect);
	for (unsigned f = 0; f <= look->depth; f++)
		if (effect.touched >> f & 1) {
			look->reads[f][at] = effect.reads[f];
			look->replaces[f][at] = effect.replaces[f];
		}
	return 0;
}

int look_effects(struct env *env, struct look *look)
{
	struct stack_view *view = env_alloc(env, sizeof(*view));
	int error = view ? 0 : -ENOMEM;

	look->calls_back = env_alloc(env, look->len * sizeof(*look->calls_back));
	if (!look->calls_back)
		error = -ENOMEM;
	for (unsigned f = 0; f <= look->depth && !error; f++) {
		look->reads[f] = env_alloc(env, look->len * sizeof(struct halves));
		look->replaces[f] = env_alloc(env, look->len * sizeof(struct halves));
		if (!look->reads[f] || !look->replaces[f])
			error = -ENOMEM;
	}
	if (!error) {
		view->subprog = look->subprog;
		view->start = look->start;
		view->len = look->len;
		error = follow_places(env, view, note_effect, look);
	}
	env_free(env, view);
	return error == -ENOMEM ? error : 0;
}

void look_adds_callee(struct look *look, uint32_t callsite, const struct look *callee)
{
	for (unsigned f = 0; f <= look->depth; f++) {
		struct halves *reads = &look->reads[f][callsite - look->start];

		*reads = halves_or(*reads, callee->entry[f]);
	}
}

/* What may be read of each stack from the function's start on. */
int look_solve(struct env *env, struct look *look)
{
	struct halves *live = env_alloc(env, look->len * sizeof(*live));
	uint32_t own[2];

	if (!live)
		return -ENOMEM;
	for (unsigned f = 0; f <= look->depth; f++) {
		bool changed = true;

		memset(live, 0, look->len * sizeof(*live));
		while (changed) {
			changed = false;
			for (uint32_t n = look->order_count; n-- > 0;) {
				uint32_t at = look->order[n] - look->start;
				unsigned count;
				const uint32_t *next = insn_successors(env, look->order[n], own, &count);
				struct halves after = HALVES_NONE;

				for (unsigned i = 0; i < count; i++)
					if (next[i] - look->start < look->len)
						after = halves_or(after, live[next[i] - look->start]);
				after = halves_or(look->reads[f][at],
						  halves_without(after, look->replaces[f][at]));
				changed |= !halves_equal(after, live[at]);
				live[at] = after;
			}
		}
		look->entry[f] = live[0];
	}
	env_free(env, live);
	return 0;
}

/* --- what is printed --- */

/* " fp0-8..-32 fp0-40h": three slots or more in a row as one, a half by its own address. */
static void trace_halves(struct env *env, unsigned frame, struct halves set)
{
	for (uint32_t s = 0; s < STACK_SLOTS; s++) {
		unsigned half = halves_of_slot(set, s);
		uint32_t end = s;

		if (!half)
			continue;
		while (half == (UPPER_HALF | LOWER_HALF) && end < STACK_SLOTS &&
		       halves_of_slot(set, end) == half)
			end++;
		if (end >= s + RUN) {
			trace(env, 2, " fp%u-%u..-%u", frame, (s + 1) * SLOT_SIZE, end * SLOT_SIZE);
			s = end - 1;
		} else if (end > s) {
			trace(env, 2, " fp%u-%u", frame, (s + 1) * SLOT_SIZE);
		} else {
			trace(env, 2, " fp%u-%uh", frame,
			      (s + 1) * SLOT_SIZE - (half == UPPER_HALF ? HALF : 0));
		}
	}
}

static bool any_of(struct halves *const rows[], const struct look *look, uint32_t at)
{
	for (unsigned f = 0; f <= look->depth; f++)
		if (!halves_equal(rows[f][at], HALVES_NONE))
			return true;
	return false;
}

static void trace_set(struct env *env, const char *name, struct halves *const rows[],
		      const struct look *look, uint32_t at)
{
	if (!any_of(rows, look, at))
		return;
	trace(env, 2, " %s:", name);
	for (unsigned f = look->depth + 1; f-- > 0;)
		trace_halves(env, f, rows[f][at]);
}

void trace_look_effects(struct env *env, const struct look *look)
{
	const char *name = env->subprog[look->subprog].name;

	trace(env, 2, "stack use/def subprog#%u%s%s (d%u,cs%u):\n", look->subprog,
	      name ? " " : "", name ? name : "", look->depth, look->callsite);
	for (uint32_t pc = look->start; pc < look->start + look->len; pc++) {
		uint32_t at = pc - look->start;
		size_t width;

		if (env->insns[pc].kind == INSN_PAD)
			continue;
		width = trace_numbered(env, pc);
		if (any_of(look->reads, look, at) || any_of(look->replaces, look, at)) {
			trace(env, 2, "%*s;", (int)(log_column(width) - width), "");
			trace_set(env, "use", look->reads, look, at);
			trace_set(env, "def", look->replaces, look, at);
		}
		trace(env, 2, "\n");
	}
}
