/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86.h - the x86-64 back end.
 */
#ifndef JIT_X86_H
#define JIT_X86_H

#include "jit/jit.h"

int x86_compile(const struct jit_input *input, struct jit_result *result);
uint32_t x86_cpu_features(void);

#endif
