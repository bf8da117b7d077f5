/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tc_police - no source may send more than its share.
 *
 * Each IPv4 source may send rate packets a second, and burst at once. All that
 * is kept of it is one point in time: when its next packet would be due if it
 * came at exactly its rate. A packet that is more than a burst ahead of that
 * is dropped. The points are in an LRU map, so that an attacker with many
 * addresses pushes out old points and nothing else; two CPUs that see one
 * source at once may let one packet too many pass, which harms nobody.
 *
 *   skep run -s burst=32 examples/tc_police.bpf.c -r examples/web.pcap
 */
#include <linux/pkt_cls.h>
#include "parse.h"

const volatile __u64 rate = 10;
const volatile __u64 burst = 64;

struct source {
	__u64 due;               /* of the next packet, in ns since boot */
	__u64 passed, dropped;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u8[4]);
	__type(value, struct source);
} sources SEC(".maps");

SEC("tc")
int tc_police(struct __sk_buff *skb)
{
	__u64 now = bpf_ktime_get_ns(), gap = rate ? 1000000000 / rate : 1000000000;
	struct cursor c = CURSOR(skb);
	struct source *source, fresh = {};
	struct ethhdr *eth;
	struct iphdr *ip;
	__u8 key[4];

	if (parse_ethernet(&c, &eth) != ETH_P_IP)
		return TC_ACT_OK;
	ip = c.pos;
	if ((void *)(ip + 1) > c.end)
		return TC_ACT_OK;
	__builtin_memcpy(key, &ip->saddr, sizeof(key));
	source = bpf_map_lookup_elem(&sources, key);
	if (!source) {
		bpf_map_update_elem(&sources, key, &fresh, BPF_NOEXIST);
		source = bpf_map_lookup_elem(&sources, key);
		if (!source)
			return TC_ACT_OK;
	}
	if (source->due < now)
		source->due = now;
	if (source->due + gap - now > burst * gap) {
		source->dropped++;
		return TC_ACT_SHOT;
	}
	source->due += gap;
	source->passed++;
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
