/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_compile.c - a policy as a filter.
 *
 * The numbers of an architecture fall into spans that are treated alike; which span a
 * call is in, a search finds (seccomp_search.c).
 *
 *   load arch ─ jeq ─► load nr ─ search ─► decision of a span ─► return
 *                 └──► next architecture ... foreign
 */
#include "cbpf/seccomp_compile.h"

#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "cbpf/seccomp_emit.h"
#include "cbpf/seccomp_search.h"

#define OFFSET_NR 0u
#define OFFSET_ARCH 4u
#define NUMBERS 512u         /* above the numbers of calls */
#define DECISION 0x80000000u /* a label that is the step of a decision */

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

/* A decision stands near the first jump to it. */
static uint32_t place(struct gen *gen, uint32_t label)
{
	if (gen->failed || !(label & DECISION))
		return label;
	return emit_decision(gen, label & ~DECISION);
}

static uint32_t search_jump(void *arg, bool jge, uint32_t k, uint32_t yes, uint32_t no)
{
	struct gen *gen = arg;

	no = place(gen, no);
	yes = place(gen, yes);
	return emit_jump(gen, jge ? BPF_JGE : BPF_JEQ, k, yes, no);
}

/* Any call that an architecture may have is as likely as any other. */
static uint32_t weight_of(uint64_t low, uint64_t end)
{
	uint32_t weight = 0;

	for (uint64_t base = 0; base <= SKEP_X32_BIT; base += SKEP_X32_BIT) {
		uint64_t from = MAX(low, base), to = MIN(end, base + NUMBERS);

		weight += to > from ? (uint32_t)(to - from) : 0;
	}
	return weight;
}

/* What asking for numbers one by one takes, of which those that have no rule of their own remain. */
static uint64_t count_single(const struct gen *gen, const struct skep_seccomp *policy, unsigned archs)
{
	uint64_t jumps = 0;

	for (size_t i = 0; i < gen->spans.count; i++) {
		const struct span *span = &gen->spans.items[i];
		uint64_t end = i + 1 < gen->spans.count ? gen->spans.items[i + 1].low : 1ull << 32;

		if (span->count || span->action != normal_for(policy, archs, span->low))
			jumps += end - span->low;
	}
	/* and whether it is one of x32's; if so, whether it is -1 */
	return jumps + 2 * (archs == 1u << SKEP_ARCH_X86_64);
}

typedef VEC(struct search_span) search_vec;

/* A span that follows those that are there; what is as its neighbour becomes one with it. */
static void add_search(struct gen *gen, search_vec *spans, uint32_t low, uint64_t end, uint32_t label)
{
	struct search_span *last = spans->count ? &spans->items[spans->count - 1] : NULL;

	if (last && last->label == label) {
		last->weight += weight_of(low, end);
		return;
	}
	last = vec_push(spans);
	if (last)
		*last = (struct search_span){ low, label, weight_of(low, end) };
	else
		gen->failed = true;
}

static uint64_t end_of(const struct gen *gen, size_t span)
{
	return span + 1 < gen->spans.count ? gen->spans.items[span + 1].low : 1ull << 32;
}

static uint32_t emit_search(struct gen *gen, search_vec *spans, uint64_t limit)
{
	uint32_t begin = 0;

	if (!gen->failed && !search_emit(spans->items, spans->count, limit, search_jump, gen, &begin))
		gen->failed = true;
	vec_done(spans);
	return gen->failed ? 0 : place(gen, begin);
}

static uint32_t emit_plain(struct gen *gen, uint64_t limit)
{
	search_vec spans = { 0 };

	for (size_t i = 0; i < gen->spans.count; i++)
		add_search(gen, &spans, gen->spans.items[i].low, end_of(gen, i), gen->spans.items[i].label);
	return emit_search(gen, &spans, limit);
}

/* x32's search, without the bit: what is treated as x86_64's number goes on at same. */
static void add_x32(struct gen *gen, search_vec *spans, size_t first, uint32_t same)
{
	size_t left = 0, right = first;

	for (uint64_t low = 0, end; low < SKEP_X32_BIT && !gen->failed; low = end) {
		uint64_t right_end = end_of(gen, right) - SKEP_X32_BIT;
		uint32_t label = gen->spans.items[right].label;

		end = MIN(MIN(end_of(gen, left), right_end), SKEP_X32_BIT);
		add_search(gen, spans, (uint32_t)low, end, label == gen->spans.items[left].label ? same : label);
		left += end == end_of(gen, left);
		right += end == right_end;
	}
}

/*
 * x32's numbers are x86_64's with a bit, but for few: without it, those that are treated the same go
 * on in x86_64's search. first: the span that x32 begins in; the last one, too, begins among its numbers.
 *
 *   jge x32's bit ─► and ~bit ─ search ─► what differs
 *          │                      └─ the same ─┐
 *          └──────────────────────────────► search ─► ...
 */
static uint32_t emit_shared(struct gen *gen, size_t first, uint64_t limit)
{
	search_vec plain = { 0 }, x32 = { 0 };
	uint32_t own, same;

	for (size_t i = 0; i < gen->spans.count && gen->spans.items[i].low < SKEP_X32_BIT; i++)
		add_search(gen, &plain, gen->spans.items[i].low, MIN(end_of(gen, i), SKEP_X32_BIT),
			   gen->spans.items[i].label);
	same = emit_search(gen, &plain, limit / 2);
	if (gen->failed)
		return 0;
	add_x32(gen, &x32, first, same);
	own = emit_search(gen, &x32, limit / 2);
	if (gen->failed)
		return 0;
	return emit_jump(gen, BPF_JGE, SKEP_X32_BIT, emit_before(gen, BPF_ALU | BPF_AND | BPF_K, ~SKEP_X32_BIT, own), same);
}

/* Every number that has a rule of its own is asked for. */
static uint32_t emit_each(struct gen *gen, const struct skep_seccomp *policy, unsigned archs)
{
	uint32_t rest = place(gen, gen->spans.items[gen->spans.count - 1].label), label;

	for (size_t i = gen->spans.count; i-- > 0 && !gen->failed;) {
		const struct span *span = &gen->spans.items[i];

		label = place(gen, span->label);
		if (!span->count && span->action == normal_for(policy, archs, span->low)) {
			/* what remains below x32's numbers is another thing */
			if (span->low < SKEP_X32_BIT && end_of(gen, i) == SKEP_X32_BIT &&
			    span->action != normal_for(policy, archs, SKEP_X32_BIT))
				rest = emit_jump(gen, BPF_JGE, SKEP_X32_BIT, rest, label);
			continue;
		}
		for (uint64_t nr = span->low; nr < end_of(gen, i) && !gen->failed; nr++)
			rest = emit_jump(gen, BPF_JEQ, (uint32_t)nr, label, rest);
	}
	return rest;
}

static uint32_t emit_numbers(struct gen *gen, const struct skep_seccomp *policy, unsigned archs,
			     const struct seccomp_way *way)
{
	uint64_t limit = count_single(gen, policy, archs) * way->limit / 100;
	size_t first = 0, last = gen->spans.count - 1;
	const unsigned both = 1u << SKEP_ARCH_X86_64 | 1u << SKEP_ARCH_X32;

	while (end_of(gen, first) <= SKEP_X32_BIT)
		first++;
	if (way->each)
		return emit_each(gen, policy, archs);
	if (!way->shared || archs != both || first == last || gen->spans.items[last].low >= 2 * SKEP_X32_BIT)
		return emit_plain(gen, limit);
	return emit_shared(gen, first, limit);
}

static void label_spans(struct gen *gen)
{
	for (size_t i = 0; i < gen->spans.count && !gen->failed; i++)
		gen->spans.items[i].label = DECISION | add_decision(gen, &gen->spans.items[i]);
}

/* All architectures with one audit number; returns where the search begins. */
static uint32_t emit_machine(struct gen *gen, const struct skep_seccomp *policy, unsigned archs,
			     const struct seccomp_way *way)
{
	uint32_t begin;

	make_spans(gen, policy, archs);
	if (!gen->failed)
		label_spans(gen);
	if (gen->failed)
		return 0;
	begin = emit_numbers(gen, policy, archs, way);
	if (gen->failed || gen->spans.count == 1)
		return begin;
	return emit_load(gen, OFFSET_NR, begin);
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

static void emit_policy(struct gen *gen, const struct skep_seccomp *policy, const struct seccomp_way *way)
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
		begin = emit_machine(gen, policy, policy->archs & machines[i], way);
		if (!gen->failed)
			next = emit_jump(gen, BPF_JEQ, skep_arch_audit(names[i]), begin, next);
	}
	if (!gen->failed)
		emit_load(gen, OFFSET_ARCH, next);
}

bool seccomp_emit(const struct skep_seccomp *policy, const struct seccomp_way *way,
		  struct skep_cbpf_insn **insns, size_t *count)
{
	struct gen gen = { 0 };

	memset(gen.hashed, 0xff, sizeof(gen.hashed));
	emit_policy(&gen, policy, way);
	for (uint32_t i = 0, j = gen.count - 1; i < j && !gen.failed; i++, j--) {
		struct skep_cbpf_insn swap = gen.insns[i];

		gen.insns[i] = gen.insns[j];
		gen.insns[j] = swap;
	}
	*count = gen.count;
	*insns = gen.insns;
	if (gen.failed) {
		free(gen.insns);
		*insns = NULL;
	}
	vec_done(&gen.rules);
	vec_done(&gen.spans);
	vec_done(&gen.steps);
	return !gen.failed;
}
