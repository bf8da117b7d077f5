/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inject.c - runs a piece of code in a stopped thread that maps the agent's
 * image and calls it.
 *
 * The code and all it needs are written where nothing is: behind the end of what the last page of
 * some code holds, mostly the vDSO's. It is run at one stretch (stops are what costs time here),
 * and goes back by itself (struct agent_back), so that a supervisor may die at any moment:
 *
 *   ... code | struct loader: code, struct agent_back, numbers, path | 0 | end of page
 *
 * What the agent is told at its start, it finds in the image's file. Only where no page has room
 * is the code written over the page that the thread is in; should the supervisor be killed in that
 * very moment, the process is lost.
 */
#include "hook/inject.h"

#include <elf.h>
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
 * rbx is the address of the loader's struct agent_back, which may not be written; r15 that of one of
 * four ways: open the image, map it and call; make a struct parcel with a pair of sockets, whose
 * address is the result; with that in rbp, take the image's and the arena's descriptors from there,
 * if they have been sent, and go on as the first; unmap the image.
 */
extern const uint8_t loader_code[], loader_map[], loader_pair[], loader_take[], loader_unmap[],
	loader_done[], loader_paired[];
__asm__(".pushsection .rodata\n"
	".hidden loader_code, loader_map, loader_pair, loader_take, loader_unmap, loader_done\n"
	".hidden loader_paired\n"
	"loader_code:\n"
	AGENT_BLOCK
	"	jmp *%r15\n"
	"loader_map:\n"
	"	mov $-1, %r13\n"  /* no descriptor of the arena's */
	"	mov $257, %eax\n" /* openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC) */
	"	mov $-100, %rdi\n"
	"	lea 248(%rbx), %rsi\n"
	"	mov $0x80000, %edx\n"
	"	xor %r10d, %r10d\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	js 9f\n"
	"	mov %rax, %rbp\n"
	"1:	mov $9, %eax\n" /* mmap(base, size, R-X, PRIVATE | FIXED_NOREPLACE, fd, 0) */
	"	mov 184(%rbx), %rdi\n"
	"	mov 192(%rbx), %rsi\n"
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
	"	mov 200(%rbx), %rdi\n"
	"	mov 208(%rbx), %rsi\n"
	"	mov $3, %edx\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	js 6f\n"
	"	mov 216(%rbx), %rsp\n"
	"	mov 232(%rbx), %rdi\n"
	"	mov %r13, %rsi\n"
	"	mov $-1, %r13\n" /* it is closed there */
	"	cld\n"
	"	call *224(%rbx)\n"
	"	test %rax, %rax\n"
	"	js 5f\n"
	"	mov 240(%rbx), %rcx\n" /* calls from here are not the application's any more */
	"	mov 232(%rbx), %rbx\n"
	"	jmp *%rcx\n"
	"5:	mov 152(%rbx), %rsp\n" /* the other goes */
	"6:	mov %rax, %r12\n" /* leave nothing behind */
	"	mov $11, %eax\n"
	"	mov 184(%rbx), %rdi\n"
	"	mov 192(%rbx), %rsi\n"
	"	syscall\n"
	"7:	mov $3, %eax\n" /* close(arena) */
	"	mov %r13, %rdi\n"
	"	test %r13, %r13\n"
	"	js 8f\n"
	"	syscall\n"
	"8:	mov %r12, %rax\n"
	"9:\n"
	AGENT_MARK("loader_done")
	"10:\n"
	AGENT_BACK("loader_code + 768")
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
	"	js 12f\n"
	"	mov %rax, %r15\n"
	"	mov $53, %eax\n" /* socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) */
	"	mov $1, %edi\n"
	"	mov $0x80001, %esi\n"
	"	xor %edx, %edx\n"
	"	mov %r15, %r10\n"
	"	syscall\n"
	"	mov %rax, %r13\n"
	"	mov %r15, %rax\n"
	"	test %r13, %r13\n"
	"	jns 12f\n"
	"	mov $11, %eax\n" /* munmap(parcel, 4096) */
	"	mov %r15, %rdi\n"
	"	mov $4096, %esi\n"
	"	syscall\n"
	"	mov %r13, %rax\n"
	"12:\n"
	AGENT_MARK("loader_paired")
	"	test %r12, %r12\n" /* nobody takes it from here: undone */
	"	js 10b\n"
	"	mov $3, %eax\n"
	"	mov (%r15), %edi\n"
	"	syscall\n"
	"	mov $3, %eax\n"
	"	mov 4(%r15), %edi\n"
	"	syscall\n"
	"	mov $11, %eax\n"
	"	mov %r15, %rdi\n"
	"	mov $4096, %esi\n"
	"	syscall\n"
	"	jmp 10b\n"
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
	"	mov 184(%rbx), %rdi\n"
	"	mov 192(%rbx), %rsi\n"
	"	syscall\n"
	"	jmp 9b\n"
	"	.org loader_code + 768\n" /* LOADER_CODE: an error here if it is longer */
	".popsection\n");

/* The agent never has these blocked while it is there (src/agent/signal.h). */
#define SIGNAL_BIT(n) (1ull << ((n) - 1))
#define SIGNALS_AGENTS \
	(SIGNAL_BIT(SIGSYS) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGTRAP) | \
	 SIGNAL_BIT(64))

/* Were they blocked, a fault that the agent expects would end the process. */
#define SIGNALS_FAULTS (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGTRAP))

#define LOADER_CODE 768
#define LOADER_PATH 40 /* "/proc/PID/fd/N" */
#define IMAGE_NAME "skep-agent"

/* In the target, or here: what comes by a pair of sockets is a byte and two descriptors. */
struct parcel {
	int32_t pair[2];
	struct msghdr message;
	struct iovec byte;
	struct {
		uint64_t length;         /* as struct cmsghdr has it */
		int32_t level, type;
		int32_t image, arena;
	} control;
	uint64_t room;
};

_Static_assert(offsetof(struct parcel, message) == 8 &&
	       offsetof(struct parcel, control.image) == 96 &&
	       offsetof(struct parcel, control.arena) == 100, "the code above knows where things are");

struct loader {
	uint8_t code[LOADER_CODE];
	struct agent_back back;
	uint64_t base, size;
	uint64_t data, data_size; /* what is to be writable */
	uint64_t stack;
	uint64_t entry, note;
	uint64_t leave;           /* the agent's way back, from its note */
	char path[LOADER_PATH];
};

#define LOADER_AT(field) (offsetof(struct loader, field) - LOADER_CODE)
_Static_assert(LOADER_AT(base) == 184 && LOADER_AT(data) == 200 && LOADER_AT(stack) == 216 &&
	       LOADER_AT(entry) == 224 && LOADER_AT(note) == 232 && LOADER_AT(leave) == 240 &&
	       LOADER_AT(path) == 248,
	       "the code above knows where things are");

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

static void start_at(struct agent_start *start, const struct user_regs_struct *regs)
{
	start->ip = regs->rip;
	start->sp = regs->rsp;
	start->flags = regs->eflags;
	start->ax = regs->rax;
	start->orig_ax = regs->orig_rax;
	memcpy(start->arg, (const uint64_t[]){ regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8,
					       regs->r9 }, sizeof(start->arg));
}

static void loader_fill(struct loader *loader, const struct injector *injector,
			const struct agent_at *at)
{
	const struct agent_table *table = &at->table;

	*loader = (struct loader){
		.base = at->base, .size = table->size,
		.data = at->base + table->text, .data_size = table->size - table->text,
		.stack = at->base + table->stack, .entry = at->base + table->start,
		.note = at->base + table->note, .leave = at->base + table->back,
	};
	memcpy(loader->code, loader_code, LOADER_CODE);
	memcpy(loader->path, injector->image_path, LOADER_PATH);
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

/* --- a place for the loader --- */

/* Nothing, or what somebody who was killed has left. */
static bool is_free(const uint8_t *bytes, size_t size)
{
	bool free = true;

	for (size_t i = 0; i < size && free; i++)
		free = bytes[i] == 0;
	return free || memcmp(bytes, loader_code, LOADER_CODE) == 0;
}

static bool place_free(pid_t pid, uint64_t at)
{
	uint8_t bytes[sizeof(struct loader)];

	return trace_read(pid, at, bytes, sizeof(bytes)) == 0 && is_free(bytes, sizeof(bytes));
}

static uint64_t page_up(uint64_t at)
{
	return (at + 4095) & ~(uint64_t)4095;
}

/* Behind the end of the vDSO's file, whose sections come last. 0: there is no room. */
static uint64_t place_in_vdso(pid_t pid, const struct agent_start *start)
{
	uint64_t base = 0, at;
	Elf64_Ehdr head;

	for (size_t i = 0; i < AGENT_AUXV; i++)
		if (start->auxv[i][0] == AT_SYSINFO_EHDR)
			base = start->auxv[i][1];
	if (base == 0 || base % 4096 != 0 || trace_read(pid, base, &head, sizeof(head)) < 0 ||
	    memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_shoff > 1 << 20)
		return 0;
	at = base + ((head.e_shoff + (uint64_t)head.e_shnum * head.e_shentsize + 63) & ~(uint64_t)63);
	return page_up(at) - at >= sizeof(struct loader) && place_free(pid, at) ? at : 0;
}

/* The end of the last page of any code. */
static uint64_t place_in_code(pid_t pid)
{
	unsigned long start, end;
	char path[40], line[512], perms[5];
	uint64_t found = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	while (maps && !found && fgets(line, sizeof(line), maps)) {
		uint64_t at;

		if (sscanf(line, "%lx-%lx %4s", &start, &end, perms) != 3 || perms[0] != 'r' ||
		    perms[2] != 'x' || perms[3] != 'p' || strstr(line, "/memfd:" IMAGE_NAME))
			continue;
		at = (end - sizeof(struct loader)) & ~(uint64_t)63;
		if (at >= start && place_free(pid, at))
			found = at;
	}
	if (maps)
		fclose(maps);
	return found;
}

/* --- running it --- */

/* A loader in its place. */
struct loading {
	pid_t tid;
	uint64_t at;
	uint64_t started;         /* where it is when the agent has */
	struct user_regs_struct saved;
	struct trace_run run;
	uint8_t bytes[sizeof(struct loader)];
};

static int loading_begin(struct loading *loading, pid_t tid, struct loader *loader,
			 const struct agent_start *start)
{
	int error = trace_regs_read(tid, &loading->saved);
	uint64_t at = error < 0 ? 0 : place_in_vdso(tid, start);

	if (error == 0)
		error = trace_run_begin(tid, SIGNALS_AGENTS, &loading->saved, &loading->run);
	if (error < 0)
		return error;
	if (at == 0)
		at = place_in_code(tid);
	if (at == 0)
		at = loading->saved.rip & ~(uint64_t)4095;
	else if (loading->saved.rip - at < sizeof(*loader))
		return -EAGAIN; /* it is just going back from another's */
	loader->back = loading->run.back;
	loading->tid = tid;
	loading->at = at;
	loading->started = 0;
	error = trace_read(tid, at, loading->bytes, sizeof(loading->bytes));
	if (error == 0 && is_free(loading->bytes, sizeof(loading->bytes)))
		memset(loading->bytes, 0, sizeof(loading->bytes));
	return error < 0 ? error : trace_write(tid, at, loader, sizeof(*loader));
}

/* Goes one of its ways, with its parcel. The result, or an errno. */
static int64_t loading_run(struct loading *loading, const uint8_t *way, uint64_t parcel)
{
	const uint8_t *end = way == loader_pair ? loader_paired : loader_done;
	struct user_regs_struct regs = loading->saved;
	int error;

	regs.rip = loading->at;
	regs.r15 = loading->at + (uint64_t)(way - loader_code);
	regs.rbx = loading->at + LOADER_CODE;
	regs.rbp = parcel;
	error = trace_run(loading->tid, &loading->run, &regs,
			  loading->at + (uint64_t)(end - loader_code), loading->started);
	return error < 0 ? error : (int64_t)regs.r12;
}

/* Where it goes on, if the agent says so, or a call is begun again. */
static void go_on(struct user_regs_struct *regs, int64_t to)
{
	if (to > 0)
		regs->rip = (uint64_t)to;
	else
		interrupted_begin_again(regs);
}

/* The result, as an errno or 0. */
static int loading_end(struct loading *loading, int64_t result)
{
	int back;

	go_on(&loading->saved, result);
	back = trace_regs_write(loading->tid, &loading->saved);
	if (back == 0)
		back = trace_write(loading->tid, loading->at, loading->bytes, sizeof(loading->bytes));
	return result < 0 ? (int)result : back;
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
		.control = { .length = sizeof(parcel.control), .level = SOL_SOCKET, .type = SCM_RIGHTS,
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
static int64_t start_by_socket(const struct injector *injector, struct loading *loading, pid_t pid)
{
	struct parcel parcel = { 0 };
	int64_t at = loading_run(loading, loader_pair, 0), taken;
	int error;

	if (at < 0)
		return at;
	error = prepare_parcel(loading->tid, (uint64_t)at, &parcel);
	if (error == 0)
		error = send_files(injector, pid, parcel.pair[1]);
	taken = loading_run(loading, loader_take, (uint64_t)at); /* which closes in any case */
	return error < 0 ? error : taken;
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

/* What the agent is told goes into the image's file, whence the process maps it. */
static int tell(const struct injector *injector, const struct agent_start *start)
{
	ssize_t size = pwrite(injector->image_file, start, sizeof(*start),
			      injector->image.table.note);

	return size == (ssize_t)sizeof(*start) ? 0 : -EIO;
}

static int64_t start_in(const struct injector *injector, struct loading *loading,
			struct agent_start *start, const struct inject *what)
{
	int64_t result = tell(injector, start);

	if (result == 0 && finds_image(injector, what->pid)) {
		result = loading_run(loading, loader_map, 0);
		if (result != -EACCES && result != -EPERM && result != -ENOENT)
			return result;
	}
	start->sockets = may_use_sockets(what);
	result = start->sockets ? tell(injector, start) : -ENOTSUP;
	return result < 0 ? result : start_by_socket(injector, loading, what->pid);
}

/* One at a time, as the file is one. */
static int start_with(struct injector *injector, pid_t tid, struct agent_start *start,
		      const struct inject *what)
{
	const struct agent_at at = ours(injector);
	struct loading loading;
	struct loader loader;
	int error;

	loader_fill(&loader, injector, &at);
	error = loading_begin(&loading, tid, &loader, start);
	if (error < 0)
		return error;
	loading.started = at.base + at.table.called;
	start->back = loading.run.back;
	return loading_end(&loading, start_in(injector, &loading, start, what));
}

static int start_agent(struct injector *injector, pid_t tid, const struct inject *what)
{
	struct user_regs_struct regs;
	struct agent_start start;
	int error = start_fill(&start, injector, what, tid);

	if (error == 0)
		error = trace_regs_read(tid, &regs);
	if (error < 0)
		return error;
	start_at(&start, &regs);
	fill_name(&start, what->pid);
	start.sockets = what->why == AGENT_SPAWNED ? may_use_sockets(what) : what->sockets;
	pthread_mutex_lock(&injector->starting);
	error = start_with(injector, tid, &start, what);
	pthread_mutex_unlock(&injector->starting);
	return error;
}

/* Calls an entry of the agent that is there already. free: as of struct trace_run. The thread is for the
 * caller to put back. */
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
	int error = start_fill(&start, injector, what, tid), back;

	if (error == 0)
		error = trace_regs_read(tid, &regs);
	if (error < 0)
		return error;
	start_at(&start, &regs);
	error = agent_call(&at, tid, at.table.thread, &start, SIGNALS_AGENTS, &regs, &to);
	if (error == 0 && (int64_t)to < 0)
		error = (int)to;
	go_on(&regs, error < 0 ? 0 : (int64_t)to);
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
	int error = start_fill(&start, injector, what, tid);

	if (error == 0)
		error = trace_regs_read(tid, &regs);
	if (error < 0)
		return error;
	start_at(&start, &regs);
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
	error = start_fill(&start, injector, what, tid);
	if (error == 0)
		error = trace_regs_read(tid, &regs);
	if (error < 0)
		return error;
	start.ip = regs.rip;
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
	struct loader loader;
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
	loader_fill(&loader, injector, at);
	if (error == 0)
		error = loading_begin(&loading, tids[0], &loader, &start);
	return error < 0 ? error : loading_end(&loading, loading_run(&loading, loader_unmap, 0));
}
