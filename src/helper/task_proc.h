/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * task_proc.h - what /proc says of threads, read without a libc. [runtime]
 *
 * Threads: any. Async-signal-safe.
 */
#ifndef HELPER_TASK_PROC_H
#define HELPER_TASK_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct own_cred;

/* A number as text, with a NUL; its digits. */
size_t task_decimal(char *to, uint32_t number);
enum { TASK_PATH = 48 };
/* A file of /proc that tells of a thread; 0: of the calling one. */
void task_path(char path[TASK_PATH], uint32_t tid, const char *name);
/* A number in a file of /proc; none if it cannot be read. */
int64_t task_number(const char *path, int64_t none);
/* The beginning of a file of /proc as text; how long that is. */
size_t task_text(const char *path, char *text, size_t size);
/* Of the text of a status file: the thread's name. */
void task_read_name(const char *status, char comm[16]);
/* Real, effective, saved and file system ids, and capabilities. */
void task_read_cred(const char *status, struct own_cred *cred);
/* "\nSigBlk:\t0000000000010000": the number; 0 if there is no such line. */
uint64_t task_mask(const char *text, const char *line);
/* "\nThreads:\t5": the n-th number of a line; none if there is no such line. */
uint32_t task_line(const char *text, const char *line, unsigned n, uint32_t none);
/* What a thread does, by the text of /proc/PID/stat: 'R', 'S', 'Z' ... */
char task_state(const char *stat);
/* Reads fields of such a file, counted from 1, those behind the name. False: none. */
bool task_stat(const char *path, const uint8_t *fields, uint64_t *values, unsigned count);
/* The number of a file, as of a namespace; 0: it is not there. */
uint32_t task_inode(const char *path);

#endif
