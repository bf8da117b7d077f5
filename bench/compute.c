/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compute.c - ns per call of small computations, side by side in one run: the
 * machine's own code, Skep's compiler, Skep's interpreter and, where it may be
 * asked, Linux's compiler.
 *
 *   compute [NAME...]
 *
 * All of them work on the same bytes and must return the same number. Linux's
 * time is its own mean over BPF_PROG_TEST_RUN's repetitions; Skep's is that of
 * vm_run() on a virtual CPU that is already held.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <skep/skep.h>

#include "helper/packet.h"
#include "isa/abi.h"
#include "kernels.h"
#include "machine/machine.h"

enum { ROUNDS = 5, SAMPLE_NS = 4 * 1000 * 1000, MAPS = 8 };

typedef u32 native_fn(const u8 *data);

#define NATIVE(name, what)                                             \
	static __attribute__((noinline)) u32 native_##name(const u8 *data) \
	{                                                              \
		return kernel_##name(data);                            \
	}
KERNEL_LIST(NATIVE)

static const struct kernel {
	const char *name, *what;
	native_fn *native;
} kernels[] = {
#define ROW(name, what) { #name, what, native_##name },
	KERNEL_LIST(ROW)
};

static u8 bytes[KERNEL_BYTES];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* One timed thing: run() calls it n times and stores what it returned. */
struct subject {
	void (*run)(struct subject *subject, uint32_t n);
	native_fn *volatile native;
	struct skep_prog *prog;
	struct vm vm;
	bool interpret;
	int fd;
	uint32_t result;
	double reported;         /* ns per call; where run() knows better than a clock */
};

static void run_native(struct subject *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		s->result = s->native(bytes);
}

static void run_skep(struct subject *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		s->result = (uint32_t)vm_run(&s->vm, s->prog->code, s->interpret);
}

static void run_linux(struct subject *s, uint32_t n)
{
	struct {
		uint32_t fd, retval, size_in, size_out;
		uint64_t in, out;
		uint32_t repeat, duration;
	} attr = { .fd = (uint32_t)s->fd, .size_in = sizeof(bytes), .in = (uintptr_t)bytes,
		   .repeat = n };

	if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr)) < 0)
		return;
	s->result = attr.retval;
	s->reported = attr.duration;
}

/* The best of some rounds, each long enough to be measured. */
static double measure(struct subject *s)
{
	uint32_t n = 16;
	double best = 0;

	for (;;) {
		double start = now();

		s->run(s, n);
		if (now() - start > SAMPLE_NS / 4 || n > 1u << 24)
			break;
		n *= 2;
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		double start = now(), spent;

		s->run(s, n);
		spent = s->reported ? s->reported : (now() - start) / n;
		if (round == 0 || spent < best)
			best = spent;
	}
	return best;
}

/* --- Linux --- */

static int linux_map(struct skep_object *object, uint32_t index)
{
	struct skep_object_map *map = skep_object_map_at(object, index);
	struct skep_map_info info;
	struct {
		uint32_t type, key_size, value_size, max_entries, flags;
	} attr;
	uint32_t zero = 0;
	size_t size;
	struct {
		uint32_t fd, pad;
		uint64_t key, value, flags;
	} value = { .key = (uintptr_t)&zero, .value = (uintptr_t)skep_object_map_data(map, &size) };
	int fd;

	skep_object_map_info(map, &info);
	memcpy(&attr, &(uint32_t[]){ info.type, info.key_size, info.value_size, info.max_entries, 0 },
	       sizeof(attr));
	fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
	value.fd = (uint32_t)fd;
	if (fd >= 0)
		syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &value, sizeof(value));
	return fd;
}

/* A descriptor, or -1 where the kernel does not take it. */
static int linux_load(struct skep_object *object, struct skep_object_prog *prog, const int *maps)
{
	const struct skep_insn *from;
	struct skep_insn *insns;
	size_t count;
	static char log[1 << 16];
	struct {
		uint32_t type, count;
		uint64_t insns, license;
		uint32_t log_level, log_size;
		uint64_t log;
		uint8_t rest[88];
	} attr = { .type = BPF_PROG_TYPE_XDP, .license = (uintptr_t)"GPL" };
	int fd;

	(void)object;
	if (skep_object_prog_insns(prog, &from, &count, NULL) < 0)
		return -1;
	insns = malloc(count * sizeof(*insns));
	memcpy(insns, from, count * sizeof(*insns));
	for (size_t i = 0; i < count; i += skep_insn_slots(insns[i])) {
		if (insns[i].code != 0x18 || (insns[i].src != 5 && insns[i].src != 6))
			continue;
		insns[i].src = insns[i].src == 5 ? 1 : 2;
		insns[i].imm = maps[insns[i].imm];
	}
	attr.insns = (uintptr_t)insns;
	attr.count = (uint32_t)count;
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0) {
		attr.log_level = 1;
		attr.log = (uintptr_t)log;
		attr.log_size = sizeof(log);
		syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
		if (getenv("BENCH_LOG"))
			fprintf(stderr, "%s\n", log);
	}
	free(insns);
	return fd;
}

/* --- the table --- */

struct bench {
	struct skep_object *object;
	struct skep_machine *machine;
	struct vcpu *cpu;
	int maps[MAPS];
	bool linux_runs;
};

static void fill_bytes(void)
{
	static const u8 header[38] = {
		2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 60, 0, 1, 0x40, 0, 64, 6,
		0, 0, 192, 168, 1, 2, 10, 0, 0, 7, 0x1f, 0x90, 0, 80,
	};
	uint64_t state = 1;

	for (size_t i = 0; i < sizeof(bytes); i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = (u8)(state >> 56);
	}
	memcpy(bytes, header, sizeof(header));
	memcpy(bytes + 250, "Skep", 4);
}

static void row(struct bench *b, const struct kernel *kernel, struct skep_object_prog *prog)
{
	struct packet packet = { .start = bytes, .meta = bytes, .data = bytes,
				 .end = bytes + sizeof(bytes), .limit = bytes + sizeof(bytes) };
	struct skep_prog *loaded = skep_machine_prog(b->machine, prog);
	struct vm vm = { .world = b->machine->world, .cpu = b->cpu, .ctx = &packet,
			 .packet = &packet, .prog_type = BPF_PROG_TYPE_XDP };
	struct subject subjects[4] = {
		{ .run = run_native, .native = kernel->native },
		{ .run = run_skep, .prog = loaded, .vm = vm },
		{ .run = run_skep, .prog = loaded, .vm = vm, .interpret = true },
		{ .run = run_linux, .fd = b->linux_runs ? linux_load(b->object, prog, b->maps) : -1 },
	};
	double ns[4] = { 0 };

	for (unsigned i = 0; i < 4; i++) {
		if (i == 3 && subjects[i].fd < 0)
			break;
		ns[i] = measure(&subjects[i]);
		if (subjects[i].result != subjects[0].result) {
			printf("%s: engine %u returned 0x%x, native code 0x%x\n", kernel->name, i,
			       subjects[i].result, subjects[0].result);
			exit(1);
		}
	}
	printf("%-10s %9.1f %9.1f %9.1f ", kernel->name, ns[0], ns[1], ns[2]);
	if (subjects[3].fd >= 0)
		printf("%9.0f ", ns[3]);
	else
		printf("%9s ", "-");
	printf("%8.2f %8.2f ", ns[1] / ns[0], ns[2] / ns[1]);
	if (subjects[3].fd >= 0)
		printf("%8.2f  ", ns[1] / ns[3]);
	else
		printf("%8s  ", "-");
	printf("%s\n", kernel->what);
	if (subjects[3].fd >= 0)
		close(subjects[3].fd);
}

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc < 2;
}

static int bench_init(struct bench *b, struct skep_diag *diag)
{
	b->object = skep_object_open_file(BENCH_OBJECT, diag);
	b->machine = skep_machine_new(NULL, diag);
	if (!b->object || !b->machine || skep_machine_load(b->machine, b->object, NULL, diag) < 0)
		return -1;
	b->cpu = vcpu_take(b->machine->vcpus);
	b->linux_runs = true;
	for (size_t i = 0; i < skep_object_map_count(b->object) && i < MAPS; i++) {
		b->maps[i] = linux_map(b->object, (uint32_t)i);
		b->linux_runs &= b->maps[i] >= 0;
	}
	if (!b->linux_runs)
		printf("Linux does not let this process load programs: its column is empty.\n");
	return b->cpu ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct skep_diag *diag = skep_diag_new();
	struct bench b = { 0 };

	fill_bytes();
	if (bench_init(&b, diag) < 0) {
		printf("%s\n", skep_diag_text(diag, 0));
		return 1;
	}
	printf("ns per call, the best of %d rounds\n", ROUNDS);
	printf("%-10s %9s %9s %9s %9s %8s %8s %8s\n", "", "native C", "Skep JIT", "interpr.", "Linux JIT",
	       "JIT/C", "int/JIT", "JIT/Lx");
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
		char name[64];
		struct skep_object_prog *prog;

		snprintf(name, sizeof(name), "bench_%s", kernels[i].name);
		prog = skep_object_prog_find(b.object, name);
		if (prog && wanted(kernels[i].name, argc, argv))
			row(&b, &kernels[i], prog);
	}
	vcpu_give(b.cpu);
	skep_machine_free(b.machine);
	skep_object_free(b.object);
	skep_diag_free(diag);
	return 0;
}
