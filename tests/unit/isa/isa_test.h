/* SPDX-License-Identifier: BSD-2-Clause */
/* isa_test.h - what the tests of src/isa share. */
#ifndef ISA_TEST_H
#define ISA_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "isa/insn.h"

#define test(name) cmocka_unit_test(name)
#define run_group(tests) cmocka_run_group_tests(tests, NULL, NULL)

static inline struct skep_insn raw(uint8_t code, unsigned dst, unsigned src, int16_t off,
				   int32_t imm)
{
	return (struct skep_insn){ .code = code, .dst = dst & 15, .src = src & 15, .off = off,
				   .imm = imm };
}

#endif
