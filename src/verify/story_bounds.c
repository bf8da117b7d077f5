/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * story_bounds.c - the story of an index, offset or size that may be too large:
 * nothing bounds it, the check lets too much through or is of a copy, or the
 * bound was lost after it.
 */
#include "verify/explain.h"

#include <inttypes.h>
#include <stdio.h>

/* The memory that is left, and how far into it the access goes. */
struct bounds_use {
	bool is_size;                /* the number is a size, not an offset */
	bool fixed;                  /* nothing moves: the offset itself is wrong */
	int64_t limit;               /* bytes the memory has; -1: unknown */
	int64_t first, size;         /* what is accessed when the number is 0 */
	uint32_t moment, place;      /* the number */
};

static int64_t region_size(const struct reg *reg)
{
	switch ((enum reg_type)reg->type) {
	case REG_MAP_VALUE:
		return map_value_room(reg->map);
	case REG_MAP_KEY:
		return reg->map->key_size;
	case REG_MEM:
		return reg->mem_size;
	case REG_STACK:
		return 0; /* offsets are negative: the frame ends at 0 */
	case REG_FLOW_KEYS:
		return FLOW_KEYS_SIZE;
	case REG_NOT_INIT: case REG_SCALAR: case REG_CTX: case REG_MAP: case REG_PACKET_META:
	case REG_PACKET: case REG_PACKET_END: case REG_SOCKET: case REG_SOCK_COMMON:
	case REG_TCP_SOCK: case REG_TP_BUFFER: case REG_XDP_SOCK: case REG_BTF: case REG_BUF:
	case REG_FUNC: case REG_DYNPTR: case REG_ARENA: case REG_INSN: case REG_TYPE_COUNT:
		return -1;
	}
	__builtin_unreachable();
}

/* Where a number was added to the pointer that is not constant; the widest one. */
static bool find_added(struct story *story, const struct chain *chain, struct bounds_use *use)
{
	uint64_t widest = 0;
	bool found = false;

	for (unsigned i = 0; i < chain->count; i++) {
		const struct link *link = &chain->link[i];
		const struct insn *insn = story_insn(story, link->moment);
		uint32_t frame = place_frame(link->place), place;
		const struct reg *d, *s, *number;

		if (link->how != LINK_COMPUTED || insn->kind != INSN_ALU || insn->source_is_imm)
			continue;
		d = story_reg(story, link->moment, place_reg(frame, insn->dst));
		s = story_reg(story, link->moment, place_reg(frame, insn->src));
		place = place_reg(frame, reg_is_pointer(d) ? insn->src : insn->dst);
		number = reg_is_pointer(d) ? s : d;
		if (number->type != REG_SCALAR || reg_is_const(number))
			continue;
		if (found && number->var.umax - number->var.umin <= widest)
			continue;
		widest = number->var.umax - number->var.umin;
		use->moment = link->moment;
		use->place = place;
		found = true;
	}
	return found;
}

/* The pointer argument that goes with a size. */
static const struct reg *memory_of_size(struct story *story, int regno)
{
	for (int i = regno - 1; i >= 1; i--) {
		const struct reg *reg = story_reg(story, story->moment, story_place(story, (unsigned)i));

		if (region_size(reg) >= 0)
			return reg;
	}
	return NULL;
}

static bool find_number(struct story *story, int regno, struct bounds_use *use)
{
	const struct insn *insn = &story->env->insns[story->insn];
	uint32_t place = story_place(story, (unsigned)regno);
	const struct reg *reg = story_reg(story, story->moment, place);
	const struct reg *memory;
	struct chain chain = { 0 };

	use->limit = -1;
	if (reg->type == REG_SCALAR) {
		use->is_size = insn->kind == INSN_CALL;
		use->moment = story->moment;
		use->place = place;
		memory = use->is_size ? memory_of_size(story, regno) : NULL;
		if (memory) {
			use->limit = region_size(memory);
			use->first = memory->off;
			if (scalar_is_const(memory->var))
				use->first += (int64_t)memory->var.bits.value;
		}
		return true;
	}
	use->limit = region_size(reg);
	use->first = reg->off + (insn->kind == INSN_CALL ? 0 : insn->off);
	use->size = insn->kind == INSN_CALL ? 0 : insn->width;
	if (strstr(story->remark, " size="))
		use->size = atoll(strstr(story->remark, " size=") + 6);
	else if (strstr(story->message, " size="))
		use->size = atoll(strstr(story->message, " size=") + 6);
	/* A pointer and its length: the length may be what is too large. */
	if (insn->kind == INSN_CALL && scalar_is_const(reg->var) && regno < 5) {
		const struct reg *next = story_reg(story, story->moment, place + 1);

		if (next->type == REG_SCALAR && !reg_is_const(next)) {
			use->is_size = true;
			use->size = 0;
			use->first += (int64_t)reg->var.bits.value;
			use->moment = story->moment;
			use->place = place + 1;
			return true;
		}
	}
	chain_find(story->env, story->path, story->moment, place, &chain);
	if (find_added(story, &chain, use))
		return true;
	use->fixed = true;
	use->moment = story->moment;
	use->place = place;
	return true;
}

static bool is_bounded(struct scalar var)
{
	return var.smin >= 0 && var.umax < VAR_OFF_MAX;
}

/* How far it can reach: larger is worse. */
static uint64_t badness(struct scalar var)
{
	return var.smin < 0 ? UINT64_MAX : var.umax;
}

/* The newest link after which a number that was in bounds was not any more. */
static const struct link *find_lost(const struct story *story, const struct chain *chain)
{
	for (unsigned i = 0; i + 1 < chain->count; i++) {
		const struct link *link = &chain->link[i];
		const struct reg *after = story_reg_after(story, link->moment, link->place);
		const struct reg *before = story_reg(story, link->moment, chain->link[i + 1].place);

		if (after->type == REG_SCALAR && is_bounded(after->var))
			return NULL;
		if (before->type == REG_SCALAR && is_bounded(before->var) &&
		    badness(after->var) > badness(before->var) && link->how != LINK_CHECKED)
			return link;
	}
	return NULL;
}

static const struct link *find_check(const struct story *story, const struct chain *chain)
{
	(void)story;
	for (unsigned i = 0; i < chain->count; i++)
		if (chain->link[i].how == LINK_CHECKED)
			return &chain->link[i];
	return NULL;
}

/* Are they the same value, read or returned by the same instruction, or read from one place? */
static bool same_origin(const struct story *story, const struct link *a, const struct link *b)
{
	const struct insn *x, *y;

	if (a->moment == b->moment && a->place == b->place)
		return true;
	if (a->how != LINK_LOADED || b->how != LINK_LOADED)
		return false;
	x = story_insn(story, a->moment);
	y = story_insn(story, b->moment);
	return x->kind == INSN_LOAD && y->kind == INSN_LOAD && x->off == y->off &&
	       x->src != REG_FP && story_reg(story, a->moment, place_reg(place_frame(a->place), x->src))->type ==
	       story_reg(story, b->moment, place_reg(place_frame(b->place), y->src))->type;
}

/* A comparison of a copy of the number, made elsewhere on the path; -1: none. */
static int64_t find_side_check(const struct story *story, const struct chain *chain,
			       uint32_t until, bool *read_again)
{
	const struct link *origin = chain_origin(chain);

	for (int64_t i = (int64_t)until - 1; i >= 0; i--) {
		const struct insn *insn = story_insn(story, (uint32_t)i);
		uint32_t depth = story->path->moments.items[i].depth;
		struct chain other = { 0 };

		if (insn->kind != INSN_JUMP)
			continue;
		for (int side = 0; side < (insn->source_is_imm ? 1 : 2); side++) {
			uint32_t place = place_reg(depth, side ? insn->src : insn->dst);

			if (story_reg(story, (uint32_t)i, place)->type != REG_SCALAR)
				continue;
			chain_find(story->env, story->path, (uint32_t)i, place, &other);
			if (!same_origin(story, origin, chain_origin(&other)))
				continue;
			*read_again = origin->moment != chain_origin(&other)->moment;
			return i;
		}
	}
	return -1;
}

static const char *room_words(struct env *env, const struct bounds_use *use)
{
	if (use->limit < 0)
		return "";
	if (use->limit == 0 && use->first < 0)
		return words(env, "; up to the end of the stack it has %" PRId64 " bytes", -use->first);
	if (use->is_size)
		return words(env, "; the memory has %" PRId64 " byte%s there",
			     use->limit - use->first, use->limit - use->first == 1 ? "" : "s");
	return words(env, "; the memory has %" PRId64 " bytes", use->limit);
}

static void fixed_cause(struct story *story, const struct bounds_use *use)
{
	struct env *env = story->env;
	const struct reg *reg = story_reg(story, story->moment, use->place);
	int64_t first = use->first;

	if (reg->type == REG_STACK) {
		first += (int64_t)reg->var.bits.value;
		if (first < -INSN_STACK_SIZE || first >= 0)
			story_cause(story, story->insn, "this reaches fp%+" PRId64 ", and a function's "
				    "stack is fp-512 to fp-1", first);
		else
			story_cause(story, story->insn, "this %s %" PRId64 " bytes of a variable that has only %"
				    PRId64 " (at fp%" PRId64 ", up to the end of the stack)",
				    accesses_words(env, (uint32_t)story->insn), use->size, -first, first);
		story_fix(story, "make the variable as large as what is accessed: a map's key and value have "
			  "the sizes that it was defined with");
		return;
	}
	if (scalar_is_const(reg->var))
		first += (int64_t)reg->var.bits.value;
	story_cause(story, story->insn, "this %s bytes %" PRId64 " to %" PRId64 " of memory that has %"
		    PRId64 " (%s)", accesses_words(env, (uint32_t)story->insn), first,
		    first + MAX(use->size, 1) - 1, use->limit, reg_words(env, reg));
	story_fix(story, "make the memory larger, or access less: the size that counts is the one "
		  "it was declared or reserved with");
}

static void fix_bounds(struct story *story, const struct bounds_use *use, const char *name)
{
	const char *n = *name ? name : use->is_size ? "size" : "index";

	if (use->limit >= 0 && use->limit > use->first && use->is_size)
		story_fix(story, "bound it just before it is used: if (%s > %" PRId64 ") return ...; "
			  "(an unsigned number), or %s &= a mask", n, use->limit - use->first, n);
	else
		story_fix(story, "bound the very number that is used, as an unsigned one: "
			  "if (%s >= COUNT) return ...;", n);
}

/* The check does not go far enough. */
static void weak_check(struct story *story, const struct bounds_use *use, const struct link *check,
		       struct scalar var)
{
	struct env *env = story->env;
	struct scalar after = story_reg_after(story, check->moment, check->place)->var;
	uint32_t insn = story->path->moments.items[check->moment].insn;
	const struct insn *jump = story_insn(story, check->moment);
	bool is_signed = jump->op == COND_SGT || jump->op == COND_SGE || jump->op == COND_SLT ||
			 jump->op == COND_SLE;

	/* The sign of 32 bits, extended, makes those the whole number. */
	if (jump->width == 4 && after.umax > UINT32_MAX &&
	    !(var.smin >= INT32_MIN && var.smax <= INT32_MAX))
		story_cause(story, insn, "this looks at the lower 32 bits only; the number that is used "
			    "has 64, and the upper ones may be anything");
	else if (var.smin < 0 && is_signed)
		story_cause(story, insn, "this compares it as a signed number, and bounds it from above "
			    "only: it may still be negative");
	else if (var.smin < 0 && var.smax < VAR_OFF_MAX)
		story_cause(story, insn, "this bounds it from above only: it may still be negative "
			    "(%s)", range_words(env, after));
	else if (var.smin < 0 || var.umax >= VAR_OFF_MAX)
		story_cause(story, insn, "after this check it may still be %s",
			    range_words(env, after));
	else if (use->is_size)
		story_cause(story, insn, "this lets the size be %s%s", range_words(env, after),
			    room_words(env, use));
	else
		story_cause(story, insn, "this lets it be up to %" PRIu64 ", so that bytes %" PRId64
			    " to %" PRId64 " may be accessed%s", after.umax,
			    use->first + (int64_t)(use->is_size ? 0 : var.umax),
			    use->first + (int64_t)var.umax + (use->is_size ? 0 : MAX(use->size, 1)) - 1,
			    room_words(env, use));
}

static void blame_bounds(struct story *story, const struct bounds_use *use,
			 const struct chain *chain, const char *name)
{
	struct env *env = story->env;
	const struct link *origin = chain_origin(chain), *lost, *check;
	struct scalar var = story_reg(story, use->moment, use->place)->var;
	const char *what = *name ? words(env, "'%s'", name) : use->is_size ? "the size" : "the index";
	bool again = false;
	int64_t side;

	lost = find_lost(story, chain);
	check = find_check(story, chain);
	if (lost) {
		story_cause(story, story->path->moments.items[lost->moment].insn,
			    "here %s stops being bounded: before, it was %s; after, %s", what,
			    range_words(env, story_reg(story, lost->moment,
						       (lost + 1)->place)->var),
			    range_words(env, story_reg_after(story, lost->moment, lost->place)->var));
		return;
	}
	if (check) {
		weak_check(story, use, check, var);
		return;
	}
	side = find_side_check(story, chain, use->moment, &again);
	if (side >= 0) {
		story_event(story, (uint32_t)side, "check", "this bounds %s, not the number that is "
			    "used", again ? "what was read then" : "a copy of it");
		story_cause(story, story->path->moments.items[side].insn, again
			    ? "this bounds %s as it was read here; at line %u it is read again, and "
			      "may have changed" : "this bounds a copy of %s in another form, not the "
			      "number that is used at line %u", what,
			    again ? source_line(env, story->path->moments.items[origin->moment].insn)
				  : source_line(env, (uint32_t)story->insn));
		return;
	}
	story_cause(story, origin->how == LINK_UNKNOWN ? story->insn
			   : (int64_t)story->path->moments.items[origin->moment].insn,
		    "%s may be %s, and nothing bounds it before it is used at line %u%s", what,
		    range_words(env, var), source_line(env, (uint32_t)story->insn),
		    room_words(env, use));
}

/* What the source calls the number: a line on its way assigns it to something. */
static const char *chain_name(struct story *story, const struct chain *chain)
{
	const char *name = "";

	for (unsigned i = chain->count; i-- > 0 && !*name;) {
		const struct link *link = &chain->link[i];
		uint32_t insn = story->path->moments.items[link->moment].insn;

		if (link->how != LINK_CHECKED && strchr(insn_where(story->env, insn).text
				? insn_where(story->env, insn).text : "", ',') == NULL)
			name = source_assigned(story->env, insn);
	}
	return name;
}

void tell_bounds(struct story *story)
{
	struct env *env = story->env;
	int regno = story_message_reg(story->message);
	struct bounds_use use = { 0 };
	struct chain chain = { 0 };
	const char *name;

	if (regno < 0 && story->has_path && env->insns[story->insn].kind == INSN_ALU) {
		const struct insn *insn = &env->insns[story->insn];

		regno = story_reg(story, story->moment, story_place(story, insn->dst))->type ==
					REG_SCALAR ? insn->dst : insn->src;
	}
	if (!story->has_path || regno < 0 || !find_number(story, regno, &use))
		return;
	chain_find(env, story->path, use.moment, use.place, &chain);
	if (!use.fixed || story_reg(story, use.moment, use.place)->type != REG_STACK)
		story_chain(story, &chain);
	if (use.fixed) {
		story_event(story, story->moment, "stop", "%s %" PRId64 " bytes",
			    accesses_words(env, (uint32_t)story->insn), MAX(use.size, 1));
		fixed_cause(story, &use);
		return;
	}
	name = chain_name(story, &chain);
	if (use.moment != story->moment)
		story_event(story, use.moment, "change", "added to a pointer: %s",
			    range_words(env, story_reg(story, use.moment, use.place)->var));
	story_event(story, story->moment, "stop", "used here as %s: it may be %s%s",
		    use.is_size ? "a size" : "an offset",
		    range_words(env, story_reg(story, use.moment, use.place)->var),
		    room_words(env, &use));
	blame_bounds(story, &use, &chain, name);
	fix_bounds(story, &use, name);
}
