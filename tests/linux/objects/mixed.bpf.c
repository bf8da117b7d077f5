/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that are attached, one that is not, and some that cannot be. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} hits SEC(".maps");

static __always_inline int hit(__u32 which)
{
	__u64 *count = bpf_map_lookup_elem(&hits, &which);

	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}

SEC("raw_tp/sys_enter")
int entered(void *ctx)
{
	return hit(0);
}

SEC("perf_event")
int sampled(void *ctx)
{
	return hit(1);
}

SEC("xdp")
int packet(void *ctx)
{
	return XDP_PASS;
}

SEC("?tracepoint/syscalls/sys_enter_nothing")
int nowhere(void *ctx)
{
	return 0;
}

SEC("?kprobe/no_such_function")
int no_function(void *ctx)
{
	return 0;
}

/* Linux's verifier does not take it. */
SEC("?raw_tp/sys_exit")
int unchecked(void *ctx)
{
	__u32 key = 1;
	__u64 *count = bpf_map_lookup_elem(&hits, &key);

	*count += 1; /* no check */
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
