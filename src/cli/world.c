/* SPDX-License-Identifier: BSD-2-Clause */
/* world.c - one face for a machine of ours and for the running kernel (see world.h). */
#include "cli/world.h"

#include <time.h>

/* --- maps --- */

bool world_map(const struct world *world, const struct skep_object_map *of, struct world_map *map)
{
	*map = (struct world_map){ 0 };
	if (world->kernel) {
		map->handle = skep_linux_map(world->kernel, of);
		if (!map->handle)
			return false;
		skep_linux_map_info(map->handle, &map->info);
		map->user_size = skep_linux_map_user_value_size(map->handle);
		return true;
	}
	map->handle = skep_machine_map(world->machine, of);
	if (!map->handle)
		return false;
	skep_map_info(map->handle, &map->info);
	map->user_size = skep_map_user_value_size(map->handle);
	return true;
}

struct world_map world_map_of(struct skep_map *of)
{
	struct world_map map = { .handle = of, .user_size = skep_map_user_value_size(of) };

	skep_map_info(of, &map.info);
	return map;
}

int world_lookup(const struct world *world, const struct world_map *map, const void *key,
		 void *value)
{
	return world->kernel ? skep_linux_map_lookup(map->handle, key, value) :
			       skep_map_lookup(map->handle, key, value);
}

int world_next_key(const struct world *world, const struct world_map *map, const void *key,
		   void *next)
{
	return world->kernel ? skep_linux_map_next_key(map->handle, key, next) :
			       skep_map_next_key(map->handle, key, next);
}

/* --- events --- */

struct forward {
	const struct world *world;
	world_event_fn *fn;
	void *arg;
};

static int from_machine(void *arg, const struct skep_event *event)
{
	struct forward *forward = arg;
	struct world_event out = { .kind = event->kind, .cpu = event->cpu, .data = event->data,
				   .size = event->size };
	struct world_map map = { .handle = event->map };

	if (event->map) {
		skep_map_info(event->map, &map.info);
		out.map = &map;
	}
	forward->fn(forward->arg, &out);
	return 0;
}

static int from_kernel(void *arg, const struct skep_linux_event *event)
{
	struct forward *forward = arg;
	struct world_event out = { .kind = event->kind, .cpu = event->cpu, .data = event->data,
				   .size = event->size };
	struct world_map map;

	if (event->map && world_map(forward->world, event->map, &map))
		out.map = &map;
	forward->fn(forward->arg, &out);
	return 0;
}

int world_poll(const struct world *world, int milliseconds, world_event_fn *fn, void *arg)
{
	struct forward forward = { world, fn, arg };
	struct timespec pause = { milliseconds / 1000, milliseconds % 1000 * 1000000L };
	int count;

	if (world->kernel)
		return skep_linux_poll(world->kernel, milliseconds, from_kernel, &forward);
	count = skep_machine_poll(world->machine, from_machine, &forward);
	if (count || !milliseconds)
		return count;
	nanosleep(&pause, NULL);
	return skep_machine_poll(world->machine, from_machine, &forward);
}

/* --- packets --- */

int world_run_packet(const struct world *world, const struct skep_object_prog *prog,
		     const struct skep_packet_in *in, struct skep_packet_out *out,
		     struct skep_diag *diag)
{
	if (world->kernel)
		return skep_linux_run_packet(world->kernel, prog, in, out, diag);
	return skep_prog_run_packet(skep_machine_prog(world->machine, prog), in, out, diag);
}

void world_done(struct world *world)
{
	skep_machine_free(world->machine);
	skep_linux_free(world->kernel);
	*world = (struct world){ 0 };
}
