/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * place.h - where named machines are: a directory of files each.
 *
 *   $XDG_RUNTIME_DIR/skep/NAME/arena      where that directory is there, else
 *   /dev/shm/skep-UID/NAME/arena
 *
 * Both are memory. Every directory on the way that is ours must be this user's,
 * closed to others and no symbolic link: whoever can write an arena can write the
 * memory of every process in it. Nothing is followed and nothing is repaired.
 */
#ifndef MACHINE_PLACE_H
#define MACHINE_PLACE_H

#include <skep/machine.h>

/* A directory being made: invisible until place_commit(). */
struct machine_place {
	int base;        /* descriptor of the directory of machines; -1: none */
	int dir;         /* of this machine's */
	char temporary[40];
	char path[4096]; /* of the machine's directory, for messages */
};

/* All return negative errno with the reason in diag. place_done() accepts any state. */
int place_create(struct machine_place *place, const char *name, struct skep_diag *diag);
int place_commit(struct machine_place *place, const char *name, struct skep_diag *diag);
int place_open(struct machine_place *place, const char *name, struct skep_diag *diag);
/* A descriptor of the arena in place->dir, if it is a file of ours. */
int place_arena(const struct machine_place *place, const char *name, struct skep_diag *diag);
/* Closes it; what was not committed is taken away. */
void place_done(struct machine_place *place);
/* Takes the machine's files and its directory away. */
int place_remove(struct machine_place *place, const char *name, struct skep_diag *diag);

#endif
