/* SPDX-License-Identifier: BSD-2-Clause */
/* function.c - a filter as a function in C: a label for each place that is jumped to. */
#include <errno.h>
#include <stdio.h>

#include "base/base.h"
#include "cbpf/cbpf.h"

static const char prologue[] =
	"#include <stdint.h>\n\n"
	"/* How many bytes of the packet are kept; 0: it is dropped. size bytes of it are there, of len. */\n"
	"uint32_t filter(const uint8_t *packet, uint32_t size, uint32_t len)\n{\n"
	"\tuint32_t a = 0, x = 0, m[16] = { 0 };\n\n"
	"\t(void)a, (void)x, (void)m, (void)len;\n";

static const char *register_name(const struct cbpf_row *row)
{
	return row->reg == CBPF_X ? "x" : "a";
}

static void write_load(struct skep_text *out, const struct cbpf_row *row, uint32_t k)
{
	char at[32];

	if (row->kind == CBPF_IND) {
		text_add(out, "\tif (x + %uu > 0x7fffffff || (uint64_t)(x + %uu) + %u > size)\n", k, k, row->width);
		snprintf(at, sizeof(at), "x + %uu", k);
	} else {
		text_add(out, "\tif (%uu + %uu > size)\n", k, row->width);
		snprintf(at, sizeof(at), "%uu", k);
	}
	text_add(out, "\t\treturn 0;\n");
	if (row->kind == CBPF_MSH) {
		text_add(out, "\tx = 4u * (packet[%s] & 15);\n", at);
		return;
	}
	text_add(out, "\ta = ");
	for (unsigned i = 0; i < row->width; i++)
		text_add(out, "%s(uint32_t)packet[%s + %u] << %u", i ? " | " : "", at, i,
			 8 * (row->width - 1 - i));
	text_add(out, ";\n");
}

static void write_alu(struct skep_text *out, const struct cbpf_row *row, uint32_t k)
{
	char right[16] = "x";

	if (row->reg == CBPF_K)
		snprintf(right, sizeof(right), "0x%xu", k);
	else if (row->op == ALU_DIV || row->op == ALU_MOD)
		text_add(out, "\tif (x == 0)\n\t\treturn 0;\n");
	else if (row->op == ALU_LSH || row->op == ALU_RSH)
		snprintf(right, sizeof(right), "(x & 31)");
	text_add(out, "\ta %s %s;\n", alu_token((enum alu)row->op), right);
}

static void write_jump(struct skep_text *out, const struct cbpf_row *row,
		       const struct skep_cbpf_insn *insn, size_t pc)
{
	char right[16] = "x";

	if (row->reg == CBPF_K)
		snprintf(right, sizeof(right), "0x%xu", insn->k);
	text_add(out, "\tif (a %s %s)\n\t\tgoto l%zu;\n\tgoto l%zu;\n", cond_token((enum cond)row->op), right,
		 cbpf_true_target(insn, pc), cbpf_false_target(insn, pc));
}

static void write_insn(struct skep_text *out, const struct skep_cbpf_insn *insn, size_t pc)
{
	const struct cbpf_row *row = cbpf_row(insn->code);

	switch ((enum cbpf_kind)row->kind) {
	case CBPF_ABS: case CBPF_IND: case CBPF_MSH:
		write_load(out, row, insn->k);
		break;
	case CBPF_LEN:
		text_add(out, "\t%s = len;\n", register_name(row));
		break;
	case CBPF_IMM:
		text_add(out, "\t%s = 0x%xu;\n", register_name(row), insn->k);
		break;
	case CBPF_MEM:
		text_add(out, "\t%s = m[%u];\n", register_name(row), insn->k);
		break;
	case CBPF_STORE:
		text_add(out, "\tm[%u] = %s;\n", insn->k, register_name(row));
		break;
	case CBPF_ALU:
		write_alu(out, row, insn->k);
		break;
	case CBPF_NEG:
		text_add(out, "\ta = 0u - a;\n");
		break;
	case CBPF_GOTO:
		text_add(out, "\tgoto l%zu;\n", cbpf_goto_target(insn, pc));
		break;
	case CBPF_JUMP:
		write_jump(out, row, insn, pc);
		break;
	case CBPF_RETURN:
		if (row->reg == CBPF_K)
			text_add(out, "\treturn 0x%xu;\n", insn->k);
		else
			text_add(out, "\treturn %s;\n", register_name(row));
		break;
	case CBPF_TAX:
		text_add(out, "\tx = a;\n");
		break;
	case CBPF_TXA:
		text_add(out, "\ta = x;\n");
		break;
	}
}

static int mark_targets(const struct skep_cbpf_insn *insns, size_t count, bool *target,
			const char *name, struct skep_diag *diag)
{
	for (size_t pc = 0; pc < count; pc++) {
		const struct cbpf_row *row = cbpf_row(insns[pc].code);

		if ((row->kind == CBPF_ABS || row->kind == CBPF_MSH) && (int32_t)insns[pc].k < 0)
			return skep_fail(diag, SKEP_CBPF_EBPF, NULL,
					 "'%s' loads what a function in C is not given: instruction %zu", name,
					 pc);
		if (row->kind == CBPF_GOTO)
			target[cbpf_goto_target(&insns[pc], pc)] = true;
		if (row->kind == CBPF_JUMP) {
			target[cbpf_true_target(&insns[pc], pc)] = true;
			target[cbpf_false_target(&insns[pc], pc)] = true;
		}
	}
	return 0;
}

int skep_cbpf_write_function(const struct skep_cbpf_insn *insns, size_t count, const char *name,
			     struct skep_text *out, struct skep_diag *diag)
{
	int error = skep_cbpf_check(insns, count, SKEP_CBPF_SOCKET, name, diag);
	bool *target = calloc(count + 1, sizeof(*target));

	if (error == 0 && !target)
		error = skep_fail(diag, SKEP_OOM, NULL, "writing a filter");
	if (error == 0)
		error = mark_targets(insns, count, target, name, diag);
	if (error == 0)
		text_add(out, "%s", prologue);
	for (size_t pc = 0; error == 0 && pc < count; pc++) {
		if (target[pc])
			text_add(out, "l%zu:\n", pc);
		write_insn(out, &insns[pc], pc);
	}
	if (error == 0)
		text_add(out, "}\n");
	free(target);
	return error;
}
