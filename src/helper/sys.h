/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys.h - system calls without libc: no errno, no cancellation, no thread-local
 * storage. [runtime]
 *
 * Returns what the kernel does: a result, or a negative errno.
 *
 * Threads: any. Async-signal-safe.
 */
#ifndef HELPER_SYS_H
#define HELPER_SYS_H

#include <stdint.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
static inline int64_t sys_call(long number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
	register uint64_t r10 __asm__("r10") = a4;
	int64_t result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a1), "S"(a2), "d"(a3), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
static inline int64_t sys_call(long number, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
	register uint64_t x8 __asm__("x8") = (uint64_t)number;
	register uint64_t x0 __asm__("x0") = a1;
	register uint64_t x1 __asm__("x1") = a2;
	register uint64_t x2 __asm__("x2") = a3;
	register uint64_t x3 __asm__("x3") = a4;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return (int64_t)x0;
}
#else
#error "sys.h: write the system call of this machine"
#endif

#endif
