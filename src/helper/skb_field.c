/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * skb_field.c - what is kept beside an sk_buff packet. [runtime]
 */
#include "helper/list.h"

#include <errno.h>
#include <string.h>

#include "helper/checksum.h"
#include "helper/packet.h"

static uint64_t skb_change_type(struct vm *vm, const uint64_t arg[5])
{
	struct packet *packet = vm->packet;

	if (packet->pkt_type > FOR_OTHERHOST || (uint32_t)arg[1] > FOR_OTHERHOST)
		return (uint64_t)-EINVAL;
	packet->pkt_type = (uint32_t)arg[1];
	return 0;
}

const struct helper helper_skb_change_type = {
	.id = 32,
	.name = "skb_change_type",
	.prototype = "long bpf_skb_change_type(struct sk_buff *skb, u32 type)",
	.doc = "Changes whom the packet is for: this host, others, broadcast or multicast.",
	.types = TYPES_TC,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
	.call = skb_change_type,
};

static uint64_t get_hash_recalc(struct vm *vm, const uint64_t arg[5])
{
	struct packet *packet = vm->packet;

	(void)arg;
	if (!packet->hash_known) {
		packet->hash = packet_flow_hash(packet);
		packet->hash_known = true;
	}
	return packet->hash;
}

const struct helper helper_get_hash_recalc = {
	.id = 34,
	.name = "get_hash_recalc",
	.prototype = "u32 bpf_get_hash_recalc(struct sk_buff *skb)",
	.doc = "Returns the packet's flow hash and computes it where it is not known.",
	.types = TYPES_TC | TYPES_LWT,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
	.call = get_hash_recalc,
};

static uint64_t set_hash_invalid(struct vm *vm, const uint64_t arg[5])
{
	(void)arg;
	vm->packet->hash = 0;
	vm->packet->hash_known = false;
	return 0;
}

const struct helper helper_set_hash_invalid = {
	.id = 41,
	.name = "set_hash_invalid",
	.prototype = "void bpf_set_hash_invalid(struct sk_buff *skb)",
	.doc = "Marks the packet's flow hash as unknown, so that it is computed anew.",
	.types = TYPES_TC | TYPE(LWT_XMIT),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
	.call = set_hash_invalid,
};

static uint64_t set_hash(struct vm *vm, const uint64_t arg[5])
{
	vm->packet->hash = (uint32_t)arg[1];
	vm->packet->hash_known = true;
	return 0;
}

const struct helper helper_set_hash = {
	.id = 48,
	.name = "set_hash",
	.prototype = "long bpf_set_hash(struct sk_buff *skb, u32 hash)",
	.doc = "Sets the packet's flow hash.",
	.types = TYPES_TC,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING } },
	.call = set_hash,
};

enum { TSTAMP_REALTIME, TSTAMP_MONOTONIC, TSTAMP_TAI };

static uint64_t skb_set_tstamp(struct vm *vm, const uint64_t arg[5])
{
	struct packet *packet = vm->packet;
	uint32_t type = (uint32_t)arg[2];

	if (packet->protocol != ETHER_IP && packet->protocol != ETHER_IPV6)
		return (uint64_t)-EOPNOTSUPP;
	if (type > TSTAMP_TAI || (type != TSTAMP_REALTIME && !arg[1]) ||
	    (type == TSTAMP_REALTIME && arg[1]))
		return (uint64_t)-EINVAL;
	packet->tstamp = arg[1];
	packet->tstamp_type = type;
	return 0;
}

const struct helper helper_skb_set_tstamp = {
	.id = 192,
	.name = "skb_set_tstamp",
	.prototype = "long bpf_skb_set_tstamp(struct sk_buff *skb, u64 tstamp, u32 "
	             "tstamp_type)",
	.doc = "Sets the packet's time stamp and which clock it is of.",
	.types = TYPES_TC,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX }, { ARG_ANYTHING }, { ARG_ANYTHING } },
	.call = skb_set_tstamp,
};

/* What is behind the tags that are still among the packet's bytes. */
static uint32_t skb_inner_protocol(const struct packet *packet)
{
	uint32_t type = packet->protocol;
	const uint8_t *tag = packet->mac + (packet->mac_len ? packet->mac_len - 4 : PACKET_ETH_LEN);

	for (int depth = 0; ether_is_vlan(type) && depth < 8; depth++, tag += 4) {
		uint16_t next;

		if (packet->end - tag < 4)
			return 0;
		memcpy(&next, tag + 2, 2);
		type = next;
	}
	return type;
}

/*
 * The two low bits of the traffic class: 0 says that the flow does not take
 * part, 3 that congestion was met. 1 where the packet says so afterwards. As
 * on Linux, the header is where the packet's network header is, also behind a
 * tag that is not taken off.
 */
static uint64_t skb_ecn_set_ce(struct vm *vm, const uint64_t arg[5])
{
	struct packet *packet = vm->packet;
	uint32_t protocol = skb_inner_protocol(packet);
	bool is4 = protocol == ETHER_IP;
	unsigned shift = is4 ? 0 : 4;
	uint8_t *ip = packet->network;
	uint16_t old, new, sum;

	(void)arg;
	if (!ip || (!is4 && protocol != ETHER_IPV6) || packet->end - ip < (is4 ? 20 : 40) ||
	    !(ip[1] >> shift & 3))
		return 0;
	memcpy(&old, ip, 2);
	ip[1] |= (uint8_t)(3u << shift);
	memcpy(&new, ip, 2);
	if (is4) {
		memcpy(&sum, ip + 10, 2);
		sum = sum_replace2(sum, old, new);
		memcpy(ip + 10, &sum, 2);
	}
	return 1;
}

const struct helper helper_skb_ecn_set_ce = {
	.id = 97,
	.name = "skb_ecn_set_ce",
	.prototype = "long bpf_skb_ecn_set_ce(struct sk_buff *skb)",
	.doc = "Marks the packet as having met congestion, if its flow supports ECN.",
	.types = TYPES_TC | TYPE(CGROUP_SKB),
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
	.call = skb_ecn_set_ce,
};

/* Packets here have no route yet, and so no realm. */
static uint64_t get_route_realm(struct vm *vm, const uint64_t arg[5])
{
	(void)vm, (void)arg;
	return 0;
}

const struct helper helper_get_route_realm = {
	.id = 24,
	.name = "get_route_realm",
	.prototype = "u32 bpf_get_route_realm(struct sk_buff *skb)",
	.doc = "Returns the realm of the packet's route.",
	.types = TYPES_TC | TYPES_LWT,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
	.call = get_route_realm,
};

/* No task here is in a net_cls cgroup: class 0, as on a host without them. */
static uint64_t get_cgroup_classid(struct vm *vm, const uint64_t arg[5])
{
	(void)vm, (void)arg;
	return 0;
}

const struct helper helper_get_cgroup_classid = {
	.id = 17,
	.name = "get_cgroup_classid",
	.needs = NEEDS_BPF,
	.prototype = "u32 bpf_get_cgroup_classid(struct sk_buff *skb)",
	.doc = "Returns the net_cls class of the cgroup the current task is in.",
	.types = TYPES_TC | TYPES_LWT,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
	.call = get_cgroup_classid,
};

/* Where there is no packet it takes no argument. */
const struct helper helper_get_cgroup_classid_current = {
	.id = 17,
	.name = "get_cgroup_classid",
	.needs = NEEDS_BPF,
	.prototype = "u32 bpf_get_cgroup_classid(struct sk_buff *skb)",
	.doc = "Returns the net_cls class of the cgroup the current task is in.",
	.types = TYPES_BASE & ~(TYPES_TC | TYPES_LWT),
	.ret = { RET_INTEGER },
	.call = get_cgroup_classid,
};

const struct helper helper_skb_cgroup_classid = {
	.id = 151,
	.name = "skb_cgroup_classid",
	.prototype = "u64 bpf_skb_cgroup_classid(struct sk_buff *skb)",
	.doc = "Returns the net_cls class of the packet's socket.",
	.types = TYPES_TC,
	.ret = { RET_INTEGER },
	.arg = { { ARG_PTR_TO_CTX } },
	.call = get_cgroup_classid,
};

/* Packets here came through no IPsec transformation. */
static uint64_t skb_get_xfrm_state(struct vm *vm, const uint64_t arg[5])
{
	(void)vm;
	memset((void *)(uintptr_t)arg[2], 0, (uint32_t)arg[3]);
	return (uint64_t)-EINVAL;
}

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
	.call = skb_get_xfrm_state,
};
