/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * seq.c - output of iterators, and objects printed by type. [runtime]
 */
#include "helper/list.h"

const struct helper helper_seq_printf = {
	.id = 126,
	.name = "seq_printf",
	.prototype = "long bpf_seq_printf(struct seq_file *m, const char *fmt, u32 "
	             "fmt_size, const void *data, u32 data_len)",
	.doc = "Formats text into an iterator's output.",
	.types = TYPE(TRACING),
	.attaches = ATTACH(TRACE_ITER),
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_BTF_ID, .btf = "seq_file" },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
		{ ARG_MEM, ARG_MAYBE_NULL | ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
	},
};

const struct helper helper_seq_write = {
	.id = 127,
	.name = "seq_write",
	.prototype = "long bpf_seq_write(struct seq_file *m, const void *data, u32 len)",
	.doc = "Writes bytes to an iterator's output.",
	.types = TYPE(TRACING),
	.attaches = ATTACH(TRACE_ITER),
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_BTF_ID, .btf = "seq_file" },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
	},
};

const struct helper helper_seq_printf_btf = {
	.id = 150,
	.name = "seq_printf_btf",
	.prototype = "long bpf_seq_printf_btf(struct seq_file *m, struct btf_ptr "
	             "*ptr, u32 ptr_size, u64 flags)",
	.doc = "Prints a kernel object by its BTF type to an iterator's output.",
	.types = TYPE(TRACING),
	.attaches = ATTACH(TRACE_ITER),
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_BTF_ID, .btf = "seq_file" },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_snprintf_btf = {
	.id = 149,
	.name = "snprintf_btf",
	.needs = NEEDS_PERFMON,
	.prototype = "long bpf_snprintf_btf(char *str, u32 str_size, struct btf_ptr "
	             "*ptr, u32 btf_ptr_size, u64 flags)",
	.doc = "Prints a kernel object by its BTF type into a buffer.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_WRITE },
		{ ARG_MEM_SIZE },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
		{ ARG_ANYTHING },
	},
};
