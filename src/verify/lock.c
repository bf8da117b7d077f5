/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock.c - bpf_spin_lock: one may be held at a time, and only the one taken is
 * given back.
 *
 * A lock is known by what it lies in: a map (and which of its values, by the
 * id of the register) or an allocated object.
 */
#include "verify/call.h"

static void forget_borrowed(struct env *env, struct reg *reg, void *arg)
{
	(void)arg;
	if (reg->flags & REG_NON_OWN_REF)
		forget_pointer(env, reg);
}

static int find_lock(struct env *env, int regno, const void **ptr)
{
	const struct reg *reg = call_arg(env, regno);
	const struct map_fields *fields;
	const char *place = reg->type == REG_MAP_VALUE ? "map" : "local";
	const char *name = "kptr";
	uint64_t off = (uint64_t)reg->off + reg->var.umin;

	if (!scalar_is_const(reg->var))
		return reject_as(env, SKEP_VERIFY_MOVED, -EINVAL,
				 "R%d doesn't have constant offset. bpf_spin_lock has to be at "
				 "the constant offset", regno);
	if (reg->type == REG_MAP_VALUE) {
		name = reg->map->name;
		if (!reg->map->btf)
			return reject(env, -EINVAL, "map '%s' has to have BTF in order to use "
				      "bpf_spin_lock", name);
		fields = map_fields(env, reg->map);
		*ptr = reg->map;
	} else {
		fields = record_fields(env, reg->btf, reg->btf_id);
		*ptr = reg->btf;
	}
	for (uint32_t i = 0; fields && i < fields->count; i++) {
		if (fields->field[i].type != MAP_FIELD_SPIN_LOCK)
			continue;
		if (fields->field[i].off != off)
			return reject(env, -EINVAL, "off %llu doesn't point to 'struct bpf_spin_lock' "
				      "that is at %u", (unsigned long long)off, fields->field[i].off);
		return 0;
	}
	return reject(env, -EINVAL, "%s '%s' has no valid bpf_spin_lock", place, name);
}

int check_spin_lock(struct env *env, int regno, bool lock)
{
	const struct reg *reg = call_arg(env, regno);
	const void *ptr = NULL;
	int error = find_lock(env, regno, &ptr);

	if (error < 0)
		return error;
	if (lock) {
		if (env->cur->active_locks)
			return reject_as(env, SKEP_VERIFY_REF, -EINVAL,
					 "Locking two bpf_spin_locks are not allowed");
		return acquire_lock(env, REF_LOCK, reg->id, ptr, env->pc);
	}
	if (!env->cur->active_locks)
		return reject_as(env, SKEP_VERIFY_REF, -EINVAL,
				 "bpf_spin_unlock without taking a lock");
	if (release_lock(env, REF_LOCK, reg->id, ptr) < 0)
		return reject_as(env, SKEP_VERIFY_REF, -EINVAL,
				 "bpf_spin_unlock of different lock");
	state_each_reg(env, env->cur, forget_borrowed, NULL);
	return 0;
}
