/* SPDX-License-Identifier: BSD-2-Clause */
/* seccomp_compile.h (internal) - one filter of a policy, of the many that there are. */
#ifndef CBPF_SECCOMP_COMPILE_H
#define CBPF_SECCOMP_COMPILE_H

#include "cbpf/seccomp.h"

/* How numbers are searched for. */
struct seccomp_way {
	unsigned limit;          /* jumps, in percent of those that it takes to ask for each */
	bool shared;             /* x32 goes on in x86_64's search */
	bool each;               /* no search: they are asked for one by one */
};

/* False: no memory, or far too large. *insns is for the caller to free. */
bool seccomp_emit(const struct skep_seccomp *policy, const struct seccomp_way *way,
		  struct skep_cbpf_insn **insns, size_t *count);

#endif
