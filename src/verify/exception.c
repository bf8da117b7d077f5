/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exception.c - bpf_throw() and what catches it.
 *
 * A throw ends the program, whatever called what, so at that point nothing may be held.
 * Then the exception callback runs with the number that was thrown, and what it returns
 * is the program's result; without one, the number itself is. The callback is a global
 * function that a declaration tag on the main function names:
 *
 *   "exception_callback:NAME"
 *
 * Nothing calls it, and it must not throw; no more must what the kernel calls back, for
 * there is no unwinding through the kernel's frames.
 */
#include "verify/call.h"
#include "verify/passes.h"

/* --- finding the callback --- */

static const char tag_prefix[] = "exception_callback:";

/* The name on the main function's tag. 0: *name is NULL where it has none. */
static int callback_name(struct env *env, uint32_t function, const char **name)
{
	const struct skep_btf *btf = env->spec->btf;
	uint32_t count = skep_btf_count(btf);

	*name = NULL;
	for (uint32_t id = 1; id <= count; id++) {
		const struct btf_type *tag = btf_type(btf, id);

		if (btf_kind(tag) != BTF_DECL_TAG || tag->type != function ||
		    strncmp(btf_name(btf, tag), tag_prefix, strlen(tag_prefix)) != 0)
			continue;
		if (*name)
			return reject(env, -EINVAL,
				      "multiple exception callback tags for main subprog");
		*name = btf_name(btf, tag) + strlen(tag_prefix);
	}
	return 0;
}

int find_exception_callback(struct env *env, int64_t *insn)
{
	const struct prog_spec *spec = env->spec;
	const char *name;
	uint32_t id;
	int error;

	*insn = -1;
	if (!spec->btf || !spec->func_count || spec->funcs[0].insn)
		return 0;
	error = callback_name(env, spec->funcs[0].type, &name);
	if (error < 0 || !name)
		return error;
	id = skep_btf_find(spec->btf, name, BTF_FUNC);
	if (!id)
		return reject(env, -EINVAL, "exception callback '%s' could not be found in BTF",
			      name);
	if (btf_vlen(btf_type(spec->btf, id)) != 1)
		return reject(env, -EINVAL, "exception callback '%s' must have global linkage",
			      name);
	for (uint32_t i = 0; i < spec->func_count; i++)
		if (spec->funcs[i].type == id)
			*insn = spec->funcs[i].insn;
	if (*insn < 0)
		return reject(env, -EINVAL, "exception callback type id not found in func_info");
	if (*insn == 0)
		return reject(env, -EINVAL, "invalid exception callback insn_off in func_info: 0");
	return 0;
}

int check_exception_callback(struct env *env, uint32_t subprog)
{
	const struct skep_btf *btf = env->spec->btf;
	const struct btf_type *function = btf_type(btf, env->subprog[subprog].type);
	const struct btf_type *proto = btf_type(btf, function->type);
	const struct btf_param *params = btf_data(proto);
	enum btf_kind kind;
	uint32_t arg;

	if (btf_skip_mods_and_typedefs(btf, proto->type) == 0)
		return reject(env, -EINVAL, "exception cb cannot return void");
	arg = btf_vlen(proto) == 1 ? btf_skip_mods_and_typedefs(btf, params[0].type) : 0;
	kind = btf_kind(btf_type(btf, arg));
	if (kind != BTF_INT && kind != BTF_ENUM && kind != BTF_ENUM64)
		return reject(env, -EINVAL, "exception cb only supports single integer argument");
	return 0;
}

/* --- throwing --- */

bool insn_throws(const struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	uint32_t id = (uint32_t)insn->imm;

	return insn->kind == INSN_CALL && insn->op == CALL_KFUNC && env->kernel_btf && id &&
	       id <= skep_btf_count(env->kernel_btf) &&
	       strcmp(skep_btf_type_name(env->kernel_btf, id), "bpf_throw") == 0;
}

int check_throw(struct env *env)
{
	int error = 0;

	/* Nobody looks at it again: it is what the program returns. */
	if (env->exception_subprog < 0)
		error = check_return(env, 1);
	if (error == 0)
		error = check_resources(env, true, true, "bpf_throw");
	return error < 0 ? error : 1;
}

/* Is there something of the kernel's between the main program and this function? */
static bool called_back(const struct env *env, const uint32_t *chain, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct subprog *s = &env->subprog[chain[i]];

		if (s->is_callback || s->is_async || s->is_exception)
			return true;
	}
	return false;
}

int check_throw_place(struct env *env, uint32_t pc, const uint32_t *chain, uint32_t count)
{
	if (!insn_throws(env, pc) || !called_back(env, chain, count))
		return 0;
	return reject_as(env, SKEP_VERIFY_CALL, -EINVAL,
			 "bpf_throw kfunc (insn %u) cannot be called from callback subprog %u", pc,
			 chain[count - 1]);
}
