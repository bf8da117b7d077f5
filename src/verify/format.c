/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * format.c - the format of bpf_snprintf(), which is constant and therefore
 * checked here: known conversions only, and no more than there are arguments.
 */
#include "verify/call.h"

#include <ctype.h>

static bool ends_word(char c)
{
	return c == 0 || isspace((unsigned char)c) || ispunct((unsigned char)c);
}

/* %p and what may follow it. The index of its last character; 0: not valid. */
static size_t skip_pointer(const char *fmt, size_t i)
{
	char a = fmt[i + 1], b = a ? fmt[i + 2] : 0;

	if ((a == 'k' || a == 'u') && b == 's')
		return i + 2;
	if (ends_word(a))
		return i;
	if (a == 'K' || a == 'x' || a == 's' || a == 'S' || a == 'B')
		return i + 1;
	if ((a == 'i' || a == 'I') && (b == '4' || b == '6'))
		return i + 2;
	return 0;
}

/* i is past '%'. The index of the last character of the conversion; 0: not valid. */
static size_t skip_conversion(const char *fmt, size_t i)
{
	while (fmt[i] && strchr("0+- ", fmt[i]))
		i++;
	while (isdigit((unsigned char)fmt[i]))
		i++;
	if (fmt[i] == 'p')
		return skip_pointer(fmt, i);
	if (fmt[i] == 's' || fmt[i] == 'c')
		return ends_word(fmt[i + 1]) ? i : 0;
	for (int longs = 0; fmt[i] == 'l' && longs < 2; longs++)
		i++;
	return fmt[i] && strchr("diuxX", fmt[i]) ? i : 0;
}

static bool format_is_valid(const char *fmt, uint64_t args)
{
	uint64_t used = 0;

	for (size_t i = 0; fmt[i]; i++) {
		unsigned char c = (unsigned char)fmt[i];

		if (c <= 127 && !isprint(c) && !isspace(c))
			return false;
		if (c != '%')
			continue;
		if (fmt[i + 1] == '%') {
			i++;
			continue;
		}
		if (used++ >= args)
			return false;
		i = skip_conversion(fmt, i + 1);
		if (i == 0)
			return false;
	}
	return true;
}

int check_snprintf(struct env *env, const struct call_check *call)
{
	const struct reg *size = call_arg(env, 5);
	const char *fmt = NULL;
	size_t room;
	int error;

	(void)call;
	if (size->var.bits.value % 8)
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "invalid data length");
	error = check_const_string(env, 3, &fmt, &room);
	if (error < 0)
		return error;
	if (!format_is_valid(fmt, size->var.bits.value / 8))
		return reject_as(env, SKEP_VERIFY_ARG, -EINVAL, "Invalid format string");
	return 0;
}
