/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock.h - reading the kernel's clocks at the cost of a function call. [runtime]
 *
 * Threads: any. Async-signal-safe, except clock_init().
 */
#ifndef HELPER_CLOCK_H
#define HELPER_CLOCK_H

#include <stdint.h>

/*
 * vdso: where the kernel mapped its shared object (AT_SYSINFO_EHDR of the
 * process), 0 if unknown. Until it is called, and where the object has no
 * clock, clocks are read by system call. Libraries call it as they are loaded.
 */
void clock_init(uint64_t vdso);
/* Nanoseconds of a CLOCK_*; 0 for a clock that does not exist. */
uint64_t clock_ns(int clock);
/* Nanoseconds between two ticks of the kernel. */
uint64_t clock_tick_ns(void);

#endif
