/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp_firewall - drop packets before the network stack sees them.
 *
 * Three sets of rules, each a map or table to change while it runs:
 *   blocked_net   sources, as prefixes (longest match wins; action 0 lets pass)
 *   rules         exact flows, or flows with parts left zero (any)
 *   closed_ports  TCP ports nobody may connect to, set before loading
 * and one prefix, attacker/attacker_bits, that needs no map. What is dropped is
 * counted by reason in drops, what passes too.
 *
 *   skep run examples/xdp_firewall.bpf.o -r examples/web.pcap -w passed.pcap
 */
#include "parse.h"

enum action { ACTION_PASS, ACTION_DROP };
enum reason { PASSED, BAD_HEADER, BAD_SOURCE, BAD_FLOW, CLOSED_PORT, REASONS };

struct prefix {
	__u32 bits;
	__u8 addr[4];
};

struct flow {
	__be32 saddr, daddr;
	__be16 sport, dport;
	__u32 proto;
};

/* 203.0.113.0/24 */
const volatile __u32 attacker = 0xcb007100;
const volatile __u32 attacker_bits = 24;
const volatile __u16 closed_ports[4] = { 23, 445, 3389, 0 };

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct prefix);
	__type(value, __u32);
} blocked_net SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct flow);
	__type(value, __u32);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REASONS);
	__type(key, enum reason);
	__type(value, struct count);
} drops SEC(".maps");

static __always_inline int decide(struct xdp_md *xdp, enum reason reason)
{
	struct count *count = bpf_map_lookup_elem(&drops, &reason);

	if (count) {
		count->packets++;
		count->bytes += xdp->data_end - xdp->data;
	}
	return reason == PASSED ? XDP_PASS : XDP_DROP;
}

static __always_inline int bad_source(__be32 addr)
{
	struct prefix key = { .bits = 32 };
	__u32 host = bpf_ntohl(addr), *action;

	if (attacker_bits && (host ^ attacker) >> ((32 - attacker_bits) & 31) == 0)
		return 1;
	__builtin_memcpy(key.addr, &addr, sizeof(addr));
	action = bpf_map_lookup_elem(&blocked_net, &key);
	return action && *action == ACTION_DROP;
}

/* From the most to the least exact; the first rule found decides. */
static __always_inline int bad_flow(struct flow *flow)
{
	__u32 *action = bpf_map_lookup_elem(&rules, flow);

	if (!action) {
		flow->saddr = 0;
		flow->sport = 0;
		action = bpf_map_lookup_elem(&rules, flow); /* anyone to this service */
	}
	if (!action) {
		flow->daddr = 0;
		action = bpf_map_lookup_elem(&rules, flow); /* this service anywhere */
	}
	return action && *action == ACTION_DROP;
}

static __always_inline int closed_port(__be16 port)
{
	for (int i = 0; i < 4; i++)
		if (closed_ports[i] && closed_ports[i] == bpf_ntohs(port))
			return 1;
	return 0;
}

SEC("xdp")
int xdp_firewall(struct xdp_md *xdp)
{
	struct cursor c = CURSOR(xdp);
	struct flow flow = {};
	struct ethhdr *eth;
	struct iphdr *ip;
	struct tcphdr *tcp = NULL;
	struct udphdr *udp;
	int proto;

	if (parse_ethernet(&c, &eth) != ETH_P_IP)
		return decide(xdp, PASSED);
	ip = c.pos;
	if ((void *)(ip + 1) > c.end)
		return decide(xdp, BAD_HEADER);
	if (bad_source(ip->saddr))
		return decide(xdp, BAD_SOURCE);
	flow.saddr = ip->saddr;
	flow.daddr = ip->daddr;
	proto = parse_ip4(&c, &ip);
	if (proto == IPPROTO_TCP) {
		if (parse_tcp(&c, &tcp) < 0)
			return decide(xdp, BAD_HEADER);
		flow.sport = tcp->source;
		flow.dport = tcp->dest;
	} else if (proto == IPPROTO_UDP) {
		if (parse_udp(&c, &udp) < 0)
			return decide(xdp, BAD_HEADER);
		flow.sport = udp->source;
		flow.dport = udp->dest;
	} else {
		return decide(xdp, PASSED);
	}
	flow.proto = proto;
	if (tcp && tcp->syn && !tcp->ack && closed_port(tcp->dest))
		return decide(xdp, CLOSED_PORT);
	return decide(xdp, bad_flow(&flow) ? BAD_FLOW : PASSED);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
