/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check_program.c - a plain interpreter that trusts nothing (see check.h).
 */
#include <stdarg.h>
#include <stdio.h>

#include "checker.h"

void checker_stop(struct checker *c, enum checked_end end, uint32_t pc, const char *fmt, ...)
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

/* --- memory --- */

uint16_t checker_region(struct checker *c, enum region_kind kind, uint64_t start, uint64_t size,
			uint32_t map)
{
	for (uint32_t i = REGIONS_FIXED; i < c->region_count; i++) {
		const struct region *region = &c->regions[i];

		if (region->kind == kind && region->start == start && region->size == size &&
		    region->map == map)
			return (uint16_t)i;
	}
	if (c->region_count == MAX_REGIONS) {
		checker_stop(c, CHECKED_GAVE_UP, c->pc, "too many regions");
		return IN_NOTHING;
	}
	c->regions[c->region_count] = (struct region){ (uint8_t)kind, map, start, size };
	return (uint16_t)c->region_count++;
}

static bool inside(uint64_t at, uint64_t size, uint64_t start, uint64_t room)
{
	return at >= start && size <= room && at - start <= room - size;
}

static bool allowed(const struct checker *c, uint16_t origin, uint64_t at, uint64_t size)
{
	const struct packet *packet = c->vm->packet;
	const struct region *region = &c->regions[origin];

	switch ((enum region_kind)region->kind) {
	case REGION_NONE: case REGION_MAP: case REGION_FUNC: case REGION_END:
		return false;
	case REGION_META:
		return inside(at, size, (uint64_t)(uintptr_t)packet->meta,
			      (uint64_t)(packet->data - packet->meta));
	case REGION_PACKET:
		return inside(at, size, (uint64_t)(uintptr_t)packet->data,
			      (uint64_t)(packet->end - packet->data));
	case REGION_STACK:
		return (uint32_t)origin - REGION_FRAME <= c->depth &&
		       inside(at, size, region->start, region->size);
	case REGION_CTX: case REGION_VALUE: case REGION_MEMORY: case REGION_KEY:
		return inside(at, size, region->start, region->size);
	}
	return false;
}

bool checker_touch(struct checker *c, uint16_t origin, uint64_t at, uint64_t size,
		   const char *what)
{
	if (!c->stop && !allowed(c, origin, at, size)) {
		const struct region *region = &c->regions[origin];

		checker_stop(c, CHECKED_VIOLATION, c->pc,
			     "%s of %llu bytes at %#llx; region kind %u, %llu bytes at %#llx", what,
			     (unsigned long long)size, (unsigned long long)at, region->kind,
			     (unsigned long long)region->size, (unsigned long long)region->start);
	}
	return !c->stop;
}

bool checker_word(const struct checker *c, uint64_t at, uint32_t *frame, uint32_t *word)
{
	uint64_t low = frame_pointer(c, MAX_FRAMES), top = frame_pointer(c, 0);

	if (at < low || at >= top)
		return false;
	*frame = (uint32_t)((top - at - 1) / STACK);
	*word = (uint32_t)((top - at - 1) % STACK / 8);
	return true;
}

/* --- instructions --- */

static void set_doubt(struct checker *c, unsigned reg, bool doubt)
{
	c->doubt = (uint16_t)((c->doubt & ~(1u << reg)) | (uint32_t)doubt << reg);
}

static bool doubtful(const struct checker *c, unsigned reg)
{
	return c->doubt >> reg & 1;
}

static uint64_t sign(uint64_t value, unsigned bytes)
{
	unsigned shift = 64 - 8 * bytes;

	return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* The context's fields that are pointers into the packet. */
static uint16_t field_origin(const struct checker *c, uint64_t at)
{
	const struct packet *packet = c->vm->packet;
	const void *address = (const void *)(uintptr_t)at;

	if (!packet)
		return IN_NOTHING;
	return address == &packet->data ? IN_PACKET : address == &packet->meta ? IN_META :
	       address == &packet->end ? IN_END : IN_NOTHING;
}

static void load(struct checker *c, const struct insn *insn)
{
	uint64_t at = c->r[insn->src] + (uint64_t)(int64_t)insn->off, value = 0;
	uint16_t from = c->origin[insn->src], origin = IN_NOTHING;
	bool doubt = doubtful(c, insn->src);
	uint32_t frame, word;

	if (insn->fault_zero) {
		checker_stop(c, CHECKED_GAVE_UP, c->pc, "a kernel object");
		return;
	}
	if (c->verified->facts && c->verified->facts[c->pc].foreign_map) {
		checker_stop(c, CHECKED_GAVE_UP, c->pc, "the kernel's structure of a map");
		return;
	}
	/* Of a map itself programs may read what begins it: what the kernel's has, too. */
	if (c->regions[from].kind != REGION_MAP ||
	    !inside(at, insn->width, c->regions[from].start, offsetof(struct map, cpus)))
		checker_touch(c, from, at, insn->width, "load");
	if (c->stop)
		return;
	memcpy(&value, (const void *)(uintptr_t)at, insn->width);
	if (checker_word(c, at, &frame, &word)) {
		uint32_t last_frame = frame, last_word = word;

		checker_word(c, at + insn->width - 1, &last_frame, &last_word);
		doubt |= c->word_doubt[frame][word] || c->word_doubt[last_frame][last_word];
		if (insn->width == 8 && at % 8 == 0)
			origin = c->word_origin[frame][word];
	} else if (from == IN_CTX && insn->width == 8) {
		origin = field_origin(c, at);
	}
	c->r[insn->dst] = insn->sign_extend ? sign(value, insn->width) : value;
	c->origin[insn->dst] = origin;
	set_doubt(c, insn->dst, doubt);
}

/* What is known of stack words goes with what is written to them. */
static void note_store(struct checker *c, uint64_t at, unsigned width, uint16_t origin, bool doubt)
{
	uint32_t frame, word;

	for (unsigned i = 0; i < width; i++) {
		if (!checker_word(c, at + i, &frame, &word))
			return;
		if (width == 8 && at % 8 == 0) {
			c->word_origin[frame][word] = origin;
			c->word_doubt[frame][word] = doubt;
			return;
		}
		c->word_origin[frame][word] = IN_NOTHING;
		c->word_doubt[frame][word] |= doubt;
	}
}

static void store(struct checker *c, const struct insn *insn)
{
	uint64_t at = c->r[insn->dst] + (uint64_t)(int64_t)insn->off;
	uint64_t value = insn->source_is_imm ? (uint64_t)insn->imm : c->r[insn->src];
	bool doubt = doubtful(c, insn->dst) || (!insn->source_is_imm && doubtful(c, insn->src));

	if (!checker_touch(c, c->origin[insn->dst], at, insn->width, "store"))
		return;
	memcpy((void *)(uintptr_t)at, &value, insn->width);
	note_store(c, at, insn->width, insn->source_is_imm ? IN_NOTHING : c->origin[insn->src],
		   doubt);
}

static void atomic(struct checker *c, const struct insn *insn)
{
	uint64_t at = c->r[insn->dst] + (uint64_t)(int64_t)insn->off;
	uint64_t mask = insn->width == 8 ? UINT64_MAX : UINT32_MAX;
	uint64_t old = 0, source = c->r[insn->src], new;
	bool doubt = doubtful(c, insn->dst) || doubtful(c, insn->src);
	uint16_t origin = IN_NOTHING; /* of what was there */
	uint32_t frame, word;

	if (insn->op == ATOMIC_LOAD_ACQ || insn->op == ATOMIC_STORE_REL) {
		checker_stop(c, CHECKED_GAVE_UP, c->pc, "an ordered access");
		return;
	}
	if (!checker_touch(c, c->origin[insn->dst], at, insn->width, "atomic"))
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
	if (checker_word(c, at, &frame, &word)) {
		doubt |= c->word_doubt[frame][word];
		if (insn->width == 8 && at % 8 == 0)
			origin = c->word_origin[frame][word];
	}
	note_store(c, at, insn->width, IN_NOTHING, doubt);
	if (insn->op == ATOMIC_CMPXCHG) {
		c->r[0] = old;
		c->origin[0] = origin;
		set_doubt(c, 0, doubt);
	} else if (insn->op >= ATOMIC_FETCH_ADD || insn->op == ATOMIC_XCHG) {
		c->r[insn->src] = old;
		c->origin[insn->src] = origin;
		set_doubt(c, insn->src, doubt);
	}
}

static void alu(struct checker *c, const struct insn *insn)
{
	uint64_t source = insn->source_is_imm ? (uint64_t)insn->imm : c->r[insn->src];
	uint16_t from = insn->source_is_imm ? IN_NOTHING : c->origin[insn->src];
	uint16_t origin = IN_NOTHING;
	bool doubt = !insn->source_is_imm && doubtful(c, insn->src);

	if (insn->op == ALU_MOV) {
		if (insn->width == 8 && insn->from == 8)
			origin = from;
	} else {
		doubt |= doubtful(c, insn->dst);
		if (insn->width == 8 && insn->op == ALU_ADD)
			origin = c->origin[insn->dst] ? c->origin[insn->dst] : from;
		if (insn->width == 8 && insn->op == ALU_SUB && !from)
			origin = c->origin[insn->dst];
	}
	c->r[insn->dst] = alu_eval(insn->op, insn->width, insn->from, c->r[insn->dst], source);
	c->origin[insn->dst] = origin;
	set_doubt(c, insn->dst, doubt);
}

static void immediate(struct checker *c, const struct insn *insn)
{
	uint32_t index = (uint32_t)insn->imm;
	uint64_t address = (uint64_t)insn->imm;
	uint16_t origin = IN_NOTHING;
	struct map *map;

	if (insn->op == IMM64_MAP_INDEX) {
		address = (uint64_t)(uintptr_t)c->setup->maps[index];
		origin = checker_region(c, REGION_MAP, address, 0, index);
	} else if (insn->op == IMM64_MAP_INDEX_VALUE) {
		map = c->setup->maps[index];
		if (map_type(map->type_id)->direct_value(map, &address, 0) < 0)
			checker_stop(c, CHECKED_VIOLATION, c->pc, "no such value");
		origin = checker_region(c, REGION_VALUE, address, map->value_size, index);
		address += (uint64_t)insn->imm >> 32;
	} else if (insn->op == IMM64_FUNC) {
		address = c->pc + 1 + (uint64_t)(int64_t)(int32_t)insn->imm;
		origin = checker_region(c, REGION_FUNC, address, 0, 0);
	} else if (insn->op != IMM64_VALUE) {
		checker_stop(c, CHECKED_GAVE_UP, c->pc, "an address");
	}
	c->r[insn->dst] = address;
	c->origin[insn->dst] = origin;
	set_doubt(c, insn->dst, false);
}

bool checker_enter(struct checker *c, uint32_t back)
{
	struct saved_frame *frame = &c->frames[c->depth];

	if (c->depth + 1 >= MAX_FRAMES) {
		checker_stop(c, CHECKED_VIOLATION, c->pc, "calls nest deeper than 8");
		return false;
	}
	memcpy(frame->r, c->r, sizeof(frame->r));
	memcpy(frame->origin, c->origin, sizeof(frame->origin));
	frame->doubt = c->doubt;
	frame->back = back;
	c->depth++;
	memset(c->word_origin[c->depth], 0, sizeof(c->word_origin[0]));
	memset(c->word_doubt[c->depth], 0, sizeof(c->word_doubt[0]));
	c->r[10] = frame_pointer(c, c->depth);
	c->origin[10] = (uint16_t)(REGION_FRAME + c->depth);
	return true;
}

static uint32_t leave(struct checker *c)
{
	const struct saved_frame *frame = &c->frames[c->depth - 1];

	c->depth--;
	if (frame->back == UINT32_MAX) {
		c->callback_done = true;
		return c->pc;
	}
	for (unsigned r = 6; r <= 10; r++) {
		c->r[r] = frame->r[r];
		c->origin[r] = frame->origin[r];
	}
	c->doubt = (uint16_t)((c->doubt & 0x3f) | (frame->doubt & ~0x3fu));
	return frame->back;
}

static uint32_t load_packet(struct checker *c, const struct insn *insn)
{
	uint64_t off = (uint64_t)insn->imm + (insn->indirect ? c->r[insn->src] : 0);
	uint8_t bytes[8] = { 0 };
	uint64_t value = 0;

	if (!c->vm->packet || (int32_t)off < 0 ||
	    packet_read(c->vm->packet, (uint32_t)off, bytes, insn->width) < 0) {
		checker_stop(c, CHECKED_DONE, c->pc, "a packet too short");
		return c->pc;
	}
	for (unsigned i = 0; i < insn->width; i++)
		value = value << 8 | bytes[i];
	c->r[0] = value;
	c->origin[0] = IN_NOTHING;
	set_doubt(c, 0, false);
	return c->pc + 1;
}

static uint32_t step(struct checker *c)
{
	const struct insn *insn = &c->verified->insns[c->pc];
	uint64_t source = insn->source_is_imm ? (uint64_t)insn->imm : c->r[insn->src];

	switch ((enum insn_kind)insn->kind) {
	case INSN_ALU:
		alu(c, insn);
		return c->pc + 1;
	case INSN_IMM64:
		immediate(c, insn);
		return c->pc + 2;
	case INSN_LOAD:
		load(c, insn);
		return c->pc + 1;
	case INSN_STORE:
		store(c, insn);
		return c->pc + 1;
	case INSN_ATOMIC:
		atomic(c, insn);
		return c->pc + 1;
	case INSN_JUMP:
		return cond_eval(insn->op, insn->width, c->r[insn->dst], source)
			       ? (uint32_t)insn_target(insn, c->pc)
			       : c->pc + 1;
	case INSN_GOTO:
		return (uint32_t)insn_target(insn, c->pc);
	case INSN_MAY_GOTO:
		return c->may_goto++ < MAY_GOTO_TIMES ? c->pc + 1 :
							(uint32_t)insn_target(insn, c->pc);
	case INSN_LOAD_PACKET:
		return load_packet(c, insn);
	case INSN_CALL:
		if (insn->op == CALL_LOCAL)
			return checker_enter(c, c->pc + 1) ? (uint32_t)insn_target(insn, c->pc) :
							     c->pc;
		if (insn->op == CALL_HELPER)
			checker_helper(c, insn);
		else
			checker_kfunc(c, insn);
		return c->pc + 1;
	case INSN_EXIT:
		if (c->depth)
			return leave(c);
		c->result->retval = c->r[0];
		checker_stop(c, CHECKED_DONE, c->pc, "exit");
		return c->pc;
	case INSN_INVALID: case INSN_PAD: case INSN_KIND_COUNT:
	case INSN_LOAD_ARG: case INSN_STORE_ARG:
		checker_stop(c, CHECKED_VIOLATION, c->pc, "reached what is no instruction");
		return c->pc;
	case INSN_GOTO_REG: case INSN_CAST:
		break;
	}
	checker_stop(c, CHECKED_GAVE_UP, c->pc, "an instruction that is not modelled");
	return c->pc;
}

void checker_go(struct checker *c, uint32_t pc)
{
	c->pc = pc;
	c->callback_done = false;
	while (!c->stop && !c->callback_done) {
		if (c->pc >= c->verified->len)
			checker_stop(c, CHECKED_VIOLATION, c->pc, "ran past the end");
		else if (c->budget-- == 0)
			checker_stop(c, CHECKED_GAVE_UP, c->pc, "ran for long");
		if (c->stop)
			break;
		if (c->setup->claims)
			claims_check(c);
		if (!c->stop)
			c->pc = step(c);
	}
}

void checked_run(const struct checked_setup *setup, struct checked *result)
{
	static _Thread_local struct checker checker;
	struct checker *c = &checker;

	memset(c, 0, offsetof(struct checker, room));
	memset(&c->word_origin, 0, sizeof(*c) - offsetof(struct checker, word_origin));
	c->setup = setup;
	c->verified = setup->verified;
	c->vm = setup->vm;
	c->budget = BUDGET;
	c->result = result;
	*result = (struct checked){ .end = CHECKED_GAVE_UP };
	for (unsigned r = 0; r < 10; r++)
		c->r[r] = 0xdead0000beef0000u + (uint64_t)r * (setup->variant + 1);
	memset(c->room, CHECKED_POISON + (int)setup->variant * 0x31, sizeof(c->room));
	c->stack = c->room + 16 * (setup->variant % 4);
	c->regions[IN_CTX] = (struct region){ REGION_CTX, 0, (uint64_t)(uintptr_t)c->vm->ctx,
					      setup->ctx_size };
	c->regions[IN_META].kind = REGION_META;
	c->regions[IN_PACKET].kind = REGION_PACKET;
	c->regions[IN_END].kind = REGION_END;
	for (uint32_t f = 0; f < MAX_FRAMES; f++)
		c->regions[REGION_FRAME + f] =
			(struct region){ REGION_STACK, 0, frame_pointer(c, f) - STACK, STACK };
	c->region_count = REGIONS_FIXED;
	c->r[1] = (uint64_t)(uintptr_t)c->vm->ctx;
	c->origin[1] = IN_CTX;
	c->r[10] = frame_pointer(c, 0);
	c->origin[10] = REGION_FRAME;
	checker_go(c, 0);
}
