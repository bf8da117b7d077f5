/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scan_cache.h - what was learnt of files' code, kept from one run to the next. Control plane.
 *
 * To scan libc takes longer than all else that starts a command, and files hardly ever
 * change. What targets need of a file is kept in $XDG_CACHE_HOME/skep (else
 * ~/.cache/skep), one file each, by what identifies it. A kept file counts only if it is
 * whole, is the user's own, writable by nobody else, and was made by this very build.
 * Where nothing can be kept, files are scanned each time: the cache never fails.
 *
 * Threads: any.
 */
#ifndef HOOK_SCAN_CACHE_H
#define HOOK_SCAN_CACHE_H

#include "hook/probe.h"

/* What is kept: patches, then unwinds. */
struct kept_file {
	struct patch_file file;  /* its pointers lead into bytes; next and probes are NULL */
	void *bytes;             /* to be freed */
};

/* Whether it was kept. */
bool scan_cache_read(const struct file_id *id, struct kept_file *kept);
void scan_cache_write(const struct patch_file *file);

#endif
