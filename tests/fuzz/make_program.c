/* SPDX-License-Identifier: BSD-2-Clause */
/* make_program.c - bytes into programs (see program.h). */
#include <string.h>

#include "isa/insn.h"
#include "program.h"

/* Roughly what a register holds. */
enum kind { NOTHING, NUMBER, CONTEXT, FRAME, PACKET, VALUE, MAYBE_VALUE, RECORD };

struct maker {
	struct bytes *bytes;
	struct skep_insn *insns;
	size_t count, max;
	uint32_t type;
	enum kind kind[11];
	uint32_t size[11];       /* bytes behind a pointer */
	bool overflow;
	int depth;               /* of loops and branches being made */
	bool in_subprog;
	size_t calls[8];         /* instructions that call the subprogram */
	size_t call_count;
};

static void put(struct maker *m, uint8_t code, unsigned dst, unsigned src, int off, int32_t imm)
{
	if (m->count == m->max) {
		m->overflow = true;
		return;
	}
	m->insns[m->count++] = (struct skep_insn){ code, dst & 15, src & 15, (int16_t)off, imm };
}

static void mov(struct maker *m, unsigned dst, unsigned src)
{
	put(m, 0xbf, dst, src, 0, 0);
	m->kind[dst] = m->kind[src];
	m->size[dst] = m->size[src];
}

static void mov_imm(struct maker *m, unsigned dst, int32_t imm)
{
	put(m, 0xb7, dst, 0, 0, imm);
	m->kind[dst] = NUMBER;
}

/* Numbers at which bugs live, and any others. */
static int32_t number(struct maker *m)
{
	static const int32_t edges[] = { 0, 1, -1, 2, 4, 7, 8, 15, 16, 31, 32, 63, 64, 255, 256,
					 0x7fff, 0xffff, INT32_MAX, INT32_MIN, -2, -8, -64 };
	uint8_t b = next(m->bytes);

	if (b < 128)
		return edges[b % (sizeof(edges) / sizeof(edges[0]))];
	return (int32_t)((uint32_t)b << 24 | (uint32_t)next(m->bytes) << 8 | next(m->bytes)) >>
	       (b & 24);
}

/* A register of a kind, r6 to r9 or r0; 0xff: there is none. */
static unsigned find(struct maker *m, enum kind kind)
{
	unsigned start = next(m->bytes);

	for (unsigned i = 0; i < 10; i++) {
		unsigned r = (start + i) % 10;

		if (m->kind[r] == kind)
			return r;
	}
	return 0xff;
}

static unsigned a_number(struct maker *m)
{
	unsigned r = find(m, NUMBER);

	if (r == 0xff) {
		r = 7 + next(m->bytes) % 3;
		mov_imm(m, r, number(m));
	}
	return r;
}

/* A register to write, never one that keeps the context. */
static unsigned target(struct maker *m)
{
	unsigned r = next(m->bytes) % 10;

	return m->kind[r] == CONTEXT ? 0 : r;
}

static void clobber_calls(struct maker *m)
{
	for (unsigned r = 1; r <= 5; r++)
		m->kind[r] = NOTHING;
}

/* --- arithmetic --- */

static void make_alu(struct maker *m)
{
	static const uint8_t ops[] = { 0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70,
				       0x80, 0x90, 0xa0, 0xc0, 0xb0 };
	uint8_t b = next(m->bytes);
	uint8_t op = ops[b % sizeof(ops)];
	uint8_t class = b & 0x80 ? 0x04 : 0x07;
	unsigned dst = a_number(m);

	if (op == 0x80) {
		put(m, class | op, dst, 0, 0, 0);
	} else if (b & 0x40) {
		put(m, class | op | 0x08, dst, a_number(m), 0, 0);
	} else {
		int32_t imm = number(m);

		if (op == 0x60 || op == 0x70 || op == 0xc0)
			imm &= class == 7 ? 63 : 31;
		if ((op == 0x30 || op == 0x90) && imm == 0)
			imm = 3;
		put(m, class | op, dst, 0, 0, imm);
	}
}

/* Sign extension, byte swaps, signed division. */
static void make_rare_alu(struct maker *m)
{
	uint8_t b = next(m->bytes);
	unsigned dst = a_number(m);

	switch (b % 4) {
	case 0:
		put(m, 0xbf, dst, a_number(m), b & 0x10 ? 8 : b & 0x20 ? 16 : 32, 0);
		break;
	case 1:
		put(m, b & 0x10 ? 0xd4 : b & 0x20 ? 0xdc : 0xd7, dst, 0, 0,
		    b & 0x40 ? 16 : b & 0x80 ? 32 : 64);
		break;
	case 2:
		put(m, b & 0x10 ? 0x3f : 0x3c, dst, a_number(m), 1, 0);
		break;
	default:
		put(m, b & 0x10 ? 0x9f : 0x9c, dst, a_number(m), 1, 0);
		break;
	}
}

/* --- memory --- */

static const uint8_t load_codes[] = { 0x71, 0x69, 0x61, 0x79, 0x91, 0x89, 0x81 };
static const uint8_t load_sizes[] = { 1, 2, 4, 8, 1, 2, 4 };

static void make_load(struct maker *m, unsigned base, int low, int room)
{
	uint8_t b = next(m->bytes);
	unsigned which = b % 7, dst = target(m);
	int size = load_sizes[which];
	int off = room > size ? (int)(next(m->bytes)) % (room - size + 1) : 0;

	if (!(b & 0x80))
		off -= off % size;
	put(m, load_codes[which], dst, base, low + off, 0);
	m->kind[dst] = NUMBER;
}

static void make_store(struct maker *m, unsigned base, int low, int room)
{
	static const uint8_t stx[] = { 0x73, 0x6b, 0x63, 0x7b }, st[] = { 0x72, 0x6a, 0x62, 0x7a };
	uint8_t b = next(m->bytes);
	unsigned which = b % 4;
	int size = 1 << which;
	int off = room > size ? (int)(next(m->bytes)) % (room - size + 1) : 0;

	if (!(b & 0x80))
		off -= off % size;
	if (b & 0x40)
		put(m, st[which], base, 0, low + off, number(m));
	else
		put(m, stx[which], base, a_number(m), low + off, 0);
}

static void make_atomic(struct maker *m, unsigned base, int low, int room)
{
	static const int32_t ops[] = { 0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1 };
	uint8_t b = next(m->bytes);
	int size = b & 0x80 ? 4 : 8;
	int off = room > size ? (int)(next(m->bytes)) % (room - size + 1) / size * size : 0;

	if (ops[b % 10] == 0xf1)
		mov_imm(m, 0, number(m));
	put(m, size == 4 ? 0xc3 : 0xdb, base, a_number(m), low + off, ops[b % 10]);
}

static void make_access(struct maker *m, unsigned base, int low, int room)
{
	switch (next(m->bytes) % 4) {
	case 0:
		make_store(m, base, low, room);
		break;
	case 1:
		make_atomic(m, base, low, room);
		break;
	default:
		make_load(m, base, low, room);
		break;
	}
}

static void make_stack(struct maker *m)
{
	uint8_t b = next(m->bytes);
	int low = -64;
	unsigned r = b % 10;

	if (b & 0x80) { /* spill and fill whatever it is */
		int off = -8 * (1 + (b & 7));

		if (m->kind[r] == NOTHING)
			return;
		put(m, 0x7b, 10, r, off, 0);
		put(m, 0x79, r, 10, off, 0);
		return;
	}
	if (b & 0x40) { /* at a variable place */
		unsigned n = a_number(m), p = 1 + (b & 3);

		put(m, 0x57, n, 0, 0, b & 0x20 ? 0x38 : 0x3f);
		mov(m, p, 10);
		put(m, 0x07, p, 0, 0, low);
		put(m, 0x0f, p, n, 0, 0);
		make_load(m, p, 0, 1 + (b & 7));
		return;
	}
	for (int i = 0; i < 8; i++)
		if (b & 0x20)
			put(m, 0x7a, 10, 0, low + 8 * i, i);
	make_access(m, 10, low, 64);
}

static void make_context(struct maker *m)
{
	unsigned base = find(m, CONTEXT), dst = target(m);
	uint8_t b = next(m->bytes);

	if (base == 0xff)
		return;
	switch (m->type) {
	case BPF_PROG_TYPE_XDP:
		put(m, 0x61, dst, base, 12 + 4 * (b % 3), 0);
		break;
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_SOCKET_FILTER:
	case BPF_PROG_TYPE_CGROUP_SKB:
		if (b & 0x80)
			put(m, 0x63, base, a_number(m), 48 + 4 * (b % 5), 0); /* cb */
		put(m, 0x61, dst, base, 4 * (b % 19), 0);
		break;
	default:
		put(m, b & 0x40 ? 0x61 : 0x79, dst, base, 8 * (b % 12), 0);
		break;
	}
	m->kind[dst] = NUMBER;
}

/* --- packets --- */

static bool packet_offsets(uint32_t type, int *data, int *end)
{
	if (type == BPF_PROG_TYPE_XDP) {
		*data = 0;
		*end = 4;
		return true;
	}
	*data = 76;
	*end = 80;
	return type == BPF_PROG_TYPE_SCHED_CLS || type == BPF_PROG_TYPE_CGROUP_SKB;
}

static void make_exit(struct maker *m);

/* data + n <= data_end, and an access; n may be in a register. */
static void make_packet(struct maker *m)
{
	unsigned base = find(m, CONTEXT), p = 2 + next(m->bytes) % 2, end = 4, limit = 5;
	uint8_t b = next(m->bytes), wrong = next(m->bytes);
	int data_off, end_off, room = 1 + b % 40;

	if (base == 0xff || base == p || base == end || base == limit ||
	    !packet_offsets(m->type, &data_off, &end_off))
		return;
	put(m, 0x61, p, base, data_off, 0);
	put(m, 0x61, end, base, end_off, 0);
	m->kind[p] = PACKET;
	m->kind[end] = m->kind[limit] = NOTHING;
	if (b & 0x80) {
		unsigned n = a_number(m);

		if (n == p || n == end)
			return;
		put(m, 0x57, n, 0, 0, wrong & 0x20 ? 0xff : 0x3f);
		put(m, 0x0f, p, n, 0, 0);
	}
	mov(m, limit, p);
	put(m, 0x07, limit, 0, 0, room);
	m->kind[limit] = NOTHING;
	if (b & 0x40) {
		put(m, 0x2d, limit, end, 1, 0); /* if limit > end goto out */
		put(m, 0x05, 0, 0, 2, 0);
		mov_imm(m, 0, 1);
		put(m, 0x95, 0, 0, 0, 0);
	} else {
		put(m, wrong == 1 ? 0xad : 0xbd, limit, end, 2, 0); /* if limit <= end goto go on */
		mov_imm(m, 0, 0);
		put(m, 0x95, 0, 0, 0, 0);
	}
	if (wrong == 2)
		room++;
	make_access(m, p, wrong == 3 ? -1 : 0, room);
}

/* --- maps --- */

static void load_map(struct maker *m, unsigned dst, unsigned what, int32_t map, int32_t off)
{
	put(m, 0x18, dst, what, 0, map);
	put(m, 0, 0, 0, 0, off);
}

static void make_lookup(struct maker *m)
{
	static const int32_t maps[] = { MAP_ARRAY, MAP_HASH, MAP_PERCPU };
	static const uint32_t sizes[] = { ARRAY_VALUE, HASH_VALUE, PERCPU_VALUE };
	uint8_t b = next(m->bytes);
	unsigned which = b % 3, keep = 7 + (b >> 2) % 3;

	if (b & 0x80)
		put(m, 0x63, 10, a_number(m), -4, 0);
	else
		put(m, 0x62, 10, 0, -4, (b >> 4) & 7);
	mov(m, 2, 10);
	put(m, 0x07, 2, 0, 0, -4);
	load_map(m, 1, IMM64_MAP_INDEX, maps[which], 0);
	put(m, 0x85, 0, 0, 0, 1);
	clobber_calls(m);
	m->kind[0] = MAYBE_VALUE;
	if (m->kind[keep] == CONTEXT)
		keep = 0;
	if (keep)
		mov(m, keep, 0);
	if (next(m->bytes) == 1)
		return; /* not checked */
	put(m, 0x55, 0, 0, 2, 0); /* if r0 != 0 goto go on */
	mov_imm(m, 0, 0);
	put(m, 0x95, 0, 0, 0, 0);
	m->kind[0] = m->kind[keep] = VALUE;
	m->size[0] = m->size[keep] = sizes[which];
}

static void make_direct_value(struct maker *m)
{
	uint8_t b = next(m->bytes);
	unsigned dst = 7 + b % 3;
	bool constant = b & 0x80;
	int32_t off = b & 0x40 ? next(m->bytes) % 40 : 0;

	if (m->kind[dst] == CONTEXT)
		return;
	load_map(m, dst, IMM64_MAP_INDEX_VALUE, constant ? MAP_CONST : MAP_DATA, off);
	m->kind[dst] = VALUE;
	m->size[dst] = (uint32_t)((constant ? CONST_VALUE : ARRAY_VALUE) - off);
	if (constant && off < CONST_VALUE)
		make_load(m, dst, 0, CONST_VALUE - off);
}

static void make_value(struct maker *m)
{
	unsigned r = find(m, VALUE);
	uint8_t b = next(m->bytes);
	int room, low = b == 1 ? -1 : 0;

	if (r == 0xff) {
		make_lookup(m);
		return;
	}
	room = (int)m->size[r] + (b == 2);
	if (b & 0x80) { /* with a masked or compared number */
		unsigned n = a_number(m), p = 1 + (b & 3);

		if (n == p)
			return;
		if (b & 0x40) {
			put(m, 0x57, n, 0, 0, (b & 0x20 ? 15 : 7));
			room -= b & 0x20 ? 15 : 7;
		} else {
			uint8_t code = b & 0x20 ? 0xb5 : b & 0x10 ? 0xd5 : 0xa6; /* <=, s<=, w< */

			put(m, code, n, 0, 2, 8);
			mov_imm(m, 0, 0);
			put(m, 0x95, 0, 0, 0, 0);
			room -= 8;
		}
		mov(m, p, r);
		put(m, 0x0f, p, n, 0, 0);
		r = p;
		m->kind[p] = NOTHING;
	}
	make_access(m, r, low, room < 1 ? 1 : room);
}

static void make_update(struct maker *m)
{
	uint8_t b = next(m->bytes);

	put(m, 0x62, 10, 0, -4, b & 15);
	for (int i = 0; i < 8; i++)
		put(m, 0x7a, 10, 0, -72 + 8 * i, b * i);
	mov(m, 2, 10);
	put(m, 0x07, 2, 0, 0, -4);
	load_map(m, 1, IMM64_MAP_INDEX, b & 0x80 ? MAP_ARRAY : MAP_HASH, 0);
	if (b & 0x40) {
		put(m, 0x85, 0, 0, 0, 3);
	} else {
		mov(m, 3, 10);
		put(m, 0x07, 3, 0, 0, -72);
		mov_imm(m, 4, b >> 4 & 3);
		put(m, 0x85, 0, 0, 0, 2);
	}
	clobber_calls(m);
	m->kind[0] = NUMBER;
}

static void make_ring(struct maker *m)
{
	uint8_t b = next(m->bytes);
	int32_t size = 1 + b % 60;

	load_map(m, 1, IMM64_MAP_INDEX, MAP_RING, 0);
	mov_imm(m, 2, size);
	mov_imm(m, 3, 0);
	put(m, 0x85, 0, 0, 0, 131);
	clobber_calls(m);
	m->kind[0] = NOTHING;
	put(m, 0x55, 0, 0, 2, 0);
	mov_imm(m, 0, 0);
	put(m, 0x95, 0, 0, 0, 0);
	mov(m, 1, 0);
	m->kind[1] = m->kind[0] = NOTHING;
	make_store(m, 1, 0, size);
	mov_imm(m, 2, 0);
	if (b == 1)
		return;
	put(m, 0x85, 0, 0, 0, b & 0x80 ? 132 : 133);
	clobber_calls(m);
	m->kind[0] = NOTHING;
}

/* --- control --- */

static void make_some(struct maker *m, unsigned count);

static const uint8_t conds[] = { 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0, 0xc0, 0xd0 };

static void make_branch(struct maker *m)
{
	uint8_t b = next(m->bytes);
	uint8_t class = b & 0x80 ? 0x06 : 0x05, cond = conds[(b & 15) % 11];
	unsigned r = a_number(m);
	size_t at;
	enum kind before[11];

	if (m->depth > 3)
		return;
	if (b & 0x40) {
		unsigned other = a_number(m);

		at = m->count;
		put(m, class | cond | 0x08, r, other, 0, 0);
	} else {
		int32_t imm = number(m);

		at = m->count;
		put(m, class | cond, r, 0, 0, imm);
	}
	memcpy(before, m->kind, sizeof(before));
	m->depth++;
	make_some(m, 1 + (b >> 4 & 3));
	m->depth--;
	if (at < m->max && !m->overflow)
		m->insns[at].off = (int16_t)(m->count - at - 1);
	/* What both ways agree on. */
	for (unsigned i = 0; i < 11; i++)
		if (m->kind[i] != before[i])
			m->kind[i] = NOTHING;
}

static void make_loop(struct maker *m)
{
	uint8_t b = next(m->bytes);
	unsigned counter = 7 + b % 3;
	size_t start;

	if (m->depth > 1 || m->kind[counter] == CONTEXT)
		return;
	mov_imm(m, counter, 0);
	m->kind[counter] = NOTHING;
	start = m->count;
	m->depth += 2;
	make_some(m, 1 + (b >> 6));
	m->depth -= 2;
	put(m, b & 0x20 ? 0x04 : 0x07, counter, 0, 0, 1 + (b >> 4 & 1));
	put(m, b & 0x10 ? 0xa5 : 0xc5, counter, 0, (int)start - (int)m->count - 1, 2 + (b & 15));
	m->kind[counter] = NUMBER;
	for (unsigned r = 0; r < 7; r++)
		if (m->kind[r] != CONTEXT)
			m->kind[r] = NOTHING;
}

static void make_call(struct maker *m)
{
	if (m->in_subprog || m->call_count == 8)
		return;
	mov(m, 1, a_number(m));
	m->calls[m->call_count++] = m->count;
	put(m, 0x85, 0, 1, 0, 0);
	clobber_calls(m);
	m->kind[0] = NUMBER;
}

static void make_raw(struct maker *m)
{
	uint8_t code = next(m->bytes), regs = next(m->bytes);
	int off = (int8_t)next(m->bytes);

	put(m, code, regs & 15, regs >> 4, off, number(m));
}

static void make_exit(struct maker *m)
{
	if (m->kind[0] != NUMBER || m->type == BPF_PROG_TYPE_CGROUP_SKB)
		mov_imm(m, 0, next(m->bytes) & 1);
	put(m, 0x95, 0, 0, 0, 0);
}

static void make_one(struct maker *m)
{
	static void (*const makers[])(struct maker *) = {
		make_alu, make_alu, make_alu, make_rare_alu, make_stack, make_stack, make_context,
		make_context, make_packet, make_packet, make_lookup, make_value, make_value,
		make_value, make_direct_value, make_update, make_ring, make_branch, make_branch,
		make_loop, make_call,
	};
	uint8_t b = next(m->bytes);

	if (b == 255)
		make_raw(m);
	else
		makers[b % (sizeof(makers) / sizeof(makers[0]))](m);
}

static void make_some(struct maker *m, unsigned count)
{
	while (count-- && !m->overflow && m->bytes->at < m->bytes->end)
		make_one(m);
}

static void make_subprog(struct maker *m)
{
	size_t start = m->count;

	for (unsigned r = 0; r < 11; r++)
		m->kind[r] = NOTHING;
	m->kind[1] = NUMBER;
	m->in_subprog = true;
	mov(m, 7, 1);
	make_some(m, 4);
	mov_imm(m, 0, 0);
	put(m, 0x0f, 0, 7, 0, 0);
	if (m->kind[7] != NUMBER)
		m->insns[m->count - 1] = (struct skep_insn){ .code = 0xb7, .imm = 3 };
	put(m, 0x95, 0, 0, 0, 0);
	for (size_t i = 0; i < m->call_count; i++)
		m->insns[m->calls[i]].imm = (int32_t)(start - m->calls[i]) - 1;
}

size_t program_make(struct bytes *bytes, uint32_t type, struct skep_insn *insns, size_t max)
{
	struct maker m = { .bytes = bytes, .insns = insns, .max = max - 40, .type = type };

	m.kind[1] = CONTEXT;
	m.kind[10] = FRAME;
	mov(&m, 6, 1);
	make_some(&m, 64);
	m.overflow = false;
	m.max = max;
	make_exit(&m);
	if (m.call_count)
		make_subprog(&m);
	return m.count;
}
