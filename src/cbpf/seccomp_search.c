/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_search.c - the search for a system call's number.
 *
 * Spans of numbers are told apart by splitting them ("is it m or above?") or, where single
 * numbers stand in what is otherwise alike, by a chain ("is it 5? is it 9?") whose end is what
 * remains. Splitting takes few steps, chains take few jumps. For ranges of some width all ways are
 * weighed, from narrow to wide; wider ranges are split where the weights are even.
 *
 * What a jump costs in steps decides between the two. It is raised until there are no more
 * jumps than a limit, which is what asking for numbers one by one would take.
 *
 *   spans   | D | a | D | b | D | c c c | D |
 *   chain   == a, == b, and what remains is   | D | c c c | D |, split twice
 */
#include "cbpf/seccomp_search.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define BAND 128u         /* the width of ranges of which all splits are weighed */
#define SEGMENTS 3u       /* that may remain behind a chain */
#define CHAIN UINT16_MAX  /* in place of where to split */

struct choice {
	double cost;             /* steps times weight, and the price of its jumps */
	uint32_t jumps;
	uint16_t split;          /* from the range's begin on; CHAIN: none */
};

struct search {
	const struct search_span *spans;
	size_t count;
	double price;            /* of a jump */
	uint64_t *sums;          /* weights of spans before each */
	struct choice *choices;  /* of ranges [from, from + width): at from * BAND + width - 1 */
	search_jump_fn *jump;
	void *arg;
};

/* What remains of a range when single numbers are asked for: segments that are alike in themselves. */
struct rest {
	uint32_t labels[SEGMENTS], lows[SEGMENTS];
	uint64_t weights[SEGMENTS];
	size_t count;
};

static bool is_single(const struct search *search, size_t i)
{
	uint64_t end = i + 1 < search->count ? search->spans[i + 1].low : 1ull << 32;

	return end - search->spans[i].low == 1;
}

/* The label that most weight in a range of single numbers has. */
static uint32_t most_of(const struct search *search, size_t from, size_t to)
{
	uint32_t best = search->spans[from].label;
	size_t best_count = 0;

	for (size_t i = from; i < to; i++) {
		size_t count = 0;

		for (size_t j = from; j < to; j++)
			count += search->spans[j].label == search->spans[i].label;
		if (count > best_count) {
			best_count = count;
			best = search->spans[i].label;
		}
	}
	return best;
}

/* False: too many segments remain. */
static bool find_rest(const struct search *search, size_t from, size_t to, struct rest *rest)
{
	rest->count = 0;
	for (size_t i = from; i < to; i++) {
		const struct search_span *span = &search->spans[i];

		if (is_single(search, i) || (rest->count && rest->labels[rest->count - 1] == span->label))
			continue;
		if (rest->count == SEGMENTS)
			return false;
		rest->labels[rest->count] = span->label;
		rest->lows[rest->count] = span->low;
		rest->weights[rest->count++] = 0;
	}
	if (rest->count == 0) {
		rest->labels[0] = most_of(search, from, to);
		rest->lows[0] = search->spans[from].low;
		rest->weights[rest->count++] = 0;
	}
	return true;
}

/* The segment that the span lies in. */
static size_t segment_of(const struct rest *rest, const struct search_span *span)
{
	size_t segment = 0;

	while (segment + 1 < rest->count && rest->lows[segment + 1] <= span->low)
		segment++;
	return segment;
}

static bool is_asked(const struct rest *rest, const struct search_span *span)
{
	return rest->labels[segment_of(rest, span)] != span->label;
}

/*
 * The chain of a range that grows by one span at a time: what is asked for in front, the rest, and
 * the steps of both.
 */
struct chain {
	struct rest rest;
	uint64_t kept;           /* weight of the rest */
	double asked_steps;
	uint32_t asked;
	bool none;               /* too many segments */
};

static void begin_chain(const struct search *search, size_t from, size_t to, struct chain *chain)
{
	*chain = (struct chain){ 0 };
	chain->none = !find_rest(search, from, to, &chain->rest);
	for (size_t i = from; i < to && !chain->none; i++) {
		const struct search_span *span = &search->spans[i];

		if (is_asked(&chain->rest, span)) {
			chain->asked_steps += (double)++chain->asked * span->weight;
		} else {
			chain->rest.weights[segment_of(&chain->rest, span)] += span->weight;
			chain->kept += span->weight;
		}
	}
}

/* By the span at i, where the range ended so far. */
static void extend_chain(const struct search *search, size_t from, size_t i, struct chain *chain, bool *fixed)
{
	const struct search_span *span = &search->spans[i];
	struct rest *rest = &chain->rest;

	/* while all are single numbers, what remains may change */
	if (!*fixed) {
		*fixed = !is_single(search, i);
		begin_chain(search, from, i + 1, chain);
		return;
	}
	if (chain->none)
		return;
	if (rest->labels[rest->count - 1] != span->label && is_single(search, i)) {
		chain->asked_steps += (double)++chain->asked * span->weight;
		return;
	}
	if (rest->labels[rest->count - 1] != span->label) {
		chain->none = rest->count == SEGMENTS;
		if (chain->none)
			return;
		rest->labels[rest->count] = span->label;
		rest->lows[rest->count] = span->low;
		rest->weights[rest->count++] = 0;
	}
	rest->weights[rest->count - 1] += span->weight;
	chain->kept += span->weight;
}

static struct choice weigh_chain(const struct search *search, const struct chain *chain)
{
	const struct rest *rest = &chain->rest;
	double steps = chain->asked_steps + (double)chain->kept * chain->asked;
	uint32_t jumps = chain->asked + (uint32_t)rest->count - 1;

	for (size_t i = 0; i < rest->count; i++)
		steps += (double)rest->weights[i] * (double)MIN(i + 1, rest->count - 1);
	return (struct choice){ steps + search->price * jumps, jumps, CHAIN };
}

static struct choice *choice_of(const struct search *search, size_t from, size_t to)
{
	return &search->choices[from * BAND + (to - from) - 1];
}

static double weight_of(const struct search *search, size_t from, size_t to)
{
	return (double)(search->sums[to] - search->sums[from]);
}

static void weigh_splits(const struct search *search, size_t from, size_t to, struct choice *best)
{
	double own = weight_of(search, from, to) + search->price;

	for (size_t middle = from + 1; middle < to; middle++) {
		const struct choice *below = choice_of(search, from, middle), *above = choice_of(search, middle, to);
		double cost = below->cost + above->cost + own;

		if (best->cost < 0 || cost < best->cost)
			*best = (struct choice){ cost, below->jumps + above->jumps + 1, (uint16_t)(middle - from) };
	}
}

/*
 * Of a wide range: where the weights on both sides are most even, and rather at the end of a span
 * of several numbers, which has to be asked for anyway.
 */
static size_t middle_of(const struct search *search, size_t from, size_t to)
{
	double least = -1, all = weight_of(search, from, to);
	size_t best = from + 1;

	for (size_t middle = from + 1; middle < to; middle++) {
		double skew = weight_of(search, from, middle) - weight_of(search, middle, to);

		skew = skew < 0 ? -skew : skew;
		if (is_single(search, middle - 1) || is_single(search, middle))
			skew += all / 2;
		if (least < 0 || skew < least) {
			least = skew;
			best = middle;
		}
	}
	return best;
}

static uint32_t count_jumps(const struct search *search, size_t from, size_t to)
{
	size_t middle;

	if (to - from <= BAND)
		return choice_of(search, from, to)->jumps;
	middle = middle_of(search, from, to);
	return count_jumps(search, from, middle) + count_jumps(search, middle, to) + 1;
}

/* From the last span on, so that the ranges within one are known before it. */
static void weigh_all(const struct search *search)
{
	for (size_t from = search->count; from-- > 0;) {
		struct chain chain = { .none = true };
		bool fixed = false;

		for (size_t to = from + 1; to <= search->count && to - from <= BAND; to++) {
			struct choice best = { .cost = -1 };

			extend_chain(search, from, to - 1, &chain, &fixed);
			if (!chain.none)
				best = weigh_chain(search, &chain);
			if (to - from > 1)
				weigh_splits(search, from, to, &best);
			*choice_of(search, from, to) = best;
		}
	}
}

/* --- code --- */

static uint32_t emit_chain(const struct search *search, size_t from, size_t to)
{
	struct rest rest;
	uint32_t label;

	find_rest(search, from, to, &rest);
	label = rest.labels[rest.count - 1];
	for (size_t i = rest.count - 1; i-- > 0;)
		label = search->jump(search->arg, true, rest.lows[i + 1], label, rest.labels[i]);
	for (size_t i = to; i-- > from;) {
		if (is_asked(&rest, &search->spans[i]))
			label = search->jump(search->arg, false, search->spans[i].low, search->spans[i].label, label);
	}
	return label;
}

static uint32_t emit(const struct search *search, size_t from, size_t to)
{
	size_t middle;
	uint32_t above, below;

	if (to - from == 1)
		return search->spans[from].label;
	if (to - from > BAND)
		middle = middle_of(search, from, to);
	else if (choice_of(search, from, to)->split == CHAIN)
		return emit_chain(search, from, to);
	else
		middle = from + choice_of(search, from, to)->split;
	above = emit(search, middle, to);
	below = emit(search, from, middle);
	return search->jump(search->arg, true, search->spans[middle].low, above, below);
}

/* Prices rise by a fifth from a 64th of what a step of all calls weighs to 58 of them. */
static void set_price(struct search *search, unsigned level)
{
	search->price = weight_of(search, 0, search->count) / 64;
	while (level--)
		search->price *= 1.2;
	weigh_all(search);
}

/* The least price for which there are no more jumps than the limit; or the greatest. */
static void find_price(struct search *search, uint64_t limit)
{
	unsigned low = 0, high = 45;

	set_price(search, low);
	if (count_jumps(search, 0, search->count) <= limit)
		return;
	while (high - low > 1) {
		unsigned middle = (low + high) / 2;

		set_price(search, middle);
		if (count_jumps(search, 0, search->count) <= limit)
			high = middle;
		else
			low = middle;
	}
	set_price(search, high);
}

bool search_emit(const struct search_span *spans, size_t count, uint64_t limit,
		 search_jump_fn *jump, void *arg, uint32_t *begin)
{
	struct search search = { .spans = spans, .count = count, .jump = jump, .arg = arg };

	search.sums = calloc(count + 1, sizeof(*search.sums));
	search.choices = calloc(count * BAND, sizeof(*search.choices));
	if (!search.sums || !search.choices) {
		free(search.sums);
		free(search.choices);
		return false;
	}
	for (size_t i = 0; i < count; i++)
		search.sums[i + 1] = search.sums[i] + spans[i].weight;
	find_price(&search, limit);
	*begin = emit(&search, 0, count);
	free(search.sums);
	free(search.choices);
	return true;
}
