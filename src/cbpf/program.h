/* SPDX-License-Identifier: BSD-2-Clause */
/* program.h - a filter with sets (<skep/cbpf.h>). Private to the library. */
#ifndef CBPF_PROGRAM_H
#define CBPF_PROGRAM_H

#include "cbpf/convert.h"
#include "cbpf/graph.h"
#include "cbpf/set.h"

struct skep_cbpf_program {
	char *name;
	struct skep_cbpf_insn *plain; /* as libpcap wrote it, with stand-ins */
	size_t plain_count;
	struct stand_in *stand_ins;   /* by instruction of these */
	struct cbpf_sets sets;
	struct skep_cbpf_insn *insns; /* optimised, with CBPF_CODE_IN: what runs */
	size_t count;
};

static inline struct cbpf_code program_code(const struct skep_cbpf_program *program)
{
	return (struct cbpf_code){ program->insns, program->count,
				   program->sets.all.count ? &program->sets : NULL };
}

#endif
