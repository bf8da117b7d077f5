/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctx_btf.c - contexts that are the arguments of a kernel function: an array of
 * 8-byte words, typed by the BTF of what the program is attached to.
 */
#include "verify/call.h"
#include "verify/passes.h"

#include <stdio.h>

/* What a program is attached to: its name and prototype. */
struct target {
	const struct skep_btf *btf;
	const struct btf_type *proto;    /* FUNC_PROTO */
	uint32_t skip;                   /* parameters that programs do not see */
	const char *name;
	bool is_program;                 /* a function of a program */
};

enum { NULLABLE = 1, ERROR = 2 };

static const struct {
	const char *name;
	uint8_t arg, what;
} odd_arguments[] = {
#define TRACEPOINT(name, arg, what) { #name, arg, what },
#include "verify/tracepoint.def"
};

static unsigned oddity(const char *tracepoint, uint32_t arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(odd_arguments); i++)
		if (odd_arguments[i].arg == arg && strcmp(odd_arguments[i].name, tracepoint) == 0)
			return odd_arguments[i].what;
	return 0;
}

enum item { ITEM_OTHER, TRUSTED_OR_NULL, PLAIN_OR_NULL, BUFFER, KEY_BUFFER };

static const struct {
	const char *name;
	uint8_t arg, what;
} items[] = {
#define ITERATOR(name, arg, what) { #name, arg, what },
#include "verify/iterator.def"
};

/* function: "bpf_iter_task". */
static enum item iterator_item(const struct env *env, const char *function, uint32_t arg)
{
	if (env->spec->type->id != BPF_PROG_TYPE_TRACING || env->spec->attach != BPF_TRACE_ITER ||
	    strncmp(function, "bpf_iter_", 9) != 0)
		return ITEM_OTHER;
	for (size_t i = 0; i < ARRAY_SIZE(items); i++)
		if (items[i].arg == arg && strcmp(items[i].name, function + 9) == 0)
			return (enum item)items[i].what;
	return ITEM_OTHER;
}

/*
 * A member's own prototype has no names for its parameters. The kernel's stub
 * of it, STRUCTURE__MEMBER, does, and they say more: task__nullable, skb__ref.
 */
static void use_stub(const struct env *env, const char *record, struct target *target)
{
	const struct btf_type *stub;
	char name[128];
	uint32_t id;

	snprintf(name, sizeof(name), "%s__%s", record, target->name);
	id = skep_btf_find(env->kernel_btf, name, BTF_FUNC);
	if (!id)
		return;
	stub = btf_type(env->kernel_btf, btf_type(env->kernel_btf, id)->type);
	if (btf_kind(stub) == BTF_FUNC_PROTO && btf_vlen(stub) == btf_vlen(target->proto))
		target->proto = stub;
}

/* struct_ops: the member of the structure that the program implements. */
static bool find_member(const struct env *env, struct target *target)
{
	const struct btf_type *record = btf_type(env->kernel_btf, env->spec->attach_btf_id);
	const struct btf_member *member = btf_data(record);
	const struct btf_type *pointer;

	if (btf_kind(record) != BTF_STRUCT || env->spec->attach >= btf_vlen(record))
		return false;
	member += env->spec->attach;
	pointer = btf_type(env->kernel_btf, btf_skip_mods_and_typedefs(env->kernel_btf, member->type));
	if (btf_kind(pointer) != BTF_PTR)
		return false;
	target->proto = btf_type(env->kernel_btf,
				 btf_skip_mods_and_typedefs(env->kernel_btf, pointer->type));
	target->name = btf_str(env->kernel_btf, member->name_off);
	if (btf_kind(target->proto) != BTF_FUNC_PROTO)
		return false;
	use_stub(env, btf_name(env->kernel_btf, record), target);
	return true;
}

static bool find_target(const struct env *env, struct target *target)
{
	const struct btf_type *type;
	uint32_t id = env->spec->attach_btf_id;

	*target = (struct target){ .btf = env->kernel_btf };
	if (env->spec->target) {
		target->btf = env->spec->target->btf;
		target->is_program = true;
		id = env->spec->target_btf_id;
	}
	if (!target->btf || !id)
		return false;
	if (env->spec->type->id == BPF_PROG_TYPE_STRUCT_OPS)
		return find_member(env, target);
	type = btf_type(target->btf, id);
	target->name = btf_name(target->btf, type);
	/* A tracepoint: typedef void (*btf_trace_NAME)(void *data, ...). */
	if (btf_kind(type) == BTF_TYPEDEF) {
		type = btf_type(target->btf, type->type);
		if (btf_kind(type) != BTF_PTR)
			return false;
		target->skip = 1;
		if (strncmp(target->name, "btf_trace_", 10) == 0)
			target->name += 10;
	} else if (btf_kind(type) != BTF_FUNC) {
		return false;
	}
	target->proto = btf_type(target->btf, type->type);
	return btf_kind(target->proto) == BTF_FUNC_PROTO;
}

enum target_return target_return(const struct env *env)
{
	struct target target;
	const struct btf_type *type;
	uint32_t id;

	if (!find_target(env, &target))
		return TARGET_RETURNS_UNKNOWN;
	id = btf_skip_mods_and_typedefs(target.btf, target.proto->type);
	type = btf_type(target.btf, id);
	if (btf_kind(type) == BTF_VOID)
		return TARGET_RETURNS_VOID;
	if (btf_kind(type) == BTF_PTR)
		return TARGET_RETURNS_POINTER;
	return btf_kind(type) == BTF_INT && type->size == 1 ? TARGET_RETURNS_BOOL :
							      TARGET_RETURNS_INT;
}

/* --- one argument --- */

struct argument {
	uint32_t index;
	uint32_t type;           /* BTF id; 0 with is_return: void */
	const char *name;
	bool is_return;
};

/* Structures by value take as many words as they have. */
static uint32_t words_of(const struct skep_btf *btf, uint32_t id)
{
	int64_t size = skep_btf_size(btf, id);

	return size > 8 ? (uint32_t)(size + 7) / 8 : 1;
}

static int find_argument(struct env *env, const struct target *target, uint32_t word,
			 struct argument *arg)
{
	const struct btf_param *params = btf_data(target->proto);
	uint32_t count = btf_vlen(target->proto), at = 0, index = 0;

	for (uint32_t i = target->skip; i < count; i++, index++) {
		uint32_t words = words_of(target->btf, params[i].type);

		if (word < at + words) {
			*arg = (struct argument){ index, params[i].type,
						  btf_str(target->btf, params[i].name_off), false };
			return 0;
		}
		at += words;
	}
	*arg = (struct argument){ index, target->proto->type, "return", true };
	if (word == at)
		switch (env->spec->attach) {
		case BPF_LSM_MAC:
		case BPF_LSM_CGROUP:
		case BPF_TRACE_FEXIT:
		case BPF_TRACE_FSESSION:
		case BPF_MODIFY_RETURN:
			return 0;
		default:
			break;
		}
	return reject(env, -EACCES, "func '%s' doesn't have %u-th argument", target->name, word + 1);
}

/* A function that may be called with anything: five numbers, and afterwards its result. */
static int check_unknown_word(struct env *env, uint32_t word, struct reg *out)
{
	bool ended = env->spec->attach == BPF_TRACE_FEXIT || env->spec->attach == BPF_TRACE_FSESSION;

	if (word > 5 || (word == 5 && !ended))
		return reject(env, -EACCES, "func '%s' doesn't have %u-th argument",
			      env->spec->attach_name ? env->spec->attach_name : "", word + 1);
	reg_set_unknown(env, out);
	return 0;
}

/* Programs are called with the kernel's context, whatever they call it. */
static int set_context(struct env *env, const struct target *target,
		       const struct btf_type *pointer, struct reg *out)
{
	const struct prog_spec *called = env->spec->target;
	const struct prog_type *type;
	uint32_t id = btf_skip_mods_and_typedefs(target->btf, pointer->type);
	const char *name = skep_btf_type_name(target->btf, id);

	if (called->type->id == BPF_PROG_TYPE_EXT && called->target)
		called = called->target; /* which an extension is called as */
	type = called->type;
	if (!type->ctx || !type->ctx->name || strcmp(name, type->ctx->name) != 0)
		return -EACCES;
	id = kernel_ctx_type(env, type);
	if (!id)
		return -EACCES;
	reg_set_pointer(out, REG_BTF, 0);
	out->btf = env->kernel_btf;
	out->btf_id = id;
	return 0;
}

static bool args_are_trusted(const struct env *env)
{
	switch (env->spec->type->id) {
	case BPF_PROG_TYPE_TRACING:
		return env->spec->attach == BPF_TRACE_RAW_TP || env->spec->attach == BPF_TRACE_ITER;
	case BPF_PROG_TYPE_LSM:
		return hook_is_trusted(env);
	case BPF_PROG_TYPE_STRUCT_OPS:
		return true;
	default:
		return false;
	}
}

static bool ends_with(const char *text, const char *suffix)
{
	size_t len = strlen(text), tail = strlen(suffix);

	return len >= tail && strcmp(text + len - tail, suffix) == 0;
}

static bool may_be_null(const struct env *env, const struct target *target,
			const struct argument *arg)
{
	enum item item = iterator_item(env, target->name, arg->index);

	if (hook_arg_may_be_null(env, arg->index) || ends_with(arg->name, "__nullable") || item == TRUSTED_OR_NULL || item == PLAIN_OR_NULL)
		return true;
	return env->spec->attach == BPF_TRACE_RAW_TP && oddity(target->name, arg->index) == NULLABLE;
}

/* Congestion control is given sockets of TCP. */
static uint32_t more_exactly(const struct env *env, uint32_t id)
{
	const struct skep_btf *btf = env->kernel_btf;

	if (env->spec->type->id != BPF_PROG_TYPE_STRUCT_OPS ||
	    strcmp(skep_btf_type_name(btf, env->spec->attach_btf_id), "tcp_congestion_ops") != 0 ||
	    strcmp(skep_btf_type_name(btf, id), "sock") != 0)
		return id;
	return skep_btf_find(btf, "tcp_sock", BTF_STRUCT);
}

/* The elements of a map an iterator walks: bytes of sizes that are known when it starts. */
static bool set_buffer(struct env *env, const struct target *target, const struct argument *arg,
		       struct reg *out)
{
	enum item item = iterator_item(env, target->name, arg->index);

	if (item != BUFFER && item != KEY_BUFFER)
		return false;
	reg_set_pointer(out, REG_BUF, REG_MAYBE_NULL | (item == KEY_BUFFER ? REG_RDONLY : 0));
	out->mem_size = 0;
	out->id = new_id(env);
	return true;
}

/* --- references that come as arguments --- */

static bool gives_reference(const struct env *env, const struct argument *arg)
{
	return env->type->id == BPF_PROG_TYPE_STRUCT_OPS && ends_with(arg->name, "__ref") &&
	       arg->index < ARRAY_SIZE(env->arg_ref);
}

int acquire_arguments(struct env *env)
{
	struct target target;
	const struct btf_param *params;

	if (env->type->id != BPF_PROG_TYPE_STRUCT_OPS || !find_target(env, &target))
		return 0;
	params = btf_data(target.proto);
	for (uint32_t i = 0; i < btf_vlen(target.proto); i++) {
		struct argument arg = { i, params[i].type, btf_str(target.btf, params[i].name_off),
					false };
		int id;

		if (!gives_reference(env, &arg))
			continue;
		id = acquire_reference(env, 0);
		if (id < 0)
			return id;
		env->arg_ref[i] = (uint32_t)id;
	}
	return 0;
}

static int set_referenced(struct env *env, const struct target *target, const struct argument *arg,
			  uint32_t id, struct reg *out)
{
	uint32_t ref = env->arg_ref[arg->index];

	if (!find_reference(env->cur, ref))
		return reject(env, -EACCES, "invalid bpf_context access off=%u. Reference may already "
			      "be released", arg->index * 8);
	reg_set_pointer(out, REG_BTF, REG_TRUSTED);
	out->btf = target->btf;
	out->btf_id = id;
	out->ref_id = ref;
	return 0;
}

static int set_pointer(struct env *env, const struct target *target, const struct argument *arg,
		       const struct btf_type *pointer, struct reg *out)
{
	const struct btf_type *pointed = btf_type(target->btf, pointer->type);
	uint32_t flags = args_are_trusted(env) ? REG_TRUSTED : 0, id;

	if (btf_kind(pointed) == BTF_TYPE_TAG) {
		if (strcmp(btf_name(target->btf, pointed), "user") == 0)
			flags |= REG_USER;
		else if (strcmp(btf_name(target->btf, pointed), "percpu") == 0)
			flags |= REG_PERCPU;
	}
	id = btf_skip_mods_and_typedefs(target->btf, pointer->type);
	pointed = btf_type(target->btf, id);
	if (env->type->id == BPF_PROG_TYPE_STRUCT_OPS &&
	    (ends_with(arg->name, "__arena") || ends_with(arg->name, "__arena__nullable"))) {
		if (env->arena_map)
			arena_set_pointer(out);
		else
			reg_set_unknown(env, out);
		return 0;
	}
	/* What is behind them cannot be loaded, so they are as good as numbers. */
	if (btf_kind(pointed) == BTF_VOID || btf_kind(pointed) == BTF_INT) {
		if (btf_kind(pointed) != BTF_VOID || !set_buffer(env, target, arg, out))
			reg_set_unknown(env, out);
		return 0;
	}
	if (env->spec->attach == BPF_TRACE_RAW_TP && oddity(target->name, arg->index) == ERROR) {
		reg_set_unknown(env, out);
		return 0;
	}
	if (btf_kind(pointed) != BTF_STRUCT && btf_kind(pointed) != BTF_UNION)
		return reject(env, -EACCES, "func '%s' arg%u type %s is not a struct", target->name,
			      arg->index, btf_kind(pointed) == BTF_PTR ? "PTR" :
			      btf_kind(pointed) == BTF_FUNC_PROTO ? "FUNC_PROTO" : "UNKNOWN");
	if (target->is_program)
		return set_context(env, target, pointer, out);
	if (may_be_null(env, target, arg))
		flags |= REG_MAYBE_NULL;
	if (iterator_item(env, target->name, arg->index) == PLAIN_OR_NULL)
		flags &= ~(uint32_t)REG_TRUSTED;
	if (gives_reference(env, arg))
		return set_referenced(env, target, arg, id, out);
	reg_set_pointer(out, REG_BTF, flags);
	out->btf = target->btf;
	out->btf_id = more_exactly(env, id);
	if (flags & REG_MAYBE_NULL)
		out->id = new_id(env);
	return 0;
}

/* What programs before this one returned keeps to the rule as this one must. */
static struct scalar hook_result(const struct env *env)
{
	struct scalar result = scalar_unknown();
	bool yes_or_no = target_return(env) == TARGET_RETURNS_BOOL || hook_returns_bool(env);

	result.smin32 = yes_or_no ? 0 : -4095;
	result.smax32 = yes_or_no ? 1 : 0;
	return scalar_sync(result);
}

static int check_word(struct env *env, uint32_t word, uint32_t size, struct reg *out)
{
	struct target target;
	struct argument arg;
	const struct btf_type *type;
	int error;

	if (env->spec->target && target_function(env) && target_function(env)->unreliable)
		return check_unknown_word(env, word, out);
	if (!find_target(env, &target)) {
		/* Nothing known of the target: its arguments are numbers. */
		if (word >= 12)
			return reject_as(env, SKEP_VERIFY_CTX, -EACCES,
					 "invalid bpf_context access off=%u size=%u", word * 8,
					 size);
		reg_set_unknown(env, out);
		return 0;
	}
	error = find_argument(env, &target, word, &arg);
	if (error < 0)
		return error;
	type = btf_type(target.btf, btf_skip_mods_and_typedefs(target.btf, arg.type));
	if (btf_kind(type) != BTF_PTR) {
		if (btf_kind(type) == BTF_FLOAT)
			return reject(env, -EACCES, "func '%s' arg%u '%s' has type FLOAT. Only pointer "
				      "access is allowed", target.name, arg.index,
				      btf_name(target.btf, type));
		reg_set_unknown(env, out);
		if (arg.is_return && env->type->id == BPF_PROG_TYPE_LSM &&
		    env->spec->attach == BPF_LSM_MAC)
			out->var = hook_result(env);
		return 0;
	}
	if (size != 8)
		return reject(env, -EACCES, "func '%s' size %u must be 8", target.name, size);
	error = set_pointer(env, &target, &arg, type, out);
	if (!error && out->type == REG_BTF)
		trace(env, 7, "func '%s' arg%u has btf_id %u type %s '%s'\n", target.name,
		      arg.index, out->btf_id,
		      btf_kind(btf_type(out->btf, out->btf_id)) == BTF_UNION ? "UNION" : "STRUCT",
		      skep_btf_type_name(out->btf, out->btf_id));
	return error;
}

int check_ctx_btf_access(struct env *env, uint32_t pc, int32_t off, uint32_t size,
			 enum access access, struct reg *out)
{
	struct reg value = { 0 };
	int error;

	(void)pc;
	if (off < 0 || off >= 12 * 8 || access != ACCESS_READ || off % (int32_t)size)
		return reject_as(env, SKEP_VERIFY_CTX, -EACCES,
				 "invalid bpf_context access off=%d size=%u", off, size);
	if (off % 8) {
		explain(env, "func '%s' offset %d is not multiple of 8",
			env->spec->attach_name ? env->spec->attach_name : "", off);
		return reject_as(env, SKEP_VERIFY_CTX, -EACCES,
				 "invalid bpf_context access off=%d size=%u", off, size);
	}
	error = check_word(env, (uint32_t)off / 8, size, &value);
	if (error < 0)
		return reject_as(env, SKEP_VERIFY_CTX, error,
				 "invalid bpf_context access off=%d size=%u", off, size);
	if (out)
		*out = value;
	return 0;
}
