/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * compare.c - do two filters pass the same packets?
 *
 * Both graphs are walked side by side: whenever one has to decide and what is known does not, the
 * walk splits in two, and both go on with that known. Where both have returned, they must have
 * answered alike. Where not, a packet is looked for that goes this way, and run through
 * both: only such a packet is the answer "different"; and only a walk that found no such place
 * is the answer "equal". The first walk is over packets that hold all that is loaded; the
 * second is over all, those too that were cut short.
 */
#include <errno.h>

#include "base/base.h"
#include "cbpf/graph.h"
#include "cbpf/program.h"
#include "cbpf/witness.h"

enum { STEPS_MAX = 400000, DEPTH_MAX = 3000, SEEN_EACH = 6, LOOKS_MAX = 64 };

struct seen { uint32_t at[3]; struct facts facts; };

/* stand_ins: of insns, with the numbers of the sets of both; runs: the filter as it is run. */
struct filter_insns {
	const struct skep_cbpf_insn *insns;
	size_t count;
	struct stand_in *stand_ins;  /* owned; or NULL */
	struct cbpf_code runs;
};

struct compare {
	struct graph graph;
	uint32_t answer[2];      /* blocks */
	struct filter_insns filters[2];
	struct cbpf_sets sets;   /* of both, each once; the members are borrowed */
	VEC(struct wish) way;
	struct seen *seen;       /* by hash, SEEN_EACH in a row: decisions that were done */
	size_t seen_size;
	size_t steps, looks;
	enum skep_cbpf_verdict verdict;
	struct witness witness;
	bool passes[2];
	bool failed;
};

/* Where one of the filters has come to: a decision it needs, or its answer. */
struct position {
	uint32_t block;
	bool ended, passes;
	uint32_t open;           /* not ended: the value that decides */
};

/* As far as facts decide. */
static struct position advance(struct compare *c, uint32_t block, const struct facts *facts)
{
	struct values *values = &c->graph.values;

	for (;;) {
		const struct block *b = graph_at(&c->graph, block);
		int is = 1;

		for (size_t i = 0; i < b->checks.count && is > 0; i++) {
			is = facts_decide(facts, values, b->checks.items[i]);
			if (is < 0)
				return (struct position){ .block = block, .open = b->checks.items[i] };
		}
		if (is == 0)
			return (struct position){ .ended = true };
		if (b->end == END_GOTO) {
			block = b->next[0];
			continue;
		}
		if (b->end == END_RETURN) {
			uint32_t open = value_nonzero(values, b->value);

			is = facts_decide(facts, values, open);
			if (is < 0)
				return (struct position){ .block = block, .open = open };
			return (struct position){ .ended = true, .passes = is };
		}
		is = facts_decide(facts, values, b->value);
		if (is < 0)
			return (struct position){ .block = block, .open = b->value };
		block = b->next[is];
	}
}

static bool tells_apart(void *arg, const struct witness *witness)
{
	struct compare *c = arg;

	for (unsigned i = 0; i < 2; i++)
		c->passes[i] = cbpf_run(&c->filters[i].runs, &witness->packet) != 0;
	return c->passes[0] != c->passes[1];
}

/* The filters differ here, if any packet gets here. */
static void look(struct compare *c, const struct facts *facts)
{
	if (!facts_possible(facts, &c->graph.values))
		return;
	if (c->verdict == SKEP_CBPF_EQUAL)
		c->verdict = SKEP_CBPF_UNKNOWN;
	if (c->looks++ < LOOKS_MAX &&
	    witness_find(&c->graph.values, c->way.items, c->way.count, facts, tells_apart, c, &c->witness))
		c->verdict = SKEP_CBPF_DIFFER;
}

/* Was it decided here, by this value, with no more known than now? If not, it is noted. */
static bool was_seen(struct compare *c, uint32_t a, uint32_t b, uint32_t open,
		     const struct facts *facts)
{
	const uint32_t key[3] = { a, b, open };
	size_t at = hash_bytes(key, sizeof(key), 0) % c->seen_size;
	struct seen *room = NULL;

	for (unsigned i = 0; i < SEEN_EACH; i++) {
		struct seen *seen = &c->seen[(at + i) % c->seen_size];

		if (!seen->facts.reached && !room)
			room = seen;
		if (seen->facts.reached && memcmp(seen->at, key, sizeof(key)) == 0 &&
		    facts_imply(facts, &seen->facts, &c->graph.values))
			return true;
	}
	if (!room)
		room = &c->seen[(at + c->steps % SEEN_EACH) % c->seen_size];
	memcpy(room->at, key, sizeof(key));
	facts_copy(&room->facts, facts);
	room->facts.reached = true;
	return false;
}

static void walk(struct compare *c, uint32_t a, uint32_t b, const struct facts *facts);

static void split(struct compare *c, uint32_t a, uint32_t b, uint32_t on, const struct facts *facts)
{
	for (int yes = 1; yes >= 0; yes--) {
		struct facts more;
		struct wish *wish = vec_push(&c->way);

		if (!wish) {
			c->failed = true;
			return;
		}
		*wish = (struct wish){ on, yes };
		facts_init(&more);
		facts_copy(&more, facts);
		if (facts_assume(&more, &c->graph.values, on, yes))
			walk(c, a, b, &more);
		c->failed |= more.failed;
		facts_done(&more);
		c->way.count--;
	}
}

static void walk(struct compare *c, uint32_t a, uint32_t b, const struct facts *facts)
{
	struct position left, right;
	uint32_t open;

	if (c->verdict == SKEP_CBPF_DIFFER || c->failed || c->graph.values.failed)
		return;
	if (c->steps++ >= STEPS_MAX || c->way.count >= DEPTH_MAX) {
		c->verdict = SKEP_CBPF_UNKNOWN;
		return;
	}
	left = advance(c, a, facts);
	right = advance(c, b, facts);
	if (left.ended && right.ended) {
		if (left.passes != right.passes)
			look(c, facts);
		return;
	}
	a = left.ended ? c->answer[left.passes] : left.block;
	b = right.ended ? c->answer[right.passes] : right.block;
	open = left.ended ? right.open : left.open;
	if (!was_seen(c, a, b, open, facts))
		split(c, a, b, open, facts);
}

/* The blocks that drop and that pass whatever comes. */
static bool add_answers(struct compare *c)
{
	for (unsigned yes = 0; yes < 2; yes++) {
		c->answer[yes] = graph_block(&c->graph);
		if (!c->answer[yes])
			return false;
		graph_at(&c->graph, c->answer[yes])->end = END_RETURN;
		graph_at(&c->graph, c->answer[yes])->value = value_const(&c->graph.values, yes);
	}
	return !c->graph.values.failed;
}

/* So many bytes hold all that the filters load. */
static uint64_t whole_length(struct compare *c)
{
	const struct values *values = &c->graph.values;
	struct facts nothing;
	uint64_t length = 0;

	facts_init(&nothing);
	for (uint32_t id = 1; id < values->all.count; id++) {
		const struct value *v = value_get(values, id);
		uint64_t end = (uint64_t)v->k + v->width;

		if (v->kind == VALUE_CHECK && v->left)
			end += facts_domain(&nothing, values, v->left).max;
		if (v->kind == VALUE_CHECK && end < WITNESS_MAX)
			length = MAX(length, end);
	}
	return length;
}

static void walk_with(struct compare *c, const uint32_t *roots, uint64_t least)
{
	struct facts facts;

	for (size_t i = 0; i < c->seen_size; i++)
		c->seen[i].facts.reached = false;
	facts_init(&facts);
	facts.reached = true;
	facts.least = least;
	c->steps = c->looks = 0;
	walk(c, roots[0], roots[1], &facts);
	facts_done(&facts);
}

static int compare_graphs(struct compare *c)
{
	uint32_t roots[2];
	int error = add_answers(c) ? 0 : -ENOMEM;

	for (unsigned i = 0; i < 2 && error == 0; i++) {
		c->graph.stand_ins = c->filters[i].stand_ins;
		error = graph_add(&c->graph, c->filters[i].insns, c->filters[i].count, &roots[i]);
	}
	if (error == -EOPNOTSUPP) {
		c->verdict = SKEP_CBPF_UNKNOWN;
		return 0;
	}
	if (error < 0)
		return error;
	walk_with(c, roots, whole_length(c));
	if (c->verdict == SKEP_CBPF_EQUAL) {
		walk_with(c, roots, 0);
		if (c->verdict != SKEP_CBPF_EQUAL)
			c->verdict = c->verdict == SKEP_CBPF_DIFFER ? SKEP_CBPF_EQUAL_WHOLE : SKEP_CBPF_UNKNOWN;
	}
	return c->failed || c->graph.values.failed ? -ENOMEM : 0;
}

static void describe(const struct compare *c, struct skep_text *out)
{
	const struct skep_cbpf_packet *packet = &c->witness.packet;
	uint32_t len = packet->len ? packet->len : packet->size;

	text_add(out, "%u bytes%s, which passes the %s and not the %s:\n", len,
		 packet->size < len ? " (these are captured)" : "", c->passes[0] ? "first" : "second",
		 c->passes[0] ? "second" : "first");
	for (uint32_t i = 0; i < packet->size; i++) {
		if (i % 16 == 0)
			text_add(out, "  %04x ", i);
		text_add(out, " %02x%s", c->witness.bytes[i], i % 16 == 15 || i + 1 == packet->size ? "\n" : "");
	}
}

static int run_compare(struct compare *c)
{
	int error;

	c->seen_size = 1 << 14;
	c->seen = calloc(c->seen_size, sizeof(*c->seen));
	graph_init(&c->graph, SKEP_CBPF_SOCKET);
	c->graph.values.sets = &c->sets;
	error = c->seen ? compare_graphs(c) : -ENOMEM;
	graph_done(&c->graph);
	for (size_t i = 0; c->seen && i < c->seen_size; i++)
		facts_done(&c->seen[i].facts);
	free(c->seen);
	vec_done(&c->way);
	return error;
}

/* The verdict, or -ENOMEM; c is gone. */
static int finish(struct compare *c, int error, struct skep_text *packet, struct skep_diag *diag)
{
	int verdict = c ? (int)c->verdict : 0;

	if (c && error == 0 && (c->verdict == SKEP_CBPF_DIFFER || c->verdict == SKEP_CBPF_EQUAL_WHOLE))
		describe(c, packet);
	if (c) {
		free(c->filters[0].stand_ins);
		free(c->filters[1].stand_ins);
		vec_done(&c->sets.all);
	}
	free(c);
	return error < 0 || !c ? skep_fail(diag, SKEP_OOM, NULL, "comparing filters") : verdict;
}

int skep_cbpf_compare(const struct skep_cbpf_insn *a, size_t a_count,
		      const struct skep_cbpf_insn *b, size_t b_count, struct skep_text *packet,
		      struct skep_diag *diag)
{
	struct compare *c;
	int error = skep_cbpf_check(a, a_count, SKEP_CBPF_SOCKET, "first", diag);

	if (error == 0)
		error = skep_cbpf_check(b, b_count, SKEP_CBPF_SOCKET, "second", diag);
	if (error < 0)
		return error;
	c = calloc(1, sizeof(*c));
	if (c) {
		c->filters[0] = (struct filter_insns){ a, a_count, NULL, { a, a_count, NULL } };
		c->filters[1] = (struct filter_insns){ b, b_count, NULL, { b, b_count, NULL } };
		error = run_compare(c);
	}
	return finish(c, error, packet, diag);
}

/* --- with sets --- */

static bool same_members(const struct cbpf_set *a, const struct cbpf_set *b)
{
	return a->width == b->width && a->members.count == b->members.count &&
	       memcmp(a->members.items, b->members.items, a->members.count * sizeof(*a->members.items)) == 0;
}

/* Its number among those of both filters, 1 more; 0: no memory. */
static uint8_t number_of(struct cbpf_sets *sets, const struct cbpf_set *set)
{
	struct cbpf_set *room;

	for (size_t i = 0; i < sets->all.count; i++) {
		if (same_members(&sets->all.items[i], set))
			return (uint8_t)(i + 1);
	}
	room = vec_push(&sets->all);
	if (room)
		*room = *set;
	return room ? (uint8_t)sets->all.count : 0;
}

static bool take_program(struct compare *c, struct filter_insns *filter, const struct skep_cbpf_program *program)
{
	size_t count = program->stand_ins ? program->plain_count : program->count;

	*filter = (struct filter_insns){ program->stand_ins ? program->plain : program->insns, count, NULL,
					 program_code(program) };
	if (!program->stand_ins)
		return true;
	filter->stand_ins = calloc(count, sizeof(*filter->stand_ins));
	for (size_t i = 0; filter->stand_ins && i < count; i++) {
		filter->stand_ins[i] = program->stand_ins[i];
		if (!program->stand_ins[i].set)
			continue;
		filter->stand_ins[i].set = number_of(&c->sets, &program->sets.all.items[program->stand_ins[i].set - 1]);
		if (!filter->stand_ins[i].set)
			return false;
	}
	return filter->stand_ins != NULL;
}

int skep_cbpf_program_compare(const struct skep_cbpf_program *a, const struct skep_cbpf_program *b,
			      struct skep_text *packet, struct skep_diag *diag)
{
	struct compare *c = calloc(1, sizeof(*c));
	int error = c && take_program(c, &c->filters[0], a) && take_program(c, &c->filters[1], b) ? 0 : -ENOMEM;

	if (error == 0)
		error = run_compare(c);
	return finish(c, error, packet, diag);
}
