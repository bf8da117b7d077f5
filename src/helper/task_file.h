/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task_file.h - an open file as programs see it: its inode, and its path as a chain of names. [runtime]
 *
 * Threads: any; caller locks the file.
 */
#ifndef HELPER_TASK_FILE_H
#define HELPER_TASK_FILE_H

#include <sys/stat.h>

#include "helper/task.h"

enum { TASK_FILE_NAMES = 24 }; /* of a path, counted from its end */

/* A file's page. The path's text is cut into names where it lies. */
struct task_file {
	struct own_file file;
	struct own_inode inode;
	struct own_super super;
	struct own_dentry names[TASK_FILE_NAMES];
	char text[4096 - 1600];
};

/* Zeroed so far. path: a link of /proc that leads to it. */
void task_file_fill(struct task_file *file, const char *path);
void task_file_inode(struct own_inode *inode, const struct stat *st, struct own_super *super);

#endif
