/* SPDX-License-Identifier: BSD-2-Clause */
/* feature.c - skep feature: what this build knows and what it can run. */
#include <stdlib.h>
#include <string.h>
#include <skep/feature.h>

#include "cli/cli.h"

struct args {
	const char *type;
	bool json, docs;
};

static const struct opt opts[] = {
	OPT(OPT_TEXT, 't', "type", type, "TYPE", "only helpers that programs of this type may call"),
	OPT(OPT_FLAG, 'd', "doc", docs, NULL, "what each is for, and prototypes"),
	OPT(OPT_FLAG, 'j', "json", json, NULL, "one JSON object per feature"),
	{ 0 },
};

static const struct {
	const char *name, *title, *json;
} kinds[] = {
	[SKEP_FEATURE_MAP_TYPE] = { "map_types", "Map types", "map_type" },
	[SKEP_FEATURE_PROG_TYPE] = { "prog_types", "Program types", "prog_type" },
	[SKEP_FEATURE_ATTACH_TYPE] = { "attach_types", "Attach types", "attach_type" },
	[SKEP_FEATURE_HELPER] = { "helpers", "Helper functions", "helper" },
	[SKEP_FEATURE_KFUNC] = { "kfuncs", "Kernel functions", "kfunc" },
};

static const char *kind_name(const void *arg, size_t i)
{
	(void)arg;
	return i < COUNT(kinds) ? kinds[i].name : NULL;
}

static int find_kind(const char *name)
{
	for (size_t i = 0; i < COUNT(kinds); i++) {
		if (strcmp(kinds[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

/* The number of a program type by name; UINT32_MAX if there is none. */
static uint32_t find_prog_type(const char *name)
{
	struct skep_feature feature;

	for (size_t i = 0; skep_feature_get(SKEP_FEATURE_PROG_TYPE, i, &feature); i++) {
		if (feature.name && strcmp(feature.name, name) == 0)
			return feature.id;
	}
	return UINT32_MAX;
}

/* Append the names of the program types that may (or may not) call a helper. */
static void add_types(FILE *out, uint32_t helper, bool allowed)
{
	struct skep_feature type;
	const char *gap = "";

	for (size_t i = 0; skep_feature_get(SKEP_FEATURE_PROG_TYPE, i, &type); i++) {
		if (!type.checked || skep_feature_helper_allowed(type.id, helper) != allowed)
			continue;
		fprintf(out, "%s%s", gap, type.name);
		gap = " ";
	}
}

/* "xdp sched_cls ...", "all", or "all but ..." where that is shorter. Free it. */
static char *helper_types(uint32_t helper)
{
	size_t size, all = 0, allowed = 0;
	struct skep_feature type;
	char *text = NULL;
	FILE *out;

	for (size_t i = 0; skep_feature_get(SKEP_FEATURE_PROG_TYPE, i, &type); i++) {
		all += type.checked;
		allowed += type.checked && skep_feature_helper_allowed(type.id, helper);
	}
	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	if (allowed == all)
		fputs("all", out);
	else if (allowed > all / 2)
		fputs("all but ", out);
	if (allowed < all)
		add_types(out, helper, allowed <= all / 2);
	fclose(out);
	return text;
}

static void json_feature(const struct skep_feature *f)
{
	struct skep_feature type;
	struct json json;

	json_begin(&json, stdout);
	json_text(&json, "kind", kinds[f->kind].json);
	json_uint(&json, "id", f->id);
	json_text(&json, "name", f->name);
	json_bool(&json, "checked", f->checked);
	json_bool(&json, "executed", f->executed);
	if (f->doc)
		json_text(&json, "doc", f->doc);
	if (f->prototype)
		json_text(&json, "prototype", f->prototype);
	if (f->kind == SKEP_FEATURE_HELPER) {
		json_open(&json, "prog_types", '[');
		for (size_t i = 0; skep_feature_get(SKEP_FEATURE_PROG_TYPE, i, &type); i++) {
			if (type.checked && skep_feature_helper_allowed(type.id, f->id))
				json_text(&json, NULL, type.name);
		}
		json_close(&json, ']');
	}
	json_end(&json);
}

static const char *state(const struct skep_feature *f)
{
	if (f->kind == SKEP_FEATURE_ATTACH_TYPE)
		return f->checked ? "checked" : "-";
	return f->executed ? "runs" : f->checked ? "checked" : "-";
}

static void add_row(const struct args *args, struct table *table, const struct skep_feature *f)
{
	char *types = f->kind == SKEP_FEATURE_HELPER && !args->docs ? helper_types(f->id) : NULL;

	table_add(table, "%u", f->id);
	table_add(table, "%s", f->name);
	table_add(table, "%s", state(f));
	if (args->docs && f->prototype)
		table_add(table, "%s  %s", f->prototype, f->doc ? f->doc : "");
	else if (args->docs)
		table_add(table, "%s", f->doc ? f->doc : "");
	else
		table_add(table, "%s", types ? types : "");
	free(types);
}

static void list_kind(const struct args *args, enum skep_feature_kind kind, uint32_t prog)
{
	const char *heads[] = { "id", "name", "state", args->docs ? "what" :
				kind == SKEP_FEATURE_HELPER ? "program types" : "" };
	size_t checked = 0, executed = 0, listed = 0;
	struct skep_feature f;
	struct table table;

	table_init(&table, heads, COUNT(heads), 1);
	for (size_t i = 0; skep_feature_get(kind, i, &f); i++) {
		if (!f.name || (prog != UINT32_MAX && !skep_feature_helper_allowed(prog, f.id)))
			continue;
		listed++;
		checked += f.checked;
		executed += f.executed;
		if (args->json)
			json_feature(&f);
		else
			add_row(args, &table, &f);
	}
	if (!args->json) {
		printf("%s%s%s: %zu, %zu checked, %zu run\n\n", colour(stdout, COLOUR_BOLD),
		       kinds[kind].title, colour(stdout, COLOUR_NONE), listed, checked, executed);
		table_print(&table, stdout);
		printf("\n");
	}
	table_done(&table);
}

static int run(const struct verb *verb, void *arg, int argc, char **argv)
{
	const struct args *args = arg;
	uint32_t prog = UINT32_MAX;

	if (args->type && (prog = find_prog_type(args->type)) == UINT32_MAX)
		return usage(verb, "there is no program type '%s'; 'skep feature prog_types' lists them",
			     args->type);
	for (int i = 0; i < argc; i++) {
		const char *near = nearest(argv[i], kind_name, NULL);

		if (find_kind(argv[i]) < 0)
			return near ? usage(verb, "there is no list '%s'; did you mean '%s'?", argv[i],
					    near) :
				      usage(verb, "there is no list '%s'", argv[i]);
	}
	for (int i = 0; i < argc; i++)
		list_kind(args, (enum skep_feature_kind)find_kind(argv[i]), prog);
	for (size_t i = 0; argc == 0 && i < COUNT(kinds); i++) {
		if (!args->type || i == SKEP_FEATURE_HELPER)
			list_kind(args, (enum skep_feature_kind)i, prog);
	}
	return EXIT_DONE;
}

const struct verb verb_feature = {
	.name = "feature",
	.operands = "[map_types | prog_types | attach_types | helpers | kfuncs]...",
	.summary = "List what this build knows and what it can run",
	.detail = "States: 'runs' can be executed here; 'checked' is known to the verifier only.",
	.example = "  skep feature map_types\n  skep feature helpers --type xdp\n"
		   "  skep feature -j | jq .name",
	.opts = opts,
	.args_size = sizeof(struct args),
	.run = run,
};
