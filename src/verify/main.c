/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - verify(): from a program to a verdict.
 *
 * First what can be seen without running anything: encodings, subprograms,
 * jumps, what can be reached, what calls exist. Then exploration: the main
 * program from its first instruction, and each global function it calls by
 * itself, path by path until none is left or one is wrong. Last, what needs
 * all paths: stack depths, and the facts for the engines.
 */
#include "verify/explain.h"
#include "verify/live_stack.h"
#include "verify/observe.h"
#include "verify/passes.h"

#include <time.h>

enum {
	STATES_MEMORY = 1u << 30, /* of one verification; more is a refusal, not a crash */
};

/* --- one instruction --- */

/* The effect of the instruction at pc; *next: where this path goes on. 1: nowhere. */
static int check_call(struct env *env, uint32_t pc, uint32_t *next)
{
	if (env->insns[pc].op != CALL_LOCAL)
		drop_stack_args(state_frame(env->cur));
	switch ((enum call)env->insns[pc].op) {
	case CALL_LOCAL:
		*next = pc;
		return check_local_call(env, next);
	case CALL_KFUNC:
		env->fresh_regs |= 1;
		return check_kfunc_call(env, pc);
	case CALL_HELPER:
	case CALL_REGISTER:
	case CALL_HELPER_BTF:
		env->fresh_regs |= 1;
		return check_helper_call(env, pc);
	}
	__builtin_unreachable();
}

static int check_end(struct env *env, uint32_t pc, uint32_t *next)
{
	int status;

	*next = pc;
	status = check_exit(env, next);
	return status < 0 ? status : !status;
}

static int refuse_encoding(struct env *env, uint32_t pc)
{
	const char *why = NULL;

	insn_decode(env->spec->insns, env->len, pc, &why);
	return reject(env, -EINVAL, "%s", why ? why : "invalid instruction");
}

static int check_insn(struct env *env, uint32_t pc, uint32_t *next)
{
	const struct insn *insn = &env->insns[pc];

	*next = pc + 1;
	switch ((enum insn_kind)insn->kind) {
	case INSN_ALU:
		return check_alu(env, pc);
	case INSN_IMM64:
		*next = pc + 2;
		return check_imm64(env, pc);
	case INSN_LOAD:
		return check_load(env, pc);
	case INSN_STORE:
		return check_store(env, pc);
	case INSN_ATOMIC:
		return check_atomic(env, pc);
	case INSN_LOAD_PACKET:
		return check_load_packet(env, pc);
	case INSN_LOAD_ARG:
		return check_load_arg(env, pc);
	case INSN_STORE_ARG:
		return check_store_arg(env, pc);
	case INSN_CAST:
		return check_cast(env, pc);
	case INSN_JUMP:
		return check_jump(env, pc, next);
	case INSN_MAY_GOTO:
		return check_may_goto(env, pc, next);
	case INSN_GOTO:
		*next = (uint32_t)insn_target(insn, pc);
		return 0;
	case INSN_GOTO_REG:
		return check_goto_reg(env, pc, next);
	case INSN_CALL:
		return check_call(env, pc, next);
	case INSN_EXIT:
		return check_end(env, pc, next);
	case INSN_INVALID:
	case INSN_PAD:
		return refuse_encoding(env, pc);
	case INSN_KIND_COUNT:
		break;
	}
	__builtin_unreachable();
}

/* As check_insn(), but what a speculative path must not do gets a barrier before it. */
static int check_insn_guessing(struct env *env, uint32_t pc, uint32_t *next)
{
	int status;

	env->in_insn = true;
	status = check_insn(env, pc, next);
	if (status < 0 && !env->rejected && may_speculate(env, status)) {
		env->info[pc].nospec = true;
		env->info[pc].alu_state = 0;
		status = 1;
	}
	env->in_insn = false;
	return status;
}

/* Linux counts every instruction of the jump classes when it spaces checkpoints. */
static bool is_jump(const struct insn *insn)
{
	return insn->kind == INSN_JUMP || insn->kind == INSN_GOTO || insn->kind == INSN_CALL ||
	       insn->kind == INSN_EXIT || insn->kind == INSN_MAY_GOTO ||
	       insn->kind == INSN_GOTO_REG;
}

static int push_step(struct env *env)
{
	struct state *state = env->cur;

	if (state->step_count == state->step_size) {
		uint32_t size = state->step_size ? state->step_size * 2 : 16;
		struct step *grown = env_alloc(env, size * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		if (state->step_count)
			memcpy(grown, state->step, state->step_count * sizeof(*grown));
		env_free(env, state->step);
		state->step = grown;
		state->step_size = size;
	}
	state->step[state->step_count++] = (struct step){ .insn = env->pc };
	return 0;
}

/* --- paths --- */

static void trace_path_start(struct env *env)
{
	if (!env->show_path || !(env->log_level & 2))
		return;
	trace(env, 2, "\nfrom %u to %u%s:", env->prev_pc, env->pc,
	      env->cur->speculative ? " (speculative execution)" : "");
	trace_state(env, 2, env->cur, env->cur->depth, true);
	trace(env, 2, "\n");
}

static void trace_safe(struct env *env)
{
	if (env->show_path)
		trace(env, 3, "\nfrom %u to %u%s: safe\n", env->prev_pc, env->pc,
		      env->cur->speculative ? " (speculative execution)" : "");
	else
		trace(env, 3, "%u: safe\n", env->pc);
}

/* Instructions that may be examined in all. */
static uint32_t insn_budget(const struct env *env)
{
	return env_can(env, ABILITY_LONG) ? INSN_BUDGET : INSN_BUDGET_OLD;
}

/* One step of the current path. 1: it ended here; negative: rejected. */
static int step_path(struct env *env)
{
	uint32_t pc = env->pc, next;
	int status;

	if (pc >= env->len)
		return reject(env, -EFAULT, "invalid insn idx %u insn_cnt %u", pc, env->len);
	if (++env->processed > insn_budget(env))
		return reject_as(env, SKEP_VERIFY_BIG, -E2BIG,
				 "BPF program is too large. Processed %u insn", env->processed);
	if (env->info[pc].prune_point) {
		status = check_visited(env);
		if (status > 0)
			trace_safe(env);
		if (status)
			return status;
	}
	status = push_step(env);
	if (status < 0)
		return status;
	if (env->observer && env->observer->step)
		env->observer->step(env->observer->arg, env);
	if (env->stopped)
		return -ECANCELED;
	trace_path_start(env);
	env->show_path = false;
	trace_fresh(env, pc); /* what the instruction before it changed */
	trace_insn(env, pc);
	env->info[pc].seen |= !env->cur->speculative;
	if (env->cur->speculative && env->info[pc].nospec)
		return 1;
	if (is_jump(&env->insns[pc]))
		env->jumps++;
	status = check_insn_guessing(env, pc, &next);
	if (status < 0 || (env->cur->speculative && (env->info[pc].nospec ||
						     env->info[pc].nospec_result)))
		return status < 0 ? status : 1;
	if (!status && env->insns[pc].kind == INSN_JUMP)
		trace_fresh(env, pc);
	env->prev_pc = pc;
	env->pc = next;
	return status;
}

/* The path is done: take up the one left last. 0 when there is none. */
static int next_path(struct env *env)
{
	struct pending *pending = env->pending;
	int error = path_done(env, env->cur);

	state_free(env, env->cur);
	env->cur = NULL;
	if (error < 0 || !pending)
		return error;
	env->pending = pending->next;
	env->pending_count--;
	env->cur = pending->state;
	env->pc = pending->insn;
	env->prev_pc = pending->prev;
	/* Level 1 shows only the path to the verdict. */
	if (!(env->log_level & 2) && pending->log_len < log_position(env)) {
		log_go_back(env, pending->log_len);
		if (env->log.len) /* a summary may have taken the place of the line's end */
			env->log.data[env->log.len - 1] = '\n';
		env->insn_end = 0;
	}
	env->fresh_regs = (1u << REG_COUNT) - 1;
	env->fresh_slots = UINT64_MAX;
	env->show_path = true;
	env_free(env, pending);
	return 1;
}

/* A path failed, and somebody wants to know what is wrong with the others. */
static bool leave_failed_path(struct env *env, int error)
{
	if (!env->observer || env->errors >= env->observer->errors || !env->rejected ||
	    error == -E2BIG)
		return false;
	env->rejected = false;
	return true;
}

static int explore(struct env *env)
{
	int status;

	do {
		do
			status = step_path(env);
		while (status == 0);
		if (status < 0 && !leave_failed_path(env, status))
			return status;
		status = next_path(env);
	} while (status > 0);
	return status;
}

/* --- starting points --- */

static void forget_states(struct env *env)
{
	for (uint32_t i = 0; i < env->len; i++) {
		struct explored *explored = env->explored[i];

		while (explored) {
			struct explored *next = explored->next;

			state_free(env, explored->state);
			env_free(env, explored);
			explored = next;
		}
		env->explored[i] = NULL;
	}
	env->states_now = 0;
}

/* What the main program is given. */
static int prepare_main_args(struct env *env, struct reg *regs)
{
	if (env->extends)
		return prepare_global_args(env, 0, regs);
	trace_main_arguments(env);
	reg_set_pointer(&regs[1], REG_CTX, 0);
	return acquire_arguments(env);
}

static int explore_subprog(struct env *env, uint32_t subprog)
{
	struct state *state = env_alloc(env, sizeof(*state));
	int error;

	if (!state)
		return -ENOMEM;
	env->cur = state;
	state->branches = 1;
	state->in_sleepable = env->sleepable;
	state->frame[0] = frame_new(env, subprog, -1, 0);
	if (!state->frame[0])
		return -ENOMEM;
	env->pc = env->subprog[subprog].start;
	env->prev_pc = env->pc;
	state->first_insn = state->insn = env->pc;
	env->jumps_at_checkpoint = env->jumps;
	env->insn_at_checkpoint = env->processed;
	env->log_line = 0;
	env->show_path = false;
	env->fresh_regs = 1u << 1 | 1u << REG_FP;
	env->exploring = true;
	if (!subprog && env->extends)
		trace(env, 3, "Validating %s() func#0...\n",
		      env->subprog[0].name ? env->subprog[0].name : "?");
	state->frame[0]->in_exception = env->subprog[subprog].is_exception;
	error = subprog ? prepare_global_args(env, subprog, state_regs(state))
			: prepare_main_args(env, state_regs(state));
	if (!error && env->subprog[subprog].is_exception)
		error = check_exception_callback(env, subprog);
	if (!error) {
		if (env->log_level & 3) {
			if (env->info[env->pc].prune_point)
				forget_dead(env); /* as every state there; the log shows it */
			trace(env, 3, "%u:", env->pc);
			trace_state(env, 3, state, 0, true);
			trace(env, 3, "\n");
			env->fresh_regs = 0;
		}
		error = explore(env);
	}
	env->exploring = false;
	if (!error)
		forget_states(env);
	if (!error && !(env->log_level & 2))
		log_go_back(env, 0);
	return error;
}

/* Does any code call it? What follows an error was not seen doing so. */
static bool is_called(const struct env *env, uint32_t subprog)
{
	for (uint32_t i = 0; i < env->len; i++)
		if (env->insns[i].kind == INSN_CALL && env->insns[i].op == CALL_LOCAL &&
		    insn_target(&env->insns[i], i) == (int64_t)env->subprog[subprog].start)
			return true;
	return false;
}

/* Global functions are checked once each, as soon as checked code calls them. */
static int explore_globals(struct env *env)
{
	bool again = true;

	while (again) {
		again = false;
		for (uint32_t i = 1; i < env->subprog_count; i++) {
			struct subprog *subprog = &env->subprog[i];
			int error;

			if (!subprog->is_global || subprog->verified ||
			    (!subprog->called && !(env->errors && is_called(env, i))))
				continue;
			trace(env, 3, "Validating %s() func#%u...\n",
			      subprog->name ? subprog->name : "?", i);
			error = explore_subprog(env, i);
			if (error < 0)
				return error;
			trace(env, 3,
			      "Func#%u ('%s') is safe for any args that match its prototype\n", i,
			      subprog->name ? subprog->name : "?");
			subprog->verified = true;
			again = true;
		}
	}
	return 0;
}

/* --- verify() --- */

static int run_passes(struct env *env)
{
	int error = check_target(env);

	if (!error)
		error = check_caps(env);
	if (!error)
		error = find_subprogs(env);
	if (!error)
		error = check_jumps(env);
	if (!error)
		error = check_encodings(env);
	if (!error)
		error = check_arenas(env);
	if (!error)
		error = check_insn_arrays(env);
	if (!error)
		error = prepare_calls(env);
	if (!error)
		error = check_cfg(env);
	if (!error)
		find_fastcalls(env);
	if (!error)
		summarise_subprogs(env);
	if (!error)
		error = check_replacement(env);
	if (!error)
		error = compute_live_registers(env);
	if (!error && env->log_level & 2)
		error = trace_stacks(env);
	if (!error && env->log_level & 2)
		error = trace_live(env);
	if (!error)
		note_touched(env);
	if (!error)
		error = explore_subprog(env, 0);
	if (!error)
		error = explore_globals(env);
	if (!error)
		error = check_stack_args_used(env);
	if (!error)
		error = check_stack_depths(env);
	if (!error)
		error = check_tail_calls(env);
	return error;
}

static uint64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void measure(struct env *env, uint64_t started)
{
	struct skep_verify_result *result = env->result;

	result->processed = env->processed;
	result->states = env->states_total;
	result->peak_states = env->states_peak;
	result->longest_mark = env->states_per_insn_max;
	result->stack_depth = env->stack_depth;
	result->memory = env->arena.used;
	result->time_us = now_us() - started;
}

/* The last lines of the log, apart from it: an explanation may go before them. */
static struct skep_text statistics(struct env *env)
{
	struct skep_text log = env->log, lines;

	env->log = (struct skep_text){ 0 };
	if (env->log_level & 4) {
		text_add(&env->log, "verification time %llu usec\n",
			 (unsigned long long)env->result->time_us);
		trace_stack_depths(env);
	}
	if (env->log_level)
		text_add(&env->log,
			 "processed %u insns (limit %u) max_states_per_insn %u total_states %u "
			 "peak_states %u mark_read %u\n",
			 env->processed, INSN_BUDGET, env->states_per_insn_max, env->states_total,
			 env->states_peak, env->longest_mark);
	lines = env->log;
	env->log = log;
	return lines;
}

static int check_size(struct env *env)
{
	uint32_t limit = env->cap_bpf && env_can(env, ABILITY_LONG) ? INSN_BUDGET : 4096;

	if (env->spec->len == 0 || env->spec->len > limit) {
		env->structural_insn = -1;
		return reject_as(env, SKEP_VERIFY_BIG, -E2BIG,
				 "program of %u instructions, limit %u", env->spec->len, limit);
	}
	return 0;
}

static void env_setup(struct env *env, const struct prog_spec *spec,
		      const struct skep_verify_opts *opts)
{
	static const struct skep_verify_opts defaults;

	if (!opts)
		opts = &defaults;
	env->spec = spec;
	env->type = spec->type;
	env->kernel_btf = opts->kernel_btf ? opts->kernel_btf : spec->kernel_btf;
	env->flags = opts->flags | spec->flags;
	log_setup(env, opts);
	env->kernel = opts->kernel;
	set_caps(env, opts);
	env->sleepable = env->flags & SKEP_VERIFY_SLEEPABLE;
	env->strict_alignment = env->flags & SKEP_VERIFY_STRICT_ALIGNMENT;
	env->gpl = license_is_gpl(spec->license);
	env->arena.limit = STATES_MEMORY;
	env->exception_subprog = -1;
	env->structural_insn = -1;
}

int verify(const struct prog_spec *spec, const struct skep_verify_opts *opts,
	   struct skep_verify_result *result, struct verified *out, struct skep_diag *diag)
{
	struct view_of view;

	if (opts && opts->observer)
		view_init(&view, opts->observer);
	return verify_observed(spec, opts, opts && opts->observer ? &view.hooks : NULL, result,
			       out, diag);
}

/* Tells how the rejection came about: the caller, and whoever reads the log. */
static void explain_verdict(struct env *env, const struct skep_verify_opts *opts,
			    struct skep_diag *diag, size_t index)
{
	const struct skep_diag_item *item;

	explain_rejection(env->spec, opts, env->result, diag);
	item = skep_diag_get(diag, index);
	if (item && env->log_level & 3)
		trace_report(&env->log, env->spec, env->kernel_btf, item);
}

/* What is left to do when the verdict is there. Frees what the verifier knew. */
static void finish(struct env *env, const struct skep_verify_opts *opts, uint64_t started)
{
	bool asked = opts && opts->explain && env->diag;
	bool explains = env->rejected && opts && (asked || opts->log_level & 3);
	struct skep_diag *diag = env->diag, *own = NULL;
	struct skep_text lines;

	measure(env, started);
	if (env->observer && env->observer->end)
		env->observer->end(env->observer->arg, env);
	lines = statistics(env);
	if (explains && !asked) {
		struct skep_where where = insn_where(env, env->result->insn);

		diag = own = skep_diag_new();
		skep_report(own, env->code, &where, "%s", env->result->message);
	}
	arena_done(&env->arena);
	if (explains && diag)
		explain_verdict(env, opts, diag, skep_diag_count(diag) - 1);
	skep_diag_free(own);
	if (lines.len)
		text_add_bytes(&env->log, lines.data, lines.len);
	text_done(&lines);
	log_hand_out(env, env->result);
}

int verify_observed(const struct prog_spec *spec, const struct skep_verify_opts *opts,
		    const struct verify_observer *observer, struct skep_verify_result *result,
		    struct verified *out, struct skep_diag *diag)
{
	struct env *env = calloc(1, sizeof(*env));
	uint64_t started = now_us();
	bool rejected, stopped;
	int error;

	if (!env)
		return skep_fail(diag, SKEP_OOM, NULL, "verifier");
	*result = (struct skep_verify_result){ .insn = -1 };
	env->result = result;
	env->diag = diag;
	env->observer = observer;
	env_setup(env, spec, opts);
	error = check_size(env);
	if (!error)
		error = decode_program(env);
	if (!error)
		error = run_passes(env);
	if (!error && out)
		error = make_verified(env, out);
	result->error = error;
	rejected = env->rejected;
	stopped = env->stopped;
	finish(env, opts, started);
	free(env);
	if (error == 0 || rejected)
		return 0;
	skep_verify_result_done(result);
	if (stopped)
		skep_report(diag, SKEP_VERIFY_STOPPED, NULL, "verification of '%s'",
			    spec->name ? spec->name : "?");
	else
		skep_report(diag, SKEP_OOM, NULL, "verifying program '%s' (error %d)",
			    spec->name ? spec->name : "?", error);
	return error;
}

void skep_verify_result_done(struct skep_verify_result *result)
{
	if (!result)
		return;
	free(result->log);
	result->log = NULL;
}
