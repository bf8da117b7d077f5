/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86.h - the x86-64 back end: which register is what, and its parts.
 *
 *   r0  rax    r1  rdi    r2  rsi    r3  rdx    r4  rcx    r5  r8
 *   r6  rbx    r7  r13    r8  r14    r9  r15    r10 rbp
 *   r12: the jit_frame, always        r9, r10, r11: scratch inside one instruction
 *
 * r1..r3 are where C passes its first arguments and r6..r9 are registers that C
 * keeps, so a call moves little. rbp is BPF's frame pointer into the program's
 * stack; rsp holds return addresses and saved registers only.
 */
#ifndef JIT_X86_H
#define JIT_X86_H

#include "base/base.h"
#include "jit/jit.h"
#include "jit/x86_emit.h"

#define X86_FRAME R12

/* The program being compiled. */
struct x86 {
	const struct jit_input *in;
	struct emitter e;
	uint32_t *at, *before;   /* byte offset per slot: this pass, the last pass */
	uint8_t *slots;          /* per slot: enum x86_slot */
	bool shrink;             /* this pass may still find new short jumps */
	bool any_target;         /* an indirect jump: every instruction is a target */
	VEC(struct jit_fault) faults;
	uint32_t *entry;         /* per subprogram */
	uint32_t enter, fault;   /* offsets of the common parts */
	int64_t table;           /* of an indirect jump's targets; from the last pass */

	/* The subprogram being compiled. */
	const struct verified_subprog *subprog;
	uint8_t saved;           /* bits 6..9: registers it writes */
	bool has_calls, has_may_goto;
	uint32_t frame_bytes;    /* on the machine stack below the saved registers */
	uint32_t pc;
};

enum x86_slot {
	SLOT_TARGET = 1 << 0,    /* jumped to */
	SLOT_SHORT = 1 << 1,     /* a jump that is near enough for one byte */
};

extern const uint8_t x86_reg_of[11];
static inline unsigned x86_dst(const struct insn *insn) { return x86_reg_of[insn->dst]; }
static inline unsigned x86_src(const struct insn *insn) { return x86_reg_of[insn->src]; }

/* Each compiles the instruction at x->pc and returns the slots it used. */
unsigned x86_alu(struct x86 *x, const struct insn *insn);      /* x86_alu.c */
void x86_divide(struct x86 *x, const struct insn *insn);       /* x86_divide.c */
void x86_load(struct x86 *x, const struct insn *insn);         /* x86_memory.c */
void x86_store(struct x86 *x, const struct insn *insn);
void x86_atomic(struct x86 *x, const struct insn *insn);
void x86_jump(struct x86 *x, const struct insn *insn);         /* x86_branch.c */
void x86_goto(struct x86 *x, const struct insn *insn);
void x86_goto_reg(struct x86 *x, const struct insn *insn);
void x86_may_goto(struct x86 *x, const struct insn *insn);
void x86_call(struct x86 *x, const struct insn *insn);         /* x86_call.c */
void x86_load_packet(struct x86 *x, const struct insn *insn);

void x86_enter(struct x86 *x);        /* the entry from C, and the way out of a fault */
void x86_prologue(struct x86 *x);
void x86_epilogue(struct x86 *x);     /* with the return */
void x86_trap(struct x86 *x);         /* ends the program as a fault */

/* May the instruction after x->pc be compiled together with it? NULL: no. */
const struct insn *x86_next(const struct x86 *x);
/* Code emitted since start accesses memory for this instruction. */
void x86_note_fault(struct x86 *x, size_t start, unsigned zero_reg);

int x86_compile(const struct jit_input *input, struct jit_result *result);
uint32_t x86_cpu_features(void);

#endif
