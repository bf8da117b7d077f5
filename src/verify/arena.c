/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.c - memory that programs share with processes: pages at the same
 * 32-bit offsets of two 4 GiB regions, one here and one there.
 *
 * What is stored in an arena is the process's address. A cast turns it into
 * this side's by replacing the upper half, so whatever the lower half is, the
 * access stays within the region (a page that is not there reads as zero):
 * any arithmetic is allowed, and an access needs no bounds.
 */
#include "verify/kfunc.h"
#include "verify/passes.h"


void arena_set_pointer(struct reg *reg)
{
	reg_set_pointer(reg, REG_ARENA, 0);
	reg->var = scalar_unknown();
}

/* --- one arena a program --- */

int check_arenas(struct env *env)
{
	for (uint32_t pc = 0; pc < env->len; pc++) {
		const struct insn *insn = &env->insns[pc];
		const struct map_spec *map;

		if (insn->kind != INSN_IMM64 || insn->op == IMM64_VALUE ||
		    insn->op == IMM64_BTF_ID || insn->op == IMM64_FUNC)
			continue;
		map = env->spec->maps[(uint32_t)insn->imm];
		if (map->type != BPF_MAP_TYPE_ARENA || map == env->arena_map)
			continue;
		env->structural_insn = pc;
		if (env->arena_map)
			return reject(env, -EBUSY, "Only one arena per program");
		if (!env->cap_bpf || !env->cap_perfmon)
			return reject(env, -EPERM,
				      "CAP_BPF and CAP_PERFMON are required to use arena");
		env->arena_map = map;
	}
	return 0;
}

/* --- instructions --- */

int check_cast(struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	struct reg *dst = &state_regs(env->cur)[insn->dst];
	int err = check_reg_read(env, insn->src);

	if (!err)
		err = check_reg_write(env, insn->dst);
	if (err < 0)
		return err;
	if (!env->arena_map)
		return reject(env, -EINVAL, "addr_space_cast insn can only be used in a program "
			      "that has an associated arena");
	/* From the process's address (1) to this side's (0) it becomes a pointer. */
	if (insn->imm == 1)
		arena_set_pointer(dst);
	else
		reg_set_unknown(env, dst);
	return 0;
}

/* --- kernel functions --- */

/*
 * An address in the arena: a number will do, the kernel takes its lower half
 * and adds where its side of the region begins.
 */
int check_kfunc_arena_arg(struct env *env, int regno)
{
	const struct reg *reg = call_arg(env, regno);

	if (!env->arena_map)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "arg#%d: the program has no arena", regno - 1);
	if (reg->type == REG_ARENA || reg->type == REG_SCALAR)
		return 0;
	return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
			 "R%d is not a pointer to arena or scalar.", regno);
}
