/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_choose.c - of the filters that a policy may become, the one to take: that of the
 * fewest steps among those that are no larger than asking for each number would be.
 *
 * Only loads of the call, jumps, masks and returns are emitted: Linux remembers which calls such
 * filters allow whatever their arguments are, and then does not run them at all.
 */
#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>

#include "base/base.h"
#include "cbpf/seccomp_compile.h"

#define NUMBERS 512u
#define MANY 1500u /* instructions from which on one filter is made, not a choice */

struct candidate {
	struct skep_cbpf_insn *insns; /* owned */
	size_t count;
	uint64_t steps;
};

static void drop(struct candidate *candidate)
{
	free(candidate->insns);
	*candidate = (struct candidate){ 0 };
}

/* Instructions that a call with arguments of 0 takes; the filters have no others. */
static uint64_t steps_of(const struct candidate *candidate, uint32_t audit, uint32_t nr)
{
	uint64_t steps = 0;
	uint32_t a = 0;

	for (size_t pc = 0; pc < candidate->count; pc++) {
		const struct skep_cbpf_insn *insn = &candidate->insns[pc];

		steps++;
		switch (insn->code) {
		case BPF_LD | BPF_W | BPF_ABS: a = insn->k == 0 ? nr : insn->k == 4 ? audit : 0; break;
		case BPF_ALU | BPF_AND | BPF_K: a &= insn->k; break;
		case BPF_JMP | BPF_JA: pc += insn->k; break;
		case BPF_JMP | BPF_JEQ | BPF_K: pc += a == insn->k ? insn->jt : insn->jf; break;
		case BPF_JMP | BPF_JGT | BPF_K: pc += a > insn->k ? insn->jt : insn->jf; break;
		case BPF_JMP | BPF_JGE | BPF_K: pc += a >= insn->k ? insn->jt : insn->jf; break;
		case BPF_JMP | BPF_JSET | BPF_K: pc += a & insn->k ? insn->jt : insn->jf; break;
		default: return steps;
		}
	}
	return steps;
}

static void count_steps(const struct skep_seccomp *policy, struct candidate *candidate)
{
	for (int arch = 0; arch < SKEP_ARCH_COUNT; arch++) {
		uint32_t bit = arch == SKEP_ARCH_X32 ? SKEP_X32_BIT : 0;

		/* x32's numbers reach a filter for x86_64 as well, and the other way round */
		if (!skep_seccomp_has_arch(policy, (enum skep_seccomp_arch)arch) && arch != SKEP_ARCH_X32)
			continue;
		for (uint32_t nr = 0; nr < NUMBERS; nr++)
			candidate->steps += steps_of(candidate, skep_arch_audit((enum skep_seccomp_arch)arch), nr | bit);
	}
}

/* Takes the better one, and drops the other. */
static void choose(struct candidate *best, struct candidate *other, size_t limit)
{
	bool fits = other->count <= limit, best_fits = best->insns && best->count <= limit, better;

	better = !best->insns || (fits && !best_fits) || (fits && other->steps < best->steps) ||
		 (fits && other->steps == best->steps && other->count < best->count) ||
		 (!fits && !best_fits && other->count < best->count);
	if (better) {
		drop(best);
		*best = *other;
		*other = (struct candidate){ 0 };
	}
	drop(other);
}

/* A filter, and what the optimiser makes of it. */
static int try_way(const struct skep_seccomp *policy, const struct seccomp_way *way, const char *name,
		   struct candidate *best, size_t limit, struct skep_diag *diag)
{
	struct candidate plain = { 0 }, better = { 0 };
	int error;

	if (!seccomp_emit(policy, way, &plain.insns, &plain.count))
		return skep_report(diag, SKEP_OOM, NULL, "compiling the policy '%s'", name);
	error = skep_cbpf_optimise(plain.insns, plain.count, SKEP_CBPF_SECCOMP, name, &better.insns,
				   &better.count, diag);
	if (error < 0) {
		drop(&plain);
		return error;
	}
	count_steps(policy, &plain);
	count_steps(policy, &better);
	choose(best, &plain, limit);
	choose(best, &better, limit);
	return 0;
}

int skep_seccomp_compile(const struct skep_seccomp *policy, const char *name,
			 struct skep_cbpf_insn **insns, size_t *count, struct skep_diag *diag)
{
	static const unsigned limits[] = { 100, 110, 125, 150, 200, 400 };
	const struct seccomp_way each = { .each = true };
	const unsigned both = 1u << SKEP_ARCH_X86_64 | 1u << SKEP_ARCH_X32;
	struct candidate single = { 0 }, best = { 0 };
	bool shared = (policy->archs & both) == both;
	int error = 0;

	if (!policy->archs)
		return skep_report(diag, SKEP_ARG, NULL, "the policy '%s' is for no architecture", name);
	if (!seccomp_emit(policy, &each, &single.insns, &single.count))
		return skep_report(diag, SKEP_OOM, NULL, "compiling the policy '%s'", name);
	for (size_t i = 0; i < ARRAY_SIZE(limits) * 2 && error == 0; i++) {
		struct seccomp_way way = { .limit = limits[i / 2], .shared = i % 2 };

		if ((way.shared && !shared) || (single.count > MANY && i > 1))
			continue;
		/* of a large one, a little smaller than that */
		error = try_way(policy, &way, name, &best, single.count - single.count / 64, diag);
	}
	if (error == 0) {
		*insns = best.insns;
		*count = best.count;
	} else {
		drop(&best);
	}
	drop(&single);
	return error;
}
