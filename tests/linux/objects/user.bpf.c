/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions of a program (work.c): at their begin, return, by a pattern, of a library. */
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

SEC("uprobe/./work:twice")
int begun(void *ctx)
{
	return hit(0);
}

SEC("uretprobe/./work:twice")
int returned(void *ctx)
{
	return hit(1);
}

SEC("uprobe.multi/./work:step_*")
int steps(void *ctx)
{
	return hit(2);
}

SEC("uprobe/libc.so.6:getpriority")
int library(void *ctx)
{
	return hit(3);
}

SEC("?uprobe/./work:nowhere")
int nowhere(void *ctx)
{
	return 0;
}

SEC("?uprobe")
int bare(void *ctx)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
