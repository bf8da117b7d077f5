/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * string.c - numbers in text, and comparing it. [runtime]
 */
#include "helper/list.h"

const struct helper helper_strtol = {
	.id = 105,
	.name = "strtol",
	.prototype = "long bpf_strtol(const char *buf, size_t buf_len, u64 flags, long *res)",
	.doc = "Reads a signed number from text.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_FIXED_SIZE | ARG_UNINIT | ARG_ALIGNED, .size = 8 },
	},
};

const struct helper helper_strtoul = {
	.id = 106,
	.name = "strtoul",
	.prototype = "long bpf_strtoul(const char *buf, size_t buf_len, u64 flags, "
	             "unsigned long *res)",
	.doc = "Reads an unsigned number from text.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_FIXED_SIZE | ARG_UNINIT | ARG_ALIGNED, .size = 8 },
	},
};

const struct helper helper_strncmp = {
	.id = 182,
	.name = "strncmp",
	.prototype = "long bpf_strncmp(const char *s1, u32 s1_sz, const char *s2)",
	.doc = "Compares a buffer with a constant string.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_RDONLY }, { ARG_MEM_SIZE }, { ARG_PTR_TO_CONST_STR } },
};
