/* SPDX-License-Identifier: BSD-2-Clause */
/* output.c - what verbs write: colours, tables, JSON, diagnostics, progress. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* --- colour --- */

static enum { WHEN_AUTO, WHEN_ALWAYS, WHEN_NEVER } colour_when;

bool colour_choose(const char *when)
{
	static const char *const names[] = { "auto", "always", "never" };

	for (unsigned i = 0; i < COUNT(names); i++) {
		if (strcmp(when, names[i]) == 0) {
			colour_when = i;
			return true;
		}
	}
	return false;
}

bool colour_on(FILE *out)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (colour_when != WHEN_AUTO)
		return colour_when == WHEN_ALWAYS;
	return isatty(fileno(out)) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

const char *colour(FILE *out, enum colour wanted)
{
	static const char *const escapes[] = { "\033[0m", "\033[1m", "\033[2m", "\033[32m",
					       "\033[1;31m", "\033[33m" };

	return colour_on(out) ? escapes[wanted] : "";
}

/* --- diagnostics --- */

int report(const struct skep_diag *diag, bool json)
{
	FILE *out = json ? stdout : stderr;
	char *text = json ? skep_diag_json(diag) : skep_diag_text(diag, colour_on(stderr));

	progress_clear();
	fflush(stdout);
	fputs(text ? text : "error: out of memory\n", out);
	free(text);
	return EXIT_REJECTED;
}

const char *errno_name(int error)
{
	static char unknown[16];
	const char *name;

	error = error < 0 ? -error : error;
	if (error == 524) /* only the kernel's own headers name it */
		return "ENOTSUPP";
	name = strerrorname_np(error);
	if (name)
		return name;
	snprintf(unknown, sizeof(unknown), "E%d", error);
	return unknown;
}

const char *last_message(const struct skep_diag *diag)
{
	size_t count = skep_diag_count(diag);

	return count ? skep_diag_get(diag, count - 1)->message : "";
}

/* --- progress --- */

static bool progress_shown;

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void progress(size_t done, size_t total, const char *what)
{
	static double start, last;
	double now = seconds();

	if (start <= 0)
		start = now;
	if (now - start < 2 || now - last < 0.1 || !isatty(STDERR_FILENO))
		return;
	last = now;
	if (total) {
		size_t filled = done * 24 / total;

		fprintf(stderr, "\r\033[K[%.*s%.*s] %zu/%zu %.40s", (int)filled,
			"########################", (int)(24 - filled),
			"........................", done, total, what);
	} else {
		fprintf(stderr, "\r\033[K%zu %s", done, what);
	}
	fflush(stderr);
	progress_shown = true;
}

void progress_clear(void)
{
	if (progress_shown)
		fprintf(stderr, "\r\033[K");
	progress_shown = false;
}

/* --- tables --- */

static void add_cell(struct table *table, char *text)
{
	char **cells = table->cells;

	if (table->count == table->size) {
		table->size = table->size ? table->size * 2 : 64;
		cells = realloc(cells, table->size * sizeof(*cells));
		if (!cells) {
			fprintf(stderr, "skep: out of memory\n");
			exit(EXIT_REJECTED);
		}
		table->cells = cells;
	}
	cells[table->count++] = text;
}

void table_init(struct table *table, const char *const *heads, size_t columns, unsigned right)
{
	*table = (struct table){ .columns = columns, .right = right };
	for (size_t i = 0; i < columns; i++)
		add_cell(table, strdup(heads[i]));
}

/* One cell: call it once per column, row by row. */
void table_add(struct table *table, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	add_cell(table, text);
}

static const char *cell(const struct table *table, size_t i)
{
	return i < table->count && table->cells[i] ? table->cells[i] : "";
}

static int column_width(const struct table *table, size_t column)
{
	size_t width = 0;

	for (size_t i = column; i < table->count; i += table->columns) {
		size_t len = strlen(cell(table, i));

		width = len > width ? len : width;
	}
	return (int)width;
}

void table_print(const struct table *table, FILE *out)
{
	size_t last = table->columns - 1;
	int widths[16] = { 0 };

	for (size_t c = 0; c < table->columns && c < COUNT(widths); c++)
		widths[c] = column_width(table, c);
	for (size_t i = 0; i < table->count; i++) {
		size_t c = i % table->columns;
		bool right = table->right >> c & 1;

		if (i < table->columns)
			fputs(colour(out, COLOUR_DIM), out);
		if (right)
			fprintf(out, "%*s", widths[c], cell(table, i));
		else if (c == last || (c + 1 == last && !*cell(table, i + 1)))
			fputs(cell(table, i), out);
		else
			fprintf(out, "%-*s", widths[c], cell(table, i));
		if (i < table->columns)
			fputs(colour(out, COLOUR_NONE), out);
		if (c == last)
			fputc('\n', out);
		else if (c + 1 < last || *cell(table, i + 1))
			fputs("  ", out);
	}
}

void table_done(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct table){ 0 };
}

/* --- JSON --- */

/* Bytes of the UTF-8 sequence at the start of text; 0: none, which JSON must not carry. */
static size_t utf8_length(const unsigned char *text, size_t size)
{
	size_t len = text[0] < 0x80 ? 1 : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
		   : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
		   : text[0] >= 0xf0 && text[0] < 0xf5 ? 4 : 0;

	if (len > size)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, a surrogate, or past the last code point. */
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
	    (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
		return 0;
	return len;
}

void json_quote(FILE *out, const char *text, size_t size)
{
	fputc('"', out);
	for (size_t i = 0, len; i < size; i += len ? len : 1) {
		unsigned char c = (unsigned char)text[i];

		len = utf8_length((const unsigned char *)text + i, size - i);
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", out);
		else if (c == '\t')
			fputs("\\t", out);
		else if (c < 0x20 || c == 0x7f || !len)
			fprintf(out, "\\u%04x", len ? c : 0xfffd);
		else
			fwrite(text + i, 1, len, out);
	}
	fputc('"', out);
}

void json_key(struct json *json, const char *key)
{
	if (json->comma)
		fputc(',', json->out);
	json->comma = true;
	if (key)
		fprintf(json->out, "\"%s\":", key);
}

void json_begin(struct json *json, FILE *out)
{
	*json = (struct json){ .out = out };
	fputc('{', out);
	json_int(json, "v", 1);
}

void json_end(struct json *json)
{
	fputs("}\n", json->out);
}

void json_text(struct json *json, const char *key, const char *value)
{
	json_key(json, key);
	if (value)
		json_quote(json->out, value, strlen(value));
	else
		fputs("null", json->out);
}

void json_int(struct json *json, const char *key, int64_t value)
{
	json_key(json, key);
	fprintf(json->out, "%lld", (long long)value);
}

void json_uint(struct json *json, const char *key, uint64_t value)
{
	json_key(json, key);
	fprintf(json->out, "%llu", (unsigned long long)value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	json_key(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_open(struct json *json, const char *key, char bracket)
{
	json_key(json, key);
	fputc(bracket, json->out);
	json->comma = false;
}

void json_close(struct json *json, char bracket)
{
	fputc(bracket, json->out);
	json->comma = true;
}
