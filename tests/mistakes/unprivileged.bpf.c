/* SPDX-License-Identifier: BSD-2-Clause */
/* What only programs without privileges may not do; old kernels allow it to none. */
#include "common.h"

struct mixed {
	__u32 id;
	__u8 kind;
	__u32 zone;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct mixed);
	__type(value, __u64);
} mixed_map SEC(".maps");

SEC("socket")
int padding(struct __sk_buff *skb)
{
	struct mixed key = { .id = skb->len }; // blame: padding after member 'kind' | memset

	key.kind = 1;
	key.zone = skb->mark;
	return bpf_map_lookup_elem(&mixed_map, &key) != 0;
}

SEC("socket")
int never_written(struct __sk_buff *skb)
{
	__u32 key;

	asm volatile("" : "=m"(key));
	return bpf_map_lookup_elem(&pairs, &key) != 0; // blame: never written | initialise
}

SEC("socket")
int leaked_address(struct __sk_buff *skb)
{
	__u32 key = 0;
	struct pair *pair = bpf_map_lookup_elem(&pairs, &key);

	if (!pair)
		return 0;
	pair->a = (__u64)skb; // blame: address
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
