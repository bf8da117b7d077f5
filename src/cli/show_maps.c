/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * show_maps.c - the contents of maps, decoded by their types.
 *
 * A map is a histogram when its name or value type says so ("hist", "dist",
 * "lat") and its values are numbers by index, or records with an array "slots".
 */
#include "cli/show.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 32      /* rows of a map shown to people without --all; JSON has all */
#define SLOTS 128

struct view {
	struct show *show;
	struct world_map map;
	struct skep_map_info info;
	size_t user_size;    /* of a value, all CPUs */
	unsigned cpus;       /* values in one; 1 for most */
	uint8_t *key, *next, *value;
};

static bool is_per_cpu(const struct skep_map_info *info)
{
	return info->type_name && strstr(info->type_name, "percpu");
}

static bool is_array(const struct skep_map_info *info)
{
	return info->type_name && (strcmp(info->type_name, "array") == 0 ||
				   strcmp(info->type_name, "percpu_array") == 0);
}

static bool view_init(struct view *view, struct show *show, const struct world_map *map)
{
	*view = (struct view){ .show = show, .map = *map, .info = map->info,
			       .user_size = map->user_size };
	view->cpus = is_per_cpu(&view->info) && view->info.value_size ?
		     (unsigned)(view->user_size / ((view->info.value_size + 7u) & ~7u)) : 1;
	view->key = calloc(1, view->info.key_size + 8);
	view->next = calloc(1, view->info.key_size + 8);
	view->value = calloc(1, view->user_size + 8);
	return view->key && view->next && view->value;
}

static void view_done(struct view *view)
{
	free(view->key);
	free(view->next);
	free(view->value);
}

/* The key after view->key (first: the first) with its value; false at the end. */
static bool view_next(struct view *view, bool first)
{
	uint8_t *key;

	for (;;) {
		if (world_next_key(view->show->world, &view->map, first ? NULL : view->key,
				   view->next) < 0)
			return false;
		key = view->key;
		view->key = view->next;
		view->next = key;
		if (world_lookup(view->show->world, &view->map, view->key, view->value) == 0)
			return true;
		first = false; /* deleted meanwhile, or an empty slot */
	}
}

static uint64_t number_at(const void *bytes, size_t size)
{
	uint64_t n = 0;

	memcpy(&n, bytes, size < 8 ? size : 8);
	return n;
}

static bool is_number(const struct skep_map_info *info)
{
	return info->value_size == 4 || info->value_size == 8;
}

/* The sum over CPUs of values that are numbers. */
static uint64_t sum(const struct view *view)
{
	size_t stride = (view->info.value_size + 7u) & ~7u;
	uint64_t total = 0;

	for (unsigned cpu = 0; cpu < view->cpus; cpu++)
		total += number_at(view->value + cpu * stride, view->info.value_size);
	return total;
}

/* --- text of keys and values --- */

static void add_hex(struct skep_text *text, const uint8_t *bytes, size_t size, bool quotes)
{
	size_t len = size * 3 + 4;

	text->data = calloc(1, len);
	for (size_t i = 0; text->data && i < size; i++)
		text->len += (size_t)snprintf(text->data + text->len, len - text->len, "%s%02x",
					      i ? " " : quotes ? "\"" : "", bytes[i]);
	if (text->data && quotes)
		snprintf(text->data + text->len, len - text->len, size ? "\"" : "\"\"");
}

/* By type where there is one; numbers by size; else bytes. Free text->data. */
static void value_text(const struct view *view, uint32_t type, const uint8_t *bytes, size_t size,
		       struct skep_text *text)
{
	unsigned flags = SKEP_VALUE_COMPACT | (view->show->json ? SKEP_VALUE_JSON : 0);

	*text = (struct skep_text){ 0 };
	if (type && view->info.btf &&
	    skep_btf_print_value(view->info.btf, type, bytes, size, flags, text) >= 0 &&
	    text->data && !text->failed)
		return;
	free(text->data);
	*text = (struct skep_text){ 0 };
	if (size == 1 || size == 2 || size == 4 || size == 8) {
		text->data = calloc(1, 24);
		if (text->data)
			snprintf(text->data, 24, "%llu",
				 (unsigned long long)number_at(bytes, size));
		return;
	}
	add_hex(text, bytes, size, view->show->json);
}

/* --- histograms --- */

static bool says_histogram(const char *name)
{
	return name && (strstr(name, "hist") || strstr(name, "dist") || strstr(name, "latenc"));
}

void show_histogram(const uint64_t *slots, size_t count, FILE *out)
{
	enum { STARS = 40 };
	uint64_t most = 0;
	size_t last = 0, first = count;

	for (size_t i = 0; i < count; i++) {
		if (!slots[i])
			continue;
		first = i < first ? i : first;
		last = i;
		most = slots[i] > most ? slots[i] : most;
	}
	if (!most) {
		fprintf(out, "  (no values)\n");
		return;
	}
	for (size_t i = first; i <= last; i++) {
		unsigned long long low = i ? 1ull << (i < 64 ? i : 63) : 0;
		unsigned long long high = i < 63 ? (2ull << i) - 1 : ~0ull;
		int stars = (int)((double)slots[i] / (double)most * STARS + 0.5);

		fprintf(out, "  %12llu .. %-12llu %10llu |%-*.*s|\n", low, high,
			(unsigned long long)slots[i], STARS, stars,
			"****************************************");
	}
}

/* An array whose index is the slot. */
static size_t array_slots(struct view *view, uint64_t *slots)
{
	size_t count = 0;

	for (bool first = true; view_next(view, first) && count < SLOTS; first = false)
		slots[count++] = sum(view);
	return count;
}

static bool is_array_histogram(const struct view *view)
{
	return is_array(&view->info) && says_histogram(view->info.name) &&
	       is_number(&view->info) && view->info.max_entries > 1 &&
	       view->info.max_entries <= SLOTS;
}

/* The numbers of a member "slots" of one record; 0: it has none. */
static size_t record_slots(const struct view *view, const uint8_t *bytes, uint64_t *slots)
{
	struct skep_text text = { 0 };
	json_t *record = NULL, *array;
	size_t count = 0;

	if (!view->info.btf || !view->info.value_type ||
	    skep_btf_print_value(view->info.btf, view->info.value_type, bytes,
				 view->info.value_size, SKEP_VALUE_JSON | SKEP_VALUE_COMPACT,
				 &text) < 0) {
		free(text.data);
		return 0;
	}
	record = json_loads(text.data, 0, NULL);
	array = json_is_array(record) ? record : json_object_get(record, "slots");
	for (; count < SLOTS && count < json_array_size(array); count++) {
		json_t *item = json_array_get(array, count);

		if (!json_is_integer(item))
			break;
		slots[count] += (uint64_t)json_integer_value(item);
	}
	json_decref(record);
	free(text.data);
	return count;
}

static size_t all_record_slots(const struct view *view, uint64_t *slots)
{
	size_t stride = (view->info.value_size + 7u) & ~7u, count = 0;

	for (unsigned cpu = 0; cpu < view->cpus; cpu++)
		count = record_slots(view, view->value + cpu * stride, slots);
	return count;
}

static bool is_record_histogram(const struct view *view)
{
	const char *type = view->info.btf && view->info.value_type ?
			   skep_btf_type_name(view->info.btf, view->info.value_type) : NULL;

	return view->info.value_size > 8 && (says_histogram(view->info.name) ||
					     says_histogram(type));
}

static bool show_record_histograms(struct view *view)
{
	bool any = false;

	for (bool first = true; view_next(view, first); first = false) {
		uint64_t slots[SLOTS] = { 0 };
		size_t count = all_record_slots(view, slots);
		struct skep_text key;

		if (!count)
			return any;
		any = true;
		value_text(view, view->info.key_type, view->key, view->info.key_size, &key);
		printf("  [%s]\n", key.data ? key.data : "");
		free(key.data);
		show_histogram(slots, count, stdout);
	}
	return any;
}

/* --- tables --- */

static bool all_zero(const struct view *view)
{
	for (size_t i = 0; i < view->user_size; i++) {
		if (view->value[i])
			return false;
	}
	return true;
}

static void add_row(struct view *view, struct table *table)
{
	size_t stride = (view->info.value_size + 7u) & ~7u;
	struct skep_text key, value;

	value_text(view, view->info.key_type, view->key, view->info.key_size, &key);
	if (view->cpus > 1 && is_number(&view->info)) {
		table_add(table, "  %s", key.data ? key.data : "");
		table_add(table, "%llu", (unsigned long long)sum(view));
		free(key.data);
		return;
	}
	for (unsigned cpu = 0; cpu < view->cpus; cpu++) {
		const uint8_t *bytes = view->value + cpu * stride;
		bool zero = true;

		for (size_t i = 0; i < view->info.value_size && zero; i++)
			zero = bytes[i] == 0;
		if (zero && view->cpus > 1)
			continue;
		value_text(view, view->info.value_type, bytes, view->info.value_size, &value);
		if (view->cpus > 1)
			table_add(table, "  %s (cpu %u)", key.data ? key.data : "", cpu);
		else
			table_add(table, "  %s", key.data ? key.data : "");
		table_add(table, "%s", value.data ? value.data : "");
		free(value.data);
	}
	free(key.data);
}

static void show_table(struct view *view)
{
	static const char *const heads[] = { "  key", "value" };
	size_t rows = 0, hidden = 0, zeros = 0;
	bool all = view->show->all;
	bool skip_zeros = !all && is_array(&view->info) && view->info.max_entries > 8;
	struct table table;

	table_init(&table, heads, COUNT(heads), 0);
	for (bool first = true; view_next(view, first); first = false) {
		if (skip_zeros && all_zero(view)) {
			zeros++;
			continue;
		}
		if (rows++ >= ROWS && !all)
			hidden++;
		else
			add_row(view, &table);
	}
	if (rows)
		table_print(&table, stdout);
	if (hidden)
		printf("  ... %zu more (--all)\n", hidden);
	if (zeros)
		printf("  (%zu more hold zeros)\n", zeros);
	if (!rows && !zeros)
		printf("  (empty)\n");
	table_done(&table);
}

static void json_row(struct view *view)
{
	size_t stride = (view->info.value_size + 7u) & ~7u;
	struct skep_text text;
	struct json json;

	json_begin(&json, stdout);
	json_text(&json, "map", view->info.name);
	json_text(&json, "type", view->info.type_name);
	value_text(view, view->info.key_type, view->key, view->info.key_size, &text);
	json_key(&json, "key");
	fputs(text.data && view->info.key_size ? text.data : "null", stdout);
	free(text.data);
	if (view->cpus > 1)
		json_open(&json, "values", '[');
	for (unsigned cpu = 0; cpu < view->cpus; cpu++) {
		value_text(view, view->info.value_type, view->value + cpu * stride,
			   view->info.value_size, &text);
		json_key(&json, view->cpus > 1 ? NULL : "value");
		fputs(text.data ? text.data : "null", stdout);
		free(text.data);
	}
	if (view->cpus > 1)
		json_close(&json, ']');
	json_end(&json);
}

static void show_json(struct view *view)
{
	for (bool first = true; view_next(view, first); first = false)
		json_row(view);
}

/* Types whose contents user space cannot read as keys and values. */
static bool is_readable(const struct skep_map_info *info)
{
	static const char *const others[] = { "prog_array", "perf_event_array", "ringbuf",
					      "array_of_maps", "hash_of_maps", "user_ringbuf",
					      "stack_trace", "arena", "bloom_filter" };

	for (size_t i = 0; i < COUNT(others); i++) {
		if (info->type_name && strcmp(info->type_name, others[i]) == 0)
			return false;
	}
	return info->key_size > 0;
}

static void show_map(struct view *view)
{
	uint64_t slots[SLOTS] = { 0 };

	if (view->show->json) {
		show_json(view);
		return;
	}
	printf("\n%s%s%s (%s)\n", colour(stdout, COLOUR_BOLD), view->info.name,
	       colour(stdout, COLOUR_NONE), view->info.type_name);
	if (is_array_histogram(view))
		show_histogram(slots, array_slots(view, slots), stdout);
	else if (!is_record_histogram(view) || !show_record_histograms(view))
		show_table(view);
}

void show_maps(struct show *show)
{
	for (size_t i = 0; i < skep_object_map_count(show->object); i++) {
		struct skep_object_map *definition = skep_object_map_at(show->object, i);
		struct world_map map;
		struct view view;

		if (!world_map(show->world, definition, &map) || map.info.internal ||
		    !is_readable(&map.info))
			continue;
		if (view_init(&view, show, &map))
			show_map(&view);
		view_done(&view);
	}
}

/* --- one map, for who asks for it --- */

/* Types that user space cannot go through key by key. */
static bool has_keys(const struct skep_map_info *info)
{
	static const char *const others[] = { "perf_event_array", "ringbuf", "user_ringbuf", "arena" };

	for (size_t i = 0; i < COUNT(others); i++) {
		if (strcmp(info->type_name, others[i]) == 0)
			return false;
	}
	return info->key_size > 0;
}

bool show_elements(struct show *show, const struct world_map *map, struct skep_diag *diag)
{
	struct view view;
	bool good = view_init(&view, show, map);

	if (!good) {
		skep_report(diag, SKEP_OOM, NULL, "a value of map '%s'", view.info.name);
	} else if (!has_keys(&view.info)) {
		skep_report(diag, SKEP_MAP_OP, NULL, "map '%s' of type %s has no elements by key",
			    view.info.name, view.info.type_name);
		good = false;
	} else if (show->json) {
		show_json(&view);
	} else {
		show_table(&view);
	}
	view_done(&view);
	return good;
}

static void show_row(struct view *view)
{
	static const char *const heads[] = { "  key", "value" };
	struct table table;

	table_init(&table, heads, COUNT(heads), 0);
	add_row(view, &table);
	table_print(&table, stdout);
	table_done(&table);
}

int show_element(struct show *show, const struct world_map *map, const uint8_t *key)
{
	struct view view;
	int error = view_init(&view, show, map) ? 0 : -ENOMEM;

	if (!error) {
		if (key)
			memcpy(view.key, key, view.info.key_size);
		error = world_lookup(show->world, map, key, view.value);
	}
	if (!error && show->json)
		json_row(&view);
	else if (!error)
		show_row(&view);
	view_done(&view);
	return error;
}
