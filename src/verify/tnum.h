/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tnum.h - tristate numbers: 64 bits of which each is 0, 1 or unknown.
 *
 * mask has a bit for every unknown bit, value the known ones; a bit is never
 * in both. The number stands for every x with (x & ~mask) == value. Each
 * operation returns a number that has every possible result.
 *
 * Threads: any (pure functions).
 */
#ifndef VERIFY_TNUM_H
#define VERIFY_TNUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tnum {
	uint64_t value, mask;
};

#define TNUM_UNKNOWN ((struct tnum){ 0, UINT64_MAX })

static inline struct tnum tnum_const(uint64_t value) { return (struct tnum){ value, 0 }; }
static inline bool tnum_is_const(struct tnum a) { return !a.mask; }
static inline bool tnum_is_unknown(struct tnum a) { return !~a.mask; }
static inline bool tnum_has(struct tnum a, uint64_t x) { return (x & ~a.mask) == a.value; }

struct tnum tnum_range(uint64_t min, uint64_t max);
struct tnum tnum_add(struct tnum a, struct tnum b);
struct tnum tnum_sub(struct tnum a, struct tnum b);
struct tnum tnum_neg(struct tnum a);
struct tnum tnum_mul(struct tnum a, struct tnum b);
struct tnum tnum_and(struct tnum a, struct tnum b);
struct tnum tnum_or(struct tnum a, struct tnum b);
struct tnum tnum_xor(struct tnum a, struct tnum b);
struct tnum tnum_lsh(struct tnum a, unsigned shift);
struct tnum tnum_rsh(struct tnum a, unsigned shift);
struct tnum tnum_arsh(struct tnum a, unsigned shift, unsigned bits); /* bits: 32 or 64 */
/* What both allow; the caller knows that they have a number in common. */
struct tnum tnum_intersect(struct tnum a, struct tnum b);
/* What either allows. */
struct tnum tnum_union(struct tnum a, struct tnum b);
/* Do they have a number in common? */
bool tnum_overlap(struct tnum a, struct tnum b);
/* Is everything inner stands for also in outer? */
bool tnum_in(struct tnum outer, struct tnum inner);
bool tnum_is_aligned(struct tnum a, uint64_t size);
/* The least number of a that is x or more; false: there is none. */
bool tnum_from(struct tnum a, uint64_t x, uint64_t *least);
/* The low bytes, zero-extended. */
struct tnum tnum_cast(struct tnum a, unsigned bytes);
/* The low half; the number without it; a with its low half that of b. */
struct tnum tnum_low32(struct tnum a);
struct tnum tnum_clear_low32(struct tnum a);
struct tnum tnum_with_low32(struct tnum a, struct tnum b);
struct tnum tnum_bswap(struct tnum a, unsigned bytes);

#endif
