/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs in an arena, with maps, helpers, callbacks and tail calls: every
 * test runs on the interpreter and on compiled code. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <skep/skep.h>

#include "base/base.h"
#include "helper/packet.h"
#include "vm/install.h"
#include "vm/vm.h"

struct machine {
	struct vm_world world;
	struct map *maps[4];
	const struct map_spec *specs[4];
	struct map_spec spec[4];
};

static struct sigaction our_segv;

static int setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));
	int error;

	m->world.memory = memory_new(0);
	m->world.vcpus = vcpu_set_new(m->world.memory, 2);
	m->spec[0] = (struct map_spec){ .name = "values", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4,
					.value_size = 16, .max_entries = 8 };
	m->spec[1] = (struct map_spec){ .name = "progs", .type = BPF_MAP_TYPE_PROG_ARRAY,
					.key_size = 4, .value_size = 4, .max_entries = 4 };
	m->spec[2] = (struct map_spec){ .name = "hash", .type = BPF_MAP_TYPE_HASH, .key_size = 4,
					.value_size = 8, .max_entries = 8 };
	for (unsigned i = 0; i < 3; i++) {
		m->specs[i] = &m->spec[i];
		m->maps[i] = map_new(&m->spec[i], m->world.memory, m->world.vcpus, &error);
		assert_non_null(m->maps[i]);
	}
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	for (unsigned i = 0; i < 3; i++)
		map_free(m->maps[i]);
	memory_free(m->world.memory);
	free(m);
	return 0;
}

static struct skep_insn op(uint8_t code, unsigned dst, unsigned src, int off, int64_t imm)
{
	return (struct skep_insn){ code, dst & 15, src & 15, (int16_t)off, (int32_t)imm };
}

#define MOV(dst, imm) op(0xb7, dst, 0, 0, imm)
#define MOV_REG(dst, src) op(0xbf, dst, src, 0, 0)
#define ADD(dst, imm) op(0x07, dst, 0, 0, imm)
#define ADD_REG(dst, src) op(0x0f, dst, src, 0, 0)
#define MAP(dst, index) op(0x18, dst, 5, 0, index), op(0, 0, 0, 0, 0)
#define FUNC(dst, distance) op(0x18, dst, 4, 0, distance), op(0, 0, 0, 0, 0)
#define HELPER(id) op(0x85, 0, 0, 0, id)
#define CALL(distance) op(0x85, 0, 1, 0, distance)
#define EXIT op(0x95, 0, 0, 0, 0)

struct options {
	uint32_t starts[4];      /* of subprograms after the first; 0 ends */
	bool constant_map;       /* calls: say that argument 1 is map 0 */
	bool fault_zero;         /* loads */
	uint32_t type;
};

/* As the verifier would hand it over. NULL: code_new() failed with *error. */
static struct code *build(struct machine *m, const struct skep_insn *insns, uint32_t count,
			  struct options o, int *error, struct skep_diag *diag)
{
	struct insn decoded[4096];
	struct insn_fact facts[4096];
	struct verified_subprog subprogs[5] = { { .stack = 64 } };
	struct prog_spec spec = { .name = "test", .type = prog_type(o.type ? o.type : BPF_PROG_TYPE_XDP),
				  .maps = m->specs, .map_count = 3 };
	struct verified verified = { .insns = decoded, .len = count, .facts = facts,
				     .subprogs = subprogs, .subprog_count = 1, .stack_depth = 512 };
	const char *why = NULL;
	size_t bad;

	assert_int_equal(insn_decode_all(insns, count, decoded, &bad, &why), 0);
	memset(facts, 0, sizeof(facts));
	for (uint32_t i = 0; i < count; i++) {
		facts[i].reached = true;
		facts[i].constant_map = o.constant_map;
		if (decoded[i].kind == INSN_LOAD)
			decoded[i].fault_zero = o.fault_zero;
	}
	for (unsigned i = 0; i < 4 && o.starts[i]; i++) {
		subprogs[verified.subprog_count - 1].end = o.starts[i];
		subprogs[verified.subprog_count++] =
			(struct verified_subprog){ .start = o.starts[i], .stack = 32 };
	}
	subprogs[verified.subprog_count - 1].end = count;
	return code_new(&verified, &spec, m->maps, &m->world, true, error, diag);
}

static struct code *program(struct machine *m, const struct skep_insn *insns, uint32_t count,
			    struct options o)
{
	struct skep_diag *diag = skep_diag_new();
	int error = 0;
	struct code *code = build(m, insns, count, o, &error, diag);

	if (!code)
		fail_msg("%s", skep_diag_text(diag, 0));
	assert_true(code->native_size > 0);
	skep_diag_free(diag);
	return code;
}

static uint64_t run_vm(struct machine *m, struct vm *vm, const struct code *code, bool interpreted)
{
	struct sigaction cmockas;
	uint64_t r0;

	vm->world = &m->world;
	vm->cpu = vcpu_take(m->world.vcpus);
	assert_non_null(vm->cpu);
	/* cmocka takes the signal for itself while a test runs. */
	sigaction(SIGSEGV, &our_segv, &cmockas);
	r0 = vm_run(vm, code, interpreted);
	sigaction(SIGSEGV, &cmockas, NULL);
	vcpu_give(vm->cpu);
	return r0;
}

static uint64_t run(struct machine *m, const struct code *code, bool interpreted)
{
	struct vm vm = { 0 };
	uint64_t r0 = run_vm(m, &vm, code, interpreted);

	assert_false(vm.faulted);
	return r0;
}

#define PROGRAM(m, insns, ...) program(m, insns, ARRAY_SIZE(insns), (struct options){ __VA_ARGS__ })
#define BOTH(interpreted) for (int interpreted = 0; interpreted < 2; interpreted++)

/* --- maps and helpers --- */

static void lookup_adds_up(struct machine *m, bool constant_map)
{
	struct skep_insn insns[] = {
		MOV(6, 0), MOV(7, 0),
		/* for r7 in 0..9: if ((r0 = lookup(map 0, &r7))) r6 += *r0 + 1000; */
		op(0x63, 10, 7, -4, 0), MOV_REG(2, 10), ADD(2, -4), MAP(1, 0), HELPER(1),
		op(0x15, 0, 0, 3, 0), op(0x79, 1, 0, 8, 0), ADD_REG(6, 1), ADD(6, 1000),
		ADD(7, 1), op(0x55, 7, 0, -12, 10),
		MOV_REG(0, 6), EXIT,
	};
	struct code *code = PROGRAM(m, insns, .constant_map = constant_map);
	uint64_t expected = 0;

	for (uint32_t i = 0; i < 8; i++) {
		uint64_t value[2] = { 1, i * 3 + 1 };

		assert_int_equal(map_user_update(m->maps[0], &i, value, 0), 0);
		expected += value[1] + 1000;
	}
	BOTH(interpreted)
		assert_int_equal(run(m, code, interpreted), expected);
	code_free(code, &m->world);
}

static void vm__lookup_through_the_helper_and_inline_agree(void **state)
{
	lookup_adds_up(*state, false);
	lookup_adds_up(*state, true);
}

static void vm__a_helper_gets_its_five_arguments(void **state)
{
	struct machine *m = *state;
	struct skep_insn insns[] = {
		/* hash[5] = 77, then what a lookup finds */
		op(0x62, 10, 0, -4, 5), op(0x7a, 10, 0, -16, 77),
		MAP(1, 2), MOV_REG(2, 10), ADD(2, -4), MOV_REG(3, 10), ADD(3, -16), MOV(4, 0),
		HELPER(2),
		op(0x55, 0, 0, 7, 0),
		MAP(1, 2), MOV_REG(2, 10), ADD(2, -4), HELPER(1),
		op(0x15, 0, 0, 1, 0), op(0x79, 0, 0, 0, 0), EXIT,
	};
	struct code *code = PROGRAM(m, insns, 0);

	BOTH(interpreted)
		assert_int_equal(run(m, code, interpreted), 77);
	code_free(code, &m->world);
}

static void code__a_helper_that_is_not_executed_is_refused_by_name(void **state)
{
	struct machine *m = *state;
	struct skep_diag *diag = skep_diag_new();
	uint32_t id;
	int error = 0;

	for (id = 1; id < HELPER_ID_MAX; id++) {
		const struct helper *helper = helper_get(id, BPF_PROG_TYPE_XDP, 0);

		if (helper && !helper->call && id != 12)
			break;
	}
	if (id == HELPER_ID_MAX)
		skip();
	{
		struct skep_insn insns[] = { HELPER(id), MOV(0, 0), EXIT };

		assert_null(build(m, insns, 3, (struct options){ 0 }, &error, diag));
	}
	assert_int_equal(error, -EOPNOTSUPP);
	assert_int_equal(skep_diag_count(diag), 1);
	assert_int_equal(skep_diag_get(diag, 0)->code, SKEP_ENGINE_HELPER);
	assert_non_null(strstr(skep_diag_get(diag, 0)->message, helper_by_id(id)->name));
	skep_diag_free(diag);
}

/* --- calls --- */

static void vm__subprograms_keep_their_callers_registers_and_stack(void **state)
{
	struct machine *m = *state;
	struct skep_insn insns[] = {
		MOV(6, 6), MOV(7, 7), MOV(8, 8), MOV(9, 9), op(0x7a, 10, 0, -64, 1000),
		MOV(1, 1), MOV(2, 2), CALL(8),
		op(0x79, 1, 10, -64, 0), ADD_REG(0, 1),
		ADD_REG(0, 6), ADD_REG(0, 7), ADD_REG(0, 8), ADD_REG(0, 9), EXIT, EXIT,
		/* 16: overwrites everything it may, calls deeper */
		MOV(6, 0), MOV(7, 0), MOV(8, 0), MOV(9, 0), op(0x7a, 10, 0, -8, 5),
		op(0x7a, 10, 0, -32, 5), ADD_REG(1, 2), CALL(3), op(0x79, 1, 10, -8, 0),
		ADD_REG(0, 1), EXIT,
		/* 27 */
		op(0x7a, 10, 0, -8, 9), op(0x7a, 10, 0, -32, 9), MOV(9, 1), MOV_REG(0, 1), EXIT,
	};
	struct code *code = PROGRAM(m, insns, .starts = { 16, 27 });

	BOTH(interpreted)
		assert_int_equal(run(m, code, interpreted), 1000 + 6 + 7 + 8 + 9 + 3 + 5);
	code_free(code, &m->world);
}

/* bpf_loop(10, callback, &sum): the callback adds its index, and loops itself. */
static void vm__callbacks_run_in_frames_below_their_caller(void **state)
{
	struct machine *m = *state;
	struct skep_insn insns[] = {
		op(0x7a, 10, 0, -8, 0), MOV(6, 500),
		MOV(1, 10), FUNC(2, 8), MOV_REG(3, 10), ADD(3, -8), MOV(4, 0), HELPER(181),
		op(0x79, 1, 10, -8, 0), ADD_REG(0, 1), ADD_REG(0, 6), EXIT,
		/* 13: r1 = index, r2 = &sum */
		MOV(6, 0), op(0x7a, 10, 0, -32, 0), op(0x79, 3, 2, 0, 0), ADD_REG(3, 1),
		op(0x7b, 2, 3, 0, 0),
		MOV_REG(7, 2), MOV(1, 2), FUNC(2, 6), MOV_REG(3, 7), MOV(4, 0), HELPER(181),
		MOV(0, 0), EXIT,
		/* 27: adds 100 */
		op(0x7a, 10, 0, -32, 3), op(0x79, 3, 2, 0, 0), ADD(3, 100), op(0x7b, 2, 3, 0, 0),
		MOV(0, 0), EXIT,
	};
	struct code *code;

	/* Distances are from the slot after the load's first. */
	insns[3].imm = 13 - 4;
	insns[20].imm = 27 - 21;
	code = PROGRAM(m, insns, .starts = { 13, 27 });
	BOTH(interpreted)
		assert_int_equal(run(m, code, interpreted), 10 + 500 + 45 + 10 * 2 * 100);
	code_free(code, &m->world);
}

static void vm__a_fault_in_a_callback_ends_the_whole_program(void **state)
{
	struct machine *m = *state;
	struct skep_insn insns[] = {
		MOV(1, 10), FUNC(2, 6), MOV(3, 0), MOV(4, 0), HELPER(181), MOV(0, 1), EXIT, EXIT,
		/* 9 */
		MOV(1, 64), op(0x79, 0, 1, 0, 0), EXIT,
	};
	struct code *code;

	insns[1].imm = 9 - 2;
	code = PROGRAM(m, insns, .starts = { 9 });
	BOTH(interpreted) {
		struct vm vm = { 0 };

		assert_int_equal(run_vm(m, &vm, code, interpreted), 0);
		assert_true(vm.faulted);
		assert_int_equal(vm.fault_address, 64);
		assert_int_equal(vm.fault_insn, 10);
	}
	code_free(code, &m->world);
}

/* --- tail calls --- */

static void put_prog(struct machine *m, uint32_t index, struct prog_ref *ref)
{
	assert_int_equal(map_user_update(m->maps[1], &index, &ref, 0), 0);
}

/* A program that counts its runs in the array and calls itself again. */
static void vm__tail_calls_stop_at_33(void **state)
{
	struct machine *m = *state;
	struct skep_insn insns[] = {
		MOV_REG(6, 1), op(0x62, 10, 0, -4, 0), MOV_REG(2, 10), ADD(2, -4), MAP(1, 0), HELPER(1),
		op(0x15, 0, 0, 7, 0), op(0x79, 1, 0, 0, 0), ADD(1, 1), op(0x7b, 0, 1, 0, 0),
		MOV_REG(1, 6), MAP(2, 1), MOV(3, 0), HELPER(12), MOV(0, 3), EXIT,
	};
	struct code *code = PROGRAM(m, insns, 0);
	struct prog_ref ref = { .code = code };
	uint32_t zero = 0;

	put_prog(m, 0, &ref);
	BOTH(interpreted) {
		uint64_t value[2] = { 0 };
		struct vm vm = { 0 };

		map_user_update(m->maps[0], &zero, value, 0);
		assert_int_equal(run_vm(m, &vm, code, interpreted), 3);
		assert_int_equal(vm.tail_calls, 33);
		assert_int_equal(map_user_lookup(m->maps[0], &zero, value, 0), 0);
		assert_int_equal(value[0], 34);
	}
	code_free(code, &m->world);
}

static void vm__a_tail_call_in_a_subprogram_returns_to_its_caller(void **state)
{
	struct machine *m = *state;
	struct skep_insn callee[] = {
		/* overwrites what it may: it has a frame of its own */
		MOV(6, 0), MOV(7, 0), MOV(8, 0), MOV(9, 0), op(0x7a, 10, 0, -64, 0),
		op(0x7a, 10, 0, -8, 0), MOV(0, 70), EXIT,
	};
	struct skep_insn caller[] = {
		MOV(6, 1), MOV(7, 2), MOV(8, 3), MOV(9, 4), op(0x7a, 10, 0, -8, 10),
		op(0x7a, 10, 0, -64, 20), CALL(10),
		ADD_REG(0, 6), ADD_REG(0, 7), ADD_REG(0, 8), ADD_REG(0, 9), op(0x79, 1, 10, -8, 0),
		ADD_REG(0, 1), op(0x79, 1, 10, -64, 0), ADD_REG(0, 1), EXIT, EXIT,
		/* 17 */
		MOV(6, 0), MOV(8, 0), MAP(2, 1), MOV(3, 2), HELPER(12), MOV(0, 5), EXIT,
	};
	struct code *target = PROGRAM(m, callee, 0), *code = PROGRAM(m, caller, .starts = { 17 });
	struct prog_ref ref = { .code = target };
	uint32_t two = 2;

	BOTH(interpreted)
		assert_int_equal(run(m, code, interpreted), 5 + 40);
	put_prog(m, 2, &ref);
	BOTH(interpreted)
		assert_int_equal(run(m, code, interpreted), 70 + 40);
	/* native code goes on in a program that only the interpreter can run */
	install_remove(target);
	target->native_size = 0;
	target->stamp++;
	BOTH(interpreted)
		assert_int_equal(run(m, code, interpreted), 70 + 40);
	assert_int_equal(map_user_remove(m->maps[1], &two), 0);
	code_free(code, &m->world);
	code_free(target, &m->world);
}

/* After a subprogram ended in another program, a fault is still the caller's. */
static void vm__a_fault_names_the_program_it_happened_in(void **state)
{
	struct machine *m = *state;
	struct skep_insn callee[] = { MOV(0, 1), EXIT };
	struct skep_insn caller[] = {
		CALL(3), MOV(1, 8), op(0x79, 0, 1, 0, 0), EXIT,
		/* 4 */
		MAP(2, 1), MOV(3, 1), HELPER(12), MOV(0, 5), EXIT,
	};
	struct code *target = PROGRAM(m, callee, 0), *code = PROGRAM(m, caller, .starts = { 4 });
	struct prog_ref ref = { .code = target };
	uint32_t one = 1;

	put_prog(m, 1, &ref);
	BOTH(interpreted) {
		struct vm vm = { 0 };

		run_vm(m, &vm, code, interpreted);
		assert_true(vm.faulted);
		assert_int_equal(vm.tail_calls, 1);
		assert_ptr_equal(vm.code, code);
		assert_int_equal(vm.fault_insn, 2);
	}
	map_user_remove(m->maps[1], &one);
	code_free(code, &m->world);
	code_free(target, &m->world);
}

static void vm__a_tail_call_out_of_range_or_into_nothing_goes_on(void **state)
{
	struct machine *m = *state;
	struct skep_insn insns[] = { MAP(2, 1), MOV(3, 3), HELPER(12), MAP(2, 1), MOV(3, 4),
				     HELPER(12), MOV(0, 8), EXIT };
	struct code *code = PROGRAM(m, insns, 0);

	BOTH(interpreted) {
		struct vm vm = { 0 };

		assert_int_equal(run_vm(m, &vm, code, interpreted), 8);
		assert_int_equal(vm.tail_calls, 0);
	}
	code_free(code, &m->world);
}

/* --- faults --- */

static void vm__a_load_that_may_fault_yields_zero(void **state)
{
	struct machine *m = *state;
	static const uint8_t codes[] = { 0x71, 0x69, 0x61, 0x79, 0x91, 0x89, 0x81 };
	void *gone = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const uint64_t addresses[] = { 8, (uint64_t)(uintptr_t)gone, 0xffff888000000000, 1ull << 60 };

	for (unsigned i = 0; i < ARRAY_SIZE(codes); i++) {
		for (unsigned dst = 0; dst < 10; dst++) {
			struct skep_insn insns[] = {
				op(0x18, 1, 0, 0, (int64_t)(uint32_t)addresses[i % 4]),
				op(0, 0, 0, 0, (int64_t)(addresses[i % 4] >> 32)),
				MOV(dst == 1 ? 2 : dst, -1), op(codes[i], dst, 1, 16, 0),
				MOV_REG(0, dst), ADD(0, 5), EXIT,
			};
			struct code *code = PROGRAM(m, insns, .fault_zero = true);

			BOTH(interpreted)
				assert_int_equal(run(m, code, interpreted), 5);
			code_free(code, &m->world);
		}
	}
	munmap(gone, 4096);
}

static void vm__any_other_fault_is_reported_with_address_and_instruction(void **state)
{
	struct machine *m = *state;
	static const struct { uint8_t code; int32_t imm; } accesses[] = {
		{ 0x79, 0 }, { 0x7b, 0 }, { 0x72, 0 }, { 0xdb, 0 }, { 0xdb, 0x51 }, { 0xc3, 0xf1 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(accesses); i++) {
		struct skep_insn insns[] = {
			MOV(1, 128), MOV(0, 1), op(accesses[i].code, 1, accesses[i].code != 0x72, 8, accesses[i].imm), EXIT,
		};
		struct code *code = PROGRAM(m, insns, 0);

		BOTH(interpreted) {
			struct skep_diag *diag = skep_diag_new();
			struct vm vm = { 0 };

			assert_int_equal(run_vm(m, &vm, code, interpreted), 0);
			assert_true(vm.faulted);
			assert_int_equal(vm.fault_address, 136);
			assert_int_equal(vm.fault_insn, 2);
			assert_int_equal(vm_report_fault(&vm, NULL, diag), -EFAULT);
			assert_int_equal(skep_diag_get(diag, 0)->code, SKEP_ENGINE_FAULT);
			skep_diag_free(diag);
		}
		code_free(code, &m->world);
	}
}

/* --- the rest --- */

static void vm__may_goto_ends_a_loop_without_end(void **state)
{
	struct machine *m = *state;
	struct skep_insn insns[] = {
		MOV(0, 0), op(0xe5, 0, 0, 2, 0), ADD(0, 1), op(0x05, 0, 0, -3, 0), EXIT,
	};
	struct code *code = PROGRAM(m, insns, 0);

	BOTH(interpreted)
		assert_int_equal(run(m, code, interpreted), 8 * 1024 * 1024);
	code_free(code, &m->world);
}

static void vm__legacy_loads_read_the_packet_in_network_order(void **state)
{
	struct machine *m = *state;
	uint8_t bytes[64] = { 0 };
	struct packet packet = { .start = bytes, .data = bytes + 8, .end = bytes + 40 };
	struct skep_insn insns[] = {
		MOV_REG(6, 1), MOV(7, 3), op(0x30, 0, 0, 0, 1), MOV_REG(8, 0),
		op(0x48, 0, 7, 0, 2), op(0x67, 8, 0, 0, 32), ADD_REG(8, 0),
		op(0x20, 0, 0, 0, 28), ADD_REG(0, 8), EXIT,
	};
	struct code *code = PROGRAM(m, insns, .type = BPF_PROG_TYPE_SOCKET_FILTER);

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	BOTH(interpreted) {
		struct vm vm = { .packet = &packet };

		packet.end = bytes + 40;
		assert_int_equal(run_vm(m, &vm, code, interpreted), (9ull << 32) + 0x0d0e + 0x24252627);
		packet.end--;
		assert_int_equal(run_vm(m, &vm, code, interpreted), 0);
	}
	code_free(code, &m->world);
}

/* A fork shares the arena: it runs what its parent loaded, and the other way. */
static void vm__a_fork_runs_the_same_code(void **state)
{
	struct machine *m = *state;
	struct skep_insn insns[] = { MOV(0, 0x1234567), EXIT };
	struct code *code = PROGRAM(m, insns, 0);
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(run(m, code, false) == 0x1234567 && install_find(code)->executable ? 0 : 1);
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(run(m, code, false), 0x1234567);
	assert_int_equal(code_runs(code), 2);
	code_free(code, &m->world);
}

static void install__nothing_is_writable_and_executable(void **state)
{
	struct machine *m = *state;
	struct skep_insn insns[] = { MOV(0, 1), EXIT };
	struct code *code = PROGRAM(m, insns, 0);
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "r");
	bool found = false;
	uint64_t native;

	assert_int_equal(run(m, code, false), 1);
	native = (uint64_t)(uintptr_t)install_find(code)->native;
	while (fgets(line, sizeof(line), maps)) {
		unsigned long long start, end;
		char access[8];

		assert_int_equal(sscanf(line, "%llx-%llx %7s", &start, &end, access), 3);
		assert_false(access[1] == 'w' && access[2] == 'x');
		found |= start <= native && native < end && access[2] == 'x';
	}
	fclose(maps);
	assert_true(found);
	code_free(code, &m->world);
}

/* From here on no memory of this process becomes executable. */
static void refuse_execution(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(77);
}

static void install__where_code_may_not_be_mapped_it_is_interpreted(void **state)
{
	struct machine *m = *state;
	struct skep_insn insns[] = {
		/* hash[5] = 9: a call through the vector, which is there all the same */
		op(0x62, 10, 0, -4, 5), op(0x7a, 10, 0, -16, 9), MAP(1, 2), MOV_REG(2, 10), ADD(2, -4),
		MOV_REG(3, 10), ADD(3, -16), MOV(4, 0), HELPER(2), ADD(0, 1234), EXIT,
	};
	struct code *code = PROGRAM(m, insns, 0);
	int status;
	pid_t child = fork();

	if (child == 0) {
		refuse_execution();
		_exit(run(m, code, false) == 1234 && !install_find(code)->executable ? 0 : 1);
	}
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
	code_free(code, &m->world);
}

/* Another code at the same address is not mistaken for the one before it. */
static void install__a_copy_is_known_by_its_content(void **state)
{
	struct machine *m = *state;

	for (int i = 0; i < 200; i++) {
		struct skep_insn insns[] = { MOV(0, i), EXIT };
		struct code *code = PROGRAM(m, insns, 0);

		assert_int_equal(run(m, code, false), i);
		if (i % 2) {
			/* as if another process had freed it */
			memory_release(m->world.memory, code, code->size);
		} else {
			code_free(code, &m->world);
		}
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* --- copies that are no longer asked for --- */

/* Bytes of code outside all files. */
static size_t installed_bytes(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	unsigned long from, to, inode;
	size_t sum = 0;
	char line[512], rights[8];

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%lx-%lx %7s %*s %*s %lu", &from, &to, rights, &inode) == 4 &&
		    rights[2] == 'x' && inode == 0 && !strchr(line, '['))
			sum += to - from;
	fclose(file);
	return sum;
}

enum { LIVED = 10000, AT_MOST = 4096 * 160 };

/* Runs programs that come and go, of which the first stays. */
static void many_run(struct machine *m, const struct code *stays, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct skep_insn insns[] = { MOV(0, 0), ADD(0, (int)i), EXIT };
		struct code *code = PROGRAM(m, insns, 0);

		assert_int_equal(run(m, code, false), i);
		assert_int_equal(run(m, stays, false), 77);
		if (i % 2)
			continue;
		/* Its place is another's then; nobody tells those who ran it. */
		memory_release(m->world.memory, code->runs,
			       code->run_count * CODE_RUN_STRIDE * sizeof(uint64_t));
		memory_release(m->world.memory, code, code->size);
	}
}

/* In a process of its own: it is for good. */
static int in_target(struct machine *m, void (*what)(struct machine *m, const struct code *stays))
{
	struct skep_insn insns[] = { MOV(0, 77), EXIT };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		install_trims(m->world.memory);
		what(m, PROGRAM(m, insns, 0));
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void lives_long(struct machine *m, const struct code *stays)
{
	size_t before = installed_bytes();

	many_run(m, stays, LIVED);
	if (installed_bytes() > before + AT_MOST)
		_exit(1);
}

static void install__copies_of_programs_that_went_are_given_up(void **state)
{
	assert_int_equal(in_target(*state, lives_long), 0);
}

struct holder {
	struct machine *m;
	int begun[2], end[2];
};

static void *hold(void *arg)
{
	struct holder *holder = arg;
	struct vcpu *cpu = vcpu_take(holder->m->world.vcpus);
	char byte = 0;

	if (!cpu || write(holder->begun[1], &byte, 1) != 1 || read(holder->end[0], &byte, 1) != 1)
		_exit(4);
	vcpu_give(cpu);
	return NULL;
}

static void waits_for_who_may_run_it(struct machine *m, const struct code *stays)
{
	struct holder holder = { .m = m };
	size_t before = installed_bytes();
	pthread_t thread;
	char byte = 0;

	if (pipe(holder.begun) < 0 || pipe(holder.end) < 0 ||
	    pthread_create(&thread, NULL, hold, &holder) != 0 ||
	    read(holder.begun[0], &byte, 1) != 1)
		_exit(1);
	many_run(m, stays, 1000);
	if (installed_bytes() < before + (size_t)1000 * 4096)
		_exit(2);
	if (write(holder.end[1], &byte, 1) != 1 || pthread_join(thread, NULL) != 0)
		_exit(3);
	many_run(m, stays, 64);
	if (installed_bytes() > before + AT_MOST)
		_exit(5);
}

static void install__copies_that_somebody_may_be_running_stay(void **state)
{
	assert_int_equal(in_target(*state, waits_for_who_may_run_it), 0);
}

/* Of a parent that is in the midst of it: the child gives them up all the same. */
static void *run_always(void *arg)
{
	struct machine *m = arg;
	struct skep_insn insns[] = { MOV(0, 77), EXIT };

	many_run(m, PROGRAM(m, insns, 0), 1000000);
	return NULL;
}

static void forks_at_any_time(struct machine *m, const struct code *stays)
{
	pthread_t thread;
	int status = 0;

	if (pthread_create(&thread, NULL, run_always, m) != 0)
		_exit(1);
	for (int i = 0; i < 50 && status == 0; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			size_t before = installed_bytes();

			/* The parent's thread may be stopped inside a program for some time. */
			do
				many_run(m, stays, 300);
			while (installed_bytes() > before + AT_MOST);
			_exit(0);
		}
		if (waitpid(pid, &status, 0) != pid)
			_exit(2);
	}
	_exit(status != 0);
}

static void install__a_child_goes_on_giving_up_where_its_parent_was(void **state)
{
	assert_int_equal(in_target(*state, forks_at_any_time), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(vm__lookup_through_the_helper_and_inline_agree),
		TEST(vm__a_helper_gets_its_five_arguments),
		TEST(code__a_helper_that_is_not_executed_is_refused_by_name),
		TEST(vm__subprograms_keep_their_callers_registers_and_stack),
		TEST(vm__callbacks_run_in_frames_below_their_caller),
		TEST(vm__a_fault_in_a_callback_ends_the_whole_program),
		TEST(vm__tail_calls_stop_at_33),
		TEST(vm__a_tail_call_in_a_subprogram_returns_to_its_caller),
		TEST(vm__a_fault_names_the_program_it_happened_in),
		TEST(vm__a_tail_call_out_of_range_or_into_nothing_goes_on),
		TEST(vm__a_load_that_may_fault_yields_zero),
		TEST(vm__any_other_fault_is_reported_with_address_and_instruction),
		TEST(vm__may_goto_ends_a_loop_without_end),
		TEST(vm__legacy_loads_read_the_packet_in_network_order),
		TEST(vm__a_fork_runs_the_same_code),
		TEST(install__nothing_is_writable_and_executable),
		TEST(install__where_code_may_not_be_mapped_it_is_interpreted),
		TEST(install__a_copy_is_known_by_its_content),
		TEST(install__copies_of_programs_that_went_are_given_up),
		TEST(install__copies_that_somebody_may_be_running_stay),
		TEST(install__a_child_goes_on_giving_up_where_its_parent_was),
	};

	assert_int_equal(engine_init(), 0);
	sigaction(SIGSEGV, NULL, &our_segv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
