/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * older.h - what kernels before the one Skep follows judge otherwise, one by
 * one: how to find out whether the running one does, and how to make programs
 * that do without.
 */
#ifndef RANDOM_OLDER_H
#define RANDOM_OLDER_H

#include "program.h"

enum older {
	OLDER_DIVISION,          /* ranges of quotients and remainders */
	OLDER_SAME_REGISTER,     /* a register compared with itself */
	OLDER_BACKWARDS,         /* a pointer with a constant in front, then moved back */
	OLDER_FIELDS,            /* reserved fields of instructions that are never reached */
	OLDER_NULL_REGISTER,     /* a pointer compared with a register that is 0 */
	OLDER_COUNT,
};

struct older_row {
	const char *why;
	struct skep_insn probe[16]; /* a socket filter that newer kernels accept */
	uint32_t len;
	bool rejects;            /* newer kernels reject it */
};

extern const struct older_row older_rows[OLDER_COUNT];
/* Which of them the kernel to compare with has, that is: judges as older ones do. */
extern bool older[OLDER_COUNT];

/* Rewrites what older[] says would be judged otherwise. */
void older_avoid(struct random_program *program);

#endif
