/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * print.c - formatted text. [runtime]
 *
 * format.c does the formatting.
 */
#include "helper/list.h"

const struct helper helper_trace_printk = {
	.id = 6,
	.name = "trace_printk",
	.prototype = "long bpf_trace_printk(const char *fmt, u32 fmt_size, ...)",
	.doc = "Formats a line with up to three numbers and writes it to the trace log.",
	.types = TYPES_ALL,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_RDONLY }, { ARG_MEM_SIZE } },
};

const struct helper helper_trace_vprintk = {
	.id = 177,
	.name = "trace_vprintk",
	.prototype = "long bpf_trace_vprintk(const char *fmt, u32 fmt_size, const "
	             "void *data, u32 data_len)",
	.doc = "Formats a line with any number of values and writes it to the trace log.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
		{ ARG_MEM, ARG_MAYBE_NULL | ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
	},
};

const struct helper helper_snprintf = {
	.id = 165,
	.name = "snprintf",
	.prototype = "long bpf_snprintf(char *str, u32 str_size, const char *fmt, "
	             "u64 *data, u32 data_len)",
	.doc = "Formats text into a buffer.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_MAYBE_NULL | ARG_WRITE },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_PTR_TO_CONST_STR },
		{ ARG_MEM, ARG_MAYBE_NULL | ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
	},
};
