/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interpret.c - the interpreter: what every instruction means. [runtime]
 *
 * Direct-threaded: code.handlers holds for each slot the number of a label of
 * interpret(), and every handler ends with a jump to the next one's label.
 * A run that must look at each instruction first (bare code) jumps through
 * another table whose entries all lead to one label; so looking costs nothing
 * where nobody looks. ALU and jump handlers are expanded from alu.def and
 * cond.def: this is the reference that the compilers are tested against.
 */
#include <ucontext.h>

#include "base/base.h"
#include "vm/access.h"
#include "vm/handler.h"
#include "vm/install.h"
#include "vm/run.h"

extern const struct access_entry access_start[] __asm__("__start_skep_access")
	__attribute__((visibility("hidden")));
extern const struct access_entry access_end[] __asm__("__stop_skep_access")
	__attribute__((visibility("hidden")));

static const char *entry_at(const struct access_entry *entry)
{
	return (const char *)&entry->at + entry->at;
}

void interpret_fault_range(const void **start, const void **end)
{
	const char *low = entry_at(access_start), *high = low;

	for (const struct access_entry *entry = access_start; entry < access_end; entry++) {
		low = MIN(low, entry_at(entry));
		high = MAX(high, entry_at(entry));
	}
	*start = low;
	*end = high + 1;
}

bool interpret_on_fault(void *arg, void *ucontext, uint64_t address)
{
	ucontext_t *uc = ucontext;
	const char *pc = (const char *)uc->uc_mcontext.gregs[REG_RIP];

	(void)arg;
	(void)address;
	for (const struct access_entry *entry = access_start; entry < access_end; entry++) {
		if (entry_at(entry) != pc)
			continue;
		uc->uc_mcontext.gregs[REG_RIP] =
			(greg_t)((const char *)&entry->failed + entry->failed);
		return true;
	}
	return false;
}

/* --- which handler an instruction has --- */

static unsigned quarter(const struct insn *insn)
{
	return (insn->width == 8 ? 2u : 0u) + (insn->source_is_imm ? 0u : 1u);
}

static unsigned width_index(unsigned width)
{
	return width == 1 ? 0 : width == 2 ? 1 : width == 4 ? 2 : 3;
}

static unsigned handler_of_alu(const struct insn *insn)
{
	switch ((enum alu)insn->op) {
	case ALU_MOV:
		if (insn->sign_extend && insn->from < insn->width)
			return H_MOVSX;
		break;
	case ALU_TO_LE:
	case ALU_TO_BE:
	case ALU_BSWAP:
		return H_SWAP;
	case ALU_ADD: case ALU_SUB: case ALU_MUL: case ALU_DIV: case ALU_OR: case ALU_AND:
	case ALU_LSH: case ALU_RSH: case ALU_NEG: case ALU_MOD: case ALU_XOR: case ALU_ARSH:
	case ALU_SDIV: case ALU_SMOD:
		break;
	case ALU_COUNT:
		return H_INVALID;
	}
	return H_ALU4_K_ADD + 4u * insn->op + quarter(insn);
}

static unsigned handler_of_call(const struct insn *insn)
{
	switch ((enum call)insn->op) {
	case CALL_HELPER:
		switch ((enum jit_call)insn->src) {
		case JIT_CALL_HELPER:
			return H_CALL_HELPER;
		case JIT_CALL_TAIL:
			return H_CALL_TAIL;
		case JIT_CALL_MAP_LOOKUP:
		case JIT_CALL_ARRAY_LOOKUP:
			return H_CALL_MAP_LOOKUP;
		}
		return H_INVALID;
	case CALL_LOCAL:
		return H_CALL_LOCAL;
	case CALL_REGISTER:
		return H_CALL_REGISTER;
	case CALL_KFUNC:
	case CALL_HELPER_BTF:
		break; /* code_new() refuses them */
	}
	return H_INVALID;
}

uint16_t interpret_handler(const struct insn *insn)
{
	switch ((enum insn_kind)insn->kind) {
	case INSN_ALU:
		return (uint16_t)handler_of_alu(insn);
	case INSN_IMM64:
		return H_IMM64;
	case INSN_LOAD:
		if (insn->sign_extend && insn->width < 8)
			return (uint16_t)(H_LOADS1 + width_index(insn->width));
		return (uint16_t)(H_LOAD1 + width_index(insn->width));
	case INSN_STORE:
		return (uint16_t)((insn->source_is_imm ? H_STORE1_K : H_STORE1_X) +
				  width_index(insn->width));
	case INSN_ATOMIC:
		return H_ATOMIC;
	case INSN_LOAD_PACKET:
		return H_LOAD_PACKET;
	case INSN_JUMP:
		return (uint16_t)(H_JUMP4_K_EQ + 4u * insn->op + quarter(insn));
	case INSN_GOTO:
		return H_GOTO;
	case INSN_GOTO_REG:
		return H_GOTO_REG;
	case INSN_MAY_GOTO:
		return H_MAY_GOTO;
	case INSN_CALL:
		return (uint16_t)handler_of_call(insn);
	case INSN_EXIT:
		return H_EXIT;
	case INSN_CAST:
		return H_CAST;
	case INSN_LOAD_ARG:
	case INSN_STORE_ARG: /* what is verified has stores and loads in their place */
	case INSN_INVALID:
	case INSN_PAD:
	case INSN_KIND_COUNT:
		break;
	}
	return H_INVALID;
}

/* --- atomics --- */

/* The old value of *p, of type T, after op with value. */
#define ATOMIC_APPLY(T, p, op, value, expected, old)                                      \
	switch (op) {                                                                     \
	case ATOMIC_ADD:                                                                  \
	case ATOMIC_FETCH_ADD:                                                            \
		old = __atomic_fetch_add((T *)(p), (T)(value), __ATOMIC_SEQ_CST);         \
		break;                                                                    \
	case ATOMIC_OR:                                                                   \
	case ATOMIC_FETCH_OR:                                                             \
		old = __atomic_fetch_or((T *)(p), (T)(value), __ATOMIC_SEQ_CST);          \
		break;                                                                    \
	case ATOMIC_AND:                                                                  \
	case ATOMIC_FETCH_AND:                                                            \
		old = __atomic_fetch_and((T *)(p), (T)(value), __ATOMIC_SEQ_CST);         \
		break;                                                                    \
	case ATOMIC_XOR:                                                                  \
	case ATOMIC_FETCH_XOR:                                                            \
		old = __atomic_fetch_xor((T *)(p), (T)(value), __ATOMIC_SEQ_CST);         \
		break;                                                                    \
	case ATOMIC_XCHG:                                                                 \
		old = __atomic_exchange_n((T *)(p), (T)(value), __ATOMIC_SEQ_CST);        \
		break;                                                                    \
	case ATOMIC_CMPXCHG: {                                                            \
		T want = (T)(expected);                                                   \
                                                                                          \
		__atomic_compare_exchange_n((T *)(p), &want, (T)(value), false,           \
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);          \
		old = want;                                                               \
		break;                                                                    \
	}                                                                                 \
	case ATOMIC_LOAD_ACQ:                                                             \
		old = __atomic_load_n((T *)(p), __ATOMIC_ACQUIRE);                        \
		break;                                                                    \
	case ATOMIC_STORE_REL:                                                            \
		__atomic_store_n((T *)(p), (T)(value), __ATOMIC_RELEASE);                 \
		break;                                                                    \
	case ATOMIC_COUNT:                                                                \
		break;                                                                    \
	}

/* Where the old value goes; -1: nowhere. */
static int atomic_result(const struct insn *insn)
{
	switch ((enum atomic)insn->op) {
	case ATOMIC_ADD: case ATOMIC_OR: case ATOMIC_AND: case ATOMIC_XOR:
	case ATOMIC_STORE_REL: case ATOMIC_COUNT:
		return -1;
	case ATOMIC_FETCH_ADD: case ATOMIC_FETCH_OR: case ATOMIC_FETCH_AND:
	case ATOMIC_FETCH_XOR: case ATOMIC_XCHG:
		return insn->src;
	case ATOMIC_CMPXCHG:
		return 0;
	case ATOMIC_LOAD_ACQ:
		return insn->dst;
	}
	return -1;
}

/* A load-acquire reads at src; every other atomic works at dst. */
static uint64_t atomic_address(const struct insn *insn, const uint64_t reg[11])
{
	return reg[insn->op == ATOMIC_LOAD_ACQ ? insn->src : insn->dst] + (uint64_t)insn->off;
}

/* False: it faulted. */
static bool atomic_execute(const struct insn *insn, uint64_t reg[11])
{
	void *p = (void *)(uintptr_t)atomic_address(insn, reg);
	enum atomic op = (enum atomic)insn->op;
	uint64_t old = 0, value = reg[insn->src];
	int result = atomic_result(insn);

	if (op == ATOMIC_LOAD_ACQ ? !access_load1(p, &old) : !access_probe(p, 0))
		return false;
	switch (insn->width) {
	case 1:
		ATOMIC_APPLY(uint8_t, p, op, value, reg[0], old)
		break;
	case 2:
		ATOMIC_APPLY(uint16_t, p, op, value, reg[0], old)
		break;
	case 4:
		ATOMIC_APPLY(uint32_t, p, op, value, reg[0], old)
		break;
	default:
		ATOMIC_APPLY(uint64_t, p, op, value, reg[0], old)
		break;
	}
	if (result >= 0)
		reg[result] = old;
	return true;
}

/* --- looking at bare code --- */

static bool inside(uint64_t address, unsigned width, const uint8_t *start, uint64_t size)
{
	uint64_t base = (uint64_t)(uintptr_t)start;

	return size >= width && address >= base && address - base <= size - width;
}

/* False: the instruction must not run; run->error says why. */
static bool watch(struct run *run, const struct insn *insn, const uint64_t reg[11])
{
	uint64_t address;

	if (run->counted && run->budget-- == 0) {
		run->error = -ELOOP;
		return false;
	}
	switch ((enum insn_kind)insn->kind) {
	case INSN_LOAD:
		address = reg[insn->src] + (uint64_t)insn->off;
		break;
	case INSN_STORE:
		address = reg[insn->dst] + (uint64_t)insn->off;
		break;
	case INSN_ATOMIC:
		address = atomic_address(insn, reg);
		break;
	case INSN_INVALID: case INSN_PAD: case INSN_ALU: case INSN_IMM64: case INSN_LOAD_PACKET:
	case INSN_JUMP: case INSN_GOTO: case INSN_GOTO_REG: case INSN_MAY_GOTO: case INSN_CALL:
	case INSN_EXIT: case INSN_CAST: case INSN_LOAD_ARG: case INSN_STORE_ARG:
	case INSN_KIND_COUNT:
		return true;
	default:
		return false;
	}
	if (inside(address, insn->width, run->memory, run->memory_size) ||
	    inside(address, insn->width, run->stack_end, (uint64_t)(run->stack_top - run->stack_end)))
		return true;
	run->error = -EFAULT;
	run->frame.vm->fault_address = address;
	return false;
}

/* --- the loop --- */

static uint64_t load_sign_extended(uint64_t value, unsigned from)
{
	unsigned shift = 64 - 8 * from;

	return (uint64_t)((int64_t)(value << shift) >> shift);
}

static uint64_t swap(const struct insn *insn, uint64_t value)
{
	return alu_eval((enum alu)insn->op, insn->width, insn->from, value, 0);
}

/* alu.def: division by -1 is negation, which wraps where / would trap. */
#define SDIV_(d, s) ((s) == 0 ? 0 : (s) == (W)-1 ? (W)(0 - (d)) : (W)((S)(d) / (S)(s)))
#define SMOD_(d, s) ((s) == 0 ? (d) : (s) == (W)-1 ? (W)0 : (W)((S)(d) % (S)(s)))

#define DST reg[insn->dst]
#define SRC reg[insn->src]
#define AT(r) ((void *)(uintptr_t)((r) + (uint64_t)insn->off))
#define DISPATCH() goto *(labels[*handler])
#define NEXT()               \
	do {                 \
		insn++;      \
		handler++;   \
		DISPATCH();  \
	} while (0)
#define GO(slots)                               \
	do {                                    \
		ptrdiff_t slots_ = 1 + (slots); \
		insn += slots_;                 \
		handler += slots_;              \
		DISPATCH();                     \
	} while (0)
#define SLOT() ((uint32_t)(insn - code->insns))
#define ENTER(code_, pc_)                                 \
	do {                                              \
		code = (code_);                           \
		insn = code->insns + (pc_);               \
		handler = code->handlers + (pc_);         \
		home = install_find(code);                \
	} while (0)

#define ALU_HANDLER(label, unsigned_, signed_, bits, source)         \
	label:                                                       \
	{                                                            \
		typedef unsigned_ W;                                 \
		typedef signed_ S;                                   \
		enum { N = bits };                                   \
		W d = (W)DST, s = (W)(source);                       \
                                                                     \
		(void)(S)0;                                          \
		(void)N;                                             \
		(void)d;                                             \
		(void)s;

uint64_t interpret(struct run *run, const struct code *code, uint32_t pc, const uint64_t args[5],
		   uint8_t *fp)
{
	static const void *const plain[HANDLER_COUNT] = {
#define ALU(name, token, code_, expr, fold)                                            \
	[H_ALU4_K_##name] = &&alu4_k_##name, [H_ALU4_X_##name] = &&alu4_x_##name,      \
	[H_ALU8_K_##name] = &&alu8_k_##name, [H_ALU8_X_##name] = &&alu8_x_##name,
#include "isa/alu.def"
#define COND(name, token, code_, expr, mirror, inverse)                                \
	[H_JUMP4_K_##name] = &&jump4_k_##name, [H_JUMP4_X_##name] = &&jump4_x_##name,  \
	[H_JUMP8_K_##name] = &&jump8_k_##name, [H_JUMP8_X_##name] = &&jump8_x_##name,
#include "isa/cond.def"
#define HANDLER(name) [H_##name] = &&do_##name,
		HANDLERS(HANDLER)
#undef HANDLER
	};
	static const void *const watching[HANDLER_COUNT] = {
		[0 ... HANDLER_COUNT - 1] = &&look,
	};
	const void *const *labels = run->watched ? watching : plain;
	struct call_record *base = run->records, *record = base;
	const struct installed *home;
	const struct insn *insn;
	const uint16_t *handler;
	uint32_t may_goto = JIT_MAY_GOTO_BUDGET;
	uint8_t *callee_fp;
	uint64_t reg[11], value, address;
	const struct code_subprog *subprog = run_subprog(code, pc);

	for (unsigned i = 0; i < 5; i++)
		reg[1 + i] = args[i];
	reg[0] = reg[6] = reg[7] = reg[8] = reg[9] = 0;
	reg[10] = (uint64_t)(uintptr_t)fp;
	callee_fp = fp - subprog->stack;
	ENTER(code, pc);
	if (callee_fp < run->stack_end)
		goto no_stack;
	DISPATCH();

look:
	if (!watch(run, insn, reg)) {
		run->frame.vm->fault_insn = SLOT();
		run->frame.stopped = true;
		return 0;
	}
	goto *(plain[*handler]);

	/* d op= s. Each body is a row's expression. */
#define ALU(name, token, code_, expr, fold)                           \
	ALU_HANDLER(alu4_k_##name, uint32_t, int32_t, 32, insn->imm)  \
		DST = (W)(expr);                                      \
		NEXT();                                               \
	}                                                             \
	ALU_HANDLER(alu4_x_##name, uint32_t, int32_t, 32, SRC)        \
		DST = (W)(expr);                                      \
		NEXT();                                               \
	}                                                             \
	ALU_HANDLER(alu8_k_##name, uint64_t, int64_t, 64, insn->imm)  \
		DST = (W)(expr);                                      \
		NEXT();                                               \
	}                                                             \
	ALU_HANDLER(alu8_x_##name, uint64_t, int64_t, 64, SRC)        \
		DST = (W)(expr);                                      \
		NEXT();                                               \
	}
#include "isa/alu.def"

#define COND_HANDLER(label, unsigned_, signed_, bits, source, expr)    \
	ALU_HANDLER(label, unsigned_, signed_, bits, source)           \
		if (expr)                                              \
			GO(insn->off);                                 \
		NEXT();                                                \
	}
#define COND(name, token, code_, expr, mirror, inverse)                            \
	COND_HANDLER(jump4_k_##name, uint32_t, int32_t, 32, insn->imm, expr)       \
	COND_HANDLER(jump4_x_##name, uint32_t, int32_t, 32, SRC, expr)             \
	COND_HANDLER(jump8_k_##name, uint64_t, int64_t, 64, insn->imm, expr)       \
	COND_HANDLER(jump8_x_##name, uint64_t, int64_t, 64, SRC, expr)
#include "isa/cond.def"

do_MOVSX:
	value = load_sign_extended(SRC, insn->from);
	DST = insn->width == 4 ? (uint32_t)value : value;
	NEXT();
do_SWAP:
	DST = swap(insn, DST);
	NEXT();
do_IMM64:
	DST = (uint64_t)insn->imm;
	insn++;
	handler++;
	NEXT();

#define LOAD_HANDLER(label, access, type)        \
label:                                           \
	if (!access(AT(SRC), &value))            \
		goto load_fault;                 \
	DST = (uint64_t)(type)value;             \
	NEXT();
	LOAD_HANDLER(do_LOAD1, access_load1, uint64_t)
	LOAD_HANDLER(do_LOAD2, access_load2, uint64_t)
	LOAD_HANDLER(do_LOAD4, access_load4, uint64_t)
	LOAD_HANDLER(do_LOAD8, access_load8, uint64_t)
	LOAD_HANDLER(do_LOADS1, access_load1, int8_t)
	LOAD_HANDLER(do_LOADS2, access_load2, int16_t)
	LOAD_HANDLER(do_LOADS4, access_load4, int32_t)
load_fault:
	address = SRC + (uint64_t)insn->off;
	if (!insn->fault_zero)
		goto fault;
	DST = 0;
	NEXT();

#define STORE_HANDLER(width)                                       \
do_STORE##width##_K:                                               \
	if (!access_store##width(AT(DST), (uint64_t)insn->imm))    \
		goto store_fault;                                  \
	NEXT();                                                    \
do_STORE##width##_X:                                               \
	if (!access_store##width(AT(DST), SRC))                    \
		goto store_fault;                                  \
	NEXT();
	STORE_HANDLER(1)
	STORE_HANDLER(2)
	STORE_HANDLER(4)
	STORE_HANDLER(8)
store_fault:
	address = DST + (uint64_t)insn->off;
	goto fault;

do_ATOMIC:
	if (!atomic_execute(insn, reg)) {
		address = atomic_address(insn, reg);
		goto fault;
	}
	NEXT();

do_LOAD_PACKET: {
	uint32_t off = (uint32_t)insn->imm + (insn->indirect ? (uint32_t)SRC : 0);
	int64_t found = run_packet(&run->frame, (int32_t)off, insn->width);

	reg[0] = found < 0 ? 0 : (uint64_t)found;
	if (found < 0)
		goto do_EXIT;
	NEXT();
}

do_GOTO:
	GO(insn->off);
do_GOTO_REG:
	value = DST;
	if (value >= code->len || code->insns[value].kind == INSN_PAD) {
		address = 0;
		goto fault;
	}
	insn = code->insns + value;
	handler = code->handlers + value;
	DISPATCH();
do_MAY_GOTO:
	if (may_goto == 0)
		GO(insn->off);
	may_goto--;
	NEXT();

do_CALL_HELPER: {
	helper_fn *fn = (helper_fn *)(uintptr_t)install_call(home, code, (uint32_t)insn->off);

	run->code = code;
	run->frame.self = NULL;
	run->frame.callee_fp = callee_fp;
	run->records = record;
	reg[0] = fn(run->frame.vm, reg + 1);
	if (run->frame.stopped)
		goto stop;
	NEXT();
}
do_CALL_MAP_LOOKUP: {
	uint64_t (*fn)(uint64_t, uint64_t, struct vcpu *) = (uint64_t(*)(
		uint64_t, uint64_t, struct vcpu *))(uintptr_t)install_call(home, code,
									   (uint32_t)insn->off);

	reg[0] = fn(reg[1], reg[2], run->frame.cpu);
	NEXT();
}
do_CALL_REGISTER:
	reg[0] = install_call_register(&run->frame, reg + 1, DST);
	if (run->frame.stopped) {
		run->frame.vm->fault_insn = SLOT();
		goto stop;
	}
	NEXT();
do_CALL_TAIL: {
	const struct code *target =
		run_tail_target(run->frame.vm, (struct map *)(uintptr_t)reg[2], reg[3]);

	if (!target) {
		reg[0] = (uint64_t)JIT_TAIL_CALL_FAILED;
		NEXT();
	}
	/* It takes over this frame, and returns to this subprogram's caller. */
	may_goto = JIT_MAY_GOTO_BUDGET;
	ENTER(target, 0);
	callee_fp = (uint8_t *)(uintptr_t)reg[10] - code->subprogs[0].stack;
	if (callee_fp < run->stack_end)
		goto no_stack;
	DISPATCH();
}
do_CALL_LOCAL:
	subprog = &code->subprogs[insn->imm];
	if (record == run->records_end)
		goto no_stack;
	*record++ = (struct call_record){
		.code = code,
		.fp = (uint8_t *)(uintptr_t)reg[10],
		.pc = SLOT() + 1,
		.may_goto = may_goto,
		.saved = { reg[6], reg[7], reg[8], reg[9] },
	};
	may_goto = JIT_MAY_GOTO_BUDGET;
	reg[10] = (uint64_t)(uintptr_t)callee_fp;
	callee_fp -= subprog->stack;
	if (callee_fp < run->stack_end)
		goto no_stack;
	insn = code->insns + subprog->start;
	handler = code->handlers + subprog->start;
	DISPATCH();
do_EXIT:
	if (record == base)
		return reg[0];
	record--;
	for (unsigned i = 0; i < 4; i++)
		reg[6 + i] = record->saved[i];
	/* What the frame of the subprogram that ends began at. */
	callee_fp = (uint8_t *)(uintptr_t)reg[10];
	reg[10] = (uint64_t)(uintptr_t)record->fp;
	may_goto = record->may_goto;
	if (record->code != code)
		ENTER(record->code, record->pc);
	insn = code->insns + record->pc;
	handler = code->handlers + record->pc;
	DISPATCH();

do_CAST:
	/* Programs and user space share one address space. */
	DST = SRC;
	NEXT();

do_INVALID:
	address = 0;
	goto fault;
no_stack:
	address = (uint64_t)(uintptr_t)callee_fp;
fault:
	run_fault(run, code, SLOT(), address);
stop:
	run->records = base;
	return 0;
}
