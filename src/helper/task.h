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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct own_cred {
	uint32_t uid, gid, suid, sgid, euid, egid, fsuid, fsgid;
	uint64_t cap_inheritable, cap_permitted, cap_effective, cap_bset, cap_ambient;
};

/* --- what is made when a program first looks at it (task_parts.c) --- */

struct own_super {
	uint32_t s_dev;                      /* major << 20 | minor */
	uint64_t s_magic;
};

struct own_inode {
	struct own_super *i_sb;
	uint64_t i_ino;
	int64_t i_size;
	uint64_t i_blocks;                   /* of 512 bytes */
	uint32_t i_nlink, i_rdev, i_uid, i_gid;
	uint16_t i_mode;
	uint8_t i_blkbits;
};

struct own_name {
	uint32_t len;
	const unsigned char *name;
};

/* The whole path is one chain of names: mount points do not interrupt it. */
struct own_dentry {
	struct own_dentry *d_parent;         /* its own address at the root */
	struct own_inode *d_inode;           /* of the last name; NULL for those above */
	struct own_super *d_sb;              /* the same */
	struct own_name d_name;
};

struct own_path {
	struct own_dentry *dentry;
};

struct own_file {
	struct own_path f_path;
	struct own_inode *f_inode;
	int64_t f_pos;
	uint32_t f_flags, f_mode;
	struct own_socket *private_data;     /* helper/socket.h; NULL for what is no socket */
};

struct own_fdtable {
	struct own_file **fd;
	uint32_t max_fds;
};

struct own_files {
	struct own_fdtable *fdt;
};

struct own_fs {
	int32_t umask;
	struct own_path root, pwd;
};

struct own_mm {
	uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack;
	uint64_t arg_start, arg_end, env_start, env_end;
	uint64_t task_size;
	struct own_file *exe_file;
};

struct own_namespace {
	uint32_t inum;
};

struct own_nsproxy {
	struct own_namespace *uts_ns, *ipc_ns, *mnt_ns, *pid_ns_for_children, *net_ns, *time_ns,
		*cgroup_ns;
};

struct own_rlimit {
	uint64_t rlim_cur, rlim_max;
};

struct own_counter {
	int32_t counter;
};

struct own_signal {
	struct own_counter live;             /* threads that have not begun to end */
	int32_t nr_threads;
	int32_t group_exit_code;             /* 0 until the process ends */
	int16_t oom_score_adj;
	struct own_rlimit rlim[16];          /* by RLIMIT_* */
};

/* A thread's ids, from its outermost pid namespace that /proc knows. */
struct own_upid {
	int32_t nr;
	struct own_namespace *ns;            /* of the innermost */
};

#define PID_LEVELS 32

struct own_pid {
	uint32_t level;
	struct own_upid numbers[PID_LEVELS + 1];
};

struct own_kernfs_node {
	uint64_t id;
	const char *name;                    /* "" for the root */
};

struct own_cgroup {
	struct own_kernfs_node *kn;
	int32_t level;
};

struct own_css_set {
	struct own_cgroup *dfl_cgrp;         /* of the unified hierarchy */
};

/* --- a task --- */

struct own_task {
	int32_t pid, tgid;                   /* as Linux means them: thread and process */
	struct own_task *real_parent;        /* NULL above the last that is known */
	struct own_task *group_leader;
	const struct own_cred *real_cred, *cred;
	struct own_task *parent;             /* real_parent: who is traced is no target */
	/* Of the current task only; of others NULL or 0. */
	struct own_mm *mm;
	struct own_files *files;
	struct own_fs *fs;
	struct own_nsproxy *nsproxy;
	struct own_signal *signal;
	struct own_pid *thread_pid;
	struct own_css_set *cgroups;
	uint32_t flags, policy, rt_priority, loginuid, sessionid;
	int32_t prio, static_prio, normal_prio, exit_signal;
	/* In ns; of what began before it was followed in steps of the clock of /proc, 10 ms. */
	uint64_t start_time, start_boottime;
	int32_t exit_code;                   /* 0 until it ends */
	char comm[16];
};

/* What tracepoints pass besides tasks. */
struct own_binprm {
	const char *filename, *interp;       /* the same: scripts' interpreters are not told apart */
	int32_t argc, envc;
};

struct own_siginfo {
	int32_t si_signo, si_errno, si_code;
};

/* Forebears that are shown: reading on from the last gives zeros. */
#define TASK_FOREBEARS 8

struct memory;
struct task_table;
struct vcpu;

/*
 * What is known of a thread without asking the kernel. Who keeps the thread's
 * record keeps this in it, sets tid and pid whenever they change, and clears
 * known after fork, exec and calls that change what is here (board_changes_task()
 * knows them). A name that another thread writes to /proc is not noticed.
 */
enum { TASK_KNOWS_COMM = 1, TASK_KNOWS_IDS = 2, TASK_KNOWS_RECORD = 4 };

/* How a thread ends. */
struct task_end {
	int32_t code;            /* as in exit_code: exit(3) is 3 << 8, a signal its number */
	int32_t live;            /* threads of its process that end after it */
	bool whole;              /* the whole process does, by this */
	bool killed;             /* another thread, or a signal, ends it */
};

struct task_facts {
	uint32_t tid, pid;       /* as they are at the machine's home (map/owner.h) */
	uint32_t own_tid, own_pid; /* as the thread sees them; of use if it is abroad */
	bool abroad;             /* what /proc and ids say here is of another space than home */
	bool named;              /* abroad: tid and pid are known; else they are its own still */
	uint32_t known;          /* enum TASK_KNOWS_* */
	uint32_t uid, gid;
	char comm[16];
	uint64_t began_ns;       /* when it was seen to begin, by CLOCK_MONOTONIC; 0: unknown */
	uint64_t pointer;        /* its thread pointer; 0: the processor is asked */
	/* Not of the calling thread but of another of its process, which it tells of; pointer is
	 * that of the calling one. */
	bool another;
	const struct task_end *end; /* while that is told; or NULL */
};

/* A record and what it points to. */
struct task_entry {
	struct own_task task;
	struct own_cred cred;
};

/* What a thread does about signals: a bit for each, from 1. */
struct task_signals {
	uint64_t pending, pending_group, blocked, ignored, caught;
};

/* What is told of a process by who can see it. */
struct task_kin {
	uint32_t pid, ppid;
	struct own_cred cred;
	char comm[16];
	struct task_signals signals;
	bool tells_signals;
};

/* A process or thread as /proc tells here. False: there is none. */
bool task_kin_of(uint32_t pid, struct task_kin *kin);
/* A process's parent and those above it; how many. */
uint32_t task_kin_read(uint32_t pid, struct task_kin *kin, uint32_t count);

/* The parent of a thread's process and those above it, or the process itself. */
enum { TASK_KIN_FOREBEARS = 0, TASK_KIN_SELF = -1 };

/* Who is asked by threads that are abroad. */
struct task_outside {
	/* Of TASK_KIN_*, or of the process or thread that has this id where the thread is. How many
	 * there are. */
	uint32_t (*kin)(struct task_facts *facts, int64_t of, struct task_kin *kin, uint32_t count);
	/* Whether there is no such thread at home. */
	bool (*gone)(struct task_facts *facts, uint32_t tid);
};

extern const struct task_outside *task_outside; /* NULL: nobody */
/* The user namespace at home, whose ids programs see; 0: not known, or that of this process. */
extern uint64_t task_home_users;

/* In the arena; NULL when that is full. */
struct task_table *task_table_new(struct memory *memory, unsigned vcpus);
/* The thread has ended, or is about to: its record is free. Of no table, none is. */
void task_leave(struct task_table *table, const struct task_facts *facts);
/* The records of those that are gone are free. For who is at home. */
void task_table_tidy(struct task_table *table);
/*
 * The record of the calling thread, as things are now; NULL when more threads than
 * records are alive. facts may be NULL. What it points to besides tasks and cred is
 * good while the thread holds cpu. Async-signal-safe.
 */
struct own_task *task_current(struct task_table *table, struct task_facts *facts,
			      struct vcpu *cpu);
/* What a process or thread does about signals, by the id it has for the thread of facts. False: that
 * is not told. */
bool task_signals(struct task_signals *to, struct task_facts *facts, uint32_t id);
/* Any such; without forebears. For a thread abroad, 0 is the parent of its process. */
void task_describe(struct task_entry *entry, struct task_facts *facts, uint32_t pid);

/* The addresses that parts of tasks take, at most; they are taken now, not at the first look. */
uint64_t task_parts_size(unsigned vcpus);
void task_parts_reserve(unsigned vcpus);
/* No program runs in this process any more. */
void task_parts_done(void);
/* Points what the current task has besides numbers to where a look makes it. */
void task_parts_use(struct own_task *task, const struct task_facts *facts, struct vcpu *cpu,
		    unsigned vcpus, uint64_t machine);

/* Of the calling thread; facts may be NULL. */
uint32_t task_tid(const struct task_facts *facts);
uint32_t task_pid(const struct task_facts *facts);
/* As the thread itself sees them. */
static inline uint32_t task_own_tid(const struct task_facts *facts)
{
	return facts && facts->abroad ? facts->own_tid : task_tid(facts);
}

/* By which the calling thread asks the kernel of the one that facts are of; 0: of itself. */
static inline uint32_t task_asked(const struct task_facts *facts)
{
	return facts && facts->another ? task_own_tid(facts) : 0;
}

static inline uint32_t task_own_pid(const struct task_facts *facts)
{
	return facts && facts->abroad ? facts->own_pid : task_pid(facts);
}
const char *task_comm(struct task_facts *facts, char buffer[16]);
uint64_t task_ids(struct task_facts *facts); /* gid << 32 | uid */

#endif
