/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parcel.h - the image's and the arena's descriptors, for a process that does not find the files.
 *
 * A process in a namespace of its own, or under another root, or of another user, may not find
 * or not open what we have open. It makes a pair of sockets, of which we take one end.
 *
 * Threads: confined.
 */
#ifndef HOOK_PARCEL_H
#define HOOK_PARCEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "hook/inject.h"
#include "hook/loader.h"

/* Whether it may: a filter of system calls may end it for a socket. A command has those of this
 * process. */
bool parcel_may(const struct inject *what);
/* Has the loader get them, map the image and start the agent. Its result, or a negative errno. */
int64_t parcel_start(const struct injector *injector, struct loading *loading, pid_t pid);

#endif
