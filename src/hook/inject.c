/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inject.c - the agent into a process, its entries called there, and out again.
 *
 * What has no agent yet runs the loader (loader.c), which goes by the image's file; in that is written
 * what the agent is told at its start. The entries of one that is there are called on its own stack,
 * and what they are told is written into its data.
 */
#include "hook/inject.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "helper/task_proc.h"
#include "hook/interrupted.h"
#include "hook/loader.h"
#include "hook/parcel.h"
#include "hook/trace.h"
#include "map/owner.h"

/* The agent never has these blocked while it is there (src/agent/signal.h). */
#define SIGNALS_AGENTS \
	(SIGNAL_BIT(SIGSYS) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGTRAP) | \
	 SIGNAL_BIT(64))

/* Were they blocked, a fault that the agent expects would end the process. */
#define SIGNALS_FAULTS (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGTRAP))

int injector_init(struct injector *injector, void *arena, uint64_t size, int arena_file)
{
	struct stat status;
	int error;

	*injector = (struct injector){ .image_file = -1, .arena = (uintptr_t)arena,
				       .arena_size = size };
	pthread_mutex_init(&injector->starting, NULL);
	error = image_init(&injector->image, injector->arena - AGENT_SPAN);
	if (error < 0)
		return error;
	injector->image_file = (int)syscall(SYS_memfd_create, IMAGE_NAME, 1u /* MFD_CLOEXEC */);
	injector->arena_file = arena_file;
	error = injector->image_file < 0 ? -errno
					 : image_write(&injector->image, injector->image_file);
	if (error == 0 && fstat(injector->image_file, &status) < 0)
		error = -errno;
	if (error < 0) {
		injector_done(injector);
		return error;
	}
	snprintf(injector->arena_path, AGENT_PATH, "/proc/%d/fd/%d", (int)getpid(), arena_file);
	snprintf(injector->image_path, sizeof(injector->image_path), "/proc/%d/fd/%d", (int)getpid(),
		 injector->image_file);
	injector->image_device = status.st_dev;
	injector->image_inode = status.st_ino;
	return 0;
}

void injector_done(struct injector *injector)
{
	image_done(&injector->image);
	pthread_mutex_destroy(&injector->starting);
	if (injector->image_file >= 0)
		close(injector->image_file);
	injector->image_file = -1;
}

/* --- an agent that is there --- */

/* A line of /proc/PID/maps. False: of something else than an agent, or its arena. */
static bool find_in_line(const char *line, pid_t pid, struct agent_at *at)
{
	unsigned long start, offset, inode;
	unsigned major, minor;
	char perms[5];

	if (sscanf(line, "%lx-%*x %4s %lx %x:%x %lu", &start, perms, &offset, &major, &minor,
		   &inode) != 6 || offset != 0)
		return false;
	if (at->base && start == at->base + AGENT_SPAN) {
		at->device = makedev(major, minor);
		at->inode = inode;
		return true;
	}
	if (at->base || perms[2] != 'x' || !strstr(line, "/memfd:" IMAGE_NAME) ||
	    trace_read(pid, start, &at->table, sizeof(at->table)) < 0 ||
	    !image_table_good(&at->table))
		return false;
	at->base = start;
	return false;
}

int inject_find(pid_t pid, struct agent_at *at)
{
	char path[40], line[512];
	bool complete = false;
	FILE *maps;

	*at = (struct agent_at){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	if (!maps)
		return -errno;
	/* The arena comes after the agent. */
	while (!complete && fgets(line, sizeof(line), maps))
		complete = find_in_line(line, pid, at);
	fclose(maps);
	return at->base != 0;
}

/* --- putting it together --- */

static int read_auxv(pid_t pid, struct agent_start *start)
{
	uint64_t pairs[64][2];
	char path[40];
	ssize_t size;
	int fd, used = 0;

	snprintf(path, sizeof(path), "/proc/%d/auxv", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	size = read(fd, pairs, sizeof(pairs));
	close(fd);
	for (size_t i = 0; size > 0 && i < (size_t)size / sizeof(pairs[0]) && pairs[i][0]; i++)
		if (used < AGENT_AUXV - 1)
			memcpy(start->auxv[used++], pairs[i], sizeof(pairs[i]));
	return used > 0 ? 0 : -ENODATA;
}

static int start_fill(struct agent_start *start, const struct injector *injector,
		      const struct inject *what, pid_t tid)
{
	*start = (struct agent_start){
		.arena = injector->arena, .arena_size = injector->arena_size,
		.pid = (uint32_t)what->pid, .tid = (uint32_t)tid, .why = what->why,
		.exec_nr = what->exec_nr, .exec_tid = what->exec_tid, .orphan = what->orphan,
		.at_once = what->at_once, .threads = (uintptr_t)what->threads,
		.thread_count = what->thread_count,
		.process = what->process, .targets = injector->targets,
	};
	memcpy(start->arena_path, injector->arena_path, AGENT_PATH);
	return read_auxv(what->pid, start);
}

/* With where the thread goes on, which is in regs. */
static int start_fill_here(struct agent_start *start, const struct injector *injector,
			   const struct inject *what, pid_t tid, struct user_regs_struct *regs)
{
	int error = start_fill(start, injector, what, tid);

	if (error == 0)
		error = trace_regs_read(tid, regs);
	if (error < 0)
		return error;
	start->ip = regs->rip;
	start->sp = regs->rsp;
	start->flags = regs->eflags;
	start->ax = regs->rax;
	start->orig_ax = regs->orig_rax;
	memcpy(start->arg, (const uint64_t[]){ regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8,
					       regs->r9 }, sizeof(start->arg));
	return 0;
}

/* What a process in another space cannot find out about itself. */
static void fill_name(struct agent_start *start, pid_t pid)
{
	struct owner_clocks clocks;
	char digits[16];

	snprintf(digits, sizeof(digits), "%d", (int)pid);
	start->users = task_inode("/proc/self/ns/user");
	if (owner_clocks_read(&clocks)) {
		start->clocks[0] = clocks.monotonic_ns;
		start->clocks[1] = clocks.boot_ns;
	}
	start->space = owner_space_read(digits);
	if (start->space != owner_space())
		owner_describe((uint32_t)pid, &start->began, &start->image);
}

/* --- starting it --- */

/* Whether a path leads to the image in the process's own tree of files. */
static bool finds_image(const struct injector *injector, pid_t pid)
{
	char path[AGENT_PATH + 32];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, injector->image_path);
	return stat(path, &status) == 0 && status.st_dev == injector->image_device &&
	       status.st_ino == injector->image_inode;
}

static struct agent_at ours(const struct injector *injector)
{
	return (struct agent_at){ .base = injector->image.base, .table = injector->image.table };
}

/* What the agent is told goes into the image's file, whence the process maps it. */
static int tell(const struct injector *injector, const struct agent_start *start)
{
	ssize_t size = pwrite(injector->image_file, start, sizeof(*start),
			      injector->image.table.note);

	return size == (ssize_t)sizeof(*start) ? 0 : -EIO;
}

static int64_t start_in(const struct injector *injector, struct loading *loading,
			const struct agent_start *start, pid_t pid)
{
	int64_t result = tell(injector, start);

	if (result == 0 && finds_image(injector, pid)) {
		result = loading_run(loading, LOADER_MAP, 0);
		if (result != -EACCES && result != -EPERM && result != -ENOENT)
			return result;
		result = 0;
	}
	if (result < 0)
		return result;
	return start->sockets ? parcel_start(injector, loading, pid) : -ENOTSUP;
}

/* One at a time, as the file is one. */
static int start_with(const struct injector *injector, pid_t tid, struct agent_start *start,
		      pid_t pid)
{
	const struct agent_at at = ours(injector);
	struct loading loading;
	int error = loading_begin(&loading, tid, injector, &at, start, SIGNALS_AGENTS);

	if (error < 0)
		return error;
	loading.started = at.base + at.table.called;
	start->back = loading.run.back;
	return loading_end(&loading, start_in(injector, &loading, start, pid));
}

static int start_agent(struct injector *injector, pid_t tid, const struct inject *what)
{
	struct user_regs_struct regs;
	struct agent_start start;
	int error = start_fill_here(&start, injector, what, tid, &regs);

	if (error < 0)
		return error;
	fill_name(&start, what->pid);
	start.sockets = parcel_may(what);
	pthread_mutex_lock(&injector->starting);
	error = start_with(injector, tid, &start, what->pid);
	pthread_mutex_unlock(&injector->starting);
	return error;
}

/* --- calling an agent that is there --- */

/* Calls one of its entries. free: as of struct trace_run. The thread is for the caller to put back. */
static int agent_call(const struct agent_at *at, pid_t tid, uint32_t entry, struct agent_start *start,
		      uint64_t free, const struct user_regs_struct *saved, uint64_t *result)
{
	const struct agent_table *table = &at->table;
	uint64_t base = at->base;
	struct user_regs_struct regs = *saved;
	struct trace_run run;
	int error = trace_run_begin(tid, free, saved, &run);

	if (error < 0)
		return error;
	start->back = run.back;
	error = trace_write(tid, base + table->note, start, sizeof(*start));
	if (error < 0)
		return error;
	regs.rip = base + table->call;
	regs.r15 = base + table->stack;
	regs.rbx = regs.rdi = base + table->note;
	regs.rax = base + entry;
	error = trace_run(tid, &run, &regs, base + table->called, 0);
	*result = regs.r12;
	return error;
}

static int agent_run(const struct agent_at *at, pid_t tid, uint32_t entry, struct agent_start *start,
		     uint64_t free)
{
	struct user_regs_struct saved;
	uint64_t result = 0;
	int error = trace_regs_read(tid, &saved), back;

	if (error < 0)
		return error;
	error = agent_call(at, tid, entry, start, free, &saved, &result);
	back = trace_regs_write(tid, &saved);
	if (error < 0 || back < 0)
		return error < 0 ? error : back;
	return (int64_t)result < 0 ? (int)result : 0;
}

int inject_thread(const struct injector *injector, pid_t tid, const struct inject *what)
{
	const struct agent_at at = ours(injector);
	struct user_regs_struct regs;
	struct agent_start start;
	uint64_t to = 0;
	int error = start_fill_here(&start, injector, what, tid, &regs), back;

	if (error < 0)
		return error;
	error = agent_call(&at, tid, at.table.thread, &start, SIGNALS_AGENTS, &regs, &to);
	if (error == 0 && (int64_t)to < 0)
		error = (int)to;
	interrupted_go_on(&regs, error < 0 ? 0 : (int64_t)to);
	back = trace_regs_write(tid, &regs);
	return error < 0 ? error : back;
}

/*
 * Whether the thread is in the agent's text. The signal that makes it leave must not
 * show: a call it waits in is to be begun again, whatever it is.
 */
static int look_inside(const struct agent_at *at, pid_t tid, uint64_t *inside)
{
	struct user_regs_struct regs;
	int error = trace_regs_read(tid, &regs);

	if (error < 0 || regs.rip - at->base >= AGENT_SPAN)
		return error;
	++*inside;
	if (!interrupted_is(&regs))
		return 0;
	regs.rax = (uint64_t)-INTERRUPTED_NOINTR;
	return trace_regs_write(tid, &regs);
}

int inject_patch(const struct injector *injector, pid_t tid, const struct inject *what,
		 bool shared)
{
	const struct agent_at at = ours(injector);
	struct user_regs_struct regs;
	struct agent_start start;
	int error = start_fill_here(&start, injector, what, tid, &regs);

	if (error < 0)
		return error;
	start.shared = shared;
	return agent_run(&at, tid, at.table.patch, &start, SIGNALS_FAULTS);
}

/* Its code is patched, and programs see it begin, when the loader is out of the way. */
int inject_start(struct injector *injector, pid_t tid, const struct inject *what)
{
	int error = start_agent(injector, tid, what);

	return error == 0 && what->why != AGENT_ATTACHED ? inject_patch(injector, tid, what, false)
							 : error;
}

/* In a process that goes on; entry: of its agent's table, which may be of another build of this
 * version, if its supervisor is not us. */
static int call_there(const struct injector *injector, pid_t tid, const struct inject *what,
		      size_t entry)
{
	struct user_regs_struct regs;
	struct agent_start start;
	struct agent_at at;
	uint32_t offset;
	int error = inject_find(what->pid, &at);

	if (error <= 0 || at.base != injector->image.base)
		return error < 0 ? error : -ESRCH;
	memcpy(&offset, (const char *)&at.table + entry, sizeof(offset));
	error = start_fill_here(&start, injector, what, tid, &regs);
	if (error < 0)
		return error;
	return agent_run(&at, tid, offset, &start, SIGNALS_FAULTS);
}

int inject_look(const struct injector *injector, pid_t tid, const struct inject *what)
{
	return call_there(injector, tid, what, offsetof(struct agent_table, look));
}

int inject_settle(const struct injector *injector, pid_t tid, const struct inject *what)
{
	return call_there(injector, tid, what, offsetof(struct agent_table, settle));
}

int inject_stop(const struct injector *injector, const struct agent_at *at, const pid_t *tids,
		size_t count, const struct inject *what)
{
	struct agent_start start;
	struct loading loading;
	int error = start_fill(&start, injector, what, tids[0]);

	/* Without its arena it is what a supervisor that was killed has left: nobody runs it. */
	for (size_t i = 0; at->inode != 0 && i < count && error == 0; i++)
		error = look_inside(at, tids[i], &start.inside);
	if (at->inode != 0 && error == 0)
		error = agent_run(at, tids[0], at->table.stop, &start, SIGNALS_FAULTS);
	for (size_t i = 0; at->inode != 0 && i < count && error == 0; i++)
		error = agent_run(at, tids[i], at->table.leave, &start, SIGNALS_FAULTS);
	start.last = 1;
	if (at->inode != 0 && error == 0)
		error = agent_run(at, tids[0], at->table.stop, &start, 0);
	if (error == 0)
		error = loading_begin(&loading, tids[0], injector, at, &start, SIGNALS_AGENTS);
	return error < 0 ? error : loading_end(&loading, loading_run(&loading, LOADER_UNMAP, 0));
}
