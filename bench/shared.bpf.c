/* SPDX-License-Identifier: BSD-2-Clause */
/* shared.bpf.c - updates of maps that many threads and processes share, 64 a run; see shared.c. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum { TIMES = 64, KEYS = 1024 };

#define MAP(name, kind) \
	struct { \
		__uint(type, kind); \
		__uint(max_entries, KEYS); \
		__type(key, __u32); \
		__type(value, __u64); \
	} name SEC(".maps")

MAP(percpu_array, BPF_MAP_TYPE_PERCPU_ARRAY);
MAP(percpu_hash, BPF_MAP_TYPE_PERCPU_HASH);
MAP(array, BPF_MAP_TYPE_ARRAY);
MAP(hash, BPF_MAP_TYPE_HASH);

/* The caller's numbers: where its walk over the keys goes on. */
static __always_inline __u32 first_key(struct bpf_raw_tracepoint_args *ctx)
{
	return (__u32)ctx->args[0];
}

SEC("raw_tp")
int add_percpu_array(struct bpf_raw_tracepoint_args *ctx)
{
	for (__u32 i = 0; i < TIMES; i++) {
		__u32 key = (first_key(ctx) + i) % KEYS;
		__u64 *value = bpf_map_lookup_elem(&percpu_array, &key);

		if (value)
			*value += 1;
	}
	return 0;
}

SEC("raw_tp")
int add_percpu_hash(struct bpf_raw_tracepoint_args *ctx)
{
	for (__u32 i = 0; i < TIMES; i++) {
		__u32 key = (first_key(ctx) + i) % KEYS;
		__u64 *value = bpf_map_lookup_elem(&percpu_hash, &key);

		if (value)
			*value += 1;
	}
	return 0;
}

SEC("raw_tp")
int add_array(struct bpf_raw_tracepoint_args *ctx)
{
	for (__u32 i = 0; i < TIMES; i++) {
		__u32 key = (first_key(ctx) + i) % KEYS;
		__u64 *value = bpf_map_lookup_elem(&array, &key);

		if (value)
			__sync_fetch_and_add(value, 1);
	}
	return 0;
}

SEC("raw_tp")
int add_hash(struct bpf_raw_tracepoint_args *ctx)
{
	for (__u32 i = 0; i < TIMES; i++) {
		__u32 key = (first_key(ctx) + i) % KEYS;
		__u64 *value = bpf_map_lookup_elem(&hash, &key);

		if (value)
			__sync_fetch_and_add(value, 1);
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
