/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * global.c - giving a global variable its initial value from text, by the type
 * that BTF gives it: "limit=1500", "cfg.ports[2]=443", "name=eth0".
 */
#include <errno.h>
#include <stdio.h>

#include "base/base.h"
#include "btf/btf.h"
#include <skep/object.h>

/* A typed place inside a map's initial contents. */
struct place {
	const struct skep_btf *btf;
	uint32_t type;
	uint8_t *bytes;
	size_t room;             /* bytes from there to the end of the contents */
	const char *name;        /* the whole name, for messages */
	struct skep_diag *diag;
};

static int complain(const struct place *place, const char *what)
{
	return skep_fail(place->diag, SKEP_ARG, NULL, "%s: %s", place->name, what);
}

/* --- finding it --- */

static const struct btf_type *resolved(struct place *place)
{
	place->type = btf_skip_mods_and_typedefs(place->btf, place->type);
	return btf_type(place->btf, place->type);
}

static int enter(struct place *place, uint32_t type, uint64_t offset)
{
	if (offset > place->room)
		return complain(place, "it lies outside its section");
	place->type = type;
	place->bytes += offset;
	place->room -= (size_t)offset;
	return 0;
}

/* The member of that name, looking through anonymous records too. */
static bool find_member(const struct skep_btf *btf, uint32_t id, const char *name, size_t len,
			uint32_t *type, uint64_t *offset, unsigned depth)
{
	const struct btf_type *t = btf_type(btf, btf_skip_mods_and_typedefs(btf, id));
	const struct btf_member *members = btf_data(t);

	if ((btf_kind(t) != BTF_STRUCT && btf_kind(t) != BTF_UNION) || depth > 16)
		return false;
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		const char *own = btf_str(btf, members[i].name_off);
		uint64_t inside = 0;

		if (btf_member_bit_size(t, i))
			continue;
		if (strlen(own) == len && memcmp(own, name, len) == 0 && len) {
			*type = members[i].type;
			*offset = btf_member_bit_off(t, i) / 8;
			return true;
		}
		if (!*own && find_member(btf, members[i].type, name, len, type, &inside, depth + 1)) {
			*offset = btf_member_bit_off(t, i) / 8 + inside;
			return true;
		}
	}
	return false;
}

static int enter_element(struct place *place, const char **path)
{
	const struct btf_type *t = resolved(place);
	const struct btf_array *array = btf_data(t);
	char *end;
	unsigned long index = strtoul(*path + 1, &end, 0);
	int64_t size;

	if (btf_kind(t) != BTF_ARRAY)
		return complain(place, "it is not an array");
	size = skep_btf_size(place->btf, array->type);
	if (*end != ']' || end == *path + 1)
		return complain(place, "an index is a number in brackets");
	if (index >= array->nelems || size <= 0)
		return complain(place, "the index is outside the array");
	*path = end + 1;
	return enter(place, array->type, (uint64_t)size * index);
}

/* Follow ".member" and "[index]" behind the variable's name. */
static int enter_path(struct place *place, const char *path)
{
	while (*path) {
		uint32_t type;
		uint64_t offset;
		size_t len;
		int error;

		if (*path == '[') {
			error = enter_element(place, &path);
			if (error)
				return error;
			continue;
		}
		len = *path == '.' ? strcspn(path + 1, ".[") : 0;
		if (!find_member(place->btf, place->type, path + 1, len, &type, &offset, 0))
			return complain(place, "its type has no such member");
		error = enter(place, type, offset);
		if (error)
			return error;
		path += 1 + len;
	}
	return 0;
}

/* The variable, if this map's section holds it. */
static bool find_variable(struct skep_object_map *map, const char *name, size_t len,
			  struct place *place)
{
	struct skep_map_info info;
	const struct btf_type *section, *var;
	const struct btf_secinfo *rows;
	size_t size;
	void *bytes = skep_object_map_data(map, &size);

	skep_object_map_info(map, &info);
	if (!bytes || !info.internal || !info.btf)
		return false;
	section = btf_type(info.btf, info.value_type);
	if (btf_kind(section) != BTF_DATASEC)
		return false;
	rows = btf_data(section);
	for (uint32_t i = 0; i < btf_vlen(section); i++) {
		const char *own;

		var = btf_type(info.btf, rows[i].type);
		own = btf_name(info.btf, var);
		if (btf_kind(var) != BTF_VAR || strlen(own) != len || memcmp(own, name, len) != 0)
			continue;
		place->btf = info.btf;
		place->bytes = bytes;
		place->room = size;
		return enter(place, var->type, rows[i].offset) == 0;
	}
	return false;
}

/* --- writing it --- */

static int store(const struct place *place, uint64_t value, size_t size)
{
	if (size > place->room || (size != 1 && size != 2 && size != 4 && size != 8))
		return complain(place, "it has no size that can be set");
	memcpy(place->bytes, &value, size); /* the low bytes: hosts are little-endian */
	return 0;
}

static int set_number(const struct place *place, const char *text, bool is_signed, size_t size)
{
	bool negative = *text == '-';
	unsigned bits = (unsigned)size * 8;
	uint64_t value;
	char *end;

	if (text[0] == '\'' && text[1] && text[2] == '\'' && !text[3])
		return store(place, (uint8_t)text[1], size);
	errno = 0;
	value = strtoull(text, &end, 0);
	if (end == text || *end)
		return skep_fail(place->diag, SKEP_ARG, NULL, "%s: '%s' is not a number",
				 place->name, text);
	if (errno == ERANGE || (negative && !is_signed && value) ||
	    (negative && bits < 64 && (int64_t)value < -((int64_t)1 << (bits - 1))) ||
	    (!negative && bits < 64 && value >> (bits - is_signed)))
		return skep_fail(place->diag, SKEP_ARG_RANGE, NULL, "%s: %s does not fit in %u bits",
				 place->name, text, bits);
	return store(place, value, size);
}

static int set_enum(const struct place *place, const struct btf_type *t, const char *text)
{
	const struct btf_enum *narrow = btf_data(t);
	const struct btf_enum64 *wide = btf_data(t);
	bool is_wide = btf_kind(t) == BTF_ENUM64;

	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		uint32_t name = is_wide ? wide[i].name_off : narrow[i].name_off;

		if (strcmp(btf_str(place->btf, name), text) != 0)
			continue;
		return store(place, is_wide ? (uint64_t)wide[i].val_hi32 << 32 | wide[i].val_lo32 :
					      (uint64_t)(int64_t)narrow[i].val, t->size);
	}
	return set_number(place, text, btf_kind_flag(t), t->size);
}

static int set_int(const struct place *place, uint32_t id, const struct btf_type *t,
		   const char *text)
{
	bool is_signed = false;
	uint32_t bits;

	btf_is_int(place->btf, id, &is_signed, &bits);
	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return store(place, *text == 't', t->size);
	return set_number(place, text, is_signed, t->size);
}

/* A string into an array of characters, with or without quotes around it. */
static int set_string(const struct place *place, const struct btf_array *array, const char *text)
{
	uint32_t element = btf_skip_mods_and_typedefs(place->btf, array->type);
	size_t len = strlen(text);

	if (btf_kind(btf_type(place->btf, element)) != BTF_INT ||
	    skep_btf_size(place->btf, element) != 1)
		return complain(place, "set its elements: name[0], name[1] ...");
	if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
		text++;
		len -= 2;
	}
	if (len > array->nelems || array->nelems > place->room)
		return skep_fail(place->diag, SKEP_ARG_RANGE, NULL,
				 "%s: the text has %zu bytes, the array %u", place->name, len,
				 array->nelems);
	memset(place->bytes, 0, array->nelems);
	memcpy(place->bytes, text, len);
	return 0;
}

static int set_value(struct place *place, const char *text)
{
	const struct btf_type *t = resolved(place);

	switch (btf_kind(t)) {
	case BTF_INT:
		return set_int(place, place->type, t, text);
	case BTF_ENUM:
	case BTF_ENUM64:
		return set_enum(place, t, text);
	case BTF_ARRAY:
		return set_string(place, btf_data(t), text);
	case BTF_PTR:
		return complain(place, "it is a pointer, which only its program can set");
	case BTF_STRUCT:
	case BTF_UNION:
		return complain(place, "set its members: name.member");
	case BTF_VOID: case BTF_FWD: case BTF_TYPEDEF: case BTF_VOLATILE: case BTF_CONST:
	case BTF_RESTRICT: case BTF_FUNC: case BTF_FUNC_PROTO: case BTF_VAR: case BTF_DATASEC:
	case BTF_FLOAT: case BTF_DECL_TAG: case BTF_TYPE_TAG: case BTF_KIND_COUNT:
		break;
	}
	return complain(place, "its type has no value that can be set");
}

int skep_object_set_global(struct skep_object *object, const char *name, const char *value,
			   struct skep_diag *diag)
{
	struct place place = { .name = name, .diag = diag };
	struct skep_where where = SKEP_NOWHERE;
	size_t len = strcspn(name, ".[");
	int error;

	for (size_t i = 0; i < skep_object_map_count(object); i++) {
		if (!find_variable(skep_object_map_at(object, i), name, len, &place))
			continue;
		error = enter_path(&place, name + len);
		return error ? error : set_value(&place, value);
	}
	where.object = skep_object_name(object);
	return skep_fail(diag, SKEP_NO_GLOBAL, &where, "it has no global variable '%.*s'",
			 (int)len, name);
}
