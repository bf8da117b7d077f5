/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * relocate.c - most instructions are copied as they are. What depends on its own address is
 * not: operands relative to the instruction pointer get a new distance, short branches become
 * near ones, and a call pushes the return address it would have pushed in its place, so that
 * nobody who looks at the stack sees the stub.
 *
 * What the dynamic linker relocates in the code is taken from memory when the patch is applied.
 */
#include "hook/relocate.h"

static void put(struct stub *stub, uint64_t bytes, unsigned size)
{
	struct patch *patch = stub->patch;

	if (patch->code_size + size > PATCH_CODE) {
		stub->failed = true;
		return;
	}
	memcpy(patch->code + patch->code_size, &bytes, size);
	patch->code_size = (uint8_t)(patch->code_size + size);
}

static void fix(struct stub *stub, enum patch_fixup_kind kind, unsigned at, unsigned end,
		int64_t to)
{
	struct patch *patch = stub->patch;

	if (patch->fixup_count == PATCH_FIXUPS || to != (int32_t)to) {
		stub->failed = true;
		return;
	}
	patch->fixups[patch->fixup_count++] = (struct patch_fixup){ (uint8_t)kind, (uint8_t)at,
		(uint8_t)end, (int32_t)to };
}

/* Whether the linker changes bytes of a field of an instruction. */
static bool is_relocated(const struct stub *stub, uint64_t field, unsigned size)
{
	return stub->sweep && sweep_relocation_in(stub->sweep, field, field + size);
}

/* A rel32 that ends its instruction. */
static void put_rel32(struct stub *stub, uint64_t target)
{
	unsigned at = stub->patch->code_size;

	put(stub, 0, 4);
	fix(stub, FIXUP_REL32, at, at + 4, (int64_t)(target - stub->site));
}

/* The same to where a branch goes whose own distance is at an address. */
static void put_branch(struct stub *stub, const ZydisDecodedInstruction *insn, uint64_t address,
		       uint64_t target)
{
	uint64_t field = address + insn->raw.imm[0].offset;
	unsigned at = stub->patch->code_size;

	if (insn->raw.imm[0].size != 32 || !is_relocated(stub, field, 4)) {
		put_rel32(stub, target);
		return;
	}
	put(stub, 0, 4);
	fix(stub, FIXUP_MOVED32, at, at + 4, (int64_t)(field - stub->site));
}

/* A rel32, ending its instruction, to 8 bytes that stub_finish() places. */
static void put_literal(struct stub *stub, enum patch_fixup_kind kind, int64_t to)
{
	unsigned at = stub->patch->code_size;

	put(stub, 0, 4);
	if (stub->literal_count == PATCH_FIXUPS || to != (int32_t)to) {
		stub->failed = true;
		return;
	}
	stub->literals[stub->literal_count].at = (uint8_t)at;
	stub->literals[stub->literal_count].end = (uint8_t)(at + 4);
	stub->literals[stub->literal_count].kind = (uint8_t)kind;
	stub->literals[stub->literal_count++].to = (int32_t)to;
}

void stub_add_jump(struct stub *stub, uint64_t target)
{
	put(stub, 0xe9, 1);
	put_rel32(stub, target);
}

static void push_return(struct stub *stub, uint64_t address)
{
	put(stub, 0x35ff, 2); /* push literal(%rip): flags stay */
	put_literal(stub, FIXUP_ABS64, (int64_t)(address - stub->site));
}

/* What has to be changed in a copy at a place of the code. */
static void fix_copy(struct stub *stub, const ZydisDecodedInstruction *insn, uint64_t address,
		     unsigned at)
{
	uint64_t end = address + insn->length, disp = address + insn->raw.disp.offset, target;
	bool relative = insn_rip_relative(insn, address, &target);
	const struct sweep_relocation *relocation;

	if (relative && is_relocated(stub, disp, 4))
		fix(stub, FIXUP_MOVED32, at + insn->raw.disp.offset, at + insn->length,
		    (int64_t)(disp - stub->site));
	else if (relative)
		fix(stub, FIXUP_REL32, at + insn->raw.disp.offset, at + insn->length,
		    (int64_t)(target - stub->site));
	for (uint64_t from = address; stub->sweep && from < end;
	     from = relocation->address + relocation->size) {
		relocation = sweep_relocation_in(stub->sweep, from, end);
		if (!relocation)
			break;
		if (relative && relocation->address == disp)
			continue;
		/* Part of an instruction is not what a linker relocates. */
		stub->failed |= relocation->address < address || relocation->address + relocation->size > end;
		fix(stub, FIXUP_COPY, at + (unsigned)(relocation->address - address), relocation->size,
		    (int64_t)(relocation->address - stub->site));
	}
}

/* A copy of the bytes, with the distance of a RIP-relative operand to be fixed. */
static void add_copy(struct stub *stub, const uint8_t *bytes,
		     const ZydisDecodedInstruction *insn, uint64_t address)
{
	unsigned at = stub->patch->code_size;

	for (unsigned i = 0; i < insn->length; i++)
		put(stub, bytes[i], 1);
	fix_copy(stub, insn, address, at);
}

static bool is_indirect_call(const ZydisDecodedInstruction *insn)
{
	return insn->mnemonic == ZYDIS_MNEMONIC_CALL && !insn->raw.imm[0].is_relative;
}

/* Whether the memory operand is addressed by the stack pointer. */
static bool uses_stack_pointer(const ZydisDecodedInstruction *insn)
{
	if (insn->raw.modrm.mod == 3)
		return insn->raw.modrm.rm == 4 && !insn->raw.rex.B;
	return insn->raw.modrm.rm == 4 && insn->raw.sib.base == 4 && !insn->raw.rex.B;
}

/* call *x: push the return address, then jmp *x, which is the same encoding but for reg. */
static void add_indirect_call(struct stub *stub, const uint8_t *bytes,
			      const ZydisDecodedInstruction *insn, uint64_t address)
{
	unsigned at, modrm = insn->raw.modrm.offset;

	push_return(stub, address + insn->length);
	at = stub->patch->code_size;
	for (unsigned i = 0; i < insn->length; i++)
		put(stub, i == modrm ? bytes[i] + 0x10u : bytes[i], 1);
	fix_copy(stub, insn, address, at);
}

static void add_branch(struct stub *stub, const uint8_t *bytes,
		       const ZydisDecodedInstruction *insn, uint64_t address, uint64_t target)
{
	if (insn->mnemonic == ZYDIS_MNEMONIC_JMP) {
		put(stub, 0xe9, 1);
		put_branch(stub, insn, address, target);
	} else if (insn->opcode_map == ZYDIS_OPCODE_MAP_0F || (insn->opcode & 0xf0) == 0x70) {
		put(stub, 0x800fu | (insn->opcode & 0xfu) << 8, 2);
		put_branch(stub, insn, address, target);
	} else {
		/* loop, jrcxz: taken, they skip the short jump that skips the near one. Their
		 * prefix chooses the counter's width. */
		for (unsigned i = 0; i < insn->raw.imm[0].offset; i++)
			put(stub, bytes[i], 1);
		put(stub, 0x02, 1);
		put(stub, 0x05eb, 2);
		stub_add_jump(stub, target);
	}
}

bool stub_can_hold(const ZydisDecodedInstruction *insn, bool last)
{
	bool relative = insn->raw.imm[0].is_relative;

	switch ((int)insn->mnemonic) {
	case ZYDIS_MNEMONIC_CALL:
		if (!last)
			return false;
		return relative ? insn->raw.imm[0].size == 32 && insn->opcode == 0xe8
				: insn->raw.modrm.reg == 2 && !uses_stack_pointer(insn);
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_INT:
	case ZYDIS_MNEMONIC_SYSENTER:
	case ZYDIS_MNEMONIC_XBEGIN:
		return false;
	default:
		/* 16-bit branches cut the instruction pointer. */
		return !relative || insn->raw.imm[0].size == 8 || insn->raw.imm[0].size == 32;
	}
}

void stub_add(struct stub *stub, const uint8_t *bytes, const ZydisDecodedInstruction *insn,
	      uint64_t address)
{
	uint64_t target;

	if (is_indirect_call(insn)) {
		add_indirect_call(stub, bytes, insn, address);
	} else if (!insn_branch(insn, address, &target)) {
		add_copy(stub, bytes, insn, address);
	} else if (insn->mnemonic == ZYDIS_MNEMONIC_CALL) {
		push_return(stub, address + insn->length);
		put(stub, 0xe9, 1);
		put_branch(stub, insn, address, target);
	} else {
		add_branch(stub, bytes, insn, address, target);
	}
}

/*
 * A thread that nobody dispatches makes a call that nobody waits for right here. Flags stay as
 * they are: rcx and r11, which a call loses anyway, find the call's way by the lowest byte of
 * its number.
 */
static void put_ways(struct stub *stub)
{
	put(stub, 0xc8b60f, 3);         /* movzbl %al, %ecx */
	put(stub, 0x1d8b4c, 3);         /* mov literal(%rip), %r11 */
	put_literal(stub, FIXUP_WAYS64, 0);
	put(stub, 0x1b8b4d, 3);         /* mov (%r11), %r11 */
	put(stub, 0x190cb60f42, 5);     /* movzbl (%rcx,%r11), %ecx */
	put(stub, 0x11e3, 2);           /* jrcxz over the next two, and where it returns to */
}

void stub_add_syscall(struct stub *stub, bool returns_here, uint64_t address)
{
	stub->patch->call_to = stub->patch->code_size;
	put_ways(stub);
	put(stub, 0x0d8d48, 3); /* lea return(%rip), %rcx */
	if (returns_here)
		put(stub, 6 + 4 + 2, 4);
	else
		put_rel32(stub, address);
	put(stub, 0x25ff, 2);   /* jmp *literal(%rip) */
	put_literal(stub, FIXUP_GATE64, 0);
	put_rel32(stub, address); /* for patch_returns_to() */
	/* A thread that slept in the call when the window was patched goes on behind this one
	 * too, or at it if the kernel restarts the call. */
	stub->patch->call_at = stub->patch->code_size;
	put(stub, 0x050f, 2);
	if (returns_here)
		return;
	put(stub, 0x0d8d48, 3); /* rcx as the gate leaves it */
	put_rel32(stub, address);
}

void stub_finish(struct stub *stub)
{
	struct patch *patch = stub->patch;

	while (patch->code_size % 8)
		put(stub, 0xcc, 1);
	for (unsigned i = 0; i < stub->literal_count && !stub->failed; i++) {
		uint32_t distance = patch->code_size - (uint32_t)stub->literals[i].end;

		memcpy(patch->code + stub->literals[i].at, &distance, sizeof(distance));
		fix(stub, stub->literals[i].kind, patch->code_size, patch->code_size + 8u,
		    stub->literals[i].to);
		put(stub, 0, 8);
	}
}
