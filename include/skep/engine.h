/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine.h - run bytecode by itself: no program type, no maps, no machine.
 *
 * For instruction set tests and experiments. The bytecode is checked for
 * structure only (it decodes, jumps stay inside, local calls do not recurse),
 * not verified.
 *
 * Threads: any.
 */
#ifndef SKEP_ENGINE_H
#define SKEP_ENGINE_H

#include <stddef.h>
#include <stdint.h>
#include <skep/diag.h>
#include <skep/insn.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

enum skep_bare_flags {
	SKEP_BARE_INTERPRET = 1 << 0, /* not compiled, even where code may be mapped */
	SKEP_BARE_COMPILE = 1 << 1,   /* compiled, or else EOPNOTSUPP */
};

/*
 * Run with r1 = memory and r2 = size, and store what r0 held at the end.
 *
 * Interpreted, an access outside memory and the stack is refused, and so is
 * going on past budget instructions (0: no limit). Compiled, accesses are
 * confined by nothing but the process's address space and budget is ignored:
 * never for bytecode you do not trust.
 *
 * Without flags it is compiled where this process may map code.
 *
 * Errors: EINVAL (malformed), EFAULT (access outside), ELOOP (budget), ENOMEM,
 * EOPNOTSUPP (an instruction that needs a machine; or cannot be compiled).
 */
int skep_run_bare(const struct skep_insn *insns, size_t count, void *memory, size_t size,
		  unsigned flags, uint64_t budget, uint64_t *r0, struct skep_diag *diag);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
