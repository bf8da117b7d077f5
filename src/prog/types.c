/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * types.c - every program type of Linux 7.3, one descriptor each.
 *
 * attach lists where a program of the type can be attached. Linux looks at the
 * expected attach type when it loads only some types; the others have
 * any_attach set.
 */
#include "prog/prog.h"

#include <string.h>

#include "base/base.h"
#include "prog/ctx.h"
#include "prog/returns.h"

static const char *const attach_names[__MAX_BPF_ATTACH_TYPE] = {
#define ATTACH(id, name) [BPF_##id] = name,
#include "prog/attach.def"
};

enum {
#define ATTACH(id, name) ATTACH_##id,
#include "prog/attach.def"
	ATTACH_COUNT
};
_Static_assert((int)ATTACH_COUNT == (int)__MAX_BPF_ATTACH_TYPE, "every attach type has a row");

#define AT(id) BPF_##id
#define POINTS(...) (const uint8_t[]){ __VA_ARGS__, ATTACH_END }
#define NOWHERE (const uint8_t[]){ ATTACH_END }

static const struct prog_type types[__MAX_BPF_PROG_TYPE] = {
	[BPF_PROG_TYPE_UNSPEC] = {
		.id = BPF_PROG_TYPE_UNSPEC, .name = "unspec", .doc = "No program: the type was not given.",
		.attach = NOWHERE,
	},
	[BPF_PROG_TYPE_SOCKET_FILTER] = {
		.id = BPF_PROG_TYPE_SOCKET_FILTER, .name = "socket_filter",
		.doc = "Decides how much of each packet that arrives at a socket is kept.",
		.ctx = &ctx_sk_buff_socket, .attach = NOWHERE, .any_attach = true,
		.legacy_packet = true, .packet = true,
	},
	[BPF_PROG_TYPE_KPROBE] = {
		.needs = NEEDS_BPF | NEEDS_PERFMON,
		.id = BPF_PROG_TYPE_KPROBE, .private_stack = true,
		.name = "kprobe", .doc = "Runs at an instruction of the kernel or of a process.",
		.ctx = &ctx_pt_regs,
		.attach = POINTS(AT(PERF_EVENT), AT(TRACE_KPROBE_MULTI), AT(TRACE_UPROBE_MULTI),
				 AT(TRACE_KPROBE_SESSION), AT(TRACE_UPROBE_SESSION)),
		.any_attach = true, .may_sleep = true, .returns = returns_kprobe,
	},
	[BPF_PROG_TYPE_SCHED_CLS] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN,
		.id = BPF_PROG_TYPE_SCHED_CLS, .name = "sched_cls", .doc = "Classifies and rewrites packets in traffic control.",
		.ctx = &ctx_sk_buff_tc,
		.attach = POINTS(AT(TCX_INGRESS), AT(TCX_EGRESS), AT(NETKIT_PRIMARY),
				 AT(NETKIT_PEER)),
		.any_attach = true, .direct_packet_read = true, .direct_packet_write = true,
		.legacy_packet = true, .packet = true,
	},
	[BPF_PROG_TYPE_SCHED_ACT] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN,
		.id = BPF_PROG_TYPE_SCHED_ACT, .name = "sched_act", .doc = "Acts on packets that traffic control has classified.",
		.ctx = &ctx_sk_buff_tc, .attach = NOWHERE, .any_attach = true,
		.direct_packet_read = true, .direct_packet_write = true, .legacy_packet = true,
		.packet = true,
	},
	[BPF_PROG_TYPE_TRACEPOINT] = {
		.needs = NEEDS_BPF | NEEDS_PERFMON,
		.id = BPF_PROG_TYPE_TRACEPOINT, .private_stack = true,
		.name = "tracepoint", .doc = "Runs at a tracepoint, on the record it writes.",
		.ctx = &ctx_tracepoint, .attach = POINTS(AT(PERF_EVENT)), .any_attach = true,
	},
	[BPF_PROG_TYPE_XDP] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN,
		.id = BPF_PROG_TYPE_XDP, .name = "xdp", .doc = "Sees a packet first, in the network driver.",
		.ctx = &ctx_xdp_md,
		.attach = POINTS(AT(XDP), AT(XDP_DEVMAP), AT(XDP_CPUMAP)), .any_attach = true,
		.direct_packet_read = true, .direct_packet_write = true, .packet = true,
	},
	[BPF_PROG_TYPE_PERF_EVENT] = {
		.needs = NEEDS_BPF | NEEDS_PERFMON,
		.id = BPF_PROG_TYPE_PERF_EVENT, .private_stack = true,
		.name = "perf_event", .doc = "Runs when a performance counter overflows.",
		.ctx = &ctx_perf_event, .attach = POINTS(AT(PERF_EVENT)), .any_attach = true,
	},
	[BPF_PROG_TYPE_CGROUP_SKB] = {
		.id = BPF_PROG_TYPE_CGROUP_SKB, .name = "cgroup_skb", .doc = "Lets packets of a control group pass, or drops them.",
		.ctx = &ctx_sk_buff_cgroup,
		.attach = POINTS(AT(CGROUP_INET_INGRESS), AT(CGROUP_INET_EGRESS)),
		.direct_packet_read = true, .packet = true, .returns = returns_cgroup_skb,
	},
	[BPF_PROG_TYPE_CGROUP_SOCK] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN,
		.id = BPF_PROG_TYPE_CGROUP_SOCK, .name = "cgroup_sock",
		.doc = "Decides about sockets that a control group creates, binds, releases.",
		.ctx = &ctx_cgroup_sock,
		.attach = POINTS(AT(CGROUP_INET_SOCK_CREATE), AT(CGROUP_INET_SOCK_RELEASE),
				 AT(CGROUP_INET4_POST_BIND), AT(CGROUP_INET6_POST_BIND)),
		.returns = returns_bool,
	},
	[BPF_PROG_TYPE_LWT_IN] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN,
		.id = BPF_PROG_TYPE_LWT_IN, .name = "lwt_in", .doc = "Runs where a route's lightweight tunnel receives.",
		.ctx = &ctx_sk_buff_lwt, .attach = NOWHERE, .any_attach = true,
		.direct_packet_read = true, .packet = true,
	},
	[BPF_PROG_TYPE_LWT_OUT] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN,
		.id = BPF_PROG_TYPE_LWT_OUT, .name = "lwt_out", .doc = "Runs where a route's lightweight tunnel sends.",
		.ctx = &ctx_sk_buff_lwt, .attach = NOWHERE, .any_attach = true,
		.direct_packet_read = true, .packet = true,
	},
	[BPF_PROG_TYPE_LWT_XMIT] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN,
		.id = BPF_PROG_TYPE_LWT_XMIT, .name = "lwt_xmit",
		.doc = "Runs just before a lightweight tunnel transmits; may rewrite packets.",
		.ctx = &ctx_sk_buff_lwt, .attach = NOWHERE, .any_attach = true,
		.direct_packet_read = true, .direct_packet_write = true, .packet = true,
	},
	[BPF_PROG_TYPE_SOCK_OPS] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN,
		.id = BPF_PROG_TYPE_SOCK_OPS, .name = "sock_ops", .doc = "Tunes TCP connections as they change state.",
		.ctx = &ctx_sock_ops, .attach = POINTS(AT(CGROUP_SOCK_OPS)), .any_attach = true,
		.direct_packet_read = true, .returns = returns_bool,
	},
	[BPF_PROG_TYPE_SK_SKB] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN,
		.id = BPF_PROG_TYPE_SK_SKB, .name = "sk_skb", .doc = "Parses a stream into messages and says where they go.",
		.ctx = &ctx_sk_buff_stream,
		.attach = POINTS(AT(SK_SKB_STREAM_PARSER), AT(SK_SKB_STREAM_VERDICT),
				 AT(SK_SKB_VERDICT)),
		.any_attach = true, .direct_packet_read = true, .direct_packet_write = true,
		.packet = true,
	},
	[BPF_PROG_TYPE_CGROUP_DEVICE] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN,
		.id = BPF_PROG_TYPE_CGROUP_DEVICE, .name = "cgroup_device",
		.doc = "Decides whether a control group may use a device file.",
		.ctx = &ctx_cgroup_dev, .attach = POINTS(AT(CGROUP_DEVICE)), .any_attach = true,
		.returns = returns_bool,
	},
	[BPF_PROG_TYPE_SK_MSG] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN,
		.id = BPF_PROG_TYPE_SK_MSG, .name = "sk_msg", .doc = "Decides about each message sent on a socket in a map.",
		.ctx = &ctx_sk_msg, .attach = POINTS(AT(SK_MSG_VERDICT)), .any_attach = true,
		.direct_packet_read = true, .direct_packet_write = true,
	},
	[BPF_PROG_TYPE_RAW_TRACEPOINT] = {
		.needs = NEEDS_BPF | NEEDS_PERFMON,
		.id = BPF_PROG_TYPE_RAW_TRACEPOINT, .private_stack = true,
		.name = "raw_tracepoint",
		.doc = "Runs at a tracepoint, on the arguments it was given.",
		.ctx = &ctx_raw_tracepoint, .attach = NOWHERE, .any_attach = true,
	},
	[BPF_PROG_TYPE_CGROUP_SOCK_ADDR] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN,
		.id = BPF_PROG_TYPE_CGROUP_SOCK_ADDR, .name = "cgroup_sock_addr",
		.doc = "Sees and changes the addresses a control group's sockets use.",
		.ctx = &ctx_sock_addr,
		.attach = POINTS(AT(CGROUP_INET4_BIND), AT(CGROUP_INET6_BIND),
				 AT(CGROUP_INET4_CONNECT), AT(CGROUP_INET6_CONNECT),
				 AT(CGROUP_UNIX_CONNECT), AT(CGROUP_UDP4_SENDMSG),
				 AT(CGROUP_UDP6_SENDMSG), AT(CGROUP_UNIX_SENDMSG),
				 AT(CGROUP_UDP4_RECVMSG), AT(CGROUP_UDP6_RECVMSG),
				 AT(CGROUP_UNIX_RECVMSG), AT(CGROUP_INET4_GETPEERNAME),
				 AT(CGROUP_INET6_GETPEERNAME), AT(CGROUP_UNIX_GETPEERNAME),
				 AT(CGROUP_INET4_GETSOCKNAME), AT(CGROUP_INET6_GETSOCKNAME),
				 AT(CGROUP_UNIX_GETSOCKNAME)),
		.returns = returns_sock_addr,
	},
	[BPF_PROG_TYPE_LWT_SEG6LOCAL] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN,
		.id = BPF_PROG_TYPE_LWT_SEG6LOCAL, .name = "lwt_seg6local", .doc = "Acts on IPv6 packets with segment routing.",
		.ctx = &ctx_sk_buff_lwt, .attach = NOWHERE, .any_attach = true,
		.direct_packet_read = true, .packet = true,
	},
	[BPF_PROG_TYPE_LIRC_MODE2] = {
		.needs = NEEDS_BPF,
		.id = BPF_PROG_TYPE_LIRC_MODE2, .name = "lirc_mode2", .doc = "Decodes infrared remote controls.",
		.ctx = &ctx_lirc, .attach = POINTS(AT(LIRC_MODE2)), .any_attach = true,
	},
	[BPF_PROG_TYPE_SK_REUSEPORT] = {
		.needs = NEEDS_BPF,
		.id = BPF_PROG_TYPE_SK_REUSEPORT, .name = "sk_reuseport",
		.doc = "Chooses the socket of a group that shares a port.",
		.ctx = &ctx_sk_reuseport,
		.attach = POINTS(AT(SK_REUSEPORT_SELECT), AT(SK_REUSEPORT_SELECT_OR_MIGRATE)),
		.direct_packet_read = true,
	},
	[BPF_PROG_TYPE_FLOW_DISSECTOR] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN,
		.id = BPF_PROG_TYPE_FLOW_DISSECTOR, .name = "flow_dissector", .doc = "Takes a packet's flow keys out of its headers.",
		.ctx = &ctx_sk_buff_flow, .attach = POINTS(AT(FLOW_DISSECTOR)),
		.any_attach = true, .direct_packet_read = true, .packet = true,
	},
	[BPF_PROG_TYPE_CGROUP_SYSCTL] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN,
		.id = BPF_PROG_TYPE_CGROUP_SYSCTL, .name = "cgroup_sysctl",
		.doc = "Decides about a control group's reads and writes of kernel settings.",
		.ctx = &ctx_sysctl, .attach = POINTS(AT(CGROUP_SYSCTL)), .any_attach = true,
		.returns = returns_bool,
	},
	[BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE] = {
		.needs = NEEDS_BPF | NEEDS_PERFMON,
		.id = BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, .name = "raw_tracepoint_writable",
		.doc = "Runs at a tracepoint and may write what it shares.",
		.ctx = &ctx_raw_tracepoint_writable, .attach = NOWHERE, .any_attach = true,
	},
	[BPF_PROG_TYPE_CGROUP_SOCKOPT] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN,
		.id = BPF_PROG_TYPE_CGROUP_SOCKOPT, .name = "cgroup_sockopt",
		.doc = "Sees and changes socket options a control group gets and sets.",
		.ctx = &ctx_sockopt,
		.attach = POINTS(AT(CGROUP_GETSOCKOPT), AT(CGROUP_SETSOCKOPT)),
		.direct_packet_read = true, .direct_packet_write = true,
		.returns = returns_bool,
	},
	[BPF_PROG_TYPE_TRACING] = {
		.needs = NEEDS_BPF | NEEDS_PERFMON,
		.id = BPF_PROG_TYPE_TRACING, .private_stack = true,
		.name = "tracing",
		.doc = "Runs at a kernel function or tracepoint with typed arguments.",
		.ctx = &ctx_btf_args,
		.attach = POINTS(AT(TRACE_RAW_TP), AT(TRACE_FENTRY), AT(TRACE_FEXIT),
				 AT(MODIFY_RETURN), AT(TRACE_ITER), AT(TRACE_FSESSION),
				 AT(TRACE_FENTRY_MULTI), AT(TRACE_FEXIT_MULTI),
				 AT(TRACE_FSESSION_MULTI)),
		.may_sleep = true, .returns = returns_tracing,
	},
	[BPF_PROG_TYPE_STRUCT_OPS] = {
		.needs = NEEDS_BPF | NEEDS_PERFMON,
		.id = BPF_PROG_TYPE_STRUCT_OPS, .name = "struct_ops", .doc = "Implements one operation of a kernel structure.",
		.ctx = &ctx_btf_args, .attach = POINTS(AT(STRUCT_OPS)), .any_attach = true,
		.may_sleep = true, .gpl_only = true,
	},
	[BPF_PROG_TYPE_EXT] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN | NEEDS_PERFMON,
		.id = BPF_PROG_TYPE_EXT, .name = "ext", .doc = "Replaces a global function of another program.",
		.ctx = &ctx_btf_args, .attach = NOWHERE,
	},
	[BPF_PROG_TYPE_LSM] = {
		.needs = NEEDS_BPF | NEEDS_PERFMON,
		.id = BPF_PROG_TYPE_LSM, .name = "lsm", .doc = "Decides at a security hook of the kernel.",
		.ctx = &ctx_btf_args, .attach = POINTS(AT(LSM_MAC), AT(LSM_CGROUP)),
		.may_sleep = true, .gpl_only = true, .returns = returns_lsm,
	},
	[BPF_PROG_TYPE_SK_LOOKUP] = {
		.needs = NEEDS_BPF,
		.id = BPF_PROG_TYPE_SK_LOOKUP, .name = "sk_lookup", .doc = "Chooses the socket that an arriving packet is for.",
		.ctx = &ctx_sk_lookup, .attach = POINTS(AT(SK_LOOKUP)), .returns = returns_bool,
	},
	[BPF_PROG_TYPE_SYSCALL] = {
		.needs = NEEDS_BPF,
		.id = BPF_PROG_TYPE_SYSCALL, .name = "syscall", .doc = "Runs on behalf of a process and makes bpf() calls.",
		.ctx = &ctx_syscall, .attach = NOWHERE, .may_sleep = true,
	},
	[BPF_PROG_TYPE_NETFILTER] = {
		.needs = NEEDS_BPF | NEEDS_NET_ADMIN,
		.id = BPF_PROG_TYPE_NETFILTER, .name = "netfilter", .doc = "Accepts or drops packets at a netfilter hook.",
		.ctx = &ctx_netfilter, .attach = POINTS(AT(NETFILTER)), .returns = returns_bool,
	},
};

const struct prog_type *prog_type(uint32_t id)
{
	return id < ARRAY_SIZE(types) ? &types[id] : NULL;
}

const struct prog_type *prog_type_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].name, name) == 0)
			return &types[i];
	return NULL;
}

const char *attach_type_name(uint32_t attach)
{
	return attach < ARRAY_SIZE(attach_names) ? attach_names[attach] : NULL;
}

static bool listed(const struct prog_type *type, uint32_t attach)
{
	for (const uint8_t *at = type->attach; *at != ATTACH_END; at++)
		if (*at == attach)
			return true;
	return false;
}

/*
 * Types that existed before there was an expected attach type take 0 for their
 * first; types without attach points insist on 0.
 */
bool prog_type_attaches(const struct prog_type *type, uint32_t attach)
{
	if (type->any_attach || listed(type, attach))
		return true;
	if (attach != 0)
		return false;
	return type->id == BPF_PROG_TYPE_CGROUP_SOCK || type->id == BPF_PROG_TYPE_SK_REUSEPORT ||
	       type->attach[0] == ATTACH_END;
}

/* The licences that give a program the GPL-only helpers. */
bool license_is_gpl(const char *license)
{
	static const char *const free_enough[] = {
		"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL",
		"Dual MPL/GPL",
	};

	for (size_t i = 0; license && i < ARRAY_SIZE(free_enough); i++)
		if (strcmp(license, free_enough[i]) == 0)
			return true;
	return false;
}
