/* SPDX-License-Identifier: BSD-2-Clause */
/* How much of a log is kept, and how much there would have been. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "verify/verify.h"

/* 100 rounds, each with its lines at level 2. */
static const char program[] = "r0 = 0\nl:\nr0 += 1\nif r0 < 100 goto l\nr0 = r9\nexit\n";

static struct skep_verify_result judge(unsigned level, size_t size)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_verify_opts opts = { .log_level = level, .log_size = size };
	struct skep_verify_result result = { 0 };
	struct skep_insn *insns = NULL;
	size_t count = 0;

	assert_int_equal(skep_assemble(program, strlen(program), "text", &insns, &count, diag), 0);
	struct prog_spec spec = {
		.name = "rounds", .section = "", .object = "", .insns = insns,
		.type = prog_type_by_name("socket_filter"), .len = (uint32_t)count,
		.license = "GPL",
	};
	assert_int_equal(verify(&spec, &opts, &result, NULL, diag), 0);
	assert_int_equal(result.error, -EACCES);
	free(insns);
	skep_diag_free(diag);
	return result;
}

static void log__of_no_level_is_none(void **state)
{
	struct skep_verify_result result = judge(0, 0);

	(void)state;
	assert_null(result.log);
	assert_int_equal(result.log_true_size, 0);
}

static void log__that_fits_is_whole(void **state)
{
	struct skep_verify_result result = judge(2, 0);

	(void)state;
	assert_int_equal(result.log_true_size, strlen(result.log) + 1);
	assert_int_equal(result.log_lost, 0);
	assert_non_null(strstr(result.log, "\nR9 !read_ok\n"));
	skep_verify_result_done(&result);
}

static void log__too_long_keeps_its_end(void **state)
{
	struct skep_verify_result whole = judge(2, 0);

	(void)state;
	for (size_t size = 1; size < whole.log_true_size + 3; size += 389) {
		struct skep_verify_result part = judge(2, size);
		size_t len = MIN(size, whole.log_true_size) - 1;

		assert_int_equal(strlen(part.log), len);
		assert_string_equal(part.log, whole.log + strlen(whole.log) - len);
		assert_int_equal(part.log_true_size, whole.log_true_size);
		assert_int_equal(part.log_lost, strlen(whole.log) - len);
		skep_verify_result_done(&part);
	}
	skep_verify_result_done(&whole);
}

static void log__fixed_keeps_its_beginning(void **state)
{
	struct skep_verify_result whole = judge(2, 0);

	(void)state;
	for (size_t size = 1; size < whole.log_true_size + 3; size += 389) {
		struct skep_verify_result part = judge(2 | SKEP_LOG_FIXED, size);
		size_t len = MIN(size, whole.log_true_size) - 1;

		assert_int_equal(strlen(part.log), len);
		assert_memory_equal(part.log, whole.log, len);
		assert_int_equal(part.log_true_size, whole.log_true_size);
		skep_verify_result_done(&part);
	}
	skep_verify_result_done(&whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log__of_no_level_is_none),
		cmocka_unit_test(log__that_fits_is_whole),
		cmocka_unit_test(log__too_long_keeps_its_end),
		cmocka_unit_test(log__fixed_keeps_its_beginning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
