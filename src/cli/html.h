/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * html.h - skep check --html: one page that shows how programs were verified.
 *
 * The page is a frame (src/cli/page, made into page.c when Skep is built) around
 * data: JSON in which nothing can end the element it stands in.
 */
#ifndef CLI_HTML_H
#define CLI_HTML_H

#include <signal.h>

#include "cli/check.h"

/* The page before its data and after; page.c. */
extern const char page_head[], page_tail[];

struct html {
	struct out_file out;
	size_t programs;
	const struct skep_btf *kernel;  /* borrowed: names of kernel functions; or NULL */
	struct skep_btf *running;       /* owned: opened for these names where kernel is NULL */
	bool running_tried;
	const volatile sig_atomic_t *stop; /* not 0: an interrupt came */
	size_t states_left, bytes_left; /* for the states of all programs */
};

/* Negative errno with the reason in diag. */
int html_open(struct html *html, const char *path, const struct skep_btf *kernel,
	      struct skep_diag *diag);
/* keep false: as if it had never been written. */
int html_close(struct html *html, bool keep, struct skep_diag *diag);

/*
 * As skep_object_check(), with all that happens recorded into a new part of the
 * page: html_check() judges, html_add() writes what was recorded with the verdict.
 */
struct recording;
int html_check(struct html *html, struct recording *rec, struct skep_object_prog *prog,
	       const struct skep_verify_opts *opts, size_t insns,
	       struct skep_verify_result *result, struct skep_diag *diag);
void html_add(struct html *html, struct recording *rec, struct skep_object *object,
	      struct skep_object_prog *prog, const struct judged *j);

#endif
