/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run_linux.c - an object's programs attached in the running kernel (see run_linux.h).
 *
 * With a command, tracing programs run for its processes only: it is started by a
 * child that makes itself the tree's beginning and then waits for nothing.
 */
#include "cli/run_linux.h"
#include "cli/fold.h"
#include "cli/places.h"
#include "cli/run_command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 100, NOT_FOUND = 127, NOT_RUN = 126 };

static volatile sig_atomic_t stopped;

static void on_stop(int signal)
{
	stopped = signal;
}

/* A child's end is only to be noticed at once. */
static void on_child(int signal)
{
	(void)signal;
}

static void catch_signals(void)
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction stop = { .sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND };
	struct sigaction child = { .sa_handler = on_child, .sa_flags = SA_NOCLDSTOP };
	struct sigaction old;

	for (size_t i = 0; i < COUNT(ends); i++) {
		sigaction(ends[i], NULL, &old);
		if (old.sa_handler != SIG_IGN)
			sigaction(ends[i], &stop, NULL);
	}
	sigaction(SIGCHLD, &child, NULL);
}

/* --- programs --- */

static bool choose(const struct live *live, struct skep_diag *diag)
{
	struct skep_object *object = live->loaded->object;
	const char *only = live->loaded->arg.program;

	for (size_t i = 0; i < live->programs->count; i++) {
		if (!skep_object_prog_find(object, live->programs->items[i])) {
			no_such_program(object, live->programs->items[i], diag);
			return false;
		}
	}
	if (only && !skep_object_prog_find(object, only)) {
		no_such_program(object, only, diag);
		return false;
	}
	if (!places_check(live->attach, object, diag))
		return false;
	for (size_t i = 0; i < skep_object_prog_count(object); i++) {
		struct skep_object_prog *prog = skep_object_prog_at(object, i);

		if (only || live->programs->count)
			skep_object_prog_set_autoload(prog,
						      object_arg_selects(&live->loaded->arg, prog) &&
							      list_selects(live->programs, prog));
		else if (places_name(live->attach, prog))
			skep_object_prog_set_autoload(prog, true);
	}
	return true;
}

struct attaching {
	const struct live *live;
	size_t attached;
	struct skep_diag *diag;
};

/* One whose section alone does not say where is told of, and goes without. */
static int attach_at(void *arg, const struct skep_object_prog *prog, const char *place)
{
	struct attaching *a = arg;
	int error = skep_linux_attach(a->live->loaded->world.kernel, prog, place, a->diag);

	a->attached += !error;
	return error == -EOPNOTSUPP && !place ? 0 : error;
}

/* One that is not attached is told of; that none is, is an error. */
static bool attach(const struct live *live, struct skep_diag *diag)
{
	struct skep_object *object = live->loaded->object;
	struct attaching a = { .live = live, .diag = diag };

	for (size_t i = 0; i < skep_object_prog_count(object); i++) {
		const struct skep_object_prog *prog = skep_object_prog_at(object, i);

		if (!skep_object_prog_autoload(prog) || skep_object_prog_is_tail_target(prog))
			continue;
		if (places_each(live->attach, prog, attach_at, &a) < 0)
			return false;
	}
	if (!a.attached) {
		if (!skep_diag_count(diag))
			skep_report(diag, SKEP_ARG, NULL, "no program of '%s' is loaded by itself: "
				    "choose with -p", live->loaded->arg.path);
		return false;
	}
	if (skep_diag_count(diag))
		report(diag, live->json);
	skep_diag_clear(diag);
	return true;
}

/* --- the command --- */

/*
 * With --output, standard output becomes that file here; the command gets what it was. The
 * descriptor of the latter; STDOUT_FILENO without; -1 with the reason in diag.
 */
static int divert(const struct live *live, struct skep_diag *diag)
{
	int was = STDOUT_FILENO, file;

	if (!live->output)
		return was;
	fflush(stdout);
	file = open(live->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	was = file < 0 ? -1 : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (was < 0 || dup2(file, STDOUT_FILENO) < 0) {
		skep_report(diag, SKEP_IO, NULL, "cannot write '%s': %s", live->output,
			    strerror(errno));
		return -1;
	}
	close(file);
	return was;
}

static pid_t start(const struct live *live, int output, struct skep_diag *diag)
{
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child < 0) {
		skep_report(diag, SKEP_ARG, NULL, "a process for '%s': %s", live->command[0],
			    strerror(errno));
		return -1;
	}
	if (child)
		return child;
	if (skep_linux_follow(live->loaded->world.kernel) < 0) {
		fprintf(stderr, "skep: the command cannot be followed: %s\n", strerror(errno));
		_exit(NOT_RUN);
	}
	if (output != STDOUT_FILENO)
		dup2(output, STDOUT_FILENO);
	execvp(live->command[0], live->command);
	fprintf(stderr, "skep: cannot run '%s': %s\n", live->command[0], strerror(errno));
	_exit(errno == ENOENT ? NOT_FOUND : NOT_RUN);
}

static bool follow_running(const struct live *live, struct skep_diag *diag)
{
	for (size_t i = 0; i < live->pids->count; i++) {
		int32_t pid;

		if (!pid_of(live->pids->items[i], &pid, diag) ||
		    skep_linux_follow_pid(live->loaded->world.kernel, pid, diag) < 0)
			return false;
	}
	return true;
}

/* Does any of the processes that were given still run? */
static bool any_runs(const struct live *live)
{
	bool any = false;

	for (size_t i = 0; i < live->pids->count && !any; i++)
		any = kill((pid_t)atoi(live->pids->items[i]), 0) == 0 || errno == EPERM;
	return any;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Show events until the command ends, time is over or somebody stops it; *ended: the first. */
static int watch(const struct live *live, struct show *show, pid_t child, bool *ended)
{
	int64_t end = live->seconds ? now_ms() + (int64_t)live->seconds * 1000 : INT64_MAX;
	int status = 0;

	while (now_ms() < end && !(stopped && !child)) {
		if (child && waitpid(child, &status, WNOHANG) == child) {
			*ended = true;
			break;
		}
		if (!child && live->pids->count && !any_runs(live))
			break;
		show_events(show, WAIT_MS);
		if (child && stopped) {
			/* The command has got an interrupt of the terminal itself. */
			if (stopped != SIGINT)
				kill(child, stopped);
			stopped = 0;
		}
	}
	show_events(show, 0);
	return status;
}

/* What time took from our sight goes on, and its end is still ours. */
static int end_of(pid_t child, bool ended, int status)
{
	while (child && !ended && waitpid(child, &status, 0) < 0 && errno == EINTR) {
		if (stopped)
			kill(child, stopped);
		stopped = 0;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run_with(const struct live *live, struct skep_stacks *stacks, struct skep_diag *diag)
{
	struct skep_linux_opts opts = { .tree = live->command || live->pids->count,
				        .stacks = stacks,
					.sample_hz = (uint32_t)live->sample_hz };
	struct show show = { .object = live->loaded->object, .world = &live->loaded->world,
			     .stacks = stacks,
			     .event_types = live->event_types, .json = live->json,
			     .all = live->all };
	pid_t child = 0;
	bool ended = false;
	int status, output;

	if (!choose(live, diag) || !loaded_load_linux(live->loaded, NULL, 0, &opts, diag) ||
	    !show_check_types(&show, diag))
		return -1;
	catch_signals();
	if (!attach(live, diag))
		return -1;
	if (!follow_running(live, diag))
		return -1;
	output = divert(live, diag);
	if (output < 0)
		return -1;
	if (live->command) {
		child = start(live, output, diag);
		if (child < 0)
			return -1;
	}
	status = watch(live, &show, child, &ended);
	if (show.lost)
		fprintf(stderr, "skep: %llu events were lost: the buffer was full\n",
			(unsigned long long)show.lost);
	if (stacks && fold_end(&show, stacks, live->command, live->folded, live->flame, diag) < 0)
		return -1;
	if (!live->no_maps && !stacks)
		show_maps(&show);
	fflush(stdout);
	return end_of(child, ended, status);
}

int run_linux(const struct live *live, struct skep_diag *diag)
{
	struct skep_stacks *stacks = NULL;
	int status;

	if (live->flame || live->folded) {
		stacks = skep_stacks_new();
		if (!stacks)
			return skep_report(diag, SKEP_OOM, NULL, "stacks"), -1;
	}
	status = run_with(live, stacks, diag);
	skep_stacks_free(stacks);
	return status;
}
