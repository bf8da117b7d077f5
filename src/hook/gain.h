/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gain.h - whether running a program gives a process rights it has not.
 *
 * The kernel takes such rights away from a program that is traced as it begins,
 * so that a command that needs them would fail; it must be left alone.
 *
 * Threads: any.
 */
#ifndef HOOK_GAIN_H
#define HOOK_GAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* path: as this process can open it. Follows a script to its interpreter. */
bool program_gains(const char *path, pid_t pid);

/* Where this process finds what pid names (dirfd as in execveat). -ENAMETOOLONG. */
int program_path(char *out, size_t size, pid_t pid, int dirfd, const char *path);
/* Where execvp() finds file. 0 or -ENOENT. */
int program_search(char *out, size_t size, const char *file);

#endif
