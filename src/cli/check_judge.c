/* SPDX-License-Identifier: BSD-2-Clause */
/* check_judge.c - an operand of skep check into verdicts, one for each program. */
#include "cli/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/html.h"
#include "cli/record.h"

const char *const verdict_names[VERDICTS] = { "accepted", "rejected", "unloadable" };

void judged_done(struct judged *j)
{
	if (!j)
		return;
#define JUDGED_TEXT(name) free(j->name);
	JUDGED_TEXTS(JUDGED_TEXT)
#undef JUDGED_TEXT
	for (size_t i = 0; i < j->note_count; i++) {
		free(j->notes[i].message);
		free(j->notes[i].file);
	}
	free(j->notes);
	free(j);
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static void *must(void *ptr)
{
	if (!ptr) {
		fprintf(stderr, "skep: out of memory\n");
		exit(EXIT_REJECTED);
	}
	return ptr;
}

/* What the first item says beyond its message. */
static void take_diag(struct judged *j, const struct args *args, const struct skep_diag *diag)
{
	const struct skep_diag_item *item = skep_diag_get(diag, 0);

	if (!item)
		return;
	j->n.code = item->code;
	j->help = copy(item->help);
	j->cause = copy(item->cause);
	if (item->blame.line) {
		j->blame_file = copy(item->blame.file);
		j->blame_text = copy(item->blame.text);
		j->n.blame_line = item->blame.line;
		j->n.blame_column = item->blame.column;
	}
	j->why = why_text(diag, args, j->program ? stdout : stderr);
	if (j->program)
		j->story = why_json(diag);
	if (!item->note_count)
		return;
	j->notes = must(calloc(item->note_count, sizeof(*j->notes)));
	for (size_t i = 0; i < item->note_count; i++) {
		const struct skep_note *note = &item->notes[i];

		if (note->detail)
			continue;
		j->notes[j->note_count++] = (struct judged_note){
			.message = copy(note->message), .file = copy(note->where.file),
			.line = note->where.line, .column = note->where.column,
		};
	}
}

static void take_result(struct judged *j, const struct skep_object_prog *prog,
			struct skep_verify_result *r)
{
	struct skep_where where = SKEP_NOWHERE;

	j->n.verdict = r->error ? REJECTED : ACCEPTED;
	j->n.error = r->error;
	j->n.insn = r->insn;
	j->n.processed = r->processed;
	j->n.states = r->states;
	j->n.peak_states = r->peak_states;
	j->n.max_states = r->longest_mark;
	j->n.stack_depth = r->stack_depth;
	j->n.memory = r->memory;
	j->n.time_us = r->time_us;
	j->message = copy(r->message);
	if (r->error && r->insn >= 0 && skep_object_prog_source(prog, (size_t)r->insn, &where) &&
	    where.line) {
		j->file = copy(where.file);
		j->line_text = copy(where.text);
		j->n.line = where.line;
		j->n.column = where.column;
	}
	j->log = r->log;
	j->n.log_lost = r->log_lost;
	r->log = NULL;
}

static struct judged *judged_new(const char *object, size_t operand, size_t index)
{
	struct judged *j = must(calloc(1, sizeof(*j)));

	j->n.operand = operand;
	j->n.index = index;
	j->n.insn = -1;
	j->object = copy(object);
	return j;
}

static void judge(const struct judging *judging, struct judged *j,
		  struct skep_object *object, struct skep_object_prog *prog,
		  struct skep_diag *diag)
{
	struct skep_verify_result result = { .insn = -1 };
	struct recording rec = { 0 };
	const struct skep_insn *insns;
	size_t count;

	j->program = copy(skep_object_prog_name(prog));
	j->section = copy(skep_object_prog_section(prog));
	j->type = copy(skep_object_prog_type(prog));
	j->attach = copy(skep_object_prog_attach(prog));
	skep_diag_clear(diag);
	if (skep_object_prog_insns(prog, &insns, &count, NULL) == 0)
		j->n.insns = count;
	j->n.error = targets_aim(judging->targets, prog, diag);
	if (!j->n.error)
		j->n.error = judging->html ? html_check(judging->html, &rec, prog, &judging->opts,
							j->n.insns, &result, diag)
					   : skep_object_check(prog, &judging->opts, &result, diag);
	if (judging->html && *judging->html->stop) {
		/* In the middle of it: no verdict. */
		skep_verify_result_done(&result);
		record_done(&rec);
		judged_done(j);
		return;
	}
	if (j->n.error) {
		j->n.verdict = UNLOADABLE;
		j->message = copy(last_message(diag));
	} else {
		take_result(j, prog, &result);
	}
	take_diag(j, judging->args, diag);
	skep_verify_result_done(&result);
	if (judging->html)
		html_add(judging->html, &rec, object, prog, j);
	record_done(&rec);
	judging->emit(judging->arg, j);
}

/* A file that is no object: still one verdict for each name given. */
static void bad_object(const struct judging *judging, size_t operand, const char *name,
		       const struct skep_diag *diag)
{
	const struct skep_diag_item *item = skep_diag_get(diag, 0);
	struct judged *j = judged_new(name, operand, 0);

	j->n.verdict = UNLOADABLE;
	j->n.error = item ? skep_code_errno(item->code) : EINVAL;
	j->message = copy(last_message(diag));
	take_diag(j, judging->args, diag);
	judging->emit(judging->arg, j);
}

static void judge_programs(const struct judging *judging, size_t operand,
			   const struct object_arg *arg, struct skep_object *object,
			   struct skep_diag *diag, struct judge_counts *counts)
{
	size_t count = skep_object_prog_count(object);

	for (size_t i = 0; i < count; i++) {
		struct skep_object_prog *prog = skep_object_prog_at(object, i);

		if (!object_arg_selects(arg, prog) ||
		    !list_selects(&judging->args->programs, prog) ||
		    !name_wanted(judging->names, arg->path, skep_object_prog_name(prog)))
			continue;
		counts->selected++;
		if (i % judging->slices == judging->slice)
			judge(judging, judged_new(arg->path, operand, i), object, prog, diag);
	}
	counts->empty = count == 0;
}

void judge_object(const struct judging *judging, size_t operand, const char *name,
		   struct judge_counts *counts)
{
	struct skep_diag *diag = skep_diag_new();
	struct object_arg arg = { 0 };
	struct judging own = *judging;
	struct skep_object *object = object_arg_open(&arg, name, diag);

	*counts = (struct judge_counts){ 0 };
	if (!object) {
		if (judging->slice == 0)
			bad_object(judging, operand, name, diag);
		skep_diag_free(diag);
		return;
	}
	counts->objects = 1;
	if (judging->opts.kernel_btf)
		skep_object_set_kernel_btf(object, judging->opts.kernel_btf);
	own.targets = targets_open(&judging->args->targets, diag);
	if (!own.targets) {
		if (judging->slice == 0)
			bad_object(judging, operand, name, diag);
	} else {
		judge_programs(&own, operand, &arg, object, diag, counts);
	}
	if (own.targets && !counts->selected && arg.program && judging->slice == 0) {
		skep_diag_clear(diag);
		no_such_program(object, arg.program, diag);
		bad_object(judging, operand, name, diag);
	}
	skep_object_free(object);
	targets_close(own.targets);
	object_arg_done(&arg);
	skep_diag_free(diag);
}
