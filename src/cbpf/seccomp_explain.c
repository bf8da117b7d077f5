/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_explain.c - in words, what a seccomp filter does to a call.
 *
 * Of each way through the filter, what was asked of a word is brought down to a range of its
 * values and what that leaves open; the halves of an argument become one where the
 * upper one has one value. The result that most ways end in is what happens otherwise.
 */
#include "cbpf/seccomp_ways.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_ARG 4u /* the word */

struct ending {
	uint32_t result;
	unsigned ways;
	struct skep_text text;   /* conditions, with "or" between ways; empty: none */
};

struct explain {
	VEC(struct ending) endings;
};

/* What a word may be: low to high, if nothing else was asked. */
struct range {
	uint32_t low, high;
	bool asked, more;        /* more: there are masks, bits or single values besides */
};

static bool is_whole(const struct ask *ask)
{
	return ask->mask == UINT32_MAX && ask->kind != ASK_ANY_BIT &&
	       (ask->kind != ASK_EQUAL || ask->holds);
}

static void narrow(struct range *range, const struct ask *ask)
{
	uint32_t low = 0, high = UINT32_MAX;

	if (ask->kind == ASK_EQUAL)
		low = high = ask->k;
	else if (ask->holds)
		low = ask->kind == ASK_ABOVE ? ask->k + 1 : ask->k;
	else
		high = ask->kind == ASK_ABOVE ? ask->k : ask->k - 1;
	range->low = MAX(range->low, low);
	range->high = range->high < high ? range->high : high;
}

static struct range range_of(const ask_vec *asks, unsigned word)
{
	struct range range = { .high = UINT32_MAX };

	for (size_t i = 0; i < asks->count; i++) {
		if (asks->items[i].word != word)
			continue;
		range.asked = true;
		if (is_whole(&asks->items[i]))
			narrow(&range, &asks->items[i]);
		else
			range.more = true;
	}
	return range;
}

static void say_and(struct skep_text *out, size_t start)
{
	if (out->len > start)
		text_add(out, " and ");
}

/* A range of a word, or of an argument whose upper half is known. */
static void say_range(struct skep_text *out, size_t start, const char *name, struct range range,
		      uint64_t upper)
{
	uint64_t low = upper << 32 | range.low, high = upper << 32 | range.high;

	if (range.low == 0 && range.high == UINT32_MAX)
		return;
	say_and(out, start);
	if (low == high)
		text_add(out, "%s == %#llx", name, (unsigned long long)low);
	else if (low == 0)
		text_add(out, "%s <= %#llx", name, (unsigned long long)high);
	else if (range.high == UINT32_MAX && !upper)
		text_add(out, "%s >= %#llx", name, (unsigned long long)low);
	else
		text_add(out, "%s in %#llx..%#llx", name, (unsigned long long)low, (unsigned long long)high);
}

/* Masks, bits and single values; those out of the range say nothing. */
static void say_more(struct skep_text *out, size_t start, const char *name, const ask_vec *asks,
		     unsigned word, struct range range, uint64_t upper)
{
	static const char *const signs[][2] = {
		[ASK_EQUAL] = { "!=", "==" }, [ASK_ABOVE] = { "<=", ">" }, [ASK_NOT_BELOW] = { "<", ">=" },
		[ASK_ANY_BIT] = { "==", "!=" },
	};

	for (size_t i = 0; i < asks->count; i++) {
		const struct ask *ask = &asks->items[i];
		bool bits = ask->kind == ASK_ANY_BIT;
		uint32_t mask = bits ? ask->mask & ask->k : ask->mask;

		if (ask->word != word || is_whole(ask))
			continue;
		if (mask == UINT32_MAX && !bits && (ask->k < range.low || ask->k > range.high))
			continue;
		say_and(out, start);
		text_add(out, "%s ", name);
		if (mask != UINT32_MAX)
			text_add(out, "& %#x ", mask);
		text_add(out, "%s %#llx", signs[ask->kind][ask->holds],
			 bits ? 0ull : (unsigned long long)(mask == UINT32_MAX ? upper << 32 | ask->k : ask->k));
	}
}

static void say_word(struct skep_text *out, size_t start, const char *name, const ask_vec *asks,
		     unsigned word, uint64_t upper)
{
	struct range range = range_of(asks, word);

	say_range(out, start, name, range, upper);
	if (range.more)
		say_more(out, start, name, asks, word, range, upper);
}

static void say_argument(struct skep_text *out, size_t start, unsigned arg, const ask_vec *asks)
{
	unsigned word = FIRST_ARG + 2 * arg;
	struct range upper = range_of(asks, word + 1), lower = range_of(asks, word);
	char name[16];

	snprintf(name, sizeof(name), "arg%u", arg);
	if (upper.low == upper.high && !upper.more && lower.asked) {
		if (lower.more || lower.low || lower.high != UINT32_MAX) {
			say_word(out, start, name, asks, word, upper.low);
			return;
		}
	}
	snprintf(name, sizeof(name), "arg%u.high", arg);
	say_word(out, start, name, asks, word + 1, 0);
	snprintf(name, sizeof(name), "arg%u.low", arg);
	say_word(out, start, name, asks, word, 0);
}

static struct ending *ending_of(struct explain *explain, uint32_t result)
{
	struct ending *ending;

	for (size_t i = 0; i < explain->endings.count; i++) {
		if (explain->endings.items[i].result == result)
			return &explain->endings.items[i];
	}
	ending = vec_push(&explain->endings);
	if (ending)
		ending->result = result;
	return ending;
}

static int add_way(void *arg, const ask_vec *asks, const uint32_t *results)
{
	struct ending *ending = ending_of(arg, results[0]);
	size_t start;

	if (!ending)
		return -ENOMEM;
	if (ending->ways++)
		text_add(&ending->text, ", or ");
	start = ending->text.len;
	say_word(&ending->text, start, "ip.low", asks, 2, 0);
	say_word(&ending->text, start, "ip.high", asks, 3, 0);
	for (unsigned i = 0; i < 6; i++)
		say_argument(&ending->text, start, i, asks);
	if (ending->text.len == start)
		text_add(&ending->text, "anything");
	return ending->text.failed ? -ENOMEM : 0;
}

static void say_endings(struct explain *explain, struct skep_text *out, bool inexact)
{
	size_t otherwise = 0;
	char action[32];

	for (size_t i = 0; i < explain->endings.count; i++) {
		if (explain->endings.items[i].ways > explain->endings.items[otherwise].ways)
			otherwise = i;
	}
	for (size_t i = 0; i < explain->endings.count; i++) {
		if (i == otherwise)
			continue;
		skep_seccomp_action_text(explain->endings.items[i].result, action, sizeof(action));
		text_add(out, "%s if %s; ", action, explain->endings.items[i].text.data);
	}
	if (explain->endings.count) {
		skep_seccomp_action_text(explain->endings.items[otherwise].result, action, sizeof(action));
		text_add(out, "%s%s", action, explain->endings.count > 1 ? " otherwise" : "");
	}
	if (inexact)
		text_add(out, "%s", explain->endings.count ? " (as far as can be followed)" : "what it computes");
}

int skep_seccomp_explain(const struct skep_cbpf_insn *insns, size_t count,
			 const struct skep_seccomp_calls *calls, struct skep_text *out)
{
	struct explain explain = { 0 };
	struct ways ways = { .filters = { { insns, count } }, .filter_count = 1, .end = add_way, .arg = &explain };
	int error = ways_walk(&ways, calls);

	if (error == 0)
		say_endings(&explain, out, ways.inexact);
	for (size_t i = 0; i < explain.endings.count; i++)
		text_done(&explain.endings.items[i].text);
	vec_done(&explain.endings);
	return error ? error : out->failed ? -ENOMEM : 0;
}
