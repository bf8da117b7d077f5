/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * redirect.c - sending a packet elsewhere. [runtime]
 */
#include "helper/list.h"

const struct helper helper_redirect = {
	.id = 23,
	.name = "redirect",
	.prototype = "long bpf_redirect(u32 ifindex, u64 flags)",
	.doc = "Asks that the packet go to another interface; the program returns its result.",
	.types = TYPES_TC | TYPE(LWT_XMIT) | TYPE(XDP),
	.ret = { RET_INTEGER },
	.arg = { { ARG_ANYTHING }, { ARG_ANYTHING } },
};

const struct helper helper_clone_redirect = {
	.id = 13,
	.name = "clone_redirect",
	.prototype = "long bpf_clone_redirect(struct sk_buff *skb, u32 ifindex, u64 flags)",
	.doc = "Sends a copy of the packet to another interface and keeps the original.",
	.types = TYPES_TC | TYPE(LWT_XMIT),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING } },
};

const struct helper helper_redirect_map = {
	.id = 51,
	.name = "redirect_map",
	.prototype = "long bpf_redirect_map(struct bpf_map *map, u64 key, u64 flags)",
	.doc = "Asks that the packet go where an entry of a device, CPU or socket map points.",
	.types = TYPE(XDP),
	.ret = { RET_INTEGER },
	.arg = { { ARG_CONST_MAP_PTR }, { ARG_ANYTHING }, { ARG_ANYTHING } },
};

const struct helper helper_redirect_neigh = {
	.id = 152,
	.name = "redirect_neigh",
	.prototype = "long bpf_redirect_neigh(u32 ifindex, struct bpf_redir_neigh "
	             "*params, int plen, u64 flags)",
	.doc = "Asks that the packet leave an interface with its link header filled in there.",
	.types = TYPES_TC,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_MAYBE_NULL | ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_redirect_peer = {
	.id = 155,
	.name = "redirect_peer",
	.prototype = "long bpf_redirect_peer(u32 ifindex, u64 flags)",
	.doc = "Asks that the packet arrive at the peer of an interface, in its namespace.",
	.types = TYPES_TC,
	.ret = { RET_INTEGER },
	.arg = { { ARG_ANYTHING }, { ARG_ANYTHING } },
};
