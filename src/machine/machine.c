/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * machine.c - making and freeing a machine, and what it answers about itself.
 *
 * What programs share is in the arena: virtual CPUs, the world that helpers
 * see, and the ring that trace_printk writes its lines to.
 */
#include "machine/machine.h"
#include "helper/task.h"

#include <stdio.h>
#include <time.h>
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

static int machine_init(struct skep_machine *machine, const struct skep_machine_opts *opts,
			struct skep_diag *diag)
{
	int error = engine_init();

	if (error < 0)
		return skep_fail(diag, SKEP_OOM, NULL, "the engines cannot be set up: %s",
				 strerror(-error));
	machine->memory = memory_new(opts->memory);
	if (!machine->memory)
		return skep_fail(diag, SKEP_MACHINE_ARENA, NULL, "an arena of %zu bytes: %s",
				 opts->memory, strerror(errno));
	machine->vcpus = vcpu_set_new(machine->memory, opts->cpus);
	if (!machine->vcpus)
		return skep_fail(diag, SKEP_MACHINE_ARENA, NULL, "no room for %u virtual CPUs",
				 opts->cpus);
	machine->engine = opts->engine;
	machine->next_map_id = machine->next_prog_id = machine->next_link_id = 1;
	return make_world(machine, diag);
}

struct skep_machine *skep_machine_new(const struct skep_machine_opts *opts,
				      struct skep_diag *diag)
{
	static const struct skep_machine_opts defaults;
	struct skep_machine *machine = calloc(1, sizeof(*machine));

	if (!machine) {
		skep_report(diag, SKEP_OOM, NULL, "machine");
		return NULL;
	}
	pthread_mutex_init(&machine->lock, NULL);
	if (machine_init(machine, opts ? opts : &defaults, diag) < 0) {
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
	code_free(prog->code, prog->machine->world);
	memory_release(prog->machine->memory, prog->ref, sizeof(*prog->ref));
	for (uint32_t i = 0; i < prog->table_count; i++)
		map_free(prog->tables[i]);
	free(prog->tables);
	free(prog->name);
	free(prog);
}

void map_record_free(struct skep_map *map)
{
	if (!map)
		return;
	map_free(map->map);
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
	for (size_t i = 0; i < machine->progs.count; i++)
		prog_record_free(machine->progs.items[i]);
	for (size_t i = machine->maps.count; i > 0; i--)
		map_record_free(machine->maps.items[i - 1]);
	vec_done(&machine->links);
	vec_done(&machine->progs);
	vec_done(&machine->maps);
	if (machine->world)
		map_free(machine->world->trace);
	if (machine->memory)
		memory_free(machine->memory);
	pthread_mutex_destroy(&machine->lock);
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
