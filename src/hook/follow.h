/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * follow.h - the supervisor's side of a machine's targets.
 *
 * A follower starts commands with the agent in them, brings it into running
 * processes, and has a thread that answers what agents ask: above all to be
 * there when a process replaces its program, which ends the agent in it.
 *
 * Threads: any, except follower_new() and follower_free().
 */
#ifndef HOOK_FOLLOW_H
#define HOOK_FOLLOW_H

#include <stdbool.h>
#include <sys/types.h>

struct follower;
struct memory;
struct process;
struct spaces;
struct targets;

/*
 * arena_file: the descriptor of the arena's file, borrowed; targets open it as
 * /proc/PID/fd/N. NULL with *error: -EBUSY (another process serves this machine's
 * targets), -ENOMEM, -EAGAIN (no thread).
 */
struct follower *follower_new(struct memory *memory, struct targets *targets, int arena_file,
			      int *error);
/* Targets keep their agents, and go on with nobody to ask. NULL is accepted. */
void follower_free(struct follower *follower);

/*
 * Who reads the code of files: called for a process before the agent is brought into it (fd -1:
 * all it has mapped), and when it maps another (fd: of its thread tid). 0 or a negative errno.
 */
typedef int follower_scan_fn(void *arg, pid_t tid, int fd);
void follower_scans(struct follower *follower, follower_scan_fn *scan, void *arg);

/*
 * Starts a command with the agent in it; it runs when this returns, and is this
 * process's child to wait for. A command that cannot be followed runs all the same;
 * its record says why. Negative: it did not start; what execvp said.
 */
pid_t follower_spawn(struct follower *follower, char *const argv[]);
/*
 * Brings the agent into every thread of a running process. One that it has of a supervisor
 * that died is taken over if it is of this machine, else taken out first. Negative, with
 * *whynot of its record: it is not followed, and goes on unchanged. -EALREADY: this
 * follower follows it.
 */
int follower_attach(struct follower *follower, pid_t pid);
/* Takes it out again. -ESRCH: no such target; -ETIMEDOUT: a thread did not leave it. */
int follower_detach(struct follower *follower, pid_t pid);

struct spaces *follower_spaces(struct follower *follower);
struct targets *follower_targets(struct follower *follower);

#endif
