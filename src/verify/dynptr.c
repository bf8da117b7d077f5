/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dynptr.c - dynptrs on the stack: making, using, giving up, destroying.
 *
 *      fp-16              fp-8
 *   | slot n: first | slot n-1: second |     the program may not touch them
 *
 * Slices of a dynptr (memory from bpf_dynptr_data()) name it by id and die with
 * it; those of packets also when the packet changes. A clone is a dynptr of its
 * own, but shares the reference of the one it was made from: giving that up ends
 * all of them.
 */
#include "verify/call.h"
#include "verify/passes.h"

static const char *const kind_names[] = {
	[DYNPTR_NONE] = "invalid", [DYNPTR_LOCAL] = "local", [DYNPTR_RINGBUF] = "ringbuf",
	[DYNPTR_SKB] = "skb", [DYNPTR_XDP] = "xdp", [DYNPTR_SKB_META] = "skb_meta",
	[DYNPTR_FILE] = "file",
};

const char *dynptr_kind_name(enum dynptr_kind kind)
{
	return kind_names[kind];
}

bool dynptr_kind_has_reference(enum dynptr_kind kind)
{
	return kind == DYNPTR_RINGBUF || kind == DYNPTR_FILE;
}

/* The first slot a dynptr argument stands on; false: it cannot stand there, which was said. */
static bool dynptr_slot(struct env *env, int regno, uint32_t *slot)
{
	const struct reg *reg = call_arg(env, regno);
	int64_t off;

	if (!scalar_is_const(reg->var)) {
		explain(env, "dynptr has to be at a constant offset");
		return false;
	}
	off = reg->off + (int64_t)reg->var.umin;
	if (off % SLOT_SIZE || off > -2 * SLOT_SIZE || off < -INSN_STACK_SIZE) {
		explain(env, "cannot pass in dynptr at an offset=%lld", (long long)off);
		return false;
	}
	*slot = (uint32_t)slot_of((int32_t)off);
	return true;
}

static bool is_dynptr_slot(const struct frame *frame, uint32_t slot)
{
	return slot < frame->slots && frame->slot[slot].byte[0] == SLOT_DYNPTR;
}

static bool is_dynptr(const struct frame *frame, uint32_t slot)
{
	return slot > 0 && is_dynptr_slot(frame, slot) && is_dynptr_slot(frame, slot - 1) &&
	       frame->slot[slot].reg.dynptr_first;
}

/* --- destroying --- */

static void forget_slice(struct env *env, struct reg *reg, void *arg)
{
	if (reg->type == REG_MEM && reg->dynptr_id == *(const uint32_t *)arg)
		forget_pointer(env, reg);
}

static void invalidate_dynptr(struct env *env, struct frame *frame, uint32_t slot)
{
	uint32_t id = frame->slot[slot].reg.id;

	slot_set_invalid(&frame->slot[slot]);
	slot_set_invalid(&frame->slot[slot - 1]);
	if (id)
		state_each_reg(env, env->cur, forget_slice, &id);
}

/* How many dynptrs share a reference. */
static unsigned dynptrs_with(const struct state *state, uint32_t ref_id)
{
	unsigned count = 0;

	for (uint32_t f = 0; f <= state->depth; f++)
		for (uint32_t i = 1; i < state->frame[f]->slots; i++)
			if (is_dynptr(state->frame[f], i) &&
			    state->frame[f]->slot[i].reg.ref_id == ref_id)
				count++;
	return count;
}

void forget_dynptrs(struct env *env, uint32_t ref_id)
{
	struct state *state = env->cur;

	for (uint32_t f = 0; f <= state->depth; f++)
		for (uint32_t i = 1; i < state->frame[f]->slots; i++)
			if (is_dynptr(state->frame[f], i) &&
			    state->frame[f]->slot[i].reg.ref_id == ref_id)
				invalidate_dynptr(env, state->frame[f], i);
}

int stack_destroy_special(struct env *env, struct frame *frame, uint32_t slot)
{
	const struct reg *reg;

	if (!is_dynptr_slot(frame, slot))
		return 0;
	if (!frame->slot[slot].reg.dynptr_first)
		slot++;
	if (!is_dynptr(frame, slot))
		return 0;
	reg = &frame->slot[slot].reg;
	if (dynptr_kind_has_reference(reg->dynptr) && dynptrs_with(env->cur, reg->ref_id) <= 1)
		return reject_as(env, SKEP_VERIFY_REF, -EINVAL,
				 "cannot overwrite referenced dynptr");
	invalidate_dynptr(env, frame, slot);
	return 0;
}

/* --- making --- */

static int make_dynptr(struct env *env, uint32_t pc, int regno, enum dynptr_kind kind,
		       uint32_t source_ref, bool is_clone)
{
	struct frame *frame;
	uint32_t slot, ref_id = source_ref, id;
	int error;

	if (!dynptr_slot(env, regno, &slot))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "Dynptr has to be an uninitialized dynptr");
	error = check_stack_bounds(env, regno, 0, 2 * SLOT_SIZE, ACCESS_WRITE, true);
	frame = stack_frame(env, call_arg(env, regno));
	/* Either half may be part of a dynptr that ends here. */
	for (uint32_t i = 0; error == 0 && i < 2; i++)
		error = stack_destroy_special(env, frame, slot - i);
	if (error < 0)
		return error;
	/* A clone shares the reference. */
	if (dynptr_kind_has_reference(kind) && !is_clone) {
		int acquired = acquire_child_reference(env, pc, source_ref);

		if (acquired < 0)
			return acquired;
		ref_id = (uint32_t)acquired;
	}
	id = new_id(env);
	for (uint32_t i = 0; i < 2; i++) {
		struct slot *s = &frame->slot[slot - i];

		show_slot(env, (uint32_t)(slot - i));
		memset(s->byte, SLOT_DYNPTR, sizeof(s->byte));
		reg_set_pointer(&s->reg, REG_DYNPTR, 0);
		s->reg.dynptr = (uint8_t)kind;
		s->reg.dynptr_first = i == 0;
		show_slot(env, slot - i);
		s->reg.id = id;
		s->reg.ref_id = ref_id;
	}
	return 0;
}

/* --- using --- */

static int find_dynptr(struct env *env, int regno, const struct reg **dynptr)
{
	const struct reg *reg = call_arg(env, regno);
	struct frame *frame;
	uint32_t slot;

	if (reg->type == REG_DYNPTR) {
		*dynptr = reg;
		return 0;
	}
	frame = stack_frame(env, reg);
	if (!dynptr_slot(env, regno, &slot) || !is_dynptr(frame, slot))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "Expected an initialized dynptr as R%d", regno);
	*dynptr = &frame->slot[slot].reg;
	return 0;
}

/* The log tells what it is given. */
static void show_dynptr(struct env *env, const struct reg *reg)
{
	uint32_t slot = (uint32_t)slot_of((int32_t)(reg->off + (int32_t)reg->var.bits.value));

	show_slot(env, slot);
}

int check_dynptr_arg(struct env *env, struct call_check *call, int regno, bool uninit,
		     enum dynptr_kind kind, uint32_t source_ref)
{
	const struct reg *reg = call_arg(env, regno), *dynptr = NULL;
	int error;

	if (reg->type != REG_STACK && reg->type != REG_DYNPTR)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "R%d expected pointer to stack or const struct bpf_dynptr", regno);
	if (uninit) {
		if (reg->type == REG_DYNPTR)
			return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
					 "Dynptr has to be an uninitialized dynptr");
		return make_dynptr(env, call->pc, regno, kind, source_ref, call->dynptr_id);
	}
	error = reg->type == REG_DYNPTR ? check_ptr_off(env, reg, regno, false) : 0;
	if (error == 0)
		error = find_dynptr(env, regno, &dynptr);
	if (error < 0)
		return error;
	if (kind != DYNPTR_NONE && dynptr->dynptr != kind)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "Expected a dynptr of type %s as R%d", kind_names[kind], regno);
	if (reg->type == REG_STACK)
		show_dynptr(env, reg);
	call->dynptr_id = dynptr->id;
	call->dynptr_ref = dynptr->ref_id;
	call->dynptr_kind = dynptr->dynptr;
	return 0;
}

void set_slice(struct reg *slice, const struct call_check *call)
{
	slice->dynptr_id = call->dynptr_id;
	slice->ref_id = call->dynptr_ref;
}

void set_typed_slice(struct reg *slice, const struct call_check *call)
{
	static const uint32_t kinds[] = {
		[DYNPTR_NONE] = 0, [DYNPTR_LOCAL] = REG_DYNPTR_LOCAL,
		[DYNPTR_RINGBUF] = REG_DYNPTR_RINGBUF, [DYNPTR_SKB] = REG_DYNPTR_SKB,
		[DYNPTR_XDP] = REG_DYNPTR_XDP, [DYNPTR_SKB_META] = REG_DYNPTR_SKB_META,
		[DYNPTR_FILE] = REG_DYNPTR_FILE,
	};

	slice->flags |= kinds[call->dynptr_kind];
	set_slice(slice, call);
}

uint32_t dynptr_slot_ref(struct env *env, int regno)
{
	const struct reg *reg = call_arg(env, regno);
	int64_t off = reg->off + (int64_t)reg->var.umin;
	const struct frame *frame;
	uint32_t slot;

	if (!scalar_is_const(reg->var) || off % SLOT_SIZE || off > -2 * SLOT_SIZE ||
	    off < -INSN_STACK_SIZE)
		return 0;
	frame = stack_frame(env, reg);
	slot = (uint32_t)slot_of((int32_t)off);
	return is_dynptr(frame, slot) ? frame->slot[slot].reg.ref_id : 0;
}

/* With the reference all its clones and slices are gone. */
int release_dynptr(struct env *env, int regno)
{
	uint32_t ref_id = dynptr_slot_ref(env, regno);

	if (!ref_id)
		return reject_as(env, SKEP_VERIFY_REF, -EINVAL,
				 "arg %d is an unacquired reference", regno);
	return release_reference(env, ref_id);
}
