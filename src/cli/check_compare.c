/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check_compare.c - the verdicts of an earlier `skep check -j`, and which of
 * them belongs to which of now's.
 *
 * Programs are the same when their names are, and the names of their objects
 * without folders: builds are compared that stand in different places.
 */
#include "cli/check.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* --- reading --- */

static char *text_of(const json_t *line, const char *key)
{
	const char *text = json_string_value(json_object_get(line, key));

	return text ? strdup(text) : NULL;
}

static uint64_t number_of(const json_t *line, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(line, key));

	return number > 0 ? (uint64_t)number : 0;
}

static struct judged *judged_of(const json_t *line)
{
	const char *verdict = json_string_value(json_object_get(line, "verdict"));
	struct judged *j = calloc(1, sizeof(*j));

	if (!j || !verdict || !json_is_string(json_object_get(line, "object"))) {
		free(j);
		return NULL;
	}
	j->n.verdict = VERDICTS;
	for (unsigned v = 0; v < VERDICTS; v++)
		if (strcmp(verdict, verdict_names[v]) == 0)
			j->n.verdict = v;
	j->object = text_of(line, "object");
	j->program = text_of(line, "program");
	j->section = text_of(line, "section");
	j->type = text_of(line, "type");
	j->attach = text_of(line, "attach");
	j->message = text_of(line, "message");
	j->n.insns = number_of(line, "insns");
	j->n.processed = number_of(line, "processed");
	j->n.states = number_of(line, "states");
	j->n.peak_states = number_of(line, "peak_states");
	j->n.max_states = number_of(line, "max_states_per_insn");
	j->n.stack_depth = number_of(line, "stack_depth");
	j->n.memory = number_of(line, "memory");
	j->n.time_us = number_of(line, "time_us");
	if (j->n.verdict == VERDICTS) {
		judged_done(j);
		return NULL;
	}
	return j;
}

static int bad_line(const char *path, size_t line, const char *why, struct skep_diag *diag)
{
	struct skep_where where = SKEP_NOWHERE;

	where.object = path;
	return skep_fail(diag, SKEP_ARG, &where,
			 "line %zu is no verdict as skep check -j prints it: %s", line, why);
}

int earlier_read(const char *path, struct results *earlier, struct skep_diag *diag)
{
	size_t size, number = 0;
	char *text = slurp(path, &size, diag), *rest = text, *line;
	int error = text ? 0 : -EIO;

	*earlier = (struct results){ 0 };
	while (!error && rest && (line = strsep(&rest, "\n"))) {
		json_error_t why;
		json_t *json;
		struct judged *j;

		number++;
		if (!line[strspn(line, " \t\r")])
			continue;
		json = json_loads(line, 0, &why);
		j = json ? judged_of(json) : NULL;
		if (!j)
			error = bad_line(path, number, json ? "it has no object and verdict"
							    : why.text, diag);
		json_decref(json);
		if (!j)
			break;
		if (earlier->count == earlier->size) {
			earlier->size = earlier->size ? earlier->size * 2 : 64;
			earlier->rows = realloc(earlier->rows,
						earlier->size * sizeof(*earlier->rows));
			if (!earlier->rows)
				abort();
		}
		earlier->rows[earlier->count++] = j;
	}
	free(text);
	if (error)
		results_done(earlier);
	return error;
}

/* --- pairing --- */

static int by_name(const void *a, const void *b)
{
	const struct judged *x = *(struct judged *const *)a, *y = *(struct judged *const *)b;
	const char *left = strrchr(x->object, '/'), *right = strrchr(y->object, '/');
	int order = strcmp(left ? left + 1 : x->object, right ? right + 1 : y->object);

	if (!order && !x->program != !y->program)
		return x->program ? 1 : -1;
	return order || !x->program ? order : strcmp(x->program, y->program);
}

struct verdict_row *rows_pair(const struct results *now, const struct results *earlier, size_t *count)
{
	struct verdict_row *rows = calloc(now->count + earlier->count + 1, sizeof(*rows));
	struct judged **sorted = calloc(earlier->count + 1, sizeof(struct judged *));
	bool *used = calloc(earlier->count + 1, sizeof(*used));

	*count = 0;
	if (!rows || !sorted || !used) {
		free(rows);
		rows = NULL;
		goto out;
	}
	for (size_t i = 0; i < earlier->count; i++)
		sorted[i] = earlier->rows[i];
	qsort(sorted, earlier->count, sizeof(*sorted), by_name);
	for (size_t i = 0; i < now->count; i++) {
		struct judged **found = bsearch(&now->rows[i], sorted, earlier->count,
						sizeof(*sorted), by_name);

		if (found)
			used[found - sorted] = true;
		rows[(*count)++] = (struct verdict_row){ now->rows[i], found ? *found : NULL };
	}
	for (size_t i = 0; i < earlier->count; i++)
		if (!used[i])
			rows[(*count)++] = (struct verdict_row){ NULL, sorted[i] };
out:
	free(sorted);
	free(used);
	return rows;
}
