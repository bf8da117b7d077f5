/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * observe.h - watching the verifier at work: every instruction it looks at, on
 * every path, with what it knows of registers and stack at that point.
 *
 * A visit is one instruction about to be checked in one state; visits are
 * numbered from 1 in the order in which they happen. Each names the visit it
 * follows on its path, so that together they form a tree whose roots are the
 * entries of the program and of its global functions:
 *
 *   1 - 2 - 3 - 4 - 5        4 is a branch: the side not taken at once
 *                \           is visited later, from 4 as well
 *                 6 - 7
 *
 * Verification is the same each time, so that a visit's number means the same
 * when a program is verified again: a debugger may stop at one, go back to an
 * earlier one, or count first and record later.
 *
 * Without an observer this costs nothing.
 *
 * Threads: confined.
 */
#ifndef SKEP_OBSERVE_H
#define SKEP_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* What the verifier knows at a visit. Borrowed for the observer's call. */
struct skep_state;

struct skep_visit {
	uint64_t number;     /* 1 ... as skep_verify_result.processed counts */
	uint64_t from;       /* the visit before it on its path; 0: none */
	size_t insn;
	uint16_t live;       /* bit per register of the running function: may be read from here on */
	bool kept;           /* its state is kept, so that later paths may end at it */
	/*
	 * The path ends here, before the instruction, because the state kept at this
	 * earlier visit of it covers what can be; 0: it goes on.
	 */
	uint64_t covered_by;
	/*
	 * Covered in each range of each register and slot; else only in what the paths
	 * from the kept state made use of.
	 */
	bool covered_whole;
};

struct skep_observer {
	void *arg;
	/* Nonzero: stop verifying; skep_object_check() then returns -ECANCELED. */
	int (*visit)(void *arg, const struct skep_visit *visit, const struct skep_state *state);
};

/* --- functions being run, the innermost last --- */

struct skep_frame {
	const char *name;    /* of the function; "" where it is not known */
	size_t start;        /* its first instruction */
	int64_t call;        /* the call instruction; -1: entered by nothing */
	bool callback;       /* entered by the kernel function called there */
	unsigned slots;      /* of its stack that may hold something, 8 bytes each */
};

unsigned skep_state_frames(const struct skep_state *state);
/* index: less than skep_state_frames(). Strings live as long as the object. */
void skep_state_frame(const struct skep_state *state, unsigned index, struct skep_frame *frame);

/* --- registers --- */

/* What is known of a number; of a pointer, of what was added to its fixed offset. */
struct skep_range {
	uint64_t value, unknown; /* bits: those set in unknown may be anything */
	uint64_t min, max;
	int64_t signed_min, signed_max;
};

struct skep_reg {
	char type[96];       /* as Linux's log names it: "scalar", "map_value_or_null" */
	bool pointer;
	bool precise;        /* numbers: the exact value mattered to a decision */
	uint32_t id;         /* registers of the same id hold the same; 0: none */
	uint32_t reference;  /* what keeps it valid; 0: nothing */
	int32_t offset;      /* pointers */
	struct skep_range range;
};

/* false: nothing may be read from it. reg: 0 to 10. */
bool skep_state_reg(const struct skep_state *state, unsigned frame, unsigned reg,
		    struct skep_reg *out);
/* As Linux's log writes it: "pkt(off=14,r=34)". Returns the length it wanted, as
 * snprintf() does; 0 for a register that holds nothing. */
size_t skep_state_reg_text(const struct skep_state *state, unsigned frame, unsigned reg,
			   char *text, size_t size);

/* --- the stack --- */

/*
 * Slot 0 is the eight bytes below the frame pointer (fp-8), slot 1 those below
 * (fp-16). bytes, from the highest address down, as Linux's log: '?' never
 * written, 'r' part of a register, 'm' something, '0' zero, 'd' dynptr, 'i'
 * iterator, 'f' interrupt flags.
 */
struct skep_slot {
	char bytes[9];
	bool is_reg;         /* it holds a register, whole or its lower bytes */
	struct skep_reg reg; /* that register */
};

/* false: nothing is there. slot: less than the frame's slots. */
bool skep_state_slot(const struct skep_state *state, unsigned frame, unsigned slot,
		     struct skep_slot *out);
/* "mmmm????", "scalar(umax=7)": as skep_state_reg_text(). */
size_t skep_state_slot_text(const struct skep_state *state, unsigned frame, unsigned slot,
			    char *text, size_t size);

/* --- what is held --- */

/* A reference or lock to be given back, or a section to be left. */
struct skep_hold {
	const char *what;    /* "reference", "spin lock", "RCU read section" ... */
	uint32_t id;         /* as in skep_reg.reference; 0: none */
	int64_t insn;        /* where it was acquired; -1: not known */
};

unsigned skep_state_holds(const struct skep_state *state);
void skep_state_hold(const struct skep_state *state, unsigned index, struct skep_hold *hold);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
