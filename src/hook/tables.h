/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tables.h - how stacks are walked in files' code: made once, kept while of use. Control plane.
 *
 * The tables lie in the arena, for targets to read. A target is given those of what it has
 * mapped, and holds them until it is given others, or has ended; what a killed supervisor
 * gave is held until all targets of its time have ended. Of what nobody holds so much
 * is kept as spares the making of it for the next process of the same program.
 *
 * Threads: caller locks; one supervisor at a time.
 */
#ifndef HOOK_TABLES_H
#define HOOK_TABLES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct file_id;
struct memory;
struct tables;
struct targets;
struct unwind_file;

/* Bytes of tables that are kept though nobody holds them. */
enum { TABLES_IDLE = 8 << 20 };

/* NULL when out of memory. */
struct tables *tables_new(struct memory *memory, struct targets *targets);
/* What is in the arena stays there. */
void tables_free(struct tables *tables); /* accepts NULL */

/* Before a target's files are looked up: these stay until tables_give(). */
void tables_begin(struct tables *tables);
/* Of the file at path, which has this id; NULL when the arena is full. */
struct unwind_file *tables_file(struct tables *tables, const char *path, const struct file_id *id);
/* All that the process has from now on, when its walks have turned from what it had last;
 * entries may be NULL. 0 or -ENOMEM: it holds what it held, and must not be given these. */
int tables_give(struct tables *tables, pid_t pid, struct unwind_file *const *files, size_t count);
/* The process has nothing of what it was given any more. */
void tables_take_back(struct tables *tables, pid_t pid);
/* Frees what nobody holds, longest unused first, but for so many bytes. */
void tables_collect(struct tables *tables, size_t idle);

#endif
