/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * live_stack.h - which parts of the stack can still matter, worked out before
 * exploration.
 *
 * Each function is looked at once for each way its arguments can point into
 * its callers' stacks: a view. In a view stacks are counted from the function
 * itself (0: its own, 1: its caller's, ...), and the unit is half a slot, four
 * bytes: bit 0 is fp-4..fp-1, bit 1 fp-8..fp-5, and so on.
 *
 *   places.c      forwards: what each register may point to before each
 *                 instruction, and so which halves the instruction reads or replaces
 *   live_stack.c  backwards: which halves a path from here may read before
 *                 they are replaced
 *
 * Threads: confined.
 */
#ifndef VERIFY_LIVE_STACK_H
#define VERIFY_LIVE_STACK_H

#include "verify/passes.h"

/* A set of half slots of one stack. */
struct halves {
	uint64_t word[2];
};

#define HALVES_NONE ((struct halves){ { 0, 0 } })
#define HALVES_ALL ((struct halves){ { UINT64_MAX, UINT64_MAX } })

static inline struct halves halves_or(struct halves a, struct halves b)
{
	return (struct halves){ { a.word[0] | b.word[0], a.word[1] | b.word[1] } };
}
static inline struct halves halves_without(struct halves a, struct halves b)
{
	return (struct halves){ { a.word[0] & ~b.word[0], a.word[1] & ~b.word[1] } };
}
static inline bool halves_equal(struct halves a, struct halves b)
{
	return a.word[0] == b.word[0] && a.word[1] == b.word[1];
}
/* The two bits of a slot. */
enum { UPPER_HALF = 1, LOWER_HALF = 2 };
static inline unsigned halves_of_slot(struct halves a, uint32_t slot)
{
	return a.word[slot / 32] >> (slot % 32 * 2) & 3;
}

enum place_kind {
	PLACE_ANY,               /* nothing more is known */
	PLACE_KNOWN,             /* off: the offsets in the stack; of no stack: the number */
	PLACE_SUBPROG,           /* off: a function of the program */
	PLACE_MAP,               /* off: a map of the program */
};

enum { PLACE_OFFSETS = 4 };

/* What a register, or a spilled one, may be. */
struct place {
	uint16_t stacks;         /* bit i: may point into stack i */
	uint8_t kind;            /* enum place_kind */
	uint8_t more;            /* offsets after the first, which all are in ascending order */
	bool sure;               /* of a stack: can be nothing else */
	int32_t off[PLACE_OFFSETS];
};

/* Is it, for all that is known, the address off of a stack? */
static inline bool place_may_be_at(const struct place *place, int64_t off)
{
	if (place->kind != PLACE_KNOWN)
		return true;
	for (unsigned i = 0; i <= place->more; i++)
		if (place->off[i] == off)
			return true;
	return false;
}

static inline bool same_place(struct place a, struct place b)
{
	return a.stacks == b.stacks && a.kind == b.kind && a.sure == b.sure && a.more == b.more &&
	       !memcmp(a.off, b.off, sizeof(a.off));
}

/* What may be either. */
struct place join_places(struct place a, struct place b);

/* A function as called with certain arguments. */
struct stack_view {
	struct stack_view *next; /* of the same function */
	struct stack_view *caller; /* whose stack the arguments point into; NULL: none */
	uint32_t subprog, start, len;
	bool broken;             /* too much to work out */
	struct place arg[6];     /* r1..r5 */
	struct place spilled[STACK_SLOTS]; /* what may be in its own stack, anywhere in it */
	/* Per instruction: live before it. NULL: of this stack nothing is ever read. */
	struct halves *live[FRAMES_MAX];
	struct callee_view {
		uint32_t callsite;
		struct stack_view *view; /* NULL: too much to work out */
	} *callee;               /* in order of callsite */
	uint32_t callee_count, callee_size;
};

/* What one instruction does to each stack. */
struct stack_effect {
	struct halves reads[FRAMES_MAX], replaces[FRAMES_MAX];
	uint16_t touched;         /* bit i: stack i */
};

/* places.c: calls seen() for each instruction that can be reached. -ENOMEM; -E2BIG: gave up. */
typedef int place_seen_fn(struct env *env, struct stack_view *view, uint32_t pc,
			  const struct place *regs, void *arg);
int follow_places(struct env *env, struct stack_view *view, place_seen_fn *seen, void *arg);

/*
 * stack_use.c: what the instruction reads and replaces, given what registers may be. Without
 * a view, less what functions of the program do that it calls.
 */
void stack_effect(struct env *env, struct stack_view *view, uint32_t pc, const struct place *regs,
		  struct stack_effect *effect);

/*
 * The view of subprog called from callsite in caller (NULL: unknown), made if
 * there is none yet. NULL: too much to work out; then everything is live.
 */
struct stack_view *stack_view_of(struct env *env, struct stack_view *caller, uint32_t callsite,
				 uint32_t subprog, const struct place arg[6]);

/* The view of a function that nothing of the program calls, or nothing passes stacks to. */
struct stack_view *root_view(struct env *env, uint32_t subprog);
struct stack_view *callee_view(const struct stack_view *caller, uint32_t callsite,
			       uint32_t subprog);
/* What may still be read of the stack of state's frame when it goes on at pc. */
struct halves live_halves(const struct state *state, uint32_t frameno, uint32_t pc);
/* The current state, at env->pc, without registers and stack that no path from here reads. */
void forget_dead(struct env *env);

#endif
