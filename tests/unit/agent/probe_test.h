/* SPDX-License-Identifier: BSD-2-Clause */
/* probe_test.h - what programs need that patch themselves: functions to probe, the trap. */
#ifndef PROBE_TEST_H
#define PROBE_TEST_H

#include <signal.h>
#include <stdlib.h>
#include <ucontext.h>

#include "agent/patch.h"

/* A function in assembly, in the pages that are patched. */
#define FUNCTION(name, body)                                                                  \
	__asm__(".section .probed,\"ax\",@progbits\n.p2align 4\n.globl " #name "\n.type " #name \
		",@function\n" #name ":\n" body "\n.size " #name ",.-" #name "\n.text\n");      \
	extern long name(long a, long b)

/* The handler of SIGTRAP: goes on where the probe's stub is. */
static void on_trap(int number, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	uint64_t next = patch_trap((uint64_t)regs[REG_RIP] - 1);

	(void)number;
	(void)info;
	if (!next)
		abort();
	regs[REG_RIP] = (greg_t)next;
}

#endif
