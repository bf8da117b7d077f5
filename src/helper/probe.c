/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe.c - memory at addresses that may be bad. [runtime]
 */
#include "helper/list.h"

const struct helper helper_probe_read = {
	.id = 4,
	.name = "probe_read",
	.prototype = "long bpf_probe_read(void *dst, u32 size, const void *unsafe_ptr)",
	.doc = "Copies memory from an address that may be bad, in user or kernel space.",
	.types = TYPES_TRACING,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE_OR_ZERO }, { ARG_ANYTHING } },
};

const struct helper helper_probe_read_str = {
	.id = 45,
	.name = "probe_read_str",
	.prototype = "long bpf_probe_read_str(void *dst, u32 size, const void *unsafe_ptr)",
	.doc = "Copies a string from an address that may be bad, in user or kernel space.",
	.types = TYPES_TRACING,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE_OR_ZERO }, { ARG_ANYTHING } },
};

const struct helper helper_probe_read_user = {
	.id = 112,
	.name = "probe_read_user",
	.prototype = "long bpf_probe_read_user(void *dst, u32 size, const void *unsafe_ptr)",
	.doc = "Copies memory from a user address that may be bad.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE_OR_ZERO }, { ARG_ANYTHING } },
};

const struct helper helper_probe_read_kernel = {
	.id = 113,
	.name = "probe_read_kernel",
	.prototype = "long bpf_probe_read_kernel(void *dst, u32 size, const void *unsafe_ptr)",
	.doc = "Copies memory from a kernel address that may be bad.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE_OR_ZERO }, { ARG_ANYTHING } },
};

const struct helper helper_probe_read_user_str = {
	.id = 114,
	.name = "probe_read_user_str",
	.prototype = "long bpf_probe_read_user_str(void *dst, u32 size, const void "
	             "*unsafe_ptr)",
	.doc = "Copies a string from a user address that may be bad.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE_OR_ZERO }, { ARG_ANYTHING } },
};

const struct helper helper_probe_read_kernel_str = {
	.id = 115,
	.name = "probe_read_kernel_str",
	.prototype = "long bpf_probe_read_kernel_str(void *dst, u32 size, const void "
	             "*unsafe_ptr)",
	.doc = "Copies a string from a kernel address that may be bad.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE_OR_ZERO }, { ARG_ANYTHING } },
};

const struct helper helper_probe_write_user = {
	.id = 36,
	.name = "probe_write_user",
	.prototype = "long bpf_probe_write_user(void *dst, const void *src, u32 len)",
	.doc = "Writes into user memory of the current task.",
	.types = TYPES_TRACING,
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_ANYTHING }, { ARG_MEM, ARG_RDONLY }, { ARG_MEM_SIZE } },
};

const struct helper helper_copy_from_user = {
	.id = 148,
	.name = "copy_from_user",
	.prototype = "long bpf_copy_from_user(void *dst, u32 size, const void *user_ptr)",
	.doc = "Copies user memory, waiting for it to be paged in.",
	.types = TYPES_BASE,
	.may_sleep = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE_OR_ZERO }, { ARG_ANYTHING } },
};

const struct helper helper_copy_from_user_task = {
	.id = 191,
	.name = "copy_from_user_task",
	.prototype = "long bpf_copy_from_user_task(void *dst, u32 size, const void "
	             "*user_ptr, struct task_struct *tsk, u64 flags)",
	.doc = "Copies user memory of a task, waiting for it to be paged in.",
	.types = TYPES_BASE,
	.gpl_only = true,
	.may_sleep = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
		{ ARG_PTR_TO_BTF_ID, .btf = "task_struct" },
		{ ARG_ANYTHING },
	},
};
