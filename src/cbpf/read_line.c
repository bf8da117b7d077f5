/* SPDX-License-Identifier: BSD-2-Clause */
/* read_line.c - what every notation of filters is read by: lines without their comments, and numbers. */
#include "cbpf/read.h"

#include <ctype.h>

/* --- lines --- */

char *reader_keep(struct reader *reader, const char *name, size_t len)
{
	char *copy = arena_alloc(&reader->arena, len + 1);

	if (copy)
		memcpy(copy, name, len);
	else
		reader->oom = true;
	return copy;
}

/* Makes blanks of comments; one may begin on an earlier line. */
static void blank_comments(struct reader *reader, char *p)
{
	for (; *p; p++) {
		if (reader->in_comment && p[0] == '*' && p[1] == '/') {
			reader->in_comment = false;
			p[0] = p[1] = ' ';
			p++;
		} else if (reader->in_comment) {
			*p = ' ';
		} else if (p[0] == '/' && p[1] == '*') {
			reader->in_comment = true;
			p[0] = p[1] = ' ';
			p++;
		} else if (p[0] == '/' && p[1] == '/') {
			*p = '\0';
			return;
		}
	}
}

bool reader_line(struct reader *reader)
{
	const char *stop;
	struct scan *scan = &reader->scan;
	size_t len;
	char *line;

	if (reader->text >= reader->end || scan->failed || reader->oom)
		return false;
	stop = memchr(reader->text, '\n', (size_t)(reader->end - reader->text));
	len = (size_t)((stop ? stop : reader->end) - reader->text);
	scan->number++;
	scan->source = scan->line = scan->at = "";
	if (memchr(reader->text, '\0', len))
		return scan_fail(scan, "the line holds a NUL byte: this is not text");
	scan->source = reader_keep(reader, reader->text, len);
	line = reader_keep(reader, reader->text, len);
	if (!scan->source || !line)
		return false;
	blank_comments(reader, line);
	scan->line = scan->at = line;
	reader->text = stop ? stop + 1 : reader->end;
	return true;
}

bool reader_more(struct reader *reader)
{
	while (at_end(&reader->scan)) {
		if (!reader_line(reader))
			return false;
	}
	return true;
}

bool reader_push(struct reader *reader, struct skep_cbpf_insn insn)
{
	struct skep_cbpf_insn *slot = vec_push(&reader->out);

	if (slot)
		*slot = insn;
	else
		reader->oom = true;
	return slot != NULL;
}

/* --- numbers --- */

static unsigned base_of(const char **digits)
{
	const char *p = *digits;

	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X') && isxdigit((unsigned char)p[2])) {
		*digits += 2;
		return 16;
	}
	if (p[0] == '0' && (p[1] == 'b' || p[1] == 'B') && (p[2] == '0' || p[2] == '1')) {
		*digits += 2;
		return 2;
	}
	return p[0] == '0' ? 8 : 10;
}

bool take_value(struct scan *scan, uint32_t *value)
{
	const char *p;
	unsigned base;
	bool negative;
	unsigned long long n;
	char *end;

	skip_blanks(scan);
	p = scan->at;
	negative = *p == '-';
	p += negative;
	if (!isdigit((unsigned char)*p))
		return false;
	base = base_of(&p);
	errno = 0;
	n = strtoull(p, &end, (int)base);
	if (errno || n > (negative ? (unsigned long long)INT32_MAX + 1 : UINT32_MAX))
		return scan_fail(scan, "the number does not fit in 32 bits");
	end += strspn(end, "uUlL");
	if (isalnum((unsigned char)*end) || *end == '_')
		return scan_fail(scan, "not a number");
	scan->at = end;
	*value = (uint32_t)(negative ? 0 - n : n);
	return true;
}

bool need_value(struct scan *scan, uint32_t *value)
{
	return take_value(scan, value) || scan_fail(scan, "expected a number");
}

bool need_below(struct scan *scan, uint32_t limit, uint32_t *value)
{
	const char *start = scan->at;

	if (!need_value(scan, value))
		return false;
	if (*value < limit)
		return true;
	scan->at = start;
	return scan_fail(scan, "the number must be 0 to %u", limit - 1);
}
