/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox.h - what a process that runs already may not do.
 *
 * A filter of system calls may end the process for a call that it never makes itself; the agent
 * would make such calls in its name.
 */
#ifndef HOOK_SANDBOX_H
#define HOOK_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether a held thread's filters are known to allow what the agent does. */
bool sandbox_allows(pid_t tid);

#endif
