/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vlan.c - VLAN tags. [runtime]
 */
#include "helper/list.h"

#include <errno.h>

#include "helper/packet.h"

/* The tag is kept beside the packet; one already there goes into the bytes. */
static uint64_t skb_vlan_push(struct vm *vm, const uint64_t arg[5])
{
	struct packet *packet = vm->packet;
	uint32_t proto = (uint16_t)arg[1];
	int error = packet_vlan_unaccelerate(packet);

	if (error < 0)
		return (uint64_t)(int64_t)error;
	packet->vlan_proto = ether_is_vlan(proto) ? proto : ETHER_8021Q;
	packet->vlan_tci = (uint16_t)arg[2];
	packet->vlan_present = 1;
	return 0;
}

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
	.call = skb_vlan_push,
};

/* What stands beneath comes beside the packet where it is a tag too. */
static uint64_t skb_vlan_pop(struct vm *vm, const uint64_t arg[5])
{
	struct packet *packet = vm->packet;
	int error = 0;

	(void)arg;
	if (packet->vlan_present) {
		packet->vlan_present = packet->vlan_tci = packet->vlan_proto = 0;
	} else {
		if (!ether_is_vlan(packet->protocol))
			return 0;
		error = packet_vlan_accelerate(packet);
		if (error < 0)
			return (uint64_t)(int64_t)error;
		packet->vlan_present = packet->vlan_tci = packet->vlan_proto = 0;
	}
	if (ether_is_vlan(packet->protocol))
		error = packet_vlan_accelerate(packet);
	return (uint64_t)(int64_t)error;
}

const struct helper helper_skb_vlan_pop = {
	.id = 19,
	.name = "skb_vlan_pop",
	.prototype = "long bpf_skb_vlan_pop(struct sk_buff *skb)",
	.doc = "Takes the outermost VLAN tag off the packet.",
	.types = TYPES_TC,
	.changes_packet = true,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
	.call = skb_vlan_pop,
};
