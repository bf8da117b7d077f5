/* SPDX-License-Identifier: BSD-2-Clause */
/* memory.c - the stack, map values, packets and the context. */
#include "make.h"
#include "older.h"

enum { SPILLS = -96, PLAIN = -64 }; /* bottoms of what stack pieces use */

static const uint8_t size_codes[] = { 0x10, 0x08, 0x00, 0x18 }; /* 1, 2, 4, 8 bytes */

static int offset(struct maker *m, int low, int room, int size)
{
	int off = room > size ? (int)below(R(m), (uint32_t)(room - size + 1)) : 0;

	if (chance(R(m), 30))
		off = room > size ? room - size : 0; /* the last one that fits */
	if (sloppy(m))
		off += chance(R(m), 50) ? 1 : -1;
	else if (chance(R(m), 85))
		off -= (low + off) % size < 0 ? 0 : (low + off) % size;
	return low + off;
}

static void load(struct maker *m, unsigned base, int low, int room)
{
	unsigned log = below(R(m), 4), dst = target(m);
	bool sign = log < 3 && chance(R(m), 25);
	int off = offset(m, low, room, 1 << log);

	put(m, (sign ? 0x81 : 0x61) | size_codes[log], dst, base, off, 0);
	set_number(m, dst, sign || log == 3 ? UINT64_MAX : (UINT64_C(1) << (8 << log)) - 1);
}

static void store(struct maker *m, unsigned base, int low, int room)
{
	unsigned log = below(R(m), 4);
	int off = offset(m, low, room, 1 << log);

	if (chance(R(m), 40))
		put(m, 0x62 | size_codes[log], base, 0, off, chance(R(m), 40) ? 0 : edge_number(R(m)));
	else
		put(m, 0x63 | size_codes[log], base, a_number(m), off, 0);
}

static void atomic(struct maker *m, unsigned base, int low, int room)
{
	static const int32_t ops[] = { 0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1 };
	int32_t op = ops[below(R(m), sizeof(ops) / sizeof(ops[0]))];
	bool wide = chance(R(m), 60);
	int size = wide ? 8 : 4, off = offset(m, low, room, size);
	unsigned src = a_number(m);

	if (op == 0xf1)
		mov_imm(m, 0, (int32_t)edge_number(R(m)));
	if (src == base)
		return;
	put(m, wide ? 0xdb : 0xc3, base, src, off - off % (off < 0 ? 1 : size), op);
	if (op & 1)
		set_number(m, op == 0xf1 ? 0 : src, UINT64_MAX);
}

void access_memory(struct maker *m, unsigned base, int low, int room, bool read_only)
{
	uint32_t n = below(R(m), 10);

	if (room <= 0)
		return;
	if ((n < 3 && !read_only) || sloppy(m))
		store(m, base, low, room);
	else if (n == 3 && !read_only && room >= 8)
		atomic(m, base, low, room);
	else
		load(m, base, low, room);
}

/* --- the stack --- */

void stack_pointer(struct maker *m, unsigned reg, int off)
{
	mov(m, reg, 10);
	put(m, 0x07, reg, 0, 0, off);
	m->r[reg].kind = NOTHING;
}

static void touch_slots(struct maker *m, int low, int bytes)
{
	for (int at = low; at < low + bytes; at += 8) {
		int i = (-at - 1) / 8;

		if (i >= 0 && i < SLOTS_TRACKED)
			m->slot[i] = (struct holds){ .kind = NUMBER, .max = UINT64_MAX };
	}
}

void make_stack(struct maker *m)
{
	uint32_t n = below(R(m), 4);
	int off = -8 * (1 + (int)below(R(m), 8));

	if (n == 0) { /* part of a slot, then another part or all of it */
		store(m, 10, off, 8);
		store(m, 10, off, 8);
		load(m, 10, off, 8);
	} else if (n == 1) {
		put(m, 0x62 | size_codes[below(R(m), 4)], 10, 0, off, chance(R(m), 60) ? 0 : 1);
		load(m, 10, off, 8);
	} else {
		access_memory(m, 10, PLAIN, -PLAIN, false);
	}
	touch_slots(m, off, 8);
	touch_slots(m, PLAIN, 64);
}

/* A register to a slot and back, perhaps to another register or in part. */
void make_spill(struct maker *m)
{
	unsigned reg = below(R(m), 10), back = target(m);
	int i = (int)below(R(m), (uint32_t)(-SPILLS / 8)), off = -8 * (i + 1);
	uint32_t n = below(R(m), 10);

	if (chance(R(m), 40)) { /* only back */
		if (m->slot[i].kind == NOTHING)
			return;
		put(m, 0x79, back, 10, off, 0);
		m->r[back] = m->slot[i];
		return;
	}
	if (m->r[reg].kind == NOTHING)
		return;
	if (n < 3 && m->r[reg].kind == NUMBER) { /* narrow ones */
		put(m, 0x63 | size_codes[below(R(m), 3)], 10, reg, off, 0);
		load(m, 10, off, chance(R(m), 70) ? 4 : 8);
		m->slot[i] = (struct holds){ .kind = NUMBER, .max = UINT64_MAX };
		return;
	}
	put(m, 0x7b, 10, reg, off, 0);
	m->slot[i] = m->r[reg];
	if (n < 5) {
		put(m, 0x79, back, 10, off, 0);
		m->r[back] = m->r[reg];
	} else if (n == 5 && m->r[reg].kind == NUMBER) {
		put(m, 0x61, back, 10, off + (chance(R(m), 70) ? 0 : 4), 0);
		set_number(m, back, UINT32_MAX);
	}
}

void make_stack_variable(struct maker *m)
{
	unsigned n = a_number(m), p = target(m);
	uint64_t max = 8 * (1 + below(R(m), 6));

	if (n == p)
		return;
	bound(m, n, max);
	if (chance(R(m), 60)) {
		put(m, 0x57, n, 0, 0, 0x38);
		if (max < 0x38)
			max = 0x38;
	}
	stack_pointer(m, p, PLAIN - 8);
	put(m, 0x0f, p, n, 0, 0);
	access_memory(m, p, 0, 72 - (int)max, false);
	touch_slots(m, PLAIN - 8, 72);
}

/* --- map values and other plain memory --- */

/* The key on the stack, r1 and r2 set. */
static void key_and_map(struct maker *m, uint32_t map, uint32_t entries)
{
	int off = -4 * (1 + (int)below(R(m), 4));

	if (chance(R(m), 50))
		put(m, 0x63, 10, a_number(m), off, 0);
	else
		put(m, 0x62, 10, 0, off, below(R(m), entries + 2));
	touch_slots(m, off, 4);
	stack_pointer(m, 2, off);
	put64(m, 1, 5, map);
}

/* The check, in one of the ways it is written; reg also stands in r0. */
static void null_check(struct maker *m, unsigned reg)
{
	unsigned checked = reg != NO_REG && chance(R(m), 50) ? reg : 0;

	if (sloppy(m))
		return;
	if (chance(R(m), 60)) {
		jump_out(m, 0x15, checked, 0, 0);
	} else if (chance(R(m), 70)) {
		put(m, 0x55, checked, 0, 1, 0);
		jump_out(m, 0x05, 0, 0, 0);
	} else {
		unsigned zero = checked == 1 ? 2 : 1;

		mov_imm(m, zero, 0);
		if (older[OLDER_NULL_REGISTER])
			jump_out(m, 0x15, checked, 0, 0);
		else
			jump_out(m, 0x1d, checked, zero, 0);
	}
}

void make_lookup(struct maker *m)
{
	static const struct {
		uint32_t map, value, entries;
	} choices[] = {
		{ MADE_ARRAY, ARRAY_VALUE, ARRAY_ENTRIES }, { MADE_HASH, HASH_VALUE, HASH_ENTRIES },
		{ MADE_PERCPU, PERCPU_VALUE, 2 }, { MADE_LOCKED, LOCKED_VALUE, 1 },
	};
	uint32_t i = below(R(m), 10) < 4 ? 0 : below(R(m), 4);
	unsigned keep = lasting(m);
	struct holds value = { .kind = VALUE, .room = (int32_t)choices[i].value };

	if (m->locked && !sloppy(m))
		return;
	key_and_map(m, choices[i].map, choices[i].entries);
	call(m, 1);
	if (keep != NO_REG && chance(R(m), 70)) {
		put(m, 0xbf, keep, 0, 0, 0);
		m->r[keep].kind = NOTHING;
	} else {
		keep = NO_REG;
	}
	m->r[0].kind = NOTHING;
	if (chance(R(m), 10)) {
		put(m, 0x7b, 10, 0, SPILLS, 0);
		m->slot[-SPILLS / 8 - 1].kind = NOTHING;
	}
	null_check(m, keep);
	m->r[0] = value;
	if (choices[i].map == MADE_LOCKED) { /* after the lock */
		m->r[0].kind = NOTHING;
		if (!sloppy(m)) {
			put(m, 0x07, 0, 0, 0, 8);
			m->r[0] = (struct holds){ .kind = VALUE, .room = LOCKED_VALUE - 8 };
		}
		if (keep != NO_REG)
			mov(m, keep, 0);
		return;
	}
	if (keep != NO_REG)
		m->r[keep] = value;
}

void make_direct(struct maker *m)
{
	unsigned dst = target(m);
	bool constant = chance(R(m), 40);
	uint32_t size = constant ? CONST_VALUE : DATA_VALUE, off = below(R(m), size + 2);

	if (chance(R(m), 50) || off >= size)
		off = 0;
	put64(m, dst, 6, (uint64_t)(constant ? MADE_CONST : MADE_DATA) | (uint64_t)off << 32);
	m->r[dst] = (struct holds){ .kind = VALUE, .room = (int32_t)(size - off),
				    .read_only = constant };
	if (constant && chance(R(m), 60))
		load(m, dst, 0, (int)(size - off));
}

/* base + bounded number, in one of the ways it is written. False: left alone. */
static bool add_bounded(struct maker *m, unsigned p, unsigned base, unsigned n, uint64_t max)
{
	uint32_t way = below(R(m), 5);

	if (way == 1 && older[OLDER_BACKWARDS])
		way = 2;
	switch (way) {
	case 0: /* the number first */
		if (m->kept >> n & 1 || p == base)
			return false;
		put(m, 0xbf, p, n, 0, 0);
		put(m, 0x0f, p, base, 0, 0);
		break;
	case 1: /* further, then back */
		mov(m, p, base);
		put(m, 0x07, p, 0, 0, (int64_t)max);
		put(m, 0x1f, p, n, 0, 0);
		break;
	default:
		mov(m, p, base);
		put(m, 0x0f, p, n, 0, 0);
		break;
	}
	m->r[p] = m->r[base];
	m->r[p].room -= (int32_t)max;
	return true;
}

void make_value(struct maker *m)
{
	unsigned base = find(m, VALUE), n, p;
	uint64_t max;

	if (base == NO_REG) {
		make_lookup(m);
		base = find(m, VALUE);
		if (base == NO_REG)
			return;
	}
	if (chance(R(m), 45) || m->r[base].room < 4) {
		access_memory(m, base, 0, m->r[base].room, m->r[base].read_only);
		return;
	}
	n = a_number(m);
	p = target(m);
	if (n == p || p == base || n == base)
		return;
	max = 1 + below(R(m), (uint32_t)m->r[base].room);
	if (m->r[n].max > max || chance(R(m), 30))
		bound(m, n, max);
	if (m->r[base].kind != VALUE || m->r[n].kind != NUMBER)
		return;
	max = m->r[n].max;
	if (!add_bounded(m, p, base, n, max))
		return;
	access_memory(m, p, 0, m->r[p].room, m->r[p].read_only);
	if (m->r[p].kind == VALUE && m->r[p].room <= 0)
		m->r[p].kind = NOTHING;
}

/* --- packets --- */

static bool packet_fields(uint32_t type, int *data, int *end, int *meta)
{
	*data = type == BPF_PROG_TYPE_XDP ? 0 : 76;
	*end = type == BPF_PROG_TYPE_XDP ? 4 : 80;
	*meta = type == BPF_PROG_TYPE_XDP ? 8 : 140;
	return type == BPF_PROG_TYPE_XDP || type == BPF_PROG_TYPE_SCHED_CLS ||
	       type == BPF_PROG_TYPE_CGROUP_SKB;
}

/* if (limit > end) out, in all its forms */
static void packet_check(struct maker *m, unsigned limit, unsigned end)
{
	uint32_t form = below(R(m), 8);

	if (sloppy(m))
		form = 8 + below(R(m), 4);
	switch (form) {
	case 0: case 1: jump_out(m, 0x2d, limit, end, 0); break; /* limit > end */
	case 2: jump_out(m, 0xad, end, limit, 0); break;         /* end < limit */
	case 3: jump_out(m, 0x3d, limit, end, 0); break;         /* limit >= end */
	case 4: jump_out(m, 0xbd, end, limit, 0); break;         /* end <= limit */
	case 5: case 6: case 7: {
		uint32_t on = here(m);

		put(m, form == 5 ? 0xbd : form == 6 ? 0xad : 0x3d, form == 7 ? end : limit,
		    form == 7 ? limit : end, 1, 0);
		jump_out(m, 0x05, 0, 0, 0);
		(void)on;
		break;
	}
	case 8: jump_out(m, 0x2d, end, limit, 0); break;
	case 9: jump_out(m, 0x6d, limit, end, 0); break;
	case 10: jump_out(m, 0x1d, limit, end, 0); break;
	default: break;
	}
}

void make_packet(struct maker *m)
{
	unsigned base = find(m, CONTEXT), p = 2, end = 3, limit = 4;
	int data_off, end_off, meta_off, room = 1 + (int)below(R(m), 64);
	bool writes = m->out->type != BPF_PROG_TYPE_CGROUP_SKB;
	unsigned has = find(m, PACKET);

	if (has != NO_REG && chance(R(m), 50)) {
		access_memory(m, has, 0, m->r[has].room, !writes);
		return;
	}
	if (base == NO_REG || base == p || base == end || base == limit ||
	    !packet_fields(m->out->type, &data_off, &end_off, &meta_off))
		return;
	if (chance(R(m), 12) && m->out->type != BPF_PROG_TYPE_CGROUP_SKB) { /* metadata */
		end_off = data_off;
		data_off = meta_off;
	}
	put(m, 0x61, p, base, data_off, 0);
	put(m, 0x61, end, base, end_off, 0);
	m->r[p].kind = m->r[end].kind = m->r[limit].kind = NOTHING;
	if (chance(R(m), 40)) {
		unsigned n = a_number(m);

		if (n == p || n == end || n == limit)
			n = lasting(m);
		if (n == NO_REG || m->r[n].kind != NUMBER)
			return;
		bound(m, n, PICK3(R(m), 15, 60, 255));
		if (m->r[n].kind != NUMBER || n == p || n == end)
			return;
		put(m, 0x0f, p, n, 0, 0);
	}
	put(m, 0xbf, limit, p, 0, 0);
	put(m, 0x07, limit, 0, 0, room);
	packet_check(m, limit, end);
	m->r[p] = (struct holds){ .kind = PACKET, .room = room + (sloppy(m) ? 1 : 0) };
	m->r[end].kind = m->r[limit].kind = NOTHING;
	if (chance(R(m), 20)) /* by the other end */
		access_memory(m, limit, -room, room, !writes);
	else
		access_memory(m, p, 0, m->r[p].room, !writes);
	if (m->r[p].kind == PACKET && chance(R(m), 50)) {
		unsigned keep = lasting(m);

		if (keep != NO_REG)
			mov(m, keep, p);
	}
}

/* --- the context --- */

void make_context(struct maker *m)
{
	unsigned base = find(m, CONTEXT), dst = target(m);
	int off = 4 * (int)below(R(m), 20), code = 0x61;

	if (base == NO_REG)
		return;
	switch (m->out->type) {
	case BPF_PROG_TYPE_XDP:
		off = 12 + 4 * (int)below(R(m), 3);
		break;
	case BPF_PROG_TYPE_SCHED_CLS: case BPF_PROG_TYPE_SOCKET_FILTER: case BPF_PROG_TYPE_CGROUP_SKB:
		if (off == 76 || m->out->type != BPF_PROG_TYPE_SCHED_CLS)
			off = PICK3(R(m), 0, 4, 16) + 32 * (int)below(R(m), 2);
		if (chance(R(m), 20)) {
			put(m, 0x63, base, a_number(m), 48 + 4 * (int)below(R(m), 5), 0); /* cb */
			return;
		}
		if (chance(R(m), 10))
			code = chance(R(m), 50) ? 0x71 : 0x69;
		break;
	default:
		off = 8 * (int)below(R(m), 8);
		code = 0x79;
		break;
	}
	if (sloppy(m))
		off += (int)below(R(m), 300) - 20;
	put(m, (uint8_t)code, dst, base, off, 0);
	set_number(m, dst, code == 0x79 ? UINT64_MAX : UINT32_MAX);
}
