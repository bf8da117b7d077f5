/* SPDX-License-Identifier: BSD-2-Clause */
/* check_judge.c - an operand of skep check into verdicts, one for each program. */
#include "cli/check.h"

#include <errno.h>
#include <stdlib.h>

const char *const verdict_names[VERDICTS] = { "accepted", "rejected", "unloadable" };

static void hand_over(struct check *check, struct judged *j)
{
	char *why = skep_diag_count(check->diag)
			    ? skep_diag_text(check->diag,
					     colour_on(j->program ? stdout : stderr))
			    : NULL;

	j->why = why;
	progress_clear();
	check->print(check, j);
	fflush(stdout);
	free(why);
}

static void judge(struct check *check, const char *object, struct skep_object_prog *prog)
{
	struct judged j = { .object = object, .program = skep_object_prog_name(prog),
			    .section = skep_object_prog_section(prog),
			    .type = skep_object_prog_type(prog),
			    .attach = skep_object_prog_attach(prog), .message = "",
			    .where = SKEP_NOWHERE, .result.insn = -1 };
	const struct skep_insn *insns;

	progress(check->done++, 0, j.program);
	skep_diag_clear(check->diag);
	if (skep_object_prog_insns(prog, &insns, &j.insns, NULL) < 0)
		j.insns = 0;
	j.error = skep_object_check(prog, &check->opts, &j.result, check->diag);
	if (j.error) {
		j.verdict = UNLOADABLE;
		j.message = last_message(check->diag);
	} else if (j.result.error) {
		j.verdict = REJECTED;
		j.error = j.result.error;
		j.message = j.result.message;
		if (j.result.insn < 0 ||
		    !skep_object_prog_source(prog, (size_t)j.result.insn, &j.where))
			j.where.line = 0;
	}
	check->counts[j.verdict]++;
	hand_over(check, &j);
	skep_verify_result_done(&j.result);
}

/* A file that is no object: still one line for each name given. */
static void bad_object(struct check *check, const char *operand)
{
	struct judged j = { .object = operand, .verdict = UNLOADABLE, .where = SKEP_NOWHERE,
			    .message = last_message(check->diag) };
	const struct skep_diag_item *item = skep_diag_get(check->diag, 0);

	j.error = item ? skep_code_errno(item->code) : EINVAL;
	check->bad_objects++;
	hand_over(check, &j);
}

static void judge_programs(struct check *check, const struct object_arg *arg,
			   struct skep_object *object)
{
	size_t selected = 0;

	for (size_t i = 0; i < skep_object_prog_count(object); i++) {
		struct skep_object_prog *prog = skep_object_prog_at(object, i);

		if (!object_arg_selects(arg, prog) || !list_selects(&check->args->programs, prog))
			continue;
		selected++;
		judge(check, arg->path, prog);
	}
	check->selected += selected;
	if (!selected && arg->program) {
		no_such_program(object, arg->program, check->diag);
		bad_object(check, arg->path);
	} else if (skep_object_prog_count(object) == 0 && !check->args->json) {
		printf("(no programs)\n");
	}
}

void check_operand(struct check *check, const char *operand)
{
	struct object_arg arg = { 0 };
	struct skep_object *object;

	skep_diag_clear(check->diag);
	object = object_arg_open(&arg, operand, check->diag);
	if (!object) {
		bad_object(check, operand);
		return;
	}
	check->objects++;
	if (check->opts.kernel_btf)
		skep_object_set_kernel_btf(object, check->opts.kernel_btf);
	if (!check->args->json && !check->args->quiet)
		printf("%s%s%s\n", colour(stdout, COLOUR_BOLD), arg.path,
		       colour(stdout, COLOUR_NONE));
	judge_programs(check, &arg, object);
	skep_object_free(object);
	object_arg_done(&arg);
}
