/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * located.c - records that belong to a place in a section: ELF relocations,
 * CO-RE relocations, function and line records. They are sorted once by place
 * when the object is opened, so that a function finds its own by bisection.
 */
#include "object/object.h"

#include <elf.h>

static int compare_located(const void *a, const void *b)
{
	const struct located *x = a, *y = b;

	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static struct located *add(struct located_list *list, uint32_t section, uint64_t offset)
{
	struct located *item = vec_push(list);

	if (item) {
		item->section = section;
		item->slot = (uint32_t)(offset / 8);
		item->order = (uint32_t)list->count;
	}
	return item;
}

static int add_ext(struct skep_object *object, const struct btf_ext_section *sections, size_t count,
		   size_t record, struct located_list *list)
{
	for (size_t s = 0; s < count; s++) {
		uint32_t index = elf_find(&object->elf, sections[s].section);

		for (uint32_t i = 0; index && i < sections[s].count; i++) {
			const char *at = (const char *)sections[s].records + i * record;
			struct located *item = add(list, index, *(const uint32_t *)at);

			if (!item)
				return -ENOMEM;
			item->record = at;
		}
	}
	return 0;
}

static int add_relos(struct skep_object *object, struct skep_diag *diag)
{
	for (size_t s = 1; s < object->elf.section_count; s++) {
		const struct elf_section *section = &object->elf.sections[s];
		const struct elf_section *code = &object->elf.sections[section->info];
		struct skep_where where;

		if (section->type != SHT_REL || section->info >= object->elf.section_count ||
		    !code->code)
			continue;
		for (size_t i = 0; i < elf_relo_count(section); i++) {
			struct elf_relo relo = elf_relo_at(section, i);
			struct located *item;

			where = object_where(object, code->name, NULL);
			if (relo.offset % 8 || relo.offset >= code->size)
				return skep_fail(diag, SKEP_OBJECT_RELO, &where,
						 "relocation at byte %llu, where no instruction "
						 "begins", (unsigned long long)relo.offset);
			item = add(&object->relos, section->info, relo.offset);
			if (!item)
				return skep_fail(diag, SKEP_OOM, &where, "relocations");
			item->symbol = relo.symbol;
			item->type = relo.type;
		}
	}
	return 0;
}

static void sort(struct located_list *list)
{
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), compare_located);
}

int locate_records(struct skep_object *object, struct skep_diag *diag)
{
	const struct btf_ext *ext = &object->ext;
	int error = add_relos(object, diag);

	if (error)
		return error;
	if (add_ext(object, ext->funcs, ext->func_count, sizeof(struct btf_ext_func),
		    &object->func_records) < 0 ||
	    add_ext(object, ext->lines, ext->line_count, sizeof(struct btf_ext_line),
		    &object->line_records) < 0 ||
	    add_ext(object, ext->relos, ext->relo_count, sizeof(struct btf_core_relo),
		    &object->core_records) < 0)
		return skep_fail(diag, SKEP_OOM, NULL, "types of '%s'", object->name);
	sort(&object->relos);
	sort(&object->func_records);
	sort(&object->line_records);
	sort(&object->core_records);
	return 0;
}

/* The first record at or after a place. */
static size_t lower_bound(const struct located_list *list, uint32_t section, uint64_t slot)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct located *item = &list->items[mid];

		if (item->section < section || (item->section == section && item->slot < slot))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* A file, line and text for an instruction of a section; where stays as it is if none is known. */
void located_source(const struct skep_object *object, uint32_t section, uint32_t slot,
		    struct skep_where *where)
{
	size_t after = lower_bound(&object->line_records, section, (uint64_t)slot + 1);
	const struct located *item = after ? &object->line_records.items[after - 1] : NULL;
	const struct btf_ext_line *line = item ? item->record : NULL;

	if (!line || item->section != section || !object->btf)
		return;
	where->file = btf_str(object->btf, line->file_name_off);
	where->text = btf_str(object->btf, line->line_off);
	where->line = line->line_col >> 10;
	where->column = line->line_col & 0x3ff;
}

struct located_span located_in(const struct located_list *list, const struct func *func)
{
	size_t first = lower_bound(list, func->section, func->first);
	size_t end = lower_bound(list, func->section, (uint64_t)func->first + func->count);

	return (struct located_span){ list->items + first, end - first };
}
