/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain.c - from a rejection to its explanation in the diagnostic.
 *
 * The program is verified again twice by watchers (path.c). At the end of the
 * second run, while its states still stand, a story is chosen (story.c) and
 * copied into the diagnostic's newest item. For errors after the first, the
 * runs go on past the errors that were told; an error is independent, and told,
 * when it has another line at fault and another origin than all before.
 */
#include "verify/path.h"

#include <stdio.h>

enum {
	ERRORS_MAX = 8,              /* independent ones */
	ERRORS_SEEN_MAX = 32,        /* with those that follow from others */
	PROCESSED_MAX = 4 << 20,     /* instructions looked at for them all */
};

/* What was told already. */
struct told {
	enum skep_code code;
	int64_t insn, blame, origin;
	uint32_t line, blame_line;
};

struct explainer {
	const struct prog_spec *spec;
	struct skep_verify_opts opts;
	struct skep_diag *diag;
	struct path_finder finder;
	struct path path;
	struct path_recorder recorder;
	struct told told[ERRORS_MAX];
	unsigned told_count;
	uint32_t errors;             /* the run ends with this one */
	bool structural;             /* it was found without running anything */
	bool found;                  /* there was such an error */
	uint64_t processed;
};

/* --- into the diagnostic --- */

/* "6: (79) r1 = *(u64 *)(r0 +0)   R0=map_value_or_null(...)": as in the log. */
static const char *state_text(struct story *story, const struct event *event)
{
	struct env *env = story->env;
	struct path *path = story->path;
	struct skep_text saved = env->log;
	unsigned level = env->log_level;
	const char *text;
	struct state *state;

	if (!story->has_path || event->moment >= path->moments.count ||
	    path->moments.items[event->moment].insn != event->insn)
		return NULL;
	state = path_state(env, path, event->moment);
	if (!state)
		return NULL;
	env->log = (struct skep_text){ 0 };
	env->log_level = 3;
	text_add(&env->log, "%u: ", event->insn);
	trace_text(env, event->insn);
	if (env->log.len)
		env->log.data[--env->log.len] = '\0';
	text_add(&env->log, " ;");
	trace_state(env, 3, state, state->depth, true);
	text = env->log.data ? arena_strdup(&env->arena, env->log.data) : NULL;
	text_done(&env->log);
	env->log = saved;
	env->log_level = level;
	return text;
}

static int by_moment(const void *a, const void *b)
{
	const struct event *x = a, *y = b;

	return x->moment < y->moment ? -1 : x->moment > y->moment;
}

/* An event may be told twice: once as a detail. */
static bool told_before(const struct story *story, size_t index)
{
	const struct event *event = &story->events.items[index];

	for (size_t i = 0; i < story->events.count; i++) {
		const struct event *other = &story->events.items[i];

		if (i != index && other->moment == event->moment && other->insn == event->insn &&
		    event->detail && (!other->detail || i < index))
			return true;
		if (i < index && other->moment == event->moment &&
		    strcmp(other->text, event->text) == 0)
			return true;
	}
	return false;
}

static void write_story(struct explainer *x, struct story *story)
{
	struct skep_where blame = story->blame >= 0 ? insn_where(story->env, story->blame)
						    : SKEP_NOWHERE;

	if (story->blame >= 0 && subprog_of(story->env, (uint32_t)story->blame))
		blame.program = words(story->env, "%s",
				      subprog_words(story->env,
						    subprog_of(story->env, (uint32_t)story->blame)));
	if (story->events.count)
		qsort(story->events.items, story->events.count, sizeof(struct event), by_moment);
	for (size_t i = 0; i < story->events.count; i++) {
		const struct event *event = &story->events.items[i];
		struct skep_note note = {
			.where = insn_where(story->env, event->insn),
			.message = event->text, .event = event->kind, .detail = event->detail,
			.state = state_text(story, event),
		};

		if (!told_before(story, i))
			skep_event(x->diag, &note);
	}
	skep_blame(x->diag, story->blame >= 0 ? &blame : NULL, story->cause);
	if (story->fix)
		skep_help(x->diag, "%s", story->fix);
}

/* --- is it another mistake? --- */

static struct told told_of(const struct story *story)
{
	int64_t blame = story->blame >= 0 ? story->blame : story->insn;

	return (struct told){
		.code = story->code, .insn = story->insn, .blame = blame, .origin = story->origin,
		.line = story->insn >= 0 ? source_line(story->env, (uint32_t)story->insn) : 0,
		.blame_line = blame >= 0 ? source_line(story->env, (uint32_t)blame) : 0,
	};
}

static bool independent(const struct told *a, const struct told *b)
{
	if (a->insn == b->insn || a->blame == b->blame)
		return false;
	if (a->origin >= 0 && a->origin == b->origin)
		return false;
	if ((a->line && a->line == b->line) || (a->blame_line && a->blame_line == b->blame_line))
		return false;
	/* Without an origin on either side nothing tells them apart but the kind. */
	return a->code != b->code || (a->origin >= 0 && b->origin >= 0);
}

static bool is_new(const struct explainer *x, const struct told *told)
{
	for (unsigned i = 0; i < x->told_count; i++)
		if (!independent(&x->told[i], told))
			return false;
	return true;
}

/* --- the runs --- */

static void tell(void *arg, struct env *env)
{
	struct explainer *x = container_of(arg, struct explainer, recorder);
	struct story story = {
		.env = env, .path = &x->path, .message = env->result->message,
		.remark = x->recorder.remark, .code = env->code, .blame = -1, .origin = -1,
		.insn = env->result->insn,
		.has_path = x->path.moments.count > 0 && !x->structural,
	};
	struct told told;

	if (!env->rejected || env->errors != x->errors || x->recorder.failed)
		return;
	x->found = true;
	if (story.has_path)
		story.moment = (uint32_t)x->path.moments.count - 1;
	story_tell(&story);
	told = told_of(&story);
	if (x->told_count < ERRORS_MAX && is_new(x, &told)) {
		if (x->told_count) {
			struct skep_where where = insn_where(env, story.insn);

			skep_report(x->diag, env->code, &where, "%s", story.message);
		}
		x->told[x->told_count++] = told;
		write_story(x, &story);
	}
	vec_done(&story.events);
}

static void note_end(void *arg, struct env *env)
{
	struct explainer *x = container_of(arg, struct explainer, finder);

	x->structural = env->rejected_outside;
	x->processed += env->processed;
}

static int watch(struct explainer *x, const struct verify_observer *observer)
{
	struct skep_verify_result result;
	int error = verify_observed(x->spec, &x->opts, observer, &result, NULL, NULL);

	if (!error)
		skep_verify_result_done(&result);
	return error;
}

/* Explains the error that the run ends with. */
static bool explain_error(struct explainer *x)
{
	struct verify_observer finder, recorder;
	bool done = false;

	x->finder = (struct path_finder){ 0 };
	x->path = (struct path){ 0 };
	finder = path_finder(&x->finder);
	finder.end = note_end;
	finder.errors = x->errors;
	if (watch(x, &finder) == 0 && path_choose(&x->finder)) {
		x->recorder = (struct path_recorder){ .finder = &x->finder, .path = &x->path };
		recorder = path_recorder(&x->recorder);
		recorder.end = tell;
		recorder.errors = x->errors;
		done = watch(x, &recorder) == 0;
	}
	path_done_recording(&x->path);
	path_finder_done(&x->finder);
	return done;
}

void explain_rejection(const struct prog_spec *spec, const struct skep_verify_opts *opts,
		       const struct skep_verify_result *result, struct skep_diag *diag)
{
	struct explainer *x = calloc(1, sizeof(*x));

	if (!x)
		return;
	x->spec = spec;
	x->opts = *opts;
	x->opts.log_level = 0;
	x->opts.explain = x->opts.all = false;
	x->opts.observer = NULL;
	x->diag = diag;
	(void)result;
	do {
		x->found = false;
		x->errors++;
	} while (explain_error(x) && x->found && opts->all && x->errors < ERRORS_SEEN_MAX &&
		 x->told_count < ERRORS_MAX && x->processed < PROCESSED_MAX);
	free(x);
}
