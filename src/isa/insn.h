/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * insn.h - one decoded instruction, and the tables every reader of it shares.
 *
 * Only src/isa looks at opcode bits. Everyone else sees struct insn: a kind,
 * an operation of that kind, and operands already sign-extended and widened.
 * Decoded programs keep one entry per 8-byte slot, so that an index means the
 * same everywhere; the second slot of a 64-bit load is INSN_PAD.
 *
 * Threads: any (pure functions on values).
 */
#ifndef ISA_INSN_H
#define ISA_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <skep/insn.h>

enum insn_kind {
	INSN_INVALID,      /* does not decode; see insn_decode() */
	INSN_PAD,          /* second slot of INSN_IMM64 */
	INSN_ALU,          /* dst = dst op source           op: enum alu */
	INSN_IMM64,        /* dst = imm (what it is: op)    op: enum imm64 */
	INSN_LOAD,         /* dst = *(src + off) */
	INSN_STORE,        /* *(dst + off) = source */
	INSN_ATOMIC,       /* on *(dst + off) with src      op: enum atomic */
	INSN_LOAD_PACKET,  /* r0 = packet[(src) + imm], big-endian; legacy ABS/IND */
	INSN_JUMP,         /* if (dst op source) goto off   op: enum cond */
	INSN_GOTO,         /* goto off */
	INSN_GOTO_REG,     /* goto *dst (indirect, through an instruction array) */
	INSN_MAY_GOTO,     /* goto off once the loop budget is spent */
	INSN_CALL,         /*                               op: enum call */
	INSN_EXIT,
	INSN_LOAD_ARG,     /* dst = its own stack argument `arg` (0: the sixth of all) */
	INSN_STORE_ARG,    /* stack argument `arg` of the next call = source */
	INSN_CAST,         /* dst = address-space cast of src; imm = to << 16 | from */
	INSN_KIND_COUNT,
};

enum alu {
#define ALU(name, token, code, expr, fold) ALU_##name,
#include "alu.def"
	ALU_COUNT,
};

enum cond {
#define COND(name, token, code, expr, mirror, inverse) COND_##name,
#include "cond.def"
	COND_COUNT,
};

enum atomic {
#define ATOMIC(name, token, code, fetch) ATOMIC_##name,
#include "atomic.def"
	ATOMIC_COUNT,
};

/* What the 64 bits of INSN_IMM64 stand for: the src field of the encoding. */
enum imm64 {
	IMM64_VALUE = 0,          /* a number */
	IMM64_MAP_FD = 1,         /* imm: descriptor of a map */
	IMM64_MAP_VALUE = 2,      /* low 32: map descriptor, high 32: offset into its value */
	IMM64_BTF_ID = 3,         /* low 32: id of a kernel variable, high 32: BTF descriptor */
	IMM64_FUNC = 4,           /* low 32: distance to a subprogram, in slots */
	IMM64_MAP_INDEX = 5,      /* as MAP_FD, but an index into the program's map list */
	IMM64_MAP_INDEX_VALUE = 6,
};

enum call {
	CALL_HELPER,    /* imm: helper id */
	CALL_LOCAL,     /* off: distance to the subprogram in slots, from the next insn */
	CALL_KFUNC,     /* imm: BTF id; off: index into the fd array */
	CALL_REGISTER,  /* dst holds a helper id; Linux refuses it */
	CALL_HELPER_BTF,/* imm: helper by BTF id; reserved by RFC 9669 */
};

struct insn {
	uint8_t kind;            /* enum insn_kind */
	uint8_t op;              /* by kind, see above */
	uint8_t width;           /* bytes: memory access; 4 or 8 for ALU and JUMP */
	uint8_t from;            /* bytes of the source: MOV with sign extension (1, 2, 4),
				  * byte swaps (2, 4, 8); else equal to width */
	uint8_t dst, src;        /* 0..10 */
	bool source_is_imm;      /* ALU, STORE, JUMP: source is imm, else src */
	bool sign_extend;        /* LOAD and MOV */
	bool fault_zero;         /* LOAD: a fault yields 0 (set by the verifier) */
	bool indirect;           /* LOAD_PACKET: add src (IND) */
	uint16_t arg;            /* LOAD_ARG, STORE_ARG: which; see INSN_ARG_REG */
	int32_t off;             /* memory: displacement; jumps: slots from the next insn */
	int64_t imm;
};

#define INSN_MAX_REG 10          /* the read-only frame pointer is r10 */
/*
 * Arguments after the fifth are passed on the stack, by loads and stores of 8 bytes
 * whose base is a register that does not exist otherwise: a caller stores its n-th at
 * r11 - 8n, and the function called loads it from r11 + 8n. Here n - 1 is arg.
 */
#define INSN_ARG_REG 11
#define INSN_STACK_ARGS_MAX 7
#define INSN_STACK_SIZE 512

/*
 * Decode the instruction at index. On failure returns INSN_INVALID and, where
 * why is not NULL, the Linux verifier's words for it ("unknown opcode 8f",
 * "BPF_MOV uses reserved fields" ...).
 */
struct insn insn_decode(const struct skep_insn *insns, size_t count, size_t index,
			const char **why);
/*
 * Decode all: out has count entries. Returns 0, or -EINVAL with *bad the index
 * of the first that fails.
 */
int insn_decode_all(const struct skep_insn *insns, size_t count, struct insn *out, size_t *bad,
		    const char **why);
/* The inverse: writes 1 or 2 slots and returns how many; 0 if it has no encoding. */
unsigned insn_encode(struct insn insn, struct skep_insn out[2]);

/* The slot an INSN_JUMP, INSN_GOTO, INSN_MAY_GOTO or local call at pc goes to. */
static inline int64_t insn_target(const struct insn *insn, int64_t pc)
{
	return pc + 1 + insn->off;
}

/* The concrete meaning of every ALU row; d and s as 64-bit patterns. */
uint64_t alu_eval(enum alu op, unsigned width, unsigned from, uint64_t d, uint64_t s);
/* The concrete meaning of every condition. */
bool cond_eval(enum cond op, unsigned width, uint64_t d, uint64_t s);
enum cond cond_mirror(enum cond op);   /* a op b == b mirror(op) a */
bool cond_inverse(enum cond op, enum cond *inverse); /* false for JSET */

const char *alu_token(enum alu op);
const char *cond_token(enum cond op);

/*
 * Disassembly with names for what an immediate refers to. Each callback may be
 * NULL or return NULL. text as skep_disasm().
 */
struct disasm_names {
	void *arg;
	const char *(*helper)(void *arg, int32_t id);
	const char *(*map)(void *arg, int32_t index);
	const char *(*kfunc)(void *arg, int32_t btf_id);
	bool hide_addresses;     /* 64-bit immediates of pointers print as 0x0, as Linux's log does */
};
int insn_print(const struct skep_insn *insns, size_t count, size_t index,
	       const struct disasm_names *names, char *text, size_t size);

#endif
