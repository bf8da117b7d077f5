/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_alloc.c - every allocation fails once: reading, writing, checking, converting and
 * opening a filter must then say so and leave nothing behind.
 */
#include "../failing_heap.h"
#include "cbpf_test.h"

#include <skep/seccomp.h>

static const char text[] = "start: ldh [12]\n"
			   "jne #0x800, drop\n"
			   "ldx 4*([14]&0xf)\n"
			   "st M[1]\n"
			   "ldh [x + 16]\n"
			   "ldx M[1]\n"
			   "add x\n"
			   "ret a\n"
			   "drop: ret #0\n";
static const struct skep_cbpf_insn insns[] = {
	{ 0x28, 0, 0, 12 }, { 0x15, 0, 6, 0x800 }, { 0xb1, 0, 0, 14 }, { 0x02, 0, 0, 1 },
	{ 0x48, 0, 0, 16 }, { 0x61, 0, 0, 1 }, { 0x0c, 0, 0, 0 }, { 0x16, 0, 0, 0 }, { 0x06, 0, 0, 0 },
};

/* 0, or the error; it holds nothing when it returns. */
typedef int attempt_fn(struct skep_diag *diag);

static int attempt_read(struct skep_diag *diag)
{
	struct skep_cbpf_insn *read = NULL;
	size_t count;
	int error = skep_cbpf_read(text, sizeof(text) - 1, "t", &read, &count, diag);

	assert_true(error == 0 || !read);
	if (error == 0)
		assert_memory_equal(read, insns, sizeof(insns));
	free(read);
	return error;
}

static int attempt_write(struct skep_diag *diag)
{
	struct skep_text out = { 0 };
	int error = skep_cbpf_write(insns, ARRAY_SIZE(insns), SKEP_CBPF_ASM, &out);

	(void)diag;
	text_done(&out);
	return error;
}

static int attempt_check(struct skep_diag *diag)
{
	return skep_cbpf_check(insns, ARRAY_SIZE(insns), SKEP_CBPF_SOCKET, "t", diag);
}

static int attempt_convert(struct skep_diag *diag)
{
	struct skep_insn *ebpf = NULL;
	size_t count;
	int error = skep_cbpf_to_ebpf(insns, ARRAY_SIZE(insns), SKEP_CBPF_TO_TC, "t", &ebpf, &count, diag);

	assert_true(error == 0 || !ebpf);
	free(ebpf);
	return error;
}

static int attempt_open(struct skep_diag *diag)
{
	struct skep_filter *filter = skep_filter_open(insns, ARRAY_SIZE(insns), SKEP_CBPF_SOCKET,
						      SKEP_FILTER_COMPILE, "t", diag);
	bool opened = filter != NULL;

	skep_filter_free(filter);
	return opened ? 0 : -ENOMEM;
}

static void fails_cleanly(attempt_fn *attempt)
{
	long rounds = 0;

	assert_int_equal(attempt(NULL), 0); /* what is set up once for the process */
	for (long n = 1;; n++) {
		long before;
		int error;

		heap.fail_at = 0;
		before = heap.live;
		heap.count = 0;
		heap.failed = false;
		heap.fail_at = n;
		error = attempt(NULL);
		heap.fail_at = 0;
		assert_int_equal(heap.live, before);
		if (!heap.failed)
			break;
		assert_int_equal(error, -ENOMEM);
		rounds++;
	}
	assert_true(rounds > 0);
}

/*
 * The optimiser may do without what it does not get: then the filter is a good one all the same.
 */
static int attempt_policy(struct skep_diag *diag)
{
	static const char rules[] = "arch x86_64 x86\nallow read write\nerrno 1 clone if arg0 & 8 == 0\n";
	struct skep_seccomp *policy = skep_seccomp_new();
	struct skep_cbpf_insn *made = NULL;
	size_t count;
	int error;

	if (!policy)
		return skep_report(diag, SKEP_OOM, NULL, "a policy");
	error = skep_seccomp_read(policy, rules, sizeof(rules) - 1, "t", diag);
	if (error == 0)
		error = skep_seccomp_compile(policy, "t", &made, &count, diag);
	assert_true(error == 0 || !made);
	if (error == 0) {
		struct skep_cbpf_call call = { .nr = 56, .arch = skep_arch_audit(SKEP_ARCH_X86_64) };

		assert_int_equal(skep_cbpf_run_call(made, count, &call), 0x50001);
		call.args[0] = 8;
		assert_int_equal(skep_cbpf_run_call(made, count, &call), 0x80000000);
	}
	free(made);
	skep_seccomp_free(policy);
	return error;
}

static void alloc__compiling_a_policy_fails_cleanly_or_works(void **state)
{
	unsigned refused = 0;

	(void)state;
	for (long n = 1;; n++) {
		long before = heap.live;
		int error;

		heap.count = 0;
		heap.failed = false;
		heap.fail_at = n;
		error = attempt_policy(NULL);
		heap.fail_at = 0;
		assert_int_equal(heap.live, before);
		if (!heap.failed)
			break;
		assert_true(error == 0 || error == -ENOMEM);
		refused += error != 0;
	}
	assert_true(refused > 3);
}

static void alloc__reading_fails_cleanly(void **state)
{
	(void)state;
	fails_cleanly(attempt_read);
}

static void alloc__writing_fails_cleanly(void **state)
{
	(void)state;
	fails_cleanly(attempt_write);
}

static void alloc__checking_fails_cleanly(void **state)
{
	(void)state;
	fails_cleanly(attempt_check);
}

static void alloc__converting_fails_cleanly(void **state)
{
	(void)state;
	fails_cleanly(attempt_convert);
}

static void alloc__opening_fails_cleanly(void **state)
{
	(void)state;
	fails_cleanly(attempt_open);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alloc__reading_fails_cleanly),
		cmocka_unit_test(alloc__compiling_a_policy_fails_cleanly_or_works),
		cmocka_unit_test(alloc__writing_fails_cleanly),
		cmocka_unit_test(alloc__checking_fails_cleanly),
		cmocka_unit_test(alloc__converting_fails_cleanly),
		cmocka_unit_test(alloc__opening_fails_cleanly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
