/* SPDX-License-Identifier: BSD-2-Clause */
/* relo.h - what the linker and the relocations of single instructions share. */
#ifndef OBJECT_RELO_H
#define OBJECT_RELO_H

#include "isa/insn.h"
#include "object/object.h"

/* A program being linked. */
struct linking {
	struct skep_object *object;
	struct skep_where where;
	struct skep_diag *diag;
	struct linked *out;      /* poisons are added here; the rest at the end */
};

/*
 * Relocation works on encoded instructions: it is there that the compiler left
 * its marks. These are the two that it can leave them on, and the mark of a
 * call to a function of the same object.
 */
enum { RELO_CODE_CALL = 0x85, RELO_CODE_WIDE = 0x18, RELO_CALL_LOCAL = 1, RELO_CALL_KFUNC = 2 };

/* A function that a relocation refers to; others are done with at once. */
struct relo_target {
	bool is_func;
	uint32_t section;
	int64_t slot;
};

/*
 * Apply a relocation to the instruction at pc of the program (insn[1] is there
 * too if it is wide), unless it refers to a function: then *target says which.
 */
int relo_apply(struct linking *l, const struct located *relo, struct skep_insn *insn, uint32_t pc,
	       struct relo_target *target);

/* Is it the section of tables to jump through (jumptable.c)? */
bool is_jump_tables(const struct skep_object *object, uint32_t section);
/* The table that the instruction at pc takes the address of, as one of the program's maps. */
int relo_jump_table(struct linking *l, const struct elf_symbol *symbol,
		    const struct located *relo, uint32_t pc, uint32_t *map);

/* Note that an instruction must not be reached. why: NULL means out of memory. */
int link_poison(struct linking *l, uint32_t insn, const char *why, bool core);

#endif
