/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * simplify.c - a filter's graph, made shorter: tests whose outcome the way there tells are gone round,
 * across any number of blocks; checks that an earlier or a later one makes needless are dropped;
 * equal blocks become one.
 *
 * Forward, facts are carried along each edge, and the edge leads as far as they decide.
 * Backward, blocks are compared with those behind them done. Both again until nothing changes.
 */
#include <errno.h>

#include "cbpf/graph.h"

enum { ROUNDS = 24, HOPS = 4096 };

struct pass {
	struct graph *graph;
	uint32_t *order;
	size_t count;
	struct facts *facts;     /* by block: on entry */
	uint32_t zero;           /* the block that drops the packet */
	bool changed;
};

static bool drops(const struct graph *graph, const struct block *block)
{
	uint32_t k;

	return block->end == END_RETURN && value_is_const(&graph->values, block->value, &k) && k == 0;
}

static void make_goto(struct pass *p, struct block *block, uint32_t next)
{
	block->end = END_GOTO;
	block->next[0] = next;
	p->changed = true;
}

/* --- forward --- */

/* 1: all hold; 0: one does not; -1: who knows. */
static int decide_checks(const struct pass *p, const struct facts *facts, const struct block *block)
{
	int all = 1;

	for (size_t i = 0; i < block->checks.count; i++) {
		int is = facts_decide(facts, &p->graph->values, block->checks.items[i]);

		if (is == 0)
			return 0;
		if (is < 0)
			all = -1;
	}
	return all;
}

/* As far as these facts decide, from block to. */
static uint32_t thread(struct pass *p, const struct facts *facts, uint32_t to)
{
	for (int hop = 0; hop < HOPS; hop++) {
		const struct block *block = graph_at(p->graph, to);
		int is = decide_checks(p, facts, block);

		if (is == 0 || (is > 0 && drops(p->graph, block)))
			return p->zero;
		if (is < 0 || block->end == END_RETURN)
			break;
		is = block->end == END_GOTO ? 0 : facts_decide(facts, &p->graph->values, block->value);
		if (is < 0)
			break;
		to = block->next[is];
	}
	return to;
}

static void follow(struct pass *p, const struct facts *facts, struct block *block, unsigned which)
{
	uint32_t to = thread(p, facts, block->next[which]);

	if (to != block->next[which])
		p->changed = true;
	block->next[which] = to;
	facts_meet(&p->facts[to], facts, &p->graph->values);
	p->facts[to].reached = true;
}

/* False: none passes them. */
static bool pass_checks(struct pass *p, struct facts *facts, struct block *block)
{
	size_t kept = 0;

	for (size_t i = 0; i < block->checks.count; i++) {
		uint32_t check = block->checks.items[i];
		int is = facts_decide(facts, &p->graph->values, check);

		if (is > 0)
			continue;
		if (is == 0 || !facts_assume(facts, &p->graph->values, check, true))
			return false;
		block->checks.items[kept++] = check;
	}
	p->changed |= kept != block->checks.count;
	block->checks.count = kept;
	return true;
}

static void pass_test(struct pass *p, const struct facts *facts, struct block *block)
{
	int is = facts_decide(facts, &p->graph->values, block->value);
	struct facts ways[2];
	bool possible[2];

	if (is >= 0) {
		make_goto(p, block, block->next[is]);
		follow(p, facts, block, 0);
		return;
	}
	for (unsigned way = 0; way < 2; way++) {
		facts_init(&ways[way]);
		facts_copy(&ways[way], facts);
		possible[way] = facts_assume(&ways[way], &p->graph->values, block->value, way);
	}
	if (possible[0] && possible[1]) {
		follow(p, &ways[1], block, 1);
		follow(p, &ways[0], block, 0);
	} else {
		is = possible[1];
		make_goto(p, block, block->next[is]);
		follow(p, &ways[is], block, 0);
	}
	p->graph->failed |= ways[0].failed || ways[1].failed;
	facts_done(&ways[0]);
	facts_done(&ways[1]);
}

static void forward(struct pass *p)
{
	for (size_t i = 0; i < p->count; i++) {
		struct block *block = graph_at(p->graph, p->order[i]);
		struct facts *facts = &p->facts[p->order[i]];
		struct domain value;

		if (!facts->reached)
			continue;
		if (!pass_checks(p, facts, block)) {
			block->checks.count = 0;
			make_goto(p, block, p->zero);
		} else if (block->end == END_TEST) {
			pass_test(p, facts, block);
		} else if (block->end == END_GOTO) {
			follow(p, facts, block, 0);
		} else {
			value = facts_domain(facts, &p->graph->values, block->value);
			if (value.min == value.max)
				block->value = value_const(&p->graph->values, value.min);
		}
		p->graph->failed |= facts->failed;
		facts_done(facts);
	}
}

/* --- backward --- */

/* Is part in whole? True too where that would take long to see. */
static bool uses(const struct values *values, uint32_t whole, uint32_t part, int depth)
{
	const struct value *v = value_get(values, whole);

	if (whole == part || depth == 0)
		return true;
	if (whole < part)
		return false;
	if (v->kind == VALUE_CONST || v->kind == VALUE_WORD || v->kind == VALUE_LEN)
		return false;
	return (v->left && uses(values, v->left, part, depth - 1)) ||
	       (v->kind != VALUE_LOAD && v->right && uses(values, v->right, part, depth - 1));
}

static bool is_length(const struct values *values, uint32_t check, uint64_t *end)
{
	const struct value *v = value_get(values, check);

	*end = (uint64_t)v->k + v->width;
	return v->kind == VALUE_CHECK && v->left == 0 && (int32_t)v->k >= 0;
}

/*
 * Drops checks of the packet's length that one behind them makes needless: later is the length
 * without which the rest of every way drops the packet. Returns that of the
 * block. A check whose bytes the block wants costs nothing and stays.
 */
static uint64_t drop_checks(struct pass *p, struct block *block, uint64_t later)
{
	const struct values *values = &p->graph->values;
	uint64_t longest = 0, end;
	size_t kept = 0;

	for (size_t i = 0; i < block->checks.count; i++) {
		if (is_length(values, block->checks.items[i], &end))
			longest = MAX(longest, end);
	}
	for (size_t i = 0; i < block->checks.count; i++) {
		uint32_t check = block->checks.items[i];
		struct value load = *value_get(values, check);
		bool needless = is_length(values, check, &end) && (end <= later || end < longest);

		if (needless && block->end != END_GOTO && end == longest) {
			uint32_t id = value_load(&p->graph->values, load.width, 0, load.k);

			needless = !uses(values, block->value, id, 12);
		}
		if (!needless)
			block->checks.items[kept++] = check;
	}
	p->changed |= kept != block->checks.count;
	block->checks.count = kept;
	return MAX(longest, later);
}

/* block goes on to a block that only it, or nothing but a return: then it does that itself. */
static void absorb(struct pass *p, struct block *block, const uint32_t *before)
{
	while (block->end == END_GOTO) {
		const struct block *next = graph_at(p->graph, block->next[0]);
		bool leaf = next->end == END_RETURN && next->checks.count == 0;

		if (!leaf && before[block->next[0]] != 1)
			break;
		for (size_t i = 0; i < next->checks.count; i++) {
			uint32_t *room = vec_push(&block->checks);

			if (!room) {
				p->graph->failed = true;
				return;
			}
			*room = next->checks.items[i];
		}
		block->end = next->end;
		block->value = next->value;
		block->next[0] = next->next[0];
		block->next[1] = next->next[1];
		p->changed |= !leaf;
	}
}

static uint64_t block_hash(const struct block *b)
{
	uint32_t key[4] = { b->end, b->end == END_GOTO ? 0 : b->value,
			    block_nexts(b) > 0 ? b->next[0] : 0, block_nexts(b) > 1 ? b->next[1] : 0 };

	return hash_bytes(b->checks.items, b->checks.count * sizeof(*b->checks.items),
			  hash_bytes(key, sizeof(key), 0));
}

static bool block_same(const struct block *a, const struct block *b)
{
	return a->end == b->end && (a->end == END_GOTO || a->value == b->value) &&
	       (block_nexts(a) < 1 || a->next[0] == b->next[0]) &&
	       (block_nexts(a) < 2 || a->next[1] == b->next[1]) &&
	       a->checks.count == b->checks.count &&
	       (a->checks.count == 0 || memcmp(a->checks.items, b->checks.items,
					       a->checks.count * sizeof(*a->checks.items)) == 0);
}

struct backward {
	uint32_t *instead;       /* by block: the one to use */
	uint32_t *table;         /* of blocks, by hash */
	size_t size;
	uint32_t *before;        /* by block: edges to it */
	uint64_t *later;         /* by block: bytes without which it drops */
};

/* The block of these contents that is used: this one, if it is the first. */
static uint32_t unique(struct pass *p, struct backward *b, uint32_t id)
{
	const struct block *block = graph_at(p->graph, id);
	size_t at = block_hash(block) & (b->size - 1);

	if (drops(p->graph, block) || (block->end == END_GOTO && block->next[0] == p->zero))
		return p->zero;
	if (block->end == END_GOTO && block->checks.count == 0)
		return block->next[0];
	for (; b->table[at]; at = (at + 1) & (b->size - 1)) {
		if (block_same(graph_at(p->graph, b->table[at]), block))
			return b->table[at];
	}
	b->table[at] = id;
	return id;
}

static void backward_block(struct pass *p, struct backward *b, uint32_t id)
{
	struct block *block = graph_at(p->graph, id);
	uint64_t later = UINT64_MAX;

	for (unsigned i = 0; i < block_nexts(block); i++)
		block->next[i] = b->instead[block->next[i]];
	if (block->end == END_TEST && block->next[0] == block->next[1])
		make_goto(p, block, block->next[0]);
	absorb(p, block, b->before);
	for (unsigned i = 0; i < block_nexts(block); i++)
		later = MIN(later, b->later[block->next[i]]);
	if (block->end == END_RETURN)
		later = drops(p->graph, block) ? UINT64_MAX : 0;
	b->later[id] = drop_checks(p, block, later);
	b->instead[id] = unique(p, b, id);
	p->changed |= b->instead[id] != id && id != p->zero;
}

static void backward(struct pass *p)
{
	struct backward b = { .size = 64 };
	size_t blocks = p->graph->blocks.count;

	while (b.size < 2 * p->count)
		b.size *= 2;
	b.instead = calloc(blocks, sizeof(*b.instead));
	b.before = calloc(blocks, sizeof(*b.before));
	b.later = calloc(blocks, sizeof(*b.later));
	b.table = calloc(b.size, sizeof(*b.table));
	if (b.instead && b.before && b.later && b.table) {
		for (size_t i = 0; i < p->count; i++) {
			const struct block *block = graph_at(p->graph, p->order[i]);

			for (unsigned k = 0; k < block_nexts(block); k++)
				b.before[block->next[k]]++;
		}
		b.instead[p->zero] = p->zero;
		b.later[p->zero] = UINT64_MAX;
		for (size_t i = p->count; i-- > 0;)
			backward_block(p, &b, p->order[i]);
		p->graph->root = b.instead[p->graph->root];
	} else {
		p->graph->failed = true;
	}
	free(b.instead);
	free(b.before);
	free(b.later);
	free(b.table);
}

/* --- both, again and again --- */

static bool new_order(struct pass *p)
{
	free(p->order);
	p->order = graph_order(p->graph, &p->count);
	if (!p->order)
		p->graph->failed = true;
	return p->order != NULL;
}

static void round_once(struct pass *p)
{
	if (!new_order(p))
		return;
	p->facts = calloc(p->graph->blocks.count, sizeof(*p->facts));
	if (!p->facts) {
		p->graph->failed = true;
		return;
	}
	facts_init(&p->facts[p->graph->root]);
	p->facts[p->graph->root].reached = true;
	forward(p);
	for (size_t i = 0; i < p->graph->blocks.count; i++)
		facts_done(&p->facts[i]);
	free(p->facts);
	if (!p->graph->failed && new_order(p))
		backward(p);
}

int graph_optimise(struct graph *graph)
{
	struct pass p = { .graph = graph };

	p.zero = graph_block(graph);
	if (p.zero) {
		graph_at(graph, p.zero)->end = END_RETURN;
		graph_at(graph, p.zero)->value = value_const(&graph->values, 0);
	}
	for (int round = 0; round < ROUNDS && !graph->failed && !graph->values.failed; round++) {
		p.changed = false;
		round_once(&p);
		if (!p.changed)
			break;
	}
	free(p.order);
	return graph->failed || graph->values.failed ? -ENOMEM : 0;
}
