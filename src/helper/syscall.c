/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syscall.c - the system from syscall programs. [runtime]
 */
#include "helper/list.h"

const struct helper helper_sys_bpf = {
	.id = 166,
	.name = "sys_bpf",
	.prototype = "long bpf_sys_bpf(u32 cmd, void *attr, u32 attr_size)",
	.doc = "Makes a bpf() system call.",
	.types = TYPE(SYSCALL),
	.may_sleep = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_ANYTHING }, { ARG_MEM, ARG_RDONLY }, { ARG_MEM_SIZE } },
};

const struct helper helper_btf_find_by_name_kind = {
	.id = 167,
	.name = "btf_find_by_name_kind",
	.prototype = "long bpf_btf_find_by_name_kind(char *name, int name_sz, u32 "
	             "kind, int flags)",
	.doc = "Finds a type by name and kind and returns its id.",
	.types = TYPE(SYSCALL),
	.may_sleep = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_sys_close = {
	.id = 168,
	.name = "sys_close",
	.prototype = "long bpf_sys_close(u32 fd)",
	.doc = "Closes a file descriptor.",
	.types = TYPE(SYSCALL),
	.may_sleep = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_ANYTHING } },
};

const struct helper helper_kallsyms_lookup_name = {
	.id = 179,
	.name = "kallsyms_lookup_name",
	.prototype = "long bpf_kallsyms_lookup_name(const char *name, int name_sz, "
	             "int flags, u64 *res)",
	.doc = "Finds the address of a kernel symbol.",
	.types = TYPE(SYSCALL),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_FIXED_SIZE | ARG_UNINIT | ARG_ALIGNED, .size = 8 },
	},
};
