/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ref.c - references and locks a path holds, and that it gives them all back.
 *
 * A call that acquires adds an entry with a fresh id, which the result carries
 * as its ref_id; so does everything derived from it. Giving it up removes the
 * entry and makes every register and dynptr with that id useless. An entry left when
 * the program exits is a leak. One that was made from another (the dynptr of a file)
 * must be given up first.
 */
#include "verify/call.h"

static int push_reference(struct env *env, enum ref_kind kind, uint32_t id, uint32_t pc,
			  const void *ptr)
{
	struct state *state = env->cur;

	if (state->ref_count == state->ref_size) {
		uint32_t size = state->ref_size ? state->ref_size * 2 : 4;
		struct ref *grown = env_alloc(env, size * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		if (state->ref_count)
			memcpy(grown, state->ref, state->ref_count * sizeof(*grown));
		state->ref = grown;
		state->ref_size = size;
	}
	state->ref[state->ref_count++] = (struct ref){
		.kind = (uint8_t)kind, .id = id, .insn = pc, .ptr = ptr,
	};
	return 0;
}

int acquire_child_reference(struct env *env, uint32_t pc, uint32_t parent)
{
	uint32_t id = new_id(env);
	int error = push_reference(env, REF_PTR, id, pc, NULL);

	if (error < 0)
		return error;
	env->cur->ref[env->cur->ref_count - 1].parent = parent;
	return (int)id;
}

int acquire_reference(struct env *env, uint32_t pc)
{
	return acquire_child_reference(env, pc, 0);
}

void remove_reference(struct state *state, uint32_t index)
{
	/* The order matters to locks: the last one taken is the last entry. */
	memmove(&state->ref[index], &state->ref[index + 1],
		(state->ref_count - index - 1) * sizeof(state->ref[0]));
	state->ref_count--;
}

static int check_children(struct env *env, uint32_t id)
{
	const struct state *state = env->cur;

	for (uint32_t i = 0; i < state->ref_count; i++)
		if (state->ref[i].parent == id)
			return reject_as(env, SKEP_VERIFY_REF, -EINVAL,
					 "Leaking reference id=%u alloc_insn=%u. Release it first.",
					 state->ref[i].id, state->ref[i].insn);
	return 0;
}

int release_reference(struct env *env, uint32_t id)
{
	struct state *state = env->cur;

	if (check_children(env, id) < 0)
		return -EINVAL;
	for (uint32_t i = 0; i < state->ref_count; i++) {
		if (state->ref[i].kind != REF_PTR || state->ref[i].id != id)
			continue;
		remove_reference(state, i);
		forget_dynptrs(env, id);
		invalidate_reference(env, id);
		return 0;
	}
	return -EINVAL;
}

const struct ref *find_reference(const struct state *state, uint32_t id)
{
	for (uint32_t i = 0; i < state->ref_count; i++)
		if (state->ref[i].kind == REF_PTR && state->ref[i].id == id)
			return &state->ref[i];
	return NULL;
}

/* --- locks --- */

int acquire_lock(struct env *env, enum ref_kind kind, uint32_t id, const void *ptr, uint32_t pc)
{
	int error = push_reference(env, kind, id, pc, ptr);

	if (error < 0)
		return error;
	env->cur->active_locks++;
	env->cur->active_lock_id = id;
	env->cur->active_lock_ptr = ptr;
	return 0;
}

/* The lock taken last becomes the active one again. */
int release_lock(struct env *env, enum ref_kind kind, uint32_t id, const void *ptr)
{
	struct state *state = env->cur;

	for (uint32_t i = state->ref_count; i-- > 0;) {
		struct ref *ref = &state->ref[i];

		if (ref->kind != kind || ref->id != id || ref->ptr != ptr)
			continue;
		remove_reference(state, i);
		state->active_locks--;
		state->active_lock_id = 0;
		state->active_lock_ptr = NULL;
		for (uint32_t j = state->ref_count; j-- > 0;) {
			ref = &state->ref[j];
			if (ref->kind != REF_LOCK && ref->kind != REF_RES_LOCK &&
			    ref->kind != REF_RES_LOCK_IRQ)
				continue;
			state->active_lock_id = ref->id;
			state->active_lock_ptr = ref->ptr;
			break;
		}
		return 0;
	}
	return -EINVAL;
}

/* --- interrupts --- */

const struct ref *last_irq(const struct state *state)
{
	for (uint32_t i = state->ref_count; i-- > 0;)
		if (state->ref[i].kind == REF_IRQ)
			return &state->ref[i];
	return NULL;
}

int acquire_irq(struct env *env, uint32_t pc)
{
	uint32_t id = new_id(env);
	int error = push_reference(env, REF_IRQ, id, pc, NULL);

	if (error < 0)
		return error;
	env->cur->active_irq = id;
	return (int)id;
}

/* The one saved before becomes the one to be restored next. */
void release_irq(struct env *env)
{
	const struct ref *last = last_irq(env->cur);

	if (last)
		remove_reference(env->cur, (uint32_t)(last - env->cur->ref));
	last = last_irq(env->cur);
	env->cur->active_irq = last ? last->id : 0;
}

/* --- at the end --- */

/* A program of a kernel structure may return a reference it was given to return. */
static bool is_returned(const struct env *env, const struct ref *ref)
{
	const struct reg *r0 = &state_regs(env->cur)[0];

	return env->spec->type->id == BPF_PROG_TYPE_STRUCT_OPS && r0->type == REG_BTF &&
	       r0->ref_id == ref->id;
}

static int check_leaks(struct env *env, bool exception_exit)
{
	const struct state *state = env->cur;
	bool leaks = false;

	if (!exception_exit && state->depth)
		return 0;
	for (uint32_t i = 0; i < state->ref_count; i++) {
		const struct ref *ref = &state->ref[i];

		if (ref->kind != REF_PTR || is_returned(env, ref))
			continue;
		explain(env, "Unreleased reference id=%u alloc_insn=%u", ref->id, ref->insn);
		leaks = true;
	}
	return leaks ? -EINVAL : 0;
}

int check_resources(struct env *env, bool exception_exit, bool check_locks, const char *prefix)
{
	const struct state *state = env->cur;
	const char *region = NULL;

	if (check_locks && state->active_locks)
		return reject_as(env, SKEP_VERIFY_REGION, -EINVAL,
				 "%s cannot be used inside bpf_spin_lock-ed region", prefix);
	if (check_leaks(env, exception_exit) < 0)
		return reject_as(env, SKEP_VERIFY_REF, -EINVAL,
				 "%s would lead to reference leak", prefix);
	if (!check_locks)
		return 0;
	if (state->active_irq)
		region = "bpf_local_irq_save";
	else if (state->active_rcu)
		region = "bpf_rcu_read_lock";
	else if (state->active_preempt)
		region = "bpf_preempt_disable";
	if (region)
		return reject_as(env, SKEP_VERIFY_REGION, -EINVAL,
				 "%s cannot be used inside %s-ed region", prefix, region);
	return 0;
}
