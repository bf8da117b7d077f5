/* SPDX-License-Identifier: BSD-2-Clause */
/* Conversion and native code: accepted by the verifier, and equal to the interpreter. */
#include "cbpf_test.h"

#include "../../cbpf/random_filter.h"
#include "cbpf/convert.h"
#include "verify/verify.h"

#define ALL_METADATA 0xffffu
#define SIZE 96u
#define ROW 8

static void fail_with(const struct filter *filter, const char *what, struct skep_diag *diag)
{
	struct skep_text text = { 0 };

	skep_cbpf_write(filter->insns, filter->count, SKEP_CBPF_LISTING, &text);
	fail_msg("%s\n%s\n%s", what, diag ? skep_diag_text(diag, 0) : "", text.data);
}

static struct skep_cbpf_packet random_packet(struct random *random, uint8_t *bytes)
{
	uint32_t headroom = random_below(random, 30);

	packet_make(bytes, SIZE + 30, random);
	return (struct skep_cbpf_packet){
		.data = bytes + headroom, .size = random_below(random, 8) ? SIZE : random_below(random, SIZE),
		.len = random_below(random, 2) ? 0 : 1500, .headroom = headroom,
		.network = (int32_t)random_below(random, 20), .link = -(int32_t)headroom,
		.has_link = random_below(random, 2), .has_device = random_below(random, 4) > 0,
		.ifindex = random_next(random), .hatype = (uint16_t)random_next(random),
		.type = (uint8_t)random_next(random), .protocol = 0x0800, .mark = random_next(random),
		.queue = (uint16_t)random_next(random), .hash = random_next(random),
		.vlan_present = random_below(random, 2), .vlan_tci = (uint16_t)random_next(random),
		.vlan_tpid = 0x8100, .cpu = random_below(random, 8), .random = random_next(random),
	};
}

static size_t passed(const uint32_t results[ROW])
{
	size_t count = 0;

	for (int i = 0; i < ROW; i++)
		count += results[i] != 0;
	return count;
}

static void native__equals_the_interpreter(void **state)
{
	struct random random = { 1 };
	static uint8_t bytes[ROW][SIZE + 30];
	struct skep_cbpf_packet packets[ROW];
	uint32_t want[ROW], many[ROW];
	unsigned compiled = 0, dropped = 0, runs = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct skep_diag *diag = skep_diag_new();
		struct filter filter;
		struct skep_filter *native;
		size_t size;

		/* half of them without what only the interpreter does */
		filter_make(&filter, &random, SKEP_CBPF_SOCKET, SIZE, i & 1 ? ALL_METADATA : 0xffe7);
		native = skep_filter_open(filter.insns, filter.count, SKEP_CBPF_SOCKET,
					  i & 1 ? 0 : SKEP_FILTER_COMPILE, "f", diag);
		if (!native)
			fail_with(&filter, "not opened", diag);
		compiled += skep_filter_native(native, &size) != NULL;
		for (int j = 0; j < ROW; j++) {
			packets[j] = random_packet(&random, bytes[j]);
			want[j] = skep_cbpf_run(filter.insns, filter.count, &packets[j]);
			dropped += want[j] == 0;
			runs++;
			if (skep_filter_run(native, &packets[j]) != want[j])
				fail_with(&filter, "differs", NULL);
		}
		if (skep_filter_run_many(native, packets, ROW, many) != passed(want) ||
		    memcmp(want, many, sizeof(want)) != 0)
			fail_with(&filter, "differs in a row", NULL);
		skep_filter_free(native);
		skep_diag_free(diag);
	}
	/* The rest look for netlink attributes. */
	assert_true(compiled > 15000);
	assert_true(dropped > runs / 20 && dropped < runs / 10 * 9);
}

static void native__equals_the_interpreter_for_seccomp(void **state)
{
	struct random random = { 2 };

	(void)state;
	for (int i = 0; i < 10000; i++) {
		struct skep_diag *diag = skep_diag_new();
		struct filter filter;
		struct skep_filter *native;

		filter_make(&filter, &random, SKEP_CBPF_SECCOMP, 64, 0);
		native = skep_filter_open(filter.insns, filter.count, SKEP_CBPF_SECCOMP,
					  SKEP_FILTER_COMPILE, "f", diag);
		if (!native)
			fail_with(&filter, "not opened", diag);
		for (int j = 0; j < 4; j++) {
			struct skep_cbpf_call call;
			uint8_t *bytes = (uint8_t *)&call;

			packet_make(bytes, sizeof(call), &random);
			if (skep_filter_run_call(native, &call) !=
			    skep_cbpf_run_call(filter.insns, filter.count, &call))
				fail_with(&filter, "differs", NULL);
		}
		skep_filter_free(native);
		skep_diag_free(diag);
	}
}

static const struct { enum skep_cbpf_target target; uint32_t type; const char *name; } kinds[] = {
	{ SKEP_CBPF_TO_SOCKET_FILTER, BPF_PROG_TYPE_SOCKET_FILTER, "socket_filter" },
	{ SKEP_CBPF_TO_TC, BPF_PROG_TYPE_SCHED_CLS, "sched_cls" },
	{ SKEP_CBPF_TO_XDP, BPF_PROG_TYPE_XDP, "xdp" },
};

static int judge(const struct skep_insn *insns, size_t count, uint32_t type, struct skep_diag *diag)
{
	struct skep_verify_result result = { 0 };
	struct prog_spec spec = { .name = "f", .type = prog_type(type), .license = "MIT", .insns = insns,
				  .len = (uint32_t)count,
				  .attach = type == BPF_PROG_TYPE_XDP ? BPF_XDP : 0 };
	int error = verify(&spec, &(struct skep_verify_opts){ 0 }, &result, NULL, diag);

	skep_verify_result_done(&result);
	return error < 0 ? error : result.error;
}

static void convert__the_verifier_accepts_every_kind(void **state)
{
	struct random random = { 3 };
	unsigned converted[3] = { 0 };

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct filter filter;

		filter_make(&filter, &random, SKEP_CBPF_SOCKET, SIZE, i % 3 ? 0 : ALL_METADATA);
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
			struct skep_diag *diag = skep_diag_new();
			struct skep_insn *insns = NULL;
			size_t count;
			int error = skep_cbpf_to_ebpf(filter.insns, filter.count, kinds[k].target, "f",
						      &insns, &count, diag);

			if (error < 0 && (error != -EOPNOTSUPP || skep_diag_count(diag) != 1))
				fail_with(&filter, "not converted", diag);
			if (error == 0 && judge(insns, count, kinds[k].type, diag) < 0)
				fail_with(&filter, kinds[k].name, diag);
			converted[k] += error == 0;
			free(insns);
			skep_diag_free(diag);
		}
	}
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		assert_true(converted[k] > 1000);
}

/* "w5 = w7; w5 += 9" would be known to Linux as X and a constant, which it refuses for pointers. */
static void convert__an_index_is_added_to_its_constant(void **state)
{
	size_t count, ebpf_count, found = 0;
	struct skep_cbpf_insn *insns = filter_of("ldx len\nldb [x + 1000000]\nret a", &count);

	(void)state;
	for (size_t k = 1; k < ARRAY_SIZE(kinds); k++) {
		struct skep_insn *ebpf;

		assert_int_equal(skep_cbpf_to_ebpf(insns, count, kinds[k].target, "f", &ebpf, &ebpf_count,
						   NULL), 0);
		for (size_t i = 0; i + 1 < ebpf_count; i++) {
			char text[64], next[64];

			skep_disasm(ebpf, ebpf_count, i, text, sizeof(text));
			skep_disasm(ebpf, ebpf_count, i + 1, next, sizeof(next));
			assert_null(strstr(next, "+= 1000000"));
			found += strcmp(text, "w5 = 1000000") == 0 && strstr(next, "w5 += w") != NULL;
		}
		free(ebpf);
	}
	assert_int_equal(found, 2);
	free(insns);
}

static void convert__what_a_kind_does_not_have_is_named(void **state)
{
	static const struct { const char *text; enum skep_cbpf_target target; const char *words; } rows[] = {
		{ "ld hatype\nret a", SKEP_CBPF_TO_SOCKET_FILTER, "a socket filter cannot load 'hatype'" },
		{ "ld #1\nld poff\nret a", SKEP_CBPF_TO_TC, "instruction 1: a tc classifier cannot load 'poff'" },
		{ "ld [-1048576]\nret a", SKEP_CBPF_TO_XDP, "an XDP program cannot load from where" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct skep_diag *diag = skep_diag_new();
		struct skep_insn *ebpf = NULL;
		size_t count, ebpf_count;
		struct skep_cbpf_insn *insns = filter_of(rows[i].text, &count);

		assert_int_equal(skep_cbpf_to_ebpf(insns, count, rows[i].target, "f", &ebpf, &ebpf_count,
						   diag), -EOPNOTSUPP);
		assert_null(ebpf);
		assert_non_null(strstr(only_message(diag), rows[i].words));
		free(insns);
	}
}

/* As many instructions as Linux takes, each of those that become the most. */
static void native__the_longest_filters_run(void **state)
{
	struct skep_cbpf_insn *insns = calloc(4096, sizeof(*insns));
	uint8_t bytes[64] = { 1, 2, 3, 4 };
	struct skep_cbpf_packet packet = { .data = bytes, .size = sizeof(bytes) };

	(void)state;
	for (int i = 0; i < 4094; i++)
		insns[i] = i % 2 ? (struct skep_cbpf_insn){ 0x48, 0, 0, 0x40000001 - (uint32_t)(i == 4093) }
				 : (struct skep_cbpf_insn){ 0x01, 0, 0, 0xc0000000 };
	insns[4094] = (struct skep_cbpf_insn){ 0x04, 0, 0, 7 };
	insns[4095] = (struct skep_cbpf_insn){ 0x16, 0, 0, 0 };
	for (size_t k = 0; k < 4; k++) {
		struct skep_diag *diag = skep_diag_new();
		struct skep_insn *ebpf = NULL;
		size_t count;
		struct skep_filter *filter;

		if (k < 3) {
			assert_int_equal(skep_cbpf_to_ebpf(insns, 4096, kinds[k].target, "f", &ebpf, &count,
							   diag), 0);
			if (judge(ebpf, count, kinds[k].type, diag) < 0)
				fail_msg("%s: %s", kinds[k].name, skep_diag_text(diag, 0));
			free(ebpf);
		} else {
			filter = skep_filter_open(insns, 4096, SKEP_CBPF_SOCKET, SKEP_FILTER_COMPILE, "f",
						  diag);
			assert_non_null(filter);
			assert_int_equal(skep_filter_run(filter, &packet), 0x0102 + 7);
			skep_filter_free(filter);
		}
		skep_diag_free(diag);
	}
	free(insns);
}

static void native__a_check_is_not_made_twice(void **state)
{
	static const char *const texts[] = {
		"ldb [9]\njeq #6, y\nret #1\ny: ldh [2]\nret a", /* the second is before the first */
		"ldb [9]\njeq #6, y\nret #1\ny: ldh [20]\nret a",
		"ldb [9]\njeq #6, y\nret #0\ny: ldh [20]\nret a", /* without the second, 0 anyway */
	};
	size_t counts[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		size_t count;
		struct skep_cbpf_insn *insns = filter_of(texts[i], &count);
		struct skep_filter *filter = skep_filter_open(insns, count, SKEP_CBPF_SOCKET,
							      SKEP_FILTER_COMPILE, "f", NULL);

		assert_non_null(skep_filter_ebpf(filter, &counts[i]));
		skep_filter_free(filter);
		free(insns);
	}
	assert_int_equal(counts[1], counts[0] + 3);
	assert_int_equal(counts[2], counts[0]);
}

/* 'if the word is 1' of a packet that has it as it is, and what is computed with or ordered. */
static void native__numbers_are_swapped_only_where_their_order_matters(void **state)
{
	static const struct { const char *text; bool swapped; } rows[] = {
		{ "ldh [0]\njeq #0x102, y\nret #0\ny: ret #1", false },
		{ "ldh [0]\njset #0x102, y\nret #0\ny: ret #1", false },
		{ "ld [0]\njeq #0x1020304, y\nret #0\ny: ret #1", false },
		{ "ldxb 4*([0]&0xf)\nldh [x + 0]\njeq #0x102, y\nret #0\ny: ret #1", false },
		{ "ldh [0]\njgt #0x102, y\nret #0\ny: ret #1", true },
		{ "ldh [0]\njeq #0x10102, y\nret #0\ny: ret #1", true },
		{ "ldh [0]\njeq #0x102, y\nret a\ny: ret #1", true },
		{ "ldh [0]\njeq #1, y\nld [0]\ny: jeq #0x1020304, z\nret #0\nz: ret #1", true },
	};
	static const uint8_t bytes[64] = { 1, 2, 3, 4, 1, 2 };
	const struct skep_cbpf_packet packet = { .data = bytes, .size = sizeof(bytes) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t count, ebpf_count;
		struct skep_cbpf_insn *insns = filter_of(rows[i].text, &count);
		struct skep_filter *filter = skep_filter_open(insns, count, SKEP_CBPF_SOCKET,
							      SKEP_FILTER_COMPILE, "f", NULL);
		const struct skep_insn *ebpf = skep_filter_ebpf(filter, &ebpf_count);
		bool swapped = false;

		for (size_t k = 0; k < ebpf_count; k++)
			swapped |= ebpf[k].code == 0xdc;
		assert_int_equal(swapped, rows[i].swapped);
		assert_int_equal(skep_filter_run(filter, &packet), skep_cbpf_run(insns, count, &packet));
		skep_filter_free(filter);
		free(insns);
	}
}

static void native__loads_far_into_large_packets(void **state)
{
	enum { LARGE = 200000 };
	uint8_t *bytes = calloc(1, LARGE);
	struct skep_cbpf_packet packet = { .data = bytes, .size = LARGE };
	static const struct { const char *text; uint32_t result; } rows[] = {
		{ "ldb [199999]\nret a", 9 }, { "ldb [200000]\nret #5", 0 },
		{ "ldx #199990\nldb [x + 9]\nret a", 9 }, { "ldx #199990\nldb [x + 10]\nret #5", 0 },
		{ "ldb [64998]\nret a", 8 }, { "ldx 4*([199999]&0xf)\ntxa\nret a", 36 },
	};

	(void)state;
	bytes[199999] = 9;
	bytes[64998] = 8;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t count;
		struct skep_cbpf_insn *insns = filter_of(rows[i].text, &count);
		struct skep_filter *filter = skep_filter_open(insns, count, SKEP_CBPF_SOCKET,
							      SKEP_FILTER_COMPILE, "f", NULL);

		assert_non_null(filter);
		assert_int_equal(skep_filter_run(filter, &packet), rows[i].result);
		assert_int_equal(skep_cbpf_run(insns, count, &packet), rows[i].result);
		skep_filter_free(filter);
		free(insns);
	}
	free(bytes);
}

/* What people filter by goes over packets in one loop, with a length and a word of memory too. */
static void native__rows_of_packets_need_one_call(void **state)
{
	static const char *const texts[] = {
		"ldh [12]\njeq #0x800, y\nret #0\ny: ret #-1",
		"ldb [0]\nst M[9]\nldx 4*([14]&0xf)\nldh [x + 14]\nldx M[9]\nadd x\nret a",
		"ld len\njgt #7, y\nret #0\ny: ret a",
	};
	static uint8_t bytes[ROW][40];
	struct skep_cbpf_packet packets[ROW];
	uint32_t many[ROW];

	(void)state;
	for (int i = 0; i < ROW; i++) {
		bytes[i][12] = 8 * (i & 1);
		bytes[i][0] = (uint8_t)i;
		packets[i] = (struct skep_cbpf_packet){ .data = bytes[i], .size = i == 3 ? 5 : 40,
							.len = i & 2 ? 100 : 0 };
	}
	for (size_t k = 0; k < ARRAY_SIZE(texts); k++) {
		size_t count;
		struct skep_cbpf_insn *insns = filter_of(texts[k], &count);
		struct cbpf_program loop;
		struct skep_filter *filter = skep_filter_open(insns, count, SKEP_CBPF_SOCKET,
							      SKEP_FILTER_COMPILE, "f", NULL);

		assert_int_equal(cbpf_convert_loop(&(struct cbpf_code){ insns, count, NULL }, &loop), 0);
		cbpf_program_done(&loop);
		skep_filter_run_many(filter, packets, ROW, many);
		for (int i = 0; i < ROW; i++)
			assert_int_equal(many[i], skep_cbpf_run(insns, count, &packets[i]));
		assert_int_equal(skep_filter_run_many(filter, packets, 0, many), 0);
		skep_filter_free(filter);
		free(insns);
	}
}

static void native__can_be_declined(void **state)
{
	struct skep_cbpf_insn insns[] = { { 0x20, 0, 0, CBPF_ANCILLARY + 12 }, { 0x16, 0, 0, 0 } };
	struct skep_diag *diag = skep_diag_new();
	struct skep_filter *filter;
	size_t size;

	(void)state;
	assert_null(skep_filter_open(insns, 2, SKEP_CBPF_SOCKET, SKEP_FILTER_COMPILE, "f", diag));
	assert_non_null(strstr(only_message(diag), "native code cannot load 'nla'"));
	filter = skep_filter_open(insns, 2, SKEP_CBPF_SOCKET, 0, "f", NULL);
	assert_null(skep_filter_native(filter, &size));
	skep_filter_free(filter);
	filter = skep_filter_open(insns + 1, 1, SKEP_CBPF_SOCKET, SKEP_FILTER_INTERPRET, "f", NULL);
	assert_null(skep_filter_native(filter, &size));
	skep_filter_free(filter);
	assert_null(skep_filter_open(insns, 1, SKEP_CBPF_SOCKET, 0, "f", NULL));
	skep_filter_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(native__equals_the_interpreter),
		cmocka_unit_test(native__equals_the_interpreter_for_seccomp),
		cmocka_unit_test(convert__the_verifier_accepts_every_kind),
		cmocka_unit_test(convert__an_index_is_added_to_its_constant),
		cmocka_unit_test(convert__what_a_kind_does_not_have_is_named),
		cmocka_unit_test(native__the_longest_filters_run),
		cmocka_unit_test(native__a_check_is_not_made_twice),
		cmocka_unit_test(native__numbers_are_swapped_only_where_their_order_matters),
		cmocka_unit_test(native__loads_far_into_large_packets),
		cmocka_unit_test(native__rows_of_packets_need_one_call),
		cmocka_unit_test(native__can_be_declined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
