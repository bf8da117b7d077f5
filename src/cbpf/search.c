/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * search.c - tests of one value against many numbers, one after the other, become a binary search.
 *
 *   v == 3 ? a : v == 7 ? a : v > 20 ? b : c     is a map of ranges:
 *
 *   0..2 c | 3 a | 4..6 c | 7 a | 8..20 c | 21.. b
 *
 * and the search is a balanced tree over the ranges. It replaces the tests where its
 * longest way is shorter than theirs. Before, tests in a row that lead to the same place and need no check
 * are put in order of what they test: 'host a or host b' asks for source and destination in turn.
 */
#include <errno.h>

#include "cbpf/graph.h"

enum { WORTH = 3, REGION_MAX = 4096 };

struct range { uint32_t first, block; };

struct region {
	struct graph *graph;
	uint32_t head, value;    /* the first test, and what all test */
	VEC(uint32_t) blocks;    /* the others */
	VEC(uint32_t) starts;    /* where a test's outcome changes */
	VEC(struct range) ranges;
	uint32_t *depth;         /* by block: tests on the longest way in the region */
	bool *inside;
};

/* What is tested, and the numbers for which it is true: from..to. False: not of that form. */
static bool test_range(const struct values *values, uint32_t test, uint32_t *of, uint32_t *from,
		       uint32_t *to)
{
	const struct value *v = value_get(values, test), *left;
	uint32_t k, mask;

	if (v->kind != VALUE_TEST || !value_is_const(values, v->right, &k))
		return false;
	left = value_get(values, v->left);
	*of = v->left;
	if (v->op == COND_GT) {
		*from = k + 1;
		*to = UINT32_MAX;
		return true;
	}
	*from = *to = k;
	if (v->op != COND_EQ)
		return false;
	if (left->kind == VALUE_ALU && left->op == ALU_AND &&
	    value_is_const(values, left->right, &mask) && mask >> 31 && (~mask & (~mask + 1)) == 0) {
		*of = left->left;
		*to = k | ~mask;
	}
	return true;
}

static bool push(struct region *r, uint32_t start)
{
	uint32_t *room = vec_push(&r->starts);

	if (room)
		*room = start;
	else
		r->graph->failed = true;
	return room != NULL;
}

/* The blocks behind head that only test the same value. */
static void grow(struct region *r, uint32_t id)
{
	struct block *block = graph_at(r->graph, id);
	uint32_t of, from, to, *room;

	if (r->inside[id] || r->blocks.count >= REGION_MAX)
		return;
	if (block->end != END_TEST || (id != r->head && block->checks.count) ||
	    !test_range(&r->graph->values, block->value, &of, &from, &to) || of != r->value)
		return;
	room = vec_push(&r->blocks);
	if (!room || !push(r, from) || (to != UINT32_MAX && !push(r, to + 1))) {
		r->graph->failed = true;
		return;
	}
	*room = id;
	r->inside[id] = true;
}

/* Where head leads for this number. */
static uint32_t leads_to(const struct region *r, uint32_t number)
{
	uint32_t id = r->head, of, from, to;

	while (r->inside[id]) {
		const struct block *block = graph_at(r->graph, id);

		test_range(&r->graph->values, block->value, &of, &from, &to);
		id = block->next[number >= from && number <= to];
	}
	return id;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void map_ranges(struct region *r)
{
	qsort(r->starts.items, r->starts.count, sizeof(*r->starts.items), by_number);
	for (size_t i = 0; i < r->starts.count; i++) {
		uint32_t start = r->starts.items[i], block;
		struct range *room;

		if (i && start == r->starts.items[i - 1])
			continue;
		block = leads_to(r, start);
		if (r->ranges.count && r->ranges.items[r->ranges.count - 1].block == block)
			continue;
		room = vec_push(&r->ranges);
		if (!room) {
			r->graph->failed = true;
			return;
		}
		*room = (struct range){ start, block };
	}
}

/* --- the tree --- */

static bool one_number(const struct region *r, size_t i)
{
	uint32_t last = i + 1 < r->ranges.count ? r->ranges.items[i + 1].first - 1 : UINT32_MAX;

	return r->ranges.items[i].first == last;
}

/* Can an equality tell all of low..high apart? Which range is the one. */
static bool one_test(const struct region *r, size_t low, size_t high, size_t *one)
{
	uint32_t other;

	if (high - low == 1) {
		*one = one_number(r, low) ? low : high;
		return one_number(r, *one);
	}
	*one = low + 1;
	other = r->ranges.items[low].block;
	return high - low == 2 && one_number(r, *one) && r->ranges.items[high].block == other;
}

static unsigned tree_depth(const struct region *r, size_t low, size_t high)
{
	size_t middle = low + (high - low + 1) / 2, one;
	unsigned left, right;

	if (low == high)
		return 0;
	if (one_test(r, low, high, &one))
		return 1;
	left = tree_depth(r, low, middle - 1);
	right = tree_depth(r, middle, high);
	return 1 + MAX(left, right);
}

/* A block that tests, or at a leaf the range's own. */
static uint32_t tree(struct region *r, size_t low, size_t high)
{
	size_t middle = low + (high - low + 1) / 2, one;
	const struct range *ranges = r->ranges.items;
	uint32_t id, yes, no, number;
	struct test test;

	if (low == high)
		return ranges[low].block;
	if (one_test(r, low, high, &one)) {
		yes = ranges[one].block;
		no = ranges[one == low ? high : low].block;
		number = ranges[one].first;
	} else {
		yes = tree(r, middle, high);
		no = tree(r, low, middle - 1);
		number = ranges[middle].first - 1;
	}
	id = graph_block(r->graph);
	if (!id || !yes || !no)
		return 0;
	test = value_test(&r->graph->values, one_test(r, low, high, &one) ? COND_EQ : COND_GT, r->value,
			  value_const(&r->graph->values, number));
	*graph_at(r->graph, id) = (struct block){ .end = END_TEST, .value = test.value };
	graph_at(r->graph, id)->next[!test.inverted] = yes;
	graph_at(r->graph, id)->next[test.inverted] = no;
	return id;
}

/* --- a region --- */

static uint32_t longest(struct region *r)
{


	for (size_t i = 0; i < r->blocks.count; i++)
		r->depth[r->blocks.items[i]] = 0;
	for (bool changed = true; changed;) {
		changed = false;
		for (size_t i = r->blocks.count; i-- > 0;) {
			uint32_t id = r->blocks.items[i], d = 0;

			for (unsigned k = 0; k < 2; k++) {
				uint32_t next = graph_at(r->graph, id)->next[k];

				d = MAX(d, r->inside[next] ? r->depth[next] : 0);
			}
			changed |= r->depth[id] != d + 1;
			r->depth[id] = d + 1;
		}
	}
	return r->depth[r->head];
}

static void replace(struct region *r)
{
	uint32_t root = tree(r, 0, r->ranges.count - 1);
	struct block *head = graph_at(r->graph, r->head);

	if (!root) {
		r->graph->failed = true;
		return;
	}
	head->end = END_GOTO;
	head->next[0] = root;
}

static bool try_region(struct region *r, uint32_t head)
{
	uint32_t from, to;
	bool done = false;

	if (graph_at(r->graph, head)->end != END_TEST ||
	    !test_range(&r->graph->values, graph_at(r->graph, head)->value, &r->value, &from, &to))
		return false;
	r->head = head;
	r->blocks.count = r->starts.count = r->ranges.count = 0;
	push(r, 0);
	grow(r, head);
	for (size_t i = 0; i < r->blocks.count && !r->graph->failed; i++) {
		const struct block *block = graph_at(r->graph, r->blocks.items[i]);
		uint32_t next[2] = { block->next[0], block->next[1] };

		grow(r, next[1]);
		grow(r, next[0]);
	}
	if (r->blocks.count > WORTH && !r->graph->failed) {
		map_ranges(r);
		if (!r->graph->failed &&
		    tree_depth(r, 0, r->ranges.count - 1) < longest(r)) {
			replace(r);
			done = true;
		}
	}
	for (size_t i = 0; i < r->blocks.count; i++)
		r->inside[r->blocks.items[i]] = done;
	return done;
}

/* --- tests in a row --- */

/* A link of a row: a test that needs no check, whose other way is the row's. */
static bool is_link(const struct graph *graph, uint32_t id, unsigned way, uint32_t other)
{
	const struct block *block = graph_at(graph, id);
	const struct value *v;
	uint32_t of, from, to;

	if (block->end != END_TEST || block->checks.count || block->next[!way] != other ||
	    !test_range(&graph->values, block->value, &of, &from, &to))
		return false;
	/* what is there whatever the row's other tests say */
	v = value_get(&graph->values, of);
	return v->kind == VALUE_WORD || (v->kind == VALUE_LOAD && v->left == 0);
}

struct link { uint32_t of, value, at; };

static int by_tested(const void *a, const void *b)
{
	const struct link *x = a, *y = b;

	if (x->of != y->of)
		return x->of < y->of ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

/* The row that begins with head, along the edges of this way: in order of what it tests. */
static void group_row(struct graph *graph, uint32_t head, unsigned way, const uint32_t *before,
		      bool *grouped)
{
	VEC(struct link) row = { 0 };
	uint32_t other = graph_at(graph, head)->next[!way], from, to, id = head;

	for (uint32_t at = 0; is_link(graph, id, way, other) && (id == head || before[id] == 1); at++) {
		struct link *link = vec_push(&row);

		if (!link) {
			graph->failed = true;
			break;
		}
		*link = (struct link){ 0, graph_at(graph, id)->value, at };
		test_range(&graph->values, link->value, &link->of, &from, &to);
		grouped[id] = true;
		id = graph_at(graph, id)->next[way];
	}
	if (row.count > WORTH)
		qsort(row.items, row.count, sizeof(*row.items), by_tested);
	id = head;
	for (size_t i = 0; i < row.count; i++, id = graph_at(graph, id)->next[way])
		graph_at(graph, id)->value = row.items[i].value;
	vec_done(&row);
}

static void group_rows(struct graph *graph, const uint32_t *order, size_t count)
{
	uint32_t *before = calloc(graph->blocks.count, sizeof(*before));
	bool *grouped = calloc(graph->blocks.count, sizeof(*grouped));

	if (!before || !grouped)
		graph->failed = true;
	for (size_t i = 0; i < count && !graph->failed; i++) {
		const struct block *block = graph_at(graph, order[i]);

		for (unsigned k = 0; k < block_nexts(block); k++)
			before[block->next[k]]++;
	}
	for (size_t i = 0; i < count && !graph->failed; i++) {
		const struct block *block = graph_at(graph, order[i]);

		for (unsigned way = 0; way < 2 && !grouped[order[i]]; way++) {
			if (block->end == END_TEST && is_link(graph, order[i], way, block->next[!way]) &&
			    is_link(graph, block->next[way], way, block->next[!way]))
				group_row(graph, order[i], way, before, grouped);
		}
	}
	free(before);
	free(grouped);
}

int graph_search(struct graph *graph)
{
	struct region r = { .graph = graph };
	size_t count;
	uint32_t *order = graph_order(graph, &count);
	bool *taken = calloc(graph->blocks.count, sizeof(*taken));

	r.inside = calloc(graph->blocks.count, sizeof(*r.inside));
	r.depth = calloc(graph->blocks.count, sizeof(*r.depth));
	if (!order || !r.inside || !r.depth || !taken)
		graph->failed = true;
	if (!graph->failed)
		group_rows(graph, order, count);
	for (size_t i = 0; i < count && !graph->failed; i++) {
		if (taken[order[i]])
			continue;
		if (try_region(&r, order[i])) {
			for (size_t k = 0; k < r.blocks.count; k++) {
				taken[r.blocks.items[k]] = true;
				r.inside[r.blocks.items[k]] = false;
			}
		}
	}
	free(order);
	free(taken);
	free(r.inside);
	free(r.depth);
	vec_done(&r.blocks);
	vec_done(&r.starts);
	vec_done(&r.ranges);
	return graph->failed || graph->values.failed ? -ENOMEM : 0;
}
