/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * object.c - objects that programs allocate: new, drop, and one more reference.
 *
 * An object is of a structure of the program's own BTF. One reference owns it,
 * unless the structure has a bpf_refcount: then every reference is one of many.
 */
#include "verify/kfunc.h"

#define PERCPU_OBJECT_MAX 512

/* Programs that may run in the middle of anything: freeing what these fields hold may not. */
static bool may_interrupt(const struct env *env)
{
	switch (env->spec->type->id) {
	case BPF_PROG_TYPE_KPROBE:
	case BPF_PROG_TYPE_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
	case BPF_PROG_TYPE_PERF_EVENT:
		return true;
	case BPF_PROG_TYPE_TRACING:
		return env->spec->attach != BPF_TRACE_ITER && !env->sleepable;
	default:
		return false;
	}
}

static int check_drop_here(struct env *env, const struct kfunc_call *call, const struct reg *reg)
{
	const uint32_t harmless = MAP_FIELD_REFCOUNT | MAP_FIELD_SPIN_LOCK |
				  MAP_FIELD_RES_SPIN_LOCK | MAP_FIELD_KPTR_UNREF;
	const struct map_fields *fields = record_fields(env, reg->btf, reg->btf_id);

	if (!fields)
		return -ENOMEM;
	if (!(fields->mask & ~harmless) || !may_interrupt(env))
		return 0;
	return reject_as(env, SKEP_VERIFY_CALL, -EINVAL, "%s cannot be used in tracing programs on "
			 "types with NMI unsafe fields", call->fn->name);
}

int check_object_drop(struct env *env, struct kfunc_call *call, int regno)
{
	const struct reg *reg = call_arg(env, regno);
	const char *wanted = NULL;

	if (reg->type == REG_BTF && reg->flags == REG_ALLOC) {
		if (call->fn->kind != KFUNC_OBJ_DROP)
			wanted = "bpf_obj_drop";
	} else if (reg->type == REG_BTF && reg->flags == (REG_ALLOC | REG_PERCPU)) {
		if (call->fn->kind != KFUNC_PERCPU_OBJ_DROP)
			wanted = "bpf_percpu_obj_drop";
	} else {
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "R%d expected pointer to allocated object", regno);
	}
	if (wanted)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "R%d expected for %s()", regno,
				 wanted);
	if (!reg->ref_id)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "allocated object must be referenced");
	return check_drop_here(env, call, reg);
}

int check_refcounted(struct env *env, struct kfunc_call *call, int regno)
{
	const struct reg *reg = call_arg(env, regno);
	const struct map_fields *fields;

	if (reg->type != REG_BTF || !(reg->flags & REG_ALLOC) || reg->flags & REG_PERCPU)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "R%d is neither owning or non-owning ref", regno);
	fields = record_fields(env, reg->btf, reg->btf_id);
	if (!fields)
		return -ENOMEM;
	if (!(fields->mask & MAP_FIELD_REFCOUNT))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "R%d doesn't point to a type with bpf_refcount field", regno);
	if (check_ptr_off(env, reg, regno, false) < 0)
		return -EINVAL;
	call->owning = reg->ref_id;
	call->object_btf = reg->btf;
	call->object_id = reg->btf_id;
	return 0;
}

static int check_percpu_type(struct env *env, const struct skep_btf *btf, uint32_t id)
{
	const struct map_fields *fields = record_fields(env, btf, id);
	uint32_t size = btf_type(btf, id)->size;

	if (size > PERCPU_OBJECT_MAX)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "bpf_percpu_obj_new type size (%u) is greater than %d", size,
				 PERCPU_OBJECT_MAX);
	if (!is_plain_data(btf, id, 4))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "bpf_percpu_obj_new type ID "
				 "argument must be of a struct of scalars");
	if (!fields)
		return -ENOMEM;
	if (fields->count)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "bpf_percpu_obj_new type ID "
				 "argument must not contain special fields");
	return 0;
}

int set_new_object(struct env *env, const struct kfunc_call *call, struct reg *r0)
{
	const struct skep_btf *btf = env->spec->btf;
	bool percpu = call->fn->kind == KFUNC_PERCPU_OBJ_NEW;
	uint32_t id = (uint32_t)call->constant;
	const struct map_fields *fields;

	if (call->constant > UINT32_MAX)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "local type ID argument must be in range [0, U32_MAX]");
	if (!btf)
		return reject(env, -EINVAL, "bpf_obj_new/bpf_percpu_obj_new requires prog BTF");
	if (!id || id > skep_btf_count(btf) || btf_kind(btf_type(btf, id)) != BTF_STRUCT)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "bpf_obj_new/bpf_percpu_obj_new "
				 "type ID argument must be of a struct");
	if (percpu) {
		int error = check_percpu_type(env, btf, id);

		if (error < 0)
			return error;
	}
	fields = record_fields(env, btf, id);
	if (!fields)
		return -ENOMEM;
	/* Linux refuses the program's types as a whole for it. */
	if (fields->no_types) {
		explain(env, "struct %s is why there are no types: %s (%d)",
			fields->of ? fields->of : skep_btf_type_name(btf, id), fields->problem,
			fields->error);
		return reject(env, -EINVAL, "bpf_obj_new/bpf_percpu_obj_new requires prog BTF");
	}
	reg_set_pointer(r0, REG_BTF, REG_ALLOC | (percpu ? REG_PERCPU : 0));
	r0->btf = btf;
	r0->btf_id = id;
	return 0;
}

int set_shared_object(struct env *env, const struct kfunc_call *call, struct reg *r0)
{
	(void)env;
	reg_set_pointer(r0, REG_BTF, REG_ALLOC);
	r0->btf = call->object_btf;
	r0->btf_id = call->object_id;
	return 0;
}
