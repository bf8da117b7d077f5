/* SPDX-License-Identifier: BSD-2-Clause */
/* filter_show.c - what a filter is at each stage, on standard output. */
#include "cli/filter.h"

#include <stdlib.h>
#include <skep/insn.h>

static int print(struct skep_text *text, int error, struct skep_diag *diag)
{
	if (error == 0 && text->failed)
		error = skep_fail(diag, SKEP_OOM, NULL, "writing a filter");
	if (error == 0 && text->data)
		fputs(text->data, stdout);
	free(text->data);
	return error;
}

int filter_dump(struct filter_code *code, unsigned dumps, struct skep_diag *diag)
{
	static const enum skep_cbpf_form forms[] = { SKEP_CBPF_LISTING, SKEP_CBPF_C, SKEP_CBPF_DECIMAL };
	struct skep_text text = { 0 };

	if (!filter_classic(code, diag))
		return -1;
	return print(&text, skep_cbpf_write(code->insns, code->count, forms[dumps - 1], &text), diag);
}

static void print_ebpf(const struct skep_filter *filter)
{
	size_t count;
	const struct skep_insn *insns = skep_filter_ebpf(filter, &count);

	if (!insns)
		printf("it is interpreted as it is: no eBPF\n");
	for (size_t i = 0; insns && i < count; i += skep_insn_slots(insns[i])) {
		char line[128];

		skep_disasm(insns, count, i, line, sizeof(line));
		printf("%4zu: %s\n", i, line);
	}
}

static void print_native(const struct skep_filter *filter)
{
	size_t size;
	const uint8_t *bytes = skep_filter_native(filter, &size);

	if (!bytes)
		printf("it is interpreted: no machine code\n");
	for (size_t i = 0; bytes && i < size; i++)
		printf("%02x%c", bytes[i], i % 16 == 15 || i + 1 == size ? '\n' : ' ');
}

static int show_compiled(const struct filter_code *code, enum filter_stage stage,
			 struct skep_diag *diag)
{
	struct skep_filter *filter = filter_open(code, false, diag);

	if (!filter)
		return -1;
	if (stage == FILTER_EBPF)
		print_ebpf(filter);
	else
		print_native(filter);
	skep_filter_free(filter);
	return 0;
}

int filter_show(struct filter_code *code, enum filter_stage stage, int link,
		struct skep_diag *diag)
{
	struct skep_text text = { 0 };
	int error = -1;

	if (stage != FILTER_EBPF && stage != FILTER_NATIVE && !filter_classic(code, diag))
		return -1;
	switch (stage) {
	case FILTER_EBPF: case FILTER_NATIVE:
		return show_compiled(code, stage, diag);
	case FILTER_ASM:
		error = skep_cbpf_write(code->insns, code->count, SKEP_CBPF_ASM, &text);
		break;
	case FILTER_C:
		error = skep_cbpf_write_function(code->insns, code->count, code->name, &text, diag);
		break;
	case FILTER_DOT: case FILTER_SVG:
		error = skep_cbpf_draw(code->insns, code->count,
				       stage == FILTER_DOT ? SKEP_CBPF_DOT : SKEP_CBPF_SVG, code->name, &text,
				       diag);
		break;
	case FILTER_EXPLAIN:
		error = skep_cbpf_explain(code->insns, code->count, link, code->name, &text, diag);
		break;
	}
	return print(&text, error, diag);
}
