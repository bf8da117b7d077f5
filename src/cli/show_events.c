/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * show_events.c - records of ring buffers and perf arrays, and what programs
 * print. A record's type is not part of it, so it is found: the one the user
 * named, the map's value type, or the only struct of the object's types that
 * has its size and is named as an event, or like the map. Else bytes are shown.
 */
#include "cli/fold.h"

#include <stdlib.h>
#include <string.h>

#define KIND_STRUCT 4 /* BTF_KIND_STRUCT */

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* How much a struct's name says that it is an event of the map; 0: nothing. */
static unsigned name_score(const char *name, const char *map)
{
	size_t len = strlen(name);

	if (strncmp(name, map, len) == 0 && (!map[len] || strcmp(map + len, "s") == 0))
		return 3;
	if (ends_with(name, "event") || ends_with(name, "evt") || ends_with(name, "event_t"))
		return 2;
	return ends_with(name, "_t");
}

/* Records may carry padding behind the struct: perf adds up to 8 bytes. */
static bool size_fits(int64_t type_size, size_t size, bool padded)
{
	return type_size > 0 && ((size_t)type_size == size ||
				 (padded && size > (size_t)type_size &&
				  size - (size_t)type_size <= 8));
}

/* The best named struct of the size, if no other is named as well. */
static uint32_t guess_type(const struct skep_btf *btf, const char *map, size_t size, bool padded)
{
	unsigned best_score = 0;
	uint32_t best = 0;

	for (uint32_t id = 1; id <= skep_btf_count(btf); id++) {
		const char *name = skep_btf_type_name(btf, id);
		unsigned score;

		if (!name || !*name || skep_btf_find(btf, name, KIND_STRUCT) != id ||
		    !size_fits(skep_btf_size(btf, id), size, padded))
			continue;
		score = name_score(name, map);
		if (score && score == best_score)
			best = 0;
		if (score > best_score) {
			best = id;
			best_score = score;
		}
	}
	return best;
}

/* The type given for this map ("events=event_t"), or for all ("event_t"). */
static uint32_t named_type(const struct show *show, const struct skep_btf *btf, const char *map)
{
	for (size_t i = 0; i < show->event_types->count; i++) {
		const char *text = show->event_types->items[i], *equals = strchr(text, '=');

		if (!equals)
			return skep_btf_find(btf, text, 0);
		if (strncmp(text, map, (size_t)(equals - text)) == 0 &&
		    strlen(map) == (size_t)(equals - text))
			return skep_btf_find(btf, equals + 1, 0);
	}
	return 0;
}

static bool has_map(const struct skep_object *object, const char *name, size_t len)
{
	struct skep_map_info info;

	for (size_t i = 0; i < skep_object_map_count(object); i++) {
		skep_object_map_info(skep_object_map_at(object, i), &info);
		if (strlen(info.name) == len && strncmp(info.name, name, len) == 0)
			return true;
	}
	return false;
}

bool show_check_types(const struct show *show, struct skep_diag *diag)
{
	const struct skep_btf *btf = skep_object_btf(show->object);

	for (size_t i = 0; i < show->event_types->count; i++) {
		const char *text = show->event_types->items[i], *equals = strchr(text, '=');
		const char *type = equals ? equals + 1 : text;

		if (equals && !has_map(show->object, text, (size_t)(equals - text))) {
			skep_report(diag, SKEP_ARG, NULL, "the object has no map '%.*s'",
				    (int)(equals - text), text);
			return false;
		}
		if (!btf || !skep_btf_find(btf, type, 0)) {
			skep_report(diag, SKEP_ARG, NULL, "the object has no type '%s'", type);
			return false;
		}
	}
	return true;
}

static uint32_t event_type(const struct show *show, const struct skep_btf *btf,
			   const struct skep_map_info *info, const struct world_event *event)
{
	bool padded = event->kind == SKEP_EVENT_PERF;
	uint32_t type = named_type(show, btf, info->name);

	if (type)
		return (uint64_t)skep_btf_size(btf, type) <= event->size ? type : 0;
	if (info->value_type && info->btf == btf &&
	    size_fits(skep_btf_size(btf, info->value_type), event->size, padded))
		return info->value_type;
	return guess_type(btf, info->name, event->size, padded);
}

static void print_hex(const struct world_event *event)
{
	const uint8_t *bytes = event->data;

	for (size_t i = 0; i < event->size; i++)
		printf("%s%02x", i ? " " : "", bytes[i]);
}

static size_t zeros_from(const struct world_event *event, size_t at)
{
	const uint8_t *bytes = event->data;
	size_t end = at;

	while (end < event->size && !bytes[end])
		end++;
	return end - at;
}

/* The characters among the bytes, what lies between words in three dots at the most. */
static void print_characters(const struct world_event *event)
{
	const uint8_t *bytes = event->data;
	size_t dots = 0;

	for (size_t i = 0; i < event->size; i++) {
		bool plain = bytes[i] >= 0x20 && bytes[i] < 0x7f;

		dots = plain ? 0 : dots + 1;
		if (dots <= 3)
			putchar(plain ? bytes[i] : '.');
	}
}

/* For people: the bytes, runs of zeros as 00*N, and the characters among them. */
static void print_bytes(const struct world_event *event)
{
	const uint8_t *bytes = event->data;

	printf("%zu bytes:", event->size);
	for (size_t i = 0; i < event->size; i++) {
		size_t zeros = zeros_from(event, i);

		printf(" %02x", bytes[i]);
		if (zeros < 8)
			continue;
		printf("*%zu", zeros);
		i += zeros - 1;
	}
	printf("  |");
	print_characters(event);
	printf("|");
}

static void print_record(const struct show *show, const struct world_event *event,
			 const struct skep_map_info *info)
{
	const struct skep_btf *btf = skep_object_btf(show->object);
	uint32_t type = btf ? event_type(show, btf, info, event) : 0;
	struct skep_text text = { 0 };
	struct json json;

	if (type && show->stacks && fold_record(show->stacks, btf, type, event))
		return;
	if (type && skep_btf_print_value(btf, type, event->data, event->size,
					 SKEP_VALUE_COMPACT | (show->json ? SKEP_VALUE_JSON : 0),
					 &text) < 0)
		type = 0;
	if (!show->json) {
		printf("%s%s%s ", colour(stdout, COLOUR_DIM), info->name,
		       colour(stdout, COLOUR_NONE));
		if (type)
			printf("%s %s", skep_btf_type_name(btf, type), text.data);
		else
			print_bytes(event);
		printf("\n");
		free(text.data);
		return;
	}
	json_begin(&json, stdout);
	json_text(&json, "event", event->kind == SKEP_EVENT_PERF ? "perf" : "ringbuf");
	json_text(&json, "map", info->name);
	json_uint(&json, "cpu", event->cpu);
	json_uint(&json, "size", event->size);
	json_text(&json, "type", type ? skep_btf_type_name(btf, type) : NULL);
	json_key(&json, "data");
	if (type) {
		fputs(text.data, stdout);
	} else {
		fputc('"', stdout);
		print_hex(event);
		fputc('"', stdout);
	}
	json_end(&json);
	free(text.data);
}

/* What would move a terminal's cursor is shown as C writes it. */
static void print_line(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '\r')
			fputs("\\r", stdout);
		else if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f)
			printf("\\x%02x", c);
		else
			putchar(c);
	}
	putchar('\n');
}

static void print_trace(const struct show *show, const struct world_event *event)
{
	const char *text = event->data;
	size_t len = event->size;
	struct json json;

	while (len && (text[len - 1] == '\n' || text[len - 1] == '\0'))
		len--;
	if (!show->json) {
		print_line(text, len);
		return;
	}
	json_begin(&json, stdout);
	json_text(&json, "event", "trace");
	json_key(&json, "text");
	json_quote(stdout, text, len);
	json_end(&json);
}

static void on_event(void *arg, const struct world_event *event)
{
	struct show *show = arg;
	const struct skep_map_info none = { .name = "" };
	const struct skep_map_info *info = event->map ? &event->map->info : &none;

	switch (event->kind) {
	case SKEP_EVENT_RINGBUF:
	case SKEP_EVENT_PERF:
		print_record(show, event, info);
		break;
	case SKEP_EVENT_TRACE:
		print_trace(show, event);
		break;
	case SKEP_EVENT_LOST:
		show->lost += event->size;
		break;
	}
}

void show_events(struct show *show, int milliseconds)
{
	if (world_poll(show->world, milliseconds, on_event, show) > 0)
		fflush(stdout);
}
