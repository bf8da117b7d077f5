/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vlan.c - VLAN tags. [runtime]
 */
#include "helper/list.h"

const struct helper helper_skb_vlan_push = {
	.id = 18,
	.name = "skb_vlan_push",
	.prototype = "long bpf_skb_vlan_push(struct sk_buff *skb, __be16 vlan_proto, "
	             "u16 vlan_tci)",
	.doc = "Puts a VLAN tag on the packet.",
	.types = TYPES_TC,
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING } },
};

const struct helper helper_skb_vlan_pop = {
	.id = 19,
	.name = "skb_vlan_pop",
	.prototype = "long bpf_skb_vlan_pop(struct sk_buff *skb)",
	.doc = "Takes the outermost VLAN tag off the packet.",
	.types = TYPES_TC,
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
};
