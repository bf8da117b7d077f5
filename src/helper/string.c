/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * string.c - numbers in text, and comparing it. [runtime]
 */
#include "helper/list.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>

struct number {
	uint64_t value;
	bool negative, overflow;
};

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/*
 * Spaces, a minus sign, 0x or 0 by the base, digits. Returns the bytes read, or
 * -EINVAL (no digit, a base Linux does not take). At most 63 of them are looked at
 * behind the sign.
 */
static int64_t number_read(const char *text, size_t size, uint64_t flags, struct number *number)
{
	unsigned base = flags & 0x1f;
	size_t i = 0, first;

	if (!size || flags & ~0x1full || (base != 0 && base != 8 && base != 10 && base != 16))
		return -EINVAL;
	while (i < size && (text[i] == ' ' || (text[i] >= '\t' && text[i] <= '\r') ||
			    text[i] == '\xa0'))
		i++;
	number->negative = i < size && text[i] == '-';
	i += number->negative;
	if (size - i > 63)
		size = i + 63;
	if (i + 1 < size && text[i] == '0' && (text[i + 1] | 0x20) == 'x' &&
	    (base == 16 || (base == 0 && i + 2 < size && digit_of(text[i + 2]) < 16))) {
		base = 16;
		i += 2;
	} else if (base == 0) {
		base = i < size && text[i] == '0' ? 8 : 10;
	}
	for (first = i; i < size && digit_of(text[i]) < (int)base; i++) {
		number->overflow |= __builtin_mul_overflow(number->value, base, &number->value);
		number->overflow |= __builtin_add_overflow(number->value,
							   (uint64_t)digit_of(text[i]),
							   &number->value);
	}
	return i == first ? -EINVAL : (int64_t)i;
}

static uint64_t string_strtol(struct vm *vm, const uint64_t arg[5])
{
	int64_t *result = (int64_t *)(uintptr_t)arg[3], read;
	struct number number = { 0 };

	(void)vm;
	*result = 0;
	read = number_read((const char *)(uintptr_t)arg[0], arg[1], arg[2], &number);
	if (read < 0)
		return (uint64_t)read;
	if (number.overflow || number.value > (uint64_t)INT64_MAX + number.negative)
		return (uint64_t)-ERANGE;
	*result = (int64_t)(number.negative ? 0 - number.value : number.value);
	return (uint64_t)read;
}

const struct helper helper_strtol = {
	.id = 105,
	.name = "strtol",
	.prototype = "long bpf_strtol(const char *buf, size_t buf_len, u64 flags, long *res)",
	.doc = "Reads a signed number from text.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_FIXED_SIZE | ARG_UNINIT | ARG_ALIGNED, .size = 8 },
	},
	.call = string_strtol,
};

static uint64_t string_strtoul(struct vm *vm, const uint64_t arg[5])
{
	uint64_t *result = (uint64_t *)(uintptr_t)arg[3];
	struct number number = { 0 };
	int64_t read;

	(void)vm;
	*result = 0;
	read = number_read((const char *)(uintptr_t)arg[0], arg[1], arg[2], &number);
	if (read < 0)
		return (uint64_t)read;
	if (number.overflow)
		return (uint64_t)-ERANGE;
	if (number.negative)
		return (uint64_t)-EINVAL;
	*result = number.value;
	return (uint64_t)read;
}

const struct helper helper_strtoul = {
	.id = 106,
	.name = "strtoul",
	.prototype = "long bpf_strtoul(const char *buf, size_t buf_len, u64 flags, "
	             "unsigned long *res)",
	.doc = "Reads an unsigned number from text.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_FIXED_SIZE | ARG_UNINIT | ARG_ALIGNED, .size = 8 },
	},
	.call = string_strtoul,
};

static uint64_t string_strncmp(struct vm *vm, const uint64_t arg[5])
{
	const unsigned char *a = (const unsigned char *)(uintptr_t)arg[0];
	const unsigned char *b = (const unsigned char *)(uintptr_t)arg[2];

	(void)vm;
	for (uint32_t n = (uint32_t)arg[1]; n; n--, a++, b++) {
		if (*a != *b)
			return *a < *b ? (uint64_t)-1 : 1;
		if (!*a)
			break;
	}
	return 0;
}

const struct helper helper_strncmp = {
	.id = 182,
	.name = "strncmp",
	.prototype = "long bpf_strncmp(const char *s1, u32 s1_sz, const char *s2)",
	.doc = "Compares a buffer with a constant string.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_RDONLY }, { ARG_MEM_SIZE }, { ARG_PTR_TO_CONST_STR } },
	.call = string_strncmp,
};
