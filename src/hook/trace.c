/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.c - ptrace, as little of it as injection needs.
 */
#include "hook/trace.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "hook/interrupted.h"

#define CS_32 0x23 /* the code segment of 32-bit programs */

/* Those that an instruction causes. */
#define SIGNALS_FAULTS (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGILL) | \
			SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSYS))

void (*trace_on_step)(long request);

static void trace_step(long request)
{
	if (trace_on_step)
		trace_on_step(request);
}

/* libc's prototype of ptrace() varies; the kernel's does not. */
static int64_t trace_call(long request, pid_t tid, uint64_t address, uint64_t data)
{
	long result;

	trace_step(request);
	result = syscall(SYS_ptrace, request, tid, address, data);
	return result < 0 ? -errno : result;
}

int trace_seize(pid_t tid)
{
	return (int)trace_call(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACEEXEC);
}

int trace_interrupt(pid_t tid)
{
	return (int)trace_call(PTRACE_INTERRUPT, tid, 0, 0);
}

/* Those of this thread that it could not let go of. */
static _Thread_local struct {
	VEC(pid_t) tids;
} late;

int trace_detach(pid_t tid, int signal)
{
	int error = (int)trace_call(PTRACE_DETACH, tid, 0, (uint64_t)signal);
	pid_t *place = error == -ESRCH ? vec_push(&late.tids) : NULL;

	if (place)
		*place = tid;
	return error;
}

/* Whether it need not be looked at again. A stop that comes after all is let go of. */
static bool late_look(pid_t tid)
{
	struct trace_event event;
	int error = trace_wait(tid, false, &event);

	if (error < 0 || event.stop == TRACE_GONE)
		return true;
	return event.stop != TRACE_NONE &&
	       trace_call(PTRACE_DETACH, tid, 0,
			  event.stop == TRACE_SIGNAL ? (uint64_t)event.signal : 0) == 0;
}

bool trace_settle(void)
{
	for (size_t i = 0; i < late.tids.count;) {
		if (late_look(late.tids.items[i]))
			late.tids.items[i] = late.tids.items[--late.tids.count];
		else
			i++;
	}
	if (late.tids.count == 0)
		vec_done(&late.tids);
	return late.tids.count == 0;
}

void trace_settle_for(uint32_t ms)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (; !trace_settle() && ms > 0; ms--)
		nanosleep(&pause, NULL);
}

int trace_continue(pid_t tid, int signal)
{
	return (int)trace_call(PTRACE_CONT, tid, 0, (uint64_t)signal);
}

int trace_listen(pid_t tid)
{
	return (int)trace_call(PTRACE_LISTEN, tid, 0, 0);
}

/*
 * What the kernel has already decided to send for an instruction that the thread executed. It
 * comes before all else, whatever the thread is made to do meanwhile, and not where it belongs.
 */
bool trace_has_fault(pid_t tid)
{
	enum { CHUNK = 16 };
	struct __ptrace_peeksiginfo_args args = { .nr = CHUNK };
	siginfo_t infos[CHUNK];
	uint64_t mask = 0;
	int64_t count;

	if (trace_call(PTRACE_GETSIGMASK, tid, sizeof(mask), (uintptr_t)&mask) < 0)
		return false;
	do {
		count = trace_call(PTRACE_PEEKSIGINFO, tid, (uintptr_t)&args, (uintptr_t)infos);
		for (int64_t i = 0; i < count; i++)
			if (infos[i].si_code > 0 && (SIGNALS_FAULTS & ~mask & SIGNAL_BIT(infos[i].si_signo)))
				return true;
		args.off += CHUNK;
	} while (count == CHUNK);
	return false;
}

static struct trace_event trace_understand(const siginfo_t *info)
{
	int status = info->si_status;

	if (info->si_code != CLD_TRAPPED && info->si_code != CLD_STOPPED)
		return (struct trace_event){ .stop = TRACE_GONE, .status = status };
	switch (status >> 8) {
	case PTRACE_EVENT_EXEC:
		return (struct trace_event){ .stop = TRACE_EXEC };
	case 0:
		return (struct trace_event){ .stop = TRACE_SIGNAL, .signal = status };
	default:
		return (struct trace_event){ .stop = TRACE_INTERRUPT, .signal = status & 0xff };
	}
}

bool trace_is_first(pid_t tid)
{
	uint32_t first = trace_status(tid, "Tgid:");

	return first == 0 || first == (uint32_t)tid;
}

/* What is not known is left alone. A thread is nobody's child but its process's first one is. */
static bool trace_is_child(pid_t tid)
{
	uint32_t parent = trace_status(tid, "PPid:");

	return trace_is_first(tid) && (parent == 0 || parent == (uint32_t)getpid());
}

int trace_wait(pid_t tid, bool wait, struct trace_event *event)
{
	int flags = WSTOPPED | WEXITED | WNOWAIT | __WALL | (wait ? 0 : WNOHANG);
	siginfo_t info = { 0 };

	*event = (struct trace_event){ .stop = TRACE_NONE };
	while (waitid(P_PID, (id_t)tid, &info, flags) < 0)
		if (errno != EINTR)
			return -errno;
	if (info.si_pid == 0)
		return 0;
	*event = trace_understand(&info);
	/* Looked at so far. A stop is collected; a death only if nobody else here is
	 * its parent, whose wait must find it. */
	if (event->stop != TRACE_GONE)
		waitid(P_PID, (id_t)tid, &info, WSTOPPED | WNOHANG | __WALL);
	else if (!trace_is_child(tid))
		waitid(P_PID, (id_t)tid, &info, WEXITED | WNOHANG | __WALL);
	return 0;
}

/* --- registers and memory --- */

int trace_regs_read(pid_t tid, struct user_regs_struct *regs)
{
	struct iovec vec = { .iov_base = regs, .iov_len = sizeof(*regs) };
	int64_t error = trace_call(PTRACE_GETREGSET, tid, NT_PRSTATUS, (uintptr_t)&vec);

	if (error < 0)
		return (int)error;
	return vec.iov_len == sizeof(*regs) && regs->cs != CS_32 ? 0 : -ENOEXEC;
}

int trace_regs_write(pid_t tid, const struct user_regs_struct *regs)
{
	struct user_regs_struct copy = *regs;
	struct iovec vec = { .iov_base = &copy, .iov_len = sizeof(copy) };

	return (int)trace_call(PTRACE_SETREGSET, tid, NT_PRSTATUS, (uintptr_t)&vec);
}

/* The kernel's file of a process's memory; what may not be written there is by
 * words, which every kernel lets a tracer do. */
static int trace_memory_open(pid_t tid)
{
	char path[40];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)tid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int trace_write_words(pid_t tid, uint64_t at, const uint8_t *bytes, size_t size)
{
	for (size_t done = 0; done < size; done += 8) {
		size_t part = size - done < 8 ? size - done : 8;
		uint64_t word = 0;
		int64_t error = trace_call(PTRACE_PEEKDATA, tid, at + done, (uintptr_t)&word);

		memcpy(&word, bytes + done, part);
		if (error == 0)
			error = trace_call(PTRACE_POKEDATA, tid, at + done, word);
		if (error < 0)
			return (int)error;
	}
	return 0;
}

int trace_write(pid_t tid, uint64_t at, const void *bytes, size_t size)
{
	int fd = trace_memory_open(tid);
	ssize_t done;

	trace_step(0);
	done = fd < 0 ? -1 : pwrite(fd, bytes, size, (off_t)at);
	if (fd >= 0)
		close(fd);
	return done == (ssize_t)size ? 0 : trace_write_words(tid, at, bytes, size);
}

int trace_read(pid_t tid, uint64_t at, void *bytes, size_t size)
{
	struct iovec to = { .iov_base = bytes, .iov_len = size };
	struct iovec from = { .iov_base = (void *)(uintptr_t)at, .iov_len = size };
	ssize_t done = process_vm_readv(tid, &to, 1, &from, 1, 0);
	int fd, error;

	if (done == (ssize_t)size)
		return 0;
	fd = trace_memory_open(tid);
	if (fd < 0)
		return fd;
	done = pread(fd, bytes, size, (off_t)at);
	error = done == (ssize_t)size ? 0 : done < 0 ? -errno : -EFAULT;
	close(fd);
	return error;
}

int trace_read_string(pid_t pid, uint64_t at, char *text, size_t size)
{
	for (size_t done = 0; done < size;) {
		size_t part = 4096 - (at + done) % 4096; /* a page may be the last */
		struct iovec to = { .iov_base = text + done };
		struct iovec from = { .iov_base = (void *)(uintptr_t)(at + done) };

		to.iov_len = from.iov_len = part < size - done ? part : size - done;
		if (process_vm_readv(pid, &to, 1, &from, 1, 0) != (ssize_t)to.iov_len)
			return -EFAULT;
		if (memchr(text + done, '\0', to.iov_len))
			return 0;
		done += to.iov_len;
	}
	return -ENAMETOOLONG;
}

static bool append(struct text *text, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		char *place = vec_push(text);

		if (!place)
			return false;
		*place = bytes[i];
	}
	return true;
}

/* The kernel writes names of files as this process would find them; the target finds them
 * without what its root is called here. */
static bool append_line(struct text *text, const char *line, const char *root, size_t length)
{
	const char *path = strchr(line, '/');
	size_t head = path ? (size_t)(path - line) : strlen(line);

	if (path && strncmp(path, root, length) == 0 && path[length] == '/')
		path += length;
	return append(text, line, head) && (!path || append(text, path, strlen(path)));
}

int trace_maps(pid_t pid, struct text *text)
{
	char path[40], root[4096], *line = NULL;
	ssize_t length;
	size_t size = 0;
	bool good = true;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	length = readlink(path, root, sizeof(root));
	length = length <= 1 ? 0 : length;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (good && getline(&line, &size, file) >= 0)
		good = append_line(text, line, root, (size_t)length);
	good = good && append(text, "", 1);
	free(line);
	fclose(file);
	return good ? 0 : -ENOMEM;
}

uint32_t trace_status(pid_t tid, const char *field)
{
	size_t length = strlen(field);
	char path[40], line[256];
	uint32_t value = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, field, length) != 0)
			continue;
		value = (uint32_t)strtoul(line + length, NULL, 10);
		break;
	}
	if (file)
		fclose(file);
	return value;
}

int trace_life(pid_t tid, struct trace_life *life)
{
	char path[40], text[512] = "", *begin, *end;
	ssize_t size = -1;
	int fd;

	*life = (struct trace_life){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		size = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	/* The name may have parentheses too. */
	begin = strchr(text, '(');
	end = strrchr(text, ')');
	if (size < 0 || !begin || !end ||
	    sscanf(end + 1, " %c %*d %*d %*d %*d %*d %" SCNu32, &life->state, &life->flags) != 2)
		return -ESRCH;
	*end = '\0';
	snprintf(life->comm, sizeof(life->comm), "%s", begin + 1);
	return 0;
}

/* --- running code in it --- */

/* Of /proc/TID/status: whose thread it is, and what its process handles. */
static int trace_who(pid_t tid, int *tgid, uint64_t *caught)
{
	char path[40], line[256];
	int found = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	file = fopen(path, "re");
	while (file && found < 2 && fgets(line, sizeof(line), file))
		found += sscanf(line, "Tgid: %d", tgid) == 1 || sscanf(line, "SigCgt: %lx", caught) == 1;
	if (file)
		fclose(file);
	return found == 2 ? 0 : -ESRCH;
}

/*
 * A signal that does nothing where nobody handles it, best one that is not waited for by
 * other means either. Programs that handle all of them are not to mind one too many.
 */
static int trace_mark(uint64_t caught, uint64_t mask)
{
	static const int marks[] = { SIGURG, SIGWINCH, SIGCHLD };

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (!((caught | mask) & SIGNAL_BIT(marks[i])))
			return marks[i];
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (!(caught & SIGNAL_BIT(marks[i])))
			return marks[i];
	return marks[0];
}

/* As the kernel lets it go on: a call that was interrupted begins again. */
static void trace_fill_back(struct agent_back *back, const struct user_regs_struct *saved)
{
	enum { FLAG_DF = 10, FLAG_OF = 11, STATUS = 0xd5, RESTART_BLOCK = 516 };
	bool again = interrupted_is(saved);

	back->r15 = saved->r15;
	back->r14 = saved->r14;
	back->r13 = saved->r13;
	back->r12 = saved->r12;
	back->bp = saved->rbp;
	back->r11 = saved->r11;
	back->r10 = saved->r10;
	back->r9 = saved->r9;
	back->r8 = saved->r8;
	back->ax = saved->rax;
	back->cx = saved->rcx;
	back->dx = saved->rdx;
	back->si = saved->rsi;
	back->di = saved->rdi;
	back->bx = saved->rbx;
	back->sp = saved->rsp;
	back->ip = again ? saved->rip - 2 : saved->rip;
	if (again)
		back->ax = (int64_t)saved->rax == -RESTART_BLOCK ? SYS_restart_syscall
								 : saved->orig_rax;
	back->status = (saved->eflags & STATUS) << 8 | (saved->eflags >> FLAG_OF & 1);
	back->down = saved->eflags >> FLAG_DF & 1;
}

int trace_run_begin(pid_t tid, uint64_t free, const struct user_regs_struct *saved,
		    struct trace_run *run)
{
	uint64_t mask = 0, caught = 0;
	int64_t error = trace_call(PTRACE_GETSIGMASK, tid, sizeof(mask), (uintptr_t)&mask);
	int tgid = 0;

	if (error == 0)
		error = trace_who(tid, &tgid, &caught);
	if (error < 0)
		return (int)error;
	*run = (struct trace_run){ .free = free, .mask = mask, .mark = trace_mark(caught, mask),
				   .tgid = tgid };
	run->back.held = ~free | (mask & free);
	run->back.mark = SIGNAL_BIT(run->mark);
	run->back.unblock = ~free & ~mask;
	run->back.block = ~free & mask;
	trace_fill_back(&run->back, saved);
	return 0;
}

/* By which it is known again: others may send the same signal. */
static siginfo_t trace_mark_info(int mark)
{
	siginfo_t info = { .si_signo = mark, .si_code = SI_QUEUE };

	info.si_value.sival_ptr = &trace_on_step;
	return info;
}

static int trace_send(pid_t tid, const struct trace_run *run, int signal, siginfo_t *info)
{
	long result;

	trace_step(0);
	result = syscall(SYS_rt_tgsigqueueinfo, run->tgid, tid, signal, info);
	if (result < 0 && (errno == EPERM || errno == ENOSYS)) /* its sender's to say; our filter's */
		result = syscall(SYS_tgkill, run->tgid, tid, signal);
	return result < 0 ? -errno : 0;
}

/*
 * A signal on the way. Held back, it goes to the end of the queue when the thread is let go on with
 * it; an order to stop is kept by the process; what may not be held back is sent again, later.
 * 1: that is how the run ended. 0: it goes on, or a negative errno.
 */
static int trace_meet(pid_t tid, struct trace_run *run, const struct trace_event *event)
{
	siginfo_t info = { 0 };
	uint64_t caught;
	int error, tgid;

	if (event->stop != TRACE_SIGNAL)
		return trace_continue(tid, 0);
	if (event->signal != run->mark && !(run->free & SIGNAL_BIT(event->signal)))
		return trace_continue(tid, event->signal);
	error = (int)trace_call(PTRACE_GETSIGINFO, tid, 0, (uintptr_t)&info);
	if (error < 0)
		return error;
	/* What programs look at may fault, to be made: for that the agent has handlers. */
	if ((event->signal == SIGSEGV || event->signal == SIGBUS) && info.si_code > 0 &&
	    trace_who(tid, &tgid, &caught) == 0 && (caught & SIGNAL_BIT(event->signal)))
		return trace_continue(tid, event->signal);
	if (event->signal == run->mark || info.si_code > 0) {
		/* Another's mark, that the kernel has kept for both? */
		if (event->signal == run->mark && info.si_value.sival_ptr != &trace_on_step)
			run->again |= run->back.mark;
		return 1;
	}
	run->again |= SIGNAL_BIT(event->signal);
	run->info[event->signal] = info;
	return trace_continue(tid, 0);
}

static int trace_run_on(pid_t tid, struct trace_run *run, struct user_regs_struct *regs,
			uint64_t end, uint64_t other)
{
	struct trace_event event = { 0 };
	int error = trace_continue(tid, 0);

	while (error == 0) {
		error = trace_wait(tid, true, &event);
		if (error < 0)
			return error;
		if (event.stop == TRACE_GONE)
			return -ESRCH;
		error = trace_meet(tid, run, &event);
	}
	if (error == 1)
		error = trace_regs_read(tid, regs);
	if (error == 0 && (event.signal != run->mark || (regs->rip != end && regs->rip != other)))
		error = -EFAULT;
	return error;
}

int trace_run(pid_t tid, struct trace_run *run, struct user_regs_struct *regs, uint64_t end,
	      uint64_t other)
{
	siginfo_t info = trace_mark_info(run->mark);
	uint64_t held = run->back.held, now = 0, mask = run->mask;
	int64_t error;

	regs->orig_rax = UINT64_MAX; /* no system call to begin again */
	error = trace_regs_write(tid, regs);
	if (error == 0)
		error = trace_call(PTRACE_SETSIGMASK, tid, sizeof(held), (uintptr_t)&held);
	if (error == 0)
		error = trace_send(tid, run, run->mark, &info);
	if (error == 0)
		error = trace_run_on(tid, run, regs, end, other);
	if (trace_call(PTRACE_GETSIGMASK, tid, sizeof(now), (uintptr_t)&now) == 0)
		mask = (mask & ~run->free) | (now & run->free);
	if (error != -ESRCH)
		trace_call(PTRACE_SETSIGMASK, tid, sizeof(mask), (uintptr_t)&mask);
	for (int i = 1; run->again && i <= 64; i++)
		if (run->again & SIGNAL_BIT(i))
			trace_send(tid, run, i, &run->info[i]);
	return (int)error;
}
