/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * extern.c - what an object declares and leaves to the loader to find.
 *
 * An undefined symbol's kind is told by the BTF section that lists it: a
 * variable in ".kconfig" is a setting of the kernel, a variable in ".ksyms" a
 * variable of the kernel or (typed void) just an address, a function in
 * ".ksyms" a kernel function. Settings get a place in the .kconfig map here;
 * the rest is looked up when a program that uses it is linked.
 */
#include "object/object.h"

#include <elf.h>

enum { LINKAGE_EXTERN = 2 };

static int compare_ids(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The BTF ids a section lists, sorted. */
struct id_list {
	uint32_t *ids;           /* owned */
	size_t count;
};

static int section_ids(const struct skep_btf *btf, const char *name, struct id_list *list)
{
	uint32_t id = btf ? skep_btf_find(btf, name, BTF_DATASEC) : 0;
	const struct btf_type *t;

	if (!id)
		return 0;
	t = btf_type(btf, id);
	list->ids = calloc((size_t)btf_vlen(t) + 1, sizeof(*list->ids));
	if (!list->ids)
		return -ENOMEM;
	for (uint32_t i = 0; i < btf_vlen(t); i++)
		list->ids[list->count++] = ((const struct btf_secinfo *)btf_data(t))[i].type;
	if (list->count)
		qsort(list->ids, list->count, sizeof(*list->ids), compare_ids);
	return 0;
}

/* The declaration of an extern: a VAR or a FUNC with extern linkage. */
static uint32_t find_declaration(const struct skep_btf *btf, const char *name)
{
	static const unsigned kinds[] = { BTF_VAR, BTF_FUNC };

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		uint32_t id = skep_btf_find(btf, name, kinds[k]);

		while (id) {
			const struct btf_type *t = btf_type(btf, id);
			uint32_t linkage = btf_kind(t) == BTF_VAR
						   ? *(const uint32_t *)btf_data(t)
						   : btf_vlen(t);

			if (linkage == LINKAGE_EXTERN)
				return id;
			id = btf_find_from(btf, name, kinds[k], id + 1);
		}
	}
	return 0;
}

struct lists {
	struct id_list kconfig, ksyms;
};

static bool listed(const struct id_list *list, uint32_t id)
{
	return list->count &&
	       bsearch(&id, list->ids, list->count, sizeof(*list->ids), compare_ids);
}

static void classify(const struct skep_btf *btf, const struct lists *lists,
		     struct object_extern *ext)
{
	const struct btf_type *t;

	ext->btf_id = btf ? find_declaration(btf, ext->name) : 0;
	if (!ext->btf_id) {
		ext->problem = "it is declared nowhere in the object's types";
		return;
	}
	t = btf_type(btf, ext->btf_id);
	if (listed(&lists->kconfig, ext->btf_id) && btf_kind(t) == BTF_VAR) {
		int64_t size = skep_btf_size(btf, t->type);
		uint32_t align = btf_align(btf, t->type);

		ext->kind = EXTERN_KCONFIG;
		ext->type = btf_skip_mods_and_typedefs(btf, t->type);
		ext->size = size > 0 && size <= 4096 ? (uint32_t)size : 0;
		ext->align = align;
		if (!ext->size || !align)
			ext->problem = "its type is not one for a kernel setting";
	} else if (listed(&lists->ksyms, ext->btf_id)) {
		ext->kind = btf_kind(t) == BTF_FUNC ? EXTERN_KFUNC : EXTERN_KSYM;
		ext->type = t->type;
		ext->untyped = btf_kind(t) == BTF_VAR &&
			       btf_skip_mods_and_typedefs(btf, t->type) == 0;
	} else {
		ext->problem = "it is in neither .kconfig nor .ksyms";
	}
}

/* Large alignment first, then small size, then by name, as libbpf lays it out. */
static int compare_kconfig(const void *a, const void *b)
{
	const struct object_extern *const *x = a, *const *y = b;

	if ((*x)->align != (*y)->align)
		return (*x)->align > (*y)->align ? -1 : 1;
	if ((*x)->size != (*y)->size)
		return (*x)->size < (*y)->size ? -1 : 1;
	return strcmp((*x)->name, (*y)->name);
}

/* Writes the places into the BTF too, as fix_btf() does for other sections. */
static void fix_kconfig_datasec(struct skep_object *object, uint32_t size)
{
	uint32_t id = skep_btf_find(object->btf, ".kconfig", BTF_DATASEC);
	struct btf_type *t = (struct btf_type *)(uintptr_t)btf_type(object->btf, id);
	struct btf_secinfo *vars = (struct btf_secinfo *)(t + 1);

	t->size = size;
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		for (size_t e = 0; e < object->externs.count; e++) {
			const struct object_extern *ext = &object->externs.items[e];

			if (ext->kind == EXTERN_KCONFIG && ext->btf_id == vars[i].type)
				vars[i].offset = ext->offset;
		}
	}
}

static int lay_out_kconfig(struct skep_object *object, struct skep_diag *diag)
{
	struct object_extern **sorted = calloc(object->externs.count + 1, sizeof(*sorted));
	uint64_t end = 0;
	size_t count = 0;

	if (!sorted)
		return skep_fail(diag, SKEP_OOM, NULL, "externs of '%s'", object->name);
	for (size_t i = 0; i < object->externs.count; i++)
		if (object->externs.items[i].kind == EXTERN_KCONFIG &&
		    !object->externs.items[i].problem)
			sorted[count++] = &object->externs.items[i];
	if (count)
		qsort(sorted, count, sizeof(*sorted), compare_kconfig);
	for (size_t i = 0; i < count; i++) {
		end = (end + sorted[i]->align - 1) / sorted[i]->align * sorted[i]->align;
		sorted[i]->offset = (uint32_t)end;
		end += sorted[i]->size;
	}
	free(sorted);
	if (count)
		fix_kconfig_datasec(object, (uint32_t)end);
	object->kconfig_size = (uint32_t)end;
	return 0;
}

enum { MAX_EXTERNS = 4096 };

static int add_extern(struct skep_object *object, uint32_t index, const struct lists *lists,
		      struct skep_diag *diag)
{
	const struct elf_symbol *symbol = &object->elf.symbols[index];
	struct skep_where where = object_where(object, NULL, NULL);
	struct object_extern *ext;

	if (object->externs.count == MAX_EXTERNS)
		return skep_fail(diag, SKEP_OBJECT_TOO_BIG, &where, "more than %d externs",
				 MAX_EXTERNS);
	ext = vec_push(&object->externs);
	if (!ext)
		return skep_fail(diag, SKEP_OOM, &where, "externs");
	ext->name = symbol->name;
	ext->symbol = index;
	ext->weak = symbol->bind == STB_WEAK;
	ext->kind = EXTERN_KSYM;
	classify(object->btf, lists, ext);
	return 0;
}

int collect_externs(struct skep_object *object, struct skep_diag *diag)
{
	struct lists lists = { 0 };
	int error = 0;

	if (section_ids(object->btf, ".kconfig", &lists.kconfig) < 0 ||
	    section_ids(object->btf, ".ksyms", &lists.ksyms) < 0)
		error = skep_fail(diag, SKEP_OOM, NULL, "externs of '%s'", object->name);
	for (uint32_t i = 1; i < object->elf.symbol_count && !error; i++) {
		const struct elf_symbol *symbol = &object->elf.symbols[i];

		if (symbol->section == SHN_UNDEF && symbol->type == STT_NOTYPE &&
		    (symbol->bind == STB_GLOBAL || symbol->bind == STB_WEAK))
			error = add_extern(object, i, &lists, diag);
	}
	free(lists.kconfig.ids);
	free(lists.ksyms.ids);
	return error ? error : lay_out_kconfig(object, diag);
}

struct object_extern *extern_of_symbol(struct skep_object *object, uint32_t symbol)
{
	for (size_t i = 0; i < object->externs.count; i++)
		if (object->externs.items[i].symbol == symbol)
			return &object->externs.items[i];
	return NULL;
}

int collect_kconfig_map(struct skep_object *object, struct skep_diag *diag)
{
	struct skep_object_map *map;

	if (!object->kconfig_size)
		return 0;
	map = object_data_map(object, OBJECT_MAP_KCONFIG, ".kconfig", object->kconfig_size, diag);
	if (!map)
		return -ENOMEM;
	object->kconfig_map = (uint32_t)map->index + 1;
	return 0;
}
