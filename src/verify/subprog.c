/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * subprog.c - calls between the program's own functions, and exits.
 *
 * A static function is explored at each call, with what is known of its
 * arguments, in a frame of its own. A global one is checked once by itself: a
 * call only checks the arguments, and its result is any number. A callback is
 * explored as a pending path whose exit returns to the call that took it, so
 * that the call is seen once more with what the callback left behind.
 */
#include "verify/call.h"
#include "verify/live_stack.h"

#include <inttypes.h>
#include <stdio.h>

static const char *subprog_name(const struct env *env, uint32_t subprog)
{
	return env->subprog[subprog].name ? env->subprog[subprog].name : "";
}

/* --- what a function does, calls included --- */

static bool summarise_one(struct env *env, uint32_t s)
{
	struct subprog *subprog = &env->subprog[s], before = *subprog;

	for (uint32_t i = subprog->start; i < subprog->end; i++) {
		const struct insn *insn = &env->insns[i];
		int callee;

		if (insn->kind != INSN_CALL)
			continue;
		if (insn->op != CALL_LOCAL) {
			subprog->changes_packet |= call_changes_packet(env, i);
			subprog->might_sleep |= call_might_sleep(env, i);
			subprog->throws |= insn_throws(env, i);
			continue;
		}
		callee = subprog_at(env, (uint32_t)insn_target(insn, i));
		if (callee < 0)
			continue;
		subprog->changes_packet |= env->subprog[callee].changes_packet;
		subprog->might_sleep |= env->subprog[callee].might_sleep;
		subprog->throws |= env->subprog[callee].throws;
	}
	return before.changes_packet != subprog->changes_packet ||
	       before.might_sleep != subprog->might_sleep || before.throws != subprog->throws;
}

void summarise_subprogs(struct env *env)
{
	bool changed = true;

	while (changed) {
		changed = false;
		for (uint32_t s = 0; s < env->subprog_count; s++)
			changed |= summarise_one(env, s);
	}
}

/* --- entering --- */

/* The frame for subprog, on top of the state's. Arguments are for the caller to set. */
static struct frame *enter(struct env *env, struct state *state, uint32_t subprog, uint32_t pc)
{
	struct frame *frame;

	if (state->depth + 1 >= (env_can(env, ABILITY_DEEP_CALLS) ? FRAMES_MAX : FRAMES_MAX / 2)) {
		reject_as(env, SKEP_VERIFY_BIG, -E2BIG, "the call stack of %u frames is too deep",
			  state->depth + 2);
		return NULL;
	}
	frame = frame_new(env, subprog, (int32_t)pc, state->depth + 1);
	if (!frame)
		return NULL;
	frame->view = callee_view(state_frame(state)->view, pc, subprog);
	for (int i = 0; i < REG_FP; i++)
		reg_set_not_init(&frame->reg[i]);
	state->frame[++state->depth] = frame;
	return frame;
}

static void trace_enter(struct env *env)
{
	struct state *cur = env->cur;

	if (!(env->log_level & 3))
		return;
	trace(env, 3, "caller:\n");
	trace_state(env, 3, cur, cur->depth - 1, true);
	trace(env, 3, "\ncallee:\n");
	trace_state(env, 3, cur, cur->depth, true);
	trace(env, 3, "\n");
	env->fresh_regs = (1u << REG_COUNT) - 1;
	env->fresh_slots = UINT64_MAX;
}

static int call_global(struct env *env, uint32_t *pc, uint32_t subprog)
{
	struct reg *regs = state_regs(env->cur);
	struct subprog *callee = &env->subprog[subprog];
	const char *region = region_name(env->cur);
	int err;

	if (env->cur->active_locks)
		return reject_as(env, SKEP_VERIFY_REGION, -EINVAL,
				 "global function calls are not allowed while holding a lock,\n"
				 "use static function instead");
	if (callee->might_sleep && (region || !env->cur->in_sleepable))
		return reject_as(env, SKEP_VERIFY_SLEEP, -EINVAL,
				 "sleepable global function %s() called in %s",
				 subprog_name(env, subprog), region ? region : "non-sleepable prog");
	err = check_global_args(env, subprog, *pc);
	if (err < 0) {
		trace(env, 3, "Caller passes invalid args into func#%u ('%s')\n", subprog,
		      subprog_name(env, subprog));
		return err;
	}
	trace(env, 3, "Func#%u ('%s') is global and assumed valid.\n", subprog,
	      subprog_name(env, subprog));
	if (callee->throws) {
		err = check_resources(env, true, true, "bpf_throw");
		if (err < 0)
			return err;
	}
	if (callee->changes_packet)
		clear_packet_pointers(env);
	callee->called = true;
	clear_caller_saved(env, regs);
	if (global_returns_void(env, subprog))
		reg_set_not_init(&regs[0]);
	else
		reg_set_unknown(env, &regs[0]);
	show_reg(env, 0);
	*pc += 1;
	return 0;
}

int check_local_call(struct env *env, uint32_t *pc)
{
	uint32_t target = (uint32_t)insn_target(&env->insns[*pc], *pc);
	int subprog = subprog_at(env, target);
	struct frame *caller = state_frame(env->cur), *callee;
	int err;

	if (subprog < 0)
		return reject(env, -EFAULT, "verifier bug: no function at insn %u", target);
	err = check_stack_args(env, (uint32_t)subprog);
	if (err < 0)
		return err;
	if (env->subprog[subprog].is_global)
		drop_stack_args(caller);
	if (env->subprog[subprog].is_global)
		return call_global(env, pc, (uint32_t)subprog);
	if (env->cur->active_locks && !env_can(env, ABILITY_LOCKED_CALLS))
		return reject_as(env, SKEP_VERIFY_REGION, -EINVAL,
				 "function calls are not allowed while holding a lock");
	note_static_call(env, (uint32_t)subprog, caller->reg);
	callee = enter(env, env->cur, (uint32_t)subprog, *pc);
	if (!callee)
		return env->rejected ? -E2BIG : -ENOMEM;
	for (int i = 1; i <= 5; i++)
		callee->reg[i] = caller->reg[i];
	clear_caller_saved(env, caller->reg);
	err = pass_stack_args(env, caller, callee);
	if (err < 0)
		return err;
	trace_enter(env);
	*pc = target;
	return 0;
}

static int push_async_callback(struct env *env, uint32_t pc, uint32_t subprog,
			       callback_set_fn *set, struct return_range returns, bool sleepable)
{
	struct frame *caller = state_frame(env->cur), *callee;
	struct state *state;

	env->subprog[subprog].is_async = true;
	state = push_async(env, env->subprog[subprog].start, subprog, sleepable);
	if (!state)
		return env->rejected ? -E2BIG : -ENOMEM;
	callee = state->frame[0];
	for (int i = 0; i < REG_FP; i++)
		reg_set_not_init(&callee->reg[i]);
	callee->in_async = true;
	callee->async_entries = caller->async_entries + 1;
	callee->returns = returns;
	return set(env, caller, callee, pc);
}

int push_callback(struct env *env, uint32_t pc, uint32_t subprog, callback_set_fn *set,
		  struct return_range returns, bool async, bool sleepable)
{
	uint32_t start = env->subprog[subprog].start;
	struct frame *callee;
	struct state *state;
	int err;

	env->subprog[subprog].is_callback = true;
	if (!async) {
		err = check_stack_args(env, subprog);
		if (err < 0)
			return err;
	}
	if (async)
		return push_async_callback(env, pc, subprog, set, returns, sleepable);
	state = push_state(env, start, pc, false);
	if (!state)
		return env->rejected ? -E2BIG : -ENOMEM;
	callee = enter(env, state, subprog, pc);
	if (!callee)
		return env->rejected ? -E2BIG : -ENOMEM;
	err = set(env, state->frame[state->depth - 1], callee, pc);
	if (err < 0)
		return err;
	callee->in_callback = true;
	callee->returns = returns;
	state->callback_unroll++;
	state->frame[state->depth - 1]->callback_depth++;
	state_frame(env->cur)->callback_depth = 0;
	return 0;
}

/* --- leaving --- */

static bool in_range(const struct scalar *value, struct return_range range, bool half)
{
	if (half)
		return value->smin32 >= range.min && value->smax32 <= range.max;
	return value->smin >= range.min && value->smax <= range.max;
}

static int refuse_return(struct env *env, int regno, struct return_range range,
			 const char *where)
{
	const struct reg *reg = &state_regs(env->cur)[regno];
	char text[96] = "";
	int len = 0;

	if (reg->var.smin > INT64_MIN)
		len += snprintf(text, sizeof(text), " smin=%" PRId64, reg->var.smin);
	if (reg->var.smax < INT64_MAX)
		len += snprintf(text + len, sizeof(text) - (size_t)len, " smax=%" PRId64,
				reg->var.smax);
	return reject_as(env, SKEP_VERIFY_RETURN, -EINVAL,
			 "%s the register R%d has%s should have been in [%" PRId64 ", %" PRId64
			 "]", where, regno, len ? text : " unknown scalar value", range.min,
			 range.max);
}

/* From a static function or callback to its caller. 1, *pc: where it goes on. */
static int leave(struct env *env, uint32_t *pc)
{
	struct state *cur = env->cur;
	struct frame *callee = state_frame(cur), *caller = cur->frame[cur->depth - 1];
	const struct reg *r0 = &callee->reg[0];
	bool callback = callee->in_callback;
	int err;

	if (r0->type == REG_STACK)
		return reject_as(env, SKEP_VERIFY_LEAK, -EINVAL,
				 "cannot return stack pointer to the caller");
	if (callback) {
		if (r0->type != REG_SCALAR)
			return reject_as(env, SKEP_VERIFY_RETURN, -EACCES,
					 "R0 not a scalar value");
		err = mark_precise(env, 0);
		if (err < 0)
			return err;
		if (!in_range(&r0->var, callee->returns, false))
			return refuse_return(env, 0, callee->returns, "At callback return");
	} else {
		caller->reg[0] = *r0;
	}
	*pc = (uint32_t)callee->callsite + !callback;
	trace(env, 3, "returning from callee:\n");
	trace_state(env, 3, cur, cur->depth, true);
	trace(env, 3, "\nto caller at %u:\n", *pc);
	cur->frame[cur->depth--] = NULL;
	frame_free(env, callee);
	trace_state(env, 3, cur, cur->depth, true);
	trace(env, 3, "\n");
	env->fresh_regs = 0;
	env->fresh_slots = 0;
	env->show_path = true;
	if (callback) {
		struct state *before = previous_entry(env, *pc);

		if (before)
			widen_numbers(env, before, cur);
	}
	return 1;
}

static bool called_back(const struct state *state)
{
	for (uint32_t i = 0; i <= state->depth; i++)
		if (state->frame[i]->in_callback || state->frame[i]->in_async)
			return true;
	return false;
}

int push_early_return(struct env *env, const char *what, bool changes_packet)
{
	struct state *cur = env->cur, *state;
	uint32_t pc = env->pc;
	int status;

	if (called_back(cur))
		return reject_as(env, SKEP_VERIFY_CALL, -EINVAL, "%s within callback", what);
	if (!cur->depth)
		return 0;
	state = push_state(env, pc, env->prev_pc, false);
	if (!state)
		return env->rejected ? -E2BIG : -ENOMEM;
	env->cur = state;
	clear_caller_saved(env, state_regs(state));
	reg_set_unknown(env, &state_regs(state)[0]);
	if (changes_packet)
		clear_packet_pointers(env);
	status = leave(env, &pc);
	env->cur = cur;
	if (status < 0)
		return status;
	state->insn = env->pending->insn = pc;
	return 0;
}

/* What the main program may return: by its type, and by what it is attached to. */
static struct return_range program_returns(const struct env *env)
{
	uint32_t attach = env->spec->attach;
	struct return_range range = { .checked = false };

	if (!env->type->returns)
		return range;
	range = env->type->returns(attach);
	if (env->type->id == BPF_PROG_TYPE_LSM && attach == BPF_LSM_MAC &&
	    (target_return(env) == TARGET_RETURNS_BOOL || hook_returns_bool(env)))
		range = (struct return_range){ .min = 0, .max = 1, .checked = true };
	if (env->type->id == BPF_PROG_TYPE_LSM && attach == BPF_LSM_CGROUP &&
	    target_return(env) == TARGET_RETURNS_VOID)
		range.min = range.max = 1;
	return range;
}

/* The hook's caller sees only the lower half of it. */
static bool returns_int(const struct env *env)
{
	return env->type->id == BPF_PROG_TYPE_LSM && env->spec->attach != BPF_LSM_CGROUP;
}

/* Nobody looks at what it returns. */
static bool returns_void(const struct env *env)
{
	if (env->type->id != BPF_PROG_TYPE_STRUCT_OPS &&
	    (env->type->id != BPF_PROG_TYPE_LSM || env->spec->attach == BPF_LSM_CGROUP))
		return false;
	return target_return(env) == TARGET_RETURNS_VOID;
}

/* Once, what a security hook returned was not looked at. */
static bool returns_unchecked(const struct env *env)
{
	return !kernel_can(env->kernel, ABILITY_HOOK_RETURNS) && returns_int(env);
}

int check_return(struct env *env, int regno)
{
	const struct frame *frame = state_frame(env->cur);
	const struct reg *reg = &frame->reg[regno];
	const char *where = frame->in_async ? "At async callback return" : "At program exit";
	struct return_range range = frame->returns;
	/* What is thrown ends the program wherever it is thrown. */
	bool is_subprog = frame->subprog != 0 && !frame->in_async && !frame->in_exception &&
			  regno == 0;
	int err;

	if (!is_subprog && !frame->in_async && returns_void(env))
		return 0;
	if ((is_subprog || (env->extends && !frame->subprog)) &&
	    global_returns_void(env, frame->subprog))
		return 0;
	err = check_reg_read(env, regno);
	if (err < 0)
		return err;
	if (!may_leak(env, reg))
		return reject_as(env, SKEP_VERIFY_LEAK, -EACCES,
				 "R%d leaks addr as return value", regno);
	if (is_subprog) {
		if (reg->type != REG_SCALAR)
			return reject_as(env, SKEP_VERIFY_RETURN, -EINVAL,
					 "At subprogram exit the register R%d is not a scalar "
					 "value (%s)", regno, reg_type_text(reg));
		return 0;
	}
	if (!frame->in_async && !returns_unchecked(env))
		range = program_returns(env);
	if (!range.checked)
		return 0;
	if (reg->type != REG_SCALAR)
		return reject_as(env, SKEP_VERIFY_RETURN, -EINVAL,
				 "%s the register R%d is not a known value (%s)", where, regno,
				 reg_type_text(reg));
	err = mark_precise(env, regno);
	if (err < 0)
		return err;
	if (!in_range(&reg->var, range, !frame->in_async && returns_int(env)))
		return refuse_return(env, regno, range, where);
	return 0;
}

int check_exit(struct env *env, uint32_t *pc)
{
	int err;

	if (env->cur->depth) /* a static function need not return anything */
		return leave(env, pc);
	err = check_resources(env, false, true, "BPF_EXIT instruction in main prog");
	return err < 0 ? err : check_return(env, 0);
}
