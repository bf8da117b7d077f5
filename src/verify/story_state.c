/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * story_state.c - the stories of things in a wrong state: not set yet, or gone
 * already.
 */
#include "verify/explain.h"

#include <inttypes.h>
#include <stdio.h>

/* --- registers not set --- */

void tell_unset_reg(struct story *story)
{
	struct env *env = story->env;
	int regno = story_message_reg(story->message);
	const struct link *last;
	struct chain chain = { 0 };
	uint32_t insn;

	if (!story->has_path || regno < 0)
		return;
	chain_find(env, story->path, story->moment, story_place(story, (unsigned)regno), &chain);
	last = &chain.link[0];
	insn = story->path->moments.items[last->moment].insn;
	if (last->how == LINK_LOST && env->insns[insn].kind == INSN_CALL) {
		story_event(story, last->moment, "lost", "%s leaves registers R1 to R5 without a value",
			    callee_words(env, insn));
		story->origin = insn;
		story_cause(story, story->insn, "R%d is read after %s, which destroys it", regno,
			    callee_words(env, insn));
		story_fix(story, "keep in R6 to R9 or on the stack what must outlive a call; in C the "
			  "compiler does, unless the function lacks a return or a parameter");
		return;
	}
	story_event(story, story->moment, "stop", "read here, and nothing on this way wrote it");
	if (env->insns[story->insn].kind == INSN_EXIT)
		story_cause(story, story->insn, "%s ends here without a return value",
			    subprog_words(env, subprog_of(env, (uint32_t)story->insn)));
	else
		story_cause(story, story->insn, "R%d is read here, but on this way nothing gave it a "
			    "value: a variable that is not initialised, or a parameter that the caller "
			    "does not pass", regno);
	story_fix(story, env->insns[story->insn].kind == INSN_EXIT
			  ? "return a value on every way out" : "initialise the variable where it is "
			    "declared");
}

/* --- stack not set --- */

struct stack_use {
	int64_t first, size;         /* relative to the frame's end: first < 0 */
	int64_t bad;                 /* the first byte that is not set */
	uint32_t frame;
};

/* "off -16+4 size 8", "off=-16 size=8": the range, and which byte of it. */
static bool parse_stack_use(struct story *story, struct stack_use *use)
{
	const char *off = strstr(story->message, "off"), *size = strstr(story->message, "size");
	long long first, index = 0, bytes;
	int regno = story_message_reg(story->message);
	const struct reg *reg = regno < 0 ? NULL : story_reg(story, story->moment,
							     story_place(story, (unsigned)regno));

	if (!off || !size || sscanf(off + 3, "%*[ =]%lld+%lld", &first, &index) < 1 ||
	    sscanf(size + 4, "%*[ =]%lld", &bytes) < 1)
		return false;
	*use = (struct stack_use){ first, bytes, first + index,
				   story->path->moments.items[story->moment].depth };
	if (reg && reg->type == REG_STACK)
		use->frame = reg->frameno;
	return first >= -INSN_STACK_SIZE && bytes > 0 && first + bytes <= 0;
}

static bool byte_is_set(const struct story *story, uint32_t frame, int64_t off)
{
	const struct change *change = path_value(story->path, story->moment,
						 place_slot(frame, (unsigned)slot_of((int32_t)off)));
	uint8_t byte = change ? change->byte[slot_byte_of((int32_t)off)] : SLOT_INVALID;

	return byte != SLOT_INVALID && byte != SLOT_POISON;
}

/* Does the store of a moment write to the range? */
static bool stores_into(const struct story *story, uint32_t moment, const struct stack_use *use,
			int64_t *first, int64_t *size)
{
	const struct insn *insn = story_insn(story, moment);
	uint32_t depth = story->path->moments.items[moment].depth;
	const struct reg *to;

	if (insn->kind != INSN_STORE)
		return false;
	to = story_reg(story, moment, place_reg(depth, insn->dst));
	if (to->type != REG_STACK || to->frameno != use->frame || !scalar_is_const(to->var))
		return false;
	*first = to->off + (int64_t)to->var.bits.value + insn->off;
	*size = insn->width;
	return *first + *size > use->first && *first < use->first + use->size;
}

/* The member of a record that a byte belongs to: its name, or what is before the gap. */
static const char *member_words(struct env *env, const struct skep_btf *btf, uint32_t id,
				uint32_t at)
{
	const struct btf_type *type;
	const struct btf_member *members;
	const char *before = NULL;

	id = btf_skip_mods_and_typedefs(btf, id);
	type = btf_type(btf, id);
	if (!type || btf_kind(type) != BTF_STRUCT)
		return "";
	members = btf_data(type);
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		uint32_t off = btf_member_bit_off(type, i) / 8;
		int64_t size = skep_btf_size(btf, members[i].type);

		if (size >= 0 && at >= off && at < off + size)
			return words(env, "member '%s' of struct %s",
				     btf_str(btf, members[i].name_off), btf_name(btf, type));
		if (off <= at)
			before = btf_str(btf, members[i].name_off);
	}
	return before ? words(env, "padding after member '%s' of struct %s", before,
			      btf_name(btf, type)) : "";
}

/* What the map says the bytes passed to a helper are. */
static const char *argument_member(struct story *story, const struct stack_use *use)
{
	struct env *env = story->env;
	const struct reg *map = story_reg(story, story->moment, story_place(story, 1));
	int regno = story_message_reg(story->message);
	uint32_t at = (uint32_t)(use->bad - use->first);

	if (env->insns[story->insn].kind != INSN_CALL || map->type != REG_MAP || !map->map->btf)
		return "";
	if (regno == 2 && map->map->key_type)
		return member_words(env, map->map->btf, map->map->key_type, at);
	if (regno == 3 && map->map->value_type)
		return member_words(env, map->map->btf, map->map->value_type, at);
	return "";
}

void tell_unset_stack(struct story *story)
{
	struct env *env = story->env;
	struct stack_use use;
	int64_t end, first, size, writer = -1;
	const char *member, *bytes;

	if (!story->has_path || !parse_stack_use(story, &use)) {
		tell_bounds(story);
		return;
	}
	for (end = use.bad; end < use.first + use.size && !byte_is_set(story, use.frame, end);)
		end++;
	for (uint32_t i = 0; i < story->moment; i++) {
		if (!stores_into(story, i, &use, &first, &size))
			continue;
		if (writer < 0)
			writer = i;
		story_event(story, i, "value", "writes byte%s %" PRId64 "%s of it", size > 1 ? "s" : "",
			    first - use.first,
			    size > 1 ? words(env, " to %" PRId64, first - use.first + size - 1) : "");
	}
	bytes = end - use.bad == 1 ? words(env, "byte %" PRId64 " of %" PRId64, use.bad - use.first,
					   use.size)
				   : words(env, "bytes %" PRId64 " to %" PRId64 " of %" PRId64,
					   use.bad - use.first, end - 1 - use.first, use.size);
	member = argument_member(story, &use);
	story->origin = use.first;
	story_event(story, story->moment, "stop", "all %" PRId64 " bytes are read here%s", use.size,
		    env->insns[story->insn].kind == INSN_CALL
			    ? words(env, ", by %s", callee_words(env, (uint32_t)story->insn)) : "");
	story_cause(story, writer >= 0 ? (int64_t)story->path->moments.items[writer].insn : story->insn,
		    "%s %s never written%s%s%s", bytes, end - use.bad == 1 ? "is" : "are",
		    *member ? ": " : writer >= 0 ? ": padding, or a member without a value" : "", member,
		    "");
	story_fix(story, writer >= 0
			  ? "clear all of it first: __builtin_memset(&x, 0, sizeof(x)); an initialiser "
			    "such as { .a = 1 } leaves padding as it was"
			  : "initialise the variable before its address is passed on");
}

/* --- pointers that are none any more --- */

static bool has_packet_pointer(const struct reg *reg)
{
	return reg_is_packet(reg) || reg->type == REG_PACKET_END;
}

static void tell_taken_away(struct story *story, const struct link *lost)
{
	struct env *env = story->env;
	uint32_t insn = story->path->moments.items[lost->moment].insn;
	const struct reg *before = story_reg(story, lost->moment, lost->place);
	const char *callee = callee_words(env, insn);

	story->origin = insn;
	if (env->insns[insn].kind != INSN_CALL) {
		story_event(story, lost->moment, "lost", "the pointer ends its life here");
		story_cause(story, story->insn, "this was %s, until line %u",
			    reg_words(env, before), source_line(env, insn));
		return;
	}
	if (has_packet_pointer(before)) {
		story_event(story, lost->moment, "lost", "%s may move the packet: every pointer into it "
			    "is useless afterwards", callee);
		story_cause(story, story->insn, "this is a pointer into the packet from before %s at line "
			    "%u, which may move the packet", callee, source_line(env, insn));
		story_fix(story, "after %s, read ctx->data and ctx->data_end again, and check the bounds "
			  "again", callee);
		return;
	}
	if (before->ref_id || before->flags & (REG_NON_OWN_REF | REG_RCU)) {
		bool borrowed = before->flags & (REG_NON_OWN_REF | REG_RCU);

		story_event(story, lost->moment, borrowed ? "lost" : "release", borrowed
			    ? "%s ends what the pointer lives on" : "%s takes it: the program does not "
			      "own it any more", callee);
		story_cause(story, story->insn, "this was %s, until %s at line %u",
			    reg_words(env, before), callee, source_line(env, insn));
		story_fix(story, "use it before %s, not after; copy what is needed later", callee);
		return;
	}
	story_event(story, lost->moment, "lost", "%s makes it useless", callee);
	story_cause(story, story->insn, "this was %s, until %s at line %u", reg_words(env, before),
		    callee, source_line(env, insn));
	story_fix(story, "use it before %s, or get it again afterwards", callee);
}

bool tell_lost(struct story *story, const struct chain *chain)
{
	for (unsigned i = 0; i < chain->count; i++) {
		const struct link *link = &chain->link[i];

		if (link->how != LINK_LOST ||
		    !reg_is_pointer(story_reg(story, link->moment, link->place)) ||
		    reg_is_pointer(story_reg_after(story, link->moment, link->place)))
			continue;
		story->events.count = 0;
		story_origin(story, chain_origin(chain));
		tell_taken_away(story, link);
		story_event(story, story->moment, "stop", "%s is used here",
			    *source_expression(story->env, (uint32_t)story->insn) &&
					    story->env->insns[story->insn].kind != INSN_CALL
				    ? source_expression(story->env, (uint32_t)story->insn) : "it");
		return true;
	}
	return false;
}

/* A number is used as a pointer: it never was one, or is none any more. */
void tell_gone(struct story *story)
{
	struct env *env = story->env;
	int regno = story_message_reg(story->message);
	const struct link *origin;
	struct chain chain = { 0 };
	bool call;

	if (regno < 0 && strncmp(story->message, "arg ", 4) == 0)
		regno = story->message[4] - '0';
	if (!story->has_path || regno < 0 || regno > REG_FP) {
		tell_value(story);
		return;
	}
	call = env->insns[story->insn].kind == INSN_CALL;
	chain_find(env, story->path, story->moment, story_place(story, (unsigned)regno), &chain);
	story_chain(story, &chain);
	story_event(story, story->moment, "stop", call ? "passed to %s here, which needs a pointer"
						       : "%sused as a pointer here",
		    call ? callee_words(env, (uint32_t)story->insn) : "");
	if (tell_lost(story, &chain))
		return;
	origin = chain_origin(&chain);
	if (origin->how == LINK_LOADED) {
		story_cause(story, story->insn, "this is a number that was read from memory at line %u: "
			    "the verifier cannot know that it is an address",
			    source_line(env, story->path->moments.items[origin->moment].insn));
		story_fix(story, "read what it points to with bpf_probe_read_kernel() or "
			  "bpf_probe_read_user(); in a typed structure, with BPF_CORE_READ()");
	} else {
		story_cause(story, story->insn, "this is %s, not a pointer",
			    reg_words(env, story_reg(story, story->moment,
						     story_place(story, (unsigned)regno))));
		story_fix(story, call ? "pass the address of a variable: &x, not x"
				      : "keep a pointer a pointer: no 32-bit types, no arithmetic other "
					"than + and - with bounded numbers");
	}
}

/* --- dynptrs and iterators on the stack --- */

static bool is_object(const struct change *change)
{
	return change && (change->byte[0] == SLOT_DYNPTR || change->byte[0] == SLOT_ITER);
}

/* The argument should be a dynptr or iterator that is there: was it ever, and what ended it? */
void tell_object(struct story *story)
{
	struct env *env = story->env;
	int regno = story_message_reg(story->message);
	const char *arg = strstr(story->message, "rg #");
	const struct reg *reg;
	uint32_t place, insn;
	int64_t off;

	if (regno < 0 && arg)
		regno = atoi(arg + 4) + 1;
	if (!story->has_path || regno < 1 || regno > 5)
		return;
	reg = story_reg(story, story->moment, story_place(story, (unsigned)regno));
	off = reg->off + (int64_t)reg->var.bits.value;
	if (reg->type != REG_STACK || !scalar_is_const(reg->var) || off >= 0 || off < -INSN_STACK_SIZE)
		return;
	place = place_slot(reg->frameno, (unsigned)slot_of((int32_t)off));
	for (const struct change *c = path_value(story->path, story->moment, place); c;
	     c = c->before ? &story->path->changes.items[c->before - 1] : NULL) {
		const struct change *before = c->before ? &story->path->changes.items[c->before - 1] : NULL;

		if (is_object(c) || !is_object(before) || !c->moment)
			continue;
		insn = story->path->moments.items[c->moment - 1].insn;
		if (before->moment)
			story_event(story, before->moment - 1, "acquire", "made here");
		story_event(story, c->moment - 1, "release", env->insns[insn].kind == INSN_CALL
				    ? "%s ends it" : "%sthis overwrites it",
			    env->insns[insn].kind == INSN_CALL ? callee_words(env, insn) : "");
		story_event(story, story->moment, "stop", "and used here");
		story->origin = insn;
		story_cause(story, story->insn, "what is passed to %s was ended at line %u",
			    callee_words(env, (uint32_t)story->insn), source_line(env, insn));
		story_fix(story, "use it before that, or make it anew");
		return;
	}
	story_event(story, story->moment, "stop", "passed to %s, and nothing on this way made it one",
		    callee_words(env, (uint32_t)story->insn));
}
