/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * graph.c - from instructions to the graph: each is carried out on expressions, from every place
 * where control can arrive with every content of the registers that is wanted there.
 */
#include "cbpf/graph.h"

#include <errno.h>

/* Registers are numbered: A, X, then scratch memory. */
enum { REG_A, REG_X, REG_MEMORY, REGS = REG_MEMORY + CBPF_MEMORY };

struct place {
	uint32_t pc, block;
	uint32_t regs[REGS];     /* 0: not wanted there */
};

struct builder {
	struct graph *graph;
	const struct skep_cbpf_insn *insns;
	size_t count;
	uint32_t *wanted;        /* by instruction: registers, a bit each */
	bool *target;            /* by instruction: control arrives from elsewhere than above only */
	VEC(struct place) places;
	uint32_t *first;         /* by instruction: 1 + its latest place */
	VEC(uint32_t) older;     /* by place: 1 + the one before it of the same instruction */
	uint32_t regs[REGS];
	struct block block;      /* being made */
};

void graph_init(struct graph *graph, enum skep_cbpf_use use)
{
	*graph = (struct graph){ .use = use };
	values_init(&graph->values);
	graph_block(graph); /* number 0 is none */
}

void graph_done(struct graph *graph)
{
	for (size_t i = 0; i < graph->blocks.count; i++)
		vec_done(&graph->blocks.items[i].checks);
	vec_done(&graph->blocks);
	vec_done(&graph->assignments);
	values_done(&graph->values);
}

uint32_t graph_block(struct graph *graph)
{
	if (!vec_push(&graph->blocks)) {
		graph->failed = true;
		return 0;
	}
	return (uint32_t)graph->blocks.count - 1;
}

/* --- which registers are wanted --- */

static uint32_t reads_of(const struct skep_cbpf_insn *insn, const struct cbpf_row *row)
{
	const struct cbpf_ancillary_row *ancillary = cbpf_ancillary(insn);

	switch ((enum cbpf_kind)row->kind) {
	case CBPF_ABS:
		return ancillary && (ancillary->number == CBPF_AD_NLATTR ||
				     ancillary->number == CBPF_AD_NLATTR_NEST ||
				     ancillary->number == CBPF_AD_XOR_X) ? 1u << REG_A | 1u << REG_X : 0;
	case CBPF_IND: case CBPF_TXA:
		return 1u << REG_X;
	case CBPF_MEM:
		return 1u << (REG_MEMORY + insn->k);
	case CBPF_STORE:
		return row->reg == CBPF_X ? 1u << REG_X : 1u << REG_A;
	case CBPF_ALU: case CBPF_JUMP:
		return 1u << REG_A | (row->reg == CBPF_X ? 1u << REG_X : 0);
	case CBPF_NEG: case CBPF_TAX:
		return 1u << REG_A;
	case CBPF_RETURN:
		return row->reg == CBPF_A ? 1u << REG_A : row->reg == CBPF_X ? 1u << REG_X : 0;
	case CBPF_MSH: case CBPF_LEN: case CBPF_IMM: case CBPF_GOTO:
		break;
	}
	return 0;
}

static uint32_t writes_of(const struct skep_cbpf_insn *insn, const struct cbpf_row *row)
{
	switch ((enum cbpf_kind)row->kind) {
	case CBPF_ABS: case CBPF_IND: case CBPF_ALU: case CBPF_NEG: case CBPF_TXA:
		return 1u << REG_A;
	case CBPF_MSH: case CBPF_TAX:
		return 1u << REG_X;
	case CBPF_LEN: case CBPF_IMM: case CBPF_MEM:
		return row->reg == CBPF_X ? 1u << REG_X : 1u << REG_A;
	case CBPF_STORE:
		return 1u << (REG_MEMORY + insn->k);
	case CBPF_GOTO: case CBPF_JUMP: case CBPF_RETURN:
		break;
	}
	return 0;
}

static void find_wanted(struct builder *b)
{
	for (size_t pc = b->count; pc-- > 0;) {
		const struct skep_cbpf_insn *insn = &b->insns[pc];
		const struct cbpf_row *row = cbpf_row(insn->code);
		uint32_t after = 0;

		if (row->kind == CBPF_GOTO) {
			after = b->wanted[cbpf_goto_target(insn, pc)];
			b->target[cbpf_goto_target(insn, pc)] = true;
		} else if (row->kind == CBPF_JUMP) {
			after = b->wanted[cbpf_true_target(insn, pc)] |
				b->wanted[cbpf_false_target(insn, pc)];
			b->target[cbpf_true_target(insn, pc)] = true;
			b->target[cbpf_false_target(insn, pc)] = true;
		} else if (row->kind != CBPF_RETURN) {
			after = b->wanted[pc + 1];
		}
		b->wanted[pc] = (after & ~writes_of(insn, row)) | reads_of(insn, row);
	}
}

/* --- places --- */

/* The block of pc with what the registers hold now; 0: failed. */
static uint32_t place_of(struct builder *b, uint32_t pc)
{
	struct place place = { .pc = pc }, *room;
	uint32_t *older;

	for (unsigned reg = 0; reg < REGS; reg++)
		place.regs[reg] = b->wanted[pc] & 1u << reg ? b->regs[reg] : 0;
	for (uint32_t at = b->first[pc]; at; at = b->older.items[at - 1]) {
		const struct place *known = &b->places.items[at - 1];

		if (memcmp(known->regs, place.regs, sizeof(place.regs)) == 0)
			return known->block;
	}
	place.block = graph_block(b->graph);
	room = vec_push(&b->places);
	older = vec_push(&b->older);
	if (!room || !older) {
		b->graph->failed = true;
		return 0;
	}
	*room = place;
	*older = b->first[pc];
	b->first[pc] = (uint32_t)b->places.count;
	return place.block;
}

/* --- one instruction --- */

static void need(struct builder *b, uint32_t check)
{
	uint32_t k, *room;

	if (value_is_const(&b->graph->values, check, &k) && k)
		return;
	room = vec_push(&b->block.checks);
	if (room)
		*room = check;
	else
		b->graph->failed = true;
}

static uint32_t load(struct builder *b, uint8_t width, uint32_t base, uint32_t k)
{
	uint32_t id = value_load(&b->graph->values, width, base, k);

	need(b, value_check(&b->graph->values, id));
	return id;
}

/* False: not for a graph. */
static bool load_absolute(struct builder *b, const struct skep_cbpf_insn *insn,
			  const struct cbpf_row *row)
{
	struct values *values = &b->graph->values;
	const struct cbpf_ancillary_row *ancillary = cbpf_ancillary(insn);
	uint32_t *a = &b->regs[REG_A];

	if (b->graph->use == SKEP_CBPF_SECCOMP) {
		*a = value_plain(values, VALUE_WORD, insn->k);
		return true;
	}
	if (!ancillary) {
		*a = load(b, row->width, 0, insn->k);
		return true;
	}
	switch (ancillary->number) {
	case CBPF_AD_RANDOM: case CBPF_AD_IFINDEX: case CBPF_AD_HATYPE:
		return false;
	case CBPF_AD_XOR_X:
		*a = value_alu(values, ALU_XOR, *a, b->regs[REG_X]);
		break;
	case CBPF_AD_NLATTR: case CBPF_AD_NLATTR_NEST:
		*a = value_meta(values, ancillary->number, *a, b->regs[REG_X]);
		break;
	default:
		*a = value_meta(values, ancillary->number, 0, 0);
		break;
	}
	return true;
}

static uint32_t operand(struct builder *b, const struct skep_cbpf_insn *insn,
			const struct cbpf_row *row)
{
	return row->reg == CBPF_K ? value_const(&b->graph->values, insn->k) :
				    b->regs[row->reg == CBPF_X ? REG_X : REG_A];
}

static void compute(struct builder *b, const struct skep_cbpf_insn *insn, const struct cbpf_row *row)
{
	struct values *values = &b->graph->values;
	uint32_t right = operand(b, insn, row);

	if (row->op == ALU_DIV || row->op == ALU_MOD)
		need(b, value_nonzero(values, right));
	b->regs[REG_A] = value_alu(values, (enum alu)row->op, b->regs[REG_A], right);
}

/* False: not for a graph. */
static bool step(struct builder *b, const struct skep_cbpf_insn *insn, const struct cbpf_row *row)
{
	struct values *values = &b->graph->values;
	uint32_t *a = &b->regs[REG_A], *x = &b->regs[REG_X];
	uint32_t *reg = row->reg == CBPF_X ? x : a;

	switch ((enum cbpf_kind)row->kind) {
	case CBPF_ABS:
		return load_absolute(b, insn, row);
	case CBPF_IND:
		*a = load(b, row->width, *x, insn->k);
		break;
	case CBPF_MSH:
		*x = value_alu(values, ALU_AND, load(b, 1, 0, insn->k), value_const(values, 0xf));
		*x = value_alu(values, ALU_LSH, *x, value_const(values, 2));
		break;
	case CBPF_LEN:
		*reg = b->graph->use == SKEP_CBPF_SECCOMP ? value_const(values, SECCOMP_DATA_SIZE) :
							    value_plain(values, VALUE_LEN, 0);
		break;
	case CBPF_IMM:
		*reg = value_const(values, insn->k);
		break;
	case CBPF_MEM:
		*reg = b->regs[REG_MEMORY + insn->k];
		break;
	case CBPF_STORE:
		b->regs[REG_MEMORY + insn->k] = *reg;
		break;
	case CBPF_ALU:
		compute(b, insn, row);
		break;
	case CBPF_NEG:
		*a = value_alu(values, ALU_SUB, value_const(values, 0), *a);
		break;
	case CBPF_TAX:
		*x = *a;
		break;
	case CBPF_TXA:
		*a = *x;
		break;
	case CBPF_GOTO: case CBPF_JUMP: case CBPF_RETURN:
		break;
	}
	return true;
}

/* --- stand-ins for sets --- */

/* The jump behind pc that compares the next word, with nothing but loads between; 0: another. */
static uint32_t next_word(const struct builder *b, uint32_t pc, unsigned word)
{
	const struct stand_in *is = b->graph->stand_ins;
	uint32_t at = (uint32_t)cbpf_true_target(&b->insns[pc], pc);

	while (cbpf_row(b->insns[at].code)->kind == CBPF_ABS || cbpf_row(b->insns[at].code)->kind == CBPF_IND)
		at++;
	if (is[at].set != is[pc].set || is[at].word != word ||
	    cbpf_false_target(&b->insns[at], at) != cbpf_false_target(&b->insns[pc], pc))
		return 0;
	return at;
}

/* The four words at pc become one lookup. False: they are compared in another way. */
static bool finish_bytes(struct builder *b, uint32_t pc)
{
	struct values *values = &b->graph->values;
	struct value load = *value_get(values, b->regs[REG_A]);
	uint32_t *room, last = pc;

	for (unsigned word = 1; word < 4; word++) {
		last = next_word(b, last, word);
		if (last == 0)
			return false;
	}
	if (load.kind != VALUE_LOAD || load.width != 4)
		return false;
	room = vec_push(&b->block.checks);
	if (!room) {
		b->graph->failed = true;
		return true;
	}
	*room = value_check(values, value_load(values, 16, load.left, load.k));
	b->block.end = END_TEST;
	b->block.value = value_member16(values, b->graph->stand_ins[pc].set - 1u, load.left, load.k);
	b->block.next[1] = place_of(b, (uint32_t)cbpf_true_target(&b->insns[last], last));
	b->block.next[0] = place_of(b, (uint32_t)cbpf_false_target(&b->insns[pc], pc));
	return true;
}

static bool finish_stand_in(struct builder *b, uint32_t pc, bool bytes)
{
	const struct skep_cbpf_insn *insn = &b->insns[pc];

	if (insn->code != cbpf_rows[CBPF_ID_JEQ_K].code)
		return false;
	if (bytes)
		return finish_bytes(b, pc);
	b->block.end = END_TEST;
	b->block.value = value_member(&b->graph->values, b->graph->stand_ins[pc].set - 1u, b->regs[REG_A]);
	b->block.next[1] = place_of(b, (uint32_t)cbpf_true_target(insn, pc));
	b->block.next[0] = place_of(b, (uint32_t)cbpf_false_target(insn, pc));
	return true;
}

/* The jump or return at pc. False: not for a graph. */
static bool finish(struct builder *b, uint32_t pc)
{
	const struct skep_cbpf_insn *insn = &b->insns[pc];
	const struct cbpf_row *row = cbpf_row(insn->code);
	struct test test;

	if (b->graph->stand_ins && b->graph->stand_ins[pc].set)
		return finish_stand_in(b, pc, b->graph->stand_ins[pc].word != STAND_IN_WHOLE);
	if (row->kind == CBPF_RETURN) {
		b->block.end = END_RETURN;
		b->block.value = operand(b, insn, row);
	} else if (row->kind == CBPF_GOTO) {
		b->block.end = END_GOTO;
		b->block.next[0] = place_of(b, (uint32_t)cbpf_goto_target(insn, pc));
	} else {
		test = value_test(&b->graph->values, (enum cond)row->op, b->regs[REG_A],
				  operand(b, insn, row));
		b->block.end = END_TEST;
		b->block.value = test.value;
		b->block.next[!test.inverted] = place_of(b, (uint32_t)cbpf_true_target(insn, pc));
		b->block.next[test.inverted] = place_of(b, (uint32_t)cbpf_false_target(insn, pc));
	}
	return true;
}

static bool build_block(struct builder *b, const struct place *place)
{
	uint32_t pc = place->pc;
	bool possible = true;

	b->block = (struct block){ 0 };
	for (;; pc++) {
		const struct cbpf_row *row = cbpf_row(b->insns[pc].code);

		if (pc != place->pc && b->target[pc]) {
			b->block.end = END_GOTO;
			b->block.next[0] = place_of(b, pc);
			break;
		}
		if (row->kind == CBPF_GOTO || row->kind == CBPF_JUMP || row->kind == CBPF_RETURN) {
			possible &= finish(b, pc);
			break;
		}
		possible &= step(b, &b->insns[pc], row);
	}
	*graph_at(b->graph, place->block) = b->block;
	return possible;
}

static int build_all(struct builder *b, uint32_t *root)
{
	uint32_t zero = value_const(&b->graph->values, 0);
	size_t limit = 8 * b->count + 256;
	bool possible;

	find_wanted(b);
	for (unsigned reg = 0; reg < REGS; reg++)
		b->regs[reg] = zero;
	*root = place_of(b, 0);
	for (size_t i = 0; i < b->places.count; i++) {
		struct place place = b->places.items[i];

		memcpy(b->regs, place.regs, sizeof(b->regs));
		for (unsigned reg = 0; reg < REGS; reg++)
			b->regs[reg] = b->regs[reg] ? b->regs[reg] : zero;
		possible = build_block(b, &place);
		if (b->graph->failed || b->graph->values.failed)
			return -ENOMEM;
		if (!possible || b->places.count > limit)
			return -EOPNOTSUPP;
	}
	return 0;
}

int graph_add(struct graph *graph, const struct skep_cbpf_insn *insns, size_t count, uint32_t *root)
{
	struct builder b = { .graph = graph, .insns = insns, .count = count };
	int error = -ENOMEM;

	b.wanted = calloc(count, sizeof(*b.wanted));
	b.target = calloc(count, sizeof(*b.target));
	b.first = calloc(count, sizeof(*b.first));
	if (b.wanted && b.target && b.first && !graph->failed && !graph->values.failed)
		error = build_all(&b, root);
	free(b.wanted);
	free(b.target);
	free(b.first);
	vec_done(&b.places);
	vec_done(&b.older);
	return error;
}

int graph_build(struct graph *graph, const struct skep_cbpf_insn *insns, size_t count,
		enum skep_cbpf_use use)
{
	graph_init(graph, use);
	return graph_add(graph, insns, count, &graph->root);
}

int graph_build_sets(struct graph *graph, const struct skep_cbpf_insn *insns, size_t count,
		     const struct stand_in *stand_ins)
{
	int error;

	graph_init(graph, SKEP_CBPF_SOCKET);
	graph->stand_ins = stand_ins;
	error = graph_add(graph, insns, count, &graph->root);
	graph->stand_ins = NULL;
	return error;
}

/* --- order --- */

struct visit { uint32_t block, next; };

/* Depth first, without recursion: a filter may be a chain of thousands. */
static bool post_order(const struct graph *graph, uint32_t *order, size_t *count, bool *seen)
{
	VEC(struct visit) stack = { 0 };
	struct visit *top = vec_push(&stack);

	if (!top)
		return false;
	*top = (struct visit){ graph->root, 0 };
	seen[graph->root] = true;
	while (stack.count) {
		const struct block *block;

		top = &stack.items[stack.count - 1];
		block = graph_at(graph, top->block);
		if (top->next == block_nexts(block)) {
			order[(*count)++] = top->block;
			stack.count--;
			continue;
		}
		/* last visited, first placed: what is true is next, as tcpdump writes it */
		if (!seen[block->next[top->next++]]) {
			uint32_t next = block->next[top->next - 1];

			seen[next] = true;
			top = vec_push(&stack);
			if (!top) {
				vec_done(&stack);
				return false;
			}
			*top = (struct visit){ next, 0 };
		}
	}
	vec_done(&stack);
	return true;
}

uint32_t *graph_order(const struct graph *graph, size_t *count)
{
	uint32_t *order = calloc(graph->blocks.count, sizeof(*order));
	bool *seen = calloc(graph->blocks.count, sizeof(*seen));
	bool good;

	*count = 0;
	good = order && seen && post_order(graph, order, count, seen);
	free(seen);
	if (!good) {
		free(order);
		return NULL;
	}
	for (size_t i = 0; i < *count / 2; i++) {
		uint32_t other = order[i];

		order[i] = order[*count - 1 - i];
		order[*count - 1 - i] = other;
	}
	return order;
}
