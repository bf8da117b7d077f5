/* SPDX-License-Identifier: BSD-2-Clause */
/* cgroup.h - the current task's cgroup of the unified hierarchy. [runtime] */
#ifndef HELPER_CGROUP_H
#define HELPER_CGROUP_H

#include <stddef.h>
#include <stdint.h>

/* Its id and its own name ("" for the root); returns its level, which is the root's where it
 * cannot be seen. */
int32_t cgroup_describe(uint64_t *id, char *name, size_t size);

#endif
