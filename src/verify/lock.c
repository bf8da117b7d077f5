/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock.c - locks of programs: who may take one, and that it is given back.
 *
 *   bpf_spin_lock       a helper; one at a time, and nothing else inside
 *   bpf_res_spin_lock   a kernel function that can fail (it finds deadlocks as it runs);
 *                       several at a time, given back in the reverse order
 *
 * A lock is known by what it lies in: a map (and which of its values, by the
 * id of the register) or an allocated object. Each held one is an entry among
 * the path's references.
 */
#include "verify/call.h"

static void forget_if_borrowed(struct env *env, struct reg *reg, void *arg)
{
	(void)arg;
	if (reg->flags & REG_NON_OWN_REF)
		forget_pointer(env, reg);
}

void forget_borrowed(struct env *env)
{
	state_each_reg(env, env->cur, forget_if_borrowed, NULL);
}

static bool is_lock(const struct ref *ref)
{
	return ref->kind == REF_LOCK || ref->kind == REF_RES_LOCK || ref->kind == REF_RES_LOCK_IRQ;
}

bool holds_lock_of(struct env *env, const struct reg *reg)
{
	const struct state *state = env->cur;
	const void *ptr = reg->type == REG_MAP_VALUE ? (const void *)reg->map : reg->btf;

	for (uint32_t i = 0; i < state->ref_count; i++)
		if (is_lock(&state->ref[i]) && state->ref[i].id == reg->id &&
		    state->ref[i].ptr == ptr)
			return true;
	if (state->active_locks)
		explain(env, "held lock and object are not in the same allocation");
	return false;
}

struct lock {
	const char *type;        /* "bpf_spin_lock" */
	const char *unlock;
	uint32_t field;          /* enum field_type */
};

static struct lock lock_of(enum ref_kind kind)
{
	if (kind == REF_LOCK)
		return (struct lock){ "bpf_spin_lock", "bpf_spin_unlock", MAP_FIELD_SPIN_LOCK };
	return (struct lock){ "bpf_res_spin_lock", "bpf_res_spin_unlock", MAP_FIELD_RES_SPIN_LOCK };
}

static int find_lock(struct env *env, int regno, struct lock lock, const void **ptr)
{
	const struct reg *reg = call_arg(env, regno);
	const struct map_fields *fields;
	const struct map_field *field;
	const char *place = reg->type == REG_MAP_VALUE ? "map" : "local";
	const char *name = "kptr";
	uint64_t off = (uint64_t)reg->off + reg->var.umin;

	if (!scalar_is_const(reg->var))
		return reject_as(env, SKEP_VERIFY_MOVED, -EINVAL,
				 "R%d doesn't have constant offset. %s has to be at the constant "
				 "offset", regno, lock.type);
	if (reg->type == REG_MAP_VALUE) {
		name = reg->map->name;
		if (!map_has_types(env, reg->map))
			return reject(env, -EINVAL, "map '%s' has to have BTF in order to use %s",
				      name, lock.type);
		fields = map_fields(env, reg->map);
		*ptr = reg->map;
	} else {
		/* Objects have room for the plain kind only. */
		fields = lock.field == MAP_FIELD_SPIN_LOCK
				 ? record_fields(env, reg->btf, reg->btf_id) : NULL;
		*ptr = reg->btf;
	}
	field = field_of(fields, lock.field);
	if (field && field->off == off)
		return 0;
	if (field)
		return reject(env, -EINVAL, "off %llu doesn't point to 'struct %s' that is at %u",
			      (unsigned long long)off, lock.type, field->off);
	return reject(env, -EINVAL, "%s '%s' has no valid %s", place, name, lock.type);
}

/* Is this lock held, as one of these kinds? */
static bool holds(const struct state *state, uint32_t kinds, uint32_t id, const void *ptr)
{
	for (uint32_t i = 0; i < state->ref_count; i++)
		if (kinds >> state->ref[i].kind & 1 && state->ref[i].id == id &&
		    state->ref[i].ptr == ptr)
			return true;
	return false;
}

static int take(struct env *env, enum ref_kind kind, uint32_t id, const void *ptr)
{
	if (kind == REF_LOCK && env->cur->active_locks)
		return reject_as(env, SKEP_VERIFY_REF, -EINVAL,
				 "Locking two bpf_spin_locks are not allowed");
	if (kind != REF_LOCK &&
	    holds(env->cur, 1u << REF_RES_LOCK | 1u << REF_RES_LOCK_IRQ, id, ptr))
		return reject_as(env, SKEP_VERIFY_REF, -EINVAL,
				 "Acquiring the same lock again, AA deadlock detected");
	return acquire_lock(env, kind, id, ptr, env->pc);
}

static int give_back(struct env *env, enum ref_kind kind, uint32_t id, const void *ptr)
{
	const char *name = lock_of(kind).unlock;

	if (!env->cur->active_locks)
		return reject_as(env, SKEP_VERIFY_REF, -EINVAL, "%s without taking a lock", name);
	if (!holds(env->cur, 1u << kind, id, ptr))
		return reject_as(env, SKEP_VERIFY_REF, -EINVAL, "%s of different lock", name);
	if (env->cur->active_lock_id != id || env->cur->active_lock_ptr != ptr)
		return reject_as(env, SKEP_VERIFY_REF, -EINVAL, "%s cannot be out of order", name);
	release_lock(env, kind, id, ptr);
	forget_borrowed(env);
	section_left(env);
	return 0;
}

int check_lock(struct env *env, int regno, enum ref_kind kind, bool lock)
{
	const struct reg *reg = call_arg(env, regno);
	const void *ptr = NULL;
	int error = find_lock(env, regno, lock_of(kind), &ptr);

	if (error < 0)
		return error;
	/* The tree being changed is guarded by the lock that is held. */
	if (in_comparison(env))
		return reject_as(env, SKEP_VERIFY_CALL, -EACCES,
				 "can't spin_{lock,unlock} in rbtree cb");
	return lock ? take(env, kind, reg->id, ptr) : give_back(env, kind, reg->id, ptr);
}
