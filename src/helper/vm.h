/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vm.h - one invocation of a program, as helpers see it.
 *
 * It lives on the runner's stack for as long as the program runs. Engines
 * (src/vm, src/jit) create it; helpers read it and leave requests in it.
 *
 * Threads: confined.
 */
#ifndef HELPER_VM_H
#define HELPER_VM_H

#include <stdbool.h>
#include <stdint.h>
#include "map/map.h"

struct packet;
struct code;
struct board;
struct targets;
struct task_facts;

/* What one machine offers its programs; in the arena, shared. */
struct vm_world {
	struct memory *memory;
	struct vcpu_set *vcpus;
	struct map *trace;        /* ring buffer that trace_printk writes its lines to */
	uint64_t boot_ns;
	struct task_table *tasks; /* what programs see of threads (task.h) */
	struct targets *targets;  /* processes with the agent (hook/targets.h); NULL before any */
	struct board *board;      /* what is attached to what (hook/board.h); NULL before anything is */
};

enum redirect { REDIRECT_NONE, REDIRECT_IFINDEX, REDIRECT_PEER, REDIRECT_NEIGH, REDIRECT_MAP };

struct vm {
	const struct code *code;  /* the program running now (changes on a tail call) */
	struct vm_world *world;
	struct vcpu *cpu;
	void *ctx;                /* what the program's r1 was */
	struct packet *packet;    /* the packet behind ctx, for packet program types; or NULL */
	uint32_t tail_calls;      /* made so far; at most 33 */
	uint32_t prog_type;
	uint64_t cookie;          /* bpf_get_attach_cookie */
	uint64_t func_ip;         /* bpf_get_func_ip */
	const uint64_t *regs;     /* interrupted registers (pt_regs), for stacks; or NULL */
	struct task_facts *task;  /* of this thread (task.h); NULL: nothing is known */
	uint32_t arg_count;       /* u64 arguments at ctx, for bpf_get_func_arg */
	bool has_result;          /* and what the function returned is behind them */
	bool overrides;           /* bpf_override_return was called, and said: */
	uint64_t override;
	/*
	 * Calls a subprogram of the running program back: fn is what INSN_IMM64 of
	 * IMM64_FUNC put in a register. Set by the engine.
	 */
	uint64_t (*callback)(struct vm *vm, uint64_t fn, uint64_t a1, uint64_t a2, uint64_t a3,
			     uint64_t a4, uint64_t a5);
	/* A fault that ended the program: address and slot; see vm_run(). */
	bool faulted;
	uint64_t fault_address;
	uint32_t fault_insn;
	uint32_t redirect_kind;   /* what redirect helpers asked for: enum redirect */
	uint32_t redirect_ifindex;
	uint64_t redirect_flags;
	struct map *redirect_map;
	uint64_t redirect_key;
	void *engine;             /* private to the engine */
};

/*
 * Each field by itself: without vector registers that is faster than clearing it first. Not those
 * that say something only if another does: overrides, faulted, redirect_kind.
 */
static inline void vm_begin(struct vm *vm, struct vm_world *world, struct vcpu *cpu)
{
	vm->code = NULL;
	vm->world = world;
	vm->cpu = cpu;
	vm->ctx = NULL;
	vm->packet = NULL;
	vm->tail_calls = vm->prog_type = 0;
	vm->cookie = vm->func_ip = 0;
	vm->regs = NULL;
	vm->task = NULL;
	vm->arg_count = 0;
	vm->has_result = vm->overrides = false;
	vm->callback = NULL;
	vm->faulted = false;
	vm->redirect_kind = REDIRECT_NONE;
	vm->engine = NULL;
}

#endif
