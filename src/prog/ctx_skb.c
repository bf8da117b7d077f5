/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctx_skb.c - struct __sk_buff and struct xdp_md, the contexts of programs that
 * run on packets. Their native context is struct packet.
 *
 *   __sk_buff   0                     68   72        76    80        84 ...
 *             | len pkt_type ... cb[5] | hash | tc_classid | data | data_end | ...
 *
 * Every program type shows its own choice of the fields, so each has a table;
 * the runs of rows that several share are macros.
 */
#include "prog/ctx.h"

#include "helper/packet.h"

/* A field of units of 4 bytes that lives in the member of struct packet of the same name. */
#define SKB(member, off_, ...)                                                          \
	{ .name = #member, .off = (off_), .size = sizeof(((struct packet *)0)->member),  \
	  .unit = 4, .native_off = offsetof(struct packet, member), .native_size = 4,    \
	  __VA_ARGS__ }
#define SKB64(member, off_, ...)                                                        \
	{ .name = #member, .off = (off_), .size = 8, .unit = 8,                          \
	  .native_off = offsetof(struct packet, member), .native_size = 8, __VA_ARGS__ }
/* A pointer that programs see as a field of size_ bytes. */
#define POINTER(name_, member, off_, size_, kind_, ...)                                 \
	{ .name = (name_), .off = (off_), .size = (size_), .unit = (size_),             \
	  .kind = (kind_), .native_off = offsetof(struct packet, member),               \
	  .native_size = 8, READ, __VA_ARGS__ }

#define SKB_MARK(...) SKB(mark, 8, __VA_ARGS__)
#define SKB_QUEUE(...) SKB(queue_mapping, 12, READ, NARROW, ##__VA_ARGS__)
#define SKB_PRIORITY(...) SKB(priority, 32, READ, NARROW, ##__VA_ARGS__)
#define SKB_TC_INDEX(...) SKB(tc_index, 44, READ, NARROW, ##__VA_ARGS__)
#define SKB_CB(...) SKB(cb, 48, READ, NARROW, WIDE, ##__VA_ARGS__)

/* Readable by every type but the flow dissector. */
#define SKB_BASE                                                                        \
	SKB(len, 0, READ, NARROW), SKB(pkt_type, 4, READ, NARROW),                      \
	SKB(protocol, 16, READ, NARROW), SKB(vlan_present, 20, READ, NARROW),           \
	SKB(vlan_tci, 24, READ, NARROW), SKB(vlan_proto, 28, READ, NARROW),             \
	SKB(ingress_ifindex, 36, READ, NARROW), SKB(ifindex, 40, READ, NARROW),         \
	SKB(hash, 68, READ, NARROW), SKB(napi_id, 84, READ, NARROW),                    \
	SKB(gso_segs, 164, READ, NARROW), SKB(gso_size, 176, READ, NARROW),             \
	POINTER("sk", sk, 168, 8, FIELD_SOCK_COMMON_OR_NULL)

#define SKB_DATA_NEEDS(needs)                                                           \
	POINTER("data", data, 76, 4, FIELD_PACKET, .read_needs = (needs)),              \
	POINTER("data_end", end, 80, 4, FIELD_PACKET_END, .read_needs = (needs))
#define SKB_DATA SKB_DATA_NEEDS(0)

/* The socket's addresses, where there is a socket. */
#define SKB_ADDRESSES                                                                   \
	SKB(family, 88, READ, NARROW), SKB(remote_ip4, 92, READ), SKB(local_ip4, 96, READ), \
	SKB(remote_ip6, 100, READ), SKB(local_ip6, 116, READ),                          \
	SKB(remote_port, 132, READ, NARROW), SKB(local_port, 136, READ, NARROW)

#define SKB_LAYOUT(rows) { .name = "__sk_buff", .size = 192, .fields = (rows) }

static const struct ctx_field socket_rows[] = {
	SKB_BASE, SKB_MARK(READ, NARROW), SKB_QUEUE(), SKB_PRIORITY(),
	SKB_TC_INDEX(), SKB_CB(WRITE, NARROW_WRITE),
	FIELDS_END,
};

static const struct ctx_field tc_rows[] = {
	SKB_BASE, SKB_DATA, SKB_MARK(READ, NARROW, WRITE), SKB_QUEUE(WRITE),
	SKB_PRIORITY(WRITE), SKB_TC_INDEX(WRITE), SKB_CB(WRITE, NARROW_WRITE),
	SKB(tc_classid, 72, READ, NARROW, WRITE),
	POINTER("data_meta", meta, 140, 4, FIELD_PACKET_META),
	SKB64(tstamp, 152, READ, WRITE), SKB(wire_len, 160, READ, NARROW),
	{ .name = "tstamp_type", .off = 180, .size = 1, .unit = 1, READ, .native_size = 4,
	  .native_off = offsetof(struct packet, tstamp_type) },
	SKB64(hwtstamp, 184, READ),
	FIELDS_END,
};

static const struct ctx_field cgroup_rows[] = {
	SKB_BASE, SKB_DATA_NEEDS(NEEDS_BPF), SKB_ADDRESSES, SKB_MARK(READ, NARROW, WRITE),
	SKB_QUEUE(), SKB_PRIORITY(WRITE), SKB_TC_INDEX(), SKB_CB(WRITE, NARROW_WRITE),
	SKB64(tstamp, 152, READ, WRITE, .write_needs = NEEDS_BPF), SKB64(hwtstamp, 184, READ),
	FIELDS_END,
};

static const struct ctx_field lwt_rows[] = {
	SKB_BASE, SKB_DATA, SKB_MARK(READ, NARROW, WRITE), SKB_QUEUE(),
	SKB_PRIORITY(WRITE), SKB_TC_INDEX(), SKB_CB(WRITE, NARROW_WRITE),
	FIELDS_END,
};

/* sk_skb: no mark, and cb is the socket layer's own. */
static const struct ctx_field stream_rows[] = {
	SKB_BASE, SKB_DATA, SKB_ADDRESSES, SKB_QUEUE(), SKB_PRIORITY(WRITE),
	SKB_TC_INDEX(WRITE), SKB_CB(),
	FIELDS_END,
};

static const struct ctx_field flow_rows[] = {
	SKB_DATA, POINTER("flow_keys", flow_keys, 144, 8, FIELD_FLOW_KEYS),
	FIELDS_END,
};

static const struct ctx_field xdp_rows[] = {
	POINTER("data", data, 0, 4, FIELD_PACKET),
	POINTER("data_end", end, 4, 4, FIELD_PACKET_END),
	POINTER("data_meta", meta, 8, 4, FIELD_PACKET_META),
	SKB(ingress_ifindex, 12, READ), SKB(rx_queue_index, 16, READ),
	SKB(egress_ifindex, 20, READ, .attach_mask = ON(BPF_XDP_DEVMAP)),
	FIELDS_END,
};

const struct ctx_layout ctx_sk_buff_socket = SKB_LAYOUT(socket_rows);
const struct ctx_layout ctx_sk_buff_tc = SKB_LAYOUT(tc_rows);
const struct ctx_layout ctx_sk_buff_cgroup = SKB_LAYOUT(cgroup_rows);
const struct ctx_layout ctx_sk_buff_lwt = SKB_LAYOUT(lwt_rows);
const struct ctx_layout ctx_sk_buff_stream = SKB_LAYOUT(stream_rows);
const struct ctx_layout ctx_sk_buff_flow = SKB_LAYOUT(flow_rows);
const struct ctx_layout ctx_xdp_md = { .name = "xdp_md", .size = 24, .fields = xdp_rows };
