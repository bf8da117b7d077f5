/* SPDX-License-Identifier: BSD-2-Clause */
/* test_sections.c - what section names say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "prog/prog.h"

static void sections__names_tell_type_attach_point_and_flags(void **state)
{
	static const struct {
		const char *name;
		uint32_t type, attach;
		const char *target;
		bool has_attach, sleepable, frags, attach_btf;
	} cases[] = {
		{ "xdp", BPF_PROG_TYPE_XDP, BPF_XDP, NULL, true, 0, 0, 0 },
		{ "xdp.frags/devmap", BPF_PROG_TYPE_XDP, BPF_XDP_DEVMAP, NULL, true, 0, true, 0 },
		{ "socket", BPF_PROG_TYPE_SOCKET_FILTER, 0, NULL, 0, 0, 0, 0 },
		{ "tc", BPF_PROG_TYPE_SCHED_CLS, 0, NULL, 0, 0, 0, 0 },
		{ "tcx/egress", BPF_PROG_TYPE_SCHED_CLS, BPF_TCX_EGRESS, NULL, true, 0, 0, 0 },
		{ "kprobe/tcp_connect", BPF_PROG_TYPE_KPROBE, 0, "tcp_connect", 0, 0, 0, 0 },
		{ "kprobe", BPF_PROG_TYPE_KPROBE, 0, NULL, 0, 0, 0, 0 },
		{ "uprobe.multi.s//lib/libc.so:mem*", BPF_PROG_TYPE_KPROBE, BPF_TRACE_UPROBE_MULTI,
		  "/lib/libc.so:mem*", true, true, 0, 0 },
		{ "tp/syscalls/sys_enter_open", BPF_PROG_TYPE_TRACEPOINT, 0,
		  "syscalls/sys_enter_open", 0, 0, 0, 0 },
		{ "fentry.s/do_unlinkat", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY, "do_unlinkat",
		  true, true, 0, true },
		{ "fsession/do_unlinkat", BPF_PROG_TYPE_TRACING, BPF_TRACE_FSESSION, "do_unlinkat",
		  true, 0, 0, true },
		{ "iter.s/task", BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER, "task", true, true, 0,
		  true },
		{ "lsm_cgroup/socket_bind", BPF_PROG_TYPE_LSM, BPF_LSM_CGROUP, "socket_bind", true,
		  0, 0, true },
		{ "freplace/pass", BPF_PROG_TYPE_EXT, 0, "pass", 0, 0, 0, true },
		{ "cgroup_skb/ingress", BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS, NULL,
		  true, 0, 0, 0 },
		{ "cgroup/skb", BPF_PROG_TYPE_CGROUP_SKB, 0, NULL, 0, 0, 0, 0 },
		{ "cgroup/getpeername_unix", BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
		  BPF_CGROUP_UNIX_GETPEERNAME, NULL, true, 0, 0, 0 },
		{ "raw_tp.w/x", BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, 0, "x", 0, 0, 0, 0 },
		{ "syscall", BPF_PROG_TYPE_SYSCALL, 0, NULL, 0, true, 0, 0 },
		{ "struct_ops.s/init", BPF_PROG_TYPE_STRUCT_OPS, 0, "init", 0, true, 0, 0 },
		{ "sk_reuseport/migrate", BPF_PROG_TYPE_SK_REUSEPORT,
		  BPF_SK_REUSEPORT_SELECT_OR_MIGRATE, NULL, true, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct section_match match;

		assert_true(section_match(cases[i].name, &match));
		assert_int_equal(match.type->id, cases[i].type);
		assert_int_equal(match.attach, cases[i].attach);
		assert_int_equal(match.has_attach, cases[i].has_attach);
		assert_int_equal(match.sleepable, cases[i].sleepable);
		assert_int_equal(match.frags, cases[i].frags);
		assert_int_equal(match.attach_btf, cases[i].attach_btf);
		assert_false(match.optional);
		if (cases[i].target)
			assert_string_equal(match.target, cases[i].target);
		else
			assert_null(match.target);
	}
}

static void sections__a_question_mark_is_set_aside(void **state)
{
	struct section_match match;

	(void)state;
	assert_true(section_match("?kprobe/f", &match));
	assert_true(match.optional);
	assert_string_equal(match.target, "f");
}

static void sections__what_libbpf_does_not_know_is_no_match(void **state)
{
	static const char *const names[] = {
		"", "?", "/", ".text", "xdp/", "xdp_drop", "tc/foo", "classifier/x", "socket1",
		"kprobes/f", "sk_msg1", "cgroup", "cgroup/unknown", "perf_event/x", "lsm.x/y",
		"xdp.frags/other", "??xdp",
	};
	struct section_match match;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_false(section_match(names[i], &match));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sections__names_tell_type_attach_point_and_flags),
		cmocka_unit_test(sections__a_question_mark_is_set_aside),
		cmocka_unit_test(sections__what_libbpf_does_not_know_is_no_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
