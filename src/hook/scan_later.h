/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan_later.h - large files are scanned in the background, while the targets that run them go on.
 *
 * A thread of its own, which gives way to all others, takes one file after the other, and hands
 * each scan to whoever wants it.
 *
 * Threads: any, but scan_later_free() once.
 */
#ifndef HOOK_SCAN_LATER_H
#define HOOK_SCAN_LATER_H

#include "hook/probe.h"
#include "hook/scan.h"

struct scan_later;

/* A file has been scanned; both are freed when this returns. In the background's thread. */
typedef void scan_done_fn(void *arg, struct binary *binary, struct scan *scan,
			  const struct file_id *id);

/* NULL: no memory. */
struct scan_later *scan_later_new(scan_done_fn *done, void *arg);
/* Once for each file; a second time is the same. The path is opened now. */
void scan_later_add(struct scan_later *later, const char *path, const struct file_id *id);
/* How many are not done yet. */
size_t scan_later_left(struct scan_later *later);
/* Does not wait: what is under way is given up. done is not running, and is not called again. */
void scan_later_free(struct scan_later *later);

#endif
