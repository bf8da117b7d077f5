/* SPDX-License-Identifier: BSD-2-Clause */
/* calls.c - helpers, what they hand out and want back, branches, loops, functions. */
#include "make.h"

#include <string.h>

/* --- maps, buffers, strings --- */

void make_update(struct maker *m)
{
	bool array = chance(R(m), 50);
	unsigned value = find(m, VALUE);

	if (m->locked)
		return;
	for (int i = 0; i < 8; i++)
		if (!sloppy(m))
			put(m, 0x7a, 10, 0, -64 + 8 * i, edge_number(R(m)));
	memset(m->slot, 0, sizeof(m->slot));
	put(m, 0x62, 10, 0, -72, below(R(m), 20));
	if (value != NO_REG && m->r[value].room >= ARRAY_VALUE && chance(R(m), 40))
		mov(m, 3, value);
	else
		stack_pointer(m, 3, -64);
	stack_pointer(m, 2, -72);
	put64(m, 1, 5, array ? MADE_ARRAY : MADE_HASH);
	mov_imm(m, 4, below(R(m), 3));
	call(m, chance(R(m), 60) ? 2 : 3);
}

/* A record, held for some pieces. */
void make_ring(struct maker *m)
{
	unsigned keep = lasting(m);
	int32_t size = (int32_t)(8 * (1 + below(R(m), 8)));
	struct holds before[11];
	uint32_t missing;

	if (keep == NO_REG || m->scope_count >= SCOPES - 1 || m->depth > 3 || m->locked)
		return;
	mov_imm(m, 3, 0);
	mov_imm(m, 2, size);
	put64(m, 1, 5, MADE_RING);
	call(m, 131);
	m->r[0].kind = NOTHING;
	put(m, 0xbf, keep, 0, 0, 0);
	m->r[keep] = m->r[0];
	memcpy(before, m->r, sizeof(before));
	missing = here(m);
	if (!sloppy(m))
		put(m, 0x15, chance(R(m), 70) ? 0 : keep, 0, 0, 0);
	m->r[keep] = (struct holds){ .kind = VALUE, .room = size };
	m->kept |= (uint16_t)(1u << keep);
	scope_open(m);
	access_memory(m, keep, 0, size, false);
	pieces(m, below(R(m), 4));
	scope_close(m);
	m->kept &= (uint16_t)~(1u << keep);
	put(m, 0xbf, 1, keep, 0, 0);
	mov_imm(m, 2, chance(R(m), 90) ? 0 : (int32_t)edge_number(R(m)));
	if (!sloppy(m))
		call(m, chance(R(m), 50) ? 132 : 133);
	m->r[0].kind = m->r[keep].kind = NOTHING;
	before[0].kind = NOTHING;
	if (missing < here(m) && m->out->insns[missing].code == 0x15)
		land(m, missing);
	meet(m->r, before);
}

void make_lock(struct maker *m)
{
	unsigned keep = lasting(m);
	struct holds before[11];
	uint32_t missing;

	if (keep == NO_REG || m->scope_count >= SCOPES - 1 || m->depth > 3 || m->locked ||
	    m->in_callback || m->out->type == BPF_PROG_TYPE_KPROBE ||
	    m->out->type >= BPF_PROG_TYPE_TRACEPOINT)
		if (!sloppy(m) || keep == NO_REG || m->scope_count >= SCOPES - 1)
			return;
	put(m, 0x62, 10, 0, -4, 0);
	stack_pointer(m, 2, -4);
	put64(m, 1, 5, MADE_LOCKED);
	call(m, 1);
	m->r[0].kind = NOTHING;
	put(m, 0xbf, keep, 0, 0, 0);
	m->r[keep].kind = NOTHING;
	memcpy(before, m->r, sizeof(before));
	missing = here(m);
	put(m, 0x15, 0, 0, 0, 0);
	put(m, 0xbf, 1, keep, 0, 0);
	call(m, 93);
	m->r[0].kind = NOTHING;
	m->kept |= (uint16_t)(1u << keep);
	m->locked = true;
	scope_open(m);
	access_memory(m, keep, 8, LOCKED_VALUE - 8, false);
	if (chance(R(m), 40))
		make_arithmetic(m);
	if (chance(R(m), 20))
		make_bound(m);
	if (sloppy(m))
		pieces(m, 1);
	scope_close(m);
	m->locked = false;
	m->kept &= (uint16_t)~(1u << keep);
	put(m, 0xbf, 1, keep, 0, 0);
	if (!sloppy(m))
		call(m, 94);
	m->r[0].kind = NOTHING;
	land(m, missing);
	meet(m->r, before);
}

/* --- dynptrs: r = dynptr at fp-152 --- */

enum { DYNPTR = -152 };

static void dynptr_uses(struct maker *m)
{
	switch (below(R(m), 4)) {
	case 0: /* read(dst, len, ptr, off, 0) */
		stack_pointer(m, 1, -64);
		mov_imm(m, 2, 1 + below(R(m), 64));
		stack_pointer(m, 3, DYNPTR);
		mov_imm(m, 4, below(R(m), 32));
		mov_imm(m, 5, 0);
		call(m, 201);
		memset(m->slot, 0, sizeof(m->slot));
		break;
	case 1: /* write(ptr, off, src, len, 0) */
		put(m, 0x7a, 10, 0, -8, 1);
		stack_pointer(m, 1, DYNPTR);
		mov_imm(m, 2, below(R(m), 32));
		stack_pointer(m, 3, -8);
		mov_imm(m, 4, 1 + below(R(m), 8));
		mov_imm(m, 5, 0);
		call(m, 202);
		break;
	default: { /* data(ptr, off, len) */
		int32_t len = (int32_t)(1 + below(R(m), 16));
		uint32_t missing;
		struct holds before[11];

		stack_pointer(m, 1, DYNPTR);
		mov_imm(m, 2, below(R(m), 16));
		mov_imm(m, 3, len);
		call(m, 203);
		m->r[0].kind = NOTHING;
		memcpy(before, m->r, sizeof(before));
		missing = here(m);
		put(m, 0x15, 0, 0, 0, 0);
		m->kept |= 1;
		access_memory(m, 0, 0, len, false);
		m->kept &= (uint16_t)~1u;
		land(m, missing);
		m->r[0].kind = NOTHING;
		meet(m->r, before);
		break;
	}
	}
}

void make_dynptr(struct maker *m)
{
	unsigned base = find(m, VALUE);
	bool ring = chance(R(m), 60) || base == NO_REG;

	if (m->scope_count >= SCOPES - 1 || m->depth > 3 || m->locked)
		return;
	if (ring) {
		put64(m, 1, 5, MADE_RING);
		mov_imm(m, 2, 8 * (1 + below(R(m), 8)));
		mov_imm(m, 3, 0);
		stack_pointer(m, 4, DYNPTR);
		call(m, 198);
	} else {
		put(m, 0xbf, 1, base, 0, 0);
		mov_imm(m, 2, 1 + below(R(m), (uint32_t)m->r[base].room + 1));
		mov_imm(m, 3, 0);
		stack_pointer(m, 4, DYNPTR);
		call(m, 197);
	}
	scope_open(m);
	for (uint32_t n = below(R(m), 4); n; n--)
		dynptr_uses(m);
	if (chance(R(m), 20))
		pieces(m, 1);
	scope_close(m);
	if (ring && !sloppy(m)) {
		stack_pointer(m, 1, DYNPTR);
		mov_imm(m, 2, 0);
		call(m, chance(R(m), 50) ? 199 : 200);
		m->r[0].kind = NOTHING;
	}
	if (chance(R(m), 10))
		put(m, 0x7a, 10, 0, DYNPTR + 8 * (int)below(R(m), 2), 0);
}

/* Memory and its size in the next register: a number, or a bounded unknown. */
static void sized(struct maker *m, unsigned size_reg, uint32_t room)
{
	if (chance(R(m), 50)) {
		mov_imm(m, size_reg, 1 + below(R(m), room + (sloppy(m) ? 4 : 0)));
	} else {
		unsigned n = lasting(m);

		if (n == NO_REG || m->r[n].kind != NUMBER) {
			mov_imm(m, size_reg, room);
			return;
		}
		bound(m, n, room);
		put(m, 0xbf, size_reg, n, 0, 0);
		if (chance(R(m), 70) && !sloppy(m))
			jump_out(m, 0x15, size_reg, 0, 0);
		m->r[size_reg].kind = NOTHING;
	}
}

void make_memory_helper(struct maker *m)
{
	uint32_t type = m->out->type, room = 8 * (1 + below(R(m), 8));
	bool skb = type == BPF_PROG_TYPE_SCHED_CLS || type == BPF_PROG_TYPE_SOCKET_FILTER ||
		   type == BPF_PROG_TYPE_CGROUP_SKB;
	unsigned context = find(m, CONTEXT), value = find(m, VALUE);

	if (m->locked)
		return;
	memset(m->slot, 0, sizeof(m->slot));
	if ((skb || type == BPF_PROG_TYPE_XDP) && context > 5 && context != NO_REG &&
	    chance(R(m), 60)) { /* skb_load_bytes, xdp_load_bytes (ctx, off, to, len) */
		sized(m, 4, room);
		stack_pointer(m, 3, -(int)room);
		mov_imm(m, 2, below(R(m), 64));
		put(m, 0xbf, 1, context, 0, 0);
		call(m, skb ? 26 : 189);
	} else if (!skb && type != BPF_PROG_TYPE_XDP && chance(R(m), 50)) {
		sized(m, 2, room); /* probe_read_kernel(to, len, from) or get_current_comm(to, len) */
		if (value != NO_REG && m->r[value].room >= (int)room && value > 5)
			put(m, 0xbf, 1, value, 0, 0);
		else
			stack_pointer(m, 1, -(int)room);
		put(m, 0xbf, 3, 10, 0, 0);
		call(m, chance(R(m), 50) ? 113 : 16);
	} else { /* ringbuf_output(map, from, len, 0) */
		sized(m, 3, room);
		if (value != NO_REG && m->r[value].room >= (int)room && value > 5)
			put(m, 0xbf, 2, value, 0, 0);
		else
			stack_pointer(m, 2, -(int)room);
		put64(m, 1, 5, MADE_RING);
		mov_imm(m, 4, 0);
		call(m, 130);
	}
}

/* Packets move: pointers into them are no longer good. */
void make_packet_change(struct maker *m)
{
	unsigned context = find(m, CONTEXT);
	uint32_t type = m->out->type;

	if (context == NO_REG || context < 6 || m->locked)
		return;
	put(m, 0xbf, 1, context, 0, 0);
	mov_imm(m, 2, chance(R(m), 50) ? 0 : below(R(m), 32));
	if (type == BPF_PROG_TYPE_XDP)
		call(m, 44); /* xdp_adjust_head */
	else if (type == BPF_PROG_TYPE_SCHED_CLS)
		call(m, 39); /* skb_pull_data */
	for (unsigned r = 0; r < 10; r++)
		if (m->r[r].kind == PACKET && !sloppy(m))
			m->r[r].kind = NOTHING;
	for (int i = 0; i < SLOTS_TRACKED; i++)
		if (m->slot[i].kind == PACKET && !sloppy(m))
			m->slot[i].kind = NOTHING;
}

void make_tail_call(struct maker *m)
{
	unsigned context = find(m, CONTEXT);

	if (context == NO_REG || context < 6 || m->locked || m->scope_count > 1 || m->in_callback)
		return;
	put(m, 0xbf, 1, context, 0, 0);
	put64(m, 2, 5, MADE_PROGS);
	if (chance(R(m), 50))
		mov_imm(m, 3, below(R(m), 4));
	else
		put(m, 0xbf, 3, a_number(m), 0, 0);
	call(m, 12);
	m->r[0].kind = NOTHING;
}

/* ld_abs and ld_ind: leave the program where the packet is too short. */
void make_legacy_load(struct maker *m)
{
	uint32_t type = m->out->type;
	unsigned n = a_number(m);

	if ((type != BPF_PROG_TYPE_SCHED_CLS && type != BPF_PROG_TYPE_SOCKET_FILTER) || m->in_sub ||
	    m->kept >> 6 != 1 || m->scope_count > 1 || m->locked)
		return;
	if (chance(R(m), 50))
		put(m, PICK3(R(m), 0x20, 0x28, 0x30), 0, 0, 0, below(R(m), 80));
	else
		put(m, PICK3(R(m), 0x40, 0x48, 0x50), 0, n, 0, below(R(m), 80));
	after_call(m);
}

/* --- control --- */

void make_branch(struct maker *m)
{
	static const uint8_t ops[] = { 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xa0, 0xb0,
				       0xc0, 0xd0 };
	uint8_t code = ops[below(R(m), sizeof(ops))] | (chance(R(m), 60) ? 0x05 : 0x06);
	unsigned dst = a_number(m), src = a_number(m);
	struct holds before[11], after[11];
	struct holds slots[SLOTS_TRACKED];
	uint32_t at = here(m), end;

	if (m->depth > 4)
		return;
	if (chance(R(m), 30))
		put(m, code | 0x08, dst, src, 0, 0);
	else
		put(m, code, dst, 0, 0, edge_number(R(m)));
	memcpy(before, m->r, sizeof(before));
	memcpy(slots, m->slot, sizeof(slots));
	pieces(m, 1 + below(R(m), 3));
	if (chance(R(m), 50)) {
		land(m, at);
		meet(m->r, before);
	} else {
		end = here(m);
		put(m, 0x05, 0, 0, 0, 0);
		land(m, at);
		memcpy(after, m->r, sizeof(after));
		memcpy(m->r, before, sizeof(before));
		pieces(m, 1 + below(R(m), 3));
		land(m, end);
		meet(m->r, after);
	}
	for (int i = 0; i < SLOTS_TRACKED; i++)
		if (m->slot[i].kind != slots[i].kind)
			m->slot[i].kind = NOTHING;
}

/* What a loop changes is not known at its start. */
static void before_loop(struct maker *m, unsigned counter)
{
	for (unsigned r = 0; r < 10; r++)
		if (m->r[r].kind != CONTEXT && !(m->kept >> r & 1) && chance(R(m), 70))
			m->r[r].kind = NOTHING;
	for (unsigned r = 0; r < 10; r++)
		m->r[r].max = UINT64_MAX;
	memset(m->slot, 0, sizeof(m->slot));
	if (counter != NO_REG)
		m->r[counter].kind = NOTHING;
}

void make_loop(struct maker *m)
{
	unsigned counter = lasting(m);
	bool on_stack = chance(R(m), 15), may = chance(R(m), 15);
	uint32_t start, times = 1 + below(R(m), chance(R(m), 20) ? 60 : 8), leave = 0;
	struct holds before[11];

	if (m->depth > 3 || counter == NO_REG || m->scope_count >= SCOPES - 1)
		return;
	mov_imm(m, counter, 0);
	if (on_stack)
		put(m, 0x7a, 10, 0, -104, 0);
	if (chance(R(m), 15)) { /* a bound that is not known exactly */
		unsigned n = a_number(m);

		if (n != counter) {
			bound(m, n, times);
			put(m, 0xbf, counter, n, 0, 0);
		}
	}
	before_loop(m, counter);
	memcpy(before, m->r, sizeof(before));
	start = here(m);
	if (may) {
		leave = here(m);
		put(m, 0xe5, 0, 0, 0, 0);
	}
	m->kept |= (uint16_t)(1u << counter);
	scope_open(m);
	pieces(m, 1 + below(R(m), 3));
	scope_close(m);
	m->kept &= (uint16_t)~(1u << counter);
	if (on_stack) {
		put(m, 0x79, 1, 10, -104, 0);
		put(m, 0x07, 1, 0, 0, 1);
		put(m, 0x7b, 10, 1, -104, 0);
		put(m, 0xa5, 1, 0, (int)start - (int)here(m) - 1, times);
		m->r[1].kind = NOTHING;
	} else {
		if (!sloppy(m))
			put(m, chance(R(m), 80) ? 0x07 : 0x04, counter, 0, 0, 1);
		put(m, PICK3(R(m), 0xa5, 0xc5, 0x55), counter, 0, (int)start - (int)here(m) - 1,
		    times);
	}
	if (may)
		land(m, leave);
	meet(m->r, before);
	if (m->r[counter].kind != CONTEXT)
		set_number(m, counter, UINT64_MAX);
}

/* bpf_iter_num over a range: the body runs for each number. */
void make_iterator(struct maker *m)
{
	enum { ITER = -168 };
	uint32_t start, leave;
	unsigned keep = lasting(m);
	struct holds before[11];

	if (!random_kfuncs.num_new || m->depth > 3 || m->locked || m->scope_count >= SCOPES - 1 ||
	    m->in_callback || m->in_sub)
		return;
	stack_pointer(m, 1, ITER);
	mov_imm(m, 2, below(R(m), 4));
	mov_imm(m, 3, below(R(m), 20));
	put(m, 0x85, 0, 2, 0, random_kfuncs.num_new);
	after_call(m);
	m->r[0].kind = NOTHING;
	before_loop(m, NO_REG);
	memcpy(before, m->r, sizeof(before));
	start = here(m);
	stack_pointer(m, 1, ITER);
	put(m, 0x85, 0, 2, 0, random_kfuncs.num_next);
	after_call(m);
	m->r[0].kind = NOTHING;
	leave = here(m);
	put(m, 0x15, 0, 0, 0, 0);
	put(m, 0x61, keep != NO_REG ? keep : 0, 0, 0, 0);
	set_number(m, keep != NO_REG ? keep : 0, UINT32_MAX);
	scope_open(m);
	pieces(m, below(R(m), 4));
	scope_close(m);
	put(m, 0x05, 0, 0, (int)start - (int)here(m) - 1, 0);
	land(m, leave);
	memcpy(m->r, before, sizeof(before));
	stack_pointer(m, 1, ITER);
	if (!sloppy(m))
		put(m, 0x85, 0, 2, 0, random_kfuncs.num_destroy);
	after_call(m);
	m->r[0].kind = NOTHING;
	memset(m->slot, 0, sizeof(m->slot));
}

/* A function to call that is not the one being made, nor one before it. */
static int choose_sub(struct maker *m, enum sub_kind low, enum sub_kind high)
{
	uint32_t start = m->sub_count ? below(R(m), m->sub_count) : 0;

	for (uint32_t i = 0; i < m->sub_count; i++) {
		uint32_t s = (start + i) % m->sub_count;

		if (m->subs[s].kind >= low && m->subs[s].kind <= high && !m->subs[s].made)
			return (int)s;
	}
	return -1;
}

static bool note_call(struct maker *m, int sub, bool address)
{
	if (m->call_count == CALLS)
		return false;
	m->subs[sub].called = true;
	m->calls[m->call_count].insn = here(m);
	m->calls[m->call_count].address = address;
	m->calls[m->call_count++].sub = (uint32_t)sub;
	return true;
}

static void set_argument(struct maker *m, unsigned reg, struct holds want)
{
	unsigned from;

	switch (want.kind) {
	case NUMBER:
		from = lasting(m);
		if (from != NO_REG && m->r[from].kind == NUMBER && chance(R(m), 60))
			put(m, 0xbf, reg, from, 0, 0);
		else
			mov_imm(m, reg, (int32_t)edge_number(R(m)));
		break;
	case VALUE:
		from = find(m, VALUE);
		if (from > 5 && from != NO_REG && m->r[from].room >= want.room &&
		    !m->r[from].read_only)
			put(m, 0xbf, reg, from, 0, 0);
		else
			stack_pointer(m, reg, -16);
		break;
	case CONTEXT:
		from = find(m, CONTEXT);
		if (from != NO_REG)
			put(m, 0xbf, reg, from, 0, 0);
		break;
	case NOTHING: case FRAME: case PACKET: case PACKET_LIMIT: case MAYBE_VALUE: case RECORD:
		break;
	}
	m->r[reg].kind = NOTHING;
}

void make_call(struct maker *m)
{
	int s = choose_sub(m, SUB_LEAF, SUB_MEMORY);

	if (s < 0 || m->call_count == CALLS || (m->locked && !sloppy(m)))
		return;
	put(m, 0x7a, 10, 0, -8, 0);
	put(m, 0x7a, 10, 0, -16, 0);
	switch (m->subs[s].kind) {
	case SUB_LEAF:
		for (unsigned a = 0; a < 3; a++)
			set_argument(m, a + 1, m->subs[s].arg[a]);
		break;
	case SUB_SCALARS:
		set_argument(m, 1, (struct holds){ .kind = NUMBER });
		set_argument(m, 2, (struct holds){ .kind = NUMBER });
		break;
	case SUB_MEMORY: case SUB_LOOP: case SUB_EACH:
		if (chance(R(m), 80))
			set_argument(m, 1, (struct holds){ .kind = VALUE, .room = 16 });
		else
			mov_imm(m, 1, 0);
		break;
	}
	note_call(m, s, false);
	put(m, 0x85, 0, 1, 0, 0);
	after_call(m);
	memset(m->slot, 0, sizeof(m->slot));
	if (m->subs[s].kind != SUB_LEAF)
		for (unsigned r = 0; r < 10; r++)
			if (m->r[r].kind == PACKET)
				m->r[r].kind = NOTHING;
}

/* bpf_loop and bpf_for_each_map_elem */
void make_callback(struct maker *m)
{
	int s = choose_sub(m, SUB_LOOP, SUB_EACH);

	if (s < 0 || m->call_count == CALLS || m->locked)
		return;
	put(m, 0x7a, 10, 0, -8, 0);
	put(m, 0x7a, 10, 0, -16, 0);
	if (m->subs[s].kind == SUB_LOOP) {
		if (chance(R(m), 70))
			mov_imm(m, 1, below(R(m), 12));
		else
			set_argument(m, 1, (struct holds){ .kind = NUMBER });
	} else {
		put64(m, 1, 5, MADE_ARRAY);
	}
	note_call(m, s, true);
	put64(m, 2, 4, 0);
	stack_pointer(m, 3, -16);
	mov_imm(m, 4, 0);
	call(m, m->subs[s].kind == SUB_LOOP ? 181 : 164);
	memset(m->slot, 0, sizeof(m->slot));
}
