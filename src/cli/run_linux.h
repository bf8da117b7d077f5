/* SPDX-License-Identifier: BSD-2-Clause */
/* run_linux.h - skep run --on linux: programs attached in the running kernel, while a command runs. */
#ifndef CLI_RUN_LINUX_H
#define CLI_RUN_LINUX_H

#include "cli/load.h"
#include "cli/show.h"

struct live {
	struct loaded *loaded;        /* opened, globals set; borrowed */
	const struct list *programs;  /* --program: these only; empty: all that load by themselves */
	const struct list *attach;    /* --attach: PROGRAM=PLACE */
	const struct list *event_types;
	char **command;               /* ends with NULL; NULL: until an interrupt */
	const struct list *pids;      /* --pid: in these and the command only; neither: everywhere */
	uint64_t seconds;             /* at most so long; 0: no limit */
	uint64_t sample_hz;
	const char *flame, *folded;   /* files for the stacks that programs counted; or NULL */
	const char *output;           /* where events go; NULL: standard output */
	bool json, all, no_maps;
};

/* Returns the command's exit status (128 and the signal if one killed it), 0 without one;
 * -1 with the reason in diag. */
int run_linux(const struct live *live, struct skep_diag *diag);

#endif
