/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * opcode.h - the table of opcodes: what each of the 256 codes means, which
 * fields of the instruction it uses, and what Linux says when another field is
 * not zero. The decoder and the encoder both read it, so that neither can know
 * an instruction that the other does not.
 *
 * Private to src/isa.
 */
#ifndef ISA_OPCODE_H
#define ISA_OPCODE_H

#include "isa/insn.h"

/* Three low bits of a code. */
enum opcode_class {
	CLASS_LD, CLASS_LDX, CLASS_ST, CLASS_STX, CLASS_ALU, CLASS_JMP, CLASS_JMP32, CLASS_ALU64,
};

#define CODE_IMM64 0x18
#define CODE_MOV64_REG 0xbf

enum uses { USES_DST = 1, USES_SRC = 2, USES_OFF = 4, USES_IMM = 8 };

struct opcode {
	uint8_t kind;         /* enum insn_kind; INSN_INVALID: no such code */
	uint8_t op;           /* of the family: DIV stands for SDIV too */
	uint8_t width;
	uint8_t uses;         /* enum uses */
	bool source_is_imm, sign_extend, indirect;
	const char *reserved; /* Linux's words about a field that should be zero */
};

extern const struct opcode opcodes[256];

/* The code of the row that agrees with this one but for uses and reserved; -1. */
int opcode_find(const struct opcode *wanted);

/* The imm field of an atomic operation, and its inverse (ATOMIC_COUNT: none). */
int32_t atomic_code(enum atomic op);
enum atomic atomic_from_code(int32_t code);

/* "map_lookup_elem", or NULL; -1 where there is no such name (without bpf_). */
const char *helper_name(int32_t id);
int32_t helper_number(const char *name, size_t len);

#endif
