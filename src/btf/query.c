/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * query.c - finding types, and what can be said of one without printing it.
 */
#include "btf/impl.h"

#include <errno.h>

static const struct btf_type btf_void = { 0 };

uint32_t skep_btf_count(const struct skep_btf *btf)
{
	return btf->start_id + btf->count - 1;
}

const struct btf_type *btf_type(const struct skep_btf *btf, uint32_t id)
{
	while (id < btf->start_id && btf->base)
		btf = btf->base;
	if (id < btf->start_id || id - btf->start_id >= btf->count)
		return &btf_void;
	return (const void *)(btf->bytes + btf->offs[id - btf->start_id]);
}

const char *btf_str(const struct skep_btf *btf, uint32_t off)
{
	while (off < btf->start_str && btf->base)
		btf = btf->base;
	return off - btf->start_str < btf->str_len ? btf->strs + (off - btf->start_str) : "";
}

const char *btf_name(const struct skep_btf *btf, const struct btf_type *t)
{
	return btf_str(btf, t->name_off);
}

const char *skep_btf_type_name(const struct skep_btf *btf, uint32_t id)
{
	return btf_name(btf, btf_type(btf, id));
}

uint32_t btf_find_from(const struct skep_btf *btf, const char *name, unsigned kind, uint32_t from)
{
	uint32_t id = 0;

	if (btf->base)
		id = btf_find_from(btf->base, name, kind, from);
	if (id || !btf->count)
		return id;
	id = btf->heads[hash_string(name) & btf->head_mask];
	for (; id; id = btf->next[id - btf->start_id]) {
		const struct btf_type *t = btf_type(btf, id);

		if (id >= from && (!kind || btf_kind(t) == kind) &&
		    strcmp(btf_name(btf, t), name) == 0)
			return id;
	}
	return 0;
}

uint32_t skep_btf_find(const struct skep_btf *btf, const char *name, unsigned kind)
{
	return name && *name ? btf_find_from(btf, name, kind, 1) : 0;
}

uint32_t btf_skip_mods(const struct skep_btf *btf, uint32_t id)
{
	const struct btf_type *t = btf_type(btf, id);

	while (btf_is_modifier(btf_kind(t))) {
		id = t->type;
		t = btf_type(btf, id);
	}
	return id;
}

const char *btf_kind_text(const struct btf_type *t)
{
	static const char *const names[] = {
#define KIND(name, ...) [BTF_##name] = #name,
#include "btf/kind.def"
	};
	unsigned kind = btf_kind(t);

	return kind < ARRAY_SIZE(names) && names[kind] ? names[kind] : "UNKNOWN";
}

uint32_t btf_skip_mods_and_typedefs(const struct skep_btf *btf, uint32_t id)
{
	const struct btf_type *t = btf_type(btf, id);

	while (btf_is_modifier(btf_kind(t)) || btf_kind(t) == BTF_TYPEDEF) {
		id = t->type;
		t = btf_type(btf, id);
	}
	return id;
}

uint32_t btf_member_bit_off(const struct btf_type *t, uint32_t i)
{
	const struct btf_member *m = btf_data(t);

	return btf_kind_flag(t) ? m[i].offset & 0xffffff : m[i].offset;
}

uint32_t btf_member_bit_size(const struct btf_type *t, uint32_t i)
{
	const struct btf_member *m = btf_data(t);

	return btf_kind_flag(t) ? m[i].offset >> 24 : 0;
}

uint32_t btf_enum_name_off(const struct btf_type *t, uint32_t i)
{
	if (btf_kind(t) == BTF_ENUM)
		return ((const struct btf_enum *)btf_data(t))[i].name_off;
	return ((const struct btf_enum64 *)btf_data(t))[i].name_off;
}

uint64_t btf_enum_value(const struct btf_type *t, uint32_t i)
{
	const struct btf_enum64 *wide = btf_data(t);

	if (btf_kind(t) == BTF_ENUM) {
		int32_t val = ((const struct btf_enum *)btf_data(t))[i].val;

		return btf_kind_flag(t) ? (uint64_t)val : (uint32_t)val;
	}
	return (uint64_t)wide[i].val_hi32 << 32 | wide[i].val_lo32;
}

/* References: the third word when it is a type, then those of the elements. */
uint32_t btf_ref_count(const struct btf_type *t)
{
	enum btf_kind kind = btf_kind(t);

	if (kind == BTF_ARRAY)
		return 2;
	if (btf_is_record(kind) || kind == BTF_DATASEC)
		return btf_vlen(t);
	if (kind == BTF_FUNC_PROTO)
		return btf_vlen(t) + 1;
	return kind != BTF_VOID && btf_kinds[kind].third == THIRD_TYPE;
}

uint32_t btf_ref(const struct btf_type *t, uint32_t i)
{
	enum btf_kind kind = btf_kind(t);
	const struct btf_array *array = btf_data(t);

	if (kind == BTF_ARRAY)
		return i ? array->index_type : array->type;
	if (btf_is_record(kind))
		return ((const struct btf_member *)btf_data(t))[i].type;
	if (kind == BTF_DATASEC)
		return ((const struct btf_secinfo *)btf_data(t))[i].type;
	if (kind == BTF_FUNC_PROTO && i)
		return ((const struct btf_param *)btf_data(t))[i - 1].type;
	return t->type;
}

int64_t skep_btf_size(const struct skep_btf *btf, uint32_t id)
{
	uint64_t factor = 1;

	/* Bounded: an opened BTF has no cycles through what is followed here. */
	for (;;) {
		const struct btf_type *t = btf_type(btf, id);
		const struct btf_array *array = btf_data(t);
		enum btf_kind kind = btf_kind(t);
		uint64_t size;

		if (btf_is_modifier(kind) || kind == BTF_TYPEDEF || kind == BTF_VAR ||
		    kind == BTF_DECL_TAG) {
			id = t->type;
			continue;
		}
		if (kind == BTF_ARRAY) {
			factor *= array->nelems;
			if (factor > UINT32_MAX)
				return -EINVAL;
			id = array->type;
			continue;
		}
		if (kind != BTF_PTR && (kind == BTF_VOID || btf_kinds[kind].third != THIRD_SIZE))
			return -ENOENT;
		size = kind == BTF_PTR ? btf->ptr_size : t->size;
		size *= factor;
		return size > UINT32_MAX ? -EINVAL : (int64_t)size;
	}
}

/* The first own tag on a type at or above it, as an index into tags. */
static uint32_t first_tag(const struct skep_btf *btf, uint32_t id)
{
	uint32_t low = 0, high = btf->tag_count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (btf_type(btf, btf->tags[mid])->type < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const char *btf_decl_tag(const struct skep_btf *btf, uint32_t id, int component,
			 const char *prefix)
{
	size_t len = strlen(prefix);

	for (uint32_t i = first_tag(btf, id); i < btf->tag_count; i++) {
		const struct btf_type *tag = btf_type(btf, btf->tags[i]);

		if (tag->type != id)
			break;
		if (*(const int32_t *)btf_data(tag) == component &&
		    strncmp(btf_name(btf, tag), prefix, len) == 0)
			return btf_name(btf, tag) + len;
	}
	return btf->base && id < btf->start_id ?
		btf_decl_tag(btf->base, id, component, prefix) : NULL;
}

bool btf_is_int(const struct skep_btf *btf, uint32_t id, bool *is_signed, uint32_t *bits)
{
	const struct btf_type *t = btf_type(btf, btf_skip_mods_and_typedefs(btf, id));

	if (btf_kind(t) == BTF_INT) {
		*is_signed = btf_int_encoding(t) & BTF_INT_SIGNED;
		*bits = btf_int_bits(t);
		return true;
	}
	if (btf_is_enum(btf_kind(t))) {
		*is_signed = btf_kind_flag(t);
		*bits = t->size * 8;
		return true;
	}
	return false;
}

const char *btf_tag_word(const struct btf_type *t)
{
	switch ((unsigned)btf_kind(t)) {
	case BTF_STRUCT:
		return "struct";
	case BTF_UNION:
		return "union";
	case BTF_FWD:
		return btf_kind_flag(t) ? "union" : "struct";
	case BTF_ENUM:
	case BTF_ENUM64:
		return "enum";
	default:
		return "";
	}
}
