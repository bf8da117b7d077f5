/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probes.c - what a probe costs a program: the same target alone, as Skep's with nothing
 * attached, with programs attached, with 10,000 more probes elsewhere, and with the running
 * kernel's own probes (which needs root).
 *
 * All targets are started at first and asked in turn, round after round, so that what else the
 * machine does falls on all alike. The kernel's probes are there only while its target is asked:
 * a tracepoint of it is everybody's. Printed is the fastest of all rounds, in nanoseconds: what
 * else happens on a machine only adds.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <skep/link.h>
#include <skep/linux.h>
#include <skep/machine.h>
#include <skep/object.h>
#include <skep/target.h>

enum { ROUNDS = 25, WAYS = 5, ALONE = 0, BARE, PROBED, MANY, KERNEL };

static const char *const way_names[WAYS] = { "alone", "nothing", "attached", "+ 10,000", "kernel" };

static const struct row {
	const char *name;        /* the target's */
	const char *text;
	long times;              /* in a round */
	long kernel_times;
} rows[] = {
	{ "nop", "uprobe on a 5-byte nop", 20000, 5000 },
	{ "push", "uprobe on a push", 20000, 5000 },
	{ "other", "uprobe on a lea", 20000, 400 },
	{ "return", "uretprobe", 20000, 3000 },
	{ "getppid", "system call, attached", 10000, 10000 },
	{ "getuid", "system call, another", 10000, 10000 },
	{ "made", "system call, dispatched", 1000, 10000 },
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]), MADE = ROWS - 1 };

struct target {
	int ask;
	FILE *answers;
	int32_t pid;
};

/* A process that makes code is another than it was: one of its own is asked for that. */
struct pair {
	struct target target, maker;
	double taken[ROWS][ROUNDS];
};

static struct skep_diag *diag;

static void die(const char *what)
{
	char *text = skep_diag_text(diag, 0);

	fprintf(stderr, "probes: %s\n%s", what, text ? text : "");
	exit(1);
}

/* machine NULL: without Skep. */
static void start(struct target *target, const char *path, struct skep_machine *machine)
{
	int to[2], from[2];
	char in[16], out[16];
	const char *const argv[] = { path, in, out, NULL };

	if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0)
		die("no pipe");
	fcntl(to[0], F_SETFD, 0);
	fcntl(from[1], F_SETFD, 0);
	snprintf(in, sizeof(in), "%d", to[0]);
	snprintf(out, sizeof(out), "%d", from[1]);
	if (machine && skep_target_spawn(machine, argv, &target->pid, diag) < 0)
		die("cannot start the target");
	if (!machine && (target->pid = fork()) == 0) {
		execv(path, (char *const *)(void *)argv);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	target->ask = to[1];
	target->answers = fdopen(from[0], "r");
}

static void finish(struct target *target)
{
	close(target->ask);
	fclose(target->answers);
	waitpid(target->pid, NULL, 0);
}

static void start_pair(struct pair *pair, const char *path, struct skep_machine *machine)
{
	start(&pair->target, path, machine);
	start(&pair->maker, path, machine);
}

static void finish_pair(struct pair *pair)
{
	finish(&pair->target);
	finish(&pair->maker);
}

static double ask(struct target *target, const char *name, long times)
{
	double taken = 0;

	if (dprintf(target->ask, "%s %ld\n", name, times) < 0 ||
	    fscanf(target->answers, "%lf", &taken) != 1)
		die("a target has ended");
	return taken;
}

static void measure(struct pair *pair, int round, bool kernel)
{
	for (int i = 0; i < ROWS; i++) {
		struct target *target = i == MADE ? &pair->maker : &pair->target;
		long times = kernel ? rows[i].kernel_times : rows[i].times;

		ask(target, rows[i].name, times / 10);
		pair->taken[i][round] = ask(target, rows[i].name, times);
	}
}

static double fastest(const double *taken)
{
	double least = taken[0];

	for (int i = 1; i < ROUNDS; i++)
		least = taken[i] < least ? taken[i] : least;
	return least;
}

/* --- Skep's --- */

static struct skep_machine *machine_with(struct skep_object *object, const char *const *programs)
{
	struct skep_machine_opts opts = { .engine = SKEP_ENGINE_JIT, .shared = true };
	struct skep_machine *machine = skep_machine_new(&opts, diag);

	if (!machine)
		die("no machine");
	if (*programs && skep_machine_load(machine, object, NULL, diag) < 0)
		die("cannot load " BENCH_OBJECT);
	for (; *programs; programs++) {
		const struct skep_object_prog *prog = skep_object_prog_find(object, *programs);

		if (!prog || !skep_link_attach(machine, prog, NULL, diag))
			die(*programs);
	}
	return machine;
}

/* --- the kernel's --- */

static struct skep_object *kernel_object;

static struct skep_linux *kernel_attach(void)
{
	static const char *const names[] = { "count_nop", "count_push", "count_other",
					     "count_return", "count_call" };
	struct skep_linux *kernel = skep_linux_load(kernel_object, NULL, diag);

	for (size_t i = 0; kernel && i < sizeof(names) / sizeof(names[0]); i++)
		if (skep_linux_attach(kernel, skep_object_prog_find(kernel_object, names[i]),
				      NULL, diag) < 0) {
			skep_linux_free(kernel);
			return NULL;
		}
	return kernel;
}

static void print(const struct pair *pairs, bool kernel)
{
	printf("%-26s", "");
	for (int way = 0; way < WAYS; way++)
		if (way != KERNEL || kernel)
			printf(" %10s", way_names[way]);
	printf("\n");
	for (int i = 0; i < ROWS; i++) {
		printf("%-26s", rows[i].text);
		for (int way = 0; way < WAYS; way++)
			if (way != KERNEL || kernel)
				printf(" %10.1f", fastest(pairs[way].taken[i]));
		printf("\n");
	}
}

int main(void)
{
	static const char *const none[] = { NULL };
	static const char *const five[] = { "count_nop", "count_push", "count_other", "count_return",
					    "count_call", NULL };
	static const char *const all[] = { "count_nop", "count_push", "count_other", "count_return",
					   "count_call", "count_elsewhere", NULL };
	static struct pair pairs[WAYS];
	struct skep_machine *machines[WAYS] = { NULL };
	struct skep_object *object;
	struct skep_linux *kernel;
	bool has_kernel;

	diag = skep_diag_new();
	object = skep_object_open_file(BENCH_OBJECT, diag);
	kernel_object = skep_object_open_file(BENCH_KERNEL_OBJECT, diag);
	if (!object || !kernel_object)
		die("no " BENCH_OBJECT);
	machines[BARE] = machine_with(object, none);
	machines[PROBED] = machine_with(object, five);
	machines[MANY] = machine_with(object, all);
	for (int way = ALONE; way < KERNEL; way++)
		start_pair(&pairs[way], BENCH_TARGET, machines[way]);
	start_pair(&pairs[KERNEL], BENCH_KERNEL_TARGET, NULL);
	kernel = kernel_attach();
	has_kernel = kernel != NULL;
	if (!has_kernel) {
		fprintf(stderr, "probes: without the kernel's own:\n%s", skep_diag_text(diag, 0));
		skep_diag_clear(diag);
	}
	for (int round = 0; round < ROUNDS; round++) {
		if (kernel)
			measure(&pairs[KERNEL], round, true);
		skep_linux_free(kernel);
		for (int way = ALONE; way < KERNEL; way++)
			measure(&pairs[way], round, false);
		kernel = has_kernel && round + 1 < ROUNDS ? kernel_attach() : NULL;
	}
	print(pairs, has_kernel);
	for (int way = 0; way < WAYS; way++)
		finish_pair(&pairs[way]);
	for (int way = 0; way < WAYS; way++)
		skep_machine_free(machines[way]);
	return 0;
}
