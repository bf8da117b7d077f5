/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * path.c - the path that failed, recorded: what each step of it changed.
 *
 * Two watched runs. The first one names every step with a number and keeps the
 * number of the step before it, so that the last step's ancestors are the path.
 * The second one, which takes the same steps, compares the state at each step of
 * that path with the one before and keeps what is different:
 *
 *   place        r1      r2      fp-8            each a list of (moment, value),
 *                |       |       |               newest first
 *   moment 7     pkt
 *   moment 4             0..255  5
 *   moment 0     ctx
 */
#include "verify/path.h"

/* --- first run --- */

static void name_step(void *arg, struct env *env)
{
	struct path_finder *finder = arg;
	uint32_t *parent = vec_push(&finder->parents);

	if (!parent) {
		finder->failed = true;
		return;
	}
	*parent = env->cur->mark;
	env->cur->mark = (uint32_t)finder->parents.count; /* from 1 on */
}

struct verify_observer path_finder(struct path_finder *finder)
{
	return (struct verify_observer){ .arg = finder, .step = name_step };
}

bool path_choose(struct path_finder *finder)
{
	uint32_t last = (uint32_t)finder->parents.count, length = 0, at = 0;

	finder->chosen = calloc(finder->parents.count + 1, 1);
	if (finder->failed || !finder->chosen)
		return false;
	for (uint32_t step = last; step; step = finder->parents.items[step - 1])
		length++;
	for (uint32_t step = last; step; step = finder->parents.items[step - 1], at++)
		finder->chosen[step] = at < PATH_TAIL_STEPS || at + PATH_HEAD_STEPS >= length;
	return true;
}

void path_finder_done(struct path_finder *finder)
{
	vec_done(&finder->parents);
	free(finder->chosen);
	finder->chosen = NULL;
}

/* --- second run --- */

/* What does not say anything about the value. */
static struct reg without_marks(const struct reg *reg)
{
	struct reg plain = *reg;

	plain.precise = plain.subreg_only = plain.link_add = false;
	plain.id = 0;
	plain.link_off = 0;
	return plain;
}

static bool same_reg(const struct reg *a, const struct reg *b)
{
	struct reg x = without_marks(a), y = without_marks(b);

	return memcmp(&x, &y, sizeof(x)) == 0;
}

static void keep(struct path_recorder *r, uint32_t place, const struct reg *reg,
		 const uint8_t *bytes)
{
	struct path *path = r->path;
	struct change *change = vec_push(&path->changes);
	uint32_t *index;

	if (!change) {
		r->failed = true;
		return;
	}
	change->moment = (uint32_t)path->moments.count - 1;
	change->before = path->last[place];
	change->place = (uint16_t)place;
	change->reg = *reg;
	if (bytes)
		memcpy(change->byte, bytes, SLOT_SIZE);
	path->last[place] = (uint32_t)path->changes.count;
	index = vec_push(&path->of_place[place]);
	if (index)
		*index = (uint32_t)path->changes.count - 1;
	else
		r->failed = true;
}

static void record_reg(struct path_recorder *r, uint32_t place, const struct reg *reg, bool fresh)
{
	uint32_t last = r->path->last[place];

	if (fresh || !last || !same_reg(&r->path->changes.items[last - 1].reg, reg))
		keep(r, place, reg, NULL);
}

static void record_slot(struct path_recorder *r, uint32_t place, const struct slot *slot,
			bool fresh)
{
	static const struct slot empty;
	uint32_t last = r->path->last[place];
	const struct change *old = last ? &r->path->changes.items[last - 1] : NULL;
	const struct slot *now = slot ? slot : &empty;

	if (!old && !slot)
		return;
	if (fresh || !old || memcmp(old->byte, now->byte, SLOT_SIZE) != 0 ||
	    (slot_is_spill(now) && !same_reg(&old->reg, &now->reg)))
		keep(r, place, &now->reg, now->byte);
}

static void record_frame(struct path_recorder *r, const struct frame *frame, uint32_t f)
{
	bool fresh = r->path->frame_uid[f] != frame->uid;

	r->path->frame_uid[f] = frame->uid;
	for (unsigned i = 0; i < REG_COUNT; i++)
		record_reg(r, place_reg(f, i), &frame->reg[i], fresh);
	for (unsigned i = 0; i < STACK_SLOTS; i++)
		record_slot(r, place_slot(f, i), i < frame->slots ? &frame->slot[i] : NULL, fresh);
}

static void record_step(void *arg, struct env *env)
{
	struct path_recorder *r = arg;
	struct moment *moment;

	if (r->failed || ++r->step > r->finder->parents.count || !r->finder->chosen[r->step])
		return;
	moment = vec_push(&r->path->moments);
	if (!moment) {
		r->failed = true;
		return;
	}
	*moment = (struct moment){
		.insn = env->pc, .depth = (uint8_t)env->cur->depth,
		.locks = (uint8_t)env->cur->active_locks, .rcu = (uint8_t)env->cur->active_rcu,
		.preempt = (uint8_t)env->cur->active_preempt, .irq = (uint8_t)env->cur->active_irq,
		.gap = r->finder->parents.items[r->step - 1] != r->last,
	};
	r->path->cut |= moment->gap;
	r->last = r->step;
	for (uint32_t f = 0; f <= env->cur->depth; f++)
		record_frame(r, env->cur->frame[f], f);
}

static void record_remark(void *arg, const char *line)
{
	struct path_recorder *r = arg;

	snprintf(r->remark, sizeof(r->remark), "%s", line);
}

struct verify_observer path_recorder(struct path_recorder *recorder)
{
	return (struct verify_observer){ .arg = recorder, .step = record_step,
					 .remark = record_remark };
}

/* --- questions --- */

const struct change *path_value(const struct path *path, uint32_t moment, uint32_t place)
{
	const uint32_t *indices = path->of_place[place].items;
	size_t low = 0, high = path->of_place[place].count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (path->changes.items[indices[middle]].moment <= moment)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &path->changes.items[indices[low - 1]] : NULL;
}

static int fill_frame(struct env *env, const struct path *path, uint32_t moment,
		      struct frame *frame, uint32_t f)
{
	const struct change *change;

	for (unsigned i = 0; i < REG_COUNT; i++)
		if ((change = path_value(path, moment, place_reg(f, i))))
			frame->reg[i] = change->reg;
	frame->slot = env_alloc(env, STACK_SLOTS * sizeof(*frame->slot));
	if (!frame->slot)
		return -ENOMEM;
	frame->slots = STACK_SLOTS;
	for (unsigned i = 0; i < STACK_SLOTS; i++)
		if ((change = path_value(path, moment, place_slot(f, i)))) {
			frame->slot[i].reg = change->reg;
			memcpy(frame->slot[i].byte, change->byte, SLOT_SIZE);
		}
	return 0;
}

struct state *path_state(struct env *env, const struct path *path, uint32_t moment)
{
	struct state *state = env_alloc(env, sizeof(*state));

	if (!state)
		return NULL;
	state->depth = path->moments.items[moment].depth;
	for (uint32_t f = 0; f <= state->depth; f++) {
		state->frame[f] = frame_new(env, 0, -1, f);
		if (!state->frame[f] || fill_frame(env, path, moment, state->frame[f], f) < 0)
			return NULL;
	}
	return state;
}

int64_t path_find(const struct path *path, uint32_t before, uint32_t insn)
{
	for (int64_t i = (int64_t)before - 1; i >= 0; i--)
		if (path->moments.items[i].insn == insn)
			return i;
	return -1;
}

void path_done_recording(struct path *path)
{
	vec_done(&path->moments);
	vec_done(&path->changes);
	for (size_t i = 0; i < PLACES; i++)
		vec_done(&path->of_place[i]);
}
