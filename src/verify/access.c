/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access.c - the instructions that touch memory, and 64-bit immediates.
 *
 * Each checks its operands and asks memory.c; this file knows what the
 * instruction does besides.
 */
#include "verify/passes.h"

/* --- operands --- */

int check_reg_read(struct env *env, int regno)
{
	show_reg(env, regno);
	if (state_regs(env->cur)[regno].type == REG_NOT_INIT)
		return reject_as(env, SKEP_VERIFY_UNSET, -EACCES, "R%d !read_ok", regno);
	return 0;
}

int check_reg_write(struct env *env, int regno)
{
	show_reg(env, regno);
	if (regno == REG_FP)
		return reject_as(env, SKEP_VERIFY_READ_ONLY, -EACCES,
				 "frame pointer is read only");
	return 0;
}

bool may_leak(const struct env *env, const struct reg *reg)
{
	return env->cap_perfmon || !reg_is_pointer(reg);
}

/* --- one instruction, one kind of pointer --- */

/* Kinds whose accesses are rewritten, so that all paths must agree. */
static bool is_rewritten(enum reg_type type)
{
	switch (type) {
	case REG_CTX: case REG_SOCKET: case REG_SOCK_COMMON: case REG_TCP_SOCK:
	case REG_XDP_SOCK: case REG_BTF: case REG_ARENA:
		return true;
	case REG_NOT_INIT: case REG_SCALAR: case REG_MAP: case REG_MAP_VALUE: case REG_MAP_KEY:
	case REG_STACK: case REG_PACKET_META: case REG_PACKET: case REG_PACKET_END:
	case REG_FLOW_KEYS: case REG_TP_BUFFER: case REG_MEM: case REG_BUF: case REG_FUNC:
	case REG_DYNPTR: case REG_INSN: case REG_TYPE_COUNT:
		break;
	}
	return false;
}

static int note_pointer(struct env *env, uint32_t pc, enum reg_type type, uint32_t flags)
{
	struct insn_info *info = &env->info[pc];
	enum reg_type before = info->ptr_type ? (enum reg_type)(info->ptr_type - 1) : type;

	if (before != type && (is_rewritten(type) || is_rewritten(before)) &&
	    !(before == REG_BTF && type == REG_MEM) && !(before == REG_MEM && type == REG_BTF))
		return reject(env, -EINVAL, "same insn cannot be used with different pointers");
	if (!info->ptr_type) {
		info->ptr_type = (uint8_t)(1 + type);
		info->ptr_flags = flags;
	}
	return 0;
}

/* --- loads and stores --- */

int check_load(struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	enum reg_type type;
	uint32_t flags;
	int err = check_reg_read(env, insn->src);

	if (!err)
		err = check_reg_write(env, insn->dst);
	if (err < 0)
		return err;
	type = state_regs(env->cur)[insn->src].type;
	flags = state_regs(env->cur)[insn->src].flags;
	err = check_mem(env, pc, insn->src, insn->off, insn->width, ACCESS_READ, insn->dst,
			insn->sign_extend, false);
	return err ? err : note_pointer(env, pc, type, flags);
}

int check_store(struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	int err = insn->source_is_imm ? 0 : check_reg_read(env, insn->src);
	enum reg_type type;
	uint32_t flags;

	if (!err)
		err = check_reg_read(env, insn->dst);
	if (err < 0)
		return err;
	type = state_regs(env->cur)[insn->dst].type;
	flags = state_regs(env->cur)[insn->dst].flags;
	if (insn->source_is_imm && type == REG_CTX && !env_can(env, ABILITY_CTX_CONSTANT))
		return reject(env, -EACCES, "BPF_ST stores into R%d ctx is not allowed", insn->dst);
	err = check_mem(env, pc, insn->dst, insn->off, insn->width, ACCESS_WRITE,
			insn->source_is_imm ? -1 : insn->src, false, false);
	return err ? err : note_pointer(env, pc, type, flags);
}

/* --- atomic operations --- */

static bool atomic_allowed(const struct reg *reg)
{
	switch ((enum reg_type)reg->type) {
	case REG_CTX: case REG_PACKET: case REG_PACKET_META: case REG_FLOW_KEYS:
	case REG_SOCKET: case REG_SOCK_COMMON: case REG_TCP_SOCK: case REG_XDP_SOCK:
		return false;
	case REG_NOT_INIT: case REG_SCALAR: case REG_MAP: case REG_MAP_VALUE: case REG_MAP_KEY:
	case REG_STACK: case REG_PACKET_END: case REG_TP_BUFFER: case REG_BTF: case REG_MEM:
	case REG_BUF: case REG_FUNC: case REG_DYNPTR: case REG_ARENA: case REG_INSN:
		return true;
	case REG_TYPE_COUNT:
		break;
	}
	__builtin_unreachable();
}

static int check_load_acquire(struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	const struct reg *reg = &state_regs(env->cur)[insn->src];
	int err = check_reg_read(env, insn->src);

	if (!err)
		err = check_reg_write(env, insn->dst);
	if (err < 0)
		return err;
	if (!atomic_allowed(reg))
		return reject(env, -EACCES, "BPF_ATOMIC loads from R%d %s is not allowed",
			      insn->src, reg_type_text(reg));
	return check_mem(env, pc, insn->src, insn->off, insn->width, ACCESS_READ, insn->dst,
			 false, true);
}

static int check_store_release(struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	const struct reg *reg = &state_regs(env->cur)[insn->dst];
	int err = check_reg_read(env, insn->src);

	if (!err)
		err = check_reg_read(env, insn->dst);
	if (err < 0)
		return err;
	if (!atomic_allowed(reg))
		return reject(env, -EACCES, "BPF_ATOMIC stores into R%d %s is not allowed",
			      insn->dst, reg_type_text(reg));
	return check_mem(env, pc, insn->dst, insn->off, insn->width, ACCESS_WRITE, insn->src,
			 false, true);
}

static bool fetches(const struct insn *insn)
{
	return insn->op >= ATOMIC_FETCH_ADD && insn->op <= ATOMIC_CMPXCHG;
}

static int check_atomic_operands(struct env *env, const struct insn *insn)
{
	const struct reg *regs = state_regs(env->cur);
	int err = check_reg_read(env, insn->src);

	if (!err)
		err = check_reg_read(env, insn->dst);
	if (!err && insn->op == ATOMIC_CMPXCHG) {
		err = check_reg_read(env, 0);
		if (!err && !may_leak(env, &regs[0]))
			return reject_as(env, SKEP_VERIFY_LEAK, -EACCES,
					 "R0 leaks addr into mem");
	}
	if (err < 0)
		return err;
	if (!may_leak(env, &regs[insn->src]))
		return reject_as(env, SKEP_VERIFY_LEAK, -EACCES, "R%d leaks addr into mem",
				 insn->src);
	if (!atomic_allowed(&regs[insn->dst]))
		return reject(env, -EACCES, "BPF_ATOMIC stores into R%d %s is not allowed",
			      insn->dst, reg_type_text(&regs[insn->dst]));
	return 0;
}

static int check_read_modify_write(struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	int into = insn->op == ATOMIC_CMPXCHG ? 0 : insn->src;
	int err = check_atomic_operands(env, insn);

	if (!err && fetches(insn))
		err = check_reg_write(env, into);
	if (err < 0)
		return err;
	if (insn->width < 4)
		return reject(env, -EINVAL, "invalid atomic operand size");
	err = check_mem(env, pc, insn->dst, insn->off, insn->width, ACCESS_READ, -1, false, true);
	/* Linux lets the fetched value arrive before it checks the write, so that the
	 * address register cannot be the one that receives it. */
	if (!err && fetches(insn))
		err = check_mem(env, pc, insn->dst, insn->off, insn->width, ACCESS_READ, into,
				false, true);
	if (err < 0)
		return err;
	return check_mem(env, pc, insn->dst, insn->off, insn->width, ACCESS_WRITE, -1, false, true);
}

int check_atomic(struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	uint8_t address = insn->op == ATOMIC_LOAD_ACQ ? insn->src : insn->dst;
	enum reg_type type = state_regs(env->cur)[address].type;
	uint32_t flags = state_regs(env->cur)[address].flags;
	int err = insn->op == ATOMIC_LOAD_ACQ ? check_load_acquire(env, pc) :
		  insn->op == ATOMIC_STORE_REL ? check_store_release(env, pc) :
						 check_read_modify_write(env, pc);

	return err ? err : note_pointer(env, pc, type, flags);
}

/* --- legacy packet loads --- */

int check_load_packet(struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	struct reg *regs = state_regs(env->cur);
	int err;

	if (!env->type->legacy_packet)
		return reject_as(env, SKEP_VERIFY_CALL, -EINVAL,
				 "BPF_LD_[ABS|IND] instructions not allowed for this program "
				 "type");
	err = check_reg_read(env, 6);
	if (err < 0)
		return err;
	/* A failed load ends the program: everything must be given back by now. */
	err = check_resources(env, false, true, "BPF_LD_[ABS|IND]");
	if (err < 0)
		return err;
	if (!reg_is(&regs[6], REG_CTX))
		return reject(env, -EINVAL, "at the time of BPF_LD_ABS|IND R6 != pointer to skb");
	if (insn->indirect) {
		err = check_reg_read(env, insn->src);
		if (err < 0)
			return err;
	}
	err = check_ptr_off(env, &regs[6], 6, false);
	if (err < 0)
		return err;
	err = push_early_return(env, "cannot use BPF_LD_[ABS|IND]", false);
	if (err < 0)
		return err;
	clear_caller_saved(env, regs);
	show_reg(env, 0);
	reg_set_unknown(env, &regs[0]);
	return 0;
}

/* --- 64-bit immediates --- */

static int load_func(struct env *env, uint32_t pc, struct reg *dst)
{
	int subprog = subprog_at(env, (uint32_t)insn_callee(env, pc));

	if (subprog < 0)
		return reject(env, -EINVAL, "callback function not found");
	if (env->subprog[subprog].is_global)
		return reject(env, -EINVAL, "callback function not static");
	reg_set_pointer(dst, REG_FUNC, 0);
	dst->subprog = (uint32_t)subprog;
	return 0;
}

static void load_map(struct env *env, const struct insn *insn, struct reg *dst)
{
	uint32_t index = (uint32_t)insn->imm;
	const struct map_spec *map = env->spec->maps[index];

	if (insn->op == IMM64_MAP_INDEX || insn->op == IMM64_MAP_FD) {
		reg_set_pointer(dst, REG_MAP, 0);
	} else if (map->type == BPF_MAP_TYPE_ARENA) {
		arena_set_pointer(dst);
		return;
	} else {
		reg_set_pointer(dst, REG_MAP_VALUE, 0);
		dst->off = (int32_t)((uint64_t)insn->imm >> 32);
	}
	dst->map = map;
	dst->map_index = index;
}

int check_imm64(struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];
	struct reg *dst = &state_regs(env->cur)[insn->dst];
	int err = check_reg_write(env, insn->dst);

	if (err < 0)
		return err;
	switch ((enum imm64)insn->op) {
	case IMM64_VALUE:
		reg_set_const(env, dst, (uint64_t)insn->imm);
		return 0;
	case IMM64_MAP_FD: case IMM64_MAP_INDEX: case IMM64_MAP_VALUE:
	case IMM64_MAP_INDEX_VALUE:
		load_map(env, insn, dst);
		return 0;
	case IMM64_FUNC:
		return load_func(env, pc, dst);
	case IMM64_BTF_ID:
		return check_ld_btf_id(env, pc, dst);
	}
	return reject(env, -EINVAL, "unrecognized bpf_ld_imm64 insn");
}
