/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sanitize.c - what a processor that guesses wrong must not do either.
 *
 * A processor may run on along a branch that will turn out not taken, with
 * numbers outside the bounds that the branch guards. For programs whose loader
 * may not see addresses anyway (CAP_PERFMON), that does not matter. For others:
 *
 *   - the side of a branch that cannot be taken is explored too, as a
 *     speculative path, knowing nothing of what was compared. What would be
 *     refused there is no error: a barrier goes before it, where such a path ends;
 *   - a number added to a pointer is masked as the program runs, so that the
 *     sum stays inside its memory even if the number does not. That takes one
 *     direction and one limit for each instruction, the same on all paths. Where
 *     the mask would strike, zero is added: that is explored as well;
 *   - pointer sums have to be inside their memory at once, not just when used;
 *   - a store that gives a stack slot another kind of content is followed by a
 *     barrier, so that no later load can overtake it. Speculative paths end there.
 *
 * Dead code that only speculative paths reach stays dead.
 */
#include "verify/passes.h"

#include <inttypes.h>

/* How an instruction's sum is masked: bits of insn_info.alu_state. */
enum {
	ALU_MASK_SRC = 1 << 0,   /* the pointer is the destination, the number the source */
	ALU_MASK_DST = 1 << 1,
	ALU_NEGATIVE = 1 << 2,
	ALU_CONSTANT = 1 << 3,
	ALU_NUMBERS = 1 << 4,    /* no pointer is involved */
};

enum reason { FITS, MIXED_BOUNDS, WRONG_TYPE, DIFFERENT_PATHS, BEYOND_LIMIT };

static bool not_needed(const struct env *env, const struct insn *insn)
{
	return env->cap_perfmon || insn->source_is_imm || env->info[env->pc].nospec ||
	       (insn->op != ALU_ADD && insn->op != ALU_SUB);
}

static int refuse(struct env *env, const struct insn *insn, enum reason why, bool number_is_dst)
{
	static const char *const rest = "pointer arithmetic with it prohibited for !root";
	const char *verb = insn->op == ALU_ADD ? "add" : "sub";

	switch (why) {
	case MIXED_BOUNDS:
		return reject_as(env, SKEP_VERIFY_ARITH, -EACCES,
				 "R%d has unknown scalar with mixed signed bounds, %s",
				 number_is_dst ? insn->dst : insn->src, rest);
	case WRONG_TYPE:
		return reject_as(env, SKEP_VERIFY_ARITH, -EACCES,
				 "R%d has pointer with unsupported alu operation, %s",
				 number_is_dst ? insn->src : insn->dst, rest);
	case DIFFERENT_PATHS:
		return reject_as(env, SKEP_VERIFY_ARITH, -EACCES,
				 "R%d tried to %s from different maps, paths or scalars, %s",
				 insn->dst, verb, rest);
	case BEYOND_LIMIT:
		return reject_as(env, SKEP_VERIFY_ARITH, -EACCES,
				 "R%d tried to %s beyond pointer bounds, %s", insn->dst, verb,
				 rest);
	case FITS:
		break;
	}
	return 0;
}

/* How far it may go: up to the start of its memory, or to the end. */
static enum reason find_limit(const struct reg *pointer, bool to_left, uint32_t *limit)
{
	uint32_t most;

	switch (pointer->type) {
	case REG_STACK: /* its end is where a way down may start */
		most = INSN_STACK_SIZE + to_left;
		*limit = (uint32_t)-((int32_t)pointer->var.bits.value + pointer->off);
		break;
	case REG_MAP_VALUE:
		most = map_value_room(pointer->map);
		*limit = (uint32_t)((to_left ? (uint64_t)pointer->var.smin : pointer->var.umax) +
				    (uint64_t)(int64_t)pointer->off);
		break;
	default: /* nothing else has a limit that a mask could be made of */
		return WRONG_TYPE;
	}
	return *limit >= most ? BEYOND_LIMIT : FITS;
}

/* The one way in which the instruction masks. */
static enum reason settle(struct insn_info *info, uint32_t state, uint32_t limit)
{
	if (info->alu_state && (info->alu_state != state || info->alu_limit != limit))
		return DIFFERENT_PATHS;
	info->alu_state = state;
	info->alu_limit = limit;
	return FITS;
}

/* The sum where the mask struck, from the next instruction on: the pointer as it was. */
static int explore_masked(struct env *env, struct reg *dst, const struct reg *pointer)
{
	struct reg kept = *dst;
	const struct state *masked;

	*dst = *pointer;
	masked = push_state(env, env->pc + 1, env->pc, true);
	*dst = kept;
	return masked ? 0 : env->rejected ? -E2BIG : -ENOMEM;
}

static enum reason open_window(struct env *env, const struct insn *insn,
			       const struct reg *pointer, const struct reg *number,
			       bool pointer_is_dst, struct alu_window *window)
{
	bool negative = number->var.smin < 0, known = tnum_is_const(number->var.bits);

	if (!known && negative != (number->var.smax < 0))
		return MIXED_BOUNDS;
	window->to_left = (insn->op == ALU_ADD) == negative;
	window->state = (negative ? ALU_NEGATIVE : 0) | (known ? ALU_CONSTANT : 0) |
			(pointer_is_dst ? ALU_MASK_SRC : ALU_MASK_DST);
	if (!known)
		env->explore_alu_limits = true;
	return find_limit(pointer, window->to_left, &window->limit);
}

int sanitize_before(struct env *env, const struct insn *insn, struct reg *dst,
		    const struct reg *pointer, const struct reg *number, bool pointer_is_dst,
		    struct alu_window *window)
{
	enum reason why;

	*window = (struct alu_window){ .open = false };
	if (not_needed(env, insn))
		return 0;
	if (!env->cur->speculative) {
		why = open_window(env, insn, pointer, number, pointer_is_dst, window);
		if (why != FITS)
			return refuse(env, insn, why, !pointer_is_dst);
		window->open = true;
	}
	/* A constant is added as one: nothing is masked. */
	return tnum_is_const(number->var.bits) ? 0 : explore_masked(env, dst, pointer);
}

/* Inside its memory already? */
static int check_sum(struct env *env, const struct insn *insn, const struct reg *sum)
{
	int64_t off = sum->off + (int64_t)sum->var.bits.value;
	int error = 0;

	if (sum->type == REG_STACK && !tnum_is_const(sum->var.bits))
		return reject_as(env, SKEP_VERIFY_ARITH, -EACCES,
				 "R%d variable stack access prohibited for !root, "
				 "var_off=(0x%" PRIx64 "; 0x%" PRIx64 ") off=%d", insn->dst,
				 sum->var.bits.value, sum->var.bits.mask, (int)off);
	if (sum->type == REG_STACK && (off >= 0 || off < -INSN_STACK_SIZE))
		return reject_as(env, SKEP_VERIFY_ARITH, -EACCES,
				 "R%d stack pointer arithmetic goes out of range, prohibited "
				 "for !root; off=%d", insn->dst, (int)off);
	if (sum->type == REG_MAP_VALUE) {
		env->tentative = true;
		error = check_map_access(env, insn->dst, 0, 1, false, (enum access)0);
		env->tentative = false;
	}
	if (error < 0)
		return reject_as(env, SKEP_VERIFY_ARITH, -EACCES,
				 "R%d pointer arithmetic of map value goes out of range, "
				 "prohibited for !root", insn->dst);
	return 0;
}

int sanitize_after(struct env *env, const struct insn *insn, const struct reg *sum,
		   const struct alu_window *window)
{
	uint32_t limit = 0;
	enum reason why;
	int error = env->cap_perfmon ? 0 : check_sum(env, insn, sum);

	if (error < 0 || !window->open)
		return error;
	why = find_limit(sum, window->to_left, &limit);
	if (why == FITS) {
		limit = limit > window->limit ? limit - window->limit : window->limit - limit;
		why = settle(&env->info[env->pc], window->state, limit);
	}
	return refuse(env, insn, why, window->state & ALU_MASK_DST);
}

/* Two numbers, where on another path one was a pointer? */
int sanitize_numbers(struct env *env, const struct insn *insn)
{
	if (not_needed(env, insn))
		return 0;
	return refuse(env, insn, settle(&env->info[env->pc], ALU_NUMBERS, 0), false);
}

int explore_mispredicted(struct env *env, const struct insn *insn, uint32_t next)
{
	struct state *wrong;
	struct reg *regs;

	if (env->cap_perfmon)
		return 0;
	wrong = push_state(env, next, env->pc, true);
	if (!wrong)
		return env->rejected ? -E2BIG : -ENOMEM;
	regs = state_regs(wrong);
	reg_set_unknown(env, &regs[insn->dst]);
	if (!insn->source_is_imm)
		reg_set_unknown(env, &regs[insn->src]);
	return 0;
}

/* Kinds of content that a load must not see before the store is done. */
void note_stack_store(struct env *env, uint32_t pc, const struct slot *slot,
		      const struct reg *value, uint32_t size)
{
	bool barrier = value && reg_is_pointer(value);

	/* As Linux looks: at size bytes from the slot's end, wherever the store is. */
	for (uint32_t i = SLOT_SIZE - size; i < SLOT_SIZE && !barrier; i++)
		barrier = slot->byte[i] != SLOT_MISC && slot->byte[i] != SLOT_ZERO;
	if (barrier && !env->cap_perfmon)
		env->info[pc].nospec_result = true;
}
