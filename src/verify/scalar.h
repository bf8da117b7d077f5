/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scalar.h - what is known of a 64-bit number: a tristate number and ranges.
 *
 * A struct scalar stands for the numbers that are in all five of its views at
 * once: the bits, the signed and unsigned range of the number, and those of its
 * low half. scalar_sync() lets each view tighten the others. Every transformer
 * is sound: if x is in d and y in s, alu_eval(op, width, from, x, y) is in
 * fold(d, s, width, from).
 *
 * Threads: any (pure functions).
 */
#ifndef VERIFY_SCALAR_H
#define VERIFY_SCALAR_H

#include "isa/insn.h"
#include "verify/tnum.h"

struct scalar {
	struct tnum bits;
	int64_t smin, smax;
	uint64_t umin, umax;
	int32_t smin32, smax32;
	uint32_t umin32, umax32;
};

struct scalar scalar_unknown(void);
struct scalar scalar_const(uint64_t value);
/* All numbers of so many low bytes, zero-extended. */
struct scalar scalar_of_bytes(unsigned bytes);
struct scalar scalar_srange(int64_t min, int64_t max);
struct scalar scalar_urange(uint64_t min, uint64_t max);

static inline bool scalar_is_const(struct scalar a) { return tnum_is_const(a.bits); }
static inline bool scalar_is(struct scalar a, uint64_t value)
{
	return !a.bits.mask && a.bits.value == value;
}
bool scalar_has(struct scalar a, uint64_t x);
bool scalar_equal(struct scalar a, struct scalar b);
bool scalar_is_unknown(struct scalar a);
/* Is every number of inner in outer (by each view)? */
bool scalar_in(struct scalar outer, struct scalar inner);
/* Each view tightened by the others. */
struct scalar scalar_sync(struct scalar a);
/* What the 64-bit views say of the low half, and no more. */
struct scalar scalar_forget_halves(struct scalar a);
/* a, of which the lower half is known to be low. */
struct scalar scalar_with_low32(struct scalar a, uint32_t low);
/* No number satisfies all views: only on a branch that cannot be taken. */
bool scalar_is_empty(struct scalar a);
/* The low bytes, zero-extended or sign-extended to width (4 or 8) bytes. */
struct scalar scalar_zero_extend(struct scalar a, unsigned bytes);
struct scalar scalar_sign_extend(struct scalar a, unsigned bytes, unsigned width);

/* A transformer per row of alu.def. */
typedef struct scalar scalar_fold(struct scalar d, struct scalar s, unsigned width,
				  unsigned from);
#define ALU(name, token, code, expr, fold) scalar_fold fold;
#include "isa/alu.def"
struct scalar scalar_alu(enum alu op, struct scalar d, struct scalar s, unsigned width,
			 unsigned from);

/* 1: always taken, 0: never, -1: unknown. */
int scalar_cond(enum cond op, struct scalar d, struct scalar s, unsigned width);
/* Narrow both under the assumption that "d op s" holds (or, with negate, does not). */
void scalar_assume(enum cond op, bool negate, struct scalar *d, struct scalar *s,
		   unsigned width);

#endif
