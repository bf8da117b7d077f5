/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decl.c - C declarations from types.
 *
 * A C declaration is written from the name outwards: a pointer puts a star
 * before what is there, an array or function its brackets behind it, with
 * parentheses where a star would bind too late. So the text grows on both
 * sides of the name while the chain of types is followed, and what ends the
 * chain is the specifier that goes first.
 */
#include "btf/impl.h"

#include <stdio.h>

struct decl {
	const struct skep_btf *btf;
	const struct btf_namer *namer;
	int indent, depth;
};

/* Puts text before what is there. */
static void prepend(struct skep_text *to, const char *text)
{
	struct skep_text joined = { 0 };

	text_add(&joined, "%s%s", text, to->data ? to->data : "");
	joined.failed |= to->failed;
	text_done(to);
	*to = joined;
}

enum { MAX_MODS = 64 };

/* const and friends on one level, innermost first. */
struct mods {
	const struct btf_type *items[MAX_MODS];
	int count;
};

static void add_mod(const struct decl *d, const struct btf_type *t, struct skep_text *out)
{
	if (btf_kind(t) == BTF_CONST)
		text_add(out, "const");
	else if (btf_kind(t) == BTF_VOLATILE)
		text_add(out, "volatile");
	else if (btf_kind(t) == BTF_RESTRICT)
		text_add(out, "restrict");
	else if (btf_kind_flag(t))
		text_add(out, "__attribute__((%s))", btf_name(d->btf, t));
	else
		text_add(out, "__attribute__((btf_type_tag(\"%s\")))", btf_name(d->btf, t));
}

/* Is it there already? An array and its elements may both be const. */
static bool has_mod(const struct mods *mods, const struct btf_type *t)
{
	for (int i = 0; i < mods->count; i++)
		if (btf_kind(mods->items[i]) == btf_kind(t) && btf_kind(t) != BTF_TYPE_TAG)
			return true;
	return false;
}

/* Adds the modifiers at id; the id below them. */
static uint32_t take_mods(const struct decl *d, uint32_t id, struct mods *mods)
{
	const struct btf_type *t = btf_type(d->btf, id);

	while (btf_is_modifier(btf_kind(t))) {
		if (mods->count < MAX_MODS && !has_mod(mods, t))
			mods->items[mods->count++] = t;
		id = t->type;
		t = btf_type(d->btf, id);
	}
	return id;
}

static void declare(const struct decl *d, uint32_t id, const char *name, struct skep_text *out);

static void add_params(const struct decl *d, const struct btf_type *t, struct skep_text *out)
{
	const struct btf_param *params = btf_data(t);
	struct decl inner = *d;

	inner.depth++;
	text_add(out, "(");
	if (!btf_vlen(t))
		text_add(out, "void");
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		if (i)
			text_add(out, ", ");
		/* Before C23 nothing could be variable alone: that is "unknown". */
		if (!params[i].type && i + 1 == btf_vlen(t))
			text_add(out, "%s", i ? "..." : "");
		else
			declare(&inner, params[i].type, btf_str(d->btf, params[i].name_off), out);
	}
	text_add(out, ")");
}

/* "*", "* const ", ...: the star of a pointer with its modifiers, before text. */
static void add_star(const struct decl *d, const struct mods *mods, struct skep_text *text)
{
	struct skep_text star = { 0 };

	text_add(&star, "*");
	for (int i = 0; i < mods->count; i++) {
		text_add(&star, " ");
		add_mod(d, mods->items[i], &star);
	}
	if (text->data && text->len && mods->count)
		text_add(&star, " ");
	prepend(text, star.data ? star.data : "");
	text->failed |= star.failed;
	text_done(&star);
}

static void parenthesise(struct skep_text *text)
{
	prepend(text, "(");
	text_add(text, ")");
}

static void add_base(const struct decl *d, uint32_t id, const struct mods *mods,
		     struct skep_text *out)
{
	for (int i = 0; i < mods->count; i++) {
		add_mod(d, mods->items[i], out);
		text_add(out, " ");
	}
	if (d->depth > 16)
		text_add(out, "void /* nested too deeply */");
	else if (!id)
		text_add(out, "void");
	else
		d->namer->base(d->namer->arg, id, d->indent, out);
}

static void declare(const struct decl *d, uint32_t id, const char *name, struct skep_text *out)
{
	struct skep_text text = { 0 };
	struct mods mods = { .count = 0 };
	bool star = false; /* the outermost thing in text is a pointer */

	text_add(&text, "%s", name);
	if (d->depth > 16) {
		text_add(out, "void /* nested too deeply */ *%s", name);
		text_done(&text);
		return;
	}
	for (;;) {
		const struct btf_type *t;
		const struct btf_array *array;

		id = take_mods(d, id, &mods);
		t = btf_type(d->btf, id);
		array = btf_data(t);
		if (btf_kind(t) == BTF_PTR) {
			add_star(d, &mods, &text);
			mods.count = 0;
			star = true;
			id = t->type;
		} else if (btf_kind(t) == BTF_ARRAY) {
			if (star)
				parenthesise(&text);
			/* A const array is an array of const: keep mods for what it ends in. */
			text_add(&text, "[%u]", array->nelems);
			star = false;
			id = array->type;
		} else if (btf_kind(t) == BTF_FUNC_PROTO) {
			if (star)
				parenthesise(&text);
			add_params(d, t, &text);
			mods.count = 0;
			star = false;
			id = t->type;
		} else {
			break;
		}
	}
	add_base(d, id, &mods, out);
	if (text.len) {
		int stars = (int)strspn(text.data, "*");

		/* "char * (*f)(void)": the stars belong to what f returns. */
		text_add(out, "%s%.*s%s%s", text.data[0] == '[' ? "" : " ", stars, text.data,
			 stars && text.data[stars] == '(' ? " " : "", text.data + stars);
	}
	out->failed |= text.failed;
	text_done(&text);
}

void btf_declare(const struct skep_btf *btf, uint32_t id, const char *name, int indent,
		 const struct btf_namer *namer, struct skep_text *out)
{
	struct decl decl = { btf, namer, indent, 0 };

	declare(&decl, id, name, out);
}

/* --- one line --- */

static void short_base(void *arg, uint32_t id, int indent, struct skep_text *out)
{
	const struct skep_btf *btf = arg;
	const struct btf_type *t = btf_type(btf, id);
	const char *word = btf_tag_word(t);

	(void)indent;
	text_add(out, "%s%s%s", word, *word ? " " : "",
		 t->name_off ? btf_name(btf, t) : *word ? "{...}" : "(anon)");
}

void btf_describe(const struct skep_btf *btf, uint32_t id, struct skep_text *out)
{
	struct btf_namer namer = { (void *)(uintptr_t)btf, short_base };

	btf_declare(btf, id, "", 0, &namer, out);
}

int btf_type_text(const struct skep_btf *btf, uint32_t id, char *text, size_t size)
{
	struct skep_text out = { 0 };
	int len;

	btf_describe(btf, id, &out);
	len = snprintf(text, size, "%s", out.data ? out.data : "");
	text_done(&out);
	return len;
}
