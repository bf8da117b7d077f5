/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe.h - what is to be patched in which file. [runtime]
 *
 * The control plane (files.c) scans a file once and writes here, in the arena, what targets do
 * to its code when they map it: system calls that go to the gate, places that programs probe,
 * and the functions of unwinders that return probes must know of.
 *
 *      board -> files -> patch_file -> patch_file ...
 *                             | syscalls, unwinds: arrays of struct patch
 *                             ` probes -> probe -> probe ...   each with lists of programs
 *
 * Everything is linked in with one store and stays. A probe whose lists are empty is not
 * applied; targets look again when the board says that something has changed.
 *
 * Threads: any reads; the machine's lock is held to write.
 */
#ifndef HOOK_PROBE_H
#define HOOK_PROBE_H

#include "hook/board.h"
#include "hook/patch.h"

struct file_id {
	uint64_t device, inode, size;
	int64_t changed_ns;         /* its modification time */
};

/* A place in a file. */
struct probe {
	struct probe *next;
	uint64_t address;           /* as linked */
	uint64_t semaphore;         /* the same, of a counter to be raised; 0: none */
	uint64_t at;                /* file offset of the place */
	const struct patch *patch;  /* replaced as a whole */
	const struct board_list *enter, *leave, *session;
};

/* A function that begins an unwind, or an instruction that ends it. */
struct patch_unwind {
	struct patch patch;
	uint32_t begins;
};

struct patch_file {
	struct patch_file *next;
	struct file_id id;
	const struct patch *syscalls;
	const struct patch_unwind *unwinds;
	uint32_t syscall_count, unwind_count;
	uint32_t call_count;        /* system calls in its code, patched or not */
	uint32_t is_go;
	uint32_t is_whole;          /* syscalls has all but those that end signal handlers */
	struct probe *probes;
	uint32_t probe_count;
};

struct patch_files {
	struct patch_file *first;
	uint32_t returns;           /* return probes and sessions attached: unwinders matter */
};

static inline bool probe_is_live(const struct probe *probe)
{
	return __atomic_load_n(&probe->enter, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&probe->leave, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&probe->session, __ATOMIC_RELAXED);
}

static inline const struct patch_file *patch_file_find(const struct patch_files *files,
						       const struct file_id *id)
{
	const struct patch_file *file = files ? __atomic_load_n(&files->first, __ATOMIC_ACQUIRE)
					      : NULL;

	while (file && (file->id.inode != id->inode || file->id.device != id->device ||
			file->id.size != id->size || file->id.changed_ns != id->changed_ns))
		file = file->next;
	return file;
}

#endif
