/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * convert.c - classic BPF to eBPF, for each kind of program that can stand in for a filter.
 *
 * Nearly all filters need no call; for them everything lies in registers that a function may
 * use freely. Where a load can be answered by a call only (LD_ABS and LD_IND, or helpers),
 * the others are kept in registers that calls keep. See converter.h.
 */
#include "cbpf/converter.h"

#include <errno.h>

#include "cbpf/set.h"

const struct plan plan_leaf = { 1, 2, 3, 4 };
static const struct plan plan_calls = { 6, 8, 9, 7 };

const struct kind converter_kinds[] = {
	[CBPF_TO_SOCKET_FILTER] = { .name = "a socket filter", .packet = true, .legacy = true },
	[CBPF_TO_TC] = { .name = "a tc classifier", .packet = true, .direct = true, .pointer = 4,
			 .data_off = 76, .end_off = 80, .load_bytes = true, .verdict = true,
			 .pass = 0 /* TC_ACT_OK */, .drop = 2 /* TC_ACT_SHOT */ },
	[CBPF_TO_XDP] = { .name = "an XDP program", .packet = true, .direct = true, .pointer = 4,
			  .data_off = 0, .end_off = 4, .verdict = true,
			  .pass = 2 /* XDP_PASS */, .drop = 1 /* XDP_DROP */ },
	[CBPF_TO_NATIVE] = { .name = "native code", .packet = true, .direct = true, .pointer = 8,
			     .data_off = offsetof(struct cbpf_native_ctx, data),
			     .end_off = offsetof(struct cbpf_native_ctx, data_end), .legacy = true },
	[CBPF_TO_SECCOMP] = { .name = "a seccomp filter" },
};

int converter_cannot(const struct converter *c, const char *what)
{
	struct skep_where where = SKEP_NOWHERE;

	where.program = c->name;
	where.insn = (int64_t)c->pc;
	return skep_fail(c->diag, SKEP_CBPF_EBPF, &where, "instruction %zu: %s cannot load %s", c->pc,
			 c->kind->name, what);
}

static int load_absolute(struct converter *c, const struct cbpf_row *row,
			 const struct skep_cbpf_insn *insn)
{
	const struct cbpf_ancillary_row *ancillary = cbpf_ancillary(insn);

	if (c->target == CBPF_TO_SECCOMP) {
		ebpf_load(&c->e, 4, A, c->plan->context, (int32_t)insn->k);
		return 0;
	}
	return ancillary ? convert_metadata(c, ancillary) : convert_load(c, row->width, A, insn->k);
}

/* --- everything else --- */

static void compute(struct converter *c, const struct cbpf_row *row, uint32_t k)
{
	if (row->reg == CBPF_K) {
		ebpf_alu_imm(&c->e, (enum alu)row->op, 4, A, (int32_t)k);
		return;
	}
	if (row->op == ALU_DIV || row->op == ALU_MOD)
		ebpf_if_imm(&c->e, COND_EQ, 4, c->plan->x, 0, c->drop);
	ebpf_alu(&c->e, (enum alu)row->op, 4, A, c->plan->x);
}

static void recall(struct converter *c, unsigned reg, uint32_t k)
{
	if (c->home[k])
		ebpf_mov(&c->e, 4, reg, c->home[k]);
	else
		ebpf_load(&c->e, 8, reg, FRAME, MEMORY_OFF + 8 * (int32_t)k);
}

static void keep(struct converter *c, unsigned reg, uint32_t k)
{
	if (c->home[k])
		ebpf_mov(&c->e, 4, c->home[k], reg);
	else
		ebpf_store(&c->e, 8, FRAME, MEMORY_OFF + 8 * (int32_t)k, reg);
}

static bool returns_0(const struct skep_cbpf_insn *insn)
{
	return insn->code == cbpf_rows[CBPF_ID_RET_K].code && insn->k == 0;
}

/*
 * In a loop, where only 0 is returned the packet is dropped as where a load finds nothing. Elsewhere
 * the place itself, which nothing might reach otherwise: verifiers mind that.
 */
static uint32_t target_label(const struct converter *c, size_t target)
{
	return c->loop && returns_0(&c->insns[target]) ? c->drop : (uint32_t)target;
}

static void jump_if(struct converter *c, const struct cbpf_row *row, enum cond op, uint32_t k,
		    size_t target)
{
	if (c->facts[c->pc].raw)
		k = cbpf_raw_number(k, c->facts[c->pc].raw);
	if (row->reg == CBPF_X)
		ebpf_if(&c->e, op, 4, A, c->plan->x, target_label(c, target));
	else
		ebpf_if_imm(&c->e, op, 4, A, (int32_t)k, target_label(c, target));
}

/* By the set's tables: to yes, or on. */
static void look_up(struct converter *c, const struct cbpf_row *row, const struct skep_cbpf_insn *insn)
{
	bool bytes = row->reg == CBPF_SET_BYTES;
	struct set_registers regs = { .value = A, .one = TEMPORARY,
				      .two = c->plan == &plan_leaf ? SET_TEMPORARY : 4 };

	if (bytes)
		regs.base = (uint8_t)convert_bytes(c, insn->k & UINT16_MAX, &regs.off);
	set_emit(&c->e, &c->sets->all.items[bytes ? insn->k >> 16 : insn->k], &regs,
		 target_label(c, cbpf_true_target(insn, c->pc)));
	if (insn->jf != 0)
		ebpf_goto(&c->e, target_label(c, cbpf_false_target(insn, c->pc)));
}

static void branch(struct converter *c, const struct cbpf_row *row,
		   const struct skep_cbpf_insn *insn)
{
	size_t yes = cbpf_true_target(insn, c->pc), no = cbpf_false_target(insn, c->pc);
	enum cond inverse;

	if (row->reg >= CBPF_SET) {
		look_up(c, row, insn);
		return;
	}
	if (yes == no) {
		if (insn->jt != 0)
			ebpf_goto(&c->e, target_label(c, yes));
		return;
	}
	if (insn->jt == 0 && cond_inverse((enum cond)row->op, &inverse)) {
		jump_if(c, row, inverse, insn->k, no);
		return;
	}
	jump_if(c, row, (enum cond)row->op, insn->k, yes);
	if (insn->jf != 0)
		ebpf_goto(&c->e, target_label(c, no));
}

static void leave(struct converter *c)
{
	if (c->loop)
		ebpf_goto(&c->e, c->next);
	else
		ebpf_exit(&c->e);
}

static void give_back(struct converter *c, const struct cbpf_row *row, uint32_t k)
{
	struct ebpf *e = &c->e;

	if (c->kind->verdict && row->reg == CBPF_A)
		ebpf_if_imm(e, COND_EQ, 4, A, 0, c->drop);
	if (c->kind->verdict)
		ebpf_mov_imm(e, 4, A, row->reg == CBPF_K && k == 0 ? c->kind->drop : c->kind->pass);
	else if (row->reg == CBPF_K)
		ebpf_mov_imm(e, 4, A, (int32_t)k);
	if (c->loop && row->reg == CBPF_K)
		convert_result(c, k);
	else
		leave(c);
}

static int convert_insn(struct converter *c)
{
	const struct skep_cbpf_insn *insn = &c->insns[c->pc];
	const struct cbpf_row *row = cbpf_row_or_set(insn->code);
	unsigned reg = row->reg == CBPF_X ? c->plan->x : A;

	switch ((enum cbpf_kind)row->kind) {
	case CBPF_ABS:
		return load_absolute(c, row, insn);
	case CBPF_IND:
		convert_indirect(c, row, insn->k);
		break;
	case CBPF_MSH:
		return convert_msh(c, insn->k);
	case CBPF_LEN:
		convert_length(c, row);
		break;
	case CBPF_IMM:
		ebpf_mov_imm(&c->e, 4, reg, (int32_t)insn->k);
		break;
	case CBPF_MEM:
		recall(c, reg, insn->k);
		break;
	case CBPF_STORE:
		keep(c, reg, insn->k);
		break;
	case CBPF_ALU:
		compute(c, row, insn->k);
		break;
	case CBPF_NEG:
		ebpf_alu_imm(&c->e, ALU_NEG, 4, A, 0);
		break;
	case CBPF_GOTO:
		if (insn->k)
			ebpf_goto(&c->e, target_label(c, cbpf_goto_target(insn, c->pc)));
		break;
	case CBPF_JUMP:
		branch(c, row, insn);
		break;
	case CBPF_RETURN:
		give_back(c, row, insn->k);
		break;
	case CBPF_TAX:
		ebpf_mov(&c->e, 4, c->plan->x, A);
		break;
	case CBPF_TXA:
		ebpf_mov(&c->e, 4, A, c->plan->x);
		break;
	}
	return 0;
}

/* Does any load need a call? */
bool converter_calls(struct converter *c)
{
	for (c->pc = 0; c->pc < c->count; c->pc++) {
		const struct skep_cbpf_insn *insn = &c->insns[c->pc];
		const struct cbpf_row *row = cbpf_row_or_set(insn->code);
		const struct cbpf_ancillary_row *ancillary = cbpf_ancillary(insn);
		bool packet = row->kind == CBPF_ABS || row->kind == CBPF_IND || row->kind == CBPF_MSH;

		if (c->facts[c->pc].reached && row->reg == CBPF_SET_BYTES &&
		    (!c->kind->direct || c->kind->load_bytes))
			return true;
		if (!c->facts[c->pc].reached || !c->kind->packet || !packet)
			continue;
		if (ancillary && metadata_calls(c, ancillary))
			return true;
		if (ancillary)
			continue;
		if (!c->kind->direct || c->kind->load_bytes)
			return true;
		if (row->kind == CBPF_IND ? c->kind->legacy && !index_is_near(c, row, insn->k)
					  : insn->k > CBPF_DIRECT_MAX - row->width && c->kind->legacy)
			return true;
	}
	return false;
}

/* The words used first get the registers that there are. */
static void find_homes(struct converter *c)
{
	uint8_t reg = 6, end = c->sets ? SET_TEMPORARY : FRAME;

	if (c->plan != &plan_leaf)
		return;
	for (size_t pc = 0; pc < c->count && reg < end; pc++) {
		const struct cbpf_row *row = cbpf_row_or_set(c->insns[pc].code);
		uint32_t k = c->insns[pc].k;

		if (c->facts[pc].reached && row->kind == CBPF_STORE && !c->home[k])
			c->home[k] = reg++;
	}
}

static void prologue(struct converter *c)
{
	struct ebpf *e = &c->e;

	if (c->plan->context != 1)
		ebpf_mov(e, 8, c->plan->context, 1);
	if (c->kind->direct) {
		ebpf_load(e, c->kind->pointer, c->plan->data, c->plan->context, c->kind->data_off);
		ebpf_load(e, c->kind->pointer, c->plan->end, c->plan->context, c->kind->end_off);
	}
	if (c->facts[0].live_a || c->plan != &plan_leaf)
		ebpf_mov_imm(e, 4, A, 0);
	if (c->facts[0].live_x || c->plan != &plan_leaf)
		ebpf_mov_imm(e, 4, c->plan->x, 0);
}

/* Where the packet is dropped. */
static void place_drop(struct converter *c)
{
	ebpf_label(&c->e, c->drop);
	ebpf_mov_imm(&c->e, 4, A, c->kind->drop);
	if (c->loop)
		convert_next_packet(c);
	else
		leave(c);
}

/* Does the instruction at pc go on to the next? */
static bool goes_on(const struct converter *c, size_t pc)
{
	const struct skep_cbpf_insn *insn = &c->insns[pc];
	const struct cbpf_row *row = cbpf_row_or_set(insn->code);

	if (row->kind == CBPF_JUMP)
		return insn->jt == 0 || insn->jf == 0;
	return row->kind != CBPF_RETURN && (row->kind != CBPF_GOTO || insn->k == 0);
}

static void place_drop_between(struct converter *c)
{
	uint32_t over = ebpf_labels(&c->e, 2);

	if (goes_on(c, c->pc))
		ebpf_goto(&c->e, over);
	place_drop(c);
	ebpf_label(&c->e, over);
	c->drop = over + 1;
}

static bool drop_is_wanted(const struct converter *c)
{
	for (size_t i = c->e.jumps.count; i-- > 0;) {
		if (c->e.jumps.items[i].label == c->drop)
			return true;
	}
	return false;
}

/* A place that only jumps lead to, which now go to where packets are dropped. */
static bool is_nowhere(const struct converter *c)
{
	return c->loop && returns_0(&c->insns[c->pc]) && c->pc > 0 &&
	       !(c->facts[c->pc - 1].reached && goes_on(c, c->pc - 1));
}

/* All instructions, and at the end the place where the packet is dropped. */
int convert_body(struct converter *c)
{
	size_t since = 0;
	int error = 0;

	for (c->pc = 0; c->pc < c->count && error == 0 && !c->e.failed; c->pc++) {
		ebpf_label(&c->e, (uint32_t)c->pc);
		if (!c->facts[c->pc].reached || is_nowhere(c))
			continue;
		error = convert_insn(c);
		/* In a long filter, so often that each jump reaches one. */
		if (c->e.out.count - since > 16000 && drop_is_wanted(c)) {
			place_drop_between(c);
			since = c->e.out.count;
		}
	}
	if (error == 0 && drop_is_wanted(c))
		place_drop(c);
	return error;
}

static int convert_all(struct converter *c)
{
	c->plan = converter_calls(c) ? &plan_calls : &plan_leaf;
	find_homes(c);
	ebpf_labels(&c->e, c->count);
	c->drop = ebpf_labels(&c->e, 1);
	prologue(c);
	return convert_body(c);
}

/* --- the calls --- */

/* Where each of the filter's instructions went. */
static int take_program(struct converter *c, struct cbpf_program *program)
{
	*program = (struct cbpf_program){ .calls = c->e.calls, .stack = c->e.stack,
					  .metadata = c->metadata, .payload = c->payload };
	program->starts = malloc((c->count + 1) * sizeof(*program->starts));
	if (!program->starts)
		return -ENOMEM;
	memcpy(program->starts, c->e.labels.items, c->count * sizeof(*program->starts));
	program->insns = c->e.out.items;
	program->count = c->e.out.count;
	program->data = c->e.data.items;
	program->data_count = c->e.data.count;
	memset(&c->e.out, 0, sizeof(c->e.out));
	memset(&c->e.data, 0, sizeof(c->e.data));
	return 0;
}

void cbpf_program_done(struct cbpf_program *program)
{
	free(program->insns);
	free(program->data);
	free(program->starts);
	*program = (struct cbpf_program){ 0 };
}

int cbpf_convert(const struct cbpf_code *code, enum cbpf_target target, const char *name,
		 struct cbpf_program *program, struct skep_diag *diag)
{
	const struct kind *kind = &converter_kinds[target];
	struct cbpf_fact *facts = cbpf_flow(code->insns, code->count, kind->direct && !kind->load_bytes);
	struct converter c = { .insns = code->insns, .count = code->count, .sets = code->sets,
			       .target = target, .name = name, .kind = kind,
			       .facts = facts, .diag = diag };
	int error = facts ? convert_all(&c) : -ENOMEM;

	if (error == 0 && !c.e.failed && !ebpf_resolve(&c.e))
		error = skep_fail(diag, SKEP_CBPF_EBPF, NULL,
				  "'%s' is so long that its jumps do not reach", name);
	else if (error == 0)
		error = c.e.failed ? -ENOMEM : take_program(&c, program);
	if (error == -ENOMEM)
		skep_report(diag, SKEP_OOM, NULL, "converting a filter of %zu instructions", code->count);
	ebpf_done(&c.e);
	free(facts);
	return error;
}

int skep_cbpf_to_ebpf(const struct skep_cbpf_insn *insns, size_t count,
		      enum skep_cbpf_target target, const char *name, struct skep_insn **ebpf,
		      size_t *ebpf_count, struct skep_diag *diag)
{
	struct cbpf_code code = { insns, count, NULL };
	struct cbpf_program program;
	int error = skep_cbpf_check(insns, count, SKEP_CBPF_SOCKET, name, diag);

	if (error == 0)
		error = cbpf_convert(&code, (enum cbpf_target)target, name, &program, diag);
	if (error == 0) {
		*ebpf = program.insns;
		*ebpf_count = program.count;
		program.insns = NULL;
		cbpf_program_done(&program);
	}
	return error;
}
