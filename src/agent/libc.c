/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libc.c - the few names of libc that runtime code uses, by plain instructions
 * and raw system calls. [runtime, in the agent's image only]
 *
 * The image has no libc of its own and may not use its host's: that may be
 * another, statically linked, locked by the very thread we interrupt, or none.
 * Vector registers belong to the application, so nothing here touches one.
 */
#include "agent/libc.h"

#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <skep/diag.h>

#include "hook/agent.h"
#include "map/sys.h"

/* Nobody reads it across calls; callers want the address to exist. */
static int agent_errno;

int *__errno_location(void);
int *__errno_location(void)
{
	return &agent_errno;
}

/* --- bytes --- */

/* Up to 16 bytes by loads and stores that may overlap. */
static void copy_small(unsigned char *to, const unsigned char *from, size_t size)
{
	uint64_t first, last;

	if (size >= 8) {
		__builtin_memcpy(&first, from, 8);
		__builtin_memcpy(&last, from + size - 8, 8);
		__builtin_memcpy(to, &first, 8);
		__builtin_memcpy(to + size - 8, &last, 8);
		return;
	}
	for (size_t i = 0; i < size; i++)
		to[i] = from[i];
}

void *memcpy(void *restrict dst, const void *restrict src, size_t size)
{
	unsigned char *to = dst;
	const unsigned char *from = src;

	if (size > 128) { /* where the string instruction has paid for its start */
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
		return dst;
	}
	for (; size > 16; size -= 8, to += 8, from += 8)
		__builtin_memcpy(to, from, 8);
	copy_small(to, from, size);
	return dst;
}

void *memmove(void *dst, const void *src, size_t size)
{
	unsigned char *to = dst;
	const unsigned char *from = src;

	if ((uintptr_t)to - (uintptr_t)from >= size)
		return memcpy(dst, src, size);
	to += size - 1;
	from += size - 1;
	__asm__ volatile("std\n\trep movsb\n\tcld" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
	return dst;
}

void *memset(void *dst, int byte, size_t size)
{
	uint64_t word = (unsigned char)byte * 0x0101010101010101ull;
	unsigned char *to = dst;

	if (size > 128) {
		__asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(byte) : "memory");
		return dst;
	}
	for (; size >= 8; size -= 8, to += 8)
		__builtin_memcpy(to, &word, 8);
	for (; size > 0; size--)
		*to++ = (unsigned char)byte;
	return dst;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;

	for (; size >= 8; size -= 8, x += 8, y += 8) {
		uint64_t s, t;

		__builtin_memcpy(&s, x, 8);
		__builtin_memcpy(&t, y, 8);
		if (s != t)
			break;
	}
	for (; size > 0; size--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

void *memchr(const void *bytes, int byte, size_t size)
{
	const unsigned char *p = bytes;

	for (; size > 0; size--, p++)
		if (*p == (unsigned char)byte)
			return (void *)(uintptr_t)p;
	return NULL;
}

size_t strnlen(const char *text, size_t size)
{
	size_t n = 0;

	while (n < size && text[n])
		n++;
	return n;
}

size_t strlen(const char *text)
{
	return strnlen(text, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t size)
{
	for (; size > 0; size--, a++, b++)
		if (*a != *b || *a == '\0')
			return (unsigned char)*a - (unsigned char)*b;
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *text, int wanted)
{
	for (;; text++) {
		if (*text == (char)wanted)
			return (char *)(uintptr_t)text;
		if (*text == '\0')
			return NULL;
	}
}

size_t strcspn(const char *text, const char *reject)
{
	size_t n = 0;

	while (text[n] && !strchr(reject, text[n]))
		n++;
	return n;
}

char *strstr(const char *text, const char *wanted)
{
	size_t size = strlen(wanted);

	for (;; text++) {
		if (strncmp(text, wanted, size) == 0)
			return (char *)(uintptr_t)text;
		if (*text == '\0')
			return NULL;
	}
}

int __popcountdi2(int64_t value);
int __popcountdi2(int64_t value)
{
	uint64_t v = (uint64_t)value;
	int n = 0;

	for (; v; v &= v - 1)
		n++;
	return n;
}

/* --- system calls --- */

static int64_t agent_result(int64_t result)
{
	if (result >= 0 || result < -4095)
		return result;
	agent_errno = (int)-result;
	return -1;
}

long syscall(long number, ...)
{
	uint64_t arg[6];
	va_list list;

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(list, uint64_t);
	va_end(list);
	return agent_result(sys_call(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]));
}

void *mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	int64_t result = sys_call(SYS_mmap, (uintptr_t)at, size, (uint64_t)prot, (uint64_t)flags,
				  (uint64_t)fd, (uint64_t)offset);

	return (void *)agent_result(result);
}

int munmap(void *at, size_t size)
{
	return (int)agent_result(sys_call2(SYS_munmap, at, size));
}

int mprotect(void *at, size_t size, int prot)
{
	return (int)agent_result(sys_call3(SYS_mprotect, at, size, prot));
}

int madvise(void *at, size_t size, int advice)
{
	return (int)agent_result(sys_call3(SYS_madvise, at, size, advice));
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	return agent_result(sys_call3(SYS_write, fd, bytes, size));
}

int close(int fd)
{
	return (int)agent_result(sys_call1(SYS_close, fd));
}

int raise(int number)
{
	int64_t pid = sys_call0(SYS_getpid), tid = sys_call0(SYS_gettid);

	return (int)agent_result(sys_call3(SYS_tgkill, pid, tid, number));
}

/* --- signals --- */

void agent_restorer(void); /* __restore_rt's shape: debuggers know frames by it */
__asm__(".text\n"
	".balign 16\n"
	"	nop\n"
	".globl agent_restorer\n"
	".hidden agent_restorer\n"
	".type agent_restorer, @function\n"
	"agent_restorer:\n"
	"	mov $15, %rax\n" /* rt_sigreturn */
	"	syscall\n"
	".size agent_restorer, . - agent_restorer\n");

int agent_sigaction(int number, const struct kernel_sigaction *action,
		    struct kernel_sigaction *old)
{
	return (int)sys_call4(SYS_rt_sigaction, number, action, old, sizeof(uint64_t));
}

int sigaction(int number, const struct sigaction *restrict action, struct sigaction *restrict old)
{
	struct kernel_sigaction to, from;
	int result;

	if (action) {
		to.handler = (uint64_t)(uintptr_t)action->sa_sigaction;
		to.flags = (uint64_t)(uint32_t)action->sa_flags | KERNEL_SA_RESTORER;
		to.restorer = (uint64_t)(uintptr_t)agent_restorer;
		memcpy(&to.mask, &action->sa_mask, sizeof(to.mask));
	}
	result = agent_sigaction(number, action ? &to : NULL, old ? &from : NULL);
	if (result == 0 && old) {
		memset(old, 0, sizeof(*old));
		old->sa_sigaction = (void (*)(int, siginfo_t *, void *))(uintptr_t)from.handler;
		old->sa_flags = (int)(from.flags & ~(uint64_t)KERNEL_SA_RESTORER);
		memcpy(&old->sa_mask, &from.mask, sizeof(from.mask));
	}
	return (int)agent_result(result);
}

int sigemptyset(sigset_t *set)
{
	memset(set, 0, sizeof(*set));
	return 0;
}

/* --- once and locks: atomic words, which fork copies as they are --- */

int pthread_once(pthread_once_t *once, void (*fn)(void))
{
	int state = 0;

	if (__atomic_compare_exchange_n(once, &state, 1, false, __ATOMIC_ACQUIRE,
					__ATOMIC_ACQUIRE)) {
		fn();
		__atomic_store_n(once, 2, __ATOMIC_RELEASE);
		return 0;
	}
	while (__atomic_load_n(once, __ATOMIC_ACQUIRE) != 2)
		sys_yield();
	return 0;
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	int *word = (int *)(void *)mutex, expected = 0;

	while (!__atomic_compare_exchange_n(word, &expected, 1, false, __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED)) {
		expected = 0;
		sys_yield();
	}
	return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	__atomic_store_n((int *)(void *)mutex, 0, __ATOMIC_RELEASE);
	return 0;
}

/* --- what the kernel told the process at its start --- */

static uint64_t agent_auxv[AGENT_AUXV][2];

void agent_auxv_set(const uint64_t (*auxv)[2])
{
	memcpy(agent_auxv, auxv, sizeof(agent_auxv));
}

unsigned long getauxval(unsigned long type)
{
	for (int i = 0; i < AGENT_AUXV && agent_auxv[i][0] != AT_NULL; i++)
		if (agent_auxv[i][0] == type)
			return agent_auxv[i][1];
	return 0;
}

/* Inside a target there is nobody to read an explanation: errors are numbers. */
int skep_report(struct skep_diag *diag, enum skep_code code, const struct skep_where *where,
		const char *format, ...)
{
	static const uint16_t error[SKEP_CODE_COUNT] = {
#define DIAG(name, id, err, title, help) err,
#include <skep/diag.def>
#undef DIAG
	};

	(void)diag;
	(void)where;
	(void)format;
	return -error[code];
}
