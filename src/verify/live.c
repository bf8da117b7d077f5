/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live.c - which registers and stack slots can still matter.
 *
 * A register that no path reads before writing it need not be compared when
 * two states are. For registers this is worked out before exploration, from
 * the instructions alone: a set of live registers before each, the smallest
 * that satisfies
 *
 *     live before = read here | (live after any successor - written here)
 *
 * The same for the stack, where it must first be known what points there:
 * live_stack.c.
 */
#include "verify/passes.h"

enum { CALLER_SAVED = 0x3f, ALL_REGS = 0x3ff };

static uint16_t bit(unsigned reg)
{
	return (uint16_t)(1u << reg);
}

static uint16_t source_bit(const struct insn *insn)
{
	return insn->source_is_imm ? 0 : bit(insn->src);
}

static void atomic_effect(const struct insn *insn, uint16_t *reads, uint16_t *writes)
{
	if (insn->op == ATOMIC_LOAD_ACQ) {
		*reads = bit(insn->src);
		*writes = bit(insn->dst);
		return;
	}
	*reads = bit(insn->dst) | bit(insn->src);
	if (insn->op == ATOMIC_CMPXCHG) {
		*reads |= bit(0);
		*writes = bit(0);
	} else if (insn->op >= ATOMIC_FETCH_ADD && insn->op <= ATOMIC_XCHG) {
		*writes = bit(insn->src);
	}
}

static void call_effect(struct env *env, uint32_t pc, uint16_t *reads, uint16_t *writes)
{
	*reads = CALLER_SAVED & ~bit(0);
	if (env->insns[pc].op != CALL_LOCAL)
		call_uses(env, pc, reads, writes);
	*writes = CALLER_SAVED;
}

void insn_effect(struct env *env, uint32_t pc, uint16_t *reads, uint16_t *writes)
{
	const struct insn *insn = &env->insns[pc];

	*reads = *writes = 0;
	switch ((enum insn_kind)insn->kind) {
	case INSN_ALU:
		*writes = bit(insn->dst);
		if (insn->op != ALU_MOV)
			*reads = bit(insn->dst);
		if (insn->op != ALU_NEG)
			*reads |= source_bit(insn);
		return;
	case INSN_IMM64:
		*writes = bit(insn->dst);
		return;
	case INSN_LOAD_ARG:
		*writes = bit(insn->dst);
		return;
	case INSN_STORE_ARG:
		*reads = source_bit(insn);
		return;
	case INSN_CAST:
	case INSN_LOAD:
		*reads = bit(insn->src);
		*writes = bit(insn->dst);
		return;
	case INSN_STORE:
	case INSN_JUMP:
		*reads = bit(insn->dst) | source_bit(insn);
		return;
	case INSN_ATOMIC:
		atomic_effect(insn, reads, writes);
		return;
	case INSN_LOAD_PACKET:
		*reads = bit(6) | (insn->indirect ? bit(insn->src) : 0);
		*writes = CALLER_SAVED;
		return;
	case INSN_CALL:
		call_effect(env, pc, reads, writes);
		return;
	case INSN_EXIT:
		*reads = bit(0);
		return;
	case INSN_GOTO_REG:
		*reads = bit(insn->dst);
		return;
	case INSN_GOTO:
	case INSN_MAY_GOTO:
	case INSN_PAD:
	case INSN_INVALID:
		return;
	case INSN_KIND_COUNT:
		break;
	}
	__builtin_unreachable();
}

static uint16_t live_at(const struct env *env, int64_t pc)
{
	return pc >= 0 && pc < env->len ? env->info[pc].live : 0;
}

static uint16_t live_at_targets(const struct env *env, uint32_t pc)
{
	const struct subprog *subprog = &env->subprog[subprog_of(env, pc)];
	uint16_t live = 0;

	for (uint32_t i = 0; i < subprog->target_count; i++)
		live |= env->info[subprog->targets[i]].live;
	return live;
}

/* Live after the instruction: before any that can come next. */
static uint16_t live_after(const struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	int64_t next = (int64_t)pc + 1;

	switch ((enum insn_kind)insn->kind) {
	case INSN_EXIT:
		return 0;
	case INSN_GOTO_REG:
		return live_at_targets(env, pc);
	case INSN_GOTO:
		return live_at(env, insn_target(insn, pc));
	case INSN_JUMP:
	case INSN_MAY_GOTO:
		return live_at(env, next) | live_at(env, insn_target(insn, pc));
	case INSN_IMM64:
		return live_at(env, next + 1);
	case INSN_INVALID:
	case INSN_PAD:
	case INSN_ALU:
	case INSN_LOAD:
	case INSN_STORE:
	case INSN_ATOMIC:
	case INSN_LOAD_PACKET:
	case INSN_CALL:
	case INSN_LOAD_ARG:
	case INSN_STORE_ARG:
	case INSN_CAST:
		return live_at(env, next);
	case INSN_KIND_COUNT:
		break;
	}
	__builtin_unreachable();
}

struct effect {
	uint16_t reads, writes;
};

int compute_live_registers(struct env *env)
{
	struct effect *effect = env_alloc(env, env->len * sizeof(*effect));
	bool changed = true;

	if (!effect)
		return -ENOMEM;
	for (uint32_t i = 0; i < env->len; i++)
		insn_effect(env, i, &effect[i].reads, &effect[i].writes);
	while (changed) {
		changed = false;
		for (uint32_t i = env->len; i-- > 0;) {
			uint16_t live = live_after(env, i);

			live = (uint16_t)((live & ~effect[i].writes) | effect[i].reads);
			changed |= live != env->info[i].live;
			env->info[i].live = live;
		}
	}
	env_free(env, effect);
	return 0;
}
