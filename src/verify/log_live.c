/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_live.c - level 2 of the log: the registers live before each instruction.
 *
 *     2  11: .1....6... (61) r2 = *(u32 *)(r1 +0)              ; zext
 *
 * In front the loop the instruction is in: instructions from each of which
 * control can come back to it (strongly connected ones), numbered as a walk
 * from each function's start is done with them. Behind, whether the upper half
 * of what it writes with 32 bits is read.
 */
#include "verify/call.h"
#include "verify/passes.h"

static uint16_t bit(unsigned reg)
{
	return (uint16_t)(1u << reg);
}

/* --- loops --- */

struct walk {
	uint32_t *order, *low;   /* by instruction: when it was come to (0: not yet), and the
				  * earliest it leads back to */
	uint32_t *path, *open, *edge; /* the walk; instructions not in a loop yet; next edges */
	uint32_t depth, open_count, come;
	uint32_t *loop, loops;
};

static void come_to(struct walk *walk, uint32_t pc)
{
	walk->order[pc] = walk->low[pc] = ++walk->come;
	walk->path[walk->depth++] = pc;
	walk->open[walk->open_count++] = pc;
}

/* What is called back, now or later, comes back to the call. */
static bool calls_back(const struct env *env, uint32_t pc)
{
	const struct insn *insn = &env->insns[pc];

	return env->info[pc].calls_callback ||
	       (insn->kind == INSN_CALL && insn->op == CALL_HELPER &&
		helper_calls_back((uint32_t)insn->imm));
}

/* What is open from pc on can all be come back to. One alone is a loop if it leads to itself. */
static void close_from(const struct env *env, struct walk *walk, uint32_t pc, bool itself)
{
	bool alone = walk->open[walk->open_count - 1] == pc;
	uint32_t loop = alone && !itself && !calls_back(env, pc) ? 0 : ++walk->loops;

	do {
		walk->low[walk->open[--walk->open_count]] = UINT32_MAX;
		walk->loop[walk->open[walk->open_count]] = loop;
	} while (walk->open[walk->open_count] != pc);
}

static bool leads_to_itself(const struct env *env, uint32_t pc)
{
	uint32_t own[2];
	unsigned count;
	const uint32_t *next = insn_successors(env, pc, own, &count);

	for (unsigned i = 0; i < count; i++)
		if (next[i] == pc)
			return true;
	return false;
}

static void walk_from(const struct env *env, struct walk *walk, uint32_t start)
{
	come_to(walk, start);
	while (walk->depth) {
		uint32_t pc = walk->path[walk->depth - 1], own[2];
		unsigned count;
		const uint32_t *next = insn_successors(env, pc, own, &count);

		if (walk->edge[pc] < count) {
			uint32_t to = next[walk->edge[pc]];

			if (to < env->len && !walk->order[to]) {
				come_to(walk, to); /* this edge again when it is done */
				continue;
			}
			walk->edge[pc]++;
			if (to < env->len && walk->low[to] != UINT32_MAX)
				walk->low[pc] = MIN(walk->low[pc], walk->low[to]);
			continue;
		}
		walk->depth--;
		if (walk->low[pc] == walk->order[pc])
			close_from(env, walk, pc, leads_to_itself(env, pc));
	}
}

/* By instruction, the number of its loop, or 0; NULL: no memory. */
static uint32_t *find_loops(struct env *env)
{
	uint32_t *all = env_alloc(env, env->len * 6 * sizeof(*all));
	uint32_t *loop = env_alloc(env, env->len * sizeof(*loop));
	struct walk walk = { .loop = loop };

	if (all && loop) {
		walk.order = all;
		walk.low = all + env->len;
		walk.path = all + 2 * env->len;
		walk.open = all + 3 * env->len;
		walk.edge = all + 4 * env->len;
		for (uint32_t pc = 0; pc < env->len; pc++)
			if (!walk.order[pc] && env->insns[pc].kind != INSN_PAD)
				walk_from(env, &walk, pc);
	}
	env_free(env, all);
	return loop;
}

/* --- upper halves --- */

/* Does it write a register by 32 bits or less, which zeroes the rest? */
static bool writes_half(const struct insn *insn)
{
	if (insn->kind == INSN_ALU)
		return insn->width < 8;
	if (insn->kind == INSN_LOAD)
		return insn->width < 8 && !insn->sign_extend;
	return insn->kind == INSN_LOAD_PACKET ||
	       (insn->kind == INSN_ATOMIC && insn->width < 8 && insn->op != ATOMIC_STORE_REL);
}

/* Of the registers it reads, those of which it reads no more than the lower half. */
static uint16_t reads_half(const struct insn *insn, uint16_t reads)
{
	if (insn->kind == INSN_ALU || insn->kind == INSN_JUMP)
		return insn->width == 4 ? reads : 0;
	if (insn->kind == INSN_STORE || insn->kind == INSN_ATOMIC)
		return insn->width < 8 && !insn->source_is_imm && insn->src != insn->dst
			       ? bit(insn->src) : 0;
	return 0;
}

/* Registers whose upper half is live before each instruction. */
static uint16_t *find_wide(struct env *env)
{
	uint16_t *wide = env_alloc(env, env->len * sizeof(*wide));
	bool changed = true;

	while (wide && changed) {
		changed = false;
		for (uint32_t pc = env->len; pc-- > 0;) {
			uint16_t after = 0, reads, writes;
			uint32_t own[2];
			unsigned count;
			const uint32_t *next = insn_successors(env, pc, own, &count);

			for (unsigned i = 0; i < count; i++)
				after |= next[i] < env->len ? wide[next[i]] : 0;
			insn_effect(env, pc, &reads, &writes);
			reads &= (uint16_t)~reads_half(&env->insns[pc], reads);
			after = (uint16_t)((after & ~writes) | reads);
			changed |= after != wide[pc];
			wide[pc] = after;
		}
	}
	return wide;
}

static bool is_extended(struct env *env, const uint16_t *wide, uint32_t pc)
{
	uint16_t after = 0, reads, writes;
	uint32_t own[2];
	unsigned count;
	const uint32_t *next = insn_successors(env, pc, own, &count);

	if (!writes_half(&env->insns[pc]))
		return false;
	for (unsigned i = 0; i < count; i++)
		after |= next[i] < env->len ? wide[next[i]] : 0;
	insn_effect(env, pc, &reads, &writes);
	return after & (env->insns[pc].kind == INSN_LOAD_PACKET ? bit(0) : writes);
}

/* --- what is printed --- */

static void trace_line(struct env *env, uint32_t pc, uint32_t loop, bool extended)
{
	size_t start, width;

	if (loop)
		trace(env, 2, "%3u ", loop);
	else
		trace(env, 2, "    ");
	trace(env, 2, "%3u: ", pc);
	for (unsigned r = 0; r < REG_FP; r++)
		trace(env, 2, "%c", env->info[pc].live >> r & 1 ? (int)('0' + r) : '.');
	trace(env, 2, " ");
	start = log_position(env);
	trace_text(env, pc);
	if (!extended)
		return;
	log_go_back(env, log_position(env) - 1);
	width = log_position(env) - start;
	trace(env, 2, "%*s; zext\n", (int)(log_column(width) - width), "");
}

int trace_live(struct env *env)
{
	uint32_t *loop = find_loops(env);
	uint16_t *wide = find_wide(env);

	if (!loop || !wide)
		return -ENOMEM;
	trace(env, 2, "Live regs before insn:\n");
	for (uint32_t pc = 0; pc < env->len; pc++)
		if (env->insns[pc].kind != INSN_PAD)
			trace_line(env, pc, loop[pc], is_extended(env, wide, pc));
	env_free(env, wide);
	env_free(env, loop);
	return 0;
}
