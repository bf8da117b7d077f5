/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program.c - filters with sets: from an expression with a compiler's help (expression.h), and into
 * what can be run.
 *
 * The compiler writes the expression twice, with different stand-ins for the sets. Where its two
 * filters differ, an instruction compares with a stand-in: there the graph gets a lookup
 * (VALUE_MEMBER) in place of the comparison.
 */
#include "cbpf/program.h"

#include <errno.h>
#include <stdio.h>

#include "cbpf/expression.h"

enum { LONGEST = 16 * SKEP_CBPF_MAX }; /* for programs that have no limit of their own */

/* --- stand-ins --- */

/* The set that a comparison with these words is meant for. */
static bool find_stand_in(const struct expression *e, uint32_t one, uint32_t two, struct stand_in *is)
{
	for (size_t i = 0; i < e->stand_ins.count; i++) {
		const struct set_stand_in *s = &e->stand_ins.items[i];
		bool bytes = e->sets.all.items[i].width == SET_ADDRESSES6;

		for (unsigned word = 0; word < (bytes ? 4 : 1); word++) {
			if (s->words[0][word] != one || s->words[1][word] != two)
				continue;
			is->set = (uint8_t)(i + 1);
			is->word = (uint8_t)(bytes ? word : STAND_IN_WHOLE);
			return true;
		}
	}
	return false;
}

/* False: the two do not differ by stand-ins only, or a set is nowhere. */
static bool mark_stand_ins(const struct expression *e, struct skep_cbpf_insn *const both[2],
			   const size_t counts[2], struct stand_in *marks)
{
	uint64_t found = 0;

	if (counts[0] != counts[1])
		return false;
	for (size_t i = 0; i < counts[0]; i++) {
		struct skep_cbpf_insn a = both[0][i], b = both[1][i];

		if (a.code != b.code || a.jt != b.jt || a.jf != b.jf)
			return false;
		if (a.k == b.k)
			continue;
		if (!find_stand_in(e, a.k, b.k, &marks[i]))
			return false;
		found |= UINT64_C(1) << (marks[i].set - 1);
	}
	return found == UINT64_MAX >> (64 - e->sets.all.count);
}

/* --- generating --- */

/* leaf 0: with lookups; else as searches with such leaves. */
static int generate(const struct skep_cbpf_program *program, size_t leaf, size_t limit,
		    struct skep_cbpf_insn **insns, size_t *count)
{
	struct graph graph;
	int error = graph_build_sets(&graph, program->plain, program->plain_count, program->stand_ins);

	if (error == 0)
		error = graph_optimise(&graph);
	if (error == 0 && leaf == 0)
		error = graph_lower_sets(&graph, &program->sets, 1, true);
	if (error == 0)
		error = graph_search(&graph);
	if (error == 0)
		error = graph_optimise(&graph);
	if (error == 0 && leaf)
		error = graph_share_lookups(&graph);
	if (error == 0 && leaf)
		error = graph_lower_sets(&graph, &program->sets, leaf, false);
	if (error == 0)
		error = graph_generate(&graph, limit, insns, count);
	graph_done(&graph);
	return error;
}

/* 0: made; 1: this expression is not for sets; else a negative errno. */
static int make(struct skep_cbpf_program *program, struct expression *e,
		struct skep_cbpf_insn *const both[2], const size_t counts[2])
{
	int error;

	program->stand_ins = calloc(counts[0] ? counts[0] : 1, sizeof(*program->stand_ins));
	if (!program->stand_ins)
		return -ENOMEM;
	if (!mark_stand_ins(e, both, counts, program->stand_ins))
		return 1;
	error = cbpf_check(both[0], counts[0], LONGEST, SKEP_CBPF_SOCKET, program->name, NULL);
	if (error < 0)
		return error == -ENOMEM ? error : 1;
	program->sets = e->sets;
	e->sets = (struct cbpf_sets){ 0 };
	program->plain = both[0];
	program->plain_count = counts[0];
	error = sets_build(&program->sets);
	if (error == 0)
		error = generate(program, 0, LONGEST, &program->insns, &program->count);
	program->plain = NULL; /* the caller's until it is all done */
	return error == -EOPNOTSUPP || error == -E2BIG ? 1 : error;
}

void skep_cbpf_program_free(struct skep_cbpf_program *program)
{
	if (!program)
		return;
	free(program->name);
	free(program->plain);
	free(program->stand_ins);
	free(program->insns);
	sets_done(&program->sets);
	free(program);
}

/* Compiles both texts; the program gets the first. */
static int compile(struct expression *e, skep_cbpf_compiler *compiler, void *arg,
		   struct skep_cbpf_program *program, struct skep_diag *diag)
{
	struct skep_cbpf_insn *both[STAND_INS] = { NULL };
	size_t counts[STAND_INS] = { 0 };
	int error = 0;

	for (unsigned i = 0; i < STAND_INS && error == 0; i++)
		error = compiler(arg, e->text[i].data, &both[i], &counts[i], diag);
	if (error == 0) {
		error = make(program, e, both, counts);
		if (error == -ENOMEM)
			skep_report(diag, SKEP_OOM, NULL, "compiling '%s'", program->name);
	}
	if (error == 0) {
		program->plain = both[0];
		both[0] = NULL;
	}
	free(both[0]);
	free(both[1]);
	return error;
}

int skep_cbpf_compile(const char *expression, const char *name, skep_cbpf_compiler *compiler,
		      void *arg, struct skep_cbpf_program **out, struct skep_diag *diag)
{
	struct skep_cbpf_program *program = calloc(1, sizeof(*program));
	struct expression e = { 0 };
	int error;

	*out = NULL;
	if (program)
		program->name = strdup(name);
	error = program && program->name ? expression_read(&e, expression) : -ENOMEM;
	if (error < 0)
		skep_report(diag, SKEP_OOM, NULL, "reading an expression");
	else if (e.sets.all.count)
		error = compile(&e, compiler, arg, program, diag);
	else
		error = 1;
	expression_done(&e);
	if (error == 0)
		*out = program;
	else
		skep_cbpf_program_free(program);
	return MIN(error, 0);
}

int skep_cbpf_program_new(const struct skep_cbpf_insn *insns, size_t count, const char *name,
			  struct skep_cbpf_program **out, struct skep_diag *diag)
{
	struct skep_cbpf_program *program;
	int error = skep_cbpf_check(insns, count, SKEP_CBPF_SOCKET, name, diag);

	if (error < 0)
		return error;
	program = calloc(1, sizeof(*program));
	if (program) {
		program->name = strdup(name);
		program->insns = malloc(count * sizeof(*insns));
	}
	if (!program || !program->name || !program->insns) {
		skep_cbpf_program_free(program);
		return skep_fail(diag, SKEP_OOM, NULL, "filter '%s'", name);
	}
	memcpy(program->insns, insns, count * sizeof(*insns));
	program->count = count;
	*out = program;
	return 0;
}

/* --- what it is --- */

static const char *members_of(const struct cbpf_set *set)
{
	return set->width == SET_PORTS ? "ports" : set->width == SET_ADDRESSES ? "addresses of IPv4" :
	       "addresses of IPv6";
}

int skep_cbpf_program_line(const struct skep_cbpf_program *program, size_t index, char *text,
			   size_t size)
{
	const struct skep_cbpf_insn *insn = &program->insns[index];
	bool bytes = insn->code == CBPF_CODE_IN_BYTES;
	const struct cbpf_set *set;
	char at[24] = "";

	if (!bytes && insn->code != CBPF_CODE_IN)
		return skep_cbpf_disasm(program->insns, program->count, index, SKEP_CBPF_LISTING, text, size);
	set = &program->sets.all.items[bytes ? insn->k >> 16 : insn->k];
	if (bytes)
		snprintf(at, sizeof(at), "[%u:16] ", insn->k & UINT16_MAX);
	return snprintf(text, size, "in       %sset of %zu %s  jt %zu\tjf %zu", at, set->written,
			members_of(set), index + 1 + insn->jt, index + 1 + insn->jf);
}

size_t skep_cbpf_program_numbers(const struct skep_cbpf_program *program)
{
	size_t all = 0;

	for (size_t i = 0; i < program->sets.all.count; i++)
		all += program->sets.all.items[i].written;
	return all;
}

/* Numbers that a search has to compare with, at the least. */
static size_t least_comparisons(const struct cbpf_sets *sets)
{
	size_t all = 0;

	for (size_t i = 0; i < sets->all.count; i++) {
		const struct cbpf_set *set = &sets->all.items[i];

		for (size_t k = 0; k < set->members.count; k++) {
			struct set_number next = set->members.items[k].first;

			if (next.low-- == 0)
				next.high--;
			all += k == 0 || set_compare(set->members.items[k - 1].last, next) != 0;
		}
	}
	return all;
}

static int too_long(const struct skep_cbpf_program *program, struct skep_diag *diag)
{
	struct skep_where where = SKEP_NOWHERE;

	where.program = program->name;
	skep_report(diag, SKEP_CBPF_LENGTH, &where,
		    "it looks for %zu addresses or ports, and to search them takes more than the %u "
		    "instructions of classic BPF", skep_cbpf_program_numbers(program), SKEP_CBPF_MAX);
	skep_help(diag, "eBPF looks them up in a table of any size: --xdp, --tc, --ebpf; so does -r");
	return -SKEP_CBPF_LENGTH_ERRNO;
}

static int copy_insns(const struct skep_cbpf_program *program, struct skep_cbpf_insn **insns,
		      size_t *count, struct skep_diag *diag)
{
	*insns = malloc(program->count * sizeof(**insns));
	if (!*insns)
		return skep_fail(diag, SKEP_OOM, NULL, "filter '%s'", program->name);
	memcpy(*insns, program->insns, program->count * sizeof(**insns));
	*count = program->count;
	return 0;
}

int skep_cbpf_program_classic(const struct skep_cbpf_program *program, struct skep_cbpf_insn **insns,
			      size_t *count, struct skep_diag *diag)
{
	int error = -E2BIG;

	if (program->sets.all.count == 0)
		return copy_insns(program, insns, count, diag);
	if (least_comparisons(&program->sets) > SKEP_CBPF_MAX)
		return too_long(program, diag);
	for (size_t leaf = 1; leaf <= SKEP_CBPF_MAX && error == -E2BIG; leaf *= 4)
		error = generate(program, leaf, SKEP_CBPF_MAX, insns, count);
	if (error == 0) { /* Linux would not take jumps that are too far for it, once converted */
		error = skep_cbpf_check(*insns, *count, SKEP_CBPF_SOCKET, program->name, NULL);
		if (error < 0) {
			free(*insns);
			*insns = NULL;
		}
	}
	if (error == -ENOMEM)
		return skep_fail(diag, SKEP_OOM, NULL, "compiling '%s'", program->name);
	return error < 0 ? too_long(program, diag) : 0;
}

int skep_cbpf_program_to_ebpf(const struct skep_cbpf_program *program, enum skep_cbpf_target target,
			      struct skep_cbpf_ebpf *out, struct skep_diag *diag)
{
	struct cbpf_code code = program_code(program);
	struct cbpf_program made;
	int error = cbpf_convert(&code, (enum cbpf_target)target, program->name, &made, diag);

	if (error == 0)
		*out = (struct skep_cbpf_ebpf){ .insns = made.insns, .count = made.count,
						.places = made.data, .place_count = made.data_count,
						.starts = made.starts, .start_count = program->count,
						.data = program->sets.data,
						.data_size = program->sets.size };
	return error;
}

void skep_cbpf_ebpf_done(struct skep_cbpf_ebpf *ebpf)
{
	free(ebpf->insns);
	free(ebpf->places);
	free(ebpf->starts);
	*ebpf = (struct skep_cbpf_ebpf){ 0 };
}
