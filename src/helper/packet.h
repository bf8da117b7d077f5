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
 */
#ifndef HELPER_PACKET_H
#define HELPER_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#define PACKET_HEADROOM 256u
#define PACKET_TAILROOM 4096u
#define PACKET_MAX 65536u

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
	/* Offsets of headers from data; -1: unknown. */
	int32_t network_off, transport_off;
	bool is_skb;             /* __sk_buff semantics, else xdp_buff */
	bool data_excludes_mac;  /* cgroup_skb, socket filter: data starts at the network header */
	uint8_t *mac;            /* the Ethernet header where data excludes it */
};

#endif
