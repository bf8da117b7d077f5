/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory.h - the machine's arena: memory that all its participants share.
 *
 * One MAP_SHARED mapping at an address every participant uses, so plain
 * pointers may be stored in it. The header at its start records where it is.
 *
 *   base                                                          base + size
 *   | header, a word a block | block (2 MiB) | block | ...              |
 *
 * Large requests get whole blocks; a block may be split into pages, and a page
 * into cells of one size.
 *
 * Allocation is async-signal-safe and lock-free; a killed process loses at
 * most what it was itself allocating, and that is reclaimed by its owner tag.
 * What programs may still be reading is freed by epochs (memory_retire()).
 *
 * Threads: any, except memory_new() and memory_free().
 */
#ifndef MAP_MEMORY_H
#define MAP_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct memory; /* its header, at the start of the arena */
struct owner_table;
struct vcpu_set;

/* size: address space, 0: default. Returns NULL with errno set. */
struct memory *memory_new(size_t size);
void memory_free(struct memory *memory);

/* Zeroed, aligned to align (a power of two, up to 4096). NULL when full. */
void *memory_alloc(struct memory *memory, size_t size, size_t align);
/*
 * The same, and stores the address in *dest, which must be NULL, be in the
 * arena and stay there: whatever instant a caller dies at, the memory is
 * either found through *dest or free again.
 */
void *memory_alloc_into(struct memory *memory, size_t size, size_t align, void **dest);
/* At once: nobody else may hold the pointer. NULL is accepted. */
void memory_release(struct memory *memory, void *ptr, size_t size);
/* After every program that runs now has ended (see vcpu.h). */
void memory_retire(struct memory *memory, void *ptr, size_t size);
struct map;
/* The same for a map: map_free() then. */
void memory_retire_map(struct memory *memory, struct map *map);
/* Frees what was retired and may be freed by now; memory_retire() does it too. */
void memory_collect(struct memory *memory);
size_t memory_used(const struct memory *memory);
size_t memory_size(const struct memory *memory);

/* Its participants; for code that keeps owner words in the arena. */
struct owner_table *memory_owners(struct memory *memory);
/* The set whose virtual CPUs memory_retire() waits for. */
void memory_set_vcpus(struct memory *memory, struct vcpu_set *vcpus);
/* The epoch now (never 0), and a new one: what was unlinked before the call may
 * be reused when memory_epoch_passed(). */
uint64_t memory_epoch(const struct memory *memory);
uint64_t memory_epoch_next(struct memory *memory);
bool memory_epoch_passed(struct memory *memory, uint64_t epoch);

#endif
