/* SPDX-License-Identifier: BSD-2-Clause */
/* Sets: their tables, where they are found in expressions, and what they become. */
#include "../failing_heap.h"
#include "cbpf_test.h"

#include <stdio.h>

#include "../../cbpf/random_filter.h"
#include "cbpf/expression.h"
#include "cbpf/program.h"

/* --- tables --- */

static struct set_number random_number(struct random *random, unsigned width, unsigned kind)
{
	struct set_number n = { 0, random_next(random) };

	if (width == SET_PORTS)
		n.low &= UINT16_MAX;
	if (width == SET_ADDRESSES && kind) /* addresses in a row, as networks have them */
		n.low = 0x0a000000 + n.low % 30000;
	if (width == SET_ADDRESSES6) {
		n.high = kind ? UINT64_C(0x20010db8) << 32 | n.low % 4 : (uint64_t)random_next(random) << 32 | n.low;
		n.low = kind ? random_below(random, 5000) : (uint64_t)random_next(random) << 32 | random_next(random);
	}
	return n;
}

static void add(struct cbpf_set *set, struct random *random, unsigned kind, bool prefixes)
{
	struct set_number first = random_number(random, set->width, kind), last = first;
	unsigned free_bits = prefixes ? random_below(random, 8 * set->width - 7) : 0;

	if (set->width == SET_PORTS) {
		last.low = MIN(first.low + free_bits, UINT16_MAX);
	} else if (free_bits >= 64) {
		first.low = 0;
		last.low = UINT64_MAX;
		first.high &= ~((UINT64_C(1) << (free_bits - 64)) - 1);
		last.high |= (UINT64_C(1) << (free_bits - 64)) - 1;
	} else {
		first.low &= ~((UINT64_C(1) << free_bits) - 1);
		last.low |= (UINT64_C(1) << free_bits) - 1;
	}
	assert_true(set_add(set, first, last));
}

static void to_bytes(struct set_number n, unsigned width, uint8_t *bytes)
{
	for (unsigned i = 0; i < width; i++) {
		unsigned from_end = width - 1 - i;

		bytes[i] = (uint8_t)(from_end >= 8 ? n.high >> 8 * (from_end - 8) : n.low >> 8 * from_end);
	}
}

static void expect_same(const struct cbpf_sets *sets, struct set_number number)
{
	const struct cbpf_set *set = &sets->all.items[0];
	uint8_t bytes[16];

	to_bytes(number, set->width, bytes);
	assert_int_equal(set_find(sets, set, bytes), set_has(set, number));
}

static void set__tables_find_the_members_and_nothing_else(void **state)
{
	static const unsigned widths[] = { SET_PORTS, SET_ADDRESSES, SET_ADDRESSES6 };
	static const size_t sizes[] = { 1, 2, 3, 17, 500, 20000 };
	struct random random = { 1 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(widths) * ARRAY_SIZE(sizes) * 4; i++) {
		struct cbpf_sets sets = { 0 };
		struct cbpf_set *set = vec_push(&sets.all);
		size_t size = sizes[i / 4 % ARRAY_SIZE(sizes)];

		set->width = widths[i / 4 / ARRAY_SIZE(sizes)];
		for (size_t k = 0; k < size; k++)
			add(set, &random, i & 1, i & 2);
		assert_int_equal(sets_build(&sets), 0);
		for (size_t k = 0; k < set->members.count; k++) {
			struct set_range *m = &set->members.items[k];
			struct set_number before = m->first, behind = m->last;

			assert_true(set_has(set, m->first) && set_has(set, m->last));
			expect_same(&sets, m->first);
			expect_same(&sets, m->last);
			before.high -= before.low-- == 0;
			behind.high += ++behind.low == 0;
			if (set->width == SET_ADDRESSES6 || (before.high == 0 && behind.low >> 8 * set->width == 0)) {
				expect_same(&sets, before);
				expect_same(&sets, behind);
			}
		}
		for (unsigned k = 0; k < 20000; k++)
			expect_same(&sets, random_number(&random, set->width, k & 1));
		sets_done(&sets);
	}
}

static void set__a_member_inside_another_is_left_out(void **state)
{
	struct cbpf_sets sets = { 0 };
	struct cbpf_set *set = vec_push(&sets.all);

	(void)state;
	set->width = SET_ADDRESSES;
	set_add(set, (struct set_number){ 0, 0x0a000001 }, (struct set_number){ 0, 0x0a000001 });
	set_add(set, (struct set_number){ 0, 0x0a000000 }, (struct set_number){ 0, 0x0affffff });
	set_add(set, (struct set_number){ 0, 0x0a000001 }, (struct set_number){ 0, 0x0a000001 });
	assert_int_equal(sets_build(&sets), 0);
	assert_int_equal(set->written, 3);
	assert_int_equal(set->members.count, 1);
	assert_int_equal(set->tables.count, 1);
	assert_int_equal(set->tables.items[0].bits, 8);
	sets_done(&sets);
}

/* --- expressions --- */

#define A16(q) q "1.0.0.1 or " q "1.0.0.2 or " q "1.0.0.3 or " q "1.0.0.4 or " q "1.0.0.5 or " q "1.0.0.6 or " \
	       q "1.0.0.7 or " q "1.0.0.8 or " q "1.0.0.9 or " q "1.0.1.0 or " q "1.0.1.1 or " q "1.0.1.2 or " \
	       q "1.0.1.3 or " q "1.0.1.4 or " q "1.0.1.5 or " q "1.0.1.6"
#define P16 "1 or 2 or 3 or 4 or 5 or 6 or 7 or 8 or 9 or 10 or 11 or 12 or 13 or 14 or 15 or 16"

/* What libpcap is given; STAND-IN: the stand-in, whatever it is. NULL: the text as it is. */
static const struct { const char *text; size_t sets, members; const char *left; } rows[] = {
	{ A16("host "), 1, 16, "(host 1.0.0.1 or host %)" },
	{ "host " A16(""), 1, 16, "(host 1.0.0.1 or host %)" },
	{ "tcp and (" A16("src host ") ") and not port 22", 1, 16,
	  "tcp and ((src host 1.0.0.1 or src host %)) and not port 22" },
	{ "src (" A16("") ")", 1, 16, "(src (1.0.0.1 or 1.0.0.2" },
	{ "port (" P16 ")", 1, 16, "(port (1 or 2" },
	{ "udp src port " P16, 1, 16, "(udp src port 1 or udp src port %)" },
	{ A16("src or dst host "), 1, 16, "(src or dst host 1.0.0.1 or host %)" },
	/* what stands before 'and' belongs to it */
	{ "tcp and " A16("host "), 0, 0, NULL },
	{ "tcp and " A16("host ") " or host 2.2.2.2", 1, 16, "tcp and host 1.0.0.1 or (host 1.0.0.2 or host %)" },
	{ A16("host ") " and tcp", 1, 16, "(host 1.0.0.1 or host %) and tcp" },
	/* two kinds in one row, and what relies on a word that goes */
	{ A16("host ") " or port " P16, 2, 32, "(host 1.0.0.1 or host %) or (port 1 or port %)" },
	{ A16("host ") " or www.example.com", 0, 0, NULL },
	{ "host 2.2.2.2 or " A16("") " or www.example.com", 1, 16, "(host 2.2.2.2 or host %) or host 1.0.1.6 or www.example.com" },
	{ "(port 7 or " A16("host ") ") or 3.3.3.3", 0, 0, NULL },
	/* what is not a set */
	{ A16("src and dst host "), 0, 0, NULL },
	{ "src and dst host " A16(""), 0, 0, NULL },
	{ A16("tcp host "), 0, 0, NULL },
	{ A16("ether host "), 0, 0, NULL },
	{ "tcp[0:2] = 1 or tcp[0:2] = 2 or (ip[0] & 0xf) = 5", 0, 0, NULL },
	{ "not host " A16(""), 0, 0, NULL },
	{ "((((", 0, 0, NULL }, { "and or", 0, 0, NULL }, { ")", 0, 0, NULL }, { "", 0, 0, NULL },
};

/* Is text left, with anything but a blank or a parenthesis for '%'? What is left out at the end may follow. */
static bool matches(const char *text, const char *left)
{
	for (; *left; left++) {
		if (*left != '%') {
			if (*text++ != *left)
				return false;
			continue;
		}
		text += strcspn(text, " )");
	}
	return true;
}

static void expression__sets_are_found_where_libpcap_means_alternatives(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct expression e;
		size_t members = 0;

		assert_int_equal(expression_read(&e, rows[i].text), 0);
		for (size_t k = 0; k < e.sets.all.count; k++)
			members += e.sets.all.items[k].written;
		if (e.sets.all.count != rows[i].sets || members != rows[i].members)
			fail_msg("'%s': %zu sets of %zu", rows[i].text, e.sets.all.count, members);
		if (rows[i].left && (!matches(e.text[0].data, rows[i].left) || !matches(e.text[1].data, rows[i].left) ||
				     strcmp(e.text[0].data, e.text[1].data) == 0))
			fail_msg("'%s' became '%s'", rows[i].text, e.text[0].data);
		expression_done(&e);
	}
}

static void expression__stand_ins_of_two_sets_have_nothing_in_common(void **state)
{
	struct skep_text text = { 0 };
	struct expression e;

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		text_add(&text, "%s%s host %s%x", i ? " or " : "", i & 1 ? "ip6" : "ip", i & 1 ? "::" : "1.2.3.", i / 2 % 10);
	assert_int_equal(expression_read(&e, text.data), 0);
	assert_int_equal(e.stand_ins.count, 2);
	for (unsigned k = 0; k < STAND_INS; k++) {
		for (unsigned word = 0; word < 4; word++)
			assert_int_not_equal(e.stand_ins.items[0].words[k][0], e.stand_ins.items[1].words[k][word]);
	}
	expression_done(&e);
	text_done(&text);
}

/* --- compiling --- */

/* In place of libpcap: 'src host A or src host B' over IPv4 without a link header. */
static int fake_compiler(void *arg, const char *expression, struct skep_cbpf_insn **insns, size_t *count,
			 struct skep_diag *diag)
{
	const char *last = strrchr(expression, ' ');
	unsigned a, b, c, d;

	(void)arg;
	*insns = calloc(5, sizeof(**insns));
	if (!*insns)
		return skep_fail(diag, SKEP_OOM, NULL, "compiling");
	assert_int_equal(sscanf(last, " %u.%u.%u.%u", &a, &b, &c, &d), 4);
	(*insns)[0] = (struct skep_cbpf_insn){ 0x20, 0, 0, 12 };
	(*insns)[1] = (struct skep_cbpf_insn){ 0x15, 1, 0, 0x01000001 };
	(*insns)[2] = (struct skep_cbpf_insn){ 0x15, 0, 1, a << 24 | b << 16 | c << 8 | d };
	(*insns)[3] = (struct skep_cbpf_insn){ 0x06, 0, 0, 1 };
	(*insns)[4] = (struct skep_cbpf_insn){ 0x06, 0, 0, 0 };
	*count = 5;
	return 0;
}

static void expect_passes(struct skep_filter *filter, const struct skep_cbpf_insn *classic, size_t count,
			  uint8_t last, bool yes)
{
	uint8_t data[20] = { [12] = 1, [15] = last };
	struct skep_cbpf_packet packet = { .data = data, .size = sizeof(data) };

	assert_int_equal(skep_filter_run(filter, &packet), yes);
	assert_int_equal(skep_cbpf_run(classic, count, &packet), yes);
	packet.size = 14;
	assert_int_equal(skep_filter_run(filter, &packet), 0);
}

static void program__passes_the_members_compiled_interpreted_and_as_classic(void **state)
{
	struct skep_cbpf_program *program;
	struct skep_cbpf_insn *classic;
	size_t count;

	(void)state;
	assert_int_equal(skep_cbpf_compile(A16("src host "), "f", fake_compiler, NULL, &program, NULL), 0);
	assert_non_null(program);
	assert_int_equal(skep_cbpf_program_numbers(program), 16);
	assert_int_equal(skep_cbpf_program_classic(program, &classic, &count, NULL), 0);
	for (unsigned flags = SKEP_FILTER_INTERPRET; flags <= SKEP_FILTER_COMPILE; flags++) {
		struct skep_filter *filter = skep_filter_open_program(program, flags, NULL);

		assert_non_null(filter);
		for (unsigned last = 0; last < 40; last++)
			expect_passes(filter, classic, count, (uint8_t)last, last >= 1 && last <= 9);
		skep_filter_free(filter);
	}
	free(classic);
	skep_cbpf_program_free(program);
}

static void program__an_instruction_that_looks_into_a_set_is_refused_from_outside(void **state)
{
	const struct skep_cbpf_insn insns[] = { { CBPF_CODE_IN, 0, 0, 0 }, { 0x06, 0, 0, 0 } };

	(void)state;
	assert_int_equal(skep_cbpf_check(insns, 2, SKEP_CBPF_SOCKET, "f", NULL), -EINVAL);
	assert_int_equal(skep_cbpf_run(insns, 2, &(struct skep_cbpf_packet){ .data = "" }), 0);
}

/* More numbers than instructions: said at once, with how many and the way out. */
static void program__what_classic_bpf_cannot_hold_is_said(void **state)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_cbpf_program *program;
	struct skep_cbpf_insn *classic = NULL;
	struct skep_text text = { 0 };
	size_t count;

	(void)state;
	for (unsigned i = 0; i < 10000; i++)
		text_add(&text, "%ssrc host 1.%u.%u.1", i ? " or " : "", i >> 8, i & 255);
	assert_int_equal(skep_cbpf_compile(text.data, "f", fake_compiler, NULL, &program, diag), 0);
	assert_int_equal(skep_cbpf_program_classic(program, &classic, &count, diag), -EINVAL);
	assert_null(classic);
	assert_string_equal(only_message(diag), "it looks for 10000 addresses or ports, and to search them takes more "
						"than the 4096 instructions of classic BPF");
	skep_cbpf_program_free(program);
	text_done(&text);
}

static int attempt(void)
{
	struct skep_cbpf_program *program = NULL;
	struct skep_cbpf_ebpf ebpf;
	struct skep_cbpf_insn *classic;
	size_t count;
	struct skep_filter *filter;
	int error = skep_cbpf_compile(A16("src host "), "f", fake_compiler, NULL, &program, NULL);

	if (error < 0) {
		assert_null(program);
		return error;
	}
	error = skep_cbpf_program_to_ebpf(program, SKEP_CBPF_TO_XDP, &ebpf, NULL);
	if (error == 0)
		skep_cbpf_ebpf_done(&ebpf);
	if (error == 0)
		error = skep_cbpf_program_classic(program, &classic, &count, NULL);
	if (error == 0) {
		free(classic);
		filter = skep_filter_open_program(program, SKEP_FILTER_COMPILE, NULL);
		error = filter ? 0 : -ENOMEM;
		skep_filter_free(filter);
	}
	skep_cbpf_program_free(program);
	return error;
}

static void program__running_out_of_memory_is_said_and_leaves_nothing(void **state)
{
	unsigned refused = 0;

	(void)state;
	assert_int_equal(attempt(), 0);
	for (long n = 1;; n++) {
		long before;
		int error;

		heap.fail_at = 0;
		before = heap.live;
		heap.count = 0;
		heap.failed = false;
		heap.fail_at = n;
		error = attempt();
		heap.fail_at = 0;
		assert_int_equal(heap.live, before);
		if (!heap.failed)
			break;
		/* the optimiser may do without a fact that it has no memory for */
		assert_true(error == -ENOMEM || error == 0);
		refused += error == -ENOMEM;
	}
	assert_true(refused > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set__tables_find_the_members_and_nothing_else),
		cmocka_unit_test(set__a_member_inside_another_is_left_out),
		cmocka_unit_test(expression__sets_are_found_where_libpcap_means_alternatives),
		cmocka_unit_test(expression__stand_ins_of_two_sets_have_nothing_in_common),
		cmocka_unit_test(program__passes_the_members_compiled_interpreted_and_as_classic),
		cmocka_unit_test(program__an_instruction_that_looks_into_a_set_is_refused_from_outside),
		cmocka_unit_test(program__what_classic_bpf_cannot_hold_is_said),
		cmocka_unit_test(program__running_out_of_memory_is_said_and_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
