/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diag.c - collecting diagnostics, and rendering them as JSON.
 *
 * All strings of an item are copies in the diag's own arena. Running out of
 * memory while reporting is remembered and rendered as one last item.
 */
#include <skep/diag.h>

#include <stdio.h>

#include "base/base.h"
#include "base/diag_text.h"

struct item {
	struct skep_diag_item view;
	VEC(struct skep_note) notes;
};

struct skep_diag {
	struct arena arena;
	VEC(struct item) items;
	bool lost; /* something could not be kept */
};

static const struct {
	const char *id, *title, *help;
	int err;
} codes[] = {
#define DIAG(name, id, err, title, help) { id, title, help, err },
#include <skep/diag.def>
};

const char *skep_code_id(enum skep_code code)
{
	return (size_t)code < ARRAY_SIZE(codes) ? codes[code].id : "?";
}

const char *skep_code_title(enum skep_code code)
{
	return (size_t)code < ARRAY_SIZE(codes) ? codes[code].title : "?";
}

const char *skep_code_help(enum skep_code code)
{
	return (size_t)code < ARRAY_SIZE(codes) ? codes[code].help : NULL;
}

int skep_code_errno(enum skep_code code)
{
	return (size_t)code < ARRAY_SIZE(codes) ? codes[code].err : EINVAL;
}

struct skep_diag *skep_diag_new(void)
{
	return calloc(1, sizeof(struct skep_diag));
}

void skep_diag_clear(struct skep_diag *diag)
{
	if (!diag)
		return;
	for (size_t i = 0; i < diag->items.count; i++)
		vec_done(&diag->items.items[i].notes);
	vec_done(&diag->items);
	arena_done(&diag->arena);
	diag->lost = false;
}

void skep_diag_free(struct skep_diag *diag)
{
	skep_diag_clear(diag);
	free(diag);
}

size_t skep_diag_count(const struct skep_diag *diag)
{
	return diag ? diag->items.count : 0;
}

const struct skep_diag_item *skep_diag_get(const struct skep_diag *diag, size_t index)
{
	struct item *item;

	if (!diag || index >= diag->items.count)
		return NULL;
	item = &diag->items.items[index];
	item->view.notes = item->notes.items;
	item->view.note_count = item->notes.count;
	return &item->view;
}

/* A copy of a string that may be NULL; NULL, and lost, when out of memory. */
static const char *keep(struct skep_diag *diag, const char *string)
{
	const char *copy;

	if (!string)
		return NULL;
	copy = arena_strdup(&diag->arena, string);
	if (!copy)
		diag->lost = true;
	return copy;
}

static struct skep_where keep_where(struct skep_diag *diag, const struct skep_where *where)
{
	struct skep_where copy = where ? *where : SKEP_NOWHERE;

	copy.object = keep(diag, copy.object);
	copy.section = keep(diag, copy.section);
	copy.program = keep(diag, copy.program);
	copy.file = keep(diag, copy.file);
	copy.text = keep(diag, copy.text);
	return copy;
}

void skep_event(struct skep_diag *diag, const struct skep_note *from)
{
	struct skep_note *note;

	if (!diag || diag->items.count == 0)
		return;
	note = vec_push(&diag->items.items[diag->items.count - 1].notes);
	if (!note) {
		diag->lost = true;
		return;
	}
	*note = *from;
	note->where = keep_where(diag, &from->where);
	note->message = keep(diag, from->message);
	note->event = keep(diag, from->event);
	note->state = keep(diag, from->state);
}

void skep_blame(struct skep_diag *diag, const struct skep_where *where, const char *cause)
{
	struct skep_diag_item *item;

	if (!diag || diag->items.count == 0)
		return;
	item = &diag->items.items[diag->items.count - 1].view;
	item->cause = keep(diag, cause);
	item->blame = keep_where(diag, where);
}

static const char *keep_message(struct skep_diag *diag, const char *fmt, va_list args)
{
	va_list again;
	char *text = NULL;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (len >= 0)
		text = arena_alloc(&diag->arena, (size_t)len + 1);
	if (!text) {
		diag->lost = true;
		return "(out of memory)";
	}
	vsnprintf(text, (size_t)len + 1, fmt, args);
	return text;
}

int skep_vreport(struct skep_diag *diag, enum skep_code code, const struct skep_where *where,
		 const char *fmt, va_list args)
{
	struct item *item = diag ? vec_push(&diag->items) : NULL;

	if (item) {
		item->view.code = code;
		item->view.where = keep_where(diag, where);
		item->view.message = keep_message(diag, fmt, args);
		item->view.help = skep_code_help(code);
	} else if (diag) {
		diag->lost = true;
	}
	return -skep_code_errno(code);
}

int skep_report(struct skep_diag *diag, enum skep_code code, const struct skep_where *where,
		const char *fmt, ...)
{
	va_list args;
	int error;

	va_start(args, fmt);
	error = skep_vreport(diag, code, where, fmt, args);
	va_end(args);
	return error;
}

void skep_note(struct skep_diag *diag, const struct skep_where *where, const char *fmt, ...)
{
	struct skep_note *note;
	va_list args;

	if (!diag || diag->items.count == 0)
		return;
	note = vec_push(&diag->items.items[diag->items.count - 1].notes);
	if (!note) {
		diag->lost = true;
		return;
	}
	note->where = keep_where(diag, where);
	va_start(args, fmt);
	note->message = keep_message(diag, fmt, args);
	va_end(args);
}

void skep_help(struct skep_diag *diag, const char *fmt, ...)
{
	va_list args;

	if (!diag || diag->items.count == 0)
		return;
	va_start(args, fmt);
	diag->items.items[diag->items.count - 1].view.help = keep_message(diag, fmt, args);
	va_end(args);
}

/* --- as text: diag_text.c --- */

static char *finish(struct skep_text *out)
{
	text_add_bytes(out, "", 0);
	if (out->failed) {
		text_done(out);
		return NULL;
	}
	return out->data;
}

char *skep_diag_text(const struct skep_diag *diag, int style)
{
	struct skep_text out = { 0 };

	for (size_t i = 0; i < skep_diag_count(diag); i++)
		diag_item_text(&out, skep_diag_get(diag, i), style);
	if (diag && diag->lost)
		text_add(&out, "error[%s]: %s\n", skep_code_id(SKEP_OOM),
			 skep_code_title(SKEP_OOM));
	return finish(&out);
}

/* --- as JSON --- */

static void json_text(struct skep_text *out, const char *key, const char *value)
{
	if (!value)
		return;
	text_add(out, ",\"%s\":", key);
	text_add_json_string(out, value);
}

static void json_where(struct skep_text *out, const struct skep_where *w)
{
	json_text(out, "object", w->object);
	json_text(out, "section", w->section);
	json_text(out, "program", w->program);
	if (w->insn >= 0)
		text_add(out, ",\"insn\":%lld", (long long)w->insn);
	if (w->file) {
		text_add(out, ",\"source\":{\"line\":%u,\"column\":%u", w->line, w->column);
		json_text(out, "file", w->file);
		json_text(out, "text", w->text ? w->text + strspn(w->text, " \t") : NULL);
		text_add(out, "}");
	}
}

static void item_json(struct skep_text *out, const struct skep_diag_item *item)
{
	text_add(out, "{\"v\":1,\"id\":\"%s\"", skep_code_id(item->code));
	json_text(out, "message", item->message);
	json_where(out, &item->where);
	json_text(out, "cause", item->cause);
	if (item->note_count) {
		text_add(out, ",\"notes\":[");
		for (size_t i = 0; i < item->note_count; i++) {
			text_add(out, "%s{\"message\":", i ? "," : "");
			text_add_json_string(out, item->notes[i].message);
			json_text(out, "event", item->notes[i].event);
			json_where(out, &item->notes[i].where);
			text_add(out, "}");
		}
		text_add(out, "]");
	}
	json_text(out, "help", item->help);
	text_add(out, "}\n");
}

char *skep_diag_json(const struct skep_diag *diag)
{
	struct skep_text out = { 0 };

	for (size_t i = 0; i < skep_diag_count(diag); i++)
		item_json(&out, skep_diag_get(diag, i));
	return finish(&out);
}
