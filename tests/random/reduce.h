/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reduce.h - shrinking a program that shows something.
 */
#ifndef RANDOM_REDUCE_H
#define RANDOM_REDUCE_H

#include "program.h"

/* Does the program show what is looked for? */
typedef bool random_shows(const struct random_program *program, void *arg);

/* Makes it as small and plain as it gets while it shows the same. */
void random_reduce(struct random_program *program, random_shows *shows, void *arg);

#endif
