/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * set_search.c - a lookup in a set as tests that classic BPF has: a balanced search.
 *
 * The set's members cut the numbers into segments, and a tree of comparisons finds the one that a
 * number is in. The smallest leaves ask for one number; larger ones for several, one after the
 * other: that takes up to half the instructions and more steps. An address of 16 bytes is
 * searched word by word: a segment that is one number may lead to a tree for the next word.
 */
#include <errno.h>

#include "cbpf/graph.h"
#include "cbpf/set.h"

struct segment { uint32_t first, block; }; /* up to where the next one begins */

struct search {
	struct graph *graph;
	const struct cbpf_set *set;
	size_t leaf;             /* numbers that one leaf asks for */
	uint32_t yes, no;        /* blocks */
	uint32_t base, k;        /* 16 bytes: where they are */
};

struct segments { struct segment *items; size_t count, size; }; /* a VEC */

/* --- one number --- */

static uint32_t add_test(struct search *s, uint32_t value, enum cond op, uint32_t number, uint32_t yes,
			 uint32_t no)
{
	struct values *values = &s->graph->values;
	struct test test = value_test(values, op, value, value_const(values, number));
	uint32_t id = graph_block(s->graph);
	struct block *block = graph_at(s->graph, id);

	if (!id || !yes || !no)
		return 0;
	block->end = END_TEST;
	block->value = test.value;
	block->next[!test.inverted] = yes;
	block->next[test.inverted] = no;
	return id;
}

static bool is_single(const struct segments *s, size_t i)
{
	uint32_t last = i + 1 < s->count ? s->items[i + 1].first - 1 : UINT32_MAX;

	return s->items[i].first == last;
}

/*
 * Can low..high be told apart by equalities, at most leaf of them? All but single numbers lead to
 * the same block then, *rest.
 */
static bool is_leaf(const struct segments *s, size_t low, size_t high, size_t leaf, uint32_t *rest)
{
	size_t asked = 0;

	if ((high - low) / 2 > leaf)
		return false;
	*rest = s->items[is_single(s, low) ? low + 1 : low].block;
	for (size_t i = low; i <= high; i++) {
		if (s->items[i].block == *rest)
			continue;
		if (!is_single(s, i) || ++asked > leaf)
			return false;
	}
	return true;
}

/* The block that leads on from low..high. */
static uint32_t tree(struct search *s, uint32_t value, const struct segments *all, size_t low, size_t high)
{
	size_t middle = low + (high - low + 1) / 2;
	uint32_t yes, no;

	if (low == high)
		return all->items[low].block;
	if (is_leaf(all, low, high, s->leaf, &no)) {
		uint32_t rest = no;

		for (size_t i = high + 1; i-- > low;) {
			if (all->items[i].block != rest)
				no = add_test(s, value, COND_EQ, all->items[i].first, all->items[i].block, no);
		}
		return no;
	}
	yes = tree(s, value, all, middle, high);
	no = tree(s, value, all, low, middle - 1);
	return add_test(s, value, COND_GT, all->items[middle].first - 1, yes, no);
}

/* Numbers from first on lead to block. */
static void add_segment(struct search *s, struct segments *all, uint64_t first, uint32_t block)
{
	struct segment *last = all->count ? &all->items[all->count - 1] : NULL;

	if (first > UINT32_MAX)
		return;
	if (last && last->first == first)
		last->block = block;
	else if (!last || last->block != block) {
		last = vec_push(all);
		if (last)
			*last = (struct segment){ (uint32_t)first, block };
		else
			s->graph->failed = true;
	}
}

/* --- words of an address --- */

static uint32_t word_of(const struct search *s, struct set_number number, unsigned word)
{
	uint64_t half = word < 2 ? number.high : number.low;

	if (s->set->width != SET_ADDRESSES6)
		return (uint32_t)number.low;
	return (uint32_t)(word % 2 ? half : half >> 32);
}

/* Is a member all numbers of a range of this word, whatever the next ones are? */
static bool ends_here(const struct search *s, const struct set_range *member, unsigned word)
{
	return s->set->width != SET_ADDRESSES6 || set_prefix_bits(s->set, member) <= 32 * (word + 1);
}

/* The members from..to, which have the words before this one in common. */
static uint32_t search_word(struct search *s, uint32_t value, unsigned word, size_t from, size_t to)
{
	const struct set_range *members = s->set->members.items;
	struct segments all = { 0 };
	uint32_t root;

	add_segment(s, &all, 0, s->no);
	for (size_t i = from, next; i < to && !s->graph->failed; i = next) {
		uint32_t first = word_of(s, members[i].first, word), block = s->yes;
		uint64_t last = word_of(s, members[i].last, word);

		next = i + 1;
		if (!ends_here(s, &members[i], word)) {
			while (next < to && word_of(s, members[next].first, word) == first)
				next++;
			block = search_word(s, value_load(&s->graph->values, 4, s->base, s->k + 4 * (word + 1)),
					    word + 1, i, next);
		}
		add_segment(s, &all, first, block);
		add_segment(s, &all, last + 1, s->no);
	}
	root = s->graph->failed ? 0 : tree(s, value, &all, 0, all.count - 1);
	vec_done(&all);
	return root;
}

static void lower(struct graph *graph, const struct cbpf_sets *sets, uint32_t id, size_t leaf)
{
	const struct block *block = graph_at(graph, id);
	struct value v = *value_get(&graph->values, block->value);
	struct search s = { .graph = graph, .set = &sets->all.items[v.op], .leaf = leaf,
			    .yes = block->next[1], .no = block->next[0], .base = v.left, .k = v.k };
	uint32_t value = v.width == 16 ? value_load(&graph->values, 4, v.left, v.k) : v.left;
	uint32_t root = search_word(&s, value, 0, 0, s.set->members.count);

	if (!root || graph->failed) {
		graph->failed = true;
		return;
	}
	graph_at(graph, id)->end = END_GOTO;
	graph_at(graph, id)->next[0] = root;
}

/* --- rows that can share their searches --- */

enum { ROW_MAX = 4 };

/* Lookups of numbers one after the other, each if the one before finds nothing. */
struct lookups {
	uint32_t head, yes, no;
	uint8_t set;
	unsigned count;
	uint32_t values[ROW_MAX];
};

static bool is_lookup(const struct graph *graph, uint32_t id, uint8_t *set, uint32_t *of)
{
	const struct block *block = graph_at(graph, id);
	const struct value *v = value_get(&graph->values, block->value);

	if (block->end != END_TEST || v->kind != VALUE_MEMBER || v->width == 16)
		return false;
	*set = v->op;
	*of = v->left;
	return true;
}

/* The longest row from id on. Only the first may need bytes to be there. */
static bool read_lookups(const struct graph *graph, uint32_t id, struct lookups *row)
{
	uint32_t of;
	uint8_t set;

	*row = (struct lookups){ .head = id };
	while (row->count < ROW_MAX && is_lookup(graph, id, &set, &of)) {
		const struct block *block = graph_at(graph, id);

		if (row->count && (set != row->set || block->next[1] != row->yes || block->checks.count))
			break;
		row->set = set;
		row->yes = block->next[1];
		row->values[row->count++] = of;
		row->no = id = block->next[0];
	}
	return row->count > 0;
}

static bool alike(const struct lookups *a, const struct lookups *b)
{
	return a->set == b->set && a->count == b->count && a->yes == b->yes && a->no == b->no;
}

static uint32_t variable(struct graph *graph, unsigned number)
{
	return value_plain(&graph->values, VALUE_VARIABLE, number);
}

static void add_assignment(struct graph *graph, uint32_t block, uint32_t to, uint32_t value)
{
	struct assignment *room = vec_push(&graph->assignments);

	if (room)
		*room = (struct assignment){ block, to, value };
	else
		graph->failed = true;
}

/* The row of lookups that all come to. */
static uint32_t common_row(struct graph *graph, const struct lookups *row)
{
	uint32_t no = row->no;

	for (unsigned i = row->count; i-- > 0;) {
		uint32_t id = graph_block(graph), test = value_member(&graph->values, row->set, variable(graph, i));

		if (!id || !test)
			return 0;
		*graph_at(graph, id) = (struct block){ .end = END_TEST, .value = test, .next = { no, row->yes } };
		no = id;
	}
	return no;
}

/*
 * Linux wants memory to be written on every way to where it is read, and takes the way straight on
 * behind a return for one: so the variables are written before everything.
 */
static void write_variables(struct graph *graph, unsigned count)
{
	uint32_t id = graph_block(graph), zero = value_const(&graph->values, 0);

	*graph_at(graph, id) = (struct block){ .end = END_GOTO, .next = { graph->root } };
	graph->root = id;
	for (unsigned i = 0; i < count; i++)
		add_assignment(graph, id, variable(graph, i), zero);
}

/* In place of a row: its values into the variables, and on to the common one. */
static void assign(struct graph *graph, const struct lookups *row, uint32_t common)
{
	struct block *head = graph_at(graph, row->head);

	for (unsigned i = 0; i < row->count; i++)
		add_assignment(graph, row->head, variable(graph, i), row->values[i]);
	head->end = END_GOTO;
	head->next[0] = common;
}

int graph_share_lookups(struct graph *graph)
{
	size_t count;
	uint32_t *order = graph_order(graph, &count), common = 0;
	struct lookups first = { 0 }, row;

	for (size_t i = 0; order && i < count && !graph->failed; i++) {
		if (first.count == 0) {
			read_lookups(graph, order[i], &first);
			continue;
		}
		if (!read_lookups(graph, order[i], &row) || !alike(&first, &row))
			continue;
		if (common == 0) {
			common = common_row(graph, &first);
			assign(graph, &first, common);
			write_variables(graph, first.count);
		}
		graph->failed |= common == 0;
		assign(graph, &row, common);
	}
	graph->failed |= order == NULL;
	free(order);
	return graph->failed || graph->values.failed ? -ENOMEM : 0;
}

/* --- lowering --- */

int graph_lower_sets(struct graph *graph, const struct cbpf_sets *sets, size_t leaf, bool bytes)
{
	size_t blocks = graph->blocks.count;

	for (uint32_t id = 1; id < blocks && !graph->failed; id++) {
		const struct block *block = graph_at(graph, id);
		const struct value *v;

		if (block->end != END_TEST)
			continue;
		v = value_get(&graph->values, block->value);
		if (v->kind == VALUE_MEMBER &&
		    (!bytes || (v->width == 16 && (v->left || v->k > UINT16_MAX))))
			lower(graph, sets, id, leaf);
	}
	return graph->failed || graph->values.failed ? -ENOMEM : 0;
}
