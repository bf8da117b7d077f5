/* SPDX-License-Identifier: BSD-2-Clause */
/* seccomp.h (internal) - a policy as its reader, its compiler and its owner see it. */
#ifndef CBPF_SECCOMP_H
#define CBPF_SECCOMP_H

#include <skep/seccomp.h>

struct seccomp_rule {
	uint32_t nr, action;
	uint8_t arch, test_count;
	uint32_t order;          /* as added */
	uint32_t line;           /* of a text; 0: of none */
	bool named;              /* its call stands there itself, not a group */
	struct skep_seccomp_test tests[SKEP_SECCOMP_TESTS];
};

struct skep_seccomp {
	struct { struct seccomp_rule *items; size_t count, size; } rules;
	uint32_t normal, foreign;
	uint32_t line;           /* that rules being added are from */
	bool named;
	unsigned archs;          /* bit per enum skep_seccomp_arch */
};

#endif
