/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <skep/diag.h>

static void diag__a_failing_call_returns_the_codes_errno(void **state)
{
	struct skep_diag *diag = skep_diag_new();

	(void)state;
	assert_int_equal(skep_fail(diag, SKEP_OOM, NULL, "object '%s'", "x.o"), -ENOMEM);
	assert_int_equal(skep_diag_count(diag), 1);
	assert_string_equal(skep_diag_get(diag, 0)->message, "object 'x.o'");
	assert_null(skep_diag_get(diag, 1));
	skep_diag_free(diag);
}

static void diag__null_only_computes_the_errno(void **state)
{
	(void)state;
	assert_int_equal(skep_report(NULL, SKEP_ARG, NULL, "x"), -EINVAL);
	skep_note(NULL, NULL, "x");
	assert_int_equal(skep_diag_count(NULL), 0);
	skep_diag_free(NULL);
}

static void diag__strings_are_copied(void **state)
{
	struct skep_diag *diag = skep_diag_new();
	char name[] = "fw.o";
	struct skep_where where = SKEP_NOWHERE;

	(void)state;
	where.object = name;
	skep_report(diag, SKEP_IO, &where, "gone");
	memset(name, 'x', sizeof(name) - 1);
	assert_string_equal(skep_diag_get(diag, 0)->where.object, "fw.o");
	skep_diag_free(diag);
}

static void diag__the_caret_stands_under_the_column(void **state)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_where where = { .object = "fw.o", .program = "fw", .file = "fw.c", .line = 88,
				    .column = 9, .text = "\treturn ip->saddr;", .insn = 57 };
	char *text;

	(void)state;
	skep_report(diag, SKEP_ARG, &where, "bad");
	skep_note(diag, NULL, "because");
	text = skep_diag_text(diag, 0);
	assert_string_equal(text, "error[G003]: bad\n"
				  "   --> fw.o: fw, instruction 57, fw.c:88\n"
				  "    88 | return ip->saddr;\n"
				  "       |        ^~\n"
				  "  note: because\n");
	free(text);
	skep_diag_free(diag);
}

static void diag__events_of_a_line_share_it_and_details_wait_to_be_asked_for(void **state)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_where stop = { .object = "dir/fw.o", .program = "fw", .file = "fw.c", .line = 9,
				   .text = "\tx = *p;", .column = 7, .insn = 5 };
	struct skep_where got = { .file = "fw.c", .line = 7, .text = "\tp = get();", .column = 6,
				  .insn = 2 };
	char *text;

	(void)state;
	skep_report(diag, SKEP_ARG, &stop, "bad");
	skep_blame(diag, &got, "it is NULL");
	skep_event(diag, &(struct skep_note){ .where = got, .event = "value", .message = "one" });
	skep_event(diag, &(struct skep_note){ .where = got, .event = "check", .message = "two" });
	skep_event(diag, &(struct skep_note){ .where = stop, .event = "change", .detail = 1,
					      .message = "copied", .state = "5: r1 = r0" });
	skep_help(diag, "test it");
	text = skep_diag_text(diag, 0);
	assert_string_equal(text, "error[G003]: bad\n"
				  "   --> fw.c:7 in fw (fw.o); the verifier stopped at line 9, "
				  "instruction 5\n"
				  "     7 | p = get();\n"
				  "       |     ^~~\n"
				  "       = it is NULL\n"
				  "  how it comes to this:\n"
				  "     7 | p = get();\n"
				  "       |   one\n"
				  "       |   two\n"
				  "  fix: test it\n");
	free(text);
	text = skep_diag_text(diag, SKEP_DIAG_DETAIL);
	assert_non_null(strstr(text, "     9 | x = *p;\n       |   copied\n"
				     "       |   5: r1 = r0\n"));
	free(text);
	skep_diag_free(diag);
}

static void diag__json_survives_any_bytes(void **state)
{
	struct skep_diag *diag = skep_diag_new();
	char *json;

	(void)state;
	skep_report(diag, SKEP_ARG, NULL, "%s", "a\"b\\c\n\x01\xff\xc3\xa9");
	json = skep_diag_json(diag);
	assert_string_equal(json, "{\"v\":1,\"id\":\"G003\",\"message\":"
				  "\"a\\\"b\\\\c\\n\\u0001\\ufffd\xc3\xa9\"}\n");
	free(json);
	skep_diag_free(diag);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(diag__a_failing_call_returns_the_codes_errno),
		cmocka_unit_test(diag__null_only_computes_the_errno),
		cmocka_unit_test(diag__strings_are_copied),
		cmocka_unit_test(diag__the_caret_stands_under_the_column),
		cmocka_unit_test(diag__events_of_a_line_share_it_and_details_wait_to_be_asked_for),
		cmocka_unit_test(diag__json_survives_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
