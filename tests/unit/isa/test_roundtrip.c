/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every opcode with representative fields: whatever decodes must come back the
 * same through the encoder, and through the disassembler and assembler.
 */
#include "isa_test.h"

static const int16_t offs[] = { 0, 1, -1, 2, 8, 16, 32, 64, 127, -8, -512, INT16_MIN, INT16_MAX };
static const int32_t imms[] = { 0, 1, -1, 2, 5, 8, 16, 32, 64, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1,
				0xe1, 0xf1, 0x100, 0x110, 1 << 16, 211, 1000, 0x7fffffff,
				INT32_MIN, -64 };
static const uint8_t regs[] = { 0, 1, 5, 10, 2, 3, 4, 6, 7, 8, 9 };

static size_t forms, kinds_seen[INSN_KIND_COUNT], alu_seen[ALU_COUNT], cond_seen[COND_COUNT];
static size_t atomic_seen[ATOMIC_COUNT];

static void check_text(const struct skep_insn *slots, unsigned count)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_insn *back = NULL;
	size_t back_count = 0;
	char text[128], line[160];
	int len = skep_disasm(slots, count, 0, text, sizeof(text));

	assert_in_range(len, 1, sizeof(text) - 1);
	assert_int_equal(strlen(text), len);
	snprintf(line, sizeof(line), "  17: (%02x) %s ; comment", slots[0].code, text);
	if (skep_assemble(line, strlen(line), "t", &back, &back_count, diag) < 0)
		fail_msg("%s: %s", text, skep_diag_text(diag, 0));
	assert_int_equal(back_count, count);
	if (memcmp(back, slots, count * sizeof(*back)) != 0)
		fail_msg("'%s' of %02x dst %u src %u off %d imm %d became %02x dst %u src %u off %d imm %d",
			 text, slots[0].code, slots[0].dst, slots[0].src, slots[0].off,
			 slots[0].imm, back[0].code, back[0].dst, back[0].src, back[0].off,
			 back[0].imm);
	free(back);
	skep_diag_free(diag);
}

static void check_form(const struct skep_insn *slots)
{
	unsigned count = skep_insn_slots(slots[0]);
	struct insn insn = insn_decode(slots, count, 0, NULL);
	struct skep_insn again[2] = { { 0 } };

	if (insn.kind == INSN_INVALID)
		return;
	forms++;
	kinds_seen[insn.kind]++;
	if (insn.kind == INSN_ALU)
		alu_seen[insn.op]++;
	if (insn.kind == INSN_JUMP)
		cond_seen[insn.op]++;
	if (insn.kind == INSN_ATOMIC)
		atomic_seen[insn.op]++;
	assert_int_equal(insn_encode(insn, again), count);
	assert_memory_equal(again, slots, count * sizeof(*again));
	check_text(slots, count);
}

/* Their register is the only one past the tenth, and only they have it. */
static void check_stack_arguments(void)
{
	for (unsigned code = 0; code < 256; code++) {
		for (int off = -64; off <= 64; off += 4) {
			struct skep_insn load = raw((uint8_t)code, 3, 11, (int16_t)off, 0);
			struct skep_insn store = raw((uint8_t)code, 11, 3, (int16_t)off, 0);
			struct skep_insn constant = raw((uint8_t)code, 11, 0, (int16_t)off, -5);
			bool whole = off % 8 == 0;

			check_form(&load);
			check_form(&store);
			check_form(&constant);
			assert_int_equal(insn_decode(&load, 1, 0, NULL).kind == INSN_LOAD_ARG,
					 code == 0x79 && off > 0 && whole);
			assert_int_equal(insn_decode(&store, 1, 0, NULL).kind == INSN_STORE_ARG,
					 code == 0x7b && off < 0 && whole);
			assert_int_equal(insn_decode(&constant, 1, 0, NULL).kind == INSN_STORE_ARG,
					 code == 0x7a && off < 0 && whole);
		}
	}
}

static void roundtrip__every_encodable_form_survives(void **state)
{
	(void)state;
	check_stack_arguments();
	for (unsigned code = 0; code < 256; code++) {
		for (size_t r = 0; r < ARRAY_SIZE(regs); r++) {
			for (size_t o = 0; o < ARRAY_SIZE(offs); o++) {
				for (size_t i = 0; i < ARRAY_SIZE(imms); i++) {
					uint8_t a = regs[r], b = regs[(r * 7 + o + i) % 11];
					struct skep_insn s[2] = { raw((uint8_t)code, a, b, offs[o],
								      imms[i]) };

					check_form(s);
					s[0].src = 0;
					check_form(s);
					s[0].dst = 0;
					check_form(s);
					s[0].src = b;
					check_form(s);
					s[0].off = 0;
					s[0].imm = 0;
					check_form(s);
				}
			}
		}
	}
	for (int kind = INSN_ALU; kind < INSN_KIND_COUNT; kind++)
		assert_true(kinds_seen[kind] > 0);
	for (int op = 0; op < ALU_COUNT; op++)
		assert_true(alu_seen[op] > 0);
	for (int op = 0; op < COND_COUNT; op++)
		assert_true(cond_seen[op] > 0);
	for (int op = 0; op < ATOMIC_COUNT; op++)
		assert_true(atomic_seen[op] > 0);
	assert_true(forms > 20000);
}

static void roundtrip__every_64_bit_immediate_survives(void **state)
{
	static const uint32_t highs[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff };

	(void)state;
	for (unsigned src = 0; src <= 6; src++) {
		for (size_t i = 0; i < ARRAY_SIZE(imms); i++) {
			for (size_t h = 0; h < ARRAY_SIZE(highs); h++) {
				struct skep_insn s[2] = { raw(0x18, 3, src, 0, imms[i]),
							  raw(0, 0, 0, 0, (int32_t)highs[h]) };

				check_form(s);
			}
		}
	}
	assert_true(kinds_seen[INSN_IMM64] > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(roundtrip__every_encodable_form_survives),
		test(roundtrip__every_64_bit_immediate_survives),
	};

	return run_group(tests);
}
