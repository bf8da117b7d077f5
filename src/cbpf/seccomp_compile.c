/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_compile.c - a policy as a filter.
 *
 * The numbers of an architecture fall into spans that are treated alike; which span a
 * call is in, a binary search finds. The filter is made from its end: what is
 * jumped to stands before what jumps, so that a label is the count of instructions behind
 * it, and one too far away for a jump of 255 is repeated (a return) or reached over a
 * goto.
 *
 *   load arch ─ jeq ─► load nr ─ search ─► decision of a span ─► return
 *                 └──► next architecture ... foreign
 */
#include "cbpf/seccomp.h"

#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define OFFSET_NR 0u
#define OFFSET_ARCH 4u
#define OFFSET_ARGS 16u
#define FEW 4u    /* numbers that are asked for one by one */
#define REACH 253u /* of 255: a goto for the other side may come between */

/* Calls from low up to the next span's. */
struct span {
	uint32_t low, action;            /* action: when no rule matches */
	const struct seccomp_rule *rules;
	size_t count;
	uint32_t label;
};

struct gen {
	struct skep_cbpf_insn *insns; /* the last one first */
	uint32_t count, size;
	bool failed;
	VEC(struct seccomp_rule) rules;  /* sorted: each machine's stand together */
	VEC(struct span) spans;          /* of the machine at hand */
	VEC(struct span) decided;        /* decisions that are there, of all machines */
};

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

static uint32_t emit_return(struct gen *gen, uint32_t action)
{
	for (uint32_t i = gen->count; i > 0 && gen->count - i < REACH; i--) {
		if (is_return(gen, i - 1) && gen->insns[i - 1].k == action)
			return i - 1;
	}
	return emit(gen, BPF_RET | BPF_K, 0, 0, action);
}

static uint32_t emit_jump(struct gen *gen, uint16_t op, uint32_t k, uint32_t yes, uint32_t no)
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

/* A load or mask, which runs on into what stands behind it. */
static uint32_t emit_before(struct gen *gen, uint16_t code, uint32_t k, uint32_t next)
{
	for (uint32_t i = gen->count; i > 1 && gen->count - i < REACH && !gen->failed; i--) {
		if (gen->insns[i - 1].code == code && gen->insns[i - 1].k == k && i - 2 == next)
			return i - 1;
	}
	within(gen, next, 0);
	return emit(gen, code, 0, 0, k);
}

static uint32_t emit_load(struct gen *gen, uint32_t offset, uint32_t next)
{
	return emit_before(gen, BPF_LD | BPF_W | BPF_ABS, offset, next);
}

/* --- tests of arguments --- */

/* (A half of the argument & mask) op value. */
static uint32_t emit_half(struct gen *gen, uint32_t offset, uint32_t mask, uint16_t op, uint32_t value,
			  uint32_t yes, uint32_t no)
{
	uint32_t label = emit_jump(gen, op, value, yes, no);

	if (label == yes && yes == no)
		return label;
	if (mask != UINT32_MAX)
		label = emit_before(gen, BPF_ALU | BPF_AND | BPF_K, mask, label);
	return emit_load(gen, offset, label);
}

static uint32_t emit_equal(struct gen *gen, const struct skep_seccomp_test *test, uint32_t yes,
			   uint32_t no)
{
	uint32_t offset = OFFSET_ARGS + 8u * test->arg, high = (uint32_t)(test->mask >> 32);
	uint32_t low = (uint32_t)test->mask;

	if (test->value & ~test->mask)
		return no;
	if (low)
		yes = emit_half(gen, offset, low, BPF_JEQ, (uint32_t)test->value, yes, no);
	if (high)
		yes = emit_half(gen, offset + 4, high, BPF_JEQ, (uint32_t)(test->value >> 32), yes, no);
	return yes;
}

/* Above value, or also equal to it. */
static uint32_t emit_above(struct gen *gen, const struct skep_seccomp_test *test, uint16_t op,
			   uint32_t yes, uint32_t no)
{
	uint32_t offset = OFFSET_ARGS + 8u * test->arg, value = (uint32_t)(test->value >> 32);
	uint32_t mask = (uint32_t)(test->mask >> 32), low, equal;

	if (!mask && value)
		return no;
	low = emit_half(gen, offset, (uint32_t)test->mask, op, (uint32_t)test->value, yes, no);
	if (!mask)
		return low;
	equal = emit_jump(gen, BPF_JEQ, value, low, no);
	return emit_half(gen, offset + 4, mask, BPF_JGT, value, yes, equal);
}

static uint32_t emit_test(struct gen *gen, const struct skep_seccomp_test *test, uint32_t yes,
			  uint32_t no)
{
	switch ((enum skep_seccomp_op)test->op) {
	case SKEP_SECCOMP_EQ:
		return emit_equal(gen, test, yes, no);
	case SKEP_SECCOMP_NE:
		return emit_equal(gen, test, no, yes);
	case SKEP_SECCOMP_GT:
		return emit_above(gen, test, BPF_JGT, yes, no);
	case SKEP_SECCOMP_LE:
		return emit_above(gen, test, BPF_JGT, no, yes);
	case SKEP_SECCOMP_GE:
		return emit_above(gen, test, BPF_JGE, yes, no);
	case SKEP_SECCOMP_LT:
		return emit_above(gen, test, BPF_JGE, no, yes);
	}
	return no;
}

static uint32_t emit_decision(struct gen *gen, const struct span *span)
{
	uint32_t label = emit_return(gen, span->action);

	for (size_t i = span->count; i-- > 0;) {
		const struct seccomp_rule *rule = &span->rules[i];
		uint32_t no = label;

		label = emit_return(gen, rule->action);
		for (size_t j = rule->test_count; j-- > 0;)
			label = emit_test(gen, &rule->tests[j], label, no);
	}
	return label;
}

/* --- spans --- */

static int compare_rules(const void *left, const void *right)
{
	const struct seccomp_rule *a = left, *b = right;

	uint32_t left_audit = skep_arch_audit(a->arch), right_audit = skep_arch_audit(b->arch);

	if (left_audit != right_audit)
		return left_audit < right_audit ? -1 : 1;
	if (a->nr != b->nr)
		return a->nr < b->nr ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static bool same_tests(const struct seccomp_rule *a, const struct seccomp_rule *b)
{
	if (a->action != b->action || a->test_count != b->test_count)
		return false;
	for (size_t i = 0; i < a->test_count; i++) {
		const struct skep_seccomp_test *left = &a->tests[i], *right = &b->tests[i];

		if (left->arg != right->arg || left->op != right->op || left->mask != right->mask ||
		    left->value != right->value)
			return false;
	}
	return true;
}

static bool same_decision(const struct span *a, const struct span *b)
{
	bool same = a->action == b->action && a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++)
		same = same_tests(&a->rules[i], &b->rules[i]);
	return same;
}

static void add_span(struct gen *gen, struct span span)
{
	struct span *last = gen->spans.count ? &gen->spans.items[gen->spans.count - 1] : NULL;

	if (last && last->low == span.low)
		*last = span; /* what was to follow the call before it */
	else if ((last = vec_push(&gen->spans)))
		*last = span;
	else
		gen->failed = true;
	if (gen->spans.count > 1 && same_decision(&gen->spans.items[gen->spans.count - 2], last))
		gen->spans.count--;
}

/* Rules behind one without tests, and those that do what is done anyway, are nothing. */
static struct span span_of(const struct seccomp_rule *rules, size_t count, uint32_t action)
{
	struct span span = { .low = rules[0].nr, .action = action, .rules = rules };

	for (span.count = 0; span.count < count; span.count++) {
		if (rules[span.count].test_count == 0) {
			span.action = rules[span.count].action;
			break;
		}
	}
	while (span.count && rules[span.count - 1].action == span.action)
		span.count--;
	return span;
}

/* Which of two architectures of one machine a number is of, and what is done without rules. */
static uint32_t normal_for(const struct skep_seccomp *policy, unsigned archs, uint32_t nr)
{
	bool x32 = nr >= SKEP_X32_BIT && nr != UINT32_MAX;

	if (!(archs & (1u << SKEP_ARCH_X86_64 | 1u << SKEP_ARCH_X32)))
		return policy->normal;
	return archs >> (x32 ? SKEP_ARCH_X32 : SKEP_ARCH_X86_64) & 1 ? policy->normal : policy->foreign;
}

static void add_normal(struct gen *gen, const struct skep_seccomp *policy, unsigned archs, uint32_t low)
{
	add_span(gen, (struct span){ .low = low, .action = normal_for(policy, archs, low) });
}

/* Spans without rules from low on, up to a call at end. */
static void add_gap(struct gen *gen, const struct skep_seccomp *policy, unsigned archs, uint64_t low,
		    uint64_t end)
{
	if (low < end)
		add_normal(gen, policy, archs, (uint32_t)low);
	if (low < SKEP_X32_BIT && end > SKEP_X32_BIT)
		add_normal(gen, policy, archs, SKEP_X32_BIT);
	if (low < UINT32_MAX && end > UINT32_MAX)
		add_normal(gen, policy, archs, UINT32_MAX);
}

static void make_spans(struct gen *gen, const struct skep_seccomp *policy, unsigned archs)
{
	uint64_t low = 0;
	size_t next;

	gen->spans.count = 0;
	for (size_t i = 0; i < gen->rules.count && !gen->failed; i = next) {
		const struct seccomp_rule *rules = &gen->rules.items[i];

		next = i + 1;
		if (!(archs >> rules->arch & 1))
			continue;
		while (next < gen->rules.count && gen->rules.items[next].nr == rules->nr &&
		       archs >> gen->rules.items[next].arch & 1)
			next++;
		add_gap(gen, policy, archs, low, rules->nr);
		add_span(gen, span_of(rules, next - i, normal_for(policy, archs, rules->nr)));
		low = (uint64_t)rules->nr + 1;
	}
	add_gap(gen, policy, archs, low, 1ull << 32);
}

/* --- the search --- */

static bool is_single(const struct gen *gen, size_t i)
{
	uint64_t end = i + 1 < gen->spans.count ? gen->spans.items[i + 1].low : 1ull << 32;

	return end - gen->spans.items[i].low == 1;
}

/* Few single numbers among what is treated alike: asking for each is less than halving. */
static bool is_few(const struct gen *gen, size_t from, size_t to, size_t alike)
{
	size_t others = 0;

	for (size_t i = from; i < to; i++) {
		if (gen->spans.items[i].label == gen->spans.items[alike].label)
			continue;
		if (!is_single(gen, i) || ++others > FEW)
			return false;
	}
	return others < to - from;
}

static uint32_t emit_few(struct gen *gen, size_t from, size_t to, size_t alike)
{
	const struct span *spans = gen->spans.items;
	uint32_t label = spans[alike].label;

	for (size_t i = from; i < to; i++) {
		if (spans[i].label != spans[alike].label)
			label = emit_jump(gen, BPF_JEQ, spans[i].low, spans[i].label, label);
	}
	return label;
}

static uint32_t emit_search(struct gen *gen, size_t from, size_t to)
{
	size_t middle = from + (to - from) / 2;
	uint32_t above, below;

	/* the first two differ: what is alike in a range of few is one of them */
	for (size_t alike = from; alike < to && alike < from + 2; alike++) {
		if (is_few(gen, from, to, alike))
			return emit_few(gen, from, to, alike);
	}
	above = emit_search(gen, middle, to);
	below = emit_search(gen, from, middle);
	return emit_jump(gen, BPF_JGE, gen->spans.items[middle].low, above, below);
}

static void label_spans(struct gen *gen)
{
	for (size_t i = 0; i < gen->spans.count && !gen->failed; i++) {
		struct span *span = &gen->spans.items[i], *kept;
		size_t same = 0;

		while (same < gen->decided.count && !same_decision(&gen->decided.items[same], span))
			same++;
		/* a return is repeated rather than reached */
		if (same < gen->decided.count && span->count) {
			span->label = gen->decided.items[same].label;
			continue;
		}
		span->label = emit_decision(gen, span);
		if (same < gen->decided.count) {
			gen->decided.items[same].label = span->label;
		} else if ((kept = vec_push(&gen->decided))) {
			*kept = *span;
		} else {
			gen->failed = true;
		}
	}
}

/* All architectures with one audit number; returns where the search begins. */
static uint32_t emit_machine(struct gen *gen, const struct skep_seccomp *policy, unsigned archs)
{
	make_spans(gen, policy, archs);
	if (!gen->failed)
		label_spans(gen);
	return gen->failed ? 0 : emit_load(gen, OFFSET_NR, emit_search(gen, 0, gen->spans.count));
}

static void sort_rules(struct gen *gen, const struct skep_seccomp *policy)
{
	for (size_t i = 0; i < policy->rules.count && !gen->failed; i++) {
		struct seccomp_rule *copy = vec_push(&gen->rules);

		if (copy)
			*copy = policy->rules.items[i];
		else
			gen->failed = true;
	}
	if (gen->rules.count)
		qsort(gen->rules.items, gen->rules.count, sizeof(*gen->rules.items), compare_rules);
}

static void emit_policy(struct gen *gen, const struct skep_seccomp *policy)
{
	/* the machine that is asked for first is emitted last */
	static const unsigned machines[] = {
		1u << SKEP_ARCH_AARCH64, 1u << SKEP_ARCH_X86, 1u << SKEP_ARCH_X86_64 | 1u << SKEP_ARCH_X32,
	};
	static const enum skep_seccomp_arch names[] = { SKEP_ARCH_AARCH64, SKEP_ARCH_X86, SKEP_ARCH_X86_64 };
	uint32_t next = emit_return(gen, policy->foreign);

	sort_rules(gen, policy);
	for (size_t i = 0; i < ARRAY_SIZE(machines) && !gen->failed; i++) {
		uint32_t begin;

		if (!(policy->archs & machines[i]))
			continue;
		begin = emit_machine(gen, policy, policy->archs & machines[i]);
		if (!gen->failed)
			next = emit_jump(gen, BPF_JEQ, skep_arch_audit(names[i]), begin, next);
	}
	if (!gen->failed)
		emit_load(gen, OFFSET_ARCH, next);
}

/* Turned round, and without what the optimiser finds too much. */
static int finish(struct gen *gen, const char *name, struct skep_cbpf_insn **insns, size_t *count,
		  struct skep_diag *diag)
{
	struct skep_cbpf_insn *better;
	size_t better_count;
	int error;

	for (uint32_t i = 0, j = gen->count - 1; i < j; i++, j--) {
		struct skep_cbpf_insn swap = gen->insns[i];

		gen->insns[i] = gen->insns[j];
		gen->insns[j] = swap;
	}
	error = skep_cbpf_optimise(gen->insns, gen->count, SKEP_CBPF_SECCOMP, name, &better, &better_count,
				   diag);
	if (error < 0)
		return error;
	if (better_count <= gen->count) {
		*insns = better;
		*count = better_count;
		return 0;
	}
	free(better);
	*insns = gen->insns;
	*count = gen->count;
	gen->insns = NULL;
	return 0;
}

int skep_seccomp_compile(const struct skep_seccomp *policy, const char *name,
			 struct skep_cbpf_insn **insns, size_t *count, struct skep_diag *diag)
{
	struct gen gen = { 0 };
	int error;

	if (!policy->archs)
		return skep_report(diag, SKEP_ARG, NULL, "the policy '%s' is for no architecture", name);
	emit_policy(&gen, policy);
	error = gen.failed ? skep_report(diag, SKEP_OOM, NULL, "compiling the policy '%s'", name) :
			     finish(&gen, name, insns, count, diag);
	free(gen.insns);
	vec_done(&gen.rules);
	vec_done(&gen.spans);
	vec_done(&gen.decided);
	return error;
}
