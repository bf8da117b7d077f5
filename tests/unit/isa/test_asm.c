/* SPDX-License-Identifier: BSD-2-Clause */
/* The assembler: labels, comments, prefixes, and where its errors point. */
#include "isa_test.h"

static struct skep_insn *assembled(const char *text, size_t *count)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_insn *insns = NULL;

	if (skep_assemble(text, strlen(text), "t.s", &insns, count, diag) < 0)
		fail_msg("%s", skep_diag_text(diag, 0));
	skep_diag_free(diag);
	return insns;
}

static void asm__labels_reach_back_and_forth(void **state)
{
	size_t count;
	struct skep_insn *insns = assembled("start: r1 = 0x5 ll\n"
					    "loop:\n"
					    "  if r1 == 0 goto done # leave\n"
					    "  r1 += -1\n"
					    "  goto loop\n"
					    "done: call sub\n"
					    "  r2 = subprog[sub]\n"
					    "  gotol start\n"
					    "sub: exit\n", &count);

	(void)state;
	assert_int_equal(count, 10);
	assert_int_equal(insns[2].off, 2);
	assert_int_equal(insns[4].off, -3);
	assert_int_equal(insns[5].imm, 3);
	assert_int_equal(insns[6].imm, 2);
	assert_int_equal(insns[8].imm, -9);
	free(insns);
}

static void asm__reads_a_verifier_log(void **state)
{
	size_t count;
	struct skep_insn *insns =
		assembled("0: (b7) r0 = 0                        ; R0=0\n"
			  "; return 0; @ x.c:3\n"
			  "1: (85) call bpf_map_lookup_elem#1     ; R0=map_value_or_null()\n"
			  "2: (85) call bpf_cpumask_create#12345\n"
			  "3: (85) call bpf_ktime_get_ns\n"
			  "\t4: (95) exit\n", &count);

	(void)state;
	assert_int_equal(count, 5);
	assert_int_equal(insns[1].imm, 1);
	assert_int_equal(insns[2].src, 2);
	assert_int_equal(insns[2].imm, 12345);
	assert_int_equal(insns[3].imm, 5);
	free(insns);
}

static void asm__hexadecimal_is_64_bits_wide(void **state)
{
	size_t count;
	struct skep_insn *insns = assembled("r1 = 5\nr1 = 0x5\nw1 = 0xffffffff\nr1 = 4294967296\n",
					    &count);

	(void)state;
	assert_int_equal(count, 6);
	assert_int_equal(insns[0].code, 0xb7);
	assert_int_equal(insns[1].code, 0x18);
	assert_int_equal(insns[3].imm, -1);
	assert_int_equal(insns[4].code, 0x18);
	assert_int_equal(insns[5].imm, 1);
	free(insns);
}

static const struct {
	const char *text;
	uint32_t line, column;
	const char *message;
} errors[] = {
	{ "r1 = 5\nr11 = 0", 2, 1, "there is no register 11: they are r0 to r10" },
	{ "frob r1", 1, 1, "not an instruction" },
	{ "r1 = r2 r3", 1, 9, "nothing may follow the instruction on its line" },
	{ "r1 = w2", 1, 8, "both sides must be as wide" },
	{ "  if r1 ~ 5 goto x", 1, 9, "expected a comparison: == != > >= < <= s> s>= s< s<= &" },
	{ "goto nowhere", 1, 6, "there is no label 'nowhere'" },
	{ "a: exit\na: exit", 2, 3, "label 'a' was defined before, in line 1" },
	{ "*(u24 *)(r1 +0) = 1", 1, 6, "memory is accessed as 8, 16, 32 or 64 bits" },
	{ "r1 = *(u32 *)(r2 +32768)", 1, 19, "the number must be 0 to 32767" },
	{ "r1 += 4294967296", 1, 7, "the number must be -2147483648 to 4294967295" },
	{ "r1 = 0x10000000000000000", 1, 6, "the number does not fit in 64 bits" },
	{ "call bpf_map_lookup_elem#5", 1, 27, "bpf_map_lookup_elem is helper 1, not 5" },
	{ "r1 = atomic_fetch_add((u64 *)(r2 +0), r1)", 1, 38,
	  "atomic64_ goes with u64, atomic_ with u32" },
	{ "lock *(u16 *)(r1 +0) += r2", 1, 27, "this has no encoding as an instruction" },
	{ "r1 = be16 r2", 1, 13, "it works in place: both registers must be r1" },
};

static void asm__errors_point_at_line_and_column(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct skep_diag *diag = skep_diag_new();
		struct skep_insn *insns = (struct skep_insn *)&errors;
		const struct skep_diag_item *item;
		size_t count = 77;

		assert_int_equal(skep_assemble(errors[i].text, strlen(errors[i].text), "t.s",
					       &insns, &count, diag), -EINVAL);
		assert_ptr_equal(insns, &errors);
		assert_int_equal(count, 77);
		assert_int_equal(skep_diag_count(diag), 1);
		item = skep_diag_get(diag, 0);
		assert_string_equal(item->message, errors[i].message);
		assert_int_equal(item->where.line, errors[i].line);
		assert_int_equal(item->where.column, errors[i].column);
		assert_string_equal(item->where.file, "t.s");
		skep_diag_free(diag);
	}
}

static void asm__a_far_label_asks_for_gotol(void **state)
{
	size_t size = 0, count;
	char *text = malloc(40000 * 8);
	struct skep_diag *diag = skep_diag_new();
	struct skep_insn *insns;

	(void)state;
	size += (size_t)sprintf(text, "goto end\n");
	for (int i = 0; i < 33000; i++)
		size += (size_t)sprintf(text + size, "r0=0\n");
	size += (size_t)sprintf(text + size, "end: exit\n");
	assert_int_equal(skep_assemble(text, size, "t", &insns, &count, diag), -EINVAL);
	assert_string_equal(skep_diag_get(diag, 0)->message,
			    "label 'end' is 33000 instructions away: use gotol");
	free(text);
	skep_diag_free(diag);
}

static void disasm__reports_the_length_it_wanted(void **state)
{
	struct skep_insn insn = raw(0x61, 1, 2, 4, 0);
	char text[8] = "???????";

	(void)state;
	assert_int_equal(skep_disasm(&insn, 1, 0, text, 5), 20);
	assert_string_equal(text, "r1 =");
	assert_int_equal(skep_disasm(&insn, 1, 0, NULL, 0), 20);
	insn.code = 0xff;
	assert_int_equal(skep_disasm(&insn, 1, 0, text, sizeof(text)), 6);
	assert_string_equal(text, "BUG_ff");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(asm__labels_reach_back_and_forth),
		test(asm__reads_a_verifier_log),
		test(asm__hexadecimal_is_64_bits_wide),
		test(asm__errors_point_at_line_and_column),
		test(asm__a_far_label_asks_for_gotol),
		test(disasm__reports_the_length_it_wanted),
	};

	return run_group(tests);
}
