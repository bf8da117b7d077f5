// SPDX-License-Identifier: BSD-2-Clause
/* Counts getppid, and the calls of work() and other() in the library LIB. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} calls SEC(".maps");

static int count(__u32 key)
{
	__u64 *value = bpf_map_lookup_elem(&calls, &key);

	if (value)
		__sync_fetch_and_add(value, 1);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_getppid")
int on_getppid(void *ctx)
{
	return count(0);
}

SEC("uprobe/" LIB ":work")
int on_work(void *ctx)
{
	return count(1);
}

SEC("uprobe/" LIB ":other")
int on_other(void *ctx)
{
	return count(2);
}
