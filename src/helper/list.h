/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list.h - every helper descriptor by name, and names for the sets of program
 * types that may call one.
 *
 * Threads: immutable.
 */
#ifndef HELPER_LIST_H
#define HELPER_LIST_H

#include "helper/helper.h"

/* A descriptor leaves out what is zero; clang warns of that where gcc does not. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wmissing-field-initializers"
#endif

#define HELPER(name) extern const struct helper helper_##name;
#include "helper/list.def"

#define TYPE(name) (1ull << BPF_PROG_TYPE_##name)
#define ATTACH(name) (1ull << BPF_##name)

#define TYPES_ALL ((1ull << __MAX_BPF_PROG_TYPE) - 2)
/* Infrared decoders may call a short list of their own. */
#define TYPES_BASE (TYPES_ALL & ~(TYPE(LIRC_MODE2) | TYPE(EXT)))
#define TYPES_TC (TYPE(SCHED_CLS) | TYPE(SCHED_ACT))
#define TYPES_LWT (TYPE(LWT_IN) | TYPE(LWT_OUT) | TYPE(LWT_XMIT) | TYPE(LWT_SEG6LOCAL))
/* With an sk_buff that belongs to a socket. */
#define TYPES_SKB_SOCKET (TYPES_TC | TYPE(SOCKET_FILTER) | TYPE(CGROUP_SKB))
#define TYPES_SKB (TYPES_SKB_SOCKET | TYPES_LWT | TYPE(FLOW_DISSECTOR))
#define TYPES_CGROUP (TYPE(CGROUP_SKB) | TYPE(CGROUP_SOCK) | TYPE(CGROUP_DEVICE) |         \
		      TYPE(CGROUP_SOCK_ADDR) | TYPE(CGROUP_SYSCTL) | TYPE(CGROUP_SOCKOPT) | \
		      TYPE(SOCK_OPS))
/* Whose arguments are kernel objects known by BTF. */
#define TYPES_BTF (TYPE(TRACING) | TYPE(LSM) | TYPE(SYSCALL))
#define TYPES_TRACING (TYPES_BTF | TYPE(KPROBE) | TYPE(TRACEPOINT) | TYPE(PERF_EVENT) |     \
		       TYPE(RAW_TRACEPOINT) | TYPE(RAW_TRACEPOINT_WRITABLE))

/* Attached to a function through a trampoline that keeps its arguments. */
#define ATTACHES_TRAMPOLINE (ATTACH(TRACE_FENTRY) | ATTACH(TRACE_FEXIT) |               \
			     ATTACH(MODIFY_RETURN) | ATTACH(LSM_MAC) |                  \
			     ATTACH(TRACE_FSESSION) | ATTACH(TRACE_FENTRY_MULTI) |      \
			     ATTACH(TRACE_FEXIT_MULTI) | ATTACH(TRACE_FSESSION_MULTI))

#endif
