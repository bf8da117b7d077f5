/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * random_explain.h - reasons for differences that take another look: at smaller
 * programs that show the same, or at others that mean the same.
 */
#ifndef TESTS_LINUX_RANDOM_EXPLAIN_H
#define TESTS_LINUX_RANDOM_EXPLAIN_H

#include "random_judge.h"

/* The smallest that is judged alike. */
void random_smallest(struct lab *lab, bool ask, struct random_program *program,
		     const struct judgement *like);
/* STRICT and LOOSE become EXPLAINED where there is a reason. */
void random_explain(struct lab *lab, const struct random_program *program, struct judgement *j);

#endif
