/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fold.c - stacks that programs counted, out of their maps (see fold.h).
 *
 * Nothing but names in the types says what a number is: in the key of a hash, a
 * member with "stack" in its name is the number of one in a map of stack traces, of the
 * kernel's if "kern" is in it too; tgid, pid or tid tells the process, comm its name. The
 * value is the count, or has it as its member "count", or is counted as one. In records,
 * members with "stack" in their name are arrays of addresses.
 */
#include "cli/fold.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 127 };

/* What a key says. */
struct folded_key {
	bool has_stack;
	int64_t user, kernel;    /* numbers of stacks; negative: none */
	char user_name[64], kernel_name[64]; /* of the members */
	int64_t pid;
	const char *comm;        /* the JSON's */
};

/* Numbers that need all of 64 bits, as the kernel's addresses, become negative: JSON's readers
 * have no more than a sign and 63. No number is then longer than it was. */
static void make_signed(char *text)
{
	bool string = false;

	for (char *at = text; *at; at++) {
		char *end = at;
		unsigned long long number;
		char digits[24];

		if (*at == '\\' && string)
			at++;
		else if (*at == '"')
			string = !string;
		if (string || !at[0] || at[0] < '1' || at[0] > '9')
			continue;
		number = strtoull(at, &end, 10);
		if (number > INT64_MAX && end - at == 20) {
			snprintf(digits, sizeof(digits), "%20lld", (long long)number);
			memcpy(at, digits, 20);
		} else if (number > INT64_MAX) {
			snprintf(digits, sizeof(digits), "%19lld", (long long)number);
			memcpy(at, digits, (size_t)(end - at));
		}
		at = end - 1;
	}
}

static json_t *decode(const struct skep_btf *btf, uint32_t type, const void *bytes, size_t size)
{
	struct skep_text text = { 0 };
	json_t *json = NULL;

	if (type && btf &&
	    skep_btf_print_value(btf, type, bytes, size, SKEP_VALUE_JSON | SKEP_VALUE_COMPACT,
				 &text) >= 0 && text.data) {
		make_signed(text.data);
		json = json_loads(text.data, JSON_DECODE_ANY, NULL);
	}
	free(text.data);
	return json;
}

static int64_t process_of(json_t *json)
{
	static const char *const names[] = { "tgid", "pid", "tid" };

	for (size_t i = 0; i < COUNT(names); i++)
		if (json_is_integer(json_object_get(json, names[i])))
			return json_integer_value(json_object_get(json, names[i]));
	return 0;
}

static void read_key(json_t *json, struct folded_key *key)
{
	const char *name;
	json_t *value;

	*key = (struct folded_key){ .user = -1, .kernel = -1 };
	json_object_foreach(json, name, value) {
		bool kernel = strstr(name, "kern") != NULL;

		if (!strstr(name, "stack") || !json_is_integer(value))
			continue;
		key->has_stack = true;
		*(kernel ? &key->kernel : &key->user) = json_integer_value(value);
		snprintf(kernel ? key->kernel_name : key->user_name, sizeof(key->user_name), "%s",
			 name);
	}
	key->pid = process_of(json);
	key->comm = json_string_value(json_object_get(json, "comm"));
}

/* The map that the numbers are of: the one with "kern" or "user" in its name, else the only one. */
static bool stack_map(const struct show *show, bool kernel, struct world_map *map)
{
	struct world_map found;
	bool any = false;

	for (size_t i = 0; i < skep_object_map_count(show->object); i++) {
		if (!world_map(show->world, skep_object_map_at(show->object, i), &found) ||
		    strcmp(found.info.type_name, "stack_trace") != 0)
			continue;
		if (strstr(found.info.name, kernel ? "kern" : "user")) {
			*map = found;
			return true;
		}
		if (!any)
			*map = found;
		any = true;
	}
	return any;
}

/* How many addresses the stack of that number has. */
static size_t stack_of(const struct show *show, bool kernel, int64_t number, uint64_t ips[DEPTH])
{
	uint32_t key = (uint32_t)number;
	struct world_map map;
	size_t count = 0;

	memset(ips, 0, DEPTH * sizeof(*ips));
	if (number < 0 || !stack_map(show, kernel, &map) || map.user_size > DEPTH * sizeof(*ips) ||
	    world_lookup(show->world, &map, &key, ips) < 0)
		return 0;
	while (count < DEPTH && ips[count])
		count++;
	return count;
}

static uint64_t number(const void *bytes, size_t size)
{
	uint64_t n = 0;

	memcpy(&n, bytes, size < sizeof(n) ? size : sizeof(n));
	return n;
}

/* Of all CPUs together. */
static uint64_t count_of(const struct world_map *map, const uint8_t *value)
{
	size_t size = map->info.value_size, stride = (size + 7u) & ~(size_t)7;
	bool per_cpu = strstr(map->info.type_name, "percpu") != NULL;
	uint64_t total = 0;

	for (size_t at = 0; at + size <= map->user_size; at += stride) {
		json_t *json = size > 8 ? decode(map->info.btf, map->info.value_type, value + at,
					       size) : NULL;
		json_t *count = json_object_get(json, "count");

		total += count ? (uint64_t)json_integer_value(count) :
			 size == 4 || size == 8 ? number(value + at, size) : 1;
		json_decref(json);
		if (!per_cpu)
			break;
	}
	return total;
}

static int add(const struct show *show, const struct world_map *map, const struct folded_key *key,
	       const uint8_t *value, struct skep_stacks *stacks)
{
	uint64_t user[DEPTH], kernel[DEPTH];
	struct skep_stack stack = {
		.pid = (uint32_t)key->pid, .comm = key->comm, .user = user, .kernel = kernel,
		.user_count = stack_of(show, false, key->user, user),
		.kernel_count = stack_of(show, true, key->kernel, kernel),
	};

	return skep_stacks_add(stacks, &stack, count_of(map, value));
}

/* One map; *found: it is one that counts stacks. */
static int fold_map(const struct show *show, const struct world_map *map,
		    struct skep_stacks *stacks, bool *found)
{
	uint8_t *key = calloc(1, map->info.key_size + 8u), *next = calloc(1, map->info.key_size + 8u);
	uint8_t *value = calloc(1, map->user_size + 8), *swap;
	bool first = true;
	int error = key && next && value ? 0 : -ENOMEM;

	while (!error && world_next_key(show->world, map, first ? NULL : key, next) == 0) {
		json_t *json = decode(map->info.btf, map->info.key_type, next,
				      map->info.key_size);
		struct folded_key folded;

		first = false;
		swap = key;
		key = next;
		next = swap;
		read_key(json, &folded);
		*found |= folded.has_stack;
		if (folded.has_stack && world_lookup(show->world, map, key, value) == 0)
			error = add(show, map, &folded, value, stacks);
		json_decref(json);
		if (!folded.has_stack)
			break;
	}
	free(key);
	free(next);
	free(value);
	return error;
}

/* Would its keys have stacks in them, if it had any? */
static bool counts_stacks(const struct world_map *map)
{
	uint8_t *zeros = calloc(1, map->info.key_size + 8u);
	json_t *json = zeros ? decode(map->info.btf, map->info.key_type, zeros,
					      map->info.key_size) : NULL;
	struct folded_key key;

	read_key(json, &key);
	json_decref(json);
	free(zeros);
	return key.has_stack;
}

/* --- records --- */

/* How many addresses an array has, up to its first zero. */
static size_t addresses(json_t *array, uint64_t ips[DEPTH])
{
	size_t count = 0;

	for (; count < DEPTH && count < json_array_size(array); count++) {
		ips[count] = (uint64_t)json_integer_value(json_array_get(array, count));
		if (!ips[count])
			break;
	}
	return count;
}

bool fold_record(struct skep_stacks *stacks, const struct skep_btf *btf, uint32_t type,
		 const struct world_event *event)
{
	json_t *json = decode(btf, type, event->data, event->size), *value;
	uint64_t user[DEPTH], kernel[DEPTH];
	struct skep_stack stack = {
		.pid = (uint32_t)process_of(json), .user = user, .kernel = kernel,
		.comm = json_string_value(json_object_get(json, "comm")),
	};
	const char *name;
	bool found = false;

	json_object_foreach(json, name, value) {
		if (!strstr(name, "stack") || !json_is_array(value))
			continue;
		found = true;
		if (strstr(name, "kern"))
			stack.kernel_count = addresses(value, kernel);
		else
			stack.user_count = addresses(value, user);
	}
	if (found)
		skep_stacks_add(stacks, &stack, 1);
	json_decref(json);
	return found;
}

int fold_maps(const struct show *show, struct skep_stacks *stacks, struct skep_diag *diag)
{
	bool found = false;
	int error = 0;

	for (size_t i = 0; i < skep_object_map_count(show->object) && !error; i++) {
		struct world_map map;

		if (!world_map(show->world, skep_object_map_at(show->object, i), &map) ||
		    !strstr(map.info.type_name, "hash") || !counts_stacks(&map))
			continue;
		found = true;
		error = fold_map(show, &map, stacks, &found);
	}
	if (error)
		return skep_fail(diag, SKEP_OOM, NULL, "stacks");
	if (!found && !skep_stacks_count(stacks)) {
		skep_report(diag, SKEP_ARG, NULL, "the object counts no stacks");
		skep_help(diag, "a hash whose key is a structure with pid, comm and the number of a "
			  "stack in a map of stack traces, as in examples/profile.bpf.c; or "
			  "records with arrays of addresses");
		return -ENOENT;
	}
	return 0;
}

static int write_text(const char *path, struct skep_text *text, struct skep_diag *diag)
{
	int error = text->failed ? skep_fail(diag, SKEP_OOM, NULL, "'%s'", path) :
				   spill(path, text->data ? text->data : "", text->len, diag);

	free(text->data);
	*text = (struct skep_text){ 0 };
	return error;
}

int fold_write(struct skep_stacks *stacks, const char *title, const char *folded,
	       const char *flame, struct skep_diag *diag)
{
	struct skep_text text = { 0 };
	int error = 0;

	if (folded) {
		skep_stacks_folded(stacks, &text);
		error = write_text(folded, &text, diag);
	}
	if (flame && !error) {
		skep_stacks_flame(stacks, title, &text);
		error = write_text(flame, &text, diag);
	}
	return error;
}

/* The image's title: the command, or the object. */
int fold_end(const struct show *show, struct skep_stacks *stacks, char *const *command,
	     const char *folded, const char *flame, struct skep_diag *diag)
{
	char title[200] = "";
	int error;

	for (char *const *word = command; word && *word; word++)
		snprintf(title + strlen(title), sizeof(title) - strlen(title), "%s%s",
			 *title ? " " : "", *word);
	error = fold_maps(show, stacks, diag);
	return error ? error : fold_write(stacks, *title ? title : skep_object_name(show->object),
					  folded, flame, diag);
}
