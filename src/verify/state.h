/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state.h - what the verifier knows at one point of one path.
 *
 * The verifier runs a program with descriptions in place of values. A state is
 * a stack of frames (one per active subprogram), each with eleven registers
 * and a typed stack, and what belongs to the path as a whole: references held,
 * locks, sections. A branch whose outcome is not known copies the state; a
 * path that arrives with a state covered by one already explored ends.
 *
 *   env -> cur (state) -> frame[0..depth] -> reg[0..10]
 *                                         -> slot[0..slots)   8 bytes each
 *                      -> ref[0..ref_count)
 *                      -> parent (the state at the last checkpoint)
 *
 * Everything lives in the environment's arena. Functions that return int give
 * 0, or the negative errno that ends verification; one that found the program
 * wrong has said so with reject(). One that ran out of memory need not.
 *
 * Threads: confined.
 */
#ifndef VERIFY_STATE_H
#define VERIFY_STATE_H

#include "base/base.h"
#include "btf/btf.h"
#include "helper/helper.h"
#include "map/map.h"
#include "prog/kernel.h"
#include "verify/scalar.h"
#include "verify/verify.h"

enum {
	FRAMES_MAX = 16,
	REG_COUNT = 11,
	REG_FP = 10,
	SLOT_SIZE = 8,
	STACK_SLOTS = INSN_STACK_SIZE / SLOT_SIZE,
	SUBPROGS_MAX = 256,
	INSN_BUDGET = 1000000,
	INSN_BUDGET_OLD = 131072,    /* before 5.2 */
	JUMPS_PENDING_MAX = 8192,
	STATES_PER_INSN_MAX = 64,
	PACKET_OFF_MAX = 0xffff,
	VAR_OFF_MAX = 1 << 29,       /* a pointer may not move further than this */
	VALUE_SIZE_MAX = 1 << 29,
	ITER_LOOPS_MAX = 8388608,
};

/* --- registers --- */

enum reg_type {
	REG_NOT_INIT,
	REG_SCALAR,
	REG_CTX,
	REG_MAP,             /* CONST_PTR_TO_MAP */
	REG_MAP_VALUE,
	REG_MAP_KEY,
	REG_STACK,
	REG_PACKET_META,
	REG_PACKET,
	REG_PACKET_END,
	REG_FLOW_KEYS,
	REG_SOCKET,
	REG_SOCK_COMMON,
	REG_TCP_SOCK,
	REG_TP_BUFFER,
	REG_XDP_SOCK,
	REG_BTF,             /* a kernel object, type btf_id */
	REG_MEM,             /* mem_size bytes */
	REG_BUF,
	REG_FUNC,            /* a callback: subprog */
	REG_DYNPTR,          /* CONST_PTR_TO_DYNPTR: an argument of a global function or callback */
	REG_ARENA,
	REG_INSN,            /* a value of an instruction array: the target of gotox */
	REG_TYPE_COUNT,
};

/* What qualifies a type. */
enum reg_flag {
	REG_MAYBE_NULL = 1 << 0,
	REG_RDONLY = 1 << 1,
	REG_RINGBUF = 1 << 2,     /* what ringbuf_reserve returned */
	REG_USER = 1 << 3,
	REG_PERCPU = 1 << 4,
	REG_UNTRUSTED = 1 << 5,
	REG_ALLOC = 1 << 6,       /* an object of the program's own (bpf_obj_new) */
	REG_TRUSTED = 1 << 7,
	REG_RCU = 1 << 8,
	REG_NON_OWN_REF = 1 << 9,
	REG_DYNPTR_LOCAL = 1 << 10,
	REG_DYNPTR_RINGBUF = 1 << 11,
	REG_DYNPTR_SKB = 1 << 12,
	REG_DYNPTR_XDP = 1 << 13,
	REG_DYNPTR_SKB_META = 1 << 14,
	REG_DYNPTR_FILE = 1 << 15,
	REG_WRITE_ONCE = 1 << 16, /* helper arguments only */
};
#define REG_DYNPTR_KINDS                                                                      \
	(REG_DYNPTR_LOCAL | REG_DYNPTR_RINGBUF | REG_DYNPTR_SKB | REG_DYNPTR_XDP |            \
	 REG_DYNPTR_SKB_META | REG_DYNPTR_FILE)

enum dynptr_kind {
	DYNPTR_NONE, DYNPTR_LOCAL, DYNPTR_RINGBUF, DYNPTR_SKB, DYNPTR_XDP, DYNPTR_SKB_META,
	DYNPTR_FILE,
};

enum iter_state { ITER_INVALID, ITER_ACTIVE, ITER_DRAINED };

/*
 * One register, or one spilled to the stack, or the description of a slot that
 * holds part of a dynptr, iterator or IRQ flag.
 *
 * A pointer's value is base + off + var, where var is a scalar; a number's is
 * var. `id` says that registers with the same number hold the same thing: for
 * scalars the same value (plus link_off when link_add), for nullable pointers
 * the same answer to "is it NULL", for packet pointers the same var.
 */
struct reg {
	uint8_t type;            /* enum reg_type */
	bool precise;            /* scalars: its exact value mattered; see precise.c */
	bool link_add;           /* scalars: value = value of id + link_off */
	bool subreg_only;        /* last written as a 32-bit result (upper half zero) */
	uint8_t frameno;         /* REG_STACK: whose stack */
	uint32_t flags;          /* enum reg_flag */
	int32_t off;             /* pointers: fixed offset */
	int32_t link_off;
	uint32_t id;
	uint32_t ref_id;         /* the reference that keeps it alive; 0: none */
	union {
		uint32_t range;  /* PACKET, PACKET_META: bytes proved readable from here;
				  * PACKET_END: 0, or RANGE_* */
		struct {         /* MAP, MAP_VALUE, MAP_KEY */
			const struct map_spec *map;
			uint32_t map_index; /* in spec->maps; UINT32_MAX: an inner map */
			uint32_t map_uid;   /* tells values from lookups in different inner maps */
		};
		struct {         /* BTF, and the ALLOC pointers */
			const struct skep_btf *btf;
			uint32_t btf_id;
		};
		struct {         /* MEM, BUF */
			uint32_t mem_size;
			uint32_t dynptr_id; /* slices: of which dynptr */
		};
		struct {         /* DYNPTR, and dynptr slots */
			uint8_t dynptr;     /* enum dynptr_kind */
			bool dynptr_first;  /* the first of its two slots */
		};
		struct {         /* iterator slots */
			const struct skep_btf *iter_btf;
			uint32_t iter_btf_id;
			uint32_t iter_depth;
			uint8_t iter_state; /* enum iter_state */
		};
		uint32_t irq_kind;
		uint32_t subprog;        /* FUNC */
	};
	struct scalar var;
};

#define RANGE_AT_END UINT32_MAX        /* packet pointer known == packet_end */
#define RANGE_BEYOND_END (UINT32_MAX - 1)

static inline bool reg_is(const struct reg *reg, enum reg_type type)
{
	return reg->type == type && !(reg->flags & REG_MAYBE_NULL);
}
static inline bool reg_maybe_null(const struct reg *reg) { return reg->flags & REG_MAYBE_NULL; }
/* Inside an instruction array's value: what is loaded there are addresses of instructions. */
static inline bool reg_in_table(const struct reg *reg)
{
	return reg->type == REG_MAP_VALUE && reg->map->type == BPF_MAP_TYPE_INSN_ARRAY;
}
static inline bool reg_is_pointer(const struct reg *reg)
{
	return reg->type != REG_NOT_INIT && reg->type != REG_SCALAR;
}
static inline bool reg_is_packet(const struct reg *reg)
{
	return reg->type == REG_PACKET || reg->type == REG_PACKET_META;
}
/* Bytes of the packet proved readable from the pointer's base: none at or beyond its end. */
static inline uint32_t packet_range(const struct reg *reg)
{
	return reg->range >= RANGE_BEYOND_END ? 0 : reg->range;
}
/* A number; or how far a pointer is from where it points to at first. */
static inline struct scalar reg_distance(const struct reg *reg)
{
	if (reg->type == REG_SCALAR || !reg->off)
		return reg->var;
	return scalar_add(reg->var, scalar_const((uint64_t)(int64_t)reg->off), 8, 8);
}
/* A scalar known to be zero. */
static inline bool reg_is_zero(const struct reg *reg)
{
	return reg->type == REG_SCALAR && scalar_is(reg->var, 0);
}
static inline bool reg_is_const(const struct reg *reg)
{
	return reg->type == REG_SCALAR && scalar_is_const(reg->var);
}

/* --- the stack --- */

enum slot_byte {
	SLOT_INVALID,        /* never written */
	SLOT_SPILL,          /* part of the register in slot.reg */
	SLOT_MISC,           /* written, unknown */
	SLOT_ZERO,
	SLOT_DYNPTR,
	SLOT_ITER,
	SLOT_IRQ_FLAG,
	SLOT_POISON,         /* dead: no path from here reads it before writing it */
};

/*
 * Eight bytes of stack. byte[i] describes the byte at address base + i, where
 * base is 8-aligned; slot 0 is fp-8..fp-1, slot 1 fp-16..fp-9, and so on. A
 * spill of 8 bytes fills all of byte[]; a narrower one fills its bytes.
 */
struct slot {
	struct reg reg;
	uint8_t byte[SLOT_SIZE]; /* enum slot_byte */
};

static inline int slot_of(int32_t off) { return (-off - 1) / SLOT_SIZE; }     /* off < 0 */
static inline int slot_byte_of(int32_t off) { return SLOT_SIZE - 1 - ((-off - 1) % SLOT_SIZE); }
/* Does it hold a register? (its top byte; all spills cover the slot's lowest address) */
static inline bool slot_is_spill(const struct slot *slot)
{
	return slot->byte[0] == SLOT_SPILL;
}

/* --- frames, references, states --- */

struct stack_view;
struct stack_args;

struct frame {
	struct reg reg[REG_COUNT];
	struct slot *slot;
	uint32_t slots, slot_room;   /* entries in slot, up to STACK_SLOTS; and room for so many */
	struct stack_args *args;     /* stack_args.c; NULL: none */
	uint8_t args_given;          /* how many stack arguments it was called with */
	bool args_closed;            /* it stored one, or called: its own are gone */
	struct stack_view *view;     /* which of its stack is live where (live_stack.h); or NULL */
	int32_t callsite;            /* the call instruction; -1: main */
	uint32_t subprog, start;     /* start: its first instruction */
	const char *name;            /* of the function; or NULL */
	uint8_t frameno;
	bool in_callback;            /* entered as a callback from its parent frame's call */
	bool in_async;               /* timer or work queue callback: no parent */
	bool in_exception;
	uint32_t async_entries;
	uint32_t callback_depth;     /* iterations of the callback called from here */
	struct return_range returns; /* callbacks: what they may return */
	uint64_t uid;                /* distinct per call */
};

/*
 * The arguments after the fifth: those the function was called with, and those it
 * stored for the call it makes next. None of either is known to be there until it
 * has been put there; NULL in a frame: none ever was.
 */
struct stack_args {
	struct reg in[INSN_STACK_ARGS_MAX], out[INSN_STACK_ARGS_MAX];
};

enum ref_kind { REF_PTR, REF_LOCK, REF_RES_LOCK, REF_RES_LOCK_IRQ, REF_IRQ };

struct ref {
	uint8_t kind;            /* enum ref_kind */
	uint32_t id;
	uint32_t insn;           /* where it was acquired */
	uint32_t parent;         /* the reference that must outlive it; 0: none */
	const void *ptr;         /* locks: map or BTF they belong to */
};

/* One executed instruction, for going backwards (precise.c). */
struct step {
	uint32_t insn;
	uint8_t stack_access;    /* 0: none; 1 + frameno */
	uint8_t slot;
	uint16_t linked;         /* registers of this frame that shared an id at a branch */
	uint64_t linked_slots;   /* and slots */
};

struct state {
	struct frame *frame[FRAMES_MAX];
	uint32_t depth;          /* index of the running frame */
	struct ref *ref;
	uint32_t ref_count, ref_size;
	uint32_t active_locks, active_preempt, active_rcu; /* nesting */
	uint32_t active_irq;     /* reference of the newest IRQ flag; 0: interrupts are on */
	uint32_t active_lock_id;
	const void *active_lock_ptr;
	bool speculative, in_sleepable;

	uint32_t insn;           /* next to execute, when pending */
	uint32_t first_insn;     /* of the stretch since the parent */
	struct step *step;       /* the stretch, oldest first */
	uint32_t step_count, step_size;
	uint32_t history, history_at; /* for prune.c: steps counted so far, and up to where */

	struct state *parent;    /* the checkpoint this one came from */
	uint32_t branches;       /* unfinished paths that go through it */
	uint32_t path_depth;     /* checkpoints from the start */
	uint32_t mark;           /* the observer's; see observe.h */
	uint32_t callback_unroll, may_goto_depth;
	uint32_t insn_seen, jump_seen; /* counters at the checkpoint */
	struct state *loop;      /* loop.c: an earlier state that paths from here lead back to */
	struct back_edge *edges; /* of a state that paths lead back to: those paths' ends */
	bool is_loop_head, all_precise;
	struct state *retired_next;
};

static inline struct frame *state_frame(const struct state *state)
{
	return state->frame[state->depth];
}
static inline struct reg *state_regs(const struct state *state)
{
	return state_frame(state)->reg;
}

/* A state to continue with: the other side of a branch. */
struct pending {
	struct pending *next;
	struct state *state;
	uint32_t insn, prev;
	size_t log_len;
};

/* A state kept at a pruning point. */
struct explored {
	struct explored *next;
	struct state *state;
	uint32_t insn;
	uint32_t hits, misses;
	bool in_free_list;
};

/* --- the environment --- */

struct subprog {
	uint32_t start, end;
	uint32_t stack;          /* bytes used, before rounding */
	uint32_t stack_needed;   /* less what fastcall.c finds superfluous */
	uint8_t stack_place;     /* for depth.c */
	int32_t fastcall_off;    /* for fastcall.c: slots below only save registers around calls */
	bool keeps_saves;
	uint8_t args_stored;     /* stack arguments: the last one that is stored for a call */
	uint8_t args_passed;     /* and the most that one of its calls takes */
	bool is_global, has_tail_call, has_ld_abs, is_callback, is_async, is_exception;
	bool tail_call_reachable, changes_packet, might_sleep, throws;
	bool unreliable;         /* static: called with other arguments than its types say */
	bool called;             /* global: some verified code calls it */
	bool verified;           /* global: done */
	struct stack_view *views;
	uint32_t *targets, target_count; /* where each gotox may lead, in order (indirect.c) */
	const char *name;
	uint32_t type;           /* BTF id of its FUNC; 0: unknown */
};

/* Where two states last differed: states that differ once often do so at the same place. */
struct difference {
	bool known, in_stack;
	uint8_t frame, index;    /* register, or slot */
};

/* Per slot; the engines' facts are made from it. */
struct insn_info {
	struct difference differ; /* of states compared here */
	bool seen, prune_point, force_checkpoint, jump_point, calls_callback, is_iter_next;
	bool indirect_target;
	bool zero_ext;
	bool fault_zero;
	bool map_field, map_beyond, not_map; /* it reads a map itself; where we have no such field */
	int32_t map_shift;       /* from the kernel's field to ours */
	uint16_t live;           /* registers live before it */
	uint16_t touched;        /* what going back over it may concern; see precise.c */
	bool nospec;             /* a barrier before it: speculation never gets there */
	bool nospec_result;      /* a barrier after it */
	uint32_t alu_state, alu_limit; /* how a sum with a pointer is masked (sanitize.c) */
	const struct ctx_field *ctx_field; /* the context field it accesses; same on all paths */
	uint8_t ctx_off, ctx_size;         /* bytes inside the field */
	uint8_t ptr_type;        /* 1 + enum reg_type of the memory it accessed; 0: none yet */
	uint32_t ptr_flags;
	bool map_seen, map_poisoned; /* calls: argument 1 was maps[map] on all paths */
	uint32_t map;
	bool key_seen, key_poisoned;
	uint64_t key;
	bool maybe_null, never_null; /* what a NULL test found */
	bool fastcall;           /* part of a call around which registers are saved (fastcall.c) */
	uint64_t call_aux;       /* for call.c and kfunc.c */
	const void *call_ptr;
};

struct verify_observer;
/* What a global map's special fields are (timers, locks, kernel pointers ...). */
struct map_fields;

struct env {
	const struct prog_spec *spec; /* an extension's is made up: its target's type */
	const struct prog_type *type;
	struct prog_spec extension;
	bool extends;                /* the main function replaces one of another program */
	struct skep_verify_result *result;
	struct skep_diag *diag;
	const struct verify_observer *observer; /* or NULL; see observe.h */
	const struct skep_btf *kernel_btf;
	uint32_t flags;              /* enum skep_verify_flags */
	unsigned log_level;
	uint32_t kernel;             /* its verifier's abilities; 0: all (prog/kernel.h) */
	unsigned caps;               /* enum needs: what who loads it has (caps.c) */
	bool cap_bpf;                /* loops, functions, precision */
	bool cap_perfmon;            /* addresses may be seen, speculation does not matter */
	bool sleepable, strict_alignment, gpl;

	struct arena arena;
	struct free_block *free[64]; /* by size class */

	struct insn *insns;          /* decoded; len entries */
	uint32_t len;
	struct insn_info *info;      /* len entries */
	struct subprog subprog[SUBPROGS_MAX + 2];
	uint32_t subprog_count;
	int32_t exception_subprog;   /* -1: none */
	uint64_t next_uid;
	uint32_t view_insns;         /* in all stack views */

	struct state *cur;
	uint32_t pc, prev_pc;
	struct pending *pending;     /* states to continue with */
	uint32_t pending_count;
	struct explored **explored;  /* len entries: lists by instruction */
	uint32_t next_id;

	uint32_t processed, jumps, insn_at_checkpoint, jumps_at_checkpoint;
	struct state *retired;       /* linked by retired_next, until their loops are done */
	uint32_t states_total, states_now, states_peak, states_per_insn_max;
	uint32_t longest_mark;

	struct skep_text log;        /* of the path being explored; kept from the last branch
	                              * at level 1 when a path is accepted */
	size_t log_keep;             /* bytes to keep of it (logbuf.c) */
	size_t log_lost, log_most;   /* not in log; the most there ever was */
	size_t insn_line, insn_end;  /* log positions around the instruction printed last */
	uint16_t fresh_regs;         /* of the running frame, to be shown after it */
	uint64_t fresh_slots;
	uint32_t log_line;           /* line_info row printed last + 1 */
	bool exploring;              /* pc is where we are; else structural_insn, or -1 */
	int64_t structural_insn;
	bool show_path;              /* the next instruction starts another path */
	bool rejected;
	bool stopped;                /* by the observer */
	bool tentative;              /* a refusal goes to the log, and is no verdict */
	bool in_insn;                /* so does one of a speculative path here */
	bool explore_alu_limits;     /* sums are masked: numbers are told apart exactly */
	enum skep_code code;         /* of the rejection */
	bool rejected_outside;       /* found without running anything */
	uint32_t errors;             /* rejections so far; see verify_observer */
	uint32_t stack_depth;
	uint32_t ctx_end;            /* of the part of the context that was accessed */
	uint32_t buffer_end;         /* of the same of a tracepoint's buffer */
	uint32_t arg_ref[12];        /* references that came as arguments (ctx_btf.c) */
	const struct map_spec *arena_map; /* the one it refers to; or NULL (arena.c) */
	const void *call_private;    /* for call.c and kfunc.c */
};

/* May this be followed, by the release that is asked about? */
static inline bool env_can(const struct env *env, enum ability ability)
{
	if (kernel_can(env->kernel, ability))
		return true;
	env->result->lacked |= UINT32_C(1) << ability;
	return false;
}

/* --- errors (log.c) --- */

/*
 * Print one line to the log, remember it as the verdict with the current
 * instruction, append the diagnostic with its source line. Returns error.
 */
int reject(struct env *env, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The place of an instruction (-1: of the program), its line as it stands in the source. */
struct skep_where insn_where(const struct env *env, int64_t insn);

/* Why a register is no argument of the type asked for. */
static inline enum skep_code misfit_code(const struct reg *reg)
{
	return reg_maybe_null(reg) ? SKEP_VERIFY_NULL : SKEP_VERIFY_ARG;
}

/* As reject(), with a verifier code other than the one error implies. */
int reject_as(struct env *env, enum skep_code code, int error, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Is a refusal with this error no verdict here, because it can only be reached by a guess? */
bool may_speculate(const struct env *env, int error);
/* A line that goes before the verdict, or informs. No final newline in fmt. */
void explain(struct env *env, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Text as it is, in the log only, when log_level & mask. */
void trace(struct env *env, unsigned mask, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* "map_value_or_null", "ptr_", "trusted_ptr_or_null_": rotating buffers, 4 live at a time. */
const char *reg_type_text(const struct reg *reg);
const char *reg_type_name(enum reg_type type, uint32_t flags);
/* " R0=4 R10=fp0 fp-8=ctx()": what changed in the frame, or all of it. No newline. */
void trace_state(struct env *env, unsigned mask, const struct state *state, uint32_t frameno,
		 bool all);
/* The same of one register or slot of a frame, as text; a slot that holds nothing adds none. */
void reg_write(struct skep_text *out, const struct reg *reg, uint32_t frameno);
void slot_write(struct skep_text *out, const struct slot *slot, uint32_t frameno);
/* A letter for each byte, from the highest address down. false: nothing is there. */
bool slot_bytes(const struct slot *slot, char bytes[SLOT_SIZE + 1]);
/* The instruction, its source line before it, the state after it (log.c). */
void trace_insn(struct env *env, uint32_t pc);
void trace_fresh(struct env *env, uint32_t pc);
/* "(b7) r0 = 0" and a newline. */
void trace_text(struct env *env, uint32_t pc);
static inline void show_reg(struct env *env, int regno) { env->fresh_regs |= (uint16_t)(1u << regno); }
static inline void show_slot(struct env *env, uint32_t slot) { env->fresh_slots |= UINT64_C(1) << slot; }

/* --- who loads it (caps.c) --- */

/* Those of needs that are not there. */
static inline unsigned lacks(const struct env *env, unsigned needs) { return needs & ~env->caps; }

/* --- how much of the log is kept (logbuf.c) --- */

size_t log_position(const struct env *env);
/* Forget what was said since; not what is gone already. */
void log_go_back(struct env *env, size_t position);
/* The column of what is said behind a line of that width. */
size_t log_column(size_t width);
/* After adding to it. */
void log_trim(struct env *env);

/* --- allocation (state.c): zeroed; NULL out of memory --- */

void *env_alloc(struct env *env, size_t size);
void env_free(struct env *env, void *ptr);
struct state *state_copy(struct env *env, const struct state *from);
int state_assign(struct env *env, struct state *to, const struct state *from);
void state_free(struct env *env, struct state *state);
struct frame *frame_new(struct env *env, uint32_t subprog, int32_t callsite, uint32_t frameno);
void frame_free(struct env *env, struct frame *frame);
/* Continue later from insn with a copy of the current state. NULL: out of memory or
 * too many (said). speculative is for unprivileged programs. */
struct state *push_state(struct env *env, uint32_t insn, uint32_t prev, bool speculative);
/* As push_state(), but starting afresh in an asynchronous callback. */
struct state *push_async(struct env *env, uint32_t insn, uint32_t subprog, bool sleepable);

/* --- registers (state.c) --- */

void reg_set_not_init(struct reg *reg);
void reg_set_unknown(struct env *env, struct reg *reg);  /* a scalar */
void reg_set_const(struct env *env, struct reg *reg, uint64_t value);
void reg_set_scalar(struct env *env, struct reg *reg, struct scalar value);
/* A pointer of offset 0, id and reference 0; the caller fills the union. */
void reg_set_pointer(struct reg *reg, enum reg_type type, uint32_t flags);
static inline uint32_t new_id(struct env *env) { return ++env->next_id; }
/* After a call: R1-R5 not initialised, R0 as the caller sets it. */
void clear_caller_saved(struct env *env, struct reg *regs);
/* Every register and spilled register of every frame. */
typedef void reg_visit_fn(struct env *env, struct reg *reg, void *arg);
void state_each_reg(struct env *env, struct state *state, reg_visit_fn *fn, void *arg);
/* The packet may have moved: packet pointers and slices of it become unknown. */
void clear_packet_pointers(struct env *env);
/* Registers whose reference is id become unknown (scalars, or not initialised). */
void invalidate_reference(struct env *env, uint32_t ref_id);

/* --- memory (memory.c, stack.c) --- */

enum access { ACCESS_READ = 1, ACCESS_WRITE = 2, ACCESS_ATOMIC = 3 };

/*
 * May the instruction at pc access size bytes at register regno + off?
 * A read with value_regno >= 0 sets that register; a write stores it. In a call
 * (helper arguments) value_regno is -1.
 */
int check_mem(struct env *env, uint32_t pc, int regno, int32_t off, uint32_t size,
	      enum access access, int value_regno, bool sign_extend, bool strict);
/*
 * A helper's or kernel function's memory argument: size bytes (0: none) from
 * regno on, read and/or written. Stack: reads must be initialised (marks them
 * as read); writes mark them as written when `writes` (uninit arguments too).
 * meta is passed on to nothing: raw mode is `uninit`.
 */
struct mem_use {
	bool writes;             /* the callee writes it */
	bool uninit;             /* it need not be initialised before (raw mode) */
	bool zero_size_ok;
	bool nullable;           /* NULL allowed with size 0 */
};
int check_helper_mem(struct env *env, int regno, uint32_t size, struct mem_use use);
/* The same with the size in another register (bounded; marks it precise). */
int check_mem_size_reg(struct env *env, int mem_regno, int size_regno, struct mem_use use);
/* Is the address a multiple of size? Asked where strict, for the stack always. */
int check_alignment(struct env *env, int regno, int32_t off, uint32_t size, bool strict);
/* Common region rule: off + var + size inside [0, mem_size). */
int check_mem_region(struct env *env, int regno, int32_t off, uint32_t size, uint32_t mem_size,
		     bool zero_size_ok);
/* May any byte of the context be pointed to, and passed as memory? */
bool ctx_is_region(const struct env *env);
/* "dereference of modified %s ptr": off and var must be zero (fixed off allowed or not). */
int check_ptr_off(struct env *env, const struct reg *reg, int regno, bool fixed_off_ok);
int check_map_access(struct env *env, int regno, int32_t off, uint32_t size, bool zero_size_ok,
		     enum access access);
int check_packet_access(struct env *env, int regno, int32_t off, uint32_t size,
			bool zero_size_ok);
/* Is register regno initialised (readable as an operand)? "R%d !read_ok". */
int check_reg_read(struct env *env, int regno);
/* May it be passed on as an integer argument? Unprivileged: no pointers. */
bool may_leak(const struct env *env, const struct reg *reg);

/* The frame whose stack a REG_STACK register points to. */
struct frame *stack_frame(struct env *env, const struct reg *reg);
/* Make room for slots down to off (negative). */
int stack_grow(struct env *env, struct frame *frame, int32_t off);
/* Replaced by unknown bytes; a dynptr or iterator there is destroyed or refused. */
void slot_set_misc(struct slot *slot, int byte);
void slot_set_invalid(struct slot *slot);
/* Remember that the step at pc accessed this slot, for precision. */
int step_stack_access(struct env *env, uint32_t frameno, uint32_t slot);
/* Is a constant known at these stack bytes (a key, say)? */
bool stack_const(struct env *env, const struct reg *reg, uint32_t size, uint64_t *value);

/* --- precision (precise.c): this register's exact value decided something --- */

/*
 * All walk the records of executed instructions (state.step: one for every
 * instruction, none left out). mark_precise() and its kin are called while the
 * newest record is that of the instruction being checked, propagate_precision()
 * before the record of the instruction at pc is made. A checkpoint's own records
 * end with the instruction executed just before it.
 */
int mark_precise(struct env *env, int regno);
/* Fills info[].touched; before exploration. */
void note_touched(struct env *env);
/* Several registers of the running frame at once (bits of regs). */
int mark_precise_regs(struct env *env, uint16_t regs);
/* A slot of the running frame (its spilled number, or its zeros). */
int mark_precise_slot(struct env *env, uint32_t frameno, uint32_t slot);
/* The current path ends because `old` covers it: what is precise in old becomes so in the
 * stretch that led here and in its parents. *changed is set if anything was new. */
int propagate_precision(struct env *env, const struct state *old, struct state *cur,
			bool *changed);
/* Every number in the state and in those before it may have mattered. */
void mark_all_precise(struct state *state);

/* --- liveness and pruning (live.c, prune.c) --- */

/* Fills info[].live. After prepare_calls(), before exploration. */
int compute_live_registers(struct env *env);
/*
 * At a pruning point, before the record of pc is made: 1 when the current path
 * may end here, because what would follow was found safe before; 0 to go on;
 * negative: rejected, or out of memory. May make the current state a checkpoint.
 */
int check_visited(struct env *env);

/* --- loops (loop.c) --- */

/*
 * The current path ends because `old`, which is not done yet or depends on a
 * state that is not, covers it: what will be found precise in old becomes so
 * on the way here once that is known.
 */
int close_loop(struct env *env, struct state *old);
/* Is what is marked in this finished state not all there is to mark? */
bool loop_open(struct state *state);
/* A path ended (exit, or pruned) with this state: its parents have one branch less. */
int path_done(struct env *env, struct state *state);
/* Frees a state that is no longer kept for comparison, once nothing else needs it. */
void state_retire(struct env *env, struct state *state);

/* --- branches and subprograms (branch.c, subprog.c) --- */

/*
 * INSN_JUMP and INSN_MAY_GOTO, whole: *next is where the current path goes on;
 * the other side, where there is one, is pending. pc is env->pc.
 */
int check_jump(struct env *env, uint32_t pc, uint32_t *next);
int check_may_goto(struct env *env, uint32_t pc, uint32_t *next);
/* The newest checkpoint on this path at this instruction in the same calls; or NULL. */
struct state *previous_entry(struct env *env, uint32_t insn);
/* Numbers that differ between two rounds of a loop and are not precise become unknown. */
void widen_numbers(struct env *env, const struct state *old, struct state *cur);
/* Registers sharing id learn whether they are NULL. */
void mark_null(struct env *env, struct state *state, uint32_t id, bool is_null);
/* Subprogram that starts at this slot; -1: none. */
int subprog_at(const struct env *env, uint32_t insn);
/* Subprogram that an instruction belongs to. */
uint32_t subprog_of(const struct env *env, uint32_t insn);

/*
 * Enter subprog as a callback of the call at pc: pushes a state that runs it
 * in a new frame whose arguments set() describes, and leaves the current state
 * to go on as if it had been called any number of times (or not at all).
 * returns: what it must return. async: nothing of the caller's is visible.
 */
typedef int callback_set_fn(struct env *env, const struct frame *caller, struct frame *callee,
			    uint32_t pc);
int push_callback(struct env *env, uint32_t pc, uint32_t subprog, callback_set_fn *set,
		  struct return_range returns, bool async, bool sleepable);

/* --- what call.c, kfunc.c, ref.c and their kin provide --- */

/* The whole effect of the call instruction at pc on the current state. */
int check_helper_call(struct env *env, uint32_t pc);
int check_kfunc_call(struct env *env, uint32_t pc);
/* Before exploration: every call must name something that exists; -EINVAL as Linux. Calls that
 * take callbacks set info[].calls_callback, iterator steps info[].is_iter_next. */
int prepare_calls(struct env *env);
/* Registers r1..r5 the call at pc reads, and whether it writes r0, for liveness; as masks. */
void call_uses(struct env *env, uint32_t pc, uint16_t *reads, uint16_t *writes);
/* Does this call change the packet (clear packet pointers)? Might it sleep? */
bool call_changes_packet(struct env *env, uint32_t pc);
bool call_might_sleep(struct env *env, uint32_t pc);

/* References (ref.c). acquire: the new id, or negative errno. */
int acquire_reference(struct env *env, uint32_t pc);
int acquire_child_reference(struct env *env, uint32_t pc, uint32_t parent);
int release_reference(struct env *env, uint32_t id); /* -EINVAL, nothing said: not held */
const struct ref *find_reference(const struct state *state, uint32_t id);
void remove_reference(struct state *state, uint32_t index);
/* At exit (or LD_ABS, tail call: prefix says which): locks, sections, references. */
int check_resources(struct env *env, bool exception_exit, bool check_locks, const char *prefix);

/* Access to the structure of a map (map_struct.c). As check_mem(). */
int check_map_struct(struct env *env, uint32_t pc, int regno, int32_t off, uint32_t size,
		     enum access access, int value_regno);
/* Access through a REG_BTF pointer (btf_access.c). As check_mem(). */
int check_btf_access(struct env *env, uint32_t pc, int regno, int32_t off, uint32_t size,
		     enum access access, int value_regno);
/* A read of a context whose layout has btf_args: sets what the argument is in *out. */
int check_ctx_btf_access(struct env *env, uint32_t pc, int32_t off, uint32_t size,
			 enum access access, struct reg *out);
/* The security hook it is attached to: its arguments are whole; one may be NULL (attach.c). */
bool hook_is_trusted(const struct env *env);
bool hook_arg_may_be_null(const struct env *env, uint32_t arg);
/* What the function (or member) the program is attached to returns, by its BTF. */
enum target_return { TARGET_RETURNS_UNKNOWN, TARGET_RETURNS_VOID, TARGET_RETURNS_BOOL,
		     TARGET_RETURNS_INT, TARGET_RETURNS_POINTER };
enum target_return target_return(const struct env *env);
/* Constant map values: the special fields an access may not touch (fields.c). */
const struct map_fields *map_fields(struct env *env, const struct map_spec *map);
bool map_has_lock(struct env *env, const struct map_spec *map);
/* 0: plain bytes; 1: handled (a kernel pointer was loaded or stored); negative: refused. */
int check_map_fields(struct env *env, uint32_t pc, int regno, int32_t off, uint32_t size,
		     enum access access, int value_regno);
/* Arguments of a global function: sets regs from its BTF prototype (subprog entry), and
 * checks a call against it. In global.c. */
int prepare_global_args(struct env *env, uint32_t subprog, struct reg *regs);
int check_global_args(struct env *env, uint32_t subprog, uint32_t pc);
/* For the log: "ringbuf" (dynptr.c), "iter_num" (iter.c). */
const char *dynptr_kind_name(enum dynptr_kind kind);
const char *iter_type_name(const struct skep_btf *btf, uint32_t type);
bool global_returns_void(const struct env *env, uint32_t subprog);
/* Destroying a dynptr or iterator by a store into its slots (dynptr.c): 0, or refused.
 * Called before bytes [off, off+size) of frame's stack are overwritten. */
int stack_destroy_special(struct env *env, struct frame *frame, uint32_t slot);
/* A pointer into the program's arena (arena.c). */
void arena_set_pointer(struct reg *reg);
/* The next_id of IMM64_BTF_ID at pc: sets dst (btf_access.c). */
int check_ld_btf_id(struct env *env, uint32_t pc, struct reg *dst);

#endif
