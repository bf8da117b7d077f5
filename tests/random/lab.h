/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lab.h - running random programs: maps, packets and contexts with contents at
 * which bugs live, and the checking interpreter (tests/fuzz/check.h).
 */
#ifndef RANDOM_LAB_H
#define RANDOM_LAB_H

#include "../fuzz/check.h"
#include "program.h"

struct lab;

struct lab *lab_new(void);
/* Makes the world's maps. False: it has some that cannot be made; nothing runs. */
bool lab_world(struct lab *lab, struct random_world *world);

enum { LAB_RUNS = 4 };

struct lab_result {
	int error;               /* the verifier's */
	char message[256];
	uint32_t processed;      /* instructions verified */
	bool recorded;           /* its claims were checked */
	bool reached[RANDOM_SLOTS]; /* accepted: instructions that some path comes to */
	uint32_t runs, done;     /* runs that came to an end */
	struct checked checked;  /* of the run that found something, else of the last */
};

/* Judges the program and, where it is accepted, runs it with several inputs. */
void lab_judge(struct lab *lab, const struct random_program *program, unsigned log_level,
	       struct lab_result *result);

#endif
