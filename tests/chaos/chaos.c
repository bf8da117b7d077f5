/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chaos.c - chaos TYPE: fork workers, kill them at random instants, check.
 *
 * Runs most of a second, or SKEP_CHAOS_SECONDS.
 */
#include "chaos.h"

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

static int worker_index = -1; /* in a worker */

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
	printf("%s: %s (after %llu kills)\n", chaos->type->name, text,
	       (unsigned long long)chaos->kills);
	exit(1);
}

struct vcpu *chaos_vcpu(struct chaos *chaos)
{
	bool taken;
	struct vcpu *cpu = vcpu_borrow(chaos->vcpus, &taken);

	if (!cpu || !taken)
		chaos_fail(chaos, "no virtual CPU could be had for a second");
	return cpu;
}

static pid_t worker_start(struct chaos *chaos, unsigned w, bool again)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	worker_index = (int)w;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	if (again && chaos->type->recover)
		chaos->type->recover(chaos, w);
	for (;;)
		chaos->type->work(chaos, w);
}

static void worker_kill(struct chaos *chaos, unsigned w, pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	chaos->kills++;
	if (chaos->worker[w].wrong[0])
		chaos_fail(chaos, "worker: %s", chaos->worker[w].wrong);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		chaos_fail(chaos, "worker ended with status %#x", status);
}

static double chaos_seconds(void)
{
	const char *text = getenv("SKEP_CHAOS_SECONDS");

	return text ? atof(text) : 0.8;
}

static void chaos_run(struct chaos *chaos)
{
	uint64_t end = owner_clock() + (uint64_t)(chaos_seconds() * 1e9);
	struct worker dice = { .random = (uint64_t)getpid() * 0x9e3779b97f4a7c15ull | 1 };
	pid_t pid[WORKERS];

	for (unsigned w = 0; w < WORKERS; w++) {
		chaos->worker[w].random = dice.random * (w + 3) | 1;
		pid[w] = worker_start(chaos, w, false);
	}
	while (owner_clock() < end) {
		unsigned w = chaos_random(&dice, WORKERS);

		usleep(chaos_random(&dice, 1500));
		if (chaos->type->tend)
			chaos->type->tend(chaos);
		worker_kill(chaos, w, pid[w]);
		pid[w] = worker_start(chaos, w, true);
	}
	for (unsigned w = 0; w < WORKERS; w++)
		worker_kill(chaos, w, pid[w]);
	if (chaos->type->tend)
		chaos->type->tend(chaos);
	usleep(6000); /* deaths are looked for every 5 ms at most */
	chaos->type->check(chaos);
	printf("%s: %llu kills, nothing lost\n", chaos->type->name,
	       (unsigned long long)chaos->kills);
}

int main(int argc, char **argv)
{
	const struct chaos_type *type = chaos_types;
	struct chaos *chaos = mmap(NULL, sizeof(*chaos), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int error = 0;

	while (type->name && (argc < 2 || strcmp(type->name, argv[1]) != 0))
		type++;
	if (!type->name || chaos == MAP_FAILED) {
		fprintf(stderr, "usage: chaos TYPE\n");
		return 2;
	}
	chaos->type = type;
	chaos->memory = memory_new(0);
	chaos->vcpus = chaos->memory ? vcpu_set_new(chaos->memory, CPUS) : NULL;
	if (!chaos->vcpus)
		return 1;
	if (type->spec.type != BPF_MAP_TYPE_UNSPEC) {
		chaos->map = map_new(&type->spec, chaos->memory, chaos->vcpus, &error);
		if (!chaos->map)
			chaos_fail(chaos, "map_new: %d", error);
	}
	if (type->setup)
		type->setup(chaos);
	chaos_run(chaos);
	return 0;
}
