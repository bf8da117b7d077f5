/* SPDX-License-Identifier: BSD-2-Clause */
/* Loops, a function, a branch whose sides meet again, and a rejection behind them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

static __attribute__((noinline)) int weigh(__u32 mark)
{
	int sum = 0;

#pragma clang loop unroll(disable)
	for (int i = 0; i < 4; i++) {
		if (mark & 1u << i)
			sum += i * 3;
		bpf_get_prandom_u32();
	}
	return sum;
}

SEC("tc")
int fine(struct __sk_buff *skb)
{
	__u32 key = skb->mark;
	__u64 *value = bpf_map_lookup_elem(&seen, &key);

	if (value)
		*value += 1;
	if (skb->len > 100)
		key = bpf_get_prandom_u32();
	else
		bpf_get_prandom_u32();
	return weigh(skb->mark);
}

SEC("tc")
int no_check(struct __sk_buff *skb)
{
	__u32 key = skb->mark;
	__u64 *value = bpf_map_lookup_elem(&seen, &key);

	if (skb->len > 100)
		key = 5;
	*value += key; /* </script><script>window.broken = 1</script><!-- */
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
