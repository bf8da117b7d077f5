/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_table.c - the helpers' descriptors: complete, well formed, and as the
 * reference table of Linux 7.3 has them.
 *
 * The reference is looked for in $SKEP_REFERENCE and ../../shared/reference
 * (beside the checkout, from the build folder); without it that test skips.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "helper/list.h"

static const struct helper *const all[] = {
#define HELPER(name) &helper_##name,
#include "helper/list.def"
};

static void table__has_every_id_once_in_order(void **state)
{
	uint32_t id = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		assert_true(all[i]->id == id || all[i]->id == id + 1);
		id = all[i]->id;
		assert_ptr_equal(helper_by_name(all[i]->name), helper_by_id(id));
	}
	assert_int_equal(id, HELPER_ID_MAX - 1);
	assert_null(helper_by_id(0));
	assert_null(helper_by_id(HELPER_ID_MAX));
	assert_null(helper_get(UINT32_MAX, BPF_PROG_TYPE_XDP, 0));
	assert_null(helper_get(1, 64, 0));
	assert_null(helper_by_name("bpf_map_lookup_elem"));
}

static void table__descriptors_are_complete(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		const struct helper *h = all[i];
		char call[80];

		snprintf(call, sizeof(call), "bpf_%s(", h->name);
		assert_non_null(strstr(h->prototype, call));
		assert_int_equal(h->doc[strlen(h->doc) - 1], '.');
		assert_true(h->types != 0 && !(h->types & 1));
		for (int a = 0; a < 5; a++) {
			const struct arg *arg = &h->arg[a];
			bool sized = a < 4 && (h->arg[a + 1].kind == ARG_MEM_SIZE ||
					       h->arg[a + 1].kind == ARG_MEM_SIZE_OR_ZERO);

			assert_true(arg->kind < ARG_KIND_COUNT);
			if (arg->kind == ARG_MEM)
				assert_int_equal(sized, !(arg->flags & ARG_FIXED_SIZE));
			else
				assert_false(sized);
			assert_int_equal(arg->size != 0, (arg->flags & ARG_FIXED_SIZE) != 0);
			if (a > 0 && arg->kind != ARG_NONE)
				assert_int_not_equal(h->arg[a - 1].kind, ARG_NONE);
		}
	}
}

static void table__variants_of_an_id_never_overlap(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		for (size_t k = i + 1; k < ARRAY_SIZE(all) && all[k]->id == all[i]->id; k++) {
			uint64_t types = all[i]->types & all[k]->types;
			uint64_t a = all[i]->attaches, b = all[k]->attaches;

			assert_true(!types || (a && b && !(a & b)));
			assert_string_equal(all[i]->name, all[k]->name);
			assert_string_equal(all[i]->prototype, all[k]->prototype);
		}
}

static bool may(const char *name, uint32_t type, uint32_t attach)
{
	const struct helper *h = helper_by_name(name);

	assert_non_null(h);
	return helper_get(h->id, type, attach) != NULL;
}

static void table__types_may_call_what_linux_lets_them(void **state)
{
	(void)state;
	assert_true(may("xdp_adjust_head", BPF_PROG_TYPE_XDP, BPF_XDP));
	assert_false(may("xdp_adjust_head", BPF_PROG_TYPE_SCHED_CLS, 0));
	assert_true(may("skb_store_bytes", BPF_PROG_TYPE_LWT_XMIT, 0));
	assert_false(may("skb_store_bytes", BPF_PROG_TYPE_LWT_IN, 0));
	assert_true(may("bind", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT));
	assert_false(may("bind", BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND));
	assert_true(may("seq_printf", BPF_PROG_TYPE_TRACING, BPF_TRACE_ITER));
	assert_false(may("seq_printf", BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY));
	assert_true(may("rc_keydown", BPF_PROG_TYPE_LIRC_MODE2, BPF_LIRC_MODE2));
	assert_false(may("get_current_comm", BPF_PROG_TYPE_LIRC_MODE2, BPF_LIRC_MODE2));
	assert_true(may("perf_event_output", BPF_PROG_TYPE_XDP, BPF_XDP));
	assert_false(may("perf_event_output", BPF_PROG_TYPE_NETFILTER, BPF_NETFILTER));
}

static void table__variants_differ_by_type_and_attach_point(void **state)
{
	(void)state;
	assert_int_equal(helper_get(46, BPF_PROG_TYPE_SCHED_CLS, 0)->arg[0].kind, ARG_PTR_TO_CTX);
	assert_int_equal(helper_get(46, BPF_PROG_TYPE_TRACING, BPF_TRACE_FENTRY)->arg[0].kind,
			 ARG_PTR_TO_BTF_ID_SOCK_COMMON);
	assert_int_equal(helper_get(107, BPF_PROG_TYPE_CGROUP_SOCK, 0)->arg[1].kind,
			 ARG_PTR_TO_CTX);
	assert_true(helper_get(173, BPF_PROG_TYPE_KPROBE, 0)->gpl_only);
	assert_false(helper_get(173, BPF_PROG_TYPE_KPROBE, BPF_TRACE_KPROBE_MULTI)->gpl_only);
	assert_null(helper_get(49, BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_GETSOCKOPT));
	assert_non_null(helper_get(49, BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT));
}

/* --- against the reference table --- */

static const struct {
	const char *word;
	uint16_t kind, flags;
} words[] = {
	{ "ANYTHING", ARG_ANYTHING, 0 },
	{ "SCALAR", ARG_SCALAR, 0 },
	{ "CONST_MAP_PTR", ARG_CONST_MAP_PTR, 0 },
	{ "PTR_TO_MAP_KEY", ARG_MAP_KEY, 0 },
	{ "PTR_TO_MAP_VALUE", ARG_MAP_VALUE, 0 },
	{ "PTR_TO_MAP_VALUE_OR_NULL", ARG_MAP_VALUE, ARG_MAYBE_NULL },
	{ "PTR_TO_CTX", ARG_PTR_TO_CTX, 0 },
	{ "PTR_TO_CTX_OR_NULL", ARG_PTR_TO_CTX, ARG_MAYBE_NULL },
	{ "PTR_TO_MEM", ARG_MEM, 0 },
	{ "PTR_TO_MEM_OR_NULL", ARG_MEM, ARG_MAYBE_NULL },
	{ "PTR_TO_UNINIT_MEM", ARG_MEM, ARG_UNINIT },
	{ "PTR_TO_FIXED_SIZE_MEM", ARG_MEM, ARG_FIXED_SIZE },
	{ "MEM_SIZE", ARG_MEM_SIZE, 0 },
	{ "MEM_SIZE_OR_ZERO", ARG_MEM_SIZE_OR_ZERO, 0 },
	{ "PTR_TO_BTF_ID", ARG_PTR_TO_BTF_ID, 0 },
	{ "PTR_TO_BTF_ID_OR_NULL", ARG_PTR_TO_BTF_ID, ARG_MAYBE_NULL },
	{ "PTR_TO_BTF_ID_SOCK_COMMON", ARG_PTR_TO_BTF_ID_SOCK_COMMON, 0 },
	{ "PTR_TO_SOCK_COMMON", ARG_PTR_TO_SOCK_COMMON, 0 },
	{ "PTR_TO_SPIN_LOCK", ARG_PTR_TO_SPIN_LOCK, 0 },
	{ "PTR_TO_TIMER", ARG_PTR_TO_TIMER, 0 },
	{ "PTR_TO_FUNC", ARG_PTR_TO_FUNC, 0 },
	{ "PTR_TO_STACK_OR_NULL", ARG_PTR_TO_STACK, ARG_MAYBE_NULL },
	{ "PTR_TO_CONST_STR", ARG_PTR_TO_CONST_STR, 0 },
	{ "PTR_TO_DYNPTR", ARG_PTR_TO_DYNPTR, 0 },
	{ "PTR_TO_PERCPU_BTF_ID", ARG_PTR_TO_PERCPU_BTF_ID, 0 },
	{ "PTR_TO_RINGBUF_MEM", ARG_RINGBUF_MEM, 0 },
	{ "CONST_ALLOC_SIZE_OR_ZERO", ARG_CONST_ALLOC_SIZE_OR_ZERO, 0 },
	{ "KPTR_XCHG_DEST", ARG_KPTR_XCHG_DEST, 0 },
	{ "PTR_MAYBE_NULL", ARG_NONE, ARG_MAYBE_NULL },
	{ "MEM_RDONLY", ARG_NONE, ARG_RDONLY },
	{ "MEM_WRITE", ARG_NONE, ARG_WRITE },
	{ "MEM_UNINIT", ARG_NONE, ARG_UNINIT },
	{ "MEM_ALIGNED", ARG_NONE, ARG_ALIGNED },
	{ "OBJ_RELEASE", ARG_NONE, ARG_RELEASE },
	{ "DYNPTR_TYPE_LOCAL", ARG_NONE, ARG_DYNPTR_LOCAL },
	{ "DYNPTR_TYPE_RINGBUF", ARG_NONE, ARG_DYNPTR_RINGBUF },
};

/* What the reference's words for an argument mean in our terms. */
static struct arg parse_arg(char *text)
{
	struct arg arg = { 0 };
	char *save;

	for (char *w = strtok_r(text, "|", &save); w; w = strtok_r(NULL, "|", &save)) {
		size_t i = 0;

		while (i < ARRAY_SIZE(words) && strcmp(words[i].word, w) != 0)
			i++;
		if (i == ARRAY_SIZE(words))
			fail_msg("the reference's word '%s' is not known", w);
		if (words[i].kind)
			arg.kind = words[i].kind;
		arg.flags |= words[i].flags;
	}
	if (arg.flags & ARG_UNINIT)
		arg.flags &= (uint16_t)~ARG_WRITE; /* uninitialised implies written */
	return arg;
}

static const char *const rets[] = {
	[RET_INTEGER] = "INTEGER", [RET_VOID] = "VOID",
	[RET_PTR_TO_MAP_VALUE] = "PTR_TO_MAP_VALUE", [RET_PTR_TO_SOCKET] = "PTR_TO_SOCKET",
	[RET_PTR_TO_TCP_SOCK] = "PTR_TO_TCP_SOCK",
	[RET_PTR_TO_SOCK_COMMON] = "PTR_TO_SOCK_COMMON", [RET_PTR_TO_MEM] = "PTR_TO_MEM",
	[RET_PTR_TO_MEM_OR_BTF_ID] = "PTR_TO_MEM_OR_BTF_ID",
	[RET_PTR_TO_BTF_ID] = "PTR_TO_BTF_ID",
	[RET_PTR_TO_BTF_ID_TRUSTED] = "PTR_TO_BTF_ID_TRUSTED",
	[RET_PTR_TO_RINGBUF_MEM] = "PTR_TO_RINGBUF_MEM",
	[RET_PTR_TO_DYNPTR_MEM] = "PTR_TO_DYNPTR_MEM",
};

/* Splits a line at commas outside quotes; returns the fields found. */
static int split(char *line, char *field[], int max)
{
	int n = 0;
	bool quoted = false;

	line[strcspn(line, "\r\n")] = '\0';
	field[n++] = line;
	for (char *p = line; *p; p++) {
		if (*p == '"') {
			quoted = !quoted;
		} else if (*p == ',' && !quoted && n < max) {
			*p = '\0';
			field[n++] = p + 1;
		}
	}
	return n;
}

/* Does the descriptor say what the row says? */
static bool agrees(const struct helper *h, char *const field[])
{
	char ret[64], text[160];
	bool null = strstr(field[6], "_OR_NULL") || strstr(field[6], "|PTR_MAYBE_NULL");

	if (h->gpl_only != (field[3][0] == 'y') || h->may_sleep != (field[4][0] == 'y') ||
	    h->packet_access != (field[5][0] == 'y'))
		return false;
	snprintf(ret, sizeof(ret), "%s%s", rets[h->ret.kind],
		 h->ret.maybe_null && strstr(field[6], "_OR_NULL") ? "_OR_NULL" : "");
	if (field[6][0] && (strncmp(field[6], ret, strlen(ret)) != 0 || null != h->ret.maybe_null))
		return false;
	for (int a = 0; a < 5; a++) {
		struct arg want;

		snprintf(text, sizeof(text), "%s", field[7 + a]);
		want = parse_arg(text);
		if (want.kind != h->arg[a].kind || want.flags != h->arg[a].flags)
			return false;
	}
	return true;
}

static FILE *reference(void)
{
	const char *dir = getenv("SKEP_REFERENCE");
	char path[512];

	snprintf(path, sizeof(path), "%s/helpers-7.3.csv", dir ? dir : "../../shared/reference");
	return fopen(path, "r");
}

static void table__agrees_with_every_row_of_the_reference(void **state)
{
	FILE *file = reference();
	char line[4096], *field[13];
	int rows = 0;

	(void)state;
	if (!file) {
		print_message("SKIPPED: no reference table in $SKEP_REFERENCE or "
			      "../../shared/reference\n");
		skip();
	}
	assert_non_null(fgets(line, sizeof(line), file));
	while (fgets(line, sizeof(line), file)) {
		uint32_t id;
		bool found = false;

		assert_int_equal(split(line, field, 13), 13);
		id = (uint32_t)strtoul(field[0], NULL, 10);
		/* Rows without a prototype, and the candidates for a compatible probe_read. */
		if (id == 0 || !field[2][0] || (id == 4 && !strstr(field[2], "read_compat_proto")))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(all); i++)
			if (all[i]->id == id && strcmp(all[i]->name, field[1] + 4) == 0)
				found |= agrees(all[i], field);
		if (!found)
			fail_msg("%s (%s) has no descriptor like it", field[1], field[2]);
		rows++;
	}
	fclose(file);
	assert_in_range(rows, 190, 230);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table__has_every_id_once_in_order),
		cmocka_unit_test(table__descriptors_are_complete),
		cmocka_unit_test(table__variants_of_an_id_never_overlap),
		cmocka_unit_test(table__types_may_call_what_linux_lets_them),
		cmocka_unit_test(table__variants_differ_by_type_and_attach_point),
		cmocka_unit_test(table__agrees_with_every_row_of_the_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
