/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log_stack.c - level 2 of the log, before exploration: where registers and
 * slots point into the stacks.
 *
 * live_stack.c decides; this only tells, in the steps and the words of Linux
 * 7.3's log, which goes over each function with a domain of its own:
 *
 *     fp0-8            one place      fp0-16|fp0-8     up to four
 *     fp0 ?            somewhere in the stack of frame 0
 *     IMP3             somewhere in the stacks of a mask, or a number
 *     _                nothing of the stack
 *
 * Every pass prints what each instruction changes and what joins change; then
 * comes the function, with what is known where it touches memory; then the
 * functions it passes pointers to, from the last call to the first.
 */
#include "verify/log_stack.h"

#include <stdio.h>

enum {
	LOOK_INSNS_MAX = 16384,   /* in one function */
	INSNS_MAX = 1 << 17,      /* in all looks */
	ROUNDS_MAX = 256,
	TEXT = 64,
};

static const struct track nowhere = { .frame = TRACK_NONE };

static struct track somewhere(int frame)
{
	return (struct track){ .frame = (int8_t)frame };
}

static struct track vague(uint16_t frames)
{
	return (struct track){ .frame = TRACK_VAGUE, .frames = frames };
}

static struct track place(int frame, int16_t off)
{
	return (struct track){ .frame = (int8_t)frame, .count = 1, .off = { off } };
}

static bool same(struct track a, struct track b)
{
	return a.frame == b.frame && a.count == b.count && a.frames == b.frames &&
	       !memcmp(a.off, b.off, sizeof(a.off));
}

uint16_t track_frames(struct track track)
{
	if (track.frame < 0)
		return track.frames;
	return (uint16_t)(1u << track.frame);
}

static const char *track_text(struct track track, char text[TEXT])
{
	size_t len = 0;

	if (track.frame == TRACK_NONE)
		return "_";
	if (track.frame == TRACK_VAGUE)
		snprintf(text, TEXT, "IMP%x", track.frames);
	else if (!track.count)
		snprintf(text, TEXT, "fp%d ?", track.frame);
	for (unsigned i = 0; i < track.count; i++)
		len += (size_t)snprintf(text + len, TEXT - len, "%sfp%d%+d", i ? "|" : "",
					track.frame, track.off[i]);
	return text;
}

/* --- the domain --- */

static struct track join_offsets(struct track a, struct track b)
{
	struct track both = somewhere(a.frame);
	unsigned i = 0, k = 0;

	while (i < a.count || k < b.count) {
		int16_t next = k == b.count || (i < a.count && a.off[i] < b.off[k]) ? a.off[i]
										    : b.off[k];

		if (both.count == TRACK_OFFSETS)
			return somewhere(a.frame);
		both.off[both.count++] = next;
		i += i < a.count && a.off[i] == next;
		k += k < b.count && b.off[k] == next;
	}
	return both;
}

static struct track join(struct track a, struct track b)
{
	if (a.frame == TRACK_UNSEEN || same(a, b))
		return b;
	if (a.frame == TRACK_VAGUE || b.frame == TRACK_VAGUE ||
	    (a.frame >= 0 && b.frame >= 0 && a.frame != b.frame))
		return vague(track_frames(a) | track_frames(b));
	/* What is none counts as the upper end of the stack that the other points into. */
	if (a.frame == TRACK_NONE)
		a = place(b.frame, 0);
	if (b.frame == TRACK_NONE)
		b = place(a.frame, 0);
	return a.count && b.count ? join_offsets(a, b) : somewhere(a.frame);
}

static struct track moved(struct track track, int64_t by)
{
	for (unsigned i = 0; i < track.count; i++) {
		int64_t off = track.off[i] + by;

		if (off < INT16_MIN || off > INT16_MAX)
			return somewhere(track.frame);
		track.off[i] = (int16_t)off;
	}
	return track;
}

/* A sum with something that is not known. */
static struct track mixed(struct track a, struct track b)
{
	if (a.frame == TRACK_NONE && b.frame == TRACK_NONE)
		return nowhere;
	if (a.frame == TRACK_VAGUE || b.frame == TRACK_VAGUE ||
	    (a.frame >= 0 && b.frame >= 0 && a.frame != b.frame))
		return vague(track_frames(a) | track_frames(b));
	return somewhere(a.frame >= 0 ? a.frame : b.frame);
}

static struct track after_alu(const struct insn *insn, const struct track_row *row)
{
	struct track dst = row->reg[insn->dst];
	struct track src = insn->source_is_imm ? nowhere : row->reg[insn->src];

	if (insn->width != 8 || insn->sign_extend)
		return nowhere;
	if (insn->op == ALU_MOV)
		return src;
	if (insn->op != ALU_ADD && insn->op != ALU_SUB)
		return dst.frame == TRACK_NONE && src.frame == TRACK_NONE
			       ? nowhere : vague(track_frames(dst) | track_frames(src));
	if (!insn->source_is_imm)
		return mixed(dst, src);
	return moved(dst, insn->op == ALU_ADD ? insn->imm : -insn->imm);
}

/* The slot of frame's stack at off, or NULL: there is no whole one. */
static struct track *slot_at(struct look *look, struct track_row *row, int frame, int64_t off)
{
	if (off >= 0 || off < -INSN_STACK_SIZE || off % SLOT_SIZE)
		return NULL;
	for (; look && (int)look->depth > frame; look = look->caller)
		row = &look->caller->row[look->callsite - look->caller->start];
	return look ? &row->slot[-off / SLOT_SIZE - 1] : NULL;
}

static struct track filled(struct look *look, const struct insn *insn, struct track_row *row)
{
	struct track pointer = row->reg[insn->src];
	/* By r10 it is what is there; by another register perhaps not. */
	struct track value = insn->src == REG_FP ? somewhere(TRACK_UNSEEN) : nowhere;

	if (insn->width != SLOT_SIZE || pointer.frame == TRACK_NONE)
		return nowhere;
	if (pointer.frame == TRACK_VAGUE || !pointer.count)
		return vague(track_frames(pointer));
	for (unsigned i = 0; i < pointer.count; i++) {
		struct track *slot = slot_at(look, row, pointer.frame, pointer.off[i] + insn->off);

		if (!slot)
			return vague(track_frames(pointer));
		value = join(value, *slot);
	}
	return value;
}

static void spill(struct look *look, const struct insn *insn, struct track_row *row)
{
	struct track pointer = row->reg[insn->dst];
	struct track value = insn->source_is_imm || insn->width != SLOT_SIZE ? nowhere
									    : row->reg[insn->src];
	bool sure = pointer.count == 1;

	if (pointer.frame != (int)look->depth &&
	    !(pointer.frame == TRACK_VAGUE && pointer.frames >> look->depth & 1))
		return;
	for (int s = 0; s < STACK_SLOTS; s++) {
		int low = -(s + 1) * SLOT_SIZE;
		bool hit = !pointer.count, whole = false;

		for (unsigned i = 0; i < pointer.count; i++) {
			int off = pointer.off[i] + insn->off;

			hit |= off < low + SLOT_SIZE && off + insn->width > low;
			whole |= off == low && insn->width == SLOT_SIZE;
		}
		if (hit && sure)
			row->slot[s] = whole ? value : nowhere;
		else if (hit)
			row->slot[s] = join(row->slot[s], value);
	}
}

static void after_insn(const struct env *env, struct look *look, uint32_t pc, struct track_row *row)
{
	const struct insn *insn = &env->insns[pc];

	switch ((enum insn_kind)insn->kind) {
	case INSN_ALU:
		row->reg[insn->dst] = after_alu(insn, row);
		break;
	case INSN_IMM64:
	case INSN_LOAD_ARG:
		row->reg[insn->dst] = nowhere;
		break;
	case INSN_CAST:
		row->reg[insn->dst] = row->reg[insn->src];
		break;
	case INSN_LOAD:
		row->reg[insn->dst] = filled(look, insn, row);
		break;
	case INSN_STORE:
		spill(look, insn, row);
		break;
	case INSN_ATOMIC:
		if (insn->op == ATOMIC_LOAD_ACQ)
			row->reg[insn->dst] = filled(look, insn, row);
		else
			spill(look, insn, row);
		if (insn->op == ATOMIC_CMPXCHG)
			row->reg[0] = nowhere;
		else if (insn->op >= ATOMIC_FETCH_ADD && insn->op <= ATOMIC_XCHG)
			row->reg[insn->src] = nowhere;
		break;
	case INSN_CALL:
	case INSN_LOAD_PACKET:
		for (int i = 0; i <= 5; i++)
			row->reg[i] = nowhere;
		break;
	case INSN_JUMP: case INSN_GOTO: case INSN_GOTO_REG: case INSN_MAY_GOTO: case INSN_EXIT:
	case INSN_PAD: case INSN_INVALID: case INSN_STORE_ARG:
		break;
	case INSN_KIND_COUNT:
		__builtin_unreachable();
	}
}

/* --- what is printed --- */

static void name_slot(char name[16], unsigned i)
{
	if (i < REG_COUNT)
		snprintf(name, 16, "r%u", i);
	else
		snprintf(name, 16, "fp%d", -(int)(i - REG_COUNT + 1) * SLOT_SIZE);
}

/* Registers first, then slots. */
static struct track *nth(struct track_row *row, unsigned i)
{
	return i < REG_COUNT ? &row->reg[i] : &row->slot[i - REG_COUNT];
}

size_t trace_numbered(struct env *env, uint32_t pc)
{
	size_t before = log_position(env);

	trace(env, 2, "%3u: ", pc);
	trace_text(env, pc);
	log_go_back(env, log_position(env) - 1);
	return log_position(env) - before;
}

static void trace_changes(struct env *env, uint32_t pc, struct track_row *before,
			  struct track_row *after)
{
	bool any = false;
	char name[16], old[TEXT], new[TEXT];

	for (unsigned i = 0; i < REG_COUNT + STACK_SLOTS; i++) {
		if (same(*nth(before, i), *nth(after, i)))
			continue;
		if (!any)
			trace_numbered(env, pc);
		any = true;
		name_slot(name, i);
		trace(env, 2, "\t%s: %s -> %s", name, track_text(*nth(before, i), old),
		      track_text(*nth(after, i), new));
	}
	if (any)
		trace(env, 2, "\n");
}

static bool join_rows(struct env *env, uint32_t from, uint32_t to, struct track_row *row,
		      struct track_row *add)
{
	char name[16], old[TEXT], with[TEXT], new[TEXT];
	bool changed = false;

	if (!row->seen) {
		*row = *add;
		row->seen = true;
		return true;
	}
	for (unsigned i = 0; i < REG_COUNT + STACK_SLOTS; i++) {
		struct track joined = join(*nth(row, i), *nth(add, i));

		if (same(joined, *nth(row, i)))
			continue;
		changed = true;
		name_slot(name, i);
		trace(env, 2, "arg JOIN insn %u -> %u %s: %s + %s => %s\n", from, to, name,
		      track_text(*nth(row, i), old), track_text(*nth(add, i), with),
		      track_text(joined, new));
		*nth(row, i) = joined;
	}
	return changed;
}

/* Stores of constants are not among them. */
static bool touches_memory(const struct insn *insn)
{
	return insn->kind == INSN_LOAD || insn->kind == INSN_ATOMIC || insn->kind == INSN_CALL ||
	       (insn->kind == INSN_STORE && !insn->source_is_imm);
}

static void trace_function(struct env *env, struct look *look)
{
	const char *name = env->subprog[look->subprog].name;
	char text[TEXT], place_name[16];

	trace(env, 2, "subprog#%u%s%s:\n", look->subprog, name ? " " : "", name ? name : "");
	for (uint32_t pc = look->start; pc < look->start + look->len; pc++) {
		struct track_row *row = &look->row[pc - look->start];
		bool any = false;

		if (env->insns[pc].kind == INSN_PAD)
			continue;
		trace_numbered(env, pc);
		for (unsigned i = 0; row->seen && touches_memory(&env->insns[pc]) &&
				     i < REG_COUNT + STACK_SLOTS; i++) {
			if (i == REG_FP || nth(row, i)->frame == TRACK_NONE)
				continue;
			name_slot(place_name, i);
			trace(env, 2, "%s%s=%s", any ? " " : " // ", place_name,
			      track_text(*nth(row, i), text));
			any = true;
		}
		trace(env, 2, "\n");
	}
}

/* --- one function --- */

struct order_walk {
	uint32_t *stack, *edge;
	bool *visited;
	uint32_t depth;
};

static void walk_order(struct env *env, struct look *look, struct order_walk *walk)
{
	uint32_t done = look->len, own[2];

	walk->stack[walk->depth++] = look->start;
	walk->visited[0] = true;
	while (walk->depth) {
		uint32_t pc = walk->stack[walk->depth - 1], i = pc - look->start;
		unsigned count;
		const uint32_t *next = insn_successors(env, pc, own, &count);

		if (walk->edge[i] == count) {
			look->order[--done] = pc;
			walk->depth--;
			continue;
		}
		pc = next[count - 1 - walk->edge[i]++]; /* the last successor first */
		if (pc - look->start >= look->len || walk->visited[pc - look->start])
			continue;
		walk->visited[pc - look->start] = true;
		walk->stack[walk->depth++] = pc;
	}
	look->order_count = look->len - done;
	memmove(look->order, look->order + done, look->order_count * sizeof(*look->order));
}

static int find_order(struct env *env, struct look *look)
{
	struct order_walk walk = {
		.stack = env_alloc(env, look->len * sizeof(uint32_t)),
		.edge = env_alloc(env, look->len * sizeof(uint32_t)),
		.visited = env_alloc(env, look->len),
	};
	bool ok = walk.stack && walk.edge && walk.visited;

	if (ok)
		walk_order(env, look, &walk);
	env_free(env, walk.visited);
	env_free(env, walk.edge);
	env_free(env, walk.stack);
	return ok ? 0 : -ENOMEM;
}

static bool pass(struct env *env, struct look *look, struct track_row *after)
{
	bool changed = false;

	for (uint32_t n = 0; n < look->order_count; n++) {
		uint32_t pc = look->order[n], own[2];
		struct track_row *row = &look->row[pc - look->start];
		const uint32_t *next;
		unsigned count;

		if (!row->seen)
			continue;
		*after = *row;
		after_insn(env, look, pc, after);
		trace_changes(env, pc, row, after);
		next = insn_successors(env, pc, own, &count);
		for (unsigned i = 0; i < count; i++)
			if (next[i] - look->start < look->len)
				changed |= join_rows(env, pc, next[i],
						     &look->row[next[i] - look->start], after);
	}
	return changed;
}

/* What it is called with, by the call's arguments or to the register a callback gets it in. */
static void enter_look(struct look *look, const struct track arg[6])
{
	struct track_row *row = &look->row[0];

	row->seen = true;
	for (unsigned i = 0; i < REG_COUNT + STACK_SLOTS; i++)
		*nth(row, i) = nowhere;
	for (int i = 1; i <= 5; i++)
		row->reg[i] = arg[i];
	row->reg[REG_FP] = place((int)look->depth, 0);
}

static int look_at(struct env *env, struct looks *looks, struct look *caller, uint32_t callsite,
		   uint32_t subprog, const struct track arg[6], struct look **made);

/* What a call passes on: false when no pointer to a stack is among it. */
static bool passed_on(struct env *env, struct look *look, uint32_t pc, uint32_t *subprog,
		      struct track arg[6])
{
	const struct track_row *row = &look->row[pc - look->start];
	bool any = false;
	int reg = callback_context(&env->insns[pc]), callee;

	for (int i = 0; i <= 5; i++)
		arg[i] = nowhere;
	if (env->insns[pc].op == CALL_LOCAL) {
		callee = subprog_at(env, (uint32_t)insn_target(&env->insns[pc], pc));
		if (callee < 0)
			return false;
		*subprog = (uint32_t)callee;
		memcpy(arg + 1, row->reg + 1, 5 * sizeof(*arg));
	} else if (reg && look->calls_back[pc - look->start]) {
		*subprog = look->calls_back[pc - look->start] - 1;
		arg[reg] = row->reg[3];
	} else {
		return false;
	}
	for (int i = 1; i <= 5; i++)
		any |= arg[i].frame != TRACK_NONE;
	return any;
}

static int look_at_callees(struct env *env, struct looks *looks, struct look *look)
{
	int error = 0;

	for (uint32_t n = look->order_count; n-- > 0 && !error;) {
		uint32_t pc = look->order[n], subprog;
		struct look *callee = NULL;
		struct track arg[6];

		if (env->insns[pc].kind != INSN_CALL || !look->row[pc - look->start].seen ||
		    look->depth + 1 >= FRAMES_MAX || !passed_on(env, look, pc, &subprog, arg))
			continue;
		error = look_at(env, looks, look, pc, subprog, arg, &callee);
		if (callee)
			look_adds_callee(look, pc, callee);
	}
	return error;
}

static void keep(struct looks *looks, struct look *look)
{
	struct look **link = &looks->first;

	while (*link && (*link)->callsite <= look->callsite)
		link = &(*link)->next;
	look->next = *link;
	*link = look;
}

static int go_over(struct env *env, struct look *look)
{
	struct track_row *after = env_alloc(env, sizeof(*after));
	int error = after ? find_order(env, look) : -ENOMEM;

	for (unsigned round = 0; !error && pass(env, look, after) && round < ROUNDS_MAX; round++)
		;
	env_free(env, after);
	return error;
}

static int look_at(struct env *env, struct looks *looks, struct look *caller, uint32_t callsite,
		   uint32_t subprog, const struct track arg[6], struct look **made)
{
	const struct subprog *of = &env->subprog[subprog];
	struct look *look;
	int error = -ENOMEM;

	looks->seen[subprog] = true;
	looks->insns += of->end - of->start;
	if (of->end - of->start > LOOK_INSNS_MAX || looks->insns > INSNS_MAX)
		return 0;
	look = env_alloc(env, sizeof(*look));
	if (!look)
		return -ENOMEM;
	*look = (struct look){ .caller = caller, .subprog = subprog, .start = of->start,
			       .len = of->end - of->start, .depth = caller ? caller->depth + 1 : 0,
			       .callsite = callsite };
	look->row = env_alloc(env, look->len * sizeof(*look->row));
	look->order = env_alloc(env, look->len * sizeof(*look->order));
	trace(env, 2, "subprog#%u: analyzing (depth %u)...\n", subprog, look->depth);
	if (look->row && look->order) {
		enter_look(look, arg);
		error = go_over(env, look);
	}
	if (!error) {
		trace_function(env, look);
		error = look_effects(env, look);
	}
	if (!error)
		error = look_at_callees(env, looks, look);
	if (!error)
		error = look_solve(env, look);
	env_free(env, look->calls_back);
	env_free(env, look->order);
	env_free(env, look->row);
	look->row = NULL;
	keep(looks, look);
	if (made)
		*made = look;
	return error;
}

/* --- the program --- */

struct topology {
	bool visited[SUBPROGS_MAX + 2];
	uint32_t order[SUBPROGS_MAX + 2]; /* callees first */
	uint32_t count;
};

/* Of one function's callees those that a walk through it is done with first. */
static int find_topology(struct env *env, struct topology *topology, uint32_t s)
{
	const struct subprog *of = &env->subprog[s];
	struct look look = { .start = of->start, .len = of->end - of->start };
	int error = -ENOMEM;

	topology->visited[s] = true;
	look.order = env_alloc(env, look.len * sizeof(*look.order));
	if (look.order)
		error = find_order(env, &look);
	for (uint32_t n = look.order_count; n-- > 0 && !error;) {
		int64_t callee = insn_callee(env, look.order[n]);
		int to = callee < 0 ? -1 : subprog_at(env, (uint32_t)callee);

		if (to >= 0 && !topology->visited[to])
			error = find_topology(env, topology, (uint32_t)to);
	}
	env_free(env, look.order);
	topology->order[topology->count++] = s;
	return error;
}

static int trace_topology(struct env *env, struct topology *topology)
{
	int error = 0;

	for (uint32_t s = 0; !error && s < env->subprog_count; s++)
		if (!topology->visited[s])
			error = find_topology(env, topology, s);
	for (uint32_t i = 0; !error && i < topology->count; i++) {
		const char *name = env->subprog[topology->order[i]].name;

		trace(env, 2, "topo_order[%u] = %s\n", i, name ? name : "");
	}
	return error;
}

/* Callers first, so that what is called with pointers has been looked at so. */
static int look_at_all(struct env *env, const struct topology *topology, struct looks *looks)
{
	struct track arg[6];
	int error = 0;

	for (int i = 0; i <= 5; i++)
		arg[i] = nowhere;
	for (uint32_t i = topology->count; i-- > 0 && !error;) {
		uint32_t s = topology->order[i];

		if (!looks->seen[s] || env->subprog[s].is_global)
			error = look_at(env, looks, NULL, env->subprog[s].start, s, arg, NULL);
	}
	return error;
}

static void end_look(struct env *env, struct look *look, bool print)
{
	if (print)
		trace_look_effects(env, look);
	for (unsigned f = 0; f < FRAMES_MAX; f++) {
		env_free(env, look->reads[f]);
		env_free(env, look->replaces[f]);
	}
	env_free(env, look);
}

int trace_stacks(struct env *env)
{
	struct topology *topology = env_alloc(env, sizeof(*topology));
	struct looks *looks = env_alloc(env, sizeof(*looks));
	int error = topology && looks ? trace_topology(env, topology) : -ENOMEM;

	if (!error)
		error = look_at_all(env, topology, looks);
	while (looks && looks->first) {
		struct look *look = looks->first;

		looks->first = look->next;
		end_look(env, look, !error);
	}
	env_free(env, looks);
	env_free(env, topology);
	return error;
}
