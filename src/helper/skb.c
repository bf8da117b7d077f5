/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skb.c - bytes of sk_buff packets. [runtime]
 */
#include "helper/list.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "helper/checksum.h"
#include "helper/packet.h"

/* A failed load leaves zeros, not old bytes of the stack. */
static uint64_t skb_load_failed(void *to, uint32_t len)
{
	memset(to, 0, len);
	return (uint64_t)-EFAULT;
}

static uint64_t skb_load_bytes(struct vm *vm, const uint64_t arg[5])
{
	uint32_t off = (uint32_t)arg[1], len = (uint32_t)arg[3];
	void *to = (void *)(uintptr_t)arg[2];

	/* A reuseport program may be run without a packet. */
	if (!vm->packet || off > INT_MAX || packet_read(vm->packet, off, to, len) < 0)
		return skb_load_failed(to, len);
	return 0;
}

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
	.call = skb_load_bytes,
};

static const uint8_t *skb_header(const struct packet *packet, uint32_t which)
{
	if (!packet)
		return NULL;
	if (which == BPF_HDR_START_MAC)
		return packet->mac;
	return which == BPF_HDR_START_NET ? packet->network : NULL;
}

static uint64_t skb_load_bytes_relative(struct vm *vm, const uint64_t arg[5])
{
	uint32_t off = (uint32_t)arg[1], len = (uint32_t)arg[3];
	const uint8_t *header = skb_header(vm->packet, (uint32_t)arg[4]);
	void *to = (void *)(uintptr_t)arg[2];
	size_t have;

	if (!header || off > 0xffff)
		return skb_load_failed(to, len);
	have = (size_t)(vm->packet->end - header);
	if (off > have || len > have - off)
		return skb_load_failed(to, len);
	memcpy(to, header + off, len);
	return 0;
}

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
	.call = skb_load_bytes_relative,
};

static uint64_t skb_store_bytes(struct vm *vm, const uint64_t arg[5])
{
	uint32_t off = (uint32_t)arg[1], len = (uint32_t)arg[3];
	const uint8_t *from = (const uint8_t *)(uintptr_t)arg[2];
	struct packet *packet = vm->packet;
	uint8_t *at;

	if (arg[4] & ~(BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH))
		return (uint64_t)-EINVAL;
	at = off > INT_MAX ? NULL : packet_bytes(packet, off, len);
	if (!at)
		return (uint64_t)-EFAULT;
	if (arg[4] & BPF_F_RECOMPUTE_CSUM)
		packet_sum_out(packet, off, len);
	memmove(at, from, len);
	if (arg[4] & BPF_F_RECOMPUTE_CSUM)
		packet_sum_in(packet, off, len);
	if (arg[4] & BPF_F_INVALIDATE_HASH) {
		packet->hash = 0;
		packet->hash_known = false;
	}
	return 0;
}

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
	.call = skb_store_bytes,
};

/* The checksum's two bytes; NULL where they are not in the packet. */
static uint8_t *skb_sum_at(const struct packet *packet, uint32_t off)
{
	return off > 0xffff || off & 1 ? NULL : packet_bytes(packet, off, 2);
}

static uint64_t l3_csum_replace(struct vm *vm, const uint64_t arg[5])
{
	uint8_t *at;
	uint16_t sum;

	if (arg[4] & ~BPF_F_HDR_FIELD_MASK)
		return (uint64_t)-EINVAL;
	at = skb_sum_at(vm->packet, (uint32_t)arg[1]);
	if (!at)
		return (uint64_t)-EFAULT;
	memcpy(&sum, at, 2);
	switch (arg[4]) {
	case 0:
		if (arg[2])
			return (uint64_t)-EINVAL;
		sum = sum_replace_diff(sum, (uint32_t)arg[3]);
		break;
	case 2:
		sum = sum_replace2(sum, (uint16_t)arg[2], (uint16_t)arg[3]);
		break;
	case 4:
		sum = sum_replace4(sum, (uint32_t)arg[2], (uint32_t)arg[3]);
		break;
	default:
		return (uint64_t)-EINVAL;
	}
	memcpy(at, &sum, 2);
	return 0;
}

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
	.call = l3_csum_replace,
};

/*
 * The change is also one of the packet's whole sum only where it is in the
 * pseudo header: what changed in the packet itself the checksum makes up for.
 */
static uint64_t l4_csum_replace(struct vm *vm, const uint64_t arg[5])
{
	const uint64_t allowed = BPF_F_MARK_MANGLED_0 | BPF_F_MARK_ENFORCE | BPF_F_PSEUDO_HDR |
				 BPF_F_HDR_FIELD_MASK | BPF_F_IPV6;
	struct packet *packet = vm->packet;
	uint64_t flags = arg[4], size = flags & BPF_F_HDR_FIELD_MASK;
	uint8_t *at;
	uint16_t sum;

	if (flags & ~allowed)
		return (uint64_t)-EINVAL;
	at = skb_sum_at(packet, (uint32_t)arg[1]);
	if (!at)
		return (uint64_t)-EFAULT;
	memcpy(&sum, at, 2);
	/* UDP: 0 says that there is no checksum. */
	if (flags & BPF_F_MARK_MANGLED_0 && !(flags & BPF_F_MARK_ENFORCE) && !sum)
		return 0;
	if ((size == 0 && arg[2]) || (size != 0 && size != 2 && size != 4))
		return (uint64_t)-EINVAL;
	if (size == 0) {
		sum = sum_replace_diff(sum, (uint32_t)arg[3]);
	} else {
		uint32_t mask = size == 2 ? 0xffff : 0xffffffff;

		sum = sum_replace4(sum, (uint32_t)arg[2] & mask, (uint32_t)arg[3] & mask);
	}
	if (packet->summed == SUMMED_COMPLETE && flags & BPF_F_PSEUDO_HDR)
		packet->csum = size ? ~sum_add(sum_sub(~packet->csum, (uint32_t)arg[2]),
					       (uint32_t)arg[3])
				    : ~sum_add((uint32_t)arg[3], ~packet->csum);
	if (flags & BPF_F_MARK_MANGLED_0 && !sum)
		sum = 0xffff;
	memcpy(at, &sum, 2);
	return 0;
}

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
	.call = l4_csum_replace,
};

/* All bytes of a packet are accessible here; Linux refuses more than there are. */
static uint64_t skb_pull_data(struct vm *vm, const uint64_t arg[5])
{
	return (uint32_t)arg[1] > vm->packet->len ? (uint64_t)-ENOMEM : 0;
}

const struct helper helper_skb_pull_data = {
	.id = 39,
	.name = "skb_pull_data",
	.prototype = "long bpf_skb_pull_data(struct sk_buff *skb, u32 len)",
	.doc = "Makes a number of the packet's first bytes directly accessible.",
	.types = TYPES_LWT | TYPES_TC | TYPE(SK_SKB),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
	.call = skb_pull_data,
};
