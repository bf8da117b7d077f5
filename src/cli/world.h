/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world.h - where an object is loaded: a machine of ours, or the running kernel.
 *
 * Verbs run programs, read events and look into maps through this, and so print the
 * same for both.
 */
#ifndef CLI_WORLD_H
#define CLI_WORLD_H

#include <skep/linux.h>
#include <skep/machine.h>
#include <skep/packet.h>

/* A map in it, for as long as the world is. */
struct world_map {
	struct skep_map_info info;
	size_t user_size;        /* of a value, all CPUs */
	void *handle;
};

struct world_event {
	enum skep_event_kind kind;
	const struct world_map *map; /* NULL for trace_printk */
	uint32_t cpu;
	const void *data;        /* borrowed until the callback returns */
	size_t size;             /* LOST: the number of lost samples in size */
};

typedef void world_event_fn(void *arg, const struct world_event *event);

struct world {
	struct skep_machine *machine; /* owned; one of both is there once it is loaded */
	struct skep_linux *kernel;    /* owned */
};

/* Of the object's map; false if there is none here. */
bool world_map(const struct world *world, const struct skep_object_map *of, struct world_map *map);
/* Of a map of a machine. */
struct world_map world_map_of(struct skep_map *map);
/* As skep_map_lookup() and skep_map_next_key(). */
int world_lookup(const struct world *world, const struct world_map *map, const void *key,
		 void *value);
int world_next_key(const struct world *world, const struct world_map *map, const void *key,
		   void *next);
/* Deliver what is pending; wait for it so long if nothing is. Returns the number delivered. */
int world_poll(const struct world *world, int milliseconds, world_event_fn *fn, void *arg);
/* As skep_prog_run_packet(). */
int world_run_packet(const struct world *world, const struct skep_object_prog *prog,
		     const struct skep_packet_in *in, struct skep_packet_out *out,
		     struct skep_diag *diag);
/* Accepts one that was never loaded. */
void world_done(struct world *world);

#endif
