/* SPDX-License-Identifier: BSD-2-Clause */
/* test_stacks.c - stacks get the names of what was mapped where and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <skep/stacks.h>

static char *folded(struct skep_stacks *stacks)
{
	struct skep_text text = { 0 };

	skep_stacks_folded(stacks, &text);
	assert_false(text.failed);
	return text.data ? text.data : strdup("");
}

static void add(struct skep_stacks *stacks, uint32_t pid, const char *comm, const uint64_t *user,
		size_t count, uint64_t times)
{
	struct skep_stack stack = { .pid = pid, .comm = comm, .user = user, .user_count = count };

	assert_int_equal(skep_stacks_add(stacks, &stack, times), 0);
}

static void expect(struct skep_stacks *stacks, const char *lines)
{
	char *text = folded(stacks);

	assert_string_equal(text, lines);
	free(text);
}

__attribute__((noinline)) static int called_function(int n)
{
	__asm__ volatile("");
	return n + 1;
}

static void names__are_those_of_the_functions_in_mapped_files(void **state)
{
	struct skep_stacks *stacks = skep_stacks_new();
	uint64_t at = (uint64_t)(uintptr_t)called_function;
	/* A return address right behind a function is still in it: the call was its last. */
	uint64_t ips[] = { at, at + 1, 16 };

	(void)state;
	assert_int_equal(skep_stacks_read(stacks, 5, (uint32_t)getpid()), 0);
	add(stacks, (uint32_t)getpid(), "test", ips, 2, 3);
	add(stacks, (uint32_t)getpid(), "test", ips, 2, 4);
	add(stacks, (uint32_t)getpid(), "test", ips + 1, 2, 1);
	expect(stacks, "test;[unknown];called_function 1\n"
		       "test;called_function;called_function 7\n");
	assert_int_equal(skep_stacks_read(stacks, 5, 0x7fffffff), -ESRCH);
	skep_stacks_free(stacks);
	assert_int_equal(called_function(1), 2);
}

static void mappings__are_those_of_the_program_that_ran(void **state)
{
	struct skep_stacks *stacks = skep_stacks_new();
	const uint64_t ip = 0x1800;

	(void)state;
	/* Told in another order than it happened. */
	skep_stacks_map(stacks, 50, 100, 0x1000, 0x2000, 0, "/nowhere/second.so");
	skep_stacks_exec(stacks, 40, 100, "second");
	skep_stacks_fork(stacks, 30, 100, 200);
	skep_stacks_map(stacks, 20, 100, 0x1000, 0x2000, 0, "/nowhere/first.so");
	skep_stacks_exec(stacks, 10, 100, "first");
	add(stacks, 100, "first", &ip, 1, 1);
	add(stacks, 100, "second", &ip, 1, 2);
	add(stacks, 200, "first", &ip, 1, 3);   /* what its parent had */
	add(stacks, 100, "thread", &ip, 1, 4);  /* a name of its own: the newest */
	add(stacks, 300, "first", &ip, 1, 5);   /* nobody told of it */
	expect(stacks, "first;[first.so] 4\nfirst;[unknown] 5\nsecond;[second.so] 2\n"
		       "thread;[second.so] 4\n");
	skep_stacks_free(stacks);
}

static void processes__may_get_a_number_that_was_another_s(void **state)
{
	struct skep_stacks *stacks = skep_stacks_new();
	const uint64_t ip = 0x1800;

	(void)state;
	skep_stacks_map(stacks, 1, 7, 0x1000, 0x2000, 0, "/nowhere/seven.so");
	skep_stacks_map(stacks, 2, 8, 0x1000, 0x2000, 0, "/nowhere/eight.so");
	skep_stacks_fork(stacks, 3, 7, 8);
	add(stacks, 8, "x", &ip, 1, 1);
	expect(stacks, "x;[seven.so] 1\n");
	/* And what comes later counts too. */
	skep_stacks_map(stacks, 4, 8, 0x1000, 0x2000, 0, "[heap];");
	expect(stacks, "x;[heap]: 1\n");
	skep_stacks_free(stacks);
}

static void kernel__functions_stand_on_the_program_s(void **state)
{
	struct skep_stacks *stacks = skep_stacks_new();
	const uint64_t user = 0x1800, kernel[] = { 0xffffffffffffff00, 0xffffffffffffff00 };
	struct skep_stack stack = { .pid = 1, .user = &user, .user_count = 1, .kernel = kernel,
				    .kernel_count = 2 };
	char *text;

	(void)state;
	assert_int_equal(skep_stacks_add(stacks, &stack, 1), 0);
	text = folded(stacks);
	assert_int_equal(strncmp(text, "[unknown];[unknown];", 20), 0);
	assert_non_null(strstr(text, "_[k];"));
	assert_non_null(strstr(text, "_[k] 1\n"));
	free(text);
	skep_stacks_free(stacks);
}

static size_t count_of(const char *text, const char *what)
{
	size_t count = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		count++;
	return count;
}

static void flame__has_a_box_for_each_function_and_says_its_share(void **state)
{
	struct skep_stacks *stacks = skep_stacks_new();
	const uint64_t ips[] = { 0x1800, 0x2800 };
	struct skep_text text = { 0 };

	(void)state;
	skep_stacks_map(stacks, 1, 1, 0x1000, 0x2000, 0, "/x/inner<&>.so");
	skep_stacks_map(stacks, 1, 1, 0x2000, 0x3000, 0, "/x/outer.so");
	add(stacks, 1, "prog", ips, 2, 3);
	add(stacks, 1, "prog", ips + 1, 1, 1);
	add(stacks, 1, "rare\x01", ips + 1, 1, 1);
	skep_stacks_flame(stacks, "a \"title\" & more", &text);
	assert_false(text.failed);
	assert_non_null(strstr(text.data, "a &quot;title&quot; &amp; more (5 samples)"));
	assert_non_null(strstr(text.data, "<title>prog (4 samples, 80.00%)</title>"));
	assert_non_null(strstr(text.data, "<title>[outer.so] (4 samples, 80.00%)</title>"));
	assert_non_null(strstr(text.data, "<title>[inner&lt;&amp;&gt;.so] (3 samples, 60.00%)</title>"));
	assert_non_null(strstr(text.data, "<title>rare? (1 samples, 20.00%)</title>"));
	assert_int_equal(count_of(text.data, "<g>"), 5);
	assert_int_equal(count_of(text.data, "</g>"), 5);
	assert_non_null(strstr(text.data, "</svg>"));
	free(text.data);
	skep_stacks_free(stacks);
}

static void nothing__is_an_image_without_boxes(void **state)
{
	struct skep_stacks *stacks = skep_stacks_new();
	struct skep_text text = { 0 };

	(void)state;
	expect(stacks, "");
	skep_stacks_flame(stacks, "nothing", &text);
	assert_int_equal(count_of(text.data, "<g>"), 0);
	free(text.data);
	skep_stacks_free(stacks);
	skep_stacks_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names__are_those_of_the_functions_in_mapped_files),
		cmocka_unit_test(mappings__are_those_of_the_program_that_ran),
		cmocka_unit_test(processes__may_get_a_number_that_was_another_s),
		cmocka_unit_test(kernel__functions_stand_on_the_program_s),
		cmocka_unit_test(flame__has_a_box_for_each_function_and_says_its_share),
		cmocka_unit_test(nothing__is_an_image_without_boxes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
