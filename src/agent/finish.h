/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * finish.h - system calls that no signal keeps from finishing. [runtime]
 *
 * A signal that arrives while programs look at the beginning of a call would, on Linux, find the
 * call under way: one that waits is interrupted, every other is made as ever. Those are known
 * here; of the rest, what the call is about decides.
 *
 * Threads: any.
 */
#ifndef AGENT_FINISH_H
#define AGENT_FINISH_H

#include <stdbool.h>

struct target_regs;

/* Does the call with these registers end by itself soon? False when that is not known. */
bool finish_is_certain(const struct target_regs *regs);

#endif
