/* SPDX-License-Identifier: BSD-2-Clause */
/* What level 2 of the log says before exploration, in the words of Linux 7.3's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "verify/verify.h"

static char *log_of(unsigned level, const char *program)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_verify_opts opts = { .log_level = level };
	struct skep_verify_result result = { 0 };
	struct skep_insn *insns = NULL;
	size_t count = 0;

	assert_int_equal(skep_assemble(program, strlen(program), "text", &insns, &count, diag), 0);
	struct prog_spec spec = {
		.name = "p", .section = "", .object = "", .insns = insns,
		.type = prog_type_by_name("sched_cls"), .len = (uint32_t)count, .license = "GPL",
	};
	assert_int_equal(verify(&spec, &opts, &result, NULL, diag), 0);
	free(insns);
	skep_diag_free(diag);
	assert_non_null(result.log);
	return result.log;
}

static void assert_says(const char *program, const char *part)
{
	char *log = log_of(2, program);

	if (!strstr(log, part))
		print_error("not in the log: %s\n%s\n", part, log);
	assert_non_null(strstr(log, part));
	free(log);
}

/* skb_load_bytes() into fp-16..fp-5 */
static const char load_bytes[] =
	"r2 = 0\nr6 = r10\nr6 += -16\nr3 = r6\nr4 = 12\ncall 26\n"
	"r0 = *(u64 *)(r6 +0)\nr0 = 0\nexit\n";

static void pointers__are_told_pass_by_pass(void **state)
{
	(void)state;
	assert_says(load_bytes,
		    "func#0 @0\n"
		    "topo_order[0] = \n"
		    "subprog#0: analyzing (depth 0)...\n"
		    "  1: (bf) r6 = r10\tr6: _ -> fp0+0\n"
		    "  2: (07) r6 += -16\tr6: fp0+0 -> fp0-16\n"
		    "  3: (bf) r3 = r6\tr3: _ -> fp0-16\n"
		    "  5: (85) call bpf_skb_load_bytes#26\tr3: fp0-16 -> _\n"
		    "  1: (bf) r6 = r10\tr6: _ -> fp0+0\n");
}

static void listing__names_pointers_where_memory_is_touched(void **state)
{
	(void)state;
	assert_says(load_bytes,
		    "  4: (b7) r4 = 12\n"
		    "  5: (85) call bpf_skb_load_bytes#26 // r3=fp0-16 r6=fp0-16\n"
		    "  6: (79) r0 = *(u64 *)(r6 +0) // r6=fp0-16\n"
		    "  7: (b7) r0 = 0\n");
}

static void use_and_def__are_by_half_slots(void **state)
{
	(void)state;
	assert_says(load_bytes,
		    "stack use/def subprog#0 (d0,cs0):\n"
		    "  0: (b7) r2 = 0\n");
	assert_says(load_bytes,
		    "  5: (85) call bpf_skb_load_bytes#26   ; def: fp0-8h fp0-16\n"
		    "  6: (79) r0 = *(u64 *)(r6 +0)         ; use: fp0-16\n");
}

static void three_slots_in_a_row__are_one_range(void **state)
{
	(void)state;
	assert_says("r2 = 0\nr3 = r10\nr3 += -32\nr4 = 24\ncall 26\nr0 = 0\nexit\n",
		    "call bpf_skb_load_bytes#26   ; def: fp0-16..-32\n");
}

/* One path has a pointer in r2, the other a number. */
static void joins__count_a_number_as_the_upper_end(void **state)
{
	(void)state;
	assert_says("r3 = 42\nr6 = r10\nr6 += -8\nif r1 == 0 goto l\nr2 = r10\nr2 += -16\n"
		    "*(u64 *)(r6 +0) = r2\nl:\nr0 = 0\nexit\n",
		    "  6: (7b) *(u64 *)(r6 +0) = r2\tfp-8: _ -> fp0-16\n"
		    "arg JOIN insn 6 -> 7 r2: _ + fp0-16 => fp0-16|fp0+0\n"
		    "arg JOIN insn 6 -> 7 fp-8: _ + fp0-16 => fp0-16|fp0+0\n");
}

static void sum_with_a_register__is_anywhere_in_the_stack(void **state)
{
	(void)state;
	assert_says("r2 = 1\nr2 += r10\nr0 = 0\nexit\n",
		    "  1: (0f) r2 += r10\tr2: _ -> fp0 ?\n");
	assert_says("r2 = 1\nr2 += r10\nr0 = *(u64 *)(r2 +0)\nexit\n",
		    "; use: fp0-8..-512\n");
}

/* The callee spills nothing, and reads its caller's fp-8. */
static const char callee[] =
	"*(u64 *)(r10 -8) = 1\nr1 = r10\nr1 += -8\ncall f\nr0 = 0\nexit\n"
	"f:\nr2 = r10\nr0 = *(u64 *)(r1 +0)\nexit\n";

static void callee__is_looked_at_for_the_pointers_it_gets(void **state)
{
	(void)state;
	assert_says(callee, "subprog#1: analyzing (depth 1)...\n"
			    "  6: (bf) r2 = r10\tr2: _ -> fp1+0\n");
	assert_says(callee, "stack use/def subprog#1 (d1,cs3):\n"
			    "  6: (bf) r2 = r10\n"
			    "  7: (79) r0 = *(u64 *)(r1 +0)         ; use: fp0-8\n");
}

static void call__uses_what_the_callee_reads(void **state)
{
	(void)state;
	assert_says(callee, "  3: (85) call pc+2                    ; use: fp0-8\n");
}

static void functions__are_in_order_of_their_calls(void **state)
{
	(void)state;
	assert_says("call f\ncall g\nr0 = 0\nexit\nf:\nr0 = 1\nexit\ng:\nr0 = 2\nexit\n",
		    "func#0 @0\nfunc#1 @4\nfunc#2 @6\n");
	assert_says("call f\ncall g\nr0 = 0\nexit\nf:\nr0 = 1\nexit\ng:\nr0 = 2\nexit\n",
		    "stack use/def subprog#1 (d0,cs4):\n  4: (b7) r0 = 1\n  5: (95) exit\n"
		    "stack use/def subprog#2 (d0,cs6):\n");
}

static void live_registers__have_the_loop_before_them(void **state)
{
	(void)state;
	assert_says("r0 = 0\nl:\nr0 += 1\nif r0 < 10 goto l\nexit\n",
		    "Live regs before insn:\n"
		    "      0: .......... (b7) r0 = 0\n"
		    "  1   1: 0......... (07) r0 += 1\n"
		    "  1   2: 0......... (a5) if r0 < 0xa goto pc-2\n"
		    "      3: 0......... (95) exit\n");
}

static void upper_half_read__is_marked_where_it_is_zeroed(void **state)
{
	(void)state;
	assert_says("w0 = 1\nw1 = 2\nw0 += w1\nexit\n",
		    "      0: .......... (b4) w0 = 1\n"
		    "      1: 0......... (b4) w1 = 2\n"
		    "      2: 01........ (0c) w0 += w1                          ; zext\n");
}

static void level_1__has_none_of_it(void **state)
{
	char *log = log_of(1, "r0 = *(u64 *)(r1 +7)\nexit\n");

	(void)state;
	assert_null(strstr(log, "analyzing"));
	assert_null(strstr(log, "Live regs"));
	free(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pointers__are_told_pass_by_pass),
		cmocka_unit_test(listing__names_pointers_where_memory_is_touched),
		cmocka_unit_test(use_and_def__are_by_half_slots),
		cmocka_unit_test(three_slots_in_a_row__are_one_range),
		cmocka_unit_test(joins__count_a_number_as_the_upper_end),
		cmocka_unit_test(sum_with_a_register__is_anywhere_in_the_stack),
		cmocka_unit_test(callee__is_looked_at_for_the_pointers_it_gets),
		cmocka_unit_test(call__uses_what_the_callee_reads),
		cmocka_unit_test(functions__are_in_order_of_their_calls),
		cmocka_unit_test(live_registers__have_the_loop_before_them),
		cmocka_unit_test(upper_half_read__is_marked_where_it_is_zeroed),
		cmocka_unit_test(level_1__has_none_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
