/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * insn.h - eBPF instructions as bytes and as text.
 *
 * The layout is that of struct bpf_insn (RFC 9669, section 3):
 *
 *   byte    0       1             2..3          4..7
 *         +-------+------+------+-------------+-------------+
 *         | code  | dst:4 src:4 | off (s16)   | imm (s32)   |
 *         +-------+------+------+-------------+-------------+
 *
 * A 64-bit immediate load takes two slots; the second has code 0 and carries
 * the upper half in imm. Text is the notation of the Linux verifier's log.
 *
 * Threads: any (all functions are pure).
 */
#ifndef SKEP_INSN_H
#define SKEP_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <skep/diag.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct skep_insn {
	uint8_t code;
	uint8_t dst : 4;
	uint8_t src : 4;
	int16_t off;
	int32_t imm;
};

/* Conformance groups of RFC 9669, section 2.4, as a bit set. */
enum skep_group {
	SKEP_GROUP_BASE32 = 1 << 0,
	SKEP_GROUP_BASE64 = 1 << 1,
	SKEP_GROUP_ATOMIC32 = 1 << 2,
	SKEP_GROUP_ATOMIC64 = 1 << 3,
	SKEP_GROUP_DIVMUL32 = 1 << 4,
	SKEP_GROUP_DIVMUL64 = 1 << 5,
	SKEP_GROUP_PACKET = 1 << 6,
};

/* Slots taken by the instruction that starts with this code: 1 or 2. */
unsigned skep_insn_slots(struct skep_insn insn);
/* The groups an instruction belongs to; 0 for Linux extensions and bad ones. */
unsigned skep_insn_groups(struct skep_insn insn);
const char *skep_group_name(enum skep_group group);

/*
 * Where control may go from the instruction at index, inside its own function.
 * A call goes on behind itself, and names in callee what it calls or, for a
 * load of a function's address, points to. An exit, an indirect jump and what
 * does not decode go nowhere.
 */
struct skep_flow {
	unsigned count;
	size_t next[2];      /* the one without a jump first; inside the program */
	int64_t callee;      /* a function's first instruction; -1: none */
	bool jumps;          /* ends a straight stretch of instructions */
};
void skep_insn_flow(const struct skep_insn *insns, size_t count, size_t index,
		    struct skep_flow *flow);

/*
 * Write the instruction at index as text, without its index. text always ends
 * in NUL; returns the length it wanted, as snprintf does. An instruction that
 * does not decode prints as "BUG_%02x" like Linux's.
 */
int skep_disasm(const struct skep_insn *insns, size_t count, size_t index, char *text,
		size_t size);

/* The same with names for what an immediate refers to: "r1 = map[flows]",
 * "call my_kfunc#12". Each callback may be NULL or return NULL. */
struct skep_disasm_names {
	void *arg;
	const char *(*map)(void *arg, int32_t index);
	const char *(*kfunc)(void *arg, int32_t btf_id);
};
int skep_disasm_named(const struct skep_insn *insns, size_t count, size_t index,
		      const struct skep_disasm_names *names, char *text, size_t size);

/*
 * Read the same notation (one instruction a line; labels "name:" and
 * "goto name"; ";" and "#" comments; an optional leading "N:" index and "(xx)"
 * opcode are ignored). On success *insns is for the caller to free.
 * Errors: EINVAL with the line and column in diag; ENOMEM.
 */
int skep_assemble(const char *text, size_t size, const char *name, struct skep_insn **insns,
		  size_t *count, struct skep_diag *diag);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
