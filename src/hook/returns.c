/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * returns.c - functions that look at their own return address, which a return probe replaces.
 *
 * One that has called nothing and keeps nothing yet takes its return address to come back by it
 * later: setjmp(), getcontext(), vfork(), switches between stacks. Others only ask who called them,
 * as dlsym() does. Both are found by following the stack pointer from the function's start: what
 * is read at the height it had there is the return address. Names would not do: aliases, static
 * copies and programs without symbols have them too.
 */
#include "hook/sweep.h"

enum {
	LOOK_MAX = 48,    /* instructions from the start */
	STACK = 4,        /* rsp, as the encoding has it */
	FRAME = 5,        /* rbp */
	ADDRESS_SIZE = 8,
};

/* As far as it has been followed. */
struct frame {
	int64_t depth;    /* bytes on the stack above the return address */
	bool has_base;    /* rbp is rsp as it was at ... */
	int64_t base;     /* ... this depth */
};

static bool is_plain(const ZydisDecodedInstruction *insn)
{
	return insn->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
	       insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT;
}

static unsigned rm_of(const ZydisDecodedInstruction *insn)
{
	return insn->raw.modrm.rm | (insn->raw.rex.B ? 8u : 0);
}

static unsigned reg_of(const ZydisDecodedInstruction *insn)
{
	return insn->raw.modrm.reg | (insn->raw.rex.R ? 8u : 0);
}

/* add or sub of a constant and rsp: how much deeper it gets. */
static bool moves_stack(const ZydisDecodedInstruction *insn, int64_t *by)
{
	if ((insn->opcode != 0x83 && insn->opcode != 0x81) || insn->raw.modrm.mod != 3 ||
	    rm_of(insn) != STACK)
		return false;
	*by = insn->raw.modrm.reg == 5 ? insn->raw.imm[0].value.s
	      : insn->raw.modrm.reg == 0 ? -insn->raw.imm[0].value.s : 0;
	return *by != 0;
}

/* mov of 8 bytes from the stack to a register: where they are, above the return address. */
static bool reads_stack(const ZydisDecodedInstruction *insn, const struct frame *frame, int64_t *at)
{
	const int64_t disp = insn->raw.disp.size ? insn->raw.disp.value : 0;
	bool by_stack = insn->raw.modrm.rm == 4 && insn->raw.sib.base == STACK && !insn->raw.rex.B &&
			insn->raw.sib.index == 4 && !insn->raw.rex.X;
	bool by_base = rm_of(insn) == FRAME && insn->raw.modrm.mod != 0 && frame->has_base;

	if (insn->opcode != 0x8b || insn->raw.modrm.mod == 3 || (!by_stack && !by_base))
		return false;
	*at = disp - (by_stack ? frame->depth : frame->base);
	return true;
}

/* A value, a word of memory, the flags; or the address behind, by a call that leads there. */
static bool pushes(const ZydisDecodedInstruction *insn)
{
	bool here = insn->mnemonic == ZYDIS_MNEMONIC_CALL && insn->opcode == 0xe8 &&
		    insn->raw.imm[0].value.s == 0;

	return here || insn->mnemonic == ZYDIS_MNEMONIC_PUSH || insn->mnemonic == ZYDIS_MNEMONIC_PUSHFQ;
}

static bool pops(const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_POP || insn->mnemonic == ZYDIS_MNEMONIC_POPFQ;
}

/* Goes over one instruction. False: the stack pointer is not known behind it. */
static bool follow(const ZydisDecodedInstruction *insn, struct frame *frame)
{
	int64_t by;

	if (!is_plain(insn))
		return true;
	if (pushes(insn)) {
		frame->depth += ADDRESS_SIZE;
	} else if (pops(insn)) {
		frame->depth -= ADDRESS_SIZE;
		frame->has_base &= insn->opcode != 0x58 + FRAME || insn->raw.rex.B;
	} else if (moves_stack(insn, &by)) {
		frame->depth += by;
	} else if (insn->opcode == 0x89 && insn->raw.modrm.mod == 3 && reg_of(insn) == STACK &&
		   rm_of(insn) == FRAME) {
		frame->has_base = true;
		frame->base = frame->depth;
	} else if (insn->raw.modrm.mod == 3 &&
		   ((insn->opcode == 0x89 && rm_of(insn) == STACK) ||
		    (insn->opcode == 0x8b && reg_of(insn) == STACK))) {
		return false;
	}
	return insn->mnemonic != ZYDIS_MNEMONIC_LEAVE && insn->mnemonic != ZYDIS_MNEMONIC_ENTER &&
	       frame->depth >= 0;
}

enum return_use sweep_return_use(const struct sweep *sweep, uint64_t address)
{
	struct frame frame = { 0 };

	for (unsigned i = 0; i < LOOK_MAX; i++) {
		ZydisDecodedInstruction insn;
		int64_t at;

		if (!sweep_decode(sweep, address, &insn))
			break;
		/* What it goes on in returns in its place. */
		if (insn.mnemonic == ZYDIS_MNEMONIC_JMP && insn_branch(&insn, address, &address))
			continue;
		if (insn_ends(&insn))
			break;
		if (is_plain(&insn) && pops(&insn) && frame.depth == 0)
			return RETURN_KEPT;
		if (is_plain(&insn) && reads_stack(&insn, &frame, &at) && at == 0)
			return frame.depth == 0 ? RETURN_KEPT : RETURN_READ;
		if (!follow(&insn, &frame))
			break;
		address += insn.length;
	}
	return RETURN_UNUSED;
}
