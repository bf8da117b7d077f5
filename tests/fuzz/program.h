/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program.h - programs made from bytes, and running them with every access
 * checked.
 *
 * The maker turns bytes into instruction sequences that a verifier has a
 * reason to accept: it remembers roughly what each register holds and emits
 * bounds checks, null checks and loops in the forms compilers use, with some
 * of them left out or wrong. The checker runs what was accepted and stops at
 * the first access outside stack, context, packet and map values: what it
 * finds is a hole in the verifier.
 */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include "map/map.h"
#include "prog/prog.h"
#include "verify/verify.h"
#include "vm/vm.h"

struct bytes {
	const uint8_t *at, *end;
};

/* The next byte; 0 when there are none left. */
static inline uint8_t next(struct bytes *bytes)
{
	return bytes->at < bytes->end ? *bytes->at++ : 0;
}

/* The maps every program may use, by index. */
enum { MAP_ARRAY, MAP_HASH, MAP_RING, MAP_PERCPU, MAP_CONST, MAP_DATA, MAP_COUNT };
enum { ARRAY_VALUE = 64, HASH_VALUE = 48, PERCPU_VALUE = 16, CONST_VALUE = 32, ARRAY_ENTRIES = 4 };

/* Writes at most max slots and returns how many. */
size_t program_make(struct bytes *bytes, uint32_t type, struct skep_insn *insns, size_t max);

#define CHECKED_POISON 0x5a /* on the stack at the start, in variant 0 */

enum checked_end {
	CHECKED_DONE,
	CHECKED_GAVE_UP,         /* too long, or it does what the checker does not model */
	CHECKED_VIOLATION,
	CHECKED_BROKEN_CLAIM,    /* the verifier said it could not be so */
};

struct checked {
	enum checked_end end;
	uint64_t retval;
	uint32_t pc;             /* of the violation */
	char what[256];
};

struct claims;

struct checked_setup {
	const struct verified *verified;
	struct vm *vm;           /* ctx, packet, world and cpu are set */
	struct map *const *maps; /* by index */
	size_t ctx_size;
	/* Changes what no result may depend on unless the program can see it: where the
	 * stack is, and what is on it at the start. */
	unsigned variant;
	/* What the verifier said (claims.h); NULL: only memory is checked. */
	const struct claims *claims;
	/* BTF ids of kernel functions it can do: bpf_iter_num_*; 0: none. */
	uint32_t num_new, num_next, num_destroy;
};

/* Runs a verified program. */
void checked_run(const struct checked_setup *setup, struct checked *result);

#endif
