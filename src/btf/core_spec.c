/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core_spec.c - access paths: reading them, and finding them again elsewhere.
 *
 * "0:2:1" is: element 0 of what the pointer points to, its member 2, member 1
 * of that. In the kernel's type the same members are found by name, however
 * deep in anonymous records they lie there.
 */
#include "btf/core.h"

#include <stdio.h>

static const char *const kind_names[CORE_KIND_COUNT] = {
	"byte_off", "byte_sz", "field_exists", "signed", "lshift_u64", "rshift_u64",
	"local_type_id", "target_type_id", "type_exists", "type_size", "enumval_exists",
	"enumval_value", "type_matches",
};

const char *core_kind_name(uint32_t kind)
{
	return kind < CORE_KIND_COUNT ? kind_names[kind] : "unknown";
}

bool core_is_field(uint32_t kind)
{
	return kind <= CORE_FIELD_RSHIFT_U64;
}

bool core_is_enumval(uint32_t kind)
{
	return kind == CORE_ENUMVAL_EXISTS || kind == CORE_ENUMVAL_VALUE;
}

bool core_is_type(uint32_t kind)
{
	return kind < CORE_KIND_COUNT && !core_is_field(kind) && !core_is_enumval(kind);
}

/* Numbers between colons; 0 numbers if the text is anything else. */
static uint32_t read_path(const char *text, uint32_t path[CORE_MAX_PATH])
{
	uint32_t len = 0;

	while (len < CORE_MAX_PATH) {
		uint64_t number = 0;

		if (*text < '0' || *text > '9')
			return 0;
		for (; *text >= '0' && *text <= '9'; text++) {
			number = number * 10 + (uint64_t)(*text - '0');
			if (number > UINT32_MAX)
				return 0;
		}
		path[len++] = (uint32_t)number;
		if (!*text)
			return len;
		if (*text++ != ':')
			return 0;
	}
	return 0;
}

/* An array of no elements at the end of a struct has as many as one asks for. */
static bool is_flexible(const struct core_spec *spec, const struct btf_array *array)
{
	const struct core_step *last = &spec->steps[spec->len - 1];

	return array->nelems == 0 && last->member &&
	       last->index + 1 == btf_vlen(btf_type(spec->btf, last->type));
}

static bool add_bits(struct core_spec *spec, uint64_t elem_size, uint32_t index)
{
	uint64_t bits;

	if (__builtin_mul_overflow(elem_size * 8, (uint64_t)index, &bits))
		return false;
	return !__builtin_add_overflow(spec->bits, bits, &spec->bits) && spec->bits < 1ull << 40;
}

/* Steps into element index of the array type id. Its element type, or 0. */
static uint32_t step_element(struct core_spec *spec, uint32_t id, uint32_t index)
{
	const struct btf_array *array = btf_data(btf_type(spec->btf, id));
	uint32_t elem = btf_skip_mods_and_typedefs(spec->btf, array->type);
	int64_t size = skep_btf_size(spec->btf, elem);

	if (index >= array->nelems && !is_flexible(spec, array))
		return 0;
	if (size < 0 || !add_bits(spec, (uint64_t)size, index))
		return 0;
	spec->steps[spec->len++] = (struct core_step){ .type = elem, .index = index };
	return elem;
}

static const char *parse_field(struct core_spec *spec, const uint32_t *path, uint32_t len)
{
	uint32_t id = btf_skip_mods_and_typedefs(spec->btf, spec->root);
	int64_t size = skep_btf_size(spec->btf, id);

	spec->steps[spec->len++] = (struct core_step){ .type = id, .index = path[0] };
	if (size < 0 || !add_bits(spec, (uint64_t)size, path[0]))
		return "its type has no size";
	for (uint32_t i = 1; i < len; i++) {
		const struct btf_type *t = btf_type(spec->btf, id);

		if (btf_is_record(btf_kind(t))) {
			const struct btf_member *m = btf_data(t);

			if (path[i] >= btf_vlen(t))
				return "its path leads to no member";
			m += path[i];
			spec->bits += btf_member_bit_off(t, path[i]);
			if (*btf_str(spec->btf, m->name_off))
				spec->steps[spec->len++] = (struct core_step){
					id, path[i], m->name_off, true };
			id = btf_skip_mods_and_typedefs(spec->btf, m->type);
		} else if (btf_kind(t) == BTF_ARRAY) {
			id = step_element(spec, id, path[i]);
			if (!id)
				return "its path leads past the end of an array";
		} else {
			return "its path goes on past a type without members";
		}
	}
	return NULL;
}

const char *core_parse(const struct skep_btf *btf, const struct btf_core_relo *relo,
		       struct core_spec *spec)
{
	uint32_t path[CORE_MAX_PATH];
	uint32_t len = read_path(btf_str(btf, relo->access_str_off), path);
	const struct btf_type *t = btf_type(btf, btf_skip_mods_and_typedefs(btf, relo->type_id));

	memset(spec, 0, sizeof(*spec));
	spec->btf = btf;
	spec->root = relo->type_id;
	spec->kind = relo->kind;
	if (relo->kind >= CORE_KIND_COUNT)
		return "its kind is unknown";
	if (!len)
		return "its access string is malformed";
	if (relo->type_id > skep_btf_count(btf))
		return "its type does not exist";
	if (core_is_type(relo->kind))
		return len == 1 && path[0] == 0 ? NULL : "its access string is malformed";
	if (core_is_field(relo->kind))
		return parse_field(spec, path, len);
	if (!btf_is_enum(btf_kind(t)) || len != 1 || path[0] >= btf_vlen(t))
		return "its path leads to no enumerator";
	spec->steps[spec->len++] = (struct core_step){
		.type = btf_skip_mods_and_typedefs(btf, relo->type_id), .index = path[0],
		.name_off = btf_enum_name_off(t, path[0]) };
	return NULL;
}

/* --- in the target --- */

enum { MAX_LOOKS = 1 << 20 };

/*
 * Finds the member that the local step names in the record id or its anonymous
 * members, and steps to it. Its type, or 0. Anonymous nesting is bounded by
 * BTF_MAX_DEPTH, and the members looked at by a budget.
 */
static uint32_t find_member(const struct core_spec *local, const struct core_step *step,
			    struct core_spec *found, uint32_t id)
{
	const struct btf_type *t, *l = btf_type(local->btf, step->type);
	const struct btf_member *m, *lm = (const struct btf_member *)btf_data(l) + step->index;
	const char *name = btf_str(local->btf, step->name_off);

	id = btf_skip_mods_and_typedefs(found->btf, id);
	t = btf_type(found->btf, id);
	m = btf_data(t);
	if (!btf_is_record(btf_kind(t)))
		return 0;
	for (uint32_t i = 0; i < btf_vlen(t) && found->looked_at++ < MAX_LOOKS; i++) {
		const char *theirs = btf_str(found->btf, m[i].name_off);
		uint64_t before = found->bits;

		found->bits += btf_member_bit_off(t, i);
		if (!*theirs) {
			uint32_t inner = find_member(local, step, found, m[i].type);

			if (inner)
				return inner;
		} else if (strcmp(name, theirs) == 0 && found->len < CORE_MAX_PATH) {
			if (!core_fields_compatible(local->btf, lm->type, found->btf, m[i].type))
				return 0;
			found->steps[found->len++] =
				(struct core_step){ id, i, m[i].name_off, true };
			return m[i].type;
		}
		found->bits = before;
	}
	return 0;
}

static int match_field(const struct core_spec *local, uint32_t id, struct core_spec *found)
{
	uint32_t elem = btf_skip_mods_and_typedefs(found->btf, id);
	int64_t size = skep_btf_size(found->btf, elem);

	if (size < 0 || !add_bits(found, (uint64_t)size, local->steps[0].index))
		return 0;
	found->steps[found->len++] =
		(struct core_step){ .type = elem, .index = local->steps[0].index };
	for (uint32_t i = 1; i < local->len; i++) {
		const struct core_step *step = &local->steps[i];

		if (step->member) {
			id = find_member(local, step, found, id);
		} else {
			id = btf_skip_mods_and_typedefs(found->btf, id);
			if (btf_kind(btf_type(found->btf, id)) != BTF_ARRAY)
				return 0;
			id = step_element(found, id, step->index);
		}
		if (!id)
			return 0;
	}
	return 1;
}

static int match_enumval(const struct core_spec *local, uint32_t id, struct core_spec *found)
{
	const char *name = btf_str(local->btf, local->steps[0].name_off);
	const struct btf_type *t;

	id = btf_skip_mods_and_typedefs(found->btf, id);
	t = btf_type(found->btf, id);
	for (uint32_t i = 0; btf_is_enum(btf_kind(t)) && i < btf_vlen(t); i++) {
		if (!core_same_name(name, btf_str(found->btf, btf_enum_name_off(t, i))))
			continue;
		found->steps[found->len++] = (struct core_step){
			.type = id, .index = i, .name_off = btf_enum_name_off(t, i) };
		return 1;
	}
	return 0;
}

int core_match(const struct core_spec *local, const struct skep_btf *target, uint32_t id,
	       struct core_spec *found)
{
	memset(found, 0, sizeof(*found));
	found->btf = target;
	found->root = id;
	found->kind = local->kind;
	if (local->kind == CORE_TYPE_MATCHES)
		return core_types_match(local->btf, local->root, target, id);
	if (core_is_type(local->kind))
		return core_types_compatible(local->btf, local->root, target, id);
	if (core_is_enumval(local->kind))
		return match_enumval(local, id, found);
	return match_field(local, id, found);
}

/* --- in words --- */

/* "sk.__sk_common.skc_family", "comm[3]" */
static void path_text(const struct core_spec *spec, char *text, size_t size)
{
	size_t len = 0;

	text[0] = 0;
	for (uint32_t i = 1; i < spec->len && len < size; i++) {
		const struct core_step *step = &spec->steps[i];
		int wrote = step->member ?
			snprintf(text + len, size - len, "%s%s", len ? "." : "",
				 btf_str(spec->btf, step->name_off)) :
			snprintf(text + len, size - len, "[%u]", step->index);

		len += wrote > 0 ? (size_t)wrote : 0;
	}
}

void core_missing_text(const struct core_spec *local, bool candidates, char *text, size_t size)
{
	const struct btf_type *t = btf_type(local->btf, local->root);
	const char *word = btf_tag_word(t), *name = btf_name(local->btf, t);
	int len = (int)btf_essential_len(name);
	char path[128];

	if (!candidates) {
		snprintf(text, size, "the kernel has no type %s%s%.*s", word, *word ? " " : "", len,
			 name);
	} else if (core_is_enumval(local->kind)) {
		const char *val = btf_str(local->btf, local->steps[0].name_off);

		snprintf(text, size, "%s%s%.*s has no value %.*s", word, *word ? " " : "", len,
			 name, (int)btf_essential_len(val), val);
	} else {
		path_text(local, path, sizeof(path));
		snprintf(text, size, "%s%s%.*s has no field %s", word, *word ? " " : "", len, name,
			 path);
	}
}
