/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attach.c - may a program of this type be attached to what it names?
 *
 * Asked once, before anything is explored: the answer depends on the program's
 * type and on its target alone.
 */
#include "verify/passes.h"

/* --- security hooks --- */

enum { DISABLED = 1, SLEEPABLE = 2, BOOL = 4 };

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

bool hook_returns_bool(const struct env *env)
{
	return env->kernel_btf && env->spec->attach_btf_id &&
	       hook_flags(skep_btf_type_name(env->kernel_btf, env->spec->attach_btf_id)) & BOOL;
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
	if (error < 0 || !spec->attach_btf_id || !env->kernel_btf || spec->target)
		return error;
	if (spec->type->id == BPF_PROG_TYPE_LSM)
		return check_hook(env, skep_btf_type_name(env->kernel_btf, spec->attach_btf_id));
	return 0;
}
