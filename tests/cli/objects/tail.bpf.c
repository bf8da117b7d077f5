/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that jumps to another, records with no struct of their name, a long map. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* Of a record's size, but none is named as an event. */
struct scrap {
	char text[8];
};

struct pair {
	__u32 a, b;
};

int last(struct xdp_md *xdp);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(struct xdp_md *));
} jumps SEC(".maps") = {
	.values = { (void *)&last },
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} notes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} many SEC(".maps");

const struct scrap *unused_scrap __attribute__((unused));
const struct pair *unused_pair __attribute__((unused));

SEC("xdp")
int last(struct xdp_md *xdp)
{
	char text[8] = "Ab\r\1";

	bpf_ringbuf_output(&notes, text, sizeof(text), 0);
	bpf_printk("say \r there");
	return XDP_DROP;
}

SEC("xdp")
int entry(struct xdp_md *xdp)
{
	__u32 seven = 7;

	for (__u32 i = 0; i < 40; i++)
		bpf_map_update_elem(&many, &i, &seven, BPF_ANY);
	bpf_tail_call(xdp, &jumps, 0);
	return XDP_ABORTED;
}

char LICENSE[] SEC("license") = "GPL";
