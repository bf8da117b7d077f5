/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * depth.c - how much stack a program needs, with everything it calls.
 *
 * The frames of functions that call each other share 512 bytes. Where programs
 * may interrupt the kernel anywhere, each function with a frame worth it gets a
 * stack of its own instead, which only it must fit; not so with tail calls, nor
 * for what runs in an asynchronous callback.
 */
#include "verify/passes.h"

enum {
	TAIL_CALL_STACK_MAX = 256,
	FRAME_ALIGN = 16,
	PRIVATE_STACK_MIN = 64,
	MAY_GOTO_STACK = 16, /* a budget and when it was last seen */
};

enum stack_place { PLACE_UNKNOWN, PLACE_SHARED, PLACE_PRIVATE };

struct depth_walk {
	struct env *env;
	uint32_t chain[SUBPROGS_MAX + 2]; /* subprograms on the way down */
	uint32_t frame;
	uint32_t steps;
	bool private;
};

static uint32_t rounded(uint32_t depth)
{
	return (depth + FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN;
}

enum { DEPTH_STEPS_MAX = 1000000 };

/* Once shared it stays so: two of its frames may be there at a time. */
static void place_frame(const struct depth_walk *walk, struct subprog *s)
{
	if (!walk->private)
		s->stack_place = PLACE_SHARED;
	else if (s->stack_place == PLACE_UNKNOWN && rounded(s->stack_needed) >= PRIVATE_STACK_MIN)
		s->stack_place = PLACE_PRIVATE;
}

static bool has_private_stacks(const struct env *env)
{
	if (!env->type->private_stack || env->spec->attach == BPF_TRACE_ITER ||
	    !env_can(env, ABILITY_PRIVATE_STACK))
		return false;
	for (uint32_t i = 0; i < env->subprog_count; i++)
		if (env->subprog[i].has_tail_call)
			return false;
	return true;
}

static const char *name_of(const struct subprog *s) { return s->name ? s->name : ""; }

static bool is_running(const struct depth_walk *walk, uint32_t subprog)
{
	for (uint32_t i = 0; i <= walk->frame; i++)
		if (walk->chain[i] == subprog)
			return true;
	return false;
}

/* Everything that subprog can call, below `depth` bytes of callers. */
static int walk_depth(struct depth_walk *walk, uint32_t subprog, uint32_t depth, bool tail)
{
	struct env *env = walk->env;
	struct subprog *s = &env->subprog[subprog];
	int err;

	walk->chain[walk->frame] = subprog;
	if (++walk->steps > DEPTH_STEPS_MAX)
		return reject_as(env, SKEP_VERIFY_BIG, -E2BIG, "too many ways through the calls");
	if (s->has_tail_call)
		tail = true;
	if (tail && env->subprog_count > 1 && !env_can(env, ABILITY_TAIL_CALLS))
		return reject_as(env, SKEP_VERIFY_STACK, -EINVAL,
				 "tail_calls are not allowed in programs with bpf-to-bpf calls");
	if (walk->frame && tail && s->has_tail_call && depth >= TAIL_CALL_STACK_MAX)
		return reject_as(env, SKEP_VERIFY_STACK, -EACCES,
				 "tail_calls are not allowed when call stack of previous "
				 "frames is %u bytes. Too large", depth);
	place_frame(walk, s);
	if (s->stack_place != PLACE_PRIVATE)
		depth += rounded(s->stack_needed);
	else if (rounded(s->stack_needed) > INSN_STACK_SIZE)
		return reject_as(env, SKEP_VERIFY_STACK, -EACCES,
				 "stack size of subprog %u is %u. Too large", subprog,
				 rounded(s->stack_needed));
	env->stack_depth = MAX(env->stack_depth, MAX(depth, rounded(s->stack_needed)));
	if (depth > INSN_STACK_SIZE)
		return reject_as(env, SKEP_VERIFY_STACK, -EACCES,
				 "combined stack size of %u calls is %u. Too large",
				 walk->frame + 1, depth);
	for (uint32_t i = s->start; i < s->end; i++) {
		const struct insn *insn = &env->insns[i];
		bool address = insn->kind == INSN_IMM64 && insn->op == IMM64_FUNC;
		int callee;

		err = check_throw_place(env, i, walk->chain, walk->frame + 1);
		if (err < 0)
			return err;
		if (!(insn->kind == INSN_CALL && insn->op == CALL_LOCAL) && !address)
			continue;
		callee = subprog_at(env, (uint32_t)insn_callee(env, i));
		if (callee < 0 || (address && env->subprog[callee].is_async))
			continue;
		if (env->subprog[callee].is_exception)
			return reject_as(env, SKEP_VERIFY_CALL, -EINVAL,
					 "insn %u cannot call exception cb directly", i);
		if (is_running(walk, (uint32_t)callee))
			return reject_as(env, SKEP_VERIFY_SHAPE, -EINVAL,
					 "recursive call from %s() to %s()", name_of(s),
					 name_of(&env->subprog[callee]));
		if (walk->frame + 1 >= FRAMES_MAX / 2 && !env_can(env, ABILITY_DEEP_CALLS))
			return reject_as(env, SKEP_VERIFY_BIG, -E2BIG,
					 "the call stack of %u frames is too deep !",
					 walk->frame + 1);
		walk->frame++;
		err = walk_depth(walk, (uint32_t)callee, depth, tail);
		walk->frame--;
		if (err < 0)
			return err;
	}
	return 0;
}

int check_stack_depths(struct env *env)
{
	struct depth_walk walk = { .env = env };

	env->structural_insn = -1;
	finish_fastcalls(env);
	/* The main program last: by then it is known what callbacks share with it. */
	for (uint32_t i = env->subprog_count; i-- > 0;) {
		int err;

		if (i && !env->subprog[i].is_async && !env->subprog[i].is_exception)
			continue;
		walk.frame = 0;
		walk.private = !i && has_private_stacks(env);
		err = walk_depth(&walk, i, 0, false);
		if (err < 0)
			return err;
	}
	return 0;
}

/* "stack depth 16+0": each function's own, and what inlining adds to it. */
void trace_stack_depths(struct env *env)
{
	text_add(&env->log, "stack depth ");
	for (uint32_t i = 0; i < env->subprog_count; i++) {
		const struct subprog *s = &env->subprog[i];
		uint32_t extra = 0;

		for (uint32_t pc = s->start; pc < s->end; pc++)
			if (env->insns[pc].kind == INSN_MAY_GOTO)
				extra = MAY_GOTO_STACK;
		text_add(&env->log, "%s%u", i ? "+" : "", s->stack_needed + extra);
	}
	text_add(&env->log, "\n");
}
