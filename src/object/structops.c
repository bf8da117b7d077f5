/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * structops.c - structures of functions that the kernel calls.
 *
 * Each variable in SEC(".struct_ops") becomes a map; the relocations of its
 * function pointers tell which program implements which member. The kernel's
 * own structure, found by name, says the member's number; the map's value is
 * the kernel's wrapper around it, "struct bpf_struct_ops_NAME".
 */
#include "object/object.h"

#include <elf.h>
#include <stdio.h>

static bool is_section(const char *name)
{
	name += name[0] == '?';
	return strcmp(name, ".struct_ops") == 0 || strcmp(name, ".struct_ops.link") == 0;
}

/* Flavours as for CO-RE: "tcp_congestion_ops___old". */
static void plain_name(const char *name, char *out, size_t size)
{
	const char *flavour = strstr(name, "___");

	snprintf(out, size, "%.*s", flavour ? (int)(flavour - name) : (int)strlen(name), name);
}

static int bad(struct skep_object *object, const char *section, const char *what, const char *name,
	       struct skep_diag *diag)
{
	struct skep_where where = object_where(object, section, NULL);

	return skep_fail(diag, SKEP_OBJECT_STRUCT_OPS, &where, "'%s': %s", name, what);
}

static int add_map(struct skep_object *object, uint32_t section, const struct btf_secinfo *var,
		   struct skep_diag *diag)
{
	const struct skep_btf *btf = object->btf;
	const char *name = object->elf.sections[section].name;
	const struct btf_type *t = btf_type(btf, var->type);
	uint32_t type = btf_skip_mods_and_typedefs(btf, t->type);
	struct skep_object_map *map;

	if (btf_kind(t) != BTF_VAR || btf_kind(btf_type(btf, type)) != BTF_STRUCT)
		return bad(object, name, "not a structure", btf_name(btf, t), diag);
	map = object_map_add(object, OBJECT_MAP_STRUCT_OPS, btf_name(btf, t), diag);
	if (!map)
		return -ENOMEM;
	map->section = section;
	map->offset = var->offset;
	map->size = var->size;
	map->ops_type = type;
	map->spec.type = BPF_MAP_TYPE_STRUCT_OPS;
	map->spec.key_size = 4;
	map->spec.value_size = btf_type(btf, type)->size;
	map->spec.max_entries = 1;
	map->spec.flags = strstr(name, ".link") ? BPF_F_LINK : 0;
	return 0;
}

static struct skep_object_prog *prog_of(struct skep_object *object,
					const struct elf_symbol *symbol)
{
	for (size_t i = 0; i < object->prog_count; i++) {
		const struct func *func = &object->funcs.items[object->progs[i].func];

		if (func->section == symbol->section && func->first == symbol->value / 8 &&
		    symbol->value % 8 == 0)
			return &object->progs[i];
	}
	return NULL;
}

/* The member of a structure at a byte offset; -1: none. */
static int64_t member_at(const struct btf_type *t, uint64_t offset)
{
	for (uint32_t i = 0; i < btf_vlen(t); i++)
		if (btf_member_bit_off(t, i) == offset * 8)
			return i;
	return -1;
}

static int refer(struct skep_object *object, uint32_t section, struct elf_relo relo,
		 struct skep_diag *diag)
{
	const struct elf_symbol *symbol = &object->elf.symbols[relo.symbol];
	int64_t index = map_covering(object, section, relo.offset);
	struct skep_object_prog *prog = prog_of(object, symbol);
	const struct skep_object_map *map = index < 0 ? NULL : object->maps.items[index];
	int64_t member = -1;

	if (map)
		member = member_at(btf_type(object->btf, map->ops_type), relo.offset - map->offset);
	if (!prog || member < 0)
		return bad(object, object->elf.sections[section].name,
			   "a member refers to what is no struct_ops program", symbol->name, diag);
	prog->ops_map = (uint32_t)index;
	prog->ops_member = (uint32_t)member;
	prog->ops_bound = true;
	return 0;
}

static int collect_section(struct skep_object *object, uint32_t section, struct skep_diag *diag)
{
	const char *name = object->elf.sections[section].name;
	uint32_t id = object->btf ? skep_btf_find(object->btf, name, BTF_DATASEC) : 0;
	const struct btf_type *t;
	int error = 0;

	if (!id)
		return bad(object, name, "type information is missing", name, diag);
	t = btf_type(object->btf, id);
	for (uint32_t i = 0; i < btf_vlen(t) && !error; i++)
		error = add_map(object, section, (const struct btf_secinfo *)btf_data(t) + i, diag);
	for (size_t s = 1; s < object->elf.section_count && !error; s++) {
		const struct elf_section *rel = &object->elf.sections[s];

		if (rel->type != SHT_REL || rel->info != section)
			continue;
		for (size_t i = 0; i < elf_relo_count(rel) && !error; i++)
			error = refer(object, section, elf_relo_at(rel, i), diag);
	}
	return error;
}

int collect_struct_ops(struct skep_object *object, struct skep_diag *diag)
{
	for (uint32_t i = 1; i < object->elf.section_count; i++) {
		int error;

		if (!is_section(object->elf.sections[i].name) ||
		    object->elf.sections[i].type != SHT_PROGBITS || !object->elf.sections[i].size)
			continue;
		error = collect_section(object, i, diag);
		if (error)
			return error;
	}
	return 0;
}

int struct_ops_bind(struct skep_object *object, struct skep_object_prog *prog, uint32_t *type,
		    uint32_t *member, const char **name, struct skep_diag *diag)
{
	const struct skep_btf *kernel = object_kernel_btf(object);
	const struct btf_type *local, *target;
	struct skep_object_map *map;
	char struct_name[256], wrapper[300];

	if (!prog->ops_bound)
		return bad(object, prog->section, "the program isn't referenced anywhere, did you "
			   "forget to use it?", skep_object_prog_name(prog), diag);
	map = object->maps.items[prog->ops_map];
	local = btf_type(object->btf, map->ops_type);
	plain_name(btf_name(object->btf, local), struct_name, sizeof(struct_name));
	*type = kernel ? skep_btf_find(kernel, struct_name, BTF_STRUCT) : 0;
	snprintf(wrapper, sizeof(wrapper), "bpf_struct_ops_%s", struct_name);
	map->spec.struct_ops_type = kernel ? skep_btf_find(kernel, wrapper, BTF_STRUCT) : 0;
	if (!*type || !map->spec.struct_ops_type)
		return bad(object, prog->section, "the kernel has no such structure for programs",
			   struct_name, diag);
	map->spec.value_size = btf_type(kernel, map->spec.struct_ops_type)->size;
	*name = btf_str(object->btf,
			((const struct btf_member *)btf_data(local))[prog->ops_member].name_off);
	target = btf_type(kernel, *type);
	for (uint32_t i = 0; i < btf_vlen(target); i++) {
		const struct btf_member *m = (const struct btf_member *)btf_data(target) + i;

		if (strcmp(btf_str(kernel, m->name_off), *name) == 0) {
			*member = i;
			return 0;
		}
	}
	return bad(object, prog->section, "the kernel's structure has no such member", *name, diag);
}
