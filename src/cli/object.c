/* SPDX-License-Identifier: BSD-2-Clause */
/* object.c - OBJECT[:PROGRAM] on the command line (see object.h). */
#include "cli/object.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct skep_btf *kernel_types(const char *name, struct skep_diag *diag)
{
	struct skep_btf *btf;

	if (strcmp(name, "machine") == 0)
		return skep_btf_open_machine(diag);
	btf = skep_btf_open_file(name, NULL, diag);
	if (!btf)
		skep_help(diag, "kernel types are in a kernel's vmlinux that has a .BTF section, and in "
			  "/sys/kernel/btf/vmlinux of a running one");
	return btf;
}

void object_arg_done(struct object_arg *arg)
{
	free(arg->path);
	free(arg->program);
	*arg = (struct object_arg){ 0 };
}

/* "a.o:b" into its parts, unless there is a file of the whole name. */
static bool split(struct object_arg *arg, const char *operand)
{
	const char *colon = strrchr(operand, ':');

	if (!colon || access(operand, F_OK) == 0) {
		arg->path = strdup(operand);
		return arg->path != NULL;
	}
	arg->path = strndup(operand, (size_t)(colon - operand));
	arg->program = strdup(colon + 1);
	return arg->path && arg->program;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len > end_len && strcmp(text + len - end_len, end) == 0;
}

struct skep_object *object_arg_open(struct object_arg *arg, const char *operand,
				    struct skep_diag *diag)
{
	struct skep_object *object = NULL;
	void *image = NULL;
	size_t size;

	if (!split(arg, operand)) {
		skep_report(diag, SKEP_OOM, NULL, "opening '%s'", operand);
	} else if (!ends_with(arg->path, ".c")) {
		object = skep_object_open_file(arg->path, diag);
	} else if (compile_source(arg->path, &image, &size, diag) == 0) {
		object = skep_object_open(image, size, arg->path, diag);
		free(image);
	}
	if (!object)
		object_arg_done(arg);
	return object;
}

static bool is_named(const struct skep_object_prog *prog, const char *name)
{
	return strcmp(skep_object_prog_name(prog), name) == 0 ||
	       strcmp(skep_object_prog_section(prog), name) == 0;
}

bool object_arg_selects(const struct object_arg *arg, const struct skep_object_prog *prog)
{
	return !arg->program || is_named(prog, arg->program);
}

bool list_selects(const struct list *names, const struct skep_object_prog *prog)
{
	for (size_t i = 0; i < names->count; i++) {
		if (is_named(prog, names->items[i]))
			return true;
	}
	return names->count == 0;
}

void no_such_program(const struct skep_object *object, const char *name, struct skep_diag *diag)
{
	struct skep_where where = SKEP_NOWHERE;
	char names[512] = "";
	size_t len = 0;

	for (size_t i = 0; i < skep_object_prog_count(object) && len < sizeof(names); i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "",
					skep_object_prog_name(skep_object_prog_at(object, i)));
	where.object = skep_object_name(object);
	if (name)
		skep_report(diag, SKEP_ARG, &where, "it has no program '%s'", name);
	else
		skep_report(diag, SKEP_ARG, &where, "it has none of the programs asked for");
	skep_help(diag, len ? "it has: %s" : "it has no programs at all%s", names);
}

void json_source(struct json *json, const struct skep_where *where)
{
	json_open(json, "source", '{');
	json_text(json, "file", where->file);
	json_uint(json, "line", where->line);
	json_text(json, "text", where->text);
	json_close(json, '}');
}
