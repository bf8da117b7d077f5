/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spec.c - a program as the verifier takes it, with its attach target looked
 * up; and checking it.
 */
#include "object/object.h"

#include <stdio.h>
#include "verify/verify.h"

/* --- attach targets in the kernel's BTF --- */

/* The name that stands for a target there, and its kind. */
static unsigned target_kind(const struct section_match *match, char *name, size_t size)
{
	const char *prefix = "";
	unsigned kind = BTF_FUNC;

	if (match->attach == BPF_TRACE_RAW_TP) {
		prefix = "btf_trace_";
		kind = BTF_TYPEDEF;
	} else if (match->attach == BPF_TRACE_ITER) {
		prefix = "bpf_iter_";
	} else if (match->type->id == BPF_PROG_TYPE_LSM) {
		prefix = "bpf_lsm_";
	}
	snprintf(name, size, "%s%s", prefix, match->target);
	return kind;
}

static int find_target(struct skep_object_prog *prog, struct prog_spec *spec,
		       const struct skep_where *where, struct skep_diag *diag)
{
	char name[256];
	unsigned kind;
	int error;

	if (!prog->match.target)
		return skep_fail(diag, SKEP_OBJECT_ATTACH, where,
				 "prog '%s': no BTF-based attach target is specified", spec->name);
	spec->attach_name = prog->match.target;
	if (prog->match.type->id == BPF_PROG_TYPE_EXT) {
		error = skep_fail(diag, SKEP_OBJECT_ATTACH, where, "prog '%s' replaces '%s' of a "
				  "loaded program, and none is given", spec->name,
				  prog->match.target);
		skep_help(diag, "say which: skep check --target OBJECT[:PROGRAM], or "
			  "skep_object_prog_set_target()");
		return error;
	}
	if (!spec->kernel_btf)
		return skep_fail(diag, SKEP_OBJECT_ATTACH, where,
				 "prog '%s': there are no kernel types to find '%s' in", spec->name,
				 prog->match.target);
	kind = target_kind(&prog->match, name, sizeof(name));
	spec->attach_btf_id = skep_btf_find(spec->kernel_btf, name, kind);
	if (!spec->attach_btf_id)
		return skep_fail(diag, SKEP_OBJECT_ATTACH, where,
				 "prog '%s': failed to find kernel BTF type ID of '%s'", spec->name,
				 prog->match.target);
	return 0;
}

static int set_target(struct skep_object_prog *prog, const struct skep_verify_opts *opts,
		      struct prog_spec *spec, const struct skep_where *where,
		      struct skep_diag *diag)
{
	if (prog->aim.prog)
		return aim_resolve(prog, opts, spec, where, diag);
	if (prog->match.type->id == BPF_PROG_TYPE_STRUCT_OPS)
		return struct_ops_bind(prog->object, prog, &spec->attach_btf_id, &spec->attach,
				       &spec->attach_name, diag);
	if (prog->match.attach_btf)
		return find_target(prog, spec, where, diag);
	spec->attach_name = prog->match.target;
	return 0;
}

/* --- the whole --- */

/* Constants may be changed until a program is loaded: point at them as they are. */
static int freeze_constants(struct skep_object *object, struct skep_diag *diag)
{
	for (size_t i = 0; i < object->maps.count; i++) {
		struct skep_object_map *map = object->maps.items[i];

		if (map->kind != OBJECT_MAP_RODATA && map->kind != OBJECT_MAP_KCONFIG)
			continue;
		map->spec.frozen = map_contents(map);
		if (!map->spec.frozen)
			return skep_fail(diag, SKEP_OOM, NULL, "map '%s'", map->name);
	}
	return 0;
}

int object_prog_spec(struct skep_object_prog *prog, const struct skep_verify_opts *opts,
		     struct prog_spec *spec, struct skep_diag *diag)
{
	struct skep_object *object = prog->object;
	const struct section_match *match = &prog->match;
	struct skep_where where = object_where(object, prog->section, skep_object_prog_name(prog));
	int error;

	if (!match->type)
		return skep_fail(diag, SKEP_OBJECT_SECTION, &where,
				 "prog '%s': missing BPF prog type, check ELF section name '%s'",
				 where.program, prog->section);
	if (opts && opts->kernel_btf)
		skep_object_set_kernel_btf(object, opts->kernel_btf);
	error = object_link(prog, diag);
	if (!error)
		error = freeze_constants(object, diag);
	if (error)
		return error;
	*spec = (struct prog_spec){
		.name = where.program,
		.section = prog->section,
		.object = object->name,
		.type = match->type,
		.attach = match->attach,
		.flags = (match->sleepable ? BPF_F_SLEEPABLE : 0) |
			 (match->frags ? BPF_F_XDP_HAS_FRAGS : 0),
		.insns = prog->linked.insns,
		.len = prog->linked.len,
		.maps = prog->linked.maps,
		.map_count = prog->linked.map_count,
		.btf = object->btf,
		.funcs = prog->linked.funcs,
		.func_count = prog->linked.func_count,
		.lines = prog->linked.lines,
		.line_count = prog->linked.line_count,
		.kernel_btf = object_kernel_btf(object),
		.license = object->license,
	};
	return set_target(prog, opts, spec, &where, diag);
}

int skep_object_prog_insns(struct skep_object_prog *prog, const struct skep_insn **insns,
			   size_t *count, struct skep_diag *diag)
{
	int error = object_link(prog, diag);

	if (error)
		return error;
	*insns = prog->linked.insns;
	*count = prog->linked.len;
	return 0;
}
