/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * random.c - random programs, judged by Skep and by the running kernel.
 *
 *   random [-n COUNT] [-s FIRST-SEED] [-p SEED] [-q] [OBJECT...]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <skep/skep.h>

#include "../random/lab.h"
#include "../random/older.h"
#include "base/base.h"
#include "btf/btf.h"
#include "random_kernel.h"

enum { CLASSES = 2048, BOTH_ACCEPT = 0, BOTH_REJECT, LOOSE, STRICT, LIMIT, UNSAFE, CLAIM,
       VERDICTS };

struct class {
	uint32_t verdict;
	char text[200];
	uint64_t count, seed;
};

/* What all workers count. */
static struct shared {
	uint64_t seed, programs, verdict[VERDICTS], same_message;
	uint64_t skep_ns, kernel_ns, executed, ended, unrecorded;
	struct class classes[CLASSES];
	uint32_t class_count;
} *shared;

static struct {
	struct random_world made;
	struct lab *lab;
	bool kernel, list;       /* list: a line for every program that is judged differently */
} lab;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* --- the world of made programs --- */

static bool world_init(struct random_world *world)
{
	size_t size;
	void *bytes = random_btf(&size);
	struct skep_diag *diag = skep_diag_new();

	world->name = "made";
	world->kernel_btf = skep_btf_open_file("/sys/kernel/btf/vmlinux", NULL, NULL);
	if (world->kernel_btf) {
		random_kfuncs.num_new = skep_btf_find(world->kernel_btf, "bpf_iter_num_new", 12 /* FUNC */);
		random_kfuncs.num_next = skep_btf_find(world->kernel_btf, "bpf_iter_num_next", 12 /* FUNC */);
		random_kfuncs.num_destroy =
			skep_btf_find(world->kernel_btf, "bpf_iter_num_destroy", 12 /* FUNC */);
	}
	world->btf = skep_btf_open(bytes, size, NULL, "random", diag);
	if (!world->btf) {
		printf("%s\n", skep_diag_text(diag, 0));
		return false;
	}
	random_maps(world->specs);
	world->map_count = MADE_MAPS;
	world->specs[MADE_LOCKED].btf = world->btf;
	world->specs[MADE_LOCKED].key_type = random_types.key;
	world->specs[MADE_LOCKED].value_type = random_types.locked_value;
	if (lab.kernel) {
		world->btf_fd = kernel_btf(bytes, size);
		if (world->btf_fd < 0)
			printf("btf: %s\n", strerror(-world->btf_fd));
	}
	for (uint32_t i = 0; i < MADE_MAPS; i++) {
		world->spec_list[i] = &world->specs[i];
		world->map_fds[i] = lab.kernel ? kernel_map(&world->specs[i], world->btf_fd) : -1;
		if (lab.kernel && world->map_fds[i] < 0)
			printf("map %u: %s\n", i, strerror(-world->map_fds[i]));
	}
	free(bytes);
	skep_diag_free(diag);
	return true;
}

/* Does the kernel judge as older ones do? */
static void find_older(void)
{
	for (unsigned i = 0; lab.kernel && i < OLDER_COUNT; i++) {
		static struct random_program program;

		program = (struct random_program){ .type = BPF_PROG_TYPE_SOCKET_FILTER,
						   .world = &lab.made, .len = older_rows[i].len };
		memcpy(program.insns, older_rows[i].probe, sizeof(older_rows[i].probe));
		older[i] = !kernel_verdict(&program, 0) == older_rows[i].rejects;
		if (older[i])
			printf("older kernel: %s\n", older_rows[i].why);
	}
}

/* --- judging --- */

static const char *const verdict_words[] = { "both accept", "both reject", "LOOSE", "STRICT",
					     "limit", "UNSAFE", "CLAIM" };

/* The last line of a log that says something. */
static void last_line(const char *log, char *text, size_t size)
{
	const char *end = strstr(log, "\nprocessed "), *start;

	if (!end)
		end = log + strlen(log);
	while (end > log && (end[-1] == '\n' || end[-1] == ' '))
		end--;
	for (start = end; start > log && start[-1] != '\n';)
		start--;
	snprintf(text, size, "%.*s", (int)MIN((size_t)(end - start), size - 1), start);
}

/* Numbers left out, so that alike ones are one class. */
static void generalise(char *text)
{
	char *to = text;

	for (char *from = text; *from; from++) {
		if (*from >= '0' && *from <= '9') {
			if (to == text || to[-1] != '#')
				*to++ = '#';
			while ((from[1] >= '0' && from[1] <= '9') || from[1] == 'x' ||
			       (from[1] >= 'a' && from[1] <= 'f' && from[0] != ' '))
				from++;
		} else {
			*to++ = *from;
		}
	}
	*to = 0;
}

static void count_class(uint32_t verdict, const char *text, uint64_t seed)
{
	for (uint32_t i = 0; i < shared->class_count; i++) {
		struct class *class = &shared->classes[i];

		if (class->verdict == verdict && strcmp(class->text, text) == 0) {
			class->count++;
			return;
		}
	}
	if (shared->class_count == CLASSES)
		return;
	struct class *class = &shared->classes[shared->class_count++];

	class->verdict = verdict;
	class->count = 1;
	class->seed = seed;
	snprintf(class->text, sizeof(class->text), "%s", text);
}

static void print_program(const struct random_program *p)
{
	char text[400];

	printf("type %s flags %u\n", prog_type(p->type)->name, p->flags);
	for (uint32_t i = 0; i < p->len; i++) {
		for (uint32_t f = 0; f < p->func_count; f++)
			if (p->funcs[f].insn == i)
				printf("func %u:\n", p->funcs[f].type);
		skep_disasm(p->insns, p->len, i, text, sizeof(text));
		printf("%4u: (%02x) %s\n", i, p->insns[i].code, text);
		i += skep_insn_slots(p->insns[i]) - 1;
	}
}

struct judged {
	int skep, kernel;
	uint32_t verdict;
	char skep_says[400], kernel_says[256];
};

static bool is_limit(int error)
{
	return error == -E2BIG || error == -ENOMEM || error == -EAGAIN || error == -ENOSPC;
}

static void judge(const struct random_program *p, struct judged *j, unsigned level)
{
	struct lab_result here;
	uint64_t start = now(), middle;

	lab_judge(lab.lab, p, level, &here);
	j->skep = here.error;
	snprintf(j->skep_says, sizeof(j->skep_says), "%s", here.message);
	shared->executed += here.runs;
	shared->ended += here.done;
	shared->unrecorded += !here.error && !here.recorded;
	middle = now();
	j->kernel = lab.kernel ? kernel_verdict(p, level) : j->skep;
	/* Memory of programs just closed comes back with a delay. */
	for (int i = 0; i < 5 && (j->kernel == -ENOTSUPP || j->kernel == -ENOMEM); i++) {
		usleep(100000);
		j->kernel = kernel_verdict(p, level);
	}
	shared->skep_ns += middle - start;
	shared->kernel_ns += now() - middle;
	if (!j->skep != !j->kernel) {
		j->verdict = is_limit(j->skep) || is_limit(j->kernel) ? LIMIT : j->skep ? STRICT : LOOSE;
		if (j->kernel) {
			kernel_verdict(p, level ? level : 1);
			last_line(random_kernel_log, j->kernel_says, sizeof(j->kernel_says));
		}
	} else {
		j->verdict = j->skep ? BOTH_REJECT : BOTH_ACCEPT;
	}
	if (!j->skep && here.checked.end >= CHECKED_VIOLATION) {
		j->verdict = here.checked.end == CHECKED_VIOLATION ? UNSAFE : CLAIM;
		snprintf(j->skep_says, sizeof(j->skep_says), "run %u insn %u: %s", here.runs,
			 here.checked.pc, here.checked.what);
		if (level)
			printf("%s\n", j->skep_says);
	}
	if (level && lab.kernel)
		printf("--- kernel: %d\n%s\n", j->kernel, random_kernel_log);
}

static void one(uint64_t seed)
{
	static struct random_program program;
	struct judged j = { 0 };

	random_make(&program, &lab.made, seed);
	judge(&program, &j, 0);
	shared->programs++;
	shared->verdict[j.verdict]++;
	if (j.verdict >= LOOSE) {
		char text[600];

		snprintf(text, sizeof(text), "%s", j.skep || j.verdict >= UNSAFE ? j.skep_says : j.kernel_says);
		if (lab.list)
			printf("%" PRIu64 " %s %d %s\n", seed, verdict_words[j.verdict], j.kernel, text);
		generalise(text);
		count_class(j.verdict, text, seed);
	} else if (j.verdict == BOTH_REJECT && seed % 16 == 0) {
		char text[400];

		snprintf(text, sizeof(text), "%s", j.skep_says);
		generalise(text);
		count_class(j.verdict, text, seed);
	}
}

static void work(uint64_t first, uint64_t count)
{
	uint64_t end = first + count;

	shared->seed = first;
	while (shared->seed < end) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			for (; shared->seed < end; shared->seed++)
				one(shared->seed);
			_exit(0);
		}
		waitpid(child, &status, 0);
		if (status) {
			printf("seed %" PRIu64 ": DIED, status %#x\n", shared->seed, (unsigned)status);
			shared->seed++;
		}
	}
}

static int by_count(const void *a, const void *b)
{
	const struct class *x = a, *y = b;

	if (x->verdict != y->verdict)
		return x->verdict < y->verdict ? -1 : 1;
	return x->count > y->count ? -1 : x->count < y->count;
}

static void report(void)
{
	qsort(shared->classes, shared->class_count, sizeof(shared->classes[0]), by_count);
	for (uint32_t i = 0; i < shared->class_count; i++) {
		const struct class *class = &shared->classes[i];

		printf("%-11s %8" PRIu64 "  seed %" PRIu64 ": %s\n", verdict_words[class->verdict],
		       class->count, class->seed, class->text);
	}
	for (unsigned v = 0; v < VERDICTS; v++)
		printf("%s %" PRIu64 ", ", verdict_words[v], shared->verdict[v]);
	printf("%" PRIu64 " runs, %" PRIu64 " to the end, %" PRIu64 " too large to record, ",
	       shared->executed, shared->ended, shared->unrecorded);
	printf("%" PRIu64 " programs; skep %.0f us, kernel %.0f us each\n", shared->programs,
	       (double)shared->skep_ns / 1e3 / (double)shared->programs,
	       (double)shared->kernel_ns / 1e3 / (double)shared->programs);
}

int main(int argc, char **argv)
{
	uint64_t count = 1000, first = 1;
	int option;

	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	lab.kernel = random_kernel_answers();
	lab.lab = lab_new();
	if (!lab.lab || !world_init(&lab.made) || !lab_world(lab.lab, &lab.made))
		return 1;
	find_older();
	while ((option = getopt(argc, argv, "n:s:p:v:dl:o:")) != -1)
		switch (option) {
		case 'n': count = strtoull(optarg, NULL, 0); break;
		case 's': first = strtoull(optarg, NULL, 0); break;
		case 'o':
			for (unsigned i = 0; i < OLDER_COUNT; i++)
				older[i] = strtoul(optarg, NULL, 0) >> i & 1;
			break;
		case 'd': lab.list = true; break;
		case 'l': {
			FILE *file = fopen(optarg, "r");

			lab.list = true;
			while (file && fscanf(file, "%" SCNu64 "%*[^\n]", &first) == 1)
				work(first, 1);
			report();
			return 0;
		}
		case 'p': case 'v': {
			static struct random_program program;
			struct judged j = { 0 };

			random_make(&program, &lab.made, strtoull(optarg, NULL, 0));
			print_program(&program);
			judge(&program, &j, option == 'v' ? 2 : 1);
			return 0;
		}
		default: return 2;
		}
	work(first, count);
	report();
	return 0;
}
