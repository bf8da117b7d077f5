/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libc.h - what the agent's own libc offers beyond the standard names. [runtime]
 *
 * Threads: any, except agent_auxv_set(), which comes first.
 */
#ifndef AGENT_LIBC_H
#define AGENT_LIBC_H

#include <stdint.h>

#define KERNEL_SA_RESTORER 0x04000000u

/* rt_sigaction's structure, which is not libc's. */
struct kernel_sigaction {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

/* 0 or a negative errno. Either pointer may be NULL. */
int agent_sigaction(int number, const struct kernel_sigaction *action,
		    struct kernel_sigaction *old);
/* What getauxval() answers from: AGENT_AUXV pairs, ended by AT_NULL. */
void agent_auxv_set(const uint64_t (*auxv)[2]);

#endif
