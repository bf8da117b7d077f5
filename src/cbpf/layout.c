/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * layout.c - blocks in a row, from the last to the first: so every target is placed before
 * the jump to it.
 *
 * A conditional jump reaches 255 instructions. Where that is not enough it goes to a return
 * of its own, or to a "ja" behind it, which later jumps to the same block may use too.
 */
#include "cbpf/generate.h"

#include <errno.h>

enum { REACH = 255 };

struct layout {
	const struct graph *graph;
	const struct body *bodies;
	VEC(struct skep_cbpf_insn) out; /* the last instruction first */
	size_t *place;           /* by block: out.count once its first one is there; 0: not yet */
	size_t *near;            /* the same, of the nearest "ja" or return instead of it */
	size_t limit;
	int error;
};

static void push(struct layout *l, struct skep_cbpf_insn insn)
{
	struct skep_cbpf_insn *room;

	if (l->error)
		return;
	room = l->out.count < l->limit ? vec_push(&l->out) : NULL;
	if (room)
		*room = insn;
	else
		l->error = l->out.count < l->limit ? -ENOMEM : -E2BIG;
}

/* A block that is one return. */
static bool is_leaf(const struct layout *l, uint32_t id)
{
	return graph_at(l->graph, id)->end == END_RETURN && l->bodies[id].insns.count == 0;
}

static void push_instead(struct layout *l, uint32_t id)
{
	if (is_leaf(l, id))
		push(l, l->bodies[id].end);
	else
		push(l, (struct skep_cbpf_insn){ .code = cbpf_rows[CBPF_ID_JA].code,
						 .k = (uint32_t)(l->out.count - l->place[id]) });
	l->near[id] = l->out.count;
}

/* What a jump that is pushed next, and ahead instructions in front of it, has to skip. */
static size_t distance(const struct layout *l, uint32_t id)
{
	return l->out.count - l->near[id];
}

static void place_test(struct layout *l, const struct body *body, const uint32_t *next)
{
	struct skep_cbpf_insn jump = body->end;

	/* pushing one moves the other away: one more than it may be is far */
	for (unsigned i = 0; i < 2; i++) {
		if (distance(l, next[i]) > REACH - 1)
			push_instead(l, next[i]);
	}
	jump.jt = (uint8_t)distance(l, next[1]);
	jump.jf = (uint8_t)distance(l, next[0]);
	push(l, jump);
}

static void place_goto(struct layout *l, uint32_t next)
{
	if (is_leaf(l, next))
		push(l, l->bodies[next].end);
	else if (l->place[next] != l->out.count)
		push(l, (struct skep_cbpf_insn){ .code = cbpf_rows[CBPF_ID_JA].code,
						 .k = (uint32_t)(l->out.count - l->place[next]) });
}

static void place_block(struct layout *l, uint32_t id)
{
	const struct block *block = graph_at(l->graph, id);
	const struct body *body = &l->bodies[id];

	if (block->end == END_RETURN)
		push(l, body->end);
	else if (block->end == END_GOTO)
		place_goto(l, block->next[0]);
	else
		place_test(l, body, block->next);
	for (size_t i = body->insns.count; i-- > 0;)
		push(l, body->insns.items[i]);
	l->place[id] = l->near[id] = l->out.count;
}

static void place_all(struct layout *l, const uint32_t *order, size_t blocks)
{
	for (size_t i = blocks; i-- > 0;) {
		if (is_leaf(l, order[i]))
			place_block(l, order[i]);
	}
	for (size_t i = blocks; i-- > 0 && !l->error;) {
		if (!is_leaf(l, order[i]))
			place_block(l, order[i]);
	}
}

int layout(const struct graph *graph, const struct body *bodies, const uint32_t *order,
	   size_t blocks, size_t limit, struct skep_cbpf_insn **insns, size_t *count)
{
	struct layout l = { .graph = graph, .bodies = bodies, .limit = limit };

	l.place = calloc(graph->blocks.count, sizeof(*l.place));
	l.near = calloc(graph->blocks.count, sizeof(*l.near));
	if (l.place && l.near)
		place_all(&l, order, blocks);
	else
		l.error = -ENOMEM;
	for (size_t i = 0; i < l.out.count / 2; i++) {
		struct skep_cbpf_insn other = l.out.items[i];

		l.out.items[i] = l.out.items[l.out.count - 1 - i];
		l.out.items[l.out.count - 1 - i] = other;
	}
	free(l.place);
	free(l.near);
	if (l.error) {
		vec_done(&l.out);
		return l.error;
	}
	*insns = l.out.items;
	*count = l.out.count;
	return 0;
}
