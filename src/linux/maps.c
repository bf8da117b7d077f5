/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps.c - an object's maps in the running kernel: making them, giving them
 * their first contents, reading them.
 */
#include "linux/impl.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* --- making --- */

static int settle(struct skep_linux *kernel, struct skep_linux_map *map)
{
	const struct map_type *type = map_type(map->from->spec.type);

	map->spec = map->from->spec;
	map->cpus = type && type->per_cpu ? kernel->possible : 1;
	if (map->spec.type != BPF_MAP_TYPE_PERF_EVENT_ARRAY)
		return 0;
	map->spec.max_entries = map->spec.max_entries ? map->spec.max_entries : kernel->possible;
	map->spec.key_size = map->spec.key_size ? map->spec.key_size : 4;
	map->spec.value_size = map->spec.value_size ? map->spec.value_size : 4;
	return 0;
}

/* Types may be told: the kernel has them, and takes them for maps of this type. */
static bool tells_types(const struct skep_linux *kernel, const struct map_spec *spec)
{
	const struct map_type *type = map_type(spec->type);

	if (kernel->btf < 0 || !spec->btf || !spec->value_type || !type || type->no_btf)
		return false;
	return spec->key_type || !spec->internal || linux_keeps_section(spec->btf, spec->value_type);
}

static int create(const struct skep_linux *kernel, const struct map_spec *spec, int inner)
{
	struct sys_map attr = {
		.type = spec->type, .key_size = spec->key_size, .value_size = spec->value_size,
		.max_entries = spec->max_entries, .flags = spec->flags, .extra = spec->extra,
		.inner_fd = inner >= 0 ? (uint32_t)inner : 0, .numa_node = spec->numa_node,
	};
	int fd;

	snprintf(attr.name, sizeof(attr.name), "%.15s", spec->name);
	if (tells_types(kernel, spec)) {
		attr.btf_fd = (uint32_t)kernel->btf;
		attr.key_type = spec->key_type;
		attr.value_type = spec->value_type;
	}
	fd = (int)sys_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
	/* Some map types take no types; a value that needs them is told of by the verifier. */
	if (fd < 0 && fd != -EPERM && attr.btf_fd) {
		attr.btf_fd = attr.key_type = attr.value_type = 0;
		fd = (int)sys_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
	}
	return fd;
}

static uint32_t map_id(int fd)
{
	struct {
		uint32_t type, id;
	} info = { 0 };
	struct {
		uint32_t fd, size;
		uint64_t info;
	} attr = { (uint32_t)fd, sizeof(info), (uintptr_t)&info };

	return sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) < 0 ? 0 : info.id;
}

static int make_map(struct skep_linux *kernel, struct skep_linux_map *map, struct skep_diag *diag)
{
	struct skep_where where = object_where(kernel->object, NULL, NULL);
	int inner = -1;

	settle(kernel, map);
	if (map->from->kind == OBJECT_MAP_STRUCT_OPS)
		return 0;
	if (map->spec.inner) {
		inner = create(kernel, map->spec.inner, -1);
		map->fd = inner < 0 ? inner : -1;
	}
	if (!map->spec.inner || inner >= 0)
		map->fd = create(kernel, &map->spec, inner);
	if (inner >= 0)
		close(inner);
	if (map->fd >= 0) {
		map->id = map_id(map->fd);
		return 0;
	}
	if (map->fd == -EPERM)
		return sys_denied(map->fd, "create maps", &where, diag);
	return skep_fail(diag, SKEP_LINUX_MAP, &where, "the running kernel does not create map '%s' "
			 "of type %s with %u entries: %s", map->from->name,
			 map_type(map->spec.type) ? map_type(map->spec.type)->name : "unknown",
			 map->spec.max_entries, strerror(-map->fd));
}

/* --- first contents --- */

static int update(const struct skep_linux_map *map, const void *key, const void *value)
{
	struct sys_elem attr = { .fd = (uint32_t)map->fd, .key = (uintptr_t)key,
				 .value = (uintptr_t)value };

	return (int)sys_bpf(BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr));
}

/* Constants are frozen before programs are loaded: then the verifier knows them. */
static int fill_data(struct skep_linux_map *map, struct skep_diag *diag)
{
	struct skep_object_map *from = (struct skep_object_map *)(uintptr_t)map->from;
	bool constant = from->kind == OBJECT_MAP_RODATA || from->kind == OBJECT_MAP_KCONFIG;
	uint32_t zero = 0, fd = (uint32_t)map->fd;
	int error;

	if (map->fd < 0 || !from->spec.internal || (from->kind == OBJECT_MAP_BSS && !from->data))
		return 0;
	if (!map_contents(from))
		return skep_fail(diag, SKEP_OOM, NULL, "map '%s'", from->name);
	error = update(map, &zero, from->data);
	if (error == 0 && constant)
		error = (int)sys_bpf(BPF_MAP_FREEZE, &fd, sizeof(fd));
	if (error < 0)
		return skep_fail(diag, SKEP_LINUX_MAP, NULL, "map '%s' does not take its initial "
				 "contents: %s", from->name, strerror(-error));
	return 0;
}

int linux_make_maps(struct skep_linux *kernel, struct skep_diag *diag)
{
	int error = 0;

	for (size_t i = 0; i < kernel->object->maps.count && !error; i++) {
		error = make_map(kernel, &kernel->maps[i], diag);
		if (!error)
			error = fill_data(&kernel->maps[i], diag);
	}
	return error;
}

static int fill_initial(struct skep_linux *kernel, const struct skep_linux_map *map,
			struct skep_diag *diag)
{
	for (size_t i = 0; i < map->from->initial.count; i++) {
		const struct map_initial *initial = &map->from->initial.items[i];
		int fd = map->from->values_progs ? kernel->progs[initial->target].fd
						 : kernel->maps[initial->target].fd;
		int error;

		if (fd < 0)
			continue; /* a program that is not loaded leaves its slot empty */
		error = update(map, &initial->index, &fd);
		if (error < 0)
			return skep_fail(diag, SKEP_LINUX_MAP, NULL, "map '%s' does not take its "
					 "initial element %u: %s", map->from->name, initial->index,
					 strerror(-error));
	}
	return 0;
}

int linux_fill_maps(struct skep_linux *kernel, struct skep_diag *diag)
{
	int error = 0;

	for (size_t i = 0; i < kernel->object->maps.count && !error; i++)
		if (kernel->maps[i].fd >= 0)
			error = fill_initial(kernel, &kernel->maps[i], diag);
	return error;
}

/* --- for the user --- */

struct skep_linux_map *skep_linux_map(struct skep_linux *kernel, const struct skep_object_map *map)
{
	struct skep_linux_map *found = &kernel->maps[map->index];

	return map->object == kernel->object && found->fd >= 0 ? found : NULL;
}

void skep_linux_map_info(const struct skep_linux_map *map, struct skep_map_info *info)
{
	skep_object_map_info(map->from, info);
	info->key_size = map->spec.key_size;
	info->value_size = map->spec.value_size;
	info->max_entries = map->spec.max_entries;
	info->id = map->id;
}

size_t skep_linux_map_user_value_size(const struct skep_linux_map *map)
{
	const struct map_type *type = map_type(map->spec.type);

	if (type && type->per_cpu)
		return (size_t)map->cpus * ((map->spec.value_size + 7u) & ~(size_t)7);
	return map->spec.value_size;
}

static int element(const struct skep_linux_map *map, int command, const void *key,
		   const void *value, uint64_t flags)
{
	struct sys_elem attr = { .fd = (uint32_t)map->fd, .key = (uintptr_t)key,
				 .value = (uintptr_t)value, .flags = flags };

	return (int)sys_bpf(command, &attr, sizeof(attr));
}

int skep_linux_map_lookup(struct skep_linux_map *map, const void *key, void *value)
{
	return element(map, BPF_MAP_LOOKUP_ELEM, key, value, 0);
}

int skep_linux_map_update(struct skep_linux_map *map, const void *key, const void *value,
			  uint64_t flags)
{
	return element(map, BPF_MAP_UPDATE_ELEM, key, value, flags);
}

int skep_linux_map_delete(struct skep_linux_map *map, const void *key)
{
	return element(map, BPF_MAP_DELETE_ELEM, key, NULL, 0);
}

int skep_linux_map_next_key(struct skep_linux_map *map, const void *key, void *next)
{
	return element(map, BPF_MAP_GET_NEXT_KEY, key, next, 0);
}
