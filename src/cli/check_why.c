/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check_why.c - why skep check rejects a program: for people, and as JSON.
 *
 * The library's diagnostic has it all; the first item is the verdict, others
 * are errors that are independent of it.
 */
#include "cli/check.h"

#include <string.h>

char *why_text(const struct skep_diag *diag, const struct args *args, FILE *out)
{
	int style = (colour_on(out) ? SKEP_DIAG_COLOUR : 0) |
		    (args->verbose ? SKEP_DIAG_DETAIL : 0);

	return skep_diag_count(diag) ? skep_diag_text(diag, style) : NULL;
}

static void add_source(struct json *json, const struct skep_where *where)
{
	struct skep_where trimmed = *where;

	if (trimmed.text)
		trimmed.text += strspn(trimmed.text, " \t");
	if (where->insn >= 0)
		json_int(json, "insn", where->insn);
	if (where->line)
		json_source(json, &trimmed);
}

static void add_event(struct json *json, const struct skep_note *note)
{
	json_open(json, NULL, '{');
	add_source(json, &note->where);
	json_text(json, "event", note->event);
	json_text(json, "text", note->message);
	if (note->state)
		json_text(json, "state", note->state);
	if (note->detail)
		json_bool(json, "detail", true);
	json_close(json, '}');
}

static void add_story(struct json *json, const struct skep_diag_item *item)
{
	json_text(json, "id", skep_code_id(item->code));
	if (item->cause)
		json_text(json, "cause", item->cause);
	json_open(json, "blame", '{');
	add_source(json, item->blame.line ? &item->blame : &item->where);
	json_close(json, '}');
	json_open(json, "path", '[');
	for (size_t i = 0; i < item->note_count; i++)
		if (item->notes[i].event)
			add_event(json, &item->notes[i]);
	json_close(json, ']');
	json_text(json, "fix", item->help);
}

static void add_others(struct json *json, const struct skep_diag *diag)
{
	json_open(json, "errors", '[');
	for (size_t i = 1; i < skep_diag_count(diag); i++) {
		const struct skep_diag_item *item = skep_diag_get(diag, i);

		json_open(json, NULL, '{');
		json_text(json, "message", item->message);
		add_source(json, &item->where);
		add_story(json, item);
		json_close(json, '}');
	}
	json_close(json, ']');
}

char *why_json(const struct skep_diag *diag)
{
	const struct skep_diag_item *item = skep_diag_get(diag, 0);
	char *text = NULL;
	size_t size;
	struct json json = { .out = item ? open_memstream(&text, &size) : NULL };

	if (!json.out)
		return NULL;
	add_story(&json, item);
	if (skep_diag_count(diag) > 1)
		add_others(&json, diag);
	fclose(json.out);
	return text;
}
