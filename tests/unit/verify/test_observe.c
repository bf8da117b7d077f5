/* SPDX-License-Identifier: BSD-2-Clause */
/* What an observer is shown of a verification. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <skep/observe.h>

#include "base/base.h"
#include "verify/verify.h"

struct seen {
	struct skep_visit visit[64];
	char reg[64][11][96], slot[64][96];
	unsigned frames[64], holds[64];
	struct skep_hold hold[64];
	size_t count, stop_at;
};

static int watch(void *arg, const struct skep_visit *visit, const struct skep_state *state)
{
	struct seen *seen = arg;
	size_t n = seen->count++;
	struct skep_frame frame;

	assert_true(n < ARRAY_SIZE(seen->visit));
	seen->visit[n] = *visit;
	seen->frames[n] = skep_state_frames(state);
	for (unsigned r = 0; r <= 10; r++)
		skep_state_reg_text(state, seen->frames[n] - 1, r, seen->reg[n][r], 96);
	skep_state_frame(state, seen->frames[n] - 1, &frame);
	if (frame.slots)
		skep_state_slot_text(state, seen->frames[n] - 1, 0, seen->slot[n], 96);
	seen->holds[n] = skep_state_holds(state);
	if (seen->holds[n])
		skep_state_hold(state, 0, &seen->hold[n]);
	return seen->count == seen->stop_at;
}

static int verify_text(const char *text, struct seen *seen, struct skep_verify_result *result,
		       unsigned flags, struct skep_diag *diag)
{
	static const struct map_spec ring = { .name = "ring", .type = BPF_MAP_TYPE_RINGBUF,
					      .max_entries = 4096 };
	static const struct map_spec *const maps[] = { &ring };
	struct skep_observer observer = { .arg = seen, .visit = watch };
	struct skep_verify_opts opts = { .observer = &observer, .flags = flags };
	struct skep_insn *insns = NULL;
	size_t count = 0;
	int error;

	assert_int_equal(skep_assemble(text, strlen(text), "text", &insns, &count, diag), 0);
	struct prog_spec spec = {
		.name = "watched", .section = "", .object = "", .insns = insns,
		.type = prog_type_by_name("sched_cls"), .len = (uint32_t)count, .license = "GPL",
		.maps = (const struct map_spec **)maps, .map_count = 1,
	};
	error = verify(&spec, &opts, result, NULL, diag);
	free(insns);
	return error;
}

static void visits__are_numbered_and_form_the_tree_of_paths(void **state)
{
	struct seen *seen = calloc(1, sizeof(*seen));
	struct skep_verify_result result = { 0 };

	(void)state;
	assert_int_equal(verify_text("r0 = 7\n"                /* 0 */
				     "r2 = *(u32 *)(r1 +0)\n"  /* 1 */
				     "if r2 == 0 goto +1\n"    /* 2 */
				     "r0 = 1\n"                /* 3 */
				     "exit\n",                 /* 4 */
				     seen, &result, 0, NULL), 0);
	assert_int_equal(result.error, 0);
	assert_int_equal(seen->count, result.processed);
	for (size_t i = 0; i < seen->count; i++)
		assert_int_equal(seen->visit[i].number, i + 1);
	/* 0 1 2, then one side of the branch, then the other from the branch again. */
	assert_int_equal(seen->visit[0].from, 0);
	assert_int_equal(seen->visit[2].from, 2);
	assert_int_equal(seen->count, 6);
	assert_int_equal(seen->visit[3].from, 3);
	assert_int_equal(seen->visit[3].insn, 3);
	assert_int_equal(seen->visit[5].from, 3);
	assert_int_equal(seen->visit[5].insn, 4);
	assert_string_equal(seen->reg[1][0], "7");
	assert_string_equal(seen->reg[1][1], "ctx()");
	assert_string_equal(seen->reg[2][2],
			    "scalar(smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff))");
	assert_string_equal(seen->reg[0][3], "");
	/* r1 and r2 are not read any more behind the branch, and so forgotten; r0 is. */
	assert_string_equal(seen->reg[5][2], "");
	assert_int_equal(seen->visit[5].live & 7, 1);
	free(seen);
}

static void visit__that_ends_a_path_names_the_one_that_covers_it(void **state)
{
	struct seen *seen = calloc(1, sizeof(*seen));
	struct skep_verify_result result = { 0 };
	const struct skep_visit *last, *kept;

	(void)state;
	/* Both sides leave the same behind; test_state_freq keeps every state. */
	assert_int_equal(verify_text("r2 = *(u32 *)(r1 +0)\n"
				     "r0 = 1\n"
				     "if r2 == 0 goto +1\n"
				     "r2 = 0\n"
				     "r0 = 0\n"                /* 4 */
				     "exit\n",
				     seen, &result, SKEP_VERIFY_STATE_FREQ, NULL), 0);
	assert_int_equal(result.error, 0);
	assert_int_equal(seen->count, result.processed);
	last = &seen->visit[seen->count - 1];
	assert_int_equal(last->insn, 4);
	assert_int_not_equal(last->covered_by, 0);
	kept = &seen->visit[last->covered_by - 1];
	assert_true(kept->kept);
	assert_int_equal(kept->insn, last->insn);
	assert_int_equal(kept->covered_by, 0);
	free(seen);
}

static void state__shows_functions_stack_and_what_is_held(void **state)
{
	struct seen *seen = calloc(1, sizeof(*seen));
	struct skep_verify_result result = { 0 };

	(void)state;
	assert_int_equal(verify_text("r1 = map[idx:0]\nr2 = 8\nr3 = 0\ncall 131\n" /* 0 to 4 */
				     "if r0 == 0 goto +6\n"        /* 5 */
				     "*(u64 *)(r10 -8) = r0\n"     /* 6 */
				     "call pc+6\n"                 /* 7 */
				     "r1 = *(u64 *)(r10 -8)\n"     /* 8 */
				     "r2 = 0\n"
				     "call 132\n"                  /* 10 */
				     "r0 = 0\n"
				     "r0 = 0\nexit\n"              /* 12 */
				     "r0 = 3\nexit\n",             /* 14 */
				     seen, &result, 0, NULL), 0);
	assert_int_equal(result.error, 0);
	for (size_t i = 0; i < seen->count; i++) {
		size_t insn = seen->visit[i].insn;

		assert_int_equal(seen->frames[i], insn >= 14 ? 2 : 1);
		if (insn == 6) {
			assert_int_equal(seen->holds[i], 1);
			assert_string_equal(seen->hold[i].what, "reference");
			assert_int_equal(seen->hold[i].insn, 4);
		} else if (insn == 8) {
			assert_non_null(strstr(seen->slot[i], "ringbuf_mem(id="));
		} else if (insn == 12) {
			assert_int_equal(seen->holds[i], 0);
		}
	}
	assert_int_equal(seen->visit[seen->count - 1].insn, 13);
	assert_true(result.stack_depth >= 8);
	assert_true(result.memory > 0);
	free(seen);
}

static void observer__may_stop_the_verification(void **state)
{
	struct seen *seen = calloc(1, sizeof(*seen));
	struct skep_verify_result result = { 0 };
	struct skep_diag *diag = skep_diag_new();

	(void)state;
	seen->stop_at = 2;
	assert_int_equal(verify_text("r0 = 0\nr0 = 1\nr0 = 2\nexit\n", seen, &result, 0, diag),
			 -ECANCELED);
	assert_int_equal(seen->count, 2);
	assert_int_equal(skep_diag_count(diag), 1);
	assert_int_equal(skep_diag_get(diag, 0)->code, SKEP_VERIFY_STOPPED);
	skep_diag_free(diag);
	free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(visits__are_numbered_and_form_the_tree_of_paths),
		cmocka_unit_test(visit__that_ends_a_path_names_the_one_that_covers_it),
		cmocka_unit_test(state__shows_functions_stack_and_what_is_held),
		cmocka_unit_test(observer__may_stop_the_verification),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
