/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extend.c - programs that attach to functions of other programs.
 *
 * An extension takes the place of a global function: it must look the same
 * from outside (prototype, what it does to packets, whether it sleeps), and is
 * then judged as a program of the target's type. A tracing program looks on;
 * all it needs to know is whether the function's types can be believed.
 */
#include "verify/call.h"
#include "verify/passes.h"

#define refuse(env, ...) reject_as(env, SKEP_VERIFY_ATTACH, -EINVAL, __VA_ARGS__)

static bool is_extension(const struct env *env)
{
	return env->spec->type->id == BPF_PROG_TYPE_EXT;
}

const struct func_proof *target_function(const struct env *env)
{
	const struct prog_spec *spec = env->spec;

	for (uint32_t i = 0; spec->target && i < spec->target_func_count; i++)
		if (spec->target_funcs[i].type == spec->target_btf_id)
			return &spec->target_funcs[i];
	return NULL;
}

/* --- prototypes --- */

struct side {
	const struct skep_btf *btf;
	const struct btf_type *function, *proto;
	const char *name;
};

static bool side_init(struct side *side, const struct skep_btf *btf, uint32_t id)
{
	*side = (struct side){ .btf = btf };
	if (!btf || !id || id > skep_btf_count(btf))
		return false;
	side->function = btf_type(btf, id);
	if (btf_kind(side->function) != BTF_FUNC)
		return false;
	side->proto = btf_type(btf, side->function->type);
	side->name = btf_name(btf, side->function);
	return btf_kind(side->proto) == BTF_FUNC_PROTO;
}

static const struct btf_type *bare(const struct side *side, uint32_t id)
{
	return btf_type(side->btf, btf_skip_mods_and_typedefs(side->btf, id));
}

static bool is_number(const struct btf_type *type)
{
	return btf_kind(type) == BTF_INT || btf_kind(type) == BTF_ENUM ||
	       btf_kind(type) == BTF_ENUM64;
}

static bool is_record(const struct btf_type *type)
{
	return btf_kind(type) == BTF_STRUCT || btf_kind(type) == BTF_UNION;
}

/* What pointers point to is compared by name alone, and only structures may be. */
static int match_pointers(struct env *env, const struct side *own, const struct btf_type *a,
			  const struct side *other, const struct btf_type *b, uint32_t arg)
{
	const char *a_name, *b_name;

	a = bare(own, a->type);
	b = bare(other, b->type);
	if (!is_record(a) || !is_record(b))
		return refuse(env, "arg%u in %s() is not a pointer to context", arg,
				    is_record(a) ? other->name : own->name);
	a_name = btf_name(own->btf, a);
	b_name = btf_name(other->btf, b);
	if (strcmp(a_name, b_name) == 0)
		return 0;
	return refuse(env, "arg%u %s(struct %s *) doesn't match %s(struct %s *)", arg, own->name,
			    a_name, other->name, b_name);
}

static int match_arg(struct env *env, const struct side *own, const struct side *other, uint32_t arg)
{
	const struct btf_param *a_param = btf_data(own->proto), *b_param = btf_data(other->proto);
	const struct btf_type *a = bare(own, a_param[arg].type), *b = bare(other, b_param[arg].type);

	if (a->info != b->info)
		return refuse(env, "arg%u in %s() is %s while %s() has %s", arg, own->name,
				    btf_kind_text(a), other->name, btf_kind_text(b));
	if ((is_number(a) || is_record(a) || btf_kind(a) == BTF_FLOAT) && a->size != b->size)
		return refuse(env, "arg%u in %s() has size %u while %s() has %u", arg, own->name,
				    a->size, other->name, b->size);
	if (is_number(a))
		return 0;
	if (btf_kind(a) != BTF_PTR)
		return refuse(env, "arg%u in %s() has unrecognized type", arg, own->name);
	return match_pointers(env, own, a, other, b, arg);
}

static int match_prototypes(struct env *env)
{
	const struct prog_spec *spec = env->spec;
	const struct btf_type *a, *b;
	struct side own, other;

	if (!spec->func_count || !side_init(&own, spec->btf, spec->funcs[0].type))
		return refuse(env, "Program extension requires BTF");
	if (!side_init(&other, spec->target->btf, spec->target_btf_id))
		return refuse(env, "attach_btf_id %u is not a function", spec->target_btf_id);
	if (btf_vlen(own.function) != 1 || btf_vlen(other.function) != 1)
		return refuse(env, "%s() is not a global function",
				    btf_vlen(own.function) != 1 ? own.name : other.name);
	if (btf_vlen(own.proto) != btf_vlen(other.proto))
		return refuse(env, "%s() has %u args while %s() has %u args", own.name,
				    btf_vlen(own.proto), other.name, btf_vlen(other.proto));
	a = bare(&own, own.proto->type);
	b = bare(&other, other.proto->type);
	if (a->info != b->info)
		return refuse(env, "Return type %s of %s() doesn't match type %s of %s()",
				    btf_kind_text(a), own.name, btf_kind_text(b), other.name);
	for (uint32_t i = 0; i < btf_vlen(own.proto); i++) {
		int error = match_arg(env, &own, &other, i);

		if (error < 0)
			return error;
	}
	return 0;
}

/* --- may it be attached there? --- */

static int check_levels(struct env *env)
{
	const struct prog_spec *spec = env->spec, *target = spec->target;

	if (spec->type->id == BPF_PROG_TYPE_TRACING) {
		if (target->type->id == BPF_PROG_TYPE_TRACING && target->target &&
		    target->target->type->id == BPF_PROG_TYPE_TRACING)
			return refuse(env, "Cannot nest tracing program attach more than once");
	} else if (target->type->id == spec->type->id) {
		return refuse(env, "Cannot recursively attach");
	}
	if (is_extension(env) && target->type->id == BPF_PROG_TYPE_TRACING &&
	    (target->attach == BPF_TRACE_FENTRY || target->attach == BPF_TRACE_FEXIT ||
	     target->attach == BPF_TRACE_FSESSION))
		return refuse(env, "Cannot extend fentry/fexit");
	return 0;
}

/* Only functions of the kernel that may fail on purpose let those that watch them sleep. */
static int check_watching(struct env *env, const char *name)
{
	switch (env->spec->attach) {
	case BPF_TRACE_FENTRY: case BPF_TRACE_FEXIT: case BPF_TRACE_FSESSION:
	case BPF_MODIFY_RETURN:
		break;
	default:
		return refuse(env, "Only FENTRY/FEXIT/FSESSION progs are attachable to another "
				    "BPF prog");
	}
	if (env->sleepable)
		return refuse(env, "%s is not sleepable", name);
	if (env->spec->attach == BPF_MODIFY_RETURN)
		return refuse(env, "can't modify return codes of BPF programs");
	return 0;
}

int check_program_target(struct env *env)
{
	const struct prog_spec *spec = env->spec;
	const struct func_proof *function;
	const char *name;
	int error;

	if (!spec->target->btf)
		return refuse(env, "FENTRY/FEXIT program can only be attached to another program "
				    "annotated with BTF");
	if (!spec->target_btf_id || spec->target_btf_id > skep_btf_count(spec->target->btf))
		return refuse(env, "attach_btf_id %u is invalid", spec->target_btf_id);
	name = skep_btf_type_name(spec->target->btf, spec->target_btf_id);
	function = target_function(env);
	if (!function)
		return refuse(env, "Subprog %s doesn't exist", name);
	if (function->is_exception)
		return refuse(env, "%s programs cannot attach to exception callback",
				    is_extension(env) ? "Extension" : "FENTRY/FEXIT");
	if (is_extension(env) && function->unreliable)
		return refuse(env, "Cannot replace static functions");
	error = check_levels(env);
	if (error < 0)
		return error;
	if (!is_extension(env))
		return check_watching(env, name);
	error = match_prototypes(env);
	if (error < 0)
		return error;
	env->extension = *spec;
	env->extension.type = spec->target->type;
	env->extension.attach = spec->target->attach;
	env->spec = &env->extension;
	env->type = env->extension.type;
	env->extends = true;
	return 0;
}

/* Callers of the function relied on what they knew of it. */
int check_replacement(struct env *env)
{
	const struct func_proof *function = env->extends ? target_function(env) : NULL;

	env->structural_insn = -1;
	if (function && env->subprog[0].changes_packet && !function->changes_packet)
		return refuse(env, "Extension program changes packet data, while original does "
				    "not");
	if (function && env->subprog[0].might_sleep && !function->might_sleep)
		return refuse(env, "Extension program may sleep, while original does not");
	return 0;
}

/* --- what others may know of this program's functions --- */

struct func_proof prove_function(const struct env *env, uint32_t subprog)
{
	const struct subprog *s = &env->subprog[subprog];

	return (struct func_proof){
		.type = s->type,
		.unreliable = s->unreliable || (subprog == 0 && !env->extends &&
						!main_takes_ctx(env)),
		.changes_packet = s->changes_packet,
		.might_sleep = s->might_sleep,
		.is_exception = s->is_exception,
	};
}
