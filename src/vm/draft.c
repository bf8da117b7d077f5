/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * draft.c - putting a struct code together. See draft.h.
 *
 *   | struct code | insns | subprogs | faults | slots | handlers | native |
 */
#include "vm/draft.h"

#include <errno.h>

#include "vm/install.h"

int draft_init(struct draft *draft, const struct insn *insns, uint32_t len,
	       const struct verified_subprog *subprogs, uint32_t subprog_count)
{
	*draft = (struct draft){ .len = len, .subprogs = subprogs, .subprog_count = subprog_count };
	draft->insns = malloc(len * sizeof(*insns));
	draft->handlers = malloc(len * sizeof(*draft->handlers));
	if (!draft->insns || !draft->handlers)
		return -ENOMEM;
	memcpy(draft->insns, insns, len * sizeof(*insns));
	for (uint32_t id = 0; id < JIT_SLOT_CALLS; id++)
		if (draft_slot(draft, CODE_SLOT_RUNTIME, id) < 0)
			return -ENOMEM;
	return 0;
}

void draft_done(struct draft *draft)
{
	free(draft->insns);
	free(draft->handlers);
	vec_done(&draft->slots);
	vec_done(&draft->arrays);
	jit_result_done(&draft->native);
}

int draft_slot(struct draft *draft, uint32_t kind, uint32_t id)
{
	struct code_slot *slot;

	for (size_t i = 0; i < draft->slots.count; i++)
		if (draft->slots.items[i].kind == kind && draft->slots.items[i].id == id)
			return (int)i;
	slot = vec_push(&draft->slots);
	if (!slot)
		return -ENOMEM;
	*slot = (struct code_slot){ .kind = kind, .id = id };
	return (int)(draft->slots.count - 1);
}

static int64_t subprog_at(const struct draft *draft, int64_t start)
{
	for (uint32_t i = 0; i < draft->subprog_count; i++)
		if (draft->subprogs[i].start == start)
			return i;
	return -1;
}

int draft_finish(struct draft *draft, bool compile)
{
	struct jit_input input = {
		.insns = draft->insns,
		.len = draft->len,
		.subprogs = draft->subprogs,
		.subprog_count = draft->subprog_count,
		.facts = draft->facts,
		.arrays = draft->arrays.items,
		.cpu_features = jit_cpu_features(),
		.callbacks = draft->callbacks,
	};
	int error;

	for (uint32_t pc = 0; pc < draft->len; pc++) {
		struct insn *insn = &draft->insns[pc];

		if (insn->kind == INSN_CALL && insn->op == CALL_LOCAL) {
			insn->imm = subprog_at(draft, insn_target(insn, pc));
			if (insn->imm < 0)
				return -EINVAL;
		}
		draft->handlers[pc] = interpret_handler(insn);
	}
	if (!compile)
		return 0;
	error = jit_compile(&input, &draft->native);
	return error == -ENOMEM ? error : 0;
}

/* --- into one piece --- */

struct layout {
	size_t insns, subprogs, faults, slots, handlers, native, size;
};

static size_t place(size_t *at, size_t size)
{
	size_t here = *at;

	*at = (here + size + 15) & ~(size_t)15;
	return here;
}

static struct layout layout_of(const struct draft *draft)
{
	struct layout l;
	size_t at = 0;

	place(&at, sizeof(struct code));
	l.insns = place(&at, draft->len * sizeof(struct insn));
	l.subprogs = place(&at, draft->subprog_count * sizeof(struct code_subprog));
	l.faults = place(&at, draft->native.fault_count * sizeof(struct jit_fault));
	l.slots = place(&at, draft->slots.count * sizeof(struct code_slot));
	l.handlers = place(&at, draft->len * sizeof(uint16_t));
	l.native = place(&at, draft->native.size);
	l.size = at;
	return l;
}

size_t draft_size(const struct draft *draft)
{
	return layout_of(draft).size;
}

static const void *put(void *memory, size_t at, const void *from, size_t size)
{
	uint8_t *to = (uint8_t *)memory + at;

	if (size > 0)
		memcpy(to, from, size);
	return to;
}

/* Equal stamps mean equal behaviour: what an installed copy is made from. */
uint64_t draft_stamp(const struct code *code)
{
	uint64_t stamp = hash_bytes(code->native, code->native_size, 1);

	stamp = hash_bytes(code->insns, code->len * sizeof(*code->insns), stamp);
	stamp = hash_bytes(code->slots, code->slot_count * sizeof(*code->slots), stamp);
	return hash_bytes(&code->prog_type, 2 * sizeof(uint32_t), stamp);
}

static bool inside(const struct code *code, const void *at, size_t count, size_t size)
{
	size_t off = (size_t)((uintptr_t)at - (uintptr_t)code);

	return off >= sizeof(*code) && off <= code->size && count <= (code->size - off) / size;
}

static bool parts_inside(const struct code *code)
{
	return inside(code, code->insns, code->len, sizeof(*code->insns)) &&
	       inside(code, code->subprogs, code->subprog_count, sizeof(*code->subprogs)) &&
	       inside(code, code->fault_table, code->fault_count, sizeof(*code->fault_table)) &&
	       inside(code, code->slots, code->slot_count, sizeof(*code->slots)) &&
	       inside(code, code->handlers, code->len, sizeof(*code->handlers)) &&
	       inside(code, code->native, code->native_size, 1) && code->len > 0 &&
	       code->subprog_count > 0;
}

bool code_sound(const struct code *code, const struct memory *memory)
{
	uint32_t native;

	if (!memory_contains(memory, code, sizeof(*code), 16) || code->size < sizeof(*code) ||
	    !memory_contains(memory, code, code->size, 16) || !parts_inside(code) ||
	    code->stamp != draft_stamp(code))
		return false;
	if (!memory_contains(memory, code->runs,
			     (size_t)code->run_count * CODE_RUN_STRIDE * sizeof(uint64_t), 64))
		return false;
	native = MAX(code->native_size, 1u);
	if (code->native_enter >= native || code->native_fault >= native)
		return false;
	for (uint32_t i = 0; i < code->len; i++)
		if (code->handlers[i] != interpret_handler(&code->insns[i]))
			return false;
	for (uint32_t i = 0; i < code->subprog_count; i++)
		if (code->subprogs[i].start >= code->subprogs[i].end ||
		    code->subprogs[i].end > code->len || code->subprogs[i].native_off >= native)
			return false;
	for (uint32_t i = 0; i < code->fault_count; i++)
		if (code->fault_table[i].start >= code->fault_table[i].end ||
		    code->fault_table[i].end > native || code->fault_table[i].insn >= code->len)
			return false;
	return true;
}

struct code *draft_fill(const struct draft *draft, void *memory)
{
	struct layout l = layout_of(draft);
	struct code *code = memory;
	struct code_subprog *subprogs = (struct code_subprog *)(void *)((uint8_t *)memory + l.subprogs);

	code->len = draft->len;
	code->size = l.size;
	code->insns = put(memory, l.insns, draft->insns, draft->len * sizeof(*code->insns));
	code->handlers = put(memory, l.handlers, draft->handlers, draft->len * sizeof(uint16_t));
	code->slots = put(memory, l.slots, draft->slots.items,
			  draft->slots.count * sizeof(*code->slots));
	code->slot_count = (uint32_t)draft->slots.count;
	code->native = put(memory, l.native, draft->native.bytes, draft->native.size);
	code->native_size = (uint32_t)draft->native.size;
	code->native_enter = draft->native.enter;
	code->native_fault = draft->native.fault;
	code->fault_table = put(memory, l.faults, draft->native.faults,
				draft->native.fault_count * sizeof(struct jit_fault));
	code->fault_count = (uint32_t)draft->native.fault_count;
	for (uint32_t i = 0; i < draft->subprog_count; i++)
		subprogs[i] = (struct code_subprog){
			.start = draft->subprogs[i].start,
			.end = draft->subprogs[i].end,
			.stack = draft->subprogs[i].stack,
			.native_off = draft->native.size ? draft->native.subprog_entry[i] : 0,
		};
	code->subprogs = subprogs;
	code->subprog_count = draft->subprog_count;
	code->stamp = draft_stamp(code);
	return code;
}
