/* SPDX-License-Identifier: BSD-2-Clause */
/* The optimiser: what it leaves out, and that nothing else changes, on random filters. */
#include "cbpf_test.h"

#include <stdio.h>

static struct skep_cbpf_insn *optimised(const char *text, size_t *count)
{
	size_t before;
	struct skep_cbpf_insn *insns = filter_of(text, &before), *out;

	assert_int_equal(skep_cbpf_optimise(insns, before, SKEP_CBPF_SOCKET, "f", &out, count, NULL), 0);
	free(insns);
	return out;
}

/* The listing of what text becomes. */
static void becomes(const char *text, const char *expected)
{
	size_t count;
	struct skep_cbpf_insn *insns = optimised(text, &count);
	struct skep_text out = { 0 };

	assert_int_equal(skep_cbpf_write(insns, count, SKEP_CBPF_ASM, &out), 0);
	assert_string_equal(out.data, expected);
	free(out.data);
	free(insns);
}

static size_t count_of(const char *text)
{
	size_t count;

	free(optimised(text, &count));
	return count;
}

static void optimise__a_test_that_an_earlier_one_decides_is_left_out(void **state)
{
	(void)state;
	assert_int_equal(count_of("ldh [12]\njeq #0x800, a, no\n"
				  "a: ldh [12]\njeq #0x800, b, no\n"
				  "b: ldb [23]\njeq #6, yes, no\n"
				  "yes: ret #9\nno: ret #0\n"), 6);
	/* from a range, from bits, and from bytes of the same place */
	assert_int_equal(count_of("ldh [2]\njgt #100, yes, a\na: jgt #200, no, yes\n"
				  "no: ret #0\nyes: ret #1\n"), 2);
	assert_int_equal(count_of("ldb [2]\njset #0x80, a, no\na: jgt #0x7f, yes, no\n"
				  "no: ret #0\nyes: ret #1\n"), 4);
	assert_int_equal(count_of("ld [2]\njeq #0x01020304, a, no\na: ldb [3]\njeq #2, yes, no\n"
				  "no: ret #0\nyes: ret #1\n"), 4);
}

static void optimise__what_is_known_on_all_ways_is_known_where_they_meet(void **state)
{
	(void)state;
	assert_int_equal(count_of("ldb [0]\njeq #1, l, r\n"
				  "l: ldb [1]\njeq #7, m, no\n"
				  "r: ldb [1]\njeq #7, m, no\n"
				  "m: ldb [1]\njeq #7, yes, no\nyes: ret #1\nno: ret #0\n"), 4);
}

static void optimise__a_load_that_may_fail_is_kept_where_it_decides(void **state)
{
	(void)state;
	becomes("ldb [9]\nret #1", "\tldb [9]\n\tret #1\n");
	/* the later one reaches further */
	becomes("ldb [9]\nldb [19]\nret #1", "\tldb [19]\n\tret #1\n");
	becomes("ldb [19]\nldb [9]\nret #1", "\tldb [19]\n\tret #1\n");
	/* nothing passes anyway */
	becomes("ldb [9]\nret #0", "\tret #0\n");
	assert_int_equal(count_of("ldx #0\ndiv x\nret #1"), 1);
	assert_int_equal(count_of("ldb [0]\ntax\nld #5\ndiv x\nret #1"), 4);
}

static void optimise__many_tests_of_a_number_become_a_search(void **state)
{
	char text[8192];
	size_t at = 0, before, count, ways = 0;
	struct skep_cbpf_insn *insns;

	(void)state;
	at += (size_t)sprintf(text, "ldh [2]\n");
	for (unsigned i = 0; i < 100; i++)
		at += (size_t)sprintf(text + at, "jeq #%u, yes\n", 10 * i + 3);
	sprintf(text + at, "ret #0\nyes: ret #1\n");
	free(filter_of(text, &before));
	insns = optimised(text, &count);
	for (unsigned port = 0; port < 1100; port++) {
		uint8_t bytes[4] = { 0, 0, (uint8_t)(port >> 8), (uint8_t)port };
		struct skep_cbpf_packet packet = { .data = bytes, .size = 4 };
		uint32_t steps = 0;

		assert_int_equal(skep_cbpf_run(insns, count, &packet), port % 10 == 3 && port < 1000);
		for (size_t pc = 1; pc < count && cbpf_row(insns[pc].code)->kind == CBPF_JUMP; steps++)
			pc = cbpf_holds(cbpf_row(insns[pc].code), port, insns[pc].k) ?
				     cbpf_true_target(&insns[pc], pc) : cbpf_false_target(&insns[pc], pc);
		ways = MAX(ways, steps);
	}
	assert_true(ways <= 9);
	free(insns);
}

static void optimise__far_jumps_get_a_step_between(void **state)
{
	static char text[400000];
	size_t at = 0, before, count;
	struct skep_cbpf_insn *insns, *out;

	(void)state;
	/* both ways of the first test are long and do not meet */
	at += (size_t)sprintf(text, "ldb [0]\njeq #1, near\nja far\nnear: ld #0\n");
	for (unsigned side = 0; side < 2; side++) {
		if (side)
			at += (size_t)sprintf(text + at, "far: ld #0\n");
		for (unsigned i = 0; i < 300; i++)
			at += (size_t)sprintf(text + at, "ldb [%u]\njset #%u, s%u_%u\nret #%u\ns%u_%u: ld #0\n",
					      i % 40, 1u << (i + side) % 8, side, i, i + side, side, i);
		at += (size_t)sprintf(text + at, "ret #%u\n", 5000 + side);
	}
	insns = filter_of(text, &before);
	assert_int_equal(skep_cbpf_optimise(insns, before, SKEP_CBPF_SOCKET, "f", &out, &count, NULL), 0);
	assert_true(count < before);
	srandom(1);
	for (unsigned i = 0; i < 2000; i++) {
		uint8_t bytes[40];
		struct skep_cbpf_packet packet = { .data = bytes, .size = sizeof(bytes) };

		for (unsigned k = 0; k < sizeof(bytes); k++)
			bytes[k] = random() % 60 ? 0xff : (uint8_t)random();
		bytes[0] = i % 2 ? 0xff : 1;
		assert_int_equal(skep_cbpf_run(out, count, &packet), skep_cbpf_run(insns, before, &packet));
	}
	free(insns);
	free(out);
}

static void optimise__random_numbers_and_the_device_are_left_alone(void **state)
{
	(void)state;
	becomes("ld rand\nld rand\nret a", "\tld rand\n\tld rand\n\tret a\n");
}

static void optimise__calls_are_searched_too(void **state)
{
	size_t before, count, at = 0;
	char text[2048];
	struct skep_cbpf_insn *insns, *out;

	(void)state;
	at += (size_t)sprintf(text, "ld [4]\njeq #0xc000003e, ok\nret #0\nok: ld [0]\n");
	for (unsigned i = 0; i < 40; i++)
		at += (size_t)sprintf(text + at, "jeq #%u, yes\n", 3 * i);
	sprintf(text + at, "ret #0x50000\nyes: ret #0x7fff0000\n");
	insns = filter_of(text, &before);
	assert_int_equal(skep_cbpf_optimise(insns, before, SKEP_CBPF_SECCOMP, "f", &out, &count, NULL), 0);
	for (int nr = -1; nr < 200; nr++) {
		for (unsigned arch = 0; arch < 2; arch++) {
			struct skep_cbpf_call call = { .nr = nr, .arch = 0xc000003e - arch };

			assert_int_equal(skep_cbpf_run_call(out, count, &call),
					 skep_cbpf_run_call(insns, before, &call));
		}
	}
	assert_int_equal(skep_cbpf_check(out, count, SKEP_CBPF_SECCOMP, "f", NULL), 0);
	free(insns);
	free(out);
}

/* --- random filters --- */

static uint64_t seed;

static uint32_t next_random(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 20) % below;
}

static uint32_t random_k(const struct cbpf_row *row)
{
	static const uint32_t numbers[] = { 0, 1, 2, 3, 6, 15, 0x11, 0x80, 0xff, 0x100, 0x101, 0x800, 0xfff0,
					    0xffff, 0x10000, 0x01010101, 0x7fffffff, 0x80000000,
					    0xfffffff0, UINT32_MAX };
	static const uint32_t metadata[] = { 0, 4, 12, 16, 36, 40, 44, 48, 52, 20 };
	uint32_t number = numbers[next_random(ARRAY_SIZE(numbers))];

	switch (row->kind) {
	case CBPF_ABS:
		if (next_random(12) == 0)
			return CBPF_ANCILLARY + metadata[next_random(ARRAY_SIZE(metadata))];
		return next_random(30) ? next_random(14) : CBPF_NETWORK + next_random(4);
	case CBPF_IND:
		return next_random(4) ? next_random(8) : (uint32_t)-1 - next_random(3);
	case CBPF_MSH:
		return next_random(12);
	case CBPF_MEM: case CBPF_STORE:
		return next_random(3);
	case CBPF_ALU:
		if (row->reg == CBPF_K && (row->op == ALU_LSH || row->op == ALU_RSH))
			return next_random(next_random(2) ? 5 : 32);
		if (row->reg == CBPF_K && (row->op == ALU_DIV || row->op == ALU_MOD))
			return number ? number : 1;
		return number;
	default:
		return next_random(2) ? number : next_random(4);
	}
}

/* Often few registers and few jumps, so that filters are not all the same nonsense. */
static size_t random_filter(struct skep_cbpf_insn *insns)
{
	size_t count = 3 + next_random(next_random(3) ? 14 : 40);
	unsigned jumps = 2 + next_random(4);

	for (size_t pc = 0; pc < count; pc++) {
		const struct cbpf_row *row = &cbpf_rows[next_random(CBPF_ID_COUNT)];
		size_t left = count - 1 - pc;

		if (left == 0 || (row->kind == CBPF_RETURN && next_random(4) == 0))
			row = &cbpf_rows[next_random(4) ? CBPF_ID_RET_K : CBPF_ID_RET_A];
		else if (next_random(8) < jumps && left > 1)
			row = &cbpf_rows[CBPF_ID_JA + next_random(9)];
		else if (next_random(3) == 0)
			row = &cbpf_rows[next_random(4)];
		insns[pc] = (struct skep_cbpf_insn){ .code = row->code, .k = random_k(row) };
		if (row->kind == CBPF_GOTO)
			insns[pc].k = next_random((uint32_t)MIN(left, 4));
		if (row->kind == CBPF_JUMP) {
			insns[pc].jt = (uint8_t)next_random((uint32_t)MIN(left, 6));
			insns[pc].jf = (uint8_t)next_random((uint32_t)MIN(left, 6));
		}
	}
	return count;
}

static void random_packet(struct skep_cbpf_packet *packet, uint8_t *bytes)
{
	static const uint8_t likely[] = { 0, 1, 2, 6, 15, 0x11, 0x80, 0xff };

	for (unsigned i = 0; i < 20; i++)
		bytes[i] = next_random(5) ? likely[next_random(sizeof(likely))] : (uint8_t)next_random(256);
	*packet = (struct skep_cbpf_packet){ .data = bytes, .size = next_random(3) ? 16 : next_random(21),
		.protocol = next_random(2) ? 0x800 : 6, .type = (uint8_t)next_random(5), .cpu = next_random(3),
		.vlan_present = next_random(2), .mark = next_random(3), .vlan_tci = (uint16_t)next_random(3) };
	packet->len = next_random(2) ? 0 : packet->size + next_random(300);
}

static void show(const struct skep_cbpf_insn *insns, size_t count)
{
	struct skep_text out = { 0 };

	skep_cbpf_write(insns, count, SKEP_CBPF_LISTING, &out);
	print_error("%s\n", out.data);
	free(out.data);
}

static void agree_on_packets(const struct skep_cbpf_insn *insns, size_t count,
			     const struct skep_cbpf_insn *out, size_t out_count)
{
	for (unsigned i = 0; i < 12; i++) {
		struct skep_cbpf_packet packet;
		uint8_t bytes[20];
		uint32_t before, after;

		random_packet(&packet, bytes);
		before = skep_cbpf_run(insns, count, &packet);
		after = skep_cbpf_run(out, out_count, &packet);
		if (before == after)
			continue;
		show(insns, count);
		show(out, out_count);
		for (unsigned k = 0; k < packet.size; k++)
			print_error("%02x ", bytes[k]);
		fail_msg("before %u, after %u (size %u, len %u)", before, after, packet.size, packet.len);
	}
}

/* Two ways to the same truth: what comparing says, running must not deny. */
static void compare_agrees(const struct skep_cbpf_insn *insns, size_t count, unsigned verdicts[4])
{
	struct skep_cbpf_insn other[64];
	struct skep_text packet = { 0 };
	size_t other_count = random_filter(other);
	int verdict;

	/* half of the time nearly the same filter */
	if (next_random(2)) {
		memcpy(other, insns, count * sizeof(*other));
		other_count = count;
		other[next_random((uint32_t)count)].k ^= 1u << next_random(8);
	}
	if (skep_cbpf_check(other, other_count, SKEP_CBPF_SOCKET, "f", NULL) < 0)
		return;
	verdict = skep_cbpf_compare(insns, count, other, other_count, &packet, NULL);
	assert_in_range(verdict, SKEP_CBPF_EQUAL, SKEP_CBPF_UNKNOWN);
	verdicts[verdict]++;
	for (unsigned i = 0; i < 30 && verdict < SKEP_CBPF_DIFFER; i++) {
		uint8_t bytes[20];
		struct skep_cbpf_packet sent;
		bool differ;

		random_packet(&sent, bytes);
		differ = (skep_cbpf_run(insns, count, &sent) != 0) != (skep_cbpf_run(other, other_count, &sent) != 0);
		/* whole: longer than any load of these filters reaches, which 20 bytes are not */
		if (!differ || verdict == SKEP_CBPF_EQUAL_WHOLE)
			continue;
		show(insns, count);
		show(other, other_count);
		fail_msg("said to be equal");
	}
	free(packet.data);
}

static void optimise__random_filters_are_compared_as_they_run(void **state)
{
	unsigned verdicts[4] = { 0 };

	(void)state;
	seed = 0x2026;
	for (unsigned i = 0; i < 2500; i++) {
		struct skep_cbpf_insn insns[64], *out;
		struct skep_text packet = { 0 };
		size_t count = random_filter(insns), out_count;

		if (skep_cbpf_check(insns, count, SKEP_CBPF_SOCKET, "f", NULL) < 0)
			continue;
		compare_agrees(insns, count, verdicts);
		assert_int_equal(skep_cbpf_optimise(insns, count, SKEP_CBPF_SOCKET, "f", &out, &out_count,
						    NULL), 0);
		assert_int_not_equal(skep_cbpf_compare(insns, count, out, out_count, &packet, NULL),
				     SKEP_CBPF_DIFFER);
		free(packet.data);
		free(out);
	}
	print_message("%u equal, %u equal when whole, %u differ, %u unknown\n", verdicts[0], verdicts[1],
		      verdicts[2], verdicts[3]);
	assert_true(verdicts[SKEP_CBPF_EQUAL] > 100 && verdicts[SKEP_CBPF_DIFFER] > 100);
}

static void optimise__random_filters_decide_as_before(void **state)
{
	unsigned tried = 0, better = 0, filters = getenv("FILTERS") ? (unsigned)atoi(getenv("FILTERS")) : 40000;

	(void)state;
	seed = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 0) : 0x1993;
	for (unsigned i = 0; i < filters; i++) {
		struct skep_cbpf_insn insns[64], *out;
		size_t count = random_filter(insns), out_count;

		if (skep_cbpf_check(insns, count, SKEP_CBPF_SOCKET, "f", NULL) < 0)
			continue;
		assert_int_equal(skep_cbpf_optimise(insns, count, SKEP_CBPF_SOCKET, "f", &out, &out_count,
						    NULL), 0);
		assert_int_equal(skep_cbpf_check(out, out_count, SKEP_CBPF_SOCKET, "f", NULL), 0);
		agree_on_packets(insns, count, out, out_count);
		tried++;
		better += out_count < count;
		free(out);
	}
	print_message("%u filters, %u became shorter\n", tried, better);
	assert_true(tried > filters / 3);
	assert_true(better > tried / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(optimise__a_test_that_an_earlier_one_decides_is_left_out),
		cmocka_unit_test(optimise__what_is_known_on_all_ways_is_known_where_they_meet),
		cmocka_unit_test(optimise__a_load_that_may_fail_is_kept_where_it_decides),
		cmocka_unit_test(optimise__many_tests_of_a_number_become_a_search),
		cmocka_unit_test(optimise__far_jumps_get_a_step_between),
		cmocka_unit_test(optimise__random_numbers_and_the_device_are_left_alone),
		cmocka_unit_test(optimise__calls_are_searched_too),
		cmocka_unit_test(optimise__random_filters_decide_as_before),
		cmocka_unit_test(optimise__random_filters_are_compared_as_they_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
