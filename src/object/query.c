/* SPDX-License-Identifier: BSD-2-Clause */
/* query.c - what an opened object says about itself. */
#include "object/object.h"

const char *skep_object_name(const struct skep_object *object)
{
	return object->name;
}

const char *skep_object_license(const struct skep_object *object)
{
	return object->license;
}

const struct skep_btf *skep_object_btf(const struct skep_object *object)
{
	return object->btf;
}

size_t skep_object_prog_count(const struct skep_object *object)
{
	return object->prog_count;
}

struct skep_object_prog *skep_object_prog_at(const struct skep_object *object, size_t index)
{
	return index < object->prog_count ? &object->progs[index] : NULL;
}

struct skep_object_prog *skep_object_prog_find(const struct skep_object *object, const char *name)
{
	for (size_t i = 0; i < object->prog_count; i++)
		if (strcmp(skep_object_prog_name(&object->progs[i]), name) == 0)
			return &object->progs[i];
	for (size_t i = 0; i < object->prog_count; i++)
		if (strcmp(object->progs[i].section, name) == 0)
			return &object->progs[i];
	return NULL;
}

const char *skep_object_prog_name(const struct skep_object_prog *prog)
{
	return prog->object->funcs.items[prog->func].name;
}

const char *skep_object_prog_section(const struct skep_object_prog *prog)
{
	return prog->section;
}

const struct skep_verify_result *skep_object_prog_result(const struct skep_object_prog *prog)
{
	return prog->judged.processed || prog->judged.error ? &prog->judged : NULL;
}

const char *skep_object_prog_type(const struct skep_object_prog *prog)
{
	return prog->match.type ? prog->match.type->name : "unspec";
}

const char *skep_object_prog_attach(const struct skep_object_prog *prog)
{
	const char *name = NULL;

	if (prog->match.type && prog->match.has_attach)
		name = attach_type_name(prog->match.attach);
	return name ? name : "";
}

const char *skep_object_prog_target(const struct skep_object_prog *prog)
{
	return prog->match.target ? prog->match.target : "";
}

bool skep_object_prog_autoload(const struct skep_object_prog *prog)
{
	return prog->autoload;
}

void skep_object_prog_set_autoload(struct skep_object_prog *prog, bool autoload)
{
	prog->autoload = autoload;
}

bool skep_object_prog_is_tail_target(const struct skep_object_prog *prog)
{
	const struct skep_object *object = prog->object;

	for (size_t i = 0; i < object->maps.count; i++) {
		const struct skep_object_map *map = object->maps.items[i];

		for (size_t n = 0; map->values_progs && n < map->initial.count; n++) {
			if (map->initial.items[n].target == prog->index)
				return true;
		}
	}
	return false;
}


/* --- maps --- */

size_t skep_object_map_count(const struct skep_object *object)
{
	return object->maps.count;
}

struct skep_object_map *skep_object_map_at(const struct skep_object *object, size_t index)
{
	return index < object->maps.count ? object->maps.items[index] : NULL;
}

/* Global data answers to its section's name too: ".rodata" for "fw.rodata". */
struct skep_object_map *skep_object_map_find(const struct skep_object *object, const char *name)
{
	for (size_t i = 0; i < object->maps.count; i++) {
		struct skep_object_map *map = object->maps.items[i];

		if (strcmp(map->name, name) == 0 ||
		    (map->real_name && strcmp(map->real_name, name) == 0))
			return map;
	}
	return NULL;
}

void skep_object_map_info(const struct skep_object_map *map, struct skep_map_info *info)
{
	const struct map_spec *spec = &map->spec;
	const struct map_type *type = map_type(spec->type);

	*info = (struct skep_map_info){
		.name = map->name,
		.type_name = type ? type->name : "unknown",
		.type = spec->type,
		.key_size = spec->key_size,
		.value_size = spec->value_size,
		.max_entries = spec->max_entries,
		.flags = spec->flags,
		.extra = spec->extra,
		.btf = map->object->btf,
		.key_type = spec->key_type,
		.value_type = spec->value_type,
		.internal = spec->internal,
	};
}

int skep_object_map_set_max_entries(struct skep_object_map *map, uint32_t max_entries)
{
	if (map->spec.internal)
		return -EINVAL;
	map->spec.max_entries = max_entries;
	map_spec_settle(&map->spec);
	return 0;
}

void *skep_object_map_data(struct skep_object_map *map, size_t *size)
{
	void *data;

	if (!map->spec.internal || map->kind == OBJECT_MAP_STRUCT_OPS)
		return NULL;
	data = map_contents(map);
	if (data && size)
		*size = map->spec.value_size;
	return data;
}
