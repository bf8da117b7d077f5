/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relocate.h - copies of instructions that mean at another address what they meant at theirs.
 *
 * Threads: confined.
 */
#ifndef HOOK_RELOCATE_H
#define HOOK_RELOCATE_H

#include "hook/scan.h"
#include "hook/sweep.h"

/* A stub being written. failed: it grew too large. */
struct stub {
	struct patch *patch;
	uint64_t site;
	const struct sweep *sweep;
	struct {
		uint8_t at, end; /* of a rel32 in the code that refers to the literal */
		uint8_t kind;    /* its fixup */
		int32_t to;
	} literals[PATCH_FIXUPS];
	unsigned literal_count;
	bool failed;
};

/* Whether a copy can be made. Only the last instruction of a window may be a call. */
bool stub_can_hold(const ZydisDecodedInstruction *insn, bool last);
/* Adds a copy of the instruction at an address. */
void stub_add(struct stub *stub, const uint8_t *bytes, const ZydisDecodedInstruction *insn,
	      uint64_t address);
/* Adds what makes a system call by the gate, which returns behind it: to code still to come
 * in this stub, or to an address. */
void stub_add_syscall(struct stub *stub, bool returns_here, uint64_t address);
void stub_add_jump(struct stub *stub, uint64_t target);
/* Places the literals. */
void stub_finish(struct stub *stub);

#endif
