/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generate.c - see generate.h.
 *
 * Registers: r6 points to the packet and r9 counts loops; r0..r5, r7 and r8 hold
 * numbers, of which r7 and r8 outlive calls. The first bytes of the stack are
 * initialised, so that any aligned or unaligned read inside them is allowed.
 *
 *	prologue, pieces (arithmetic, memory, branches, loops, calls ...),
 *	then every register is folded into the packet and into r0
 *
 * Opcode bytes are written out from RFC 9669, so that the encoder under test
 * has no part in them.
 */
#include "generate.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum { STACK = 64, SUBPROGS = 3 };

struct gen {
	struct generated *out;
	uint64_t state;
	enum generate_target target;
	unsigned flags;
	int depth;               /* of nested pieces */
	bool in_loop;
	bool in_subprog;
	size_t calls[64];        /* slots of local calls, to be pointed at subprograms */
	size_t call_count;
};

uint64_t generate_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static uint32_t below(struct gen *g, uint32_t limit)
{
	return (uint32_t)(generate_next(&g->state) >> 32) % limit;
}

static bool chance(struct gen *g, uint32_t percent)
{
	return below(g, 100) < percent;
}

/* Numbers near the edges of every width more often than others. */
static int64_t number(struct gen *g)
{
	static const int64_t edges[] = {
		0, 1, -1, 2, 7, 8, 31, 32, 63, 64, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff,
		0x10000, INT32_MAX, INT32_MIN, (int64_t)INT32_MAX + 1, UINT32_MAX,
		(int64_t)UINT32_MAX + 1, INT64_MAX, INT64_MIN, INT64_MIN + 1, -128, -129, -32768,
	};

	if (chance(g, 50))
		return edges[below(g, sizeof(edges) / sizeof(edges[0]))];
	return (int64_t)generate_next(&g->state) >> below(g, 64);
}

static size_t here(const struct gen *g)
{
	return g->out->count;
}

static void put(struct gen *g, uint8_t code, unsigned dst, unsigned src, int off, int64_t imm)
{
	assert(g->out->count < GENERATE_MAX);
	g->out->insns[g->out->count++] = (struct skep_insn){
		.code = code, .dst = dst & 15, .src = src & 15, .off = (int16_t)off,
		.imm = (int32_t)imm,
	};
}

static void put64(struct gen *g, unsigned dst, int64_t value)
{
	put(g, 0x18, dst, 0, 0, value);
	put(g, 0, 0, 0, 0, (int64_t)((uint64_t)value >> 32));
}

/* Makes the jump at slot lead to here. */
static void land(struct gen *g, size_t slot)
{
	g->out->insns[slot].off = (int16_t)(here(g) - slot - 1);
}

/* A register that holds a number; in loops never the counter. */
static unsigned scalar(struct gen *g)
{
	static const uint8_t regs[] = { 0, 1, 2, 3, 4, 5, 7, 8 };

	return regs[below(g, sizeof(regs))];
}

/* --- pieces --- */

static void set_scalars(struct gen *g, bool all)
{
	for (unsigned reg = 0; reg <= 8; reg++) {
		if (reg == 6 || (!all && reg >= 6))
			continue;
		if (!all && chance(g, 50))
			put(g, 0xbf, reg, chance(g, 50) ? 7 : 8, 0, 0);
		else if (chance(g, 50))
			put(g, 0xb7, reg, 0, 0, number(g));
		else
			put64(g, reg, number(g));
	}
}

static void arithmetic(struct gen *g)
{
	static const uint8_t ops[] = { 0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70,
				       0x80, 0x90, 0xa0, 0xb0, 0xc0 };
	uint8_t op = ops[below(g, sizeof(ops))], class = chance(g, 50) ? 0x07 : 0x04;
	bool from_reg = chance(g, 60), is_shift = op == 0x60 || op == 0x70 || op == 0xc0;
	bool divides = op == 0x30 || op == 0x90;
	unsigned dst = scalar(g), src = scalar(g);
	int64_t imm = number(g);
	int off = divides && chance(g, 50) ? 1 : 0;

	if (op == 0x80) {
		put(g, 0x80 | class, dst, 0, 0, 0);
	} else if (op == 0xb0 && from_reg && chance(g, 50)) {
		static const int8_t from[] = { 8, 16, 32 };

		put(g, 0xb8 | class, dst, src, from[below(g, class == 0x07 ? 3 : 2)], 0);
	} else if (from_reg) {
		put(g, op | 0x08 | class, dst, src, off, 0);
	} else {
		if (is_shift)
			imm = below(g, class == 0x07 ? 64 : 32);
		if (divides && (int32_t)imm == 0)
			imm = 3;
		put(g, op | class, dst, 0, off, imm);
	}
}

static void byte_swap(struct gen *g)
{
	static const uint8_t codes[] = { 0xd4, 0xdc, 0xd7 };

	put(g, codes[below(g, 3)], scalar(g), 0, 0, 16 << below(g, 3));
}

/* Pairs that compilers make and that are compiled together. */
static void idiom(struct gen *g)
{
	unsigned a = scalar(g), b = scalar(g);

	switch (below(g, 3)) {
	case 0:
		put(g, 0xbf, a, b, 0, 0);
		put(g, 0x07, a, 0, 0, number(g));
		break;
	case 1:
		put(g, 0xbf, a, b, 0, 0);
		put(g, 0x0f, a, scalar(g), 0, 0);
		break;
	default:
		put(g, 0x67, a, 0, 0, 32);
		put(g, chance(g, 50) ? 0x77 : 0xc7, a, 0, 0, 32);
		break;
	}
}

static const uint8_t size_codes[] = { 0x10, 0x08, 0x00, 0x18 }; /* 1, 2, 4, 8 bytes */

/* A load or store of the stack or the packet. */
static void memory(struct gen *g)
{
	unsigned log = below(g, 4), width = 1u << log;
	bool packet = !g->in_subprog && chance(g, 50);
	unsigned base = packet ? 6 : 10;
	int off = packet ? (int)below(g, GENERATE_PACKET - 8) : -STACK + (int)below(g, STACK - 7);

	if (!packet)
		off &= ~(int)(width - 1);
	switch (below(g, 4)) {
	case 0:
		put(g, 0x62 | size_codes[log], base, 0, off, number(g));
		break;
	case 1:
		put(g, 0x63 | size_codes[log], base, scalar(g), off, 0);
		break;
	case 2:
		put(g, 0x61 | size_codes[log], scalar(g), base, off, 0);
		break;
	default:
		put(g, 0x81 | size_codes[log % 3], scalar(g), base, off & ~3, 0);
		break;
	}
}

static void atomic(struct gen *g)
{
	static const uint8_t ops[] = { 0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1, 0xf1 };
	bool wide = chance(g, 50);
	int off = -STACK + (int)below(g, STACK / 8) * 8 + (wide ? 0 : (int)below(g, 2) * 4);
	uint8_t op = ops[below(g, sizeof(ops))];

	put(g, wide ? 0xdb : 0xc3, 10, scalar(g), off, op);
	/* Linux 6.18 on x86 may leave the upper half of r0 where the exchange
	 * succeeds and a path that reads it was pruned. */
	if (op == 0xf1 && !wide)
		put(g, 0xbc, 0, 0, 0, 0);
}

static void ordered(struct gen *g)
{
	unsigned log = below(g, 4);
	int off = (-STACK + (int)below(g, STACK / 8) * 8);

	if (chance(g, 50))
		put(g, 0xc3 | size_codes[log], scalar(g), 10, off, 0x100);
	else
		put(g, 0xc3 | size_codes[log], 10, scalar(g), off, 0x110);
}

static void pieces(struct gen *g, unsigned count);

static size_t branch(struct gen *g)
{
	static const uint8_t ops[] = { 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0, 0xd0 };
	uint8_t op = ops[below(g, sizeof(ops))], class = chance(g, 50) ? 0x05 : 0x06;
	size_t at = here(g);

	if (chance(g, 50))
		put(g, op | 0x08 | class, scalar(g), scalar(g), 0, 0);
	else
		put(g, op | class, scalar(g), 0, 0, number(g));
	return at;
}

static void if_else(struct gen *g)
{
	size_t otherwise = branch(g), end;

	pieces(g, 1 + below(g, 4));
	end = here(g);
	put(g, 0x05, 0, 0, 0, 0);
	land(g, otherwise);
	pieces(g, below(g, 4));
	land(g, end);
	if (g->out->insns[end].off == 0 && chance(g, 50)) { /* gotol, of no distance */
		g->out->insns[end].code = 0x06;
		g->out->insns[end].imm = 0;
	}
}

/* The body runs a fixed number of times: no verifier needs to find a bound. */
static void loop(struct gen *g)
{
	size_t start;

	put(g, 0xb7, 9, 0, 0, 1 + below(g, 6));
	start = here(g);
	g->in_loop = true;
	pieces(g, 1 + below(g, 5));
	g->in_loop = false;
	put(g, 0x17, 9, 0, 0, 1);
	put(g, chance(g, 50) ? 0x55 : 0x25, 9, 0, (int)start - (int)here(g) - 1, 0);
}

static void call_subprog(struct gen *g)
{
	if (g->call_count == sizeof(g->calls) / sizeof(g->calls[0]))
		return;
	g->calls[g->call_count++] = here(g);
	put(g, 0x85, 0, 1, 0, 0);
	put(g, 0xbf, 7, 0, 0, 0);
	set_scalars(g, false);
}

/* value = map[key & 7] and something done to it, if it is there */
static void map_access(struct gen *g)
{
	size_t missing;

	put(g, 0xbf, 2, chance(g, 50) ? 7 : 8, 0, 0);
	put(g, 0x57, 2, 0, 0, chance(g, 20) ? 15 : GENERATE_ENTRIES - 1);
	put(g, 0x63, 10, 2, -STACK - 8, 0);
	put(g, 0xbf, 2, 10, 0, 0);
	put(g, 0x07, 2, 0, 0, -STACK - 8);
	put(g, 0x18, 1, 5 /* IMM64_MAP_INDEX */, 0, 0);
	put(g, 0, 0, 0, 0, 0);
	put(g, 0x85, 0, 0, 0, 1);
	missing = here(g);
	put(g, 0x15, 0, 0, 0, 0);
	switch (below(g, 4)) {
	case 0:
		put(g, 0x7b, 0, chance(g, 50) ? 7 : 8, 8 * (int)below(g, 2), 0);
		break;
	case 1:
		put(g, 0xdb, 0, chance(g, 50) ? 7 : 8, 8 * (int)below(g, 2), 0x01);
		break;
	case 2:
		put(g, 0x62 | size_codes[below(g, 3)], 0, 0, 4 * (int)below(g, 4), number(g));
		break;
	default:
		put(g, 0x61 | size_codes[below(g, 4)], 7, 0, 8 * (int)below(g, 2), 0);
		break;
	}
	land(g, missing);
	put(g, 0xb7, 0, 0, 0, number(g));
	set_scalars(g, false);
}

/* r7 = csum_diff(stack, 16, stack + 16, 16, seed) */
static void helper(struct gen *g)
{
	put(g, 0xbc, 5, 8, 0, 0);
	put(g, 0xb7, 4, 0, 0, 16);
	put(g, 0xbf, 3, 10, 0, 0);
	put(g, 0x07, 3, 0, 0, -STACK + 16);
	put(g, 0xb7, 2, 0, 0, chance(g, 50) ? 16 : 0);
	put(g, 0xbf, 1, 10, 0, 0);
	put(g, 0x07, 1, 0, 0, -STACK);
	put(g, 0x85, 0, 0, 0, 28);
	put(g, 0xbf, 7, 0, 0, 0);
	set_scalars(g, false);
}

static void piece(struct gen *g)
{
	uint32_t n = below(g, 100);

	if (n < 40)
		arithmetic(g);
	else if (n < 47)
		byte_swap(g);
	else if (n < 53)
		idiom(g);
	else if (n < 72)
		memory(g);
	else if (n < 80)
		atomic(g);
	else if (n < 83)
		ordered(g);
	else if (n < 90 && g->depth < 2)
		if_else(g);
	else if (n < 93 && g->depth < 2 && !g->in_loop)
		loop(g);
	else if (n < 96 && (g->flags & GENERATE_CALLS) && !g->in_subprog)
		call_subprog(g);
	else if (n < 98 && (g->flags & GENERATE_MAPS) && !g->in_subprog)
		map_access(g);
	else if (n < 99 && (g->flags & GENERATE_HELPERS) && !g->in_subprog)
		helper(g);
	else
		arithmetic(g);
}

static void pieces(struct gen *g, unsigned count)
{
	g->depth++;
	for (unsigned i = 0; i < count; i++)
		piece(g);
	g->depth--;
}

/* --- the whole --- */

static void clear_stack(struct gen *g)
{
	for (int off = -STACK; off < 0; off += 8)
		put(g, 0x7a, 10, 0, off, number(g));
}

/* r6 = the packet, or return where it is too short. */
static void prologue(struct gen *g)
{
	bool xdp = g->target == GENERATE_XDP;

	if (g->target == GENERATE_BARE) {
		put(g, 0xbf, 6, 1, 0, 0);
		return;
	}
	put(g, 0x61, 6, 1, xdp ? 0 : 76, 0);
	put(g, 0x61, 2, 1, xdp ? 4 : 80, 0);
	put(g, 0xbf, 3, 6, 0, 0);
	put(g, 0x07, 3, 0, 0, GENERATE_PACKET);
	put(g, 0xbd, 3, 2, 2, 0); /* if r3 <= r2 go on */
	put(g, 0xb7, 0, 0, 0, 0);
	put(g, 0x95, 0, 0, 0, 0);
}

/* Every number the program ended with shows in the packet or in r0. */
static void fold(struct gen *g)
{
	static const uint8_t regs[] = { 1, 2, 3, 4, 5, 7, 8 };

	for (unsigned i = 0; i < sizeof(regs); i++)
		put(g, 0x7b, 6, regs[i], 16 + 8 * (int)i, 0);
	for (unsigned i = 0; i < 8; i++) {
		put(g, 0x79, 1, 10, -STACK + 8 * (int)i, 0);
		put(g, 0xaf, 0, 1, 0, 0);
		put(g, 0x27, 0, 0, 0, 31);
	}
	put(g, 0x7b, 6, 0, 8, 0);
	put(g, 0xbf, 1, 0, 0, 0);
	put(g, 0x77, 1, 0, 0, 32);
	put(g, 0xac, 0, 1, 0, 0);
	put(g, 0x95, 0, 0, 0, 0);
}

static void subprog(struct gen *g)
{
	g->in_subprog = true;
	clear_stack(g);
	put(g, 0xbf, 0, 1, 0, 0);
	put(g, 0xbf, 7, 2, 0, 0);
	put(g, 0xbf, 8, 3, 0, 0);
	pieces(g, 4 + below(g, 12));
	for (unsigned i = 1; i <= 5; i++)
		put(g, 0xaf, 0, i, 0, 0);
	put(g, 0xaf, 0, 7, 0, 0);
	put(g, 0x0f, 0, 8, 0, 0);
	put(g, 0x95, 0, 0, 0, 0);
	g->in_subprog = false;
}

void generate(struct generated *out, uint64_t seed, enum generate_target target, unsigned flags)
{
	struct gen g = { .out = out, .state = seed, .target = target, .flags = flags };
	size_t starts[SUBPROGS];

	out->count = 0;
	prologue(&g);
	clear_stack(&g);
	set_scalars(&g, true);
	pieces(&g, 10 + below(&g, 40));
	fold(&g);
	if (g.call_count == 0)
		return;
	for (unsigned i = 0; i < SUBPROGS; i++) {
		starts[i] = here(&g);
		subprog(&g);
	}
	for (size_t i = 0; i < g.call_count; i++) {
		/* Every subprogram is called where there are calls enough; the rest
		 * would be unreachable, which Linux refuses. */
		size_t to = starts[i % SUBPROGS];

		out->insns[g.calls[i]].imm = (int32_t)(to - g.calls[i] - 1);
	}
	if (g.call_count < SUBPROGS)
		out->count = starts[g.call_count];
}

void generate_input(uint8_t *bytes, size_t size, uint64_t seed)
{
	uint64_t state = ~seed;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)generate_next(&state);
}
