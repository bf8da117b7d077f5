/* SPDX-License-Identifier: BSD-2-Clause */
/* run_command.h - skep run OBJECT -- COMMAND: programs in a command and all it starts. */
#ifndef CLI_RUN_COMMAND_H
#define CLI_RUN_COMMAND_H

#include "cli/load.h"
#include "cli/show.h"

struct command {
	struct loaded *loaded;        /* opened, globals set; borrowed */
	const struct list *programs;  /* --program: these only; empty: all that load by themselves */
	const struct list *attach;    /* --attach: PROGRAM=PLACE */
	const struct list *pids;      /* --pid: running processes */
	const struct list *event_types;
	char **argv;                  /* ends with NULL; NULL: only running processes */
	const char *out;              /* -o: where events go; NULL: standard error */
	uint64_t seconds;             /* at most so long; 0: no limit */
	uint64_t sample_hz;           /* how often perf_event programs run; 0: as ever */
	const char *flame, *folded;   /* files for the stacks that programs counted; or NULL */
	bool json, all, no_maps, interpreter;
};

enum { RUN_SIGNALLED = 1000 };

/*
 * Returns the command's exit status, or RUN_SIGNALLED and the signal that ended it; 0 without
 * a command; -1 with the reason in diag.
 */
int run_command(const struct command *command, struct skep_diag *diag);
/* Ends this process by a signal, so that who waits for it sees what became of the command.
 * Returns the status that shells give to that, should the signal not end it. */
int end_by_signal(int number);

/* --pid's word as a number; false: it is none, which is reported. */
bool pid_of(const char *word, int32_t *pid, struct skep_diag *diag);

#endif
