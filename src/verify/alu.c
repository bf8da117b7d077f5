/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alu.c - arithmetic: on numbers, and on pointers.
 *
 * Numbers go through the transformers of scalar.c. A pointer may have a number
 * added or subtracted: a known one moves its fixed offset, an unknown one goes
 * into its variable part, which memory accesses check later. Anything else
 * done to a pointer makes a number of it, or is refused.
 */
#include "verify/passes.h"

#include <inttypes.h>

static const char *alu_text(const struct insn *insn)
{
	return alu_token((enum alu)insn->op);
}

/* --- moves --- */

/* So that what is learned of one copy is known of the other. */
static void name_number(struct env *env, struct reg *number)
{
	if (number->type != REG_SCALAR)
		return;
	if (number->link_add) { /* a second step away is not followed */
		number->id = 0;
		number->link_add = false;
		number->link_off = 0;
	}
	if (!number->id && !scalar_is_const(number->var))
		number->id = new_id(env);
}

static void unlink_number(struct reg *number)
{
	number->id = 0;
	number->link_add = false;
	number->link_off = 0;
}

/* A copy that may change the number: it stays linked only if it does not. */
static void move_number(struct env *env, const struct insn *insn, struct reg *dst,
			struct reg *src)
{
	bool same = insn->from < insn->width || insn->sign_extend
			    ? src->var.umax < UINT64_C(1) << (insn->from * 8 - 1)
			    : src->var.umax <= UINT32_MAX;

	if (same)
		name_number(env, src);
	*dst = *src;
	if (!same)
		unlink_number(dst);
	dst->var = scalar_mov(dst->var, src->var, insn->width, insn->from);
	dst->subreg_only = insn->width == 4;
}

static int check_mov_reg(struct env *env, const struct insn *insn)
{
	struct reg *regs = state_regs(env->cur);
	struct reg *dst = &regs[insn->dst], *src = &regs[insn->src];

	if (insn->width == 8 && !insn->sign_extend) {
		name_number(env, src);
		*dst = *src;
		dst->subreg_only = false;
		return 0;
	}
	if (!may_leak(env, src))
		return reject_as(env, SKEP_VERIFY_ARITH, -EACCES, "R%d %s pointer", insn->src,
				 insn->width == 8 ? "sign-extension part of" : "partial copy of");
	if (src->type == REG_SCALAR)
		move_number(env, insn, dst, src);
	else
		reg_set_scalar(env, dst, scalar_of_bytes(insn->width));
	return 0;
}

static int check_mov(struct env *env, const struct insn *insn)
{
	struct reg *dst = &state_regs(env->cur)[insn->dst];
	int error;

	if (insn->source_is_imm) {
		error = check_reg_write(env, insn->dst);
		if (error < 0)
			return error;
		reg_set_const(env, dst, insn->width == 8 ? (uint64_t)insn->imm
							 : (uint32_t)insn->imm);
		dst->subreg_only = insn->width == 4;
		return 0;
	}
	error = check_reg_read(env, insn->src);
	if (error < 0)
		return error;
	error = check_reg_write(env, insn->dst);
	return error < 0 ? error : check_mov_reg(env, insn);
}

/* --- numbers --- */

/*
 * r1 = r2; r1 += 8: remember that they differ by 8, so that a test of one
 * bounds the other.
 */
static void link_sum(const struct env *env, const struct insn *insn, struct reg *dst,
		     const struct reg *by)
{
	int64_t delta = (int64_t)by->var.bits.value;

	if (insn->op == ALU_SUB)
		delta = -delta;
	if (!env->cap_bpf || !env_can(env, ABILITY_LINKED_SUM) || (insn->op != ALU_ADD && insn->op != ALU_SUB) ||
	    insn->width != 8 || !dst->id || dst->link_add || !scalar_is_const(by->var) ||
	    delta != (int32_t)delta) {
		unlink_number(dst);
		return;
	}
	dst->link_add = true;
	dst->link_off = (int32_t)delta;
}

/*
 * A sign copied into every bit (-x of a flag x, x s>> 63) is 0 or -1, but neither bits
 * nor ranges can say just that. Where a constant masks it the paths part: this one goes
 * on with -1, and one that comes to the instruction again with 0.
 */
static int part_signs(struct env *env, const struct insn *insn, struct reg *dst,
		      const struct reg *src)
{
	bool whole = dst->var.smin == -1 && dst->var.smax == 0;
	struct scalar zero = scalar_const(0), ones = scalar_const(UINT64_MAX);
	struct state *other;

	if ((insn->op != ALU_AND && insn->op != ALU_OR) || !scalar_is_const(src->var) ||
	    !env_can(env, ABILITY_SIGN_MASKS) ||
	    (!whole && (dst->var.smin32 != -1 || dst->var.smax32 != 0)))
		return 0;
	other = push_state(env, env->pc, env->pc, false);
	if (!other)
		return env->rejected ? -E2BIG : -ENOMEM;
	if (!whole) {
		zero = scalar_with_low32(dst->var, 0);
		ones = scalar_with_low32(dst->var, UINT32_MAX);
	}
	state_regs(other)[insn->dst].var = zero;
	dst->var = ones;
	return 0;
}

static int check_number(struct env *env, const struct insn *insn, struct reg *dst,
			const struct reg *src)
{
	int error = part_signs(env, insn, dst, src);
	struct scalar result;

	if (error < 0)
		return error;
	result = scalar_alu((enum alu)insn->op, dst->var, src->var, insn->width, insn->from);
	error = sanitize_numbers(env, insn);
	if (error < 0)
		return error;
	link_sum(env, insn, dst, src);
	dst->var = env_can(env, ABILITY_BOUNDS32) ? result : scalar_forget_halves(result);
	dst->subreg_only = insn->width == 4;
	return 0;
}

/* --- pointers --- */

static bool too_far(int64_t off)
{
	return off >= VAR_OFF_MAX || off <= -VAR_OFF_MAX;
}

static int refuse_distance(struct env *env, const struct reg *reg, const char *type)
{
	const struct scalar *v = &reg->var;

	if (scalar_is_const(*v) && too_far(v->smin))
		return reject_as(env, SKEP_VERIFY_ARITH, -EINVAL,
				 "math between %s pointer and %" PRId64 " is not allowed", type,
				 v->smin);
	if (too_far(reg->off))
		return reject_as(env, SKEP_VERIFY_ARITH, -EINVAL,
				 "%s pointer offset %d is not allowed", type, reg->off);
	if (v->smin == INT64_MIN)
		return reject_as(env, SKEP_VERIFY_BOUNDS, -EINVAL,
				 "math between %s pointer and register with unbounded min "
				 "value is not allowed", type);
	return reject_as(env, SKEP_VERIFY_ARITH, -EINVAL,
			 "value %" PRId64 " makes %s pointer be out of bounds", v->smin, type);
}

/* Is this a distance that makes sense at all, for a pointer such as this? */
static int check_distance(struct env *env, const struct reg *reg, const struct reg *pointer)
{
	if (!too_far(reg->var.smin) && !too_far(reg->off))
		return 0;
	return refuse_distance(env, reg, reg_type_text(pointer));
}

static bool moves_freely(const struct reg *pointer)
{
	switch ((enum reg_type)pointer->type) {
	case REG_CTX:
	case REG_MAP_VALUE:
	case REG_MAP_KEY:
	case REG_STACK:
	case REG_PACKET_META:
	case REG_PACKET:
	case REG_TP_BUFFER:
	case REG_BTF:
	case REG_MEM:
	case REG_BUF:
	case REG_FUNC:
	case REG_DYNPTR:
		return true;
	case REG_NOT_INIT:
	case REG_SCALAR:
	case REG_MAP:
	case REG_PACKET_END:
	case REG_FLOW_KEYS:
	case REG_SOCKET:
	case REG_SOCK_COMMON:
	case REG_TCP_SOCK:
	case REG_XDP_SOCK:
	case REG_ARENA:
	case REG_INSN:
		return false;
	case REG_TYPE_COUNT:
		break;
	}
	__builtin_unreachable();
}

/* May this pointer be moved by this number? */
static int check_movable(struct env *env, const struct insn *insn, const struct reg *pointer,
			 const struct reg *by)
{
	bool known = scalar_is_const(by->var);

	if (reg_maybe_null(pointer))
		return reject_as(env, SKEP_VERIFY_NULL, -EACCES,
				 "R%d pointer arithmetic on %s prohibited, null-check it first",
				 insn->dst,
				 reg_type_text(pointer));
	if (moves_freely(pointer) || (pointer->type == REG_FLOW_KEYS && known) ||
	    (pointer->type == REG_MAP && reg_is_zero(by) && insn->op == ALU_ADD))
		return 0;
	return reject_as(env, SKEP_VERIFY_ARITH, -EACCES,
			 "R%d pointer arithmetic on %s prohibited", insn->dst,
			 reg_type_text(pointer));
}

/* Something unknown was added: what was proved of the packet before is of no use here. */
static void restart_packet(struct env *env, struct reg *pointer, bool keep_range)
{
	if (!reg_is_packet(pointer))
		return;
	pointer->id = new_id(env);
	if (!keep_range)
		pointer->range = 0;
}

/* Pointers carry no 32-bit bounds: their low half is an address's. */
static struct scalar distance_sum(struct scalar a, struct scalar b, bool subtract)
{
	struct scalar full = scalar_unknown();
	struct scalar sum = subtract ? scalar_sub(a, b, 8, 8) : scalar_add(a, b, 8, 8);

	if (tnum_is_const(sum.bits))
		return sum;
	sum.smin32 = full.smin32;
	sum.smax32 = full.smax32;
	sum.umin32 = full.umin32;
	sum.umax32 = full.umax32;
	return scalar_sync(sum);
}

static int move_pointer(struct env *env, const struct insn *insn, struct reg *dst,
			const struct reg *pointer, const struct reg *by, const struct alu_window *window)
{
	bool subtract = insn->op == ALU_SUB;
	int64_t off = subtract ? (int64_t)((uint64_t)(int64_t)pointer->off - (uint64_t)by->var.smin)
			       : (int64_t)((uint64_t)(int64_t)pointer->off + (uint64_t)by->var.smin);
	struct reg moved = *pointer;
	int error;

	if (scalar_is_const(by->var) && off == (int32_t)off) {
		moved.off = (int32_t)off;
	} else {
		moved.var = distance_sum(pointer->var, by->var, subtract);
		restart_packet(env, &moved, subtract && by->var.smin >= 0);
	}
	*dst = moved;
	error = check_distance(env, dst, pointer);
	return error < 0 ? error : sanitize_after(env, insn, dst, window);
}

/* pointer is insn's dst, or its src where dst is the number. Copies: dst is written. */
static int check_pointer(struct env *env, const struct insn *insn, struct reg *dst,
			 struct reg pointer, struct reg by, bool pointer_is_dst)
{
	struct alu_window window;
	int error;

	if (scalar_is_empty(by.var)) {
		reg_set_unknown(env, dst);
		return 0;
	}
	if (insn->width == 4) {
		if (insn->op == ALU_SUB && env->cap_perfmon) {
			reg_set_scalar(env, dst, scalar_of_bytes(4));
			return 0;
		}
		return reject_as(env, SKEP_VERIFY_ARITH, -EACCES,
				 "R%d 32-bit pointer arithmetic prohibited", insn->dst);
	}
	if (pointer.type == REG_MEM && (pointer.flags & REG_UNTRUSTED) &&
	    !reg_maybe_null(&pointer)) {
		*dst = pointer;
		return 0;
	}
	error = check_movable(env, insn, &pointer, &by);
	if (error < 0)
		return error;
	error = check_distance(env, &by, &pointer);
	if (!error)
		error = check_distance(env, &pointer, &pointer);
	if (!error)
		error = sanitize_before(env, insn, dst, &pointer, &by, pointer_is_dst, &window);
	if (error < 0)
		return error;
	switch (insn->op) {
	case ALU_ADD:
		return move_pointer(env, insn, dst, &pointer, &by, &window);
	case ALU_SUB:
		if (!pointer_is_dst)
			return reject_as(env, SKEP_VERIFY_ARITH, -EACCES,
					 "R%d tried to subtract pointer from scalar",
					 insn->dst);
		if (pointer.type == REG_STACK)
			return reject_as(env, SKEP_VERIFY_ARITH, -EACCES,
					 "R%d subtraction from stack pointer prohibited",
					 insn->dst);
		return move_pointer(env, insn, dst, &pointer, &by, &window);
	case ALU_AND:
	case ALU_OR:
	case ALU_XOR:
		return reject_as(env, SKEP_VERIFY_ARITH, -EACCES,
				 "R%d bitwise operator %s on pointer prohibited", insn->dst,
				 alu_text(insn));
	default: /* every other row is arithmetic that means nothing for addresses */
		return reject_as(env, SKEP_VERIFY_ARITH, -EACCES,
				 "R%d pointer arithmetic with %s operator prohibited",
				 insn->dst, alu_text(insn));
	}
}

/* --- one instruction --- */

static int check_arena_pointer(struct env *env, struct reg *dst, const struct reg *src)
{
	struct reg arena = dst->type == REG_ARENA ? *dst : *src;

	(void)env;
	*dst = arena; /* any arithmetic is allowed: accesses are confined where they happen */
	return 0;
}

static int check_binary(struct env *env, const struct insn *insn, struct reg *dst,
			struct reg *src)
{
	bool dst_pointer = reg_is_pointer(dst), src_pointer = reg_is_pointer(src);
	int error;

	if (dst->type == REG_ARENA || src->type == REG_ARENA)
		return check_arena_pointer(env, dst, src);
	if (dst_pointer && src_pointer) {
		if (insn->op == ALU_SUB && env->cap_perfmon) {
			reg_set_unknown(env, dst);
			return 0;
		}
		return reject_as(env, SKEP_VERIFY_ARITH, -EACCES,
				 "R%d pointer %s pointer prohibited", insn->dst,
				 alu_text(insn));
	}
	if (src_pointer) {
		error = mark_precise(env, insn->dst);
		return error < 0 ? error : check_pointer(env, insn, dst, *src, *dst, false);
	}
	if (dst_pointer) {
		error = insn->source_is_imm ? 0 : mark_precise(env, insn->src);
		return error < 0 ? error : check_pointer(env, insn, dst, *dst, *src, true);
	}
	if (dst->precise && !insn->source_is_imm) {
		error = mark_precise(env, insn->src);
		if (error < 0)
			return error;
	}
	return check_number(env, insn, dst, src);
}

/* NEG and the byte swaps: one operand. */
static int check_unary(struct env *env, const struct insn *insn)
{
	struct reg *dst = &state_regs(env->cur)[insn->dst];
	int error = check_reg_read(env, insn->dst);

	if (error < 0)
		return error;
	if (!may_leak(env, dst))
		return reject_as(env, SKEP_VERIFY_ARITH, -EACCES,
				 "R%d pointer arithmetic prohibited", insn->dst);
	error = check_reg_write(env, insn->dst);
	if (error < 0)
		return error;
	if (dst->type != REG_SCALAR) {
		reg_set_unknown(env, dst);
		return 0;
	}
	dst->var = scalar_alu((enum alu)insn->op, dst->var, dst->var, insn->width, insn->from);
	unlink_number(dst);
	return 0;
}

static int check_immediate(struct env *env, const struct insn *insn)
{
	bool divides = insn->op == ALU_DIV || insn->op == ALU_MOD || insn->op == ALU_SDIV ||
		       insn->op == ALU_SMOD;
	bool shifts = insn->op == ALU_LSH || insn->op == ALU_RSH || insn->op == ALU_ARSH;

	if (divides && insn->imm == 0)
		return reject(env, -EINVAL, "div by zero");
	if (shifts && (insn->imm < 0 || insn->imm >= insn->width * 8))
		return reject(env, -EINVAL, "invalid shift %d", (int32_t)insn->imm);
	return 0;
}

static int check_operands(struct env *env, const struct insn *insn)
{
	int error = insn->source_is_imm ? 0 : check_reg_read(env, insn->src);

	if (!error)
		error = check_reg_read(env, insn->dst);
	if (!error && insn->source_is_imm)
		error = check_immediate(env, insn);
	return error < 0 ? error : check_reg_write(env, insn->dst);
}

int check_alu(struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	struct reg *regs = state_regs(env->cur);
	struct reg constant;
	int error;

	show_reg(env, insn->dst);
	switch (insn->op) {
	case ALU_MOV:
		return check_mov(env, insn);
	case ALU_NEG:
	case ALU_TO_LE:
	case ALU_TO_BE:
	case ALU_BSWAP:
		return check_unary(env, insn);
	default: /* every other row has two operands */
		break;
	}
	error = check_operands(env, insn);
	if (error < 0)
		return error;
	if (insn->source_is_imm)
		reg_set_const(env, &constant, (uint64_t)insn->imm);
	return check_binary(env, insn, &regs[insn->dst],
			    insn->source_is_imm ? &constant : &regs[insn->src]);
}
