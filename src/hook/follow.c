/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * follow.c - starting, and being there at every exec.
 *
 * ptrace belongs to the thread that began it, so an exec is watched by the
 * follower's own thread from the question to the injection. That thread waits
 * for two kinds of news, questions and stops, of which only one can be slept on:
 * while it watches somebody it looks at both, often at first, then less so.
 */
#include "hook/follow_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "hook/gain.h"
#include "hook/spaces.h"
#include "hook/trace.h"
#include "map/memory.h"
#include "map/owner.h"

struct targets *follower_targets(struct follower *follower)
{
	return follower->targets;
}

void follower_scans(struct follower *follower, follower_scan_fn *scan, void *arg)
{
	follower->scan_arg = arg;
	__atomic_store_n(&follower->scan, scan, __ATOMIC_RELEASE);
}

static int scan_files(struct follower *follower, pid_t tid, int fd)
{
	follower_scan_fn *scan = __atomic_load_n(&follower->scan, __ATOMIC_ACQUIRE);

	return scan ? scan(follower->scan_arg, tid, fd) : -ENOSYS;
}

struct spaces *follower_spaces(struct follower *follower)
{
	return follower->spaces;
}

/* --- records --- */

/* NULL when all records are those of live targets. */
struct process *follow_record(struct follower *follower, pid_t pid)
{
	struct process *process = process_find(follower->targets, (uint32_t)pid);

	if (!process)
		process = process_claim(follower->targets, (uint32_t)pid, trace_status(pid, "PPid:"));
	return process;
}

void follow_refuse(struct process *process, enum process_whynot whynot, int error)
{
	if (!process)
		return;
	process_describe(process, false);
	process_refuse(process, whynot, error);
}

bool follow_holds(pid_t tid)
{
	char path[48]; /* of the thread that traces it */

	snprintf(path, sizeof(path), "/proc/self/task/%u", trace_status(tid, "TracerPid:"));
	return access(path, F_OK) == 0;
}

bool follow_is_over(pid_t pid)
{
	char path[40], link[2];

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	return readlink(path, link, sizeof(link)) < 0 && errno == ENOENT;
}

/* A thread could not be seized. */
void follow_refuse_seize(struct process *process, pid_t tid, int error)
{
	uint32_t tracer = trace_status(tid, "TracerPid:");

	if (process && tracer)
		process->tracer = tracer;
	if (!follow_is_over(tid))
		follow_refuse(process, tracer ? WHYNOT_TRACED : WHYNOT_DENIED, error);
	else if (process && process->pid == (uint32_t)tid)
		process_leave(process);
}

/* What inject_start() said, as a reason. */
static enum process_whynot whynot_of(int error)
{
	static const struct { int error; enum process_whynot whynot; } rows[] = {
		{ -ENOEXEC, WHYNOT_32BIT }, { -ENODEV, WHYNOT_CPU },    { -EEXIST, WHYNOT_PLACE },
		{ -EACCES, WHYNOT_ARENA },  { -ENOENT, WHYNOT_ARENA },  { -EPERM, WHYNOT_ARENA },
		{ -ENOTSUP, WHYNOT_FILTER }, { -ENOMEM, WHYNOT_ROOM },  { -EMFILE, WHYNOT_FILES },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].error == error)
			return rows[i].whynot;
	return WHYNOT_ERROR;
}

/* --- injection into a stopped thread --- */

int follow_bring_in(struct follower *follower, struct process *process, struct inject what)
{
	pid_t pid = what.pid;
	int error;

	if (!process)
		return -ENOSPC;
	what.process = process_index(follower->targets, process);
	scan_files(follower, pid, -1);
	error = inject_start(&follower->injector, pid, &what);
	if (error == 0 && !process->exe[0])
		process_describe(process, false); /* it has no /proc to look into */
	if (error < 0 && error != -ESRCH)
		follow_refuse(process, whynot_of(error), error);
	return error;
}

static bool is_stop_signal(int signal)
{
	return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/* Whatever it stopped for that is not what we wait for: as without us. */
static void pass_on(pid_t tid, const struct trace_event *event)
{
	if (event->stop == TRACE_INTERRUPT && is_stop_signal(event->signal))
		trace_listen(tid);
	else if (event->stop != TRACE_NONE && event->stop != TRACE_GONE)
		trace_continue(tid, event->stop == TRACE_SIGNAL ? event->signal : 0);
}

/* Waits for a seized thread's exec. 0, or -ESRCH. */
static int wait_for_exec(pid_t tid)
{
	struct trace_event event;

	for (;;) {
		int error = trace_wait(tid, true, &event);

		if (error < 0)
			return error;
		if (event.stop == TRACE_EXEC)
			return 0;
		if (event.stop == TRACE_GONE)
			return -ESRCH;
		pass_on(tid, &event);
	}
}

/* --- the follower's thread: execs --- */

static struct watch *watch_find(struct follower *follower, pid_t tid)
{
	for (unsigned i = 0; i < WATCHED; i++)
		if (follower->watch[i].tid == tid)
			return &follower->watch[i];
	return NULL;
}

static void watch_end(struct follower *follower, struct watch *watch)
{
	watch->tid = 0;
	follower->watched--;
}

/* Of a thread that we are about to hold for something else. */
static void let_go(struct follower *follower, pid_t pid, pid_t tid)
{
	bool held = follower->reach.settle.pid != 0;

	reach_let_go(&follower->reach, pid, tid);
	if (held && !follower->reach.settle.pid)
		pthread_mutex_unlock(&follower->holding);
}

static int64_t serve_will_exec(struct follower *follower, struct mail_message *message,
			       uint64_t asker)
{
	pid_t pid = (pid_t)message->pid, tid = (pid_t)message->tid;
	struct watch *watch = watch_find(follower, 0);
	struct process *process = follow_record(follower, pid);
	char name[4096] = "", path[4200];
	int error;

	(void)asker;
	if (trace_read_string(pid, message->arg[1], name, sizeof(name)) < 0)
		return MAIL_NOT_FOLLOWED; /* the call will fail of it */
	program_path(path, sizeof(path), pid, (int)message->arg[0], name);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return MAIL_NOT_FOLLOWED; /* a step of a search; the same */
	if (program_gains(path, pid)) {
		follow_refuse(process, WHYNOT_PRIVILEGE, 0);
		return MAIL_NOT_FOLLOWED;
	}
	let_go(follower, pid, tid);
	error = watch ? trace_seize(tid) : -EAGAIN;
	if (error == -EPERM && process && follow_holds(tid)) { /* to take the agent out */
		process_set_state(process, PROCESS_DETACHED);
		return MAIL_NOT_FOLLOWED;
	}
	if (error < 0) {
		follow_refuse_seize(process, tid, error);
		return MAIL_NOT_FOLLOWED;
	}
	*watch = (struct watch){ .tid = tid, .pid = pid, .process = process,
				 .nr = (uint32_t)(message->arg[2] & ~MAIL_SOCKETS),
				 .sockets = message->arg[2] & MAIL_SOCKETS, .since = owner_clock() };
	follower->watched++;
	return MAIL_SEIZED;
}

/* The call returned: the process goes on as what it was. */
static int64_t serve_exec_failed(struct follower *follower, struct mail_message *message,
				 uint64_t asker)
{
	struct watch *watch = watch_find(follower, (pid_t)message->tid);
	struct process *process = process_find(follower->targets, message->pid);
	struct trace_event event;

	(void)asker;
	if (process) {
		process->whynot = WHYNOT_NONE;
		process->error = 0;
		process_set_state(process, PROCESS_FOLLOWED); /* it has the agent, as it asks */
	}
	if (!watch)
		return 0;
	if (trace_interrupt(watch->tid) == 0)
		while (trace_wait(watch->tid, true, &event) == 0 && event.stop == TRACE_SIGNAL &&
		       trace_continue(watch->tid, event.signal) == 0)
			trace_interrupt(watch->tid); /* that stop has taken its place */
	trace_detach(watch->tid, 0);
	watch_end(follower, watch);
	return 0;
}

static int64_t serve_scan_file(struct follower *follower, struct mail_message *message,
			       uint64_t asker)
{
	(void)asker;
	return scan_files(follower, (pid_t)message->tid, (int)message->arg[2]);
}

/* Any thread may make the call; after it there is one, with the process's id. */
static void watch_look(struct follower *follower, struct watch *watch)
{
	struct trace_event event;
	pid_t tid = watch->tid;
	int error = trace_wait(tid, false, &event);

	if (tid != watch->pid && (error < 0 || event.stop == TRACE_NONE)) {
		tid = watch->pid;
		error = trace_wait(tid, false, &event);
		if (error == -ECHILD && watch->tid != tid)
			return;
	}
	if (error < 0 || event.stop == TRACE_GONE) {
		watch_end(follower, watch);
		return;
	}
	if (event.stop != TRACE_EXEC) {
		pass_on(tid, &event);
		return;
	}
	spaces_forget(follower->spaces, watch->pid);
	if (watch->process)
		watch->process->host = 0;
	follow_bring_in(follower, watch->process,
		 (struct inject){ .why = AGENT_EXEC, .pid = tid, .exec_nr = watch->nr,
				  .exec_tid = watch->tid, .sockets = watch->sockets });
	trace_detach(tid, 0);
	watch_end(follower, watch);
}

/* --- the follower's thread: its round --- */

static serve_fn *const serve[MAIL_KINDS] = {
	[MAIL_WILL_EXEC] = serve_will_exec,
	[MAIL_EXEC_FAILED] = serve_exec_failed,
	[MAIL_SCAN_FILE] = serve_scan_file,
};

/* Now and then: who ended without a word, and what they left behind. */
static void sweep(struct follower *follower)
{
	uint64_t now = owner_clock();

	if (now - follower->swept < 100000000)
		return;
	follower->swept = now;
	mail_sweep(&follower->targets->mail, memory_owners(follower->memory));
	targets_sweep(follower->targets);
}

/* A program that is about to be replaced looks when it begins. */
static bool is_watched(void *arg, pid_t pid)
{
	const struct follower *follower = arg;

	for (unsigned i = 0; follower->watched && i < WATCHED; i++)
		if (follower->watch[i].tid && follower->watch[i].pid == pid)
			return true;
	return false;
}

static void reach(struct follower *follower)
{
	if (!follower->reach.late.count && !follower->reach.settle.pid &&
	    !reach_is_due(&follower->reach, follower->targets))
		return;
	/* It is kept while a process is being held. */
	if (!follower->reach.settle.pid && pthread_mutex_trylock(&follower->holding) != 0)
		return;
	reach_round(&follower->reach, follower->targets, &follower->injector, is_watched, follower);
	if (!follower->reach.settle.pid)
		pthread_mutex_unlock(&follower->holding);
}

/* How long to sleep when there may be stops to see. */
static uint64_t round_length(const struct follower *follower)
{
	uint64_t since = 0, age;

	if (follower->reach.settle.pid)
		return 60000;
	if (follower->watched == 0)
		return follower->reach.late.count || reach_is_due(&follower->reach, follower->targets) ? 1000000
										    : 100000000;
	for (unsigned i = 0; i < WATCHED; i++)
		if (follower->watch[i].tid)
			since = MAX(since, follower->watch[i].since);
	age = owner_clock() - since;
	return age < 5000000 ? 60000 : age < 100000000 ? 1000000 : 10000000;
}

/*
 * What the follower looks for in the mail. Thousands may want to replace their programs at once:
 * those past what can be watched wait for their answer, unless nothing has moved for long.
 */
static uint32_t kinds_now(const struct follower *follower)
{
	const uint64_t stuck_ns = 2000000000;
	uint64_t since = 0;

	if (follower->watched < MAIL_SLOTS)
		return ~ANSWERED;
	for (unsigned i = 0; i < WATCHED; i++)
		if (follower->watch[i].tid)
			since = MAX(since, follower->watch[i].since);
	return owner_clock() - since < stuck_ns ? ~ANSWERED & ~MAIL_BIT(MAIL_WILL_EXEC) : ~ANSWERED;
}

static void *follower_main(void *arg)
{
	struct follower *follower = arg;
	struct mail *mail = &follower->targets->mail;
	bool settled;

	prctl(PR_SET_NAME, "skep-follow");
	prctl(PR_SET_TIMERSLACK, 1);
	mail_live(mail, &follower->life);
	while (!__atomic_load_n(&follower->stop, __ATOMIC_ACQUIRE)) {
		uint32_t bell = __atomic_load_n(&mail->bell, __ATOMIC_ACQUIRE);

		follow_serve(follower, serve, kinds_now(follower));
		for (unsigned i = 0; follower->watched && i < WATCHED; i++)
			if (follower->watch[i].tid)
				watch_look(follower, &follower->watch[i]);
		sweep(follower);
		reach(follower);
		settled = trace_settle();
		mail_wait(mail, bell, settled ? round_length(follower) : 1000000);
	}
	trace_settle_for(100);
	return NULL; /* the kernel lets go of whom this thread holds */
}

/* --- making one --- */

/* Signals are for the process's other threads. */
static int follower_start_thread(struct follower *follower)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = -answers_begin(follower);
	if (error == 0) {
		error = pthread_create(&follower->thread, NULL, follower_main, follower);
		if (error != 0)
			answers_end(follower);
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	follower->started = error == 0;
	return -error;
}

struct follower *follower_new(struct memory *memory, struct targets *targets, int arena_file,
			      int *error)
{
	struct follower *follower = calloc(1, sizeof(*follower));
	struct stat status;

	*error = -ENOMEM;
	if (!follower)
		return NULL;
	follower->memory = memory;
	follower->targets = targets;
	follower->reach.memory = memory;
	follower->began = owner_clock();
	follower->injector.image_file = -1;
	pthread_mutex_init(&follower->holding, NULL);
	follower->spaces = spaces_new(memory, targets);
	if (!follower->spaces) {
		free(follower);
		return NULL;
	}
	*error = fstat(arena_file, &status) < 0 ? -errno
						: mail_open(&targets->mail, memory_owners(memory));
	if (*error == 0) {
		follower->device = status.st_dev;
		follower->inode = status.st_ino;
		targets->supervisor = (uint32_t)getpid();
		owner_make_home(memory_owners(memory));
		*error = injector_init(&follower->injector, memory, memory_size(memory), arena_file);
		follower->injector.targets = (uintptr_t)targets;
		if (*error == 0)
			*error = follower_start_thread(follower);
		if (*error < 0)
			mail_close(&targets->mail);
	}
	if (*error == 0)
		return follower;
	injector_done(&follower->injector);
	spaces_free(follower->spaces);
	free(follower);
	return NULL;
}

void follower_free(struct follower *follower)
{
	if (!follower)
		return;
	__atomic_store_n(&follower->stop, 1, __ATOMIC_RELEASE);
	mail_ring(&follower->targets->mail);
	pthread_join(follower->thread, NULL);
	answers_end(follower);
	mail_close(&follower->targets->mail);
	reach_done(&follower->reach);
	pthread_mutex_destroy(&follower->holding);
	injector_done(&follower->injector);
	spaces_free(follower->spaces);
	free(follower);
}

/* --- starting a command --- */

/* The child: waits to be held, then becomes the command, or says why not. */
static _Noreturn void spawn_child(int go, int told, char *const argv[])
{
	char byte;
	int error;

	if (read(go, &byte, 1) != 1)
		_exit(127);
	execvp(argv[0], argv);
	error = errno;
	if (write(told, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

static void spawn_hold(struct follower *follower, pid_t pid, const char *file, bool *held)
{
	struct process *process = follow_record(follower, pid);
	char path[4096];
	int error;

	*held = false;
	if (program_search(path, sizeof(path), file) == 0 && program_gains(path, pid)) {
		follow_refuse(process, WHYNOT_PRIVILEGE, 0);
		return;
	}
	error = trace_seize(pid);
	if (error < 0)
		follow_refuse_seize(process, pid, error);
	*held = error == 0;
}

/* A word through the pipe says that it failed; its end, that it worked. */
static int spawn_result(int told, pid_t pid)
{
	int error = 0;
	ssize_t size;

	do
		size = read(told, &error, sizeof(error));
	while (size < 0 && errno == EINTR);
	if (size != sizeof(error))
		return 0;
	waitpid(pid, NULL, 0);
	return -error;
}

pid_t follower_spawn(struct follower *follower, char *const argv[])
{
	int go[2], told[2], error;
	bool held;
	pid_t pid;

	if (pipe2(go, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(told, O_CLOEXEC) < 0) {
		error = -errno;
		close(go[0]);
		close(go[1]);
		return error;
	}
	pid = fork();
	error = -errno;
	if (pid == 0) {
		close(go[1]);
		spawn_child(go[0], told[1], argv);
	}
	close(go[0]);
	close(told[1]);
	if (pid > 0) {
		spawn_hold(follower, pid, argv[0], &held);
		error = write(go[1], "", 1) == 1 ? 0 : -errno;
		if (held && wait_for_exec(pid) == 0) {
			follow_bring_in(follower, process_find(follower->targets, (uint32_t)pid),
				 (struct inject){ .why = AGENT_SPAWNED, .pid = pid,
						  .exec_nr = SYS_execve, .exec_tid = pid });
			trace_detach(pid, 0);
			trace_settle_for(100);
		}
		if (error == 0)
			error = spawn_result(told[0], pid);
		if (error < 0) {
			struct process *process = process_find(follower->targets, (uint32_t)pid);

			if (process)
				process_leave(process);
		}
	}
	close(go[1]);
	close(told[0]);
	return pid > 0 && error == 0 ? pid : error;
}
