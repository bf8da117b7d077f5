/* SPDX-License-Identifier: BSD-2-Clause */
#include "jit/x86.h"

#include <errno.h>

uint32_t x86_cpu_features(void)
{
	return __builtin_cpu_supports("bmi2") ? JIT_BMI2 : 0;
}

int x86_compile(const struct jit_input *input, struct jit_result *result)
{
	(void)input;
	*result = (struct jit_result){ 0 };
	return -EOPNOTSUPP;
}
