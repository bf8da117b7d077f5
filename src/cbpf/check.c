/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check.c - would Linux attach this filter?
 *
 * Jumps only go forward, so one walk from the first instruction to the last sees
 * every instruction after all that lead to it. It keeps, for each, the words of
 * memory that are set on every way there.
 */
#include "cbpf/cbpf.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/base.h"

struct check {
	const struct skep_cbpf_insn *insns;
	size_t count, pc;
	enum skep_cbpf_use use;
	const char *name;
	struct skep_diag *diag;
};

/* Reports what is wrong with the instruction at pc, and what would be right. */
static int check_fail(const struct check *check, const char *help, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int check_fail(const struct check *check, const char *help, const char *fmt, ...)
{
	struct skep_where where = SKEP_NOWHERE;
	char what[160], line[64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	skep_cbpf_disasm(check->insns, check->count, check->pc, SKEP_CBPF_LISTING, line,
			 sizeof(line));
	/* The padding that lines up a listing means nothing here. */
	for (char *p = line + strlen(line); p > line && (p[-1] == ' ' || p[-1] == '\t'); )
		*--p = '\0';
	where.program = check->name;
	where.insn = (int64_t)check->pc;
	skep_report(check->diag, SKEP_CBPF_INSN, &where, "instruction %zu (%s) %s", check->pc, line,
		    what);
	if (help)
		skep_help(check->diag, "%s", help);
	return -SKEP_CBPF_INSN_ERRNO;
}

/* --- one instruction by itself --- */

static int check_seccomp(const struct check *check, const struct cbpf_row *row)
{
	const struct skep_cbpf_insn *insn = &check->insns[check->pc];

	if (!row->seccomp)
		return check_fail(check, "seccomp filters load 32-bit words of the call by 'ld [k]' and "
				  "have neither packets nor the remainder of a division",
				  "is not for seccomp filters");
	if (row->kind == CBPF_ABS && (insn->k % 4 || insn->k >= SECCOMP_DATA_SIZE))
		return check_fail(check, "load at 0 (the call's number), 4 (the architecture), 8 and 12 "
				  "(the instruction pointer) or 16 to 60 (the arguments)",
				  "does not load an aligned word of the %u bytes that describe a call",
				  SECCOMP_DATA_SIZE);
	return 0;
}

static int check_alu(const struct check *check, const struct cbpf_row *row)
{
	uint32_t k = check->insns[check->pc].k;

	if (row->reg != CBPF_K)
		return 0;
	if ((row->op == ALU_DIV || row->op == ALU_MOD) && k == 0)
		return check_fail(check, "divide by another number", "divides by zero");
	if ((row->op == ALU_LSH || row->op == ALU_RSH) && k >= 32)
		return check_fail(check, "shift by 0 to 31", "shifts a number of 32 bits by %u", k);
	return 0;
}

static int check_jump(const struct check *check, const struct cbpf_row *row)
{
	const struct skep_cbpf_insn *insn = &check->insns[check->pc];
	size_t left = check->count - check->pc - 1, far;

	if (row->kind == CBPF_GOTO)
		far = insn->k;
	else
		far = MAX(insn->jt, insn->jf);
	if (far < left)
		return 0;
	return check_fail(check, "jumps go to a later instruction of the filter",
			  "jumps to %zu of %zu instructions", check->pc + 1 + far, check->count);
}

static int check_insn(const struct check *check)
{
	const struct skep_cbpf_insn *insn = &check->insns[check->pc];
	const struct cbpf_row *row = cbpf_row(insn->code);

	if (!row)
		return check_fail(check, "write it as text and let it be assembled",
				  "has the code 0x%02x, which no instruction has", insn->code);
	if (check->use == SKEP_CBPF_SECCOMP && check_seccomp(check, row) < 0)
		return -SKEP_CBPF_INSN_ERRNO;
	switch ((enum cbpf_kind)row->kind) {
	case CBPF_ALU:
		return check_alu(check, row);
	case CBPF_GOTO:
	case CBPF_JUMP:
		return check_jump(check, row);
	case CBPF_MEM:
	case CBPF_STORE:
		if (insn->k >= CBPF_MEMORY)
			return check_fail(check, "memory is M[0] to M[15]", "has no such memory");
		return 0;
	case CBPF_ABS:
		if (insn->k >= CBPF_ANCILLARY && !cbpf_ancillary(insn))
			return check_fail(check, "use the names of bpf_asm, such as 'ld vlan_tci'",
					  "loads metadata that does not exist");
		return 0;
	case CBPF_IND: case CBPF_MSH: case CBPF_LEN: case CBPF_IMM: case CBPF_NEG:
	case CBPF_RETURN: case CBPF_TAX: case CBPF_TXA:
		break;
	}
	return 0;
}

/* --- memory is written before it is read --- */

/* set: bits of the words set on every way to pc, of jumps; *here: on the way straight on. */
static int check_memory(struct check *check, uint16_t *set, uint16_t *here)
{
	const struct skep_cbpf_insn *insn = &check->insns[check->pc];
	const struct cbpf_row *row = cbpf_row(insn->code);

	*here &= set[check->pc];
	if (row->kind == CBPF_STORE) {
		*here |= (uint16_t)(1u << insn->k);
	} else if (row->kind == CBPF_MEM && !(*here >> insn->k & 1)) {
		return check_fail(check, "store to it first, on every way that leads here",
				  "reads memory that may not have been written");
	} else if (row->kind == CBPF_GOTO) {
		set[cbpf_goto_target(insn, check->pc)] &= *here;
		*here = UINT16_MAX;
	} else if (row->kind == CBPF_JUMP) {
		set[cbpf_true_target(insn, check->pc)] &= *here;
		set[cbpf_false_target(insn, check->pc)] &= *here;
		*here = UINT16_MAX;
	}
	/* A return does not end the way straight on, for Linux: what follows one must not
	 * rely on more than what came before. */
	return 0;
}

static int check_flow(struct check *check)
{
	uint16_t *set = malloc(check->count * sizeof(*set)), here = 0;
	int error = 0;

	if (!set)
		return skep_fail(check->diag, SKEP_OOM, NULL, "filter of %zu instructions",
				 check->count);
	memset(set, 0xff, check->count * sizeof(*set));
	for (check->pc = 0; check->pc < check->count && error == 0; check->pc++)
		error = check_memory(check, set, &here);
	free(set);
	return error;
}

/* --- jumps that Linux cannot encode --- */

static unsigned slots_load(uint32_t k, unsigned width)
{
	unsigned slots = 8;

	/* An offset into the packet is tried in place first. */
	if ((int32_t)k >= 0)
		slots += 4 + (k != 0) + (k > INT16_MAX ? 2 : 0) + (width > 1);
	return slots;
}

static unsigned slots_ancillary(uint8_t number)
{
	switch ((enum cbpf_ancillary)number) {
	case CBPF_AD_PROTOCOL: case CBPF_AD_PKTTYPE: case CBPF_AD_VLAN_TPID:
		return 2;
	case CBPF_AD_VLAN_AVAIL:
		return 3;
	case CBPF_AD_IFINDEX: case CBPF_AD_HATYPE: case CBPF_AD_NLATTR: case CBPF_AD_NLATTR_NEST:
	case CBPF_AD_CPU: case CBPF_AD_PAY_OFFSET: case CBPF_AD_RANDOM:
		return 4;
	case CBPF_AD_MARK: case CBPF_AD_QUEUE: case CBPF_AD_RXHASH: case CBPF_AD_XOR_X:
	case CBPF_AD_VLAN_TCI:
		break;
	}
	return 1;
}

/* Linux converts a filter to eBPF: so many instructions for this one. */
static unsigned slots_of(const struct skep_cbpf_insn *insn, enum skep_cbpf_use use)
{
	const struct cbpf_row *row = cbpf_row(insn->code);
	const struct cbpf_ancillary_row *ancillary = cbpf_ancillary(insn);

	switch ((enum cbpf_kind)row->kind) {
	case CBPF_ABS:
		if (use == SKEP_CBPF_SECCOMP)
			return 1;
		return ancillary ? slots_ancillary(ancillary->number) : slots_load(insn->k, row->width);
	case CBPF_IND:
		return 8 + (insn->k != 0);
	case CBPF_MSH:
		return 6 + slots_load(insn->k, 1);
	case CBPF_ALU:
		return row->reg == CBPF_X && (row->op == ALU_DIV || row->op == ALU_MOD) ? 5 : 1;
	case CBPF_JUMP:
		return 1 + (row->reg == CBPF_K && (int32_t)insn->k < 0) +
		       (insn->jf != 0 && (insn->jt != 0 || row->op == COND_SET));
	case CBPF_RETURN:
		return row->reg == CBPF_K ? 2 : 1;
	case CBPF_LEN: case CBPF_IMM: case CBPF_MEM: case CBPF_STORE: case CBPF_NEG: case CBPF_GOTO:
	case CBPF_TAX: case CBPF_TXA:
		break;
	}
	return 1;
}

/* A "ja" becomes one of eBPF, which reaches 32767 instructions. */
static int check_reach(struct check *check)
{
	for (check->pc = 0; check->pc < check->count; check->pc++) {
		const struct skep_cbpf_insn *insn = &check->insns[check->pc];
		size_t distance = 0;

		if (cbpf_row(insn->code)->kind != CBPF_GOTO)
			continue;
		/* No instruction becomes more than 22. */
		if (insn->k < INT16_MAX / 22)
			continue;
		for (size_t pc = check->pc + 1; pc < cbpf_goto_target(insn, check->pc); pc++)
			distance += slots_of(&check->insns[pc], check->use);
		if (distance > INT16_MAX)
			return check_fail(check, "jump in two steps",
					  "jumps over %zu instructions once Linux has converted "
					  "them to eBPF, whose jumps reach %d", distance, INT16_MAX);
	}
	return 0;
}

int cbpf_check(const struct skep_cbpf_insn *insns, size_t count, size_t limit,
	       enum skep_cbpf_use use, const char *name, struct skep_diag *diag)
{
	struct check check = { insns, count, 0, use, name, diag };
	struct skep_where where = SKEP_NOWHERE;
	const struct cbpf_row *last;
	int error;

	where.program = name;
	if (count == 0 || count > limit) {
		skep_report(diag, SKEP_CBPF_LENGTH, &where, "it has %zu instructions", count);
		return -SKEP_CBPF_LENGTH_ERRNO;
	}
	for (check.pc = 0; check.pc < count; check.pc++) {
		if (check_insn(&check) < 0)
			return -SKEP_CBPF_INSN_ERRNO;
	}
	check.pc = count - 1;
	last = cbpf_row(insns[count - 1].code);
	if (last->kind != CBPF_RETURN)
		return check_fail(&check, "end it with 'ret'", "is the last one and does not return");
	error = check_flow(&check);
	/* what is longer is not for Linux yet */
	return error < 0 || limit > SKEP_CBPF_MAX ? error : check_reach(&check);
}

int skep_cbpf_check(const struct skep_cbpf_insn *insns, size_t count, enum skep_cbpf_use use,
		    const char *name, struct skep_diag *diag)
{
	return cbpf_check(insns, count, SKEP_CBPF_MAX, use, name, diag);
}
