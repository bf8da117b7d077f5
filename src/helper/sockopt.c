/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sockopt.c - socket options, and TCP header options. [runtime]
 */
#include "helper/list.h"

const struct helper helper_setsockopt = {
	.id = 49,
	.name = "setsockopt",
	.prototype = "long bpf_setsockopt(void *bpf_socket, int level, int optname, "
	             "void *optval, int optlen)",
	.doc = "Sets an option of a socket, as setsockopt(2) does.",
	.types = TYPE(CGROUP_SOCK_ADDR) | TYPE(SOCK_OPS),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
	},
};

const struct helper helper_setsockopt_sock = {
	.id = 49,
	.name = "setsockopt",
	.prototype = "long bpf_setsockopt(void *bpf_socket, int level, int optname, "
	             "void *optval, int optlen)",
	.doc = "Sets an option of a socket, as setsockopt(2) does.",
	.types = TYPE(CGROUP_SOCKOPT) | TYPE(LSM),
	.attaches = ATTACH(CGROUP_SETSOCKOPT) | ATTACH(LSM_CGROUP),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_BTF_ID_SOCK_COMMON },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
	},
};

const struct helper helper_setsockopt_congestion = {
	.id = 49,
	.name = "setsockopt",
	.prototype = "long bpf_setsockopt(void *bpf_socket, int level, int optname, "
	             "void *optval, int optlen)",
	.doc = "Sets an option of a socket, as setsockopt(2) does.",
	.types = TYPE(STRUCT_OPS),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_BTF_ID_SOCK_COMMON },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
	},
};

const struct helper helper_getsockopt = {
	.id = 57,
	.name = "getsockopt",
	.prototype = "long bpf_getsockopt(void *bpf_socket, int level, int optname, "
	             "void *optval, int optlen)",
	.doc = "Reads an option of a socket, as getsockopt(2) does.",
	.types = TYPE(CGROUP_SOCK_ADDR) | TYPE(SOCK_OPS),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE },
	},
};

const struct helper helper_getsockopt_sock = {
	.id = 57,
	.name = "getsockopt",
	.prototype = "long bpf_getsockopt(void *bpf_socket, int level, int optname, "
	             "void *optval, int optlen)",
	.doc = "Reads an option of a socket, as getsockopt(2) does.",
	.types = TYPE(CGROUP_SOCKOPT) | TYPE(LSM),
	.attaches = ATTACH(CGROUP_SETSOCKOPT) | ATTACH(LSM_CGROUP),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_BTF_ID_SOCK_COMMON },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE },
	},
};

const struct helper helper_getsockopt_congestion = {
	.id = 57,
	.name = "getsockopt",
	.prototype = "long bpf_getsockopt(void *bpf_socket, int level, int optname, "
	             "void *optval, int optlen)",
	.doc = "Reads an option of a socket, as getsockopt(2) does.",
	.types = TYPE(STRUCT_OPS),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_BTF_ID_SOCK_COMMON },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE },
	},
};

const struct helper helper_bind = {
	.id = 64,
	.name = "bind",
	.prototype = "long bpf_bind(struct bpf_sock_addr *ctx, struct sockaddr "
	             "*addr, int addr_len)",
	.doc = "Binds the socket to a local address before it connects.",
	.types = TYPE(CGROUP_SOCK_ADDR),
	.attaches = ATTACH(CGROUP_INET4_CONNECT) | ATTACH(CGROUP_INET6_CONNECT),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_MEM, ARG_RDONLY }, { ARG_MEM_SIZE } },
};

const struct helper helper_sock_ops_cb_flags_set = {
	.id = 59,
	.name = "sock_ops_cb_flags_set",
	.prototype = "long bpf_sock_ops_cb_flags_set(struct bpf_sock_ops *bpf_sock, "
	             "int argval)",
	.doc = "Chooses the events of a connection for which the program is called.",
	.types = TYPE(SOCK_OPS),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
};

const struct helper helper_load_hdr_opt = {
	.id = 142,
	.name = "load_hdr_opt",
	.prototype = "long bpf_load_hdr_opt(struct bpf_sock_ops *skops, void "
	             "*searchby_res, u32 len, u64 flags)",
	.doc = "Copies a TCP header option out of the packet or a saved SYN.",
	.types = TYPE(SOCK_OPS),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_MEM, ARG_WRITE },
		{ ARG_MEM_SIZE },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_store_hdr_opt = {
	.id = 143,
	.name = "store_hdr_opt",
	.prototype = "long bpf_store_hdr_opt(struct bpf_sock_ops *skops, const void "
	             "*from, u32 len, u64 flags)",
	.doc = "Writes a TCP header option into room reserved for it.",
	.types = TYPE(SOCK_OPS),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_reserve_hdr_opt = {
	.id = 144,
	.name = "reserve_hdr_opt",
	.prototype = "long bpf_reserve_hdr_opt(struct bpf_sock_ops *skops, u32 len, u64 flags)",
	.doc = "Reserves room for TCP header options.",
	.types = TYPE(SOCK_OPS),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING } },
};
