/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rewrite.c - what the engines get of a program that was found safe.
 *
 * Instructions stay where they are, one for one: an index means the same in
 * the source, the log and the running program. What changes is inside them:
 *
 *   context accesses   struct __sk_buff, xdp_md ... are a view; the access
 *                      goes to where the field really is
 *   fields of maps     likewise (map_struct.c)
 *   stack arguments    stored at the end of the caller's stack, loaded from above
 *                      the callee's
 *   doubtful loads     marked to yield 0 on a fault
 *   dead code          replaced by a jump to itself
 */
#include "verify/passes.h"

/*
 * A field of 4 bytes that holds a pointer natively takes 8. Other fields have
 * the same layout in both, so that a part of one is at the same place in it.
 */
static void rewrite_ctx(struct insn *insn, const struct insn_info *info)
{
	const struct ctx_field *field = info->ctx_field;

	insn->off += (int32_t)field->native_off - (int32_t)field->off;
	if (field->native_size > field->size)
		insn->width = (uint8_t)field->native_size;
}

static void rewrite_insn(struct env *env, uint32_t pc, struct insn *insn)
{
	const struct insn_info *info = &env->info[pc];

	*insn = env->insns[pc];
	if (insn->kind == INSN_PAD && pc && env->info[pc - 1].seen)
		return;
	if (!info->seen) {
		*insn = (struct insn){ .kind = INSN_GOTO, .off = -1 };
		return;
	}
	if (info->ctx_field && (insn->kind == INSN_LOAD || insn->kind == INSN_STORE))
		rewrite_ctx(insn, info);
	if (info->map_field && !info->map_beyond && !info->not_map)
		insn->off += info->map_shift;
	if (insn->kind == INSN_LOAD)
		insn->fault_zero = info->fault_zero;
}

/*
 * Stack arguments lie at the lowest end of the caller's frame, the first one lowest:
 * that is just above where the callee's frame begins.
 *
 *     caller's fp                      callee's fp
 *     | caller's stack | second | first | callee's stack ...
 */
static uint32_t frame_size(const struct subprog *subprog)
{
	return ((subprog->stack + 7) & ~7u) + 8u * subprog->args_stored;
}

static void rewrite_argument(struct insn *insn, uint32_t frame)
{
	if (insn->kind == INSN_LOAD_ARG) {
		insn->kind = INSN_LOAD;
		insn->src = INSN_MAX_REG;
		insn->off = 8 * insn->arg;
	} else if (insn->kind == INSN_STORE_ARG) {
		insn->kind = INSN_STORE;
		insn->dst = INSN_MAX_REG;
		insn->off = 8 * insn->arg - (int32_t)frame;
	}
}

static struct insn_fact make_fact(const struct insn_info *info)
{
	return (struct insn_fact){
		.reached = info->seen,
		.constant_map = info->map_seen && !info->map_poisoned,
		.map = info->map,
		.constant_key = info->key_seen && !info->key_poisoned,
		.key = info->key,
		.nonnull = info->never_null && !info->maybe_null,
		.upper_zero = info->zero_ext,
		.foreign_map = info->map_field && (info->map_beyond || info->not_map),
		.ctx_field = info->ctx_field ? info->ctx_field->name : NULL,
	};
}

static struct verified_subprog make_subprog(const struct env *env, uint32_t index)
{
	const struct subprog *subprog = &env->subprog[index];

	return (struct verified_subprog){
		.start = subprog->start,
		.end = subprog->end,
		.stack = frame_size(subprog),
		.tail_calls = subprog->tail_call_reachable,
		.callback = subprog->is_callback,
		.proof = prove_function(env, index),
	};
}

int make_verified(struct env *env, struct verified *out)
{
	struct verified v = { .len = env->len, .subprog_count = env->subprog_count,
			      .stack_depth = env->stack_depth, .ctx_end = env->ctx_end,
			      .buffer_end = env->buffer_end };

	v.insns = calloc(v.len, sizeof(*v.insns));
	v.facts = calloc(v.len, sizeof(*v.facts));
	v.subprogs = calloc(v.subprog_count, sizeof(*v.subprogs));
	if (!v.insns || !v.facts || !v.subprogs) {
		verified_done(&v);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < v.len; i++) {
		rewrite_insn(env, i, &v.insns[i]);
		rewrite_argument(&v.insns[i], frame_size(&env->subprog[subprog_of(env, i)]));
		v.facts[i] = make_fact(&env->info[i]);
	}
	for (uint32_t i = 0; i < v.subprog_count; i++)
		v.subprogs[i] = make_subprog(env, i);
	*out = v;
	return 0;
}

void verified_done(struct verified *verified)
{
	if (!verified)
		return;
	free(verified->insns);
	free(verified->facts);
	free(verified->subprogs);
	*verified = (struct verified){ 0 };
}
