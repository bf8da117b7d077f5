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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"
#include "helper/task.h"
#include "hook/interrupted.h"
#include "hook/trace.h"
#include "map/owner.h"

/*
 * rbx is the address of the struct loader, which may not be written; the result is in rax. The
 * labels are the ways in: open the image, map it and call; make a struct parcel with a pair of
 * sockets, whose address is the result; with that in rbp, take the image's and the arena's
 * descriptors from there, if they have been sent, and go on as the first; unmap the image.
 */
extern const uint8_t loader_map[], loader_pair[], loader_take[], loader_unmap[], loader_end[];
__asm__(".pushsection .rodata\n"
	".hidden loader_map, loader_pair, loader_take, loader_unmap, loader_end\n"
	"loader_map:\n"
	"	mov $-1, %r13\n"  /* no descriptor of the arena's */
	"	mov $257, %eax\n" /* openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC) */
	"	mov $-100, %rdi\n"
	"	lea 560(%rbx), %rsi\n"
	"	mov $0x80000, %edx\n"
	"	xor %r10d, %r10d\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	js 9f\n"
	"	mov %rax, %rbp\n"
	"1:	mov $9, %eax\n" /* mmap(base, size, R-X, PRIVATE | FIXED_NOREPLACE, fd, 0) */
	"	mov 512(%rbx), %rdi\n"
	"	mov 520(%rbx), %rsi\n"
	"	mov $5, %edx\n"
	"	mov $0x100002, %r10d\n"
	"	mov %rbp, %r8\n"
	"	xor %r9d, %r9d\n"
	"	syscall\n"
	"	mov %rax, %r12\n"
	"	mov $3, %eax\n" /* close(fd) */
	"	mov %rbp, %rdi\n"
	"	syscall\n"
	"	test %r12, %r12\n"
	"	js 7f\n"
	"	mov $10, %eax\n" /* mprotect(data, its size, RW-) */
	"	mov 528(%rbx), %rdi\n"
	"	mov 536(%rbx), %rsi\n"
	"	mov $3, %edx\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	js 6f\n"
	"	mov 544(%rbx), %rsp\n"
	"	lea 816(%rbx), %rdi\n"
	"	mov %r13, %rsi\n"
	"	mov $-1, %r13\n" /* it is closed there */
	"	cld\n"
	"	call *552(%rbx)\n"
	"	test %rax, %rax\n"
	"	jns 9f\n"
	"6:	mov %rax, %r12\n" /* leave nothing behind */
	"	mov $11, %eax\n"
	"	mov 512(%rbx), %rdi\n"
	"	mov 520(%rbx), %rsi\n"
	"	syscall\n"
	"7:	mov $3, %eax\n" /* close(arena) */
	"	mov %r13, %rdi\n"
	"	test %r13, %r13\n"
	"	js 8f\n"
	"	syscall\n"
	"8:	mov %r12, %rax\n"
	"9:	int3\n"
	"loader_pair:\n"
	"	mov $9, %eax\n" /* mmap(NULL, 4096, RW-, PRIVATE | ANONYMOUS, -1, 0) */
	"	xor %edi, %edi\n"
	"	mov $4096, %esi\n"
	"	mov $3, %edx\n"
	"	mov $0x22, %r10d\n"
	"	mov $-1, %r8\n"
	"	xor %r9d, %r9d\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	js 9b\n"
	"	mov %rax, %r15\n"
	"	mov $53, %eax\n" /* socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) */
	"	mov $1, %edi\n"
	"	mov $0x80001, %esi\n"
	"	xor %edx, %edx\n"
	"	mov %r15, %r10\n"
	"	syscall\n"
	"	mov %rax, %r12\n"
	"	mov %r15, %rax\n"
	"	test %r12, %r12\n"
	"	jns 9b\n"
	"	mov $11, %eax\n" /* munmap(parcel, 4096) */
	"	mov %r15, %rdi\n"
	"	mov $4096, %esi\n"
	"	syscall\n"
	"	jmp 8b\n"
	"loader_take:\n"
	"	mov %rbp, %r15\n"
	"	mov $47, %eax\n" /* recvmsg(pair[0], message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) */
	"	mov (%r15), %edi\n"
	"	lea 8(%r15), %rsi\n"
	"	mov $0x40000040, %edx\n"
	"	syscall\n"
	"	mov %rax, %r12\n"
	"	mov $3, %eax\n"
	"	mov (%r15), %edi\n"
	"	syscall\n"
	"	mov $3, %eax\n"
	"	mov 4(%r15), %edi\n"
	"	syscall\n"
	"	movslq 96(%r15), %rbp\n"
	"	movslq 100(%r15), %r13\n"
	"	mov $11, %eax\n" /* munmap(parcel, 4096) */
	"	mov %r15, %rdi\n"
	"	mov $4096, %esi\n"
	"	syscall\n"
	"	test %r12, %r12\n"
	"	js 8b\n"
	"	test %r13, %r13\n"
	"	jns 1b\n"
	"	mov $-24, %r12\n" /* EMFILE: there was no room for both */
	"	mov %rbp, %r13\n"
	"	jmp 7b\n"
	"loader_unmap:\n"
	"	mov $11, %eax\n" /* munmap(base, size) */
	"	mov 512(%rbx), %rdi\n"
	"	mov 520(%rbx), %rsi\n"
	"	syscall\n"
	"	int3\n"
	"	.org loader_map + 512\n" /* LOADER_CODE: an error here if it is longer */
	"loader_end:\n"
	".popsection\n");

/* The agent never has these blocked while it is there (src/agent/signal.h). */
#define SIGNAL_BIT(n) (1ull << ((n) - 1))
#define SIGNALS_AGENTS \
	(SIGNAL_BIT(SIGSYS) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGTRAP) | \
	 SIGNAL_BIT(64))

/* Were they blocked, the trap at the end of what is run would end their handlers. */
#define SIGNALS_FAULTS (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGTRAP))

#define LOADER_CODE 512
#define IMAGE_NAME "skep-agent"

/* In the target, or here: what comes by a pair of sockets is a byte and two descriptors. */
struct parcel {
	int32_t pair[2];
	struct msghdr message;
	struct iovec byte;
	struct {
		struct cmsghdr head;
		int32_t image, arena;
	} control;
	uint64_t room;
};

_Static_assert(offsetof(struct parcel, message) == 8 &&
	       offsetof(struct parcel, control.image) == 96 &&
	       offsetof(struct parcel, control.arena) == 100, "the code above knows where things are");

struct loader {
	uint8_t code[LOADER_CODE];
	uint64_t base, size;
	uint64_t data, data_size; /* what is to be writable */
	uint64_t stack;
	uint64_t entry;
	char path[AGENT_PATH];
	struct agent_start start;
};

_Static_assert(offsetof(struct loader, base) == 512 && offsetof(struct loader, data) == 528 &&
	       offsetof(struct loader, stack) == 544 && offsetof(struct loader, entry) == 552 &&
	       offsetof(struct loader, path) == 560 && offsetof(struct loader, start) == 816 &&
	       sizeof(struct loader) <= 4096, "the code above knows where things are");

int injector_init(struct injector *injector, void *arena, uint64_t size, int arena_file)
{
	struct stat status;
	int error;

	*injector = (struct injector){ .image_file = -1, .arena = (uintptr_t)arena,
				       .arena_size = size };
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
	snprintf(injector->image_path, AGENT_PATH, "/proc/%d/fd/%d", (int)getpid(),
		 injector->image_file);
	injector->image_device = status.st_dev;
	injector->image_inode = status.st_ino;
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
			   .orphan = what->orphan, .at_once = what->at_once,
			   .threads = (uintptr_t)what->threads, .thread_count = what->thread_count,
			   .process = what->process, .targets = injector->targets },
	};
	_Static_assert(AGENT_PATH == sizeof(loader->path), "both hold a path");
	memcpy(loader->code, loader_map, (size_t)(loader_end - loader_map));
	memcpy(loader->path, injector->image_path, AGENT_PATH);
	memcpy(loader->start.arena_path, injector->arena_path, AGENT_PATH);
	return read_auxv(what->pid, &loader->start);
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

/* A loader over the page that the thread is in. */
struct loading {
	pid_t tid;
	uint64_t at;
	struct user_regs_struct saved;
	uint8_t bytes[sizeof(struct loader)];
};

static int loading_begin(struct loading *loading, pid_t tid, struct loader *loader)
{
	int error = trace_regs_read(tid, &loading->saved);
	uint64_t at = loading->saved.rip & ~(uint64_t)4095;

	if (error < 0)
		return error;
	loading->tid = tid;
	loading->at = at;
	loader->start.ip = loading->saved.rip;
	loader->start.sp = loading->saved.rsp;
	error = trace_read(tid, at, loading->bytes, sizeof(loading->bytes));
	return error < 0 ? error : trace_write(tid, at, loader, sizeof(*loader));
}

/* Runs it at one of its labels, with its parcel. The result, or an errno. */
static int64_t loading_run(const struct loading *loading, const uint8_t *label, uint64_t parcel)
{
	struct user_regs_struct regs = loading->saved;
	int error;

	regs.rip = loading->at + (uint64_t)(label - loader_map);
	regs.rbx = loading->at;
	regs.rbp = parcel;
	error = trace_run(loading->tid, &regs, SIGNALS_AGENTS);
	return error < 0 ? error : (int64_t)regs.rax;
}

/* The result, as an errno or 0. */
static int loading_end(const struct loading *loading, int64_t result)
{
	int back = trace_write(loading->tid, loading->at, loading->bytes, sizeof(loading->bytes));

	if (back == 0)
		back = trace_regs_write(loading->tid, &loading->saved);
	return result < 0 ? (int)result : back;
}

static int loader_run(pid_t tid, struct loader *loader, const uint8_t *label)
{
	struct loading loading;
	int error = loading_begin(&loading, tid, loader);

	return error < 0 ? error : loading_end(&loading, loading_run(&loading, label, 0));
}

/* --- how it gets the two files --- */

/* Whether a path leads to the image in the process's own tree of files. */
static bool finds_image(const struct injector *injector, pid_t pid)
{
	char path[AGENT_PATH + 32];
	struct stat status;

	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, injector->image_path);
	return stat(path, &status) == 0 && status.st_dev == injector->image_device &&
	       status.st_ino == injector->image_inode;
}

/* Puts both descriptors into one end of the target's pair. */
static int send_files(const struct injector *injector, pid_t pid, int32_t end)
{
	struct parcel parcel = {
		.byte = { .iov_base = &parcel.room, .iov_len = 1 },
		.message = { .msg_iov = &parcel.byte, .msg_iovlen = 1, .msg_control = &parcel.control,
			     .msg_controllen = sizeof(parcel.control) },
		.control = { .head = { .cmsg_len = sizeof(parcel.control), .cmsg_level = SOL_SOCKET,
				       .cmsg_type = SCM_RIGHTS },
			     .image = injector->image_file, .arena = injector->arena_file },
	};
	int process = (int)syscall(SYS_pidfd_open, pid, 0), error = 0;
	int own = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, end, 0);

	if (own < 0 || sendmsg(own, &parcel.message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		error = -errno;
	if (own >= 0)
		close(own);
	if (process >= 0)
		close(process);
	return error;
}

/* The parcel there, with what recvmsg() needs; pair is filled in. */
static int prepare_parcel(pid_t tid, uint64_t at, struct parcel *parcel)
{
	int error = trace_read(tid, at, parcel->pair, sizeof(parcel->pair));


	parcel->message.msg_iov = (void *)(uintptr_t)(at + offsetof(struct parcel, byte));
	parcel->message.msg_iovlen = 1;
	parcel->message.msg_control = (void *)(uintptr_t)(at + offsetof(struct parcel, control));
	parcel->message.msg_controllen = sizeof(parcel->control);
	parcel->byte.iov_base = (void *)(uintptr_t)(at + offsetof(struct parcel, room));
	parcel->byte.iov_len = 1;
	parcel->control.image = parcel->control.arena = -1;
	return error < 0 ? error : trace_write(tid, at, parcel, sizeof(*parcel));
}

/*
 * A process in a namespace of its own, or under another root, or of another user, may not find
 * or not open what we have open. It makes a pair of sockets, of which we take one end.
 */
static int start_by_socket(const struct injector *injector, pid_t tid, struct loader *loader,
			   pid_t pid)
{
	struct parcel parcel = { 0 };
	struct loading loading;
	int64_t at, taken;
	int error = loading_begin(&loading, tid, loader);

	if (error < 0)
		return error;
	at = loading_run(&loading, loader_pair, 0);
	if (at < 0)
		return loading_end(&loading, at);
	error = prepare_parcel(tid, (uint64_t)at, &parcel);
	if (error == 0)
		error = send_files(injector, pid, parcel.pair[1]);
	taken = loading_run(&loading, loader_take, (uint64_t)at); /* which closes in any case */
	return loading_end(&loading, error < 0 ? error : taken);
}

/* A child of this process, with its filters of system calls, as a command has that it starts. */
static bool sockets_work(void)
{
	int status = -1, pair[2];
	pid_t pid = fork();

	if (pid == 0) {
		struct msghdr message = { 0 };

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			_exit(1);
		_exit(recvmsg(pair[0], &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0 && errno != EAGAIN);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* Its filter of system calls may end it for a socket. A command has those of this process. */
static bool may_use_sockets(const struct inject *what)
{
	if (what->why == AGENT_SPAWNED)
		return prctl(PR_GET_SECCOMP) == 0 || sockets_work();
	return what->sockets || trace_status(what->pid, "Seccomp:") == 0;
}

static struct agent_at ours(const struct injector *injector)
{
	return (struct agent_at){ .base = injector->image.base, .table = injector->image.table };
}

static int start_agent(const struct injector *injector, pid_t tid, const struct inject *what)
{
	const struct agent_at at = ours(injector);
	struct loader loader;
	int error = loader_fill(&loader, injector, &at, what, tid, at.table.start);

	if (error < 0)
		return error;
	fill_name(&loader.start, what->pid);
	loader.start.sockets = what->why == AGENT_SPAWNED ? may_use_sockets(what) : what->sockets;
	if (finds_image(injector, what->pid)) {
		error = loader_run(tid, &loader, loader_map);
		if (error != -EACCES && error != -EPERM && error != -ENOENT)
			return error;
	}
	loader.start.sockets = may_use_sockets(what);
	return loader.start.sockets ? start_by_socket(injector, tid, &loader, what->pid) : -ENOTSUP;
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
	struct user_regs_struct regs;
	struct loader loader;
	uint64_t result;
	int error = loader_fill(&loader, injector, &at, what, tid, at.table.patch);

	if (error == 0)
		error = trace_regs_read(tid, &regs);
	if (error < 0)
		return error;
	loader.start.ip = regs.rip;
	loader.start.sp = regs.rsp;
	loader.start.shared = shared;
	return agent_run(&at, tid, at.table.patch, &loader.start, SIGNALS_FAULTS, &result);
}

/* The loader lay over a page of the program: its code is whole only now. */
int inject_start(const struct injector *injector, pid_t tid, const struct inject *what)
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
	struct loader loader;
	struct agent_at at;
	uint64_t result;
	uint32_t offset;
	int error = inject_find(what->pid, &at);

	if (error <= 0 || at.base != injector->image.base)
		return error < 0 ? error : -ESRCH;
	memcpy(&offset, (const char *)&at.table + entry, sizeof(offset));
	error = loader_fill(&loader, injector, &at, what, tid, offset);
	if (error == 0)
		error = trace_regs_read(tid, &regs);
	if (error < 0)
		return error;
	loader.start.ip = regs.rip;
	return agent_run(&at, tid, offset, &loader.start, SIGNALS_FAULTS, &result);
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
