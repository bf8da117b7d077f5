/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack.c - call stacks. [runtime]
 */
#include "helper/list.h"

const struct helper helper_get_stackid = {
	.id = 27,
	.name = "get_stackid",
	.prototype = "long bpf_get_stackid(void *ctx, struct bpf_map *map, u64 flags)",
	.doc = "Walks the stack, stores it in a stack trace map and returns its id.",
	.types = TYPES_TRACING,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_CONST_MAP_PTR }, { ARG_ANYTHING } },
};

const struct helper helper_get_stack = {
	.id = 67,
	.name = "get_stack",
	.prototype = "long bpf_get_stack(void *ctx, void *buf, u32 size, u64 flags)",
	.doc = "Copies the stack's return addresses into a buffer.",
	.types = TYPES_TRACING,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_get_task_stack = {
	.id = 141,
	.name = "get_task_stack",
	.prototype = "long bpf_get_task_stack(struct task_struct *task, void *buf, "
	             "u32 size, u64 flags)",
	.doc = "Copies the return addresses on a task's stack into a buffer.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_BTF_ID, .btf = "task_struct" },
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
	},
};
