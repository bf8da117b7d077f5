/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dispatch.c - Syscall User Dispatch: the kernel sends us what no patch catches.
 * [runtime]
 *
 * Armed, a thread's system calls from outside the agent's text become SIGSYS. Its
 * handler makes no call: it sends the thread to gate_entry, with the site's next
 * instruction as the place to return to, just as a patched site does. The kernel
 * forgets the arming at every clone and exec.
 */
#include <errno.h>
#include <linux/audit.h>
#include <sys/prctl.h>

#include "agent/gate.h"
#include "base/fault.h"
#include "map/sys.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

/* Not in every libc's headers. */
enum { DISPATCH_OFF = 0, DISPATCH_ON = 1, DISPATCH_CODE = 2, SELECTOR_BLOCK = 1 };

static int dispatch_arm(struct target_thread *thread)
{
	thread->selector = SELECTOR_BLOCK;
	return (int)sys_call(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, DISPATCH_ON,
			     (uint64_t)(uintptr_t)gate_ops->text, gate_ops->text_size,
			     (uint64_t)(uintptr_t)&thread->selector, 0);
}

int dispatch_end(struct target_thread *thread)
{
	int error = 0;

	if (thread->dispatched)
		error = (int)sys_call(SYS_prctl, PR_SET_SYSCALL_USER_DISPATCH, DISPATCH_OFF, 0, 0, 0,
				      0);
	if (error == 0)
		thread->dispatched = false;
	return error;
}

/* Where that is forbidden it stays as it is; patched sites that made calls by themselves would
 * be dispatched, then. */
void dispatch_change(struct target_thread *thread)
{
	thread->settled = __atomic_load_n(&gate_ways->dispatched, __ATOMIC_RELAXED);
	if (thread->aside)
		return;
	if (thread->settled && !thread->dispatched) {
		thread->dispatched = dispatch_arm(thread) == 0;
		if (!thread->dispatched)
			gate_aside(thread, GATE_ASIDE_REFUSED);
	} else if (!thread->settled && dispatch_end(thread) < 0) {
		gate_distrust();
		thread->settled = true;
	}
}

void dispatch_begin(struct target_thread *thread)
{
	thread->dispatched = false;
	dispatch_change(thread);
}

/*
 * A call of the 32-bit kind, which 64-bit code may make too (int $0x80): its number means
 * another call, and the gate has no way back from it, as it must not change rcx. It is made here,
 * and no program sees it.
 */
static uint64_t call_by_int80(const struct signal_context *context)
{
	uint64_t bp = context->bp, result = context->ax;

	__asm__ volatile("xchg %%rbp, %[bp]\n\tint $0x80\n\txchg %%rbp, %[bp]"
			 : "+a"(result), [bp] "+r"(bp)
			 : "b"(context->bx), "c"(context->cx), "d"(context->dx), "S"(context->si),
			   "D"(context->di)
			 : "memory", "cc", "r8", "r9", "r10", "r11");
	return result;
}

bool dispatch_is_int80(const siginfo_t *info)
{
	return info->si_code == DISPATCH_CODE && info->si_arch == AUDIT_ARCH_I386;
}

void dispatch_int80(struct signal_context *context)
{
	context->ax = call_by_int80(context);
}

bool dispatch_arrived(struct target_thread *thread, const siginfo_t *info,
		      struct signal_context *context)
{
	if (info->si_code != DISPATCH_CODE || thread->aside)
		return false;
	context->cx = context->ip;
	context->ip = (uint64_t)(uintptr_t)gate_entry;
	return true;
}

/*
 * Every call of a dispatched application's own instructions is, so right behind one
 * the call either has not been made, or the gate has made it and says so in r11.
 */
bool dispatch_lost(const struct target_thread *thread, struct signal_context *context)
{
	unsigned char site[2];

	if (!thread->dispatched || context->cx != context->ip || !(context->r11 & GATE_FLAG) ||
	    context->ip - (uint64_t)(uintptr_t)gate_ops->text < gate_ops->text_size ||
	    fault_copy(site, (const void *)(uintptr_t)(context->ip - 2), 2) < 0 ||
	    site[0] != 0x0f || site[1] != 0x05)
		return false;
	context->ip = (uint64_t)(uintptr_t)gate_entry;
	return true;
}
