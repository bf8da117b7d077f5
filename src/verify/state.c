/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state.c - making, copying and freeing states, and simple changes to registers.
 *
 * A state owns its frames, a frame its slots; copies are deep. Blocks come from
 * the environment's arena and return to a list of their size class:
 *
 *   | class | the block's bytes ... |      four classes to a doubling
 *   16 bytes
 */
#include "verify/live_stack.h"

struct free_block {
	struct free_block *next;
};

struct block_head {
	_Alignas(16) uint32_t size_class;
};

enum { CLASS_COUNT = 64, CLASS_MIN = 32 };

static size_t class_size(unsigned c)
{
	size_t base = (size_t)CLASS_MIN << (c / 4);

	return base + base / 4 * (c % 4);
}

/* The smallest class with room for so many bytes. */
static unsigned class_of(size_t size)
{
	unsigned top;
	size_t base;

	if (size <= CLASS_MIN)
		return 0;
	top = 63 - (unsigned)__builtin_clzll(size - 1); /* base < size <= 2 * base */
	base = (size_t)1 << top;
	return (top - 5) * 4 + (unsigned)((size - base + base / 4 - 1) / (base / 4));
}

/* As env_alloc(), but what was there before may still be. */
static void *env_alloc_dirty(struct env *env, size_t size)
{
	unsigned c = class_of(size);
	struct block_head *head;

	if (c < CLASS_COUNT && env->free[c]) {
		struct free_block *block = env->free[c];

		env->free[c] = block->next;
		return block;
	}
	head = arena_alloc(&env->arena, sizeof(*head) + (c < CLASS_COUNT ? class_size(c) : size));
	if (!head)
		return NULL;
	head->size_class = c;
	return head + 1;
}

void *env_alloc(struct env *env, size_t size)
{
	void *ptr = env_alloc_dirty(env, size);

	return ptr ? memset(ptr, 0, size) : NULL;
}

void env_free(struct env *env, void *ptr)
{
	struct free_block *block = ptr;
	uint32_t c;

	if (!ptr)
		return;
	c = ((struct block_head *)ptr - 1)->size_class;
	if (c >= CLASS_COUNT)
		return;
	block->next = env->free[c];
	env->free[c] = block;
}

/* --- frames and states --- */

struct frame *frame_new(struct env *env, uint32_t subprog, int32_t callsite, uint32_t frameno)
{
	struct frame *frame = env_alloc(env, sizeof(*frame));

	if (!frame)
		return NULL;
	frame->subprog = subprog;
	frame->start = env->subprog[subprog].start;
	frame->name = env->subprog[subprog].name;
	frame->callsite = callsite;
	frame->frameno = (uint8_t)frameno;
	frame->uid = ++env->next_uid;
	if (callsite < 0)
		frame->view = root_view(env, subprog);
	reg_set_pointer(&frame->reg[REG_FP], REG_STACK, 0);
	frame->reg[REG_FP].frameno = (uint8_t)frameno;
	return frame;
}

void frame_free(struct env *env, struct frame *frame)
{
	if (!frame)
		return;
	env_free(env, frame->slot);
	env_free(env, frame->args);
	env_free(env, frame);
}

static struct frame *frame_copy(struct env *env, const struct frame *from)
{
	struct frame *frame = env_alloc_dirty(env, sizeof(*frame));

	if (!frame)
		return NULL;
	*frame = *from;
	frame->slot = NULL;
	frame->args = NULL;
	frame->slot_room = from->slots;
	if (from->args) {
		frame->args = env_alloc_dirty(env, sizeof(*frame->args));
		if (!frame->args) {
			env_free(env, frame);
			return NULL;
		}
		*frame->args = *from->args;
	}
	if (from->slots) {
		frame->slot = env_alloc_dirty(env, from->slots * sizeof(*frame->slot));
		if (!frame->slot) {
			env_free(env, frame->args);
			env_free(env, frame);
			return NULL;
		}
		memcpy(frame->slot, from->slot, from->slots * sizeof(*frame->slot));
	}
	return frame;
}

static void state_release(struct env *env, struct state *state)
{
	for (uint32_t i = 0; i < FRAMES_MAX; i++)
		frame_free(env, state->frame[i]);
	env_free(env, state->ref);
	env_free(env, state->step);
}

static int state_fill(struct env *env, struct state *to, const struct state *from)
{
	*to = *from;
	memset(to->frame, 0, sizeof(to->frame));
	to->ref = NULL;
	to->step = NULL;
	to->ref_size = to->step_size = 0;
	for (uint32_t i = 0; i <= from->depth; i++) {
		to->frame[i] = frame_copy(env, from->frame[i]);
		if (!to->frame[i])
			return -ENOMEM;
	}
	if (from->ref_count) {
		to->ref = env_alloc_dirty(env, from->ref_count * sizeof(*to->ref));
		if (!to->ref)
			return -ENOMEM;
		memcpy(to->ref, from->ref, from->ref_count * sizeof(*to->ref));
		to->ref_size = from->ref_count;
	}
	if (from->step_count) {
		to->step = env_alloc_dirty(env, from->step_count * sizeof(*to->step));
		if (!to->step)
			return -ENOMEM;
		memcpy(to->step, from->step, from->step_count * sizeof(*to->step));
		to->step_size = from->step_count;
	}
	return 0;
}

struct state *state_copy(struct env *env, const struct state *from)
{
	struct state *state = env_alloc_dirty(env, sizeof(*state));

	if (state && state_fill(env, state, from) < 0) {
		state_free(env, state);
		return NULL;
	}
	return state;
}

int state_assign(struct env *env, struct state *to, const struct state *from)
{
	state_release(env, to);
	return state_fill(env, to, from);
}

void state_free(struct env *env, struct state *state)
{
	if (!state)
		return;
	state_release(env, state);
	env_free(env, state);
}

static struct pending *push_pending(struct env *env, uint32_t insn, uint32_t prev)
{
	struct pending *pending = env_alloc(env, sizeof(*pending));

	if (!pending)
		return NULL;
	if (env->pending_count >= JUMPS_PENDING_MAX) {
		reject_as(env, SKEP_VERIFY_BIG, -E2BIG,
			  "The sequence of %u jumps is too complex.", env->pending_count + 1);
		return NULL;
	}
	pending->insn = insn;
	pending->prev = prev;
	pending->log_len = log_position(env);
	pending->next = env->pending;
	env->pending = pending;
	env->pending_count++;
	return pending;
}

struct state *push_state(struct env *env, uint32_t insn, uint32_t prev, bool speculative)
{
	struct pending *pending = push_pending(env, insn, prev);

	if (!pending)
		return NULL;
	pending->state = state_copy(env, env->cur);
	if (!pending->state)
		return NULL;
	pending->state->speculative |= speculative;
	pending->state->insn = insn;
	if (pending->state->parent)
		pending->state->parent->branches++;
	return pending->state;
}

struct state *push_async(struct env *env, uint32_t insn, uint32_t subprog, bool sleepable)
{
	struct pending *pending = push_pending(env, insn, env->pc);
	struct state *state;

	if (!pending)
		return NULL;
	state = env_alloc(env, sizeof(*state));
	if (!state)
		return NULL;
	pending->state = state;
	state->branches = 1; /* its own root: it has no parent to count it */
	state->in_sleepable = sleepable;
	state->insn = insn;
	state->frame[0] = frame_new(env, subprog, -1, 0);
	return state->frame[0] ? state : NULL;
}

/* --- registers --- */

void reg_set_not_init(struct reg *reg)
{
	memset(reg, 0, sizeof(*reg));
	reg->type = REG_NOT_INIT;
	reg->var = scalar_unknown();
}

void reg_set_scalar(struct env *env, struct reg *reg, struct scalar value)
{
	memset(reg, 0, sizeof(*reg));
	reg->type = REG_SCALAR;
	reg->precise = !env->cap_bpf;
	reg->var = value;
}

void reg_set_unknown(struct env *env, struct reg *reg)
{
	reg_set_scalar(env, reg, scalar_unknown());
}

void reg_set_const(struct env *env, struct reg *reg, uint64_t value)
{
	reg_set_scalar(env, reg, scalar_const(value));
}

void reg_set_pointer(struct reg *reg, enum reg_type type, uint32_t flags)
{
	memset(reg, 0, sizeof(*reg));
	reg->type = (uint8_t)type;
	reg->flags = flags;
	reg->var = scalar_const(0);
}

void clear_caller_saved(struct env *env, struct reg *regs)
{
	(void)env;
	for (int i = 0; i <= 5; i++)
		reg_set_not_init(&regs[i]);
}

void state_each_reg(struct env *env, struct state *state, reg_visit_fn *fn, void *arg)
{
	for (uint32_t f = 0; f <= state->depth; f++) {
		struct frame *frame = state->frame[f];

		for (int i = 0; i < REG_COUNT; i++)
			fn(env, &frame->reg[i], arg);
		for (uint32_t i = 0; i < frame->slots; i++)
			if (slot_is_spill(&frame->slot[i]))
				fn(env, &frame->slot[i].reg, arg);
		for (int i = 0; frame->args && i < INSN_STACK_ARGS_MAX; i++) {
			fn(env, &frame->args->in[i], arg);
			fn(env, &frame->args->out[i], arg);
		}
	}
}

/* What is left of a pointer to something gone. */
static void reg_invalidate(struct env *env, struct reg *reg)
{
	if (env->cap_perfmon)
		reg_set_unknown(env, reg);
	else
		reg_set_not_init(reg);
}

static bool is_packet_slice(const struct reg *reg)
{
	return reg->type == REG_MEM &&
	       (reg->flags & (REG_DYNPTR_SKB | REG_DYNPTR_XDP | REG_DYNPTR_SKB_META));
}

static void drop_packet(struct env *env, struct reg *reg, void *arg)
{
	(void)arg;
	if (reg_is_packet(reg) || reg->type == REG_PACKET_END || is_packet_slice(reg))
		reg_invalidate(env, reg);
}

void clear_packet_pointers(struct env *env)
{
	state_each_reg(env, env->cur, drop_packet, NULL);
}

static void drop_reference(struct env *env, struct reg *reg, void *arg)
{
	if (reg->ref_id == *(uint32_t *)arg)
		reg_invalidate(env, reg);
}

void invalidate_reference(struct env *env, uint32_t ref_id)
{
	state_each_reg(env, env->cur, drop_reference, &ref_id);
}
