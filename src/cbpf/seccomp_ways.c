/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seccomp_ways.c - every way that calls may take through one or two seccomp filters.
 *
 * What a filter asks is nearly always one word of the call, masked, against a constant. So a way
 * is a list of such questions with their answers, each about one word, and words do not
 * depend on each other: a way is possible if each word by itself has a value for all its
 * answers, which asks_solve() finds from the highest bit down. What else a filter
 * computes is anything: both answers are followed, and the walk is inexact.
 */
#include "cbpf/seccomp_ways.h"

#include <errno.h>
#include <linux/filter.h>
#include <string.h>

#include "cbpf/cbpf.h"

#define WAYS_MAX 200000u
#define SOLVE_MAX 100000u

/* --- one word --- */

/* May the answer come out so, when the word's bits in known are those of value? */
static bool may_hold(const struct ask *ask, uint32_t value, uint32_t known)
{
	uint32_t least = value & known & ask->mask, most = least | (ask->mask & ~known);

	switch ((enum ask_kind)ask->kind) {
	case ASK_EQUAL:
		if (ask->holds)
			return !(ask->k & ~ask->mask) && !((value ^ ask->k) & ask->mask & known);
		return least != most || least != ask->k;
	case ASK_ABOVE:
		return ask->holds ? most > ask->k : least <= ask->k;
	case ASK_NOT_BELOW:
		return ask->holds ? most >= ask->k : least < ask->k;
	case ASK_ANY_BIT:
		return ask->holds ? (most & ask->k) != 0 : (least & ask->k) == 0;
	}
	return true;
}

/* Bits that answers still depend on. False: one of them cannot come out so any more. */
static bool open_bits(const ask_vec *asks, unsigned word, uint32_t guess, uint32_t known, uint32_t *open)
{
	*open = 0;
	for (size_t i = 0; i < asks->count; i++) {
		struct ask ask = asks->items[i];

		if (ask.word != word)
			continue;
		if (!may_hold(&ask, guess, known))
			return false;
		ask.holds = !ask.holds;
		if (may_hold(&ask, guess, known))
			*open |= ask.kind == ASK_ANY_BIT ? ask.mask & ask.k : ask.mask;
	}
	return true;
}

bool asks_solve(const ask_vec *asks, unsigned word, uint32_t *value)
{
	uint32_t known = 0, guess = 0, tried = 0, open; /* tried: bits for which 1 is no other way */
	int bit = 31;

	/* depth first: 0 before 1, and back where neither goes */
	for (unsigned steps = 0; steps < SOLVE_MAX; steps++) {
		if (open_bits(asks, word, guess, known, &open)) {
			if (bit < 0 || !open)
				break;
			if (!(open >> bit & 1))
				tried |= 1u << bit;
			known |= 1u << bit--;
			continue;
		}
		while (++bit < 32 && tried >> bit & 1) {
			known &= ~(1u << bit);
			guess &= ~(1u << bit);
			tried &= ~(1u << bit);
		}
		if (bit == 32)
			return false;
		guess |= 1u << bit;
		tried |= 1u << bit--;
	}
	*value = guess; /* not one, if there were too many steps: who needs a proof runs the filter */
	return true;
}

/* --- the walk --- */

/* What a register or word of memory holds. */
struct symbol {
	enum { SYMBOL_CONSTANT, SYMBOL_WORD, SYMBOL_ANYTHING } kind;
	uint32_t value;          /* a constant, or the mask of a word */
	uint8_t word;
};

struct place {
	unsigned filter;
	size_t pc;
	struct symbol a, x, memory[CBPF_MEMORY];
	uint32_t results[2];
};

struct walk {
	struct ways *ways;
	const struct skep_seccomp_calls *calls;
	ask_vec asks;
	unsigned count;
};

static int walk_on(struct walk *walk, struct place *place);

static const struct symbol anything = { SYMBOL_ANYTHING, 0, 0 };

static struct symbol constant(uint32_t value)
{
	return (struct symbol){ SYMBOL_CONSTANT, value, 0 };
}

static struct symbol compute(const struct cbpf_row *row, struct symbol a,
			     struct symbol right)
{

	if (a.kind == SYMBOL_CONSTANT && right.kind == SYMBOL_CONSTANT)
		return constant(cbpf_alu(row, a.value, right.value));
	if (row->code == (BPF_ALU | BPF_AND | BPF_K) && a.kind == SYMBOL_WORD) {
		a.value &= right.value;
		return a;
	}
	return anything;
}

/* With one more answer, if that is possible. */
static int walk_answer(struct walk *walk, const struct place *place, struct ask ask, size_t to)
{
	struct place next = *place;
	struct ask *kept = vec_push(&walk->asks);
	uint32_t value;
	int error = 0;

	if (!kept)
		return -ENOMEM;
	*kept = ask;
	next.pc = to;
	if (asks_solve(&walk->asks, ask.word, &value))
		error = walk_on(walk, &next);
	walk->asks.count--;
	return error;
}

static int kind_of(uint16_t code)
{
	static const struct { uint8_t op, kind; } kinds[] = {
		{ BPF_JEQ, ASK_EQUAL }, { BPF_JGT, ASK_ABOVE }, { BPF_JGE, ASK_NOT_BELOW }, { BPF_JSET, ASK_ANY_BIT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (kinds[i].op == BPF_OP(code))
			return kinds[i].kind;
	}
	return -1;
}

static int walk_both(struct walk *walk, const struct place *place, size_t yes, size_t no)
{
	struct place next = *place;
	int error;

	next.pc = yes;
	walk->ways->inexact = true;
	error = walk_on(walk, &next);
	if (error)
		return error;
	next = *place;
	next.pc = no;
	return walk_on(walk, &next);
}

static int walk_jump(struct walk *walk, struct place *place, const struct cbpf_row *row,
		     const struct skep_cbpf_insn *insn)
{
	size_t yes = cbpf_true_target(insn, place->pc), no = cbpf_false_target(insn, place->pc);
	struct symbol right = row->reg == CBPF_X ? place->x : constant(insn->k);
	int kind = kind_of(insn->code), error;
	struct ask ask;

	if (yes == no) {
		place->pc = yes;
		return walk_on(walk, place);
	}
	if (place->a.kind == SYMBOL_CONSTANT && right.kind == SYMBOL_CONSTANT) {
		place->pc = cbpf_holds(row, place->a.value, right.value) ? yes : no;
		return walk_on(walk, place);
	}
	if (place->a.kind != SYMBOL_WORD || right.kind != SYMBOL_CONSTANT || kind < 0)
		return walk_both(walk, place, yes, no);
	ask = (struct ask){ place->a.word, (uint8_t)kind, true, place->a.value, right.value };
	error = walk_answer(walk, place, ask, yes);
	ask.holds = false;
	return error ? error : walk_answer(walk, place, ask, no);
}

/* A filter is at its end: on to the other one, or to who wants to know. */
static int walk_return(struct walk *walk, struct place *place, struct symbol result)
{
	if (result.kind != SYMBOL_CONSTANT) {
		walk->ways->inexact = true;
		return 0;
	}
	place->results[place->filter] = result.value;
	if (place->filter + 1 < walk->ways->filter_count) {
		struct place next = { .filter = place->filter + 1, .results = { result.value } };

		return walk_on(walk, &next);
	}
	if (++walk->count > WAYS_MAX)
		return -E2BIG;
	return walk->ways->end(walk->ways->arg, &walk->asks, place->results);
}

/* A number that is known need not be asked for. */
static struct symbol load(const struct skep_seccomp_calls *calls, uint32_t offset)
{
	if (offset >= SECCOMP_DATA_SIZE)
		return anything;
	if (offset == 4 && !calls->other_archs)
		return constant(calls->audit);
	if (offset == 0 && !calls->other_archs && !calls->other_numbers)
		return constant(calls->low);
	return (struct symbol){ SYMBOL_WORD, UINT32_MAX, (uint8_t)(offset / 4) };
}

/* An instruction that goes on to the next one. */
static void step(struct walk *walk, struct place *place, const struct cbpf_row *row,
		 const struct skep_cbpf_insn *insn)
{
	struct symbol *into = row->reg == CBPF_X ? &place->x : &place->a;

	switch ((enum cbpf_kind)row->kind) {
	case CBPF_ABS:
		*into = load(walk->calls, insn->k);
		break;
	case CBPF_LEN:
		*into = constant(SECCOMP_DATA_SIZE);
		break;
	case CBPF_IMM:
		*into = constant(insn->k);
		break;
	case CBPF_MEM:
		*into = place->memory[insn->k];
		break;
	case CBPF_STORE:
		place->memory[insn->k] = *into;
		break;
	case CBPF_ALU:
		/* a division by zero would end the filter here */
		if (row->code == (BPF_ALU | BPF_DIV | BPF_X) &&
		    (place->x.kind != SYMBOL_CONSTANT || place->x.value == 0)) {
			walk->ways->inexact = true;
			place->a = anything;
			break;
		}
		place->a = compute(row, place->a, row->reg == CBPF_X ? place->x : constant(insn->k));
		break;
	case CBPF_NEG:
		place->a = place->a.kind == SYMBOL_CONSTANT ? constant(0 - place->a.value) : anything;
		break;
	case CBPF_TAX:
		place->x = place->a;
		break;
	case CBPF_TXA:
		place->a = place->x;
		break;
	case CBPF_IND:
	case CBPF_MSH:
	case CBPF_GOTO:
	case CBPF_JUMP:
	case CBPF_RETURN:
		*into = anything;
		break;
	}
	place->pc++;
}

static int walk_on(struct walk *walk, struct place *place)
{
	const struct skep_cbpf_insn *insns = walk->ways->filters[place->filter].insns;

	for (;;) {
		const struct skep_cbpf_insn *insn = &insns[place->pc];
		const struct cbpf_row *row = cbpf_row(insn->code);

		if (row->kind == CBPF_JUMP)
			return walk_jump(walk, place, row, insn);
		if (row->kind == CBPF_RETURN)
			return walk_return(walk, place, row->reg == CBPF_A ? place->a : constant(insn->k));
		if (row->kind == CBPF_GOTO)
			place->pc = cbpf_goto_target(insn, place->pc);
		else
			step(walk, place, row, insn);
	}
}

/* What is known of the calls before anything is asked. */
static bool begin(ask_vec *asks, const struct skep_seccomp_calls *calls)
{
	struct ask first[2 + SKEP_ARCH_COUNT];
	size_t count = 0;

	if (calls->other_archs) {
		for (int arch = 0; arch < SKEP_ARCH_COUNT; arch++)
			first[count++] = (struct ask){ 1, ASK_EQUAL, false, UINT32_MAX,
						       skep_arch_audit((enum skep_seccomp_arch)arch) };
	} else {
		first[count++] = (struct ask){ 1, ASK_EQUAL, true, UINT32_MAX, calls->audit };
		first[count++] = (struct ask){ 0, ASK_NOT_BELOW, true, UINT32_MAX, calls->low };
		first[count++] = (struct ask){ 0, ASK_ABOVE, false, UINT32_MAX,
					       calls->other_numbers ? calls->high : calls->low };
	}
	for (size_t i = 0; i < count; i++) {
		struct ask *kept = vec_push(asks);

		if (!kept)
			return false;
		*kept = first[i];
	}
	return true;
}

int ways_walk(struct ways *ways, const struct skep_seccomp_calls *calls)
{
	struct walk walk = { .ways = ways, .calls = calls };
	struct place place = { 0 };
	int error = begin(&walk.asks, calls) ? walk_on(&walk, &place) : -ENOMEM;

	vec_done(&walk.asks);
	return error;
}

/* --- two filters --- */

struct pair {
	struct ways ways;
	struct skep_cbpf_call *call;
};

static int find_difference(void *arg, const ask_vec *asks, const uint32_t *results)
{
	struct pair *pair = arg;
	uint32_t words[SECCOMP_WORDS];
	struct skep_cbpf_call call;

	if (results[0] == results[1])
		return 0;
	for (unsigned i = 0; i < SECCOMP_WORDS; i++)
		asks_solve(asks, i, &words[i]);
	memcpy(&call, words, sizeof(call));
	/* where something was not followed, or the search for values given up, the way may be none */
	pair->ways.inexact = true;
	if (skep_cbpf_run_call(pair->ways.filters[0].insns, pair->ways.filters[0].count, &call) ==
	    skep_cbpf_run_call(pair->ways.filters[1].insns, pair->ways.filters[1].count, &call))
		return 0;
	*pair->call = call;
	return 1;
}

int skep_seccomp_compare(const struct skep_cbpf_insn *a, size_t a_count,
			 const struct skep_cbpf_insn *b, size_t b_count,
			 const struct skep_seccomp_calls *calls, struct skep_cbpf_call *call)
{
	struct pair pair = { .ways = { .filters = { { a, a_count }, { b, b_count } }, .filter_count = 2,
				       .end = find_difference }, .call = call };
	int result;

	pair.ways.arg = &pair;
	result = ways_walk(&pair.ways, calls);
	if (result == 1)
		return SKEP_CBPF_DIFFER;
	if (result == -ENOMEM)
		return result;
	return result || pair.ways.inexact ? SKEP_CBPF_UNKNOWN : SKEP_CBPF_EQUAL;
}
