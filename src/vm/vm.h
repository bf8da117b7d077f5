/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm.h (engines) - a program ready to run, and running it.
 *
 * struct code is immutable and lives in the machine's arena, so that every
 * participant can run it: interpreted from insns, or compiled from the
 * position-independent bytes in native, of which each process installs a
 * private executable copy.
 */
#ifndef VM_VM_H
#define VM_VM_H

#include "helper/helper.h"
#include "isa/insn.h"
#include "verify/verify.h"

struct jit_fault;

/*
 * One call that leaves the program: its address differs by process, so that
 * each fills a vector of its own (install.c).
 */
struct code_slot {
	uint32_t kind;            /* enum code_slot_kind */
	uint32_t id;              /* helper id, or map type */
};

struct code_subprog {
	uint32_t start, end;      /* slots */
	uint32_t stack;           /* bytes */
	uint32_t native_off;      /* of its entry in native */
};

struct code {
	uint32_t id;              /* program id; the slot in each process's table of installed code */
	uint32_t len;
	uint32_t prog_type, attach;
	const struct insn *insns; /* maps and map values already addresses (IMM64_VALUE) */
	uint32_t subprog_count;
	const struct code_subprog *subprogs;
	uint32_t stack_depth;
	uint32_t ctx_end, buffer_end; /* bytes of its context, of a tracepoint's buffer, that it
	                           * may look at */
	uint32_t native_size;     /* 0: not compiled */
	const uint8_t *native;
	uint32_t native_enter;    /* offset of the C-callable entry in native */
	uint32_t native_fault;    /* offset of where a fault that ends the program goes on */
	const struct jit_fault *fault_table;
	uint32_t fault_count;
	const uint16_t *handlers; /* per instruction: the interpreter's handler */
	const struct code_slot *slots; /* what each process's vector of calls holds */
	uint32_t slot_count;
	uint64_t stamp;           /* identifies content: installed copies are kept by it */
	size_t size;              /* bytes of this allocation */
	uint64_t *runs;           /* CODE_RUN_STRIDE words for each virtual CPU, whose holder writes */
	uint32_t run_count;       /* how many those are */
	uint64_t missed;          /* atomic, relaxed */
	char name[16];
	uint8_t tag[8];
};

/* Each has a line of the cache. */
enum { CODE_RUN_STRIDE = 8 };

/* What a program array's slot holds. */
struct prog_ref {
	const struct code *code;
	uint64_t refs;
};

/*
 * Builds a code in the arena from a verified program. maps[i] is the struct map
 * of spec->maps[i]. NULL with *error set and an item in diag (a helper that
 * this build does not execute, memory ...). compile: also native code; where
 * compiling is not possible the code is interpreted, with the same results.
 */
struct code *code_new(const struct verified *verified, const struct prog_spec *spec,
		      struct map *const *maps, struct vm_world *world, bool compile, int *error,
		      struct skep_diag *diag);
/* How often it has run. */
uint64_t code_runs(const struct code *code);
/* Is this a code of that arena, whole? For addresses that another process wrote down. */
bool code_sound(const struct code *code, const struct memory *memory);
/* Forgets this process's own copy of it. Nobody may be running it. */
void code_forget(const struct code *code);
/* Nobody may be running it. NULL is accepted. */
void code_free(struct code *code, struct vm_world *world);

/* Appends an item about the fault that ended vm's program; returns -EFAULT. */
int vm_report_fault(const struct vm *vm, const struct skep_where *where, struct skep_diag *diag);

/* Sets up fault handling for this process, once; async-signal-safe engines need it. */
int engine_init(void);

/*
 * How the engine divides vcpu.scratch; what is below it is the helpers'.
 *
 *   0          VM_SCRATCH_CALLS   VM_SCRATCH_STACK      VCPU_SCRATCH
 *   | helpers' | call records ->  |        <- program stack |
 */
#define VM_SCRATCH_CALLS (16 * 1024)
#define VM_SCRATCH_STACK (32 * 1024)

/*
 * Run code on vm->cpu. vm->ctx (and packet ...) are set by the caller, the
 * rest zero. Returns the program's r0; vm->faulted tells a fault. Uses native
 * code where it is installed and interpret is false.
 */
uint64_t vm_run(struct vm *vm, const struct code *code, bool interpret);

/*
 * The same for code that no verifier has seen and no machine owns: the
 * conformance tests. r1 = memory, r2 = size. Not for untrusted input unless
 * bounded: stops with an error after budget instructions (0: none), and
 * confines memory access to memory and the stack. Errors: -EFAULT, -ELOOP,
 * -EINVAL (does not decode).
 */
int vm_run_bare(const struct skep_insn *insns, size_t count, void *memory, size_t size,
		bool interpret, uint64_t budget, uint64_t *r0);

#endif
