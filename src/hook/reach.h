/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reach.h - makes targets look at once at what has been attached.
 *
 * A target looks by itself at its next call that somebody waits for. One that computes, or
 * sleeps, makes none for a long time: a thread of it is held for a moment, and looks. All of them
 * are where places wait for that (settle.h).
 *
 * Threads: confined to the follower's.
 */
#ifndef HOOK_REACH_H
#define HOOK_REACH_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/base.h"
#include "hook/settle.h"
#include "hook/targets.h"

struct memory;

struct reach {
	struct memory *memory;    /* borrowed */
	struct settle settle;
	uint32_t settled;         /* whose record that is about */
	VEC(pid_t) late;          /* threads that were to stop and have not yet */
	struct {
		uint64_t changed; /* what it is tried for */
		uint64_t next;    /* when; CLOCK_MONOTONIC */
		uint32_t tries, settles;
	} process[PROCESSES];
};

/* Whether some target does not know yet what the board says. */
bool reach_is_due(const struct reach *reach, const struct targets *targets);
/* One attempt at each target that does not, but those that are busy. Further ones come later
 * and later. */
void reach_round(struct reach *reach, struct targets *targets, const struct injector *injector,
		 bool (*busy)(void *arg, pid_t pid), void *arg);
/* Nothing of ours is under way with that thread of that process when this returns. */
void reach_let_go(struct reach *reach, pid_t pid, pid_t tid);
void reach_done(struct reach *reach);

#endif
