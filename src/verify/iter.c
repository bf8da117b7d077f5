/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * iter.c - iterators that live on the program's stack: new, next, destroy.
 *
 * An iterator takes as many slots as its structure has words. It holds a
 * reference from new to destroy. next() forks the path: one side gets an item,
 * the other gets NULL and has a drained iterator; the first side's loop ends
 * when its state is one that was seen before.
 */
#include "verify/kfunc.h"

const char *iter_type_name(const struct skep_btf *btf, uint32_t type)
{
	/* Messages leave the "bpf_" of the type's name out. */
	const char *name = skep_btf_type_name(btf, type);

	return strncmp(name, "bpf_", 4) == 0 ? name + 4 : name;
}

static const char *iter_name(const struct env *env, uint32_t type)
{
	return iter_type_name(env->kernel_btf, type);
}

static uint32_t iter_slots(const struct env *env, uint32_t type)
{
	int64_t size = skep_btf_size(env->kernel_btf, type);

	return size > 0 ? (uint32_t)(size + SLOT_SIZE - 1) / SLOT_SIZE : 1;
}

/* Where an iterator argument's first slot is. wanted: what should be there, if it cannot. */
static int find_slot(struct env *env, int regno, uint32_t type, const char *wanted,
		     uint32_t *slot)
{
	const struct reg *reg = call_arg(env, regno);
	uint32_t count = iter_slots(env, type);
	int64_t off;

	if (reg->type != REG_STACK)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "R%d expected pointer to an iterator on stack", regno);
	if (!scalar_is_const(reg->var)) {
		explain(env, "iter has to be at a constant offset");
		return reject_as(env, SKEP_VERIFY_MOVED, -EINVAL, "expected %s %s as R%d", wanted,
				 iter_name(env, type), regno);
	}
	off = reg->off + (int64_t)reg->var.umin;
	if (off % SLOT_SIZE || off > -(int64_t)count * SLOT_SIZE || off < -INSN_STACK_SIZE) {
		explain(env, "cannot pass in iter at an offset=%lld", (long long)off);
		return reject_as(env, SKEP_VERIFY_MOVED, -EINVAL, "expected %s %s as R%d", wanted,
				 iter_name(env, type), regno);
	}
	*slot = (uint32_t)slot_of((int32_t)off);
	return 0;
}

static bool is_iter_slot(const struct frame *frame, uint32_t slot)
{
	return slot < frame->slots && frame->slot[slot].byte[0] == SLOT_ITER;
}

/* All the slots of one iterator of this type, from its first on. */
static bool is_iter(const struct env *env, const struct frame *frame, uint32_t slot,
		    uint32_t type)
{
	uint32_t count = iter_slots(env, type);

	for (uint32_t i = 0; i < count; i++)
		if (!is_iter_slot(frame, slot - i) ||
		    (frame->slot[slot - i].reg.ref_id != 0) != (i == 0))
			return false;
	return frame->slot[slot].reg.iter_btf == env->kernel_btf &&
	       frame->slot[slot].reg.iter_btf_id == type;
}

/* The tasks of a cgroup are found with a lock that interrupts take too. */
static bool may_iterate(const struct env *env, const char *type)
{
	return strcmp(type, "iter_css_task") != 0 || env->spec->type->id == BPF_PROG_TYPE_LSM ||
	       env->spec->attach == BPF_TRACE_ITER || env->cur->in_sleepable;
}

int iter_new(struct env *env, struct kfunc_call *call, int regno, uint32_t type)
{
	uint32_t slot, count = iter_slots(env, type);
	struct frame *frame;
	int error = find_slot(env, regno, type, "uninitialized", &slot), id;

	if (error < 0)
		return error;
	if (!may_iterate(env, iter_name(env, type)))
		return reject_as(env, SKEP_VERIFY_CALL, -EINVAL,
				 "css_task_iter is only allowed in bpf_lsm, bpf_iter and sleepable "
				 "progs");
	frame = stack_frame(env, call_arg(env, regno));
	for (uint32_t i = 0; i < count; i++)
		if (is_iter_slot(frame, slot - i))
			return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
					 "expected uninitialized %s as R%d", iter_name(env, type),
					 regno);
	error = check_helper_mem(env, regno, count * SLOT_SIZE,
				 (struct mem_use){ .writes = true, .uninit = true });
	if (error < 0)
		return error;
	id = acquire_reference(env, call->call.pc);
	if (id < 0)
		return id;
	frame = stack_frame(env, call_arg(env, regno));
	for (uint32_t i = 0; i < count; i++) {
		struct slot *s = &frame->slot[slot - i];

		show_slot(env, slot - i);
		memset(s->byte, SLOT_ITER, sizeof(s->byte));
		reg_set_pointer(&s->reg, REG_STACK, call->fn->flags & KF_RCU_PROTECTED ? REG_RCU : 0);
		s->reg.iter_btf = env->kernel_btf;
		s->reg.iter_btf_id = type;
		s->reg.iter_state = ITER_ACTIVE;
		s->reg.iter_depth = 0;
		s->reg.ref_id = i == 0 ? (uint32_t)id : 0;
		show_slot(env, slot - i);
	}
	return 0;
}

int iter_find(struct env *env, struct kfunc_call *call, int regno, uint32_t type)
{
	struct frame *frame;
	uint32_t slot;
	int error = find_slot(env, regno, type, "an initialized", &slot);

	if (error < 0)
		return error;
	frame = stack_frame(env, call_arg(env, regno));
	if (!is_iter(env, frame, slot, type))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "expected an initialized %s as R%d", iter_name(env, type), regno);
	if (frame->slot[slot].reg.flags & REG_UNTRUSTED)
		return reject_as(env, SKEP_VERIFY_REGION, -EINVAL,
				 "expected an RCU CS when using %s", call->fn->name);
	call->iter = &frame->slot[slot].reg;
	call->iter_frame = frame;
	call->iter_slot = slot;
	call->call.ref_id = call->iter->ref_id;
	return 0;
}

int iter_destroy(struct env *env, struct kfunc_call *call)
{
	uint32_t count = iter_slots(env, call->iter->iter_btf_id), ref_id = call->iter->ref_id;

	for (uint32_t i = 0; i < count; i++) {
		slot_set_invalid(&call->iter_frame->slot[call->iter_slot - i]);
		show_slot(env, call->iter_slot - i);
	}
	return release_reference(env, ref_id);
}

int iter_next(struct env *env, struct kfunc_call *call)
{
	struct state *previous, *other;
	struct frame *frame;

	if (call->iter->iter_state == ITER_ACTIVE) {
		previous = previous_entry(env, call->call.pc);
		other = push_state(env, call->call.pc + 1, call->call.pc, false);
		if (!other)
			return env->rejected ? -E2BIG : -ENOMEM;
		frame = other->frame[call->iter_frame->frameno];
		frame->slot[call->iter_slot].reg.iter_depth++;
		if (previous)
			widen_numbers(env, previous, other);
		if (reg_maybe_null(&state_regs(other)[0]))
			mark_null(env, other, state_regs(other)[0].id, false);
	}
	call->iter->iter_state = ITER_DRAINED;
	show_slot(env, call->iter_slot);
	reg_set_const(env, &state_regs(env->cur)[0], 0);
	return 0;
}
