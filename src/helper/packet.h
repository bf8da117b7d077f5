/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet.h - a packet in memory, and what the kernel keeps beside it.
 *
 * One structure serves XDP (xdp_buff), tc, socket filters and cgroup_skb
 * (sk_buff). Programs reach its fields through the context tables of src/prog,
 * whose rows name members of this structure: a load of xdp_md.data at offset 0
 * becomes a 64-bit load of packet.data, and so on.
 *
 *   start          meta      data                 end            limit
 *   | headroom     | metadata | packet bytes       | tailroom     |
 *
 * For sk_buff programs mac, network and transport point at the headers, or are
 * NULL where Linux would not have set them. A program of a type that starts at
 * the network header (socket filter in test runs, cgroup_skb, lwt) has mac
 * before data.
 *
 * Threads: confined.
 */
#ifndef HELPER_PACKET_H
#define HELPER_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#define PACKET_HEADROOM 256u
#define PACKET_TAILROOM 4096u
#define PACKET_MAX 65536u
/* Linux keeps its xdp_frame in the first bytes of an XDP packet's headroom. */
#define PACKET_XDP_FRAME 40u
/* The longest a program may make an sk_buff: SKB_MAX_ALLOC. */
#define PACKET_SKB_MAX 16064u
#define PACKET_ETH_LEN 14u
#define PACKET_CLONES 8

/* Who knows the packet's checksum; Linux's CHECKSUM_*. */
enum packet_summed { SUMMED_NONE, SUMMED_UNNECESSARY, SUMMED_COMPLETE, SUMMED_PARTIAL };

/* Whom a packet is for; Linux's PACKET_*. */
enum packet_for { FOR_HOST, FOR_BROADCAST, FOR_MULTICAST, FOR_OTHERHOST };

struct packet {
	uint8_t *start, *meta, *data, *end, *limit;
	/* As in struct __sk_buff, same names, native width. */
	uint32_t len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto;
	uint32_t priority, ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, napi_id;
	uint32_t family, remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port;
	uint32_t wire_len, gso_segs, gso_size, tstamp_type;
	uint64_t tstamp, hwtstamp;
	void *flow_keys, *sk;
	/* As in struct xdp_md. */
	uint32_t rx_queue_index, egress_ifindex;
	uint8_t *mac, *network, *transport;
	uint32_t mac_len;        /* as sk_buff.mac_len: 0 where nothing set it; see also
	                          * packet_mac_size() */
	/* XDP: bytes behind end that belong to the packet, but that a program reaches
	 * through helpers only, as those Linux keeps in further buffers. */
	uint32_t paged;
	uint32_t paged_room;     /* and by how much they may grow */
	uint32_t csum;           /* of all bytes from data, where summed is COMPLETE */
	uint8_t summed;          /* enum packet_summed */
	uint8_t csum_level;      /* checksums known good beyond the first; 0..3 */
	bool hash_known;         /* hash is the flow's, or a program set it */
	bool encapsulated;
	bool is_skb;             /* __sk_buff semantics, else xdp_buff */
	/* Copies a program sent elsewhere with clone_redirect; more than
	 * PACKET_CLONES are counted, but where they went is not kept. */
	uint32_t clone_count;
	uint32_t clone_ifindex[PACKET_CLONES];
};

/* --- changing a packet (packet.c); 0 or a negative errno, nothing changed --- */

/* Make count bytes of room before data, moving the packet if need be. */
int packet_reserve_head(struct packet *packet, uint32_t count);
/* Insert count zero bytes at off from data; the bytes before them move down. */
int packet_insert(struct packet *packet, uint32_t off, uint32_t count);
/* Remove count bytes at off from data; the bytes before them move up. */
int packet_remove(struct packet *packet, uint32_t off, uint32_t count);
/* Set the length: cut, or extend with zeros. */
int packet_resize(struct packet *packet, uint32_t len);
/* Copy bytes out at off from data; -EFAULT where they are not all there. */
int packet_read(const struct packet *packet, uint32_t off, void *to, uint32_t len);
/* NULL where the bytes are not all there. */
uint8_t *packet_bytes(const struct packet *packet, uint32_t off, uint32_t len);
/* Bytes at off are about to go, or have come: the device's checksum of the packet
 * (summed COMPLETE) follows. Nothing where there is none. */
void packet_sum_out(struct packet *packet, uint32_t off, uint32_t len);
void packet_sum_in(struct packet *packet, uint32_t off, uint32_t len);
/* The hash of the packet's flow by its addresses, protocol and ports; never 0. */
uint32_t packet_flow_hash(const struct packet *packet);

/* The bytes between the link and the network header. */
static inline uint32_t packet_mac_size(const struct packet *packet)
{
	return (uint32_t)(packet->network - packet->mac);
}

/* Ethernet types in network order, as programs see them. */
#define ETHER_IP 0x0008u
#define ETHER_IPV6 0xdd86u
#define ETHER_8021Q 0x0081u
#define ETHER_8021AD 0xa888u
#define ETHER_802_3 0x0100u
#define ETHER_802_2 0x0400u
static inline bool ether_is_vlan(uint32_t type)
{
	return type == ETHER_8021Q || type == ETHER_8021AD;
}

/* What the link header at mac says follows it. */
uint32_t packet_ether_type(const struct packet *packet);
/* Put the accelerated tag (vlan_*) into the bytes; nothing where there is none. */
int packet_vlan_unaccelerate(struct packet *packet);
/* Take the outermost tag out of the bytes into vlan_*. protocol must say it is one. */
int packet_vlan_accelerate(struct packet *packet);

#endif
