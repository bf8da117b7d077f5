/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * payload.c - what filters load besides the packet's bytes: its metadata, netlink
 * attributes in it, and where its payload begins.
 *
 * The payload's place is found as Linux's flow dissector finds it for filters: header by
 * header from the network header on, as far as it knows them.
 */
#include "cbpf/cbpf.h"

#include "base/base.h"

/* --- netlink attributes: { u16 length, type; payload }, aligned to 4, host byte order --- */

enum { NLA_HEADER = 4, NLA_TYPE = 0x3fff };

struct attribute { uint16_t length, type; };

static struct attribute attribute_at(const struct skep_cbpf_packet *packet, uint32_t off)
{
	struct attribute attribute;

	memcpy(&attribute, (const uint8_t *)packet->data + off, sizeof(attribute));
	return attribute;
}

/* The first of this type in size bytes at off; 0: none. */
static uint32_t attribute_find(const struct skep_cbpf_packet *packet, uint32_t off, int64_t size,
			       uint32_t type)
{
	while (size >= NLA_HEADER && off + (uint64_t)NLA_HEADER <= packet->size) {
		struct attribute attribute = attribute_at(packet, off);
		uint32_t whole = (attribute.length + 3u) & ~3u;

		if (attribute.length < NLA_HEADER || attribute.length > size)
			break;
		if ((attribute.type & NLA_TYPE) == type)
			return off;
		off += whole;
		size -= whole;
	}
	return 0;
}

static uint32_t load_attribute(const struct skep_cbpf_packet *packet, uint32_t a, uint32_t x,
			       bool nested)
{
	struct attribute outer;

	if (packet->size < NLA_HEADER || a > packet->size - NLA_HEADER)
		return 0;
	if (!nested)
		return attribute_find(packet, a, (int64_t)packet->size - a, x);
	outer = attribute_at(packet, a);
	if (outer.length > packet->size - a)
		return 0;
	return attribute_find(packet, a + NLA_HEADER, (int64_t)outer.length - NLA_HEADER, x);
}

/* --- metadata --- */

bool cbpf_load_ancillary(const struct skep_cbpf_packet *packet, uint8_t number, uint32_t *a,
			 uint32_t x)
{
	switch ((enum cbpf_ancillary)number) {
	case CBPF_AD_PROTOCOL:
		*a = packet->protocol;
		return true;
	case CBPF_AD_PKTTYPE:
		*a = packet->type & 7u;
		return true;
	case CBPF_AD_IFINDEX:
	case CBPF_AD_HATYPE:
		if (packet->has_device)
			*a = number == CBPF_AD_IFINDEX ? packet->ifindex : packet->hatype;
		return packet->has_device;
	case CBPF_AD_NLATTR:
	case CBPF_AD_NLATTR_NEST:
		*a = load_attribute(packet, *a, x, number == CBPF_AD_NLATTR_NEST);
		return true;
	case CBPF_AD_MARK:
		*a = packet->mark;
		return true;
	case CBPF_AD_QUEUE:
		*a = packet->queue;
		return true;
	case CBPF_AD_RXHASH:
		*a = packet->hash;
		return true;
	case CBPF_AD_CPU:
		*a = packet->cpu;
		return true;
	case CBPF_AD_XOR_X:
		*a ^= x;
		return true;
	case CBPF_AD_VLAN_TCI:
		*a = packet->vlan_tci;
		return true;
	case CBPF_AD_VLAN_AVAIL:
		*a = packet->vlan_present;
		return true;
	case CBPF_AD_PAY_OFFSET:
		*a = cbpf_payload_offset(packet);
		return true;
	case CBPF_AD_RANDOM:
		*a = packet->random;
		return true;
	case CBPF_AD_VLAN_TPID:
		*a = packet->vlan_tpid;
		return true;
	}
	return false;
}

/* --- the way through the headers --- */

enum ether { ETHER_IP = 0x0800, ETHER_VLAN = 0x8100, ETHER_IP6 = 0x86dd, ETHER_QINQ = 0x88a8,
	     ETHER_PPPOE = 0x8864, ETHER_ARP = 0x0806, ETHER_RARP = 0x8035, ETHER_MPLS = 0x8847,
	     ETHER_MPLS_MULTICAST = 0x8848, ETHER_BRIDGED = 0x6558, ETHER_BATMAN = 0x4305,
	     ETHER_TIPC = 0x88ca, ETHER_PTP = 0x88f7, ETHER_HSR = 0x88fb, ETHER_FCOE = 0x8906,
	     ETHER_PRP = 0x892f };
enum ip { IP_OPTIONS = 0, IP_ICMP = 1, IP_IGMP = 2, IP_IP = 4, IP_TCP = 6, IP_UDP = 17,
	  IP_DCCP = 33, IP_IP6 = 41, IP_ROUTING = 43, IP_FRAGMENT = 44, IP_GRE = 47, IP_ICMP6 = 58,
	  IP_DESTINATION = 60, IP_SCTP = 132, IP_UDPLITE = 136,
	  IP_MPLS = 137 };
enum { HEADERS = 15 };

struct walk {
	const struct skep_cbpf_packet *packet;
	uint32_t at;             /* of the next header, from the packet's data */
	uint16_t ether;          /* what it is, of Ethernet's numbers, or */
	uint8_t protocol;        /* of IP's */
	bool by_ip;              /* protocol says what comes next */
	bool tag_taken;          /* a VLAN tag in the metadata was looked at */
	bool later_fragment;
	bool done, bad;
};

static const uint8_t *header(struct walk *walk, uint32_t size)
{
	uint64_t end = (uint64_t)walk->at + size;

	if (end <= walk->packet->size)
		return (const uint8_t *)walk->packet->data + walk->at;
	walk->bad = true;
	return NULL;
}

static uint16_t be16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void walk_ip(struct walk *walk)
{
	const uint8_t *ip = header(walk, 20);
	uint16_t fragment;

	if (!ip || (ip[0] & 0xf) < 5) {
		walk->bad = true;
		return;
	}
	fragment = be16(ip + 6);
	walk->at += (ip[0] & 0xfu) * 4;
	walk->protocol = ip[9];
	walk->by_ip = true;
	if (fragment & 0x3fff) { /* more fragments, or not the first */
		walk->later_fragment = fragment & 0x1fff;
		walk->done = true;
	}
}

static void walk_ip6(struct walk *walk)
{
	const uint8_t *ip = header(walk, 40);

	if (!ip)
		return;
	walk->protocol = ip[6];
	walk->by_ip = true;
	walk->at += 40;
}

static void walk_vlan(struct walk *walk)
{
	const uint8_t *tag;

	if (walk->packet->vlan_present && !walk->tag_taken) {
		walk->tag_taken = true;
		walk->ether = walk->packet->protocol;
		return;
	}
	tag = header(walk, 4);
	if (!tag)
		return;
	walk->tag_taken = true;
	walk->ether = be16(tag + 2);
	walk->at += 4;
}

/* PPPoE's header, 6 bytes, then PPP's protocol in one byte or two. */
static void walk_pppoe(struct walk *walk)
{
	const uint8_t *ppp = header(walk, 8);
	uint16_t protocol;

	if (!ppp)
		return;
	/* version and type 1, code 0: a session's data */
	if (ppp[0] != 0x11 || ppp[1] != 0) {
		walk->bad = true;
		return;
	}
	protocol = be16(ppp + 6);
	walk->at += 8;
	if (ppp[6] & 1) { /* compressed */
		protocol = ppp[6];
		walk->at--;
	}
	switch (protocol) {
	case 0x21:
		walk->ether = ETHER_IP;
		break;
	case 0x57:
		walk->ether = ETHER_IP6;
		break;
	case 0x281:
		walk->ether = ETHER_MPLS;
		break;
	case 0x283:
		walk->ether = ETHER_MPLS_MULTICAST;
		break;
	default:
		walk->bad = true;
		break;
	}
}

/* A unicast packet of version 15, and the frame in it. */
static void walk_batman(struct walk *walk)
{
	const uint8_t *batman = header(walk, 24);

	if (!batman || batman[0] != 0x40 || batman[1] != 15) {
		walk->bad = true;
		return;
	}
	walk->ether = be16(batman + 22);
	walk->at += 24;
}

/* A tag of redundant networks: the type of what follows in its last two bytes. */
static void walk_redundant(struct walk *walk)
{
	const uint8_t *tag = header(walk, 6);

	if (!tag)
		return;
	walk->ether = be16(tag + 4);
	walk->at += 6;
}

/* The way ends behind so many bytes, of which need have to be there. */
static void walk_end(struct walk *walk, uint32_t need, uint32_t size)
{
	if (header(walk, need))
		walk->at += size;
	walk->done = true;
}

static void walk_ether(struct walk *walk)
{
	switch (walk->ether) {
	case ETHER_IP:
		walk_ip(walk);
		break;
	case ETHER_IP6:
		walk_ip6(walk);
		break;
	case ETHER_VLAN:
	case ETHER_QINQ:
		walk_vlan(walk);
		break;
	case ETHER_PPPOE:
		walk_pppoe(walk);
		break;
	case ETHER_BATMAN:
		walk_batman(walk);
		break;
	case ETHER_HSR:
	case ETHER_PRP:
		walk_redundant(walk);
		break;
	case ETHER_MPLS:
	case ETHER_MPLS_MULTICAST:
		walk_end(walk, 0, 4);
		break;
	case ETHER_PTP:
		walk_end(walk, 34, 34);
		break;
	case ETHER_FCOE:
		walk_end(walk, 38, 38);
		break;
	case ETHER_TIPC:
		walk_end(walk, 16, 0);
		break;
	case ETHER_ARP:
	case ETHER_RARP:
		walk->done = true;
		break;
	default:
		walk->bad = true;
		break;
	}
}

/* Version 0 without routing: flags that add a word each, then what is inside. */
static void walk_gre(struct walk *walk)
{
	const uint8_t *gre = header(walk, 4), *inner;
	uint16_t flags;

	if (!gre)
		return;
	flags = be16(gre);
	if (flags & 0x4007) { /* routing, or another version: the walk ends before it */
		walk->done = true;
		return;
	}
	walk->ether = be16(gre + 2);
	walk->at += 4 + (flags & 0x8000 ? 4u : 0) + (flags & 0x2000 ? 4u : 0) +
		    (flags & 0x1000 ? 4u : 0);
	walk->by_ip = false;
	if (walk->ether != ETHER_BRIDGED)
		return;
	inner = header(walk, 14);
	if (!inner)
		return;
	walk->ether = be16(inner + 12);
	walk->at += 14;
}

/* Options of IP version 6: which comes next, and a length in words of 8 behind the first. */
static void walk_options(struct walk *walk)
{
	const uint8_t *option;

	if (walk->ether != ETHER_IP6) {
		walk->done = true;
		return;
	}
	option = header(walk, 2);
	if (!option)
		return;
	walk->protocol = option[0];
	walk->at += (option[1] + 1u) * 8;
}

static void walk_fragment(struct walk *walk)
{
	const uint8_t *fragment;

	walk->done = true;
	if (walk->ether != ETHER_IP6)
		return;
	fragment = header(walk, 8);
	if (!fragment)
		return;
	walk->protocol = fragment[0];
	walk->later_fragment = be16(fragment + 2) & 0xfff8;
	walk->at += 8;
}

static void walk_protocol(struct walk *walk)
{
	switch (walk->protocol) {
	case IP_GRE:
		walk_gre(walk);
		break;
	case IP_OPTIONS: case IP_ROUTING: case IP_DESTINATION:
		walk_options(walk);
		break;
	case IP_FRAGMENT:
		walk_fragment(walk);
		break;
	case IP_MPLS:
		walk_end(walk, 0, 4);
		break;
	case IP_IP:
	case IP_IP6:
		walk->ether = walk->protocol == IP_IP ? ETHER_IP : ETHER_IP6;
		walk->by_ip = false;
		break;
	default:
		walk->done = true;
		break;
	}
}

/* Bytes of the header before the payload. */
static uint32_t transport_size(const struct walk *walk)
{
	const uint8_t *data = walk->packet->data;

	switch (walk->protocol) {
	case IP_TCP: {
		uint32_t size;

		if (walk->at + (uint64_t)13 > walk->packet->size)
			return 0;
		size = (data[walk->at + 12] & 0xf0u) >> 2;
		return MAX(size, 20);
	}
	case IP_UDP: case IP_UDPLITE: case IP_ICMP: case IP_ICMP6: case IP_IGMP:
		return 8;
	case IP_DCCP: case IP_SCTP:
		return 12;
	default:
		return 0;
	}
}

uint32_t cbpf_payload_offset(const struct skep_cbpf_packet *packet)
{
	struct walk walk = { .packet = packet, .ether = packet->protocol };

	if (packet->network < 0 || !packet->data)
		return 0;
	if (packet->vlan_present)
		walk.ether = packet->vlan_tpid;
	walk.at = (uint32_t)packet->network;
	for (int i = 0; i <= HEADERS && !walk.bad && !walk.done; i++) {
		if (walk.by_ip)
			walk_protocol(&walk);
		else
			walk_ether(&walk);
	}
	if (walk.bad)
		return 0;
	walk.at = MIN(walk.at & UINT16_MAX, packet->size & UINT16_MAX);
	return walk.later_fragment || !walk.by_ip ? walk.at : walk.at + transport_size(&walk);
}
