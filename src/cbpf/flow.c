/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow.c - what is known before each instruction of a filter, for its conversion: how
 * many bytes of the packet were found there, and how large A, X and memory can be; how many it will
 * ask for later; and which numbers need not be brought into the host's byte order.
 *
 * Jumps only go forward: one walk each way suffices.
 */
#include "cbpf/convert.h"

static void merge(struct cbpf_fact *into, const struct cbpf_fact *from)
{
	if (!into->reached) { /* what comes later stays what it is */
		struct cbpf_fact was = *into;

		*into = *from;
		into->need = was.need;
		into->live_a = was.live_a;
		into->live_x = was.live_x;
		return;
	}
	into->known = MIN(into->known, from->known);
	into->a = MAX(into->a, from->a);
	into->x = MAX(into->x, from->x);
	for (unsigned i = 0; i < CBPF_MEMORY; i++)
		into->m[i] = MAX(into->m[i], from->m[i]);
}

static uint32_t width_max(unsigned width)
{
	return width == 4 ? UINT32_MAX : (1u << 8 * width) - 1;
}

/* Only what the verifier concludes as well: it has to agree with the checks left out. */
static uint32_t alu_max(const struct cbpf_row *row, uint32_t a, uint32_t right)
{
	bool constant = row->reg == CBPF_K;

	switch (row->op) {
	case ALU_ADD:
		return a <= UINT32_MAX - right ? a + right : UINT32_MAX;
	case ALU_AND:
		return MIN(a, right);
	case ALU_RSH:
		return constant ? a >> (right & 31) : UINT32_MAX;
	case ALU_LSH:
		return constant && a <= UINT32_MAX >> (right & 31) ? a << (right & 31) : UINT32_MAX;
	default:
		return UINT32_MAX;
	}
}

/* A load at a constant offset that a pointer reaches. */
static bool is_near(const struct cbpf_row *row, const struct skep_cbpf_insn *insn)
{
	return (row->kind == CBPF_ABS || row->kind == CBPF_MSH) && insn->k <= CBPF_DIRECT_MAX - row->width;
}

static void load_packet(struct cbpf_fact *fact, const struct cbpf_row *row,
			const struct skep_cbpf_insn *insn)
{
	if (row->kind == CBPF_MSH)
		fact->x = 60;
	else
		fact->a = cbpf_ancillary(insn) ? UINT32_MAX : width_max(row->width);
	if (is_near(row, insn) && fact->known < insn->k + row->width)
		fact->known = MAX(fact->need, insn->k + row->width);
}

static void transfer(struct cbpf_fact *fact, const struct cbpf_row *row,
		     const struct skep_cbpf_insn *insn)
{
	uint32_t *reg = row->reg == CBPF_X ? &fact->x : &fact->a;

	switch ((enum cbpf_kind)row->kind) {
	case CBPF_ABS: case CBPF_IND: case CBPF_MSH:
		load_packet(fact, row, insn);
		break;
	case CBPF_LEN:
		*reg = UINT32_MAX;
		break;
	case CBPF_IMM:
		*reg = insn->k;
		break;
	case CBPF_MEM:
		*reg = fact->m[insn->k];
		break;
	case CBPF_STORE:
		fact->m[insn->k] = *reg;
		break;
	case CBPF_ALU:
		fact->a = alu_max(row, fact->a, row->reg == CBPF_X ? fact->x : insn->k);
		break;
	case CBPF_NEG:
		fact->a = UINT32_MAX;
		break;
	case CBPF_TAX:
		fact->x = fact->a;
		break;
	case CBPF_TXA:
		fact->a = fact->x;
		break;
	case CBPF_JUMP:
		if (row->reg == CBPF_SET_BYTES)
			fact->a = UINT32_MAX;
		break;
	case CBPF_GOTO: case CBPF_RETURN:
		break;
	}
}

/* --- backwards: what comes later --- */

static bool reads_a(const struct cbpf_row *row, const struct skep_cbpf_insn *insn)
{
	const struct cbpf_ancillary_row *ancillary = cbpf_ancillary(insn);

	if (ancillary) /* without a device the filter ends with what A holds */
		return ancillary->number == CBPF_AD_XOR_X || ancillary->number == CBPF_AD_NLATTR ||
		       ancillary->number == CBPF_AD_NLATTR_NEST || ancillary->number == CBPF_AD_IFINDEX ||
		       ancillary->number == CBPF_AD_HATYPE;
	return row->kind == CBPF_ALU || row->kind == CBPF_NEG || row->kind == CBPF_TAX ||
	       (row->kind == CBPF_JUMP && row->reg != CBPF_SET_BYTES) ||
	       ((row->kind == CBPF_STORE || row->kind == CBPF_RETURN) && row->reg == CBPF_A);
}

static bool reads_x(const struct cbpf_row *row, const struct skep_cbpf_insn *insn)
{
	const struct cbpf_ancillary_row *ancillary = cbpf_ancillary(insn);

	if (ancillary)
		return ancillary->number == CBPF_AD_XOR_X || ancillary->number == CBPF_AD_NLATTR ||
		       ancillary->number == CBPF_AD_NLATTR_NEST;
	return row->kind == CBPF_IND || row->kind == CBPF_TXA ||
	       ((row->kind == CBPF_ALU || row->kind == CBPF_JUMP || row->kind == CBPF_STORE ||
		 row->kind == CBPF_RETURN) && row->reg == CBPF_X);
}

static bool writes(const struct cbpf_row *row, bool x)
{
	switch ((enum cbpf_kind)row->kind) {
	case CBPF_LEN: case CBPF_IMM: case CBPF_MEM:
		return (row->reg == CBPF_X) == x;
	case CBPF_MSH: case CBPF_TAX:
		return x;
	case CBPF_ABS: case CBPF_IND: case CBPF_ALU: case CBPF_NEG: case CBPF_TXA:
		return !x;
	case CBPF_STORE: case CBPF_GOTO: case CBPF_JUMP: case CBPF_RETURN:
		break;
	}
	return false;
}

static void look_back(struct cbpf_fact *fact, const struct cbpf_row *row,
		      const struct skep_cbpf_insn *insn)
{
	const struct cbpf_ancillary_row *ancillary = cbpf_ancillary(insn);

	if (is_near(row, insn)) /* where every way returns 0 anyway, what is asked for here will do */
		fact->need = fact->need > CBPF_DIRECT_MAX ? insn->k + row->width :
			     MAX(fact->need, insn->k + row->width);
	if (ancillary && (ancillary->number == CBPF_AD_IFINDEX || ancillary->number == CBPF_AD_HATYPE))
		fact->need = 0;
	if (row->kind == CBPF_RETURN)
		fact->need = row->reg == CBPF_K && insn->k == 0 ? UINT32_MAX : 0;
	fact->live_a = reads_a(row, insn) || (fact->live_a && !writes(row, false));
	fact->live_x = reads_x(row, insn) || (fact->live_x && !writes(row, true));
}

/* Facts about what follows pc: of a jump, on both ways. */
static struct cbpf_fact behind(const struct cbpf_fact *facts, const struct skep_cbpf_insn *insns, size_t pc,
			       const struct cbpf_row *row)
{
	struct cbpf_fact yes, no;

	if (row->kind == CBPF_RETURN)
		return (struct cbpf_fact){ 0 };
	if (row->kind == CBPF_GOTO)
		return facts[cbpf_goto_target(&insns[pc], pc)];
	if (row->kind != CBPF_JUMP)
		return facts[pc + 1];
	yes = facts[cbpf_true_target(&insns[pc], pc)];
	no = facts[cbpf_false_target(&insns[pc], pc)];
	yes.need = MIN(yes.need, no.need);
	yes.live_a |= no.live_a;
	yes.live_x |= no.live_x;
	return yes;
}

static void flow_backwards(struct cbpf_fact *facts, const struct skep_cbpf_insn *insns, size_t count,
			   bool direct)
{
	for (size_t pc = count; pc-- > 0;) {
		const struct cbpf_row *row = cbpf_row_or_set(insns[pc].code);

		facts[pc] = behind(facts, insns, pc, row);
		look_back(&facts[pc], row, &insns[pc]);
	}
	for (size_t pc = 0; pc < count && !direct; pc++)
		facts[pc].need = 0;
}

/* --- which loads can leave the bytes in their order --- */

/*
 * Numbers that are only compared with constants are compared as they lie in the packet. Loads that
 * the same comparison may see go together: a tree of them, by load, leads to one.
 */
struct orders {
	const struct skep_cbpf_insn *insns;
	struct cbpf_fact *facts;
	uint32_t *seen;          /* by instruction: 1 + a load whose A is seen there; 0: none yet */
	uint32_t *group;         /* by load: another of its group, or itself */
	bool *host;              /* by group's first: in the host's order */
};

static uint32_t group_of(const struct orders *o, uint32_t load)
{
	while (o->group[load] != load)
		load = o->group[load] = o->group[o->group[load]];
	return load;
}

static uint8_t raw_width(const struct orders *o, size_t pc)
{
	const struct skep_cbpf_insn *insn = &o->insns[pc];
	const struct cbpf_row *row = cbpf_row_or_set(insn->code);
	bool near = is_near(row, insn) ||
		    (row->kind == CBPF_IND && (uint64_t)o->facts[pc].x + insn->k <= CBPF_DIRECT_MAX - row->width);

	return near && row->kind != CBPF_MSH && row->width > 1 ? row->width : 0;
}

static void join(struct orders *o, uint32_t a, uint32_t b)
{
	a = group_of(o, a);
	b = group_of(o, b);
	o->host[a] |= o->host[b] || raw_width(o, a) != raw_width(o, b);
	o->group[b] = a;
}

/* What A was loaded by is seen at pc, if it is read from there on. */
static void carry(struct orders *o, uint32_t load, size_t pc)
{
	if (!o->facts[pc].live_a)
		return;
	if (o->seen[pc])
		join(o, o->seen[pc] - 1, load);
	else
		o->seen[pc] = load + 1;
}

static uint32_t swap(uint32_t k, uint8_t width)
{
	return width == 2 ? (uint32_t)__builtin_bswap16((uint16_t)k) : __builtin_bswap32(k);
}

uint32_t cbpf_raw_number(uint32_t k, uint8_t width)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? swap(k, width) : k;
}

/* A comparison that says the same of swapped numbers. */
static bool compares(const struct cbpf_row *row, const struct skep_cbpf_insn *insn, uint8_t width)
{
	return row->kind == CBPF_JUMP && row->reg == CBPF_K && width > 0 &&
	       (row->op == COND_SET || (row->op == COND_EQ && (width == 4 || insn->k <= UINT16_MAX)));
}

static void step_order(struct orders *o, size_t pc)
{
	const struct skep_cbpf_insn *insn = &o->insns[pc];
	const struct cbpf_row *row = cbpf_row_or_set(insn->code);
	uint32_t load = o->seen[pc] - 1; /* where it is seen */

	if (o->seen[pc] && reads_a(row, insn) &&
	    !compares(row, insn, raw_width(o, group_of(o, load))))
		o->host[group_of(o, load)] = true;
	if (writes(row, false)) { /* other writers are loads in the host's order */
		load = (uint32_t)pc;
		o->host[pc] |= raw_width(o, pc) == 0;
		carry(o, load, pc + 1);
	} else if (row->kind == CBPF_JUMP && o->seen[pc]) {
		carry(o, load, cbpf_true_target(insn, pc));
		carry(o, load, cbpf_false_target(insn, pc));
	} else if (row->kind == CBPF_GOTO && o->seen[pc]) {
		carry(o, load, cbpf_goto_target(insn, pc));
	} else if (row->kind != CBPF_RETURN && o->seen[pc]) {
		carry(o, load, pc + 1);
	}
}

static bool find_orders(struct cbpf_fact *facts, const struct skep_cbpf_insn *insns, size_t count)
{
	struct orders o = { .insns = insns, .facts = facts };

	o.seen = calloc(count + 1, sizeof(*o.seen));
	o.group = calloc(count + 1, sizeof(*o.group));
	o.host = calloc(count + 1, sizeof(*o.host));
	if (o.seen && o.group && o.host) {
		for (uint32_t pc = 0; pc < count; pc++)
			o.group[pc] = pc;
		if (facts[0].live_a) { /* as if 0 were loaded before: no order that a load has */
			o.host[0] = true;
			o.seen[0] = 1;
		}
		for (size_t pc = 0; pc < count; pc++) {
			if (facts[pc].reached)
				step_order(&o, pc);
		}
		for (size_t pc = 0; pc < count; pc++) {
			const struct cbpf_row *row = cbpf_row_or_set(insns[pc].code);
			bool load = raw_width(&o, pc) > 0;
			uint32_t of = load || row->kind != CBPF_JUMP || !o.seen[pc] ? (uint32_t)pc : o.seen[pc] - 1;

			of = group_of(&o, of);
			if ((load || (row->kind == CBPF_JUMP && o.seen[pc])) && !o.host[of])
				facts[pc].raw = raw_width(&o, of);
		}
	}
	free(o.seen);
	free(o.group);
	free(o.host);
	return o.seen && o.group && o.host;
}

/* --- all of it --- */

static void flow_forwards(struct cbpf_fact *facts, const struct skep_cbpf_insn *insns, size_t count)
{
	facts[0].reached = true;
	for (size_t pc = 0; pc < count; pc++) {
		const struct cbpf_row *row = cbpf_row_or_set(insns[pc].code);
		struct cbpf_fact after = facts[pc];

		if (!after.reached || row->kind == CBPF_RETURN)
			continue;
		transfer(&after, row, &insns[pc]);
		if (row->kind == CBPF_GOTO) {
			merge(&facts[cbpf_goto_target(&insns[pc], pc)], &after);
		} else if (row->kind == CBPF_JUMP) {
			merge(&facts[cbpf_true_target(&insns[pc], pc)], &after);
			merge(&facts[cbpf_false_target(&insns[pc], pc)], &after);
		} else {
			merge(&facts[pc + 1], &after);
		}
	}
}

struct cbpf_fact *cbpf_flow(const struct skep_cbpf_insn *insns, size_t count, bool direct)
{
	struct cbpf_fact *facts = calloc(count + 1, sizeof(*facts));

	if (!facts)
		return NULL;
	flow_backwards(facts, insns, count, direct);
	flow_forwards(facts, insns, count);
	if (direct && !find_orders(facts, insns, count)) {
		free(facts);
		return NULL;
	}
	return facts;
}
