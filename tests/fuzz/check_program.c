/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check_program.c - a plain interpreter that trusts nothing (see program.h).
 *
 * It keeps the list of memory the program may touch: its frames, the context,
 * the packet, and what helpers gave it.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/base.h"
#include "helper/helper.h"
#include "helper/packet.h"
#include "isa/insn.h"
#include "program.h"

enum { MAX_REGIONS = 256, MAX_FRAMES = 9, BUDGET = 400000, STACK = INSN_STACK_SIZE };

struct region {
	uint64_t start, size;
};

struct frame {
	uint64_t saved[4];       /* r6..r9 of the caller */
	uint32_t back;           /* where to go on in the caller */
};

struct checker {
	const struct verified *verified;
	struct vm *vm;
	struct map *const *maps;
	struct region regions[MAX_REGIONS];
	uint32_t region_count, fixed;
	uint64_t room[MAX_FRAMES * STACK / 8 + 64], *stack;
	struct frame frames[MAX_FRAMES];
	uint32_t depth;
	uint64_t r[11];
	uint32_t budget;
	struct checked *result;
	bool stop;
};

__attribute__((format(printf, 4, 5)))
static void stop(struct checker *c, enum checked_end end, uint32_t pc, const char *fmt, ...)
{
	va_list args;

	if (c->stop)
		return;
	c->stop = true;
	c->result->end = end;
	c->result->pc = pc;
	va_start(args, fmt);
	vsnprintf(c->result->what, sizeof(c->result->what), fmt, args);
	va_end(args);
}

/* When the list is full the oldest of what helpers gave is forgotten: give up. */
static void allow(struct checker *c, uint64_t start, uint64_t size)
{
	if (c->region_count == MAX_REGIONS)
		stop(c, CHECKED_GAVE_UP, 0, "too many regions");
	else
		c->regions[c->region_count++] = (struct region){ start, size };
}

static bool inside(uint64_t at, uint64_t size, uint64_t start, uint64_t room)
{
	return at >= start && size <= room && at - start <= room - size;
}

static bool allowed(struct checker *c, uint64_t at, uint64_t size)
{
	const struct packet *packet = c->vm->packet;
	uint64_t low = (uint64_t)(uintptr_t)c->stack + (MAX_FRAMES - 1 - c->depth) * STACK;

	if (inside(at, size, low, (c->depth + 1) * STACK))
		return true;
	if (packet && inside(at, size, (uint64_t)(uintptr_t)packet->meta,
			     (uint64_t)(packet->end - packet->meta)))
		return true;
	for (uint32_t i = 0; i < c->region_count; i++)
		if (inside(at, size, c->regions[i].start, c->regions[i].size))
			return true;
	return false;
}

static bool touch(struct checker *c, uint32_t pc, uint64_t at, uint64_t size, const char *what)
{
	if (!c->stop && !allowed(c, at, size))
		stop(c, CHECKED_VIOLATION, pc, "%s of %llu bytes at %#llx (r10 %#llx)", what,
		     (unsigned long long)size, (unsigned long long)at,
		     (unsigned long long)c->r[10]);
	return !c->stop;
}

/* --- helpers --- */

static struct map *map_argument(const struct helper *helper, const uint64_t *args)
{
	for (unsigned i = 0; i < 5; i++)
		if (helper->arg[i].kind == ARG_CONST_MAP_PTR)
			return (struct map *)(uintptr_t)args[i];
	return NULL;
}

static void check_argument(struct checker *c, uint32_t pc, const struct helper *helper, unsigned i,
			   const uint64_t *args, const struct map *map)
{
	const struct arg *arg = &helper->arg[i];
	uint64_t size = 0;

	if (args[i] == 0 && (arg->flags & ARG_MAYBE_NULL))
		return;
	if (arg->kind == ARG_MAP_KEY && map)
		size = map->key_size;
	else if (arg->kind == ARG_MAP_VALUE && map)
		size = map->value_size;
	else if (arg->kind == ARG_MEM)
		size = arg->flags & ARG_FIXED_SIZE ? arg->size : i < 4 ? args[i + 1] : 0;
	if (size)
		touch(c, pc, args[i], size, helper->name);
}

static void call_helper(struct checker *c, uint32_t pc, const struct insn *insn)
{
	const struct helper *helper = helper_get((uint32_t)insn->imm, c->vm->prog_type, 0);
	const struct map *map;
	uint64_t *args = &c->r[1], result;

	if (!helper || !helper->call || helper->ret.kind > RET_PTR_TO_MAP_VALUE) {
		if (!helper || helper->ret.kind != RET_PTR_TO_RINGBUF_MEM) {
			stop(c, CHECKED_GAVE_UP, pc, "helper %lld", (long long)insn->imm);
			return;
		}
	}
	for (unsigned i = 0; i < 5; i++)
		if (helper->arg[i].kind == ARG_PTR_TO_FUNC)
			stop(c, CHECKED_GAVE_UP, pc, "a callback");
	map = map_argument(helper, args);
	for (unsigned i = 0; i < 5; i++)
		check_argument(c, pc, helper, i, args, map);
	if (c->stop)
		return;
	result = helper->call(c->vm, args);
	if (helper->ret.kind == RET_PTR_TO_MAP_VALUE && result && map)
		allow(c, result, map->value_size);
	if (helper->ret.kind == RET_PTR_TO_RINGBUF_MEM && result)
		allow(c, result, args[1]);
	c->r[0] = result;
	for (unsigned i = 1; i <= 5; i++)
		c->r[i] = 0xdead0000beef0000u + i;
}

/* --- instructions --- */

static uint64_t sign(uint64_t value, unsigned bytes)
{
	unsigned shift = 64 - 8 * bytes;

	return (uint64_t)((int64_t)(value << shift) >> shift);
}

static void load(struct checker *c, uint32_t pc, const struct insn *insn)
{
	uint64_t at = c->r[insn->src] + (uint64_t)(int64_t)insn->off, value = 0;

	if (insn->fault_zero) {
		stop(c, CHECKED_GAVE_UP, pc, "a kernel object");
		return;
	}
	if (!touch(c, pc, at, insn->width, "load"))
		return;
	memcpy(&value, (const void *)(uintptr_t)at, insn->width);
	c->r[insn->dst] = insn->sign_extend ? sign(value, insn->width) : value;
}

static void store(struct checker *c, uint32_t pc, const struct insn *insn)
{
	uint64_t at = c->r[insn->dst] + (uint64_t)(int64_t)insn->off;
	uint64_t value = insn->source_is_imm ? (uint64_t)insn->imm : c->r[insn->src];

	if (touch(c, pc, at, insn->width, "store"))
		memcpy((void *)(uintptr_t)at, &value, insn->width);
}

static void atomic(struct checker *c, uint32_t pc, const struct insn *insn)
{
	uint64_t at = c->r[insn->dst] + (uint64_t)(int64_t)insn->off;
	uint64_t mask = insn->width == 8 ? UINT64_MAX : UINT32_MAX;
	uint64_t old = 0, source = c->r[insn->src], new;

	if (insn->op == ATOMIC_LOAD_ACQ || insn->op == ATOMIC_STORE_REL) {
		stop(c, CHECKED_GAVE_UP, pc, "an ordered access");
		return;
	}
	if (!touch(c, pc, at, insn->width, "atomic"))
		return;
	memcpy(&old, (const void *)(uintptr_t)at, insn->width);
	switch ((enum atomic)insn->op) {
	case ATOMIC_ADD: case ATOMIC_FETCH_ADD: new = old + source; break;
	case ATOMIC_OR: case ATOMIC_FETCH_OR: new = old | source; break;
	case ATOMIC_AND: case ATOMIC_FETCH_AND: new = old & source; break;
	case ATOMIC_XOR: case ATOMIC_FETCH_XOR: new = old ^ source; break;
	case ATOMIC_XCHG: new = source; break;
	case ATOMIC_CMPXCHG: new = old == (c->r[0] & mask) ? source : old; break;
	case ATOMIC_LOAD_ACQ: case ATOMIC_STORE_REL: case ATOMIC_COUNT: default: return;
	}
	memcpy((void *)(uintptr_t)at, &new, insn->width);
	if (insn->op == ATOMIC_CMPXCHG)
		c->r[0] = old;
	else if (insn->op >= ATOMIC_FETCH_ADD || insn->op == ATOMIC_XCHG)
		c->r[insn->src] = old;
}

static void immediate(struct checker *c, uint32_t pc, const struct insn *insn)
{
	struct map *map = NULL;
	uint64_t address = (uint64_t)insn->imm;

	if (insn->op == IMM64_MAP_INDEX) {
		address = (uint64_t)(uintptr_t)c->maps[(uint32_t)insn->imm];
	} else if (insn->op == IMM64_MAP_INDEX_VALUE) {
		map = c->maps[(uint32_t)insn->imm];
		if (map_type(map->type_id)->direct_value(map, &address, 0) < 0)
			stop(c, CHECKED_VIOLATION, pc, "no such value");
		address += (uint64_t)insn->imm >> 32;
	} else if (insn->op != IMM64_VALUE) {
		stop(c, CHECKED_GAVE_UP, pc, "an address");
	}
	c->r[insn->dst] = address;
}

static uint32_t call_local(struct checker *c, uint32_t pc, const struct insn *insn)
{
	struct frame *frame = &c->frames[c->depth];

	if (c->depth + 1 >= MAX_FRAMES) {
		stop(c, CHECKED_VIOLATION, pc, "calls nest deeper than 8");
		return pc;
	}
	memcpy(frame->saved, &c->r[6], sizeof(frame->saved));
	frame->back = pc + 1;
	c->depth++;
	c->r[10] -= STACK;
	return (uint32_t)insn_target(insn, pc);
}

static uint32_t step(struct checker *c, uint32_t pc)
{
	const struct insn *insn = &c->verified->insns[pc];
	uint64_t source = insn->source_is_imm ? (uint64_t)insn->imm : c->r[insn->src];

	switch ((enum insn_kind)insn->kind) {
	case INSN_ALU:
		c->r[insn->dst] = alu_eval(insn->op, insn->width, insn->from, c->r[insn->dst],
					   source);
		return pc + 1;
	case INSN_IMM64:
		immediate(c, pc, insn);
		return pc + 2;
	case INSN_LOAD:
		load(c, pc, insn);
		return pc + 1;
	case INSN_STORE:
		store(c, pc, insn);
		return pc + 1;
	case INSN_ATOMIC:
		atomic(c, pc, insn);
		return pc + 1;
	case INSN_JUMP:
		return cond_eval(insn->op, insn->width, c->r[insn->dst], source)
			       ? (uint32_t)insn_target(insn, pc)
			       : pc + 1;
	case INSN_GOTO:
		return (uint32_t)insn_target(insn, pc);
	case INSN_CALL:
		if (insn->op == CALL_LOCAL)
			return call_local(c, pc, insn);
		if (insn->op == CALL_HELPER)
			call_helper(c, pc, insn);
		else
			stop(c, CHECKED_GAVE_UP, pc, "a kernel function");
		return pc + 1;
	case INSN_EXIT:
		if (c->depth == 0) {
			c->result->retval = c->r[0];
			stop(c, CHECKED_DONE, pc, "exit");
			return pc;
		}
		c->depth--;
		c->r[10] += STACK;
		memcpy(&c->r[6], c->frames[c->depth].saved, sizeof(c->frames[0].saved));
		return c->frames[c->depth].back;
	case INSN_INVALID: case INSN_PAD: case INSN_KIND_COUNT:
		stop(c, CHECKED_VIOLATION, pc, "reached what is no instruction");
		return pc;
	case INSN_LOAD_PACKET: case INSN_GOTO_REG: case INSN_MAY_GOTO: case INSN_CAST:
		break;
	}
	stop(c, CHECKED_GAVE_UP, pc, "an instruction that is not modelled");
	return pc;
}

void checked_run(const struct verified *verified, struct vm *vm, struct map *const *maps,
		 size_t ctx_size, unsigned variant, struct checked *result)
{
	struct checker c = { .verified = verified, .vm = vm, .maps = maps, .budget = BUDGET,
			     .result = result };
	uint32_t pc = 0;

	*result = (struct checked){ .end = CHECKED_GAVE_UP };
	for (unsigned r = 0; r < 10; r++)
		c.r[r] = 0xdead0000beef0000u + (uint64_t)r * (variant + 1);
	memset(c.room, CHECKED_POISON + (int)variant * 0x31, sizeof(c.room));
	c.stack = c.room + 16 * variant;
	c.r[1] = (uint64_t)(uintptr_t)vm->ctx;
	c.r[10] = (uint64_t)(uintptr_t)c.stack + MAX_FRAMES * STACK;
	allow(&c, c.r[1], ctx_size);
	for (unsigned i = 0; i < MAP_COUNT; i++) {
		const struct map_type *type = map_type(maps[i]->type_id);
		uint64_t address;

		if (type->direct_value && type->direct_value(maps[i], &address, 0) == 0)
			allow(&c, address, maps[i]->value_size);
	}
	while (!c.stop) {
		if (pc >= verified->len)
			stop(&c, CHECKED_VIOLATION, pc, "ran past the end");
		else if (c.budget-- == 0)
			stop(&c, CHECKED_GAVE_UP, pc, "ran for long");
		else
			pc = step(&c, pc);
	}
}
