/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generate.c - expressions into the two registers and the scratch memory.
 *
 * Blocks are done in order, so what is in the registers on every way to a block is known
 * and not computed again. Loading from the packet again costs as much as keeping a copy, so only
 * what takes three instructions or more, and is wanted by more than one block, is kept in memory:
 * each such value in a word of its own. The others are for what does not fit the registers.
 */
#include "cbpf/generate.h"

#include <errno.h>

enum { KEPT_MAX = 10, COST_MAX = 10000, KEEP_COST = 3, CLOSURE_MAX = 4096 };

struct generator {
	struct graph *graph;
	struct body *bodies, *body; /* all by block; the current one */
	struct registers now;
	uint16_t *cost;          /* by value: instructions to compute it */
	uint32_t *uses;          /* by value: blocks that want it */
	uint32_t *stamp;         /* by value: the last block that was seen to want it */
	uint32_t kept[KEPT_MAX]; /* the values that have a word */
	unsigned kept_count;
	uint16_t busy;           /* words that hold what an expression under way needs */
	size_t budget;           /* instructions, all in all */
	int error;
};

static bool give_a(struct generator *g, uint32_t id);

/* --- instructions --- */

static uint16_t code_of(enum cbpf_kind kind, unsigned op, enum cbpf_reg reg, unsigned width)
{
	for (size_t i = 0; i < CBPF_ID_COUNT; i++) {
		const struct cbpf_row *row = &cbpf_rows[i];

		if (row->kind == kind && row->op == op && row->reg == reg &&
		    (width == 0 || row->width == width))
			return row->code;
	}
	return 0;
}

static bool emit(struct generator *g, uint16_t code, uint32_t k)
{
	struct skep_cbpf_insn *room;

	if (g->error)
		return false;
	room = g->budget ? vec_push(&g->body->insns) : NULL;
	if (!room) {
		g->error = g->budget ? -ENOMEM : -EOPNOTSUPP;
		return false;
	}
	g->budget--;
	*room = (struct skep_cbpf_insn){ .code = code, .k = k };
	return true;
}

/* --- values --- */

/* X = 4 * (packet[k] & 0xf), in one instruction. */
static bool is_msh(const struct values *values, uint32_t id, uint32_t *k)
{
	const struct value *v = value_get(values, id);
	uint32_t by;

	if (v->kind != VALUE_ALU || v->op != ALU_LSH || !value_is_const(values, v->right, &by) || by != 2)
		return false;
	v = value_get(values, v->left);
	if (v->kind != VALUE_ALU || v->op != ALU_AND || !value_is_const(values, v->right, &by) ||
	    by != 0xf)
		return false;
	v = value_get(values, v->left);
	*k = v->k;
	return v->kind == VALUE_LOAD && v->width == 1 && v->left == 0;
}

static unsigned in_memory(const struct generator *g, uint32_t id)
{
	unsigned word = 0;

	while (word < CBPF_MEMORY && g->now.m[word] != id)
		word++;
	return word;
}

static bool is_absolute(const struct value *v)
{
	return v->kind == VALUE_CONST || v->kind == VALUE_WORD || v->kind == VALUE_LEN ||
	       (v->kind == VALUE_LOAD && v->left == 0) || (v->kind == VALUE_META && !v->left);
}

static void find_costs(struct generator *g)
{
	const struct values *values = &g->graph->values;

	for (uint32_t id = 1; id < values->all.count; id++) {
		const struct value *v = value_get(values, id);
		uint32_t cost = 1, k;

		if (v->kind == VALUE_LOAD && v->left)
			cost = 1 + g->cost[v->left] + (is_msh(values, v->left, &k) ? 0 : 1);
		else if (v->kind == VALUE_ALU && is_msh(values, id, &k))
			cost = 1;
		else if (v->kind == VALUE_ALU && value_is_const(values, v->right, &k))
			cost = 1 + g->cost[v->left];
		else if (v->kind == VALUE_ALU || (v->kind == VALUE_META && v->left))
			cost = 3 + g->cost[v->left] + g->cost[v->right];
		g->cost[id] = (uint16_t)MIN(cost, COST_MAX);
	}
}

/* Marks all that id is computed from. */
static void mark(struct generator *g, uint32_t id, uint32_t block, unsigned *left)
{
	const struct value *v = value_get(&g->graph->values, id);

	if (id == 0 || g->stamp[id] == block || *left == 0)
		return;
	--*left;
	g->stamp[id] = block;
	g->uses[id]++;
	if (v->kind == VALUE_LOAD || v->kind == VALUE_META || v->kind == VALUE_ALU ||
	    v->kind == VALUE_TEST || v->kind == VALUE_CHECK || v->kind == VALUE_NONZERO ||
	    v->kind == VALUE_MEMBER)
		mark(g, v->left, block, left);
	if (v->kind == VALUE_META || v->kind == VALUE_ALU || v->kind == VALUE_TEST)
		mark(g, v->right, block, left);
}

static void mark_block(struct generator *g, uint32_t id)
{
	const struct block *block = graph_at(g->graph, id);
	unsigned left = CLOSURE_MAX;

	if (block->end != END_GOTO)
		mark(g, block->value, id, &left);
}

/* The values worth a word of memory. */
static void choose_kept(struct generator *g, const uint32_t *order, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mark_block(g, order[i]);
	while (g->kept_count < KEPT_MAX) {
		uint64_t best = 0, worth;
		uint32_t which = 0;

		for (uint32_t id = 1; id < g->graph->values.all.count; id++) {
			worth = (uint64_t)g->uses[id] * g->cost[id];
			if (g->uses[id] > 1 && g->cost[id] >= KEEP_COST && worth > best &&
			    value_get(&g->graph->values, id)->kind < VALUE_TEST) {
				best = worth;
				which = id;
			}
		}
		if (!which)
			break;
		g->kept[g->kept_count++] = which;
		g->uses[which] = 0;
	}
}

/* --- words of memory for a while: the last ones --- */

static unsigned take_word(struct generator *g)
{
	for (unsigned word = CBPF_MEMORY; word-- > g->kept_count;) {
		if (!(g->busy & 1u << word)) {
			g->busy |= (uint16_t)(1u << word);
			return word;
		}
	}
	g->error = g->error ? g->error : -EOPNOTSUPP;
	return 0;
}

static bool store_a(struct generator *g, unsigned word)
{
	g->now.m[word] = g->now.a;
	return emit(g, cbpf_rows[CBPF_ID_ST].code, word);
}

/* --- into the registers --- */

/* X = id, without A; false: cannot, or failed. */
static bool give_x_alone(struct generator *g, uint32_t id)
{
	const struct values *values = &g->graph->values;
	unsigned word = in_memory(g, id);
	uint32_t k;
	bool done;

	if (g->now.x == id)
		return true;
	if (g->now.a == id)
		done = emit(g, cbpf_rows[CBPF_ID_TAX].code, 0);
	else if (value_is_const(values, id, &k))
		done = emit(g, cbpf_rows[CBPF_ID_LDX_IMM].code, k);
	else if (word < CBPF_MEMORY)
		done = emit(g, cbpf_rows[CBPF_ID_LDX_MEM].code, word);
	else if (value_is(values, id, VALUE_LEN))
		done = emit(g, cbpf_rows[CBPF_ID_LDX_LEN].code, 0);
	else if (is_msh(values, id, &k))
		done = emit(g, cbpf_rows[CBPF_ID_LDX_MSH].code, k);
	else
		return false;
	g->now.x = id;
	return done;
}

static bool give_x(struct generator *g, uint32_t id)
{
	return give_x_alone(g, id) || (give_a(g, id) && give_x_alone(g, id));
}

/* A = left, X = right */
static bool give_both(struct generator *g, uint32_t left, uint32_t right)
{
	const struct values *values = &g->graph->values;
	bool simple = is_absolute(value_get(values, left)) || in_memory(g, left) < CBPF_MEMORY;
	unsigned word;
	uint32_t k;

	if (g->now.a == left && g->now.x == right)
		return true;
	if (left == right)
		return give_a(g, left) && give_x_alone(g, left);
	if (simple)
		return give_x(g, right) && give_a(g, left);
	if (is_msh(values, right, &k) || value_is_const(values, right, &k) ||
	    value_is(values, right, VALUE_LEN))
		return give_a(g, left) && give_x_alone(g, right);
	if (!give_a(g, right))
		return false;
	word = in_memory(g, right);
	if (word < CBPF_MEMORY) {
		g->busy |= (uint16_t)(1u << word);
	} else {
		word = take_word(g);
		store_a(g, word);
	}
	if (!give_a(g, left) || !emit(g, cbpf_rows[CBPF_ID_LDX_MEM].code, word))
		return false;
	g->now.x = right;
	g->busy &= (uint16_t)~(1u << word);
	return true;
}

static bool load_a(struct generator *g, const struct value *v)
{
	if (v->left && !give_x(g, v->left))
		return false;
	return emit(g, code_of(v->left ? CBPF_IND : CBPF_ABS, 0, CBPF_A, v->width), v->k);
}

static bool compute_a(struct generator *g, const struct value *v)
{
	const struct values *values = &g->graph->values;
	uint32_t k;

	if (value_is_const(values, v->right, &k))
		return give_a(g, v->left) &&
		       emit(g, code_of(CBPF_ALU, v->op, CBPF_K, 0), k);
	if (v->op == ALU_SUB && value_is_const(values, v->left, &k) && k == 0)
		return give_a(g, v->right) && emit(g, cbpf_rows[CBPF_ID_NEG].code, 0);
	return give_both(g, v->left, v->right) && emit(g, code_of(CBPF_ALU, v->op, CBPF_X, 0), 0);
}

/* A = id, whatever it takes. */
static bool make_a(struct generator *g, uint32_t id)
{
	const struct value v = *value_get(&g->graph->values, id);
	unsigned word = in_memory(g, id);

	if (g->now.x == id)
		return emit(g, cbpf_rows[CBPF_ID_TXA].code, 0);
	if (word < CBPF_MEMORY)
		return emit(g, cbpf_rows[CBPF_ID_LD_MEM].code, word);
	switch ((enum value_kind)v.kind) {
	case VALUE_CONST:
		return emit(g, cbpf_rows[CBPF_ID_LD_IMM].code, v.k);
	case VALUE_LOAD:
		return load_a(g, &v);
	case VALUE_WORD:
		return emit(g, cbpf_rows[CBPF_ID_LD_W_ABS].code, v.k);
	case VALUE_LEN:
		return emit(g, cbpf_rows[CBPF_ID_LD_LEN].code, 0);
	case VALUE_META:
		return (!v.left || give_both(g, v.left, v.right)) &&
		       emit(g, cbpf_rows[CBPF_ID_LD_W_ABS].code, CBPF_ANCILLARY + v.k);
	case VALUE_ALU:
		return compute_a(g, &v);
	case VALUE_VARIABLE: /* is in memory, or nothing assigned to it */
	case VALUE_TEST: case VALUE_CHECK: case VALUE_NONZERO: case VALUE_MEMBER:
		break;
	}
	g->error = g->error ? g->error : -EOPNOTSUPP;
	return false;
}

static bool give_a(struct generator *g, uint32_t id)
{
	if (g->now.a == id)
		return true;
	if (!make_a(g, id))
		return false;
	g->now.a = id;
	for (unsigned i = 0; i < g->kept_count; i++) {
		if (g->kept[i] == id && g->now.m[i] != id)
			return store_a(g, i);
	}
	return true;
}

/* --- blocks --- */

static bool is_there(const struct generator *g, uint32_t id)
{
	return g->now.a == id || g->now.x == id || in_memory(g, id) < CBPF_MEMORY;
}

/* Does the end of the block divide by this? */
static bool divides_by(const struct generator *g, uint32_t divisor, uint32_t block)
{
	const struct values *values = &g->graph->values;

	for (uint32_t id = divisor + 1; id < values->all.count; id++) {
		const struct value *v = value_get(values, id);

		if (v->kind == VALUE_ALU && (v->op == ALU_DIV || v->op == ALU_MOD) &&
		    v->right == divisor && g->stamp[id] == block && !is_there(g, id))
			return true;
	}
	return false;
}

/* What the end of the block does not compute anyway. */
static void generate_check(struct generator *g, uint32_t check, uint32_t block)
{
	const struct value v = *value_get(&g->graph->values, check);
	uint32_t load;

	if (v.kind == VALUE_CHECK) {
		/* no instruction loads 16 bytes: the last word of them tells */
		load = v.width == 16 ? value_load(&g->graph->values, 4, v.left, v.k + 12) :
				       value_load(&g->graph->values, v.width, v.left, v.k);
		if (g->stamp[load] != block)
			give_a(g, load);
	} else if (v.kind == VALUE_NONZERO && !divides_by(g, v.left, block)) {
		if (give_x(g, v.left))
			emit(g, cbpf_rows[CBPF_ID_DIV_X].code, 0);
		g->now.a = 0;
	} else if (v.kind != VALUE_NONZERO) {
		g->error = -EOPNOTSUPP;
	}
}

/* The lookup of 16 bytes changes A. */
static void generate_member(struct generator *g, const struct value *v)
{
	if (v->width == 16) {
		g->body->end = (struct skep_cbpf_insn){ .code = CBPF_CODE_IN_BYTES,
							.k = (uint32_t)v->op << 16 | v->k };
		g->now.a = 0;
	} else {
		give_a(g, v->left);
		g->body->end = (struct skep_cbpf_insn){ .code = CBPF_CODE_IN, .k = v->op };
	}
}

static void generate_end(struct generator *g, const struct block *block)
{
	const struct values *values = &g->graph->values;
	const struct value v = *value_get(values, block->value);
	uint32_t k;

	if (block->end == END_RETURN) {
		if (value_is_const(values, block->value, &k)) {
			g->body->end = (struct skep_cbpf_insn){ .code = cbpf_rows[CBPF_ID_RET_K].code, .k = k };
		} else {
			give_a(g, block->value);
			g->body->end.code = cbpf_rows[CBPF_ID_RET_A].code;
		}
	} else if (block->end == END_TEST && v.kind == VALUE_TEST) {
		if (value_is_const(values, v.right, &k)) {
			give_a(g, v.left);
			g->body->end = (struct skep_cbpf_insn){ .code = code_of(CBPF_JUMP, v.op, CBPF_K, 0),
								.k = k };
		} else {
			give_both(g, v.left, v.right);
			g->body->end.code = code_of(CBPF_JUMP, v.op, CBPF_X, 0);
		}
	} else if (block->end == END_TEST && v.kind == VALUE_MEMBER) {
		generate_member(g, &v);
	} else if (block->end == END_TEST) {
		g->error = -EOPNOTSUPP;
	}
}

static void generate_assignments(struct generator *g, uint32_t block)
{
	for (size_t i = 0; i < g->graph->assignments.count; i++) {
		const struct assignment *a = &g->graph->assignments.items[i];
		unsigned word = CBPF_MEMORY - 1 - value_get(&g->graph->values, a->variable)->k;

		if (a->block != block || !give_a(g, a->value))
			continue;
		emit(g, cbpf_rows[CBPF_ID_ST].code, word);
		g->now.m[word] = a->variable;
	}
}

static void meet(struct body *next, const struct registers *from)
{
	struct registers *into = &next->after;

	if (!next->reached) {
		*into = *from;
		next->reached = true;
		return;
	}
	into->a = into->a == from->a ? into->a : 0;
	into->x = into->x == from->x ? into->x : 0;
	for (unsigned i = 0; i < CBPF_MEMORY; i++)
		into->m[i] = into->m[i] == from->m[i] ? into->m[i] : 0;
}

static void generate_block(struct generator *g, uint32_t id)
{
	const struct block *block = graph_at(g->graph, id);

	g->body = &g->bodies[id];
	g->now = g->body->after;
	mark_block(g, id);
	for (size_t i = 0; i < block->checks.count && !g->error; i++)
		generate_check(g, block->checks.items[i], id);
	generate_assignments(g, id);
	generate_end(g, block);
	g->body->after = g->now;
	for (unsigned i = 0; i < block_nexts(block); i++)
		meet(&g->bodies[block->next[i]], &g->now);
}

/* --- stores that nothing reads --- */

static void drop_stores(struct generator *g, const uint32_t *order, size_t count)
{
	uint16_t *wanted = calloc(g->graph->blocks.count, sizeof(*wanted));

	if (!wanted) {
		g->error = -ENOMEM;
		return;
	}
	for (size_t i = count; i-- > 0;) {
		const struct block *block = graph_at(g->graph, order[i]);
		struct body *body = &g->bodies[order[i]];
		size_t kept = body->insns.count;
		uint16_t *w = &wanted[order[i]];
		/* what makes variables valid for Linux stays, read or not */
		bool first = order[i] == g->graph->root && g->graph->assignments.count;

		for (unsigned k = 0; k < block_nexts(block); k++)
			*w |= wanted[block->next[k]];
		for (size_t at = body->insns.count; at-- > 0;) {
			struct skep_cbpf_insn insn = body->insns.items[at];
			const struct cbpf_row *row = cbpf_row(insn.code);

			if (row->kind == CBPF_STORE && !(*w & 1u << insn.k) && !first)
				continue;
			if (row->kind == CBPF_STORE)
				*w &= (uint16_t)~(1u << insn.k);
			else if (row->kind == CBPF_MEM)
				*w |= (uint16_t)(1u << insn.k);
			body->insns.items[--kept] = insn;
		}
		body->insns.count -= kept;
		if (!kept)
			continue;
		memmove(body->insns.items, body->insns.items + kept,
			body->insns.count * sizeof(*body->insns.items));
	}
	free(wanted);
}

static int generate_all(struct generator *g, const uint32_t *order, size_t count)
{
	for (size_t i = 0; i < g->graph->assignments.count; i++)
		g->busy |= (uint16_t)(0x8000 >> value_get(&g->graph->values,
							 g->graph->assignments.items[i].variable)->k);
	find_costs(g);
	choose_kept(g, order, count);
	memset(g->stamp, 0, g->graph->values.all.count * sizeof(*g->stamp));
	g->bodies[g->graph->root].reached = true;
	for (size_t i = 0; i < count && !g->error; i++)
		generate_block(g, order[i]);
	if (!g->error)
		drop_stores(g, order, count);
	return g->error;
}

int graph_generate(struct graph *graph, size_t limit, struct skep_cbpf_insn **insns, size_t *count)
{
	size_t values = graph->values.all.count, blocks;
	uint32_t *order = graph_order(graph, &blocks);
	struct generator g = { .graph = graph, .budget = 8 * limit };
	int error = -ENOMEM;

	g.bodies = calloc(graph->blocks.count, sizeof(*g.bodies));
	g.cost = calloc(values, sizeof(*g.cost));
	g.uses = calloc(values, sizeof(*g.uses));
	g.stamp = calloc(values, sizeof(*g.stamp));
	if (order && g.bodies && g.cost && g.uses && g.stamp)
		error = generate_all(&g, order, blocks);
	if (error == 0)
		error = layout(graph, g.bodies, order, blocks, limit, insns, count);
	for (size_t i = 0; g.bodies && i < graph->blocks.count; i++)
		vec_done(&g.bodies[i].insns);
	free(g.bodies);
	free(g.cost);
	free(g.uses);
	free(g.stamp);
	free(order);
	return error;
}
