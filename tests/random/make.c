/* SPDX-License-Identifier: BSD-2-Clause */
/* make.c - whole random programs out of pieces (see make.h). */
#include "make.h"
#include "older.h"

#include <string.h>
#include <skep/verify.h>

/* --- emitting --- */

uint32_t here(const struct maker *m)
{
	return m->out->len;
}

void put(struct maker *m, uint8_t code, unsigned dst, unsigned src, int off, int64_t imm)
{
	if (m->out->len >= RANDOM_SLOTS - 2) {
		m->full = true;
		return;
	}
	m->out->insns[m->out->len++] = (struct skep_insn){
		.code = code, .dst = dst & 15, .src = src & 15, .off = (int16_t)off,
		.imm = (int32_t)imm,
	};
}

void put64(struct maker *m, unsigned dst, unsigned src, uint64_t value)
{
	put(m, 0x18, dst, src, 0, (int32_t)value);
	put(m, 0, 0, 0, 0, (int32_t)(value >> 32));
}

void mov(struct maker *m, unsigned dst, unsigned src)
{
	put(m, 0xbf, dst, src, 0, 0);
	m->r[dst] = m->r[src];
}

void set_number(struct maker *m, unsigned reg, uint64_t max)
{
	m->r[reg] = (struct holds){ .kind = NUMBER, .max = max };
}

void mov_imm(struct maker *m, unsigned dst, int64_t imm)
{
	put(m, 0xb7, dst, 0, 0, imm);
	set_number(m, dst, imm >= 0 ? (uint64_t)imm : UINT64_MAX);
}

void after_call(struct maker *m)
{
	for (unsigned r = 1; r <= 5; r++)
		m->r[r].kind = NOTHING;
	set_number(m, 0, UINT64_MAX);
}

void call(struct maker *m, int32_t helper)
{
	put(m, 0x85, 0, 0, 0, helper);
	after_call(m);
}

void land(struct maker *m, uint32_t jump)
{
	if (!m->full)
		m->out->insns[jump].off = (int16_t)(here(m) - jump - 1);
}

void meet(struct holds r[11], const struct holds other[11])
{
	for (unsigned i = 0; i < 11; i++) {
		if (r[i].kind != other[i].kind)
			r[i].kind = NOTHING;
		if (other[i].max > r[i].max)
			r[i].max = other[i].max;
		if (other[i].room < r[i].room)
			r[i].room = other[i].room;
		r[i].read_only |= other[i].read_only;
	}
}

void jump_out(struct maker *m, uint8_t code, unsigned dst, unsigned src, int64_t imm)
{
	uint32_t s = m->scope_count - 1;

	if (m->scope[s].count == JUMPS)
		return;
	if (m->scope[s].count == 0)
		memcpy(m->scope[s].r, m->r, sizeof(m->r));
	else
		meet(m->scope[s].r, m->r);
	m->scope[s].jumps[m->scope[s].count++] = here(m);
	put(m, code, dst, src, 0, imm);
}

void scope_open(struct maker *m)
{
	m->scope[m->scope_count++].count = 0;
}

void scope_close(struct maker *m)
{
	uint32_t s = --m->scope_count;

	for (uint32_t i = 0; i < m->scope[s].count; i++)
		land(m, m->scope[s].jumps[i]);
	if (m->scope[s].count)
		meet(m->r, m->scope[s].r);
}

bool sloppy(struct maker *m)
{
	return below(R(m), 1000) < m->sloppy;
}

/* --- choosing registers --- */

unsigned find(struct maker *m, enum kind kind)
{
	unsigned start = below(R(m), 10);

	for (unsigned i = 0; i < 10; i++)
		if (m->r[(start + i) % 10].kind == kind)
			return (start + i) % 10;
	return NO_REG;
}

unsigned target(struct maker *m)
{
	for (;;) {
		unsigned r = below(R(m), 10);

		if (!(m->kept >> r & 1))
			return r;
	}
}

unsigned lasting(struct maker *m)
{
	unsigned start = below(R(m), 3);

	for (unsigned i = 0; i < 3; i++) {
		unsigned r = 7 + (start + i) % 3;

		if (!(m->kept >> r & 1))
			return r;
	}
	return NO_REG;
}

unsigned a_number(struct maker *m)
{
	unsigned r = find(m, NUMBER);

	if (r != NO_REG && !(m->kept >> r & 1))
		return r;
	r = target(m);
	mov_imm(m, r, (int32_t)edge_number(R(m)));
	return r;
}

int64_t edge_number(struct dice *dice)
{
	static const int64_t edges[] = {
		0, 1, -1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 255, 256, 0x7fff, 0x8000,
		0xffff, 0x10000, INT32_MAX, INT32_MIN, (int64_t)INT32_MAX + 1, UINT32_MAX,
		(int64_t)UINT32_MAX + 1, INT64_MAX, INT64_MIN, INT64_MIN + 1, -2, -8, -64, -128,
		-129, -32768,
	};

	if (chance(dice, 60))
		return edges[below(dice, sizeof(edges) / sizeof(edges[0]))];
	return (int64_t)roll(dice) >> below(dice, 64);
}

/* --- pieces --- */

static const struct {
	uint16_t weight;
	void (*make)(struct maker *m);
} kinds[] = {
	{ 140, make_arithmetic }, { 50, make_rare_arithmetic }, { 60, make_unknown },
	{ 90, make_bound }, { 60, make_compare }, { 60, make_stack }, { 70, make_spill },
	{ 30, make_stack_variable }, { 90, make_value }, { 50, make_lookup }, { 30, make_direct },
	{ 60, make_packet }, { 40, make_context }, { 20, make_update }, { 25, make_ring },
	{ 15, make_lock }, { 20, make_dynptr }, { 35, make_memory_helper },
	{ 10, make_packet_change }, { 5, make_tail_call }, { 8, make_legacy_load },
	{ 50, make_branch }, { 25, make_loop }, { 12, make_iterator }, { 30, make_call },
	{ 14, make_callback },
};

/* Anything at all: mostly nonsense. */
static void make_raw(struct maker *m)
{
	put(m, (uint8_t)roll(R(m)), below(R(m), 11), below(R(m), 11), (int8_t)roll(R(m)),
	    edge_number(R(m)));
}

void pieces(struct maker *m, uint32_t count)
{
	uint32_t total = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		total += kinds[i].weight;
	m->depth++;
	while (count-- && !m->full) {
		uint32_t at = below(R(m), total), i = 0;

		if (m->sloppy && below(R(m), 4000) < m->sloppy) {
			make_raw(m);
			continue;
		}
		while (at >= kinds[i].weight)
			at -= kinds[i++].weight;
		kinds[i].make(m);
	}
	m->depth--;
}

/* --- functions --- */

static void clear_stack(struct maker *m)
{
	memset(m->slot, 0, sizeof(m->slot));
	for (int i = 0; i < 6; i++)
		if (chance(R(m), 50)) {
			put(m, 0x7a, 10, 0, -8 * (i + 1), edge_number(R(m)));
			m->slot[i] = (struct holds){ .kind = NUMBER, .max = UINT64_MAX };
		}
}

static void begin_function(struct maker *m, uint32_t type)
{
	struct random_program *out = m->out;

	memset(m->r, 0, sizeof(m->r));
	m->r[10].kind = FRAME;
	m->kept = 0;
	m->scope_count = 0;
	if (out->func_count < RANDOM_FUNCS)
		out->funcs[out->func_count++] = (struct func_info){ out->len, type };
}

/* What most types may return; some may return anything. */
static void end_function(struct maker *m, uint32_t returns)
{
	scope_close(m);
	if (m->r[0].kind == NUMBER && chance(R(m), 30)) {
		if (returns < UINT32_MAX && !sloppy(m))
			put(m, 0x57, 0, 0, 0, returns);
	} else {
		mov_imm(m, 0, below(R(m), 2));
	}
	put(m, 0x95, 0, 0, 0, 0);
}

static void make_main(struct maker *m)
{
	begin_function(m, random_types.main);
	m->r[1].kind = CONTEXT;
	mov(m, 6, 1);
	m->kept = 1u << 6;
	scope_open(m);
	clear_stack(m);
	pieces(m, 3 + below(R(m), chance(R(m), 10) ? 60 : 20));
	end_function(m, m->out->type == BPF_PROG_TYPE_CGROUP_SKB ? 3 :
			m->out->type == BPF_PROG_TYPE_CGROUP_SOCK_ADDR ? 1 :
			m->out->type == BPF_PROG_TYPE_TRACEPOINT ||
			m->out->type == BPF_PROG_TYPE_PERF_EVENT ? 1 : UINT32_MAX);
}

static void sub_arguments(struct maker *m, const struct sub *sub)
{
	switch (sub->kind) {
	case SUB_LEAF:
		memcpy(&m->r[1], sub->arg, sizeof(sub->arg));
		break;
	case SUB_SCALARS:
		set_number(m, 1, UINT64_MAX);
		set_number(m, 2, UINT64_MAX);
		break;
	case SUB_MEMORY:
		if (!sloppy(m))
			jump_out(m, 0x15, 1, 0, 0);
		m->r[1] = (struct holds){ .kind = VALUE, .room = 16 };
		break;
	case SUB_LOOP:
		set_number(m, 1, UINT64_MAX);
		m->r[2] = (struct holds){ .kind = VALUE, .room = 16 };
		break;
	case SUB_EACH:
		m->r[2] = (struct holds){ .kind = VALUE, .room = 4, .read_only = true };
		m->r[3] = (struct holds){ .kind = VALUE, .room = ARRAY_VALUE };
		m->r[4] = (struct holds){ .kind = VALUE, .room = 16 };
		break;
	}
	for (unsigned r = 1; r <= 4; r++) {
		unsigned keep = 5 + r;

		if (m->r[r].kind != NOTHING)
			mov(m, keep, r);
		if (m->r[r].kind == CONTEXT)
			m->kept |= (uint16_t)(1u << keep);
	}
}

static void make_sub(struct maker *m, struct sub *sub)
{
	const uint32_t types[] = {
		[SUB_LEAF] = random_types.leaf, [SUB_SCALARS] = random_types.scalars,
		[SUB_MEMORY] = random_types.memory, [SUB_LOOP] = random_types.loop_callback,
		[SUB_EACH] = random_types.each_callback,
	};

	begin_function(m, types[sub->kind]);
	m->in_sub = true;
	m->in_callback = sub->kind >= SUB_LOOP;
	scope_open(m);
	sub_arguments(m, sub);
	clear_stack(m);
	pieces(m, 1 + below(R(m), 10));
	end_function(m, m->in_callback ? 1 : UINT32_MAX);
}

static void plan_subs(struct maker *m)
{
	m->sub_count = chance(R(m), 50) ? 0 : 1 + below(R(m), SUBS);
	for (uint32_t i = 0; i < m->sub_count; i++) {
		struct sub *sub = &m->subs[i];

		sub->kind = chance(R(m), 50) ? SUB_LEAF : (enum sub_kind)below(R(m), 5);
		sub->called = sub->made = false;
		for (int a = 0; a < 3 && sub->kind == SUB_LEAF; a++)
			switch (below(R(m), 6)) {
			case 0: case 1: case 2:
				sub->arg[a] = (struct holds){ .kind = NUMBER, .max = UINT64_MAX };
				break;
			case 3:
				sub->arg[a] = (struct holds){ .kind = VALUE, .room = 16 };
				break;
			case 4:
				sub->arg[a] = (struct holds){ .kind = CONTEXT };
				break;
			default:
				sub->arg[a] = (struct holds){ .kind = NOTHING };
				break;
			}
	}
}

/* Callers first: a subprogram is made when all calls to it that will be are known. */
static void make_subs(struct maker *m)
{
	for (uint32_t i = 0; i < m->sub_count; i++) {
		uint32_t start = here(m);

		if (!m->subs[i].called)
			continue;
		for (uint32_t s = 0; s <= i; s++)
			m->subs[s].made = true; /* calls from here on would be recursion */
		make_sub(m, &m->subs[i]);
		for (uint32_t c = 0; c < m->call_count && !m->full; c++)
			if (m->calls[c].sub == i)
				m->out->insns[m->calls[c].insn].imm =
					(int32_t)(start - m->calls[c].insn) - 1;
	}
}

static const struct {
	uint32_t type, attach, weight;
} program_types[] = {
	{ BPF_PROG_TYPE_XDP, BPF_XDP, 5 }, { BPF_PROG_TYPE_SCHED_CLS, 0, 6 },
	{ BPF_PROG_TYPE_SOCKET_FILTER, 0, 3 }, { BPF_PROG_TYPE_CGROUP_SKB, 0, 2 },
	{ BPF_PROG_TYPE_KPROBE, 0, 2 }, { BPF_PROG_TYPE_TRACEPOINT, 0, 1 },
	{ BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 2 }, { BPF_PROG_TYPE_PERF_EVENT, 0, 1 },
};

void random_make(struct random_program *out, struct random_world *world, uint64_t seed)
{
	struct maker m = { .out = out, .dice = { seed * 0x2545f4914f6cdd1du } };
	uint32_t at = below(&m.dice, 22), i = 0;

	while (at >= program_types[i].weight)
		at -= program_types[i++].weight;
	*out = (struct random_program){ .seed = seed, .type = program_types[i].type,
					.attach = program_types[i].attach, .world = world };
	if (chance(&m.dice, 40))
		out->flags |= SKEP_VERIFY_STATE_FREQ;
	if (chance(&m.dice, 5))
		out->flags |= SKEP_VERIFY_STRICT_ALIGNMENT;
	m.sloppy = chance(&m.dice, 50) ? 0 : below(&m.dice, 120);
	plan_subs(&m);
	make_main(&m);
	make_subs(&m);
	if (chance(&m.dice, 15))
		random_mutate(out, &m.dice);
	older_avoid(out);
}
