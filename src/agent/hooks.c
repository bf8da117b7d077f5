/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks.c - what the gate tells of a thread becomes an event of the board. [runtime,
 * in the agent's image only]
 *
 * Everything here runs on the thread's agent stack, with the application's
 * registers kept in its record.
 */
#include "agent/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "agent/agent.h"
#include "agent/ending.h"
#include "agent/filter.h"
#include "agent/gate.h"
#include "agent/patch.h"
#include "agent/places.h"
#include "agent/probes.h"
#include "agent/space.h"
#include "helper/task_proc.h"
#include "helper/vm.h"
#include "hook/agent.h"
#include "hook/board.h"
#include "hook/context.h"
#include "hook/targets.h"
#include "map/owner.h"
#include "map/sys.h"

extern const char agent_table[], agent_text_end[];

static struct board *board; /* the machine's, which stays */

static bool is_abroad(const struct target_thread *thread)
{
	return thread->space == THREAD_OF_PROCESS ? agent_self.abroad : thread->space == THREAD_ABROAD;
}

/* What its parent was stays for the case that the kernel may not be asked. */
static void facts_of_another(struct target_thread *thread)
{
	struct task_facts *facts = &thread->facts;

	facts->tid = facts->own_tid = thread->tid;
	facts->pid = facts->own_pid = thread->pid;
	facts->abroad = is_abroad(thread);
	facts->named = false;
	facts->known = 0;
	facts->began_ns = 0;
}

/* Of a process's first thread. */
static uint64_t began(const struct task_facts *facts)
{
	const struct process *process = facts->own_tid == facts->own_pid ? agent_process(facts) : NULL;

	return process ? process->start_ns : 0;
}

/* A vfork child runs on its parent's record under ids of its own. */
struct task_facts *hooks_facts(struct target_thread *thread)
{
	struct task_facts *facts = &thread->facts;

	if (facts->own_tid != thread->tid || facts->own_pid != thread->pid) {
		facts_of_another(thread);
		facts->began_ns = began(facts);
	}
	if (facts->abroad && !facts->named)
		agent_name(facts);
	facts->pointer = thread->key >> 16;
	return facts;
}

/* Of a thread without a record too. */
void hooks_ids(struct task_facts *facts)
{
	struct target_thread *thread = thread_here();

	*facts = (struct task_facts){ .tid = (uint32_t)sys_call0(SYS_gettid), .pid = agent_self.pid,
				      .abroad = agent_self.abroad };
	facts->own_tid = facts->tid;
	facts->own_pid = facts->pid;
	if (thread)
		*facts = *hooks_facts(thread);
}

void hooks_named(uint32_t tid, uint32_t pid)
{
	struct target_thread *thread = thread_here();

	if (!thread)
		return;
	facts_of_another(thread);
	thread->facts.tid = tid;
	thread->facts.pid = pid;
	thread->facts.named = true;
}

/* A call that returns to its stub was made, as programs see it, where the stub is for; that by
 * which we let a handler return, by the application's restorer. */
static void show_site(struct target_regs *regs)
{
	uint64_t shown = 0;

	if (patch_is_stub(regs->ip))
		shown = patch_returns_to(regs->ip);
	else if (regs->ip == (uintptr_t)gate_return_call + 2)
		shown = signal_returns_to();
	if (shown)
		regs->cx = regs->ip = shown;
}

static bool on_enter(struct target_thread *thread, struct target_regs *regs)
{
	uint64_t ip = regs->ip;
	bool call;

	if (places_stale())
		probes_update();
	show_site(regs);
	call = hook_sys_enter(board, hooks_facts(thread), regs);
	regs->cx = regs->ip = ip;
	if (call)
		thread->hooked = hook_wants_exit(board, regs->orig_ax);
	return call;
}

static void on_exit(struct target_thread *thread, struct target_regs *regs, int64_t result)
{
	const uint64_t ip = regs->ip, cx = regs->cx;

	if (!ending_is_inside(thread))
		return;
	/* What a handler returns to may be anywhere in a stub. */
	if (regs->orig_ax == SYS_rt_sigreturn)
		probes_unpatched(regs);
	else
		show_site(regs);
	hook_sys_exit(board, hooks_facts(thread), regs, result);
	regs->ip = ip;
	regs->cx = cx;
}

/* What a thread knows by this id. */
static uint32_t home_id(struct task_facts *facts, int32_t id)
{
	return facts->abroad ? agent_home_id(facts, (uint32_t)id) : (uint32_t)id;
}

static void on_forked(struct target_thread *thread, struct target_regs *regs, int32_t child,
		      enum gate_child how)
{
	struct task_facts *facts = hooks_facts(thread);
	struct target_regs shown = *regs;

	if (!board || !board_has(board, EVENT_FORK))
		return;
	show_site(&shown);
	hook_fork(board, facts, &shown, (int32_t)home_id(facts, child), how == GATE_CHILD_THREAD);
}

/* The parent may have made it in another namespace. thread->space: the parent's still, after vfork. */
static enum thread_space space_of_lodger(const struct target_thread *thread, uint32_t ppid)
{
	const struct owner_table *owners = memory_owners(agent_self.memory);
	uint64_t space = owner_space_read("self");
	bool abroad = is_abroad(thread);

	if (space)
		abroad = owner_space_is_abroad(owners, space);
	else if (ppid == 0)
		abroad = true; /* whoever cannot see its parent is elsewhere */
	return abroad ? THREAD_ABROAD : THREAD_AT_HOME;
}

static void on_fork(enum gate_fork what)
{
	if (what == GATE_FORK_BEGINS)
		agent_forks();
	probes_fork(what == GATE_FORK_BEGINS);
	if (what == GATE_FORK_FAILED)
		agent_fork_failed();
}

static void on_child(struct target_thread *thread, enum gate_child how)
{
	uint32_t ppid = (uint32_t)sys_call0(SYS_getppid);
	bool lodger = how == GATE_CHILD_VFORK ||
		      (how == GATE_CHILD_SHARED && thread->pid != agent_self.pid);

	if (how == GATE_CHILD_FORK) {
		ending_forked(thread);
		owner_known_as.pid = 0;
		agent_self.abroad = owner_is_abroad(memory_owners(agent_self.memory));
	}
	thread->space = (uint8_t)(lodger ? space_of_lodger(thread, ppid) : THREAD_OF_PROCESS);
	facts_of_another(thread);
	if (how == GATE_CHILD_FORK) {
		agent_forked(&thread->facts, ppid);
		space_forked();
	} else if (lodger) {
		agent_lodger(&thread->facts, ppid);
	}
	thread->facts.began_ns = owner_clock();
}

/* Of a process that lives in another's memory. */
static bool is_lodger(const struct target_thread *thread, const struct task_facts *facts)
{
	return facts->abroad && !facts->named ? thread->pid != agent_self.pid
					      : facts->pid != agent_self.home_pid;
}

/* The kernel ends the call that it waits in; of what ends by itself nobody knows with what. */
static bool is_interrupted(const struct ending_other *other)
{
	char path[TASK_PATH], stat[256];

	if (!other->inside || other->regs.orig_ax == SYS_exit || other->regs.orig_ax == SYS_exit_group)
		return false;
	task_path(path, other->tid, "stat");
	task_text(path, stat, sizeof(stat));
	return task_state(stat) == 'S';
}

/* As the calling thread knows them. */
static void facts_of_other(struct ending_other *other, struct task_facts *own)
{
	struct task_facts *facts = &other->facts;

	if (facts->own_tid != other->tid || facts->own_pid != own->own_pid)
		*facts = (struct task_facts){ .tid = other->tid };
	if (own->abroad && !facts->named)
		facts->tid = agent_home_id(own, other->tid);
	facts->own_tid = other->tid;
	facts->own_pid = own->own_pid;
	facts->pid = own->pid;
	facts->abroad = own->abroad;
	facts->named = own->named;
	facts->known &= ~(uint32_t)TASK_KNOWS_RECORD;
	facts->pointer = own->pointer;
	facts->another = true;
}

/* The other threads of a process that ends; the last of them is left in `last`. */
static void tell_others(struct target_thread *thread, struct task_end *end,
			struct ending_other *last)
{
	struct ending_other other;

	end->killed = true;
	while (end->live > 0 && ending_take(thread, &other, &end->live)) {
		facts_of_other(&other, hooks_facts(thread));
		show_site(&other.regs);
		if (is_interrupted(&other))
			hook_sys_exit(board, &other.facts, &other.regs, -EINTR);
		hook_exit(board, &other.facts, &other.regs, end);
		task_leave(agent_self.targets->world->tasks, &other.facts);
		*last = other;
	}
}

static bool may_use_sockets(void)
{
	return agent_self.sockets && filter_allows_sockets();
}

/* What is to be told of the other threads if the exec ends them. */
static void doom_others(struct target_thread *thread, struct process *process)
{
	uint32_t threads = thread_count(), room = threads < DOOMED ? threads - 1 : DOOMED, count = 0;
	struct ending_other other;
	struct doomed *doomed;

	doomed = room ? memory_alloc(agent_self.memory,
				     sizeof(*doomed) + room * sizeof(doomed->thread[0]), 8) : NULL;
	if (!doomed)
		return;
	doomed->count = room; /* the size, by which it is freed */
	process->doomed = doomed;
	for (; count < room && ending_doom(thread, &other); count++) {
		facts_of_other(&other, hooks_facts(thread));
		show_site(&other.regs);
		task_current(agent_self.targets->world->tasks, &other.facts, NULL);
		doomed->thread[count] = (struct doomed_thread){
			.facts = other.facts, .regs = other.regs, .interrupted = is_interrupted(&other),
		};
	}
	ending_settle();
}

/* The exec has ended them. */
static void tell_doomed(struct process *process, const struct task_facts *own)
{
	struct doomed *doomed = process->doomed;
	struct task_end end = { .killed = true };
	uint32_t count = 0;

	while (count < doomed->count && count < DOOMED && doomed->thread[count].facts.tid)
		count++;
	for (uint32_t i = 0; i < count; i++) {
		struct doomed_thread *thread = &doomed->thread[i];

		thread->facts.pointer = own->pointer;
		end.live = (int32_t)(count - i);
		if (thread->interrupted)
			hook_sys_exit(board, &thread->facts, &thread->regs, -EINTR);
		hook_exit(board, &thread->facts, &thread->regs, &end);
		if (thread->facts.tid != own->tid)
			task_leave(agent_self.targets->world->tasks, &thread->facts);
	}
	process_spare(agent_self.targets, process);
}

static void on_exec(struct target_thread *thread, struct target_regs *regs, int64_t result)
{
	bool at = regs->orig_ax == SYS_execveat;
	const char *path = (const char *)(uintptr_t)(at ? regs->si : regs->di);
	struct process *process = thread->vforks == 0 ? agent_process(hooks_facts(thread)) : NULL;

	if (process && result < 0 && ending_spare(thread))
		process_spare(agent_self.targets, process);
	if (process && result >= 0 && board && board_has(board, EVENT_EXIT) && ending_execs(thread))
		doom_others(thread, process);
	if (sys_filtered && !filter_allows_all())
		agent_filtered(hooks_facts(thread), result < 0);
	else if (result < 0)
		agent_exec_failed(hooks_facts(thread));
	else
		agent_will_exec(hooks_facts(thread), at ? (int)regs->di : AT_FDCWD, path,
				regs->orig_ax | (may_use_sockets() ? MAIL_SOCKETS : 0));
}

/* how: for SIGCHLD, si_code. */
static void leave(struct target_thread *thread, struct target_regs *regs, struct task_end *end,
		  int32_t how)
{
	struct task_facts *facts = hooks_facts(thread);
	struct ending_other last = { .facts = *facts, .regs = *regs };
	bool lodger = is_lodger(thread, facts);

	if (thread->vforks == 0 && !ending_begins(thread, end->whole, &end->live))
		return;
	if (board)
		hook_exit(board, facts, regs, end);
	if (board && end->whole && thread->vforks == 0)
		tell_others(thread, end, &last);
	if (board && end->live == 0)
		hook_child(board, last.thread ? &last.facts : facts, &last.regs,
			   (int32_t)sys_call0(SYS_getppid), how);
	task_leave(agent_self.targets->world->tasks, facts);
	if (thread->vforks == 0)
		ending_done(end->whole);
	if (end->whole || end->live == 0 || lodger)
		agent_left(facts);
}

static void on_leaving(struct target_thread *thread, struct target_regs *regs, int32_t status,
		       bool whole)
{
	struct task_end end = { .code = (status & 0xff) << 8, .whole = whole };
	struct target_regs shown = *regs;

	show_site(&shown);
	leave(thread, &shown, &end, CLD_EXITED);
}

static bool ends_wanted; /* as the program begins */

/* To the first of a pid namespace signals that it does not handle do nothing. */
static bool wants_end(void)
{
	return ends_wanted && sys_call0(SYS_getpid) != 1;
}

/* Whether the kernel is likely to write a core. */
static bool dumps_core(int sig)
{
	uint64_t limit[2] = { 0 };

	return context_wants_core(sig) &&
	       sys_call4(SYS_prlimit64, 0, RLIMIT_CORE, 0, limit) == 0 && limit[0] > 0;
}

/* Of those that the kernel itself sends; the others are told where they are sent. */
static void on_signal(struct target_thread *thread, int sig, const siginfo_t *info)
{
	const struct hook_signal signal = {
		.sig = sig, .error = info->si_errno, .code = info->si_code,
		.pid = (int32_t)thread->tid,
	};
	struct task_facts *facts;

	if (!board || !board_has(board, EVENT_SIGNAL) || info->si_code <= 0)
		return;
	/* Children that are targets have told that they end. */
	facts = hooks_facts(thread);
	if (sig == SIGCHLD && info->si_code <= CLD_DUMPED &&
	    process_was(agent_self.targets, home_id(facts, info->si_pid)))
		return;
	hook_signal(board, facts, &thread->regs, &signal);
}

static void on_ending(struct target_thread *thread, int sig, const siginfo_t *info,
		      struct target_regs *regs)
{
	enum { CORE = 0x80 };
	bool core = dumps_core(sig);
	struct task_end end = { .code = sig | (core ? CORE : 0), .whole = true, .killed = true };

	probes_unpatched(regs);
	on_signal(thread, sig, info);
	leave(thread, regs, &end, core ? CLD_DUMPED : CLD_KILLED);
}

static void on_aside(struct target_thread *thread, enum gate_aside why)
{
	struct process *process = agent_process(hooks_facts(thread));

	if (!process)
		return;
	if (why == GATE_ASIDE_TIMER)
		__atomic_fetch_add(&process->unsampled, 1, __ATOMIC_RELAXED);
	__atomic_fetch_or(&process->asides, 1u << why, __ATOMIC_RELAXED);
	if (why == GATE_ASIDE_TRACED) {
		process->tracer = process->ppid;
		process_refuse(process, WHYNOT_TRACED, 0);
	}
}

static void on_filtering(struct target_thread *thread)
{
	struct task_facts *facts = hooks_facts(thread);
	char name[16];

	task_comm(facts, name);
	task_ids(facts);
}

/* A file's code; anonymous code has no table. */
static void on_mapped(struct target_thread *thread, struct target_regs *regs, int64_t result)
{
	if (regs->orig_ax == SYS_mmap && !(regs->r10 & MAP_ANONYMOUS))
		space_changed();
	probes_mapped(thread, regs, result);
}

static void on_sample(struct target_thread *thread, struct target_regs *regs, uint32_t missed)
{
	if (missed)
		__atomic_fetch_add(&board->missed_samples, missed, __ATOMIC_RELAXED);
	probes_unpatched(regs);
	hook_sample(board, hooks_facts(thread), regs, thread->sample_ns);
}

static struct gate_ops ops = {
	.enter = on_enter, .exit = on_exit, .exec = on_exec, .forked = on_forked,
	.child = on_child, .leaving = on_leaving, .trap = probes_trap, .call = probes_call,
	.signal = on_signal, .back = agent_back_to, .wants_end = wants_end, .ending = on_ending,
	.aside = on_aside, .mapped = on_mapped, .fork = on_fork, .left = probes_leave,
	.framed = probes_framed, .unframed = probes_unframed, .filtering = on_filtering, .sample = on_sample,
};

int hooks_start(bool alone)
{
	int error;

	board = __atomic_load_n(&agent_self.targets->world->board, __ATOMIC_ACQUIRE);
	if (!board)
		return -EPROTO; /* the supervisor makes it before the first target */
	ops.text = agent_table;
	ops.text_size = (uintptr_t)agent_text_end - (uintptr_t)agent_table;
	ops.wanted = board->wanted;
	ops.wants_all = &board->wants_all;
	ops.sample_ns = &board->sample_ns;
	ops.ways = &board->ways;
	ends_wanted = board_wants_ends(board);
	error = gate_start(&ops);
	if (error < 0)
		return error;
	/* Threads may be in a handler, which does not return to gate_return. */
	if (!alone)
		gate_distrust();
	dispatch_settle(thread_here());
	return 0;
}

/* A program that is not patched is dispatched. */
int hooks_patch(bool shared)
{
	if (agent_self.why == AGENT_ATTACHED)
		return probes_start(board, shared ? PATCH_LIVE : PATCH_HELD);
	if (probes_start(board, PATCH_ALONE) < 0)
		gate_distrust();
	dispatch_settle(thread_here());
	return 0;
}

uint32_t hooks_dismiss(void)
{
	probes_stop();
	return gate_dismiss();
}

int hooks_stop(void)
{
	int error = gate_stop();

	if (error == 0) {
		probes_done();
		thread_unmap_all();
		space_stop();
	}
	return error;
}

void hooks_began(uint32_t nr, int32_t old_tid, uint64_t ip, uint64_t sp)
{
	struct target_thread *thread = thread_here();
	struct target_regs regs = { .ip = ip, .sp = sp, .flags = 0x202, .cs = 0x33, .ss = 0x2b,
				    .orig_ax = SYS_execve };
	struct process *process;

	if (!board || !thread)
		return;
	process = agent_process(hooks_facts(thread));
	if (process && process->doomed)
		tell_doomed(process, hooks_facts(thread));
	hook_exec(board, hooks_facts(thread), &regs,
		  (const char *)(uintptr_t)getauxval(AT_EXECFN), old_tid);
	regs.orig_ax = nr;
	if (board_wants(board, nr) || board_wants(board, SYS_execve))
		hook_sys_exit(board, hooks_facts(thread), &regs, 0);
}
