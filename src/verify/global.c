/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * global.c - arguments of global functions.
 *
 * A global function is verified once, on its own, for any arguments of the
 * types in its prototype; its callers are then checked against the same. A
 * pointer argument is the context, a dynptr, a trusted kernel object (by a tag
 * in the BTF) or memory of its type's size that may be NULL.
 */
#include "verify/call.h"

#define ARGS_MAX 5

enum param_kind { PARAM_SCALAR, PARAM_CTX, PARAM_MEMORY, PARAM_DYNPTR, PARAM_OBJECT, PARAM_ARENA };

struct param {
	enum param_kind kind;
	bool maybe_null;
	uint32_t size;           /* PARAM_MEMORY */
	uint32_t btf_id;         /* PARAM_OBJECT, in the kernel's BTF */
	uint32_t flags;          /* PARAM_OBJECT: enum reg_flag */
};

/* The names of context types that a pointer may have, by program type. */
static bool is_ctx_name(const struct env *env, const char *name)
{
	const struct prog_spec *spec = env->spec->target ? env->spec->target : env->spec;

	switch (spec->type->id) {
	case BPF_PROG_TYPE_KPROBE:
		return strcmp(name, "pt_regs") == 0 || strcmp(name, "bpf_user_pt_regs_t") == 0 ||
		       strcmp(name, "user_pt_regs") == 0 || strcmp(name, "user_regs_struct") == 0;
	case BPF_PROG_TYPE_NETFILTER:
		return strcmp(name, "bpf_nf_ctx") == 0;
	default:
		return spec->type->ctx->name && strcmp(name, spec->type->ctx->name) == 0;
	}
}

/* Through typedefs, but the context's own may be one. */
static bool points_to_ctx(const struct env *env, const struct skep_btf *btf, uint32_t pointer)
{
	uint32_t id = btf_skip_mods(btf, btf_type(btf, pointer)->type);

	for (unsigned depth = 0; depth < 32; depth++) {
		const struct btf_type *type = btf_type(btf, id);

		if (is_ctx_name(env, btf_name(btf, type)))
			return true;
		if (btf_kind(type) != BTF_TYPEDEF)
			return false;
		id = btf_skip_mods(btf, type->type);
	}
	return false;
}

static bool has_tag(const struct skep_btf *btf, uint32_t function, uint32_t arg, const char *tag)
{
	return btf_decl_tag(btf, function, (int)arg, tag) != NULL;
}

static int read_object(struct env *env, const struct skep_btf *btf, uint32_t target, uint32_t arg,
		       struct param *param)
{
	const char *name = btf_name(btf, btf_type(btf, target));
	uint32_t id = env->kernel_btf ? skep_btf_find(env->kernel_btf, name, BTF_STRUCT) : 0;

	if (!id)
		return reject(env, -EINVAL, "arg#%u type %s is not found in the kernel", arg, name);
	param->kind = PARAM_OBJECT;
	param->btf_id = id;
	return 0;
}

static int read_pointer(struct env *env, const struct skep_btf *btf, uint32_t function,
			uint32_t pointer, uint32_t arg, struct param *param)
{
	uint32_t target = btf_skip_mods_and_typedefs(btf, btf_type(btf, pointer)->type);
	const struct btf_type *type = btf_type(btf, target);
	int64_t size;

	param->maybe_null = !has_tag(btf, function, arg, "arg:nonnull");
	if (has_tag(btf, function, arg, "arg:ctx") || points_to_ctx(env, btf, pointer)) {
		param->kind = PARAM_CTX;
		return 0;
	}
	if (strcmp(btf_name(btf, type), "bpf_dynptr") == 0) {
		param->kind = PARAM_DYNPTR;
		return 0;
	}
	if (has_tag(btf, function, arg, "arg:trusted")) {
		param->flags = REG_TRUSTED;
		param->maybe_null = has_tag(btf, function, arg, "arg:nullable");
		return read_object(env, btf, target, arg, param);
	}
	if (has_tag(btf, function, arg, "arg:untrusted")) {
		param->flags = REG_UNTRUSTED;
		param->maybe_null = false;
		return read_object(env, btf, target, arg, param);
	}
	if (has_tag(btf, function, arg, "arg:arena")) {
		param->kind = PARAM_ARENA;
		return 0;
	}
	if (!env_can(env, ABILITY_MEMORY_ARGS))
		return reject(env, -EINVAL, "Arg#%u type PTR in %s() is not supported yet.", arg,
			      btf_name(btf, btf_type(btf, function)));
	size = skep_btf_size(btf, target);
	if (size < 0)
		return reject(env, -EINVAL, "arg#%u reference type('%s %s') size cannot be determined: "
			      "%d", arg, btf_kind(type) == BTF_FWD ? "FWD" : "UNKNOWN",
			      btf_name(btf, type), (int)size);
	param->kind = PARAM_MEMORY;
	param->size = (uint32_t)size;
	return 0;
}

static const struct btf_type *prototype(const struct env *env, uint32_t subprog)
{
	const struct skep_btf *btf = env->spec->btf;
	const struct btf_type *function;

	if (!btf || !env->subprog[subprog].type)
		return NULL;
	function = btf_type(btf, env->subprog[subprog].type);
	if (btf_kind(function) != BTF_FUNC)
		return NULL;
	function = btf_type(btf, function->type);
	return btf_kind(function) == BTF_FUNC_PROTO ? function : NULL;
}

/* The parameters of a global function; their number, or a negative errno. */
static int read_params(struct env *env, uint32_t subprog, struct param params[ARGS_MAX])
{
	const struct skep_btf *btf = env->spec->btf;
	const struct btf_type *proto = prototype(env, subprog), *ret;
	const struct btf_param *args;
	const char *name = env->subprog[subprog].name ? env->subprog[subprog].name : "";
	uint32_t count;

	if (!proto)
		return reject(env, -EINVAL, "Missing BTF func_info for global function");
	args = btf_data(proto);
	count = btf_vlen(proto);
	if (count > ARGS_MAX)
		return reject(env, -EINVAL, "Global function %s() with %u > %u args. Buggy compiler.",
			      name, count, ARGS_MAX);
	ret = btf_type(btf, btf_skip_mods_and_typedefs(btf, proto->type));
	if (btf_kind(ret) != BTF_INT && btf_kind(ret) != BTF_ENUM && btf_kind(ret) != BTF_ENUM64 &&
	    btf_kind(ret) != BTF_VOID)
		return reject(env, -EINVAL, "Global function %s() return value not void or scalar. Only "
			      "those are supported.", name);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t id = btf_skip_mods_and_typedefs(btf, args[i].type);
		enum btf_kind kind = btf_kind(btf_type(btf, id));
		int error = 0;

		params[i] = (struct param){ .kind = PARAM_SCALAR };
		if (kind == BTF_PTR)
			error = read_pointer(env, btf, env->subprog[subprog].type, id, i, &params[i]);
		else if (kind != BTF_INT && kind != BTF_ENUM && kind != BTF_ENUM64)
			error = reject(env, -EINVAL, "arg#%u type %s in %s() is not supported yet.", i,
				       kind == BTF_STRUCT ? "STRUCT" : "UNKNOWN", name);
		if (error < 0)
			return error;
	}
	return (int)count;
}

static void set_param(struct env *env, const struct param *param, struct reg *reg)
{
	uint32_t null = param->maybe_null ? REG_MAYBE_NULL : 0;

	switch (param->kind) {
	case PARAM_SCALAR:
		reg_set_unknown(env, reg);
		return;
	case PARAM_CTX:
		reg_set_pointer(reg, REG_CTX, 0);
		return;
	case PARAM_MEMORY:
		reg_set_pointer(reg, REG_MEM, null);
		reg->mem_size = param->size;
		break;
	case PARAM_DYNPTR:
		reg_set_pointer(reg, REG_DYNPTR, REG_DYNPTR_LOCAL | REG_RDONLY);
		reg->dynptr = DYNPTR_LOCAL;
		reg->dynptr_first = true;
		reg->id = new_id(env);
		return;
	case PARAM_OBJECT:
		reg_set_pointer(reg, REG_BTF, param->flags | null);
		reg->btf = env->kernel_btf;
		reg->btf_id = param->btf_id;
		break;
	case PARAM_ARENA:
		arena_set_pointer(reg);
		return;
	}
	if (null)
		reg->id = new_id(env);
}

int prepare_global_args(struct env *env, uint32_t subprog, struct reg *regs)
{
	struct param params[ARGS_MAX];
	int count = read_params(env, subprog, params);

	for (int i = 0; i < count; i++)
		set_param(env, &params[i], &regs[i + 1]);
	return count < 0 ? count : 0;
}

/* --- the caller's side --- */

/* NULL, or memory to be read and written. */
static int check_memory(struct env *env, int regno, uint32_t size, bool maybe_null)
{
	struct reg *reg = call_arg(env, regno), saved = *reg;
	int error;

	if (reg_is_zero(reg) && maybe_null)
		return 0;
	if (!maybe_null && (reg_is_zero(reg) || reg_maybe_null(reg)))
		return reject_as(env, SKEP_VERIFY_NULL, -EINVAL,
				 "arg#%d is expected to be non-NULL", regno - 1);
	reg->flags &= ~(uint32_t)REG_MAYBE_NULL;
	error = check_helper_mem(env, regno, size, (struct mem_use){ .zero_size_ok = true });
	if (error == 0)
		error = check_helper_mem(env, regno, size,
					 (struct mem_use){ .zero_size_ok = true, .writes = true });
	call_arg(env, regno)->flags = saved.flags;
	return error;
}

static int check_param(struct env *env, uint32_t pc, int regno, const struct param *param)
{
	const struct reg *reg = call_arg(env, regno);
	struct call_check call = { .pc = pc };

	switch (param->kind) {
	case PARAM_SCALAR:
		if (reg->type != REG_SCALAR)
			return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "R%d is not a scalar",
					 regno);
		return 0;
	case PARAM_CTX:
		if (reg->type != REG_CTX)
			return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
					 "arg#%d expects pointer to ctx", regno - 1);
		return check_ptr_off(env, reg, regno, false);
	case PARAM_MEMORY:
		return check_memory(env, regno, param->size, param->maybe_null);
	case PARAM_DYNPTR:
		return check_dynptr_arg(env, &call, regno, false, DYNPTR_NONE, 0);
	case PARAM_OBJECT:
		if (reg_is_zero(reg) && (param->maybe_null || param->flags & REG_UNTRUSTED))
			return 0;
		if (reg->type != REG_BTF || (!(param->flags & REG_UNTRUSTED) && !reg_is_trusted(reg)))
			return reject_as(env, misfit_code(reg), -EACCES,
					 "R%d type=%s expected=ptr_, trusted_ptr_, rcu_ptr_",
					 regno, reg_type_text(reg));
		if (reg_maybe_null(reg) && !param->maybe_null)
			return reject_as(env, SKEP_VERIFY_NULL, -EACCES,
					 "Possibly NULL pointer passed to helper arg%d", regno);
		if (!btf_types_match(reg->btf, reg->btf_id, reg->off, env->kernel_btf, param->btf_id,
				     false))
			return reject_as(env, SKEP_VERIFY_ARG, -EACCES,
					 "R%d is of type %s but %s is expected", regno,
					 skep_btf_type_name(reg->btf, reg->btf_id),
					 skep_btf_type_name(env->kernel_btf, param->btf_id));
		return 0;
	case PARAM_ARENA:
		if (reg->type != REG_ARENA && reg->type != REG_SCALAR)
			return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
					 "R%d is not a pointer to arena or scalar.", regno);
		return 0;
	}
	return 0;
}

int check_global_args(struct env *env, uint32_t subprog, uint32_t pc)
{
	struct param params[ARGS_MAX];
	int count = read_params(env, subprog, params);

	for (int i = 0; i < count; i++) {
		int error = check_reg_read(env, i + 1);

		if (error == 0)
			error = check_param(env, pc, i + 1, &params[i]);
		if (error < 0)
			return error;
	}
	return count < 0 ? count : 0;
}
