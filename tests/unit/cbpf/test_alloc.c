/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_alloc.c - every allocation fails once: reading, writing, checking, converting and
 * opening a filter must then say so and leave nothing behind.
 */
#include "../failing_heap.h"
#include "cbpf_test.h"

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
		cmocka_unit_test(alloc__writing_fails_cleanly),
		cmocka_unit_test(alloc__checking_fails_cleanly),
		cmocka_unit_test(alloc__converting_fails_cleanly),
		cmocka_unit_test(alloc__opening_fails_cleanly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
