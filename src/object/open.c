/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * open.c - opening an object: from an ELF file to lists of functions, programs,
 * maps and externs.
 *
 * A file describes each of its bytes once, so the functions together may not
 * be larger than the file; that bounds all work that follows.
 */
#include "object/object.h"

#include <elf.h>
#include <pthread.h>
#include <stdio.h>

#include "object/types.h"

enum { MAX_FILE = 1 << 30 };

struct skep_where object_where(const struct skep_object *object, const char *section,
			       const char *program)
{
	struct skep_where where = SKEP_NOWHERE;

	where.object = object->name;
	where.section = section;
	where.program = program;
	return where;
}

/* --- functions --- */

static int add_func(struct skep_object *object, const struct elf_symbol *symbol,
		    struct skep_diag *diag)
{
	const struct elf_section *section = &object->elf.sections[symbol->section];
	struct skep_where where = object_where(object, section->name, symbol->name);
	struct func *func;

	if (symbol->value % 8 || symbol->size % 8 || symbol->size == 0 ||
	    symbol->value > section->data.size ||
	    symbol->size > section->data.size - symbol->value)
		return skep_fail(diag, SKEP_OBJECT_PROG, &where,
				 "function '%s' at %llu with %llu bytes does not lie in its "
				 "section", symbol->name, (unsigned long long)symbol->value,
				 (unsigned long long)symbol->size);
	func = vec_push(&object->funcs);
	if (!func)
		return skep_fail(diag, SKEP_OOM, &where, "functions");
	func->name = symbol->name;
	func->section = symbol->section;
	func->first = (uint32_t)(symbol->value / 8);
	func->count = (uint32_t)(symbol->size / 8);
	/* Functions without a section of their own are for others to call. */
	func->entry = symbol->bind != STB_LOCAL;
	return 0;
}

static int compare_funcs(const void *a, const void *b)
{
	const struct func *x = a, *y = b;

	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return strcmp(x->name, y->name);
}

static bool is_code(const struct elf_section *section)
{
	return section->type == SHT_PROGBITS && section->code && section->data.size;
}

static int collect_funcs(struct skep_object *object, size_t file_size, struct skep_diag *diag)
{
	struct skep_where where = object_where(object, NULL, NULL);
	uint64_t total = 0;

	for (size_t i = 0; i < object->elf.symbol_count; i++) {
		const struct elf_symbol *symbol = &object->elf.symbols[i];
		int error;

		if (symbol->type != STT_FUNC || symbol->section >= object->elf.section_count ||
		    !is_code(&object->elf.sections[symbol->section]))
			continue;
		total += symbol->size;
		if (total > file_size || object->elf.symbol_count > UINT32_MAX)
			return skep_fail(diag, SKEP_OBJECT_PROG, &where,
					 "its functions overlap");
		error = add_func(object, symbol, diag);
		if (error)
			return error;
	}
	if (object->funcs.count)
		qsort(object->funcs.items, object->funcs.count, sizeof(*object->funcs.items),
		      compare_funcs);
	return 0;
}

/*
 * The functions in .text are subprograms, unless the one there is all there
 * is: then somebody wrote a program without a section name.
 */
static void find_entries(struct skep_object *object)
{
	for (size_t i = 0; i < object->funcs.count; i++) {
		struct func *func = &object->funcs.items[i];

		if (func->section == object->text)
			func->entry = object->funcs.count == 1;
		object->prog_count += func->entry;
	}
}

int64_t func_starting(const struct skep_object *object, uint32_t section, uint64_t slot)
{
	size_t low = 0, high = object->funcs.count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct func *func = &object->funcs.items[mid];

		if (func->section < section || (func->section == section && func->first < slot))
			low = mid + 1;
		else
			high = mid;
	}
	if (low == object->funcs.count || object->funcs.items[low].section != section ||
	    object->funcs.items[low].first != slot)
		return -1;
	return (int64_t)low;
}

static int make_progs(struct skep_object *object, struct skep_diag *diag)
{
	struct skep_where where = object_where(object, NULL, NULL);
	size_t n = 0;

	object->progs = calloc(object->prog_count + 1, sizeof(*object->progs));
	if (!object->progs)
		return skep_fail(diag, SKEP_OOM, &where, "programs");
	for (uint32_t i = 0; i < object->funcs.count; i++) {
		const struct func *func = &object->funcs.items[i];
		struct skep_object_prog *prog = &object->progs[n];
		const char *section = object->elf.sections[func->section].name;

		if (!func->entry)
			continue;
		prog->object = object;
		prog->index = n++;
		prog->func = i;
		prog->autoload = section[0] != '?';
		prog->section = section + (section[0] == '?');
		section_match(section, &prog->match);
	}
	return 0;
}

/* --- the parts of a file --- */

static void read_license(struct skep_object *object)
{
	const struct elf_section *section = &object->elf.sections[elf_find(&object->elf,
									   "license")];
	size_t size = MIN(section->data.size, sizeof(object->license) - 1);

	if (size)
		memcpy(object->license, section->data.data, size);
}

static int read_btf(struct skep_object *object, struct skep_diag *diag)
{
	const struct elf_section *btf = &object->elf.sections[elf_find(&object->elf, ".BTF")];
	const struct elf_section *ext = &object->elf.sections[elf_find(&object->elf,
								       ".BTF.ext")];

	if (!btf->data.size)
		return 0;
	object->btf = skep_btf_open(btf->data.data, btf->data.size, NULL, object->name, diag);
	if (!object->btf)
		return -EINVAL;
	if (!ext->data.size)
		return 0;
	return btf_ext_open(object->btf, ext->data.data, ext->data.size, &object->ext, diag);
}

/* libbpf's: the file name up to its first dot, cut to what the kernel takes. */
static void set_base_name(struct skep_object *object)
{
	const char *slash = strrchr(object->name, '/');
	const char *base = slash ? slash + 1 : object->name;
	size_t len = strcspn(base, ".");

	len = MIN(len, sizeof(object->base) - 1);
	memcpy(object->base, base, len);
}

static int object_read(struct skep_object *object, size_t size, struct skep_diag *diag)
{
	struct view image = { object->image, size };
	int error = elf_open(image, object->name, &object->elf, diag);

	if (error)
		return error;
	object->text = elf_find(&object->elf, ".text");
	object->maps_section = elf_find(&object->elf, ".maps");
	read_license(object);
	error = read_btf(object, diag);
	if (!error)
		error = fix_btf(object, diag);
	if (!error)
		error = collect_funcs(object, size, diag);
	if (error)
		return error;
	find_entries(object);
	error = make_progs(object, diag);
	if (!error)
		error = locate_records(object, diag);
	if (!error)
		error = collect_externs(object, diag);
	if (!error)
		error = collect_defined_maps(object, diag);
	if (!error)
		error = collect_legacy_maps(object, diag);
	if (!error)
		error = collect_data_maps(object, diag);
	if (!error)
		error = collect_kconfig_map(object, diag);
	if (!error)
		error = collect_struct_ops(object, diag);
	if (!error)
		error = collect_initial_values(object, diag);
	if (error)
		return error;
	object->specs = calloc(object->maps.count + 1, sizeof(*object->specs));
	if (!object->specs)
		return skep_fail(diag, SKEP_OOM, NULL, "maps of '%s'", object->name);
	for (size_t i = 0; i < object->maps.count; i++)
		object->specs[i] = &object->maps.items[i]->spec;
	return 0;
}

static uint64_t next_serial(void)
{
	static uint64_t serial;

	return __atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED);
}

/* Takes over image, which was made by malloc(), even when it fails. */
static struct skep_object *open_owned(void *image, size_t size, const char *name,
				      struct skep_diag *diag)
{
	struct skep_object *object = calloc(1, sizeof(*object));

	if (object) {
		object->serial = next_serial();
		object->image = image;
		object->name = strdup(name);
	}
	if (!object || !object->name) {
		skep_report(diag, SKEP_OOM, NULL, "object '%s'", name);
		if (object)
			skep_object_free(object);
		else
			free(image);
		return NULL;
	}
	set_base_name(object);
	if (object_read(object, size, diag) < 0) {
		skep_object_free(object);
		return NULL;
	}
	return object;
}

struct skep_object *skep_object_open(const void *image, size_t size, const char *name,
				     struct skep_diag *diag)
{
	void *copy = malloc(size + 1);

	name = name ? name : "object";
	if (!copy) {
		skep_report(diag, SKEP_OOM, NULL, "object '%s'", name);
		return NULL;
	}
	if (size)
		memcpy(copy, image, size);
	return open_owned(copy, size, name, diag);
}

struct skep_object *skep_object_open_file(const char *path, struct skep_diag *diag)
{
	struct skep_where where = SKEP_NOWHERE;
	void *image;
	size_t size;
	int error = read_file(path, &image, &size, MAX_FILE);

	if (error) {
		where.object = path;
		skep_report(diag, error == -ENOMEM ? SKEP_OOM : SKEP_IO, &where,
			    "cannot read '%s': %s", path, strerror(-error));
		if (error == -EISDIR)
			skep_help(diag, "name the object files in it: %s/*.o", path);
		return NULL;
	}
	return open_owned(image, size, path, diag);
}

static void object_map_free(struct skep_object_map *map)
{
	if (!map)
		return;
	vec_done(&map->initial);
	free(map->inner);
	free(map->data);
	free(map->name);
	free(map);
}

static void forget_relocated(struct skep_object *object)
{
	for (size_t i = 0; object->progs && i < object->prog_count; i++) {
		linked_done(&object->progs[i].linked);
		skep_verify_result_done(&object->progs[i].judged);
		object->progs[i].is_linked = false;
	}
	for (size_t i = 0; i < object->funcs.count; i++) {
		struct func *func = &object->funcs.items[i];

		free(func->insns);
		func->insns = NULL;
		vec_done(&func->poisons);
	}
	for (size_t i = 0; i < object->externs.count; i++)
		object->externs.items[i].resolved = false;
	object->linked_slots = 0;
	core_target_free(object->core);
	object->core = NULL;
}

void skep_object_free(struct skep_object *object)
{
	if (!object)
		return;
	forget_relocated(object);
	for (size_t i = 0; object->progs && i < object->prog_count; i++)
		aim_done(&object->progs[i].aim);
	for (size_t i = 0; i < object->maps.count; i++)
		object_map_free(object->maps.items[i]);
	vec_done(&object->maps);
	vec_done(&object->externs);
	vec_done(&object->relos);
	vec_done(&object->func_records);
	vec_done(&object->line_records);
	vec_done(&object->core_records);
	vec_done(&object->funcs);
	free(object->progs);
	free(object->specs);
	btf_ext_done(&object->ext);
	skep_btf_unref(object->btf);
	skep_btf_unref(object->kernel_own);
	skep_btf_unref(object->machine_types);
	elf_done(&object->elf);
	arena_done(&object->strings);
	free(object->image);
	free(object->name);
	free(object);
}

/* --- the kernel's types --- */

/* Opened once in a process: it is large, and all objects want the same. */
static struct skep_btf *running_kernel_btf(void)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct skep_btf *kernel;
	struct skep_btf *btf;

	pthread_mutex_lock(&lock);
	if (!kernel)
		kernel = skep_btf_open_kernel(NULL);
	btf = kernel ? skep_btf_ref(kernel) : NULL;
	pthread_mutex_unlock(&lock);
	return btf;
}

const struct skep_btf *object_kernel_btf(struct skep_object *object)
{
	if (!object->kernel && !object->kernel_tried) {
		object->kernel_tried = true;
		if (!object->kernel_own)
			object->kernel_own = running_kernel_btf();
		if (!object->kernel_own)
			object->kernel_own = skep_btf_open_machine(NULL);
		object->kernel = object->kernel_own;
	}
	return object->kernel;
}

/* The last that were made, as making them of a kernel's takes its time. */
static struct skep_btf *types_over(const struct skep_btf *kernel, struct skep_diag *diag)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct skep_btf *from, *made;
	struct skep_btf *btf;

	pthread_mutex_lock(&lock);
	if (!made || from != kernel) {
		btf = machine_types(kernel, diag);
		if (btf) {
			skep_btf_unref(made);
			skep_btf_unref(from);
			made = btf;
			from = kernel ? skep_btf_ref(kernel) : NULL;
		}
	} else {
		btf = made;
	}
	btf = btf ? skep_btf_ref(btf) : NULL;
	pthread_mutex_unlock(&lock);
	return btf;
}

static int use_types_over_kernel(struct skep_object *object, struct skep_diag *diag)
{
	const struct skep_btf *kernel = object_kernel_btf(object);
	struct skep_btf *types;

	if (kernel && kernel == object->machine_types)
		return 0;
	types = types_over(kernel, diag);
	if (!types)
		return -ENOMEM;
	forget_relocated(object);
	skep_btf_unref(object->machine_types);
	object->machine_types = types;
	object->kernel = types;
	return 0;
}

/* The machine's own alone, where the kernel's would be read in vain. */
static void spare_kernel_types(struct skep_object *object)
{
	bool named = object_names_kernel_types(object);

	if (named && object->kernel_spared) { /* other programs of it are loaded now */
		forget_relocated(object);
		skep_btf_unref(object->kernel_own);
		object->kernel_own = NULL;
		object->kernel = NULL;
		object->kernel_tried = object->kernel_spared = false;
	}
	if (named || object->kernel || object->kernel_own)
		return;
	object->kernel_own = skep_btf_open_machine(NULL);
	object->kernel = object->kernel_own;
	object->kernel_tried = object->kernel_spared = object->kernel != NULL;
}

int object_use_machine_types(struct skep_object *object, struct skep_diag *diag)
{
	spare_kernel_types(object);
	return use_types_over_kernel(object, diag);
}

void skep_object_set_kernel_btf(struct skep_object *object, const struct skep_btf *btf)
{
	if (btf == object->kernel)
		return;
	forget_relocated(object);
	object->kernel = btf;
	object->kernel_tried = false;
}
