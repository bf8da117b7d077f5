/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jumptable.c - the tables of a switch: section ".jumptables".
 *
 * A compiler that jumps through a register lays out, for each such jump, the
 * places it may lead to: eight bytes each, the distance of an instruction from
 * the start of the section that the function is in. A sized symbol names the
 * table, and an instruction of the function takes its address.
 *
 * To the kernel a table is a frozen instruction array, and numbers instructions
 * as the linked program has them. So each program has arrays of its own, which
 * come after the object's maps in the list that the program knows maps by.
 */
#include "object/relo.h"

static int bad_table(struct linking *l, uint32_t pc, const char *name, const char *why)
{
	struct skep_where where = l->where;

	where.insn = pc;
	return skep_fail(l->diag, SKEP_OBJECT_RELO, &where, "jump table '%s' %s", name, why);
}

static const struct func *func_around(const struct skep_object *object, uint32_t section,
				      uint32_t slot)
{
	for (size_t i = 0; i < object->funcs.count; i++) {
		const struct func *func = &object->funcs.items[i];

		if (func->section == section && slot >= func->first &&
		    slot - func->first < func->count)
			return func;
	}
	return NULL;
}

/* The table as it was made before for this place of the function; -1: not yet. */
static int64_t find_table(const struct linked *out, uint64_t offset, uint32_t shift)
{
	for (size_t i = 0; i < out->tables.count; i++)
		if (out->tables.items[i].offset == offset && out->tables.items[i].shift == shift)
			return (int64_t)i;
	return -1;
}

static int read_targets(struct linking *l, const struct elf_symbol *symbol,
			const struct located *relo, uint32_t pc, uint32_t *targets)
{
	const struct func *func = func_around(l->object, relo->section, relo->slot);
	const char *data = l->object->elf.sections[symbol->section].data.data;

	if (!func)
		return bad_table(l, pc, symbol->name, "is used outside of functions");
	for (uint64_t i = 0; i < symbol->size / 8; i++) {
		uint64_t at;

		memcpy(&at, data + symbol->value + i * 8, sizeof(at));
		if (at % 8)
			return bad_table(l, pc, symbol->name,
					 "leads to a place where no instruction begins");
		at /= 8;
		if (at < func->first || at - func->first >= func->count)
			return bad_table(l, pc, symbol->name, "leads out of the function");
		targets[i] = (uint32_t)at - relo->slot + pc;
	}
	return 0;
}

static int add_table(struct linking *l, const struct elf_symbol *symbol,
		     const struct located *relo, uint32_t pc)
{
	struct arena *arena = &l->object->strings;
	struct map_spec *spec = arena_alloc(arena, sizeof(*spec));
	uint32_t *targets = arena_alloc(arena, symbol->size / 8 * sizeof(*targets));
	struct jump_table *table;
	int error;

	if (!spec || !targets)
		return skep_fail(l->diag, SKEP_OOM, &l->where, "jump tables");
	error = read_targets(l, symbol, relo, pc, targets);
	if (error)
		return error;
	table = vec_push(&l->out->tables);
	if (!table)
		return skep_fail(l->diag, SKEP_OOM, &l->where, "jump tables");
	*spec = (struct map_spec){
		.name = ".jumptables", .type = BPF_MAP_TYPE_INSN_ARRAY, .key_size = 4,
		.value_size = 16, .max_entries = (uint32_t)(symbol->size / 8),
		.targets = targets,
	};
	*table = (struct jump_table){ symbol->value, pc - relo->slot, spec };
	return 0;
}

bool is_jump_tables(const struct skep_object *object, uint32_t section)
{
	return strcmp(object->elf.sections[section].name, ".jumptables") == 0;
}

int relo_jump_table(struct linking *l, const struct elf_symbol *symbol,
		    const struct located *relo, uint32_t pc, uint32_t *map)
{
	const struct elf_section *section = &l->object->elf.sections[symbol->section];
	int64_t index = find_table(l->out, symbol->value, pc - relo->slot);
	int error = 0;

	if (!symbol->size || symbol->size % 8)
		return bad_table(l, pc, symbol->name, "has no size that is one of a table");
	if (!view_range(section->data, symbol->value, symbol->size, 1))
		return bad_table(l, pc, symbol->name, "is not inside its section");
	if (index < 0) {
		index = (int64_t)l->out->tables.count;
		error = add_table(l, symbol, relo, pc);
	}
	*map = (uint32_t)(l->object->maps.count + (size_t)index);
	return error;
}

int list_maps(struct skep_object *object, struct linked *linked)
{
	size_t count = object->maps.count;

	linked->maps = calloc(count + linked->tables.count + 1, sizeof(struct map_spec *));
	if (!linked->maps)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		linked->maps[i] = object->specs[i];
	for (size_t i = 0; i < linked->tables.count; i++)
		linked->maps[count + i] = linked->tables.items[i].spec;
	linked->map_count = (uint32_t)(count + linked->tables.count);
	return 0;
}
