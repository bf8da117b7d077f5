/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storage.c - values kept for sockets, inodes, tasks and cgroups. [runtime]
 */
#include "helper/list.h"

const struct helper helper_sk_storage_get = {
	.id = 107,
	.name = "sk_storage_get",
	.prototype = "void *bpf_sk_storage_get(struct bpf_map *map, void *sk, void "
	             "*value, u64 flags)",
	.doc = "Returns the value a socket storage map keeps for a socket.",
	.types = TYPES_TC | TYPE(CGROUP_SKB) | TYPE(CGROUP_SOCK_ADDR) | TYPE(SOCK_OPS) |
		 TYPE(SK_MSG) | TYPE(CGROUP_SOCKOPT) | TYPE(STRUCT_OPS) | TYPE(LSM),
	.ret = { RET_PTR_TO_MAP_VALUE, .maybe_null = true },
	.arg = {
		{ ARG_CONST_MAP_PTR },
		{ ARG_PTR_TO_BTF_ID_SOCK_COMMON },
		{ ARG_MAP_VALUE, ARG_MAYBE_NULL },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_sk_storage_get_cgroup_sock = {
	.id = 107,
	.name = "sk_storage_get",
	.prototype = "void *bpf_sk_storage_get(struct bpf_map *map, void *sk, void "
	             "*value, u64 flags)",
	.doc = "Returns the value a socket storage map keeps for a socket.",
	.types = TYPE(CGROUP_SOCK),
	.ret = { RET_PTR_TO_MAP_VALUE, .maybe_null = true },
	.arg = {
		{ ARG_CONST_MAP_PTR },
		{ ARG_PTR_TO_CTX },
		{ ARG_MAP_VALUE, ARG_MAYBE_NULL },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_sk_storage_get_tracing = {
	.id = 107,
	.name = "sk_storage_get",
	.prototype = "void *bpf_sk_storage_get(struct bpf_map *map, void *sk, void "
	             "*value, u64 flags)",
	.doc = "Returns the value a socket storage map keeps for a socket.",
	.types = TYPE(TRACING) | TYPE(SYSCALL),
	.ret = { RET_PTR_TO_MAP_VALUE, .maybe_null = true },
	.arg = {
		{ ARG_CONST_MAP_PTR },
		{ ARG_PTR_TO_BTF_ID, ARG_MAYBE_NULL, .btf = "sock_common" },
		{ ARG_MAP_VALUE, ARG_MAYBE_NULL },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_sk_storage_delete = {
	.id = 108,
	.name = "sk_storage_delete",
	.prototype = "long bpf_sk_storage_delete(struct bpf_map *map, void *sk)",
	.doc = "Removes the value a socket storage map keeps for a socket.",
	.types = TYPES_TC | TYPE(CGROUP_SKB) | TYPE(CGROUP_SOCK_ADDR) | TYPE(SOCK_OPS) |
		 TYPE(SK_MSG) | TYPE(CGROUP_SOCKOPT) | TYPE(STRUCT_OPS) | TYPE(LSM),
	.ret = { RET_INTEGER },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_PTR_TO_BTF_ID_SOCK_COMMON } },
};

const struct helper helper_sk_storage_delete_tracing = {
	.id = 108,
	.name = "sk_storage_delete",
	.prototype = "long bpf_sk_storage_delete(struct bpf_map *map, void *sk)",
	.doc = "Removes the value a socket storage map keeps for a socket.",
	.types = TYPE(TRACING) | TYPE(SYSCALL),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_CONST_MAP_PTR },
		{ ARG_PTR_TO_BTF_ID, ARG_MAYBE_NULL, .btf = "sock_common" },
	},
};

const struct helper helper_inode_storage_get = {
	.id = 145,
	.name = "inode_storage_get",
	.prototype = "void *bpf_inode_storage_get(struct bpf_map *map, void *inode, "
	             "void *value, u64 flags)",
	.doc = "Returns the value an inode storage map keeps for an inode.",
	.types = TYPE(LSM),
	.ret = { RET_PTR_TO_MAP_VALUE, .maybe_null = true },
	.arg = {
		{ ARG_CONST_MAP_PTR },
		{ ARG_PTR_TO_BTF_ID, ARG_MAYBE_NULL, .btf = "inode" },
		{ ARG_MAP_VALUE, ARG_MAYBE_NULL },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_inode_storage_delete = {
	.id = 146,
	.name = "inode_storage_delete",
	.prototype = "int bpf_inode_storage_delete(struct bpf_map *map, void *inode)",
	.doc = "Removes the value an inode storage map keeps for an inode.",
	.types = TYPE(LSM),
	.ret = { RET_INTEGER },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_PTR_TO_BTF_ID, ARG_MAYBE_NULL, .btf = "inode" } },
};

const struct helper helper_task_storage_get = {
	.id = 156,
	.name = "task_storage_get",
	.needs = NEEDS_BPF,
	.prototype = "void *bpf_task_storage_get(struct bpf_map *map, struct "
	             "task_struct *task, void *value, u64 flags)",
	.doc = "Returns the value a task storage map keeps for a task.",
	.types = TYPES_BASE,
	.ret = { RET_PTR_TO_MAP_VALUE, .maybe_null = true },
	.arg = {
		{ ARG_CONST_MAP_PTR },
		{ ARG_PTR_TO_BTF_ID, ARG_MAYBE_NULL, .btf = "task_struct" },
		{ ARG_MAP_VALUE, ARG_MAYBE_NULL },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_task_storage_delete = {
	.id = 157,
	.name = "task_storage_delete",
	.needs = NEEDS_BPF,
	.prototype = "long bpf_task_storage_delete(struct bpf_map *map, struct "
	             "task_struct *task)",
	.doc = "Removes the value a task storage map keeps for a task.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_CONST_MAP_PTR },
		{ ARG_PTR_TO_BTF_ID, ARG_MAYBE_NULL, .btf = "task_struct" },
	},
};

const struct helper helper_cgrp_storage_get = {
	.id = 210,
	.name = "cgrp_storage_get",
	.needs = NEEDS_BPF,
	.prototype = "void *bpf_cgrp_storage_get(struct bpf_map *map, struct cgroup "
	             "*cgroup, void *value, u64 flags)",
	.doc = "Returns the value a cgroup storage map keeps for a cgroup.",
	.types = TYPES_BASE,
	.ret = { RET_PTR_TO_MAP_VALUE, .maybe_null = true },
	.arg = {
		{ ARG_CONST_MAP_PTR },
		{ ARG_PTR_TO_BTF_ID, ARG_MAYBE_NULL, .btf = "cgroup" },
		{ ARG_MAP_VALUE, ARG_MAYBE_NULL },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_cgrp_storage_delete = {
	.id = 211,
	.name = "cgrp_storage_delete",
	.needs = NEEDS_BPF,
	.prototype = "long bpf_cgrp_storage_delete(struct bpf_map *map, struct cgroup *cgroup)",
	.doc = "Removes the value a cgroup storage map keeps for a cgroup.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_CONST_MAP_PTR },
		{ ARG_PTR_TO_BTF_ID, ARG_MAYBE_NULL, .btf = "cgroup" },
	},
};
