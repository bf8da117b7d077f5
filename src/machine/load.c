/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.c - from an object to maps and programs of a machine: all or nothing.
 *
 * Everything that can be refused comes first: programs are linked and verified
 * before any map exists. Then maps are made and filled, programs compiled, and
 * only when nothing can fail any more do they join the machine's directory. Until
 * then each has an entry there in this process's hands: should it die, others free
 * what it had made so far.
 */
#include <errno.h>
#include <stdio.h>

#include "btf/btf.h"
#include "machine/machine.h"
#include "machine/tag.h"
#include "object/object.h"

struct loading {
	struct skep_machine *machine;
	struct skep_object *object;
	const struct skep_verify_opts *opts;
	struct skep_diag *diag;
	struct map_spec *map_specs;   /* the object's, with sizes settled for this machine */
	const struct map_spec **spec_list;
	const struct map_spec ***lists; /* per program, if it has jump tables: spec_list and those */
	struct skep_map **maps;       /* per map of the object; NULL: none is made */
	struct map **raw;             /* the same, as the engines take them */
	struct prog_spec *specs;      /* per program of the object */
	struct verified *verified;
	struct skep_prog **progs;     /* NULL: not loaded */
	struct entry *types;          /* the object's, where a map wants them; or NULL */
};

static int oom(const struct loading *l)
{
	return skep_fail(l->diag, SKEP_OOM, NULL, "loading '%s'", l->object->name);
}

static int loading_init(struct loading *l)
{
	size_t maps = l->object->maps.count + 1, progs = l->object->prog_count + 1;

	l->map_specs = calloc(maps, sizeof(*l->map_specs));
	l->spec_list = calloc(maps, sizeof(*l->spec_list));
	l->lists = calloc(progs, sizeof(*l->lists));
	l->maps = calloc(maps, sizeof(*l->maps));
	l->raw = calloc(maps, sizeof(*l->raw));
	l->specs = calloc(progs, sizeof(*l->specs));
	l->verified = calloc(progs, sizeof(*l->verified));
	l->progs = calloc(progs, sizeof(*l->progs));
	return l->map_specs && l->spec_list && l->maps && l->raw && l->specs && l->verified &&
			       l->progs && l->lists
		       ? 0
		       : oom(l);
}

/* Frees what did not go to the machine. */
static void loading_done(struct loading *l)
{
	for (size_t i = 0; l->progs && i < l->object->prog_count; i++) {
		struct entry *entry = l->progs[i] ? l->progs[i]->entry : NULL;

		for (uint32_t t = 0; l->progs[i] && t < l->progs[i]->table_count; t++)
			entry_abandon(l->machine->memory, l->progs[i]->tables[t]);
		prog_record_free(l->progs[i]);
		entry_abandon(l->machine->memory, entry);
	}
	for (size_t i = l->maps ? l->object->maps.count : 0; i > 0; i--) {
		entry_abandon(l->machine->memory, l->maps[i - 1] ? l->maps[i - 1]->entry : NULL);
		map_record_free(l->maps[i - 1]);
	}
	entry_abandon(l->machine->memory, l->types);
	for (size_t i = 0; l->verified && i < l->object->prog_count; i++)
		verified_done(&l->verified[i]);
	for (size_t i = 0; l->lists && i < l->object->prog_count; i++)
		free(l->lists[i]);
	free(l->lists);
	free(l->map_specs);
	free(l->spec_list);
	free(l->maps);
	free(l->raw);
	free(l->specs);
	free(l->verified);
	free(l->progs);
}

/* --- judging --- */

static void settle_maps(struct loading *l)
{
	for (size_t i = 0; i < l->object->maps.count; i++) {
		struct map_spec *spec = &l->map_specs[i];

		*spec = l->object->maps.items[i]->spec;
		if (spec->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY) {
			spec->max_entries = spec->max_entries ? spec->max_entries
							      : vcpu_count(l->machine->vcpus);
			spec->key_size = spec->key_size ? spec->key_size : 4;
			spec->value_size = spec->value_size ? spec->value_size : 4;
		}
		l->spec_list[i] = spec;
	}
}

/* A member that the kernel's types have may be missing in the machine's. */
static void tell_whose_types(struct skep_diag *diag)
{
	const struct skep_diag_item *item = NULL;

	for (size_t i = 0; skep_diag_get(diag, i); i++)
		item = skep_diag_get(diag, i);
	if (item && item->code == SKEP_OBJECT_CORE)
		skep_help(diag, "the machine's tasks, files and mounts have some of the members that the "
			  "kernel's have: guard the access with bpf_core_field_exists()");
}

static int judge(struct loading *l, size_t index)
{
	struct skep_object_prog *prog = &l->object->progs[index];
	struct skep_verify_result result = { 0 };
	int error;

	error = object_judge(prog, l->opts, &l->specs[index], &result, &l->verified[index], l->diag);
	if (error && prog->linked.poisons.count)
		tell_whose_types(l->diag);
	if (!error)
		error = result.error;
	skep_verify_result_done(&prog->judged);
	prog->judged = result;
	return error;
}

/* Behind the object's maps come the jump tables of the program. */
static int list_tables(struct loading *l, size_t index)
{
	struct prog_spec *spec = &l->specs[index];
	size_t own = l->object->maps.count;
	const struct map_spec **list = calloc((size_t)spec->map_count + 1, sizeof(*list));

	if (!list)
		return oom(l);
	for (size_t i = 0; i < spec->map_count; i++)
		list[i] = i < own ? l->spec_list[i] : spec->maps[i];
	spec->maps = l->lists[index] = list;
	return 0;
}

static int judge_all(struct loading *l)
{
	int error = 0;

	/* Linking binds settings and constants that the maps are then made with. */
	for (size_t i = 0; i < l->object->prog_count && !error; i++)
		if (l->object->progs[i].autoload)
			error = object_prog_spec(&l->object->progs[i], l->opts, &l->specs[i],
						 l->diag);
	for (size_t i = 0; i < l->object->prog_count && !error; i++)
		if (l->specs[i].target)
			error = skep_fail(l->diag, SKEP_OBJECT_ATTACH, NULL, "prog '%s' attaches to "
					  "another program, which can be verified but not run",
					  l->specs[i].name);
	settle_maps(l);
	for (size_t i = 0; i < l->object->prog_count && !error; i++) {
		if (!l->object->progs[i].autoload)
			continue;
		if (l->specs[i].map_count > l->object->maps.count)
			error = list_tables(l, i);
		else
			l->specs[i].maps = l->spec_list;
		if (!error)
			error = judge(l, i);
	}
	return error;
}

/* --- maps --- */

static int fill_contents(struct loading *l, size_t index)
{
	struct skep_object_map *from = l->object->maps.items[index];
	bool constant = from->kind == OBJECT_MAP_RODATA || from->kind == OBJECT_MAP_KCONFIG;
	struct map *map = l->raw[index];
	uint32_t zero = 0;
	int error = 0;

	if (!from->spec.internal || (from->kind == OBJECT_MAP_BSS && !from->data))
		return 0;
	if (!map_contents(from))
		return oom(l);
	error = map_user_update(map, &zero, from->data, BPF_ANY);
	if (error < 0)
		return skep_fail(l->diag, SKEP_MACHINE_MAP, NULL,
				 "map '%s' does not take its initial contents: %s", from->name,
				 strerror(-error));
	if (constant)
		__atomic_store_n(&map->frozen, 1, __ATOMIC_RELEASE);
	return 0;
}

static struct entry *claim(struct loading *l, enum entry_kind kind, const char *name, int *error)
{
	struct entry *entry;

	*error = machine_lock(l->machine, l->diag);
	if (*error < 0)
		return NULL;
	entry = directory_claim(l->machine->directory, l->machine->memory);
	machine_unlock(l->machine);
	if (!entry) {
		*error = skep_fail(l->diag, SKEP_MACHINE_ARENA, NULL, "no room for '%s'", name);
		return NULL;
	}
	entry->kind = kind;
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	return entry;
}

/* The object's types as bytes that others can open; once for all its maps. */
static int make_types(struct loading *l)
{
	const struct skep_btf *btf = l->object->btf;
	struct entry *entry;
	int error = 0;

	if (!btf || l->types)
		return 0;
	entry = l->types = claim(l, ENTRY_TYPES, l->object->name, &error);
	if (!entry)
		return error;
	entry->types_size = btf_raw_size(btf);
	memory_alloc_into(l->machine->memory, entry->types_size, 8, &entry->types);
	if (!entry->types)
		return skep_fail(l->diag, SKEP_MACHINE_ARENA, NULL, "no room for the types of '%s'",
				 l->object->name);
	btf_raw_write(btf, entry->types);
	return 0;
}

static int make_entry(struct loading *l, const struct skep_object_map *from,
		      struct entry **made)
{
	int error = make_types(l);
	struct entry *entry;

	if (error < 0)
		return error;
	entry = *made = claim(l, ENTRY_MAP, from->name, &error);
	if (!entry)
		return error;
	if (l->types) {
		entry->types = l->types->types;
		entry->types_size = l->types->types_size;
	}
	entry->key_type = from->spec.key_type;
	entry->value_type = from->spec.value_type;
	entry->flags = from->spec.internal ? ENTRY_INTERNAL : 0;
	return 0;
}

static int make_map(struct loading *l, size_t index)
{
	const struct skep_object_map *from = l->object->maps.items[index];
	struct skep_where where = object_where(l->object, NULL, NULL);
	struct skep_map *map;
	int error;

	/* Nobody registers structures of functions here. */
	if (from->kind == OBJECT_MAP_STRUCT_OPS)
		return 0;
	error = object_check_map(&l->map_specs[index], &where, l->diag);
	if (error)
		return error;
	map = l->maps[index] = calloc(1, sizeof(*map));
	if (!map)
		return oom(l);
	map->machine = l->machine;
	map->name = strdup(from->name);
	if (!map->name)
		return oom(l);
	error = make_entry(l, from, &map->entry);
	if (error)
		return error;
	map->map = map->entry->map = map_new(&l->map_specs[index], l->machine->memory, l->machine->vcpus, &error);
	if (!map->map)
		return skep_fail(l->diag, SKEP_MACHINE_MAP, &where,
				 "map '%s' of type %s with %u entries cannot be created: %s",
				 from->name, map_type(from->spec.type)->name,
				 l->map_specs[index].max_entries, strerror(-error));
	l->raw[index] = map->map;
	map->btf = l->object->btf ? skep_btf_ref(l->object->btf) : NULL;
	map->key_type = from->spec.key_type;
	map->value_type = from->spec.value_type;
	map->internal = from->spec.internal;
	map->object = l->object->serial;
	map->index = index;
	return fill_contents(l, index);
}

/* --- programs --- */

/* A jump table of the program. NULL with *error set. */
static struct map *make_table(struct loading *l, struct skep_prog *prog,
			      const struct map_spec *spec, int *error)
{
	struct entry *entry = claim(l, ENTRY_TABLE, spec->name, error);

	if (!entry)
		return NULL;
	prog->tables[prog->table_count++] = entry;
	entry->map = map_new(spec, l->machine->memory, l->machine->vcpus, error);
	if (!entry->map)
		*error = oom(l);
	return entry->map;
}

/* The maps that the program's instructions name: the object's, then its own tables. NULL with
 * *error set. */
static struct map **maps_of_prog(struct loading *l, size_t index, int *error)
{
	const struct prog_spec *spec = &l->specs[index];
	struct skep_prog *prog = l->progs[index];
	size_t own = l->object->maps.count;
	struct map **maps = calloc((size_t)spec->map_count + 1, sizeof(*maps));

	*error = 0;
	prog->tables = calloc(spec->map_count > own ? spec->map_count - own : 1,
			      sizeof(*prog->tables));
	if (!maps || !prog->tables)
		*error = oom(l);
	for (size_t i = 0; i < spec->map_count && !*error; i++) {
		if (i < own) {
			maps[i] = l->raw[i];
			continue;
		}
		maps[i] = make_table(l, prog, spec->maps[i], error);
	}
	if (*error) {
		free(maps);
		return NULL;
	}
	return maps;
}

static int make_prog(struct loading *l, size_t index)
{
	const struct prog_spec *spec = &l->specs[index];
	struct skep_where where = object_where(l->object, spec->section, spec->name);
	struct skep_prog *prog = l->progs[index] = calloc(1, sizeof(*prog));
	bool compile = l->machine->engine != SKEP_ENGINE_INTERPRETER;
	struct map **maps;
	int error;

	if (!prog)
		return oom(l);
	prog->machine = l->machine;
	prog->type = spec->type;
	prog->attach = spec->attach;
	prog->insns = spec->len;
	prog->sleepable = spec->flags & BPF_F_SLEEPABLE;
	prog->object = l->object->serial;
	prog->index = index;
	prog->name = strdup(spec->name);
	if (!prog->name || prog_tag(spec->insns, spec->len, prog->tag) < 0)
		return oom(l);
	prog->entry = claim(l, ENTRY_PROG, spec->name, &error);
	if (!prog->entry)
		return error;
	maps = maps_of_prog(l, index, &error);
	if (!maps)
		return error;
	prog->code = code_new(&l->verified[index], spec, maps, l->machine->world, compile, &error,
			      l->diag);
	free(maps);
	prog->entry->code = prog->code;
	if (!prog->code)
		return error;
	if (l->machine->engine == SKEP_ENGINE_JIT && !prog->code->native_size)
		return skep_fail(l->diag, SKEP_ENGINE_COMPILE, &where,
				 "'%s' could not be compiled", spec->name);
	memcpy(prog->code->tag, prog->tag, sizeof(prog->code->tag));
	prog->ref = memory_alloc_into(l->machine->memory, sizeof(*prog->ref), 16,
				      (void **)&prog->entry->ref);
	if (!prog->ref)
		return oom(l);
	*prog->ref = (struct prog_ref){ .code = prog->code, .refs = 1 };
	prog->entry->insns = prog->insns;
	prog->entry->stamp = prog->code->stamp;
	prog->entry->flags = prog->sleepable ? ENTRY_SLEEPABLE : 0;
	memcpy(prog->entry->tag, prog->tag, sizeof(prog->tag));
	return 0;
}

/* --- what maps hold from the start --- */

static int fill_initial(struct loading *l, size_t index)
{
	const struct skep_object_map *from = l->object->maps.items[index];

	for (size_t i = 0; i < from->initial.count; i++) {
		const struct map_initial *initial = &from->initial.items[i];
		const void *target;
		int error;

		if (from->values_progs)
			target = l->progs[initial->target] ? l->progs[initial->target]->ref : NULL;
		else
			target = l->raw[initial->target];
		if (!target)
			continue; /* a program that is not loaded leaves its slot empty */
		error = map_user_update(l->raw[index], &initial->index, &target, BPF_ANY);
		if (error < 0)
			return skep_fail(l->diag, SKEP_MACHINE_MAP, NULL,
					 "map '%s' does not take its initial element %u: %s",
					 from->name, initial->index, strerror(-error));
	}
	return 0;
}

/* --- all of it --- */

static bool make_room(struct loading *l)
{
	struct skep_machine *machine = l->machine;

	/* Pushed and taken back, so that publishing cannot fail. */
	for (size_t i = 0; i < l->object->maps.count; i++)
		if (!vec_push(&machine->maps))
			return machine->maps.count -= i, false;
	machine->maps.count -= l->object->maps.count;
	for (size_t i = 0; i < l->object->prog_count; i++)
		if (!vec_push(&machine->progs))
			return machine->progs.count -= i, false;
	machine->progs.count -= l->object->prog_count;
	return true;
}

static void publish(struct loading *l)
{
	struct skep_machine *machine = l->machine;
	struct directory *directory = machine->directory;

	if (l->types)
		entry_publish(l->types);
	l->types = NULL;
	for (size_t i = 0; i < l->object->maps.count; i++) {
		if (!l->maps[i])
			continue;
		machine->last_map = l->raw[i]->id = directory->next_map++;
		l->maps[i]->entry->id = l->raw[i]->id;
		entry_publish(l->maps[i]->entry);
		machine->maps.items[machine->maps.count++] = l->maps[i];
		l->maps[i] = NULL;
	}
	for (size_t i = 0; i < l->object->prog_count; i++) {
		if (!l->progs[i])
			continue;
		l->progs[i]->id = l->progs[i]->code->id = directory->next_prog++;
		machine->last_prog = l->progs[i]->entry->id = l->progs[i]->id;
		for (uint32_t t = 0; t < l->progs[i]->table_count; t++)
			entry_publish(l->progs[i]->tables[t]);
		entry_publish(l->progs[i]->entry);
		machine->progs.items[machine->progs.count++] = l->progs[i];
		l->progs[i] = NULL;
	}
}

/* With what others published before us, so that handles are in the order of ids. */
static int publish_all(struct loading *l)
{
	int error = machine_lock(l->machine, l->diag);

	if (error < 0)
		return error;
	error = machine_sync(l->machine, l->diag);
	if (!error && !make_room(l))
		error = oom(l);
	if (!error)
		publish(l);
	machine_unlock(l->machine);
	return error;
}

static int load_all(struct loading *l)
{
	int error = judge_all(l);

	for (size_t i = 0; i < l->object->maps.count && !error; i++)
		error = make_map(l, i);
	for (size_t i = 0; i < l->object->prog_count && !error; i++)
		if (l->object->progs[i].autoload)
			error = make_prog(l, i);
	for (size_t i = 0; i < l->object->maps.count && !error; i++)
		error = fill_initial(l, i);
	return error ? error : publish_all(l);
}

int skep_machine_load(struct skep_machine *machine, struct skep_object *object,
		      const struct skep_verify_opts *opts, struct skep_diag *diag)
{
	struct skep_verify_opts own = { 0 };
	struct loading l = { .machine = machine, .object = object, .opts = &own, .diag = diag };
	int error;

	if (opts)
		own = *opts;
	if (own.kernel_btf)
		skep_object_set_kernel_btf(object, own.kernel_btf);
	/* What programs will read here is what the verifier has to see. */
	error = object_use_machine_types(object, diag);
	if (error)
		return error;
	own.kernel_btf = object_kernel_btf(object);
	pthread_mutex_lock(&machine->lock);
	error = loading_init(&l);
	if (!error)
		error = load_all(&l);
	loading_done(&l);
	pthread_mutex_unlock(&machine->lock);
	return error;
}
