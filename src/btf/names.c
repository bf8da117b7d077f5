/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * names.c - names for types that share one header.
 *
 * A kernel has several struct "cache" in files that never meet. In one header
 * the second becomes cache___2: a flavour, so that CO-RE still takes it for
 * what it is.
 */
#include "btf/print.h"

static const char *const keywords[] = {
	"asm", "auto", "break", "case", "char", "const", "continue", "default", "do", "double",
	"else", "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long",
	"register", "restrict", "return", "short", "signed", "sizeof", "static", "struct",
	"switch", "typedef", "typeof", "union", "unsigned", "void", "volatile", "while",
	"_Bool", "_Alignas", "_Alignof", "_Atomic", "_Complex", "_Generic", "_Imaginary",
	"_Noreturn", "_Static_assert", "_Thread_local", "__int128",
};

static bool is_keyword(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
		if (strcmp(name, keywords[i]) == 0)
			return true;
	return false;
}

static bool ident_char(char c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (!first && c >= '0' && c <= '9');
}

const char *printer_ident(struct printer *p, const char *name)
{
	bool good = !is_keyword(name);
	char *copy;

	for (size_t i = 0; name[i] && good; i++)
		good = ident_char(name[i], i == 0);
	if (good || p->plain || !*name)
		return name;
	copy = arena_printf(&p->arena, is_keyword(name) ? "%s_" : "%s", name);
	if (!copy) {
		p->oom = true;
		return name;
	}
	for (size_t i = 0; copy[i]; i++)
		if (!ident_char(copy[i], i == 0))
			copy[i] = '_';
	return copy;
}

/* --- uniqueness --- */

static struct name_slot *find_slot(struct name_slot *slots, uint32_t mask, const char *name)
{
	uint32_t i = (uint32_t)hash_string(name) & mask;

	while (slots[i].name && strcmp(slots[i].name, name) != 0)
		i = (i + 1) & mask;
	return &slots[i];
}

static bool grow(struct printer *p, enum name_space space)
{
	uint32_t mask = p->names_in[space].mask ? p->names_in[space].mask * 2 + 1 : 4095;
	struct name_slot *slots = calloc((size_t)mask + 1, sizeof(*slots));

	if (!slots)
		return false;
	for (uint32_t i = 0; p->names_in[space].slots && i <= p->names_in[space].mask; i++) {
		struct name_slot *old = &p->names_in[space].slots[i];

		if (old->name)
			*find_slot(slots, mask, old->name) = *old;
	}
	free(p->names_in[space].slots);
	p->names_in[space].slots = slots;
	p->names_in[space].mask = mask;
	return true;
}

/* The slot of a name, taken for it if it was free; NULL when out of memory. */
static struct name_slot *take_slot(struct printer *p, enum name_space space, const char *name)
{
	struct name_slot *slot;

	if (p->names_in[space].used * 2 >= p->names_in[space].mask && !grow(p, space))
		return NULL;
	slot = find_slot(p->names_in[space].slots, p->names_in[space].mask, name);
	if (!slot->name) {
		slot->name = name;
		p->names_in[space].used++;
	}
	return slot;
}

const char *printer_unique(struct printer *p, enum name_space space, const char *name)
{
	struct name_slot *slot, *other;
	const char *made = name;

	name = printer_ident(p, name);
	if (p->plain)
		return name;
	slot = take_slot(p, space, name);
	if (!slot)
		goto oom;
	if (slot->uses++ == 0)
		return name;
	for (uint32_t n = slot->uses; ; n++) {
		made = arena_printf(&p->arena, "%s___%u", name, n);
		other = made ? take_slot(p, space, made) : NULL;
		if (!other)
			goto oom;
		if (other->uses++ == 0)
			break;
	}
	return made;
oom:
	p->oom = true;
	return name;
}

/* A forward declaration is of the record of that name, if there is one. */
static uint32_t declared_record(const struct skep_btf *btf, const struct btf_type *fwd)
{
	return skep_btf_find(btf, btf_name(btf, fwd), btf_kind_flag(fwd) ? BTF_UNION : BTF_STRUCT);
}

const char *printer_name(struct printer *p, uint32_t id)
{
	const struct btf_type *t = btf_type(p->btf, id);
	const char *name = btf_name(p->btf, t);
	bool tag = btf_tag_word(t)[0] != 0;

	if (p->plain)
		return name;
	if (btf_kind(t) == BTF_FWD && declared_record(p->btf, t))
		return printer_name(p, declared_record(p->btf, t));
	if (!p->names[id])
		p->names[id] = printer_unique(p, tag ? NAMES_TAGS : NAMES_IDENTS, name);
	return p->names[id];
}

/* --- numbers --- */

static bool is_c_number(const char *name)
{
	static const char *const words[] = { "char", "short", "int", "long", "signed", "unsigned",
					     "_Bool", "__int128", "float", "double", "_Float16",
					     "_Float128" };
	const char *at = name;

	while (*at) {
		size_t len = strcspn(at, " "), i = 0;

		while (i < ARRAY_SIZE(words) &&
		       (strlen(words[i]) != len || strncmp(at, words[i], len) != 0))
			i++;
		if (i == ARRAY_SIZE(words))
			return false;
		at += len;
		at += strspn(at, " ");
	}
	return *name != 0;
}

static const char *number_by_size(const struct btf_type *t)
{
	static const char *const names[2][5] = {
		{ "unsigned char", "unsigned short", "unsigned int", "unsigned long long",
		  "unsigned __int128" },
		{ "signed char", "short", "int", "long long", "__int128" },
	};
	bool is_float = btf_kind(t) == BTF_FLOAT;
	bool is_signed = !is_float && btf_int_encoding(t) & BTF_INT_SIGNED;

	if (is_float)
		return t->size == 2 ? "_Float16" : t->size == 4 ? "float" :
		       t->size == 8 ? "double" : "long double";
	if (btf_int_encoding(t) & BTF_INT_BOOL && t->size == 1)
		return "_Bool";
	for (uint32_t i = 0; i < 5; i++)
		if (t->size == 1u << i)
			return names[is_signed][i];
	return NULL;
}

const char *printer_number(const struct btf_type *t, const char *name, bool *known)
{
	*known = is_c_number(name);
	return *known ? name : number_by_size(t);
}
