/* SPDX-License-Identifier: BSD-2-Clause */
/* What instructions do: bytes, metadata, arithmetic and calls. */
#include "cbpf_test.h"

#include <stdio.h>

static const uint8_t bytes[] = { 0x45, 0x01, 0x02, 0x03, 0x84, 0x05, 0x06, 0x07 };

static uint32_t run_on(const char *text, const struct skep_cbpf_packet *packet)
{
	size_t count;
	struct skep_cbpf_insn *insns = filter_of(text, &count);
	uint32_t result;

	assert_int_equal(skep_cbpf_check(insns, count, SKEP_CBPF_SOCKET, "f", NULL), 0);
	result = skep_cbpf_run(insns, count, packet);
	free(insns);
	return result;
}

static uint32_t run(const char *text)
{
	return run_on(text, &(struct skep_cbpf_packet){ .data = bytes, .size = sizeof(bytes) });
}

struct case_row { const char *text; uint32_t result; };

static void expect_all(const struct case_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t is = run(rows[i].text);

		if (is != rows[i].result)
			fail_msg("'%s' returns %u, not %u", rows[i].text, is, rows[i].result);
	}
}

static void run__loads_are_big_endian_and_unsigned(void **state)
{
	static const struct case_row rows[] = {
		{ "ld [1]\nret a", 0x01020384 },
		{ "ldh [4]\nret a", 0x8405 },
		{ "ldb [4]\nret a", 0x84 },
		{ "ldx #3\nldb [x + 1]\nret a", 0x84 },
		{ "ldx #3\nld [x + -2]\nret a", 0x01020384 },
		{ "ldxb 4*([0]&0xf)\ntxa\nret a", 20 },
		{ "ld len\nret a", 8 },
		{ "ldx len\ntxa\nret a", 8 },
	};

	(void)state;
	expect_all(rows, ARRAY_SIZE(rows));
}

static void run__a_load_outside_drops_the_packet(void **state)
{
	static const struct case_row rows[] = {
		{ "ld [4]\nret #9", 9 },
		{ "ld [5]\nret #9", 0 },
		{ "ldh [7]\nret #9", 0 },
		{ "ldb [8]\nret #9", 0 },
		{ "ldx 4*([8]&0xf)\nret #9", 0 },
		{ "ldx #0x7fffffff\nldb [x + 1]\nret #9", 0 },
		{ "ldx #-1\nldb [x + 1]\nret #9", 9 },
	};

	(void)state;
	expect_all(rows, ARRAY_SIZE(rows));
}

static void run__negative_offsets_count_from_headers(void **state)
{
	struct skep_cbpf_packet packet = { .data = bytes + 4, .size = 4, .headroom = 4, .network = 1,
					   .link = -4 };

	(void)state;
	assert_int_equal(run_on("ldb [-1048576]\nret a", &packet), 0x05);
	assert_int_equal(run_on("ldx #-1048576\nldb [x + 1]\nret a", &packet), 0x06);
	assert_int_equal(run_on("ldb [-2097152]\nret #9", &packet), 0);
	packet.has_link = true;
	assert_int_equal(run_on("ldb [-2097152]\nret a", &packet), 0x45);
	assert_int_equal(run_on("ldx 4*([-2097152]&0xf)\ntxa\nret a", &packet), 20);
	packet.headroom = 3;
	assert_int_equal(run_on("ldb [-2097152]\nret #9", &packet), 0);
	assert_int_equal(run_on("ldb [-2097153]\nret #9", &packet), 0);
}

static void run__arithmetic_is_of_32_bits(void **state)
{
	static const struct case_row rows[] = {
		{ "ld #-1\nadd #2\nret a", 1 },
		{ "ld #7\nldx #-1\nmul x\nret a", (uint32_t)-7 },
		{ "ld #-1\ndiv #16\nret a", 0x0fffffff },
		{ "ld #17\nmod #5\nret a", 2 },
		{ "ld #1\nneg\nret a", UINT32_MAX },
		{ "ld #1\nldx #33\nlsh x\nret a", 2 },
		{ "ld #8\nldx #35\nrsh x\nret a", 1 },
		{ "ld #5\nxor #3\nor #8\nand #0xc\nret a", 12 },
		{ "ld #5\nst M[2]\nldx M[2]\nadd x\nret a", 10 },
	};

	(void)state;
	expect_all(rows, ARRAY_SIZE(rows));
}

static void run__division_by_x_of_zero_drops_the_packet(void **state)
{
	static const struct case_row rows[] = {
		{ "ld #7\ndiv x\nret #9", 0 },
		{ "ld #7\nmod x\nret #9", 0 },
	};

	(void)state;
	expect_all(rows, ARRAY_SIZE(rows));
}

static void run__comparisons_are_unsigned(void **state)
{
	static const struct case_row rows[] = {
		{ "ld #-1\njgt #1, y\nret #1\ny: ret #2", 2 },
		{ "ld #1\njge #-1, y\nret #1\ny: ret #2", 1 },
		{ "ld #6\njset #9, y\nret #1\ny: ret #2", 1 },
		{ "ld #6\nldx #6\njeq x, y\nret #1\ny: ret #2", 2 },
		{ "ld #6\njlt #7, y\nret #1\ny: ret #2", 2 },
		{ "ld #7\njle #7, y\nret #1\ny: ret #2", 2 },
		{ "ja y\nret #1\ny: ret #2", 2 },
	};

	(void)state;
	expect_all(rows, ARRAY_SIZE(rows));
}

static void run__metadata_is_loaded(void **state)
{
	struct skep_cbpf_packet packet = {
		.data = bytes, .size = 8, .len = 1500, .has_device = true, .ifindex = 3, .hatype = 772,
		.type = 4, .protocol = 0x86dd, .queue = 5, .vlan_present = true, .vlan_tci = 0x6001,
		.vlan_tpid = 0x8100, .mark = 77, .hash = 0xdeadbeef, .cpu = 2, .random = 99,
	};
	static const struct { const char *name; uint32_t value; } rows[] = {
		{ "len", 1500 }, { "proto", 0x86dd }, { "type", 4 }, { "ifidx", 3 }, { "hatype", 772 },
		{ "queue", 5 }, { "vlan_tci", 0x6001 }, { "vlan_avail", 1 }, { "vlan_pr", 1 },
		{ "vlan_tpid", 0x8100 }, { "mark", 77 }, { "rxhash", 0xdeadbeef }, { "cpu", 2 },
		{ "rand", 99 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[64];

		snprintf(text, sizeof(text), "ld #%s\nret a", rows[i].name);
		assert_int_equal(run_on(text, &packet), rows[i].value);
	}
	assert_int_equal(run_on("ld #5\nldx #3\nld [-4056]\nret a", &packet), 6);
	/* Without a device the filter ends with what A holds. */
	packet.has_device = false;
	assert_int_equal(run_on("ld #5\nld ifidx\nret #9", &packet), 5);
}

static void run__netlink_attributes_are_found(void **state)
{
	/* length, type: 8,1 and payload; 12,2 with one of 8,3 inside */
	static const uint8_t nla[] = { 8, 0, 1, 0, 9, 9, 9, 9, 12, 0, 2, 0x80, 8, 0, 3, 0, 7, 7, 7, 7 };
	struct skep_cbpf_packet packet = { .data = nla, .size = sizeof(nla) };

	(void)state;
	assert_int_equal(run_on("ldx #2\nld nla\nret a", &packet), 8);
	assert_int_equal(run_on("ldx #4\nld nla\nret a", &packet), 0);
	assert_int_equal(run_on("ld #8\nldx #3\nld nlan\nret a", &packet), 12);
	assert_int_equal(run_on("ld #17\nldx #3\nld nla\nret a", &packet), 0);
	assert_int_equal(run_on("ld #8\nldx #2\nld nlan\nret a", &packet), 0);
}

static uint32_t payload(const uint8_t *data, uint32_t size, uint16_t protocol)
{
	return run_on("ld poff\nret a",
		      &(struct skep_cbpf_packet){ .data = data, .size = size, .protocol = protocol });
}

static void run__the_payload_is_behind_the_headers(void **state)
{
	uint8_t packet[128] = { 0x46 };

	(void)state;
	packet[9] = 17;
	assert_int_equal(payload(packet, 128, 0x0800), 32);
	packet[9] = 6;
	packet[24 + 12] = 0x80;
	assert_int_equal(payload(packet, 128, 0x0800), 24 + 32);
	packet[7] = 1; /* a later fragment has no transport header */
	assert_int_equal(payload(packet, 128, 0x0800), 24);
	packet[0] = 0x44;
	assert_int_equal(payload(packet, 128, 0x0800), 0);
	assert_int_equal(payload(packet, 19, 0x0800), 0);
	assert_int_equal(payload(packet, 128, 0x1234), 0);
	memset(packet, 0, sizeof(packet));
	packet[0] = 0x60;
	packet[6] = 0;   /* options, 16 bytes, then ICMP */
	packet[40] = 58;
	packet[41] = 1;
	assert_int_equal(payload(packet, 128, 0x86dd), 40 + 16 + 8);
	/* what Linux ends at: an MPLS label, a PTP header; and fourteen bytes of link in GRE */
	assert_int_equal(payload(packet, 128, 0x8847), 4);
	assert_int_equal(payload(packet, 3, 0x8847), 3); /* it does not look at the label */
	assert_int_equal(payload(packet, 33, 0x88f7), 0);
	assert_int_equal(payload(packet, 128, 0x88f7), 34);
	memset(packet, 0, sizeof(packet));
	packet[0] = 0x45;
	packet[9] = 47;
	memcpy(packet + 20, (const uint8_t[]){ 0x20, 0, 0x65, 0x58 }, 4);
	packet[28 + 12] = 8;
	packet[42] = 0x45;
	packet[42 + 9] = 132;
	assert_int_equal(payload(packet, 128, 0x0800), 20 + 8 + 14 + 20 + 12);
}

static void run__a_seccomp_filter_sees_the_call(void **state)
{
	struct skep_cbpf_call call = { .nr = 39, .arch = 0xc000003e, .ip = 0x1122334455667788,
				       .args = { 1, 2, 3, 4, 5, 0x600000007 } };
	static const struct { const char *text; uint32_t value; } rows[] = {
		{ "ld [0]\nret a", 39 }, { "ld [4]\nret a", 0xc000003e }, { "ld [8]\nret a", 0x55667788 },
		{ "ld [12]\nret a", 0x11223344 }, { "ld [56]\nret a", 7 }, { "ld [60]\nret a", 6 },
		{ "ld len\nret a", 64 }, { "ld #3\nst M[1]\nldx M[1]\nmul x\nret a", 9 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t count;
		struct skep_cbpf_insn *insns = filter_of(rows[i].text, &count);

		assert_int_equal(skep_cbpf_check(insns, count, SKEP_CBPF_SECCOMP, "f", NULL), 0);
		assert_int_equal(skep_cbpf_run_call(insns, count, &call), rows[i].value);
		free(insns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(run__loads_are_big_endian_and_unsigned),
		cmocka_unit_test(run__a_load_outside_drops_the_packet),
		cmocka_unit_test(run__negative_offsets_count_from_headers),
		cmocka_unit_test(run__arithmetic_is_of_32_bits),
		cmocka_unit_test(run__division_by_x_of_zero_drops_the_packet),
		cmocka_unit_test(run__comparisons_are_unsigned),
		cmocka_unit_test(run__metadata_is_loaded),
		cmocka_unit_test(run__netlink_attributes_are_found),
		cmocka_unit_test(run__the_payload_is_behind_the_headers),
		cmocka_unit_test(run__a_seccomp_filter_sees_the_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
