/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shared.c - threads and processes that update the same maps at full speed.
 *
 * Every thread runs a program that adds 1 to 64 elements, over and over; no
 * addition may be lost, so the sums are compared with what was done. Printed is
 * the time of one addition as a thread sees it, and how much more all do together
 * than one thread alone (2.00 on two CPUs is perfect).
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <skep/machine.h>
#include <skep/object.h>

enum { TIMES = 64, KEYS = 1024, WORKERS = 4, ROUNDS = 5, ROUND_MS = 120 };

static const struct way {
	const char *name;
	unsigned processes, threads;
} ways[] = {
	{ "1 thread", 1, 1 }, { "2 threads", 1, 2 }, { "2 processes", 2, 1 },
	{ "2 x 2 threads", 2, 2 },
};

static const char *const maps[] = { "percpu_array", "percpu_hash", "array", "hash" };

/* In memory that all processes share. */
struct shared {
	unsigned ready;
	bool go, stop;
	uint64_t runs[WORKERS], refused[WORKERS];
};

struct worker {
	struct shared *shared;
	struct skep_prog *prog;
	unsigned index;
};

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void die(const char *what, struct skep_diag *diag)
{
	char *text = skep_diag_text(diag, 0);

	fprintf(stderr, "shared: %s\n%s", what, text ? text : "");
	exit(1);
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct shared *shared = worker->shared;
	uint64_t runs = 0, refused = 0, ctx[12] = { 0 }, result;

	__atomic_fetch_add(&shared->ready, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&shared->go, __ATOMIC_ACQUIRE))
		;
	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		ctx[0] = (runs * TIMES + worker->index * (KEYS / WORKERS)) % KEYS;
		if (skep_prog_run(worker->prog, ctx, sizeof(ctx), &result, NULL) == 0)
			runs++;
		else
			refused++;
	}
	shared->runs[worker->index] += runs;
	shared->refused[worker->index] += refused;
	return NULL;
}

static void work_threads(struct shared *shared, struct skep_prog *prog, unsigned first,
			 unsigned count)
{
	struct worker worker[WORKERS];
	pthread_t thread[WORKERS];

	for (unsigned i = 0; i < count; i++) {
		worker[i] = (struct worker){ shared, prog, first + i };
		if (pthread_create(&thread[i], NULL, work, &worker[i]) != 0)
			exit(1);
	}
	for (unsigned i = 0; i < count; i++)
		pthread_join(thread[i], NULL);
}

/* One round; returns additions a second, of all together. */
static double round_of(const struct way *way, struct shared *shared, struct skep_prog *prog)
{
	unsigned all = way->processes * way->threads;
	uint64_t before = 0, after = 0;
	double start;

	for (unsigned i = 0; i < WORKERS; i++)
		before += shared->runs[i];
	shared->ready = 0;
	shared->go = shared->stop = false;
	for (unsigned p = 0; p < way->processes; p++) {
		if (fork() != 0)
			continue;
		work_threads(shared, prog, p * way->threads, way->threads);
		_exit(0);
	}
	while (__atomic_load_n(&shared->ready, __ATOMIC_ACQUIRE) < all)
		usleep(100);
	start = now_ns();
	__atomic_store_n(&shared->go, true, __ATOMIC_RELEASE);
	usleep(ROUND_MS * 1000);
	__atomic_store_n(&shared->stop, true, __ATOMIC_RELEASE);
	start = now_ns() - start;
	while (wait(NULL) > 0)
		;
	for (unsigned i = 0; i < WORKERS; i++)
		after += shared->runs[i];
	return (double)(after - before) * TIMES / (start / 1e9);
}

/* What all values of the map add up to. */
static uint64_t map_sum(struct skep_map *map)
{
	size_t size = skep_map_user_value_size(map);
	uint64_t *value = malloc(size), sum = 0;

	for (uint32_t key = 0; key < KEYS; key++)
		if (value && skep_map_lookup(map, &key, value) == 0)
			for (size_t i = 0; i < size / 8; i++)
				sum += value[i];
	free(value);
	return sum;
}

static bool measure(struct skep_machine *machine, struct skep_object *object, const char *name)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char program[64];
	struct skep_prog *prog;
	struct skep_map *map = skep_machine_map(machine, skep_object_map_find(object, name));
	double best[sizeof(ways) / sizeof(ways[0])] = { 0 };
	uint64_t done = 0, refused = 0, sum, *zero = calloc(1, skep_map_user_value_size(map));

	snprintf(program, sizeof(program), "add_%s", name);
	prog = skep_machine_prog(machine, skep_object_prog_find(object, program));
	for (uint32_t key = 0; key < KEYS; key++)
		skep_map_update(map, &key, zero, 0);
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
			double rate = round_of(&ways[i], shared, prog);

			best[i] = rate > best[i] ? rate : best[i];
		}
	for (unsigned i = 0; i < WORKERS; i++) {
		done += shared->runs[i] * TIMES;
		refused += shared->refused[i];
	}
	sum = map_sum(map);
	printf("%-13s", name);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		printf("  %6.1f ns x%4.2f", 1e9 / best[i] * (ways[i].processes * ways[i].threads),
		       best[i] / best[0]);
	printf("  %s of %llu\n", sum == done ? "exact" : "LOST SOME",
	       (unsigned long long)done);
	if (refused)
		printf("%-13s  %llu runs found no virtual CPU\n", "", (unsigned long long)refused);
	free(zero);
	return sum == done;
}

int main(void)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_machine *machine = skep_machine_new(NULL, diag);
	struct skep_object *object = skep_object_open_file(BENCH_OBJECT, diag);
	bool exact = true;

	if (!machine || !object || skep_machine_load(machine, object, NULL, diag) < 0)
		die("cannot load " BENCH_OBJECT, diag);
	printf("one addition, as a thread sees it, and how much all do against one thread alone\n");
	printf("%-13s", "map");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		printf("  %15s", ways[i].name);
	printf("  sum\n");
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		exact &= measure(machine, object, maps[i]);
	return exact ? 0 : 1;
}
