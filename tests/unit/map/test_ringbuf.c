/* SPDX-License-Identifier: BSD-2-Clause */
/* test_ringbuf.c - records in order, whole, and never behind a dead producer's. */
#include "world.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

struct got {
	uint32_t count;
	uint32_t next; /* sequence expected */
	bool wrong;
};

static int check_sequence(void *arg, uint32_t cpu, const void *data, size_t size)
{
	struct got *got = arg;
	const uint8_t *bytes = data;

	(void)cpu;
	for (size_t i = 0; i < size; i++)
		got->wrong |= bytes[i] != (uint8_t)got->next;
	got->next++;
	got->count++;
	return 0;
}

static void ringbuf__records_of_any_size_cross_the_end_whole(void **state)
{
	struct world world = world_new(2);
	struct map *map = world_map(&world, BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0);
	struct vcpu *cpu = vcpu_take(world.vcpus);
	struct got got = { 0 };
	uint8_t record[4096];
	uint32_t sent = 0;

	(void)state;
	srandom(2);
	for (int i = 0; i < 20000; i++) {
		size_t size = (size_t)random() % (i % 2 ? 4080 : 60);

		memset(record, (int)sent & 0xff, size);
		if (ringbuf_output(map, record, size, 0, cpu) == 0)
			sent++;
		if (random() % 3 == 0)
			assert_true(ringbuf_consume(map, check_sequence, &got) >= 0);
	}
	ringbuf_consume(map, check_sequence, &got);
	assert_int_equal(got.count, sent);
	assert_false(got.wrong);
	assert_int_equal(ringbuf_query(map, BPF_RB_AVAIL_DATA), 0);
	assert_int_equal(ringbuf_query(map, BPF_RB_RING_SIZE), 4096);
	vcpu_give(cpu);
	world_free(&world);
}

static void ringbuf__holds_all_but_eight_bytes(void **state)
{
	struct world world = world_new(2);
	struct map *map = world_map(&world, BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0);
	struct vcpu *cpu = vcpu_take(world.vcpus);
	struct got got = { 0 };
	void *sample;

	(void)state;
	assert_null(ringbuf_reserve(map, 4089, cpu));
	assert_null(ringbuf_reserve(map, 4088, cpu));
	sample = ringbuf_reserve(map, 4080, cpu);
	assert_non_null(sample);
	assert_null(ringbuf_reserve(map, 0, cpu));
	assert_int_equal(ringbuf_take_lost(map), 2); /* the first would fit no ring of this size */
	assert_int_equal(ringbuf_take_lost(map), 0);
	memset(sample, 0, 4080);
	assert_int_equal(ringbuf_consume(map, check_sequence, &got), 0);
	ringbuf_submit(sample, 0, false);
	assert_int_equal(ringbuf_consume(map, check_sequence, &got), 1);
	assert_int_equal(ringbuf_output(map, "", 1, 4, cpu), -EINVAL);
	vcpu_give(cpu);
	world_free(&world);
}

static void ringbuf__a_discarded_record_is_not_delivered(void **state)
{
	struct world world = world_new(2);
	struct map *map = world_map(&world, BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0);
	struct vcpu *cpu = vcpu_take(world.vcpus);
	struct got got = { 0 };
	void *a = ringbuf_reserve(map, 10, cpu), *b = ringbuf_reserve(map, 10, cpu);

	(void)state;
	memset(b, 0, 10);
	ringbuf_submit(b, 0, false);
	assert_int_equal(ringbuf_consume(map, check_sequence, &got), 0);
	ringbuf_submit(a, 0, true);
	assert_int_equal(ringbuf_consume(map, check_sequence, &got), 1);
	assert_false(got.wrong);
	vcpu_give(cpu);
	world_free(&world);
}

static void ringbuf__a_dead_producers_record_is_discarded(void **state)
{
	struct world world = world_new(2);
	struct map *map = world_map(&world, BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0);
	struct got got = { 0 };

	(void)state;
	for (int i = 0; i < 30; i++) {
		uint8_t byte = (uint8_t)i;
		struct vcpu *cpu;
		pid_t child = fork();
		int status;

		if (child == 0) {
			cpu = vcpu_take(world.vcpus);
			ringbuf_reserve(map, 1000, cpu);
			kill(getpid(), SIGKILL);
		}
		waitpid(child, &status, 0);
		cpu = vcpu_take(world.vcpus);
		assert_int_equal(ringbuf_output(map, &byte, 1, 0, cpu), 0);
		assert_int_equal(ringbuf_consume(map, check_sequence, &got), 1);
		vcpu_give(cpu);
	}
	assert_false(got.wrong);
	world_free(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ringbuf__records_of_any_size_cross_the_end_whole),
		cmocka_unit_test(ringbuf__holds_all_but_eight_bytes),
		cmocka_unit_test(ringbuf__a_discarded_record_is_not_delivered),
		cmocka_unit_test(ringbuf__a_dead_producers_record_is_discarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
