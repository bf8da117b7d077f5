/* SPDX-License-Identifier: BSD-2-Clause */
/* text.c - growing text. A failed allocation is remembered, not reported. */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>

/* Makes room for size more bytes and a NUL. */
static bool text_reserve(struct skep_text *text, size_t size)
{
	size_t want = text->size ? text->size : 64;
	char *grown;

	if (text->failed || size > SIZE_MAX / 4 - text->len) {
		text->failed = true;
		return false;
	}
	while (want < text->len + size + 1)
		want *= 2;
	if (want == text->size)
		return true;
	grown = realloc(text->data, want);
	if (!grown) {
		text->failed = true;
		return false;
	}
	text->data = grown;
	text->size = want;
	return true;
}

void text_add_bytes(struct skep_text *text, const char *bytes, size_t size)
{
	if (!text_reserve(text, size))
		return;
	if (size)
		memcpy(text->data + text->len, bytes, size);
	text->len += size;
	text->data[text->len] = '\0';
}

void text_add(struct skep_text *text, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0 || !text_reserve(text, (size_t)len))
		return;
	va_start(args, fmt);
	vsnprintf(text->data + text->len, (size_t)len + 1, fmt, args);
	va_end(args);
	text->len += (size_t)len;
}

/*
 * The length of the valid UTF-8 sequence at s, 0 if there is none: JSON must be
 * UTF-8, and names in foreign files may be anything.
 */
static size_t utf8_length(const unsigned char *s)
{
	size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
		   : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

void text_add_json_string(struct skep_text *text, const char *string)
{
	const unsigned char *s = (const unsigned char *)string;

	text_add_bytes(text, "\"", 1);
	while (*s) {
		size_t len = utf8_length(s);

		if (*s == '"' || *s == '\\')
			text_add(text, "\\%c", *s);
		else if (*s == '\n')
			text_add_bytes(text, "\\n", 2);
		else if (*s == '\t')
			text_add_bytes(text, "\\t", 2);
		else if (*s < 0x20 || *s == 0x7f || len == 0)
			text_add(text, "\\u%04x", len ? *s : 0xfffd);
		else
			text_add_bytes(text, (const char *)s, len);
		s += len ? len : 1;
	}
	text_add_bytes(text, "\"", 1);
}

void text_add_c_string(struct skep_text *text, const char *string)
{
	static const char special[] = "\n\t\r\"\\", letters[] = "ntr\"\\";
	const unsigned char *s = (const unsigned char *)string;

	text_add_bytes(text, "\"", 1);
	while (*s) {
		const char *at = strchr(special, *s);
		size_t len = utf8_length(s);

		if (at)
			text_add(text, "\\%c", letters[at - special]);
		else if (*s < 0x20 || *s == 0x7f || len == 0)
			text_add(text, "\\x%02x", *s);
		else
			text_add_bytes(text, (const char *)s, len);
		s += len ? len : 1;
	}
	text_add_bytes(text, "\"", 1);
}

void text_done(struct skep_text *text)
{
	free(text->data);
	*text = (struct skep_text){ 0 };
}
