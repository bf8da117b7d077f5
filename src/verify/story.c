/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * story.c - which story a rejection is, and what all stories are made of.
 *
 * A row of the table below recognises a rejection by its code or by words of
 * its message, and names the teller that knows which events matter and what
 * usually helps. What no row knows is told as "where the value came from".
 */
#include "verify/explain.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* --- the table --- */

typedef void teller(struct story *story);

/* The first row that fits is taken; a message that is NULL fits all of the code. */
static const struct row {
	int code;                /* enum skep_code; -1: any */
	const char *message;     /* part of the message */
	teller *tell;
} rows[] = {
	{ -1, "would lead to reference leak", tell_leak },
	{ -1, "BPF_EXIT instruction", tell_leak },
	{ SKEP_VERIFY_NULL, NULL, tell_null },
	{ -1, "_or_null", tell_null },
	{ -1, "Possibly NULL pointer", tell_null },
	{ -1, "expected to be non-NULL", tell_null },
	{ SKEP_VERIFY_PACKET, NULL, tell_packet },
	{ -1, "infinite loop", tell_loop },
	{ -1, "back-edge", tell_loop },
	{ -1, "is too large. Processed", tell_loop },
	{ -1, "jumps is too complex", tell_loop },
	{ -1, "combined stack size", tell_stack },
	{ -1, "call stack of", tell_stack },
	{ -1, "!read_ok", tell_unset_reg },
	{ -1, "invalid read from stack R", tell_unset_stack },
	{ -1, "invalid read from stack", tell_unset_stack },
	{ -1, "invalid indirect", tell_unset_stack },
	{ -1, "min value is", tell_bounds },
	{ -1, "max value is", tell_bounds },
	{ -1, "unbounded m", tell_bounds },
	{ -1, "variable-offset", tell_bounds },
	{ -1, "invalid zero-sized", tell_bounds },
	{ -1, "value -", tell_bounds },
	{ -1, "stack R", tell_bounds },
	{ -1, "pointer and ", tell_offset },
	{ -1, "pointer offset", tell_offset },
	{ -1, "BPF_ATOMIC", tell_value },
	{ -1, "register R0 has", tell_return },
	{ -1, "register R0 is not", tell_return },
	{ SKEP_VERIFY_CTX, NULL, tell_ctx },
	{ -1, " ctx ptr", tell_ctx },
	{ -1, "variable ctx access", tell_ctx },
	{ SKEP_VERIFY_READ_ONLY, NULL, tell_read_only },
	{ SKEP_VERIFY_LEAK, NULL, tell_address },
	{ SKEP_VERIFY_ARITH, NULL, tell_arithmetic },
	{ -1, "without taking a lock", tell_region },
	{ -1, "unlock of different lock", tell_other_lock },
	{ -1, "must be held for", tell_value },
	{ SKEP_VERIFY_GPL, NULL, tell_call },
	{ SKEP_VERIFY_SLEEP, NULL, tell_region },
	{ SKEP_VERIFY_REGION, NULL, tell_region },
	{ -1, "region", tell_region },
	{ SKEP_VERIFY_CALL, NULL, tell_call },
	{ SKEP_VERIFY_NOT_POINTER, NULL, tell_gone },
	{ -1, "xpected an initialized", tell_object },
	{ SKEP_VERIFY_ARG, NULL, tell_argument },
	{ SKEP_VERIFY_REF, NULL, tell_gone },
	{ -1, NULL, tell_value },
};

void story_tell(struct story *story)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];

		if ((row->code >= 0 && row->code != (int)story->code) ||
		    (row->message && !strstr(story->message, row->message)))
			continue;
		row->tell(story);
		break;
	}
	if (story->cause || story_plain(story))
		return;
	if (story->insn >= 0 && *source_expression(story->env, (uint32_t)story->insn))
		story_cause(story, story->insn, "%s: %s",
			    source_expression(story->env, (uint32_t)story->insn),
			    skep_code_title(story->code));
	else
		story_cause(story, story->insn, "%s", skep_code_title(story->code));
}

/* --- events --- */

static const char *vwords(struct env *env, const char *fmt, va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), fmt, args);
	return words(env, "%s", text);
}

static void add_event(struct story *story, uint32_t moment, uint32_t insn, const char *kind,
		      bool detail, const char *text)
{
	struct event *event = story->events.count < EVENTS_MAX ? vec_push(&story->events) : NULL;

	if (event)
		*event = (struct event){ moment, insn, kind, detail, text };
}

void story_event(struct story *story, uint32_t moment, const char *kind, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_event(story, moment, story->path->moments.items[moment].insn, kind, false,
		  vwords(story->env, fmt, args));
	va_end(args);
}

void story_detail(struct story *story, uint32_t moment, const char *kind, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_event(story, moment, story->path->moments.items[moment].insn, kind, true,
		  vwords(story->env, fmt, args));
	va_end(args);
}

void story_event_at(struct story *story, uint32_t insn, const char *kind, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_event(story, (uint32_t)story->events.count, insn, kind, false,
		  vwords(story->env, fmt, args));
	va_end(args);
}

void story_cause(struct story *story, int64_t blame, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	story->cause = vwords(story->env, fmt, args);
	va_end(args);
	story->blame = blame;
}

void story_fix(struct story *story, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	story->fix = vwords(story->env, fmt, args);
	va_end(args);
}

/* --- values --- */

const struct reg *story_reg(const struct story *story, uint32_t moment, uint32_t place)
{
	static const struct reg nothing;
	const struct change *change = path_value(story->path, moment, place);

	return change ? &change->reg : &nothing;
}

const struct reg *story_reg_after(const struct story *story, uint32_t moment, uint32_t place)
{
	if (moment + 1 >= story->path->moments.count)
		return story_reg(story, moment, place);
	return story_reg(story, moment + 1, place);
}

int story_message_reg(const char *message)
{
	for (const char *at = message; (at = strchr(at, 'R')); at++)
		if (isdigit((unsigned char)at[1]) && (at == message || !isalnum((unsigned char)at[-1])))
			return atoi(at + 1) <= REG_FP ? atoi(at + 1) : -1;
	return -1;
}

/* --- chains in words --- */

/* What is read, for a load: "ctx->data_end", "the packet", "a value of map 'm'". */
static const char *source_of_load(struct story *story, uint32_t moment)
{
	struct env *env = story->env;
	const struct insn *insn = story_insn(story, moment);
	const struct reg *from;
	const struct ctx_field *field;

	if (insn->kind != INSN_LOAD)
		return insn->kind == INSN_LOAD_PACKET ? "the packet" : "memory";
	from = story_reg(story, moment,
			 place_reg(story->path->moments.items[moment].depth, insn->src));
	switch ((enum reg_type)from->type) {
	case REG_CTX:
		field = env->info[story->path->moments.items[moment].insn].ctx_field;
		return field && field->name ? words(env, "ctx->%s", field->name)
					    : "the context";
	case REG_PACKET:
		return "the packet";
	case REG_PACKET_META:
		return "the packet's metadata";
	case REG_MAP_VALUE:
		return words(env, "a value of map '%s'", from->map ? from->map->name : "?");
	case REG_MAP_KEY:
		return words(env, "a key of map '%s'", from->map ? from->map->name : "?");
	case REG_BTF:
		return words(env, "struct %s",
			     from->btf ? skep_btf_type_name(from->btf, from->btf_id) : "?");
	case REG_STACK:
		return "the stack";
	case REG_SOCKET: case REG_SOCK_COMMON: case REG_TCP_SOCK: case REG_XDP_SOCK:
		return "a socket";
	case REG_MEM: case REG_BUF: case REG_TP_BUFFER: case REG_ARENA: case REG_FLOW_KEYS:
	case REG_NOT_INIT: case REG_SCALAR: case REG_MAP: case REG_PACKET_END: case REG_FUNC:
	case REG_DYNPTR: case REG_INSN: case REG_TYPE_COUNT:
		return "memory";
	}
	__builtin_unreachable();
}

static void argument_event(struct story *story, const struct link *origin)
{
	struct env *env = story->env;
	const struct reg *reg = story_reg_after(story, origin->moment, origin->place);
	uint32_t subprog = subprog_of(env, story->path->moments.items[0].insn);
	unsigned regno = origin->place % FRAME_PLACES;
	const char *name;

	if (place_frame(origin->place) && regno >= 1 && regno <= 5) {
		story_event(story, origin->moment, "start", "%s calls back: argument %u is %s",
			    callee_words(env, story->path->moments.items[origin->moment].insn), regno,
			    reg_words(env, reg));
		return;
	}
	if (origin->moment || place_frame(origin->place) || regno < 1 || regno > 5) {
		story_event(story, origin->moment, "start", "%s", reg_words(env, reg));
		return;
	}
	reg = story_reg(story, 0, origin->place);
	name = param_name(env, subprog, regno - 1);
	if (subprog && env->subprog[subprog].is_global)
		story_event(story, 0, "start", "%s is global, so it is checked for any caller: "
			    "parameter '%s' is %s", subprog_words(env, subprog),
			    *name ? name : words(env, "%u", regno), reg_words(env, reg));
	else
		story_event(story, 0, "start", "parameter '%s' is %s",
			    *name ? name : words(env, "%u", regno), reg_words(env, reg));
}

void story_origin(struct story *story, const struct link *origin)
{
	struct env *env = story->env;
	const struct reg *reg;
	uint32_t insn;

	if (!origin)
		return;
	insn = story->path->moments.items[origin->moment].insn;
	story->origin = insn;
	reg = story_reg_after(story, origin->moment, origin->place);
	switch ((enum link_how)origin->how) {
	case LINK_ARGUMENT:
		/* That a variable is on the stack goes without saying. */
		if (origin->place % FRAME_PLACES != REG_FP)
			argument_event(story, origin);
		break;
	case LINK_LOADED:
		story_event(story, origin->moment, "value", "read from %s: %s",
			    source_of_load(story, origin->moment), reg_words(env, reg));
		break;
	case LINK_RETURNED:
		story_event(story, origin->moment, "value", "%s returns %s",
			    callee_words(env, insn), reg_words(env, reg));
		break;
	case LINK_CONSTANT:
		story_event(story, origin->moment, "value", "set to %s", reg_words(env, reg));
		break;
	case LINK_UNKNOWN:
		story->origin = -1;
		break;
	case LINK_COPIED:
	case LINK_COMPUTED:
	case LINK_CHECKED:
	case LINK_LOST:
		story_detail(story, origin->moment, "change", "%s", reg_words(env, reg));
		break;
	}
}

/* What is known after it. */
static void check_event(struct story *story, const struct link *link)
{
	const struct reg *reg = story_reg_after(story, link->moment, link->place);
	struct scalar low;

	if (reg->type == REG_SCALAR && story_insn(story, link->moment)->width == 4 &&
	    reg->var.umax >= UINT32_MAX) {
		low = scalar_sign_extend(reg->var, 4, 8);
		if (low.smin > INT32_MIN || low.smax < INT32_MAX) {
			story_event(story, link->moment, "check",
				    "on the way taken here its lower 32 bits are, as a signed "
				    "number, %s", range_words(story->env, low));
			return;
		}
	}
	story_event(story, link->moment, "check", "on the way taken here it is %s",
		    reg_words(story->env, reg));
}

static bool is_shift(const struct story *story, const struct link *link, enum alu op, int64_t by)
{
	const struct insn *insn = story_insn(story, link->moment);

	return link->how == LINK_COMPUTED && insn->kind == INSN_ALU && insn->op == op &&
	       insn->source_is_imm && insn->imm == by;
}

/* Not for a chain's last link, which is its origin: link + 1 is there. */
static void link_event(struct story *story, const struct link *link)
{
	struct env *env = story->env;
	const struct reg *before = story_reg(story, link->moment, link->place);
	const struct reg *after = story_reg_after(story, link->moment, link->place);
	uint32_t insn = story->path->moments.items[link->moment].insn;
	const struct insn *insn_at = &env->insns[insn];

	switch ((enum link_how)link->how) {
	case LINK_CHECKED:
		check_event(story, link);
		break;
	case LINK_COMPUTED:
		if (is_shift(story, link, ALU_ARSH, 32) && is_shift(story, link + 1, ALU_LSH, 32))
			story_event(story, link->moment, "change", "taken as a signed number of 32 bits: "
				    "%s", reg_words(env, after));
		else if (is_shift(story, link, ALU_RSH, 32) && is_shift(story, link + 1, ALU_LSH, 32))
			story_event(story, link->moment, "change", "cut to its lower 32 bits: %s",
				    reg_words(env, after));
		else if (is_shift(story, link, ALU_LSH, 32))
			story_detail(story, link->moment, "change", "%s", reg_words(env, after));
		else if (insn_at->op == ALU_LSH && insn_at->source_is_imm)
			story_event(story, link->moment, "change", "times %" PRIu64 ": %s",
				    UINT64_C(1) << (insn_at->imm & 63), reg_words(env, after));
		else if (after->type == before->type && scalar_equal(before->var, after->var) &&
		    before->off == after->off)
			story_detail(story, link->moment, "change", "%s", reg_words(env, after));
		else
			story_event(story, link->moment, "change", "computed: %s",
				    reg_words(env, after));
		break;
	case LINK_LOST:
		story_event(story, link->moment, "lost", "after %s it is only %s",
			    env->insns[insn].kind == INSN_CALL ? callee_words(env, insn) : "this",
			    reg_words(env, after));
		break;
	case LINK_COPIED:
	case LINK_LOADED:
	case LINK_RETURNED:
	case LINK_ARGUMENT:
	case LINK_CONSTANT:
	case LINK_UNKNOWN:
		story_detail(story, link->moment, "change", "copied: %s", reg_words(env, after));
		break;
	}
}

void story_chain(struct story *story, const struct chain *chain)
{
	story_origin(story, chain_origin(chain));
	for (unsigned i = chain->count; i-- > 0;)
		if (&chain->link[i] != chain_origin(chain))
			link_event(story, &chain->link[i]);
}

/* --- when nothing more is known than a register --- */

void tell_value(struct story *story)
{
	int regno = story_message_reg(story->message);
	struct chain chain = { 0 };

	if (!story->has_path)
		return;
	if (regno >= 0 && regno < REG_FP) {
		chain_find(story->env, story->path, story->moment, story_place(story, (unsigned)regno),
			   &chain);
		story_chain(story, &chain);
	}
	story_event(story, story->moment, "stop", "the verifier stops here%s%s",
		    regno >= 0 ? ": it is " : "",
		    regno >= 0 ? reg_words(story->env, story_reg(story, story->moment,
								 story_place(story, (unsigned)regno)))
			       : "");
}
