/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * time.c - clocks. [runtime]
 */
#include "helper/list.h"

#include <time.h>

#include "helper/clock.h"

static uint64_t ktime_get_ns(struct vm *vm, const uint64_t arg[5])
{
	(void)vm, (void)arg;
	return clock_ns(CLOCK_MONOTONIC);
}

const struct helper helper_ktime_get_ns = {
	.id = 5,
	.name = "ktime_get_ns",
	.prototype = "u64 bpf_ktime_get_ns(void)",
	.doc = "Returns the monotonic time since boot in nanoseconds, without "
	       "time spent suspended.",
	.types = TYPES_ALL,
	.ret = { RET_INTEGER },
	.call = ktime_get_ns,
};

static uint64_t ktime_get_boot_ns(struct vm *vm, const uint64_t arg[5])
{
	(void)vm, (void)arg;
	return clock_ns(CLOCK_BOOTTIME);
}

const struct helper helper_ktime_get_boot_ns = {
	.id = 125,
	.name = "ktime_get_boot_ns",
	.prototype = "u64 bpf_ktime_get_boot_ns(void)",
	.doc = "Returns the time since boot in nanoseconds, with time spent suspended.",
	.types = TYPES_ALL,
	.ret = { RET_INTEGER },
	.call = ktime_get_boot_ns,
};

static uint64_t ktime_get_tai_ns(struct vm *vm, const uint64_t arg[5])
{
	(void)vm, (void)arg;
	return clock_ns(CLOCK_TAI);
}

const struct helper helper_ktime_get_tai_ns = {
	.id = 208,
	.name = "ktime_get_tai_ns",
	.prototype = "u64 bpf_ktime_get_tai_ns(void)",
	.doc = "Returns international atomic time in nanoseconds.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.call = ktime_get_tai_ns,
};

static uint64_t ktime_get_coarse_ns(struct vm *vm, const uint64_t arg[5])
{
	(void)vm, (void)arg;
	return clock_ns(CLOCK_MONOTONIC_COARSE);
}

const struct helper helper_ktime_get_coarse_ns = {
	.id = 160,
	.name = "ktime_get_coarse_ns",
	.prototype = "u64 bpf_ktime_get_coarse_ns(void)",
	.doc = "Returns the monotonic time of the last tick in nanoseconds.",
	.types = TYPES_BASE & ~(TYPES_TRACING | TYPE(CGROUP_DEVICE) |
			  TYPE(CGROUP_SOCKOPT) | TYPE(NETFILTER)),
	.ret = { RET_INTEGER },
	.call = ktime_get_coarse_ns,
};

/*
 * The kernel's counter starts five minutes before it wraps in 32 bits, to bring
 * out mistakes; user space sees how long a tick is, and how many went by.
 */
static uint64_t jiffies64(struct vm *vm, const uint64_t arg[5])
{
	uint64_t tick = clock_tick_ns();
	uint64_t five_minutes = 300u * (1000000000u / tick);

	(void)vm, (void)arg;
	return (uint32_t)-five_minutes + clock_ns(CLOCK_MONOTONIC_COARSE) / tick;
}

const struct helper helper_jiffies64 = {
	.id = 118,
	.name = "jiffies64",
	.needs = NEEDS_BPF,
	.prototype = "u64 bpf_jiffies64(void)",
	.doc = "Returns the kernel's 64-bit tick counter.",
	.types = TYPES_BASE,
	.ret = { RET_INTEGER },
	.call = jiffies64,
};
