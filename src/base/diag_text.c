/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diag_text.c - a diagnostic as text for people.
 *
 *   error[V006]: R0 invalid mem access 'map_value_or_null'     the message
 *      --> fw.bpf.c:12, count, instruction 9                   the line at fault
 *       12 | *value += 1;
 *          | ^~~~~~
 *          = 'value' may be NULL here                          the cause
 *     how it comes to this:
 *       10 | __u64 *value = bpf_map_lookup_elem(&counts, &key);
 *          |   returns a pointer to a value of map 'counts', or NULL
 *     fix: test it first: if (!value) return ...;
 *
 * Events on one source line share it.
 */
#include "base/diag_text.h"

#include <ctype.h>

enum { WIDTH = 96, SOURCE_MAX = 84 };

struct palette {
	const char *error, *place, *note, *help, *dim, *off;
};

static const struct palette plain = { "", "", "", "", "", "" };
static const struct palette coloured = { "\033[1;31m", "\033[1;34m", "\033[1;36m", "\033[1;32m",
					 "\033[2m", "\033[0m" };

/* --- places --- */

static bool where_known(const struct skep_where *w)
{
	return w->object || w->section || w->program || w->file || w->insn >= 0;
}

static bool same_line(const struct skep_where *a, const struct skep_where *b)
{
	return a && b && a->line && a->line == b->line && a->file && b->file &&
	       strcmp(a->file, b->file) == 0;
}

/* "fw.o: xdp_fw (section xdp), instruction 57, fw.c:88" */
static void where_line(struct skep_text *out, const struct skep_where *w)
{
	const char *gap = "";

	if (w->object) {
		text_add(out, "%s", w->object);
		gap = ": ";
	}
	if (w->program) {
		text_add(out, "%s%s", gap, w->program);
		gap = ", ";
	} else if (w->section) {
		text_add(out, "%ssection %s", gap, w->section);
		gap = ", ";
	}
	if (w->insn >= 0) {
		text_add(out, "%sinstruction %lld", gap, (long long)w->insn);
		gap = ", ";
	}
	if (w->file && w->line)
		text_add(out, "%s%s:%u", gap, w->file, w->line);
	else if (w->file)
		text_add(out, "%s%s", gap, w->file);
	text_add(out, "\n");
}

/* Without its folder; JSON has the whole name. */
static const char *short_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "fw.c:88 in xdp_fw (fw.o), instruction 57", and where the verifier gave up if elsewhere. */
static void blame_line(struct skep_text *out, const struct skep_where *blame,
		       const struct skep_where *stop)
{
	bool same = same_line(blame, stop) || !blame->line;

	if (blame->line)
		text_add(out, "%s:%u", blame->file ? short_name(blame->file) : "?", blame->line);
	if (blame->program && stop->program && strcmp(blame->program, stop->program) != 0)
		text_add(out, " in %s, program %s", blame->program, stop->program);
	else if (stop->program)
		text_add(out, "%s%s", blame->line ? " in " : "", stop->program);
	if (stop->object)
		text_add(out, " (%s)", short_name(stop->object));
	if (same && stop->insn >= 0)
		text_add(out, ", instruction %lld", (long long)stop->insn);
	else if (!same && stop->line)
		text_add(out, "; the verifier stopped at line %u, instruction %lld", stop->line,
			 (long long)stop->insn);
	text_add(out, "\n");
}

static void source_text(struct skep_text *out, const char *text)
{
	size_t len = strlen(text);

	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	text_add(out, "%.*s%s\n", (int)MIN(len, (size_t)SOURCE_MAX), text,
		 len > SOURCE_MAX ? "..." : "");
}

/* How many characters at the column belong together: a name, or one sign. */
static size_t span_at(const char *text)
{
	size_t n = 0;

	while (isalnum((unsigned char)text[n]) || text[n] == '_')
		n++;
	return n ? n : 1;
}

/* The source line and a caret under its column, or under its first character. */
static void where_source(struct skep_text *out, const struct skep_where *w,
			 const struct palette *c)
{
	const char *text = w->text;
	size_t column = w->column ? w->column - 1 : 0;
	size_t indent;

	if (!text || !*text)
		return;
	indent = strspn(text, " \t");
	column = column > indent && column < strlen(text) ? column - indent : 0;
	text_add(out, "%s%6u |%s ", c->place, w->line, c->off);
	source_text(out, text + indent);
	if (column >= SOURCE_MAX)
		return;
	text_add(out, "%s       |%s ", c->place, c->off);
	for (size_t i = 0; i < column; i++)
		text_add_bytes(out, text[indent + i] == '\t' ? "\t" : " ", 1);
	text_add(out, "%s^", c->error);
	for (size_t i = 1; i < span_at(text + indent + column) && column + i < SOURCE_MAX; i++)
		text_add_bytes(out, "~", 1);
	text_add(out, "%s\n", c->off);
}

/* --- sentences --- */

/* Words, wrapped; `first` leads the first line, `next` (as wide) the others. */
static void wrapped(struct skep_text *out, const char *first, const char *next, const char *text)
{
	size_t indent = strlen(next);

	text_add(out, "%s", first);
	while (*text) {
		size_t len = strlen(text), room = WIDTH - indent;

		if (len > room) {
			size_t at = room;

			while (at && text[at] != ' ')
				at--;
			len = at ? at : room;
		}
		text_add(out, "%.*s\n", (int)len, text);
		text += len;
		text += strspn(text, " ");
		if (*text)
			text_add(out, "%s", next);
	}
}

/* --- events --- */

static void event_text(struct skep_text *out, const struct skep_note *note,
		       const struct skep_where *shown, int style, const struct palette *c)
{
	const struct skep_where *w = &note->where;

	if (!same_line(w, shown) && w->text && *w->text) {
		text_add(out, "%s%6u |%s ", c->place, w->line, c->off);
		source_text(out, w->text + strspn(w->text, " \t"));
	}
	if (note->message && *note->message) {
		text_add(out, "%s       |%s", c->place, c->off);
		wrapped(out, "   ", "       |   ", note->message);
	}
	if ((style & SKEP_DIAG_DETAIL) && note->state)
		text_add(out, "%s       |%s   %s%s%s\n", c->place, c->off, c->dim, note->state,
			 c->off);
}

static bool has_events(const struct skep_diag_item *item, int style)
{
	for (size_t i = 0; i < item->note_count; i++)
		if (item->notes[i].event && (!item->notes[i].detail || (style & SKEP_DIAG_DETAIL)))
			return true;
	return false;
}

static void events_text(struct skep_text *out, const struct skep_diag_item *item, int style,
			const struct palette *c)
{
	const struct skep_where *shown = NULL;

	if (!has_events(item, style))
		return;
	text_add(out, "%s  how it comes to this:%s\n", c->note, c->off);
	for (size_t i = 0; i < item->note_count; i++) {
		const struct skep_note *note = &item->notes[i];

		if (!note->event || (note->detail && !(style & SKEP_DIAG_DETAIL)))
			continue;
		event_text(out, note, shown, style, c);
		shown = &note->where;
	}
}

/* --- the item --- */

static void blame_text(struct skep_text *out, const struct skep_diag_item *item,
		       const struct palette *c)
{
	const struct skep_where *blame = item->blame.line ? &item->blame : &item->where;

	if (!where_known(blame))
		return;
	text_add(out, "%s   -->%s ", c->place, c->off);
	if (item->cause)
		blame_line(out, blame, &item->where);
	else
		where_line(out, blame);
	where_source(out, blame, c);
	if (!item->cause)
		return;
	text_add(out, "%s       =%s", c->place, c->off);
	wrapped(out, " ", "         ", item->cause);
}

void diag_item_text(struct skep_text *out, const struct skep_diag_item *item, int style)
{
	const struct palette *c = style & SKEP_DIAG_COLOUR ? &coloured : &plain;

	text_add(out, "%serror[%s]%s: %s\n", c->error, skep_code_id(item->code), c->off,
		 item->message);
	blame_text(out, item, c);
	events_text(out, item, style, c);
	for (size_t i = 0; i < item->note_count; i++) {
		const struct skep_note *note = &item->notes[i];

		if (note->event)
			continue;
		text_add(out, "%s  note:%s %s\n", c->note, c->off, note->message);
		where_source(out, &note->where, c);
	}
	if (!item->help)
		return;
	text_add(out, "%s  %s:%s", c->help, item->cause ? "fix" : "help", c->off);
	wrapped(out, " ", "       ", item->help);
}
