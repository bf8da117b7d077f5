/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sock.c - sockets. [runtime]
 */
#include "helper/list.h"

#include "helper/packet.h"

/*
 * The ports of this network end in no socket, so that a lookup finds none. A
 * program cannot then get hold of a socket, and what takes one is never reached.
 */
static uint64_t no_socket(struct vm *vm, const uint64_t arg[5])
{
	(void)vm, (void)arg;
	return 0;
}

const struct helper helper_sk_lookup_tcp = {
	.id = 84,
	.name = "sk_lookup_tcp",
	.prototype = "struct bpf_sock *bpf_sk_lookup_tcp(void *ctx, struct "
	             "bpf_sock_tuple *tuple, u32 tuple_size, u64 netns, u64 flags)",
	.doc = "Finds a TCP socket by addresses and ports and takes a reference.",
	.types = TYPES_TC | TYPE(CGROUP_SKB) | TYPE(XDP) | TYPE(SK_SKB) |
		 TYPE(CGROUP_SOCK_ADDR),
	.packet_access = true,
	.acquires = true,
	.ret = { RET_PTR_TO_SOCKET, .maybe_null = true },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
	},
	.call = no_socket,
};

const struct helper helper_sk_lookup_udp = {
	.id = 85,
	.name = "sk_lookup_udp",
	.prototype = "struct bpf_sock *bpf_sk_lookup_udp(void *ctx, struct "
	             "bpf_sock_tuple *tuple, u32 tuple_size, u64 netns, u64 flags)",
	.doc = "Finds a UDP socket by addresses and ports and takes a reference.",
	.types = TYPES_TC | TYPE(CGROUP_SKB) | TYPE(XDP) | TYPE(SK_SKB) |
		 TYPE(CGROUP_SOCK_ADDR),
	.packet_access = true,
	.acquires = true,
	.ret = { RET_PTR_TO_SOCKET, .maybe_null = true },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
	},
	.call = no_socket,
};

const struct helper helper_skc_lookup_tcp = {
	.id = 99,
	.name = "skc_lookup_tcp",
	.prototype = "struct bpf_sock *bpf_skc_lookup_tcp(void *ctx, struct "
	             "bpf_sock_tuple *tuple, u32 tuple_size, u64 netns, u64 flags)",
	.doc = "Finds a TCP socket, also one still connecting or closing, and "
	       "takes a reference.",
	.types = TYPES_TC | TYPE(CGROUP_SKB) | TYPE(XDP) | TYPE(SK_SKB) |
		 TYPE(CGROUP_SOCK_ADDR),
	.packet_access = true,
	.acquires = true,
	.ret = { RET_PTR_TO_SOCK_COMMON, .maybe_null = true },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
	},
	.call = no_socket,
};

const struct helper helper_sk_release = {
	.id = 86,
	.name = "sk_release",
	.prototype = "long bpf_sk_release(void *sock)",
	.doc = "Gives back a reference to a socket.",
	.types = TYPES_TC | TYPE(CGROUP_SKB) | TYPE(XDP) | TYPE(SK_SKB) |
		 TYPE(CGROUP_SOCK_ADDR) | TYPE(SK_LOOKUP),
	.releases = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_BTF_ID_SOCK_COMMON, ARG_RELEASE } },
	.call = no_socket,
};

const struct helper helper_sk_fullsock = {
	.id = 95,
	.name = "sk_fullsock",
	.prototype = "struct bpf_sock *bpf_sk_fullsock(struct bpf_sock *sk)",
	.doc = "Returns the full socket behind a socket, or NULL for a mini socket.",
	.types = TYPES_TC | TYPE(CGROUP_SKB),
	.ret = { RET_PTR_TO_SOCKET, .maybe_null = true },
	.arg = { { ARG_PTR_TO_SOCK_COMMON } },
	.call = no_socket,
};

const struct helper helper_tcp_sock = {
	.id = 96,
	.name = "tcp_sock",
	.prototype = "struct bpf_tcp_sock *bpf_tcp_sock(struct bpf_sock *sk)",
	.doc = "Returns the TCP state of a socket, or NULL if it is not TCP.",
	.types = TYPES_TC | TYPE(CGROUP_SKB) | TYPE(CGROUP_SOCKOPT) | TYPE(SOCK_OPS),
	.ret = { RET_PTR_TO_TCP_SOCK, .maybe_null = true },
	.arg = { { ARG_PTR_TO_SOCK_COMMON } },
	.call = no_socket,
};

const struct helper helper_get_listener_sock = {
	.id = 98,
	.name = "get_listener_sock",
	.prototype = "struct bpf_sock *bpf_get_listener_sock(struct bpf_sock *sk)",
	.doc = "Returns the listening socket a request socket belongs to.",
	.types = TYPES_TC | TYPE(CGROUP_SKB),
	.ret = { RET_PTR_TO_SOCKET, .maybe_null = true },
	.arg = { { ARG_PTR_TO_SOCK_COMMON } },
	.call = no_socket,
};

const struct helper helper_sk_assign = {
	.id = 124,
	.name = "sk_assign",
	.prototype = "long bpf_sk_assign(struct sk_buff *skb, void *sk, u64 flags)",
	.doc = "Chooses the socket that gets the packet.",
	.types = TYPES_TC,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_PTR_TO_BTF_ID_SOCK_COMMON }, { ARG_ANYTHING } },
};

const struct helper helper_sk_assign_lookup = {
	.id = 124,
	.name = "sk_assign",
	.prototype = "long bpf_sk_assign(struct sk_buff *skb, void *sk, u64 flags)",
	.doc = "Chooses the socket that gets the packet.",
	.types = TYPE(SK_LOOKUP),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_PTR_TO_SOCKET, ARG_MAYBE_NULL }, { ARG_ANYTHING } },
};

/* Packets here belong to no socket, for which Linux gives 0. */
static uint64_t get_socket_cookie(struct vm *vm, const uint64_t arg[5])
{
	(void)vm, (void)arg;
	return 0;
}

const struct helper helper_get_socket_cookie = {
	.id = 46,
	.name = "get_socket_cookie",
	.prototype = "u64 bpf_get_socket_cookie(struct sk_buff *skb)",
	.doc = "Returns a number that identifies a socket as long as it lives.",
	.types = TYPES_SKB_SOCKET | TYPE(SK_SKB) | TYPE(CGROUP_SOCK) |
		 TYPE(CGROUP_SOCK_ADDR) | TYPE(SOCK_OPS),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
	.call = get_socket_cookie,
};

const struct helper helper_get_socket_cookie_sock = {
	.id = 46,
	.name = "get_socket_cookie",
	.prototype = "u64 bpf_get_socket_cookie(struct sk_buff *skb)",
	.doc = "Returns a number that identifies a socket as long as it lives.",
	.types = TYPES_BTF | TYPE(SK_REUSEPORT),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_BTF_ID_SOCK_COMMON } },
};

/* And the user id of nobody. */
static uint64_t get_socket_uid(struct vm *vm, const uint64_t arg[5])
{
	enum { OVERFLOW_UID = 65534 };

	(void)vm, (void)arg;
	return OVERFLOW_UID;
}

const struct helper helper_get_socket_uid = {
	.id = 47,
	.name = "get_socket_uid",
	.prototype = "u32 bpf_get_socket_uid(struct sk_buff *skb)",
	.doc = "Returns the user id of the packet's socket owner.",
	.types = TYPES_SKB_SOCKET | TYPE(SK_SKB),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
	.call = get_socket_uid,
};

const struct helper helper_get_netns_cookie = {
	.id = 122,
	.name = "get_netns_cookie",
	.prototype = "u64 bpf_get_netns_cookie(void *ctx)",
	.doc = "Returns a number that identifies the network namespace.",
	.types = TYPES_SKB_SOCKET | TYPE(CGROUP_SOCK) | TYPE(CGROUP_SOCK_ADDR) |
		 TYPE(CGROUP_SOCKOPT) | TYPE(SK_MSG) | TYPE(SOCK_OPS),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX, ARG_MAYBE_NULL } },
};

const struct helper helper_sock_from_file = {
	.id = 162,
	.name = "sock_from_file",
	.prototype = "struct socket *bpf_sock_from_file(struct file *file)",
	.doc = "Returns the socket behind a file, or NULL if it is none.",
	.types = TYPES_BTF,
	.ret = { RET_PTR_TO_BTF_ID, .maybe_null = true, .btf = "socket" },
	.arg = { { ARG_PTR_TO_BTF_ID, .btf = "file" } },
};
