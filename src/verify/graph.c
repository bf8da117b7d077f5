/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * graph.c - lists and red-black trees of the program's own objects.
 *
 * A collection lies in a map value or object beside the lock that guards it. An
 * object that is put in changes owner: the collection has it, and the program's
 * pointers to it are borrowed (REG_NON_OWN_REF), good until the lock is given
 * back, because until then nobody can free the object. What takes an object out
 * gives the program a reference again, or NULL: a borrowed pointer may be to an
 * object that is in no collection any more, which only running tells.
 */
#include "verify/kfunc.h"

static bool is_own_object(const struct reg *reg)
{
	return reg->type == REG_BTF && reg->flags == REG_ALLOC;
}

static int refuse_place(struct env *env, int regno, uint32_t type)
{
	return reject_as(env, SKEP_VERIFY_MOVED, -EINVAL,
			 "R%d doesn't have constant offset. %s has to be at the constant offset",
			 regno, field_type_name(type));
}

static const struct map_field *field_at(const struct map_fields *fields, uint32_t type,
					uint64_t off)
{
	for (uint32_t i = 0; fields && i < fields->count; i++)
		if (fields->field[i].type == type && fields->field[i].off == off)
			return &fields->field[i];
	return NULL;
}

int check_graph_root(struct env *env, struct kfunc_call *call, int regno, uint32_t type)
{
	const struct reg *reg = call_arg(env, regno);
	const struct map_fields *fields;
	uint64_t off = (uint64_t)reg->off + reg->var.umin;
	const char *name = field_type_name(type);

	if (reg->type != REG_MAP_VALUE && !is_own_object(reg))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "R%d expected pointer to map value or allocated object", regno);
	if (reg->type == REG_BTF && !reg->ref_id)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "allocated object must be referenced");
	if (!scalar_is_const(reg->var))
		return refuse_place(env, regno, type);
	fields = reg_fields(env, reg);
	call->root = field_at(fields, type, off);
	if (!call->root)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "%s not found at offset=%llu", name,
				 (unsigned long long)off);
	if (holds_lock_of(env, reg))
		return 0;
	for (uint32_t i = 0; i < fields->count; i++)
		if (fields->field[i].type & (MAP_FIELD_SPIN_LOCK | MAP_FIELD_RES_SPIN_LOCK))
			off = fields->field[i].off;
	return reject_as(env, SKEP_VERIFY_REGION, -EINVAL,
			 "bpf_spin_lock at off=%llu must be held for %s", (unsigned long long)off,
			 name);
}

bool in_comparison(const struct env *env)
{
	const struct state *state = env->cur;

	for (uint32_t i = 1; i <= state->depth; i++) {
		const struct frame *frame = state->frame[i];

		if (frame->in_callback && frame->callsite >= 0 &&
		    env->info[frame->callsite].call_aux == KFUNC_RBTREE_ADD)
			return true;
	}
	return false;
}

/* Who may be passed as a node: one that is owned, or one that may be in the collection. */
static int check_node_holder(struct env *env, const struct kfunc_call *call, int regno,
			     uint32_t type, bool borrowed_ok)
{
	const struct reg *reg = call_arg(env, regno);
	bool borrowed = reg->type == REG_BTF && reg->flags & REG_NON_OWN_REF && !reg->ref_id;

	if (type == MAP_FIELD_RB_NODE && call->fn->kind != KFUNC_RBTREE_ADD) {
		if (!borrowed && !reg->ref_id)
			return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "%s can only take "
					 "non-owning or refcounted bpf_rb_node pointer",
					 call->fn->name);
		if (in_comparison(env))
			return reject_as(env, SKEP_VERIFY_CALL, -EINVAL,
					 "%s not allowed in rbtree cb", call->fn->name);
		if (reg->type == REG_BTF && reg->flags & REG_ALLOC)
			return 0;
	}
	if (borrowed && borrowed_ok)
		return 0;
	if (!is_own_object(reg))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "R%d expected pointer to allocated object", regno);
	if (!reg->ref_id)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "allocated object must be referenced");
	return 0;
}

int check_graph_node(struct env *env, struct kfunc_call *call, int regno, uint32_t type,
		     bool borrowed_ok)
{
	const struct reg *reg = call_arg(env, regno);
	const struct map_field *root = call->root;
	const char *name = field_type_name(type), *owner;
	uint64_t off = (uint64_t)reg->off + reg->var.umin;
	int error = check_node_holder(env, call, regno, type, borrowed_ok);

	if (error < 0)
		return error;
	if (!scalar_is_const(reg->var))
		return refuse_place(env, regno, type);
	if (!field_at(reg_fields(env, reg), type, off))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "%s not found at offset=%llu", name,
				 (unsigned long long)off);
	if (!root)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "kernel function %s has a node but no collection", call->fn->name);
	owner = skep_btf_type_name(root->btf, root->btf_id);
	if (!btf_types_match(reg->btf, reg->btf_id, 0, root->btf, root->btf_id, true))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "operation on %s expects arg#1 %s at offset=%u in struct %s, but "
				 "arg is at offset=%llu in struct %s", field_type_name(root->type),
				 name, root->node_off, owner, (unsigned long long)off,
				 skep_btf_type_name(reg->btf, reg->btf_id));
	if (off != root->node_off)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "R%d offset=%llu, but expected %s at offset=%u in struct %s", regno,
				 (unsigned long long)off, name, root->node_off, owner);
	if (!call->node_reg)
		call->node_reg = (uint32_t)regno;
	return 0;
}

/* --- borrowed references --- */

static void set_borrowed(struct env *env, struct reg *reg)
{
	const struct map_fields *fields = record_fields(env, reg->btf, reg->btf_id);

	reg->flags |= REG_NON_OWN_REF;
	/* Objects that are counted are freed only after an RCU grace period. */
	if (fields && fields->mask & MAP_FIELD_REFCOUNT)
		reg->flags |= REG_RCU;
}

static void lend(struct env *env, struct reg *reg, void *arg)
{
	if (reg->type != REG_BTF || reg->ref_id != *(const uint32_t *)arg)
		return;
	reg->ref_id = 0;
	set_borrowed(env, reg);
}

int give_to_graph(struct env *env, struct kfunc_call *call)
{
	uint32_t id = call_arg(env, (int)call->node_reg)->ref_id;

	state_each_reg(env, env->cur, lend, &id);
	if (!id || release_reference(env, id) < 0)
		return reject_as(env, SKEP_VERIFY_REF, -EINVAL,
				 "kfunc %s#%lld reference has not been acquired before",
				 call->fn->name, (long long)env->insns[call->call.pc].imm);
	return 0;
}

void set_graph_node(struct env *env, const struct kfunc_call *call, struct reg *r0)
{
	const struct map_field *root = call->root;

	reg_set_pointer(r0, REG_BTF, REG_ALLOC);
	r0->btf = root->btf;
	r0->btf_id = root->btf_id;
	r0->off = (int32_t)root->node_off;
	if (!(call->fn->flags & KF_ACQUIRE))
		set_borrowed(env, r0);
}
