/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * map.c - skep map list|show|dump|lookup|update|delete|getnext: maps of a named machine,
 * while programs use them. Operands follow bpftool's grammar:
 *
 *   MAP   := id N | name NAME
 *   DATA  := [hex] BYTE...
 *   VALUE := DATA | MAP | PROG      PROG := id N | name NAME | tag TAG
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/programs.h"
#include "cli/show.h"

struct args {
	const char *machine;
	bool json;
};

static const struct opt opts[] = {
	OPT(OPT_TEXT, 'm', "machine", machine, "NAME", "the machine that the map is in"),
	OPT(OPT_FLAG, 'j', "json", json, NULL, "JSON, one object a line"),
	{ 0 },
};

/* A command line being read. */
struct words {
	const struct verb *verb;
	const struct args *args;
	int argc;
	char **argv;
	struct skep_machine *machine;
	struct world world;      /* the machine, to be shown */
	struct skep_diag *diag;
	int status;              /* of a mistake so far */
};

#define wrong(w, ...) ((w)->status = usage((w)->verb, __VA_ARGS__), false)

static const char *next_word(struct words *w)
{
	if (w->argc == 0)
		return NULL;
	w->argc--;
	return *w->argv++;
}

static bool next_is(const struct words *w, const char *word)
{
	return w->argc > 0 && strcmp(w->argv[0], word) == 0;
}

static bool failed(struct words *w)
{
	w->status = EXIT_REJECTED;
	return false;
}

/* --- which map --- */

static bool same_name(const char *given, const char *name)
{
	return strcmp(given, name) == 0;
}

static const char *map_name(const void *arg, size_t i)
{
	struct skep_machine *machine = (struct skep_machine *)(uintptr_t)arg;
	struct skep_map *map = skep_machine_map_at(machine, i);
	struct skep_map_info info;

	if (!map)
		return NULL;
	skep_map_info(map, &info);
	return info.name;
}

static bool no_such_map(struct words *w, const char *how, const char *what)
{
	const char *near = nearest(what, map_name, w->machine);

	skep_report(w->diag, SKEP_NO_MAP, NULL, "machine '%s' has no map with %s %s",
		    w->args->machine, how, what);
	if (near && strcmp(how, "name") == 0)
		skep_help(w->diag, "did you mean '%s'? 'skep map list' shows all", near);
	return failed(w);
}

/* The map of that id or name; of several with the name: an error that lists their ids. */
static bool map_find(struct words *w, const char *how, const char *what, struct skep_map **found)
{
	bool by_id = strcmp(how, "id") == 0;
	char ids[128] = "", *end;
	uint64_t id = strtoull(what, &end, 0);
	size_t count = 0;

	if (by_id && (end == what || *end))
		return wrong(w, "id wants a number, not '%s'", what);
	for (size_t i = 0; i < skep_machine_map_count(w->machine); i++) {
		struct skep_map *map = skep_machine_map_at(w->machine, i);
		struct skep_map_info info;

		skep_map_info(map, &info);
		if (by_id ? info.id != id : !same_name(what, info.name))
			continue;
		*found = map;
		snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%s%u",
			 count++ ? ", " : "", info.id);
	}
	if (count == 0)
		return no_such_map(w, how, what);
	if (count == 1)
		return true;
	skep_report(w->diag, SKEP_ARG, NULL, "%zu maps are called '%s': choose by id, of %s", count,
		    what, ids);
	return failed(w);
}

static bool parse_map(struct words *w, struct skep_map **map)
{
	const char *how = next_word(w), *what = next_word(w);

	if (!how)
		return wrong(w, "which map? id N or name NAME");
	if (strcmp(how, "id") != 0 && strcmp(how, "name") != 0)
		return wrong(w, "which map? id N or name NAME, not '%s'", how);
	if (!what)
		return wrong(w, "%s wants a word after it", how);
	return map_find(w, how, what, map);
}

/* --- bytes --- */

static bool is_keyword(const char *word)
{
	static const char *const words[] = { "key", "value", "any", "exist", "noexist" };

	for (size_t i = 0; i < COUNT(words); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

/* Exactly size bytes, written one by one. */
static bool parse_data(struct words *w, const char *what, uint8_t *bytes, size_t size)
{
	int base = next_is(w, "hex") ? (next_word(w), 16) : 0;
	size_t count = 0;

	while (w->argc > 0 && !is_keyword(w->argv[0])) {
		const char *word = next_word(w);
		char *end;
		unsigned long byte = strtoul(word, &end, base);

		if (end == word || *end || byte > 255 || *word == '-')
			return wrong(w, "a %s is bytes, not '%s'", what, word);
		if (count < size)
			bytes[count] = (uint8_t)byte;
		count++;
	}
	if (count != size)
		return wrong(w, "a %s of this map has %zu bytes, not %zu", what, size, count);
	return true;
}

static bool parse_key(struct words *w, struct skep_map *map, uint8_t **key)
{
	struct skep_map_info info;
	const char *word = next_word(w);

	skep_map_info(map, &info);
	if (info.key_size == 0)
		return word ? wrong(w, "map '%s' has no keys", info.name) : true;
	if (!word || strcmp(word, "key") != 0)
		return wrong(w, "which key? key BYTE...");
	*key = calloc(1, info.key_size);
	if (!*key)
		return failed(w);
	return parse_data(w, "key", *key, info.key_size);
}

/* --- values --- */

enum { ANY, NOEXIST, EXIST };

struct update {
	uint8_t *key, *value;
	struct skep_map *inner;
	struct skep_prog *prog;
	uint64_t flags;
};

static bool holds(const struct skep_map_info *info, const char *what)
{
	return strstr(info->type_name, what) != NULL;
}

static bool parse_value(struct words *w, struct skep_map *map, struct update *update)
{
	struct skep_map_info info;
	size_t stride, size;

	skep_map_info(map, &info);
	if (!next_is(w, "value"))
		return wrong(w, "which value? value BYTE...");
	next_word(w);
	if (holds(&info, "_of_maps"))
		return parse_map(w, &update->inner);
	if (strcmp(info.type_name, "prog_array") == 0) {
		const char *how = next_word(w), *what = next_word(w);

		update->prog = prog_choose(w->machine, w->args->machine, how, what, w->diag);
		return update->prog || failed(w);
	}
	size = skep_map_user_value_size(map);
	stride = (info.value_size + 7u) & ~7u;
	update->value = calloc(1, size + 8);
	if (!update->value)
		return failed(w);
	if (!parse_data(w, "value", update->value, info.value_size))
		return false;
	/* Every CPU gets it, as with bpftool. */
	for (size_t at = stride; strstr(info.type_name, "percpu") && at < size; at += stride)
		memcpy(update->value + at, update->value, info.value_size);
	return true;
}

static bool parse_flags(struct words *w, uint64_t *flags)
{
	static const char *const names[] = { "any", "noexist", "exist" };
	const char *word = next_word(w);

	for (size_t i = 0; word && i < COUNT(names); i++) {
		if (strcmp(names[i], word) == 0) {
			*flags = i;
			word = next_word(w);
			break;
		}
	}
	return word ? wrong(w, "unknown word '%s'", word) : true;
}

/* --- verbs --- */

static bool refuse(struct words *w, const char *what, int error)
{
	skep_report(w->diag, SKEP_MAP_OP, NULL, "%s: %s (%s)", what, strerror(-error),
		    errno_name(error));
	return failed(w);
}

static bool end_of(struct words *w)
{
	return w->argc ? wrong(w, "unknown word '%s'", w->argv[0]) : true;
}

static struct show show_of(const struct words *w)
{
	return (struct show){ .world = &w->world, .json = w->args->json, .all = true };
}

static void list_text(const struct skep_map_info *info)
{
	printf("%u: %s  name %s  flags 0x%x%s\n", info->id, info->type_name, info->name, info->flags,
	       info->internal ? "  global data" : "");
	printf("\tkey %uB  value %uB  max_entries %u\n", info->key_size, info->value_size,
	       info->max_entries);
}

static void list_json(const struct skep_map_info *info)
{
	struct json json;

	json_begin(&json, stdout);
	json_uint(&json, "id", info->id);
	json_text(&json, "type", info->type_name);
	json_text(&json, "name", info->name);
	json_uint(&json, "flags", info->flags);
	json_uint(&json, "bytes_key", info->key_size);
	json_uint(&json, "bytes_value", info->value_size);
	json_uint(&json, "max_entries", info->max_entries);
	json_bool(&json, "internal", info->internal);
	if (info->btf)
		json_uint(&json, "btf_key_type_id", info->key_type);
	if (info->btf)
		json_uint(&json, "btf_value_type_id", info->value_type);
	json_end(&json);
}

static bool list(struct words *w)
{
	struct skep_map *only = NULL;

	if (w->argc && (!parse_map(w, &only) || !end_of(w)))
		return false;
	for (size_t i = 0; i < skep_machine_map_count(w->machine); i++) {
		struct skep_map *map = skep_machine_map_at(w->machine, i);
		struct skep_map_info info;

		skep_map_info(map, &info);
		if (only && map != only)
			continue;
		if (w->args->json)
			list_json(&info);
		else
			list_text(&info);
	}
	return true;
}

static bool dump(struct words *w)
{
	struct show show = show_of(w);
	struct world_map shown;
	struct skep_map *map;

	if (!parse_map(w, &map) || !end_of(w))
		return false;
	shown = world_map_of(map);
	return show_elements(&show, &shown, w->diag) || failed(w);
}

static bool lookup(struct words *w)
{
	struct show show = show_of(w);
	struct skep_map *map;
	uint8_t *key = NULL;
	int error = 0;
	bool good = parse_map(w, &map) && parse_key(w, map, &key) && end_of(w);

	if (good) {
		struct world_map shown = world_map_of(map);

		error = show_element(&show, &shown, key);
		if (error < 0)
			good = refuse(w, "the map cannot be looked up in", error);
	}
	free(key);
	return good;
}

static bool update(struct words *w)
{
	struct update u = { 0 };
	struct skep_map *map;
	bool good = parse_map(w, &map) && (next_is(w, "value") || parse_key(w, map, &u.key)) &&
		    parse_value(w, map, &u) && parse_flags(w, &u.flags);
	int error;

	if (good) {
		error = u.prog ? skep_map_update_prog(map, u.key, u.prog) :
			u.inner ? skep_map_update_map(map, u.key, u.inner) :
				  skep_map_update(map, u.key, u.value, u.flags);
		if (error < 0)
			good = refuse(w, "the map does not take that", error);
	}
	free(u.key);
	free(u.value);
	return good;
}

static bool delete(struct words *w)
{
	struct skep_map *map;
	uint8_t *key = NULL;
	bool good = parse_map(w, &map) && parse_key(w, map, &key) && end_of(w);
	int error;

	if (good) {
		error = skep_map_delete(map, key);
		if (error < 0)
			good = refuse(w, "nothing was deleted", error);
	}
	free(key);
	return good;
}

static int run_words(const struct verb *verb, const struct args *args, int argc, char **argv,
		     bool (*run)(struct words *w))
{
	struct words w = { .verb = verb, .args = args, .argc = argc, .argv = argv };

	if (!args->machine)
		return usage(verb, "in which machine? --machine NAME");
	w.diag = skep_diag_new();
	w.machine = skep_machine_open(args->machine, NULL, w.diag);
	w.world.machine = w.machine;
	if (!w.machine)
		w.status = EXIT_REJECTED;
	else
		run(&w);
	if (skep_diag_count(w.diag))
		w.status = report(w.diag, args->json);
	skep_machine_free(w.machine);
	skep_diag_free(w.diag);
	return w.status;
}

#define DATA_DETAIL \
	"A key or value is its bytes one by one, decimal or after 0x; 'hex' before them makes all\n" \
	"hexadecimal."

/* One verb: the words after it, and how it is told of. */
#define MAP_VERB(ident, words, function, operands_, summary_, detail_, example_)          \
	static int run_##ident(const struct verb *verb, void *arg, int argc, char **argv) \
	{                                                                                  \
		return run_words(verb, arg, argc, argv, function);                         \
	}                                                                                  \
	const struct verb verb_map_##ident = {                                             \
		.name = "map " words,                                                      \
		.operands = operands_,                                                     \
		.summary = summary_,                                                       \
		.detail = detail_,                                                         \
		.example = example_,                                                       \
		.opts = opts,                                                              \
		.args_size = sizeof(struct args),                                          \
		.run = run_##ident,                                                        \
	}

MAP_VERB(list, "list", list, "[id N | name NAME]", "List the maps of a machine", NULL,
	 "  skep map list --machine web");
MAP_VERB(show, "show", list, "[id N | name NAME]", "The same as map list", NULL,
	 "  skep map show name drops --machine web");
MAP_VERB(dump, "dump", dump, "{id N | name NAME}", "Show all elements of a map",
	 "Keys and values are shown by their types, as the object had them. Programs may go on\n"
	 "changing the map: what is added or removed meanwhile may or may not be shown.",
	 "  skep map dump name drops --machine web");
MAP_VERB(lookup, "lookup", lookup, "{id N | name NAME} [key [hex] BYTE...]",
	 "Show one element of a map", DATA_DETAIL,
	 "  skep map lookup name ports key 80 0 --machine web");
MAP_VERB(update, "update", update,
	 "{id N | name NAME} [key DATA] value {DATA | id N | name NAME} [any | exist | noexist]",
	 "Set one element of a map",
	 DATA_DETAIL "\nA value of a map of maps is a map, one of a program array a program.",
	 "  skep map update name ports key 80 0 value hex 2a 00 00 00 00 00 00 00 --machine web");
MAP_VERB(delete, "delete", delete, "{id N | name NAME} key [hex] BYTE...",
	 "Delete one element of a map", DATA_DETAIL,
	 "  skep map delete name ports key 80 0 --machine web");
