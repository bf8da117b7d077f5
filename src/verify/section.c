/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * section.c - stretches of a program in which something of the kernel stands still: RCU
 * read sections, preemption off, interrupts off.
 *
 * The first two only nest; the third keeps what it found in a word on the stack:
 *
 *   bpf_local_irq_save(&flags)            slot of flags: SLOT_IRQ_FLAG, a reference
 *   bpf_local_irq_restore(&flags)         the same slot, in the reverse order
 *
 * Locks of the kind that save interrupts do the same with a word of their own; the two
 * kinds of words may not be confused. With preemption or interrupts off, or a lock held,
 * RCU frees nothing either. What only RCU kept alive is distrusted when the last of these
 * sections ends.
 */
#include "verify/kfunc.h"
#include "verify/passes.h"

const char *region_name(const struct state *state)
{
	if (state->active_rcu)
		return "rcu_read_lock region";
	if (state->active_preempt)
		return "non-preemptible region";
	return state->active_irq ? "IRQ-disabled region" : NULL;
}

bool in_rcu_section(const struct env *env)
{
	const struct state *cur = env->cur;

	return cur->active_rcu || cur->active_locks || cur->active_preempt || cur->active_irq ||
	       !cur->in_sleepable;
}

/* --- RCU, preemption --- */

static void distrust(struct reg *reg)
{
	if (!(reg->flags & REG_RCU))
		return;
	reg->flags &= ~(uint32_t)(REG_RCU | REG_MAYBE_NULL);
	reg->flags |= REG_UNTRUSTED;
}

static void distrust_rcu(struct env *env, struct reg *reg, void *arg)
{
	(void)env;
	(void)arg;
	distrust(reg);
}

/* Iterators over what RCU protects end with the section. */
static void distrust_iterators(struct state *state)
{
	for (uint32_t f = 0; f <= state->depth; f++)
		for (uint32_t i = 0; i < state->frame[f]->slots; i++)
			if (state->frame[f]->slot[i].byte[0] == SLOT_ITER)
				distrust(&state->frame[f]->slot[i].reg);
}

void section_left(struct env *env)
{
	if (in_rcu_section(env))
		return;
	state_each_reg(env, env->cur, distrust_rcu, NULL);
	distrust_iterators(env->cur);
}

static int leave_rcu(struct env *env, const char *name)
{
	if (!env->cur->active_rcu)
		return reject_as(env, SKEP_VERIFY_REF, -EINVAL,
				 "unmatched rcu read unlock (kernel function %s)", name);
	env->cur->active_rcu--;
	section_left(env);
	return 0;
}

static int leave_preempt(struct env *env, const char *name)
{
	if (!env->cur->active_preempt)
		return reject_as(env, SKEP_VERIFY_REF, -EINVAL,
				 "unmatched attempt to enable preemption (kernel function %s)",
				 name);
	env->cur->active_preempt--;
	section_left(env);
	return 0;
}

int enter_or_leave(struct env *env, const char *name)
{
	struct state *state = env->cur;

	if (strncmp(name, "bpf_rcu_read_", strlen("bpf_rcu_read_")) == 0 && in_comparison(env))
		return reject_as(env, SKEP_VERIFY_CALL, -EACCES, "Calling bpf_rcu_read_{lock,unlock} "
				 "in unnecessary rbtree callback");
	if (strcmp(name, "bpf_rcu_read_lock") == 0)
		state->active_rcu++;
	else if (strcmp(name, "bpf_rcu_read_unlock") == 0)
		return leave_rcu(env, name);
	else if (strcmp(name, "bpf_preempt_disable") == 0)
		state->active_preempt++;
	else if (strcmp(name, "bpf_preempt_enable") == 0)
		return leave_preempt(env, name);
	return 0;
}

/* --- interrupts --- */

/* The slot of a flag argument; false: it cannot stand there, which was said. */
static bool flag_slot(struct env *env, int regno, uint32_t *slot)
{
	const struct reg *reg = call_arg(env, regno);
	int64_t off;

	if (!scalar_is_const(reg->var)) {
		explain(env, "irq_flag has to be at a constant offset");
		return false;
	}
	off = reg->off + (int64_t)reg->var.umin;
	if (off % SLOT_SIZE || off > -SLOT_SIZE || off < -INSN_STACK_SIZE) {
		explain(env, "cannot pass in irq_flag at an offset=%lld", (long long)off);
		return false;
	}
	*slot = (uint32_t)slot_of((int32_t)off);
	return true;
}

static int save(struct env *env, int regno, enum irq_kind kind)
{
	struct frame *frame = stack_frame(env, call_arg(env, regno));
	uint32_t slot;
	struct slot *s;
	int id, error;

	if (!flag_slot(env, regno, &slot) ||
	    (slot < frame->slots && frame->slot[slot].byte[0] == SLOT_IRQ_FLAG))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "expected uninitialized irq flag as R%d", regno);
	error = check_stack_bounds(env, regno, 0, SLOT_SIZE, ACCESS_WRITE, true);
	if (error == 0)
		error = stack_destroy_special(env, frame, slot);
	if (error < 0)
		return error;
	id = acquire_irq(env, env->pc);
	if (id < 0)
		return id;
	s = &frame->slot[slot];
	memset(s->byte, SLOT_IRQ_FLAG, sizeof(s->byte));
	reg_set_pointer(&s->reg, REG_STACK, 0);
	s->reg.ref_id = (uint32_t)id;
	s->reg.irq_kind = kind;
	show_slot(env, slot);
	return 0;
}

static int restore(struct env *env, int regno, enum irq_kind kind)
{
	static const char *const kinds[] = { [IRQ_LOCAL] = "native", [IRQ_LOCK] = "lock" };
	struct frame *frame = stack_frame(env, call_arg(env, regno));
	const struct ref *expected;
	uint32_t slot;
	struct slot *s;

	if (!flag_slot(env, regno, &slot) || slot >= frame->slots ||
	    frame->slot[slot].byte[0] != SLOT_IRQ_FLAG)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "expected an initialized irq flag as R%d", regno);
	s = &frame->slot[slot];
	if (s->reg.irq_kind != kind)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "irq flag acquired by %s kfuncs cannot be restored with %s "
				 "kfuncs", kinds[s->reg.irq_kind], kinds[kind]);
	if (s->reg.ref_id != env->cur->active_irq) {
		expected = last_irq(env->cur);
		return reject_as(env, SKEP_VERIFY_REF, -EACCES,
				 "cannot restore irq state out of order, expected id=%u acquired "
				 "at insn_idx=%u", env->cur->active_irq,
				 expected ? expected->insn : 0);
	}
	release_irq(env);
	section_left(env);
	slot_set_invalid(s);
	show_slot(env, slot);
	return 0;
}

int check_irq_flag(struct env *env, int regno, bool saves, enum irq_kind kind)
{
	if (call_arg(env, regno)->type != REG_STACK)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "R%d doesn't point to an irq flag on stack", regno);
	return saves ? save(env, regno, kind) : restore(env, regno, kind);
}
