/* SPDX-License-Identifier: BSD-2-Clause */
/* programs.c - skep prog list|show: the programs of a named machine. */
#include "cli/programs.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct args {
	const char *machine;
	bool json;
};

static const struct opt opts[] = {
	OPT(OPT_TEXT, 'm', "machine", machine, "NAME", "the machine that the programs are in"),
	OPT(OPT_FLAG, 'j', "json", json, NULL, "JSON, one object a line"),
	{ 0 },
};

static const char *tag_text(const uint8_t tag[8], char text[17])
{
	for (int i = 0; i < 8; i++)
		snprintf(text + 2 * i, 3, "%02x", tag[i]);
	return text;
}

static bool matches(const struct skep_prog_info *info, const char *how, const char *what)
{
	char tag[17];

	if (strcmp(how, "id") == 0)
		return info->id == strtoul(what, NULL, 0);
	if (strcmp(how, "tag") == 0)
		return strcmp(tag_text(info->tag, tag), what) == 0;
	return strcmp(info->name, what) == 0;
}

struct skep_prog *prog_choose(struct skep_machine *machine, const char *machine_name,
			      const char *how, const char *what, struct skep_diag *diag)
{
	struct skep_prog *found = NULL;
	size_t count = 0;

	if (!how || !what || (strcmp(how, "id") != 0 && strcmp(how, "name") != 0 &&
			      strcmp(how, "tag") != 0)) {
		skep_report(diag, SKEP_ARG, NULL, "which program? id N, name NAME or tag TAG");
		return NULL;
	}
	for (size_t i = 0; i < skep_machine_prog_count(machine); i++) {
		struct skep_prog *prog = skep_machine_prog_at(machine, i);
		struct skep_prog_info info;

		skep_prog_info(prog, &info);
		if (!matches(&info, how, what))
			continue;
		found = prog;
		count++;
	}
	if (count == 1)
		return found;
	if (count == 0)
		skep_report(diag, SKEP_NO_MACHINE_PROGRAM, NULL, "machine '%s' has no program with %s %s",
			    machine_name, how, what);
	else
		skep_report(diag, SKEP_ARG, NULL, "%zu programs have %s %s: choose by id", count,
			    how, what);
	return NULL;
}

static void list_text(const struct skep_prog_info *info)
{
	time_t loaded = (time_t)(info->loaded_ns / 1000000000u);
	char tag[17], when[64] = "?";
	struct tm tm;

	if (localtime_r(&loaded, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S%z", &tm);
	printf("%u: %s  name %s  tag %s  run_cnt %llu\n", info->id, info->type, info->name,
	       tag_text(info->tag, tag), (unsigned long long)info->run_count);
	printf("\tloaded_at %s  uid %u  pid %u\n", when, info->uid, info->pid);
	printf("\txlated %uB  ", info->insns * 8);
	if (info->jited_size)
		printf("jited %uB", info->jited_size);
	else
		printf("not jited");
	if (info->missed)
		printf("  missed %llu", (unsigned long long)info->missed);
	printf("\n");
}

static void list_json(const struct skep_prog_info *info)
{
	struct json json;
	char tag[17];

	json_begin(&json, stdout);
	json_uint(&json, "id", info->id);
	json_text(&json, "type", info->type);
	json_text(&json, "name", info->name);
	json_text(&json, "tag", tag_text(info->tag, tag));
	json_uint(&json, "run_cnt", info->run_count);
	json_uint(&json, "missed", info->missed);
	json_uint(&json, "loaded_at", info->loaded_ns / 1000000000u);
	json_uint(&json, "uid", info->uid);
	json_uint(&json, "pid", info->pid);
	json_uint(&json, "bytes_xlated", info->insns * 8);
	json_bool(&json, "jited", info->jited_size != 0);
	json_uint(&json, "bytes_jited", info->jited_size);
	json_end(&json);
}

static void list(const struct args *args, struct skep_machine *machine, struct skep_prog *only)
{
	for (size_t i = 0; i < skep_machine_prog_count(machine); i++) {
		struct skep_prog *prog = skep_machine_prog_at(machine, i);
		struct skep_prog_info info;

		if (only && prog != only)
			continue;
		skep_prog_info(prog, &info);
		if (args->json)
			list_json(&info);
		else
			list_text(&info);
	}
}

static int run(const struct verb *verb, void *arg, int argc, char **argv)
{
	const struct args *args = arg;
	struct skep_machine *machine;
	struct skep_prog *only = NULL;
	struct skep_diag *diag;
	int status = EXIT_DONE;

	if (!args->machine)
		return usage(verb, "in which machine? --machine NAME");
	if (argc != 0 && argc != 2)
		return usage(verb, "which program? id N, name NAME or tag TAG");
	diag = skep_diag_new();
	machine = skep_machine_open(args->machine, NULL, diag);
	if (machine && argc)
		only = prog_choose(machine, args->machine, argv[0], argv[1], diag);
	if (machine && (only || !argc))
		list(args, machine, only);
	if (skep_diag_count(diag))
		status = report(diag, args->json);
	skep_machine_free(machine);
	skep_diag_free(diag);
	return status;
}

#define LIST_VERB(ident, words, summary_)                                  \
	const struct verb verb_prog_##ident = {                            \
		.name = "prog " words,                                     \
		.operands = "[id N | name NAME | tag TAG]",                \
		.summary = summary_,                                       \
		.example = "  skep prog " words " --machine web",          \
		.opts = opts,                                              \
		.args_size = sizeof(struct args),                          \
		.run = run,                                                \
	}

LIST_VERB(list, "list", "List the programs of a machine");
LIST_VERB(show, "show", "The same as prog list");
