/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fault.c - a fault handler that knows which faults are ours. [runtime]
 *
 * The copying loops below are written in assembly between labels, so that the
 * handler can tell by address that a fault happened in one of them, and can
 * send it to the label that returns -EFAULT. Generated code registers its
 * range in a fixed table whose rows are published by their start word.
 */
#include "base/fault.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "base/base.h"

#ifndef __x86_64__
#error "fault.c: write the copying loops for this machine"
#endif

/*
 * Returns 0 or -EFAULT: rep movsb updates rdi, rsi and rcx as it goes, so that
 * leaving in the middle is safe.
 */
int64_t fault_copy_raw(void *dst, const void *src, size_t size);
/* Returns bytes copied including the NUL, size if there was none, or -EFAULT. */
int64_t fault_string_raw(char *dst, const char *src, size_t size);
extern const char fault_asm_start[], fault_asm_end[], fault_asm_fail[];

__asm__(".text\n"
	".hidden fault_asm_start, fault_asm_end, fault_asm_fail\n"
	".globl fault_copy_raw, fault_string_raw\n"
	".hidden fault_copy_raw, fault_string_raw\n"
	".globl fault_asm_start, fault_asm_end, fault_asm_fail\n"
	".type fault_copy_raw, @function\n"
	".type fault_string_raw, @function\n"
	"fault_asm_start:\n"
	"fault_copy_raw:\n"
	"	mov %rdx, %rcx\n"
	"	cmp $8, %rdx\n"
	"	jne 1f\n"
	"	mov (%rsi), %rax\n"
	"	mov %rax, (%rdi)\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	"1:	cmp $4, %rdx\n"
	"	jne 2f\n"
	"	mov (%rsi), %eax\n"
	"	mov %eax, (%rdi)\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	"2:	rep movsb\n"
	"	xor %eax, %eax\n"
	"	ret\n"
	".size fault_copy_raw, . - fault_copy_raw\n"
	"fault_string_raw:\n"
	"	xor %eax, %eax\n"
	"1:	cmp %rdx, %rax\n"
	"	jae 2f\n"
	"	movzbl (%rsi,%rax), %ecx\n"
	"	movb %cl, (%rdi,%rax)\n"
	"	inc %rax\n"
	"	test %cl, %cl\n"
	"	jne 1b\n"
	"2:	ret\n"
	".size fault_string_raw, . - fault_string_raw\n"
	"fault_asm_end:\n"
	"fault_asm_fail:\n"
	"	mov $-14, %rax\n" /* -EFAULT */
	"	ret\n");

int fault_copy(void *dst, const void *src, size_t size)
{
	return (int)fault_copy_raw(dst, src, size);
}

int64_t fault_copy_string(char *dst, const char *src, size_t size)
{
	int64_t copied;

	if (size == 0)
		return 0;
	copied = fault_string_raw(dst, src, size);
	if (copied > 0 && (size_t)copied == size)
		dst[size - 1] = '\0';
	return copied;
}

/* --- generated code --- */

struct fault_range {
	const void *start; /* NULL: free. Written last; read first (acquire). */
	const void *end;
	fault_fn *fn;
	void *arg;
};

enum { FAULT_RANGES = 4096 };

static struct fault_range ranges[FAULT_RANGES];
static uint32_t range_count; /* rows ever used; grows only, under ranges_lock */
static pthread_mutex_t ranges_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction old_segv, old_bus;

int fault_register(const void *start, const void *end, fault_fn *fn, void *arg)
{
	int error = -ENOSPC;

	pthread_mutex_lock(&ranges_lock);
	for (uint32_t i = 0; i < FAULT_RANGES; i++) {
		if (ranges[i].start)
			continue;
		ranges[i].end = end;
		ranges[i].fn = fn;
		ranges[i].arg = arg;
		__atomic_store_n(&ranges[i].start, start, __ATOMIC_RELEASE);
		if (i >= range_count)
			__atomic_store_n(&range_count, i + 1, __ATOMIC_RELEASE);
		error = 0;
		break;
	}
	pthread_mutex_unlock(&ranges_lock);
	return error;
}

void fault_unregister(const void *start)
{
	pthread_mutex_lock(&ranges_lock);
	for (uint32_t i = 0; i < range_count; i++)
		if (ranges[i].start == start)
			__atomic_store_n(&ranges[i].start, NULL, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&ranges_lock);
}

static bool fault_in_range(const void *pc, void *ucontext, uint64_t address)
{
	uint32_t count = __atomic_load_n(&range_count, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < count; i++) {
		const void *start = __atomic_load_n(&ranges[i].start, __ATOMIC_ACQUIRE);

		if (start && pc >= start && pc < ranges[i].end)
			return ranges[i].fn(ranges[i].arg, ucontext, address);
	}
	return false;
}

/* --- memory that is made on demand --- */

static uint64_t fill_start, fill_end;
static fault_fill_fn *fill;      /* written before fill_end, which is 0 without it */

void fault_fill_range(const void *start, const void *end, fault_fill_fn *fn)
{
	fill = fn;
	fill_start = (uint64_t)(uintptr_t)start;
	__atomic_store_n(&fill_end, (uint64_t)(uintptr_t)end, __ATOMIC_RELEASE);
}

static bool fault_filled(const void *pc, uint64_t address)
{
	uint32_t count = __atomic_load_n(&range_count, __ATOMIC_ACQUIRE);
	bool ours = (const char *)pc >= fault_asm_start && (const char *)pc < fault_asm_end;

	if (address >= __atomic_load_n(&fill_end, __ATOMIC_ACQUIRE) || address < fill_start)
		return false;
	for (uint32_t i = 0; i < count && !ours; i++) {
		const void *start = __atomic_load_n(&ranges[i].start, __ATOMIC_ACQUIRE);

		ours = start && pc >= start && pc < ranges[i].end;
	}
	return ours && fill(address);
}

/* The fault is not ours: do what would have happened without us. */
static void fault_pass_on(int signal, siginfo_t *info, void *ucontext)
{
	const struct sigaction *old = signal == SIGSEGV ? &old_segv : &old_bus;

	if (old->sa_flags & SA_SIGINFO) {
		old->sa_sigaction(signal, info, ucontext);
		return;
	}
	if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) {
		old->sa_handler(signal);
		return;
	}
	/* Back to the default: returning repeats the access, which then kills. */
	sigaction(signal, old, NULL);
	if (info->si_code <= 0)
		raise(signal);
}

bool fault_take(void *ucontext, uint64_t address)
{
	ucontext_t *uc = ucontext;
	const char *pc = (const char *)uc->uc_mcontext.gregs[REG_RIP];

	if (fault_filled(pc, address))
		return true;
	if (pc >= fault_asm_start && pc < fault_asm_end) {
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)fault_asm_fail;
		return true;
	}
	return fault_in_range(pc, uc, address);
}

static void fault_handler(int signal, siginfo_t *info, void *ucontext)
{
	if (info->si_code > 0 && fault_take(ucontext, (uint64_t)(uintptr_t)info->si_addr))
		return;
	fault_pass_on(signal, info, ucontext);
}

static int init_error;

static void fault_init_once(void)
{
#ifdef SKEP_AGENT
	return; /* the handlers are the gate's (src/agent/signal.c), which asks fault_take() */
#endif
	struct sigaction action = { .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	action.sa_sigaction = fault_handler;
	sigemptyset(&action.sa_mask);
	if (sigaction(SIGSEGV, &action, &old_segv) < 0 || sigaction(SIGBUS, &action, &old_bus) < 0)
		init_error = -errno;
}

int fault_init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, fault_init_once);
	return init_error;
}
