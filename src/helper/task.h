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
	int32_t exit_code;                   /* 0 until it ends */
	char comm[16];
};

/* What tracepoints pass besides tasks. */
struct own_binprm {
	const char *filename;
	int32_t argc, envc;
};

struct own_siginfo {
	int32_t si_signo, si_errno, si_code;
};

/* Forebears that are shown: reading on from the last gives zeros. */
#define TASK_FOREBEARS 8

struct memory;
struct task_table;

/*
 * What is known of a thread without asking the kernel. Who keeps the thread's
 * record keeps this in it, sets tid and pid whenever they change, and clears
 * known after fork, exec and calls that change what is here (board_changes_task()
 * knows them). A name that another thread writes to /proc is not noticed.
 */
enum { TASK_KNOWS_COMM = 1, TASK_KNOWS_IDS = 2, TASK_KNOWS_RECORD = 4 };

struct task_facts {
	uint32_t tid, pid;
	uint32_t known;          /* enum TASK_KNOWS_* */
	uint32_t uid, gid;
	char comm[16];
};

/* A record and what it points to. */
struct task_entry {
	struct own_task task;
	struct own_cred cred;
};

/* In the arena; NULL when that is full. */
struct task_table *task_table_new(struct memory *memory);
/* The record of the calling thread, as things are now; NULL when more threads than
 * records are alive. facts may be NULL. Async-signal-safe. */
struct own_task *task_current(struct task_table *table, struct task_facts *facts);
/* The same, and says how the thread ends. */
struct own_task *task_exiting(struct task_table *table, struct task_facts *facts, int32_t code);
/* Any process or thread, as /proc tells; without forebears. */
void task_describe(struct task_entry *entry, uint32_t pid);

/* Of the calling thread; facts may be NULL. */
uint32_t task_tid(const struct task_facts *facts);
uint32_t task_pid(const struct task_facts *facts);
const char *task_comm(struct task_facts *facts, char buffer[16]);
uint64_t task_ids(struct task_facts *facts); /* gid << 32 | uid */

#endif
