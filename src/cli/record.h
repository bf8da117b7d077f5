/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.h - a verification recorded: each visit in short, and the whole state
 * at as many of them as there is room for.
 *
 * A program is verified twice, as a verification is the same each time: once to
 * see how many visits there are and how they hang together, then to record the
 * states that say most.
 */
#ifndef CLI_RECORD_H
#define CLI_RECORD_H

#include <signal.h>
#include <skep/object.h>

enum { VISIT_KEPT = 1, VISIT_COVERED = 2, VISIT_COVERED_WHOLE = 4, VISIT_RECORDED = 8 };

/* A visit in short. Its number is its index + 1. */
struct recorded_visit {
	uint32_t insn, from, covered_by;
	uint32_t ordinal;        /* how many visits its instruction had before */
	uint16_t live;
	uint8_t flags;           /* VISIT_* */
};

/*
 * What changed from the state recorded before this one: a part of the state and
 * a string for it. A part is FRAME_PARTS * frame +
 */
enum { PART_REG = 0, PART_SLOT = 16, PART_FRAME = 100, PART_HOLDS = 101, FRAME_PARTS = 128 };
struct change {
	uint32_t part, string;   /* string 0: nothing is there */
};

struct recording {
	struct recorded_visit *visits;
	uint32_t count, size;
	uint32_t *heat;          /* visits of each instruction */
	size_t insns;
	/* By visit: those of a visit that is recorded follow those of the one before. */
	uint32_t *first_change;  /* count + 1 entries, once states are recorded */
	struct change *changes;
	size_t change_count, change_size;
	char **strings;          /* [0] is "" */
	size_t string_count, string_size;
	uint32_t *buckets;       /* string hash table */
	size_t bucket_count;
	size_t recorded;         /* visits whose state is */
	size_t bytes;            /* what the strings and changes take, to be bounded */
	bool failed;             /* out of memory */
	const volatile sig_atomic_t *stop; /* not 0: give up, as -ECANCELED */
	/* while recording */
	uint32_t now[8 * FRAME_PARTS];
	uint32_t at;
	size_t bytes_max;
};

/*
 * Verify prog with opts, and fill rec: result and diag as skep_object_check(). At
 * most states_max states are recorded, in at most bytes_max bytes. The recording is
 * empty where nothing was visited.
 */
int record_check(struct recording *rec, struct skep_object_prog *prog,
		 const struct skep_verify_opts *opts, size_t insns, size_t states_max,
		 size_t bytes_max, const volatile sig_atomic_t *stop,
		 struct skep_verify_result *result, struct skep_diag *diag);
void record_done(struct recording *rec);

#endif
