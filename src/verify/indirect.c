/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * indirect.c - jumps whose target is read from a table: gotox.
 *
 * An instruction array holds instructions of one program, by number, and does
 * not change any more once a program uses it. To programs it is a table of
 * addresses, eight bytes each. What is loaded from it is the address of one
 * of the entries that the load may have read (REG_INSN: which map, and the
 * bounds of the place), and gotox goes to each of those in turn.
 *
 * Whatever is said of a program before it is explored (what can be reached,
 * which registers and stack slots are still wanted) must hold for every way
 * that a gotox can go. Before exploration all that is known is its subprogram:
 * its ways are the entries of all tables that lead into that. Exploration
 * goes nowhere else: a table that leads out of the subprogram is refused.
 */
#include "verify/passes.h"

#include <inttypes.h>

enum { ADDRESS_SIZE = 8 };

/* --- tables --- */

/* Is every entry the beginning of an instruction? */
static bool table_fits(const struct env *env, const struct map_spec *map)
{
	for (uint32_t i = 0; map->targets && i < map->max_entries; i++)
		if (map->targets[i] >= env->len ||
		    env->insns[map->targets[i]].kind == INSN_PAD)
			return false;
	return map->targets && map->max_entries;
}

/* The map that an instruction names, if that is an instruction array; or NULL. */
static const struct map_spec *named_table(const struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	const struct map_spec *map;

	if (insn->kind != INSN_IMM64 ||
	    (insn->op != IMM64_MAP_INDEX && insn->op != IMM64_MAP_INDEX_VALUE))
		return NULL;
	map = env->spec->maps[(uint32_t)insn->imm];
	return map->type == BPF_MAP_TYPE_INSN_ARRAY ? map : NULL;
}

int check_insn_arrays(struct env *env)
{
	for (uint32_t pc = 0; pc < env->len; pc++) {
		const struct map_spec *map = named_table(env, pc);

		if (!map || table_fits(env, map))
			continue;
		env->structural_insn = pc;
		return reject_as(env, SKEP_VERIFY_SHAPE, -EINVAL,
				 "Failed to properly initialize insn array");
	}
	return 0;
}

/* --- where the jumps of a subprogram lead --- */

static bool leads_into(const struct subprog *subprog, uint32_t target)
{
	return target >= subprog->start && target < subprog->end;
}

static int refuse_tables(struct env *env, uint32_t pc, const struct subprog *subprog,
			 bool leaves)
{
	env->structural_insn = pc;
	if (leaves)
		return reject_as(env, SKEP_VERIFY_SHAPE, -EINVAL,
				 "jump table for insn %u points outside of the subprog [%u,%u]",
				 pc, subprog->start, subprog->end);
	return reject_as(env, SKEP_VERIFY_SHAPE, -EINVAL,
			 "no jump tables found for subprog starting at %u", subprog->start);
}

static uint32_t lowest_target(const struct map_spec *map)
{
	uint32_t lowest = map->targets[0];

	for (uint32_t i = 1; i < map->max_entries; i++)
		lowest = MIN(lowest, map->targets[i]);
	return lowest;
}

/* Marks where the tables lead whose lowest target is in the subprogram; 0, or a refusal. */
static int mark_targets(struct env *env, uint32_t pc, const struct subprog *subprog,
			uint8_t *marked)
{
	bool any = false;

	for (uint32_t i = 0; i < env->len; i++) {
		const struct map_spec *map = named_table(env, i);

		if (!map || !leads_into(subprog, lowest_target(map)))
			continue;
		any = true;
		for (uint32_t k = 0; k < map->max_entries; k++) {
			if (!leads_into(subprog, map->targets[k]))
				return refuse_tables(env, pc, subprog, true);
			marked[map->targets[k] - subprog->start] = 1;
		}
	}
	return any ? 0 : refuse_tables(env, pc, subprog, false);
}

int find_targets(struct env *env, uint32_t pc)
{
	struct subprog *subprog = &env->subprog[subprog_of(env, pc)];
	uint32_t len = subprog->end - subprog->start, count = 0;
	uint8_t *marked;
	int error;

	if (subprog->targets)
		return 0;
	marked = env_alloc(env, len);
	if (!marked)
		return -ENOMEM;
	error = mark_targets(env, pc, subprog, marked);
	for (uint32_t i = 0; i < len; i++)
		count += marked[i];
	subprog->targets = error ? NULL : arena_alloc(&env->arena, count * sizeof(uint32_t));
	if (!error && !subprog->targets)
		error = -ENOMEM;
	for (uint32_t i = 0; !error && i < len; i++)
		if (marked[i])
			subprog->targets[subprog->target_count++] = subprog->start + i;
	env_free(env, marked);
	return error;
}

/* --- the jump --- */

/* The places in the table that reg may have been read from. */
static int table_range(struct env *env, uint8_t regno, const struct reg *reg, uint32_t *first,
		       uint32_t *last)
{
	int64_t low, high;

	/* A load was within the table, so this cannot fail; it must not, either. */
	if (reg->var.umax >= VAR_OFF_MAX)
		return reject_as(env, SKEP_VERIFY_SHAPE, -ERANGE,
				 "the sum of R%u umax_value %" PRIu64 " and off %d is too big", regno,
				 reg->var.umax, reg->off);
	low = reg->off + (int64_t)reg->var.umin;
	high = reg->off + (int64_t)reg->var.umax;
	if (low < 0 || high / ADDRESS_SIZE >= reg->map->max_entries)
		return reject_as(env, SKEP_VERIFY_SHAPE, -EINVAL,
				 "R%u points to outside of jump table: [%" PRId64 ",%" PRId64
				 "] max_entries %u", regno, low / ADDRESS_SIZE,
				 high / ADDRESS_SIZE, reg->map->max_entries);
	*first = (uint32_t)(low / ADDRESS_SIZE);
	*last = (uint32_t)(high / ADDRESS_SIZE);
	return 0;
}

static int compare_targets(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Entries first to last of the map, each once, in order; count: how many there were. */
static uint32_t *distinct_targets(struct env *env, const struct map_spec *map, uint32_t first,
				  uint32_t *count)
{
	uint32_t *targets = env_alloc(env, *count * sizeof(*targets)), n = 0;

	if (!targets)
		return NULL;
	memcpy(targets, map->targets + first, *count * sizeof(*targets));
	qsort(targets, *count, sizeof(*targets), compare_targets);
	for (uint32_t i = 0; i < *count; i++)
		if (!n || targets[n - 1] != targets[i])
			targets[n++] = targets[i];
	*count = n;
	return targets;
}

/* All but the last are left for later; *next is the last. */
static int go_to_each(struct env *env, uint32_t pc, const uint32_t *targets, uint32_t count,
		      uint32_t *next)
{
	const struct subprog *subprog = &env->subprog[subprog_of(env, pc)];

	/* Nothing was proved of a way that leads elsewhere. */
	for (uint32_t i = 0; i < count; i++)
		if (!leads_into(subprog, targets[i]))
			return reject_as(env, SKEP_VERIFY_SHAPE, -EINVAL,
					 "indirect jump out of subprog [%u,%u] from insn %u to %u",
					 subprog->start, subprog->end, pc, targets[i]);
	for (uint32_t i = 0; i + 1 < count; i++)
		if (!push_state(env, targets[i], pc, env->cur->speculative))
			return env->rejected ? -E2BIG : -ENOMEM;
	*next = targets[count - 1];
	return 0;
}

int check_goto_reg(struct env *env, uint32_t pc, uint32_t *next)
{
	uint8_t regno = env->insns[pc].dst;
	const struct reg *reg = &state_regs(env->cur)[regno];
	uint32_t first = 0, last = 0, count, *targets;
	int error;

	if (!reg_is(reg, REG_INSN))
		return reject_as(env, SKEP_VERIFY_SHAPE, -EINVAL,
				 "R%d has type %s, expected PTR_TO_INSN", regno, reg_type_text(reg));
	error = table_range(env, regno, reg, &first, &last);
	if (error < 0)
		return error;
	count = last - first + 1;
	targets = distinct_targets(env, reg->map, first, &count);
	if (!targets)
		return -ENOMEM;
	error = go_to_each(env, pc, targets, count, next);
	env_free(env, targets);
	return error;
}
