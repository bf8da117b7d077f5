/* SPDX-License-Identifier: BSD-2-Clause */
/* seccomp_groups.c - skep seccomp groups: which names stand for several system calls. */
#include "cli/seccomp.h"

#include <string.h>

struct args {
	bool json;
};

static void print_json(const char *name, const char *about, const char *members)
{
	struct json json;

	json_begin(&json, stdout);
	json_text(&json, "group", name);
	json_text(&json, "about", about);
	json_open(&json, "members", '[');
	for (const char *at = members; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		if (at != members)
			printf(",");
		json_quote(stdout, at, len);
		at += len;
	}
	json_close(&json, ']');
	json_end(&json);
}

static void print_members(const char *members)
{
	for (const char *at = members; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		printf("%.*s\n", (int)len, at);
		at += len;
	}
}

/* Every call there is, as a group has them. */
static void print_known(bool json)
{
	const char *name;
	struct json line;

	if (json) {
		json_begin(&line, stdout);
		json_text(&line, "group", "@known");
		json_open(&line, "members", '[');
	}
	for (size_t i = 0; (name = skep_syscall_each(i)); i++) {
		if (json)
			printf("%s\"%s\"", i ? "," : "", name);
		else
			printf("%s\n", name);
	}
	if (json) {
		json_close(&line, ']');
		json_end(&line);
	}
}

static int print_group(const struct verb *verb, const char *wanted, bool json)
{
	const char *name, *about, *members, *near;

	for (size_t i = 0; (name = skep_syscall_group(i, &about, &members)); i++) {
		if (strcmp(name + (*wanted != '@'), wanted) != 0)
			continue;
		if (!*members)
			print_known(json);
		else if (json)
			print_json(name, about, members);
		else
			print_members(members);
		return EXIT_DONE;
	}
	near = *wanted == '@' ? skep_syscall_nearest(wanted) : NULL;
	return near ? usage(verb, "there is no group '%s'; did you mean '%s'?", wanted, near) :
		      usage(verb, "there is no group '%s'", wanted);
}

static void print_all(bool json)
{
	static const char *const heads[] = { "GROUP", "WHAT" };
	const char *name, *about, *members;
	struct table table;

	table_init(&table, heads, COUNT(heads), 0);
	for (size_t i = 0; (name = skep_syscall_group(i, &about, &members)); i++) {
		if (json)
			print_json(name, about, members);
		table_add(&table, "%s", name);
		table_add(&table, "%s", about);
	}
	if (!json)
		table_print(&table, stdout);
	table_done(&table);
}

static int run(const struct verb *verb, void *arg, int argc, char **argv)
{
	const struct args *args = arg;
	int status = EXIT_DONE;

	if (argc == 0)
		print_all(args->json);
	for (int i = 0; i < argc && status == EXIT_DONE; i++)
		status = print_group(verb, argv[i], args->json);
	return status;
}

static const struct opt opts[] = {
	OPT(OPT_FLAG, 'j', "json", json, NULL, "one JSON object per group"),
	{ 0 },
};

const struct verb verb_seccomp_groups = {
	.name = "seccomp groups",
	.operands = "[GROUP...]",
	.summary = "List the groups of system calls that policies may name, or the members of some",
	.detail =
		"Their members are those of systemd 262; groups may hold groups. Of @known, which\n"
		"is every call that has a name, the members are listed only if it is asked for.",
	.example = "  skep seccomp groups @basic-io",
	.opts = opts,
	.args_size = sizeof(struct args),
	.run = run,
};
