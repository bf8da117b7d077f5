/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * time.c - clocks. [runtime]
 */
#include "helper/list.h"

const struct helper helper_ktime_get_ns = {
	.id = 5,
	.name = "ktime_get_ns",
	.prototype = "u64 bpf_ktime_get_ns(void)",
	.doc = "Returns the monotonic time since boot in nanoseconds, without "
	       "time spent suspended.",
	.types = TYPES_ALL,
	.ret = { RET_INTEGER },
};

const struct helper helper_ktime_get_boot_ns = {
	.id = 125,
	.name = "ktime_get_boot_ns",
	.prototype = "u64 bpf_ktime_get_boot_ns(void)",
	.doc = "Returns the time since boot in nanoseconds, with time spent suspended.",
	.types = TYPES_ALL,
	.ret = { RET_INTEGER },
};

const struct helper helper_ktime_get_tai_ns = {
	.id = 208,
	.name = "ktime_get_tai_ns",
	.prototype = "u64 bpf_ktime_get_tai_ns(void)",
	.doc = "Returns international atomic time in nanoseconds.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
};

const struct helper helper_ktime_get_coarse_ns = {
	.id = 160,
	.name = "ktime_get_coarse_ns",
	.prototype = "u64 bpf_ktime_get_coarse_ns(void)",
	.doc = "Returns the monotonic time of the last tick in nanoseconds.",
	.types = TYPES_BASE & ~(TYPES_TRACING | TYPE(CGROUP_DEVICE) |
			  TYPE(CGROUP_SOCKOPT) | TYPE(NETFILTER)),
	.ret = { RET_INTEGER },
};

const struct helper helper_jiffies64 = {
	.id = 118,
	.name = "jiffies64",
	.prototype = "u64 bpf_jiffies64(void)",
	.doc = "Returns the kernel's 64-bit tick counter.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
};
