/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jit.h - compile a decoded program to native, position-independent code.
 *
 * Compiling is control plane (it may use libc); the code it makes is runtime.
 * Nothing in the bytes depends on where a process has its text: calls go
 * through a vector of addresses that each process fills in front of its copy.
 *
 *   | ... slot 2 | slot 1 | slot 0 | enter: ... fault: ... subprograms ... |
 *                                  ^ bytes                      (jit_result)
 *
 * So slot i is at bytes - 8 * (i + 1), which code reaches relative to itself
 * and which no tail call has to switch. One register points to a jit_frame for
 * as long as generated code runs.
 */
#ifndef JIT_JIT_H
#define JIT_JIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "isa/insn.h"
#include "verify/verify.h"

struct vm;
struct vcpu;

/*
 * What generated code keeps in memory. The engine makes one for each run;
 * generated code knows these offsets (x86.h asserts them).
 */
struct jit_frame {
	struct vm *vm;
	struct vcpu *cpu;
	uint64_t tail_ctx;        /* r1 of the tail call being made */
	void *exit_sp;            /* machine stack at the innermost enter */
	uint8_t *callee_fp;       /* where the stack of a callback begins */
	const void *self;         /* slot JIT_SLOT_SELF of the code that called a helper */
	bool stopped;             /* the program faulted: leave at once */
};

/* The vector's first slots; what follows are the program's own calls. */
enum jit_slot {
	JIT_SLOT_SELF,            /* the installed copy, for callbacks */
	JIT_SLOT_TAIL_CALL,       /* const void *(frame, map, index): where to jump, or NULL */
	JIT_SLOT_PACKET,          /* int64_t (frame, off, width): legacy load; negative: outside */
	JIT_SLOT_CALL_REGISTER,   /* uint64_t (frame, args, id) */
	JIT_SLOT_CALLS,
};

/*
 * How an INSN_CALL of CALL_HELPER is made. The engine says so in the decoded
 * instruction: src = enum jit_call, off = slot in the vector.
 */
enum jit_call {
	JIT_CALL_HELPER,          /* uint64_t fn(vm, args) */
	JIT_CALL_TAIL,            /* leaves the program if it succeeds */
	JIT_CALL_MAP_LOOKUP,      /* void *fn(map, key, cpu) */
	JIT_CALL_ARRAY_LOOKUP,    /* inline: imm indexes jit_input.arrays */
};

/* A load that may fault and then yields 0, or any access, for diagnostics. */
struct jit_fault {
	uint32_t start, end;      /* byte offsets of the access's machine code */
	uint32_t insn;            /* slot */
	uint8_t zero_reg;         /* machine register to clear; 0xff: the fault ends the program */
};

#define JIT_FAULT_ENDS 0xff

struct jit_result {
	uint8_t *bytes;           /* owned: free() */
	size_t size;
	uint32_t *subprog_entry;  /* owned: byte offset per subprogram */
	uint32_t *insn_at;        /* owned: byte offset per slot of the program */
	struct jit_fault *faults; /* owned, sorted */
	size_t fault_count;
	uint32_t enter;           /* offset of a jit_enter_fn */
	uint32_t fault;           /* where a fault that ends the program goes on */
};

/* Runs target, the address of a subprogram's entry, with r1..r5 and the top of
 * its stack. */
typedef uint64_t jit_enter_fn(struct jit_frame *frame, const void *target,
			      const uint64_t args[5], uint8_t *fp);
/* What JIT_SLOT_TAIL_CALL answers may also be C: called in place of the program. */
typedef uint64_t jit_tail_fn(uint64_t ctx, struct jit_frame *frame, uint8_t *fp);

/* An array map whose lookup is compiled inline: values[index & mask] below count. */
struct jit_array {
	uint8_t *values;
	uint32_t count, stride;
};

/* may_goto falls through so often in each frame. */
#define JIT_MAY_GOTO_BUDGET (8u * 1024 * 1024)
/* What a failed tail call leaves in r0. */
#define JIT_TAIL_CALL_FAILED (-22)

enum jit_feature {
	JIT_BMI2 = 1 << 0,
};

/* What the engine offers generated code; the vector's layout is the engine's. */
struct jit_input {
	const struct insn *insns; /* CALL_LOCAL: imm is the index of the subprogram called */
	uint32_t len;
	const struct verified_subprog *subprogs;
	uint32_t subprog_count;
	const struct insn_fact *facts; /* or NULL */
	const struct jit_array *arrays; /* of JIT_CALL_ARRAY_LOOKUP: imm indexes it; or NULL */
	uint32_t cpu_features;
	bool callbacks;           /* a helper may call back: keep jit_frame's callee_fp */
};

/* enum jit_feature of this machine. */
uint32_t jit_cpu_features(void);
/* 0, -ENOMEM, -EOPNOTSUPP (this machine has no back end), -E2BIG. */
int jit_compile(const struct jit_input *input, struct jit_result *result);
void jit_result_done(struct jit_result *result);

#endif
