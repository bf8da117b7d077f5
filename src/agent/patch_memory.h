/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * patch_memory.h - memory for patches: stubs within reach of the code, and records. [runtime]
 *
 * Nothing is ever writable and executable at once, and no record moves or goes while the process
 * is patched, so that a signal handler can follow their lists.
 */
#ifndef AGENT_PATCH_MEMORY_H
#define AGENT_PATCH_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* mmap() of private pages; an address or a negative errno. */
int64_t patch_pages(uint64_t address, uint64_t size, int prot, int flags);
/* A record, zeroed. NULL: no memory. */
void *patch_record(size_t size);
/* Writable memory for a stub of the code at an address; sealed pages stay as they are. 0: none. */
uint64_t patch_room(uint64_t address, uint64_t size);
/* The batch's pages become executable. What is left of the last stays unused. */
int patch_seal(void);
/* All of it goes, or all but the stubs, in which a thread may be asleep. */
void patch_memory_free(bool stubs_stay);

#endif
