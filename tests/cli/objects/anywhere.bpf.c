/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs whose sections do not say where: --attach does. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

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

SEC("kprobe/some_function")
int enters(void *ctx)
{
	return count(0);
}

SEC("?uretprobe")
int returns(void *ctx)
{
	return count(1);
}

char LICENSE[] SEC("license") = "GPL";
