/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parse.h - stepping through packet headers, as every example needs it.
 *
 * A cursor holds where parsing has come to and where the packet ends. Each
 * parse_ function checks that its header is there, hands it out, moves past it
 * and returns what comes next, or -1 if the packet is too short or the header
 * makes no sense. Later IP fragments have no ports, so they count as that.
 */
#ifndef EXAMPLES_PARSE_H
#define EXAMPLES_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct cursor {
	void *pos, *end;
};

#define CURSOR(ctx) { (void *)(long)(ctx)->data, (void *)(long)(ctx)->data_end }

struct vlan_tag {
	__be16 tci, next;
};

/* Returns the EtherType behind up to two VLAN tags. */
static __always_inline int parse_ethernet(struct cursor *c, struct ethhdr **eth)
{
	struct ethhdr *h = c->pos;
	__be16 type;

	if ((void *)(h + 1) > c->end)
		return -1;
	*eth = h;
	c->pos = h + 1;
	type = h->h_proto;
#pragma unroll
	for (int i = 0; i < 2; i++) {
		struct vlan_tag *tag = c->pos;

		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > c->end)
			return -1;
		type = tag->next;
		c->pos = tag + 1;
	}
	return bpf_ntohs(type);
}

/* Returns the protocol of what is inside. */
static __always_inline int parse_ip4(struct cursor *c, struct iphdr **ip)
{
	struct iphdr *h = c->pos;
	__u32 size;

	if ((void *)(h + 1) > c->end)
		return -1;
	size = h->ihl * 4;
	if (h->version != 4 || size < sizeof(*h) || c->pos + size > c->end)
		return -1;
	*ip = h;
	c->pos += size;
	return h->frag_off & bpf_htons(0x1fff) ? -1 : h->protocol;
}

/* Returns the next header. Packets with extension headers are left alone. */
static __always_inline int parse_ip6(struct cursor *c, struct ipv6hdr **ip)
{
	struct ipv6hdr *h = c->pos;

	if ((void *)(h + 1) > c->end || h->version != 6)
		return -1;
	*ip = h;
	c->pos = h + 1;
	return h->nexthdr;
}

static __always_inline int parse_tcp(struct cursor *c, struct tcphdr **tcp)
{
	struct tcphdr *h = c->pos;
	__u32 size;

	if ((void *)(h + 1) > c->end)
		return -1;
	size = h->doff * 4;
	if (size < sizeof(*h) || c->pos + size > c->end)
		return -1;
	*tcp = h;
	c->pos += size;
	return 0;
}

static __always_inline int parse_udp(struct cursor *c, struct udphdr **udp)
{
	struct udphdr *h = c->pos;

	if ((void *)(h + 1) > c->end)
		return -1;
	*udp = h;
	c->pos = h + 1;
	return 0;
}

/* Packets and bytes, as most maps here count them. */
struct count {
	__u64 packets, bytes;
};

#endif
