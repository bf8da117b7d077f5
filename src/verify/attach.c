/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attach.c - may a program of this type be attached to what it names?
 *
 * Asked once, before anything is explored: the answer depends on the program's
 * type and on its target alone.
 */
#include "verify/passes.h"

/* --- security hooks --- */

enum { DISABLED = 1, SLEEPABLE = 2, BOOL = 4, UNTRUSTED = 8, FIRST_NULLABLE = 16 };

static const struct {
	const char *name;
	unsigned flags;
} hooks[] = {
#define HOOK(name, flags) { #name, flags },
#include "verify/lsm.def"
};

/* function: "bpf_lsm_file_open". */
static unsigned hook_flags(const char *function)
{
	static const char prefix[] = "bpf_lsm_";
	const char *name = function;

	if (strncmp(name, prefix, sizeof(prefix) - 1) == 0)
		name += sizeof(prefix) - 1;
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		if (strcmp(hooks[i].name, name) == 0)
			return hooks[i].flags;
	return 0;
}

/* Of the hook the program is attached to; 0 where it is none. */
static unsigned attached_hook(const struct env *env)
{
	if (env->type->id != BPF_PROG_TYPE_LSM || !env->kernel_btf || !env->spec->attach_btf_id)
		return 0;
	return hook_flags(skep_btf_type_name(env->kernel_btf, env->spec->attach_btf_id));
}

bool hook_returns_bool(const struct env *env) { return attached_hook(env) & BOOL; }
bool hook_is_trusted(const struct env *env) { return !(attached_hook(env) & UNTRUSTED); }

bool hook_arg_may_be_null(const struct env *env, uint32_t arg)
{
	return arg == 0 && attached_hook(env) & FIRST_NULLABLE;
}

static int check_hook(struct env *env, const char *function)
{
	unsigned flags = hook_flags(function);

	if (env->sleepable && !(flags & SLEEPABLE))
		return reject_as(env, SKEP_VERIFY_ATTACH, -EINVAL, "%s is not sleepable", function);
	if (flags & DISABLED)
		return reject_as(env, SKEP_VERIFY_ATTACH, -EINVAL,
				 "attach_btf_id %u points to disabled hook %s",
				 env->spec->attach_btf_id, function);
	return 0;
}

/* --- functions of the kernel --- */

static bool has_prefix(const char *name, const char *prefix)
{
	return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool is_listed(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* What tracing itself goes through. */
static bool is_untraceable(const char *name)
{
	static const char *const names[] = {
		"migrate_disable", "migrate_enable", "rcu_read_unlock_strict", "preempt_count_add",
		"preempt_count_sub", "__rcu_read_lock", "__rcu_read_unlock",
	};

	return is_listed(names, ARRAY_SIZE(names), name);
}

static bool never_returns(const char *name)
{
	static const char *const names[] = {
		"__ia32_sys_exit", "__ia32_sys_exit_group", "__kunit_abort", "kunit_try_catch_throw",
		"__module_put_and_kthread_exit", "__x64_sys_exit", "__x64_sys_exit_group", "do_exit",
		"do_group_exit", "kthread_complete_and_exit", "kthread_exit", "make_task_dead",
	};

	return is_listed(names, ARRAY_SIZE(names), name);
}

/* System calls, and what is there to be tried on. */
static bool is_system_call(const char *name)
{
	return has_prefix(name, "__x64_sys_") || has_prefix(name, "__x64_compat_sys_") ||
	       strcmp(name, "bpf_fentry_test1") == 0;
}

static bool is_modifiable(const char *name)
{
	static const char *const names[] = {
		"bpf_modify_return_test", "bpf_modify_return_test2", "bpf_modify_return_test_tp",
		"update_socket_protocol",
	};

	return is_system_call(name) || has_prefix(name, "security_") ||
	       is_listed(names, ARRAY_SIZE(names), name);
}

enum { TRACED_ARGS_MAX = 12, TRACED_ARG_SIZE_MAX = 16 };

/* Are its arguments and result such that a trampoline can pass them on? */
static int check_traceable(struct env *env, const char *name, const struct btf_type *function)
{
	const struct skep_btf *btf = env->kernel_btf;
	const struct btf_type *proto = btf_type(btf, function->type), *result;
	const struct btf_param *params = btf_data(proto);

	if (btf_kind(proto) != BTF_FUNC_PROTO)
		return 0;
	if (btf_vlen(proto) > TRACED_ARGS_MAX)
		return reject_as(env, SKEP_VERIFY_ATTACH, -EINVAL,
				 "The function %s has %u arguments. Too many.", name,
				 btf_vlen(proto));
	result = btf_type(btf, btf_skip_mods_and_typedefs(btf, proto->type));
	if (btf_kind(result) == BTF_STRUCT || btf_kind(result) == BTF_UNION)
		return reject_as(env, SKEP_VERIFY_ATTACH, -EINVAL,
				 "The function %s return type %s is unsupported.", name,
				 btf_kind(result) == BTF_UNION ? "UNION" : "STRUCT");
	for (uint32_t i = 0; i < btf_vlen(proto); i++) {
		if (!params[i].type)
			return reject_as(env, SKEP_VERIFY_ATTACH, -EINVAL,
					 "The function %s with variable args is unsupported.", name);
		if (skep_btf_size(btf, params[i].type) > TRACED_ARG_SIZE_MAX)
			return reject_as(env, SKEP_VERIFY_ATTACH, -EINVAL,
					 "The function %s arg%u type %s is unsupported.", name, i,
					 "STRUCT");
	}
	return 0;
}

static int check_function(struct env *env, const char *name)
{
	uint32_t attach = env->spec->attach;
	int error = check_traceable(env, name, btf_type(env->kernel_btf, env->spec->attach_btf_id));

	if (error < 0)
		return error;
	if (env->sleepable && !is_system_call(name))
		return reject_as(env, SKEP_VERIFY_ATTACH, -EINVAL, "%s is not sleepable", name);
	if (attach == BPF_MODIFY_RETURN && !is_modifiable(name))
		return reject_as(env, SKEP_VERIFY_ATTACH, -EINVAL, "%s() is not modifiable", name);
	if (is_untraceable(name))
		return reject_as(env, SKEP_VERIFY_ATTACH, -EINVAL,
				 "Attaching tracing programs to function '%s' is rejected.", name);
	if (attach != BPF_TRACE_FENTRY && never_returns(name))
		return reject_as(env, SKEP_VERIFY_ATTACH, -EINVAL,
				 "Attaching fexit/fsession/fmod_ret to __noreturn function '%s' is "
				 "rejected.", name);
	return 0;
}

/* --- members of structures of functions --- */

enum { SLEEPS = 1, REFUSED = 2 };

static const struct {
	const char *record, *member;
	unsigned flags;
} members[] = {
#define MEMBER(record, member, flags) { #record, #member, flags },
#include "verify/member.def"
};

/* A structure without rows leaves it to its members whether programs may sleep. */
static bool member_refuses(const char *record, const char *member, bool sleepable)
{
	bool listed = false;

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		if (strcmp(members[i].record, record) != 0)
			continue;
		listed = true;
		if (strcmp(members[i].member, member) == 0)
			return members[i].flags & REFUSED || (sleepable && !(members[i].flags & SLEEPS));
	}
	return listed && sleepable;
}

static int check_member(struct env *env)
{
	const struct btf_type *record = btf_type(env->kernel_btf, env->spec->attach_btf_id);
	const char *name = btf_name(env->kernel_btf, record), *member;

	if (btf_kind(record) != BTF_STRUCT || env->spec->attach >= btf_vlen(record))
		return 0;
	member = btf_str(env->kernel_btf, ((const struct btf_member *)btf_data(record))
						  [env->spec->attach].name_off);
	if (!member_refuses(name, member, env->sleepable))
		return 0;
	return reject_as(env, SKEP_VERIFY_ATTACH, -EINVAL,
			 "attach to unsupported member %s of struct %s", member, name);
}

/* --- any target --- */

static int check_type(struct env *env)
{
	const struct prog_spec *spec = env->spec;
	bool typed = spec->type->ctx && spec->type->ctx->btf_args;

	if (env->sleepable && !spec->type->may_sleep)
		return reject(env, -EINVAL,
			      "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops "
			      "programs can be sleepable");
	if (spec->type->gpl_only && !env->gpl)
		return reject_as(env, SKEP_VERIFY_GPL, -EINVAL,
				 "%s programs must have a GPL compatible license",
				 spec->type->id == BPF_PROG_TYPE_LSM ? "LSM" : "struct ops");
	if (typed && spec->type->id != BPF_PROG_TYPE_SYSCALL && !spec->attach_btf_id &&
	    !spec->target)
		return reject(env, -EINVAL, "Tracing programs must provide btf_id");
	return 0;
}

int check_target(struct env *env)
{
	const struct prog_spec *spec = env->spec;
	int error;

	env->structural_insn = -1;
	error = check_type(env);
	if (error < 0)
		return error;
	if (spec->target)
		return check_program_target(env);
	if (spec->type->id == BPF_PROG_TYPE_EXT)
		return reject_as(env, SKEP_VERIFY_ATTACH, -EINVAL, "Cannot replace kernel functions");
	if (!spec->attach_btf_id || !env->kernel_btf)
		return 0;
	if (spec->type->id == BPF_PROG_TYPE_LSM)
		return check_hook(env, skep_btf_type_name(env->kernel_btf, spec->attach_btf_id));
	if (spec->type->id == BPF_PROG_TYPE_STRUCT_OPS)
		return check_member(env);
	if (spec->type->id == BPF_PROG_TYPE_TRACING && spec->attach != BPF_TRACE_ITER &&
	    spec->attach != BPF_TRACE_RAW_TP)
		return check_function(env,
				      skep_btf_type_name(env->kernel_btf, spec->attach_btf_id));
	return 0;
}
