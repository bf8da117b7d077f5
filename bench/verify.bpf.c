/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify.bpf.c - programs that are much work to verify, each in its own way.
 *
 *   branches   many joins with numbers that differ: states are compared
 *   parser     a packet walked header by header, with options in a loop
 *   strings    lengths that bound the next access, values on the stack
 *   calls      a chain of functions that write their callers' stack
 *   hashing    long stretches of arithmetic, few branches
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u64);
	__type(value, __u8[4096]);
} values SEC(".maps");

static __always_inline __u32 rotate(__u32 word, unsigned by)
{
	return word << by | word >> (32 - by);
}

static __always_inline __u32 mix(__u32 a, __u32 b, __u32 c)
{
	a -= c; a ^= rotate(c, 4); c += b;
	b -= a; b ^= rotate(a, 6); a += c;
	c -= b; c ^= rotate(b, 8); b += a;
	a -= c; a ^= rotate(c, 16); c += b;
	b -= a; b ^= rotate(a, 19); a += c;
	c -= b; c ^= rotate(b, 4);
	return c ^ a;
}

SEC("tc")
int branches(struct __sk_buff *skb)
{
	__u64 a = skb->len, b = skb->mark, sum = 0;

#pragma clang loop unroll(full)
	for (int i = 0; i < 100; i++) {
		if (a & 1)
			sum += b;
		if (b > 100 * i)
			sum ^= a;
		if ((sum & 7) == 3)
			b = bpf_get_prandom_u32() & 0xff;
		a = (a >> 1) + skb->hash;
		__u64 key = sum & 0xf;
		__u8 *value = bpf_map_lookup_elem(&values, &key);
		if (value)
			value[b & 0xfff] = (__u8)sum;
	}
	return sum & 1;
}

SEC("xdp")
int parser(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp;
	__u8 *at, *last;
	__u32 seen = 0;

	if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl < 5)
		return XDP_PASS;
	tcp = (void *)ip + ip->ihl * 4;
	if ((void *)(tcp + 1) > end || ip->protocol != 6)
		return XDP_PASS;
	at = (void *)(tcp + 1);
	last = (void *)tcp + tcp->doff * 4;
	for (int i = 0; i < 40; i++) {
		__u8 kind, len;

		if (at >= last || (void *)(at + 1) > end || *at == 0)
			break;
		kind = *at;
		if (kind == 1) {
			at++;
			continue;
		}
		if ((void *)(at + 2) > end)
			return XDP_DROP;
		len = at[1];
		if (len < 2 || len > 40)
			return XDP_DROP;
		if (kind == 2 && len == 4 && (void *)(at + 4) <= end)
			seen = seen * 31 + at[2] + at[3];
		else if (kind == 8 && len == 10 && (void *)(at + 10) <= end)
			seen += *(__u32 *)(at + 2);
		at += len;
	}
	return seen == 42 ? XDP_DROP : XDP_PASS;
}

SEC("tp/syscalls/sys_enter_openat")
int strings(void *ctx)
{
	__u64 key = bpf_get_current_pid_tgid(), length[12];
	__u8 *value = bpf_map_lookup_elem(&values, &key);
	__u32 off = 0;

	if (!value)
		return 0;
#pragma clang loop unroll(full)
	for (int i = 0; i < 12; i++) {
		long got = bpf_probe_read_user_str(value + off, 128, (void *)(key + i));

		length[i] = 0;
		if (got > 0 && got <= 128) {
			length[i] = got;
			off += got;
		}
		if (i && length[i] > length[i - 1])
			value[4000 + i] = 1;
	}
	for (int i = 0; i < 12; i++)
		value[4080 + i] = (__u8)length[i];
	return 0;
}

struct work {
	__u64 sum, count;
	__u8 *value;
};

static __noinline int third(struct work *work, __u32 i)
{
	if (!work)
		return 0;
	if (i & 1)
		work->sum += i;
	work->count++;
	return work->sum > 100;
}

static __noinline int second(struct work *work, __u32 i)
{
	__u64 before = work->sum;

	if (third(work, i) && before < 50)
		work->sum = before;
	return third(work, i + 1);
}

SEC("tc")
int calls(struct __sk_buff *skb)
{
	struct work work = { .sum = skb->mark };
	int done = 0;

	for (__u32 i = 0; i < 120; i++) {
		if (second(&work, skb->hash + i))
			done++;
		if (work.count > 5000)
			break;
	}
	return done & 1;
}

SEC("tc")
int hashing(struct __sk_buff *skb)
{
	__u32 a = skb->len, b = skb->mark, c = skb->hash;

	for (int i = 0; i < 600; i++) {
		c = mix(a, b, c + i);
		a ^= c;
		b += a;
	}
	return c & 1;
}

char _license[] SEC("license") = "GPL";
