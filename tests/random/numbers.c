/* SPDX-License-Identifier: BSD-2-Clause */
/* numbers.c - arithmetic, where unknown numbers come from, and how they get bounds. */
#include "make.h"
#include "older.h"

void make_arithmetic(struct maker *m)
{
	static const uint8_t ops[] = { 0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70,
				       0x90, 0xa0, 0xb0, 0xc0, 0x80 };
	uint8_t op = ops[below(R(m), sizeof(ops))], class = chance(R(m), 60) ? 0x07 : 0x04;
	unsigned dst = a_number(m), src = a_number(m);

	if (op == 0x80) {
		put(m, class | op, dst, 0, 0, 0);
	} else if (chance(R(m), 45)) {
		put(m, class | op | 0x08, dst, src, 0, 0);
	} else {
		int32_t imm = (int32_t)edge_number(R(m));

		if (op == 0x60 || op == 0x70 || op == 0xc0)
			imm = (int32_t)below(R(m), class == 7 ? 64 : 32);
		if ((op == 0x30 || op == 0x90) && imm == 0)
			imm = 3;
		put(m, class | op, dst, 0, 0, imm);
	}
	set_number(m, dst, UINT64_MAX);
}

/* Sign extension, byte swaps, signed division. */
void make_rare_arithmetic(struct maker *m)
{
	static const int8_t from[] = { 8, 16, 32 };
	unsigned dst = a_number(m), src = a_number(m);
	uint8_t class = chance(R(m), 60) ? 0x07 : 0x04;

	switch (below(R(m), 5)) {
	case 0:
		put(m, 0xb8 | class, dst, src, from[below(R(m), class == 7 ? 3 : 2)], 0);
		break;
	case 1:
		put(m, PICK3(R(m), 0xd4, 0xdc, 0xd7), dst, 0, 0, 16 << below(R(m), 3));
		break;
	case 2:
		put(m, (chance(R(m), 50) ? 0x38 : 0x98) | class, dst, src, 1, 0);
		break;
	case 3:
		put(m, (chance(R(m), 50) ? 0x30 : 0x90) | class, dst, 0, 1,
		    chance(R(m), 50) ? -1 : (int32_t)edge_number(R(m)) | 1);
		break;
	default: { /* shifted up and down again */
		unsigned by = 1 + below(R(m), 63);

		put(m, 0x67, dst, 0, 0, by);
		put(m, chance(R(m), 50) ? 0x77 : 0xc7, dst, 0, 0, by);
		break;
	}
	}
	set_number(m, dst, UINT64_MAX);
}

void make_unknown(struct maker *m)
{
	unsigned dst = target(m), base = find(m, VALUE);

	if (base != NO_REG && m->r[base].room >= 8 && chance(R(m), 50)) {
		put(m, PICK3(R(m), 0x71, 0x61, 0x79), dst, base,
		    8 * (int)below(R(m), (uint32_t)m->r[base].room / 8), 0);
	} else if (!m->locked && chance(R(m), 40)) {
		call(m, chance(R(m), 70) ? 7 : 5); /* get_prandom_u32, ktime_get_ns */
		dst = 0;
	} else if (m->slot[0].kind == NUMBER) {
		put(m, PICK3(R(m), 0x71, 0x61, 0x79), dst, 10, -8, 0);
	} else {
		make_context(m);
		return;
	}
	set_number(m, dst, UINT64_MAX);
}

/* --- bounds --- */

/* if reg > max (or not <= max) leave */
static void bound_compare(struct maker *m, unsigned reg, uint64_t max)
{
	uint8_t class = chance(R(m), 80) ? 0x05 : 0x06;

	if (class == 6)
		put(m, 0xbc, reg, reg, 0, 0);
	switch (below(R(m), 3)) {
	case 0:
		jump_out(m, 0x20 | class, reg, 0, (int64_t)max);
		break;
	case 1:
		jump_out(m, 0x30 | class, reg, 0, (int64_t)max + 1);
		break;
	default: { /* if reg <= max goto on; goto out */
		put(m, 0xb0 | class, reg, 0, 1, (int64_t)max);
		jump_out(m, 0x05, 0, 0, 0);
		break;
	}
	}
}

static void bound_signed(struct maker *m, unsigned reg, uint64_t max)
{
	uint8_t class = chance(R(m), 70) ? 0x05 : 0x06;

	if (class == 6)
		put(m, 0xbc, reg, reg, 0, 0);
	if (chance(R(m), 50))
		jump_out(m, 0x60 | class, reg, 0, (int64_t)max);
	else
		jump_out(m, 0x70 | class, reg, 0, (int64_t)max + 1);
	if (!sloppy(m))
		jump_out(m, 0xc0 | class, reg, 0, 0);
}

/* Another register, or a slot, that holds the same number is compared. */
static void bound_linked(struct maker *m, unsigned reg, uint64_t max)
{
	unsigned other = target(m);
	int add = chance(R(m), 50) ? (int)below(R(m), 16) : 0;

	if (other == reg)
		return;
	if (chance(R(m), 40)) {
		put(m, 0x7b, 10, reg, -88, 0);
		put(m, 0x79, other, 10, -88, 0);
	} else {
		put(m, 0xbf, other, reg, 0, 0);
	}
	if (add)
		put(m, 0x07, other, 0, 0, add);
	if (add)
		jump_out(m, 0xa5, other, 0, add);
	jump_out(m, 0x25, other, 0, (int64_t)max + add);
	if (chance(R(m), 30))
		put(m, 0x79, reg, 10, -88, 0);
	set_number(m, other, max + (uint64_t)add);
}

static void bound_register(struct maker *m, unsigned reg, uint64_t max)
{
	unsigned other = target(m);

	if (other == reg)
		return;
	mov_imm(m, other, (int32_t)max);
	if (chance(R(m), 50))
		jump_out(m, 0x2d, reg, other, 0);
	else
		jump_out(m, 0xad, other, reg, 0);
}

static void bound_range(struct maker *m, unsigned reg, uint64_t max)
{
	int64_t low = below(R(m), 64);

	jump_out(m, chance(R(m), 50) ? 0xa5 : 0xc5, reg, 0, low);
	jump_out(m, chance(R(m), 50) ? 0x25 : 0x65, reg, 0, low + (int64_t)max);
	put(m, 0x17, reg, 0, 0, low);
}

void bound(struct maker *m, unsigned reg, uint64_t max)
{
	uint64_t mask = 1;
	uint32_t way;

	while (mask * 2 - 1 <= max)
		mask *= 2;
	mask--; /* all ones, at most max */
	if (sloppy(m))
		max += 1 + below(R(m), 8);
	way = below(R(m), 14);
	if (way == 7 && older[OLDER_DIVISION])
		way = 0;
	switch (way) {
	case 0: case 1:
		put(m, 0x57, reg, 0, 0, (int64_t)mask);
		break;
	case 2:
		put(m, 0x54, reg, 0, 0, (int64_t)mask);
		break;
	case 3: case 4:
		bound_compare(m, reg, max);
		break;
	case 5: case 6:
		bound_signed(m, reg, max);
		break;
	case 7:
		put(m, chance(R(m), 70) ? 0x97 : 0x94, reg, 0, 0, (int64_t)max + 1);
		break;
	case 8:
		put(m, 0x77, reg, 0, 0, 64 - __builtin_popcountll(mask));
		if (mask == 0)
			mov_imm(m, reg, 0);
		break;
	case 9: case 10:
		bound_linked(m, reg, max);
		break;
	case 11:
		bound_register(m, reg, max);
		break;
	case 12:
		jump_out(m, chance(R(m), 80) ? 0x45 : 0x46, reg, 0, ~(int64_t)mask);
		break;
	default:
		bound_range(m, reg, max);
		break;
	}
	set_number(m, reg, max);
}

void make_bound(struct maker *m)
{
	static const uint8_t maxima[] = { 1, 3, 7, 8, 15, 16, 31, 40, 63, 64, 255 };
	unsigned reg = a_number(m);

	bound(m, reg, maxima[below(R(m), sizeof(maxima))]);
}

/* A comparison that leads nowhere else: both ways go on. */
void make_compare(struct maker *m)
{
	static const uint8_t ops[] = { 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0,
				       0xc0, 0xd0 };
	uint8_t code = ops[below(R(m), sizeof(ops))] | (chance(R(m), 60) ? 0x05 : 0x06);
	unsigned dst = a_number(m), src = a_number(m);
	uint32_t at = here(m);
	struct holds before[11];

	if (chance(R(m), 40))
		put(m, code | 0x08, dst, src, 0, 0);
	else
		put(m, code, dst, 0, 0, edge_number(R(m)));
	for (unsigned i = 0; i < 11; i++)
		before[i] = m->r[i];
	for (uint32_t n = 1 + below(R(m), 3); n; n--)
		make_arithmetic(m);
	land(m, at);
	meet(m->r, before);
}
