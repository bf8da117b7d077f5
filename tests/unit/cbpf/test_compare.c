/* SPDX-License-Identifier: BSD-2-Clause */
/* Comparing filters, and saying what they accept. */
#include "cbpf_test.h"

static int compared(const char *a, const char *b, struct skep_text *packet)
{
	size_t a_count, b_count;
	struct skep_cbpf_insn *left = filter_of(a, &a_count), *right = filter_of(b, &b_count);
	int verdict = skep_cbpf_compare(left, a_count, right, b_count, packet, NULL);

	free(left);
	free(right);
	return verdict;
}

static void compare__the_same_question_in_other_words_is_equal(void **state)
{
	struct skep_text packet = { 0 };

	(void)state;
	assert_int_equal(compared("ldb [9]\njeq #6, y, n\ny: ret #1\nn: ret #0",
				  "ldb [9]\nsub #6\njeq #0, y, n\ny: ret #9\nn: ret #0", &packet), SKEP_CBPF_EQUAL);
	assert_int_equal(compared("ldh [2]\njgt #99, a, n\na: jgt #200, n, y\ny: ret #1\nn: ret #0",
				  "ldh [2]\njge #201, n, a\na: jge #100, y, n\ny: ret #1\nn: ret #0", &packet),
			 SKEP_CBPF_EQUAL);
	assert_null(packet.data);
}

static void compare__a_difference_comes_with_its_packet(void **state)
{
	struct skep_text packet = { 0 };

	(void)state;
	assert_int_equal(compared("ldh [2]\njeq #80, y, n\ny: ret #1\nn: ret #0",
				  "ldh [2]\njeq #81, y, n\ny: ret #1\nn: ret #0", &packet), SKEP_CBPF_DIFFER);
	assert_non_null(strstr(packet.data, "passes the first and not the second"));
	assert_non_null(strstr(packet.data, "00 00 00 50"));
	free(packet.data);
	packet = (struct skep_text){ 0 };
	/* one number in 2^32, behind arithmetic and an index */
	assert_int_equal(compared("ldxb 4*([0]&0xf)\nld [x + 4]\nxor #0x12345678\nadd #77\njeq #0xdeadbeef, y, n\n"
				  "y: ret #1\nn: ret #0", "ldxb 4*([0]&0xf)\nld [x + 4]\nret #0", &packet),
			 SKEP_CBPF_DIFFER);
	free(packet.data);
}

static void compare__only_packets_cut_short_differ(void **state)
{
	struct skep_text packet = { 0 };

	(void)state;
	assert_int_equal(compared("ldb [4]\njeq #1, y, a\na: ldb [9]\njeq #1, y, n\ny: ret #1\nn: ret #0",
				  "ldb [9]\njeq #1, y, a\na: ldb [4]\njeq #1, y, n\ny: ret #1\nn: ret #0", &packet),
			 SKEP_CBPF_EQUAL_WHOLE);
	free(packet.data);
}

static void compare__what_cannot_be_told_is_unknown(void **state)
{
	struct skep_text packet = { 0 };

	(void)state;
	/* random numbers */
	assert_int_equal(compared("ld rand\nret a", "ret #1", &packet), SKEP_CBPF_UNKNOWN);
	/* x * x + 1 is never 3 modulo 4: true, and more than is seen */
	assert_int_equal(compared("ld [0]\ntax\nmul x\nadd #1\nand #3\njeq #3, y, n\ny: ret #1\nn: ret #0",
				  "ld [0]\nret #0", &packet), SKEP_CBPF_UNKNOWN);
	free(packet.data);
}

static void explain__a_bad_filter_is_refused(void **state)
{
	struct skep_cbpf_insn bad = { .code = 0xffff };
	struct skep_text out = { 0 };

	(void)state;
	assert_int_equal(skep_cbpf_explain(&bad, 1, 1, "f", &out, NULL), -EINVAL);
	assert_int_equal(skep_cbpf_draw(&bad, 1, SKEP_CBPF_DOT, "f", &out, NULL), -EINVAL);
	assert_int_equal(skep_cbpf_write_function(&bad, 1, "f", &out, NULL), -EINVAL);
	assert_int_equal(skep_cbpf_compare(&bad, 1, &bad, 1, &out, NULL), -EINVAL);
	assert_null(out.data);
}

static void explain__a_way_is_said_in_the_words_of_its_link_type(void **state)
{
	size_t count;
	struct skep_cbpf_insn *insns = filter_of("ldh [12]\njeq #0x800, a, n\na: ldb [23]\njeq #17, y, n\n"
						 "y: ret #1\nn: ret #0", &count);
	struct skep_text out = { 0 }, other = { 0 };

	(void)state;
	assert_int_equal(skep_cbpf_explain(insns, count, 1, "f", &out, NULL), 0);
	assert_string_equal(out.data, "It accepts an Ethernet frame if\n    it is IPv4, and\n"
				      "    its protocol is UDP\n");
	assert_int_equal(skep_cbpf_explain(insns, count, 9, "f", &other, NULL), 0);
	assert_string_equal(other.data, "It accepts a packet if\n    bytes 12-13 is 0x800, and\n"
					"    byte 23 is 0x11\n");
	free(out.data);
	free(other.data);
	free(insns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compare__the_same_question_in_other_words_is_equal),
		cmocka_unit_test(compare__a_difference_comes_with_its_packet),
		cmocka_unit_test(compare__only_packets_cut_short_differ),
		cmocka_unit_test(compare__what_cannot_be_told_is_unknown),
		cmocka_unit_test(explain__a_bad_filter_is_refused),
		cmocka_unit_test(explain__a_way_is_said_in_the_words_of_its_link_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
