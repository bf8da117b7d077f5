/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters as text: every form of every instruction comes back; where errors point. */
#include "cbpf_test.h"

#include <stdio.h>

#include <pcap/pcap.h>

static uint32_t random_state = 1;

static uint32_t random32(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state;
}

static void reads_to(const char *text, const struct skep_cbpf_insn *want, size_t want_count)
{
	size_t count;
	struct skep_cbpf_insn *insns = filter_of(text, &count);

	assert_int_equal(count, want_count);
	assert_memory_equal(insns, want, count * sizeof(*insns));
	free(insns);
}

/* What is no operand is in no text of instructions. */
static bool shows_k(const struct cbpf_row *row)
{
	switch ((enum cbpf_kind)row->kind) {
	case CBPF_NEG: case CBPF_TAX: case CBPF_TXA: case CBPF_LEN:
		return false;
	case CBPF_ALU: case CBPF_JUMP: case CBPF_RETURN:
		return row->reg == CBPF_K;
	case CBPF_ABS: case CBPF_IND: case CBPF_MSH: case CBPF_IMM: case CBPF_MEM: case CBPF_STORE:
	case CBPF_GOTO:
		break;
	}
	return true;
}

/* Every row, with operands at random; jumps go to the end, which returns. */
static size_t every_row(struct skep_cbpf_insn *insns)
{
	size_t count = 0, last = 3 * CBPF_ID_COUNT;

	for (size_t i = 0; i < last; i++) {
		const struct cbpf_row *row = &cbpf_rows[i % CBPF_ID_COUNT];
		struct skep_cbpf_insn insn = { row->code, 0, 0, random32() };
		size_t left = last - count;

		if (!shows_k(row))
			insn.k = 0;
		if (row->kind == CBPF_JUMP) {
			insn.jt = (uint8_t)(random32() % left);
			insn.jf = (uint8_t)(random32() % 3 ? random32() % left : 0);
		} else if (row->kind == CBPF_GOTO) {
			insn.k %= left;
		} else if (row->kind == CBPF_MEM || row->kind == CBPF_STORE) {
			insn.k %= 16;
		} else if (row->kind == CBPF_ABS && random32() % 2) {
			insn.k = CBPF_ANCILLARY + random32() % 16 * 4;
		}
		insns[count++] = insn;
	}
	insns[count++] = (struct skep_cbpf_insn){ 0x06, 0, 0, 0 };
	return count;
}

static void text__every_form_reads_back(void **state)
{
	struct skep_cbpf_insn insns[3 * CBPF_ID_COUNT + 1];

	(void)state;
	for (int round = 0; round < 50; round++) {
		size_t count = every_row(insns);

		for (int form = 0; form < SKEP_CBPF_FORM_COUNT; form++) {
			struct skep_text text = { 0 };

			assert_int_equal(skep_cbpf_write(insns, count, (enum skep_cbpf_form)form, &text), 0);
			reads_to(text.data, insns, count);
			free(text.data);
		}
	}
}

/* libpcap's own words for an instruction; it has none for "ldx #pktlen", which Linux takes. */
static void text__listings_are_those_of_libpcap(void **state)
{
	struct skep_cbpf_insn insns[3 * CBPF_ID_COUNT + 1];

	(void)state;
	for (int round = 0; round < 50; round++) {
		size_t count = every_row(insns);

		for (size_t i = 0; i < count; i++) {
			char line[160], numbered[192];

			if (insns[i].code == cbpf_rows[CBPF_ID_LDX_LEN].code)
				continue;
			skep_cbpf_disasm(insns, count, i, SKEP_CBPF_LISTING, line, sizeof(line));
			snprintf(numbered, sizeof(numbered), "(%03zu) %s", i, line);
			assert_string_equal(numbered,
					    bpf_image((const struct bpf_insn *)&insns[i], (int)i));
		}
	}
}

static void text__reads_what_tcpdump_prints(void **state)
{
	static const struct skep_cbpf_insn want[] = {
		{ 0x30, 0, 0, 0xfffff030 }, { 0x15, 2, 0, 1 }, { 0x28, 0, 0, 12 },
		{ 0x15, 0, 1, 0x8100 }, { 0x06, 0, 0, 262144 }, { 0x06, 0, 0, 0 } };

	(void)state;
	reads_to("(000) ldb      [vlanp]\n"
		 "(001) jeq      #0x1             jt 4\tjf 2\n"
		 "(002) ldh      [12]\n"
		 "(003) jeq      #0x8100          jt 4\tjf 5\n"
		 "(004) ret      #262144\n"
		 "(005) ret      #0\n", want, 6);
	reads_to("{ 0x30, 0, 0, 0xfffff030 },\n{ 0x15, 2, 0, 0x00000001 },\n"
		 "{ 0x28, 0, 0, 0x0000000c },\n{ 0x15, 0, 1, 0x00008100 },\n"
		 "{ 0x6, 0, 0, 0x00040000 },\n{ 0x6, 0, 0, 0x00000000 },\n", want, 6);
	reads_to("6\n48 0 0 4294963248\n21 2 0 1\n40 0 0 12\n21 0 1 33024\n6 0 0 262144\n6 0 0 0\n",
		 want, 6);
	reads_to("6,48 0 0 4294963248,21 2 0 1,40 0 0 12,21 0 1 33024,6 0 0 262144,6 0 0 0,", want, 6);
	reads_to("'6,48 0 0 4294963248,21 2 0 1,40 0 0 12,21 0 1 33024,6 0 0 262144,6 0 0 0'", want, 6);
}

static void text__reads_what_bpf_asm_reads(void **state)
{
	static const struct skep_cbpf_insn want[] = {
		{ 0x28, 0, 0, 12 }, { 0x15, 0, 3, 0x800 }, { 0x30, 0, 0, 23 }, { 0x35, 1, 0, 7 },
		{ 0x06, 0, 0, UINT32_MAX }, { 0x06, 0, 0, 0 } };
	static const struct skep_cbpf_insn more[] = {
		{ 0x20, 0, 0, 0xfffff02c }, { 0xb1, 0, 0, 14 }, { 0x48, 0, 0, 16 }, { 0x0c, 0, 0, 0 },
		{ 0x00, 0, 0, 10 }, { 0x01, 0, 0, 5 }, { 0x81, 0, 0, 0 }, { 0x05, 0, 0, 1 },
		{ 0x1d, 0, 0, 0 }, { 0x16, 0, 0, 0 } };

	(void)state;
	reads_to("; what an Ethernet frame carries\n"
		 "ldh [12]            /* its type,\n"
		 "                       over two lines */\n"
		 "jne #0x800, drop\n"
		 "ldb [23]\n"
		 "jlt #7, good        // a comment\n"
		 "drop_it: keep: ret #-1\n"
		 "drop: good: ret #0\n", (struct skep_cbpf_insn[]){
			{ 0x28, 0, 0, 12 }, { 0x15, 0, 3, 0x800 }, { 0x30, 0, 0, 23 },
			{ 0x35, 0, 1, 7 }, { 0x06, 0, 0, UINT32_MAX }, { 0x06, 0, 0, 0 } }, 6);
	reads_to("ldh [12]\njeq #0x800, 2, 5\nldb [23]\njge #7, no, yes\nyes: ret #-1\nno: ret #0", want, 6);
	reads_to("ld #vlan_tci\nldx 4*([14]&0xf)\nldh [%x + 16]\nadd %x\nldi #0b1010\nldxi 05\n"
		 "ldx #len\njmp end\njeq x, end, end\nend: ret %a", more, 10);
}

static void text__reads_c_as_people_write_it(void **state)
{
	static const struct skep_cbpf_insn want[] = { { 0x20, 0, 0, 4 }, { 0x15, 1, 0, 0xc000003e },
						      { 0x06, 0, 0, 0x80000000 },
						      { 0x20, 0, 0, 0xfffff02c },
						      { 0x06, 0, 0, 0x7fff0000 } };

	(void)state;
	reads_to("static const struct sock_filter code[] = {\n"
		 "	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4), /* the architecture */\n"
		 "	BPF_JUMP(BPF_JMP + BPF_JEQ + BPF_K, 0xc000003eU, 1, 0),\n"
		 "	BPF_STMT(BPF_RET|BPF_K, SECCOMP_RET_KILL_PROCESS), // no\n"
		 "	{ BPF_LD | (BPF_W | BPF_ABS),\n 0, 0,\n (SKF_AD_OFF + SKF_AD_VLAN_TAG) },\n"
		 "	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)\n};\n", want, 5);
	reads_to("{ { 6, 0, 0, 1 } }", (struct skep_cbpf_insn[]){ { 6, 0, 0, 1 } }, 1);
	reads_to("{\n 6, 0, 0, 1 }", (struct skep_cbpf_insn[]){ { 6, 0, 0, 1 } }, 1);
}

static void text__errors_point_at_what_is_wrong(void **state)
{
	static const struct { const char *text, *words; uint32_t line, column; } rows[] = {
		{ "", "no filter", 0, 1 },
		{ "ldh [12]\nfoo #1\n", "no instruction 'foo'", 2, 1 },
		{ "ldh [12]\n  ldh x\n", "'ldh' does not take", 2, 7 },
		{ "ret #99999999999", "32 bits", 1, 6 },
		{ "jeq #1, there\nret #0", "no label 'there'", 1, 9 },
		{ "a1: ret #0\nja a1\nret #0", "only go forward", 2, 4 },
		{ "b: ret #0\nb: ret #1", "defined twice", 2, 3 },
		{ "ret #0 #1", "nothing may follow", 1, 8 },
		{ "(000) ret #0\n(002) ret #0", "lines are missing", 2, 6 },
		{ "ld [vlanx]", "not 'vlanx'", 1, 10 },
		{ "ldxb 4*([14]&0xe)", "only be 0xf", 1, 18 },
		{ "2\n6 0 0 0\n", "promises 2 instructions and has 1", 2, 8 },
		{ "1\n6 0 0 0\n6 0 0 0", "has more", 3, 1 },
		{ "1\n6 0 256 0\n", "0 to 255", 2, 5 },
		{ "{ 0x10000, 0, 0, 0 }", "0 to 65535", 1, 3 },
		{ "{ 6, 0, 0 }", "expected ','", 1, 11 },
		{ "BPF_STMT(BPF_FOO, 1)", "'BPF_FOO' is not known", 1, 17 },
		{ "struct sock_filter x[] = { { 6, 0, 0, 0 }", "expected '}'", 1, 42 },
		{ "unimp 0xff", "no instruction 'unimp'", 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct skep_diag *diag = skep_diag_new();
		struct skep_cbpf_insn *insns = NULL;
		const struct skep_diag_item *item;
		size_t count;

		assert_int_equal(skep_cbpf_read(rows[i].text, strlen(rows[i].text), "t", &insns, &count,
						diag), -EINVAL);
		assert_null(insns);
		assert_int_equal(skep_diag_count(diag), 1);
		item = skep_diag_get(diag, 0);
		assert_int_equal(item->code, SKEP_CBPF_TEXT);
		if (!strstr(item->message, rows[i].words) || item->where.line != rows[i].line ||
		    item->where.column != rows[i].column)
			fail_msg("'%s': %u:%u: %s", rows[i].text, item->where.line, item->where.column,
				 item->message);
		skep_diag_free(diag);
	}
}

static void text__a_condition_reaches_255_instructions(void **state)
{
	struct skep_text text = { 0 };
	struct skep_cbpf_insn *insns = NULL;
	struct skep_diag *diag = skep_diag_new();
	size_t count;

	(void)state;
	text_add(&text, "jeq #1, far\n");
	for (int i = 0; i < 255; i++)
		text_add(&text, "tax\n");
	text_add(&text, "far: ret #0\n");
	insns = filter_of(text.data, &count);
	assert_int_equal(insns[0].jt, 255);
	free(insns);
	insns = NULL;
	text_add(&text, "jeq #1, farther\n");
	for (int i = 0; i < 256; i++)
		text_add(&text, "tax\n");
	text_add(&text, "farther: ret #0\n");
	assert_int_equal(skep_cbpf_read(text.data, text.len, "t", &insns, &count, diag), -EINVAL);
	assert_non_null(strstr(only_message(diag), "256 instructions away"));
	free(text.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text__every_form_reads_back),
		cmocka_unit_test(text__listings_are_those_of_libpcap),
		cmocka_unit_test(text__reads_what_tcpdump_prints),
		cmocka_unit_test(text__reads_what_bpf_asm_reads),
		cmocka_unit_test(text__reads_c_as_people_write_it),
		cmocka_unit_test(text__errors_point_at_what_is_wrong),
		cmocka_unit_test(text__a_condition_reaches_255_instructions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
