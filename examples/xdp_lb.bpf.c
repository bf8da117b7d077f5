/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp_lb - a load balancer in the network card's driver.
 *
 * TCP to the service address goes to one of four back ends, chosen by a hash
 * of the client's address and port, so that a connection stays where it is.
 * The destination is rewritten (address and MAC), both checksums are corrected
 * by the difference, and the packet leaves by the interface it came from.
 * Everything else passes.
 *
 *   skep run examples/xdp_lb.bpf.c -r examples/web.pcap -w balanced.pcap
 */
#include "parse.h"

enum { BACKENDS = 4 };

struct backend {
	__u8 mac[6];
	__u8 addr[4];
};

/* 192.0.2.10:80 */
const volatile __u32 service = 0xc000020a;
const volatile __u16 service_port = 80;

const volatile struct backend backends[BACKENDS] = {
	{ { 2, 0, 0, 0, 1, 1 }, { 10, 1, 0, 1 } },
	{ { 2, 0, 0, 0, 1, 2 }, { 10, 1, 0, 2 } },
	{ { 2, 0, 0, 0, 1, 3 }, { 10, 1, 0, 3 } },
	{ { 2, 0, 0, 0, 1, 4 }, { 10, 1, 0, 4 } },
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BACKENDS);
	__type(key, __u32);
	__type(value, struct count);
} sent SEC(".maps");

/* RFC 1624: the sum of a field that changed from old to new. */
static __always_inline __sum16 fix_sum(__sum16 sum, __be32 old, __be32 new)
{
	__u32 s = (__u16)~sum;

	s += (__u16)~(old & 0xffff);
	s += (__u16)~(old >> 16);
	s += (__u16)new;
	s += new >> 16;
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (__sum16)~s;
}

static __always_inline __u32 choose(__be32 addr, __be16 port)
{
	__u32 h = bpf_ntohl(addr) ^ (__u32)bpf_ntohs(port) << 16;

	h *= 0x9e3779b1;
	return h >> 16 & (BACKENDS - 1);
}

SEC("xdp")
int xdp_lb(struct xdp_md *xdp)
{
	struct cursor c = CURSOR(xdp);
	const volatile struct backend *backend;
	struct ethhdr *eth;
	struct iphdr *ip;
	struct tcphdr *tcp;
	struct count *count;
	__be32 old, new;
	__u32 index;

	if (parse_ethernet(&c, &eth) != ETH_P_IP || parse_ip4(&c, &ip) != IPPROTO_TCP ||
	    parse_tcp(&c, &tcp) < 0)
		return XDP_PASS;
	if (bpf_ntohl(ip->daddr) != service || bpf_ntohs(tcp->dest) != service_port)
		return XDP_PASS;

	index = choose(ip->saddr, tcp->source);
	backend = &backends[index];
	new = bpf_htonl((__u32)backend->addr[0] << 24 | backend->addr[1] << 16 |
			backend->addr[2] << 8 | backend->addr[3]);
	old = ip->daddr;
	ip->daddr = new;
	ip->check = fix_sum(ip->check, old, new);
	tcp->check = fix_sum(tcp->check, old, new);

	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	for (int i = 0; i < ETH_ALEN; i++)
		eth->h_dest[i] = backend->mac[i];

	count = bpf_map_lookup_elem(&sent, &index);
	if (count) {
		count->packets++;
		count->bytes += xdp->data_end - xdp->data;
	}
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
