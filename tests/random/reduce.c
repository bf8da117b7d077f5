/* SPDX-License-Identifier: BSD-2-Clause */
/* reduce.c - the smallest program that still shows what a larger one did. */
#include <string.h>

#include "reduce.h"

static struct random_program trial;

static bool keeps(const struct random_program *program, random_shows *shows, void *arg)
{
	return program->len > 0 && shows(program, arg);
}

/* Leaves out ever shorter stretches. */
static bool drop_some(struct random_program *best, random_shows *shows, void *arg)
{
	bool smaller = false;

	for (uint32_t size = best->len / 2; size; size /= 2) {
		for (uint32_t at = 0; at + size <= best->len;) {
			trial = *best;
			if (random_drop(&trial, at, size) && keeps(&trial, shows, arg)) {
				*best = trial;
				smaller = true;
			} else {
				at++;
			}
		}
	}
	return smaller;
}

/* A load of a map or number, two slots long. */
static bool drop_wide(struct random_program *best, random_shows *shows, void *arg)
{
	bool smaller = false;

	for (uint32_t at = 0; at + 1 < best->len; at++) {
		if (best->insns[at].code != 0x18)
			continue;
		trial = *best;
		if (random_drop(&trial, at, 2) && keeps(&trial, shows, arg)) {
			*best = trial;
			smaller = true;
		}
	}
	return smaller;
}

static bool try_insn(struct random_program *best, uint32_t at, struct skep_insn insn,
		     random_shows *shows, void *arg)
{
	if (memcmp(&best->insns[at], &insn, sizeof(insn)) == 0)
		return false;
	trial = *best;
	trial.insns[at] = insn;
	if (!keeps(&trial, shows, arg))
		return false;
	*best = trial;
	return true;
}

/* Numbers become zero or smaller, branches straight lines. */
static bool simplify(struct random_program *best, random_shows *shows, void *arg)
{
	bool simpler = false;

	for (uint32_t at = 0; at < best->len; at++) {
		struct skep_insn insn = best->insns[at];
		unsigned class = insn.code & 7, op = insn.code >> 4;
		struct skep_insn always = { .code = 0x05, .off = insn.off };

		if (insn.code == 0x18) {
			at++;
			continue;
		}
		if ((class == 5 || class == 6) && op >= 1 && op <= 13 && op != 8 && op != 9)
			simpler |= try_insn(best, at, always, shows, arg);
		for (int32_t imm = best->insns[at].imm; imm && insn.code != 0x85; imm /= 2) {
			insn = best->insns[at];
			insn.imm = imm / 2;
			simpler |= try_insn(best, at, insn, shows, arg);
		}
	}
	return simpler;
}

void random_reduce(struct random_program *program, random_shows *shows, void *arg)
{
	static struct random_program best;
	bool more = true;

	best = *program;
	for (int round = 0; more && round < 12; round++) {
		more = drop_some(&best, shows, arg);
		more |= drop_wide(&best, shows, arg);
		more |= simplify(&best, shows, arg);
	}
	best.flags = 0;
	if (!keeps(&best, shows, arg))
		best.flags = program->flags;
	*program = best;
}
