/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tunnel.c - tunnel metadata of packets. [runtime]
 */
#include "helper/list.h"

#include <errno.h>
#include <string.h>

/* Packets here came through no tunnel; nothing of the stack may show instead. */
static uint64_t skb_get_tunnel_key(struct vm *vm, const uint64_t arg[5])
{
	(void)vm;
	memset((void *)(uintptr_t)arg[1], 0, (uint32_t)arg[2]);
	return (uint64_t)-EINVAL;
}

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
	.call = skb_get_tunnel_key,
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

static uint64_t skb_get_tunnel_opt(struct vm *vm, const uint64_t arg[5])
{
	(void)vm;
	memset((void *)(uintptr_t)arg[1], 0, (uint32_t)arg[2]);
	return (uint64_t)-ENOENT;
}

const struct helper helper_skb_get_tunnel_opt = {
	.id = 29,
	.name = "skb_get_tunnel_opt",
	.prototype = "long bpf_skb_get_tunnel_opt(struct sk_buff *skb, void *opt, u32 size)",
	.doc = "Reads the options of the tunnel the packet arrived through.",
	.types = TYPES_TC | TYPE(LWT_XMIT),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_MEM, ARG_UNINIT }, { ARG_MEM_SIZE } },
	.call = skb_get_tunnel_opt,
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
