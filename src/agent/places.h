/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * places.h - patches the code of files that this process maps, as the board wants it. [runtime]
 *
 * Each mapping of a file's code is remembered with what the arena knows of the file
 * (hook/probe.h). When something is attached or detached, the process looks again and adds or
 * removes what has changed; programs of one place share its patch.
 *
 * Threads: caller locks, except that hits may happen meanwhile.
 */
#ifndef AGENT_PLACES_H
#define AGENT_PLACES_H

#include "agent/probe.h"
#include "hook/probe.h"

struct places_opts {
	struct board *board;
	uint64_t gate;             /* where system calls of patched sites go; 0: none is patched */
	uint64_t ways;             /* where the address of their ways is (patch.h) */
	/* There is code now whose system calls are not all patched. NULL: nobody minds. */
	void (*unknown)(void);
	/* Asks that an open file be scanned; 0, or a negative errno. NULL: nobody can be asked. */
	int (*scan)(const struct file_id *id, int fd);
	/* Whether somebody will hold all threads to have PATCH_HELD done, so that a jump over several
	 * instructions may wait for it. NULL: nobody. */
	bool (*waits)(void);
	/* What is known of a thread; NULL: nothing. */
	struct task_facts *(*facts)(struct probe_thread *thread);
};

extern const struct board *places_board; /* NULL before the start */
extern uint64_t places_seen;             /* its files_changed at the latest look */
extern uint32_t places_waiting;          /* places that wait, since then */
extern uint32_t places_unlike;           /* programs' places whose code is not the file's */

/* Patches what is mapped now. opts must stay. */
int places_start(const struct places_opts *opts, enum patch_mode mode);
/* A file's code has just been mapped; fd: the file. */
void places_mapped(uint64_t start, uint64_t length, uint64_t offset, int fd,
		   enum patch_mode mode);
/* Code has been mapped, or may have been changed, that is in no file, or not as it is there. */
void places_unknown(void);
/* Any mapping of [start, start + length) has gone or has been replaced. */
void places_unmapped(uint64_t start, uint64_t length);
/* What may be done with it was changed: code may have become data, or data code. Whether places
 * are other than before. */
bool places_protected(uint64_t start, uint64_t length, int prot);
/* Other memory of a file was mapped: counters of static probes may be there now. */
void places_settle(void);
/* Whether something has been attached or detached since places_update(). Cheap. */
static inline bool places_stale(void)
{
	return places_board && __atomic_load_n(&places_board->files_changed, __ATOMIC_ACQUIRE) !=
				       places_seen;
}
void places_update(enum patch_mode mode);
/* Everything as it was. Threads that are in functions whose return is watched must be
 * disarmed by their owner (probe_calls_disarm()). */
int places_stop(enum patch_mode mode);

/* How this process is patched. */
struct places_counts {
	uint32_t files, syscalls, jumps, traps;
	uint32_t failed;           /* places that could not be patched here */
};
void places_count(struct places_counts *counts);

#endif
