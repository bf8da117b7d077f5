/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program.h - programs made from bytes.
 *
 * The maker turns bytes into instruction sequences that a verifier has a
 * reason to accept: it remembers roughly what each register holds and emits
 * bounds checks, null checks and loops in the forms compilers use, with some
 * of them left out or wrong.
 */
#ifndef FUZZ_PROGRAM_H
#define FUZZ_PROGRAM_H

#include "map/map.h"
#include "prog/prog.h"

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

#endif
