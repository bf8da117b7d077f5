/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader.h - a piece of code that a stopped thread runs to get the agent's image, or to be rid of it.
 *
 * Threads: confined.
 */
#ifndef HOOK_LOADER_H
#define HOOK_LOADER_H

#include <stdint.h>
#include <sys/types.h>

#include "hook/agent.h"
#include "hook/inject.h"
#include "hook/trace.h"

#define LOADER_CODE 768
#define LOADER_PATH 40 /* "/proc/PID/fd/N" */

/* As it lies in the process. */
struct loader {
	uint8_t code[LOADER_CODE];
	struct agent_back back;
	uint64_t base, size;
	uint64_t data, data_size; /* what is to be writable */
	uint64_t stack;
	uint64_t entry, note;
	uint64_t leave;           /* the agent's way back, from its note */
	char path[LOADER_PATH];
};

/* What it can do. */
enum loader_way {
	LOADER_MAP,       /* open the image, map it and call the agent's start, with no descriptor */
	LOADER_PAIR,      /* make a struct parcel with a pair of sockets, whose address is the result */
	LOADER_TAKE,      /* take the image's and the arena's descriptors from a parcel, if they have been
			   * sent; it is gone in any case; then as the first, with the arena's */
	LOADER_UNMAP,     /* unmap the image */
};

/* A loader in its place. */
struct loading {
	pid_t tid;
	uint64_t at;
	uint64_t started;         /* for the caller to set: where the thread is when the agent has */
	struct user_regs_struct saved;
	struct trace_run run;
	uint8_t bytes[sizeof(struct loader)]; /* what was there */
};

/*
 * Puts it where it fits. free: as of struct trace_run; start: for its auxv. 0 or a negative errno;
 * -EAGAIN: the thread is just going back from another's.
 */
int loading_begin(struct loading *loading, pid_t tid, const struct injector *injector,
		  const struct agent_at *at, const struct agent_start *start, uint64_t free);
/* Goes one of its ways, with the address of a parcel or 0. The result, or a negative errno. */
int64_t loading_run(struct loading *loading, enum loader_way way, uint64_t parcel);
/* All is as it was, but that the thread goes on at a result above 0. The result, as an errno or 0. */
int loading_end(struct loading *loading, int64_t result);

#endif
