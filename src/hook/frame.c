/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame.c - a packet's bytes brought into the shape a program type sees, and
 * back to bytes.
 *
 *   buffer     headroom        size                              buffer + size
 *   |          | packet ...... |  tailroom                       |
 */
#include "hook/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "isa/abi.h"

static const struct frame_shape shapes[] = {
	{ .prog_type = BPF_PROG_TYPE_XDP, .test_at_mac = true, .live_at_mac = true },
	{ .prog_type = BPF_PROG_TYPE_SCHED_CLS, .skb = true, .test_at_mac = true,
	  .live_at_mac = true },
	{ .prog_type = BPF_PROG_TYPE_SCHED_ACT, .skb = true, .test_at_mac = true,
	  .live_at_mac = true },
	/* A packet socket shows a filter the link header; Linux's test run does not. */
	{ .prog_type = BPF_PROG_TYPE_SOCKET_FILTER, .skb = true, .live_at_mac = true },
	{ .prog_type = BPF_PROG_TYPE_CGROUP_SKB, .skb = true, .socket = true },
	{ .prog_type = BPF_PROG_TYPE_LWT_IN, .skb = true },
	{ .prog_type = BPF_PROG_TYPE_LWT_OUT, .skb = true },
	{ .prog_type = BPF_PROG_TYPE_LWT_XMIT, .skb = true },
	{ .prog_type = BPF_PROG_TYPE_LWT_SEG6LOCAL, .skb = true },
};

const struct frame_shape *frame_shape(uint32_t prog_type)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (shapes[i].prog_type == prog_type)
			return &shapes[i];
	return NULL;
}

int frame_init(struct frame *frame)
{
	memset(frame, 0, sizeof(*frame));
	frame->size = 2 * PACKET_HEADROOM + PACKET_MAX + PACKET_TAILROOM;
	frame->buffer = malloc(frame->size);
	return frame->buffer ? 0 : -ENOMEM;
}

void frame_done(struct frame *frame)
{
	free(frame->buffer);
	frame->buffer = NULL;
}

/* As Linux's eth_type_trans(): what follows the header, and whom it is for. */
static void frame_read_ether(struct packet *packet, bool loopback)
{
	static const uint8_t everyone[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t zeros[6];
	const uint8_t *to = packet->mac;

	packet->protocol = packet_ether_type(packet);
	if (to[0] & 1)
		packet->pkt_type = !loopback && memcmp(to, everyone, 6) == 0 ? FOR_BROADCAST
									     : FOR_MULTICAST;
	else if (loopback && memcmp(to, zeros, 6) != 0)
		packet->pkt_type = FOR_OTHERHOST;
}

/* A socket's addresses, as if the packet were one that it sends. */
static void frame_read_socket(struct packet *packet)
{
	enum { INET = 2, INET6 = 10 };
	const uint8_t *ip = packet->network;
	size_t size = (size_t)(packet->end - ip);

	if (packet->protocol == ETHER_IP && size >= 20) {
		packet->family = INET;
		memcpy(&packet->local_ip4, ip + 12, 4);
		memcpy(&packet->remote_ip4, ip + 16, 4);
	} else if (packet->protocol == ETHER_IPV6 && size >= 40) {
		packet->family = INET6;
		memcpy(packet->local_ip6, ip + 8, 16);
		memcpy(packet->remote_ip6, ip + 24, 16);
	}
}

void frame_load(struct frame *frame, const struct frame_shape *shape, bool at_mac,
		const void *bytes, uint32_t size, uint32_t headroom, bool loopback)
{
	struct packet *packet = &frame->packet;

	memset(packet, 0, sizeof(*packet));
	packet->start = frame->buffer;
	packet->data = packet->meta = frame->buffer + headroom;
	packet->end = packet->data + size;
	packet->limit = frame->buffer + frame->size;
	/* A program may make room and read it: nothing of an earlier packet may show. */
	memset(packet->start, 0, headroom);
	memcpy(packet->data, bytes, size);
	packet->is_skb = shape->skb;
	if (shape->skb) {
		memcpy(frame->ether, bytes, PACKET_ETH_LEN);
		packet->mac = packet->data;
		packet->network = packet->data + PACKET_ETH_LEN;
		frame_read_ether(packet, loopback);
		if (!at_mac)
			packet->data = packet->meta = packet->network;
		if (shape->socket)
			frame_read_socket(packet);
	}
	packet->len = (uint32_t)(packet->end - packet->data);
}

const uint8_t *frame_store(struct frame *frame, const struct frame_shape *shape, bool at_mac,
			   uint32_t *size)
{
	struct packet *packet = &frame->packet;

	if (!shape->skb) {
		*size = (uint32_t)(packet->end - packet->data) + packet->paged;
		return packet->data;
	}
	if (!at_mac && packet_insert(packet, 0, PACKET_ETH_LEN) == 0) {
		memcpy(packet->data, frame->ether, PACKET_ETH_LEN);
		packet->mac = packet->data;
	}
	(void)packet_vlan_unaccelerate(packet);
	*size = packet->len;
	return packet->data;
}
