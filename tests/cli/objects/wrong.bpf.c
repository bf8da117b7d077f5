/* SPDX-License-Identifier: BSD-2-Clause */
/* Mistakes to be explained: one, two that are independent, two that are one. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

SEC("xdp")
int short_check(struct xdp_md *ctx)
{
	char *end = (char *)(long)ctx->data_end;
	char *data = (char *)(long)ctx->data;

	if (data + 14 > end)
		return XDP_DROP;
	return data[23] == 6 ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int two_mistakes(struct xdp_md *ctx)
{
	char *data = (char *)(long)ctx->data;
	__u32 key = ctx->rx_queue_index;
	__u64 *count;

	if (key) {
		count = bpf_map_lookup_elem(&counts, &key);
		*count = 1;
		return XDP_PASS;
	}
	return data[3] ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int one_mistake_twice(struct xdp_md *ctx)
{
	__u32 key = ctx->ingress_ifindex;
	__u64 *count = bpf_map_lookup_elem(&counts, &key);

	if (ctx->rx_queue_index)
		*count = 1;
	else
		*count = bpf_get_prandom_u32();
	return XDP_PASS;
}

__attribute__((noinline)) int broken(struct xdp_md *ctx)
{
	char *data = (char *)(long)ctx->data;

	return data[5];
}

SEC("xdp")
int two_functions(struct xdp_md *ctx)
{
	char *data = (char *)(long)ctx->data;

	if (ctx->rx_queue_index)
		return broken(ctx) ? XDP_PASS : XDP_DROP;
	return data[7] ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
