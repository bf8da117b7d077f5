/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * html.c - the data of the page (see html.h): for each program what it is, its
 * verdict, instructions, source, and the recorded verification.
 *
 * Lists of many small things are flat arrays of numbers, as page/data.js reads
 * them.
 */
#include "cli/html.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/record.h"

enum {
	STATES_MAX = 30000,          /* of one program */
	PAGE_STATES_MAX = 200000,
	PAGE_BYTES_MAX = 48 << 20,
	INSNS_MAX = 1 << 16,         /* of a program that are listed */
	SOURCE_MAX = 2 << 20,        /* bytes of a file that is shown whole */
};

/* --- JSON inside HTML --- */

/* '<', '>' and '&' only ever stand in strings of JSON: as escapes they mean the same. */
static void put_json(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (strchr("<>&", *text))
			fprintf(out, "\\u%04x", *text);
		else
			fputc(*text, out);
	}
}

static void put_string(FILE *out, const char *text)
{
	char *quoted = NULL;
	size_t size = 0;
	FILE *memory;

	if (!text) {
		fputs("null", out);
		return;
	}
	if (!text[strcspn(text, "<>&")]) {
		json_quote(out, text, strlen(text));
		return;
	}
	memory = open_memstream(&quoted, &size);
	if (!memory) {
		fputs("null", out);
		return;
	}
	json_quote(memory, text, strlen(text));
	fclose(memory);
	put_json(out, quoted);
	free(quoted);
}

static void put_key(FILE *out, const char *key)
{
	fprintf(out, ",\"%s\":", key);
}

static void put_text(FILE *out, const char *key, const char *text)
{
	put_key(out, key);
	put_string(out, text);
}

static void put_number(FILE *out, const char *key, int64_t number)
{
	put_key(out, key);
	fprintf(out, "%lld", (long long)number);
}

/* --- the program --- */

static void put_verdict(FILE *out, const struct judged *j)
{
	put_text(out, "object", j->object);
	put_text(out, "section", j->section);
	put_text(out, "type", j->type);
	put_text(out, "attach", j->attach);
	put_text(out, "verdict", verdict_names[j->n.verdict]);
	if (j->n.verdict != ACCEPTED) {
		put_text(out, "errno", errno_name((int)j->n.error));
		put_text(out, "message", j->message);
		put_text(out, "help", j->help);
		put_text(out, "code", j->n.code < SKEP_CODE_COUNT
					      ? skep_code_id((enum skep_code)j->n.code) : NULL);
	}
	put_number(out, "insn", j->n.verdict == REJECTED ? j->n.insn : -1);
	put_text(out, "file", j->file);
	put_number(out, "line", (int64_t)j->n.line);
	put_number(out, "size", (int64_t)j->n.insns);
	put_number(out, "processed", (int64_t)j->n.processed);
	put_number(out, "states", (int64_t)j->n.states);
	put_number(out, "peak", (int64_t)j->n.peak_states);
	put_number(out, "memory", (int64_t)j->n.memory);
	put_number(out, "stack", (int64_t)j->n.stack_depth);
	put_number(out, "time", (int64_t)j->n.time_us);
	if (j->story) {
		put_key(out, "story");
		fputc('{', out);
		put_json(out, j->story);
		fputc('}', out);
	}
}

/* --- source --- */

struct source_line {
	uint32_t line;
	char *text;
};

struct source {
	char *name;
	struct source_line *lines; /* those instructions came from */
	size_t count, size;
	char *whole;               /* the file itself, if it is the one that was compiled */
};

struct sources {
	struct source *files;
	size_t count;
};

static size_t find_source(struct sources *sources, const char *name)
{
	struct source *files;

	for (size_t i = 0; i < sources->count; i++)
		if (strcmp(sources->files[i].name, name) == 0)
			return i;
	files = realloc(sources->files, (sources->count + 1) * sizeof(*files));
	if (!files)
		exit(EXIT_REJECTED);
	sources->files = files;
	files[sources->count] = (struct source){ .name = strdup(name) };
	return sources->count++;
}

static void note_line(struct source *source, const struct skep_where *where)
{
	struct source_line *lines;

	if (source->count && source->lines[source->count - 1].line == where->line)
		return;
	if (source->count == source->size) {
		source->size = source->size ? source->size * 2 : 64;
		lines = realloc(source->lines, source->size * sizeof(*lines));
		if (!lines)
			exit(EXIT_REJECTED);
		source->lines = lines;
	}
	source->lines[source->count++] = (struct source_line){
		where->line, strdup(where->text ? where->text : ""),
	};
}

static int by_line(const void *a, const void *b)
{
	const struct source_line *x = a, *y = b;

	return x->line < y->line ? -1 : x->line > y->line;
}

/* In order, each once. */
static void order_lines(struct source *source)
{
	size_t kept = 0;

	if (!source->count)
		return;
	qsort(source->lines, source->count, sizeof(*source->lines), by_line);
	for (size_t i = 1; i < source->count; i++) {
		if (source->lines[i].line == source->lines[kept].line)
			free(source->lines[i].text);
		else
			source->lines[++kept] = source->lines[i];
	}
	source->count = kept + 1;
}

static bool same_text(const char *whole, size_t len, const char *line)
{
	while (len && strchr(" \t\r", whole[len - 1]))
		len--;
	while (len && strchr(" \t", *whole))
		whole++, len--;
	line += strspn(line, " \t");
	return strncmp(whole, line, len) == 0 && !line[len + strspn(line + len, " \t\r")];
}

/* Is each line that the object names, in the file, what the object says it is? */
static bool fits(const char *whole, const struct source *source)
{
	uint32_t line = 1;
	size_t next = 0;

	while (next < source->count) {
		size_t len = strcspn(whole, "\n");

		if (source->lines[next].line == line &&
		    !same_text(whole, len, source->lines[next++].text))
			return false;
		if (!whole[len])
			return next == source->count;
		whole += len + 1;
		line++;
	}
	return true;
}

/*
 * A page may be given to others, and the names come from a foreign object: a file
 * is put into it only if it is named like C source and has, at their places, all
 * the lines that the object says were compiled.
 */
static void read_whole(struct source *source, const char *object)
{
	const char *end = strrchr(source->name, '.'), *slash = strrchr(object, '/');
	char *beside = NULL, *text = NULL;
	struct stat status;
	size_t size;

	if (!end || (strcmp(end, ".c") != 0 && strcmp(end, ".h") != 0) || source->count == 0)
		return;
	if (source->name[0] != '/' && slash && stat(source->name, &status) < 0 &&
	    asprintf(&beside, "%.*s%s", (int)(slash + 1 - object), object, source->name) < 0)
		return;
	if (stat(beside ? beside : source->name, &status) == 0 && S_ISREG(status.st_mode) &&
	    status.st_size < SOURCE_MAX)
		text = slurp(beside ? beside : source->name, &size, NULL);
	free(beside);
	if (text && fits(text, source))
		source->whole = text;
	else
		free(text);
}

static void put_sources(FILE *out, const struct sources *sources)
{
	put_key(out, "files");
	fputc('[', out);
	for (size_t f = 0; f < sources->count; f++) {
		const struct source *source = &sources->files[f];

		fprintf(out, "%s{\"name\":", f ? "," : "");
		put_string(out, source->name);
		put_text(out, "whole", source->whole);
		put_key(out, "lines");
		fputc('[', out);
		for (size_t i = 0; i < source->count && !source->whole; i++) {
			fprintf(out, "%s%u,", i ? "," : "", source->lines[i].line);
			put_string(out, source->lines[i].text);
		}
		fputs("]}", out);
	}
	fputc(']', out);
}

static void sources_done(struct sources *sources)
{
	for (size_t f = 0; f < sources->count; f++) {
		for (size_t i = 0; i < sources->files[f].count; i++)
			free(sources->files[f].lines[i].text);
		free(sources->files[f].lines);
		free(sources->files[f].name);
		free(sources->files[f].whole);
	}
	free(sources->files);
}

/* --- instructions --- */

struct listing {
	struct html *html;
	struct skep_object *object;
};

static const char *kfunc_name(void *arg, int32_t id)
{
	struct html *html = ((struct listing *)arg)->html;
	const struct skep_btf *btf;

	if (!html->kernel && !html->running_tried) {
		html->running = skep_btf_open_kernel(NULL);
		html->running_tried = true;
	}
	btf = html->kernel ? html->kernel : html->running;
	return btf && id > 0 && (uint32_t)id <= skep_btf_count(btf)
		       ? skep_btf_type_name(btf, (uint32_t)id) : NULL;
}

static const char *map_name(void *arg, int32_t index)
{
	const struct skep_object *object = ((struct listing *)arg)->object;
	struct skep_map_info info;

	if (index < 0 || (size_t)index >= skep_object_map_count(object))
		return NULL;
	skep_object_map_info(skep_object_map_at(object, (size_t)index), &info);
	return info.name;
}

/* [index, code, text, file, line, column, jumps, callee, next...] each */
static void put_insns(FILE *out, struct listing *listing, struct skep_object_prog *prog,
		      const struct skep_insn *insns, size_t count, size_t total,
		      struct sources *sources)
{
	const struct skep_disasm_names names = { .arg = listing, .map = map_name,
						.kfunc = kfunc_name };

	put_key(out, "insns");
	fputc('[', out);
	for (size_t i = 0; i < count; i += skep_insn_slots(insns[i])) {
		struct skep_where where = SKEP_NOWHERE;
		struct skep_flow flow;
		long file = -1;
		char text[256];

		if (skep_object_prog_source(prog, i, &where) && where.line && where.file) {
			file = (long)find_source(sources, where.file);
			note_line(&sources->files[file], &where);
		}
		skep_disasm_named(insns, total, i, &names, text, sizeof(text));
		skep_insn_flow(insns, total, i, &flow);
		fprintf(out, "%s\n[%zu,%u,", i ? "," : "", i, insns[i].code);
		put_string(out, text);
		fprintf(out, ",%ld,%u,%u,%d,%lld", file, where.line, where.column, flow.jumps,
			(long long)flow.callee);
		for (unsigned n = 0; n < flow.count; n++)
			fprintf(out, ",%zu", flow.next[n]);
		fputc(']', out);
	}
	fputs("]", out);
}

static void put_functions(FILE *out, const struct skep_object_prog *prog, size_t count)
{
	bool comma = false;

	put_key(out, "functions");
	fputc('[', out);
	for (size_t i = 0; i < count; i++) {
		const char *name = skep_object_prog_subprog_at(prog, i);

		if (!name)
			continue;
		fprintf(out, "%s[%zu,", comma ? "," : "", i);
		put_string(out, name);
		fputc(']', out);
		comma = true;
	}
	fputc(']', out);
}

/* --- the recording --- */

/*
 * Per recorded visit: number, instruction, from, ordinal, flags, covered_by, live,
 * changes, and for each of these a part and a string.
 */
static void put_visits(FILE *out, const struct recording *rec)
{
	bool comma = false;

	put_key(out, "visits");
	fputc('[', out);
	for (uint32_t i = 0; i < rec->count; i++) {
		const struct recorded_visit *v = &rec->visits[i];

		if (!(v->flags & VISIT_RECORDED))
			continue;
		fprintf(out, "%s%u,%u,%u,%u,%u,%u,%u,%u", comma ? "," : "", i + 1, v->insn, v->from,
			v->ordinal, v->flags, v->covered_by, v->live,
			rec->first_change[i + 1] - rec->first_change[i]);
		for (uint32_t c = rec->first_change[i]; c < rec->first_change[i + 1]; c++)
			fprintf(out, ",%u,%u", rec->changes[c].part, rec->changes[c].string);
		fputs(i % 16 == 15 ? "\n" : "", out);
		comma = true;
	}
	fputc(']', out);
}

/* Per instruction: how often visited, kept there, ended there. */
static void put_heat(FILE *out, const struct recording *rec)
{
	uint32_t *kept = calloc(rec->insns + 1, sizeof(*kept));
	uint32_t *ended = calloc(rec->insns + 1, sizeof(*ended));

	for (uint32_t i = 0; kept && ended && i < rec->count; i++) {
		kept[rec->visits[i].insn] += (rec->visits[i].flags & VISIT_KEPT) != 0;
		ended[rec->visits[i].insn] += rec->visits[i].covered_by != 0;
	}
	put_key(out, "heat");
	fputc('[', out);
	for (size_t i = 0; kept && ended && i < rec->insns && i < INSNS_MAX; i++)
		fprintf(out, "%s%u,%u,%u", i ? "," : "", rec->heat[i], kept[i], ended[i]);
	fputc(']', out);
	free(kept);
	free(ended);
}

static void put_strings(FILE *out, const struct recording *rec)
{
	put_key(out, "strings");
	fputc('[', out);
	for (size_t i = 0; i < rec->string_count; i++) {
		if (i)
			fputs(i % 8 ? "," : ",\n", out);
		put_string(out, rec->strings[i]);
	}
	fputc(']', out);
}

int html_check(struct html *html, struct recording *rec, struct skep_object_prog *prog,
	       const struct skep_verify_opts *opts, size_t insns,
	       struct skep_verify_result *result, struct skep_diag *diag)
{
	size_t states = html->states_left < STATES_MAX ? html->states_left : STATES_MAX;
	int error = record_check(rec, prog, opts, insns, states, html->bytes_left,
				 html->stop, result, diag);

	html->states_left -= rec->recorded;
	html->bytes_left -= rec->bytes < html->bytes_left ? rec->bytes : html->bytes_left;
	return error;
}

void html_add(struct html *html, struct recording *rec, struct skep_object *object,
	      struct skep_object_prog *prog, const struct judged *j)
{
	struct sources sources = { 0 };
	const struct skep_insn *insns = NULL;
	size_t count = 0, total;
	FILE *out = html->out.file;

	if (skep_object_prog_insns(prog, &insns, &count, NULL) < 0)
		count = 0;
	total = count;
	count = count < INSNS_MAX ? count : INSNS_MAX;
	fprintf(out, "%s\n{\"name\":", html->programs++ ? "," : "");
	put_string(out, j->program);
	put_verdict(out, j);
	put_insns(out, &(struct listing){ html, object }, prog, insns, count, total, &sources);
	put_functions(out, prog, count);
	for (size_t f = 0; f < sources.count; f++) {
		order_lines(&sources.files[f]);
		read_whole(&sources.files[f], j->object);
	}
	put_sources(out, &sources);
	put_heat(out, rec);
	put_number(out, "recorded", (int64_t)rec->recorded);
	put_visits(out, rec);
	put_strings(out, rec);
	fputc('}', out);
	sources_done(&sources);
}

int html_open(struct html *html, const char *path, const struct skep_btf *kernel,
	      struct skep_diag *diag)
{
	int error;

	*html = (struct html){ .kernel = kernel, .states_left = PAGE_STATES_MAX, .bytes_left = PAGE_BYTES_MAX };
	error = out_open(&html->out, path, diag);
	if (error)
		return error;
	fputs(page_head, html->out.file);
	fputs("{\"v\":1,\"programs\":[", html->out.file);
	return 0;
}

int html_close(struct html *html, bool keep, struct skep_diag *diag)
{
	fputs("]}", html->out.file);
	fputs(page_tail, html->out.file);
	skep_btf_unref(html->running);
	return out_close(&html->out, keep, diag);
}
