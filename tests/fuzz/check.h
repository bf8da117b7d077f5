/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.h - running a program with everything checked: each access by the
 * memory its pointer was made for, and, where the verifier's claims are at
 * hand, each register and stack slot by them. What it finds is a hole in the
 * verifier.
 */
#ifndef FUZZ_CHECK_H
#define FUZZ_CHECK_H

#include "map/map.h"
#include "prog/prog.h"
#include "verify/verify.h"
#include "vm/vm.h"

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
