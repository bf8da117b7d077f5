/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack_use.c - what one instruction reads of each stack, and what it replaces.
 *
 * Reading is said where it may happen, replacing only where it must: where the
 * pointer can point to nothing else and the bytes are known. A call reads what
 * its prototype says of each argument that may point into a stack; what is not
 * known of it is read up to the stack's upper end, since nothing reads below
 * the address it is given.
 */
#include "verify/live_stack.h"

#include "verify/kfunc.h"

enum {
	TO_THE_TOP = -1,         /* a size: all from the pointer up */
	HALF = SLOT_SIZE / 2,
	HALF_COUNT = INSN_STACK_SIZE / HALF,
	DYNPTR_SIZE = 16,
};

/* Bits [low, high]; nothing when low > high. */
static struct halves halves_between(int32_t low, int32_t high)
{
	struct halves set = HALVES_NONE;

	for (int32_t i = MAX(low, 0); i <= MIN(high, HALF_COUNT - 1); i++)
		set.word[i / 64] |= UINT64_C(1) << i % 64;
	return set;
}

/* Halves with a byte in [off, off + size). */
static struct halves halves_touched(int64_t off, int64_t size)
{
	if (off >= 0 || size == 0)
		return HALVES_NONE;
	off = MAX(off, -INSN_STACK_SIZE);
	size = size < 0 ? -off : MIN(size, -off);
	return halves_between((int32_t)(-(off + size)) / HALF, (int32_t)(-off - 1) / HALF);
}

/* Halves with all their bytes in [off, off + size). */
static struct halves halves_covered(int64_t off, int64_t size)
{
	if (off >= 0 || size <= 0 || off < -INSN_STACK_SIZE || off + size > 0)
		return HALVES_NONE;
	return halves_between((int32_t)(-(off + size) + HALF - 1) / HALF,
			      (int32_t)(-off) / HALF - 1);
}

static void reads(struct stack_effect *effect, struct place pointer, int64_t off, int64_t size)
{
	struct halves set = pointer.kind == PLACE_KNOWN ? HALVES_NONE : HALVES_ALL;

	for (unsigned i = 0; pointer.kind == PLACE_KNOWN && i <= pointer.more; i++)
		set = halves_or(set, halves_touched(pointer.off[i] + off, size));
	for (unsigned i = 0; i < FRAMES_MAX; i++)
		if (pointer.stacks >> i & 1)
			effect->reads[i] = halves_or(effect->reads[i], set);
	effect->touched |= pointer.stacks;
}

/* Is it one certain address of one stack? */
static bool is_certain(struct place pointer)
{
	return pointer.sure && pointer.kind == PLACE_KNOWN && !pointer.more;
}

static void replaces(struct stack_effect *effect, struct place pointer, int64_t off, int64_t size)
{
	struct halves set;

	if (!is_certain(pointer))
		return;
	set = halves_covered((int64_t)pointer.off[0] + off, size);
	for (unsigned i = 0; i < FRAMES_MAX; i++)
		if (pointer.stacks == 1u << i)
			effect->replaces[i] = halves_or(effect->replaces[i], set);
	effect->touched |= pointer.stacks;
}

static void reads_everything(struct stack_view *view, struct stack_effect *effect)
{
	for (unsigned i = 0; view && i < FRAMES_MAX; i++, view = view->caller) {
		effect->reads[i] = HALVES_ALL;
		effect->touched |= (uint16_t)(1u << i);
	}
}

/* --- functions of the program --- */

/* What a function called here reads of the stacks its arguments point into. */
static void callee_reads(struct stack_view *view, const struct stack_view *callee,
			 struct stack_effect *effect)
{
	if (!callee) {
		reads_everything(view, effect);
		return;
	}
	for (unsigned i = 1; i < FRAMES_MAX; i++) {
		if (!callee->live[i])
			continue;
		effect->reads[i - 1] = halves_or(effect->reads[i - 1], callee->live[i][0]);
		effect->touched |= (uint16_t)(1u << (i - 1));
	}
}

/* Seen from what is called, its caller's stack is one further away. */
static struct place from_callee(struct place place)
{
	place.stacks = (uint16_t)(place.stacks << 1);
	if (!place.stacks)
		place.sure = false;
	return place;
}

static void local_call(struct env *env, struct stack_view *view, uint32_t pc,
		       const struct place *regs, struct stack_effect *effect)
{
	int subprog = subprog_at(env, (uint32_t)insn_target(&env->insns[pc], pc));
	struct place arg[6] = { 0 };

	if (!view)
		return;
	if (subprog >= 0 && env->subprog[subprog].is_global) {
		for (int i = 1; i <= 5; i++)
			reads(effect, regs[i], 0, TO_THE_TOP);
		return;
	}
	for (int i = 1; i <= 5; i++)
		arg[i] = from_callee(regs[i]);
	callee_reads(view, subprog < 0 ? NULL
				       : stack_view_of(env, view, pc, (uint32_t)subprog, arg),
		     effect);
}

/*
 * A callback gets what it is called with from the call's arguments: any of its
 * registers may be any of the pointers passed.
 */
static void callback(struct env *env, struct stack_view *view, uint32_t pc,
		     const struct place *regs, uint32_t subprog, struct stack_effect *effect)
{
	struct place pointer = { 0 }, arg[6] = { 0 };

	for (int i = 1; i <= 5; i++) {
		if (!regs[i].stacks)
			continue;
		pointer = pointer.stacks ? join_places(pointer, regs[i]) : regs[i];
	}
	pointer.sure = false;
	for (int i = 1; i <= 5; i++)
		arg[i] = from_callee(pointer);
	callee_reads(view, stack_view_of(env, view, pc, subprog, arg), effect);
}

static void callbacks(struct env *env, struct stack_view *view, uint32_t pc,
		      const struct place *regs, bool expected, struct stack_effect *effect)
{
	bool found = false;

	for (int i = 1; view && i <= 5; i++) {
		if (regs[i].stacks || regs[i].kind != PLACE_SUBPROG)
			continue;
		callback(env, view, pc, regs, (uint32_t)regs[i].off[0], effect);
		found = true;
	}
	if (expected && !found)
		reads_everything(view, effect);
}

/* --- helpers --- */

static int64_t known_number(struct place place)
{
	return !place.stacks && place.kind == PLACE_KNOWN && place.off[0] >= 0 ? place.off[0]
									       : TO_THE_TOP;
}

static const struct map_spec *map_argument(const struct env *env, const struct helper *fn,
					   const struct place *regs)
{
	for (int i = 0; i < 5; i++) {
		struct place place = regs[i + 1];

		if (fn->arg[i].kind == ARG_CONST_MAP_PTR && !place.stacks &&
		    place.kind == PLACE_MAP && (uint32_t)place.off[0] < env->spec->map_count)
			return env->spec->maps[place.off[0]];
	}
	return NULL;
}

/* Bytes the argument is the address of; TO_THE_TOP: not known, or not fixed. */
static int64_t argument_size(const struct env *env, const struct helper *fn, int i,
			     const struct place *regs)
{
	const struct map_spec *map;

	switch ((enum arg_kind)fn->arg[i].kind) {
	case ARG_NONE: case ARG_ANYTHING: case ARG_CONST_MAP_PTR: case ARG_PTR_TO_FUNC:
	case ARG_PTR_TO_STACK: case ARG_MEM_SIZE: case ARG_MEM_SIZE_OR_ZERO:
	case ARG_CONST_ALLOC_SIZE_OR_ZERO: case ARG_SCALAR:
		return 0; /* not looked into */
	case ARG_MAP_KEY:
		map = map_argument(env, fn, regs);
		return map ? (int64_t)map->key_size : TO_THE_TOP;
	case ARG_MAP_VALUE:
		map = map_argument(env, fn, regs);
		return map ? (int64_t)map->value_size : TO_THE_TOP;
	case ARG_MEM:
		if (fn->arg[i].flags & ARG_FIXED_SIZE)
			return fn->arg[i].size;
		return i < 4 ? known_number(regs[i + 2]) : TO_THE_TOP;
	case ARG_PTR_TO_DYNPTR:
		return DYNPTR_SIZE;
	case ARG_PTR_TO_CTX: case ARG_PTR_TO_BTF_ID: case ARG_PTR_TO_BTF_ID_SOCK_COMMON:
	case ARG_PTR_TO_SOCK_COMMON: case ARG_PTR_TO_SOCKET: case ARG_PTR_TO_SPIN_LOCK:
	case ARG_PTR_TO_RES_SPIN_LOCK: case ARG_PTR_TO_TIMER: case ARG_PTR_TO_CONST_STR:
	case ARG_PTR_TO_PERCPU_BTF_ID: case ARG_RINGBUF_MEM: case ARG_KPTR_XCHG_DEST:
		return TO_THE_TOP;
	case ARG_KIND_COUNT:
		break;
	}
	__builtin_unreachable();
}

static void helper_call(struct env *env, struct stack_view *view, uint32_t pc,
			const struct place *regs, struct stack_effect *effect)
{
	const struct helper *fn = helper_of_call(env, pc);

	if (!fn) {
		reads_everything(view, effect);
		return;
	}
	for (int i = 0; i < 5; i++) {
		int64_t size = argument_size(env, fn, i, regs);

		if (!regs[i + 1].stacks || !size)
			continue;
		if (fn->arg[i].flags & ARG_UNINIT && size > 0 && is_certain(regs[i + 1]))
			replaces(effect, regs[i + 1], 0, size);
		else
			reads(effect, regs[i + 1], 0, size);
	}
	callbacks(env, view, pc, regs, env->info[pc].calls_callback, effect);
}

/* --- kernel functions --- */

static void kfunc_call(struct env *env, struct stack_view *view, uint32_t pc,
		       const struct place *regs, struct stack_effect *effect)
{
	for (int i = 0; i < 5; i++) {
		bool replaced = false;
		int64_t size;

		if (!regs[i + 1].stacks)
			continue;
		size = kfunc_arg_size(env, pc, i, i < 4 ? known_number(regs[i + 2]) : TO_THE_TOP,
				      &replaced);
		if (replaced && size > 0 && is_certain(regs[i + 1]))
			replaces(effect, regs[i + 1], 0, size);
		else
			reads(effect, regs[i + 1], 0, size);
	}
	callbacks(env, view, pc, regs, env->info[pc].calls_callback, effect);
}

/* --- any instruction --- */

static void call(struct env *env, struct stack_view *view, uint32_t pc, const struct place *regs,
		 struct stack_effect *effect)
{
	switch ((enum call)env->insns[pc].op) {
	case CALL_LOCAL:
		local_call(env, view, pc, regs, effect);
		return;
	case CALL_KFUNC:
		kfunc_call(env, view, pc, regs, effect);
		return;
	case CALL_HELPER:
	case CALL_REGISTER:
	case CALL_HELPER_BTF:
		helper_call(env, view, pc, regs, effect);
		return;
	}
	__builtin_unreachable();
}

void stack_effect(struct env *env, struct stack_view *view, uint32_t pc, const struct place *regs,
		  struct stack_effect *effect)
{
	const struct insn *insn = &env->insns[pc];

	effect->touched = 0;
	switch ((enum insn_kind)insn->kind) {
	case INSN_LOAD:
		if (!regs[insn->src].stacks)
			return;
		memset(effect, 0, sizeof(*effect));
		reads(effect, regs[insn->src], insn->off, insn->width);
		return;
	case INSN_STORE:
		if (!regs[insn->dst].stacks)
			return;
		memset(effect, 0, sizeof(*effect));
		replaces(effect, regs[insn->dst], insn->off, insn->width);
		return;
	case INSN_ATOMIC:
		memset(effect, 0, sizeof(*effect));
		if (insn->op == ATOMIC_STORE_REL)
			replaces(effect, regs[insn->dst], insn->off, insn->width);
		else
			reads(effect, regs[insn->op == ATOMIC_LOAD_ACQ ? insn->src : insn->dst],
			      insn->off, insn->width);
		return;
	case INSN_CALL:
		memset(effect, 0, sizeof(*effect));
		call(env, view, pc, regs, effect);
		return;
	case INSN_ALU: case INSN_IMM64: case INSN_CAST: case INSN_LOAD_PACKET: case INSN_JUMP:
	case INSN_GOTO: case INSN_GOTO_REG: case INSN_MAY_GOTO: case INSN_EXIT: case INSN_PAD:
	case INSN_INVALID: case INSN_LOAD_ARG: case INSN_STORE_ARG:
		return;
	case INSN_KIND_COUNT:
		break;
	}
	__builtin_unreachable();
}
