/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/fault.h"

#include <errno.h>

static void view__refuses_what_is_not_all_there(void **state)
{
	_Alignas(8) char bytes[16] = "abc";
	struct view v = { bytes, sizeof(bytes) };

	(void)state;
	assert_ptr_equal(view_at(v, 8, uint64_t), bytes + 8);
	assert_null(view_at(v, 9, uint64_t));
	assert_null(view_at(v, 4, uint64_t)); /* not aligned */
	assert_null(view_range(v, UINT64_MAX, 2, 1));
	assert_null(view_range(v, 2, UINT64_MAX, 1));
	assert_string_equal(view_string(v, 1), "bc");
	memset(bytes, 'x', sizeof(bytes));
	assert_null(view_string(v, 0));
	assert_null(view_string(v, 16));
}

static void arena__hands_out_zeroed_memory_up_to_its_limit(void **state)
{
	struct arena arena = { .limit = 1000 };
	unsigned char *first = arena_alloc(&arena, 100), *second;

	(void)state;
	memset(first, 0xff, 100);
	second = arena_alloc(&arena, 100);
	for (int i = 0; i < 100; i++)
		assert_int_equal(second[i], 0);
	assert_null(arena_alloc(&arena, 900));
	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_non_null(arena_alloc(&arena, 500));
	arena_done(&arena);
	assert_non_null(arena_alloc(&arena, 900));
	arena_done(&arena);
}

static void vec__grows_and_zeroes(void **state)
{
	VEC(int) v = { 0 };

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int *slot = vec_push(&v);

		assert_int_equal(*slot, 0);
		*slot = i;
	}
	assert_int_equal(v.count, 1000);
	assert_int_equal(v.items[999], 999);
	vec_done(&v);
}

static void hash__every_bit_of_the_input_counts(void **state)
{
	unsigned char bytes[21] = { 0 };
	uint64_t plain = hash_bytes(bytes, sizeof(bytes), 1);

	(void)state;
	for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
		bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
		assert_int_not_equal(hash_bytes(bytes, sizeof(bytes), 1), plain);
		bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	assert_int_not_equal(hash_bytes(bytes, 20, 1), plain);
	assert_int_not_equal(hash_bytes(bytes, sizeof(bytes), 2), plain);
}

static void fault__a_bad_address_is_an_error(void **state)
{
	char from[32] = "hello", to[32] = "", *page;
	const char *bad = (const char *)0x8000000000000000; /* not canonical */

	(void)state;
	assert_int_equal(fault_init(), 0);
	for (size_t size = 0; size <= sizeof(from); size++)
		assert_int_equal(fault_copy(to, from, size), 0);
	assert_memory_equal(to, from, sizeof(to));
	assert_int_equal(fault_copy(to, NULL, 8), -EFAULT);
	assert_int_equal(fault_copy(to, bad, 3), -EFAULT);
	assert_int_equal(fault_copy_string(to, (const char *)16, 8), -EFAULT);

	page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(page + 4096, 4096, PROT_NONE);
	memcpy(page + 4092, "abcd", 4);
	assert_int_equal(fault_copy(to, page + 4092, 4), 0);
	assert_int_equal(fault_copy(to, page + 4092, 5), -EFAULT);
	assert_int_equal(fault_copy_string(to, page + 4092, 8), -EFAULT);
	page[4095] = 0;
	assert_int_equal(fault_copy_string(to, page + 4092, 8), 4);
	assert_int_equal(fault_copy_string(to, page + 4092, 3), 3);
	assert_string_equal(to, "ab");
	munmap(page, 8192);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(view__refuses_what_is_not_all_there),
		cmocka_unit_test(arena__hands_out_zeroed_memory_up_to_its_limit),
		cmocka_unit_test(vec__grows_and_zeroes),
		cmocka_unit_test(hash__every_bit_of_the_input_counts),
		cmocka_unit_test(fault__a_bad_address_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
