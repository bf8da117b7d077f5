/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tc_vlan - give each customer a VLAN.
 *
 * Untagged IPv4 from 10.0.0.0/24 is tagged with the VLAN that members holds
 * for its source, or with the default one; frames of the transit VLAN lose
 * their tag; frames of VLANs that nobody knows are dropped.
 *
 *   skep run examples/tc_vlan.bpf.c -r examples/web.pcap -w tagged.pcap
 */
#include <linux/pkt_cls.h>
#include "parse.h"

enum { VID = 0x0fff };
enum what { UNTOUCHED, PUSHED, POPPED, REFUSED, WHATS };

/* 10.0.0.0/24 */
const volatile __u32 customers = 0x0a000000;
const volatile __u16 default_vlan = 10;
const volatile __u16 transit_vlan = 100;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __be32);
	__type(value, __u16);
} members SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WHATS);
	__type(key, enum what);
	__type(value, __u64);
} done SEC(".maps");

static __always_inline int finish(enum what what)
{
	__u64 *count = bpf_map_lookup_elem(&done, &what);

	if (count)
		(*count)++;
	return what == REFUSED ? TC_ACT_SHOT : TC_ACT_OK;
}

/* The tag may be in the packet, or taken out and kept beside it. -1: untagged. */
static __always_inline int current_vlan(struct __sk_buff *skb)
{
	struct cursor c = CURSOR(skb);
	struct ethhdr *eth = c.pos;
	struct vlan_tag *tag = (void *)(eth + 1);

	if (skb->vlan_present)
		return skb->vlan_tci & VID;
	if ((void *)(tag + 1) > c.end || eth->h_proto != bpf_htons(ETH_P_8021Q))
		return -1;
	return bpf_ntohs(tag->tci) & VID;
}

SEC("tc")
int tc_vlan(struct __sk_buff *skb)
{
	struct cursor c = CURSOR(skb);
	int vlan = current_vlan(skb);
	struct ethhdr *eth;
	struct iphdr *ip;
	__u16 *member;
	__be32 source;

	if (vlan >= 0) {
		if (vlan != transit_vlan)
			return finish(REFUSED);
		return finish(bpf_skb_vlan_pop(skb) < 0 ? REFUSED : POPPED);
	}
	if (parse_ethernet(&c, &eth) != ETH_P_IP)
		return finish(UNTOUCHED);
	ip = c.pos;
	if ((void *)(ip + 1) > c.end || (bpf_ntohl(ip->saddr) & 0xffffff00) != customers)
		return finish(UNTOUCHED);
	source = ip->saddr;
	member = bpf_map_lookup_elem(&members, &source);
	if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), member ? *member : default_vlan) < 0)
		return finish(REFUSED);
	return finish(PUSHED);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
