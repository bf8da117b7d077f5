/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gate.c - system calls that somebody wants to see, and those the agent must
 * take part in. [runtime]
 *
 * gate.S calls gate_before() and gate_after() around the call. Numbers with a row
 * in `special` come here always: the calls that make and end threads, those that
 * change signals, and those that change what the agent stands on. gate_clone.c has those that
 * return twice.
 */
#include "agent/filter.h"
#include "agent/finish.h"
#include "agent/gate.h"
#include "agent/sample.h"

#include <asm/prctl.h>
#include <errno.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <time.h>

#include "base/fault.h"
#include "map/sys.h"

#define PR_SET_SYSCALL_USER_DISPATCH 59
#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
#define FLAGS_STATUS 0x8d5ull /* carry, parity, adjust, zero, sign, overflow */
#define FLAGS_NOT_OURS 0x100ull /* a debugger's single step */
enum { STOP_TRIES = 10000 }; /* a millisecond each: so long threads may take to leave */

static const struct gate_ops no_ops;
static const uint64_t nothing_wanted[GATE_CALLS / 64];

static struct board_ways by_gate; /* each call goes by the gate, and is dispatched */

const struct gate_ops *gate_ops = &no_ops;
const uint64_t *gate_wanted = nothing_wanted;
const struct board_ways *gate_ways = &by_gate;
uint64_t gate_special[GATE_CALLS / 64];

static bool gate_wants(uint64_t nr)
{
	if (nr >= GATE_CALLS)
		return gate_ops->wants_all &&
		       __atomic_load_n(gate_ops->wants_all, __ATOMIC_RELAXED) != 0;
	return __atomic_load_n(&gate_wanted[nr / 64], __ATOMIC_RELAXED) >> nr % 64 & 1;
}

void gate_aside(struct target_thread *thread, enum gate_aside why)
{
	if (gate_ops->aside)
		gate_ops->aside(thread, why);
}

static struct target_call call_as_asked(const struct target_regs *regs)
{
	return (struct target_call){
		regs->orig_ax, { regs->di, regs->si, regs->dx, regs->r10, regs->r8, regs->r9 },
	};
}

/* As in the kernel: a call that a filter refuses is only seen to fail. */
static bool is_begun(const struct target_regs *regs)
{
	const struct target_call call = call_as_asked(regs);

	return filter_passes((int64_t)call.nr, call.arg, regs->ip);
}

/* --- the end of a thread, and of a program --- */

static enum gate_next call_exit(struct target_thread *thread)
{
	bool whole = thread->regs.orig_ax == SYS_exit_group, ends = !whole && thread->vforks == 0;
	uint64_t all = ~0ull, but_faults = ~(1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1)), before;
	int64_t error;

	if (sys_filtered && !is_begun(&thread->regs))
		return GATE_CALL; /* it is refused, and nothing ends */
	/* What programs look at may fault, to be made. */
	error = sys_call4(SYS_rt_sigprocmask, SIG_SETMASK, &but_faults, &before, 8);
	if (thread->pending) { /* the handler runs first, and exit comes again */
		if (error == 0)
			sys_call4(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, 8);
		return GATE_CALL;
	}
	if (gate_ops->leaving && (!thread->unseen || thread->told))
		gate_ops->leaving(thread, &thread->regs, (int32_t)thread->regs.di, whole);
	if (!ends)
		return GATE_CALL;
	sys_call4(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
	sample_end(thread);
	thread_unbind(thread);
	thread->tid = 0;
	return GATE_EXIT;
}

static enum gate_next call_exec(struct target_thread *thread)
{
	if (gate_ops->exec)
		gate_ops->exec(thread, &thread->regs, 0);
	signal_exec(thread);
	return GATE_CALL;
}

/* --- what the agent stands on --- */

static enum gate_next call_arch_prctl(struct target_thread *thread)
{
	int64_t result;

	if (thread->regs.di != ARCH_SET_FS)
		return GATE_CALL;
	result = sys_make(SYS_arch_prctl, ARCH_SET_FS, thread->regs.si, 0, 0, 0, 0);
	if (result == 0)
		thread_bind(thread, thread->regs.si);
	return gate_leave_with(thread, result);
}

static const uint64_t no_arguments[6];

static int64_t filter_done(struct target_thread *thread, int64_t result)
{
	(void)thread;
	if (result != 0) {
		filter_undo();
		signal_go_directly(!filter_allows(SYS_rt_sigreturn, no_arguments));
	}
	return result;
}

/* From here on the application's filters are asked for what we call. */
static enum gate_next call_filter(struct target_thread *thread)
{
	if (!filter_is_install(&thread->regs))
		return GATE_CALL;
	if (gate_ops->filtering)
		gate_ops->filtering(thread);
	filter_install(&thread->regs);
	signal_go_directly(!filter_allows(SYS_rt_sigreturn, no_arguments));
	sample_filtered();
	thread->after = filter_done;
	return GATE_CALL;
}

/* Two cannot have one thread's dispatch: the application goes first. */
static enum gate_next call_prctl(struct target_thread *thread)
{
	const struct target_regs *regs = &thread->regs;
	int64_t result;

	if (filter_is_install(regs))
		return call_filter(thread);
	if (regs->di != PR_SET_SYSCALL_USER_DISPATCH)
		return GATE_CALL;
	result = sys_make(SYS_prctl, regs->di, regs->si, regs->dx, regs->r10, regs->r8, 0);
	if (result == 0 && regs->si != 0 && !thread->aside) {
		thread->aside = true;
		thread->dispatched = false;
		gate_aside(thread, GATE_ASIDE_DISPATCH);
	} else if (result == 0 && regs->si == 0) {
		thread->aside = false;
		dispatch_begin(thread);
	}
	return gate_leave_with(thread, result);
}

/*
 * A tracer sees every signal, those of dispatch too, and need not be looking: gdb's
 * child asks to be traced while gdb sleeps in vfork. So the thread goes on without.
 */
static int64_t traceme_done(struct target_thread *thread, int64_t result)
{
	if (result == 0 && !thread->aside && dispatch_end(thread) == 0) {
		thread->aside = true;
		gate_aside(thread, GATE_ASIDE_TRACED);
	}
	return result;
}

static enum gate_next call_ptrace(struct target_thread *thread)
{
	if (thread->regs.di == PTRACE_TRACEME)
		thread->after = traceme_done;
	return GATE_CALL;
}

static enum gate_next call_mapping(struct target_thread *thread)
{
	(void)thread;
	return GATE_CALL;
}

typedef enum gate_next special_fn(struct target_thread *thread);

static special_fn *const special[GATE_CALLS] = {
#define GATED(name, fn) [SYS_##name] = fn,
#include "hook/gated.def"
#undef GATED
};

/* --- every call that is looked at --- */

static void mapping_done(struct target_thread *thread, int64_t result)
{
	uint64_t nr = thread->regs.orig_ax;

	if (nr >= GATE_CALLS || special[nr] != call_mapping || !gate_ops->mapped)
		return;
	gate_ops->mapped(thread, &thread->regs, result);
	dispatch_settle(thread);
}

/* A call that somebody has to do with besides those that only see it begin. */
static enum gate_next begin_call(struct target_thread *thread)
{
	uint64_t nr = thread->regs.orig_ax;
	enum gate_next next;

	thread->call = call_as_asked(&thread->regs);
	if (nr >= GATE_CALLS || !special[nr])
		return GATE_CALL;
	next = special[nr](thread);
	if (next == GATE_LEAVE)
		gate_after(thread, (int64_t)thread->regs.ax);
	return next;
}

/* Programs see it once, as on Linux, where a signal does not keep it from being made. */
bool gate_finishes(struct target_thread *thread)
{
	if (!thread->entered || !finish_is_certain(&thread->regs))
		return false;
	thread->heeds = 0;
	return true;
}

enum gate_next gate_before(struct target_thread *thread, uint64_t flags)
{
	struct target_regs *regs = &thread->regs;
	uint64_t nr = (uint64_t)(int64_t)(int32_t)regs->orig_ax;
	bool call = true;

	dispatch_settle(thread);
	regs->orig_ax = nr;
	regs->flags |= flags & ~(FLAGS_STATUS | FLAGS_NOT_OURS);
	regs->cx = regs->ip;
	regs->r11 = regs->flags;
	regs->ax = (uint64_t)-ENOSYS;
	thread->waiting = thread->hooked = thread->entered = thread->quick = false;
	thread->heeds = PENDING_ALL;
	thread->after = NULL;
	if (thread->pending)
		return GATE_CALL; /* only to be told so */
	thread->hooked = !thread->unseen && gate_wants(nr);
	if (thread->hooked && gate_ops->enter && (!sys_filtered || is_begun(regs))) {
		call = gate_ops->enter(thread, regs);
		thread->entered = true;
	}
	thread->inside = thread->hooked;
	sample_look(thread);
	if (thread->sample_due)
		sample_take_due(thread, regs);
	if (thread->pending && !gate_finishes(thread)) {
		thread->entered = false; /* it is put off: nothing is ready for it */
		return GATE_CALL;
	}
	thread->quick = call && !thread->hooked && (nr >= GATE_CALLS || !special[nr]);
	if (thread->quick)
		return GATE_CALL;
	if (call)
		return begin_call(thread);
	gate_after(thread, (int64_t)regs->ax);
	return GATE_LEAVE;
}

enum gate_next gate_after(struct target_thread *thread, int64_t result)
{
	struct target_regs *regs = &thread->regs;

	if (thread->after)
		result = thread->after(thread, result);
	thread->after = NULL;
	regs->ax = (uint64_t)result;
	if (thread->exec_mask)
		signal_exec_failed(thread);
	if (gate_ops->exec && result < 0 &&
	    (regs->orig_ax == SYS_execve || regs->orig_ax == SYS_execveat))
		gate_ops->exec(thread, regs, result);
	mapping_done(thread, result);
	if (thread->hooked && gate_ops->exit)
		gate_ops->exit(thread, regs, result);
	thread->hooked = false;
	if (thread->sample_due)
		sample_take_due(thread, regs);
	return GATE_LEAVE;
}

void gate_undo(struct target_thread *thread)
{
	thread->after = NULL;
	if (thread->child)
		gate_clone_over(thread, false);
	if (thread->exec_mask)
		signal_exec_failed(thread);
}

/* --- start and stop --- */

static int gate_enter_thread(struct target_thread *thread)
{
	int error;

	thread->tid = (uint32_t)sys_call0(SYS_gettid);
	thread->pid = (uint32_t)sys_call0(SYS_getpid);
	thread_bind(thread, thread_fs_base());
	error = signal_thread_start(thread);
	if (error < 0) {
		thread_free(thread);
		return error;
	}
	dispatch_begin(thread);
	sample_adjust(thread);
	return 0;
}

int gate_adopt(void)
{
	struct target_thread *thread = thread_here();

	if (thread) {
		dispatch_settle(thread);
		return -EALREADY;
	}
	thread = thread_new();
	return thread ? gate_enter_thread(thread) : -ENOMEM;
}

static bool is_syscall(uint64_t at)
{
	unsigned char code[2];

	return fault_copy(code, (const void *)(uintptr_t)at, 2) == 0 && code[0] == 0x0f &&
	       code[1] == 0x05;
}

/* What the gate would have kept of its way in. */
static void resume_as(struct target_thread *thread, uint64_t nr, uint64_t ip, uint64_t flags)
{
	thread->regs.orig_ax = nr;
	thread->regs.ip = ip;
	thread->regs.flags = 0x200 | GATE_FLAG | (flags & FLAGS_STATUS);
	thread->status = (uint16_t)((flags & 0xff & FLAGS_STATUS) << 8 | GATE_FLAG << 8 |
				    (flags >> 11 & 1));
}

bool gate_is_restart(const struct target_regs *regs)
{
	enum { INTERRUPTED = 512, INTERRUPTED_LAST = 516 };
	int64_t result = (int64_t)regs->ax;

	return (int64_t)regs->orig_ax >= 0 && result <= -INTERRUPTED && result >= -INTERRUPTED_LAST;
}

/* As one that nobody has to do anything about. */
static bool is_plain(const struct target_regs *regs)
{
	if (regs->orig_ax >= GATE_CALLS)
		return false;
	return !special[regs->orig_ax] || (special[regs->orig_ax] == signal_call_wait &&
					   !signal_wait_has_mask(regs));
}

uint64_t gate_resume(const struct target_regs *regs)
{
	struct target_thread *thread = thread_here();

	if (!thread || thread->aside)
		return 0;
	/* The kernel has made its mind up, and keeps what is left of the call itself. */
	if (regs->ax == SYS_restart_syscall && is_syscall(regs->ip)) {
		resume_as(thread, regs->ax, regs->ip + 2, regs->flags);
		return (uintptr_t)gate_plain_syscall;
	}
	if (!gate_is_restart(regs) || !is_plain(regs) || !is_syscall(regs->ip - 2))
		return 0;
	resume_as(thread, regs->orig_ax, regs->ip, regs->flags);
	return (uintptr_t)gate_plain_after;
}

void gate_look(uint64_t ip)
{
	struct target_thread *thread = thread_here();
	bool waits = (ip >= (uintptr_t)gate_plain_syscall && ip <= (uintptr_t)gate_plain_after) ||
		     (ip >= (uintptr_t)gate_call_syscall && ip <= (uintptr_t)gate_call_after);

	if (!thread || (!waits && ip - (uintptr_t)gate_ops->text < gate_ops->text_size))
		return;
	sample_look(thread);
	dispatch_settle(thread);
}

int gate_start(const struct gate_ops *ops)
{
	if (gate_ops != &no_ops)
		return -EALREADY;
	if (getauxval(AT_MINSIGSTKSZ) > SIGNAL_FP_MAX)
		return -EOVERFLOW; /* frames larger than any processor's so far */
	gate_ops = ops;
	if (ops->wanted)
		gate_wanted = ops->wanted;
	for (uint32_t nr = 0; nr < GATE_CALLS; nr++)
		if (special[nr] && (special[nr] != call_mapping || ops->mapped))
			gate_special[nr / 64] |= 1ull << nr % 64;
	for (uint32_t i = 0; i < sizeof(by_gate.way); i++)
		by_gate.way[i] = 1;
	by_gate.dispatched = 1;
	gate_ways = ops->ways ? ops->ways : &by_gate;
	signal_start();
	return gate_adopt();
}

void gate_distrust(void)
{
	__atomic_store_n(&gate_ways, &by_gate, __ATOMIC_RELEASE);
}

/* Tells all threads but one, once each. One that is just being made known has no number yet. */
static void dismiss(const struct target_thread *but)
{
	for (struct target_thread *thread = thread_list; thread; thread = thread->next) {
		if (thread == but || thread->dismissed || thread->vforks > 0 ||
		    __atomic_load_n(&thread->state, __ATOMIC_ACQUIRE) != THREAD_USED)
			continue;
		thread->dismissed = true; /* first, as it may say at once that it could not */
		if (!signal_stop_thread(thread))
			thread->dismissed = false;
	}
}

uint32_t gate_dismiss(void)
{
	dismiss(NULL);
	return thread_count();
}

int gate_stop(void)
{
	const struct timespec pause = { 0, 1000000 };
	struct target_thread *self = thread_here();

	if (gate_ops == &no_ops)
		return -EALREADY;
	for (int i = 0; i < STOP_TRIES && thread_count() > (self != NULL); i++) {
		dismiss(self);
		sys_call2(SYS_nanosleep, &pause, NULL);
	}
	if (thread_count() > (self != NULL))
		return -ETIMEDOUT;
	if (self)
		sample_end(self);
	if (self)
		dispatch_end(self);
	signal_stop();
	if (self) {
		signal_thread_stop(self);
		thread_free(self);
	}
	gate_wanted = nothing_wanted;
	gate_distrust();
	for (uint32_t i = 0; i < GATE_CALLS / 64; i++)
		gate_special[i] = 0;
	gate_ops = &no_ops;
	return 0;
}
