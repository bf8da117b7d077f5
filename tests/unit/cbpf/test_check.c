/* SPDX-License-Identifier: BSD-2-Clause */
/* What Linux refuses, and the words about it. */
#include "cbpf_test.h"

static void refused(const struct skep_cbpf_insn *insns, size_t count, enum skep_cbpf_use use,
		    const char *words)
{
	struct skep_diag *diag = skep_diag_new();

	assert_int_equal(skep_cbpf_check(insns, count, use, "f", diag), -EINVAL);
	assert_non_null(strstr(only_message(diag), words));
}

static void refused_text(const char *text, enum skep_cbpf_use use, const char *words)
{
	size_t count;
	struct skep_cbpf_insn *insns = filter_of(text, &count);

	refused(insns, count, use, words);
	free(insns);
}

static void accepted(const char *text, enum skep_cbpf_use use)
{
	struct skep_diag *diag = skep_diag_new();
	size_t count;
	struct skep_cbpf_insn *insns = filter_of(text, &count);

	if (skep_cbpf_check(insns, count, use, "f", diag) < 0)
		fail_msg("%s", skep_diag_text(diag, 0));
	skep_diag_free(diag);
	free(insns);
}

static void check__a_filter_has_1_to_4096_instructions(void **state)
{
	struct skep_cbpf_insn *many = calloc(4097, sizeof(*many));

	(void)state;
	for (int i = 0; i < 4097; i++)
		many[i].code = 0x06;
	assert_int_equal(skep_cbpf_check(many, 4096, SKEP_CBPF_SOCKET, "f", NULL), 0);
	refused(many, 4097, SKEP_CBPF_SOCKET, "4097");
	refused(many, 0, SKEP_CBPF_SOCKET, "0 instructions");
	free(many);
}

static void check__only_codes_of_the_table_exist(void **state)
{
	unsigned known = 0;

	(void)state;
	for (unsigned code = 0; code <= UINT16_MAX; code++) {
		struct skep_cbpf_insn insns[] = { { 0x02, 0, 0, 1 }, { (uint16_t)code, 0, 0, 1 },
						  { 0x06, 0, 0, 0 }, { 0x06, 0, 0, 0 } };
		/* A jump by k = 1 lands on the last one. */
		int error = skep_cbpf_check(insns, 4, SKEP_CBPF_SOCKET, "f", NULL);

		assert_int_equal(error, cbpf_row((uint16_t)code) ? 0 : -EINVAL);
		known += error == 0;
	}
	assert_int_equal(known, CBPF_ID_COUNT);
}

static void check__constants_are_ones_that_can_be_computed_with(void **state)
{
	(void)state;
	refused_text("div #0\nret a", SKEP_CBPF_SOCKET, "instruction 0 (div      #0) divides by zero");
	refused_text("mod #0\nret a", SKEP_CBPF_SOCKET, "divides by zero");
	refused_text("lsh #32\nret a", SKEP_CBPF_SOCKET, "shifts a number of 32 bits by 32");
	refused_text("rsh #-1\nret a", SKEP_CBPF_SOCKET, "shifts");
	accepted("lsh #31\nrsh x\ndiv x\nret a", SKEP_CBPF_SOCKET);
}

static void check__jumps_stay_inside(void **state)
{
	struct skep_cbpf_insn far[] = { { 0x15, 0, 2, 0 }, { 0x06, 0, 0, 0 }, { 0x06, 0, 0, 0 } };
	struct skep_cbpf_insn always[] = { { 0x05, 0, 0, UINT32_MAX }, { 0x06, 0, 0, 0 } };

	(void)state;
	refused(far, 3, SKEP_CBPF_SOCKET, "jumps to 3 of 3 instructions");
	refused(always, 2, SKEP_CBPF_SOCKET, "jumps to 4294967296 of 2");
	far[0].jf = 1;
	assert_int_equal(skep_cbpf_check(far, 3, SKEP_CBPF_SOCKET, "f", NULL), 0);
	refused_text("tax", SKEP_CBPF_SOCKET, "does not return");
}

static void check__memory_is_written_before_it_is_read(void **state)
{
	(void)state;
	refused_text("ld M[16]\nret a", SKEP_CBPF_SOCKET, "no such memory");
	refused_text("st M[16]\nret a", SKEP_CBPF_SOCKET, "no such memory");
	refused_text("ldx M[3]\nret a", SKEP_CBPF_SOCKET, "may not have been written");
	accepted("stx M[3]\nld M[3]\nret a", SKEP_CBPF_SOCKET);
	/* one way sets it, the other does not */
	refused_text("jeq #1, yes, no\nyes: st M[0]\nno: ld M[0]\nret a", SKEP_CBPF_SOCKET,
		     "may not have been written");
	accepted("jeq #1, yes, no\nyes: st M[0]\nja end\nno: st M[0]\nend: ld M[0]\nret a",
		 SKEP_CBPF_SOCKET);
	/* what nothing leads to may read anything, but not behind a return */
	accepted("ja end\nld M[0]\nend: ret a", SKEP_CBPF_SOCKET);
	refused_text("ret #0\nld M[0]\nret a", SKEP_CBPF_SOCKET, "may not have been written");
}

static void check__metadata_exists(void **state)
{
	(void)state;
	accepted("ld vlan_tpid\nldb [4294963200]\nldx 4*([4294967295]&0xf)\nld [x + 4294967295]\nret a",
		 SKEP_CBPF_SOCKET);
	refused_text("ld [4294963204]\nld [4294963201]\nret a", SKEP_CBPF_SOCKET, "metadata");
	refused_text("ld [4294963264]\nret a", SKEP_CBPF_SOCKET, "metadata");
	accepted("ld [4294963199]\nret a", SKEP_CBPF_SOCKET);
}

static void check__seccomp_filters_load_words_of_the_call(void **state)
{
	(void)state;
	accepted("ld [60]\nld len\nldx len\nneg\nst M[1]\nret a", SKEP_CBPF_SECCOMP);
	refused_text("ld [64]\nret a", SKEP_CBPF_SECCOMP, "aligned word");
	refused_text("ld [2]\nret a", SKEP_CBPF_SECCOMP, "aligned word");
	refused_text("ldh [4]\nret a", SKEP_CBPF_SECCOMP, "not for seccomp");
	refused_text("mod #3\nret a", SKEP_CBPF_SECCOMP, "not for seccomp");
	refused_text("ld [x + 4]\nret a", SKEP_CBPF_SECCOMP, "not for seccomp");
	refused_text("ld rand\nret a", SKEP_CBPF_SECCOMP, "aligned word");
}

/* 4,094 loads of 16 eBPF instructions each are more than one of its jumps can pass. */
static void check__a_jump_over_too_much_eBPF_is_refused(void **state)
{
	struct skep_cbpf_insn *insns = calloc(4096, sizeof(*insns));

	(void)state;
	insns[0] = (struct skep_cbpf_insn){ 0x05, 0, 0, 2047 };
	for (int i = 1; i < 4096; i++)
		insns[i] = (struct skep_cbpf_insn){ 0x20, 0, 0, 0x12345 };
	insns[4095].code = 0x06;
	/* 2047 loads are 32752 */
	assert_int_equal(skep_cbpf_check(insns, 4096, SKEP_CBPF_SOCKET, "f", NULL), 0);
	insns[0].k = 2048;
	refused(insns, 4096, SKEP_CBPF_SOCKET, "32768");
	free(insns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check__a_filter_has_1_to_4096_instructions),
		cmocka_unit_test(check__only_codes_of_the_table_exist),
		cmocka_unit_test(check__constants_are_ones_that_can_be_computed_with),
		cmocka_unit_test(check__jumps_stay_inside),
		cmocka_unit_test(check__memory_is_written_before_it_is_read),
		cmocka_unit_test(check__metadata_exists),
		cmocka_unit_test(check__seccomp_filters_load_words_of_the_call),
		cmocka_unit_test(check__a_jump_over_too_much_eBPF_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
