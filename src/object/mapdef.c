/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapdef.c - maps defined by types: the structs in SEC(".maps").
 *
 * The variables' bytes mean nothing; their types carry the definition:
 *
 *   __uint(max_entries, 64)   int (*max_entries)[64]        the array's length
 *   __ulong(map_extra, 1<<44) enum { name = 1<<44 } map_extra  the enumerator
 *   __type(key, struct k)     struct k *key                 what it points to
 *   __array(values, T)        T *values[]                   inner maps, programs;
 *                             initial ones are relocations of the variable
 */
#include "object/object.h"

#include <elf.h>
#include <stdio.h>
#include <unistd.h>

/* Searches through the maps of an object are linear. */
enum { MAX_MAPS = 4096 };

struct parser {
	struct skep_object *object;
	const struct skep_btf *btf;
	struct skep_where where;
	struct skep_diag *diag;
	const char *map;         /* its name, for messages */
};

__attribute__((format(printf, 2, 3)))
static int bad(const struct parser *p, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return skep_fail(p->diag, SKEP_OBJECT_MAP, &p->where, "map '%s': %s", p->map, text);
}

struct skep_object_map *object_map_add(struct skep_object *object, enum object_map_kind kind,
				       const char *name, struct skep_diag *diag)
{
	struct skep_object_map *map;
	struct skep_object_map **slot;

	if (object->maps.count == MAX_MAPS) {
		skep_report(diag, SKEP_OBJECT_TOO_BIG, NULL, "'%s' has more than %d maps",
			    object->name, MAX_MAPS);
		return NULL;
	}
	map = calloc(1, sizeof(*map));
	if (map)
		map->name = strdup(name);
	slot = map && map->name ? vec_push(&object->maps) : NULL;
	if (!slot) {
		if (map)
			free(map->name);
		free(map);
		skep_report(diag, SKEP_OOM, NULL, "map '%s'", name);
		return NULL;
	}
	*slot = map;
	map->object = object;
	map->index = object->maps.count - 1;
	map->kind = kind;
	snprintf(map->spec.name, sizeof(map->spec.name), "%s", name);
	return map;
}

/* --- values of members --- */

static int read_uint(const struct parser *p, const char *field, uint32_t type, uint64_t *value)
{
	const struct btf_type *t = btf_type(p->btf, btf_skip_mods(p->btf, type));
	const struct btf_type *array;

	if (btf_kind(t) == BTF_ENUM && btf_vlen(t) == 1) {
		*value = (uint64_t)((const struct btf_enum *)btf_data(t))->val;
		return 0;
	}
	if (btf_kind(t) == BTF_ENUM64 && btf_vlen(t) == 1) {
		const struct btf_enum64 *e = btf_data(t);

		*value = (uint64_t)e->val_hi32 << 32 | e->val_lo32;
		return 0;
	}
	if (btf_kind(t) != BTF_PTR)
		return bad(p, "'%s' is not defined with __uint()", field);
	array = btf_type(p->btf, btf_skip_mods(p->btf, t->type));
	if (btf_kind(array) != BTF_ARRAY)
		return bad(p, "'%s' is not defined with __uint()", field);
	*value = ((const struct btf_array *)btf_data(array))->nelems;
	return 0;
}

static int set_size(const struct parser *p, const char *field, uint64_t size, uint32_t *to)
{
	if (*to && *to != size)
		return bad(p, "%s of %u bytes conflicts with one of %llu", field, *to,
			   (unsigned long long)size);
	*to = (uint32_t)size;
	return 0;
}

/* __type(key, T) and __type(value, T). */
static int read_type(const struct parser *p, const char *field, uint32_t type, uint32_t *id,
		     uint32_t *size)
{
	const struct btf_type *t = btf_type(p->btf, type);
	int64_t bytes;

	if (btf_kind(t) != BTF_PTR)
		return bad(p, "'%s' is not defined with __type()", field);
	bytes = skep_btf_size(p->btf, t->type);
	if (bytes < 0 || bytes > UINT32_MAX)
		return bad(p, "the type of its %s has no size", field);
	*id = t->type;
	return set_size(p, field, (uint64_t)bytes, size);
}

/* The plain numbers of a definition and where they go. */
enum number { N_TYPE, N_MAX_ENTRIES, N_FLAGS, N_NUMA, N_KEY_SIZE, N_VALUE_SIZE, N_PINNING,
	      N_EXTRA, N_COUNT };
static const char *const number_names[N_COUNT] = {
	"type", "max_entries", "map_flags", "numa_node", "key_size", "value_size", "pinning",
	"map_extra",
};

static int set_number(const struct parser *p, enum number number, uint64_t value, bool inner,
		      struct map_spec *spec)
{
	if (number != N_EXTRA && value > UINT32_MAX)
		return bad(p, "'%s' is too large", number_names[number]);
	switch (number) {
	case N_TYPE:
		spec->type = (uint32_t)value;
		return 0;
	case N_MAX_ENTRIES:
		spec->max_entries = (uint32_t)value;
		return 0;
	case N_FLAGS:
		spec->flags = (uint32_t)value;
		return 0;
	case N_NUMA:
		spec->numa_node = (uint32_t)value;
		return 0;
	case N_KEY_SIZE:
		return set_size(p, "key", value, &spec->key_size);
	case N_VALUE_SIZE:
		return set_size(p, "value", value, &spec->value_size);
	case N_PINNING:
		if (inner)
			return bad(p, "inner maps cannot be pinned");
		if (value > 1)
			return bad(p, "pinning %llu is not known", (unsigned long long)value);
		spec->pinning = (int)value;
		return 0;
	case N_EXTRA:
		spec->extra = value;
		return 0;
	case N_COUNT:
		break;
	}
	__builtin_unreachable();
}

static bool holds_maps(uint32_t type)
{
	return type == BPF_MAP_TYPE_ARRAY_OF_MAPS || type == BPF_MAP_TYPE_HASH_OF_MAPS;
}

/* --- one definition --- */

static int read_struct(const struct parser *p, const struct btf_type *def, bool inner,
		       struct map_spec *spec, int64_t *values);

/* What the array "values" is of: the struct of an inner map, or programs. */
static int read_values(const struct parser *p, const struct btf_type *def, uint32_t member,
		       struct skep_object_map *map)
{
	const struct btf_member *m = (const struct btf_member *)btf_data(def) + member;
	const struct btf_type *t = btf_type(p->btf, btf_skip_mods_and_typedefs(p->btf, m->type));
	struct map_spec *spec = &map->spec;
	int64_t none;

	if (btf_kind(t) != BTF_ARRAY || ((const struct btf_array *)btf_data(t))->nelems)
		return bad(p, "'values' is not defined with __array()");
	if (member != btf_vlen(def) - 1)
		return bad(p, "'values' must be the last member");
	map->values_off = btf_member_bit_off(def, member) / 8;
	t = btf_type(p->btf, btf_skip_mods_and_typedefs(
				     p->btf, ((const struct btf_array *)btf_data(t))->type));
	if (btf_kind(t) != BTF_PTR)
		return bad(p, "'values' is not an array of pointers");
	t = btf_type(p->btf, btf_skip_mods_and_typedefs(p->btf, t->type));
	if (spec->type == BPF_MAP_TYPE_PROG_ARRAY) {
		map->values_progs = true;
		return btf_kind(t) == BTF_FUNC_PROTO ? set_size(p, "value", 4, &spec->value_size)
						     : bad(p, "'values' holds no functions");
	}
	if (!holds_maps(spec->type))
		return bad(p, "only maps of maps and program arrays have 'values'");
	if (btf_kind(t) != BTF_STRUCT)
		return bad(p, "'values' holds no map definitions");
	map->inner = calloc(1, sizeof(*map->inner));
	if (!map->inner)
		return skep_fail(p->diag, SKEP_OOM, &p->where, "map '%s'", p->map);
	snprintf(map->inner->name, sizeof(map->inner->name), "%.50s.inner", p->map);
	spec->inner = map->inner;
	return read_struct(p, t, true, map->inner, &none);
}

/* Reads all members but "values", whose index is left in *values (-1: none). */
static int read_struct(const struct parser *p, const struct btf_type *def, bool inner,
		       struct map_spec *spec, int64_t *values)
{
	const struct btf_member *members = btf_data(def);

	*values = -1;
	for (uint32_t i = 0; i < btf_vlen(def); i++) {
		const char *name = btf_str(p->btf, members[i].name_off);
		unsigned number = 0;
		uint64_t value = 0;
		int error;

		while (number < N_COUNT && strcmp(name, number_names[number]) != 0)
			number++;
		if (number < N_COUNT) {
			error = read_uint(p, name, members[i].type, &value);
			if (!error)
				error = set_number(p, number, value, inner, spec);
		} else if (strcmp(name, "key") == 0) {
			error = read_type(p, name, members[i].type, &spec->key_type,
					  &spec->key_size);
		} else if (strcmp(name, "value") == 0) {
			error = read_type(p, name, members[i].type, &spec->value_type,
					  &spec->value_size);
		} else if (strcmp(name, "values") == 0 && !inner) {
			*values = i;
			error = 0;
		} else {
			error = bad(p, "unknown field '%s'", name);
		}
		if (error)
			return error;
	}
	spec->btf = p->btf;
	return spec->type ? 0 : bad(p, "it has no type");
}

/* The sizes libbpf rounds or fills in before it asks the kernel. */
static uint32_t whole_pages(uint32_t size)
{
	uint64_t bytes = (uint64_t)sysconf(_SC_PAGESIZE);

	while (bytes < size)
		bytes *= 2;
	return size && bytes <= UINT32_MAX ? (uint32_t)bytes : size;
}

void map_spec_settle(struct map_spec *spec)
{
	if (spec->type == BPF_MAP_TYPE_RINGBUF || spec->type == BPF_MAP_TYPE_USER_RINGBUF)
		spec->max_entries = whole_pages(spec->max_entries);
	if (holds_maps(spec->type) && !spec->value_size)
		spec->value_size = 4;
}

static int define_map(struct parser *p, const struct btf_secinfo *var, struct skep_diag *diag)
{
	const struct btf_type *t = btf_type(p->btf, var->type);
	const struct btf_type *def = btf_type(p->btf, btf_skip_mods_and_typedefs(p->btf, t->type));
	struct skep_object_map *map;
	int64_t values;
	int error;

	p->map = btf_name(p->btf, t);
	if (btf_kind(t) != BTF_VAR || btf_kind(def) != BTF_STRUCT)
		return bad(p, "its definition is not a struct");
	if (*(const uint32_t *)btf_data(t) != 1)
		return bad(p, "it must be a global variable, not static or extern");
	if (def->size > var->size)
		return bad(p, "its definition is larger than its variable");
	map = object_map_add(p->object, OBJECT_MAP_USER, p->map, diag);
	if (!map)
		return -ENOMEM;
	map->section = p->object->maps_section;
	map->offset = var->offset;
	map->size = var->size;
	error = read_struct(p, def, false, &map->spec, &values);
	if (!error && values >= 0)
		error = read_values(p, def, (uint32_t)values, map);
	if (!error) {
		map_spec_settle(&map->spec);
		if (map->inner)
			map_spec_settle(map->inner);
	}
	return error;
}

int collect_defined_maps(struct skep_object *object, struct skep_diag *diag)
{
	struct parser p = { .object = object, .btf = object->btf, .diag = diag };
	const struct btf_type *section;
	uint32_t id;

	p.where = object_where(object, ".maps", NULL);
	if (!object->maps_section)
		return 0;
	id = object->btf ? skep_btf_find(object->btf, ".maps", BTF_DATASEC) : 0;
	if (!id)
		return skep_fail(diag, SKEP_OBJECT_NO_BTF, &p.where,
				 "maps in SEC(\".maps\") are defined by types, and there are none");
	section = btf_type(object->btf, id);
	for (uint32_t i = 0; i < btf_vlen(section); i++) {
		int error = define_map(&p, (const struct btf_secinfo *)btf_data(section) + i, diag);

		if (error)
			return error;
	}
	return 0;
}

/* --- initial values: relocations of the definitions --- */

int64_t map_covering(const struct skep_object *object, uint32_t section, uint64_t offset)
{
	for (size_t i = 0; i < object->maps.count; i++) {
		const struct skep_object_map *map = object->maps.items[i];

		if (map->section == section && section && offset >= map->offset &&
		    offset - map->offset < map->size)
			return (int64_t)i;
	}
	return -1;
}

static int64_t program_of_symbol(const struct skep_object *object, const struct elf_symbol *symbol)
{
	int64_t func = func_starting(object, symbol->section, symbol->value / 8);

	if (symbol->type != STT_FUNC || func < 0)
		return -1;
	for (size_t i = 0; i < object->prog_count; i++) {
		const struct func *f = &object->funcs.items[object->progs[i].func];

		if (f->section == symbol->section && f->first == symbol->value / 8 &&
		    strcmp(f->name, symbol->name) == 0)
			return (int64_t)i;
	}
	return -1;
}

static int add_initial(const struct parser *p, struct elf_relo relo)
{
	const struct elf_symbol *symbol = &p->object->elf.symbols[relo.symbol];
	int64_t index = map_covering(p->object, p->object->maps_section, relo.offset);
	struct skep_object_map *map = index < 0 ? NULL : p->object->maps.items[index];
	struct map_initial *initial;
	uint64_t off;
	int64_t target;

	if (!map || !map->values_off || relo.offset < map->offset + map->values_off)
		return skep_fail(p->diag, SKEP_OBJECT_RELO, &p->where,
				 "'%s' at %llu of .maps initialises no map", symbol->name,
				 (unsigned long long)relo.offset);
	off = relo.offset - map->offset - map->values_off;
	target = map->values_progs ? program_of_symbol(p->object, symbol)
		 : symbol->section == p->object->maps_section
			 ? map_covering(p->object, symbol->section, symbol->value)
			 : -1;
	if (off % 8 || target < 0)
		return skep_fail(p->diag, SKEP_OBJECT_RELO, &p->where,
				 "map '%s': '%s' is not a %s to hold", map->name, symbol->name,
				 map->values_progs ? "program" : "map");
	initial = vec_push(&map->initial);
	if (!initial)
		return skep_fail(p->diag, SKEP_OOM, &p->where, "map '%s'", map->name);
	*initial = (struct map_initial){ (uint32_t)(off / 8), (uint32_t)target };
	return 0;
}

int collect_initial_values(struct skep_object *object, struct skep_diag *diag)
{
	struct parser p = { .object = object, .diag = diag };

	p.where = object_where(object, ".maps", NULL);
	for (size_t i = 1; object->maps_section && i < object->elf.section_count; i++) {
		const struct elf_section *section = &object->elf.sections[i];

		if (section->type != SHT_REL || section->info != object->maps_section)
			continue;
		for (size_t n = 0; n < elf_relo_count(section); n++) {
			int error = add_initial(&p, elf_relo_at(section, n));

			if (error)
				return error;
		}
	}
	return 0;
}
