/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tunnel.c - tunnel metadata of packets. [runtime]
 */
#include "helper/list.h"

const struct helper helper_skb_get_tunnel_key = {
	.id = 20,
	.name = "skb_get_tunnel_key",
	.prototype = "long bpf_skb_get_tunnel_key(struct sk_buff *skb, struct "
	             "bpf_tunnel_key *key, u32 size, u64 flags)",
	.doc = "Reads the tunnel metadata the packet arrived with.",
	.types = TYPES_TC | TYPE(LWT_XMIT),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_skb_set_tunnel_key = {
	.id = 21,
	.name = "skb_set_tunnel_key",
	.prototype = "long bpf_skb_set_tunnel_key(struct sk_buff *skb, struct "
	             "bpf_tunnel_key *key, u32 size, u64 flags)",
	.doc = "Sets the tunnel metadata the packet will leave with.",
	.types = TYPES_TC | TYPE(LWT_XMIT),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_skb_get_tunnel_opt = {
	.id = 29,
	.name = "skb_get_tunnel_opt",
	.prototype = "long bpf_skb_get_tunnel_opt(struct sk_buff *skb, void *opt, u32 size)",
	.doc = "Reads the options of the tunnel the packet arrived through.",
	.types = TYPES_TC | TYPE(LWT_XMIT),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE } },
};

const struct helper helper_skb_set_tunnel_opt = {
	.id = 30,
	.name = "skb_set_tunnel_opt",
	.prototype = "long bpf_skb_set_tunnel_opt(struct sk_buff *skb, void *opt, u32 size)",
	.doc = "Sets the options of the tunnel the packet will leave through.",
	.types = TYPES_TC | TYPE(LWT_XMIT),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_MEM, ARG_RDONLY }, { ARG_MEM_SIZE } },
};
