/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_cbpf_text.c - any bytes as the text of a classic filter. What is read is written in
 * every form and, where the forms can hold it, read back as the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "cbpf/cbpf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Forms that hold all four fields of every instruction, known or not. */
static bool is_exact(int form)
{
	return form == SKEP_CBPF_C || form == SKEP_CBPF_DECIMAL || form == SKEP_CBPF_LINE ||
	       form == SKEP_CBPF_MACROS;
}

static void write_and_read(const struct skep_cbpf_insn *insns, size_t count, int form)
{
	bool good = count <= SKEP_CBPF_MAX && skep_cbpf_check(insns, count, SKEP_CBPF_SOCKET, "fuzz", NULL) == 0;
	struct skep_text text = { 0 };
	struct skep_cbpf_insn *back = NULL;
	size_t back_count = 0;
	int error;

	if (skep_cbpf_write(insns, count, (enum skep_cbpf_form)form, &text) < 0)
		abort();
	error = skep_cbpf_read(text.data, text.len, "fuzz", &back, &back_count, NULL);
	if ((is_exact(form) || good) && (error < 0 || back_count != count))
		abort();
	if (is_exact(form) && memcmp(back, insns, count * sizeof(*insns)) != 0)
		abort();
	free(back);
	free(text.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct skep_diag *diag = skep_diag_new();
	struct skep_cbpf_insn *insns = NULL;
	size_t count = 0;
	int error = skep_cbpf_read((const char *)data, size, "fuzz", &insns, &count, diag);

	if (error < 0 && (insns || skep_diag_count(diag) != 1))
		abort();
	if (error == 0 && count == 0)
		abort();
	for (int form = 0; error == 0 && form < SKEP_CBPF_FORM_COUNT; form++)
		write_and_read(insns, count, form);
	free(insns);
	skep_diag_free(diag);
	return 0;
}
