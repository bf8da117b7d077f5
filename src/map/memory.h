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
 * An arena is anonymous, shared with forks alone, or a file's, which any process
 * of the same user may join:
 *
 *   creator    memory = memory_create_at(dirfd, "arena", 0, &fd, &error);
 *              *memory_root(memory) = what joiners start from;
 *   joiner     fd = openat(dirfd, "arena", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
 *              memory = memory_join(fd, &error); close(fd);
 *
 * A process into which somebody else mapped the file, at its own base and of
 * its length and MAP_SHARED, calls memory_enter() and is a participant. A fork of a
 * participant needs nothing. The descriptor may be closed at once: memory is had
 * from the file system without it, and had before it is handed out, so that a
 * full file system fails an allocation and never a touch.
 *
 * What is in the arena points into the arena only, or is a number that every
 * process turns into its own address (a map's type, a program's helpers).
 *
 * Threads: any, except making, joining and leaving an arena.
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
/*
 * The same in a new file of a directory, or (dirfd < 0) in one without a name
 * that goes with its last user. *fd is for the caller to close; /proc/PID/fd/N
 * opens it elsewhere. NULL with *error negative: -EEXIST, -ENOSPC (the file system
 * is full), -ENOMEM (no address slot is free) ...
 */
struct memory *memory_create_at(int dirfd, const char *name, size_t size, int *fd, int *error);
/*
 * Maps a file's arena where its pointers are good. fd stays the caller's. NULL with
 * *error: -EBADMSG (damaged, or no arena), -EPROTONOSUPPORT (laid out by another
 * version), -ESTALE (made before the last boot), -EEXIST (something is at that
 * address in this process, or it is in this arena already), -ENOMEM.
 */
struct memory *memory_join(int fd, int *error);
/*
 * fd is the file of that arena. It is used for having room in its file system, by this process,
 * until -1 is given in its place or the arena is left; it is not closed before that.
 */
void memory_lend(const struct memory *memory, int fd);
/* The part of joining that is left when the arena is mapped at memory; once for each
 * process. Runtime. 0 or -ENOMEM. */
int memory_enter(struct memory *memory);
/* Leaves it. An anonymous one, and a file's that has no name, ends with its last
 * participant. NULL is accepted. */
void memory_free(struct memory *memory);
/* Where arenas may lie; a file's header says where it does. */
void *memory_slot(uint32_t slot);
/* The word from which everything else in the arena is found; for its owner's use. */
void **memory_root(struct memory *memory);
/* Whether [ptr, ptr + size) can have been allocated here, so aligned. */
bool memory_contains(const struct memory *memory, const void *ptr, size_t size, size_t align);

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
size_t memory_size(const struct memory *memory); /* of its address space */

/* Its participants; for code that keeps owner words in the arena. */
struct owner_table *memory_owners(struct memory *memory);
/* The set whose virtual CPUs memory_retire() waits for. */
void memory_set_vcpus(struct memory *memory, struct vcpu_set *vcpus);
struct vcpu_set *memory_vcpus(const struct memory *memory);
/* Bytes that were retired and not freed so far. */
size_t memory_waiting(const struct memory *memory);
/* The epoch now (never 0), and a new one: what was unlinked before the call may
 * be reused when memory_epoch_passed(). */
uint64_t memory_epoch(const struct memory *memory);
uint64_t memory_epoch_next(struct memory *memory);
bool memory_epoch_passed(struct memory *memory, uint64_t epoch);

#endif
