/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.c - states that depend on each other.
 *
 * A path that ends because an earlier state of the same path covers it is a
 * loop: what must be precise in the earlier state (the head) is known only
 * when all paths from it are done, and must then become so on the way back to
 * it as well. Until then no state in the loop says all that matters of it.
 *
 *     head ---> state ---> state ---> end (covered by head, or by a state
 *       ^                              |   from which paths lead to head)
 *       +------------------------------+
 *
 * States are explored depth first, so those not done are the ones on the
 * current path. Each keeps the earliest of them that paths from it lead back
 * to; one that leads to none before itself, once done, is the head of a whole
 * set, whose ends are then gone through until no mark is added.
 */
#include "verify/state.h"

enum {
	EDGES_MAX = 1024,        /* ends kept for a head; beyond, everything is precise */
	ROUNDS_MAX = 64,
};

struct back_edge {
	struct back_edge *next;
	struct state *from;      /* a copy of the state the path ended with */
	struct state *to;
};

/* The head of the set the state belongs to, as known now; NULL: of none. */
static struct state *head_of(struct state *state)
{
	struct state *head = state->loop;

	if (!head)
		return NULL;
	while (!head->branches && head->loop && head->loop != head)
		head = head->loop;
	state->loop = head;
	return head;
}

bool loop_open(struct state *state)
{
	struct state *head = head_of(state);

	return head && head->branches;
}

static void leads_back_to(struct state *state, struct state *head)
{
	if (!state->loop || head->path_depth < state->loop->path_depth)
		state->loop = head;
}

static void edge_free(struct env *env, struct back_edge *edge)
{
	state_free(env, edge->from);
	env_free(env, edge);
}

static uint32_t edge_count(const struct state *head)
{
	uint32_t n = 0;

	for (const struct back_edge *edge = head->edges; edge; edge = edge->next)
		n++;
	return n;
}

int close_loop(struct env *env, struct state *old)
{
	struct state *head = old->branches ? old : head_of(old);
	struct back_edge *edge;

	leads_back_to(env->cur, head);
	head->is_loop_head = true;
	if (edge_count(head) >= EDGES_MAX) {
		mark_all_precise(env->cur);
		mark_all_precise(old);
		return 0;
	}
	edge = env_alloc(env, sizeof(*edge));
	if (!edge)
		return -ENOMEM;
	edge->from = state_copy(env, env->cur);
	edge->to = old;
	old->is_loop_head = true; /* it must not go before the edge does */
	edge->next = head->edges;
	head->edges = edge;
	return edge->from ? 0 : -ENOMEM;
}

/* All paths from the head are done: what is precise at one end of an edge is so at the other. */
static int settle(struct env *env, struct state *head)
{
	bool changed = true;
	int error = 0;

	for (unsigned round = 0; changed && !error; round++) {
		changed = false;
		for (struct back_edge *edge = head->edges; edge && !error; edge = edge->next) {
			if (round == ROUNDS_MAX) {
				mark_all_precise(edge->to);
				mark_all_precise(edge->from);
				continue;
			}
			error = propagate_precision(env, edge->to, edge->from, &changed);
		}
		if (round == ROUNDS_MAX)
			break;
	}
	while (head->edges) {
		struct back_edge *edge = head->edges;

		head->edges = edge->next;
		edge_free(env, edge);
	}
	return error;
}

/* It leads to an earlier state: its edges wait for that one. */
static void pass_edges(struct state *from, struct state *to)
{
	struct back_edge **end = &from->edges;

	while (*end)
		end = &(*end)->next;
	*end = to->edges;
	to->edges = from->edges;
	from->edges = NULL;
	to->is_loop_head = true;
}

static void free_retired(struct env *env)
{
	struct state **link = &env->retired;

	while (*link) {
		struct state *state = *link;

		if (loop_open(state)) {
			link = &state->retired_next;
			continue;
		}
		*link = state->retired_next;
		state_free(env, state);
		env->states_now--;
	}
}

/* All paths from a state are done. */
static int finish(struct env *env, struct state *state)
{
	struct state *head = state->loop;
	int error = 0;

	if (state->parent && head && head != state)
		leads_back_to(state->parent, head);
	if (head && head != state && state->edges)
		pass_edges(state, head);
	else if (state->edges)
		error = settle(env, state);
	if (state->is_loop_head && env->retired && !(head && head != state))
		free_retired(env);
	return error;
}

int path_done(struct env *env, struct state *state)
{
	int error = 0;

	for (; state && !error; state = state->parent) {
		if (--state->branches)
			break;
		error = finish(env, state);
	}
	return error;
}

void state_retire(struct env *env, struct state *state)
{
	if (state->branches || state->is_loop_head)
		return; /* others refer to it */
	if (!loop_open(state)) {
		state_free(env, state);
		env->states_now--;
		return;
	}
	state->retired_next = env->retired;
	env->retired = state;
}
