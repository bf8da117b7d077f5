/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tail_parser - a parser made of small programs that jump to each other.
 *
 * Each layer is a program of its own and leaves by a tail call to the next,
 * which it finds in a program array by protocol. A layer can be replaced while
 * packets flow, by writing one element of the array. What one layer must tell
 * the next is kept per CPU.
 *
 *   skep run -p ethernet examples/tail_parser.bpf.c -r examples/web.pcap
 */
#include "parse.h"

enum layer { IP4, IP6, TCP, UDP, LAYERS };
enum counter { FRAMES, IP4_PACKETS, IP6_PACKETS, TCP_SEGMENTS, UDP_DATAGRAMS, OTHER, BROKEN,
	       COUNTERS };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, enum counter);
	__type(value, __u64);
} counters SEC(".maps");

/* Where the next layer starts. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} offset SEC(".maps");

int ip4(struct xdp_md *xdp);
int ip6(struct xdp_md *xdp);
int tcp(struct xdp_md *xdp);
int udp(struct xdp_md *xdp);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, LAYERS);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct xdp_md *));
} layers SEC(".maps") = {
	.values = {
		[IP4] = (void *)&ip4,
		[IP6] = (void *)&ip6,
		[TCP] = (void *)&tcp,
		[UDP] = (void *)&udp,
	},
};

static __always_inline void add(enum counter counter)
{
	__u64 *count = bpf_map_lookup_elem(&counters, &counter);

	if (count)
		(*count)++;
}

static __always_inline struct cursor resume(struct xdp_md *xdp)
{
	struct cursor c = CURSOR(xdp);
	__u32 zero = 0, *off = bpf_map_lookup_elem(&offset, &zero);

	if (off)
		c.pos += *off & 0xff;
	return c;
}

/* Only returns if there is no program for that layer. */
static __always_inline int go(struct xdp_md *xdp, const struct cursor *c, enum layer layer)
{
	__u32 zero = 0, *off = bpf_map_lookup_elem(&offset, &zero);

	if (off)
		*off = (__u32)(c->pos - (void *)(long)xdp->data);
	bpf_tail_call(xdp, &layers, layer);
	return XDP_PASS;
}

static __always_inline int go_protocol(struct xdp_md *xdp, const struct cursor *c, int proto)
{
	if (proto == IPPROTO_TCP)
		return go(xdp, c, TCP);
	if (proto == IPPROTO_UDP)
		return go(xdp, c, UDP);
	add(proto < 0 ? BROKEN : OTHER);
	return XDP_PASS;
}

SEC("xdp")
int ethernet(struct xdp_md *xdp)
{
	struct cursor c = CURSOR(xdp);
	struct ethhdr *eth;
	int type = parse_ethernet(&c, &eth);

	add(FRAMES);
	if (type == ETH_P_IP)
		return go(xdp, &c, IP4);
	if (type == ETH_P_IPV6)
		return go(xdp, &c, IP6);
	add(type < 0 ? BROKEN : OTHER);
	return XDP_PASS;
}

SEC("xdp")
int ip4(struct xdp_md *xdp)
{
	struct cursor c = resume(xdp);
	struct iphdr *ip;
	int proto = parse_ip4(&c, &ip);

	add(IP4_PACKETS);
	return go_protocol(xdp, &c, proto);
}

SEC("xdp")
int ip6(struct xdp_md *xdp)
{
	struct cursor c = resume(xdp);
	struct ipv6hdr *ip;
	int proto = parse_ip6(&c, &ip);

	add(IP6_PACKETS);
	return go_protocol(xdp, &c, proto);
}

SEC("xdp")
int tcp(struct xdp_md *xdp)
{
	struct cursor c = resume(xdp);
	struct tcphdr *h;

	add(parse_tcp(&c, &h) < 0 ? BROKEN : TCP_SEGMENTS);
	return XDP_PASS;
}

SEC("xdp")
int udp(struct xdp_md *xdp)
{
	struct cursor c = resume(xdp);
	struct udphdr *h;

	add(parse_udp(&c, &h) < 0 ? BROKEN : UDP_DATAGRAMS);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
