/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapdata.c - maps that nobody wrote down: global data, one map a section,
 * and the untyped definitions of SEC("maps").
 *
 * A data map is an array of one value, the section's bytes. libbpf's name for
 * it is the object's name and the section's, in 15 bytes; sections with a name
 * of their own (".data.cfg") keep just that, and to users all of it.
 */
#include "object/object.h"

#include <ctype.h>
#include <elf.h>
#include <stdio.h>

enum { MAX_BSS = 256 << 20 };

static const char *kind_prefix(enum object_map_kind kind)
{
	switch (kind) {
	case OBJECT_MAP_DATA:
		return ".data";
	case OBJECT_MAP_RODATA:
		return ".rodata";
	case OBJECT_MAP_BSS:
		return ".bss";
	case OBJECT_MAP_USER:
	case OBJECT_MAP_KCONFIG:
	case OBJECT_MAP_STRUCT_OPS:
		break;
	}
	return NULL;
}

/* Is it data of this kind: ".data" or ".data.anything"? */
static bool section_is(const struct elf_section *section, enum object_map_kind kind)
{
	const char *prefix = kind_prefix(kind);
	size_t len = strlen(prefix);
	uint32_t type = kind == OBJECT_MAP_BSS ? SHT_NOBITS : SHT_PROGBITS;

	return section->type == type && !section->code && section->size &&
	       strncmp(section->name, prefix, len) == 0 &&
	       (section->name[len] == '\0' || section->name[len] == '.');
}

static void data_map_name(const struct skep_object *object, const char *section,
			  char name[BPF_OBJ_NAME_LEN])
{
	size_t suffix = MIN(MAX((size_t)7, strlen(section)), BPF_OBJ_NAME_LEN - 1);
	size_t prefix = MIN(BPF_OBJ_NAME_LEN - suffix - 1, strlen(object->base));

	if (strchr(section + 1, '.'))
		prefix = 0;
	snprintf(name, BPF_OBJ_NAME_LEN, "%.*s%.*s", (int)prefix, object->base, (int)suffix,
		 section);
	for (char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_' && *c != '.')
			*c = '_';
}

/* Skeletons map data that has a variable others can name. */
static bool has_public_var(const struct skep_btf *btf, uint32_t section)
{
	const struct btf_type *t = btf_type(btf, section);

	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		const struct btf_secinfo *var = (const struct btf_secinfo *)btf_data(t) + i;
		const struct btf_type *v = btf_type(btf, var->type);

		if (btf_kind(v) == BTF_VAR && *(const uint32_t *)btf_data(v) != 0)
			return true;
	}
	return false;
}

struct skep_object_map *object_data_map(struct skep_object *object, enum object_map_kind kind,
					const char *section, uint64_t size, struct skep_diag *diag)
{
	bool readonly = kind == OBJECT_MAP_RODATA || kind == OBJECT_MAP_KCONFIG;
	uint32_t type = object->btf ? skep_btf_find(object->btf, section, BTF_DATASEC) : 0;
	char name[BPF_OBJ_NAME_LEN];
	struct skep_object_map *map;

	data_map_name(object, section, name);
	map = object_map_add(object, kind, strchr(section + 1, '.') ? section : name, diag);
	if (!map)
		return NULL;
	memcpy(map->spec.name, name, sizeof(name));
	map->real_name = section;
	map->size = size;
	map->spec.type = BPF_MAP_TYPE_ARRAY;
	map->spec.key_size = 4;
	map->spec.value_size = (uint32_t)size;
	map->spec.max_entries = 1;
	map->spec.internal = true;
	map->spec.flags = readonly ? BPF_F_RDONLY_PROG : 0;
	if (type) {
		map->spec.btf = object->btf;
		map->spec.value_type = type;
		if (has_public_var(object->btf, type))
			map->spec.flags |= BPF_F_MMAPABLE;
	}
	return map;
}

int collect_data_maps(struct skep_object *object, struct skep_diag *diag)
{
	static const enum object_map_kind kinds[] = { OBJECT_MAP_DATA, OBJECT_MAP_RODATA,
						      OBJECT_MAP_BSS };
	uint64_t total = 0;

	for (uint32_t i = 1; i < object->elf.section_count; i++) {
		const struct elf_section *section = &object->elf.sections[i];
		struct skep_object_map *map;
		size_t k = 0;

		while (k < ARRAY_SIZE(kinds) && !section_is(section, kinds[k]))
			k++;
		if (k == ARRAY_SIZE(kinds))
			continue;
		total = section->size > MAX_BSS ? UINT64_MAX : total + section->size;
		if (total > MAX_BSS) {
			struct skep_where where = object_where(object, section->name, NULL);

			return skep_fail(diag, SKEP_OBJECT_TOO_BIG, &where,
					 "more than %d MiB of global data", MAX_BSS >> 20);
		}
		map = object_data_map(object, kinds[k], section->name, section->size, diag);
		if (!map)
			return -ENOMEM;
		map->section = i;
	}
	return 0;
}

uint8_t *map_contents(struct skep_object_map *map)
{
	const struct elf_section *section = &map->object->elf.sections[map->section];

	if (map->data)
		return map->data;
	map->data = calloc(1, (size_t)map->spec.value_size + 1);
	if (map->data && section->data.size && map->section)
		memcpy(map->data, section->data.data,
		       MIN(section->data.size, map->spec.value_size));
	return map->data;
}

/* --- SEC("maps") --- */

/*
 * Definitions without types, one after the other. libbpf's has five words;
 * iproute2's has nine, the last of which tie an inner map to its outer one.
 */
struct legacy_def {
	uint32_t type, key_size, value_size, max_entries, flags;
	uint32_t id, pinning, inner_id, inner_idx;
};
enum { LEGACY_SHORT = 20 };

static int compare_symbols(const void *a, const void *b)
{
	const struct elf_symbol *const *x = a, *const *y = b;

	return (*x)->value < (*y)->value ? -1 : (*x)->value > (*y)->value;
}

static int add_legacy_map(struct skep_object *object, uint32_t index,
			  const struct elf_symbol *symbol, uint64_t size, struct legacy_def *def,
			  struct skep_diag *diag)
{
	const struct elf_section *section = &object->elf.sections[index];
	struct skep_where where = object_where(object, section->name, NULL);
	struct skep_object_map *map;

	*def = (struct legacy_def){ 0 };
	if (size < LEGACY_SHORT || !view_range(section->data, symbol->value, size, 1))
		return skep_fail(diag, SKEP_OBJECT_MAP, &where, "map '%s': its definition has "
				 "only %llu bytes", symbol->name, (unsigned long long)size);
	memcpy(def, (const char *)section->data.data + symbol->value, MIN(size, sizeof(*def)));
	map = object_map_add(object, OBJECT_MAP_USER, symbol->name, diag);
	if (!map)
		return -ENOMEM;
	map->section = index;
	map->offset = symbol->value;
	map->size = size;
	map->spec.type = def->type;
	map->spec.key_size = def->key_size;
	map->spec.value_size = def->value_size;
	map->spec.max_entries = def->max_entries;
	map->spec.flags = def->flags;
	map_spec_settle(&map->spec);
	return 0;
}

/* The map whose id an outer map names gives the shape of its inner maps. */
static void tie_inner(struct skep_object *object, size_t first, const struct legacy_def *defs)
{
	for (size_t i = first; i < object->maps.count; i++) {
		struct skep_object_map *map = object->maps.items[i];
		uint32_t wanted = defs[i - first].inner_id;

		for (size_t k = first; wanted && k < object->maps.count; k++)
			if (k != i && defs[k - first].id == wanted &&
			    !defs[k - first].inner_id && !map->spec.inner)
				map->spec.inner = &object->maps.items[k]->spec;
	}
}

int collect_legacy_maps(struct skep_object *object, struct skep_diag *diag)
{
	uint32_t index = elf_find(&object->elf, "maps");
	const struct elf_section *section = &object->elf.sections[index];
	size_t first = object->maps.count;
	const struct elf_symbol **symbols;
	struct legacy_def *defs;
	size_t count = 0;
	int error = 0;

	if (!index || !section->data.size)
		return 0;
	symbols = calloc(object->elf.symbol_count + 1, sizeof(*symbols));
	defs = calloc(object->elf.symbol_count + 1, sizeof(*defs));
	if (!symbols || !defs)
		error = skep_fail(diag, SKEP_OOM, NULL, "maps of '%s'", object->name);
	for (size_t i = 0; !error && i < object->elf.symbol_count; i++) {
		const struct elf_symbol *symbol = &object->elf.symbols[i];

		if (symbol->section == index && symbol->name[0] && symbol->type != STT_SECTION)
			symbols[count++] = symbol;
	}
	if (!error && count)
		qsort(symbols, count, sizeof(*symbols), compare_symbols);
	for (size_t i = 0; !error && i < count; i++) {
		uint64_t end = i + 1 < count ? symbols[i + 1]->value : section->data.size;

		if (symbols[i]->value <= end)
			error = add_legacy_map(object, index, symbols[i], end - symbols[i]->value,
					       &defs[i], diag);
		else
			error = add_legacy_map(object, index, symbols[i], 0, &defs[i], diag);
	}
	if (!error)
		tie_inner(object, first, defs);
	free(symbols);
	free(defs);
	return error;
}
