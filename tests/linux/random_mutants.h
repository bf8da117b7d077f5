/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * random_mutants.h - real programs, a little changed.
 *
 * Of each object the programs are used that Skep and the kernel both accept
 * without the object's types: what needs those (global functions, locks in map
 * values, attach targets) is left to made programs.
 */
#ifndef TESTS_LINUX_RANDOM_MUTANTS_H
#define TESTS_LINUX_RANDOM_MUTANTS_H

#include "../random/lab.h"

struct mutants;

/* NULL: no program of the objects can be used. ask: the kernel, too. */
struct mutants *mutants_open(struct lab *lab, bool ask, char **paths, int count);
void mutants_make(struct mutants *mutants, struct random_program *out, uint64_t seed);

#endif
