/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * install.h - a process's own copy of a program's code. [runtime]
 *
 *   | struct installed | ... slot 1 | slot 0 | native code |
 *
 * The vector and the code lie in one range of pages, written while they are
 * not executable and executable once they are not writable. Where a process
 * may not map code it still has the vector, and interprets.
 */
#ifndef VM_INSTALL_H
#define VM_INSTALL_H

#include "vm/run.h"

struct memory;

enum code_slot_kind {
	CODE_SLOT_RUNTIME,       /* id: enum jit_slot */
	CODE_SLOT_HELPER,        /* id: helper */
	CODE_SLOT_MAP_LOOKUP,    /* id: map type */
	CODE_SLOT_BARE,          /* id: helper of bare code */
};

struct installed {
	const struct code *code;
	uint64_t stamp;
	uint32_t pages;
	bool executable;
	const uint8_t *native;   /* where the code would begin; slots before it */
};

/* The copy this process has; makes one where there is none. NULL: no room. */
const struct installed *install_find(const struct code *code);
/* Forgets it. Nobody may be running it. */
void install_remove(const struct code *code);
/*
 * From now on copies that are no longer asked for are given up, as others are made. Every run in
 * this process holds a virtual CPU of that arena. Once.
 */
void install_trims(struct memory *memory);
/* Reserves the region and answers for faults in it, once. Control plane. */
int install_init(void);
/* Gives it back: no program runs in this process any more. */
void install_done(void);

/* What a slot's call leads to; NULL if this process has nothing for it. */
const void *install_resolve(const struct code *code, const struct code_slot *slot);

static inline const void *install_call(const struct installed *home, const struct code *code,
				       uint32_t slot)
{
	if (__builtin_expect(!home, 0))
		return install_resolve(code, &code->slots[slot]);
	return ((const void *const *)(const void *)home->native)[-1 - (int64_t)slot];
}

/* The helpers of bare code, by id; NULL if there is none. */
helper_fn *bare_helper(uint32_t id);

/* CALL_REGISTER: only bare code may do that. */
uint64_t install_call_register(struct jit_frame *frame, const uint64_t *args, uint64_t id);

#endif
