/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * set_explain.c - a filter with sets in words (explain.c). The alternative that libpcap was shown beside
 * the stand-in is a member like the others: its tests become lookups, and one of two goes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include "cbpf/explain.h"
#include "cbpf/program.h"

enum { SAID = 4 }; /* members that are named */

/* --- members --- */

static void write_member(const struct cbpf_set *set, const struct set_range *range, struct skep_text *out)
{
	uint8_t bytes[16];
	char text[INET6_ADDRSTRLEN];
	uint64_t halves[2] = { set_bytes(range->first.high), set_bytes(range->first.low) };
	unsigned bits = set_prefix_bits(set, range);

	if (set->width == SET_PORTS) {
		text_add(out, "%u", (unsigned)range->first.low);
		if (range->last.low != range->first.low)
			text_add(out, "-%u", (unsigned)range->last.low);
		return;
	}
	memcpy(bytes, halves, sizeof(bytes));
	inet_ntop(set->width == SET_ADDRESSES ? AF_INET : AF_INET6, bytes + 16 - set->width, text, sizeof(text));
	text_add(out, "%s", text);
	if (bits < 8 * set->width)
		text_add(out, "/%u", bits);
}

void set_write(const struct cbpf_set *set, struct skep_text *out)
{
	size_t count = set->members.count;

	if (count > 1)
		text_add(out, "%zu ", count);
	text_add(out, "(");
	for (size_t i = 0; i < count; i++) {
		if (i >= SAID - 1 && count > SAID && i + 1 < count)
			continue;
		text_add(out, "%s", i == 0 ? "" : i + 1 == count && count > SAID ? " ... " : ", ");
		write_member(set, &set->members.items[i], out);
	}
	text_add(out, ")");
}

/* --- the alternative that is there twice --- */

/* "what & mask == number", and the mask may be missing; where it holds, *id is the next block. */
static bool is_masked(const struct graph *graph, uint32_t *id, uint32_t *what, uint32_t *mask, uint32_t *number)
{
	const struct block *block = graph_at(graph, *id);
	const struct value *test = value_get(&graph->values, block->value), *left;
	bool none = block->end == END_TEST && test->kind == VALUE_TEST && test->op == COND_SET;

	*number = 0;
	*what = test->left;
	*id = block->next[!none];
	if (none) /* of the bits that are asked for */
		return value_is_const(&graph->values, test->right, mask);
	if (block->end != END_TEST || test->kind != VALUE_TEST || test->op != COND_EQ ||
	    !value_is_const(&graph->values, test->right, number))
		return false;
	left = value_get(&graph->values, test->left);
	*mask = UINT32_MAX;
	if (left->kind == VALUE_ALU && left->op == ALU_AND && value_is_const(&graph->values, left->right, mask))
		*what = left->left;
	return true;
}

/* The word of the address that a member looks up which this is; 4: another thing. */
static unsigned word_of(const struct graph *graph, uint32_t what, const struct value *member)
{
	const struct value *load = value_get(&graph->values, what);

	if (member->width != 16)
		return what == member->left ? 3 : 4;
	if (load->kind != VALUE_LOAD || load->width != 4 || load->left != member->left || load->k < member->k)
		return 4;
	return (load->k - member->k) % 4 ? 4 : (load->k - member->k) / 4;
}

/* Comparisons with a member of the set, in one word or several, that lead to the same place as the lookup. */
static bool is_member(const struct graph *graph, const struct cbpf_set *set, uint32_t id,
		      const struct value *member, uint32_t yes)
{
	uint32_t first[4] = { 0 }, last[4], what, mask, number;
	unsigned least = member->width == 16 ? 0 : 3, word;

	for (unsigned i = 0; i < 4; i++)
		last[i] = i < least || set->width == SET_PORTS ? 0 : UINT32_MAX;
	for (unsigned i = least; i < 4 && id != yes; i++) {
		if (!is_masked(graph, &id, &what, &mask, &number))
			return false;
		word = word_of(graph, what, member);
		if (word != i)
			return false;
		first[i] = number;
		last[i] = number | ~mask;
	}
	return id == yes &&
	       set_has_range(set, &(struct set_range){
					  { (uint64_t)first[0] << 32 | first[1], (uint64_t)first[2] << 32 | first[3] },
					  { (uint64_t)last[0] << 32 | last[1], (uint64_t)last[2] << 32 | last[3] } });
}

static void forget_first(struct graph *graph, const struct cbpf_sets *sets)
{
	for (uint32_t id = 1; id < graph->blocks.count; id++) {
		struct block *block = graph_at(graph, id);

		for (uint32_t k = 1; k < graph->blocks.count && block->end == END_TEST; k++) {
			const struct block *other = graph_at(graph, k);
			const struct value *member = value_get(&graph->values, other->value);

			if (other->end != END_TEST || member->kind != VALUE_MEMBER ||
			    !is_member(graph, &sets->all.items[member->op], id, member, other->next[1]))
				continue;
			if (value_get(&graph->values, block->value)->op == COND_SET)
				block->next[0] = block->next[1];
			block->value = other->value;
			block->next[1] = other->next[1];
			break;
		}
	}
}

int skep_cbpf_program_explain(const struct skep_cbpf_program *program, int link, struct skep_text *out,
			      struct skep_diag *diag)
{
	struct graph graph;
	int error;

	if (program->sets.all.count == 0)
		return skep_cbpf_explain(program->insns, program->count, link, program->name, out, diag);
	error = graph_build_sets(&graph, program->plain, program->plain_count, program->stand_ins);
	if (error == 0)
		error = graph_optimise(&graph);
	if (error == 0)
		forget_first(&graph, &program->sets);
	return explain_filter(&graph, error, &program->sets, link, program->name, out, diag);
}
