/* SPDX-License-Identifier: BSD-2-Clause */
/* random_explain.c - see random_explain.h. */
#include "random_explain.h"

#include <stdio.h>
#include <string.h>

#include "../random/reduce.h"
#include "base/base.h"
#include "random_kernel.h"

struct wanted {
	struct lab *lab;
	bool ask;
	enum verdict verdict;
	char text[240];
};

static bool shows(const struct random_program *program, void *arg)
{
	const struct wanted *wanted = arg;
	struct judgement j;

	random_judge(wanted->lab, program, wanted->ask, 0, &j);
	random_generalise(j.text);
	return j.verdict == wanted->verdict &&
	       (wanted->verdict == UNSAFE || wanted->verdict == CLAIM ||
		strncmp(j.text, wanted->text, sizeof(wanted->text) - 1) == 0);
}

void random_smallest(struct lab *lab, bool ask, struct random_program *program,
		     const struct judgement *like)
{
	struct wanted wanted = { .lab = lab, .ask = ask, .verdict = like->verdict };
	char text[sizeof(like->text)];

	memcpy(text, like->text, sizeof(text));
	random_generalise(text);
	snprintf(wanted.text, sizeof(wanted.text), "%.*s", (int)sizeof(wanted.text) - 1, text);
	random_reduce(program, shows, &wanted);
}

static bool tests_bits(const struct random_program *program)
{
	for (uint32_t i = 0; i < program->len; i++) {
		unsigned class = program->insns[i].code & 7;

		if ((class == 5 || class == 6) && program->insns[i].code >> 4 == 4)
			return true;
		i += skep_insn_slots(program->insns[i]) - 1;
	}
	return false;
}

/*
 * "if r & mask" that is not taken rules out every number with one of the bits. Skep holds
 * that against the number's range; Linux, up to 7.3, keeps the two apart and so follows
 * ways, or keeps numbers, that cannot be. It is the reason where the smallest program that
 * shows the difference still has such a test.
 */
static bool by_bits(struct lab *lab, const struct random_program *program,
		    const struct judgement *j)
{
	static struct random_program small;

	if (!tests_bits(program))
		return false;
	small = *program;
	random_smallest(lab, true, &small, j);
	return tests_bits(&small);
}

/*
 * Of a number whose sign is extended Linux, up to 7.3, forgets the low bits unless it knows
 * all. Shifted up and down again it keeps them. So the same program written so is asked
 * about: if it is accepted, the kernel itself has found safe what the program does.
 */
static bool by_signs(const struct random_program *program)
{
	static struct random_program same;

	same = *program;
	return random_spell_out(&same) && kernel_verdict(&same, 0) == 0;
}

void random_explain(struct lab *lab, const struct random_program *program, struct judgement *j)
{
	if (j->verdict != LOOSE)
		return;
	if (by_signs(program))
		j->why = "the kernel accepts the same program with sign extensions as shifts";
	else if (by_bits(lab, program, j))
		j->why = "a test of bits and a range together rule out what the kernel keeps";
	else
		return;
	j->verdict = EXPLAINED;
}
