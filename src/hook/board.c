/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * board.c - what happens when something that programs wait for happens. [runtime]
 *
 * An entry point describes the event once, in a struct occasion; context.c makes
 * of it the context that each program is to see.
 *
 * A system call passes its places in the order of Linux:
 *
 *   sys_enter tracepoints, raw ones first | the function is entered | the call
 *   | the function is left | sys_exit tracepoints
 */
#include "hook/board.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>

#include "base/base.h"
#include "hook/context.h"
#include "map/vcpu.h"
#include "vm/vm.h"

/* --- what calls do to what is known of a thread --- */

const bool board_changers[BOARD_CALLS] = {
	[SYS_setuid] = true, [SYS_setgid] = true, [SYS_setreuid] = true, [SYS_setregid] = true,
	[SYS_setresuid] = true, [SYS_setresgid] = true, [SYS_prctl] = true, [SYS_unshare] = true,
	[SYS_setns] = true, [SYS_setfsuid] = true, [SYS_setfsgid] = true, [SYS_setpriority] = true,
	[SYS_sched_setparam] = true, [SYS_sched_setscheduler] = true, [SYS_sched_setattr] = true,
};

bool board_wants_ends(const struct board *board)
{
	bool wants = board->event[EVENT_EXIT] || board->event[EVENT_SIGNAL] ||
		     board->event[EVENT_SYS_EXIT];

	for (uint32_t nr = 0; nr < BOARD_CALLS && !wants; nr++)
		wants = board->call[nr][CALL_EXIT] || board->call[nr][CALL_TRACE_EXIT];
	return wants;
}

/* --- running programs --- */

const struct board_list *const board_no_lists[CALL_STAGES];

static const struct board_list *list_at(const struct board_list *const *slot)
{
	return __atomic_load_n(slot, __ATOMIC_ACQUIRE);
}

static uint64_t run_link(struct occasion *event, const struct board_link *link)
{
	struct board *board = event->board;
	const struct code *code = __atomic_load_n(&link->code, __ATOMIC_ACQUIRE);
	uint64_t result;
	struct vm vm;

	if (!code)
		return 0;
	vm_begin(&vm, board->world, event->cpu);
	vm.prog_type = code->prog_type;
	vm.cookie = link->cookie;
	vm.func_ip = event->func_ip;
	vm.regs = (const uint64_t *)event->regs;
	vm.task = event->facts;
	context_make(event, link->form, &vm);
	result = vm_run(&vm, code, board->interpreted);
	if (vm.faulted)
		__atomic_fetch_add(&board->faults, 1, __ATOMIC_RELAXED);
	if (event->decides && !event->decided && (vm.overrides || (link->modifies && result))) {
		event->decided = true;
		event->decision = vm.overrides ? vm.override : result;
	}
	return result;
}

static uint64_t run_list(struct occasion *event, const struct board_list *list)
{
	uint64_t result = 0;

	for (uint32_t i = 0; list && i < list->count; i++)
		result = run_link(event, &list->links[i]);
	return result;
}

static void miss_list(const struct board_list *list)
{
	for (uint32_t i = 0; list && i < list->count; i++) {
		struct code *code = (struct code *)(uintptr_t)list->links[i].code;

		if (code)
			__atomic_fetch_add(&code->missed, 1, __ATOMIC_RELAXED);
	}
}

/*
 * A virtual CPU for the event; the lists that slots hold now may be read until it is
 * given back. NULL: the event is to be missed.
 */
static inline struct vcpu *take_cpu(struct board *board, const struct task_facts *facts,
				    bool *inside)
{
	struct vcpu_set *all = board->world->vcpus;

	return facts && facts->pointer ? vcpu_take_waiting_at(all, facts->pointer, inside)
				       : vcpu_take_waiting(all, inside);
}

/* By every program that waited for it. */
static __attribute__((noinline)) void miss(struct board *board,
					   const struct board_list *const *const *slots,
					   unsigned count, bool inside)
{
	__atomic_fetch_add(inside ? &board->missed_inside : &board->missed_busy, 1,
			   __ATOMIC_RELAXED);
	/* What this thread is inside of holds a virtual CPU, and so the lists. */
	for (unsigned i = 0; inside && i < count; i++)
		miss_list(list_at(slots[i]));
}

/* The same for one list. */
static struct vcpu *take_cpu_for(struct board *board, const struct task_facts *facts,
				 const struct board_list *const *slot)
{
	bool inside;
	struct vcpu *cpu = take_cpu(board, facts, &inside);

	if (!cpu)
		miss(board, &slot, 1, inside);
	return cpu;
}

/* Takes a virtual CPU if anything waits for the event, which can then be described. */
static bool begin(struct occasion *event, enum board_event kind)
{
	const struct board_list *const *slot = &event->board->event[kind];

	event->cpu = list_at(slot) ? take_cpu_for(event->board, event->facts, slot) : NULL;
	return event->cpu != NULL;
}

static void finish(struct occasion *event, enum board_event kind)
{
	run_list(event, list_at(&event->board->event[kind]));
	vcpu_give(event->cpu);
}

static struct own_task *current(struct occasion *event)
{
	return task_current(event->board->world->tasks, event->facts, event->cpu);
}

uint64_t hook_list(struct board *board, struct task_facts *facts,
		   const struct board_list *const *list, struct target_regs *regs,
		   uint64_t func_ip)
{
	struct occasion event = { .board = board, .facts = facts, .regs = regs,
				  .func_ip = func_ip };
	uint64_t result;

	if (!list_at(list))
		return 0;
	event.cpu = take_cpu_for(board, facts, list);
	if (!event.cpu)
		return 0;
	result = run_list(&event, list_at(list));
	vcpu_give(event.cpu);
	return result;
}

bool hook_session_enter(struct board *board, struct task_facts *facts,
			const struct board_list *const *slot, struct target_regs *regs,
			uint64_t func_ip, struct hook_session *session)
{
	struct occasion event = { .board = board, .facts = facts, .regs = regs,
				  .func_ip = func_ip };
	const struct board_list *list;
	uint32_t chosen = 0;

	*session = (struct hook_session){ 0 };
	event.cpu = take_cpu_for(board, facts, slot);
	if (!event.cpu)
		return false;
	list = list_at(slot);
	for (uint32_t i = 0; list && i < list->count; i++)
		if (run_link(&event, &list->links[i]) == 0 && chosen < HOOK_SESSIONS)
			session->links[chosen++] = list->links[i].id + 1;
	vcpu_give(event.cpu);
	return chosen > 0;
}

static bool is_chosen(const struct hook_session *session, uint32_t id)
{
	for (uint32_t i = 0; i < HOOK_SESSIONS && session->links[i]; i++)
		if (session->links[i] == id + 1)
			return true;
	return false;
}

void hook_session_leave(struct board *board, struct task_facts *facts,
			const struct board_list *const *slot, struct target_regs *regs,
			uint64_t func_ip, const struct hook_session *session)
{
	struct occasion event = { .board = board, .facts = facts, .regs = regs,
				  .func_ip = func_ip };
	const struct board_list *list;

	event.cpu = take_cpu_for(board, facts, slot);
	if (!event.cpu)
		return;
	list = list_at(slot);
	for (uint32_t i = 0; list && i < list->count; i++)
		if (is_chosen(session, list->links[i].id))
			run_link(&event, &list->links[i]);
	vcpu_give(event.cpu);
}

/* --- system calls --- */

/*
 * The signal that a call sends. One to the caller itself is told before the call,
 * as nobody may see its result; else once it is known to be sent.
 */
static __attribute__((noinline)) void tell_signal_sent(struct board *board,
						       struct task_facts *facts,
						       struct target_regs *regs, bool leaving)
{
	struct hook_signal signal;
	bool own;

	if (!context_sent_signal(regs, &signal))
		return;
	own = facts && (uint32_t)signal.pid == (signal.group ? task_own_pid(facts)
							      : task_own_tid(facts));
	if (own == leaving)
		return;
	signal.result = context_signal_result(&signal, facts, leaving);
	hook_signal(board, facts, regs, &signal);
}

static inline void tell_signal(struct board *board, struct task_facts *facts,
			       struct target_regs *regs, bool leaving)
{
	if (list_at(&board->event[EVENT_SIGNAL]))
		tell_signal_sent(board, facts, regs, leaving);
}

/* Each field by itself, as in vm_begin(); result and decision when there is one. */
static void describe_call(struct occasion *event, struct board *board, struct task_facts *facts,
			  struct target_regs *regs, struct call_record *record,
			  struct occasion_room *room)
{
	event->board = board;
	event->facts = facts;
	event->regs = regs;
	event->cpu = NULL;
	event->record = record;
	event->raw = NULL;
	event->raw_count = 2;
	event->func_ip = board_function(regs->orig_ax);
	event->result = 0;
	event->leaving = event->decides = event->decided = false;
	event->room = room;
}

bool hook_sys_enter(struct board *board, struct task_facts *facts, struct target_regs *regs)
{
	const struct board_list *const *all = &board->event[EVENT_SYS_ENTER];
	const struct board_list *const *lists = board_lists(board, regs->orig_ax);
	const struct board_list *const *trace = &lists[CALL_TRACE_ENTER];
	const struct board_list *const *function = &lists[CALL_ENTER];
	uint64_t raw[2] = { (uintptr_t)regs, regs->orig_ax };
	struct call_record record;
	struct occasion_room room;
	struct occasion event;
	bool inside;

	/* What Linux has there until there is a result. */
	regs->ax = (uint64_t)-ENOSYS;
	if (!list_at(all) && !list_at(trace) && !list_at(function)) {
		tell_signal(board, facts, regs, false);
		return true;
	}
	describe_call(&event, board, facts, regs, &record, &room);
	event.raw = raw;
	event.cpu = take_cpu(board, facts, &inside);
	if (!event.cpu) {
		miss(board, (const struct board_list *const *const[]){ all, trace, function }, 3, inside);
		return true;
	}
	context_call(&record, regs, false, 0);
	run_list(&event, list_at(all));
	run_list(&event, list_at(trace));
	event.decides = true;
	run_list(&event, list_at(function));
	vcpu_give(event.cpu);
	if (event.decided)
		regs->ax = event.decision;
	else
		tell_signal(board, facts, regs, false);
	return !event.decided;
}

/* What call Linux says it was, once it is over. */
static uint64_t call_left(uint64_t nr, int64_t result)
{
	/* With all other registers it restores which call it is in: none. */
	if (nr == SYS_rt_sigreturn)
		return UINT64_MAX;
	/* A program begins as if by execve, whatever loaded it. */
	return nr == SYS_execveat && result == 0 ? SYS_execve : nr;
}

static void tell_exit(struct board *board, struct task_facts *facts, struct target_regs *regs,
		      int64_t result)
{
	const struct board_list *const *all = &board->event[EVENT_SYS_EXIT];
	const struct board_list *const *function =
		&board_lists(board, regs->orig_ax)[CALL_EXIT];
	const struct board_list *const *trace;
	uint64_t raw[2] = { (uintptr_t)regs, (uint64_t)result };
	struct call_record record;
	struct occasion_room room;
	struct occasion event;
	bool inside;

	if (result >= 0)
		tell_signal(board, facts, regs, true);
	if (result == -EINTR && regs->orig_ax != SYS_rt_sigreturn)
		raw[1] = (uint64_t)(result = context_interrupted(regs));
	regs->ax = (uint64_t)result;
	regs->orig_ax = call_left(regs->orig_ax, result);
	trace = &board_lists(board, regs->orig_ax)[CALL_TRACE_EXIT];
	if (facts && board_changes_task((uint32_t)regs->orig_ax))
		facts->known = 0;
	if (!list_at(all) && !list_at(function) && !list_at(trace))
		return;
	describe_call(&event, board, facts, regs, &record, &room);
	event.raw = raw;
	event.leaving = true;
	event.result = result;
	event.cpu = take_cpu(board, facts, &inside);
	if (!event.cpu) {
		miss(board, (const struct board_list *const *const[]){ all, function, trace }, 3, inside);
		return;
	}
	context_call(&record, regs, true, result);
	/* The registers that the call was made with get its result when its function is left. */
	regs->ax = (uint64_t)-ENOSYS;
	run_list(&event, list_at(function));
	regs->ax = (uint64_t)result;
	run_list(&event, list_at(all));
	run_list(&event, list_at(trace));
	vcpu_give(event.cpu);
}

void hook_sys_exit(struct board *board, struct task_facts *facts, struct target_regs *regs,
		   int64_t result)
{
	tell_exit(board, facts, regs, result);
	regs->ax = (uint64_t)result;
}

/* --- processes --- */

void hook_exec(struct board *board, struct task_facts *facts, struct target_regs *regs,
	       const char *filename, int32_t old_tid)
{
	struct exec_record record;
	struct own_binprm binprm;
	uint64_t raw[3] = { 0, (uint64_t)(int64_t)old_tid, (uintptr_t)&binprm };
	struct occasion event = { .board = board, .facts = facts, .regs = regs, .record = &record,
				  .raw = raw, .raw_count = 3 };

	if (facts)
		facts->known = 0;
	if (!begin(&event, EVENT_EXEC))
		return;
	context_exec(&record, &binprm, facts, regs, filename, old_tid);
	raw[0] = (uintptr_t)current(&event);
	finish(&event, EVENT_EXEC);
}

void hook_fork(struct board *board, struct task_facts *facts, struct target_regs *regs,
	       int32_t child, bool thread)
{
	struct fork_record record;
	struct own_task task, *parent;
	uint64_t raw[2] = { 0, (uintptr_t)&task };
	struct occasion event = { .board = board, .facts = facts, .regs = regs, .record = &record,
				  .raw = raw, .raw_count = 2 };

	if (!begin(&event, EVENT_FORK))
		return;
	parent = current(&event);
	raw[0] = (uintptr_t)parent;
	context_fork(&record, &task, parent, child, thread);
	finish(&event, EVENT_FORK);
}

void hook_exit(struct board *board, struct task_facts *facts, struct target_regs *regs,
	       const struct task_end *end)
{
	const bool group_dead = end->live == 0;
	struct exit_record record;
	uint64_t raw[2] = { 0, group_dead };
	struct occasion event = { .board = board, .facts = facts, .regs = regs, .record = &record,
				  .raw = raw, .raw_count = 2 };
	/* PF_EXITING, PF_POSTCOREDUMP; PF_SIGNALED; PF_DUMPCORE */
	enum { ENDING = 4 | 8, BY_SIGNAL = 0x400, WITH_CORE = 0x200 };
	struct own_task *task;

	if (!begin(&event, EVENT_EXIT))
		return;
	if (facts)
		facts->end = end;
	task = current(&event);
	if (task) {
		task->exit_code = end->code;
		task->flags |= ENDING | (end->killed ? BY_SIGNAL : 0) |
			       (context_wants_core(end->code & 0x7f) && !(facts && facts->another)
					? WITH_CORE : 0);
	}
	raw[0] = (uintptr_t)task;
	context_exit(&record, task, facts, group_dead);
	finish(&event, EVENT_EXIT);
	if (facts) {
		facts->known = 0;
		facts->end = NULL;
	}
}

void hook_child(struct board *board, struct task_facts *facts, struct target_regs *regs,
		int32_t parent, int32_t how)
{
	struct hook_signal signal = { .sig = SIGCHLD, .code = how, .pid = parent,
				      .group = true };
	struct task_signals its;

	/* Abroad, none is one that is elsewhere. */
	if (!list_at(&board->event[EVENT_SIGNAL]) || parent < 0 ||
	    (parent == 0 && !(facts && facts->abroad)))
		return;
	/* Who has said that it does not want to know is not told. */
	if (task_signals(&its, facts, (uint32_t)parent) && (its.ignored >> (SIGCHLD - 1) & 1))
		return;
	signal.result = context_signal_result(&signal, facts, false);
	hook_signal(board, facts, regs, &signal);
}

void hook_signal(struct board *board, struct task_facts *facts, struct target_regs *regs,
		 const struct hook_signal *signal)
{
	struct signal_record record;
	struct own_siginfo info = { signal->sig, signal->error, signal->code };
	struct task_entry target;
	uint64_t raw[5] = { (uint64_t)(int64_t)signal->sig, (uintptr_t)&info,
			    (uintptr_t)&target.task, signal->group,
			    (uint64_t)(int64_t)signal->result };
	struct occasion event = { .board = board, .facts = facts, .regs = regs, .record = &record,
				  .raw = raw, .raw_count = 5 };

	if (!begin(&event, EVENT_SIGNAL))
		return;
	task_describe(&target, facts, (uint32_t)signal->pid);
	context_signal(&record, signal, &target.task);
	finish(&event, EVENT_SIGNAL);
}

void hook_sample(struct board *board, struct task_facts *facts, struct target_regs *regs,
		 uint64_t period_ns)
{
	struct sample_record record;
	struct occasion event = { .board = board, .facts = facts, .regs = regs, .record = &record };

	if (!begin(&event, EVENT_SAMPLE))
		return;
	record = (struct sample_record){ .regs = *regs, .period = period_ns };
	finish(&event, EVENT_SAMPLE);
}
