/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.h - the machine's arena: memory that all its participants share.
 *
 * One MAP_SHARED mapping at an address every participant uses, so plain
 * pointers may be stored in it. The header at its start records where it is.
 *
 *   base                                                          base + size
 *   | header | page bitmap / size classes | pages handed out ...        |
 *
 * Allocation is async-signal-safe and lock-free; a killed process loses at
 * most what it was itself allocating, and that is reclaimed by its owner tag.
 * What programs may still be reading is freed by epochs (memory_retire()).
 *
 * Threads: any, except memory_new() and memory_free().
 */
#ifndef MAP_MEMORY_H
#define MAP_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct memory; /* its header, at the start of the arena */

/* size: address space, 0: default. Returns NULL with errno set. */
struct memory *memory_new(size_t size);
void memory_free(struct memory *memory);

/* Zeroed, aligned to align (a power of two, up to 4096). NULL when full. */
void *memory_alloc(struct memory *memory, size_t size, size_t align);
/* At once: nobody else may hold the pointer. NULL is accepted. */
void memory_release(struct memory *memory, void *ptr, size_t size);
/* After every program that runs now has ended (see vcpu.h). */
void memory_retire(struct memory *memory, void *ptr, size_t size);
size_t memory_used(const struct memory *memory);

#endif
