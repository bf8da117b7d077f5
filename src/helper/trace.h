/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - a line that bpf_trace_printk() or bpf_trace_vprintk() wrote, as it
 * stands in the ring buffer world->trace.
 *
 * Threads: immutable once the ring buffer shows it.
 */
#ifndef HELPER_TRACE_H
#define HELPER_TRACE_H

#include <stdint.h>

struct trace_line {
	uint64_t time_ns;  /* CLOCK_MONOTONIC */
	uint32_t cpu;      /* virtual CPU */
	uint32_t pid, tid; /* of the thread that ran the program */
	uint32_t size;     /* of text, without a NUL */
	char comm[16];
	char text[];       /* as the program wrote it; may end with a newline */
};

#endif
