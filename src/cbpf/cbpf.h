/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cbpf.h (internal) - what the parts of classic BPF share: the rows of cbpf.def.
 *
 * Nobody else looks at the bits of a code: cbpf_row() says what it is.
 *
 * Threads: any (pure functions on values).
 */
#ifndef CBPF_CBPF_H
#define CBPF_CBPF_H

#include <skep/cbpf.h>
#include "isa/insn.h"

#define CBPF_ANCILLARY 0xfffff000u /* SKF_AD_OFF */
#define CBPF_NETWORK 0xfff00000u   /* SKF_NET_OFF */
#define CBPF_LINK 0xffe00000u      /* SKF_LL_OFF */
#define CBPF_MEMORY 16u            /* words of scratch memory */
#define CBPF_ANCILLARY_COUNT 16u   /* numbers are four apart */
#define SECCOMP_DATA_SIZE 64u

enum cbpf_kind {
	CBPF_ABS,       /* reg = packet[k] */
	CBPF_IND,       /* reg = packet[X + k] */
	CBPF_MSH,       /* X = 4 * (packet[k] & 0xf) */
	CBPF_LEN,       /* reg = length of the packet */
	CBPF_IMM,       /* reg = k */
	CBPF_MEM,       /* reg = M[k] */
	CBPF_STORE,     /* M[k] = reg */
	CBPF_ALU,       /* A = A op reg */
	CBPF_NEG,       /* A = -A */
	CBPF_GOTO,      /* pc += k */
	CBPF_JUMP,      /* pc += A op reg ? jt : jf */
	CBPF_RETURN,    /* return reg */
	CBPF_TAX,       /* X = A */
	CBPF_TXA,       /* A = X */
};

/* What is compared with A. CBPF_SET: A is in the set k; CBPF_SET_BYTES: see CBPF_CODE_IN_BYTES. */
enum cbpf_reg { CBPF_A, CBPF_X, CBPF_K, CBPF_SET, CBPF_SET_BYTES };

struct cbpf_row {
	const char *mnemonic;
	uint8_t code, kind, width, op, reg;
	bool seccomp;
};

enum cbpf_id {
#define CBPF(name, code, mnemonic, kind, width, op, reg, seccomp) CBPF_ID_##name,
#define ANCILLARY(name, number, asm_name, listing)
#include "cbpf/cbpf.def"
	CBPF_ID_COUNT,
};

enum cbpf_ancillary {
#define CBPF(name, code, mnemonic, kind, width, op, reg, seccomp)
#define ANCILLARY(name, number, asm_name, listing) CBPF_AD_##name = number,
#include "cbpf/cbpf.def"
};

struct cbpf_ancillary_row {
	const char *asm_name, *listing; /* asm_name NULL: none */
	const char *word;               /* the row's name */
	uint8_t number;
};

/*
 * Jumps that only Skep's own filters with sets have (set.h): no check lets them pass, and
 * cbpf_row() does not know them. Jump if A is in the set k, or the 16 bytes of the
 * packet at the lower half of k are in the set that its upper half says; this one changes A.
 */
#define CBPF_CODE_IN 0x105
#define CBPF_CODE_IN_BYTES 0x205

extern const struct cbpf_row cbpf_rows[CBPF_ID_COUNT];
/* NULL: no such code. */
const struct cbpf_row *cbpf_row(uint16_t code);
const struct cbpf_row *cbpf_row_or_set(uint16_t code); /* the jumps above, too */
/* The metadata that a load takes; NULL: none, it is an offset. */
const struct cbpf_ancillary_row *cbpf_ancillary(const struct skep_cbpf_insn *insn);
const struct cbpf_ancillary_row *cbpf_ancillary_by_name(const char *name, size_t len);

/* skep_cbpf_check() with another limit of instructions. */
int cbpf_check(const struct skep_cbpf_insn *insns, size_t count, size_t limit,
	       enum skep_cbpf_use use, const char *name, struct skep_diag *diag);

/* Where control goes on behind the jump at pc; beyond count where it leaves. */
static inline size_t cbpf_goto_target(const struct skep_cbpf_insn *insn, size_t pc)
{
	return pc + 1 + insn->k;
}
static inline size_t cbpf_true_target(const struct skep_cbpf_insn *insn, size_t pc)
{
	return pc + 1 + insn->jt;
}
static inline size_t cbpf_false_target(const struct skep_cbpf_insn *insn, size_t pc)
{
	return pc + 1 + insn->jf;
}

/* What "A op right" is; a division by zero must not get here. */
static inline uint32_t cbpf_alu(const struct cbpf_row *row, uint32_t a, uint32_t right)
{
	return (uint32_t)alu_eval((enum alu)row->op, 4, 4, a, right);
}
static inline bool cbpf_holds(const struct cbpf_row *row, uint32_t a, uint32_t right)
{
	return cond_eval((enum cond)row->op, 4, a, right);
}

/*
 * Where an offset that a load computed lies from the packet's data: what is
 * negative counts from the link or network header. INT32_MIN: nowhere.
 */
int32_t cbpf_offset(const struct skep_cbpf_packet *packet, uint32_t offset);
/* The bytes there; NULL: not all in the packet. */
const uint8_t *cbpf_bytes(const struct skep_cbpf_packet *packet, uint32_t offset, uint32_t width);
/* A metadata load; false: the filter ends here, with what A holds. */
bool cbpf_load_ancillary(const struct skep_cbpf_packet *packet, uint8_t number, uint32_t *a,
			 uint32_t x);
/* Where the payload begins, behind the headers that Linux follows; 0: unknown. */
uint32_t cbpf_payload_offset(const struct skep_cbpf_packet *packet);

#endif
