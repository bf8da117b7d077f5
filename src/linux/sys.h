/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sys.h - the running kernel's bpf(2), as it is asked here: what a command takes
 * is a struct of its own, laid out as that part of union bpf_attr.
 *
 * Each call returns what the kernel does, or a negative errno.
 */
#ifndef LINUX_SYS_H
#define LINUX_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <skep/diag.h>
#include <skep/insn.h>

struct sys_map {
	uint32_t type, key_size, value_size, max_entries, flags, inner_fd, numa_node;
	char name[16];
	uint32_t ifindex, btf_fd, key_type, value_type, vmlinux_value_type;
	uint64_t extra;
};

struct sys_elem {
	uint32_t fd, pad;
	uint64_t key, value, flags; /* value: next key */
};

struct sys_prog {
	uint32_t type, insn_count;
	uint64_t insns, license;
	uint32_t log_level, log_size;
	uint64_t log;
	uint32_t kern_version, flags;
	char name[16];
	uint32_t ifindex, attach, btf_fd, func_size;
	uint64_t funcs;
	uint32_t func_count, line_size;
	uint64_t lines;
	uint32_t line_count, attach_btf_id, attach_fd, core_count;
};

struct sys_btf {
	uint64_t bytes, log;
	uint32_t size, log_size, log_level;
};

struct sys_raw_tracepoint {
	uint64_t name;
	uint32_t fd;
};

struct sys_multi {               /* BPF_LINK_CREATE for uprobe.multi */
	uint32_t prog, target, attach, flags;
	uint64_t path, offsets, ref_counters, cookies;
	uint32_t count, probe_flags, pid;
};

struct sys_kprobe_multi {        /* the same for kprobe.multi */
	uint32_t prog, target, attach, flags;
	uint32_t probe_flags, count;
	uint64_t symbols, addresses, cookies;
};

struct sys_test_run {
	uint32_t fd, retval, size_in, size_out;
	uint64_t in, out;
	uint32_t repeat, duration, ctx_size_in, ctx_size_out;
	uint64_t ctx_in, ctx_out;
	uint32_t flags, cpu, batch;
};

long sys_bpf(int command, void *attr, size_t size);

struct perf_event_attr;
long sys_perf_event_open(struct perf_event_attr *attr, int pid, int cpu, int group,
			 unsigned long flags);

/* The machine's CPUs: how many a per-CPU map has values for; 1 if it cannot be told. */
unsigned sys_possible_cpus(void);
/* Is it running? Beyond the last CPU, no. */
bool sys_cpu_online(unsigned cpu);

/* A number in a file of one line; negative errno. at: a directory, or AT_FDCWD. */
int64_t sys_read_number(int at, const char *path);

/* Report that the kernel does not let us: what ("load programs") and what is missing. */
int sys_denied(int error, const char *what, const struct skep_where *where,
	       struct skep_diag *diag);

/* --- tracefs (tracefs.c) --- */

/*
 * Open a file of tracefs, where it is mounted or, with the right, without any mount.
 * A descriptor or a negative errno; ENODEV: there is none to be had.
 */
int tracefs_open(const char *path, int flags);

#endif
