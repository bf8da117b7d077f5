/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spaces.h - what targets have mapped to execute: for walks up their stacks, and for the
 * names of what is met there. Control plane.
 *
 * A target asks when a program first wants its stack, and again after it has mapped
 * more. Files' tables (tables.h) lie in the arena.
 *
 * Threads: any.
 */
#ifndef HOOK_SPACES_H
#define HOOK_SPACES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct memory;
struct skep_stacks;
struct spaces;
struct targets;

/* NULL when out of memory. */
struct spaces *spaces_new(struct memory *memory, struct targets *targets);
void spaces_free(struct spaces *spaces); /* accepts NULL */

/*
 * Writes a process's modules (struct unwind_module, by address) to its memory at `to`, if
 * there are no more than room. fresh: it is another program, or process, than when it asked
 * last. How many there are, or a negative errno.
 */
int64_t spaces_read(struct spaces *spaces, pid_t pid, uint64_t to, uint64_t room, bool fresh);

/* Its memory, and with it what it asked for, has been replaced. */
void spaces_forget(struct spaces *spaces, pid_t pid);

/* Tells all that was read to those who look for names. Errors: ENOMEM. */
int spaces_tell(struct spaces *spaces, struct skep_stacks *stacks);

#endif
