/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tc_police - no source may send more than its share.
 *
 * Each IPv4 source has a bucket of tokens, one per packet, that fills at rate
 * packets a second up to burst; a packet that finds no token is dropped. A spin
 * lock keeps each bucket whole, whatever CPUs its packets arrive on. Sources for
 * which there is no room share one bucket.
 *
 *   skep run -s burst=32 examples/tc_police.bpf.o -r examples/web.pcap
 */
#include <linux/pkt_cls.h>
#include "parse.h"

const volatile __u64 rate = 10;
const volatile __u64 burst = 64;

struct bucket {
	struct bpf_spin_lock lock;
	__u64 tokens;
	__u64 filled;            /* when, in ns */
	__u64 passed, dropped;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u8[4]);
	__type(value, struct bucket);
} buckets SEC(".maps");

SEC("tc")
int tc_police(struct __sk_buff *skb)
{
	const __u64 second = 1000000000;
	struct cursor c = CURSOR(skb);
	struct ethhdr *eth;
	struct iphdr *ip;
	struct bucket *bucket, fresh = {};
	__u64 now = bpf_ktime_get_ns(), earned;
	__u8 source[4];
	int pass = 1;

	if (parse_ethernet(&c, &eth) != ETH_P_IP)
		return TC_ACT_OK;
	ip = c.pos;
	if ((void *)(ip + 1) > c.end)
		return TC_ACT_OK;
	__builtin_memcpy(source, &ip->saddr, 4);
	bucket = bpf_map_lookup_elem(&buckets, source);
	if (!bucket) {
		fresh.tokens = burst;
		fresh.filled = now;
		if (bpf_map_update_elem(&buckets, source, &fresh, BPF_NOEXIST) < 0) {
			__builtin_memset(source, 0, 4);
			bpf_map_update_elem(&buckets, source, &fresh, BPF_NOEXIST);
		}
		bucket = bpf_map_lookup_elem(&buckets, source);
		if (!bucket)
			return TC_ACT_SHOT;
	}
	bpf_spin_lock(&bucket->lock);
	earned = (now - bucket->filled) * rate / second;
	if (earned) {
		bucket->tokens += earned;
		if (bucket->tokens > burst)
			bucket->tokens = burst;
		bucket->filled = now;
	}
	if (bucket->tokens) {
		bucket->tokens--;
		bucket->passed++;
	} else {
		bucket->dropped++;
		pass = 0;
	}
	bpf_spin_unlock(&bucket->lock);
	return pass ? TC_ACT_OK : TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
