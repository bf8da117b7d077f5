/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bare.c - running bytecode that no verifier has seen. Control plane.
 *
 * The check here is of structure: every instruction decodes and is one that
 * needs no machine, every jump stays in its subprogram and meets an
 * instruction, no subprogram is left but by exit, and local calls nest at most
 * eight deep and never recurse. That is what the engines rely on beyond memory,
 * which the interpreter watches access by access.
 */
#include <skep/engine.h>

#include <errno.h>

#include "vm/draft.h"
#include "vm/install.h"

#define BARE_CALL_DEPTH 8u
#define BARE_STACK (BARE_CALL_DEPTH * INSN_STACK_SIZE)
#define BARE_PROG_TYPE UINT32_MAX

/* --- the check --- */

struct bare {
	struct insn *insns;      /* owned */
	uint32_t len;
	struct verified_subprog *subprogs; /* owned; in order */
	uint32_t subprog_count;
	uint32_t *subprog_of;    /* owned: per instruction */
	struct skep_diag *diag;
};

static int bare_fail(const struct bare *bare, uint32_t pc, const char *why)
{
	struct skep_where where = SKEP_NOWHERE;

	where.insn = pc;
	return skep_fail(bare->diag, SKEP_ENGINE_BYTECODE, &where, "instruction %u: %s", pc, why);
}

static int bare_decode(struct bare *bare, const struct skep_insn *insns)
{
	const char *why = NULL;
	size_t bad = 0;

	if (insn_decode_all(insns, bare->len, bare->insns, &bad, &why) < 0)
		return bare_fail(bare, (uint32_t)bad, why ? why : "does not decode");
	return 0;
}

static bool lands(const struct bare *bare, int64_t target)
{
	return target >= 0 && target < bare->len && bare->insns[target].kind != INSN_PAD;
}

/* Every target of a local call starts a subprogram; the first starts at 0. */
static int bare_find_subprogs(struct bare *bare)
{
	uint32_t count = 0;

	bare->subprog_of[0] = 1;
	for (uint32_t pc = 0; pc < bare->len; pc++) {
		const struct insn *insn = &bare->insns[pc];

		if (insn->kind != INSN_CALL || insn->op != CALL_LOCAL)
			continue;
		if (!lands(bare, insn_target(insn, pc)))
			return bare_fail(bare, pc, "the call leads out of the program");
		bare->subprog_of[insn_target(insn, pc)] = 1;
	}
	for (uint32_t pc = 0; pc < bare->len; pc++)
		count += bare->subprog_of[pc];
	bare->subprogs = calloc(count, sizeof(*bare->subprogs));
	if (!bare->subprogs)
		return skep_fail(bare->diag, SKEP_OOM, NULL, "bytecode of %u instructions", bare->len);
	for (uint32_t pc = 0; pc < bare->len; pc++) {
		if (bare->subprog_of[pc])
			bare->subprogs[bare->subprog_count++] =
				(struct verified_subprog){ .start = pc, .stack = INSN_STACK_SIZE };
		bare->subprogs[bare->subprog_count - 1].end = pc + 1;
		bare->subprog_of[pc] = bare->subprog_count - 1;
	}
	return 0;
}

static int bare_check_flow(const struct bare *bare, uint32_t pc, int64_t target)
{
	if (!lands(bare, target) || bare->subprog_of[target] != bare->subprog_of[pc])
		return bare_fail(bare, pc, "the jump leads out of its function");
	return 0;
}

static int bare_check_call(const struct bare *bare, uint32_t pc, const struct insn *insn)
{
	switch ((enum call)insn->op) {
	case CALL_HELPER:
		if (bare_helper((uint32_t)insn->imm))
			return 0;
		return skep_fail(bare->diag, SKEP_ENGINE_HELPER, NULL,
				 "instruction %u calls helper %d, which needs a machine", pc,
				 (int)insn->imm);
	case CALL_KFUNC:
	case CALL_HELPER_BTF:
		return skep_fail(bare->diag, SKEP_ENGINE_KFUNC, NULL,
				 "instruction %u calls kernel function %d", pc, (int)insn->imm);
	case CALL_LOCAL:
	case CALL_REGISTER:
		break;
	}
	return 0;
}

static bool writes_frame_pointer(const struct insn *insn)
{
	switch ((enum insn_kind)insn->kind) {
	case INSN_ALU: case INSN_IMM64: case INSN_LOAD: case INSN_CAST: case INSN_LOAD_ARG:
		return insn->dst == INSN_MAX_REG;
	case INSN_ATOMIC:
		return insn->op == ATOMIC_LOAD_ACQ ? insn->dst == INSN_MAX_REG
						   : insn->src == INSN_MAX_REG &&
							     insn->op != ATOMIC_STORE_REL;
	case INSN_INVALID: case INSN_PAD: case INSN_STORE: case INSN_LOAD_PACKET: case INSN_JUMP:
	case INSN_GOTO: case INSN_GOTO_REG: case INSN_MAY_GOTO: case INSN_CALL: case INSN_EXIT:
	case INSN_STORE_ARG: case INSN_KIND_COUNT:
		break;
	}
	return false;
}

static int bare_check_insn(const struct bare *bare, uint32_t pc)
{
	const struct insn *insn = &bare->insns[pc];
	uint32_t next = pc + (insn->kind == INSN_IMM64 ? 2 : 1);
	int error = 0;

	if (writes_frame_pointer(insn))
		return bare_fail(bare, pc, "the frame pointer is read-only");
	switch ((enum insn_kind)insn->kind) {
	case INSN_PAD:
	case INSN_EXIT:
		return 0;
	case INSN_GOTO:
		return bare_check_flow(bare, pc, insn_target(insn, pc));
	case INSN_JUMP:
	case INSN_MAY_GOTO:
		error = bare_check_flow(bare, pc, insn_target(insn, pc));
		break;
	case INSN_CALL:
		error = bare_check_call(bare, pc, insn);
		break;
	case INSN_IMM64:
		if (insn->op != IMM64_VALUE)
			return skep_fail(bare->diag, SKEP_ENGINE_ADDRESS, NULL,
					 "instruction %u refers to a map or function", pc);
		break;
	case INSN_GOTO_REG:
	case INSN_CAST:
		return skep_fail(bare->diag, SKEP_ENGINE_ADDRESS, NULL,
				 "instruction %u works on a map, and there are none", pc);
	case INSN_ALU: case INSN_LOAD: case INSN_STORE: case INSN_ATOMIC: case INSN_LOAD_PACKET:
		break;
	case INSN_LOAD_ARG:
	case INSN_STORE_ARG:
		return bare_fail(bare, pc, "arguments on the stack need a verified program");
	case INSN_INVALID:
	case INSN_KIND_COUNT:
		return bare_fail(bare, pc, "does not decode");
	}
	if (error < 0)
		return error;
	if (next >= bare->len || bare->subprog_of[next] != bare->subprog_of[pc])
		return bare_fail(bare, pc, "the function ends without exit");
	return 0;
}

/* One round of: a subprogram is one higher than the highest it calls. */
static bool bare_raise(const struct bare *bare, uint32_t *height)
{
	bool changed = false;

	for (uint32_t pc = 0; pc < bare->len; pc++) {
		const struct insn *insn = &bare->insns[pc];
		uint32_t caller = bare->subprog_of[pc], callee;

		if (insn->kind != INSN_CALL || insn->op != CALL_LOCAL)
			continue;
		callee = bare->subprog_of[insn_target(insn, pc)];
		if (height[caller] > height[callee])
			continue;
		height[caller] = height[callee] + 1;
		changed = true;
	}
	return changed;
}

/* Heights settle within eight rounds unless calls recurse or nest deeper. */
static int bare_check_depth(const struct bare *bare)
{
	uint32_t *height = calloc(bare->subprog_count, sizeof(*height));
	uint32_t rounds = 0;

	if (!height)
		return skep_fail(bare->diag, SKEP_OOM, NULL, "bytecode of %u instructions", bare->len);
	while (bare_raise(bare, height) && rounds <= BARE_CALL_DEPTH)
		rounds++;
	for (uint32_t i = 0; i < bare->subprog_count; i++)
		if (height[i] >= BARE_CALL_DEPTH)
			rounds = BARE_CALL_DEPTH + 1;
	free(height);
	return rounds > BARE_CALL_DEPTH ? bare_fail(bare, 0, "calls nest more than 8 deep, or recurse")
					: 0;
}

static int bare_check(struct bare *bare, const struct skep_insn *insns)
{
	int error = bare_decode(bare, insns);

	if (error == 0)
		error = bare_find_subprogs(bare);
	for (uint32_t pc = 0; error == 0 && pc < bare->len; pc++)
		error = bare_check_insn(bare, pc);
	return error < 0 ? error : bare_check_depth(bare);
}

/* --- running --- */

struct bare_limits {
	uint8_t *memory;
	size_t size;
	uint64_t budget;
	bool interpret, compile;
};

static int bare_execute(const struct code *code, const struct bare_limits *limits, uint64_t *r0)
{
	uint8_t stack[BARE_STACK] __attribute__((aligned(16))) = { 0 };
	struct call_record records[BARE_CALL_DEPTH];
	struct vm vm = { .code = code };
	const uint64_t args[5] = { (uint64_t)(uintptr_t)limits->memory, limits->size };
	struct run run = {
		.frame = { .vm = &vm },
		.records = records,
		.records_end = records + BARE_CALL_DEPTH,
		.stack_end = stack,
		.stack_top = stack + sizeof(stack),
		.watched = true,
		.counted = limits->budget > 0,
		.budget = limits->budget,
		.memory = limits->memory,
		.memory_size = limits->size,
	};
	const struct installed *home = install_find(code);
	uint64_t result;

	vm.engine = &run;
	if (limits->compile && (!home || !home->executable))
		return -EOPNOTSUPP;
	if (limits->interpret || !home || !home->executable) {
		result = interpret(&run, code, 0, args, run.stack_top);
	} else {
		jit_enter_fn *enter = (jit_enter_fn *)(uintptr_t)(home->native + code->native_enter);

		result = enter(&run.frame, home->native + code->subprogs[0].native_off, args,
			       run.stack_top);
	}
	if (run.frame.stopped)
		return run.error ? run.error : -EFAULT;
	*r0 = result;
	return 0;
}

static int bare_run_checked(const struct bare *bare, const struct bare_limits *limits, uint64_t *r0)
{
	struct draft draft;
	struct code *code;
	void *memory = NULL;
	int error = draft_init(&draft, bare->insns, bare->len, bare->subprogs, bare->subprog_count);

	for (uint32_t pc = 0; error == 0 && pc < bare->len; pc++) {
		struct insn *insn = &draft.insns[pc];
		int slot;

		if (insn->kind != INSN_CALL || insn->op != CALL_HELPER)
			continue;
		slot = draft_slot(&draft, CODE_SLOT_BARE, (uint32_t)insn->imm);
		insn->src = JIT_CALL_HELPER;
		insn->off = slot;
		error = MIN(slot, 0);
	}
	if (error == 0)
		error = draft_finish(&draft, !limits->interpret);
	if (error == 0 && posix_memalign(&memory, 16, draft_size(&draft)) != 0)
		error = -ENOMEM;
	if (error == 0) {
		memset(memory, 0, draft_size(&draft));
		code = draft_fill(&draft, memory);
		code->prog_type = BARE_PROG_TYPE;
		error = bare_execute(code, limits, r0);
		install_remove(code);
	}
	free(memory);
	draft_done(&draft);
	return error;
}

static int bare_report(int error, const struct bare_limits *limits, struct skep_diag *diag)
{
	switch (error) {
	case 0:
		return 0;
	case -ELOOP:
		return skep_fail(diag, SKEP_ENGINE_BUDGET, NULL, "not done after %llu instructions",
				 (unsigned long long)limits->budget);
	case -ENOMEM:
		return skep_fail(diag, SKEP_OOM, NULL, "no memory to compile it");
	case -EFAULT:
		return skep_fail(diag, SKEP_ENGINE_FAULT, NULL, "access outside memory and stack");
	case -EOPNOTSUPP:
		return skep_fail(diag, SKEP_ENGINE_COMPILE, NULL,
				 "no compiler for this machine, or code may not be mapped");
	default:
		return skep_fail(diag, SKEP_ENGINE_BYTECODE, NULL, "call of an unknown helper");
	}
}

int skep_run_bare(const struct skep_insn *insns, size_t count, void *memory, size_t size,
		  unsigned flags, uint64_t budget, uint64_t *r0, struct skep_diag *diag)
{
	struct bare_limits limits = {
		.memory = memory, .size = size, .budget = budget,
		.interpret = flags & SKEP_BARE_INTERPRET, .compile = flags & SKEP_BARE_COMPILE,
	};
	struct bare bare = { .len = (uint32_t)count, .diag = diag };
	int error;

	if (count == 0 || count > 1000000)
		return skep_fail(diag, SKEP_ENGINE_BYTECODE, NULL,
				 "a program has 1 to 1000000 instructions, not %zu", count);
	error = engine_init();
	if (error < 0)
		return skep_report(diag, SKEP_ENGINE_FAULT, NULL, "no fault handler"), error;
	bare.insns = calloc(count, sizeof(*bare.insns));
	bare.subprog_of = calloc(count, sizeof(*bare.subprog_of));
	if (!bare.insns || !bare.subprog_of)
		error = skep_fail(diag, SKEP_OOM, NULL, "bytecode of %zu instructions", count);
	else
		error = bare_check(&bare, insns);
	if (error == 0)
		error = bare_report(bare_run_checked(&bare, &limits, r0), &limits, diag);
	free(bare.insns);
	free(bare.subprog_of);
	free(bare.subprogs);
	return error;
}

int vm_run_bare(const struct skep_insn *insns, size_t count, void *memory, size_t size,
		bool interpreted, uint64_t budget, uint64_t *r0)
{
	return skep_run_bare(insns, count, memory, size, interpreted ? SKEP_BARE_INTERPRET : 0,
			     budget, r0, NULL);
}
