/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decode.c - bytes to struct insn.
 *
 * The table gives the kind and the fields in use; what remains here are the
 * fields that refine the operation: off of divisions and moves, imm of byte
 * swaps and atomics, src of calls and 64-bit loads. Anything else that is not
 * zero is refused, in the words of Linux's verifier.
 */
#include "isa/insn.h"

#include <errno.h>
#include <stdio.h>

#include "isa/opcode.h"

/* Words with a number in them; they last until the thread's next refusal. */
static const char *words(const char *fmt, uint32_t number)
{
	static _Thread_local char text[64];

	snprintf(text, sizeof(text), fmt, number);
	return text;
}

static struct insn refuse(const char **why, const char *reason)
{
	if (why)
		*why = reason;
	return (struct insn){ .kind = INSN_INVALID };
}

static struct insn refuse_number(const char **why, const char *fmt, uint32_t number)
{
	return refuse(why, why ? words(fmt, number) : NULL);
}

static struct insn decode_unknown(struct skep_insn raw, const char **why)
{
	unsigned mode = raw.code & 0xe0;

	/* Linux looks at the mode of loads before it looks for the code. */
	if ((raw.code & 7) == CLASS_LDX && ((mode != 0x60 && mode != 0x80) || raw.imm))
		return refuse(why, "BPF_LDX uses reserved fields");
	return refuse_number(why, "unknown opcode %02x", raw.code);
}

static bool reserved_used(struct skep_insn raw, unsigned uses)
{
	return (!(uses & USES_DST) && raw.dst) || (!(uses & USES_SRC) && raw.src) ||
	       (!(uses & USES_OFF) && raw.off) || (!(uses & USES_IMM) && raw.imm);
}

/* A register move whose off says how: 0 plain, 8/16/32 sign-extending, 1 cast. */
static struct insn decode_move(struct skep_insn raw, struct insn insn, const char **why)
{
	const char *reserved = opcodes[raw.code].reserved;

	if (raw.code == CODE_MOV64_REG && raw.off == 1) {
		if (raw.imm != 1 && raw.imm != 1 << 16)
			return refuse(why, "addr_space_cast insn can only convert between "
					   "address space 1 and 0");
		insn.kind = INSN_CAST;
		insn.op = 0;
		return insn;
	}
	if (raw.imm)
		return refuse(why, reserved);
	if (raw.off == 0)
		return insn;
	if (raw.off != 8 && raw.off != 16 && (raw.off != 32 || insn.width == 4))
		return refuse(why, reserved);
	insn.from = (uint8_t)(raw.off / 8);
	insn.sign_extend = true;
	return insn;
}

static struct insn decode_alu(struct skep_insn raw, struct insn insn, const char **why)
{
	const char *reserved = opcodes[raw.code].reserved;

	insn.off = 0;
	switch (insn.op) {
	case ALU_MOV:
		return insn.source_is_imm ? insn : decode_move(raw, insn, why);
	case ALU_DIV:
	case ALU_MOD:
		if (raw.off != 0 && raw.off != 1)
			return refuse(why, reserved);
		if (raw.off == 1)
			insn.op = insn.op == ALU_DIV ? ALU_SDIV : ALU_SMOD;
		return insn;
	case ALU_TO_LE:
	case ALU_TO_BE:
	case ALU_BSWAP:
		if (raw.imm != 16 && raw.imm != 32 && raw.imm != 64)
			return refuse(why, reserved);
		insn.from = (uint8_t)(raw.imm / 8);
		insn.imm = 0;
		return insn;
	default:
		return insn;
	}
}

static struct insn decode_atomic(struct skep_insn raw, struct insn insn, const char **why)
{
	enum atomic op = atomic_from_code(raw.imm);

	if (op == ATOMIC_COUNT)
		return refuse_number(why, "BPF_ATOMIC uses invalid atomic opcode %02x",
				     (uint32_t)raw.imm);
	if (insn.width < 4 && op != ATOMIC_LOAD_ACQ && op != ATOMIC_STORE_REL)
		return refuse(why, "invalid atomic operand size");
	insn.op = (uint8_t)op;
	insn.imm = 0;
	return insn;
}

static bool is_second_slot(struct skep_insn raw)
{
	return raw.code == 0 && raw.dst == 0 && raw.src == 0 && raw.off == 0;
}

static struct insn decode_imm64(const struct skep_insn *insns, size_t index, struct insn insn,
				const char **why)
{
	uint32_t low = (uint32_t)insns[index].imm, high;

	high = (uint32_t)insns[index + 1].imm;
	if (insn.src > IMM64_MAP_INDEX_VALUE)
		return refuse(why, "unrecognized bpf_ld_imm64 insn");
	if ((insn.src == IMM64_MAP_FD || insn.src == IMM64_MAP_INDEX) && high)
		return refuse(why, "unrecognized bpf_ld_imm64 insn");
	insn.op = insn.src;
	insn.src = 0;
	insn.imm = (int64_t)((uint64_t)high << 32 | low);
	return insn;
}

static struct insn decode_call(struct skep_insn raw, struct insn insn, const char **why)
{
	static const uint8_t calls[] = { CALL_HELPER, CALL_LOCAL, CALL_KFUNC };

	insn.source_is_imm = false;
	if (insn.op == CALL_REGISTER)
		return insn;
	if (raw.src >= sizeof(calls) || (raw.off && calls[raw.src] != CALL_KFUNC))
		return refuse(why, opcodes[raw.code].reserved);
	insn.op = calls[raw.src];
	insn.src = 0;
	if (insn.op == CALL_LOCAL) {
		insn.off = raw.imm;
		insn.imm = 0;
	}
	return insn;
}

/* Everything but whether the registers exist. */
static struct insn decode_fields(const struct skep_insn *insns, size_t count, size_t index,
				 const char **why)
{
	struct skep_insn raw = insns[index];
	const struct opcode *row = &opcodes[raw.code];
	struct insn insn = {
		.kind = row->kind, .op = row->op, .width = row->width, .from = row->width,
		.dst = raw.dst, .src = raw.src, .source_is_imm = row->source_is_imm,
		.sign_extend = row->sign_extend, .indirect = row->indirect,
		.off = raw.off, .imm = raw.imm,
	};

	if (row->kind == INSN_INVALID)
		return decode_unknown(raw, why);
	if (row->kind == INSN_IMM64 && (count - index < 2 || !is_second_slot(insns[index + 1])))
		return refuse(why, "invalid bpf_ld_imm64 insn");
	if (reserved_used(raw, row->uses))
		return row->kind == INSN_MAY_GOTO ?
			       refuse_number(why, "invalid may_goto imm %d", (uint32_t)raw.imm) :
			       refuse(why, row->reserved);

	switch ((enum insn_kind)row->kind) {
	case INSN_ALU:
		return decode_alu(raw, insn, why);
	case INSN_ATOMIC:
		return decode_atomic(raw, insn, why);
	case INSN_IMM64:
		return decode_imm64(insns, index, insn, why);
	case INSN_CALL:
		return decode_call(raw, insn, why);
	case INSN_GOTO:
		if (row->width == 4)
			insn.off = raw.imm;
		insn.imm = 0;
		return insn;
	case INSN_INVALID:
	case INSN_PAD:
	case INSN_LOAD:
	case INSN_STORE:
	case INSN_LOAD_PACKET:
	case INSN_JUMP:
	case INSN_GOTO_REG:
	case INSN_MAY_GOTO:
	case INSN_EXIT:
	case INSN_LOAD_ARG:
	case INSN_STORE_ARG:
	case INSN_CAST:
	case INSN_KIND_COUNT:
		break;
	}
	return insn;
}

/* A load or store of 8 bytes from or to a stack argument; false: it is none. */
static bool decode_argument(struct insn *insn)
{
	int32_t distance = insn->kind == INSN_LOAD ? insn->off : -insn->off;

	if (insn->width != 8 || insn->sign_extend || distance <= 0 || distance % 8)
		return false;
	if (insn->kind == INSN_LOAD && insn->src == INSN_ARG_REG && insn->dst <= INSN_MAX_REG) {
		insn->kind = INSN_LOAD_ARG;
		insn->src = 0;
	} else if (insn->kind == INSN_STORE && insn->dst == INSN_ARG_REG &&
		   insn->src <= INSN_MAX_REG) {
		insn->kind = INSN_STORE_ARG;
		insn->dst = 0;
	} else {
		return false;
	}
	insn->arg = (uint16_t)(distance / 8 - 1);
	insn->off = 0;
	return true;
}

struct insn insn_decode(const struct skep_insn *insns, size_t count, size_t index,
			const char **why)
{
	struct skep_insn raw = insns[index];
	struct insn insn;

	if (is_second_slot(raw) && index > 0 && insns[index - 1].code == CODE_IMM64)
		return (struct insn){ .kind = INSN_PAD };
	/* Conditions are the ones where Linux looks at a register first. */
	if (opcodes[raw.code].kind == INSN_JUMP && raw.dst > INSN_MAX_REG)
		return refuse_number(why, "R%u is invalid", raw.dst);
	insn = decode_fields(insns, count, index, why);
	if (insn.kind == INSN_INVALID || (raw.dst <= INSN_MAX_REG && raw.src <= INSN_MAX_REG) ||
	    decode_argument(&insn))
		return insn;
	return refuse_number(why, "R%u is invalid",
			     raw.src > INSN_MAX_REG ? raw.src : raw.dst);
}

int insn_decode_all(const struct skep_insn *insns, size_t count, struct insn *out, size_t *bad,
		    const char **why)
{
	for (size_t i = 0; i < count; i++) {
		struct insn insn = insn_decode(insns, count, i, why);

		if (insn.kind == INSN_INVALID) {
			*bad = i;
			return -EINVAL;
		}
		out[i] = insn;
	}
	return 0;
}

unsigned skep_insn_slots(struct skep_insn insn)
{
	return insn.code == CODE_IMM64 ? 2 : 1;
}
