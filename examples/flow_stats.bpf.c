/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_stats - who talks to whom, and in packets of what size?
 *
 * Packets and bytes per flow (IPv4 and IPv6) in a per-CPU hash, so that CPUs
 * never wait for each other, and a histogram of packet sizes by powers of two.
 *
 *   skep run examples/flow_stats.bpf.c -r examples/web.pcap
 */
#include "parse.h"

struct flow {
	__u8 source[16], target[16]; /* IPv4 addresses in the first four bytes */
	__u16 sport, dport;          /* 0 for protocols without ports */
	__u8 proto;
	__u8 family;                 /* 4 or 6 */
	__u16 zero;
};

struct flow_count {
	__u64 packets, bytes;
	__u8 tcp_flags;          /* all that were seen */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct flow);
	__type(value, struct flow_count);
} flows SEC(".maps");

/* Slot n: packets of 2^n to 2^(n+1) - 1 bytes. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 17);
	__type(key, __u32);
	__type(value, __u64);
} sizes SEC(".maps");

static __always_inline __u32 log2_of(__u32 v)
{
	__u32 r = 0;

	for (int shift = 16; shift; shift >>= 1) {
		if (v >> shift) {
			v >>= shift;
			r += shift;
		}
	}
	return r;
}

static __always_inline void count_size(__u32 size)
{
	__u32 slot = log2_of(size);
	__u64 *count = bpf_map_lookup_elem(&sizes, &slot);

	if (count)
		(*count)++;
}

static __always_inline void count_flow(const struct flow *flow, __u32 bytes, __u8 tcp_flags)
{
	struct flow_count *count = bpf_map_lookup_elem(&flows, flow);
	struct flow_count first = { 1, bytes, tcp_flags };

	if (!count) {
		bpf_map_update_elem(&flows, flow, &first, BPF_ANY);
		return;
	}
	count->packets++;
	count->bytes += bytes;
	count->tcp_flags |= tcp_flags;
}

SEC("xdp")
int flow_stats(struct xdp_md *xdp)
{
	struct cursor c = CURSOR(xdp);
	__u32 bytes = c.end - c.pos;
	struct flow flow = {};
	struct ethhdr *eth;
	struct iphdr *ip4;
	struct ipv6hdr *ip6;
	struct tcphdr *tcp;
	struct udphdr *udp;
	__u8 tcp_flags = 0;
	int type, proto;

	count_size(bytes);
	type = parse_ethernet(&c, &eth);
	if (type == ETH_P_IP) {
		proto = parse_ip4(&c, &ip4);
		if (proto < 0)
			return XDP_PASS;
		flow.family = 4;
		__builtin_memcpy(flow.source, &ip4->saddr, 4);
		__builtin_memcpy(flow.target, &ip4->daddr, 4);
	} else if (type == ETH_P_IPV6) {
		proto = parse_ip6(&c, &ip6);
		if (proto < 0)
			return XDP_PASS;
		flow.family = 6;
		__builtin_memcpy(flow.source, &ip6->saddr, 16);
		__builtin_memcpy(flow.target, &ip6->daddr, 16);
	} else {
		return XDP_PASS;
	}
	flow.proto = proto;
	if (proto == IPPROTO_TCP && parse_tcp(&c, &tcp) == 0) {
		flow.sport = bpf_ntohs(tcp->source);
		flow.dport = bpf_ntohs(tcp->dest);
		tcp_flags = ((__u8 *)tcp)[13];
	} else if (proto == IPPROTO_UDP && parse_udp(&c, &udp) == 0) {
		flow.sport = bpf_ntohs(udp->source);
		flow.dport = bpf_ntohs(udp->dest);
	}
	count_flow(&flow, bytes, tcp_flags);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
