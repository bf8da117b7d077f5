/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lsm.c - files and programs, for security policies. [runtime]
 */
#include "helper/list.h"

const struct helper helper_d_path = {
	.id = 147,
	.name = "d_path",
	.prototype = "long bpf_d_path(const struct path *path, char *buf, u32 sz)",
	.doc = "Writes out the full path behind a struct path.",
	.types = TYPES_BTF,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_BTF_ID, .btf = "path" },
		{ ARG_MEM, ARG_WRITE },
		{ ARG_MEM_SIZE_OR_ZERO },
	},
};

const struct helper helper_bprm_opts_set = {
	.id = 159,
	.name = "bprm_opts_set",
	.prototype = "long bpf_bprm_opts_set(struct linux_binprm *bprm, u64 flags)",
	.doc = "Sets options of the program being executed.",
	.types = TYPE(LSM),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_BTF_ID, .btf = "linux_binprm" }, { ARG_ANYTHING } },
};

const struct helper helper_ima_inode_hash = {
	.id = 161,
	.name = "ima_inode_hash",
	.prototype = "long bpf_ima_inode_hash(struct inode *inode, void *dst, u32 size)",
	.doc = "Copies the measured hash of an inode's content.",
	.types = TYPE(LSM),
	.may_sleep = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_BTF_ID, .btf = "inode" },
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE },
	},
};

const struct helper helper_ima_file_hash = {
	.id = 193,
	.name = "ima_file_hash",
	.prototype = "long bpf_ima_file_hash(struct file *file, void *dst, u32 size)",
	.doc = "Copies the measured hash of a file's content.",
	.types = TYPE(LSM),
	.may_sleep = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_BTF_ID, .btf = "file" },
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE },
	},
};
