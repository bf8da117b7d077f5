/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fault.h - surviving bad addresses. [runtime]
 *
 * fault_init() installs a SIGSEGV and SIGBUS handler for the process, once; it
 * passes on what is not ours to the handler that was there before. Ours are
 * faults in fault_copy() and its kin (they return -EFAULT) and in registered
 * ranges of generated code, whose owner decides where execution goes on.
 *
 * Threads: any. Async-signal-safe, except fault_init().
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int fault_init(void);

/* 0, or -EFAULT; then dst may hold a part. */
int fault_copy(void *dst, const void *src, size_t size);
/* Copies up to and with the NUL; at most size bytes, always terminated.
 * Returns the bytes copied with the NUL, or -EFAULT. */
int64_t fault_copy_string(char *dst, const char *src, size_t size);

/*
 * Generated code: fn is called in the signal handler with the machine context
 * (a ucontext_t) when a fault happens at an address inside [start, end). It
 * changes the context and returns true to go on, or false to pass the fault on.
 */
typedef bool fault_fn(void *arg, void *ucontext, uint64_t address);
int fault_register(const void *start, const void *end, fault_fn *fn, void *arg);
void fault_unregister(const void *start);

/*
 * For who has the process's handler: is a fault at address ours? Then context (a
 * ucontext_t) says where to go on. Async-signal-safe.
 */
bool fault_take(void *ucontext, uint64_t address);

/*
 * Addresses at which memory is made when it is first read: of a fault of ours at one of
 * them fn is told, in the signal handler, and where it returns true the access is
 * repeated. One range in a process; the last one given.
 */
typedef bool fault_fill_fn(uint64_t address);
void fault_fill_range(const void *start, const void *end, fault_fill_fn *fn);

#endif
