/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * overlay.c - one BTF with some of its structures replaced by those of another.
 *
 *   ids   1 .. n          base's types; a structure that over has too is over's
 *         n + 1 ..        what over has besides, which those refer to
 *   text  base's | over's
 *
 * Everything that refers to a replaced structure, as the functions of a kernel
 * do, so refers to the new one. A base structure that begins with a replaced one, as
 * kinds of sockets do with struct sock, keeps that and loses the rest: what follows
 * the new one in memory is not what the base says.
 */
#include "btf/impl.h"

struct merge {
	const struct skep_btf *base, *over;
	uint32_t *to_new;        /* by id of over: the id in the result */
	uint32_t *to_over;       /* by id of base: the type in its place; 0: it stays */
	uint32_t count;          /* types of the result so far */
	struct skep_text out;
};

static const struct btf_type *raw_type(const struct skep_btf *btf, uint32_t id, size_t *size)
{
	uint32_t end = id == btf->count ? btf->types_len : btf->offs[id];

	*size = end - btf->offs[id - 1];
	return (const void *)(btf->bytes + btf->offs[id - 1]);
}

static void put(struct merge *m, const void *bytes, size_t size)
{
	text_add_bytes(&m->out, bytes, size);
}

/* Every base structure of the name of one of over's, and where the rest goes. */
static void assign_ids(struct merge *m)
{
	m->count = m->base->count;
	for (uint32_t id = 1; id <= m->over->count; id++) {
		const struct btf_type *t = btf_type(m->over, id);
		const char *name = btf_name(m->over, t);
		uint32_t found = 0;

		if (btf_kind(t) == BTF_STRUCT && *name)
			found = btf_find_from(m->base, name, BTF_STRUCT, 1);
		m->to_new[id] = found ? found : ++m->count;
		for (; found; found = btf_find_from(m->base, name, BTF_STRUCT, found + 1))
			m->to_over[found] = id;
	}
}

/* A type of over, saying so with the ids and text offsets of the result. */
static void put_over(struct merge *m, uint32_t id)
{
	size_t size, at = m->out.len;
	const struct btf_type *from = raw_type(m->over, id, &size);
	struct btf_type *t;

	put(m, from, size);
	if (m->out.failed)
		return;
	t = (void *)(m->out.data + at); /* all lengths are of whole words */
	if (t->name_off)
		t->name_off += m->base->str_len;
	if (btf_kinds[btf_kind(t)].third == THIRD_TYPE)
		t->type = m->to_new[t->type];
	if (btf_kind(t) == BTF_ARRAY) {
		struct btf_array *array = (void *)(t + 1);

		array->type = m->to_new[array->type];
		array->index_type = m->to_new[array->index_type];
	}
	for (uint32_t i = 0; btf_is_record(btf_kind(t)) && i < btf_vlen(t); i++) {
		struct btf_member *member = (struct btf_member *)(void *)(t + 1) + i;

		member->name_off += member->name_off ? m->base->str_len : 0;
		member->type = m->to_new[member->type];
	}
}

/* What a structure of base measures that begins with a replaced one; 0: it stays. */
static uint32_t cut_size(const struct merge *m, uint32_t id)
{
	const struct btf_type *t = btf_type(m->base, id), *first;
	const struct btf_member *member = btf_data(t);
	uint32_t size;

	if (btf_kind(t) != BTF_STRUCT || !btf_vlen(t) || !member->type)
		return 0;
	first = btf_type(m->base, member->type);
	if (btf_kind(first) != BTF_STRUCT)
		return 0;
	if (!m->to_over[member->type])
		return cut_size(m, member->type);
	size = btf_type(m->over, m->to_over[member->type])->size;
	return size == first->size ? 0 : size;
}

/* With the first of its members only. */
static void put_cut(struct merge *m, const struct btf_type *from, uint32_t size)
{
	struct btf_type t = *from;

	t.info = (t.info & ~0xffffu) | 1;
	t.size = size;
	put(m, &t, sizeof(t));
	put(m, from + 1, sizeof(struct btf_member));
}

static void put_types(struct merge *m)
{
	for (uint32_t id = 1; id <= m->base->count; id++) {
		size_t size;
		const struct btf_type *t = raw_type(m->base, id, &size);
		uint32_t cut = m->to_over[id] ? 0 : cut_size(m, id);

		if (m->to_over[id])
			put_over(m, m->to_over[id]);
		else if (cut)
			put_cut(m, t, cut);
		else
			put(m, t, size);
	}
	for (uint32_t id = 1; id <= m->over->count; id++)
		if (m->to_new[id] > m->base->count)
			put_over(m, id);
}

static struct skep_btf *merge(struct merge *m, const char *name, struct skep_diag *diag)
{
	struct btf_header header = { .magic = BTF_MAGIC, .version = 1, .hdr_len = sizeof(header) };

	put(m, &header, sizeof(header));
	assign_ids(m);
	put_types(m);
	if (m->out.failed)
		return NULL;
	header.type_len = header.str_off = (uint32_t)(m->out.len - sizeof(header));
	header.str_len = m->base->str_len + m->over->str_len;
	put(m, m->base->strs, m->base->str_len);
	put(m, m->over->strs, m->over->str_len);
	if (m->out.failed)
		return NULL;
	memcpy(m->out.data, &header, sizeof(header));
	return btf_open_sound(m->out.data, m->out.len, name, diag); /* both have been checked */
}

struct skep_btf *btf_overlay(const struct skep_btf *base, const struct skep_btf *over,
			     const char *name, struct skep_diag *diag)
{
	struct merge m = { .base = base, .over = over };
	struct skep_btf *btf = NULL;

	if (base->base || over->base) {
		skep_report(diag, SKEP_BTF_BAD, NULL, "'%s' continues other types: the machine's "
			    "own cannot be put in their place", base->name);
		return NULL;
	}
	m.to_new = calloc((size_t)over->count + 1, sizeof(*m.to_new));
	m.to_over = calloc((size_t)base->count + 1, sizeof(*m.to_over));
	m.out.failed = !m.to_new || !m.to_over;
	if (!m.out.failed)
		btf = merge(&m, name, diag);
	if (m.out.failed)
		skep_report(diag, SKEP_OOM, NULL, "types of '%s'", name);
	free(m.to_new);
	free(m.to_over);
	text_done(&m.out);
	return btf;
}
