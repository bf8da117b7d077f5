/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * random_judge.h - one random program: what Skep and the running kernel say of
 * it, what it did when it ran, and whether that is as it should be.
 */
#ifndef TESTS_LINUX_RANDOM_JUDGE_H
#define TESTS_LINUX_RANDOM_JUDGE_H

#include "../random/lab.h"

enum verdict {
	BOTH_ACCEPT, BOTH_REJECT,
	LIMIT,                   /* one of them ran out of memory or patience */
	EXPLAINED,               /* a difference that explanations[] names */
	STRICT,                  /* only Skep rejects it */
	LOOSE,                   /* only the kernel rejects it */
	UNSAFE,                  /* accepted, and it touched what is not its own */
	CLAIM,                   /* accepted, and something was not as the verifier said */
	VERDICTS,
};

struct judgement {
	enum verdict verdict;
	int skep, kernel;        /* 0 or negative errno */
	uint32_t runs, done;
	uint32_t processed;      /* instructions verified */
	bool recorded;           /* its runs could be held against the verifier's claims */
	const char *why;         /* EXPLAINED */
	char text[400];          /* the message, or what was found */
};

/* log_level: of what is printed; 0: nothing. ask: the kernel, too. */
void random_judge(struct lab *lab, const struct random_program *program, bool ask,
		  unsigned log_level, struct judgement *judgement);
/* Numbers left out, so that messages of one kind are the same text. */
void random_generalise(char *text);

#endif
