/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * passes.h - what main.c calls, in order; and what only src/verify's core shares.
 *
 * Threads: confined.
 */
#ifndef VERIFY_PASSES_H
#define VERIFY_PASSES_H

#include "verify/state.h"

/* arena.c: at most one, and only for who may. After find_subprogs(). */
int check_arenas(struct env *env);

/* ctx_btf.c: what the main program is given to keep or to give up. */
int acquire_arguments(struct env *env);

/* attach.c: may the program be attached to what it names? */
int check_target(struct env *env);
/* The security hook it is attached to answers yes or no. */
bool hook_returns_bool(const struct env *env);
/* extend.c: the same where that is a function of another program, whose type an extension
 * takes on; and, after summarise_subprogs(), does it do only what that function does? */
int check_program_target(struct env *env);
/* What is known of that function; NULL: it is not one of the target's. */
const struct func_proof *target_function(const struct env *env);
int check_replacement(struct env *env);
struct func_proof prove_function(const struct env *env, uint32_t subprog);
/* global.c: is the context what the main function takes, and all? */
/* At each call of a static function. */
void note_static_call(struct env *env, uint32_t subprog, const struct reg *regs);
bool main_takes_ctx(const struct env *env);
/* The log says, as of a global function, of which of its pointers the size is not known. */
void trace_main_arguments(struct env *env);
/* caps.c */
void set_caps(struct env *env, const struct skep_verify_opts *opts);
/* The program's type and its maps: may they be had? */
int check_caps(struct env *env);

/* log_stack.c, log_live.c: at level 2, before exploration */
int trace_stacks(struct env *env);
int trace_live(struct env *env);

/* live.c: the registers the instruction reads, and those it gives a new value. */
void insn_effect(struct env *env, uint32_t pc, uint16_t *reads, uint16_t *writes);

/* logbuf.c */
void log_setup(struct env *env, const struct skep_verify_opts *opts);
void log_hand_out(struct env *env, struct skep_verify_result *result);

/* cfg.c */
int decode_program(struct env *env);
int check_encodings(struct env *env);
int find_subprogs(struct env *env);
int check_jumps(struct env *env);
int check_cfg(struct env *env);
/*
 * Where the instruction may go next in its own subprogram: *count of them, in own or in what
 * the subprogram keeps. gotox has its ways once check_cfg() has found them.
 */
const uint32_t *insn_successors(const struct env *env, uint32_t pc, uint32_t own[2],
				unsigned *count);
/* The start of the subprogram it calls or takes the address of; -1: none. */
int64_t insn_callee(const struct env *env, uint32_t pc);

/* indirect.c */
/* Instruction arrays that the program names are frozen, and fit it. */
int check_insn_arrays(struct env *env);
/* subprog.targets of the one that the gotox at pc is in. */
int find_targets(struct env *env, uint32_t pc);
/* *next: where the current path goes on; the other ways are pending. */
int check_goto_reg(struct env *env, uint32_t pc, uint32_t *next);

/* One instruction of the current state; pc is moved on by the caller but for these. */
int check_alu(struct env *env, uint32_t pc);                    /* alu.c */
int check_load(struct env *env, uint32_t pc);                   /* access.c */
int check_store(struct env *env, uint32_t pc);
int check_atomic(struct env *env, uint32_t pc);
int check_load_packet(struct env *env, uint32_t pc);
int check_imm64(struct env *env, uint32_t pc);
int check_cast(struct env *env, uint32_t pc);                   /* arena.c */
int check_local_call(struct env *env, uint32_t *pc);            /* subprog.c */
/* stack_args.c: loads and stores of arguments after the fifth. */
int check_load_arg(struct env *env, uint32_t pc);
int check_store_arg(struct env *env, uint32_t pc);
/* Before a call of subprog: what it takes is there. */
int check_stack_args(struct env *env, uint32_t subprog);
/* They become the callee's. */
int pass_stack_args(struct env *env, struct frame *caller, struct frame *callee);
/* At any call: what was stored, or came from the caller, is gone after it. */
void drop_stack_args(struct frame *frame);
/* After exploration: no function stores more of them than its calls take. */
int check_stack_args_used(struct env *env);
/* global.c: parameters of subprog by its prototype; 0 without one. */
uint32_t parameter_count(const struct env *env, uint32_t subprog);
/* An exit: 1 with *pc set where the caller goes on, 0 at the end of the path. */
int check_exit(struct env *env, uint32_t *pc);
/*
 * A failed packet load, or a tail call that succeeds, ends the running function too, which
 * then returns any number to its caller: another path. Nothing where the program ends.
 * what: "cannot tail call"
 */
int push_early_return(struct env *env, const char *what, bool changes_packet);
static inline bool insn_ends_early(const struct insn *insn)
{
	return insn->kind == INSN_LOAD_PACKET ||
	       (insn->kind == INSN_CALL && insn->op == CALL_HELPER &&
		insn->imm == BPF_FUNC_tail_call);
}
/* depth.c */
int check_stack_depths(struct env *env);
void trace_stack_depths(struct env *env);
/* fastcall.c: after prepare_calls(); at each access of a frame's stack, whose lowest byte
 * is at off; after exploration. */
void find_fastcalls(struct env *env);
void note_stack_use(struct env *env, const struct frame *frame, int32_t off);
void finish_fastcalls(struct env *env);
/* What register regno holds is what the program, global function or asynchronous callback
 * that runs ends with: may it? */
int check_return(struct env *env, int regno);
/* subprog[].changes_packet and might_sleep. After prepare_calls(). */
void summarise_subprogs(struct env *env);

/* exception.c */
/* Where the function that the main one names as its exception callback is; -1: none. */
int find_exception_callback(struct env *env, int64_t *insn);
/* Its prototype: a number for a number. */
int check_exception_callback(struct env *env, uint32_t subprog);
bool insn_throws(const struct env *env, uint32_t pc);
/* The call of bpf_throw() at pc: 1, for the path ends here. */
int check_throw(struct env *env);
/* May pc throw in the last function of this chain of callers? */
int check_throw_place(struct env *env, uint32_t pc, const uint32_t *chain, uint32_t count);
/* map_use.c */
int check_tail_calls(struct env *env);

/* stack.c */
int stack_write(struct env *env, uint32_t pc, int regno, int32_t off, uint32_t size,
		int value_regno);
int stack_read(struct env *env, uint32_t pc, int regno, int32_t off, uint32_t size,
	       int value_regno);
/* "invalid %s stack R%d off=%d size=%d" and kin. */
int check_stack_bounds(struct env *env, int regno, int32_t off, uint32_t size, enum access access,
		       bool in_call);
int check_stack_range(struct env *env, int regno, uint32_t size, struct mem_use use);

/*
 * sanitize.c: all say 0, or the error of a refusal; nothing to do with CAP_PERFMON.
 * before and after surround the making of a pointer's sum; dst is what it is written to.
 */
struct alu_window {
	bool open, to_left;
	uint32_t state, limit;
};
int sanitize_before(struct env *env, const struct insn *insn, struct reg *dst,
		    const struct reg *pointer, const struct reg *number, bool pointer_is_dst,
		    struct alu_window *window);
int sanitize_after(struct env *env, const struct insn *insn, const struct reg *sum,
		   const struct alu_window *window);
int sanitize_numbers(struct env *env, const struct insn *insn);
/* The way that a decided jump does not go. */
int explore_mispredicted(struct env *env, const struct insn *insn, uint32_t next);
/* Before size bytes of the slot get value (NULL: a constant). */
void note_stack_store(struct env *env, uint32_t pc, const struct slot *slot,
		      const struct reg *value, uint32_t size);

/* rewrite.c */
int make_verified(struct env *env, struct verified *out);

/* Destination register rules: R10 is read only. */
int check_reg_write(struct env *env, int regno);

#endif
