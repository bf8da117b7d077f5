/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps.h - what this process has mapped, as the kernel lists it. [runtime]
 *
 * Threads: confined; caller locks, as the list may change meanwhile.
 */
#ifndef AGENT_MAPS_H
#define AGENT_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct maps_line {
	uint64_t start, end, offset;
	uint64_t device, inode;   /* of its file; inode 0: it has none */
	int prot;                 /* PROT_* */
	bool shared;
	const char *path;         /* of its file, or what it is; "": neither. Good until the call returns */
};

/* For a process without /proc: who has the text of its mappings, told where it goes and how much
 * does. Its length, or a negative errno. */
extern int64_t (*maps_ask)(char *text, size_t size);

/* Calls each mapping, in order of address. The list is read as a whole before: mappings may be
 * changed. 0 or a negative errno. */
int maps_each(void (*call)(void *arg, const struct maps_line *line), void *arg);

#endif
