/* SPDX-License-Identifier: BSD-2-Clause */
/* check_json.c - verdicts of skep check as JSON, one object a program. */
#include "cli/check.h"

static void add_program(struct json *json, const struct judged *j)
{
	json_text(json, "program", j->program);
	json_text(json, "section", j->section);
	json_text(json, "type", j->type);
	json_text(json, "attach", j->attach);
	json_uint(json, "insns", j->n.insns);
}

static void add_cost(struct json *json, const struct judged *j)
{
	if (j->n.verdict == UNLOADABLE)
		return;
	json_uint(json, "processed", j->n.processed);
	json_uint(json, "states", j->n.states);
	json_uint(json, "peak_states", j->n.peak_states);
	json_uint(json, "max_states_per_insn", j->n.max_states);
	json_uint(json, "stack_depth", j->n.stack_depth);
	json_uint(json, "memory", j->n.memory);
	json_uint(json, "time_us", j->n.time_us);
}

static void add_judged(struct json *json, const struct judged *j, bool log)
{
	json_text(json, "verdict", verdict_names[j->n.verdict]);
	if (j->n.verdict != ACCEPTED) {
		json_text(json, "errno", errno_name((int)j->n.error));
		json_text(json, "message", j->message);
	}
	if (j->n.verdict == REJECTED && j->n.insn >= 0)
		json_int(json, "insn", j->n.insn);
	if (j->file)
		json_source(json, &(struct skep_where){ .file = j->file, .text = j->line_text,
							.line = (uint32_t)j->n.line });
	if (j->story)
		fprintf(json->out, ",%s", j->story);
	add_cost(json, j);
	if (log && j->log)
		json_text(json, "log", j->log);
	if (log && j->n.log_lost)
		json_uint(json, "log_lost", j->n.log_lost);
}

/* A program that this run has not is a line without a verdict. */
void print_verdict_json(const struct verdict_row *row, bool log)
{
	const struct judged *named = row->now ? row->now : row->old;
	struct json json;

	json_begin(&json, stdout);
	json_text(&json, "object", named->object);
	if (named->program)
		add_program(&json, named);
	if (row->now)
		add_judged(&json, row->now, log);
	if (row->old) {
		json_open(&json, "old", '{');
		json_text(&json, "verdict", verdict_names[row->old->n.verdict]);
		add_cost(&json, row->old);
		json_close(&json, '}');
	}
	json_end(&json);
}
