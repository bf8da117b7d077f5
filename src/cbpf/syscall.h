/* SPDX-License-Identifier: BSD-2-Clause */
/* syscall.h (internal) - sets of system calls, and calls that are made through another one. */
#ifndef CBPF_SYSCALL_H
#define CBPF_SYSCALL_H

#include <skep/seccomp.h>

#define SYSCALLS_MAX 512u /* rows that a set has room for */

/* A bit per row of syscall.def. */
struct syscall_set {
	uint64_t bits[SYSCALLS_MAX / 64];
};

/* The row's number; negative: there is no such name. */
int syscall_row(const char *name);
/* NULL past the last one. */
const char *syscall_row_name(int row);

/* All calls of a group and of the groups in it. False: there is no such group. */
bool syscall_set_add_group(struct syscall_set *set, const char *group);
void syscall_set_add(struct syscall_set *set, int row);
bool syscall_set_has(const struct syscall_set *set, int row);

/*
 * The call by which x86 makes this one as well: socketcall or ipc, with what number in
 * its first argument. NULL: there is none.
 */
const char *syscall_multiplexer(const char *name, struct skep_seccomp_test *test);

#endif
