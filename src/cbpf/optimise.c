/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * optimise.c - a filter that decides as another does, in fewer steps: by way of its graph.
 *
 * Where the graph cannot be had, or what comes out is no better, the filter stays as it is.
 */
#include <errno.h>

#include "cbpf/graph.h"

enum { CBPF_OPTIMISE_MAX = 1 << 18 };

/* Instructions on the longest way. */
static size_t longest_way(const struct skep_cbpf_insn *insns, size_t count, size_t *ways)
{
	for (size_t pc = count; pc-- > 0;) {
		const struct cbpf_row *row = cbpf_row(insns[pc].code);
		size_t next = 0;

		if (row->kind == CBPF_GOTO)
			next = ways[cbpf_goto_target(&insns[pc], pc)];
		else if (row->kind == CBPF_JUMP)
			next = MAX(ways[cbpf_true_target(&insns[pc], pc)],
				   ways[cbpf_false_target(&insns[pc], pc)]);
		else if (row->kind != CBPF_RETURN)
			next = ways[pc + 1];
		ways[pc] = next + 1;
	}
	return ways[0];
}

static bool is_better(const struct skep_cbpf_insn *now, size_t now_count,
		      const struct skep_cbpf_insn *before, size_t before_count)
{
	size_t *ways = calloc(MAX(now_count, before_count), sizeof(*ways)), longest, was;

	if (!ways)
		return false;
	was = longest_way(before, before_count, ways);
	longest = longest_way(now, now_count, ways);
	free(ways);
	return longest < was || (longest == was && now_count <= before_count);
}

static int copy(const struct skep_cbpf_insn *insns, size_t count, struct skep_cbpf_insn **out,
		size_t *out_count)
{
	*out = malloc(count * sizeof(**out));
	if (!*out)
		return -ENOMEM;
	memcpy(*out, insns, count * sizeof(**out));
	*out_count = count;
	return 0;
}

static int through_graph(const struct skep_cbpf_insn *insns, size_t count, enum skep_cbpf_use use,
			 struct skep_cbpf_insn **out, size_t *out_count)
{
	struct graph graph;
	int error = graph_build(&graph, insns, count, use);

	if (error == 0)
		error = graph_optimise(&graph);
	if (error == 0)
		error = graph_search(&graph);
	if (error == 0)
		error = graph_optimise(&graph);
	if (error == 0)
		error = graph_generate(&graph, SKEP_CBPF_MAX, out, out_count);
	graph_done(&graph);
	return error;
}

int skep_cbpf_optimise(const struct skep_cbpf_insn *insns, size_t count, enum skep_cbpf_use use,
		       const char *name, struct skep_cbpf_insn **out, size_t *out_count,
		       struct skep_diag *diag)
{
	struct skep_cbpf_insn *made = NULL;
	size_t made_count = 0;
	int error = cbpf_check(insns, count, CBPF_OPTIMISE_MAX, use, name, diag);

	if (error < 0)
		return error;
	error = through_graph(insns, count, use, &made, &made_count);
	if (error == 0 && is_better(made, made_count, insns, count) &&
	    skep_cbpf_check(made, made_count, use, name, NULL) == 0) {
		*out = made;
		*out_count = made_count;
		return 0;
	}
	free(made);
	if (error != -ENOMEM && count > SKEP_CBPF_MAX)
		return skep_fail(diag, SKEP_CBPF_LENGTH, NULL,
				 "'%s' becomes %zu instructions, and its optimised form more than %u too",
				 name, count, SKEP_CBPF_MAX);
	if (error == -ENOMEM || copy(insns, count, out, out_count) < 0)
		return skep_fail(diag, SKEP_OOM, NULL, "optimising a filter of %zu instructions", count);
	return 0;
}
