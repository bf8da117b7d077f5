/* SPDX-License-Identifier: BSD-2-Clause */
/* An XDP filter: drops TCP to one port, counts, sends an event per drop. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct drop_event {
	__u32 source;
	__u16 port;
	__u16 size;
	char reason[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} drops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u16);
	__type(value, __u64);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} size_hist SEC(".maps");

/* Keeps the type in the object, so that records can be decoded. */
const struct drop_event *unused_event __attribute__((unused));

const volatile __u16 blocked_port = 80;
const volatile char reason[8] = "blocked";

static __always_inline void count_size(__u32 size)
{
	__u32 slot = 0;
	__u64 *count;

	for (int i = 0; i < 15; i++)
		slot += size >> (i + 1) ? 1 : 0;
	count = bpf_map_lookup_elem(&size_hist, &slot);
	if (count)
		__sync_fetch_and_add(count, 1);
}

SEC("xdp")
int filter(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct drop_event *event;
	__u64 one = 1, *count;
	__u16 port;

	count_size(end - data);
	if ((void *)(tcp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) ||
	    ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	port = bpf_ntohs(tcp->dest);
	count = bpf_map_lookup_elem(&ports, &port);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&ports, &port, &one, BPF_ANY);
	if (port != blocked_port)
		return XDP_PASS;
	bpf_printk("drop %d", bpf_ntohs(tcp->source));
	event = bpf_ringbuf_reserve(&drops, sizeof(*event), 0);
	if (event) {
		event->source = bpf_ntohl(ip->saddr);
		event->port = port;
		event->size = end - data;
		for (int i = 0; i < sizeof(event->reason); i++)
			event->reason[i] = reason[i];
		bpf_ringbuf_submit(event, 0);
	}
	return XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
