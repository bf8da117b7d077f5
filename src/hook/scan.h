/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan.h - how places in machine code can be patched: which bytes become a jump, and what the
 * stub executes in their place.
 *
 * A patch writes a 5-byte jump over one or more whole instructions (its *window*) and executes
 * copies of them in a stub, made to mean the same there:
 *
 *      before                  after                         stub, within 2 GiB
 *      site: push %rbp         site: jmp stub                (what the agent puts before)
 *            mov %rsp,%rbp                                   push %rbp
 *            sub $16,%rsp            (rest of sub)           mov %rsp,%rbp
 *      next: ...               next: ...                     sub $16,%rsp
 *                                                            jmp next
 *
 * That is sound if nothing jumps to an instruction of the window other than its first. A scan
 * looks at all code and tables of a file once and keeps what may be jumped to: targets of
 * branches, starts of functions, landing pads of exceptions, jump tables, code whose address
 * is taken. Where an indirect jump of a function is not understood, no window but one at the
 * function's start is believed. What has no window can be patched with a one-byte trap.
 *
 * The result, struct patch, contains no addresses: the agent adds them.
 *
 * Threads: confined.
 */
#ifndef HOOK_SCAN_H
#define HOOK_SCAN_H

#include "hook/patch.h"
#include "hook/symbols.h"

struct scan;

/* The binary must outlive it. NULL: out of memory, or nothing executable. */
struct scan *scan_new(struct binary *binary, struct skep_diag *diag);
/* The same; NULL too when *stop is set meanwhile. */
struct scan *scan_new_until(struct binary *binary, const bool *stop, struct skep_diag *diag);
void scan_free(struct scan *scan);

/*
 * A patch that probes an address. taken tells of an address whether another probe is there; a
 * window does not reach over one (NULL: there are none).
 */
typedef bool scan_taken_fn(void *arg, uint64_t address);
int scan_probe(struct scan *scan, uint64_t address, scan_taken_fn *taken, void *arg,
	       struct patch *patch, struct skep_diag *diag);

/* Whether there is an instruction that can be executed elsewhere. */
bool scan_can_probe(const struct scan *scan, uint64_t address);

/* Whether a function begins there, as far as symbols and frame descriptions tell. */
bool scan_is_start(const struct scan *scan, uint64_t address);

/* What a function does with its own return address, which a return probe replaces. */
enum return_use {
	RETURN_UNUSED,
	RETURN_READ,        /* it looks who called it: another answer may be another result */
	RETURN_KEPT,        /* it keeps it, to come back by it later */
	RETURN_NONE,        /* no call leads there: a program's begin, a part that is jumped to */
};
enum return_use scan_return_use(struct scan *scan, uint64_t address);

/*
 * The system calls of the file's code, in order of address. There is a patch where a window
 * was found; without one, a trap that takes its first byte.
 */
struct scan_site {
	uint64_t address;   /* of the syscall instruction */
	int32_t number;     /* the call's number where it is plain to see; -1: unknown */
	bool patched;
	bool trapped;       /* no window was found; patch is a trap at the instruction */
	struct patch patch;
};
size_t scan_syscalls(struct scan *scan, const struct scan_site **sites);
/*
 * Whether each of them is patched or trapped but for those by which signal handlers end, and
 * no others hide where the code is not understood.
 */
bool scan_is_whole(struct scan *scan);

/*
 * Addresses of the instructions by which a function ends: its returns, and the jumps to where
 * an unwinder wants to go on (which follow a change of the stack pointer). At most max are
 * stored. Their count.
 */
size_t scan_ends(struct scan *scan, uint64_t address, uint64_t *ends, size_t max);

#endif
