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

/* Compiling it once more, to be told what is in the way. */
static void print_why_interpreted(const struct filter_code *code)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_filter *filter = skep_filter_open(code->insns, code->count, SKEP_CBPF_SOCKET,
						      SKEP_FILTER_COMPILE, code->name, diag);

	printf("it is interpreted, and no machine code: %s\n",
	       skep_diag_count(diag) ? skep_diag_get(diag, 0)->message : "code may not be mapped here");
	skep_filter_free(filter);
	skep_diag_free(diag);
}

static void print_ebpf(const struct filter_code *code, const struct skep_filter *filter)
{
	size_t count;
	const struct skep_insn *insns = skep_filter_ebpf(filter, &count);

	if (!insns)
		print_why_interpreted(code);
	for (size_t i = 0; insns && i < count; i += skep_insn_slots(insns[i])) {
		char line[128];

		skep_disasm(insns, count, i, line, sizeof(line));
		printf("%4zu: %s\n", i, line);
	}
}

/* The filter's instruction, as a heading for what it became. */
static void print_origin(const struct filter_code *code, size_t of)
{
	char line[160];

	if (code->program)
		skep_cbpf_program_line(code->program, of, line, sizeof(line));
	else
		skep_cbpf_disasm(code->insns, code->count, of, SKEP_CBPF_LISTING, line, sizeof(line));
	printf("(%03zu) %s\n", of, line);
}

enum { BYTES_SHOWN = 11 }; /* of an instruction: those of filters have no more */

static void print_native(const struct filter_code *code, const struct skep_filter *filter)
{
	size_t size, length, of, last = SIZE_MAX;
	const uint8_t *bytes = skep_filter_native(filter, &size);
	char text[128];

	if (!bytes)
		print_why_interpreted(code);
	for (size_t at = 0; bytes && at < size; at += length) {
		length = skep_filter_native_line(filter, at, text, sizeof(text), &of);
		if (length == 0)
			break;
		if (of != last)
			print_origin(code, of);
		last = of;
		printf("  %4zx: ", at);
		for (size_t i = 0; i < BYTES_SHOWN; i++)
			printf(i < length ? "%02x " : "   ", i < length ? bytes[at + i] : 0);
		printf(" %s\n", text);
	}
}

static int show_compiled(const struct filter_code *code, enum filter_stage stage,
			 struct skep_diag *diag)
{
	struct skep_filter *filter = filter_open(code, false, diag);

	if (!filter)
		return -1;
	if (stage == FILTER_EBPF)
		print_ebpf(code, filter);
	else
		print_native(code, filter);
	skep_filter_free(filter);
	return 0;
}

int filter_show(struct filter_code *code, enum filter_stage stage, int link,
		struct skep_diag *diag)
{
	struct skep_text text = { 0 };
	int error = -1;

	if (stage == FILTER_EXPLAIN && code->program)
		return print(&text, skep_cbpf_program_explain(code->program, link, &text, diag), diag);
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
