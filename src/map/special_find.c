/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * special_find.c - which bytes of a value are special, by its BTF type.
 *
 * Looked at are the members of the value's struct, or the variables of a data
 * section: those of the kernel's named types below, and pointers tagged kptr.
 * Not looked into are structs inside the struct.
 */
#include <string.h>

#include "base/base.h"
#include "btf/btf.h"
#include "map/special.h"

static const struct { const char *name; uint32_t size; } special_types[] = {
	{ "bpf_spin_lock", 4 },  { "bpf_res_spin_lock", 8 }, { "bpf_timer", 16 },
	{ "bpf_wq", 16 },	 { "bpf_task_work", 8 },     { "bpf_list_head", 16 },
	{ "bpf_list_node", 24 }, { "bpf_rb_root", 16 },      { "bpf_rb_node", 32 },
	{ "bpf_refcount", 4 },
};

static const char *const pointer_tags[] = { "kptr", "kptr_untrusted", "percpu_kptr", "uptr" };

/* The size of the special thing a member of this type is; 0: none. */
static uint32_t special_size(const struct skep_btf *btf, uint32_t id, const char **name)
{
	const struct btf_type *type = btf_type(btf, btf_skip_mods_and_typedefs(btf, id));

	*name = btf_name(btf, type);
	if (btf_kind(type) == BTF_STRUCT)
		for (size_t i = 0; i < ARRAY_SIZE(special_types); i++)
			if (strcmp(*name, special_types[i].name) == 0)
				return special_types[i].size;
	if (btf_kind(type) != BTF_PTR)
		return 0;
	/* Tags come first among what a pointer points through. */
	for (type = btf_type(btf, type->type); btf_kind(type) == BTF_TYPE_TAG;
	     type = btf_type(btf, type->type))
		for (size_t i = 0; i < ARRAY_SIZE(pointer_tags); i++)
			if (strcmp(btf_name(btf, type), pointer_tags[i]) == 0)
				return 8;
	return 0;
}

static void special_add(struct map *map, const struct skep_btf *btf, uint32_t type, uint32_t off)
{
	const char *name;
	uint32_t size = special_size(btf, type, &name), at = map->special_count;

	if (size == 0 || at == MAP_SPECIALS || off > map->value_size ||
	    size > map->value_size - off)
		return;
	if (at > 0 && off < map->special[at - 1].off + map->special[at - 1].size)
		return; /* a union's: the first member counts */
	map->special[at] = (struct map_special){ off, size };
	map->special_count = at + 1;
	if (strcmp(name, "bpf_spin_lock") == 0)
		map->lock_off = (int32_t)off;
}

void special_find(struct map *map, const struct map_spec *spec)
{
	const struct btf_type *type;

	if (!spec->btf || spec->value_type == 0)
		return;
	type = btf_type(spec->btf, btf_skip_mods_and_typedefs(spec->btf, spec->value_type));
	if (btf_kind(type) == BTF_STRUCT) {
		const struct btf_member *member = btf_data(type);

		for (uint32_t i = 0; i < btf_vlen(type); i++)
			special_add(map, spec->btf, member[i].type,
				    btf_member_bit_off(type, i) / 8);
	} else if (btf_kind(type) == BTF_DATASEC) {
		const struct btf_secinfo *var = btf_data(type);

		for (uint32_t i = 0; i < btf_vlen(type); i++)
			special_add(map, spec->btf, btf_type(spec->btf, var[i].type)->type,
				    var[i].offset);
	}
}
