/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet.c - making room in a packet, taking room out of it, and its flow. [runtime]
 *
 * Bytes before the place of a change move, as in the kernel: headers are
 * shorter than what follows them.
 */
#include "helper/packet.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "helper/checksum.h"

/* Moves everything by count bytes within [start, limit). */
static void packet_shift(struct packet *packet, ptrdiff_t count)
{
	uint8_t *first = packet->mac && packet->mac < packet->meta ? packet->mac : packet->meta;

	memmove(first + count, first, (size_t)(packet->end - first));
	packet->meta += count;
	packet->data += count;
	packet->end += count;
	if (packet->mac)
		packet->mac += count;
	if (packet->network)
		packet->network += count;
	if (packet->transport)
		packet->transport += count;
}

int packet_reserve_head(struct packet *packet, uint32_t count)
{
	uint8_t *first = packet->mac && packet->mac < packet->meta ? packet->mac : packet->meta;
	size_t have = (size_t)(first - packet->start);

	if (count <= have)
		return 0;
	if (count - have > (size_t)(packet->limit - packet->end))
		return -ENOMEM;
	packet_shift(packet, (ptrdiff_t)(count - have));
	return 0;
}

/* Metadata ends where the packet starts; a program that moves the start loses it. */
static void packet_moved(struct packet *packet)
{
	packet->meta = packet->data;
	packet->len = (uint32_t)(packet->end - packet->data);
}

int packet_insert(struct packet *packet, uint32_t off, uint32_t count)
{
	int error = packet_reserve_head(packet, count);

	if (error < 0)
		return error;
	/* Past the end there may be bytes that were cut off: Linux moves them too. */
	if (off > (size_t)(packet->limit - packet->data))
		return -EINVAL;
	memmove(packet->data - count, packet->data, off);
	packet->data -= count;
	memset(packet->data + off, 0, count);
	packet_moved(packet);
	return 0;
}

int packet_remove(struct packet *packet, uint32_t off, uint32_t count)
{
	if (off > packet->len || count > packet->len - off)
		return -ENOMEM;
	memmove(packet->data + count, packet->data, off);
	packet->data += count;
	packet_moved(packet);
	return 0;
}

int packet_resize(struct packet *packet, uint32_t len)
{
	if (len > packet->len) {
		size_t more = len - packet->len;
		size_t room = (size_t)(packet->limit - packet->end);

		if (more > room) {
			size_t head = (size_t)(packet->meta - packet->start);

			if (packet->mac && packet->mac < packet->meta)
				head = (size_t)(packet->mac - packet->start);
			if (more - room > head)
				return -ENOMEM;
			packet_shift(packet, -(ptrdiff_t)(more - room));
		}
		memset(packet->end, 0, more);
	}
	packet->end = packet->data + len;
	packet->len = len;
	return 0;
}

uint8_t *packet_bytes(const struct packet *packet, uint32_t off, uint32_t len)
{
	size_t size = (size_t)(packet->end - packet->data);

	return off <= size && len <= size - off ? packet->data + off : NULL;
}

int packet_read(const struct packet *packet, uint32_t off, void *to, uint32_t len)
{
	const uint8_t *from = packet_bytes(packet, off, len);

	if (!from)
		return -EFAULT;
	memcpy(to, from, len);
	return 0;
}

/* --- the device's checksum --- */

/* Words are counted from data: a sum of bytes at an odd place has its halves exchanged. */
static uint32_t packet_sum(const struct packet *packet, uint32_t off, uint32_t len)
{
	uint32_t sum = sum_bytes(packet->data + off, len, 0);

	return off & 1 ? sum << 8 | sum >> 24 : sum;
}

void packet_sum_out(struct packet *packet, uint32_t off, uint32_t len)
{
	if (packet->summed == SUMMED_COMPLETE)
		packet->csum = sum_sub(packet->csum, packet_sum(packet, off, len));
}

void packet_sum_in(struct packet *packet, uint32_t off, uint32_t len)
{
	if (packet->summed == SUMMED_COMPLETE)
		packet->csum = sum_add(packet->csum, packet_sum(packet, off, len));
}

/* --- VLAN tags --- */

static void put16(uint8_t *at, uint32_t network_order)
{
	uint16_t value = (uint16_t)network_order;

	memcpy(at, &value, 2);
}

static uint32_t get16(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, 2);
	return value;
}

static uint16_t swap16(uint32_t value)
{
	return __builtin_bswap16((uint16_t)value);
}

int packet_vlan_unaccelerate(struct packet *packet)
{
	uint32_t mac_size = packet_mac_size(packet);
	int error;

	if (!packet->vlan_present)
		return 0;
	if (packet->len < PACKET_ETH_LEN)
		return -EINVAL;
	/* After the two addresses: the tag; the type that was there follows it. */
	error = packet_insert(packet, 12, 4);
	if (error < 0)
		return error;
	put16(packet->data + 12, packet->vlan_proto);
	put16(packet->data + 14, swap16(packet->vlan_tci));
	packet_sum_in(packet, 12, 4);
	/* Linux lets the network header begin as far behind as before, tag or not. */
	packet->mac = packet->data;
	packet->network = packet->data + mac_size;
	packet->mac_len = mac_size;
	packet->protocol = packet->vlan_proto;
	packet->vlan_present = packet->vlan_tci = packet->vlan_proto = 0;
	return 0;
}

int packet_vlan_accelerate(struct packet *packet)
{
	uint32_t tci, proto = packet->protocol, mac_size = packet_mac_size(packet);
	int error;

	if (packet->len < PACKET_ETH_LEN + 4)
		return -ENOMEM;
	tci = swap16(get16(packet->data + 14));
	packet_sum_out(packet, 12, 4);
	error = packet_remove(packet, 12, 4);
	if (error < 0)
		return error;
	mac_size = mac_size < PACKET_ETH_LEN + 4 ? PACKET_ETH_LEN : mac_size - 4;
	packet->mac = packet->data;
	packet->network = packet->data + mac_size;
	packet->mac_len = mac_size;
	packet->vlan_present = 1;
	packet->vlan_tci = tci;
	packet->vlan_proto = proto;
	packet->protocol = packet_ether_type(packet);
	return 0;
}

uint32_t packet_ether_type(const struct packet *packet)
{
	const uint8_t *ether = packet->mac;
	size_t size = (size_t)(packet->end - ether);

	/* A type below 1536 is the length of an IEEE 802.3 frame; Novell's begin so. */
	if ((ether[12] << 8 | ether[13]) >= 0x600)
		return get16(ether + 12);
	return size >= 16 && get16(ether + 14) == 0xffff ? ETHER_802_3 : ETHER_802_2;
}

/* --- flows --- */

struct flow {
	uint32_t source[4], dest[4];
	uint32_t ports, protocol;
};

static bool flow_ports(uint8_t protocol)
{
	enum { TCP = 6, UDP = 17, DCCP = 33, SCTP = 132, UDPLITE = 136 };

	return protocol == TCP || protocol == UDP || protocol == DCCP || protocol == SCTP ||
	       protocol == UDPLITE;
}

static void flow_ip4(const struct packet *packet, uint32_t off, struct flow *flow)
{
	uint8_t ip[20];
	uint32_t header;

	if (packet_read(packet, off, ip, sizeof(ip)) < 0)
		return;
	memcpy(flow->source, ip + 12, 4);
	memcpy(flow->dest, ip + 16, 4);
	flow->protocol = ip[9];
	header = (ip[0] & 15u) * 4;
	/* A fragment has no ports of its own, and all of a datagram must hash alike. */
	if (flow_ports(ip[9]) && !((ip[6] & 0x3f) | ip[7]))
		(void)packet_read(packet, off + header, &flow->ports, 4);
}

static void flow_ip6(const struct packet *packet, uint32_t off, struct flow *flow)
{
	uint8_t ip[40];

	if (packet_read(packet, off, ip, sizeof(ip)) < 0)
		return;
	memcpy(flow->source, ip + 8, 16);
	memcpy(flow->dest, ip + 24, 16);
	flow->protocol = ip[6];
	if (flow_ports(ip[6]))
		(void)packet_read(packet, off + 40, &flow->ports, 4);
}

uint32_t packet_flow_hash(const struct packet *packet)
{
	struct flow flow = { .protocol = packet->protocol };
	uint32_t words[10], hash = 0x9747b28c;
	uint32_t off = packet->network ? (uint32_t)(packet->network - packet->data) : 0;

	if (packet->protocol == ETHER_IP)
		flow_ip4(packet, off, &flow);
	else if (packet->protocol == ETHER_IPV6)
		flow_ip6(packet, off, &flow);
	memcpy(words, &flow, sizeof(words));
	for (unsigned i = 0; i < 10; i++) {
		hash = (hash ^ words[i]) * 0xcc9e2d51u;
		hash ^= hash >> 15;
	}
	return hash ? hash : 1;
}
