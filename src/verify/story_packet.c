/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * story_packet.c - the story of an access past what is proved of a packet: the
 * check is missing, proves too little, is the wrong way round, or is of another
 * pointer than the one used.
 */
#include "verify/explain.h"

#include <inttypes.h>
#include <stdio.h>

/* A comparison of a packet pointer with the end, on the path. */
struct packet_check {
	uint32_t moment;
	uint32_t pointer;            /* place of the packet pointer */
	bool same;                   /* the pointer that is used: same moving part */
	uint32_t proved;             /* bytes readable afterwards, of the pointer used */
};

static bool is_end(const struct reg *reg) { return reg->type == REG_PACKET_END; }

/* The comparison of a moment, if it is one; the pointer's place in *pointer. */
static bool compares_packet(const struct story *story, uint32_t moment, uint32_t *pointer)
{
	const struct insn *insn = story_insn(story, moment);
	uint32_t depth = story->path->moments.items[moment].depth;
	const struct reg *d, *s;

	if (insn->kind != INSN_JUMP || insn->source_is_imm)
		return false;
	d = story_reg(story, moment, place_reg(depth, insn->dst));
	s = story_reg(story, moment, place_reg(depth, insn->src));
	if (d->type == REG_PACKET && is_end(s))
		*pointer = place_reg(depth, insn->dst);
	else if (s->type == REG_PACKET && is_end(d))
		*pointer = place_reg(depth, insn->src);
	else
		return false;
	return true;
}

/* All that the failing access says. */
struct packet_use {
	const struct reg *reg;       /* the pointer used */
	int64_t first, size;         /* bytes accessed, from the pointer's base */
	struct packet_check last;    /* the newest check of the pointer itself */
	struct packet_check other;   /* the newest one of another */
	bool has_last, has_other;
	uint32_t moved;              /* moment where it was moved by something unknown; 0: never */
	uint32_t mover;              /* place of what it was moved by */
};

static void find_checks(struct story *story, struct packet_use *use)
{
	for (uint32_t i = 0; i < story->moment; i++) {
		struct packet_check check = { .moment = i };
		const struct reg *pointer;

		if (!compares_packet(story, i, &check.pointer))
			continue;
		pointer = story_reg(story, i, check.pointer);
		check.same = pointer->id == use->reg->id;
		pointer = story_reg_after(story, i, check.pointer);
		check.proved = packet_range(pointer);
		if (check.same) {
			use->last = check;
			use->has_last = true;
		} else {
			use->other = check;
			use->has_other = true;
		}
	}
}

/* Where a number that is not known was added. */
static void find_move(struct story *story, const struct chain *chain, struct packet_use *use)
{
	for (unsigned i = 0; i < chain->count; i++) {
		const struct link *link = &chain->link[i];
		const struct insn *insn = story_insn(story, link->moment);
		uint32_t frame = place_frame(link->place);
		const struct reg *d, *s;

		if (link->how != LINK_COMPUTED || insn->kind != INSN_ALU || insn->source_is_imm)
			continue;
		d = story_reg(story, link->moment, place_reg(frame, insn->dst));
		s = story_reg(story, link->moment, place_reg(frame, insn->src));
		if (reg_is_packet(d) && s->type == REG_SCALAR && !reg_is_const(s))
			use->mover = place_reg(frame, insn->src);
		else if (reg_is_packet(s) && d->type == REG_SCALAR && !reg_is_const(d))
			use->mover = place_reg(frame, insn->dst);
		else
			continue;
		use->moved = link->moment;
		return;
	}
}

static void find_use(struct story *story, unsigned regno, struct packet_use *use)
{
	const struct insn *insn = &story->env->insns[story->insn];
	const char *off = strstr(story->remark, "off="), *size = strstr(story->remark, "size=");

	use->reg = story_reg(story, story->moment, story_place(story, regno));
	use->first = use->reg->off + insn->off;
	use->size = insn->width;
	if (insn->kind == INSN_CALL) {
		use->first = use->reg->off;
		use->size = 0;
	}
	if (strstr(story->remark, "to packet") && off && size) {
		use->first = atoll(off + 4);
		use->size = atoll(size + 5);
	}
}

static void fix_packet(struct story *story, const struct packet_use *use, const char *name)
{
	int64_t need = use->first + use->size;

	if (use->has_last && !use->last.proved && use->reg->var.umax <= PACKET_OFF_MAX)
		story_fix(story, "turn the comparison round: if (%s + %" PRId64 " > data_end) return ...; "
			  "and go on after it", use->moved && *name ? name : "data", need);
	else if (use->has_last && !use->last.proved)
		story_fix(story, "bound the number first: if (offset > 1500) return ...; then compare with "
			  "data_end");
	else if (use->has_last && !use->moved)
		story_fix(story, "check for %" PRId64 " bytes here: if (data + %" PRId64 " > data_end) "
			  "return ...;", need, need);
	else if (use->moved)
		story_fix(story, "compare the moved pointer with data_end before it is used: "
			  "if ((void *)%s + %" PRId64 " > data_end) return ...;",
			  *name ? name : "ptr", use->first + use->size);
	else
		story_fix(story, "before this line, make sure of %" PRId64 " bytes: "
			  "if (data + %" PRId64 " > data_end) return ...;", need, need);
}

static const char *bytes_words(struct env *env, const struct packet_use *use)
{
	const char *where = use->moved ? " after the moving part" : " of the packet";

	if (use->size <= 1)
		return words(env, "byte %" PRId64 "%s", use->first, where);
	return words(env, "bytes %" PRId64 " to %" PRId64 "%s", use->first,
		     use->first + use->size - 1, where);
}

static void packet_check_event(struct story *story, const struct packet_check *check)
{
	const struct reg *pointer = story_reg(story, check->moment, check->pointer);
	bool moving = !scalar_is_const(pointer->var);

	if (!check->same)
		story_event(story, check->moment, "check", "this checks another pointer: %s",
			    reg_words(story->env, pointer));
	else if (check->proved)
		story_event(story, check->moment, "check", "from here on %u bytes%s are proved to be "
			    "there", check->proved, moving ? " after the moving part" : "");
	else
		story_event(story, check->moment, "check", "on the way taken here this proves nothing: "
			    "the pointer is at or past the end");
}

static void blame_packet(struct story *story, const struct packet_use *use, const char *name)
{
	struct env *env = story->env;
	const char *what = bytes_words(env, use);
	const char *subject = *name ? words(env, "%s", name) : "this";
	uint32_t check;

	if (use->has_last) {
		check = story->path->moments.items[use->last.moment].insn;
		if (use->last.proved)
			story_cause(story, check, "this check proves %u byte%s, but %s %s %s",
				    use->last.proved, use->last.proved == 1 ? "" : "s", subject,
				    accesses_words(env, (uint32_t)story->insn), what);
		else if (use->reg->var.umax > PACKET_OFF_MAX)
			story_cause(story, check, "this check proves nothing, because the pointer "
				    "was moved by %s: more than a packet can be long",
				    range_words(env, use->reg->var));
		else
			story_cause(story, check, "this check is the wrong way round: where it lets "
				    "the program go on to %s, the packet has ended", subject);
		return;
	}
	/* Compilers move code: what comes after what is for the source to say. */
	if (use->has_other && use->moved &&
	    source_line(env, story->path->moments.items[use->other.moment].insn) >
		    source_line(env, story->path->moments.items[use->moved].insn)) {
		check = story->path->moments.items[use->other.moment].insn;
		story_cause(story, check, "this checks another pointer than the one used: that one "
			    "was moved by %s at line %u",
			    range_words(env, story_reg(story, use->moved, use->mover)->var),
			    source_line(env, story->path->moments.items[use->moved].insn));
		return;
	}
	if (use->has_other && use->moved)
		story_cause(story, story->insn, "the pointer was moved by %s at line %u, after the "
			    "check at line %u: what that proved does not hold for it",
			    range_words(env, story_reg(story, use->moved, use->mover)->var),
			    source_line(env, story->path->moments.items[use->moved].insn),
			    source_line(env, story->path->moments.items[use->other.moment].insn));
	else
		story_cause(story, story->insn, "%s %s %s, and nothing on this path compares the "
			    "pointer with data_end", subject,
			    accesses_words(env, (uint32_t)story->insn), what);
}

void tell_packet(struct story *story)
{
	struct env *env = story->env;
	int regno = story_message_reg(story->message);
	struct packet_use use = { 0 };
	struct chain chain = { 0 }, mover = { 0 };
	const char *name;

	if (!story->has_path || regno < 0)
		return;
	find_use(story, (unsigned)regno, &use);
	chain_find(env, story->path, story->moment, story_place(story, (unsigned)regno), &chain);
	find_move(story, &chain, &use);
	find_checks(story, &use);
	for (unsigned i = 0; i < chain.count; i++)
		story_detail(story, chain.link[i].moment, "change", "%s",
			     reg_words(env, story_reg_after(story, chain.link[i].moment,
							    chain.link[i].place)));
	story_origin(story, chain_origin(&chain));
	if (use.moved) {
		chain_find(env, story->path, use.moved, use.mover, &mover);
		story_origin(story, chain_origin(&mover));
		story_event(story, use.moved, "change", "the pointer is moved by %s: what was proved "
			    "before does not hold for it",
			    range_words(env, story_reg(story, use.moved, use.mover)->var));
	}
	if (use.has_last)
		packet_check_event(story, &use.last);
	else if (use.has_other)
		packet_check_event(story, &use.other);
	name = source_expression(env, (uint32_t)story->insn);
	if (env->insns[story->insn].kind == INSN_CALL)
		name = callee_words(env, (uint32_t)story->insn);
	story_event(story, story->moment, "stop", "%s%s%s %s", name, *name ? " " : "",
		    accesses_words(env, (uint32_t)story->insn), bytes_words(env, &use));
	blame_packet(story, &use, name);
	fix_packet(story, &use, use.moved ? source_assigned(env,
			story->path->moments.items[use.moved].insn) : "");
}
