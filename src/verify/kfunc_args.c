/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kfunc_args.c - arguments of kernel functions.
 *
 * What an argument must be follows from its type and the suffix of its name:
 *
 *   x__ign       anything                p__nullable  may be NULL
 *   n__k         a known constant        buf, buf__sz memory and its size
 *   d__uninit    a dynptr to be made     s__str       a constant string
 *   f__irq_flag  a word for interrupts   it__iter     an iterator that runs
 *   p__alloc     an object of the program's own
 *
 * Other pointers to kernel structures are objects that must be trusted.
 */
#include "verify/kfunc.h"

bool param_has(const struct skep_btf *btf, const struct btf_param *param, const char *suffix)
{
	const char *name = btf_str(btf, param->name_off);
	size_t len = strlen(name), tail = strlen(suffix);

	return len >= tail && strcmp(name + len - tail, suffix) == 0;
}

struct pointed {
	uint32_t id;             /* past modifiers and typedefs */
	const struct btf_type *type;
	const char *name;
};

static struct pointed pointed_to(const struct env *env, const struct btf_type *pointer)
{
	uint32_t id = btf_skip_mods_and_typedefs(env->kernel_btf, pointer->type);
	const struct btf_type *type = btf_type(env->kernel_btf, id);

	return (struct pointed){ id, type, btf_name(env->kernel_btf, type) };
}

/* What an argument points to; "void *map__map" is any map's kernel object. */
static struct pointed param_target(const struct env *env, const struct btf_param *param,
				   const struct btf_type *pointer)
{
	uint32_t map = param_has(env->kernel_btf, param, "__map") ?
			       skep_btf_find(env->kernel_btf, "bpf_map", BTF_STRUCT) : 0;

	if (!map)
		return pointed_to(env, pointer);
	return (struct pointed){ map, btf_type(env->kernel_btf, map), "bpf_map" };
}

static bool is_number(const struct btf_type *type)
{
	return btf_kind(type) == BTF_INT || btf_kind(type) == BTF_ENUM ||
	       btf_kind(type) == BTF_ENUM64;
}

bool is_plain_data(const struct skep_btf *btf, uint32_t id, unsigned depth)
{
	const struct btf_type *type;
	const struct btf_member *member;

	id = btf_skip_mods_and_typedefs(btf, id);
	type = btf_type(btf, id);
	if (is_number(type))
		return true;
	if (btf_kind(type) == BTF_ARRAY)
		return depth && is_plain_data(btf, ((const struct btf_array *)btf_data(type))->type,
					 depth - 1);
	if (btf_kind(type) != BTF_STRUCT || !depth)
		return false;
	member = btf_data(type);
	for (uint32_t i = 0; i < btf_vlen(type); i++)
		if (!is_plain_data(btf, member[i].type, depth - 1))
			return false;
	return true;
}

static bool is_named(const struct env *env, const struct btf_param *param, const char *name)
{
	return strcmp(btf_str(env->kernel_btf, param->name_off), name) == 0;
}

/* How many bytes the result points to. */
static int check_result_size(struct env *env, struct kfunc_call *call, int regno,
			     const struct btf_param *param)
{
	const struct reg *reg = call_arg(env, regno);

	if (call->result_size)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "2 or more rdonly/rdwr_buf_size parameters for kfunc");
	if (!scalar_is_const(reg->var))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "R%d is not a const", regno);
	call->result_size = (uint32_t)reg->var.umin;
	call->result_writable = is_named(env, param, "rdwr_buf_size");
	return mark_precise(env, regno);
}

static int check_number(struct env *env, struct kfunc_call *call, int regno,
			const struct btf_param *param)
{
	const struct reg *reg = call_arg(env, regno);

	if (reg->type != REG_SCALAR)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "R%d is not a scalar", regno);
	if (is_named(env, param, "rdonly_buf_size") || is_named(env, param, "rdwr_buf_size"))
		return check_result_size(env, call, regno, param);
	if (!param_has(env->kernel_btf, param, "__k") && !param_has(env->kernel_btf, param, "__szk"))
		return 0;
	if (!scalar_is_const(reg->var))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "R%d must be a known constant",
				 regno);
	if (param_has(env->kernel_btf, param, "__k")) {
		if (call->has_constant)
			return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
					 "only one constant argument permitted");
		call->has_constant = true;
		call->constant = reg->var.umin;
	}
	return mark_precise(env, regno);
}

/* --- memory --- */

/* buf and buf__sz: bytes that are read and written. */
static int check_sized(struct env *env, struct kfunc_call *call, int regno,
		       const struct btf_param *size)
{
	bool nullable = param_has(env->kernel_btf, size - 1, "__nullable") ||
			param_has(env->kernel_btf, size - 1, "__opt");
	const struct btf_type *pointer = btf_type(
		env->kernel_btf, btf_skip_mods_and_typedefs(env->kernel_btf, size[-1].type));
	bool read_only = btf_kind(btf_type(env->kernel_btf, pointer->type)) == BTF_CONST;
	struct mem_use use = { .writes = true, .zero_size_ok = true, .nullable = nullable };
	struct reg *reg = call_arg(env, regno);
	int error;

	if (call_arg(env, regno + 1)->type != REG_SCALAR)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "R%d is not a scalar",
				 regno + 1);
	if (param_has(env->kernel_btf, size, "__szk")) {
		if (!scalar_is_const(call_arg(env, regno + 1)->var))
			return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
					 "R%d must be a known constant", regno + 1);
		call->has_buffer = true;
		call->buffer_size = (uint32_t)call_arg(env, regno + 1)->var.umin;
	}
	if (nullable && reg_is_zero(reg))
		return 0;
	error = check_mem_size_reg(env, regno, regno + 1,
				   (struct mem_use){ .zero_size_ok = true, .nullable = nullable });
	if (error == 0 && !read_only)
		error = check_mem_size_reg(env, regno, regno + 1, use);
	if (error < 0)
		trace(env, 3, "R%d and R%d memory, len pair leads to invalid memory access\n", regno,
		      regno + 1);
	return error;
}

static int check_memory(struct env *env, int regno, const struct pointed *to)
{
	int64_t size = skep_btf_size(env->kernel_btf, to->id);

	if (size >= 0 && is_plain_data(env->kernel_btf, to->id, 4))
		return check_helper_mem(env, regno, (uint32_t)size,
					(struct mem_use){ .writes = true });
	if (btf_kind(to->type) == BTF_STRUCT)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "R%d is %s expected STRUCT %s", regno,
				 reg_type_text(call_arg(env, regno)), to->name);
	return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
			 "R%d pointer type %s %s must point to scalar, or struct with scalar", regno,
			 btf_kind_text(to->type), to->name);
}

/* --- objects --- */

/* Programs know packets by structures that only show what the kernel's own hold. */
static bool is_view_of(const char *view, const char *name)
{
	return (strcmp(view, "__sk_buff") == 0 && strcmp(name, "sk_buff") == 0) ||
	       (strcmp(view, "xdp_md") == 0 && strcmp(name, "xdp_buff") == 0);
}

/* "nf_conn___init" begins with an nf_conn, but is not one yet. */
static bool is_unfinished(const char *name, const char *finished)
{
	size_t len = strlen(finished);

	return strncmp(name, finished, len) == 0 && strcmp(name + len, "___init") == 0;
}

static int check_object(struct env *env, struct kfunc_call *call, int regno,
			const struct pointed *to)
{
	const struct reg *reg = call_arg(env, regno);
	const struct skep_btf *btf = reg->type == REG_BTF ? reg->btf : env->kernel_btf;
	uint32_t id = reg_kernel_type(env, reg);
	const char *name;
	bool strict;

	if (!id)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "arg#%d is %s expected %s or socket", regno - 1,
				 reg_type_text(reg), reg_type_name(REG_BTF, 0));
	if (check_ptr_off(env, reg, regno, !(reg->flags & REG_UNTRUSTED)) < 0)
		return -EINVAL;
	if (!reg_is_trusted(reg)) {
		if (!(call->fn->flags & KF_RCU))
			return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
					 "R%d must be referenced or trusted", regno);
		if (!reg_is_rcu(reg))
			return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
					 "R%d must be a rcu pointer", regno);
	}
	name = skep_btf_type_name(btf, id);
	strict = call->fn->flags & KF_RELEASE || is_unfinished(name, to->name) ||
		 is_unfinished(to->name, name);
	if (is_view_of(to->name, name) ||
	    btf_types_match(btf, id, reg->off, env->kernel_btf, to->id, strict))
		return 0;
	return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
			 "kernel function %s R%d expected pointer to STRUCT %s but R%d has "
			 "a pointer to STRUCT %s", call->fn->name, regno, to->name, regno,
			 name);
}

/* --- pointers --- */

static bool is_null(const struct reg *reg)
{
	return reg_is_zero(reg) || reg_maybe_null(reg);
}

static int check_reference(struct env *env, struct kfunc_call *call, int regno,
			   const struct pointed *to)
{
	const struct reg *reg = call_arg(env, regno);
	bool is_dynptr = strncmp(to->name, "bpf_dynptr", strlen("bpf_dynptr")) == 0;

	if (call->fn->flags & KF_RELEASE && regno == 1 && !is_dynptr) {
		if (!reg->ref_id)
			return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
					 "release kfunc %s expects referenced PTR_TO_BTF_ID passed "
					 "to R1", call->fn->name);
		if (reg->off)
			return reject_as(env, SKEP_VERIFY_MOVED, -EINVAL,
					 "R%d must have zero offset when passed to release func or "
					 "trusted arg to kfunc", regno);
	}
	if (!reg->ref_id)
		return 0;
	if (call->fn->flags & KF_RELEASE && call->call.ref_id)
		return reject_as(env, SKEP_VERIFY_ARG, -EACCES,
				 "more than one arg with ref_obj_id R%d %u %u", regno,
				 reg->ref_id, call->call.ref_id);
	call->call.ref_id = reg->ref_id;
	if (call->fn->flags & KF_RELEASE)
		call->call.release_reg = regno;
	return 0;
}

static const struct dynptr_kfunc {
	const char *name;
	enum dynptr_kind kind;   /* it makes, or takes */
} dynptr_kfuncs[] = {
	{ "bpf_dynptr_from_skb", DYNPTR_SKB }, { "bpf_dynptr_from_xdp", DYNPTR_XDP },
	{ "bpf_dynptr_from_skb_meta", DYNPTR_SKB_META }, { "bpf_dynptr_from_file", DYNPTR_FILE },
	{ "bpf_dynptr_file_discard", DYNPTR_FILE },
};

static int check_dynptr(struct env *env, struct kfunc_call *call, int regno,
			const struct btf_param *param)
{
	bool uninit = param_has(env->kernel_btf, param, "__uninit");
	enum dynptr_kind kind = DYNPTR_NONE;
	uint32_t source_ref = call->call.ref_id;

	for (size_t i = 0; i < ARRAY_SIZE(dynptr_kfuncs); i++)
		if (strcmp(call->fn->name, dynptr_kfuncs[i].name) == 0)
			kind = dynptr_kfuncs[i].kind;
	if (uninit && call->call.dynptr_id) {
		kind = call->call.dynptr_kind;
		source_ref = call->call.dynptr_ref;
	}
	if (call->fn->flags & KF_RELEASE && call_arg(env, regno)->type == REG_DYNPTR)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "CONST_PTR_TO_DYNPTR cannot be released");
	return check_dynptr_arg(env, &call->call, regno, uninit, kind, uninit ? source_ref : 0);
}

/* bpf_res_spin_lock() and its three kin. */
static int check_res_lock(struct env *env, struct kfunc_call *call, int regno)
{
	const struct reg *reg = call_arg(env, regno);
	bool irq = strstr(call->fn->name, "_irq") != NULL;

	if (reg->type != REG_MAP_VALUE && !(reg->type == REG_BTF && reg->flags & REG_ALLOC))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "R%d doesn't point to map value or allocated object", regno);
	return check_lock(env, regno, irq ? REF_RES_LOCK_IRQ : REF_RES_LOCK,
			  kfunc_takes_lock(call->fn));
}

static int check_irq(struct env *env, struct kfunc_call *call, int regno)
{
	bool local = strncmp(call->fn->name, "bpf_local_irq_", 14) == 0;
	bool saves = strstr(call->fn->name, "save") != NULL;

	return check_irq_flag(env, regno, saves, local ? IRQ_LOCAL : IRQ_LOCK);
}

static int check_iter(struct env *env, struct kfunc_call *call, int regno, uint32_t type)
{
	if (call->fn->flags & KF_ITER_NEW)
		return iter_new(env, call, regno, type);
	return iter_find(env, call, regno, type);
}

/* Structures that are special fields of map values and objects. */
static const struct {
	const char *name;
	uint32_t type;           /* enum field_type */
	int (*check)(struct env *env, struct kfunc_call *call, int regno, uint32_t type);
} field_args[] = {
	{ "bpf_list_head", MAP_FIELD_LIST_HEAD, check_graph_root },
	{ "bpf_rb_root", MAP_FIELD_RB_ROOT, check_graph_root },
	{ "bpf_wq", MAP_FIELD_WORKQUEUE, check_work },
	{ "bpf_task_work", MAP_FIELD_TASK_WORK, check_work },
	{ "bpf_timer", MAP_FIELD_TIMER, check_work },
};

/* The program's context, by its name for programs or, for packets, by the kernel's. */
static bool is_context(const struct env *env, const struct kfunc_call *call, const char *name)
{
	const struct prog_spec *spec = env->spec;
	const char *context = spec->type->ctx && spec->type->ctx->name ? spec->type->ctx->name : "";

	if (call->fn->kind == KFUNC_KERNEL_CONTEXT || call->fn->kind == KFUNC_SESSION)
		return true;
	return strcmp(name, context) == 0 || is_view_of(context, name);
}

static int check_context(struct env *env, int regno)
{
	const struct reg *reg = call_arg(env, regno);

	if (reg->type != REG_CTX)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "R%d expected pointer to ctx, but got %s", regno, reg_type_text(reg));
	return check_ptr_off(env, reg, regno, false);
}

static int check_callback(struct env *env, struct kfunc_call *call, int regno)
{
	const struct reg *reg = call_arg(env, regno);

	if (reg->type != REG_FUNC)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "R%d expected pointer to func",
				 regno);
	call->call.subprog = reg->subprog;
	return 0;
}

/* What the parameter's own name says. 1: nothing. */
static int check_suffixed(struct env *env, struct kfunc_call *call, int regno,
			  const struct btf_param *param)
{
	const struct skep_btf *btf = env->kernel_btf;
	const struct reg *reg = call_arg(env, regno);
	const char *text;
	size_t room;

	if (param_has(btf, param, "__alloc"))
		return check_object_drop(env, call, regno);
	if (param_has(btf, param, "__refcounted_kptr"))
		return check_refcounted(env, call, regno);
	if (param_has(btf, param, "__irq_flag"))
		return check_irq(env, call, regno);
	if (param_has(btf, param, "__str") && reg->type != REG_MAP_VALUE)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "R%d doesn't point to a const string", regno);
	if (param_has(btf, param, "__str"))
		return check_const_string(env, regno, &text, &room);
	if (param_has(btf, param, "__const_map"))
		return check_work_map(env, call, regno);
	/* Before there was __const_map, __map stood for both. */
	if (param_has(btf, param, "__map") && call->work)
		return check_work_map(env, call, regno);
	if (!param_has(btf, param, "__map"))
		return 1;
	if (reg->type == REG_MAP)
		return 0;
	if (reg->type == REG_BTF) { /* a map found while the program runs */
		struct pointed map = { .id = skep_btf_find(btf, "bpf_map", BTF_STRUCT) };

		map.type = btf_type(btf, map.id);
		map.name = btf_name(btf, map.type);
		return check_object(env, call, regno, &map);
	}
	return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
			 "R%d is %s expected STRUCT bpf_map or map_ptr", regno, reg_type_text(reg));
}

/* What the type pointed to says. 1: nothing. */
static int check_named(struct env *env, struct kfunc_call *call, int regno,
		       const struct btf_param *param, const struct pointed *to)
{
	bool borrowed_ok = param_has(env->kernel_btf, param, "__nonown_allowed");

	if (strcmp(to->name, "bpf_dynptr") == 0 || strcmp(to->name, "bpf_dynptr_kern") == 0)
		return check_dynptr(env, call, regno, param);
	if ((call->fn->flags & (KF_ITER_NEW | KF_ITER_NEXT | KF_ITER_DESTROY) && regno == 1) ||
	    param_has(env->kernel_btf, param, "__iter"))
		return check_iter(env, call, regno, to->id);
	if (strcmp(to->name, "bpf_res_spin_lock") == 0)
		return check_res_lock(env, call, regno);
	if (strcmp(to->name, "bpf_list_node") == 0)
		return check_graph_node(env, call, regno, MAP_FIELD_LIST_NODE, borrowed_ok);
	if (strcmp(to->name, "bpf_rb_node") == 0)
		return check_graph_node(env, call, regno, MAP_FIELD_RB_NODE, borrowed_ok);
	for (size_t i = 0; i < ARRAY_SIZE(field_args); i++)
		if (strcmp(to->name, field_args[i].name) == 0)
			return field_args[i].check(env, call, regno, field_args[i].type);
	return 1;
}

static int check_pointer(struct env *env, struct kfunc_call *call, int regno,
			 const struct btf_param *param, const struct btf_type *pointer)
{
	const struct skep_btf *btf = env->kernel_btf;
	struct pointed to = param_target(env, param, pointer);
	const struct reg *reg = call_arg(env, regno);
	bool sized = regno < 5 && (uint32_t)regno < call->count &&
		     (param_has(btf, param + 1, "__sz") || param_has(btf, param + 1, "__szk"));
	int error;

	if (param_has(btf, param, "__arena") || param_has(btf, param, "__arena__nullable"))
		return check_kfunc_arena_arg(env, regno);
	if (is_null(reg) && (param_has(btf, param, "__nullable") || param_has(btf, param, "__opt"))) {
		if (reg_is_zero(reg))
			return sized ? check_sized(env, call, regno, param + 1) : 0;
	} else if (is_null(reg)) {
		return reject_as(env, SKEP_VERIFY_NULL, -EACCES,
				 "Possibly NULL pointer passed to trusted R%d", regno);
	}
	if (is_context(env, call, to.name))
		return check_context(env, regno);
	error = check_reference(env, call, regno, &to);
	if (error == 0 && reg->type == REG_BTF)
		error = check_ptr_off(env, reg, regno, true);
	if (error == 0)
		error = check_suffixed(env, call, regno, param);
	if (error <= 0)
		return error;
	error = check_named(env, call, regno, param, &to);
	if (error <= 0)
		return error;
	if (reg->type == REG_BTF || reg_kernel_type(env, reg))
		return check_object(env, call, regno, &to);
	if (btf_kind(to.type) == BTF_FUNC_PROTO)
		return check_callback(env, call, regno);
	if (sized)
		return check_sized(env, call, regno, param + 1);
	return check_memory(env, regno, &to);
}

int check_kfunc_args(struct env *env, struct kfunc_call *call)
{
	const struct skep_btf *btf = env->kernel_btf;

	for (uint32_t i = 0; i < call->count; i++) {
		const struct btf_param *param = &call->params[i];
		const struct btf_type *type =
			btf_type(btf, btf_skip_mods_and_typedefs(btf, param->type));
		int regno = (int)i + 1, error;

		if (param_has(btf, param, "__ign"))
			continue;
		error = check_reg_read(env, regno);
		if (error == 0 && is_number(type))
			error = check_number(env, call, regno, param);
		else if (error == 0 && btf_kind(type) == BTF_PTR)
			error = check_pointer(env, call, regno, param, type);
		else if (error == 0)
			error = reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
					  "Unrecognized arg#%u type %s", i,
					  btf_name(btf, type));
		if (error < 0)
			return error;
	}
	if (call->fn->flags & KF_RELEASE && !call->call.release_reg && !call->call.dynptr_ref)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "release kernel function %s expects refcounted PTR_TO_BTF_ID",
				 call->fn->name);
	return 0;
}
