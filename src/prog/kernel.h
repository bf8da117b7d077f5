/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel.h - since which Linux release a thing exists.
 *
 * kernel.def lists helpers, map and program types, flags, instructions, kernel
 * functions and what verifiers can follow. A release is a number that compares:
 * KERNEL(5, 10). 0 stands for "the newest", and for "always had it".
 *
 * Threads: immutable.
 */
#ifndef PROG_KERNEL_H
#define PROG_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <skep/btf.h>
#include "isa/insn.h"
#include "map/map.h"

#define KERNEL(major, minor) ((uint32_t)((major) << 8 | (minor)))

/* What a verifier can follow; older ones refuse, or know less. */
enum ability {
#define ABILITY(name, words, major, minor) ABILITY_##name,
#include "prog/kernel.def"
	ABILITY_COUNT,
};

uint32_t ability_since(enum ability ability);
const char *ability_words(enum ability ability);
static inline bool kernel_can(uint32_t kernel, enum ability ability)
{
	return !kernel || kernel >= ability_since(ability);
}

/* Each returns the first release that has it; 0: all of them, or not in the table. */
uint32_t helper_since(uint32_t id);
uint32_t prog_type_since(uint32_t id);
uint32_t attach_since(uint32_t attach);
uint32_t map_type_since(uint32_t id);
uint32_t kfunc_since(const char *name);
uint32_t ctx_field_since(const char *context, const char *field);
uint32_t insn_since(const struct insn *insn, const char **words);
/* The youngest flag of these (bits); *name is what it is called. */
uint32_t map_flags_since(uint32_t flags, const char **name);
uint32_t prog_flags_since(uint32_t flags, const char **words);
/* The youngest kind of object that the value's BTF type holds: "a timer". */
uint32_t map_value_since(const struct map_spec *map, const char **words);

#endif
