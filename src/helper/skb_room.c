/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skb_room.c - changing the length of sk_buff packets. [runtime]
 */
#include "helper/list.h"

#include <errno.h>
#include <string.h>

#include "helper/packet.h"

enum { LINUX_ENOTSUPP = 524, IP4_HEADER = 20, IP6_HEADER = 40 };

/* The flow is another one now. */
static void skb_forget_hash(struct packet *packet)
{
	packet->hash = 0;
	packet->hash_known = false;
}

/* Nothing known good stays so. */
static void skb_reset_sum(struct packet *packet)
{
	if (packet->summed == SUMMED_UNNECESSARY) {
		packet->summed = SUMMED_NONE;
		packet->csum_level = 0;
	}
}

/* Room between the link header and what follows; headers move along. */
static int skb_room_insert(struct packet *packet, uint32_t off, uint32_t count)
{
	uint32_t mac_size = packet_mac_size(packet);
	int error = packet_insert(packet, off, count);

	if (error < 0)
		return error;
	packet->mac = packet->data;
	packet->network = packet->data + mac_size;
	return 0;
}

static int skb_room_remove(struct packet *packet, uint32_t off, uint32_t count)
{
	uint32_t mac_size = packet_mac_size(packet);
	int error;

	if (off <= packet->len && count <= packet->len - off)
		packet_sum_out(packet, off, count);
	error = packet_remove(packet, off, count);
	if (error < 0)
		return error;
	packet->mac = packet->data;
	packet->network = packet->data + mac_size;
	return 0;
}

/* The least a packet may shrink to: the headers that are known of. */
static uint32_t skb_len_min(const struct packet *packet)
{
	if (packet->transport)
		return (uint32_t)(packet->transport - packet->data);
	return packet->network > packet->data ? (uint32_t)(packet->network - packet->data) : 0;
}

static uint64_t skb_change_tail(struct vm *vm, const uint64_t arg[5])
{
	struct packet *packet = vm->packet;
	uint32_t len = (uint32_t)arg[1];
	int error;

	if (arg[2] || len > PACKET_SKB_MAX || len < skb_len_min(packet))
		return (uint64_t)-EINVAL;
	if (packet->encapsulated)
		return (uint64_t)-LINUX_ENOTSUPP;
	if (len < packet->len)
		packet_sum_out(packet, len, packet->len - len);
	error = packet_resize(packet, len);
	return (uint64_t)(int64_t)error;
}

const struct helper helper_skb_change_tail = {
	.id = 38,
	.name = "skb_change_tail",
	.prototype = "long bpf_skb_change_tail(struct sk_buff *skb, u32 len, u64 flags)",
	.doc = "Cuts the packet off at a length, or extends it with zeros.",
	.types = TYPES_TC | TYPE(LWT_XMIT) | TYPE(SK_SKB),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING } },
	.call = skb_change_tail,
};

static uint64_t skb_change_head(struct vm *vm, const uint64_t arg[5])
{
	struct packet *packet = vm->packet;
	uint32_t room = (uint32_t)arg[1], len = packet->len + room;
	int error;

	if (arg[2] || len > PACKET_SKB_MAX || len < packet->len)
		return (uint64_t)-EINVAL;
	error = packet_insert(packet, 0, room);
	if (error < 0)
		return (uint64_t)(int64_t)error;
	packet->mac = packet->data;
	packet->mac_len = packet->network ? packet_mac_size(packet) : 0;
	return 0;
}

const struct helper helper_skb_change_head = {
	.id = 43,
	.name = "skb_change_head",
	.prototype = "long bpf_skb_change_head(struct sk_buff *skb, u32 len, u64 flags)",
	.doc = "Makes room for a header before the packet's first byte.",
	.types = TYPES_TC | TYPE(LWT_XMIT) | TYPE(SK_SKB),
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING } },
	.call = skb_change_head,
};

static const uint64_t room_l3 = BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
static const uint64_t room_l4 = BPF_F_ADJ_ROOM_ENCAP_L4_GRE | BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
static const uint64_t room_decap = BPF_F_ADJ_ROOM_DECAP_L3_IPV4 | BPF_F_ADJ_ROOM_DECAP_L3_IPV6;
enum { ROOM_INNER_MAC_SHIFT = 56 };

/*
 * Do the flags for encapsulation make sense, and is the room enough for what they
 * say? Without a network header there is none, whatever else they say.
 */
static int room_check_encap(const struct packet *packet, uint32_t count, uint64_t flags)
{
	uint32_t inner_mac = (uint32_t)(flags >> ROOM_INNER_MAC_SHIFT);

	if (!(flags & room_l3))
		return 0;
	if (packet->protocol != ETHER_IP && packet->protocol != ETHER_IPV6)
		return -LINUX_ENOTSUPP;
	if ((flags & room_l3) == room_l3 || (flags & room_l4) == room_l4)
		return -EINVAL;
	if (flags & BPF_F_ADJ_ROOM_ENCAP_L2_ETH && inner_mac < PACKET_ETH_LEN)
		return -EINVAL;
	if (packet->encapsulated)
		return -EALREADY;
	return inner_mac > count ? -EINVAL : 0;
}

static int room_grow(struct packet *packet, uint32_t off, uint32_t count, uint64_t flags)
{
	int error = room_check_encap(packet, count, flags);

	if (error < 0)
		return error;
	error = skb_room_insert(packet, off, count);
	if (error < 0)
		return error;
	if (flags & room_l3) {
		bool is4 = flags & BPF_F_ADJ_ROOM_ENCAP_L3_IPV4;

		packet->encapsulated = true;
		packet->protocol = is4 ? ETHER_IP : ETHER_IPV6;
		if (flags & room_l4)
			packet->transport = packet->network + (is4 ? IP4_HEADER : IP6_HEADER);
	}
	return 0;
}

static int room_shrink(struct packet *packet, uint32_t off, uint32_t count, uint64_t flags)
{
	int error;

	if (flags & (room_l3 | room_l4 | BPF_F_ADJ_ROOM_ENCAP_L2_ETH |
		     0xffull << ROOM_INNER_MAC_SHIFT))
		return -EINVAL;
	error = skb_room_remove(packet, off, count);
	if (error < 0)
		return error;
	if (flags & BPF_F_ADJ_ROOM_DECAP_L3_IPV4)
		packet->protocol = ETHER_IP;
	else if (flags & BPF_F_ADJ_ROOM_DECAP_L3_IPV6)
		packet->protocol = ETHER_IPV6;
	return 0;
}

static uint64_t skb_adjust_room(struct vm *vm, const uint64_t arg[5])
{
	struct packet *packet = vm->packet;
	int32_t diff = (int32_t)arg[1];
	uint32_t count = (uint32_t)(diff < 0 ? -(int64_t)diff : diff), mode = (uint32_t)arg[2];
	uint64_t flags = arg[3];
	uint64_t allowed = BPF_F_ADJ_ROOM_FIXED_GSO | room_l3 | room_l4 | room_decap |
			   BPF_F_ADJ_ROOM_NO_CSUM_RESET | BPF_F_ADJ_ROOM_ENCAP_L2_ETH |
			   0xffull << ROOM_INNER_MAC_SHIFT;
	uint32_t least, have, off = packet_mac_size(packet);
	int error;

	if (flags & ~allowed)
		return (uint64_t)-EINVAL;
	if (count > 0xfff)
		return (uint64_t)-EFAULT;
	if (packet->protocol != ETHER_IP && packet->protocol != ETHER_IPV6)
		return (uint64_t)-LINUX_ENOTSUPP;
	least = packet->protocol == ETHER_IP ? IP4_HEADER : IP6_HEADER;
	if (mode == BPF_ADJ_ROOM_NET)
		off += least;
	else if (mode != BPF_ADJ_ROOM_MAC)
		return (uint64_t)-LINUX_ENOTSUPP;
	if (flags & room_decap) {
		if (diff >= 0 || (flags & room_decap) == room_decap)
			return (uint64_t)-EINVAL;
		least = flags & BPF_F_ADJ_ROOM_DECAP_L3_IPV4 ? IP4_HEADER : IP6_HEADER;
	}
	have = packet->len - (uint32_t)(packet->network - packet->data);
	if (diff < 0 ? count >= have || have - count < least : packet->len + count > PACKET_SKB_MAX)
		return (uint64_t)-LINUX_ENOTSUPP;
	error = diff < 0 ? room_shrink(packet, off, count, flags)
			 : room_grow(packet, off, count, flags);
	if (error == 0 && !(flags & BPF_F_ADJ_ROOM_NO_CSUM_RESET))
		skb_reset_sum(packet);
	return (uint64_t)(int64_t)error;
}

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
	.call = skb_adjust_room,
};

/* Only the room changes: the program writes the new header. */
static uint64_t skb_change_proto(struct vm *vm, const uint64_t arg[5])
{
	struct packet *packet = vm->packet;
	uint32_t to = (uint16_t)arg[1], from = packet->protocol;
	int error;

	if (arg[2])
		return (uint64_t)-EINVAL;
	if (from == ETHER_IP && to == ETHER_IPV6)
		error = skb_room_insert(packet, packet_mac_size(packet), IP6_HEADER - IP4_HEADER);
	else if (from == ETHER_IPV6 && to == ETHER_IP)
		error = skb_room_remove(packet, packet_mac_size(packet), IP6_HEADER - IP4_HEADER);
	else
		return (uint64_t)-LINUX_ENOTSUPP;
	if (error < 0)
		return (uint64_t)(int64_t)error;
	packet->protocol = to;
	skb_forget_hash(packet);
	return 0;
}

const struct helper helper_skb_change_proto = {
	.id = 31,
	.name = "skb_change_proto",
	.prototype = "long bpf_skb_change_proto(struct sk_buff *skb, __be16 proto, u64 flags)",
	.doc = "Turns an IPv4 packet's header room into IPv6's, or back.",
	.types = TYPES_TC,
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING } },
	.call = skb_change_proto,
};
