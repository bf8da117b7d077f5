/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * format.c - the format strings of bpf_trace_printk(), bpf_snprintf() and kin. [runtime]
 *
 * One scanner, spec_read(), serves both steps, so that they cannot disagree
 * about where a conversion ends.
 */
#include "helper/format.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/fault.h"

enum conversion {
	CONVERT_PERCENT, CONVERT_NUMBER, CONVERT_CHAR, CONVERT_STRING, CONVERT_ADDRESS,
	CONVERT_SYMBOL, CONVERT_IP,
};

struct spec {
	enum conversion conversion;
	bool zero, plus, left, space;
	uint32_t width;
	uint8_t bytes;    /* NUMBER: 4 or 8; IP: 4 or 16 */
	bool is_signed, hex, upper;
	bool plain_ip;    /* %pi: leading zeros, no colons */
	bool pointer;     /* %p with letters behind it */
	size_t length;    /* of the conversion, with its % */
};

/* Linux classifies characters as Latin-1 has them. */
static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == '\xa0'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_alnum(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       ((unsigned char)c >= 0xc0 && c != '\xd7' && c != '\xf7');
}
static bool is_punct(char c)
{
	return (unsigned char)c > ' ' && !is_alnum(c) && !((unsigned char)c >= 0x7f && (unsigned char)c <= 0xa0);
}
/* What may stand after a conversion that letters could otherwise continue. */
static bool is_end(char c) { return c == '\0' || is_space(c) || is_punct(c); }

/* The letters after %p. p points behind the 'p'; returns the end, NULL: not one. */
static const char *spec_pointer(const char *p, struct spec *spec)
{
	spec->conversion = CONVERT_ADDRESS;
	if (is_end(*p))
		return p;
	if ((*p == 'k' || *p == 'u') && p[1] == 's') {
		spec->conversion = CONVERT_STRING;
		return is_end(p[2]) ? p + 2 : NULL;
	}
	switch (*p) {
	case 'K':
	case 'x':
		return p + 1;
	case 's':
	case 'S':
	case 'B':
		spec->conversion = CONVERT_SYMBOL;
		return p + 1;
	case 'i':
	case 'I':
		if (p[1] != '4' && p[1] != '6')
			return NULL;
		spec->conversion = CONVERT_IP;
		spec->plain_ip = *p == 'i';
		spec->bytes = p[1] == '4' ? 4 : 16;
		return p + 2;
	default:
		return NULL;
	}
}

/* The letters of a number. Returns the end, NULL: not one. */
static const char *spec_number(const char *p, struct spec *spec)
{
	spec->conversion = CONVERT_NUMBER;
	spec->bytes = 4;
	for (int longs = 0; longs < 2 && *p == 'l'; longs++, p++)
		spec->bytes = 8;
	spec->is_signed = *p == 'd' || *p == 'i';
	spec->hex = *p == 'x' || *p == 'X';
	spec->upper = *p == 'X';
	return spec->is_signed || spec->hex || *p == 'u' ? p + 1 : NULL;
}

static const char *spec_flags(const char *p, struct spec *spec)
{
	for (; *p == '0' || *p == '+' || *p == '-' || *p == ' '; p++) {
		spec->zero |= *p == '0';
		spec->plus |= *p == '+';
		spec->left |= *p == '-';
		spec->space |= *p == ' ';
	}
	for (; is_digit(*p); p++)
		if (spec->width < 100000)
			spec->width = spec->width * 10 + (uint32_t)(*p - '0');
	return p;
}

/* Reads the conversion at fmt, which points at its '%'. false: not a valid one. */
static bool spec_read(const char *fmt, struct spec *spec)
{
	const char *p = fmt + 1;

	memset(spec, 0, sizeof(*spec));
	if (*p == '%') {
		spec->length = 2;
		return true;
	}
	p = spec_flags(p, spec);
	if (*p == 'p') {
		spec->pointer = true;
		p = spec_pointer(p + 1, spec);
	} else if (*p == 's') {
		spec->conversion = CONVERT_STRING;
		p = is_end(p[1]) ? p + 1 : NULL;
	} else if (*p == 'c') {
		spec->conversion = CONVERT_CHAR;
		p++;
	} else {
		p = spec_number(p, spec);
	}
	if (!p)
		return false;
	spec->length = (size_t)(p - fmt);
	return true;
}

/* --- the first step --- */

static uint32_t align4(uint32_t at) { return (at + 3u) & ~3u; }

static int take_number(struct format *format, uint32_t bytes, uint64_t value)
{
	uint32_t at = align4(format->used);

	if (at > FORMAT_BYTES || FORMAT_BYTES - at < bytes)
		return -ENOSPC;
	memcpy(format->bytes + at, &value, bytes);
	format->used = at + bytes;
	return 0;
}

static int take_string(struct format *format, uint64_t address)
{
	char *to = format->bytes + format->used;
	int64_t size;

	if (format->used == FORMAT_BYTES)
		return -ENOSPC;
	size = fault_copy_string(to, (const char *)(uintptr_t)address, FORMAT_BYTES - format->used);
	if (size < 0) {
		*to = '\0';
		size = 1;
	}
	format->used += (uint32_t)size;
	return 0;
}

static char *put_digits(char *to, uint32_t value, unsigned base, unsigned least)
{
	char digits[12];
	unsigned n = 0;

	for (; value || n < least; value /= base)
		digits[n++] = "0123456789abcdef"[value % base];
	while (n)
		*to++ = digits[--n];
	return to;
}

/* 10.0.0.1 and 010.000.000.001; fe80:0000:...:0001 and fe80000...0001 */
static uint32_t ip_text(const uint8_t *ip, const struct spec *spec, char *text)
{
	char *to = text;

	if (spec->bytes == 4) {
		for (unsigned i = 0; i < 4; i++) {
			if (i)
				*to++ = '.';
			to = put_digits(to, ip[i], 10, spec->plain_ip ? 3 : 1);
		}
	} else {
		for (unsigned i = 0; i < 16; i += 2) {
			if (i && !spec->plain_ip)
				*to++ = ':';
			to = put_digits(to, ip[i] * 256u + ip[i + 1], 16, 4);
		}
	}
	*to++ = '\0';
	return (uint32_t)(to - text);
}

static int take_ip(struct format *format, const struct spec *spec, uint64_t address)
{
	uint8_t ip[16];
	char text[48];
	uint32_t size, room = FORMAT_BYTES - format->used;

	if (room < spec->bytes)
		return -ENOSPC;
	if (fault_copy(ip, (const void *)(uintptr_t)address, spec->bytes) < 0)
		memset(ip, 0, sizeof(ip));
	size = ip_text(ip, spec, text);
	if (size > room)
		return -ENOSPC;
	memcpy(format->bytes + format->used, text, size);
	format->used += size;
	return 0;
}

static int take_value(struct format *format, const struct spec *spec, uint64_t value)
{
	switch (spec->conversion) {
	case CONVERT_NUMBER:
		return take_number(format, spec->bytes, value);
	case CONVERT_ADDRESS:
	case CONVERT_SYMBOL:
		return take_number(format, 8, value);
	case CONVERT_CHAR:
		if (format->used == FORMAT_BYTES)
			return -ENOSPC;
		format->bytes[format->used++] = (char)value;
		return 0;
	case CONVERT_STRING:
		return take_string(format, value);
	case CONVERT_IP:
		return take_ip(format, spec, value);
	case CONVERT_PERCENT:
		break;
	}
	return 0;
}

int format_take(struct format *format, const char *fmt, size_t size, const uint64_t *values,
		uint32_t count)
{
	uint32_t taken = 0;

	format->used = 0;
	if (!memchr(fmt, '\0', size))
		return -EINVAL;
	while (*fmt) {
		struct spec spec;
		int error;

		/* Bytes above ASCII are UTF-8 and pass; control characters do not. */
		if (((unsigned char)*fmt < ' ' && !is_space(*fmt)) || *fmt == 0x7f)
			return -EINVAL;
		if (*fmt != '%') {
			fmt++;
			continue;
		}
		if (fmt[1] != '%' && taken >= count)
			return -EINVAL;
		if (!spec_read(fmt, &spec))
			return -EINVAL;
		fmt += spec.length;
		if (spec.conversion == CONVERT_PERCENT)
			continue;
		error = take_value(format, &spec, values[taken++]);
		if (error < 0)
			return error;
	}
	return 0;
}

/* --- the second step --- */

struct out {
	char *text;
	size_t size, length;
};

static void put_char(struct out *out, char c)
{
	if (out->length < out->size)
		out->text[out->length] = c;
	out->length++;
}

static void put_repeat(struct out *out, char c, size_t count)
{
	while (count--)
		put_char(out, c);
}

static void put_text(struct out *out, const struct spec *spec, const char *text, size_t length)
{
	size_t pad = spec->width > length ? spec->width - length : 0;

	if (!spec->left)
		put_repeat(out, ' ', pad);
	for (size_t i = 0; i < length; i++)
		put_char(out, text[i]);
	if (spec->left)
		put_repeat(out, ' ', pad);
}

static void put_number(struct out *out, const struct spec *spec, uint64_t value)
{
	const char *letters = spec->upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char digits[24], sign = 0;
	unsigned n = 0, base = spec->hex ? 16 : 10;
	size_t pad;

	if (spec->bytes == 4)
		value = spec->is_signed ? (uint64_t)(int64_t)(int32_t)value : (uint32_t)value;
	if (spec->is_signed) {
		if ((int64_t)value < 0) {
			sign = '-';
			value = 0 - value;
		} else if (spec->plus || spec->space) {
			sign = spec->plus ? '+' : ' ';
		}
	}
	do
		digits[n++] = letters[value % base];
	while (value /= base);
	pad = n + (sign ? 1u : 0u);
	pad = spec->width > pad ? spec->width - pad : 0;
	if (!spec->left && !spec->zero)
		put_repeat(out, ' ', pad);
	if (sign)
		put_char(out, sign);
	if (!spec->left && spec->zero)
		put_repeat(out, '0', pad);
	while (n)
		put_char(out, digits[--n]);
	if (spec->left)
		put_repeat(out, ' ', pad);
}

/* Linux hides the value of %p behind a hash; here the reader may know it. */
static void put_address(struct out *out, const struct spec *spec, uint64_t value)
{
	struct spec number = *spec;

	number.bytes = 8;
	number.hex = true;
	number.is_signed = false;
	if (!number.width) {
		number.width = 16;
		number.zero = true;
	}
	put_number(out, &number, value);
}

/* There are no kernel symbols: the address, as Linux prints one it does not know. */
static void put_symbol(struct out *out, const struct spec *spec, uint64_t value)
{
	char text[20] = "0x";
	unsigned n = 2;

	for (int shift = 60; shift >= 0; shift -= 4)
		if (value >> shift || shift == 0)
			text[n++] = "0123456789abcdef"[value >> shift & 15];
	put_text(out, spec, text, n);
}

static uint64_t read_number(const struct format *format, uint32_t *at, uint32_t bytes)
{
	uint64_t value = 0;

	*at = align4(*at);
	if (*at <= FORMAT_BYTES - bytes)
		memcpy(&value, format->bytes + *at, bytes);
	*at += bytes;
	return value;
}

static const char *read_string(const struct format *format, uint32_t *at, size_t *length)
{
	const char *text = format->bytes + *at;

	*length = *at < FORMAT_BYTES ? strnlen(text, FORMAT_BYTES - *at) : 0;
	*at += (uint32_t)*length + 1;
	return text;
}

/* What %p with letters stands for was written by the first step, and takes no width. */
static void put_taken(struct out *out, const struct format *format, uint32_t *at)
{
	const struct spec plain = { 0 };
	const char *text;
	size_t length;

	/* Where the text is full, Linux neither counts this nor goes past it. */
	if (out->length >= out->size)
		return;
	text = read_string(format, at, &length);
	put_text(out, &plain, text, length);
}

static void put_value(struct out *out, const struct format *format, const struct spec *spec,
		      uint32_t *at)
{
	const char *text;
	size_t length;

	switch (spec->conversion) {
	case CONVERT_NUMBER:
		put_number(out, spec, read_number(format, at, spec->bytes));
		break;
	case CONVERT_CHAR:
		put_text(out, spec, format->bytes + (*at < FORMAT_BYTES ? *at : 0), 1);
		++*at;
		break;
	case CONVERT_STRING:
		if (spec->pointer) {
			put_taken(out, format, at);
			break;
		}
		text = read_string(format, at, &length);
		put_text(out, spec, text, length);
		break;
	case CONVERT_IP:
		put_taken(out, format, at);
		break;
	case CONVERT_ADDRESS:
		put_address(out, spec, read_number(format, at, 8));
		break;
	case CONVERT_SYMBOL:
		put_symbol(out, spec, read_number(format, at, 8));
		break;
	case CONVERT_PERCENT:
		put_char(out, '%');
		break;
	}
}

size_t format_put(const struct format *format, const char *fmt, char *out, size_t size)
{
	struct out to = { .text = out, .size = size };
	uint32_t at = 0;

	while (*fmt) {
		struct spec spec;

		if (*fmt != '%' || !spec_read(fmt, &spec)) {
			put_char(&to, *fmt++);
			continue;
		}
		put_value(&to, format, &spec, &at);
		fmt += spec.length;
		/* Linux takes letters and digits behind %p as part of it: %pI6c. */
		while (spec.pointer && is_alnum(*fmt))
			fmt++;
	}
	if (size)
		out[to.length < size ? to.length : size - 1] = '\0';
	return to.length;
}
