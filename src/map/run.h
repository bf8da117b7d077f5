/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.h - runs of equal units, claimed word by word. [runtime]
 *
 * The allocator below memory.c, used twice: for the arena's blocks and for the
 * pages of a block. Each unit has a word:
 *
 *   63              24 23          4 3    0
 *   | owner's token   | number      | kind |
 *
 * A run of n units is claimed unit by unit with compare-and-swap and published
 * by its first unit's word; the others stay RUN_CLAIM for the run's whole life
 * and are told from abandoned ones by looking back at the first.
 */
#ifndef MAP_RUN_H
#define MAP_RUN_H

#include "map/owner.h"

enum run_kind {
	RUN_FREE,    /* and zero */
	RUN_DIRTY,   /* free, not zero */
	RUN_CLAIM,   /* number: units back to the first */
	RUN_PENDING, /* first of a claimed run that dest is to point to; number: units */
	RUN_USED,    /* first; number: units */
	RUN_FREEING, /* first; number: units */
	RUN_SPLIT,   /* one unit divided into smaller ones, for good; number: user's */
};

#define RUN_WORD(kind, number, token) ((uint64_t)(kind) | (uint64_t)(number) << 4 | (token))
#define RUN_KIND(word) ((enum run_kind)((word) & 15))
#define RUN_NUMBER(word) ((uint32_t)((word) >> 4 & 0xfffff))

struct runs {
	struct owner_table *owners;
	uint64_t *word;  /* count of them */
	void ***dest;    /* where the run a unit starts is to be published */
	char *base;
	uint32_t count;
	uint32_t unit;   /* bytes */
	bool give_back;  /* return freed memory to the system */
	bool backed;     /* a file's: its file system must have room before a unit is used */
	int fd;          /* that file in this process, or -1; where base is in it: */
	uint64_t offset;
};

/*
 * Returns n zeroed units, or NULL: none, or no room behind them. With dest, also stores the address in *dest,
 * which must be NULL, so that a death in between loses nothing.
 */
void *run_alloc(struct runs *runs, uint32_t n, void **dest);
/* A unit that stays RUN_SPLIT with this number; setup() prepares it before. */
char *run_alloc_split(struct runs *runs, uint32_t number, void (*setup)(void *unit));
void run_release(struct runs *runs, uint32_t first);
/* Units in use, those being claimed or freed included. */
uint32_t run_used(const struct runs *runs);

#endif
