/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * patch.h - how one place in a file's code is patched, without any address in it. Written by
 * the control plane (scan.h), applied by the agent in every process that maps the file.
 *
 * Threads: immutable after it is written.
 */
#ifndef HOOK_PATCH_H
#define HOOK_PATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PATCH_BYTES = 32,   /* longest window */
	PATCH_CODE = 128,   /* longest stub */
	PATCH_FIXUPS = 8,
	PATCH_MOVES = 8,    /* instructions in a window, and one more */
	PATCH_JUMP_SIZE = 5,
};

enum patch_kind {
	PATCH_PROBE,        /* something is called first, then the instructions execute */
	PATCH_SYSCALL,      /* the window has a system call, which the gate makes instead */
};

enum patch_method {
	PATCH_JUMP,
	PATCH_TRAP,         /* int3: the window is one instruction; of a call, without code */
};

enum patch_fixup_kind {
	FIXUP_REL32,        /* site + to, from the end of the instruction */
	FIXUP_ABS64,        /* site + to */
	FIXUP_GATE64,       /* the entry of the gate */
	FIXUP_WAYS64,       /* where the address of its ways is (board.h) */
	FIXUP_COPY,         /* `end` bytes of the site, from `to`, which the linker has relocated */
	FIXUP_MOVED32,      /* a distance that it has relocated, at `to` of the site */
};

struct patch_fixup {
	uint8_t kind;       /* enum patch_fixup_kind */
	uint8_t at;         /* of the 4 or 8 bytes, in the code */
	uint8_t end;        /* FIXUP_REL32, FIXUP_MOVED32: end of the instruction, in the code */
	int32_t to;         /* distance from the site */
};

/* A thread found at site + from goes on at stub + to. */
struct patch_move {
	uint8_t from, to;
};

struct patch {
	uint64_t file_offset;         /* of the site */
	uint8_t kind, method;
	uint8_t length;               /* of the window */
	uint8_t code_size, fixup_count, move_count;
	uint8_t call_from;            /* of a PATCH_SYSCALL: where the call is in the window, */
	uint8_t call_to, call_at;     /* what does it in the code, and the instruction there */
	uint8_t original[PATCH_BYTES]; /* what must be found there, */
	uint32_t relocated;           /* but for bytes of these bits */
	uint8_t code[PATCH_CODE];     /* ends with a jump back, then with literals */
	struct patch_fixup fixups[PATCH_FIXUPS];
	struct patch_move moves[PATCH_MOVES];
};

/* No thread can be asleep inside the bytes of the jump. */
static inline bool patch_is_whole(const struct patch *patch)
{
	return patch->move_count < 2 || patch->moves[1].from >= PATCH_JUMP_SIZE;
}

#endif
