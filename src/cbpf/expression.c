/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * expression.c - finding the sets: alternatives of one kind in a row of 'or'.
 *
 * 'and' and 'or' bind alike and to the left, so a row is
 *
 *   item op item op item ...       ((item op item) op item) op ...
 *
 * and items with 'or' before each of them (or before all but the first of the row) can be taken
 * together in the place of the first. An item is a primitive, a row in parentheses, or what is not
 * looked into and is copied as it stands.
 */
#include "cbpf/expression.h"

#include <errno.h>
#include <stdio.h>

#include "cbpf/member.h"

enum { WORTH = 16, DEPTH_MAX = 64 }; /* alternatives: fewer are searched as well */

/* One alternative. */
struct member { struct qualifiers q; unsigned width; struct set_range range; };

struct item {
	size_t from, to;         /* tokens */
	bool or;                 /* before it; of the first: true */
	size_t first, count;     /* its members; 0: it has none */
	bool name;               /* one word that may rely on what the item before leaves to be understood */
	bool group;              /* a row in parentheses, perhaps behind 'not' */
	bool taken;              /* into a set */
};

struct reader {
	struct expression *e;
	struct tokens tokens;
	VEC(struct member) members; /* of the rows being read, the innermost last */
	bool failed;
};

struct row {
	struct item *items; size_t count, size; /* a VEC */
	bool followed;           /* by a word that relies on what the last item leaves to be understood */
};

static void write_tokens(struct reader *r, size_t from, size_t to)
{
	for (unsigned i = 0; i < STAND_INS && from < to; i++) {
		const struct token *last = &r->tokens.items[to - 1];

		text_add_bytes(&r->e->text[i], r->tokens.items[from].at,
			       (size_t)(last->at + last->len - r->tokens.items[from].at));
	}
}

static void write_text(struct reader *r, const char *text)
{
	for (unsigned i = 0; i < STAND_INS; i++)
		text_add(&r->e->text[i], "%s", text);
}

/* --- items --- */

/* Where the parenthesis at from ends, behind it; 0: nowhere before to. */
static size_t close_of(const struct reader *r, size_t from, size_t to)
{
	unsigned depth = 0;

	for (size_t at = from; at < to; at++) {
		if (r->tokens.items[at].kind == TOKEN_OPEN)
			depth++;
		else if (r->tokens.items[at].kind == TOKEN_CLOSE && --depth == 0)
			return at + 1;
	}
	return 0;
}

/* The end of the item at from: the next 'and' or 'or' outside parentheses, but 'src or dst'. */
static size_t item_end(const struct reader *r, size_t from, size_t to)
{
	const struct token *t = r->tokens.items;

	for (size_t at = from; at < to; at++) {
		size_t close = t[at].kind == TOKEN_OPEN ? close_of(r, at, to) : 0;
		bool way = at > from && at + 1 < to &&
			   ((token_is(&t[at - 1], "src") && token_is(&t[at + 1], "dst")) ||
			    (token_is(&t[at - 1], "dst") && token_is(&t[at + 1], "src")));

		if (close)
			at = close - 1;
		else if ((t[at].kind == TOKEN_AND || t[at].kind == TOKEN_OR) && !way)
			return at;
	}
	return to;
}

static bool add_member(struct reader *r, struct item *item, const struct qualifiers *q,
		       const struct token *word)
{
	struct member member = { .q = *q }, *room;

	member.width = member_read(q, word, &member.range);
	if (member.width == 0)
		return false;
	room = vec_push(&r->members);
	if (!room) {
		r->failed = true;
		return false;
	}
	*room = member;
	item->count++;
	item->name = false; /* and now it is written out */
	return true;
}

/* 'port (80 or 443)': all of them, or none. */
static void read_list(struct reader *r, struct item *item, const struct qualifiers *q, size_t from)
{
	const struct token *t = r->tokens.items;
	size_t was = r->members.count;

	for (size_t at = from + 1;; at += 2) {
		bool ends = at + 2 == item->to && t[at + 1].kind == TOKEN_CLOSE;

		if (at + 2 > item->to || !add_member(r, item, q, &t[at]) || (!ends && t[at + 1].kind != TOKEN_OR)) {
			r->members.count = was;
			item->count = 0;
			return;
		}
		if (ends)
			return;
	}
}

/* Its members. q: what the item before leaves to be understood, and this one in turn. */
static void read_item(struct reader *r, struct item *item, struct qualifiers *q)
{
	const struct token *t = r->tokens.items;
	struct qualifiers own;
	size_t at = item->from, taken;

	item->first = r->members.count;
	while (at < item->to && t[at].kind == TOKEN_NOT)
		at++;
	if (at < item->to && t[at].kind == TOKEN_OPEN && close_of(r, at, item->to) == item->to) {
		item->group = true;
		*q = (struct qualifiers){ 0 };
		return;
	}
	taken = qualifiers_read(t, at, item->to, &own);
	if (taken == 0 && item->to - at == 1 && !token_is_protocol(&t[at])) {
		item->name = true;
		own = *q; /* what is left out */
	}
	*q = own;
	if (at > item->from || !(q->type || q->way))
		return;
	at += taken;
	if (item->to - at == 1 && !add_member(r, item, q, &t[at]) && taken == 0)
		*q = (struct qualifiers){ 0 };
	else if (at < item->to && t[at].kind == TOKEN_OPEN)
		read_list(r, item, q, at);
}

static void read_row(struct reader *r, size_t from, size_t to, struct row *row)
{
	struct qualifiers q = { 0 };
	bool or = true;

	while (from <= to && !r->failed) {
		struct item *item = vec_push(row);

		if (!item) {
			r->failed = true;
			return;
		}
		*item = (struct item){ .from = from, .to = item_end(r, from, to), .or = or };
		read_item(r, item, &q);
		or = item->to < to && r->tokens.items[item->to].kind == TOKEN_OR;
		from = item->to + 1;
	}
}

/* --- sets --- */

static bool same_kind(const struct member *a, const struct member *b)
{
	bool protocol = a->q.protocol == b->q.protocol ||
			(a->q.protocol && b->q.protocol && strcmp(a->q.protocol, b->q.protocol) == 0);

	return a->width == b->width && a->q.way == b->q.way && protocol;
}

static bool in_some_set(const struct expression *e, unsigned width, struct set_number number)
{
	for (size_t i = 0; i < e->sets.all.count; i++) {
		const struct cbpf_set *set = &e->sets.all.items[i];

		for (size_t k = 0; set->width == width && k < set->members.count; k++) {
			if (set_compare(number, set->members.items[k].first) >= 0 &&
			    set_compare(number, set->members.items[k].last) <= 0)
				return true;
		}
		for (unsigned k = 0; i < e->stand_ins.count && set->width == width && k < STAND_INS; k++) {
			if (e->stand_ins.items[i].words[k][0] == (width == SET_ADDRESSES6 ? number.high >> 32 :
										number.low))
				return true;
		}
	}
	return false;
}

/* Numbers that no set has. False: there are none to be had. */
static bool choose(const struct expression *e, unsigned width, struct set_stand_in *stand_in)
{
	uint32_t at = 100 * (uint32_t)e->stand_ins.count; /* no two sets have a word in common */

	for (unsigned k = 0; k < STAND_INS; k++) {
		uint32_t *words = stand_in->words[k];
		struct set_number number;

		do {
			if (at >= 60000)
				return false;
			words[0] = width == SET_PORTS ? 61234 - at : 0xe9520001 + at * 0x9e3779b1u;
			for (unsigned i = 1; i < 4; i++)
				words[i] = words[0] + (i << 20);
			at++;
			number = (struct set_number){ 0, words[0] };
			if (width == SET_ADDRESSES6)
				number = (struct set_number){ (uint64_t)words[0] << 32 | words[1],
							      (uint64_t)words[2] << 32 | words[3] };
		} while (in_some_set(e, width, number));
	}
	return true;
}

static void write_stand_in(struct skep_text *out, unsigned width, const uint32_t *words)
{
	uint32_t a = words[0];

	if (width == SET_PORTS)
		text_add(out, "%u", a);
	else if (width == SET_ADDRESSES)
		text_add(out, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
	for (unsigned i = 0; i < 4 && width == SET_ADDRESSES6; i++)
		text_add(out, "%s%x:%x", i ? ":" : "", words[i] >> 16, words[i] & 0xffff);
}

/* Itself, with the words that it leaves out: what said them may have been taken away. */
static void write_member(struct reader *r, const struct item *item, const struct member *member)
{
	for (unsigned i = 0; i < STAND_INS && item->to - item->from == 1; i++)
		qualifiers_write(&member->q, member->q.type, &r->e->text[i]);
	write_tokens(r, item->from, item->to);
}

/* (first or stand-in) */
static void write_set(struct reader *r, const struct item *first, const struct member *like,
		      const struct set_stand_in *stand_in)
{
	write_text(r, "(");
	write_member(r, first, like);
	for (unsigned i = 0; i < STAND_INS; i++) {
		struct skep_text *out = &r->e->text[i];

		text_add(out, " or ");
		qualifiers_write(&like->q, like->width == SET_PORTS ? MEMBER_PORT : MEMBER_HOST, out);
		write_stand_in(out, like->width, stand_in->words[i]);
		text_add(out, ")");
	}
}

/* Does a word follow that relies on what this item leaves to be understood? */
static bool is_followed(const struct row *row, size_t i)
{
	const struct item *next = &row->items[i + 1];

	if (i + 1 == row->count)
		return row->followed;
	return next->name;
}

static bool is_free(const struct row *row, size_t i)
{
	return row->items[i].count > 0 && !row->items[i].taken && !is_followed(row, i);
}

/* Members of the run from..to that are like the first of item which. */
static size_t count_alike(const struct reader *r, const struct row *row, size_t which, size_t to)
{
	const struct member *like = &r->members.items[row->items[which].first];
	size_t count = 0;

	for (size_t i = which; i < to; i++) {
		if (is_free(row, i) && same_kind(&r->members.items[row->items[i].first], like))
			count += row->items[i].count;
	}
	return count;
}

static bool all_alike(const struct reader *r, const struct item *item)
{
	for (size_t i = 1; i < item->count; i++) {
		if (!same_kind(&r->members.items[item->first], &r->members.items[item->first + i]))
			return false;
	}
	return true;
}

/* Takes what is like item which in which..to into a set. False: it stays as it is. */
static bool take_set(struct reader *r, struct row *row, size_t which, size_t to)
{
	struct member like = r->members.items[row->items[which].first];
	struct expression *e = r->e;
	struct set_stand_in stand_in;
	struct cbpf_set *set = vec_push(&e->sets.all);

	if (!set) {
		r->failed = true;
		return false;
	}
	set->width = like.width;
	for (size_t i = which; i < to && !r->failed; i++) {
		struct item *item = &row->items[i];

		if (!is_free(row, i) || !same_kind(&r->members.items[item->first], &like) || !all_alike(r, item))
			continue;
		for (size_t k = 0; k < item->count; k++) {
			const struct set_range *range = &r->members.items[item->first + k].range;

			r->failed |= !set_add(set, range->first, range->last);
		}
		item->taken = true;
	}
	if (r->failed || !choose(e, like.width, &stand_in))
		return false;
	if (!vec_push(&e->stand_ins)) {
		r->failed = true;
		return false;
	}
	e->stand_ins.items[e->stand_ins.count - 1] = stand_in;
	write_set(r, &row->items[which], &like, &stand_in);
	return true;
}

/* --- writing --- */

static bool write_row(struct reader *r, size_t from, size_t to, unsigned depth, bool followed);

/* False: it cannot be said otherwise. */
static bool write_item(struct reader *r, struct row *row, size_t i, size_t run_end, unsigned depth)
{
	struct item *item = &row->items[i];
	size_t open = item->from;

	if (is_free(row, i) && all_alike(r, item) && r->e->sets.all.count < SETS_MAX &&
	    count_alike(r, row, i, run_end) >= WORTH)
		return take_set(r, row, i, run_end);
	if (item->group) {
		while (r->tokens.items[open].kind != TOKEN_OPEN)
			open++;
		write_tokens(r, item->from, open + 1);
		if (!write_row(r, open + 1, item->to - 1, depth + 1, is_followed(row, i)))
			return false;
		write_text(r, ")");
	} else if (item->count) {
		write_member(r, item, &r->members.items[item->first]);
	} else {
		write_tokens(r, item->from, item->to);
	}
	return true;
}

/* Behind the last item that 'or' joins to item i. */
static size_t run_end(const struct row *row, size_t i)
{
	size_t end = i + 1;

	if (!row->items[i].or)
		return i;
	while (end < row->count && row->items[end].or)
		end++;
	return end;
}

static bool write_row(struct reader *r, size_t from, size_t to, unsigned depth, bool followed)
{
	struct row row = { .followed = followed };
	size_t members = r->members.count;
	bool good = depth < DEPTH_MAX;

	if (good)
		read_row(r, from, to, &row);
	for (size_t i = 0; i < row.count && good && !r->failed; i++) {
		if (row.items[i].taken)
			continue;
		if (i > 0)
			write_text(r, row.items[i].or ? " or " : " and ");
		good = write_item(r, &row, i, run_end(&row, i), depth);
	}
	r->members.count = members;
	vec_done(&row);
	return good;
}

void expression_done(struct expression *e)
{
	sets_done(&e->sets);
	vec_done(&e->stand_ins);
	for (unsigned i = 0; i < STAND_INS; i++)
		text_done(&e->text[i]);
}

int expression_read(struct expression *e, const char *text)
{
	struct reader r = { .e = e };
	bool good;

	*e = (struct expression){ 0 };
	good = tokens_read(&r.tokens, text);
	r.failed = !good;
	good = good && r.tokens.count && write_row(&r, 0, r.tokens.count, 0, false);
	r.failed |= e->text[0].failed || e->text[1].failed;
	vec_done(&r.tokens);
	vec_done(&r.members);
	if (!good || r.failed) {
		expression_done(e);
		*e = (struct expression){ 0 };
	}
	return r.failed ? -ENOMEM : 0;
}
