/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skb.c - bytes of sk_buff packets. [runtime]
 */
#include "helper/list.h"

const struct helper helper_skb_load_bytes = {
	.id = 26,
	.name = "skb_load_bytes",
	.prototype = "long bpf_skb_load_bytes(const void *skb, u32 offset, void *to, u32 len)",
	.doc = "Copies bytes out of the packet, wherever it keeps them.",
	.types = TYPES_SKB | TYPE(SK_SKB) | TYPE(SK_REUSEPORT),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE },
	},
};

const struct helper helper_skb_load_bytes_relative = {
	.id = 68,
	.name = "skb_load_bytes_relative",
	.prototype = "long bpf_skb_load_bytes_relative(const void *skb, u32 offset, "
	             "void *to, u32 len, u32 start_header)",
	.doc = "Copies bytes out of the packet, counted from its link or network header.",
	.types = TYPES_SKB_SOCKET | TYPE(SK_REUSEPORT),
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_skb_store_bytes = {
	.id = 9,
	.name = "skb_store_bytes",
	.prototype = "long bpf_skb_store_bytes(struct sk_buff *skb, u32 offset, "
	             "const void *from, u32 len, u64 flags)",
	.doc = "Writes bytes into the packet, and on request keeps its "
	       "checksum and hash right.",
	.types = TYPES_TC | TYPE(LWT_XMIT) | TYPE(SK_SKB),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_l3_csum_replace = {
	.id = 10,
	.name = "l3_csum_replace",
	.prototype = "long bpf_l3_csum_replace(struct sk_buff *skb, u32 offset, u64 "
	             "from, u64 to, u64 size)",
	.doc = "Adjusts an IPv4 header checksum in the packet for a field that changed.",
	.types = TYPES_TC | TYPE(LWT_XMIT),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_l4_csum_replace = {
	.id = 11,
	.name = "l4_csum_replace",
	.prototype = "long bpf_l4_csum_replace(struct sk_buff *skb, u32 offset, u64 "
	             "from, u64 to, u64 flags)",
	.doc = "Adjusts a TCP, UDP or ICMP checksum in the packet for a field that changed.",
	.types = TYPES_TC | TYPE(LWT_XMIT),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_skb_pull_data = {
	.id = 39,
	.name = "skb_pull_data",
	.prototype = "long bpf_skb_pull_data(struct sk_buff *skb, u32 len)",
	.doc = "Makes a number of the packet's first bytes directly accessible.",
	.types = TYPES_LWT | TYPES_TC | TYPE(SK_SKB),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
};
