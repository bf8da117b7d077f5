/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.c - the special fields of a type: locks, timers, kernel pointers, list
 * heads and nodes, tree roots and nodes.
 *
 * They are found by the name of a member's type, or by the tag on a pointer, in
 * the structures and arrays the type is made of. Finding follows Linux to the
 * letter, because a member that Linux does not recognise is plain bytes to
 * programs there. In a type with a field that makes no sense Linux finds none at
 * all; if that is in a structure it looks into for objects, it refuses all the
 * types of the program, and loaders go on without them.
 */
#include "verify/call.h"

#include <stdio.h>

#define NESTING_MAX 32
#define UPTR_SIZE_MAX 4096
#define LOOK_MAX 100000

enum field_rule {
	FIELD_ONCE = 1 << 0,     /* one of it in a type */
	FIELD_IN_MAP = 1 << 1, FIELD_IN_OBJECT = 1 << 2,
};

static const struct {
	const char *name;
	uint32_t type, size, align, rules;
} kinds[] = {
	{ "bpf_spin_lock", MAP_FIELD_SPIN_LOCK, 4, 4, FIELD_ONCE | FIELD_IN_MAP | FIELD_IN_OBJECT },
	{ "bpf_res_spin_lock", MAP_FIELD_RES_SPIN_LOCK, 4, 4,
	  FIELD_ONCE | FIELD_IN_MAP | FIELD_IN_OBJECT },
	{ "bpf_timer", MAP_FIELD_TIMER, 16, 8, FIELD_ONCE | FIELD_IN_MAP },
	{ "bpf_wq", MAP_FIELD_WORKQUEUE, 16, 8, FIELD_ONCE | FIELD_IN_MAP },
	{ "bpf_task_work", MAP_FIELD_TASK_WORK, 8, 8, FIELD_ONCE | FIELD_IN_MAP },
	{ "bpf_list_head", MAP_FIELD_LIST_HEAD, 16, 8, FIELD_IN_MAP | FIELD_IN_OBJECT },
	{ "bpf_list_node", MAP_FIELD_LIST_NODE, 24, 8, FIELD_IN_OBJECT },
	{ "bpf_rb_root", MAP_FIELD_RB_ROOT, 16, 8, FIELD_IN_MAP | FIELD_IN_OBJECT },
	{ "bpf_rb_node", MAP_FIELD_RB_NODE, 32, 8, FIELD_IN_OBJECT },
	{ "bpf_refcount", MAP_FIELD_REFCOUNT, 4, 4, FIELD_ONCE | FIELD_IN_MAP | FIELD_IN_OBJECT },
};

static const struct {
	const char *tag;
	uint32_t type, rules;
} pointer_tags[] = {
	{ "kptr_untrusted", MAP_FIELD_KPTR_UNREF, FIELD_IN_MAP | FIELD_IN_OBJECT },
	{ "kptr", MAP_FIELD_KPTR_REF, FIELD_IN_MAP | FIELD_IN_OBJECT },
	{ "percpu_kptr", MAP_FIELD_KPTR_PERCPU, FIELD_IN_MAP | FIELD_IN_OBJECT },
	{ "uptr", MAP_FIELD_UPTR, FIELD_IN_MAP },
};

/* Kernel types that are freed by whoever frees what points to them, and how. */
static const struct {
	const char *type, *destructor;
} owned_types[] = {
	{ "task_struct", "bpf_task_release" }, { "cgroup", "bpf_cgroup_release" },
	{ "bpf_cpumask", "bpf_cpumask_release" }, { "bpf_crypto_ctx", "bpf_crypto_ctx_release" },
	{ "sk_buff", "bpf_kfree_skb" }, { "bpf_ksock", "bpf_ksock_release" },
	{ "prog_test_ref_kfunc", "bpf_kfunc_call_test_release" },
	{ "prog_test_member", "bpf_kfunc_call_memb_release" },
};

struct search {
	struct env *env;
	const struct skep_btf *btf;
	struct map_fields *fields;
	uint32_t rules;          /* FIELD_IN_MAP or FIELD_IN_OBJECT */
	uint32_t looked;
};

/* Where a member stands: its tags are on the type it is a component of. */
struct member_of {
	uint32_t type;
	int component;
};

const char *field_type_name(uint32_t type)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].type == type)
			return kinds[i].name;
	if (type & MAP_FIELD_KPTR)
		return type == MAP_FIELD_KPTR_PERCPU ? "percpu_kptr" : "kptr";
	return type == MAP_FIELD_UPTR ? "uptr" : "unknown";
}

static bool refuse(struct search *s, int error, const char *problem)
{
	s->fields->error = error;
	s->fields->problem = problem;
	return false;
}

static bool add_field(struct search *s, struct map_field field)
{
	struct map_fields *fields = s->fields;

	if (fields->count == ARRAY_SIZE(fields->field))
		return refuse(s, -E2BIG, "it has too many special fields");
	fields->field[fields->count++] = field;
	fields->mask |= field.type;
	return true;
}

/* --- pointers --- */

static bool has_destructor(const struct skep_btf *kernel, const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(owned_types); i++) {
		char name[64];

		if (strcmp(owned_types[i].type, type) != 0)
			continue;
		snprintf(name, sizeof(name), "%s_dtor", owned_types[i].destructor);
		return skep_btf_find(kernel, name, BTF_FUNC) ||
		       skep_btf_find(kernel, owned_types[i].destructor, BTF_FUNC);
	}
	return false;
}

/* The tag before its target says what may be stored in it. */
static bool find_pointer(struct search *s, const struct btf_type *pointer, uint32_t off)
{
	const struct skep_btf *btf = s->btf, *kernel = s->env->kernel_btf;
	const struct btf_type *tag = btf_type(btf, pointer->type), *target;
	struct map_field field = { .off = off, .size = 8, .btf = btf };
	uint32_t kernel_id = 0, rules = 0;

	if (btf_kind(tag) != BTF_TYPE_TAG || btf_kind_flag(tag))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(pointer_tags); i++) {
		if (strcmp(btf_name(btf, tag), pointer_tags[i].tag) != 0)
			continue;
		field.type = pointer_tags[i].type;
		rules = pointer_tags[i].rules;
	}
	if (!(rules & s->rules))
		return true;
	if (btf_kind(btf_type(btf, tag->type)) == BTF_TYPE_TAG)
		return refuse(s, -EINVAL, "a pointer in it has two tags");
	field.btf_id = btf_skip_mods(btf, tag->type);
	target = btf_type(btf, field.btf_id);
	if (btf_kind(target) != BTF_STRUCT)
		return refuse(s, -EINVAL, "a tagged pointer in it is not to a struct");
	if (off % 8)
		return refuse(s, -EINVAL, "a tagged pointer in it is not aligned");
	if (field.type == MAP_FIELD_UPTR) {
		s->fields->no_types |= !target->size || target->size > UPTR_SIZE_MAX;
		if (s->fields->no_types)
			return refuse(s, -E2BIG, "what a uptr in it points to does not fit a page");
		return add_field(s, field);
	}
	if (kernel)
		kernel_id = skep_btf_find(kernel, btf_name(btf, target), BTF_STRUCT);
	if (kernel_id && field.type == MAP_FIELD_KPTR_REF &&
	    !has_destructor(kernel, btf_name(btf, target)))
		return refuse(s, -EINVAL, "a kptr in it is to a kernel type that cannot be owned");
	if (kernel_id) {
		field.btf = kernel;
		field.btf_id = kernel_id;
	}
	return add_field(s, field);
}

/* --- lists and trees --- */

/* "contains:TYPE:MEMBER": what the list or tree holds, and its node in that. */
static bool find_contents(struct search *s, const struct member_of *at, struct map_field *field)
{
	const char *text = btf_decl_tag(s->btf, at->type, at->component, "contains:");
	const char *colon = text ? strchr(text, ':') : NULL;
	const char *node = field->type == MAP_FIELD_LIST_HEAD ? "bpf_list_node" : "bpf_rb_node";
	const struct btf_type *type;
	const struct btf_member *member;
	char name[128];

	if (!colon || (size_t)(colon - text) >= sizeof(name))
		return refuse(s, -EINVAL, "a list or tree in it does not say what it contains");
	snprintf(name, sizeof(name), "%.*s", (int)(colon - text), text);
	field->btf = s->btf;
	field->btf_id = skep_btf_find(s->btf, name, BTF_STRUCT);
	if (!field->btf_id)
		return refuse(s, -ENOENT, "a list or tree in it contains a type that does not exist");
	type = btf_type(s->btf, field->btf_id);
	member = btf_data(type);
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		const struct btf_type *of = btf_type(s->btf, member[i].type);

		if (strcmp(btf_str(s->btf, member[i].name_off), colon + 1) != 0)
			continue;
		if (btf_kind(of) != BTF_STRUCT || strcmp(btf_name(s->btf, of), node) != 0 ||
		    btf_member_bit_off(type, i) % 64)
			return refuse(s, -EINVAL, "a list or tree in it names a member that is no "
				      "node of its kind");
		field->node_off = btf_member_bit_off(type, i) / 8;
		return true;
	}
	return refuse(s, -ENOENT, "a list or tree in it names a member that does not exist");
}

/* --- structures --- */

static bool find_in(struct search *s, uint32_t id, uint32_t off, const struct member_of *at,
		    uint32_t expected_size, unsigned depth);

/* The fields found from `first` on belong to one element: add those of the others. */
static bool repeat(struct search *s, uint32_t first, uint32_t count, uint32_t size)
{
	struct map_fields *fields = s->fields;
	uint32_t each = fields->count - first;
	const uint32_t repeatable = MAP_FIELD_KPTR | MAP_FIELD_UPTR | MAP_FIELD_GRAPH_ROOT;

	for (uint32_t i = first; i < first + each; i++)
		if (count > 1 && !(fields->field[i].type & repeatable))
			return refuse(s, -EINVAL, "an array in it is of fields that cannot repeat");
	for (uint32_t n = 1; each && n < count; n++)
		for (uint32_t i = 0; i < each; i++) {
			struct map_field field = fields->field[first + i];

			field.off += n * size;
			if (!add_field(s, field))
				return false;
		}
	return true;
}

static bool find_in_struct(struct search *s, uint32_t id, uint32_t off, unsigned depth)
{
	const struct btf_type *type = btf_type(s->btf, id);
	const struct btf_member *member = btf_data(type);

	if (depth == NESTING_MAX)
		return refuse(s, -E2BIG, "it is nested too deeply");
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		struct member_of at = { id, (int)i };

		if (btf_member_bit_size(type, i) || btf_member_bit_off(type, i) % 8)
			continue;
		if (!find_in(s, member[i].type, off + btf_member_bit_off(type, i) / 8, &at, 0,
			     depth + 1))
			return false;
	}
	return true;
}

static bool find_named(struct search *s, size_t kind, uint32_t off, const struct member_of *at)
{
	struct map_field field = {
		.type = kinds[kind].type, .off = off, .size = kinds[kind].size,
	};

	if (kinds[kind].rules & FIELD_ONCE && s->fields->mask & field.type)
		return refuse(s, -E2BIG, "it has two fields of a type of which one is allowed");
	if (off % kinds[kind].align)
		return refuse(s, -EINVAL, "a special field in it is not aligned");
	if (field.type & MAP_FIELD_GRAPH_ROOT && !find_contents(s, at, &field))
		return false;
	return add_field(s, field);
}

static bool find_in(struct search *s, uint32_t id, uint32_t off, const struct member_of *at,
		    uint32_t expected_size, unsigned depth)
{
	const struct btf_type *type = btf_type(s->btf, id);
	uint32_t first = s->fields->count;
	uint64_t count = 1;
	size_t kind = 0;

	/* Types can nest so that there is no end to looking. */
	if (++s->looked > LOOK_MAX)
		return refuse(s, -E2BIG, "it is too complex");
	for (; btf_kind(type) == BTF_ARRAY; type = btf_type(s->btf, id)) {
		const struct btf_array *array = btf_data(type);

		if (depth++ == NESTING_MAX)
			return refuse(s, -E2BIG, "it is nested too deeply");
		count = MIN(count * array->nelems, (uint64_t)UINT32_MAX);
		id = array->type;
	}
	if (!count)
		return true;
	if (btf_kind(type) == BTF_PTR)
		return find_pointer(s, type, off) && repeat(s, first, (uint32_t)count, 8);
	if (btf_kind(type) != BTF_STRUCT)
		return true;
	while (kind < ARRAY_SIZE(kinds) && (strcmp(btf_name(s->btf, type), kinds[kind].name) != 0 ||
					    !(kinds[kind].rules & s->rules)))
		kind++;
	if (kind == ARRAY_SIZE(kinds))
		return find_in_struct(s, id, off, depth) &&
		       repeat(s, first, (uint32_t)count, type->size);
	if (type->size != kinds[kind].size ||
	    (expected_size && expected_size != kinds[kind].size * count))
		return true;
	return find_named(s, kind, off, at) && repeat(s, first, (uint32_t)count, type->size);
}

static bool find_all(struct search *s, uint32_t id)
{
	const struct btf_type *type = btf_type(s->btf, id);
	const struct btf_secinfo *info = btf_data(type);

	if (btf_kind(type) == BTF_STRUCT)
		return find_in_struct(s, id, 0, 0);
	if (btf_kind(type) != BTF_DATASEC)
		return true;
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		struct member_of at = { info[i].type, -1 };
		const struct btf_type *var = btf_type(s->btf, info[i].type);

		if (btf_kind(var) == BTF_VAR &&
		    !find_in(s, var->type, info[i].offset, &at, info[i].size, 0))
			return false;
	}
	return true;
}

/* --- whether they go together --- */

static bool check_together(struct search *s)
{
	const struct map_fields *fields = s->fields;
	uint32_t mask = fields->mask, end = 0;

	for (uint32_t i = 0; i < fields->count; i++) {
		if (fields->field[i].off < end)
			return refuse(s, -EEXIST, "special fields in it overlap");
		end = fields->field[i].off + fields->field[i].size;
	}
	if (mask & MAP_FIELD_SPIN_LOCK && mask & MAP_FIELD_RES_SPIN_LOCK)
		return refuse(s, -EINVAL, "it has two kinds of locks");
	if (mask & MAP_FIELD_GRAPH_ROOT &&
	    !(mask & (MAP_FIELD_SPIN_LOCK | MAP_FIELD_RES_SPIN_LOCK)))
		return refuse(s, -EINVAL, "it has a list or tree but no lock for it");
	/* Which of the two collections would a borrowed reference be from? */
	if ((mask & MAP_FIELD_GRAPH_NODE) == MAP_FIELD_GRAPH_NODE && !(mask & MAP_FIELD_REFCOUNT))
		return refuse(s, -EINVAL, "it has a list node and a tree node but no bpf_refcount");
	return true;
}

/* Objects of a collection that own collections themselves could own each other. */
static bool check_ownership(struct search *s)
{
	for (uint32_t i = 0; i < s->fields->count; i++) {
		const struct map_field *field = &s->fields->field[i];
		struct map_fields inner = { 0 };
		struct search look = { s->env, s->btf, &inner, FIELD_IN_OBJECT, 0 };

		if (!(field->type & MAP_FIELD_GRAPH_ROOT))
			continue;
		if (!find_all(&look, field->btf_id) || !check_together(&look))
			return refuse(s, inner.error, inner.problem);
		if (s->fields->mask & MAP_FIELD_GRAPH_NODE && inner.mask & MAP_FIELD_GRAPH_ROOT)
			return refuse(s, -ELOOP, "it owns objects that own others, and is owned "
				      "itself");
	}
	return true;
}

static int by_offset(const void *a, const void *b)
{
	const struct map_field *x = a, *y = b;

	return x->off < y->off ? -1 : x->off > y->off;
}

void find_fields(struct env *env, struct map_fields *fields, const struct skep_btf *btf,
		 uint32_t id, bool in_map)
{
	struct search s = { env, btf, fields, in_map ? FIELD_IN_MAP : FIELD_IN_OBJECT, 0 };

	if (find_all(&s, id) && check_together(&s) && check_ownership(&s)) {
		qsort(fields->field, fields->count, sizeof(fields->field[0]), by_offset);
		return;
	}
	fields->count = 0;
	fields->mask = 0;
}

/* --- types as a whole --- */

/* Linux looks into structures that have such a member themselves. */
static bool is_looked_into(const struct skep_btf *btf, const struct btf_type *type)
{
	const struct btf_member *member = btf_data(type);

	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		const struct btf_type *of = btf_type(btf, member[i].type), *tag;
		const char *name = btf_name(btf, of);

		if (btf_kind(of) == BTF_STRUCT && strncmp(name, "bpf_", 4) == 0)
			for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
				if (kinds[k].rules & FIELD_IN_OBJECT && strcmp(name, kinds[k].name) == 0)
					return true;
		tag = btf_kind(of) == BTF_PTR ? btf_type(btf, of->type) : of;
		if (btf_kind(tag) != BTF_TYPE_TAG || btf_kind_flag(tag))
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(pointer_tags); k++)
			if (pointer_tags[k].rules & FIELD_IN_OBJECT &&
			    strcmp(btf_name(btf, tag), pointer_tags[k].tag) == 0)
				return true;
	}
	return false;
}

void find_refused(struct env *env, struct map_fields *first, const struct skep_btf *btf)
{
	for (uint32_t id = 1; id <= skep_btf_count(btf); id++) {
		const struct btf_type *type = btf_type(btf, id);

		if (btf_kind(type) != BTF_STRUCT || !is_looked_into(btf, type))
			continue;
		*first = (struct map_fields){ 0 };
		find_fields(env, first, btf, id, false);
		if (first->problem) {
			first->of = btf_name(btf, type);
			return;
		}
	}
	*first = (struct map_fields){ 0 };
}
