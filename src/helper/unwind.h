/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind.h - who called whom, from registers and a stack. [runtime]
 *
 * Code that keeps no frame pointers says in .eh_frame how to find each caller.
 * That is a little program for each function, too slow and too large to run
 * in a signal handler, so whoever attaches programs turns it into a table
 * (hook/unwind.h): from this address on, the caller's frame is so many bytes above
 * rsp or rbp, and its rbp is here. Where no table knows better, the chain of frame
 * pointers is followed.
 *
 * Threads: any. Async-signal-safe.
 */
#ifndef HELPER_UNWIND_H
#define HELPER_UNWIND_H

#include <stdint.h>

/* How the canonical frame address (CFA) is found: rsp's value in the caller. The return
 * address is in the 8 bytes below it. */
enum unwind_cfa {
	UNWIND_UNKNOWN,   /* no function that says so: frame pointers */
	UNWIND_END,       /* the outermost frame */
	UNWIND_SP,        /* rsp + cfa_off */
	UNWIND_BP,        /* rbp + cfa_off */
	UNWIND_AT_BP,     /* the word at rbp + cfa_off: a realigned stack */
	UNWIND_PLT,       /* rsp + 8, and 8 more from byte cfa_off of a 16-byte entry on */
	UNWIND_SIGNAL,    /* a signal's frame: the registers are in the ucontext at rsp */
};

enum unwind_rbp {
	UNWIND_RBP_SAME,
	UNWIND_RBP_SAVED, /* at CFA + rbp_off */
	UNWIND_RBP_AT_BP, /* at rbp + rbp_off */
};

/* Holds from pc (an address as linked, below 4 GiB) to the next row's. */
struct unwind_row {
	uint32_t pc;
	uint8_t cfa, rbp;
	int16_t cfa_off, rbp_off;
};

struct unwind_table {
	uint32_t count;
	struct unwind_row row[];
};

/* What holds at an address as linked. NULL: it lies before all. */
static inline const struct unwind_row *unwind_row_at(const struct unwind_table *table, uint64_t pc)
{
	uint32_t low = 0, high = table->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (pc < table->row[middle].pc)
			high = middle;
		else
			low = middle + 1;
	}
	return low > 0 ? &table->row[low - 1] : (const struct unwind_row *)0;
}

/* A mapped file: addresses [start, end) are those as linked plus bias. */
struct unwind_module {
	uint64_t start, end, bias;
	const struct unwind_table *table; /* NULL: frame pointers */
};

struct unwind_modules {
	uint32_t count;
	struct unwind_module at[]; /* by address */
};

/* Of this process; replaced as a whole, one store. NULL: none. */
extern const struct unwind_modules *unwind_modules;
/* Called before a walk, if set: who knows of more modules by then says so. */
extern void (*unwind_look)(void);
/* If set: who has replaced the return address in a slot of the stack says what it was. */
extern uint64_t (*unwind_return)(uint64_t slot, uint64_t address);
/* Walks under way; those that begin later see the modules of then. */
extern uint32_t unwind_walkers;

/*
 * Return addresses from the innermost frame on, which is regs' own (Linux's pt_regs);
 * at most max. Each frame must lie above the one before, so that a damaged stack
 * ends the walk.
 */
uint32_t unwind_walk(const uint64_t *regs, uint64_t *ips, uint32_t max);

#endif
