/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link.h - programs attached to what happens in targets.
 *
 * A target is a process that a machine's programs see (target.h). A link attaches
 * one loaded program to one place, or to the places that a pattern names; it takes
 * effect in every target of the machine, those that run already too.
 *
 * Threads: any.
 */
#ifndef SKEP_LINK_H
#define SKEP_LINK_H

#include <skep/machine.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct skep_link; /* borrowed from its machine, until it is detached */

struct skep_link_opts {
	const char *place;        /* "uprobe/bash:readline", or what its own section would have behind
				   * the prefix, "bash:readline"; NULL: what its section says */
	uint64_t cookie;          /* what bpf_get_attach_cookie() returns */
	uint32_t sample_hz;       /* how often perf_event programs run in a thread that runs; 0: 99 */
};

/*
 * Attach a loaded program to what its section names: a tracepoint of system calls
 * or processes, a system call's function, a function of a file, samples of CPU time. opts may be NULL.
 * NULL on failure (see diag): EOPNOTSUPP (targets have no such place), ENOENT (no
 * such system call or function), EACCES (the program looks at more than there is),
 * EINVAL (it is not loaded, or of another type than programs of the place), ENOMEM.
 */
struct skep_link *skep_link_attach(struct skep_machine *machine,
				   const struct skep_object_prog *prog,
				   const struct skep_link_opts *opts, struct skep_diag *diag);
/*
 * Is there a place like the one its section, or opts->place, names, as far as that can be told without a
 * machine? 0, or as skep_link_attach() would fail. For programs that are not worth loading.
 */
int skep_link_check(const struct skep_object_prog *prog, const struct skep_link_opts *opts,
		    struct skep_diag *diag);
/* No program of it begins to run after the call; those that run now end by themselves. */
void skep_link_detach(struct skep_link *link);

struct skep_link_info {
	uint32_t id;
	const struct skep_prog *prog;
	const char *target;       /* "syscalls/sys_enter_openat" */
	size_t places;            /* how many there are */
	uint64_t cookie;
};

void skep_link_info(const struct skep_link *link, struct skep_link_info *info);

/* What happened at all links of a machine together. */
struct skep_link_counts {
	uint64_t missed_inside;   /* events in a thread that was inside a program already */
	uint64_t missed_returns;  /* returns of calls that were nested too deep to be watched */
	uint64_t missed_busy;     /* events that found no virtual CPU */
	uint64_t missed_samples;  /* of CPU time: the clock is looked at less often than asked */
	uint64_t faults;          /* programs ended by a bad memory access */
};

void skep_machine_link_counts(struct skep_machine *machine, struct skep_link_counts *counts);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
