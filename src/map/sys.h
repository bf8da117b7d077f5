/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys.h - system calls without libc: no errno, no cancellation, no TLS. [runtime]
 *
 * Each returns what the kernel returns: a value, or a negative errno.
 *
 * In a target, sys_call() makes no call that the application's own filters of system
 * calls (src/agent/filter.h) would refuse; sys_make() asks nobody.
 */
#ifndef MAP_SYS_H
#define MAP_SYS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>

static inline int64_t sys_make(int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
			       uint64_t e, uint64_t f)
{
#if defined(__x86_64__)
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	int64_t ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register int64_t x8 __asm__("x8") = number;
	register uint64_t x0 __asm__("x0") = a;
	register uint64_t x1 __asm__("x1") = b;
	register uint64_t x2 __asm__("x2") = c;
	register uint64_t x3 __asm__("x3") = d;
	register uint64_t x4 __asm__("x4") = e;
	register uint64_t x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return (int64_t)x0;
#else
#error "sys.h: write the system call of this machine"
#endif
}

#ifdef SKEP_FILTERED
extern bool sys_filtered __attribute__((visibility("hidden")));
__attribute__((visibility("hidden"))) int64_t sys_call_filtered(int64_t number,
								const uint64_t arg[6]);
#endif

static inline int64_t sys_call(int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
			       uint64_t e, uint64_t f)
{
#ifdef SKEP_FILTERED
	if (__builtin_expect(__atomic_load_n(&sys_filtered, __ATOMIC_RELAXED), 0)) {
		const uint64_t arg[6] = { a, b, c, d, e, f };

		return sys_call_filtered(number, arg);
	}
#endif
	return sys_make(number, a, b, c, d, e, f);
}

#define sys_call0(n) sys_call((n), 0, 0, 0, 0, 0, 0)
#define sys_call1(n, a) sys_call((n), (uint64_t)(a), 0, 0, 0, 0, 0)
#define sys_call2(n, a, b) sys_call((n), (uint64_t)(a), (uint64_t)(b), 0, 0, 0, 0)
#define sys_call3(n, a, b, c) \
	sys_call((n), (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), 0, 0, 0)
#define sys_call4(n, a, b, c, d) \
	sys_call((n), (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), 0, 0)

static inline void sys_yield(void)
{
	sys_call0(SYS_sched_yield);
}

static inline void cpu_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#else
	__asm__ volatile("yield");
#endif
}

#endif
