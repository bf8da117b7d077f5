/* SPDX-License-Identifier: BSD-2-Clause */
/* Map values and other memory: NULL, indices, sizes, keys. */
#include "common.h"

SEC("xdp")
int no_null_check(struct xdp_md *ctx)
{
	__u32 key = ctx->ingress_ifindex;
	struct pair *pair = bpf_map_lookup_elem(&pairs, &key);

	pair->a += 1; // blame: 'pair' may be NULL | bpf_map_lookup_elem() | no such key | if (!pair)
	return XDP_PASS;
}

SEC("xdp")
int member_before_null_check(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct pair *pair = bpf_map_lookup_elem(&pairs, &key);
	__u64 *b = &pair->b; // blame: 'pair' may be NULL

	asm volatile("" : "+r"(b));
	if (!b)
		return XDP_DROP;
	return *b ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int null_to_helper(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct pair *pair = bpf_map_lookup_elem(&pairs, &key);

	bpf_map_update_elem(&pairs, &key, pair, BPF_ANY); // blame: passed to bpf_map_update_elem() | may be NULL
	return XDP_PASS;
}

SEC("xdp")
int past_the_value(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct pair *pair = bpf_map_lookup_elem(&pairs, &key);

	if (!pair)
		return XDP_DROP;
	return ((struct table *)pair)->end ? XDP_PASS : XDP_DROP; // blame: bytes 44 to 47 | has 16 | map 'pairs'
}

SEC("xdp")
int off_by_one(struct xdp_md *ctx)
{
	__u32 key = 0, i = ctx->rx_queue_index;
	struct table *table = bpf_map_lookup_elem(&tables, &key);

	if (!table)
		return XDP_DROP;
	asm volatile("" : "+r"(i));
	if (i > 11) // blame: lets it be up to 11 | has 48 bytes
		return XDP_DROP;
	return table->item[i] ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int signed_index(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct table *table = bpf_map_lookup_elem(&tables, &key);
	int i;

	if (!table)
		return XDP_DROP;
	i = table->count;
	if (i >= 10) // blame: as a signed number | may still be negative
		return XDP_DROP;
	return table->item[i] ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int signed_number_index(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct table *table = bpf_map_lookup_elem(&tables, &key);
	int i = bpf_get_prandom_u32();

	if (!table)
		return XDP_DROP;
	asm volatile("" : "+r"(i));
	if (i < 10) // blame: as a signed number | may still be negative
		return table->item[i] ? XDP_PASS : XDP_DROP;
	return XDP_DROP;
}

SEC("xdp")
int no_index_check(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u32 i = ctx->rx_queue_index; // blame: nothing bounds it | rx_queue_index
	struct table *table = bpf_map_lookup_elem(&tables, &key);

	if (!table)
		return XDP_DROP;
	return table->item[i] ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int half_checked(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct pair *pair = bpf_map_lookup_elem(&pairs, &key);
	struct table *table = bpf_map_lookup_elem(&tables, &key);
	__u64 i;

	if (!table || !pair)
		return XDP_DROP;
	i = pair->a;
	if ((__u32)i >= 10) // blame: the lower 32 bits only
		return XDP_DROP;
	return *((__u8 *)table + i) ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int lost_by_swap(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u32 i = ctx->rx_queue_index;
	struct table *table = bpf_map_lookup_elem(&tables, &key);

	if (!table)
		return XDP_DROP;
	asm volatile("" : "+r"(i));
	if (i >= 10)
		return XDP_DROP;
	asm volatile("" : "+r"(i));
	i = __builtin_bswap32(i); // blame: stops being bounded | 0 to 9
	return table->item[i] ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int lost_by_subtraction(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 i = ctx->rx_queue_index;
	struct table *table = bpf_map_lookup_elem(&tables, &key);

	if (!table || i >= 10)
		return XDP_DROP;
	i -= bpf_get_prandom_u32() & 3; // blame: stops being bounded
	asm volatile("" : "+r"(i));
	return *((__u8 *)table + i) ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int read_again(struct xdp_md *ctx)
{
	__u32 key = 0;
	volatile struct table *table = bpf_map_lookup_elem(&tables, &key);
	char copy[16] = {};

	if (!table)
		return XDP_DROP;
	if (table->count > sizeof(copy)) // blame: it is read again
		return XDP_DROP;
	bpf_xdp_load_bytes(ctx, 0, copy, table->count);
	return copy[0] ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int unbounded_size(struct xdp_md *ctx)
{
	char copy[64] = {};
	__u32 size;

	size = ctx->rx_queue_index; // blame: 'size' may be | it has 64 bytes | nothing bounds it
	bpf_xdp_load_bytes(ctx, 0, copy, size);
	return copy[0] ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int size_too_large(struct xdp_md *ctx)
{
	char copy[64] = {};
	__u32 size = ctx->rx_queue_index;

	if (size == 0 || size > 128) // blame: 1 to 128 | it has 64 bytes
		return XDP_DROP;
	bpf_xdp_load_bytes(ctx, 0, copy, size);
	return copy[0] ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int stack_index(struct xdp_md *ctx)
{
	char names[16] = "abcdefghijklmno";
	__u32 i = ctx->rx_queue_index; // blame: 'i' may be

	asm volatile("" : : "r"(names) : "memory");
	return names[i] == 'a' ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int key_by_value(struct xdp_md *ctx)
{
	__u64 key = ctx->ingress_ifindex;

	return bpf_map_lookup_elem(&pairs, (void *)key) ? XDP_PASS : XDP_DROP; // blame: argument 2 of bpf_map_lookup_elem() | address of a variable
}

SEC("xdp")
int no_map(struct xdp_md *ctx)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&key, &key) ? XDP_PASS : XDP_DROP; // blame: argument 1 | not a map
}

SEC("xdp")
int key_too_small(struct xdp_md *ctx)
{
	__u8 key = 0;

	return bpf_map_lookup_elem(&pairs, &key) ? XDP_PASS : XDP_DROP; // blame: 4 bytes | only 1
}

SEC("xdp")
int record_too_small(struct xdp_md *ctx)
{
	struct event *event = bpf_ringbuf_reserve(&events, 8, 0);

	if (!event)
		return XDP_DROP;
	event->pid = 1; // blame: bytes 8 to 11 | has 8 | ring buffer record
	bpf_ringbuf_submit(event, 0);
	return XDP_PASS;
}

const volatile __u32 limit = 5;

SEC("xdp")
int write_constant(struct xdp_md *ctx)
{
	*(volatile __u32 *)&limit = ctx->rx_queue_index; // blame: may only be read
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
