/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame.h - a packet's bytes brought into the shape a program type sees, and
 * back to bytes.
 *
 * A frame owns a buffer with room before and after the packet; struct packet
 * points into it. What differs between program types is a row of frame_shape().
 *
 * Threads: confined.
 */
#ifndef HOOK_FRAME_H
#define HOOK_FRAME_H

#include <skep/packet.h>
#include "helper/packet.h"

/* How packets look to programs of a type. */
struct frame_shape {
	uint32_t prog_type;
	bool skb;                 /* __sk_buff, else xdp_md */
	bool test_at_mac;         /* data starts at the Ethernet header in test runs */
	bool live_at_mac;         /* and on real packets */
	bool socket;              /* shows its socket's addresses */
};

/* NULL: programs of the type do not run on packets. */
const struct frame_shape *frame_shape(uint32_t prog_type);

struct frame {
	uint8_t *buffer;          /* owned */
	size_t size;
	struct packet packet;     /* the native context */
	uint8_t ether[PACKET_ETH_LEN]; /* the header of packets whose data starts after it */
};

/* 0 or -ENOMEM. */
int frame_init(struct frame *frame);
void frame_done(struct frame *frame);

/*
 * Place bytes (from the Ethernet header; at least PACKET_ETH_LEN, at most
 * PACKET_MAX) with headroom bytes before them. Sets the pointers and len, for
 * skb types protocol, pkt_type and the headers; the rest is zero. loopback: the
 * interface is Linux's, whose own address and broadcast address are zeros;
 * else one that takes packets to any address for its own.
 */
void frame_load(struct frame *frame, const struct frame_shape *shape, bool at_mac,
		const void *bytes, uint32_t size, uint32_t headroom, bool loopback);

/*
 * The packet as it would be on the wire: with its tag in it and the Ethernet
 * header before it. Changes the frame. Borrowed from it.
 */
const uint8_t *frame_store(struct frame *frame, const struct frame_shape *shape, bool at_mac,
			   uint32_t *size);

/* What a program's result means on the shape's hook, and its name. */
enum skep_verdict frame_verdict(const struct frame_shape *shape, uint64_t retval, bool egress,
				char *name, size_t name_size);

#endif
