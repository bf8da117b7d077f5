/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * random.c - random programs, judged by Skep and by the running kernel, and run.
 *
 *   random [-n COUNT] [-s FIRST-SEED] [-m SECONDS] [OBJECT...]
 *   random -p SEED        print one program and what is said of it
 *   random -r SEED        the same for the smallest that shows as much
 *
 *   -o MASK               which things to take for an older kernel's (older.h)
 *   -l FILE               only the seeds that its lines begin with, a line for each
 *   -e FILE               what -l FILE -o MASK printed on a newer kernel: a difference of
 *                         which that one judges as Skep does is an older kernel's
 *   -a                    a line for each difference, not only the first of its kind
 *
 * Nothing may be accepted here and rejected there, break what the verifier
 * claimed, or touch what is not its own; and at least 98 verdicts of 100 must
 * be the same. Where the kernel may not be asked programs only run.
 *
 * Programs are judged in a process of their own, so that the seed is known of
 * one that kills it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../random/older.h"
#include "base/base.h"
#include "btf/btf.h"
#include "random_explain.h"
#include "random_judge.h"
#include "random_kernel.h"
#include "random_mutants.h"

enum { CLASSES = 2048, SHOWN = 3 };

/* Judgements that differ in numbers only. */
struct class {
	enum verdict verdict;
	char text[240];
	uint64_t count, seed;
};

/* What the processes count. */
static struct shared {
	uint64_t seed, programs, verdict[VERDICTS], died;
	uint64_t runs, done, unrecorded;
	uint64_t slowest, slowest_seed; /* microseconds */
	struct class classes[CLASSES];
	uint32_t class_count;
} *shared;

static struct {
	struct random_world made;
	struct mutants *mutants;
	struct lab *lab;
	bool kernel, all, each;
	uint64_t *newer;         /* seeds that a newer kernel judges as Skep does, and their number */
	size_t newer_count;
	uint64_t deadline;       /* seconds of the clock; 0: none */
} run;

static const char *const words[VERDICTS] = {
	"both accept", "both reject", "limit", "explained", "STRICT", "LOOSE", "UNSAFE", "CLAIM",
};

/* --- the world of made programs --- */

static bool world_init(struct random_world *world)
{
	size_t size;
	void *bytes = random_btf(&size);

	world->name = "made";
	world->kernel_btf = skep_btf_open_file("/sys/kernel/btf/vmlinux", NULL, NULL);
	if (world->kernel_btf) {
		enum { FUNC = 12 };

		random_kfuncs.num_new = skep_btf_find(world->kernel_btf, "bpf_iter_num_new", FUNC);
		random_kfuncs.num_next = skep_btf_find(world->kernel_btf, "bpf_iter_num_next", FUNC);
		random_kfuncs.num_destroy =
			skep_btf_find(world->kernel_btf, "bpf_iter_num_destroy", FUNC);
	}
	world->btf = bytes ? skep_btf_open(bytes, size, NULL, "random", NULL) : NULL;
	if (!world->btf)
		return false;
	random_maps(world->specs);
	world->map_count = MADE_MAPS;
	world->specs[MADE_LOCKED].btf = world->btf;
	world->specs[MADE_LOCKED].key_type = random_types.key;
	world->specs[MADE_LOCKED].value_type = random_types.locked_value;
	world->btf_fd = run.kernel ? kernel_btf(bytes, size) : -1;
	for (uint32_t i = 0; i < MADE_MAPS; i++) {
		world->spec_list[i] = &world->specs[i];
		world->map_fds[i] = run.kernel ? kernel_map(&world->specs[i], world->btf_fd) : -1;
		if (run.kernel && world->map_fds[i] < 0) {
			printf("no map '%s': %s\n", world->specs[i].name, strerror(-world->map_fds[i]));
			return false;
		}
	}
	free(bytes);
	return lab_world(run.lab, world);
}

static void find_older(void)
{
	for (unsigned i = 0; run.kernel && i < OLDER_COUNT; i++) {
		static struct random_program probe;

		probe = (struct random_program){ .type = BPF_PROG_TYPE_SOCKET_FILTER,
						 .world = &run.made, .len = older_rows[i].len };
		memcpy(probe.insns, older_rows[i].probe, sizeof(older_rows[i].probe));
		older[i] = !kernel_verdict(&probe, 0) == older_rows[i].rejects;
		if (older[i])
			printf("an older kernel, programs do without: %s\n", older_rows[i].why);
	}
}

/* Of two seeds one is a mutant of a real program, where there are any. */
static void make(struct random_program *program, uint64_t seed)
{
	if (run.mutants && seed % 2)
		mutants_make(run.mutants, program, seed);
	else
		random_make(program, &run.made, seed);
}

/* --- printing --- */

static void print_program(const struct random_program *p)
{
	char text[256];

	printf("%s%s, type %s, flags %u\n", p->from ? "mutant of " : "made",
	       p->from ? p->from : "", prog_type(p->type)->name, p->flags);
	for (uint32_t i = 0; i < p->len; i++) {
		for (uint32_t f = 0; f < p->func_count; f++)
			if (i && p->funcs[f].insn == i)
				printf("      function, type %u:\n", p->funcs[f].type);
		skep_disasm(p->insns, p->len, i, text, sizeof(text));
		printf("%4u: (%02x) %s\n", i, p->insns[i].code, text);
		i += skep_insn_slots(p->insns[i]) - 1;
	}
}

static void print_seed(uint64_t seed, bool reduced)
{
	static struct random_program program;
	struct judgement j;

	make(&program, seed);
	if (reduced) {
		random_judge(run.lab, &program, run.kernel, 0, &j);
		random_smallest(run.lab, run.kernel, &program, &j);
	}
	print_program(&program);
	random_judge(run.lab, &program, run.kernel, 2, &j);
	printf("seed %" PRIu64 ": %s, Skep %d, the kernel %d%s%s\n", seed, words[j.verdict], j.skep,
	       j.kernel, j.text[0] ? ": " : "", j.text);
}

/* --- many --- */

static void count_class(enum verdict verdict, const char *text, uint64_t seed)
{
	char plain[400];
	struct class *class;

	snprintf(plain, sizeof(plain), "%s", text);
	random_generalise(plain);
	plain[sizeof(class->text) - 1] = 0;
	for (uint32_t i = 0; i < shared->class_count; i++) {
		class = &shared->classes[i];
		if (class->verdict == verdict && strcmp(class->text, plain) == 0) {
			class->count++;
			return;
		}
	}
	if (shared->class_count == CLASSES)
		return;
	class = &shared->classes[shared->class_count++];
	*class = (struct class){ .verdict = verdict, .count = 1, .seed = seed };
	memcpy(class->text, plain, sizeof(class->text));
}

static void explain_by_newer(uint64_t seed, struct judgement *j)
{
	for (size_t i = 0; i < run.newer_count; i++)
		if (run.newer[i] == seed && (j->verdict == STRICT || j->verdict == LOOSE)) {
			j->verdict = EXPLAINED;
			j->why = "an older kernel: a newer one judges as Skep does";
		}
}

static bool read_newer(const char *path)
{
	enum { NEWER_MAX = 65536 };
	FILE *file = fopen(path, "r");
	uint64_t seed;
	char word[16];

	run.newer = calloc(NEWER_MAX, sizeof(*run.newer));
	while (file && run.newer && run.newer_count < NEWER_MAX) {
		int read = fscanf(file, "%" SCNu64 " %15s", &seed, word);

		if (read == 2 && strcmp(word, "both") == 0)
			run.newer[run.newer_count++] = seed;
		if (read == EOF || (fscanf(file, "%*[^\n]"), fgetc(file)) == EOF)
			break;
	}
	if (!file)
		return false;
	fclose(file);
	return run.newer != NULL;
}

static uint64_t microseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t seconds(void)
{
	return microseconds() / 1000000;
}

static void one(uint64_t seed)
{
	static struct random_program program;
	struct judgement j;
	uint64_t start = microseconds();

	make(&program, seed);
	random_judge(run.lab, &program, run.kernel, 0, &j);
	random_explain(run.lab, &program, &j);
	explain_by_newer(seed, &j);
	if (microseconds() - start > shared->slowest) {
		shared->slowest = microseconds() - start;
		shared->slowest_seed = seed;
	}
	shared->programs++;
	shared->verdict[j.verdict]++;
	shared->runs += j.runs;
	shared->done += j.done;
	shared->unrecorded += j.runs && !j.recorded;
	if (j.verdict >= LIMIT)
		count_class(j.verdict, j.why ? j.why : j.text, seed);
	if (run.each || (j.verdict >= STRICT && run.all))
		printf("%" PRIu64 " %s %s\n", seed, words[j.verdict], j.why ? j.why : j.text);
}

static void judge_seeds(uint64_t first, uint64_t count)
{
	uint64_t end = first + count;

	shared->seed = first;
	while (shared->seed < end && !(run.deadline && seconds() >= run.deadline)) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			for (; shared->seed < end; shared->seed++) {
				one(shared->seed);
				if (run.deadline && seconds() >= run.deadline)
					break;
			}
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) < 0)
			break;
		if (status) {
			printf("seed %" PRIu64 ": DIED, status %#x\n", shared->seed, (unsigned)status);
			shared->died++;
			shared->seed++;
		}
	}
}

static int by_verdict(const void *a, const void *b)
{
	const struct class *x = a, *y = b;

	if (x->verdict != y->verdict)
		return x->verdict < y->verdict ? -1 : 1;
	return x->count > y->count ? -1 : x->count < y->count;
}

/* What was found, and whether it is good. */
static bool report(void)
{
	const uint64_t *n = shared->verdict;
	uint64_t same = n[BOTH_ACCEPT] + n[BOTH_REJECT];
	uint64_t judged = shared->programs - n[EXPLAINED] - n[LIMIT];

	qsort(shared->classes, shared->class_count, sizeof(shared->classes[0]), by_verdict);
	for (uint32_t i = 0; i < shared->class_count; i++) {
		const struct class *class = &shared->classes[i];

		printf("%-9s %7" PRIu64 "  seed %" PRIu64 ": %s\n", words[class->verdict],
		       class->count, class->seed, class->text);
	}
	printf("%" PRIu64 " programs", shared->programs);
	for (unsigned v = 0; v < VERDICTS; v++)
		printf(", %" PRIu64 " %s", n[v], words[v]);
	printf("\n%" PRIu64 " runs with every access and claim checked, %" PRIu64 " to their end, %" PRIu64
	       " programs with too many claims to keep\n", shared->runs, shared->done,
	       shared->unrecorded);
	if (run.kernel)
		printf("same verdict: %.3f%% of those not explained\n",
		       100.0 * (double)same / (double)MAX(judged, UINT64_C(1)));
	else
		printf("SKIPPED: the comparison with the running kernel\n");
	printf("the slowest: seed %" PRIu64 ", %.1f s\n", shared->slowest_seed,
	       (double)shared->slowest / 1e6);
	return !shared->died && !n[LOOSE] && !n[UNSAFE] && !n[CLAIM] &&
	       (!run.kernel || n[STRICT] * 50 <= shared->programs);
}

static void judge_listed(const char *path)
{
	FILE *file = fopen(path, "r");
	uint64_t seed;

	run.each = true;
	if (!file) {
		printf("%s cannot be read\n", path);
		shared->died++;
		return;
	}
	while (fscanf(file, "%" SCNu64 "%*[^\n]", &seed) == 1)
		judge_seeds(seed, 1);
	fclose(file);
}

struct task {
	uint64_t count, first, seed;
	const char *list;
	bool print, reduce;
};

static bool parse(int argc, char **argv, struct task *task)
{
	int option;

	while ((option = getopt(argc, argv, "n:s:m:p:r:o:l:e:a")) != -1)
		switch (option) {
		case 'n': task->count = strtoull(optarg, NULL, 0); break;
		case 's': task->first = strtoull(optarg, NULL, 0); break;
		case 'm': run.deadline = seconds() + strtoull(optarg, NULL, 0); break;
		case 'r': task->reduce = true; /* fallthrough */
		case 'p': task->print = true; task->seed = strtoull(optarg, NULL, 0); break;
		case 'o':
			for (unsigned i = 0; i < OLDER_COUNT; i++)
				older[i] = strtoul(optarg, NULL, 0) >> i & 1;
			break;
		case 'l': task->list = optarg; break;
		case 'e':
			if (!read_newer(optarg))
				return false;
			break;
		case 'a': run.all = true; break;
		default: return false;
		}
	return true;
}

int main(int argc, char **argv)
{
	struct task task = { .count = 20000, .first = 1 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	run.kernel = random_kernel_answers();
	run.lab = lab_new();
	if (shared == MAP_FAILED || !run.lab || !world_init(&run.made)) {
		printf("no place to run programs in\n");
		return 1;
	}
	find_older();
	if (!parse(argc, argv, &task))
		return 2;
	if (optind < argc)
		run.mutants = mutants_open(run.lab, run.kernel, argv + optind, argc - optind);
	if (task.print) {
		print_seed(task.seed, task.reduce);
		return 0;
	}
	if (task.list)
		judge_listed(task.list);
	else
		judge_seeds(task.first, task.count);
	return report() ? 0 : 1;
}
