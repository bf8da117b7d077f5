/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check_sarif.c - what skep check found as SARIF 2.1.0, which code hosts show
 * at the source lines.
 *
 * A rule is a diagnostic's id; a result is a program that is not accepted, at
 * the line to blame, with what led there as its code flow. Paths below the
 * current folder become relative, as hosts want them.
 */
#include "cli/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <skep/feature.h>

static const char fallback_rule[] = "skep";

static const char *rule_id(const struct judged *j)
{
	return j->n.code < SKEP_CODE_COUNT ? skep_code_id((enum skep_code)j->n.code)
					   : fallback_rule;
}

/* --- places --- */

static void put_uri(struct json *json, const char *path)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~/";
	char here[4096], *text = NULL;
	size_t size = 0, len;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	if (getcwd(here, sizeof(here)) && (len = strlen(here)) > 1 &&
	    strncmp(path, here, len) == 0 && path[len] == '/')
		path += len + 1;
	while (strncmp(path, "./", 2) == 0)
		path += 2;
	if (*path == '/')
		fputs("file://", out);
	for (; *path; path++) {
		if (strchr(plain, *path))
			fputc(*path, out);
		else
			fprintf(out, "%%%02X", (unsigned char)*path);
	}
	if (fclose(out) == 0)
		json_text(json, "uri", text);
	free(text);
}

static void put_place(struct json *json, const char *file, uint64_t line, uint64_t column,
		      const char *text)
{
	json_open(json, "physicalLocation", '{');
	json_open(json, "artifactLocation", '{');
	put_uri(json, file);
	json_close(json, '}');
	if (line) {
		json_open(json, "region", '{');
		json_uint(json, "startLine", line);
		if (column)
			json_uint(json, "startColumn", column);
		if (text) {
			json_open(json, "snippet", '{');
			json_text(json, "text", text);
			json_close(json, '}');
		}
		json_close(json, '}');
	}
	json_close(json, '}');
}

static void put_message(struct json *json, const char *key, const char *text)
{
	json_open(json, key, '{');
	json_text(json, "text", text ? text : "");
	json_close(json, '}');
}

/* The line to blame; without one, the object itself. */
static void put_location(struct json *json, const struct judged *j)
{
	char *full = NULL;

	json_open(json, "locations", '[');
	json_open(json, NULL, '{');
	if (j->blame_file)
		put_place(json, j->blame_file, j->n.blame_line, j->n.blame_column, j->blame_text);
	else if (j->file)
		put_place(json, j->file, j->n.line, j->n.column, j->line_text);
	else
		put_place(json, j->object, 0, 0, NULL);
	if (j->program && asprintf(&full, "%s:%s", j->object, j->program) > 0) {
		json_open(json, "logicalLocations", '[');
		json_open(json, NULL, '{');
		json_text(json, "name", j->program);
		json_text(json, "fullyQualifiedName", full);
		json_text(json, "kind", "function");
		json_close(json, '}');
		json_close(json, ']');
	}
	json_close(json, '}');
	json_close(json, ']');
	free(full);
}

static void put_flow(struct json *json, const struct judged *j)
{
	if (!j->note_count)
		return;
	json_open(json, "codeFlows", '[');
	json_open(json, NULL, '{');
	json_open(json, "threadFlows", '[');
	json_open(json, NULL, '{');
	json_open(json, "locations", '[');
	for (size_t i = 0; i < j->note_count; i++) {
		const struct judged_note *note = &j->notes[i];

		json_open(json, NULL, '{');
		json_open(json, "location", '{');
		if (note->file)
			put_place(json, note->file, note->line, note->column, NULL);
		put_message(json, "message", note->message);
		json_close(json, '}');
		json_close(json, '}');
	}
	json_close(json, ']');
	json_close(json, '}');
	json_close(json, ']');
	json_close(json, '}');
	json_close(json, ']');
}

/* --- rules and results --- */

/* The rules that something here broke, in the order of their first breaking. */
struct rules {
	const struct judged **first;
	size_t count;
};

static size_t rule_index(const struct rules *rules, const struct judged *j)
{
	size_t i = 0;

	while (i < rules->count && strcmp(rule_id(rules->first[i]), rule_id(j)) != 0)
		i++;
	return i;
}

static void put_rule(struct json *json, const struct judged *j)
{
	bool known = j->n.code < SKEP_CODE_COUNT;
	enum skep_code code = (enum skep_code)j->n.code;
	const char *help = known ? skep_code_help(code) : NULL;

	json_open(json, NULL, '{');
	json_text(json, "id", rule_id(j));
	put_message(json, "shortDescription", known ? skep_code_title(code) : "skep failed");
	if (help)
		put_message(json, "help", help);
	json_open(json, "defaultConfiguration", '{');
	json_text(json, "level", "error");
	json_close(json, '}');
	json_close(json, '}');
}

static void put_result(struct json *json, const struct rules *rules, const struct judged *j)
{
	char *text = NULL;

	if (asprintf(&text, "%s%s is not accepted: %s%s%s%s%s", j->program ? "program " : "",
		     j->program ? j->program : j->object, j->message ? j->message : "",
		     j->cause ? ": " : "", j->cause ? j->cause : "", j->help ? ". Fix: " : "",
		     j->help ? j->help : "") < 0)
		return;
	json_open(json, NULL, '{');
	json_text(json, "ruleId", rule_id(j));
	json_uint(json, "ruleIndex", rule_index(rules, j));
	json_text(json, "level", "error");
	put_message(json, "message", text);
	put_location(json, j);
	put_flow(json, j);
	json_close(json, '}');
	free(text);
}

static void put_tool(struct json *json, const struct rules *rules)
{
	json_open(json, "tool", '{');
	json_open(json, "driver", '{');
	json_text(json, "name", "skep");
	json_text(json, "version", skep_version());
	json_open(json, "rules", '[');
	for (size_t i = 0; i < rules->count; i++)
		put_rule(json, rules->first[i]);
	json_close(json, ']');
	json_close(json, '}');
	json_close(json, '}');
}

static bool is_finding(const struct verdict_row *row)
{
	return row->now && row->now->n.verdict != ACCEPTED;
}

void print_report_sarif(const struct report *report)
{
	struct rules rules = { calloc(report->count + 1, sizeof(*rules.first)), 0 };
	struct json json = { .out = stdout };

	if (!rules.first)
		return;
	for (size_t i = 0; i < report->count; i++)
		if (is_finding(&report->rows[i]) &&
		    rule_index(&rules, report->rows[i].now) == rules.count)
			rules.first[rules.count++] = report->rows[i].now;
	fputc('{', stdout);
	json_text(&json, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
	json_text(&json, "version", "2.1.0");
	json_open(&json, "runs", '[');
	json_open(&json, NULL, '{');
	put_tool(&json, &rules);
	json_text(&json, "columnKind", "unicodeCodePoints");
	json_open(&json, "invocations", '[');
	json_open(&json, NULL, '{');
	json_bool(&json, "executionSuccessful", !report->results->interrupted);
	json_close(&json, '}');
	json_close(&json, ']');
	json_open(&json, "results", '[');
	for (size_t i = 0; i < report->count; i++)
		if (is_finding(&report->rows[i]))
			put_result(&json, &rules, report->rows[i].now);
	json_close(&json, ']');
	json_close(&json, '}');
	json_close(&json, ']');
	fputs("}\n", stdout);
	free(rules.first);
}
