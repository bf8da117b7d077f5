/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jit.c - the compiler's front: one back end per machine.
 */
#include "jit/jit.h"

#include <errno.h>
#include <stdlib.h>

#include "jit/x86.h"

int jit_compile(const struct jit_input *input, struct jit_result *result)
{
#ifdef __x86_64__
	return x86_compile(input, result);
#else
	(void)input;
	*result = (struct jit_result){ 0 };
	return -EOPNOTSUPP;
#endif
}

uint32_t jit_cpu_features(void)
{
#ifdef __x86_64__
	return x86_cpu_features();
#else
	return 0;
#endif
}

void jit_result_done(struct jit_result *result)
{
	free(result->bytes);
	free(result->subprog_entry);
	free(result->insn_at);
	free(result->faults);
	*result = (struct jit_result){ 0 };
}
