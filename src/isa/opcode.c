/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * opcode.c - the table of opcodes (see opcode.h), and the other numbers that
 * instructions carry: atomic operations and helpers.
 *
 * A code is class (bits 0..2) plus, for arithmetic and jumps, the source bit
 * (3) and the operation (4..7); for memory, the size (3..4) and mode (5..7).
 */
#include "isa/opcode.h"

#include <string.h>

#include "base/base.h"

enum {
#define ALU(name, token, code, expr, fold) CODE_ALU_##name = (code) << 4,
#include "isa/alu.def"
#define COND(name, token, code, expr, mirror, inverse) CODE_COND_##name = (code) << 4,
#include "isa/cond.def"
};

#define DST_SRC (USES_DST | USES_SRC)
#define DST_IMM (USES_DST | USES_IMM)

/* One operation in both widths, with an immediate and with a register. */
#define ALU_ROWS(name, off, words)                                                               \
	[CODE_ALU_##name | CLASS_ALU] = { INSN_ALU, ALU_##name, 4, DST_IMM | (off), true,        \
					  .reserved = (words) },                                 \
	[CODE_ALU_##name | CLASS_ALU64] = { INSN_ALU, ALU_##name, 8, DST_IMM | (off), true,      \
					    .reserved = (words) },                               \
	[CODE_ALU_##name | 8 | CLASS_ALU] = { INSN_ALU, ALU_##name, 4, DST_SRC | (off),          \
					      .reserved = (words) },                             \
	[CODE_ALU_##name | 8 | CLASS_ALU64] = { INSN_ALU, ALU_##name, 8, DST_SRC | (off),        \
						.reserved = (words) }

#define COND_ROWS(name)                                                                          \
	[CODE_COND_##name | CLASS_JMP] = { INSN_JUMP, COND_##name, 8, DST_IMM | USES_OFF, true,  \
					   .reserved = jmp_words },                              \
	[CODE_COND_##name | CLASS_JMP32] = { INSN_JUMP, COND_##name, 4, DST_IMM | USES_OFF,      \
					     true, .reserved = jmp_words },                      \
	[CODE_COND_##name | 8 | CLASS_JMP] = { INSN_JUMP, COND_##name, 8, DST_SRC | USES_OFF,    \
					       .reserved = jmp_words },                          \
	[CODE_COND_##name | 8 | CLASS_JMP32] = { INSN_JUMP, COND_##name, 4, DST_SRC | USES_OFF,  \
						 .reserved = jmp_words }

/* Everything that moves width bytes; size is bits 3..4. */
#define MEMORY_ROWS(size, width)                                                                 \
	[0x60 | (size) | CLASS_LDX] = { INSN_LOAD, 0, width, DST_SRC | USES_OFF,                 \
					.reserved = ldx_words },                                 \
	[0x60 | (size) | CLASS_ST] = { INSN_STORE, 0, width, DST_IMM | USES_OFF, true,           \
				       .reserved = "BPF_ST uses reserved fields" },              \
	[0x60 | (size) | CLASS_STX] = { INSN_STORE, 0, width, DST_SRC | USES_OFF,                \
					.reserved = "BPF_STX uses reserved fields" },            \
	[0xc0 | (size) | CLASS_STX] = { INSN_ATOMIC, 0, width, DST_SRC | USES_OFF | USES_IMM }

/* Sign-extending and legacy packet loads exist for less than eight bytes. */
#define NARROW_ROWS(size, width)                                                                 \
	[0x80 | (size) | CLASS_LDX] = { INSN_LOAD, 0, width, DST_SRC | USES_OFF, false, true,    \
					.reserved = ldx_words },                                 \
	[0x20 | (size) | CLASS_LD] = { INSN_LOAD_PACKET, 0, width, USES_IMM,                     \
				       .reserved = packet_words },                               \
	[0x40 | (size) | CLASS_LD] = { INSN_LOAD_PACKET, 0, width, USES_SRC | USES_IMM,          \
				       .indirect = true, .reserved = packet_words }

#define alu_words "BPF_ALU uses reserved fields"
#define mov_words "BPF_MOV uses reserved fields"
#define end_words "BPF_END uses reserved fields"
#define neg_words "BPF_NEG uses reserved fields"
#define ldx_words "BPF_LDX uses reserved fields"
#define jmp_words "BPF_JMP/JMP32 uses reserved fields"
#define packet_words "BPF_LD_[ABS|IND] uses reserved fields"

const struct opcode opcodes[256] = {
	ALU_ROWS(ADD, 0, alu_words),
	ALU_ROWS(SUB, 0, alu_words),
	ALU_ROWS(MUL, 0, alu_words),
	ALU_ROWS(DIV, USES_OFF, alu_words),
	ALU_ROWS(OR, 0, alu_words),
	ALU_ROWS(AND, 0, alu_words),
	ALU_ROWS(LSH, 0, alu_words),
	ALU_ROWS(RSH, 0, alu_words),
	ALU_ROWS(MOD, USES_OFF, alu_words),
	ALU_ROWS(XOR, 0, alu_words),
	ALU_ROWS(ARSH, 0, alu_words),
	[0x84] = { INSN_ALU, ALU_NEG, 4, USES_DST, true, .reserved = neg_words },
	[0x87] = { INSN_ALU, ALU_NEG, 8, USES_DST, true, .reserved = neg_words },
	[0xb4] = { INSN_ALU, ALU_MOV, 4, DST_IMM, true, .reserved = mov_words },
	[0xb7] = { INSN_ALU, ALU_MOV, 8, DST_IMM, true, .reserved = mov_words },
	[0xbc] = { INSN_ALU, ALU_MOV, 4, DST_SRC | USES_OFF, .reserved = mov_words },
	/* imm is for the address-space cast that shares its code */
	[CODE_MOV64_REG] = { INSN_ALU, ALU_MOV, 8, DST_SRC | USES_OFF | USES_IMM,
			     .reserved = mov_words },
	[0xd4] = { INSN_ALU, ALU_TO_LE, 8, DST_IMM, true, .reserved = end_words },
	[0xdc] = { INSN_ALU, ALU_TO_BE, 8, DST_IMM, true, .reserved = end_words },
	[0xd7] = { INSN_ALU, ALU_BSWAP, 8, DST_IMM, true, .reserved = end_words },

	MEMORY_ROWS(0x00, 4),
	MEMORY_ROWS(0x08, 2),
	MEMORY_ROWS(0x10, 1),
	MEMORY_ROWS(0x18, 8),
	NARROW_ROWS(0x00, 4),
	NARROW_ROWS(0x08, 2),
	NARROW_ROWS(0x10, 1),
	[CODE_IMM64] = { INSN_IMM64, 0, 8, DST_SRC | USES_IMM, true,
			 .reserved = "BPF_LD_IMM64 uses reserved fields" },

	COND_ROWS(EQ),
	COND_ROWS(GT),
	COND_ROWS(GE),
	COND_ROWS(SET),
	COND_ROWS(NE),
	COND_ROWS(SGT),
	COND_ROWS(SGE),
	COND_ROWS(LT),
	COND_ROWS(LE),
	COND_ROWS(SLT),
	COND_ROWS(SLE),
	[0x05] = { INSN_GOTO, 0, 8, USES_OFF, .reserved = "BPF_JA uses reserved fields" },
	[0x06] = { INSN_GOTO, 0, 4, USES_IMM, .reserved = "BPF_JA uses reserved fields" },
	[0x0d] = { INSN_GOTO_REG, 0, 8, USES_DST, .reserved = "BPF_JA|BPF_X uses reserved fields" },
	[0x85] = { INSN_CALL, 0, 8, USES_SRC | USES_OFF | USES_IMM, true,
		   .reserved = "BPF_CALL uses reserved fields" },
	[0x8d] = { INSN_CALL, CALL_REGISTER, 8, USES_DST,
		   .reserved = "BPF_CALL uses reserved fields" },
	[0x95] = { INSN_EXIT, 0, 8, 0, .reserved = "BPF_EXIT uses reserved fields" },
	[0xe5] = { INSN_MAY_GOTO, 0, 8, USES_OFF },
};

int opcode_find(const struct opcode *wanted)
{
	for (int code = 0; code < 256; code++) {
		const struct opcode *row = &opcodes[code];

		if (row->kind == wanted->kind && row->op == wanted->op &&
		    row->width == wanted->width && row->source_is_imm == wanted->source_is_imm &&
		    row->sign_extend == wanted->sign_extend && row->indirect == wanted->indirect)
			return code;
	}
	return -1;
}

static const int32_t atomic_codes[] = {
#define ATOMIC(name, token, code, fetch) code,
#include "isa/atomic.def"
};

int32_t atomic_code(enum atomic op)
{
	return atomic_codes[op];
}

enum atomic atomic_from_code(int32_t code)
{
	for (int op = 0; op < ATOMIC_COUNT; op++) {
		if (atomic_codes[op] == code)
			return (enum atomic)op;
	}
	return ATOMIC_COUNT;
}

static const char *const helper_names[] = {
#define HELPER_ID(name, id) [id] = #name,
#include "isa/helpers.def"
};

const char *helper_name(int32_t id)
{
	return id >= 0 && (size_t)id < ARRAY_SIZE(helper_names) ? helper_names[id] : NULL;
}

int32_t helper_number(const char *name, size_t len)
{
	for (size_t id = 0; id < ARRAY_SIZE(helper_names); id++) {
		const char *known = helper_names[id];

		if (known && strlen(known) == len && memcmp(known, name, len) == 0)
			return (int32_t)id;
	}
	return -1;
}
