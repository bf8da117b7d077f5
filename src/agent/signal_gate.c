/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signal_gate.c - a thread that a signal finds in the gate, as the application would be. [runtime]
 *
 * gate.S says at its top what is where between which of its labels: that, the record and the
 * context say together whether the call was made, and what the registers were.
 */
#include <errno.h>
#include <string.h>

#include "agent/gate.h"
#include "agent/signal.h"
#include "base/fault.h"
#include "map/sys.h"

enum {
	ERESTARTSYS_RESULT = -512, /* what tracers of Linux see of an interrupted call */
	FLAG_DF = 0x400,
	TRAP = 0xcc, /* what a call becomes that is to trap */
};

#define FLAGS_STATUS 0x8d5ull

/* All registers from the record. */
static void context_load(struct signal_context *context, const struct target_regs *regs)
{
	context->r8 = regs->r8;
	context->r9 = regs->r9;
	context->r10 = regs->r10;
	context->r12 = regs->r12;
	context->r13 = regs->r13;
	context->r14 = regs->r14;
	context->r15 = regs->r15;
	context->di = regs->di;
	context->si = regs->si;
	context->bp = regs->bp;
	context->bx = regs->bx;
	context->dx = regs->dx;
	context->sp = regs->sp;
}

void signal_registers(const struct signal_context *context, struct target_regs *regs)
{
	*regs = (struct target_regs){
		.r8 = context->r8, .r9 = context->r9, .r10 = context->r10, .r11 = context->r11,
		.r12 = context->r12, .r13 = context->r13, .r14 = context->r14, .r15 = context->r15,
		.di = context->di, .si = context->si, .bp = context->bp, .bx = context->bx,
		.dx = context->dx, .ax = context->ax, .cx = context->cx, .sp = context->sp,
		.ip = context->ip, .flags = context->flags, .cs = context->cs, .ss = context->ss,
		.orig_ax = regs->orig_ax,
	};
}

/* Those that the call changes: the application is about to go on behind it. */
static void context_done(struct signal_context *context, const struct target_regs *regs,
			 uint64_t result)
{
	context->ax = result;
	context->ip = context->cx = regs->ip;
	context->r11 = regs->flags & ~GATE_FLAG;
	context->flags = (context->flags & ~(FLAGS_STATUS | FLAG_DF)) | regs->flags;
}

/* ... or to make it, again. */
static void context_restart(struct signal_context *context, const struct target_regs *regs)
{
	unsigned char site[2];

	context_done(context, regs, regs->orig_ax);
	if (fault_copy(site, (const void *)(uintptr_t)(regs->ip - 2), 2) == 0 &&
	    (site[0] == 0x0f || site[0] == TRAP) && site[1] == 0x05)
		context->ip = regs->ip - 2;
	else
		context->ip = (uint64_t)(uintptr_t)gate_entry;
}

void signal_restart(struct target_thread *thread, struct signal_context *context)
{
	gate_undo(thread);
	if (thread->hooked)
		gate_after(thread, ERESTARTSYS_RESULT);
	if (!context)
		return;
	context_load(context, &thread->regs);
	context_restart(context, &thread->regs);
}

void signal_finish(struct target_thread *thread, struct signal_context *context)
{
	context_load(context, &thread->regs);
	context_done(context, &thread->regs, thread->regs.ax);
}

/* The kernel lets a call wait on by itself, or we do. */
static bool is_resuming(const struct target_thread *thread, const struct signal_context *context)
{
	if (context->ip == (uint64_t)(uintptr_t)gate_plain_syscall ||
	    context->ip == (uint64_t)(uintptr_t)gate_call_syscall)
		return context->ax == SYS_restart_syscall &&
		       thread->regs.orig_ax != SYS_restart_syscall;
	return gate_between(context->ip, gate_again, gate_again_call_after);
}

bool signal_resumed(const struct target_thread *thread, struct signal_context *context)
{
	const struct signal_context *saved = thread->resumed;
	uint64_t ip = context->ip;
	bool call = ip == (uint64_t)(uintptr_t)gate_call_syscall ||
		    ip == (uint64_t)(uintptr_t)gate_again_call ||
		    ip == (uint64_t)(uintptr_t)gate_again_call_after ||
		    (ip == (uint64_t)(uintptr_t)gate_again_loaded &&
		     context->cx == (uint64_t)(uintptr_t)gate_again_call);

	if (!is_resuming(thread, context))
		return false;
	if (ip != (uint64_t)(uintptr_t)gate_again_plain_after &&
	    ip != (uint64_t)(uintptr_t)gate_again_call_after)
		context->ax = (uint64_t)-EINTR;
	context->ip = (uint64_t)(uintptr_t)(call ? gate_call_after : gate_plain_after);
	if (!gate_until(ip, gate_again, gate_again_loaded))
		return true;
	memcpy(&context->r8, &saved->r8, offsetof(struct signal_context, dx) -
	       offsetof(struct signal_context, r8) + sizeof(saved->dx));
	context->sp = saved->sp;
	context->ip = saved->ip;
	context->flags = saved->flags;
	context->mask = saved->mask;
	return true;
}

bool signal_convert(struct target_thread *thread, struct signal_context *context, uint64_t *mask)
{
	struct target_regs *regs = &thread->regs;
	uint64_t ip;

	if (signal_resumed(thread, context))
		*mask = context->mask;
	ip = context->ip;
	if (gate_between(ip, gate_plain_window, gate_plain_syscall)) {
		context_restart(context, regs);
	} else if (gate_until(ip, gate_plain_after, gate_plain_leave)) {
		context_done(context, regs, context->ax);
	} else if (gate_between(ip, gate_plain_leave, gate_plain_end)) {
		context_done(context, regs, regs->ax);
	} else if (gate_between(ip, gate_call_window, gate_call_syscall) && gate_finishes(thread)) {
		return false;
	} else if (gate_between(ip, gate_call_window, gate_call_syscall) ||
		   gate_between(ip, gate_clone_window, gate_clone_syscall)) {
		signal_restart(thread, context);
	} else if (gate_between(ip, gate_call_after, gate_call_found)) {
		if (thread->waiting && (int64_t)context->ax == -EINTR)
			*mask = thread->wait_mask;
		gate_after(thread, (int64_t)context->ax);
		signal_finish(thread, context);
	} else if (gate_between(ip, gate_leave, gate_leave_end) || gate_between(ip, gate_quick, gate_quick_end)) {
		signal_finish(thread, context);
	} else if (gate_between(ip, gate_send, gate_send_end)) {
		if (gate_until(ip, gate_send, gate_sent) && thread->send[2] != 0)
			signal_keep(thread, (int)thread->send[2], &thread->send_info);
		context_load(context, regs);
		if (thread->restarting)
			context_restart(context, regs);
		else
			context_done(context, regs, regs->ax);
	} else if (!gate_between(ip, gate_poll, gate_poll_end)) {
		return false;
	}
	return true;
}

bool signal_found_again(struct target_thread *thread, struct signal_context *context)
{
	struct target_regs *regs = &thread->regs;
	uint64_t ip = context->ip;

	if (ip == (uint64_t)(uintptr_t)gate_return || ip == (uint64_t)(uintptr_t)gate_return_call) {
		context->ax = SYS_rt_sigreturn;
		context->cx = (uint64_t)(uintptr_t)gate_return_call + 2;
		context->ip = (uint64_t)(uintptr_t)gate_entry;
	} else if (ip == (uint64_t)(uintptr_t)gate_lost) {
		context->ax &= THREAD_KEY - 1;
		context->ip = (uint64_t)(uintptr_t)gate_found;
	} else if (ip == (uint64_t)(uintptr_t)gate_odd) {
		regs->orig_ax = context->ax;
		regs->ip = context->cx >> 16;
		thread->status = (uint16_t)context->cx;
		regs->flags = 0x200 | (context->cx >> 8 & 0xff) | (context->cx & 1) << 11;
		context->ip = (uint64_t)(uintptr_t)gate_slow;
	} else if (ip == (uint64_t)(uintptr_t)gate_plain_lost) {
		context->ip = (uint64_t)(uintptr_t)gate_plain_found;
	} else if (ip == (uint64_t)(uintptr_t)gate_poll_lost) {
		context->ip = (uint64_t)(uintptr_t)gate_poll_found;
	} else {
		return false;
	}
	context->r11 = (uint64_t)(uintptr_t)thread;
	return true;
}
