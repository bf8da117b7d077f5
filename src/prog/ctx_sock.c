/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctx_sock.c - contexts of programs at sockets and control groups: bpf_sock,
 * bpf_sock_addr, bpf_sock_ops, sk_msg_md, sk_reuseport_md, bpf_sk_lookup,
 * bpf_sysctl, bpf_sockopt, bpf_cgroup_dev_ctx; and what pointers to sockets
 * show. Their native context is the structure that programs see.
 */
#include "prog/ctx.h"

/* --- struct bpf_sock --- */

/*
 * dst_port is 2 bytes, and was 4 once: a 4-byte load at its offset still works.
 * type, protocol and family may be loaded shorter only from their first byte.
 */
#define SOCK_ADDRESSES(v4, v6, port)                                                    \
	FIELD("src_ip4", 24, 4, 4, READ, NARROW, .attach_mask = (v4)),                  \
	FIELD("src_ip6", 28, 16, 4, READ, NARROW, .attach_mask = (v6)),                 \
	FIELD("src_port", 44, 4, 4, READ, HEAD, .attach_mask = (port))
#define SOCK_REMOTE                                                                     \
	FIELD("dst_port", 48, 2, 2, READ, NARROW), FIELD("dst_port", 48, 4, 4, READ),   \
	FIELD("dst_ip4", 52, 4, 4, READ, NARROW),                                       \
	FIELD("dst_ip6", 56, 16, 4, READ, NARROW), FIELD("state", 72, 4, 4, READ, HEAD), \
	FIELD("rx_queue_mapping", 76, 4, 4, READ, HEAD)
#define SOCK_KIND                                                                       \
	FIELD("family", 4, 4, 4, READ, HEAD), FIELD("type", 8, 4, 4, READ, HEAD),       \
	FIELD("protocol", 12, 4, 4, READ, HEAD)

static const struct ctx_field sock_rows[] = {
	FIELD("bound_dev_if", 0, 4, 4, READ), SOCK_KIND, FIELD("mark", 16, 4, 4, READ),
	FIELD("priority", 20, 4, 4, READ), SOCK_ADDRESSES(0, 0, 0), SOCK_REMOTE,
	FIELDS_END,
};

static const struct ctx_field sock_common_rows[] = {
	FIELD("bound_dev_if", 0, 4, 4, READ), FIELD("family", 4, 4, 4, READ, HEAD),
	SOCK_ADDRESSES(0, 0, 0), SOCK_REMOTE,
	FIELDS_END,
};

/*
 * Before an address is bound there is none; after, the device cannot be changed.
 * 0 is what programs older than attach types say: creation is meant.
 */
#define UNBOUND (ON(0) | ON(BPF_CGROUP_INET_SOCK_CREATE) | ON(BPF_CGROUP_INET_SOCK_RELEASE))
#define BOUND4 ON(BPF_CGROUP_INET4_POST_BIND)
#define BOUND6 ON(BPF_CGROUP_INET6_POST_BIND)

static const struct ctx_field cgroup_sock_rows[] = {
	FIELD("bound_dev_if", 0, 4, 4, READ, WRITE, .attach_mask = UNBOUND), SOCK_KIND,
	FIELD("mark", 16, 4, 4, READ, WRITE, .attach_mask = UNBOUND),
	FIELD("priority", 20, 4, 4, READ, WRITE, .attach_mask = UNBOUND),
	SOCK_ADDRESSES(BOUND4, BOUND6, BOUND4 | BOUND6), SOCK_REMOTE,
	FIELDS_END,
};

static const struct ctx_field tcp_sock_rows[] = {
	FIELD("snd_cwnd", 0, 4, 4, READ), FIELD("srtt_us", 4, 4, 4, READ),
	FIELD("rtt_min", 8, 4, 4, READ), FIELD("snd_ssthresh", 12, 4, 4, READ),
	FIELD("rcv_nxt", 16, 4, 4, READ), FIELD("snd_nxt", 20, 4, 4, READ),
	FIELD("snd_una", 24, 4, 4, READ), FIELD("mss_cache", 28, 4, 4, READ),
	FIELD("ecn_flags", 32, 4, 4, READ), FIELD("rate_delivered", 36, 4, 4, READ),
	FIELD("rate_interval_us", 40, 4, 4, READ), FIELD("packets_out", 44, 4, 4, READ),
	FIELD("retrans_out", 48, 4, 4, READ), FIELD("total_retrans", 52, 4, 4, READ),
	FIELD("segs_in", 56, 4, 4, READ), FIELD("data_segs_in", 60, 4, 4, READ),
	FIELD("segs_out", 64, 4, 4, READ), FIELD("data_segs_out", 68, 4, 4, READ),
	FIELD("lost_out", 72, 4, 4, READ), FIELD("sacked_out", 76, 4, 4, READ),
	FIELD("bytes_received", 80, 8, 8, READ), FIELD("bytes_acked", 88, 8, 8, READ),
	FIELD("dsack_dups", 96, 4, 4, READ), FIELD("delivered", 100, 4, 4, READ),
	FIELD("delivered_ce", 104, 4, 4, READ), FIELD("icsk_retransmits", 108, 4, 4, READ),
	FIELDS_END,
};

static const struct ctx_field xdp_sock_rows[] = {
	FIELD("queue_id", 0, 4, 4, READ),
	FIELDS_END,
};

/* --- struct bpf_sock_addr --- */

#define ADDR4                                                                           \
	(ON(BPF_CGROUP_INET4_BIND) | ON(BPF_CGROUP_INET4_CONNECT) |                     \
	 ON(BPF_CGROUP_UDP4_SENDMSG) | ON(BPF_CGROUP_UDP4_RECVMSG) |                    \
	 ON(BPF_CGROUP_INET4_GETPEERNAME) | ON(BPF_CGROUP_INET4_GETSOCKNAME))
#define ADDR6                                                                           \
	(ON(BPF_CGROUP_INET6_BIND) | ON(BPF_CGROUP_INET6_CONNECT) |                     \
	 ON(BPF_CGROUP_UDP6_SENDMSG) | ON(BPF_CGROUP_UDP6_RECVMSG) |                    \
	 ON(BPF_CGROUP_INET6_GETPEERNAME) | ON(BPF_CGROUP_INET6_GETSOCKNAME))

static const struct ctx_field sock_addr_rows[] = {
	FIELD("user_family", 0, 4, 4, READ),
	FIELD("user_ip4", 4, 4, 4, READ, NARROW, WRITE, .attach_mask = ADDR4),
	FIELD("user_ip6", 8, 16, 4, READ, NARROW, WIDE, WRITE, .attach_mask = ADDR6),
	FIELD("user_port", 24, 4, 4, READ, NARROW, WRITE), FIELD("family", 28, 4, 4, READ),
	FIELD("type", 32, 4, 4, READ), FIELD("protocol", 36, 4, 4, READ),
	FIELD("msg_src_ip4", 40, 4, 4, READ, NARROW, WRITE,
	      .attach_mask = ON(BPF_CGROUP_UDP4_SENDMSG)),
	FIELD("msg_src_ip6", 44, 16, 4, READ, NARROW, WIDE, WRITE,
	      .attach_mask = ON(BPF_CGROUP_UDP6_SENDMSG)),
	FIELD("sk", 64, 8, 8, READ, .kind = FIELD_SOCKET),
	FIELDS_END,
};

/* --- struct bpf_sock_ops --- */

static const struct ctx_field sock_ops_rows[] = {
	FIELD("op", 0, 4, 4, READ), FIELD("reply", 4, 4, 4, READ, WRITE),
	FIELD("args", 4, 16, 4, READ), FIELD("family", 20, 4, 4, READ),
	FIELD("remote_ip4", 24, 4, 4, READ), FIELD("local_ip4", 28, 4, 4, READ),
	FIELD("remote_ip6", 32, 16, 4, READ), FIELD("local_ip6", 48, 16, 4, READ),
	FIELD("remote_port", 64, 4, 4, READ), FIELD("local_port", 68, 4, 4, READ),
	FIELD("is_fullsock", 72, 4, 4, READ), FIELD("snd_cwnd", 76, 4, 4, READ),
	FIELD("srtt_us", 80, 4, 4, READ), FIELD("bpf_sock_ops_cb_flags", 84, 4, 4, READ),
	FIELD("state", 88, 4, 4, READ), FIELD("rtt_min", 92, 4, 4, READ),
	FIELD("snd_ssthresh", 96, 4, 4, READ), FIELD("rcv_nxt", 100, 4, 4, READ),
	FIELD("snd_nxt", 104, 4, 4, READ), FIELD("snd_una", 108, 4, 4, READ),
	FIELD("mss_cache", 112, 4, 4, READ), FIELD("ecn_flags", 116, 4, 4, READ),
	FIELD("rate_delivered", 120, 4, 4, READ), FIELD("rate_interval_us", 124, 4, 4, READ),
	FIELD("packets_out", 128, 4, 4, READ), FIELD("retrans_out", 132, 4, 4, READ),
	FIELD("total_retrans", 136, 4, 4, READ), FIELD("segs_in", 140, 4, 4, READ),
	FIELD("data_segs_in", 144, 4, 4, READ), FIELD("segs_out", 148, 4, 4, READ),
	FIELD("data_segs_out", 152, 4, 4, READ), FIELD("lost_out", 156, 4, 4, READ),
	FIELD("sacked_out", 160, 4, 4, READ), FIELD("sk_txhash", 164, 4, 4, READ, WRITE),
	FIELD("bytes_received", 168, 8, 8, READ), FIELD("bytes_acked", 176, 8, 8, READ),
	FIELD("sk", 184, 8, 8, READ, .kind = FIELD_SOCKET_OR_NULL),
	FIELD("skb_data", 192, 8, 8, READ, .kind = FIELD_PACKET),
	FIELD("skb_data_end", 200, 8, 8, READ, .kind = FIELD_PACKET_END),
	FIELD("skb_len", 208, 4, 4, READ), FIELD("skb_tcp_flags", 212, 4, 4, READ, HEAD),
	FIELD("skb_hwtstamp", 216, 8, 8, READ),
	FIELDS_END,
};

/* --- messages, socket selection --- */

static const struct ctx_field sk_msg_rows[] = {
	FIELD("data", 0, 8, 8, READ, .kind = FIELD_PACKET),
	FIELD("data_end", 8, 8, 8, READ, .kind = FIELD_PACKET_END),
	FIELD("family", 16, 4, 4, READ), FIELD("remote_ip4", 20, 4, 4, READ),
	FIELD("local_ip4", 24, 4, 4, READ), FIELD("remote_ip6", 28, 16, 4, READ),
	FIELD("local_ip6", 44, 16, 4, READ), FIELD("remote_port", 60, 4, 4, READ),
	FIELD("local_port", 64, 4, 4, READ), FIELD("size", 68, 4, 4, READ),
	FIELD("sk", 72, 8, 8, READ, .kind = FIELD_SOCKET),
	FIELDS_END,
};

static const struct ctx_field sk_reuseport_rows[] = {
	FIELD("data", 0, 8, 8, READ, .kind = FIELD_PACKET),
	FIELD("data_end", 8, 8, 8, READ, .kind = FIELD_PACKET_END),
	FIELD("len", 16, 4, 4, READ, NARROW), FIELD("eth_protocol", 20, 4, 4, READ),
	/* Its two bytes, each half as 2 bytes. */
	FIELD("eth_protocol", 20, 4, 2, READ), FIELD("ip_protocol", 24, 4, 4, READ, NARROW),
	FIELD("bind_inany", 28, 4, 4, READ, NARROW), FIELD("hash", 32, 4, 4, READ),
	FIELD("sk", 40, 8, 8, READ, .kind = FIELD_SOCKET),
	FIELD("migrating_sk", 48, 8, 8, READ, .kind = FIELD_SOCK_COMMON_OR_NULL),
	FIELDS_END,
};

static const struct ctx_field sk_lookup_rows[] = {
	FIELD("sk", 0, 8, 8, READ, .kind = FIELD_SOCKET_OR_NULL),
	FIELD("family", 8, 4, 4, READ, NARROW), FIELD("protocol", 12, 4, 4, READ, NARROW),
	FIELD("remote_ip4", 16, 4, 4, READ, NARROW),
	FIELD("remote_ip6", 20, 16, 4, READ, NARROW),
	FIELD("remote_port", 36, 4, 4, READ, NARROW),
	FIELD("local_ip4", 40, 4, 4, READ, NARROW), FIELD("local_ip6", 44, 16, 4, READ, NARROW),
	FIELD("local_port", 60, 4, 4, READ, NARROW),
	FIELD("ingress_ifindex", 64, 4, 4, READ, NARROW),
	FIELDS_END,
};

/* --- control groups --- */

static const struct ctx_field sysctl_rows[] = {
	FIELD("write", 0, 4, 4, READ, NARROW), FIELD("file_pos", 4, 4, 4, READ, NARROW, WRITE),
	FIELDS_END,
};

#define GET ON(BPF_CGROUP_GETSOCKOPT)
#define SET ON(BPF_CGROUP_SETSOCKOPT)

static const struct ctx_field sockopt_rows[] = {
	FIELD("sk", 0, 8, 8, READ, .kind = FIELD_SOCKET),
	FIELD("optval", 8, 8, 8, READ, .kind = FIELD_SOCKOPT_START),
	FIELD("optval_end", 16, 8, 8, READ, .kind = FIELD_SOCKOPT_END),
	FIELD("level", 24, 4, 4, READ, WRITE, .attach_mask = SET),
	FIELD("level", 24, 4, 4, READ, .attach_mask = GET),
	FIELD("optname", 28, 4, 4, READ, WRITE, .attach_mask = SET),
	FIELD("optname", 28, 4, 4, READ, .attach_mask = GET),
	FIELD("optlen", 32, 4, 4, READ, WRITE),
	FIELD("retval", 36, 4, 4, READ, WRITE, .attach_mask = GET),
	FIELDS_END,
};

static const struct ctx_field cgroup_dev_rows[] = {
	FIELD("access_type", 0, 4, 4, READ, NARROW), FIELD("major", 4, 4, 4, READ),
	FIELD("minor", 8, 4, 4, READ),
	FIELDS_END,
};

const struct ctx_layout ctx_bpf_sock = { .name = "bpf_sock", .size = 80, .fields = sock_rows };
const struct ctx_layout ctx_sock_common = {
	.name = "bpf_sock", .size = 80, .fields = sock_common_rows,
};
const struct ctx_layout ctx_cgroup_sock = {
	.name = "bpf_sock", .size = 80, .fields = cgroup_sock_rows,
};
const struct ctx_layout ctx_bpf_tcp_sock = {
	.name = "bpf_tcp_sock", .size = 112, .fields = tcp_sock_rows,
};
const struct ctx_layout ctx_bpf_xdp_sock = {
	.name = "bpf_xdp_sock", .size = 4, .fields = xdp_sock_rows,
};
const struct ctx_layout ctx_sock_addr = {
	.name = "bpf_sock_addr", .size = 72, .fields = sock_addr_rows,
};
const struct ctx_layout ctx_sock_ops = {
	.name = "bpf_sock_ops", .size = 224, .fields = sock_ops_rows,
};
const struct ctx_layout ctx_sk_msg = { .name = "sk_msg_md", .size = 80, .fields = sk_msg_rows };
const struct ctx_layout ctx_sk_reuseport = {
	.name = "sk_reuseport_md", .size = 56, .fields = sk_reuseport_rows,
};
const struct ctx_layout ctx_sk_lookup = {
	.name = "bpf_sk_lookup", .size = 72, .fields = sk_lookup_rows,
};
const struct ctx_layout ctx_sysctl = { .name = "bpf_sysctl", .size = 8, .fields = sysctl_rows };
const struct ctx_layout ctx_sockopt = {
	.name = "bpf_sockopt", .size = 40, .fields = sockopt_rows,
};
const struct ctx_layout ctx_cgroup_dev = {
	.name = "bpf_cgroup_dev_ctx", .size = 12, .fields = cgroup_dev_rows,
};
