/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_verify.c - is what the verifier accepts safe, and do all engines agree?
 *
 *   | type | how | environment (64 bytes) | program ... |
 *
 * The program is made from the bytes (program.h) or is the bytes. It gets a
 * verdict in bounded time; if it is accepted it runs three times: with every
 * access checked, interpreted, and compiled. A violation or a fault is a hole
 * in the verifier; different results are a bug in an engine, unless the program
 * sees addresses: then the same engine comes to different results, too, once
 * maps have put their elements elsewhere.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "hook/frame.h"
#include "isa/insn.h"
#include "check.h"
#include "program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_SLOTS = 600, ENVIRONMENT = 64, HOW_RAW = 1, HOW_UNPRIVILEGED = 0x82, HOW_STATES = 4,
       HOW_STRICT = 0x48, KEYS = 8, PLAIN_CONTEXT = 65536, ROUNDS = 24 };

static const uint32_t types[] = {
	BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_SCHED_CLS, BPF_PROG_TYPE_SOCKET_FILTER,
	BPF_PROG_TYPE_CGROUP_SKB, BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_PROG_TYPE_KPROBE,
	BPF_PROG_TYPE_SYSCALL,
};

/* What all inputs share. */
static struct {
	struct memory *memory;
	struct vcpu_set *vcpus;
	struct vm_world *world;
	struct map_spec specs[MAP_COUNT];
	const struct map_spec *spec_list[MAP_COUNT];
	struct map *maps[MAP_COUNT];
	struct frame frame;
	uint8_t constants[CONST_VALUE];
	uint8_t plain[PLAIN_CONTEXT];
	unsigned long inputs, accepted, compared;
} lab;

static void report(void)
{
	fprintf(stderr, "%lu programs, %lu accepted, %lu compared\n", lab.inputs, lab.accepted,
		lab.compared);
}

static void lab_init(void)
{
	static const struct map_spec specs[MAP_COUNT] = {
		[MAP_ARRAY] = { .name = "array", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
				.value_size = ARRAY_VALUE, .max_entries = ARRAY_ENTRIES },
		[MAP_HASH] = { .name = "hash", .type = BPF_MAP_TYPE_HASH, .key_size = 4,
			       .value_size = HASH_VALUE, .max_entries = 16 },
		[MAP_RING] = { .name = "ring", .type = BPF_MAP_TYPE_RINGBUF, .max_entries = 4096 },
		[MAP_PERCPU] = { .name = "percpu", .type = BPF_MAP_TYPE_PERCPU_ARRAY, .key_size = 4,
				 .value_size = PERCPU_VALUE, .max_entries = 2 },
		[MAP_CONST] = { .name = "const", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
				.value_size = CONST_VALUE, .max_entries = 1,
				.flags = BPF_F_RDONLY_PROG, .internal = true },
		[MAP_DATA] = { .name = "data", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
			       .value_size = ARRAY_VALUE, .max_entries = 1, .internal = true },
	};
	uint32_t zero = 0;

	if (engine_init() < 0)
		abort();
	lab.memory = memory_new(64 << 20);
	lab.vcpus = lab.memory ? vcpu_set_new(lab.memory, 2) : NULL;
	lab.world = lab.vcpus ? memory_alloc(lab.memory, sizeof(*lab.world), 16) : NULL;
	if (!lab.world || frame_init(&lab.frame) < 0)
		abort();
	lab.world->memory = lab.memory;
	lab.world->vcpus = lab.vcpus;
	memcpy(lab.specs, specs, sizeof(specs));
	for (unsigned i = 0; i < sizeof(lab.constants); i++)
		lab.constants[i] = (uint8_t)(i * 7);
	lab.specs[MAP_CONST].frozen = lab.constants;
	for (unsigned i = 0; i < MAP_COUNT; i++) {
		int error;

		lab.spec_list[i] = &lab.specs[i];
		lab.maps[i] = map_new(&lab.specs[i], lab.memory, lab.vcpus, &error);
		if (!lab.maps[i])
			abort();
	}
	if (map_user_update(lab.maps[MAP_CONST], &zero, lab.constants, 0) < 0)
		abort();
	atexit(report);
}

/* --- the same start for every run --- */

static int drop(void *arg, uint32_t cpu, const void *data, size_t size)
{
	(void)arg;
	(void)cpu;
	(void)data;
	(void)size;
	return 0;
}

static void reset(const uint8_t environment[ENVIRONMENT], const struct frame_shape *shape)
{
	uint8_t value[ARRAY_VALUE * 4], packet[ENVIRONMENT + 32];

	for (unsigned i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)(environment[i % ENVIRONMENT] + i / ENVIRONMENT);
	for (uint32_t key = 0; key < ARRAY_ENTRIES; key++)
		map_user_update(lab.maps[MAP_ARRAY], &key, value + key, 0);
	for (uint32_t key = 0; key < 32; key++)
		map_user_remove(lab.maps[MAP_HASH], &key);
	for (uint32_t key = 0; key < KEYS; key++)
		map_user_update(lab.maps[MAP_HASH], &key, value + 2 * key, 0);
	for (uint32_t key = 0; key < 2; key++)
		map_user_update(lab.maps[MAP_PERCPU], &key, value, 0);
	for (uint32_t key = 0; key < 1; key++)
		map_user_update(lab.maps[MAP_DATA], &key, value + 9, 0);
	ringbuf_consume(lab.maps[MAP_RING], drop, NULL);
	memset(packet, 0, sizeof(packet));
	memcpy(packet, environment, ENVIRONMENT);
	packet[12] = 8; /* IPv4 */
	packet[13] = 0;
	if (shape)
		frame_load(&lab.frame, shape, true, packet,
			   14 + environment[0] % (sizeof(packet) - 14), 256, NULL);
	memset(lab.plain, 0, sizeof(lab.plain));
	memcpy(lab.plain, environment, ENVIRONMENT);
}

/* Everything a program can leave behind, as one number. */
static uint64_t traces(const struct frame_shape *shape)
{
	uint8_t value[ARRAY_VALUE];
	uint64_t sum = 1;

	for (uint32_t key = 0; key < ARRAY_ENTRIES; key++)
		if (map_user_lookup(lab.maps[MAP_ARRAY], &key, value, 0) == 0)
			sum = hash_bytes(value, ARRAY_VALUE, sum);
	for (uint32_t key = 0; key < 32; key++)
		if (map_user_lookup(lab.maps[MAP_HASH], &key, value, 0) == 0)
			sum = hash_bytes(value, HASH_VALUE, sum + key);
	for (uint32_t key = 0; key < 1; key++)
		if (map_user_lookup(lab.maps[MAP_DATA], &key, value, 0) == 0)
			sum = hash_bytes(value, ARRAY_VALUE, sum);
	if (shape)
		sum = hash_bytes(lab.frame.packet.meta,
				 (size_t)(lab.frame.packet.end - lab.frame.packet.meta), sum);
	else
		sum = hash_bytes(lab.plain, 256, sum);
	return sum;
}

struct outcome {
	uint64_t retval, traces;
};

static void vm_prepare(struct vm *vm, uint32_t type, const struct frame_shape *shape)
{
	*vm = (struct vm){ .world = lab.world, .prog_type = type, .cpu = vcpu_take(lab.vcpus) };
	if (!vm->cpu)
		abort();
	vm->ctx = shape ? (void *)&lab.frame.packet : lab.plain;
	vm->packet = shape ? &lab.frame.packet : NULL;
}

__attribute__((noreturn))
static void found(const struct skep_insn *insns, uint32_t count, const char *what)
{
	for (uint32_t i = 0; i < count; i++) {
		char text[128];

		skep_disasm(insns, count, i, text, sizeof(text));
		fprintf(stderr, "%4u: (%02x) %s\n", i, insns[i].code, text);
	}
	fprintf(stderr, "%s\n", what);
	abort();
}

/* --- one program --- */

static struct outcome run_engine(const struct prog_spec *spec, const struct code *code,
				 bool interpret, const struct frame_shape *shape,
				 const uint8_t *environment)
{
	struct outcome outcome;
	struct vm vm;

	reset(environment, shape);
	vm_prepare(&vm, spec->type->id, shape);
	/* What programs may read without having written it, as checked_run() has it. */
	memset(vm.cpu->scratch + VM_SCRATCH_STACK, CHECKED_POISON,
	       VCPU_SCRATCH - VM_SCRATCH_STACK);
	outcome.retval = vm_run(&vm, code, interpret);
	vcpu_give(vm.cpu);
	if (vm.faulted) {
		char text[96];

		snprintf(text, sizeof(text), "%s: a fault at instruction %u, address %#llx",
			 interpret ? "interpreted" : "compiled", vm.fault_insn,
			 (unsigned long long)vm.fault_address);
		found(spec->insns, spec->len, text);
	}
	outcome.traces = traces(shape);
	return outcome;
}

static bool same(struct outcome a, struct outcome b)
{
	return a.retval == b.retval && a.traces == b.traces;
}

static void compare(const struct prog_spec *spec, const char *what, struct outcome a,
		    struct outcome b)
{
	char text[160];

	if (same(a, b))
		return;
	snprintf(text, sizeof(text), "%s: returned %#llx and %#llx, traces %#llx and %#llx", what,
		 (unsigned long long)a.retval, (unsigned long long)b.retval,
		 (unsigned long long)a.traces, (unsigned long long)b.traces);
	found(spec->insns, spec->len, text);
}

/* false: there is no result to compare with. */
static bool run_checked(const struct prog_spec *spec, const struct verified *verified,
			const uint8_t *environment, unsigned variant, struct outcome *outcome)
{
	const struct frame_shape *shape = frame_shape(spec->type->id);
	struct checked checked;
	struct vm vm;

	reset(environment, shape);
	vm_prepare(&vm, spec->type->id, shape);
	checked_run(&(struct checked_setup){
			.verified = verified, .vm = &vm, .maps = lab.maps, .variant = variant,
			.ctx_size = shape ? sizeof(struct packet) : spec->type->ctx->size },
		    &checked);
	vcpu_give(vm.cpu);
	if (checked.end == CHECKED_VIOLATION) {
		char text[320];

		snprintf(text, sizeof(text), "instruction %u: %s", checked.pc, checked.what);
		found(spec->insns, spec->len, text);
	}
	*outcome = (struct outcome){ checked.retval, traces(shape) };
	return checked.end == CHECKED_DONE;
}

struct outcomes {
	struct outcome checked, interpreted, compiled;
};

/*
 * Does each engine stay with its result? An element of a hash map that was removed and
 * put back lies where another did, or, if the thread has changed CPUs, in that CPU's own
 * part: what depends on addresses comes out differently after some rounds.
 */
static bool steady(const struct prog_spec *spec, const struct verified *verified,
		   const struct code *code, const uint8_t *environment,
		   const struct outcomes *first)
{
	const struct frame_shape *shape = frame_shape(spec->type->id);
	struct outcome checked;

	for (unsigned i = 0; i < ROUNDS; i++)
		if (!run_checked(spec, verified, environment, 0, &checked) ||
		    !same(checked, first->checked) ||
		    !same(run_engine(spec, code, true, shape, environment), first->interpreted) ||
		    !same(run_engine(spec, code, false, shape, environment), first->compiled))
			return false;
	return true;
}

static void run_all(const struct prog_spec *spec, const struct verified *verified,
		    const uint8_t *environment, bool unprivileged)
{
	const struct frame_shape *shape = frame_shape(spec->type->id);
	struct outcome again;
	struct outcomes by;
	struct code *code;
	int error;

	if (!run_checked(spec, verified, environment, 0, &by.checked) ||
	    !run_checked(spec, verified, environment, 1, &again))
		return;
	/* Without CAP_PERFMON programs see no addresses, nor what the stack held; others may. */
	if (unprivileged && !(spec->type->needs & NEEDS_PERFMON))
		compare(spec, "run at two places", by.checked, again);
	code = code_new(verified, spec, lab.maps, lab.world, true, &error, NULL);
	if (!code)
		return;
	by.interpreted = run_engine(spec, code, true, shape, environment);
	by.compiled = run_engine(spec, code, false, shape, environment);
	if (same(by.checked, again)) {
		bool agree = same(by.checked, by.interpreted) && same(by.interpreted, by.compiled);

		if (agree || steady(spec, verified, code, environment, &by)) {
			lab.compared++;
			compare(spec, "checked and interpreted", by.checked, by.interpreted);
			compare(spec, "interpreted and compiled", by.interpreted, by.compiled);
		}
	}
	code_free(code, lab.world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct skep_insn insns[MAX_SLOTS];
	struct bytes bytes = { data, data + size };
	uint8_t environment[ENVIRONMENT];
	struct skep_verify_result result = { 0 };
	struct skep_verify_opts opts = { 0 };
	struct verified verified = { 0 };
	struct prog_spec spec = { .name = "fuzz", .section = "fuzz", .object = "fuzz",
				  .license = "GPL" };
	uint8_t how;

	if (!lab.memory)
		lab_init();
	spec.type = prog_type(types[next(&bytes) % ARRAY_SIZE(types)]);
	how = next(&bytes);
	for (unsigned i = 0; i < ENVIRONMENT; i++)
		environment[i] = next(&bytes);
	if ((how & HOW_RAW) && (how & 0x70) == 0) {
		spec.len = (uint32_t)MIN((size_t)(bytes.end - bytes.at) / 8, (size_t)MAX_SLOTS);
		memcpy(insns, bytes.at, spec.len * sizeof(*insns));
	} else {
		spec.len = (uint32_t)program_make(&bytes, spec.type->id, insns, MAX_SLOTS);
	}
	if (spec.type->id == BPF_PROG_TYPE_XDP)
		spec.attach = BPF_XDP;
	spec.insns = insns;
	spec.maps = lab.spec_list;
	spec.map_count = MAP_COUNT;
	opts.unprivileged = (how & HOW_UNPRIVILEGED) == HOW_UNPRIVILEGED;
	opts.caps = spec.type->needs; /* no more than to load it at all */
	opts.flags = (how & HOW_STATES ? SKEP_VERIFY_STATE_FREQ : 0u) |
		     ((how & HOW_STRICT) == HOW_STRICT ? SKEP_VERIFY_STRICT_ALIGNMENT : 0u);
	lab.inputs++;
	if (verify(&spec, &opts, &result, &verified, NULL) == 0 && result.error == 0) {
		lab.accepted++;
		run_all(&spec, &verified, environment, opts.unprivileged);
	}
	verified_done(&verified);
	skep_verify_result_done(&result);
	return 0;
}
