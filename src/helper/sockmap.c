/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sockmap.c - socket maps. [runtime]
 */
#include "helper/list.h"

const struct helper helper_sk_redirect_map = {
	.id = 52,
	.name = "sk_redirect_map",
	.prototype = "long bpf_sk_redirect_map(struct sk_buff *skb, struct bpf_map "
	             "*map, u32 key, u64 flags)",
	.doc = "Asks that stream data go to a socket of a socket map.",
	.types = TYPE(SK_SKB),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_CONST_MAP_PTR },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_sk_redirect_hash = {
	.id = 72,
	.name = "sk_redirect_hash",
	.prototype = "long bpf_sk_redirect_hash(struct sk_buff *skb, struct bpf_map "
	             "*map, void *key, u64 flags)",
	.doc = "Asks that stream data go to a socket of a socket hash.",
	.types = TYPE(SK_SKB),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_CONST_MAP_PTR }, { ARG_MAP_KEY }, { ARG_ANYTHING } },
};

const struct helper helper_sock_map_update = {
	.id = 53,
	.name = "sock_map_update",
	.prototype = "long bpf_sock_map_update(struct bpf_sock_ops *skops, struct "
	             "bpf_map *map, void *key, u64 flags)",
	.doc = "Puts the socket into a socket map.",
	.types = TYPE(SOCK_OPS),
	.packet_access = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_CONST_MAP_PTR }, { ARG_MAP_KEY }, { ARG_ANYTHING } },
};

const struct helper helper_sock_hash_update = {
	.id = 70,
	.name = "sock_hash_update",
	.prototype = "long bpf_sock_hash_update(struct bpf_sock_ops *skops, struct "
	             "bpf_map *map, void *key, u64 flags)",
	.doc = "Puts the socket into a socket hash under a key.",
	.types = TYPE(SOCK_OPS),
	.packet_access = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_CONST_MAP_PTR }, { ARG_MAP_KEY }, { ARG_ANYTHING } },
};

const struct helper helper_sk_select_reuseport = {
	.id = 82,
	.name = "sk_select_reuseport",
	.prototype = "long bpf_sk_select_reuseport(struct sk_reuseport_md *reuse, "
	             "struct bpf_map *map, void *key, u64 flags)",
	.doc = "Chooses the socket of a reuseport group that gets the packet.",
	.types = TYPE(SK_REUSEPORT),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_CONST_MAP_PTR }, { ARG_MAP_KEY }, { ARG_ANYTHING } },
};
