/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task.h - the machine's own struct task_struct and struct cred. [runtime]
 *
 * A program that asks for the current task gets the address of a record of the
 * machine, which says about the thread what system calls and /proc say. The
 * machine's types (src/object/types.c) describe these records, and CO-RE moves
 * the program's accesses to where the fields are here. There is no field that
 * is not filled in.
 *
 * A thread keeps its record while it lives, so that the address may stand for
 * the thread, as programs like it for keys.
 */
#ifndef HELPER_TASK_H
#define HELPER_TASK_H

#include <stdint.h>

struct own_cred {
	uint32_t uid, gid, suid, sgid, euid, egid;
};

struct own_task {
	int32_t pid, tgid;                   /* as Linux means them: thread and process */
	struct own_task *real_parent;        /* NULL above the last that is known */
	struct own_task *group_leader;
	const struct own_cred *real_cred, *cred;
	char comm[16];
};

/* Forebears that are shown: reading on from the last gives zeros. */
#define TASK_FOREBEARS 8

struct memory;
struct task_table;

/* In the arena; NULL when that is full. */
struct task_table *task_table_new(struct memory *memory);
/* The record of the calling thread, as things are now; NULL when more threads than
 * records are alive. Async-signal-safe. */
const struct own_task *task_current(struct task_table *table);

#endif
