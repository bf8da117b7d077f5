/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program.h - random programs, and the maps and types they use.
 *
 * A program depends on nothing but its seed. It looks like what a compiler
 * makes: the maker (make.c and its kin) remembers roughly what every register
 * holds and emits the checks that a verifier wants to see, some of them wrong.
 */
#ifndef RANDOM_PROGRAM_H
#define RANDOM_PROGRAM_H

#include <skep/btf.h>
#include <skep/insn.h>
#include "map/map.h"
#include "prog/prog.h"

enum { RANDOM_SLOTS = 4096, RANDOM_FUNCS = 64, RANDOM_MAPS = 64 };

/* The maps of made programs, by index. */
enum {
	MADE_ARRAY, MADE_HASH, MADE_RING, MADE_PERCPU, MADE_CONST, MADE_DATA, MADE_LOCKED, MADE_PROGS,
	MADE_MAPS,
};
enum { ARRAY_VALUE = 64, ARRAY_ENTRIES = 4, HASH_VALUE = 48, HASH_ENTRIES = 16, PERCPU_VALUE = 16,
       CONST_VALUE = 32, DATA_VALUE = 64, LOCKED_VALUE = 24 };

struct random_program {
	uint64_t seed;
	const char *from;        /* what it is a mutant of; NULL: made */
	uint32_t type, attach, flags;
	struct skep_insn insns[RANDOM_SLOTS];
	uint32_t len;
	struct func_info funcs[RANDOM_FUNCS];
	uint32_t func_count;
	struct random_world *world;
};

/* What programs refer to: maps and types, here and in the kernel. */
struct random_world {
	const char *name;
	struct map_spec specs[RANDOM_MAPS];
	const struct map_spec *spec_list[RANDOM_MAPS];
	struct map *maps[RANDOM_MAPS];      /* NULL: cannot be made here; nothing runs */
	int map_fds[RANDOM_MAPS];
	uint32_t map_count;
	struct skep_btf *btf;
	int btf_fd;
	const struct skep_btf *kernel_btf;
	bool runs;                          /* all its maps are here */
};

/* Kernel functions that made programs call: BTF ids in the kernel's types; 0: not there. */
extern struct random_kfuncs {
	uint32_t num_new, num_next, num_destroy, rcu_lock, rcu_unlock;
} random_kfuncs;

/* BTF ids in the types of made programs (types.c). */
extern struct random_types {
	uint32_t main, leaf, scalars, memory, loop_callback, each_callback, locked_value, key;
} random_types;

/* The types above as a BTF image; free() it. */
void *random_btf(size_t *size);
/* The maps of made programs. */
void random_maps(struct map_spec specs[MADE_MAPS]);

/* --- random numbers --- */

struct dice {
	uint64_t state;
};
static inline uint64_t roll(struct dice *dice)
{
	uint64_t z = dice->state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}
static inline uint32_t below(struct dice *dice, uint32_t limit)
{
	return (uint32_t)((roll(dice) >> 32) * limit >> 32);
}
static inline bool chance(struct dice *dice, uint32_t percent)
{
	return below(dice, 100) < percent;
}
#define PICK3(dice, a, b, c) ((const uint8_t[]){ a, b, c }[below(dice, 3)])
/* Numbers at which bugs live, and any others. */
int64_t edge_number(struct dice *dice);

/* --- making and changing --- */

void random_make(struct random_program *out, struct random_world *world, uint64_t seed);
/* One to four changes: an opcode, register, number, offset; an instruction dropped, doubled ... */
void random_mutate(struct random_program *program, struct dice *dice);
/* Without instructions [at, at + count): jumps over them still meet. False: not possible. */
bool random_drop(struct random_program *program, uint32_t at, uint32_t count);
/* The same program with each sign extension as two shifts. Returns how many there were. */
unsigned random_spell_out(struct random_program *program);
/* The program as a specification for verify(). */
struct prog_spec random_spec(const struct random_program *program);

#endif
