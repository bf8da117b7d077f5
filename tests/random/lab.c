/* SPDX-License-Identifier: BSD-2-Clause */
/* lab.c - see lab.h. */
#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz/claims.h"
#include "base/base.h"
#include "helper/task.h"
#include "lab_frame.h"
#include "vm/vm.h"

enum { ARENA = 64 << 20, PLAIN_CONTEXT = 65536, PACKET_ROOM = 512, VALUE_ROOM = 4096 };

struct lab {
	struct memory *memory;
	struct vcpu_set *vcpus;
	struct vm_world *world;
	struct lab_frame *frame;
	struct claims *claims;
	uint8_t plain[PLAIN_CONTEXT];
};

struct lab *lab_new(void)
{
	struct lab *lab = calloc(1, sizeof(*lab));

	if (!lab || engine_init() < 0)
		return NULL;
	lab->memory = memory_new(ARENA);
	lab->vcpus = lab->memory ? vcpu_set_new(lab->memory, 2) : NULL;
	lab->world = lab->vcpus ? memory_alloc(lab->memory, sizeof(*lab->world), 16) : NULL;
	lab->frame = lab_frame_new();
	lab->claims = claims_new();
	if (!lab->world || !lab->frame || !lab->claims)
		return NULL;
	lab->world->memory = lab->memory;
	lab->world->vcpus = lab->vcpus;
	lab->world->tasks = task_table_new(lab->memory, vcpu_count(lab->vcpus));
	return lab;
}

bool lab_world(struct lab *lab, struct random_world *world)
{
	uint32_t zero = 0;

	world->runs = true;
	for (uint32_t i = 0; i < world->map_count; i++) {
		const struct map_spec *spec = world->spec_list[i];
		int error;

		world->maps[i] = map_new(spec, lab->memory, lab->vcpus, &error);
		if (!world->maps[i]) {
			world->runs = false;
			continue;
		}
		if (spec->frozen)
			map_user_update(world->maps[i], &zero, spec->frozen, 0);
	}
	return world->runs;
}

/* --- inputs --- */

/* Bytes that are random, zero, all ones, or numbers at the edges. */
static void fill(struct dice *dice, void *to, size_t size)
{
	uint8_t *bytes = to;

	for (size_t i = 0; i < size; i += 8) {
		uint64_t word = below(dice, 3) == 0 ? (uint64_t)edge_number(dice) : roll(dice);

		if (below(dice, 4) == 0)
			word = below(dice, 2) ? 0 : below(dice, 70);
		memcpy(bytes + i, &word, MIN(size - i, (size_t)8));
	}
}

static int drop_record(void *arg, uint32_t cpu, const void *data, size_t size)
{
	(void)arg, (void)cpu, (void)data, (void)size;
	return 0;
}

static void fill_map(struct dice *dice, struct map *map)
{
	static uint8_t value[VALUE_ROOM];
	uint32_t entries = MIN(map->max_entries, 16u);

	if (map->type_id == BPF_MAP_TYPE_RINGBUF)
		ringbuf_consume(map, drop_record, NULL);
	if ((map->type_id != BPF_MAP_TYPE_ARRAY && map->type_id != BPF_MAP_TYPE_HASH &&
	     map->type_id != BPF_MAP_TYPE_PERCPU_ARRAY) ||
	    map->key_size != 4 || map_user_value_size(map) > VALUE_ROOM)
		return;
	for (uint32_t key = 0; key < entries; key++) {
		fill(dice, value, map_user_value_size(map));
		if (map->type_id == BPF_MAP_TYPE_HASH && chance(dice, 40))
			map_user_remove(map, &key);
		else
			map_user_update(map, &key, value, 0);
	}
}

static void prepare(struct lab *lab, const struct random_program *program, struct dice *dice)
{
	uint8_t packet[PACKET_ROOM];
	uint32_t size = 14 + below(dice, chance(dice, 50) ? 32 : 200);

	for (uint32_t i = 0; i < program->world->map_count; i++)
		if (!program->world->spec_list[i]->frozen)
			fill_map(dice, program->world->maps[i]);
	fill(dice, packet, sizeof(packet));
	packet[12] = 8; /* IPv4 */
	packet[13] = 0;
	lab_frame_load(lab->frame, program->type, packet, size);
	fill(dice, lab->plain, 1024);
}

/* --- running --- */

static void run(struct lab *lab, const struct random_program *program,
		const struct verified *verified, unsigned variant, struct checked *checked)
{
	struct dice dice = { program->seed * 31 + variant };
	struct packet *packet;
	struct vm vm = { .world = lab->world, .prog_type = program->type,
			 .cpu = vcpu_take(lab->vcpus) };
	struct checked_setup setup = {
		.verified = verified, .vm = &vm, .maps = program->world->maps, .variant = variant,
		.ctx_size = prog_type(program->type)->ctx->size,
		.claims = claims_complete(lab->claims) ? lab->claims : NULL,
		.num_new = random_kfuncs.num_new, .num_next = random_kfuncs.num_next,
		.num_destroy = random_kfuncs.num_destroy,
	};

	prepare(lab, program, &dice);
	packet = lab_frame_packet(lab->frame, program->type);
	vm.packet = packet;
	vm.ctx = packet ? (void *)packet : lab->plain;
	if (packet)
		setup.ctx_size = sizeof(*packet);
	checked_run(&setup, checked);
	vcpu_give(vm.cpu);
}

void lab_judge(struct lab *lab, const struct random_program *program, unsigned log_level,
	       struct lab_result *result)
{
	struct prog_spec spec = random_spec(program);
	struct skep_verify_opts opts = { .log_level = log_level };
	struct skep_verify_result judged = { 0 };
	struct verified verified = { 0 };
	struct verify_observer observer = claims_observer(lab->claims);
	int error;

	*result = (struct lab_result){ 0 };
	claims_reset(lab->claims);
	error = verify_observed(&spec, &opts, program->world->runs ? &observer : NULL, &judged,
				program->world->runs ? &verified : NULL, NULL);
	result->error = error ? error : judged.error;
	result->processed = judged.processed;
	snprintf(result->message, sizeof(result->message), "%s", judged.message);
	if (log_level && judged.log)
		printf("--- Skep: %d %s\n%s\n", result->error, judged.message, judged.log);
	skep_verify_result_done(&judged);
	for (uint32_t i = 0; i < verified.len; i++)
		result->reached[i] = verified.facts[i].reached;
	result->recorded = claims_complete(lab->claims);
	for (; !result->error && program->world->runs && result->runs < LAB_RUNS; result->runs++) {
		run(lab, program, &verified, result->runs, &result->checked);
		result->done += result->checked.end == CHECKED_DONE;
		if (result->checked.end >= CHECKED_VIOLATION)
			break;
	}
	verified_done(&verified);
}
