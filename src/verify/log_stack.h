/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_stack.h - what log_stack.c and log_use.c share: one look at a function,
 * as it is called from one place.
 *
 * Frames are counted from the outermost function, which is 0.
 *
 * Threads: confined.
 */
#ifndef VERIFY_LOG_STACK_H
#define VERIFY_LOG_STACK_H

#include "verify/live_stack.h"

enum { TRACK_NONE = -1, TRACK_UNSEEN = -2, TRACK_VAGUE = -3, TRACK_OFFSETS = 4 };

/* What a register, or a slot, may point to of the stacks. */
struct track {
	int8_t frame;            /* of that stack; or TRACK_NONE: to none; TRACK_VAGUE: see frames */
	uint8_t count;           /* of off, in ascending order; 0: anywhere in that stack */
	uint16_t frames;         /* TRACK_VAGUE: bit i: may be in stack i */
	int16_t off[TRACK_OFFSETS];
};

/* At the start of an instruction. */
struct track_row {
	bool seen;
	struct track reg[REG_COUNT];
	struct track slot[STACK_SLOTS];
};

/* A function called from one place. */
struct look {
	struct look *next;       /* all of them, in order of callsite */
	struct look *caller;
	uint32_t subprog, start, len, depth, callsite;
	struct track_row *row;   /* len; freed when its callees have been looked at */
	uint32_t *order;         /* instructions, each after those that lead to it but for loops */
	uint32_t order_count;
	/* Per frame up to its own, and instruction of it. */
	struct halves *reads[FRAMES_MAX], *replaces[FRAMES_MAX];
	struct halves entry[FRAMES_MAX]; /* read of each stack from its start on */
	uint32_t *calls_back;    /* len: 1 + the function that the call there calls back */
};

struct looks {
	struct look *first;
	uint32_t insns;          /* looked at; bounds the work */
	bool seen[SUBPROGS_MAX + 2];
};

/* The frames it may point into, a bit each (log_stack.c). */
uint16_t track_frames(struct track track);

/* log_use.c */
int look_effects(struct env *env, struct look *look);
void look_adds_callee(struct look *look, uint32_t callsite, const struct look *callee);
int look_solve(struct env *env, struct look *look);
void trace_look_effects(struct env *env, const struct look *look);
/* The register of a callback that gets the third argument of the call at pc; 0: none. */
int callback_context(const struct insn *insn);

/* "%3u: (bf) r1 = r10", with no end of the line; its width. */
size_t trace_numbered(struct env *env, uint32_t pc);

#endif
