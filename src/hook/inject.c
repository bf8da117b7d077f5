/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inject.c - runs a piece of code in a stopped thread that maps the agent's
 * image and calls it.
 *
 * The code and all it needs are written over the page the thread is about to
 * execute, run to its int3 at one stretch (stops are what costs time here), and
 * replaced by the page's own bytes:
 *
 *   page | ... | struct loader: code, numbers, struct agent_start, path | ... |
 */
#include "hook/inject.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/base.h"
#include "hook/interrupted.h"
#include "hook/trace.h"

/*
 * rbx is the address of the struct loader; the result is in rax. The labels are
 * the ways in: map the image and call; unmap the image.
 */
extern const uint8_t loader_map[], loader_unmap[], loader_end[];
__asm__(".pushsection .rodata\n"
	".hidden loader_map, loader_unmap, loader_end\n"
	"loader_map:\n"
	"	mov $257, %eax\n" /* openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC) */
	"	mov $-100, %rdi\n"
	"	lea 304(%rbx), %rsi\n"
	"	mov $0x80000, %edx\n"
	"	xor %r10d, %r10d\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	js 9f\n"
	"	mov %rax, %rbp\n"
	"	mov $9, %eax\n" /* mmap(base, size, R-X, PRIVATE | FIXED_NOREPLACE, fd, 0) */
	"	mov 256(%rbx), %rdi\n"
	"	mov 264(%rbx), %rsi\n"
	"	mov $5, %edx\n"
	"	mov $0x100002, %r10d\n"
	"	mov %rbp, %r8\n"
	"	xor %r9d, %r9d\n"
	"	syscall\n"
	"	mov %rax, %r12\n"
	"	mov $3, %eax\n" /* close(fd) */
	"	mov %rbp, %rdi\n"
	"	syscall\n"
	"	mov %r12, %rax\n"
	"	test %rax, %rax\n"
	"	js 9f\n"
	"	mov $10, %eax\n" /* mprotect(data, its size, RW-) */
	"	mov 272(%rbx), %rdi\n"
	"	mov 280(%rbx), %rsi\n"
	"	mov $3, %edx\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	js 8f\n"
	"	mov 288(%rbx), %rsp\n"
	"	lea 560(%rbx), %rdi\n"
	"	cld\n"
	"	call *296(%rbx)\n"
	"	test %rax, %rax\n"
	"	jns 9f\n"
	"8:	mov %rax, %r12\n" /* leave nothing behind */
	"	mov $11, %eax\n"
	"	mov 256(%rbx), %rdi\n"
	"	mov 264(%rbx), %rsi\n"
	"	syscall\n"
	"	mov %r12, %rax\n"
	"9:	int3\n"
	"loader_unmap:\n"
	"	mov $11, %eax\n" /* munmap(base, size) */
	"	mov 256(%rbx), %rdi\n"
	"	mov 264(%rbx), %rsi\n"
	"	syscall\n"
	"	int3\n"
	"loader_end:\n"
	".popsection\n");

/* The agent never has these blocked while it is there (src/agent/signal.h). */
#define SIGNAL_BIT(n) (1ull << ((n) - 1))
#define SIGNALS_AGENTS \
	(SIGNAL_BIT(SIGSYS) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGTRAP) | \
	 SIGNAL_BIT(64))

/* Were they blocked, the trap at the end of what is run would end their handlers. */
#define SIGNALS_FAULTS (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGTRAP))

#define LOADER_CODE 256
#define IMAGE_NAME "skep-agent"

struct loader {
	uint8_t code[LOADER_CODE];
	uint64_t base, size;
	uint64_t data, data_size; /* what is to be writable */
	uint64_t stack;
	uint64_t entry;
	char path[AGENT_PATH];
	struct agent_start start;
};

_Static_assert(offsetof(struct loader, base) == 256 && offsetof(struct loader, data) == 272 &&
	       offsetof(struct loader, stack) == 288 && offsetof(struct loader, entry) == 296 &&
	       offsetof(struct loader, path) == 304 && offsetof(struct loader, start) == 560 &&
	       sizeof(struct loader) <= 4096, "the code above knows where things are");

int injector_init(struct injector *injector, void *arena, uint64_t size, int arena_file)
{
	int error;

	*injector = (struct injector){ .image_file = -1, .arena = (uintptr_t)arena,
				       .arena_size = size };
	error = image_init(&injector->image, injector->arena - AGENT_SPAN);
	if (error < 0)
		return error;
	injector->image_file = (int)syscall(SYS_memfd_create, IMAGE_NAME, 1u /* MFD_CLOEXEC */);
	error = injector->image_file < 0 ? -errno
					 : image_write(&injector->image, injector->image_file);
	if (error < 0) {
		injector_done(injector);
		return error;
	}
	snprintf(injector->arena_path, AGENT_PATH, "/proc/%d/fd/%d", (int)getpid(), arena_file);
	snprintf(injector->image_path, AGENT_PATH, "/proc/%d/fd/%d", (int)getpid(),
		 injector->image_file);
	return 0;
}

void injector_done(struct injector *injector)
{
	image_done(&injector->image);
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

static int loader_fill(struct loader *loader, const struct injector *injector,
		       const struct agent_at *at, const struct inject *what, pid_t tid, uint32_t entry)
{
	const struct agent_table *table = &at->table;

	*loader = (struct loader){
		.base = at->base, .size = table->size,
		.data = at->base + table->text, .data_size = table->size - table->text,
		.stack = at->base + table->stack, .entry = at->base + entry,
		.start = { .arena = injector->arena, .arena_size = injector->arena_size,
			   .pid = (uint32_t)what->pid, .tid = (uint32_t)tid, .why = what->why,
			   .exec_nr = what->exec_nr, .exec_tid = what->exec_tid,
			   .orphan = what->orphan,
			   .process = what->process, .targets = injector->targets },
	};
	_Static_assert(AGENT_PATH == sizeof(loader->path), "both hold a path");
	memcpy(loader->code, loader_map, (size_t)(loader_end - loader_map));
	memcpy(loader->path, injector->image_path, AGENT_PATH);
	memcpy(loader->start.arena_path, injector->arena_path, AGENT_PATH);
	return read_auxv(what->pid, &loader->start);
}

/* Runs the loader at one of its labels over the page the thread is in. */
static int loader_run(pid_t tid, struct loader *loader, const uint8_t *label)
{
	struct user_regs_struct saved, regs;
	uint8_t bytes[sizeof(*loader)];
	uint64_t at;
	int error = trace_regs_read(tid, &saved), back;

	if (error < 0)
		return error;
	loader->start.ip = saved.rip;
	loader->start.sp = saved.rsp;
	at = saved.rip & ~(uint64_t)4095;
	error = trace_read(tid, at, bytes, sizeof(bytes));
	if (error == 0)
		error = trace_write(tid, at, loader, sizeof(*loader));
	if (error < 0)
		return error;
	regs = saved;
	regs.rip = at + (uint64_t)(label - loader_map);
	regs.rbx = at;
	error = trace_run(tid, &regs, SIGNALS_AGENTS);
	back = trace_write(tid, at, bytes, sizeof(bytes));
	if (back == 0)
		back = trace_regs_write(tid, &saved);
	if (error < 0 || back < 0)
		return error < 0 ? error : back;
	return (int64_t)regs.rax < 0 ? (int)regs.rax : 0;
}

static struct agent_at ours(const struct injector *injector)
{
	return (struct agent_at){ .base = injector->image.base, .table = injector->image.table };
}

int inject_start(const struct injector *injector, pid_t tid, const struct inject *what)
{
	const struct agent_at at = ours(injector);
	struct loader loader;
	int error = loader_fill(&loader, injector, &at, what, tid, at.table.start);

	return error < 0 ? error : loader_run(tid, &loader, loader_map);
}

/* Calls an entry of the agent that is there already. free: as of trace_run(). */
static int agent_run(const struct agent_at *at, pid_t tid, uint32_t entry,
		     const struct agent_start *start, uint64_t free, uint64_t *result)
{
	const struct agent_table *table = &at->table;
	uint64_t base = at->base;
	struct user_regs_struct saved, regs;
	int error = trace_regs_read(tid, &saved), back;

	if (error == 0)
		error = trace_write(tid, base + table->note, start, sizeof(*start));
	if (error < 0)
		return error;
	regs = saved;
	regs.rip = base + table->call;
	regs.rsp = base + table->stack;
	regs.rdi = base + table->note;
	regs.rax = base + entry;
	error = trace_run(tid, &regs, free);
	back = trace_regs_write(tid, &saved);
	if (error < 0 || back < 0)
		return error < 0 ? error : back;
	*result = regs.rax;
	return (int64_t)regs.rax < 0 ? (int)regs.rax : 0;
}

int inject_thread(const struct injector *injector, pid_t tid, const struct inject *what)
{
	const struct agent_at at = ours(injector);
	struct user_regs_struct regs;
	struct loader loader;
	uint64_t to = 0;
	int error = loader_fill(&loader, injector, &at, what, tid, at.table.thread);

	if (error == 0)
		error = trace_regs_read(tid, &regs);
	if (error < 0)
		return error;
	loader.start.ip = regs.rip;
	loader.start.sp = regs.rsp;
	loader.start.flags = regs.eflags;
	loader.start.ax = regs.rax;
	loader.start.orig_ax = regs.orig_rax;
	memcpy(loader.start.arg, (const uint64_t[]){ regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8,
						     regs.r9 }, sizeof(loader.start.arg));
	error = agent_run(&at, tid, at.table.thread, &loader.start, SIGNALS_AGENTS, &to);
	if (error < 0)
		return error;
	if (to)
		regs.rip = to;
	else
		interrupted_begin_again(&regs);
	return trace_regs_write(tid, &regs);
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
	struct loader loader;
	uint64_t result;
	int error = loader_fill(&loader, injector, &at, what, tid, at.table.patch);

	loader.start.shared = shared;
	return error < 0 ? error : agent_run(&at, tid, at.table.patch, &loader.start, SIGNALS_FAULTS,
					     &result);
}

int inject_look(const struct injector *injector, pid_t tid, const struct inject *what)
{
	struct user_regs_struct regs;
	struct loader loader;
	struct agent_at at;
	uint64_t result;
	int error = inject_find(what->pid, &at);

	/* Of another build of this version, perhaps, if its supervisor is not us. */
	if (error <= 0 || at.base != injector->image.base)
		return error < 0 ? error : -ESRCH;
	error = loader_fill(&loader, injector, &at, what, tid, at.table.look);
	if (error == 0)
		error = trace_regs_read(tid, &regs);
	if (error < 0)
		return error;
	loader.start.ip = regs.rip;
	return agent_run(&at, tid, at.table.look, &loader.start, SIGNALS_FAULTS, &result);
}

int inject_stop(const struct injector *injector, const struct agent_at *at, const pid_t *tids,
		size_t count, const struct inject *what)
{
	struct loader loader;
	uint64_t result;
	int error = loader_fill(&loader, injector, at, what, tids[0], at->table.stop);

	for (size_t i = 0; i < count && error == 0; i++)
		error = look_inside(at, tids[i], &loader.start.inside);
	if (error == 0)
		error = agent_run(at, tids[0], at->table.stop, &loader.start, SIGNALS_FAULTS, &result);
	for (size_t i = 0; i < count && error == 0; i++)
		error = agent_run(at, tids[i], at->table.leave, &loader.start, SIGNALS_FAULTS, &result);
	loader.start.last = 1;
	if (error == 0)
		error = agent_run(at, tids[0], at->table.stop, &loader.start, 0, &result);
	return error < 0 ? error : loader_run(tids[0], &loader, loader_unmap);
}
