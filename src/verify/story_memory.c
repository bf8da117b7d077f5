/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * story_memory.c - the stories of pointers that lead too far: NULL, past the
 * end of the packet, past the end of a value.
 */
#include "verify/explain.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

/* --- NULL --- */

/* The register of an argument that a message counts; from 1 on. */
static int named_argument(const char *message)
{
	const char *helper = strstr(message, "helper arg"), *trusted = strstr(message, "trusted arg");
	const char *arg = strstr(message, "arg#");

	if (helper)
		return atoi(helper + 10);
	if (trusted)
		return atoi(trusted + 11) + 1;
	return arg ? atoi(arg + 4) + 1 : -1;
}

static const struct {
	const char *name, *when;
} null_when[] = {
	{ "bpf_map_lookup_elem", "when the map has no such key" },
	{ "bpf_map_lookup_percpu_elem", "when the map has no such key or CPU" },
	{ "bpf_ringbuf_reserve", "when the ring buffer is full" },
	{ "bpf_obj_new_impl", "when there is no memory" },
	{ "bpf_obj_new", "when there is no memory" },
	{ "bpf_iter_num_next", "when the loop is over" },
	{ "bpf_kptr_xchg", "when nothing was stored there" },
	{ "bpf_dynptr_data", "when the range is not inside, or the dynptr not valid" },
	{ "bpf_dynptr_slice", "when the range is not inside" },
	{ "bpf_dynptr_slice_rdwr", "when the range is not inside" },
	{ "bpf_task_acquire", "when the task is gone already" },
	{ "bpf_task_from_pid", "when there is no such task" },
	{ "bpf_sk_lookup_tcp", "when there is no such socket" },
	{ "bpf_skc_lookup_tcp", "when there is no such socket" },
	{ "bpf_sk_lookup_udp", "when there is no such socket" },
	{ "bpf_sk_storage_get", "when there is no storage and none was created" },
	{ "bpf_task_storage_get", "when there is no storage and none was created" },
};

static const char *when_null(const char *callee)
{
	for (size_t i = 0; i < ARRAY_SIZE(null_when); i++)
		if (strcmp(null_when[i].name, callee) == 0)
			return null_when[i].when;
	return "when it fails";
}

static void fix_null_argument(struct story *story, const char *name)
{
	story_fix(story, "tag the parameter: '%s __arg_nonnull', if every caller has a pointer that "
		  "is not NULL; or test it: if (!%s) return ...;", name, name);
}

void tell_null(struct story *story)
{
	struct env *env = story->env;
	int regno = story_message_reg(story->message);
	const struct link *origin;
	struct chain chain;
	uint32_t insn, start;
	const char *name, *callee;

	if (regno < 0)
		regno = named_argument(story->message);
	if (!story->has_path || regno < 0 || regno > REG_FP)
		return;
	chain_find(env, story->path, story->moment, story_place(story, (unsigned)regno), &chain);
	story_chain(story, &chain);
	origin = chain_origin(&chain);
	insn = story->path->moments.items[origin->moment].insn;
	start = story->path->moments.items[0].insn;
	name = source_assigned(env, insn);
	story_event(story, story->moment, "stop", "%s, and nothing before rules out that it is NULL",
		    env->insns[story->insn].kind == INSN_CALL
			    ? words(env, "passed to %s", callee_words(env, (uint32_t)story->insn))
			    : "used here");
	if (origin->how == LINK_ARGUMENT && !origin->moment && origin->place < REG_FP) {
		uint32_t subprog = subprog_of(env, start);

		name = param_name(env, subprog, origin->place - 1);
		story_cause(story, subprog && env->subprog[subprog].is_global ? (int64_t)start
									   : story->insn,
			    "'%s' may be NULL: %s is global, so it must be safe whoever calls it",
			    name, subprog_words(env, subprog));
		fix_null_argument(story, name);
		return;
	}
	callee = callee_name(env, insn);
	if (origin->how == LINK_RETURNED && *callee)
		story_cause(story, story->insn, "%s%s%s may be NULL here: %s() returns NULL %s",
			    *name ? "'" : "", *name ? name : "the pointer", *name ? "'" : "", callee,
			    when_null(callee));
	else
		story_cause(story, story->insn, "%s%s%s may be NULL here, and is not tested",
			    *name ? "'" : "", *name ? name : "the pointer", *name ? "'" : "");
	story_fix(story, "test it between line %u and line %u: if (!%s) return ...;",
		  source_line(env, insn), source_line(env, (uint32_t)story->insn),
		  *name ? name : "pointer");
}

/* --- packets --- */

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
	struct chain chain, mover;
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

/* --- bounds --- */

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
		return reg->map->value_size;
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
	struct chain chain;

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
		struct chain other;

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

	if (jump->width == 4 && after.umax > UINT32_MAX)
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
	struct chain chain;
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
