/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fastcall.c - saving registers around calls that do not touch them.
 *
 *      *(u64 *)(r10 -16) = r2       A compiler that is to be right everywhere
 *      *(u64 *)(r10 -8) = r1        saves registers that a call may change, as
 *      call get_smp_processor_id    every call does for older kernels. Newer
 *      r1 = *(u64 *)(r10 -8)        ones know calls that change none but R0:
 *      r2 = *(u64 *)(r10 -16)       what is saved is never needed.
 *
 * The slots below everything else a function has on its stack are not counted
 * when they serve only this. Linux removes the instructions as well; here they
 * stay and are right either way.
 */
#include "verify/kfunc.h"
#include "verify/passes.h"

enum { CALLER_SAVED = 6 }; /* r0 to r5 */

/* The registers a call would change if it kept to the rules: its arguments, R0. */
static bool clobbers(struct env *env, uint32_t pc, uint16_t *regs, bool *known)
{
	const struct insn *insn = &env->insns[pc];
	uint16_t writes = 0;

	*known = false;
	if (insn->kind != INSN_CALL || (insn->op != CALL_HELPER && insn->op != CALL_KFUNC))
		return false;
	if (insn->op == CALL_HELPER) {
		const struct helper *helper = helper_get((uint32_t)insn->imm, env->type->id,
							 env->spec->attach);

		if (!helper)
			return false;
		*known = helper->fastcall;
	} else {
		*known = kfunc_is_fastcall(env, pc);
	}
	call_uses(env, pc, regs, &writes);
	*regs &= 0x3e;
	*regs |= 1;
	return true;
}

static bool is_save(const struct insn *insn, int32_t off)
{
	return insn->kind == INSN_STORE && !insn->source_is_imm && insn->width == 8 &&
	       insn->dst == REG_FP && insn->off == off;
}

static bool is_restore(const struct insn *insn, int32_t off)
{
	return insn->kind == INSN_LOAD && insn->width == 8 && !insn->sign_extend &&
	       insn->src == REG_FP && insn->off == off;
}

/* The pairs around one call, from the inside out. */
static void mark_call(struct env *env, struct subprog *s, uint32_t pc, int32_t lowest)
{
	uint16_t clobbered, left;
	int32_t off = lowest;
	uint32_t pairs = 0;
	bool known;

	if (!clobbers(env, pc, &clobbered, &known))
		return;
	left = (uint16_t)(0x3f & ~clobbered);
	for (uint32_t i = 1; i <= CALLER_SAVED && pc >= s->start + i && pc + i < s->end;
	     i++, off += SLOT_SIZE, pairs++) {
		const struct insn *save = &env->insns[pc - i], *restore = &env->insns[pc + i];

		if (!is_save(save, off) || !is_restore(restore, off) || save->src != restore->dst ||
		    !(left >> save->src & 1))
			break;
		left &= (uint16_t)~(1u << save->src);
		env->info[pc - i].fastcall = env->info[pc + i].fastcall = true;
	}
	if (!pairs)
		return;
	if (known)
		env->info[pc].fastcall = true;
	else
		s->keeps_saves = true; /* someone else relies on the slots */
	s->fastcall_off = MIN(s->fastcall_off, off);
}

void find_fastcalls(struct env *env)
{
	for (uint32_t i = 0; i < env->subprog_count; i++) {
		struct subprog *s = &env->subprog[i];
		int32_t lowest = 0;

		for (uint32_t pc = s->start; pc < s->end; pc++) {
			const struct insn *insn = &env->insns[pc];

			if (insn->kind == INSN_STORE && !insn->source_is_imm && insn->width == 8 &&
			    insn->dst == REG_FP)
				lowest = MIN(lowest, insn->off);
		}
		for (uint32_t pc = s->start; lowest && pc < s->end; pc++)
			mark_call(env, s, pc, lowest);
	}
}

void note_stack_use(struct env *env, const struct frame *frame, int32_t off)
{
	struct subprog *s = &env->subprog[frame->subprog];

	if (off >= s->fastcall_off || env->info[env->pc].fastcall)
		return;
	/* The slots serve something else too. */
	s->keeps_saves = true;
}

void finish_fastcalls(struct env *env)
{
	for (uint32_t i = 0; i < env->subprog_count; i++) {
		struct subprog *s = &env->subprog[i];
		bool removable = false;

		for (uint32_t pc = s->start; pc < s->end; pc++)
			removable |= env->info[pc].fastcall && env->insns[pc].kind == INSN_CALL;
		s->stack_needed = s->stack;
		if (removable && !s->keeps_saves && env_can(env, ABILITY_FASTCALL))
			s->stack_needed = MIN(s->stack, (uint32_t)-s->fastcall_off);
	}
}
