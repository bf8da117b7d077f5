/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts calls of malloc() and what comes back, by thread: jumps in the hottest of functions. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64[2]);
} calls SEC(".maps");

static int count(int which)
{
	__u64 thread = bpf_get_current_pid_tgid(), none[2] = { 0 }, *counts;

	counts = bpf_map_lookup_elem(&calls, &thread);
	if (!counts) {
		bpf_map_update_elem(&calls, &thread, none, BPF_NOEXIST);
		counts = bpf_map_lookup_elem(&calls, &thread);
	}
	if (counts)
		__sync_fetch_and_add(&counts[which], 1);
	return 0;
}

SEC("uprobe/libc.so.6:malloc")
int called(void *ctx)
{
	return count(0);
}

SEC("uretprobe/libc.so.6:malloc")
int returned(void *ctx)
{
	return count(1);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
