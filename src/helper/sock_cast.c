/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock_cast.c - a socket as the kind it is. [runtime]
 */
#include "helper/list.h"

const struct helper helper_skc_to_tcp6_sock = {
	.id = 136,
	.name = "skc_to_tcp6_sock",
	.needs = NEEDS_PERFMON,
	.prototype = "struct tcp6_sock *bpf_skc_to_tcp6_sock(void *sk)",
	.doc = "Returns a socket as a tcp6_sock, or NULL if it is none.",
	.types = TYPES_BTF | TYPES_SKB | TYPE(XDP) | TYPE(SK_SKB) | TYPE(SK_MSG) |
		 TYPE(SOCK_OPS) | TYPE(CGROUP_SOCK_ADDR) | TYPE(SK_LOOKUP),
	.ret = { RET_PTR_TO_BTF_ID, .maybe_null = true, .btf = "tcp6_sock" },
	.arg = { { ARG_PTR_TO_BTF_ID_SOCK_COMMON } },
};

const struct helper helper_skc_to_tcp_sock = {
	.id = 137,
	.name = "skc_to_tcp_sock",
	.needs = NEEDS_PERFMON,
	.prototype = "struct tcp_sock *bpf_skc_to_tcp_sock(void *sk)",
	.doc = "Returns a socket as a tcp_sock, or NULL if it is none.",
	.types = TYPES_BTF | TYPES_SKB | TYPE(XDP) | TYPE(SK_SKB) | TYPE(SK_MSG) |
		 TYPE(SOCK_OPS) | TYPE(CGROUP_SOCK_ADDR) | TYPE(SK_LOOKUP),
	.ret = { RET_PTR_TO_BTF_ID, .maybe_null = true, .btf = "tcp_sock" },
	.arg = { { ARG_PTR_TO_BTF_ID_SOCK_COMMON } },
};

const struct helper helper_skc_to_tcp_timewait_sock = {
	.id = 138,
	.name = "skc_to_tcp_timewait_sock",
	.needs = NEEDS_PERFMON,
	.prototype = "struct tcp_timewait_sock *bpf_skc_to_tcp_timewait_sock(void *sk)",
	.doc = "Returns a socket as a tcp_timewait_sock, or NULL if it is none.",
	.types = TYPES_BTF | TYPES_SKB | TYPE(XDP) | TYPE(SK_SKB) | TYPE(SK_MSG) |
		 TYPE(SOCK_OPS) | TYPE(CGROUP_SOCK_ADDR) | TYPE(SK_LOOKUP),
	.ret = { RET_PTR_TO_BTF_ID, .maybe_null = true, .btf = "tcp_timewait_sock" },
	.arg = { { ARG_PTR_TO_BTF_ID_SOCK_COMMON } },
};

const struct helper helper_skc_to_tcp_request_sock = {
	.id = 139,
	.name = "skc_to_tcp_request_sock",
	.needs = NEEDS_PERFMON,
	.prototype = "struct tcp_request_sock *bpf_skc_to_tcp_request_sock(void *sk)",
	.doc = "Returns a socket as a tcp_request_sock, or NULL if it is none.",
	.types = TYPES_BTF | TYPES_SKB | TYPE(XDP) | TYPE(SK_SKB) | TYPE(SK_MSG) |
		 TYPE(SOCK_OPS) | TYPE(CGROUP_SOCK_ADDR) | TYPE(SK_LOOKUP),
	.ret = { RET_PTR_TO_BTF_ID, .maybe_null = true, .btf = "tcp_request_sock" },
	.arg = { { ARG_PTR_TO_BTF_ID_SOCK_COMMON } },
};

const struct helper helper_skc_to_udp6_sock = {
	.id = 140,
	.name = "skc_to_udp6_sock",
	.needs = NEEDS_PERFMON,
	.prototype = "struct udp6_sock *bpf_skc_to_udp6_sock(void *sk)",
	.doc = "Returns a socket as a udp6_sock, or NULL if it is none.",
	.types = TYPES_BTF | TYPES_SKB | TYPE(XDP) | TYPE(SK_SKB) | TYPE(SK_MSG) |
		 TYPE(SOCK_OPS) | TYPE(CGROUP_SOCK_ADDR) | TYPE(SK_LOOKUP),
	.ret = { RET_PTR_TO_BTF_ID, .maybe_null = true, .btf = "udp6_sock" },
	.arg = { { ARG_PTR_TO_BTF_ID_SOCK_COMMON } },
};

const struct helper helper_skc_to_unix_sock = {
	.id = 178,
	.name = "skc_to_unix_sock",
	.needs = NEEDS_PERFMON,
	.prototype = "struct unix_sock *bpf_skc_to_unix_sock(void *sk)",
	.doc = "Returns a socket as a unix_sock, or NULL if it is none.",
	.types = TYPES_BTF | TYPES_SKB | TYPE(XDP) | TYPE(SK_SKB) | TYPE(SK_MSG) |
		 TYPE(SOCK_OPS) | TYPE(CGROUP_SOCK_ADDR) | TYPE(SK_LOOKUP),
	.ret = { RET_PTR_TO_BTF_ID, .maybe_null = true, .btf = "unix_sock" },
	.arg = { { ARG_PTR_TO_BTF_ID_SOCK_COMMON } },
};

const struct helper helper_skc_to_mptcp_sock = {
	.id = 196,
	.name = "skc_to_mptcp_sock",
	.needs = NEEDS_PERFMON,
	.prototype = "struct mptcp_sock *bpf_skc_to_mptcp_sock(void *sk)",
	.doc = "Returns a socket as an mptcp_sock, or NULL if it is none.",
	.types = TYPES_BTF | TYPES_SKB | TYPE(XDP) | TYPE(SK_SKB) | TYPE(SK_MSG) |
		 TYPE(SOCK_OPS) | TYPE(CGROUP_SOCK_ADDR) | TYPE(SK_LOOKUP),
	.ret = { RET_PTR_TO_BTF_ID, .maybe_null = true, .btf = "mptcp_sock" },
	.arg = { { ARG_PTR_TO_SOCK_COMMON } },
};
