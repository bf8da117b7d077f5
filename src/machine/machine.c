/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine.c - making and freeing a machine, and what it answers about itself.
 *
 * What programs share is in the arena: virtual CPUs, the world that helpers
 * see, the ring that trace_printk writes its lines to, and the directory.
 */
#include "machine/machine.h"
#include "helper/task.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "object/object.h"

enum { TRACE_BYTES = 1 << 20 };

static uint64_t boot_ns(void)
{
	struct timespec wall, boot;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	return (uint64_t)(wall.tv_sec - boot.tv_sec) * 1000000000u +
	       (uint64_t)(wall.tv_nsec - boot.tv_nsec);
}

static int make_world(struct skep_machine *machine, struct skep_diag *diag)
{
	struct map_spec spec = { .name = "trace", .type = BPF_MAP_TYPE_RINGBUF,
				 .max_entries = TRACE_BYTES };
	struct vm_world *world;
	int error;

	world = memory_alloc(machine->memory, sizeof(*world), _Alignof(struct vm_world));
	if (!world)
		return skep_fail(diag, SKEP_OOM, NULL, "the machine's arena is too small");
	machine->world = world;
	world->memory = machine->memory;
	world->vcpus = machine->vcpus;
	world->boot_ns = boot_ns();
	world->trace = map_new(&spec, machine->memory, machine->vcpus, &error);
	world->tasks = task_table_new(machine->memory, vcpu_count(machine->vcpus));
	if (!world->trace || !world->tasks)
		return skep_fail(diag, SKEP_OOM, NULL, "the machine's arena is too small");
	return 0;
}

static int make_memory(struct skep_machine *machine, const struct skep_machine_opts *opts,
		       struct skep_diag *diag)
{
	char size[32] = "as large as may be";
	int error = 0;

	if (opts->name || opts->shared) {
		machine->memory = memory_create_at(machine->place.dir, "arena", opts->memory,
						   &machine->arena, &error);
	} else {
		machine->memory = memory_new(opts->memory);
		error = -errno;
	}
	if (machine->memory) {
		memory_lend(machine->memory, machine->arena);
		return 0;
	}
	if (opts->memory)
		snprintf(size, sizeof(size), "of %zu bytes", opts->memory);
	if (!opts->name && (error == -EPERM || error == -ENOSYS))
		skep_report(diag, SKEP_MACHINE_ARENA, NULL, "memfd_create() is refused (%s): allow "
			    "it in the filter of system calls that skep runs under", strerror(-error));
	else
		skep_report(diag, SKEP_MACHINE_ARENA, NULL, "an arena %s%s%s: %s", size,
			    opts->name ? " in " : "", opts->name ? machine->place.path : "",
			    strerror(-error));
	return error;
}

static int machine_init(struct skep_machine *machine, const struct skep_machine_opts *opts,
			struct skep_diag *diag)
{
	int error = make_memory(machine, opts, diag);

	if (error < 0)
		return error;
	machine->vcpus = vcpu_set_new(machine->memory, opts->cpus);
	if (!machine->vcpus)
		return skep_fail(diag, SKEP_MACHINE_ARENA, NULL, "no room for %u virtual CPUs",
				 opts->cpus);
	error = make_world(machine, diag);
	if (error < 0)
		return error;
	machine->directory = directory_new(machine->memory, machine->world, machine->vcpus);
	if (!machine->directory)
		return skep_fail(diag, SKEP_OOM, NULL, "the machine's arena is too small");
	return 0;
}

/* What a process's side of any machine begins as. */
struct skep_machine *machine_alloc(const struct skep_machine_opts *opts, const char *name,
				   struct skep_diag *diag)
{
	struct skep_machine *machine = calloc(1, sizeof(*machine));
	int error = engine_init();

	if (machine && name)
		machine->name = strdup(name);
	if (!machine || (name && !machine->name) || error < 0) {
		skep_report(diag, SKEP_OOM, NULL, "machine: the engines%s%s",
			    error < 0 ? " cannot be set up: " : "",
			    error < 0 ? strerror(-error) : "");
		if (machine)
			free(machine->name);
		free(machine);
		return NULL;
	}
	pthread_mutex_init(&machine->lock, NULL);
	machine->place.base = machine->place.dir = machine->arena = -1;
	machine->engine = opts ? opts->engine : SKEP_ENGINE_AUTO;
	return machine;
}

struct skep_machine *skep_machine_new(const struct skep_machine_opts *opts,
				      struct skep_diag *diag)
{
	static const struct skep_machine_opts defaults;
	struct skep_machine *machine;

	opts = opts ? opts : &defaults;
	machine = machine_alloc(opts, opts->name, diag);
	if (!machine)
		return NULL;
	if ((opts->name && place_create(&machine->place, opts->name, diag) < 0) ||
	    machine_init(machine, opts, diag) < 0 ||
	    (opts->name && place_commit(&machine->place, opts->name, diag) < 0)) {
		skep_machine_free(machine);
		return NULL;
	}
	return machine;
}

void prog_record_free(struct skep_prog *prog)
{
	if (!prog)
		return;
	if (prog->hook_done)
		prog->hook_done(prog->hook);
	if (prog->code)
		code_forget(prog->code);
	free(prog->tables);
	free(prog->name);
	free(prog);
}

void map_record_free(struct skep_map *map)
{
	if (!map)
		return;
	skep_btf_unref(map->btf);
	free(map->name);
	free(map);
}

void skep_machine_free(struct skep_machine *machine)
{
	if (!machine)
		return;
	if (machine->links_done)
		machine->links_done(machine);
	if (machine->targets_done)
		machine->targets_done(machine);
	if (machine->scanned_done)
		machine->scanned_done(machine);
	for (size_t i = 0; i < machine->progs.count; i++)
		prog_record_free(machine->progs.items[i]);
	for (size_t i = machine->maps.count; i > 0; i--)
		map_record_free(machine->maps.items[i - 1]);
	vec_done(&machine->links);
	vec_done(&machine->progs);
	vec_done(&machine->maps);
	memory_free(machine->memory);
	if (machine->arena >= 0)
		close(machine->arena);
	place_done(&machine->place);
	pthread_mutex_destroy(&machine->lock);
	free(machine->name);
	free(machine);
}

unsigned skep_machine_cpus(const struct skep_machine *machine)
{
	return vcpu_count(machine->vcpus);
}

struct skep_prog *skep_machine_prog(struct skep_machine *machine,
				    const struct skep_object_prog *prog)
{
	struct skep_prog *found = NULL;

	pthread_mutex_lock(&machine->lock);
	for (size_t i = 0; i < machine->progs.count && !found; i++)
		if (machine->progs.items[i]->object == prog->object->serial &&
		    machine->progs.items[i]->index == prog->index)
			found = machine->progs.items[i];
	pthread_mutex_unlock(&machine->lock);
	return found;
}

struct skep_map *skep_machine_map(struct skep_machine *machine, const struct skep_object_map *map)
{
	struct skep_map *found = NULL;

	pthread_mutex_lock(&machine->lock);
	for (size_t i = 0; i < machine->maps.count && !found; i++)
		if (machine->maps.items[i]->object == map->object->serial &&
		    machine->maps.items[i]->index == map->index)
			found = machine->maps.items[i];
	pthread_mutex_unlock(&machine->lock);
	return found;
}

/* --- all of what there is --- */

size_t skep_machine_map_count(const struct skep_machine *machine)
{
	return machine->maps.count;
}

struct skep_map *skep_machine_map_at(struct skep_machine *machine, size_t index)
{
	return index < machine->maps.count ? machine->maps.items[index] : NULL;
}

size_t skep_machine_prog_count(const struct skep_machine *machine)
{
	return machine->progs.count;
}

struct skep_prog *skep_machine_prog_at(struct skep_machine *machine, size_t index)
{
	return index < machine->progs.count ? machine->progs.items[index] : NULL;
}
