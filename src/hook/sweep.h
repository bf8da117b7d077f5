/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sweep.h - what may be jumped to in the code of a file (see scan.h).
 *
 * Threads: immutable after sweep_run().
 */
#ifndef HOOK_SWEEP_H
#define HOOK_SWEEP_H

#include <Zydis/Zydis.h>
#include "hook/scan.h"
#include "hook/symbols.h"

/* A stretch of code that begins at a function's start and ends at the next. */
struct sweep_range {
	uint64_t start, end;
	bool open;              /* has an indirect jump */
	bool explained;         /* and a table whose targets are marked */
	bool broken;            /* not all of its bytes are instructions */
};

/* Data whose address a range's code takes, perhaps a jump table. */
struct sweep_table {
	uint64_t base;
	uint32_t range;
};

/* Bytes of code that the dynamic linker changes. */
struct sweep_relocation {
	uint64_t address;
	uint32_t size;
};

struct sweep {
	struct binary *binary;
	ZydisDecoder decoder;
	uint64_t start, end;    /* of all code */
	uint8_t *targets;       /* a bit for each byte of code */
	VEC(struct sweep_range) ranges; /* by address */
	VEC(struct sweep_table) tables;
	VEC(uint64_t) syscalls; /* addresses of syscall instructions, in order */
	VEC(struct sweep_relocation) relocations; /* of code, in order; the linker changes it */
	bool hidden;            /* there may be more of them */
};

/* -EINTR: *stop was set meanwhile. */
int sweep_run(struct sweep *sweep, struct binary *binary, const bool *stop);
void sweep_done(struct sweep *sweep);

bool sweep_is_target(const struct sweep *sweep, uint64_t address);
void sweep_mark(struct sweep *sweep, uint64_t address);
/* The range an address is in; NULL: none. */
struct sweep_range *sweep_range_at(const struct sweep *sweep, uint64_t address);
/* The first relocation that changes bytes of [start, end); NULL: none. */
const struct sweep_relocation *sweep_relocation_in(const struct sweep *sweep, uint64_t start,
						   uint64_t end);
/* Decodes one instruction; its bytes, or NULL where there is none. */
const uint8_t *sweep_decode(const struct sweep *sweep, uint64_t address,
			    ZydisDecodedInstruction *insn);

/* Whether a direct branch, call or loop, and where it goes. */
bool insn_branch(const ZydisDecodedInstruction *insn, uint64_t address, uint64_t *target);
/* Whether it has a memory operand relative to the instruction pointer, and its address. */
bool insn_rip_relative(const ZydisDecodedInstruction *insn, uint64_t address, uint64_t *target);
/* Whether execution never continues behind it. */
bool insn_ends(const ZydisDecodedInstruction *insn);

/* returns.c: what the function at an address does with its return address. */
enum return_use sweep_return_use(const struct sweep *sweep, uint64_t address);

/* frames.c: starts of functions and landing pads, from .eh_frame. */
typedef int frame_fn(void *arg, uint64_t start, uint64_t size);
int frames_read(const struct binary *binary, frame_fn *function, void (*pad)(void *, uint64_t),
		void *arg);

#endif
