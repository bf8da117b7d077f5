/* SPDX-License-Identifier: BSD-2-Clause */
/* test_vcpu.c - virtual CPUs: exclusive, and never lost. */
#include "world.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static void vcpu__a_second_take_on_a_thread_is_missed(void **state)
{
	struct world world = world_new(4);
	struct vcpu *cpu = vcpu_take(world.vcpus);

	(void)state;
	assert_non_null(cpu);
	assert_null(vcpu_take(world.vcpus));
	assert_int_equal(cpu->missed, 1);
	vcpu_give(cpu);
	assert_int_equal(cpu->owner, 0);
	cpu = vcpu_take(world.vcpus);
	assert_non_null(cpu);
	vcpu_give(cpu);
	world_free(&world);
}

static struct vcpu *abandoned;

static __attribute__((noinline)) void take_deep(struct world *world, jmp_buf *out)
{
	volatile char room[4096];

	room[0] = 1;
	room[sizeof(room) - 1] = room[0];
	abandoned = vcpu_take(world->vcpus);
	longjmp(*out, 1);
}

static void vcpu__a_frame_left_by_longjmp_is_given_back(void **state)
{
	struct world world = world_new(1);
	jmp_buf out;
	struct vcpu *cpu;

	(void)state;
	if (setjmp(out) == 0)
		take_deep(&world, &out);
	assert_non_null(abandoned);
	cpu = vcpu_take(world.vcpus);
	assert_ptr_equal(cpu, abandoned);
	vcpu_give(cpu);
	world_free(&world);
}

static void vcpu__a_dead_process_is_taken_over_from(void **state)
{
	struct world world = world_new(2);

	(void)state;
	for (int i = 0; i < 20; i++) {
		pid_t child[2];
		int status;

		for (int c = 0; c < 2; c++) {
			child[c] = fork();
			if (child[c] == 0) {
				while (!vcpu_take(world.vcpus))
					;
				kill(getpid(), SIGKILL);
			}
		}
		/* Not waited for yet: a zombie is dead, too. */
		for (int c = 0; c < 2; c++) {
			siginfo_t info;

			waitid(P_PID, (id_t)child[c], &info, WEXITED | WNOWAIT);
		}
		struct vcpu *cpu = vcpu_take(world.vcpus);

		assert_non_null(cpu);
		vcpu_give(cpu);
		for (int c = 0; c < 2; c++)
			waitpid(child[c], &status, 0);
	}
	world_free(&world);
}

static void vcpu__a_child_does_not_give_back_its_parents(void **state)
{
	struct world world = world_new(2);
	struct vcpu *cpu = vcpu_take(world.vcpus);
	uint64_t owner = cpu->owner;
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		struct vcpu *mine;

		vcpu_give(cpu);
		mine = vcpu_take(world.vcpus);
		_exit(cpu->owner == owner && mine && mine != cpu ? 0 : 1);
	}
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(cpu->owner, owner);
	vcpu_give(cpu);
	world_free(&world);
}

struct adder {
	struct world *world;
	uint64_t *sums; /* by virtual CPU, added to without atomics */
	uint64_t done;
};

static void *add_many(void *arg)
{
	struct adder *adder = arg;

	for (int i = 0; i < 100000; i++) {
		struct vcpu *cpu = vcpu_take(adder->world->vcpus);

		if (!cpu)
			continue;
		adder->sums[8 * cpu->id]++;
		adder->done++;
		vcpu_give(cpu);
	}
	return NULL;
}

static void vcpu__what_it_guards_needs_no_atomics(void **state)
{
	struct world world = world_new(4);
	uint64_t sums[32] = { 0 }, sum = 0, done = 0;
	struct adder adder[3];
	pthread_t thread[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		adder[i] = (struct adder){ .world = &world, .sums = sums };
		pthread_create(&thread[i], NULL, add_many, &adder[i]);
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(thread[i], NULL);
		done += adder[i].done;
	}
	for (int i = 0; i < 4; i++)
		sum += sums[8 * i];
	assert_int_equal(sum, done);
	assert_true(done > 100000);
	world_free(&world);
}

static void vcpu__retired_memory_waits_for_who_may_read_it(void **state)
{
	struct world world = world_new(2);
	size_t before = memory_used(world.memory), more;
	char *block = memory_alloc(world.memory, 1 << 20, 64);
	struct vcpu *cpu = vcpu_take(world.vcpus);

	(void)state;
	memset(block, 7, 1 << 20);
	memory_retire(world.memory, block, 1 << 20);
	memory_collect(world.memory);
	assert_int_equal(block[0], 7);
	more = memory_used(world.memory);
	vcpu_give(cpu);
	memory_collect(world.memory);
	assert_int_equal(more - memory_used(world.memory), 1 << 20);
	assert_true(memory_used(world.memory) - before <= 3 * 4096);
	world_free(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vcpu__a_second_take_on_a_thread_is_missed),
		cmocka_unit_test(vcpu__a_frame_left_by_longjmp_is_given_back),
		cmocka_unit_test(vcpu__a_dead_process_is_taken_over_from),
		cmocka_unit_test(vcpu__a_child_does_not_give_back_its_parents),
		cmocka_unit_test(vcpu__what_it_guards_needs_no_atomics),
		cmocka_unit_test(vcpu__retired_memory_waits_for_who_may_read_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
