/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probes.h - patched code in a target: from the gate and the supervisor to places.h. [runtime]
 *
 * Threads: probes_start() and probes_stop() once; the others each for itself.
 */
#ifndef AGENT_PROBES_H
#define AGENT_PROBES_H

#include <stdbool.h>
#include "agent/patch.h"
#include "agent/thread.h"

struct agent_held;
struct board;

/* After the gate has started. PATCH_HELD: all threads have been noted (held.h). */
int probes_start(struct board *board, enum patch_mode mode);
/* The code as it was, if it is not yet. Then threads may leave the gate. */
void probes_stop(void);
/* They have: memory is given back. */
void probes_done(void);
/* Something has been attached or detached. */
void probes_update(void);
/* The same if nobody is at it; the thread may have been stopped in the middle. at_once: nothing
 * waits until all threads are held. */
bool probes_try_update(bool at_once);
/*
 * All threads are held: what waited for it is patched. Whoever is in the way goes on elsewhere, as
 * its entry says then. 0, or -EAGAIN: somebody is at it, or where it cannot be known.
 */
int probes_try_settle(struct agent_held *threads, uint64_t count);

/* Registers as they would be were the code as it was. */
void probes_unpatched(struct target_regs *regs);

/* What the gate tells (gate.h). */
void probes_mapped(struct target_thread *thread, struct target_regs *regs, int64_t result);
void probes_fork(bool held);
bool probes_trap(struct target_thread *thread, struct signal_context *context);
uint64_t probes_call(uint64_t address);
void probes_framed(struct target_thread *thread, struct signal_context *context);
void probes_unframed(struct target_thread *thread, const struct signal_context *context);
bool probes_leave(struct target_thread *thread, struct signal_context *context);

#endif
