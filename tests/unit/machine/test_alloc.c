/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_alloc.c - every allocation fails once: opening, checking and loading an
 * object must then fail cleanly, say so, and leave nothing behind.
 */
#include "../object/fixture.h"

#include <skep/machine.h>

#include "../failing_heap.h"

/* What is tried with an image; a negative errno, or 0. */
typedef int attempt_fn(const struct view *image, const struct skep_btf *kernel,
		       struct skep_diag *diag);

static int open_and_link(const struct view *image, const struct skep_btf *kernel,
			 struct skep_diag *diag)
{
	struct skep_object *object = skep_object_open(image->data, image->size, "a.o", diag);
	int error = object ? 0 : -ENOMEM;

	if (object)
		skep_object_set_kernel_btf(object, kernel);
	for (size_t i = 0; !error && i < skep_object_prog_count(object); i++) {
		const struct skep_insn *insns;
		size_t count;

		error = skep_object_prog_insns(skep_object_prog_at(object, i), &insns, &count, diag);
	}
	skep_object_free(object);
	return error;
}

static int open_and_check(const struct view *image, const struct skep_btf *kernel,
			  struct skep_diag *diag)
{
	struct skep_object *object = skep_object_open(image->data, image->size, "a.o", diag);
	struct skep_verify_opts opts = { .log_level = 2 };
	int error = object ? 0 : -ENOMEM;

	if (object)
		skep_object_set_kernel_btf(object, kernel);
	for (size_t i = 0; !error && i < skep_object_prog_count(object); i++) {
		struct skep_verify_result result = { 0 };

		error = skep_object_check(skep_object_prog_at(object, i), &opts, &result, diag);
		if (!error)
			error = result.error;
		skep_verify_result_done(&result);
	}
	skep_object_free(object);
	return error;
}

static int open_and_load(const struct view *image, const struct skep_btf *kernel,
			 struct skep_diag *diag)
{
	struct skep_machine_opts opts = { .cpus = 2, .memory = 64 << 20 };
	struct skep_machine *machine = skep_machine_new(&opts, diag);
	struct skep_object *object = NULL;
	int error = -ENOMEM;

	if (machine)
		object = skep_object_open(image->data, image->size, "a.o", diag);
	if (object) {
		skep_object_set_kernel_btf(object, kernel);
		error = skep_machine_load(machine, object, NULL, diag);
	}
	skep_machine_free(machine);
	skep_object_free(object);
	return error;
}

/* A diagnostic may itself have found no memory: then its text says that. */
static void assert_says_memory(const struct skep_diag *diag)
{
	char *text = skep_diag_text(diag, 0);

	assert_non_null(text);
	if (!strstr(text, "memory") && !strstr(text, "Cannot allocate"))
		fail_msg("an allocation failed, and the message is: %s", text);
	free(text);
}

static void fail_each(attempt_fn *attempt, const char *path)
{
	struct skep_btf *kernel = fixture_btf(FIXTURE("kernel"));
	struct skep_diag *diag = skep_diag_new();
	struct view image = { 0 };
	void *bytes;
	long n = 0;

	if (read_file(path, &bytes, &image.size, 1 << 20) < 0)
		skip();
	image.data = bytes;
	heap.fail_at = 0;
	if (attempt(&image, kernel, diag) < 0)
		fail_msg("%s", skep_diag_text(diag, 0));
	do {
		long live;
		int error;

		skep_diag_clear(diag);
		live = heap.live;
		heap.count = 0;
		heap.failed = false;
		heap.fail_at = ++n;
		error = attempt(&image, kernel, diag);
		heap.fail_at = 0;
		/* Where memory only made things better (a JIT, a cache), going on is right. */
		if (error < 0 && !heap.failed)
			fail_msg("allocation %ld did not fail, and the result is %d", n, error);
		if (error < 0)
			assert_says_memory(diag);
		skep_diag_clear(diag);
		if (heap.live != live)
			fail_msg("allocation %ld failing leaves %ld behind", n, heap.live - live);
	} while (heap.failed);
	print_message("%ld allocations failed one by one\n", n - 1);
	free(bytes);
	skep_diag_free(diag);
	skep_btf_unref(kernel);
}

static void alloc__opening_survives(void **state)
{
	(void)state;
	fail_each(open_and_link, FIXTURE("maps"));
	fail_each(open_and_link, FIXTURE("subprogs"));
	fail_each(open_and_link, FIXTURE("core"));
	fail_each(open_and_link, FIXTURE("globals"));
}

static void alloc__checking_survives(void **state)
{
	(void)state;
	fail_each(open_and_check, FIXTURE("globals"));
	fail_each(open_and_check, FIXTURE("maps"));
}

static void alloc__loading_survives(void **state)
{
	(void)state;
	fail_each(open_and_load, FIXTURE("machine"));
	fail_each(open_and_load, FIXTURE("globals"));
	fail_each(open_and_load, FIXTURE("maps"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alloc__opening_survives),
		cmocka_unit_test(alloc__checking_survives),
		cmocka_unit_test(alloc__loading_survives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
