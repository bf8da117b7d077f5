/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * route.c - routes, neighbours and MTUs. [runtime]
 */
#include "helper/list.h"

const struct helper helper_fib_lookup = {
	.id = 69,
	.name = "fib_lookup",
	.prototype = "long bpf_fib_lookup(void *ctx, struct bpf_fib_lookup *params, "
	             "int plen, u32 flags)",
	.doc = "Looks the packet's next hop up in the routing and neighbour tables.",
	.types = TYPES_TC | TYPE(XDP),
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_MEM, ARG_WRITE },
		{ ARG_MEM_SIZE },
		{ ARG_ANYTHING },
	},
};

const struct helper helper_check_mtu = {
	.id = 163,
	.name = "check_mtu",
	.prototype = "long bpf_check_mtu(void *ctx, u32 ifindex, u32 *mtu_len, s32 "
	             "len_diff, u64 flags)",
	.doc = "Says whether the packet fits an interface's MTU.",
	.types = TYPES_TC | TYPE(XDP),
	.gpl_only = true,
	.ret = { RET_INTEGER },
	.arg = {
		{ ARG_PTR_TO_CTX },
		{ ARG_ANYTHING },
		{ ARG_MEM, ARG_FIXED_SIZE | ARG_WRITE | ARG_ALIGNED, .size = 4 },
		{ ARG_ANYTHING },
		{ ARG_ANYTHING },
	},
};
