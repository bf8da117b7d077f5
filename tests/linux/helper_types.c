/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * helper_types.c - which program types may call which helper: our table against
 * the running kernel's.
 *
 * A program of the type that does nothing but call the helper is loaded. The
 * kernel says "cannot use helper" (or "unknown func") where the type may not
 * call it, and finds fault with the arguments where it may. Kernels before 6.18
 * let fewer types call; there, only what they let and we do not is wrong.
 */
#include <stdlib.h>
#include <sys/utsname.h>

#include "base/base.h"
#include "bytecode.h"
#include "helper/list.h"

static const struct {
	uint32_t type, attach;
} probes[] = {
#define PROBE(type, attach) { BPF_PROG_TYPE_##type, attach }
	PROBE(SOCKET_FILTER, 0), PROBE(KPROBE, 0), PROBE(KPROBE, BPF_TRACE_KPROBE_MULTI),
	PROBE(KPROBE, BPF_TRACE_UPROBE_MULTI), PROBE(KPROBE, BPF_TRACE_KPROBE_SESSION),
	PROBE(SCHED_CLS, 0), PROBE(SCHED_CLS, BPF_TCX_INGRESS), PROBE(SCHED_ACT, 0),
	PROBE(TRACEPOINT, 0), PROBE(XDP, BPF_XDP), PROBE(XDP, BPF_XDP_DEVMAP),
	PROBE(PERF_EVENT, 0), PROBE(CGROUP_SKB, BPF_CGROUP_INET_INGRESS),
	PROBE(CGROUP_SKB, BPF_CGROUP_INET_EGRESS),
	PROBE(CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE),
	PROBE(CGROUP_SOCK, BPF_CGROUP_INET4_POST_BIND),
	PROBE(CGROUP_SOCK, BPF_CGROUP_INET_SOCK_RELEASE), PROBE(LWT_IN, 0), PROBE(LWT_OUT, 0),
	PROBE(LWT_XMIT, 0), PROBE(LWT_SEG6LOCAL, 0), PROBE(SOCK_OPS, BPF_CGROUP_SOCK_OPS),
	PROBE(SK_SKB, BPF_SK_SKB_STREAM_PARSER), PROBE(SK_SKB, BPF_SK_SKB_VERDICT),
	PROBE(CGROUP_DEVICE, BPF_CGROUP_DEVICE), PROBE(SK_MSG, BPF_SK_MSG_VERDICT),
	PROBE(RAW_TRACEPOINT, 0), PROBE(CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND),
	PROBE(CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT),
	PROBE(CGROUP_SOCK_ADDR, BPF_CGROUP_UDP6_SENDMSG),
	PROBE(CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_RECVMSG),
	PROBE(CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_GETPEERNAME),
	PROBE(CGROUP_SOCK_ADDR, BPF_CGROUP_UNIX_CONNECT),
	PROBE(CGROUP_SOCK_ADDR, BPF_CGROUP_UNIX_RECVMSG),
	PROBE(SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT), PROBE(FLOW_DISSECTOR, BPF_FLOW_DISSECTOR),
	PROBE(CGROUP_SYSCTL, BPF_CGROUP_SYSCTL), PROBE(RAW_TRACEPOINT_WRITABLE, 0),
	PROBE(CGROUP_SOCKOPT, BPF_CGROUP_GETSOCKOPT),
	PROBE(CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT), PROBE(SK_LOOKUP, BPF_SK_LOOKUP),
	PROBE(SYSCALL, 0), PROBE(NETFILTER, BPF_NETFILTER),
#undef PROBE
};

/* 1: the kernel lets the type call it, 0: it does not, -1: it knows no such type. */
static int kernel_lets(uint32_t type, uint32_t attach, uint32_t helper)
{
	struct bytecode code = { .count = 0 };
	int fd;

	emit(&code, 0x85, 0, 0, 0, (int)helper);
	emit(&code, 0xb7, 0, 0, 0, 0);
	emit(&code, 0x95, 0, 0, 0, 0);
	bytecode_log[0] = '\0';
	fd = bytecode_load_as(type, attach, type == BPF_PROG_TYPE_SYSCALL ? BPF_F_SLEEPABLE : 0,
			      &code);
	if (fd >= 0)
		close(fd);
	if (strstr(bytecode_log, "cannot use helper") || strstr(bytecode_log, "unknown func"))
		return 0;
	return fd >= 0 || bytecode_log[0] ? 1 : -1;
}

/* Depends on how the kernel was built and locked down. */
static bool by_configuration(uint32_t helper)
{
	return helper == helper_probe_write_user.id || helper == helper_override_return.id;
}

static bool kernel_is_new(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	sscanf(name.release, "%d.%d", &major, &minor);
	return major > 6 || (major == 6 && minor >= 18);
}

int main(void)
{
	unsigned failed = 0, asked = 0;
	bool new;

	if (!bytecode_works())
		return SKIPPED;
	new = kernel_is_new();
	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		uint32_t type = probes[i].type, attach = probes[i].attach;

		for (uint32_t id = 1; id < HELPER_ID_MAX; id++) {
			int theirs = kernel_lets(type, attach, id);
			bool ours = helper_get(id, type, attach);

			if (theirs < 0 || by_configuration(id))
				continue;
			asked++;
			if (ours == theirs || (!new && ours))
				continue;
			printf("type %u attach %u: %s is %s here, not in the kernel\n", type, attach,
			       helper_by_id(id)->name, ours ? "allowed" : "refused");
			failed++;
		}
	}
	printf("%u of %u answers differ\n", failed, asked);
	return failed || !asked;
}
