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
