/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.c - judging a program without creating anything.
 *
 * Nothing here asks for sizes that a loader sets before it creates the maps:
 * where a definition leaves one out, any will do for the verifier.
 */
#include "object/object.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>
#include "verify/verify.h"

/* --- maps --- */

/* Maps that grow with what they are about have no size. */
static bool keeps_per_object(uint32_t type)
{
	switch (type) {
	case BPF_MAP_TYPE_SK_STORAGE:
	case BPF_MAP_TYPE_INODE_STORAGE:
	case BPF_MAP_TYPE_TASK_STORAGE:
	case BPF_MAP_TYPE_CGRP_STORAGE:
	case BPF_MAP_TYPE_CGROUP_STORAGE:
	case BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE:
		return true;
	default:
		return false;
	}
}

/* What a loader would have to fill in for the map to be created. */
static void fill_sizes(struct map_spec *spec)
{
	bool ring = spec->type == BPF_MAP_TYPE_RINGBUF || spec->type == BPF_MAP_TYPE_USER_RINGBUF;

	if (!spec->max_entries && !keeps_per_object(spec->type))
		spec->max_entries = ring ? (uint32_t)sysconf(_SC_PAGESIZE) : 1;
	if (spec->type == BPF_MAP_TYPE_STACK_TRACE || spec->type == BPF_MAP_TYPE_PERF_EVENT_ARRAY) {
		spec->key_size = spec->key_size ? spec->key_size : 4;
		if (!spec->value_size)
			spec->value_size = spec->type == BPF_MAP_TYPE_STACK_TRACE ? 127 * 8 : 4;
	}
}

/* The program's map list with sizes filled in. */
struct filled {
	struct map_spec *specs;
	const struct map_spec **list;
};

static int filled_init(struct filled *filled, const struct prog_spec *spec)
{
	size_t count = spec->map_count;

	filled->specs = calloc(count + 1, sizeof(*filled->specs));
	filled->list = calloc(count + 1, sizeof(*filled->list));
	if (!filled->specs || !filled->list)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		filled->specs[i] = *spec->maps[i];
		fill_sizes(&filled->specs[i]);
		filled->list[i] = &filled->specs[i];
	}
	return 0;
}

static void filled_done(struct filled *filled)
{
	free(filled->specs);
	free(filled->list);
}

int object_check_map(const struct map_spec *spec, const struct skep_where *where,
		     struct skep_diag *diag)
{
	if (!map_type(spec->type))
		return skep_fail(diag, SKEP_OBJECT_MAP_TYPE, where,
				 "map '%s' has type %u, which is not known", spec->name,
				 spec->type);
	return map_check(spec, diag);
}

/* Only the maps that the program refers to matter to it. */
static int check_maps(const struct prog_spec *spec, const struct skep_where *where,
		      struct skep_diag *diag)
{
	uint8_t *seen = calloc(1, (size_t)spec->map_count + 1);
	int error = 0;

	if (!seen)
		return skep_fail(diag, SKEP_OOM, where, "maps");
	for (uint32_t i = 0; i < spec->len && !error; i++) {
		struct insn insn = insn_decode(spec->insns, spec->len, i, NULL);
		uint32_t map = (uint32_t)insn.imm;

		if (insn.kind != INSN_IMM64)
			continue;
		i++;
		if ((insn.op != IMM64_MAP_INDEX && insn.op != IMM64_MAP_INDEX_VALUE) ||
		    map >= spec->map_count || seen[map])
			continue;
		seen[map] = 1;
		error = object_check_map(spec->maps[map], where, diag);
	}
	free(seen);
	return error;
}

/* --- poison --- */

static const struct poison *poison_at(const struct linked *linked, int64_t insn)
{
	for (size_t i = 0; i < linked->poisons.count; i++)
		if (linked->poisons.items[i].insn == insn)
			return &linked->poisons.items[i];
	return NULL;
}

/* Behind the verifier's explanation, which is about the poison and not about what it stands for. */
static const char *after_report(const char *log)
{
	static const char *const statistics[] = { "\nverification time ", "\nprocessed " };

	if (strncmp(log, "\nVerification failed:", 21) != 0)
		return log;
	for (size_t i = 0; i < ARRAY_SIZE(statistics); i++) {
		const char *at = strstr(log, statistics[i]);

		if (at)
			return at + 1;
	}
	return log;
}

/*
 * The two lines that the verifier ends with when it meets a poisoned call,
 *     57: (85) call unknown#195896080
 *     invalid func unknown#195896080
 * in libbpf's words, without its explanation. A log without them stays as it is.
 */
static void rewrite_log(char **log, const struct poison *poison)
{
	struct skep_text text = { 0 };
	char *line, *end;
	char start[32];

	if (!*log)
		return;
	snprintf(start, sizeof(start), "%u: (85) call unknown#", poison->insn);
	line = strstr(*log, start);
	while (line && line != *log && line[-1] != '\n')
		line = strstr(line + 1, start);
	end = line ? strstr(line, "\ninvalid func unknown#") : NULL;
	end = end ? strchr(end + 1, '\n') : NULL;
	if (!end)
		return;
	text_add_bytes(&text, *log, (size_t)(line - *log));
	if (poison->core)
		text_add(&text, "%u: <invalid CO-RE relocation>\nfailed to resolve CO-RE "
			 "relocation: %s", poison->insn, poison->why);
	else
		text_add(&text, "%u: <invalid kfunc call>\n%s", poison->insn, poison->why);
	text_add(&text, "\n%s", after_report(end + 1));
	if (text.failed) {
		text_done(&text);
		return;
	}
	free(*log);
	*log = text.data;
}

/*
 * Where the source names what is missing: "struct a has no field b". The instruction's own
 * line may be another, since compilers compute an offset early.
 */
static void find_naming_line(const struct skep_object_prog *prog, const char *why,
			     struct skep_where *where)
{
	const struct skep_btf *btf = prog->object->btf;
	const char *name = strrchr(why, ' ');
	bool found = false;

	if (!name || !btf || (where->text && strstr(where->text, name + 1)))
		return;
	for (uint32_t i = 0; i < prog->linked.line_count; i++) {
		const struct line_info *line = &prog->linked.lines[i];
		const char *text = btf_str(btf, line->line_off), *at = strstr(text, name + 1);

		if (!at || (found && line->insn > where->insn))
			continue;
		found = true;
		where->file = btf_str(btf, line->file_off);
		where->text = text;
		where->line = line->line_col >> 10;
		where->column = (uint32_t)(at - text) + 1;
	}
}

static int explain_poison(struct skep_object_prog *prog, struct skep_verify_result *result,
			  struct skep_diag *diag)
{
	const struct poison *poison = poison_at(&prog->linked, result->insn);
	struct skep_where where;

	if (!result->error || !poison || strncmp(result->message, "invalid func unknown#", 21) != 0)
		return 0;
	rewrite_log(&result->log, poison);
	snprintf(result->message, sizeof(result->message), "%s", poison->why);
	if (!skep_object_prog_source(prog, (size_t)result->insn, &where))
		where = object_where(prog->object, prog->section, skep_object_prog_name(prog));
	where.insn = result->insn;
	if (poison->core)
		find_naming_line(prog, poison->why, &where);
	if (poison->core)
		return skep_fail(diag, SKEP_OBJECT_CORE, &where, "%s", poison->why);
	return skep_fail(diag, SKEP_OBJECT_EXTERN, &where, "%s", poison->why);
}

/* --- the verdict --- */

/* Appends what was collected aside. */
static void repeat_items(struct skep_diag *to, const struct skep_diag *from)
{
	const struct skep_diag_item *item;

	for (size_t i = 0; (item = skep_diag_get(from, i)); i++) {
		skep_report(to, item->code, &item->where, "%s", item->message);
		if (item->help)
			skep_help(to, "%s", item->help);
		skep_blame(to, item->blame.line ? &item->blame : NULL, item->cause);
		for (size_t n = 0; n < item->note_count; n++)
			skep_event(to, &item->notes[n]);
	}
}

/* The verifier's item would tell of a strange call where a type is missing. */
int object_judge(struct skep_object_prog *prog, const struct skep_verify_opts *opts,
		 const struct prog_spec *spec, struct skep_verify_result *result,
		 struct verified *out, struct skep_diag *diag)
{
	struct skep_diag *quiet;
	int error;

	if (!prog->linked.poisons.count)
		return verify(spec, opts, result, out, diag);
	quiet = skep_diag_new();
	if (!quiet)
		return skep_fail(diag, SKEP_OOM, NULL, "diagnostics");
	error = verify(spec, opts, result, out, quiet);
	if (!error)
		error = explain_poison(prog, result, diag);
	if (!error || !result->error)
		repeat_items(diag, quiet);
	skep_diag_free(quiet);
	return error;
}

int object_verify(struct skep_object_prog *prog, const struct skep_verify_opts *opts,
		  struct prog_spec *spec, struct skep_verify_result *result, struct verified *out,
		  struct skep_diag *diag)
{
	struct skep_where where = object_where(prog->object, prog->section,
					       skep_object_prog_name(prog));
	struct filled filled = { 0 };
	int error = object_prog_spec(prog, opts, spec, diag);

	if (error)
		return error;
	if (filled_init(&filled, spec) < 0)
		error = skep_fail(diag, SKEP_OOM, &where, "maps");
	spec->maps = filled.list;
	if (!error)
		error = check_maps(spec, &where, diag);
	if (!error)
		error = object_judge(prog, opts, spec, result, out, diag);
	filled_done(&filled);
	spec->maps = prog->linked.maps;
	return error;
}

int skep_object_check(struct skep_object_prog *prog, const struct skep_verify_opts *opts,
		      struct skep_verify_result *result, struct skep_diag *diag)
{
	struct prog_spec spec;

	return object_verify(prog, opts, &spec, result, NULL, diag);
}
