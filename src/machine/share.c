/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share.c - a machine that other processes are in too: joining it by name, finding
 * what they added, and telling who they are.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "machine/machine.h"
#include "map/owner.h"

/* --- the lock --- */

int machine_lock(struct skep_machine *machine, struct skep_diag *diag)
{
	if (directory_lock(machine->directory, machine->memory) == 0)
		return 0;
	return skep_fail(diag, SKEP_MACHINE_LOCKED, NULL,
			 "process %u keeps the machine's directory locked",
			 owner_pid(memory_owners(machine->memory),
				   __atomic_load_n(&machine->directory->lock, __ATOMIC_RELAXED)));
}

void machine_unlock(struct skep_machine *machine)
{
	directory_unlock(machine->directory);
}

/* --- handles of what others published --- */

/* The types a map's entry names, opened from a copy: the arena may change. */
static struct skep_btf *types_of(const struct entry *entry, struct skep_diag *diag)
{
	struct skep_btf *btf;
	void *copy;

	if (entry->types_size == 0)
		return NULL;
	copy = malloc(entry->types_size);
	if (!copy) {
		skep_report(diag, SKEP_OOM, NULL, "types of map '%s'", entry->name);
		return NULL;
	}
	memcpy(copy, entry->types, entry->types_size);
	btf = skep_btf_open(copy, entry->types_size, NULL, entry->name, diag);
	free(copy);
	return btf;
}

/* Maps of one object share their types. */
static struct skep_btf *types_shared(const struct skep_machine *machine,
				     const struct entry *entry)
{
	const struct skep_map *last = machine->maps.count
					      ? machine->maps.items[machine->maps.count - 1] : NULL;

	return last && last->btf && last->entry->types == entry->types ? skep_btf_ref(last->btf)
									: NULL;
}

static struct skep_map *map_handle(struct skep_machine *machine, struct entry *entry,
				   struct skep_diag *diag)
{
	struct skep_map *map = calloc(1, sizeof(*map));

	if (!map)
		return NULL;
	map->machine = machine;
	map->entry = entry;
	map->map = entry->map;
	map->key_type = entry->key_type;
	map->value_type = entry->value_type;
	map->internal = entry->flags & ENTRY_INTERNAL;
	map->name = strdup(entry->name);
	map->btf = types_shared(machine, entry);
	if (!map->btf)
		map->btf = types_of(entry, diag);
	if (map->name && (map->btf || entry->types_size == 0))
		return map;
	map_record_free(map);
	return NULL;
}

static struct skep_prog *prog_handle(struct skep_machine *machine, struct entry *entry)
{
	struct skep_prog *prog = calloc(1, sizeof(*prog));

	if (!prog)
		return NULL;
	prog->machine = machine;
	prog->entry = entry;
	prog->code = entry->code;
	prog->ref = entry->ref;
	prog->type = prog_type(entry->code->prog_type);
	prog->attach = entry->code->attach;
	prog->id = entry->id;
	prog->insns = entry->insns;
	prog->sleepable = entry->flags & ENTRY_SLEEPABLE;
	memcpy(prog->tag, entry->tag, sizeof(prog->tag));
	prog->name = strdup(entry->name);
	if (prog->name)
		return prog;
	prog->code = NULL;
	prog_record_free(prog);
	return NULL;
}

/* Handles are in the order of ids, as things are published. */
static bool handle_add(struct skep_machine *machine, struct entry *entry, struct skep_diag *diag)
{
	struct skep_prog **prog_at;
	struct skep_map **map_at;

	if (entry->kind == ENTRY_MAP && entry->id > machine->last_map) {
		struct skep_map *map = map_handle(machine, entry, diag);

		map_at = map ? vec_push(&machine->maps) : NULL;
		if (!map_at)
			return map_record_free(map), false;
		*map_at = map;
		machine->last_map = entry->id;
	} else if (entry->kind == ENTRY_PROG && entry->id > machine->last_prog) {
		struct skep_prog *prog = prog_handle(machine, entry);

		prog_at = prog ? vec_push(&machine->progs) : NULL;
		if (!prog_at)
			return prog_record_free(prog), false;
		*prog_at = prog;
		machine->last_prog = entry->id;
	}
	return true;
}

int machine_sync(struct skep_machine *machine, struct skep_diag *diag)
{
	struct entry *entry = NULL;
	size_t items = skep_diag_count(diag);
	int error;

	while ((entry = directory_next(machine->directory, machine->memory, entry, &error)))
		if (!handle_add(machine, entry, diag))
			return skep_diag_count(diag) > items && errno != ENOMEM
				       ? -EBADMSG
				       : skep_fail(diag, SKEP_OOM, NULL, "the machine's directory");
	if (error < 0)
		return skep_fail(diag, SKEP_MACHINE_DAMAGED, NULL,
				 "machine '%s' is damaged: a map or program is not what its directory says",
				 machine->name ? machine->name : "");
	return 0;
}

int skep_machine_refresh(struct skep_machine *machine, struct skep_diag *diag)
{
	int error;

	pthread_mutex_lock(&machine->lock);
	error = machine_lock(machine, diag);
	if (!error) {
		error = machine_sync(machine, diag);
		machine_unlock(machine);
	}
	pthread_mutex_unlock(&machine->lock);
	return error;
}

/* --- joining --- */

static int refuse(struct skep_machine *machine, int error, struct skep_diag *diag)
{
	const char *name = machine->name;

	switch (error) {
	case -EPROTONOSUPPORT:
		return skep_fail(diag, SKEP_MACHINE_STALE, NULL,
				 "machine '%s' was made by another version of Skep", name);
	case -ESTALE:
		return skep_fail(diag, SKEP_MACHINE_STALE, NULL,
				 "machine '%s' was made before the system was started last", name);
	case -EBADMSG:
		return skep_fail(diag, SKEP_MACHINE_DAMAGED, NULL, "machine '%s' is damaged", name);
	case -EEXIST:
		return skep_fail(diag, SKEP_MACHINE_TAKEN, NULL,
				 "machine '%s' cannot be mapped where its pointers are good", name);
	default:
		return skep_fail(diag, SKEP_MACHINE_ARENA, NULL, "machine '%s' cannot be mapped: %s", name,
				 strerror(-error));
	}
}

static int machine_join(struct skep_machine *machine, struct skep_diag *diag)
{
	int error = place_open(&machine->place, machine->name, diag);

	if (error < 0)
		return error;
	machine->arena = place_arena(&machine->place, machine->name, diag);
	if (machine->arena < 0)
		return machine->arena;
	machine->memory = memory_join(machine->arena, &error);
	if (!machine->memory)
		return refuse(machine, error, diag);
	memory_lend(machine->memory, machine->arena);
	machine->directory = directory_find(machine->memory, &error);
	if (!machine->directory)
		return refuse(machine, error, diag);
	machine->world = machine->directory->world;
	machine->vcpus = machine->directory->vcpus;
	return skep_machine_refresh(machine, diag);
}

struct skep_machine *skep_machine_open(const char *name, const struct skep_machine_opts *opts,
				       struct skep_diag *diag)
{
	struct skep_machine *machine = machine_alloc(opts, name, diag);

	if (machine && machine_join(machine, diag) < 0) {
		skep_machine_free(machine);
		return NULL;
	}
	return machine;
}

/* --- who is in it --- */

size_t skep_machine_participants(struct skep_machine *machine, struct skep_participant *out,
				 size_t count)
{
	struct owner_table *owners = memory_owners(machine->memory);
	uint64_t oldest = vcpu_epoch_min(machine->vcpus);
	uint64_t lock = __atomic_load_n(&machine->directory->lock, __ATOMIC_RELAXED);
	size_t alive = 0;

	for (uint32_t i = 0; i < OWNER_PARTICIPANTS && i < owners->used; i++) {
		uint64_t token = owner_participant(owners, i);
		struct skep_participant it = { .pid = owner_pid(owners, token) };

		if (token == 0 || it.pid == 0)
			continue;
		it.holds_lock = OWNER_TOKEN(lock) == token;
		it.abroad = owner_pid_is_abroad(owners, token);
		for (unsigned id = 0; id < vcpu_count(machine->vcpus); id++) {
			const struct vcpu *cpu = vcpu_at(machine->vcpus, id);
			uint64_t owner = __atomic_load_n(&cpu->owner, __ATOMIC_ACQUIRE);

			if (owner == 0 || OWNER_TOKEN(owner) != token)
				continue;
			it.cpus++;
			it.holds_memory |= cpu->epoch == oldest &&
					   memory_waiting(machine->memory) > 0;
		}
		if (alive++ < count)
			out[alive - 1] = it;
	}
	return alive;
}

void skep_machine_info(struct skep_machine *machine, struct skep_machine_info *info)
{
	*info = (struct skep_machine_info){
		.name = machine->name,
		.path = machine->name ? machine->place.path : NULL,
		.made_ns = machine->directory->made_ns,
		.memory = memory_size(machine->memory),
		.memory_used = memory_used(machine->memory),
		.memory_waiting = memory_waiting(machine->memory),
		.cpus = vcpu_count(machine->vcpus),
		.maps = (uint32_t)machine->maps.count,
		.progs = (uint32_t)machine->progs.count,
		.missed = vcpu_missed(machine->vcpus),
		.lock_pid = owner_pid(memory_owners(machine->memory),
				      __atomic_load_n(&machine->directory->lock, __ATOMIC_RELAXED)),
	};
	for (unsigned id = 0; id < info->cpus; id++)
		info->cpus_busy += __atomic_load_n(&vcpu_at(machine->vcpus, id)->owner,
						   __ATOMIC_RELAXED) != 0;
}

/* --- removing --- */

/* Fails while somebody else is in it. One that cannot be joined has no users we could know. */
static int check_unused(const char *name, struct skep_diag *diag)
{
	struct skep_machine *machine = skep_machine_open(name, NULL, NULL);
	struct skep_participant other[8];
	char pids[128] = "";
	size_t count, others = 0;

	if (!machine)
		return 0;
	count = skep_machine_participants(machine, other, 8);
	for (size_t i = 0; i < count && i < 8; i++)
		if (other[i].pid != (uint32_t)getpid() || other[i].abroad)
			snprintf(pids + strlen(pids), sizeof(pids) - strlen(pids), "%s%u",
				 others++ ? ", " : "", other[i].pid);
	skep_machine_free(machine);
	if (others == 0)
		return 0;
	return skep_fail(diag, SKEP_MACHINE_IN_USE, NULL, "machine '%s' is in use by process%s %s%s", name,
			 others > 1 ? "es" : "", pids, count > 8 ? ", ..." : "");
}

int skep_machine_remove(const char *name, bool force, struct skep_diag *diag)
{
	struct machine_place place;
	int error = place_open(&place, name, diag);

	if (!error && !force)
		error = check_unused(name, diag);
	if (!error)
		error = place_remove(&place, name, diag);
	place_done(&place);
	return error;
}
