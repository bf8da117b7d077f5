/* SPDX-License-Identifier: BSD-2-Clause */
/* What is refused, and in which words; what decodes, and to what. */
#include "isa_test.h"

static const struct {
	struct skep_insn slots[2];
	const char *why;
} refused[] = {
	{ { { .code = 0x00 } }, "unknown opcode 00" },
	{ { { .code = 0x8f } }, "unknown opcode 8f" },
	{ { { .code = 0xdf } }, "unknown opcode df" },
	{ { { .code = 0x38 } }, "unknown opcode 38" },
	{ { { .code = 0x99 } }, "unknown opcode 99" },
	{ { { .code = 0x99, .imm = 1 } }, "BPF_LDX uses reserved fields" },
	{ { { .code = 0x01 } }, "BPF_LDX uses reserved fields" },
	{ { { .code = 0x61, .imm = 1 } }, "BPF_LDX uses reserved fields" },
	{ { { .code = 0x62, .src = 1 } }, "BPF_ST uses reserved fields" },
	{ { { .code = 0x63, .imm = 1 } }, "BPF_STX uses reserved fields" },
	{ { { .code = 0x04, .src = 1 } }, "BPF_ALU uses reserved fields" },
	{ { { .code = 0x0f, .off = 1 } }, "BPF_ALU uses reserved fields" },
	{ { { .code = 0x0f, .imm = 1 } }, "BPF_ALU uses reserved fields" },
	{ { { .code = 0x37, .off = 2, .imm = 1 } }, "BPF_ALU uses reserved fields" },
	{ { { .code = 0x87, .src = 1 } }, "BPF_NEG uses reserved fields" },
	{ { { .code = 0xb7, .off = 8 } }, "BPF_MOV uses reserved fields" },
	{ { { .code = 0xbf, .off = 64 } }, "BPF_MOV uses reserved fields" },
	{ { { .code = 0xbf, .off = -1 } }, "BPF_MOV uses reserved fields" },
	{ { { .code = 0xbc, .off = 32 } }, "BPF_MOV uses reserved fields" },
	{ { { .code = 0xbc, .off = 1 } }, "BPF_MOV uses reserved fields" },
	{ { { .code = 0xd4, .imm = 24 } }, "BPF_END uses reserved fields" },
	{ { { .code = 0xdc, .imm = 16, .off = 1 } }, "BPF_END uses reserved fields" },
	{ { { .code = 0x20, .dst = 1 } }, "BPF_LD_[ABS|IND] uses reserved fields" },
	{ { { .code = 0x15, .src = 1 } }, "BPF_JMP/JMP32 uses reserved fields" },
	{ { { .code = 0x1d, .imm = 1 } }, "BPF_JMP/JMP32 uses reserved fields" },
	{ { { .code = 0x05, .imm = 1 } }, "BPF_JA uses reserved fields" },
	{ { { .code = 0x06, .off = 1 } }, "BPF_JA uses reserved fields" },
	{ { { .code = 0x85, .src = 3 } }, "BPF_CALL uses reserved fields" },
	{ { { .code = 0x85, .src = 1, .off = 1 } }, "BPF_CALL uses reserved fields" },
	{ { { .code = 0x95, .imm = 1 } }, "BPF_EXIT uses reserved fields" },
	{ { { .code = 0xe5, .imm = 7 } }, "invalid may_goto imm 7" },
	{ { { .code = 0xdb, .imm = 0xe0 } }, "BPF_ATOMIC uses invalid atomic opcode e0" },
	{ { { .code = 0xc3, .imm = -1 } }, "BPF_ATOMIC uses invalid atomic opcode ffffffff" },
	{ { { .code = 0xcb, .imm = 0 } }, "invalid atomic operand size" },
	{ { { .code = 0xb7, .dst = 11 } }, "R11 is invalid" },
	{ { { .code = 0xbf, .src = 15 } }, "R15 is invalid" },
	{ { { .code = 0x07, .dst = 11, .src = 1 } }, "BPF_ALU uses reserved fields" },
	{ { { .code = 0x0f, .dst = 11, .src = 15 } }, "R15 is invalid" },
	{ { { .code = 0x1d, .dst = 11, .src = 15, .imm = 1 } }, "R11 is invalid" },
	{ { { .code = 0x18 }, { .off = 1 } }, "invalid bpf_ld_imm64 insn" },
	{ { { .code = 0x18 }, { .code = 0x95 } }, "invalid bpf_ld_imm64 insn" },
	{ { { .code = 0x18, .src = 7 } }, "unrecognized bpf_ld_imm64 insn" },
	{ { { .code = 0x18, .src = 1 }, { .imm = 1 } }, "unrecognized bpf_ld_imm64 insn" },
	{ { { .code = 0x18, .off = 1 } }, "BPF_LD_IMM64 uses reserved fields" },
	{ { { .code = 0xbf, .off = 1, .imm = 0 } },
	  "addr_space_cast insn can only convert between address space 1 and 0" },
};

static void decode__refuses_in_the_words_of_linux(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		const char *why = NULL;
		struct insn insn = insn_decode(refused[i].slots, 2, 0, &why);

		assert_int_equal(insn.kind, INSN_INVALID);
		assert_string_equal(why, refused[i].why);
	}
}

static void decode__reads_nothing_past_the_end(void **state)
{
	struct skep_insn *one = malloc(sizeof(*one));
	const char *why = NULL;

	(void)state;
	*one = raw(0x18, 1, 0, 0, 5);
	assert_int_equal(insn_decode(one, 1, 0, &why).kind, INSN_INVALID);
	assert_string_equal(why, "invalid bpf_ld_imm64 insn");
	free(one);
}

static void decode__fields_are_widened(void **state)
{
	struct skep_insn imm64[2] = { raw(0x18, 2, 0, 0, -5), raw(0, 0, 0, 0, 1) };
	struct skep_insn move = raw(0xbf, 1, 2, 16, 0), far = raw(0x06, 0, 0, 0, -70000);
	struct skep_insn local = raw(0x85, 0, 1, 0, 90000), swap = raw(0xdc, 4, 0, 0, 32);
	struct insn insn;

	(void)state;
	insn = insn_decode(imm64, 2, 0, NULL);
	assert_true(insn.imm == 0x1fffffffb && insn.op == IMM64_VALUE && insn.dst == 2);
	assert_int_equal(insn_decode(imm64, 2, 1, NULL).kind, INSN_PAD);
	insn = insn_decode(&move, 1, 0, NULL);
	assert_true(insn.kind == INSN_ALU && insn.op == ALU_MOV && insn.from == 2 &&
		    insn.sign_extend && insn.off == 0);
	insn = insn_decode(&far, 1, 0, NULL);
	assert_true(insn.kind == INSN_GOTO && insn.off == -70000);
	insn = insn_decode(&local, 1, 0, NULL);
	assert_true(insn.kind == INSN_CALL && insn.op == CALL_LOCAL && insn.off == 90000);
	insn = insn_decode(&swap, 1, 0, NULL);
	assert_true(insn.kind == INSN_ALU && insn.op == ALU_TO_BE && insn.from == 4);
}

static void decode__all_stops_at_the_first_bad_one(void **state)
{
	struct skep_insn insns[] = { raw(0x18, 0, 0, 0, 0), raw(0, 0, 0, 0, 0),
				     raw(0xb7, 0, 0, 0, 0), raw(0xff, 0, 0, 0, 0),
				     raw(0x95, 0, 0, 0, 0) };
	struct insn out[5];
	const char *why;
	size_t bad = 0;

	(void)state;
	assert_int_equal(insn_decode_all(insns, 3, out, &bad, &why), 0);
	assert_int_equal(out[1].kind, INSN_PAD);
	assert_int_equal(insn_decode_all(insns, 5, out, &bad, &why), -EINVAL);
	assert_int_equal(bad, 3);
	assert_string_equal(why, "unknown opcode ff");
}

static void encode__refuses_what_has_no_encoding(void **state)
{
	struct skep_insn out[2];
	struct insn far = { .kind = INSN_GOTO, .width = 8, .off = 40000 };
	struct insn wide = { .kind = INSN_ALU, .op = ALU_ADD, .width = 8, .from = 8,
			     .source_is_imm = true, .imm = 1LL << 40 };
	struct insn narrow = { .kind = INSN_ATOMIC, .op = ATOMIC_ADD, .width = 2 };
	struct insn odd = { .kind = INSN_LOAD, .width = 3 };
	struct insn reg = { .kind = INSN_ALU, .op = ALU_ADD, .width = 8, .dst = 17 };

	(void)state;
	assert_int_equal(insn_encode(far, out), 0);
	assert_int_equal(insn_encode(wide, out), 0);
	assert_int_equal(insn_encode(narrow, out), 0);
	assert_int_equal(insn_encode(odd, out), 0);
	assert_int_equal(insn_encode(reg, out), 0);
	assert_int_equal(insn_encode((struct insn){ .kind = INSN_PAD }, out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(decode__refuses_in_the_words_of_linux),
		test(decode__reads_nothing_past_the_end),
		test(decode__fields_are_widened),
		test(decode__all_stops_at_the_first_bad_one),
		test(encode__refuses_what_has_no_encoding),
	};

	return run_group(tests);
}
