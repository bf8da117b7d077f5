/* SPDX-License-Identifier: BSD-2-Clause */
/* What the log of a rejected program ends with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "verify/explain.h"
#include "verify/verify.h"

static const struct map_spec hash = {
	.name = "hash", .type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 4,
};

/* Line 10 looks up, line 12 uses what it found. */
static const char lookup[] = "*(u32 *)(r10 -4) = 0\nr1 = map[idx:0]\nr2 = r10\nr2 += -4\n"
			     "call 1\nr0 = *(u64 *)(r0 +0)\nexit\n";

static struct skep_verify_result judge(const char *text, unsigned level, bool explain)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_verify_opts opts = { .log_level = level, .explain = explain };
	const struct map_spec *maps[] = { &hash };
	struct skep_verify_result result = { 0 };
	struct skep_insn *insns = NULL;
	size_t count = 0;

	assert_int_equal(skep_assemble(text, strlen(text), "text", &insns, &count, diag), 0);
	struct prog_spec spec = {
		.name = "prog", .section = "", .object = "", .insns = insns, .maps = maps,
		.map_count = 1, .type = prog_type_by_name("socket_filter"),
		.len = (uint32_t)count, .license = "GPL",
	};
	assert_int_equal(verify(&spec, &opts, &result, NULL, diag), 0);
	free(insns);
	skep_diag_free(diag);
	return result;
}

static void assert_in_order(const char *log, const char *const *parts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		log = strstr(log, parts[i]);
		if (!log)
			fail_msg("'%s' is not there, or not in its place", parts[i]);
		log += strlen(parts[i]);
	}
}

static void report__tells_what_where_why_and_the_fix(void **state)
{
	static const char *const parts[] = {
		"R0 invalid mem access 'map_value_or_null'\n",
		"\nVerification failed: Register Type Safety: Invalid dereference\n\nReason:\n  ",
		"\n\nAt:\n  insn 6\n        | ^-- error: R0 invalid mem access",
		"\n  Instruction context:\n      4 | (07) r2 += -4\n",
		"  >>> 6 | (79) r0 = *(u64 *)(r0 +0)\n      7 | (95) exit\n",
		"\nCausal path:\n  insn 5\n        | ^-- update: ",
		"  >>> 5 | (85) call bpf_map_lookup_elem#1\n",
		"\nSuggestion:\n  ", "\n\nprocessed 6 insns ",
	};

	(void)state;
	for (unsigned level = 1; level <= 3; level++) {
		struct skep_verify_result result = judge(lookup, level, level & 1);

		assert_in_order(result.log, parts, ARRAY_SIZE(parts));
		assert_null(strchr(strstr(result.log, "processed "), '\n')[1] ? "more" : NULL);
		skep_verify_result_done(&result);
	}
}

static void report__comes_before_the_statistics(void **state)
{
	struct skep_verify_result result = judge(lookup, 1 | 4, false);
	static const char *const parts[] = { "\nSuggestion:", "\nverification time ",
					     "\nprocessed " };

	(void)state;
	assert_in_order(result.log, parts, ARRAY_SIZE(parts));
	skep_verify_result_done(&result);
}

static void report__is_not_written_where_only_statistics_are_wanted(void **state)
{
	struct skep_verify_result result = judge(lookup, 4, true);

	(void)state;
	assert_null(strstr(result.log, "Verification failed"));
	assert_non_null(strstr(result.log, "R0 invalid mem access 'map_value_or_null'\n"));
	skep_verify_result_done(&result);
}

static void report__is_for_rejected_programs(void **state)
{
	struct skep_verify_result result = judge("r0 = 0\nexit\n", 2, true);

	(void)state;
	assert_int_equal(result.error, 0);
	assert_null(strstr(result.log, "Verification failed"));
	skep_verify_result_done(&result);
}

/* Before any instruction was looked at, too. */
static void report__of_a_malformed_program(void **state)
{
	struct skep_verify_result result = judge("r0 = 0\nr1 = 9\n", 1, false);
	static const char *const parts[] = {
		"last insn is not an exit or jmp\n",
		"\nVerification failed: Program Structure: Invalid control flow\n", "\nAt:\n",
		"\nSuggestion:\n", "\nprocessed 0 insns ",
	};

	(void)state;
	assert_in_order(result.log, parts, ARRAY_SIZE(parts));
	skep_verify_result_done(&result);
}

static void report__titles_name_every_kind(void **state)
{
	static const struct { enum skep_code code; const char *message, *title; } kinds[] = {
		{ SKEP_VERIFY_UNSET, "R2 !read_ok", "Register Type Safety: Unreadable register" },
		{ SKEP_VERIFY_BOUNDS, "R1 unbounded memory access",
		  "Memory Safety: Access outside bounds" },
		{ SKEP_VERIFY_REF, "tail_call would lead to reference leak",
		  "Resource Lifetime Safety: Unreleased resource" },
		{ SKEP_VERIFY_CALL, "program of this type cannot use helper bpf_bind#64",
		  "Policy: Operation is not allowed" },
		{ SKEP_VERIFY_GPL, "GPL-only", "Policy: Operation is not allowed" },
		{ SKEP_VERIFY_REGION, "function calls are not allowed while holding a lock",
		  "Execution Context Safety: Operation is not allowed in this context" },
		{ SKEP_VERIFY_ARG, "R1 type=scalar expected=ctx",
		  "Call Type Safety: Invalid call argument" },
		{ SKEP_VERIFY_ARITH, "R1 32-bit pointer arithmetic prohibited",
		  "Register Type Safety: 32-bit pointer arithmetic" },
	};
	struct prog_spec spec = { .name = "prog" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct skep_diag_item item = {
			.code = kinds[i].code, .message = kinds[i].message, .where.insn = -1,
		};
		struct skep_text log = { 0 };
		char title[128];

		trace_report(&log, &spec, NULL, &item);
		snprintf(title, sizeof(title), "\nVerification failed: %s\n", kinds[i].title);
		assert_memory_equal(log.data, title, strlen(title));
		text_done(&log);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(report__tells_what_where_why_and_the_fix),
		cmocka_unit_test(report__comes_before_the_statistics),
		cmocka_unit_test(report__is_not_written_where_only_statistics_are_wanted),
		cmocka_unit_test(report__is_for_rejected_programs),
		cmocka_unit_test(report__of_a_malformed_program),
		cmocka_unit_test(report__titles_name_every_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
