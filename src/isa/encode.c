/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * encode.c - struct insn to bytes: finds the row of the opcode table that the
 * decoder would have started from, and puts each field back where it was.
 */
#include "isa/insn.h"

#include "isa/opcode.h"

static bool fits_s16(int64_t n)
{
	return n == (int16_t)n;
}

static bool fits_s32(int64_t n)
{
	return n == (int32_t)n;
}

/* The operation that names a family of rows; off or imm tell its members apart. */
static uint8_t family(const struct insn *insn)
{
	if (insn->kind == INSN_ALU && insn->op == ALU_SDIV)
		return ALU_DIV;
	if (insn->kind == INSN_ALU && insn->op == ALU_SMOD)
		return ALU_MOD;
	if (insn->kind == INSN_CAST)
		return ALU_MOV;
	if (insn->kind == INSN_ALU || insn->kind == INSN_JUMP ||
	    (insn->kind == INSN_CALL && insn->op == CALL_REGISTER))
		return insn->op;
	return 0;
}

static int find_code(const struct insn *insn)
{
	struct opcode wanted = {
		.kind = insn->kind == INSN_CAST ? INSN_ALU : insn->kind,
		.op = family(insn),
		.width = insn->width,
		.source_is_imm = insn->source_is_imm,
		.sign_extend = insn->kind == INSN_LOAD && insn->sign_extend,
		.indirect = insn->indirect,
	};

	switch ((enum insn_kind)insn->kind) {
	case INSN_IMM64:
		return CODE_IMM64;
	case INSN_CALL:
		wanted.source_is_imm = insn->op != CALL_REGISTER;
		wanted.width = 8;
		break;
	case INSN_EXIT:
	case INSN_GOTO_REG:
	case INSN_MAY_GOTO:
	case INSN_CAST:
		wanted.width = 8;
		break;
	case INSN_LOAD_ARG:
		wanted.kind = INSN_LOAD;
		break;
	case INSN_STORE_ARG:
		wanted.kind = INSN_STORE;
		break;
	case INSN_INVALID:
	case INSN_PAD:
	case INSN_KIND_COUNT:
		return -1;
	case INSN_ALU:
	case INSN_LOAD:
	case INSN_STORE:
	case INSN_ATOMIC:
	case INSN_LOAD_PACKET:
	case INSN_JUMP:
	case INSN_GOTO:
		break;
	}
	return opcode_find(&wanted);
}

static bool encode_alu(const struct insn *insn, struct skep_insn *raw)
{
	switch (insn->op) {
	case ALU_SDIV:
	case ALU_SMOD:
		raw->off = 1;
		break;
	case ALU_TO_LE:
	case ALU_TO_BE:
	case ALU_BSWAP:
		raw->imm = insn->from * 8;
		return insn->from == 2 || insn->from == 4 || insn->from == 8;
	case ALU_MOV:
		if (!insn->source_is_imm && insn->sign_extend) {
			raw->off = (int16_t)(insn->from * 8);
			return insn->from == 1 || insn->from == 2 ||
			       (insn->from == 4 && insn->width == 8);
		}
		break;
	default:
		break;
	}
	return true;
}

static bool encode_call(const struct insn *insn, struct skep_insn *raw)
{
	switch (insn->op) {
	case CALL_HELPER:
	case CALL_REGISTER:
		return insn->off == 0;
	case CALL_LOCAL:
		raw->src = 1;
		raw->off = 0;
		raw->imm = insn->off;
		return true;
	case CALL_KFUNC:
		raw->src = 2;
		return true;
	default:
		return false;
	}
}

/* The fields that refine the operation; false if it has no encoding. */
static bool encode_rest(const struct insn *insn, struct skep_insn *raw)
{
	switch ((enum insn_kind)insn->kind) {
	case INSN_ALU:
		return encode_alu(insn, raw);
	case INSN_CALL:
		return encode_call(insn, raw);
	case INSN_ATOMIC:
		if (insn->op >= ATOMIC_COUNT)
			return false;
		raw->imm = atomic_code((enum atomic)insn->op);
		return insn->width >= 4 || insn->op == ATOMIC_LOAD_ACQ ||
		       insn->op == ATOMIC_STORE_REL;
	case INSN_CAST:
		raw->off = 1;
		return insn->imm == 1 || insn->imm == 1 << 16;
	case INSN_GOTO:
		if (insn->width == 4) {
			raw->off = 0;
			raw->imm = insn->off;
		}
		return true;
	case INSN_IMM64:
		raw->src = insn->op & 15u;
		return insn->op <= IMM64_MAP_INDEX_VALUE;
	case INSN_LOAD_ARG:
		raw->src = INSN_ARG_REG;
		raw->off = (int16_t)(8 * (insn->arg + 1));
		return insn->arg < INT16_MAX / 8;
	case INSN_STORE_ARG:
		raw->dst = INSN_ARG_REG;
		raw->off = (int16_t)(-8 * (insn->arg + 1));
		return insn->arg < INT16_MAX / 8;
	case INSN_LOAD:
	case INSN_STORE:
	case INSN_LOAD_PACKET:
	case INSN_JUMP:
	case INSN_GOTO_REG:
	case INSN_MAY_GOTO:
	case INSN_EXIT:
		return true;
	case INSN_INVALID:
	case INSN_PAD:
	case INSN_KIND_COUNT:
		break;
	}
	return false;
}

unsigned insn_encode(struct insn insn, struct skep_insn out[2])
{
	bool far = (insn.kind == INSN_GOTO && insn.width == 4) ||
		   (insn.kind == INSN_CALL && insn.op == CALL_LOCAL);
	struct skep_insn raw[2] = { { .dst = insn.dst & 15u, .src = insn.src & 15u } };
	unsigned slots = insn.kind == INSN_IMM64 ? 2 : 1;
	int code = find_code(&insn);

	if (code < 0 || insn.dst > INSN_MAX_REG || insn.src > INSN_MAX_REG)
		return 0;
	if ((!far && !fits_s16(insn.off)) || (slots == 1 && !fits_s32(insn.imm)))
		return 0;
	raw[0].code = (uint8_t)code;
	raw[0].off = far ? 0 : (int16_t)insn.off;
	raw[0].imm = (int32_t)(uint64_t)insn.imm;
	raw[1].imm = (int32_t)((uint64_t)insn.imm >> 32);
	if (!encode_rest(&insn, &raw[0]) || insn_decode(raw, slots, 0, NULL).kind == INSN_INVALID)
		return 0;
	for (unsigned i = 0; i < slots; i++)
		out[i] = raw[i];
	return slots;
}
