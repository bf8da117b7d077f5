/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter.h - the application's filters of system calls, which are the agent's too. [runtime]
 *
 * A process that sandboxes itself by seccomp means calls of its own; one of ours that
 * its filter does not know would fail, or end the process. So filters are copied as
 * they are installed, and sys_call() asks them before each of the agent's calls: one
 * that is not plainly allowed is not made, and fails with EPERM.
 *
 * Filters of one thread count for all threads; what is forgotten by a vfork child
 * stays with its parent. That errs to the safe side.
 *
 * Threads: any; filter_install() within one call of the application's.
 */
#ifndef AGENT_FILTER_H
#define AGENT_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "hook/board.h"

/* Is this call about to install a filter, or strict mode? */
bool filter_is_install(const struct target_regs *regs);
/* Counts what the call installs from here on; undone if it fails. */
void filter_install(const struct target_regs *regs);
void filter_undo(void);
/* May the agent make this call? */
bool filter_allows(int64_t nr, const uint64_t arg[6]);
/* Does the application's own call get past them, so that the kernel begins with it? To be asked
 * once there are any (sys_filtered). */
bool filter_passes(int64_t nr, const uint64_t arg[6], uint64_t ip);
/* May the agent make all that it takes to be brought into a program and to follow it? */
bool filter_allows_all(void);
/* Whether the process may receive descriptors by a pair of sockets. */
bool filter_allows_sockets(void);

#endif
