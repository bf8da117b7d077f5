/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run_command.c - an object's programs in a command, all it starts, and processes that run
 * already (see run_command.h).
 *
 * The command keeps this process's terminal, standard input and output. What Skep prints goes
 * to standard error or to -o, never between the command's lines: once the command runs, this
 * process's own standard output is replaced. Signals of the terminal are the command's; it
 * gets others that Skep is sent.
 */
#include "cli/run_command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/fold.h"
#include "cli/places.h"
#include "cli/tree.h"

enum { WAIT_MS = 10, REACH_MS = 1000, LET_GO_MS = 15000, NOT_FOUND = 127, NOT_RUN = 126 };

struct running {
	const struct command *command;
	struct skep_machine *machine;
	struct skep_object *object;
	struct show show;
	struct skep_stacks *stacks; /* NULL: nobody wants them */
	struct unattached *unattached; /* one for each program of the object */
	size_t unattached_count;
	int64_t began_ms;        /* CLOCK_MONOTONIC */
	int32_t child;           /* 0: none */
	int status;              /* of the child, as waitpid() has it */
	int not_started;         /* what execvp() said of the command; or 0 */
	bool ended;
	struct skep_diag *diag;
};

/* --- signals --- */

static volatile sig_atomic_t stopped;

static void on_stop(int signal)
{
	stopped = signal;
}

/* That a child ended is only to be noticed at once; that the terminal interrupts, not at all. */
static void on_nothing(int signal)
{
	(void)signal;
}

/*
 * With a command, interrupts of the terminal are for it alone, and it gets them from there.
 * They are caught, for what is ignored here would be ignored by the command as well.
 */
static void catch_signals(bool with_command)
{
	static const int ends[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };
	static const int words[] = { SIGUSR1, SIGUSR2 }; /* for a command, if anybody */
	struct sigaction stop = { .sa_handler = on_stop };
	struct sigaction pass = { .sa_handler = on_nothing, .sa_flags = SA_RESTART };
	struct sigaction child = { .sa_handler = on_nothing, .sa_flags = SA_NOCLDSTOP };
	struct sigaction old;

	for (size_t i = 0; i < COUNT(ends); i++) {
		bool terminal = ends[i] == SIGINT || ends[i] == SIGQUIT;

		sigaction(ends[i], NULL, &old);
		if (old.sa_handler != SIG_IGN)
			sigaction(ends[i], with_command && terminal ? &pass : &stop, NULL);
	}
	for (size_t i = 0; with_command && i < COUNT(words); i++) {
		sigaction(words[i], NULL, &old);
		if (old.sa_handler != SIG_IGN)
			sigaction(words[i], &stop, NULL);
	}
	sigaction(SIGCHLD, &child, NULL);
}

int end_by_signal(int number)
{
	const struct rlimit none = { 0, 0 };

	fflush(NULL);
	setrlimit(RLIMIT_CORE, &none); /* the core that matters is the command's */
	signal(number, SIG_DFL);
	raise(number);
	return 128 + number;
}

/* --- programs --- */

static bool wanted(const struct command *command, const struct skep_object_prog *prog)
{
	if (!object_arg_selects(&command->loaded->arg, prog))
		return false;
	if (command->programs->count)
		return list_selects(command->programs, prog);
	return command->loaded->arg.program || skep_object_prog_autoload(prog) ||
	       places_name(command->attach, prog);
}

static bool names_exist(const struct running *run)
{
	const struct list *names = run->command->programs;
	const char *only = run->command->loaded->arg.program;

	for (size_t i = 0; i < names->count; i++) {
		if (!skep_object_prog_find(run->object, names->items[i])) {
			no_such_program(run->object, names->items[i], run->diag);
			return false;
		}
	}
	if (!only || skep_object_prog_find(run->object, only))
		return true;
	no_such_program(run->object, only, run->diag);
	return false;
}

/* Keeps why from diag, and clears that. */
static void leave_out(struct running *run, const struct skep_object_prog *prog)
{
	struct unattached *left = &run->unattached[run->unattached_count++];

	left->program = skep_object_prog_name(prog);
	left->section = skep_object_prog_section(prog);
	snprintf(left->reason, sizeof(left->reason), "%s", last_message(run->diag));
	skep_diag_clear(run->diag);
}

static int check_at(void *arg, const struct skep_object_prog *prog, const char *place)
{
	struct skep_link_opts opts = { .place = place };
	struct running *run = arg;

	return skep_link_check(prog, &opts, run->diag);
}

/* What cannot be attached is not loaded either: it may need what no machine has. */
static bool choose(struct running *run)
{
	size_t chosen = 0;

	if (!names_exist(run) || !places_check(run->command->attach, run->object, run->diag))
		return false;
	for (size_t i = 0; i < skep_object_prog_count(run->object); i++) {
		struct skep_object_prog *prog = skep_object_prog_at(run->object, i);
		bool on = wanted(run->command, prog), callee = skep_object_prog_is_tail_target(prog);

		if (on && !callee && places_each(run->command->attach, prog, check_at, run) < 0) {
			if (places_name(run->command->attach, prog))
				return false; /* the place was asked for */
			leave_out(run, prog);
			on = false;
		}
		skep_object_prog_set_autoload(prog, on);
		chosen += on && !callee;
	}
	if (chosen)
		return true;
	skep_report(run->diag, SKEP_NO_TARGETS, NULL, "no program of '%s' can be attached to what "
		    "targets do", run->command->loaded->arg.path);
	for (size_t i = 0; i < run->unattached_count; i++)
		skep_note(run->diag, NULL, "%s: %s", run->unattached[i].program, run->unattached[i].reason);
	skep_note(run->diag, NULL, "%s", skep_code_help(SKEP_ATTACH_PLACE));
	return false;
}

static bool load(struct running *run)
{
	struct loaded *loaded = run->command->loaded;
	struct skep_verify_opts verify = { .kernel_btf = loaded->kernel, .explain = true };

	if (!loaded_machine(loaded, run->command->interpreter, true, run->diag))
		return false;
	run->machine = loaded->world.machine;
	return skep_machine_load(run->machine, run->object, &verify, run->diag) == 0;
}

static int attach_at(void *arg, const struct skep_object_prog *prog, const char *place)
{
	struct running *run = arg;
	struct skep_link_opts opts = { .place = place,
				       .sample_hz = (uint32_t)run->command->sample_hz };

	return skep_link_attach(run->machine, prog, &opts, run->diag) ? 0 : -EINVAL;
}

static bool attach(struct running *run)
{
	const struct command *command = run->command;
	size_t attached = 0;

	for (size_t i = 0; i < skep_object_prog_count(run->object); i++) {
		const struct skep_object_prog *prog = skep_object_prog_at(run->object, i);

		if (!skep_object_prog_autoload(prog) || skep_object_prog_is_tail_target(prog))
			continue;
		if (places_each(command->attach, prog, attach_at, run) == 0)
			attached++;
		else if (command->programs->count || command->loaded->arg.program ||
			 places_name(command->attach, prog))
			return false; /* it was asked for by name */
		else
			leave_out(run, prog);
	}
	if (attached)
		return true;
	skep_report(run->diag, SKEP_NO_TARGETS, NULL, "no program of '%s' could be attached",
		    run->command->loaded->arg.path);
	for (size_t i = 0; i < run->unattached_count; i++)
		skep_note(run->diag, NULL, "%s: %s", run->unattached[i].program, run->unattached[i].reason);
	return false;
}

/* --- targets --- */

/* Opened before anything runs, put in the place of standard output after. */
static int open_out(const struct command *command, struct skep_diag *diag)
{
	int fd = command->out ? open(command->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)
			      : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		skep_report(diag, SKEP_IO, NULL, "'%s' cannot be written: %s",
			    command->out ? command->out : "standard error", strerror(errno));
	return fd;
}

bool pid_of(const char *word, int32_t *pid, struct skep_diag *diag)
{
	char *end;
	long number = strtol(word, &end, 10);

	*pid = (int32_t)number;
	if (!*end && end != word && number > 0 && number <= INT32_MAX)
		return true;
	skep_report(diag, SKEP_ARG, NULL, "--pid '%s' is no process id", word);
	return false;
}

static bool attach_running(struct running *run)
{
	const struct list *pids = run->command->pids;

	for (size_t i = 0; i < pids->count; i++) {
		int32_t pid;

		if (!pid_of(pids->items[i], &pid, run->diag) ||
		    skep_target_attach(run->machine, pid, run->diag) < 0)
			return false;
	}
	return true;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool begin(struct running *run)
{
	int out = open_out(run->command, run->diag);
	bool good;

	if (out < 0)
		return false;
	fflush(NULL);
	run->began_ms = now_ms();
	catch_signals(run->command->argv != NULL);
	good = attach_running(run);
	if (good && run->command->argv) {
		run->not_started = skep_target_spawn(
			run->machine, (const char *const *)(uintptr_t)run->command->argv,
			&run->child, run->diag);
		good = run->not_started == 0;
	}
	if (good)
		dup2(out, STDOUT_FILENO);
	close(out);
	return good;
}

/* Do any of the processes that were given still run with the agent? */
static bool any_followed(struct skep_machine *machine)
{
	struct skep_target_info all[64];
	size_t count = skep_target_list(machine, all, COUNT(all));

	for (size_t i = 0; i < count && i < COUNT(all); i++)
		if (all[i].state == SKEP_TARGET_FOLLOWED && kill(all[i].pid, 0) == 0)
			return true;
	return count > COUNT(all);
}

/* Passes on what Skep was told; without a command that ends the run. */
static bool told_to_stop(struct running *run)
{
	int signal = stopped;

	if (!signal)
		return false;
	stopped = 0;
	if (!run->child)
		return true;
	kill(run->child, signal);
	return false;
}

/* Stops are shown here too, but the follower waits for those: they are only looked at. */
static bool child_ended(struct running *run)
{
	siginfo_t info = { 0 };

	if (!run->child ||
	    waitid(P_PID, (id_t)run->child, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || !info.si_pid ||
	    info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED)
		return false;
	run->ended = waitpid(run->child, &run->status, 0) == run->child;
	return run->ended;
}

/* Show events until the command ends, time is over or somebody stops it. */
static void watch(struct running *run)
{
	uint64_t seconds = run->command->seconds;
	int64_t end = seconds ? now_ms() + (int64_t)seconds * 1000 : INT64_MAX;

	while (now_ms() < end && !told_to_stop(run)) {
		if (child_ended(run))
			break;
		if (!run->child && !any_followed(run->machine))
			break;
		show_events(&run->show, WAIT_MS);
	}
	show_events(&run->show, 0);
}

/* Who still runs goes on without us. */
static void let_go(struct running *run)
{
	skep_target_detach_all(run->machine, LET_GO_MS, run->diag);
	show_events(&run->show, 0);
	/* One that ended meanwhile is no news. */
	skep_diag_clear(run->diag);
}

static bool write_stacks(struct running *run)
{
	const struct command *command = run->command;

	if (!run->stacks)
		return true;
	if (skep_target_stacks(run->machine, run->stacks) < 0) {
		skep_report(run->diag, SKEP_OOM, NULL, "what the targets had mapped");
		return false;
	}
	return fold_end(&run->show, run->stacks, command->argv, command->folded, command->flame,
			run->diag) == 0;
}

static void print_end(struct running *run)
{
	bool json = run->command->json;

	if (run->show.lost && json) {
		struct json line;

		json_begin(&line, stdout);
		json_uint(&line, "lost", run->show.lost);
		json_end(&line);
	}
	if (run->show.lost && !json)
		printf("lost: %llu events, as the buffer was full\n",
		       (unsigned long long)run->show.lost);
	if (!run->command->no_maps && !run->stacks)
		show_maps(&run->show);
	show_targets(run->machine, (uint64_t)run->began_ms * 1000000, json);
	show_missed(run->machine, run->object, json);
	show_unattached(run->unattached, run->unattached_count, json);
	fflush(stdout);
}

/* Programs have been attached where targets run already: now, not when those make a call. */
static bool reach(struct running *run)
{
	const struct command *command = run->command;

	if (skep_target_reach(run->machine, REACH_MS, run->diag) < 0)
		return false;
	if (command->argv || command->pids->count || any_followed(run->machine))
		return true;
	skep_report(run->diag, SKEP_TARGET_NONE, NULL,
		    "no process of this machine runs; -- COMMAND or --pid PID gives it one");
	return false;
}

static int run_targets(struct running *run)
{
	if (!choose(run) || !load(run) || !attach(run) || !reach(run))
		return -1;
	run->show = (struct show){ .object = run->object, .world = &run->command->loaded->world,
				   .event_types = run->command->event_types,
				   .json = run->command->json, .all = run->command->all,
				   .stacks = run->stacks };
	if (!show_check_types(&run->show, run->diag))
		return -1;
	if (!begin(run)) {
		if (!run->not_started)
			return -1;
		report(run->diag, run->command->json);
		skep_diag_clear(run->diag);
		return run->not_started == -ENOENT ? NOT_FOUND : NOT_RUN;
	}
	watch(run);
	let_go(run);
	if (!write_stacks(run))
		return -1;
	print_end(run);
	if (run->child && !run->ended)
		return 0; /* time was over; the command goes on */
	if (run->child && WIFSIGNALED(run->status))
		return RUN_SIGNALLED + WTERMSIG(run->status);
	return run->child ? WEXITSTATUS(run->status) : 0;
}

int run_command(const struct command *command, struct skep_diag *diag)
{
	struct running run = { .command = command, .object = command->loaded->object,
			       .diag = diag };
	size_t programs = skep_object_prog_count(run.object);
	int status;

	/* Each program is left out at most twice: found so, and again when it is attached. */
	run.unattached = calloc(2 * programs + 1, sizeof(*run.unattached));
	if (!run.unattached) {
		skep_report(diag, SKEP_OOM, NULL, "a list of programs");
		return -1;
	}
	if (command->flame || command->folded)
		run.stacks = skep_stacks_new();
	if ((command->flame || command->folded) && !run.stacks)
		skep_report(diag, SKEP_OOM, NULL, "stacks");
	status = skep_diag_count(diag) ? -1 : run_targets(&run);
	skep_stacks_free(run.stacks);
	free(run.unattached);
	return status;
}
