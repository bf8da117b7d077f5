/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * write.c - filters as text, in the forms of tcpdump, bpf_asm and C.
 *
 * A form is a function that writes one instruction; what stands around the instructions
 * is skep_cbpf_write()'s.
 */
#include "cbpf/cbpf.h"

#include <errno.h>
#include <stdio.h>

#include "base/base.h"

struct place {
	const struct skep_cbpf_insn *insns;
	size_t count, index;
};

/* --- operands --- */

static void packet_operand(const struct skep_cbpf_insn *insn, bool listing, char *text, size_t size)
{
	const struct cbpf_ancillary_row *ancillary = cbpf_ancillary(insn);

	if (ancillary && listing)
		snprintf(text, size, "[%s]", ancillary->listing);
	else if (ancillary && ancillary->asm_name)
		snprintf(text, size, "%s", ancillary->asm_name);
	else
		snprintf(text, size, listing ? "[%d]" : "[%u]", insn->k);
}

/* Bit operations and comparisons show their operand in hexadecimal. */
static bool hexadecimal(const struct cbpf_row *row)
{
	return row->kind == CBPF_JUMP || row->kind == CBPF_IMM ||
	       (row->kind == CBPF_ALU &&
		(row->op == ALU_AND || row->op == ALU_OR || row->op == ALU_XOR));
}

static void value_operand(const struct cbpf_row *row, uint32_t k, char *text, size_t size)
{
	if (row->reg == CBPF_X && row->kind != CBPF_IMM)
		snprintf(text, size, "x");
	else if (hexadecimal(row))
		snprintf(text, size, "#0x%x", k);
	else
		snprintf(text, size, "#%d", (int)k);
}

static void operand(const struct place *at, const struct cbpf_row *row, bool listing, char *text,
		    size_t size)
{
	const struct skep_cbpf_insn *insn = &at->insns[at->index];
	uint32_t k = insn->k;

	text[0] = '\0';
	switch ((enum cbpf_kind)row->kind) {
	case CBPF_ABS:
		packet_operand(insn, listing, text, size);
		break;
	case CBPF_IND:
		snprintf(text, size, listing ? "[x + %d]" : "[x + %u]", k);
		break;
	case CBPF_MSH:
		snprintf(text, size, listing ? "4*([%d]&0xf)" : "4*([%u]&0xf)", k);
		break;
	case CBPF_LEN:
		snprintf(text, size, listing ? "#pktlen" : "len");
		break;
	case CBPF_MEM:
	case CBPF_STORE:
		snprintf(text, size, listing ? "M[%d]" : "M[%u]", k);
		break;
	case CBPF_IMM: case CBPF_ALU: case CBPF_JUMP:
		value_operand(row, k, text, size);
		break;
	case CBPF_RETURN:
		if (row->reg == CBPF_K)
			value_operand(row, k, text, size);
		else if (!listing)
			snprintf(text, size, "a");
		break;
	case CBPF_GOTO:
		snprintf(text, size, listing ? "%zu" : "L%zu", cbpf_goto_target(insn, at->index));
		break;
	case CBPF_NEG: case CBPF_TAX: case CBPF_TXA:
		break;
	}
}

/* --- the forms --- */

static int write_listing(const struct place *at, char *text, size_t size)
{
	const struct skep_cbpf_insn *insn = &at->insns[at->index];
	const struct cbpf_row *row = cbpf_row(insn->code);
	char what[48];

	if (!row)
		return snprintf(text, size, "%-8s 0x%x", "unimp", insn->code);
	operand(at, row, true, what, sizeof(what));
	if (row->kind != CBPF_JUMP)
		return snprintf(text, size, "%-8s %s", row->mnemonic, what);
	return snprintf(text, size, "%-8s %-16s jt %zu\tjf %zu", row->mnemonic, what,
			cbpf_true_target(insn, at->index), cbpf_false_target(insn, at->index));
}

/* The jump that is taken where this one is not, by its name in bpf_asm; NULL: it has none. */
static const char *inverse_jump(const struct cbpf_row *row)
{
	switch (row->op) {
	case COND_EQ:
		return "jne";
	case COND_GT:
		return "jle";
	case COND_GE:
		return "jlt";
	default:
		return NULL;
	}
}

static int write_asm(const struct place *at, char *text, size_t size)
{
	const struct skep_cbpf_insn *insn = &at->insns[at->index];
	const struct cbpf_row *row = cbpf_row(insn->code);
	size_t yes = cbpf_true_target(insn, at->index), no = cbpf_false_target(insn, at->index);
	char what[48];

	if (!row)
		return snprintf(text, size, "; no instruction has the code 0x%x", insn->code);
	operand(at, row, false, what, sizeof(what));
	if (row->kind != CBPF_JUMP)
		return snprintf(text, size, "%s%s%s", row->mnemonic, *what ? " " : "", what);
	if (insn->jf == 0 && insn->jt != 0)
		return snprintf(text, size, "%s %s, L%zu", row->mnemonic, what, yes);
	if (insn->jt == 0 && insn->jf != 0 && inverse_jump(row))
		return snprintf(text, size, "%s %s, L%zu", inverse_jump(row), what, no);
	return snprintf(text, size, "%s %s, L%zu, L%zu", row->mnemonic, what, yes, no);
}

static int write_c(const struct place *at, char *text, size_t size)
{
	const struct skep_cbpf_insn *insn = &at->insns[at->index];

	return snprintf(text, size, "{ 0x%x, %u, %u, 0x%08x },", insn->code, insn->jt, insn->jf,
			insn->k);
}

static int write_decimal(const struct place *at, char *text, size_t size)
{
	const struct skep_cbpf_insn *insn = &at->insns[at->index];

	return snprintf(text, size, "%u %u %u %u", insn->code, insn->jt, insn->jf, insn->k);
}

static int write_line(const struct place *at, char *text, size_t size)
{
	const struct skep_cbpf_insn *insn = &at->insns[at->index];

	return snprintf(text, size, "%u %u %u %u,", insn->code, insn->jt, insn->jf, insn->k);
}

/* "BPF_LD | BPF_W | BPF_ABS": the names that a code is made of. */
static void code_name(const struct cbpf_row *row, char *text, size_t size)
{
	static const char *const class[] = { "BPF_LD", "BPF_LDX", "BPF_ST", "BPF_STX", "BPF_ALU",
					     "BPF_JMP", "BPF_RET", "BPF_MISC" };
	static const char *const mode[] = { "BPF_IMM", "BPF_ABS", "BPF_IND", "BPF_MEM", "BPF_LEN",
					    "BPF_MSH", "", "" };
	static const char *const width[] = { "BPF_W", "BPF_H", "BPF_B", "" };
	static const char *const alu[] = { "BPF_ADD", "BPF_SUB", "BPF_MUL", "BPF_DIV", "BPF_OR", "BPF_AND",
					   "BPF_LSH", "BPF_RSH", "BPF_NEG", "BPF_MOD", "BPF_XOR", "", "", "",
					   "", "" };
	static const char *const jump[] = { "BPF_JA", "BPF_JEQ", "BPF_JGT", "BPF_JGE", "BPF_JSET" };
	unsigned code = row->code, high = code >> 4;

	switch ((enum cbpf_kind)row->kind) {
	case CBPF_ABS: case CBPF_IND: case CBPF_MSH: case CBPF_LEN: case CBPF_IMM: case CBPF_MEM:
		snprintf(text, size, "%s | %s | %s", class[code & 7], width[code >> 3 & 3],
			 mode[code >> 5]);
		break;
	case CBPF_ALU:
		snprintf(text, size, "BPF_ALU | %s | %s", alu[high], code & 8 ? "BPF_X" : "BPF_K");
		break;
	case CBPF_JUMP:
		snprintf(text, size, "BPF_JMP | %s | %s", jump[high], code & 8 ? "BPF_X" : "BPF_K");
		break;
	case CBPF_RETURN:
		snprintf(text, size, "BPF_RET | %s", row->reg == CBPF_K ? "BPF_K" : "BPF_A");
		break;
	case CBPF_NEG:
		snprintf(text, size, "BPF_ALU | BPF_NEG");
		break;
	case CBPF_GOTO:
		snprintf(text, size, "BPF_JMP | BPF_JA");
		break;
	case CBPF_TAX:
	case CBPF_TXA:
		snprintf(text, size, "BPF_MISC | %s", row->kind == CBPF_TAX ? "BPF_TAX" : "BPF_TXA");
		break;
	case CBPF_STORE:
		snprintf(text, size, "%s", class[code & 7]);
		break;
	}
}

static int write_macros(const struct place *at, char *text, size_t size)
{
	const struct skep_cbpf_insn *insn = &at->insns[at->index];
	const struct cbpf_row *row = cbpf_row(insn->code);
	const struct cbpf_ancillary_row *ancillary = cbpf_ancillary(insn);
	char code[48], k[32];

	if (!row)
		return write_c(at, text, size);
	code_name(row, code, sizeof(code));
	if (ancillary)
		snprintf(k, sizeof(k), "SKF_AD_OFF + %u", ancillary->number);
	else
		snprintf(k, sizeof(k), hexadecimal(row) || (int32_t)insn->k < 0 ? "0x%x" : "%u", insn->k);
	if (row->kind == CBPF_JUMP || row->kind == CBPF_GOTO || insn->jt || insn->jf)
		return snprintf(text, size, "BPF_JUMP(%s, %s, %u, %u),", code, k, insn->jt, insn->jf);
	return snprintf(text, size, "BPF_STMT(%s, %s),", code, k);
}

typedef int write_fn(const struct place *at, char *text, size_t size);

static write_fn *const forms[SKEP_CBPF_FORM_COUNT] = {
	[SKEP_CBPF_LISTING] = write_listing,
	[SKEP_CBPF_C] = write_c,
	[SKEP_CBPF_DECIMAL] = write_decimal,
	[SKEP_CBPF_ASM] = write_asm,
	[SKEP_CBPF_LINE] = write_line,
	[SKEP_CBPF_MACROS] = write_macros,
};

int skep_cbpf_disasm(const struct skep_cbpf_insn *insns, size_t count, size_t index,
		     enum skep_cbpf_form form, char *text, size_t size)
{
	const struct place at = { insns, count, index };

	return forms[form](&at, text, size);
}

/* --- whole filters --- */

/* Which instructions something jumps to, behind which their label stands. NULL: no memory. */
static bool *find_labels(const struct skep_cbpf_insn *insns, size_t count)
{
	bool *labels = calloc(count + 1, sizeof(*labels));

	for (size_t i = 0; labels && i < count; i++) {
		const struct cbpf_row *row = cbpf_row(insns[i].code);

		if (row && row->kind == CBPF_GOTO)
			labels[MIN(cbpf_goto_target(&insns[i], i), count)] = true;
		if (row && row->kind == CBPF_JUMP) {
			labels[MIN(cbpf_true_target(&insns[i], i), count)] = true;
			labels[MIN(cbpf_false_target(&insns[i], i), count)] = true;
		}
	}
	return labels;
}

/* A jump to what follows it needs no label, unless it names it. */
static void write_asm_line(const struct place *at, const bool *labels, struct skep_text *out)
{
	char line[160];

	skep_cbpf_disasm(at->insns, at->count, at->index, SKEP_CBPF_ASM, line, sizeof(line));
	if (labels[at->index])
		text_add(out, "L%zu:", at->index);
	text_add(out, "\t%s\n", line);
}

int skep_cbpf_write(const struct skep_cbpf_insn *insns, size_t count, enum skep_cbpf_form form,
		    struct skep_text *out)
{
	bool *labels = form == SKEP_CBPF_ASM ? find_labels(insns, count) : NULL;
	char line[160];

	if (form == SKEP_CBPF_ASM && !labels)
		return -ENOMEM;
	if (form == SKEP_CBPF_DECIMAL)
		text_add(out, "%zu\n", count);
	if (form == SKEP_CBPF_LINE)
		text_add(out, "%zu,", count);
	for (size_t i = 0; i < count; i++) {
		if (labels) {
			write_asm_line(&(struct place){ insns, count, i }, labels, out);
			continue;
		}
		skep_cbpf_disasm(insns, count, i, form, line, sizeof(line));
		if (form == SKEP_CBPF_LISTING)
			text_add(out, "(%03zu) ", i);
		text_add(out, form == SKEP_CBPF_LINE ? "%s" : "%s\n", line);
	}
	if (form == SKEP_CBPF_LINE)
		text_add(out, "\n");
	free(labels);
	return out->failed ? -ENOMEM : 0;
}
