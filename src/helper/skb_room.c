/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skb_room.c - changing the length of sk_buff packets. [runtime]
 */
#include "helper/list.h"

const struct helper helper_skb_change_tail = {
	.id = 38,
	.name = "skb_change_tail",
	.prototype = "long bpf_skb_change_tail(struct sk_buff *skb, u32 len, u64 flags)",
	.doc = "Cuts the packet off at a length, or extends it with zeros.",
	.types = TYPES_TC | TYPE(LWT_XMIT) | TYPE(SK_SKB),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING } },
};

const struct helper helper_skb_change_head = {
	.id = 43,
	.name = "skb_change_head",
	.prototype = "long bpf_skb_change_head(struct sk_buff *skb, u32 len, u64 flags)",
	.doc = "Makes room for a header before the packet's first byte.",
	.types = TYPES_TC | TYPE(LWT_XMIT) | TYPE(SK_SKB),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING } },
};

const struct helper helper_skb_adjust_room = {
	.id = 50,
	.name = "skb_adjust_room",
	.prototype = "long bpf_skb_adjust_room(struct sk_buff *skb, s32 len_diff, "
	             "u32 mode, u64 flags)",
	.doc = "Grows or shrinks the packet between its headers, for encapsulation.",
	.types = TYPES_TC | TYPE(SK_SKB),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING }, { ARG_ANYTHING } },
};

const struct helper helper_skb_change_proto = {
	.id = 31,
	.name = "skb_change_proto",
	.prototype = "long bpf_skb_change_proto(struct sk_buff *skb, __be16 proto, u64 flags)",
	.doc = "Turns an IPv4 packet's header room into IPv6's, or back.",
	.types = TYPES_TC,
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING } },
};
