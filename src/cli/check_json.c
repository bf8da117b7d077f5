/* SPDX-License-Identifier: BSD-2-Clause */
/* check_json.c - verdicts of skep check as JSON, one object a program. */
#include "cli/check.h"

static void add_program(struct json *json, const struct judged *j)
{
	json_text(json, "program", j->program);
	json_text(json, "section", j->section);
	json_text(json, "type", j->type);
	json_text(json, "attach", j->attach);
	json_uint(json, "insns", j->insns);
}

static void add_result(struct json *json, const struct skep_verify_result *r)
{
	json_uint(json, "processed", r->processed);
	json_uint(json, "states", r->states);
	json_uint(json, "peak_states", r->peak_states);
	json_uint(json, "time_us", r->time_us);
}

void print_judged_json(struct check *check, const struct judged *j)
{
	const struct skep_verify_result *r = &j->result;
	struct json json;

	json_begin(&json, stdout);
	json_text(&json, "object", j->object);
	if (j->program)
		add_program(&json, j);
	json_text(&json, "verdict", verdict_names[j->verdict]);
	if (j->verdict != ACCEPTED) {
		json_text(&json, "errno", errno_name(j->error));
		json_text(&json, "message", j->message);
	}
	if (j->verdict == REJECTED && r->insn >= 0)
		json_int(&json, "insn", r->insn);
	if (j->where.line)
		json_source(&json, &j->where);
	if (j->verdict != UNLOADABLE)
		add_result(&json, r);
	if (check->args->log && r->log)
		json_text(&json, "log", r->log);
	json_end(&json);
}
