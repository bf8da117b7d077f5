// SPDX-License-Identifier: BSD-2-Clause
/* Counts the calls of every function of the file LIB, and their returns. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

static int count(__u32 key)
{
	__u64 *value = bpf_map_lookup_elem(&seen, &key);

	if (value)
		__sync_fetch_and_add(value, 1);
	return 0;
}

SEC("uprobe.multi/" LIB ":*")
int on_call(void *ctx)
{
	return count(0);
}

SEC("uretprobe.multi/" LIB ":*")
int on_return(void *ctx)
{
	return count(1);
}
