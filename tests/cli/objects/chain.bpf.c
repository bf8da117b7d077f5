/* SPDX-License-Identifier: BSD-2-Clause */
/* Three tc programs: one marks the packet, one looks at the mark, one is a socket filter. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int mark(struct __sk_buff *skb)
{
	__u8 byte = 0xaa;

	bpf_skb_store_bytes(skb, 0, &byte, 1, 0);
	return TC_ACT_OK;
}

SEC("tc")
int look(struct __sk_buff *skb)
{
	__u8 byte = 0;

	bpf_skb_load_bytes(skb, 0, &byte, 1);
	return byte == 0xaa ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC("socket")
int snap(struct __sk_buff *skb)
{
	return skb->len > 60 ? 60 : 0;
}

char LICENSE[] SEC("license") = "GPL";
