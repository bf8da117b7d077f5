/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sysctl.c - sysctls being read or written. [runtime]
 */
#include "helper/list.h"

const struct helper helper_sysctl_get_name = {
	.id = 101,
	.name = "sysctl_get_name",
	.prototype = "long bpf_sysctl_get_name(struct bpf_sysctl *ctx, char *buf, "
	             "size_t buf_len, u64 flags)",
	.doc = "Copies the name of the sysctl being accessed.",
	.types = TYPE(CGROUP_SYSCTL),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_MEM, ARG_WRITE },
		{ ARG_MEM_SIZE },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_sysctl_get_current_value = {
	.id = 102,
	.name = "sysctl_get_current_value",
	.prototype = "long bpf_sysctl_get_current_value(struct bpf_sysctl *ctx, char "
	             "*buf, size_t buf_len)",
	.doc = "Copies the value the sysctl has now.",
	.types = TYPE(CGROUP_SYSCTL),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE } },
};

const struct helper helper_sysctl_get_new_value = {
	.id = 103,
	.name = "sysctl_get_new_value",
	.prototype = "long bpf_sysctl_get_new_value(struct bpf_sysctl *ctx, char "
	             "*buf, size_t buf_len)",
	.doc = "Copies the value being written to the sysctl.",
	.types = TYPE(CGROUP_SYSCTL),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE } },
};

const struct helper helper_sysctl_set_new_value = {
	.id = 104,
	.name = "sysctl_set_new_value",
	.prototype = "long bpf_sysctl_set_new_value(struct bpf_sysctl *ctx, const "
	             "char *buf, size_t buf_len)",
	.doc = "Replaces the value being written to the sysctl.",
	.types = TYPE(CGROUP_SYSCTL),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_MEM, ARG_RDONLY }, { ARG_MEM_SIZE } },
};
