/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * story_code.c - the stories of code that cannot be: loops without an end, too
 * much stack, functions and context fields that are not there, wrong arguments
 * and results.
 */
#include "verify/explain.h"

#include <inttypes.h>
#include <stdio.h>

/* --- loops --- */

struct loop {
	uint32_t head, tail;         /* the jump back at tail goes to head */
	uint32_t rounds;
};

/* The jump backwards inside a function that the path took most often near its end. */
static bool find_loop(const struct story *story, struct loop *loop)
{
	const struct path *path = story->path;
	uint32_t *rounds = env_alloc(story->env, (story->env->len + 1) * sizeof(*rounds));
	bool found = false;

	if (!rounds)
		return false;
	for (uint32_t i = 0; i + 1 < path->moments.count; i++) {
		const struct moment *from = &path->moments.items[i], *to = from + 1;

		if (to->gap || from->depth != to->depth || to->insn > from->insn ||
		    subprog_of(story->env, from->insn) != subprog_of(story->env, to->insn))
			continue;
		if (++rounds[from->insn] < loop->rounds)
			continue;
		*loop = (struct loop){ to->insn, from->insn, rounds[from->insn] };
		found = true;
	}
	return found;
}

/* A loop in the code, when no path is there to show one: to is at or before from. */
static bool find_code_loop(const struct story *story, struct loop *loop)
{
	struct env *env = story->env;
	uint32_t own[2];

	if (story->insn < 0)
		return false;
	for (uint32_t i = 0; i < env->len; i++) {
		unsigned n;
		const uint32_t *next = insn_successors(env, i, own, &n);

		for (unsigned k = 0; k < n; k++)
			if (next[k] <= i && story->insn >= (int64_t)next[k] &&
			    story->insn <= (int64_t)i) {
				*loop = (struct loop){ next[k], i, 0 };
				return true;
			}
	}
	return false;
}

/* The conditional jump that could leave it: of several, one the path decided; -1: none. */
static int64_t loop_condition(const struct story *story, const struct loop *loop)
{
	struct env *env = story->env;
	int64_t found = -1;

	for (uint32_t i = loop->head; i <= loop->tail && i < env->len; i++) {
		int64_t target = insn_target(&env->insns[i], i);
		bool leaves = target < loop->head || target > (int64_t)loop->tail;

		if (env->insns[i].kind != INSN_JUMP)
			continue;
		if (i == loop->tail || leaves)
			found = i;
	}
	return found;
}

static const char *rounds_words(struct env *env, const struct loop *loop, bool cut)
{
	return loop->rounds > 1 ? words(env, "after %s%u rounds", cut ? "more than " : "", loop->rounds)
				: "";
}

static void operand_event(struct story *story, uint32_t moment, const struct insn *insn)
{
	uint32_t depth = story->path->moments.items[moment].depth;
	const struct reg *d = story_reg(story, moment, place_reg(depth, insn->dst));
	const struct reg *s = story_reg(story, moment, place_reg(depth, insn->src));

	if (insn->source_is_imm)
		story_event(story, moment, "loop", "in the last round seen, %s is compared with %" PRId64,
			    reg_words(story->env, d), insn->imm);
	else
		story_event(story, moment, "loop", "in the last round seen, %s is compared with %s",
			    reg_words(story->env, d), reg_words(story->env, s));
}

void tell_loop(struct story *story)
{
	struct env *env = story->env;
	struct loop loop = { 0 };
	int64_t condition, moment = -1;
	bool infinite = strstr(story->message, "infinite") != NULL;

	if (!(story->has_path && find_loop(story, &loop)) && !find_code_loop(story, &loop))
		return;
	condition = loop_condition(story, &loop);
	if (condition >= 0 && story->has_path)
		moment = path_find(story->path, (uint32_t)story->path->moments.count,
				   (uint32_t)condition);
	if (moment >= 0)
		operand_event(story, (uint32_t)moment, &env->insns[condition]);
	story->origin = loop.head;
	if (infinite) {
		story_cause(story, condition >= 0 ? condition : (int64_t)loop.tail,
			    "the loop comes round to a state that it was in before: nothing that this "
			    "looks at changes from round to round");
		story_fix(story, "let each round change what ends the loop, or count the rounds: "
			  "for (int i = 0; i < MAX; i++), bpf_for(i, 0, n), or bpf_loop()");
		return;
	}
	story_cause(story, condition >= 0 ? condition : (int64_t)loop.tail,
		    "the verifier follows the loop round by round, and gave up %s%s(%u instructions looked "
		    "at, limit %u)", rounds_words(env, &loop, story->path->cut), loop.rounds > 1 ? " " : "",
		    MIN(env->processed, (uint32_t)INSN_BUDGET), INSN_BUDGET);
	story_fix(story, "give the loop a small constant limit, or use bpf_for(i, 0, n), "
		  "bpf_repeat(n) or bpf_loop(), whose bodies are checked only a few times");
}

/* --- the stack --- */

enum { OBJECTS_MAX = 64 };

/* Where the address of a stack variable is made: fp + off. */
struct object {
	int32_t off;
	uint32_t insn;
};

static unsigned find_objects(const struct env *env, const struct subprog *subprog,
			     struct object *objects)
{
	unsigned count = 0;

	for (uint32_t i = subprog->start; i + 1 < subprog->end && count < OBJECTS_MAX; i++) {
		const struct insn *copy = &env->insns[i], *add = &env->insns[i + 1];

		if (copy->kind != INSN_ALU || copy->op != ALU_MOV || copy->source_is_imm ||
		    copy->src != REG_FP || add->kind != INSN_ALU || add->op != ALU_ADD ||
		    !add->source_is_imm || add->dst != copy->dst || add->imm >= 0)
			continue;
		objects[count++] = (struct object){ (int32_t)add->imm, i };
	}
	return count;
}

/* The variable that takes the most room: up to the next one above it. */
static bool largest_object(const struct env *env, const struct subprog *subprog,
			   struct object *largest, int32_t *size)
{
	struct object objects[OBJECTS_MAX];
	unsigned count = find_objects(env, subprog, objects);

	*size = 0;
	for (unsigned i = 0; i < count; i++) {
		int32_t end = 0;

		for (unsigned k = 0; k < count; k++)
			if (objects[k].off > objects[i].off && objects[k].off < end)
				end = objects[k].off;
		if (end - objects[i].off <= *size)
			continue;
		*size = end - objects[i].off;
		*largest = objects[i];
	}
	return *size > 0;
}

struct call_path {
	uint32_t subprog[FRAMES_MAX + 1], call[FRAMES_MAX + 1];
	uint32_t count, bytes;
	uint32_t visits;             /* a program may have very many ways through its calls */
};

enum { VISITS_MAX = 20000 };

static void deepest(const struct env *env, struct call_path *now, struct call_path *best)
{
	const struct subprog *subprog = &env->subprog[now->subprog[now->count - 1]];
	uint32_t own = (MAX(subprog->stack, 1u) + 31) / 32 * 32;

	now->bytes += own;
	if (now->bytes > best->bytes)
		*best = *now;
	for (uint32_t i = subprog->start; i < subprog->end && now->count <= FRAMES_MAX &&
	     now->visits < VISITS_MAX; i++) {
		int64_t target = insn_callee(env, i);
		int callee = target >= 0 ? subprog_at(env, (uint32_t)target) : -1;

		if (callee < 0)
			continue;
		now->visits++;
		now->call[now->count] = i;
		now->subprog[now->count++] = (uint32_t)callee;
		deepest(env, now, best);
		now->count--;
	}
	now->bytes -= own;
}

void tell_stack(struct story *story)
{
	struct env *env = story->env;
	struct call_path now = { .subprog = { 0 }, .count = 1 }, best = { .bytes = 0 };
	uint32_t largest = 0;
	struct object object;
	int32_t size;

	deepest(env, &now, &best);
	for (uint32_t i = 0; i < best.count; i++) {
		const struct subprog *subprog = &env->subprog[best.subprog[i]];

		story_event_at(story, i ? best.call[i] : subprog->start, "call", "%s%s, which uses %u "
			       "bytes of stack", i ? "calls " : "starts with ",
			       subprog_words(env, best.subprog[i]), subprog->stack);
		if (subprog->stack > env->subprog[best.subprog[largest]].stack)
			largest = i;
	}
	if (largest_object(env, &env->subprog[best.subprog[largest]], &object, &size))
		story_event_at(story, object.insn, "value", "the largest variable of %s: about %d bytes",
			       subprog_words(env, best.subprog[largest]), size);
	story_cause(story, env->subprog[best.subprog[largest]].start,
		    "%s alone needs %u bytes; all the functions that call each other have 512 together",
		    subprog_words(env, best.subprog[largest]),
		    env->subprog[best.subprog[largest]].stack);
	story_fix(story, "keep large variables in a per-CPU array map of one entry, or reserve the record "
		  "in the ring buffer and fill it there");
}

/* --- the context --- */

static const char *field_list(struct env *env, const struct ctx_layout *ctx)
{
	const char *list = "", *comma = "";
	unsigned count = 0;

	for (const struct ctx_field *f = ctx->fields; f && f->size && count < 8; f++, count++) {
		list = words(env, "%s%s%s", list, comma, f->name);
		comma = ", ";
	}
	return count ? list : "";
}

void tell_ctx(struct story *story)
{
	struct env *env = story->env;
	const struct insn *insn = story->insn >= 0 ? &env->insns[story->insn] : NULL;
	const struct ctx_layout *ctx = env->type->ctx;
	const struct ctx_field *field = NULL;
	const char *off = strstr(story->message, "off="), *name;
	int regno = story_message_reg(story->message);
	struct chain chain = { 0 };
	bool write;

	if (!story->has_path || !insn)
		return;
	name = source_expression(env, (uint32_t)story->insn);
	if (!off || strstr(story->message, " ptr ") || strstr(story->message, "variable")) {
		if (regno < 0)
			regno = insn->kind == INSN_STORE ? insn->dst : insn->src;
		chain_find(env, story->path, story->moment, story_place(story, (unsigned)regno), &chain);
		story_chain(story, &chain);
		story_event(story, story->moment, "stop", "used here: %s",
			    reg_words(env, story_reg(story, story->moment,
						     story_place(story, (unsigned)regno))));
		for (unsigned i = 0; i < chain.count; i++)
			if (chain.link[i].how == LINK_COMPUTED) {
				story_cause(story, story->path->moments.items[chain.link[i].moment].insn,
					    "here the pointer to the context is moved; only the pointer "
					    "that the program was given can be used");
				break;
			}
		if (!story->cause)
			story_cause(story, story->insn, "the pointer to the context was moved");
		story_fix(story, "name the field, ctx->field, with no computed index or address; copy an "
			  "array's elements with constant indices");
		return;
	}
	write = insn->kind == INSN_STORE || insn->kind == INSN_ATOMIC;
	if (ctx && ctx->fields)
		field = ctx_field_at(ctx, (uint32_t)atoi(off + 4), env->spec->attach);
	story_event(story, story->moment, "stop", "%s %u bytes at byte %d of struct %s",
		    write ? "writes" : "reads", insn->width, atoi(off + 4),
		    ctx && ctx->name ? ctx->name : "ctx");
	if (field && field->name && write && !field->write)
		story_cause(story, story->insn, "programs of type %s cannot write %s, only read it",
			    env->type->name, field->name);
	else if (field && field->name && !write && !field->read)
		story_cause(story, story->insn, "programs of type %s cannot read %s", env->type->name,
			    field->name);
	else if (field && field->name && insn->sign_extend)
		story_cause(story, story->insn, "%s cannot be read with sign extension", field->name);
	else if (field && field->name && field->unit == insn->width)
		story_cause(story, story->insn, "%s cannot be accessed like this", field->name);
	else if (field && field->name)
		story_cause(story, story->insn, "%s is a field of %u bytes, which is not accessed "
			    "whole here (%u bytes)", field->name, field->unit, insn->width);
	else
		story_cause(story, story->insn, "%s%sprograms of type %s have nothing there", name,
			    *name ? ": " : "", env->type->name);
	if (ctx && *field_list(env, ctx))
		story_fix(story, "struct %s has, among others: %s", ctx->name, field_list(env, ctx));
}

/* --- functions that cannot be called --- */

static const char *types_of(struct env *env, const struct helper *helper)
{
	const char *list = "", *comma = "";
	unsigned count = 0;

	for (uint32_t id = 1; id < 64; id++) {
		const struct prog_type *type = prog_type(id);

		if (!type || !(helper->types >> id & 1))
			continue;
		if (++count > 8)
			return words(env, "%s ...", list);
		list = words(env, "%s%s%s", list, comma, type->name);
		comma = ", ";
	}
	return list;
}

void tell_call(struct story *story)
{
	struct env *env = story->env;
	const struct insn *insn = story->insn >= 0 ? &env->insns[story->insn] : NULL;
	const struct helper *helper;

	if (!insn || insn->kind != INSN_CALL) {
		if (story->has_path)
			tell_value(story);
		return;
	}
	helper = insn->op == CALL_HELPER ? helper_by_id((uint32_t)insn->imm) : NULL;
	story_event_at(story, (uint32_t)story->insn, "stop", "calls %s",
		       callee_words(env, (uint32_t)story->insn));
	if (story->code == SKEP_VERIFY_GPL) {
		story_cause(story, story->insn, "%s is only for programs whose license is compatible with "
			    "the GPL; this object declares \"%s\"",
			    callee_words(env, (uint32_t)story->insn),
			    env->spec->license ? env->spec->license : "");
		story_fix(story, "char LICENSE[] SEC(\"license\") = \"GPL\"; or \"Dual BSD/GPL\", if you may "
			  "license it so");
		return;
	}
	story_cause(story, story->insn, "programs of type %s cannot call %s", env->type->name,
		    callee_words(env, (uint32_t)story->insn));
	if (helper)
		story_fix(story, "use it in a program of another type (%s), or find another way here",
			  types_of(env, helper));
}

/* --- what may not be done with what a register holds --- */

static const struct reg *told_reg(struct story *story, int regno)
{
	struct chain chain = { 0 };

	chain_find(story->env, story->path, story->moment, story_place(story, (unsigned)regno), &chain);
	story_chain(story, &chain);
	return story_reg(story, story->moment, story_place(story, (unsigned)regno));
}

void tell_read_only(struct story *story)
{
	struct env *env = story->env;
	const struct insn *insn = story->insn >= 0 ? &env->insns[story->insn] : NULL;
	int regno = story_message_reg(story->message);
	const struct reg *reg;

	if (!story->has_path)
		return;
	if (regno < 0)
		regno = insn->dst;
	reg = told_reg(story, regno);
	story_event(story, story->moment, "stop", "and written to here");
	if (reg->type == REG_MAP_VALUE && reg->map)
		story_cause(story, story->insn, "this writes to map '%s', which may only be read: a constant, "
			    "or a map with BPF_F_RDONLY_PROG", reg->map->name);
	else
		story_cause(story, story->insn, "this writes to what may only be read: %s",
			    reg_words(env, reg));
	story_fix(story, reg->type == REG_MAP_VALUE
			  ? "make the variable no constant (without const), or change a copy of it"
			  : "change a copy of it on the stack or in a map");
}

/* An address would become visible to whoever reads the map, packet or result. */
void tell_address(struct story *story)
{
	struct env *env = story->env;
	int regno = story_message_reg(story->message);
	const struct reg *reg;

	if (!story->has_path || regno < 0)
		return;
	reg = told_reg(story, regno);
	story_event(story, story->moment, "stop", "given away here");
	story_cause(story, story->insn, "this gives away an address: %s. Only privileged programs may, and "
		    "some places never take one", reg_words(env, reg));
	story_fix(story, "store the value that it points to, not the pointer");
}

/* A pointer is moved by more than any memory has. */
void tell_offset(struct story *story)
{
	const struct insn *insn = story->insn >= 0 ? &story->env->insns[story->insn] : NULL;
	const struct reg *reg;

	if (!story->has_path || !insn || insn->kind != INSN_ALU) {
		tell_value(story);
		return;
	}
	reg = told_reg(story, insn->dst);
	story_event(story, story->moment, "stop", "moved here");
	story_cause(story, story->insn, "this moves a pointer (%s) further than any memory reaches",
		    reg_words(story->env, reg));
	story_fix(story, "bound the number to what the memory has before it is added");
}

void tell_arithmetic(struct story *story)
{
	struct env *env = story->env;
	const struct insn *insn = story->insn >= 0 ? &env->insns[story->insn] : NULL;
	int regno = story_message_reg(story->message);
	const struct reg *reg;

	if (!story->has_path || regno < 0 || !insn || insn->kind != INSN_ALU) {
		tell_value(story);
		return;
	}
	if (!reg_is_pointer(story_reg(story, story->moment, story_place(story, (unsigned)regno))) &&
	    !insn->source_is_imm)
		regno = insn->src;
	reg = told_reg(story, regno);
	story_event(story, story->moment, "stop", "calculated with here: %s%s",
		    alu_token((enum alu)insn->op), insn->width == 4 ? ", in 32 bits" : "");
	story_cause(story, story->insn, "this is a pointer (%s), and a pointer cannot be calculated with "
		    "like this%s", reg_words(env, reg),
		    insn->width == 4 ? ": 32 bits hold no address" : "");
	story_fix(story, "add or subtract bounded 64-bit numbers only, and only to pointers to memory; "
		  "two pointers into the same packet may be subtracted");
}

/* --- results and arguments --- */

void tell_return(struct story *story)
{
	struct env *env = story->env;
	const char *range = strstr(story->message, "in [");
	const struct link *origin;
	struct chain chain = { 0 };
	uint32_t place, at;

	if (!story->has_path)
		return;
	place = story_place(story, 0);
	chain_find(env, story->path, story->moment, place, &chain);
	story_chain(story, &chain);
	origin = chain_origin(&chain);
	at = story->path->moments.items[origin->moment].insn;
	story_event(story, story->moment, "stop", "returned here: %s",
		    reg_words(env, story_reg(story, story->moment, place)));
	story_cause(story, origin->how == LINK_UNKNOWN || origin->how == LINK_ARGUMENT
				   ? story->insn : (int64_t)at,
		    "%s is returned, and %s may return %s only",
		    reg_words(env, story_reg(story, story->moment, place)),
		    strstr(story->message, "callback") ? words(env, "%s", "this callback")
						       : "programs of this kind",
		    range ? words(env, "%.*s", (int)strcspn(range + 3, "]") + 1, range + 3)
			  : "other values");
	story_fix(story, "return one of the constants that this program type knows, or bound the value "
		  "before it is returned");
}

static bool wants_string(struct env *env, uint32_t insn, int regno)
{
	const struct helper *helper = env->insns[insn].op == CALL_HELPER
					      ? helper_by_id((uint32_t)env->insns[insn].imm) : NULL;

	return helper && regno >= 1 && regno <= 5 &&
	       helper->arg[regno - 1].kind == ARG_PTR_TO_CONST_STR;
}

/* "R2 type=scalar expected=fp, pkt, ...": what it is, and what it should be. */
void tell_argument(struct story *story)
{
	struct env *env = story->env;
	int regno = story_message_reg(story->message);
	const char *expected = strstr(story->message, "expected=");
	const struct reg *reg;
	struct chain chain = { 0 };

	if (!story->has_path || regno < 0 || regno > REG_FP) {
		tell_value(story);
		return;
	}
	reg = story_reg(story, story->moment, story_place(story, (unsigned)regno));
	chain_find(env, story->path, story->moment, story_place(story, (unsigned)regno), &chain);
	if (tell_lost(story, &chain))
		return;
	story_chain(story, &chain);
	if (env->insns[story->insn].kind != INSN_CALL) {
		story_event(story, story->moment, "stop", "used here: %s", reg_words(env, reg));
		return;
	}
	story_event(story, story->moment, "stop", "passed to %s as argument %d",
		    callee_words(env, (uint32_t)story->insn), regno);
	if (strstr(story->message, "referenced") || strstr(story->message, "unacquired")) {
		story_cause(story, story->insn, "%s takes what the program owns, and it does not own this: %s",
			    callee_words(env, (uint32_t)story->insn), reg_words(env, reg));
		story_fix(story, "release only what an acquiring function returned, once; take a reference "
			  "first, if that is meant");
		return;
	}
	if (story_plain(story))
		return;
	story_cause(story, story->insn, "argument %d of %s is %s%s", regno,
		    callee_words(env, (uint32_t)story->insn), reg_words(env, reg),
		    expected && strstr(expected, "map_ptr") ? ", and not a map" :
		    expected && strstr(expected, "fp") ? ", and not a pointer to memory" : "");
	if (wants_string(env, (uint32_t)story->insn, regno))
		story_fix(story, "pass a string literal, or a static const char array: it must be in read-only "
			  "data");
	else if (expected && strstr(expected, "map_ptr"))
		story_fix(story, "pass the address of a map defined in SEC(\".maps\"): &map");
	else if (expected && strstr(expected, "fp"))
		story_fix(story, "pass the address of a variable or of memory the program may use: &x");
}
