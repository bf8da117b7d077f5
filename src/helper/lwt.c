/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwt.c - lightweight tunnels and segment routing. [runtime]
 */
#include "helper/list.h"

const struct helper helper_lwt_push_encap = {
	.id = 73,
	.name = "lwt_push_encap",
	.prototype = "long bpf_lwt_push_encap(struct sk_buff *skb, u32 type, void "
	             "*hdr, u32 len)",
	.doc = "Encapsulates the packet in an outer IPv6 or IP header.",
	.types = TYPE(LWT_IN) | TYPE(LWT_XMIT),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
	},
};

const struct helper helper_lwt_seg6_store_bytes = {
	.id = 74,
	.name = "lwt_seg6_store_bytes",
	.prototype = "long bpf_lwt_seg6_store_bytes(struct sk_buff *skb, u32 offset, "
	             "const void *from, u32 len)",
	.doc = "Writes into the mutable fields of the packet's segment routing header.",
	.types = TYPE(LWT_SEG6LOCAL),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
	},
};

const struct helper helper_lwt_seg6_adjust_srh = {
	.id = 75,
	.name = "lwt_seg6_adjust_srh",
	.prototype = "long bpf_lwt_seg6_adjust_srh(struct sk_buff *skb, u32 offset, s32 delta)",
	.doc = "Grows or shrinks the segment routing header's TLV area.",
	.types = TYPE(LWT_SEG6LOCAL),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING } },
};

const struct helper helper_lwt_seg6_action = {
	.id = 76,
	.name = "lwt_seg6_action",
	.prototype = "long bpf_lwt_seg6_action(struct sk_buff *skb, u32 action, void "
	             "*param, u32 param_len)",
	.doc = "Performs a segment routing action on the packet.",
	.types = TYPE(LWT_SEG6LOCAL),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_RDONLY },
		{ ARG_MEM_SIZE },
	},
};
