/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_emit.c - instructions from the last one to the first, and what is done to a call once its
 * number is known.
 *
 * Decisions are steps, each different one once, so that the ends that two of them have in common are
 * shared; they become instructions near to where the search first needs them.
 */
#include "cbpf/seccomp_emit.h"

#include <stdlib.h>

#define OFFSET_ARGS 16u
#define REACH 253u /* of 255: a goto for the other side may come between */

/* --- instructions, from the end --- */

static uint32_t emit(struct gen *gen, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (gen->count == gen->size) {
		uint32_t size = gen->size ? gen->size * 2 : 256;
		void *more = gen->size > 64 * SKEP_CBPF_MAX ? NULL :
			     realloc(gen->insns, size * sizeof(*gen->insns));

		if (!more) {
			gen->failed = true;
			return 0;
		}
		gen->insns = more;
		gen->size = size;
	}
	gen->insns[gen->count] = (struct skep_cbpf_insn){ code, jt, jf, k };
	return gen->count++;
}

static bool is_return(const struct gen *gen, uint32_t label)
{
	return gen->insns[label].code == (BPF_RET | BPF_K);
}

/* The label, or one near that leads there. */
static uint32_t within(struct gen *gen, uint32_t label, uint32_t reach)
{
	if (gen->failed || gen->count - label - 1 <= reach)
		return label;
	if (is_return(gen, label))
		return emit(gen, BPF_RET | BPF_K, 0, 0, gen->insns[label].k);
	return emit(gen, BPF_JMP | BPF_JA, 0, 0, gen->count - label - 1);
}

uint32_t emit_return(struct gen *gen, uint32_t action)
{
	for (uint32_t i = gen->count; i > 0 && gen->count - i < REACH; i--) {
		if (is_return(gen, i - 1) && gen->insns[i - 1].k == action)
			return i - 1;
	}
	return emit(gen, BPF_RET | BPF_K, 0, 0, action);
}

uint32_t emit_jump(struct gen *gen, uint16_t op, uint32_t k, uint32_t yes, uint32_t no)
{
	if (yes == no)
		return yes;
	for (uint32_t i = gen->count; i > 0 && gen->count - i < REACH && !gen->failed; i--) {
		const struct skep_cbpf_insn *insn = &gen->insns[i - 1];

		if (insn->code == (BPF_JMP | op | BPF_K) && insn->k == k && i - 2 - insn->jt == yes &&
		    i - 2 - insn->jf == no)
			return i - 1;
	}
	yes = within(gen, yes, REACH);
	no = within(gen, no, REACH);
	return emit(gen, (uint16_t)(BPF_JMP | op | BPF_K), (uint8_t)(gen->count - yes - 1),
		    (uint8_t)(gen->count - no - 1), k);
}

uint32_t emit_before(struct gen *gen, uint16_t code, uint32_t k, uint32_t next)
{
	for (uint32_t i = gen->count; i > 1 && gen->count - i < REACH && !gen->failed; i--) {
		if (gen->insns[i - 1].code == code && gen->insns[i - 1].k == k && i - 2 == next)
			return i - 1;
	}
	within(gen, next, 0);
	return emit(gen, code, 0, 0, k);
}

uint32_t emit_load(struct gen *gen, uint32_t offset, uint32_t next)
{
	return emit_before(gen, BPF_LD | BPF_W | BPF_ABS, offset, next);
}

/* --- decisions --- */

static bool same_step(const struct step *a, const struct step *b)
{
	return a->test == b->test && a->op == b->op && a->offset == b->offset && a->mask == b->mask &&
	       a->value == b->value && a->yes == b->yes && a->no == b->no;
}

/* The index of the step, which is a new one only if there is none like it. */
static uint32_t add_step(struct gen *gen, struct step step)
{
	const uint32_t key[] = { step.op, step.offset, step.mask, step.value, step.yes, step.no };
	uint32_t *first = &gen->hashed[hash_bytes(key, sizeof(key), 0) % ARRAY_SIZE(gen->hashed)];
	struct step *made;

	for (uint32_t i = *first; i != NOWHERE; i = gen->steps.items[i].chain) {
		if (same_step(&gen->steps.items[i], &step))
			return i;
	}
	made = vec_push(&gen->steps);
	if (!made) {
		gen->failed = true;
		return 0;
	}
	*made = step;
	made->label = made->body = NOWHERE;
	made->chain = *first;
	*first = (uint32_t)(gen->steps.count - 1);
	return *first;
}

static uint32_t add_return(struct gen *gen, uint32_t action)
{
	return add_step(gen, (struct step){ .value = action });
}

static uint32_t add_half(struct gen *gen, uint32_t offset, uint32_t mask, uint16_t op, uint32_t value,
			 uint32_t yes, uint32_t no)
{
	return yes == no ? yes : add_step(gen, (struct step){ .test = true, .op = op, .offset = offset,
							  .mask = mask, .value = value, .yes = yes, .no = no });
}

static uint32_t add_equal(struct gen *gen, const struct skep_seccomp_test *test, uint32_t yes, uint32_t no)
{
	uint32_t offset = OFFSET_ARGS + 8u * test->arg, high = (uint32_t)(test->mask >> 32);
	uint32_t low = (uint32_t)test->mask;

	if (test->value & ~test->mask)
		return no;
	if (low)
		yes = add_half(gen, offset, low, BPF_JEQ, (uint32_t)test->value, yes, no);
	if (high)
		yes = add_half(gen, offset + 4, high, BPF_JEQ, (uint32_t)(test->value >> 32), yes, no);
	return yes;
}

/* Above value, or also equal to it. */
static uint32_t add_above(struct gen *gen, const struct skep_seccomp_test *test, uint16_t op, uint32_t yes,
			  uint32_t no)
{
	uint32_t offset = OFFSET_ARGS + 8u * test->arg, value = (uint32_t)(test->value >> 32);
	uint32_t mask = (uint32_t)(test->mask >> 32), low, equal;

	if (!mask && value)
		return no;
	low = add_half(gen, offset, (uint32_t)test->mask, op, (uint32_t)test->value, yes, no);
	if (!mask)
		return low;
	equal = add_half(gen, offset + 4, mask, BPF_JEQ, value, low, no);
	return add_half(gen, offset + 4, mask, BPF_JGT, value, yes, equal);
}

static uint32_t add_test(struct gen *gen, const struct skep_seccomp_test *test, uint32_t yes, uint32_t no)
{
	switch ((enum skep_seccomp_op)test->op) {
	case SKEP_SECCOMP_EQ:
		return add_equal(gen, test, yes, no);
	case SKEP_SECCOMP_NE:
		return add_equal(gen, test, no, yes);
	case SKEP_SECCOMP_GT:
		return add_above(gen, test, BPF_JGT, yes, no);
	case SKEP_SECCOMP_LE:
		return add_above(gen, test, BPF_JGT, no, yes);
	case SKEP_SECCOMP_GE:
		return add_above(gen, test, BPF_JGE, yes, no);
	case SKEP_SECCOMP_LT:
		return add_above(gen, test, BPF_JGE, no, yes);
	}
	return no;
}

uint32_t add_decision(struct gen *gen, const struct span *span)
{
	uint32_t step = add_return(gen, span->action);

	for (size_t i = span->count; i-- > 0 && !gen->failed;) {
		const struct seccomp_rule *rule = &span->rules[i];
		uint32_t no = step;

		step = add_return(gen, rule->action);
		for (size_t j = rule->test_count; j-- > 0;)
			step = add_test(gen, &rule->tests[j], step, no);
	}
	return step;
}

/* Where the word is loaded already, a test of it needs no load. */
static bool is_loaded(const struct step *step, const struct step *next)
{
	return next->test && step->mask == UINT32_MAX && step->offset == next->offset;
}

static uint32_t load_step(struct gen *gen, struct step *step)
{
	if (step->label == NOWHERE)
		step->label = emit_load(gen, step->offset, step->body);
	return step->label;
}

/* Where to go on from a step; NULL: from where nothing of it is loaded. A return is repeated. */
static uint32_t label_of(struct gen *gen, const struct step *from, uint32_t index)
{
	struct step *step = &gen->steps.items[index];

	if (!step->test)
		return emit_return(gen, step->value);
	return from && is_loaded(from, step) ? step->body : load_step(gen, step);
}

static void emit_step(struct gen *gen, struct step *step, bool load)
{
	uint32_t no = label_of(gen, step, step->no), yes = label_of(gen, step, step->yes);

	step->body = emit_jump(gen, step->op, step->value, yes, no);
	if (step->mask != UINT32_MAX)
		step->body = emit_before(gen, BPF_ALU | BPF_AND | BPF_K, step->mask, step->body);
	if (load)
		load_step(gen, step);
}

enum { NEEDED = 1, TO_LOAD = 2 };

static void need(uint8_t *needs, const struct step *step, const struct step *steps, uint32_t next)
{
	needs[next] |= NEEDED | (is_loaded(step, &steps[next]) ? 0 : TO_LOAD);
}

/* Steps are older than those that lead to them. */
uint32_t emit_decision(struct gen *gen, uint32_t index)
{
	uint8_t *needs = calloc(index + 1, sizeof(*needs));
	struct step *steps = gen->steps.items;

	if (!needs) {
		gen->failed = true;
		return 0;
	}
	needs[index] = NEEDED | TO_LOAD;
	for (uint32_t i = index + 1; i-- > 0;) {
		if (!steps[i].test || steps[i].body != NOWHERE)
			needs[i] = 0;
		if (!needs[i])
			continue;
		need(needs, &steps[i], steps, steps[i].yes);
		need(needs, &steps[i], steps, steps[i].no);
	}
	for (uint32_t i = 0; i <= index && !gen->failed; i++) {
		if (needs[i])
			emit_step(gen, &steps[i], needs[i] & TO_LOAD);
	}
	free(needs);
	return gen->failed ? 0 : label_of(gen, NULL, index);
}
