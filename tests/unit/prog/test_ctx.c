/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "helper/packet.h"
#include "prog/prog.h"

static bool reads(uint32_t type, uint32_t attach, int64_t off, uint32_t size)
{
	const struct ctx_field *field;

	return ctx_access(prog_type(type)->ctx, off, size, false, attach, &field);
}

static bool writes(uint32_t type, uint32_t attach, int64_t off, uint32_t size)
{
	const struct ctx_field *field;

	return ctx_access(prog_type(type)->ctx, off, size, true, attach, &field);
}

static void prog_type__every_number_has_a_row_that_names_itself(void **state)
{
	(void)state;
	for (uint32_t id = 0; id < __MAX_BPF_PROG_TYPE; id++) {
		const struct prog_type *type = prog_type(id);

		assert_non_null(type->name);
		assert_non_null(type->doc);
		assert_non_null(type->attach);
		assert_int_equal(type->id, id);
		assert_ptr_equal(prog_type_by_name(type->name), type);
		assert_true(id == 0 || type->ctx != NULL);
		for (const uint8_t *at = type->attach; *at != ATTACH_END; at++) {
			assert_non_null(attach_type_name(*at));
			assert_true(prog_type_attaches(type, *at));
		}
	}
	assert_null(prog_type(__MAX_BPF_PROG_TYPE));
	assert_null(prog_type_by_name("no such type"));
}

static void attach_type__every_number_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (uint32_t a = 0; a < __MAX_BPF_ATTACH_TYPE; a++)
		for (uint32_t b = 0; b < a; b++)
			assert_string_not_equal(attach_type_name(a), attach_type_name(b));
	assert_null(attach_type_name(__MAX_BPF_ATTACH_TYPE));
	assert_string_equal(attach_type_name(BPF_CGROUP_INET_EGRESS), "cgroup_inet_egress");
}

static void ctx__rows_lie_inside_their_context_on_units(void **state)
{
	(void)state;
	for (uint32_t id = 1; id < __MAX_BPF_PROG_TYPE; id++) {
		const struct ctx_layout *ctx = prog_type(id)->ctx;

		for (const struct ctx_field *f = ctx->fields; f && f->size; f++) {
			assert_true(f->off + f->size <= ctx->size);
			assert_true(f->unit == 1 || f->unit == 2 || f->unit == 4 || f->unit == 8);
			assert_true(f->read || f->write);
			assert_non_null(f->name);
			if (prog_type(id)->packet)
				assert_true(f->native_off + f->native_size <=
					    sizeof(struct packet));
		}
	}
}

static void ctx__access_keeps_to_units_and_ends(void **state)
{
	(void)state;
	assert_true(reads(BPF_PROG_TYPE_XDP, BPF_XDP, 0, 4));
	assert_false(reads(BPF_PROG_TYPE_XDP, BPF_XDP, 0, 8));
	assert_false(reads(BPF_PROG_TYPE_XDP, BPF_XDP, 12, 2));
	assert_false(reads(BPF_PROG_TYPE_XDP, BPF_XDP, 20, 4));
	assert_true(reads(BPF_PROG_TYPE_XDP, BPF_XDP_DEVMAP, 20, 4));
	assert_false(writes(BPF_PROG_TYPE_XDP, BPF_XDP, 12, 4));
	assert_false(reads(BPF_PROG_TYPE_XDP, BPF_XDP, -4, 4));
	assert_false(reads(BPF_PROG_TYPE_XDP, BPF_XDP, 24, 4));
	assert_false(reads(BPF_PROG_TYPE_XDP, BPF_XDP, INT64_MAX, 4));
	assert_false(reads(BPF_PROG_TYPE_XDP, BPF_XDP, INT64_MIN, 4));
	assert_false(reads(BPF_PROG_TYPE_XDP, BPF_XDP, 0, 0));
}

static void ctx__cb_may_be_accessed_in_pairs_but_not_past_its_end(void **state)
{
	(void)state;
	assert_true(writes(BPF_PROG_TYPE_SCHED_CLS, 0, 56, 8));
	assert_false(writes(BPF_PROG_TYPE_SCHED_CLS, 0, 64, 8));
	assert_false(reads(BPF_PROG_TYPE_SCHED_CLS, 0, 52, 8));
	assert_true(writes(BPF_PROG_TYPE_SCHED_CLS, 0, 67, 1));
	assert_false(writes(BPF_PROG_TYPE_SK_SKB, 0, 48, 4));
}

static void ctx__a_packet_pointer_is_found_in_the_packet(void **state)
{
	const struct ctx_field *field;

	(void)state;
	assert_true(ctx_access(prog_type(BPF_PROG_TYPE_SCHED_CLS)->ctx, 80, 4, false, 0, &field));
	assert_int_equal(field->kind, FIELD_PACKET_END);
	assert_int_equal(field->native_off, offsetof(struct packet, end));
	assert_int_equal(field->native_size, 8);
}

static void ctx__plain_memory_wants_alignment(void **state)
{
	(void)state;
	assert_true(reads(BPF_PROG_TYPE_TRACEPOINT, 0, 8, 8));
	assert_false(reads(BPF_PROG_TYPE_TRACEPOINT, 0, 0, 8));
	assert_false(reads(BPF_PROG_TYPE_TRACEPOINT, 0, 10, 4));
	assert_true(reads(BPF_PROG_TYPE_TRACEPOINT, 0, 8184, 8));
	assert_false(reads(BPF_PROG_TYPE_TRACEPOINT, 0, 8192, 8));
	assert_false(writes(BPF_PROG_TYPE_TRACEPOINT, 0, 8, 8));
	assert_true(writes(BPF_PROG_TYPE_SYSCALL, 0, 65528, 4));
}

static void returns__depend_on_the_attach_type(void **state)
{
	const struct prog_type *skb = prog_type(BPF_PROG_TYPE_CGROUP_SKB);
	const struct prog_type *addr = prog_type(BPF_PROG_TYPE_CGROUP_SOCK_ADDR);
	const struct prog_type *kprobe = prog_type(BPF_PROG_TYPE_KPROBE);

	(void)state;
	assert_int_equal(skb->returns(BPF_CGROUP_INET_EGRESS).max, 3);
	assert_int_equal(skb->returns(BPF_CGROUP_INET_INGRESS).max, 1);
	assert_int_equal(addr->returns(BPF_CGROUP_UDP4_RECVMSG).min, 1);
	assert_int_equal(addr->returns(BPF_CGROUP_INET6_BIND).max, 3);
	assert_false(kprobe->returns(0).checked);
	assert_true(kprobe->returns(BPF_TRACE_KPROBE_SESSION).checked);
	assert_null(prog_type(BPF_PROG_TYPE_XDP)->returns);
}

static void license__only_the_listed_ones_are_gpl(void **state)
{
	(void)state;
	assert_true(license_is_gpl("GPL"));
	assert_true(license_is_gpl("Dual BSD/GPL"));
	assert_false(license_is_gpl("GPL v3"));
	assert_false(license_is_gpl("Proprietary"));
	assert_false(license_is_gpl(""));
	assert_false(license_is_gpl(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prog_type__every_number_has_a_row_that_names_itself),
		cmocka_unit_test(attach_type__every_number_has_a_name_of_its_own),
		cmocka_unit_test(ctx__rows_lie_inside_their_context_on_units),
		cmocka_unit_test(ctx__access_keeps_to_units_and_ends),
		cmocka_unit_test(ctx__cb_may_be_accessed_in_pairs_but_not_past_its_end),
		cmocka_unit_test(ctx__a_packet_pointer_is_found_in_the_packet),
		cmocka_unit_test(ctx__plain_memory_wants_alignment),
		cmocka_unit_test(returns__depend_on_the_attach_type),
		cmocka_unit_test(license__only_the_listed_ones_are_gpl),
	};

	return cmocka_run_group_tests_name("ctx", tests, NULL, NULL);
}
