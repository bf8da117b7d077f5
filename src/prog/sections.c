/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sections.c - what a section's name says about the program in it.
 *
 * One row per pattern of libbpf 1.x. "kprobe+" stands for "kprobe" and for
 * "kprobe/anything"; a name without the plus must match to the letter. A
 * leading '?' makes the program one that is loaded only when asked for.
 */
#include <string.h>

#include "base/base.h"
#include "prog/prog.h"

enum {
	SLEEPABLE = 1 << 0,
	FRAGS = 1 << 1,
	ATTACH_BTF = 1 << 2, /* the target is found in BTF when it is loaded */
	NO_ATTACH = 1 << 3,  /* the row gives no expected attach type */
};

struct section_row {
	const char *pattern;
	uint32_t type, attach, flags;
};

static const struct section_row rows[] = {
#define ROW(pattern, type, attach, flags) { pattern, BPF_PROG_TYPE_##type, attach, flags },
#define BARE(pattern, type, flags) { pattern, BPF_PROG_TYPE_##type, 0, NO_ATTACH | (flags) },
	BARE("socket", SOCKET_FILTER, 0)
	ROW("sk_reuseport/migrate", SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT_OR_MIGRATE, 0)
	ROW("sk_reuseport", SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT, 0)
	BARE("kprobe+", KPROBE, 0)
	BARE("kretprobe+", KPROBE, 0)
	BARE("uprobe+", KPROBE, 0)
	BARE("uprobe.s+", KPROBE, SLEEPABLE)
	BARE("uretprobe+", KPROBE, 0)
	BARE("uretprobe.s+", KPROBE, SLEEPABLE)
	ROW("kprobe.multi+", KPROBE, BPF_TRACE_KPROBE_MULTI, 0)
	ROW("kretprobe.multi+", KPROBE, BPF_TRACE_KPROBE_MULTI, 0)
	ROW("kprobe.session+", KPROBE, BPF_TRACE_KPROBE_SESSION, 0)
	ROW("uprobe.multi+", KPROBE, BPF_TRACE_UPROBE_MULTI, 0)
	ROW("uprobe.multi.s+", KPROBE, BPF_TRACE_UPROBE_MULTI, SLEEPABLE)
	ROW("uretprobe.multi+", KPROBE, BPF_TRACE_UPROBE_MULTI, 0)
	ROW("uretprobe.multi.s+", KPROBE, BPF_TRACE_UPROBE_MULTI, SLEEPABLE)
	ROW("uprobe.session+", KPROBE, BPF_TRACE_UPROBE_SESSION, 0)
	ROW("uprobe.session.s+", KPROBE, BPF_TRACE_UPROBE_SESSION, SLEEPABLE)
	BARE("ksyscall+", KPROBE, 0)
	BARE("kretsyscall+", KPROBE, 0)
	BARE("usdt+", KPROBE, 0)
	BARE("usdt.s+", KPROBE, SLEEPABLE)
	ROW("tc/ingress", SCHED_CLS, BPF_TCX_INGRESS, 0)
	ROW("tc/egress", SCHED_CLS, BPF_TCX_EGRESS, 0)
	ROW("tcx/ingress", SCHED_CLS, BPF_TCX_INGRESS, 0)
	ROW("tcx/egress", SCHED_CLS, BPF_TCX_EGRESS, 0)
	ROW("netkit/primary", SCHED_CLS, BPF_NETKIT_PRIMARY, 0)
	ROW("netkit/peer", SCHED_CLS, BPF_NETKIT_PEER, 0)
	BARE("tc", SCHED_CLS, 0)
	BARE("classifier", SCHED_CLS, 0)
	BARE("action", SCHED_ACT, 0)
	BARE("tracepoint+", TRACEPOINT, 0)
	BARE("tp+", TRACEPOINT, 0)
	BARE("raw_tracepoint+", RAW_TRACEPOINT, 0)
	BARE("raw_tp+", RAW_TRACEPOINT, 0)
	BARE("raw_tracepoint.w+", RAW_TRACEPOINT_WRITABLE, 0)
	BARE("raw_tp.w+", RAW_TRACEPOINT_WRITABLE, 0)
	ROW("tp_btf+", TRACING, BPF_TRACE_RAW_TP, ATTACH_BTF)
	ROW("fentry+", TRACING, BPF_TRACE_FENTRY, ATTACH_BTF)
	ROW("fmod_ret+", TRACING, BPF_MODIFY_RETURN, ATTACH_BTF)
	ROW("fexit+", TRACING, BPF_TRACE_FEXIT, ATTACH_BTF)
	ROW("fsession+", TRACING, BPF_TRACE_FSESSION, ATTACH_BTF)
	ROW("fentry.s+", TRACING, BPF_TRACE_FENTRY, ATTACH_BTF | SLEEPABLE)
	ROW("fmod_ret.s+", TRACING, BPF_MODIFY_RETURN, ATTACH_BTF | SLEEPABLE)
	ROW("fexit.s+", TRACING, BPF_TRACE_FEXIT, ATTACH_BTF | SLEEPABLE)
	ROW("fsession.s+", TRACING, BPF_TRACE_FSESSION, ATTACH_BTF | SLEEPABLE)
	BARE("freplace+", EXT, ATTACH_BTF)
	ROW("lsm+", LSM, BPF_LSM_MAC, ATTACH_BTF)
	ROW("lsm.s+", LSM, BPF_LSM_MAC, ATTACH_BTF | SLEEPABLE)
	ROW("lsm_cgroup+", LSM, BPF_LSM_CGROUP, ATTACH_BTF)
	ROW("iter+", TRACING, BPF_TRACE_ITER, ATTACH_BTF)
	ROW("iter.s+", TRACING, BPF_TRACE_ITER, ATTACH_BTF | SLEEPABLE)
	BARE("syscall", SYSCALL, SLEEPABLE)
	ROW("xdp.frags/devmap", XDP, BPF_XDP_DEVMAP, FRAGS)
	ROW("xdp/devmap", XDP, BPF_XDP_DEVMAP, 0)
	ROW("xdp.frags/cpumap", XDP, BPF_XDP_CPUMAP, FRAGS)
	ROW("xdp/cpumap", XDP, BPF_XDP_CPUMAP, 0)
	ROW("xdp.frags", XDP, BPF_XDP, FRAGS)
	ROW("xdp", XDP, BPF_XDP, 0)
	BARE("perf_event", PERF_EVENT, 0)
	BARE("lwt_in", LWT_IN, 0)
	BARE("lwt_out", LWT_OUT, 0)
	BARE("lwt_xmit", LWT_XMIT, 0)
	BARE("lwt_seg6local", LWT_SEG6LOCAL, 0)
	ROW("sockops", SOCK_OPS, BPF_CGROUP_SOCK_OPS, 0)
	ROW("sk_skb/stream_parser", SK_SKB, BPF_SK_SKB_STREAM_PARSER, 0)
	ROW("sk_skb/stream_verdict", SK_SKB, BPF_SK_SKB_STREAM_VERDICT, 0)
	ROW("sk_skb/verdict", SK_SKB, BPF_SK_SKB_VERDICT, 0)
	BARE("sk_skb", SK_SKB, 0)
	ROW("sk_msg", SK_MSG, BPF_SK_MSG_VERDICT, 0)
	ROW("lirc_mode2", LIRC_MODE2, BPF_LIRC_MODE2, 0)
	ROW("flow_dissector", FLOW_DISSECTOR, BPF_FLOW_DISSECTOR, 0)
	ROW("cgroup_skb/ingress", CGROUP_SKB, BPF_CGROUP_INET_INGRESS, 0)
	ROW("cgroup_skb/egress", CGROUP_SKB, BPF_CGROUP_INET_EGRESS, 0)
	BARE("cgroup/skb", CGROUP_SKB, 0)
	ROW("cgroup/sock_create", CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE, 0)
	ROW("cgroup/sock_release", CGROUP_SOCK, BPF_CGROUP_INET_SOCK_RELEASE, 0)
	ROW("cgroup/sock", CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE, 0)
	ROW("cgroup/post_bind4", CGROUP_SOCK, BPF_CGROUP_INET4_POST_BIND, 0)
	ROW("cgroup/post_bind6", CGROUP_SOCK, BPF_CGROUP_INET6_POST_BIND, 0)
	ROW("cgroup/bind4", CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND, 0)
	ROW("cgroup/bind6", CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_BIND, 0)
	ROW("cgroup/connect4", CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, 0)
	ROW("cgroup/connect6", CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_CONNECT, 0)
	ROW("cgroup/connect_unix", CGROUP_SOCK_ADDR, BPF_CGROUP_UNIX_CONNECT, 0)
	ROW("cgroup/sendmsg4", CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG, 0)
	ROW("cgroup/sendmsg6", CGROUP_SOCK_ADDR, BPF_CGROUP_UDP6_SENDMSG, 0)
	ROW("cgroup/sendmsg_unix", CGROUP_SOCK_ADDR, BPF_CGROUP_UNIX_SENDMSG, 0)
	ROW("cgroup/recvmsg4", CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_RECVMSG, 0)
	ROW("cgroup/recvmsg6", CGROUP_SOCK_ADDR, BPF_CGROUP_UDP6_RECVMSG, 0)
	ROW("cgroup/recvmsg_unix", CGROUP_SOCK_ADDR, BPF_CGROUP_UNIX_RECVMSG, 0)
	ROW("cgroup/getpeername4", CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_GETPEERNAME, 0)
	ROW("cgroup/getpeername6", CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_GETPEERNAME, 0)
	ROW("cgroup/getpeername_unix", CGROUP_SOCK_ADDR, BPF_CGROUP_UNIX_GETPEERNAME, 0)
	ROW("cgroup/getsockname4", CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_GETSOCKNAME, 0)
	ROW("cgroup/getsockname6", CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_GETSOCKNAME, 0)
	ROW("cgroup/getsockname_unix", CGROUP_SOCK_ADDR, BPF_CGROUP_UNIX_GETSOCKNAME, 0)
	ROW("cgroup/sysctl", CGROUP_SYSCTL, BPF_CGROUP_SYSCTL, 0)
	ROW("cgroup/getsockopt", CGROUP_SOCKOPT, BPF_CGROUP_GETSOCKOPT, 0)
	ROW("cgroup/setsockopt", CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT, 0)
	ROW("cgroup/dev", CGROUP_DEVICE, BPF_CGROUP_DEVICE, 0)
	BARE("struct_ops+", STRUCT_OPS, 0)
	BARE("struct_ops.s+", STRUCT_OPS, SLEEPABLE)
	ROW("sk_lookup", SK_LOOKUP, BPF_SK_LOOKUP, 0)
	ROW("netfilter", NETFILTER, BPF_NETFILTER, 0)
#undef ROW
#undef BARE
};

/* Does the name fit the pattern? *rest: what follows the slash, or NULL. */
static bool row_fits(const char *pattern, const char *name, const char **rest)
{
	size_t len = strlen(pattern);

	*rest = NULL;
	if (pattern[len - 1] != '+')
		return strcmp(pattern, name) == 0;
	len--;
	if (strncmp(pattern, name, len) != 0)
		return false;
	if (name[len] == '/')
		*rest = name + len + 1;
	return name[len] == '\0' || name[len] == '/';
}

bool section_match(const char *name, struct section_match *match)
{
	bool optional = name[0] == '?';
	const char *rest;

	name += optional;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct section_row *row = &rows[i];

		if (!row_fits(row->pattern, name, &rest))
			continue;
		*match = (struct section_match){
			.type = prog_type(row->type),
			.attach = row->attach,
			.has_attach = !(row->flags & NO_ATTACH),
			.target = rest,
			.sleepable = row->flags & SLEEPABLE,
			.optional = optional,
			.frags = row->flags & FRAGS,
			.attach_btf = row->flags & ATTACH_BTF,
			.prefix = row->pattern,
		};
		return true;
	}
	return false;
}
