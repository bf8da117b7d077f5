/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gate_clone.c - the calls that make a thread or a process, which return twice. [runtime]
 *
 * Before the call it is known what the child shares with its parent; that decides whose record
 * it runs on (thread.h). The child settles what the kernel does not hand down before it goes on.
 */
#include <errno.h>
#include <linux/sched.h>
#include <sys/mman.h>

#include "agent/gate.h"
#include "agent/sample.h"
#include "base/fault.h"
#include "map/sys.h"

struct clone_request {
	uint64_t flags, tls;
};

static bool clone_read(const struct target_thread *thread, struct clone_request *request)
{
	const struct target_regs *regs = &thread->regs;
	struct clone_args args;

	*request = (struct clone_request){ 0 };
	if (regs->orig_ax == SYS_vfork)
		request->flags = CLONE_VM | CLONE_VFORK;
	if (regs->orig_ax == SYS_clone)
		*request = (struct clone_request){ regs->di, regs->r8 };
	if (regs->orig_ax != SYS_clone3)
		return true;
	if (regs->si < CLONE_ARGS_SIZE_VER0 ||
	    fault_copy(&args, (const void *)(uintptr_t)regs->di, CLONE_ARGS_SIZE_VER0) < 0)
		return false;
	*request = (struct clone_request){ args.flags, args.tls };
	return true;
}

static void vfork_save(struct target_thread *thread)
{
	struct thread_saved *saved = &thread->saved[thread->vforks++];

	saved->regs = thread->regs;
	saved->status = thread->status;
	saved->blocked = thread->blocked;
	saved->altstack = thread->altstack;
	saved->actions = thread->actions;
	saved->tid = thread->tid;
	saved->pid = thread->pid;
	saved->hooked = thread->hooked;
	saved->aside = thread->aside;
	saved->dispatched = thread->dispatched;
	saved->settled = thread->settled;
	saved->space = thread->space;
	if (!thread->vfork_sighand)
		signal_actions_copy(&saved->child, thread->actions);
}

static void vfork_restore(struct target_thread *thread)
{
	struct thread_saved *saved = &thread->saved[--thread->vforks];

	thread->regs = saved->regs;
	thread->status = saved->status;
	thread->blocked = saved->blocked;
	thread->altstack = saved->altstack;
	thread->actions = saved->actions;
	thread->tid = saved->tid;
	thread->pid = saved->pid;
	thread->hooked = thread->inside = saved->hooked;
	thread->aside = saved->aside;
	thread->dispatched = saved->dispatched;
	thread->settled = saved->settled;
	thread->space = saved->space;
	thread->facts.own_tid = 0; /* they are the child's */
	thread->waiting = thread->exec_mask = false;
}

/* A record for a child that runs beside its parent in one memory. */
static struct target_thread *clone_record(struct target_thread *parent,
					  const struct clone_request *request)
{
	struct target_thread *child = thread_new();

	if (!child)
		return NULL;
	child->regs = parent->regs;
	child->status = parent->status;
	child->call = parent->call;
	child->clone_kind = parent->clone_kind;
	child->pid = child->clone_kind == GATE_CHILD_THREAD ? parent->pid : 0;
	child->maker = parent;
	child->hooked = child->inside = parent->hooked;
	child->blocked = parent->blocked;
	child->actions = parent->actions;
	if (request->flags & CLONE_VFORK)
		child->altstack = parent->altstack;
	if (!(request->flags & CLONE_SIGHAND)) {
		signal_actions_copy(&child->own_actions, parent->actions);
		child->actions = &child->own_actions;
	}
	if (parent->clone_kind == GATE_CHILD_SHARED)
		thread_unbind(parent);
	else
		thread_bind(child, request->tls);
	return child;
}

enum gate_next gate_call_clone(struct target_thread *thread)
{
	struct clone_request request;
	bool vm, vfork, tls;

	if (!clone_read(thread, &request))
		return GATE_CALL; /* the kernel says why not */
	vm = request.flags & CLONE_VM;
	vfork = request.flags & CLONE_VFORK;
	tls = request.flags & CLONE_SETTLS;
	thread->child = thread;
	thread->clone_kind = !vm ? GATE_CHILD_FORK : tls ? GATE_CHILD_THREAD :
			     vfork ? GATE_CHILD_VFORK : GATE_CHILD_SHARED;
	if (thread->clone_kind == GATE_CHILD_VFORK && thread->vforks == THREAD_VFORKS)
		return gate_leave_with(thread, -EAGAIN);
	if (thread->clone_kind == GATE_CHILD_VFORK) {
		thread->vfork_sighand = request.flags & CLONE_SIGHAND;
		vfork_save(thread);
	} else if (thread->clone_kind == GATE_CHILD_FORK) {
		if (gate_ops->fork)
			gate_ops->fork(GATE_FORK_BEGINS);
		signal_lock(thread->actions);
		thread_lock();
	} else {
		thread->child = clone_record(thread, &request);
		if (!thread->child)
			return gate_leave_with(thread, -ENOMEM);
	}
	return GATE_CLONE;
}

void gate_clone_over(struct target_thread *thread, bool born)
{
	if (thread->clone_kind == GATE_CHILD_VFORK) {
		vfork_restore(thread);
	} else if (thread->clone_kind == GATE_CHILD_FORK) {
		thread_unlock();
		signal_unlock(thread->actions);
		if (gate_ops->fork)
			gate_ops->fork(born ? GATE_FORK_OVER : GATE_FORK_FAILED);
	} else if (!born) {
		thread_free(thread->child);
	}
	thread->child = NULL;
}

void gate_cloned(struct target_thread *thread, int64_t result)
{
	enum gate_child kind;

	/* It may have ended by now, and its record be another's. */
	if (result > 0 && thread->child && thread->child->maker == thread)
		__atomic_store_n(&thread->child->born, (uint32_t)result, __ATOMIC_RELAXED);
	gate_clone_over(thread, result >= 0);
	kind = (enum gate_child)thread->clone_kind;
	if (result >= 0 && gate_ops->forked)
		gate_ops->forked(thread, &thread->regs, (int32_t)result, kind);
	gate_after(thread, result);
}

void gate_child(struct target_thread *thread)
{
	enum gate_child kind = (enum gate_child)thread->clone_kind;
	int64_t tid = sys_call0(SYS_gettid), pid = sys_call0(SYS_getpid);

	thread->unseen = tid < 0 || pid < 0; /* a filter refuses us even that */
	thread->tid = (uint32_t)tid;
	thread->pid = (uint32_t)pid;
	if (kind == GATE_CHILD_FORK) {
		thread_unlock();
		signal_unlock(thread->actions);
		if (gate_ops->fork)
			gate_ops->fork(GATE_FORK_OVER);
		if (thread->key == 0 || thread->key >> 16 != thread_fs_base())
			thread_bind(thread, thread_fs_base());
		sample_forget(thread);
		thread_forked(thread);
		thread->vforks = 0;
	}
	if (kind == GATE_CHILD_VFORK && !thread->vfork_sighand)
		thread->actions = &thread->saved[thread->vforks - 1].child;
	signal_child(thread);
	dispatch_begin(thread);
	if (gate_ops->child && !thread->unseen)
		gate_ops->child(thread, kind);
	sample_adjust(thread);
	gate_after(thread, 0);
}
