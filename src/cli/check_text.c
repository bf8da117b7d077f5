/* SPDX-License-Identifier: BSD-2-Clause */
/* check_text.c - verdicts of skep check for people: a line each, rejections explained. */
#include "cli/check.h"

#include <string.h>

void print_judged_text(struct check *check, const struct judged *j)
{
	static const enum colour colours[] = { COLOUR_GOOD, COLOUR_BAD, COLOUR_WARN };
	const struct skep_verify_result *r = &j->result;

	if (!j->program) {
		fflush(stdout);
		fputs(j->why, stderr);
		return;
	}
	if (check->args->quiet && j->verdict == ACCEPTED)
		return;
	printf("%s%-10s%s  %-28s", colour(stdout, colours[j->verdict]), verdict_names[j->verdict],
	       colour(stdout, COLOUR_NONE), j->program);
	printf("  %-14s", j->type ? j->type : "?");
	if (j->verdict == UNLOADABLE)
		printf("  %6zu insns\n", j->insns);
	else
		printf("  %6zu insns, %7u processed, %6u states, %8.3f ms\n", j->insns,
		       r->processed, r->states, (double)r->time_us / 1000);
	if (j->verdict != ACCEPTED && j->why)
		fputs(j->why, stdout);
	else if (j->verdict != ACCEPTED)
		printf("    %s (%s)\n", j->message, errno_name(j->error));
	if (check->args->log && r->log)
		printf("%s%s", r->log, *r->log && r->log[strlen(r->log) - 1] != '\n' ? "\n" : "");
}

void print_summary_text(const struct check *check)
{
	const size_t *n = check->counts;

	if (n[ACCEPTED] + n[REJECTED] + n[UNLOADABLE] < 2)
		return;
	printf("%s%zu accepted, %zu rejected, %zu unloadable%s in %zu object%s\n",
	       colour(stdout, COLOUR_BOLD), n[ACCEPTED], n[REJECTED], n[UNLOADABLE],
	       colour(stdout, COLOUR_NONE), check->objects, check->objects == 1 ? "" : "s");
}
