/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack_args.c - arguments after the fifth, between the program's own functions.
 *
 * A caller stores them one by one where only the next call finds them; the function
 * called loads its own before it stores or calls anything itself. Nobody can point
 * to them, and any call makes an end of them:
 *
 *     caller:  out[0] = r6                     callee:
 *              out[1] = 5     -- call -->              in[0], in[1]
 *              (empty)        <-- exit --
 *
 * What is put there keeps everything that is known of it, and takes part in all that
 * happens to registers: references released, packets changed, states compared.
 */
#include "verify/passes.h"

enum { ARGS_IN_REGISTERS = 5 };

static uint32_t stack_parameters(const struct env *env, uint32_t subprog)
{
	uint32_t count = parameter_count(env, subprog);

	return count > ARGS_IN_REGISTERS ? count - ARGS_IN_REGISTERS : 0;
}

/* --- loads and stores --- */

static int refuse_register(struct env *env)
{
	return reject(env, -EINVAL, "R%u is invalid", INSN_ARG_REG);
}

int check_load_arg(struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	const struct frame *frame = state_frame(env->cur);
	int err;

	if (!env_can(env, ABILITY_STACK_ARGS))
		return refuse_register(env);
	err = check_reg_write(env, insn->dst);
	if (err < 0)
		return err;
	if (frame->args_closed)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "r11 load must be before any r11 store or call insn");
	if (insn->arg >= frame->args_given || !frame->args)
		return reject_as(env, SKEP_VERIFY_ARG, -EACCES,
				 "invalid read from stack arg off %u depth %u",
				 (insn->arg + 1u) * SLOT_SIZE, frame->args_given * SLOT_SIZE);
	state_regs(env->cur)[insn->dst] = frame->args->in[insn->arg];
	return 0;
}

static void forget_args(struct reg args[INSN_STACK_ARGS_MAX])
{
	for (int i = 0; i < INSN_STACK_ARGS_MAX; i++)
		reg_set_not_init(&args[i]);
}

static int make_room(struct env *env, struct frame *frame)
{
	if (frame->args)
		return 0;
	frame->args = env_alloc(env, sizeof(*frame->args));
	if (!frame->args)
		return -ENOMEM;
	forget_args(frame->args->in);
	forget_args(frame->args->out);
	return 0;
}

int check_store_arg(struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	struct frame *frame = state_frame(env->cur);
	struct subprog *subprog = &env->subprog[frame->subprog];
	struct reg *to;
	int err;

	if (!env_can(env, ABILITY_STACK_ARGS))
		return refuse_register(env);
	if (insn->arg >= INSN_STACK_ARGS_MAX)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
				 "stack arg write offset -%u exceeds max %u stack args",
				 (insn->arg + 1u) * SLOT_SIZE, INSN_STACK_ARGS_MAX);
	err = insn->source_is_imm ? 0 : check_reg_read(env, insn->src);
	if (!err)
		err = make_room(env, frame);
	if (err < 0)
		return err;
	to = &frame->args->out[insn->arg];
	if (insn->source_is_imm)
		reg_set_const(env, to, (uint64_t)insn->imm);
	else
		*to = frame->reg[insn->src];
	/* A load that runs ahead of it must not see what was there before. */
	env->info[pc].nospec_result |= !env->cap_perfmon;
	subprog->args_stored = MAX(subprog->args_stored, (uint8_t)(insn->arg + 1));
	forget_args(frame->args->in);
	frame->args_closed = true;
	return 0;
}

/* --- calls --- */

int check_stack_args(struct env *env, uint32_t subprog)
{
	const struct frame *frame = state_frame(env->cur);
	struct subprog *caller = &env->subprog[frame->subprog];
	uint32_t count = stack_parameters(env, subprog);

	if (!count || !env_can(env, ABILITY_STACK_ARGS))
		return 0;
	for (uint32_t i = 0; i < count; i++) {
		if (i < INSN_STACK_ARGS_MAX && frame->args &&
		    frame->args->out[i].type != REG_NOT_INIT)
			continue;
		if (env->subprog[subprog].is_global)
			trace(env, 3, "global function %s has %u > %u args, stack args not "
			      "supported\n", env->subprog[subprog].name,
			      count + ARGS_IN_REGISTERS, ARGS_IN_REGISTERS);
		return reject_as(env, SKEP_VERIFY_ARG, -EFAULT,
				 "callee expects %u args, stack arg%u is not initialized",
				 count + ARGS_IN_REGISTERS, i + 1);
	}
	caller->args_passed = MAX(caller->args_passed, (uint8_t)count);
	return 0;
}

void drop_stack_args(struct frame *frame)
{
	if (!frame->args)
		return;
	frame->args_closed |= frame->args_given != 0;
	forget_args(frame->args->in);
	forget_args(frame->args->out);
}

int pass_stack_args(struct env *env, struct frame *caller, struct frame *callee)
{
	uint32_t count = env_can(env, ABILITY_STACK_ARGS)
				 ? stack_parameters(env, callee->subprog) : 0;
	int err = count ? make_room(env, callee) : 0;

	if (err < 0)
		return err;
	for (uint32_t i = 0; i < count; i++)
		callee->args->in[i] = caller->args->out[i];
	callee->args_given = (uint8_t)count;
	drop_stack_args(caller);
	return 0;
}

int check_stack_args_used(struct env *env)
{
	for (uint32_t i = 0; i < env->subprog_count; i++) {
		const struct subprog *subprog = &env->subprog[i];

		env->structural_insn = -1;
		if (subprog->args_stored > subprog->args_passed)
			return reject_as(env, SKEP_VERIFY_ARG, -EINVAL,
					 "func#%u writes %u stack arg slots, but calls only "
					 "require %u", i, subprog->args_stored,
					 subprog->args_passed);
	}
	return 0;
}
