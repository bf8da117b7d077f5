/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cgroup_account - what does a container send and receive?
 *
 * Two programs on a cgroup, one per direction, count packets and bytes by
 * protocol; egress may also be limited to a budget of bytes, after which the
 * container is cut off. Packets start at the IP header here.
 *
 *   skep run -p count_ingress examples/cgroup_account.bpf.c -r examples/web.pcap
 */
#include "parse.h"

enum direction { INGRESS, EGRESS };

/* Bytes the cgroup may send; 0: as many as it likes. */
const volatile __u64 budget = 0;

__u64 spent; /* survives in .bss */

struct key {
	enum direction direction;
	__u32 proto;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512);
	__type(key, struct key);
	__type(value, struct count);
} traffic SEC(".maps");

/* The protocol of an IPv4 or IPv6 packet; 0 where it is neither. */
static __always_inline __u32 protocol(struct __sk_buff *skb)
{
	__u8 proto = 0;
	__u32 off;

	if (skb->protocol == bpf_htons(ETH_P_IP))
		off = 9;
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		off = 6;
	else
		return 0;
	if (bpf_skb_load_bytes_relative(skb, off, &proto, 1, BPF_HDR_START_NET) < 0)
		return 0;
	return proto;
}

static __always_inline void account(struct __sk_buff *skb, enum direction direction)
{
	struct key key = { direction, protocol(skb) };
	struct count *count = bpf_map_lookup_elem(&traffic, &key);
	struct count first = { 1, skb->len };

	if (!count) {
		bpf_map_update_elem(&traffic, &key, &first, BPF_NOEXIST);
		return;
	}
	__sync_fetch_and_add(&count->packets, 1);
	__sync_fetch_and_add(&count->bytes, skb->len);
}

SEC("cgroup_skb/ingress")
int count_ingress(struct __sk_buff *skb)
{
	account(skb, INGRESS);
	return 1;
}

SEC("cgroup_skb/egress")
int count_egress(struct __sk_buff *skb)
{
	__u64 before = __sync_fetch_and_add(&spent, skb->len);

	if (budget && before + skb->len > budget)
		return 0;
	account(skb, EGRESS);
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
