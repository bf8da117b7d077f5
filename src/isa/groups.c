/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * groups.c - the conformance groups of RFC 9669 (section 2.4): which an
 * instruction needs. base64 includes base32, and likewise for the other pairs;
 * an instruction names only the smallest that has it.
 */
#include "isa/insn.h"

#include "base/base.h"

static unsigned alu_groups(const struct insn *insn)
{
	bool wide = insn->width == 8;

	switch ((enum alu)insn->op) {
	case ALU_MUL:
	case ALU_DIV:
	case ALU_MOD:
	case ALU_SDIV:
	case ALU_SMOD:
		return wide ? SKEP_GROUP_DIVMUL64 : SKEP_GROUP_DIVMUL32;
	case ALU_TO_LE:
	case ALU_TO_BE:
	case ALU_BSWAP:
		return insn->from == 8 ? SKEP_GROUP_BASE64 : SKEP_GROUP_BASE32;
	case ALU_ADD:
	case ALU_SUB:
	case ALU_OR:
	case ALU_AND:
	case ALU_LSH:
	case ALU_RSH:
	case ALU_NEG:
	case ALU_XOR:
	case ALU_MOV:
	case ALU_ARSH:
	case ALU_COUNT:
		break;
	}
	return wide ? SKEP_GROUP_BASE64 : SKEP_GROUP_BASE32;
}

static unsigned decoded_groups(const struct insn *insn)
{
	bool wide = insn->width == 8;

	switch ((enum insn_kind)insn->kind) {
	case INSN_ALU:
		return alu_groups(insn);
	case INSN_LOAD:
	case INSN_STORE:
	case INSN_JUMP:
		return wide ? SKEP_GROUP_BASE64 : SKEP_GROUP_BASE32;
	case INSN_ATOMIC:
		if (insn->op == ATOMIC_LOAD_ACQ || insn->op == ATOMIC_STORE_REL)
			return 0;
		return wide ? SKEP_GROUP_ATOMIC64 : SKEP_GROUP_ATOMIC32;
	case INSN_LOAD_PACKET:
		return SKEP_GROUP_PACKET;
	case INSN_IMM64:
	case INSN_PAD:
		return SKEP_GROUP_BASE64;
	case INSN_GOTO:
	case INSN_EXIT:
		return SKEP_GROUP_BASE32;
	case INSN_CALL:
		return insn->op == CALL_REGISTER ? 0 : SKEP_GROUP_BASE32;
	case INSN_INVALID:
	case INSN_GOTO_REG:
	case INSN_MAY_GOTO:
	case INSN_LOAD_ARG:
	case INSN_STORE_ARG:
	case INSN_CAST:
	case INSN_KIND_COUNT:
		break;
	}
	return 0;
}

unsigned skep_insn_groups(struct skep_insn insn)
{
	/* The upper half of a 64-bit load does not matter here. */
	struct skep_insn slots[2] = { insn };
	struct insn decoded = insn_decode(slots, 2, 0, NULL);

	return decoded_groups(&decoded);
}

const char *skep_group_name(enum skep_group group)
{
	static const char *const names[] = {
		"base32", "base64", "atomic32", "atomic64", "divmul32", "divmul64", "packet",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if ((unsigned)group == 1u << i)
			return names[i];
	}
	return NULL;
}
