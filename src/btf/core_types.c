/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core_types.c - when a local type and a kernel type are the same for CO-RE.
 *
 * Three relations, each stricter than the one before: a field may be read
 * through another's declaration; a type "exists" in the kernel; a type
 * "matches" it member by member. All ignore flavours, modifiers, typedefs.
 */
#include "btf/core.h"

/* Types nested deeper than this are not compared: the answer is no. */
enum { CORE_MAX_DEPTH = 32 };

/* "name___flavour", but not "name____x" or a leading "___". */
static bool flavour_at(const char *s)
{
	return s[0] != '_' && s[1] == '_' && s[2] == '_' && s[3] == '_' && s[4] != '_';
}

size_t btf_essential_len(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = len; i >= 5; i--)
		if (flavour_at(name + i - 5))
			return i - 4;
	return len;
}

bool core_same_name(const char *a, const char *b)
{
	size_t len = btf_essential_len(a);

	return len == btf_essential_len(b) && strncmp(a, b, len) == 0;
}

bool core_same_kind(const struct btf_type *a, const struct btf_type *b)
{
	return btf_kind(a) == btf_kind(b) ||
	       (btf_is_enum(btf_kind(a)) && btf_is_enum(btf_kind(b)));
}

bool core_fields_compatible(const struct skep_btf *local, uint32_t local_id,
			    const struct skep_btf *target, uint32_t target_id)
{
	for (;;) {
		const struct btf_type *l, *t;

		l = btf_type(local, btf_skip_mods_and_typedefs(local, local_id));
		t = btf_type(target, btf_skip_mods_and_typedefs(target, target_id));
		if (btf_is_record(btf_kind(l)) && btf_is_record(btf_kind(t)))
			return true;
		if (!core_same_kind(l, t))
			return false;
		switch ((unsigned)btf_kind(l)) {
		case BTF_PTR:
		case BTF_FLOAT:
			return true;
		case BTF_FWD:
		case BTF_ENUM:
		case BTF_ENUM64:
			return !*btf_name(local, l) || !*btf_name(target, t) ||
			       core_same_name(btf_name(local, l), btf_name(target, t));
		case BTF_INT:
			/* Size and sign are read from the target; old bit fields are not. */
			return btf_int_offset(l) == 0 && btf_int_offset(t) == 0;
		case BTF_ARRAY:
			local_id = ((const struct btf_array *)btf_data(l))->type;
			target_id = ((const struct btf_array *)btf_data(t))->type;
			continue;
		default:
			return false;
		}
	}
}

static bool compatible(const struct skep_btf *local, uint32_t local_id,
		       const struct skep_btf *target, uint32_t target_id, int depth)
{
	for (; depth > 0; depth--) {
		const struct btf_type *l, *t;
		const struct btf_param *lp, *tp;

		l = btf_type(local, btf_skip_mods_and_typedefs(local, local_id));
		t = btf_type(target, btf_skip_mods_and_typedefs(target, target_id));
		if (!core_same_kind(l, t))
			return false;
		switch ((unsigned)btf_kind(l)) {
		case BTF_VOID:
		case BTF_STRUCT:
		case BTF_UNION:
		case BTF_ENUM:
		case BTF_ENUM64:
		case BTF_FWD:
			return true;
		case BTF_INT:
			return btf_int_offset(l) == 0 && btf_int_offset(t) == 0;
		case BTF_PTR:
			local_id = l->type;
			target_id = t->type;
			continue;
		case BTF_ARRAY:
			local_id = ((const struct btf_array *)btf_data(l))->type;
			target_id = ((const struct btf_array *)btf_data(t))->type;
			continue;
		case BTF_FUNC_PROTO:
			lp = btf_data(l);
			tp = btf_data(t);
			if (btf_vlen(l) != btf_vlen(t))
				return false;
			for (uint32_t i = 0; i < btf_vlen(l); i++)
				if (!compatible(local, lp[i].type, target, tp[i].type, depth - 1))
					return false;
			local_id = l->type;
			target_id = t->type;
			continue;
		default:
			return false;
		}
	}
	return false;
}

bool core_types_compatible(const struct skep_btf *local, uint32_t local_id,
			   const struct skep_btf *target, uint32_t target_id)
{
	return core_same_kind(btf_type(local, local_id), btf_type(target, target_id)) &&
	       compatible(local, local_id, target, target_id, CORE_MAX_DEPTH);
}

/* Every local enumerator is there by name; values do not matter. */
static bool enums_match(const struct skep_btf *local, const struct btf_type *l,
			const struct skep_btf *target, const struct btf_type *t)
{
	if (l->size != t->size)
		return false;
	for (uint32_t i = 0; i < btf_vlen(l); i++) {
		const char *name = btf_str(local, btf_enum_name_off(l, i));
		uint32_t j = 0;

		while (j < btf_vlen(t) &&
		       !core_same_name(name, btf_str(target, btf_enum_name_off(t, j))))
			j++;
		if (j == btf_vlen(t))
			return false;
	}
	return true;
}

/* Behind a pointer a record and a forward declaration of it are the same. */
static bool tags_match(const struct btf_type *l, const struct btf_type *t)
{
	bool l_union = btf_kind(l) == BTF_FWD ? btf_kind_flag(l) : btf_kind(l) == BTF_UNION;
	bool t_union = btf_kind(t) == BTF_FWD ? btf_kind_flag(t) : btf_kind(t) == BTF_UNION;

	return (btf_is_record(btf_kind(t)) || btf_kind(t) == BTF_FWD) && l_union == t_union;
}

/* A budget, since members multiply with every level that is not a pointer. */
struct matcher {
	const struct skep_btf *local, *target;
	uint32_t steps;
};

static bool match(struct matcher *m, uint32_t local_id, uint32_t target_id, bool behind_ptr,
		  int depth);

static bool records_match(struct matcher *m, const struct btf_type *l, const struct btf_type *t,
			  bool behind_ptr, int depth)
{
	const struct btf_member *lm = btf_data(l), *tm = btf_data(t);

	if (btf_vlen(l) > btf_vlen(t))
		return false;
	for (uint32_t i = 0; i < btf_vlen(l); i++) {
		const char *name = btf_str(m->local, lm[i].name_off);
		bool found = false;

		for (uint32_t j = 0; j < btf_vlen(t) && !found; j++)
			found = core_same_name(name, btf_str(m->target, tm[j].name_off)) &&
				match(m, lm[i].type, tm[j].type, behind_ptr, depth - 1);
		if (!found)
			return false;
	}
	return true;
}

static bool protos_match(struct matcher *m, const struct btf_type *l, const struct btf_type *t,
			 bool behind_ptr, int depth)
{
	const struct btf_param *lp = btf_data(l), *tp = btf_data(t);

	if (btf_vlen(l) != btf_vlen(t))
		return false;
	for (uint32_t i = 0; i < btf_vlen(l); i++)
		if (!match(m, lp[i].type, tp[i].type, behind_ptr, depth - 1))
			return false;
	return match(m, l->type, t->type, behind_ptr, depth - 1);
}

static bool match(struct matcher *m, uint32_t local_id, uint32_t target_id, bool behind_ptr,
		  int depth)
{
	const struct btf_type *l, *t;
	const struct btf_array *la, *ta;

	if (depth <= 0 || m->steps++ > 1000000)
		return false;
	l = btf_type(m->local, btf_skip_mods_and_typedefs(m->local, local_id));
	t = btf_type(m->target, btf_skip_mods_and_typedefs(m->target, target_id));
	if (!core_same_name(btf_name(m->local, l), btf_name(m->target, t)))
		return false;
	la = btf_data(l);
	ta = btf_data(t);
	switch ((unsigned)btf_kind(l)) {
	case BTF_VOID:
		return btf_kind(t) == BTF_VOID;
	case BTF_FWD:
		return behind_ptr ? tags_match(l, t) :
		       btf_kind(t) == BTF_FWD && btf_kind_flag(l) == btf_kind_flag(t);
	case BTF_ENUM:
	case BTF_ENUM64:
		return btf_is_enum(btf_kind(t)) && enums_match(m->local, l, m->target, t);
	case BTF_STRUCT:
	case BTF_UNION:
		if (behind_ptr)
			return tags_match(l, t);
		return btf_kind(l) == btf_kind(t) && records_match(m, l, t, behind_ptr, depth);
	case BTF_INT:
		return btf_kind(t) == BTF_INT && l->size == t->size &&
		       (btf_int_encoding(l) & BTF_INT_SIGNED) ==
		       (btf_int_encoding(t) & BTF_INT_SIGNED);
	case BTF_PTR:
		return btf_kind(t) == BTF_PTR && match(m, l->type, t->type, true, depth - 1);
	case BTF_ARRAY:
		return btf_kind(t) == BTF_ARRAY && la->nelems == ta->nelems &&
		       match(m, la->type, ta->type, behind_ptr, depth - 1);
	case BTF_FUNC_PROTO:
		return btf_kind(t) == BTF_FUNC_PROTO && protos_match(m, l, t, behind_ptr, depth);
	default:
		return false;
	}
}

bool core_types_match(const struct skep_btf *local, uint32_t local_id,
		      const struct skep_btf *target, uint32_t target_id)
{
	struct matcher matcher = { local, target, 0 };

	return match(&matcher, local_id, target_id, false, CORE_MAX_DEPTH);
}
