/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cases.c - small programs with the verdict they must get.
 *
 *   cases [--kernel] FILE...
 *
 * A file holds cases one after the other:
 *
 *   == claim__in_words
 *   type sched_cls [attach]        program type (and attach type by name)
 *   map hash 4 8 16                maps: type, key, value, entries; map[idx:0] is the first
 *   targets 3 5 7                  instructions that the map above, an insn_array, holds
 *   flags 16                       load flags
 *   caps none | bpf net_admin ...  who loads it has just these capabilities
 *   accept | reject LAST LINE OF THE LOG
 *   not on linux REASON            the running kernel is not asked
 *   result N                       what an accepted program returns, interpreted and compiled,
 *                                  run with an empty packet as its context
 *   r0 = 0                         then the program, as the assembler reads it
 *   exit
 *
 * With --kernel the running kernel must give the same verdict and line, so that
 * no expectation is invented.
 */
#include <ctype.h>
#include <stdio.h>

#include "../linux/kernel.h"
#include "base/base.h"
#include "map/map.h"
#include "helper/packet.h"
#include "verify/verify.h"
#include "vm/vm.h"

#define MAPS_MAX 4
#define TARGETS_MAX 16

struct test_case {
	char claim[128];
	char type[32], attach[40];
	struct map_spec map[MAPS_MAX];
	uint32_t targets[MAPS_MAX][TARGETS_MAX];
	uint32_t map_count, flags;
	bool limited;            /* just caps, enum skep_caps */
	unsigned caps;
	bool accept, not_on_linux, has_result;
	uint64_t result;
	char message[256];
	char text[16384];
	size_t len;
	unsigned line;
};

static bool ask_kernel;
static unsigned run, failed;

/* --- the kernel --- */

struct kernel_map_create {
	uint32_t type, key_size, value_size, max_entries, flags;
	uint8_t rest[60];
};

static int kernel_map(const struct map_spec *spec)
{
	struct kernel_map_create attr = {
		.type = spec->type, .key_size = spec->key_size, .value_size = spec->value_size,
		.max_entries = spec->max_entries, .flags = spec->flags,
	};

	return (int)syscall(SYS_bpf, 0, &attr, sizeof(attr));
}

/* An instruction array is filled, and from then on stays as it is. */
static void kernel_set_targets(const struct map_spec *spec, int fd)
{
	enum { UPDATE_ELEM = 2, FREEZE = 22 };

	for (uint32_t i = 0; spec->targets && i < spec->max_entries; i++) {
		uint32_t value[4] = { spec->targets[i] };
		struct {
			uint32_t fd;
			uint64_t key, value, flags;
		} attr = { (uint32_t)fd, (uintptr_t)&i, (uintptr_t)value, 0 };

		syscall(SYS_bpf, UPDATE_ELEM, &attr, sizeof(attr));
	}
	if (spec->targets)
		syscall(SYS_bpf, FREEZE, &(uint32_t){ (uint32_t)fd }, sizeof(uint32_t));
}

/* Map indices become the descriptors of real maps. */
static void name_maps(struct skep_insn *insns, size_t count, const int *fds, uint32_t maps)
{
	for (size_t i = 0; i < count; i++) {
		if (insns[i].code != 0x18)
			continue;
		if ((insns[i].src == 5 || insns[i].src == 6) && (uint32_t)insns[i].imm < maps) {
			insns[i].src = insns[i].src == 5 ? 1 : 2;
			insns[i].imm = fds[insns[i].imm];
		}
		i++;
	}
}

/* The line before the statistics, without its end. */
static const char *last_line(char *log)
{
	/* Some lines lack their end. */
	char *end = strstr(log, "\nVerification failed"), *start; /* an explanation follows */

	if (!end)
		end = strstr(log, "processed ");
	if (!end)
		end = log + strlen(log);
	while (end > log && end[-1] == '\n')
		end--;
	*end = 0;
	start = strrchr(log, '\n');
	return start ? start + 1 : log;
}

static const struct {
	const char *name;
	unsigned cap;
	int number;              /* on Linux */
} cap_names[] = {
	{ "bpf", SKEP_CAP_BPF, 39 },
	{ "perfmon", SKEP_CAP_PERFMON, 38 },
	{ "net_admin", SKEP_CAP_NET_ADMIN, 12 },
};

/* Without CAP_BPF the kernel may be set up not to look at programs at all. */
static bool may_ask_limited(const struct test_case *test)
{
	FILE *file = fopen("/proc/sys/kernel/unprivileged_bpf_disabled", "r");
	int disabled = 1;

	if (file) {
		if (fscanf(file, "%d", &disabled) != 1)
			disabled = 1;
		fclose(file);
	}
	return !test->limited || (test->caps & SKEP_CAP_BPF) || !disabled;
}

static int take_caps(const struct test_case *test, struct kernel_caps *old)
{
	uint64_t numbers = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cap_names); i++)
		if (test->caps & cap_names[i].cap)
			numbers |= UINT64_C(1) << cap_names[i].number;
	return kernel_take_caps(numbers, old);
}

static void compare_with_kernel(const struct test_case *test, const struct skep_insn *insns,
				size_t count, const struct prog_type *type, uint32_t attach)
{
	struct skep_insn *copy;
	int fds[MAPS_MAX], error;
	struct kernel_caps old;
	const char *line;

	if (test->limited && take_caps(test, &old) < 0) {
		printf("%s: these capabilities cannot be had\n", test->claim);
		return;
	}
	copy = malloc(count * sizeof(*copy));
	memcpy(copy, insns, count * sizeof(*copy));
	for (uint32_t i = 0; i < test->map_count; i++) {
		fds[i] = kernel_map(&test->map[i]);
		kernel_set_targets(&test->map[i], fds[i]);
	}
	name_maps(copy, count, fds, test->map_count);
	error = kernel_load(type->id, attach, test->flags, copy, count);
	if (test->limited)
		kernel_give_caps(&old);
	line = error ? last_line(kernel_log) : "";
	if ((error == 0) != test->accept || (error && strcmp(line, test->message) != 0)) {
		printf("FAILED %s: the kernel says: %s %s\n", test->claim,
		       error ? "reject" : "accept", line);
		if (error && getenv("SKEP_LOG"))
			puts(kernel_log);
		failed++;
	}
	for (uint32_t i = 0; i < test->map_count; i++)
		close(fds[i]);
	free(copy);
}

/* --- Skep --- */

static bool find_attach(const char *name, uint32_t *attach)
{
	for (*attach = 0; attach_type_name(*attach); (*attach)++)
		if (strcmp(attach_type_name(*attach), name) == 0)
			return true;
	*attach = 0;
	return *name == 0;
}

/* --- running --- */

static void expect_result(const struct test_case *test, struct vm_world *world,
			  const struct code *code, bool interpret)
{
	struct packet packet = { .is_skb = true };
	struct vm vm = { .world = world, .cpu = vcpu_take(world->vcpus), .ctx = &packet,
			 .packet = &packet, .prog_type = code->prog_type };
	uint64_t r0 = vm_run(&vm, code, interpret);

	vcpu_give(vm.cpu);
	if (!vm.faulted && r0 == test->result)
		return;
	printf("FAILED %s (line %u): %s gives %llu%s, expected %llu\n", test->claim, test->line,
	       interpret ? "the interpreter" : "compiled code", (unsigned long long)r0,
	       vm.faulted ? " after a fault" : "", (unsigned long long)test->result);
	failed++;
}

static void run_accepted(const struct test_case *test, const struct prog_spec *spec,
			 const struct verified *verified)
{
	struct vm_world world = { .memory = memory_new(0) };
	struct map *maps[MAPS_MAX] = { 0 };
	struct code *code;
	int error = 0;

	world.vcpus = vcpu_set_new(world.memory, 2);
	for (uint32_t i = 0; i < test->map_count; i++)
		maps[i] = map_new(&test->map[i], world.memory, world.vcpus, &error);
	code = error ? NULL : code_new(verified, spec, maps, &world, true, &error, NULL);
	if (code) {
		expect_result(test, &world, code, true);
		expect_result(test, &world, code, false);
	} else {
		printf("FAILED %s (line %u): no code, error %d\n", test->claim, test->line, error);
		failed++;
	}
	code_free(code, &world);
	for (uint32_t i = 0; i < test->map_count; i++)
		if (maps[i])
			map_free(maps[i]);
	memory_free(world.memory);
}

static void judge(const struct test_case *test, const struct skep_insn *insns, size_t count,
		  const struct prog_type *type, uint32_t attach)
{
	const struct map_spec *maps[MAPS_MAX];
	struct prog_spec spec = {
		.name = test->claim, .section = "", .object = "", .type = type, .attach = attach,
		.flags = test->flags, .insns = insns, .len = (uint32_t)count, .maps = maps,
		.map_count = test->map_count, .license = "GPL",
	};
	struct skep_verify_opts opts = { .log_level = 2, .unprivileged = test->limited,
					 .caps = test->caps };
	struct skep_verify_result result = { 0 };
	struct verified verified = { 0 };
	int error;

	for (uint32_t i = 0; i < test->map_count; i++)
		maps[i] = &test->map[i];
	error = verify(&spec, &opts, &result, &verified, NULL);
	if (error < 0 || (result.error == 0) != test->accept ||
	    (result.error && strcmp(result.message, test->message) != 0)) {
		printf("FAILED %s (line %u): Skep says: %s %s\n  expected: %s %s\n", test->claim,
		       test->line, error < 0 ? "error" : result.error ? "reject" : "accept",
		       result.message, test->accept ? "accept" : "reject", test->message);
		if (result.log && getenv("SKEP_LOG"))
			puts(result.log);
		failed++;
	}
	if (error == 0 && result.error == 0 && test->has_result)
		run_accepted(test, &spec, &verified);
	if (error == 0 && result.error == 0)
		verified_done(&verified);
	skep_verify_result_done(&result);
}

static void run_case(const struct test_case *test)
{
	struct skep_diag *diag = skep_diag_new();
	const struct prog_type *type = prog_type_by_name(test->type);
	struct skep_insn *insns = NULL;
	size_t count = 0;
	uint32_t attach;

	run++;
	if (!type || !find_attach(test->attach, &attach) ||
	    skep_assemble(test->text, test->len, test->claim, &insns, &count, diag) < 0) {
		char *text = skep_diag_text(diag, 0);

		printf("FAILED %s: the case is not well formed\n%s", test->claim, text ? text : "");
		free(text);
		failed++;
	} else {
		judge(test, insns, count, type, attach);
		if (ask_kernel && !test->not_on_linux && may_ask_limited(test))
			compare_with_kernel(test, insns, count, type, attach);
	}
	free(insns);
	skep_diag_free(diag);
}

/* --- reading --- */

static bool add_map(struct test_case *test, const char *line)
{
	struct map_spec *map = &test->map[test->map_count];
	char type[40];

	if (test->map_count == MAPS_MAX ||
	    sscanf(line, "%39s %u %u %u %u", type, &map->key_size, &map->value_size,
		   &map->max_entries, &map->flags) < 4 || !map_type_by_name(type))
		return false;
	map->type = map_type_by_name(type)->id;
	snprintf(map->name, sizeof(map->name), "map%u", test->map_count);
	test->map_count++;
	return true;
}

static bool read_targets(struct test_case *test, const char *line)
{
	uint32_t last = test->map_count - 1, n = 0;
	char *end;

	if (!test->map_count || test->map[last].max_entries > TARGETS_MAX)
		return false;
	for (; n < test->map[last].max_entries && *line; line = end)
		test->targets[last][n++] = (uint32_t)strtoul(line, &end, 0);
	test->map[last].targets = test->targets[last];
	return n == test->map[last].max_entries && !*line;
}

static const char *after(const char *line, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(line, word, len) != 0 || (line[len] && line[len] != ' '))
		return NULL;
	return line + len + (line[len] == ' ');
}

/* A line of the case's head; false: the program has begun. */
static bool read_head(struct test_case *test, const char *line)
{
	const char *rest;

	if ((rest = after(line, "type")))
		return sscanf(rest, "%31s %39s", test->type, test->attach) >= 1;
	if ((rest = after(line, "map")))
		return add_map(test, rest);
	if ((rest = after(line, "targets")))
		return read_targets(test, rest);
	if ((rest = after(line, "flags"))) {
		test->flags = (uint32_t)strtoul(rest, NULL, 0);
		return true;
	}
	if ((rest = after(line, "caps"))) {
		test->limited = true;
		for (size_t i = 0; i < ARRAY_SIZE(cap_names); i++)
			if (strstr(rest, cap_names[i].name))
				test->caps |= cap_names[i].cap;
		return test->caps || strcmp(rest, "none") == 0;
	}
	if ((rest = after(line, "reject"))) {
		snprintf(test->message, sizeof(test->message), "%.*s",
			 (int)sizeof(test->message) - 1, rest);
		return true;
	}
	if (after(line, "accept"))
		return test->accept = true;
	if ((rest = after(line, "result"))) {
		test->result = strtoull(rest, NULL, 0);
		return test->has_result = true;
	}
	if (after(line, "not on linux"))
		return test->not_on_linux = true;
	return false;
}

static bool run_file(const char *path)
{
	static struct test_case test;
	char line[1024];
	unsigned number = 0;
	FILE *file = fopen(path, "r");

	if (!file)
		return false;
	test.claim[0] = 0;
	while (fgets(line, sizeof(line), file)) {
		number++;
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "== ", 3) == 0) {
			if (test.claim[0])
				run_case(&test);
			memset(&test, 0, sizeof(test));
			test.line = number;
			snprintf(test.claim, sizeof(test.claim), "%.*s",
				 (int)sizeof(test.claim) - 1, line + 3);
		} else if (line[0] && line[0] != '#' && (test.len || !read_head(&test, line))) {
			test.len += (size_t)snprintf(test.text + test.len,
						     sizeof(test.text) - test.len, "%s\n", line);
		}
	}
	if (test.claim[0])
		run_case(&test);
	fclose(file);
	return true;
}

int main(int argc, char **argv)
{
	engine_init();
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--kernel") == 0) {
			ask_kernel = kernel_answers();
			if (!ask_kernel) {
				printf("SKIPPED: the running kernel loads no programs for this user\n");
				return SKIPPED;
			}
		} else if (!run_file(argv[i])) {
			printf("FAILED: cannot read %s\n", argv[i]);
			failed++;
		}
	}
	printf("%u cases, %u failures\n", run, failed);
	return failed || !run ? 1 : 0;
}
