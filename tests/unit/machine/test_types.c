/* SPDX-License-Identifier: BSD-2-Clause */
/* test_types.c - the machine's own kernel types, and reading the current task by them. */
#include "../object/fixture.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <skep/machine.h>

#include "helper/task.h"
#include "machine/machine.h"
#include "object/types.h"
#include "bench.h"
#include "faults.h"

struct seen {
	int pid, tgid, parent, grandparent, leader;
	uint32_t uid, euid;
	char comm[16], parent_comm[16];
};

static const enum skep_engine engines[] = { SKEP_ENGINE_INTERPRETER, SKEP_ENGINE_JIT };

static struct bench bench_new(enum skep_engine engine)
{
	struct skep_machine_opts opts = { .engine = engine, .cpus = 4 };
	struct bench b = { .object = fixture_open(FIXTURE("tasks")), .diag = skep_diag_new() };

	b.machine = skep_machine_new(&opts, b.diag);
	assert_non_null(b.machine);
	keep_fault_handler();
	return b;
}

static void bench_load(struct bench *b, const struct skep_btf *kernel)
{
	struct skep_verify_opts opts = { .kernel_btf = kernel };

	if (skep_machine_load(b->machine, b->object, &opts, b->diag) < 0)
		fail_msg("%s", skep_diag_text(b->diag, 0));
}

static int32_t run(struct bench *b, const char *name)
{
	struct skep_prog *prog = skep_machine_prog(b->machine, prog_named(b->object, name));
	uint64_t ctx[1] = { 0 }, retval;

	assert_non_null(prog);
	if (skep_prog_run(prog, ctx, sizeof(ctx), &retval, b->diag) < 0)
		fail_msg("%s", skep_diag_text(b->diag, 0));
	return (int32_t)retval;
}

static void read_bss(struct bench *b, struct seen *seen, uint64_t *address)
{
	variable(b, "seen", seen, sizeof(*seen), false);
	variable(b, "address", address, sizeof(*address), false);
}

static void assert_seen(struct bench *b, int parent, const char *comm, const char *parent_comm)
{
	struct seen seen = { 0 };
	uint64_t address;

	read_bss(b, &seen, &address);
	assert_int_equal(seen.pid, gettid());
	assert_int_equal(seen.tgid, getpid());
	assert_int_equal(seen.leader, getpid());
	assert_int_equal(seen.parent, parent);
	assert_int_equal(seen.uid, getuid());
	assert_int_equal(seen.euid, geteuid());
	assert_string_equal(seen.comm, comm);
	if (parent_comm)
		assert_string_equal(seen.parent_comm, parent_comm);
}

/* --- the types --- */

static uint32_t offset_of(const struct skep_btf *btf, const char *record, const char *field)
{
	const struct btf_type *t = btf_type(btf, skep_btf_find(btf, record, BTF_STRUCT));
	const struct btf_member *m = btf_data(t);

	for (uint32_t i = 0; i < btf_vlen(t); i++)
		if (strcmp(btf_str(btf, m[i].name_off), field) == 0)
			return btf_member_bit_off(t, i) / 8;
	return UINT32_MAX;
}

static void types__are_laid_out_as_the_records(void **state)
{
	struct skep_btf *own = skep_btf_open_machine(NULL);
	struct skep_text text = { 0 };

	(void)state;
	assert_non_null(own);
	assert_int_equal(offset_of(own, "task_struct", "tgid"), offsetof(struct own_task, tgid));
	assert_int_equal(offset_of(own, "task_struct", "comm"), offsetof(struct own_task, comm));
	assert_int_equal(offset_of(own, "cred", "egid"), offsetof(struct own_cred, egid));
	assert_int_equal(offset_of(own, "task_struct", "seccomp"), UINT32_MAX);
	assert_int_equal(skep_btf_size(own, skep_btf_find(own, "task_struct", BTF_STRUCT)),
			 sizeof(struct own_task));
	assert_int_equal(skep_btf_print_c(own, &text, NULL), 0);
	assert_non_null(strstr(text.data, "char comm[16];"));
	assert_non_null(strstr(text.data, "const struct cred *cred;"));
	free(text.data);
	skep_btf_unref(own);
}

/* Who looks for a field by its offset stops at the first that is behind it. */
static void types__have_their_fields_in_order(void **state)
{
	struct skep_btf *own = skep_btf_open_machine(NULL);

	(void)state;
	for (uint32_t id = 1; id <= skep_btf_count(own); id++) {
		const struct btf_type *t = btf_type(own, id);
		const struct btf_member *m = btf_data(t);

		if (btf_kind(t) != BTF_STRUCT)
			continue;
		for (uint32_t i = 1; i < btf_vlen(t); i++)
			if (btf_member_bit_off(t, i) <= btf_member_bit_off(t, i - 1))
				fail_msg("%s of %s", btf_str(own, m[i].name_off), btf_name(own, t));
	}
	skep_btf_unref(own);
}

/* What else the kernel has stays, and means the new structures. */
static void types__take_the_place_of_a_kernels(void **state)
{
	struct skep_btf *kernel = fixture_btf(FIXTURE("tasks"));
	struct skep_btf *types = machine_types(kernel, NULL);
	uint32_t task = skep_btf_find(kernel, "task_struct", BTF_STRUCT);

	(void)state;
	assert_non_null(types);
	assert_true(skep_btf_count(types) > skep_btf_count(kernel));
	assert_int_equal(skep_btf_find(types, "task_struct", BTF_STRUCT), task);
	assert_int_equal(offset_of(types, "task_struct", "not_here"), UINT32_MAX);
	assert_int_equal(offset_of(types, "task_struct", "comm"), offsetof(struct own_task, comm));
	assert_int_equal(skep_btf_find(types, "seen", BTF_STRUCT),
			 skep_btf_find(kernel, "seen", BTF_STRUCT));
	assert_int_equal(offset_of(types, "seen", "uid"), offsetof(struct seen, uid));
	skep_btf_unref(types);
	skep_btf_unref(kernel);
}

/* --- reading --- */

static void task__is_the_current_one(void **state)
{
	static const char *const programs[] = { "direct", "probed" };
	struct skep_btf *own = skep_btf_open_machine(NULL);

	(void)state;
	prctl(PR_SET_NAME, "own task");
	for (size_t i = 0; i < ARRAY_SIZE(engines) * ARRAY_SIZE(programs); i++) {
		struct bench b = bench_new(engines[i % 2]);

		bench_load(&b, own);
		run(&b, programs[i / 2]);
		assert_seen(&b, getppid(), "own task", NULL);
		bench_free(&b);
	}
	skep_btf_unref(own);
}

static void *in_thread(void *arg)
{
	struct bench *b = arg;

	prctl(PR_SET_NAME, "own thread");
	run(b, "direct");
	assert_seen(b, getppid(), "own thread", NULL);
	return NULL;
}

static void task__is_of_the_thread(void **state)
{
	struct bench b = bench_new(SKEP_ENGINE_AUTO);
	pthread_t thread;

	(void)state;
	bench_load(&b, NULL);
	assert_int_equal(pthread_create(&thread, NULL, in_thread, &b), 0);
	pthread_join(thread, NULL);
	bench_free(&b);
}

static void task__has_its_parents(void **state)
{
	struct bench b = bench_new(SKEP_ENGINE_AUTO);
	int status, above = getppid();
	pid_t child;

	(void)state;
	prctl(PR_SET_NAME, "own\\parent");
	bench_load(&b, NULL);
	run(&b, "direct");
	child = fork();
	if (child == 0) {
		struct seen seen = { 0 };
		uint64_t address;

		prctl(PR_SET_NAME, "own child");
		run(&b, "probed");
		assert_seen(&b, getppid(), "own child", "own\\parent");
		read_bss(&b, &seen, &address);
		_exit(seen.grandparent == above ? 7 : 8);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 7);
	bench_free(&b);
}

static void task__keeps_its_address(void **state)
{
	struct bench b = bench_new(SKEP_ENGINE_AUTO);
	struct seen seen;
	uint64_t first = 0, then = 1;

	(void)state;
	bench_load(&b, NULL);
	run(&b, "probed");
	read_bss(&b, &seen, &first);
	run(&b, "probed");
	read_bss(&b, &seen, &then);
	assert_true(first && first == then);
	bench_free(&b);
}

/* --- what is not there --- */

static void field__that_is_not_there_can_be_asked_for(void **state)
{
	struct bench b = bench_new(SKEP_ENGINE_AUTO);

	(void)state;
	bench_load(&b, NULL);
	assert_int_equal(run(&b, "guarded"), 42);
	bench_free(&b);
}

/* Not even where the kernel has it. */
static void field__that_is_not_there_is_named(void **state)
{
	struct bench b = bench_new(SKEP_ENGINE_AUTO);
	struct skep_btf *kernel = fixture_btf(FIXTURE("tasks"));
	struct skep_verify_opts opts = { .kernel_btf = kernel };

	(void)state;
	skep_object_prog_set_autoload(prog_named(b.object, "lacking"), true);
	assert_true(skep_machine_load(b.machine, b.object, &opts, b.diag) < 0);
	assert_non_null(strstr(skep_diag_text(b.diag, 0), "task_struct"));
	assert_non_null(strstr(skep_diag_text(b.diag, 0), "not_here"));
	bench_free(&b);
	skep_btf_unref(kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types__are_laid_out_as_the_records),
		cmocka_unit_test(types__have_their_fields_in_order),
		cmocka_unit_test(types__take_the_place_of_a_kernels),
		cmocka_unit_test(task__is_the_current_one),
		cmocka_unit_test(task__is_of_the_thread),
		cmocka_unit_test(task__has_its_parents),
		cmocka_unit_test(task__keeps_its_address),
		cmocka_unit_test(field__that_is_not_there_can_be_asked_for),
		cmocka_unit_test(field__that_is_not_there_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
