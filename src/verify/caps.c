/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * caps.c - what the one who loads the program may do.
 *
 * Tables say which capabilities a program type, a map, a helper and a context
 * field ask for (isa/needs.h). Two of them change the rules everywhere:
 *
 *   CAP_BPF       loops, functions, precise tracking, up to a million instructions
 *   CAP_PERFMON   addresses may be seen, uninitialised stack may be read, and what
 *                 a mispredicting processor might do does not matter
 *
 * Who lacks the second gets the rules of sanitize.c.
 */
#include "verify/passes.h"

#include <stdio.h>

_Static_assert((int)SKEP_CAP_BPF == (int)NEEDS_BPF && (int)SKEP_CAP_PERFMON == (int)NEEDS_PERFMON &&
	       (int)SKEP_CAP_NET_ADMIN == (int)NEEDS_NET_ADMIN &&
	       (int)SKEP_CAP_SYS_ADMIN == (int)NEEDS_SYS_ADMIN, "the same bits");

void set_caps(struct env *env, const struct skep_verify_opts *opts)
{
	env->caps = opts->unprivileged ? opts->caps : NEEDS_ALL;
	if (env->caps & NEEDS_SYS_ADMIN)
		env->caps = NEEDS_ALL;
	env->cap_bpf = env->caps & NEEDS_BPF;
	env->cap_perfmon = env->caps & NEEDS_PERFMON;
}

/* "CAP_BPF and CAP_NET_ADMIN": those of needs that are missing. */
static const char *missing_text(unsigned missing, char *text, size_t size)
{
	static const struct { unsigned need; const char *name; } names[] = {
		{ NEEDS_BPF, "CAP_BPF" },
		{ NEEDS_PERFMON, "CAP_PERFMON" },
		{ NEEDS_NET_ADMIN, "CAP_NET_ADMIN" },
		{ NEEDS_SYS_ADMIN, "CAP_SYS_ADMIN" },
	};
	int len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (missing & names[i].need)
			len += snprintf(text + len, size - (size_t)len, "%s%s",
					len ? " and " : "", names[i].name);
	return text;
}

static int refuse(struct env *env, int64_t insn, unsigned missing, const char *what,
		  const char *name)
{
	char text[80];

	env->structural_insn = insn;
	return reject_as(env, SKEP_VERIFY_CAPS, -EPERM, "%s%s needs %s", what, name,
			 missing_text(missing, text, sizeof(text)));
}

static int check_map_caps(struct env *env, uint32_t pc, const struct map_spec *map)
{
	const struct map_type *type = map_type(map->type);
	unsigned missing = lacks(env, type ? type->needs : 0);
	char what[64];

	if (!missing && (map->flags & BPF_F_ZERO_SEED))
		missing = lacks(env, NEEDS_SYS_ADMIN);
	if (!missing)
		return 0;
	snprintf(what, sizeof(what), "map '%.20s' of type ", map->name);
	return refuse(env, pc, missing, what, type ? type->name : "?");
}

int check_caps(struct env *env)
{
	unsigned missing = lacks(env, env->type->needs);
	int error = 0;

	if (missing)
		return refuse(env, -1, missing, "a program of type ", env->type->name);
	for (uint32_t i = 0; i < env->len && !error; i++) {
		const struct insn *insn = &env->insns[i];
		bool map = insn->kind == INSN_IMM64 &&
			   (insn->op == IMM64_MAP_FD || insn->op == IMM64_MAP_INDEX ||
			    insn->op == IMM64_MAP_VALUE || insn->op == IMM64_MAP_INDEX_VALUE);

		if (map && (uint32_t)insn->imm < env->spec->map_count)
			error = check_map_caps(env, i, env->spec->maps[(uint32_t)insn->imm]);
	}
	return error;
}
