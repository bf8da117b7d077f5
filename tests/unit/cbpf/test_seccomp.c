/* SPDX-License-Identifier: BSD-2-Clause */
/* Policies on system calls: read, compiled, and what their filters decide. */
#include "cbpf_test.h"

#include <skep/seccomp.h>
#include <stdio.h>
#include <linux/seccomp.h>

struct code {
	struct skep_cbpf_insn *insns;
	size_t count;
};

static struct code code_of(const char *text)
{
	struct skep_seccomp *policy = skep_seccomp_new();
	struct skep_diag *diag = skep_diag_new();
	struct code code = { 0 };

	if (skep_seccomp_read(policy, text, strlen(text), "t", diag) < 0 ||
	    skep_seccomp_compile(policy, "t", &code.insns, &code.count, diag) < 0)
		fail_msg("%s", skep_diag_text(diag, 0));
	assert_int_equal(skep_cbpf_check(code.insns, code.count, SKEP_CBPF_SECCOMP, "t", NULL), 0);
	skep_seccomp_free(policy);
	skep_diag_free(diag);
	return code;
}

static uint32_t decide(const struct code *code, enum skep_seccomp_arch arch, uint32_t nr, uint64_t arg0,
		       uint64_t arg1)
{
	struct skep_cbpf_call call = { .nr = (int32_t)nr, .arch = skep_arch_audit(arch),
				       .args = { arg0, arg1 } };

	return skep_cbpf_run_call(code->insns, code->count, &call);
}

static void seccomp__every_operator_compares_all_64_bits(void **state)
{
	static const uint64_t values[] = { 0, 1, 0x7fffffff, 0xffffffff, 0x100000000, 0x100000001,
					   0x1ffffffff, 0x200000000, 1ull << 63, UINT64_MAX };
	static const char *const ops[] = { "==", "!=", "<", "<=", ">", ">=" };
	static const uint64_t masks[] = { UINT64_MAX, 0xffffffff, 0xff00000000, 0x10000000f, 0 };

	(void)state;
	for (size_t op = 0; op < ARRAY_SIZE(ops); op++) {
		for (size_t i = 0; i < ARRAY_SIZE(values) * ARRAY_SIZE(masks); i++) {
			uint64_t value = values[i / ARRAY_SIZE(masks)], mask = masks[i % ARRAY_SIZE(masks)];
			char text[120];
			struct code code;

			snprintf(text, sizeof(text), "default log\nallow read if arg1 & %#llx %s %#llx",
				 (unsigned long long)mask, ops[op], (unsigned long long)value);
			code = code_of(text);
			for (size_t j = 0; j < ARRAY_SIZE(values); j++) {
				uint64_t arg = values[j] & mask;
				bool holds[] = { arg == value, arg != value, arg < value, arg <= value,
						 arg > value, arg >= value };

				if (decide(&code, SKEP_ARCH_X86_64, 0, 0, values[j]) !=
				    (holds[op] ? SECCOMP_RET_ALLOW : SECCOMP_RET_LOG))
					fail_msg("%s: wrong for %#llx", text, (unsigned long long)values[j]);
			}
			free(code.insns);
		}
	}
}

static void seccomp__the_first_rule_that_matches_decides(void **state)
{
	struct code code = code_of("errno 1 read if arg0 == 1\nerrno 2 read if arg0 in 0..5\nerrno 3 read\n"
				   "errno 4 read if arg0 == 9\n");

	(void)state;
	assert_int_equal(decide(&code, SKEP_ARCH_X86_64, 0, 1, 0), SECCOMP_RET_ERRNO | 1);
	assert_int_equal(decide(&code, SKEP_ARCH_X86_64, 0, 2, 0), SECCOMP_RET_ERRNO | 2);
	assert_int_equal(decide(&code, SKEP_ARCH_X86_64, 0, 9, 0), SECCOMP_RET_ERRNO | 3);
	assert_int_equal(decide(&code, SKEP_ARCH_X86_64, 1, 9, 0), SECCOMP_RET_KILL_PROCESS);
	free(code.insns);
}

static void seccomp__x32_is_foreign_unless_it_is_named(void **state)
{
	struct code without = code_of("arch x86_64\ndefault allow\nforeign trap\n");
	struct code with = code_of("arch x86_64 x32\ndefault allow\nforeign trap\nerrno 5 read@x32");
	struct code only = code_of("arch x32\ndefault allow\nforeign trap\n");

	(void)state;
	assert_int_equal(decide(&without, SKEP_ARCH_X86_64, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(decide(&without, SKEP_ARCH_X32, SKEP_X32_BIT, 0, 0), SECCOMP_RET_TRAP);
	/* what a tracer leaves of a call that it skips is no call of x32 */
	assert_int_equal(decide(&without, SKEP_ARCH_X86_64, UINT32_MAX, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(decide(&without, SKEP_ARCH_X86, 0, 0, 0), SECCOMP_RET_TRAP);
	assert_int_equal(decide(&with, SKEP_ARCH_X32, SKEP_X32_BIT, 0, 0), SECCOMP_RET_ERRNO | 5);
	assert_int_equal(decide(&with, SKEP_ARCH_X86_64, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(decide(&only, SKEP_ARCH_X86_64, 0, 0, 0), SECCOMP_RET_TRAP);
	assert_int_equal(decide(&only, SKEP_ARCH_X32, SKEP_X32_BIT, 0, 0), SECCOMP_RET_ALLOW);
	free(without.insns);
	free(with.insns);
	free(only.insns);
}

/* More decisions than a jump reaches over. */
static void seccomp__a_number_is_of_x32_or_of_x86_64_and_not_of_both(void **state)
{
	struct code code = code_of("arch x32 aarch64\ndefault errno 7\nlog 1614 0x4000064e\n");

	(void)state;
	assert_int_equal(decide(&code, SKEP_ARCH_AARCH64, 1614, 0, 0), SECCOMP_RET_LOG);
	assert_int_equal(decide(&code, SKEP_ARCH_X86_64, 1614, 0, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(decide(&code, SKEP_ARCH_X32, 1614 | SKEP_X32_BIT, 0, 0), SECCOMP_RET_LOG);
	free(code.insns);
	code = code_of("arch x86_64\ndefault errno 7\nlog 1614 0x4000064e 0xffffffff\n");
	assert_int_equal(decide(&code, SKEP_ARCH_X86_64, 1614, 0, 0), SECCOMP_RET_LOG);
	assert_int_equal(decide(&code, SKEP_ARCH_X32, 1614 | SKEP_X32_BIT, 0, 0), SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(decide(&code, SKEP_ARCH_X86_64, UINT32_MAX, 0, 0), SECCOMP_RET_LOG);
	free(code.insns);
}

static void seccomp__names_that_were_meant_are_near(void **state)
{
	const char *members;
	size_t count = 0;

	(void)state;
	assert_string_equal(skep_syscall_nearest("raed"), "read");
	assert_string_equal(skep_syscall_nearest("opennat"), "openat");
	assert_string_equal(skep_syscall_nearest("@basicio"), "@basic-io");
	assert_null(skep_syscall_nearest("nothing-like-a-call"));
	assert_null(skep_syscall_nearest("@nothing-like-a-group"));
	while (skep_syscall_group(count, NULL, &members)) {
		assert_non_null(members);
		count++;
	}
	assert_true(count >= 30);
	assert_null(skep_syscall_each(100000));
}

static void seccomp__decisions_far_away_are_reached(void **state)
{
	struct skep_text text = { 0 };
	struct code code;

	(void)state;
	text_add(&text, "default log\n");
	for (unsigned nr = 0; nr < 400; nr++)
		text_add(&text, "errno %u %u if arg0 == %u\n", nr, 3 * nr, 1000 + nr);
	code = code_of(text.data);
	for (unsigned nr = 0; nr < 1300; nr++) {
		unsigned n = nr / 3;

		assert_int_equal(decide(&code, SKEP_ARCH_X86_64, nr, 1000 + n, 0),
				 nr % 3 || n >= 400 ? SECCOMP_RET_LOG : SECCOMP_RET_ERRNO | n);
		assert_int_equal(decide(&code, SKEP_ARCH_X86_64, nr, 999, 0), SECCOMP_RET_LOG);
	}
	free(code.insns);
	text_done(&text);
}

static void seccomp__what_does_not_fit_is_refused(void **state)
{
	struct skep_seccomp *policy = skep_seccomp_new();
	struct skep_diag *diag = skep_diag_new();
	struct skep_cbpf_insn *insns = NULL;
	size_t count = 0;

	(void)state;
	skep_seccomp_add_arch(policy, SKEP_ARCH_X86_64);
	for (uint64_t i = 0; i < 2000; i++) {
		struct skep_seccomp_test test = { .arg = 1, .mask = UINT64_MAX, .value = i << 32 | i * 7 };
		char nr[16];

		snprintf(nr, sizeof(nr), "%u", (unsigned)i);
		assert_int_equal(skep_seccomp_add_rule(policy, SKEP_ARCH_X86_64, nr,
						       SECCOMP_RET_ERRNO | (uint32_t)i, &test, 1, NULL), 0);
	}
	assert_int_equal(skep_seccomp_compile(policy, "big", &insns, &count, diag), -EINVAL);
	assert_int_equal(skep_diag_get(diag, 0)->code, SKEP_CBPF_LENGTH);
	assert_null(insns);
	skep_seccomp_free(policy);
	skep_diag_free(diag);
}

static void seccomp__mistakes_have_their_place(void **state)
{
	static const struct { const char *text, *says; uint32_t line, column; } rows[] = {
		{ "allow read\nallow raed", "there is no system call 'raed'", 2, 7 },
		{ "permit read", "'permit' is not an action", 1, 1 },
		{ "allow", "an action without a system call", 1, 6 },
		{ "allow read if arg6 == 1", "'arg6' is not an argument: arg0 to arg5", 1, 15 },
		{ "allow read if arg1 = 1", "'=' is not a comparison: == != < <= > >= or in", 1, 20 },
		{ "allow read if arg1 == x", "'x' is not a number: what an argument is compared with", 1, 23 },
		{ "allow read if arg1 in 7..3", "a range is LOW..HIGH", 1, 23 },
		{ "allow read if arg1 == 1 or", "'or' where 'and' or the line's end may stand", 1, 25 },
		{ "arch vax", "there is no architecture 'vax'", 1, 6 },
		{ "allow read@vax", "there is no architecture 'vax'", 1, 7 },
		{ "allow open@aarch64", "there is no system call 'open' on aarch64", 1, 7 },
		{ "default allow read", "'read' behind the action", 1, 15 },
		{ "default", "'' is not an action", 1, 8 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct skep_seccomp *policy = skep_seccomp_new();
		struct skep_diag *diag = skep_diag_new();

		assert_int_equal(skep_seccomp_read(policy, rows[i].text, strlen(rows[i].text), "t", diag), -EINVAL);
		assert_int_equal(skep_diag_get(diag, 0)->code, SKEP_SECCOMP_TEXT);
		if (!strstr(skep_diag_get(diag, 0)->message, rows[i].says))
			fail_msg("%s: %s", rows[i].text, skep_diag_get(diag, 0)->message);
		assert_int_equal(skep_diag_get(diag, 0)->where.line, rows[i].line);
		assert_int_equal(skep_diag_get(diag, 0)->where.column, rows[i].column);
		skep_diag_free(diag);
		skep_seccomp_free(policy);
	}
}

/* --- looking into filters --- */

static const struct skep_seccomp_calls reads = { .audit = 0xc000003e };

static int compared(const char *a, const char *b, struct skep_cbpf_call *call)
{
	struct code left = code_of(a), right = code_of(b);
	int verdict = skep_seccomp_compare(left.insns, left.count, right.insns, right.count, &reads, call);

	free(left.insns);
	free(right.insns);
	return verdict;
}

static void compare__the_same_in_other_rules_is_proved_equal(void **state)
{
	struct skep_cbpf_call call;

	(void)state;
	assert_int_equal(compared("allow read if arg0 in 3..7", "kill-process read if arg0 < 3\nkill-process read if arg0 > 7\n"
				  "allow read", &call), SKEP_CBPF_EQUAL);
	assert_int_equal(compared("allow read if arg2 & 0xf0 == 0x30", "kill-process read if arg2 & 0xc0 != 0\n"
				  "allow read if arg2 & 0x30 == 0x30", &call), SKEP_CBPF_EQUAL);
	/* other calls do not matter */
	assert_int_equal(compared("allow read write", "allow read", &call), SKEP_CBPF_EQUAL);
}

static void compare__one_call_among_2_to_the_128_is_found(void **state)
{
	struct skep_cbpf_call call;

	(void)state;
	assert_int_equal(compared("errno 1 read if arg1 == 0x123456789abcdef0 and arg4 & 0xff00ff00ff00ff00 == 0x1200340056007800\n"
				  "allow read", "allow read", &call), SKEP_CBPF_DIFFER);
	assert_int_equal(call.nr, 0);
	assert_int_equal(call.args[1], 0x123456789abcdef0);
	assert_int_equal(call.args[4] & 0xff00ff00ff00ff00, 0x1200340056007800);
	assert_int_equal(compared("errno 1 read if arg1 > 0xfffffffe and arg1 < 0x100000001 and arg1 != 0xffffffff\nallow read",
				  "allow read", &call), SKEP_CBPF_DIFFER);
	assert_int_equal(call.args[1], 0x100000000);
}

static void compare__what_is_computed_is_not_called_equal(void **state)
{
	size_t a_count, b_count;
	struct skep_cbpf_insn *a = filter_of("ld [16]\nadd #1\njeq #5, y, n\ny: ret #1\nn: ret #0", &a_count);
	struct skep_cbpf_insn *b = filter_of("ld [16]\njeq #4, y, n\ny: ret #1\nn: ret #0", &b_count);
	struct skep_cbpf_call call;

	(void)state;
	assert_int_equal(skep_seccomp_compare(a, a_count, b, b_count, &reads, &call), SKEP_CBPF_UNKNOWN);
	free(a);
	free(b);
}

static void explain__ranges_masks_and_the_rest(void **state)
{
	static const struct { const char *text, *says; } rows[] = {
		{ "allow read", "allow" },
		{ "allow read if arg0 == 3\ndefault errno EPERM", "allow if arg0 == 0x3; errno EPERM otherwise" },
		{ "allow read if arg0 & 8 == 0\ndefault log", "allow if arg0.low & 0x8 == 0; log otherwise" },
		{ "trap 5 read if arg5 in 3..7\ndefault log", "trap 5 if arg5 in 0x3..0x7; log otherwise" },
		{ "allow write\ndefault errno 38", "errno ENOSYS" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct code code = code_of(rows[i].text);
		struct skep_text says = { 0 };

		assert_int_equal(skep_seccomp_explain(code.insns, code.count, &reads, &says), 0);
		assert_string_equal(says.data, rows[i].says);
		text_done(&says);
		free(code.insns);
	}
}

static void seccomp__names_numbers_and_actions_go_both_ways(void **state)
{
	char text[32];
	uint32_t action;

	(void)state;
	for (int arch = 0; arch < SKEP_ARCH_COUNT; arch++) {
		unsigned known = 0;

		assert_int_equal(skep_arch_find(skep_arch_name(arch)), arch);
		for (uint32_t nr = 0; nr < 600; nr++) {
			uint32_t number = arch == SKEP_ARCH_X32 ? nr | SKEP_X32_BIT : nr;
			const char *name = skep_syscall_name(arch, number);

			if (!name)
				continue;
			known++;
			assert_int_equal(skep_syscall_number(arch, name), number);
		}
		assert_in_range(known, 320, 470);
	}
	assert_int_equal(skep_syscall_number(SKEP_ARCH_X86_64, "openat"), 257);
	assert_int_equal(skep_syscall_number(SKEP_ARCH_X86, "openat"), 295);
	assert_int_equal(skep_syscall_number(SKEP_ARCH_AARCH64, "openat"), 56);
	assert_int_equal(skep_syscall_number(SKEP_ARCH_X32, "ioctl"), SKEP_X32_BIT | 514);
	assert_true(skep_seccomp_action_find("errno", "EXDEV", &action));
	assert_int_equal(action, SECCOMP_RET_ERRNO | 18);
	assert_int_equal(skep_seccomp_action_text(action, text, sizeof(text)), 11);
	assert_string_equal(text, "errno EXDEV");
	assert_false(skep_seccomp_action_find("errno", "65536", &action));
	assert_false(skep_seccomp_action_find("allow", "1", &action));
	skep_seccomp_action_text(SECCOMP_RET_TRACE | 7, text, sizeof(text));
	assert_string_equal(text, "trace 7");
	/* Linux kills for what it does not know */
	skep_seccomp_action_text(0x12340000, text, sizeof(text));
	assert_string_equal(text, "kill-process");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seccomp__every_operator_compares_all_64_bits),
		cmocka_unit_test(seccomp__the_first_rule_that_matches_decides),
		cmocka_unit_test(seccomp__x32_is_foreign_unless_it_is_named),
		cmocka_unit_test(seccomp__a_number_is_of_x32_or_of_x86_64_and_not_of_both),
		cmocka_unit_test(seccomp__names_that_were_meant_are_near),
		cmocka_unit_test(seccomp__decisions_far_away_are_reached),
		cmocka_unit_test(seccomp__what_does_not_fit_is_refused),
		cmocka_unit_test(seccomp__mistakes_have_their_place),
		cmocka_unit_test(compare__the_same_in_other_rules_is_proved_equal),
		cmocka_unit_test(compare__one_call_among_2_to_the_128_is_found),
		cmocka_unit_test(compare__what_is_computed_is_not_called_equal),
		cmocka_unit_test(explain__ranges_masks_and_the_rest),
		cmocka_unit_test(seccomp__names_numbers_and_actions_go_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
