/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stacks.h - call stacks, with names in place of addresses, and how often each was
 * seen: as folded lines or as a flame graph.
 *
 * Where samples come from is nobody's business here: they are addresses in a
 * process's memory, and what was mapped there is told apart from them, in any order
 * but with times. Names are looked for when the result is asked for, in the files
 * that were mapped; a process may be gone by then.
 *
 * Threads: confined.
 */
#ifndef SKEP_STACKS_H
#define SKEP_STACKS_H

#include <stdbool.h>
#include <skep/btf.h>
#include <skep/diag.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct skep_stacks;

/* NULL when out of memory. */
struct skep_stacks *skep_stacks_new(void);
void skep_stacks_free(struct skep_stacks *stacks); /* accepts NULL */

/* --- processes; time_ns on any one clock; errors: ENOMEM --- */

/* A part of a file at [start, end), executable, from offset on. */
int skep_stacks_map(struct skep_stacks *stacks, uint64_t time_ns, uint32_t pid, uint64_t start,
		    uint64_t end, uint64_t offset, const char *path);
/* The child has what the parent has at that time. */
int skep_stacks_fork(struct skep_stacks *stacks, uint64_t time_ns, uint32_t parent,
		     uint32_t child);
/* Nothing is mapped any more; from now on it has this name. */
int skep_stacks_exec(struct skep_stacks *stacks, uint64_t time_ns, uint32_t pid,
		     const char *comm);
/* What is mapped in it right now, as /proc/PID/maps says. Errors: ESRCH too. */
int skep_stacks_read(struct skep_stacks *stacks, uint64_t time_ns, uint32_t pid);

/* --- samples --- */

struct skep_stack {
	uint32_t pid;            /* the process; 0: only the kernel's addresses have names */
	const char *comm;        /* its name then; NULL: "[unknown]" */
	const uint64_t *user;    /* innermost first, all but that return addresses */
	size_t user_count;
	const uint64_t *kernel;
	size_t kernel_count;
};

/* Copied. Errors: ENOMEM. */
int skep_stacks_add(struct skep_stacks *stacks, const struct skep_stack *stack, uint64_t count);

size_t skep_stacks_count(const struct skep_stacks *stacks); /* of samples, told one by one */

/* --- results: check text->failed --- */

/* "comm;outermost;...;innermost count" a line, sorted; the kernel's functions end in "_[k]". */
void skep_stacks_folded(struct skep_stacks *stacks, struct skep_text *text);
/* One SVG image: a box for each function, as wide as its share. title is plain text. */
void skep_stacks_flame(struct skep_stacks *stacks, const char *title, struct skep_text *text);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
