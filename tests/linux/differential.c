/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * differential.c - random programs through the verifier, the interpreter, the
 * compiler and the running kernel: one result, one packet, one map.
 *
 *   differential [COUNT [FIRST-SEED [print]]]     default: 500 programs from seed 1
 *
 * All programs must be accepted. The kernel takes part where it lets programs
 * be loaded; where not, this says so and compares our engines. Prints the seed
 * of every difference; tests/differential/generate.c makes the program of it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <skep/skep.h>

#include "bytecode.h"
#include "../differential/generate.h"
#include "machine/machine.h"

enum { ENTRIES_SIZE = GENERATE_ENTRIES * GENERATE_VALUE, LOG = 1 << 20 };

/* What a run leaves behind. */
struct outcome {
	uint32_t retval;
	uint8_t packet[GENERATE_PACKET];
	uint8_t map[ENTRIES_SIZE];
};

struct lab {
	struct skep_machine *machine;
	struct map_spec spec;
	const struct map_spec *specs[1];
	struct map *map;
	int kernel_map;          /* descriptor; -1: the kernel does not take part */
	struct generated program;
	uint8_t packet[GENERATE_PACKET], entries[ENTRIES_SIZE];
	uint64_t seed;
	enum generate_target target;
	bool print;
};

/* --- here --- */

static void map_fill(struct lab *lab)
{
	for (uint32_t i = 0; i < GENERATE_ENTRIES; i++)
		map_user_update(lab->map, &i, lab->entries + i * GENERATE_VALUE, 0);
}

static bool run_here(struct lab *lab, struct skep_prog *prog, enum skep_engine engine,
		     struct outcome *out)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_test_run run = {
		.data_in = lab->packet, .data_size_in = sizeof(lab->packet),
		.data_out = out->packet, .data_size_out = sizeof(out->packet),
	};
	int error;

	map_fill(lab);
	lab->machine->engine = engine;
	error = skep_prog_test_run(prog, &run, diag);
	out->retval = run.retval;
	for (uint32_t i = 0; i < GENERATE_ENTRIES; i++)
		map_user_lookup(lab->map, &i, out->map + i * GENERATE_VALUE, 0);
	if (error < 0)
		printf("seed %" PRIu64 ": does not run:\n%s", lab->seed, skep_diag_text(diag, 0));
	skep_diag_free(diag);
	return error == 0;
}

static struct code *load_here(struct lab *lab)
{
	struct skep_diag *diag = skep_diag_new();
	struct prog_spec spec = {
		.name = "generated", .section = "generated", .object = "generated",
		.type = prog_type(lab->target == GENERATE_XDP ? BPF_PROG_TYPE_XDP
							      : BPF_PROG_TYPE_SCHED_CLS),
		.insns = lab->program.insns, .len = (uint32_t)lab->program.count,
		.maps = lab->specs, .map_count = 1, .license = "GPL",
	};
	struct skep_verify_result result = { 0 };
	struct verified verified = { 0 };
	struct code *code = NULL;
	int error = verify(&spec, NULL, &result, &verified, diag);

	if (result.time_us > 1000000)
		printf("seed %" PRIu64 ": judged in %.1f s: %u instructions\n", lab->seed,
		       (double)result.time_us / 1e6, result.processed);

	if (error == 0 && result.error == 0) {
		code = code_new(&verified, &spec, &lab->map, lab->machine->world, true, &error, diag);
		verified_done(&verified);
	}
	if (!code)
		printf("seed %" PRIu64 ": refused here: insn %" PRId64 ": %s\n%s\n", lab->seed,
		       result.insn, result.message, skep_diag_text(diag, 0));
	skep_verify_result_done(&result);
	skep_diag_free(diag);
	return code;
}

/* --- in the kernel --- */

static int kernel_map_new(void)
{
	struct {
		uint32_t type, key_size, value_size, max_entries, flags;
	} attr = { BPF_MAP_TYPE_ARRAY, 4, GENERATE_VALUE, GENERATE_ENTRIES, 0 };

	return (int)sys_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
}

static void kernel_map_move(struct lab *lab, uint8_t *entries, int cmd)
{
	for (uint32_t i = 0; i < GENERATE_ENTRIES; i++) {
		struct {
			uint32_t fd, pad;
			uint64_t key, value, flags;
		} attr = { .fd = (uint32_t)lab->kernel_map, .key = (uintptr_t)&i,
			   .value = (uintptr_t)(entries + i * GENERATE_VALUE) };

		sys_bpf(cmd, &attr, sizeof(attr));
	}
}

static bool run_kernel(struct lab *lab, struct outcome *out)
{
	static struct bytecode code;
	uint32_t size = sizeof(out->packet);
	int fd, error;

	memcpy(code.insns, lab->program.insns, lab->program.count * 8);
	code.count = lab->program.count;
	for (size_t i = 0; i < code.count; i++) {
		struct skep_insn *insn = (struct skep_insn *)&code.insns[i];

		if (insn->code == 0x18 && insn->src == IMM64_MAP_INDEX) {
			insn->src = IMM64_MAP_FD;
			insn->imm = lab->kernel_map;
		}
	}
	fd = bytecode_load(lab->target == GENERATE_XDP ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SCHED_CLS,
			   &code);
	if (fd < 0) {
		printf("seed %" PRIu64 ": refused by the kernel: %s\n%s\n", lab->seed, strerror(-fd),
		       strlen(bytecode_log) > 500 ? bytecode_log + strlen(bytecode_log) - 500
						   : bytecode_log);
		return false;
	}
	kernel_map_move(lab, lab->entries, BPF_MAP_UPDATE_ELEM);
	error = bytecode_run(fd, lab->packet, sizeof(lab->packet), out->packet, &size, &out->retval);
	kernel_map_move(lab, out->map, BPF_MAP_LOOKUP_ELEM);
	close(fd);
	if (error < 0)
		printf("seed %" PRIu64 ": the kernel does not run it: %s\n", lab->seed, strerror(-error));
	return error == 0;
}

/* --- comparing --- */

static bool same(const struct lab *lab, const char *name, const struct outcome *a,
		 const struct outcome *b)
{
	if (a->retval == b->retval && memcmp(a->packet, b->packet, sizeof(a->packet)) == 0 &&
	    memcmp(a->map, b->map, sizeof(a->map)) == 0)
		return true;
	printf("seed %" PRIu64 " (%s): the interpreter returns 0x%x, the %s 0x%x%s%s\n", lab->seed,
	       lab->target == GENERATE_XDP ? "xdp" : "tc", a->retval, name, b->retval,
	       memcmp(a->packet, b->packet, sizeof(a->packet)) ? "; packets differ" : "",
	       memcmp(a->map, b->map, sizeof(a->map)) ? "; maps differ" : "");
	for (size_t i = 0; i < sizeof(a->packet); i++)
		if (a->packet[i] != b->packet[i])
			printf("  packet[%zu]: 0x%02x, 0x%02x\n", i, a->packet[i], b->packet[i]);
	return false;
}

static void print_program(const struct lab *lab)
{
	char text[256];

	for (size_t i = 0; i < lab->program.count; i++) {
		skep_disasm(lab->program.insns, lab->program.count, i, text, sizeof(text));
		printf("%4zu: %s\n", i, text);
		i += skep_insn_slots(lab->program.insns[i]) - 1;
	}
}

static bool check(struct lab *lab)
{
	struct outcome interpreted, compiled, kernel;
	struct skep_prog prog = { .machine = lab->machine, .name = (char *)(uintptr_t)"generated" };
	bool good;

	lab->target = lab->seed % 2 ? GENERATE_XDP : GENERATE_TC;
	generate(&lab->program, lab->seed, lab->target,
		 GENERATE_CALLS | GENERATE_MAPS | (lab->target == GENERATE_TC ? GENERATE_HELPERS : 0));
	generate_input(lab->packet, sizeof(lab->packet), lab->seed);
	generate_input(lab->entries, sizeof(lab->entries), lab->seed + 1);
	if (lab->print)
		print_program(lab);
	prog.code = load_here(lab);
	if (!prog.code)
		return false;
	prog.type = prog_type(prog.code->prog_type);
	good = prog.code->native_size > 0 &&
	       run_here(lab, &prog, SKEP_ENGINE_INTERPRETER, &interpreted) &&
	       run_here(lab, &prog, SKEP_ENGINE_JIT, &compiled) &&
	       same(lab, "compiler", &interpreted, &compiled);
	if (good && lab->kernel_map >= 0)
		good = run_kernel(lab, &kernel) && same(lab, "kernel", &interpreted, &kernel);
	if (prog.hook_done)
		prog.hook_done(prog.hook);
	code_free(prog.code, lab->machine->world);
	return good;
}

/* Programs that once came out different; each run begins with them. */
static const uint64_t regressions[] = {
	3073, /* an exchange with a stack slot lost what the slot's number was needed for */
};

static bool lab_init(struct lab *lab)
{
	int error;

	lab->kernel_map = -1;
	lab->spec = (struct map_spec){ .name = "entries", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
				       .value_size = GENERATE_VALUE, .max_entries = GENERATE_ENTRIES };
	lab->specs[0] = &lab->spec;
	lab->machine = skep_machine_new(NULL, NULL);
	if (!lab->machine)
		return false;
	lab->map = map_new(&lab->spec, lab->machine->memory, lab->machine->vcpus, &error);
	if (bytecode_works())
		lab->kernel_map = kernel_map_new();
	return lab->map != NULL;
}

int main(int argc, char **argv)
{
	static struct lab lab;
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 0) : 500;
	uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	uint64_t failed = 0, insns = 0;

	lab.print = argc > 3;
	setbuf(stdout, NULL);
	if (!lab_init(&lab)) {
		printf("no machine can be made\n");
		return 1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(regressions); i++) {
		lab.seed = regressions[i];
		failed += !check(&lab);
	}
	for (uint64_t i = 0; i < count && failed < 20; i++) {
		lab.seed = first + i;
		failed += !check(&lab);
		insns += lab.program.count;
		if (i && i % 2500 == 0)
			printf("%" PRIu64 " programs\n", i);
	}
	printf("%" PRIu64 " programs of %" PRIu64 " instructions in the mean, on the interpreter, the "
	       "compiler%s: %" PRIu64 " differ\n", count, insns / (count ? count : 1),
	       lab.kernel_map >= 0 ? " and the running kernel" : "", failed);
	if (lab.kernel_map < 0)
		printf("SKIPPED: the comparison with the running kernel\n");
	map_free(lab.map);
	skep_machine_free(lab.machine);
	return failed > 0;
}
