/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * claims.c - a run held against the verifier's claims (see claims.h).
 *
 * The record is the tree of paths: a node for each instruction of each, with
 * the state before it. A run walks it from the root: of the nodes that follow,
 * the one where the run really is. Everything said there must be true: what a
 * register or spilled register can be, which bytes are zero, which registers
 * are equal, how far a packet reaches.
 *
 *   1 -> 2 -> 3 -> 4 -> exit
 *             '--> 7 -> 8 ..> 4     8 was given up for 4: the walk goes on there
 *
 * Where a path was given up, its numbers may lie outside the older path's
 * ranges if the older path never depended on them. From there on they are
 * doubtful, and so is what is computed from them: no claim about them counts.
 * But memory stays checked, and so does every branch the verifier decided.
 */
#include "claims.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "checker.h"
#include "verify/live_stack.h"
#include "verify/scalar.h"

enum { NODES = 60000, MEMORY = 96 << 20 };

struct seen {                    /* a frame as it was */
	const struct frame *frame;
	const struct slot *slots;
};

/* What holds after a path was given up for an older one: bits of registers, slots. */
struct kept {
	uint16_t regs[FRAMES_MAX];
	uint64_t slots[FRAMES_MAX];
};

struct node {
	uint32_t pc, child, next; /* next: of the same parent */
	uint32_t target;         /* not 0: the path was given up for this node */
	uint8_t depth;
	const struct kept *kept;
	struct seen view[FRAMES_MAX];
};

struct claims {
	struct node *nodes;
	uint32_t count;          /* nodes[0] is the parent of all first ones */
	char *memory;
	size_t used;
	bool incomplete;
	struct state *waiting;   /* a checkpoint whose node comes next */
};

struct claims *claims_new(void)
{
	struct claims *claims = calloc(1, sizeof(*claims));

	if (!claims)
		return NULL;
	claims->nodes = calloc(NODES, sizeof(*claims->nodes));
	claims->memory = malloc(MEMORY);
	if (!claims->nodes || !claims->memory) {
		claims_free(claims);
		return NULL;
	}
	claims->count = 1;
	return claims;
}

void claims_free(struct claims *claims)
{
	if (!claims)
		return;
	free(claims->nodes);
	free(claims->memory);
	free(claims);
}

void claims_reset(struct claims *claims)
{
	memset(claims->nodes, 0, claims->count * sizeof(*claims->nodes));
	claims->count = 1;
	claims->used = 0;
	claims->incomplete = false;
	claims->waiting = NULL;
}

bool claims_complete(const struct claims *claims)
{
	return !claims->incomplete;
}

/* --- recording --- */

static void *keep(struct claims *claims, const void *from, size_t size)
{
	void *to = claims->memory + claims->used;

	size = (size + 15) & ~(size_t)15;
	if (claims->used + size > MEMORY) {
		claims->incomplete = true;
		return NULL;
	}
	claims->used += size;
	memcpy(to, from, size);
	return to;
}

static struct node *add_node(struct claims *claims, uint32_t parent, const struct env *env)
{
	struct node *node = &claims->nodes[claims->count];

	if (claims->incomplete || claims->count == NODES) {
		claims->incomplete = true;
		return NULL;
	}
	*node = (struct node){ .pc = env->pc, .depth = (uint8_t)env->cur->depth,
			       .next = claims->nodes[parent].child };
	for (uint32_t f = 0; f <= env->cur->depth && !claims->incomplete; f++) {
		const struct frame *frame = env->cur->frame[f];

		node->view[f].frame = keep(claims, frame, sizeof(*frame));
		if (frame->slots)
			node->view[f].slots =
				keep(claims, frame->slot, frame->slots * sizeof(*frame->slot));
	}
	claims->nodes[parent].child = claims->count++;
	return claims->incomplete ? NULL : node;
}

static void on_step(void *arg, struct env *env)
{
	struct claims *claims = arg;
	struct node *node = add_node(claims, env->cur->mark, env);

	if (!node)
		return;
	env->cur->mark = claims->count - 1;
	if (claims->waiting)
		claims->waiting->mark = env->cur->mark;
	claims->waiting = NULL;
}

static void on_keep(void *arg, struct env *env, struct state *kept)
{
	struct claims *claims = arg;

	(void)env;
	claims->waiting = kept;
}

/* Where a frame goes on: what is live there. */
static uint16_t frame_live(const struct env *env, const struct state *state, uint32_t f)
{
	uint32_t pc = f == state->depth ? env->pc : (uint32_t)state->frame[f + 1]->callsite;

	return env->info[pc].live | 1u << REG_FP;
}

static bool reg_kept(const struct reg *reg, bool whole)
{
	return reg->type != REG_NOT_INIT && (whole || reg->type != REG_SCALAR || reg->precise);
}

/* Of a slot only half of which is live no more than that was compared, but for spills. */
static bool slot_kept(const struct slot *slot, unsigned halves, bool whole)
{
	if (slot_is_spill(slot) && !reg_kept(&slot->reg, whole))
		return false;
	return halves == (UPPER_HALF | LOWER_HALF) ||
	       (halves && slot->byte[SLOT_SIZE - 1] == SLOT_SPILL);
}

static void on_prune(void *arg, struct env *env, const struct state *old, bool whole)
{
	struct claims *claims = arg;
	struct node *node = add_node(claims, env->cur->mark, env);
	struct kept kept = { 0 };

	if (!node)
		return;
	for (uint32_t f = 0; f <= old->depth; f++) {
		const struct frame *frame = old->frame[f];
		uint16_t live = frame_live(env, old, f);
		struct halves halves = live_halves(env->cur, f, env->pc);

		for (unsigned r = 0; r < REG_COUNT; r++)
			if ((live >> r & 1) && reg_kept(&frame->reg[r], whole))
				kept.regs[f] |= (uint16_t)(1u << r);
		for (uint32_t s = 0; s < frame->slots; s++)
			if (slot_kept(&frame->slot[s], halves_of_slot(halves, s), whole))
				kept.slots[f] |= UINT64_C(1) << s;
	}
	node->kept = keep(claims, &kept, sizeof(kept));
	node->target = old->mark;
	if (!node->target)
		claims->incomplete = true;
}

struct verify_observer claims_observer(struct claims *claims)
{
	return (struct verify_observer){ .arg = claims, .step = on_step, .keep = on_keep,
					 .prune = on_prune };
}

/* --- is it so? --- */

struct at {                      /* a place in the run, for what is said when it is not so */
	struct checker *c;
	uint32_t frame;          /* the run's */
	int place;               /* a register, or -8, -16 ... */
};

static bool broken(const struct at *at, const char *what, uint64_t value, const struct reg *reg)
{
	checker_stop(at->c, CHECKED_BROKEN_CLAIM, at->c->pc,
		     "frame %u %s%d: %s: %#" PRIx64 " is not in type %u off %d bits %#" PRIx64 "/%#" PRIx64
		     " s %" PRId64 "..%" PRId64 " u %#" PRIx64 "..%#" PRIx64 " s32 %d..%d u32 %#x..%#x",
		     at->frame, at->place < 0 ? "fp" : "r", at->place, what, value, reg->type,
		     reg->off, reg->var.bits.value, reg->var.bits.mask, reg->var.smin, reg->var.smax,
		     reg->var.umin, reg->var.umax, reg->var.smin32, reg->var.smax32, reg->var.umin32,
		     reg->var.umax32);
	return false;
}

/* base + off + var */
static bool check_address(const struct at *at, const struct reg *reg, uint64_t value,
			  uint64_t base)
{
	uint64_t var = value - base - (uint64_t)(int64_t)reg->off;

	return scalar_has(reg->var, var) || broken(at, "offset", var, reg);
}

/* What is proved of a packet ends no later than the packet. */
static bool check_range(const struct at *at, const struct reg *reg, uint64_t value,
			const uint8_t *end)
{
	uint64_t start = value - (uint64_t)(int64_t)reg->off;

	return !packet_range(reg) || start + packet_range(reg) <= (uint64_t)(uintptr_t)end ||
	       broken(at, "packet range", packet_range(reg), reg);
}

static bool check_pointer(const struct at *at, const struct reg *reg, uint64_t value,
			  uint16_t origin)
{
	const struct checker *c = at->c;
	const struct region *region = &c->regions[origin];
	const struct packet *packet = c->vm->packet;
	uint64_t start = region->start;
	enum region_kind kind = REGION_NONE;

	if (reg_maybe_null(reg) && value == 0)
		return true;
	switch ((enum reg_type)reg->type) {
	case REG_CTX: kind = REGION_CTX; break;
	case REG_MAP: kind = REGION_MAP; break;
	case REG_MAP_VALUE: kind = REGION_VALUE; break;
	case REG_MAP_KEY: kind = REGION_KEY; break;
	case REG_STACK: kind = REGION_STACK; start += STACK; break;
	case REG_PACKET:
		kind = REGION_PACKET;
		start = (uint64_t)(uintptr_t)packet->data;
		if (!check_range(at, reg, value, packet->end))
			return false;
		break;
	case REG_PACKET_META:
		kind = REGION_META;
		start = (uint64_t)(uintptr_t)packet->meta;
		if (!check_range(at, reg, value, packet->data))
			return false;
		break;
	case REG_PACKET_END:
		return (origin == IN_END && value == (uint64_t)(uintptr_t)packet->end) ||
		       broken(at, "packet end", value, reg);
	case REG_MEM:
		if (!region->kind || (reg->mem_size > region->size && region->kind != REGION_VALUE))
			return broken(at, "memory", region->size, reg);
		return true;
	case REG_NOT_INIT: case REG_SCALAR: case REG_FLOW_KEYS: case REG_SOCKET:
	case REG_SOCK_COMMON: case REG_TCP_SOCK: case REG_TP_BUFFER: case REG_XDP_SOCK:
	case REG_BTF: case REG_BUF: case REG_FUNC: case REG_DYNPTR: case REG_ARENA: case REG_INSN:
	case REG_TYPE_COUNT:
		return true;
	}
	if (region->kind != kind)
		return broken(at, "kind of pointer", region->kind, reg);
	if (kind == REGION_STACK && (uint32_t)origin - REGION_FRAME != c->base + reg->frameno)
		return broken(at, "frame", origin, reg);
	if ((kind == REGION_VALUE || kind == REGION_MAP) && region->map != reg->map_index)
		return broken(at, "map", region->map, reg);
	return check_address(at, reg, value, start);
}

static bool check_reg(const struct at *at, const struct reg *reg, uint64_t value, uint16_t origin)
{
	if (reg->type == REG_NOT_INIT)
		return true;
	if (reg->type == REG_SCALAR)
		return scalar_has(reg->var, value) || broken(at, "number", value, reg);
	return check_pointer(at, reg, value, origin);
}

static bool check_slot(struct checker *c, uint32_t frame, uint32_t s, const struct slot *slot)
{
	struct at at = { c, frame, -8 * (int)(s + 1) };
	const uint8_t *bytes = (const uint8_t *)(uintptr_t)(frame_pointer(c, frame) - 8 * (s + 1));
	uint64_t value = 0;
	uint32_t spilled = 0;

	while (spilled < SLOT_SIZE && slot->byte[spilled] == SLOT_SPILL)
		spilled++;
	memcpy(&value, bytes, spilled);
	if (spilled == SLOT_SIZE) {
		if (!check_reg(&at, &slot->reg, value, c->word_origin[frame][s]))
			return false;
	} else if (spilled && slot->reg.type == REG_SCALAR) {
		struct reg part = slot->reg;

		if (spilled == 1 || spilled == 2 || spilled == 4)
			part.var = scalar_zero_extend(part.var, spilled);
		if (!scalar_has(part.var, value))
			return broken(&at, "part of a number", value, &part);
	}
	for (unsigned i = 0; i < SLOT_SIZE; i++)
		if (slot->byte[i] == SLOT_ZERO && bytes[i])
			return broken(&at, "zero byte", bytes[i], &slot->reg);
	return true;
}

/* --- values that are the same by their ids --- */

enum { IDS = 64 };

struct equal {
	uint32_t count;
	struct { uint32_t id; uint64_t value; } row[IDS];
};

static bool check_equal(const struct at *at, struct equal *equal, const struct reg *reg,
			uint64_t value)
{
	if (reg->type != REG_SCALAR || !reg->id)
		return true;
	if (reg->link_add)
		value -= (uint64_t)(int64_t)reg->link_off;
	for (uint32_t i = 0; i < equal->count; i++)
		if (equal->row[i].id == reg->id)
			return equal->row[i].value == value || broken(at, "linked number", value, reg);
	if (equal->count < IDS) {
		equal->row[equal->count].id = reg->id;
		equal->row[equal->count++].value = value;
	}
	return true;
}

static bool check_frame(struct checker *c, const struct node *node, uint32_t f,
			struct equal *equal)
{
	const struct frame *claim = node->view[f].frame;
	uint32_t frame = c->base + f;
	bool top = f == node->depth;
	const uint64_t *r = top ? c->r : c->frames[frame].r;
	const uint16_t *origin = top ? c->origin : c->frames[frame].origin;
	uint16_t doubt = top ? c->doubt : c->frames[frame].doubt;

	for (int i = top ? 0 : 6; i < REG_COUNT; i++) {
		struct at at = { c, frame, i };

		if (!(doubt >> i & 1) && (!check_reg(&at, &claim->reg[i], r[i], origin[i]) ||
					  !check_equal(&at, equal, &claim->reg[i], r[i])))
			return false;
	}
	for (uint32_t s = 0; s < claim->slots; s++)
		if (!c->word_doubt[frame][s] &&
		    !check_slot(c, frame, s, &node->view[f].slots[s]))
			return false;
	return true;
}

/* quiet: only asks. */
static bool check_node(struct checker *c, const struct node *node, bool quiet)
{
	struct checked before = *c->result;
	struct equal equal;
	bool good = true;

	equal.count = 0;
	for (uint32_t f = 0; f <= node->depth && good; f++)
		good = check_frame(c, node, f, &equal);
	if (!good && quiet) {
		c->stop = false;
		*c->result = before;
	}
	return good;
}

/* --- walking --- */

static void doubt_all(struct checker *c, uint32_t f, bool top, uint16_t regs, uint64_t slots)
{
	uint32_t frame = c->base + f;
	uint16_t *doubt = top ? &c->doubt : &c->frames[frame].doubt;

	*doubt |= regs;
	for (uint32_t s = 0; s < STACK_WORDS; s++)
		c->word_doubt[frame][s] |= slots >> s & 1;
}

/* A branch on a doubtful number narrows what is linked to it, too. */
static void doubt_linked(struct checker *c, const struct node *node, const struct reg *reg)
{
	if (reg->type != REG_SCALAR || !reg->id)
		return;
	for (uint32_t f = 0; f <= node->depth; f++) {
		const struct frame *frame = node->view[f].frame;
		uint16_t regs = 0;
		uint64_t slots = 0;

		for (int i = 0; i < REG_COUNT; i++)
			if (frame->reg[i].type == REG_SCALAR && frame->reg[i].id == reg->id)
				regs |= (uint16_t)(1u << i);
		for (uint32_t s = 0; s < frame->slots; s++)
			if (slot_is_spill(&node->view[f].slots[s]) &&
			    node->view[f].slots[s].reg.id == reg->id)
				slots |= UINT64_C(1) << s;
		doubt_all(c, f, f == node->depth, regs, slots);
	}
}

/* Before the walk leaves a node: its jump compares doubtful numbers. */
static void doubt_compared(struct checker *c, const struct node *node)
{
	const struct insn *insn = &c->verified->insns[node->pc];
	const struct reg *regs = node->view[node->depth].frame->reg;

	if (insn->kind != INSN_JUMP)
		return;
	if (!(c->doubt >> insn->dst & 1) &&
	    (insn->source_is_imm || !(c->doubt >> insn->src & 1)))
		return;
	c->doubt |= (uint16_t)(1u << insn->dst);
	doubt_linked(c, node, &regs[insn->dst]);
	if (!insn->source_is_imm) {
		c->doubt |= (uint16_t)(1u << insn->src);
		doubt_linked(c, node, &regs[insn->src]);
	}
}

/* The node a path was given up for; what it left out becomes doubtful. */
static uint32_t follow(struct checker *c, const struct node *nodes, uint32_t at)
{
	while (at && nodes[at].target) {
		const struct kept *kept = nodes[at].kept;

		for (uint32_t f = 0; f <= nodes[at].depth; f++)
			doubt_all(c, f, f == nodes[at].depth, (uint16_t)~kept->regs[f],
				  ~kept->slots[f]);
		at = nodes[at].target;
	}
	return at;
}

/* Of the nodes after one, that where the run is; the first that may be, if several. */
static uint32_t choose(struct checker *c, const struct node *nodes, uint32_t parent)
{
	uint32_t found = 0, given_up = 0, last = 0;

	for (uint32_t n = nodes[parent].child; n; n = nodes[n].next) {
		if (nodes[n].pc != c->pc || nodes[n].depth != c->depth - c->base)
			continue;
		last = n;
		if (!check_node(c, &nodes[n], true))
			continue;
		if (nodes[n].target)
			given_up = n;
		else
			found = n;
	}
	return found ? found : given_up ? given_up : last;
}

/*
 * Where the verifier parted the two numbers a sign can be (0 and -1), the node of the
 * path with 0 is a child with the same instruction.
 */
static uint32_t part_signs(struct checker *c, const struct node *nodes, uint32_t at)
{
	const struct insn *insn = &c->verified->insns[c->pc];
	uint32_t n = nodes[at].child;

	if (insn->kind != INSN_ALU || (uint32_t)c->r[insn->dst])
		return at;
	while (n && (nodes[n].pc != c->pc || nodes[n].depth != nodes[at].depth))
		n = nodes[n].next;
	return n ? n : at;
}

void claims_check(struct checker *c)
{
	const struct node *nodes = c->setup->claims->nodes;
	uint32_t next;

	if (c->setup->claims->incomplete)
		return;
	/* Back from a global function: on where it was called. */
	while (c->outer_count && c->depth <= c->outer[c->outer_count - 1].depth) {
		c->outer_count--;
		c->node = c->outer[c->outer_count].node;
		c->base = c->outer[c->outer_count].base;
		c->doubt &= (uint16_t)~1u;
	}
	if (c->node)
		doubt_compared(c, &nodes[c->node]);
	next = choose(c, nodes, c->node);
	if (!next && c->node && c->depth > c->base + nodes[c->node].depth) {
		/* Verified by itself: its first node has no parent. */
		c->outer[c->outer_count].node = c->node;
		c->outer[c->outer_count].base = c->base;
		c->outer[c->outer_count++].depth = c->depth - 1;
		c->base = c->depth;
		c->doubt = 0;
		next = choose(c, nodes, 0);
	}
	if (!next) {
		checker_stop(c, CHECKED_BROKEN_CLAIM, c->pc, "the verifier never came here from %u",
			     nodes[c->node].pc);
		return;
	}
	do {
		next = follow(c, nodes, next);
		c->node = next;
		check_node(c, &nodes[next], false);
		next = part_signs(c, nodes, next);
	} while (next != c->node && !c->stop);
}
