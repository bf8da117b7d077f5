/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check_kernels.c - skep check --kernel: on which Linux releases would each
 * program load, and what is missing on the others?
 *
 * An object is opened once for each release, because its relocations depend on
 * that kernel's types.
 */
#include "cli/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <skep/kernel.h>

enum { KERNELS_MAX = 32 };

static const char all_kernels[] = "5.4,5.10,5.15,6.1,6.6,6.12,6.18,7.3";

struct kernel {
	char *name;              /* owned: "6.1", or the name of a file */
	unsigned release;        /* SKEP_KERNEL() */
	struct skep_btf *btf;    /* owned; or NULL: the default types */
};

struct kernels {
	const struct verb *verb;
	const struct args *args;
	unsigned flags, caps;
	struct kernel list[KERNELS_MAX];
	size_t count;
	struct skep_diag *diag;
	size_t programs, everywhere, bad;
};

/* A program's verdicts, one a kernel. */
struct row {
	const char *object;
	struct skep_object_prog *prog;
	struct skep_kernel_verdict verdicts[KERNELS_MAX];
	/* Where the gaps of each verdict are in the source; parallel to gaps. */
	struct skep_where *where[KERNELS_MAX];
};

/* --- the list of kernels --- */

/* What came after the last release of a series has a new first number. */
static bool release_exists(unsigned release)
{
	static const uint8_t last[] = { [3] = 19, [4] = 20, [5] = 19, [6] = 19 };
	unsigned major = release >> 8;

	return major >= sizeof(last) || (release & 255) <= last[major];
}

static bool parse_release(const char *text, unsigned *release)
{
	unsigned major, minor;
	int end = 0;

	if (sscanf(text, "%u.%u%n", &major, &minor, &end) != 2 || text[end] != '\0' ||
	    major > 99 || minor > 255)
		return false;
	*release = SKEP_KERNEL(major, minor);
	return true;
}

/* A kernel image says which it is; a file of types alone does not. */
static unsigned release_in(const char *path)
{
	static const char mark[] = "Linux version ";
	struct skep_diag *quiet = skep_diag_new();
	unsigned major, minor, release = 0;
	size_t size;
	char *bytes = slurp(path, &size, quiet);

	for (char *at = bytes; at && !release;) {
		at = memmem(at, size - (size_t)(at - bytes), mark, sizeof(mark) - 1);
		if (at && sscanf(at + sizeof(mark) - 1, "%u.%u", &major, &minor) == 2)
			release = SKEP_KERNEL(major, minor & 255);
		at = at ? at + 1 : NULL;
	}
	free(bytes);
	skep_diag_free(quiet);
	return release;
}

static int add_kernel(struct kernels *k, const char *word)
{
	struct kernel *kernel = &k->list[k->count];
	const char *equals = strchr(word, '='), *file = equals ? equals + 1 : NULL;
	bool known;

	if (k->count == KERNELS_MAX)
		return usage(k->verb, "--kernel: more than %d kernels", KERNELS_MAX);
	*kernel = (struct kernel){ .name = equals ? strndup(word, (size_t)(equals - word)) : strdup(word) };
	if (!kernel->name)
		return usage(k->verb, "out of memory");
	k->count++;
	known = parse_release(kernel->name, &kernel->release);
	if (known && !release_exists(kernel->release))
		return usage(k->verb, "--kernel: there was no Linux %s", kernel->name);
	if (!known && !file)
		file = word;
	if (!known && strchr(file, '/') == NULL && strchr(file, '.') == NULL && strcmp(file, "vmlinux") != 0)
		return usage(k->verb, "--kernel: '%s' is neither a release (6.1), nor a file of "
			     "kernel types", word);
	if (!file)
		return EXIT_DONE;
	kernel->btf = kernel_types(file, k->diag);
	if (!kernel->btf)
		return report(k->diag, k->args->json);
	if (!known)
		kernel->release = release_in(file);
	if (!kernel->release)
		return usage(k->verb, "--kernel: '%s' does not say which release it is: "
			     "write 6.1=%s", file, file);
	return EXIT_DONE;
}

static int parse_kernels(struct kernels *k, const char *text)
{
	char *copy = strdup(strcmp(text, "all") == 0 ? all_kernels : text), *save = NULL;
	int status = copy && *copy ? EXIT_DONE : usage(k->verb, "--kernel: which releases?");

	for (char *word = copy ? strtok_r(copy, ",", &save) : NULL; word && status == EXIT_DONE;
	     word = strtok_r(NULL, ",", &save))
		status = add_kernel(k, word);
	free(copy);
	return status;
}

/* --- printing --- */

static void since_text(unsigned since, char *text, size_t size)
{
	if (since)
		snprintf(text, size, "since %u.%u", since >> 8, since & 255);
	else
		*text = '\0';
}

/* The kernels that lack the same thing, from i on: "5.4 5.10". */
static void print_lacking(const struct kernels *k, const struct row *row, size_t from, size_t gap)
{
	const struct skep_gap *wanted = &row->verdicts[from].gaps[gap];
	const char *space = "";

	for (size_t i = from; i < k->count; i++) {
		for (size_t g = 0; g < row->verdicts[i].count; g++) {
			const struct skep_gap *other = &row->verdicts[i].gaps[g];

			if (other->kind != wanted->kind || strcmp(other->name, wanted->name) != 0)
				continue;
			printf("%s%s", space, k->list[i].name);
			space = " ";
		}
	}
}

static bool told_before(const struct row *row, size_t kernel, size_t gap)
{
	const struct skep_gap *wanted = &row->verdicts[kernel].gaps[gap];

	for (size_t i = 0; i < kernel; i++)
		for (size_t g = 0; g < row->verdicts[i].count; g++)
			if (row->verdicts[i].gaps[g].kind == wanted->kind &&
			    strcmp(row->verdicts[i].gaps[g].name, wanted->name) == 0)
				return true;
	return false;
}

/* Source text without the indentation. */
static const char *trimmed(const char *text)
{
	return text ? text + strspn(text, " \t") : "";
}

static void print_gap(const struct kernels *k, const struct row *row, size_t kernel, size_t gap)
{
	const struct skep_gap *g = &row->verdicts[kernel].gaps[gap];
	const struct skep_where *where = &row->where[kernel][gap];
	char since[24];

	since_text(g->since, since, sizeof(since));
	printf("    %s%s%s: %s%s%s%s\n        not on ", colour(stdout, COLOUR_BOLD),
	       skep_gap_kind_name(g->kind), colour(stdout, COLOUR_NONE), g->name,
	       *since ? " (" : "", since, *since ? ")" : "");
	print_lacking(k, row, kernel, gap);
	if (where->line)
		printf("; %s:%u: %s", where->file, where->line, trimmed(where->text));
	printf("\n");
}

static void print_row_text(const struct kernels *k, const struct row *row, int width)
{
	printf("  %-*s", width, skep_object_prog_name(row->prog));
	for (size_t i = 0; i < k->count; i++) {
		bool loads = row->verdicts[i].loads;

		printf("  %s%-*s%s", colour(stdout, loads ? COLOUR_GOOD : COLOUR_BAD),
		       (int)(strlen(k->list[i].name) > 3 ? strlen(k->list[i].name) : 3), loads ? "yes" : "no",
		       colour(stdout, COLOUR_NONE));
	}
	printf("\n");
	for (size_t i = 0; i < k->count; i++)
		for (size_t g = 0; g < row->verdicts[i].count; g++)
			if (!told_before(row, i, g))
				print_gap(k, row, i, g);
}

static void json_gap(struct json *json, const struct skep_gap *gap, const struct skep_where *where)
{
	char since[24];

	json_open(json, NULL, '{');
	json_text(json, "kind", skep_gap_kind_name(gap->kind));
	json_text(json, "name", gap->name);
	snprintf(since, sizeof(since), "%u.%u", gap->since >> 8, gap->since & 255);
	json_text(json, "since", gap->since ? since : NULL);
	if (gap->insn >= 0)
		json_int(json, "insn", gap->insn);
	if (where->line)
		json_source(json, where);
	json_close(json, '}');
}

static void print_row_json(const struct kernels *k, const struct row *row)
{
	struct json json;

	json_begin(&json, stdout);
	json_text(&json, "object", row->object);
	json_text(&json, "program", skep_object_prog_name(row->prog));
	json_text(&json, "section", skep_object_prog_section(row->prog));
	json_text(&json, "type", skep_object_prog_type(row->prog));
	json_open(&json, "kernels", '[');
	for (size_t i = 0; i < k->count; i++) {
		const struct skep_kernel_verdict *v = &row->verdicts[i];

		json_open(&json, NULL, '{');
		json_text(&json, "kernel", k->list[i].name);
		json_bool(&json, "loads", v->loads);
		json_bool(&json, "types_given", v->fields_judged);
		json_open(&json, "missing", '[');
		for (size_t g = 0; g < v->count; g++)
			json_gap(&json, &v->gaps[g], &row->where[i][g]);
		json_close(&json, ']');
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_end(&json);
}

/* --- judging --- */

static int judge_on(struct kernels *k, size_t i, struct row *row)
{
	const struct kernel *kernel = &k->list[i];
	struct skep_verify_opts opts = { .flags = k->flags, .caps = k->caps,
					 .unprivileged = k->args->unprivileged || k->args->caps,
					 .kernel_btf = kernel->btf };
	struct skep_kernel_verdict *v = &row->verdicts[i];
	int error = skep_object_check_kernel(row->prog, &opts, kernel->release, v, k->diag);

	if (error)
		return error;
	row->where[i] = calloc(v->count + 1, sizeof(*row->where[i]));
	if (!row->where[i])
		return -ENOMEM;
	for (size_t g = 0; g < v->count; g++) {
		if (v->gaps[g].insn < 0 ||
		    !skep_object_prog_source(row->prog, (size_t)v->gaps[g].insn, &row->where[i][g]))
			row->where[i][g].line = 0;
	}
	return 0;
}

static int judge_row(struct kernels *k, const char *object, struct skep_object_prog *prog, int width)
{
	struct row row = { .object = object, .prog = prog };
	size_t loads = 0;
	int error = 0;

	for (size_t i = 0; i < k->count && !error; i++) {
		error = judge_on(k, i, &row);
		loads += row.verdicts[i].loads;
	}
	if (!error && k->args->json)
		print_row_json(k, &row);
	else if (!error && !(k->args->quiet && loads == k->count))
		print_row_text(k, &row, width);
	k->programs++;
	k->everywhere += loads == k->count;
	for (size_t i = 0; i < k->count; i++) {
		skep_kernel_verdict_done(&row.verdicts[i]);
		free(row.where[i]);
	}
	return error;
}

static int name_width(const struct skep_object *object)
{
	size_t width = 12;

	for (size_t i = 0; i < skep_object_prog_count(object); i++)
		{
		size_t len = strlen(skep_object_prog_name(skep_object_prog_at(object, i)));

		width = len > width ? len : width;
	}
	return (int)(width < 40 ? width : 40);
}

static void print_head(const struct kernels *k, const char *path, int width)
{
	printf("%s%s%s\n  %-*s", colour(stdout, COLOUR_BOLD), path, colour(stdout, COLOUR_NONE),
	       width, "");
	for (size_t i = 0; i < k->count; i++)
		printf("  %-3s", k->list[i].name);
	printf("\n");
}

static void judge_operand(struct kernels *k, const char *operand)
{
	struct object_arg arg = { 0 };
	struct skep_object *object;
	struct targets *targets;
	size_t selected = 0;
	int width, error = 0;

	skep_diag_clear(k->diag);
	object = object_arg_open(&arg, operand, k->diag);
	if (!object) {
		report(k->diag, k->args->json);
		k->bad++;
		return;
	}
	targets = targets_open(&k->args->targets, k->diag);
	width = name_width(object);
	error = targets ? 0 : -EINVAL;
	if (!k->args->json && !error)
		print_head(k, arg.path, width);
	for (size_t i = 0; i < skep_object_prog_count(object) && !error; i++) {
		struct skep_object_prog *prog = skep_object_prog_at(object, i);

		if (!object_arg_selects(&arg, prog) || !list_selects(&k->args->programs, prog))
			continue;
		selected++;
		progress(k->programs, 0, skep_object_prog_name(prog));
		if (targets_aim(targets, prog, k->diag) < 0) {
			report(k->diag, k->args->json);
			skep_diag_clear(k->diag);
			k->bad++;
			continue;
		}
		error = judge_row(k, arg.path, prog, width);
		fflush(stdout);
	}
	if (!error && !selected && arg.program)
		no_such_program(object, arg.program, k->diag);
	if (error || (!selected && arg.program)) {
		report(k->diag, k->args->json);
		k->bad++;
	}
	skep_object_free(object);
	targets_close(targets);
	object_arg_done(&arg);
}

/* What stands between the table and the truth. */
static void print_footnote(const struct kernels *k)
{
	bool guessed = false;

	for (size_t i = 0; i < k->count; i++)
		guessed |= !k->list[i].btf;
	printf("\n%zu program%s, %zu on every kernel asked for\n", k->programs,
	       k->programs == 1 ? "" : "s", k->everywhere);
	if (guessed)
		printf("Kernel types (CO-RE fields, attach points) were judged by those at hand; "
		       "--kernel 6.1=VMLINUX\nnames a release's own.\n");
}

int check_kernels(const struct verb *verb, const struct args *args, unsigned flags, unsigned caps, int argc,
		  char **argv)
{
	struct kernels k = { .verb = verb, .args = args, .flags = flags, .caps = caps,
			     .diag = skep_diag_new() };
	int status = parse_kernels(&k, args->kernel);

	for (int i = 0; i < argc && status == EXIT_DONE; i++)
		judge_operand(&k, argv[i]);
	progress_clear();
	if (status == EXIT_DONE && !args->json)
		print_footnote(&k);
	for (size_t i = 0; i < k.count; i++) {
		free(k.list[i].name);
		skep_btf_unref(k.list[i].btf);
	}
	skep_diag_free(k.diag);
	if (status != EXIT_DONE)
		return status;
	return k.bad || k.everywhere < k.programs ? EXIT_REJECTED : EXIT_DONE;
}
