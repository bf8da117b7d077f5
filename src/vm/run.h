/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.h - one run of a program, as the engine sees it. [runtime]
 *
 * vm_run() makes a struct run on its own stack and hangs it on vm->engine.
 * Both engines use it: generated code knows its first member (jit_frame), the
 * interpreter the rest. A tail call may lead from native code to interpreted
 * code inside the same run, never the other way.
 *
 * Threads: confined.
 */
#ifndef VM_RUN_H
#define VM_RUN_H

#include "helper/vm.h"
#include "jit/jit.h"
#include "vm/vm.h"

/* What a local call leaves behind for the exit of the subprogram. */
struct call_record {
	const struct code *code;
	uint8_t *fp;
	uint32_t pc;             /* slot to go on at */
	uint32_t may_goto;       /* iterations left to the caller */
	uint64_t saved[4];       /* r6..r9 */
};

struct run {
	struct jit_frame frame;  /* first: generated code holds its address */
	const struct code *code; /* interpreted code that called a helper, for callbacks */
	struct call_record *records, *records_end; /* free ones, upwards */
	uint8_t *stack_end;      /* lowest address of the program stack */
	const struct code *tail; /* target of a tail call out of native code */

	/* Bare code only. */
	bool watched;            /* look at each instruction before it runs */
	bool counted;            /* budget counts */
	uint64_t budget;
	uint8_t *stack_top;
	const uint8_t *memory;
	size_t memory_size;
	int error;
};

#define TAIL_CALL_LIMIT 33u

/*
 * Interpret code from slot pc, the start of a subprogram, to its exit. args:
 * r1..r5. fp: top of its stack. After a fault run->frame.stopped is set.
 */
uint64_t interpret(struct run *run, const struct code *code, uint32_t pc, const uint64_t args[5],
		   uint8_t *fp);
/* The interpreter's handler for an instruction: what code.handlers holds. */
uint16_t interpret_handler(const struct insn *insn);
/* The machine code of the interpreter whose faults it answers for itself. */
void interpret_fault_range(const void **start, const void **end);
bool interpret_on_fault(void *arg, void *ucontext, uint64_t address);

/* Ends the run, in this code: after a tail call it need not be vm->code. */
void run_fault(struct run *run, const struct code *code, uint32_t insn, uint64_t address);
/* The subprogram that starts at a slot; NULL if none does. */
const struct code_subprog *run_subprog(const struct code *code, uint64_t slot);
/* The program to go on with, counted; NULL: the tail call fails. */
const struct code *run_tail_target(struct vm *vm, struct map *map, uint64_t index);
/* vm->callback of every run. */
uint64_t run_callback(struct vm *vm, uint64_t fn, uint64_t a1, uint64_t a2, uint64_t a3,
		      uint64_t a4, uint64_t a5);
/* Legacy packet access: the value in host order, or negative when outside. */
int64_t run_packet(struct jit_frame *frame, int32_t off, uint32_t width);

#endif
