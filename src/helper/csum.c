/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * csum.c - Internet checksums of buffers and whole packets. [runtime]
 */
#include "helper/list.h"

const struct helper helper_csum_diff = {
	.id = 28,
	.name = "csum_diff",
	.prototype = "s64 bpf_csum_diff(__be32 *from, u32 from_size, __be32 *to, u32 "
	             "to_size, __wsum seed)",
	.doc = "Computes the change of a checksum when one buffer replaces another.",
	.types = TYPES_LWT | TYPES_TC | TYPE(XDP),
	.packet_access = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_MEM, ARG_MAYBE_NULL | ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_MEM, ARG_MAYBE_NULL | ARG_RDONLY },
		{ ARG_MEM_SIZE_OR_ZERO },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_csum_update = {
	.id = 40,
	.name = "csum_update",
	.prototype = "s64 bpf_csum_update(struct sk_buff *skb, __wsum csum)",
	.doc = "Adds to the checksum of the whole packet as its device computed it.",
	.types = TYPES_TC | TYPE(LWT_XMIT),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
};

const struct helper helper_csum_level = {
	.id = 135,
	.name = "csum_level",
	.prototype = "long bpf_csum_level(struct sk_buff *skb, u64 level)",
	.doc = "Reads or changes how many checksums of the packet are known to be good.",
	.types = TYPES_TC | TYPE(LWT_XMIT),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
};
