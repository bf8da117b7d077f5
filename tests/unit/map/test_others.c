/* SPDX-License-Identifier: BSD-2-Clause */
/* test_others.c - maps of maps, queues, perf rings, stacks; values with locks; signals. */
#include "world.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "map/special.h"

/* --- maps of maps --- */

static struct map *outer_new(struct world *world, uint32_t type, const struct map_spec *inner,
			     int *error)
{
	struct map_spec spec = { .name = "outer", .type = type, .key_size = 4, .value_size = 4,
				 .max_entries = 2, .inner = inner };

	return map_new(&spec, world->memory, world->vcpus, error);
}

static void map_in_map__takes_only_maps_like_its_template(void **state)
{
	static const uint32_t types[] = { BPF_MAP_TYPE_ARRAY_OF_MAPS, BPF_MAP_TYPE_HASH_OF_MAPS };
	struct world world = world_new(2);

	(void)state;
	for (int t = 0; t < 2; t++) {
		struct map_spec like = { .name = "in", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
					 .value_size = 8, .max_entries = 3 };
		int error = 0;
		struct map *outer = outer_new(&world, types[t], &like, &error), *got = NULL;
		struct map *good = world_map(&world, BPF_MAP_TYPE_ARRAY, 4, 8, 3, 0);
		struct map *longer = world_map(&world, BPF_MAP_TYPE_ARRAY, 4, 8, 4, 0);
		struct map *other = world_map(&world, BPF_MAP_TYPE_HASH, 4, 8, 3, 0);
		uint32_t key = 1;

		assert_non_null(outer);
		assert_int_equal(map_user_update(outer, &key, &longer, 0), -EINVAL);
		assert_int_equal(map_user_update(outer, &key, &other, 0), -EINVAL);
		assert_int_equal(map_user_lookup(outer, &key, &got, 0), -ENOENT);
		assert_int_equal(map_user_update(outer, &key, &good, 0), 0);
		assert_int_equal(good->refs, 2);
		assert_int_equal(map_user_lookup(outer, &key, &got, 0), 0);
		assert_ptr_equal(got, good);
		assert_ptr_equal(map_type(outer->type_id)->lookup(outer, &key, NULL), good);
		assert_int_equal(map_user_update(outer, &key, &good, 0), 0);
		assert_int_equal(good->refs, 2);
		assert_int_equal(map_user_remove(outer, &key), 0);
		assert_int_equal(good->refs, 1);
		assert_int_equal(map_user_remove(outer, &key), -ENOENT);
		assert_int_equal(map_user_update(outer, &key, &good, 0), 0);
		map_free(outer);
		assert_int_equal(good->refs, 1);
	}
	world_free(&world);
}

static void map_in_map__refuses_templates_linux_refuses(void **state)
{
	static const struct { uint32_t type; int error; } rows[] = {
		{ BPF_MAP_TYPE_ARRAY, 0 }, { BPF_MAP_TYPE_HASH, 0 },
		{ BPF_MAP_TYPE_PROG_ARRAY, -ENOTSUPP }, { BPF_MAP_TYPE_ARRAY_OF_MAPS, -EINVAL },
		{ BPF_MAP_TYPE_CGROUP_STORAGE, -ENOTSUPP },
	};
	struct world world = world_new(2);
	int error = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct map_spec inner = { .name = "in", .type = rows[i].type, .key_size = 4,
					  .value_size = 4, .max_entries = 1 };
		struct map *outer = outer_new(&world, BPF_MAP_TYPE_ARRAY_OF_MAPS, &inner, &error);

		assert_int_equal(error, rows[i].error);
		assert_int_equal(outer != NULL, error == 0);
	}
	assert_null(outer_new(&world, BPF_MAP_TYPE_ARRAY_OF_MAPS, NULL, &error));
	assert_int_equal(error, -EBADF);
	world_free(&world);
}

static void map_in_map__an_inner_map_outlives_who_reads_it(void **state)
{
	struct world world = world_new(2);
	struct map_spec like = { .name = "in", .type = BPF_MAP_TYPE_HASH, .key_size = 4,
				 .value_size = 8, .max_entries = 100 };
	int error = 0;
	struct map *outer = outer_new(&world, BPF_MAP_TYPE_ARRAY_OF_MAPS, &like, &error);
	struct map *inner = world_map(&world, BPF_MAP_TYPE_HASH, 4, 8, 100, 0);
	struct vcpu *cpu = vcpu_take(world.vcpus);
	uint64_t value = 42;
	uint32_t key = 0;
	size_t held;

	(void)state;
	map_user_update(inner, &key, &value, 0);
	map_user_update(outer, &key, &inner, 0);
	map_unref(inner);
	assert_int_equal(map_user_remove(outer, &key), 0);
	memory_collect(world.memory);
	assert_int_equal(map_user_lookup(inner, &key, &value, 0), 0);
	assert_int_equal(value, 42);
	held = memory_used(world.memory);
	vcpu_give(cpu);
	memory_collect(world.memory);
	assert_true(memory_used(world.memory) < held);
	world_free(&world);
}

/* --- perf rings --- */

static int count_bytes(void *arg, uint32_t cpu, const void *data, size_t size)
{
	uint64_t *sum = arg;

	(void)cpu;
	for (size_t i = 0; i < size; i++)
		*sum += ((const uint8_t *)data)[i];
	return 0;
}

static void perf__what_does_not_fit_is_counted_as_lost(void **state)
{
	struct world world = world_new(2);
	struct map *map = world_map(&world, BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 2, 0);
	struct vcpu *cpu = vcpu_take(world.vcpus);
	uint8_t ones[1000];
	uint64_t lost = 0, sum = 0, sent = 0, refused = 0;

	(void)state;
	memset(ones, 1, sizeof(ones));
	for (int i = 0; i < 3000; i++) {
		int64_t error = perf_output(map, (uint32_t)BPF_F_CURRENT_CPU, ones, 10, ones,
					    (uint64_t)(random() % 990), cpu);

		sent += error == 0;
		refused += error == -ENOSPC;
		if (i % 700 == 699)
			assert_true(perf_consume(map, count_bytes, &sum, &lost) >= 0);
		if (i % 700 == 699)
			refused -= lost;
	}
	assert_true(perf_consume(map, count_bytes, &sum, &lost) >= 0);
	assert_int_equal(refused, lost);
	assert_true(sent > 500);
	assert_int_equal(perf_output(map, 2, ones, 1, NULL, 0, cpu), -E2BIG);
	assert_int_equal(perf_output(map, !cpu->id, ones, 1, NULL, 0, cpu), -EOPNOTSUPP);
	assert_int_equal(map_user_remove(map, &cpu->id), 0);
	assert_int_equal(perf_output(map, cpu->id, ones, 1, NULL, 0, cpu), -ENOENT);
	vcpu_give(cpu);
	world_free(&world);
}

/* --- call stacks --- */

static void stack_trace__a_stack_has_one_id(void **state)
{
	struct world world = world_new(2);
	struct map *map = world_map(&world, BPF_MAP_TYPE_STACK_TRACE, 4, 32, 64, 0);
	uint64_t ips[6] = { 1, 2, 3, 4, 5, 6 }, read[4];
	int64_t put = stack_trace_put(map, ips, 3, 0), same = stack_trace_put(map, ips, 3, 0);
	uint32_t id = (uint32_t)put;

	(void)state;
	assert_true(put >= 0);
	assert_int_equal(put, same);
	assert_int_equal(map_user_lookup(map, &id, read, 0), 0);
	assert_memory_equal(read, ((uint64_t[]){ 1, 2, 3, 0 }), 32);
	assert_true(stack_trace_put(map, ips, 6, BPF_F_REUSE_STACKID) >= 0); /* cut to 4 */
	assert_int_equal(map_user_update(map, &id, read, 0), -EINVAL);
	assert_int_equal(map_user_remove(map, &id), 0);
	assert_int_equal(map_user_remove(map, &id), -ENOENT);
	id = 64;
	assert_int_equal(map_user_remove(map, &id), -E2BIG);
	/* Another stack in the same place: refused, or put there when asked to. */
	for (uint64_t i = 0, refused = 0; !refused; i++) {
		ips[0] = i;
		put = stack_trace_put(map, ips, 4, 0);
		refused = put == -EEXIST;
		if (refused)
			assert_true(stack_trace_put(map, ips, 4, BPF_F_REUSE_STACKID) >= 0);
	}
	world_free(&world);
}

/* --- instruction arrays --- */

static void insn_array__user_space_says_which_instructions(void **state)
{
	struct world world = world_new(1);
	struct map *map = world_map(&world, BPF_MAP_TYPE_INSN_ARRAY, 4, 16, 3, 0);
	uint32_t in[4] = { 7 }, gone[4] = { 7, 9 }, out[4], key = 2;
	uint64_t address;

	(void)state;
	assert_int_equal(map_user_update(map, &key, in, 0), 0);
	assert_int_equal(map_user_lookup(map, &key, out, 0), 0);
	assert_memory_equal(out, in, sizeof(in));
	assert_int_equal(map_user_update(map, &key, gone, 0), -EINVAL);
	assert_int_equal(map_user_update(map, &key, in, BPF_F_LOCK), -EINVAL);
	assert_int_equal(map_user_update(map, &key, in, BPF_NOEXIST), -EEXIST);
	assert_int_equal(map_user_remove(map, &key), -EINVAL);
	assert_int_equal(map_type(map->type_id)->direct_value(map, &address, 16), 0);
	assert_int_equal(*(uint64_t *)(uintptr_t)address, 7);
	assert_int_equal(map_type(map->type_id)->direct_value(map, &address, 24), -EACCES);
	key = 3;
	assert_int_equal(map_user_update(map, &key, in, 0), -E2BIG);
	assert_int_equal(map_user_lookup(map, &key, out, 0), -ENOENT);
	world_free(&world);
}

static void insn_array__a_programs_table_is_frozen(void **state)
{
	static const uint32_t targets[] = { 5, 3 };
	struct world world = world_new(1);
	struct map_spec spec = { .name = "table", .type = BPF_MAP_TYPE_INSN_ARRAY, .key_size = 4,
				 .value_size = 16, .max_entries = 2, .targets = targets };
	uint32_t in[4] = { 1 }, out[4], key = 0;
	int error = 0;
	struct map *map = map_new(&spec, world.memory, world.vcpus, &error);

	(void)state;
	assert_non_null(map);
	assert_int_equal(map_user_update(map, &key, in, 0), -EPERM);
	assert_int_equal(map_user_lookup(map, &key, out, 0), 0);
	assert_memory_equal(out, ((uint32_t[]){ 5, 5, 0, 0 }), 16);
	map_free(map);
	world_free(&world);
}

/* --- values with a spin lock --- */

static void special__bytes_of_locks_are_not_copied(void **state)
{
	static const uint32_t types[] = { BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_ARRAY };
	struct world world = world_new(2);

	(void)state;
	for (int t = 0; t < 2; t++) {
		struct map *map = world_map(&world, types[t], 4, 16, 1, 0);
		uint32_t in[4] = { 1, 0xbad, 3, 4 }, out[4], key = 0;

		map->lock_off = 4; /* what special_find() does of a value with a lock at 4 */
		map->special_count = 1;
		map->special[0] = (struct map_special){ 4, 4 };
		assert_int_equal(map_user_update(map, &key, in, 0), 0);
		assert_int_equal(map_user_update(map, &key, in, BPF_F_LOCK), 0);
		memset(out, 7, sizeof(out));
		assert_int_equal(map_user_lookup(map, &key, out, 0), 0);
		assert_memory_equal(out, ((uint32_t[]){ 1, 0, 3, 4 }), 16);
		assert_int_equal(map_user_lookup(map, &key, out, BPF_F_LOCK), 0);
		assert_memory_equal(out, ((uint32_t[]){ 1, 0, 3, 4 }), 16);
	}
	world_free(&world);
}

/* struct value { u32 a; struct bpf_spin_lock lock; u32 c; } as bytes of BTF. */
static struct skep_btf *btf_of_locked_value(void)
{
	static const char strings[] = "\0u32\0bpf_spin_lock\0val\0value\0a\0lock\0c";
	const uint32_t int_kind = 1u << 24, struct_kind = 4u << 24;
	const uint32_t types[] = {
		1, int_kind, 4, 32,
		5, struct_kind | 1, 4, 19, 1, 0,
		23, struct_kind | 3, 12, 29, 1, 0, 31, 2, 32, 36, 1, 64,
	};
	struct {
		uint16_t magic;
		uint8_t version, flags;
		uint32_t header, type_off, type_len, string_off, string_len;
		uint8_t rest[sizeof(types) + sizeof(strings)];
	} file = { 0xeb9f, 1, 0, 24, 0, sizeof(types), sizeof(types), sizeof(strings), { 0 } };

	memcpy(file.rest, types, sizeof(types));
	memcpy(file.rest + sizeof(types), strings, sizeof(strings));
	return skep_btf_open(&file, 24 + sizeof(types) + sizeof(strings), NULL, "test", NULL);
}

static void special__btf_says_where_the_lock_is(void **state)
{
	struct world world = world_new(2);
	struct skep_btf *btf = btf_of_locked_value();
	struct map_spec spec = { .name = "m", .type = BPF_MAP_TYPE_HASH, .key_size = 4,
				 .value_size = 12, .max_entries = 1, .btf = btf,
				 .key_type = 1, .value_type = 3 };
	int error = 0;
	struct map *map;

	(void)state;
	assert_non_null(btf);
	map = map_new(&spec, world.memory, world.vcpus, &error);
	assert_non_null(map);
	assert_int_equal(map->lock_off, 4);
	assert_int_equal(map->special_count, 1);
	assert_int_equal(map->special[0].off, 4);
	assert_int_equal(map->special[0].size, 4);
	skep_btf_unref(btf);
	world_free(&world);
}

static void special__a_dead_holders_spin_lock_is_taken_over(void **state)
{
	struct world world = world_new(2);
	uint32_t *lock = memory_alloc(world.memory, 4, 4);

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct vcpu *cpu;
		pid_t child = fork();
		int status;

		if (child == 0) {
			special_lock(world.vcpus, lock, vcpu_take(world.vcpus));
			kill(getpid(), SIGKILL);
		}
		waitpid(child, &status, 0);
		assert_true(*lock != 0);
		cpu = vcpu_take(world.vcpus);
		special_lock(world.vcpus, lock, cpu);
		special_unlock(lock);
		vcpu_give(cpu);
	}
	world_free(&world);
}

/* --- signals in the middle of anything --- */

static struct world *signal_world;
static struct map *signal_map[4];
static uint64_t signals_run, signals_busy;

static void on_signal(int number)
{
	struct vcpu *cpu = vcpu_take(signal_world->vcpus);
	uint64_t value = 1;

	(void)number;
	for (int m = 0; cpu && m < 4; m++) {
		const struct map_type *type = map_type(signal_map[m]->type_id);
		uint32_t key[2] = { 32, (uint32_t)(signals_run % 8) };

		signals_busy += type->update(signal_map[m], key, &value, 0, cpu) == -EBUSY;
		signals_busy += type->remove(signal_map[m], key, cpu) == -EBUSY;
		signals_run++;
	}
	if (cpu)
		vcpu_give(cpu);
}

static void map__a_signal_may_interrupt_any_operation(void **state)
{
	struct world world = world_new(1);
	struct itimerval timer = { { 0, 50 }, { 0, 50 } }, stop = { 0 };
	uint64_t value = 2;

	(void)state;
	signal_world = &world;
	signal_map[0] = world_map(&world, BPF_MAP_TYPE_HASH, 8, 8, 8, 0);
	signal_map[1] = world_map(&world, BPF_MAP_TYPE_LRU_HASH, 8, 8, 4, 0);
	signal_map[2] = world_map(&world, BPF_MAP_TYPE_LPM_TRIE, 8, 8, 8, BPF_F_NO_PREALLOC);
	signal_map[3] = world_map(&world, BPF_MAP_TYPE_PERCPU_HASH, 8, 8, 8, 0);
	signal(SIGALRM, on_signal);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (uint32_t i = 0; i < 300000 || (signals_run < 100 && i < 30000000); i++) {
		struct map *map = signal_map[i % 4];
		uint32_t key[2] = { 32, i % 8 };

		if (i % 3)
			map_user_update(map, key, &value, 0);
		else
			map_user_remove(map, key);
	}
	setitimer(ITIMER_REAL, &stop, NULL);
	assert_true(signals_run >= 100);
	/* Nothing was lost: each still takes as many as it should. */
	for (int m = 0; m < 4; m++)
		for (uint32_t i = 0; i < 8; i++) {
			uint32_t key[2] = { 32, i };

			assert_int_equal(map_user_update(signal_map[m], key, &value, 0), 0);
		}
	world_free(&world);
}

/* --- two processes, one sum --- */

static void map__two_processes_add_up_exactly(void **state)
{
	static const uint32_t types[] = { BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PERCPU_HASH };
	enum { TIMES = 50000 };
	struct world world = world_new(4);

	(void)state;
	for (int t = 0; t < 2; t++) {
		struct map *map = world_map(&world, types[t], 4, 8, 1, 0);
		const struct map_type *type = map_type(types[t]);
		uint64_t values[4] = { 0 };
		uint32_t key = 0;
		pid_t child[2];

		assert_int_equal(map_user_update(map, &key, values, 0), 0);
		for (int c = 0; c < 2; c++) {
			child[c] = fork();
			for (int i = 0; child[c] == 0 && i < TIMES; i++) {
				struct vcpu *cpu = vcpu_take(world.vcpus);

				if (!cpu)
					_exit(1);
				++*(uint64_t *)type->lookup(map, &key, cpu);
				vcpu_give(cpu);
			}
			if (child[c] == 0)
				_exit(0);
		}
		for (int c = 0; c < 2; c++) {
			int status;

			waitpid(child[c], &status, 0);
			assert_int_equal(status, 0);
		}
		assert_int_equal(map_user_lookup(map, &key, values, 0), 0);
		assert_int_equal(values[0] + values[1] + values[2] + values[3], 2 * TIMES);
	}
	world_free(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map_in_map__takes_only_maps_like_its_template),
		cmocka_unit_test(map_in_map__refuses_templates_linux_refuses),
		cmocka_unit_test(map_in_map__an_inner_map_outlives_who_reads_it),
		cmocka_unit_test(perf__what_does_not_fit_is_counted_as_lost),
		cmocka_unit_test(stack_trace__a_stack_has_one_id),
		cmocka_unit_test(insn_array__user_space_says_which_instructions),
		cmocka_unit_test(insn_array__a_programs_table_is_frozen),
		cmocka_unit_test(special__bytes_of_locks_are_not_copied),
		cmocka_unit_test(special__btf_says_where_the_lock_is),
		cmocka_unit_test(special__a_dead_holders_spin_lock_is_taken_over),
		cmocka_unit_test(map__a_signal_may_interrupt_any_operation),
		cmocka_unit_test(map__two_processes_add_up_exactly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
