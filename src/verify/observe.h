/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * observe.h - watching a verification: what the verifier claims of every
 * instruction of every path, and where a path ended because an older one
 * answered for it.
 *
 * The paths form a tree. An observer may put a name of its own into
 * env->cur->mark at each step: states that are copied from it (the other side
 * of a branch, a callback, a checkpoint) start with the same mark, so that the
 * first step of a new path tells where it came from.
 *
 * Observers only look, but for that mark. Any function may be NULL.
 *
 * Threads: confined.
 */
#ifndef VERIFY_OBSERVE_H
#define VERIFY_OBSERVE_H

#include <skep/observe.h>

#include "verify/state.h"

struct verify_observer {
	void *arg;
	uint32_t errors;             /* paths that fail are left for others until there were so
				      * many; 0: the first error is the verdict */
	/* The instruction at env->pc is about to be checked in env->cur. */
	void (*step)(void *arg, struct env *env);
	/* env->cur was kept as a checkpoint before its step at env->pc; kept is the copy. */
	void (*keep)(void *arg, struct env *env, struct state *kept);
	/*
	 * The path ends at env->pc, before a step there: all that env->cur can be is
	 * covered by old, a checkpoint there. whole: each of its ranges is; else only
	 * what the paths from old looked at (precise numbers, live registers, slots read).
	 */
	void (*prune)(void *arg, struct env *env, const struct state *old, bool whole);
	/* A line that goes before the verdict; see explain() in state.h. */
	void (*remark)(void *arg, const char *line);
	/* The verdict is there, and nothing is freed yet. */
	void (*end)(void *arg, struct env *env);
};

/* As verify(), watched. */
int verify_observed(const struct prog_spec *spec, const struct skep_verify_opts *opts,
		    const struct verify_observer *observer, struct skep_verify_result *result,
		    struct verified *out, struct skep_diag *diag);

/* The hooks that show a verification to an observer outside the library (view.c). */
struct view_of {
	const struct skep_observer *observer;
	struct verify_observer hooks;
	bool kept;               /* the state of the visit to come */
};

void view_init(struct view_of *view, const struct skep_observer *observer);

#endif
