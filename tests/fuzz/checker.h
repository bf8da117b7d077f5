/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checker.h - the inside of the checking interpreter (see check.h).
 *
 * Besides its 64 bits every register, and every aligned 8 bytes of stack, has
 * an origin: the region of memory it was made to point into, however far it
 * has moved. An access must stay inside the region of its pointer, wherever
 * else it might happen to land.
 *
 * The other shadow is doubt: what the verifier makes no claim about, since the
 * path was given up for an older one that never looked at it (see claims.c).
 */
#ifndef FUZZ_CHECKER_H
#define FUZZ_CHECKER_H

#include "base/base.h"
#include "check.h"
#include "helper/helper.h"
#include "helper/packet.h"
#include "isa/insn.h"

enum { MAX_REGIONS = 512, MAX_FRAMES = 9, BUDGET = 100000, STACK = INSN_STACK_SIZE,
       STACK_WORDS = STACK / 8, MAY_GOTO_TIMES = 40 };

enum region_kind {
	REGION_NONE, REGION_CTX, REGION_STACK, REGION_META, REGION_PACKET, REGION_END,
	REGION_VALUE, REGION_MAP, REGION_MEMORY, REGION_KEY, REGION_FUNC,
};

struct region {
	uint8_t kind;            /* enum region_kind */
	uint32_t map;            /* REGION_VALUE, REGION_MAP: index */
	uint64_t start, size;
};

/* Regions that are always there; those of frame f is REGION_FRAME + f. */
enum { IN_NOTHING, IN_CTX, IN_META, IN_PACKET, IN_END, REGION_FRAME,
       REGIONS_FIXED = REGION_FRAME + MAX_FRAMES };

struct saved_frame {
	uint64_t r[11];          /* of the caller; r6 to r9 come back */
	uint16_t origin[11], doubt;
	uint32_t back;           /* where to go on in the caller; UINT32_MAX: a callback's end */
};

struct checker {
	const struct checked_setup *setup;
	const struct verified *verified;
	struct vm *vm;
	struct region regions[MAX_REGIONS];
	uint32_t region_count;
	uint64_t room[MAX_FRAMES * STACK_WORDS + 64], *stack;
	uint16_t word_origin[MAX_FRAMES][STACK_WORDS]; /* word 0: fp-8 */
	bool word_doubt[MAX_FRAMES][STACK_WORDS];
	struct saved_frame frames[MAX_FRAMES];
	uint32_t depth, callbacks;
	uint64_t r[11];
	uint16_t origin[11];
	uint16_t doubt;          /* registers */
	uint32_t budget, pc, may_goto;
	struct checked *result;
	bool stop, callback_done;
	uint32_t calling;        /* the helper whose callback runs */
	uint64_t call_args[5];
	uint16_t call_origin[5];

	/* claims.c */
	uint32_t node;           /* what the verifier knew here; 0: not followed */
	uint32_t base;           /* the frame that is the verifier's first */
	struct { uint32_t node, base, depth; } outer[MAX_FRAMES]; /* calls of global functions */
	uint32_t outer_count;
};

void checker_stop(struct checker *c, enum checked_end end, uint32_t pc, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The end of frame f's stack: its r10. */
static inline uint64_t frame_pointer(const struct checker *c, uint32_t f)
{
	return (uint64_t)(uintptr_t)c->stack + (uint64_t)(MAX_FRAMES - f) * STACK;
}
/* A new region; IN_NOTHING where there is no room (the run ends). */
uint16_t checker_region(struct checker *c, enum region_kind kind, uint64_t start, uint64_t size,
			uint32_t map);
/* May the program access these bytes, through a pointer of this origin? */
bool checker_touch(struct checker *c, uint16_t origin, uint64_t at, uint64_t size,
		   const char *what);
/* The stack word at an address; false if it is none of the stack's. */
bool checker_word(const struct checker *c, uint64_t at, uint32_t *frame, uint32_t *word);
/* Runs from pc until the frame it is entered with returns. */
void checker_go(struct checker *c, uint32_t pc);
/* Pushes a frame whose return leads to back. */
bool checker_enter(struct checker *c, uint32_t back);
void checker_helper(struct checker *c, const struct insn *insn);
void checker_kfunc(struct checker *c, const struct insn *insn);

/* What was claimed about the place where the program is holds. Follows the path. */
void claims_check(struct checker *c);

#endif
