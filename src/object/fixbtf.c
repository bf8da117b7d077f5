/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fixbtf.c - what the compiler leaves out of an object's BTF, because only the
 * ELF symbols tell: sizes of data sections, places of global variables in
 * them, and that a hidden function is as good as static.
 *
 * This happens once, right after the BTF was opened and before anyone else
 * sees it; that is why it may write into types that are constant to others.
 */
#include "object/object.h"

#include <elf.h>

enum { LINKAGE_STATIC = 0, LINKAGE_GLOBAL = 1 };

/* Named, defined symbols of functions and data, sorted by name. */
struct names {
	const struct elf_symbol **items;
	size_t count;
};

static int compare_names(const void *a, const void *b)
{
	const struct elf_symbol *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int collect_names(const struct elf *elf, struct names *names)
{
	names->count = 0;
	names->items = calloc(elf->symbol_count + 1, sizeof(*names->items));
	if (!names->items)
		return -ENOMEM;
	for (size_t i = 0; i < elf->symbol_count; i++) {
		const struct elf_symbol *symbol = &elf->symbols[i];

		if (symbol->bind != STB_LOCAL && symbol->section != SHN_UNDEF)
			names->items[names->count++] = symbol;
	}
	if (names->count)
		qsort(names->items, names->count, sizeof(*names->items), compare_names);
	return 0;
}

static const struct elf_symbol *find_name(const struct names *names, const char *name)
{
	const struct elf_symbol key = { .name = name }, *pointer = &key;
	const struct elf_symbol **found = NULL;

	if (names->count)
		found = bsearch(&pointer, names->items, names->count, sizeof(*names->items),
				compare_names);
	return found ? *found : NULL;
}

static int compare_vars(const void *a, const void *b)
{
	const struct btf_secinfo *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int fix_datasec(struct skep_object *object, const struct names *names, struct btf_type *t,
		       struct skep_diag *diag)
{
	const char *name = btf_name(object->btf, t);
	uint32_t index = elf_find(&object->elf, name);
	struct skep_where where = object_where(object, name, NULL);
	struct btf_secinfo *vars = (struct btf_secinfo *)(t + 1);
	uint64_t size = object->elf.sections[index].size;

	/* No such section: externs, whose layout is the loader's own business. */
	if (!index || t->size)
		return 0;
	if (size > UINT32_MAX)
		return skep_fail(diag, SKEP_OBJECT_TOO_BIG, &where, "section '%s'", name);
	for (uint32_t i = 0; i < btf_vlen(t); i++) {
		const struct btf_type *var = btf_type(object->btf, vars[i].type);
		const struct elf_symbol *symbol;

		if (btf_kind(var) != BTF_VAR)
			continue;
		if (*(const uint32_t *)btf_data(var) != LINKAGE_STATIC) {
			symbol = find_name(names, btf_name(object->btf, var));
			if (!symbol || symbol->section != index || symbol->value > size)
				return skep_fail(diag, SKEP_ELF_BAD, &where, "variable '%s' has "
						 "a type but no place in its section",
						 btf_name(object->btf, var));
			vars[i].offset = (uint32_t)symbol->value;
		}
		if (vars[i].offset > size || vars[i].size > size - vars[i].offset)
			return skep_fail(diag, SKEP_ELF_BAD, &where,
					 "variable '%s' does not fit into its section",
					 btf_name(object->btf, var));
	}
	t->size = (uint32_t)size;
	if (btf_vlen(t))
		qsort(vars, btf_vlen(t), sizeof(*vars), compare_vars);
	return 0;
}

/*
 * The verifier checks a global function by its types alone, a static one with
 * its callers. Nobody outside the object can call a hidden one.
 */
static void fix_func(struct skep_object *object, const struct names *names, struct btf_type *t)
{
	const struct elf_symbol *symbol;

	if (btf_vlen(t) != LINKAGE_GLOBAL)
		return;
	symbol = find_name(names, btf_name(object->btf, t));
	if (symbol && symbol->type == STT_FUNC &&
	    (symbol->visibility == STV_HIDDEN || symbol->visibility == STV_INTERNAL))
		t->info &= ~0xffffffu;
}

int fix_btf(struct skep_object *object, struct skep_diag *diag)
{
	struct names names;
	int error = 0;

	if (!object->btf)
		return 0;
	if (collect_names(&object->elf, &names) < 0)
		return skep_fail(diag, SKEP_OOM, NULL, "symbols of '%s'", object->name);
	for (uint32_t id = 1; id <= skep_btf_count(object->btf) && !error; id++) {
		struct btf_type *t = (struct btf_type *)(uintptr_t)btf_type(object->btf, id);

		if (btf_kind(t) == BTF_DATASEC)
			error = fix_datasec(object, &names, t, diag);
		else if (btf_kind(t) == BTF_FUNC)
			fix_func(object, &names, t);
	}
	free(names.items);
	return error;
}
