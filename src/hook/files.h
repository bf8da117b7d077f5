/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * files.h - writes into the arena how a file's code is patched (probe.h). Control plane.
 *
 * Threads: the machine's lock is held; for files_probe() and files_changed() the board's too
 * (board_lock()).
 */
#ifndef HOOK_FILES_H
#define HOOK_FILES_H

#include <sys/types.h>

#include "hook/probe.h"
#include "hook/scan.h"
#include "machine/machine.h"

/* A file as the control plane knows it. Kept until the machine is freed. */
struct scanned_file {
	struct binary *binary;
	struct scan *scan;
	struct patch_file *file;    /* in the arena */
	VEC(struct probe *) probes; /* by address */
};

/* Scans it, or finds it scanned. path may be one of /proc; NULL on failure. */
struct scanned_file *files_scan(struct skep_machine *machine, const char *path,
				struct skep_diag *diag);
/* The probe at an address of the file, made if there is none. semaphore: or 0. */
struct probe *files_probe(struct skep_machine *machine, struct scanned_file *scanned,
			  uint64_t address, uint64_t semaphore, struct skep_diag *diag);
/* Targets look at the probes again. returns: how many more (or less) watch returns. */
void files_changed(struct skep_machine *machine, int returns);

/* Scans what a process has mapped to execute. What cannot be read, or is large, is left out. */
void files_scan_process(struct skep_machine *machine, pid_t pid);
/* Scans the file of a thread's descriptor; 0 or a negative errno: EFBIG if it is large. */
int files_scan_open(struct skep_machine *machine, pid_t tid, int fd);

int file_identify(int fd, struct file_id *id);

#endif
