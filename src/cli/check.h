/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.h - what the files of `skep check` share.
 *
 *   check.c         options, and the order of things
 *   check_judge.c   an operand into verdicts, one struct judged a program
 *   check_text.c    verdicts for people
 *   check_json.c    verdicts as JSON lines
 *   check_kernels.c which releases of Linux would load them
 */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include <skep/object.h>

#include "cli/object.h"

enum verdict { ACCEPTED, REJECTED, UNLOADABLE, VERDICTS };
extern const char *const verdict_names[VERDICTS];

struct args {
	struct list programs;
	const char *btf, *flags, *kernel, *caps;
	uint64_t log;
	bool json, quiet, unprivileged;
};

/* One program judged; or, without program, why a file could not be. */
struct judged {
	const char *object;
	const char *program, *section, *type, *attach;
	enum verdict verdict;
	int error;
	const char *message;         /* "" if accepted */
	const char *why;             /* the diagnostics as text for people; or NULL */
	size_t insns;
	struct skep_where where;     /* where.line 0: unknown */
	struct skep_verify_result result;
};

struct check {
	const struct args *args;
	struct skep_verify_opts opts;
	struct skep_diag *diag;
	size_t counts[VERDICTS];
	size_t objects, bad_objects;
	size_t selected;         /* programs that --program did not leave out */
	size_t done;
	/* Told of each program; what it is given is gone when it returns. */
	void (*print)(struct check *check, const struct judged *j);
};

int check_kernels(const struct verb *verb, const struct args *args, unsigned flags, unsigned caps, int argc,
		  char **argv);                                         /* check_kernels.c */
void check_operand(struct check *check, const char *operand);   /* check_judge.c */

void print_judged_text(struct check *check, const struct judged *j); /* check_text.c */
void print_summary_text(const struct check *check);
void print_judged_json(struct check *check, const struct judged *j); /* check_json.c */

#endif
