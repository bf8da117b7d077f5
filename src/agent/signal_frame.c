/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * signal_frame.c - the frame that an application's handler finds. [runtime]
 *
 * It is the kernel's, moved from the agent's stack to where the kernel would have put it, with
 * the mask and the alternate stack that the application thinks it has. Where the thread may
 * not be dispatched, the handler returns to gate_return (gate.S).
 */
#include <string.h>

#include "agent/gate.h"
#include "agent/signal.h"
#include "base/base.h"
#include "base/fault.h"
#include "map/sys.h"

enum {
	FP_MAGIC = 0x46505853,
	FP_MAGIC_AT = 464, FP_SIZE_AT = 468, FP_LEGACY_SIZE = 512,
	FLAG_TF = 0x100, FLAG_DF = 0x400, FLAG_RF = 0x10000,
	RED_ZONE = 128,
	STACK_FLAGS = INT32_MIN, /* SS_AUTODISARM */
};

uint64_t signal_restorer;

uint64_t signal_returns_to(void)
{
	static const uint8_t call[] = { SYS_rt_sigreturn, 0, 0, 0, 0x0f, 0x05 };
	/* mov $15, %eax or %rax: the number is behind these. */
	static const struct {
		uint8_t size, code[3];
	} movs[] = { { 1, { 0xb8 } }, { 3, { 0x48, 0xc7, 0xc0 } } };
	uint8_t code[3 + sizeof(call)];

	if (fault_copy(code, (const void *)(uintptr_t)signal_restorer, sizeof(code)) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(movs); i++)
		if (memcmp(code, movs[i].code, movs[i].size) == 0 &&
		    memcmp(code + movs[i].size, call, sizeof(call)) == 0)
			return signal_restorer + movs[i].size + sizeof(call);
	return 0;
}

uint64_t signal_fp_size(const struct signal_context *context)
{
	const char *fp = (const char *)(uintptr_t)context->fpstate;

	if (!fp)
		return 0;
	if (*(const uint32_t *)(fp + FP_MAGIC_AT) != FP_MAGIC)
		return FP_LEGACY_SIZE;
	return *(const uint32_t *)(fp + FP_SIZE_AT);
}

bool signal_on_stack(const struct signal_stack *stack, uint64_t sp)
{
	if (stack->flags & STACK_FLAGS)
		return false;
	return sp > stack->sp && sp - stack->sp <= stack->size;
}

/* Where the frame goes; its extended state too. 0: there is no room. */
static uint64_t frame_place(const struct target_thread *thread, uint64_t flags,
			    const struct signal_context *context, uint64_t *fp)
{
	const struct signal_stack *stack = &thread->altstack;
	bool on = signal_on_stack(stack, context->sp);
	uint64_t at = context->sp - RED_ZONE;
	bool entering = (flags & SA_ONSTACK) && !on && stack->size != 0;

	if (entering)
		at = stack->sp + stack->size;
	*fp = (at - signal_fp_size(context)) & ~(uint64_t)63;
	at = *fp - sizeof(struct signal_frame);
	at = ((at + 8) & ~(uint64_t)15) - 8;
	if ((entering || on) && !(at > stack->sp && at - stack->sp <= stack->size))
		return 0;
	return at;
}

static bool frame_write(struct target_thread *thread, const struct kernel_sigaction *action,
			const siginfo_t *info, const struct signal_context *context, uint64_t at,
			uint64_t fp)
{
	struct signal_frame *to = (struct signal_frame *)(uintptr_t)at;
	struct signal_context copy = *context;
	uint64_t size = signal_fp_size(context);
	uint64_t restorer = action->restorer;

	/* A process that is not trusted is dispatched: its own code may return. */
	if (gate_ops->ways && gate_ways == gate_ops->ways) {
		signal_restorer = restorer;
		restorer = (uint64_t)(uintptr_t)gate_return;
	}
	copy.uc_link = 0;
	copy.stack = thread->altstack;
	copy.mask |= thread->blocked;
	copy.fpstate = size ? fp : 0;
	return fault_copy(&to->restorer, &restorer, sizeof(restorer)) == 0 &&
	       fault_copy(&to->context, &copy, sizeof(copy)) == 0 &&
	       fault_copy(&to->info, info, sizeof(*info)) == 0 &&
	       fault_copy((void *)(uintptr_t)fp, (const void *)(uintptr_t)context->fpstate, size) == 0;
}

/* Makes context the handler's first instruction. */
static void enter_handler(struct target_thread *thread, int sig,
			  const struct kernel_sigaction *action, struct signal_context *context,
			  uint64_t at, uint64_t mask)
{
	struct signal_frame *frame = (struct signal_frame *)(uintptr_t)at;

	if (thread->altstack.flags & STACK_FLAGS)
		thread->altstack = (struct signal_stack){ .flags = SS_DISABLE };
	mask |= action->mask | thread->blocked;
	if (!(action->flags & SA_NODEFER))
		mask |= SIGNAL_BIT(sig);
	thread->blocked = mask & SIGNALS_OURS;
	context->mask = mask & ~SIGNALS_OURS;
	context->di = (uint64_t)sig;
	context->si = (uint64_t)(uintptr_t)&frame->info;
	context->dx = (uint64_t)(uintptr_t)&frame->context;
	context->ax = 0;
	context->sp = at;
	context->ip = action->handler;
	context->flags &= ~(uint64_t)(FLAG_TF | FLAG_DF | FLAG_RF);
	context->fpstate = 0; /* a handler starts with the state of a new program */
}

bool signal_enter(struct target_thread *thread, int sig, const struct kernel_sigaction *action,
		  const siginfo_t *info, struct signal_context *context, uint64_t mask)
{
	uint64_t fp, at = frame_place(thread, action->flags, context, &fp);

	if (at == 0 || !(action->flags & KERNEL_SA_RESTORER) ||
	    !frame_write(thread, action, info, context, at, fp))
		return false;
	enter_handler(thread, sig, action, context, at, mask);
	return true;
}

void signal_enter_natively(int sig, const struct kernel_sigaction *action,
			   struct signal_context *context)
{
	struct signal_frame *frame = container_of(context, struct signal_frame, context);
	struct signal_context to = *context;

	frame->restorer = action->restorer;
	to.mask |= action->mask | (action->flags & SA_NODEFER ? 0 : SIGNAL_BIT(sig));
	to.di = (uint64_t)sig;
	to.si = (uint64_t)(uintptr_t)&frame->info;
	to.dx = (uint64_t)(uintptr_t)context;
	to.ax = 0;
	to.sp = (uint64_t)(uintptr_t)frame;
	to.ip = action->handler;
	to.flags &= ~(uint64_t)(FLAG_TF | FLAG_DF | FLAG_RF);
	to.fpstate = 0;
	__asm__ volatile("mov %0, %%rsp\n\tmov %1, %%eax\n\tsyscall\n\thlt"
			 : : "r"(&to), "i"(SYS_rt_sigreturn) : "memory");
	__builtin_unreachable();
}
