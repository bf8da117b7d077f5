/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * placed.h - between the files of places.h: mappings of code, and the places in them. [runtime]
 *
 *      places.c           which files' code this process has mapped, and where
 *      places_update.c    what of a file is to be patched in a mapping
 *      placed.c           one place: what a hit does, its semaphore, its patch
 *
 * Records and sites stay when a place is taken off, for threads that are in a stub, and are used
 * again when it comes back.
 *
 * Threads: caller locks, except that hits may happen meanwhile.
 */
#ifndef AGENT_PLACED_H
#define AGENT_PLACED_H

#include "agent/places.h"

/* A place of a program, an unwinder or a system call in one mapping. */
struct placed {
	struct probe_record record;
	struct placed *next;       /* of its mapping */
	struct probe *probe;       /* NULL: not of a program */
	probe_enter_fn *also;      /* it is an unwinder's too */
	const struct patch *patch; /* that it was put there with */
	uint64_t address;
	uint64_t semaphore;        /* its address here; 0: none */
	bool raised;
	bool failed;
	bool unlike;               /* the code there is not what the file has */
};

struct mapping {
	uint64_t start, end, offset;
	struct file_id id;
	const struct patch_file *file; /* NULL: nothing is known of it */
	struct placed *placed;
	bool unwinds, syscalls;    /* those have been put there */
};

extern const struct places_opts *places_opts;
extern bool places_prompt;         /* nothing waits: the code is about to run */
extern uint32_t placed_pending;    /* counters that could not be raised yet */

static inline bool in_mapping(const struct mapping *mapping, const struct patch *patch)
{
	uint64_t size = mapping->end - mapping->start;

	return patch->file_offset >= mapping->offset &&
	       patch->file_offset - mapping->offset < size &&
	       size - (patch->file_offset - mapping->offset) >= patch->length;
}

static inline uint64_t address_in(const struct mapping *mapping, uint64_t file_offset)
{
	return mapping->start + (file_offset - mapping->offset);
}

static inline const struct patch_files *places_files(void)
{
	return __atomic_load_n(&places_opts->board->files, __ATOMIC_ACQUIRE);
}

/* places_update.c: puts in what is attached and takes out what is not, by now. */
void mapping_update(struct mapping *mapping, enum patch_mode mode);

/* Whether it is patched. */
bool placed_is_in(const struct placed *placed);
/* Who put a patch at an address, the last time; NULL: nobody, or it was a system call's. */
struct placed *placed_at(uint64_t address);
/* The place of a probe, if it is the one that is there. */
struct placed *placed_of(const struct mapping *mapping, const struct probe *probe);
/* The probe's, with its programs. placed: who was there before; NULL: nobody. */
void placed_put_probe(struct mapping *mapping, struct patch_batch *batch, struct probe *probe,
		      struct placed *placed, enum patch_mode mode);
/* One that is no program's, where nothing else is. */
void placed_put_own(struct mapping *mapping, struct patch_batch *batch, const struct patch *patch,
		    probe_enter_fn *enter, enum patch_mode mode);
void placed_take_out(struct placed *placed, enum patch_mode mode);
/* The counter of its static probe. */
void placed_raise(struct placed *placed);
void placed_lower(struct placed *placed);
/* Its mapping is gone. */
void placed_forget(struct placed *placed);

#endif
