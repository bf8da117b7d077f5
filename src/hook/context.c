/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * context.c - what programs see of an event (see context.h). [runtime]
 */
#include "hook/context.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "base/base.h"
#include "base/fault.h"
#include "map/sys.h"

_Static_assert(offsetof(struct call_record, args) == 16, "as Linux lays it out");
_Static_assert(offsetof(struct exec_record, data) == EXEC_SIZE, "as Linux lays it out");
_Static_assert(offsetof(struct fork_record, data) == FORK_SIZE, "as Linux lays it out");
_Static_assert(offsetof(struct exit_record, group_dead) == 32, "as Linux lays it out");
_Static_assert(sizeof(struct signal_record) == SIGNAL_SIZE, "as Linux lays it out");
_Static_assert(sizeof(struct sample_record) == SAMPLE_SIZE, "as Linux lays it out");

/* --- forms --- */

static void make_record(struct occasion *event, struct vm *vm)
{
	vm->ctx = (void *)(uintptr_t)event->record;
}

static void make_raw(struct occasion *event, struct vm *vm)
{
	vm->ctx = event->raw;
	vm->arg_count = event->raw_count;
}

/* long __x64_sys_NAME(const struct pt_regs *regs) */
static void make_function(struct occasion *event, struct vm *vm)
{
	event->room->words[0] = (uintptr_t)event->regs;
	event->room->words[1] = (uint64_t)event->result;
	vm->ctx = event->room->words;
	vm->arg_count = 1;
	vm->has_result = event->leaving;
}

/* On x86-64 the registers a system call was made with are that function's argument. */
static void make_kprobe(struct occasion *event, struct vm *vm)
{
	event->room->outer = (struct target_regs){ .ip = event->func_ip };
	if (event->leaving)
		event->room->outer.ax = (uint64_t)event->result;
	else
		event->room->outer.di = (uintptr_t)event->regs;
	vm->ctx = &event->room->outer;
}

static void make_regs(struct occasion *event, struct vm *vm)
{
	vm->ctx = event->regs;
}

void (*const context_makers[FORM_COUNT])(struct occasion *event, struct vm *vm) = {
	[FORM_RECORD] = make_record,     [FORM_RAW] = make_raw,   [FORM_FUNCTION] = make_function,
	[FORM_KPROBE] = make_kprobe,     [FORM_REGS] = make_regs,
};

/* --- records --- */

/* A string at the end of a record: how __data_loc says where and how long. */
static uint32_t data_loc(const void *record, const char *data, uint32_t size)
{
	return size << 16 | (uint32_t)(data - (const char *)record);
}

static uint32_t count_words(const uint64_t **at)
{
	uint64_t word;
	uint32_t count = 0;

	while (fault_copy(&word, *at, sizeof(word)) == 0 && word) {
		(*at)++;
		count++;
	}
	(*at)++;
	return count;
}

void context_exec(struct exec_record *record, struct own_binprm *binprm,
		  const struct task_facts *facts, const struct target_regs *regs,
		  const char *filename, int32_t old_tid)
{
	/* A new program's stack: how many arguments, each, 0, the environment, 0. */
	const uint64_t *stack = (const uint64_t *)(uintptr_t)regs->sp + 1;
	int64_t size = fault_copy_string(record->data, filename, sizeof(record->data));

	record->common = (uintptr_t)regs;
	record->pid = facts ? (int32_t)facts->tid : (int32_t)sys_call4(SYS_gettid, 0, 0, 0, 0);
	record->old_pid = old_tid;
	if (size < 0)
		record->data[size = 0] = '\0';
	size = (int64_t)strnlen(record->data, sizeof(record->data) - 1) + 1;
	record->filename = data_loc(record, record->data, (uint32_t)size);
	binprm->filename = binprm->interp = record->data;
	binprm->argc = (int32_t)count_words(&stack);
	binprm->envc = (int32_t)count_words(&stack);
}

void context_fork(struct fork_record *record, struct own_task *task,
		  const struct own_task *parent, int32_t child, bool thread)
{
	enum { FORKED_NO_EXEC = 0x40, USED_RIGHTS = 0x100 }; /* PF_FORKNOEXEC, PF_SUPERPRIV */
	uint32_t size;

	*record = (struct fork_record){ .child_pid = child };
	*task = (struct own_task){ 0 };
	if (parent) {
		*task = *parent;
		/* Nobody looks into another's. */
		task->mm = NULL;
		task->files = NULL;
		task->fs = NULL;
		task->nsproxy = NULL;
		task->signal = NULL;
		task->thread_pid = NULL;
		task->cgroups = NULL;
		task->real_parent = thread ? parent->real_parent : (struct own_task *)(uintptr_t)parent;
		task->parent = task->real_parent;
		task->flags = (task->flags & ~(uint32_t)USED_RIGHTS) | FORKED_NO_EXEC;
		task->exit_signal = thread ? -1 : SIGCHLD;
	}
	task->pid = child;
	task->group_leader = thread && parent ? parent->group_leader : task;
	if (!thread)
		task->tgid = child;
	size = (uint32_t)strnlen(task->comm, sizeof(task->comm) - 1) + 1;
	memcpy(record->data, task->comm, size - 1);
	memcpy(record->data + size, task->comm, size - 1);
	record->parent_pid = parent ? parent->pid : 0;
	record->parent_comm = data_loc(record, record->data, size);
	record->child_comm = data_loc(record, record->data + size, size);
}

/* As the kernel counts: 0 to 99 real time, from 100 on the nice ones. */
static int32_t priority(void)
{
	enum { FIFO = 1, RR = 2, DEADLINE = 6, RESET_ON_FORK = 0x40000000 };
	int64_t policy = sys_call4(SYS_sched_getscheduler, 0, 0, 0, 0) & ~RESET_ON_FORK;
	int32_t rank = 0;

	if (policy == DEADLINE)
		return -1;
	if (policy == FIFO || policy == RR) {
		sys_call4(SYS_sched_getparam, 0, (uintptr_t)&rank, 0, 0);
		return 99 - rank;
	}
	return 140 - (int32_t)sys_call4(SYS_getpriority, 0, 0, 0, 0);
}

void context_exit(struct exit_record *record, const struct own_task *task,
		  const struct task_facts *facts, bool group_dead)
{
	*record = (struct exit_record){ .prio = priority(), .group_dead = group_dead };
	if (task) {
		if (facts && facts->another)
			record->prio = task->prio;
		memcpy(record->comm, task->comm, sizeof(record->comm));
		record->pid = task->pid;
	}
}

void context_signal(struct signal_record *record, const struct hook_signal *signal,
		    const struct own_task *target)
{
	*record = (struct signal_record){
		.sig = signal->sig, .error = signal->error, .code = signal->code,
		.pid = target->pid, .group = signal->group, .result = signal->result,
	};
	memcpy(record->comm, target->comm, sizeof(record->comm));
}

/* --- signals --- */

enum {
	SIGNAL_REAL_TIME = 32, SIGNAL_LAST = 64,
	SIGNAL_DELIVERED = 0, SIGNAL_IGNORED = 1, SIGNAL_PENDING = 2, /* results */
};

/* Calls that send one, and which of their arguments say what to whom. */
static const struct {
	uint16_t nr;
	uint8_t pid, sig, info;  /* info: 0 where there is none */
	bool group;
	int32_t code;
} senders[] = {
	{ .nr = 62, .pid = 0, .sig = 1, .group = true },                        /* kill */
	{ .nr = 129, .pid = 0, .sig = 1, .info = 2, .group = true },            /* rt_sigqueueinfo */
	{ .nr = 200, .pid = 0, .sig = 1, .code = -6 },                          /* tkill: SI_TKILL */
	{ .nr = 234, .pid = 1, .sig = 2, .code = -6 },                          /* tgkill */
	{ .nr = 297, .pid = 1, .sig = 2, .info = 3 },                           /* rt_tgsigqueueinfo */
};

bool context_sends_signal(uint32_t nr)
{
	for (size_t i = 0; i < ARRAY_SIZE(senders); i++)
		if (senders[i].nr == nr)
			return true;
	return false;
}

bool context_sent_signal(const struct target_regs *regs, struct hook_signal *signal)
{
	const uint64_t args[] = { regs->di, regs->si, regs->dx, regs->r10 };
	int32_t head[3];         /* of siginfo: si_signo, si_errno, si_code */
	size_t i = 0;

	while (i < ARRAY_SIZE(senders) && senders[i].nr != regs->orig_ax)
		i++;
	if (i == ARRAY_SIZE(senders))
		return false;
	*signal = (struct hook_signal){ .pid = (int32_t)args[senders[i].pid],
					.sig = (int32_t)args[senders[i].sig],
					.code = senders[i].code, .group = senders[i].group };
	if (senders[i].info && fault_copy(head, (const void *)(uintptr_t)args[senders[i].info],
					  sizeof(head)) == 0) {
		signal->error = head[1];
		signal->code = head[2];
	}
	/* A group's members, and everybody, are not known here. */
	return signal->pid > 0 && signal->sig > 0 && signal->sig <= SIGNAL_LAST;
}

int32_t context_signal_result(const struct hook_signal *signal, struct task_facts *facts,
			      bool sent)
{
	/* Those that nothing happens for: SIGCHLD, SIGCONT, SIGURG, SIGWINCH. */
	static const uint64_t no_matter = 1ull << 16 | 1ull << 17 | 1ull << 22 | 1ull << 27;
	const uint64_t bit = 1ull << (signal->sig - 1);
	struct task_signals its;

	if (!task_signals(&its, facts, (uint32_t)signal->pid))
		return SIGNAL_DELIVERED;
	if (!(its.blocked & bit) &&
	    ((its.ignored & bit) || ((no_matter & bit) && !(its.caught & bit))))
		return SIGNAL_IGNORED;
	/* Those below the real-time ones do not queue. */
	if (!sent && signal->sig < SIGNAL_REAL_TIME &&
	    ((signal->group ? its.pending_group : its.pending) & bit))
		return SIGNAL_PENDING;
	return SIGNAL_DELIVERED;
}

bool context_wants_core(int sig)
{
	static const uint64_t all = 1ull << (SIGQUIT - 1) | 1ull << (SIGILL - 1) |
				    1ull << (SIGTRAP - 1) | 1ull << (SIGABRT - 1) |
				    1ull << (SIGBUS - 1) | 1ull << (SIGFPE - 1) |
				    1ull << (SIGSEGV - 1) | 1ull << (SIGXCPU - 1) |
				    1ull << (SIGXFSZ - 1) | 1ull << (SIGSYS - 1);

	return sig > 0 && all >> (sig - 1) & 1;
}

/* --- interrupted calls --- */

/*
 * The kernel's functions say by their result whether the call may begin again; what is made of it
 * comes after whoever looks. Most calls may begin again if the handler is one for that.
 */
enum {
	AS_HANDLER_SAYS = -512, NOT_AFTER_HANDLER = -514, REST_OF_TIME = -516,
	TIMER_ABSOLUTE = 1,
};

static const struct {
	uint16_t nr;
	int16_t result;
} interrupted[] = {
	{ SYS_poll, REST_OF_TIME },          { SYS_nanosleep, REST_OF_TIME },
	{ SYS_clock_nanosleep, REST_OF_TIME }, { SYS_pause, NOT_AFTER_HANDLER },
	{ SYS_rt_sigsuspend, NOT_AFTER_HANDLER }, { SYS_select, NOT_AFTER_HANDLER },
	{ SYS_pselect6, NOT_AFTER_HANDLER }, { SYS_ppoll, NOT_AFTER_HANDLER },
	{ SYS_msgsnd, NOT_AFTER_HANDLER },   { SYS_msgrcv, NOT_AFTER_HANDLER },
	{ SYS_epoll_wait, -EINTR },          { SYS_epoll_pwait, -EINTR },
	{ SYS_epoll_pwait2, -EINTR },        { SYS_rt_sigtimedwait, -EINTR },
	{ SYS_semop, -EINTR },               { SYS_semtimedop, -EINTR },
	{ SYS_io_getevents, -EINTR },        { SYS_io_uring_enter, -EINTR },
	{ SYS_close, -EINTR },
};

/* What a socket's own limit of time keeps from beginning again, and by which option it is set. */
static const struct {
	uint16_t nr, option;
} limited[] = {
	{ SYS_read, SO_RCVTIMEO },     { SYS_readv, SO_RCVTIMEO },  { SYS_recvfrom, SO_RCVTIMEO },
	{ SYS_recvmsg, SO_RCVTIMEO },  { SYS_recvmmsg, SO_RCVTIMEO }, { SYS_accept, SO_RCVTIMEO },
	{ SYS_accept4, SO_RCVTIMEO },  { SYS_write, SO_SNDTIMEO },  { SYS_writev, SO_SNDTIMEO },
	{ SYS_sendto, SO_SNDTIMEO },   { SYS_sendmsg, SO_SNDTIMEO }, { SYS_sendmmsg, SO_SNDTIMEO },
	{ SYS_connect, SO_SNDTIMEO },
};

static bool is_limited(const struct target_regs *regs)
{
	struct timeval limit = { 0 };
	uint32_t size = sizeof(limit);
	size_t i = 0;

	while (i < ARRAY_SIZE(limited) && limited[i].nr != regs->orig_ax)
		i++;
	return i < ARRAY_SIZE(limited) &&
	       sys_call(SYS_getsockopt, (uint32_t)regs->di, SOL_SOCKET, limited[i].option,
			(uintptr_t)&limit, (uintptr_t)&size, 0) == 0 &&
	       (limit.tv_sec != 0 || limit.tv_usec != 0);
}

int64_t context_interrupted(const struct target_regs *regs)
{
	enum { FUTEX_WAIT = 0, FUTEX_WAIT_BITSET = 9, FUTEX_COMMANDS = 127 };
	uint64_t futex = regs->si & FUTEX_COMMANDS;

	if (regs->orig_ax == SYS_futex && (futex == FUTEX_WAIT || futex == FUTEX_WAIT_BITSET) &&
	    regs->r10)
		return REST_OF_TIME;
	if (is_limited(regs))
		return -EINTR;
	if (regs->orig_ax == SYS_clock_nanosleep && (regs->si & TIMER_ABSOLUTE))
		return NOT_AFTER_HANDLER;
	for (size_t i = 0; i < ARRAY_SIZE(interrupted); i++)
		if (interrupted[i].nr == regs->orig_ax)
			return interrupted[i].result;
	return AS_HANDLER_SAYS;
}
