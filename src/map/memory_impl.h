/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory_impl.h - the arena's header, for memory.c and memory_file.c alone.
 *
 *   0            head: what never changes, with a checksum; read before mapping
 *   | head | root, vcpus, retired, hints, epoch | owners | words | destinations |
 */
#ifndef MAP_MEMORY_IMPL_H
#define MAP_MEMORY_IMPL_H

#include "map/memory.h"
#include "map/owner.h"

enum {
	PAGE = 4096,
	BLOCK = 2 << 20,
	BLOCK_PAGES = BLOCK / PAGE,
	CELL_MIN_SHIFT = 5, /* 32 bytes; 128 in a page */
	CLASSES = 7,        /* 32 to 2048 */
	HINTS = 8,
	RETIRED = 254,      /* in a batch, which fills two pages */
};

#define MEMORY_MAGIC 0x3052414550454b53ull /* "SKEPEAR0" */
/* Raised whenever something in an arena is laid out anew. */
#define MEMORY_LAYOUT 6u

struct slab {
	uint64_t live[2];  /* cells handed out; written under the page's lock */
	uint64_t freed[2]; /* cells given back since; any thread sets bits */
	uint64_t pending;  /* 1 + the cell being handed out; 0: none */
	void **dest;       /* where that is to be published; or NULL */
};

struct split {
	uint64_t word[BLOCK_PAGES];
	void **dest[BLOCK_PAGES];
	struct slab slab[BLOCK_PAGES];
};

struct retired {
	uint64_t owner; /* 0: free; RETIRED_READY; else who is filling it in */
	void *ptr;
	size_t size;    /* RETIRED_MAP: ptr is a struct map */
	uint64_t epoch;
};

#define RETIRED_READY 1
#define RETIRED_MAP SIZE_MAX

struct retired_batch {
	struct retired_batch *next; /* set before the batch is published; never freed */
	struct retired at[RETIRED];
};

struct memory {
	/* the head */
	uint64_t magic;
	uint32_t layout;
	uint32_t blocks;
	char *base;
	size_t size;
	size_t blocks_offset;
	uint64_t boot;         /* which boot made it, hashed; 0: not known */
	uint64_t backed;       /* 1: by a file */
	uint64_t checksum;     /* of all before it */

	void *root;
	struct vcpu_set *vcpus;
	struct retired_batch *retired;
	uint64_t slab_hint[CLASSES][HINTS]; /* block << 16 | page, or 0 */
	uint64_t epoch __attribute__((aligned(64)));
	uint64_t quiet[7]; /* keeps the epoch's cache line to itself */
	struct owner_table owners;
	uint64_t words[]; /* one a block, then one destination a block */
};

#endif
