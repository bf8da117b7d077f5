/* SPDX-License-Identifier: BSD-2-Clause */
/* test_packet.c - programs on packets: what they see, and what comes of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "hook/frame.h"
#include "machine/machine.h"
#include "verify/verify.h"

static struct skep_machine *machine;
static struct skep_diag *diag;

static int setup(void **state)
{
	(void)state;
	diag = skep_diag_new();
	machine = skep_machine_new(NULL, diag);
	return machine ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	skep_machine_free(machine);
	skep_diag_free(diag);
	return 0;
}

#define I(code_, dst_, src_, off_, imm_) \
	{ .code = (code_), .dst = (dst_), .src = (src_), .off = (off_), .imm = (imm_) }
#define MOV(dst, imm) I(0xb7, dst, 0, 0, imm)
#define MOV_REG(dst, src) I(0xbf, dst, src, 0, 0)
#define FIELD(dst, off) I(0x61, dst, 1, off, 0)
#define CALL(id) I(0x85, 0, 0, 0, id)
#define EXIT I(0x95, 0, 0, 0, 0)

/* map, as map_spec says, is the program's only one; or both are NULL. */
static struct skep_prog *prog_with(uint32_t type, uint32_t attach, const struct skep_insn *insns,
				   size_t count, const struct map_spec *map_spec, struct map *map)
{
	struct prog_spec spec = { .name = "test", .type = prog_type(type), .attach = attach,
				  .insns = insns, .len = (uint32_t)count, .license = "GPL",
				  .maps = &map_spec, .map_count = map_spec != NULL };
	struct skep_verify_opts opts = { 0 };
	struct skep_verify_result result = { 0 };
	struct verified verified = { 0 };
	struct skep_prog *prog = calloc(1, sizeof(*prog));
	int error = 0;

	assert_non_null(prog);
	assert_int_equal(verify(&spec, &opts, &result, &verified, diag), 0);
	if (result.error < 0)
		fail_msg("the verifier says: %s", result.message);
	prog->machine = machine;
	prog->type = spec.type;
	prog->attach = attach;
	prog->name = strdup("test");
	prog->code = code_new(&verified, &spec, &map, machine->world, true, &error, diag);
	assert_non_null(prog->code);
	verified_done(&verified);
	skep_verify_result_done(&result);
	return prog;
}

static struct skep_prog *prog_of(uint32_t type, uint32_t attach, const struct skep_insn *insns,
				 size_t count)
{
	return prog_with(type, attach, insns, count, NULL, NULL);
}

static void prog_end(struct skep_prog *prog)
{
	if (prog->hook_done)
		prog->hook_done(prog->hook);
	code_free(prog->code, machine->world);
	free(prog->name);
	free(prog);
}

#define PROG(type, attach, ...)                                                     \
	prog_of(BPF_PROG_TYPE_##type, (attach), (const struct skep_insn[]){ __VA_ARGS__ }, \
		ARRAY_SIZE(((const struct skep_insn[]){ __VA_ARGS__ })))

/* An ARP, an IPv4 and a tagged IPv4 packet. */
static const uint8_t ip_packet[60] = {
	0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45, 0, 0, 46, 0, 1, 0, 0, 64, 17,
	0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, 53, 0, 53, 0, 26, 0, 0,
};
static const uint8_t tagged_packet[64] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0, 0, 2, 0x81, 0x00, 0x60, 0x64, 0x08, 0x00,
	0x45, 0, 0, 46,
};

static struct skep_packet_out run(struct skep_prog *prog, const void *data, uint32_t size)
{
	struct skep_packet_in in = { .data = data, .size = size, .ifindex = 3, .rx_queue = 2 };
	struct skep_packet_out out = { 0 };

	assert_int_equal(skep_prog_run_packet(prog, &in, &out, diag), 0);
	return out;
}

/* The value of a context field, as a program of the type sees it. */
static uint32_t field(uint32_t type, uint32_t attach, int off, const void *data, uint32_t size)
{
	const struct skep_insn insns[] = { FIELD(0, off), EXIT };
	struct skep_prog *prog = prog_of(type, attach, insns, 2);
	struct skep_packet_out out = run(prog, data, size);

	prog_end(prog);
	return (uint32_t)out.retval;
}

static void packet__tc_sees_the_tag_beside_the_packet(void **state)
{
	enum { TC = BPF_PROG_TYPE_SCHED_CLS };

	(void)state;
	assert_int_equal(field(TC, 0, 0, tagged_packet, 64), 60);
	assert_int_equal(field(TC, 0, 16, tagged_packet, 64), ETHER_IP);
	assert_int_equal(field(TC, 0, 20, tagged_packet, 64), 1);
	assert_int_equal(field(TC, 0, 24, tagged_packet, 64), 0x6064);
	assert_int_equal(field(TC, 0, 28, tagged_packet, 64), ETHER_8021Q);
	assert_int_equal(field(TC, 0, 4, tagged_packet, 64), FOR_BROADCAST);
	assert_int_equal(field(TC, 0, 4, ip_packet, 60), FOR_HOST);
	assert_int_equal(field(TC, 0, 12, ip_packet, 60), 3);
	assert_int_equal(field(TC, 0, 36, ip_packet, 60), 3);
	assert_int_equal(field(TC, 0, 40, ip_packet, 60), 3);
}

static void packet__a_program_that_changes_nothing_leaves_the_bytes(void **state)
{
	static const uint32_t types[] = { BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_SCHED_CLS,
					  BPF_PROG_TYPE_LWT_IN, BPF_PROG_TYPE_CGROUP_SKB };
	const struct skep_insn insns[] = { MOV(0, 1), EXIT };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct skep_prog *prog = prog_of(types[i], 0, insns, 2);
		struct skep_packet_out out = run(prog, tagged_packet, 64);

		assert_int_equal(out.size, 64);
		assert_memory_equal(out.data, tagged_packet, 64);
		assert_false(out.changed);
		prog_end(prog);
	}
}

static void packet__popping_the_tag_shortens_the_packet(void **state)
{
	struct skep_prog *prog = PROG(SCHED_CLS, 0, CALL(19), MOV(0, 0), EXIT);
	struct skep_packet_out out = run(prog, tagged_packet, 64);

	(void)state;
	assert_int_equal(out.size, 60);
	assert_memory_equal((const uint8_t *)out.data + 12, "\x08\x00\x45", 3);
	assert_true(out.changed);
	prog_end(prog);
}

static void packet__xdp_actions_and_their_verdicts(void **state)
{
	static const struct {
		int value;
		enum skep_verdict verdict;
		const char *action;
	} cases[] = {
		{ 0, SKEP_VERDICT_ABORTED, "XDP_ABORTED" }, { 1, SKEP_VERDICT_DROP, "XDP_DROP" },
		{ 2, SKEP_VERDICT_PASS, "XDP_PASS" }, { 3, SKEP_VERDICT_TX, "XDP_TX" },
		/* It asked for a redirect, but to nowhere. */
		{ 4, SKEP_VERDICT_DROP, "XDP_REDIRECT" }, { 9, SKEP_VERDICT_ABORTED, "unknown 9" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct skep_insn insns[] = { MOV(0, cases[i].value), EXIT };
		struct skep_prog *prog = prog_of(BPF_PROG_TYPE_XDP, BPF_XDP, insns, 2);
		struct skep_packet_out out = run(prog, ip_packet, 60);

		assert_int_equal(out.verdict, cases[i].verdict);
		assert_string_equal(out.action, cases[i].action);
		assert_int_equal(out.retval, cases[i].value);
		prog_end(prog);
	}
}

static void packet__a_redirect_names_its_interface(void **state)
{
	struct skep_prog *prog = PROG(XDP, BPF_XDP, MOV(1, 7), MOV(2, 0), CALL(23), EXIT);
	struct skep_packet_out out = run(prog, ip_packet, 60);

	(void)state;
	assert_int_equal(out.verdict, SKEP_VERDICT_REDIRECT);
	assert_int_equal(out.redirect_ifindex, 7);
	prog_end(prog);
}

/* Sends a packet where the entry under its receive queue (2) says, or passes it. */
static const char redirect_text[] =
	"r2 = *(u32 *)(r1 +16)\n"
	"r1 = map[idx:0]\n"
	"r3 = 2\n"
	"call 51\n"
	"exit\n";

static void expect_redirects(const struct map_spec *spec, uint32_t value, uint32_t ifindex)
{
	uint32_t key = 2, other = 1;
	struct skep_insn *insns = NULL;
	struct skep_prog *prog;
	struct map *map;
	size_t count;
	int error = 0;

	assert_int_equal(skep_assemble(redirect_text, strlen(redirect_text), "test", &insns, &count,
				       diag), 0);
	map = map_new(spec, machine->memory, machine->vcpus, &error);
	assert_non_null(map);
	prog = prog_with(BPF_PROG_TYPE_XDP, BPF_XDP, insns, count, spec, map);
	assert_int_equal(map_user_update(map, &other, &value, 0), 0);
	assert_int_equal(run(prog, ip_packet, 60).verdict, SKEP_VERDICT_PASS);
	assert_int_equal(map_user_update(map, &key, &value, 0), 0);
	assert_int_equal(run(prog, ip_packet, 60).verdict, SKEP_VERDICT_REDIRECT);
	assert_int_equal(run(prog, ip_packet, 60).redirect_ifindex, ifindex);
	assert_int_equal(map_user_remove(map, &key), 0);
	assert_int_equal(run(prog, ip_packet, 60).verdict, SKEP_VERDICT_PASS);
	prog_end(prog);
	map_free(map);
	free(insns);
}

static void packet__goes_where_its_map_says(void **state)
{
	static const enum skep_engine engines[] = { SKEP_ENGINE_INTERPRETER, SKEP_ENGINE_AUTO };
	enum skep_engine before = machine->engine;
	struct map_spec spec = { .name = "targets", .key_size = 4, .value_size = 4,
				 .max_entries = 4 };

	(void)state;
	for (size_t e = 0; e < ARRAY_SIZE(engines); e++) {
		machine->engine = engines[e];
		spec.type = BPF_MAP_TYPE_DEVMAP;
		expect_redirects(&spec, 123456, 123456);
		spec.type = BPF_MAP_TYPE_DEVMAP_HASH;
		expect_redirects(&spec, 9, 9);
		/* Another CPU goes on with it: that is no interface. */
		spec.type = BPF_MAP_TYPE_CPUMAP;
		expect_redirects(&spec, 64, 0);
	}
	machine->engine = before;
}

static void packet__tc_classifier_without_an_opinion_passes(void **state)
{
	struct skep_prog *prog = PROG(SCHED_CLS, 0, MOV(0, -1), EXIT);
	struct skep_packet_out out = run(prog, ip_packet, 60);

	(void)state;
	assert_int_equal(out.verdict, SKEP_VERDICT_PASS);
	assert_string_equal(out.action, "TC_ACT_UNSPEC");
	assert_int_equal(out.retval, -1);
	prog_end(prog);
}

static void packet__socket_filter_keeps_so_many_bytes(void **state)
{
	struct skep_prog *prog = PROG(SOCKET_FILTER, 0, MOV(0, 20), EXIT);
	struct skep_packet_out out = run(prog, ip_packet, 60);

	(void)state;
	assert_int_equal(out.verdict, SKEP_VERDICT_PASS);
	assert_string_equal(out.action, "pass 20");
	assert_int_equal(out.size, 20);
	prog_end(prog);
	prog = PROG(SOCKET_FILTER, 0, MOV(0, 0), EXIT);
	out = run(prog, ip_packet, 60);
	assert_int_equal(out.verdict, SKEP_VERDICT_DROP);
	prog_end(prog);
	assert_int_equal(field(BPF_PROG_TYPE_SOCKET_FILTER, 0, 0, ip_packet, 60), 60);
}

static void packet__cgroup_sees_its_sockets_side_of_the_addresses(void **state)
{
	/* Whether what is read at off equals value. */
	static const struct {
		uint32_t attach;
		int off;
		int value;
	} cases[] = {
		{ BPF_CGROUP_INET_INGRESS, 0, 46 }, { BPF_CGROUP_INET_INGRESS, 88, 2 },
		{ BPF_CGROUP_INET_INGRESS, 92, 0x0100000a }, { BPF_CGROUP_INET_INGRESS, 96, 0x0200000a },
		{ BPF_CGROUP_INET_EGRESS, 92, 0x0200000a }, { BPF_CGROUP_INET_EGRESS, 96, 0x0100000a },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct skep_insn insns[] = {
			FIELD(2, cases[i].off), MOV(0, 0), I(0x55, 2, 0, 1, cases[i].value), MOV(0, 1),
			EXIT,
		};
		struct skep_prog *prog =
			prog_of(BPF_PROG_TYPE_CGROUP_SKB, cases[i].attach, insns, 5);

		assert_int_equal(run(prog, ip_packet, 60).verdict, SKEP_VERDICT_PASS);
		prog_end(prog);
	}
}

static void packet__xdp_may_grow_at_both_ends(void **state)
{
	struct skep_prog *prog = PROG(XDP, BPF_XDP, MOV_REG(6, 1), MOV(2, -8), CALL(44),
				      MOV_REG(1, 6), MOV(2, 5), CALL(65), MOV(0, 2), EXIT);
	struct skep_packet_out out = run(prog, ip_packet, 60);

	(void)state;
	assert_int_equal(out.size, 73);
	assert_memory_equal((const uint8_t *)out.data, "\0\0\0\0\0\0\0\0", 8);
	assert_memory_equal((const uint8_t *)out.data + 8, ip_packet, 60);
	assert_memory_equal((const uint8_t *)out.data + 68, "\0\0\0\0\0", 5);
	prog_end(prog);
}

static void packet__a_packet_as_large_as_can_be_runs(void **state)
{
	uint8_t *big = calloc(1, PACKET_MAX);
	struct skep_prog *prog = PROG(XDP, BPF_XDP, CALL(188), EXIT);

	(void)state;
	assert_non_null(big);
	assert_int_equal(run(prog, big, PACKET_MAX).retval, PACKET_MAX);
	prog_end(prog);
	free(big);
}

static void packet__what_cannot_run_is_refused_with_a_reason(void **state)
{
	struct skep_prog *prog = PROG(XDP, BPF_XDP, MOV(0, 2), EXIT);
	struct skep_packet_in in = { .data = ip_packet, .size = 13 };
	struct skep_packet_out out = { .size = 77 };

	(void)state;
	skep_diag_clear(diag);
	assert_int_equal(skep_prog_run_packet(prog, &in, &out, diag), -EINVAL);
	assert_int_equal(skep_diag_get(diag, 0)->code, SKEP_PACKET_SIZE);
	in.size = PACKET_MAX + 1;
	assert_int_equal(skep_prog_run_packet(prog, &in, &out, NULL), -EINVAL);
	prog_end(prog);
	prog = PROG(TRACEPOINT, 0, MOV(0, 0), EXIT);
	in.size = 60;
	skep_diag_clear(diag);
	assert_int_equal(skep_prog_run_packet(prog, &in, &out, diag), -EOPNOTSUPP);
	assert_int_equal(skep_diag_get(diag, 0)->code, SKEP_PACKET_TYPE);
	assert_int_equal(out.size, 77);
	prog_end(prog);
}

static void test_run__errors_are_linuxs(void **state)
{
	struct skep_prog *prog = PROG(SCHED_CLS, 0, MOV(0, 5), EXIT);
	uint8_t out[100], ctx[200] = { 0 };
	struct skep_test_run run_ = { .data_in = ip_packet, .data_size_in = 60, .data_out = out,
				      .data_size_out = sizeof(out) };

	(void)state;
	assert_int_equal(skep_prog_test_run(prog, &run_, diag), 0);
	assert_int_equal(run_.retval, 5);
	assert_int_equal(run_.data_size_out, 60);
	assert_memory_equal(out, ip_packet, 60);
	run_.data_size_out = 10;
	skep_diag_clear(diag);
	assert_int_equal(skep_prog_test_run(prog, &run_, diag), -ENOSPC);
	assert_int_equal(skep_diag_get(diag, 0)->code, SKEP_TEST_RUN_SPACE);
	assert_int_equal(run_.data_size_out, 60);
	run_.data_size_in = 13;
	assert_int_equal(skep_prog_test_run(prog, &run_, NULL), -EINVAL);
	run_.data_size_in = 30; /* less than an IPv4 header */
	assert_int_equal(skep_prog_test_run(prog, &run_, NULL), -EINVAL);
	run_.data_size_in = 60;
	run_.ctx_in = ctx;
	run_.ctx_size_in = 200;
	ctx[195] = 1;
	skep_diag_clear(diag);
	assert_int_equal(skep_prog_test_run(prog, &run_, diag), -E2BIG);
	assert_int_equal(skep_diag_get(diag, 0)->code, SKEP_TEST_RUN_CTX);
	ctx[195] = 0;
	ctx[0] = 1; /* len */
	skep_diag_clear(diag);
	assert_int_equal(skep_prog_test_run(prog, &run_, diag), -EINVAL);
	assert_int_equal(skep_diag_get(diag, 0)->code, SKEP_TEST_RUN_ARG);
	ctx[0] = 0;
	ctx[40] = 9; /* ifindex */
	skep_diag_clear(diag);
	assert_int_equal(skep_prog_test_run(prog, &run_, diag), -ENODEV);
	assert_int_equal(skep_diag_get(diag, 0)->code, SKEP_TEST_RUN_DEVICE);
	prog_end(prog);
}

static void test_run__a_wrong_checksum_is_found(void **state)
{
	/* Stores a byte into the IP header without recomputing. */
	struct skep_prog *prog = PROG(SCHED_CLS, 0, I(0x7a, 10, 0, -8, 0x77), MOV(2, 20),
				      MOV_REG(3, 10), I(0x07, 3, 0, 0, -8), MOV(4, 1), MOV(5, 0),
				      CALL(9), EXIT);
	struct skep_test_run run_ = { .data_in = ip_packet, .data_size_in = 60, .flags = 4 };

	(void)state;
	skep_diag_clear(diag);
	assert_int_equal(skep_prog_test_run(prog, &run_, diag), -EBADMSG);
	assert_int_equal(skep_diag_get(diag, 0)->code, SKEP_TEST_RUN_SUM);
	run_.flags = 0;
	assert_int_equal(skep_prog_test_run(prog, &run_, diag), 0);
	prog_end(prog);
}

static void test_run__xdp_metadata_comes_in_and_goes_out(void **state)
{
	uint32_t ctx[6] = { 8, 60 }, ctx_out[6];
	uint8_t out[100];
	struct skep_prog *prog = PROG(XDP, BPF_XDP, MOV(2, -4), CALL(54), MOV(0, 2), EXIT);
	struct skep_test_run run_ = { .data_in = ip_packet, .data_size_in = 60, .data_out = out,
				      .data_size_out = sizeof(out), .ctx_in = ctx,
				      .ctx_size_in = sizeof(ctx), .ctx_out = ctx_out,
				      .ctx_size_out = sizeof(ctx_out) };

	(void)state;
	assert_int_equal(skep_prog_test_run(prog, &run_, diag), 0);
	assert_int_equal(run_.data_size_out, 64);
	assert_memory_equal(out + 4, ip_packet, 60);
	assert_int_equal(ctx_out[0], 12);
	assert_int_equal(ctx_out[1], 64);
	ctx[0] = 7;
	assert_int_equal(skep_prog_test_run(prog, &run_, NULL), -EINVAL);
	prog_end(prog);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packet__tc_sees_the_tag_beside_the_packet),
		cmocka_unit_test(packet__a_program_that_changes_nothing_leaves_the_bytes),
		cmocka_unit_test(packet__popping_the_tag_shortens_the_packet),
		cmocka_unit_test(packet__xdp_actions_and_their_verdicts),
		cmocka_unit_test(packet__a_redirect_names_its_interface),
		cmocka_unit_test(packet__goes_where_its_map_says),
		cmocka_unit_test(packet__tc_classifier_without_an_opinion_passes),
		cmocka_unit_test(packet__socket_filter_keeps_so_many_bytes),
		cmocka_unit_test(packet__cgroup_sees_its_sockets_side_of_the_addresses),
		cmocka_unit_test(packet__xdp_may_grow_at_both_ends),
		cmocka_unit_test(packet__a_packet_as_large_as_can_be_runs),
		cmocka_unit_test(packet__what_cannot_run_is_refused_with_a_reason),
		cmocka_unit_test(test_run__errors_are_linuxs),
		cmocka_unit_test(test_run__a_wrong_checksum_is_found),
		cmocka_unit_test(test_run__xdp_metadata_comes_in_and_goes_out),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
