/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.c - what must hold of types before anything reads them.
 *
 * Three steps. Each type alone: names and ids in range, fields that its kind
 * knows. Then the graph: no type contains itself, no chain of pointers comes
 * back to its start, and nothing nests deeper than BTF_MAX_DEPTH, so that
 * readers may follow types without counting. Last, sizes: no array overflows,
 * no member lies outside its record.
 *
 * What only a loaded BTF must have (section sizes, names that C accepts) is
 * not asked: object files do not have it yet, and Rust and C++ never do.
 */
#include "btf/impl.h"

#include <errno.h>

static int bad(const struct skep_btf *btf, uint32_t id, struct skep_diag *diag, const char *what)
{
	struct skep_where where = SKEP_NOWHERE;
	const struct btf_type *t = btf_type(btf, id);

	where.object = btf->name;
	return skep_fail(diag, SKEP_BTF_BAD, &where, "[%u] %s %s: %s", id,
			 btf_kinds[btf_kind(t)].name, t->name_off ? btf_name(btf, t) : "(anon)",
			 what);
}

/* --- each type alone --- */

static bool name_ok(const struct skep_btf *btf, uint32_t off)
{
	return off < btf->start_str + btf->str_len;
}

static bool names_ok(const struct skep_btf *btf, const struct btf_type *t)
{
	const struct btf_kind_row *row = &btf_kinds[btf_kind(t)];
	const uint32_t *words = btf_data(t);

	/* The first word of an element is a name, but for a DATASEC's. */
	if (!row->each || btf_kind(t) == BTF_DATASEC)
		return true;
	for (uint32_t i = 0; i < btf_vlen(t); i++)
		if (!name_ok(btf, words[i * row->each]))
			return false;
	return true;
}

static const char *int_fault(const struct btf_type *t)
{
	uint32_t encoding = btf_int_encoding(t);

	if (btf_int_word(t) >> 28)
		return "Invalid int_data";
	if (btf_int_bits(t) > 128 ||
	    btf_int_bits(t) + btf_int_offset(t) > (uint64_t)t->size * 8)
		return "nr_bits exceeds type_size";
	if (encoding && encoding != BTF_INT_SIGNED && encoding != BTF_INT_CHAR &&
	    encoding != BTF_INT_BOOL && encoding != (BTF_INT_SIGNED | BTF_INT_CHAR))
		return "Unsupported encoding";
	return NULL;
}

static const char *decl_tag_fault(const struct skep_btf *btf, const struct btf_type *t)
{
	int32_t component = *(const int32_t *)btf_data(t);
	const struct btf_type *target = btf_type(btf, t->type);
	uint32_t limit;

	switch ((unsigned)btf_kind(target)) {
	case BTF_STRUCT:
	case BTF_UNION:
		limit = btf_vlen(target);
		break;
	case BTF_FUNC:
		limit = btf_vlen(btf_type(btf, target->type));
		break;
	case BTF_VAR:
	case BTF_TYPEDEF:
		limit = 0;
		break;
	default:
		return "Invalid type";
	}
	if (component < -1 || (component >= 0 && (uint32_t)component >= limit))
		return "Invalid component_idx";
	return NULL;
}

/* What is wrong with a type, its name and ids being in range; NULL: nothing. */
static const char *kind_fault(const struct skep_btf *btf, const struct btf_type *t)
{
	const struct btf_type *target = btf_type(btf, t->type);

	switch (btf_kind(t)) {
	case BTF_INT:
		return int_fault(t);
	case BTF_ENUM:
	case BTF_ENUM64:
		/* clang gives an enum that was only declared no size. */
		if (t->size > 8 || (t->size & (t->size - 1)) || (!t->size && btf_vlen(t)))
			return "Unexpected size";
		return NULL;
	case BTF_FLOAT:
		if (t->size != 2 && t->size != 4 && t->size != 8 && t->size != 12 &&
		    t->size != 16)
			return "Invalid type_size";
		return NULL;
	case BTF_TYPEDEF:
	case BTF_FWD:
	case BTF_VAR:
	case BTF_DATASEC:
	case BTF_TYPE_TAG:
		return t->name_off ? NULL : "Invalid name";
	case BTF_FUNC:
		if (!t->name_off)
			return "Invalid name";
		if (btf_vlen(t) > 2)
			return "Invalid func linkage";
		return btf_kind(target) == BTF_FUNC_PROTO ? NULL : "Invalid type_id";
	case BTF_DECL_TAG:
		return decl_tag_fault(btf, t);
	case BTF_VOID:
	case BTF_PTR:
	case BTF_ARRAY:
	case BTF_STRUCT:
	case BTF_UNION:
	case BTF_VOLATILE:
	case BTF_CONST:
	case BTF_RESTRICT:
	case BTF_FUNC_PROTO:
	case BTF_KIND_COUNT:
		break;
	}
	return NULL;
}

static int check_type(const struct skep_btf *btf, uint32_t id, struct skep_diag *diag)
{
	const struct btf_type *t = btf_type(btf, id);
	const struct btf_kind_row *row = &btf_kinds[btf_kind(t)];
	uint32_t highest = skep_btf_count(btf);
	const char *fault;

	if (!name_ok(btf, t->name_off) || !names_ok(btf, t))
		return bad(btf, id, diag, "Invalid name_offset");
	if (!row->vlen && btf_vlen(t))
		return bad(btf, id, diag, "vlen != 0");
	if (!row->flag && btf_kind_flag(t))
		return bad(btf, id, diag, "Invalid btf_info kind_flag");
	for (uint32_t i = 0; i < btf_ref_count(t); i++)
		if (btf_ref(t, i) > highest)
			return bad(btf, id, diag, "Invalid type_id");
	fault = kind_fault(btf, t);
	return fault ? bad(btf, id, diag, fault) : 0;
}

/* --- the graph --- */

/* What one walk follows: containment, or chains of pointers. */
enum walk { WALK_VALUES, WALK_POINTERS };

static bool follows(enum walk walk, enum btf_kind kind)
{
	if (walk == WALK_VALUES)
		return kind != BTF_PTR && kind != BTF_VOID;
	return kind == BTF_PTR || kind == BTF_TYPEDEF || btf_is_modifier(kind);
}

/* Of a record: the largest of its members', or 1 if it must be packed. */
static uint32_t record_align(const struct skep_btf *btf, const struct btf_type *t)
{
	const struct btf_member *members = btf_data(t);
	uint32_t most = 1;

	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		uint32_t align = btf_align(btf, members[i].type);

		if (!align)
			continue;
		if (!btf_member_bit_size(t, i) && btf_member_bit_off(t, i) % (align * 8))
			return 1;
		most = MAX(most, align);
	}
	return t->size % most ? 1 : most;
}

static uint32_t compute_align(const struct skep_btf *btf, const struct btf_type *t);

uint32_t btf_align(const struct skep_btf *btf, uint32_t id)
{
	while (id < btf->start_id && btf->base)
		btf = btf->base;
	if (id < btf->start_id || id - btf->start_id >= btf->count)
		return 0;
	return btf->aligns ? btf->aligns[id - btf->start_id] : compute_align(btf, btf_type(btf, id));
}

/* Of a type all of whose references are done, or are sound. */
static uint32_t compute_align(const struct skep_btf *btf, const struct btf_type *t)
{
	switch (btf_kind(t)) {
	case BTF_INT:
	case BTF_ENUM:
	case BTF_ENUM64:
	case BTF_FLOAT:
		/* Sizes that no machine has are possible, and need no alignment. */
		return t->size & (t->size - 1) ? 1 : MIN(MAX(t->size, 1), btf->ptr_size);
	case BTF_PTR:
		return btf->ptr_size;
	case BTF_STRUCT:
	case BTF_UNION:
		return record_align(btf, t);
	case BTF_ARRAY:
	case BTF_TYPEDEF:
	case BTF_VOLATILE:
	case BTF_CONST:
	case BTF_RESTRICT:
	case BTF_TYPE_TAG:
	case BTF_VAR:
		return btf_align(btf, btf_ref(t, 0));
	case BTF_VOID:
	case BTF_FWD:
	case BTF_FUNC:
	case BTF_FUNC_PROTO:
	case BTF_DATASEC:
	case BTF_DECL_TAG:
	case BTF_KIND_COUNT:
		break;
	}
	return 0;
}

struct frame {
	uint32_t id, next; /* next reference to look at */
};

enum { UNSEEN = 0, OPEN = UINT16_MAX }; /* else the height above the leaves, plus 1 */

/* Walks everything below id, depth first, with its own stack. */
static int walk_from(struct skep_btf *btf, enum walk walk, uint32_t id, uint16_t *height,
		     struct skep_diag *diag)
{
	struct frame stack[BTF_MAX_DEPTH];
	uint32_t depth = 0;

	stack[depth++] = (struct frame){ id, 0 };
	height[id - btf->start_id] = OPEN;
	while (depth) {
		struct frame *top = &stack[depth - 1];
		const struct btf_type *t = btf_type(btf, top->id);
		uint32_t ref;

		if (top->next == btf_ref_count(t)) {
			uint16_t own = 1;

			for (uint32_t i = 0; i < top->next; i++) {
				ref = btf_ref(t, i);
				if (ref >= btf->start_id &&
				    follows(walk, btf_kind(btf_type(btf, ref))))
					own = MAX(own, (uint16_t)(height[ref - btf->start_id] + 1));
			}
			if (own > BTF_MAX_DEPTH)
				return bad(btf, top->id, diag, "Exceeded max resolving depth");
			height[top->id - btf->start_id] = own;
			if (walk == WALK_VALUES)
				btf->aligns[top->id - btf->start_id] =
					(uint8_t)compute_align(btf, t);
			depth--;
			continue;
		}
		ref = btf_ref(t, top->next++);
		/* A base BTF was checked by itself and cannot refer to this one. */
		if (ref < btf->start_id || !follows(walk, btf_kind(btf_type(btf, ref))))
			continue;
		if (height[ref - btf->start_id] == OPEN)
			return bad(btf, ref, diag, "Loop detected");
		if (height[ref - btf->start_id] != UNSEEN)
			continue;
		if (depth == BTF_MAX_DEPTH)
			return bad(btf, ref, diag, "Exceeded max resolving depth");
		height[ref - btf->start_id] = OPEN;
		stack[depth++] = (struct frame){ ref, 0 };
	}
	return 0;
}

static int check_graph(struct skep_btf *btf, enum walk walk, struct skep_diag *diag)
{
	uint16_t *height = calloc((size_t)btf->count + 1, sizeof(*height));
	int error = 0;

	if (!height)
		return skep_fail(diag, SKEP_OOM, NULL, "types of '%s'", btf->name);
	for (uint32_t i = 0; i < btf->count && walk == WALK_VALUES; i++)
		if (btf_kind(btf_type(btf, btf->start_id + i)) == BTF_PTR)
			btf->aligns[i] = btf->ptr_size;
	for (uint32_t i = 0; i < btf->count && !error; i++) {
		uint32_t id = btf->start_id + i;

		if (height[i] == UNSEEN && follows(walk, btf_kind(btf_type(btf, id))))
			error = walk_from(btf, walk, id, height, diag);
	}
	free(height);
	return error;
}

/* --- sizes --- */

static const char *array_fault(const struct skep_btf *btf, const struct btf_type *t)
{
	const struct btf_array *array = btf_data(t);
	int64_t size = skep_btf_size(btf, array->type);

	if (size < 0)
		return "Invalid elem";
	if ((uint64_t)size * array->nelems > UINT32_MAX)
		return "Array size overflows u32";
	return NULL;
}

/* Of an INT its bits count, not its size: so old producers wrote bit fields. */
static uint64_t member_bits(const struct skep_btf *btf, const struct btf_type *t, uint32_t i,
			    int64_t size)
{
	const struct btf_member *m = (const struct btf_member *)btf_data(t) + i;
	const struct btf_type *type = btf_type(btf, btf_skip_mods_and_typedefs(btf, m->type));

	if (btf_member_bit_size(t, i))
		return btf_member_bit_size(t, i);
	if (btf_kind(type) == BTF_INT)
		return btf_int_offset(type) + btf_int_bits(type);
	return (uint64_t)size * 8;
}

static const char *record_fault(const struct skep_btf *btf, const struct btf_type *t)
{
	const struct btf_member *members = btf_data(t);
	uint64_t bits = (uint64_t)t->size * 8;

	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		uint64_t off = btf_member_bit_off(t, i);
		uint64_t field = btf_member_bit_size(t, i);
		int64_t size = skep_btf_size(btf, members[i].type);

		if (size < 0)
			return "Invalid member";
		if (off > bits || member_bits(btf, t, i, size) > bits - off)
			return "Member exceeds struct_size";
		if (btf_kind(t) == BTF_UNION && off)
			return "Invalid member bits_offset";
		if (field && field > (uint64_t)size * 8)
			return "Invalid member bitfield_size";
		if (btf_kind_flag(t) && !field && off % 8)
			return "Invalid member bits_offset";
	}
	return NULL;
}

static const char *size_fault(const struct skep_btf *btf, const struct btf_type *t)
{
	const struct btf_secinfo *vars = btf_data(t);

	if (btf_kind(t) == BTF_ARRAY)
		return array_fault(btf, t);
	if (btf_is_record(btf_kind(t)))
		return record_fault(btf, t);
	if (btf_kind(t) != BTF_DATASEC)
		return NULL;
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		enum btf_kind kind = btf_kind(btf_type(btf, vars[i].type));

		/* Object files list external functions in ".ksyms". */
		if (kind != BTF_VAR && kind != BTF_FUNC)
			return "Non-VAR element in DATASEC";
		if (t->size && (vars[i].offset > t->size ||
				vars[i].size > t->size - vars[i].offset))
			return "Invalid offset+size";
	}
	return NULL;
}

int btf_check(struct skep_btf *btf, struct skep_diag *diag)
{
	uint32_t end = btf->start_id + btf->count;
	int error = 0;

	if (btf->sound) /* alignments are found when they are asked for */
		return 0;
	btf->aligns = calloc((size_t)btf->count + 1, 1);
	if (!btf->aligns)
		return skep_fail(diag, SKEP_OOM, NULL, "types of '%s'", btf->name);
	for (uint32_t id = btf->start_id; id < end && !error; id++)
		error = check_type(btf, id, diag);
	if (!error)
		error = check_graph(btf, WALK_VALUES, diag); /* alignments come of it */
	if (!error)
		error = check_graph(btf, WALK_POINTERS, diag);
	for (uint32_t id = btf->start_id; id < end && !error; id++) {
		const char *fault = size_fault(btf, btf_type(btf, id));

		if (fault)
			error = bad(btf, id, diag, fault);
	}
	return error;
}
