/* SPDX-License-Identifier: BSD-2-Clause */
/* test_value.c - bytes of a type as text and as JSON. */
#include "build.h"

static struct skep_btf *btf;

enum { INT = 1, UCHAR, CHAR, COMM, LONG, BOOL, COLOUR, INNER, EVENT, PTR, PAIR, DOUBLE, WIDE,
       LONGS, VAR_A, SECTION, U128, BITS, PROTO };

static int setup(void **state)
{
	struct build b;

	(void)state;
	build_init(&b);
	build_int(&b, "int", 4, 1);
	build_int(&b, "unsigned char", 1, 0);
	build_int(&b, "char", 1, 1);
	build_array(&b, CHAR, INT, 8);
	build_int(&b, "unsigned long", 8, 0);
	build_int(&b, "_Bool", 1, 4);
	build_enum(&b, "colour", BTF_ENUM, true, 4, { "RED", 0 }, { "BLUE", -2 });
	build_struct(&b, NULL, 4, { "x", UCHAR, 0, 0 }, { "y", UCHAR, 8, 0 });
	build_struct(&b, "event", 48, { "pid", INT, 0, 0 }, { "", INNER, 32, 0 },
		     { "comm", COMM, 64, 0 }, { "next", PTR, 128, 0 }, { "c", COLOUR, 192, 0 },
		     { "ok", BOOL, 224, 0 }, { "pairs", LONGS, 256, 0 });
	build_ref(&b, NULL, BTF_PTR, EVENT);
	build_struct(&b, "pair", 8, { "a", INT, 0, 0 }, { "b", INT, 32, 0 });
	build_type(&b, "double", BTF_FLOAT, false, 0, 8);
	build_enum(&b, "wide", BTF_ENUM64, false, 8, { "TOP", (int64_t)(1ull << 63) });
	build_array(&b, LONG, INT, 2);
	build_type(&b, "a", BTF_VAR, false, 0, INT);
	build_word(&b, 1);
	build_type(&b, ".data", BTF_DATASEC, false, 1, 8);
	build_word(&b, VAR_A);
	build_word(&b, 4);
	build_word(&b, 4);
	build_int(&b, "unsigned __int128", 16, 0);
	build_struct(&b, "bits", 4, { "a", INT, 0, 3 }, { "b", UCHAR, 3, 5 }, { "c", COLOUR, 8, 2 });
	build_proto(&b, INT, 0, 0);
	btf = build_open(&b);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	skep_btf_unref(btf);
	return 0;
}

static void expect(uint32_t id, const void *value, size_t size, unsigned flags, const char *want)
{
	struct skep_text out = { 0 };

	assert_int_equal(skep_btf_print_value(btf, id, value, size, flags, &out),
			 skep_btf_size(btf, id));
	assert_string_equal(out.data, want);
	text_done(&out);
}

static const unsigned char event[48] = {
	0xff, 0xff, 0xff, 0xff, 7, 9, 0, 0, 'c', 'a', 't', '"', 0, 0, 0, 0,
	0xef, 0xbe, 0, 0, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 1, 0, 0, 0,
	1, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
};

static void value__json_is_one_object(void **state)
{
	(void)state;
	expect(EVENT, event, sizeof(event), SKEP_VALUE_JSON,
	       "{\"pid\":-1,\"x\":7,\"y\":9,\"comm\":\"cat\\\"\",\"next\":\"0xbeef\","
	       "\"c\":\"BLUE\",\"ok\":true,\"pairs\":[1,18446744073709551615]}");
}

static void value__text_has_types_or_one_line(void **state)
{
	static const unsigned char pair[8] = { 1, 0, 0, 0, 2 };

	(void)state;
	expect(PAIR, pair, 8, 0,
	       "(struct pair){\n\t.a = (int)1,\n\t.b = (int)2,\n}");
	expect(PAIR, pair, 8, SKEP_VALUE_COMPACT, "{ .a = 1, .b = 2 }");
	expect(EVENT, event, sizeof(event), SKEP_VALUE_COMPACT,
	       "{ .pid = -1, .x = 7, .y = 9, .comm = \"cat\\\"\", .next = 0xbeef, .c = BLUE, "
	       ".ok = true, .pairs = [1, 18446744073709551615] }");
}

static void value__characters_that_are_no_string_are_numbers(void **state)
{
	(void)state;
	expect(COMM, "\0\0\0\0\0\0\0", 8, SKEP_VALUE_JSON, "\"\"");
	expect(COMM, "abcdefgh", 8, SKEP_VALUE_JSON, "\"abcdefgh\"");
	expect(COMM, "\1bcdefgh", 8, SKEP_VALUE_JSON, "[1,98,99,100,101,102,103,104]");
	expect(COMM, "\0bcdefgh", 8, SKEP_VALUE_JSON, "[0,98,99,100,101,102,103,104]");
}

static void value__control_characters_are_escaped_as_c_or_json_does(void **state)
{
	(void)state;
	expect(COMM, "a\r\n\033\"\\\xff", 8, 0, "\"a\\r\\n\\x1b\\\"\\\\\\xff\"");
	expect(COMM, "a\r\n\033\"\\\xff", 8, SKEP_VALUE_JSON,
	       "\"a\\u000d\\n\\u001b\\\"\\\\\\ufffd\"");
}

static void value__bit_fields_take_their_bits(void **state)
{
	/* a = 0b101 = -3, b = 0b10011 = 19, c = 0b10 = -2 = BLUE */
	static const unsigned char bits[4] = { 0x9d, 0x02 };

	(void)state;
	expect(BITS, bits, 4, SKEP_VALUE_JSON, "{\"a\":-3,\"b\":19,\"c\":\"BLUE\"}");
}

static void value__numbers_of_every_width(void **state)
{
	double d = 0.5, nan = __builtin_nan("");
	uint64_t top = 1ull << 63;
	int32_t odd = 5;

	(void)state;
	expect(DOUBLE, &d, 8, SKEP_VALUE_JSON, "0.5");
	expect(DOUBLE, &nan, 8, SKEP_VALUE_JSON, "null");
	expect(WIDE, &top, 8, SKEP_VALUE_JSON, "\"TOP\"");
	expect(COLOUR, &odd, 4, SKEP_VALUE_JSON, "5");
	expect(U128, "\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0", 16, SKEP_VALUE_JSON,
	       "\"0x20000000000000001\"");
}

static void value__sections_show_their_variables(void **state)
{
	static const unsigned char data[8] = { 9, 9, 9, 9, 3 };

	(void)state;
	expect(SECTION, data, 8, SKEP_VALUE_JSON, "{\"a\":3}");
}

static void value__short_bytes_and_types_without_values_are_refused(void **state)
{
	struct skep_text out = { 0 };

	(void)state;
	assert_int_equal(skep_btf_print_value(btf, EVENT, event, 47, 0, &out), -E2BIG);
	assert_int_equal(skep_btf_print_value(btf, PROTO, event, 48, 0, &out), -EINVAL);
	assert_int_equal(skep_btf_print_value(btf, 0, event, 48, 0, &out), -EINVAL);
	assert_int_equal(skep_btf_print_value(btf, 999, event, 48, 0, &out), -EINVAL);
	assert_null(out.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(value__json_is_one_object),
		cmocka_unit_test(value__text_has_types_or_one_line),
		cmocka_unit_test(value__characters_that_are_no_string_are_numbers),
		cmocka_unit_test(value__control_characters_are_escaped_as_c_or_json_does),
		cmocka_unit_test(value__bit_fields_take_their_bits),
		cmocka_unit_test(value__numbers_of_every_width),
		cmocka_unit_test(value__sections_show_their_variables),
		cmocka_unit_test(value__short_bytes_and_types_without_values_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
