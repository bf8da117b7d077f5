/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp_synflood - drop SYNs of sources that never finish a handshake.
 *
 * Each IPv4 source has a number of half-open connections: one more for every
 * SYN, none again as soon as it acknowledges anything. Past a limit its SYNs
 * are dropped. Real stacks also announce a segment size in their SYNs; the
 * options are walked with bpf_loop(), and SYNs without one count double.
 *
 *   skep run -s limit=16 examples/xdp_synflood.bpf.c -r examples/web.pcap
 */
#include "parse.h"

enum { OPTIONS = 40, OPT_END = 0, OPT_NOP = 1, OPT_MSS = 2 };

const volatile __u32 limit = 16;

struct source {
	__u32 half_open, syns, dropped;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u8[4]);
	__type(value, struct source);
} sources SEC(".maps");

enum total { SYNS, CRAFTED, DROPPED, TOTALS };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TOTALS);
	__type(key, enum total);
	__type(value, __u64);
} totals SEC(".maps");

static __always_inline void add(enum total total)
{
	__u64 *count = bpf_map_lookup_elem(&totals, &total);

	if (count)
		(*count)++;
}

/* Walking options: kind and length, or one byte for END and NOP. */
struct walk {
	__u8 bytes[OPTIONS + 24]; /* room for an index of six bits */
	__u32 at, size;
	__u32 has_mss;
};

static long step(__u32 round, void *arg)
{
	struct walk *walk = arg;
	__u8 kind, length;

	if (walk->at + 1 >= walk->size)
		return 1;
	kind = walk->bytes[walk->at & 63];
	length = walk->bytes[(walk->at + 1) & 63];
	if (kind == OPT_MSS)
		walk->has_mss = 1;
	if (kind == OPT_END || kind == OPT_MSS)
		return 1;
	if (kind == OPT_NOP)
		length = 1;
	if (length == 0)
		return 1;
	walk->at += length;
	return 0;
}

static __always_inline int has_mss(struct xdp_md *xdp, struct tcphdr *tcp)
{
	__u64 size = tcp->doff * 4 - sizeof(*tcp); /* 64 bits: see http_count.bpf.c */
	__u32 off = (void *)(tcp + 1) - (void *)(long)xdp->data;
	struct walk walk = {};

	/* In this order: of -20 to 40 Linux 7.3 cannot leave out 0, of 0 to 40 it can. */
	asm volatile("" : "+r"(size));
	if (size > OPTIONS)
		return 0;
	asm volatile("" : "+r"(size));
	if (size < 1 || bpf_xdp_load_bytes(xdp, off, walk.bytes, size) < 0)
		return 0;
	walk.size = size;
	bpf_loop(OPTIONS, step, &walk, 0);
	return walk.has_mss;
}

SEC("xdp")
int xdp_synflood(struct xdp_md *xdp)
{
	struct cursor c = CURSOR(xdp);
	struct source *source, fresh = {};
	struct ethhdr *eth;
	struct iphdr *ip;
	struct tcphdr *tcp;
	__u32 weight;
	__u8 key[4];

	if (parse_ethernet(&c, &eth) != ETH_P_IP || parse_ip4(&c, &ip) != IPPROTO_TCP ||
	    parse_tcp(&c, &tcp) < 0)
		return XDP_PASS;
	__builtin_memcpy(key, &ip->saddr, sizeof(key));
	source = bpf_map_lookup_elem(&sources, key);
	if (!tcp->syn) {
		if (source && tcp->ack)
			source->half_open = 0;
		return XDP_PASS;
	}
	if (tcp->ack)
		return XDP_PASS; /* a server's answer */
	if (!source) {
		bpf_map_update_elem(&sources, key, &fresh, BPF_NOEXIST);
		source = bpf_map_lookup_elem(&sources, key);
		if (!source)
			return XDP_PASS;
	}
	add(SYNS);
	source->syns++;
	weight = 1;
	if (!has_mss(xdp, tcp)) {
		add(CRAFTED);
		weight = 2;
	}
	if (source->half_open + weight > limit) {
		source->dropped++;
		add(DROPPED);
		return XDP_DROP;
	}
	source->half_open += weight;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
