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
#include "verify/passes.h"

#include <stdio.h>

#define ARGS_MAX 5

enum param_kind { PARAM_SCALAR, PARAM_CTX, PARAM_MEMORY, PARAM_DYNPTR, PARAM_OBJECT, PARAM_ARENA,
		  PARAM_UNTRUSTED_MEMORY };

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
	const struct prog_spec *spec = env->spec;

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

/* --- tags --- */

enum tag {
	TAG_CTX = 1 << 0, TAG_TRUSTED = 1 << 1, TAG_UNTRUSTED = 1 << 2, TAG_NONNULL = 1 << 3,
	TAG_NULLABLE = 1 << 4, TAG_ARENA = 1 << 5,
	TAG_UNKNOWN = 1 << 6,
};

/* What the argument's "arg:..." tags say together. */
static unsigned read_tags(const struct skep_btf *btf, uint32_t function, uint32_t arg)
{
	static const char *const names[] = { "ctx", "trusted", "untrusted", "nonnull", "nullable",
					     "arena" };
	unsigned tags = 0;

	for (uint32_t id = 1; id <= skep_btf_count(btf); id++) {
		const struct btf_type *type = btf_type(btf, id);
		unsigned tag = TAG_UNKNOWN;

		if (btf_kind(type) != BTF_DECL_TAG || type->type != function ||
		    *(const int32_t *)btf_data(type) != (int32_t)arg ||
		    strncmp(btf_name(btf, type), "arg:", 4) != 0)
			continue;
		for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
			if (strcmp(btf_name(btf, type) + 4, names[i]) == 0)
				tag = 1u << i;
		tags |= tag;
	}
	return tags;
}

/* Loaders help older kernels to understand one of them. */
static unsigned known_tags(const struct env *env, uint32_t function, uint32_t arg)
{
	unsigned tags = read_tags(env->spec->btf, function, arg);

	return !tags || env_can(env, ABILITY_ARG_TAGS) ? tags : tags & TAG_CTX;
}

/* --- one parameter --- */

static bool is_number(const struct btf_type *type)
{
	return btf_kind(type) == BTF_INT || btf_kind(type) == BTF_ENUM ||
	       btf_kind(type) == BTF_ENUM64;
}

struct reading {
	struct env *env;
	const struct skep_btf *btf;      /* the program's */
	const char *function;
	uint32_t arg, pointer;           /* its index; its type past modifiers */
	uint32_t target;                 /* what it points to, past modifiers and typedefs */
	unsigned tags;
	struct param *param;
};

static int refuse_tags(const struct reading *r)
{
	return reject(r->env, -EINVAL, "arg#%u has invalid combination of tags", r->arg);
}

/* The types that stand for the context where the program's own says nothing of it. */
static bool is_words(const struct btf_type *type)
{
	return btf_kind(type) == BTF_INT && type->size == 8;
}

static bool fits_ctx(const struct env *env, const char *name, const struct btf_type *type)
{
	const struct prog_spec *spec = env->spec;

	switch (spec->type->id) {
	case BPF_PROG_TYPE_TRACEPOINT: case BPF_PROG_TYPE_SYSCALL: case BPF_PROG_TYPE_EXT:
		return true;
	case BPF_PROG_TYPE_RAW_TRACEPOINT: case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
		return is_words(type) || strcmp(name, "bpf_raw_tracepoint_args") == 0;
	case BPF_PROG_TYPE_LSM: case BPF_PROG_TYPE_STRUCT_OPS:
		return is_words(type);
	case BPF_PROG_TYPE_PERF_EVENT:
		return strcmp(name, "pt_regs") == 0 || strcmp(name, "user_pt_regs") == 0 ||
		       strcmp(name, "user_regs_struct") == 0 || is_ctx_name(env, name);
	case BPF_PROG_TYPE_TRACING:
		if (spec->attach == BPF_TRACE_ITER)
			return strncmp(name, "bpf_iter__", 10) == 0;
		return is_words(type) || (spec->attach == BPF_TRACE_RAW_TP &&
					  strcmp(name, "bpf_raw_tracepoint_args") == 0);
	default:
		return is_ctx_name(env, name);
	}
}

/* Called a context by its tag: is it one? Any void pointer may be. */
static int read_ctx(const struct reading *r)
{
	const struct prog_spec *spec = r->env->spec;
	const struct btf_type *type = btf_type(r->btf, r->target);
	const char *name = btf_name(r->btf, type), *want = spec->type->ctx->name;

	r->param->kind = PARAM_CTX;
	if (points_to_ctx(r->env, r->btf, r->pointer) || btf_kind(type) == BTF_VOID)
		return 0;
	if (!*name)
		return reject(r->env, -EINVAL, "arg#%u type doesn't have a name", r->arg);
	if (fits_ctx(r->env, name, type))
		return 0;
	return reject(r->env, -EINVAL, "arg#%u should be `struct %s *`", r->arg,
		      want ? want : name);
}

/* A flavour of a type ("task_struct___old") stands for the type. */
static int read_object(const struct reading *r)
{
	const struct btf_type *type = btf_type(r->btf, r->target);
	const char *full = btf_name(r->btf, type), *flavour = strstr(full, "___");
	char name[128];
	uint32_t id = 0;

	snprintf(name, sizeof(name), "%.*s", flavour ? (int)(flavour - full) : (int)strlen(full), full);
	if (!*name)
		return reject(r->env, -EINVAL, "arg#%u reference type('%s %s') candidate matching "
			      "error: %d", r->arg, btf_kind_text(type), "(anon)", -EINVAL);
	if (r->env->kernel_btf)
		id = skep_btf_find(r->env->kernel_btf, name,
				   btf_kind(type) == BTF_FWD ? BTF_STRUCT : btf_kind(type));
	if (!id || btf_kind(type) == BTF_FWD)
		return reject(r->env, -ENOENT, "arg#%u reference type('%s %s') has no matches",
			      r->arg, btf_kind_text(type), full);
	r->param->kind = PARAM_OBJECT;
	r->param->btf_id = id;
	return 0;
}

static int read_trusted(const struct reading *r)
{
	if (r->tags & TAG_NONNULL)
		return refuse_tags(r);
	r->param->flags = REG_TRUSTED;
	r->param->maybe_null = r->tags & TAG_NULLABLE;
	return read_object(r);
}

/* Read through, with faults giving zero: numbers and bytes, or a kernel structure. */
static int read_untrusted(const struct reading *r)
{
	const struct btf_type *type = btf_type(r->btf, r->target);

	if (btf_kind(type) == BTF_VOID || btf_kind(type) == BTF_FLOAT || is_number(type)) {
		r->param->kind = PARAM_UNTRUSTED_MEMORY;
		return 0;
	}
	r->param->flags = REG_UNTRUSTED;
	return read_object(r);
}

static int read_memory(const struct reading *r)
{
	const struct btf_type *type = btf_type(r->btf, r->target);
	int64_t size = skep_btf_size(r->btf, r->target);

	if (r->tags & TAG_NULLABLE)
		return refuse_tags(r);
	if (!env_can(r->env, ABILITY_MEMORY_ARGS))
		return reject(r->env, -EINVAL, "Arg#%u type %s in %s() is not supported yet.",
			      r->arg, btf_kind_text(btf_type(r->btf, r->pointer)), r->function);
	if (size < 0 || btf_kind(type) == BTF_VOID)
		return reject(r->env, -EINVAL, "arg#%u reference type('%s %s') size cannot be "
			      "determined: %d", r->arg, btf_kind_text(type), btf_name(r->btf, type),
			      -EINVAL);
	r->param->kind = PARAM_MEMORY;
	r->param->size = (uint32_t)size;
	r->param->maybe_null = !(r->tags & TAG_NONNULL);
	return 0;
}

static int read_pointer(const struct reading *r)
{
	if (r->tags & TAG_CTX || points_to_ctx(r->env, r->btf, r->pointer))
		return r->tags & ~(unsigned)TAG_CTX ? refuse_tags(r) : read_ctx(r);
	if (strcmp(btf_name(r->btf, btf_type(r->btf, r->target)), "bpf_dynptr") == 0) {
		r->param->kind = PARAM_DYNPTR;
		return r->tags ? refuse_tags(r) : 0;
	}
	if (r->tags & TAG_TRUSTED)
		return read_trusted(r);
	if (r->tags & TAG_UNTRUSTED)
		return r->tags == TAG_UNTRUSTED ? read_untrusted(r) :
		       reject(r->env, -EINVAL, "arg#%u untrusted cannot be combined with any other "
			      "tags", r->arg);
	if (r->tags & TAG_ARENA) {
		r->param->kind = PARAM_ARENA;
		return r->tags == TAG_ARENA ? 0 :
		       reject(r->env, -EINVAL, "arg#%u arena cannot be combined with any other tags",
			      r->arg);
	}
	return read_memory(r);
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

uint32_t parameter_count(const struct env *env, uint32_t subprog)
{
	const struct btf_type *proto = prototype(env, subprog);

	return proto ? btf_vlen(proto) : 0;
}

bool main_takes_ctx(const struct env *env)
{
	const struct btf_type *proto = prototype(env, 0), *ret;
	const struct btf_param *args;
	uint32_t id;

	if (!proto || btf_vlen(proto) != 1)
		return false;
	args = btf_data(proto);
	ret = btf_type(env->spec->btf, btf_skip_mods_and_typedefs(env->spec->btf, proto->type));
	id = btf_skip_mods_and_typedefs(env->spec->btf, args[0].type);
	return (is_number(ret) || btf_kind(ret) == BTF_VOID) &&
	       btf_kind(btf_type(env->spec->btf, id)) == BTF_PTR &&
	       (points_to_ctx(env, env->spec->btf, id) ||
		known_tags(env, env->subprog[0].type, 0) == TAG_CTX);
}

void trace_main_arguments(struct env *env)
{
	const struct skep_btf *btf = env->spec->btf;
	const struct btf_type *proto = prototype(env, 0), *ret, *to;
	const struct btf_param *args;

	if (!proto || btf_vlen(proto) > ARGS_MAX)
		return;
	args = btf_data(proto);
	ret = btf_type(btf, btf_skip_mods_and_typedefs(btf, proto->type));
	if (!is_number(ret) && btf_kind(ret) != BTF_VOID)
		return;
	for (uint32_t i = 0; i < btf_vlen(proto); i++) {
		uint32_t id = btf_skip_mods_and_typedefs(btf, args[i].type), target;

		if (btf_kind(btf_type(btf, id)) != BTF_PTR || points_to_ctx(env, btf, id))
			continue;
		target = btf_skip_mods_and_typedefs(btf, btf_type(btf, id)->type);
		to = btf_type(btf, target);
		if (known_tags(env, env->subprog[0].type, i))
			continue;
		if (btf_kind(to) != BTF_VOID && skep_btf_size(btf, target) >= 0)
			continue;
		trace(env, 3, "arg#%u reference type('%s %s') size cannot be determined: %d\n", i,
		      btf_kind_text(to), btf_name(btf, to), -EINVAL);
		return;
	}
}

/* Compilers change static functions as they like: does a call fit the types all the same? */
static bool fits_static(const struct env *env, uint32_t subprog, const struct reg *regs)
{
	const struct skep_btf *btf = env->spec->btf;
	const struct btf_type *proto = prototype(env, subprog), *ret;
	const struct btf_param *args;

	if (!proto || btf_vlen(proto) > ARGS_MAX)
		return false;
	args = btf_data(proto);
	ret = btf_type(btf, btf_skip_mods_and_typedefs(btf, proto->type));
	if (!is_number(ret) && btf_kind(ret) != BTF_VOID)
		return false;
	for (uint32_t i = 0; i < btf_vlen(proto); i++) {
		uint32_t id = btf_skip_mods_and_typedefs(btf, args[i].type);
		const struct btf_type *type = btf_type(btf, id);
		bool is_ctx = btf_kind(type) == BTF_PTR && points_to_ctx(env, btf, id);

		if (read_tags(btf, env->subprog[subprog].type, i) ||
		    (!is_ctx && !is_number(type)) ||
		    regs[i + 1].type != (is_ctx ? REG_CTX : REG_SCALAR) ||
		    (is_ctx && (regs[i + 1].off || !scalar_is_const(regs[i + 1].var))))
			return false;
	}
	return true;
}

void note_static_call(struct env *env, uint32_t subprog, const struct reg *regs)
{
	if (!env->subprog[subprog].unreliable)
		env->subprog[subprog].unreliable = !fits_static(env, subprog, regs);
}

bool global_returns_void(const struct env *env, uint32_t subprog)
{
	const struct btf_type *proto = prototype(env, subprog);

	return proto && btf_kind(btf_type(env->spec->btf, btf_skip_mods_and_typedefs(
						  env->spec->btf, proto->type))) == BTF_VOID;
}

static int read_param(struct env *env, uint32_t subprog, uint32_t arg, uint32_t type,
		      struct param *param)
{
	const struct skep_btf *btf = env->spec->btf;
	uint32_t id = btf_skip_mods_and_typedefs(btf, type);
	const struct btf_type *t = btf_type(btf, id);
	const char *name = env->subprog[subprog].name ? env->subprog[subprog].name : "";
	struct reading r = { env, btf, name, arg, id, 0,
			     known_tags(env, env->subprog[subprog].type, arg), param };

	*param = (struct param){ .kind = PARAM_SCALAR };
	if (r.tags & TAG_UNKNOWN)
		return reject(env, -EOPNOTSUPP, "arg#%u has unsupported set of tags", arg);
	if (r.tags && btf_kind(t) != BTF_PTR)
		return reject(env, -EINVAL, "arg#%u has pointer tag, but is not a pointer type", arg);
	if (btf_kind(t) == BTF_PTR) {
		r.target = btf_skip_mods_and_typedefs(btf, t->type);
		return read_pointer(&r);
	}
	if (is_number(t))
		return 0;
	return reject(env, -EINVAL, "Arg#%u type %s in %s() is not supported yet.", arg, btf_kind_text(t),
		      name);
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
	if (count > ARGS_MAX && env_can(env, ABILITY_STACK_ARGS))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "global function %s has %u > %u args, stack args not supported",
				 name, count, ARGS_MAX);
	if (count > ARGS_MAX)
		return reject(env, -EINVAL, "Global function %s() with %u > %u args. Buggy compiler.",
			      name, count, ARGS_MAX);
	ret = btf_type(btf, btf_skip_mods_and_typedefs(btf, proto->type));
	if (!is_number(ret) && btf_kind(ret) != BTF_VOID)
		return reject(env, -EINVAL, "Global function %s() return value not void or scalar. Only "
			      "those are supported.", name);
	for (uint32_t i = 0; i < count; i++) {
		int error = read_param(env, subprog, i, args[i].type, &params[i]);

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
	case PARAM_UNTRUSTED_MEMORY:
		reg_set_pointer(reg, REG_MEM, REG_RDONLY | REG_UNTRUSTED);
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

static bool is_trusted_object(const struct reg *reg)
{
	return reg->type == REG_BTF && (reg->ref_id || reg->flags & (REG_TRUSTED | REG_RCU)) &&
	       !(reg->flags & ~(uint32_t)(REG_TRUSTED | REG_RCU | REG_MAYBE_NULL));
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
					 "R%d expects pointer to ctx", regno);
		return check_ptr_off(env, reg, regno, false);
	case PARAM_MEMORY:
		return check_memory(env, regno, param->size, param->maybe_null);
	case PARAM_DYNPTR:
		return check_dynptr_arg(env, &call, regno, false, DYNPTR_NONE, 0);
	case PARAM_UNTRUSTED_MEMORY:
		return 0;
	case PARAM_OBJECT:
		/* Read only, and where a fault gives zero: anything will do. */
		if (param->flags & REG_UNTRUSTED || (reg_is_zero(reg) && param->maybe_null))
			return 0;
		if (!is_trusted_object(reg) || (reg_maybe_null(reg) && !param->maybe_null))
			return reject_as(env, misfit_code(reg), -EACCES,
					 "R%d type=%s expected=ptr_, trusted_ptr_, rcu_ptr_",
					 regno, reg_type_text(reg));
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
