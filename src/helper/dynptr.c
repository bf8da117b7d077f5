/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dynptr.c - dynptrs: memory with its bounds, checked when used. [runtime]
 */
#include "helper/list.h"

const struct helper helper_dynptr_from_mem = {
	.id = 197,
	.name = "dynptr_from_mem",
	.prototype = "long bpf_dynptr_from_mem(void *data, u64 size, u64 flags, "
	             "struct bpf_dynptr *ptr)",
	.doc = "Makes a dynptr over a piece of memory.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
		{ ARG_PTR_TO_DYNPTR, ARG_DYNPTR_LOCAL | ARG_UNINIT },
	},
};

const struct helper helper_dynptr_read = {
	.id = 201,
	.name = "dynptr_read",
	.prototype = "long bpf_dynptr_read(void *dst, u64 len, const struct "
	             "bpf_dynptr *src, u64 offset, u64 flags)",
	.doc = "Copies bytes out of what a dynptr stands for.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_PTR_TO_DYNPTR },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_dynptr_write = {
	.id = 202,
	.name = "dynptr_write",
	.prototype = "long bpf_dynptr_write(const struct bpf_dynptr *dst, u64 "
	             "offset, void *src, u64 len, u64 flags)",
	.doc = "Copies bytes into what a dynptr stands for.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_DYNPTR },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_dynptr_data = {
	.id = 203,
	.name = "dynptr_data",
	.prototype = "void *bpf_dynptr_data(const struct bpf_dynptr *ptr, u64 offset, u64 len)",
	.doc = "Returns the address of a piece of what a dynptr stands for, or NULL.",
	.types = TYPES_BASE,
	.ret = { RET_PTR_TO_DYNPTR_MEM, .maybe_null = true },
	.arg = { { ARG_PTR_TO_DYNPTR }, { ARG_ANYTHING }, { ARG_CONST_ALLOC_SIZE_OR_ZERO } },
};
