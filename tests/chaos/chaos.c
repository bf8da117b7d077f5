/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chaos.c - chaos TYPE|all: start workers, stop and kill them at random, check.
 *
 * "all" is every type in one arena, of which each worker takes one at random for each
 * operation. Runs most of a second, or SKEP_CHAOS_SECONDS.
 */
#include "chaos.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "map/owner.h"

enum { TYPES_MAX = 32 };

/* Shared with all workers. */
struct field {
	uint32_t count;
	struct chaos at[TYPES_MAX];
};

static int worker_index = -1; /* in a worker */
static int arena_fd, field_fd;

uint32_t chaos_random(struct worker *worker, uint32_t below)
{
	worker->random ^= worker->random << 13;
	worker->random ^= worker->random >> 7;
	worker->random ^= worker->random << 17;
	return (uint32_t)(worker->random >> 20) % below;
}

void chaos_fail(struct chaos *chaos, const char *fmt, ...)
{
	char text[sizeof(chaos->worker[0].wrong)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (worker_index >= 0) {
		memcpy(chaos->worker[worker_index].wrong, text, sizeof(text));
		_exit(1);
	}
	printf("%s: %s (after %llu kills)\n", chaos_type(chaos)->name, text,
	       (unsigned long long)chaos->kills);
	exit(1);
}

/* Its holders may wait long for a real CPU; only who waits for ever is stuck. */
struct vcpu *chaos_vcpu(struct chaos *chaos)
{
	struct vcpu *cpu = NULL;
	bool taken = false;

	for (int second = 0; !cpu && second < 60; second++)
		cpu = vcpu_borrow(chaos->vcpus, &taken);
	if (!cpu || !taken)
		chaos_fail(chaos, "no virtual CPU could be had for a minute");
	return cpu;
}

/* --- workers --- */

static void worker_run(struct field *field, unsigned w, bool again)
{
	worker_index = (int)w;
	for (uint32_t i = 0; again && i < field->count; i++)
		if (chaos_type(&field->at[i])->recover)
			chaos_type(&field->at[i])->recover(&field->at[i], w);
	for (;;) {
		uint32_t i = chaos_random(&field->at[0].worker[w], field->count);

		chaos_type(&field->at[i])->work(&field->at[i], w);
	}
}

/* A program of its own: "chaos worker ARENA FIELD INDEX AGAIN", with descriptors. */
static int worker_main(char **argv)
{
	int error = 0, field_file = atoi(argv[3]);
	struct memory *memory = memory_join(atoi(argv[2]), &error);
	struct field *field = mmap(NULL, sizeof(*field), PROT_READ | PROT_WRITE, MAP_SHARED,
				   field_file, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (field == MAP_FAILED)
		return 2;
	worker_index = atoi(argv[4]);
	if (!memory)
		chaos_fail(&field->at[0], "a worker could not join: %d", error);
	worker_run(field, (unsigned)worker_index, atoi(argv[5]));
	return 0;
}

static void worker_exec(unsigned w, bool again)
{
	char numbers[4][16];
	char name[] = "chaos", verb[] = "worker";
	char *argv[] = { name, verb, numbers[0], numbers[1], numbers[2], numbers[3], NULL };

	snprintf(numbers[0], sizeof(numbers[0]), "%d", arena_fd);
	snprintf(numbers[1], sizeof(numbers[1]), "%d", field_fd);
	snprintf(numbers[2], sizeof(numbers[2]), "%u", w);
	snprintf(numbers[3], sizeof(numbers[3]), "%d", again);
	execv("/proc/self/exe", argv);
	_exit(127);
}

static pid_t worker_start(struct field *field, unsigned w, bool again)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	if (w % 2)
		worker_exec(w, again);
	worker_run(field, w, again);
	_exit(0);
}

static void worker_kill(struct field *field, unsigned w, pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	for (uint32_t i = 0; i < field->count; i++) {
		struct chaos *chaos = &field->at[i];

		chaos->kills++;
		if (chaos->worker[w].wrong[0])
			chaos_fail(chaos, "worker: %s", chaos->worker[w].wrong);
	}
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		chaos_fail(&field->at[0], "worker ended with status %#x", status);
}

/* --- the run --- */

static double chaos_seconds(void)
{
	const char *text = getenv("SKEP_CHAOS_SECONDS");

	return text ? atof(text) : 0.8;
}

static void field_tend(struct field *field)
{
	for (uint32_t i = 0; i < field->count; i++)
		if (chaos_type(&field->at[i])->tend)
			chaos_type(&field->at[i])->tend(&field->at[i]);
}

/* One worker stands still while the others go on, and dies there or goes on too. */
static void field_trouble(struct field *field, struct worker *dice, pid_t *pid)
{
	unsigned stopped = chaos_random(dice, WORKERS), killed = chaos_random(dice, WORKERS);

	kill(pid[stopped], SIGSTOP);
	usleep(chaos_random(dice, chaos_random(dice, 20) ? 1500 : 40000));
	field_tend(field);
	worker_kill(field, killed, pid[killed]);
	pid[killed] = worker_start(field, killed, true);
	if (stopped != killed)
		kill(pid[stopped], SIGCONT);
}

static void field_run(struct field *field)
{
	uint64_t end = owner_clock() + (uint64_t)(chaos_seconds() * 1e9);
	struct worker dice = { .random = (uint64_t)getpid() * 0x9e3779b97f4a7c15ull | 1 };
	struct memory *memory = field->at[0].memory;
	size_t before = memory_used(memory), keeps = 16 << 20;
	pid_t pid[WORKERS];

	for (unsigned w = 0; w < WORKERS; w++) {
		for (uint32_t i = 0; i < field->count; i++)
			field->at[i].worker[w].random = dice.random * (w + 3) * (i + 7) | 1;
		pid[w] = worker_start(field, w, false);
	}
	while (owner_clock() < end)
		field_trouble(field, &dice, pid);
	for (unsigned w = 0; w < WORKERS; w++)
		worker_kill(field, w, pid[w]);
	field_tend(field);
	usleep(6000); /* deaths are looked for every 5 ms at most */
	for (uint32_t i = 0; i < field->count; i++) {
		chaos_type(&field->at[i])->check(&field->at[i]);
		keeps += chaos_type(&field->at[i])->keeps;
	}
	memory_collect(memory);
	if (memory_used(memory) > before + keeps)
		chaos_fail(&field->at[0], "%zu kB of the arena are in use, %zu at first", memory_used(memory) >> 10,
			   before >> 10);
	printf("%s: %llu kills, nothing lost; %zu kB of the arena in use\n",
	       field->count > 1 ? "all" : chaos_type(&field->at[0])->name,
	       (unsigned long long)field->at[0].kills, memory_used(memory) >> 10);
}

static struct field *field_new(void)
{
	struct field *field;

	field_fd = memfd_create("field", 0);
	if (field_fd < 0 || ftruncate(field_fd, sizeof(*field)) < 0)
		return NULL;
	field = mmap(NULL, sizeof(*field), PROT_READ | PROT_WRITE, MAP_SHARED, field_fd, 0);
	return field == MAP_FAILED ? NULL : field;
}

static void field_add(struct field *field, uint32_t type, struct memory *memory,
		      struct vcpu_set *vcpus, bool alone)
{
	struct chaos *chaos = &field->at[field->count++];
	const struct map_spec *spec = &chaos_types[type].spec;
	int error = 0;

	*chaos = (struct chaos){ .memory = memory, .vcpus = vcpus, .type = type, .alone = alone };
	if (spec->type != BPF_MAP_TYPE_UNSPEC) {
		chaos->map = map_new(spec, memory, vcpus, &error);
		if (!chaos->map)
			chaos_fail(chaos, "map_new: %d", error);
	}
	if (chaos_types[type].setup)
		chaos_types[type].setup(chaos);
}

int main(int argc, char **argv)
{
	bool all = argc == 2 && strcmp(argv[1], "all") == 0;
	struct field *field = NULL;
	struct memory *memory;
	struct vcpu_set *vcpus;
	int error = 0;

	if (argc == 6 && strcmp(argv[1], "worker") == 0)
		return worker_main(argv);
	memory = memory_create_at(-1, NULL, 0, &arena_fd, &error);
	vcpus = memory ? vcpu_set_new(memory, CPUS) : NULL;
	field = field_new();
	if (!vcpus || !field) {
		fprintf(stderr, "chaos: no arena: %s\n", strerror(-error));
		return 1;
	}
	fcntl(arena_fd, F_SETFD, 0); /* workers that are programs inherit it */
	for (uint32_t i = 0; argc == 2 && chaos_types[i].name && i < TYPES_MAX; i++)
		if (all || strcmp(chaos_types[i].name, argv[1]) == 0)
			field_add(field, i, memory, vcpus, !all);
	if (!field->count) {
		fprintf(stderr, "usage: chaos all|TYPE\n");
		return 2;
	}
	field_run(field);
	return 0;
}
