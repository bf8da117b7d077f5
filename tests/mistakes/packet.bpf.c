/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets: bounds that are missing, too small, of another pointer, or out of date. */
#include "common.h"
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/pkt_cls.h>

SEC("xdp")
int no_check(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	return eth->h_proto == 8 ? XDP_PASS : XDP_DROP; // blame: eth->h_proto | data_end
}

SEC("xdp")
int short_check(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(eth + 1) > end) // blame: proves 14 bytes | ip->protocol | byte 23
		return XDP_DROP;
	if (eth->h_proto != 8)
		return XDP_PASS;
	return ip->protocol == IPPROTO_TCP ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int other_pointer(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct tcphdr *tcp;

	if ((void *)(ip + 1) > end)
		return XDP_DROP;
	tcp = (void *)ip + ip->ihl * 4;
	asm volatile("" : "+r"(data));
	if (data + sizeof(struct ethhdr) + sizeof(*ip) + sizeof(*tcp) > end) // blame: another pointer | 0 to 60
		return XDP_DROP;
	return tcp->syn ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int check_before_move(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	struct tcphdr *tcp;

	if ((void *)(ip + 1) + sizeof(*tcp) > end)
		return XDP_DROP;
	tcp = (void *)ip + ip->ihl * 4;
	return tcp->doff > 5 ? XDP_PASS : XDP_DROP; // blame: 0 to 60 | does not hold
}

SEC("xdp")
int wrong_way_round(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) <= end) // blame: wrong way round
		return XDP_DROP;
	return eth->h_proto == 8 ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int stale_after_adjust(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	if (bpf_xdp_adjust_head(ctx, -8))
		return XDP_DROP;
	eth->h_proto = 8; // blame: bpf_xdp_adjust_head | read ctx->data and ctx->data_end again
	return XDP_PASS;
}

SEC("tc")
int stale_after_store(struct __sk_buff *skb)
{
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = (void *)(long)skb->data;
	__u16 proto = 8;

	if ((void *)(eth + 1) > end)
		return TC_ACT_SHOT;
	bpf_skb_store_bytes(skb, 12, &proto, sizeof(proto), 0);
	return eth->h_proto == 8 ? TC_ACT_OK : TC_ACT_SHOT; // blame: bpf_skb_store_bytes | may move the packet
}

SEC("xdp")
int moved_too_far(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;
	__u8 *p;

	if (data + 4 > end)
		return XDP_DROP;
	p = data + *(__u32 *)data;
	if ((void *)(p + 1) > end) // blame: proves nothing | more than a packet can be long
		return XDP_DROP;
	return *p ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int helper_reads_packet(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	void *data = (void *)(long)ctx->data;

	if (data + 2 > end) // blame: proves 2 bytes | bytes 0 to 3
		return XDP_DROP;
	return bpf_map_lookup_elem(&pairs, data) ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int shifted_pointer(struct xdp_md *ctx)
{
	unsigned long data = (unsigned long)(void *)(long)ctx->data;

	asm volatile("%[data] <<= 2" : [data]"+r"(data)); // blame: the start of the packet | a pointer
	return data ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "GPL";
