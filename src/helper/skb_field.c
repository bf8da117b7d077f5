/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skb_field.c - what is kept beside an sk_buff packet. [runtime]
 */
#include "helper/list.h"

const struct helper helper_skb_change_type = {
	.id = 32,
	.name = "skb_change_type",
	.prototype = "long bpf_skb_change_type(struct sk_buff *skb, u32 type)",
	.doc = "Changes whom the packet is for: this host, others, broadcast or multicast.",
	.types = TYPES_TC,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
};

const struct helper helper_get_hash_recalc = {
	.id = 34,
	.name = "get_hash_recalc",
	.prototype = "u32 bpf_get_hash_recalc(struct sk_buff *skb)",
	.doc = "Returns the packet's flow hash and computes it where it is not known.",
	.types = TYPES_TC | TYPES_LWT,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
};

const struct helper helper_set_hash_invalid = {
	.id = 41,
	.name = "set_hash_invalid",
	.prototype = "void bpf_set_hash_invalid(struct sk_buff *skb)",
	.doc = "Marks the packet's flow hash as unknown, so that it is computed anew.",
	.types = TYPES_TC | TYPE(LWT_XMIT),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
};

const struct helper helper_set_hash = {
	.id = 48,
	.name = "set_hash",
	.prototype = "long bpf_set_hash(struct sk_buff *skb, u32 hash)",
	.doc = "Sets the packet's flow hash.",
	.types = TYPES_TC,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
};

const struct helper helper_skb_set_tstamp = {
	.id = 192,
	.name = "skb_set_tstamp",
	.prototype = "long bpf_skb_set_tstamp(struct sk_buff *skb, u64 tstamp, u32 "
	             "tstamp_type)",
	.doc = "Sets the packet's time stamp and which clock it is of.",
	.types = TYPES_TC,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING } },
};

const struct helper helper_skb_ecn_set_ce = {
	.id = 97,
	.name = "skb_ecn_set_ce",
	.prototype = "long bpf_skb_ecn_set_ce(struct sk_buff *skb)",
	.doc = "Marks the packet as having met congestion, if its flow supports ECN.",
	.types = TYPES_TC | TYPE(CGROUP_SKB),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
};

const struct helper helper_get_route_realm = {
	.id = 24,
	.name = "get_route_realm",
	.prototype = "u32 bpf_get_route_realm(struct sk_buff *skb)",
	.doc = "Returns the realm of the packet's route.",
	.types = TYPES_TC | TYPES_LWT,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
};

const struct helper helper_get_cgroup_classid = {
	.id = 17,
	.name = "get_cgroup_classid",
	.prototype = "u32 bpf_get_cgroup_classid(struct sk_buff *skb)",
	.doc = "Returns the net_cls class of the cgroup the current task is in.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
};

const struct helper helper_skb_cgroup_classid = {
	.id = 151,
	.name = "skb_cgroup_classid",
	.prototype = "u64 bpf_skb_cgroup_classid(struct sk_buff *skb)",
	.doc = "Returns the net_cls class of the packet's socket.",
	.types = TYPES_TC,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
};

const struct helper helper_skb_get_xfrm_state = {
	.id = 66,
	.name = "skb_get_xfrm_state",
	.prototype = "long bpf_skb_get_xfrm_state(struct sk_buff *skb, u32 index, "
	             "struct bpf_xfrm_state *xfrm_state, u32 size, u64 flags)",
	.doc = "Reads the IPsec transformation that the packet went through.",
	.types = TYPES_TC,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_UNINIT },
		{ ARG_MEM_SIZE },
		{ ARG_ANYTHING },
	},
};
