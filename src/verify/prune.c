/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prune.c - has a state like this been explored here already?
 *
 * At pruning points the current state is compared with those kept there. One
 * that was found safe, and that allows everything the current one can be,
 * makes going on pointless. One that is still being explored and equal means
 * that nothing changes from one round to the next: an infinite loop. Otherwise
 * the current state may be kept as a checkpoint, and becomes the parent of
 * what follows.
 *
 * How exactly states are compared depends on what is known about the old one:
 *
 *   COVERS   all paths from it are done: what they never looked at is ignored
 *   WITHIN   it is part of a loop still being explored, so what will be looked
 *            at is not known yet: every range must be inside the old one
 *   EXACT    for infinite loops: nothing differs
 *
 * When a checkpoint is made, and when one is dropped, follows Linux: the
 * number of instructions processed is a limit that programs are written to.
 */
#include "verify/live_stack.h"
#include "verify/observe.h"

enum likeness { COVERS, WITHIN, EXACT };

/* --- ids: names that differ between states, but must name the same things --- */

enum { IDS_MAX = (REG_COUNT + STACK_SLOTS + 2 * INSN_STACK_ARGS_MAX) * FRAMES_MAX };

struct id_map {
	bool exact_numbers;      /* their bounds say how sums are masked (sanitize.c) */
	uint32_t count;
	struct { uint32_t old, cur; } pair[IDS_MAX];
};

static bool same_id(struct id_map *ids, uint32_t old, uint32_t cur)
{
	if (!old || !cur)
		return old == cur;
	for (uint32_t i = 0; i < ids->count; i++) {
		if (ids->pair[i].old == old)
			return ids->pair[i].cur == cur;
		if (ids->pair[i].cur == cur)
			return false;
	}
	if (ids->count == IDS_MAX)
		return false;
	ids->pair[ids->count].old = old;
	ids->pair[ids->count++].cur = cur;
	return true;
}

/* A number that was linked to none is covered by one that is. */
static bool same_scalar_id(struct id_map *ids, uint32_t old, uint32_t cur)
{
	return !old || (cur && same_id(ids, old, cur));
}

/* --- registers --- */

/* What the type says more: map, BTF type, size, frame ... */
static bool same_details(const struct reg *a, const struct reg *b)
{
	return a->frameno == b->frameno &&
	       !memcmp((const char *)a + offsetof(struct reg, range),
		       (const char *)b + offsetof(struct reg, range),
		       offsetof(struct reg, var) - offsetof(struct reg, range));
}

/* Which dynptr memory is a slice of is a matter of ids, as in same_ids(). */
static bool same_object(struct id_map *ids, const struct reg *old, const struct reg *cur)
{
	if (old->type != REG_MEM)
		return same_details(old, cur);
	return old->mem_size == cur->mem_size && same_id(ids, old->dynptr_id, cur->dynptr_id);
}

static bool same_ids(struct id_map *ids, const struct reg *old, const struct reg *cur)
{
	return same_id(ids, old->id, cur->id) && same_id(ids, old->ref_id, cur->ref_id);
}

static bool reg_exact(struct id_map *ids, const struct reg *old, const struct reg *cur)
{
	return old->type == cur->type && old->flags == cur->flags && old->off == cur->off &&
	       old->link_add == cur->link_add && old->link_off == cur->link_off &&
	       same_object(ids, old, cur) && !memcmp(&old->var, &cur->var, sizeof(old->var)) &&
	       same_ids(ids, old, cur);
}

static bool scalar_covers(struct id_map *ids, const struct reg *old, const struct reg *cur,
			  enum likeness like)
{
	if (ids->exact_numbers)
		return scalar_equal(old->var, cur->var) && old->link_off == cur->link_off &&
		       same_scalar_id(ids, old->id, cur->id);
	if (!old->precise && like == COVERS)
		return true;
	if (old->link_add != cur->link_add && old->id)
		return false;
	if (old->link_add && old->link_off != cur->link_off)
		return false;
	return scalar_in(old->var, cur->var) && same_scalar_id(ids, old->id, cur->id);
}

/* At least as much to read; known to be at or beyond the end only if old was. */
static bool range_covers(const struct reg *old, const struct reg *cur)
{
	if (old->range >= RANGE_BEYOND_END || cur->range >= RANGE_BEYOND_END)
		return old->range == cur->range;
	return old->range <= cur->range;
}

/* Is what was safe with old also safe with cur? */
static bool reg_covers(struct id_map *ids, const struct reg *old, const struct reg *cur,
		       enum likeness like)
{
	if (like == EXACT)
		return reg_exact(ids, old, cur);
	if (old->type == REG_NOT_INIT)
		return like == COVERS || cur->type == REG_NOT_INIT;
	if (old->type != cur->type || old->flags != cur->flags)
		return false;
	switch ((enum reg_type)old->type) {
	case REG_SCALAR:
		return scalar_covers(ids, old, cur, like);
	case REG_MAP_KEY:
	case REG_MAP_VALUE:
	case REG_MEM:
	case REG_BUF:
	case REG_TP_BUFFER:
		return old->off == cur->off && same_object(ids, old, cur) &&
		       scalar_in(old->var, cur->var) && same_ids(ids, old, cur);
	case REG_PACKET:
	case REG_PACKET_META:
		return range_covers(old, cur) && old->off == cur->off &&
		       same_ids(ids, old, cur) && scalar_in(old->var, cur->var);
	case REG_ARENA:
		return true;
	case REG_NOT_INIT:
	case REG_CTX:
	case REG_MAP:
	case REG_STACK:
	case REG_PACKET_END:
	case REG_FLOW_KEYS:
	case REG_SOCKET:
	case REG_SOCK_COMMON:
	case REG_TCP_SOCK:
	case REG_XDP_SOCK:
	case REG_BTF:
	case REG_FUNC:
	case REG_DYNPTR:
	case REG_INSN:
		return reg_exact(ids, old, cur);
	case REG_TYPE_COUNT:
		break;
	}
	__builtin_unreachable();
}

/* --- the stack --- */

/* Reading the slot gives a number: the spilled one, or an unknown one. NULL otherwise. */
static const struct reg *slot_number(const struct env *env, const struct slot *slot)
{
	static const struct reg unknown = { .type = REG_SCALAR,
		.var = { { 0, UINT64_MAX }, INT64_MIN, INT64_MAX, 0, UINT64_MAX, INT32_MIN,
			 INT32_MAX, 0, UINT32_MAX } };
	bool whole = true;

	for (int i = 0; i < SLOT_SIZE; i++)
		whole &= slot->byte[i] == SLOT_SPILL;
	if (whole)
		return slot->reg.type == REG_SCALAR ? &slot->reg : NULL;
	for (int i = 0; i < SLOT_SIZE; i++)
		if (slot->byte[i] != SLOT_MISC && slot->byte[i] != SLOT_POISON &&
		    !(env->cap_perfmon && slot->byte[i] == SLOT_INVALID))
			return NULL;
	return slot->byte[0] == SLOT_MISC ? &unknown : NULL;
}

/* All bytes of a slot at once, and what they are when all are of one kind. */
#define EVERY_BYTE(kind) ((uint64_t)(kind) * UINT64_C(0x0101010101010101))

static uint64_t every_byte(const struct slot *slot)
{
	uint64_t bytes;

	memcpy(&bytes, slot->byte, sizeof(bytes));
	return bytes;
}

static bool byte_covers(const struct env *env, uint8_t old, uint8_t cur)
{
	if (old == SLOT_INVALID || old == SLOT_POISON || (env->cap_perfmon && old == SLOT_MISC))
		return true;
	return old == cur || (old == SLOT_MISC && cur == SLOT_ZERO);
}

/* Both hold the same kind of thing; is it as safe? */
static bool slot_special_covers(struct id_map *ids, const struct slot *old,
				const struct slot *cur, enum likeness like)
{
	switch ((enum slot_byte)old->byte[0]) {
	case SLOT_SPILL:
		return reg_covers(ids, &old->reg, &cur->reg, like);
	case SLOT_DYNPTR:
		return old->reg.dynptr == cur->reg.dynptr &&
		       old->reg.dynptr_first == cur->reg.dynptr_first &&
		       old->reg.flags == cur->reg.flags && same_ids(ids, &old->reg, &cur->reg);
	case SLOT_ITER:
		return old->reg.iter_btf == cur->reg.iter_btf &&
		       old->reg.iter_btf_id == cur->reg.iter_btf_id &&
		       old->reg.flags == cur->reg.flags &&
		       old->reg.iter_state == cur->reg.iter_state &&
		       same_id(ids, old->reg.ref_id, cur->reg.ref_id);
	case SLOT_IRQ_FLAG:
		return old->reg.irq_kind == cur->reg.irq_kind &&
		       same_id(ids, old->reg.ref_id, cur->reg.ref_id);
	case SLOT_INVALID:
	case SLOT_MISC:
	case SLOT_ZERO:
	case SLOT_POISON:
		return true;
	}
	return false;
}

/* As slot_number(), of its low half alone, read as four bytes. */
static const struct reg *low_number(const struct env *env, const struct slot *slot)
{
	static const struct reg unknown = { .type = REG_SCALAR,
		.var = { { 0, UINT32_MAX }, 0, UINT32_MAX, 0, UINT32_MAX, INT32_MIN, INT32_MAX, 0,
			 UINT32_MAX } };
	enum { HALF = SLOT_SIZE / 2 };

	if (slot->byte[SLOT_SIZE - 1] == SLOT_SPILL)
		return NULL;
	if (slot->byte[HALF - 1] == SLOT_SPILL)
		return slot->reg.type == REG_SCALAR ? &slot->reg : NULL;
	for (int i = 0; i < HALF; i++)
		if (slot->byte[i] != SLOT_MISC &&
		    !(env->cap_perfmon && slot->byte[i] == SLOT_INVALID))
			return NULL;
	return slot->byte[0] == SLOT_MISC ? &unknown : NULL;
}

/* The low halves as numbers, the others byte by byte. */
static bool halves_cover(const struct env *env, struct id_map *ids, const struct slot *old,
			 const struct slot *cur, const struct reg *old_low,
			 const struct reg *cur_low, enum likeness like)
{
	for (int i = SLOT_SIZE / 2; i < SLOT_SIZE; i++)
		if (!byte_covers(env, old->byte[i], cur->byte[i]))
			return false;
	return reg_covers(ids, old_low, cur_low, like);
}

/* Of slots whose bytes are of different kinds. */
static bool mixed_slot_covers(const struct env *env, struct id_map *ids, const struct slot *old,
			      const struct slot *cur, enum likeness like)
{
	const struct reg *old_number = slot_number(env, old), *cur_number = slot_number(env, cur);
	const struct reg *old_low, *cur_low;

	if (old_number && cur_number)
		return reg_covers(ids, old_number, cur_number, like);
	old_low = low_number(env, old);
	cur_low = low_number(env, cur);
	if (old_low && cur_low)
		return halves_cover(env, ids, old, cur, old_low, cur_low, like);
	for (int i = 0; i < SLOT_SIZE; i++)
		if (!byte_covers(env, old->byte[i], cur->byte[i]))
			return false;
	/* A spill of privileged programs that became bytes has been compared above. */
	if (old->byte[0] != cur->byte[0])
		return true;
	return slot_special_covers(ids, old, cur, like);
}

static bool slot_covers(const struct env *env, struct id_map *ids, const struct slot *old,
			const struct slot *cur, enum likeness like)
{
	uint64_t was = every_byte(old), is = every_byte(cur);

	if (like == EXACT && was != is)
		return false;
	if (was == EVERY_BYTE(SLOT_INVALID) || was == EVERY_BYTE(SLOT_POISON))
		return true;
	if (was != is)
		return mixed_slot_covers(env, ids, old, cur, like);
	if (was == EVERY_BYTE(SLOT_SPILL))
		return reg_covers(ids, &old->reg, &cur->reg, like);
	if (was == EVERY_BYTE(SLOT_MISC) || was == EVERY_BYTE(SLOT_ZERO))
		return true;
	return mixed_slot_covers(env, ids, old, cur, like);
}

/* A state with fewer slots has nothing in the others. */
static const struct slot *slot_at(const struct frame *frame, uint32_t i)
{
	static const struct slot nothing;

	return i < frame->slots ? &frame->slot[i] : &nothing;
}

static bool differ_at(struct difference *differ, bool in_stack, const struct frame *frame,
		      uint32_t index)
{
	*differ = (struct difference){ true, in_stack, frame->frameno, (uint8_t)index };
	return false;
}

static bool stack_covers(const struct env *env, struct id_map *ids, const struct frame *old,
			 const struct frame *cur, enum likeness like, struct difference *differ)
{
	uint32_t slots = MAX(old->slots, cur->slots);

	if (like != EXACT) /* what old has not, nothing of what follows it read */
		slots = old->slots;
	for (uint32_t i = 0; i < slots; i++)
		if (!slot_covers(env, ids, slot_at(old, i), slot_at(cur, i), like))
			return differ_at(differ, true, cur, i);
	return true;
}

static bool arg_covers(struct id_map *ids, const struct reg *old, const struct reg *cur,
		       enum likeness like)
{
	return (old->type == REG_NOT_INIT && cur->type == REG_NOT_INIT) ||
	       reg_covers(ids, old, cur, like);
}

/* Those that a function can no longer read are not there any more. */
static bool args_cover(struct id_map *ids, const struct frame *old, const struct frame *cur,
		       enum likeness like)
{
	static const struct stack_args none; /* REG_NOT_INIT */
	const struct stack_args *a = old->args ? old->args : &none;
	const struct stack_args *b = cur->args ? cur->args : &none;

	if (a == b)
		return true;
	for (int i = 0; i < INSN_STACK_ARGS_MAX; i++)
		if (!arg_covers(ids, &a->in[i], &b->in[i], like) ||
		    !arg_covers(ids, &a->out[i], &b->out[i], like))
			return false;
	return true;
}

/* --- states --- */

static bool refs_cover(struct id_map *ids, const struct state *old, const struct state *cur)
{
	if (old->ref_count != cur->ref_count || old->active_locks != cur->active_locks ||
	    old->active_preempt != cur->active_preempt || old->active_rcu != cur->active_rcu ||
	    old->active_lock_ptr != cur->active_lock_ptr ||
	    !same_id(ids, old->active_lock_id, cur->active_lock_id) ||
	    !same_id(ids, old->active_irq, cur->active_irq))
		return false;
	for (uint32_t i = 0; i < old->ref_count; i++)
		if (old->ref[i].kind != cur->ref[i].kind || old->ref[i].ptr != cur->ref[i].ptr ||
		    !same_id(ids, old->ref[i].id, cur->ref[i].id) ||
		    !same_id(ids, old->ref[i].parent, cur->ref[i].parent))
			return false;
	return true;
}

/* Where execution goes on in a frame: after the call for those that wait. */
static uint32_t frame_insn(const struct state *state, uint32_t frameno)
{
	return frameno == state->depth ? state->insn
				       : (uint32_t)state->frame[frameno + 1]->callsite;
}

static bool frame_covers(const struct env *env, struct id_map *ids, const struct frame *old,
			 const struct frame *cur, uint32_t insn, enum likeness like,
			 struct difference *differ)
{
	uint16_t live = env->info[insn].live | 1u << REG_FP;

	if (old->callsite != cur->callsite || old->subprog != cur->subprog ||
	    old->in_callback != cur->in_callback || old->callback_depth > cur->callback_depth)
		return false;
	for (int i = 0; i < REG_COUNT; i++)
		if (live >> i & 1 && !reg_covers(ids, &old->reg[i], &cur->reg[i], like))
			return differ_at(differ, false, cur, (uint32_t)i);
	return stack_covers(env, ids, old, cur, like, differ) && args_cover(ids, old, cur, like);
}

/* Do they differ where others did? Without ids seen before, less differs, never more. */
static bool differ_again(struct env *env, struct id_map *ids, const struct state *old,
			 const struct state *cur, enum likeness like)
{
	struct difference *differ = &env->info[cur->insn].differ;
	const struct frame *a, *b;
	bool covers;

	if (!differ->known || differ->frame > cur->depth)
		return false;
	a = old->frame[differ->frame];
	b = cur->frame[differ->frame];
	if (differ->in_stack)
		covers = (like != EXACT && differ->index >= a->slots) ||
			 slot_covers(env, ids, slot_at(a, differ->index),
				     slot_at(b, differ->index), like);
	else
		covers = !(env->info[frame_insn(old, differ->frame)].live >> differ->index & 1) ||
			 reg_covers(ids, &a->reg[differ->index], &b->reg[differ->index], like);
	ids->count = 0;
	return !covers;
}

static bool state_covers(struct env *env, const struct state *old, const struct state *cur,
			 enum likeness like)
{
	struct id_map ids;

	ids.count = 0;
	ids.exact_numbers = env->explore_alu_limits;
	if (old->depth != cur->depth || differ_again(env, &ids, old, cur, like))
		return false;
	if ((old->speculative && !cur->speculative) ||
	    old->in_sleepable != cur->in_sleepable || !refs_cover(&ids, old, cur))
		return false;
	for (uint32_t i = 0; i <= old->depth; i++)
		if (!frame_covers(env, &ids, old->frame[i], cur->frame[i], frame_insn(old, i),
				  like, &env->info[cur->insn].differ))
			return false;
	return true;
}

/* --- loops whose end is found by exploring them --- */

static bool iter_depths_differ(const struct state *old, const struct state *cur)
{
	for (uint32_t f = 0; f <= old->depth; f++) {
		const struct frame *a = old->frame[f], *b = cur->frame[f];

		for (uint32_t i = 0; i < a->slots && i < b->slots; i++)
			if (b->slot[i].byte[0] == SLOT_ITER &&
			    b->slot[i].reg.iter_state == ITER_ACTIVE &&
			    a->slot[i].reg.iter_depth != b->slot[i].reg.iter_depth)
				return true;
	}
	return false;
}

/* Is the iterator that the call at pc steps still running? */
static bool iter_running(struct env *env)
{
	const struct reg *arg = &state_regs(env->cur)[1];
	const struct frame *frame;
	int slot;

	if (arg->type != REG_STACK || !scalar_is_const(arg->var))
		return false;
	frame = stack_frame(env, arg);
	slot = slot_of(arg->off + (int32_t)arg->var.bits.value);
	return slot >= 0 && (uint32_t)slot < frame->slots &&
	       frame->slot[slot].byte[0] == SLOT_ITER &&
	       frame->slot[slot].reg.iter_state == ITER_ACTIVE;
}

/* --- the question --- */

enum match { MISS, HIT, LOOPS };

static bool same_async_entry(const struct state *old, const struct state *cur)
{
	const struct frame *a = old->frame[old->depth], *b = cur->frame[cur->depth];

	return !a->in_async || a->async_entries == b->async_entries;
}

/*
 * Against a state on the current path. The places where loops are expected to
 * converge (iterators, may_goto, callbacks) end there when nothing new is
 * added; elsewhere the same state again is an infinite loop.
 */
static enum match match_unfinished(struct env *env, struct state *old, bool *limit_states)
{
	struct state *cur = env->cur;
	const struct insn_info *info = &env->info[env->pc];

	*limit_states = true;
	if (old->depth == cur->depth && !same_async_entry(old, cur))
		return MISS;
	if (info->is_iter_next) {
		return iter_running(env) && state_covers(env, old, cur, WITHIN) ? HIT : MISS;
	}
	if (env->insns[env->pc].kind == INSN_MAY_GOTO &&
	    old->may_goto_depth != cur->may_goto_depth && state_covers(env, old, cur, WITHIN))
		return HIT;
	if (info->calls_callback)
		return state_covers(env, old, cur, WITHIN) ? HIT : MISS;
	if (state_covers(env, old, cur, EXACT) && !iter_depths_differ(old, cur) &&
	    old->may_goto_depth == cur->may_goto_depth &&
	    old->callback_unroll == cur->callback_unroll)
		return LOOPS;
	return MISS;
}

static enum match match_finished(struct env *env, struct state *old)
{
	return state_covers(env, old, env->cur, loop_open(old) ? WITHIN : COVERS) ? HIT : MISS;
}

static int report_loop(struct env *env, const struct state *old)
{
	int error = reject_as(env, SKEP_VERIFY_LOOP, -EINVAL,
			      "infinite loop detected at insn %u", env->pc);

	trace(env, 3, "cur state:");
	trace_state(env, 3, env->cur, env->cur->depth, true);
	trace(env, 3, "\nold state:");
	trace_state(env, 3, old, old->depth, true);
	trace(env, 3, "\n");
	return error;
}

static int accept_match(struct env *env, struct explored *match)
{
	struct state *old = match->state;
	bool changed = false;
	int error = propagate_precision(env, old, env->cur, &changed);

	match->hits++;
	if (env->observer && env->observer->prune)
		env->observer->prune(env->observer->arg, env, old, old->branches || loop_open(old));
	if (!error && (old->branches || loop_open(old)))
		error = close_loop(env, old);
	return error;
}

/* --- keeping states --- */

/* States that keep missing only cost comparisons. */
static bool worth_keeping(const struct env *env, const struct explored *explored)
{
	uint32_t patience = env->info[explored->insn].force_checkpoint && explored->state->branches
				    ? 64 : 3;

	return explored->misses <= explored->hits * patience + patience;
}

static void drop_explored(struct env *env, struct explored **link)
{
	struct explored *explored = *link;

	*link = explored->next;
	state_retire(env, explored->state);
	env_free(env, explored);
}

static void forget_precision(struct env *env, struct reg *reg, void *arg)
{
	(void)env, (void)arg;
	if (reg->type == REG_SCALAR)
		reg->precise = false;
}

/*
 * A number whose id no other shares is linked to nothing; without the id the
 * state covers more.
 */
struct id_counts {
	uint32_t count;
	struct { uint32_t id, uses; } row[IDS_MAX];
};

static void count_id(struct env *env, struct reg *reg, void *arg)
{
	struct id_counts *ids = arg;

	(void)env;
	if (reg->type != REG_SCALAR || !reg->id)
		return;
	for (uint32_t i = 0; i < ids->count; i++)
		if (ids->row[i].id == reg->id) {
			ids->row[i].uses++;
			return;
		}
	if (ids->count < IDS_MAX) {
		ids->row[ids->count].id = reg->id;
		ids->row[ids->count++].uses = 1;
	}
}

static void drop_single_id(struct env *env, struct reg *reg, void *arg)
{
	const struct id_counts *ids = arg;

	(void)env;
	if (reg->type != REG_SCALAR || !reg->id)
		return;
	for (uint32_t i = 0; i < ids->count; i++)
		if (ids->row[i].id == reg->id && ids->row[i].uses == 1) {
			reg->id = 0;
			reg->link_add = false;
			reg->link_off = 0;
		}
}

static void drop_single_ids(struct env *env)
{
	struct id_counts ids;

	ids.count = 0;
	state_each_reg(env, env->cur, count_id, &ids);
	state_each_reg(env, env->cur, drop_single_id, &ids);
}

static void start_stretch(struct env *env, struct state *parent)
{
	struct state *cur = env->cur;

	cur->parent = parent;
	cur->path_depth = parent->path_depth + 1;
	cur->first_insn = env->pc;
	cur->step_count = 0;
	cur->history = cur->history_at = 0;
	cur->loop = NULL;
	cur->edges = NULL;
	cur->is_loop_head = cur->all_precise = false;
}

/*
 * The list for this instruction as reached by this call: those of other calls
 * never match, and would only count as misses of what is kept for them.
 */
static struct explored **explored_here(struct env *env)
{
	uint32_t callsite = (uint32_t)state_frame(env->cur)->callsite;

	return &env->explored[(env->pc ^ callsite) % env->len];
}

static bool belongs_here(const struct env *env, const struct explored *explored)
{
	return explored->insn == env->pc &&
	       state_frame(explored->state)->callsite == state_frame(env->cur)->callsite;
}

static int keep_state(struct env *env)
{
	struct explored *explored = env_alloc(env, sizeof(*explored));

	if (!explored)
		return -ENOMEM;
	if (env->cap_bpf)
		state_each_reg(env, env->cur, forget_precision, NULL);
	drop_single_ids(env);
	explored->state = state_copy(env, env->cur);
	if (!explored->state)
		return -ENOMEM;
	explored->insn = env->pc;
	explored->state->insn = env->pc;
	explored->next = *explored_here(env);
	*explored_here(env) = explored;
	env->states_total++;
	env->states_now++;
	env->states_peak = MAX(env->states_peak, env->states_now);
	env->jumps_at_checkpoint = env->jumps;
	env->insn_at_checkpoint = env->processed;
	start_stretch(env, explored->state);
	if (env->observer && env->observer->keep)
		env->observer->keep(env->observer->arg, env, explored->state);
	return 0;
}

enum {
	HISTORY_MAX = 40,           /* a stretch with more to remember gets a checkpoint */
	CHECKPOINT_JUMPS = 2, CHECKPOINT_INSNS = 8,
	LOOP_JUMPS = 20, LOOP_INSNS = 100, /* inside loops: more rarely */
};

static bool due(const struct env *env, uint32_t jumps, uint32_t insns)
{
	return env->jumps - env->jumps_at_checkpoint >= jumps ||
	       env->processed - env->insn_at_checkpoint >= insns;
}

/*
 * How many steps of the stretch Linux would have recorded: where paths join,
 * stack accesses, branches on linked numbers.
 */
static uint32_t history_length(struct env *env)
{
	struct state *cur = env->cur;

	for (; cur->history_at < cur->step_count; cur->history_at++) {
		const struct step *step = &cur->step[cur->history_at];

		cur->history += env->info[step->insn].jump_point || step->stack_access ||
				step->linked || step->linked_slots;
	}
	return cur->history;
}

int check_visited(struct env *env)
{
	struct explored **link = explored_here(env);
	bool force = (env->flags & SKEP_VERIFY_STATE_FREQ) ||
		     env->info[env->pc].force_checkpoint ||
		     history_length(env) > HISTORY_MAX;
	bool keep = force ||
		    (env->jumps - env->jumps_at_checkpoint >= CHECKPOINT_JUMPS &&
		     env->processed - env->insn_at_checkpoint >= CHECKPOINT_INSNS);
	uint32_t seen = 0;

	env->cur->insn = env->pc;
	forget_dead(env);
	while (*link) {
		struct explored *explored = *link;
		bool limit = false;
		enum match match;

		seen++;
		if (!belongs_here(env, explored)) {
			link = &explored->next;
			continue;
		}
		match = explored->state->branches
				? match_unfinished(env, explored->state, &limit)
				: match_finished(env, explored->state);
		if (match == LOOPS)
			return report_loop(env, explored->state);
		if (match == HIT) {
			int error = accept_match(env, explored);

			return error < 0 ? error : 1;
		}
		if (limit && !force && !due(env, LOOP_JUMPS, LOOP_INSNS))
			keep = false;
		if (keep)
			explored->misses++;
		if (worth_keeping(env, explored))
			link = &explored->next;
		else
			drop_explored(env, link);
	}
	env->states_per_insn_max = MAX(env->states_per_insn_max, seen);
	if (!keep || (!env->cap_bpf && seen > STATES_PER_INSN_MAX))
		return 0;
	return keep_state(env);
}
