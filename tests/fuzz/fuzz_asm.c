/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_asm.c - any bytes as assembly, and any bytes as instructions. What the
 * disassembler writes for a good instruction must assemble to the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "isa/insn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_text(const uint8_t *data, size_t size)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_insn *insns = NULL;
	size_t count = 0;
	int error = skep_assemble((const char *)data, size, "fuzz", &insns, &count, diag);

	if (error < 0 && (insns || skep_diag_count(diag) == 0))
		abort();
	for (size_t i = 0; i < count; i++) {
		const char *why = NULL;

		if (insn_decode(insns, count, i, &why).kind == INSN_INVALID)
			abort();
	}
	free(insns);
	skep_diag_free(diag);
}

static void check_line(const struct skep_insn *insns, unsigned slots, const char *text)
{
	struct skep_insn *back = NULL;
	size_t count = 0;

	if (skep_assemble(text, strlen(text), "fuzz", &back, &count, NULL) < 0 ||
	    count != slots || memcmp(back, insns, slots * sizeof(*back)) != 0)
		abort();
	free(back);
}

static void as_instructions(const uint8_t *data, size_t size)
{
	size_t count = size / sizeof(struct skep_insn);
	struct skep_insn *insns = malloc(count * sizeof(*insns) + 1);

	if (!insns)
		return;
	memcpy(insns, data, count * sizeof(*insns));
	for (size_t i = 0; i < count; i++) {
		const char *why = NULL;
		struct insn insn = insn_decode(insns, count, i, &why);
		char text[160];

		skep_disasm(insns, count, i, text, sizeof(text));
		skep_insn_groups(insns[i]);
		if (insn.kind == INSN_INVALID && !why)
			abort();
		if (insn.kind != INSN_INVALID && insn.kind != INSN_PAD)
			check_line(&insns[i], skep_insn_slots(insns[i]), text);
	}
	free(insns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_text(data, size);
	as_instructions(data, size);
	return 0;
}
