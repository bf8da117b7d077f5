/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * patch.h - puts patches (hook/scan.h) into the code of this process. [runtime]
 *
 * Sites are added to a batch, which reserves memory for stubs within reach of the code, and
 * committed together: the stubs become executable, then the code is changed. Nothing is ever
 * writable and executable at once.
 *
 * While other threads may be executing the code (PATCH_LIVE), only one byte changes at a time
 * in their eyes: a trap leads to the stub until the jump is complete. A window of several
 * instructions then keeps the trap, since a thread may be asleep between them. Where all are
 * stopped for the change (PATCH_HELD), it is known whether one is.
 *
 * Stubs are never freed while the process is patched: a thread may be asleep in one.
 *
 * Threads: patch_find() and patch_trap() any, async-signal-safe; the rest caller locks.
 */
#ifndef AGENT_PATCH_H
#define AGENT_PATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "hook/patch.h"

enum patch_state {
	SITE_OUT,           /* the code is as it was */
	SITE_JUMP,
	SITE_TRAP,
};

/* A place in this process's code. Never moves, never freed. */
struct patch_site {
	uint64_t address;
	uint64_t stub;              /* where jump and trap lead */
	uint64_t code;              /* the copies of the instructions */
	const struct patch *patch;  /* must stay where it is */
	void *owner;                /* of the caller */
	uint32_t state;             /* enum patch_state */
	bool trapped;               /* a system call behind the jump: a trap is on it */
	bool stays;                 /* a trap for good */
	uint8_t were[8];            /* the first bytes before, as the linker may have relocated them */
	struct patch_site *next;    /* in its bucket */
	struct patch_site *following; /* in its batch */
};

enum patch_mode {
	PATCH_ALONE,        /* no other thread executes this code: there is none, or it is stopped,
			     * or the code has only just been mapped */
	PATCH_HELD,         /* all other threads are stopped: patch_occupied() says where */
	PATCH_LIVE,
};

struct patch_batch {
	struct patch_site *first, **last;
	uint64_t start, end;        /* the mapping that all are in; 0: of several */
};

/* Where system calls of patched sites go, and where the address of their ways (board.h) is.
 * Set before any site with a call is added. */
extern uint64_t patch_gate, patch_ways;
/* Whether a stopped thread may go on inside the jump of a patch, and cannot be moved. */
extern bool (*patch_occupied)(const struct patch *patch, uint64_t address);

/* Whether a site there becomes a jump; else a trap. */
bool patch_jumps(const struct patch *patch, uint64_t address, enum patch_mode mode);
void patch_begin(struct patch_batch *batch, uint64_t start, uint64_t end);
/*
 * Adds a site. before: position-independent code that the stub executes first, with two
 * literals: its last 16 bytes; may be empty. Returns NULL with a negative errno: -EILSEQ if
 * the code at the address is not what the patch was made for, -ENOMEM if there is no memory
 * within reach. A site that is there already and out is used again.
 */
struct patch_site *patch_add(struct patch_batch *batch, const struct patch *patch,
			     uint64_t address, const void *before, size_t size, int *error);
/* Changes the code of all sites of the batch. On failure none is changed. */
int patch_commit(struct patch_batch *batch, enum patch_mode mode);
/* Puts the code back as it was. */
int patch_remove(struct patch_site *const *sites, size_t count, enum patch_mode mode);
/* Traps that could be jumps become jumps, where no thread is in their way. PATCH_HELD. Returns how
 * many are left. */
uint32_t patch_finish(void);
/* How many it would try. */
uint32_t patch_unfinished(void);
/* All sites of [start, end) are gone with their mapping. */
void patch_forget(uint64_t start, uint64_t end);

/* The site at an address; NULL: none. */
struct patch_site *patch_find(uint64_t address);
/* A site whose window has an address of [start, end) in it; NULL: none. */
struct patch_site *patch_overlap(uint64_t start, uint64_t end);
/* Where a thread that has met a trap at an address goes on; 0: the trap is not ours. */
uint64_t patch_trap(uint64_t address);
/* Where the system call at an address returns to that a trap is on; 0: there is none. */
uint64_t patch_call(uint64_t address);
/*
 * Where a stopped thread goes on whose instruction pointer is inside a window (in: the site has
 * been patched) or inside a stub (!in: it has been removed); the same address for any other.
 */
uint64_t patch_moved(uint64_t ip, bool in);
/* The same for an address in a system call's stub while the site is patched; the address stays
 * where the jump is in the way. */
uint64_t patch_shown(uint64_t ip);
/* Where a system call that returns to its stub would return to without it: the stub says it. */
uint64_t patch_returns_to(uint64_t address);
/* Whether an address is in the memory of stubs. */
bool patch_is_stub(uint64_t address);
/* The site whose stub an address is in; NULL: none. */
struct patch_site *patch_of_stub(uint64_t address);
/* Calls each site. */
void patch_each(void (*call)(void *arg, struct patch_site *site), void *arg);
/* Frees everything, when all sites are out and no thread is in a stub. stubs_stay: but those. */
void patch_free(bool stubs_stay);

#endif
