/* SPDX-License-Identifier: BSD-2-Clause */
/* random_mutants.c - see random_mutants.h. */
#include "random_mutants.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../random/older.h"
#include "base/base.h"
#include "object/object.h"
#include "random_judge.h"
#include "random_kernel.h"

enum { MUTANTS_MAX = 4096, ENTRIES_MAX = 64, EASY = 2000 };

struct original {
	const char *name;
	uint32_t type, attach, flags, len, processed;
	struct skep_insn *insns;
	struct random_world *world;
};

struct mutants {
	struct original row[MUTANTS_MAX];
	uint32_t count;
};

/* The object's maps, small and without types, here and in the kernel. */
static struct random_world *world_of(struct lab *lab, bool ask, const struct prog_spec *spec)
{
	struct random_world *world = calloc(1, sizeof(*world));

	if (!world || spec->map_count > RANDOM_MAPS) {
		free(world);
		return NULL;
	}
	world->name = spec->object;
	world->map_count = spec->map_count;
	world->kernel_btf = spec->kernel_btf;
	world->btf_fd = -1;
	for (uint32_t i = 0; i < spec->map_count; i++) {
		struct map_spec *map = &world->specs[i];

		*map = *spec->maps[i];
		map->btf = NULL;
		map->key_type = map->value_type = 0;
		if (map->type != BPF_MAP_TYPE_RINGBUF && map->max_entries > ENTRIES_MAX)
			map->max_entries = ENTRIES_MAX;
		if (map->inner || map->struct_ops_type) {
			free(world);
			return NULL;
		}
		world->spec_list[i] = map;
		world->map_fds[i] = ask ? kernel_map(map, -1) : -1;
	}
	lab_world(lab, world);
	return world;
}

static void original(const struct original *from, struct random_program *out)
{
	*out = (struct random_program){ .from = from->name, .type = from->type,
					.attach = from->attach, .flags = from->flags,
					.len = from->len, .world = from->world };
	memcpy(out->insns, from->insns, from->len * sizeof(out->insns[0]));
}

static void add(struct mutants *mutants, struct lab *lab, bool ask, struct random_world *world,
		const struct prog_spec *spec)
{
	static struct random_program program;
	struct original *row = &mutants->row[mutants->count];
	struct judgement j;
	char name[256];

	if (mutants->count == MUTANTS_MAX || spec->len >= RANDOM_SLOTS - 8 || spec->attach_btf_id)
		return;
	snprintf(name, sizeof(name), "%s:%s", spec->object, spec->name);
	*row = (struct original){ .name = strdup(name), .type = spec->type->id,
				  .attach = spec->attach, .flags = spec->flags, .len = spec->len,
				  .insns = malloc(spec->len * sizeof(*row->insns)),
				  .world = world };
	if (!row->name || !row->insns)
		return;
	memcpy(row->insns, spec->insns, spec->len * sizeof(*row->insns));
	original(row, &program);
	random_judge(lab, &program, ask, 0, &j);
	row->processed = j.processed;
	if (j.verdict == BOTH_ACCEPT)
		mutants->count++;
}

static void add_object(struct mutants *mutants, struct lab *lab, bool ask, const char *path)
{
	struct skep_object *object = skep_object_open_file(path, NULL);
	struct random_world *world = NULL;

	/* Stays open: its programs' worlds borrow from it. */
	for (size_t i = 0; object && i < skep_object_prog_count(object); i++) {
		struct prog_spec spec;

		if (object_prog_spec(skep_object_prog_at(object, i), NULL, &spec, NULL) < 0)
			continue;
		if (!world)
			world = world_of(lab, ask, &spec);
		if (world)
			add(mutants, lab, ask, world, &spec);
	}
}

struct mutants *mutants_open(struct lab *lab, bool ask, char **paths, int count)
{
	struct mutants *mutants = calloc(1, sizeof(*mutants));

	for (int i = 0; mutants && i < count; i++)
		add_object(mutants, lab, ask, paths[i]);
	if (mutants)
		printf("mutants of %u programs of %d objects\n", mutants->count, count);
	return mutants && mutants->count ? mutants : NULL;
}

/* A program that is hard to verify comes up less often, so that it takes no more time in all. */
static const struct original *draw(const struct mutants *mutants, struct dice *dice)
{
	for (;;) {
		const struct original *row = &mutants->row[below(dice, mutants->count)];

		if (row->processed <= EASY || below(dice, row->processed) < EASY)
			return row;
	}
}

void mutants_make(struct mutants *mutants, struct random_program *out, uint64_t seed)
{
	struct dice dice = { seed * 0x9e3779b97f4a7c15u };

	original(draw(mutants, &dice), out);
	out->seed = seed;
	if (chance(&dice, 30))
		out->flags |= SKEP_VERIFY_STATE_FREQ;
	random_mutate(out, &dice);
	older_avoid(out);
}
