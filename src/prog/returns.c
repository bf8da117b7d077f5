/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * returns.c - what programs of each type may return.
 *
 * Where a return value decides something, the kernel insists on values it has
 * a meaning for; elsewhere it takes any.
 */
#include "prog/returns.h"

static struct return_range between(int64_t min, int64_t max)
{
	return (struct return_range){ .min = min, .max = max, .checked = true };
}

static const struct return_range anything = { .checked = false };

/* 0: refuse, 1: let it be. */
struct return_range returns_bool(uint32_t attach)
{
	(void)attach;
	return between(0, 1);
}

/* A session's entry says whether its return is wanted too. */
struct return_range returns_kprobe(uint32_t attach)
{
	if (attach == BPF_TRACE_KPROBE_SESSION || attach == BPF_TRACE_UPROBE_SESSION)
		return between(0, 1);
	return anything;
}

/* On the way out bit 1 reports congestion. */
struct return_range returns_cgroup_skb(uint32_t attach)
{
	return between(0, attach == BPF_CGROUP_INET_EGRESS ? 3 : 1);
}

/* bind: bit 1 lifts the need for the right to low ports. What only tells of an
 * address cannot refuse. */
struct return_range returns_sock_addr(uint32_t attach)
{
	static const uint64_t tells =
		UINT64_C(1) << BPF_CGROUP_UDP4_RECVMSG | UINT64_C(1) << BPF_CGROUP_UDP6_RECVMSG |
		UINT64_C(1) << BPF_CGROUP_INET4_GETPEERNAME |
		UINT64_C(1) << BPF_CGROUP_INET6_GETPEERNAME |
		UINT64_C(1) << BPF_CGROUP_INET4_GETSOCKNAME |
		UINT64_C(1) << BPF_CGROUP_INET6_GETSOCKNAME |
		UINT64_C(1) << BPF_CGROUP_UNIX_RECVMSG |
		UINT64_C(1) << BPF_CGROUP_UNIX_GETPEERNAME |
		UINT64_C(1) << BPF_CGROUP_UNIX_GETSOCKNAME;

	if (attach == BPF_CGROUP_INET4_BIND || attach == BPF_CGROUP_INET6_BIND)
		return between(0, 3);
	if (attach < 64 && (tells >> attach & 1))
		return between(1, 1);
	return between(0, 1);
}

/* What is traced is not influenced; an iterator may ask for its item again. */
struct return_range returns_tracing(uint32_t attach)
{
	if (attach == BPF_MODIFY_RETURN || attach == BPF_TRACE_RAW_TP)
		return anything;
	if (attach == BPF_TRACE_ITER)
		return between(0, 1);
	return between(0, 0);
}

/* For a hook that returns int: an errno to refuse. Hooks of other types are
 * judged by their BTF. */
struct return_range returns_lsm(uint32_t attach)
{
	if (attach == BPF_LSM_CGROUP)
		return between(0, 1);
	return between(-4095, 0);
}
