/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * aim.c - programs that attach to other programs: extensions, and fentry and
 * fexit of a program.
 *
 * The other program is an object's too, and nothing is loaded: each time the
 * one is judged, the other is verified first, for what its functions do.
 */
#include "object/object.h"

#include "verify/verify.h"

void aim_done(struct prog_aim *aim)
{
	free(aim->function);
	free(aim->funcs);
	*aim = (struct prog_aim){ 0 };
}

bool skep_object_prog_has_function(struct skep_object_prog *prog, const char *name)
{
	struct skep_diag *quiet;
	int error;

	if (strcmp(skep_object_prog_name(prog), name) == 0)
		return true;
	quiet = skep_diag_new();
	error = object_link(prog, quiet);
	skep_diag_free(quiet);
	for (size_t i = 0; !error && i < prog->linked.placed_count; i++)
		if (strcmp(prog->object->funcs.items[prog->linked.placed[i].func].name, name) == 0)
			return true;
	return false;
}

int skep_object_prog_set_target(struct skep_object_prog *prog, struct skep_object_prog *target,
				const char *function, struct skep_diag *diag)
{
	struct skep_where where = object_where(prog->object, prog->section,
					       skep_object_prog_name(prog));
	uint32_t type = prog->match.type ? prog->match.type->id : 0;
	const char *name = function ? function : prog->match.target;

	aim_done(&prog->aim);
	if (!target)
		return 0;
	if (type != BPF_PROG_TYPE_EXT && type != BPF_PROG_TYPE_TRACING)
		return skep_fail(diag, SKEP_ARG, &where, "prog '%s' is not of a type that attaches to "
				 "programs", where.program);
	if (!name || !target->object->btf || !skep_btf_find(target->object->btf, name, BTF_FUNC))
		return skep_fail(diag, SKEP_OBJECT_ATTACH, &where,
				 "prog '%s': '%s' has no function '%s' in its types", where.program,
				 target->object->name, name ? name : "");
	if (function) {
		prog->aim.function = strdup(function);
		if (!prog->aim.function)
			return skep_fail(diag, SKEP_OOM, &where, "attach target");
	}
	prog->aim.prog = target;
	return 0;
}

/* What verification found out of its functions. */
static int keep_proofs(struct prog_aim *aim, const struct verified *verified)
{
	free(aim->funcs);
	aim->funcs = calloc(verified->subprog_count + 1, sizeof(*aim->funcs));
	if (!aim->funcs)
		return -ENOMEM;
	for (uint32_t i = 0; i < verified->subprog_count; i++)
		aim->funcs[i] = verified->subprogs[i].proof;
	return (int)verified->subprog_count;
}

static int verify_target(struct skep_object_prog *prog, const struct skep_verify_opts *opts,
			 const struct skep_where *where, struct skep_diag *diag)
{
	struct skep_verify_opts own = { 0 };
	struct skep_verify_result result = { 0 };
	struct prog_aim *aim = &prog->aim;
	struct verified verified = { 0 };
	struct skep_diag *quiet = skep_diag_new();
	const struct skep_diag_item *first;
	int status;

	if (opts) {
		own.kernel_btf = opts->kernel_btf;
		own.kernel = opts->kernel;
	}
	status = object_verify(aim->prog, &own, &aim->spec, &result, &verified, quiet);
	first = skep_diag_get(quiet, 0);
	if (status < 0 || result.error)
		status = skep_fail(diag, SKEP_OBJECT_ATTACH, where, "prog '%s': its target '%s' of '%s' "
				   "does not load: %s", where->program,
				   skep_object_prog_name(aim->prog), aim->prog->object->name,
				   result.error ? result.message : first ? first->message : "");
	else if ((status = keep_proofs(aim, &verified)) < 0)
		status = skep_fail(diag, SKEP_OOM, where, "attach target");
	if (!result.error)
		verified_done(&verified);
	skep_verify_result_done(&result);
	skep_diag_free(quiet);
	return status;
}

int aim_resolve(struct skep_object_prog *prog, const struct skep_verify_opts *opts,
		struct prog_spec *spec, const struct skep_where *where, struct skep_diag *diag)
{
	struct prog_aim *aim = &prog->aim;
	int count;

	if (aim->resolving)
		return skep_fail(diag, SKEP_OBJECT_ATTACH, where,
				 "prog '%s' attaches to itself, by way of its target", where->program);
	aim->resolving = true;
	count = verify_target(prog, opts, where, diag);
	aim->resolving = false;
	if (count < 0)
		return count;
	spec->attach_name = aim->function ? aim->function : prog->match.target;
	spec->target = &aim->spec;
	spec->target_btf_id = skep_btf_find(aim->spec.btf, spec->attach_name, BTF_FUNC);
	spec->target_funcs = aim->funcs;
	spec->target_func_count = (uint32_t)count;
	return 0;
}
